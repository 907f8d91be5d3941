"""What a job request asks for: read against its app and system, gaps filled in; no files are looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..api import BadRequest, Forbidden
from ..fields import Fields, seconds, shown
from ..wrapper import slug
from .app_description import Item, check_count, check_rules, defaults, typed

_ALIASES = {
    "jobName": "name",
    "softwareName": "appId",
    "queue": "batchQueue",
    "maxMemory": "memoryPerNode",
    "requestedTime": "maxRunTime",
    "processorCount": "processorsPerNode",
}
_OWN_FIELDS = (
    "name", "appId", "executionSystem", "batchQueue", "nodeCount", "processorsPerNode", "memoryPerNode", "maxRunTime",
    "archive", "archiveSystem", "archivePath", "inputs", "parameters", "notifications", "callbackUrl", "dependencies",
)  # fmt: skip

App = Mapping[str, Any]
System = Mapping[str, Any]
Queue = Mapping[str, Any]


def fields_of(body: Any) -> Fields:
    """Return the request's fields under their present names; earlier names are understood."""
    if not isinstance(body, Mapping):
        raise BadRequest(f"Invalid JSON found. A job request is a JSON object; got {shown(body)}.")
    renamed = {_ALIASES[name]: value for name, value in body.items() if name in _ALIASES}
    return Fields({**renamed, **body}, within="job")


def app_id(fields: Fields) -> str:
    """Return the app to run; :raises BadRequest: it is no app id."""
    value = fields.text("appId", longest=80)
    if "-" not in value:
        raise fields.refusal("appId", f"An app id is a name, a dash and a version, such as wc-0.1.0; got {value}.")
    return value


def read(body: Any, fields: Fields, *, app: App, system: System) -> dict[str, Any]:
    """
    Return what the job is to run with: its name, resources, archive wishes, inputs and parameters.

    :param fields: those of ``body``, by :func:`fields_of`.
    :raises BadRequest, Forbidden: a field is missing or breaks a rule of the app or the system.
    """
    _refuse_unserved(fields, system)
    values = _flattened(body, fields)
    asked = {
        "name": fields.text("name", longest=64),
        **_resources(fields, app, system),
        "archive": fields.flag("archive", default=True),
        "archiveSystem": fields.free_text("archiveSystem") or None,
        "archivePath": fields.free_text("archivePath") or None,
        "inputs": _inputs(app, values),
        "parameters": _parameters(app, values),
    }
    check_rules(_given(app, values))
    return asked


def _refuse_unserved(fields: Fields, system: System) -> None:
    if fields.get("dependencies"):
        raise fields.refusal("dependencies", "Job dependencies are not supported.")
    if fields.get("executionSystem") not in (None, "", system["id"]):
        raise Forbidden(f"The app runs on {system['id']}, not on {shown(fields.get('executionSystem'))}.")


# Resources


def _resources(fields: Fields, app: App, system: System) -> dict[str, Any]:
    counts = {
        name: fields.whole(name, default=app[default], digits=True)
        for name, default in (("nodeCount", "defaultNodeCount"), ("processorsPerNode", "defaultProcessorsPerNode"))
    }
    wanted = {
        **counts,
        "memoryPerNode": fields.gigabytes("memoryPerNode", default=app["defaultMemoryPerNode"]),
        "maxRunTime": fields.duration("maxRunTime") or app["defaultMaxRunTime"],
    }
    queue = _queue(fields.free_text("batchQueue") or app["defaultQueue"], wanted, system)
    return {
        "batchQueue": queue["name"],
        **wanted,
        "memoryPerNode": wanted["memoryPerNode"] or max(1.0, float(queue["maxMemoryPerNode"])),
        "maxRunTime": wanted["maxRunTime"] or queue["maxRequestedTime"],
    }


def _queue(name: str | None, wanted: Mapping[str, Any], system: System) -> Queue:
    """Return the named queue, else the system's default one if it fits, else the first that fits."""
    candidates = sorted(system["queues"], key=lambda queue: not queue["default"])
    if name:
        candidates = [queue for queue in candidates if queue["name"] == name]
        if not candidates:
            raise BadRequest(f"No queue found on execution system {system['id']} with name {name}")
    reasons = {queue["name"]: _misfit(wanted, queue) for queue in candidates}
    fitting: Queue | None = next((queue for queue in candidates if not reasons[queue["name"]]), None)
    if fitting is None:
        told = "; ".join(f"{queue}: {reason}" for queue, reason in reasons.items())
        raise BadRequest(f"No queue found on execution system {system['id']} that fits the request. {told}")
    return fitting


def _misfit(wanted: Mapping[str, Any], queue: Queue) -> str:
    """Return why a request does not fit in a queue; empty when it does. A limit of -1 is none."""
    limits = (
        ("nodeCount", "maxNodes"), ("processorsPerNode", "maxProcessorsPerNode"), ("memoryPerNode", "maxMemoryPerNode"),
    )  # fmt: skip
    for field, limit in limits:
        if wanted[field] and 0 <= queue[limit] < wanted[field]:
            return f"{field} {wanted[field]} is above {limit} {queue[limit]}"
    longest = queue["maxRequestedTime"]
    if wanted["maxRunTime"] and longest and seconds(wanted["maxRunTime"]) > seconds(longest):
        return f"maxRunTime {wanted['maxRunTime']} is above maxRequestedTime {longest}"
    return ""


# Inputs and parameters


def _flattened(body: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return every value by its id: ids may stand in inputs, in parameters or beside the job's own fields."""
    values = {name: value for name, value in body.items() if name not in (*_OWN_FIELDS, *_ALIASES)}
    for group in ("inputs", "parameters"):
        given = fields.get(group) or {}
        if not isinstance(given, Mapping):
            raise fields.refusal(group, f"It is an object of ids and values; got {shown(given)}.")
        values.update(given)
    return values


def _inputs(app: App, values: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {}
    for item in app["inputs"]:
        uris = _values(item, values, read_one=_uri, missing=f"No input specified for {item['id']}")
        if uris:
            found[item["id"]] = uris
    return found


def _parameters(app: App, values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for item in app["parameters"]:
        kept = _values(item, values, read_one=typed, missing=f"No input parameter specified for {item['id']}")
        if kept:
            found[item["id"]] = kept[0] if len(kept) == 1 else kept
    return found


def _uri(value: Any, item: Item) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"Invalid value for {item['id']}. An input is an address or a path; got {shown(value)}.")
    return value


def _values(item: Item, values: Mapping[str, Any], *, read_one: Callable[[Any, Item], Any], missing: str) -> list[Any]:
    """Return the checked values of an item. A visible item takes none of its defaults: those are for forms."""
    given = _as_list(values.get(item["id"]))
    if not item["value"]["visible"]:
        if given:
            raise BadRequest(f"Invalid value for {item['id']}. It is not visible and cannot be set by a job.")
        return defaults(item)
    if not given:
        if item["value"]["required"]:
            raise BadRequest(missing)
        return []
    check_count(item, given)
    return [read_one(value, item) for value in given]


def _given(app: App, values: Mapping[str, Any]) -> Iterator[tuple[Item, list[Any]]]:
    for item in (*app["inputs"], *app["parameters"]):
        if item["value"]["visible"]:
            yield item, _as_list(values.get(item["id"]))


def _as_list(value: Any) -> list[Any]:
    """Return the values of an array, or of a text that separates them by semicolons."""
    if isinstance(value, list):
        return [one for one in value if one is not None]
    if isinstance(value, str):
        return [part for part in value.split(";") if part.strip()]
    return [] if value is None else [value]


# The archive


def archive_path(path: str, *, job: Mapping[str, Any], system: System, tenant_id: str) -> str:
    """Return an archivePath with its macros replaced; unknown ones stay."""
    values = {
        "JOB_ID": job["id"],
        "JOB_NAME": slug(job["name"]),
        "APP_ID": job["appId"],
        "EXECUTION_SYSTEM": job["executionSystem"],
        "BATCH_QUEUE": job["batchQueue"],
        "JOB_NODE_COUNT": job["nodeCount"],
        "JOB_PROCESSORS_PER_NODE": job["processorsPerNode"],
        "JOB_MEMORY_PER_NODE": job["memoryPerNode"],
        "JOB_CREATED_TIME": job["created"],
        "JOB_OWNER": job["owner"],
        "ARCHIVE_SYSTEM": system["id"],
        "TENANT_ID": tenant_id,
    }
    return re.sub(r"\$\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), path)
