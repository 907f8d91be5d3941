"""What is answered in the server's own thread, and what holds nobody up."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox
from agavepy.sandbox.brief import Brief
from agavepy.sandbox.services import Service, brief, brief_write


class Things(Service):
    name = "things"

    def __init__(self) -> None:
        pass

    @brief
    def get(self) -> None: ...

    @brief_write
    def add(self) -> None: ...

    def list(self) -> None: ...


class Watch:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def client(tenant: Sandbox) -> Iterator[Agave]:
    client = tenant.client()
    yield client
    client.close()


def test_operations_are_brief_that_say_so() -> None:
    of = Brief([Things()], now=Watch())
    assert [name for name in ("get", "add", "list", "other") if of.has(f"things.{name}", can_write=True)] == [
        "get",
        "add",
    ]


def test_who_writes_is_brief_only_while_nobody_else_does() -> None:
    of = Brief([Things()], now=Watch())
    assert of.has("things.get", can_write=False)
    assert not of.has("things.add", can_write=False)


def test_an_operation_that_took_long_stays_away_for_twenty_times_as_long() -> None:
    watch = Watch()
    of = Brief([Things()], now=watch)
    with of.timed("things.get"):
        watch.now_s += 0.04
    assert of.has("things.get", can_write=True)
    with of.timed("things.get"):
        watch.now_s += 2
    watch.now_s += 39
    assert not of.has("things.get", can_write=True)
    assert of.has("things.add", can_write=True)
    watch.now_s += 2
    assert of.has("things.get", can_write=True)


def test_an_upload_that_waits_for_another_writer_holds_nobody_up(tenant: Sandbox, client: Agave) -> None:
    name = secrets.token_hex(8)
    place = {"systemId": "sandbox-storage", "filePath": str(client.username)}
    sent, uploading = in_thread(lambda: client.files.importData(fileToUpload=b"held up", fileName=name, **place))
    with tenant.state.store.transaction():
        uploading.start()
        for _ in range(20):
            assert client.profiles.get().username == client.username
        assert not sent.is_set()
    uploading.join()
    assert name in [entry.name for entry in client.files.list(**place)]


def in_thread(do: Callable[[], object]) -> tuple[threading.Event, threading.Thread]:
    """Return a thread that does something, and what it sets when that is done."""
    done = threading.Event()

    def work() -> None:
        do()
        done.set()

    return done, threading.Thread(target=work)
