"""From a raw path to an operation and its parameters."""

from __future__ import annotations

import inspect

import pytest

from agavepy import specs
from agavepy.sandbox.api import BadRequest
from agavepy.sandbox.routing import Match, Routes, WrongVerb
from agavepy.sandbox.server import Sandbox
from agavepy.sandbox.services.postits import DOCUMENT as POSTITS


@pytest.fixture(scope="module")
def routes() -> Routes:
    return Routes(specs.load())


def matched(routes: Routes, method: str, path: str, content_type: str = "") -> Match:
    found = routes.find(method, path, content_type=content_type)
    assert isinstance(found, Match), path
    return found


@pytest.mark.parametrize(
    ("path", "file_path"),
    [
        ("", ""),
        ("/", ""),
        ("/a.txt", "a.txt"),
        ("/a/b/", "a/b/"),
        ("//a", "/a"),
        ("///", "//"),
        ("/a%2Fb", "a/b"),
        ("/a%20b+c", "a b+c"),
        ("/a;b=1", "a;b=1"),
        ("/%23%3F%25", "#?%"),
        ("/%2520", "%20"),
        ("/../x", "../x"),
        ("/%C3%A9", "é"),
    ],
)
def test_a_path_keeps_its_slashes_and_is_decoded_once(routes: Routes, path: str, file_path: str) -> None:
    found = matched(routes, "GET", f"/files/v2/media/system/data{path}")
    assert found.operation.name == "files.download"
    assert found.path == {"systemId": "data", "filePath": file_path}


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/profiles/v2/me", "profiles.get"),
        ("GET", "/profiles/v2/you", "profiles.listByUsername"),
        ("GET", "/files/v2/media/system/data/x", "files.download"),
        ("GET", "/files/v2/media/systems/data/x", "files.downloadFromDefaultSystem"),
        ("GET", "/apps/v2/name/x", "apps.listByName"),
        ("GET", "/jobs/v2/1-007/outputs/listings", "jobs.listOutputs"),
        ("GET", "/jobs/v2/1-007/outputs/listings/", "jobs.listOutputs"),
        ("GET", "/jobs/v2/1-007/outputs/media/a/b", "jobs.downloadOutput"),
        ("HEAD", "/jobs/v2", "jobs.list"),
        ("GET", "/actors/v2/", "actors.list"),
    ],
)
def test_literals_beat_parameters_and_both_slash_forms_are_known(
    routes: Routes, method: str, path: str, operation: str
) -> None:
    assert matched(routes, method, path).operation.name == operation


def test_operations_that_share_a_verb_and_path_are_told_apart_by_content_type(routes: Routes) -> None:
    path = "/actors/v2/x/messages"
    assert matched(routes, "POST", path, "application/json").operation.name == "actors.sendMessage"
    assert matched(routes, "POST", path, "application/octet-stream").operation.name == "actors.sendBinaryMessage"


def test_further_attributes_of_a_search_become_terms(routes: Routes) -> None:
    found = matched(routes, "GET", "/jobs/v2/search/status/FINISHED/name/a%20b")
    assert found.path == {"attribute": "status", "value": "FINISHED"}
    assert found.terms == {"name": "a b"}


def test_a_known_path_with_another_verb_says_which_verbs_it_takes(routes: Routes) -> None:
    assert routes.find("PATCH", "/jobs/v2/1-007/history") == WrongVerb(("GET",))


@pytest.mark.parametrize("path", ["/", "/nothing/v2", "/jobs", "/jobs/v2/1/2/3/4", "/systems/v2//roles"])
def test_an_unknown_path_matches_nothing(routes: Routes, path: str) -> None:
    assert routes.find("GET", path) is None


@pytest.mark.parametrize("path", ["%FF", "a%00b"])
def test_a_parameter_that_is_no_text_is_refused(routes: Routes, path: str) -> None:
    with pytest.raises(BadRequest):
        routes.find("GET", f"/files/v2/media/{path}")


def test_every_operation_of_every_document_is_routed(routes: Routes) -> None:
    routed = {each.name for each in routes.operations()}
    assert routed == {f"{name}.{each}" for name, document in specs.catalog().items() for each in document()}


def test_every_served_operation_takes_the_parameters_of_its_document(routes: Routes, tenant: Sandbox) -> None:
    front = {"limit", "offset", "filter", "naked", "pretty"}
    for operation in routes.operations():
        service, _, name = operation.name.partition(".")
        method = getattr(tenant.state.services.get(service), name, None)
        if method is not None:
            names = {each["name"] for each in operation.parameters if each["in"] != "header"} - front
            inspect.signature(method).bind(None, **dict.fromkeys(names))


def test_of_two_operations_of_one_address_the_anonymous_mean_the_open_one() -> None:
    both = Routes(specs.load(), {"postits": POSTITS})
    known = both.find("DELETE", "/postits/v2/key")
    anonymous = both.find("DELETE", "/postits/v2/key", anonymous=True)
    assert isinstance(known, Match)
    assert isinstance(anonymous, Match)
    assert (known.operation.name, anonymous.operation.name) == ("postits.delete", "postits.redeem")
    closed = both.find("DELETE", "/systems/v2/key", anonymous=True)
    assert isinstance(closed, Match)
    assert closed.operation.name == "systems.delete"
