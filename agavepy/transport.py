"""The one requests session of a client: timeouts, retries, certificates, proxies, and a token that stays at home."""

from __future__ import annotations

import datetime
import email.utils
import logging
import os
import random
import string
import time
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple

import requests
import urllib3

from . import curl, environment, wire
from .adapter import Adapter
from .errors import AgaveError
from .multipart import MultipartBody
from .paths import redact

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
ATTEMPTS = 4
LONGEST_WAIT_S = 30.0  # a server that asks for more gets its answer reported instead
LONGEST_ERROR_BODY = 1 << 20  # bytes of an error page that are kept
LONGEST_BODY = 256 << 20  # bytes of an answer that is no file: a hundred times the largest page of a listing
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})  # others, and several, grow beyond measure

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # safe or idempotent (RFC 9110, 9.2)
_PASSING = frozenset({429, 502, 503, 504})
_UNTOUCHED = frozenset({429, 503})  # the server says that it has not begun: anything idempotent or not may come again
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Request(NamedTuple):
    """What to send; ``url`` is quoted already and goes out byte by byte as it is."""

    operation: str  # for messages: "jobs.submit"
    method: str
    url: str
    headers: Mapping[str, str]
    body: Any = None  # bytes, a MultipartBody, or None
    auth: Auth | None = None
    timeout: Any = None  # seconds, or (connect, read); None: the defaults
    is_stream: bool = False  # leave the body of a success unread
    is_idempotent: bool | None = None  # None: as its verb says (RFC 9110, 9.2)
    is_bounded: bool = True  # refuse a body that would fill memory
    follows: bool = True  # redirects; a grant holds a password and goes nowhere else


class Transport:
    """
    Sends requests, and again where that is safe.

    :param origin: the ``api_server``; credentials are sent to its scheme, host and port only.
    :param verify: True, False or the path of a CA file or folder; None asks REQUESTS_CA_BUNDLE, then True.
    :param proxies: as for requests; None asks the environment.
    :param sleep: called with seconds between two attempts.
    :raises AgaveError: ``verify`` names nothing that can be read.
    """

    def __init__(
        self,
        origin: str,
        *,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._origin = _origin(origin)
        self._verify = _certificates(verify)
        self._session = requests.Session()  # of which the adapters are used, and replaced in tests of programs
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Adapter())
        self._proxies = dict(proxies) if proxies is not None else requests.utils.get_environ_proxies(origin)

    def send(self, request: Request) -> requests.Response:
        """
        Return the answer, whatever its status, with its content read unless ``is_stream`` and a success.

        Connection errors, answers that break off and the statuses 429, 502, 503 and 504 are tried again for safe and
        idempotent verbs, after a jittered wait or as long as ``Retry-After`` says.

        :raises requests.exceptions.RequestException: the network failed; the text says what was tried.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                response = self._send_once(request)
            except _BROKEN as error:
                if not _is_repeatable(request) or _is_final(error):
                    raise _explained(error, request, attempt) from _told(error, request)
                self._sleep(_backoff_s(attempt))
            else:
                wait_s = self._wait_before_repeating(request, response, attempt)
                if wait_s is None:
                    return response
                response.close()
                self._sleep(wait_s)
            rewind(request)
        try:
            return self._send_once(request)
        except _BROKEN as error:
            raise _explained(error, request, ATTEMPTS) from _told(error, request)

    def is_home(self, url: str) -> bool:
        """Tell whether a URL is of our own server, to which credentials may go."""
        return _origin(url) == self._origin

    def pause(self, attempt: int) -> None:
        """Wait before what failed so many times is tried again."""
        self._sleep(_backoff_s(attempt))

    def wait(self, seconds: float) -> None:
        """Let time pass, as :meth:`pause` does."""
        self._sleep(seconds)

    def close(self) -> None:
        """Give the pooled connections back."""
        self._session.close()

    def _send_once(self, request: Request) -> requests.Response:
        """Return the answer at the end of all redirects."""
        for _ in range(_MOST_REDIRECTS):
            response = self._exchange(request)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            request = self._redirected(request, response.status_code, _absolute(request, location))
        raise AgaveError(
            f"{request.operation}: more than {_MOST_REDIRECTS} redirects, the last to {redact(request.url)}."
        )

    def _exchange(self, request: Request) -> requests.Response:
        timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S) if request.timeout is None else request.timeout
        prepared = _prepare(request)
        if curl.is_wanted():
            curl.show(prepared, verify=self._verify)
        if isinstance(prepared.body, MultipartBody):
            prepared.body = iter(prepared.body)  # in large pieces; what can be read is sent in small ones
        began_s = time.perf_counter()
        response: requests.Response = self._session.get_adapter(prepared.url).send(
            prepared, stream=True, timeout=timeout, verify=self._verify, proxies=self._proxies, cert=None
        )
        response.elapsed = datetime.timedelta(seconds=time.perf_counter() - began_s)
        if response.status_code >= 300:
            _keep(response, _beginning(response))
        elif not request.is_stream:
            _keep(response, _whole(response, request))  # here, where a break can still be repeated
        return response

    def _redirected(self, request: Request, status: int, url: str) -> Request:
        """
        Return the request that follows a redirect.

        Only reading leaves our scheme, host and port, and without any credential; no verb turns into another, except
        as 303 means it.

        :raises AgaveError: it is not followed.
        """
        is_home = self.is_home(url)
        is_reading = request.method in ("GET", "HEAD")
        if not request.follows or not url.startswith(("https://", "http://")) or not (is_home or is_reading):
            raise _not_followed(request, status, url)
        if status == 303 and not is_reading:
            return request._replace(method="GET", url=url, body=None)
        if status in (301, 302) and not is_reading:
            raise _not_followed(request, status, url)
        rewind(request)
        return request._replace(url=url) if is_home else _anonymous(request._replace(url=url))

    def _wait_before_repeating(self, request: Request, response: requests.Response, attempt: int) -> float | None:
        if response.status_code not in _PASSING or request.method not in _REPEATABLE:
            return None
        if not _is_repeatable(request) and response.status_code not in _UNTOUCHED:
            return None
        asked_s = _retry_after_s(response)
        if asked_s is None:
            return _backoff_s(attempt)
        return asked_s if asked_s <= LONGEST_WAIT_S else None


def pieces(response: requests.Response, *, size: int = 1 << 18) -> Generator[bytes, None, None]:
    """
    Yield the body of a streamed answer as it is on the wire, then give its connection back.

    :param size: most bytes of a piece; when the connection breaks, at most so many that had arrived are lost.
    :raises requests.exceptions.ConnectionError: it broke.
    """
    try:
        while piece := wire.read(response.raw, size):
            yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise requests.exceptions.ConnectionError(f"the connection broke ({type(error).__name__})") from error
    finally:
        response.close()


def rewind(request: Request) -> None:
    """Make the body of a request ready to be sent again.

    :raises OSError: it is a stream that was consumed.
    """
    if isinstance(request.body, MultipartBody):
        request.body.rewind()


def _is_repeatable(request: Request) -> bool:
    return request.method in _REPEATABLE if request.is_idempotent is None else request.is_idempotent


def _anonymous(request: Request) -> Request:
    headers = {name: value for name, value in request.headers.items() if name.lower() in ("accept", "range")}
    return request._replace(auth=None, headers=headers)


def _not_followed(request: Request, status: int, url: str) -> AgaveError:
    return AgaveError(
        f"{request.operation}: {status} sends a {request.method} on to {redact(url)}; it is not followed."
        " Is api_server right?"
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _prepare(request: Request) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.prepare_headers(request.headers)
    prepared.hooks = {"response": []}
    prepared.url = request.url  # not prepare_url: it would normalise what is quoted
    _attach_body(prepared, request.body)
    return request.auth(prepared) if request.auth else prepared


def _attach_body(prepared: requests.PreparedRequest, body: Any) -> None:
    prepared.body = body
    if isinstance(body, MultipartBody) and not body.is_measurable:
        prepared.headers["Transfer-Encoding"] = "chunked"
    elif body is not None or prepared.method in ("POST", "PUT", "PATCH"):
        prepared.headers["Content-Length"] = str(len(body or b""))


def _absolute(request: Request, location: str) -> str:
    """
    Return where a redirect leads, quoted where that was left out.

    :raises AgaveError: it is no address.
    """
    quoted = urllib.parse.quote(location.encode("latin-1", "replace"), safe=string.punctuation)
    try:
        url = urllib.parse.urljoin(request.url, quoted)
        _origin(url)
    except ValueError as error:  # not shown itself: what cannot be read cannot be cleared of secrets
        raise AgaveError(f"{request.operation}: the server sends it on to no address ({error}).") from None
    return url


def _whole(response: requests.Response, request: Request) -> bytes:
    """
    Return the body of an answer.

    :raises AgaveError: it is larger than any that is meant well, or becomes so when it is unpacked.
    """
    if not _is_harmless(response):
        response.close()
        coding = response.headers["Content-Encoding"]
        raise AgaveError(f"{request.operation}: the answer comes with Content-Encoding: {coding[:100]}, unasked.")
    kept = bytearray()
    for chunk in response.iter_content(1 << 16):
        kept += chunk
        if request.is_bounded and len(kept) > LONGEST_BODY:
            response.close()
            raise AgaveError(f"{request.operation}: the answer is longer than {LONGEST_BODY >> 20} MiB, and not read.")
    return bytes(kept)


def _beginning(response: requests.Response) -> bytes:
    """Return an error page, but no more of it than anybody would want to see."""
    kept = bytearray()
    for chunk in _chunks(response):
        kept += chunk
        if len(kept) >= LONGEST_ERROR_BODY:
            response.close()
            break
    return bytes(kept[:LONGEST_ERROR_BODY])


def _chunks(response: requests.Response) -> Iterator[bytes]:
    if not _is_harmless(response):
        response.close()
        return
    try:
        yield from response.iter_content(1 << 16)
    except requests.exceptions.RequestException:
        return  # the status is known: a broken error page is still that error


def _is_harmless(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "").strip().lower() in _CODINGS


def _keep(response: requests.Response, content: bytes) -> None:
    response._content = content
    response._content_consumed = True


def _backoff_s(attempt: int) -> float:
    longest_s: float = min(0.3 * 2**attempt, LONGEST_WAIT_S)
    return random.uniform(0.5, 1.0) * longest_s  # noqa: S311 - spreads clients out, guards nothing


def _retry_after_s(response: requests.Response) -> float | None:
    """Return what ``Retry-After`` asks for, given in seconds or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - time.time())


def _is_final(error: requests.exceptions.RequestException) -> bool:
    """Tell whether trying again is of no use: a certificate will not change its mind."""
    hopeless = requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.exceptions.ContentDecodingError
    return isinstance(error, hopeless)


def _explained(error: Any, request: Request, attempts: int) -> Exception:
    """Return an exception of the same class whose text says what was tried and what may be wrong."""
    tried = f", {attempts} attempts" if attempts > 1 else ""
    text = (
        f"{request.operation}: no answer from {redact(request.url)} ({_reason(error)}{tried}). {_hint(error, request)}"
    )
    return type(error)(text.rstrip(), request=None, response=error.response)


def _told(error: Exception, request: Request) -> Exception | None:
    """Return the cause that a traceback shows, or None where its text holds a secret of the address."""
    return error if redact(request.url) == request.url else None


def _discreetly(record: logging.LogRecord) -> bool:
    """Take the secrets out of the addresses that urllib3 logs at DEBUG."""
    if isinstance(record.args, tuple):
        record.args = tuple(redact(arg) if isinstance(arg, str) and arg[:1] == "/" else arg for arg in record.args)
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_discreetly)


def _reason(error: BaseException) -> str:
    """Return the innermost reason a library gives, without the object that gives it."""
    cause: Any = error
    while True:
        inner = [item for item in (getattr(cause, "reason", None), *getattr(cause, "args", ())) if _is_error(item)]
        if not inner:
            return " ".join(str(cause).rpartition("): ")[2].split())
        cause = inner[0]


def _is_error(value: Any) -> bool:
    return isinstance(value, BaseException)


def _hint(error: BaseException, request: Request) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "The proxy refused: check proxies= or HTTPS_PROXY."
    if isinstance(error, requests.exceptions.SSLError) and ("X509" in str(error) or "PEM" in str(error)):
        return "The file that verify= or REQUESTS_CA_BUNDLE names holds no certificate."
    if isinstance(error, requests.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER" in str(error):
            return "The server does not speak TLS: should api_server begin with http:// ?"
        return "Its certificate was not accepted: pass verify='/path/of/ca.pem', or set REQUESTS_CA_BUNDLE."
    if isinstance(error, requests.exceptions.Timeout):
        return "It did not answer in time: pass timeout=SECONDS to wait longer."
    if request.url.startswith("http://") and "closed connection" in str(error).lower():
        return "Does the server expect https:// ?"
    return "Is api_server right, and is the server up?"


def _certificates(verify: Any) -> bool | str:
    if verify is None or verify == "":
        verify = environment.verify()
    if isinstance(verify, (str, os.PathLike)):
        return _readable(os.fspath(verify))
    if verify not in (True, False):
        raise AgaveError(f"verify={verify!r}: True, False, or the path of a certificate file or folder.")
    return bool(verify)


def _readable(path: str) -> str:
    if not os.access(path, os.R_OK):
        variable = environment.ca_variable()
        named_by = variable if variable and os.environ[variable] == path else "verify"
        raise AgaveError(f"{named_by}={path!r}: there is no certificate file or folder that can be read.")
    return path
