"""What a system description must say: read once, checked field by field, with every secret left behind.

:func:`read` takes the body of systems.add and systems.update and gives the fields that are kept.
"""

from __future__ import annotations

import re
from typing import Any

from ..fields import Fields, shown

NO_LIMIT = 2147483647

_STATUSES = ("UP", "DOWN", "UNKNOWN", "MAINTENANCE")
_PROTOCOLS = ("GRIDFTP", "FTP", "SFTP", "IRODS", "IRODS4", "LOCAL", "AZURE", "S3", "SWIFT", "HTTP", "HTTPS")
_IRODS = ("IRODS", "IRODS4")
_LOGIN_PROTOCOLS = ("API", "SSH", "GSISSH", "LOCAL")
_AUTH_TYPES = ("TOKEN", "KERBEROSE", "PASSWORD", "X509", "LOCAL", "SSHKEYS", "PAM", "APIKEYS", "ANONYMOUS")
_AUTH_SERVERS = ("MYPROXY", "OA4MP")
_AUTH_NEEDS = {
    "PASSWORD": ("username", "password"),
    "SSHKEYS": ("username", "publicKey", "privateKey"),
    "APIKEYS": ("publicKey", "privateKey"),
}
_SECRETS = ("username", "password", "publicKey", "privateKey", "credential")
_BATCH = ("LSF", "LOADLEVELER", "PBS", "SGE", "COBALT", "TORQUE", "MOAB", "SLURM")
_SCHEDULERS = {
    "CLI": ("FORK",),
    "ATMOSPHERE": ("FORK",),
    "CONDOR": ("CONDOR", "CUSTOM_CONDOR"),
    "HPC": (*_BATCH, *(f"CUSTOM_{name}" for name in _BATCH)),
}
# Words of the classic server's addresses, one of them misspelt there too.
_RESERVED_IDS = ("execution", "storage", "authentication", "vizualization", "instrument")


def read(body: Any) -> dict[str, Any]:
    """
    Return the fields of a system as they are kept: defaults filled in, user names, passwords and keys left out.

    :raises BadRequest: a field is missing or breaks its rule; the message names it.
    """
    fields = Fields(body, within="system")
    kind = fields.choice("type", ("STORAGE", "EXECUTION"))
    return {
        "id": check_id(fields.text("id"), fields),
        "name": fields.text("name", longest=64),
        "type": kind,
        "site": _optional_text(fields, "site"),
        "status": fields.choice("status", _STATUSES) if fields.get("status") is not None else "UP",
        "description": fields.free_text("description"),
        "storage": _storage(_required(fields, "storage"), kind),
        **(_execution(fields) if kind == "EXECUTION" else {}),
    }


def check_id(value: str, fields: Fields) -> str:
    """Return a system id that may be used; :raises BadRequest: otherwise."""
    if not re.fullmatch(r"[0-9a-zA-Z.-]{1,64}", value) or not value.strip("."):
        raise fields.refusal("id", f"It has at most 64 letters, digits, dots and dashes; got {shown(value)}.")
    if value.lower() in _RESERVED_IDS:
        raise fields.refusal("id", f"Reserved are {', '.join(_RESERVED_IDS)}; got {value}.")
    return value


# Storage


def _storage(storage: Fields, kind: str) -> dict[str, Any]:
    protocol = storage.choice("protocol", _PROTOCOLS)
    return {
        "protocol": protocol,
        "host": storage.text("host"),
        "port": _port(storage, required=protocol != "LOCAL"),
        "rootDir": _folder(storage, "rootDir") or "/",
        "homeDir": _folder(storage, "homeDir"),
        "proxy": _proxy(storage),
        "auth": _auth(storage, required=protocol != "LOCAL"),
        **({"publicAppsDir": _folder(storage, "publicAppsDir")} if kind == "STORAGE" else {}),
        **_of_protocol(storage, protocol),
    }


def _of_protocol(storage: Fields, protocol: str) -> dict[str, Any]:
    """Return the fields that only some protocols have."""
    kept: dict[str, Any] = {"mirror": storage.flag("mirror", default=False)}
    if protocol in _IRODS:
        return kept | {"zone": storage.text("zone"), "resource": storage.text("resource")}
    for name in ("zone", "resource", "mirror"):
        if storage.get(name) and kept.get(name, True):
            raise storage.refusal(name, f"It belongs to the protocols {' and '.join(_IRODS)}, not to {protocol}.")
    return kept | ({"container": storage.text("container")} if storage.get("container") is not None else {})


def _folder(storage: Fields, name: str) -> str | None:
    path = _optional_text(storage, name)
    if path is not None and ".." in path.split("/"):
        raise storage.refusal(name, f"It may not have '..' in it; got {shown(path)}.")
    return path


def _proxy(parent: Fields) -> dict[str, Any] | None:
    if parent.get("proxy") is None:
        return None
    proxy = parent.object("proxy")
    return {"name": proxy.free_text("name"), "host": proxy.text("host"), "port": _port(proxy, required=False)}


# Logins


def _auth(parent: Fields, *, required: bool) -> dict[str, Any]:
    if parent.get("auth") is None and not required:
        return {"type": "LOCAL"}
    return check_credential(_required(parent, "auth", secret=True))


def check_credential(auth: Fields) -> dict[str, Any]:
    """Return what is kept of a credential: its type, and the server it comes from; :raises BadRequest: it lacks one."""
    kind = auth.choice("type", _AUTH_TYPES)
    _check_secrets(auth, kind)
    if auth.get("server") is None:
        return {"type": kind}
    return {"type": kind, "server": _auth_server(_required(auth, "server", secret=True))}


def _check_secrets(auth: Fields, kind: str) -> None:
    needed = _AUTH_NEEDS.get(kind, ())
    for name in needed:
        # Not by Fields.text, which would show a wrong value.
        if not isinstance(auth.get(name), str) or not auth.get(name).strip():
            raise auth.refusal(name, f"The type {kind} needs it, a text that is not empty.")
    for name in _SECRETS if kind == "PASSWORD" else ():
        if name not in needed and auth.get(name):
            raise auth.refusal(name, f"It does not go with the type {kind}.")
    if kind == "X509" and not auth.get("credential") and not auth.get("server"):
        raise auth.refusal("credential", "The type X509 needs it, or 'server'.")


def _auth_server(server: Fields) -> dict[str, Any]:
    return {
        "name": server.free_text("name"),
        "endpoint": server.text("endpoint"),
        "port": _port(server, required=True),
        "protocol": server.choice("protocol", _AUTH_SERVERS),
    }


def _login(login: Fields) -> dict[str, Any]:
    protocol = login.choice("protocol", _LOGIN_PROTOCOLS)
    return {
        "protocol": protocol,
        "host": login.text("host") if protocol != "LOCAL" or login.get("host") is not None else "localhost",
        "port": _port(login, required=protocol != "LOCAL"),
        "proxy": _proxy(login),
        "auth": _auth(login, required=protocol != "LOCAL"),
    }


# Execution


def _execution(fields: Fields) -> dict[str, Any]:
    kind = fields.choice("executionType", tuple(_SCHEDULERS))
    return {
        "executionType": kind,
        "scheduler": _scheduler(fields, kind),
        "environment": fields.free_text("environment"),
        "startupScript": fields.free_text("startupScript"),
        "maxSystemJobs": fields.whole("maxSystemJobs", default=NO_LIMIT, digits=True),
        "maxSystemJobsPerUser": fields.whole("maxSystemJobsPerUser", default=NO_LIMIT, digits=True),
        "workDir": _with_slash(fields, "workDir"),
        "scratchDir": _with_slash(fields, "scratchDir"),
        "queues": _queues(fields, kind),
        "login": _login(_required(fields, "login")),
    }


def _scheduler(fields: Fields, kind: str) -> str:
    choices = _SCHEDULERS[kind]
    return choices[0] if fields.get("scheduler") is None and len(choices) == 1 else fields.choice("scheduler", choices)


def _with_slash(fields: Fields, name: str) -> str:
    path = fields.free_text(name) or ""
    return path if not path or path.endswith("/") else f"{path}/"


def _queues(fields: Fields, kind: str) -> list[dict[str, Any]]:
    queues = [_queue(queue) for queue in fields.objects("queues")]
    if not queues and kind in ("HPC", "CONDOR"):
        raise fields.refusal("queues", f"A system of executionType {kind} needs at least one.")
    queues = queues or [_queue(Fields({"name": "default"}, within="queue"))]
    if len({queue["name"] for queue in queues}) < len(queues):
        raise fields.refusal("queues", "Two of them have the same name.")
    return _with_one_default(queues, fields)


def _queue(queue: Fields) -> dict[str, Any]:
    return {
        "name": queue.text("name", longest=128),
        "mappedName": queue.free_text("mappedName"),
        "default": queue.flag("default", default=False),
        "description": queue.free_text("description"),
        "maxJobs": _limit(queue, "maxJobs"),
        "maxUserJobs": _limit(queue, "maxUserJobs"),
        "maxNodes": _limit(queue, "maxNodes"),
        "maxProcessorsPerNode": _limit(queue, "maxProcessorsPerNode"),
        "maxMemoryPerNode": _memory(queue),
        "maxRequestedTime": queue.duration("maxRequestedTime") or "999:59:59",
        "customDirectives": queue.free_text("customDirectives"),
    }


def _with_one_default(queues: list[dict[str, Any]], fields: Fields) -> list[dict[str, Any]]:
    defaults = [queue for queue in queues if queue["default"]]
    if len(defaults) > 1:
        raise fields.refusal("queues", f"One can be the default; here are {len(defaults)}.")
    (defaults or queues)[0]["default"] = True
    return queues


def _limit(queue: Fields, name: str) -> int:
    """Return a positive number; -1, also when it is absent, is no limit."""
    if queue.get(name) in (-1, "-1"):
        return -1
    return queue.whole(name, default=-1, digits=True)


def _memory(queue: Fields) -> float:
    """Return GB; -1, also when it is absent, is no limit."""
    if queue.get("maxMemoryPerNode") in (-1, "-1"):
        return -1
    size = queue.gigabytes("maxMemoryPerNode", default=-1) or -1
    return int(size) if size == int(size) else size


# Fields


def _required(parent: Fields, name: str, *, secret: bool = False) -> Fields:
    value = parent.get(name)
    if not isinstance(value, dict):
        got = "" if secret else f"; got {shown(value)}"
        raise parent.refusal(name, f"Please provide a JSON object{got}.")
    return parent.object(name)


def _optional_text(fields: Fields, name: str) -> str | None:
    return None if fields.get(name) is None else fields.text(name)


def _port(fields: Fields, *, required: bool) -> int | None:
    if fields.get("port") is None:
        if required:
            raise fields.refusal("port", "Please provide a positive whole number.")
        return None
    port = fields.whole("port", default=0, digits=True)
    if port > 65535:
        raise fields.refusal("port", f"Ports end at 65535; got {port}.")
    return port
