"""A tenant that the cases of one service are sent to, and what became of them."""

from __future__ import annotations

import collections
from typing import Any

from requests.auth import HTTPBasicAuth

from agavepy.sandbox import Sandbox

from ..sandbox.conftest import TIMEOUT_S, Http
from . import checks
from .seeds import Seeds

_BY_ADMINISTRATORS = ("admin", "profiles", "actors.addWorker", "actors.deleteWorker")


class Campaign:
    """A tenant for one service; counts the cases of each operation, and the successes."""

    def __init__(self, service: str, tenant: Sandbox) -> None:
        self._service, self._tenant = service, tenant
        self._callers = {name: self._caller(name) for name in (tenant.username, "admin")}
        self.cases: collections.Counter[str] = collections.Counter()
        self.successes: collections.Counter[str] = collections.Counter()

    def _caller(self, name: str) -> tuple[Http, Seeds]:
        http = Http(self._tenant, user=name, password=self._tenant.password_of(name) or "")
        return http, Seeds(self._tenant, http)

    def send(self, case: Any) -> None:
        """Send a case with its seeds filled in, and check the answer."""
        operation = f"{self._service}.{case.operation.definition.raw['operationId']}"
        is_administrators = bool({self._service, operation} & set(_BY_ADMINISTRATORS))
        http, seeds = self._callers["admin" if is_administrators else self._tenant.username]
        is_seeded = _fill(case, seeds)
        response = case.call(base_url=self._tenant.url, timeout=TIMEOUT_S, **self._credentials(http))
        self._count(operation, case, response)
        if is_seeded and response.status_code < 300 and case.method != "GET":
            seeds.forget()
        case.validate_response(response, checks=checks.ALL)

    def _count(self, operation: str, case: Any, response: Any) -> None:
        self.cases[operation] += 1
        is_its_own = case.method.lower() == case.operation.method  # the coverage phase tries other verbs, too
        self.successes[operation] += is_its_own and response.status_code < 300

    def _credentials(self, http: Http) -> dict[str, Any]:
        if self._service == "clients":
            return {"auth": HTTPBasicAuth(http.user, http.password)}
        return {"headers": {"Authorization": http.headers["Authorization"]}}


def _fill(case: Any, seeds: Seeds) -> bool:
    """Fill in the seeds that a case names; return whether its address names one."""
    generated = dict(case.path_parameters)
    case.path_parameters = seeds.filled(generated)
    case.query = seeds.filled(case.query)
    case.body = seeds.filled(case.body)
    return bool(case.path_parameters != generated)
