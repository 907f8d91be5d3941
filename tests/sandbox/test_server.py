"""The tenant as a whole: start, stop, start again, TLS, the command."""

from __future__ import annotations

import gc
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from agavepy.sandbox import Sandbox, http_server
from agavepy.sandbox.state import RootInUse

from .conftest import TIMEOUT_S, Http

REPOSITORY = Path(__file__).parents[2]


def test_a_tenant_leaves_nothing_behind() -> None:
    threads = set(threading.enumerate())
    with Sandbox() as tenant:
        assert requests.get(f"{tenant.url}/tenants", timeout=TIMEOUT_S).status_code == 200
        root, port = tenant.root, int(tenant.url.rpartition(":")[2])
        assert root.is_dir()
    assert set(threading.enumerate()) == threads
    assert not root.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_tenant_listens_on_loopback_only(tenant: Sandbox) -> None:
    assert tenant.url.startswith("http://127.0.0.1:")


def test_client_gives_a_client_that_is_logged_in(tenant: Sandbox) -> None:
    ag = tenant.client()
    assert ag.profiles.get().username == "sandbox"
    ag.close()


def test_the_same_root_is_the_same_tenant_again(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as tenant, Http(tenant) as session:
        first = session.get("/profiles/v2/me").json()["result"]["uuid"]
        password, tokens, key = tenant.password, session.tokens, session.key
        tenant.add_user("ada", "engine")
    with Sandbox(tmp_path) as tenant:
        assert (tenant.username, tenant.password, tenant.api_client()[0]) == ("sandbox", password, key)
        assert tenant.state.accounts.verify("ada", "engine")
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = requests.get(f"{tenant.url}/profiles/v2/me", headers=header, timeout=TIMEOUT_S)
        assert answer.json()["result"]["uuid"] == first


def test_generated_passwords_are_for_the_owners_eyes(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as tenant:
        path = tmp_path / "credentials.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["sandbox"]["password"] == tenant.password


def test_one_root_serves_one_tenant_at_a_time(tmp_path: Path) -> None:
    with Sandbox(tmp_path), pytest.raises(RootInUse, match="choose another root"):
        Sandbox(tmp_path).start()
    with Sandbox(tmp_path):
        pass


def test_a_port_in_use_is_an_error_at_once(tenant: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=int(tenant.url.rpartition(":")[2])).start()


def test_users_may_be_named(tmp_path: Path) -> None:
    with Sandbox(tmp_path, users={"ada": "engine", "bob": "pw"}) as tenant, Http(tenant) as session:
        assert (tenant.username, tenant.password) == ("ada", "engine")
        assert session.get("/profiles/v2/me").json()["result"]["username"] == "ada"
        assert tenant.state.accounts.verify("bob", "pw")
        assert "engine" not in (tmp_path / "credentials.json").read_text()


def test_a_password_that_is_changed_is_the_tenants_password() -> None:
    with Sandbox() as tenant:
        tenant.add_user("sandbox", "chosen")
        assert tenant.password == "chosen"
        with Http(tenant) as session:
            assert session.get("/profiles/v2/me").status_code == 200


def test_tokens_live_as_long_as_told() -> None:
    with Sandbox(token_ttl_s=7) as tenant, Http(tenant) as session:
        assert session.tokens["expires_in"] == 7


def test_a_tenant_that_does_not_run_says_how_to_run_it() -> None:
    with pytest.raises(RuntimeError, match="with Sandbox"):
        _ = Sandbox().url


def test_tls_is_trusted_through_the_ca_file_and_only_so(tmp_path: Path) -> None:
    with Sandbox(tmp_path, tls=True) as tenant, Http(tenant) as session:
        assert tenant.url.startswith("https://127.0.0.1:")
        assert session.get("/profiles/v2/me").status_code == 200
        localhost = tenant.url.replace("127.0.0.1", "localhost")
        assert session.get(f"{localhost}/tenants").status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{tenant.url}/tenants", timeout=TIMEOUT_S)
        assert stat.S_IMODE((tmp_path / "server.pem").stat().st_mode) == 0o600
        assert b"PRIVATE KEY" not in (tmp_path / "ca.pem").read_bytes()
        ca = (tmp_path / "ca.pem").read_bytes()
    with Sandbox(tmp_path, tls=True) as tenant:
        assert Path(tenant.ca_file or "").read_bytes() == ca


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_a_path_arrives_as_it_was_sent(monkeypatch: pytest.MonkeyPatch, parser: str) -> None:
    monkeypatch.setattr(http_server, "_http_parser", lambda: parser)
    paths = ["//token", "/files/v2/a//b%2Fc;d=1/%23", "/a/../b/./c", "/%C3%A9%00", "/a%zz", "//", '/a:b@c[d]{e}|^`"<>']
    with Sandbox() as tenant:
        connection = http.client.HTTPConnection(tenant.url.partition("//")[2], timeout=TIMEOUT_S)
        for path in paths:
            connection.request("GET", f"{path}?x=/y")
            connection.getresponse().read()
        connection.close()
        assert [each["path"] for each in tenant.requests] == paths


def test_a_slow_caller_holds_nobody_up(tenant: Sandbox) -> None:
    port = int(tenant.url.rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    for each in slow:
        each.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant")
    assert requests.get(f"{tenant.url}/tenants", timeout=TIMEOUT_S).status_code == 200
    for each in slow:
        each.close()


def test_a_short_answer_comes_in_one_piece(tenant: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", int(tenant.url.rpartition(":")[2])), TIMEOUT_S) as line:
        for ending in ("", "Connection: close\r\n"):
            line.sendall(f"GET /tenants HTTP/1.1\r\nHost: localhost\r\n{ending}\r\n".encode())
            head, _, body = line.recv(1 << 16).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert json.loads(body)["status"] == "success"
        assert line.recv(1) == b""


def test_a_missing_server_stack_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None\nfrom agavepy.sandbox import Sandbox"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=60,
        check=False,
    )
    assert 'pip install "agavepy[sandbox]"' in run.stderr.splitlines()[-1]


# The command


def command(*arguments: str) -> subprocess.Popen[str]:
    code = "import sys; from agavepy.sandbox.command import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
    )


def greeting_of(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    lines = iter(running.stdout.readline, "")
    text = ""
    for line in lines:
        text += line
        if line.startswith("Ctrl-C"):
            break
    return text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("tls", [[], ["--tls"]], ids=["http", "https"])
def test_the_lines_the_command_prints_connect(tmp_path: Path, number: int, tls: list[str]) -> None:
    running = command("--root", str(tmp_path / "root"), "--user", "ada:pass word", "--token-ttl", "60", *tls)
    text = greeting_of(running)
    assert "ada" in text
    lines = [line for line in text.splitlines() if line.startswith(("from ", "ag = ", "print("))]
    assert len(lines) == 3
    pasted = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=60,
        check=False,
    )
    running.send_signal(number)
    _, errors = running.communicate(timeout=30)
    assert (pasted.stdout, running.returncode, errors) == ("ada\n", 0, ""), pasted.stderr


def test_a_port_in_use_is_one_clear_line(tenant: Sandbox) -> None:
    port = tenant.url.rpartition(":")[2]
    running = command("--port", port)
    output, errors = running.communicate(timeout=30)
    assert (output, running.returncode) == ("", 1)
    assert errors == f"agavepy sandbox: port {port} is in use; choose another with --port, or none to get a free one\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--root", ""],
        ["--port", "x"],
        ["--port", "70000"],
        ["--token-ttl", "0"],
        ["--user", "ada"],
        ["--smtp", "localhost"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_explained(arguments: list[str]) -> None:
    running = command(*arguments)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert arguments[0] in errors


def test_a_root_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    running = command("--root", str(tmp_path / "file"))
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert errors == f"agavepy sandbox: {tmp_path}/file is a file; a tenant keeps everything in a folder.\n"


@pytest.mark.parametrize("tls", [False, True])
def test_what_a_tenant_keeps_is_for_its_owner_in_a_folder_of_everybodys_too(tmp_path: Path, tls: bool) -> None:
    tmp_path.chmod(0o755)
    earlier = os.umask(0o022)
    try:
        with Sandbox(tmp_path, tls=tls) as tenant, Http(tenant):
            readable = {each.name for each in tmp_path.iterdir() if each.stat().st_mode & 0o077}
    finally:
        os.umask(earlier)
    assert readable <= {"lock", "ca.pem"}  # one is empty, the other for everybody


def test_a_client_that_does_not_read_is_let_go_when_the_tenant_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agavepy.sandbox.http_server._GRACE_S", 0.1)
    with Sandbox() as tenant, Http(tenant) as http:
        files = {"fileToUpload": ("big", b"x" * 20_000_000)}
        http.post("/files/v2/media/system/sandbox-storage/sandbox", files=files).raise_for_status()
        answer = http.get("/files/v2/media/system/sandbox-storage/sandbox/big", stream=True)
        assert answer.status_code == 200
        tenant.stop()
        answer.close()
    gc.collect()  # a socket left open would warn here, and warnings are errors


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_client_that_only_keeps_its_connection_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tls: bool
) -> None:
    monkeypatch.setattr("agavepy.sandbox.http_server._GRACE_S", float("inf"))  # who waits for it waits for ever
    tenant = Sandbox(tls=tls).start()
    with Http(tenant) as http:
        assert http.get("/tenants").status_code == 200
        stopping = threading.Thread(target=tenant.stop, daemon=True)
        stopping.start()
        stopping.join(TIMEOUT_S)
        assert not stopping.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_clients_that_leave_in_the_middle_of_a_file_are_no_trouble(caplog: pytest.LogCaptureFixture, tls: bool) -> None:
    path = "/files/v2/media/system/sandbox-storage/sandbox"
    with Sandbox(tls=tls) as tenant, Http(tenant) as http:
        for name, size in (("big", 30_000_000), ("small", 900_000)):
            http.post(path, files={"fileToUpload": (name, bytes(size))}).raise_for_status()
            for _ in range(40):
                answer = http.get(f"{path}/{name}", stream=True)
                answer.raw.read(1 << 16)
                answer.close()
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_answer_being_read_when_the_tenant_stops_arrives_whole(tls: bool) -> None:
    content = os.urandom(5_000_000)
    tenant = Sandbox(tls=tls).start()
    with Http(tenant) as http:
        path = "/files/v2/media/system/sandbox-storage/sandbox"
        http.post(path, files={"fileToUpload": ("big", content)}).raise_for_status()
        answer = http.get(f"{path}/big", stream=True)
        stopping = threading.Thread(target=tenant.stop)
        stopping.start()
        assert answer.content == content
        stopping.join()
