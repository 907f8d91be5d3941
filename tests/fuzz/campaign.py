"""One service's share: its document as Schemathesis has it, its tenant, and what became of the cases."""

from __future__ import annotations

import collections
import math
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from agavepy.sandbox import Sandbox

from ..sandbox.conftest import TIMEOUT_S, Http
from . import checks
from .documents import document, operations
from .seeds import Seeds

CASES = 500  # of a service, at least; Schemathesis adds those of its coverage phase
_LEAST_OF_OPERATION = 40
_CONFIG = {"seed": 2718, "generation": {"deterministic": True, "with-security-parameters": False}}
_BY_ADMINISTRATORS = ("admin", "profiles", "actors.addWorker", "actors.deleteWorker")

# What every list of the core services understands without declaring it.
_TERMS = ("pretty", "filter", "order", "orderBy", "limit", "offset", "skip", "name.like", "id.in", "uuid.rlike")
_MORE_TERMS = ("created.after", "lastUpdated.between", "lastModified.on", "owner", "status.nin", "available", "public")
_VALUES = ("true", "-1", "*", "asc", "yesterday", "null", "a,b", "", "(", "name,_links.self", "2020-01-01T00:00:00Z")


def schema(service: str) -> Any:
    """Return a service's document as Schemathesis has it."""
    read = schemathesis.openapi.from_dict(document(service), config=schemathesis.Config.from_dict(_CONFIG))
    terms = st.just({}) if service == "actors" else _terms()

    def before_generate_case(context: Any, cases: Any) -> Any:
        return _deep(cases, terms)

    read.hook(before_generate_case)
    read.hook(map_case)
    return read


def map_case(context: Any, case: Any) -> Any:
    """Return a case of the coverage phase with examples in its address, unless that is what it is about."""
    is_coverage = case.meta.phase.name == TestPhase.COVERAGE
    if is_coverage and case.meta.phase.data.parameter_location != ParameterLocation.PATH:
        case.path_parameters.update(
            {each.name: each.examples[0] for each in case.operation.path_parameters if each.examples}
        )
    return case


def options(service: str) -> settings:
    """Return how many cases are generated of each of a service's operations, and how."""
    share = math.ceil(CASES / len(list(operations(document(service)))))
    return settings(
        max_examples=max(share, _LEAST_OF_OPERATION),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def _deep(draw: Any, cases: Any, terms: Any) -> Any:
    """Return a case in which examples often stand for what was generated, of which little would get beyond a 404."""
    case = draw(cases)
    for parameter in case.operation.path_parameters:
        if parameter.name in case.path_parameters and parameter.examples and draw(st.integers(0, 3)):
            case.path_parameters[parameter.name] = parameter.examples[0]
    for body in case.operation.body:
        if body.media_type == case.media_type and body.examples:
            case.body = draw(st.sampled_from([case.body, body.examples[0], _mixed(case.body, body.examples[0])]))
    if not draw(st.integers(0, 3)):
        case.query = {**case.query, **draw(terms)}
    return case


def _mixed(generated: Any, example: Any) -> Any:
    return {**example, **generated} if isinstance(generated, dict) and isinstance(example, dict) else example


def _terms() -> Any:
    values = st.sampled_from(_VALUES) | st.text(max_size=20)
    return st.dictionaries(st.sampled_from([*_TERMS, *_MORE_TERMS]), values, min_size=1, max_size=3)


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
