"""From a method and a raw path to the operation of the YAML that answers it."""

from __future__ import annotations

import dataclasses
import functools
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .api import BadRequest

VERBS = ("get", "post", "put", "delete", "head", "patch", "options")
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 1024, 256  # requests; characters of one
MOST_PAIRS = 7  # attribute/value pairs of jobs.search, its own included; behaviour of the classic server


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of a YAML, reduced to what serving it takes."""

    name: str  # "files.list"
    parameters: tuple[Mapping[str, Any], ...]
    consumes: tuple[str, ...]
    success: tuple[int, ...]  # declared 2xx statuses, in the order of the YAML
    security: str  # "basic", "bearer" or "open"

    @functools.cached_property
    def service(self) -> str:
        """The name of its service."""
        return self.name.partition(".")[0]

    @functools.cached_property
    def body(self) -> Mapping[str, Any] | None:
        """The body parameter, if it has one."""
        return next(iter(self.located("body")), None)

    def located(self, place: str) -> Sequence[Mapping[str, Any]]:
        """Return the parameters of one place: "path", "query", "formData"."""
        return self._by_place.get(place, ())

    @functools.cached_property
    def _by_place(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        places = {each["in"] for each in self.parameters}
        return {place: tuple(each for each in self.parameters if each["in"] == place) for place in places}


class Match(NamedTuple):
    """A routed request: the operation, its decoded path parameters, further search terms from the path.

    Requests of the same path share one, and leave it as it is.
    """

    operation: Operation
    path: Mapping[str, str]
    terms: Mapping[str, str]


class WrongVerb(NamedTuple):
    """The path is known, the verb is not; ``allowed`` are the verbs that are."""

    allowed: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Route:
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    names: tuple[str, ...]
    operations: Mapping[str, tuple[Operation, ...]]  # verb → candidates, the YAML's own first

    def match(self, found: re.Match[str], operation: Operation) -> Match:
        values = found.groupdict()
        pairs = values.pop("pairs", None)
        path = {name: decoded(text or "") for name, text in zip(self.names, values.values(), strict=True)}
        return Match(operation, path, _terms(pairs) if pairs else {})


class Routes:
    """Every operation of the given documents (service name → Swagger document), the first ones' before the others'."""

    def __init__(self, *several: Mapping[str, Mapping[str, Any]]) -> None:
        self._by_service: dict[str, list[_Route]] = {}
        for service, document in (pair for documents in several for pair in documents.items()):
            for first_segment, route in _routes(service, document):
                self._by_service.setdefault(first_segment, []).append(route)
        for routes in self._by_service.values():
            routes.sort(key=lambda route: route.rank)
        self._found_before = functools.lru_cache(_MOST_REMEMBERED)(self._find)

    def find(
        self, method: str, raw_path: str, *, content_type: str = "", anonymous: bool = False
    ) -> Match | WrongVerb | None:
        """Return the match, or why there is none. The path is matched as sent: nothing is normalised.

        :param anonymous: of two operations of one address and verb, whoever shows no credentials means the open one.
        :raises BadRequest: a path parameter that is not UTF-8, or holds a NUL.
        """
        verb = "get" if method == "HEAD" else method.lower()
        media_type = content_type.partition(";")[0].strip().lower()
        is_short = len(verb) + len(raw_path) + len(media_type) <= _LONGEST_REMEMBERED
        find = self._found_before if is_short else self._find
        return find(verb, raw_path, media_type, anonymous)

    def _find(self, verb: str, raw_path: str, media_type: str, anonymous: bool) -> Match | WrongVerb | None:
        allowed: tuple[str, ...] = ()
        matches: list[Match] = []
        for route in self._by_service.get(raw_path.removeprefix("/").partition("/")[0], ()):
            found = route.pattern.fullmatch(raw_path)
            if found and verb in route.operations:
                matches.append(route.match(found, _chosen(route.operations[verb], media_type)))
                if not anonymous or matches[-1].operation.security == "open":
                    return matches[-1]
            elif found:
                allowed += tuple(route.operations)
        if matches:
            return matches[0]
        return WrongVerb(tuple(sorted({each.upper() for each in allowed}))) if allowed else None

    def serves(self, raw_path: str) -> bool:
        """Return whether any operation's address begins as a path does."""
        return raw_path.removeprefix("/").partition("/")[0] in self._by_service

    def operations(self) -> Iterator[Operation]:
        """Yield every operation."""
        for routes in self._by_service.values():
            for route in routes:
                for candidates in route.operations.values():
                    yield from candidates


def decoded(segment: str) -> str:
    """Return a path segment percent-decoded once; ``+`` stays a plus."""
    try:
        text = urllib.parse.unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest(f"The path segment {segment} is not UTF-8") from None
    if "\0" in text:
        raise BadRequest(f"The path segment {segment} holds a NUL")
    return text


def _terms(pairs: str) -> dict[str, str]:
    parts = [decoded(each) for each in pairs.strip("/").split("/")]
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _chosen(candidates: tuple[Operation, ...], media_type: str) -> Operation:
    # x-operations share a verb and path with the YAML's own operation and are told apart by content type.
    if len(candidates) == 1:
        return candidates[0]
    return next((each for each in candidates[1:] if media_type in each.consumes), candidates[0])


def _routes(service: str, document: Mapping[str, Any]) -> Iterator[tuple[str, _Route]]:
    for path, item in document["paths"].items():
        operations: dict[str, tuple[Operation, ...]] = {}
        for verb, entry in _entries(item):
            operations[verb] = (*operations.get(verb, ()), _operation(service, document, item, entry))
        parameters = {p["name"]: p for several in operations.values() for op in several for p in op.located("path")}
        yield path.split("/")[1], _route(path, parameters, operations)


def _entries(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((verb, item[verb]) for verb in VERBS if verb in item)
    yield from ((entry["x-verb"].lower(), entry) for entry in item.get("x-operations", ()))


def _operation(
    service: str, document: Mapping[str, Any], item: Mapping[str, Any], entry: Mapping[str, Any]
) -> Operation:
    shared = [_resolved(document, each) for each in item.get("parameters", ())]
    own = [_resolved(document, each) for each in entry.get("parameters", ())]
    by_name = {(each["in"], each["name"]): each for each in shared + own}
    return Operation(
        name=f"{service}.{entry['operationId']}",
        parameters=tuple(by_name.values()),
        consumes=tuple(entry.get("consumes", document.get("consumes", ()))),
        success=tuple(int(status) for status in entry["responses"] if str(status).startswith("2")),
        security=_security(document, entry.get("security", document.get("security", []))),
    )


def _resolved(document: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def _security(document: Mapping[str, Any], wanted: Iterable[Mapping[str, Any]]) -> str:
    definitions = document.get("securityDefinitions", {})
    types = {definitions.get(name, {}).get("type", "") for each in wanted for name in each}
    if not types:
        return "open"
    return "basic" if types == {"basic"} else "bearer"


def _route(
    path: str, parameters: Mapping[str, Mapping[str, Any]], operations: Mapping[str, tuple[Operation, ...]]
) -> _Route:
    pattern = ""
    rank: list[int] = []
    names: list[str] = []
    for segment in path.strip("/").split("/"):
        if not segment.startswith("{"):
            pattern, rank = f"{pattern}/{re.escape(segment)}", [*rank, 0]
            continue
        name = segment.strip("{}")
        text, weight = _segment(f"p{len(names)}", parameters.get(name, {}))
        pattern, rank, names = pattern + text, [*rank, weight], [*names, name]
    if any(each.get("x-multiple") for each in parameters.values()):
        pattern += rf"(?P<pairs>(?:/[^/]+/[^/]+){{0,{MOST_PAIRS - 1}}})"
    if 2 not in rank:
        pattern += "/?"  # both forms are served, without a redirect
    return _Route(re.compile(pattern), tuple(rank), tuple(names), operations)


def _segment(group: str, parameter: Mapping[str, Any]) -> tuple[str, int]:
    """Return the pattern of a path parameter and its rank: literals (0) beat it, it beats what is greedier."""
    if parameter.get("x-multi-segment"):
        return f"(?:/(?P<{group}>.*))?", 2
    if parameter.get("x-optional"):
        return f"(?:/(?P<{group}>[^/]+))?", 1
    return f"/(?P<{group}>[^/]+)", 1
