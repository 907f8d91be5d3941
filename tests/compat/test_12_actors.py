"""Promises 12.x: agavepy.actors, inside actors of a tenant and outside."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from agavepy import actors
from agavepy.agave import Agave, AgaveError
from agavepy.sandbox import Sandbox

from .conftest import ACTOR
from .test_08_files import ENTRY, put


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors, "POLL_S", 0.05)


@pytest.fixture
def reactor(live: Agave, tenant: Sandbox) -> Iterator[str]:
    """The id of an actor that runs programs/reactor.py."""
    made = live.actors.add(body={"image": "nryan/reactor", "stateless": False, "name": "reactor", "token": True})
    tenant.run_until_idle()
    yield str(made.id)
    live.actors.delete(actorId=made.id)


@pytest.fixture(scope="module")
def executor(tenant: Sandbox) -> Iterator[actors.AbacoExecutor]:
    """An executor with an actor of its own."""
    ag = tenant.client()
    made = actors.AbacoExecutor(ag, context="py3")
    yield made
    made.delete()
    ag.close()


# Inside


@pytest.mark.promise("12.1")
def test_the_context_has_what_every_release_had_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "MSG": "{'file': 'a.txt', 'nested': {'n': 1}}",
        "_abaco_Content_Type": "application/json",
        "_abaco_container_repo": "nryan/reactor",
        "_abaco_actor_name": "reactor",
        "_abaco_actor_id": "A1",
        "_abaco_actor_dbid": "SANDBOX_A1",
        "_abaco_execution_id": "E1",
        "_abaco_worker_id": "W1",
        "_abaco_username": "nryan",
        "_abaco_actor_state": "{}",
        "username": "an impostor, sent as a parameter of the message",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    context = actors.get_context()
    assert isinstance(context, Mapping)
    assert (context.content_type, context.actor_repo, context.actor_name) == (
        "application/json",
        "nryan/reactor",
        "reactor",
    )
    assert (context["actor_id"], context["actor_dbid"], context["execution_id"]) == ("A1", "SANDBOX_A1", "E1")
    assert (context.worker_id, context.username, context.state) == ("W1", "nryan", "{}")
    assert context.message_dict.nested.n == 1
    assert (context.raw_message, context._abaco_actor_id) == (variables["MSG"], "A1")
    monkeypatch.setenv("_abaco_Content-Type", "str")
    assert actors.get_context().content_type == "str"


@pytest.mark.promise("12.2")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'a': True}", {"a": True}),
        ('{"a": true}', {"a": True}),
        ("[1, 2]", {}),
        ("just text", {}),
        (None, {}),
    ],
)
def test_a_message_is_read_in_pythons_notation_and_in_jsons(
    monkeypatch: pytest.MonkeyPatch, text: str | None, expected: dict[str, Any]
) -> None:
    if text is not None:
        monkeypatch.setenv("MSG", text)
    context = actors.get_context()
    assert context.message_dict == expected
    assert bool(context.raw_message_parse_log) == (text in (None, "just text"))


@pytest.mark.promise("12.3")
def test_the_client_of_an_actor_comes_from_its_environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with pytest.raises(AgaveError, match="No client"):
        actors.get_client()
    put(home / ".agave" / "current", ENTRY)
    assert actors.get_client()._token == "a-1"
    monkeypatch.setenv("_abaco_api_server", "https://y")
    assert (actors.get_client().jwt, actors.get_client().header_name) == ("123", "X-JWT-Assertion-dev_sandbox")
    monkeypatch.setenv("_abaco_access_token", "t")
    assert (actors.get_client()._token, actors.get_client().api_server) == ("t", "https://y")


@pytest.mark.promise("12.4")
@pytest.mark.parametrize("size", [0, 5, 1 << 20])
def test_a_binary_message_is_read_whole_however_long_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("_abaco_binary_data_file", str(pipe))
    writer = threading.Thread(target=pipe.write_bytes, args=(b"x" * size,))
    writer.start()
    assert actors.get_binary_message() == b"x" * size
    writer.join()
    monkeypatch.setenv("_abaco_binary_data_file", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        actors.get_binary_message()


@pytest.mark.promise("12.5")
def test_results_are_sent_as_datagrams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_abaco_results_socket", str(tmp_path / "s"))
    with pytest.raises(AgaveError, match="takes no result of 1 bytes"):
        actors.send_bytes_result(b"x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "s"))
        actors.send_bytes_result(b"x")
        actors.send_python_result(lambda: 42)
        assert receiver.recv(1 << 16) == b"x"
        assert cloudpickle.loads(receiver.recv(1 << 16))() == 42
        with pytest.raises(AgaveError, match="takes no result of 10000000 bytes"):
            actors.send_bytes_result(bytes(10_000_000))
    with pytest.raises(AgaveError, match="not str"):
        actors.send_bytes_result("text")  # type: ignore[arg-type]
    with pytest.raises(AgaveError, match="generator cannot be pickled"):
        actors.send_python_result(each for each in ())


@pytest.mark.promise("12.6")
def test_an_actor_of_the_tenant_answers_with_all_of_them(live: Agave, reactor: str, tenant: Sandbox) -> None:
    sent = live.actors.sendMessage(actorId=reactor, body={"action": "echo", "n": 1})
    binary = live.actors.sendBinaryMessage(actorId=reactor, message=b"abc" * 50_000)
    tenant.run_until_idle()
    first = live.actors.getOneExecutionResult(actorId=reactor, executionId=sent.executionId).content
    assert cloudpickle.loads(first) == {"seen": {"action": "echo", "n": 1}, "by": "nryan", "id": reactor}
    second = live.actors.getOneExecutionResult(actorId=reactor, executionId=sent.executionId).content
    assert second.decode() == sent.executionId
    reversed_ = live.actors.getOneExecutionResult(actorId=reactor, executionId=binary.executionId).content
    assert reversed_ == b"cba" * 50_000
    live.actors.sendMessage(actorId=reactor, body={"action": "count"})
    live.actors.sendMessage(actorId=reactor, body={"action": "count"})
    tenant.run_until_idle()
    assert live.actors.getState(actorId=reactor).state == {"count": 2}


@pytest.mark.promise("12.6")
def test_an_actor_of_a_tenant_with_a_certificate_calls_it_back() -> None:
    with Sandbox(tls=True, images={"nryan/reactor": ACTOR}) as secure:
        ag = secure.client()
        made = ag.actors.add(body={"image": "nryan/reactor", "stateless": False, "token": True})
        ag.actors.sendMessage(actorId=made.id, body={"action": "count"})
        secure.run_until_idle()
        assert ag.actors.getState(actorId=made.id).state == {"count": 1}
        ag.close()


# Outside


@pytest.mark.promise("12.7")
def test_an_executor_runs_functions_in_an_actor_of_its_own(executor: actors.AbacoExecutor) -> None:
    tide = 3
    assert executor.blocking_call(lambda x, y=0: x * tide + y, 2, y=1) == [7]
    futures = executor.map(pow, [(2, 3), (3, 2)])
    assert [future.result() for future in futures] == [[8], [9]]
    with_keywords = executor.map(int, [("11",), ("11",)], [{"base": 2}, {"base": 3}])
    assert [future.result(timeout=30) for future in with_keywords] == [[3], [4]]
    future = executor.submit(os.getpid)
    assert future.result()[0] != os.getpid()
    assert (future.done(), future.running()) == (True, False)
    with pytest.raises(AgaveError, match="equal length"):
        executor.map(pow, [(2, 3)], [{}, {}])


@pytest.mark.promise("12.8")
def test_an_executor_takes_an_actor_that_is_there_and_removes_it(live: Agave) -> None:
    made = actors.AbacoExecutor(live, image="abacosamples/py3_func:dev", timeout=30)
    again = actors.AbacoExecutor(live, made.actor_id)
    assert (again.image, again.status) == ("abacosamples/py3_func:dev", "READY")
    again.delete()
    assert made.actor_id not in [each["id"] for each in live.actors.list()]


@pytest.mark.promise("12.9")
def test_what_cannot_be_run_says_so(live: Agave, executor: actors.AbacoExecutor) -> None:
    with pytest.raises(AgaveError, match="is in ERROR"):
        actors.AbacoExecutor(live, image="nryan/there-is-no-such-image")
    with pytest.raises(AgaveError, match=r"exit code 1 and without a result(.|\n)*ZeroDivisionError"):
        executor.blocking_call(divmod, 1, 0)
    waiting = actors.AbacoExecutor(live)
    with pytest.raises(concurrent.futures.TimeoutError, match="is still"):
        waiting.submit(lambda: signal.pause()).result(timeout=0.05)
    waiting.delete()
    assert actors.TimeoutError is concurrent.futures.TimeoutError


@pytest.mark.promise("12.9")
def test_an_executor_that_may_not_have_more_workers_says_so(live: Agave) -> None:
    with pytest.raises(AgaveError, match=r"gets no 2 workers(.|\n)*missing required role") as caught:
        actors.AbacoExecutor(live, num_workers=2)
    actor_id = str(caught.value).split()[2]
    actors.AbacoExecutor(live, actor_id=actor_id).delete()


@pytest.mark.promise("12.10")
def test_without_cloudpickle_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(AgaveError, match="pip install cloudpickle"):
        actors.send_python_result(json)
