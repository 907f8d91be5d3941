"""What it costs to be logged in: per call, and to take a session up from disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import requests

from agavepy.agave import Agave

_RESTORE = """
import sys, time
from agavepy.agave import Agave
start = time.perf_counter()
ag = Agave.restore()
print((time.perf_counter() - start) * 1000)
assert ag.token and ag.api_key
"""


def auth_of_a_call_us(*, rounds: int = 20, each: int = 2000) -> float:
    """Return microseconds that a valid token adds to a call: to find out how to log in, and to write the header."""
    ag = _session()
    operation = ag.systems.get.spec

    prepared = [_prepared() for _ in range(each)]

    def seconds() -> float:
        start = time.perf_counter()
        for request in prepared:
            auth = ag._auth(operation)
            assert auth is not None
            auth(request)
        return time.perf_counter() - start

    fastest = min(seconds() for _ in range(rounds))
    assert prepared[0].headers["Authorization"] == "Bearer access"
    return fastest / each * 1e6


def _prepared() -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.prepare_headers({"Accept": "application/json"})
    return request


def cold_restore_ms(*, rounds: int = 15) -> float:
    """Return milliseconds of the first ``Agave.restore()`` of a process that has imported agavepy.agave."""
    with tempfile.TemporaryDirectory() as folder:
        _session().save_configs(folder)
        return min(_in_new_process(folder) for _ in range(rounds))


def _session() -> Agave:
    return Agave(
        api_server="https://api.example.org",
        tenant_id="example",
        username="nryan",
        client_name="bench",
        api_key="key",
        api_secret="secret",
        token="access",
        refresh_token="refresh",
        created_at=time.time(),
        expires_in=14400,
    )


def _in_new_process(folder: str) -> float:
    environment = {"AGAVE_CACHE_DIR": folder, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", _RESTORE], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)
