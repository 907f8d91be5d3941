"""The facade: ``from agavepy.agave import Agave``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import auth, specs
from .client import Client, Operation, Service
from .errors import AgaveError, AgaveException, AgavepyError
from .records import AttrDict
from .specs import OperationSpec

if TYPE_CHECKING:
    import os

    import requests

    from .transport import Request, Transport

__all__ = ["Agave", "AgaveError", "AgaveException", "AgavepyError", "AttrDict", "Operation", "Service", "load_resource"]

log = logging.getLogger("agavepy")

DEFAULT_API_SERVER = "https://api.tacc.utexas.edu"


def load_resource(api_server: str | None = None) -> dict[str, Mapping[str, Any]]:
    """
    Return all service documents, to be passed to many clients as ``Agave(resources=…)``.

    :param api_server: accepted for programs that pass it; documents name no server.
    """
    return specs.load()


class Agave(Client):
    """
    A client of one tenant: its services are attributes, their operations are methods.

    >>> ag = Agave(api_server="https://api.example.org", token="…")
    >>> ag.systems.list(limit=10)

    One client may be shared by many threads.

    :param api_server: address of the tenant; its scheme and port are honoured.
    :param token: access token; alone it is used until it expires.
    :param username, password: of the user; alone they serve the clients service.
    :param api_key, api_secret: of an OAuth client; with username and password and without a token, a token is
        obtained at once.
    :param refresh_token, token_username, token_callback, use_nonce, jwt, jwt_header_name, tenant_id, client_name,
        created_at, expires_in, expires_at: kept as attributes of these names (a leading underscore for the secrets).
    :param verify: True, False or the path of a CA certificate; None asks REQUESTS_CA_BUNDLE, then True.
    :param proxies: as for requests; None asks the environment.
    :param resources: a folder of Swagger documents, or a dict of them, that add services or replace some.
    :param validate_bodies: what to do with a body that departs from its model: "off", "warn" or "error".
    :param unknown: any other keyword is ignored, as it always was.
    :raises AgaveError: an argument is no good.
    :raises AgaveHTTPError: the tenant did not give a token.
    """

    def __init__(
        self,
        *,
        api_server: str | None = None,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        refresh_token: str | None = None,
        token_username: str | None = None,
        token_callback: Callable[..., Any] | None = None,
        use_nonce: bool = False,
        jwt: str | None = None,
        jwt_header_name: str | None = None,
        tenant_id: str | None = None,
        client_name: str | None = None,
        created_at: Any = None,
        expires_in: Any = None,
        expires_at: Any = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
        resources: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        validate_bodies: str = "warn",
        **unknown: Any,
    ) -> None:
        super().__init__(resources=resources, validate_bodies=validate_bodies)
        if token_callback is not None and not callable(token_callback):
            raise AgaveError("token_callback must be callable: it is called with the new token as keywords.")
        if jwt and not jwt_header_name:
            raise AgaveError("jwt needs jwt_header_name, the header in which the tenant expects it.")
        if unknown:
            log.debug("Agave() ignores the keywords %s", ", ".join(sorted(unknown)))
        self.api_server = api_server or (DEFAULT_API_SERVER if token else None)
        self.username, self.password = username, password
        self.api_key, self.api_secret = api_key, api_secret
        self._token, self._refresh_token = token, refresh_token
        self.token_username, self.token_callback = token_username, token_callback
        self.use_nonce, self.jwt, self.header_name = use_nonce, jwt, jwt_header_name
        self.tenant_id, self.client_name = tenant_id, client_name
        self.created_at, self.expires_in, self.expires_at = created_at, expires_in, expires_at
        self.verify, self.proxies, self.resources = verify, proxies, resources
        self._connecting = threading.Lock()
        self._connection: tuple[Any, Transport] | None = None
        if self._can_buy_token() and not token:
            self._buy_token()

    @property
    def token(self) -> str | None:
        """Return the access token, or None."""
        return self._token

    def close(self) -> None:
        """Give the connections back; the client can still be used and opens new ones."""
        with self._connecting:
            connection, self._connection = self._connection, None
        if connection:
            connection[1].close()

    def __repr__(self) -> str:
        own = vars(self)
        return f"<{type(self).__name__} {own.get('api_server')} as {own.get('username') or 'nobody by name'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle says where and who, never how to get in.
        public = ("api_server", "tenant_id", "username", "client_name", "verify", "proxies", "resources")
        return _again, (type(self), {name: vars(self).get(name) for name in public})

    # What Client asks of us

    def _send(self, request: Request) -> requests.Response:
        response = self._transport().send(request)
        if response.status_code >= 400:
            from .http_errors import from_response

            raise from_response(response, request.operation)
        return response

    def _base_url(self, operation: str) -> str:
        server = vars(self).get("api_server")
        if not server:
            raise AgaveError(f"{operation}: which tenant? Pass api_server='https://…' to Agave().")
        return str(server).rstrip("/")

    def _auth(self, operation: OperationSpec) -> auth.Auth | None:
        if operation.security == "none" or self.use_nonce:
            return None
        if operation.security == "basic":
            return self._basic_auth(operation)
        if self.jwt and self.header_name:
            return auth.header(self.header_name, self.jwt)
        if not self._token:
            raise AgaveError(
                f"{operation.name}: not logged in at {self.api_server}."
                " Pass token=…, or username, password, api_key and api_secret, to Agave()."
            )
        return auth.bearer(self._token)

    def _answered(self, operation: OperationSpec, result: Any) -> None:
        # A client that was just created is from now on the one we log in with.
        if operation.name == "clients.create" and isinstance(result, AttrDict) and "consumerSecret" in result:
            self.api_key, self.api_secret = result.consumerKey, result.consumerSecret
            self.client_name = result.get("name", self.client_name)
            self._buy_token()

    def _basic_auth(self, operation: OperationSpec) -> auth.Auth:
        if not self.username or not self.password:
            raise AgaveError(
                f"{operation.name} asks for a name and a password: pass username=… and password=… to Agave()."
            )
        return auth.basic(self.username, self.password)

    # Tokens

    def _can_buy_token(self) -> bool:
        return bool(self.api_key and self.api_secret and self.username and self.password)

    def _buy_token(self) -> None:
        info = auth.password_grant(
            self._post_form,
            self._base_url("token"),
            api_key=str(self.api_key),
            api_secret=str(self.api_secret),
            username=str(self.username),
            password=str(self.password),
        )
        self._token, self._refresh_token = info["access_token"], info.get("refresh_token")
        self.expires_in = info.get("expires_in")

    def _post_form(self, url: str, headers: Mapping[str, str], form: str, by: auth.Auth) -> requests.Response:
        from .transport import Request

        return self._send(Request("token", "POST", url, headers, form.encode(), by))

    # The connection

    def _transport(self) -> Transport:
        """Return the transport for the present address and settings; programs may change them at any time."""
        settings = (self._base_url("transport"), self.verify, tuple((self.proxies or {}).items()), self.proxies is None)
        connection = self._connection
        if connection is None or connection[0] != settings:
            connection = self._connect(settings)
        return connection[1]

    def _connect(self, settings: Any) -> tuple[Any, Transport]:
        from .transport import Transport

        with self._connecting:
            if self._connection is None or self._connection[0] != settings:
                self._connection = (settings, Transport(settings[0], verify=self.verify, proxies=self.proxies))
            return self._connection


def _again(kind: type[Agave], public: dict[str, Any]) -> Agave:
    return kind(**public)
