"""Files turned into other formats, piece by piece: what the transforms do."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .api import BadRequest

MOST_BYTES = 1 << 30  # of a file and of its output: a few bytes of gzip can stand for any number of them
_MOST_ROW = 1 << 20  # characters of one row of a table, which is held in memory
_CHUNK_BYTES = 1 << 16
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_RAW = "raw"  # what files are, as far as the tenant says


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A way to turn a file into another; ``formats``: what it may be told the file is, empty for anything."""

    name: str
    description: str
    tags: tuple[str, ...]
    suffix: str  # that the output's name ends in; empty: the input's last suffix goes
    formats: tuple[str, ...]
    undone_by: tuple[str, ...]  # the conversions that read the output back
    convert: Callable[[BinaryIO, io.RawIOBase, str], None]  # input, output, format

    def check_format(self, word: str) -> None:
        """:raises BadRequest: the file cannot be of that format."""
        if self.formats and word not in (_RAW, *self.formats):
            raise BadRequest(f"{self.name} reads {', '.join((_RAW, *self.formats))}; nativeFormat is {word!r:.80}.")

    def name_of_output(self, name: str) -> str:
        """Return the name that suits the output of a file."""
        if self.suffix:
            return f"{name}{self.suffix}"
        stem, dot, _ = name.rpartition(".")
        return stem if stem and dot else f"{name}.{self.name}"

    def run(self, source: Path, destination: Path, *, native_format: str = _RAW) -> None:
        """
        Write the converted file.

        :param native_format: one of ``formats``, or ``raw``: the conversion finds out.
        :raises BadRequest: the file is not what the conversion reads, or it or its output has too many bytes.
        """
        if source.stat().st_size > MOST_BYTES:
            raise BadRequest(f"The file has more than {MOST_BYTES} bytes.")
        with source.open("rb") as file, destination.open("xb") as output:
            self.convert(file, _Bounded(output), native_format)


class _Bounded(io.RawIOBase):
    """Passes on what is written, up to MOST_BYTES."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._left = MOST_BYTES

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._left -= len(data)
        if self._left < 0:
            raise BadRequest(f"The output would have more than {MOST_BYTES} bytes.")
        return self._output.write(data)


def _gzip(source: BinaryIO, output: io.RawIOBase, _: str) -> None:
    # Without the time: the same file gives the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=output, mtime=0) as packed:
        shutil.copyfileobj(source, packed, _CHUNK_BYTES)


def _gunzip(source: BinaryIO, output: io.RawIOBase, _: str) -> None:
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as packed:
            shutil.copyfileobj(packed, output, _CHUNK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise BadRequest(f"The file is not gzip: {problem}") from None


def _csv_to_json(source: BinaryIO, output: io.RawIOBase, word: str) -> None:
    before = b"[\n"
    try:
        for record in _records(source, _DELIMITERS.get(word, ",")):
            output.write(before + json.dumps(record, ensure_ascii=False).encode("utf-8"))
            before = b",\n"
    except (csv.Error, UnicodeDecodeError) as problem:
        raise BadRequest(f"The file is not a table in UTF-8: {problem}") from None
    output.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _records(source: BinaryIO, delimiter: str) -> Iterator[dict[str, str | None]]:
    """Yield the rows of a table under the names of its first row; a row with more fields than names is refused."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        lines = _Lines(text)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        names = next(rows, [])
        if len(set(names)) < len(names):
            raise csv.Error("two columns have the same name")
        for row in rows:
            lines.begin_row()
            if len(row) > len(names):
                raise csv.Error(f"line {rows.line_num} has {len(row)} fields; the first has {len(names)}")
            if row:
                yield dict(zip(names, row + [None] * (len(names) - len(row)), strict=True))
    finally:
        text.detach()  # whoever opened the file closes it


class _Lines:
    """The lines of a text, of which those of one row may have so many characters together."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._left = _MOST_ROW

    def begin_row(self) -> None:
        """Count from here on again."""
        self._left = _MOST_ROW

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error(f"a row has more than {_MOST_ROW} characters")
        if not line:
            raise StopIteration
        return line


def _to_utf8(source: BinaryIO, output: io.RawIOBase, word: str) -> None:
    encoding = _encoding(source) if word == _RAW else word
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := source.read(_CHUNK_BYTES):
            output.write(decoder.decode(chunk).encode("utf-8"))
        output.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as problem:
        raise BadRequest(f"The file is not text in {encoding}: {problem}") from None


def _encoding(source: BinaryIO) -> str:
    """Return the encoding a file's first bytes tell, UTF-8 without any."""
    start = source.read(4)
    source.seek(0)
    marks = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    return next((encoding for mark, encoding in marks if start.startswith(mark)), "utf-8-sig")


_ALL = (
    Conversion("gzip", "Compresses a file with gzip.", ("compression",), ".gz", (), ("gunzip",), _gzip),
    Conversion("gunzip", "Decompresses a gzip file.", ("compression",), "", ("gzip",), ("gzip",), _gunzip),
    Conversion(
        *("csv-json", "Turns a table with a line of names into a JSON array of objects.", ("table", "text"), ".json"),
        *(("csv", "tsv"), (), _csv_to_json),
    ),
    Conversion(
        *("utf8", "Writes a text in UTF-8; nativeFormat says its encoding.", ("text",), ".txt"),
        *(("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"), (), _to_utf8),
    ),
)
CONVERSIONS = {each.name: each for each in _ALL}
