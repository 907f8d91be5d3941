"""The person at the terminal: what they are asked, and the tables they are shown."""

from __future__ import annotations

import builtins
import contextlib
import getpass
import os
import re
import sys
import threading
import types
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .errors import AgaveError


class Question(NamedTuple):
    """What to ask, and the two other ways to say it."""

    text: str
    variable: str  # of the environment
    keyword: str  # of Agave()


USERNAME = Question("API username: ", "TAPIS_USERNAME", "username")
PASSWORD = Question("API password: ", "TAPIS_PASSWORD", "password")
TENANT_ID = Question("Please specify the ID for the tenant you wish to interact with: ", "TAPIS_TENANT_ID", "tenant_id")

# How gateways and services word a refused login, often with status 400; a refusal without a word may be one too.
_LOGIN_REFUSED = re.compile(r"(?i)username|password|authenticat|authoriz|credential|log ?in\b|^$")

_asking = threading.Lock()  # of the threads that miss the same answer one asks


def username(ag: Any) -> str:
    """
    Return the user's name: the client's, else TAPIS_USERNAME, else what is typed; the client keeps it.

    :param ag: the client, with an attribute ``username``.
    :raises AgaveError: nobody can be asked, or nothing was typed.
    """
    with _asking:
        ag.username = ag.username or os.environ.get(USERNAME.variable) or _ask(USERNAME).strip()
        return str(ag.username)


def password(ag: Any) -> str:
    """
    Return the password: the client's, else TAPIS_PASSWORD, else what is typed unseen; the client keeps it in memory.

    :param ag: the client, with attributes ``username`` and ``password``.
    :raises AgaveError: nobody can be asked, or nothing was typed.
    """
    with _asking:
        ag.password = ag.password or _password_of(ag.username) or _ask(PASSWORD)
        return str(ag.password)


def tenant_id() -> str:
    """Return the id of a tenant as it is typed."""
    with _asking:
        return _ask(TENANT_ID).strip()


@contextlib.contextmanager
def login(ag: Any) -> Iterator[None]:
    """
    Have ``ag.username`` and ``ag.password`` for a block that spends them.

    What had to be found out is forgotten again when the server refuses it, so that a slip of the finger does not last
    as long as the session.
    """
    known = ag.username, ag.password
    username(ag)
    password(ag)
    try:
        yield
    except Exception as error:
        if is_refused_login(error):
            ag.username, ag.password = known
        raise


def is_refused_login(error: Exception) -> bool:
    """Tell whether an answer refuses name and password; some servers say so with status 400."""
    status, message = getattr(error, "status_code", None), getattr(error, "message", "")
    return status == 401 or (status == 400 and _LOGIN_REFUSED.search(message) is not None)


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print aligned columns; a cell is one line of printable text, whatever the server sent."""
    lines = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _password_of(name: str | None) -> str | None:
    # The password in the environment is that of the user in the environment: no other name is tried with it.
    if os.environ.get(USERNAME.variable, name) not in ("", name):
        return None
    return os.environ.get(PASSWORD.variable)


def _ask(question: Question) -> str:
    way_out = f"Set {question.variable}, or pass {question.keyword}=… to Agave()."
    ask, can_ask = (_ask_unseen, _can_ask_unseen) if question is PASSWORD else (builtins.input, _can_ask)
    nobody = AgaveError(f"{question.keyword} is not known, and there is no terminal to ask for it. {way_out}")
    if not can_ask():
        raise nobody
    try:
        answer = ask(question.text)
    except (NotImplementedError, getpass.GetPassWarning) as error:  # a notebook that runs by itself; no way to hide it
        raise nobody from error
    except (EOFError, OSError):  # OSError: the terminal was hung up
        answer = ""
    if not answer.strip():
        raise AgaveError(f"{question.keyword} is not known, and nothing was typed. {way_out}")
    return answer


def _ask_unseen(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # rather than show what is typed
        return getpass.getpass(text)


def _can_ask() -> bool:
    # Notebooks put an input() of their own in its place: there is somebody, though not at a terminal.
    return not isinstance(builtins.input, types.BuiltinFunctionType) or _is_terminal(sys.stdin)


def _can_ask_unseen() -> bool:
    return getpass.getpass.__module__ != "getpass" or _is_terminal(sys.stdin) or _is_in_front_of_a_terminal()


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # none at all, or closed
        return False


def _is_in_front_of_a_terminal() -> bool:
    """Tell whether getpass will find a terminal though stdin is none; a job in the background may not read it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except (OSError, AttributeError):  # none; a system that has no such thing
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "replace").decode(encoding)
