"""What tests of actors need over and over: an actor around a shell script, messages to it, what came of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from agavepy.sandbox import Sandbox

from .schema import checked

if TYPE_CHECKING:
    from .conftest import Http  # which makes the fixture ``acting`` from here

# The script is one of the actor's variables, so that one entry of the table serves all tests.
SHELL = "tests/shell"
IMAGES = {SHELL: "/bin/sh -c 'eval \"$SCRIPT\"'"}


class Acting:
    """Actors of the user of ``http``."""

    def __init__(self, tenant: Sandbox, http: Http) -> None:
        self.tenant = tenant
        self.http = http

    def add(self, script: str = "true", **description: Any) -> str:
        """Register an actor that runs a shell script; return its id once it is ready, or has failed."""
        variables = {"SCRIPT": script, **description.pop("defaultEnvironment", {})}
        body = {"image": SHELL, "defaultEnvironment": variables, **description}
        actor = checked(self.http.post("/actors/v2", json=body), "actors.add")
        self.tenant.run_until_idle()
        return str(actor["id"])

    def get(self, actor_id: str) -> dict[str, Any]:
        """Return the record of an actor."""
        record: dict[str, Any] = checked(self.http.get(f"/actors/v2/{actor_id}"), "actors.get")
        return record

    def send(self, actor_id: str, message: Any = "hi", **variables: str) -> str:
        """Send a message of text; return the id of its execution."""
        url = f"/actors/v2/{actor_id}/messages"
        answer = self.http.post(url, json={"message": message}, params=variables)
        return str(checked(answer, "actors.sendMessage")["executionId"])

    def send_bytes(self, actor_id: str, message: bytes) -> str:
        """Send a message of bytes; return the id of its execution."""
        header = {"content-type": "application/octet-stream"}
        answer = self.http.post(f"/actors/v2/{actor_id}/messages", data=message, headers=header)
        return str(checked(answer, "actors.sendBinaryMessage")["executionId"])

    def run(self, actor_id: str, message: Any = "hi", **variables: str) -> dict[str, Any]:
        """Send a message of text; return the record of its execution once it is over."""
        execution_id = self.send(actor_id, message, **variables)
        self.tenant.run_until_idle()
        return self.execution(actor_id, execution_id)

    def execution(self, actor_id: str, execution_id: str) -> dict[str, Any]:
        """Return the record of an execution."""
        answer = self.http.get(f"/actors/v2/{actor_id}/executions/{execution_id}")
        record: dict[str, Any] = checked(answer, "actors.getExecution")
        return record

    def executions(self, actor_id: str) -> list[dict[str, Any]]:
        """Return all executions of an actor in brief, the oldest first."""
        answer = self.http.get(f"/actors/v2/{actor_id}/executions")
        brief: list[dict[str, Any]] = checked(answer, "actors.listExecutions")["executions"]
        return brief

    def log(self, execution: dict[str, Any]) -> str:
        """Return what an execution printed."""
        answer = self.http.get(f"/actors/v2/{execution['actorId']}/executions/{execution['id']}/logs")
        return str(checked(answer, "actors.getExecutionLogs")["logs"])

    def result(self, execution: dict[str, Any]) -> bytes:
        """Take the next result of an execution."""
        answer = self.http.get(f"/actors/v2/{execution['actorId']}/executions/{execution['id']}/results")
        assert answer.status_code == 200
        return bytes(answer.content)


def sending(*results: str) -> str:
    """Return a script that sends texts through the socket for results."""
    lines = ["import os, socket", "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"]
    lines += ["s.connect(os.environ['_abaco_results_socket'])", *(f"s.send(b'{each}')" for each in results)]
    return f'{sys.executable} -I -c "{"; ".join(lines)}"'
