"""Transfers that are cut anywhere: a second call completes them, byte for byte, and nothing wrong is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from agavepy import transport
from agavepy.agave import Agave
from agavepy.errors import AgavepyError
from agavepy.sandbox import Sandbox

from ..relay import Relay, relaying

resource = pytest.importorskip("resource")  # limits how large a file may become: a disk that is full

CUTS = 200 if os.environ.get("AGAVEPY_CAMPAIGN") == "full" else 12
SIZE_BYTES = 6 << 20
PIECE_BYTES = 1 << 17  # at most so much of what had arrived is lost with a connection
HOME = "sandbox-storage/nryan"


class World(NamedTuple):
    """A tenant, a relay in front of it, a client through the relay, and a file here and there."""

    tenant: Sandbox
    relay: Relay
    ag: Agave
    data: bytes
    folder: Path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(transport, "_backoff_s", lambda attempt: 0.0)
    with Sandbox(users={"nryan": "a password"}) as tenant, relaying(tenant.url) as relay:
        ag = tenant.client()
        ag.api_server = relay.url
        data = random.Random(0).randbytes(SIZE_BYTES)
        (tmp_path / "source").write_bytes(data)
        ag.files_upload(tmp_path / "source", f"{HOME}/source")
        yield World(tenant, relay, ag, data, tmp_path)
        ag.close()


def broken(world: World, call: Callable[[], Any]) -> bool:
    """Tell whether a call fails, on a connection of its own."""
    world.ag.close()
    try:
        call()
    except (AgavepyError, requests.exceptions.RequestException, OSError):
        return True
    finally:
        world.relay.cuts.clear()
        world.ag.close()
    return False


def begun(world: World) -> list[dict[str, Any]]:
    return [each for each in world.tenant.requests if each["operation"] == "files.download"]


@pytest.mark.campaign
def test_downloads_that_are_cut_go_on(world: World) -> None:
    dice = random.Random(1)
    gone_on = 0
    for number in range(CUTS):
        target = world.folder / f"target-{number}"
        cut_at = dice.randrange(1, SIZE_BYTES + 2000)
        is_expired = number % 4 == 0
        # The connection that was cut is followed by some that nobody answers: the first call fails.
        world.relay.cuts = [(dice.choice(["down", "drop"]), cut_at), *[("down", 0)] * 30]
        failed = broken(world, lambda target=target: world.ag.files_download(f"{HOME}/source", target))
        assert failed is not target.exists()
        kept = sum(end - start for start, end in _done(target))
        if is_expired:
            world.tenant.expire_tokens()
        since = len(begun(world))
        world.ag.files_download(f"{HOME}/source", target)
        statuses = [each["status"] for each in begun(world)[since:] if each["status"] != 401]
        assert target.read_bytes() == world.data
        if failed and kept:
            assert statuses == [206]
            gone_on += 1
        target.unlink()
    assert gone_on > CUTS // 4
    assert sorted(path.name for path in world.folder.iterdir()) == ["source"]
    print(f"{CUTS} downloads cut at random bytes: all complete after a second call, {gone_on} from where they were")


def _done(target: Path) -> list[tuple[int, int]]:
    import json

    state = target.with_name(f".{target.name}.part.json")
    return json.loads(state.read_text())["done"] if state.exists() else []


@pytest.mark.campaign
def test_uploads_that_are_cut_are_whole_after_a_second_call(world: World) -> None:
    dice = random.Random(2)
    failures = 0
    for number in range(CUTS):
        place = f"{HOME}/up-{number % 5}"
        world.relay.cuts = [("up", dice.randrange(1, SIZE_BYTES + 2000)), *[("up", 500)] * 30]
        failures += broken(world, lambda place=place: world.ag.files_upload(world.folder / "source", place))
        if number % 4 == 0:
            world.tenant.expire_tokens()
        stored = _stored(world, place)
        assert stored in (None, world.data)
        world.ag.files_upload(world.folder / "source", place)
        assert _stored(world, place) == world.data
    assert failures > CUTS // 2
    print(f"{CUTS} uploads cut at random bytes: {failures} failed, all complete after a second call")


def _stored(world: World, place: str) -> bytes | None:
    path = world.tenant.root / "systems" / "sandbox-storage" / "home" / place.removeprefix("sandbox-storage/")
    return path.read_bytes() if path.exists() else None


@pytest.mark.campaign
def test_downloads_on_a_full_disk_complete_when_there_is_room(world: World) -> None:
    dice = random.Random(3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(max(3, CUTS // 10)):
        target = world.folder / f"full-{number}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (dice.randrange(1 << 20, SIZE_BYTES), hard))
        try:
            assert broken(world, lambda target=target: world.ag.files_download(f"{HOME}/source", target))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not target.exists()
        world.ag.files_download(f"{HOME}/source", target)
        assert target.read_bytes() == world.data


@pytest.mark.campaign
@pytest.mark.skipif(CUTS < 200, reason="takes a minute, and 4 GiB of disk")
def test_a_file_of_more_than_4_gib_goes_there_and_back(world: World) -> None:
    size, marks = (4 << 30) + 5, {0: b"head", (4 << 30) - 4: b"middle", (4 << 30) + 2: b"end"}
    with (world.folder / "large").open("wb") as file:
        file.truncate(size)
        for position, mark in marks.items():
            file.seek(position)
            file.write(mark)
    world.ag.files_upload(world.folder / "large", f"{HOME}/large")
    world.ag.files_download(f"{HOME}/large", world.folder / "back")
    assert (world.folder / "back").stat().st_size == size
    assert (world.folder / "back").stat().st_blocks * 512 < 16 << 20  # zeros take no room
    with (world.folder / "back").open("rb") as file:
        for position, mark in marks.items():
            file.seek(position)
            assert file.read(len(mark)) == mark


_TENANT = """
import sys
from agavepy.sandbox import Sandbox
with Sandbox(sys.argv[1], port=int(sys.argv[2]), users={"nryan": "a password"}) as tenant:
    print(tenant.url, flush=True)
    sys.stdin.read()
"""


class Served:
    """A tenant in a process of its own, to be killed and started again on the same root and port."""

    def __init__(self, root: Path) -> None:
        self._root, self.port = root, 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", _TENANT, str(self._root), str(self.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def _there_or_back(ag: Agave, number: int, folder: Path, **told: Any) -> None:
    if number % 2:
        ag.files_download(f"{HOME}/source", folder / "target", **told)
    else:
        ag.files_upload(folder / "source", f"{HOME}/up", **told)


@pytest.mark.campaign
def test_a_server_that_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_backoff_s", lambda attempt: 0.0)
    dice = random.Random(4)
    data = dice.randbytes(SIZE_BYTES)
    (tmp_path / "source").write_bytes(data)
    served = Served(tmp_path / "root")
    ag = Agave(api_server=served.url, username="nryan", password="a password")
    ag.clients_create("cut", "transfers")
    ag.get_access_token()
    ag.files_upload(tmp_path / "source", f"{HOME}/source")
    rounds, cut = max(2, CUTS // 10), 0
    for number in range(rounds):
        killed_at = dice.randrange(0, SIZE_BYTES)

        def kill(done: int, total: int | None, name: str, killed_at: int = killed_at) -> None:
            if done >= killed_at and served.process.poll() is None:
                served.kill()

        try:
            _there_or_back(ag, number, tmp_path, progress=kill)
        except (AgavepyError, OSError):
            cut += 1
        served.start()
        _there_or_back(ag, number, tmp_path)
    assert cut > rounds // 3
    ag.files_download(f"{HOME}/up", tmp_path / "up")
    assert (tmp_path / "up").read_bytes() == (tmp_path / "target").read_bytes() == data
    ag.close()
    served.kill()
