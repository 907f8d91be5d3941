"""The names in folders, read and sorted once for all pages of a listing."""

from __future__ import annotations

import collections
import dataclasses
import os
import threading
from pathlib import Path

from .clock import Clock
from .disk import is_settled

_LIFE_S = 60  # after the last page
_MOST_SNAPSHOTS = 200
_MOST_NAMES = 300_000  # kept in all, some 25 MB; of one folder there may be more


@dataclasses.dataclass
class Snapshot:
    """The names in a folder at one moment, sorted by their bytes."""

    names: list[str]
    facts: tuple[int, int] = (0, 0)
    is_settled: bool = False
    used: float = 0
    positions: dict[int, int] = dataclasses.field(default_factory=dict)  # of pages to come: offset → index of a name

    def position(self, offset: int) -> int:
        """Return the index of the first name of the page at an offset; the folder itself is at offset 0."""
        return self.positions.get(offset, max(0, offset - 1))

    def serves(self, offset: int, facts: os.stat_result, *, now: float) -> bool:
        """Return whether the page at an offset may come from it, the folder being as ``facts`` say."""
        is_fresh = 0 <= now - self.used <= _LIFE_S
        return is_fresh and (offset in self.positions or (self.is_settled and self.facts == _compared(facts)))


class FolderNames:
    """
    Snapshots of folders, by who pages through them.

    Page after page comes from one snapshot, so that files renamed meanwhile move no other file to a page that has
    been read; any other page is of the folder as it is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: collections.OrderedDict[tuple[str, Path], Snapshot] = collections.OrderedDict()
        self._lock = threading.Lock()

    def snapshot(self, user: str, folder: Path, offset: int) -> Snapshot:
        """Return the snapshot that a user's page at an offset is to come from."""
        facts, now = folder.stat(), self._clock.now()  # before the names are read: a change meanwhile shows
        with self._lock:
            kept = self._kept.get((user, folder))
        if kept is None or not kept.serves(offset, facts, now=now):
            names = sorted(os.listdir(folder), key=os.fsencode)
            return Snapshot(names, _compared(facts), is_settled(facts), now)
        kept.used = now
        return kept

    def keep(self, user: str, folder: Path, snapshot: Snapshot, *, offset: int, position: int) -> None:
        """Keep a snapshot for the page at ``offset``, whose first name has the index ``position``."""
        snapshot.positions[offset] = position
        with self._lock:
            self._kept[user, folder] = snapshot
            self._kept.move_to_end((user, folder))
            while len(self._kept) > 1 and self._is_too_much():
                self._kept.popitem(last=False)

    def _is_too_much(self) -> bool:
        return len(self._kept) > _MOST_SNAPSHOTS or sum(len(each.names) for each in self._kept.values()) > _MOST_NAMES


def _compared(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_mtime_ns, facts.st_ino
