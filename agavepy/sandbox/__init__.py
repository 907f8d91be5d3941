"""A whole Agave tenant on this machine: ``with Sandbox() as tenant: ag = tenant.client()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clock import Clock, ManualClock

if TYPE_CHECKING:
    from .server import Sandbox as Sandbox

__all__ = ["Clock", "ManualClock", "Sandbox"]


def __getattr__(name: str) -> Any:
    # Resolved on first use (PEP 562): the parts below can be imported without the server stack.
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import Sandbox
    except ModuleNotFoundError as error:
        raise ImportError(
            f'The sandbox needs its server stack, of which {error.name!r} is missing: pip install "agavepy[sandbox]"'
        ) from error
    return Sandbox
