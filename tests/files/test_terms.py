"""What transfers can be asked for; the rest is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.sandbox import Sandbox


@pytest.mark.parametrize(
    "wrong",
    [
        *({"overwrite": value} for value in ("older", 1, 0, None, "")),
        *({"workers": value} for value in (0, -1, True, 2.5, "4", None)),
        *({"progress": value} for value in ("bar", 3)),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", ["down", "up"])
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path, wrong: dict[str, Any], way: str
) -> None:
    sent = len(tenant.requests)
    ways: dict[str, Any] = {"down": (ag.files_download, remote, tmp_path), "up": (ag.files_upload, tmp_path, remote)}
    call, source, target = ways[way]
    with pytest.raises(AgaveError, match=rf"{next(iter(wrong))}="):
        call(source, target, **wrong)
    assert len(tenant.requests) == sent
