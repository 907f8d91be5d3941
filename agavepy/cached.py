"""The names under which earlier releases kept their sessions; programs of theirs use them, underscores and all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import AgaveError
from .identity import environment_session
from .sessions import Cache, Session, agpy_paths, default_folder, to_file, with_secrets

if TYPE_CHECKING:
    from .agave import Agave


class CachedSessions:
    """What outsiders call on the class or on a client. ``agave_kwargs`` asks for the keywords of ``Agave()``."""

    @classmethod
    def tapis_cache_path(cls) -> str:
        """Return the cache folder."""
        return str(default_folder())

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
        """Return the first cache file there is: ``current``, then the ``.agpy`` lists.

        :raises AgaveError: there is none.
        """
        candidates = [Cache().current_path, *agpy_paths()]
        for path in candidates:
            if path.is_file():
                return str(path)
        raise AgaveError(f"No cache file: looked for {', '.join(map(str, candidates))}.")

    @classmethod
    def _read_current(cls, agave_kwargs: bool = False) -> dict[str, Any]:
        return _as_asked(Cache().find(), agave_kwargs)

    @classmethod
    def _read_clients(cls, agave_kwargs: bool = True) -> list[dict[str, Any]]:
        cache = Cache()
        return [_as_asked(with_secrets(session), agave_kwargs) for session in cache.everywhere()]

    @classmethod
    def _read_sessions(cls) -> dict[str, Any]:
        return Cache().filed()

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
        return restored

    @classmethod
    def _restore_direct(cls, token: str, api_server: str, **keywords: Any) -> Agave:
        return cls(token=token, api_server=api_server, **keywords)  # type: ignore[call-arg, return-value]

    @classmethod
    def _restore_env(cls, **keywords: Any) -> Agave:
        environment = environment_session()
        if environment is None:
            raise AgaveError("The environment names no login: set TAPIS_BASE_URL and TAPIS_TOKEN.")
        return cls(**{**environment, **keywords})  # type: ignore[return-value]

    def _write_client(self, *unused: Any, **unused_too: Any) -> None:
        self.save_configs()  # type: ignore[attr-defined]


def _as_asked(session: Session, agave_kwargs: bool) -> dict[str, Any]:
    return session.keywords() if agave_kwargs else to_file(session)
