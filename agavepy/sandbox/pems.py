"""Permission words, of files, apps and jobs, and what each lets a user do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .fields import Fields

if TYPE_CHECKING:
    from .accounts import Accounts

READ, WRITE, EXECUTE = 1, 2, 4
ALL = READ | WRITE | EXECUTE
RIGHTS = {"read": READ, "write": WRITE, "execute": EXECUTE}
WORDS = ("NONE", "READ", "WRITE", "READ_WRITE", "EXECUTE", "READ_EXECUTE", "WRITE_EXECUTE", "ALL")  # by their bits
EVERYBODY = ("public", "world")  # the two names that stand for all users


def bits_of(word: str) -> int:
    """Return the bits of a permission word; files know OWNER besides the eight. ValueError when it is none."""
    return ALL if word.upper() == "OWNER" else WORDS.index(word.upper())


def joined(words: Iterable[str]) -> int:
    """Return the bits that permission words give together."""
    bits = 0
    for word in words:
        bits |= bits_of(word)
    return bits


def acl(word: str, *, rights: Iterable[str] = tuple(RIGHTS)) -> dict[str, bool]:
    """Return the ``permission`` object of a reply: each right, and whether the word includes it."""
    return {right: allows(word, right) for right in rights}


def allows(word: str, right: str) -> bool:
    """Return whether a permission word includes ``read``, ``write`` or ``execute``."""
    return bool(bits_of(word) & RIGHTS[right])


def granted(grants: Mapping[str, str], user: str) -> str:
    """Return the word for what a user was granted, by name and as one of everybody."""
    return WORDS[joined(grants.get(name, "NONE") for name in (user, *EVERYBODY))]


def requested(body: Any, *, username: str | None = None) -> tuple[str, str]:
    """
    Return the user name and the permission word that a request asks for.

    An empty or absent permission takes the grant away, as NONE does.

    :param username: the one in the path, which wins over the body's.
    :raises BadRequest: no user, or a word that is none.
    """
    fields = Fields(body if body is not None else {}, within="permission request")
    word = fields.choice("permission", WORDS) if fields.get("permission") else "NONE"
    return username or fields.text("username"), word


def is_grantee(username: str, accounts: Accounts) -> bool:
    """Return whether a permission can be given to that name: a user's, or one that stands for everybody."""
    return username in EVERYBODY or accounts.exists(username)
