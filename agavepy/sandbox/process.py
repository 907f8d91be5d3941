"""One running script: a process in a session of its own, its time limit, its end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

_BLOCK_BYTES = 512  # in which getrusage(2) counts
# A tenant that dies before it has written down that the job runs closes the pipe: then the job never does.
_GATE = 'read -r go || exit 0; exec "$@" </dev/null'


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a command and those of its children that it waited for have used."""

    cpu_s: float = 0.0
    disk_bytes: int = 0


class Process:
    """
    Starts a command with all its children in one process group, so that one signal ends them together.

    A child that leaves the group by starting a session of its own is not followed. The command itself begins with
    :meth:`go`, and not at all if this process ends before that.

    :param err: None: its errors go where its output goes.
    :raises OSError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        out: Path,
        err: Path | None = None,
    ) -> None:
        self._ending = threading.Lock()
        self._ended = False
        self.timed_out = False
        self.usage = Usage()
        with out.open("wb") as stdout, err.open("wb") if err else contextlib.nullcontext(stdout) as stderr:
            self._popen = subprocess.Popen(  # noqa: S603 - a shell and the script that the runner wrote
                ["/bin/sh", "-c", _GATE, "sh", *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self.started = started(self.pid)

    def go(self) -> None:
        """Let the command begin."""
        with contextlib.suppress(OSError):  # killed already
            os.write(self._gate.fileno(), b"go\n")
        self._gate.close()

    def wait(self, *, limit_s: float) -> int:
        """Return the exit code once it has ended; after ``limit_s`` seconds it is killed and ``timed_out`` is set."""
        timer = threading.Timer(limit_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            code = self._reaped()
        finally:
            timer.cancel()
            timer.join()
        self._end()
        self._gate.close()
        return code

    def _reaped(self) -> int:
        if self._popen.returncode is None:
            _, status, used = os.wait4(self.pid, 0)  # in place of Popen.wait(), which does not tell what it used
            self._popen.returncode = os.waitstatus_to_exitcode(status)
            self.usage = Usage(used.ru_utime + used.ru_stime, (used.ru_inblock + used.ru_oublock) * _BLOCK_BYTES)
        return self._popen.returncode

    @property
    def _gate(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stdin)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Leave nothing of it running when the block fails."""
        try:
            yield
        except BaseException:
            self.kill()
            self.wait(limit_s=0)
            raise

    def kill(self) -> None:
        """Kill it and its children, if it still runs; :meth:`wait` then returns."""
        with self._ending:
            if not self._ended:
                self._kill_group()

    def _expire(self) -> None:
        self.timed_out = True
        self.kill()

    def _end(self) -> None:
        """End what the script has left running in the background: its job is over."""
        with self._ending:
            self._ended = True
            self._kill_group()

    def _kill_group(self) -> None:
        _kill_group(self.pid)


def base_environment(home: Path) -> dict[str, str]:
    """Return all that a process gets of this machine's variables: nothing that could hold a secret."""
    kept = {"PATH": os.environ.get("PATH") or os.defpath, "LANG": os.environ.get("LANG") or "C.UTF-8"}
    return {**kept, "HOME": str(home)}


def started(pid: int) -> str:
    """Return when a process began, in a form that no later process of that number has; empty when there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {_facts(pid)[_STARTED]}"
    except (FileNotFoundError, ProcessLookupError):
        return "" if _HAS_PROC else _started_by_ps(pid)


def kill_left_over(pid: int, *, begun: str, mark: str) -> None:
    """
    Kill the process group of a command that an earlier tenant has started, unless the number is another's by now.

    :param begun: what ``Process.started`` was.
    :param mark: ``NAME=value`` of its environment, by which its children are known when itself has ended.
    """
    if (begun and started(pid) == begun) or any(_has_mark(member, mark) for member in _members(pid)):
        _kill_group(pid)


def _kill_group(pid: int) -> None:
    # No such group: all have ended. EPERM is how macOS says so of a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


# /proc/PID/stat, man 5 proc; the fields are counted from the one after the name, which may hold anything.
_HAS_PROC = Path("/proc/self/stat").exists()
_GROUP, _STARTED = 2, 19


def _facts(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _members(group: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*") if _HAS_PROC else ():
        with contextlib.suppress(OSError):
            if _facts(int(entry.name))[_GROUP] == str(group):
                yield int(entry.name)


def _has_mark(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError):
        return os.fsencode(mark) in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _started_by_ps(pid: int) -> str:
    asked = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
