"""One running script: a process in a session of its own, its time limit, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """
    Starts a command with all its children in one process group, so that one signal ends them together.

    A child that leaves the group by starting a session of its own is not followed.

    :raises OSError: it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], out: Path, err: Path
    ) -> None:
        self._ending = threading.Lock()
        self._ended = False
        self.timed_out = False
        with out.open("wb") as stdout, err.open("wb") as stderr:
            self._popen = subprocess.Popen(  # noqa: S603 - a shell and the script that the runner wrote
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def wait(self, *, limit_s: float) -> int:
        """Return the exit code once it has ended; after ``limit_s`` seconds it is killed and ``timed_out`` is set."""
        timer = threading.Timer(limit_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            code = self._popen.wait()
        finally:
            timer.cancel()
            timer.join()
        self._end()
        return code

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
        # No such group: all have ended. EPERM is how macOS says so of a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
