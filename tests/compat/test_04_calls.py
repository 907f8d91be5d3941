"""Promises 4.x: calling operations."""

from __future__ import annotations

import datetime
import functools
import io
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from agavepy.agave import Agave

from ..recording import Recorder


@pytest.mark.promise("4.1")
def test_operations_take_keywords_only(ag: Agave) -> None:
    with pytest.raises(TypeError, match="keywords only"):
        ag.apps.get("wc-1.0")


@pytest.mark.promise("4.2")
@pytest.mark.parametrize("arguments", [{}, {"appId": None}, {"appId": "a", "bogus": 1}])
def test_wrong_keywords_are_a_type_error_before_anything_is_sent(
    ag: Agave, recorder: Recorder, arguments: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"apps\.get"):
        ag.apps.get(**arguments)
    assert not recorder.received
    ag.apps.list(limit=None)  # an optional one may be None
    assert recorder.last.target == "/apps/v2/"


@pytest.mark.promise("4.3")
def test_an_operation_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no operation 'addNone'"):
        Agave(token="t").actors.addNone


@pytest.mark.promise("4.4")
def test_operations_can_be_passed_around_before_they_are_called(ag: Agave, recorder: Recorder) -> None:
    calls = {"list": ag.apps.list, "get": functools.partial(ag.apps.get, appId="a")}
    calls["list"]()
    calls["get"]()
    assert [each.target for each in recorder.received] == ["/apps/v2/", "/apps/v2/a"]


@pytest.mark.promise("4.5")
def test_values_reach_the_query_as_they_always_did(ag: Agave, recorder: Recorder) -> None:
    ag.files.list(systemId="s", filePath="p", limit=0, offset="250")
    assert recorder.last.target.endswith("/s/p?limit=0&offset=250")
    ag.apps.list(limit=1000000, query={"owner.in": ["a", "b"]})
    assert recorder.last.target == "/apps/v2/?limit=1000000&owner.in=a%2Cb"


@pytest.mark.promise("4.6")
def test_every_operation_takes_the_extra_keywords(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.list(query={"id.in": "1,2"}, search={"name.like": "*x*"}, filter="id,name", headers={"X-A": "b"})
    assert recorder.last.target == "/jobs/v2/?id.in=1%2C2&name.like=%2Ax%2A&filter=id%2Cname"
    assert recorder.last.headers["x-a"] == "b"
    ag.actors.get(actorId="a", nonce="n")
    assert recorder.last.target == "/actors/v2/a?x-nonce=n"
    ag.actors.sendMessage(actorId="a", body={"message": "m"}, environment={"x": 1, "y": "two"})
    assert recorder.last.target == "/actors/v2/a/messages?x=1&y=two"


@pytest.mark.promise("4.7")
@pytest.mark.parametrize(
    ("q", "sent"),
    [
        ('{"name": "x"}', quote('{"name": "x"}', safe="")),
        (str({"name": "x"}), quote("{'name': 'x'}", safe="")),
        ("", ""),
        ({"name": "x"}, quote('{"name": "x"}', safe="")),
    ],
)
def test_a_metadata_query_goes_out_verbatim(ag: Agave, recorder: Recorder, q: Any, sent: str) -> None:
    recorder.result([])
    ag.meta.listMetadata(q=q)
    assert recorder.last.target == f"/meta/v2/data?q={sent}"


@pytest.mark.promise("4.8")
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("jobs", "/jobs/v2/"),
        ("apps", "/apps/v2/"),
        ("systems", "/systems/v2/"),
        ("clients", "/clients/v2/"),
        ("postits", "/postits/v2/"),
        ("profiles", "/profiles/v2"),
        ("actors", "/actors/v2"),
        ("monitors", "/monitors/v2/"),
    ],
)
def test_addresses_end_in_a_slash_where_they_did(ag: Agave, recorder: Recorder, service: str, path: str) -> None:
    recorder.result([])
    getattr(ag, service).list()
    assert recorder.last.target == path


@pytest.mark.promise("4.9")
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("a/b/c.txt", "a/b/c.txt"),
        ("/a//b/", "/a//b/"),
        ("a b", "a%20b"),
        (quote("a b/ü"), "a%20b/%C3%BC"),
        ("what?#1", "what%3F%231"),
    ],
)
def test_paths_keep_their_slashes_and_what_was_quoted_beforehand(
    ag: Agave, recorder: Recorder, path: str, sent: str
) -> None:
    ag.files.list(systemId="s", filePath=path)
    assert recorder.last.target == f"/files/v2/listings/system/s/{sent}"


@pytest.mark.promise("4.10")
@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ({"a": 1}, b'{"a": 1}', "application/json"),
        ([1], b"[1]", "application/json"),
        ('{"a":1}', b'{"a":1}', "application/json"),
        ("{'a': 1}", b"{'a': 1}", "application/json"),
        (b"\x00", b"\x00", "application/octet-stream"),
        ({"at": datetime.datetime(2020, 1, 2)}, b'{"at": "2020-01-02T00:00:00"}', "application/json"),
    ],
)
def test_bodies_are_sent_as_they_are_given(
    ag: Agave, recorder: Recorder, body: Any, sent: bytes, content_type: str
) -> None:
    ag.meta.addMetadata(body=body)
    assert (recorder.last.body, recorder.last.headers["content-type"]) == (sent, content_type)
    ag.meta.addMetadata(body=body, headers={"content-TYPE": "text/x"})
    assert recorder.last.headers["content-type"] == "text/x"


@pytest.mark.promise("4.11")
def test_uploads_are_named_by_their_file_or_by_file_name(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "tide.txt").write_bytes(b"high\n")
    with (tmp_path / "tide.txt").open("rb") as file:
        ag.files.importData(systemId="s", filePath="p", fileToUpload=file)
    assert b'name="fileToUpload"; filename="tide.txt"' in recorder.last.body
    named = io.BytesIO(b"low\n")
    named.name = "low.txt"
    ag.files.importData(systemId="s", filePath="p", fileToUpload=named)
    assert b'filename="low.txt"' in recorder.last.body
    ag.files.importData(systemId="s", filePath="p", fileToUpload="just text")
    assert recorder.last.body == b"fileToUpload=just+text"
    ag.files.importData(systemId="s", filePath="p", urlToIngest="https://x/y", fileName="y")
    assert dict(parse_qsl(recorder.last.body)) == {b"urlToIngest": b"https://x/y", b"fileName": b"y"}
    with pytest.raises(TypeError, match="fileName"):
        ag.files.importData(systemId="s", filePath="p", fileToUpload=io.BytesIO(b"x"))


@pytest.mark.promise("4.12")
@pytest.mark.parametrize(
    "name",
    [
        "postits.create",
        "postits.delete",
        "files.listPermissions",
        "monitors.list",
        "clients.create",
        "clients.list",
        "clients.delete",
        "actors.addAlias",
        "actors.deleteAlias",
        "actors.getAlias",
        "actors.listAliases",
        "actors.deleteMessages",
        "meta.bulkCreate",
        "meta.bulkUpdate",
        "jobs.search",
        "transforms.transformAndDownload",
        "admin.listPermissions",
        "actors.getOneExecutionResult",
        "actors.sendBinaryMessage",
        "actors.updateState",
    ],
)
def test_operations_that_programs_use_are_there_documented_or_not(name: str) -> None:
    service, operation = name.split(".")
    if service == "admin":
        assert dir(Agave().admin)
    else:
        assert operation in dir(getattr(Agave(), service))


@pytest.mark.promise("4.13")
def test_parameters_of_every_release_are_taken(ag: Agave, recorder: Recorder) -> None:
    recorder.result([])
    ag.actors.list(limit=1, offset=2, q="x", skip=3)
    assert recorder.last.target == "/actors/v2?limit=1&offset=2&q=x&skip=3"
    recorder.result(None)
    ag.jobs.deletePermissionsForUser(jobId="j", username="u")
    by_job_id = recorder.last.target
    ag.jobs.deletePermissionsForUser(uniqueName="j", username="u")
    assert recorder.last.target == by_job_id == "/jobs/v2/j/pems/u"
