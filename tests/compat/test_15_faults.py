"""Promises 15.x: ten faults of earlier releases that are better, not the same."""

from __future__ import annotations

import ast
import concurrent.futures
import copy
import datetime
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

import agavepy
from agavepy.agave import Agave, AgaveError
from agavepy.records import to_json
from agavepy.sandbox import Sandbox

from ..recording import Answer, Recorder

STORAGE = {"systemId": "sandbox-storage", "filePath": "nryan"}
EXPIRED = Answer(status=401, body=json.dumps({"fault": {"code": 900904, "message": "Invalid Credentials"}}).encode())
TOKEN = Answer(body=json.dumps({"access_token": "a-2", "refresh_token": "r-2", "expires_in": 14400}).encode())


@pytest.mark.promise("15.1")
def test_every_module_can_be_imported_by_this_python() -> None:
    package = Path(agavepy.__file__).parent
    for path in package.rglob("*.py"):
        ast.parse(path.read_text())
    names = [f"agavepy.{path.stem}" for path in package.glob("*.py") if path.stem != "__main__"]
    code = f"import importlib; [importlib.import_module(name) for name in {sorted(names)!r}]"
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning:agavepy", "-c", code], check=True)


@pytest.mark.promise("15.2")
def test_an_upload_gets_the_name_it_is_given_and_text_says_what_to_do(live: Agave) -> None:
    sent = live.files.importData(**STORAGE, fileToUpload=io.BytesIO(b"tide"), fileName="f15-2.txt")
    assert sent.name == "f15-2.txt"
    with pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
        live.files.importData(**STORAGE, fileToUpload=io.StringIO("tide"), fileName="x")


@pytest.mark.promise("15.3")
def test_a_login_that_has_expired_is_renewed_once_by_all_who_share_it(tenant: Sandbox, tmp_path: Path) -> None:
    ag = tenant.client()
    ag.password = None
    ag.save_configs(tmp_path)
    sharing = [Agave(verify=True) for _ in range(4)]
    for each in sharing:
        each.load_configs(tmp_path)
    tenant.expire_tokens()
    before = len(renewals(tenant))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        names = list(pool.map(lambda each: each.profiles.get().username, sharing))
    assert names == ["nryan"] * 4
    assert len(renewals(tenant)) == before + 1
    for each in (ag, *sharing):
        each.close()


def renewals(tenant: Sandbox) -> list[str]:
    return [each["grant_type"] for each in tenant.requests if each.get("grant_type") == "refresh_token"]


@pytest.mark.promise("15.4")
def test_the_cache_folder_of_the_environment_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_CACHE_DIR", str(tmp_path / "not" / "there"))
    with pytest.raises(AgaveError, match="No session in"):
        Agave.restore()
    Agave(api_server="https://x", token="t", username="u").save_configs()
    assert Agave.restore()._token == "t"


@pytest.mark.promise("15.5")
def test_records_with_dates_can_be_written_as_json(live: Agave) -> None:
    live.files.importData(**STORAGE, fileToUpload=b"tide", fileName="f15-5.txt")
    found = live.files.list(**STORAGE)
    assert isinstance(found[0].lastModified, datetime.datetime)
    with pytest.raises(TypeError):
        json.dumps(found)
    written = json.loads(to_json(found))
    assert datetime.datetime.fromisoformat(written[0]["lastModified"]) == found[0].lastModified


@pytest.mark.promise("15.6")
def test_the_message_of_the_server_is_in_the_text_after_what_programs_match(live: Agave) -> None:
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        live.apps.get(appId="none-1.0")
    text = str(caught.value)
    assert text.startswith("404 Client Error: Not Found for url: ")
    assert text.endswith(caught.value.response.json()["message"])


@pytest.mark.promise("15.7")
def test_the_output_of_a_job_can_be_downloaded(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"not JSON at all", content_type="application/octet-stream")
    assert ag.jobs.downloadOutput(jobId="j", filePath="out.txt").content == b"not JSON at all"


@pytest.mark.promise("15.8")
@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_certificates_are_left_unchecked_everywhere_if_at_all() -> None:
    with Sandbox(tls=True) as tenant:
        name, password = tenant.username, tenant.password
        key, secret = tenant.api_client()
        ag = Agave(
            api_server=tenant.url, username=name, password=password, api_key=key, api_secret=secret, verify=False
        )
        ag.init(f"{tenant.url}/tenants")
        ag.clients.list()
        assert (ag.profiles.get().username, ag.tenant_id) == (name, "sandbox")
        assert ag.refresh() != ""
        ag.close()


@pytest.mark.promise("15.9")
def test_not_being_logged_in_and_slips_say_so_and_clients_can_be_copied() -> None:
    ag = Agave(api_server="https://x")
    with pytest.raises(AgaveError, match=r"profiles\.get: not logged in at https://x\. Log in: run 'agavepy login'"):
        ag.profiles.get()
    with pytest.raises(AttributeError, match="Did you mean 'profiles'"):
        ag.profile
    assert not hasattr(ag, "nothing")
    assert copy.deepcopy(ag).api_server == "https://x"


@pytest.mark.promise("15.10")
def test_operations_that_failed_after_the_server_had_acted_work(ag: Agave, recorder: Recorder) -> None:
    recorder.result({"msg": "Actor mailbox purged."})
    assert ag.actors.deleteMessages(actorId="a").msg == "Actor mailbox purged."
    recorder.result(None)
    assert ag.jobs.deletePermissionsForUser(uniqueName="j", username="u") is None
    assert recorder.last.target == "/jobs/v2/j/pems/u"
    plain = {**os.environ, "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code = "from agavepy.agave import Agave; assert 'list' in dir(Agave(token='t').files)"
    subprocess.run([sys.executable, "-c", code], check=True, env=plain)


@pytest.mark.promise("15.11")
def test_an_upload_whose_token_expired_is_sent_whole_again(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, token="a-1", refresh_token="r-1", api_key="k", api_secret="s")
    recorder.script = [EXPIRED, TOKEN]
    ag.files.importData(systemId="s", filePath="p", fileToUpload=io.BytesIO(b"tide" * 1000), fileName="tide.txt")
    first, _grant, second = recorder.received
    assert b"tide" * 1000 in first.body
    assert second.body == first.body
