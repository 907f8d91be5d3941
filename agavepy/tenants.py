"""The tenants there are: which id stands for which address."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any

from . import prompts
from .errors import AgaveError, AgavepyError, nearest
from .http_errors import from_response
from .paths import is_address, redact, without_login
from .records import AttrDict
from .transport import Request, Transport

log = logging.getLogger("agavepy")

TENANTS_URL = "https://api.tacc.utexas.edu/tenants"


def list_tenants(
    url: str | None = None,
    verify_ssl: bool | str | None = None,
    *,
    proxies: Mapping[str, str] | None = None,
) -> list[AttrDict]:
    """
    Return the tenants as the server describes them: ``code``, ``name``, ``baseUrl`` and more.

    :param url: of the list; None asks TAPIS_TENANTS_URL, then the well-known one.
    :param verify_ssl: False, or the path of a CA certificate; True and None ask REQUESTS_CA_BUNDLE first.
    :param proxies: as for requests; None asks the environment.
    :raises AgaveError: what is there is no list of tenants.
    :raises AgaveHTTPError: the server refused.
    """
    return _fetch(url, verify=None if verify_ssl is True else verify_ssl, proxies=proxies)


def api_server_by_id(tenant_id: str, url: str | None = None, verify_ssl: bool | str | None = None) -> str:
    """
    Return the address of a tenant as the list spells it; case does not matter in the id.

    :raises AgaveError: there is no such tenant; the text lists those there are.
    """
    return str(_by_id(list_tenants(url, verify_ssl), tenant_id).baseUrl)


def id_by_api_server(api_server: str, url: str | None = None, verify_ssl: bool | str | None = None) -> str:
    """
    Return the id of the tenant at an address; neither case nor the slash at the end matters.

    :raises AgaveError: there is no such tenant; the text lists those there are.
    """
    return str(_by_api_server(list_tenants(url, verify_ssl), api_server).code)


def print_tenants(tenants: Iterable[Mapping[str, Any]]) -> None:
    """Print a table of tenants, ordered by id."""
    rows = [(tenant.get("code"), tenant.get("name"), tenant.get("baseUrl")) for tenant in tenants]
    prompts.print_table(("ID", "NAME", "URL"), sorted(rows, key=lambda row: str(row[0]).lower()))


def choose(ag: Any, url: str | None = None, *, verify_ssl: bool | str | None = None) -> None:
    """
    Give a client both ``tenant_id`` and ``api_server``.

    The one it has leads to the other; without either TAPIS_TENANT_ID does, or the person at the terminal, who is shown
    a table. An address it had is left as it is; one that is found loses its slash at the end.

    :raises AgaveError: there is no such tenant, or nobody to ask.
    """
    if ag.tenant_id and ag.api_server:
        return
    tenants = _nearest_list(ag, url, verify=ag.verify if verify_ssl is None else verify_ssl)
    if ag.api_server:
        ag.tenant_id = _by_api_server(tenants, ag.api_server).code
    else:
        chosen = _by_id(tenants, ag.tenant_id or os.environ.get(prompts.TENANT_ID.variable) or _ask(tenants))
        ag.tenant_id, ag.api_server = chosen.code, chosen.baseUrl.rstrip("/")


def _nearest_list(ag: Any, url: str | None, *, verify: bool | str | None) -> list[AttrDict]:
    """Return the list that was named, else that of the client's own tenant, else, where it has none, the public one."""
    if ag.api_server and not url and not os.environ.get("TAPIS_TENANTS_URL"):
        own = f"{ag._base_url('tenants.list')}/tenants"
        try:
            return _fetch(own, verify=verify, proxies=ag.proxies)
        except AgavepyError as error:  # it answered; a tenant that does not is no use, whatever its id
            log.info("%s has no list of tenants: %s", redact(str(ag.api_server)), error)
    return _fetch(url, verify=verify, proxies=ag.proxies)


def _ask(tenants: list[AttrDict]) -> str:
    print_tenants(tenants)
    return prompts.tenant_id()


def _by_id(tenants: list[AttrDict], tenant_id: str) -> AttrDict:
    wanted = tenant_id.strip().lower()
    for tenant in tenants:
        if tenant.code.lower() == wanted:
            return tenant
    known = sorted(tenant.code for tenant in tenants)
    raise AgaveError(f"No tenant {tenant_id!r}.{nearest(wanted, known)} Tenants: {', '.join(known) or 'none'}.")


def _by_api_server(tenants: list[AttrDict], api_server: str) -> AttrDict:
    for tenant in tenants:
        if _plain(tenant.baseUrl) == _plain(api_server):
            return tenant
    known = sorted(tenant.baseUrl for tenant in tenants)
    raise AgaveError(
        f"No tenant at {redact(api_server)}. Tenants: {', '.join(known) or 'none'}."
        " For one that is not listed pass tenant_id=… together with api_server=… to Agave()."
    )


def _plain(url: str) -> str:
    return url.strip().rstrip("/").lower()


def _fetch(
    url: str | None, *, verify: bool | str | None = None, proxies: Mapping[str, str] | None = None
) -> list[AttrDict]:
    url = url or os.environ.get("TAPIS_TENANTS_URL") or TENANTS_URL
    if not is_address(url):
        raise AgaveError(
            f"{without_login(url)!r} is no address of a list of tenants: expected one such as {TENANTS_URL}."
        )
    transport = Transport(url, verify=verify, proxies=proxies)
    try:
        response = transport.send(Request("tenants.list", "GET", url, {"Accept": "application/json"}))
    finally:
        transport.close()
    if response.status_code >= 400:
        raise from_response(response, "tenants.list")
    return _read(response.content, redact(url))


def _read(content: bytes, url: str) -> list[AttrDict]:
    try:
        body = json.loads(content, object_hook=AttrDict)
    except ValueError:
        body = None
    listed = body.get("result") if isinstance(body, dict) else body
    found = [each for each in listed if _is_tenant(each)] if isinstance(listed, list) else []
    if not found and listed != []:
        raise AgaveError(
            f"{url} does not answer with a list of tenants: an address such as {TENANTS_URL} is expected there,"
            " by argument or in TAPIS_TENANTS_URL."
        )
    return found


def _is_tenant(value: Any) -> bool:
    return isinstance(value, AttrDict) and all(isinstance(value.get(name), str) for name in ("code", "baseUrl"))
