"""A multipart/form-data body that streams its file: memory stays flat whatever the size."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any


class MultipartBody:
    """
    Form fields and one file as a readable, measurable and rewindable body.

    :param fields: name and text of each field, sent before the file.
    :param file: a binary file, read from where it stands; or bytes.
    :param file_name: gives its name; asked once the file is known to be one.
    :raises TypeError: the file is opened in text mode, or is no file.
    """

    def __init__(
        self, fields: Iterable[tuple[str, str]], name: str, file: Any, *, file_name: Callable[[], str]
    ) -> None:
        self._file = _binary(file)
        self._start = _position(self._file)
        self.fields, self.name, self.file_name = list(fields), name, file_name()
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = b"".join(_field(boundary, key, text) for key, text in self.fields) + _file_head(
            boundary, name, self.file_name
        )
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._length = _remaining(self._file)
        self.rewind()

    def __len__(self) -> int:
        """Return the size of the whole body in bytes; only there when the file's own size is known."""
        if self._length is None:
            raise TypeError("this stream does not tell its size")
        return len(self._head) + self._length + len(self._tail)

    @property
    def is_measurable(self) -> bool:
        """Tell whether the size is known beforehand; if not, the body goes out in chunks."""
        return self._length is not None

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes of the body, or all that is left; empty at its end."""
        if size is None or size < 0:
            return b"".join(self)
        data = self._next(size)
        # In as few pieces as can be, since each is sent and received on its own; but nobody waits for a slow stream.
        while self.is_measurable and self._parts and len(data) < size:
            data += self._next(size - len(data))
        return data

    def _next(self, size: int) -> bytes:
        while self._parts:
            data: bytes = self._parts[0].read(size)
            if data:
                return data
            self._parts.pop(0)
        return b""

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 18), b"")

    def rewind(self) -> None:
        """Make the body ready to be sent again from its first byte.

        :raises OSError: the file cannot seek and has been read.
        """
        if self._start is not None:
            self._file.seek(self._start)
        elif hasattr(self, "_parts"):
            raise OSError("the stream was consumed and cannot be rewound: open it again and repeat the call")
        file = self._file if self._length is None else _Exactly(self._file, self._length)
        self._parts: list[Any] = [io.BytesIO(self._head), file, io.BytesIO(self._tail)]


class _Exactly:
    """A file cut off at the length it had when the body was made: somebody may be writing to it."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left)) if self._left else b""
        if self._left and not data:
            raise OSError(f"the file became shorter while it was sent: {self._left} bytes are missing")
        self._left -= len(data)
        return data


def _binary(file: Any) -> IO[bytes]:
    if isinstance(file, (bytes, bytearray)):
        return io.BytesIO(file)
    if isinstance(file, io.TextIOBase):
        raise TypeError("a file to upload must be opened in binary mode: open(path, 'rb')")
    if not hasattr(file, "read"):
        raise TypeError(f"a file to upload must be an open binary file or bytes, not {type(file).__name__}")
    return file  # type: ignore[no-any-return]


def _position(file: IO[bytes]) -> int | None:
    try:
        return file.tell()
    except (OSError, AttributeError):
        return None  # a pipe or a socket


def _remaining(file: IO[bytes]) -> int | None:
    try:
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (OSError, AttributeError):
        return None
    return max(end - here, 0) if isinstance(end, int) else None


def _field(boundary: str, name: str, text: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"\r\n\r\n{text}\r\n'.encode(
        errors="surrogateescape"
    )


def _file_head(boundary: str, name: str, file_name: str) -> bytes:
    disposition = f'form-data; name="{_escape(name)}"; filename="{_escape(file_name)}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
    return head.encode(errors="surrogateescape")


def _escape(text: str) -> str:
    # As browsers do it (WHATWG HTML, multipart/form-data encoding algorithm).
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
