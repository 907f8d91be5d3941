"""Files and folders from this machine to a system."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import AgaveError, FileConflict
from . import addresses, changes, conflicts, crew, entries
from .addresses import Address
from .conflicts import There
from .entries import Entry
from .failures import Failures
from .patterns import Choice
from .progress import Progress
from .send import check_name, send
from .terms import Terms


class Outbound(NamedTuple):
    """One file to send, and where it goes."""

    path: Path
    target: Address
    there: Entry | None  # what is at the target
    name: str  # shown while it is on its way


def upload(
    ag: Any,
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    terms: Terms = Terms(),  # noqa: B008 - never changed
) -> None:
    """
    Send a file, or what is in a folder; see :meth:`agavepy.agave.Agave.files_upload`.

    :param ag: a client.
    """
    path, address = Path(source), addresses.parse(destination)
    with Progress(terms.progress, title=f"to {address.system}") as shown:
        job = _Upload(ag, terms, shown)
        if path.is_dir():
            job.folder(path, address)
        else:
            job.file(_outbound(ag, path, address))


class _Upload:
    """One command's settings, and what it does with a file or a folder."""

    def __init__(self, ag: Any, terms: Terms, shown: Progress) -> None:
        self._ag, self._terms, self._choice, self._shown = ag, terms, terms.choice, shown
        self._stop = threading.Event()

    def file(self, outbound: Outbound) -> None:
        source, there = conflicts.local(outbound.path.stat()), _there(outbound)
        if not conflicts.is_wanted(self._terms.overwrite, source=source, target=there, name=str(outbound.target)):
            return
        self._shown.expect(source.size_bytes)
        send(
            self._ag,
            outbound.path,
            outbound.target,
            report=self._shown.of(outbound.name),
            pause=self._ag._transport().pause,
            stop=self._stop,
        )

    def folder(self, top: Path, address: Address) -> None:
        failures = Failures()

        def send_one(outbound: Outbound) -> None:
            with failures.noted(str(outbound.path)):
                self.file(outbound)

        crew.run(self._outbound(top, address, failures), send_one, hands=self._terms.workers, stop=self._stop)
        failures.raise_if_any()

    def _outbound(self, top: Path, address: Address, failures: Failures) -> Iterator[Outbound]:
        """Yield the files of a tree; make the folders they need first."""
        for folder, names, files in _walk(top, self._choice, failures):
            if not (self._choice.has_all or files):
                continue
            target = address
            for name in names:
                target = target.child(name)
            with failures.noted(str(folder)) if names else contextlib.nullcontext():
                there = self._held(target)
                for path in files:
                    shown = "/".join((*names, path.name))
                    yield Outbound(path, target.child(path.name), there.get(path.name), shown)

    def _held(self, folder: Address) -> Mapping[str, Entry]:
        """Make a folder; return what is in it already, where that matters."""
        changes.make_folder(self._ag, folder)
        if self._terms.overwrite is True:
            return {}
        return {entry.name: entry for entry in entries.listed(self._ag, folder)}


def _outbound(ag: Any, path: Path, address: Address) -> Outbound:
    there = entries.find(ag, address)
    if there is None and address.is_folder:
        changes.make_folder(ag, address)
    if address.is_folder or (there is not None and there.is_folder):
        target = address.child(path.name)
        check_name(target)
        return Outbound(path, target, entries.find(ag, target) if there else None, path.name)
    return Outbound(path, address, there, path.name)


def _there(outbound: Outbound) -> There | None:
    there = outbound.there
    if there is None:
        return None
    if there.is_folder:
        raise FileConflict(f"{outbound.target} is a folder: a file cannot take its place.")
    return There(there.size_bytes, there.modified)


def _walk(
    folder: Path,
    choice: Choice,
    failures: Failures,
    *,
    names: tuple[str, ...] = (),
    above: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[tuple[Path, tuple[str, ...], list[Path]]]:
    """Yield the folders of a tree with their files; links are followed, but not round in a circle."""
    facts = folder.stat()
    here = (facts.st_dev, facts.st_ino)
    if here in above:
        raise AgaveError("a link that leads back to a folder above it")
    found = sorted(path for path in folder.iterdir())
    folders = [path for path in found if path.is_dir() and choice.has_folder((*names, path.name))]
    yield folder, names, [path for path in found if not path.is_dir() and choice.has_file((*names, path.name))]
    for path in folders:
        with failures.noted(str(path)):
            yield from _walk(path, choice, failures, names=(*names, path.name), above=above | {here})
