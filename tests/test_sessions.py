"""Sessions on disk: what others wrote is read, what we write they can read, and nothing is ever half there."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy import sessions
from agavepy.errors import AgaveError
from agavepy.sessions import Cache, NoSession, Session

ENTRY = {
    "tenantid": "sd2e",
    "baseurl": "https://api.sd2e.org",
    "devurl": "",
    "apisecret": "s-1",
    "apikey": "k-1",
    "username": "nryan",
    "access_token": "a-1",
    "refresh_token": "r-1",
    "created_at": "1539708516",
    "expires_in": 14400,
    "expires_at": "Tue Oct 16 20:48:36 UTC 2018",
}
SESSION = Session(
    tenant_id="sd2e",
    api_server="https://api.sd2e.org",
    username="nryan",
    client_name="cli",
    api_key="k-1",
    api_secret="s-1",
    token="a-1",
    refresh_token="r-1",
    created_at=1539708516.0,
    expires_in=14400.0,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and no .agpy list of this machine."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sessions, "agpy_paths", lambda: [home / ".agpy"])
    for name in ("TAPIS_CACHE_DIR", "AGAVE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def cache(home: Path) -> Cache:
    return Cache()


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


# Reading what others wrote


def test_the_documented_config_is_read(cache: Cache) -> None:
    put(cache.config_path, {"current": {"cli": ENTRY}, "sessions": {"sd2e": {"nryan": {"cli": ENTRY}}}})
    found = cache.find()
    assert found._replace(expires_at=None) == SESSION
    assert found.deadline == 1539708516 + 14400


def test_a_config_without_current_is_read(cache: Cache) -> None:
    put(cache.config_path, {"sessions": {"sd2e": {"nryan": {"k-1": ENTRY}}}})
    assert cache.find(tenant_id="sd2e").client_name == "k-1"


def test_an_entry_gets_tenant_and_user_from_where_it_stands(cache: Cache) -> None:
    bare = {**ENTRY, "tenantid": "", "username": ""}
    put(cache.config_path, {"sessions": {"sd2e": {"nryan": {"cli": bare}}}})
    found = cache.find(tenant_id="sd2e", username="nryan", client_name="cli")
    assert (found.tenant_id, found.username) == ("sd2e", "nryan")


def test_the_flat_current_file_is_read(cache: Cache) -> None:
    put(cache.current_path, {**ENTRY, "client_name": "cli", "use_nonce": False})
    assert cache.find()._replace(expires_at=None) == SESSION


def test_a_list_in_the_current_file_is_read(cache: Cache) -> None:
    put(cache.current_path, [ENTRY, {**ENTRY, "tenantid": "other"}])
    assert cache.find(tenant_id="other").token == "a-1"


def test_an_agpy_list_is_read_with_its_own_names(cache: Cache, home: Path) -> None:
    entry = {
        "api_server": "https://x",
        "api_key": "k",
        "api_secret": "s",
        "token": "a",
        "refresh_token": "r",
        "client_name": "c",
    }
    put(home / ".agpy", [entry])
    found = cache.find(client_name="c")
    assert (found.api_server, found.api_key, found.token, found.refresh_token) == ("https://x", "k", "a", "r")


@pytest.mark.parametrize(("variable", "wins"), [("AGAVE_CACHE_DIR", False), ("TAPIS_CACHE_DIR", True)])
def test_the_environment_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, wins: bool
) -> None:
    monkeypatch.setenv("AGAVE_CACHE_DIR", str(tmp_path / "agave"))
    if wins:
        monkeypatch.setenv(variable, str(tmp_path / "tapis"))
    assert Cache().folder == tmp_path / ("tapis" if wins else "agave")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("Tue Oct 16 20:48:36 UTC 2018", 1539722916.0),
        ("Tue Oct 16 20:48:36 GMT 2018", 1539722916.0),
        ("next week", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_they_are_written(written: str | None, seconds: float | None) -> None:
    assert sessions.parse_time(written) == seconds


def test_a_time_without_a_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = sessions.parse_time("Tue Nov 24 03:47:07 2026")
    assert moment is not None
    assert sessions.time.ctime(moment) == "Tue Nov 24 03:47:07 2026"


@pytest.mark.parametrize("created_at", ["1539708516", 1539708516, "", None, "soon", [1], float("nan"), "1e999"])
def test_numbers_may_be_text_or_missing(cache: Cache, created_at: Any) -> None:
    put(cache.current_path, {**ENTRY, "created_at": created_at})
    assert cache.find().created_at in (1539708516.0, None)
    cache.save(cache.find())


@pytest.mark.parametrize("field", ["tenantid", "baseurl", "apikey", "username", "access_token", "expires_at"])
def test_a_value_that_is_no_text_is_not_known(cache: Cache, field: str) -> None:
    put(cache.current_path, {**ENTRY, field: {"not": "text"}})
    assert getattr(cache.find(), {theirs: ours for ours, theirs in sessions.FILE_KEYS.items()}[field]) is None
    with pytest.raises(NoSession):
        cache.find(api_server="https://elsewhere.example.org")


# Writing what others read


def test_what_is_written_has_the_documented_keys_and_forms(cache: Cache) -> None:
    cache.save(SESSION)
    entry = {**ENTRY, "expires_at": "Tue Oct 16 20:48:36 UTC 2018"}
    assert json.loads(cache.config_path.read_text()) == {
        "current": {"cli": entry},
        "sessions": {"sd2e": {"nryan": {"cli": entry}}},
    }
    assert json.loads(cache.current_path.read_text()) == {**entry, "client_name": "cli"}


def test_what_is_not_known_is_an_empty_text(cache: Cache) -> None:
    cache.save(Session(tenant_id="t", token="a"))
    entry = json.loads(cache.config_path.read_text())["current"]["default"]
    assert entry["refresh_token"] == entry["expires_at"] == entry["devurl"] == ""


def test_what_is_saved_is_found_again(cache: Cache) -> None:
    cache.save(SESSION)
    other = SESSION._replace(client_name="second", api_key="k-2", token="a-2")
    cache.save(other)
    assert cache.find()._replace(expires_at=None) == other
    assert cache.find(client_name="cli").token == "a-1"
    assert [session.client_name for session in cache.sessions()] == ["cli", "second"]


def test_entries_and_keys_of_other_tools_survive(cache: Cache) -> None:
    foreign = {"current": {"old": {"x": 1}}, "sessions": {"t": {"u": {"c": {"y": 2}}}}, "telemetry": {"z": 3}}
    put(cache.config_path, foreign)
    cache.save(SESSION)
    cache.save(SESSION._replace(token="a-2"))
    config = json.loads(cache.config_path.read_text())
    assert config["telemetry"] == {"z": 3}
    assert config["sessions"]["t"] == {"u": {"c": {"y": 2}}}
    put(cache.config_path, {"sessions": {"sd2e": {"nryan": {"cli": {**ENTRY, "mine": "kept"}}}}})
    cache.save(SESSION)
    assert json.loads(cache.config_path.read_text())["sessions"]["sd2e"]["nryan"]["cli"]["mine"] == "kept"


def test_files_are_for_their_owner_only(cache: Cache) -> None:
    os.umask(0)
    cache.save(SESSION)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    for path in (cache.config_path, cache.current_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.name for path in cache.folder.iterdir()} <= {"config.json", "current", "config.json.lock"}


def test_a_file_open_to_others_is_closed_by_the_next_write(cache: Cache) -> None:
    put(cache.config_path, {})
    cache.config_path.chmod(0o644)
    cache.save(SESSION)
    assert stat.S_IMODE(cache.config_path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(cache: Cache, tmp_path: Path) -> None:
    put(tmp_path / "dotfiles" / "config.json", {})
    cache.folder.mkdir()
    cache.config_path.symlink_to(tmp_path / "dotfiles" / "config.json")
    cache.save(SESSION)
    assert cache.config_path.is_symlink()
    assert "sd2e" in (tmp_path / "dotfiles" / "config.json").read_text()


def test_forgetting_takes_a_session_out_of_every_file(cache: Cache) -> None:
    other = SESSION._replace(client_name="other", api_key="k-2")
    cache.save(other)
    cache.save(SESSION)
    cache.forget(SESSION)
    assert [session.client_name for session in cache.sessions()] == ["other"]
    assert not cache.current_path.exists()
    with pytest.raises(NoSession):
        cache.find(client_name="cli")


def test_the_newest_copy_wins_when_a_crash_came_between_two_files(cache: Cache) -> None:
    cache.save(SESSION)
    newer = {**ENTRY, "access_token": "a-2", "created_at": "1539708600"}
    config = json.loads(cache.config_path.read_text())
    config["sessions"]["sd2e"]["nryan"]["cli"] = newer
    put(cache.config_path, config)
    assert cache.find().token == "a-2"


# Trouble


def test_no_session_says_where_it_looked_and_what_there_is(cache: Cache) -> None:
    with pytest.raises(NoSession, match=rf"No session in {cache.config_path}\. Run 'agavepy login', or pass token="):
        cache.find()
    cache.save(SESSION)
    with pytest.raises(NoSession, match=r"with tenant_id='other' .* There are \(tenant/user/client\): sd2e/nryan/cli;"):
        cache.find(tenant_id="other")


def test_the_current_session_comes_first_among_those_that_match(cache: Cache) -> None:
    cache.save(SESSION._replace(client_name="first", api_key="k1", token="t1"))
    cache.save(SESSION._replace(client_name="second", api_key="k2", token="t2"))
    assert cache.find(tenant_id=SESSION.tenant_id).client_name == "second"
    assert cache.find(client_name="first").token == "t1"


@pytest.mark.parametrize("content", ["", "{", "not json", '{"current": '])
def test_a_file_that_is_not_json_is_kept_aside_and_said_so(
    home: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    cache = Cache(now=lambda: 1700000000.0)
    put(cache.config_path, content)
    with caplog.at_level(logging.WARNING), pytest.raises(NoSession):
        cache.find()
    assert (cache.folder / "config.json.bad-1700000000").read_text() == content
    assert "kept aside as config.json.bad-1700000000" in caplog.text
    cache.save(SESSION)
    assert cache.find().token == "a-1"


def test_files_that_are_kept_aside_in_one_second_do_not_replace_each_other(cache: Cache) -> None:
    cache = Cache(now=lambda: 1700000000.0)
    for content in ("{", "[", ""):
        put(cache.config_path, content)
        cache.save(SESSION)
    kept = {path.name: path.read_text() for path in cache.folder.glob("config.json.bad-*")}
    assert kept == {f"config.json.bad-170000000{second}": text for second, text in enumerate(["{", "[", ""])}


@pytest.mark.parametrize("content", [[{"token": "somebody's"}], 5, {"sessions": [{"token": "somebody's"}]}])
def test_json_that_is_no_config_is_kept_aside_too(cache: Cache, caplog: pytest.LogCaptureFixture, content: Any) -> None:
    put(cache.config_path, content)
    cache.save(SESSION)
    [aside] = cache.folder.glob("config.json.bad-*")
    assert json.loads(aside.read_text()) == content
    assert f"is JSON, but holds no sessions: kept aside as {aside.name}" in caplog.text


def test_a_file_that_somebody_put_right_meanwhile_stays(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache.config_path, "{")
    texts = [b"{"]  # as it was when we looked first
    read = Cache._text
    monkeypatch.setattr(Cache, "_text", lambda self, path: texts.pop() if texts else read(self, path))
    put(cache.config_path, {"sessions": {}})
    cache.filed()
    assert json.loads(cache.config_path.read_text()) == {"sessions": {}}


def test_a_config_that_cannot_be_read_is_not_replaced(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache.config_path, {"sessions": {}})
    before = cache.config_path.read_bytes()
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == cache.config_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    for act in (lambda: cache.save(SESSION), cache.find, cache.own):
        with pytest.raises(AgaveError, match=r"config\.json cannot be read: Permission denied\. Is it another user's"):
            act()
    monkeypatch.undo()
    assert cache.config_path.read_bytes() == before


@pytest.mark.parametrize("content", [[], 5, None, {"current": 5, "sessions": []}, {"sessions": {"t": {"u": {"c": 7}}}}])
def test_json_that_is_no_config_harms_nothing(cache: Cache, content: Any) -> None:
    put(cache.config_path, content)
    with pytest.raises(NoSession):
        cache.find(client_name="cli")
    cache.save(SESSION)
    assert cache.find(client_name="cli").token == "a-1"


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file")
    with pytest.raises(NoSession):
        cache.find()
    with pytest.raises(AgaveError, match=r"file cannot be written: File exists\. Name another folder"):
        cache.save(SESSION)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_nothing_leaves_the_old_session(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    cache.save(SESSION)

    def full(*arguments: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(AgaveError, match=os.strerror(number)):
        cache.save(SESSION._replace(token="a-2"))
    monkeypatch.undo()
    assert Cache(cache.folder).find().token == "a-1"
    assert not list(cache.folder.glob(".config.json.*"))


def test_a_full_disk_shows_itself_before_the_session_is_renewed(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache.save(SESSION)
    monkeypatch.setattr(os, "write", full)
    with cache.locked(), pytest.raises(AgaveError, match="No space left"), cache.reserved():
        pytest.fail("the refresh token would have been spent here")


def test_what_a_killed_writer_left_is_swept_away(cache: Cache) -> None:
    put(cache.folder / ".config.json.leftover", "half a fi")
    cache.save(SESSION)
    assert not list(cache.folder.glob(".config.json.*"))


def test_many_writers_lose_nothing(cache: Cache) -> None:
    names = [f"client-{number}" for number in range(12)]

    def write(name: str) -> None:
        Cache(cache.folder).save(SESSION._replace(client_name=name, api_key=name))

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(session.client_name or "" for session in cache.sessions()) == sorted(names)


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available")])
def test_a_file_system_without_locks_is_said_once_and_written_all_the_same(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    import filelock

    def no_locks(*arguments: Any, **more: Any) -> Iterator[None]:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    with caplog.at_level(logging.WARNING):
        cache.save(SESSION)
        cache.save(SESSION._replace(token="a-2"))
    assert cache.find().token == "a-2"
    assert caplog.text.count("has no file locks") == 1


def test_a_session_never_shows_its_secrets(cache: Cache) -> None:
    shown = f"{SESSION!r} {cache!r} {[SESSION]}"
    assert "cli of nryan at sd2e" in shown
    for secret in ("a-1", "r-1", "s-1"):
        assert secret not in shown


def test_the_only_session_of_a_config_that_names_no_current_one_is_taken(cache: Cache) -> None:
    put(cache.config_path, {"sessions": {"sd2e": {"nryan": {"cli": ENTRY}}}})
    assert cache.find().client_name == "cli"
    put(cache.config_path, {"sessions": {"sd2e": {"nryan": {"cli": ENTRY, "other": {**ENTRY, "apikey": "k-2"}}}}})
    with pytest.raises(NoSession):
        cache.find()
