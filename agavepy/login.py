"""``agavepy login``, ``logout`` and ``sessions``: who is logged in on this machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import Any

from . import clients, prompts
from .agave import Agave
from .errors import AgaveError, AgaveHTTPError
from .sessions import Cache, NoSession, Session, is_same, with_secrets

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


# agavepy login


def log_in(
    *,
    tenant_id: str | None = None,
    api_server: str | None = None,
    username: str | None = None,
    client_name: str | None = None,
    by_browser: bool = False,
    cache_dir: str | None = None,
) -> None:
    """
    Log in at a tenant, file the session, and say so.

    :param tenant_id, api_server: one finds the other; both: a tenant that is not listed; none: TAPIS_BASE_URL, else the
        person at the terminal is asked.
    :param username: None: TAPIS_USERNAME, else asked for.
    :param client_name: of the OAuth client to use or to make; None: that of a filed session, else a new one.
    :raises AgaveError: nothing was filed.
    """
    cache = Cache(cache_dir)
    with cache.locked(), cache.reserved():
        pass  # it can be written: said before anything is asked for, or made at the tenant
    if not tenant_id:
        api_server = api_server or os.environ.get("TAPIS_BASE_URL")
    ag = Agave(tenant_id=tenant_id, api_server=api_server, username=username)
    ag.init()
    if by_browser:
        _log_in_by_browser(ag, cache, client_name)
    else:
        _log_in_by_password(ag, cache, client_name)
    ag.save_configs(cache_dir)
    session = ag._session()
    print(f"Logged in at {ag.tenant_id} ({ag.api_server}) as {ag.username}, by the OAuth client {_client_of(session)}.")
    print(f"The session is filed in {cache.config_path}; its token expires {_expiry(session, time.time())}.")


def _log_in_by_password(ag: Agave, cache: Cache, client_name: str | None) -> None:
    prompts.username(ag)
    if _take_up_client(ag, _known_client(ag, cache, client_name)):
        try:
            with clients.as_user(ag):
                ag.buy_token()
                return
        except AgaveHTTPError as error:
            if not _refuses_client(error):
                raise
            _complain(
                f"{ag.api_server} does not know the OAuth client {_client_of(ag._session())} any more: making another."
            )
    _make_client(ag, client_name)
    with clients.as_user(ag):
        ag.buy_token()


def _log_in_by_browser(ag: Agave, cache: Cache, client_name: str | None) -> None:
    wanted = ag.username
    if not _take_up_client(ag, _known_client(ag, cache, client_name)):
        _complain("There is no OAuth client here yet. Name and password make one, this once.")
        _make_client(ag, client_name)
    ag.login_with_browser()
    if wanted and ag.username != wanted:
        raise AgaveError(f"In the browser it was {ag.username!r} who logged in, not {wanted!r}: nothing is filed.")


def _make_client(ag: Agave, name: str | None) -> None:
    clients.create(ag, name, f"agavepy login on {platform.node() or 'a machine without a name'}")


def _known_client(ag: Agave, cache: Cache, client_name: str | None) -> Session | None:
    """Return the filed session whose OAuth client serves this login: at this very server, since it gets the secret."""
    for session in cache.own():
        is_wanted = client_name in (None, session.client_name) and ag.username in (None, session.username)
        if is_wanted and session.api_key and _plain(session.api_server) == _plain(ag.api_server):
            try:
                return with_secrets(session)
            except AgaveError as error:  # its secrets are lost: all the more reason to log in
                _complain(str(error))
    return None


def _take_up_client(ag: Agave, session: Session | None) -> bool:
    if session is not None:
        ag.api_key, ag.api_secret, ag.client_name = session.api_key, session.api_secret, session.client_name
    return session is not None


def _refuses_client(error: AgaveHTTPError) -> bool:
    return error.status_code in (400, 401) and "invalid_client" in error.response.text


def _plain(address: str | None) -> str:
    return str(address).strip().rstrip("/").lower()


# agavepy logout


def log_out(*, everywhere: bool = False, cache_dir: str | None = None) -> bool:
    """
    Give the tokens of the current session back and forget it; tell whether the tenant took them.

    :param everywhere: all sessions of the folder, not the current one only.
    :raises AgaveError: there is no session.
    """
    cache = Cache(cache_dir)
    current = cache.current()
    sessions = cache.own() if everywhere else [current] if current else []
    if not sessions:
        others = "" if everywhere or not cache.own() else " There are others: see 'agavepy sessions', or say --all."
        raise NoSession(f"No {'' if everywhere else 'current '}session in {cache.config_path}.{others}")
    outcomes = [_logged_out(cache, session) for session in sessions]  # all of them, whatever becomes of the first
    return all(outcomes)


def _logged_out(cache: Cache, session: Session) -> bool:
    name = (
        f"{session.username}, by the OAuth client {_client_of(session)}, at {session.tenant_id or session.api_server}"
    )
    ag = Agave()
    try:
        ag._take_up(_with_secrets_or_forgotten(cache, session), cache)
        ag.logout()
    except AgaveError as error:
        _complain(f"{name}: {error}")
        return False
    finally:
        ag.close()
    print(f"Logged out: {name}.")
    return True


def _with_secrets_or_forgotten(cache: Cache, session: Session) -> Session:
    try:
        return with_secrets(session)
    except AgaveError:
        cache.forget(session)
        raise


# agavepy sessions


def show(*, cache_dir: str | None = None) -> None:
    """Print the sessions of the folder: where, who, by which OAuth client and for how long; the current one marked."""
    cache = Cache(cache_dir)
    current, sessions, now = cache.current(), cache.own(), time.time()
    if not sessions:
        print(f"No session in {cache.config_path}. Run 'agavepy login'.")
        return
    rows = [[_mark(session, current), *_facts(session), _expiry(session, now)] for session in sessions]
    prompts.print_table(("", "TENANT", "USER", "CLIENT", "TOKEN EXPIRES"), rows)


def _mark(session: Session, current: Session | None) -> str:
    return "*" if current and is_same(session, current) else ""


def _facts(session: Session) -> list[Any]:
    return [session.tenant_id or session.api_server, session.username, _client_of(session)]


def _client_of(session: Session) -> str:
    # A session without a client's name is filed under its key, which is not for show.
    return session.client_name if session.client_name and session.client_name != session.api_key else "(no name)"


def _expiry(session: Session, now: float) -> str:
    renews = ", renewed by itself" if session.refresh_token and session.api_key else ""
    if session.deadline is None:
        return f"at a time not known{renews}"
    left_s = session.deadline - now
    return f"in {_in_words(left_s)}{renews}" if left_s > 0 else f"{_in_words(-left_s)} ago{renews}"


def _in_words(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds > 1.9 * size or size == 1:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("seconds are the last unit")


def _complain(text: str) -> None:
    print(f"agavepy: {' '.join(text.split())}", file=sys.stderr)
