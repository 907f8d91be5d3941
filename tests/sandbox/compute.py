"""What tests of apps and jobs need over and over: a user's files, an app around a shell script, a job of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agavepy.sandbox import Sandbox

from .schema import checked

if TYPE_CHECKING:
    from .conftest import Http  # which makes the fixture ``compute`` from here

_numbers = itertools.count(1)


class Compute:
    """Apps and jobs of the user of ``http`` on the tenant's own systems."""

    def __init__(self, tenant: Sandbox, http: Http) -> None:
        self.tenant = tenant
        self.http = http
        self.user = http.user

    @property
    def home(self) -> Path:
        """The user's folder on the storage system."""
        disk, systems = self.tenant.state.disk, self.tenant.state.systems
        return disk.locate(systems.document("sandbox-storage"), self.user)

    def put(self, path: str, text: str = "") -> str:
        """Write a file below the user's folder; return its path on the default storage system."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return f"{self.user}/{path}"

    def description(self, script: str = "true\n", **changes: Any) -> dict[str, Any]:
        """Return the description of a new app around a script; its files are there."""
        name = f"app{next(_numbers)}"
        self.put(f"apps/{name}/wrapper.sh", script)
        self.put(f"apps/{name}/test.sh", "true\n")
        return {
            "name": name,
            "version": "0.1.0",
            "executionType": "CLI",
            "parallelism": "SERIAL",
            "executionSystem": "sandbox-exec",
            "deploymentPath": f"{self.user}/apps/{name}",
            "templatePath": "wrapper.sh",
            "testPath": "test.sh",
            "inputs": [],
            "parameters": [],
            **changes,
        }

    def app(self, script: str = "true\n", **changes: Any) -> str:
        """Register an app around a script; return its id."""
        answer = self.http.post("/apps/v2/", json=self.description(script, **changes))
        return str(checked(answer, "apps.add")["id"])

    def submit(self, app_id: str, **request: Any) -> str:
        """Submit a job; return its id."""
        answer = self.http.post("/jobs/v2/", json={"name": "a job", "appId": app_id, **request})
        return str(checked(answer, "jobs.submit", status=201)["id"])

    def run(self, app_id: str, **request: Any) -> dict[str, Any]:
        """Submit a job; return its record once it is over."""
        job_id = self.submit(app_id, **request)
        self.tenant.run_until_idle()
        return self.job(job_id)

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job's record."""
        record: dict[str, Any] = checked(self.http.get(f"/jobs/v2/{job_id}"), "jobs.get")
        return record

    def statuses(self, job_id: str) -> list[str]:
        """Return the statuses in a job's history."""
        history = checked(self.http.get(f"/jobs/v2/{job_id}/history"), "jobs.getHistory")
        return [event["status"] for event in history]

    def outputs(self, job_id: str) -> list[str]:
        """Return the names of a job's outputs."""
        listed = checked(self.http.get(f"/jobs/v2/{job_id}/outputs/listings"), "jobs.listOutputs")
        return [entry["name"] for entry in listed]

    def output(self, job_id: str, path: str) -> str:
        """Return the text of an output."""
        answer = self.http.get(f"/jobs/v2/{job_id}/outputs/media/{path}")
        assert answer.status_code == 200, answer.text
        return answer.text


def parameter(name: str, kind: str = "string", *, semantics: dict[str, Any] | None = None, **value: Any) -> Any:
    """Return the description of a parameter."""
    return {"id": name, "value": {"type": kind, **value}, "details": {}, "semantics": semantics or {}}


def file_input(name: str, *, semantics: dict[str, Any] | None = None, **value: Any) -> Any:
    """Return the description of an input."""
    return {"id": name, "value": value, "details": {}, "semantics": semantics or {}}


def as_form(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document for a multipart request, as the command line tools send it."""
    return {"fileToUpload": ("document.json", json.dumps(document), "application/json")}
