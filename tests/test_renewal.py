"""One renewal for everybody who shares a session on disk, whatever the disk, the server and the clocks do."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy import renewal, sessions
from agavepy.agave import Agave, AgaveError
from agavepy.errors import AgaveHTTPError
from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sessions import Cache

ROOT = Path(__file__).parent.parent
TTL_S = 14400
NAME, PASSWORD = "nryan", "tiptop-password"
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, token_ttl_s=TTL_S, users={NAME: PASSWORD}) as running:
        yield running


@pytest.fixture(autouse=True)
def _one_time_for_all(clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sessions, "agpy_paths", list)
    monkeypatch.setattr(Agave, "_now", staticmethod(clock.now))


@pytest.fixture(params=["own process", "in line"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals in a process of their own, and where that is not possible."""
    if request.param == "in line":
        monkeypatch.setattr(renewal, "_can_outlive_us", lambda: False)


@pytest.fixture
def folder(tenant: Sandbox, tmp_path: Path) -> Path:
    """The folder of a session that has only its refresh token to renew it."""
    folder = tmp_path / "cache"
    ag = tenant.client()
    ag.tenant_id, ag.client_name = "sandbox", "DefaultApplication"
    ag.save_configs(folder)
    return folder


@pytest.fixture
def loaded(folder: Path) -> Iterator[Callable[[], Agave]]:
    """Makes clients that share the session, as so many processes would."""
    made: list[Agave] = []

    def load() -> Agave:
        made.append(Agave())
        made[-1].load_configs(folder)
        return made[-1]

    yield load
    for client in made:
        client.close()


Loaded = Callable[[], Agave]


def redemptions(tenant: Sandbox, since: int) -> list[int]:
    return [each["status"] for each in tenant.requests[since:] if each.get("grant_type") == "refresh_token"]


# One renewal


@pytest.mark.usefixtures("_both_ways")
def test_of_many_clients_one_renews_and_all_go_on(
    tenant: Sandbox, clock: ManualClock, folder: Path, loaded: Loaded
) -> None:
    clients = [loaded() for _ in range(4)]
    clock.advance(TTL_S)
    since = len(tenant.requests)
    at_once([client.profiles.get for client in clients for _ in range(4)])
    assert redemptions(tenant, since) == [200]
    assert {client._token for client in clients} == {Cache(folder).find().token}


def at_once(actions: list[Callable[[], Any]]) -> None:
    """Run actions in a thread each; none may fail."""
    failures: list[Exception] = []

    def run(action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("seconds", [0.0, 0.5, -DAY_S], ids=["same second", "half a second", "a clock put back"])
def test_what_another_process_filed_is_taken_whatever_the_clocks_say(
    tenant: Sandbox, folder: Path, loaded: Loaded, clock: ManualClock, seconds: float
) -> None:
    one, other = loaded(), loaded()
    one.refresh()
    clock.advance(seconds)
    other.refresh()  # takes what one has
    other.refresh()
    since = len(tenant.requests)
    assert one.profiles.get().username == NAME
    assert redemptions(tenant, since) == []
    assert one._token == other._token
    clock.advance(-seconds)


def test_saving_does_not_undo_what_another_process_renewed(loaded: Loaded, folder: Path) -> None:
    one, other = loaded(), loaded()
    other.refresh()
    one.save_configs(folder)
    assert one._token == other._token == Cache(folder).find().token
    one.refresh()


def test_saving_files_a_token_that_the_program_has_set(loaded: Loaded, folder: Path) -> None:
    one, other = loaded(), loaded()
    other.refresh()
    one.token = "from elsewhere"
    one.save_configs(folder)
    assert Cache(folder).find().token == "from elsewhere"


def test_a_name_that_became_known_later_makes_no_second_session(loaded: Loaded, folder: Path, tenant: Sandbox) -> None:
    config = json.loads((folder / "config.json").read_text())
    [entry] = config["current"].values()
    entry |= {"tenantid": "", "username": ""}
    named = {"DefaultApplication": entry}
    (folder / "config.json").write_text(json.dumps({"current": named, "sessions": {"": {"": named}}}))
    (folder / "current").unlink()
    one, other = loaded(), loaded()
    one.tenant_id, one.username = "sandbox", NAME  # as init() and a prompt do
    one.refresh()
    assert len(Cache(folder).sessions()) == 1
    since = len(tenant.requests)
    assert other.profiles.get().username == NAME
    assert redemptions(tenant, since) == []


def test_a_session_taken_out_of_the_files_does_not_come_back(loaded: Loaded, folder: Path) -> None:
    one = loaded()
    Cache(folder).forget(one._session())
    one.refresh()
    assert one.profiles.get().username == NAME
    assert Cache(folder).sessions() == []


def test_one_folder_serves_several_users(tenant: Sandbox, folder: Path, loaded: Loaded) -> None:
    tenant.add_user("other", "other-password")
    key, secret = tenant.api_client()
    other = Agave(api_server=tenant.url, username="other", password="other-password", api_key=key, api_secret=secret)
    other.save_configs(folder)
    mine = Agave()
    mine.load_configs(folder, username=NAME)
    at_once([mine.refresh, other.refresh])
    assert (mine.profiles.get().username, other.profiles.get().username) == (NAME, "other")
    assert {each.username: each.token for each in Cache(folder).sessions()} == {
        NAME: mine._token,
        "other": other._token,
    }


def test_a_life_of_seconds_is_not_over_when_it_is_read(folder: Path, loaded: Loaded, clock: ManualClock) -> None:
    one = loaded()
    one.token, one.created_at, one.expires_in = "of two seconds", clock.now() + 0.9, 2
    one.save_configs(folder)
    deadline = Cache(folder).find().deadline
    assert deadline is not None
    assert deadline >= clock.now() + 2.9


# A server that refuses


@pytest.mark.usefixtures("_both_ways")
def test_a_revoked_refresh_token_gives_way_to_the_password(
    tenant: Sandbox, clock: ManualClock, loaded: Loaded, folder: Path
) -> None:
    ag = loaded()
    ag.password = PASSWORD
    tenant.revoke_refresh_tokens(NAME)
    clock.advance(TTL_S)
    since = len(tenant.requests)
    assert ag.profiles.get().username == NAME
    assert redemptions(tenant, since) == [400]
    assert Cache(folder).find().token == ag._token


@pytest.mark.usefixtures("_both_ways")
def test_a_revoked_refresh_token_without_a_password_says_so(
    tenant: Sandbox, clock: ManualClock, loaded: Loaded, folder: Path
) -> None:
    ag, before = loaded(), (folder / "config.json").read_bytes()
    tenant.revoke_refresh_tokens(NAME)
    clock.advance(TTL_S)
    with pytest.raises(
        AgaveHTTPError, match="could not be renewed: 400 .* Authorization Grant is invalid .*agavepy login"
    ):
        ag.profiles.get()
    with pytest.raises(AgaveHTTPError, match="Provided Authorization Grant is invalid .*no longer good") as caught:
        ag.refresh()  # an error of the server, whichever process asked it
    assert (caught.value.response.status_code, caught.value.operation) == (400, "token")
    assert (folder / "config.json").read_bytes() == before


@pytest.mark.usefixtures("_both_ways")
def test_a_deleted_oauth_client_says_so(tenant: Sandbox, loaded: Loaded, folder: Path) -> None:
    ag, before = loaded(), (folder / "config.json").read_bytes()
    tenant.state.accounts.clients.renew(NAME, "DefaultApplication")
    with pytest.raises(AgaveHTTPError, match="could not be renewed: 401 .* A valid OAuth client could not be found"):
        ag.profiles.get()
    assert (folder / "config.json").read_bytes() == before


def test_a_wrong_password_says_so(tenant: Sandbox, loaded: Loaded) -> None:
    ag = loaded()
    ag.password = "wrong"
    with pytest.raises(AgaveHTTPError, match="^400 Client Error: .* Provided Authorization Grant is invalid"):
        ag.get_access_token()
    assert ag.profiles.get().username == NAME  # nothing is lost


# Clocks


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("wrong_s", [DAY_S, -DAY_S])
def test_a_clock_that_is_wrong_by_a_day_costs_a_renewal_at_most(
    tenant: Sandbox, clock: ManualClock, loaded: Loaded, monkeypatch: pytest.MonkeyPatch, wrong_s: float
) -> None:
    right = loaded()
    monkeypatch.setattr(Agave, "_now", staticmethod(lambda: clock.now() + wrong_s))
    wrong = loaded()
    since = len(tenant.requests)
    for _ in range(3):
        assert wrong.profiles.get().username == right.profiles.get().username == NAME
    assert redemptions(tenant, since) == ([200] if wrong_s > 0 else [])
    clock.advance(TTL_S)
    since = len(tenant.requests)
    for _ in range(3):
        assert wrong.profiles.get().username == right.profiles.get().username == NAME
    assert redemptions(tenant, since) == [200]


# Files and disks


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000], ids=["empty", "half", "bytes", "deep"]
)
def test_a_file_that_was_spoilt_is_kept_aside_and_the_session_goes_on(
    loaded: Loaded, folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    ag = loaded()
    (folder / "config.json").write_bytes(content)
    clock.advance(TTL_S)
    assert ag.profiles.get().username == NAME
    [aside] = folder.glob("config.json.bad-*")
    assert aside.read_bytes() == content
    assert f"kept aside as {aside.name}" in caplog.text
    assert loaded()._token == ag._token


def test_a_cache_path_that_is_a_file_says_so_and_the_session_goes_on(tenant: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ag = tenant.client()
    with pytest.raises(AgaveError, match=r"file cannot be written: .*Name another folder with TAPIS_CACHE_DIR"):
        ag.save_configs(tmp_path / "file")
    with pytest.raises(AgaveError, match="No session in"):
        Agave().load_configs(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    ag.refresh()
    assert ag.profiles.get().username == NAME


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_is_read_only_says_so_and_spends_nothing(
    tenant: Sandbox, loaded: Loaded, folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refusing(monkeypatch, "open", number, below=folder)
    monkeypatch.setattr(renewal, "_can_outlive_us", lambda: False)
    spends_nothing(tenant, loaded, folder, clock, monkeypatch, says=os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_is_full_says_so_and_spends_nothing(
    tenant: Sandbox, loaded: Loaded, folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refusing(monkeypatch, "write", number)
    monkeypatch.setattr(renewal, "_can_outlive_us", lambda: False)
    spends_nothing(tenant, loaded, folder, clock, monkeypatch, says=os.strerror(number))


def refusing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, below: Path | None = None) -> None:
    """Let a call of the system fail, as far as it is about files to be written below a folder."""
    real = getattr(os, name)

    def refuse(*arguments: Any, **keywords: Any) -> Any:
        if below is not None and not (str(below) in str(arguments[0]) and arguments[1] & os.O_CREAT):
            return real(*arguments, **keywords)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refuse)


def spends_nothing(
    tenant: Sandbox,
    loaded: Loaded,
    folder: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    says: str,
) -> None:
    ag, before = loaded(), (folder / "config.json").read_bytes()
    clock.advance(TTL_S)
    since = len(tenant.requests)
    with pytest.raises(AgaveHTTPError, match=rf"could not be renewed: .* cannot be written: {says}\. Name another"):
        ag.profiles.get()
    assert redemptions(tenant, since) == []
    assert (folder / "config.json").read_bytes() == before
    monkeypatch.undo()
    monkeypatch.setattr(Agave, "_now", staticmethod(clock.now))
    assert ag.profiles.get().username == NAME


FULL_DISK = """
import resource, sys, time
from agavepy.agave import Agave
ag = Agave()
ag.load_configs(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # of this process and those it starts
ag.refresh()
"""


def test_a_full_disk_stops_the_process_that_renews_before_it_asks(
    tenant: Sandbox, loaded: Loaded, folder: Path
) -> None:
    since, before = len(tenant.requests), (folder / "config.json").read_bytes()
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL_DISK, folder],  # -B: a full disk cuts compiled modules short
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert "AgaveError: " in done.stderr
    assert f"config.json cannot be written: {os.strerror(errno.EFBIG)}" in done.stderr
    assert redemptions(tenant, since) == []
    assert (folder / "config.json").read_bytes() == before
    assert not list(folder.glob(".*"))
    assert loaded().refresh() == Cache(folder).find().token


def test_a_new_token_that_cannot_be_filed_is_used_and_the_log_says_so(
    loaded: Loaded, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ag = loaded()
    ag.password = PASSWORD
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        refusing(patch, "write", errno.ENOSPC)
        ag.get_access_token()
    assert "The new token is not filed" in caplog.text
    assert ag.profiles.get().username == NAME
    assert Cache(folder).find().token != ag._token
    ag.refresh()  # the client has the newer one, and files what becomes of it
    assert Cache(folder).find().token == ag._token


# The process that renews


def test_a_server_that_embeds_python_renews_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert renewal._can_outlive_us()
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    assert not renewal._can_outlive_us()
    monkeypatch.setattr(sys, "executable", None)
    assert not renewal._can_outlive_us()


def test_a_process_that_ends_without_a_word_is_a_clear_error(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "python").chmod(0o700)
    ag = loaded()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(AgaveError, match="The process that renews the token ended with code 3"):
            ag.refresh()
    assert ag.refresh() == ag._token


def test_a_process_that_cannot_be_started_is_done_without(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    ag, before = loaded(), Cache(folder).find().token
    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert ag.refresh() == Cache(folder).find().token != before


def test_no_secret_is_on_the_command_line_or_in_the_environment(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tenant: Sandbox
) -> None:
    started: list[str] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **keywords: Any) -> Any:
        started.append(repr((arguments, keywords)))
        return popen(*arguments, **keywords)

    ag = loaded()
    secrets = [str(ag._token), str(ag.refresh_token), str(ag.api_secret)]
    monkeypatch.setattr(subprocess, "Popen", noted)
    ag.refresh()
    assert len(started) == 1
    assert not [secret for secret in secrets if secret in started[0]]
