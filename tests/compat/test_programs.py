"""Ten programs as they were written for earlier releases, each a process of its own, against a tenant over TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

from ..test_prompts import OWN_THE_TERMINAL, at_terminal

PROGRAMS = Path(__file__).parent / "programs"
NAME, PASSWORD = "nryan", "tiptop-password"
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def secure() -> Iterator[Sandbox]:
    """A tenant with a certificate."""
    with Sandbox(tls=True, users={NAME: PASSWORD, "maria": "another-password"}) as running:
        yield running


@pytest.fixture
def login(secure: Sandbox) -> Iterator[Agave]:
    client = secure.client()
    yield client
    client.close()


def run(program: str, secure: Sandbox, folder: Path, *arguments: str, **variables: str) -> list[str]:
    """Return the lines that a program prints; it starts in ``folder``, with its home there."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / f"{program}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=folder,
        env={**settings(secure, folder), **variables},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def settings(secure: Sandbox, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAPIS", "AGAVE", "_abaco"))}
    places = {"SYSTEM": "sandbox-storage", "EXECUTION_SYSTEM": "sandbox-exec", "HOME_FOLDER": NAME}
    trust = {"REQUESTS_CA_BUNDLE": secure.ca_file or ""}
    return {**kept, **places, **trust, "HOME": str(folder), "SERVER": secure.url}


def test_a_command_line_tool(secure: Sandbox, tmp_path: Path) -> None:
    shown = run(
        "command_line",
        secure,
        tmp_path,
        *("--username", NAME, "--password", PASSWORD),
        TAPIS_TENANTS_URL=f"{secure.url}/tenants",
        TAPIS_DEFAULT_TENANT_ID="sandbox",
    )
    assert shown[:2] == ["filed []", f"filed True True {NAME} sandbox"]
    assert [line.split() for line in shown[3:5]] == [["sandbox-exec", "EXECUTION"], ["sandbox-storage", "STORAGE"]]
    assert shown[5:] == ["error 404 error True", "bad argument True"]


def test_a_portal_with_a_client_per_request(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    assert run("portal", secure, tmp_path, TOKEN=str(login._token)) == [
        "folder True",
        "tide #1.txt",
        "200 ['.', 'tide #1.txt'] str",
        "404 401 401",
        "200 b'high\\n' False",
        "['maria', 'nryan']",
        "None",
    ]


def test_a_workflow_engine_that_logs_in_again(secure: Sandbox, tmp_path: Path) -> None:
    key, secret = secure.api_client()
    shown = run(
        "workflow_engine",
        secure,
        tmp_path,
        API_SERVER=secure.url,
        USERNAME=NAME,
        PASSWORD=PASSWORD,
        API_KEY=key,
        API_SECRET=secret,
    )
    assert shown == ["None", "nryan 1", "FINISHED", "True str", "b'5'"]


def test_a_notebook_that_asks(secure: Sandbox, tmp_path: Path) -> None:
    screen = at_terminal(
        OWN_THE_TERMINAL + (PROGRAMS / "notebook.py").read_text(),
        ("interact with: ", "sandbox"),
        ("API username: ", NAME),
        ("API password: ", PASSWORD),
        timeout_s=TIMEOUT_S,
        **{**settings(secure, tmp_path), "TENANTS_URL": f"{secure.url}/tenants"},
    )
    lines = screen.text.splitlines()
    assert screen.exit_code == 0, screen.text
    assert ["my_super_cool_client", "my", "client's", "desciption"] in [line.split() for line in lines]
    assert ["Apps", "v2", "admin"] in [line.split() for line in lines]
    assert [line for line in lines if line.startswith(("sandbox True", "True", "sandbox nryan"))] == [
        "sandbox True",
        "True True my_super_cool_client",
        "True True",
        "True",
        "sandbox nryan my_super_cool_client True",
    ]
    assert lines[-2:] == ["nryan", "None"]
    assert PASSWORD not in screen.text


def test_a_script_that_lives_off_the_login_of_another(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    login.save_configs(tmp_path / ".agave")
    (tmp_path / ".agave" / "config.json").unlink()  # as the command line left it
    assert run("restored", secure, tmp_path) == ["nryan True", "True True", "[] True", "AgaveError", "1 True"]


def test_an_analysis_spread_over_actors(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    assert run("executor", secure, tmp_path, TOKEN=str(login._token)) == [
        "[[20, 30]]",
        "[[], [18], [32]]",
        "[[15]]",
        "False",
    ]


def test_a_service_that_keeps_its_tokens_itself(secure: Sandbox, tmp_path: Path) -> None:
    key, secret = secure.api_client()
    shown = run("service", secure, tmp_path, API_KEY=key, API_SECRET=secret, USERNAME=NAME, PASSWORD=PASSWORD)
    assert shown == ["True True", "nryan True", "True", "nryan", "nryan True"]


def test_a_library_with_a_client_of_its_own_class(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    assert run("library", secure, tmp_path, TOKEN=str(login._token)) == [
        "[('tide.txt', 5)]",
        "no such file: nothing",
        "2 True None",
        "206 b'hi'",
    ]


def test_transfers_as_futures(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    shown = run("transfers", secure, tmp_path, TOKEN=str(login._token))
    assert shown == ["FINISHED", "FINISHED True FINISHED", "no future"]


def test_the_container_of_an_actor(secure: Sandbox, login: Agave, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TAPIS_BASE_URL={secure.url}\nTAPIS_TOKEN={login._token}\n")
    shown = run(
        "container",
        secure,
        tmp_path,
        MSG='{"greeting": "hello"}',
        _abaco_api_server=secure.url,
        _abaco_access_token=str(login._token),
        _abaco_username=NAME,
    )
    assert shown == ["hello True nryan", "nryan True", "True nryan", "True True"]
