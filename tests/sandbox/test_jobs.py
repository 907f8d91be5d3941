"""Jobs over HTTP: what a request may say, who sees a job, its actions and outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .compute import Compute, file_input, parameter
from .conftest import Http
from .schema import checked, refusal


@pytest.fixture(scope="module")
def picky(tenant: Sandbox) -> str:
    """An app with inputs and parameters of every kind; it writes what reached it."""
    with Http(tenant) as http:
        compute = Compute(tenant, http)
        script = 'echo "[${one}] [${many}] [${mode}] [${n}] [${b}] [${f}] [${s}] [${hidden}]"\n'
        return compute.app(
            script,
            inputs=[
                file_input("one", validator=r"\.txt$"),
                file_input("many", semantics={"minCardinality": 2, "maxCardinality": 3}),
                file_input("secret", visible=False, default=compute.put("hidden.txt")),
            ],
            parameters=[
                parameter("mode", "enumeration", enum_values=["fast", "slow"], default="slow"),
                parameter("n", "number"),
                parameter("b", "bool"),
                {**parameter("f", "flag"), "details": {"argument": "-v"}},
                parameter("s", validator="^[a-z]+$", semantics={"maxCardinality": -1}),
                parameter("hidden", visible=False, default="fixed"),
            ],
        )


# Submitting


def test_a_submitted_job_answers_201_with_everything_filled_in(compute: Compute) -> None:
    app = compute.app()
    answer = compute.http.post("/jobs/v2/", json={"name": "my job", "appId": app})
    job = checked(answer, "jobs.submit", status=201)
    assert job["id"].endswith("-007")
    assert (job["status"], job["owner"], job["archive"], job["retries"]) == ("PENDING", compute.user, True, 0)
    assert (job["executionSystem"], job["batchQueue"]) == ("sandbox-exec", "default")
    assert (job["nodeCount"], job["processorsPerNode"], job["memoryPerNode"]) == (1, 1, 1.0)
    assert (job["archiveSystem"], job["archivePath"]) == (
        *("sandbox-storage", f"{compute.user}/archive/jobs/job-{job['id']}"),
    )
    assert (job["inputs"], job["parameters"], job["notifications"], job["endTime"]) == ({}, {}, [], None)
    assert job["submitTime"] == job["created"]
    assert set(job["_links"]) == {
        *("self", "app", "executionSystem", "archiveSystem", "archiveData", "owner", "permissions", "history"),
        *("metadata", "notifications"),
    }


def test_earlier_names_text_numbers_and_forms_are_understood(compute: Compute) -> None:
    app = compute.app("cat ${text} > copy.txt\n", inputs=[file_input("text")])
    path = compute.put("form.txt", "by form")
    form = {
        "jobName": "old",
        "softwareName": app,
        "processorCount": "2",
        "maxMemory": "512MB",
        "requestedTime": "0:05:00",
    }
    answer = compute.http.post("/jobs/v2", data={**form, "archive": "False", "text": path, "nodeCount": "1"})
    job = checked(answer, "jobs.submit", status=201)
    assert (job["name"], job["processorsPerNode"], job["memoryPerNode"]) == ("old", 2, 0.5)
    assert (job["maxRunTime"], job["archive"], job["inputs"]) == ("00:05:00", False, {"text": [path]})
    compute.tenant.run_until_idle()
    assert compute.output(job["id"], "copy.txt") == "by form"


def test_values_are_kept_in_their_type_and_reach_the_script(compute: Compute, picky: str) -> None:
    compute.put("a.txt"), compute.put("b.txt")
    home = compute.user
    job = compute.run(
        picky,
        name="j",
        inputs={"one": f"{home}/a.txt", "many": f"{home}/a.txt;agave://sandbox-storage/{home}/b.txt"},
        parameters={"mode": "fast", "n": "2.50", "b": "on", "f": 1, "s": ["x", "y"]},
    )
    assert job["parameters"] == {"mode": "fast", "n": 2.5, "b": True, "f": True, "s": ["x", "y"], "hidden": "fixed"}
    assert job["inputs"] == {
        "one": [f"{home}/a.txt"],
        "many": [f"{home}/a.txt", f"agave://sandbox-storage/{home}/b.txt"],
        "secret": [f"{home}/hidden.txt"],
    }
    assert compute.output(job["id"], "j.out") == "[a.txt] [a.txt b.txt] [fast] [2.5] [1] [-v] [x y] [fixed]\n"


def test_a_visible_item_takes_no_default(compute: Compute, picky: str) -> None:
    job = compute.run(picky, name="j")
    assert compute.output(job["id"], "j.out") == "[] [] [] [] [] [] [] [fixed]\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "job.name"),
        ({"name": "x" * 65}, "at most 64"),
        ({"name": "a\0b"}, "character"),
        ({"appId": None}, "job.appId"),
        ({"appId": "nodash"}, "job.appId"),
        ({"appId": "nix-1"}, "No app found matching nix-1 for sandbox"),
        ({"dependencies": ["x"]}, "dependencies"),
        ({"nodeCount": 0}, "job.nodeCount"),
        ({"nodeCount": "many"}, "job.nodeCount"),
        ({"memoryPerNode": "lots"}, "job.memoryPerNode"),
        ({"maxRunTime": "1h"}, "hh:mm:ss"),
        ({"archive": "perhaps"}, "job.archive"),
        ({"archiveSystem": "nowhere"}, "job.archiveSystem"),
        ({"archiveSystem": "sandbox-exec"}, "no STORAGE system"),
        ({"batchQueue": "fast"}, "No queue found on execution system sandbox-exec with name fast"),
        ({"inputs": "a.txt"}, "job.inputs"),
        ({"inputs": {"one": "a.csv"}}, r"\.txt$"),
        ({"inputs": {"one": {"url": "x"}}}, "An input is an address"),
        ({"inputs": {"one": "ftp://host/a.txt"}}, "ftp"),
        ({"inputs": {"many": "a"}}, "many requires at least 2 values"),
        ({"inputs": {"many": ["a", "b", "c", "d"]}}, "many may have at most 3 values"),
        ({"inputs": {"secret": "a.txt"}}, "not visible"),
        ({"parameters": {"hidden": "x"}}, "not visible"),
        ({"parameters": {"mode": "medium"}}, "Value must be one of: fast, slow"),
        ({"parameters": {"n": "two"}}, "It is a number"),
        ({"parameters": {"b": "maybe"}}, "true or false"),
        ({"parameters": {"s": "UPPER"}}, "^[a-z]+$"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(compute: Compute, picky: str, changes: Any, said: str) -> None:
    answer = compute.http.post("/jobs/v2/", json={"name": "x", "appId": picky, **changes})
    assert said in refusal(answer, status=400)


def test_required_items_must_be_given(compute: Compute) -> None:
    app = compute.app(inputs=[file_input("in", required=True, default="x")], parameters=[parameter("p", required=True)])
    first = compute.http.post("/jobs/v2", json={"name": "x", "appId": app})
    assert refusal(first, status=400) == "No input specified for in"
    second = compute.http.post("/jobs/v2", json={"name": "x", "appId": app, "inputs": {"in": "a"}})
    assert refusal(second, status=400) == "No input parameter specified for p"


def test_what_the_user_may_not_have_is_403(tenant: Sandbox, compute: Compute, other: Http) -> None:
    theirs = Compute(tenant, other)
    app = compute.app(inputs=[file_input("text")])
    path = theirs.put("private.txt", "private")
    for refused in (
        {"appId": theirs.app()},
        {"appId": app, "executionSystem": "elsewhere"},
        {"appId": app, "inputs": {"text": path}},
        {"appId": app, "archivePath": "maria/mine"},
    ):
        refusal(compute.http.post("/jobs/v2", json={"name": "x", **refused}), status=403)


def test_read_permission_on_an_app_is_not_enough_to_run_it(compute: Compute, other: Http) -> None:
    app = compute.app()
    pems = f"/apps/v2/{app}/pems/maria"
    compute.http.post(pems, json={"permission": "READ"}).raise_for_status()
    refusal(other.post("/jobs/v2", json={"name": "x", "appId": app}), status=403)
    compute.http.post(pems, json={"permission": "EXECUTE"}).raise_for_status()
    checked(other.post("/jobs/v2", json={"name": "x", "appId": app}), "jobs.submit", status=201)
    compute.tenant.run_until_idle()


@pytest.mark.parametrize("asked", [{"notifications": [{"url": "x", "event": "*"}]}, {"callbackUrl": "ftp://x/"}])
def test_notifications_to_nowhere_are_refused_and_no_job_is_made(compute: Compute, asked: Any) -> None:
    before = compute.http.get("/jobs/v2").json()["result"]
    answer = compute.http.post("/jobs/v2", json={"name": "x", "appId": compute.app(), **asked})
    assert "web address" in refusal(answer, status=400)
    assert compute.http.get("/jobs/v2").json()["result"] == before


def execution_system(compute: Compute, name: str, **changes: Any) -> str:
    login = {"protocol": "LOCAL", "host": "localhost", "auth": {"type": "LOCAL"}}
    system = {"id": name, "name": name, "type": "EXECUTION", "executionType": "CLI", "login": login, "storage": login}
    checked(compute.http.post("/systems/v2", json={**system, **changes}), "systems.add", status=201)
    return name


def test_the_queue_is_the_default_one_or_the_first_that_fits(compute: Compute) -> None:
    queues = [
        {"name": "small", "maxNodes": 1, "maxMemoryPerNode": 2, "maxRequestedTime": "01:00:00"},
        {"name": "main", "default": True, "maxNodes": 4, "maxProcessorsPerNode": 8, "maxRequestedTime": "12:00:00"},
        {"name": "long", "maxRequestedTime": "48:00:00"},
    ]
    system = execution_system(compute, "queued", queues=queues)
    app = compute.app(executionSystem=system)
    asked: list[tuple[dict[str, Any], str]] = [
        ({}, "main"),
        ({"maxRunTime": "24:00:00"}, "long"),
        ({"batchQueue": "small", "memoryPerNode": "2GB"}, "small"),
        ({"nodeCount": 5}, "long"),
    ]
    assert [compute.run(app, **request)["batchQueue"] for request, _ in asked] == [queue for _, queue in asked]
    too_long = compute.http.post("/jobs/v2", json={"name": "x", "appId": app, "maxRunTime": "72:00:00"})
    assert refusal(too_long, status=400).startswith("No queue found on execution system queued")
    too_big = {"name": "x", "appId": app, "batchQueue": "small", "memoryPerNode": 3}
    assert "above maxMemoryPerNode" in refusal(compute.http.post("/jobs/v2", json=too_big), status=400)


def test_a_system_that_is_down_is_412(compute: Compute) -> None:
    system = execution_system(compute, "down")
    app = compute.app(executionSystem=system)
    compute.http.put(f"/systems/v2/{system}", json={"action": "disable"}).raise_for_status()
    assert "disabled" in refusal(compute.http.post("/jobs/v2", json={"name": "x", "appId": app}), status=412)


def test_a_batch_scheduler_is_not_played(compute: Compute) -> None:
    batch = {"executionType": "HPC", "scheduler": "SLURM", "queues": [{"name": "normal"}]}
    app = compute.app(executionSystem=execution_system(compute, "cluster", **batch), executionType="HPC")
    assert "SLURM" in refusal(compute.http.post("/jobs/v2", json={"name": "x", "appId": app}), status=400)


def test_the_archive_path_may_hold_macros_and_is_made_at_once(compute: Compute) -> None:
    path = compute.user + "/out/${JOB_NAME}-${JOB_ID}/${APP_ID}/${JOB_OWNER}/${OTHER}"
    app = compute.app()
    job = compute.run(app, name="My Job", archivePath=path)
    expected = f"{compute.user}/out/my-job-{job['id']}/{app}/{compute.user}/${{OTHER}}"
    assert job["archivePath"] == expected
    assert (compute.home.parent / expected / "my-job.out").is_file()
    assert job["_links"]["archiveData"]["href"].endswith(
        f"/files/v2/listings/system/sandbox-storage/{expected.replace('${OTHER}', '%24%7BOTHER%7D')}"
    )


# Reading


def test_jobs_are_listed_in_brief_the_latest_change_first(compute: Compute) -> None:
    job_ids = [compute.run(compute.app(), name=f"listed {number}")["id"] for number in range(3)]
    listed = checked(compute.http.get("/jobs/v2?limit=3"), "jobs.list")
    assert [job["id"] for job in listed] == job_ids[::-1]
    assert set(listed[0]) == {
        *("id", "name", "owner", "executionSystem", "appId", "created", "status", "startTime", "endTime", "_links"),
    }
    assert set(listed[0]["_links"]) == {"self", "archiveData"}
    paged = checked(compute.http.get("/jobs/v2?limit=1&offset=1"), "jobs.list")
    assert [job["id"] for job in paged] == [job_ids[1]]
    filtered = compute.http.get(f"/jobs/v2?filter=id,archivePath&id.like={job_ids[0]}").json()["result"]
    assert [set(job) for job in filtered] == [{"id", "archivePath"}]


def test_jobs_are_searched_by_pairs_in_the_path(compute: Compute) -> None:
    app = compute.app()
    job_id = compute.run(app, name="needle")["id"]

    def found(path: str) -> list[str]:
        return [job["id"] for job in checked(compute.http.get(f"/jobs/v2/search/{path}"), "jobs.search")]

    assert found("name/needle") == [job_id]
    assert found(f"appId/{app}/status/FINISHED/name.like/*eed*") == [job_id]
    assert found("name/needle/status/RUNNING") == []
    assert found(f"id/{job_id}/created.after/yesterday") == [job_id]
    assert "colour" in refusal(compute.http.get("/jobs/v2/search/colour/red"), status=400)


def test_the_status_is_a_document_of_its_own(compute: Compute) -> None:
    job_id = compute.run(compute.app())["id"]
    status = checked(compute.http.get(f"/jobs/v2/{job_id}/status"), "jobs.getStatus")
    assert (status["id"], status["status"]) == (job_id, "FINISHED")
    assert refusal(compute.http.get("/jobs/v2/x/status"), status=404) == "Not job found with job id x"
    assert refusal(compute.http.get("/jobs/v2/x"), status=404) == "No job found with job id x."


def test_the_history_says_who_and_what(compute: Compute) -> None:
    job_id = compute.run(compute.app())["id"]
    history = checked(compute.http.get(f"/jobs/v2/{job_id}/history"), "jobs.getHistory")
    assert history[0]["description"] == "Job accepted and queued for submission."
    assert history[0]["createdBy"] == compute.user
    last = checked(compute.http.get(f"/jobs/v2/{job_id}/history?limit=1&offset={len(history) - 1}"), "jobs.getHistory")
    assert [event["status"] for event in last] == ["FINISHED"]


# Sharing


def test_others_see_a_job_once_they_were_granted_it(compute: Compute, other: Http) -> None:
    job_id = compute.run(compute.app("echo x > x.txt\n"))["id"]
    refusal(other.get(f"/jobs/v2/{job_id}"), status=403)
    refusal(other.get(f"/jobs/v2/{job_id}/outputs/listings"), status=401)
    refusal(other.get(f"/jobs/v2/{job_id}/outputs/media/x.txt"), status=401)
    pems = f"/jobs/v2/{job_id}/pems"
    granted = checked(
        compute.http.post(pems, json={"username": "maria", "permission": "READ"}), "jobs.updatePermissions", status=201
    )
    assert granted["permission"] == {"read": True, "write": False}
    assert other.get(f"/jobs/v2/{job_id}/outputs/media/x.txt").text == "x\n"
    assert job_id in [job["id"] for job in checked(other.get("/jobs/v2"), "jobs.list")]
    refusal(other.delete(f"/jobs/v2/{job_id}"), status=403)
    listed = checked(compute.http.get(pems), "jobs.listPermissions")
    assert [entry["username"] for entry in listed] == [compute.user, "maria"]
    [one] = checked(compute.http.get(f"{pems}/maria"), "jobs.listPermissionsForUser")
    assert one["internalUsername"] is None
    checked(compute.http.delete(f"{pems}/maria"), "jobs.deletePermissionsForUser")
    refusal(compute.http.get(f"{pems}/maria"), status=404)
    compute.http.post(f"{pems}/maria", data={"permission": "ALL"}).raise_for_status()
    checked(compute.http.delete(pems), "jobs.deletePermissions")
    refusal(other.get(f"/jobs/v2/{job_id}"), status=403)
    refusal(compute.http.post(f"{pems}/nobody", json={"permission": "READ"}), status=404)


# Actions


@pytest.mark.parametrize(("body", "said"), [({}, "No action specified"), ({"action": "fly"}, "Invalid action fly")])
def test_an_action_must_be_known(compute: Compute, body: Any, said: str) -> None:
    job_id = compute.run(compute.app())["id"]
    assert said in refusal(compute.http.post(f"/jobs/v2/{job_id}", json=body), status=400)


def test_a_job_that_is_over_cannot_be_stopped(compute: Compute) -> None:
    job_id = compute.run(compute.app())["id"]
    assert "FINISHED" in refusal(compute.http.post(f"/jobs/v2/{job_id}", data={"action": "stop"}), status=400)


def test_resubmitting_makes_a_new_job_of_the_same_request(compute: Compute) -> None:
    app = compute.app("echo ${word} >> out.txt\n", parameters=[parameter("word")])
    job = compute.run(app, name="again", parameters={"word": "hello"})
    answer = compute.http.post(f"/jobs/v2/{job['id']}", json={"action": "resubmit"})
    new = checked(answer, "jobs.manage", status=202)
    compute.tenant.run_until_idle()
    assert new["id"] != job["id"]
    assert (new["name"], new["parameters"]) == (job["name"], job["parameters"])
    assert compute.output(new["id"], "out.txt") == "hello\n"


def test_a_deleted_job_is_hidden_until_it_is_restored(compute: Compute) -> None:
    job_id = compute.run(compute.app())["id"]
    answer = compute.http.delete(f"/jobs/v2/{job_id}")
    checked(answer, "jobs.delete")
    assert "result" not in answer.json()
    assert refusal(compute.http.get(f"/jobs/v2/{job_id}"), status=404) == f"Job with uuid {job_id} is not visible."
    assert job_id not in [job["id"] for job in checked(compute.http.get("/jobs/v2"), "jobs.list")]
    checked(compute.http.post(f"/jobs/v2/{job_id}", json={"action": "restore"}), "jobs.manage")
    assert compute.statuses(job_id)[-2:] == ["DELETED", "RESTORED"]


def test_an_administrator_resets_a_job_and_it_runs_again(compute: Compute, admin: Http) -> None:
    job_id = compute.run(compute.app("echo x >> out.txt\n"))["id"]
    refusal(compute.http.post(f"/jobs/v2/{job_id}", json={"action": "reset"}), status=403)
    checked(admin.post(f"/jobs/v2/{job_id}", json={"action": "reset"}), "jobs.manage")
    compute.tenant.run_until_idle()
    assert compute.job(job_id)["status"] == "FINISHED"
    assert compute.statuses(job_id).count("FINISHED") == 2


# Outputs


def test_outputs_are_listed_in_the_form_of_jobs(compute: Compute) -> None:
    job = compute.run(compute.app("mkdir 'a b'; echo x > 'a b/é.txt'\n"), name="j")
    listed = checked(compute.http.get(f"/jobs/v2/{job['id']}/outputs/listings/"), "jobs.listOutputs")
    folder = next(entry for entry in listed if entry["name"] == "a b")
    assert (folder["path"], folder["type"], folder["format"], folder["mimeType"]) == (
        *("/a b", "dir", "folder", "text/directory"),
    )
    [file] = checked(compute.http.get(f"/jobs/v2/{job['id']}/outputs/listings/a b"), "jobs.listOutputs")
    assert {name: file[name] for name in ("name", "path", "length", "permission", "format", "type")} == {
        **{
            "name": "é.txt",
            "path": "/a b/é.txt",
            "length": 2,
            "permission": "NONE",
            "format": "unknown",
            "type": "file",
        }
    }
    assert set(file["_links"]) == {"self", "system", "parent"}
    assert compute.http.get(file["_links"]["self"]["href"]).text == "x\n"
    same = checked(compute.http.get(f"/jobs/v2/{job['id']}/outputs/listings/a b/é.txt"), "jobs.listOutputs")
    assert same == [file]
    paged = checked(compute.http.get(f"/jobs/v2/{job['id']}/outputs/listings?limit=1&offset=1"), "jobs.listOutputs")
    assert paged == [listed[1]]


def test_a_part_of_an_output_can_be_fetched(compute: Compute) -> None:
    job = compute.run(compute.app("printf 0123456789 > digits.txt\n"))
    address = f"/jobs/v2/{job['id']}/outputs/media/digits.txt"
    answer = compute.http.get(address, headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.text) == (206, "234")
    assert compute.http.get(address).headers["content-type"] == "text/plain"
    assert compute.http.head(address).headers["content-length"] == "10"


@pytest.mark.parametrize(
    "path", ["../../x", "..", "a/../../../etc/passwd", "%2e%2e/%2e%2e/x", "nowhere.txt", "x" * 300]
)
def test_a_path_that_leads_nowhere_or_out_is_404_or_400(compute: Compute, path: str) -> None:
    job = compute.run(compute.app())
    answer = compute.http.get(f"/jobs/v2/{job['id']}/outputs/media/{path.replace('..', '%2E%2E')}")
    assert answer.status_code in (400, 404, 501), answer.text
    assert "root:" not in answer.text


def test_a_folder_is_not_downloaded(compute: Compute) -> None:
    job = compute.run(compute.app("mkdir d\n"))
    answer = compute.http.get(f"/jobs/v2/{job['id']}/outputs/media/d")
    assert refusal(answer, status=501) == "Directory downloads not supported"


def test_outputs_that_are_not_there_are_said_to_be(compute: Compute) -> None:
    job = compute.run(compute.app(), archive=False)
    state = compute.tenant.state
    folder = state.disk.locate(state.systems.document("sandbox-exec"), job["outputPath"])
    os.rename(folder, f"{folder}-gone")
    answer = compute.http.get(f"/jobs/v2/{job['id']}/outputs/listings")
    assert refusal(answer, status=500) == "Unable to locate job data. Work folder no longer exists."
    assert refusal(compute.http.get("/jobs/v2/x/outputs/listings"), status=400) == "No job found with job id x."


def test_an_output_is_an_input_of_the_next_job(compute: Compute) -> None:
    first = compute.run(compute.app("echo first > out.txt\n"))
    app = compute.app("cat ${text} > copy.txt\n", inputs=[file_input("text")])
    url = f"{compute.http.base_url}/jobs/v2/{first['id']}/outputs/media/out.txt"
    second = compute.run(app, inputs={"text": url})
    assert compute.output(second["id"], "copy.txt") == "first\n"


def test_a_pipe_among_the_outputs_blocks_nobody(compute: Compute, tmp_path: Path) -> None:
    job = compute.run(compute.app("mkfifo pipe\n"), archive=False)
    assert "pipe" in compute.outputs(job["id"])
    refusal(compute.http.get(f"/jobs/v2/{job['id']}/outputs/media/pipe"), status=400)


def test_inputs_that_would_overwrite_each_other_are_refused(compute: Compute) -> None:
    app = compute.app(inputs=[file_input("one"), file_input("many", semantics={"maxCardinality": -1})])
    first, second = compute.put("a/data.txt"), compute.put("b/data.txt")
    for inputs in ({"one": first, "many": [second]}, {"many": ["http://127.0.0.1:1/data.txt", second]}):
        answer = compute.http.post("/jobs/v2", json={"name": "j", "appId": app, "inputs": inputs})
        message = refusal(answer, status=400)
        assert second in message
        assert "data.txt" in message
    same_twice = compute.run(app, inputs={"one": first, "many": [first]})
    assert same_twice["status"] == "FINISHED"
