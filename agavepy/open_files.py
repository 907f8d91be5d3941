"""Open files of a tenant, as fsspec has them."""

from __future__ import annotations

import io
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

from fsspec.compression import compr
from fsspec.spec import AbstractBufferedFile

from .errors import AgaveError
from .files.reader import Reader
from .refusals import A_FOLDER, CHANGED, THERE_ALREADY, as_os_errors, refusal

if TYPE_CHECKING:
    from .filesystem import AgaveFileSystem


class AgaveFile(AbstractBufferedFile):
    """
    One open file. What is written waits on this machine's disk and goes out when the file is closed.

    A block that ends with an error stores nothing.
    """

    _is_wanted = False  # whether what was written is to be stored: not before it can be, nor after it went wrong

    def __init__(self, fs: AgaveFileSystem, path: str, mode: str, block_size: Any, **keywords: Any) -> None:
        self._address = fs.address_of_file(path)
        self._reader: Reader | None = None
        super().__init__(fs, path, mode, block_size or "default", **keywords)
        self._refuse_wrong_kind()
        if mode != "rb":
            self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this
            self._begin()

    def _refuse_wrong_kind(self) -> None:
        if self.mode == "rb" and self.details["type"] == "directory":
            raise refusal(A_FOLDER, self.path)
        if self.mode == "rb" and self.size is None:
            raise AgaveError(f"{self.path}: the server tells no size that could be true. fs.cat_file() reads it whole.")
        if self.mode == "xb" and self.fs.exists(self.path):
            raise refusal(THERE_ALREADY, self.path)

    def _begin(self) -> None:
        if self.mode == "ab" and self.fs.exists(self.path):
            with self.fs.open(self.path) as there:
                shutil.copyfileobj(there, self._waiting, self.blocksize)
            self.loc = self._waiting.tell()
        self._is_wanted = True

    # Reading

    def _fetch_range(self, start: int, end: int) -> bytes:
        self._reader = self._reader or Reader(self.fs.client, self._address)
        with as_os_errors(self.path):
            data = self._reader.read(start, end)
        if len(data) < min(end, self.size) - start or self._reader.size_bytes not in (None, self.size):
            raise refusal(CHANGED, self.path)
        return data

    # Writing

    def give_up(self) -> None:
        """Store nothing of what was written when the file is closed."""
        self._is_wanted = False

    def _upload_chunk(self, final: bool = False) -> bool:
        if self._is_wanted:
            self._keep(self.buffer.getvalue())
        if final and (self.autocommit or not self._is_wanted):
            self.commit()
        return True

    def _keep(self, data: bytes) -> None:
        try:
            self._waiting.write(data)
        except BaseException:
            self.give_up()  # nobody knows how much of it is there
            raise

    def commit(self) -> None:
        """Send what was written."""
        if not self._is_wanted:
            return self.discard()
        with self._waiting:
            self._waiting.flush()
            self._refuse_wrong_kind()
            self.fs.send(self._waiting, self.path)

    def discard(self) -> None:
        """Forget what was written."""
        if "_waiting" in vars(self):
            self._waiting.close()

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self.give_up()
        self.close()


class _Layer:
    """Something that writes to an open file by way of what it does itself."""

    _file: AgaveFile

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self._file.give_up()
        self.close()  # type: ignore[attr-defined]


class TextFile(_Layer, io.TextIOWrapper):
    """Text to be encoded; ``above`` the file there may be a compression."""

    def __init__(self, above: Any, file: AgaveFile, **keywords: Any) -> None:
        super().__init__(above, **keywords)
        self._file = file


class CompressedFile(_Layer, io.BufferedWriter):
    """Bytes to be compressed; closes the file as well, which compressors do not."""

    def __init__(self, file: AgaveFile, compression: str, mode: str) -> None:
        super().__init__(compr[compression](file, mode=mode[0]))
        self._file = file

    def close(self) -> None:
        """Write what is left, then close the file."""
        try:
            super().close()
        except BaseException:
            self._file.give_up()
            raise
        finally:
            self._file.close()
