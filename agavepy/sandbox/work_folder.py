"""A job's work folder: what is put into it, its log, its callbacks, and what of it is archived."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import durable
from .wrapper import CALLBACKS

if TYPE_CHECKING:
    from .disk import Disk

_MANIFEST = ".agave.archive"
_LOG = ".agave.log"


class WorkFolder:
    """The folder ``path`` of one job, whose files are called ``slug``.out and so on."""

    def __init__(self, path: Path, *, slug: str, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self.script = path / f"{slug}.ipcexe"
        self.out = path / f"{slug}.out"
        self.err = path / f"{slug}.err"
        self.pid = path / f"{slug}.pid"

    def make_afresh(self) -> None:
        """Make the folder; what an earlier attempt has left in it is removed."""
        self.remove()
        self._disk.make_folders(self.path)

    def remove(self) -> None:
        """Remove the folder with all that is in it, if it is there."""
        if os.path.lexists(self.path):
            self._disk.remove(self.path)

    def log(self, line: str) -> None:
        """Append a line to ``.agave.log``, if the folder is there."""
        if self.path.is_dir():
            with (self.path / _LOG).open("a", encoding="utf-8", errors="surrogateescape") as log:
                log.write(f"{line}\n")

    # The manifest

    def write_manifest(self, assets: Iterable[str]) -> None:
        """List what is there before the run and is not to be archived: the app's files and what belongs to the run."""
        names = [*assets, self.script.name, CALLBACKS, _MANIFEST]
        text = "".join(f"{name}\n" for name in names)
        (self.path / _MANIFEST).write_text(text, encoding="utf-8", errors="surrogateescape")

    def archive_into(self, destination: Path) -> None:
        """
        Copy every file the manifest does not list, with folders it leads to; an app may have added lines to it.

        :raises OSError: something cannot be copied.
        """
        self._disk.make_folders(destination)
        listed = self._listed()
        for place in self._produced(listed):
            self._copy(place, destination / place.relative_to(self.path))
        durable.sync_tree(destination)  # the work folder, which has the only other copy, goes next

    def _listed(self) -> set[str]:
        manifest = self.path / _MANIFEST
        if not manifest.is_file():
            return {_MANIFEST}  # the app has removed it: it wants all its files
        lines = manifest.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        return {os.path.normpath(line.strip()) for line in lines if line.strip()}

    def _produced(self, listed: set[str]) -> Iterator[Path]:
        """Yield what is to be archived, folders before what is in them."""
        for folder, names, files in os.walk(self.path, onerror=_fail):
            here = Path(folder)
            names[:] = [name for name in names if str((here / name).relative_to(self.path)) not in listed]
            yield from (here / name for name in names)
            yield from (here / name for name in files if str((here / name).relative_to(self.path)) not in listed)

    def _copy(self, place: Path, destination: Path) -> None:
        if place.is_symlink():
            self._copy_link(place, destination)
        elif place.is_dir():
            self._disk.make_folders(destination)
        elif place.is_file():  # a pipe or a socket has no content to keep
            self._disk.copy_file(place, destination)

    def _copy_link(self, place: Path, destination: Path) -> None:
        """Copy the file a link means, if it is one of the job's; another link stays one, and reads nothing outside."""
        target = Path(os.path.realpath(place))
        if target.is_file() and target.is_relative_to(os.path.realpath(self.path)):
            return self._disk.copy_file(target, destination)
        destination.unlink(missing_ok=True)
        os.symlink(os.readlink(place), destination)

    # Callbacks

    def callbacks(self, *, after: int = 0) -> list[str]:
        """Return the lines the script's callbacks have written, without the first ``after``."""
        try:
            text = (self.path / CALLBACKS).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []  # nothing was reported yet, or the folder is gone already
        return text[: text.rfind("\n") + 1].splitlines()[after:]  # the last line may still be being written


def files_below(folder: Path) -> list[str]:
    """Return the paths of all files in a folder, and of folders without any, relative to it."""
    return [
        str(place.relative_to(folder))
        for place in folder.rglob("*")
        if place.is_symlink() or not place.is_dir() or not any(place.iterdir())
    ]


def _fail(problem: OSError) -> None:
    raise problem
