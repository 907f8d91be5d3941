"""Where a job's files are: in its work folder, and once it is archived, in its archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import ApiError, NotFound
from .disk import clear_refusals

if TYPE_CHECKING:
    from .state import State


class JobOutputs:
    """
    The files of one job, as its document said a moment ago.

    :raises NotFound: the job has no files yet.
    :raises ApiError: they have been removed.
    """

    def __init__(self, state: State, job: dict[str, Any]) -> None:
        self._state = state
        self.job = job
        self.root = self._root()

    @property
    def system_id(self) -> str:
        """The system they are on."""
        return str(self.job["archiveSystem"] if self.job["archived"] else self.job["executionSystem"])

    def place(self, path: str) -> Path:
        """
        Return where a file or folder is.

        :param path: below the job's folder, with or without a slash in front.
        :raises NotFound: it is not there, or a link leads out of the folder.
        """
        place = self.root / os.path.normpath(f"/{path}").lstrip("/")
        with clear_refusals(path):
            if not self._has(place) or not place.exists():
                raise NotFound(f"File/folder does not exist: {path}")
        return place

    def places(self, path: str) -> list[Path]:
        """Return what is in a folder, by name; of a file, itself."""
        place = self.place(path)
        return sorted(one for one in place.iterdir() if self._has(one)) if place.is_dir() else [place]

    def _has(self, place: Path) -> bool:
        return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self.root))

    def _root(self) -> Path:
        path = self.job["archivePath"] if self.job["archived"] else self.job["outputPath"]
        if path is None:
            raise NotFound(f"The job {self.job['id']} has no outputs yet: it is {self.job['status']}.")
        root = self._state.disk.locate(self._state.systems.document(self.system_id), path)
        return root if root.is_dir() else self._root_now()

    def _root_now(self) -> Path:
        now = self._state.store.get("job", self.job["id"])
        if now is None or now["archived"] == self.job["archived"]:
            raise ApiError("Unable to locate job data. Work folder no longer exists.")
        self.job = now  # archived this very moment
        return self._root()
