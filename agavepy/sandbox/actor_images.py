"""From the name of an image to the command that runs it on this machine."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .containers import Engine, Fetches, UnknownImage

_PROGRAM = Path(__file__).parent / "built_in_image.py"

# Without tags. The function's are those that executors ask for, and what stands behind their contexts.
BUILT_IN = {
    "abacosamples/py3_func": "function",
    "abacosamples/py3_func_v3": "function",
    "abacosamples/py3_sci_base_func": "function",
    "sd2e/jupyteruser_func": "function",
    "taccsciapps/jupyteruser-ds-abaco": "function",
    "abacosamples/test": "context",
}


class Images:
    """
    The images of a tenant.

    :param table: image name → command line; a name without a tag stands for all its tags.
    :raises ValueError: a command line that is none.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._fetches = Fetches()
        self._commands = {name: _split(name, line) for name, line in table.items()}

    def command(self, image: str) -> list[str] | None:
        """Return the command of an image, from the table or built in; None: only a container engine may have it.

        :raises UnknownImage: its command is not there.
        """
        name = without_tag(image)
        command = self._commands.get(image) or self._commands.get(name)
        if command is not None:
            return _found(image, command)
        return [sys.executable, "-I", str(_PROGRAM), BUILT_IN[name]] if name in BUILT_IN else None

    def prepare(self, image: str) -> None:
        """
        Make an image ready to run; one of a container engine is fetched, which may take minutes.

        :raises UnknownImage: nothing here can run it.
        """
        if self.command(image) is None:
            self.engine(image).fetch(image, self._fetches)

    def close(self) -> None:
        """Break off what is being fetched."""
        self._fetches.break_off()

    def engine(self, image: str) -> Engine:
        """
        Return the container engine of this machine.

        :raises UnknownImage: there is none.
        """
        engine = Engine.found()
        if engine is None:
            raise UnknownImage(
                f"No image {image!r}: it is not in the tenant's images table, and neither Docker nor Podman answers on "
                f"this machine. Name its command with Sandbox(images={{{image!r}: 'COMMAND'}}) or agavepy sandbox "
                f"--image {image}=COMMAND. Built in are: {', '.join(sorted(BUILT_IN))}."
            )
        return engine


def without_tag(image: str) -> str:
    """Return the name of an image without its tag or digest; the colon of a registry's port stays."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _split(name: str, line: str) -> list[str]:
    try:
        command = shlex.split(line)
    except ValueError as problem:
        raise ValueError(f"The command of image {name!r} does not parse: {problem}; got {line!r}.") from None
    if not name or not command:
        raise ValueError(f"An image needs a name and a command; got {name!r}: {line!r}.")
    return command


def _found(image: str, command: list[str]) -> list[str]:
    if shutil.which(command[0]) is None:
        raise UnknownImage(f"The command {command[0]!r} of image {image!r} cannot be found or run.")
    return command
