"""Schemathesis finds no 5xx, and no answer outside of the documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .campaign import CASES, Campaign, options, schema
from .documents import SERVICES
from .seeds import IMAGES

_campaigns: dict[str, Campaign] = {}


def _test(service: str) -> Callable[..., None]:
    @schema(service).parametrize()
    @options(service)
    def test(case: Any, campaigns: Callable[[str], Campaign]) -> None:
        campaigns(service).send(case)

    return test


@pytest.fixture(scope="session")
def campaigns() -> Iterator[Callable[[str], Campaign]]:
    running = {}

    def campaign(service: str) -> Campaign:
        if service not in _campaigns:
            running[service] = Sandbox(images=IMAGES).start()
            _campaigns[service] = Campaign(service, running[service])
        return _campaigns[service]

    yield campaign
    for tenant in running.values():
        tenant.stop()


for service in SERVICES:
    globals()[f"test_{service}"] = _test(service)


def test_zz() -> None:
    for name, campaign in _campaigns.items():
        print(name, sum(campaign.cases.values()))
        for operation in campaign.cases:
            print(f"   {operation} {campaign.cases[operation]} {campaign.successes[operation]}")
