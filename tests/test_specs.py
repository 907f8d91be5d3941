"""Documents: bundled ones, those a user brings, and those that are no good."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from agavepy import specs
from agavepy.agave import Agave, load_resource
from agavepy.errors import SpecError

from .recording import Recorder

PETS = """
swagger: '2.0'
info: {title: Pets, version: v2}
parameters:
  limit: {name: limit, in: query, type: integer, default: 10}
definitions:
  Pet:
    type: object
    properties:
      name: {type: string}
      born: {type: string, format: date-time}
      friends: {type: array, items: {$ref: '#/definitions/Pet'}}
paths:
  /pets/v2/{petId}:
    parameters:
      - {name: petId, in: path, required: true, type: string}
      - {$ref: '#/parameters/limit'}
    get:
      operationId: get
      summary: Get a pet
      responses:
        '200': {description: The pet., schema: {$ref: '#/definitions/Pet'}}
  /pets/v2/:
    post:
      operationId: add
      parameters:
        - {name: body, in: body, required: true, schema: {$ref: '#/definitions/Pet'}}
      responses:
        '201': {description: The pet., schema: {$ref: '#/definitions/Pet'}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pets.yaml").write_text(PETS)
    return tmp_path


def test_a_service_is_added_by_its_document_alone(folder: Path, recorder: Recorder) -> None:
    recorder.result({"name": "Rex", "born": "2020-01-02T03:04:05Z", "friends": [{"born": "2020-01-02T03:04:05Z"}]})
    ag = Agave(api_server=recorder.url, token="t", resources=folder)
    pet = ag.pets.get(petId="7", limit=3)
    assert recorder.last.target == "/pets/v2/7?limit=3"
    assert recorder.last.headers["authorization"] == "Bearer t"
    assert pet.born.year == pet.friends[0].born.year == 2020
    assert "jobs" in dir(ag)


def test_a_folder_named_by_the_environment_is_read(
    folder: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGAVEPY_RESOURCES", str(folder))
    Agave(api_server=recorder.url, token="t").pets.add(body={"name": "Rex"})
    assert recorder.last.body == b'{"name": "Rex"}'


def test_a_service_is_replaced_by_a_newer_document(tmp_path: Path, recorder: Recorder) -> None:
    newer = PETS.replace("/pets/v2/", "/systems/v3/")
    (tmp_path / "systems.yaml").write_text(newer)
    ag = Agave(api_server=recorder.url, token="t", resources=str(tmp_path))
    ag.systems.add(body={"name": "x"})
    assert recorder.last.target == "/systems/v3/"
    assert not hasattr(ag.systems, "list")


def test_an_edited_document_is_read_again(folder: Path, recorder: Recorder) -> None:
    assert "add" in dir(Agave(resources=folder).pets)
    (folder / "pets.yaml").write_text(PETS.replace("operationId: add", "operationId: adopt"))
    assert "adopt" in dir(Agave(resources=folder).pets)


def test_documents_are_given_as_a_dict(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, token="t", resources={"pets": yaml.safe_load(PETS)})
    ag.pets.get(petId="1")
    assert recorder.last.target == "/pets/v2/1"


def test_one_loaded_set_of_documents_serves_many_clients(recorder: Recorder) -> None:
    resources = load_resource("https://elsewhere.example.org")
    for token in ("a", "b"):
        Agave(api_server=recorder.url, token=token, resources=resources).jobs.get(jobId="7")
    assert [received.headers["authorization"] for received in recorder.received] == ["Bearer a", "Bearer b"]


def test_clients_share_one_document_whatever_dict_it_came_in() -> None:
    raw = yaml.safe_load(PETS)
    first, second = (specs.catalog({"pets": given})["pets"]() for given in (raw, copy.deepcopy(raw)))
    assert first is second


def test_many_threads_get_one_document(folder: Path) -> None:
    barrier, found = threading.Barrier(8), []

    def look() -> None:
        barrier.wait()
        found.append(specs.catalog(folder)["pets"]())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(document) for document in found}) == 1


def test_yaml_that_does_not_parse_names_file_and_line(folder: Path) -> None:
    (folder / "bad.yaml").write_text("swagger: '2.0'\ninfo: {title: x\npaths: [\n")
    with pytest.raises(SpecError, match=r"bad\.yaml, line 3: not YAML"):
        Agave(resources=folder).bad.get


@pytest.mark.parametrize(
    ("content", "reason"), [(b"a: 1\nb: \xff\n", "not UTF-8"), (b"a: 1\nb: \x07\n", r"control characters .*#x07")]
)
def test_a_file_that_is_not_text_names_file_and_line(folder: Path, content: bytes, reason: str) -> None:
    (folder / "bad.yaml").write_bytes(content)
    with pytest.raises(SpecError, match=rf"bad\.yaml, line 2: .*{reason}"):
        Agave(resources=folder).bad.get


def test_a_document_that_is_not_swagger_says_why(folder: Path) -> None:
    (folder / "bad.yaml").write_text(PETS.replace("in: path, required: true", "in: path"))
    with pytest.raises(
        SpecError,
        match=r"bad\.yaml is not a valid Swagger 2\.0 document: at paths//pets/v2/\{petId\}/parameters/0: .*petId",
    ):
        Agave(resources=folder).bad.get


@pytest.mark.parametrize("text", ["just text", "[1, 2]", "swagger: '2.0'", "\x00"])
def test_a_file_that_is_no_document_says_so(folder: Path, text: str) -> None:
    (folder / "bad.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"bad\.yaml"):
        Agave(resources=folder).bad.get


def test_a_folder_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="resources names a folder that cannot be read: '/no/such/folder'"):
        Agave(resources="/no/such/folder")
    monkeypatch.setenv("AGAVEPY_RESOURCES", "/no/such/place")
    with pytest.raises(SpecError, match="AGAVEPY_RESOURCES names a folder"):
        Agave()


@pytest.mark.parametrize("given", [{"pets": 5}, {"pets": {"apis": []}}, {"pets": None}])
def test_a_dict_without_documents_says_so(given: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"resources\['pets'\] is not a Swagger 2\.0 document"):
        Agave(resources=given).pets.get


@pytest.mark.parametrize("service", sorted(specs.catalog()))
def test_a_bundled_document_is_valid_and_describes_everything(service: str) -> None:
    document = specs.catalog()[service]()
    specs.Document(service, document.raw, source=document.source, trusted=False)
    for model in document.raw.get("definitions", {}).values():
        assert model.get("description")
        for field in document.properties(model).values():
            assert field.get("description"), field


@pytest.mark.parametrize("service", sorted(specs.catalog()))
def test_bravado_core_builds_each_operation_of_a_bundled_document(service: str) -> None:
    document = specs.catalog()[service]()
    spec = document.bravado()
    from bravado_core.operation import Operation

    for path, item in document.raw["paths"].items():
        for verb in item.keys() & set(specs.VERBS):
            operation = Operation.from_spec(spec, path, verb, item[verb])
            assert operation.params.keys() - {"Authorization"} == {
                parameter.name for parameter in document.operation(operation.operation_id).parameters
            }


def test_a_base_path_comes_before_every_path(recorder: Recorder) -> None:
    raw = {**yaml.safe_load(PETS), "basePath": "/zoo/v1/"}
    Agave(api_server=recorder.url, token="t", resources={"pets": raw}).pets.get(petId="1")
    assert recorder.last.target == "/zoo/v1/pets/v2/1"


def test_an_operation_without_an_id_gets_a_name_one_can_type(recorder: Recorder) -> None:
    raw = yaml.safe_load(PETS.replace("operationId: get", "deprecated: false"))
    Agave(api_server=recorder.url, token="t", resources={"pets": raw}).pets.get_pets_v2_petId(petId="1")
    assert recorder.last.target == "/pets/v2/1"


@pytest.mark.parametrize("given", [5, ["a"], True])
def test_resources_of_the_wrong_kind_are_refused(given: Any) -> None:
    with pytest.raises(SpecError, match="a folder of documents, or a dict"):
        Agave(resources=given)
