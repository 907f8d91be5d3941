"""A place that programs import; the library that stood here is gone, :mod:`agavepy.specs` does its work."""

from __future__ import annotations

from . import client

__all__ = ["client"]
