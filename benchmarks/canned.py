"""A TLS server on loopback, in a process of its own, that answers with records made beforehand."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FILE = {
    "name": "a-file-of-some-length.fastq",
    "path": "/home/nryan/projects/reads/a-file-of-some-length.fastq",
    "lastModified": "2018-09-11T11:38:34.000-05:00",
    "length": 22471,
    "permissions": "READ_WRITE",
    "format": "raw",
    "mimeType": "application/octet-stream",
    "type": "file",
    "system": "nryan.storage",
    "_links": {
        "self": {"href": "https://api.example.org/files/v2/media/system/nryan.storage//home/nryan/projects/reads/a"},
        "system": {"href": "https://api.example.org/systems/v2/nryan.storage"},
    },
}
SYSTEM = {
    "id": "nryan.storage",
    "name": "disk",
    "type": "STORAGE",
    "status": "UP",
    "public": False,
    "default": True,
    "revision": 1,
    "lastModified": "2018-09-10T14:56:40.000-05:00",
    "storage": {"host": "disk.example.org", "port": 22, "protocol": "SFTP", "rootDir": "/", "homeDir": "/home/nryan"},
    "_links": {"self": {"href": "https://api.example.org/systems/v2/nryan.storage"}},
}


class Canned(NamedTuple):
    """Where the server is, and the CA that signed its certificate."""

    url: str
    ca_file: str


def server() -> contextlib.AbstractContextManager[Canned]:
    """Run the server for as long as the block lasts."""
    return running("benchmarks.canned", "localhost")


@contextlib.contextmanager
def running(module: str, host: str) -> Iterator[Canned]:
    """Run a module that gets a folder for the CA of its host, and prints its port, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", module, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            try:
                yield Canned(f"https://{host}:{port}", str(Path(folder, "ca.pem")))
            finally:
                process.terminate()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and body leave together
    answers: dict[str, bytes]

    def do_GET(self) -> None:
        body = self.answers[self.path.partition("?")[0]]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: the terminal would be what is measured."""


def _envelope(result: Any) -> bytes:
    return json.dumps({"status": "success", "message": None, "version": "2.2.22-r7deb380", "result": result}).encode()


def _serve(folder: Path) -> None:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    _Handler.answers = {"/systems/v2/nryan.storage": _envelope(SYSTEM)}
    for count in (250, 10_000):
        _Handler.answers[f"/files/v2/listings/system/nryan.storage/{count}"] = _envelope([FILE] * count)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    print(httpd.server_address[1], flush=True)
    httpd.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
