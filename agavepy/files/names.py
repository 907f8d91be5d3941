"""Which names of a server may become names of files here."""

from __future__ import annotations

import os
import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from ..errors import UnsafePath

LONGEST_PATH = 8192  # characters; no file system has longer ones
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_FORBIDDEN_ON_WINDOWS = frozenset('<>:"/\\|?*') | {chr(code) for code in range(32)}
_PORTS = frozenset(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789¹²³")
_DEVICES = _PORTS | {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}


def check(name: str, *, is_windows: bool = os.name == "nt") -> str:
    """
    Return a name that may be one file's in a folder of this machine.

    :raises UnsafePath: it would lead elsewhere, or cannot be a file's name.
    """
    if not is_possible(name) or (is_windows and _is_bad_on_windows(name)):
        raise UnsafePath(f"The server's name {brief(repr(name))} cannot be that of a file here.")
    return name


def is_possible(name: Any) -> TypeGuard[str]:
    """Tell whether it can be the name of one item of a folder, on any machine."""
    is_text = isinstance(name, str) and 0 < len(name) <= LONGEST_PATH
    return is_text and name not in (".", "..") and "/" not in name and "\0" not in name


def brief(text: str) -> str:
    """Return as much of a text as an error needs of it."""
    return text if len(text) <= 120 else f"{text[:117]}…"


def _is_bad_on_windows(name: str) -> bool:
    stem = name.partition(".")[0].rstrip().upper()
    return bool(_FORBIDDEN_ON_WINDOWS.intersection(name)) or name[-1] in ". " or stem in _DEVICES


def clashes(names: Iterable[str]) -> set[str]:
    """Return the names that differ in nothing but case and the way accents are written."""
    folded = {name: unicodedata.normalize("NFC", name).casefold() for name in names}
    shared = {key for key, count in Counter(folded.values()).items() if count > 1}
    return {name for name, key in folded.items() if key in shared}


def tells_case(folder: Path) -> bool:
    """Tell whether two names that differ in case only are two files in this folder."""
    probe = folder / f".agavepy-{uuid.uuid4().hex}"
    probe.touch()
    try:
        return not probe.with_name(probe.name.upper()).exists()
    finally:
        probe.unlink()
