"""What passes between the HTTP front and the services: calls in, replies, listings and streams out, errors."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "NOTHING"})()


class Call(NamedTuple):
    """Who asks for what; the parameters of the YAML travel beside it as keywords."""

    user: str
    operation: str  # "files.list"
    base_url: str  # "https://127.0.0.1:4567", for _links
    query: Mapping[str, str] = types.MappingProxyType({})  # as sent, declared or not
    admin: bool = False
    looks_only: bool = False  # a HEAD: what a GET takes away stays
    is_brief: bool = False  # everybody waits for it: whoever finds that it will take long raises TakesLong
    key: str = ""  # what the caller showed in place of a token; the service decides how far it goes

    def link(self, path: str) -> dict[str, str]:
        """Return the HAL link of a path of this tenant, ``path`` without a leading slash."""
        return {"href": f"{self.base_url}/{path}"}


@dataclasses.dataclass
class Reply:
    """A result with what a plain document cannot say.

    ``outcome`` is "ok", "created" or "accepted"; empty means the first success the YAML declares.
    """

    result: Any = NOTHING
    outcome: str = ""
    message: str | None = None
    digest: str = ""  # of the file that was stored, as a header carries it


@dataclasses.dataclass
class Listing:
    """The documents a list operation found; the front searches, pages and projects them.

    ``documents`` are the caller's to see, in their final order. ``summary`` makes the element of a list,
    ``full`` the whole object, which ``filter=`` asks for. ``search`` maps a search term, in lower case, to the
    dotted path of its field in a document; None: this listing has no search.
    """

    documents: Iterable[dict[str, Any]]
    summary: Callable[[dict[str, Any]], dict[str, Any]]
    full: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    search: Mapping[str, str] | None = None


@dataclasses.dataclass
class Page:
    """Elements a service has already paged by its own rule: the front only projects them."""

    elements: list[dict[str, Any]]


@dataclasses.dataclass
class Upload:
    """A file part that has arrived whole. The service moves ``path`` where it belongs."""

    file_name: str
    path: Path
    size_bytes: int
    checksums: Mapping[str, str]  # by the names of their algorithms, as headers carry them


@dataclasses.dataclass
class Download:
    """A file to stream, with ranges; one made for this answer alone is forgotten afterwards."""

    path: Path
    name: str
    mime_type: str
    is_temporary: bool = False


@dataclasses.dataclass
class Octets:
    """Bytes that go back as they are, without an envelope."""

    data: bytes


class TakesLong(Exception):
    """A call of a brief operation that is none; nothing has happened yet. It is repeated where it holds nobody up."""


class ApiError(Exception):
    """A refusal; its class says why, its text is the message the caller reads."""


class BadRequest(ApiError):
    """The request cannot be understood or breaks a rule."""


class Unauthorized(ApiError):
    """Forbidden, said the old way: some Agave resources answer 401 with the envelope."""


class Forbidden(ApiError):
    """The caller may not do this."""


class NotFound(ApiError):
    """There is no such thing, or none the caller may know of."""


class Unreachable(ApiError):
    """A system behind the service cannot be reached or is not up."""


class Unsupported(ApiError):
    """The service does not do this."""


class TooLarge(ApiError):
    """The request is bigger than the tenant accepts."""


class NoSpace(ApiError):
    """The disk has no room for it."""
