"""Clients that write, and remember what the tenant has acknowledged: what has to be there whatever happens to it."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests

from ..sandbox.acting import SHELL

World = dict[str, Any]
STORAGE = "sandbox-storage"
_MOST = 25  # things that one writer has at a time
_TIMEOUT_S = 60


class Unanswered(Exception):
    """The tenant died before it had answered, or was not there any more."""


class Api:
    """One user of the tenant, by HTTP."""

    def __init__(self, url: str, user: str, token: str) -> None:
        self.user = user
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **request: Any) -> Any:
        """Return the result of a call; what is no success is a failure of the campaign."""
        answer = self.answer(method, path, **request)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json().get("result")

    def answer(self, method: str, path: str, **request: Any) -> requests.Response:
        """Return the answer to a call, whatever it is."""
        try:
            return self._session.request(method, f"{self._url}/{path}", timeout=_TIMEOUT_S, **request)
        except requests.RequestException as problem:
            raise Unanswered(f"{method} {path}") from problem

    def close(self) -> None:
        self._session.close()


class Writer:
    """
    Changes things of one kind, one after the other, and knows which there are.

    ``known`` is what there was after the last acknowledged change; ``doubted`` what there is if the change that
    nobody has answered took place. There must be the one or the other, and nothing between.
    """

    def __init__(self, api: Api, friend: str, seed: str) -> None:
        self.api = api
        self.friend = friend
        self.dice = random.Random(f"{seed} {type(self).__name__} {api.user}")
        self.known: World = {}
        self.doubted: World | None = None
        self.acknowledged = 0
        self._number = 0

    @property
    def actions(self) -> list[Callable[[], None]]:
        """What it may do next; those that add come first, and not any more when there is much."""
        raise NotImplementedError

    def seen(self) -> World:
        """Return what there is."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what the changes need, before anybody is killed."""

    def write_until(self, over: threading.Event) -> None:
        """Make changes until the tenant is gone."""
        while not over.is_set():
            try:
                self.dice.choice(self.actions)()
            except Unanswered:
                return

    def check(self) -> None:
        """Compare what there is with what there must be."""
        found = self.seen()
        possible = [self.known] if self.doubted is None else [self.known, self.doubted]
        assert found in possible, f"{type(self).__name__} of {self.api.user}: {_difference(found, possible)}"
        self.known, self.doubted = found, None

    def change(self, after: World, method: str, path: str, **request: Any) -> Any:
        """Make a change that leads to ``after``; return the result of the call."""
        self.doubted = after
        result = self.api(method, path, **request)
        self.known, self.doubted = after, None
        self.acknowledged += 1
        return result

    def new_name(self) -> str:
        self._number += 1
        return f"{self.api.user}-{self._number}"

    def some(self) -> str:
        return self.dice.choice(sorted(self.known))

    def without(self, *names: str) -> World:
        return {name: value for name, value in self.known.items() if name not in names}

    def shared(self, name: str, is_shared: bool) -> World:
        """Return the world in which the friend may read something, or may not."""
        return {**self.known, name: {**self.known[name], "shared": is_shared}}

    def is_shared(self, path: str) -> bool:
        """Return whether the friend is among those who may read something; ``path`` is of its permissions."""
        return self.friend in [each["username"] for each in self.api("GET", path)]


def _difference(found: World, possible: list[World]) -> str:
    told = []
    for world in possible:
        names = sorted(name for name in {*found, *world} if found.get(name) != world.get(name))
        told.append(", ".join(f"{name}: {world.get(name)!r}, and is {found.get(name)!r}" for name in names[:5]))
    return "; or ".join(f"should be {each}" for each in told)


class Files(Writer):
    """Uploads, renames, copies, deletes and shares files."""

    @property
    def actions(self) -> list[Callable[[], None]]:
        adding = [self.upload, self.upload, self.copy] if len(self.known) < _MOST else []
        return adding + ([self.overwrite, self.rename, self.delete, self.share] if self.known else [])

    def prepare(self) -> None:
        for name in ("files", "files/below"):
            self.api("PUT", self._media(), json={"action": "mkdir", "path": name})

    def _media(self, name: str = "", kind: str = "media") -> str:
        return f"files/v2/{kind}/system/{STORAGE}/{self.api.user}{name and '/files/'}{name}"

    def _new_path(self) -> str:
        return f"{self.dice.choice(('', 'below/'))}{self.new_name()}"

    def upload(self, path: str = "") -> None:
        path = path or self._new_path()
        folder, _, name = f"/{path}".rpartition("/")
        data = self.dice.randbytes(self.dice.choice((0, 10, 3000, 200_000)))
        known = self.known.get(path, {"shared": False})
        after = {**self.known, path: {**known, "sha256": hashlib.sha256(data).hexdigest()}}
        self.change(after, "POST", f"{self._media()}/files{folder}", files={"fileToUpload": (name, data)})

    def overwrite(self) -> None:
        self.upload(self.some())

    def rename(self) -> None:
        old = self.some()
        folder, slash, _ = old.rpartition("/")
        name = self.new_name()
        after = {**self.without(old), f"{folder}{slash}{name}": self.known[old]}
        self.change(after, "PUT", self._media(old), json={"action": "rename", "path": name})

    def copy(self) -> None:
        if self.known:
            old, new = self.some(), self._new_path()
            after = {**self.known, new: {**self.known[old], "shared": False}}
            place = f"{self.api.user}/files/{new}"
            self.change(after, "PUT", self._media(old), json={"action": "copy", "path": place})

    def delete(self) -> None:
        name = self.some()
        self.change(self.without(name), "DELETE", self._media(name))

    def share(self) -> None:
        name, is_shared = self.some(), self.dice.random() < 0.7
        body = {"username": self.friend, "permission": "READ" if is_shared else "NONE"}
        self.change(self.shared(name, is_shared), "POST", self._media(name, "pems"), json=body)

    def seen(self) -> World:
        return {path: self._facts(path) for path in self._paths("")}

    def _paths(self, folder: str) -> Iterator[str]:
        for entry in self.api("GET", f"{self._media('/', 'listings')}{folder}", params={"limit": 250}):
            if entry["name"] == ".":
                continue
            if entry["type"] == "dir":
                yield from self._paths(f"{folder}{entry['name']}/")
            else:
                yield f"{folder}{entry['name']}"

    def _facts(self, path: str) -> World:
        answer = self.api.answer("GET", self._media(path))
        assert answer.status_code == 200, answer.text
        found = hashlib.sha256(answer.content).hexdigest()
        return {"sha256": found, "shared": self.is_shared(self._media(path, "pems"))}


class Records(Writer):
    """Adds, changes, deletes and shares records; ``known`` has their values by name."""

    def __init__(self, api: Api, friend: str, seed: str) -> None:
        super().__init__(api, friend, seed)
        self.ids: dict[str, str] = {}

    @property
    def actions(self) -> list[Callable[[], None]]:
        adding = [self.add, self.add] if len(self.known) < _MOST else []
        return adding + ([self.update, self.share, self.delete] if self.known else [])

    def add(self) -> None:
        name, value = self.new_name(), self.dice.randrange(1000)
        after = {**self.known, name: {"value": value, "shared": False}}
        self.ids[name] = self.id_of(self.change(after, *self.adding, json=self.body(name, value)))

    def update(self) -> None:
        name, value = self.some(), self.dice.randrange(1000)
        after = {**self.known, name: {**self.known[name], "value": value}}
        self.change(after, self.updating, self.address(name), json=self.body(name, value))

    def share(self) -> None:
        name, is_shared = self.some(), self.dice.random() < 0.7
        self.change(self.shared(name, is_shared), "POST", self.sharing(name), json=self.grant(is_shared))

    def delete(self) -> None:
        name = self.some()
        self.change(self.without(name), "DELETE", self.address(name))

    def seen(self) -> World:
        found = {self.name_of(record): record for record in self.records()}
        self.ids = {name: self.id_of(record) for name, record in found.items()}
        return {
            name: {"value": self.value_of(record), "shared": self.is_shared(self.sharing(name))}
            for name, record in found.items()
        }

    # What the kinds of records differ in

    adding: tuple[str, str]
    updating = "POST"

    def records(self) -> list[Any]:
        raise NotImplementedError

    def body(self, name: str, value: int) -> Any:
        raise NotImplementedError

    def value_of(self, record: Any) -> int:
        raise NotImplementedError

    def id_of(self, record: Any) -> str:
        return str(record["id"])

    def name_of(self, record: Any) -> str:
        return str(record["name"])

    def address(self, name: str) -> str:
        return f"{self.adding[1]}{self.ids[name]}"

    def sharing(self, name: str) -> str:
        return f"{self.address(name)}/pems"

    def grant(self, is_shared: bool) -> World:
        return {"username": self.friend, "permission": "READ" if is_shared else "NONE"}


class Documents(Records):
    """Metadata."""

    adding = ("POST", "meta/v2/data/")

    def body(self, name: str, value: int) -> Any:
        return {"name": name, "value": {"number": value}}

    def records(self) -> list[Any]:
        query = json.dumps({"name": {"$regex": f"^{self.api.user}-"}, "owner": self.api.user})
        return list(self.api("GET", "meta/v2/data", params={"q": query, "limit": 250}))

    def value_of(self, record: Any) -> int:
        return int(record["value"]["number"])

    def id_of(self, record: Any) -> str:
        return str(record["uuid"])


class Systems(Records):
    """Storage systems; ids are never free again, so each name is its own."""

    adding = ("POST", "systems/v2/")

    def body(self, name: str, value: int) -> Any:
        auth = {"type": "PASSWORD", "username": "u", "password": "p"}
        place = {"host": "localhost", "port": 22, "protocol": "SFTP", "rootDir": "/", "homeDir": "/", "auth": auth}
        return {"id": f"own-{name}", "name": name, "type": "STORAGE", "description": str(value), "storage": place}

    def records(self) -> list[Any]:
        wanted = {"id.like": f"own-{self.api.user}-*", "filter": "*", "limit": 250}
        return list(self.api("GET", "systems/v2/", params=wanted))

    def value_of(self, record: Any) -> int:
        return int(record["description"])

    def sharing(self, name: str) -> str:
        return f"{self.address(name)}/roles"

    def grant(self, is_shared: bool) -> World:
        return {"username": self.friend, "role": "USER" if is_shared else "NONE"}


class Apps(Records):
    """Apps, of which no job ever runs."""

    adding = ("POST", "apps/v2/")

    def body(self, name: str, value: int) -> Any:
        return {**app(self.api.user, f"idle{name}"), "label": name, "shortDescription": str(value)}

    def records(self) -> list[Any]:
        found = self.api("GET", "apps/v2/", params={"privateOnly": "true", "filter": "*", "limit": 250})
        return [each for each in found if each["name"].startswith(f"idle{self.api.user}")]

    def name_of(self, record: Any) -> str:
        return str(record["label"])

    def value_of(self, record: Any) -> int:
        return int(record["shortDescription"])


class Notifications(Records):
    """Notifications about a system of one's own that nothing ever happens to; they cannot be shared."""

    adding = ("POST", "notifications/v2/")

    @property
    def actions(self) -> list[Callable[[], None]]:
        return [action for action in super().actions if action != self.share]

    def prepare(self) -> None:
        system = Systems(self.api, self.friend, "").body(f"quiet-{self.api.user}", 0)
        self._uuid = self.api("POST", "systems/v2/", json={**system, "type": "STORAGE"})["uuid"]

    def body(self, name: str, value: int) -> Any:
        url = f"http://127.0.0.1:9/{name}"
        return {"associatedUuid": self._uuid, "url": url, "event": f"EVENT_{value}", "persistent": True}

    def records(self) -> list[Any]:
        return [self.api("GET", f"notifications/v2/{each['id']}") for each in self._listed()]

    def _listed(self) -> list[Any]:
        return list(self.api("GET", "notifications/v2/", params={"associatedUuid": self._uuid, "limit": 250}))

    def name_of(self, record: Any) -> str:
        return str(record["url"].rpartition("/")[2])

    def value_of(self, record: Any) -> int:
        return int(record["event"].removeprefix("EVENT_"))

    def is_shared(self, path: str) -> bool:
        return False


class Actors(Records):
    """Actors that get no messages."""

    adding = ("POST", "actors/v2/")
    updating = "PUT"

    def body(self, name: str, value: int) -> Any:
        return {"image": SHELL, "name": name, "description": str(value)}

    def records(self) -> list[Any]:
        return [each for each in self.api("GET", "actors/v2", params={"limit": 250}) if self._is_mine(each)]

    def _is_mine(self, record: Any) -> bool:
        return bool(record["owner"] == self.api.user and record["name"].startswith(f"{self.api.user}-"))

    def value_of(self, record: Any) -> int:
        return int(record["description"])

    def sharing(self, name: str) -> str:
        return f"{self.address(name)}/permissions"

    def grant(self, is_shared: bool) -> World:
        return {"user": self.friend, "level": "READ" if is_shared else "NONE"}

    def is_shared(self, path: str) -> bool:
        return bool(self.api("GET", path).get(self.friend, "NONE") != "NONE")


def app(user: str, name: str) -> World:
    """Return the description of an app whose files are in the folder ``app`` of a user."""
    return {
        "name": name,
        "version": "1.0",
        "executionSystem": "sandbox-exec",
        "deploymentPath": f"{user}/app",
        **{"executionType": "CLI", "parallelism": "SERIAL", "templatePath": "run.sh", "testPath": "run.sh"},
        "inputs": [{"id": "data", "value": {"required": False}, "details": {}, "semantics": {}}],
        "parameters": [{"id": "seconds", "value": {"type": "string"}, "details": {}, "semantics": {}}],
    }
