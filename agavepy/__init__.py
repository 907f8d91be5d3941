"""The Python client of the Agave platform: systems, files, apps, jobs, metadata, notifications, actors and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "1.1.0"

if TYPE_CHECKING:
    from .agave import Agave as Agave
    from .errors import AgaveError as AgaveError
    from .errors import AgaveException as AgaveException
    from .records import AttrDict as AttrDict

# Resolved on first use (PEP 562), so that "import agavepy" costs next to nothing.
_HOMES = {"Agave": "agave", "AgaveError": "errors", "AgaveException": "errors", "AttrDict": "records"}
_MODULES = (
    "actors", "agave", "async", "asynchronous", "clients", "constants", "errors", "files", "interactive", "records",
    "sandbox", "sessions", "settings", "swaggerpy", "tenants", "util",
)  # fmt: skip

__all__ = ["Agave", "AgaveError", "AgaveException", "AttrDict", "__version__"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
