"""What a thousand more clients cost a process, and whether threads get in each other's way at first use."""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agavepy.agave import Agave
from agavepy.errors import BodyError

COUNT = 1000


def more_clients() -> tuple[float, float]:
    """Return milliseconds each, and megabytes by which the process grows over all; each finds an operation too."""
    _make()
    gc.collect()
    before = _resident_bytes()
    start = time.perf_counter()
    for _ in range(COUNT):
        _make()
    each_ms = (time.perf_counter() - start) / COUNT * 1000
    gc.collect()
    return each_ms, (_resident_bytes() - before) / 1e6


def _make() -> Any:
    return Agave(api_server="https://api.example.org", token="t").files.list


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # Linux
    return pages * 4096


def errors_at_first_use(*, threads: int = 8, rounds: int = COUNT) -> int:
    """Return how many of ``threads`` × ``rounds`` first uses of a document failed, at a switch interval of 1 µs."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        return sum(_errors_of_one_round(number, threads) for number in range(rounds))
    finally:
        sys.setswitchinterval(interval)


def _errors_of_one_round(number: int, threads: int) -> int:
    ag = Agave(
        api_server="http://127.0.0.1:9", token="t", resources={"things": _document(number)}, validate_bodies="error"
    )
    barrier, errors = threading.Barrier(threads), []

    def use() -> None:
        barrier.wait()
        try:
            ag.things.add(body={})
            errors.append(AssertionError("the body was not compared with its model"))
        except BodyError:
            pass  # what a first use should come to; nothing was sent
        except Exception as error:
            errors.append(error)

    running = [threading.Thread(target=use) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return len(errors)


def _document(number: int) -> dict[str, Any]:
    thing = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    return {
        "swagger": "2.0",
        "info": {"title": "Things", "version": str(number)},  # each round's document is a new one
        "paths": {
            "/things/v2/": {
                "post": {
                    "operationId": "add",
                    "parameters": [{"name": "body", "in": "body", "required": True, "schema": thing}],
                    "responses": {"200": {"description": "The thing.", "schema": thing}},
                }
            }
        },
    }
