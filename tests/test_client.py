"""Client → Service → Operation, against a server that records."""

from __future__ import annotations

import datetime
import json
import logging
import threading
from typing import Any
from unittest import mock

import pytest
import requests

from agavepy.agave import Agave
from agavepy.errors import AgaveError, BodyError, UnknownName, UnsafePath

from .recording import Answer, Recorder

JOB = {"name": "count", "appId": "wc-1.0"}


def test_a_misspelt_service_suggests_the_right_one(ag: Agave) -> None:
    with pytest.raises(AttributeError, match="No service 'jbos'. Did you mean 'jobs'"):
        ag.jbos


def test_a_misspelt_operation_suggests_the_right_one(ag: Agave) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'submit'"):
        ag.jobs.sumbit


def test_a_misspelt_keyword_names_operation_value_and_the_right_one(ag: Agave, recorder: Recorder) -> None:
    with pytest.raises(
        TypeError, match=r"jobs\.get has no parameter 'jobID' \(called with jobID='7'\)\. Did you mean 'jobId'"
    ):
        ag.jobs.get(jobID="7")
    assert not recorder.received


def test_a_keyword_that_is_not_known_does_not_show_a_secret(ag: Agave) -> None:
    with pytest.raises(TypeError, match="called with api_secret=…"):
        ag.apps.list(api_secret="hidden")


def test_calls_are_keyword_only(ag: Agave) -> None:
    with pytest.raises(TypeError, match=r"keywords only: jobs\.get\(\*, jobId\)"):
        ag.jobs.get("7")


def test_services_and_operations_are_made_once_and_kept(ag: Agave) -> None:
    assert ag.jobs is ag.jobs
    assert ag.jobs.submit is ag.jobs.submit


def test_completion_offers_services_and_operations(ag: Agave) -> None:
    assert {"jobs", "files", "drift"} <= set(dir(ag))
    assert "submit" in dir(ag.jobs)
    assert "submit" in repr(ag.jobs)


def test_none_for_an_optional_parameter_is_as_if_it_were_not_there(ag: Agave, recorder: Recorder) -> None:
    ag.systems.list(type=None, limit=0)
    assert recorder.last.target == "/systems/v2/?limit=0"


@pytest.mark.parametrize(
    ("value", "sent"), [(["a", "b"], "a%2Cb"), (True, "true"), (5, "5"), ({"a": 1}, "%7B%22a%22%3A%201%7D"), ("", "")]
)
def test_query_values_are_written_as_servers_read_them(ag: Agave, recorder: Recorder, value: Any, sent: str) -> None:
    ag.meta.listMetadata(q=value)
    assert recorder.last.target == f"/meta/v2/data?q={sent}"


def test_the_extra_keywords_reach_the_request(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.list(query={"status": "RUNNING"}, search={"id.like": "*x*"}, filter="id,name", headers={"X-Me": 1})
    assert recorder.last.target == "/jobs/v2/?status=RUNNING&id.like=%2Ax%2A&filter=id%2Cname"
    assert recorder.last.headers["x-me"] == "1"


def test_a_nonce_goes_instead_of_the_token(ag: Agave, recorder: Recorder) -> None:
    ag.actors.sendMessage(actorId="a", body={"message": "hi"}, nonce="n-1")
    assert recorder.last.target.endswith("?x-nonce=n-1")
    assert "authorization" not in recorder.last.headers


def test_a_timeout_of_the_call_replaces_the_default(ag: Agave, recorder: Recorder) -> None:
    release = threading.Event()

    def never(received: Any) -> Answer:
        release.wait(20)
        return Answer()

    recorder.script = [never]
    with pytest.raises(requests.exceptions.Timeout, match=r"jobs\.submit: no answer .* timeout="):
        ag.jobs.submit(body=JOB, timeout=0.05)
    release.set()


@pytest.mark.parametrize("body", [JOB, json.dumps(JOB), "{'name': 1}", [1, 2]])
def test_a_body_goes_out_as_it_is_given(ag: Agave, recorder: Recorder, body: Any) -> None:
    ag.jobs.submit(body=body)
    sent = recorder.last.body.decode()
    assert sent == body if isinstance(body, str) else json.loads(sent) == body
    assert recorder.last.headers["content-type"] == "application/json"


def test_a_header_of_the_caller_wins_whatever_its_case(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.submit(body=b"\x00", headers={"content-TYPE": "image/png"})
    assert recorder.last.headers["content-type"] == "image/png"


def test_dates_of_a_record_can_be_sent_back(ag: Agave, recorder: Recorder) -> None:
    ag.meta.addMetadata(
        body={"name": "x", "value": {"when": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)}}
    )
    assert json.loads(recorder.last.body)["value"]["when"] == "2020-01-02T00:00:00+00:00"


# Bodies that depart from their model


def test_a_departure_is_logged_once_and_sent_all_the_same(
    ag: Agave, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "agavepy"):
        for _ in range(2):
            ag.jobs.manage(jobId="7", body={"action": "explode-once"})
    assert [record.getMessage() for record in caplog.records if "jobs.manage" in record.getMessage()] != []
    assert len(caplog.records) == 1
    assert len(recorder.received) == 2


def test_a_departure_is_refused_when_asked(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, token="t", validate_bodies="error")
    with pytest.raises(BodyError, match=r"jobs\.submit: body: 'appId' is a required property"):
        ag.jobs.submit(body={"name": "x"})
    assert not recorder.received


def test_nothing_is_said_when_it_is_off(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    Agave(api_server=recorder.url, token="t", validate_bodies="off").jobs.submit(body={"nonsense": 1})
    assert not caplog.records


def test_a_departure_never_shows_the_value(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, token="t", validate_bodies="error")
    auth = {"type": "PASSWORD", "password": ["hunter2"]}
    body = {"id": "x", "name": "x", "type": "STORAGE", "storage": {"protocol": "SFTP", "host": "h", "auth": auth}}
    with pytest.raises(BodyError, match=r"body\.storage\.auth\.password should be of type string, not list") as caught:
        ag.systems.add(body=body)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_way_to_validate_is_refused() -> None:
    with pytest.raises(AgaveError, match="off, warn, error"):
        Agave(validate_bodies="sometimes")


# Results


def test_the_result_comes_out_of_its_envelope(ag: Agave, recorder: Recorder) -> None:
    recorder.result([{"id": "a", "_links": {"self": {"href": "x"}}}])
    assert ag.systems.list()[0]._links.self.href == "x"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"status": "success", "message": null, "version": "1"}', None),
        (b'{"status": "success", "result": null}', None),
        (b'{"status": "success", "result": "text"}', "text"),
        (b'[{"id": "naked"}]', [{"id": "naked"}]),
        (b"", None),
    ],
)
def test_every_form_of_an_answer_is_understood(ag: Agave, recorder: Recorder, body: bytes, expected: Any) -> None:
    recorder.always = Answer(body=body)
    assert ag.systems.get(systemId="x") == expected


def test_dates_of_the_model_become_aware_datetimes(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"lastModified": "2018-09-10T14:56:40.000-05:00", "id": "x"})
    moment = ag.systems.get(systemId="x").lastModified
    assert moment == datetime.datetime(2018, 9, 10, 19, 56, 40, tzinfo=datetime.timezone.utc)
    assert moment.utcoffset() == datetime.timedelta(hours=-5)


@pytest.mark.parametrize("text", ["yesterday", "2018-09-10", "", None, 5])
def test_a_date_that_does_not_parse_stays_as_it_came(ag: Agave, recorder: Recorder, text: Any) -> None:
    recorder.result({"lastModified": text})
    assert ag.systems.get(systemId="x").lastModified == text


def test_dates_in_a_list_are_converted_each_for_itself(ag: Agave, recorder: Recorder) -> None:
    recorder.result([{"lastModified": "2018-09-10T14:56:40Z"}, {"lastModified": "soon"}, {"name": "without"}])
    first, second, third = ag.files.list(systemId="s", filePath="")
    assert (first.lastModified.year, second.lastModified, "lastModified" in third) == (2018, "soon", False)


def test_departures_of_an_answer_are_collected_and_harm_nothing(ag: Agave, recorder: Recorder) -> None:
    recorder.result([{"name": 5, "length": "9", "extra": 1}, {"name": 6, "lastModified": "soon"}])
    assert len(ag.files.list(systemId="s", filePath="")) == 2
    assert {(drift.operation, drift.field, drift.seen, drift.expected) for drift in ag.drift} == {
        ("files.list", "result[].name", "int", "string"),
        ("files.list", "result[].length", "str", "integer"),
        ("files.list", "result[].lastModified", "'soon'", "date-time"),
    }


def test_the_other_shape_of_a_result_is_no_departure(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"_metadata": {"totalCount": 0}, "search": []})
    assert ag.actors.list(q="x").search == []
    assert ag.drift == []
    recorder.result({"search": "nothing"})
    ag.actors.list(q="x")
    assert [each.field for each in ag.drift] == ["result.search"]


def test_a_success_that_is_not_json_is_returned_and_noted(
    ag: Agave, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.always = Answer(body=b"<html><title>Sign in</title></html>", content_type="text/html")
    assert ag.systems.list() == "<html><title>Sign in</title></html>"
    assert "systems.list answered 200 with text/html instead of JSON" in caplog.text
    assert ag.drift[0].seen == "text/html"


def test_json_that_breaks_off_is_not_called_something_else(
    ag: Agave, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.always = Answer(body=b'{"status": "success", "result": [')
    assert ag.systems.list() == '{"status": "success", "result": ['
    assert "answered 200 with application/json that does not parse instead of JSON" in caplog.text


def test_a_download_is_a_response_still_to_be_read(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"x" * 100_000, content_type="application/octet-stream")
    response = ag.files.download(systemId="s", filePath="a")
    assert isinstance(response, requests.Response)
    assert not response._content_consumed  # type: ignore[attr-defined]
    assert b"".join(response.iter_content(4096)) == b"x" * 100_000


def test_a_204_is_the_response_itself(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=204, body=b"")
    assert ag.meta.deleteMetadata(uuid="u").status_code == 204


# Uploads


def test_an_upload_is_multipart_with_its_name(ag: Agave, recorder: Recorder, tmp_path: Any) -> None:
    path = tmp_path / "data #1.bin"
    path.write_bytes(b"\x00\x01")
    with path.open("rb") as stream:
        ag.files.importData(systemId="s", filePath="dir", fileToUpload=stream)
    assert b'name="fileToUpload"; filename="data #1.bin"' in recorder.last.body
    assert b"\x00\x01" in recorder.last.body
    assert int(recorder.last.headers["content-length"]) == len(recorder.last.body)


def test_a_file_name_is_sent_beside_the_file(ag: Agave, recorder: Recorder) -> None:
    ag.files.importData(
        systemId="s", filePath="dir", fileToUpload=b"abc", fileName="n.txt", notifications=[{"event": "*"}]
    )
    assert b'name="fileName"\r\n\r\nn.txt\r\n' in recorder.last.body
    assert b'name="notifications"\r\n\r\n[{"event": "*"}]\r\n' in recorder.last.body


def test_an_upload_without_any_name_is_refused_with_the_way_out(ag: Agave) -> None:
    with pytest.raises(TypeError, match="pass fileName="):
        ag.files.importData(systemId="s", filePath="dir", fileToUpload=b"abc")


def test_an_import_by_url_is_a_form(ag: Agave, recorder: Recorder) -> None:
    ag.files.importData(systemId="s", filePath="dir", urlToIngest="agave://o/x y", fileName="n")
    assert recorder.last.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (
        recorder.last.body == b"fileName=n&urlToIngest=agave%3A%2F%2Fo%2Fx+y"
        or b"urlToIngest=agave" in recorder.last.body
    )


# Paths


@pytest.mark.parametrize("path", ["../x", "a/./b", "%2e%2e/x"])
def test_paths_that_name_another_target_are_refused_before_anything_is_sent(
    ag: Agave, recorder: Recorder, path: str
) -> None:
    with pytest.raises(UnsafePath, match=r"files\.delete: filePath="):
        ag.files.delete(systemId="s", filePath=path)
    assert not recorder.received


def test_an_empty_identifier_is_refused(ag: Agave, recorder: Recorder) -> None:
    with pytest.raises(UnsafePath, match="systemId=''"):
        ag.systems.delete(systemId="")
    assert not recorder.received


def test_doubled_slashes_reach_the_server(ag: Agave, recorder: Recorder) -> None:
    ag.files.list(systemId="s", filePath="/data//x/")
    assert recorder.last.target == "/files/v2/listings/system/s//data//x/"


# Objects


def test_a_client_whose_init_never_ran_does_not_recurse() -> None:
    with mock.patch("agavepy.agave.Agave.__init__", return_value=None):
        bare = Agave()
    assert "list" in dir(bare.files)
    with pytest.raises(AttributeError, match="No service 'nothing'"):
        bare.nothing
    with pytest.raises(AgaveError, match="api_server"):
        bare.files.list(systemId="s", filePath="")


def test_a_subclass_may_set_attributes_before_init(recorder: Recorder) -> None:
    class Mine(Agave):
        def __init__(self, **keywords: Any) -> None:
            self.extra = 1
            super().__init__(**keywords)

    assert Mine(api_server=recorder.url, token="t").extra == 1


def test_init_may_be_called_again(ag: Agave, recorder: Recorder) -> None:
    ag.systems.list()
    ag.__init__(api_server=recorder.url, token="another")  # type: ignore[misc]
    ag.systems.list()
    assert recorder.last.headers["authorization"] == "Bearer another"


def test_threads_share_one_client(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"id": "x"})
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.extend(ag.systems.get(systemId="x").id for _ in range(10)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["x"] * 80


@pytest.mark.parametrize(
    ("extra", "value"), [("headers", "x"), ("query", "a=b"), ("search", ["a"]), ("timeout", "5"), ("timeout", -1)]
)
def test_extra_keywords_of_the_wrong_kind_name_the_operation(
    ag: Agave, recorder: Recorder, extra: str, value: Any
) -> None:
    with pytest.raises(TypeError, match=rf"jobs\.list: {extra}="):
        ag.jobs.list(**{extra: value})
    assert not recorder.received


def test_a_body_that_is_no_json_names_the_operation(ag: Agave) -> None:
    with pytest.raises(TypeError, match=r"jobs\.submit: body: set is not JSON serializable"):
        ag.jobs.submit(body={"name": {1}})


def test_query_replaces_what_it_repeats(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.list(limit=5, query={"limit": 9})
    assert recorder.last.target == "/jobs/v2/?limit=9"


def test_help_names_the_fields_of_a_body(ag: Agave) -> None:
    assert "appId (string; required): " in ag.jobs.submit.__doc__
    assert "submit(*, body)\n    Submit a job." in ag.jobs.__doc__
