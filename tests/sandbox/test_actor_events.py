"""What an actor's link and webhook are told, and actors that run by the clock."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agavepy.sandbox import ManualClock, Sandbox, actor_cron
from agavepy.sandbox.api import BadRequest

from .acting import IMAGES, SHELL, Acting
from .conftest import Http
from .schema import checked, refusal

HOUR_S, DAY_S = 3600, 86400
NOW = 1_700_000_000.0  # 2023-11-14 22:13 UTC


@pytest.fixture(scope="module")
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    """A running tenant that has an image of a shell, and tokens that live longer than the schedules below."""
    with Sandbox(clock=clock, images=IMAGES, token_ttl_s=365 * DAY_S) as running:
        yield running


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps what it is told, in ``told``."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# Events


def test_a_webhook_is_told_of_an_actor_and_its_executions_in_order(acting: Acting, webhook: Webhook) -> None:
    actor_id = acting.add("exit 3", webhook=webhook.url)
    execution = acting.run(actor_id)
    told = [(each["event_type"], each["execution_id"], each["status"], each["exit_code"]) for each in webhook.told]
    assert told == [
        ("ACTOR_READY", None, "READY", None),
        ("EXECUTION_STARTED", execution["id"], "RUNNING", None),
        ("EXECUTION_COMPLETE", execution["id"], "COMPLETE", 3),
    ]
    assert {(each["tenant_id"], each["actor_id"]) for each in webhook.told} == {("sandbox", actor_id)}


def test_a_webhook_is_told_of_an_actor_that_fails(acting: Acting, webhook: Webhook) -> None:
    acting.add(image="nobody/has:it", webhook=webhook.url)
    assert [(each["event_type"], each["status"]) for each in webhook.told] == [("ACTOR_ERROR", "ERROR")]


def test_a_webhook_that_does_not_answer_holds_nothing_up(acting: Acting) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        actor_id = acting.add(webhook=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        assert acting.run(actor_id)["status"] == "COMPLETE"


def test_events_are_messages_to_the_linked_actor(acting: Acting) -> None:
    log = acting.add('echo "$_abaco_Content_Type $MSG"')
    actor_id = acting.add(link=log)
    acting.run(actor_id)
    received = [acting.log(acting.execution(log, each["id"])) for each in acting.executions(log)]
    assert [each.partition(" ")[0] for each in received] == ["application/json"] * 3
    assert [name in each for name, each in zip(("ACTOR_READY", "STARTED", "COMPLETE"), received, strict=True)] == [
        True
    ] * 3


def test_a_link_to_an_actor_that_is_gone_does_no_harm(acting: Acting) -> None:
    log = acting.add()
    actor_id = acting.add(link=log)
    acting.http.delete(f"/actors/v2/{log}").raise_for_status()
    assert acting.run(actor_id)["status"] == "COMPLETE"


def test_links_in_a_cycle_are_refused(acting: Acting) -> None:
    first = acting.add()
    second = acting.add(link=first)
    for link in (second, first):
        answer = acting.http.put(f"/actors/v2/{first}", json={"image": SHELL, "link": link})
        assert "cycle" in refusal(answer, status=400)


def test_a_cycle_that_an_alias_closes_later_ends_at_once(acting: Acting) -> None:
    first, second = acting.add(), acting.add()
    acting.http.post("/actors/v2/aliases", json={"alias": "next", "actorId": second}).raise_for_status()
    acting.http.put(f"/actors/v2/{first}", json={"image": SHELL, "link": "next"}).raise_for_status()
    acting.http.delete("/actors/v2/aliases/next").raise_for_status()
    acting.http.put(f"/actors/v2/{second}", json={"image": SHELL, "link": first}).raise_for_status()
    acting.http.post("/actors/v2/aliases", json={"alias": "next", "actorId": second}).raise_for_status()
    acting.run(first)
    assert acting.executions(second) == []


def test_a_link_takes_the_right_to_send_messages(acting: Acting, other: Http) -> None:
    theirs = Acting(acting.tenant, other).add()
    answer = acting.http.post("/actors/v2", json={"image": SHELL, "link": theirs})
    assert "Not authorized" in refusal(answer, status=400)
    assert refusal(acting.http.post("/actors/v2", json={"image": SHELL, "link": "nobody"}), status=404)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense", 5])
def test_a_webhook_is_an_address_of_the_web(acting: Acting, address: Any) -> None:
    assert "webhook" in refusal(acting.http.post("/actors/v2", json={"image": SHELL, "webhook": address}), status=400)


# By the clock


def test_an_actor_runs_by_the_clock_and_misses_nothing_twice(acting: Acting, clock: ManualClock) -> None:
    actor_id = acting.add('echo "$MSG"', cronSchedule="now + 1 day")
    acting.tenant.run_until_idle()
    assert len(acting.executions(actor_id)) == 1
    clock.advance(DAY_S - HOUR_S)
    acting.tenant.run_until_idle()
    assert len(acting.executions(actor_id)) == 1
    clock.advance(3 * DAY_S)
    acting.tenant.run_until_idle()
    ran = acting.executions(actor_id)
    assert len(ran) == 2
    assert acting.log(acting.execution(actor_id, ran[0]["id"])) == "This is your cron execution\n"
    body = {"image": SHELL, "cronSchedule": "now + 1 day", "cronOn": False}
    checked(acting.http.put(f"/actors/v2/{actor_id}", json=body), "actors.update")
    clock.advance(9 * DAY_S)
    acting.tenant.run_until_idle()
    assert len(acting.executions(actor_id)) == 2


def test_a_schedule_outlasts_the_tenant(tmp_path: Any) -> None:
    clock = ManualClock(NOW)
    with Sandbox(tmp_path, clock=clock, images=IMAGES) as tenant, Http(tenant) as http:
        actor_id = Acting(tenant, http).add(cronSchedule="2023-11-15 00 + 2 weeks")
        assert Acting(tenant, http).executions(actor_id) == []
    clock.advance(DAY_S)
    with Sandbox(tmp_path, clock=clock, images=IMAGES) as tenant, Http(tenant) as http:
        acting = Acting(tenant, http)
        tenant.run_until_idle()
        assert len(acting.executions(actor_id)) == 1
        assert acting.get(actor_id)["cronNextEx"] == "2023-11-29 00"


@pytest.mark.parametrize(
    ("schedule", "comes"),
    [
        ("now + 2 hours", "2023-11-15 00"),
        ("2023-11-14 22 + 1 day", "2023-11-15 22"),
        ("2023-11-14 22 + 3 weeks", "2023-12-05 22"),
        ("2023-11-14 22+2 months", "2024-01-14 22"),
    ],
)
def test_a_schedule_says_when_the_next_run_is(schedule: str, comes: str) -> None:
    assert actor_cron.following(schedule, actor_cron.first(schedule, now=NOW), now=NOW) == comes


def test_the_last_of_a_month_stays_within_the_month() -> None:
    assert actor_cron.following("now + 1 month", "2024-01-31 08", now=1_706_700_000.0) == "2024-02-29 08"


@pytest.mark.parametrize(
    "schedule", ["", "tomorrow", "2023-11-14 21 + 1 day", "2030-02-30 08 + 1 day", "now + 0 days", "now + 1 year"]
)
def test_what_is_no_schedule_is_refused(acting: Acting, schedule: str) -> None:
    with pytest.raises(BadRequest):
        actor_cron.first(schedule, now=NOW)
    body = {"image": SHELL, "cronOn": True, "cronSchedule": schedule}
    assert refusal(acting.http.post("/actors/v2", json=body), status=400)
