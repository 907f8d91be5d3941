"""What a call costs beside the same with a plain requests session, over TLS on loopback."""

from __future__ import annotations

import datetime
from typing import Any

import requests

from agavepy.agave import Agave

from .canned import Canned
from .measure import ratio


def _clients(server: Canned) -> tuple[Agave, requests.Session]:
    ag = Agave(api_server=server.url, token="t", verify=server.ca_file)
    session = requests.Session()
    session.headers["Authorization"] = "Bearer t"
    return ag, session


def _get(session: requests.Session, server: Canned, path: str) -> Any:
    # verify with each call: a session's own gives way to REQUESTS_CA_BUNDLE.
    response = session.get(f"{server.url}/{path}", timeout=(10, 60), verify=server.ca_file)
    response.raise_for_status()
    return response.json()["result"]


def one_record(server: Canned) -> float:
    """Return the time of ``systems.get`` over that of the same GET."""
    ag, session = _clients(server)

    def ours() -> str:
        return ag.systems.get(systemId="nryan.storage").name

    def theirs() -> str:
        return _get(session, server, "systems/v2/nryan.storage")["name"]

    return ratio(ours, theirs, rounds=8, each=60)


def listing(server: Canned, count: int) -> float:
    """Return the time of ``files.list`` of ``count`` records over that of the same GET, three fields read of each."""
    ag, session = _clients(server)
    path = f"files/v2/listings/system/nryan.storage/{count}"

    def ours() -> Any:
        records = ag.files.list(systemId="nryan.storage", filePath=str(count))
        assert isinstance(records[-1].lastModified, datetime.datetime)
        return [(record.name, record.length, record.lastModified) for record in records]

    def theirs() -> Any:
        return [(record["name"], record["length"], record["lastModified"]) for record in _get(session, server, path)]

    assert len(ours()) == len(theirs()) == count
    return ratio(ours, theirs, rounds=8, each=max(1, 5000 // count))
