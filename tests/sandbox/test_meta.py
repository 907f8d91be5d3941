"""Metadata and schemas: stored, searched, shared, tied to other resources, checked."""

from __future__ import annotations

import datetime
import inspect
import itertools
import json
from typing import Any

import pytest

from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.services.meta import Meta

from .compute import Compute
from .conftest import Http
from .schema import checked, refusal

DATA, SCHEMAS = "/meta/v2/data", "/meta/v2/schemas"
HEIGHT = {"type": "object", "required": ["height"], "properties": {"height": {"type": "number"}}}

_numbers = itertools.count(1)


def new_name() -> str:
    return f"item {next(_numbers)}"


def add(http: Http, **fields: Any) -> dict[str, Any]:
    body = {"name": new_name(), "value": {"a": 1}, **fields}
    item: dict[str, Any] = checked(http.post(DATA, json=body), "meta.addMetadata", status=201)
    return item


def add_schema(http: Http, document: Any = HEIGHT) -> str:
    return str(checked(http.post(SCHEMAS, json=document), "meta.addSchema", status=201)["uuid"])


def found(http: Http, query: Any, **parameters: Any) -> list[str]:
    text = query if isinstance(query, str) else json.dumps(query)
    answer = http.get(DATA, params={"q": text, **parameters})
    return [each["uuid"] for each in checked(answer, "meta.listMetadata")]


# Items


def test_a_new_item_answers_201_with_its_links(http: Http) -> None:
    item = add(http, name="mustard plant", value={"type": "a plant"})
    assert item["uuid"].endswith("-012")
    assert (item["owner"], item["schemaId"], item["internalUsername"]) == ("sandbox", None, None)
    assert (item["name"], item["value"], item["associationIds"]) == ("mustard plant", {"type": "a plant"}, [])
    address = f"{http.base_url}{DATA}/{item['uuid']}"
    assert item["_links"] == {
        "self": {"href": address},
        "permissions": {"href": f"{address}/pems"},
        "owner": {"href": f"{http.base_url}/profiles/v2/sandbox"},
        "associationIds": [],
    }
    assert checked(http.get(f"{DATA}/{item['uuid']}"), "meta.getMetadata") == item


@pytest.mark.parametrize("value", [{"a": {"b": [1, None]}}, [1, "two"], "text", 12.5, False, 0, ""])
def test_any_json_but_null_is_a_value(http: Http, value: Any) -> None:
    item = add(http, value=value)
    assert checked(http.get(f"{DATA}/{item['uuid']}"), "meta.getMetadata")["value"] == value


def test_an_item_may_come_as_a_file(http: Http) -> None:
    document = json.dumps({"name": "filed", "value": 1})
    answer = http.post(DATA, files={"fileToUpload": ("item.json", document)})
    assert checked(answer, "meta.addMetadata", status=201)["name"] == "filed"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "metadata.name"),
        ({"name": 3}, "metadata.name"),
        ({"name": " "}, "metadata.name"),
        ({"name": "x" * 257}, "at most 256"),
        ({"value": None}, "metadata.value"),
        ({"value": "\0"}, "character"),
        ({"uuid": "1-012"}, "uuid"),
        ({"schemaId": 3}, "metadata.schemaId"),
        ({"schemaId": "1-013"}, "No schema found"),
        ({"associationIds": {"a": 1}}, "metadata.associationIds"),
        ({"associationIds": "1-012"}, "No associated object found with uuid 1-012"),
        ({"associationIds": ["nonsense"]}, "No associated object"),
        ({"permissions": [{"username": "nobody", "permission": "READ"}]}, "nobody"),
        ({"permissions": [{"username": "admin", "permission": "EXECUTE"}]}, "READ_WRITE"),
        ({"permissions": "all"}, "metadata.permissions"),
    ],
)
def test_an_item_that_breaks_a_rule_is_refused_by_name(http: Http, changes: Any, said: str) -> None:
    before = len(found(http, ""))
    answer = http.post(DATA, json={"name": "n", "value": 1, **changes})
    assert said in refusal(answer, status=400)
    assert len(found(http, "")) == before


def test_an_update_replaces_what_it_names_and_keeps_the_rest(http: Http, clock: ManualClock) -> None:
    item = add(http, value={"a": 1, "b": 2})
    clock.advance(5)
    answer = http.post(f"{DATA}/{item['uuid']}", json={"value": {"c": 3}, "uuid": item["uuid"], "owner": "maria"})
    changed = checked(answer, "meta.updateMetadata")
    assert (changed["value"], changed["name"], changed["owner"]) == ({"c": 3}, item["name"], "sandbox")
    assert changed["created"] == item["created"]
    assert changed["lastUpdated"] > item["lastUpdated"]
    assert "1-012" in refusal(http.post(f"{DATA}/{item['uuid']}", json={"uuid": "1-012"}), status=400)


def test_a_deleted_item_is_gone(http: Http) -> None:
    item = add(http)
    answer = http.delete(f"{DATA}/{item['uuid']}")
    assert checked(answer, "meta.deleteMetadata") is None
    assert "result" not in answer.json()
    for gone in (http.get(f"{DATA}/{item['uuid']}"), http.delete(f"{DATA}/{item['uuid']}")):
        assert refusal(gone, status=404) == f"No metadata item found for user with id {item['uuid']}"
    assert found(http, {"uuid": item["uuid"]}) == []


# Searching


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_a_query_may_be_json_or_python(http: Http, write: Any) -> None:
    item = add(http, value={"type": "a plant", "alive": True, "of": None})
    assert found(http, write({"name": item["name"], "value.alive": True, "value.of": None})) == [item["uuid"]]


def test_every_field_can_be_searched(http: Http, clock: ManualClock) -> None:
    item = add(http, associationIds=add(http)["uuid"])
    for field in ("uuid", "name", "owner", "schemaId", "internalUsername", "created", "lastUpdated", "value"):
        assert item["uuid"] in found(http, {field: item[field]}), field
    later = datetime.datetime.fromtimestamp(clock.now() + 60, tz=datetime.timezone.utc).isoformat()
    assert found(http, {"uuid": item["uuid"], "created": {"$gt": later}}) == []
    assert found(http, {"uuid": item["uuid"], "lastUpdated": {"$lt": later}}) == [item["uuid"]]


def test_the_metadata_link_of_another_resource_finds_its_items(http: Http) -> None:
    system = http.get("/systems/v2/sandbox-storage").json()["result"]
    item = add(http, associationIds=[system["uuid"]])
    answer = http.get(system["_links"]["metadata"]["href"])
    assert [each["uuid"] for each in answer.json()["result"]] == [item["uuid"]]


def test_a_malformed_query_is_refused(http: Http) -> None:
    for text in ("{", "{'a': {'$foo': 1}}", "[]"):
        assert refusal(http.get(DATA, params={"q": text}), status=400).startswith("Malformed JSON Query, ")
        answer = http.get(SCHEMAS, params={"q": text, "uuid": ""})
        assert refusal(answer, status=400).startswith("Malformed JSON Query, ")


def test_pages_come_newest_first_or_as_asked(http: Http, clock: ManualClock) -> None:
    uuids = []
    for letter in "bca":
        clock.advance(1)
        uuids.append(add(http, name=letter, value="pages")["uuid"])
    b, c, a = uuids
    mine = {"value": "pages"}
    assert found(http, mine) == [a, c, b]
    assert found(http, mine, limit=1, offset=1) == [c]
    assert found(http, mine, order="asc") == [b, c, a]
    assert found(http, mine, orderBy="name") == [a, b, c]
    assert found(http, mine, orderBy="name", order="DESC") == [c, b, a]
    assert found(http, {**mine, "value.0": None}, limit=1, offset=1) == [c]  # which SQL cannot answer
    answer = http.get(DATA, params={"q": json.dumps(mine), "filter": "name"})
    assert answer.json()["result"] == [{"name": "a"}, {"name": "c"}, {"name": "b"}]


# Who may do what


def test_a_stranger_neither_sees_nor_changes(http: Http, other: Http) -> None:
    item = add(http)
    uuid, address = item["uuid"], f"{DATA}/{item['uuid']}"
    assert found(other, {"uuid": uuid}) == []
    for answer in (
        other.get(address),
        other.post(address, json={"name": "x"}),
        other.delete(address),
        other.get(f"{address}/pems"),
        other.post(f"{address}/pems", json={"username": "maria", "permission": "ALL"}),
        other.delete(f"{address}/pems"),
        other.delete(f"{address}/pems/maria"),
    ):
        assert uuid in refusal(answer, status=403)
    assert checked(http.get(address), "meta.getMetadata") == item


@pytest.mark.parametrize(
    ("word", "reads", "writes"),
    [("READ", True, False), ("WRITE", False, True), ("READ_WRITE", True, True), ("ALL", True, True)],
)
@pytest.mark.parametrize("name", ["maria", "public", "world"])
def test_a_permission_lets_in(http: Http, other: Http, name: str, word: str, reads: bool, writes: bool) -> None:
    item = add(http, permissions=[{"username": name, "permission": word}])
    address = f"{DATA}/{item['uuid']}"
    assert (other.get(address).status_code == 200) is reads
    assert (found(other, {"uuid": item["uuid"]}) == [item["uuid"]]) is reads
    assert (other.post(address, json={"value": 2}).status_code == 200) is writes


def test_administrators_see_all_unless_they_waive_it(http: Http, admin: Http) -> None:
    item = add(http)
    checked(admin.get(f"{DATA}/{item['uuid']}"), "meta.getMetadata")
    assert found(admin, {"uuid": item["uuid"]}) == [item["uuid"]]
    assert found(admin, {"uuid": item["uuid"]}, privileged="false") == []
    assert found(http, {"uuid": item["uuid"]}, privileged="true") == [item["uuid"]]


@pytest.mark.parametrize(("folder", "noun"), [("data", "Metadata"), ("schemas", "Schema")])
def test_permissions_are_granted_changed_and_revoked(http: Http, other: Http, folder: str, noun: str) -> None:
    uuid = add(http)["uuid"] if folder == "data" else add_schema(http)
    address = f"/meta/v2/{folder}/{uuid}/pems"
    grant = {"username": "maria", "permission": "READ"}
    one = checked(http.post(address, json=grant), f"meta.update{noun}Permissions", status=201)
    assert (one["username"], one["permission"]) == ("maria", {"read": True, "write": False})
    assert one["_links"]["parent"]["href"] == f"{http.base_url}/meta/v2/{folder}/{uuid}"
    for word, status in (("READ_WRITE", 200), ("NONE", 200), ("ALL", 201)):
        answer = http.post(f"{address}/maria", json={"permission": word})
        checked(answer, f"meta.update{noun}PermissionsForUser", status=status)
    listed = checked(http.get(address), f"meta.list{noun}Permissions")
    assert [each["username"] for each in listed] == ["sandbox", "maria"]
    alone = checked(other.get(f"{address}/maria"), f"meta.list{noun}PermissionsForUser")
    assert alone["permission"] == {"read": True, "write": True}
    checked(http.delete(f"{address}/maria"), f"meta.delete{noun}PermissionsForUser")
    refusal(http.get(f"{address}/maria"), status=404)
    http.post(address, json=grant).raise_for_status()
    checked(http.delete(address), f"meta.delete{noun}Permission{'' if folder == 'data' else 's'}")
    assert [each["username"] for each in http.get(address).json()["result"]] == ["sandbox"]


@pytest.mark.parametrize(
    "body", [{}, {"username": "maria"}, {"permission": "READ"}, {"username": "nobody", "permission": "READ"}]
)
def test_a_permission_request_names_a_user_and_a_right(http: Http, other: Http, body: Any) -> None:
    refusal(http.post(f"{DATA}/{add(http)['uuid']}/pems", json=body), status=400)


def test_the_owner_keeps_all_rights(http: Http) -> None:
    address = f"{DATA}/{add(http)['uuid']}/pems/sandbox"
    kept = checked(http.post(address, json={"permission": "NONE"}), "meta.updateMetadataPermissionsForUser")
    assert kept["permission"] == {"read": True, "write": True}
    checked(http.delete(address), "meta.deleteMetadataPermissionsForUser")
    assert checked(http.get(address), "meta.listMetadataPermissionsForUser")["permission"]["write"] is True


# Associations


def test_items_are_tied_to_every_kind_of_resource(http: Http, compute: Compute) -> None:
    app = compute.app()
    job = compute.run(app)["id"]
    form = {"fileToUpload": ("up.txt", b"x")}
    uploaded = http.post(f"/files/v2/media/system/sandbox-storage/{compute.user}", files=form).json()["result"]
    compute.tenant.run_until_idle()
    uuids = {
        "profile": http.get("/profiles/v2/me").json()["result"]["uuid"],
        "file": uploaded["uuid"],
        "app": http.get(f"/apps/v2/{app}").json()["result"]["uuid"],
        "system": http.get("/systems/v2/sandbox-exec").json()["result"]["uuid"],
        "job": job,
        "metadata": add(http)["uuid"],
        "schema": add_schema(http),
    }
    item = add(http, associationIds=list(uuids.values()))
    links = item["_links"]["associationIds"]
    assert {link["title"]: link["rel"] for link in links} == uuids
    for link in links:
        answer = http.get(link["href"])
        assert answer.status_code == 200, link
    assert found(http, {"associationIds": job}) == [item["uuid"]]


def test_what_a_user_may_not_read_is_not_tied_and_not_shown(http: Http, other: Http) -> None:
    hidden = add(http)["uuid"]
    answer = other.post(DATA, json={"name": "x", "value": 1, "associationIds": hidden})
    assert hidden in refusal(answer, status=403)
    item = add(http, associationIds=hidden, permissions=[{"username": "maria", "permission": "ALL"}])
    seen = checked(other.get(f"{DATA}/{item['uuid']}"), "meta.getMetadata")
    assert (seen["associationIds"], seen["_links"]["associationIds"]) == ([hidden], [])
    body = {"associationIds": [hidden], "value": 2}  # it was tied before: whoever may write may leave it so
    checked(other.post(f"{DATA}/{item['uuid']}", json=body), "meta.updateMetadata")


# Schemas


def test_a_schema_is_stored_bare_and_found(http: Http) -> None:
    uuid = add_schema(http)
    schema = checked(http.get(f"{SCHEMAS}/{uuid}"), "meta.getSchema")
    assert uuid.endswith("-013")
    assert (schema["schema"], schema["owner"]) == (HEIGHT, "sandbox")
    assert set(schema["_links"]) == {"self", "permissions", "owner"}
    assert checked(http.get(SCHEMAS, params={"uuid": uuid}), "meta.searchSchema") == [schema]
    query = {"uuid": "", "q": json.dumps({"schema.properties.height.type": "number", "uuid": uuid})}
    assert checked(http.get(SCHEMAS, params=query), "meta.searchSchema") == [schema]


@pytest.mark.parametrize("document", [[], "text", 3, {"type": "nonsense"}, {"properties": 3}, {"pattern": "("}])
def test_what_is_no_schema_is_refused(http: Http, document: Any) -> None:
    refusal(http.post(SCHEMAS, json=document), status=400)


def test_a_value_keeps_to_its_schema(http: Http) -> None:
    schema = add_schema(http)
    item = add(http, schemaId=schema, value={"height": 3})
    assert item["_links"]["SCHEMA"]["href"] == f"{http.base_url}{SCHEMAS}/{schema}"
    wrong = {"name": "x", "value": {"height": "tall"}, "schemaId": schema}
    said = "The value field does not adhere to the metadata schema referenced by the schemaId"
    assert refusal(http.post(DATA, json=wrong), status=400).startswith(said)
    assert refusal(http.post(f"{DATA}/{item['uuid']}", json={"value": 1}), status=400).startswith(said)
    free = checked(http.post(f"{DATA}/{item['uuid']}", json={"value": 1, "schemaId": None}), "meta.updateMetadata")
    assert (free["value"], free["schemaId"]) == (1, None)


def test_a_schema_is_replaced_and_deleted_and_items_stay(http: Http) -> None:
    uuid = add_schema(http)
    item = add(http, schemaId=uuid, value={"height": 3})
    checked(http.post(f"{SCHEMAS}/{uuid}", json={"type": "string"}), "meta.updateSchema")
    assert checked(http.get(f"{SCHEMAS}/{uuid}"), "meta.getSchema")["schema"] == {"type": "string"}
    assert checked(http.delete(f"{SCHEMAS}/{uuid}"), "meta.deleteSchema") is None
    refusal(http.get(f"{SCHEMAS}/{uuid}"), status=404)
    assert checked(http.get(f"{DATA}/{item['uuid']}"), "meta.getMetadata")["schemaId"] == uuid


def test_a_schema_of_somebody_else_is_neither_read_nor_used(http: Http, other: Http) -> None:
    uuid = add_schema(http)
    assert checked(other.get(SCHEMAS, params={"uuid": uuid}), "meta.searchSchema") == []
    for answer in (
        other.get(f"{SCHEMAS}/{uuid}"),
        other.post(f"{SCHEMAS}/{uuid}", json={}),
        other.delete(f"{SCHEMAS}/{uuid}"),
        other.post(DATA, json={"name": "x", "value": {"height": 1}, "schemaId": uuid}),
    ):
        assert uuid in refusal(answer, status=403)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("http://127.0.0.1:9/schema.json", "Unresolvable"),
        ("file:///etc/passwd", "Unresolvable"),
        ("#/definitions/nothing", "does not exist"),
    ],
)
def test_a_reference_to_another_document_is_not_followed(http: Http, reference: str, said: str) -> None:
    uuid = add_schema(http, {"$ref": reference})
    assert said in refusal(http.post(DATA, json={"name": "x", "value": 1, "schemaId": uuid}), status=400)


def test_a_schema_that_keeps_the_validator_busy_is_given_up(http: Http) -> None:
    uuid = add_schema(http, {"pattern": "^(a+)+$"})
    answer = http.post(DATA, json={"name": "x", "value": "a" * 60 + "!", "schemaId": uuid})
    assert "takes more than 2 s" in refusal(answer, status=400)


# Many at once


def test_each_element_of_a_bulk_request_has_its_own_outcome(http: Http, other: Http) -> None:
    foreign = add(other)["uuid"]
    name = new_name()
    items = [{"name": name, "value": 1}, {"name": name}, 3, {"name": name, "value": 2}]
    created = checked(http.post("/meta/v2/bulk/create", json=items), "meta.bulkCreate")
    assert created.startswith("2 created, 2 of 4 elements failed. Element 2: Invalid 'metadata.value'")
    first = found(http, {"name": name, "value": 1})[0]
    changes = [{"uuid": first, "value": 5}, {"filter": {"name": name}, "update": {"value": [6]}}, {"uuid": foreign}]
    updated = checked(http.post("/meta/v2/bulk/update", json=changes), "meta.bulkUpdate")
    assert updated.startswith("3 updated, 1 of 3 elements failed. Element 3: Permission denied.")
    assert len(found(http, {"name": name, "value": 6})) == 2
    unwanted = [{"uuid": first}, {"filter": {"value": 6, "name": name}}, {"uuid": foreign}, {}, {"filter": {"$x": 1}}]
    deleted = checked(http.post("/meta/v2/bulk/delete", json=unwanted), "meta.bulkDelete")
    assert deleted.startswith("2 deleted, 3 of 5 elements failed.")
    assert found(http, {"name": name}) == []
    assert found(other, {"uuid": foreign}) == [foreign]
    refusal(http.post("/meta/v2/bulk/create", json={"name": "x"}), status=400)


def test_notifications_within_metadata_are_refused(http: Http) -> None:
    body = {"name": new_name(), "value": 1, "notifications": [{"url": "http://127.0.0.1/", "event": "*"}]}
    assert "metadata.notifications" in refusal(http.post(DATA, json=body), status=400)


# Through the client


def test_the_client_reaches_every_operation(tenant: Sandbox) -> None:
    tenant.add_user("nils", "nils-password")
    ag = tenant.client()
    meta = ag.meta
    item = meta.addMetadata(body={"name": "foofymcfoofoo", "value": {"a": 1}})
    schema = meta.addSchema(body=HEIGHT)
    assert isinstance(item.created, datetime.datetime)
    assert isinstance(meta.getMetadata(uuid=item.uuid).lastUpdated, datetime.datetime)
    [listed] = meta.listMetadata(q="{'name': 'foofymcfoofoo'}")
    assert isinstance(listed.created, str)
    assert meta.updateMetadata(uuid=item.uuid, body={"name": "n", "value": 2}).value == 2
    assert meta.getSchema(uuid=schema.uuid).schema == HEIGHT
    assert meta.updateSchema(uuid=schema.uuid, body={"type": "object"}).schema == {"type": "object"}
    assert [each.uuid for each in meta.searchSchema(uuid=schema.uuid)] == [schema.uuid]
    for noun, uuid, all_of in (("Metadata", item.uuid, "Permission"), ("Schema", schema.uuid, "Permissions")):
        body = {"username": "nils", "permission": "READ"}
        assert getattr(meta, f"update{noun}Permissions")(uuid=uuid, body=body).permission.read is True
        assert (
            getattr(meta, f"update{noun}PermissionsForUser")(uuid=uuid, username="nils", body=body).username == "nils"
        )
        assert getattr(meta, f"list{noun}PermissionsForUser")(uuid=uuid, username="nils").permission.write is False
        assert len(getattr(meta, f"list{noun}Permissions")(uuid=uuid)) == 2
        getattr(meta, f"delete{noun}PermissionsForUser")(uuid=uuid, username="nils")
        getattr(meta, f"delete{noun}{all_of}")(uuid=uuid)
    assert meta.bulkCreate(body=[{"name": "bulk", "value": 1}]).startswith("1 created")
    assert meta.bulkUpdate(body=[{"filter": {"name": "bulk"}, "update": {"value": 2}}]).startswith("1 updated")
    assert meta.bulkDelete(body=[{"filter": {"name": "bulk"}}]).startswith("1 deleted")
    assert meta.deleteMetadata(uuid=item.uuid) is None
    assert meta.deleteSchema(uuid=schema.uuid) is None
    assert ag.drift == []
    ag.close()


def test_every_operation_of_the_document_is_served(tenant: Sandbox) -> None:
    ag = tenant.client()
    served = {name for name, _ in inspect.getmembers(Meta, inspect.isfunction)}
    assert {name for name in dir(ag.meta) if not name.startswith("_")} <= served
    ag.close()


def test_items_outlive_the_tenant(tmp_path: Any) -> None:
    for expected in (0, 1):
        with Sandbox(root=tmp_path) as tenant:
            ag = tenant.client()
            assert len(ag.meta.listMetadata(q="{'value.kept': true}")) == expected
            ag.meta.addMetadata(body={"name": "n", "value": {"kept": True}})
            ag.close()
