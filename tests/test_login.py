"""``agavepy login``, ``logout`` and ``sessions``, against a tenant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy import cli, login
from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError
from agavepy.sandbox import Sandbox
from agavepy.sessions import Cache, Session

from .test_prompts import ROOT, at_terminal, environment

COMMAND = "import sys; from agavepy.cli import main; sys.exit(main({arguments!r}))"


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop secret", "other": "of the other"}) as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, tenant: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and the tenant's name and password in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    monkeypatch.setenv("TAPIS_USERNAME", tenant.username)
    monkeypatch.setenv("TAPIS_PASSWORD", tenant.password)
    return tmp_path


@pytest.fixture
def cache(home: Path) -> Cache:
    return Cache()


def run(*arguments: str) -> int:
    return cli.main(arguments)


def stored(cache: Cache) -> dict[str, Any]:
    """Return the current session as the file has it."""
    content: dict[str, Any] = json.loads(cache.current_path.read_text())
    return content


def secrets_of(cache: Cache, tenant: Sandbox) -> list[str]:
    entry = stored(cache)
    return [tenant.password, *(entry[name] for name in ("access_token", "refresh_token", "apisecret", "apikey"))]


# login


def test_a_login_files_a_session_with_which_programs_go_on(
    tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("login", "--tenant", "sandbox") == 0
    printed = capsys.readouterr()
    name = stored(cache)["client_name"]
    assert printed.out.splitlines() == [
        f"Logged in at sandbox ({tenant.url}) as nryan, by the OAuth client {name}.",
        f"The session is filed in {cache.config_path}; its token expires in 4 hours, renewed by itself.",
    ]
    assert not any(secret in printed.out + printed.err for secret in secrets_of(cache, tenant))
    assert Agave.restore().profiles.get().username == "nryan"


def test_the_person_at_the_terminal_is_asked_for_what_is_missing(tenant: Sandbox, tmp_path: Path) -> None:
    variables = {"TAPIS_TENANTS_URL": f"{tenant.url}/tenants", "HOME": str(tmp_path), "NO_COLOR": "1"}
    screen = at_terminal(
        COMMAND.format(arguments=["login"]),
        ("Please specify the ID for the tenant you wish to interact with: ", "sandbox"),
        ("API username: ", "nryan"),
        ("API password: ", "tiptop secret"),
        **variables,
    )
    assert screen.exit_code == 0
    assert f"Logged in at sandbox ({tenant.url}) as nryan" in screen.text
    assert "tiptop" not in screen.text


def test_the_address_finds_the_tenant(tenant: Sandbox, cache: Cache) -> None:
    assert run("login", "--api-server", f"{tenant.url}/") == 0
    assert stored(cache)["tenantid"] == "sandbox"


def test_the_environment_names_the_tenant(tenant: Sandbox, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_BASE_URL", tenant.url)
    assert run("login") == 0
    assert stored(cache)["baseurl"] == tenant.url


def test_a_tenant_that_is_not_listed_is_named_with_its_address(
    tenant: Sandbox, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPIS_TENANTS_URL", "http://127.0.0.1:9/tenants")
    assert run("login", "--tenant", "mine", "--api-server", tenant.url) == 0
    assert cache.find(tenant_id="mine").username == "nryan"


def test_a_second_login_uses_the_oauth_client_of_the_first(tenant: Sandbox, cache: Cache) -> None:
    assert run("login", "--tenant", "sandbox") == 0
    first = stored(cache)
    made = len(Agave.restore(username="nryan", password=tenant.password).clients.list())
    assert run("login", "--tenant", "sandbox") == 0
    second = stored(cache)
    assert second["apikey"] == first["apikey"]
    assert second["access_token"] != first["access_token"]
    assert len(Agave.restore(username="nryan", password=tenant.password).clients.list()) == made


def test_another_user_gets_a_client_of_their_own(
    tenant: Sandbox, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("login", "--tenant", "sandbox") == 0
    first = stored(cache)["apikey"]
    monkeypatch.setenv("TAPIS_USERNAME", "other")
    monkeypatch.setenv("TAPIS_PASSWORD", "of the other")
    assert run("login", "--tenant", "sandbox", "--username", "other") == 0
    assert stored(cache)["apikey"] != first
    assert {session.username for session in cache.own()} == {"nryan", "other"}


def test_the_secret_of_a_client_is_shown_to_no_other_server(tenant: Sandbox, cache: Cache) -> None:
    cache.save(
        Session(
            tenant_id="sandbox",
            api_server="https://elsewhere.example.org",
            username="nryan",
            client_name="theirs",
            api_key="k",
            api_secret="s",
            token="t",
        )
    )
    assert run("login", "--tenant", "sandbox") == 0
    assert stored(cache)["apikey"] != "k"


def test_a_client_that_was_deleted_is_replaced(
    tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("login", "--tenant", "sandbox", "--client", "short-lived") == 0
    ag = Agave(api_server=tenant.url, username="nryan", password=tenant.password)
    ag.clients_delete("short-lived")
    assert run("login", "--tenant", "sandbox", "--client", "short-lived") == 0
    assert "does not know the OAuth client short-lived any more: making another" in capsys.readouterr().err
    assert Agave.restore().profiles.get().username == "nryan"
    ag.clients_delete("short-lived")


def test_a_name_that_is_taken_says_what_to_do(tenant: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("login", "--tenant", "sandbox", "--client", "DefaultApplication") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Choose another name, or delete that client first" in error


@pytest.mark.parametrize("is_known", [False, True])
def test_a_wrong_password_is_one_clear_line(
    tenant: Sandbox,
    cache: Cache,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_known: bool,
) -> None:
    if is_known:
        assert run("login", "--tenant", "sandbox") == 0
        before = stored(cache)
    monkeypatch.setenv("TAPIS_PASSWORD", "wrong guess")
    assert run("login", "--tenant", "sandbox") == 1
    error = capsys.readouterr().err
    assert error.startswith("agavepy: ")
    assert error.count("\n") == 1
    assert "Are 'nryan' and the password right?" in error
    assert "wrong guess" not in error
    assert cache.sessions() == [] if not is_known else stored(cache) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tenant", "sandbix"], "No tenant 'sandbix'. Did you mean 'sandbox'?"),
        (["--api-server", "http://127.0.0.1:9"], "No tenant at http://127.0.0.1:9"),
        (["--tenant", "x", "--api-server", "http://127.0.0.1:9"], "no answer from http://127.0.0.1:9"),
        (["--tenant", "x", "--api-server", "ftp://x"], "an address begins with https://"),
        (["--tenant", "x", "--api-server", "http://example.org"], "is not https"),
        (["--tenant", "sandbox", "--cache-dir", "/proc/none"], "/proc/none cannot be written"),
    ],
)
def test_a_failure_is_one_clear_line(
    tenant: Sandbox, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    made = len(tenant.requests)
    assert run("login", *arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not [request for request in tenant.requests[made:] if request["method"] == "POST"]


def test_without_a_terminal_it_says_which_variable_to_set(tenant: Sandbox, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agavepy", "login", "--tenant", "sandbox"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        cwd=ROOT,
        env=environment(HOME=str(tmp_path), TAPIS_TENANTS_URL=f"{tenant.url}/tenants"),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Set TAPIS_USERNAME" in done.stderr
    assert done.stderr.count("\n") == 1


def test_ctrl_c_at_a_prompt_ends_it_cleanly(tenant: Sandbox, tmp_path: Path) -> None:
    screen = at_terminal(
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        + COMMAND.format(arguments=["login", "--tenant", "sandbox", "--username", "nryan"]),
        ("API password: ", "\x03"),
        HOME=str(tmp_path),
        TAPIS_TENANTS_URL=f"{tenant.url}/tenants",
    )
    assert screen.exit_code == 1
    assert screen.text.endswith("\nagavepy: interrupted\n")
    assert "Traceback" not in screen.text


# logout


def test_a_logout_gives_the_tokens_back_and_forgets_the_session(
    tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    run("login", "--tenant", "sandbox")
    entry = stored(cache)
    capsys.readouterr()
    assert run("logout") == 0
    assert capsys.readouterr().out == f"Logged out: nryan, by the OAuth client {entry['client_name']}, at sandbox.\n"
    assert cache.own() == []
    assert not any(secret in cache.config_path.read_text() for secret in (entry["access_token"], entry["apisecret"]))
    with pytest.raises(AgaveHTTPError, match="401"):
        Agave(api_server=tenant.url, token=entry["access_token"]).profiles.get()
    renewing = Agave(
        api_server=tenant.url,
        refresh_token=entry["refresh_token"],
        api_key=entry["apikey"],
        api_secret=entry["apisecret"],
    )
    with pytest.raises(AgaveHTTPError):
        renewing.profiles.get()


def test_what_is_given_back_is_what_stands_in_the_files(tenant: Sandbox, cache: Cache) -> None:
    run("login", "--tenant", "sandbox")
    ag = Agave.restore()
    Agave.restore().refresh()  # another program
    renewed = stored(cache)["access_token"]
    assert renewed != ag.token
    ag.logout()
    with pytest.raises(AgaveHTTPError, match="401"):
        Agave(api_server=tenant.url, token=renewed).profiles.get()


def test_after_a_logout_the_client_does_not_log_in_again_by_itself(tenant: Sandbox) -> None:
    ag = tenant.client()
    ag.logout()
    assert (ag.token, ag.refresh_token, ag.password) == (None, None, None)
    with pytest.raises(AgaveError, match="not logged in"):
        ag.profiles.get()


def test_a_token_whose_client_is_not_known_is_forgotten_and_said_so(tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, token="t")
    with pytest.raises(AgaveError, match=r"forgotten here, but its tokens were not given back .*OAuth client"):
        ag.logout()
    assert ag.token is None


def test_a_server_that_is_not_there_keeps_nobody_from_logging_out(
    cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(users={"nryan": "tiptop secret"}) as gone:
        assert run("login", "--tenant", "gone", "--api-server", gone.url) == 0
        entry = stored(cache)
    capsys.readouterr()
    assert run("logout") == 1
    printed = capsys.readouterr()
    assert "The session is forgotten here, but its tokens were not given back" in printed.err
    assert "no answer from http://127.0.0.1" in printed.err
    assert printed.err.count("\n") == 1
    assert not any(entry[name] in printed.err for name in ("access_token", "refresh_token", "apisecret"))
    assert cache.own() == []


def test_all_sessions_can_be_ended_at_once(tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    run("login", "--tenant", "sandbox", "--client", "one")
    run("login", "--tenant", "sandbox", "--client", "two")
    cache.save(Session(tenant_id="gone", api_server="http://127.0.0.1:9", username="n", client_name="c", api_key="k",
                       api_secret="s", token="t"))  # fmt: skip
    capsys.readouterr()
    assert run("logout", "--all") == 1
    printed = capsys.readouterr()
    assert printed.out.count("Logged out: nryan") == 2
    assert printed.err.count("forgotten here") == 1
    assert cache.own() == []
    ag = Agave(api_server=tenant.url, username="nryan", password=tenant.password)
    for name in ("one", "two"):
        ag.clients_delete(name)


def test_other_sessions_stay(tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    cache.save(Session(tenant_id="t", api_server="https://t.example.org", username="n", client_name="c", token="t"))
    run("login", "--tenant", "sandbox")
    assert run("logout") == 0
    assert [session.tenant_id for session in cache.own()] == ["t"]
    assert run("logout") == 1
    assert "No current session in" in capsys.readouterr().err


def test_nobody_to_log_out_is_one_clear_line(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (["logout"], "No current session in"), (["logout", "--all"], "No session in"):
        assert run(*arguments) == 1
        assert capsys.readouterr().err == f"agavepy: {words} {cache.config_path}.\n"


def test_a_session_others_wrote_oddly_is_forgotten_wherever_it_stands(cache: Cache) -> None:
    session = Session(tenant_id="t", username="u", client_name="c", api_key="k", token="a")
    entry = {"tenantid": "t", "username": "u", "apikey": "k", "access_token": "a"}
    foreign = {"apikey": "other", "username": "u", "mine": 1}
    cache.folder.mkdir()
    cache.config_path.write_text(
        json.dumps({"current": 5, "sessions": {"t": {"u": {"k": entry, "b": foreign}, "v": 7}, "w": []}, "more": 1})
    )
    cache.current_path.write_text(json.dumps([entry, foreign]))
    cache.forget(session)
    config = json.loads(cache.config_path.read_text())
    assert config == {"current": 5, "sessions": {"t": {"u": {"b": foreign}, "v": 7}, "w": []}, "more": 1}
    assert json.loads(cache.current_path.read_text()) == [foreign]


# sessions


def test_sessions_are_listed_without_their_secrets(
    tenant: Sandbox, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.save(Session(tenant_id="old", api_server="https://o", username="n", client_name="c", token="gone-by",
                       created_at=time.time() - 7200 - 3 * 86400 - 60, expires_in=7200.0))  # fmt: skip
    cache.save(Session(tenant_id="keyed", api_server="https://k", username="n", api_key="the-key", token="t-1"))
    run("login", "--tenant", "sandbox", "--client", "listed")
    capsys.readouterr()
    assert run("sessions") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TENANT", "USER", "CLIENT", "TOKEN", "EXPIRES"]
    assert [line[0] for line in lines[1:]] == ["*", " ", " "]
    assert lines[1].split(maxsplit=4)[1:] == ["sandbox", "nryan", "listed", "in 4 hours, renewed by itself"]
    assert lines[2].endswith("3 days ago")
    assert lines[3].endswith("at a time not known")
    shown = "\n".join(lines)
    assert not any(secret in shown for secret in (*secrets_of(cache, tenant), "gone-by", "the-key", "t-1"))
    Agave(api_server=tenant.url, username="nryan", password=tenant.password).clients_delete("listed")


def test_no_session_is_no_failure(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sessions") == 0
    assert capsys.readouterr().out == f"No session in {cache.config_path}. Run 'agavepy login'.\n"


def test_the_folder_can_be_named(tenant: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--cache-dir", str(tmp_path / "here")]
    assert run("login", "--tenant", "sandbox", *folder) == 0
    assert not (tmp_path / ".agave").exists()
    assert run("sessions", *folder) == 0
    assert run("logout", *folder) == 0
    assert Cache(tmp_path / "here").own() == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (100, "100 seconds"),
        (119, "2 minutes"),
        (5400, "90 minutes"),
        (14399, "4 hours"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert login._in_words(seconds) == words


# The OAuth client by itself


def test_an_oauth_client_gets_a_token_of_its_own(tenant: Sandbox) -> None:
    ag = tenant.client()
    before = ag.token
    token = ag.get_client_token()
    assert ag.token == before != token
    assert Agave(api_server=tenant.url, token=token).profiles.get().username == "nryan"


def test_a_client_token_takes_an_oauth_client(tenant: Sandbox) -> None:
    with pytest.raises(AgaveError, match="takes its key and secret"):
        Agave(api_server=tenant.url, token="t").get_client_token()


def test_an_interrupted_command_is_one_line(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*unused: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", interrupted)
    assert run("login", "--tenant", "sandbox") == 1
    assert capsys.readouterr().err == "agavepy: interrupted\n"
