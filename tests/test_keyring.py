"""Secrets in the system's keyring: the files keep references, and everything else is as without."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from agavepy import cli, keys
from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.sandbox import Sandbox
from agavepy.sessions import Cache, NoSession

from . import keyring_file
from .test_prompts import ROOT
from .test_sessions import SESSION

FIELDS = ("access_token", "refresh_token", "apisecret")


@pytest.fixture(autouse=True)
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[keyring_file.Shared]:
    """A keyring of the test's own, which other processes find too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AGAVEPY_TEST_KEYRING", str(tmp_path / "keyring.json"))
    before, shared = keyring.get_keyring(), keyring_file.Shared()
    keyring.set_keyring(shared)
    yield shared
    keyring.set_keyring(before)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", keyring=True)


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop secret"}) as running:
        yield running


def entries(cache: Cache) -> list[dict[str, str]]:
    """Return the session of SESSION wherever the files have it."""
    config = json.loads(cache.config_path.read_text())
    (filed,) = [entry for users in config["sessions"].values() for named in users.values() for entry in named.values()]
    return [filed, *config["current"].values(), json.loads(cache.current_path.read_text())]


def files(cache: Cache) -> str:
    return cache.config_path.read_text() + cache.current_path.read_text()


def test_the_files_keep_references_and_the_keyring_the_secrets(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION)
    for entry in entries(cache):
        assert [entry[field] for field in FIELDS] == [f"keyring:agavepy/sd2e/nryan/cli/{field}" for field in FIELDS]
        assert entry["apikey"] == "k-1"
    assert not any(secret in files(cache) for secret in ("a-1", "r-1", "s-1"))
    assert backend.read() == {
        "agavepy/sd2e/nryan/cli/access_token": "a-1",
        "agavepy/sd2e/nryan/cli/refresh_token": "r-1",
        "agavepy/sd2e/nryan/cli/apisecret": "s-1",
    }


def test_what_is_filed_is_found_again(cache: Cache) -> None:
    cache.save(SESSION)
    assert cache.find()._replace(expires_at=None) == SESSION
    assert Cache(cache.folder).find(client_name="cli").token == "a-1"


@pytest.mark.parametrize(("value", "is_used"), [("1", True), ("true", True), ("Yes", True), ("0", False), ("", False)])
def test_the_environment_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, is_used: bool
) -> None:
    monkeypatch.setenv("AGAVEPY_KEYRING", value)
    cache = Cache(tmp_path / "cache")
    cache.save(SESSION)
    assert ("a-1" not in files(cache)) == is_used


def test_a_session_that_is_there_stays_there(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION)
    Cache(cache.folder).save(SESSION._replace(token="a-2"))
    assert "a-2" not in files(cache)
    assert backend.read()["agavepy/sd2e/nryan/cli/access_token"] == "a-2"


def test_other_sessions_of_the_folder_stay_in_the_files(cache: Cache) -> None:
    other = SESSION._replace(client_name="plain", api_key="k-2", token="a-plain")
    Cache(cache.folder).save(other)
    cache.save(SESSION)
    assert "a-plain" in cache.config_path.read_text()
    assert cache.find(client_name="plain").token == "a-plain"


def test_names_with_slashes_are_kept_apart(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION._replace(username="a/b", client_name="c"))
    cache.save(SESSION._replace(username="a", client_name="b/c", api_key="k-2", token="a-2"))
    assert (cache.find(username="a/b").token, cache.find(username="a").token) == ("a-1", "a-2")
    assert all(urllib.parse.unquote(name).count("/") == 5 for name in backend.read())


def test_a_secret_that_is_gone_leaves_nothing_in_the_keyring(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION)
    cache.save(SESSION._replace(refresh_token=None))
    assert "agavepy/sd2e/nryan/cli/refresh_token" not in backend.read()
    assert cache.find().refresh_token is None


def test_forgetting_takes_the_secrets_out(cache: Cache, backend: keyring_file.Shared) -> None:
    other = SESSION._replace(client_name="other", api_key="k-2")
    cache.save(other)
    cache.save(SESSION)
    cache.forget(SESSION)
    assert {name.split("/")[3] for name in backend.read()} == {"other"}
    with pytest.raises(NoSession):
        cache.find()


def test_the_refresh_token_is_written_first(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION)
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "write", lambda name, secret: written.append(name.rpartition("/")[2]))
        with cache.locked(), cache.reserved() as write:
            write(SESSION)
    assert written == ["refresh_token", "access_token", "apisecret"]


# A session that is used


def logged_in(tenant: Sandbox, folder: Path) -> Agave:
    ag = tenant.client()
    ag.tenant_id, ag.client_name = "sandbox", "keyed"
    Cache(folder, keyring=True).save(ag._session())
    return loaded(folder)


def loaded(folder: Path) -> Agave:
    ag = Agave()
    ag.load_configs(folder)
    return ag


def test_a_renewal_in_a_process_of_its_own_keeps_the_secrets_there(
    tenant: Sandbox, cache: Cache, backend: keyring_file.Shared
) -> None:
    ag = logged_in(tenant, cache.folder)
    before = ag.token
    tenant.expire_tokens()
    ag.created_at = 0
    assert ag.profiles.get().username == "nryan"
    assert ag.token != before
    account = "agavepy/sandbox/nryan/keyed/"
    assert (backend.read()[f"{account}access_token"], backend.read()[f"{account}refresh_token"]) == (
        ag.token,
        ag.refresh_token,
    )
    assert not any(str(secret) in files(cache) for secret in (ag.token, ag.refresh_token, ag.api_secret))
    assert loaded(cache.folder).profiles.get().username == "nryan"


def test_many_threads_renew_once(tenant: Sandbox, cache: Cache) -> None:
    ag = logged_in(tenant, cache.folder)
    clients = [ag, loaded(cache.folder), loaded(cache.folder)]
    tenant.expire_tokens()
    for each in clients:
        each.created_at = 0
    since = len(tenant.requests)
    names: list[str] = []
    threads = [threading.Thread(target=lambda each=each: names.append(each.profiles.get().username))
               for each in clients * 4]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["nryan"] * 12
    grants = [request["grant_type"] for request in tenant.requests[since:] if request.get("grant_type")]
    assert grants == ["refresh_token"]


def test_a_keyring_that_locks_spends_no_refresh_token(tenant: Sandbox, cache: Cache) -> None:
    ag = logged_in(tenant, cache.folder)
    since = len(tenant.requests)
    keyring.set_keyring(keyring_file.Locked())
    with pytest.raises(AgaveError, match="keyring cannot be used: Failed to unlock the collection!"):
        ag.refresh()
    assert not [request for request in tenant.requests[since:] if request.get("grant_type")]


def test_a_keyring_of_this_process_alone_is_said_so_before_a_refresh_token_is_spent(
    tenant: Sandbox, cache: Cache
) -> None:
    keyring.set_keyring(keyring_file.Memory())
    ag = logged_in(tenant, cache.folder)
    since = len(tenant.requests)
    with pytest.raises(AgaveError, match="The keyring has no entry for keyring:agavepy/sandbox/nryan/keyed/"):
        ag.refresh()
    assert not [request for request in tenant.requests[since:] if request.get("grant_type")]
    assert ag.profiles.get().username == "nryan"


def test_the_commands_work_with_it(
    tenant: Sandbox,
    backend: keyring_file.Shared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AGAVEPY_KEYRING", "1")
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    monkeypatch.setenv("TAPIS_USERNAME", "nryan")
    monkeypatch.setenv("TAPIS_PASSWORD", tenant.password)
    assert cli.main(["login", "--tenant", "sandbox"]) == 0
    secrets = list(backend.read().values())
    assert len(secrets) == 3
    assert Agave.restore().profiles.get().username == "nryan"
    assert Agave._read_clients()[0]["token"] in secrets
    assert cli.main(["sessions"]) == 0
    assert cli.main(["logout"]) == 0
    printed = capsys.readouterr()
    assert not any(secret in printed.out + printed.err for secret in (*secrets, "keyring:"))
    assert printed.err == ""
    assert backend.read() == {}


def test_a_login_heals_a_session_whose_entries_are_lost(
    tenant: Sandbox, backend: keyring_file.Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGAVEPY_KEYRING", "1")
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    monkeypatch.setenv("TAPIS_USERNAME", "nryan")
    monkeypatch.setenv("TAPIS_PASSWORD", tenant.password)
    assert cli.main(["login", "--tenant", "sandbox"]) == 0
    backend.write({})
    assert cli.main(["login", "--tenant", "sandbox"]) == 0
    assert Agave.restore().profiles.get().username == "nryan"


# Trouble


def test_a_missing_entry_is_a_clear_error(cache: Cache, backend: keyring_file.Shared) -> None:
    cache.save(SESSION)
    backend.write({})
    with pytest.raises(AgaveError, match=r"no entry for keyring:agavepy/sd2e/nryan/cli/\w+, .* Run 'agavepy login'"):
        cache.find()


def test_a_session_whose_entries_are_missing_can_be_forgotten(
    cache: Cache, backend: keyring_file.Shared, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.save(SESSION)
    backend.write({})
    assert cli.main(["logout", "--cache-dir", str(cache.folder)]) == 1
    assert "The keyring has no entry" in capsys.readouterr().err
    assert cache.own() == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (keyring_file.Locked, "Failed to unlock the collection!"),
        (keyring_file.Forgetful, "it forgets what it is given"),
    ],
)
def test_a_keyring_that_does_not_work_is_a_clear_error(cache: Cache, kind: type, reason: str) -> None:
    keyring.set_keyring(kind())
    with pytest.raises(AgaveError, match=f"The system's keyring cannot be used: {reason}"):
        cache.save(SESSION)
    assert not cache.config_path.exists()


@pytest.mark.parametrize("named", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring", "no.such.Keyring"])
def test_no_keyring_here_is_a_clear_error(cache: Cache, named: str, tmp_path: Path) -> None:
    code = (
        "from tests.test_keyring import SESSION; from agavepy.sessions import Cache\n"
        f"try: Cache({str(tmp_path / 'new')!r}, keyring=True).save(SESSION)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {"PYTHON_KEYRING_BACKEND": named, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=True, timeout=60
    )
    assert done.stdout.startswith("AgaveError The system's keyring cannot be used: ")
    assert done.stdout.count("\n") == 1


def test_without_the_library_it_says_what_to_install(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.save(SESSION)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(AgaveError, match=r'pip install "agavepy\[keyring\]"'):
        cache.find()


def test_sessions_without_it_never_import_the_library(tmp_path: Path) -> None:
    code = (
        "import sys; from tests.test_sessions import SESSION; from agavepy.sessions import Cache\n"
        f"cache = Cache({str(tmp_path / 'plain')!r}); cache.save(SESSION); cache.find(); cache.forget(SESSION)\n"
        "print('keyring' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "False\n"


def test_errors_and_reprs_show_no_secret(cache: Cache) -> None:
    cache.save(SESSION)
    keyring.set_keyring(keyring_file.Locked())
    with pytest.raises(AgaveError) as caught:
        cache.save(SESSION._replace(token="a-2"))
    assert not any(secret in f"{caught.value!r} {cache!r} {cache.own()!r}" for secret in ("a-1", "a-2", "r-1", "s-1"))
