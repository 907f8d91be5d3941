"""Print the table of figures; exit 1 when one is out of reach."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from . import calls, clients, identity, imports, metadata, transfers
from .canned import server


class Figure(NamedTuple):
    name: str
    seen: float
    reach: float
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        return self.seen <= self.reach

    def __str__(self) -> str:
        mark = "" if self.is_reached else "   <-- out of reach"
        return f"{self.name:<66} {self.seen:>8.3g}{self.unit:<3} (reach {self.reach:g}{self.unit}){mark}"


def figures() -> Iterator[Figure]:
    """Yield each figure as soon as it is known."""
    with server() as canned:
        yield Figure("import agavepy.agave, process / import requests", imports.import_alone(), 0.7)
        yield Figure("import + client + first call / the same with requests", imports.first_call(canned), 2.0)
        yield Figure("one-record call / requests", calls.one_record(canned), 1.15)
        for count in (250, 10_000):
            yield Figure(
                f"list of {count:,} records with attribute access / requests", calls.listing(canned, count), 1.5
            )
    yield Figure("a valid token, beside a call without auth", identity.auth_of_a_call_us(), 20, " us")
    yield Figure("a cold Agave.restore()", identity.cold_restore_ms(), 5, " ms")
    each_ms, growth_mb = clients.more_clients()
    yield Figure("1,000 more clients: each", each_ms, 0.2, " ms")
    yield Figure("1,000 more clients: growth of the process", growth_mb, 1.0, " MB")
    yield Figure("8 threads x 1,000 first uses, switch interval 1 us: errors", clients.errors_at_first_use(), 0)
    yield from _transfers()
    for query, seen_ms in metadata.first_pages_ms():
        yield Figure(f"100,000 documents, first page of {query}", seen_ms, 200, " ms")


def _transfers() -> Iterator[Figure]:
    with transfers.tenant() as to:
        if transfers.has_curl():
            for way, seen in zip(("up", "down"), transfers.large_files(to), strict=True):
                yield Figure(f"1 GiB {way} / curl", seen, 1.25)
        for size, name in ((300_000_000, "300 MB"), (3_000_000_000, "3 GB")):
            for way, seen in zip(("up", "down"), transfers.extra_memory_mb(to, size_bytes=size), strict=True):
                yield Figure(f"{name} {way}: extra memory", seen, 20, " MB")
        for way, seen in zip(("up", "down"), transfers.small_files(to), strict=True):
            yield Figure(f"1,000 files of 10 KB {way} / requests, one after the other", seen, 0.25)
        yield Figure("files_list of 100,000 entries / requests, page by page", transfers.listing(to), 1.5)


def main() -> int:
    all_reached = True
    for figure in figures():
        print(figure, flush=True)
        all_reached = all_reached and figure.is_reached
    return 0 if all_reached else 1


if __name__ == "__main__":
    sys.exit(main())
