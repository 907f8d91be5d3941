"""What a uuid stands for: its last three digits name the kind of resource, the tenant knows the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from . import pems
from .api import ApiError
from .services.file_answers import address

if TYPE_CHECKING:
    from .services.apps import Apps
    from .services.files import Files
    from .services.jobs import Jobs
    from .services.meta import Meta
    from .state import State


@dataclasses.dataclass(frozen=True)
class Resource:
    """A resource as one user knows it."""

    uuid: str
    kind: str  # "file", "job", "metadata"; also the title of links to it
    path: str  # of its address on this tenant, without a leading slash
    readable: bool  # whether the user may read it


def find(state: State, uuid: str, user: str) -> Resource | None:
    """Return the resource a uuid stands for, whoever may read it; None when the tenant has none."""
    finder = _FINDERS.get(uuid.rpartition("-")[2])
    try:
        return finder(state, uuid, user) if finder else None
    except ApiError:  # its system is gone, or its path leads elsewhere by now
        return None


def _profile(state: State, uuid: str, user: str) -> Resource | None:
    profiles = (each["profile"] for each in state.store.all("user"))
    name = next((each["username"] for each in profiles if each["uuid"] == uuid), None)
    return Resource(uuid, "profile", f"profiles/v2/{_quoted(name)}", True) if name else None


def _file(state: State, uuid: str, user: str) -> Resource | None:
    files = cast("Files", state.services["files"])
    target = files.target_of(uuid, user)
    if target is None or not target.real.exists():
        return None
    readable = pems.allows(files.permission_of(user, target.system, target.path), "read")
    return Resource(uuid, "file", f"files/v2/media/system/{address(target)}", readable)


def _app(state: State, uuid: str, user: str) -> Resource | None:
    found = state.store.by_uuid("app", uuid)
    if found is None:
        return None
    word = cast("Apps", state.services["apps"]).permission_of(user, found[1])
    return Resource(uuid, "app", f"apps/v2/{_quoted(found[0])}", pems.allows(word, "read"))


def _system(state: State, uuid: str, user: str) -> Resource | None:
    found = state.store.by_uuid("system", uuid)
    if found is None or found[1]["deleted"]:
        return None
    readable = state.systems.role_of(found[1], user) != "NONE"
    return Resource(uuid, "system", f"systems/v2/{_quoted(found[0])}", readable)


def _job(state: State, uuid: str, user: str) -> Resource | None:
    job = state.store.get("job", uuid)
    if job is None or not job["visible"]:
        return None
    readable = cast("Jobs", state.services["jobs"]).may_read(job, user)
    return Resource(uuid, "job", f"jobs/v2/{uuid}", readable)


def _metadata(state: State, uuid: str, user: str) -> Resource | None:
    readable = cast("Meta", state.services["meta"]).may_read(uuid, user)
    folder, kind = ("schemas", "schema") if uuid.endswith("-013") else ("data", "metadata")
    return None if readable is None else Resource(uuid, kind, f"meta/v2/{folder}/{uuid}", readable)


def _quoted(segment: str) -> str:
    return quote(segment, safe="")


_FINDERS: dict[str, Callable[[State, str, str], Resource | None]] = {
    "001": _profile,
    "002": _file,
    "005": _app,
    "006": _system,
    "007": _job,
    "012": _metadata,
    "013": _metadata,
}
