"""What passes between tenant and program besides variables: a pipe of bytes in, a socket of results out."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import secrets
import select
import shutil
import socket
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

PIPE_NAME, SOCKET_NAME = "_abaco_binary_data", "_abaco_results.sock"
_NOTE = "socket-folder"  # the file in an execution's folder that says where its socket is, if not there

_LONGEST_ADDRESS = 100  # bytes; the kernels take 103 (macOS) and 107 (Linux)
_MOST_READ = 1 << 20
_LOOK_S = 0.02
_SMALLEST_PIPE = 16 << 10  # of any system


@contextlib.contextmanager
def binary_message(folder: Path, data: bytes) -> Iterator[Path]:
    """
    Give the place where a program reads a message of bytes, as long as the block.

    It is a pipe that holds the whole message before the program begins: some programs read until nothing is there,
    others to the end, which comes when all has been read. A message too large for that is a file, which both read
    in the same way.
    """
    place = folder / PIPE_NAME
    place.unlink(missing_ok=True)  # of a run that was called off
    os.mkfifo(place, 0o600)
    pipe = os.open(place, os.O_RDWR | os.O_NONBLOCK)  # both ends, so that neither side waits for the other
    try:
        with _filled(pipe, data) if _capacity(pipe, len(data)) >= len(data) else _replaced(place, pipe, data):
            yield place
    finally:
        place.unlink()


@contextlib.contextmanager
def _filled(pipe: int, data: bytes) -> Iterator[None]:
    os.write(pipe, data)
    over = threading.Event()
    thread = threading.Thread(target=_close_when_read, args=(pipe, over), name="actor-message", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _replaced(place: Path, pipe: int, data: bytes) -> Iterator[None]:
    os.close(pipe)
    place.unlink()
    place.write_bytes(data)
    yield


def _close_when_read(pipe: int, over: threading.Event) -> None:
    """Close the tenant's ends once the program has read all, so that it sees the end, or once it is ``over``."""
    # Nothing tells of the moment, so it is looked for.
    while _unread(pipe) and not over.wait(_LOOK_S):
        pass
    os.close(pipe)


def _unread(pipe: int) -> int:
    """Return how many bytes are in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _capacity(pipe: int, wanted: int) -> int:
    """Return how many bytes a pipe holds, after trying to make it hold so many."""
    resize = getattr(fcntl, "F_SETPIPE_SZ", 1031 if os.uname().sysname == "Linux" else None)  # named since Python 3.10
    if resize is None:
        return _SMALLEST_PIPE
    with contextlib.suppress(OSError):  # more than /proc/sys/fs/pipe-max-size, or than this user may have
        return fcntl.fcntl(pipe, resize, max(wanted, _SMALLEST_PIPE))
    return _SMALLEST_PIPE


@contextlib.contextmanager
def results_socket(folder: Path, keep: Callable[[bytes], None]) -> Iterator[Path]:
    """
    Give the address of a datagram socket, as long as the block; each datagram goes to ``keep`` at once.

    All that was sent has been kept when the block is over.
    """
    with _short_folder(folder) as near, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        address = near / SOCKET_NAME
        address.unlink(missing_ok=True)  # of a run that a killed tenant left
        receiver.bind(str(address))
        address.chmod(0o600)
        over, waker = os.pipe()
        thread = threading.Thread(target=_receive, args=(receiver, over, keep), name="actor-results", daemon=True)
        thread.start()
        try:
            yield address
        finally:
            os.close(waker)
            thread.join()
            os.close(over)
            address.unlink(missing_ok=True)


def _receive(receiver: socket.socket, over: int, keep: Callable[[bytes], None]) -> None:
    """Keep what comes until the other end of ``over`` is closed, and what is there by then."""
    receiver.setblocking(False)
    poll = select.poll()
    for each in (receiver.fileno(), over):
        poll.register(each, select.POLLIN | select.POLLHUP)
    is_over = False
    while not is_over:
        is_over = over in [number for number, _ in poll.poll()]
        with contextlib.suppress(BlockingIOError):
            while True:
                keep(receiver.recv(_MOST_READ))


def remove_left_over(folder: Path) -> None:
    """Remove the channels of a run that is over, or that a killed tenant left."""
    _remove_noted(folder / _NOTE)
    for name in (PIPE_NAME, SOCKET_NAME):
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _short_folder(folder: Path) -> Iterator[Path]:
    """Give the folder, or a temporary one if no address of a socket could name it."""
    if len(os.fsencode(folder / SOCKET_NAME)) <= _LONGEST_ADDRESS:
        yield folder
        return
    note = folder / _NOTE
    _remove_noted(note)
    short = _noted_folder(note)
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)  # what a program has put there too
        note.unlink(missing_ok=True)


def _noted_folder(note: Path) -> Path:
    """Make a temporary folder; where it is, is noted first, so that the next tenant finds it if this one is killed."""
    while True:
        short = Path(tempfile.gettempdir(), f"agavepy-{secrets.token_hex(4)}")
        note.write_bytes(os.fsencode(short))
        try:
            short.mkdir(mode=0o700)
            return short
        except BaseException as problem:
            note.unlink()  # it names what is somebody else's
            if not isinstance(problem, FileExistsError):
                raise


def _remove_noted(note: Path) -> None:
    """Remove the folder that a note names, unless the note is damaged, or there is more in it than a socket."""
    if not note.exists():
        return
    short = Path(os.fsdecode(note.read_bytes()))
    if re.fullmatch("agavepy-[0-9a-f]{8}", short.name):
        with contextlib.suppress(OSError, ValueError):
            (short / SOCKET_NAME).unlink(missing_ok=True)
            short.rmdir()
    note.unlink()
