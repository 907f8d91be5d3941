"""The actors service: records, messages, states, levels, workers, nonces, aliases, search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

from .acting import SHELL, Acting, sending
from .conftest import TIMEOUT_S, Http
from .schema import checked, refusal

OPERATIONS = 30


def url(actor_id: str, part: str = "") -> str:
    return f"/actors/v2/{actor_id}{part}"


# All of it, through the client


def test_every_operation_answers_the_client_as_its_document_says(tenant: Sandbox) -> None:
    ag = tenant.client("admin")
    actor_id = ag.actors.add(
        body={"image": SHELL, "stateless": False, "defaultEnvironment": {"SCRIPT": sending("r")}}
    ).id
    tenant.run_until_idle()
    text = ag.actors.sendMessage(actorId=actor_id, body={"message": "hi"}, environment={"X": "1"}).executionId
    ag.actors.sendBinaryMessage(actorId=actor_id, message=b"\x00\xff")
    tenant.run_until_idle()
    of_actor: dict[str, Any] = {"actorId": actor_id}
    of_execution = {**of_actor, "executionId": text}
    worker_id = ag.actors.listWorkers(**of_actor)[0].id
    nonce_id = ag.actors.addNonce(**of_actor, body={"level": "READ"}).id
    ag.actors.addAlias(body={"alias": "all-of-it", "actorId": actor_id})

    assert ag.actors.get(**of_actor).status == "READY"
    assert actor_id in [each.id for each in ag.actors.list()]
    assert ag.actors.getMessages(**of_actor).messages == 0
    assert ag.actors.updateState(**of_actor, body={"a": [1]}).state == {"a": [1]}
    assert ag.actors.getState(**of_actor).state == {"a": [1]}
    assert ag.actors.getPermissions(**of_actor) == {"admin": "UPDATE"}
    assert ag.actors.updatePermissions(**of_actor, body={"user": "sandbox", "level": "READ"})["sandbox"] == "READ"
    assert ag.actors.addWorker(**of_actor, body={"num": 1}) is None
    assert ag.actors.getWorker(**of_actor, workerId=worker_id).status == "READY"
    assert [each.id for each in ag.actors.listNonces(**of_actor)] == [nonce_id]
    assert ag.actors.getNonce(**of_actor, nonceId=nonce_id).remainingUses == "unlimited"
    assert [each.alias for each in ag.actors.listAliases()] == ["all-of-it"]
    assert ag.actors.getAlias(alias="all-of-it").actorId == actor_id
    assert ag.actors.listExecutions(**of_actor).totalExecutions == 2
    assert ag.actors.getExecution(**of_execution).status == "COMPLETE"
    assert ag.actors.getOneExecutionResult(**of_execution).content == b"r"
    assert ag.actors.getExecutionLogs(**of_execution).logs == ""
    assert ag.actors.getSearch(search_type="executions", q=text)["_metadata"]["totalCount"] == 1
    assert (
        ag.actors.update(**of_actor, body={"image": SHELL, "stateless": False, "description": "x"}).description == "x"
    )
    assert ag.actors.deleteMessages(**of_actor).msg == "Actor mailbox purged."
    for gone in (
        ag.actors.deleteAlias(alias="all-of-it"),
        ag.actors.deleteNonce(**of_actor, nonceId=nonce_id),
        ag.actors.deleteWorker(**of_actor, workerId=worker_id),
        ag.actors.delete(**of_actor),
    ):
        assert gone is None

    called = {each["operation"] for each in tenant.requests if str(each["operation"]).startswith("actors.")}
    assert len(called) == OPERATIONS
    assert ag.drift == []
    ag.close()


# Envelope


def test_an_envelope_begins_with_the_result(acting: Acting) -> None:
    answer = acting.http.get("/actors/v2")
    assert list(answer.json()) == ["result", "status", "version", "message"]
    assert answer.json()["message"] == "Actors retrieved successfully."


def test_a_refusal_has_a_result_of_null(acting: Acting) -> None:
    answer = acting.http.get(url("nobody"))
    assert answer.status_code == 404
    assert next(iter(answer.json().items())) == ("result", None)
    assert answer.json()["message"] == "No actor found with identifier: nobody."


def test_links_are_plain_texts_and_ids_look_like_hashids(acting: Acting) -> None:
    actor = acting.get(acting.add())
    own = f"{acting.http.base_url}/actors/v2/{actor['id']}"
    assert re.fullmatch("[A-Za-z0-9]{13}", actor["id"])
    assert actor["_links"] == {
        "self": own,
        "owner": f"{acting.http.base_url}/profiles/v2/sandbox",
        "executions": f"{own}/executions",
    }


def test_times_are_utc_and_what_is_null_is_left_out(acting: Acting) -> None:
    actor = acting.get(acting.add())
    assert re.fullmatch(r"2023-11-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", actor["createTime"])
    assert "maxWorkers" not in actor
    assert None not in actor.values()


def test_the_conventions_of_the_core_services_mean_nothing_here(acting: Acting) -> None:
    actor_id = acting.add()
    for convention in ("naked=true", "filter=id", "limit=x"):
        answer = acting.http.get(f"{url(actor_id)}?{convention}")
        assert checked(answer, "actors.get")["image"] == SHELL


# Registering


def test_an_actor_is_submitted_and_then_ready(acting: Acting) -> None:
    answer = acting.http.post("/actors/v2", json={"image": SHELL})
    actor = checked(answer, "actors.add")
    assert answer.json()["message"] == "Actor created successfully."
    assert (actor["status"], actor["stateless"], actor["revision"]) == ("SUBMITTED", True, 1)
    acting.tenant.run_until_idle()
    assert acting.get(actor["id"])["status"] == "READY"


def test_an_actor_can_be_registered_by_a_form(acting: Acting) -> None:
    form = {"image": SHELL, "stateless": "False", "defaultEnvironment": '{"A": "b"}'}
    actor = checked(acting.http.post("/actors/v2", data=form), "actors.add")
    assert (actor["stateless"], actor["defaultEnvironment"]) == (False, {"A": "b"})


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ({}, "image"),
        ({"image": "--privileged"}, "image"),
        ({"image": SHELL, "defaultEnvironment": {"A=B": "c"}}, "A=B"),
        ({"image": SHELL, "defaultEnvironment": [1]}, "defaultEnvironment"),
        ({"image": SHELL, "stateless": "perhaps"}, "stateless"),
        ({"image": SHELL, "maxWorkers": 3}, "maxWorkers"),
        ({"image": SHELL, "memLimit": "1g"}, "memLimit"),
        ({"image": SHELL, "privileged": True}, "privileged"),
        ([], "actor"),
    ],
)
def test_a_description_that_will_not_do_is_refused_by_the_name_of_the_field(
    acting: Acting, description: Any, named: str
) -> None:
    message = refusal(acting.http.post("/actors/v2", json=description), status=400)
    assert message.startswith("Invalid actor description:")
    assert named in message


def test_only_administrators_set_what_concerns_the_machine(admin: Http, tenant: Sandbox) -> None:
    body = {"image": SHELL, "maxWorkers": 3, "memLimit": "2g"}
    actor = checked(admin.post("/actors/v2", json=body), "actors.add")
    assert (actor["maxWorkers"], actor["memLimit"]) == (3, "2g")
    body = {"image": SHELL, "maxWorkers": 3, "stateless": False}
    assert "state" in refusal(admin.post("/actors/v2", json=body), status=400)


def test_settings_change_without_a_revision_and_another_image_with_one(acting: Acting) -> None:
    actor_id = acting.add("echo old", name="wc")
    body: dict[str, Any] = {"image": SHELL, "description": "new", "defaultEnvironment": {"SCRIPT": "echo new"}}
    updated = checked(acting.http.put(url(actor_id), json=body), "actors.update")
    assert (updated["description"], updated["revision"], updated["name"]) == ("new", 1, "wc")
    updated = checked(acting.http.put(url(actor_id), json={**body, "force": True}), "actors.update")
    assert (updated["status"], updated["revision"]) == ("SUBMITTED", 2)
    assert acting.log(acting.run(actor_id)) == "new\n"


def test_neither_the_name_nor_statefulness_can_be_taken_back(acting: Acting) -> None:
    actor_id = acting.add(name="wc", stateless=False)
    for changes in ({"stateless": False, "name": "other"}, {"stateless": True}):
        assert refusal(acting.http.put(url(actor_id), json={"image": SHELL, **changes}), status=400)


def test_a_deleted_actor_is_gone_with_all_that_belongs_to_it(acting: Acting) -> None:
    actor_id = acting.add("echo x")
    acting.run(actor_id)
    acting.http.post("/actors/v2/aliases", json={"alias": "short-lived", "actorId": actor_id}).raise_for_status()
    answer = acting.http.delete(url(actor_id))
    assert checked(answer, "actors.delete") is None
    assert answer.json()["message"] == "Actor deleted successfully."
    assert refusal(acting.http.get(url(actor_id, "/executions")), status=404)
    assert refusal(acting.http.get("/actors/v2/aliases/short-lived"), status=404)
    assert not (acting.tenant.root / "actors" / actor_id).exists()


# Messages


@pytest.mark.parametrize(
    ("sent", "received", "content_type"),
    [
        ({"json": {"message": "plain text"}}, "plain text", "str"),
        ({"data": {"message": "of a form"}}, "of a form", "str"),
        ({"json": {"message": {"a": 1}}}, "{'a': 1}", "str"),
        ({"json": {"a": {"b": None}}}, "{'a': {'b': None}}", "application/json"),
        ({"json": [1, "x"]}, "[1, 'x']", "application/json"),
    ],
    ids=["text", "form", "object as message", "object", "array"],
)
def test_a_message_arrives_as_python_writes_it(acting: Acting, sent: Any, received: str, content_type: str) -> None:
    actor_id = acting.add('echo "$_abaco_Content_Type|$MSG"')
    receipt = checked(acting.http.post(url(actor_id, "/messages"), **sent), "actors.sendMessage")
    acting.tenant.run_until_idle()
    execution = acting.execution(actor_id, receipt["executionId"])
    assert acting.log(execution) == f"{content_type}|{received}\n"
    assert receipt["_links"]["self"] == execution["_links"]["self"]


def test_a_message_of_bytes_is_not_repeated_in_the_receipt(acting: Acting) -> None:
    header = {"content-type": "application/octet-stream"}
    answer = acting.http.post(url(acting.add(), "/messages"), data=b"\0", headers=header)
    assert checked(answer, "actors.sendBinaryMessage")["msg"] == "binary - omitted"


@pytest.mark.parametrize(
    "sent",
    [
        {"data": b""},
        {"data": b"x", "headers": {"content-type": "text/plain"}},
        {"data": b"{", "headers": {"content-type": "application/json"}},
        {"json": {"message": "a\0b"}},
        {"json": {"message": "x" * (121 << 10)}},
        {"json": {"message": "x"}, "params": {"": "no name"}},
        {"json": {"message": "x"}, "params": {"A": "a\0b"}},
    ],
    ids=["empty", "plain text", "broken", "NUL", "too long", "variable without a name", "variable with a NUL"],
)
def test_what_no_program_could_be_given_is_refused(acting: Acting, sent: Any) -> None:
    actor_id = acting.add()
    assert refusal(acting.http.post(url(actor_id, "/messages"), **sent), status=400)
    assert acting.executions(actor_id) == []


def test_messages_wait_for_an_actor_that_is_not_ready_and_can_be_discarded(acting: Acting) -> None:
    actor_id = acting.add(image="no/such")
    execution_id = acting.send(actor_id)
    assert checked(acting.http.get(url(actor_id, "/messages")), "actors.getMessages")["messages"] == 1
    assert acting.execution(actor_id, execution_id)["status"] == "SUBMITTED"
    checked(acting.http.delete(url(actor_id, "/messages")), "actors.deleteMessages")
    assert checked(acting.http.get(url(actor_id, "/messages")), "actors.getMessages")["messages"] == 0
    purged = acting.execution(actor_id, execution_id)
    assert (purged["status"], "emptied" in purged["finalState"]["Error"]) == ("ERROR", True)


def test_a_synchronous_message_is_answered_with_the_result_or_else_the_log(acting: Acting) -> None:
    for script, content in ((sending("first", "second"), b"first"), ("echo said", b"said\n")):
        actor_id = acting.add(script)
        answer = acting.http.post(f"{url(actor_id, '/messages')}?_abaco_synchronous=true", json={"message": "x"})
        assert (answer.status_code, answer.content) == (200, content)


def test_a_synchronous_message_is_refused_behind_a_queue(acting: Acting) -> None:
    actor_id = acting.add(image="no/such")
    for _ in range(4):
        acting.send(actor_id)
    answer = acting.http.post(f"{url(actor_id, '/messages')}?_abaco_synchronous=true", json={"message": "x"})
    assert "_abaco_synchronous" in refusal(answer, status=400)


# State


def test_a_stateless_actor_has_no_state(acting: Acting) -> None:
    actor_id = acting.add()
    for answer in (acting.http.get(url(actor_id, "/state")), acting.http.post(url(actor_id, "/state"), json={})):
        assert refusal(answer, status=404) == "actor is stateless."


@pytest.mark.parametrize("value", [{"a": {"b": [1]}}, [1, 2], "text", 7])
def test_a_state_is_any_json_document(acting: Acting, value: Any) -> None:
    actor_id = acting.add('echo "$_abaco_actor_state"', stateless=False)
    assert checked(acting.http.post(url(actor_id, "/state"), json=value), "actors.updateState")["id"] == actor_id
    assert checked(acting.http.get(url(actor_id, "/state")), "actors.getState")["state"] == value
    assert acting.log(acting.run(actor_id)) == f"{value}\n"


# Levels


def test_an_actor_of_somebody_else_is_out_of_reach(acting: Acting, other: Http) -> None:
    actor_id = acting.add(stateless=False)
    execution = acting.run(actor_id)
    part = f"/executions/{execution['id']}"
    for answer in (
        other.get(url(actor_id)),
        other.put(url(actor_id), json={"image": SHELL}),
        other.delete(url(actor_id)),
        other.post(url(actor_id, "/messages"), json={"message": "x"}),
        *(other.get(url(actor_id, each)) for each in ("/messages", "/state", "/permissions", "/workers", "/nonces")),
        *(other.get(url(actor_id, each)) for each in ("/executions", part, f"{part}/logs", f"{part}/results")),
        other.post(url(actor_id, "/state"), json={}),
        other.post(url(actor_id, "/nonces"), json={}),
        other.post(url(actor_id, "/permissions"), json={"user": "maria", "level": "UPDATE"}),
        other.post("/actors/v2/aliases", json={"alias": "stolen", "actorId": actor_id}),
    ):
        assert refusal(answer, status=400) == "Not authorized -- you do not have access to this actor."
    assert actor_id not in [each["id"] for each in checked(other.get("/actors/v2"), "actors.list")]
    for kind in ("actors", "executions", "workers", "logs"):
        assert actor_id not in other.get(f"/actors/v2/search/{kind}").text


@pytest.mark.parametrize("user", ["maria", "ABACO_WORLD"])
def test_each_level_includes_those_below_it(acting: Acting, other: Http, user: str) -> None:
    actor_id = acting.add()
    statuses = {}
    for level in ("READ", "EXECUTE", "UPDATE", "NONE"):
        body = {"user": user, "level": level.lower()}
        checked(acting.http.post(url(actor_id, "/permissions"), json=body), "actors.updatePermissions")
        statuses[level] = [
            other.get(url(actor_id)).status_code,
            other.post(url(actor_id, "/messages"), json={"message": "x"}).status_code,
            other.put(url(actor_id), json={"image": SHELL}).status_code,
        ]
    assert statuses == {
        "READ": [200, 400, 400],
        "EXECUTE": [200, 200, 400],
        "UPDATE": [200, 200, 200],
        "NONE": [400, 400, 400],
    }


@pytest.mark.parametrize(
    "body",
    [{"user": "nobody", "level": "READ"}, {"user": "sandbox", "level": "NONE"}, {"user": "maria", "level": "ALL"}, {}],
)
def test_a_level_goes_to_somebody_who_can_have_it(acting: Acting, other: Http, body: Any) -> None:
    assert refusal(acting.http.post(url(acting.add(), "/permissions"), json=body), status=400)


# Workers


def test_workers_are_added_up_to_a_number_and_taken_away(acting: Acting, admin: Http) -> None:
    actor_id = acting.add()
    for _ in range(2):
        checked(admin.post(url(actor_id, "/workers"), json={"num": 3}), "actors.addWorker")
    workers = checked(acting.http.get(url(actor_id, "/workers")), "actors.listWorkers")
    assert [each["status"] for each in workers] == ["READY"] * 3
    one = url(actor_id, f"/workers/{workers[0]['id']}")
    assert checked(acting.http.get(one), "actors.getWorker")["lastExecutionTime"] == "None"
    checked(admin.delete(one), "actors.deleteWorker")
    assert refusal(acting.http.get(one), status=404)
    assert refusal(admin.delete(one), status=404)
    assert len(checked(acting.http.get(url(actor_id, "/workers")), "actors.listWorkers")) == 2


def test_workers_are_for_administrators(acting: Acting) -> None:
    actor_id = acting.add()
    [worker] = checked(acting.http.get(url(actor_id, "/workers")), "actors.listWorkers")
    for answer in (
        acting.http.post(url(actor_id, "/workers"), json={"num": 2}),
        acting.http.delete(url(actor_id, f"/workers/{worker['id']}")),
    ):
        assert refusal(answer, status=400) == "Not authorized -- missing required role."


@pytest.mark.parametrize(
    ("description", "wanted"),
    [({"stateless": False}, 2), ({"stateless": True, "maxWorkers": 2}, 3), ({}, 101), ({}, 0), ({}, "x")],
)
def test_no_more_workers_than_an_actor_may_have(admin: Http, tenant: Sandbox, description: Any, wanted: Any) -> None:
    actor_id = Acting(tenant, admin).add(**description)
    assert refusal(admin.post(url(actor_id, "/workers"), json={"num": wanted}), status=400)


# Nonces


def bare(acting: Acting, verb: str, path: str, nonce: str, **options: Any) -> requests.Response:
    """Return the answer to a request without a token."""
    address = f"{acting.http.base_url}{path}"
    return requests.request(verb, address, params={"x-nonce": nonce}, timeout=TIMEOUT_S, **options)


def nonce_of(acting: Acting, actor_id: str, **body: Any) -> str:
    return str(checked(acting.http.post(url(actor_id, "/nonces"), json=body), "actors.addNonce")["id"])


def test_a_nonce_opens_its_actor_without_a_token_as_far_as_its_level_goes(acting: Acting) -> None:
    actor_id = acting.add()
    nonce = nonce_of(acting, actor_id)
    assert nonce.startswith("SANDBOX_")
    assert checked(bare(acting, "GET", url(actor_id), nonce), "actors.get")["id"] == actor_id
    sent = checked(bare(acting, "POST", url(actor_id, "/messages"), nonce, json={"message": "x"}), "actors.sendMessage")
    assert acting.execution(actor_id, sent["executionId"])["executor"] == "sandbox"
    for answer in (bare(acting, "DELETE", url(actor_id), nonce), bare(acting, "POST", url(actor_id, "/nonces"), nonce)):
        assert refusal(answer, status=400) == "Nonce does not have sufficient permissions level."


def test_the_client_passes_a_nonce_by_keyword(acting: Acting) -> None:
    actor_id = acting.add()
    ag = Agave(api_server=acting.tenant.url, use_nonce=True)
    assert ag.actors.get(actorId=actor_id, nonce=nonce_of(acting, actor_id, level="READ")).id == actor_id
    ag.close()


def test_the_uses_of_a_nonce_are_counted_and_come_to_an_end(acting: Acting) -> None:
    actor_id = acting.add()
    nonce = nonce_of(acting, actor_id, maxUses=2)
    assert [bare(acting, "GET", url(actor_id), nonce).status_code for _ in range(2)] == [200, 200]
    assert refusal(bare(acting, "GET", url(actor_id), nonce), status=400) == "No remaining uses left for this nonce."
    record = checked(acting.http.get(url(actor_id, f"/nonces/{nonce}")), "actors.getNonce")
    assert (record["maxUses"], record["currentUses"], record["remainingUses"]) == (2, 2, 0)
    assert record["lastUseTime"].endswith("Z")


def test_a_nonce_opens_nothing_else(acting: Acting) -> None:
    nonce, another = nonce_of(acting, acting.add(), level="UPDATE"), acting.add()
    assert refusal(bare(acting, "GET", url(another), nonce), status=400) == "Nonce does not exist."
    for path in ("/actors/v2", "/actors/v2/aliases", "/actors/v2/search/actors"):
        assert "nonce" in refusal(bare(acting, "GET", path, nonce), status=400).lower()
    fault = bare(acting, "GET", "/profiles/v2/me", nonce)
    assert (fault.status_code, fault.json()["fault"]["code"]) == (401, 900902)


def test_nobody_learns_by_a_nonce_which_actors_there_are(acting: Acting) -> None:
    answers = [bare(acting, "GET", url(actor_id), "SANDBOX_guessed") for actor_id in (acting.add(), "nobody")]
    assert [refusal(each, status=400) for each in answers] == ["Nonce does not exist."] * 2


def test_a_nonce_of_an_administrator_gives_no_powers_of_an_administrator(tenant: Sandbox, admin: Http) -> None:
    acting = Acting(tenant, admin)
    actor_id = acting.add()
    nonce = nonce_of(acting, actor_id, level="UPDATE")
    answer = bare(acting, "POST", url(actor_id, "/workers"), nonce, json={"num": 2})
    assert refusal(answer, status=400) == "Not authorized -- missing required role."


def test_nonces_are_shown_to_those_who_may_do_as_much_themselves(acting: Acting, other: Http) -> None:
    actor_id = acting.add()
    reading, executing = nonce_of(acting, actor_id, level="READ"), nonce_of(acting, actor_id, level="EXECUTE")
    acting.http.post(url(actor_id, "/permissions"), json={"user": "maria", "level": "READ"}).raise_for_status()
    assert [each["id"] for each in checked(other.get(url(actor_id, "/nonces")), "actors.listNonces")] == [reading]
    assert refusal(other.get(url(actor_id, f"/nonces/{executing}")), status=400) == "Nonce does not exist."
    by_nonce = bare(acting, "GET", url(actor_id, "/nonces"), reading)
    assert [each["id"] for each in checked(by_nonce, "actors.listNonces")] == [reading]


def test_a_deleted_nonce_opens_nothing(acting: Acting) -> None:
    actor_id = acting.add()
    nonce = nonce_of(acting, actor_id)
    checked(acting.http.delete(url(actor_id, f"/nonces/{nonce}")), "actors.deleteNonce")
    assert refusal(bare(acting, "GET", url(actor_id), nonce), status=400) == "Nonce does not exist."


@pytest.mark.parametrize("body", [{"maxUses": 0}, {"maxUses": -2}, {"level": "ALL"}, {"maxUses": "many"}, [1]])
def test_a_nonce_that_makes_no_sense_is_refused(acting: Acting, body: Any) -> None:
    assert refusal(acting.http.post(url(acting.add(), "/nonces"), json=body), status=400)


# Aliases


def test_an_alias_stands_for_its_actor_in_every_address(acting: Acting) -> None:
    actor_id = acting.add("echo x")
    body = {"alias": "wc-prod", "actorId": actor_id}
    alias = checked(acting.http.post("/actors/v2/aliases", json=body), "actors.addAlias")
    assert alias["_links"]["actor"] == f"{acting.http.base_url}/actors/v2/{actor_id}"
    assert acting.get("wc-prod")["id"] == actor_id
    assert acting.log(acting.run("wc-prod")) == "x\n"
    assert bare(acting, "GET", url("wc-prod"), nonce_of(acting, "wc-prod")).status_code == 200
    assert refusal(acting.http.post("/actors/v2/aliases", json=body), status=400) == "Alias wc-prod already exists."
    checked(acting.http.delete("/actors/v2/aliases/wc-prod"), "actors.deleteAlias")
    assert refusal(acting.http.get(url("wc-prod")), status=404)
    assert acting.get(actor_id)["status"] == "READY"


@pytest.mark.parametrize("alias", ["executions", "search", "two words", "a/b", "a.b", "", None, 5])
def test_an_alias_is_a_plain_word(acting: Acting, alias: Any) -> None:
    body = {"alias": alias, "actorId": acting.add()}
    assert refusal(acting.http.post("/actors/v2/aliases", json=body), status=400)


def test_an_alias_cannot_take_the_id_of_an_actor(acting: Acting) -> None:
    body = {"alias": acting.add(), "actorId": acting.add()}
    assert "already exists" in refusal(acting.http.post("/actors/v2/aliases", json=body), status=400)


def test_an_alias_is_seen_by_those_who_may_read_its_actor_and_removed_by_its_owner(acting: Acting, other: Http) -> None:
    actor_id = acting.add()
    acting.http.post("/actors/v2/aliases", json={"alias": "mine", "actorId": actor_id}).raise_for_status()
    assert refusal(other.get("/actors/v2/aliases/mine"), status=404) == "No alias found: mine."
    assert checked(other.get("/actors/v2/aliases"), "actors.listAliases") == []
    acting.http.post(url(actor_id, "/permissions"), json={"user": "maria", "level": "READ"}).raise_for_status()
    assert checked(other.get("/actors/v2/aliases/mine"), "actors.getAlias")["actorId"] == actor_id
    assert refusal(other.delete("/actors/v2/aliases/mine"), status=400)
    acting.http.delete("/actors/v2/aliases/mine").raise_for_status()


# Executions


def test_executions_are_summed_up(acting: Acting) -> None:
    actor_id = acting.add()
    runs = [acting.run(actor_id) for _ in range(3)]
    summary = checked(acting.http.get(url(actor_id, "/executions")), "actors.listExecutions")
    assert (summary["totalExecutions"], summary["totalCpu"]) == (3, sum(each["cpu"] for each in runs))
    assert [each["id"] for each in summary["executions"]] == [each["id"] for each in runs]
    paged = checked(acting.http.get(url(actor_id, "/executions?limit=1&offset=1")), "actors.listExecutions")
    assert ([each["id"] for each in paged["executions"]], paged["totalExecutions"]) == ([runs[1]["id"]], 3)


def test_an_unknown_execution_is_a_bad_request(acting: Acting) -> None:
    actor_id = acting.add()
    for part in ("", "/logs", "/results"):
        message = refusal(acting.http.get(url(actor_id, f"/executions/x{part}")), status=400)
        assert message == f"No executions found with actor id of {actor_id} and execution id of x."


# Lists and search


def test_a_list_is_an_array_with_or_without_a_page(tenant: Sandbox) -> None:
    acting = Acting(tenant, Http(tenant).as_user(tenant, "lister"))
    known = {acting.add(name=f"n{number}") for number in range(3)}
    assert {each["id"] for each in checked(acting.http.get("/actors/v2"), "actors.list")} == known
    assert len(checked(acting.http.get("/actors/v2?limit=2"), "actors.list")) == 2
    assert len(checked(acting.http.get("/actors/v2?limit=2&offset=2"), "actors.list")) == 1
    acting.http.close()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=wc-one", ["wc-one"]),
        ("name.like=wc-.*o", ["wc-one", "wc-two"]),
        ("name.nlike=wc-o.*", ["other", "wc-two"]),
        ("name.in=other,wc-two", ["other", "wc-two"]),
        ("revision.gt=1", []),
        ("stateless=false", ["other"]),
        ("q=two", ["wc-two"]),
        ("search=two SAYS", ["wc-two"]),
        ("exactsearch=wc-o", ["wc-one"]),
        ("no-such-field=1", []),
        ("name.neq=other&stateless=true", ["wc-one", "wc-two"]),
    ],
)
def test_any_other_parameter_makes_a_list_a_search(searched: Acting, query: str, names: list[str]) -> None:
    for address in ("/actors/v2", "/actors/v2/search/actors"):
        found = searched.http.get(f"{address}?{query}").json()["result"]
        assert sorted(each["name"] for each in found["search"]) == names
        assert found["_metadata"] == {
            "totalCount": len(names),
            "recordsSkipped": 0,
            "recordLimit": 100,
            "countReturned": len(names),
        }


@pytest.fixture(scope="module")
def searched(tenant: Sandbox) -> Iterator[Acting]:
    """Three actors of a user of their own."""
    with Http(tenant) as session, session.as_user(tenant, "seeker") as seeker:
        acting = Acting(tenant, seeker)
        for name in ("wc-one", "wc-two", "other"):
            acting.add(f"echo {name} says so", name=name, stateless=name != "other")
        yield acting


def test_a_search_is_paged_by_limit_and_skip(searched: Acting) -> None:
    result = checked(searched.http.get("/actors/v2/search/actors?limit=1&skip=1"), "actors.getSearch")
    assert result["_metadata"] == {"totalCount": 3, "recordsSkipped": 1, "recordLimit": 1, "countReturned": 1}


def test_executions_workers_and_logs_are_searched_as_well(searched: Acting) -> None:
    [actor_id] = [
        each["id"] for each in checked(searched.http.get("/actors/v2"), "actors.list") if each["name"] == "wc-one"
    ]
    execution = searched.run(actor_id)
    for kind, query, field in (
        ("executions", "status=COMPLETE", "id"),
        ("logs", "search=wc-one says", "executionId"),
        ("workers", f"id={execution['workerId']}", None),
    ):
        found = checked(searched.http.get(f"/actors/v2/search/{kind}?{query}"), "actors.getSearch")["search"]
        assert len(found) == 1
        assert field is None or found[0][field] == execution["id"]


@pytest.mark.parametrize(
    "path", ["search/aliases", "search/actors?limit=x", "search/actors?skip=-1", "search/actors?name.like=("]
)
def test_a_search_that_makes_no_sense_is_refused(searched: Acting, path: str) -> None:
    assert refusal(searched.http.get(f"/actors/v2/{path}"), status=400)
