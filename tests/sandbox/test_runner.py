"""Jobs as real processes: their way along the statuses, their end by all causes, restarts of the tenant."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox
from agavepy.sandbox.lifecycle import JobEnded

from .compute import Compute, file_input, parameter
from .conftest import Http
from .schema import checked

BEFORE_THE_RUN = ["STAGING_JOB", "SUBMITTING", "SUBMITTING", "QUEUED"]
ARCHIVED = ["CLEANING_UP", "ARCHIVING", "ARCHIVING_FINISHED", "FINISHED"]


def heard(gate: Path) -> str:
    """Return what a job writes into a pipe, once it does."""
    with open(os.open(gate, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
        assert select.select([pipe], [], [], 30)[0], "no job wrote into the pipe"
        os.set_blocking(pipe.fileno(), True)
        return pipe.read().decode()


def is_alive(pid: int) -> bool:
    """Return whether a process still runs; a dead one that nobody has waited for does not."""
    # A signal takes effect a moment later than it is sent.
    return all(_state(pid) not in ("", "Z") for _ in range(200))


def _state(pid: int) -> str:
    if not Path("/proc/self/stat").exists():
        return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout[:1].strip()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def work_folder(compute: Compute, job_id: str) -> Path:
    state = compute.tenant.state
    job = state.store.get("job", job_id)
    assert job is not None
    return state.disk.locate(state.systems.document(job["executionSystem"]), job["outputPath"])


# The way of a job


def test_a_job_with_inputs_goes_through_every_status_in_order(compute: Compute) -> None:
    app = compute.app("wc -l < ${text} > lines.txt\n", inputs=[file_input("text", required=True)])
    job = compute.run(app, inputs={"text": compute.put("data/a.txt", "1\n2\n3\n")})
    assert compute.statuses(job["id"]) == [
        *("PENDING", "PROCESSING_INPUTS", "STAGING_INPUTS", "STAGED"),
        *BEFORE_THE_RUN,
        "RUNNING",
        *ARCHIVED,
    ]
    assert job["status"] == "FINISHED"
    assert compute.output(job["id"], "lines.txt").strip() == "3"


def test_a_job_without_inputs_goes_straight_to_staged(compute: Compute) -> None:
    job = compute.run(compute.app())
    assert compute.statuses(job["id"]) == ["PENDING", "STAGED", *BEFORE_THE_RUN, "RUNNING", *ARCHIVED]


def test_several_inputs_from_several_places_are_staged_flat(compute: Compute) -> None:
    compute.put("folder/inside.txt", "in a folder")
    app = compute.app("cat ${many}/inside.txt ${one} > all.txt; ls > names.txt\n", inputs=[
        file_input("many", semantics={"maxCardinality": -1}), file_input("one", enquote=True),
    ])  # fmt: skip
    own_url = f"{compute.http.base_url}/files/v2/media/system/sandbox-storage/{compute.put('b c.txt', ' own')}"
    job = compute.run(
        app, inputs={"many": [f"agave://sandbox-storage/{compute.user}/folder"], "one": own_url.replace(" ", "%20")}
    )
    assert {"folder", "b c.txt"} <= set(compute.output(job["id"], "names.txt").splitlines())
    assert compute.output(job["id"], "all.txt") == "in a folder own"


def test_standard_streams_and_process_id_have_the_files_of_a_fork_job(compute: Compute) -> None:
    job = compute.run(compute.app("echo out; echo err >&2; echo $$ > shell.txt\n"), name="My Job")
    assert compute.output(job["id"], "my-job.out") == "out\n"
    assert compute.output(job["id"], "my-job.err") == "err\n"
    assert compute.output(job["id"], "my-job.pid") == compute.output(job["id"], "shell.txt") == f"{job['localId']}\n"


def test_the_work_folder_is_on_the_execution_system_and_goes_after_archiving(compute: Compute) -> None:
    job = compute.run(compute.app("pwd > where.txt\n"), name="My Job")
    folder = work_folder(compute, job["id"])
    assert job["outputPath"] == f"/scratch/{compute.user}/job-{job['id']}-my-job"
    assert compute.output(job["id"], "where.txt") == f"{folder}\n"
    assert not folder.exists()


def test_without_archiving_the_outputs_stay_in_the_work_folder(compute: Compute) -> None:
    job = compute.run(compute.app("echo x > result.txt\n"), archive=False)
    assert compute.statuses(job["id"])[-2:] == ["CLEANING_UP", "FINISHED"]
    assert (work_folder(compute, job["id"]) / "result.txt").read_text() == "x\n"
    assert "archivePath" not in job
    assert compute.output(job["id"], "result.txt") == "x\n"


def test_only_what_the_run_made_is_archived(compute: Compute) -> None:
    app = compute.app(
        "mkdir -p out/empty; echo new > out/new.txt; echo new > lib/made.txt; echo skip > big.tmp\n"
        "mkdir cache; touch cache/x; printf 'big.tmp\\ncache\\n' >> .agave.archive\n"
    )
    compute.put(f"apps/{app.rpartition('-')[0]}/lib/asset.txt")
    job = compute.run(app, name="j")
    archive = compute.home / job["archivePath"].removeprefix(f"{compute.user}/")
    found = {str(place.relative_to(archive)) for place in archive.rglob("*")}
    assert found == {
        *(".agave.log", "j.out", "j.err", "j.pid"),
        *("out", "out/empty", "out/new.txt", "lib", "lib/made.txt"),
    }


def test_a_link_out_of_the_job_is_not_followed(compute: Compute, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    app = compute.app(f"ln -s {secret} stolen.txt; echo mine > mine.txt; ln -s mine.txt same.txt\n")
    for archive in (True, False):
        job = compute.run(app, archive=archive)
        answer = compute.http.get(f"/jobs/v2/{job['id']}/outputs/media/stolen.txt")
        assert (answer.status_code, "secret" in answer.text) == (404, False)
        assert compute.output(job["id"], "same.txt") == "mine\n"


def test_the_process_gets_no_variables_of_the_tenant(compute: Compute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_TOKEN", "s3cret")
    monkeypatch.setenv("TAPIS_PASSWORD", "s3cret")
    job = compute.run(compute.app("env > env.txt\n"))
    names = {line.partition("=")[0] for line in compute.output(job["id"], "env.txt").splitlines()}
    own = {name for name in names if not name.startswith(("AGAVE_JOB_", "IPLANT_"))}
    assert own - {"SHLVL", "_", "OLDPWD"} == {"PATH", "LANG", "HOME", "PWD", "AGAVE_BASE_URL"}


def test_a_template_that_is_not_utf8_runs_as_it_is(compute: Compute) -> None:
    app = compute.app()
    (compute.home / f"apps/{app.rpartition('-')[0]}/wrapper.sh").write_bytes(b"printf '\xe9' > e.txt\n")
    job = compute.run(app)
    assert compute.http.get(f"/jobs/v2/{job['id']}/outputs/media/e.txt").content == b"\xe9"


# Ends


def test_an_exit_code_does_not_fail_a_job(compute: Compute) -> None:
    job = compute.run(compute.app("exit 3\n"))
    assert job["status"] == "FINISHED"
    assert "message" not in job


def test_the_failure_callback_fails_a_job_and_its_outputs_stay_readable(compute: Compute) -> None:
    job = compute.run(compute.app("cd /; echo why >&2; ${AGAVE_JOB_CALLBACK_FAILURE}\n"), name="j")
    assert (job["status"], job["message"]) == ("FAILED", "The job's wrapper reported a failure.")
    assert compute.output(job["id"], "j.err") == "why\n"


def test_a_job_beyond_its_time_is_killed_with_its_children(compute: Compute) -> None:
    job = compute.run(compute.app("sleep 600 & echo $! > child.txt; sleep 600\n"), maxRunTime="00:00:01")
    assert job["status"] == "FAILED"
    assert job["message"] == "Job exceeded its maxRunTime of 00:00:01 and was killed."
    assert not is_alive(int(compute.output(job["id"], "child.txt")))


def test_what_a_job_leaves_in_the_background_ends_with_it(compute: Compute) -> None:
    job = compute.run(compute.app("sleep 600 & echo $! > child.txt\n"))
    assert job["status"] == "FINISHED"
    assert not is_alive(int(compute.output(job["id"], "child.txt")))


def test_a_running_job_is_stopped_at_once(compute: Compute, gate: Path) -> None:
    job_id = compute.submit(compute.app(f"echo $$ > {gate}; sleep 600\n"))
    pid = int(heard(gate))
    answer = compute.http.post(f"/jobs/v2/{job_id}", json={"action": "stop"})
    assert (answer.status_code, "result" in answer.json()) == (200, False)
    compute.tenant.run_until_idle()
    assert not is_alive(pid)
    assert compute.job(job_id)["status"] == "STOPPED"
    assert compute.statuses(job_id)[-2:] == ["RUNNING", "STOPPED"]


def test_a_waiting_job_that_is_stopped_never_runs(compute: Compute, gate: Path, tmp_path: Path) -> None:
    busy = [compute.submit(compute.app(f"cat {gate}\n")) for _ in range(2)]
    waiting = compute.submit(compute.app(f"touch {tmp_path}/ran\n"))
    compute.http.post(f"/jobs/v2/{waiting}", json={"action": "stop"}).raise_for_status()
    for job_id in busy:
        compute.http.post(f"/jobs/v2/{job_id}", json={"action": "kill"}).raise_for_status()
    compute.tenant.run_until_idle()
    assert compute.statuses(waiting) == ["PENDING", "STOPPED"]
    assert not (tmp_path / "ran").exists()


def test_a_missing_input_fails_the_job_after_a_second_try(compute: Compute) -> None:
    app = compute.app(inputs=[file_input("text")])
    job = compute.run(app, inputs={"text": f"{compute.user}/nowhere.txt"})
    assert (job["status"], job["retries"]) == ("FAILED", 1)
    assert "nowhere.txt" in job["message"]
    assert compute.statuses(job["id"]).count("PENDING") == 2


def test_an_app_deleted_before_the_start_fails_the_job(compute: Compute, gate: Path) -> None:
    busy = [compute.submit(compute.app(f"cat {gate}\n")) for _ in range(2)]
    app = compute.app()
    waiting = compute.submit(app)
    compute.tenant.state.store.delete("app", app)
    for job_id in busy:
        compute.http.post(f"/jobs/v2/{job_id}", json={"action": "stop"}).raise_for_status()
    compute.tenant.run_until_idle()
    assert compute.job(waiting)["message"] == f"The app {app} was deleted before the job could start."


def test_a_failed_archive_ends_in_finished_with_a_message(compute: Compute) -> None:
    broken = compute.home / "broken"
    app = compute.app(f"rmdir {broken}; touch {broken}\n")
    job = compute.run(app, archivePath=f"{compute.user}/broken")
    assert job["status"] == "FINISHED"
    assert "archive" in job["message"]
    assert compute.statuses(job["id"])[-3:] == ["ARCHIVING", "ARCHIVING_FAILED", "FINISHED"]
    assert "a-job.out" in compute.outputs(job["id"])


def test_signs_of_life_and_notifications_are_in_the_history_while_the_job_runs(compute: Compute, gate: Path) -> None:
    reports = "step=two; ${AGAVE_JOB_CALLBACK_ALIVE}; ${AGAVE_JOB_CALLBACK_NOTIFICATION|step}"
    job_id = compute.submit(compute.app(f"{reports}; echo > {gate}; cat {gate}\n"))
    heard(gate)
    running = compute.statuses(job_id)
    gate.write_text("go on")
    compute.tenant.run_until_idle()
    assert running[-3:] == ["RUNNING", "HEARTBEAT", "HEARTBEAT"]
    assert compute.statuses(job_id).count("HEARTBEAT") == 2


def test_outputs_can_be_read_while_the_job_runs(compute: Compute, gate: Path) -> None:
    job_id = compute.submit(compute.app(f"echo half > part.txt; echo > {gate}; cat {gate}\n"))
    heard(gate)
    text = compute.output(job_id, "part.txt")
    gate.write_text("go on")
    compute.tenant.run_until_idle()
    assert text == compute.output(job_id, "part.txt") == "half\n"


def test_a_final_status_is_not_left(compute: Compute) -> None:
    job = compute.run(compute.app())
    jobs: Any = compute.tenant.state.services["jobs"]
    with pytest.raises(JobEnded):
        jobs.set_status(job["id"], "RUNNING", "again")
    assert compute.job(job["id"])["status"] == "FINISHED"


def test_many_jobs_leave_no_process_no_thread_and_no_open_file(compute: Compute) -> None:
    app = compute.app()
    compute.run(app)
    before = (len(os.listdir("/dev/fd")), threading.active_count())
    job_ids = [compute.submit(app) for _ in range(12)]
    compute.tenant.run_until_idle()
    assert {compute.job(job_id)["status"] for job_id in job_ids} == {"FINISHED"}
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    after = (len(os.listdir("/dev/fd")), threading.active_count())
    assert after[0] <= before[0] + 4  # a connection of a handler's thread to the database or two
    assert after[1] <= before[1] + 4  # threads of handlers come as needed


# Restarts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@contextlib.contextmanager
def running(root: Path) -> Iterator[Compute]:
    with Sandbox(root=root) as tenant, Http(tenant) as http:
        yield Compute(tenant, http)


def left_as(compute: Compute, job_id: str, status: str) -> None:
    """Make the store look as if the tenant had died while a job had that status."""
    store = compute.tenant.state.store
    job = store.get("job", job_id)
    assert job is not None
    store.put("job", job_id, {**job, "status": status, "archived": False}, updated=0)


def test_a_job_that_waited_runs_after_a_restart(root: Path) -> None:
    with running(root) as compute:
        app = compute.app("echo done > result.txt\n")
        compute.tenant.state.runner.stop()  # as if nothing had been taken up before the end
        job_id = compute.submit(app)
    with running(root) as compute:
        compute.tenant.run_until_idle()
        assert compute.output(job_id, "result.txt") == "done\n"


@pytest.mark.parametrize("status", ["PENDING", "STAGING_INPUTS", "STAGED", "SUBMITTING"])
def test_a_job_caught_before_its_run_starts_over(root: Path, status: str) -> None:
    with running(root) as compute:
        job = compute.run(compute.app("echo x >> result.txt\n"), archive=False)
        left_as(compute, job["id"], status)
    with running(root) as compute:
        compute.tenant.run_until_idle()
        assert compute.output(job["id"], "result.txt") == "x\n"


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING"])
def test_a_job_caught_running_is_failed_with_the_reason(root: Path, status: str) -> None:
    with running(root) as compute:
        job_id = compute.run(compute.app(), archive=False)["id"]
        left_as(compute, job_id, status)
    with running(root) as compute:
        job = compute.job(job_id)
        assert (job["status"], "tenant was stopped" in job["message"]) == ("FAILED", True)


@pytest.mark.parametrize("status", ["CLEANING_UP", "ARCHIVING"])
def test_a_job_caught_archiving_is_archived_after_a_restart(root: Path, status: str) -> None:
    with running(root) as compute:
        job_id = compute.run(compute.app("echo x >> result.txt\n"), archive=False)["id"]
        left_as(compute, job_id, status)
        store = compute.tenant.state.store
        compute.put("kept/.keep")
        archived = {"archive": True, "archiveSystem": "sandbox-storage", "archivePath": f"{compute.user}/kept"}
        store.put("job", job_id, {**(store.get("job", job_id) or {}), **archived}, updated=0)
    with running(root) as compute:
        compute.tenant.run_until_idle()
        assert compute.job(job_id)["status"] == "FINISHED"
        assert (compute.home / "kept" / "result.txt").read_text() == "x\n"


def test_stopping_the_tenant_kills_what_runs_and_says_so(root: Path, gate: Path) -> None:
    with running(root) as compute:
        job_id = compute.submit(compute.app(f"sleep 600 & echo $! > {gate}; sleep 600\n"))
        child = int(heard(gate))
    assert not is_alive(child)
    with running(root) as compute:
        job = compute.job(job_id)
        assert (job["status"], job["message"]) == ("FAILED", "The tenant was stopped while the job was running.")


def test_waiting_for_the_runner_names_the_jobs_that_are_late(compute: Compute, gate: Path) -> None:
    job_id = compute.submit(compute.app(f"cat {gate}\n"), parameters={})
    with pytest.raises(TimeoutError, match=job_id):
        compute.tenant.state.runner.run_until_idle(timeout_s=0)
    compute.http.delete(f"/jobs/v2/{job_id}").raise_for_status()
    compute.tenant.run_until_idle()


def test_a_parameter_reaches_the_script(compute: Compute) -> None:
    app = compute.app(
        "echo ${word} ${n} ${AGAVE_JOB_OWNER}\n", parameters=[parameter("word"), parameter("n", "number")]
    )
    job = compute.run(app, name="j", parameters={"word": "hello", "n": "7"})
    assert compute.output(job["id"], "j.out") == f"hello 7 {compute.user}\n"


# A tenant that is killed

KILLED = """
import os, signal, sys
from agavepy.sandbox import Sandbox, job_run
from tests.sandbox.compute import Compute
from tests.sandbox.conftest import Http

root, script, when = sys.argv[1:]
die = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
if when == "just started":
    job_run.JobRun._follow = die
with Sandbox(root=root) as tenant, Http(tenant) as http:
    compute = Compute(tenant, http)
    compute.submit(compute.app(script))
    signal.pause()
"""


def killed(root: Path, script: str, *, when: str) -> subprocess.Popen[bytes]:
    """Return a tenant that runs a job; ``when`` it kills itself."""
    repository = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", KILLED, str(root), script, when], cwd=repository)


def only_job(compute: Compute) -> dict[str, Any]:
    [job] = checked(compute.http.get("/jobs/v2"), "jobs.list")
    return compute.job(job["id"])


def end_and_wait(pid: int) -> None:
    """Kill a process that is not our child, and return once it has ended."""
    watched = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([watched], [], [], 10)[0]
    os.close(watched)


@pytest.mark.parametrize("is_alone", [False, True], ids=["whole", "children"])
def test_a_process_that_a_killed_tenant_left_ends_at_the_next_start(root: Path, gate: Path, is_alone: bool) -> None:
    tenant = killed(root, f"sleep 600 & echo $$ $! > {gate}; wait\n", when="told")
    shell, child = (int(pid) for pid in heard(gate).split())
    tenant.kill()
    tenant.wait()
    if is_alone:
        end_and_wait(shell)
    assert is_alive(child)
    with running(root) as compute:
        assert not is_alive(shell)
        assert not is_alive(child)
        assert only_job(compute)["status"] == "FAILED"
        assert list(compute.tenant.state.store.all("process")) == []


def test_a_process_that_only_has_the_number_of_a_left_one_lives_on(root: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        with running(root) as compute:
            left = {"job": "1-007", "pid": bystander.pid, "begun": "some other time"}
            compute.tenant.state.store.put("process", "1-007", left, updated=0.0)
        with running(root):
            assert is_alive(bystander.pid)
        bystander.kill()


def test_a_job_whose_tenant_was_killed_while_it_started_it_runs_once(root: Path, tmp_path: Path) -> None:
    killed(root, f"echo ran >> {tmp_path}/ran\n", when="just started").wait()
    with running(root) as compute:
        compute.tenant.run_until_idle()
        assert only_job(compute)["status"] == "FINISHED"
    assert (tmp_path / "ran").read_text() == "ran\n"


# Sources that keep a job waiting


@pytest.fixture
def silent() -> Iterator[Silent]:
    """A web server whose answers do not come to an end."""
    with Silent() as server:
        yield server


class Silent:
    """Answers with the beginning of a file, or with nothing at all, and then waits."""

    def __enter__(self) -> Silent:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._accepted: list[socket.socket] = []
        return self

    def __exit__(self, *error: object) -> None:
        for each in (self._listening, *self._accepted):
            each.close()

    def answer(self, beginning: bytes) -> None:
        """Wait for a request, and begin to answer it."""
        self._listening.settimeout(30)
        connection, _ = self._listening.accept()
        self._accepted.append(connection)
        connection.settimeout(30)
        assert connection.recv(100_000)
        connection.sendall(beginning)


BEGINNINGS = [b"", b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nda"]


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=["nothing", "header", "body"])
def test_a_job_that_waits_for_its_data_can_be_stopped(compute: Compute, silent: Silent, beginning: bytes) -> None:
    app = compute.app(inputs=[file_input("data")])
    job_id = compute.submit(app, inputs={"data": f"{silent.url}/data"})
    silent.answer(beginning)
    compute.http.post(f"/jobs/v2/{job_id}", json={"action": "stop"}).raise_for_status()
    compute.tenant.run_until_idle(timeout_s=20)
    assert compute.job(job_id)["status"] == "STOPPED"


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=["nothing", "header", "body"])
def test_a_tenant_that_waits_for_data_can_be_stopped(root: Path, silent: Silent, beginning: bytes) -> None:
    with running(root) as compute:
        app = compute.app(inputs=[file_input("data")])
        compute.submit(app, inputs={"data": f"{silent.url}/data"})
        silent.answer(beginning)
        wanted = {"urlToIngest": f"{silent.url}/import"}
        compute.http.post("/files/v2/media/system/sandbox-storage/sandbox", data=wanted).raise_for_status()
        silent.answer(beginning)
        stopping = threading.Thread(target=compute.tenant.stop, daemon=True)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()
    with running(root) as compute:
        history = compute.http.get("/files/v2/history/system/sandbox-storage/sandbox/import").json()["result"]
        assert [event["status"] for event in history][-1] == "STAGING_FAILED"


def test_a_download_does_not_take_for_ever(compute: Compute, silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agavepy.sandbox.downloads._LIMIT_S", 0.5)
    job_id = compute.submit(compute.app(inputs=[file_input("data")]), inputs={"data": f"{silent.url}/data"})
    silent.answer(BEGINNINGS[-1])
    compute.tenant.run_until_idle(timeout_s=20)
    job = compute.job(job_id)
    assert (job["status"], "took longer than 0.5 s" in job["message"]) == ("FAILED", True)
