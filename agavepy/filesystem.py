"""The files of a tenant for fsspec, and so for pandas, xarray and dask: ``agave://system-id/path``."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from glob import has_magic
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.core import get_compression
from fsspec.utils import isfilelike, other_paths, stringify_path, tokenize

from .agave import Agave
from .errors import AgaveError, AgaveHTTPError
from .files import addresses, changes, entries
from .files.addresses import Address
from .files.download import download
from .files.entries import Entry
from .files.reader import Reader
from .files.send import check_name, send_file
from .files.terms import Terms
from .open_files import AgaveFile, CompressedFile, TextFile
from .paths import is_secret, redact
from .refusals import A_FOLDER, MISSING, NO_FOLDER, NOT_EMPTY, THERE_ALREADY, as_os_errors, refusal

_OF_FSSPEC = (
    *("client", "session", "skip_instance_cache", "use_listings_cache", "listings_expiry_time", "max_paths"),
    *("asynchronous", "loop", "batch_size"),
)
_OF_SESSION = ("tenant_id", "username", "verify")
_OF_TEXT = ("encoding", "errors", "newline")
_UNEXPLAINED = (400, 501)  # what is answered where a folder stands in a file's place, or a file in a folder's
_restoring = threading.Lock()


class _Instances(type(AbstractFileSystem)):  # type: ignore[misc]
    """Makes a client of what only a client should know: fsspec keeps, hashes and pickles every keyword."""

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        options = {name: keywords.pop(name) for name in list(keywords) if name not in _OF_FSSPEC}
        if options:
            keywords["client"] = Agave(**options)
        if keywords.get("client") is not None:
            keywords["skip_instance_cache"] = True  # clients of one user look alike, and are not the same
        return super().__call__(*args, **keywords)


class AgaveFileSystem(AbstractFileSystem, metaclass=_Instances):
    """
    The storage systems of a tenant as one file system: ``system-id/path`` counts from the system's home folder,
    ``system-id//path`` from its root.

    Further keywords are those of :class:`agavepy.agave.Agave`, of which a client is made. Without any, the session
    that is filed on this machine is restored. Pickles and JSON say whose session it is, and hold no secrets: where
    they are read, that session is restored.

    :param client: an :class:`~agavepy.agave.Agave` that is logged in.
    :param session: which of the filed sessions is to be restored: keywords of :meth:`agavepy.agave.Agave.restore`,
        such as ``username``; none: the current one.
    :param use_listings_cache: remember listings until something is written through this instance; off by default,
        since others write too.
    """

    protocol = "agave"
    root_marker = ""

    def __init__(
        self,
        *,
        client: Agave | None = None,
        session: dict[str, Any] | None = None,
        use_listings_cache: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(use_listings_cache=use_listings_cache, **options)
        if secret := [name for name in session or {} if is_secret(name)]:
            raise AgaveError(
                f"session= is kept in clear, and {secret[0]!r} lets somebody in: name the session by username or "
                f"tenant_id; what lets in is passed beside it: {secret[0]}=…."
            )
        self._client, self._session = client, session or {}
        self._changes = 0  # how often listings were forgotten

    @property
    def client(self) -> Agave:
        """The client that makes the calls."""
        with _restoring:
            if self._client is None:
                self._client = Agave.restore(**self._session)
        return self._client

    @property
    def _fs_token(self) -> str:
        client = self.storage_options.get("client")  # clients of one user look alike, and are not the same
        return tokenize(self._fs_token_, id(client)) if client is not None else str(self._fs_token_)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._options(), self.storage_options.get("client"))

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return what makes an instance like this one, where the session can be restored."""
        options, client = self._options(), self.storage_options.get("client")
        if client is not None:
            options["session"] = _session_of(client)
        found: dict[str, Any] = super(AgaveFileSystem, type(self)(**options)).to_dict(include_password=include_password)
        return found

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in self.storage_options.items() if name != "client"}

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path).removeprefix("agave::")
        text = text.removeprefix(addresses.SCHEME) if text.startswith(addresses.SCHEME) else text.lstrip("/")
        system, _, rest = text.partition("/")
        names = "/".join(name for name in rest.split("/") if name)
        return f"{system}/{'/' if rest.startswith('/') else ''}{names}" if rest else system

    @classmethod
    def _parent(cls, path: str) -> str:
        system, _, rest = cls._strip_protocol(path).partition("/")
        if not rest.strip("/"):
            return cls.root_marker
        above, slash, _ = rest.rpartition("/")
        return f"{system}/{above or slash}" if above or slash else str(system)

    # What is there

    def ls(self, path: str, detail: bool = True, refresh: bool = False, **_: Any) -> list[Any]:
        """Return what a folder holds, all of it, or the file itself; of the root, the storage systems."""
        path = self._strip_protocol(path)
        found = None if refresh else self._remembered(path)
        if found is None:
            found = self._listed(path) if path else self._systems()
        return found if detail else [each["name"] for each in found]

    def _remembered(self, path: str) -> list[dict[str, Any]] | None:
        if path in self.dircache:
            return list(self.dircache[path])
        itself = [known for known in self.dircache.get(self._parent(path), ()) if known["name"] == path]
        return itself if itself and itself[0]["type"] == "file" else None

    def _listed(self, path: str) -> list[dict[str, Any]]:
        before = self._changes
        with as_os_errors(path):
            itself, held = entries.look(self.client, addresses.parse(path))
        if not itself.is_folder:
            return [_facts(path, itself)]
        found = [_facts(_joined(path, entry.name), entry) for entry in held]
        if before == self._changes:  # else it may be a listing of what was there before
            self.dircache[path] = found
        return found

    def _systems(self) -> list[dict[str, Any]]:
        found = self.client.systems.list.iterate(type="STORAGE")
        return [{"name": system.id, "size": 0, "type": "directory"} for system in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size (bytes), type ("file" or "directory"), modified (aware datetime), permissions."""
        path = self._strip_protocol(path)
        if not path:
            return {"name": "", "size": 0, "type": "directory"}
        for known in self.dircache.get(self._parent(path), ()):
            if known["name"] == path:
                return dict(known)
        with as_os_errors(path):
            return _facts(path, entries.at(self.client, addresses.parse(path)))

    def exists(self, path: str, **_: Any) -> bool:
        """Tell whether there is something; a refusal or a network that fails is not taken for a no."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isdir(self, path: str) -> bool:
        """Tell whether it is a folder."""
        return self._is(path, "directory")

    def isfile(self, path: str) -> bool:
        """Tell whether it is a file."""
        return self._is(path, "file")

    def _is(self, path: str, kind: str) -> bool:
        try:
            return bool(self.info(path)["type"] == kind)
        except FileNotFoundError:
            return False

    def modified(self, path: str) -> Any:
        """Return when a file was last changed, as an aware datetime; None: the server does not say."""
        return self.info(path)["modified"]

    def created(self, path: str) -> Any:
        """Return when a file was made, as an aware datetime; None: the server has no record of that."""
        path = self._strip_protocol(path)
        self.info(path)
        return min((event.created for event in self._history(path) if event.status == "CREATED"), default=None)

    def _history(self, path: str) -> list[Any]:
        operation: Any = self.client.files.getHistory
        try:
            return list(operation.iterate(**addresses.parse(path).keywords))
        except AgaveHTTPError as error:
            if error.status_code == 404:
                return []
            raise

    def expand_path(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **keywords: Any
    ) -> list[str]:
        """Return what paths and patterns stand for; one that is there as it is written is no pattern."""
        given = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        literal = [] if keywords.get("assume_literal") else [each for each in given if self._is_literal(each)]
        others = [each for each in given if each not in literal]
        found = set(super().expand_path(others, recursive, maxdepth, **keywords)) if others or not literal else set()
        for each in map(self._strip_protocol, literal):
            found |= {each, *(self.find(each, maxdepth=maxdepth, withdirs=True) if recursive else ())}
        return sorted(found)

    def _is_literal(self, path: Any) -> bool:
        """Tell whether fsspec would take the name of something that is there for a pattern."""
        plain = self._strip_protocol(path) if isinstance(path, (str, os.PathLike)) else ""
        return has_magic(plain) and self.exists(plain)

    # What is changed

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder; :raises FileExistsError: something is there."""
        path = self._strip_protocol(path)
        if not create_parents and not self.isdir(self._parent(path)):
            raise refusal(MISSING, self._parent(path))
        self.makedirs(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        path = self._strip_protocol(path)
        if self.exists(path):
            if exist_ok and self.isdir(path):
                return
            raise refusal(THERE_ALREADY, path)
        address = addresses.parse(path)
        if address.is_top:
            raise refusal(MISSING, path)
        with self._changing(path), self._explained(path):
            changes.make_folder(self.client, address)

    def rmdir(self, path: str) -> None:
        """Remove a folder; :raises OSError: something is in it."""
        path = self._strip_protocol(path)
        if self.info(path)["type"] != "directory":
            raise refusal(NO_FOLDER, path)
        if self.ls(path, detail=False, refresh=True):
            raise refusal(NOT_EMPTY, path)
        self._rm(path)

    def rm(self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None) -> None:
        """
        Delete files, and with ``recursive`` folders and all that is in them.

        :param maxdepth: how many levels are deleted; folders that hold more than that stay.
        :raises IsADirectoryError: a folder, without ``recursive``.
        """
        if recursive and maxdepth is not None:
            return self._rm_levels(path, maxdepth)
        for each in reversed(self.expand_path(path, maxdepth=maxdepth)):
            (self._rm if recursive else self.rm_file)(each)

    def _rm_levels(self, path: str | list[str], maxdepth: int) -> None:
        for each in reversed(self.expand_path(path, recursive=True, maxdepth=maxdepth)):
            if self.isfile(each) or not self.ls(each, detail=False, refresh=True):
                self._rm(each)

    def _rm(self, path: str) -> None:
        with self._changing(path):
            changes.delete(self.client, path)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        path = self._strip_protocol(path)
        if self.isdir(path):
            raise refusal(A_FOLDER, path)
        self._rm(path)

    def copy(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **keywords: Any
    ) -> None:
        """Copy files and folders on the server."""
        if self._is_literal(path1) and not isinstance(path2, list):
            path1, path2 = self._paired(path1, path2, recursive, maxdepth, is_folder=self.isdir)
        super().copy(path1, path2, recursive=recursive, maxdepth=maxdepth, **keywords)

    def _paired(
        self, source: str, target: str, recursive: bool, maxdepth: int | None, is_folder: Callable[[str], bool]
    ) -> tuple[list[str], list[str]]:
        """Return all that a literal name stands for, and where each of it goes."""
        above = stringify_path(target).rstrip("/")
        if not source.endswith("/") and (above != target or is_folder(above)):
            above = f"{above}/{addresses.parse(source).name}"
        paths = self.expand_path(source, recursive=recursive, maxdepth=maxdepth)
        wanted = [path for path in paths if (recursive and maxdepth is None) or not self.isdir(path)]
        return wanted, other_paths(wanted, above)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file on the server; for a folder, make one like it."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.info(source)["type"] == "directory":
            self.makedirs(target, exist_ok=True)
        else:
            self._with_parents(target, lambda: changes.copy(self.client, source, target))

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Move a file or folder on the server; whatever else the arguments ask for is copied, then deleted."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if not self._is_simple_move(source, target, maxdepth):
            self.copy(path1, path2, recursive=recursive, maxdepth=maxdepth, on_error="raise")
            self.rm(path1, recursive=recursive, maxdepth=maxdepth)
        elif source != target:
            if self.isdir(target) or str(path2).endswith("/"):
                target = _joined(target, addresses.parse(source).name)
            with self._changing(source):
                self._with_parents(target, lambda: changes.move(self.client, source, target))

    def _is_simple_move(self, source: Any, target: Any, maxdepth: int | None) -> bool:
        if not isinstance(source, str) or not isinstance(target, str) or maxdepth is not None:
            return False
        return source.partition("/")[0] == target.partition("/")[0] and self.exists(source)

    # What is in files

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **keywords: Any,
    ) -> Any:
        """
        Return an open file, for bytes or text.

        A ``with`` block that ends with an error stores nothing, be it bytes, text or compressed.
        """
        path = self._strip_protocol(path)
        compression = get_compression(path, compression)
        if "r" in mode or ("b" in mode and compression is None):
            return super().open(path, mode, block_size, cache_options, compression, **keywords)
        text = {name: keywords.pop(name) for name in _OF_TEXT if name in keywords}
        mode = mode.replace("t", "")
        file = super().open(path, mode.replace("b", "") + "b", block_size, cache_options, **keywords)
        above = CompressedFile(file, compression, mode) if compression else file
        return above if "b" in mode else TextFile(above, file, **text)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> AgaveFile:
        return AgaveFile(self, path, mode, block_size, autocommit=autocommit, cache_options=cache_options, **keywords)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the bytes of a file, or those from ``start`` up to ``end``; negative ones count from its end."""
        path = self._strip_protocol(path)
        address = self.address_of_file(path)
        first, last = self._bounds(path, start, end)
        with as_os_errors(path), self._explained(path):
            return Reader(self.client, address).read(first, last)

    def _bounds(self, path: str, start: int | None, end: int | None) -> tuple[int, int | None]:
        if (start or 0) >= 0 and (end is None or end >= 0):
            return start or 0, end
        first, last, _ = slice(start, end).indices(self.info(path)["size"])
        return first, last

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **keywords: Any,
    ) -> None:
        """Bring files and folders to this machine, one file after the other."""
        if self._is_literal(rpath) and not isinstance(lpath, list):
            rpath, lpath = self._paired(rpath, lpath, recursive, maxdepth, is_folder=os.path.isdir)
        super().get(rpath, lpath, recursive=recursive, callback=callback, maxdepth=maxdepth, **keywords)

    def get_file(
        self, rpath: str, lpath: Any, callback: Callback = DEFAULT_CALLBACK, outfile: Any = None, **_: Any
    ) -> None:
        """Bring a file to this machine, whole or not at all; of a folder, make one like it."""
        path = self._strip_protocol(rpath)
        if isfilelike(lpath) or outfile is not None:
            super().get_file(path, lpath, callback=callback, outfile=outfile)
            return
        with as_os_errors(path):
            found = entries.at(self.client, addresses.parse(path)) if path else None
            if found is None or found.is_folder:
                os.makedirs(lpath, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(os.path.abspath(lpath)), exist_ok=True)
                download(self.client, path, lpath, Terms(progress=_told(callback)), found=found)

    def put_file(
        self, lpath: Any, rpath: str, callback: Callback = DEFAULT_CALLBACK, mode: str = "overwrite", **_: Any
    ) -> None:
        """Send a file of this machine; for a folder, make one like it."""
        path = self._strip_protocol(rpath)
        if os.path.isdir(lpath):
            self.makedirs(path, exist_ok=True)
            return
        if mode == "create" and self.exists(path):
            raise refusal(THERE_ALREADY, path)
        with open(lpath, "rb") as file:
            self.send(file, path, callback=callback)

    def send(self, file: Any, path: str, *, callback: Callback = DEFAULT_CALLBACK) -> None:
        """Send an open file of this machine's disk, from its beginning; it appears when it is whole."""
        address, told = self.address_of_file(path), _told(callback)
        check_name(address)
        self._with_parents(
            path,
            lambda: send_file(
                self.client,
                file,
                address,
                report=lambda done, total: told(done, total, path),
                pause=self.client._transport().pause,
                stop=threading.Event(),
            ),
        )

    def address_of_file(self, path: str) -> Address:
        """Return where a file is; :raises IsADirectoryError: only a folder can be there."""
        if not path or addresses.parse(path).is_top:
            raise refusal(A_FOLDER, path)
        return addresses.parse(path)

    # How it is done

    def _with_parents(self, path: str, act: Callable[[], Any]) -> None:
        """Change something; where folders are missing, make them and try again."""
        with self._changing(path), self._explained(path):
            try:
                act()
            except AgaveHTTPError as error:
                if error.status_code != 404:
                    raise
                changes.make_folder(self.client, addresses.parse(self._parent(path)))
                act()

    @contextlib.contextmanager
    def _changing(self, path: str) -> Iterator[None]:
        try:
            with as_os_errors(path):
                yield
        finally:
            self.invalidate_cache(path)

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Where the server does not say so, tell that a folder stands in a file's place, or a file in a folder's."""
        try:
            yield
        except AgaveHTTPError as error:
            if error.status_code not in _UNEXPLAINED:
                raise
            if self.isdir(path):
                raise refusal(A_FOLDER, path) from error
            if self._is_below_a_file(path):
                raise refusal(NO_FOLDER, path) from error
            raise

    def _is_below_a_file(self, path: str) -> bool:
        above = self._parent(path)
        while above and not self.exists(above):
            above = self._parent(above)
        return self.isfile(above)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget the listings of a place, of what is below it and of the folders above it; None: of all."""
        self._changes += 1
        if path is None:
            self.dircache.clear()
        else:
            path = self._strip_protocol(path)
            for known in list(self.dircache):
                if f"{known}/".startswith(f"{path}/") or f"{path}/".startswith(f"{known}/"):
                    with contextlib.suppress(KeyError):  # another thread was first
                        del self.dircache[known]
        super().invalidate_cache(path)


def _facts(path: str, entry: Entry) -> dict[str, Any]:
    return {
        "name": path,
        "size": 0 if entry.is_folder else entry.size_bytes,
        "type": "directory" if entry.is_folder else "file",
        "modified": entry.modified,
        "permissions": entry.permissions,
    }


def _joined(folder: str, name: str) -> str:
    return str(addresses.parse(folder).child(name))


def _told(callback: Callback) -> Callable[[int, int | None, str], None]:
    def told(done: int, total: int | None, _: str) -> None:
        callback.set_size(total)
        callback.absolute_update(done)

    return told


def _again(kind: type[AgaveFileSystem], options: dict[str, Any], client: Agave | None) -> AgaveFileSystem:
    """Return an instance as it was before it was pickled."""
    if client is None:
        return kind(**options)
    if client.token or client.jwt or client.use_nonce:
        return kind(client=client, **options)
    return kind(**{"session": _session_of(client), **options})


def _session_of(client: Agave) -> dict[str, Any]:
    """Return what finds the session of a client among those that are filed."""
    known = {name: getattr(client, name) for name in _OF_SESSION}
    known["api_server"] = redact(client.api_server) if client.api_server else None
    return {name: value for name, value in known.items() if value is not None}
