"""``agavepy demo``: the main job from end to end, on a real file and a tenant of its own."""

from __future__ import annotations

import inspect
import time
from importlib import resources
from pathlib import Path
from typing import IO

from .agave import Agave
from .errors import AgaveError

TIME_LIMIT_S = 60.0
FINAL_STATUSES = ("FINISHED", "FAILED", "STOPPED", "KILLED")

WRAPPER = rb"""#!/bin/bash
# Lines are newlines; words are what ASCII white space divides. LC_ALL: bytes, whatever the file's language.
export LC_ALL=C
lines=$(wc -l < ${query})
words=$( (tr -s '\t\n\v\f\r ' '\n\n\n\n\n\n' < ${query}; echo) | sed '/^$/d' | wc -l)
echo "$((lines)) $((words))" > counts.txt
"""

APP = {
    "name": "demo-counts",
    "version": "1.0",
    "label": "Line and word counts",
    "executionSystem": "sandbox-exec",
    "executionType": "CLI",
    "parallelism": "SERIAL",
    "deploymentSystem": "sandbox-storage",
    "templatePath": "wrapper.sh",
    "testPath": "wrapper.sh",
    "inputs": [
        {
            "id": "query",
            "value": {"required": True, "visible": True, "enquote": True},
            "details": {"label": "The file to count"},
            "semantics": {"minCardinality": 1, "maxCardinality": 1, "ontology": []},
        }
    ],
    "parameters": [],
}


_BEFORE = """from pathlib import Path

from agavepy.agave import Agave
from agavepy.demo import APP, WRAPPER, follow
from agavepy.sandbox import Sandbox


"""
_AFTER = """

with Sandbox() as tenant:
    print(count_by_job(tenant.client(), Path({file!r}), home=tenant.username))
"""


def run(file: str | None = None) -> None:
    """
    Count lines and words of ``file`` (default: one that agavepy ships) by a job, and print how it went.

    :raises AgaveError: the sandbox is not installed, the job failed, or its counts are wrong.
    :raises OSError: the file cannot be read.
    """
    from .sandbox import Sandbox

    path = Path(str(resources.files("agavepy.data") / "sample.txt")) if file is None else Path(file)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise AgaveError(f"{path} is not a regular file: it is read twice, which a pipe or a device cannot be.")
    with path.open("rb") as stream:
        expected = count(stream)
    with Sandbox() as tenant:
        print(f"A tenant of your own runs at {tenant.url}, user {tenant.username}.")
        ag = tenant.client()
        counted = count_by_job(ag, path, home=tenant.username)
    if counted != expected:
        raise AgaveError(
            f"the job counted {counted[0]} lines and {counted[1]} words, this side {expected[0]} and {expected[1]}."
        )
    print(f"\n{path.name}: {counted[0]} lines, {counted[1]} words; counted here too, with the same result.")
    print("\nThe Python that did it:\n")
    print(_BEFORE + inspect.getsource(count_by_job) + _AFTER.format(file=str(path)))


def count_by_job(ag: Agave, path: Path, *, home: str) -> tuple[int, int]:
    system, folder = "sandbox-storage", f"{home}/demo"
    ag.files.manage(systemId=system, filePath=home, body={"action": "mkdir", "path": "demo"})
    with path.open("rb") as data:
        ag.files.importData(systemId=system, filePath=folder, fileToUpload=data, fileName="input.txt")
    ag.files.importData(systemId=system, filePath=folder, fileToUpload=WRAPPER, fileName="wrapper.sh")

    app = ag.apps.add(body={**APP, "deploymentPath": folder})
    job = ag.jobs.submit(
        body={
            "name": "count",
            "appId": app.id,
            "archive": True,
            "inputs": {"query": f"agave://{system}/{folder}/input.txt"},
        }
    )
    follow(ag, job.id)
    output = ag.jobs.downloadOutput(jobId=job.id, filePath="counts.txt")
    lines, words = output.text.split()
    return int(lines), int(words)


def follow(ag: Agave, job_id: str, *, poll_s: float = 0.1) -> None:
    """
    Print the job's history as it grows, until its status is final.

    :raises AgaveError: the job did not finish, or not in time.
    """
    shown, deadline = 0, time.monotonic() + TIME_LIMIT_S
    while True:
        status = ag.jobs.getStatus(jobId=job_id).status
        history = ag.jobs.getHistory(jobId=job_id)
        for event in history[shown:]:
            print(f"  {event.status:<20} {event.description}")
        shown = len(history)
        if status in FINAL_STATUSES:
            break
        if time.monotonic() > deadline:
            raise AgaveError(f"job {job_id} is still {status} after {TIME_LIMIT_S:.0f} s.")
        time.sleep(poll_s)
    if status != "FINISHED":
        raise AgaveError(f"job {job_id} ended {status}: {history[-1].description if history else 'no reason given'}")


def count(stream: IO[bytes]) -> tuple[int, int]:
    """Return the lines and words of a binary stream, counted as the wrapper does."""
    lines = words = 0
    inside_word = False
    for chunk in iter(lambda: stream.read(1 << 20), b""):
        lines += chunk.count(b"\n")
        words += len(chunk.split()) - (inside_word and not chunk[:1].isspace())
        inside_word = not chunk[-1:].isspace()
    return lines, words
