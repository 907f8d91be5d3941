"""How long the first page of a metadata query takes, over HTTP, among very many documents."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator

from agavepy.sandbox import Sandbox
from agavepy.sandbox.items import Items

DOCUMENTS = 100_000
QUERIES = (
    "{}",
    "{'name': 'sample 77'}",
    "{'value.n': 1}",
    "{'value.type': {'$ne': 'plant'}}",
    "{'value.n': {'$lt': 500}}",
    "{'value.missing': None}",
    "{'name': {'$regex': '^sample 7'}}",
    "{'value.tags': {'$all': ['a', '7']}, 'value.profile.score': {'$gte': 0.5}}",
)


def first_pages_ms() -> Iterator[tuple[str, float]]:
    """Yield each query with the milliseconds of the best of three calls."""
    with Sandbox() as tenant:
        _fill(tenant, owner=tenant.username)
        ag = tenant.client()
        for query in QUERIES:
            yield query, min(_timed_ms(functools.partial(ag.meta.listMetadata, q=query)) for _ in range(3))
        ag.close()


def _fill(tenant: Sandbox, *, owner: str) -> None:
    items = Items(tenant.state.store, "metadata")
    with tenant.state.store.transaction():
        for number in range(DOCUMENTS):
            items.put(_document(number, owner if number % 2 else "somebody"))


def _document(number: int, owner: str) -> dict[str, object]:
    value = {
        "type": "plant" if number % 3 else "animal",
        "n": number,
        "tags": ["a", "b", str(number % 50)],
        "profile": {"status": "active", "score": number % 1000 / 1000},
    }
    fixed = {"internalUsername": None, "schemaId": None, "associationIds": [], "created": float(number)}
    uuid = f"{number:019d}-0242ac11-0001-012"
    named = {"uuid": uuid, "owner": owner, "name": f"sample {number % 1000}", "lastUpdated": float(number)}
    return {**named, **fixed, "value": value}


def _timed_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000
