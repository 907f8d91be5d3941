"""Executions as real processes: their order, what they are given, their ends by all causes, restarts of the tenant."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from agavepy.sandbox import Sandbox, actor_run, actor_runner

from .acting import IMAGES, Acting, sending
from .conftest import Http
from .schema import checked
from .test_runner import heard, is_alive

FUNCTION, CONTEXT = "abacosamples/py3_func:dev", "abacosamples/test"


@pytest.fixture
def acting_admin(tenant: Sandbox, admin: Http) -> Acting:
    return Acting(tenant, admin)


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, or does within ten seconds: a signal takes effect later than it is sent."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 10)[0])
    finally:
        os.close(watched)


@contextlib.contextmanager
def running(root: Path) -> Iterator[Acting]:
    """A tenant on a root of its own, and its default user's actors."""
    with Sandbox(root, images=IMAGES) as tenant, Http(tenant) as http:
        yield Acting(tenant, http)


# How an execution goes


def test_an_execution_is_complete_with_its_exit_code_its_times_and_its_log(acting: Acting) -> None:
    execution = acting.run(acting.add("echo out; echo err >&2; exit 3"))
    assert (execution["status"], execution["exitCode"], execution["runtime"]) == ("COMPLETE", 3, 0)
    assert execution["messageReceivedTime"] <= execution["startTime"] <= execution["finishTime"]
    assert execution["finalState"]["ExitCode"] == 3
    assert execution["cpu"] > 0
    assert acting.log(execution) == "out\nerr\n"


def test_the_processor_time_of_children_counts(acting: Acting) -> None:
    burn = f"{sys.executable} -I -c 'while sum(__import__(\"os\").times()[:2]) < 0.2: pass'"
    assert acting.run(acting.add(f"{burn}; true"))["cpu"] >= 200_000_000


def test_a_log_is_empty_while_the_program_runs_and_cut_at_a_megabyte(acting: Acting, gate: Path) -> None:
    actor_id = acting.add(f"head -c 1100000 /dev/zero | tr '\\0' x; echo > {gate}; cat {gate}")
    execution_id = acting.send(actor_id)
    heard(gate)
    execution = acting.execution(actor_id, execution_id)
    assert (execution["status"], acting.log(execution)) == ("RUNNING", "")
    gate.write_text("go on")
    acting.tenant.run_until_idle()
    log = acting.log(execution)
    assert len(log) < 1_049_000
    assert log.endswith("*** The log was cut here: it exceeds 1 MB. ***\n")


def test_one_worker_handles_messages_strictly_in_their_order(acting: Acting, tmp_path: Path) -> None:
    actor_id = acting.add(f'echo "begin $MSG" >> {tmp_path}/order; echo "end $MSG" >> {tmp_path}/order')
    for number in range(8):
        acting.send(actor_id, str(number))
    acting.tenant.run_until_idle()
    lines = [f"{what} {number}" for number in range(8) for what in ("begin", "end")]
    assert (tmp_path / "order").read_text().splitlines() == lines


def test_two_workers_run_at_the_same_time(acting_admin: Acting, tmp_path: Path) -> None:
    actor_id = acting_admin.add(meeting(tmp_path))
    checked(acting_admin.http.post(f"/actors/v2/{actor_id}/workers", json={"num": 2}), "actors.addWorker")
    assert_they_meet(acting_admin, actor_id)


def test_workers_come_while_messages_wait_and_go_when_none_does(acting_admin: Acting, tmp_path: Path) -> None:
    actor_id = acting_admin.add(meeting(tmp_path), maxWorkers=2)
    assert_they_meet(acting_admin, actor_id)
    workers = checked(acting_admin.http.get(f"/actors/v2/{actor_id}/workers"), "actors.listWorkers")
    assert len(workers) == 1


def meeting(folder: Path) -> str:
    """Return a script that ends only when another execution of it runs beside it."""
    for name in "ab":
        os.mkfifo(folder / name)
    first, second = f"echo hello > {folder}/a; cat {folder}/b", f"cat {folder}/a; echo hi > {folder}/b"
    return f'if [ "$MSG" = a ]; then {first}; else {second}; fi'


def assert_they_meet(acting: Acting, actor_id: str) -> None:
    sent = [acting.send(actor_id, message) for message in "ab"]
    acting.tenant.run_until_idle()
    assert [acting.log(acting.execution(actor_id, each)) for each in sent] == ["hi\n", "hello\n"]


def test_a_busy_worker_leaves_after_its_execution(acting_admin: Acting, gate: Path) -> None:
    actor_id = acting_admin.add(f"echo > {gate}; cat {gate}")
    execution_id = acting_admin.send(actor_id)
    heard(gate)
    workers = f"/actors/v2/{actor_id}/workers"
    [worker] = checked(acting_admin.http.get(workers), "actors.listWorkers")
    assert worker["status"] == "BUSY"
    checked(acting_admin.http.delete(f"{workers}/{worker['id']}"), "actors.deleteWorker")
    [worker] = checked(acting_admin.http.get(workers), "actors.listWorkers")
    assert worker["status"] == "SHUTDOWN_REQUESTED"
    gate.write_text("done\n")
    acting_admin.tenant.run_until_idle()
    assert acting_admin.log(acting_admin.execution(actor_id, execution_id)) == "done\n"
    assert checked(acting_admin.http.get(workers), "actors.listWorkers") == []
    acting_admin.send(actor_id)  # brings a worker again
    heard(gate)
    gate.write_text("done\n")
    acting_admin.tenant.run_until_idle()


# What a program is given


def test_the_context_says_who_asks_what_of_whom(acting: Acting) -> None:
    actor_id = acting.add("env", name="wc", defaultEnvironment={"A": "default", "B": "default"})
    execution = acting.run(actor_id, "hi", A="sent", _abaco_username="somebody else", MSG="another")
    found = dict(line.split("=", 1) for line in acting.log(execution).splitlines())
    own = {name: value for name, value in found.items() if name.startswith(("_abaco_", "_actor_"))}
    token = own.pop("_abaco_access_token")
    socket_path = own.pop("_abaco_results_socket")
    assert own == {
        "_abaco_Content_Type": "str",
        "_abaco_actor_dbid": f"SANDBOX_{actor_id}",
        "_abaco_actor_id": actor_id,
        "_abaco_actor_name": "wc",
        "_abaco_actor_revision": "1",
        "_abaco_actor_state": "{}",
        "_abaco_api_server": acting.http.base_url,
        "_abaco_container_repo": "tests/shell",
        "_abaco_execution_id": execution["id"],
        "_abaco_jwt_header_name": "X-Jwt-Assertion-Sandbox",
        "_abaco_username": "sandbox",
        "_abaco_worker_id": execution["workerId"],
        "_actor_configs": "{}",
    }
    assert (found["MSG"], found["A"], found["B"]) == ("hi", "sent", "default")
    assert token
    assert not Path(socket_path).exists()


def test_the_program_gets_no_variables_of_the_tenant(acting: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_TOKEN", "s3cret")
    assert "s3cret" not in acting.log(acting.run(acting.add("env")))


def test_the_token_is_the_owners_and_ends_with_the_execution(acting: Acting, gate: Path) -> None:
    actor_id = acting.add(f'echo "$_abaco_access_token" > {gate}; cat {gate}')
    acting.send(actor_id)
    header = {"Authorization": f"Bearer {heard(gate).strip()}"}
    assert acting.http.get("/profiles/v2/me", headers=header).json()["result"]["username"] == "sandbox"
    gate.write_text("go on")
    acting.tenant.run_until_idle()
    assert acting.http.get("/profiles/v2/me", headers=header).status_code == 401


def test_an_actor_that_wants_no_token_gets_none(acting: Acting) -> None:
    execution = acting.run(acting.add('echo "[$_abaco_access_token]"', token=False))
    assert acting.log(execution) == "[]\n"


@pytest.mark.parametrize("size_bytes", [1, 1 << 16, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_message_of_bytes_is_there_whole_before_the_program_begins(acting: Acting, size_bytes: int) -> None:
    message = os.urandom(size_bytes)
    program = (
        "import hashlib, os\n"
        "handle, data = os.open(os.environ['_abaco_binary_data_file'], os.O_RDONLY | os.O_NONBLOCK), b''\n"
        "try:\n    while piece := os.read(handle, 4069): data += piece\n"
        "except BlockingIOError: pass\n"
        "print(len(data), os.environ.get('MSG'), os.environ['_abaco_Content_Type'])\n"
        "print(hashlib.sha256(data).hexdigest())"
    )
    actor_id = acting.add(f'{sys.executable} -I -c "$PROGRAM"', defaultEnvironment={"PROGRAM": program})
    execution_id = acting.send_bytes(actor_id, message)
    acting.tenant.run_until_idle()
    printed = acting.log(acting.execution(actor_id, execution_id)).split()
    assert printed == [str(size_bytes), "None", "application/octet-stream", hashlib.sha256(message).hexdigest()]


@pytest.mark.parametrize("size_bytes", [1, 1 << 16, 3 << 20])
def test_a_program_that_reads_bytes_to_their_end_sees_it(acting: Acting, size_bytes: int) -> None:
    actor_id = acting.add('wc -c < "$_abaco_binary_data_file"')
    execution_id = acting.send_bytes(actor_id, bytes(size_bytes))
    acting.tenant.run_until_idle()
    assert acting.log(acting.execution(actor_id, execution_id)).strip() == str(size_bytes)


def test_a_message_of_bytes_is_a_pipe(acting: Acting) -> None:
    actor_id = acting.add('[ -p "$_abaco_binary_data_file" ] && echo pipe')
    execution_id = acting.send_bytes(actor_id, b"x")
    acting.tenant.run_until_idle()
    assert acting.log(acting.execution(actor_id, execution_id)) == "pipe\n"


def test_results_come_one_by_one_in_their_order_and_then_nothing(acting: Acting) -> None:
    execution = acting.run(acting.add(sending("one", "two", "three")))
    assert [acting.result(execution) for _ in range(5)] == [b"one", b"two", b"three", b"", b""]


def test_a_result_that_is_only_looked_at_stays(acting: Acting) -> None:
    execution = acting.run(acting.add(sending("one")))
    address = f"/actors/v2/{execution['actorId']}/executions/{execution['id']}/results"
    for _ in range(2):
        assert acting.http.request("HEAD", address).headers["content-length"] == "3"
    assert acting.result(execution) == b"one"


def test_no_result_is_of_the_type_of_results_all_the_same(acting: Acting) -> None:
    execution = acting.run(acting.add())
    answer = acting.http.get(f"/actors/v2/{execution['actorId']}/executions/{execution['id']}/results")
    assert (answer.content, answer.headers["content-type"]) == (b"", "application/octet-stream")


def test_all_results_are_there_as_soon_as_an_execution_is_complete(acting: Acting) -> None:
    actor_id = acting.add(sending(*["x"] * 50))
    sent = [acting.send(actor_id) for _ in range(4)]
    for execution_id in sent:
        polled = (acting.execution(actor_id, execution_id) for _ in range(5000))
        execution = next(each for each in polled if each["status"] == "COMPLETE")
        assert len(list(iter(lambda known=execution: acting.result(known), b""))) == 50
    acting.tenant.run_until_idle()


def test_a_result_can_be_taken_while_the_program_runs(acting: Acting, gate: Path) -> None:
    actor_id = acting.add(f"{sending('early')}; echo > {gate}; cat {gate}")
    execution_id = acting.send(actor_id)
    heard(gate)
    execution = acting.execution(actor_id, execution_id)
    results = iter(lambda: acting.result(execution), b"")
    assert next(each for _ in range(200) for each in [next(results, b"")] if each) == b"early"
    gate.write_text("go on")
    acting.tenant.run_until_idle()


def test_the_socket_has_a_short_address_however_deep_the_root_is(tmp_path: Path) -> None:
    with running(tmp_path / ("d" * 120)) as acting:
        execution = acting.run(acting.add(sending("through")))
        assert acting.result(execution) == b"through"


def test_an_actor_changes_its_own_state(acting: Acting) -> None:
    program = (
        "import json, os, urllib.request as u\n"
        "e = os.environ\n"
        "url = f\"{e['_abaco_api_server']}/actors/v2/{e['_abaco_actor_id']}/state\"\n"
        "body = json.dumps({'count': eval(e['_abaco_actor_state']).get('count', 0) + 1}).encode()\n"
        "head = {'Authorization': 'Bearer ' + e['_abaco_access_token'], 'Content-Type': 'application/json'}\n"
        "u.build_opener(u.ProxyHandler({})).open(u.Request(url, body, head)).close()"
    )
    variables = {"PROGRAM": program}
    actor_id = acting.add(f'{sys.executable} -I -c "$PROGRAM"', stateless=False, defaultEnvironment=variables)
    for _ in range(3):
        acting.send(actor_id)
    acting.tenant.run_until_idle()
    assert acting.get(actor_id)["state"] == {"count": 3}


# The images that every tenant has


def test_a_pickled_function_is_called_and_its_result_comes_back(acting: Acting) -> None:
    actor_id = acting.add(image=FUNCTION)
    offset = 40
    call = {"func": lambda x, y=1: [x + y + offset], "args": [1], "kwargs": {"y": 1}}
    execution_id = acting.send_bytes(actor_id, cloudpickle.dumps(call))
    acting.tenant.run_until_idle()
    execution = acting.execution(actor_id, execution_id)
    assert (execution["exitCode"], acting.log(execution)) == (0, "")
    assert cloudpickle.loads(acting.result(execution)) == [42]
    assert acting.result(execution) == b""


def test_a_function_that_raises_leaves_its_traceback_in_the_log(acting: Acting) -> None:
    actor_id = acting.add(image="sd2e/jupyteruser_func")
    execution_id = acting.send_bytes(actor_id, cloudpickle.dumps({"func": lambda: 1 / 0, "args": [], "kwargs": {}}))
    acting.tenant.run_until_idle()
    execution = acting.execution(actor_id, execution_id)
    assert (execution["status"], execution["exitCode"], acting.result(execution)) == ("COMPLETE", 1, b"")
    assert "ZeroDivisionError" in acting.log(execution)


def test_a_text_is_no_function(acting: Acting) -> None:
    execution = acting.run(acting.add(image=FUNCTION))
    assert (execution["exitCode"], "application/octet-stream" in acting.log(execution)) == (1, True)


def test_the_other_image_prints_message_and_context_but_no_token(acting: Acting) -> None:
    actor_id = acting.add(image=CONTEXT)
    log = acting.log(acting.run(actor_id, "hello", X="1"))
    assert log.startswith("Contents of MSG: hello\n")
    assert f"_abaco_actor_id={actor_id}\n" in log
    assert "X=1\n" in log
    assert "_abaco_access_token=…\n" in log
    execution_id = acting.send_bytes(actor_id, b"\x00\xff")
    acting.tenant.run_until_idle()
    assert "Contents of MSG: b'\\x00\\xff'\n" in acting.log(acting.execution(actor_id, execution_id))


# Ends


def test_an_execution_beyond_its_time_is_killed_with_its_children(
    acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_run, "LIMIT_S", 0.3)
    execution = acting.run(acting.add("sleep 600 & echo $!; wait"))
    assert (execution["status"], execution["exitCode"]) == ("COMPLETE", 137)
    pid, reason = acting.log(execution).splitlines()
    assert has_ended(int(pid))
    assert reason == execution["finalState"]["Error"] == "The execution exceeded 0.3 s and was killed."


def test_what_a_program_leaves_in_the_background_ends_with_it(acting: Acting) -> None:
    assert has_ended(int(acting.log(acting.run(acting.add("sleep 600 & echo $!")))))


def test_a_program_cannot_fill_the_memory_beyond_its_limit(acting_admin: Acting) -> None:
    actor_id = acting_admin.add(f"{sys.executable} -I -c 'bytearray(1 << 30)'", memLimit="512m")
    execution = acting_admin.run(actor_id)
    assert (execution["exitCode"], "MemoryError" in acting_admin.log(execution)) == (1, True)


def test_deleting_an_actor_kills_its_program(acting: Acting, gate: Path) -> None:
    actor_id = acting.add(f"echo $$ > {gate}; sleep 600")
    acting.send(actor_id)
    acting.send(actor_id)
    pid = int(heard(gate))
    checked(acting.http.delete(f"/actors/v2/{actor_id}"), "actors.delete")
    assert has_ended(pid)
    acting.tenant.run_until_idle()
    assert not (acting.tenant.root / "actors" / actor_id).exists()


def test_the_folder_of_a_program_goes_with_it(acting: Acting) -> None:
    actor_id = acting.add('pwd; mkdir locked; touch locked/file; chmod 500 locked; echo "$HOME"')
    here, home = acting.log(acting.run(actor_id)).splitlines()
    assert here == home
    assert not Path(here).exists()


def test_an_image_that_nobody_has_makes_the_actor_fail_with_the_reason(
    acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # where there is no container engine
    actor = acting.get(acting.add(image="nobody/has:it"))
    assert actor["status"] == "ERROR"
    assert "No image 'nobody/has:it'" in actor["statusMessage"]
    assert "--image nobody/has:it=COMMAND" in actor["statusMessage"]


def test_too_many_waiting_messages_are_refused(acting: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_runner, "_MOST_WAITING", 1)
    actor_id = acting.add(image="nobody/has:it")
    acting.send(actor_id)
    assert acting.http.post(f"/actors/v2/{actor_id}/messages", json={"message": "x"}).status_code == 400


# The tenant ends and starts again


def test_a_tenant_that_stops_lets_go_of_who_waits_for_an_execution(gate: Path) -> None:
    with Sandbox(images=IMAGES) as tenant, Http(tenant) as http:
        actor_id = Acting(tenant, http).add(f"echo > {gate}; sleep 600")
        url = f"/actors/v2/{actor_id}/messages?_abaco_synchronous=true"
        answers: list[int] = []
        waiting = threading.Thread(target=lambda: answers.append(http.post(url, json={"message": "x"}).status_code))
        waiting.start()
        heard(gate)
        tenant.stop()
        waiting.join(10)
        assert answers == [400]


def test_messages_that_wait_are_run_after_a_restart_in_their_order(tmp_path: Path) -> None:
    root, late = tmp_path / "root", {"late/shell": IMAGES["tests/shell"]}
    script = f'{{ [ -z "$MSG" ] && cat "$_abaco_binary_data_file" || echo "$MSG$X"; }} >> {tmp_path}/order'
    with running(root) as acting:
        actor_id = acting.add(script, image="late/shell")
        assert acting.get(actor_id)["status"] == "ERROR"
        acting.send(actor_id, "first", X="!")
        acting.send_bytes(actor_id, b"some bytes\n")
        for number in range(3):
            acting.send(actor_id, str(number))
    with Sandbox(root, images=late) as tenant, Http(tenant) as http:
        tenant.run_until_idle()
        statuses = {each["status"] for each in Acting(tenant, http).executions(actor_id)}
        assert statuses == {"COMPLETE"}
    assert (tmp_path / "order").read_text() == "first!\nsome bytes\n0\n1\n2\n"


def test_what_a_killed_tenant_left_does_not_stand_in_the_way_of_a_message(tmp_path: Path) -> None:
    with running(tmp_path) as acting:
        actor_id = acting.add(image="late/shell")
        execution_id = acting.send_bytes(actor_id, b"x")
    folder = tmp_path / "actors" / actor_id / execution_id
    (folder / "work").mkdir()
    os.mkfifo(folder / "_abaco_binary_data")
    (folder / "_abaco_results.sock").touch()
    with Sandbox(tmp_path, images={"late/shell": "true"}) as tenant, Http(tenant) as http:
        tenant.run_until_idle()
        assert Acting(tenant, http).execution(actor_id, execution_id)["exitCode"] == 0
    assert sorted(os.listdir(folder)) == ["log", "results"]


@pytest.mark.parametrize(
    "note", [b"", b"\0" * 20, b"\xff", b"elsewhere"], ids=["empty", "NULs", "no UTF-8", "a stranger's"]
)
def test_a_note_of_a_socket_that_is_none_does_no_harm(tmp_path: Path, note: bytes) -> None:
    with running(tmp_path) as acting:
        execution = acting.run(acting.add(sending("one")))
    folder = tmp_path / "actors" / execution["actorId"] / execution["id"]
    (tmp_path / "elsewhere").mkdir()
    (folder / "socket-folder").write_bytes(note.replace(b"elsewhere", os.fsencode(tmp_path / "elsewhere")))
    with running(tmp_path) as acting:
        assert acting.result(execution) == b"one"
    assert sorted(os.listdir(folder)) == ["log", "results"]
    assert (tmp_path / "elsewhere").is_dir()


def test_what_a_killed_tenant_had_no_time_to_remove_goes_at_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path) as acting:
        execution = acting.run(acting.add(sending("one", "two")))
    folder = tmp_path / "actors" / execution["actorId"] / execution["id"]
    (folder / "work" / "below").mkdir(parents=True)
    (folder / "message").write_bytes(b"its message, which it has read")
    (folder / "results" / "arriving").write_bytes(b"half a res")
    socket_folder = tmp_path / "agavepy-0123abcd"
    socket_folder.mkdir()
    (socket_folder / "_abaco_results.sock").touch()
    (folder / "socket-folder").write_text(str(socket_folder))
    first = min((folder / "results").glob("[0-9]*"))
    first.rename(first.with_name(f"taken-{first.name}"))  # for somebody who was never answered
    for other in (folder.parent / "no-execution", tmp_path / "actors" / "no-actor" / "no-execution"):
        other.mkdir(parents=True)
        (other / "message").write_bytes(b"a message that was not acknowledged")
    with running(tmp_path) as acting:
        assert os.listdir(tmp_path / "actors") == [execution["actorId"]]
        assert os.listdir(folder.parent) == [execution["id"]]
        assert sorted(os.listdir(folder)) == ["log", "results"]
        assert not socket_folder.exists()
        assert [acting.result(execution) for _ in range(3)] == [b"one", b"two", b""]


def test_a_running_execution_ends_with_the_tenant_and_says_so(tmp_path: Path, gate: Path) -> None:
    with running(tmp_path / "root") as acting:
        actor_id = acting.add(f"echo $$ > {gate}; sleep 600")
        execution_id = acting.send(actor_id)
        pid = int(heard(gate))
    assert has_ended(pid)
    with running(tmp_path / "root") as acting:
        acting.tenant.run_until_idle()
        execution = acting.execution(actor_id, execution_id)
        assert execution["status"] == "ERROR"
        assert execution["finalState"]["Error"] == "The tenant was stopped while the execution was running."
        assert acting.get(actor_id)["status"] == "READY"
        assert list(acting.tenant.state.store.all("actor-process")) == []


def test_results_and_logs_outlast_the_tenant(tmp_path: Path) -> None:
    with running(tmp_path) as acting:
        execution = acting.run(acting.add(f"echo printed; {sending('kept')}"))
    with running(tmp_path) as acting:
        assert (acting.log(execution), acting.result(execution)) == ("printed\n", b"kept")


KILLED = """
import os, signal, sys
from agavepy.sandbox import Sandbox

with Sandbox(sys.argv[1], images={"tests/shell": sys.argv[2]}) as tenant:
    ag = tenant.client()
    actor = ag.actors.add(body={"image": "tests/shell", "defaultEnvironment": {"SCRIPT": sys.argv[3]}})
    for number in range(3):
        ag.actors.sendMessage(actorId=actor.id, body={"message": str(number)})
    signal.pause()
"""


def test_a_killed_tenant_leaves_neither_processes_nor_loses_messages(tmp_path: Path, gate: Path) -> None:
    script = f'if [ "$MSG" = 0 ]; then echo $$ > {gate}; sleep 600; else echo "$MSG" >> {tmp_path}/order; fi'
    command = [sys.executable, "-c", KILLED, str(tmp_path / "root"), IMAGES["tests/shell"], script]
    tenant = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    pid = int(heard(gate))
    wait_for_messages(tmp_path / "root")
    tenant.send_signal(signal.SIGKILL)
    tenant.wait()
    assert is_alive(pid)
    with running(tmp_path / "root") as acting:
        assert has_ended(pid)
        acting.tenant.run_until_idle()
        [actor] = checked(acting.http.get("/actors/v2"), "actors.list")
        statuses = [each["status"] for each in acting.executions(actor["id"])]
        assert statuses == ["ERROR", "COMPLETE", "COMPLETE"]
        folders = (tmp_path / "root" / "actors" / actor["id"]).iterdir()
        assert [sorted(os.listdir(folder)) for folder in folders] == [["log", "results"]] * 3
    assert (tmp_path / "order").read_text() == "1\n2\n"


def wait_for_messages(root: Path) -> None:
    """Return when all three are acknowledged by being on disk."""
    store = sqlite3.connect(f"file:{root}/tenant.sqlite?mode=ro", uri=True)
    turn = threading.Event()
    for _ in range(3000):
        [count] = store.execute("SELECT count(*) FROM documents WHERE kind='actor-execution'").fetchone()
        if count == 3:
            return store.close()
        turn.wait(0.01)
    raise AssertionError("the messages did not arrive")
