"""Links that more than one service puts into its answers."""

from __future__ import annotations

from .api import Call


def metadata(call: Call, uuid: str) -> dict[str, str]:
    """Return the link to the metadata associated with ``uuid``."""
    return call.link(f"meta/v2/data/?q=%7B%22associationIds%22%3A%22{uuid}%22%7D")  # {"associationIds":"UUID"}
