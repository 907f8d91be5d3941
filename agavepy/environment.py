"""What the environment asks of the whole process: ``.env`` files, the level of the log, certificates, error texts."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("agavepy")

_OURS = ("TAPIS_", "TAPISPY_", "AGAVE_", "AGAVEPY_")
_LINE = re.compile(
    r"""^\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*
    (?:'(?P<literal>[^']*)'|"(?P<quoted>[^"]*)"|(?P<plain>.*?))\s*(?:(?<=\s)\#.*)?$""",
    re.VERBOSE,
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TRUSTED_OWNERS = (0,)  # beside the user of the process
_TRUE = ("true", "on", "ok", "y", "yes", "1")
_FALSE = ("false", "off", "n", "no", "0")


def take_notice() -> None:
    """Read the ``.env`` file, if there is one, and set the level of the log where a variable names one."""
    load_dotenv()
    _set_log_level()


def load_dotenv() -> Path | None:
    """
    Set the variables of the first ``.env`` file that are not set yet; return its path, or None.

    It is looked for from the folder of the package upward, then from the current folder upward, then at home. Only
    names that begin with TAPIS_, TAPISPY_, AGAVE_ or AGAVEPY_ are taken, and only from a file that nobody else could
    have put there: its owner is the user of the process, or root.
    """
    for path in _candidates():
        if os.path.isfile(path):  # False, and no error, for a folder that may not be looked into
            if _is_trusted(path):
                _set(path)
                return path
            log.warning("%s is not read: it belongs to another user.", path)
    return None


def is_true(name: str, *, default: bool) -> bool:
    """Return what a variable says, ``default`` where it is not set or says neither yes nor no."""
    text = os.environ.get(name, "").strip().lower()
    return text in _TRUE or (default and text not in _FALSE)


def verify() -> bool | str:
    """Return how certificates are checked where nobody says: a CA file of REQUESTS_CA_BUNDLE, else True.

    ``TAPIS_DEFAULT_VERIFY_SSL=false`` turns the check off.
    """
    if not is_true("TAPIS_DEFAULT_VERIFY_SSL", default=True):
        return False
    variable = ca_variable()
    return os.environ[variable] if variable else True


def ca_variable() -> str | None:
    """Return the variable that names a CA file, or None."""
    return next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)


def _candidates() -> Iterator[Path]:
    package = Path(__file__).parent
    for start in (package, _current_folder()):
        if start is not None:
            yield from (folder / ".env" for folder in (start, *start.parents))
    yield Path(os.path.expanduser("~")) / ".env"


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return None


def _is_trusted(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid in (os.getuid(), *_TRUSTED_OWNERS)


def _set(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        log.warning("%s is not read: %s", path, error)
        return
    for name, value in _pairs(text):
        if name.startswith(_OURS):
            os.environ.setdefault(name, value)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for found in filter(None, map(_LINE.match, text.splitlines())):
        if found["literal"] is not None:
            yield found["name"], found["literal"]
        else:
            yield found["name"], _filled_in(found["quoted"] if found["quoted"] is not None else found["plain"])


def _filled_in(value: str) -> str:
    return _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), value)


def _set_log_level() -> None:
    level = os.environ.get("TAPISPY_LOG_LEVEL") or os.environ.get("TAPIS_PY_LOG_LEVEL")
    if level:
        try:
            log.setLevel(int(level) if level.isdigit() else level.upper())
        except ValueError:
            log.warning("TAPIS_PY_LOG_LEVEL=%r: a level such as DEBUG or WARNING.", level)
