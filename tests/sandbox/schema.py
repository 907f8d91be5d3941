"""Checks answers of the tenant against the schemas of resources/*.yaml."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import requests
import yaml

_RESOURCES = Path(__file__).parents[2] / "resources"


def checked(response: requests.Response, operation: str, *, status: int = 200) -> Any:
    """
    Return the ``result`` of an answer that has the status and keeps to the YAML's schema for it; None without one.

    :param operation: as ``files.list``.
    """
    assert response.status_code == status, f"{operation} answered {response.status_code}: {response.text[:500]}"
    body = response.json()
    jsonschema.Draft4Validator(_schema(operation, status), format_checker=jsonschema.FormatChecker()).validate(body)
    return body.get("result")


def refusal(response: requests.Response, *, status: int) -> str:
    """Return the message of an error's envelope, which has the status."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    body = response.json()
    assert body["status"] == "error"
    return str(body["message"])


@functools.cache
def _schema(operation: str, status: int) -> dict[str, Any]:
    service, _, wanted = operation.partition(".")
    document = _document(service)
    responses = next(each["responses"] for each in _operations(document) if each.get("operationId") == wanted)
    assert str(status) in responses, f"{operation} declares {sorted(responses)}, not {status}"
    schema: dict[str, Any] = _plain(responses[str(status)]["schema"], document)
    return schema


@functools.cache
def _document(service: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((_RESOURCES / f"{service}.yaml").read_text())
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (each for verb, each in item.items() if verb in ("get", "post", "put", "delete"))
        yield from item.get("x-operations", [])


def _plain(node: Any, document: dict[str, Any], seen: tuple[str, ...] = ()) -> Any:
    """Return a Swagger schema as JSON Schema: references written out (a recursive one once), null where it may be."""
    if isinstance(node, list):
        return [_plain(each, document, seen) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].removeprefix("#/definitions/")
        return {} if name in seen else _plain(document["definitions"][name], document, (*seen, name))
    plain = {key: _plain(value, document, seen) for key, value in node.items()}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("x-nullable") is True else plain
