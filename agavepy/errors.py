"""Every error of agavepy has one root::

    AgavepyError                        catch this to catch them all
    ├── AgaveError                      used wrongly: a bad argument, no session, a document that is no good
    │   ├── SpecError                   a Swagger document cannot be read or is not valid
    │   ├── UnsafePath                  a path would name another target (also a ValueError)
    │   ├── BodyError                   validate_bodies="error": the body departs from its model (also a ValueError)
    │   ├── UnknownName                 no such service or operation (also an AttributeError)
    │   ├── FileConflict                a file is there already and may not be replaced (also a FileExistsError)
    │   └── TransferError               some files of many did not arrive: ``failures`` says which and why
    ├── AgaveException                  the gateway refused the call: ``args[0]`` is the body it sent
    └── AgaveHTTPError                  the server answered 400 or more (also a requests.exceptions.HTTPError)
        └── GatewayFault                … with a fault of the gateway (also an AgaveException)

A misspelt or missing argument is a plain TypeError; trouble on the network is an exception of requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .http_errors import AgaveHTTPError as AgaveHTTPError
    from .http_errors import GatewayFault as GatewayFault


_LONGEST_SHOWN = 500  # characters of one
_SHOWN_FAILURES = 5


class AgavepyError(Exception):
    """The root of the tree."""


class AgaveError(AgavepyError):
    """agavepy was used in a way that cannot work; the text says what to do."""


class SpecError(AgaveError):
    """A Swagger document cannot be read; the text names the file and, where known, the line."""


class BodyError(AgaveError, ValueError):
    """A body departs from its model and ``validate_bodies="error"`` was asked for."""


class UnsafePath(AgaveError, ValueError):
    """A path parameter would name another target than the one it seems to."""


class UnknownName(AgaveError, AttributeError):
    """There is no such service or operation; the text names the nearest one."""


class FileConflict(AgaveError, FileExistsError):
    """A file is there already, and it may not be replaced."""


class TransferError(AgaveError):
    """Some files of many were not transferred; the others were. ``failures``: address or path → the error."""

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        self.failures = dict(failures)
        first = list(self.failures.items())[:_SHOWN_FAILURES]
        shown = "; ".join(f"{_shown(name)}: {_shown(str(error)).rstrip('.')}" for name, error in first)
        more = len(self.failures) - _SHOWN_FAILURES
        super().__init__(
            f"{len(self.failures)} not transferred: {shown}{f'; and {more} more' if more > 0 else ''}."
            " The same call again goes on with what is missing."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failures,)


def _shown(text: str) -> str:
    """Return what of a text a terminal can show: names may be no text, be endless, or hold a terminal's orders."""
    brief = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in brief)


class AgaveException(AgavepyError):
    """The gateway in front of the services refused the call; ``args[0]`` is the parsed body."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or an empty string."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def __getattr__(name: str) -> Any:
    # These two need requests, which costs more than all the rest of "import agavepy.agave".
    if name in ("AgaveHTTPError", "GatewayFault"):
        from . import http_errors

        return getattr(http_errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
