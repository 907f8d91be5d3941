"""Schemathesis finds no 5xx and no answer outside of the documents, and gets to where there is something to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .campaign import Campaign
from .cases import CASES, options, schema
from .documents import SERVICES, document, operations
from .seeds import IMAGES

Campaigns = Callable[[str], Campaign]


@pytest.fixture(scope="session")
def campaigns() -> Iterator[Campaigns]:
    """Gives the campaign of a service, one for all of its operations."""
    tenants: list[Sandbox] = []
    running: dict[str, Campaign] = {}

    def of(service: str) -> Campaign:
        if service not in running:
            tenants.append(Sandbox(images=IMAGES).start())
            running[service] = Campaign(service, tenants[-1])
        return running[service]

    yield of
    for tenant in tenants:
        tenant.stop()


def _test(service: str) -> Callable[..., None]:
    """Return the test of a service's operations, which Schemathesis turns into one of each."""

    @schema(service).parametrize()
    @options(service)
    def test(case: Any, campaigns: Campaigns) -> None:
        campaigns(service).send(case)

    return test


for each in SERVICES:
    globals()[f"test_{each}"] = _test(each)


# Below the tests of the operations, because they are about all of them


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_got_its_cases(service: str, campaigns: Campaigns) -> None:
    cases = campaigns(service).cases
    print(f"{service}: {cases.total()} cases, {campaigns(service).successes.total()} successes")
    for name in cases:
        print(f"   {name}: {cases[name]}, {campaigns(service).successes[name]}")
    assert cases.total() >= CASES


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_did_what_it_is_for(service: str, campaigns: Campaigns) -> None:
    names = {f"{service}.{each['operationId']}" for each in operations(document(service))}
    assert names - {name for name, number in campaigns(service).successes.items() if number} == set()
