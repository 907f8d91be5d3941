"""How jobs are shown: whole, in brief, their permissions and outputs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import links, media, pems
from ..api import Call, Listing
from ..clock import iso
from ..job_outputs import JobOutputs
from . import notification_records

Job = dict[str, Any]

_RIGHTS = ("read", "write")
_SHOWN = (
    "id", "name", "owner", "appId", "executionSystem", "batchQueue", "nodeCount", "processorsPerNode", "memoryPerNode",
    "maxRunTime", "archive", "retries", "localId", "created", "lastUpdated", "lastModified", "outputPath", "status",
    "submitTime", "startTime", "endTime", "inputs", "parameters",
)  # fmt: skip
_SUMMARY = ("id", "name", "owner", "executionSystem", "appId", "created", "status", "startTime", "endTime")
SEARCH = {
    **{name.lower(): name for name in (*_SHOWN, "archivePath", "archiveSystem", "visible")},
    "errormessage": "message",
}


def listing(jobs: Iterable[Job], call: Call) -> Listing:
    """Return the listing of jobs, with the fields it can be searched by."""
    return Listing(jobs, lambda job: summary(job, call), lambda job: full(job, call), SEARCH)


def summary(job: Job, call: Call) -> Job:
    both = _links(job, call)
    return {**{name: job[name] for name in _SUMMARY}, "_links": {name: both[name] for name in ("self", "archiveData")}}


def full(job: Job, call: Call) -> Job:
    shown = {name: job[name] for name in _SHOWN}
    if job["archive"]:
        shown |= {name: job[name] for name in ("archivePath", "archiveSystem")}
    if job["message"] is not None:
        shown["message"] = job["message"]
    return {**shown, "_links": _links(job, call)}


def submitted(job: Job, notifications: list[dict[str, Any]], call: Call) -> Job:
    record = full(job, call)
    shown = [notification_records.embedded(each) for each in notifications]
    return {**record, "notifications": shown, "_links": record.pop("_links")}


def _links(job: Job, call: Call) -> dict[str, Any]:
    address = f"jobs/v2/{job['id']}"
    found = {
        "self": call.link(address),
        "app": call.link(f"apps/v2/{_quoted(job['appId'])}"),
        "executionSystem": call.link(f"systems/v2/{job['executionSystem']}"),
        "archiveData": call.link(_data_address(job)),
        "owner": call.link(f"profiles/v2/{_quoted(job['owner'])}"),
        "permissions": call.link(f"{address}/pems"),
        "history": call.link(f"{address}/history"),
        "metadata": links.metadata(call, job["id"]),
        "notifications": call.link(f"notifications/v2/?associatedUuid={job['id']}"),
    }
    return {**found, "archiveSystem": call.link(f"systems/v2/{job['archiveSystem']}")} if job["archive"] else found


def _data_address(job: Job) -> str:
    if job["archived"] and job["status"] == "FINISHED":
        return f"files/v2/listings/system/{job['archiveSystem']}/{quote(job['archivePath'])}"
    return f"jobs/v2/{job['id']}/outputs/listings"


def permission(job: Job, username: str, word: str, call: Call) -> Job:
    address = f"jobs/v2/{job['id']}"
    return {
        "username": username,
        "internalUsername": None,
        "permission": pems.acl(word, rights=_RIGHTS),
        "_links": {
            "self": call.link(f"{address}/pems/{_quoted(username)}"),
            "parent": call.link(address),
            "profile": call.link(f"profiles/v2/{_quoted(username)}"),
        },
    }


def output(place: Path, outputs: JobOutputs, call: Call) -> Job | None:
    """Return an element of an outputs listing; None for a file that is gone already, or a link to nothing."""
    try:
        facts = place.stat()
    except FileNotFoundError:
        return None
    folder = stat.S_ISDIR(facts.st_mode)
    path = f"/{place.relative_to(outputs.root)}" if place != outputs.root else "/"
    address = f"jobs/v2/{outputs.job['id']}"
    return {
        "name": place.name,
        "path": path,
        "lastModified": iso(facts.st_mtime),
        "length": facts.st_size,
        "permission": "NONE",
        "mimeType": media.FOLDER if folder else media.type_of(place.name),
        "format": "folder" if folder else "unknown",
        "type": "dir" if folder else "file",
        "_links": {
            "self": call.link(f"{address}/outputs/media{quote(os.fsencode(path))}"),
            "system": call.link(f"systems/v2/{outputs.system_id}"),
            "parent": call.link(address),
        },
    }


def _quoted(segment: str) -> str:
    return quote(segment, safe="")
