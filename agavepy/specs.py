"""Which services exist, and their Swagger documents: read at first use, once a process, shared by all clients."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import SpecError

if TYPE_CHECKING:
    from bravado_core.spec import Spec

FOLDER_VARIABLE = "AGAVEPY_RESOURCES"
VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()  # stands where a default would

_ENVELOPE = {"status", "message", "version"}  # an answer with these and no "result" carries no payload

# One lock for all that is made at first use: parsing, and bravado-core, which is not thread-safe on first use.
lock = threading.RLock()


class Parameter(NamedTuple):
    """One parameter of an operation."""

    name: str
    location: str  # path, query, header, formData or body
    type: str
    required: bool
    default: Any  # documented, never sent; REQUIRED where there is none to have
    description: str
    raw: Mapping[str, Any]

    @property
    def is_multi_segment(self) -> bool:
        """Tell whether slashes in a path value are part of the path."""
        return bool(self.raw.get("x-multi-segment") or self.raw.get("x-multiple"))

    @property
    def is_later(self) -> bool:
        """Tell whether only later servers know it: accepted, but not part of the documented signature."""
        return bool(self.raw.get("x-later"))

    @property
    def alias(self) -> str | None:
        """Return a second name under which the parameter is accepted."""
        return self.raw.get("x-alias")


class OperationSpec(NamedTuple):
    """One operation, its references resolved."""

    service: str
    id: str
    verb: str  # upper case
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    consumes: tuple[str, ...]
    security: str  # "basic", "bearer" or "none"
    is_download: bool
    is_idempotent: bool | None  # None: as its verb says
    result: Mapping[str, Any]  # the schema of what the call returns
    result_description: str

    @property
    def name(self) -> str:
        """Return the dotted name: ``jobs.submit``."""
        return f"{self.service}.{self.id}"


class Document:
    """One service's Swagger document. ``source`` is what an error names: a file, or whose dict it is."""

    def __init__(self, service: str, raw: Mapping[str, Any], *, source: str, trusted: bool) -> None:
        self.service = service
        self.raw = raw
        self.source = source
        if not trusted:
            self._validate()
        self._places = dict(self._find_operations())
        self._operations: dict[str, OperationSpec] = {}
        self._bravado: Spec | None = None
        self._validator: Any = None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._places))

    def __contains__(self, operation_id: object) -> bool:
        return operation_id in self._places

    def operation(self, operation_id: str) -> OperationSpec:
        """Return the operation of that id; KeyError when there is none."""
        known = self._operations.get(operation_id)
        if known is None:
            known = self._operations[operation_id] = self._read(operation_id, *self._places[operation_id])
        return known

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a node says, following ``$ref``."""
        while "$ref" in node:
            reference = node["$ref"]
            node = self._pointed_at(reference) if reference.startswith("#/") else self.bravado().deref(node)
        return node

    def bravado(self) -> Spec:
        """Return the bravado-core Spec of this document; the caller holds :data:`lock` while using it."""
        with lock:
            if self._bravado is None:
                self._bravado = _bravado_spec(self.raw, self.source)
            return self._bravado

    def body_validator(self) -> Any:
        """Return bravado-core's validator class; the caller holds :data:`lock` while using it."""
        if self._validator is None:
            spec = self.bravado()
            from bravado_core.swagger20_validator import get_validator_type
            from jsonschema.validators import extend

            # Its own way to follow a $ref is the deprecated RefResolver, which warns at each one.
            self._validator = extend(get_validator_type(swagger_spec=spec), {"$ref": self._follow})
        return self._validator

    def _follow(self, validator: Any, reference: str, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        yield from validator.descend(instance, self.resolve(schema))

    def _find_operations(self) -> Iterator[tuple[str, tuple[str, str, Mapping[str, Any]]]]:
        for path, item in self.raw.get("paths", {}).items():
            for verb in VERBS:
                if verb in item:
                    yield item[verb].get("operationId") or _name_of(verb, path), (path, verb, item[verb])
            # Swagger 2.0 allows one operation a path and verb; a vendor extension holds the others.
            for more in item.get("x-operations", ()):
                yield more["operationId"], (path, more["x-verb"], more)

    def _read(self, operation_id: str, path: str, verb: str, raw: Mapping[str, Any]) -> OperationSpec:
        answer = self._success(raw)
        schema = self.resolve(answer.get("schema", {}))
        return OperationSpec(
            service=self.service,
            id=operation_id,
            verb=verb.upper(),
            path=self.raw.get("basePath", "").rstrip("/") + path,
            summary=raw.get("summary", ""),
            description=raw.get("description", ""),
            parameters=tuple(self._parameters(path, raw)),
            consumes=tuple(raw.get("consumes", self.raw.get("consumes", ()))),
            security=self._security(raw),
            is_download=schema.get("type") == "file",
            is_idempotent=raw.get("x-idempotent"),
            result=self._result(schema),
            result_description=answer.get("description", ""),
        )

    def _parameters(self, path: str, raw: Mapping[str, Any]) -> Iterator[Parameter]:
        shared = self.raw["paths"][path].get("parameters", ())
        found = {}
        for node in (*shared, *raw.get("parameters", ())):  # an operation's own parameter replaces the path's
            resolved = self.resolve(node)
            found[resolved["name"], resolved["in"]] = resolved
        return map(_parameter, found.values())

    def _success(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        responses = raw.get("responses", {})
        codes = [code for code in responses if str(code).startswith("2")]
        return self.resolve(responses[codes[0]]) if codes else {}

    def _result(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema of ``result`` where ``schema`` is an envelope, else ``schema`` itself."""
        properties = self.properties(schema)
        if "result" in properties:
            return self.resolve(properties["result"])
        return {} if properties.keys() >= _ENVELOPE else schema

    def properties(self, schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the properties of an object schema, those of ``allOf`` included."""
        schema = self.resolve(schema)
        found: dict[str, Mapping[str, Any]] = {}
        for part in schema.get("allOf", ()):
            found.update(self.properties(part))
        found.update(schema.get("properties", {}))
        return found

    def _security(self, raw: Mapping[str, Any]) -> str:
        demands = raw.get("security", self.raw.get("security"))
        if demands is None:
            return "bearer"  # a document that says nothing of it still means a service of this tenant
        definitions = self.raw.get("securityDefinitions", {})
        kinds = [definitions.get(name, {}).get("type") for demand in demands for name in demand]
        return "none" if not kinds else "basic" if kinds[0] == "basic" else "bearer"

    def _pointed_at(self, reference: str) -> Mapping[str, Any]:
        node: Any = self.raw
        for step in reference[2:].split("/"):
            try:
                node = node[step.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError):
                raise SpecError(f"{self.source}: $ref {reference!r} points at nothing.") from None
        return node

    def _validate(self) -> None:
        import_bravado_core()
        with _quietly():
            from swagger_spec_validator.common import SwaggerValidationError
            from swagger_spec_validator.validator20 import validate_spec

            try:
                validate_spec(copy.deepcopy(dict(self.raw)))  # it writes into what it reads
            except SwaggerValidationError as error:
                raise SpecError(f"{self.source} is not a valid Swagger 2.0 document: {_reason(error)}") from error


def _name_of(verb: str, path: str) -> str:
    """Return the name of an operation that has no operationId, as one can type it: ``get_things_id``."""
    return "_".join([verb, *re.findall(r"\w+", path)])


def _reason(error: Any) -> str:
    """Return what a validation error says, in one line, with the place in the document where it knows it."""
    cause = error.args[-1]
    place = "/".join(map(str, getattr(cause, "absolute_path", ())))
    text = str(getattr(cause, "message", cause)).strip().splitlines()[0]
    return f"at {place}: {text}" if place else text


def _parameter(raw: Mapping[str, Any]) -> Parameter:
    required = bool(raw.get("required")) and not raw.get("x-optional")
    return Parameter(
        name=raw["name"],
        location=raw["in"],
        type=raw.get("type", "object"),
        required=required,
        default=REQUIRED if required else raw.get("default"),
        description=raw.get("description", ""),
        raw=raw,
    )


# The catalogue: which services there are, and how to get at their documents


Catalog = dict[str, Callable[[], Document]]


def catalog(resources: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> Catalog:
    """
    Return, by service name, functions that give its :class:`Document`.

    The bundled documents come first; the folder that AGAVEPY_RESOURCES names and ``resources`` add to them or
    replace them.

    :param resources: a folder of ``SERVICE.yaml`` files, or a dict of parsed documents by service name.
    :raises SpecError: there is no such folder.
    """
    found = dict(_bundled())
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        found.update(_in_folder(folder, named_by=FOLDER_VARIABLE))
    if isinstance(resources, Mapping):
        found.update({name: _given(name, raw) for name, raw in resources.items()})
    elif resources is not None and not isinstance(resources, (str, os.PathLike)):
        raise SpecError(f"resources={resources!r}: a folder of documents, or a dict of them by service.")
    elif resources is not None:
        found.update(_in_folder(resources, named_by="resources"))
    return dict(sorted(found.items()))


def load(resources: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the parsed documents by service name: what ``Agave(resources=…)`` takes as a dict."""
    return {name: document().raw for name, document in catalog(resources).items()}


_bundle: Catalog = {}


def _bundled() -> Catalog:
    if not _bundle:
        _bundle.update(_in_folder(bundled_folder(), named_by="agavepy", trusted=True))
    return _bundle


def bundled_folder() -> str:
    """Return the folder of the documents that come with agavepy."""
    try:
        from . import resources
    except ImportError:  # a checkout that was not installed keeps the folder beside the package
        return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "resources")
    return os.path.dirname(os.path.abspath(str(resources.__file__)))


def _in_folder(folder: str | os.PathLike[str], *, named_by: str, trusted: bool = False) -> Catalog:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SpecError(
            f"{named_by} names a folder that cannot be read: {os.fspath(folder)!r} ({error.strerror})."
        ) from error
    split = ((name, *os.path.splitext(name)) for name in names)
    return {
        stem: _in_file(stem, os.path.join(folder, name), trusted=trusted)
        for name, stem, ending in split
        if ending in (".yaml", ".yml", ".json")
    }


_documents: dict[Any, Document] = {}  # by (service, file, its date and size) or (service, hash of the content)
_given_dicts: dict[int, tuple[Any, Document]] = {}  # by identity: hashing a document costs a millisecond


def _in_file(service: str, path: str, *, trusted: bool) -> Callable[[], Document]:
    def document() -> Document:
        try:
            state = os.stat(path)
        except OSError as error:
            raise SpecError(f"{path} cannot be read: {error.strerror}.") from error
        key = (service, path, state.st_mtime_ns, state.st_size)
        return _documents.get(key) or _shared(
            key, lambda: Document(service, _parse(path), source=path, trusted=trusted)
        )

    return document


def _given(service: str, raw: Any) -> Callable[[], Document]:
    def document() -> Document:
        known, shared = _given_dicts.get(id(raw), (None, None))
        if known is raw and shared is not None and shared.service == service:
            return shared
        return _remember(raw, _from_dict(service, raw))

    return document


def _from_dict(service: str, raw: Any) -> Document:
    source = f"resources[{service!r}]"
    if not isinstance(raw, Mapping) or "paths" not in raw:
        raise SpecError(f"{source} is not a Swagger 2.0 document: it has no 'paths'.")
    text = json.dumps(raw, sort_keys=True, default=str)
    key = (service, hashlib.sha256(text.encode()).hexdigest())
    return _documents.get(key) or _shared(key, lambda: Document(service, raw, source=source, trusted=_is_ours(raw)))


def _is_ours(raw: Any) -> bool:
    return any(document.raw is raw for document in list(_documents.values()))


def _remember(raw: Any, document: Document) -> Document:
    with lock:
        if len(_given_dicts) >= 128:  # a program that makes a new dict for each client must not fill the memory
            _given_dicts.clear()
        _given_dicts[id(raw)] = (raw, document)
    return document


def _shared(key: Any, make: Callable[[], Document]) -> Document:
    with lock:
        if key not in _documents:
            _documents[key] = make()
        return _documents[key]


def _parse(path: str) -> Mapping[str, Any]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
    try:
        with open(path, "rb") as stream:
            content = stream.read()
        raw = _read(loader(content.decode()))  # both loaders are the safe ones
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(f"{path}, line {mark.line + 1 if mark else '?'}: not YAML: {error.problem}.") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}, line {_line_at(content, error.start)}: not UTF-8: {error.reason}.") from error
    except yaml.reader.ReaderError as error:
        line = _line_at(content, content.find(chr(error.character).encode()))
        raise SpecError(f"{path}, line {line}: not YAML: {error.reason} (#x{error.character:02x}).") from error
    except (yaml.YAMLError, OSError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, Mapping) or "paths" not in raw:
        raise SpecError(f"{path} is not a Swagger 2.0 document: it has no 'paths'.")
    return raw


def _read(loader: Any) -> Any:
    """Return the one document of a loader."""
    try:
        node = loader.get_single_node()
        return None if node is None else _value(node, loader, {})
    finally:
        loader.dispose()


_TEXT, _MAP, _LIST = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


def _value(node: Any, loader: Any, made: dict[Any, Any]) -> Any:
    """Return what a node stands for: texts, lists and maps of texts at once, which takes half as long as the loader."""
    if node.id == "scalar" and node.tag == _TEXT:
        return node.value
    if node in made:  # an alias
        return made[node]
    if (
        node.id == "mapping"
        and node.tag == _MAP
        and all(key.id == "scalar" and key.tag == _TEXT for key, _ in node.value)
    ):
        found: Any = made.setdefault(node, {})
        found.update((key.value, _value(value, loader, made)) for key, value in node.value)
    elif node.id == "sequence" and node.tag == _LIST:
        found = made.setdefault(node, [])
        found.extend(_value(each, loader, made) for each in node.value)
    else:
        found = made[node] = loader.construct_object(node, deep=True)
    return found


def _line_at(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


# bravado-core


def import_bravado_core() -> None:
    """
    Import bravado-core, without its noise and its longest wait.

    jsonschema's optional ``rfc3987_syntax`` compiles grammars for a second when it is imported. jsonschema is given
    a stand-in whose function imports the real one when it is first called; nobody else in the process sees it.
    """
    with _quick_rfc3987(), _quietly():
        import bravado_core.spec
        import bravado_core.swagger20_validator  # noqa: F401


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep back the deprecation of jsonschema's RefResolver, which bravado-core still uses."""
    import warnings

    with lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextlib.contextmanager
def _quick_rfc3987() -> Iterator[None]:
    import importlib.util
    import sys
    import types

    name = "rfc3987_syntax"
    if "jsonschema" in sys.modules or name in sys.modules or importlib.util.find_spec(name) is None:
        yield
        return
    stand_in = types.ModuleType(name)
    stand_in.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]


def _is_valid_syntax(*arguments: Any) -> Any:
    from rfc3987_syntax import is_valid_syntax

    return is_valid_syntax(*arguments)


def _bravado_spec(raw: Mapping[str, Any], source: str) -> Spec:
    import_bravado_core()
    from bravado_core.spec import Spec

    config = {"use_models": False, "validate_swagger_spec": False, "formats": list(_unknown_formats(raw))}
    origin = f"file://{os.path.abspath(source)}"  # what a relative $ref starts from; needed even where there is none
    with _quietly():
        return Spec.from_dict(copy.deepcopy(dict(raw)), origin_url=origin, config=config)


def _unknown_formats(raw: Any) -> Iterator[Any]:
    """Yield a format that accepts anything for each one that bravado-core would warn of at each look-up."""
    from bravado_core.formatter import DEFAULT_FORMATS, SwaggerFormat

    for name in sorted(_formats(raw) - DEFAULT_FORMATS.keys()):
        yield SwaggerFormat(format=name, to_wire=str, to_python=str, validate=lambda value: None, description=name)


def _formats(node: Any) -> set[str]:
    if isinstance(node, Mapping):
        own = {node["format"]} if isinstance(node.get("format"), str) else set()
        return own.union(*map(_formats, node.values()))
    return set().union(*map(_formats, node)) if isinstance(node, list) else set()
