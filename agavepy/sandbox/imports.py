"""Where imported data comes from: URIs read and told apart."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Callable

from .api import BadRequest

_UNNAMED = "unknown"


@dataclasses.dataclass(frozen=True)
class TenantFile:
    """A file or folder of this tenant. ``system_id`` empty: the user's default storage system."""

    system_id: str
    path: str  # as in the files service: a leading slash means from rootDir

    @property
    def name(self) -> str:
        """The last name of the path."""
        return base_name(self.path)


@dataclasses.dataclass(frozen=True)
class JobOutput:
    """A file or folder among the outputs of a job of this tenant."""

    job_id: str
    path: str

    @property
    def name(self) -> str:
        """The last name of the path."""
        return base_name(self.path)


@dataclasses.dataclass(frozen=True)
class WebFile:
    """A file of somebody else's, by http or https."""

    url: str

    @property
    def name(self) -> str:
        """The last part of the URL's path, decoded; ``unknown`` when it has none."""
        return base_name(_decoded(urllib.parse.urlsplit(self.url).path))


Source = TenantFile | JobOutput | WebFile


def base_name(path: str) -> str:
    """Return the last name of a path, a trailing slash aside; ``unknown`` when it has none."""
    name = path.rstrip("/").rpartition("/")[2]
    return _UNNAMED if name in ("", ".", "..") else name


def read(uri: str, *, base_url: str) -> Source:
    """
    Return what a URI names.

    ``agave://system/path`` is relative to the system's homeDir, ``agave://system//path`` to its rootDir, and
    ``agave:///path`` lies on the default storage system. ``%XX`` is decoded once; ``#`` and ``?`` mean themselves.
    Text without a scheme is a path on the default storage system, taken as it is.

    :param base_url: of this tenant, whose own files and job outputs need no download.
    :raises BadRequest: no URI, or of a scheme that is not read.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return TenantFile("", _required(uri, uri))
    if scheme.lower() == "agave":
        system_id, _, path = rest.partition("/")
        return TenantFile(system_id, _decoded(path))
    if scheme.lower() not in ("http", "https"):
        raise BadRequest(f"No valid URL specified: '{scheme}' is not among agave, http and https.")
    return _own(uri, base_url) or _web(uri)


def without_password(uri: str) -> str:
    """Return the URI as it may be shown: user name and password of the web left out."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if separator else uri


def is_own(url: str, base_url: str) -> bool:
    """Return whether a URL is one of this tenant, by whichever of its names."""
    try:
        parts, own = urllib.parse.urlsplit(url), urllib.parse.urlsplit(base_url)
    except ValueError:
        return False
    return (parts.scheme.lower(), _host_and_port(parts.netloc)) == (own.scheme.lower(), _host_and_port(own.netloc))


def _own(uri: str, base_url: str) -> Source | None:
    """Return what a URL of this tenant names; None for any other URL."""
    if not is_own(uri, base_url):
        return None
    path = urllib.parse.urlsplit(uri).path.removeprefix(urllib.parse.urlsplit(base_url).path.rstrip("/"))
    for prefix, read_rest in _OWN.items():
        if path.startswith(prefix):
            return read_rest(path.removeprefix(prefix))
    raise BadRequest(f"No valid URL specified: {without_password(uri)} is no file and no job output of this tenant.")


def _host_and_port(netloc: str) -> str:
    """Return host and port, without user name, the names of this machine made one."""
    found = netloc.rpartition("@")[2].lower()
    for name in ("localhost", "[::1]"):
        if found == name or found.startswith(f"{name}:"):
            return "127.0.0.1" + found.removeprefix(name)
    return found


def _on_system(rest: str) -> Source:
    system_id, _, path = rest.partition("/")
    return TenantFile(_decoded(system_id), _decoded(path))


def _of_job(rest: str) -> Source:
    job_id, _, path = rest.partition("/")
    for prefix in ("outputs/media", "outputs/listings"):
        if path == prefix or path.startswith(f"{prefix}/"):
            return JobOutput(_decoded(job_id), _decoded(path.removeprefix(prefix).lstrip("/")))
    raise BadRequest(f"No valid URL specified: jobs/v2/{rest} is no output of a job.")


_OWN: dict[str, Callable[[str], Source]] = {
    "/files/v2/media/system/": _on_system,
    "/files/v2/media/": lambda rest: TenantFile("", _decoded(rest)),
    "/jobs/v2/": _of_job,
}


def _web(uri: str) -> WebFile:
    try:
        host = urllib.parse.urlsplit(uri).hostname
    except ValueError as problem:
        raise BadRequest(f"No valid URL specified: {problem}.") from problem
    if not host:
        raise BadRequest("No valid URL specified: it names no host.")
    return WebFile(uri)


def _decoded(path: str) -> str:
    return urllib.parse.unquote(path, errors="surrogateescape")


def _required(path: str, uri: str) -> str:
    if not path.strip():
        raise BadRequest(f"No valid URL specified; got {uri!r}.")
    return path
