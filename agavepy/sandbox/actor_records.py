"""Actors and what belongs to them, as Abaco writes them: links are plain texts, what is null is left out."""

from __future__ import annotations

import secrets
import string
from typing import Any

from .api import Call

Document = dict[str, Any]

_ID_LENGTH = 13  # of the platform's hashids
_INTERNAL = ("workers", "number")  # fields of documents that nobody is shown
_BRIEF = ("id", "status", "messageReceivedTime", "startTime", "finishTime")


def new_id() -> str:
    """Return a fresh id, in the likeness of the platform's hashids."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_ID_LENGTH))


def actor(document: Document, call: Call) -> Document:
    """Return the record of an actor."""
    own = address(call, document["id"])
    links = {"self": own, "owner": _profile(call, document["owner"]), "executions": f"{own}/executions"}
    return {**_shown({**document, "apiServer": None}), "_links": links}


def state(document: Document, call: Call) -> Document:
    """Return the record of an actor's state."""
    return {"state": document["state"], "_links": part_links(document, "state", call)}


def worker(document: Document, actor_document: Document, call: Call) -> Document:
    """Return the record of a worker."""
    return {**document, "_links": part_links(actor_document, f"workers/{document['id']}", call)}


def nonce(document: Document, actor_document: Document, call: Call) -> Document:
    """Return the record of a nonce, with how often it may still be used."""
    most, used = document["maxUses"], document["currentUses"]
    left = "unlimited" if most == -1 else most - used
    links = part_links(actor_document, f"nonces/{document['id']}", call)
    return {**document, "remainingUses": left, "apiServer": call.base_url, "_links": links}


def alias(document: Document, call: Call) -> Document:
    """Return the record of an alias."""
    own = f"{call.base_url}/actors/v2/aliases/{document['alias']}"
    links = {"self": own, "owner": _profile(call, document["owner"]), "actor": address(call, document["actorId"])}
    return {**document, "_links": links}


def execution(document: Document, actor_document: Document, call: Call) -> Document:
    """Return the record of an execution."""
    links = part_links(actor_document, f"executions/{document['id']}", call)
    return {**_shown(document), "_links": {**links, "logs": f"{links['self']}/logs"}}


def executions(documents: list[Document], page: list[Document], actor_document: Document, call: Call) -> Document:
    """Return the summary of an actor's executions: totals of all of them, those of the page in brief."""
    return {
        "actorId": actor_document["id"],
        "apiServer": call.base_url,
        "owner": actor_document["owner"],
        "totalExecutions": len(documents),
        "totalCpu": sum(each["cpu"] for each in documents),
        "totalIo": sum(each["io"] for each in documents),
        "totalRuntime": sum(each["runtime"] for each in documents),
        "executions": [{name: each[name] for name in _BRIEF if each[name] is not None} for each in page],
        "_links": part_links(actor_document, "executions", call),
    }


def receipt(document: Document, message: Any, actor_document: Document, call: Call) -> Document:
    """Return the answer to a message that has been put into the mailbox."""
    links = part_links(actor_document, f"executions/{document['id']}", call)
    mailbox = f"{address(call, actor_document['id'])}/messages"
    return {"executionId": document["id"], "msg": message, "_links": {**links, "messages": mailbox}}


def part_links(actor_document: Document, part: str, call: Call) -> dict[str, str]:
    """Return the links of something that belongs to an actor."""
    own = f"{address(call, actor_document['id'])}/{part}"
    return {"self": own, "owner": _profile(call, actor_document["owner"])}


def address(call: Call, actor_id: str) -> str:
    """Return the address of an actor."""
    return f"{call.base_url}/actors/v2/{actor_id}"


def _profile(call: Call, user: str) -> str:
    return f"{call.base_url}/profiles/v2/{user}"


def _shown(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None and name not in _INTERNAL}
