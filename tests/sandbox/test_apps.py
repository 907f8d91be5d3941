"""Apps over HTTP: registered, listed, shared, published, cloned, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .compute import Compute, as_form, file_input, parameter
from .conftest import Http
from .schema import checked, refusal


def ids(answer: Any, operation: str = "apps.list") -> set[str]:
    return {app["id"] for app in checked(answer, operation)}


# Registering


def test_a_new_app_answers_200_with_everything_filled_in(compute: Compute) -> None:
    description = compute.description(inputs=[file_input("query")], parameters=[parameter("mode")])
    app = checked(compute.http.post("/apps/v2/", json=description), "apps.add")
    assert app["id"] == f"{app['name']}-0.1.0"
    assert (app["revision"], app["isPublic"], app["available"], app["owner"]) == (1, False, True, compute.user)
    assert (app["defaultNodeCount"], app["defaultProcessorsPerNode"], app["defaultMemoryPerNode"]) == (1, 1, 1.0)
    assert (app["defaultMaxRunTime"], app["deploymentSystem"]) == (None, "sandbox-storage")
    assert (app["tags"], app["ontology"], app["modules"], app["outputs"]) == ([], [], [], [])
    assert app["uuid"].endswith("-005")
    assert set(app["_links"]) == {
        *("self", "executionSystem", "storageSystem", "history", "metadata", "owner", "permissions"),
    }
    assert checked(compute.http.get(f"/apps/v2/{app['id']}"), "apps.get") == app


def test_an_app_may_come_as_a_file(compute: Compute) -> None:
    answer = compute.http.post("/apps/v2/", files=as_form(compute.description()))
    assert checked(answer, "apps.add")["revision"] == 1


def test_registering_again_raises_the_revision(compute: Compute) -> None:
    description = compute.description()
    first = checked(compute.http.post("/apps/v2", json=description), "apps.add")
    second = checked(compute.http.post("/apps/v2", json={**description, "label": "New"}), "apps.add")
    assert (second["revision"], second["label"], second["uuid"]) == (2, "New", first["uuid"])


def test_an_update_answers_201(compute: Compute) -> None:
    description = compute.description()
    app_id = checked(compute.http.post("/apps/v2", json=description), "apps.add")["id"]
    updated = compute.http.post(f"/apps/v2/{app_id}", json={**description, "label": "New"})
    assert checked(updated, "apps.update", status=201)["revision"] == 2
    elsewhere = compute.http.post(f"/apps/v2/{app_id}", json={**description, "version": "0.2"})
    assert app_id in refusal(elsewhere, status=400)


def test_an_app_of_somebody_else_is_not_replaced(compute: Compute, tenant: Sandbox, other: Http) -> None:
    description = compute.description()
    compute.http.post("/apps/v2", json=description).raise_for_status()
    theirs = Compute(tenant, other)
    theirs.put("apps/x/wrapper.sh")
    theirs.put("apps/x/test.sh")
    refusal(other.post("/apps/v2", json={**description, "deploymentPath": "maria/apps/x"}), status=403)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "app.name"),
        ({"name": "x" * 65}, "app.name"),
        ({"name": "a b"}, "app.name"),
        ({"name": "a\0b"}, "character"),
        ({"version": None}, "Please provide a version in x.x.x format"),
        ({"version": "one"}, "Please provide a version in x.x.x format"),
        ({"version": "1" * 17}, "Please provide a version in x.x.x format"),
        ({"parallelism": None}, "app.parallelism"),
        ({"parallelism": "SOME"}, "SERIAL, PARALLEL, PTHREAD"),
        ({"executionType": "HPC"}, "app.executionType"),
        ({"executionSystem": "nowhere"}, "app.executionSystem"),
        ({"executionSystem": "sandbox-storage"}, "no EXECUTION system"),
        ({"deploymentSystem": "sandbox-exec"}, "no STORAGE system"),
        ({"deploymentPath": "sandbox/nowhere"}, "Invalid deploymentPath value. sandbox/nowhere does not exist"),
        ({"templatePath": "nowhere.sh"}, "Invalid templatePath value."),
        ({"testPath": "nowhere.sh"}, "Invalid testPath value."),
        ({"testPath": None}, "app.testPath"),
        ({"defaultQueue": "fast"}, "app.defaultQueue"),
        ({"defaultNodeCount": "1"}, "app.defaultNodeCount"),
        ({"defaultMemoryPerNode": "much"}, "app.defaultMemoryPerNode"),
        ({"defaultMaxRunTime": 3600}, "hh:mm:ss"),
        ({"icon": "picture"}, "app.icon"),
        ({"tags": "one"}, "app.tags"),
        ({"inputs": "x"}, "app.inputs"),
        ({"inputs": [file_input("x" * 65)]}, "app.inputs[0].id"),
        ({"inputs": [file_input("a"), file_input("A")]}, "twice"),
        ({"inputs": [file_input("a", visible=False)]}, "needs a default"),
        ({"inputs": [file_input("a", semantics={"maxCardinality": 0})]}, "maxCardinality"),
        ({"inputs": [file_input("a", validator="(")]}, "no regular expression"),
        ({"inputs": [file_input("a", validator=r"\.txt$", default="a.csv")]}, r"\.txt$"),
        ({"inputs": [file_input("a", default=["x", "y"])]}, "at most 1"),
        ({"parameters": [parameter("p", "text")]}, "STRING, NUMBER"),
        ({"parameters": [parameter("p", "enumeration")]}, "enum_values"),
        ({"parameters": [parameter("p", "enumeration", enum_values=["a"], default="b")]}, "one of: a"),
        ({"parameters": [parameter("p", "enumeration", enum_values=["a"], validator="a")]}, "no validator"),
        ({"parameters": [parameter("p", "number", default="many")]}, "It is a number"),
        ({"parameters": [parameter("p", "bool", default="maybe")]}, "true or false"),
    ],
)
def test_a_description_that_breaks_a_rule_is_refused_by_name(compute: Compute, changes: Any, said: str) -> None:
    answer = compute.http.post("/apps/v2/", json=compute.description(**changes))
    assert said in refusal(answer, status=400)


def test_versions_of_the_server_that_refused_these_were_too_strict(compute: Compute) -> None:
    app = compute.app(
        inputs=[file_input("needed", required=True)],
        parameters=[parameter("text", default="", semantics={"minCardinality": 1})],
    )
    assert app


def test_defaults_come_back_in_their_type(compute: Compute) -> None:
    app_id = compute.app(
        inputs=[
            file_input("one", default="agave://x/a"),
            file_input("many", default=["a", "b"], semantics={"maxCardinality": -1}),
            file_input("none"),
        ],
        parameters=[
            parameter("b", "bool", default=1),
            parameter("f", "flag", default="false"),
            parameter("n", "number", default="2.50"),
            parameter("i", "number", default="2"),
            parameter("e", "enumeration", enumValues=["fast", {"slow": "Thorough"}], default="fast"),
        ],
    )
    app = checked(compute.http.get(f"/apps/v2/{app_id}"), "apps.get")
    assert {item["id"]: item["value"]["default"] for item in app["inputs"]} == {
        **{"one": "agave://x/a", "many": ["a", "b"], "none": None}
    }
    values = {item["id"]: item["value"] for item in app["parameters"]}
    assert [values[name]["default"] for name in "bfnie"] == [True, False, 2.5, 2, "fast"]
    assert values["e"]["enum_values"] == [{"fast": "fast"}, {"slow": "Thorough"}]
    assert ("validator" in values["e"], "enum_values" in values["n"]) == (False, False)


def test_visibility_decides_what_is_required(compute: Compute) -> None:
    app_id = compute.app(
        parameters=[
            parameter("seen"),
            parameter("hidden", visible=False, default="x"),
            parameter("must", required=True),
        ]
    )
    app = checked(compute.http.get(f"/apps/v2/{app_id}"), "apps.get")
    found = [(item["value"]["required"], item["semantics"]["minCardinality"]) for item in app["parameters"]]
    assert found == [(False, 0), (True, 1), (True, 1)]


def test_a_publisher_role_is_needed(tenant: Sandbox, compute: Compute, other: Http) -> None:
    login = {"protocol": "LOCAL", "host": "localhost", "auth": {"type": "LOCAL"}}
    system = {
        "id": "mine",
        "name": "mine",
        "type": "EXECUTION",
        "executionType": "CLI",
        "login": login,
        "storage": login,
    }
    compute.http.post("/systems/v2", json=system).raise_for_status()
    description = {**Compute(tenant, other).description(), "executionSystem": "mine"}
    refusal(other.post("/apps/v2", json=description), status=403)
    for role, status in (("USER", 403), ("PUBLISHER", 200)):
        compute.http.post("/systems/v2/mine/roles", json={"username": "maria", "role": role}).raise_for_status()
        assert other.post("/apps/v2", json=description).status_code == status


def test_files_of_somebody_else_are_not_deployed(tenant: Sandbox, compute: Compute, other: Http) -> None:
    theirs = Compute(tenant, other)
    answer = other.post(
        "/apps/v2", json={**theirs.description(), "deploymentPath": compute.description()["deploymentPath"]}
    )
    assert "deploymentPath" in refusal(answer, status=403)


@pytest.mark.parametrize("field", ["templatePath", "testPath"])
def test_template_and_test_lie_in_the_deployment_path(compute: Compute, field: str) -> None:
    outside = compute.description(**{field: f"../../../{compute.put('secret.txt')}"})
    assert field in refusal(compute.http.post("/apps/v2", json=outside), status=400)


def grant(compute: Compute, path: str, word: str, *, recursive: bool) -> None:
    wanted = {"username": "maria", "permission": word, "recursive": recursive}
    answer = compute.http.post(f"/files/v2/pems/system/sandbox-storage/{path}", json=wanted)
    assert answer.status_code in (200, 201), answer.text


def test_a_folder_is_deployed_by_who_may_read_all_of_it(tenant: Sandbox, compute: Compute, other: Http) -> None:
    folder = compute.description("cat secret.txt > out.txt\n")["deploymentPath"]
    compute.put(f"{folder.partition('/')[2]}/secret.txt", "secret")
    description = {**Compute(tenant, other).description(), "deploymentPath": folder}
    for path in (folder, f"{folder}/wrapper.sh", f"{folder}/test.sh"):
        grant(compute, path, "READ", recursive=False)
    assert "deploymentPath" in refusal(other.post("/apps/v2", json=description), status=403)
    grant(compute, folder, "READ", recursive=True)
    checked(other.post("/apps/v2", json=description), "apps.add")


def test_rights_that_were_taken_away_keep_files_from_jobs_and_copies(
    tenant: Sandbox, compute: Compute, other: Http, admin: Http
) -> None:
    folder = compute.description("cat secret.txt > out.txt\n")["deploymentPath"]
    compute.put(f"{folder.partition('/')[2]}/secret.txt", "secret")
    grant(compute, folder, "READ", recursive=True)
    theirs = Compute(tenant, other)
    description = {**theirs.description(), "deploymentPath": folder}
    app_id = checked(other.post("/apps/v2", json=description), "apps.add")["id"]
    assert theirs.output(theirs.run(app_id)["id"], "out.txt") == "secret"
    grant(compute, f"{folder}/secret.txt", "NONE", recursive=False)
    grant(compute, folder, "NONE", recursive=True)
    job = theirs.run(app_id)
    assert (job["status"], "do not have permission to read" in job["message"]) == ("FAILED", True)
    for session, action in ((other, {"action": "clone", "name": "again"}), (admin, {"action": "publish"})):
        answer = session.put(f"/apps/v2/{app_id}", json=action)
        assert "do not have permission to read" in refusal(answer, status=403)
    home = tenant.state.disk.locate(tenant.state.systems.document("sandbox-storage"), "maria")
    assert not list(home.rglob("secret.txt"))


def test_an_app_has_a_bounded_number_of_items(compute: Compute) -> None:
    outputs = [{"id": f"o{number}", "value": {}} for number in range(1001)]
    answer = compute.http.post("/apps/v2", json=compute.description(outputs=outputs))
    assert "at most 1000" in refusal(answer, status=400)


# Lists


def test_lists_show_apps_in_brief_and_by_their_properties(compute: Compute) -> None:
    app_id = compute.app(tags=["genome"], ontology=["http://sswapmeet.sswap.info/x"], label="Mine")
    listed = checked(compute.http.get("/apps/v2"), "apps.list")
    assert listed[0]["id"] == app_id  # the newest
    assert set(listed[0]) == {
        *("id", "name", "version", "revision", "executionSystem", "shortDescription", "isPublic", "label"),
        *("lastModified", "_links"),
    }
    name = app_id.rpartition("-")[0]
    assert ids(compute.http.get(f"/apps/v2/name/{name}"), "apps.listByName") == {app_id}
    assert ids(compute.http.get("/apps/v2/tag/genome"), "apps.listByTag") == {app_id}
    assert ids(compute.http.get("/apps/v2/tag/other"), "apps.listByTag") == set()
    term = "http:%2F%2Fsswapmeet.sswap.info%2Fx"
    assert ids(compute.http.get(f"/apps/v2/ontology/{term}"), "apps.listByOntologyTerm") == {app_id}
    assert app_id in ids(compute.http.get("/apps/v2/system/sandbox-exec"), "apps.listBySystemId")
    assert ids(compute.http.get("/apps/v2/system/other"), "apps.listBySystemId") == set()


def test_a_filter_shows_fields_of_the_whole_app(compute: Compute) -> None:
    app_id = compute.app()
    listed = compute.http.get(f"/apps/v2?filter=id,templatePath&id={app_id}").json()["result"]
    assert listed == [{"id": app_id, "templatePath": "wrapper.sh"}]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("id.like=*searched-0*", True),
        ("name=searched&version.in=0.1.0,9", True),
        ("inputs.id=query", True),
        ("parameters.type=number", True),
        ("parameters.type=flag", False),
        ("defaultNodeCount.gt=3", True),
        ("isPublic=true", False),
        ("Owner.neq=nobody", True),
    ],
)
def test_search_terms_narrow_the_list(compute: Compute, query: str, found: bool) -> None:
    description = compute.description(
        inputs=[file_input("query")], parameters=[parameter("n", "number")], defaultNodeCount=4
    )
    compute.http.post("/apps/v2", json={**description, "name": "searched"}).raise_for_status()
    assert ("searched-0.1.0" in ids(compute.http.get(f"/apps/v2?{query}"))) is found


def test_an_unknown_app_is_404(compute: Compute) -> None:
    assert refusal(compute.http.get("/apps/v2/nix-1"), status=404) == "No software found matching nix-1"


# Sharing


def test_others_see_and_change_what_they_were_granted(compute: Compute, other: Http) -> None:
    app_id = compute.app()
    refusal(other.get(f"/apps/v2/{app_id}"), status=403)
    assert app_id not in ids(other.get("/apps/v2"))
    granted = compute.http.post(f"/apps/v2/{app_id}/pems", json={"username": "maria", "permission": "READ"})
    permission = checked(granted, "apps.updateApplicationPermissions", status=201)
    assert permission["permission"] == {"read": True, "write": False, "execute": False}
    assert app_id in ids(other.get("/apps/v2"))
    refusal(other.put(f"/apps/v2/{app_id}", json={"action": "disable"}), status=403)
    refusal(other.delete(f"/apps/v2/{app_id}"), status=401)
    refusal(other.post(f"/apps/v2/{app_id}/pems", json={"username": "maria", "permission": "ALL"}), status=403)
    compute.http.post(f"/apps/v2/{app_id}/pems/maria", data={"permission": "read_write"}).raise_for_status()
    checked(other.put(f"/apps/v2/{app_id}", data={"action": "DISABLE"}), "apps.manage")


def test_permissions_are_listed_owner_first_and_taken_away(compute: Compute, other: Http) -> None:
    app_id = compute.app()
    pems = f"/apps/v2/{app_id}/pems"
    for word in ("READ", "EXECUTE"):
        compute.http.post(f"{pems}/maria", json={"permission": word}).raise_for_status()
    listed = checked(compute.http.get(pems), "apps.listPermissions")
    assert [entry["username"] for entry in listed] == [compute.user, "maria"]
    one = checked(compute.http.get(f"{pems}/maria"), "apps.listPermissionsForUser")
    assert one["permission"] == {"read": False, "write": False, "execute": True}
    gone = compute.http.post(f"{pems}/maria", json={"permission": "NONE"})
    checked(gone, "apps.updatePermissionsForUser", status=200)
    assert refusal(compute.http.get(f"{pems}/maria"), status=404) == "No permissions found for user maria"
    compute.http.post(f"{pems}/maria", json={"permission": "ALL"}).raise_for_status()
    checked(compute.http.delete(f"{pems}/maria"), "apps.deletePermissionsForUser")
    compute.http.post(f"{pems}/public", json={"permission": "READ"}).raise_for_status()
    assert other.get(f"/apps/v2/{app_id}").status_code == 200
    checked(compute.http.delete(pems), "apps.deletePermissions")
    assert other.get(f"/apps/v2/{app_id}").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [({"username": "nobody", "permission": "READ"}, 404), ({"username": "maria", "permission": "X"}, 400), ({}, 400)],
)
def test_a_wrong_permission_is_refused(compute: Compute, other: Http, body: Any, status: int) -> None:
    refusal(compute.http.post(f"/apps/v2/{compute.app()}/pems", json=body), status=status)


# Actions


def test_publishing_makes_a_copy_for_everybody(tenant: Sandbox, compute: Compute, admin: Http, other: Http) -> None:
    app_id = compute.app("echo shared > out.txt\n")
    assert "administrators" in refusal(compute.http.put(f"/apps/v2/{app_id}", json={"action": "publish"}), status=403)
    published = admin.put(f"/apps/v2/{app_id}", json={"action": "publish"})
    public = checked(published, "apps.manage", status=202)
    assert (public["id"], public["isPublic"], public["revision"]) == (f"{app_id}u1", True, 1)
    assert public["deploymentPath"] == f"/apps/{app_id}u1"
    again = checked(admin.put(f"/apps/v2/{app_id}", json={"action": "publish"}), "apps.manage", status=202)
    assert again["id"] == f"{app_id}u2"
    assert f"{app_id}u1" in ids(other.get("/apps/v2?publicOnly=true"))
    assert app_id not in ids(compute.http.get("/apps/v2?publicOnly=true"))
    assert f"{app_id}u1" not in ids(compute.http.get("/apps/v2?privateOnly=true"))
    assert refusal(admin.get(f"/apps/v2/{app_id}u1/pems"), status=501).startswith("Share permissions are not suported")
    refusal(admin.post(f"/apps/v2/{app_id}u1", json=compute.description()), status=403)
    theirs = Compute(tenant, other)
    assert theirs.output(theirs.run(f"{app_id}u1")["id"], "out.txt") == "shared\n"


def test_a_public_app_is_withdrawn_by_unpublish_or_delete(compute: Compute, admin: Http) -> None:
    app_id = compute.app()
    for _ in range(2):
        admin.put(f"/apps/v2/{app_id}", json={"action": "publish"}).raise_for_status()
    private = checked(admin.put(f"/apps/v2/{app_id}u1", json={"action": "unpublish"}), "apps.manage")
    assert private["isPublic"] is False
    refusal(compute.http.delete(f"/apps/v2/{app_id}u2"), status=401)
    checked(admin.delete(f"/apps/v2/{app_id}u2"), "apps.delete")
    assert f"{app_id}u2" not in ids(compute.http.get("/apps/v2"))
    assert checked(compute.http.get(f"/apps/v2/{app_id}u2"), "apps.get")["available"] is False


def test_a_clone_belongs_to_who_made_it_and_has_its_own_files(tenant: Sandbox, compute: Compute, other: Http) -> None:
    app_id = compute.app("echo original > out.txt\n")
    compute.http.post(f"/apps/v2/{app_id}/pems/maria", json={"permission": "READ"}).raise_for_status()
    theirs = Compute(tenant, other)
    wanted = {"action": "clone", "name": "copied", "version": "2.0"}
    clone = checked(other.put(f"/apps/v2/{app_id}", json=wanted), "apps.manage", status=202)
    assert (clone["id"], clone["owner"], clone["revision"]) == ("copied-2.0", "maria", 1)
    assert clone["deploymentPath"] == "maria/applications/copied-2.0"
    checked(compute.http.delete(f"/apps/v2/{app_id}"), "apps.delete")
    assert theirs.output(theirs.run("copied-2.0")["id"], "out.txt") == "original\n"
    compute.app()
    assert "exists already" in refusal(other.put("/apps/v2/copied-2.0", json={"action": "clone"}), status=400)
    into_mine = {"action": "clone", "name": "x", "deploymentPath": f"{compute.user}/stolen"}
    refusal(other.put("/apps/v2/copied-2.0", json=into_mine), status=403)


def test_a_disabled_app_is_not_listed_and_not_run(compute: Compute) -> None:
    app_id = compute.app()
    assert (
        checked(compute.http.put(f"/apps/v2/{app_id}", json={"action": "disable"}), "apps.manage")["available"] is False
    )
    assert app_id not in ids(compute.http.get("/apps/v2"))
    assert app_id in ids(compute.http.get("/apps/v2?available=false"))
    assert "not available" in refusal(compute.http.post("/jobs/v2", json={"name": "x", "appId": app_id}), status=400)
    checked(compute.http.put(f"/apps/v2/{app_id}", json={"action": "enable"}), "apps.manage")
    assert app_id in ids(compute.http.get("/apps/v2"))


def test_erasing_is_for_administrators(compute: Compute, admin: Http) -> None:
    app_id = compute.app()
    refusal(compute.http.put(f"/apps/v2/{app_id}", json={"action": "erase"}), status=403)
    checked(admin.put(f"/apps/v2/{app_id}", json={"action": "erase"}), "apps.manage")
    refusal(compute.http.get(f"/apps/v2/{app_id}"), status=404)


def test_an_unknown_action_names_the_known_ones(compute: Compute) -> None:
    answer = compute.http.put(f"/apps/v2/{compute.app()}", json={"action": "fly"})
    assert refusal(answer, status=400).startswith("Invalid action, FLY, on software entry. Valid actions are: PUBLISH")


def test_deleting_a_private_app_removes_it_and_hides_its_jobs(compute: Compute) -> None:
    app_id = compute.app()
    job = compute.run(app_id)
    answer = compute.http.delete(f"/apps/v2/{app_id}")
    assert "result" not in answer.json()
    refusal(compute.http.get(f"/apps/v2/{app_id}"), status=404)
    assert "is not visible" in refusal(compute.http.get(f"/jobs/v2/{job['id']}"), status=404)


def test_the_submission_form_has_a_field_for_each_visible_item(compute: Compute) -> None:
    app_id = compute.app(
        inputs=[file_input("data", required=True)],
        parameters=[
            parameter("mode", "enumeration", enum_values=[{"fast": "Fast & cheap"}, "slow"], default="slow"),
            parameter("times", "number", default=3),
            parameter("hidden", visible=False, default="x"),
        ],
    )
    form = checked(compute.http.get(f"/apps/v2/{app_id}/form"), "apps.getJobSubmissionForm")
    assert f'<input type="hidden" name="appId" value="{app_id}">' in form
    assert '<input name="data" required type="text" value="">' in form
    assert '<option value="fast">Fast &amp; cheap</option><option value="slow" selected>slow</option>' in form
    assert '<input name="times" type="number" step="any" value="3">' in form
    assert 'name="hidden"' not in form


def test_what_the_submission_form_sends_submits_a_job(compute: Compute) -> None:
    app_id = compute.app("echo ${mode} ${times}\n", parameters=[parameter("mode"), parameter("times", "number")])
    sent = {"appId": app_id, "name": "by form", "mode": "fast", "times": "2", "archive": "false"}
    job = checked(compute.http.post("/jobs/v2", data=sent), "jobs.submit", status=201)
    compute.tenant.run_until_idle()
    assert compute.output(job["id"], "by-form.out") == "fast 2\n"


def test_the_submission_form_is_for_those_who_may_see_the_app(compute: Compute, other: Http) -> None:
    refusal(other.get(f"/apps/v2/{compute.app()}/form"), status=403)
    refusal(other.get("/apps/v2/none-0.1.0/form"), status=404)
