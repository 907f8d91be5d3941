"""Who calls, and how that stays so: tokens that are renewed ahead of their end, or when a server says they ended."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import time
import traceback
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy import sessions
from agavepy.agave import Agave, AgaveError, Token
from agavepy.errors import AgaveHTTPError, AgavepyError
from agavepy.sandbox import ManualClock, Sandbox

from .recording import Answer, Recorder

TTL_S = 14400
NAME, PASSWORD = "nryan", "tiptop-password"
STORAGE = {"systemId": "sandbox-storage", "filePath": NAME}


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, token_ttl_s=TTL_S, users={NAME: PASSWORD}) as running:
        yield running


@pytest.fixture(autouse=True)
def _one_time_for_all(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Agave, "_now", staticmethod(clock.now))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sessions, "agpy_paths", lambda: [tmp_path / ".agpy"])
    return tmp_path


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    """A client of the tenant that is logged in, and has only its refresh token to renew that."""
    client = tenant.client()
    client.password = None
    yield client
    client.close()


def seen(tenant: Sandbox, since: int) -> list[tuple[str, int]]:
    """Return operation and status of the requests after the first ``since``."""
    return [(each["operation"], each["status"]) for each in tenant.requests[since:]]


# What a server may say of a token that has ended


def fault(code: int, message: str) -> Answer:
    return Answer(401, json.dumps({"fault": {"code": code, "message": message, "description": ""}}).encode())


def xml_fault(code: int) -> Answer:
    body = f'<ams:fault xmlns:ams="http://wso2.org/apimanager/security"><ams:code>{code}</ams:code></ams:fault>'
    return Answer(401, body.encode(), "application/xml; charset=UTF-8")


PLAIN_401 = Answer(401, b"", "text/plain")
FORBIDDEN = Answer(401, b'{"status": "error", "message": "not yours", "version": "1", "result": null}')
EXPIRED = {
    "unknown": fault(900901, "Invalid Credentials"),
    "invalid credentials": fault(900904, "Invalid Credentials"),
    "expired": fault(900903, "Access Token Expired"),
    "expired in XML": xml_fault(900903),
    "inactive in XML": xml_fault(900904),
    "plain": PLAIN_401,
    "envelope": FORBIDDEN,
}


def grants(number: int = 2) -> Answer:
    token = {"access_token": f"a-{number}", "refresh_token": f"r-{number}", "expires_in": TTL_S, "token_type": "bearer"}
    return Answer(body=json.dumps(token).encode())


def session_at(recorder: Recorder, **more: Any) -> Agave:
    known = {"token": "a-1", "refresh_token": "r-1", "api_key": "key", "api_secret": "secret"}
    return Agave(api_server=recorder.url, **{**known, **more})


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED.keys())
def test_an_expired_token_in_any_form_is_renewed_once_and_the_call_repeated(recorder: Recorder, answer: Answer) -> None:
    recorder.script = [answer, grants(), Answer()]
    session_at(recorder).profiles.get()
    first, renewal, second = recorder.received
    assert first.headers["authorization"] == "Bearer a-1"
    assert renewal.target == "/token"
    assert dict(urllib.parse.parse_qsl(renewal.body.decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "r-1",
        "scope": "PRODUCTION",
    }
    assert second.headers["authorization"] == "Bearer a-2"
    assert second.target == first.target


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED.keys())
def test_a_server_that_goes_on_refusing_is_believed(recorder: Recorder, answer: Answer) -> None:
    recorder.script = [answer, grants(), answer]
    with pytest.raises(AgaveHTTPError, match="^401 Client Error"):
        session_at(recorder).profiles.get()
    assert [each.target for each in recorder.received].count("/token") == 1
    assert len(recorder.received) == 3


@pytest.mark.parametrize("answer", [PLAIN_401, FORBIDDEN], ids=["plain", "envelope"])
def test_a_401_that_means_forbidden_renews_no_fresh_token(recorder: Recorder, answer: Answer) -> None:
    ag = session_at(recorder)
    recorder.script = [answer, grants(), answer, *[answer] * 5]
    for _ in range(6):
        with pytest.raises(AgaveHTTPError):
            ag.profiles.get()
    assert [each.target for each in recorder.received].count("/token") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, FORBIDDEN.body),
        Answer(404, b"{}"),
        Answer(403, fault(900908, "Resource forbidden").body),
        fault(900902, "Missing Credentials"),
    ],
    ids=["forbidden", "not found", "not subscribed", "missing"],
)
def test_other_refusals_renew_nothing(recorder: Recorder, answer: Answer) -> None:
    recorder.always = answer
    with pytest.raises(AgavepyError):
        session_at(recorder).profiles.get()
    assert len(recorder.received) == 1


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED.keys())
def test_a_token_alone_is_never_renewed_and_the_error_says_how_to_log_in(recorder: Recorder, answer: Answer) -> None:
    recorder.always = answer
    with pytest.raises(AgaveHTTPError, match=r"^401 .* - Log in: run 'agavepy login', or pass token="):
        Agave(api_server=recorder.url, token="a-1").profiles.get()
    assert len(recorder.received) == 1


def test_a_client_without_a_token_gets_one_with_its_refresh_token(recorder: Recorder) -> None:
    recorder.script = [grants()]
    ag = session_at(recorder, token=None)
    ag.profiles.get()
    assert recorder.last.headers["authorization"] == "Bearer a-2"


# Bodies that are sent a second time


def test_an_upload_that_meets_the_end_of_its_token_is_stored_whole(ag: Agave, tenant: Sandbox, tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    (tmp_path / "data").write_bytes(b"skipped" + content)
    tenant.expire_tokens()
    with open(tmp_path / "data", "rb") as file:
        file.seek(7)
        ag.files.importData(**STORAGE, fileToUpload=file, fileName="whole")
    assert stored(tenant, "whole").read_bytes() == content


def test_a_stream_that_was_consumed_is_never_stored_empty(ag: Agave, tenant: Sandbox) -> None:
    tenant.expire_tokens()
    said = "the token had expired and is renewed now, but the stream was consumed"
    with stream(b"content") as pipe, pytest.raises(AgaveError, match=said):
        ag.files.importData(**STORAGE, fileToUpload=pipe, fileName="from-a-pipe")
    assert not stored(tenant, "from-a-pipe").exists()
    with stream(b"content") as pipe:  # "open it again and repeat the call", says the text
        ag.files.importData(**STORAGE, fileToUpload=pipe, fileName="from-a-pipe")
    assert stored(tenant, "from-a-pipe").read_bytes() == b"content"


def stream(content: bytes) -> io.FileIO:
    """Return a stream that can be read once."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return io.FileIO(reader)


def stored(tenant: Sandbox, name: str) -> Path:
    return tenant.root / "systems" / "sandbox-storage" / "home" / NAME / name


def test_a_json_body_is_sent_again(ag: Agave, tenant: Sandbox) -> None:
    tenant.expire_tokens()
    ag.files.manage(**STORAGE, body={"action": "mkdir", "path": "made-after-expiry"})
    assert stored(tenant, "made-after-expiry").is_dir()


# Ahead of the end


@pytest.mark.parametrize(("before_its_end_s", "is_renewed"), [(61, False), (41, True), (0, True), (-3600, True)])
def test_a_token_is_renewed_a_minute_before_its_end(
    ag: Agave, tenant: Sandbox, clock: ManualClock, before_its_end_s: int, is_renewed: bool
) -> None:
    clock.advance(TTL_S - before_its_end_s)
    since = len(tenant.requests)
    ag.profiles.get()
    assert seen(tenant, since) == [*([("token", 200)] if is_renewed else []), ("profiles.get", 200)]


@pytest.mark.parametrize(("before_its_end_s", "is_renewed"), [(11, False), (6, True)])
def test_a_short_life_is_used_to_nine_tenths(
    recorder: Recorder, clock: ManualClock, before_its_end_s: int, is_renewed: bool
) -> None:
    ag = session_at(recorder, created_at=clock.now() - 100 + before_its_end_s, expires_in=100)
    recorder.script = [grants()] if is_renewed else []
    ag.profiles.get()
    assert [each.target for each in recorder.received].count("/token") == is_renewed


def test_what_is_left_of_a_second_counts_for_a_token_that_lives_for_two(recorder: Recorder, clock: ManualClock) -> None:
    clock.advance((0.9 - clock.now()) % 1)
    ag = session_at(recorder)
    token = {"access_token": "a-2", "refresh_token": "r-2", "expires_in": 2, "token_type": "bearer"}
    recorder.script = [Answer(body=json.dumps(token).encode())]
    ag.refresh()
    clock.advance(1.7)
    ag.profiles.get()
    assert [each.target for each in recorder.received].count("/token") == 1
    assert recorder.last.headers["authorization"] == "Bearer a-2"


def test_an_early_renewal_that_fails_does_no_harm_while_the_token_is_good(
    ag: Agave, tenant: Sandbox, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.revoke_refresh_tokens(NAME)
    clock.advance(TTL_S - 30)
    since = len(tenant.requests)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert ag.profiles.get().username == NAME
    assert seen(tenant, since) == [("token", 400), *[("profiles.get", 200)] * 3]  # not tried again at once
    assert caplog.text.count("about to expire and was not renewed") == 1
    clock.advance(31)
    with pytest.raises(
        AgaveHTTPError, match=r"401 .* The token could not be renewed: 400 .* Log in: run 'agavepy login'"
    ):
        ag.profiles.get()


def test_a_network_that_fails_an_early_renewal_does_no_harm(
    recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*unused: Any) -> Any:
        raise requests.exceptions.ConnectionError("token: no answer")

    ag = session_at(recorder, created_at=clock.now() - 95, expires_in=100)
    monkeypatch.setattr(ag, "_post", fail)
    ag.profiles.get()
    assert recorder.last.headers["authorization"] == "Bearer a-1"


def test_a_refresh_token_that_is_refused_gives_way_to_the_password(
    ag: Agave, tenant: Sandbox, clock: ManualClock
) -> None:
    tenant.revoke_refresh_tokens(NAME)
    ag.password = PASSWORD
    clock.advance(TTL_S)
    since = len(tenant.requests)
    assert ag.profiles.get().username == NAME
    assert seen(tenant, since) == [("token", 400), ("token", 200), ("profiles.get", 200)]


# The token as programs see it


def test_a_token_is_text_and_what_programs_ask_it_for(ag: Agave, tenant: Sandbox, clock: ManualClock) -> None:
    token = ag.token
    assert isinstance(token, str)
    assert isinstance(token, Token)
    assert token == ag._token
    assert f"Bearer {token}" == f"Bearer {ag._token}"
    assert (token.api_server, token.username, token.api_key) == (tenant.url, NAME, ag.api_key)
    assert token.token_info == {
        "access_token": str(token),
        "refresh_token": ag.refresh_token,
        "token_type": "bearer",
        "scope": "default",
        "expires_in": TTL_S,
        "created_at": int(clock.now()),
        "expiration": int(clock.now()) + TTL_S,
        "expires_at": time.ctime(clock.now() + TTL_S),
    }
    assert ag.tokens() == token.token_info
    whole = [token.token_info[name] for name in ("expires_in", "created_at", "expiration")]
    assert {type(value) for value in [*whole, ag.expires_in]} == {int}  # as JSON has them: 14400, not 14400.0


def test_a_token_renews_and_buys(ag: Agave) -> None:
    first, first_refresh = str(ag.token), ag.refresh_token
    assert ag.token is not None
    second = ag.token.refresh()
    assert second == ag._token != first
    assert ag.refresh_token != first_refresh
    ag.token.password = PASSWORD
    assert (ag.password, ag.token.password) == (PASSWORD, PASSWORD)
    third = ag.token.create()
    assert third == ag._token
    assert len({first, second, third}) == 3


def test_there_is_no_token_without_one() -> None:
    assert not Agave(api_server="https://x").token
    assert Agave(api_server="https://x", token="t").token


def test_a_token_is_not_pickled(ag: Agave) -> None:
    with pytest.raises(TypeError, match="a token is not pickled"):
        pickle.dumps(ag.token)


def test_refreshing_returns_the_new_token(ag: Agave) -> None:
    before = ag._token
    assert ag.refresh() == ag._token != before


def test_the_documented_steps_show_no_token_at_the_prompt(ag: Agave) -> None:
    before = ag._token
    assert ag.refresh_tokens() is None
    assert ag._token != before


def test_refreshing_a_token_that_stands_alone_returns_it(recorder: Recorder) -> None:
    assert Agave(api_server=recorder.url, token="a-1").refresh() == "a-1"
    assert recorder.received == []


def test_the_callback_is_told_of_every_new_token(tenant: Sandbox) -> None:
    told: list[dict[str, Any]] = []
    key, secret = tenant.api_client()
    ag = Agave(
        api_server=tenant.url,
        username=NAME,
        password=PASSWORD,
        api_key=key,
        api_secret=secret,
        token_callback=lambda **info: told.append(info),
    )
    ag.refresh()
    tenant.expire_tokens()
    ag.profiles.get()
    assert len(told) == 3
    assert all({*info} == set(ag.tokens()) for info in told)
    assert told[-1] == ag.tokens()
    assert len({info["access_token"] for info in told}) == 3


def test_a_callback_may_call_and_save(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    def keep(**unused: Any) -> None:
        assert ag.profiles.get().username == NAME
        ag.save_configs(tmp_path)

    ag.token_callback = keep
    tenant.expire_tokens()
    ag.profiles.get()
    assert sessions.Cache(tmp_path).find().token == ag._token


def test_an_administrator_acts_as_somebody_else(tenant: Sandbox, clock: ManualClock) -> None:
    tenant.state.accounts.add_user("boss", "boss-password", admin=True)
    made = tenant.state.accounts.clients.renew("boss", "DefaultApplication")
    ag = Agave(
        api_server=tenant.url,
        username="boss",
        password="boss-password",
        api_key=made.key,
        api_secret=made.secret,
        token_username=NAME,
    )
    assert ag.profiles.get().username == NAME
    clock.advance(TTL_S)
    assert ag.profiles.get().username == NAME
    assert tenant.requests[-2]["grant_type"] == "admin_password"


# restore()


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TAPIS_{name}", value or "")


def test_arguments_need_neither_environment_nor_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, BASE_URL="https://other", TOKEN="other")
    ag = Agave.restore(token="t", api_server="https://x", tenant_id="sd2e")
    assert (ag.api_server, ag._token, ag.tenant_id) == ("https://x", "t", "sd2e")


def test_a_token_in_the_environment_beats_the_cache(
    ag: Agave, tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ag.save_configs()
    environment(monkeypatch, BASE_URL=tenant.url, TOKEN="from-the-environment")
    assert Agave.restore()._token == "from-the-environment"
    assert ag.restore()._token == "from-the-environment"  # called on a client, as programs do


def test_a_full_set_in_the_environment_renews_itself(
    ag: Agave, tenant: Sandbox, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    known = {"TOKEN": ag._token, "REFRESH_TOKEN": ag.refresh_token, "API_KEY": ag.api_key, "API_SECRET": ag.api_secret}
    environment(monkeypatch, BASE_URL=tenant.url, **known)
    clock.advance(TTL_S)
    assert Agave.restore().profiles.get().username == NAME


def test_name_and_password_in_the_environment_serve_the_clients_service(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, BASE_URL=tenant.url, USERNAME=NAME, PASSWORD=PASSWORD)
    restored = Agave.restore()
    assert restored.clients.list()
    with pytest.raises(AgaveError, match="not logged in"):
        restored.profiles.get()


def test_name_and_password_in_the_environment_do_not_hide_a_filed_login(
    ag: Agave, tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ag.username, ag.tenant_id = NAME, "sandbox"
    ag.save_configs()
    environment(monkeypatch, BASE_URL=tenant.url, USERNAME=NAME, PASSWORD=PASSWORD)
    assert Agave.restore().profiles.get().username == NAME
    for elsewhere in ({"BASE_URL": "https://other"}, {"USERNAME": "somebody"}):
        environment(monkeypatch, **{"BASE_URL": tenant.url, "USERNAME": NAME, **elsewhere})
        assert Agave.restore()._token is None


def test_name_password_key_and_secret_in_the_environment_buy_a_token(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = tenant.api_client()
    environment(monkeypatch, BASE_URL=tenant.url, USERNAME=NAME, PASSWORD=PASSWORD, API_KEY=key, API_SECRET=secret)
    assert Agave.restore().profiles.get().username == NAME


@pytest.mark.parametrize("left_out", ["BASE_URL", "TOKEN"])
def test_half_a_login_in_the_environment_is_none(ag: Agave, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    ag.save_configs()
    environment(monkeypatch, **{"BASE_URL": "https://other", "TOKEN": "other", left_out: None})
    assert Agave.restore()._token == ag._token


def test_the_cache_is_the_last_resort_and_its_criteria_choose(ag: Agave, monkeypatch: pytest.MonkeyPatch) -> None:
    ag.tenant_id, ag.client_name = "sandbox", "DefaultApplication"
    ag.save_configs()
    for keywords in (
        {},
        {"api_key": ag.api_key},
        {"client_name": "DefaultApplication"},
        {"tenant_id": "sandbox", "client_name": "DefaultApplication"},
    ):
        assert Agave.restore(**keywords)._token == ag._token
    environment(monkeypatch, BASE_URL="https://other", TOKEN="other")
    assert Agave.restore(tenant_id="sandbox")._token == ag._token
    with pytest.raises(AgaveError, match=r"No session with tenant_id='other' in .*\): sandbox/nryan/Default"):
        Agave.restore(tenant_id="other")


def test_an_address_or_a_user_chooses_among_filed_sessions(ag: Agave, tenant: Sandbox) -> None:
    ag.tenant_id = "sandbox"
    ag.save_configs()
    for keywords in ({"username": NAME}, {"api_server": f"{tenant.url}/"}, {"api_server": tenant.url.upper()}):
        assert Agave.restore(**keywords)._token == ag._token
    for keywords in ({"username": "nobody"}, {"api_server": "https://elsewhere.org"}):
        with pytest.raises(AgaveError, match="No session with"):
            Agave.restore(**keywords)


def test_a_token_without_an_address_is_not_sent_to_somebody_elses_tenant(ag: Agave) -> None:
    ag.save_configs()
    with pytest.raises(AgaveError, match=r"needs the address too: pass api_server="):
        Agave.restore(token="abc")


def test_no_session_at_all_is_a_clear_error() -> None:
    with pytest.raises(AgaveError, match=r"No session in .*config\.json\. Run 'agavepy login', or pass token="):
        Agave.restore()


@pytest.mark.parametrize("is_cached", [True, False])
def test_a_restored_client_writes_renewed_tokens_back_unless_told_otherwise(ag: Agave, is_cached: bool) -> None:
    ag.save_configs()
    restored = Agave.restore(cache_client=is_cached)
    restored.refresh()
    assert (sessions.Cache().find().token == restored._token) is is_cached


# load_configs and save_configs


def test_sessions_are_saved_side_by_side_and_chosen_by_their_criteria(tmp_path: Path) -> None:
    cases = [("t1", "u1", "c1"), ("t1", "u1", "c2"), ("t1", "u2", "c1"), ("t2", "u1", "c1")]
    for case in cases:
        tenant_id, username, client_name = case
        Agave(
            api_server="https://x",
            tenant_id=tenant_id,
            username=username,
            client_name=client_name,
            api_key="-".join(case),
            token=f"token of {case}",
        ).save_configs(tmp_path)
    ag = Agave()
    ag.load_configs(tmp_path)
    assert ag._token == f"token of {cases[-1]}"
    for case in cases:
        ag.load_configs(tmp_path, *case)
        assert ag._token == f"token of {case}"
    ag.load_configs(tmp_path, username="u2")
    assert (ag.tenant_id, ag.client_name) == ("t1", "c1")
    with pytest.raises(AgaveError, match="No session with tenant_id='t3'"):
        ag.load_configs(tmp_path, tenant_id="t3")


# The private names of earlier releases


def test_the_private_names_of_earlier_releases_work(ag: Agave, home: Path) -> None:
    ag.tenant_id, ag.client_name = "sandbox", "DefaultApplication"
    assert Agave.agpy_path() == str(home / ".agave" / "current")
    ag.save_configs()
    folder = home / ".agave"
    assert Agave.tapis_cache_path() == str(folder)
    assert Agave.tapis_current_path() == Agave.agavecurrent_path() == Agave.agpy_path() == str(folder / "current")
    assert Agave.tapis_sessions_path() == str(folder / "config.json")
    assert Agave._read_current()["access_token"] == ag._token
    assert Agave._read_current(agave_kwargs=True)["token"] == ag._token
    [read] = Agave._read_clients()
    assert Agave(**read)._token == ag._token
    assert Agave._read_sessions()["sessions"]["sandbox"][NAME].keys() == {"DefaultApplication"}
    assert Agave._restore_cached(tenant_id="sandbox")._token == ag._token
    assert Agave._restore_direct("https://x", "t")._token == "t"
    with pytest.raises(AgaveError, match="TAPIS_BASE_URL"):
        Agave._restore_env()
    ag.refresh()
    ag._write_client()
    assert Agave._read_current()["access_token"] == ag._token


# Pickles, and what must not be seen


def test_a_pickled_client_takes_its_session_up_where_it_stands(ag: Agave) -> None:
    ag.save_configs()
    content = pickle.dumps(ag)
    ag.refresh()
    again = pickle.loads(content)
    assert again._token == ag._token
    assert again.profiles.get().username == NAME


def test_a_pickled_client_whose_session_is_gone_says_so(ag: Agave, caplog: pytest.LogCaptureFixture) -> None:
    ag.save_configs()
    content = pickle.dumps(ag)
    assert ag._cache is not None
    ag._cache.forget(ag._session())
    again = pickle.loads(content)
    assert again.token is None
    assert "The pickled client is not logged in here: No session" in caplog.text


def test_no_secret_is_seen_anywhere(
    tenant: Sandbox, clock: ManualClock, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        ag = tenant.client()
        secrets = [PASSWORD, str(ag.api_secret), *tokens_of(ag)]
        shown = [repr(ag), str(ag), repr(ag._session()), repr(ag._cache), repr(vars(ag).get("_renewing"))]
        ag.save_configs()
        clock.advance(TTL_S)
        ag.profiles.get()
        secrets += tokens_of(ag)
        shown += [repr(pickle.dumps(ag)), text_of_error(lambda: ag.files.list(systemId="no", filePath="/"))]
        tenant.revoke_refresh_tokens(NAME)
        ag.password = "wrong-password"
        shown += [text_of_error(ag.refresh), text_of_error(ag.buy_token)]
        tenant.expire_tokens()
        shown += [text_of_error(ag.profiles.get)]
        tenant.state.accounts.clients.renew(NAME, "DefaultApplication")
        shown += [text_of_error(ag.refresh), repr(pickle.dumps(ag))]
    out, err = capfd.readouterr()
    shown += [caplog.text, out, err, *[str(each.message) for each in warned]]
    for secret in (*secrets, "wrong-password"):
        assert not [text for text in shown if secret in text]


def tokens_of(ag: Agave) -> list[str]:
    return [str(ag._token), str(ag.refresh_token)]


def text_of_error(action: Callable[[], Any]) -> str:
    """Return traceback, text, repr and pickle of the error an action ends in."""
    with pytest.raises(AgavepyError) as caught:
        action()
    error = caught.value
    return "".join([*traceback.format_exception(error), str(error), repr(error), repr(pickle.dumps(error))])


def test_a_token_and_an_address_may_come_from_either_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_BASE_URL", "https://from-the-environment")
    monkeypatch.setenv("TAPIS_REFRESH_TOKEN", "of another token")
    restored = Agave.restore(token="given")
    assert (restored.api_server, restored._token, restored.refresh_token) == (
        "https://from-the-environment",
        "given",
        None,
    )
    monkeypatch.setenv("TAPIS_TOKEN", "from the environment")
    restored = Agave.restore(api_server="https://given")
    assert (restored.api_server, restored._token) == ("https://given", "from the environment")
