"""requests' way to the connections of urllib3, less what is the same for every request of a client."""

from __future__ import annotations

import re
from typing import Any

import requests
import requests.adapters
import requests.utils
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict

from . import wire

_POOL_SIZE = 32  # as many threads keep a connection each


class Adapter(requests.adapters.HTTPAdapter):
    """
    Sends prepared requests of one client, always with the same certificates and proxies: the pool of its server is
    looked up once, cookies are taken where some come.
    """

    _home: tuple[str, Any] = "", None  # the address of a server, and its pool, ready to be used

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_POOL_SIZE)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = wire.POOLS

    # What requests' own send asks for

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *settings: Any, **named: Any) -> Any:
        address, pool = self._home
        if pool is not None and pool.pool is not None and address == _address(request.url):
            return pool
        return super().get_connection_with_tls_context(request, *settings, **named)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if conn is self._home[1]:
            return
        super().cert_verify(conn, url, verify, cert)
        self._home = _address(url), conn

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> Any:
        url = str(request.url)
        path = url[len(_address(url)) :]
        if proxies or not path.startswith("/") or "#" in path:
            return super().request_url(request, proxies)
        return path

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers.itermerged())
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw, response.url, response.request, response.connection = resp, str(req.url), req, self
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(response.cookies, req, resp)
        return response


def _address(url: str | None) -> str:
    """Return scheme, host and port of a URL, as they are written."""
    found = _ADDRESS.match(url or "")
    return found[0] if found else ""


_ADDRESS = re.compile(r"[^:/?#]+://[^/?#]*")
