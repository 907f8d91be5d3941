"""Resources found by their uuid alone: its last three digits name the type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import BadRequest, Forbidden, NotFound
from .events import Subject
from .fields import shown

if TYPE_CHECKING:
    from .state import State

KINDS = {
    "001": "profile", "002": "file", "005": "app", "006": "system", "007": "job", "010": "postit", "012": "metadata",
    "013": "schema", "014": "monitor",
}  # fmt: skip
_SERVICES = {
    "profile": "profiles", "file": "files", "app": "apps", "system": "systems", "job": "jobs", "metadata": "meta",
    "schema": "meta", "monitor": "monitors",
}  # fmt: skip


def kind_of(uuid: str) -> str:
    """Return the type of a resource, ``job`` for instance; ``resource`` for one that has no name here."""
    return KINDS.get(uuid.rpartition("-")[2], "resource")


def find(state: State, uuid: str, *, user: str) -> Subject:
    """
    Return the resource of a uuid.

    :raises BadRequest: it is no uuid; NotFound: there is none; Forbidden: it is not the user's to read.
    """
    if "-" not in uuid:
        raise BadRequest(f"Invalid uuid {shown(uuid)}. It ends in a dash and three digits, such as -007 for a job.")
    subject = known(state, uuid)
    if subject is None:
        raise NotFound(f"No resource found matching {uuid}")
    if not subject.allows(user):
        raise Forbidden(f"Permission denied. You do not have permission to read the {kind_of(uuid)} {uuid}")
    return subject


def known(state: State, uuid: str) -> Subject | None:
    """Return the resource of a uuid, whoever may read it; None: there is none."""
    service = state.services.get(_SERVICES.get(kind_of(uuid), ""))
    return service.subject(uuid) if service else None
