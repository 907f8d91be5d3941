"""The description of an actor in a request: read, checked, its defaults filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from . import actor_cron
from .api import BadRequest
from .bodies import parse_json
from .fields import Fields, shown, truth

_FOR_ADMINISTRATORS = ("privileged", "maxWorkers", "maxCpus", "memLimit", "queue", "useContainerUid")
_MOST_WORKERS = 100
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,254}")
_VARIABLE = re.compile(r"[^=\0]{1,255}")


def read(body: Any, *, admin: bool, now: float, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Return the fields of an actor that a request describes, those it leaves out with their defaults.

    :param admin: whether the caller may set what concerns the machine.
    :param now: seconds since the epoch; a schedule begins then or later.
    :param known: the actor that is described anew; its schedule goes on if it stays the same.
    :raises BadRequest: the text starts with ``Invalid actor description:`` and names the field.
    """
    try:
        fields = Fields(body, within="actor")
        if not admin:
            _refuse_privileges(fields)
        return {**_described(fields), **_schedule(fields, known or {}, now)}
    except BadRequest as problem:
        raise BadRequest(f"Invalid actor description: {problem}") from None


def wants_fresh_image(body: Any) -> bool:
    """Return whether an update asks for the image to be looked for again."""
    return truth(body.get("force")) is True


def check_environment(variables: Mapping[str, str]) -> None:
    """:raises BadRequest: no process can be given these variables."""
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise BadRequest(f"No process can be given the variable {shown(name)}: a name without '=', a text.")


def memory_bytes(limit: str) -> int:
    """Return the bytes that a limit such as ``512m`` or ``2g`` allows."""
    digits, unit = limit[:-1], limit[-1]
    return int(digits) << {"k": 10, "m": 20, "g": 30}[unit]


def _described(fields: Fields) -> dict[str, Any]:
    described = {
        "image": _image(fields),
        "name": fields.free_text("name"),
        "description": fields.free_text("description", default=""),
        "type": fields.free_text("type", default="none"),
        "stateless": fields.flag("stateless", default=True),
        "privileged": fields.flag("privileged", default=False),
        "defaultEnvironment": _environment(fields),
        "mounts": [],
        "hints": _hints(fields),
        "token": fields.flag("token", default=True),
        "queue": fields.free_text("queue", default="default"),
        "maxWorkers": _most_workers(fields),
        "memLimit": _memory_limit(fields),
        "maxCpus": fields.get("maxCpus"),
        "useContainerUid": fields.flag("useContainerUid", default=False),
        "uid": str(os.getuid()),
        "gid": str(os.getgid()),
        "logEx": fields.get("logEx"),
        "link": fields.free_text("link", default=""),
        "webhook": _webhook(fields),
    }
    if described["maxWorkers"] and not described["stateless"]:
        raise fields.refusal("maxWorkers", "An actor with a state has one worker: leave it out, or be stateless.")
    return described


def _refuse_privileges(fields: Fields) -> None:
    # A default that a program sends back is no wish.
    asked = [name for name in _FOR_ADMINISTRATORS if fields.get(name) not in (None, "", False, "default")]
    if asked:
        raise fields.refusal(asked[0], "Only privileged users may set it: leave it out, or ask an administrator.")


def _webhook(fields: Fields) -> str:
    url = fields.free_text("webhook") or ""
    if url and not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", url):
        raise fields.refusal("webhook", f"It is an address that begins with http:// or https://; got {shown(url)}.")
    return url


def _schedule(fields: Fields, known: Mapping[str, Any], now: float) -> dict[str, Any]:
    schedule = fields.free_text("cronSchedule") or None
    is_on = fields.flag("cronOn", default=schedule is not None)
    if is_on and schedule is None:
        raise fields.refusal("cronSchedule", "An actor that runs by the clock needs one.")
    if schedule is not None and schedule == known.get("cronSchedule"):
        return {"cronOn": is_on}
    comes = actor_cron.first(schedule, now=now) if schedule else None
    return {"cronOn": is_on, "cronSchedule": schedule, "cronNextEx": comes}


def _image(fields: Fields) -> str:
    image = fields.text("image")
    if not _IMAGE.fullmatch(image):
        raise fields.refusal("image", f"It is a name such as abacosamples/wc:latest; got {shown(image)}.")
    return image


def _environment(fields: Fields) -> dict[str, str]:
    given = fields.get("defaultEnvironment")
    if isinstance(given, str):
        given = parse_json(given.encode()) if given.strip() else {}  # a form field can hold nothing else
    if given is not None and not isinstance(given, Mapping):
        raise fields.refusal("defaultEnvironment", f"It is a JSON object of texts; got {shown(given)}.")
    variables = {name: value if isinstance(value, str) else str(value) for name, value in (given or {}).items()}
    check_environment(variables)
    return variables


def _hints(fields: Fields) -> list[str]:
    given = fields.get("hints")
    return [given] if isinstance(given, str) and given else fields.texts("hints")


def _most_workers(fields: Fields) -> int | None:
    most = fields.whole("maxWorkers", default=0, least=0, digits=True)
    if most > _MOST_WORKERS:
        raise fields.refusal("maxWorkers", f"At most {_MOST_WORKERS} are possible here; got {most}.")
    return most or None


def _memory_limit(fields: Fields) -> str | None:
    limit = (fields.free_text("memLimit") or "").lower()
    if limit and not re.fullmatch(r"[1-9][0-9]{0,6}[kmg]", limit):
        raise fields.refusal("memLimit", f"It is a text such as 512m or 2g; got {shown(limit)}.")
    return limit or None
