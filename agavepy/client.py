"""Client → Service → Operation: attribute access, the call, the result. No service is known here by name."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import bodies, paths
from .errors import AgaveError, UnknownName, UnsafePath, nearest
from .records import AttrDict
from .specs import Catalog, Document, OperationSpec, Parameter, catalog

if TYPE_CHECKING:
    import inspect

    import requests

    from .shapes import Drift, Shape
    from .transport import Auth, Request

log = logging.getLogger("agavepy")

# What every operation takes beside its own parameters; one that declares such a name keeps it for itself.
EXTRA_KEYWORDS = ("headers", "query", "search", "filter", "nonce", "timeout")


class Client:
    """
    Services as attributes, made from their documents at first use and kept.

    A subclass says where the server is and who calls, by :meth:`_send` and :meth:`_auth`.
    """

    def __init__(self, *, resources: Any = None, validate_bodies: str = "warn") -> None:
        if validate_bodies not in bodies.MODES:
            raise AgaveError(f"validate_bodies={validate_bodies!r}: one of {', '.join(bodies.MODES)}.")
        self._catalog = catalog(resources)
        self._validate_bodies = validate_bodies
        self._drift: dict[Drift, None] = {}  # as an ordered set
        for name in [name for name, value in vars(self).items() if isinstance(value, Service)]:
            delattr(self, name)  # __init__ may be called again, with other resources

    @property
    def drift(self) -> list[Drift]:
        """In what the answers departed from the specification: operation, field, seen, expected; each once."""
        return list(vars(self).get("_drift", ()))

    def __getattr__(self, name: str) -> Service:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        services = self._services()
        if name not in services:
            known = ", ".join(services)
            raise UnknownName(f"No service {name!r}.{nearest(name, services)} Services: {known}.")
        # setdefault: threads that come first together all get the same service.
        service: Service = vars(self).setdefault(name, Service(self, name))
        return service

    def __dir__(self) -> Iterable[str]:
        own = (name for name in super().__dir__() if not name.startswith("_") or name.startswith("__"))
        return sorted({*own, *self._services()})

    def _services(self) -> Catalog:
        # A client whose __init__ never ran (subclasses, mocks) knows the bundled services.
        return vars(self).get("_catalog") or catalog()

    def _send(self, request: Request) -> requests.Response:
        raise NotImplementedError

    def _base_url(self, operation: str) -> str:
        raise NotImplementedError

    def _auth(self, operation: OperationSpec) -> Auth | None:
        raise NotImplementedError

    def _answered(self, operation: OperationSpec, result: Any) -> None:
        """Take notice of a success; a subclass may learn from it."""

    def _note_drift(self, drift: Drift) -> None:
        known = vars(self).setdefault("_drift", {})  # a client whose __init__ never ran has none yet
        if drift not in known and len(known) < 10_000:
            known[drift] = None
            log.debug("%s: %s is %s, expected %s", *drift)


class Service:
    # The operations of one service as attributes; its docstring lists them.

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def __getattr__(self, name: str) -> Operation:
        if name.startswith("_"):
            raise AttributeError(name)
        document = self._document()
        if name not in document:
            known = ", ".join(document)
            raise UnknownName(
                f"Service {self._name!r} has no operation {name!r}.{nearest(name, document)} Operations: {known}."
            )
        operation: Operation = vars(self).setdefault(name, Operation(self._client, document, name))
        return operation

    def __dir__(self) -> Iterable[str]:
        return list(self._document())

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # made when somebody asks for it
        from .signatures import service_doc

        return service_doc(self._document())

    def __repr__(self) -> str:
        return f"<service {self._name}: {', '.join(self._document())}>"

    def _document(self) -> Document:
        return self._client._services()[self._name]()


class Operation:
    # One operation, to be called with keywords; its docstring is made from the document.

    def __init__(self, client: Client, document: Document, operation_id: str) -> None:
        self._client = client
        self._document = document
        self.spec = document.operation(operation_id)
        self._by_name = dict(_accepted(self.spec))
        self._shape: Shape | None = None
        self.__name__ = operation_id
        self.__qualname__ = self.spec.name

    def __call__(self, *positional: Any, **arguments: Any) -> Any:
        if positional:
            raise TypeError(f"{self.spec.name} takes keywords only: {self.spec.name}{self.__signature__}")
        call = Call(self, arguments)
        response = self._client._send(call.request())
        result = self._result(response)
        self._client._answered(self.spec, result)
        return result

    def __repr__(self) -> str:
        return f"<operation {self.spec.name}{self.__signature__}>"

    def response(self, **arguments: Any) -> requests.Response:
        """Return the answer itself in place of its result; the body of a download is left unread."""
        return self._client._send(Call(self, arguments).request())

    def iterate(
        self, *, page_size: int = 250, limit: int | None = None, offset: int = 0, **arguments: Any
    ) -> Iterator[Any]:
        """
        Yield the records of all pages; the next page is on its way while one is used.

        >>> for record in ag.files.list.iterate(systemId="data", filePath="reads"): ...

        :param page_size: records asked for at once; servers stop at 250.
        :param limit: most records to yield; None: all.
        :param offset: records to skip first.
        :raises TypeError: the operation has no pages.
        """
        from .pages import records

        if not {"limit", "offset"} <= self._by_name.keys():
            raise TypeError(f"{self.spec.name} has no pages: it takes no limit= and offset=.")
        return records(
            lambda limit, offset: self(limit=limit, offset=offset, **arguments),
            name=self.spec.name,
            page_size=page_size,
            limit=limit,
            offset=offset,
        )

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # made when somebody asks for it
        from .signatures import doc

        return doc(self._document, self.spec)

    @property
    def __signature__(self) -> inspect.Signature:
        from .signatures import signature

        return signature(self.spec)

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name or alias, or None."""
        return self._by_name.get(name)

    def _result(self, response: requests.Response) -> Any:
        if self.spec.is_download or response.status_code == 204:
            return response
        try:
            body = json.loads(response.content, object_hook=AttrDict)
        except (ValueError, RecursionError):
            return self._text(response)
        result = _unwrap(body)
        self._settle(result)
        return result

    def _text(self, response: requests.Response) -> str | None:
        if response.content:
            kind = response.headers.get("Content-Type", "content of no type")
            kind += " that does not parse" if "json" in kind.lower() else ""
            self._note("result", kind, "JSON")
            log.warning("%s answered %s with %s instead of JSON", self.spec.name, response.status_code, kind)
        return response.text or None

    def _settle(self, result: Any) -> None:
        if result is not None and self.spec.result:
            if self._shape is None:
                from .shapes import Shape

                self._shape = Shape(self._document, self.spec.result)
            self._shape.settle([result], "result", self._note)

    def _note(self, field: str, seen: str, expected: str) -> None:
        from .shapes import Drift

        self._client._note_drift(Drift(self.spec.name, field, seen, expected))


def _accepted(spec: OperationSpec) -> Iterator[tuple[str, Parameter]]:
    for parameter in spec.parameters:
        yield parameter.name, parameter
        if parameter.alias:
            yield parameter.alias, parameter


def _unwrap(body: Any) -> Any:
    """Return what is in the envelope, or the body where it is in none."""
    if isinstance(body, AttrDict) and "status" in body and ("result" in body or {"message", "version"} <= body.keys()):
        return body.get("result")
    return body


class Call:
    """One call's arguments, checked against the operation and placed in a request."""

    def __init__(self, operation: Operation, arguments: dict[str, Any]) -> None:
        self._operation = operation
        self._spec = operation.spec
        self._extras = {name: arguments.pop(name) for name in EXTRA_KEYWORDS if self._is_extra(name, arguments)}
        self._values = {parameter.name: value for parameter, value in self._named(arguments) if value is not None}
        self._check_required()

    def request(self) -> Request:
        """Return the request to send."""
        from .transport import Request

        client = self._operation._client
        headers = {"Accept": "*/*" if self._spec.is_download else "application/json"}
        body = self._body(headers)
        for name, value in self._mapping("headers").items():
            _set_header(headers, name, value)
        base = client._base_url(self._spec.name)
        return Request(
            operation=self._spec.name,
            method=self._spec.verb,
            url=f"{base}{self._path()}{paths.query_string(dict(self._query()).items())}",
            headers=headers,
            body=body,
            auth=None if self._extras.get("nonce") else client._auth(self._spec),
            timeout=self._timeout(),
            is_stream=self._spec.is_download,
            is_idempotent=self._spec.is_idempotent,
        )

    def _timeout(self) -> Any:
        value = self._extras.get("timeout")
        seconds = value if isinstance(value, tuple) else (value,)
        if not all(each is None or (isinstance(each, (int, float)) and each > 0) for each in seconds):
            raise TypeError(f"{self._spec.name}: timeout={_brief(value)}: seconds, or (seconds to connect, to read).")
        return value

    def _is_extra(self, name: str, arguments: Mapping[str, Any]) -> bool:
        return name in arguments and self._operation.parameter(name) is None

    def _named(self, arguments: Mapping[str, Any]) -> Iterator[tuple[Parameter, Any]]:
        for name, value in arguments.items():
            parameter = self._operation.parameter(name)
            if parameter is None:
                raise TypeError(self._unknown(name, value))
            yield parameter, value

    def _unknown(self, name: str, value: Any) -> str:
        known = sorted(parameter.name for parameter in self._spec.parameters)
        did_you_mean = nearest(name, [*known, *EXTRA_KEYWORDS])
        shown = f"{name}={'…' if paths.is_secret(name) else _brief(value)}"
        return (
            f"{self._spec.name} has no parameter {name!r} (called with {shown}).{did_you_mean}"
            f" Parameters: {', '.join(known) or 'none'}. See help(ag.{self._spec.name})."
        )

    def _check_required(self) -> None:
        required = sorted(parameter.name for parameter in self._spec.parameters if parameter.required)
        missing = [name for name in required if name not in self._values]
        if missing:
            raise TypeError(
                f"{self._spec.name} needs {missing[0]!r}, which is missing or None."
                f" Required: {', '.join(required)}. See help(ag.{self._spec.name})."
            )

    def _path(self) -> str:
        path = self._spec.path
        for parameter in self._at("path"):
            path = path.replace(f"{{{parameter.name}}}", self._segment(parameter))
        return path

    def _segment(self, parameter: Parameter) -> str:
        value = _text(self._values.get(parameter.name, ""))
        try:
            if parameter.is_multi_segment:
                return paths.quote_path(value)
            if not value:
                raise UnsafePath("an empty value would name another target")
            return paths.quote_segment(value)
        except UnsafePath as error:
            raise UnsafePath(f"{self._spec.name}: {parameter.name}={_brief(value)}: {error}.") from None

    def _mapping(self, extra: str) -> Mapping[str, Any]:
        value = self._extras.get(extra) or {}
        if not isinstance(value, Mapping):
            raise TypeError(f"{self._spec.name}: {extra}={_brief(value)}: a dict.")
        return value

    def _query(self) -> Iterator[tuple[str, str]]:
        for parameter in self._at("query"):
            if parameter.name in self._values:
                yield from _query_pairs(parameter, self._values[parameter.name])
        for extra in ("query", "search"):
            for name, value in self._mapping(extra).items():
                yield str(name), _text(value)
        if self._extras.get("filter"):
            yield "filter", _text(self._extras["filter"])
        if self._extras.get("nonce"):
            yield "x-nonce", _text(self._extras["nonce"])

    def _body(self, headers: dict[str, str]) -> Any:
        for parameter in self._at("header"):
            if parameter.name in self._values:
                headers[parameter.name] = _text(self._values[parameter.name])
        for parameter in self._at("body"):
            if parameter.name in self._values:
                return self._json_body(parameter, self._values[parameter.name], headers)
        return self._form_body(headers)

    def _json_body(self, parameter: Parameter, value: Any, headers: dict[str, str]) -> bytes:
        try:
            data, headers["Content-Type"] = bodies.encode(value)
        except TypeError as error:
            raise TypeError(f"{self._spec.name}: {parameter.name}: {error}") from None
        client = self._operation._client
        mode = vars(client).get("_validate_bodies", "warn")
        if mode != "off" and headers["Content-Type"] == bodies.JSON:
            bodies.check(self._operation._document, self._spec, parameter, data, mode=mode)
        return data

    def _form_body(self, headers: dict[str, str]) -> Any:
        given = [
            (parameter, self._values[parameter.name])
            for parameter in self._at("formData")
            if parameter.name in self._values
        ]
        if not given:
            return None
        body, headers["Content-Type"] = bodies.encode_form(given)
        return body

    def _at(self, location: str) -> Iterator[Parameter]:
        return (parameter for parameter in self._spec.parameters if parameter.location == location)


def _query_pairs(parameter: Parameter, value: Any) -> Iterator[tuple[str, str]]:
    if parameter.raw.get("x-spread") and isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name), _text(item)
    else:
        yield parameter.name, _text(value)


def _text(value: Any) -> str:
    """Return a path or query value as text: booleans as JSON has them, lists joined by commas, dicts as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set)):
        return ",".join(map(_text, value))
    if isinstance(value, Mapping):
        return json.dumps(value)
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)


def _set_header(headers: dict[str, str], name: str, value: Any) -> None:
    for known in [known for known in headers if known.lower() == name.lower()]:
        del headers[known]
    headers[name] = value if isinstance(value, (str, bytes)) else str(value)  # type: ignore[assignment]


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
