"""
Sessions on disk: ``config.json``, the ``current`` file and ``.agpy`` lists, as other tools of the platform write them.

Every write replaces a file whole, under a lock, readable by its owner only. Entries and keys of other tools stay.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import itertools
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import keys
from .errors import AgaveError

log = logging.getLogger("agavepy")

LOCK_TIMEOUT_S = 120.0  # longer than a renewal may take
_RESERVE_BYTES = 16_384  # more than one session adds to the file
_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

# Our names, and those of the files.
FILE_KEYS = {
    "tenant_id": "tenantid",
    "api_server": "baseurl",
    "api_secret": "apisecret",
    "api_key": "apikey",
    "username": "username",
    "token": "access_token",
    "refresh_token": "refresh_token",
    "created_at": "created_at",
    "expires_in": "expires_in",
    "expires_at": "expires_at",
}
_DOCUMENTED = ("tenantid", "baseurl", "devurl", "apisecret", "apikey", "username", "access_token", "refresh_token")
_DOCUMENTED_TIMES = ("created_at", "expires_in", "expires_at")


class Session(NamedTuple):
    """One login: which tenant, who, by which OAuth client, with which tokens. None: not known."""

    tenant_id: str | None = None
    api_server: str | None = None
    username: str | None = None
    client_name: str | None = None
    api_key: str | None = None
    api_secret: str | None = None
    token: str | None = None
    refresh_token: str | None = None
    created_at: float | None = None  # seconds since the epoch
    expires_in: float | None = None  # seconds
    expires_at: str | None = None  # as it stands in the file
    verify: bool | str | None = None  # of certificates; written by other tools, read by us

    def __repr__(self) -> str:
        return f"<session {self.client_name} of {self.username} at {self.tenant_id or self.api_server}>"

    @property
    def deadline(self) -> float | None:
        """Return when the access token expires, in seconds since the epoch."""
        if self.created_at is not None and self.expires_in is not None:
            return self.created_at + self.expires_in
        return parse_time(self.expires_at)

    @property
    def name(self) -> str:
        """Return the name under which it is filed: the OAuth client's, else its key."""
        return self.client_name or self.api_key or "default"

    def keywords(self) -> dict[str, Any]:
        """Return what is known as keywords of ``Agave()``."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class NoSession(AgaveError):
    """There is no such session; the text says where it was looked for."""


# One session as the files have it


def from_file(raw: Mapping[str, Any], *, client_name: str | None = None) -> Session:
    """Return the session of a file's entry, in either vocabulary: that of the command line or that of ``.agpy``."""
    values = {ours: raw.get(theirs) or raw.get(ours) for ours, theirs in FILE_KEYS.items()}
    found: dict[str, Any] = {name: value for name, value in values.items() if value and isinstance(value, str)}
    found["created_at"], found["expires_in"] = number(values["created_at"]), number(values["expires_in"])
    verify = raw.get("verify")  # True says no more than that nobody chose: earlier releases wrote it
    found["verify"] = verify if verify is False or (verify and isinstance(verify, str)) else None
    return Session(client_name=client_name or raw.get("client_name") or None, **found)


def to_file(session: Session, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the entry of a session with the documented keys; what ``before`` holds besides them is kept."""
    entry: dict[str, Any] = dict.fromkeys((*_DOCUMENTED, *_DOCUMENTED_TIMES), "")
    entry.update(before or {})
    if session.created_at is not None:
        # Up: a token of a second or two would seem to be over at once, and every process would renew it for ever.
        session = session._replace(created_at=math.ceil(session.created_at))
    values = session._asdict()
    entry.update({theirs: "" if values[ours] is None else values[ours] for ours, theirs in FILE_KEYS.items()})
    if session.created_at is not None:
        entry["created_at"] = str(session.created_at)
    if session.expires_in is not None:
        entry["expires_in"] = int(session.expires_in)
    deadline = session.deadline
    entry["expires_at"] = "" if deadline is None else format_time(deadline)
    return entry


def format_time(seconds: float) -> str:
    """Return a time as the files have it: ``Tue Oct 16 20:48:36 UTC 2018``."""
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(seconds))


def parse_time(text: str | None) -> float | None:
    """Return seconds since the epoch of a time written with or without a zone; without, it is local time."""
    words = str(text or "").split()
    try:
        if len(words) == 6:  # with the name of a zone, of which only UTC is unambiguous
            import calendar

            moment = time.strptime(" ".join(words[:4] + words[5:]), "%a %b %d %H:%M:%S %Y")
            return float(calendar.timegm(moment)) if words[4] in ("UTC", "GMT") else time.mktime(moment)
        return time.mktime(time.strptime(" ".join(words), "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """Return a number that may be written as text, whole ones as int, or None."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(found):
        return None
    return int(found) if found.is_integer() else found


# The folder


def default_folder() -> Path:
    """Return the cache folder: TAPIS_CACHE_DIR, else AGAVE_CACHE_DIR, else ``~/.agave``."""
    named = os.environ.get("TAPIS_CACHE_DIR") or os.environ.get("AGAVE_CACHE_DIR")
    return Path(named).expanduser() if named else Path.home() / ".agave"


def agpy_paths() -> list[Path]:
    """Return where ``.agpy`` lists are looked for."""
    return [Path.home() / ".agpy", *(Path(folder) / ".agpy" for folder in ("/etc", "/root", "/"))]


class Cache:
    """
    The sessions of a folder.

    :param folder: None: :func:`default_folder`.
    :param now: seconds since the epoch, for the names of files kept aside.
    :param keyring: keep the secrets of new sessions in the system's keyring; None asks AGAVEPY_KEYRING. Those of a
        session that is there already stay there.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        now: Callable[[], float] = time.time,
        keyring: bool | None = None,
    ) -> None:
        self.folder = Path(folder).expanduser() if folder else default_folder()
        self.config_path = self.folder / "config.json"
        self.current_path = self.folder / "current"
        self._now = now
        self._keyring = keys.is_wanted() if keyring is None else keyring

    def __repr__(self) -> str:
        return f"<sessions in {self.folder}>"

    # Reading: without a lock, since every write replaces a file whole

    def find(
        self,
        *,
        tenant_id: str | None = None,
        username: str | None = None,
        client_name: str | None = None,
        api_key: str | None = None,
        api_server: str | None = None,
    ) -> Session:
        """
        Return the session asked for: the current one where it is that, or where nothing is asked for.

        After the current one come the others of ``config.json``, then the ``.agpy`` lists.

        :raises NoSession: there is none.
        :raises AgaveError: its secrets are in the keyring and cannot be read there.
        """
        asked = {"tenant_id": tenant_id, "username": username, "client_name": client_name, "api_key": api_key}
        asked["api_server"] = api_server and _plain(api_server)
        wanted = {name: value for name, value in asked.items() if value}
        for session in self._all(is_chosen=bool(wanted)):
            known = {**session._asdict(), "api_server": _plain(session.api_server or "")}
            if all(known[name] == value for name, value in wanted.items()):
                return with_secrets(self._freshest(session))
        raise NoSession(self._nothing(wanted))

    def current(self) -> Session | None:
        """Return the current session of this folder, or None; its secrets may be references to the keyring."""
        return next((self._freshest(session) for session in self._named_current()), None)

    def own(self) -> list[Session]:
        """Return every session of this folder, the current one first; secrets may be references to the keyring."""
        return self._each_once([*self._named_current(), *self.sessions()])

    def everywhere(self) -> list[Session]:
        """Return every session of every file, as :meth:`own` does."""
        return self._each_once([*self._all(is_chosen=False), *self.sessions()])

    def filed(self) -> dict[str, Any]:
        """Return ``config.json`` as it stands, or an empty dict."""
        return self._config()

    def sessions(self) -> list[Session]:
        """Return every session of ``config.json``, in its order."""
        return list(_filed(self._config()))

    def _all(self, *, is_chosen: bool) -> Iterator[Session]:
        yield from self._named_current()
        filed = self.sessions()
        if is_chosen or (len(filed) == 1 and "current" not in self._config()):  # some releases name no current one
            yield from filed
        for path in agpy_paths():
            yield from self._entries(path)

    def _named_current(self) -> Iterator[Session]:
        # Where the two differ, a tool that writes "current" alone was there last.
        yield from self._entries(self.current_path)
        yield from _current_of(self._config())

    def _each_once(self, sessions: list[Session]) -> list[Session]:
        found: list[Session] = []
        for session in sessions:
            if not any(is_same(session, known) for known in found):
                found.append(self._freshest(session))
        return found

    def _freshest(self, session: Session) -> Session:
        """Return the newest copy of a session: a crash may have come between the writes of two files."""
        return max([session, *self._copies(session)], key=lambda each: each.created_at or 0)

    def _copies(self, session: Session) -> list[Session]:
        filed = [*self.sessions(), *self._named_current()]
        return [other for other in filed if is_same(other, session)]

    def _entries(self, path: Path) -> Iterator[Session]:
        content = self._read(path)
        for entry in content if isinstance(content, list) else [content]:
            if isinstance(entry, dict) and entry:
                yield from_file(entry)

    def _config(self) -> dict[str, Any]:
        return self._read(self.config_path, is_good=_is_config) or {}

    def _read(self, path: Path, *, is_good: Callable[[Any], bool] = lambda content: True) -> Any:
        """Return what a file holds, or None; what is no good is kept aside, since a write would replace it."""
        text = self._text(path)
        if text is None:
            return None
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):  # ValueError: not even text, too
            self._keep_aside(path, text, "is not JSON")
            return None
        if not is_good(content):
            self._keep_aside(path, text, "is JSON, but holds no sessions")
            return None
        return content

    def _text(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None  # a folder that is a file holds no session; writing will say so
        except PermissionError as error:
            if path.parent != self.folder:  # somebody else's list
                return None
            raise AgaveError(
                f"{path} cannot be read: {error.strerror}. Is it another user's? Name another folder with"
                " TAPIS_CACHE_DIR."
            ) from error

    def _keep_aside(self, path: Path, text: bytes, what: str) -> None:
        try:
            with self.locked():
                if self._text(path) != text:  # somebody else has just put it right
                    return
                aside = self._free_name(path)
                os.replace(path, aside)
        except (OSError, AgaveError) as error:
            reason = getattr(error, "strerror", None) or str(error).rstrip(".")
            raise AgaveError(f"{path} {what}, and cannot be kept aside: {reason}.") from error
        log.warning("%s %s: kept aside as %s", path, what, aside.name)

    def _free_name(self, path: Path) -> Path:
        for second in itertools.count(int(self._now())):
            aside = path.with_name(f"{path.name}.bad-{second}")
            if not aside.exists():
                return aside
        raise AssertionError("seconds do not end")

    def _nothing(self, wanted: Mapping[str, str]) -> str:
        asked = f" with {', '.join(f'{name}={value!r}' for name, value in wanted.items())}" if wanted else ""
        known = "; ".join(f"{each.tenant_id}/{each.username}/{each.name}" for each in self.sessions())
        there = f" There are (tenant/user/client): {known}; name one by client_name=…." if known else ""
        return f"No session{asked} in {self.config_path}.{there} Run 'agavepy login', or pass token=…."

    # Writing

    def save(self, session: Session) -> None:
        """
        File a session and make it the current one; older sessions of other clients stay.

        :raises AgaveError: the folder cannot be written.
        """
        with self.locked(), self.reserved(session, is_chosen=True) as write:
            write(session)

    def update(self, session: Session) -> None:
        """
        File a session's new tokens; which one is the current session stays as it is, unless there is none.

        :raises AgaveError: the folder cannot be written.
        """
        with self.locked(), self.reserved(session) as write:
            write(session)

    def forget(self, session: Session) -> None:
        """
        Take a session out of the files, and its secrets out of the keyring.

        :raises AgaveError: the folder cannot be written, or the keyring cannot be used.
        """
        with self.locked():
            references = {str(value) for each in self._copies(session) for value in each if keys.is_reference(value)}
            config = self._config()
            left = _without(config, session)
            if left != config:
                self._replace(self.config_path, left)
            if any(is_same(entry, session) for entry in self._entries(self.current_path)):
                self._forget_current(session)
            keys.delete(sorted(references))

    def _forget_current(self, session: Session) -> None:
        content = self._read(self.current_path)
        entries = content if isinstance(content, list) else []
        others = [entry for entry in entries if not (isinstance(entry, dict) and is_same(from_file(entry), session))]
        if others:
            self._replace(self.current_path, others)
        else:
            self.current_path.unlink()

    @contextlib.contextmanager
    def locked(self, name: str = "config.json.lock") -> Iterator[None]:
        """
        Hold a lock of the folder among all threads and processes; a process that dies gives it back.

        :raises AgaveError: the folder cannot be written, or another process has held the lock for minutes.
        """
        self._make_folder()
        with _in_process(self.folder / name), _between_processes(self.folder / name):
            yield

    @contextlib.contextmanager
    def reserved(
        self, session: Session | None = None, *, is_chosen: bool = False
    ) -> Iterator[Callable[[Session], None]]:
        """
        Give a function that files a session, with its place on the disk taken beforehand.

        A refresh token is used up by the server before the new one can be written: a full disk must show itself
        earlier than that. The caller holds the lock.

        :param session: the one that will be filed, as far as it is known, to try the keyring as well.
        :param is_chosen: it is to be the current session, whichever is now.
        :raises AgaveError: there is no place.
        """
        self._sweep()
        if session is not None and self._belongs_in_keyring(session):
            keys.check()
        config, flat = self._config(), self._read(self.current_path) or {}
        room = len(json.dumps(config)) + len(json.dumps(flat)) + _RESERVE_BYTES
        with _Replacement(self.config_path, room) as first, _Replacement(self.current_path, room) as second:

            def write(session: Session) -> None:
                if self._belongs_in_keyring(session):
                    session = _in_keyring(session)
                if is_chosen or self._is_current(session):
                    first.commit(_dump(_with(_with_displaced(config, flat), session)))
                    second.commit(_dump(_current_with(flat, session)))
                else:
                    first.commit(_dump(_with(config, session, is_current=False)))
                self._update_agpy(session)

            yield write

    def _update_agpy(self, session: Session) -> None:
        """Write new tokens into the lists that hold the session too: their readers would redeem the old ones."""
        if not session.api_key or is_in_keyring(session):
            return
        for path in agpy_paths():
            entries = self._read(path)
            if isinstance(entries, list) and any(_is_entry_of(session, entry) for entry in entries):
                updated = [_in_agpy(session, entry) if _is_entry_of(session, entry) else entry for entry in entries]
                try:
                    self._replace(path, updated)
                except AgaveError as error:
                    log.info("%s", error)  # that of the machine, which is not ours to write

    def _is_current(self, session: Session) -> bool:
        current = next(self._named_current(), None)
        return current is None or is_same(current, session)

    def _belongs_in_keyring(self, session: Session) -> bool:
        return self._keyring or any(map(is_in_keyring, self._copies(session)))

    def _sweep(self) -> None:
        """Remove what a writer that was killed left; nobody else writes while the lock is held."""
        for path in (self.config_path, self.current_path):
            for left_over in path.parent.glob(f".{path.name}.*"):
                left_over.unlink(missing_ok=True)

    def _replace(self, path: Path, content: Any) -> None:
        with _Replacement(path, 0) as replacement:
            replacement.commit(_dump(content))

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def _is_config(content: Any) -> bool:
    """Tell whether a document can be gone on with: no session of anybody is lost when it is written again."""
    return isinstance(content.get("sessions") or {}, dict) if isinstance(content, dict) else not content


def is_same(one: Session, other: Session) -> bool:
    """Tell whether two sessions are the same login: the same OAuth client and user at the same tenant."""
    if one.api_key or other.api_key:
        return one.api_key == other.api_key and (one.username or "") == (other.username or "")
    return (one.tenant_id, one.username, one.client_name) == (other.tenant_id, other.username, other.client_name)


def _is_entry_of(session: Session, entry: Any) -> bool:
    return isinstance(entry, dict) and is_same(from_file(entry), session)


def _in_agpy(session: Session, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a list with the session's tokens, in the vocabulary that it has."""
    written = to_file(session)
    renewed = ("token", "refresh_token", "created_at", "expires_in", "expires_at")
    return {
        **entry,
        **{FILE_KEYS[ours] if FILE_KEYS[ours] in entry else ours: written[FILE_KEYS[ours]] for ours in renewed},
    }


def with_secrets(session: Session) -> Session:
    """
    Return the session with its secrets in place of the references to the keyring.

    :raises AgaveError: the keyring has none, or cannot be used.
    """
    found: dict[str, Any] = {
        name: keys.read(value) for name, value in session._asdict().items() if keys.is_reference(value)
    }
    return session._replace(**found)


def is_in_keyring(session: Session) -> bool:
    """Tell whether secrets of a session are references to the keyring."""
    return any(map(keys.is_reference, session))


def _in_keyring(session: Session) -> Session:
    """Put the secrets in the keyring; return the session with references in their place."""
    kept: dict[str, Any] = {}
    for ours, field in keys.FIELDS.items():
        secret = getattr(session, ours)
        name = keys.reference(session.tenant_id, session.username, session.name, field)
        if not secret:
            keys.delete([name])
        elif not keys.is_reference(secret):
            keys.write(name, secret)
            kept[ours] = name
    return session._replace(**kept)


def _without(config: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """Return ``config`` without the session; everything else is as it was."""
    left = copy.deepcopy(dict(config))
    for tenant_id, users in _items(left.get("sessions")):
        for username, named in _items(users):
            for name, entry in _items(named):
                if isinstance(entry, dict) and is_same(_filed_at(tenant_id, username, name, entry), session):
                    del named[name]
    for name, entry in _items(left.get("current")):
        if isinstance(entry, dict) and is_same(from_file(entry, client_name=name), session):
            del left["current"][name]
    return left


def _filed(config: Mapping[str, Any]) -> Iterator[Session]:
    for tenant_id, users in _items(config.get("sessions")):
        for username, clients in _items(users):
            for name, entry in _items(clients):
                yield _filed_at(tenant_id, username, name, entry if isinstance(entry, dict) else {})


def _filed_at(tenant_id: str, username: str, name: str, entry: Mapping[str, Any]) -> Session:
    filed = from_file(entry, client_name=name)
    return filed._replace(tenant_id=filed.tenant_id or tenant_id, username=filed.username or username)


def _current_of(config: Mapping[str, Any]) -> Iterator[Session]:
    for name, entry in _items(config.get("current")):
        if isinstance(entry, dict):
            yield from_file(entry, client_name=name)


def _plain(address: str) -> str:
    return address.strip().rstrip("/").lower()


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _with(config: Mapping[str, Any], session: Session, *, is_current: bool = True) -> dict[str, Any]:
    """Return ``config`` with the session filed, and current; everything else is as it was."""
    sessions = {tenant_id: dict(users) for tenant_id, users in _items(config.get("sessions"))}
    users = sessions.setdefault(session.tenant_id or "", {})
    named = users[session.username or ""] = dict(users.get(session.username or "", {}))
    named[session.name] = to_file(session, named.get(session.name))
    if not is_current:
        return {**config, "sessions": sessions}
    before = dict(_items(config.get("current"))).get(session.name)
    return {**config, "current": {session.name: to_file(session, before)}, "sessions": sessions}


def _with_displaced(config: Mapping[str, Any], content: Any) -> Mapping[str, Any]:
    """Return ``config`` with what stands in ``current`` alone, since another session is to stand there."""
    displaced = from_file(content) if isinstance(content, dict) else Session()
    if not displaced.token or any(is_same(displaced, filed) for filed in _filed(config)):
        return config
    return _with(config, displaced)


def _current_with(content: Any, session: Session) -> Any:
    """Return what is to stand in ``current``: the session; where that is a list, the others after it."""
    entries = content if isinstance(content, list) else [content]
    before = next((entry for entry in entries if _is_entry_of(session, entry)), None)
    written = {**to_file(session, before), "client_name": session.client_name or ""}
    return [written, *(entry for entry in entries if entry is not before)] if isinstance(content, list) else written


def _dump(content: Any) -> bytes:
    return json.dumps(content, indent=4).encode()


class _Replacement:
    """A file beside its target that takes its place when it is committed, whole and on the disk."""

    def __init__(self, target: Path, room_bytes: int) -> None:
        self._target = Path(os.path.realpath(target))  # a link stays a link
        self._room_bytes = room_bytes

    def __enter__(self) -> _Replacement:
        import tempfile

        try:
            self._handle, name = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)  # 0600
        except OSError as error:
            raise _unwritable(self._target, error) from error
        self._path = Path(name)
        try:
            self._write(b" " * self._room_bytes)
        except AgaveError:
            self._discard()
            raise
        return self

    def commit(self, content: bytes) -> None:
        """Put ``content`` in the target's place."""
        self._write(content)
        try:
            os.replace(self._path, self._target)
            _sync_folder(self._target.parent)
        except OSError as error:
            raise _unwritable(self._target, error) from error

    def __exit__(self, *unused: Any) -> None:
        self._discard()

    def _write(self, content: bytes) -> None:
        try:
            os.lseek(self._handle, 0, os.SEEK_SET)
            view = memoryview(content)
            while view:
                view = view[os.write(self._handle, view) :]
            os.ftruncate(self._handle, len(content))
            os.fsync(self._handle)
        except OSError as error:
            raise _unwritable(self._target, error) from error

    def _discard(self) -> None:
        os.close(self._handle)
        self._path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # or a power cut could bring the old name back
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> AgaveError:
    return AgaveError(f"{path} cannot be written: {error.strerror}. Name another folder with TAPIS_CACHE_DIR.")


# Locks


_locks: dict[str, threading.RLock] = {}  # by path: all clients of a process that share a folder
_said_no_locks: set[str] = set()


@contextlib.contextmanager
def _in_process(path: Path) -> Iterator[None]:
    lock = _locks.setdefault(os.path.realpath(path), threading.RLock())
    if not lock.acquire(timeout=LOCK_TIMEOUT_S):
        raise AgaveError(f"Another thread has held {path} for {LOCK_TIMEOUT_S:.0f} s.")
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _between_processes(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    # No soft locks: one that a dead process left would block for ever.
    lock = FileLock(path, timeout=LOCK_TIMEOUT_S, mode=0o600, fallback_to_soft=False, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise AgaveError(f"Another process has held {path} for {LOCK_TIMEOUT_S:.0f} s: is it stuck?") from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS_HERE:
            raise _unwritable(path, error) from error
        _say_once_that_there_are_no_locks(path.parent)
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _say_once_that_there_are_no_locks(folder: Path) -> None:
    if str(folder) not in _said_no_locks:
        _said_no_locks.add(str(folder))
        log.warning("%s has no file locks: files are still replaced whole, but two renewals may meet there", folder)
