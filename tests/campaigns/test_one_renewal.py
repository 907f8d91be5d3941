"""However many threads and processes share a session, each token is renewed once, by one of them, for all."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agavepy.sandbox import Sandbox

ROOT = Path(__file__).parent.parent.parent


class Size(NamedTuple):
    processes: int
    threads: int
    duration_s: float
    token_ttl_s: int = 2


SIZE = Size(8, 64, 30) if os.environ.get("AGAVEPY_CAMPAIGN") == "full" else Size(2, 4, 5)
SHORTEST_LIFE_S = 0.85 * SIZE.token_ttl_s  # a tenth of so short a life is left unused


class Log:
    """The server's log of redemptions; gathered all the time, since the server keeps the last requests only."""

    def __init__(self, tenant: Sandbox) -> None:
        self._tenant = tenant
        self._seen: dict[float, dict[str, Any]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._gather)

    def __enter__(self) -> Log:
        self._thread.start()
        return self

    def __exit__(self, *unused: Any) -> None:
        self._over.set()
        self._thread.join()
        self._read()

    @property
    def redemptions(self) -> list[dict[str, Any]]:
        """Return the requests that redeemed a refresh token, or tried to, oldest first."""
        return [self._seen[time] for time in sorted(self._seen)]

    def _gather(self) -> None:
        while not self._over.wait(1.0):
            self._read()

    def _read(self) -> None:
        self._seen |= {
            each["time"]: each for each in self._tenant.requests if each.get("grant_type") == "refresh_token"
        }


@pytest.fixture
def tenant() -> Iterator[Sandbox]:
    with Sandbox(token_ttl_s=SIZE.token_ttl_s) as running:
        yield running


@pytest.mark.campaign
def test_one_of_them_renews_and_no_call_fails(tenant: Sandbox, tmp_path: Path) -> None:
    tenant.client().save_configs(tmp_path)
    with Log(tenant) as log:
        reports = calling(tmp_path)
    failures = [failure for report in reports for failure in report["failures"]]
    calls = sum(report["calls"] for report in reports)
    times = [each["time"] for each in log.redemptions]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    print(f"{calls} calls, {len(failures)} failed, {len(times)} renewals, seconds between them: {sorted(gaps)}")
    assert failures == []
    assert calls >= SIZE.processes * SIZE.threads
    assert [each["status"] for each in log.redemptions] == [200] * len(times)
    assert all(gap >= SHORTEST_LIFE_S for gap in gaps)
    assert 1 <= len(times) <= SIZE.duration_s / SHORTEST_LIFE_S + 1


def calling(folder: Path) -> list[dict[str, Any]]:
    """Return what the processes report in the end."""
    command = [sys.executable, "-m", "tests.campaigns.caller", str(folder), str(SIZE.threads), str(SIZE.duration_s)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        for _ in range(SIZE.processes)
    ]
    reports = []
    for process in running:
        output, _ = process.communicate(timeout=SIZE.duration_s + 120)
        assert process.returncode == 0
        reports.append(json.loads(output))
    return reports
