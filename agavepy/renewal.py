"""
One renewal for everybody.

A refresh token can be redeemed once. So however many threads and processes meet an expired token, one of them redeems
it and all go on with what it got: they meet at a lock in the process, then at a lock beside the session file, and read
the file again once they hold it.

Who redeems may be killed between the server's answer and the write; the session would be lost. Therefore a session
that is on disk is redeemed by a process of its own, which the signal does not reach: it takes the place on the disk
first, then asks the server, then writes, then reports.

Which of two sessions is the newer one is not decided by a clock, as long as it is known which token stood on disk when
the client last looked: another one there was filed since.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import auth, errors, keys
from .errors import AgaveError
from .sessions import Cache, Session, with_secrets
from .tokens import session_with

TIME_LIMIT_S = 100.0  # less than others wait for the lock
_REFUSALS = (400, 401, 403)  # of what a token was to be bought with
TURN = "renewal.lock"  # held by whoever waits for a renewal, while config.json.lock guards the files

Buy = Callable[[Session], dict[str, Any]]  # a session → what a grant gave


class Place(NamedTuple):
    """Where a session stands on disk, and how its tenant is reached from another process."""

    cache: Cache
    verify: Any
    proxies: Mapping[str, str] | None
    seen: str | None  # the token that stood there when the client last looked

    def is_newer(self, stored: Session, held: Session) -> bool:
        """Tell whether somebody filed what stands there after the client got its own."""
        if not stored.token or stored.token == held.token:
            return False
        if stored.token == self.seen:  # nobody filed anything: it is the client that has a newer one
            return False
        # Whole seconds, as the file has them.
        return held.token == self.seen or int(stored.created_at or 0) >= int(held.created_at or 0)


def filed_as(cache: Cache, session: Session) -> Session | None:
    """Return a session as it stands in the files: by its OAuth client, since names may have become known later."""
    known = [each for each in cache.everywhere() if each.api_key == session.api_key]
    for each in known:
        if each.username == session.username:
            return with_secrets(each)
    found = next((each for each in known if not (each.username and session.username)), None)
    return with_secrets(found) if found else None


class Renewal:
    """
    Renews what a client holds.

    :param held: gives the client's session as it is now.
    :param adopt: called with the renewed session.
    :param buy: with the refresh token, or with the password for a session without one.
    :param has_password: tells whether the password is known.
    :param place: where the session stands on disk, or None.
    :param now: gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Session],
        adopt: Callable[[Session], None],
        buy: Buy,
        has_password: Callable[[], bool],
        place: Callable[[], Place | None],
        now: Callable[[], float],
    ) -> None:
        self._held, self._adopt, self._place, self._now = held, adopt, place, now
        self._buy, self._has_password = buy, has_password
        self._lock = threading.RLock()

    def replace(self, spent: str | None) -> bool:
        """
        See to it that the client holds another token than ``spent``; tell whether it was bought just now.

        :raises AgaveError: the session cannot be renewed, or not be kept.
        :raises AgaveHTTPError: the server refused.
        """
        with self._lock:
            if self._held().token != spent:
                return False  # another thread was quicker
            place = self._place()
            found, is_bought = (self._bought(self._held()), True) if place is None else self._renewed_at(place)
            self._adopt(found)
            return is_bought

    def _renewed_at(self, place: Place) -> tuple[Session, bool]:
        held = self._held()
        with place.cache.locked(TURN):
            stored = filed_as(place.cache, held)  # read once: a process whose parent was killed may write just now
            if stored is None:  # somebody took it out of the files: it does not come back
                return self._bought(held), True
            if place.is_newer(stored, held):
                return stored, False
            # Filed where it stands: a name that became known meanwhile would make it a second session.
            named = held._replace(tenant_id=stored.tenant_id, username=stored.username, client_name=stored.client_name)
            return self._redeemed(place, named, stood=stored.token)

    def _redeemed(self, place: Place, held: Session, *, stood: str | None) -> tuple[Session, bool]:
        if not (held.refresh_token and _can_outlive_us()):
            return _redeem_at(place.cache, held, stood, buy=self._buy, now=self._now)
        try:
            return _redeem_elsewhere(place, held, stood, now=self._now)
        except errors.AgaveHTTPError as error:
            if error.status_code not in _REFUSALS:
                raise
            if stood and stood != held.token:  # though it seemed older, it may be good
                return filed_as(place.cache, held) or held, False
            if not self._has_password():
                raise
            return _redeem_at(place.cache, held._replace(refresh_token=None), stood, buy=self._buy, now=self._now)
        except OSError:  # no process can be started: nothing was spent yet
            return _redeem_at(place.cache, held, stood, buy=self._buy, now=self._now)

    def _bought(self, session: Session) -> Session:
        asked_at = self._now()
        return session_with(session, self._buy(session), now=asked_at)


def _redeem_at(
    cache: Cache, held: Session, stood: str | None, *, buy: Buy, now: Callable[[], float]
) -> tuple[Session, bool]:
    """
    Return the renewed session, filed, and True; or the one that stands there, if somebody filed it meanwhile.

    :param stood: the token that stood there when it was decided to renew.
    """
    with cache.locked():
        stored = filed_as(cache, held)
        if stored is not None and stored.token and stored.token != stood:
            return stored, False
        with cache.reserved(held) as write:
            asked_at = now()
            renewed = session_with(held, buy(held), now=asked_at)
            write(renewed)
            return renewed, True


# In a process of its own


def _can_outlive_us() -> bool:
    # Servers that embed Python name themselves there.
    name = os.path.basename(sys.executable or "")
    return os.name == "posix" and name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


# -B: on a full disk Python would leave half a compiled module behind, which no process can import any more.
# -I: nothing of the current folder or the environment is imported; our own path goes with the order. Half an order, or
# none, comes from somebody who was killed.
_CODE = """
import json, sys
try:
    order = json.load(sys.stdin)
except ValueError:
    sys.exit(1)
sys.path[:] = order["path"]
from agavepy.renewal import main
main(order)
"""


def _redeem_elsewhere(
    place: Place, held: Session, stood: str | None, *, now: Callable[[], float]
) -> tuple[Session, bool]:
    order = {
        "path": sys.path,
        "folder": os.path.abspath(place.cache.folder),
        "session": held._asdict(),
        "stood": stood,
        "ahead_s": now() - time.time(),
        "verify": os.fspath(place.verify) if isinstance(place.verify, os.PathLike) else place.verify,
        "proxies": place.proxies,
    }
    process = subprocess.Popen(  # noqa: S603 - our own code, its input on stdin
        [sys.executable, "-I", "-B", "-c", _CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=keys.environment(),
    )
    with process:
        report = _report_of(process, json.dumps(order).encode())
    if "answer" in report:
        from .http_errors import from_response, received  # requests is costly to import, and seldom needed here

        raise from_response(received(**report["answer"]), "token", hint=report["hint"])
    if "error" in report:
        raise AgaveError(report["error"])
    return Session(**report["session"]), bool(report["is_bought"])


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

    def now() -> float:
        return time.time() + float(order["ahead_s"])

    try:
        renewed, is_bought = _redeem_at(Cache(order["folder"]), session, order["stood"], buy=buy, now=now)
        report: dict[str, Any] = {"session": renewed._asdict(), "is_bought": is_bought}
    except errors.AgaveHTTPError as error:
        report = {"answer": _facts(error.response), "hint": error.hint}
    except Exception as error:  # whatever it is, who waits for us has to hear of it
        report = {"error": str(error)}
    with contextlib.suppress(BrokenPipeError):  # who waited was killed; the files have it
        os.write(sys.stdout.fileno(), json.dumps(report).encode())


def _facts(response: Any) -> dict[str, Any]:
    facts = {"status": response.status_code, "reason": response.reason, "url": response.url}
    return {**facts, "headers": dict(response.headers), "content": response.content.decode("latin-1")}


def redeem(post: auth.Post, session: Session) -> dict[str, Any]:
    """Return what the server gives for a session's refresh token.

    :raises AgaveError: the session has none, or no OAuth client.
    """
    if not (session.refresh_token and session.api_key):
        raise AgaveError("There is no refresh token with the key of its OAuth client.")
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
            raise from_response(response, "token", hint=_hint(response.status_code, form))
        return response

    return post


def _hint(status: int, form: str) -> str:
    if status == 401:
        return "Are api_key and api_secret right, and does that OAuth client still exist?"
    if status != 400:
        return ""
    if "grant_type=refresh_token" in form:
        return "The refresh token is no longer good: it was used, given back or revoked."
    return "Are the name and the password right?" if "password=" in form else ""
