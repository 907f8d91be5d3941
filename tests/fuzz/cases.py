"""What is sent: a service's document as Schemathesis has it, and cases that often lead somewhere."""

from __future__ import annotations

import math
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from .documents import document, operations

CASES = 500  # of a service, at least; Schemathesis adds those of its coverage phase
_LEAST_OF_OPERATION = 40
_CONFIG = {"seed": 2718, "generation": {"deterministic": True, "with-security-parameters": False}}

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
    """Return a case with examples in its address if it is of the coverage phase, and about something else."""
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
