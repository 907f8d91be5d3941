"""What a tenant holds before a case is sent: resources of every kind, made when they are first named."""

from __future__ import annotations

import itertools
import re
from typing import Any

from agavepy.sandbox import Sandbox

from ..sandbox.acting import Acting
from ..sandbox.compute import Compute
from ..sandbox.conftest import Http
from . import examples

ECHO = "fuzz/echo"
IMAGES = {ECHO: "/bin/echo hello"}  # nothing of what a message holds becomes a command
GUEST = "guest"
_SEED = re.compile(r"seed\.([a-z]+)")


class Seeds:
    """
    Resources of the user of ``http``, each made once and remembered until something may have changed it.

    ``seed.NAME`` in a case stands for the resource that the method ``_NAME`` makes.
    """

    def __init__(self, tenant: Sandbox, http: Http) -> None:
        self._tenant, self._http = tenant, http
        self._compute, self._acting = Compute(tenant, http), Acting(tenant, http)
        self._numbers = itertools.count(1)
        self._made: dict[str, str] = {}
        tenant.add_user(GUEST, f"{GUEST}-password")

    def forget(self) -> None:
        """Make everything anew from now on."""
        self._made.clear()

    def filled(self, value: Any) -> Any:
        """Return a value of JSON with the seeds that it names filled in."""
        if type(value) is str:  # Schemathesis' bytes are texts as well
            return _SEED.sub(lambda found: self._one(found[1]), value)
        if isinstance(value, dict):
            return {self.filled(key): self.filled(each) for key, each in value.items()}
        return [self.filled(each) for each in value] if isinstance(value, list) else value

    def _one(self, name: str) -> str:
        if name == "new":
            return f"n{next(self._numbers)}"
        if name not in self._made:
            self._made[name] = getattr(self, f"_{name}")()
        return self._made[name]

    def _result(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        """Post a body; return the result of the answer, which must be a success."""
        answer = self._http.post(path, json=body, **kwargs)
        assert answer.ok, f"POST {path} of a seed answered {answer.status_code}: {answer.text[:500]}"
        return answer.json().get("result")

    def _of_example(self, operation: str, path: str) -> Any:
        """Return the result of what the operation's example makes."""
        return self._result(path, self.filled(examples.of(operation, "body")))

    def _shared(self, path: str, made: Any) -> str:
        """Share what was made below a path with the guest; return its id."""
        self._result(f"{path}/{made}/pems", {"username": GUEST, "permission": "READ"})
        return str(made)

    # The tenant and its people

    def _url(self) -> str:
        return self._tenant.url

    def _user(self) -> str:
        return self._http.user

    def _guest(self) -> str:
        return GUEST

    def _person(self) -> str:
        return str(self._of_example("profiles.create", "/profiles/v2")["username"])

    # Files, below the user's folder

    def _note(self) -> str:
        return f"{self._folder_of({'notes.txt': 'height,width'})}/notes.txt"

    def _folder(self) -> str:
        return self._folder_of({"a.txt": "a", "b.txt": "b"})

    def _deployment(self) -> str:
        return self._folder_of({"wrapper.sh": "echo hello > out.txt", "test.sh": "true"})

    def _folder_of(self, files: dict[str, str]) -> str:
        folder = f"fuzz/{self._one('new')}"
        (self._compute.home / folder).mkdir(parents=True)
        for name, text in files.items():
            place = f"/files/v2/media/system/sandbox-storage/{self._http.user}/{folder}"
            self._result(place, files={"fileToUpload": (name, f"{text}\n")})
        return folder

    # Systems, apps, jobs

    def _system(self) -> str:
        made = str(self._of_example("systems.add", "/systems/v2/")["id"])
        self._of_example("systems.updateRole", f"/systems/v2/{made}/roles")
        self._of_example("systems.updateCredentialsForInternalUser", f"/systems/v2/{made}/credentials/ann")
        return made

    def _watched(self) -> str:
        return str(self._http.get(f"/systems/v2/{self._one('system')}").json()["result"]["uuid"])

    def _app(self) -> str:
        return self._shared("/apps/v2", self._of_example("apps.add", "/apps/v2/")["id"])

    def _appname(self) -> str:
        return self._one("app").rpartition("-")[0]

    def _job(self) -> str:
        return self._shared("/jobs/v2", self._compute.run(self._one("app"))["id"])

    # Metadata, and what watches

    def _item(self) -> str:
        made = self._result("/meta/v2/data", {"name": "seed", "value": {"height": 3}})
        return self._shared("/meta/v2/data", made["uuid"])

    def _schema(self) -> str:
        return self._shared("/meta/v2/schemas", self._of_example("meta.addSchema", "/meta/v2/schemas")["uuid"])

    def _notification(self) -> str:
        return str(self._of_example("notifications.add", "/notifications/v2/")["id"])

    def _monitor(self) -> str:
        return str(self._of_example("monitors.add", "/monitors/v2/")["id"])

    def _check(self) -> str:
        return str(self._result(f"/monitors/v2/{self._one('monitor')}/checks")["id"])

    def _postit(self) -> str:
        return str(self._of_example("postits.create", "/postits/v2/")["postit"])

    # Actors

    def _actor(self) -> str:
        actor = self._of_example("actors.add", "/actors/v2")
        self._tenant.run_until_idle()
        return str(actor["id"])

    def _execution(self) -> str:
        return str(self._acting.run(self._one("actor"))["id"])

    def _worker(self) -> str:
        [worker, *_] = self._http.get(f"/actors/v2/{self._one('actor')}/workers").json()["result"]
        return str(worker["id"])

    def _nonce(self) -> str:
        return str(self._result(f"/actors/v2/{self._one('actor')}/nonces", {})["id"])

    def _alias(self) -> str:
        return str(self._of_example("actors.addAlias", "/actors/v2/aliases")["alias"])

    # Clients, and what administrators keep

    def _client(self) -> str:
        user = (self._http.user, self._http.password)
        return str(self._result("/clients/v2/", {"clientName": self._one("new")}, auth=user)["name"])

    def _robot(self) -> str:
        return str(self._of_example("admin.addAccount", "/admin/v2/service_accounts")["id"])

    def _role(self) -> str:
        return str(self._of_example("admin.addRole", "/admin/v2/service_roles")["id"])

    def _api(self) -> str:
        return str(self._of_example("admin.addApi", "/admin/v2/apis")["id"])
