"""Promises 13.x: agavepy.asynchronous."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave, AttrDict
from agavepy.asynchronous import AgaveAsyncResponse, Error, TimeoutError
from agavepy.sandbox import Sandbox

from ..recording import Answer, Recorder


@pytest.fixture
def started(recorder: Recorder) -> Any:
    """A job that was just accepted by the recorder, under a name that a gateway wrote into its links."""
    link = "https://docker.example.com/jobs/2.0/j/history"
    return AttrDict(status="ACCEPTED", _links=AttrDict(history=AttrDict(href=link)))


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.mark.promise("13.1")
def test_a_transfer_is_waited_for(live: Agave, tenant: Sandbox, tmp_path: Path) -> None:
    live.files.importData(systemId="sandbox-storage", filePath="nryan", fileToUpload=b"tide", fileName="a13")
    source = "agave://sandbox-storage/nryan/a13"
    answer = live.files.importData(systemId="sandbox-storage", filePath="nryan", urlToIngest=source, fileName="b13")
    assert AgaveAsyncResponse(live, answer).result(timeout=60) == "FINISHED"
    copy = live.files.download(systemId="sandbox-storage", filePath="nryan/b13")
    assert copy.content == b"tide"


@pytest.mark.promise("13.2")
@pytest.mark.parametrize(
    ("history", "end"),
    [
        (["PENDING", "RUNNING", "FINISHED"], "FINISHED"),
        (["PENDING", "FAILED"], "FAILED"),
        (["STAGING_COMPLETED"], "FINISHED"),
    ],
)
def test_a_job_ends_as_its_history_says(
    ag: Agave, recorder: Recorder, started: Any, waits: list[float], history: list[str], end: str
) -> None:
    recorder.script = [said("PENDING"), said("PENDING", "RUNNING"), said(*history)]
    future = AgaveAsyncResponse(ag, started, sleep=waits.append)
    assert not future.done()
    assert future.status == "PENDING"
    assert future.result() == end
    assert (waits, future.status) == ([1.0], end)
    assert recorder.last.target == "/jobs/v2/j/history"
    assert recorder.last.headers["authorization"] == "Bearer the-token"
    assert future.result() == end
    assert len(recorder.received) == 3


@pytest.mark.promise("13.3")
def test_a_timeout_is_an_error_of_the_module(ag: Agave, recorder: Recorder, started: Any, waits: list[float]) -> None:
    recorder.always = said("PENDING")
    with pytest.raises(TimeoutError, match="still PENDING after 0 s") as caught:
        AgaveAsyncResponse(ag, started, sleep=waits.append).result(timeout=0)
    assert isinstance(caught.value, Error)
    assert importlib.import_module("agavepy.async").TimeoutError is TimeoutError


@pytest.mark.promise("13.4")
@pytest.mark.parametrize("status", [403, 404])
def test_a_history_that_is_not_there_yet_is_asked_for_again(
    ag: Agave, recorder: Recorder, started: Any, waits: list[float], status: int
) -> None:
    recorder.script = [Answer(status=status), Answer(status=status), said("FINISHED")]
    assert AgaveAsyncResponse(ag, started, sleep=waits.append).result() == "FINISHED"
    assert waits == [1.5, 1.5]
    recorder.always = Answer(status=status)
    with pytest.raises(Error, match=f"answered {status}"):
        AgaveAsyncResponse(ag, started, sleep=waits.append).done()
    assert len(waits) == 12


@pytest.mark.promise("13.5")
@pytest.mark.parametrize("answer", [Answer(status=400), Answer(body=b"<html>"), Answer(body=b'{"result": []}')])
def test_what_is_no_history_is_an_error(ag: Agave, recorder: Recorder, started: Any, answer: Answer) -> None:
    recorder.always = answer
    with pytest.raises(Error):
        AgaveAsyncResponse(ag, started).done()
    with pytest.raises(Error, match="no link to its history"):
        AgaveAsyncResponse(ag, AttrDict(status="PENDING", _links=AttrDict()))
    for no_answer in (None, {}, "text", [1]):
        with pytest.raises(Error, match="without a status"):
            AgaveAsyncResponse(ag, no_answer)


def said(*events: str) -> Answer:
    """Return a history of such events, a second apart."""
    result = [{"status": status, "created": f"2020-06-01T10:00:{n:02d}Z"} for n, status in enumerate(events)]
    return Answer(body=json.dumps({"status": "success", "message": None, "version": "2", "result": result}).encode())
