"""How files are to be transferred, as the caller asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ..errors import AgaveError
from .patterns import Choice
from .progress import Told

WORKERS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """
    The keywords of :meth:`agavepy.agave.Agave.files_download` and ``files_upload``.

    :raises AgaveError: one of them is none of the values it may have.
    """

    overwrite: bool | str = True
    include: str | Iterable[str] | None = None
    exclude: str | Iterable[str] | None = None
    workers: int = WORKERS
    progress: bool | Told | None = None

    def __post_init__(self) -> None:
        if self.overwrite is not True and self.overwrite is not False and self.overwrite != "newer":
            raise AgaveError(f"overwrite={self.overwrite!r}: True, False or 'newer'.")
        if not isinstance(self.workers, int) or isinstance(self.workers, bool) or self.workers < 1:
            raise AgaveError(f"workers={self.workers!r}: how many at a time, 1 or more.")
        if not callable(self.progress) and self.progress not in (None, True, False):
            raise AgaveError(f"progress={self.progress!r}: None, True, False, or a function of done, total and name.")

    @property
    def choice(self) -> Choice:
        """Return which files of a tree are meant."""
        return Choice(self.include, self.exclude)
