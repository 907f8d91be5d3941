"""Docker or Podman: images fetched, and the command line that runs one as an actor's program."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

_ENGINES = ("docker", "podman")
_ANSWER_S, _FETCH_S, _REMOVE_S = 10, 900, 60
_MOST_PROCESSES = 512


class UnknownImage(Exception):
    """An image that cannot be run here; the text says why, and the way out."""


class Fetches:
    """The commands that fetch images, which take minutes: they end with the tenant."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._broken_off = False
        self._lock = threading.Lock()

    def run(self, command: list[str]) -> str | None:
        """Run a command to its end; return what it says when it fails, or None."""
        with self._lock:
            if self._broken_off:
                return "the tenant was stopped"
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603
            self._running.add(running)
        try:
            _, said = running.communicate(timeout=_FETCH_S)
        except subprocess.TimeoutExpired:
            running.kill()
            _, said = running.communicate()
        with self._lock:
            self._running.discard(running)
        return (said.strip() or f"it ended with {running.returncode}") if running.returncode else None

    def break_off(self) -> None:
        """End the commands that run, and those to come."""
        with self._lock:
            self._broken_off = True
            for running in self._running:
                running.kill()


@dataclasses.dataclass(frozen=True)
class Engine:
    """A container engine of this machine."""

    program: str

    @classmethod
    def found(cls) -> Engine | None:
        """Return the first engine that answers; None: there is none."""
        programs = filter(None, map(shutil.which, _ENGINES))
        return next((cls(program) for program in programs if _answers(program)), None)

    def fetch(self, image: str, fetches: Fetches) -> None:
        """
        Have an image on this machine.

        :param fetches: can break it off.
        :raises UnknownImage: it cannot be had.
        """
        if self._run("image", "inspect", image, limit_s=_ANSWER_S).returncode == 0:
            return
        problem = fetches.run([self.program, "pull", image])
        if problem is not None:
            raise UnknownImage(f"The image {image!r} cannot be fetched: {problem}")

    def command(
        self,
        image: str,
        *,
        name: str,
        user: str | None,
        secret: Iterable[str],
        environment: Mapping[str, str],
        mounts: Mapping[Path, str],
        memory: str | None = None,
        processors: str | None = None,
    ) -> list[str]:
        """
        Return the command that runs an image once.

        :param user: ``uid:gid``; None: the image's own.
        :param secret: names of variables whose values stand in the environment of the command itself, so that no
            list of processes shows them. What a caller may name goes into ``environment``: the engine would heed it.
        :param mounts: place on this machine → place in the container.
        """
        # The host's network: the tenant listens on loopback, and programs call it.
        command = [self.program, "run", "--rm", "--name", name, "--network", "host"]
        command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(_MOST_PROCESSES)]
        command += [part for each in secret for part in ("--env", each)]
        command += [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        command += [part for place, inside in mounts.items() for part in ("--volume", f"{place}:{inside}")]
        limits = {"--user": user, "--memory": memory, "--cpus": processors}
        command += [part for option, value in limits.items() if value for part in (option, value)]
        return [*command, image]

    def remove(self, name: str) -> None:
        """End a container, if there is one: killing the command that started it does not."""
        self._run("rm", "--force", name, limit_s=_REMOVE_S)

    def _run(self, *arguments: str, limit_s: int) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603
                [self.program, *arguments], capture_output=True, text=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 1, "", f"no answer within {limit_s} s")


def _answers(program: str) -> bool:
    try:
        asked = subprocess.run([program, "info"], capture_output=True, timeout=_ANSWER_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Docker's command exits with 0 in some releases although its daemon does not answer.
    return asked.returncode == 0 and b"ERROR:" not in asked.stdout + asked.stderr
