"""The files of a tenant for fsspec, and so for pandas, xarray and dask: ``agave://system-id/path``."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.spec import AbstractBufferedFile
from fsspec.utils import isfilelike, stringify_path

from .agave import Agave
from .errors import AgaveHTTPError
from .files import addresses, changes, entries
from .files.addresses import Address
from .files.download import download
from .files.entries import Entry
from .files.reader import Reader
from .files.send import send_file
from .files.terms import Terms

_OF_FSSPEC = (
    *("client", "skip_instance_cache", "use_listings_cache", "listings_expiry_time", "max_paths"),
    *("asynchronous", "loop", "batch_size"),
)
_KINDS = {
    401: (PermissionError, errno.EACCES),
    403: (PermissionError, errno.EACCES),
    404: (FileNotFoundError, errno.ENOENT),
    507: (OSError, errno.ENOSPC),
}


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
    that is filed on this machine is restored. A pickle carries no secrets: where it is read, the session is restored.

    :param client: an :class:`~agavepy.agave.Agave` that is logged in.
    :param use_listings_cache: remember listings until something is written through this instance; off by default,
        since others write too.
    """

    protocol = "agave"
    root_marker = ""

    def __init__(self, *, client: Agave | None = None, use_listings_cache: bool = False, **options: Any) -> None:
        super().__init__(use_listings_cache=use_listings_cache, **options)
        self._client = client

    @property
    def client(self) -> Agave:
        """The client that makes the calls."""
        if self._client is None:
            self._client = Agave.restore()
        return self._client

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return what makes an instance like this one, where the session can be restored."""
        options = {name: value for name, value in self.storage_options.items() if name != "client"}
        found: dict[str, Any] = super(AgaveFileSystem, type(self)(**options)).to_dict(include_password=include_password)
        return found

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
        found = None if refresh else self._ls_from_cache(path)
        if found is None:
            found = self._listed(path) if path else self._systems()
        return found if detail else [each["name"] for each in found]

    def _listed(self, path: str) -> list[dict[str, Any]]:
        with _os_errors(path):
            itself, held = entries.look(self.client, addresses.parse(path))
        if not itself.is_folder:
            return [_facts(path, itself)]
        found = [_facts(_joined(path, entry.name), entry) for entry in held]
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
        with _os_errors(path):
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

    # What is changed

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder; :raises FileExistsError: something is there."""
        path = self._strip_protocol(path)
        if not create_parents and not self.isdir(self._parent(path)):
            raise _error(FileNotFoundError, errno.ENOENT, self._parent(path))
        self.makedirs(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        path = self._strip_protocol(path)
        if self.exists(path):
            if exist_ok and self.isdir(path):
                return
            raise _error(FileExistsError, errno.EEXIST, path)
        with self._changing(path):
            changes.make_folder(self.client, addresses.parse(path))

    def rmdir(self, path: str) -> None:
        """Remove a folder; :raises OSError: something is in it."""
        path = self._strip_protocol(path)
        if not self.isdir(path):
            raise _error(NotADirectoryError, errno.ENOTDIR, path)
        if self.ls(path, detail=False, refresh=True):
            raise _error(OSError, errno.ENOTEMPTY, path)
        self._rm(path)

    def rm(self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None) -> None:
        """
        Delete files, and with ``recursive`` folders and all that is in them.

        :raises IsADirectoryError: a folder, without ``recursive``.
        """
        for each in self.expand_path(path, maxdepth=maxdepth):
            if not recursive and self.isdir(each):
                raise _error(IsADirectoryError, errno.EISDIR, each)
            self._rm(each)

    def _rm(self, path: str) -> None:
        with self._changing(path):
            changes.delete(self.client, path)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self._rm(self._strip_protocol(path))

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file on the server; for a folder, make one like it."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.isdir(source):
            self.makedirs(target, exist_ok=True)
        else:
            self._with_parents(target, lambda: changes.copy(self.client, source, target))

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Move a file or folder on the server; whatever else the arguments ask for is copied, then deleted."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if not self._is_simple_move(source, target, maxdepth):
            super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth)
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
        first, last = self._bounds(path, start, end)
        with _os_errors(path):
            return Reader(self.client, addresses.parse(path)).read(first, last)

    def _bounds(self, path: str, start: int | None, end: int | None) -> tuple[int, int | None]:
        if (start or 0) >= 0 and (end is None or end >= 0):
            return start or 0, end
        first, last, _ = slice(start, end).indices(self.info(path)["size"])
        return first, last

    def get_file(
        self, rpath: str, lpath: Any, callback: Callback = DEFAULT_CALLBACK, outfile: Any = None, **_: Any
    ) -> None:
        """Bring a file to this machine, whole or not at all; of a folder, make one like it."""
        path = self._strip_protocol(rpath)
        if isfilelike(lpath) or outfile is not None:
            super().get_file(path, lpath, callback=callback, outfile=outfile)
        elif self.isdir(path):
            os.makedirs(lpath, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(os.path.abspath(lpath)), exist_ok=True)
            with _os_errors(path):
                download(self.client, path, lpath, Terms(progress=_told(callback)))

    def put_file(
        self, lpath: Any, rpath: str, callback: Callback = DEFAULT_CALLBACK, mode: str = "overwrite", **_: Any
    ) -> None:
        """Send a file of this machine; for a folder, make one like it."""
        path = self._strip_protocol(rpath)
        if os.path.isdir(lpath):
            self.makedirs(path, exist_ok=True)
            return
        if mode == "create" and self.exists(path):
            raise _error(FileExistsError, errno.EEXIST, path)
        with open(lpath, "rb") as file:
            self.send(file, path, callback=callback)

    def send(self, file: Any, path: str, *, callback: Callback = DEFAULT_CALLBACK) -> None:
        """Send an open file of this machine's disk, from its beginning; it appears when it is whole."""
        told = _told(callback)
        self._with_parents(
            path,
            lambda: send_file(
                self.client,
                file,
                addresses.parse(path),
                report=lambda done, total: told(done, total, path),
                pause=self.client._transport().pause,
                stop=threading.Event(),
            ),
        )

    # How it is done

    def _with_parents(self, path: str, act: Callable[[], Any]) -> None:
        """Change something; where folders are missing, make them and try again."""
        with self._changing(path):
            try:
                act()
            except AgaveHTTPError as error:
                if error.status_code != 404 or self.isdir(self._parent(path)):
                    raise
                changes.make_folder(self.client, addresses.parse(self._parent(path)))
                act()

    @contextlib.contextmanager
    def _changing(self, path: str) -> Iterator[None]:
        try:
            with _os_errors(path):
                yield
        finally:
            self.invalidate_cache(path)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget the listings of a place, of what is below it and of the folders above it; None: of all."""
        if path is None:
            self.dircache.clear()
        else:
            path = self._strip_protocol(path)
            for known in list(self.dircache):
                if f"{known}/".startswith(f"{path}/") or f"{path}/".startswith(f"{known}/"):
                    self.dircache.pop(known, None)
        super().invalidate_cache(path)


class AgaveFile(AbstractBufferedFile):
    """
    One open file. What is written waits on this machine's disk and goes out when the file is closed.

    A block that ends with an error stores nothing.
    """

    def __init__(self, fs: AgaveFileSystem, path: str, mode: str, block_size: Any, **keywords: Any) -> None:
        super().__init__(fs, path, mode, block_size or "default", **keywords)
        self._address: Address = addresses.parse(path)
        self._waiting = tempfile.TemporaryFile() if mode != "rb" else None  # noqa: SIM115 - closed with this
        self._reader: Reader | None = None
        self._refuse_wrong_kind()
        if self._waiting is not None and mode == "ab" and fs.exists(path):
            with fs.open(path) as there:
                shutil.copyfileobj(there, self._waiting, self.blocksize)
            self.loc = self._waiting.tell()

    def _refuse_wrong_kind(self) -> None:
        if self.mode == "rb":
            if self.details["type"] == "directory":
                raise _error(IsADirectoryError, errno.EISDIR, self.path)
        elif self.mode == "xb" and self.fs.exists(self.path):
            self._abandon()
            raise _error(FileExistsError, errno.EEXIST, self.path)

    def _fetch_range(self, start: int, end: int) -> bytes:
        self._reader = self._reader or Reader(self.fs.client, self._address)
        with _os_errors(self.path):
            return self._reader.read(start, end)

    def _upload_chunk(self, final: bool = False) -> bool:
        assert self._waiting is not None
        self._waiting.write(self.buffer.getvalue())
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self) -> None:
        """Send what was written."""
        assert self._waiting is not None
        with self._waiting:
            self._waiting.flush()
            self.fs.send(self._waiting, self.path)

    def discard(self) -> None:
        """Forget what was written."""
        if self._waiting is not None:
            self._waiting.close()

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self._abandon()
        self.close()

    def _abandon(self) -> None:
        if self.mode != "rb":
            self.discard()
            self.closed = True


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


@contextlib.contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Raise the server's refusals as the errors that files of this machine have."""
    try:
        yield
    except AgaveHTTPError as error:
        if error.status_code not in _KINDS:
            raise
        raise _error(*_KINDS[error.status_code], path) from error


def _error(kind: type[OSError], number: int, path: str) -> OSError:
    return kind(number, os.strerror(number), path)
