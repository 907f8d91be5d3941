"""Promises 14.x: files by address."""

from __future__ import annotations

from pathlib import Path

import pytest

from agavepy.agave import Agave, AgaveError
from agavepy.files.download import files_download
from agavepy.sandbox import Sandbox

from ..recording import Recorder

HOME = "sandbox-storage/nryan"


@pytest.fixture
def sent(live: Agave, tmp_path: Path) -> str:
    """The address of a file on the tenant."""
    (tmp_path / "tide.txt").write_bytes(b"high\n")
    live.files_mkdir(f"{HOME}/d14")
    live.files_upload(str(tmp_path / "tide.txt"), f"{HOME}/d14/tide.txt")
    return f"{HOME}/d14/tide.txt"


@pytest.mark.promise("14.1")
def test_the_documented_functions_take_addresses(
    live: Agave, sent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live.files_copy(sent, f"{HOME}/d14/copy.txt")
    live.files_move(f"{HOME}/d14/copy.txt", f"{HOME}/d14/moved.txt")
    live.files_import(f"agave://{sent}", f"{HOME}/d14/")
    live.files_pems_update(sent, "admin", "READ", recursive=False)
    capsys.readouterr()
    live.files_list(f"{HOME}/d14", long_format=True)
    assert "moved.txt" in capsys.readouterr().out
    live.files_pems_list(sent)
    assert capsys.readouterr().out.split()[:4] == ["USER", "READ", "WRITE", "EXEC"]
    live.files_history(sent)
    assert capsys.readouterr().out.split()[:4] == ["USER", "EVENT", "DATE", "DESCRIPTION"]
    live.files_pems_delete(sent)
    live.files_download(sent, str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_bytes() == b"high\n"
    live.files_delete(f"{HOME}/d14")


@pytest.mark.promise("14.1")
@pytest.mark.promise("14.4")
def test_the_parameters_have_the_names_they_had(
    live: Agave, sent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live.files_mkdir(location=f"{HOME}/d14/deeper")
    live.files_list(system_path=f"{HOME}/d14", long_format=False)
    assert "deeper/" in capsys.readouterr().out
    live.files_delete(file_path=f"{HOME}/d14/deeper")
    live.download_uri(uri=f"agave://{sent}", local_path=str(tmp_path / "named.txt"))
    assert (tmp_path / "named.txt").read_bytes() == b"high\n"


@pytest.mark.promise("14.2")
def test_a_file_is_brought_without_a_client(live: Agave, tenant: Sandbox, sent: str, tmp_path: Path) -> None:
    files_download(tenant.url, str(live._token), sent, str(tmp_path / "by-token.txt"))
    assert (tmp_path / "by-token.txt").read_bytes() == b"high\n"


@pytest.mark.promise("14.3")
def test_an_address_is_asked_whatever_the_status(live: Agave, tenant: Sandbox, recorder: Recorder) -> None:
    assert live.geturl(f"{tenant.url}/profiles/v2/me").json()["result"]["username"] == "nryan"
    assert live.geturl(f"{tenant.url}/systems/v2/nothing").status_code == 404
    live.geturl(f"{recorder.url}/x")
    assert "authorization" not in recorder.last.headers


@pytest.mark.promise("14.4")
def test_a_link_is_saved_and_a_failure_leaves_nothing(live: Agave, sent: str, tmp_path: Path) -> None:
    live.download_uri(f"agave://{sent}", str(tmp_path / "saved.txt"))
    assert (tmp_path / "saved.txt").read_bytes() == b"high\n"
    with pytest.raises(AgaveError, match="neither"):
        live.download_uri("https://x/apps/v2/", str(tmp_path / "none.txt"))
    with pytest.raises(Exception, match="404"):
        live.download_uri(f"agave://{HOME}/nothing", str(tmp_path / "none.txt"))
    assert not (tmp_path / "none.txt").exists()
