"""What is answered in the server's own thread, and what holds nobody up."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox
from agavepy.sandbox.brief import Brief
from agavepy.sandbox.services import Service, brief, brief_write
from agavepy.sandbox.store import Store
from agavepy.sandbox.transfers import Transfers


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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


def test_operations_are_brief_that_say_so(store: Store) -> None:
    of = Brief([Things()], store, now=Watch())
    assert [name for name in ("get", "add", "list", "other") if of.has(f"things.{name}", "/a")] == ["get", "add"]


def test_no_operation_is_brief_deep_in_a_tree(store: Store) -> None:
    of = Brief([Things()], store, now=Watch())
    assert of.has("things.get", "/a" * 32)
    assert not of.has("things.get", "/a" * 33)


def test_who_writes_has_no_turn_while_somebody_else_does(store: Store) -> None:
    of = Brief([Things()], store, now=Watch())
    turns: dict[str, bool] = {}

    def try_all() -> None:
        for name in ("get", "add"):
            with of.turn(f"things.{name}") as turns[name]:
                pass

    with store.transaction():
        done, trying = in_thread(try_all)
        trying.start()
        trying.join()
    assert done.is_set()
    assert turns == {"get": True, "add": False}


def test_who_has_the_turn_writes_and_others_wait(store: Store) -> None:
    of = Brief([Things()], store, now=Watch())
    done, writing = in_thread(lambda: store.put("thing", "theirs", {}, updated=2.0))
    with of.turn("things.add") as is_free:
        assert is_free
        writing.start()
        store.put("thing", "alone", {}, updated=1.0)
        with store.transaction():
            store.put("thing", "together", {}, updated=1.0)
        assert not done.is_set()
    writing.join()
    assert all(store.get("thing", key) == {} for key in ("theirs", "alone", "together"))


def test_an_operation_that_took_long_stays_away_for_twenty_times_as_long(store: Store) -> None:
    watch = Watch()
    of = Brief([Things()], store, now=watch)
    with of.turn("things.get"):
        watch.now_s += 0.04
    assert of.has("things.get", "/a")
    with of.turn("things.get"):
        watch.now_s += 2
    watch.now_s += 39
    assert not of.has("things.get", "/a")
    assert of.has("things.add", "/a")
    watch.now_s += 2
    assert of.has("things.get", "/a")


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
    assert sent.is_set()
    assert name in [entry.name for entry in client.files.list(**place)]


def test_a_body_that_comes_while_somebody_writes_holds_nobody_up(tenant: Sandbox, client: Agave) -> None:
    host, port = tenant.url.removeprefix("http://").split(":")
    form = b'--x\r\nContent-Disposition: form-data; name="fileToUpload"; filename="slow"\r\n\r\nheld up\r\n--x--\r\n'
    head = (
        f"POST /files/v2/media/system/sandbox-storage/{client.username} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {client.token}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(form)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head.encode())
        assert client.profiles.get().username == client.username  # by when the head has been read
        with tenant.state.store.transaction():
            line.sendall(form)
            for _ in range(20):
                assert client.profiles.get().username == client.username
        assert line.makefile("rb").readline() == b"HTTP/1.1 202 Accepted\r\n"


def test_an_import_from_elsewhere_is_none(tenant: Sandbox, client: Agave, monkeypatch: pytest.MonkeyPatch) -> None:
    read, threads = Transfers.read, []

    def noted(self: Transfers, *arguments: Any, **named: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(self, *arguments, **named)

    monkeypatch.setattr(Transfers, "read", noted)
    place = {"systemId": "sandbox-storage", "filePath": str(client.username)}
    name = secrets.token_hex(8)
    client.files.importData(fileToUpload=b"here", fileName=name, **place)
    client.files.importData(urlToIngest=f"agave://sandbox-storage/{client.username}/{name}", fileName="copy", **place)
    tenant.run_until_idle()
    assert threads
    assert all(each.startswith("agavepy-sandbox_") for each in threads)


def in_thread(do: Callable[[], object]) -> tuple[threading.Event, threading.Thread]:
    """Return a thread that does something, and what it sets when that is done."""
    done = threading.Event()

    def work() -> None:
        do()
        done.set()

    return done, threading.Thread(target=work)
