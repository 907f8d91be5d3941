"""The ``files_*`` methods of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from ..errors import AgaveHTTPError
    from ..records import AttrDict

    Path = str | os.PathLike[str]


class FilesMethods:
    """
    Files by address: ``system-id/path``, from the system's home folder, or ``system-id//path``, from its root.

    Names are literal: a file called ``100%25.txt`` or ``a#b?.txt`` is reached as it is called.
    """

    def files_list(self, system_path: Path, long_format: bool = False) -> list[AttrDict]:
        """
        Print what a folder holds, as many columns as the terminal has room for; return the records.

        :param long_format: one line each: permissions, size in bytes, date, name.
        :raises AgaveHTTPError: there is no such place.
        """
        from . import tables

        return tables.show_listing(self, system_path, long_format=long_format)

    def files_walk(
        self, path: Path, *, onerror: Callable[[AgaveHTTPError], Any] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """
        Yield, as :func:`os.walk` does, each folder's address with the names of the folders and of the files in it.

        Folders that are taken out of the list are not gone into.

        :param onerror: called with the error of a folder below that cannot be listed, which is left out; None: it is
            raised.
        """
        from . import entries

        return entries.walk_names(self, path, onerror=onerror)

    def files_download(
        self,
        source: Path,
        destination: Path,
        *,
        overwrite: bool | str = True,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        workers: int = 4,
        progress: bool | Callable[[int, int | None, str], Any] | None = None,
    ) -> None:
        """
        Bring a file, or all that is in a folder, to this machine.

        A file appears under its name only when it is whole and what arrived is what the server has, by its length and,
        where the server tells it, its checksum. Until then it is ``.NAME.part`` beside it; the same call goes on there.

        :param source: ``system-id/path`` of a file or folder.
        :param destination: of a file: its new path, or a folder that is there. Of a folder: the folder that is to hold
            what it holds.
        :param overwrite: True; False: what is there already is an error; "newer": only over older files.
        :param include: globs of the files to bring (``*.fastq``, ``raw/**``); None: all.
        :param exclude: globs of files and folders to leave out.
        :param workers: files, or parts of one large file, at a time.
        :param progress: None: a bar where somebody sees it; False; or called with bytes done, bytes in all, name.
        :raises TransferError: some files of a folder did not arrive; the others did.
        :raises FileConflict: a file is there, and ``overwrite`` forbids to replace it.
        :raises AgaveHTTPError: the server refused.
        """
        from .download import download
        from .terms import Terms

        terms = Terms(overwrite=overwrite, include=include, exclude=exclude, workers=workers, progress=progress)
        download(self, source, destination, terms)

    def files_upload(
        self,
        source: Path,
        destination: Path,
        *,
        overwrite: bool | str = True,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        workers: int = 4,
        progress: bool | Callable[[int, int | None, str], Any] | None = None,
    ) -> None:
        """
        Send a file, or all that is in a folder, to a system. Links are followed.

        :param source: path of a file or folder of this machine.
        :param destination: of a file: ``system-id/path`` of the new one, or of a folder that is there. Of a folder: the
            folder that is to hold what it holds; it is made where it is missing.
        :param overwrite, include, exclude, workers, progress: as for :meth:`files_download`.
        :raises TransferError: some files of a folder were not sent; the others were.
        :raises FileConflict: a file is there, and ``overwrite`` forbids to replace it.
        :raises AgaveHTTPError: the server refused.
        """
        from .terms import Terms
        from .upload import upload

        terms = Terms(overwrite=overwrite, include=include, exclude=exclude, workers=workers, progress=progress)
        upload(self, source, destination, terms)

    def files_copy(self, source: Path, destination: Path) -> None:
        """Copy a file or folder on its system; to another system too, and then this returns once it is there."""
        from . import changes

        changes.copy(self, source, destination)

    def files_move(self, source: Path, destination: Path) -> None:
        """Move or rename a file or folder on its system."""
        from . import changes

        changes.move(self, source, destination)

    def files_delete(self, file_path: Path) -> None:
        """Delete a file, or a folder with all that is in it."""
        from . import changes

        changes.delete(self, file_path)

    def files_import(
        self, source: str, destination: Path, *, wait: bool = False, timeout_s: float | None = None
    ) -> None:
        """
        Have a system fetch a file or folder by itself.

        :param source: ``agave://system-id/path``, or an address of the web.
        :param destination: ``system-id/path`` of the new file, or of the folder to put it in.
        :param wait: return only when it is there.
        :param timeout_s: seconds to wait at most; None: as long as it takes.
        :raises AgaveError: it failed, or not in time.
        """
        from . import imports

        imports.import_file(self, source, destination, wait=wait, timeout_s=timeout_s)

    def files_mkdir(self, location: Path) -> None:
        """Make a folder, and those above it that are missing."""
        from . import addresses, changes

        changes.make_folder(self, addresses.parse(location))

    def files_pems_list(self, path: Path) -> list[AttrDict]:
        """Print who may read, write and execute a file or folder; return the records."""
        from . import tables

        return tables.show_permissions(self, path)

    def files_pems_update(self, path: Path, username: str, perms: str, recursive: bool = False) -> None:
        """
        Give a user a permission on a file or folder.

        :param perms: READ, WRITE, EXECUTE, READ_WRITE, READ_EXECUTE, WRITE_EXECUTE, ALL, or NONE to take it away.
        :param recursive: also on all that is in the folder.
        """
        from . import tables

        tables.update_permissions(self, path, username, perms, recursive=recursive)

    def files_pems_delete(self, path: Path) -> None:
        """Take away all permissions on a file or folder but those of its owner."""
        from . import addresses

        self.files.deletePermissions(**addresses.parse(path).keywords)  # type: ignore[attr-defined]

    def files_history(self, path: Path) -> list[AttrDict]:
        """Print what happened to a file or folder, the oldest first; return the records."""
        from . import tables

        return tables.show_history(self, path)

    def download_uri(self, uri: str, local_path: Path) -> None:
        """Save what a link of the tenant leads to: ``agave://system-id/path``, or the address of a job's output."""
        from . import uris

        uris.download_uri(self, uri, local_path)
