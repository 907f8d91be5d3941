"""
One renewal for everybody.

A refresh token can be redeemed once. So however many threads and processes meet an expired token, one of them redeems
it and all go on with what it got: they meet at a lock in the process, then at a lock beside the session file, and read
the file again once they hold it.

Who redeems may be killed between the server's answer and the write; the session would be lost. Therefore a session
that is on disk is redeemed by a process of its own, which the signal does not reach: it takes the place on the disk
first, then asks the server, then writes, then reports.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import auth
from .errors import AgaveError
from .sessions import Cache, NoSession, Session
from .tokens import session_with

TIME_LIMIT_S = 100.0  # less than others wait for the lock
_TURN = "renewal.lock"  # held by whoever waits for a renewal, while config.json.lock guards the files

Buy = Callable[[Session], dict[str, Any]]  # a session → what a grant gave


class Place(NamedTuple):
    """Where a session stands on disk, and how its tenant is reached from another process."""

    cache: Cache
    verify: Any
    proxies: Mapping[str, str] | None

    def read(self, session: Session) -> Session | None:
        """Return the session as it stands there now, or None."""
        with contextlib.suppress(NoSession):
            return self.cache.find(
                tenant_id=session.tenant_id,
                username=session.username,
                client_name=session.client_name,
                api_key=session.api_key,
            )
        return None


class Renewal:
    """
    Renews what a client holds.

    :param held: gives the client's session as it is now.
    :param adopt: called with the renewed session.
    :param place: where the session stands on disk, or None.
    :param now: gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Session],
        adopt: Callable[[Session], None],
        buy: Buy,
        place: Callable[[], Place | None],
        now: Callable[[], float],
    ) -> None:
        self._held, self._adopt, self._buy, self._place, self._now = held, adopt, buy, place, now
        self._lock = threading.RLock()

    def replace(self, spent: str) -> None:
        """
        See to it that the client holds another token than ``spent``.

        :raises AgaveError: the session cannot be renewed, or not be kept.
        :raises AgaveHTTPError: the server refused.
        """
        with self._lock:
            if self._held().token != spent:
                return  # another thread was quicker
            place = self._place()
            self._adopt(self._bought(self._held()) if place is None else self._renewed_at(place, spent))

    def _renewed_at(self, place: Place, spent: str) -> Session:
        held = self._held()
        with place.cache.locked(_TURN):
            stored = place.read(held)
            if stored is None:  # somebody took it out of the files: it does not come back
                return self._bought(held)
            if _is_newer(stored, held):
                return stored
            if held.refresh_token and _can_outlive_us():
                return _redeem_elsewhere(place, held, spent, now=self._now())
            return _redeem_at(place.cache, held, spent, buy=self._buy, now=self._now)

    def _bought(self, session: Session) -> Session:
        return session_with(session, self._buy(session), now=self._now())


def _is_newer(one: Session, other: Session) -> bool:
    return bool(one.token) and one.token != other.token and (one.created_at or 0) >= (other.created_at or 0)


def _redeem_at(cache: Cache, held: Session, spent: str, *, buy: Buy, now: Callable[[], float]) -> Session:
    """Return the renewed session, filed; or the one that stands there, if somebody filed it meanwhile."""
    with cache.locked():
        stored = Place(cache, None, None).read(held)
        if stored is not None and stored.token != spent and _is_newer(stored, held):
            return stored
        with cache.reserved() as write:
            renewed = session_with(held, buy(held), now=now())
            write(renewed)
            return renewed


# In a process of its own


def _can_outlive_us() -> bool:
    return os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)


def _redeem_elsewhere(place: Place, held: Session, spent: str, *, now: float) -> Session:
    order = {
        "path": sys.path,
        "folder": os.path.abspath(place.cache.folder),
        "session": held._asdict(),
        "spent": spent,
        "now": now,
        "verify": os.fspath(place.verify) if isinstance(place.verify, os.PathLike) else place.verify,
        "proxies": place.proxies,
    }
    # -I: nothing of the current folder or the environment is imported; our own path goes with the order.
    code = "import json, sys; o = json.load(sys.stdin); sys.path[:] = o['path']; import agavepy.renewal as r; r.main(o)"
    process = subprocess.Popen(  # noqa: S603 - our own code, its input on stdin
        [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        report = _report_of(process, json.dumps(order).encode())
    if "error" in report:
        raise AgaveError(report["error"])
    return Session(**report["session"])


def _report_of(process: subprocess.Popen[bytes], order: bytes) -> dict[str, Any]:
    try:
        answer, _ = process.communicate(order, timeout=TIME_LIMIT_S)
        report: dict[str, Any] = json.loads(answer)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AgaveError(f"The token was not renewed within {TIME_LIMIT_S:.0f} s.") from None
    except ValueError:
        raise AgaveError(f"The process that renews the token ended with code {process.returncode}.") from None
    return report


def main(order: Mapping[str, Any]) -> None:
    """Carry an order out and report on stdout: what :func:`_redeem_elsewhere` starts."""
    from .transport import Transport

    session = Session(**order["session"])
    transport = Transport(str(session.api_server), verify=order["verify"], proxies=order["proxies"])

    def buy(held: Session) -> dict[str, Any]:
        return redeem(transport_post(transport), held)

    try:
        renewed = _redeem_at(Cache(order["folder"]), session, order["spent"], buy=buy, now=lambda: float(order["now"]))
        report: dict[str, Any] = {"session": renewed._asdict()}
    except Exception as error:  # whatever it is, who waits for us has to hear of it
        report = {"error": str(error)}
    with contextlib.suppress(BrokenPipeError):  # who waited was killed; the files have it
        sys.stdout.write(json.dumps(report))
        sys.stdout.flush()


def redeem(post: auth.Post, session: Session) -> dict[str, Any]:
    """Return what the server gives for a session's refresh token.

    :raises AgaveError: the session has none, or no OAuth client.
    """
    if not (session.refresh_token and session.api_key and session.api_secret):
        raise AgaveError("There is no refresh token with the key and secret of its OAuth client.")
    return auth.refresh_grant(
        post,
        str(session.api_server),
        api_key=session.api_key,
        api_secret=session.api_secret,
        refresh_token=session.refresh_token,
    )


def transport_post(transport: Any) -> auth.Post:
    """Return what sends a form over a transport, and raises for a refusal."""
    from .http_errors import from_response
    from .transport import Request

    def post(url: str, headers: Mapping[str, str], form: str, by: auth.Auth | None) -> Any:
        response = transport.send(Request("token", "POST", url, headers, form.encode(), by, follows=False))
        if response.status_code >= 400:
            raise from_response(response, "token")
        return response

    return post
