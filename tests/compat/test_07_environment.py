"""Promises 7.x: variables and .env files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agavepy import environment
from agavepy.agave import Agave
from agavepy.errors import AgaveError

from ..recording import Recorder

SHOW = "from agavepy.agave import Agave; ag = Agave.restore(); print(ag.api_server, ag._token)"


@pytest.mark.promise("7.1")
def test_the_cache_folder_is_named_by_either_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_CACHE_DIR", str(tmp_path / "agave"))
    assert Agave.tapis_cache_path() == str(tmp_path / "agave")
    monkeypatch.setenv("TAPIS_CACHE_DIR", str(tmp_path / "tapis"))
    assert Agave.tapis_cache_path() == str(tmp_path / "tapis")


@pytest.mark.promise("7.2")
def test_a_login_can_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_BASE_URL", "https://x")
    with pytest.raises(AgaveError):
        Agave.restore()
    monkeypatch.setenv("TAPIS_USERNAME", "u")
    monkeypatch.setenv("TAPIS_PASSWORD", "p")
    ag = Agave.restore()
    assert (ag.username, ag.password, ag._token) == ("u", "p", None)
    monkeypatch.setenv("TAPIS_TOKEN", "t")
    monkeypatch.setenv("TAPIS_REFRESH_TOKEN", "r")
    monkeypatch.setenv("TAPIS_API_KEY", "k")
    monkeypatch.setenv("TAPIS_TENANT_ID", "sd2e")
    ag = Agave._restore_env()
    assert (ag._token, ag._refresh_token, ag.api_key, ag.tenant_id) == ("t", "r", "k", "sd2e")


@pytest.mark.promise("7.3")
@pytest.mark.parametrize("place", ["work/deep", "work", "home"])
def test_a_dotenv_file_is_read_from_the_current_folder_upward_then_at_home(
    tmp_path: Path, home: Path, place: str
) -> None:
    work = tmp_path / "work" / "deep"
    work.mkdir(parents=True)
    (tmp_path / place / ".env").write_text("TAPIS_BASE_URL=https://x\nexport TAPIS_TOKEN='t'\nOTHER=1\n")
    assert run(SHOW, cwd=work) == "https://x t\n"
    assert run(SHOW, cwd=work, TAPIS_TOKEN="wins") == "https://x wins\n"
    assert run("import os, agavepy.settings; print(os.environ.get('OTHER'))", cwd=work) == "None\n"


@pytest.mark.promise("7.3")
def test_a_dotenv_file_has_quotes_comments_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "nryan")
    for name in ("A", "B", "C", "D", "E"):
        monkeypatch.setenv(f"TAPIS_X{name}", "")  # so that they are gone after the test
        monkeypatch.delenv(f"TAPIS_X{name}")
    lines = ["# a comment", "TAPIS_XA = plain # not this", 'TAPIS_XB="of ${NAME} # this"', "TAPIS_XC='${NAME}'"]
    (tmp_path / ".env").write_text("\n".join([*lines, "TAPIS_XD=", "TAPIS_XE=a=b#c", "no pair", "=x"]))
    monkeypatch.chdir(tmp_path)
    assert environment.load_dotenv() == tmp_path / ".env"
    seen = [os.environ[f"TAPIS_X{name}"] for name in ("A", "B", "C", "D", "E")]
    assert seen == ["plain", "of nryan # this", "${NAME}", "", "a=b#c"]


@pytest.mark.promise("7.3")
def test_a_dotenv_file_of_another_user_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("TAPIS_XA=theirs")
    monkeypatch.chdir(tmp_path)
    mine, owner = os.getuid(), (tmp_path / ".env").stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    monkeypatch.setattr(environment, "_TRUSTED_OWNERS", ())
    assert environment.load_dotenv() is None
    assert "belongs to another user" in caplog.text
    assert owner == mine


@pytest.mark.promise("7.3")
@pytest.mark.parametrize("folder", ["/" + "x" * 5000, "/dev/null/home", ""])
def test_a_home_that_cannot_be_looked_into_does_not_matter(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setenv("HOME", folder)
    monkeypatch.setattr(environment, "_current_folder", lambda: None)
    assert environment.load_dotenv() is None


@pytest.mark.promise("7.3")
def test_a_dotenv_file_that_is_not_text_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_bytes(b"TAPIS_XA=\xff")
    monkeypatch.chdir(tmp_path)
    environment.load_dotenv()
    assert "is not read" in caplog.text
    assert "TAPIS_XA" not in os.environ


@pytest.mark.promise("7.4")
def test_requests_are_shown_as_curl_commands(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPIS_PY_SHOW_CURL", "1")
    Agave(api_server=recorder.url, token="t-secret").apps.list()
    shown = capsys.readouterr().err
    assert shown.startswith("curl ")
    assert "t-secret" not in shown


@pytest.mark.promise("7.5")
@pytest.mark.parametrize("variable", ["TAPIS_PY_LOG_LEVEL", "TAPISPY_LOG_LEVEL"])
def test_the_level_of_the_log_is_set(tmp_path: Path, variable: str) -> None:
    show = "import logging, agavepy.agave; print(logging.getLogger('agavepy').level)"
    assert run(show, cwd=tmp_path, **{variable: "debug"}) == "10\n"
    assert run(show, cwd=tmp_path, **{variable: "nonsense"}) == "0\n"


@pytest.mark.promise("7.6")
def test_certificates_are_checked_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Agave().verify is True
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    assert (Agave().verify, Agave(verify=True).verify) == ("/ca.pem", True)
    with pytest.raises(AgaveError, match=r"REQUESTS_CA_BUNDLE='/ca\.pem'"):
        Agave(api_server="https://x", token="t").apps.list()
    monkeypatch.setenv("TAPIS_DEFAULT_VERIFY_SSL", "false")
    assert (Agave().verify, Agave(verify=True).verify) == (False, True)


def run(code: str, *, cwd: Path, **variables: str) -> str:
    """Return what a program prints that starts in a folder."""
    environ = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout
