"""Lists of any length, page by page."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError

from .recording import Answer, Received, Recorder


def serve(recorder: Recorder, count: int, *, cap: int = 250, knows_pages: bool = True) -> None:
    """Answer with pages of ``count`` records, as a server does that gives no more than ``cap`` at once."""

    def page(received: Received) -> Answer:
        query = parse_qs(urlsplit(received.target).query)
        offset = int(query.get("offset", ["0"])[0]) if knows_pages else 0
        limit = min(int(query.get("limit", ["100"])[0]), cap) if knows_pages else count
        records = [{"id": number} for number in range(count)][offset : offset + limit]
        return Answer(
            body=json.dumps({"status": "success", "message": None, "version": "1", "result": records}).encode()
        )

    recorder.script = [page] * 1000


def ids(records: Any) -> list[int]:
    return [record.id for record in records]


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 1000])
@pytest.mark.parametrize("page_size", [100, 250, 1000])
def test_every_record_comes_once_and_in_order(ag: Agave, recorder: Recorder, count: int, page_size: int) -> None:
    serve(recorder, count)
    assert ids(ag.jobs.list.iterate(page_size=page_size)) == list(range(count))


def test_a_short_page_is_the_last_and_no_further_one_is_asked_for(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 10)
    assert len(list(ag.jobs.list.iterate())) == 10
    assert len(recorder.received) == 1


def test_a_server_with_a_smaller_page_than_asked_for_loses_nothing(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 700)
    assert ids(ag.jobs.list.iterate(page_size=10_000)) == list(range(700))


def test_limit_and_offset_choose_a_part_of_the_whole(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 1000)
    assert ids(ag.jobs.list.iterate(offset=240, limit=300, page_size=100)) == list(range(240, 540))
    assert ids(ag.jobs.list.iterate(limit=0)) == []


def test_no_more_than_one_page_is_asked_for_ahead(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 10_000)
    records = ag.jobs.list.iterate()
    for _ in range(10):
        next(records)
    records.close()
    assert len(recorder.received) <= 2


def test_a_server_without_pages_is_read_once(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 400, knows_pages=False)
    assert ids(ag.jobs.list.iterate()) == list(range(400))


def test_a_server_that_repeats_itself_is_an_error_not_a_loop(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 250, knows_pages=False)
    with pytest.raises(AgaveError, match="same page whatever offset"):
        list(ag.jobs.list.iterate())


def test_what_is_no_list_says_so(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"id": 1})
    with pytest.raises(AgaveError, match="jobs.list answered with AttrDict where a list"):
        list(ag.jobs.list.iterate())


def test_an_operation_without_pages_says_so_before_anything_is_sent(ag: Agave, recorder: Recorder) -> None:
    with pytest.raises(TypeError, match=r"jobs\.get has no pages"):
        ag.jobs.get.iterate(jobId="1")
    assert not recorder.received


@pytest.mark.parametrize(
    "wrong", [{"page_size": 0}, {"page_size": "10"}, {"offset": -1}, {"limit": -1}, {"limit": 1.5}]
)
def test_a_number_that_is_none_is_refused_at_once(ag: Agave, wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"jobs\.list: .*a whole number"):
        ag.jobs.list.iterate(**wrong)


def test_an_error_of_a_later_page_reaches_the_caller(ag: Agave, recorder: Recorder) -> None:
    serve(recorder, 1000)
    recorder.script[1] = Answer(404, b'{"status": "error", "message": "gone", "version": "1"}')
    with pytest.raises(Exception, match="404 Client Error"):
        list(ag.jobs.list.iterate())


def test_the_answer_itself_is_at_hand(ag: Agave, recorder: Recorder) -> None:
    recorder.result([])
    assert ag.jobs.list.response(limit=1).json()["result"] == []
