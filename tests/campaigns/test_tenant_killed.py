"""A tenant that is killed at any instant, under load, loses nothing of what it has acknowledged."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from ..sandbox.acting import IMAGES
from ..sandbox.receivers import Hook
from .runs import Jobs, Messages, Runs
from .writers import Actors, Api, Apps, Documents, Files, Notifications, Systems, Writer

KILLS = 100 if os.environ.get("AGAVEPY_CAMPAIGN") == "full" else 2
LONGEST_LIFE_S = 1.5
LONGEST_START_S = 0.8  # how long those live that are killed while they start
USERS = {"ada": "a password", "bob": "b password"}
KINDS: tuple[type[Writer], ...] = (Files, Documents, Systems, Apps, Notifications, Actors, Messages)
_W = TypeVar("_W", bound=Writer)
# The first process makes the users, and tells how to get tokens; those that follow find everything.
_TENANT = """
import json, sys
from agavepy.sandbox import Sandbox
root, port, users, images = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
with Sandbox(root, port=port, users=users, images=images) as tenant:
    tokens = {}
    for name in users:
        ag = tenant.client(name)
        ag.get_access_token()
        tokens[name] = str(ag.token)
        ag.close()
    print(json.dumps([tenant.url, tokens]), flush=True)
    sys.stdin.read()
"""


class Killable:
    """A tenant in a process of its own, always on the same root and port."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.log = folder / "log"
        self.temporary = Path(tempfile.mkdtemp(prefix="k-"))  # short: it is in addresses of sockets
        self.url, self.tokens = "", {}
        self._port = 0

    def start(self, users: dict[str, str] | None = None) -> None:
        """Return once the tenant answers; ``users`` are made."""
        self.begin(users)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told, self.log.read_text()
        self.url, tokens = json.loads(told)
        self.tokens |= tokens
        self._port = int(self.url.rpartition(":")[2])

    def begin(self, users: dict[str, str] | None = None) -> None:
        """Start the process, and do not wait for anything."""
        arguments = [str(self.root), str(self._port), json.dumps(users or {}), json.dumps(IMAGES)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _TENANT, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    def kill(self) -> None:
        self.process.kill()
        self._over()

    def stop(self) -> None:
        """End it as whoever runs it does."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        self._over()

    def _over(self) -> None:
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Where jobs tell of their ends; always there, unlike the tenant."""
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Killable]:
    tenant = Killable(tmp_path)
    tenant.start(USERS)
    yield tenant
    if tenant.process.poll() is None:
        tenant.kill()
    shutil.rmtree(tenant.temporary)


@pytest.fixture
def writers(tenant: Killable, hook: Hook) -> Iterator[list[Writer]]:
    made: list[Writer] = []
    for user, friend in zip(USERS, reversed(USERS), strict=True):
        made += [kind(_api(tenant, user), friend, "0") for kind in KINDS]
        made.append(Jobs(_api(tenant, user), friend, "0", hook.url, lambda: [each.target for each in hook.received]))
    for writer in made:
        writer.prepare()
    yield made
    for writer in made:
        writer.api.close()


def _api(tenant: Killable, user: str) -> Api:
    return Api(tenant.url, user, tenant.tokens[user])


@pytest.mark.campaign
def test_a_tenant_that_is_killed_under_load_loses_nothing(
    tenant: Killable, writers: list[Writer], tmp_path: Path
) -> None:
    dice = random.Random(0)
    started_s: list[float] = []
    for number in range(KILLS):
        write(writers, tenant, seconds=dice.uniform(0.05, LONGEST_LIFE_S))
        require_sound(tenant.root, tmp_path / "copy")
        if number % 5 == 1:
            tenant.begin()
            time.sleep(dice.uniform(0, LONGEST_START_S))
            tenant.kill()
        begun = time.monotonic()
        tenant.start()
        started_s.append(time.monotonic() - begun)
        each(writers, lambda writer: writer.check())
    runs = [writer for writer in writers if isinstance(writer, Runs)]
    each(runs, lambda run: run.wait())
    each(runs, lambda run: [run.check_end(name) for name in run.known])
    tenant.stop()
    require_sound(tenant.root, tmp_path / "copy")
    require_tidy(tenant, runs)
    ends = collections.Counter(status for run in runs for status in run.known.values())
    acknowledged = sum(writer.acknowledged for writer in writers)
    print(f"{KILLS} kills, {acknowledged} acknowledged writes, all there; slowest start {max(started_s):.2f} s; {ends}")


def write(writers: Sequence[Writer], tenant: Killable, *, seconds: float) -> None:
    """Let all of them write for so long; then the tenant dies."""
    over = threading.Event()
    with ThreadPoolExecutor(len(writers)) as pool:
        writing = [pool.submit(writer.write_until, over) for writer in writers]
        time.sleep(seconds)
        tenant.kill()
        over.set()
    for future in writing:
        future.result()


def each(writers: Sequence[_W], do: Callable[[_W], object]) -> None:
    """Have something done to all of them, at the same time."""
    with ThreadPoolExecutor(len(writers)) as pool:
        for future in [pool.submit(do, writer) for writer in writers]:
            future.result()


def require_sound(root: Path, copy: Path) -> None:
    """Look at a copy of the database, with its log: opening would repair it, which is the tenant's to do."""
    copy.mkdir(exist_ok=True)
    for old in copy.iterdir():
        old.unlink()
    for name in ("tenant.sqlite", "tenant.sqlite-wal"):
        if (root / name).exists():
            shutil.copy(root / name, copy / name)
    with contextlib.closing(sqlite3.connect(copy / "tenant.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def require_tidy(tenant: Killable, runs: Sequence[Runs]) -> None:
    """Nothing half done is left: no file on its way, no process, no complaint in the log."""
    root = tenant.root
    assert list((root / "incoming").iterdir()) == []
    assert list(tenant.temporary.iterdir()) == []
    assert list(root.rglob(".*.new")) == []
    assert sorted({place.name for place in (root / "actors").glob("*/*/*")} - {"log", "results"}) == []
    assert [place for place in (root / "actors").glob("*/*/results/*") if not place.name[0].isdigit()] == []
    archived = {job_id for run in runs if isinstance(run, Jobs) for job_id in run.archived}
    work = [place.name for place in root.glob("systems/sandbox-exec/**/job-*")]
    assert [name for name in work if any(job_id in name for job_id in archived)] == []
    assert processes_below(root) == []
    assert tenant.log.read_text() == ""


def processes_below(root: Path) -> list[str]:
    """Return the processes that work in the tenant's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve().is_relative_to(root):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found
