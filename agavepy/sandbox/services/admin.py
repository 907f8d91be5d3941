"""What administrators see and change of the whole tenant: service accounts, their roles, clients and APIs."""

from __future__ import annotations

import zlib
from typing import Any
from urllib.parse import quote

from ... import specs
from .. import apis
from ..accounts import Accounts
from ..api import BadRequest, Call, Forbidden, NotFound
from ..fields import Fields
from . import Service

Found = list[dict[str, Any]]


class Admin(Service):
    """The operations of resources/admin.yaml, for administrators of the tenant only."""

    name = "admin"

    def check_caller(self, call: Call) -> None:
        if not call.admin:
            raise Forbidden("Permission denied. The admin service is for administrators of the tenant.")

    @property
    def _accounts(self) -> Accounts:
        return self.state.accounts

    # Service accounts

    def listAccounts(self, call: Call) -> Found:
        return [_summary(call, "service_accounts", name) for name in self._accounts.service_accounts()]

    def addAccount(self, call: Call, *, body: Any) -> dict[str, Any]:
        """Make an account that can log in at once, with an OAuth client and a home as any user has."""
        fields = Fields(body, within="account")
        name, password, roles = fields.text("id", longest=64), _password(fields), fields.texts("roles")
        if password is None:
            raise BadRequest("Invalid 'account.password' value. Please provide a text that is not empty.")
        with self.store.transaction():
            self._accounts.check_new(name)
            self._accounts.add_user(name, password, is_service=True)
            self._accounts.roles.replace(name, roles)
        return self._account(call, name)

    def getAccount(self, call: Call, *, accountId: str) -> dict[str, Any]:
        self._check_account(accountId)
        return self._account(call, accountId)

    def updateAccount(self, call: Call, *, accountId: str, body: Any) -> dict[str, Any]:
        """Replace what is given: the password, the roles, or both."""
        fields = Fields(body, within="account")
        password = _password(fields)
        with self.store.transaction():
            self._check_account(accountId)
            if fields.get("id") not in (None, accountId):
                raise fields.refusal("id", f"It is {accountId}, the account of the address, or left out.")
            if password is not None:
                self._accounts.update(accountId, {}, password=password)
            if fields.get("roles") is not None:
                self._accounts.roles.replace(accountId, fields.texts("roles"))
        return self._account(call, accountId)

    def deleteAccount(self, call: Call, *, accountId: str) -> None:
        with self.store.transaction():
            self._check_account(accountId)
            self._accounts.retire_user(accountId)

    def listAccountRoles(self, call: Call, *, accountId: str) -> dict[str, Any]:
        return self.getAccount(call, accountId=accountId)

    def addRoleToAccount(self, call: Call, *, accountId: str, body: Any) -> dict[str, Any]:
        self._give(accountId, Fields(body, within="request").text("role_id"))
        return self._account(call, accountId)

    def deleteRoleFromAccount(self, call: Call, *, accountId: str, roleId: str) -> None:
        with self.store.transaction():
            self._check_account(accountId)
            self._accounts.roles.take(accountId, roleId)

    def _give(self, account: str, role: str) -> None:
        with self.store.transaction():
            self._check_account(account)
            self._accounts.roles.give(account, role)

    def _check_account(self, name: str) -> None:
        if name not in self._accounts.service_accounts():
            raise NotFound(f"No service account found matching {name}")

    def _account(self, call: Call, name: str) -> dict[str, Any]:
        summary = _summary(call, "service_accounts", name, "roles", profile=f"profiles/v2/{quote(name, safe='')}")
        return {"id": name, "roles": sorted(self._accounts.roles.of(name)), "_links": summary["_links"]}

    # Roles

    def listRoles(self, call: Call) -> Found:
        return [_summary(call, "service_roles", role) for role in self._accounts.roles.names()]

    def addRole(self, call: Call, *, body: Any) -> dict[str, Any]:
        role = Fields(body, within="role").text("id")
        self._accounts.roles.add(role)
        return self._role(call, role)

    def getRole(self, call: Call, *, roleId: str) -> dict[str, Any]:
        self._accounts.roles.check(roleId)
        return self._role(call, roleId)

    def deleteRole(self, call: Call, *, roleId: str) -> None:
        self._accounts.roles.delete(roleId)

    def listAccountsInRole(self, call: Call, *, roleId: str) -> dict[str, Any]:
        return self.getRole(call, roleId=roleId)

    def addAccountToRole(self, call: Call, *, roleId: str, body: Any) -> dict[str, Any]:
        self._give(Fields(body, within="request").text("account_id"), roleId)
        return self._role(call, roleId)

    def deleteAccountFromRole(self, call: Call, *, roleId: str, accountId: str) -> None:
        self.deleteRoleFromAccount(call, accountId=accountId, roleId=roleId)

    def _role(self, call: Call, role: str) -> dict[str, Any]:
        links = _summary(call, "service_roles", role, "service_accounts")["_links"]
        return {"id": role, "accounts": self._accounts.roles.holders(role), "_links": links}

    # Clients

    def listClients(self, call: Call) -> Found:
        """Every client of every user, without its credentials."""
        clients = sorted(self.store.all("client"), key=lambda each: (each["owner"], each["name"]))
        return [_client(call, each) for each in clients]

    # APIs

    def listApis(self, call: Call) -> Found:
        names = ("id", "name", "version", "owner", "status", "_links")
        return [{name: _api(call, each)[name] for name in names} for each in self._accounts.apis.all()]

    def addApi(self, call: Call, *, body: Any) -> dict[str, Any]:
        """Put a service behind the gateway, at the first part of a path, for clients that subscribe to it."""
        described = apis.read(Fields(body, within="api"))
        for role in described["roles"]:
            self._accounts.roles.check(role)
        return _api(call, self._accounts.apis.add(described, owner=call.user))

    def getApi(self, call: Call, *, apiId: str) -> dict[str, Any]:
        return _api(call, self._accounts.apis.find(apiId))

    def deleteApi(self, call: Call, *, apiId: str) -> None:
        with self.store.transaction():
            api = self._accounts.apis.delete(apiId)
            for client in list(self.store.all("client")):
                if api["name"] in client["subscriptions"]:
                    self._accounts.clients.unsubscribe(client["owner"], client["name"], [api["name"]])

    def updateApiStatus(self, call: Call, *, apiId: str, body: Any) -> dict[str, Any]:
        status = Fields(body, within="api").choice("status", apis.STATUSES)
        return _api(call, self._accounts.apis.set_status(apiId, status))


def _password(fields: Fields) -> str | None:
    """Return the password of a request, if it has one; no message shows it."""
    password = fields.get("password")
    if password is not None and not (isinstance(password, str) and password):
        raise fields.refusal("password", "It is a text that is not empty.")
    return password


def _summary(call: Call, kind: str, name: str, *parts: str, **links: str) -> dict[str, Any]:
    own = f"admin/v2/{kind}/{quote(name, safe='')}"
    addresses = {"self": own, **{part: f"{own}/{part}" for part in parts}, **links}
    return {"id": name, "_links": {rel: call.link(address) for rel, address in addresses.items()}}


def _client(call: Call, client: dict[str, Any]) -> dict[str, Any]:
    owner, name = client["owner"], client["name"]
    return {
        "id": str(zlib.crc32(f"{owner}/{name}".encode())),  # a number that stays the client's: the tenant keeps none
        "clientName": name,
        "owner": owner,
        "_links": {
            "self": call.link(f"clients/v2/{quote(name, safe='')}"),
            "owner": call.link(f"profiles/v2/{quote(owner, safe='')}"),
        },
    }


def _api(call: Call, api: dict[str, Any]) -> dict[str, Any]:
    routes = _routes(api)
    roles = ",".join(api["roles"]) or None
    return {
        "id": api["id"],
        "name": api["name"],
        "version": api["version"],
        "context": f"/{api['segment']}",
        "owner": api["owner"],
        "status": api["status"],
        "environments": None,
        "templates": [
            {"route": route, "methods": ",".join(methods), "roles": roles, "tiers": "Unlimited"}
            for route, methods in routes.items()
        ],
        "resources": [
            {"url_pattern": route, "http_verbs": {method: {"auth": api["auth"]} for method in methods}}
            for route, methods in routes.items()
        ],
        "_links": _summary(call, "apis", api["id"])["_links"],
    }


def _routes(api: dict[str, Any]) -> dict[str, list[str]]:
    """Return path → verbs; of the tenant's own services as their documents declare them."""
    if api["url"] is not None:
        return {f"/{api['segment']}/*": api["methods"]}
    paths = specs.load()[api["segment"]]["paths"]
    return {path: [method for method in apis.METHODS if method.lower() in item] for path, item in sorted(paths.items())}
