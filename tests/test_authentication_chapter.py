"""The documentation's Authentication chapter, line by line at a terminal, against a tenant that announces several."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .test_prompts import at_terminal

NAME, PASSWORD = "nryan", "correct horse"
USERNAME_ASKED, PASSWORD_ASKED = ("API username: ", NAME), ("API password: ", PASSWORD)
OTHERS = [
    {"id": "3dem", "name": "3dem Tenant", "url": "https://api.3dem.example.org"},
    {"id": "vdjserver.org", "name": "VDJ Server", "url": "https://vdj.example.org"},
]
# As Python's own prompt does, except that what a call returns is not shown, as in the chapter.
CONSOLE = """
namespace = {}
for line in LINES:
    print(">>>", line, flush=True)
    mode = "exec" if line.endswith(")") else "single"
    exec(compile(line, "<documentation>", mode), namespace)
"""
KEYS = ["tenantid", "baseurl", "devurl", "apisecret", "apikey", "username", "access_token", "refresh_token"]
TIMES = ["created_at", "expires_in", "expires_at"]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={NAME: PASSWORD}, tenant_id="sd2e", tenants=OTHERS) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def typed(tenant: Sandbox, home: Path, lines: str, *answers: tuple[str, str]) -> str:
    """Return what stands on the terminal after ``lines`` were typed, without the lines themselves."""
    wanted = textwrap.dedent(lines).strip().splitlines()
    tenants_url = f"{tenant.url}/tenants"
    screen = at_terminal(f"LINES = {wanted!r}{CONSOLE}", *answers, HOME=str(home), TAPIS_TENANTS_URL=tenants_url)
    assert screen.exit_code == 0, screen.text
    assert PASSWORD not in screen.text
    shown = [line for line in screen.text.splitlines() if line not in {f">>> {each}" for each in wanted}]
    assert len(shown) == len(screen.text.splitlines()) - len(wanted)
    return "\n".join(shown).replace(tenant.url, "URL")


def table(text: str) -> list[list[str]]:
    """Return the cells of an aligned table: every column begins where its header does."""
    header, *rows = text.splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", header)]
    assert all(row[start - 1 : start] in ("", " ") for row in rows for start in starts[1:])
    assert all(row[start : start + 1] != " " for row in rows for start in starts)
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in (header, *rows)]


# Initiating a session


def test_init_shows_the_tenants_and_asks_for_one(tenant: Sandbox, home: Path) -> None:
    shown = typed(
        tenant,
        home,
        """
        from agavepy.agave import Agave
        agave = Agave()
        agave.init()
        agave.tenant_id, agave.api_server
        """,
        ("Please specify the ID for the tenant you wish to interact with: ", "sd2e"),
    )
    *listed, asked, chosen = shown.splitlines()
    assert table("\n".join(listed).replace("URL/", "https://own/")) == [
        ["ID", "NAME", "URL"],
        ["3dem", "3dem Tenant", "https://api.3dem.example.org/"],
        ["sd2e", "agavepy sd2e", "https://own/"],
        ["vdjserver.org", "VDJ Server", "https://vdj.example.org/"],
    ]
    assert asked == "Please specify the ID for the tenant you wish to interact with: sd2e"
    assert chosen == "('sd2e', 'URL')"


def test_init_with_an_id_asks_nothing(tenant: Sandbox, home: Path) -> None:
    lines = """
        from agavepy.agave import Agave
        agave = Agave(tenant_id="sd2e")
        agave.init()
        agave.tenant_id, agave.api_server
        """
    assert typed(tenant, home, lines) == "('sd2e', 'URL')"


def test_init_with_an_address_asks_nothing_and_leaves_it_as_it_is(tenant: Sandbox, home: Path) -> None:
    lines = f"""
        from agavepy.agave import Agave
        agave = Agave(api_server="{tenant.url}/")
        agave.init()
        agave.tenant_id, agave.api_server
        """
    assert typed(tenant, home, lines) == "('sd2e', 'URL/')"


# From an OAuth client to a saved session, and back


def test_a_session_is_made_saved_and_loaded(tenant: Sandbox, home: Path) -> None:
    made = typed(
        tenant,
        home,
        """
        from agavepy.agave import Agave
        agave = Agave(tenant_id="sd2e")
        agave.init()
        agave.clients_create("my_super_cool_client", "my client's desciption")
        agave.api_key, agave.api_secret
        agave.get_access_token()
        agave.token, agave.refresh_token
        agave.refresh_tokens()
        agave.token, agave.refresh_token
        agave.save_configs()
        """,
        USERNAME_ASKED,
        PASSWORD_ASKED,
    )
    asked_name, asked_password, *shown = made.splitlines()
    assert (asked_name, asked_password.strip()) == (f"API username: {NAME}", "API password:")  # asked for once
    (key, secret), first, second = (two_texts(line) for line in shown)
    assert not {*first} & {*second}
    assert_is_documented(home, key=key, secret=secret, tokens=second, url=tenant.url)

    loaded = """
        from agavepy.agave import Agave
        agave = Agave()
        agave.load_configs()
        agave.tenant_id, agave.api_server
        agave.token, agave.refresh_token
        agave.profiles.get()["username"]
        """
    assert typed(tenant, home, loaded).splitlines() == ["('sd2e', 'URL')", str(second), repr(NAME)]
    chosen = loaded.replace("configs()", f'configs(tenant_id="sd2e", username="{NAME}", client_name="{CLIENT}")')
    assert typed(tenant, home, chosen).splitlines()[-1] == repr(NAME)


CLIENT = "my_super_cool_client"


def two_texts(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"\('([\w-]+)', '([\w-]+)'\)", line)
    assert found, line
    return found.group(1), found.group(2)


def assert_is_documented(home: Path, *, key: str, secret: str, tokens: tuple[str, str], url: str) -> None:
    config: dict[str, Any] = json.loads((home / ".agave" / "config.json").read_text())
    entry = config["current"][CLIENT]
    assert config == {"current": {CLIENT: entry}, "sessions": {"sd2e": {NAME: {CLIENT: entry}}}}
    assert list(entry) == [*KEYS, *TIMES]
    assert [entry[name] for name in KEYS] == ["sd2e", url, "", secret, key, NAME, *tokens]
    assert re.fullmatch(r"\d{10}", entry["created_at"])
    assert entry["expires_in"] == 14400
    assert re.fullmatch(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}", entry["expires_at"])
    current: dict[str, Any] = json.loads((home / ".agave" / "current").read_text())
    assert current == {**entry, "client_name": CLIENT}


# OAuth clients


def test_clients_are_listed(tenant: Sandbox, home: Path) -> None:
    known_client(tenant, "client-name", "some description")
    shown = typed(tenant, home, in_a_session(tenant, "ag.clients_list()"), USERNAME_ASKED, PASSWORD_ASKED)
    asked_name, asked_password, *listed = shown.splitlines()
    assert (asked_name, asked_password.strip()) == (f"API username: {NAME}", "API password:")
    header, *rows = table("\n".join(listed))
    assert header == ["NAME", "DESCRIPTION"]
    assert ["client-name", "some description"] in rows


def test_a_client_is_deleted(tenant: Sandbox, home: Path) -> None:
    known_client(tenant, "some-client-name")
    line = 'ag.clients_delete("some-client-name")'
    shown = typed(tenant, home, in_a_session(tenant, line, username=NAME), PASSWORD_ASKED)
    assert shown.strip() == "API password:"
    assert tenant.state.accounts.clients.find(NAME, "some-client-name") is None


def test_a_client_is_subscribed_and_its_subscriptions_are_listed(tenant: Sandbox, home: Path) -> None:
    known_client(tenant, "client")
    tenant.state.accounts.clients.unsubscribe(NAME, "client", ["Postits"])
    lines = 'ag.clients_subscribe("Postits", "v2", "admin", client_name="client")\nag.clients_subscribtions()'
    text = in_a_session(tenant, lines, username=NAME, client_name="client")
    asked_password, *listed = typed(tenant, home, text, PASSWORD_ASKED).splitlines()
    assert asked_password.strip() == "API password:"
    header, *rows = table("\n".join(listed))
    assert header == ["NAME", "VERSION", "PROVIDER"]
    assert all(row[1:] == ["v2", "admin"] for row in rows)
    assert {row[0] for row in rows} >= {"Apps", "Files", "Jobs", "Systems", "Profiles", "Postits"}


def test_the_spelling_of_the_text_does_as_well(tenant: Sandbox, home: Path) -> None:
    known_client(tenant, "client")
    text = in_a_session(tenant, 'ag.clients_subscriptions(client_name="client")', username=NAME)
    assert "NAME" in typed(tenant, home, text, PASSWORD_ASKED)


def in_a_session(tenant: Sandbox, lines: str, **known: str) -> str:
    keywords = "".join(f", {name}={value!r}" for name, value in known.items())
    return f'from agavepy.agave import Agave\nag = Agave(tenant_id="sd2e"{keywords})\nag.init()\n{lines}'


def known_client(tenant: Sandbox, name: str, description: str = "") -> None:
    if tenant.state.accounts.clients.find(NAME, name) is None:
        tenant.state.accounts.clients.create(NAME, name, description=description)
