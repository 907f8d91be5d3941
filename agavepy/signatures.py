"""What a person exploring an operation sees: its signature and its help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from .specs import REQUIRED, OperationSpec, Parameter


def signature(spec: OperationSpec) -> inspect.Signature:
    """Return the documented signature: keywords only, the required ones first, each group in alphabetical order."""
    return inspect.Signature([_parameter(parameter) for parameter in _in_order(spec)])


def doc(spec: OperationSpec) -> str:
    """Return the help text: what the operation does, its parameters, what it returns, where it goes."""
    return "\n".join(_lines(spec))


def _in_order(spec: OperationSpec) -> list[Parameter]:
    documented = [parameter for parameter in spec.parameters if not parameter.is_later]
    return sorted(documented, key=lambda parameter: (not parameter.required, parameter.name))


def _parameter(parameter: Parameter) -> inspect.Parameter:
    default = inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _lines(spec: OperationSpec) -> Iterator[str]:
    yield f"{spec.service}.{spec.id}{signature(spec)}"
    yield ""
    yield spec.summary.rstrip(".") + "."
    if spec.description and spec.description != spec.summary:
        yield spec.description
    yield ""
    for parameter in _in_order(spec):
        yield f":param {parameter.name}: {_described(parameter)}"
    for parameter in spec.parameters:
        if parameter.is_later:
            yield f":param {parameter.name}: (later servers only) {_described(parameter)}"
    yield f":returns: {spec.result_description or 'None'}"
    yield ""
    yield f"Source: {spec.verb} {spec.path}, operationId ``{spec.id}``."


def _described(parameter: Parameter) -> str:
    notes = [parameter.type]
    if "enum" in parameter.raw:
        notes.append(f"one of {', '.join(map(str, parameter.raw['enum']))}")
    if parameter.alias:
        notes.append(f"also accepted as {parameter.alias}")
    return f"{parameter.description} ({'; '.join(notes)})"
