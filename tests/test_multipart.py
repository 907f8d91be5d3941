"""Uploads as streams."""

from __future__ import annotations

import email.message
import email.parser
import io
import os
from typing import Any

import pytest

from agavepy.multipart import MultipartBody


def parts_of(body: MultipartBody, data: bytes) -> list[email.message.Message]:
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    return email.parser.BytesParser().parsebytes(head + data).get_payload()  # type: ignore[return-value]


def test_fields_and_file_arrive_as_they_are() -> None:
    body = MultipartBody(
        [("fileType", "raw")], "fileToUpload", io.BytesIO(b"\x00data\r\n--"), file_name=lambda: "a b.bin"
    )
    field, file = parts_of(body, body.read())
    assert field.get_payload() == "raw"
    assert file.get_filename() == "a b.bin"
    assert file.get_payload(decode=True) == b"\x00data\r\n--"


def test_its_length_is_known_beforehand() -> None:
    body = MultipartBody([("a", "é")], "f", io.BytesIO(b"x" * 1000), file_name=lambda: "n")
    assert len(body) == len(body.read())


def test_a_file_is_sent_from_where_it_stands() -> None:
    stream = io.BytesIO(b"headbody")
    stream.seek(4)
    body = MultipartBody([], "f", stream, file_name=lambda: "n")
    assert b"\r\n\r\nbody\r\n" in body.read()


def test_rewinding_sends_the_same_bytes_again() -> None:
    body = MultipartBody([], "f", io.BytesIO(b"data"), file_name=lambda: "n")
    first = body.read()
    body.rewind()
    assert body.read() == first


def test_a_pipe_goes_out_without_a_length_and_cannot_be_sent_twice() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    with open(reading, "rb") as pipe:
        body = MultipartBody([], "f", pipe, file_name=lambda: "n")
        assert not body.is_measurable
        assert b"from a pipe" in body.read()
        with pytest.raises(OSError, match="open it again"):
            body.rewind()


def test_it_never_reads_more_than_it_is_asked_for() -> None:
    class Measured(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            Measured.largest = max(Measured.largest, size if size is not None and size >= 0 else 1 << 40)
            return super().read(size)

    body = MultipartBody([], "f", Measured(b"x" * 1_000_000), file_name=lambda: "n")
    while body.read(8192):
        pass
    assert Measured.largest == 8192


@pytest.mark.parametrize(("thing", "hint"), [(io.StringIO("text"), "'rb'"), (42, "not int"), (None, "not NoneType")])
def test_what_is_no_binary_file_is_refused(thing: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        MultipartBody([], "f", thing, file_name=lambda: "n")


def test_a_name_cannot_break_out_of_its_header() -> None:
    body = MultipartBody([], "f", b"", file_name=lambda: 'a"\r\nX-Evil: 1')
    assert b"\r\nX-Evil" not in body.read()


def test_a_file_that_grows_is_sent_as_long_as_it_was() -> None:
    stream = io.BytesIO(b"short")
    body = MultipartBody([], "f", stream, file_name=lambda: "n")
    stream.seek(0, io.SEEK_END)
    stream.write(b" and longer")
    stream.seek(0)
    assert len(body) == len(body.read())


def test_a_file_that_shrinks_is_an_error_and_no_short_upload() -> None:
    stream = io.BytesIO(b"long enough")
    body = MultipartBody([], "f", stream, file_name=lambda: "n")
    stream.truncate(4)
    with pytest.raises(OSError, match="became shorter while it was sent: 7 bytes are missing"):
        body.read()
