"""Every operation of every document: reachable, documented, and sent as the platform expects it."""

from __future__ import annotations

import base64
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from agavepy import specs
from agavepy.agave import Agave

from .recording import Recorder

OPERATIONS = json.loads(Path(__file__).with_name("data").joinpath("operations.json").read_text())
every_operation = pytest.mark.parametrize("known", OPERATIONS, ids=lambda known: known["name"])

SAMPLES = {"path": "a value/of#it", "query": "some text", "formData": "some text", "body": {"name": "x"}}


def required_of(known: dict[str, Any]) -> list[str]:
    return [name for name in known["signature"].split(", ") if name and "=" not in name]


def operation_of(ag: Agave, known: dict[str, Any]) -> Any:
    service, _, name = known["name"].partition(".")
    return getattr(getattr(ag, service), name)


def test_the_documents_hold_these_operations_and_no_others(ag: Agave) -> None:
    found = {f"{service}.{name}" for service, document in specs.catalog().items() for name in document()}
    assert found == {known["name"] for known in OPERATIONS}
    assert len(found) == 181


@every_operation
def test_an_operation_has_the_documented_signature(ag: Agave, known: dict[str, Any]) -> None:
    signature = str(inspect.signature(operation_of(ag, known)))
    assert signature == (f"(*, {known['signature']})" if known["signature"] else "()")


@every_operation
def test_an_operation_explains_itself_and_each_parameter(ag: Agave, known: dict[str, Any]) -> None:
    operation = operation_of(ag, known)
    assert operation.spec.summary
    for parameter in operation.spec.parameters:
        assert len(parameter.description) > 5
        assert f":param {parameter.name}:" in operation.__doc__


@every_operation
def test_a_call_sends_each_parameter_where_it_belongs(ag: Agave, recorder: Recorder, known: dict[str, Any]) -> None:
    operation = operation_of(ag, known)
    arguments = {name: SAMPLES[place] for name, place in known["parameters"].items()}
    operation(**arguments)

    path, _, query = recorder.last.target.partition("?")
    assert recorder.last.verb == known["verb"]
    assert path == expected_path(known)
    names = {pair.split("=")[0] for pair in query.split("&") if pair}
    assert names == {name for name, place in known["parameters"].items() if place == "query"}
    assert_body(recorder, known)


def expected_path(known: dict[str, Any]) -> str:
    path = str(known["path"])
    for name in known["parameters"]:
        keeps_slashes = name in ("filePath", "sourcefilePath") or known["name"] == "jobs.search"
        path = path.replace(f"{{{name}}}", "a%20value/of%23it" if keeps_slashes else "a%20value%2Fof%23it")
    return path


def assert_body(recorder: Recorder, known: dict[str, Any]) -> None:
    places = set(known["parameters"].values())
    if "body" in places:
        assert json.loads(recorder.last.body) == SAMPLES["body"]
        assert recorder.last.headers["content-type"] == "application/json"
    elif "form" in places or "formData" in places:
        assert b"fileName=some+text" in recorder.last.body
    else:
        assert recorder.last.body == b""


@every_operation
def test_only_a_raw_response_is_left_for_the_caller_to_read(ag: Agave, known: dict[str, Any]) -> None:
    assert operation_of(ag, known).spec.is_download == (known["returns"] == "raw response")


@every_operation
def test_a_call_is_signed_as_the_document_demands(ag: Agave, recorder: Recorder, known: dict[str, Any]) -> None:
    operation_of(ag, known)(**{name: SAMPLES[place] for name, place in known["parameters"].items()})
    basic = f"Basic {base64.b64encode(b'nryan:pa:ss').decode()}"
    assert recorder.last.headers["authorization"] == (basic if known["security"] == "basic" else "Bearer the-token")


@every_operation
def test_an_unknown_keyword_is_refused_before_anything_is_sent(
    ag: Agave, recorder: Recorder, known: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=known["name"]):
        operation_of(ag, known)(no_such_thing=1)
    assert recorder.received == []


@pytest.mark.parametrize("known", [each for each in OPERATIONS if required_of(each)], ids=lambda known: known["name"])
def test_none_for_a_required_parameter_is_refused_before_anything_is_sent(
    ag: Agave, recorder: Recorder, known: dict[str, Any]
) -> None:
    first = required_of(known)[0]
    with pytest.raises(TypeError, match=f"{known['name']} needs '{first}'"):
        operation_of(ag, known)(**{first: None})
    assert recorder.received == []


def test_what_only_later_servers_know_is_accepted_but_not_in_the_signature(ag: Agave, recorder: Recorder) -> None:
    ag.actors.list(q="x", skip=5)
    assert recorder.last.target == "/actors/v2?q=x&skip=5"
    assert "q" not in inspect.signature(ag.actors.list).parameters


def test_a_parameter_answers_to_its_documented_other_name(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.deletePermissionsForUser(uniqueName="7-007", username="bob")
    assert recorder.last.target == "/jobs/v2/7-007/pems/bob"


def test_documented_defaults_are_shown_and_never_sent(ag: Agave, recorder: Recorder) -> None:
    ag.systems.list()
    assert recorder.last.target == "/systems/v2/"


def test_the_outputs_of_a_job_are_listed_from_their_root_by_default(ag: Agave, recorder: Recorder) -> None:
    ag.jobs.listOutputs(jobId="7-007")
    assert recorder.last.target == "/jobs/v2/7-007/outputs/listings/"


def test_each_key_of_environment_becomes_a_query_parameter(ag: Agave, recorder: Recorder) -> None:
    ag.actors.sendMessage(actorId="a", body={"message": "hi"}, environment={"X": 1, "Y": "z"})
    assert recorder.last.target == "/actors/v2/a/messages?X=1&Y=z"


def test_a_binary_message_goes_out_as_it_is(ag: Agave, recorder: Recorder) -> None:
    ag.actors.sendBinaryMessage(actorId="a", message=b"\x00\xff")
    assert recorder.last.headers["content-type"] == "application/octet-stream"
    assert recorder.last.body == b"\x00\xff"
