"""``kill -9`` at any instant of a renewal or a save leaves a session that can be gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy import renewal
from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

ROOT = Path(__file__).parent.parent.parent
KILLS = 500 if os.environ.get("AGAVEPY_CAMPAIGN") == "full" else 25
LONGEST_WAIT_S = 30.0  # for a renewal that the killed process began; the lock's own limit is 120 s
DOCUMENTED = {
    *("tenantid", "baseurl", "devurl", "apisecret", "apikey", "username", "access_token", "refresh_token"),
    *("created_at", "expires_in", "expires_at"),
}


@pytest.fixture
def tenant() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def folder(tenant: Sandbox, tmp_path: Path) -> Path:
    """The folder of a session that nothing but its refresh token can renew."""
    folder = tmp_path / "cache"
    tenant.client().save_configs(folder)
    return folder


@pytest.mark.campaign
def test_every_session_is_usable_after_a_kill_at_a_random_instant(
    tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(0)
    longest_life_s = 2 * seconds_of_a_renewal(tenant, folder, monkeypatch)
    usable, slowest_s = 0, 0.0
    for _ in range(KILLS):
        with renewing(folder) as process:
            time.sleep(dice.uniform(0, longest_life_s))
            process.kill()
        start = time.monotonic()
        usable += is_usable(tenant, folder, monkeypatch)
        slowest_s = max(slowest_s, time.monotonic() - start)
    renewals = [each["status"] for each in redemptions(tenant)]
    print(f"{usable} of {KILLS} sessions usable, the slowest after {slowest_s:.2f} s; {len(renewals)} renewals")
    assert usable == KILLS
    assert slowest_s < LONGEST_WAIT_S
    assert len(renewals) > KILLS + 1 or KILLS <= 25  # of many who were killed, some had redeemed
    assert set(renewals) == {200}


@pytest.mark.campaign
def test_a_kill_between_redemption_and_answer_loses_nothing(
    tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tenant.state.accounts.tokens
    issue = tokens.issue
    with renewing(folder) as process:

        def issue_and_kill(*arguments: Any, **keywords: Any) -> bool:
            is_issued = issue(*arguments, **keywords)
            os.killpg(process.pid, signal.SIGKILL)  # and all that it started, as a terminal does
            process.wait()
            return is_issued

        monkeypatch.setattr(tokens, "issue", issue_and_kill)
        assert process.wait(LONGEST_WAIT_S) == -signal.SIGKILL
    monkeypatch.setattr(tokens, "issue", issue)
    assert is_usable(tenant, folder, monkeypatch)
    assert {each["status"] for each in redemptions(tenant)} == {200}


@pytest.mark.campaign
def test_a_kill_as_soon_as_the_program_is_told_loses_nothing(
    tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with renewing(folder, dies="told") as process:
        assert process.wait(LONGEST_WAIT_S) == -signal.SIGKILL
    assert is_usable(tenant, folder, monkeypatch)


@pytest.mark.campaign
@pytest.mark.parametrize("number", range(1, 31, 1 if KILLS > 25 else 7))
def test_a_kill_at_each_call_of_the_system_while_saving_loses_nothing(
    tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with renewing(folder, dies=str(number)) as process:
        assert process.wait(LONGEST_WAIT_S) == -signal.SIGKILL
    assert is_usable(tenant, folder, monkeypatch)
    assert {path.name for path in folder.iterdir()} <= {"config.json", "current", "config.json.lock", "renewal.lock"}


class renewing:  # noqa: N801 - reads as a verb
    """A process that has restored the session and renews it, for the block."""

    def __init__(self, folder: Path, dies: str = "never") -> None:
        self._command = [sys.executable, "-m", "tests.campaigns.renewing", str(folder), dies]

    def __enter__(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, start_new_session=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self._process

    def __exit__(self, *unused: Any) -> None:
        self._process.kill()
        self._process.communicate()


def seconds_of_a_renewal(tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return how long a renewal takes here and now, and never less than a fast machine needs."""
    start = time.monotonic()
    assert is_usable(tenant, folder, monkeypatch)
    return max(0.2, time.monotonic() - start)


def is_usable(tenant: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether the files are whole, and a new client calls, renews and calls again."""
    config = json.loads((folder / "config.json").read_bytes())
    [entry] = config["current"].values()
    assert entry.keys() == DOCUMENTED
    assert json.loads((folder / "current").read_bytes()).keys() == {*DOCUMENTED, "client_name"}
    ag = Agave()
    ag.load_configs(folder)
    assert ag.profiles.get().username == tenant.username
    before = str(ag.token)
    with monkeypatch.context() as patch:
        patch.setattr(renewal, "_can_outlive_us", lambda: False)  # quicker, and nobody kills us
        ag.refresh()
    assert ag.profiles.get().username == tenant.username
    ag.close()
    return str(ag.token) != before


def redemptions(tenant: Sandbox) -> list[dict[str, Any]]:
    return [each for each in tenant.requests if each.get("grant_type") == "refresh_token"]
