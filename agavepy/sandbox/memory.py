"""Memory that nothing uses any more, given back to the machine."""

from __future__ import annotations


def give_back() -> None:
    """
    Have the C library give back what was freed; glibc keeps much of it for next time.

    A password that was checked leaves 16 MB behind, a TLS connection a quarter of one. It takes some milliseconds.
    """
    import ctypes  # not before the tenant answers

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have no such function
        trim(0)
