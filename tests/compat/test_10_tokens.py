"""Promises 10.x: tokens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave, Token
from agavepy.sandbox import Sandbox


@pytest.mark.promise("10.1")
def test_token_info_has_the_keys_of_the_server_and_its_times(live: Agave) -> None:
    info = live.token.token_info  # type: ignore[union-attr]
    assert {"access_token", "refresh_token", "token_type", "scope", "expires_in"} <= info.keys()
    assert (type(info["created_at"]), type(info["expiration"]), type(live.created_at)) == (int, int, int)
    assert info["expiration"] - info["created_at"] == info["expires_in"]
    assert time.mktime(time.strptime(info["expires_at"])) == info["expiration"]
    assert (live.expires_at, live.created_at) == (info["expires_at"], info["created_at"])


@pytest.mark.promise("10.2")
@pytest.mark.parametrize("method", ["create", "refresh"])
def test_a_new_token_is_returned_kept_filed_and_told(live: Agave, home: Path, method: str) -> None:
    told: list[dict[str, Any]] = []
    live.token_callback = lambda **info: told.append(info)
    live.save_configs()
    before = live._token, live._refresh_token
    new = getattr(live.token, method)()
    assert new == live._token == told[-1]["access_token"]
    assert before[0] != live._token
    assert before[1] != live._refresh_token
    assert live.created_at
    assert live.expires_at
    assert Agave.restore()._token == new


@pytest.mark.promise("10.3")
def test_a_token_is_text_with_the_password_it_is_bought_with(live: Agave) -> None:
    token: Any = live.token
    assert isinstance(token, str)
    assert isinstance(token, Token)
    token.password = "wrong"
    assert live.password == "wrong"


@pytest.mark.promise("10.4")
def test_a_file_that_cannot_be_written_does_not_stop_a_renewal(
    tenant: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ag = tenant.client()
    ag.save_configs(tmp_path / "cache")
    (tmp_path / "cache" / "current").unlink()
    (tmp_path / "cache" / "current").mkdir()  # as good as a folder that is read only, for root too
    old = ag._token
    assert ag.token.create() != old  # type: ignore[union-attr]
    assert ag.profiles.get().username == "nryan"
    ag.close()
