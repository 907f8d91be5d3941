"""What programs look up here."""

from __future__ import annotations

import os

LOG_LEVEL = os.environ.get("TAPISPY_LOG_LEVEL") or os.environ.get("TAPIS_PY_LOG_LEVEL") or "WARNING"
