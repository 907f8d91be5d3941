"""A real tenant, and plain requests to talk to it: the client under agavepy/ plays no part in these tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy.sandbox import ManualClock, Sandbox

from .acting import IMAGES, Acting
from .compute import Compute
from .receivers import hook, post, silent

__all__ = ["hook", "post", "silent"]  # fixtures

TIMEOUT_S = 30.0


class Http(requests.Session):
    """A session of one user of a tenant: paths instead of addresses, the bearer token set, a timeout always."""

    def __init__(self, tenant: Sandbox, *, user: str = "", password: str = "") -> None:
        super().__init__()
        self.trust_env = False
        self.base_url = tenant.url
        self.verify = tenant.ca_file or True
        self.user = user or tenant.username
        self.password = password or tenant.password
        self.key, self.secret = tenant.api_client()
        self.tokens = self.grant()
        self.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def grant(self) -> dict[str, Any]:
        """Return a fresh answer of /token to the user's name and password."""
        form = {"grant_type": "password", "username": self.user, "password": self.password, "scope": "PRODUCTION"}
        answer = self.request("POST", "/token", auth=(self.key, self.secret), data=form)
        answer.raise_for_status()
        return answer.json()

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", TIMEOUT_S)
        address = url if url.startswith("http") else f"{self.base_url}{url}"
        return super().request(method, address, *args, **kwargs)

    def as_user(self, tenant: Sandbox, name: str) -> Http:
        """Return a session of another user, who is added if need be."""
        tenant.add_user(name, f"{name}-password")
        return Http(tenant, user=name, password=f"{name}-password")


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """The tenant's time; it moves only when told to."""
    return ManualClock()


@pytest.fixture(scope="module")
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    """A running tenant, one for a test module; an image of its actors runs shell scripts."""
    with Sandbox(clock=clock, images=IMAGES) as running:
        yield running


@pytest.fixture
def http(tenant: Sandbox) -> Iterator[Http]:
    """A session of the tenant's default user."""
    with Http(tenant) as session:
        yield session


@pytest.fixture
def admin(tenant: Sandbox) -> Iterator[Http]:
    """A session of the tenant's administrator."""
    password = tenant.state.credentials.password_of("admin") or ""
    with Http(tenant, user="admin", password=password) as session:
        yield session


@pytest.fixture
def compute(tenant: Sandbox, http: Http) -> Compute:
    """Apps and jobs of the tenant's default user."""
    return Compute(tenant, http)


@pytest.fixture
def acting(tenant: Sandbox, http: Http) -> Acting:
    """Actors of the tenant's default user."""
    return Acting(tenant, http)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe: who opens it for reading waits until a process writes into it, and the other way round."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def other(tenant: Sandbox, http: Http) -> Http:
    """A session of another user, maria."""
    return http.as_user(tenant, "maria")
