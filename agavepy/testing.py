"""
Fixtures for pytest: a tenant of one's own, and a client of it. They are there as soon as agavepy is installed::

    def test_a_report_is_uploaded(agave, agave_tenant):
        my_program.upload_report(agave)
        assert agave_tenant.requests[-1]["operation"] == "files.importData"

    def test_an_outage_is_reported(agave, agave_tenant):
        agave_tenant.fail_next(503, times=10, operation="jobs.submit")
        with pytest.raises(my_program.TryLater):
            my_program.submit(agave)

Every test has a tenant of its own. With ``agave_tenant_scope = session`` (or ``module``) in pytest's settings, tests
share one, which saves its start. A fixture ``agave_settings`` of one's own changes how the tenant is started::

    @pytest.fixture(scope="session")
    def agave_settings():
        return {"users": {"maria": "secret"}, "tls": True}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

# Whoever runs pytest loads this module: what the fixtures need is imported when one is used.
if TYPE_CHECKING:
    from .agave import Agave
    from .sandbox import Sandbox

Scope = Literal["session", "package", "module", "class", "function"]
_SCOPES = ("session", "package", "module", "class", "function")
_SETTING = "agave_tenant_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Announce the setting."""
    parser.addini(
        _SETTING, "how long a tenant of the fixture agave_tenant runs; one for each test without it", default=""
    )


def _scope(fixture_name: str, config: pytest.Config) -> Scope:
    wanted = str(config.getini(_SETTING) or "function")
    for scope in _SCOPES:
        if scope == wanted:
            return scope  # type: ignore[return-value]
    raise pytest.UsageError(f"{_SETTING} must be one of {', '.join(_SCOPES)}; got {wanted!r}.")


@pytest.fixture(scope="session")
def agave_settings() -> dict[str, Any]:
    """Return the keywords that the tenant is made with, those of agavepy.sandbox.Sandbox; for overriding."""
    return {}


@pytest.fixture(scope=_scope)
def agave_tenant(agave_settings: dict[str, Any]) -> Iterator[Sandbox]:
    """Give a running tenant; it is gone at the end, with all its files."""
    from .sandbox import Sandbox

    with Sandbox(**agave_settings) as tenant:
        yield tenant


@pytest.fixture
def agave(agave_tenant: Sandbox) -> Iterator[Agave]:
    """Give a client of the tenant, logged in as its first user."""
    client = agave_tenant.client()
    try:
        yield client
    finally:
        client.close()
