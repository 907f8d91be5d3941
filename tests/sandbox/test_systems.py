"""Systems over HTTP: registration and its rules, defaults, roles, who sees what."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox
from agavepy.sandbox.disk import Disk

from .conftest import Http
from .schema import checked, refusal

_numbers = itertools.count(1)


def storage(**changes: Any) -> dict[str, Any]:
    """Return a storage system's description with an id of its own; dots in a name reach into ``storage``."""
    described: dict[str, Any] = {
        "id": f"data-{next(_numbers)}.example.org",
        "name": "Data store",
        "type": "STORAGE",
        "description": "A disk",
        "storage": {
            "protocol": "SFTP",
            "host": "disk.example.org",
            "port": 22,
            "rootDir": "/",
            "homeDir": "/home/ann",
            "auth": {"type": "PASSWORD", "username": "ann", "password": "not to be seen"},
        },
    }
    return _changed(described, changes)


def execution(**changes: Any) -> dict[str, Any]:
    """Return an execution system's description with an id of its own."""
    keys = {"type": "SSHKEYS", "username": "ann", "publicKey": "not to be seen", "privateKey": "not to be seen"}
    described = storage(type="EXECUTION", executionType="CLI", scratchDir="/scratch/ann")
    return _changed(
        {**described, "login": {"protocol": "SSH", "host": "node.example.org", "port": 22, "auth": keys}}, changes
    )


def _changed(described: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        parent = described
        *above, last = name.split("__")
        for step in above:
            parent = parent[step]
        parent[last] = value
    return described


@pytest.fixture
def bob(tenant: Sandbox, http: Http) -> Http:
    if not tenant.state.accounts.exists("bob"):
        return http.as_user(tenant, "bob")
    return Http(tenant, user="bob", password="bob-password")


@pytest.fixture
def add(http: Http) -> Callable[..., dict[str, Any]]:
    """Register a system and return what the tenant says of it."""

    def register(described: dict[str, Any]) -> dict[str, Any]:
        return checked(http.post("/systems/v2/", json=described), "systems.add", status=201)

    return register


Add = Callable[..., dict[str, Any]]


def act(http: Http, system_id: str, action: str, **more: Any) -> Any:
    return checked(http.put(f"/systems/v2/{system_id}", data={"action": action, **more}), "systems.manage")


def events(tenant: Sandbox, system: dict[str, Any]) -> list[str]:
    return [event["status"] for event in tenant.state.store.events(system["uuid"])]


# A fresh tenant


def test_a_fresh_tenant_has_a_public_default_of_each_kind(http: Http) -> None:
    found = checked(http.get("/systems/v2/?default=True"), "systems.list")
    assert {(each["id"], each["type"], each["public"]) for each in found} == {
        ("sandbox-storage", "STORAGE", True),
        ("sandbox-exec", "EXECUTION", True),
    }


def test_the_built_in_execution_system_runs_forked_processes(http: Http) -> None:
    system = checked(http.get("/systems/v2/sandbox-exec"), "systems.get")
    assert (system["executionType"], system["scheduler"], system["scratchDir"]) == ("CLI", "FORK", "/scratch/")
    assert [queue["default"] for queue in system["queues"]] == [True]
    assert system["globalDefault"] is True


# Registration


def test_a_storage_system_is_registered_without_its_secrets(http: Http, add: Add, tenant: Sandbox) -> None:
    described = storage()
    answer = http.post("/systems/v2/", json=described)
    system = checked(answer, "systems.add", status=201)
    assert "not to be seen" not in answer.text
    assert system["storage"]["auth"] == {"type": "PASSWORD"}
    assert (system["owner"], system["revision"], system["public"]) == (http.user, 1, False)
    assert system["uuid"].endswith("-006")
    kept = tenant.state.store.get("system", described["id"])
    assert "not to be seen" not in str(kept)
    assert "ann" not in str(kept["storage"]["auth"])


def test_an_execution_system_gets_its_defaults(add: Add) -> None:
    system = add(execution())
    assert system["scheduler"] == "FORK"
    assert system["scratchDir"] == "/scratch/ann/"
    assert system["maxSystemJobs"] == 2147483647
    assert [queue["name"] for queue in system["queues"]] == ["default"]


def test_the_memory_of_a_queue_comes_back_as_gigabytes(add: Add) -> None:
    queues = [{"name": "short", "maxMemoryPerNode": "2TB"}, {"name": "long", "default": True, "maxMemoryPerNode": 8}]
    system = add(execution(executionType="HPC", scheduler="CUSTOM_SLURM", queues=queues))
    assert [queue["maxMemoryPerNode"] for queue in system["queues"]] == [2048, 8]
    assert [queue["default"] for queue in system["queues"]] == [False, True]


def test_a_description_arrives_as_json_file_too(http: Http) -> None:
    described = storage()
    files = {"fileToUpload": ("system.json", json.dumps(described), "text/plain")}
    assert checked(http.post("/systems/v2/", files=files), "systems.add", status=201)["id"] == described["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("id", "no spaces"),
        ("id", ".."),
        ("id", "x" * 65),
        ("id", "Storage"),
        ("name", ""),
        ("name", "x" * 65),
        ("type", "TAPE"),
        ("site", ""),
        ("status", "SLEEPY"),
        ("storage", "disk"),
        ("storage__protocol", "CARRIER_PIGEON"),
        ("storage__host", None),
        ("storage__port", None),
        ("storage__port", 0),
        ("storage__port", True),
        ("storage__rootDir", "/a/../.."),
        ("storage__zone", "tempZone"),
        ("storage__mirror", True),
        ("storage__auth", None),
        ("storage__auth__type", "HANDSHAKE"),
        ("storage__auth__password", ""),
        ("storage__auth__privateKey", "key"),
        ("login__protocol", "TELEPATHY"),
        ("login__auth__privateKey", 5),
        ("executionType", None),
        ("scheduler", "SLURM"),
        ("queues", {"name": "q"}),
        ("maxSystemJobs", 0),
        ("maxSystemJobsPerUser", "many"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(http: Http, field: str, value: Any) -> None:
    message = refusal(http.post("/systems/v2/", json=execution(**{field: value})), status=400)
    assert f"{field.replace('__', '.')}'" in message


@pytest.mark.parametrize("folder", ["ü" * 200, "\ud800"])
def test_a_home_that_no_folder_can_have_is_refused(http: Http, folder: str) -> None:
    refusal(http.post("/systems/v2/", json=storage(storage__homeDir=folder)), status=400)


@pytest.mark.parametrize(
    ("queue", "field"),
    [
        ({}, "name"),
        ({"name": "q", "maxMemoryPerNode": "much"}, "maxMemoryPerNode"),
        ({"name": "q", "maxMemoryPerNode": 0}, "maxMemoryPerNode"),
        ({"name": "q", "maxRequestedTime": "2h"}, "maxRequestedTime"),
        ({"name": "q", "maxJobs": 0}, "maxJobs"),
    ],
)
def test_a_queue_that_breaks_a_rule_is_named(http: Http, queue: dict[str, Any], field: str) -> None:
    message = refusal(http.post("/systems/v2/", json=execution(queues=[queue])), status=400)
    assert f"queues[0].{field}'" in message


def test_a_batch_system_needs_a_scheduler_and_queues(http: Http) -> None:
    message = refusal(http.post("/systems/v2/", json=execution(executionType="HPC")), status=400)
    assert "scheduler" in message
    batch = execution(executionType="HPC", scheduler="PBS")
    assert "queues" in refusal(http.post("/systems/v2/", json=batch), status=400)


def test_a_refusal_shows_no_secret(http: Http) -> None:
    wrong = storage(storage__auth={"type": "PASSWORD", "username": "ann", "password": 123456789})
    assert "123456789" not in refusal(http.post("/systems/v2/", json=wrong), status=400)
    wrong = storage(storage__auth="hunter2")
    assert "hunter2" not in refusal(http.post("/systems/v2/", json=wrong), status=400)


@pytest.mark.parametrize("body", ["", "[]", "{", '"text"', "null"])
def test_a_body_that_is_no_object_is_refused(http: Http, body: str) -> None:
    refusal(http.post("/systems/v2/", data=body, headers={"Content-Type": "application/json"}), status=400)


# Updating and deleting


def test_an_update_replaces_the_description_and_counts(http: Http, add: Add, tenant: Sandbox) -> None:
    described = storage()
    system = add(described)
    body = {**described, "name": "Renamed", "description": None}
    updated = checked(http.post(f"/systems/v2/{described['id']}", json=body), "systems.update")
    assert (updated["name"], updated["description"], updated["revision"]) == ("Renamed", None, 2)
    assert updated["uuid"] == system["uuid"]
    assert events(tenant, system) == ["CREATED", "UPDATED"]


def test_adding_ones_own_system_again_updates_it(add: Add) -> None:
    described = storage()
    add(described)
    assert add({**described, "name": "Again"})["revision"] == 2


def test_an_update_keeps_id_and_type(http: Http, add: Add) -> None:
    described = storage()
    add(described)
    address = f"/systems/v2/{described['id']}"
    assert "'id' must be" in refusal(http.post(address, json=storage()), status=400)
    other = execution(id=described["id"])
    assert "type" in refusal(http.post(address, json=other), status=400)


def test_an_update_of_nothing_is_not_found(http: Http) -> None:
    message = refusal(http.post("/systems/v2/nothing-here", json=storage()), status=404)
    assert message == "No system found matching nothing-here"


def test_strangers_neither_see_nor_change_a_private_system(bob: Http, add: Add) -> None:
    described = storage()
    address = f"/systems/v2/{add(described)['id']}"
    assert refusal(bob.get(address), status=403).startswith("Permission denied.")
    refusal(bob.post(address, json=described), status=403)
    refusal(bob.post("/systems/v2/", json=described), status=403)
    refusal(bob.put(address, data={"action": "setDefault"}), status=403)
    refusal(bob.delete(address), status=403)
    assert described["id"] not in [each["id"] for each in checked(bob.get("/systems/v2/"), "systems.list")]


def test_a_deleted_system_is_gone_but_its_id_stays_taken(http: Http, admin: Http, add: Add) -> None:
    described = storage()
    address = f"/systems/v2/{add(described)['id']}"
    assert checked(http.delete(address), "systems.delete") is None
    refusal(http.get(address), status=404)
    assert described["id"] not in [each["id"] for each in checked(http.get("/systems/v2/"), "systems.list")]
    assert "taken" in refusal(http.post("/systems/v2/", json=described), status=400)
    refusal(http.put(address, data={"action": "erase"}), status=403)
    checked(admin.put(address, data={"action": "erase"}), "systems.manage")
    assert add(described)["revision"] == 1


def test_while_an_erased_systems_files_are_removed_others_write(
    http: Http, admin: Http, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = add(storage())
    discard, seen = Disk.discard, []

    def discard_watched(disk: Disk, place: Path) -> None:
        answer = http.post("/files/v2/media/system/sandbox-storage/sandbox", files={"fileToUpload": ("meanwhile", b"")})
        seen.append(answer.status_code)
        monkeypatch.undo()
        discard(disk, place)

    monkeypatch.setattr(Disk, "discard", discard_watched)
    checked(admin.put(f"/systems/v2/{described['id']}", data={"action": "erase"}), "systems.manage")
    assert seen == [202]


def test_an_erased_system_leaves_no_file_for_who_takes_its_id(http: Http, admin: Http, add: Add) -> None:
    described = storage()
    add(described)
    http.post(f"/files/v2/media/system/{described['id']}", files={"fileToUpload": ("a.txt", b"mine")})
    checked(admin.put(f"/systems/v2/{described['id']}", data={"action": "erase"}), "systems.manage")
    add(described)
    found = checked(http.get(f"/files/v2/listings/system/{described['id']}"), "files.list")
    assert [each["name"] for each in found] == ["."]


def test_a_public_system_is_neither_updated_nor_deleted(admin: Http) -> None:
    body = storage(id="sandbox-storage")
    refusal(admin.post("/systems/v2/sandbox-storage", json=body), status=403)
    refusal(admin.delete("/systems/v2/sandbox-storage"), status=501)


# Lists


def test_a_list_tells_kind_and_default(http: Http, add: Add) -> None:
    system = add(execution(description="x" * 300))
    found = checked(http.get("/systems/v2/?type=EXECUTION&public=False"), "systems.list")
    listed = next(each for each in found if each["id"] == system["id"])
    assert {each["type"] for each in found} == {"EXECUTION"}
    assert not any(each["public"] for each in found)
    assert listed["description"] == "x" * 255 + "..."
    assert listed["_links"]["self"]["href"] == f"{http.base_url}/systems/v2/{system['id']}"


@pytest.mark.parametrize("term", ["id", "id.like", "storage.host", "uuid.in"])
def test_a_list_is_searched_by_fields(http: Http, add: Add, term: str) -> None:
    system = add(storage(storage__host=f"host-{next(_numbers)}"))
    field = term.split(".")[0]
    value = system["storage"]["host"] if field == "storage" else system[field]
    found = checked(http.get("/systems/v2/", params={term: value}), "systems.list")
    assert [each["id"] for each in found] == [system["id"]]


def test_a_list_with_a_filter_gives_whole_systems(http: Http, add: Add) -> None:
    system = add(storage())
    found = http.get("/systems/v2/", params={"id": system["id"], "filter": "id,storage.host"}).json()["result"]
    assert found == [{"id": system["id"], "storage": {"host": "disk.example.org"}}]


def test_the_latest_changed_comes_first(http: Http, add: Add, tenant: Sandbox, clock: Any) -> None:
    first, second = add(storage()), add(storage())
    clock.advance(10)
    act(http, first["id"], "setDefault")
    act(http, first["id"], "unsetDefault")
    act(http, second["id"], "disable")
    act(http, second["id"], "enable")
    names = [each["id"] for each in checked(http.get("/systems/v2/"), "systems.list")]
    assert names.index(second["id"]) < names.index(first["id"])


# Actions


def test_the_default_of_a_user_hides_the_tenants(http: Http, bob: Http, add: Add) -> None:
    system = add(storage())
    assert act(http, system["id"], "setDefault")["default"] is True
    defaults = checked(http.get("/systems/v2/?default=true&type=STORAGE"), "systems.list")
    assert [each["id"] for each in defaults] == [system["id"]]
    others = checked(bob.get("/systems/v2/?default=true&type=STORAGE"), "systems.list")
    assert [each["id"] for each in others] == ["sandbox-storage"]
    assert act(http, system["id"], "UNSETDEFAULT")["default"] is False
    defaults = checked(http.get("/systems/v2/?default=true&type=STORAGE"), "systems.list")
    assert [each["id"] for each in defaults] == ["sandbox-storage"]


def test_a_default_that_is_deleted_gives_way_to_the_tenants(http: Http, add: Add) -> None:
    system = add(storage())
    act(http, system["id"], "setDefault")
    http.delete(f"/systems/v2/{system['id']}")
    defaults = checked(http.get("/systems/v2/?default=true&type=STORAGE"), "systems.list")
    assert [each["id"] for each in defaults] == ["sandbox-storage"]


def test_publishing_is_the_administrators(http: Http, admin: Http, bob: Http, add: Add, tenant: Sandbox) -> None:
    system = add(storage())
    refusal(http.put(f"/systems/v2/{system['id']}", data={"action": "publish"}), status=403)
    assert act(admin, system["id"], "publish")["public"] is True
    assert "already public" in refusal(admin.put(f"/systems/v2/{system['id']}", json={"action": "PUBLISH"}), status=400)
    assert checked(bob.get(f"/systems/v2/{system['id']}"), "systems.get")["public"] is True
    act(admin, system["id"], "unpublish")
    refusal(bob.get(f"/systems/v2/{system['id']}"), status=403)
    assert events(tenant, system) == ["CREATED", "PUBLISH", "UNPUBLISH"]


def test_the_tenants_default_is_public_and_only_one(http: Http, admin: Http, add: Add) -> None:
    system = add(storage())
    address = f"/systems/v2/{system['id']}"
    assert "not public" in refusal(admin.put(address, data={"action": "setGlobalDefault"}), status=400)
    act(admin, system["id"], "publish")
    refusal(http.put(address, data={"action": "setGlobalDefault"}), status=403)
    assert act(admin, system["id"], "setGlobalDefault")["globalDefault"] is True
    assert checked(http.get("/systems/v2/sandbox-storage"), "systems.get")["globalDefault"] is False
    act(admin, "sandbox-storage", "setGlobalDefault")
    assert checked(http.get(address), "systems.get")["globalDefault"] is False
    act(admin, system["id"], "unpublish")


def test_a_clone_is_private_and_without_credentials(http: Http, add: Add) -> None:
    system = add(execution())
    new_id = f"clone-{next(_numbers)}"
    clone = act(http, system["id"], "clone", id=new_id)
    assert (clone["id"], clone["revision"], clone["public"], clone["owner"]) == (new_id, 1, False, http.user)
    assert "auth" not in clone["storage"]
    assert "auth" not in clone["login"]
    assert clone["uuid"] != system["uuid"]
    assert "taken" in refusal(
        http.put(f"/systems/v2/{system['id']}", json={"action": "clone", "id": new_id}), status=400
    )
    refusal(http.put(f"/systems/v2/{system['id']}", json={"action": "clone"}), status=400)
    refusal(http.put(f"/systems/v2/{system['id']}", json={"action": "clone", "id": "../x"}), status=400)


def test_a_disabled_system_vanishes_until_it_is_enabled(http: Http, add: Add, tenant: Sandbox) -> None:
    system = add(storage())
    assert act(http, system["id"], "disable")["available"] is False
    assert system["id"] not in [each["id"] for each in checked(http.get("/systems/v2/"), "systems.list")]
    refusal(http.get(f"/files/v2/listings/system/{system['id']}"), status=404)
    refusal(http.post(f"/systems/v2/{system['id']}", json=storage(id=system["id"])), status=400)
    assert act(http, system["id"], "enable")["available"] is True
    assert events(tenant, system) == ["CREATED", "DISABLED", "ENABLED"]


@pytest.mark.parametrize("body", [{"action": "explode"}, {"action": ""}, {}, {"action": 5}])
def test_an_unknown_action_is_refused(http: Http, add: Add, body: dict[str, Any]) -> None:
    refusal(http.put(f"/systems/v2/{add(storage())['id']}", json=body), status=400)


# Roles


def roles(http: Http, system_id: str) -> dict[str, str]:
    found = checked(http.get(f"/systems/v2/{system_id}/roles"), "systems.listRoles")
    return {each["username"]: each["role"] for each in found}


def test_a_role_lets_a_user_in_and_its_end_out(http: Http, bob: Http, add: Add, tenant: Sandbox) -> None:
    system = add(storage())
    address = f"/systems/v2/{system['id']}"
    granted = http.post(f"{address}/roles", data={"username": "bob", "role": "USER"})
    [entry] = checked(granted, "systems.updateRole", status=201)
    assert (entry["username"], entry["role"]) == ("bob", "USER")
    assert roles(http, system["id"]) == {http.user: "OWNER", "bob": "USER"}
    assert roles(bob, system["id"]) == {"bob": "USER"}
    checked(bob.get(address), "systems.get")
    assert http.delete(f"{address}/roles/bob").status_code == 200
    refusal(bob.get(address), status=403)
    assert events(tenant, system) == ["CREATED", "ROLES_GRANT", "ROLES_REVOKE"]


def test_a_role_is_read_by_managers_as_object_and_by_others_as_array(http: Http, bob: Http, add: Add) -> None:
    system = add(storage())
    address = f"/systems/v2/{system['id']}/roles/bob"
    assert refusal(http.get(address), status=404) == "No roles found for user bob"
    checked(http.post(address, json={"role": "guest"}), "systems.updateRoleForUser", status=201)
    assert checked(http.get(address), "systems.getRoleForUser")["role"] == "GUEST"
    assert [each["role"] for each in bob.get(address).json()["result"]] == ["GUEST"]
    refusal(bob.get(f"/systems/v2/{system['id']}/roles/{http.user}"), status=404)


def test_no_role_and_none_take_a_role_away(http: Http, add: Add) -> None:
    system = add(storage())
    address = f"/systems/v2/{system['id']}/roles"
    for body in ({"username": "bob", "role": "NONE"}, {"username": "bob", "role": ""}, {"username": "bob"}):
        http.post(address, json={"username": "bob", "role": "USER"})
        assert http.post(address, json=body).status_code == 200
        assert "bob" not in roles(http, system["id"])


def test_deleting_the_roles_leaves_the_owner(http: Http, add: Add) -> None:
    system = add(storage())
    for name in ("bob", "eve"):
        http.post(f"/systems/v2/{system['id']}/roles", json={"username": name, "role": "USER"})
    assert checked(http.delete(f"/systems/v2/{system['id']}/roles"), "systems.deleteRoles") is None
    assert roles(http, system["id"]) == {http.user: "OWNER"}


@pytest.mark.parametrize(
    "body",
    [
        {"username": "bob", "role": "PUBLISHER"},
        {"username": "bob", "role": "KING"},
        {"username": "bob", "role": 5},
        {"role": "USER"},
        {},
    ],
)
def test_a_role_that_cannot_be_is_refused(http: Http, add: Add, body: dict[str, Any]) -> None:
    refusal(http.post(f"/systems/v2/{add(storage())['id']}/roles", json=body), status=400)


def test_the_owners_role_stays(http: Http, add: Add) -> None:
    system = add(storage())
    refusal(http.post(f"/systems/v2/{system['id']}/roles", json={"username": http.user, "role": "GUEST"}), status=400)


def test_users_do_not_manage_but_administrators_do(http: Http, bob: Http, add: Add) -> None:
    described = execution()
    address = f"/systems/v2/{add(described)['id']}"
    http.post(f"{address}/roles", json={"username": "bob", "role": "PUBLISHER"})
    refusal(bob.post(address, json=described), status=403)
    refusal(bob.post(f"{address}/roles", json={"username": "eve", "role": "USER"}), status=403)
    http.post(f"{address}/roles", json={"username": "bob", "role": "ADMIN"})
    assert checked(bob.post(address, json=described), "systems.update")["revision"] == 2
    checked(bob.post(f"{address}/roles", json={"username": "eve", "role": "USER"}), "systems.updateRole", status=201)


def test_roles_of_a_public_system_are_its_managers(http: Http, admin: Http) -> None:
    body = {"username": "eve", "role": "GUEST"}
    refusal(http.post("/systems/v2/sandbox-exec/roles", json=body), status=501)
    checked(admin.post("/systems/v2/sandbox-exec/roles", json=body), "systems.updateRole", status=201)
    # Everybody may register apps on it: a laptop has no administrator to ask.
    assert roles(http, "sandbox-exec") == {http.user: "PUBLISHER"}


def test_systems_are_still_there_when_the_tenant_starts_again(tmp_path: Any) -> None:
    described = storage()
    with Sandbox(root=tmp_path) as first:
        http = Http(first)
        http.post("/systems/v2/", json=described)
        act(http, described["id"], "setDefault")
    with Sandbox(root=tmp_path) as second:
        system = checked(Http(second).get(f"/systems/v2/{described['id']}"), "systems.get")
    assert (system["default"], system["revision"]) == (True, 1)
