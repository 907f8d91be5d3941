"""Print the table of figures; exit 1 when one is out of reach."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import NamedTuple

from . import calls, clients, hello, identity, imports, load, metadata, transfers
from .canned import server

MIXED_S = 60


class Figure(NamedTuple):
    name: str
    seen: float
    reach: float = math.inf  # none: it is told for those beside it
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        return self.seen <= self.reach

    def __str__(self) -> str:
        mark = "" if self.is_reached else "   <-- out of reach"
        reach = f"(reach {self.reach:g}{self.unit}){mark}" if math.isfinite(self.reach) else ""
        return f"{self.name:<66} {self.seen:>8.3g}{self.unit:<3} {reach}".rstrip()


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
    yield from _load()
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


def _load() -> Iterator[Figure]:
    yield Figure("agavepy sandbox: start to first answer", load.first_answer_s(), 1.0, " s")
    with hello.server() as bare, load.tenant() as to:
        alone = load.one_call(to, bare)
        yield Figure(
            "a bare server's rate / that of systems.get, 200 clients", alone.theirs.rate / alone.ours.rate, 2.5
        )
        mixed = load.mixed_calls(to, bare, duration_s=MIXED_S)
        for failure in mixed.ours.shown:
            print(failure, file=sys.stderr)
        yield Figure(f"200 clients, mixed calls, {MIXED_S} s: errors", mixed.ours.failures, 0)
        yield Figure("200 clients, mixed calls: requests a second", mixed.ours.rate)
        yield Figure("200 clients, mixed calls: 99 % of answers within", mixed.ours.p99_ms, unit=" ms")
        yield Figure("200 clients, a bare server: requests a second", mixed.theirs.rate)
        yield Figure("200 clients, a bare server: 99 % of answers within", mixed.theirs.p99_ms, unit=" ms")
        yield Figure("100,000 files, first page", load.first_page_ms(to), 200, " ms")
        yield Figure("agavepy sandbox: memory after all of it", to.resident_mb, 150, " MB")


def main() -> int:
    all_reached = True
    for figure in figures():
        print(figure, flush=True)
        all_reached = all_reached and figure.is_reached
    return 0 if all_reached else 1


if __name__ == "__main__":
    sys.exit(main())
