"""The HTTP front: parse, identify, route, validate, call, envelope. A plain ASGI application."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from . import arguments, bodies, checksums, connection, envelope, faults_endpoint, forwarding, gateway, oauth, search
from .answers import Answer, ChangedMeanwhile, FileAnswer, file_answer
from .api import (
    NOTHING,
    ApiError,
    BadRequest,
    Call,
    Download,
    Forbidden,
    Listing,
    Octets,
    Page,
    Reply,
    TakesLong,
    Unsupported,
)
from .apis import Api
from .authorize_endpoint import AuthorizeEndpoint
from .bodies import Disconnected
from .brief import Brief
from .connection import Receive, Send
from .faults import Faults
from .faults_endpoint import FaultsEndpoint
from .forms import Body
from .front_page import FrontPage
from .request import Admitted, Request
from .routing import Match, Routes, WrongVerb, decoded
from .services import Service, postits
from .state import State
from .token_endpoint import TokenEndpoint

WORKERS = 40  # threads that run handlers and touch the disk
REQUESTS_KEPT = 10_000
OAUTH = ("token", "revoke", "authorize")
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

logger = logging.getLogger("agavepy.sandbox")
_T = TypeVar("_T")


class App:
    """Serves a :class:`~agavepy.sandbox.state.State`; ``requests`` notes what came in, oldest first."""

    def __init__(self, state: State, routes: Routes, faults: Faults, *, url: str) -> None:
        self._state = state
        self._routes = routes
        self._url = url
        self._scheme, _, own_host = url.partition("://")
        self._own_hosts = {f"{name}:{own_host.rpartition(':')[2]}" for name in _LOOPBACK_NAMES}
        server = oauth.Server(state.accounts)
        self._tokens = TokenEndpoint(server)
        self._authorize = AuthorizeEndpoint(server, state.accounts, state.clock)
        self._front_page = FrontPage(state, routes)
        self._faults = faults
        self._brief = Brief(state.services.values(), state.store)
        self._faults_endpoint = FaultsEndpoint(faults, state.accounts)
        self._workers = concurrent.futures.ThreadPoolExecutor(WORKERS, thread_name_prefix="agavepy-sandbox")
        self._requests: collections.deque[dict[str, Any]] = collections.deque(maxlen=REQUESTS_KEPT)
        self._records: list[list[dict[str, Any]]] = []  # of those who watch
        self._noting = threading.Lock()

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[dict[str, Any]]]:
        """Note what comes in within the block, all of it, in a list that grows with every request."""
        record: list[dict[str, Any]] = []
        with self._noting:
            self._records.append(record)
        try:
            yield record
        finally:
            with self._noting:
                self._records = [each for each in self._records if each is not record]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What came in, oldest first: method, path, status, operation, user, time; of tokens grant_type."""
        with self._noting:
            return [dict(each) for each in self._requests]

    def close(self) -> None:
        """Wait for the handlers that run, and end their threads."""
        self._workers.shutdown()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no WebSockets here: the server refuses them
        request = Request(scope, receive, time=self._state.clock.now())
        with self._noting:
            self._requests.append(request.noted)
            for record in self._records:
                record.append(request.noted)
        operation = self._operation_of(request)
        fault = self._faults.take(operation) if operation is not None else None
        if fault is None:
            await self._serve(request, send)
        else:
            request.noted["operation"] = operation
            await self._faults.happen(fault, request, send, self._serve, in_thread=self._in_thread)

    def _operation_of(self, request: Request) -> str | None:
        """Return the operation a fault may happen to, empty for an address of none; None when no fault is to come."""
        if not self._faults:
            return None
        path: str = request.path.rstrip("/")
        if path == faults_endpoint.PATH:
            return None
        if path in OAUTH:
            return path
        with contextlib.suppress(BadRequest):
            found = self._found(request)
            return found.operation.name if isinstance(found, Match) else ""
        return ""

    async def _serve(self, request: Request, send: Send) -> None:
        try:
            answer = await self._answer(request)
        except Disconnected:
            return
        request.noted["status"] = answer.status
        try:
            await answer.send(send, request.receive, head=request.method == "HEAD", in_thread=self._in_thread)
        except ChangedMeanwhile as problem:
            logger.warning("%s %s was broken off: %s", request.method, request.raw_path, problem)
            await connection.cut(send, request.receive)

    async def _in_thread(self, function: Callable[..., _T], *args: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, functools.partial(function, *args))

    async def _answer(self, request: Request) -> Answer | FileAnswer:
        """Return the answer, whatever happens; a body nobody wanted is read to its end first."""
        try:
            return await self._ready(await self._served(request))
        except gateway.Refused as refused:
            answer = refused.answer
        except ApiError as error:
            answer = envelope.refusal(error, result=NOTHING, query=request.query)
        except Disconnected:
            raise
        except Exception:
            logger.exception("%s %s failed", request.method, request.raw_path)
            answer = envelope.failure(query=request.query)
        await self._drain(request)
        return answer

    async def _ready(self, answer: Answer | FileAnswer) -> Answer | FileAnswer:
        return answer if isinstance(answer, Answer) else await answer.with_digest(self._in_thread)

    async def _drain(self, request: Request) -> None:
        if request.is_body_on_its_way:
            await bodies.drain(request.receive)

    async def _served(self, request: Request) -> Answer | FileAnswer:
        brief = self._brief_operation(request)
        if brief:
            return await self._briefly(brief, request)
        if request.method in ("GET", "HEAD") and self._front_page.is_at(request.path):
            request.noted["operation"] = "sandbox.page"
            return await self._in_thread(self._front, request)
        if request.path.rstrip("/") in OAUTH:
            return await self._in_oauth(request)
        if request.path.rstrip("/") == faults_endpoint.PATH:
            return await self._in_faults(request)
        if not self._routes.serves(request.raw_path):
            api = await self._in_thread(self._published, request)
            if api is not None:
                return await self._forwarded(request, api)
        if bodies.is_short(request.headers):
            data = await bodies.whole(request.receive, request.headers) if not request.body_read else b""
            return await self._in_thread(self._admit_and_call, request, data)
        admitted = await self._in_thread(self._admit, request)
        if not arguments.takes_body(admitted.match.operation, admitted.method):
            await self._drain(request)
            return await self._in_thread(self._call, admitted, Body())
        async with self._received(request) as body:
            return await self._in_thread(self._call, admitted, body)

    async def _briefly(self, operation: str, request: Request) -> Answer | FileAnswer:
        """Return the answer from this thread, if nobody is in the way and it turns out to be brief."""
        data = b"" if request.body_read else await bodies.whole(request.receive, request.headers)
        with self._brief.turn(operation) as is_free, contextlib.suppress(TakesLong):
            if is_free:
                request.is_brief = True
                return self._admit_and_call(request, data)
        request.is_brief = False
        return await self._in_thread(self._admit_and_call, request, data)

    def _brief_operation(self, request: Request) -> str:
        """Return the operation, if the answer takes less time than the way into a worker thread and back; else ""."""
        # Whose a token is, is known without a wait; of passwords and keys it is not.
        if not request.authorization or not (request.body_read or bodies.is_short(request.headers)):
            return ""
        with contextlib.suppress(BadRequest):
            found = self._found(request)
            if isinstance(found, Match) and self._brief.has(found.operation.name, request.raw_path):
                return found.operation.name
        return ""

    def _received(self, request: Request) -> contextlib.AbstractAsyncContextManager[Body]:
        new_path = self._state.disk.new_incoming
        return bodies.received(request.receive, request.headers, new_path=new_path, in_thread=self._in_thread)

    async def _in_oauth(self, request: Request) -> Answer:
        operation = request.noted["operation"] = request.path.rstrip("/")
        if operation == "token":
            request.noted["grant_type"] = None
        form = await bodies.small_form(request.receive, request.headers)
        return await self._in_thread(self._oauth, operation, request, form)

    async def _in_faults(self, request: Request) -> Answer:
        request.noted["operation"] = "sandbox.faults"
        document = await bodies.small_json(request.receive, request.headers)
        answer: Answer = await self._in_thread(self._faults_endpoint.answer, request, document)
        return answer

    async def _forwarded(self, request: Request, api: Api) -> Answer:
        """Return the answer of the service behind an API that is none of the tenant's own."""
        user = await self._in_thread(self._admit_to, api, request)
        body = await bodies.whole(request.receive, request.headers)
        rest = request.raw_path.removeprefix(f"/{api['segment']}")
        if {".", ".."} & set(decoded(rest).split("/")):
            raise BadRequest(f"The path {rest} has dots for a segment, which could lead out of the API.")
        url = f"{api['url']}{rest}{'?' if request.raw_query else ''}{request.raw_query}"
        answer: Answer = await self._in_thread(
            functools.partial(forwarding.forward, url, request.method, request.headers, body, user=user)
        )
        return answer

    # In worker threads

    def _published(self, request: Request) -> Api | None:
        api = self._state.accounts.apis.of_segment(request.raw_path.removeprefix("/").partition("/")[0])
        return api if api and api["url"] else None

    def _admit_to(self, api: Api, request: Request) -> str:
        """Return who calls an API, empty when it is open; whoever may not gets the gateway's fault."""
        accounts = self._state.accounts
        request.noted["operation"] = f"apis.{api['name']}"
        if "none" in api["auth"]:
            gateway.check_api(accounts, request.path, user="")
            user = ""
        else:
            user = gateway.bearer_user(accounts, request.authorization, request.path)
        request.noted["user"] = user or None
        if request.method not in api["methods"]:
            raise gateway.Refused(gateway.no_resource(WrongVerb(tuple(api["methods"])), request.method, request.path))
        return user

    def _front(self, request: Request) -> Answer:
        return self._front_page.answer(request.path, base_url=self._base_url(request))

    def _oauth(self, operation: str, request: Request, form: dict[str, str]) -> Answer:
        if operation == "revoke":
            return self._tokens.revoke(request.method, request.headers, form)
        if operation == "authorize":
            own = self._base_url(request)
            return self._authorize.answer(request.method, request.headers, request.query_pairs, form, own_origin=own)
        if form.get("grant_type") in oauth.GRANTS:  # nothing else: it could be a secret in the wrong field
            request.noted["grant_type"] = form["grant_type"]
        return self._tokens.token(request.method, request.headers, form)

    def _admit_and_call(self, request: Request, data: bytes) -> Answer | FileAnswer:
        admitted = self._admit(request)
        if not data or not arguments.takes_body(admitted.match.operation, admitted.method):
            return self._call(admitted, Body())
        with bodies.parsed(data, request.headers, new_path=self._state.disk.new_incoming) as body:
            return self._call(admitted, body)

    def _admit(self, request: Request) -> Admitted:
        """Find the operation and who asks; whoever may not gets the gateway's fault before anything else."""
        try:
            found = self._found(request)
        except BadRequest:
            self._identified(request, None)
            raise
        if isinstance(found, Match):
            request.noted["operation"] = found.operation.name
            if found.operation.name == postits.REDEEM:
                return self._admit(self._redeemed(request, found.path["key"]))
        user = self._identified(request, found)
        request.noted["user"] = user or None
        if not isinstance(found, Match):
            raise gateway.Refused(gateway.no_resource(found, request.method, request.path))
        return Admitted(request, found, *self._handler(found.operation.name), user, {**found.terms, **request.query})

    def _redeemed(self, request: Request, key: str) -> Request:
        """Return the request that a postit stands for, in place of the one that shows its key."""
        if request.errand_of is not None:
            raise Forbidden("A postit cannot stand for another postit.")  # which could stand for this one
        service = cast("postits.Postits", self._state.services["postits"])
        errand = service.redeem(key)
        query = f"{errand.query}&force=true" if envelope.is_true(request.query.get("force")) else errand.query
        return request.errand(errand.user, method=errand.method, path=errand.path, query=query)

    def _handler(self, operation: str) -> tuple[Service, Callable[..., Any]]:
        """Return the service and its method for an operation.

        :raises Unsupported: the sandbox has none.
        """
        service_name, _, name = operation.partition(".")
        service = self._state.services.get(service_name)
        if service is None or not callable(getattr(type(service), name, None)):
            raise Unsupported(f"{operation} is not served by this sandbox")
        return service, getattr(service, name)

    def _found(self, request: Request) -> Match | WrongVerb | None:
        if request.found is None:
            request.found = self._routes.find(
                request.method,
                request.raw_path,
                content_type=request.headers.get("content-type", ""),
                anonymous=not request.authorization and not request.errand_of,
            )
        return request.found

    def _identified(self, request: Request, found: Match | WrongVerb | None) -> str:
        """Return the user; empty for an open operation."""
        security = found.operation.security if isinstance(found, Match) else "bearer"
        if security == "open":
            return ""
        if security == "bearer" and request.errand_of:
            gateway.check_api(self._state.accounts, request.path, user=request.errand_of)
            return request.errand_of
        if isinstance(found, Match) and self._key(request, found):
            return self._holder(request, found)
        if security == "bearer":
            return gateway.bearer_user(self._state.accounts, request.authorization, request.path)
        try:
            return gateway.basic_user(self._state.accounts, request.authorization)
        except ApiError as error:
            raise gateway.Refused(envelope.refusal(error, result={}, query=request.query)) from None

    def _key(self, request: Request, match: Match) -> str:
        """Return what stands in for a token; empty when there is one, or the service takes nothing else."""
        service = None if request.authorization else self._state.services.get(match.operation.service)
        return request.query.get(service.key_parameter, "") if service and service.key_parameter else ""

    def _holder(self, request: Request, match: Match) -> str:
        service = self._state.services[match.operation.service]
        try:
            return service.holder_of(self._key(request, match), match.path)
        except ApiError as error:
            raise self._refused(service, error, request.query) from None

    def _refused(self, service: Service, error: ApiError, query: Mapping[str, str]) -> gateway.Refused:
        asked = query if service.takes_conventions else {}
        keys = service.envelope_keys
        return gateway.Refused(envelope.refusal(error, result=service.error_result, query=asked, keys=keys))

    def _call(self, admitted: Admitted, body: Body) -> Answer | FileAnswer:
        try:
            call = self._call_of(admitted)
            admitted.service.check_caller(call)
            values = arguments.keywords(admitted.match, admitted.query, body, method=admitted.method)
            return self._outcome(admitted, admitted.method(call, **values))
        except ApiError as error:
            raise self._refused(admitted.service, error, admitted.query) from error

    def _call_of(self, admitted: Admitted) -> Call:
        key = self._key(admitted.request, admitted.match)
        return Call(
            user=admitted.user,
            operation=admitted.match.operation.name,
            base_url=self._base_url(admitted.request),
            query=admitted.query,
            admin=bool(admitted.user) and not key and self._state.accounts.is_admin(admitted.user),
            looks_only=admitted.request.method == "HEAD",
            is_brief=admitted.request.is_brief,
            key=key,
        )

    def _base_url(self, request: Request) -> str:
        """Return the address the caller used, if it is one of ours: links then stay on their host."""
        host = request.headers.get("host", "")
        return f"{self._scheme}://{host}" if host in self._own_hosts else self._url

    def _outcome(self, admitted: Admitted, value: Any) -> Answer | FileAnswer:
        """Return the answer to what a method returned."""
        query = admitted.query if admitted.service.takes_conventions else {}
        if isinstance(value, Download):
            attachment = envelope.is_true(query.get("force"))
            return file_answer(value, admitted.request.headers, known=self._state.checksums, attachment=attachment)
        if isinstance(value, Octets):
            return Answer(200, value.data, headers={"content-type": "application/octet-stream"})  # also of no bytes
        reply = value if isinstance(value, Reply) else Reply(NOTHING if value is None else value)
        declared = admitted.match.operation.success[0]
        answer = envelope.success(
            envelope.STATUS_OF_OUTCOME[reply.outcome] if reply.outcome else declared,
            search.projected(self._elements(admitted, reply.result), query),
            message=reply.message,
            query=query,
            keys=admitted.service.envelope_keys,
        )
        if reply.digest:
            answer.headers = checksums.header(reply.digest)
        return answer

    def _elements(self, admitted: Admitted, result: Any) -> Any:
        if isinstance(result, Listing):
            declared = [each["name"] for each in admitted.match.operation.located("query")]
            return search.select(result, admitted.query, now=self._state.clock.now(), declared=declared)
        if isinstance(result, Page):
            return result.elements
        reads = admitted.request.method in ("GET", "HEAD")
        wanted = reads and admitted.service.takes_conventions
        pages = isinstance(result, list) and wanted and not arguments.pages_itself(admitted.method)
        return search.page(result, admitted.query) if pages else result
