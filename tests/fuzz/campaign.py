"""One service's share of the campaign: its document as Schemathesis has it, its tenant, and what became of each case."""

from __future__ import annotations

import collections
import math
import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth

from agavepy.sandbox import Sandbox

from ..sandbox.conftest import TIMEOUT_S, Http
from . import checks
from .documents import document, operations
from .seeds import Seeds

CASES = 500  # of a service, at least; Schemathesis adds those of its coverage phase
LEAST_OF_OPERATION = 40
SEED = 2718
ADMINISTRATORS = ("admin", "profiles", "actors.addWorker", "actors.deleteWorker")
_GATEWAY = re.compile(rb"\b90090[0-9]\b")
_CONFIG = {
    "seed": SEED,
    "generation": {"deterministic": True, "with-security-parameters": False},
}


def schema(service: str) -> Any:
    """Return Schemathesis' reading of a service's document."""
    read = schemathesis.openapi.from_dict(document(service), config=schemathesis.Config.from_dict(_CONFIG))
    read.hook("before_generate_case")(_deepened)
    return read


def options(service: str) -> settings:
    """Return how many cases of each operation are generated, and how."""
    share = math.ceil(CASES / len(list(operations(document(service)))))
    return settings(
        max_examples=max(share, LEAST_OF_OPERATION),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# Cases


def _deepened(context: Any, cases: Any) -> Any:
    return _deep(cases)


@st.composite
def _deep(draw: Any, cases: Any) -> Any:
    """A case in which examples stand for generated values more often than not; else most of them would be a 404."""
    case = draw(cases)
    for parameter in case.operation.path_parameters:
        if parameter.name in case.path_parameters and parameter.examples and draw(st.integers(0, 3)):
            case.path_parameters[parameter.name] = draw(st.sampled_from(parameter.examples))
    for body in case.operation.body:
        if body.media_type == case.media_type and body.examples:
            case.body = draw(st.sampled_from([case.body, *body.examples, _mixed(case.body, body.examples[0])]))
    return case


def _mixed(generated: Any, example: Any) -> Any:
    return {**example, **generated} if isinstance(generated, dict) and isinstance(example, dict) else example


# Sending them


class Campaign:
    """A tenant for one service, and how often each of its operations was called and answered a success."""

    def __init__(self, service: str, tenant: Sandbox) -> None:
        self._service, self._tenant = service, tenant
        self._users = {name: Http(tenant, user=name, password=tenant.password_of(name) or "") for name in ("sandbox", "admin")}
        self._seeds = {name: Seeds(tenant, http) for name, http in self._users.items()}
        self.cases: collections.Counter[str] = collections.Counter()
        self.successes: collections.Counter[str] = collections.Counter()

    def send(self, case: Any) -> None:
        """Send a case with its seeds filled in, and check the answer."""
        operation = f"{self._service}.{case.operation.definition.raw['operationId']}"
        user = "admin" if {self._service, operation} & set(ADMINISTRATORS) else "sandbox"
        seeds, http = self._seeds[user], self._users[user]
        is_seeded = self._fill(case, seeds)
        response = case.call(base_url=self._tenant.url, timeout=TIMEOUT_S, **self._shown(http))
        self.cases[operation] += 1
        self.successes[operation] += response.status_code < 300
        if is_seeded and response.status_code < 300 and case.method != "GET":
            seeds.forget()
        case.validate_response(response, checks=checks.ALL)

    def _fill(self, case: Any, seeds: Seeds) -> bool:
        before = dict(case.path_parameters)
        case.path_parameters = seeds.filled(before)
        case.query = seeds.filled(case.query)
        case.body = seeds.filled(case.body)
        return case.path_parameters != before

    def _shown(self, http: Http) -> dict[str, Any]:
        if self._service == "clients":
            return {"auth": HTTPBasicAuth(http.user, http.password)}
        return {"headers": {"Authorization": http.headers["Authorization"]}}
