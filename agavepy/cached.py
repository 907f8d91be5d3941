"""Sessions as earlier releases kept them: names that programs use, underscores and all, and what was filed unasked."""

from __future__ import annotations

import logging
import os
import urllib.parse
from typing import TYPE_CHECKING, Any

from . import auth
from .errors import AgaveError, AgavepyError
from .identity import Identity, environment_session
from .sessions import FILE_KEYS, Cache, NoSession, Session, agpy_paths, default_folder, to_file, with_secrets

if TYPE_CHECKING:
    from .agave import Agave
    from .renewal import Place
    from .specs import OperationSpec

log = logging.getLogger("agavepy")


class NoFile(NoSession, FileNotFoundError):
    """There is no session; to programs that read the files, there is no file."""


class CachedSessions(Identity):
    """What outsiders call on the class or on a client. ``agave_kwargs`` asks for the keywords of ``Agave()``."""

    _is_to_be_filed = True  # False: restored by a program that wants the files left as they are

    @classmethod
    def tapis_cache_path(cls) -> str:
        """Return the cache folder; it is made."""
        folder = default_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder)

    @classmethod
    def tapis_current_path(cls) -> str:
        """Return the path of the ``current`` file."""
        return str(Cache().current_path)

    agavecurrent_path = tapis_current_path

    @classmethod
    def tapis_sessions_path(cls) -> str:
        """Return the path of ``config.json``."""
        return str(Cache().config_path)

    @classmethod
    def agpy_path(cls) -> str:
        """Return the first cache file there is: ``current``, then the ``.agpy`` lists; without any, ``current``."""
        current = Cache().current_path
        return str(next((path for path in (current, *agpy_paths()) if path.is_file()), current))

    @classmethod
    def _read_current(cls, agave_kwargs: bool = False) -> dict[str, Any]:
        try:
            return _as_asked(Cache().find(), agave_kwargs)
        except NoSession as error:
            raise NoFile(str(error)) from error

    @classmethod
    def _read_clients(cls, agave_kwargs: bool = True) -> list[dict[str, Any]]:
        found = Cache().everywhere()
        if not found:
            raise NoFile(f"No session in {cls.agpy_path()}.")
        return [_as_asked(with_secrets(session), agave_kwargs) for session in found]

    @classmethod
    def _read_sessions(cls) -> dict[str, Any]:
        return {"sessions": {}, **Cache().filed()}

    @classmethod
    def _restore_cached(
        cls, api_key: str | None = None, client_name: str | None = None, tenant_id: str | None = None, **keywords: Any
    ) -> Agave:
        cache = Cache()
        session = cache.find(api_key=api_key, client_name=client_name, tenant_id=tenant_id)
        return cls._restored(session, cache, keywords)

    @classmethod
    def _restored(cls, session: Session, cache: Cache | None, keywords: dict[str, Any]) -> Agave:
        filed = {} if session.verify is None else {"verify": session.verify}
        restored: Agave = cls(**{**filed, **keywords})  # type: ignore[assignment]
        restored._take_up(session, cache)
        restored._is_to_be_filed = cache is not None
        return restored

    @classmethod
    def _restore_direct(cls, api_server: str | None = None, token: str | None = None, **keywords: Any) -> Agave:
        api_server = api_server or os.environ.get("TAPIS_BASE_URL")
        token = token or os.environ.get("TAPIS_TOKEN")
        if not (api_server and token):
            raise AgaveError("What is missing: api_server=… or token=…, or TAPIS_BASE_URL or TAPIS_TOKEN.")
        return cls(token=token, api_server=api_server, **keywords)  # type: ignore[call-arg, return-value]

    @classmethod
    def _restore_env(cls, **keywords: Any) -> Agave:
        environment = environment_session()
        if environment is None:
            raise AgaveError("The environment names no login: set TAPIS_BASE_URL and TAPIS_TOKEN.")
        return cls(**{**environment, **keywords})  # type: ignore[return-value]

    def _write_client(self, *unused: Any, **unused_too: Any) -> None:
        self.save_configs()

    # New tokens are written where the session stands, though nobody said that it stands there

    def _where(self) -> Place | None:
        self._find_in_files()
        return super()._where()

    def _file(self) -> None:
        self._find_in_files()
        super()._file()

    def _find_in_files(self) -> None:
        """Go on as a session on disk, if that is what the client was made of: its reader would redeem a spent token."""
        # token_username: the token is another user's than the login.
        if self._cache is not None or self.token_username or not self._is_to_be_filed or not self.api_key:
            return
        try:
            cache, held = Cache(now=self._now), self._session()
            is_filed = any(_is_login_of(filed, held) for filed in cache.everywhere())
        except (AgaveError, RuntimeError) as error:  # RuntimeError: there is no home folder
            log.info("Not looked for in the files: %s", error)
        else:
            self._cache = cache if is_filed else None

    def _answered(self, operation: OperationSpec, result: Any) -> None:
        key, token = self.api_key, self._token
        super()._answered(operation, result)
        if operation.name == "clients.create" and not key and self._token != token and not self.token_username:
            self._file_login()

    def _file_login(self) -> None:
        """Make the session the current one of this machine, as 1.0 did."""
        from . import tenants

        try:
            tenants.choose(self, os.environ.get("TAPIS_TENANTS_URL") or f"{self._base_url('tenants.list')}/tenants")
        except (AgavepyError, OSError) as error:  # OSError: all that requests raises
            log.info("The id of the tenant is not known: %s", error)
        try:
            if self._is_trial_beside(Cache().current()):
                return
            self.save_configs()
        except (AgaveError, RuntimeError) as error:  # RuntimeError: there is no home folder
            log.warning("The login is not filed: %s", error)

    def _is_trial_beside(self, current: Session | None) -> bool:
        """Tell whether a login at a tenant of this machine, such as a test's, would take a real one's place."""
        return current is not None and _is_here(self.api_server) and not _is_here(current.api_server)


def _is_login_of(filed: Session, held: Session) -> bool:
    """Tell whether a client holds what is filed, or did, or holds what the same user got later."""
    if filed.api_key != held.api_key or _plain(filed.api_server) != _plain(held.api_server):
        return False
    is_same_user = bool(filed.username) and filed.username == held.username
    if is_same_user and held.created_at is not None:
        return True
    of_both = (filed.token, held.token), (filed.refresh_token, held.refresh_token)
    return any(theirs and theirs == ours for theirs, ours in of_both)


def _is_here(address: str | None) -> bool:
    return auth.is_loopback(urllib.parse.urlsplit(str(address)).hostname or "")


def _plain(address: str | None) -> str:
    return str(address).rstrip("/").lower()


def _as_asked(session: Session, agave_kwargs: bool) -> dict[str, Any]:
    if not agave_kwargs:
        return {**to_file(session), "client_name": session.client_name or ""}
    return {**dict.fromkeys((*FILE_KEYS, "client_name")), **session.keywords()}
