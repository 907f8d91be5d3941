"""Promises 5.x: what operations return."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import pytest
import requests

from agavepy.agave import Agave, AttrDict

from ..recording import Answer, Recorder

WHEN = "2020-06-01T10:04:05.000-05:00"


@pytest.mark.promise("5.1")
def test_results_are_records_and_lists_of_them(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"id": "s", "storage": {"homeDir": "/h"}, "_links": {"self": {"href": "x"}}})
    found = ag.systems.get(systemId="s")
    assert isinstance(found, dict)
    assert found.storage.homeDir == found["storage"]["homeDir"] == "/h"
    assert found["_links"]["self"]["href"] == "x"
    del found["id"]
    assert dict(found).keys() == {"storage", "_links"}
    recorder.result([{"id": "a"}, {"id": "b"}])
    assert [each.id for each in ag.systems.list()[:1] + ag.systems.list()] == ["a", "a", "b"]


@pytest.mark.promise("5.2")
@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "success", "message": null, "version": "1", "result": null}',
        b'{"status": "success", "message": null, "version": "1"}',
    ],
)
def test_no_result_is_none(ag: Agave, recorder: Recorder, body: bytes) -> None:
    recorder.always = Answer(body=body)
    assert ag.files.delete(systemId="s", filePath="p") is None


@pytest.mark.promise("5.3")
def test_downloads_and_empty_answers_are_responses(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"tide", content_type="text/plain")
    for call in (
        lambda: ag.files.download(systemId="s", filePath="p"),
        lambda: ag.actors.getOneExecutionResult(actorId="a", executionId="e"),
        lambda: ag.jobs.downloadOutput(jobId="j", filePath="p"),
    ):
        response = call()
        assert isinstance(response, requests.Response)
        assert (response.status_code, b"".join(response.iter_content(3))) == (200, b"tide")
    recorder.always = Answer(status=204, body=b"")
    assert ag.meta.deleteMetadata(uuid="u").status_code == 204


@pytest.mark.promise("5.4")
def test_a_field_that_is_not_there_is_both_errors_in_one() -> None:
    record = AttrDict(a=1)
    for error in (KeyError, AttributeError):
        with pytest.raises(error, match="no field 'b'"):
            record.b
    assert not hasattr(record, "b")
    assert copy.deepcopy(record) == record
    assert type(copy.deepcopy(record)) is AttrDict


@pytest.mark.promise("5.5")
@pytest.mark.parametrize(
    ("operation", "arguments", "field"),
    [
        ("apps.get", {"appId": "a"}, "lastModified"),
        ("files.list", {"systemId": "s", "filePath": "p"}, "lastModified"),
        ("files.importData", {"systemId": "s", "filePath": "p", "urlToIngest": "x"}, "lastModified"),
        ("files.getHistory", {"systemId": "s", "filePath": "p"}, "created"),
        ("systems.get", {"systemId": "s"}, "lastModified"),
        ("jobs.listOutputs", {"jobId": "j", "filePath": "p"}, "lastModified"),
        ("jobs.getHistory", {"jobId": "j"}, "created"),
        ("jobs.get", {"jobId": "j"}, "endTime"),
        ("jobs.get", {"jobId": "j"}, "remoteSubmitted"),
        ("jobs.list", {}, "ended"),
        ("meta.getMetadata", {"uuid": "u"}, "lastUpdated"),
        ("notifications.get", {"uuid": "u"}, "created"),
        ("monitors.get", {"monitorId": "m"}, "nextUpdate"),
        ("postits.list", {}, "expires"),
    ],
)
def test_dates_become_aware_datetimes_where_they_did(
    ag: Agave, recorder: Recorder, operation: str, arguments: dict[str, Any], field: str
) -> None:
    found = result(ag, recorder, operation, arguments, {field: WHEN})
    assert type(found[field]) is datetime.datetime
    assert found[field].isoformat() == "2020-06-01T10:04:05-05:00"
    for odd in (None, "soon", ""):
        assert result(ag, recorder, operation, arguments, {field: odd})[field] == odd


@pytest.mark.promise("5.6")
@pytest.mark.parametrize(
    ("operation", "arguments", "field"),
    [
        ("meta.listMetadata", {}, "lastUpdated"),
        ("systems.list", {}, "lastModified"),
        ("files.manage", {"systemId": "s", "filePath": "p", "body": {}}, "lastModified"),
        ("postits.create", {"body": {}}, "created"),
        ("profiles.get", {}, "create_time"),
        ("actors.get", {"actorId": "a"}, "createTime"),
        ("jobs.get", {"jobId": "j"}, "created"),
        ("jobs.list", {}, "created"),
        ("jobs.get", {"jobId": "j"}, "remoteStarted"),
    ],
)
def test_dates_stay_text_where_they_did(
    ag: Agave, recorder: Recorder, operation: str, arguments: dict[str, Any], field: str
) -> None:
    assert result(ag, recorder, operation, arguments, {field: WHEN})[field] == WHEN


@pytest.mark.promise("5.7")
def test_what_a_server_sends_passes_whatever_the_document_says(ag: Agave, recorder: Recorder) -> None:
    sent = {"id": 7, "status": None, "new": [1], "parameters": "none"}
    assert result(ag, recorder, "jobs.get", {"jobId": "j"}, sent) == sent
    recorder.result({"name": "one"})
    assert ag.clients.getClientByName(clientName="one").name == "one"


@pytest.mark.promise("5.8")
def test_records_come_where_the_document_once_said_text(live: Agave) -> None:
    made = live.files.manage(systemId="sandbox-storage", filePath="nryan", body={"action": "mkdir", "path": "d5"})
    assert (made["nativeFormat"], made.path.endswith("/d5")) == ("folder", True)


@pytest.mark.promise("5.9")
def test_records_can_be_written_as_json_dates_included(ag: Agave, recorder: Recorder) -> None:
    found = result(ag, recorder, "apps.get", {"appId": "a"}, {"lastModified": WHEN})
    assert json.loads(found.to_json()) == {"lastModified": "2020-06-01T10:04:05-05:00"}
    listed = result(ag, recorder, "meta.listMetadata", {}, {"created": WHEN})
    assert json.loads(json.dumps(listed)) == {"created": WHEN}


def result(ag: Agave, recorder: Recorder, operation: str, arguments: dict[str, Any], record: Any) -> Any:
    """Return what an operation makes of a record; of a list, its only element."""
    service, name = operation.split(".")
    is_list = name.startswith("list") or name == "getHistory"
    recorder.result([record] if is_list else record)
    found = getattr(getattr(ag, service), name)(**arguments)
    return found[0] if is_list else found
