"""Links that more than one service puts into its answers."""

from __future__ import annotations

import json
import urllib.parse

from .api import Call


def metadata(call: Call, uuid: str) -> dict[str, str]:
    """Return the link to the metadata associated with ``uuid``."""
    query = json.dumps({"associationIds": uuid}, separators=(",", ":"))
    return call.link(f"meta/v2/data/?q={urllib.parse.quote(query, safe='')}")
