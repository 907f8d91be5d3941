"""Where a system's files are on disk: every system, whatever its protocol, is a folder of the tenant's own."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import durable
from .api import BadRequest, NoSpace, NotFound

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_LONGEST_NAME = 255  # bytes; the same on all common file systems
_LONGEST_PATH = 4095  # bytes, of the whole place: PATH_MAX without its NUL

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_REFUSALS = (
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EACCES, errno.EPERM),
    *(errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),  # somebody else put something there meanwhile
)
_TICK_NS = 1_000_000_000  # two changes that are nearer to each other may leave the same date
_CHUNK_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Disk:
    """The folders of all systems, below ``<root>/systems``; ``incoming`` holds files that are still arriving."""

    def __init__(self, root: Path) -> None:
        # Resolved once, so that a link in the root's own path does not look like one that leaves a system.
        root = root.resolve()
        self.systems = root / "systems"
        self.incoming = root / "incoming"
        # Asked several times a request, and the same as long as the three texts are.
        self._place = functools.lru_cache(1024)(self._place_of)
        for folder in (self.systems, self.incoming):
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        for left_over in self.incoming.iterdir():
            self.discard(left_over)  # a tenant that crashed was in the middle of it

    # From API paths to places, and back

    def root_of(self, system: dict[str, Any]) -> Path:
        """Return the folder that stands for the system's rootDir."""
        return self._place(str(system["id"]), system["storage"].get("rootDir") or "", "")

    def home_of(self, system: dict[str, Any]) -> Path:
        """Return the folder that stands for the system's homeDir."""
        storage = system["storage"]
        return self._place(str(system["id"]), storage.get("rootDir") or "", storage.get("homeDir") or "")

    def _place_of(self, system_id: str, root: str, home: str) -> Path:
        return self.systems.joinpath(system_id, *_segments(root), *_segments(home))

    def prepare(self, system: dict[str, Any]) -> None:
        """Make the system's rootDir and homeDir; those that are there stay as they are."""
        home = self.home_of(system)
        refuse_impossible(home)
        self.make_folders(home)

    def locate(self, system: dict[str, Any], path: str, *, follow: bool = True) -> Path:
        """
        Return the place an API path names; it need not exist.

        :param path: decoded; relative to homeDir, with a leading slash relative to rootDir, empty for homeDir.
        :param follow: False when the operation acts on a link itself (delete, move), not on what it points to.
        :raises BadRequest: a NUL, or a name that no file of this file system can have.
        :raises NotFound: the path leaves the system's folder, by ``..`` or through a link.
        """
        return self.resolve(system, path, follow=follow)[0]

    def resolve(self, system: dict[str, Any], path: str, *, follow: bool = True) -> tuple[Path, Path]:
        """Return the place that :meth:`locate` does, and the same with its links resolved, as :meth:`real` does."""
        root = self.root_of(system)
        place = root.joinpath(*self._names(system, path))
        refuse_impossible(place)
        if not follow and place != root:
            folder = self._inside(system, place.parent, path)
            return place, folder / place.name
        return place, self._inside(system, place, path)

    def api_path(self, system: dict[str, Any], real: Path) -> str:
        """Return the path of a place below rootDir: a leading slash, no trailing one; ``/`` for rootDir."""
        return f"/{path_in(real, self.root_of(system))}"

    def system_of(self, real: Path) -> str:
        """Return the id of the system that a place belongs to."""
        return real.parts[len(self.systems.parts)]

    def real(self, place: Path, *, follow: bool = True) -> Path:
        """Return the place with its links resolved; with ``follow`` False a link in the last name stays."""
        if not follow:
            return self.real(place.parent) / place.name
        return place if self._is_plain(place) else Path(os.path.realpath(place))

    def _is_plain(self, place: Path) -> bool:
        """Return whether no name on the way from ``systems``, which is resolved itself, is a link; most are not."""
        # A third of what realpath() takes, which begins at the root of the file system.
        if not is_in(place, self.systems) or ".." in place.parts:
            return False
        step = str(self.systems)
        for name in place.parts[len(self.systems.parts) :]:
            step = f"{step}{os.sep}{name}"
            try:
                if stat.S_ISLNK(os.lstat(step).st_mode):
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return True  # nor is there anything below it
            except OSError:
                return False
        return True

    def is_inside(self, system: dict[str, Any], place: Path) -> bool:
        """Return whether the place, links followed, is in the system's folder."""
        return is_in(self.real(place), self.real(self.root_of(system)))

    def take_system(self, system: dict[str, Any]) -> Path:
        """Take every file of the system away at once, above rootDir too; return what is to be discarded."""
        folder = self._folder(system)
        return self._take(folder) if folder.exists() else self.new_incoming()

    def _folder(self, system: dict[str, Any]) -> Path:
        return self.systems / str(system["id"])

    def _names(self, system: dict[str, Any], path: str) -> list[str]:
        home = "" if path.startswith("/") else system["storage"].get("homeDir") or ""
        try:
            return _segments(f"{home}/{path}")
        except ValueError:
            raise NotFound(f"No file {path!r} on system '{system['id']}': the path leaves its rootDir.") from None

    def _inside(self, system: dict[str, Any], place: Path, path: str) -> Path:
        real = self.real(place)
        if not is_in(real, self.real(self.root_of(system))):
            raise NotFound(f"No file {path!r} on system '{system['id']}': a link in it leaves its rootDir.")
        return real

    # Writing

    def new_incoming(self) -> Path:
        """Return a fresh path on the systems' file system, so that a finished file moves into place at once."""
        return self.incoming / secrets.token_hex(16)

    def make_folders(self, folder: Path) -> list[Path]:
        """
        Make the folder and those above it that are missing; return the ones made, outermost first.

        :raises BadRequest: a file is in the way.
        """
        missing = [folder, *folder.parents]
        missing = missing[: next(number for number, place in enumerate(missing) if os.path.lexists(place))]
        if not (folder.parents[len(missing) - 1] if missing else folder).is_dir():
            raise BadRequest(f"'{folder.name}' cannot be a directory: a file is in its way.")
        return [place for place in reversed(missing) if _make_folder(place)]

    def place_file(self, arrived: Path, destination: Path) -> None:
        """Move a file from ``incoming`` into place, at once: whoever reads sees the old file or the whole new one."""
        current = stat.S_IMODE(arrived.stat().st_mode)
        mode = _FILE_MODE | (current & stat.S_IXUSR)
        if current != mode:
            os.chmod(arrived, mode)
        durable.replace(arrived, destination)

    def copy_file(self, source: Path, destination: Path) -> None:
        """Copy one file's bytes and its owner's execute bit; the destination changes at once."""
        arriving = self.new_incoming()
        try:
            _copy_data(source, arriving)
            os.chmod(arriving, _FILE_MODE | (source.stat().st_mode & stat.S_IXUSR))
            os.replace(arriving, destination)
        finally:
            arriving.unlink(missing_ok=True)

    def append_file(self, source: Path, destination: Path) -> None:
        """Put the source's bytes behind the destination's; the destination changes at once."""
        joined = self.new_incoming()
        try:
            shutil.copyfile(destination, joined)
            with source.open("rb") as head, joined.open("ab") as tail:
                shutil.copyfileobj(head, tail, 1 << 20)
            self.place_file(joined, destination)
        finally:
            joined.unlink(missing_ok=True)

    def copy_tree(self, source: Path, destination: Path) -> None:
        """
        Copy a file or a folder with all below it; folders merge, files are overwritten.

        A link to a file inside the source becomes that file; any other link stays a link, so nothing outside is
        read. Pipes, sockets and devices are left out: they have no content to copy.

        :raises BadRequest: the destination lies in the source, or a file and a folder stand against each other.
        """
        source = Path(os.path.realpath(source))
        if source in Path(os.path.realpath(destination)).parents:
            raise BadRequest(f"'{source.name}' cannot be copied into itself.")
        self._copy_entry(source, destination, top=source)

    def _copy_entry(self, source: Path, destination: Path, *, top: Path) -> None:
        if source.is_symlink():
            self._copy_link(source, destination, top=top)
        elif source.is_dir():
            self.make_folders(destination)
            for name in os.listdir(source):
                self._copy_entry(source / name, destination / name, top=top)
        elif source.is_file():
            self.copy_file(source, destination)

    def _copy_link(self, source: Path, destination: Path, *, top: Path) -> None:
        target = Path(os.path.realpath(source))
        if target.is_file() and target.is_relative_to(top):
            self.copy_file(target, destination)
            return
        arriving = self.new_incoming()
        os.symlink(os.readlink(source), arriving)
        os.replace(arriving, destination)

    def remove(self, place: Path) -> None:
        """
        Remove a file, a link (not what it points to) or a folder with all below it.

        It is gone at once, by a rename; only then is it taken apart.

        :raises FileNotFoundError: there is nothing.
        """
        self.discard(self._take(place))

    def _take(self, place: Path) -> Path:
        gone = self.new_incoming()
        if place.is_dir() and not place.is_symlink():
            os.chmod(place, _FOLDER_MODE)  # a folder without write permission cannot change its parent
        os.rename(place, gone)
        return gone

    def discard(self, place: Path) -> None:
        """Take apart what is in ``incoming``, also folders a job has locked."""
        if not place.is_dir() or place.is_symlink():
            place.unlink(missing_ok=True)
            return
        try:
            shutil.rmtree(place)
        except PermissionError:
            _unlock_folders(place)
            shutil.rmtree(place)


def _segments(path: str) -> list[str]:
    """Split a path into names, ``..`` resolved; ValueError when it leaves the top."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise ValueError(path)
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return names


def refuse_impossible(place: Path) -> None:
    """:raises BadRequest: no file can be at that place."""
    if "\0" in str(place):
        raise BadRequest(f"The path {place.name!r} has a NUL character, which no file name can hold.")
    try:
        sizes = [len(os.fsencode(part)) for part in place.parts]
    except UnicodeEncodeError:
        raise BadRequest(f"The path {place.name!r} has a lone surrogate, which no file name can hold.") from None
    if max(sizes) > _LONGEST_NAME:
        raise BadRequest(f"A name in the path has {max(sizes)} bytes; at most {_LONGEST_NAME} are possible.")
    if sum(sizes) + len(sizes) > _LONGEST_PATH:
        raise BadRequest(f"The path '{place.name[:40]}…' is too long for the file system.")


def _copy_data(source: Path, destination: Path) -> None:
    """Copy a file's bytes; its holes stay holes."""
    with source.open("rb") as read, destination.open("wb") as written:
        os.truncate(written.fileno(), os.fstat(read.fileno()).st_size)
        for start, end in _filled(read.fileno()):
            while start < end and (chunk := os.pread(read.fileno(), min(end - start, _CHUNK_BYTES), start)):
                start += os.pwrite(written.fileno(), chunk, start)


def _filled(handle: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part of an open file that is no hole."""
    end = 0
    while True:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno == errno.ENXIO:
                return  # nothing but a hole, or nothing at all
            raise
        end = os.lseek(handle, start, os.SEEK_HOLE)
        yield start, end


def _make_folder(place: Path) -> bool:
    try:
        place.mkdir(mode=_FOLDER_MODE)
    except FileExistsError:
        if not place.is_dir():
            raise BadRequest(f"'{place.name}' cannot be a directory: a file is in its way.") from None
        return False  # somebody made it meanwhile
    return True


def _unlock_folders(top: Path) -> None:
    os.chmod(top, _FOLDER_MODE)
    for folder, names, _ in os.walk(top):
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                os.chmod(os.path.join(folder, name), _FOLDER_MODE)


def is_in(place: Path, folder: Path) -> bool:
    """Return whether a place is a folder or below it, by their names; both are absolute and without ``..``."""
    # Ten times as fast as Path.is_relative_to, and asked for with every request.
    return place == folder or str(place).startswith(f"{folder}{os.sep}")


def path_in(place: Path, folder: Path) -> str:
    """Return the names that lead from a folder to a place, empty to itself; :raises ValueError: it is not in it."""
    if not is_in(place, folder):
        raise ValueError(f"{place} is not below {folder}")
    return str(place)[len(str(folder)) + 1 :]


def is_settled(facts: os.stat_result) -> bool:
    """Return whether a place last changed so long ago that one more change would show in its date."""
    return time.time_ns() - facts.st_mtime_ns > _TICK_NS


@contextlib.contextmanager
def clear_refusals(path: str) -> Iterator[None]:
    """Tell the caller what the file system refuses; ``path`` is the API path the message names."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _MISSING:
            raise NotFound(f"File/folder does not exist: {path}") from problem
        if problem.errno in _REFUSALS:
            raise BadRequest(f"The file system refuses {path}: {problem.strerror}.") from problem
        if problem.errno in _FULL:
            raise NoSpace(f"There is no room for {path}: {problem.strerror}. Nothing was stored.") from problem
        raise
