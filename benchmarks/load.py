"""What a tenant does under the load of very many clients, beside a bare server of its stack; its start, its memory."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agavepy.agave import Agave

from .canned import Canned
from .generator import NUMBER, Load, load

CLIENTS = 200
SYSTEM, USER, PASSWORD = "sandbox-storage", "bench", "a password"
APP = "idle-1.0"
ENTRIES = 100_000
FILE_BYTES = 10_000
UPLOAD_BYTES = 1_000
ROUNDS, ROUND_S = 7, 3.0  # in turns, so that whatever else the machine does happens to both
_START_TIMEOUT_S = 30.0
_PAUSE_S = 0.002


class Tenant(NamedTuple):
    """A tenant of the command ``agavepy sandbox``, over TLS, and its user."""

    process: subprocess.Popen[str]
    port: int
    root: Path
    ag: Agave

    @property
    def ca_file(self) -> str:
        return str(self.root / "ca.pem")

    @property
    def home(self) -> Path:
        return self.root / "systems" / SYSTEM / "home" / USER

    @property
    def resident_mb(self) -> float:
        """Megabytes of memory the process has now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()  # Linux
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000

    def request(self, method: str, path: str, body: bytes = b"", media_type: str = "") -> bytes:
        """Return a request as it goes over the line."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Authorization: Bearer {self.ag.token}"]
        if body:
            lines += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.contextmanager
def tenant() -> Iterator[Tenant]:
    """Run a tenant for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder, _started(Path(folder), _free_port(), "--tls") as process:
        assert process.stdout is not None
        shown = list(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout))
        [login] = [line for line in shown if line.startswith("ag = ")]
        ag: Agave = eval(login.removeprefix("ag = "), {"Agave": Agave})  # what the command tells people to type
        ag.get_access_token()
        try:
            yield Tenant(process, int(ag.api_server.rpartition(":")[2]), Path(folder), ag)
        finally:
            ag.close()


@contextlib.contextmanager
def _started(root: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command for as long as the block lasts; it need not answer yet when the block begins."""
    command = [sys.executable, "-m", "agavepy", "sandbox", "--root", str(root), "--port", str(port), *options]
    command += ["--user", f"{USER}:{PASSWORD}"]
    # Modules are compiled once, as they are for anybody who has them installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


# Before


def first_answer_s() -> float:
    """Return seconds from the start of a tenant's process, on a fresh root, to its first answer: the best of five."""
    return min(_first_answer_s() for _ in range(5))


def _first_answer_s() -> float:
    with tempfile.TemporaryDirectory() as root:
        port, begun = _free_port(), time.perf_counter()
        with _started(Path(root), port):
            while not _answers(port):
                time.sleep(_PAUSE_S)
                assert time.perf_counter() < begun + _START_TIMEOUT_S, "the tenant does not start"
            return time.perf_counter() - begun


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_TIMEOUT_S)
    try:
        connection.request("GET", "/tenants")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


# One call


class Beside(NamedTuple):
    """The same load on a tenant and on the bare server."""

    ours: Load
    theirs: Load


def one_call(to: Tenant, bare: Canned) -> Beside:
    """Return what ``systems.get`` alone comes to: the best of many rounds, taken in turns."""
    request = to.request("GET", f"/systems/v2/{SYSTEM}")
    rounds = [Beside(_alike(to.port, to.ca_file, request, ROUND_S), _hello(bare, ROUND_S)) for _ in range(ROUNDS)]
    return Beside(
        max((each.ours for each in rounds), key=lambda load: load.rate),
        max((each.theirs for each in rounds), key=lambda load: load.rate),
    )


def _hello(bare: Canned, duration_s: float) -> Load:
    port = int(bare.url.rpartition(":")[2])
    return _alike(port, bare.ca_file, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", duration_s)


def _alike(port: int, ca_file: str, request: bytes, duration_s: float) -> Load:
    return load(port, ca_file, [[request]] * CLIENTS, duration_s=duration_s)


# Many calls


def mixed_calls(to: Tenant, bare: Canned, *, duration_s: float) -> Beside:
    """Return what a mixture of calls comes to, most of which read."""
    mixture = _mixture(to)
    dice = random.Random(0)
    clients = [dice.sample(mixture, len(mixture)) for _ in range(CLIENTS)]
    return Beside(load(to.port, to.ca_file, clients, duration_s=duration_s), _hello(bare, duration_s / 6))


def _mixture(to: Tenant) -> list[bytes]:
    _furnish(to)
    job = to.ag.jobs.submit(body={"name": "first", "appId": APP})
    readings = [
        f"/systems/v2/{SYSTEM}",
        "/systems/v2/",
        "/profiles/v2/me",
        f"/files/v2/listings/system/{SYSTEM}/{USER}",
        f"/files/v2/media/system/{SYSTEM}/{USER}/data",
        f"/jobs/v2/{job.id}/status",
        f"/jobs/v2/{job.id}",
        f"/apps/v2/{APP}",
        f"/meta/v2/data?q={urllib.parse.quote(json.dumps({'name': 'sample'}))}&limit=10",
    ]
    writings = [_upload(to), _document(to)]
    return [*[to.request("GET", path) for path in readings] * 10, *writings * 5, _submission(to)]


def _furnish(to: Tenant) -> None:
    for folder in ("app", "incoming"):
        to.ag.files.manage(systemId=SYSTEM, filePath=USER, body={"action": "mkdir", "path": folder})
    for place, name, data in ((USER, "data", bytes(FILE_BYTES)), (f"{USER}/app", "run.sh", b"true\n")):
        to.ag.files.importData(systemId=SYSTEM, filePath=place, fileToUpload=data, fileName=name)
    to.ag.apps.add(
        body={
            **dict(zip(("name", "version"), APP.rsplit("-", 1), strict=True)),
            "executionSystem": "sandbox-exec",
            "deploymentPath": f"{USER}/app",
            **{"executionType": "CLI", "parallelism": "SERIAL", "templatePath": "run.sh", "testPath": "run.sh"},
            **{"inputs": [], "parameters": []},
        }
    )
    for number in range(50):
        to.ag.meta.addMetadata(body={"name": "sample", "value": {"number": number}})


def _upload(to: Tenant) -> bytes:
    boundary = "a-boundary"
    part = f'Content-Disposition: form-data; name="fileToUpload"; filename="{NUMBER.decode()}"'
    body = f"--{boundary}\r\n{part}\r\n\r\n{'x' * UPLOAD_BYTES}\r\n--{boundary}--\r\n".encode()
    media_type = f"multipart/form-data; boundary={boundary}"
    return to.request("POST", f"/files/v2/media/system/{SYSTEM}/{USER}/incoming", body, media_type)


def _document(to: Tenant) -> bytes:
    body = {"name": f"document {NUMBER.decode()}", "value": {"kind": "load", "tags": ["a", "b"]}}
    return to.request("POST", "/meta/v2/data", json.dumps(body).encode(), "application/json")


def _submission(to: Tenant) -> bytes:
    body = {"name": "load", "appId": APP}
    return to.request("POST", "/jobs/v2", json.dumps(body).encode(), "application/json")


# A big folder


def first_page_ms(to: Tenant) -> float:
    """Return milliseconds until the first page of a big folder that has just changed, the best of three."""
    folder = to.home / "entries"
    folder.mkdir()
    for number in range(ENTRIES):
        (folder / f"file-{number:06}").touch()
    return min(_first_page_ms(to, folder / f"file-{number}-more") for number in range(3))


def _first_page_ms(to: Tenant, new: Path) -> float:
    new.touch()  # what the tenant remembers of the folder is of no use any more
    begun = time.perf_counter()
    page = to.ag.files.list(systemId=SYSTEM, filePath=f"{USER}/entries", limit=100)
    took_ms = (time.perf_counter() - begun) * 1000
    assert len(page) == 100
    return took_ms
