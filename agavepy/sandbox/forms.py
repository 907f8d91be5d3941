"""Multipart forms as they arrive: texts in memory, files on disk."""

from __future__ import annotations

import dataclasses
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from . import checksums, durable
from .api import NOTHING, BadRequest, TooLarge, Upload
from .disk import clear_refusals

LARGEST_BYTES = 10 << 20  # of a body, or of all text parts of one; files have no bound but the disk
MOST_PARTS = 1000
_BEGIN_SYNC_BYTES = 16 << 20


@dataclasses.dataclass
class Body:
    """A request body that has arrived: ``kind`` is "none", "json", "form", "multipart" or "bytes"."""

    kind: str = "none"
    document: Any = NOTHING  # of JSON
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    uploads: dict[str, Upload] = dataclasses.field(default_factory=dict)
    data: bytes = b""
    media_type: str = ""


class Form:
    """A multipart form as it arrives: texts in memory, files on disk."""

    def __init__(self, boundary: bytes, new_path: Callable[[], Path]) -> None:
        if not boundary:
            raise BadRequest("The multipart form names no boundary")
        self._new_path = new_path
        self._body = Body("multipart", media_type="multipart/form-data")
        self._parts, self._text_bytes, self._ended = 0, 0, False
        self._name = ""
        self._file_name: str | None = None
        self._file: io.FileIO | None = None
        self._size_bytes = 0  # of the file, as far as it has arrived
        self._text = bytearray()
        self._checksums: dict[str, Any] = {}  # of the file, by the names of their algorithms
        self._begun_bytes = 0  # of the file, that are on their way to the disk
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[bytes, str] = {}  # of the part, names in lower case
        self._paths: list[Path] = []
        self._parser = self._new_parser(boundary)

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        try:
            with clear_refusals(self._file_name or "the upload"):
                self._parser.write(data)
        except FormParserError as error:
            raise BadRequest(f"The multipart form does not parse: {error}") from None

    def finished(self) -> Body:
        """Return the form; it is whole only if its last boundary came."""
        if not self._ended:
            raise BadRequest("The multipart form ends early")
        return self._body

    def discard(self) -> None:
        """Close and delete what is left."""
        if self._file is not None:
            self._file.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _new_parser(self, boundary: bytes) -> MultipartParser:
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow(self._header[0], data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(self._header[1], data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        try:
            return MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise BadRequest(f"The multipart form does not parse: {error}") from None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise TooLarge(f"The form has more than {MOST_PARTS} parts")
        self._name, self._file_name, self._file = "", None, None
        self._text.clear()
        self._headers.clear()

    def _grow(self, text: bytearray, data: bytes) -> None:
        self._text_bytes += len(data)
        if self._text_bytes > LARGEST_BYTES:
            raise TooLarge(f"The form has more than {LARGEST_BYTES} bytes outside of files")
        text += data

    def _end_header(self) -> None:
        name, value = (bytes(each) for each in self._header)
        # Latin-1 maps each byte to itself; the parts are UTF-8.
        self._headers[name.lower()] = value.decode("latin-1").strip()
        for each in self._header:
            each.clear()

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = _text(options.get(b"name", b""))
        self._file_name = _base_name(_text(options[b"filename"])) if b"filename" in options else None
        if self._file_name is not None:
            self._paths.append(self._new_path())
            self._file = io.FileIO(self._paths[-1], "xb", opener=_private)
            self._checksums = {name: new() for name, new in checksums.ALGORITHMS.items()}
            self._size_bytes = self._begun_bytes = 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._grow(self._text, data[start:end])
            return
        piece = memoryview(data)[start:end]
        for found in self._checksums.values():
            found.update(piece)
        self._size_bytes += len(piece)
        while piece:
            piece = piece[self._file.write(piece) :]
        begun_bytes = self._size_bytes - self._begun_bytes
        if begun_bytes >= _BEGIN_SYNC_BYTES:
            durable.begin_sync(self._file, self._begun_bytes, begun_bytes)
            self._begun_bytes = self._size_bytes

    def _end(self) -> None:
        if self._file is None:
            self._body.fields[self._name] = _text(bytes(self._text))
            return
        self._file.close()
        self._file = None
        found = {name: checksum.encoded() for name, checksum in self._checksums.items()}
        upload = Upload(self._file_name or "", self._paths[-1], self._size_bytes, found)
        self._check(upload)
        self._body.uploads.setdefault(self._name, upload)

    def _check(self, upload: Upload) -> None:
        """:raises BadRequest: the part is not what its own headers announced."""
        length = self._headers.get(b"content-length", "")
        if length and length != str(upload.size_bytes):
            raise BadRequest(
                f"The part '{self._name}' has {upload.size_bytes} bytes, its Content-Length says {length}: "
                "nothing was stored. Send it again."
            )
        for name, wanted in checksums.from_header(self._headers.get(b"digest", "")).items():
            if wanted != upload.checksums[name]:
                raise BadRequest(
                    f"The part '{self._name}' has the {name} {upload.checksums[name]}, its Digest says {wanted}: "
                    "nothing was stored. Send it again."
                )

    def _finish(self) -> None:
        self._ended = True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("A part of the form is not UTF-8") from None


def _base_name(name: str) -> str:
    """Return the last step of a file name, with the three escapes that browsers and urllib3 write in it undone."""
    # WHATWG HTML, multipart/form-data encoding: only these are escaped, per cent signs are not.
    plain = re.sub("%(22|0D|0A)", lambda found: chr(int(found[1], 16)), name)
    return plain.rpartition("/")[2]
