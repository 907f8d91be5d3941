"""The documents of resources/ as Schemathesis reads them: ordinary Swagger, with an example wherever there is one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from agavepy import specs

from . import examples

SERVICES = sorted(specs.load())
_VERBS = ("get", "post", "put", "delete")


def document(service: str) -> dict[str, Any]:
    """Return a service's document, each operation under a path and verb of its own."""
    plain = copy.deepcopy(dict(specs.load()[service]))
    plain["paths"] = dict(_paths(plain["paths"]))
    for operation in operations(plain):
        for parameter in operation.get("parameters", ()):
            _exemplify(f"{service}.{operation['operationId']}", parameter)
    return _with_alternatives(plain)


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the operations of a document that has been through ``document``."""
    for item in document["paths"].values():
        yield from (item[verb] for verb in _VERBS if verb in item)


def _paths(paths: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # Every address is served with and without a slash at its end: one of two operations can have the other form.
    for path, item in paths.items():
        others = item.pop("x-operations", ())
        yield path, item
        if others:
            yield f"{path}/", {each["x-verb"]: each for each in others}


def _exemplify(operation: str, parameter: dict[str, Any]) -> None:
    example = examples.of(operation, "body" if parameter["in"] == "body" else parameter["name"])
    if example is not None:
        parameter["x-example"] = example


def _with_alternatives(node: Any) -> Any:
    """Return a document in which a schema with ``x-or`` is one that allows either."""
    if isinstance(node, list):
        return [_with_alternatives(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _with_alternatives(value) for key, value in node.items() if key != "x-or"}
    return {"anyOf": [plain, node["x-or"]]} if "x-or" in node else plain
