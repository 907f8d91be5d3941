"""A download that is not whole yet: ``.NAME.part`` beside its target, and beside that what is needed to go on."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import AgaveError
from . import digests
from .spans import Spans

try:
    import fcntl
except ImportError:  # Windows: two downloads of one file are not told apart there
    fcntl = None  # type: ignore[assignment]

_CHECKPOINT_BYTES = 16 << 20
_LONGEST_NAME = 255 - len("..part.json")  # bytes that common file systems leave for the name
_ZEROS = bytes(1 << 20)  # as long as any piece


class Remote(NamedTuple):
    """What the server says of a file; the same as long as the file is."""

    size_bytes: int | None
    etag: str | None
    modified: str | None  # Last-Modified, as it was sent

    @property
    def is_known(self) -> bool:
        """Tell whether a change of the file would be noticed."""
        return self.size_bytes is not None and bool(self.etag or self.modified)


class Part:
    """
    The bytes that have arrived of one file. Several threads may write different spans.

    :param taken: names of other files of the folder, which the part may not have.
    :raises AgaveError: another download has it.
    :raises OSError: it cannot be written.
    """

    def __init__(self, target: Path, *, taken: Collection[str] = ()) -> None:
        self._target = target
        self.path = target.with_name(_name(target.name, taken))
        self._state_path = self.path.with_name(f"{self.path.name}.json")
        self._file = _opened(self.path)
        self._lock = threading.Lock()
        self._position = 0  # of the file
        self._saved_bytes = 0
        self._has_state = True  # on disk; as far as is known
        self.remote, self.done = self._loaded()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: Any) -> None:
        """Keep what has arrived for the next time."""
        if not self._file.closed:
            self._keep()

    def restart(self, remote: Remote) -> None:
        """Begin anew with a file of which this is known."""
        with self._lock:
            self._cut(0)
            self._drop_state()
            self.remote, self.done, self._saved_bytes = remote, Spans(), 0

    def write(self, position: int, data: bytes) -> None:
        """Put bytes where they belong; what is nothing but zeros takes no room on disk."""
        with self._lock:
            if not _ZEROS.startswith(data):
                self._put(position, data)
            self.done.add(position, position + len(data))
            if self.done.size - self._saved_bytes >= _CHECKPOINT_BYTES:
                self._save()

    def _put(self, position: int, data: bytes) -> None:
        try:
            self._seek(position)
            rest = memoryview(data)
            while rest:
                written = self._file.write(rest)
                self._position += written
                rest = rest[written:]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _seek(self, position: int) -> None:
        if position != self._position:
            self._file.seek(position)
            self._position = position

    def _cut(self, size_bytes: int) -> None:
        """Give the file its length; not for nothing, since ext4 waits for the disk to take a file that was cut."""
        if os.fstat(self._file.fileno()).st_size != size_bytes:
            self._file.truncate(size_bytes)

    def digest(self, algorithm: str) -> bytes:
        """Return the checksum of the whole file."""
        found, size = digests.new(algorithm), self.remote.size_bytes or 0
        with self._lock:
            self._cut(size)
            self._seek(0)
            while piece := self._file.read(1 << 20):
                self._position += len(piece)
                found.update(piece)
        return bytes(found.digest())

    def finish(self, *, modified: float | None) -> None:
        """
        Put the whole file in the target's place, at once.

        :param modified: its date, in seconds since the epoch; None: now.
        """
        with self._lock:
            self._cut(self.remote.size_bytes or 0)
            if self._target.exists():
                os.chmod(self.path, stat.S_IMODE(self._target.stat().st_mode))  # who could not read it still cannot
            if modified is not None:
                os.utime(self.path, (modified, modified))
            _let_go_on_windows(self._file)
            os.replace(self.path, self._target)
            self._file.close()
            self._drop_state()

    def _keep(self) -> None:
        with self._lock:
            if self.done.size and self.remote.is_known:
                self._save()
                self._file.close()
                return
            self._drop_state()
            self.path.unlink(missing_ok=True)
            self._file.close()

    def _drop_state(self) -> None:
        if self._has_state:
            self._state_path.unlink(missing_ok=True)
            self._has_state = False

    def _loaded(self) -> tuple[Remote, Spans]:
        try:
            state = json.loads(self._state_path.read_text())
            remote = Remote(state["size_bytes"], state["etag"], state["modified"])
            done = Spans((int(start), int(end)) for start, end in state["done"])
        except FileNotFoundError:
            self._has_state = False
            return Remote(None, None, None), Spans()
        except (OSError, ValueError, TypeError, KeyError):  # of somebody else; half written
            return Remote(None, None, None), Spans()
        return remote, done

    def _save(self) -> None:
        state = json.dumps({**self.remote._asdict(), "done": list(self.done)})
        beside = self._state_path.with_name(f"{self._state_path.name}~")
        try:
            beside.unlink(missing_ok=True)
            with beside.open("x") as file:  # which follows no link that somebody puts there
                file.write(state)
            os.replace(beside, self._state_path)
            self._has_state = True
        except OSError as error:
            # A full disk: an older state stays, which knows of fewer bytes.
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        self._saved_bytes = self.done.size


def _name(name: str, taken: Collection[str]) -> str:
    stem = name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        stem = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    while any(f".{stem}.part{end}" in taken for end in ("", ".json", ".json~")):
        stem += "~"
    return f".{stem}.part"


def _opened(path: Path) -> Any:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.fdopen(os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666), "r+b", buffering=0)
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AgaveError(f"{path}: another download of this file is under way.") from None
        except OSError:
            pass  # a network file system without locks
    return file


def _let_go_on_windows(file: Any) -> None:
    if os.name == "nt":
        file.close()
