"""Files on systems: shown, brought, sent, changed; names in addresses (``system-id/path``) are literal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .patterns import escape as escape
    from .patterns import glob as glob

_HOMES = {"glob": "patterns", "escape": "patterns"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
