"""The values that ``${NAME}`` stands for in the address of a notification, by the type of the resource."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Document = Mapping[str, Any]
Values = dict[str, Any]

_JOB = {
    "id": ("JOB_ID",),
    "name": ("JOB_NAME",),
    "status": ("JOB_STATUS",),
    "owner": ("JOB_OWNER",),
    "message": ("JOB_ERROR",),
    "appId": ("JOB_APP_ID", "APP_ID", "JOB_APPID"),
    "executionSystem": ("JOB_SYSTEM", "JOB_EXECUTION_SYSTEM"),
    "batchQueue": ("JOB_BATCH_QUEUE",),
    "nodeCount": ("JOB_NODE_COUNT",),
    "processorsPerNode": ("JOB_PROCESSORS_PER_NODE",),
    "memoryPerNode": ("JOB_MEMORY_PER_NODE",),
    "maxRunTime": ("JOB_MAX_RUNTIME",),
    "created": ("JOB_CREATED",),
    "submitTime": ("JOB_SUBMIT_TIME", "JOB_SUBMITTIME"),
    "startTime": ("JOB_START_TIME", "JOB_STARTTIME"),
    "endTime": ("JOB_END_TIME", "JOB_ENDTIME"),
    "archive": ("JOB_ARCHIVE",),
    "archiveSystem": ("JOB_ARCHIVE_SYSTEM",),
    "archivePath": ("JOB_ARCHIVE_PATH",),
    "outputPath": ("JOB_OUTPUT_PATH",),
    "localId": ("JOB_LOCAL_ID",),
    "inputs": ("JOB_INPUTS",),
    "parameters": ("JOB_PARAMETERS",),
}
_MONITOR = {
    "target": ("TARGET", "SYSTEM"),
    "frequency": ("FREQUENCY",),
    "active": ("ACTIVE",),
    "lastSuccess": ("LAST_SUCCESS",),
    "nextUpdate": ("NEXT_CHECK",),
}
_POSTIT = {
    "postit": ("POSTIT", "NONCE"),
    "url": ("TARGET_URL",),
    "method": ("TARGET_METHOD",),
    "remainingUses": ("REMAINING_USES",),
    "expires": ("EXPIRES",),
    "renewed": ("RENEWED",),
    "created": ("CREATED",),
}
_FILE = {
    "name": ("NAME",),
    "path": ("PATH",),
    "source": ("SOURCE",),
    "format": ("FORMAT",),
    "type": ("TYPE",),
    "systemId": ("SYSTEM",),
    "uuid": ("FILE_ID",),
}
_SYSTEM = {
    "name": ("NAME",),
    "status": ("STATUS",),
    "type": ("TYPE",),
    "public": ("PUBLIC",),
    "available": ("AVAILABLE",),
    "globalDefault": ("GLOBAL_DEFAULT",),
}


def values_of(
    kind: str, resource: Document, *, uuid: str, event: str, owner: str, tenant_id: str, further: Mapping[str, str]
) -> dict[str, str]:
    """
    Return macro name → text.

    :param kind: of the resource, as ``job``.
    :param resource: as the event's listeners get it; one that tells of a job as well holds both, each under its kind.
    :param owner: of the notification, should the resource have none.
    :param further: macros of the event itself.
    """
    together = {name: resource[name] for name in _GROUPS if isinstance(resource.get(name), Mapping)}
    found: Values = {"UUID": uuid, "EVENT": event, "OWNER": resource.get("owner") or owner, "RAW_JSON": resource}
    for name, document in (together if kind in together else {kind: resource, **together}).items():
        if name in _GROUPS:
            found |= _GROUPS[name](document)
    if "JOB_ID" in found:
        found["JOB_TENANT"] = tenant_id
    return {name: _text(value) for name, value in {**found, **further}.items()}


def of_permission(username: str, word: str, *, changed: str) -> dict[str, str]:
    """Return the macros of an event that changes a permission; ``changed``: when, as ISO 8601."""
    pem = {"username": username, "permission": word, "lastUpdated": changed}
    return {f"PERMISSION_{name.upper()}": value for name, value in pem.items()} | {"PERMISSION_JSON": _text(pem)}


def of_role(username: str, role: str) -> dict[str, str]:
    """Return the macros of an event that changes a role on a system."""
    return {"ROLE_USERNAME": username, "ROLE_ROLE": role}


def _job(job: Document) -> Values:
    links = {"JOB_URL": _link(job, "self"), "JOB_ARCHIVE_URL": _link(job, "archiveData")}
    return {**_named(job, _JOB), **links, "JOB_JSON": job}


def _file(file: Document) -> Values:
    every = {f"FILE_{name.upper()}": value for name, value in file.items() if name != "_links"}
    return {**every, **_named(file, _FILE), "FILE_URL": _link(file, "self"), "FILE_JSON": file}


def _system(system: Document) -> Values:
    found = {**_scalars("SYSTEM", system), **_named(system, _SYSTEM)}
    for side in ("storage", "login"):
        found |= _scalars(side.upper(), system.get(side) or {})
    return {**found, "SYSTEM_URL": _link(system, "self"), "SYSTEM_JSON": system}


def _app(app: Document) -> Values:
    return {**_scalars("APP", app), "APP_URL": _link(app, "self"), "APP_JSON": app}


def _metadata(item: Document) -> Values:
    every = {f"METADATA_{name.upper()}": value for name, value in item.items() if name != "_links"}
    return {**every, "METADATA_ID": item.get("uuid")}


def _monitor(monitor: Document) -> Values:
    last = monitor.get("lastCheck") or {}
    told = {"LAST_RESULT": "result", "LAST_MESSAGE": "message", "LAST_CHECK_ID": "id"}
    return {**_named(monitor, _MONITOR), **{name: last.get(field) for name, field in told.items()}}


def _postit(postit: Document) -> Values:
    return _named(postit, _POSTIT)


_GROUPS: dict[str, Callable[[Document], Values]] = {
    "job": _job,
    "file": _file,
    "system": _system,
    "app": _app,
    "metadata": _metadata,
    "monitor": _monitor,
    "postit": _postit,
}


def _named(document: Document, names: Mapping[str, tuple[str, ...]]) -> Values:
    return {macro: document.get(field) for field, macros in names.items() for macro in macros}


def _scalars(prefix: str, document: Document) -> Values:
    """Return PREFIX_FIELD_NAME → value of every field that holds no other fields."""
    plain = {name: value for name, value in document.items() if not isinstance(value, Mapping | list)}
    return {f"{prefix}_{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).upper()}": plain[name] for name in plain}


def _link(document: Document, name: str) -> str:
    return str(((document.get("_links") or {}).get(name) or {}).get("href", ""))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
