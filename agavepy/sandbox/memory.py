"""Memory that nothing uses any more: looked for now and then, and given back to the machine."""

from __future__ import annotations

import gc

_ALLOCATIONS, _YOUNGER, _OLDER = 20_000, 50, 100


def settle() -> None:
    """
    Have the garbage collector look less often, and never again at what is there.

    For a process that is nothing but a tenant. With Python's own settings it spends a tenth of its time looking for
    circles, among all that was made at the start too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, _YOUNGER, _OLDER)


def give_back() -> None:
    """
    Have the C library give back what was freed; glibc keeps much of it for next time.

    A password that was checked leaves 16 MB behind, a TLS connection a quarter of one. It takes some milliseconds.
    """
    import ctypes  # not before the tenant answers

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have no such function
        trim(0)
