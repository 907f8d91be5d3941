"""Files and folders from a system to this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import FileConflict
from . import addresses, conflicts, crew, entries, names
from .addresses import Address
from .conflicts import There
from .entries import Entry
from .failures import Failures
from .patterns import Choice
from .progress import Progress
from .terms import Terms

if TYPE_CHECKING:
    import requests

Source = Callable[[Mapping[str, str]], "requests.Response"]  # request headers → the streamed answer


class Wanted(NamedTuple):
    """One file to bring, and where it goes."""

    address: Address
    entry: Entry
    target: Path
    name: str  # shown while it is on its way
    taken: Collection[str] = ()  # names of other files in the target's folder


def download(
    ag: Any,
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    terms: Terms = Terms(),  # noqa: B008 - never changed
    *,
    found: Entry | None = None,
) -> None:
    """
    Bring a file, or what is in a folder; see :meth:`agavepy.agave.Agave.files_download`.

    :param ag: a client.
    :param found: what is at the source; None: it is asked for.
    """
    address = addresses.parse(source)
    found = found or entries.at(ag, address)
    with Progress(terms.progress, title=f"from {address.system}") as shown:
        job = _Download(ag, terms, shown)
        if found.is_folder:
            job.folder(address, Path(destination))
        else:
            job.file(Wanted(address, found, _target(destination, address.name), address.name))


def save(ag: Any, source: Source, target: Path, *, name: str) -> None:
    """
    Bring what a source streams to a file, whole or not at all.

    :param source: called with headers, gives the streamed answer.
    """
    _there(target)
    with Progress(False, title=name) as shown:
        _bring(ag, source, target, name=name, size_bytes=None, lines=1, shown=shown, stop=threading.Event())


class _Download:
    """One command's settings, and what it does with a file or a folder."""

    def __init__(self, ag: Any, terms: Terms, shown: Progress) -> None:
        self._ag, self._terms, self._choice, self._shown = ag, terms, terms.choice, shown
        self._stop = threading.Event()

    def file(self, wanted: Wanted, *, lines: int | None = None) -> None:
        there = _there(wanted.target)
        source = There(wanted.entry.size_bytes, wanted.entry.modified)
        if not conflicts.is_wanted(self._terms.overwrite, source=source, target=there, name=str(wanted.target)):
            return
        self._shown.expect(wanted.entry.size_bytes)
        _bring(
            self._ag,
            lambda headers: self._ag.files.download(headers=dict(headers), **wanted.address.keywords),
            wanted.target,
            name=wanted.name,
            taken=wanted.taken,
            size_bytes=wanted.entry.size_bytes,
            lines=lines or self._terms.workers,
            shown=self._shown,
            stop=self._stop,
        )

    def folder(self, address: Address, destination: Path) -> None:
        if destination.exists() and not destination.is_dir():
            raise FileConflict(f"{destination} is a file; {address} is a folder.")
        failures = Failures()

        def bring(wanted: Wanted) -> None:
            with failures.noted(str(wanted.address)):
                self.file(wanted, lines=1)

        crew.run(self._wanted(address, destination, failures), bring, hands=self._terms.workers, stop=self._stop)
        failures.raise_if_any()

    def _wanted(self, address: Address, top: Path, failures: Failures) -> Iterator[Wanted]:
        """Yield the files of a tree as its listings come; make the folders they need."""
        for place, held in entries.walk(self._ag, address, noted=failures.noted):
            held[:] = _meant(held, place.names, self._choice)
            folder = top.joinpath(*place.names)
            if self._choice.has_all or any(not entry.is_folder for entry in held):
                with failures.noted(str(place.address)) if place.names else contextlib.nullcontext():
                    _make_folder(folder, top)
                if str(place.address) in failures:
                    held.clear()  # nor can what is below it be brought
            held[:] = _possible(held, place, _clashing(held, folder), failures)
            taken = frozenset(entry.name for entry in held)
            for entry in held:
                if not entry.is_folder:
                    name = "/".join((*place.names, entry.name))
                    yield Wanted(place.address.child(entry.name), entry, folder / entry.name, name, taken)


def _bring(
    ag: Any,
    source: Source,
    target: Path,
    *,
    name: str,
    size_bytes: int | None,
    lines: int,
    shown: Progress,
    stop: threading.Event,
    taken: Collection[str] = (),
) -> None:
    from .fetch import Fetch
    from .part import Part

    with Part(target, taken=taken) as part:
        Fetch(
            source,
            part,
            name=name,
            size_bytes=lambda: size_bytes,
            lines=lines,
            report=shown.of(name),
            pause=ag._transport().pause,
            stop=stop,
        ).run()


def _target(destination: str | os.PathLike[str], name: str) -> Path:
    path = Path(destination)
    if os.fspath(destination).endswith(("/", os.sep)):
        path.mkdir(parents=True, exist_ok=True)
    return path / names.check(name) if path.is_dir() else path


def _there(target: Path) -> There | None:
    """
    Return what is at a file's place; None: nothing.

    :raises FileConflict: it is not to be replaced, such as a folder or ``/dev/null``.
    :raises FileNotFoundError: there is no folder to put the file in.
    """
    try:
        facts = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(target.parent)) from None
        return None
    if stat.S_ISDIR(facts.st_mode):
        raise FileConflict(f"{target} is a folder: a file cannot take its place.")
    if not stat.S_ISREG(facts.st_mode):
        raise FileConflict(f"{target} is no regular file: none can take its place.")
    return conflicts.local(facts)


def _meant(held: list[Entry], above: tuple[str, ...], choice: Choice) -> list[Entry]:
    return [
        entry for entry in held if (choice.has_folder if entry.is_folder else choice.has_file)((*above, entry.name))
    ]


def _make_folder(folder: Path, top: Path) -> None:
    """Make a folder of the tree, never by way of a link that leads out of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise FileConflict(f"{folder} cannot be made: a file is in its way.") from None
    for place in (folder, *folder.parents):
        if place == top:
            return
        if place.is_symlink():
            raise FileConflict(f"{place} is a link: what is in the folder of that name would be written elsewhere.")


def _clashing(held: list[Entry], folder: Path) -> set[str]:
    """Return the names that would be one file here."""
    listed = [entry.name for entry in held]
    twice = {name for name in listed if listed.count(name) > 1} if len(set(listed)) < len(listed) else set()
    same = names.clashes(listed)
    return twice | (same if same and not names.tells_case(folder) else set())


def _possible(held: list[Entry], place: entries.Place, clashing: Collection[str], failures: Failures) -> list[Entry]:
    """Return the items whose names can be had here; note the others."""
    possible = []
    for entry in held:
        with failures.noted(str(place.address.child(entry.name))):
            names.check(entry.name)
            if entry.name in clashing:
                raise FileConflict(f"{entry.name!r} would be the same file here as another one of its folder.")
            possible.append(entry)
    return possible


def files_download(api_server: str, token: str, source: str, destination: str) -> None:
    """Bring a file as releases up to 0.9 did, without a client: the tenant's address and an access token will do."""
    from ..agave import Agave

    ag = Agave(api_server=api_server, token=token)
    try:
        download(ag, source, destination)
    finally:
        ag.close()
