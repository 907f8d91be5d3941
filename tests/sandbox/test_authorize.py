"""The login through a browser: /authorize, its page, and what a code can be redeemed for."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
import secrets
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.oauth_clients import Credentials

from .conftest import TIMEOUT_S, Http

CALLBACK = "https://portal.example.org/callback?tenant=a"
LOOPBACK = "http://127.0.0.1:8123/done"


class _Fields(html.parser.HTMLParser):
    """The inputs of a page, name → value, and its script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "input":
            known = dict(attrs)
            self.inputs[known["name"] or ""] = known.get("value") or ""


class Browser:
    """Somebody at a browser: opens /authorize, fills in the page, and looks where they are sent."""

    def __init__(self, tenant: Sandbox, client: Credentials) -> None:
        self.tenant = tenant
        self.client = client

    def open(self, **more: Any) -> requests.Response:
        query = {"response_type": "code", "client_id": self.client.key, "redirect_uri": LOOPBACK, "state": "s 1&é"}
        query = {name: value for name, value in (query | more).items() if value is not None}
        return requests.get(f"{self.tenant.url}/authorize", params=query, allow_redirects=False, timeout=TIMEOUT_S)

    def send(self, page: requests.Response, decision: str = "approve", **more: str) -> requests.Response:
        headers = {"Origin": more.pop("origin", self.tenant.url)}
        form = {"username": self.tenant.username, "password": self.tenant.password, "decision": decision}
        form = _Fields(page.text).inputs | form | more
        return self.post(form, headers)

    def post(self, form: dict[str, str], headers: dict[str, str]) -> requests.Response:
        return requests.post(
            f"{self.tenant.url}/authorize", data=form, headers=headers, allow_redirects=False, timeout=TIMEOUT_S
        )

    def code(self, **more: Any) -> str:
        return sent_to(self.send(self.open(**more)))["code"]

    def redeem(self, code: str, *, secret: bool = True, **more: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK} | more
        auth = (self.client.key, self.client.secret) if secret else None
        if not secret:
            form["client_id"] = self.client.key
        return requests.post(f"{self.tenant.url}/token", data=form, auth=auth, timeout=TIMEOUT_S)

    def is_let_in(self, access_token: str) -> bool:
        header = {"Authorization": f"Bearer {access_token}"}
        return requests.get(f"{self.tenant.url}/profiles/v2/me", headers=header, timeout=TIMEOUT_S).ok


@pytest.fixture
def browser(tenant: Sandbox) -> Iterator[Browser]:
    clients = tenant.state.accounts.clients
    made = clients.create("sandbox", "portal", description="A <b>portal</b>", callback_url=CALLBACK)
    yield Browser(tenant, made)
    clients.delete("sandbox", "portal")


def sent_to(answer: requests.Response, *, fragment: bool = False) -> dict[str, str]:
    """Return the parameters of the redirect an answer is."""
    assert answer.status_code in (302, 303), answer.text
    parts = urllib.parse.urlsplit(answer.headers["location"])
    return dict(urllib.parse.parse_qsl(parts.fragment if fragment else parts.query))


def pkce(method: str) -> tuple[str, dict[str, str]]:
    """Return a verifier, and the parameters that announce it."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=") if method == "S256" else verifier
    return verifier, {"code_challenge": challenge, "code_challenge_method": method}


def is_error(answer: requests.Response, status: int, error: str) -> bool:
    return (answer.status_code, answer.json()["error"]) == (status, error)


# The page


def test_the_page_is_plain_and_guarded(browser: Browser) -> None:
    page = browser.open()
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8123;" in policy
    assert "script" not in _Fields(page.text).tags
    assert 'name="viewport"' in page.text
    style = re.search("<style>(.*)</style>", page.text, re.DOTALL)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy


def test_the_page_says_who_asks_and_where_one_is_sent(browser: Browser) -> None:
    text = browser.open().text
    assert "Allow portal to act for you?" in text
    assert "<b>sandbox</b>" in text
    assert "<b>http://127.0.0.1:8123</b>" in text


def test_what_others_wrote_is_escaped(tenant: Sandbox, browser: Browser) -> None:
    assert "A &lt;b&gt;portal&lt;/b&gt;" in browser.open().text
    hostile = '"><script>alert(1)</script>'
    assert "<script" not in browser.send(browser.open(), username=hostile, password="x").text
    assert "<script" not in browser.open(redirect_uri=f"https://evil.example/{hostile}").text
    assert "<script" not in browser.open(client_id=hostile).text
    made = tenant.state.accounts.clients.create("sandbox", hostile)
    assert "<script" not in Browser(tenant, made).open().text


def test_a_wrong_password_shows_the_page_again(browser: Browser) -> None:
    again = browser.send(browser.open(), password="wrong")
    assert again.status_code == 403
    assert "Wrong user name or password." in again.text
    assert _Fields(again.text).inputs["username"] == browser.tenant.username
    assert _Fields(again.text).inputs["password"] == ""
    assert "wrong" not in again.text
    assert sent_to(browser.send(again))["state"] == "s 1&é"


@pytest.mark.parametrize(("response_type", "fragment"), [("code", False), ("token", True)])
def test_denying_takes_no_password_and_goes_back_with_an_error(
    browser: Browser, response_type: str, fragment: bool
) -> None:
    answer = browser.send(browser.open(response_type=response_type), "deny", username="", password="")
    assert answer.headers["location"].startswith(LOOPBACK)
    assert sent_to(answer, fragment=fragment) == {"error": "access_denied", "state": "s 1&é"}


# Posts that are not the page's


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_form_of_another_site_does_nothing(browser: Browser, headers: dict[str, str]) -> None:
    answer = browser.send(browser.open(), origin=headers["Origin"])
    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_a_browser_that_names_another_site_is_believed(browser: Browser) -> None:
    form = _Fields(browser.open().text).inputs | {"decision": "deny"}
    assert browser.post(form, {"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_browser_may_call_this_machine_localhost(browser: Browser) -> None:
    local = browser.tenant.url.replace("127.0.0.1", "localhost")
    form = _Fields(browser.open().text).inputs | {"decision": "deny"}
    answer = requests.post(
        f"{local}/authorize", data=form, headers={"Origin": local}, allow_redirects=False, timeout=TIMEOUT_S
    )
    assert sent_to(answer)["error"] == "access_denied"


def test_a_form_counts_once(browser: Browser) -> None:
    page = browser.open()
    assert browser.send(page).status_code == 303
    again = browser.send(page)
    assert again.status_code == 400
    assert "used already" in again.text


def test_a_form_without_its_ticket_does_nothing(browser: Browser) -> None:
    assert browser.send(browser.open(), ticket="made-up").status_code == 400
    assert browser.post({"decision": "deny"}, {}).status_code == 400


def test_a_form_is_good_for_ten_minutes(browser: Browser, clock: ManualClock) -> None:
    page = browser.open()
    clock.advance(600)
    assert browser.send(page).status_code == 400


def test_what_was_asked_for_cannot_be_changed_in_the_form(browser: Browser) -> None:
    answer = browser.send(browser.open(), redirect_uri="https://evil.example/", state="other")
    assert answer.headers["location"].startswith(LOOPBACK)
    assert sent_to(answer)["state"] == "s 1&é"


def test_another_verb_is_refused(browser: Browser) -> None:
    answer = requests.put(f"{browser.tenant.url}/authorize", timeout=TIMEOUT_S)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


# Where one may be sent


@pytest.mark.parametrize(
    "address",
    [
        CALLBACK,
        "http://127.0.0.1/",
        "http://127.0.0.1:1",
        "http://localhost:65000/x?y=1",
        "https://localhost:8443/x",
        "http://[::1]:8123/done",
    ],
)
def test_the_callback_and_loopback_addresses_may_be_sent_to(browser: Browser, address: str) -> None:
    answer = browser.send(browser.open(redirect_uri=address))
    base, _, query = address.partition("?")
    assert answer.headers["location"].startswith(f"{base}?{query}")
    code = sent_to(answer)["code"]
    assert browser.redeem(code, redirect_uri=address).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        f"{CALLBACK}&x=1",
        "https://portal.example.org/callback",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:80@evil.example/",
        "http://localhost\\@evil.example/",
        "http://localhost#@evil.example/",
        "http://localhost/#fragment",
        "http://localhost\n.evil.example/",
        "http://localhost/\r\nSet-Cookie: x=y",
        "http://localhost/\n",
        "//evil.example/",
        "/relative",
        "javascript:alert(1)//http://127.0.0.1/",
        "http://0.0.0.0/",
        "http://127.0.0.2/",
        "http://[::1].evil.example/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://localhost/",
        "http://localhost/é",
    ],
)
def test_nobody_is_sent_anywhere_else(browser: Browser, address: str) -> None:
    page = browser.open(redirect_uri=address)
    assert page.status_code == 400
    assert "location" not in page.headers
    assert "This cannot be done" in page.text
    assert "password" not in _Fields(page.text).inputs


@pytest.mark.parametrize("client_id", [None, "", "nobody", "x\0y"])
def test_an_unknown_client_is_told_to_the_person_not_to_an_address(browser: Browser, client_id: str | None) -> None:
    page = browser.open(client_id=client_id)
    assert page.status_code == 400
    assert "location" not in page.headers


def test_a_parameter_that_comes_twice_is_refused(browser: Browser) -> None:
    assert browser.open(redirect_uri=[LOOPBACK, "http://localhost/"]).status_code == 400


def test_without_an_address_the_callback_is_meant(browser: Browser) -> None:
    answer = browser.send(browser.open(redirect_uri=None))
    assert answer.headers["location"].startswith(CALLBACK)
    assert browser.redeem(sent_to(answer)["code"], redirect_uri="").status_code == 200


def test_without_an_address_or_a_callback_there_is_nowhere_to_go(tenant: Sandbox) -> None:
    bare = Browser(tenant, tenant.state.accounts.clients.create("sandbox", "no-callback"))
    assert bare.open(redirect_uri=None).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"code_challenge": "short", "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "md5"}, "invalid_request"),
    ],
)
def test_other_mistakes_are_the_programs_to_hear_of(browser: Browser, wrong: dict[str, Any], error: str) -> None:
    answer = browser.open(**wrong)
    assert answer.headers["location"].startswith(LOOPBACK)
    assert (sent_to(answer)["error"], sent_to(answer)["state"]) == (error, "s 1&é")


def test_a_client_that_is_gone_when_the_form_comes_gets_nothing(tenant: Sandbox) -> None:
    clients = tenant.state.accounts.clients
    passing = Browser(tenant, clients.create("sandbox", "passing"))
    pages = [passing.open(), passing.open()]
    clients.delete("sandbox", "passing")
    assert [passing.send(pages[0]).status_code, passing.send(pages[1], "deny").status_code] == [400, 400]


# The implicit flow


def test_a_token_comes_in_the_fragment_and_lives_an_hour(browser: Browser, clock: ManualClock) -> None:
    answer = browser.send(browser.open(response_type="token"))
    assert "?" not in answer.headers["location"]
    facts = sent_to(answer, fragment=True)
    assert (facts["token_type"], facts["expires_in"], facts["state"]) == ("bearer", "3600", "s 1&é")
    assert "refresh_token" not in facts
    assert browser.is_let_in(facts["access_token"])
    clock.advance(3600)
    assert not browser.is_let_in(facts["access_token"])


def test_a_token_never_comes_in_the_query(browser: Browser) -> None:
    answer = browser.send(browser.open(response_type="token", response_mode="query"))
    assert "access_token" in sent_to(answer, fragment=True)
    assert "?" not in answer.headers["location"]


# Codes


def test_a_code_gives_tokens_of_whoever_approved(tenant: Sandbox, http: Http, browser: Browser) -> None:
    tenant.add_user("visitor", "visitor-password")
    code = sent_to(browser.send(browser.open(), username="visitor", password="visitor-password"))["code"]
    answer = browser.redeem(code)
    assert answer.status_code == 200
    assert list(answer.json()) == ["scope", "token_type", "expires_in", "refresh_token", "access_token"]
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 14400)
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert http.get("/profiles/v2/me", headers=header).json()["result"]["username"] == "visitor"


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_a_client_without_a_secret_shows_the_verifier(browser: Browser, method: str) -> None:
    verifier, announced = pkce(method)
    code = browser.code(**announced)
    assert is_error(browser.redeem(code, secret=False), 400, "invalid_request")
    for wrong in ("x" * 43, "é" * 43, "short"):
        assert is_error(browser.redeem(code, secret=False, code_verifier=wrong), 400, "invalid_grant")
    answer = browser.redeem(code, secret=False, code_verifier=verifier)
    assert answer.status_code == 200
    assert browser.is_let_in(answer.json()["access_token"])


def test_a_secret_does_not_replace_a_verifier_that_was_announced(browser: Browser) -> None:
    _, announced = pkce("S256")
    assert browser.redeem(browser.code(**announced)).status_code == 400


def test_without_a_challenge_a_secret_is_needed(browser: Browser) -> None:
    code = browser.code()
    assert browser.redeem(code, secret=False).status_code == 400
    assert is_error(browser.redeem(code, secret=False, code_verifier="x" * 43), 400, "invalid_grant")
    assert browser.redeem(code).status_code == 200


def test_a_verifier_nobody_announced_is_refused(browser: Browser) -> None:
    assert is_error(browser.redeem(browser.code(), code_verifier="x" * 43), 400, "invalid_grant")


@pytest.mark.parametrize("empty_secret_by_basic", [True, False])
def test_tokens_got_without_a_secret_are_renewed_and_revoked_without_one(
    tenant: Sandbox, browser: Browser, empty_secret_by_basic: bool
) -> None:
    def post(path: str, **form: str) -> requests.Response:
        auth = (browser.client.key, "") if empty_secret_by_basic else None
        form |= {} if empty_secret_by_basic else {"client_id": browser.client.key}
        return requests.post(f"{tenant.url}{path}", data=form, auth=auth, timeout=TIMEOUT_S)

    verifier, announced = pkce("S256")
    old = browser.redeem(browser.code(**announced), secret=False, code_verifier=verifier).json()
    new = post("/token", grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert new.status_code == 200
    newer = post("/token", grant_type="refresh_token", refresh_token=new.json()["refresh_token"])
    assert newer.status_code == 200
    assert post("/revoke", token=newer.json()["access_token"]).status_code == 200
    assert not browser.is_let_in(newer.json()["access_token"])


def test_tokens_got_with_a_secret_take_it_again(tenant: Sandbox, browser: Browser) -> None:
    tokens = browser.redeem(browser.code()).json()
    form = {"client_id": browser.client.key, "token": tokens["access_token"]}
    refresh = form | {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert is_error(requests.post(f"{tenant.url}/token", data=refresh, timeout=TIMEOUT_S), 401, "invalid_client")
    assert is_error(requests.post(f"{tenant.url}/revoke", data=form, timeout=TIMEOUT_S), 401, "invalid_client")
    assert browser.is_let_in(tokens["access_token"])


def test_a_code_is_bound_to_its_address_and_client(tenant: Sandbox, browser: Browser) -> None:
    code = browser.code()
    assert browser.redeem(code, redirect_uri="http://127.0.0.1:8124/done").status_code == 400
    assert browser.redeem(code, redirect_uri="").status_code == 400
    other = Browser(tenant, tenant.state.accounts.clients.create("sandbox", f"other-{code[:4]}"))
    assert is_error(other.redeem(code), 400, "invalid_grant")
    assert browser.redeem(code).status_code == 200


def test_a_code_is_good_for_ten_minutes(browser: Browser, clock: ManualClock) -> None:
    in_time, late = browser.code(), browser.code()
    clock.advance(599)
    assert browser.redeem(in_time).status_code == 200
    clock.advance(1)
    assert is_error(browser.redeem(late), 400, "invalid_grant")


@pytest.mark.parametrize("renewed", [False, True])
def test_a_code_that_is_used_twice_ends_what_it_gave(tenant: Sandbox, browser: Browser, renewed: bool) -> None:
    code = browser.code()
    tokens = browser.redeem(code).json()
    if renewed:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        auth = (browser.client.key, browser.client.secret)
        tokens = requests.post(f"{tenant.url}/token", data=form, auth=auth, timeout=TIMEOUT_S).json()
    assert browser.is_let_in(tokens["access_token"])
    assert is_error(browser.redeem(code), 400, "invalid_grant")
    assert not browser.is_let_in(tokens["access_token"])
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    auth = (browser.client.key, browser.client.secret)
    answer = requests.post(f"{tenant.url}/token", data=refresh, auth=auth, timeout=TIMEOUT_S)
    assert is_error(answer, 400, "invalid_grant")


def test_of_many_who_show_a_code_at_once_one_at_most_is_let_in(browser: Browser) -> None:
    code = browser.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.redeem(code), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15
    winner = next(answer for answer in answers if answer.ok)
    assert not browser.is_let_in(winner.json()["access_token"])  # the others made it a code used twice


# Secrets


def test_no_code_ticket_or_password_is_kept_or_logged_in_clear(
    tenant: Sandbox, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="oauthlib"):
        page = browser.open()
        code = sent_to(browser.send(page))["code"]
        tokens = browser.redeem(code).json()
    kept = b"".join(path.read_bytes() for path in tenant.root.glob("tenant.sqlite*"))
    ticket = _Fields(page.text).inputs["ticket"]
    for secret in (code, ticket, tenant.password, tokens["access_token"], tokens["refresh_token"]):
        assert secret.encode() not in kept
        assert secret not in str(tenant.requests)
        assert not [record for record in caplog.records if secret in record.getMessage()]
