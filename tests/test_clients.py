"""OAuth clients: made, listed, subscribed and deleted by name and password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from agavepy import clients
from agavepy.agave import Agave, AgaveException
from agavepy.errors import AgaveError, AgaveHTTPError
from agavepy.sandbox import Sandbox

from .recording import Answer, Recorder
from .test_prompts import at_terminal, without_terminal

DOCUMENTED = ["Apps", "Files", "Jobs", "Meta", "Monitors", "Notifications", "Postits", "Profiles", "Systems"]
SESSION = """
import os
from agavepy import clients
from agavepy.agave import Agave
from agavepy.errors import AgavepyError
ag = Agave(api_server=os.environ["SANDBOX"])
try:
    clients.show(ag)
except AgavepyError as error:
    print("refused:", error)
print("->", sorted(clients.create(ag, "at-the-terminal", "a test")), ag.client_name)
clients.delete(ag)
print("->", ag.api_key, ag.client_name)
"""


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop"}) as running:
        yield running


@pytest.fixture
def user(tenant: Sandbox) -> Iterator[Agave]:
    """A client of the sandbox that knows name and password, and nothing else."""
    client = Agave(api_server=tenant.url, username="nryan", password="tiptop")
    yield client
    for each in client.clients.list():
        if each.name != "DefaultApplication":
            client.clients.delete(clientName=each.name)
    client.close()


def refusal(message: str, status: int = 400) -> Answer:
    return Answer(status=status, body=json.dumps({"status": "error", "message": message}).encode())


# Making one


def test_a_new_client_is_that_of_the_session(user: Agave, tenant: Sandbox) -> None:
    made = clients.create(user, "my_super_cool_client", "my client's description")
    assert made == {"api_key": user.api_key, "api_secret": user.api_secret, "client_name": "my_super_cool_client"}
    assert made["api_secret"] not in repr(made)
    assert user.client_name == "my_super_cool_client"
    assert tenant.state.accounts.clients.verify(made["api_key"], made["api_secret"])
    assert user.clients.getClientByName(clientName="my_super_cool_client").description == "my client's description"


def test_no_token_is_bought_for_it(user: Agave, tenant: Sandbox) -> None:
    before = len(tenant.requests)
    clients.create(user, "without-token")
    assert [each["path"] for each in tenant.requests[before:]] == ["/clients/v2/"]
    assert not user.token
    user.clients.create(body={"clientName": "with-token"})  # as programs have always done
    assert user.token


def test_a_name_is_made_up_where_none_is_given(user: Agave) -> None:
    names = {clients.create(user)["client_name"] for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{4}", name) for name in names)
    assert names < {each.name for each in user.clients.list()}


def test_what_is_sent_is_what_earlier_releases_sent(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"name": "cli", "consumerKey": "k", "consumerSecret": "s"})
    clients.create(ag, "cli")
    sent = {"clientName": "cli", "description": "", "tier": "Unlimited", "callbackUrl": ""}
    assert json.loads(recorder.last.body) == sent
    assert recorder.last.headers["authorization"] == "Basic bnJ5YW46cGE6c3M="


def test_a_name_that_is_taken_says_what_to_do(user: Agave) -> None:
    clients.create(user, "taken")
    key = user.api_key
    with pytest.raises(AgaveHTTPError, match=r"^400 Client Error: .*duplicate.* ag\.clients_delete\('taken'\)"):
        clients.create(user, "taken")
    assert user.api_key == key


@pytest.mark.parametrize(
    "result", [None, [], {}, "text", {"consumerKey": "k"}, {"consumerKey": 1, "consumerSecret": 2}]
)
def test_an_answer_without_key_and_secret_is_an_error(ag: Agave, recorder: Recorder, result: Any) -> None:
    recorder.result(result)
    with pytest.raises(AgaveError, match="without a key and a secret for the new OAuth client 'cli'"):
        clients.create(ag, "cli")
    assert ag.client_name is None


def test_a_server_that_names_no_name_is_believed_to_have_taken_ours(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"consumerKey": "k", "consumerSecret": "s"})
    assert clients.create(ag, "cli") == {"api_key": "k", "api_secret": "s", "client_name": "cli"}


# Listing them


def test_clients_are_shown_in_columns_and_returned(user: Agave, capsys: pytest.CaptureFixture[str]) -> None:
    clients.create(user, "client-name", "some description")
    shown = clients.show(user)
    assert [each.name for each in shown] == ["DefaultApplication", "client-name"]
    assert capsys.readouterr().out.splitlines() == [
        "NAME                DESCRIPTION",
        "DefaultApplication",
        "client-name         some description",
    ]


@pytest.mark.parametrize("result", [None, {}, "text", [1]])
def test_an_answer_that_is_no_list_says_so(ag: Agave, recorder: Recorder, result: Any) -> None:
    recorder.result(result)
    with pytest.raises(AgaveError, match=r"clients\.list did not answer with a list"):
        clients.show(ag)
    with pytest.raises(AgaveError, match=r"clients\.listSubscriptionsForClient did not answer with a list"):
        clients.subscriptions(ag, "cli")


# Deleting one


def test_the_client_of_the_session_is_deleted_and_forgotten(user: Agave) -> None:
    clients.create(user, "short-lived")
    clients.delete(user)
    assert (user.api_key, user.api_secret, user.client_name) == (None, None, None)
    assert "short-lived" not in [each.name for each in user.clients.list()]
    with pytest.raises(AgaveError, match=r"clients_delete: which OAuth client\? This session has none"):
        clients.delete(user)


def test_another_client_is_deleted_by_name(user: Agave) -> None:
    clients.create(user, "other")
    clients.create(user, "mine")
    clients.delete(user, "other")
    assert user.client_name == "mine"
    assert user.api_key
    assert [each.name for each in user.clients.list()] == ["DefaultApplication", "mine"]


# Subscriptions


def test_subscriptions_are_shown_in_columns_and_returned(user: Agave, capsys: pytest.CaptureFixture[str]) -> None:
    clients.create(user, "subscriber")
    capsys.readouterr()
    found = clients.subscriptions(user)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["NAME", "VERSION", "PROVIDER"]
    assert lines[1:] == [[each.apiName, each.apiVersion, each.apiProvider] for each in found]
    assert set(DOCUMENTED) <= {each.apiName for each in found}


def test_a_client_can_be_subscribed_to_one_more_api(user: Agave, tenant: Sandbox) -> None:
    clients.create(user, "subscriber")
    user.clients.deleteSubscriptionsForClient(clientName="subscriber")
    assert clients.subscriptions(user) == []
    clients.subscribe(user, "Systems", "v2", "admin")
    assert [each.apiName for each in clients.subscriptions(user)] == ["Systems"]
    assert clients.subscriptions(user, "DefaultApplication")


def test_another_client_is_subscribed_by_name(ag: Agave, recorder: Recorder) -> None:
    clients.subscribe(ag, "PublicKeys", "v2", "admin", client_name="client")
    assert recorder.last.target == "/clients/v2/client/subscriptions"
    assert json.loads(recorder.last.body) == {"apiName": "PublicKeys", "apiVersion": "v2", "apiProvider": "admin"}


def test_an_unknown_client_is_named(user: Agave) -> None:
    with pytest.raises(AgaveHTTPError, match=r"Application not found.*no OAuth client 'nobody'.*ag\.clients_list\(\)"):
        clients.subscribe(user, "Apps", "v2", "admin", client_name="nobody")


# Names and passwords


@pytest.mark.parametrize(("username", "password"), [("nryan", "wrong"), ("nobody", "tiptop")])
def test_a_wrong_password_says_whose(tenant: Sandbox, username: str, password: str) -> None:
    ag = Agave(api_server=tenant.url, username=username, password=password)
    with pytest.raises(AgaveHTTPError, match=f"^400 Client Error: .*{username}.* and the password right") as caught:
        clients.create(ag, "x")
    assert caught.value.status_code == 400
    assert password not in str(caught.value).replace(tenant.url, "")


def test_a_fault_of_the_gateway_stays_one(ag: Agave, recorder: Recorder) -> None:
    fault = {"fault": {"code": 900901, "message": "Invalid Credentials", "description": ""}}
    recorder.always = Answer(status=401, body=json.dumps(fault).encode())
    with pytest.raises(AgaveException, match="'nryan' and the password right") as caught:
        clients.show(ag)
    assert caught.value.args[0] == fault


def test_a_refusal_of_another_kind_is_left_as_it_is(ag: Agave, recorder: Recorder) -> None:
    recorder.always = refusal("tier value must be one of: …")
    with pytest.raises(AgaveHTTPError, match="tier value must be one of: …$"):
        clients.create(ag, "cli")


def test_at_the_terminal_a_wrong_password_is_asked_for_again_and_a_right_one_is_not(tenant: Sandbox) -> None:
    screen = at_terminal(
        SESSION,
        ("API username: ", "nryan"),
        ("API password: ", "a slip"),
        ("API username: ", "nryan"),
        ("API password: ", "tiptop"),
        SANDBOX=tenant.url,
    )
    assert "refused: 400 Client Error" in screen.text
    assert "-> ['api_key', 'api_secret', 'client_name'] at-the-terminal" in screen.text
    assert screen.text.endswith("-> None None\n")
    assert screen.text.count("API password") == 2
    assert "tiptop" not in screen.text
    assert "a slip" not in screen.text


def test_without_a_terminal_the_environment_answers(tenant: Sandbox) -> None:
    known = {"SANDBOX": tenant.url, "TAPIS_USERNAME": "nryan"}
    assert "Set TAPIS_PASSWORD" in without_terminal(SESSION, **known)
    said = without_terminal(SESSION, **known, TAPIS_PASSWORD="tiptop")
    assert said.endswith("-> None None\n")
