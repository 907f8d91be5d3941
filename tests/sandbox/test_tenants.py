"""The list of tenants, when a sandbox announces several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy.sandbox import Sandbox

from .conftest import TIMEOUT_S

OTHERS = [
    {"id": "zebra", "name": "The last", "url": "https://zebra.example.org/"},
    {"id": "3dem", "name": "The first", "url": "https://3dem.example.org"},
]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(tenant_id="mine", tenants=OTHERS) as running:
        yield running


def records(tenant: Sandbox, path: str = "") -> list[dict[str, Any]]:
    answer = requests.get(f"{tenant.url}/tenants{path}", timeout=TIMEOUT_S)
    assert answer.status_code == 200
    result: list[dict[str, Any]] = answer.json()["result"]
    return result


def test_all_are_listed_in_the_order_of_their_ids(tenant: Sandbox) -> None:
    found = [(each["code"], each["name"], each["baseUrl"]) for each in records(tenant)]
    assert found == [
        ("3dem", "The first", "https://3dem.example.org/"),
        ("mine", "agavepy mine", f"{tenant.url}/"),
        ("zebra", "The last", "https://zebra.example.org/"),
    ]


def test_each_is_found_by_code_and_by_uuid(tenant: Sandbox) -> None:
    listed = records(tenant)
    assert len({each["id"] for each in listed}) == 3
    for each in listed:
        assert records(tenant, f"/{each['code']}") == records(tenant, f"/{each['id']}") == [each]


def test_another_is_not_found(tenant: Sandbox) -> None:
    answer = requests.get(f"{tenant.url}/tenants/sandbox", timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["message"]) == (404, "No tenant found with id sandbox")


def test_uuids_stay(tmp_path: Path) -> None:
    with Sandbox(tmp_path, tenants=OTHERS) as tenant:
        first = [each["id"] for each in records(tenant)]
    with Sandbox(tmp_path, tenants=OTHERS) as tenant:
        assert [each["id"] for each in records(tenant)] == first


@pytest.mark.parametrize(
    ("tenants", "reason"),
    [
        ([{"id": "x", "name": "x"}], "'id', 'name' and 'url'"),
        ([{"id": "x", "name": "x", "url": "x", "code": "x"}], "'id', 'name' and 'url'"),
        ([{"id": "a/b", "name": "x", "url": "x"}], "'a/b' must be letters"),
        ([OTHERS[0], OTHERS[0]], "Two tenants have the id 'zebra'"),
        ([{"id": "sandbox", "name": "x", "url": "x"}], "Two tenants have the id 'sandbox'"),
    ],
)
def test_what_is_wrong_with_a_tenant_is_said_before_it_starts(tenants: list[dict[str, str]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Sandbox(tenants=tenants)
