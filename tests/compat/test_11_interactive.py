"""Promises 11.x: the interactive steps, and the functions behind them."""

from __future__ import annotations

import builtins
import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy import tenants
from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

from ..recording import Answer, Recorder


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of somebody who answers each prompt as it should be."""
    asked: list[str] = []

    def name_or_tenant(prompt: str = "") -> str:
        asked.append(prompt)
        return "nryan" if "username" in prompt else "sandbox"

    def password(prompt: str = "") -> str:
        asked.append(prompt)
        return "tiptop-password"

    monkeypatch.setattr(builtins, "input", name_or_tenant)
    monkeypatch.setattr(getpass, "getpass", password)
    return asked


@pytest.fixture
def fresh(tenant: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agave]:
    """A client that knows nothing yet."""
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{tenant.url}/tenants")
    ag = Agave()
    yield ag
    ag.close()


@pytest.mark.promise("11.1")
def test_init_finds_address_by_id_id_by_address_and_both_by_asking(
    fresh: Agave, tenant: Sandbox, typing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for ag in (Agave(tenant_id="sandbox"), Agave(api_server=f"{tenant.url}/")):
        ag.init()
        assert (ag.tenant_id, ag.api_server.rstrip("/")) == ("sandbox", tenant.url)  # type: ignore[union-attr]
    assert not typing
    fresh.init()
    assert (fresh.tenant_id, fresh.api_server) == ("sandbox", tenant.url)
    assert typing == ["Please specify the ID for the tenant you wish to interact with: "]
    assert capsys.readouterr().out.split()[:3] == ["ID", "NAME", "URL"]


@pytest.mark.promise("11.2")
def test_list_tenants_prints_a_table_and_returns_it(
    fresh: Agave, tenant: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fresh.list_tenants()
    assert found["sandbox"] == {"id": "sandbox", "name": found["sandbox"]["name"], "url": f"{tenant.url}/"}
    assert "sandbox" in capsys.readouterr().out
    assert fresh.list_tenants(tenantsurl=f"{tenant.url}/tenants") == found


@pytest.mark.promise("11.3")
def test_clients_create_asks_keeps_and_returns(fresh: Agave, typing: list[str]) -> None:
    fresh.init()
    made = fresh.clients_create("made-by-11-3", "what for")
    assert typing[-2:] == ["API username: ", "API password: "]
    assert made == {"api_key": fresh.api_key, "api_secret": fresh.api_secret, "client_name": "made-by-11-3"}
    fresh.clients_delete()
    unnamed = fresh.clients_create()
    assert unnamed["client_name"] == fresh.client_name
    fresh.clients_delete(fresh.client_name)
    assert fresh.api_key is None


@pytest.mark.promise("11.3")
def test_clients_create_takes_what_it_took_and_asks_nothing_then(tenant: Sandbox, typing: list[str]) -> None:
    ag = Agave()
    made = ag.clients_create(
        client_name="made-by-11-3-too",
        description="what for",
        tenant_url=tenant.url,
        username="nryan",
        password="tiptop-password",
        verify_ssl=True,
        quiet=True,
    )
    assert not typing
    assert (ag.api_server, ag.username, ag.api_key) == (tenant.url, "nryan", made["api_key"])
    ag.clients_delete()
    ag.close()


@pytest.mark.promise("11.4")
def test_the_other_steps_on_clients_print_tables(
    fresh: Agave, typing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.init()
    fresh.clients_create("made-by-11-4", "what for")
    capsys.readouterr()
    fresh.clients_list()
    assert ["made-by-11-4", "what", "for"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    fresh.clients_subscribe("Apps", "v2", "admin", client_name="made-by-11-4")
    for step in (fresh.clients_subscriptions, fresh.clients_subscribtions):
        step()
        assert capsys.readouterr().out.split()[:3] == ["NAME", "VERSION", "PROVIDER"]
    fresh.clients_delete("made-by-11-4")


@pytest.mark.promise("11.5")
def test_a_session_is_got_renewed_saved_and_loaded(
    fresh: Agave, typing: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.init()
    fresh.clients_create("made-by-11-5", "what for")
    fresh.get_access_token()
    first = str(fresh.token)
    assert fresh.refresh_token
    fresh.refresh_tokens()
    assert fresh.token != first
    fresh.save_configs(cache_dir=str(tmp_path / "there"))
    again = Agave()
    again.load_configs(cache_dir=str(tmp_path / "there"), tenant_id="sandbox", username="nryan")
    assert (again.token, again.client_name) == (fresh.token, "made-by-11-5")
    assert again.profiles.get().username == "nryan"
    again.close()
    fresh.clients_delete()
    assert str(first) not in capsys.readouterr().out


@pytest.mark.promise("11.6")
def test_the_functions_on_tenants_take_verify_ssl(recorder: Recorder) -> None:
    listed = {"result": [{"code": "sd2e", "baseUrl": "https://api.sd2e.org/", "name": "SD2E"}]}
    recorder.always = Answer(body=json.dumps(listed).encode())
    url = f"{recorder.url}/tenants"
    assert tenants.list_tenants(url, verify_ssl=False)[0]["baseUrl"] == "https://api.sd2e.org/"
    assert tenants.api_server_by_id("SD2E", url=url, verify_ssl=True) == "https://api.sd2e.org/"
    assert tenants.id_by_api_server("https://API.sd2e.org", url=url, verify_ssl=False) == "sd2e"
