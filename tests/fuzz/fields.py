"""Which fields of an answer its document does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def undeclared(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any, where: str = "") -> list[str]:
    """
    Return the names of fields that a schema does not declare, dotted from the top of a value.

    An object of which it declares no field may hold any, as may one with ``additionalProperties``.
    """
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        fitting = [each for each in schema["anyOf"] if _is_array(document, each) == isinstance(value, list)]
        return min((undeclared(document, each, value, where) for each in fitting), key=len, default=[])
    if isinstance(value, list):
        items = schema.get("items", {})
        return [name for each in value for name in undeclared(document, items, each, f"{where}[]")]
    known = _properties(document, schema)
    if not isinstance(value, dict) or not known or schema.get("additionalProperties"):
        return []
    return list(_of_fields(document, known, value, where))


def _of_fields(
    document: Mapping[str, Any], known: Mapping[str, Any], value: Mapping[str, Any], where: str
) -> Iterator[str]:
    for name, each in value.items():
        if name in known:
            yield from undeclared(document, known[name], each, f"{where}.{name}")
        else:
            yield f"{where}.{name}"


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= _properties(document, _resolved(document, part))
    return found


def _is_array(document: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    return _resolved(document, schema).get("type") == "array"


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    return schema
