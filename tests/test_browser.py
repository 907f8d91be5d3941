"""A login through the browser, with requests in place of the browser."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from agavepy import cli
from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.sandbox import Sandbox
from agavepy.sessions import Cache

TIMEOUT_S = 10

Browser = Callable[[str], object]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop secret", "other": "of the other"}) as running:
        yield running


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    """A client that has the key and secret of an OAuth client, and neither name nor password."""
    known = tenant.client()
    client = Agave(api_server=tenant.url, tenant_id="sandbox", api_key=known.api_key, api_secret=known.api_secret)
    yield client
    client.close()


class Person:
    """Somebody at a browser: opens the page, fills it in, follows where they are sent."""

    def __init__(self, username: str, password: str, *, decision: str = "approve") -> None:
        self.form = {"username": username, "password": password, "decision": decision}
        self.address = ""
        self.last: requests.Response | None = None

    def __call__(self, address: str) -> None:
        self.address = address
        page = requests.get(address, timeout=TIMEOUT_S)
        ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
        assert ticket, page.text
        target = urllib.parse.urljoin(address, "/authorize")
        self.last = requests.post(target, data={**self.form, "ticket": ticket[1]}, timeout=TIMEOUT_S)


@pytest.fixture
def person(tenant: Sandbox) -> Person:
    return Person("nryan", tenant.password)


def asked(address: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


def come_back(address: str, **more: str) -> requests.Response:
    """Go where the tenant would send the browser, with other parameters than it would."""
    return requests.get(asked(address)["redirect_uri"], params=more, timeout=TIMEOUT_S)


def test_a_person_logs_in_and_the_program_goes_on(ag: Agave, person: Person) -> None:
    assert ag.login_with_browser(open_browser=person) == ag.token
    assert (ag.username, ag.profiles.get().username) == ("nryan", "nryan")
    assert ag.refresh_token
    assert ag.expires_in == 14400
    assert person.last is not None
    assert person.last.status_code == 200
    assert "You can close this window" in person.last.text


def test_the_request_is_tied_to_this_program(ag: Agave, person: Person) -> None:
    ag.login_with_browser(open_browser=person)
    first = asked(person.address)
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert len(base64.urlsafe_b64decode(first["code_challenge"] + "=")) == hashlib.sha256().digest_size
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", first["redirect_uri"])
    ag.login_with_browser(open_browser=person)
    assert asked(person.address)["state"] != first["state"]
    assert asked(person.address)["code_challenge"] != first["code_challenge"]


def test_the_session_renews_itself(ag: Agave, person: Person, tenant: Sandbox) -> None:
    ag.login_with_browser(open_browser=person)
    before = ag.token
    tenant.expire_tokens()
    ag.created_at = 0
    assert ag.profiles.get().username == "nryan"
    assert ag.token != before


def test_a_public_client_logs_in_renews_and_logs_out(ag: Agave, person: Person, tmp_path: Path) -> None:
    ag.api_secret = None
    ag.login_with_browser(open_browser=person)
    ag.save_configs(tmp_path)
    before = ag.token
    assert ag.refresh() != before
    assert ag.profiles.get().username == "nryan"
    token = ag.token
    ag.logout()
    with pytest.raises(Exception, match="401"):
        Agave(api_server=ag.api_server, token=token).profiles.get()


def test_whoever_logs_in_is_who_the_client_is(ag: Agave) -> None:
    ag.username, ag.password = "nryan", "tiptop secret"
    ag.login_with_browser(open_browser=Person("other", "of the other"))
    assert (ag.username, ag.password) == ("other", None)


def test_a_filed_session_is_filed_anew(ag: Agave, person: Person, tmp_path: Path) -> None:
    ag.login_with_browser(open_browser=person)
    ag.save_configs(tmp_path)
    ag.login_with_browser(open_browser=person)
    assert Cache(tmp_path).find().token == ag.token


def test_a_program_that_asked_to_be_told_is_told(ag: Agave, person: Person) -> None:
    told: list[str] = []
    ag.token_callback = lambda **info: told.append(info["access_token"])
    ag.login_with_browser(open_browser=person)
    assert told == [ag.token]


# When it does not work


def test_a_denial_is_a_clear_error(ag: Agave) -> None:
    person = Person("", "", decision="deny")
    with pytest.raises(AgaveError, match="^The login was denied in the browser"):
        ag.login_with_browser(open_browser=person)
    assert ag.token is None
    assert person.last is not None
    assert "The login was not finished" in person.last.text


@pytest.mark.parametrize("parameters", [{}, {"state": ""}, {"state": "guessed"}, {"state": "é"}])
def test_an_answer_with_another_state_is_refused(ag: Agave, parameters: dict[str, str]) -> None:
    pages = []
    with pytest.raises(AgaveError, match="came back with another state"):
        ag.login_with_browser(open_browser=lambda address: pages.append(come_back(address, code="c", **parameters)))
    assert pages[0].status_code == 400
    assert ag.token is None


def test_a_state_sent_twice_is_none(ag: Agave) -> None:
    def twice(address: str) -> None:
        state = asked(address)["state"]
        requests.get(asked(address)["redirect_uri"], params=[("state", state), ("state", state)], timeout=TIMEOUT_S)

    with pytest.raises(AgaveError, match="came back with another state"):
        ag.login_with_browser(open_browser=twice)


def test_what_the_tenant_says_is_one_line_without_control_characters(ag: Agave) -> None:
    def refuse(address: str) -> None:
        state = asked(address)["state"]
        come_back(address, state=state, error="server_error", error_description="try\x1b[2J later\n" + "x" * 500)

    with pytest.raises(AgaveError, match="refused the login through the browser: server_error try") as caught:
        ag.login_with_browser(open_browser=refuse)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_an_answer_without_a_code_is_refused(ag: Agave) -> None:
    with pytest.raises(AgaveError, match="came back without a code"):
        ag.login_with_browser(open_browser=lambda address: come_back(address, state=asked(address)["state"]))


def test_a_code_somebody_made_up_buys_nothing(ag: Agave) -> None:
    with pytest.raises(Exception, match="Provided Authorization Grant is invalid") as caught:
        ag.login_with_browser(open_browser=lambda url: come_back(url, state=asked(url)["state"], code="made-up-code"))
    assert "made-up-code" not in str(caught.value)


def test_nobody_comes_back_in_time(ag: Agave) -> None:
    with pytest.raises(AgaveError, match=r"Nobody finished the login in the browser within 0\.05 s"):
        ag.login_with_browser(open_browser=lambda address: None, timeout_s=0.05)


def test_nothing_listens_any_more_afterwards(ag: Agave, person: Person) -> None:
    ag.login_with_browser(open_browser=person)
    with pytest.raises(requests.exceptions.ConnectionError):
        come_back(person.address)
    assert not [thread for thread in threading.enumerate() if "serve_forever" in thread.name]


def test_only_the_first_answer_counts_and_other_addresses_do_not(ag: Agave, person: Person) -> None:
    seen: list[int] = []

    def busy(address: str) -> None:
        parts = urllib.parse.urlsplit(asked(address)["redirect_uri"])
        idle = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
        idle.connect()  # as browsers do beforehand
        seen.append(requests.get(f"http://{parts.netloc}/favicon.ico", timeout=TIMEOUT_S).status_code)
        person(address)
        seen.append(come_back(address, state="late").status_code)
        idle.close()

    ag.login_with_browser(open_browser=busy)
    assert seen == [404, 404]
    assert ag.profiles.get().username == "nryan"


def test_the_closing_page_shows_nothing_it_was_given(ag: Agave) -> None:
    def attack(address: str) -> None:
        page = come_back(address, state=asked(address)["state"], error="<script>", error_description="<b>")
        assert "<script>" not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"

    with pytest.raises(AgaveError, match="refused the login"):
        ag.login_with_browser(open_browser=attack)


def test_another_person_than_the_one_named_is_not_filed(
    tenant: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    monkeypatch.setenv("TAPIS_PASSWORD", tenant.password)
    monkeypatch.setattr("webbrowser.open", Person("other", "of the other"))
    assert cli.main(["login", "--tenant", "sandbox", "--browser", "--username", "nryan"]) == 1
    assert "it was 'other' who logged in, not 'nryan': nothing is filed" in capsys.readouterr().err
    assert not Cache().own()


def test_without_a_browser_the_address_is_shown(ag: Agave, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AgaveError, match="Nobody finished"):
        ag.login_with_browser(open_browser=lambda address: False, timeout_s=0.01)
    said = capsys.readouterr().err
    assert f"Waiting 0.01 s for the login in the browser, at\n{ag.api_server}/authorize?" in said
    assert "No browser could be opened: open that address on this machine." in said


def test_an_oauth_client_is_needed(tenant: Sandbox) -> None:
    with pytest.raises(AgaveError, match="takes the key of an OAuth client"):
        Agave(api_server=tenant.url).login_with_browser()


def test_no_password_is_asked_for_over_plain_http() -> None:
    with pytest.raises(AgaveError, match="is not https"):
        Agave(api_server="http://example.org", api_key="k").login_with_browser(open_browser=pytest.fail)


# agavepy login --browser


def test_the_command_uses_the_client_it_knows(
    tenant: Sandbox,
    person: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    monkeypatch.setattr("webbrowser.open", person)
    command = ["login", "--tenant", "sandbox", "--browser"]
    monkeypatch.setenv("TAPIS_USERNAME", "nryan")
    monkeypatch.setenv("TAPIS_PASSWORD", tenant.password)
    assert cli.main(command) == 0
    assert "There is no OAuth client here yet" in capsys.readouterr().err
    for name in ("TAPIS_USERNAME", "TAPIS_PASSWORD"):
        monkeypatch.delenv(name)
    key = Cache().find().api_key
    assert cli.main(command) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"Logged in at sandbox ({tenant.url}) as nryan")
    assert printed.err.startswith("Waiting 300 s for the login in the browser, at\n")
    assert "No browser" not in printed.err
    assert Cache().find().api_key == key
