# ruff: noqa: N999
"""The name that :mod:`agavepy.asynchronous` had before Python 3.7 made it a keyword; importlib still reaches it."""

import sys

from . import asynchronous

sys.modules[__name__] = asynchronous
