"""Whether a system can be used, found out by trying: its folder read and written, a process started."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
from typing import Any

from .disk import Disk

System = dict[str, Any]

_LIMIT_S = 10


@dataclasses.dataclass(frozen=True)
class Finding:
    """How one side of a system was found; ``kind``: STORAGE or LOGIN, ``result``: PASSED, FAILED or UNKNOWN."""

    kind: str
    result: str
    message: str | None = None


def findings(system: System, disk: Disk) -> list[Finding]:
    """Return how the system is found: its storage; of an execution system its login as well."""
    sides = [_storage(system, disk)]
    return [*sides, _login(system, disk)] if system["type"] == "EXECUTION" else sides


def _storage(system: System, disk: Disk) -> Finding:
    place = disk.home_of(system)
    try:
        os.listdir(place)
        with tempfile.TemporaryFile(dir=place) as file:  # it has no name where the system can do without
            file.write(b"agave")
    except OSError as problem:
        return Finding("STORAGE", "FAILED", f"The home directory of {system['id']}: {problem.strerror or problem}.")
    return Finding("STORAGE", "PASSED")


def _login(system: System, disk: Disk) -> Finding:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", "exit 0"],
            cwd=disk.home_of(system),
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Finding("LOGIN", "FAILED", f"No process can be started on {system['id']}: {_reason(problem)}.")
    if done.returncode:
        return Finding("LOGIN", "FAILED", f"A shell on {system['id']} ended with {done.returncode}.")
    return Finding("LOGIN", "PASSED")


def _reason(problem: OSError | subprocess.TimeoutExpired) -> str:
    return f"none did in {_LIMIT_S} s" if isinstance(problem, subprocess.TimeoutExpired) else str(problem.strerror)
