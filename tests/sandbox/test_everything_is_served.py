"""Every operation of every document has a method that serves it."""

from __future__ import annotations

import pytest

from agavepy import specs
from agavepy.sandbox import Sandbox
from agavepy.sandbox.routing import Routes

OPERATIONS = sorted({each.name for each in Routes(specs.load()).operations()})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_a_method_of_its_name(tenant: Sandbox, operation: str) -> None:
    service, _, name = operation.partition(".")
    assert service in tenant.state.services, f"no service {service}"
    assert callable(getattr(type(tenant.state.services[service]), name, None)), f"{service} has no method {name}"


def test_there_are_181_operations() -> None:
    assert len(OPERATIONS) == 181
