"""What a person exploring an operation sees: its signature and its help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from .specs import REQUIRED, Document, OperationSpec, Parameter


def signature(spec: OperationSpec) -> inspect.Signature:
    """Return the documented signature: keywords only, the required ones first, each group in alphabetical order."""
    return inspect.Signature([_parameter(parameter) for parameter in _in_order(spec)])


def doc(document: Document, spec: OperationSpec) -> str:
    """Return the help text: what the operation does, its parameters, what it returns, where it goes."""
    return "\n".join(_lines(document, spec))


def service_doc(document: Document) -> str:
    """Return the help text of a service: its operations, a line each."""
    info = document.raw.get("info", {})
    specs = [document.operation(name) for name in document]
    lines = [f"{spec.id}{signature(spec)}\n    {spec.summary.rstrip('.')}." for spec in specs]
    return "\n".join([f"{info.get('title', document.service)}. {info.get('description', '')}".strip(), "", *lines])


def _in_order(spec: OperationSpec) -> list[Parameter]:
    documented = [parameter for parameter in spec.parameters if not parameter.is_later]
    return sorted(documented, key=lambda parameter: (not parameter.required, parameter.name))


def _parameter(parameter: Parameter) -> inspect.Parameter:
    default = inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _lines(document: Document, spec: OperationSpec) -> Iterator[str]:
    yield f"{spec.service}.{spec.id}{signature(spec)}"
    yield ""
    yield spec.summary.rstrip(".") + "."
    if spec.description and spec.description != spec.summary:
        yield spec.description
    yield ""
    for parameter in _in_order(spec):
        yield f":param {parameter.name}: {_described(parameter)}"
        for name, notes, description in fields(document, parameter):
            yield f"    {name} ({notes}): {description}"
    for parameter in spec.parameters:
        if parameter.is_later:
            yield f":param {parameter.name}: (later servers only) {_described(parameter)}"
    yield f":returns: {spec.result_description or 'None'}"
    yield ""
    yield f"Source: {spec.verb} {spec.path}, operationId ``{spec.id}``."


def fields(document: Document, parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    """Yield name, notes and description of each field of a body's model, the ones a server demands first."""
    schema = document.resolve(parameter.raw.get("schema", {}))
    required = set(schema.get("required", ()))
    properties = document.properties(schema)
    for name in sorted(properties, key=lambda name: (name not in required, name)):
        field = {**properties[name], **document.resolve(properties[name])}
        notes = [str(field.get("type", "any"))] + ["required"] * (name in required)
        if "enum" in field:
            notes.append(f"one of {', '.join(map(str, field['enum']))}")
        yield name, "; ".join(notes), properties[name].get("description", field.get("description", ""))


def _described(parameter: Parameter) -> str:
    notes = [parameter.type]
    if "enum" in parameter.raw:
        notes.append(f"one of {', '.join(map(str, parameter.raw['enum']))}")
    if parameter.alias:
        notes.append(f"also accepted as {parameter.alias}")
    return f"{parameter.description} ({'; '.join(notes)})"
