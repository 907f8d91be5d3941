"""Permission words of apps and jobs, and what each lets a user do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .fields import Fields

if TYPE_CHECKING:
    from .accounts import Accounts

_RIGHTS = {
    "NONE": (),
    "READ": ("read",),
    "WRITE": ("write",),
    "EXECUTE": ("execute",),
    "READ_WRITE": ("read", "write"),
    "READ_EXECUTE": ("read", "execute"),
    "WRITE_EXECUTE": ("write", "execute"),
    "ALL": ("read", "write", "execute"),
}
WORDS = tuple(_RIGHTS)
EVERYBODY = ("public", "world")  # the two names that stand for all users


def acl(word: str, *, rights: Iterable[str] = _RIGHTS["ALL"]) -> dict[str, bool]:
    """Return the ``permission`` object of a reply: each right, and whether the word includes it."""
    return {right: right in _RIGHTS[word] for right in rights}


def allows(word: str, right: str) -> bool:
    """Return whether a permission word includes ``read``, ``write`` or ``execute``."""
    return right in _RIGHTS[word]


def granted(grants: Mapping[str, str], user: str) -> str:
    """Return the word for what a user was granted, by name and as one of everybody."""
    words = [grants.get(name, "NONE") for name in (user, *EVERYBODY)]
    rights = {right for word in words for right in _RIGHTS[word]}
    return next(word for word in WORDS if set(_RIGHTS[word]) == rights)


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


def readable(word: str) -> bool:
    """Return whether a permission word on a file includes reading; files know OWNER besides the eight words."""
    return word == "OWNER" or allows(word, "read")


def writable(word: str) -> bool:
    """Return whether a permission word on a file includes writing."""
    return word == "OWNER" or allows(word, "write")


def is_grantee(username: str, accounts: Accounts) -> bool:
    """Return whether a permission can be given to that name: a user's, or one that stands for everybody."""
    return username in EVERYBODY or accounts.exists(username)
