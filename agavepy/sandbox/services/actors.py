"""Actors: registered, sent messages, their executions followed; who may do so, by which names and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import actor_description, actor_records, actor_search
from ..actor_executions import OVER, Executions
from ..actor_nonces import UNLIMITED, Nonces
from ..actor_registry import LEVELS, ActorRegistry
from ..actor_runner import ActorRunner
from ..api import BadRequest, Call, NotFound, Octets, Page, Reply
from ..envelope import is_true
from ..fields import Fields, shown
from ..search import bounds
from . import Service

if TYPE_CHECKING:
    from ..state import State

Document = dict[str, Any]
Documents = list[Document]

_DONE = "The request was successful"
_BINARY = "application/octet-stream"
_LONGEST_TEXT_BYTES = 120 << 10  # the kernel passes on no variable of more than 128 KiB
_DELETION_S = 20
_MOST_WAITING_AHEAD, _SYNCHRONOUS_S = 3, 600
_MOST_WORKERS = 100


class Actors(Service):
    """
    The operations of resources/actors.yaml. The runner carries out what the messages ask for.

    What searches (``q``, ``skip`` and any other parameter) is read from the whole query, in actor_search.py.
    """

    name = "actors"
    envelope_keys = ("result", "status", "version", "message")
    error_result = None
    takes_conventions = False  # a query belongs to the program that gets the message
    key_parameter = "x-nonce"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._registry = ActorRegistry(state.store, state.clock, state.accounts)
        self._executions = Executions(state.store, state.clock, state.disk, state.root / "actors")
        self._nonces = Nonces(state.store, state.clock, tenant_id=state.tenant_id)
        self._runner = ActorRunner(state, self._registry, self._executions)

    def start(self) -> None:
        self._runner.start()

    def wait_idle(self, timeout_s: float) -> None:
        self._runner.run_until_idle(timeout_s)

    def let_go(self) -> None:
        self._runner.let_go()

    def close(self) -> None:
        self._runner.stop()

    # Who may

    def holder_of(self, key: str, path: Mapping[str, str]) -> str:
        if "actorId" not in path:
            raise BadRequest("A nonce opens the addresses of one actor only: send a token with this request.")
        try:
            actor = self._registry.find(path["actorId"])
        except NotFound:
            raise BadRequest("Nonce does not exist.") from None  # who has none need not know which actors there are
        return str(self._nonces.get(actor["id"], key, within=LEVELS[-1])["owner"])

    def _reach(self, call: Call, identifier: str, level: str) -> Document:
        """
        Return an actor on which the caller has a level; a nonce in place of a token is used by that.

        :raises ApiError: there is no such actor, or the caller may not.
        """
        actor = self._registry.reach(call, identifier, level)
        if call.key:
            self._nonces.redeem(actor["id"], call.key, level)
        return actor

    def _level_of(self, call: Call, actor: Document) -> str:
        """Return the level a caller has who has reached an actor."""
        if call.key:
            return str(self._nonces.get(actor["id"], call.key, within=LEVELS[-1])["level"])
        return self._registry.level_of(call, actor)

    def _refuse_others_than_admins(self, call: Call) -> None:
        if not call.admin:
            raise BadRequest("Not authorized -- missing required role.")

    # Actors

    def list(self, call: Call, *, q: str | None = None, skip: int | None = None) -> Reply:
        readable = [actor_records.actor(each, call) for each in self._readable(call)]
        return Reply(self._listed(call, readable), message="Actors retrieved successfully.")

    def add(self, call: Call, *, body: Any) -> Reply:
        described = self._described(call, body, None)
        actor = self._registry.create(described, owner=call.user, api_server=call.base_url)
        self._runner.prepare(actor)
        return Reply(actor_records.actor(actor, call), message="Actor created successfully.")

    def get(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        return Reply(actor_records.actor(actor, call), message="Actor retrieved successfully.")

    def update(self, call: Call, *, actorId: str, body: Any) -> Reply:
        known = self._reach(call, actorId, "UPDATE")
        described = self._described(call, body, known)
        with self.store.transaction():
            actor = self._updated(self._registry.find(known["id"]), described, body)
        self._runner.set_alarm(actor)
        if actor["status"] == "SUBMITTED":
            self._runner.prepare(actor)
        return Reply(actor_records.actor(actor, call), message="Actor updated successfully.")

    def delete(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        with self.store.transaction():
            self._registry.delete(actor["id"])
            self._executions.delete_all(actor["id"])
            self._nonces.delete_all(actor["id"])
        self._runner.forget(actor["id"], timeout_s=_DELETION_S)
        self._executions.remove_folders(actor["id"])
        return Reply(None, message="Actor deleted successfully.")

    def _readable(self, call: Call) -> Documents:
        return [each for each in self._registry.all() if self._registry.level_of(call, each) != LEVELS[0]]

    def _listed(self, call: Call, records: Documents) -> Any:
        """Return the records as an array or, as soon as the query says more than which page, as a search."""
        if actor_search.is_search(call.query):
            return actor_search.found(records, call.query, now=self.clock.now())
        return Page(_page(call, records))

    def _described(self, call: Call, body: Any, known: Document | None) -> Document:
        described = actor_description.read(body, admin=call.admin, now=self.clock.now(), known=known)
        if described["link"]:
            self._registry.check_link(call, described["link"], known)
        return described

    def _updated(self, actor: Document, described: Document, body: Any) -> Document:
        _refuse_changes(actor, described)
        described["name"] = actor["name"]
        is_fresh = described["image"] != actor["image"] or actor_description.wants_fresh_image(body)
        again = {"status": "SUBMITTED", "statusMessage": " ", "revision": actor["revision"] + 1} if is_fresh else {}
        return self._registry.keep({**actor, **described, **again})

    # Messages

    def getMessages(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        links = actor_records.part_links(actor, "messages", call)
        return _reply({"messages": self._runner.waiting(actor["id"]), "_links": links})

    def deleteMessages(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        self._runner.purge(actor["id"])
        links = actor_records.part_links(actor, "messages", call)
        return _reply({"msg": "Actor mailbox purged.", "_links": links})

    def sendMessage(self, call: Call, *, actorId: str, body: Any, environment: str | None = None) -> Any:
        actor = self._reach(call, actorId, "EXECUTE")
        text, content_type = _text_of(body)
        return self._sent(call, actor, {"text": text, "content_type": content_type}, shown_as=_shown(body))

    def sendBinaryMessage(self, call: Call, *, actorId: str, message: bytes, environment: str | None = None) -> Any:
        actor = self._reach(call, actorId, "EXECUTE")
        return self._sent(call, actor, {"data": message, "content_type": _BINARY}, shown_as="binary - omitted")

    def _sent(self, call: Call, actor: Document, message: Document, *, shown_as: Any) -> Any:
        # Every parameter is a variable of the program, even those that mean something to the service.
        environment = {name: value for name, value in call.query.items() if name != "message"}
        actor_description.check_environment(environment)
        self._runner.check_room(actor["id"])
        is_synchronous = is_true(environment.get("_abaco_synchronous"))
        if is_synchronous and self._runner.waiting(actor["id"]) > _MOST_WAITING_AHEAD:
            raise BadRequest(
                f"More than {_MOST_WAITING_AHEAD} messages wait: send this one without _abaco_synchronous."
            )
        kept = {**message, "environment": environment}
        execution = self._runner.send(actor, kept, executor=call.user, api_server=call.base_url)
        if is_synchronous:
            return self._awaited(actor, execution)
        return _reply(actor_records.receipt(execution, shown_as, actor, call))

    def _awaited(self, actor: Document, execution: Document) -> Octets:
        """Return the first result of an execution once it is over, or else its log."""
        if not self._runner.wait_for(actor["id"], execution["id"], timeout_s=_SYNCHRONOUS_S):
            raise BadRequest(f"The execution {execution['id']} is not over; ask for its results later.")
        folder = self._executions.folder(actor["id"], execution["id"])
        return Octets(folder.take_result() or folder.log_text().encode())

    # State

    def getState(self, call: Call, *, actorId: str) -> Reply:
        return _reply(actor_records.state(_with_state(self._reach(call, actorId, "READ")), call))

    def updateState(self, call: Call, *, actorId: str, body: Any) -> Reply:
        actor = _with_state(self._reach(call, actorId, "UPDATE"))
        changed = self._registry.change(actor["id"], state=body)
        if changed is None:
            raise NotFound(f"No actor found with id: {actorId}.")
        return Reply(actor_records.actor(changed, call), message="State updated successfully.")

    # Permissions

    def getPermissions(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        return Reply(self._registry.levels(actor), message="Permissions retrieved successfully.")

    def updatePermissions(self, call: Call, *, actorId: str, body: Any) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        fields = Fields(body, within="permission")
        self._registry.grant(actor, fields.text("user"), fields.choice("level", LEVELS))
        return Reply(self._registry.levels(actor), message="Permission added successfully.")

    # Workers

    def listWorkers(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        workers = [actor_records.worker(each, actor, call) for each in self._runner.workers(actor["id"])]
        return Reply(self._listed(call, workers), message="Workers retrieved successfully.")

    def addWorker(self, call: Call, *, actorId: str, body: Any, q: str | None = None, skip: int | None = None) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        self._refuse_others_than_admins(call)
        wanted = _workers_wanted(actor, body)
        if wanted > actor["workers"]:
            actor = self._registry.change(actor["id"], workers=wanted) or actor
        self._runner.ensure_workers(actor)
        return Reply(
            None, message=f"Actor {actor['id']} has at least {wanted} worker(s), or will have when it is ready."
        )

    def getWorker(self, call: Call, *, actorId: str, workerId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        for worker in self._runner.workers(actor["id"]):
            if worker["id"] == workerId:
                return Reply(actor_records.worker(worker, actor, call), message="Worker retrieved successfully.")
        raise NotFound(f"No worker found with id: {workerId}.")

    def deleteWorker(self, call: Call, *, actorId: str, workerId: str) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        self._refuse_others_than_admins(call)
        if not self._runner.dismiss_worker(actor["id"], workerId):
            raise NotFound(f"No worker found with id: {workerId}.")
        self._registry.change(actor["id"], workers=max(1, actor["workers"] - 1))
        return Reply(None, message="Worker scheduled to be stopped.")

    # Nonces

    def listNonces(self, call: Call, *, actorId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        nonces = self._nonces.of(actor["id"], within=self._level_of(call, actor))
        records = [actor_records.nonce(each, actor, call) for each in nonces]
        return Reply(Page(records), message="Actor nonces retrieved successfully.")

    def addNonce(self, call: Call, *, actorId: str, body: Any = None) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        fields = Fields({} if body is None else body, within="nonce")
        nonce = self._nonces.create(
            actor,
            level=fields.choice("level", LEVELS) if fields.get("level") else "EXECUTE",
            most_uses=_most_uses(fields),
            description=fields.free_text("description", default="") or "",
        )
        return Reply(actor_records.nonce(nonce, actor, call), message="Actor nonce created successfully.")

    def getNonce(self, call: Call, *, actorId: str, nonceId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        nonce = self._nonces.get(actor["id"], nonceId, within=self._level_of(call, actor))
        return Reply(actor_records.nonce(nonce, actor, call), message="Actor nonce retrieved successfully.")

    def deleteNonce(self, call: Call, *, actorId: str, nonceId: str) -> Reply:
        actor = self._reach(call, actorId, "UPDATE")
        self._nonces.get(actor["id"], nonceId, within=LEVELS[-1])
        self._nonces.delete(actor["id"], nonceId)
        return Reply(None, message="Actor nonce deleted successfully.")

    # Aliases

    def listAliases(self, call: Call) -> Reply:
        aliases = [actor_records.alias(each, call) for each in self._registry.aliases(call)]
        return Reply(Page(aliases), message="Aliases retrieved successfully.")

    def addAlias(self, call: Call, *, body: Any = None) -> Reply:
        fields = Fields({} if body is None else body, within="alias")
        alias = self._registry.add_alias(call, fields.text("alias"), fields.text("actorId"))
        return Reply(actor_records.alias(alias, call), message="Actor alias created successfully.")

    def getAlias(self, call: Call, *, alias: str) -> Reply:
        found = self._registry.alias(call, alias)
        return Reply(actor_records.alias(found, call), message="Actor alias retrieved successfully.")

    def deleteAlias(self, call: Call, *, alias: str) -> Reply:
        self._registry.delete_alias(call, alias)
        return Reply(None, message=f"Actor alias {alias} deleted successfully.")

    # Executions

    def listExecutions(self, call: Call, *, actorId: str, q: str | None = None, skip: int | None = None) -> Reply:
        actor = self._reach(call, actorId, "READ")
        executions = self._executions.all(actor["id"])
        message = "Actor executions retrieved successfully."
        if actor_search.is_search(call.query):
            records = [actor_records.execution(each, actor, call) for each in executions]
            return Reply(self._listed(call, records), message=message)
        return Reply(actor_records.executions(executions, _page(call, executions), actor, call), message=message)

    def getExecution(self, call: Call, *, actorId: str, executionId: str) -> Reply:
        actor = self._reach(call, actorId, "READ")
        execution = self._executions.get(actor["id"], executionId)
        message = "Actor execution retrieved successfully."
        return Reply(actor_records.execution(execution, actor, call), message=message)

    def getOneExecutionResult(self, call: Call, *, actorId: str, executionId: str) -> Octets:
        actor = self._reach(call, actorId, "READ")
        execution = self._executions.get(actor["id"], executionId)
        folder = self._executions.folder(actor["id"], execution["id"])
        return Octets(folder.oldest_result() if call.looks_only else folder.take_result())

    def getExecutionLogs(
        self, call: Call, *, actorId: str, executionId: str, q: str | None = None, skip: int | None = None
    ) -> Reply:
        actor = self._reach(call, actorId, "READ")
        execution = self._executions.get(actor["id"], executionId)
        links = actor_records.part_links(actor, f"executions/{execution['id']}/logs", call)
        return Reply({"logs": self._log(execution), "_links": links}, message="Logs retrieved successfully.")

    def _log(self, execution: Document) -> str:
        """Return what a program printed; empty while it runs, as on the platform."""
        folder = self._executions.folder(execution["actorId"], execution["id"])
        return folder.log_text() if execution["status"] in OVER else ""

    # Search

    def getSearch(self, call: Call, *, search_type: str, q: str | None = None, skip: int | None = None) -> Reply:
        if search_type not in actor_search.KINDS:
            raise BadRequest(f"Search is for {', '.join(actor_search.KINDS)}; got {shown(search_type)}.")
        found = [record for actor in self._readable(call) for record in self._records(search_type, actor, call)]
        result = actor_search.found(found, call.query, now=self.clock.now())
        return Reply(result, message="Search completed successfully.")

    def _records(self, kind: str, actor: Document, call: Call) -> Documents:
        if kind == "actors":
            return [actor_records.actor(actor, call)]
        if kind == "workers":
            return [actor_records.worker(each, actor, call) for each in self._runner.workers(actor["id"])]
        executions = self._executions.all(actor["id"])
        if kind == "executions":
            return [actor_records.execution(each, actor, call) for each in executions]
        owner = {"actorId": actor["id"], "owner": actor["owner"]}
        return [{**owner, "executionId": each["id"], "logs": self._log(each)} for each in executions]


def _reply(result: Any) -> Reply:
    return Reply(result, message=_DONE)


def _page(call: Call, records: Documents) -> Documents:
    """Return the records that ``limit`` and ``offset`` ask for; all of them without a limit."""
    limit, offset = bounds(call.query)
    return records[offset : offset + limit] if "limit" in call.query else records[offset:]


def _refuse_changes(actor: Document, described: Document) -> None:
    if described["name"] not in (None, actor["name"]):
        text = f"The name of an actor cannot change from {shown(actor['name'])} to {shown(described['name'])}."
        raise BadRequest(f"Invalid actor description: {text} Leave it out, or register another actor.")
    if described["stateless"] and not actor["stateless"]:
        raise BadRequest("Invalid actor description: An actor with a state cannot become stateless.")


def _with_state(actor: Document) -> Document:
    if actor["stateless"]:
        raise NotFound("actor is stateless.")
    return actor


def _text_of(body: Any) -> tuple[str, str]:
    """Return the text of a message and its content type; what is no text goes on as Python writes it."""
    message = body.get("message") if isinstance(body, dict) else None
    text, content_type = (message, "str") if message else (body, "application/json")
    text = text if isinstance(text, str) else str(text)
    if "\0" in text:
        raise BadRequest("A message of text holds no NUL: send it as application/octet-stream.")
    if len(text.encode("utf-8")) > _LONGEST_TEXT_BYTES:
        more = "send it as application/octet-stream."
        raise BadRequest(f"A message of text has at most {_LONGEST_TEXT_BYTES} bytes: {more}")
    return text, content_type


def _shown(body: Any) -> Any:
    return body["message"] if isinstance(body, dict) and body.get("message") else body


def _workers_wanted(actor: Document, body: Any) -> int:
    wanted = Fields(body, within="workers").whole("num", default=1, digits=True)
    most = actor["maxWorkers"] or (_MOST_WORKERS if actor["stateless"] else 1)
    if wanted > most:
        raise BadRequest(f"This actor may have {most} worker(s) at most; got {wanted}.")
    return wanted


def _most_uses(fields: Fields) -> int:
    most = fields.whole("maxUses", default=UNLIMITED, least=UNLIMITED, digits=True)
    if most == 0:
        raise fields.refusal("maxUses", f"It is 1 or more, or {UNLIMITED} for any number; got 0.")
    return most
