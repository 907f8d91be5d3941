"""Parts of one file, whatever way a server gives them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
import requests

from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.files import addresses
from agavepy.files.reader import Reader

from ..recording import Answer, Received, Recorder
from .conftest import noise
from .test_hostile import enveloped, record

DATA = noise(1000)
MOST_BYTES = 100  # that some servers send at once


@pytest.fixture
def ag(recorder: Recorder) -> Iterator[Agave]:
    client = Agave(api_server=recorder.url, token="t")
    yield client
    client.close()


def asked(received: Received) -> tuple[int, int]:
    """Return the range of a request, half open."""
    first, _, last = received.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), int(last) + 1 if last else len(DATA)


def whole(received: Received) -> Answer:
    return Answer(body=DATA, content_type="x/y")


def in_parts(received: Received) -> Answer:
    start, end = asked(received)
    if start >= len(DATA):
        return Answer(416)
    part = DATA[start:end]
    extent = f"bytes {start}-{start + len(part) - 1}/{len(DATA)}"
    return Answer(206, part, "x/y", (("Content-Range", extent),))


def with_status_200(received: Received) -> Answer:
    start, end = asked(received)
    return Answer(body=DATA[start:end], content_type="x/y")


def in_small_parts(received: Received) -> Answer:
    start, end = asked(received)
    return in_parts(received._replace(headers={"range": f"bytes={start}-{min(end, start + MOST_BYTES) - 1}"}))


@pytest.mark.parametrize("way", [whole, in_parts, with_status_200, in_small_parts])
@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 1000), (0, 10), (500, 510), (500, None), (990, 2000), (0, 5000), (7, 7)]
)
def test_the_bytes_are_those_of_the_file_however_it_is_sent(
    ag: Agave, recorder: Recorder, way: object, start: int, end: int | None
) -> None:
    def answer(received: Received) -> Answer:
        if "/listings/" in received.target:
            return enveloped([record("a", length=len(DATA))])
        return way(received)  # type: ignore[operator, no-any-return]

    recorder.script = [answer] * 100
    assert Reader(ag, addresses.parse("data/a")).read(start, end) == DATA[start:end]


def test_a_part_that_never_comes_is_an_error(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(206, b"", "x/y", (("Content-Range", "bytes 0-9/1000"),))
    with pytest.raises(requests.exceptions.ConnectionError, match="data/a: nothing came of what is there"):
        Reader(ag, addresses.parse("data/a")).read(0, 10)
    assert len(recorder.received) == 4


def test_what_was_packed_unasked_is_an_error(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=gzip.compress(DATA), headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(AgaveError, match="Content-Encoding: gzip, unasked"):
        Reader(ag, addresses.parse("data/a")).read(0, 10)
