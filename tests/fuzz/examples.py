"""What a sensible caller sends: for each parameter a value that leads somewhere. seeds.py fills in ``seed.NAME``."""

from __future__ import annotations

from typing import Any

_STORAGE = {"protocol": "LOCAL", "host": "localhost", "rootDir": "/", "homeDir": "/home", "auth": {"type": "LOCAL"}}
_SYSTEM = {"id": "seed.new.example.org", "name": "Data", "type": "STORAGE", "storage": _STORAGE}
_CREDENTIAL = {"type": "LOCAL", "username": "ann", "password": "engine"}
_ROLE = {"username": "seed.guest", "role": "USER"}
_PERMISSION = {"username": "seed.guest", "permission": "READ"}
_ITEM = {"name": "plant", "value": {"height": 3}, "associationIds": ["seed.item"]}
_SCHEMA = {"type": "object", "properties": {"height": {"type": "number"}}}
_NOBODY_LISTENS = "http://127.0.0.1:9/"  # the port of the discard service, which is nowhere any more
_NOTIFICATION = {"associatedUuid": "seed.watched", "event": "*", "url": _NOBODY_LISTENS}
_PERSON = {"username": "seed.new", "password": "engine", "email": "ada@example.org", "firstName": "Ada"}
_APP = {
    "name": "seed.new",
    "version": "0.1.0",
    "executionType": "CLI",
    "parallelism": "SERIAL",
    "executionSystem": "sandbox-exec",
    "deploymentPath": "seed.user/seed.deployment",
    "templatePath": "wrapper.sh",
    "testPath": "test.sh",
    "inputs": [{"id": "one", "value": {"default": "seed.user/seed.note"}}],
    "parameters": [{"id": "n", "value": {"type": "number", "default": 1}}],
    "outputs": [{"id": "out"}],
}

# Of all operations of a service that have a parameter of that name.
_OF_SERVICE: dict[str, dict[str, Any]] = {
    "actors": {
        "actorId": "seed.actor",
        "alias": "seed.alias",
        "executionId": "seed.execution",
        "nonceId": "seed.nonce",
        "search_type": "actors",
        "workerId": "seed.worker",
    },
    "admin": {"accountId": "seed.robot", "apiId": "seed.api", "roleId": "seed.role"},
    "apps": {
        "appId": "seed.app",
        "name": "seed.appname",
        "systemId": "sandbox-exec",
        "tag": "plants",
        "term": "plants",
        "uniqueName": "seed.app",
        "username": "seed.guest",
    },
    "clients": {"clientName": "seed.client"},
    "files": {
        "callbackURL": _NOBODY_LISTENS,
        "filePath": "seed.user/seed.note",
        "sourcefilePath": "seed.user/seed.note",
        "systemId": "sandbox-storage",
    },
    "jobs": {
        "attribute": "status",
        "filePath": "out.txt",
        "jobId": "seed.job",
        "username": "seed.guest",
        "value": "FINISHED",
    },
    "meta": {"q": '{"name": {"$in": ["plant", "seed"]}}', "username": "seed.guest"},
    "monitors": {"checkId": "seed.check", "monitorId": "seed.monitor", "target": "seed.system"},
    "notifications": {"associatedUuid": "seed.watched", "uuid": "seed.notification"},
    "postits": {"uuid": "seed.postit"},
    "profiles": {"email": "ada@example.org", "name": "Ada", "username": "seed.person"},
    "systems": {
        "credentialType": "STORAGE",
        "internalUsername": "ann",
        "systemId": "seed.system",
        "username": "seed.guest",
    },
    "transforms": {"filePath": "seed.note", "owner": "seed.user", "tag": "compression", "transformId": "gzip"},
}

# Of one operation; a body goes by the name "body", whatever the document calls it.
_OF_OPERATION: dict[str, dict[str, Any]] = {
    "actors.add": {"body": {"image": "fuzz/echo", "stateless": False}},
    "actors.addAlias": {"body": {"actorId": "seed.actor", "alias": "seed.new"}},
    "actors.addNonce": {"body": {"level": "EXECUTE", "maxUses": 3}},
    "actors.addWorker": {"body": {"num": 2}},
    "actors.sendMessage": {"body": {"message": "hello"}},
    "actors.update": {"body": {"image": "fuzz/echo", "stateless": False}},
    "actors.updatePermissions": {"body": {"user": "seed.guest", "level": "READ"}},
    "actors.updateState": {"body": {"count": 1}},
    "admin.addAccount": {"body": {"id": "seed.new", "password": "engine", "roles": ["seed.role"]}},
    "admin.addAccountToRole": {"body": {"account_id": "seed.robot"}},
    "admin.addApi": {"body": {"api_name": "seed.new", "context": "/seed.new", "url": _NOBODY_LISTENS}},
    "admin.addRole": {"body": {"id": "seed.new"}},
    "admin.addRoleToAccount": {"body": {"role_id": "seed.role"}},
    "admin.updateAccount": {"body": {"id": "seed.robot", "password": "engine", "roles": []}},
    "admin.updateApiStatus": {"body": {"status": "PUBLISHED"}},
    "apps.add": {"body": _APP},
    "apps.manage": {"body": {"action": "clone", "name": "seed.new"}},
    "apps.update": {"body": {**_APP, "name": "seed.appname"}},
    "apps.updateApplicationPermissions": {"body": _PERMISSION},
    "apps.updatePermissionsForUser": {"body": _PERMISSION},
    "clients.addSubscriptionForClient": {"body": {"apiName": "Files"}},
    "clients.create": {"body": {"clientName": "seed.new", "tier": "Gold", "callbackUrl": _NOBODY_LISTENS}},
    "files.importData": {"filePath": "seed.user/seed.folder"},
    "files.importToDefaultSystem": {"sourcefilePath": "seed.user/seed.folder"},
    "files.list": {"filePath": "seed.user/seed.folder"},
    "files.listOnDefaultSystem": {"filePath": "seed.user/seed.folder"},
    "files.manage": {"body": {"action": "rename", "path": "seed.new"}},
    "files.manageOnDefaultSystem": {"body": {"action": "copy", "path": "seed.user/seed.new"}},
    "files.updatePermissions": {"body": _PERMISSION},
    "files.updatePermissionsOnDefaultSystem": {"body": _PERMISSION},
    "jobs.listOutputs": {"filePath": "."},
    "jobs.manage": {"body": {"action": "resubmit"}},
    "jobs.submit": {"body": {"name": "a job", "appId": "seed.app", "parameters": {}, "inputs": {}}},
    "jobs.updatePermissions": {"body": _PERMISSION},
    "jobs.updatePermissionsForUser": {"body": _PERMISSION},
    "meta.addMetadata": {"body": _ITEM},
    "meta.addSchema": {"body": _SCHEMA},
    "meta.bulkCreate": {"body": [_ITEM]},
    "meta.bulkDelete": {"body": [{"uuid": "seed.item"}]},
    "meta.bulkUpdate": {"body": [{"uuid": "seed.item", "value": 5}]},
    "meta.updateMetadata": {"body": {**_ITEM, "schemaId": "seed.schema"}},
    "meta.updateMetadataPermissions": {"body": _PERMISSION},
    "meta.updateMetadataPermissionsForUser": {"body": _PERMISSION},
    "meta.updateSchema": {"body": _SCHEMA},
    "meta.updateSchemaPermissions": {"body": _PERMISSION},
    "meta.updateSchemaPermissionsForUser": {"body": _PERMISSION},
    "monitors.add": {"body": {"target": "seed.system", "frequency": 10}},
    "monitors.update": {"body": {"target": "seed.system", "frequency": 20}},
    "notifications.add": {"body": _NOTIFICATION},
    "notifications.update": {"body": _NOTIFICATION},
    "postits.create": {"body": {"url": "seed.url/files/v2/listings/", "maxUses": 2, "lifetime": 600}},
    "profiles.create": {"body": _PERSON},
    "profiles.update": {"body": {"firstName": "Augusta"}},
    "systems.add": {"body": _SYSTEM},
    "systems.manage": {"body": {"action": "clone", "id": "seed.new"}},
    "systems.update": {"body": {**_SYSTEM, "id": "seed.system"}},
    "systems.updateCredentials": {"body": _CREDENTIAL},
    "systems.updateCredentialsForInternalUser": {"body": _CREDENTIAL},
    "systems.updateCredentialsForInternalUserByType": {"body": _CREDENTIAL},
    "systems.updateRole": {"body": _ROLE},
    "systems.updateRoleForUser": {"body": _ROLE},
    "transforms.transformAndDownload": {"body": {"url": "agave:///"}},
    "transforms.transformAndStage": {"body": {"url": "agave://sandbox-storage/seed.user/seed.new"}},
}


def of(operation: str, parameter: str) -> Any:
    """Return the value for a parameter of ``files.list``; None: any will do."""
    service = operation.partition(".")[0]
    if parameter == "uuid" and service == "meta":
        return "seed.schema" if "Schema" in operation else "seed.item"
    return _OF_OPERATION.get(operation, {}).get(parameter, _OF_SERVICE[service].get(parameter))
