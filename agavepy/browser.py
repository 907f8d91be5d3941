"""Login through the browser: a code comes back to this machine (RFC 8252), tied to it by PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.server
import queue
import secrets
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from . import auth
from .errors import AgaveError, AgavepyError
from .paths import query_string, without_login
from .tokens import session_with

_PATH = "/callback"
_LONGEST_REASON = 200  # characters of the server's text
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>agavepy</title></head>
<body><p>{}</p></body></html>
"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


def log_in(ag: Any, *, open_browser: Callable[[str], Any] | None, timeout_s: float) -> str:
    """
    Let a client go on with the token of whoever logs in with the browser; return it.

    :raises AgaveError: the OAuth client is not known; the login was denied; nobody came back in time.
    """
    if not ag.api_key:
        raise AgaveError(
            "A login through the browser takes the key of an OAuth client: pass api_key=…, or call clients_create()."
        )
    server = ag._base_url("authorize")
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(32)
    with _listening(state) as listener:
        address = _address(server, ag.api_key, listener.redirect_uri, state, verifier)
        print(f"Waiting {timeout_s:g} s for the login in the browser, at\n{address}", file=sys.stderr, flush=True)
        _show(address, open_browser)
        code = _code_of(listener.wait(timeout_s))
    asked_at = ag._now()
    info = auth.code_grant(
        ag._post,
        server,
        api_key=ag.api_key,
        api_secret=ag.api_secret,
        code=code,
        redirect_uri=listener.redirect_uri,
        verifier=verifier,
    )
    return _go_on(ag, info, asked_at=asked_at)


def _address(server: str, api_key: str, redirect_uri: str, state: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return auth.endpoint(server, "authorize") + query_string(
        [
            ("response_type", "code"),
            ("client_id", api_key),
            ("redirect_uri", redirect_uri),
            ("scope", auth.SCOPE),
            ("state", state),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
    )


def _show(address: str, open_browser: Callable[[str], Any] | None) -> None:
    import webbrowser

    try:
        is_open = (open_browser or webbrowser.open)(address) is not False
    except webbrowser.Error:
        is_open = False
    if not is_open:
        print("No browser could be opened: open that address on this machine.", file=sys.stderr, flush=True)


def _code_of(answer: _Answer) -> str:
    if answer.error == "access_denied":
        raise AgaveError("The login was denied in the browser.")
    if answer.error:
        reason = _one_line(f"{answer.error} {answer.description}").rstrip(".")
        raise AgaveError(f"The tenant refused the login through the browser: {reason}.")
    if not answer.code:
        raise AgaveError("The browser came back without a code: is api_server right?")
    return answer.code


def _go_on(ag: Any, info: dict[str, Any], *, asked_at: float) -> str:
    """Adopt a token as that of whoever logged in, who need not be the one the client had in mind."""
    username = _owner(ag, info["access_token"])
    if username != ag.username:
        ag.username, ag.password = username, None  # the password is somebody else's
    ag._go_on_with(session_with(ag._session()._replace(refresh_token=None), info, now=asked_at))
    ag._file()
    ag._tell()
    return str(ag._token)


def _owner(ag: Any, token: str) -> str:
    from .agave import Agave

    somebody = Agave(api_server=ag.api_server, token=token, verify=ag.verify, proxies=ag.proxies)
    try:
        return str(somebody.profiles.get().username)
    except (AgavepyError, AttributeError) as error:
        raise AgaveError(
            f"The login worked, but {without_login(ag.api_server)} does not say whose it is: {error}"
        ) from error
    finally:
        somebody.close()


# The other end of the redirect


class _Answer(NamedTuple):
    """What the browser brought back."""

    code: str
    error: str  # the code of RFC 6749, 4.1.2.1
    description: str


class _Listener(http.server.ThreadingHTTPServer):
    """Waits on a free port of 127.0.0.1 for the one request that the tenant sends the browser there with."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.redirect_uri = f"http://127.0.0.1:{self.server_port}{_PATH}"
        self._state = state
        self._answers: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()  # None: with another state
        self._turn = threading.Lock()  # held for ever by the request that is accepted

    def wait(self, timeout_s: float) -> _Answer:
        """
        Return what came back.

        :raises AgaveError: nothing in time, or with another state.
        """
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise AgaveError(f"Nobody finished the login in the browser within {timeout_s:g} s.") from None
        if answer is None:
            raise AgaveError(
                "The browser came back with another state than it was sent with: the answer belongs to another login,"
                " or somebody made it up. Nothing was done; begin again."
            )
        return answer

    def is_first(self) -> bool:
        """Tell, once, that nobody else came before."""
        return self._turn.acquire(blocking=False)

    def read(self, query: str) -> _Answer | None:
        """Return what a request brings; None where its state is not ours."""
        given = urllib.parse.parse_qs(query)
        known = {name: values[0] for name, values in given.items() if len(values) == 1}
        if not hmac.compare_digest(known.get("state", "").encode(errors="replace"), self._state.encode()):
            return None
        return _Answer(known.get("code", ""), known.get("error", ""), known.get("error_description", ""))

    def keep(self, answer: _Answer | None) -> None:
        """Let :meth:`wait` return."""
        self._answers.put(answer)

    def handle_error(self, *unused: Any) -> None:
        """Say nothing of a browser that hung up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10  # seconds for a connection that a browser opens beforehand and does not use
    server: _Listener

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != _PATH or not self.server.is_first():
            return self._send(404, "There is nothing here.")
        answer = self.server.read(query)
        try:
            self._send(200 if answer else 400, _closing_words(answer))
        finally:
            self.server.keep(answer)

    def _send(self, status: int, text: str) -> None:
        page = _PAGE.format(text).encode()
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(page))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *unused: Any) -> None:
        """Say nothing: the address holds the code."""


def _closing_words(answer: _Answer | None) -> str:
    if answer is None:
        return "This answer does not belong to the login that is waited for. Nothing was done."
    if answer.error:
        return "The login was not finished. Your program says why."
    return "You can close this window and go back to your program."


@contextlib.contextmanager
def _listening(state: str) -> Iterator[_Listener]:
    listener = _Listener(state)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_REASON].strip()
