"""TAPIS_PY_SHOW_CURL: each request as a command to paste, without what lets somebody in."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy import curl
from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

from .recording import Recorder


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop secret"}) as running:
        yield running


@pytest.fixture(autouse=True)
def _shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_PY_SHOW_CURL", "1")


def command(method: str = "GET", url: str = "https://x/y", **more: Any) -> str:
    prepared = requests.Request(method, "https://x/y", **more).prepare()
    prepared.url = url
    return curl.command(prepared)


@pytest.mark.parametrize("value", ["1", "true", "YES", " yes "])
def test_it_is_asked_for_by_a_variable(
    ag: Agave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("TAPIS_PY_SHOW_CURL", value)
    ag.systems.list()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"curl -H 'Accept: application/json' -H \"Authorization: Bearer $TOKEN\" {ag.api_server}/systems/v2/\n"
    )


@pytest.mark.parametrize("value", ["", "0", "no", "false", None])
def test_without_it_nothing_is_shown(
    ag: Agave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("TAPIS_PY_SHOW_CURL")
    else:
        monkeypatch.setenv("TAPIS_PY_SHOW_CURL", value)
    ag.systems.list()
    assert capsys.readouterr().err == ""


def test_a_whole_session_shows_no_secret(tenant: Sandbox, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ag = Agave(api_server=tenant.url, username="nryan", password=tenant.password)
    made = ag.clients_create("curly")
    ag.get_access_token()
    ag.save_configs(tmp_path)
    secrets = [ag.token, ag.refresh_token]
    ag.refresh()  # in a process of its own, whose stderr is ours
    secrets += [ag.token, ag.refresh_token, *made.values(), tenant.password, "tiptop+secret", "tiptop%20secret"]
    secrets.append(ag.get_client_token())
    ag.profiles.get()
    ag.logout()
    ag.password = tenant.password
    ag.clients_delete()
    shown = capfd.readouterr().err
    secrets.remove("curly")
    assert [secret for secret in secrets if str(secret) in shown] == []
    assert shown.count("curl -X POST") == 6  # the client, three grants, two tokens given back
    assert '-u "$USERNAME:$PASSWORD"' in shown
    assert '-u "$API_KEY:$API_SECRET"' in shown
    assert '--data-urlencode "password=$PASSWORD"' in shown
    assert '--data-urlencode "refresh_token=$REFRESH_TOKEN"' in shown
    assert "--data-urlencode grant_type=password" in shown


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("text", ["plain", "it's", 'a"b\\c$HOME`id`!!', "new\nline", "é 日", "$TOKEN", "a  b"])
def test_what_is_shown_can_be_pasted(
    tenant: Sandbox, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ag = tenant.client()
    ag.profiles.get()
    capsys.readouterr()
    ag.clients.list(query={"note": text})
    shown = capsys.readouterr().err
    environment = {"PATH": os.environ["PATH"], "TOKEN": str(ag.token), "USERNAME": "nryan", "PASSWORD": tenant.password}
    done = subprocess.run(
        ["bash", "-c", shown], capture_output=True, text=True, env=environment, check=True, timeout=30
    )
    assert json.loads(done.stdout)["status"] == "success"
    last, before = tenant.requests[-1], tenant.requests[-2]
    assert (last["operation"], last["user"]) == (before["operation"], before["user"]) == ("clients.list", "nryan")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("text", ["plain", "it's", 'a"b\\c$HOME`id`!!', "new\nline", "é 日", "$TOKEN", "a  b", "$(id)"])
def test_a_body_reaches_the_shell_as_it_is_but_for_its_secrets(text: str) -> None:
    shown = command("POST", json={"note": text, "password": "tiptop", "it's": [text, {"apiKey": "k-1"}]})
    assert "tiptop" not in shown
    assert "k-1" not in shown
    show = f'curl() {{ printf "%s\\0" "$@"; }}; PASSWORD=mine API_KEY=key\n{shown}'
    words = subprocess.run(["bash", "-c", show], capture_output=True, text=True, check=True, timeout=30).stdout
    body = words.split("\0")[words.split("\0").index("--data-binary") + 1]
    assert json.loads(body) == {"note": text, "password": "mine", "it's": [text, {"apiKey": "key"}]}


def test_secrets_in_bodies_are_found_at_every_depth() -> None:
    body = {
        "storage": {"auth": {"type": "SSHKEYS", "username": "n", "privateKey": "p-1", "publicKey": "p-2"}},
        "credential": {"name": "c-1"},
        "access_tokens": [],
        "tokens": ["t-1", {"value": "t-2"}],
        "url": "https://nryan:u-1@example.org/hook?nonce=n-1&event=x",
        "client_secret": 54321,
        "isTokenNeeded": True,
    }
    shown = command("POST", json=body)
    assert not [each for each in ("p-1", "p-2", "c-1", "t-1", "t-2", "u-1", "n-1", "54321") if each in shown]
    assert "https://example.org/hook?nonce=$NONCE" in shown.replace("'\"", "").replace("\"'", "")
    assert "SSHKEYS" in shown
    assert "true" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/files/v2?x-nonce=n-1", '"https://x/files/v2?x-nonce=$NONCE"'),
        ("https://x/a?nonce=n-1&limit=2", '"https://x/a?nonce=$NONCE&limit=2"'),
        ("https://user:pa@x/a?b=1", "'https://x/a?b=1'"),
        ("https://x/actors/v2/A/nonces/n-1", '"https://x/actors/v2/A/nonces/$NONCE"'),
        ("https://x/postits/v2/n-1?a=1", '"https://x/postits/v2/$NONCE?a=1"'),
        ("https://x/a?access_token=n-1", '"https://x/a?access_token=$ACCESS_TOKEN"'),
    ],
)
def test_secrets_in_addresses(url: str, shown: str) -> None:
    assert command(url=url) == f"curl {shown}"


def test_headers_that_may_hold_a_secret_are_variables() -> None:
    headers = {"X-JWT-Assertion-tenant": "j-1", "Authorization": "Digest d-1", "Cookie": "c-1", "Range": "bytes=0-1"}
    shown = command(headers=headers)
    assert not [each for each in ("j-1", "d-1", "c-1") if each in shown]
    assert '-H "X-JWT-Assertion-tenant: $X_JWT_ASSERTION_TENANT"' in shown
    assert "-H 'Range: bytes=0-1'" in shown


def test_an_upload_is_shown_without_being_read(
    ag: Agave, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO(b"the content")
    ag.files.importData(systemId="data", filePath="/home", fileToUpload=file, fileName='my "own" file.txt')
    shown = capsys.readouterr().err
    assert "the content" not in shown
    assert "-F 'fileToUpload=@FILE;filename=" in shown
    assert "multipart/form-data" not in shown


def test_a_body_that_is_no_document_is_not_shown() -> None:
    assert command("PUT", data=b"\x00secret").endswith("--data-binary @BODY https://x/y")


def test_certificates_are_part_of_it() -> None:
    prepared = requests.Request("HEAD", "https://x/y").prepare()
    assert curl.command(prepared, verify=False) == "curl --head --insecure https://x/y"
    assert curl.command(prepared, verify="/my ca.pem") == "curl --head --cacert '/my ca.pem' https://x/y"


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    shown = command("POST", headers={"Range": "\x1b[2J"}, json={"a": "\x9b31m\u202e"})
    assert all(letter.isprintable() for letter in shown)
