"""What the environment says, as it was when this module was imported; a ``.env`` file counts too."""

from __future__ import annotations

import os
from typing import Any

from . import constants, environment
from .records import AttrDict

environment.load_dotenv()

PKG_NAME = "tapis_py"
ENV_PREFIX = "TAPIS_PY"
LOG_LEVEL = os.environ.get("TAPIS_PY_LOG_LEVEL", "WARNING")
TAPISPY_LOG_LEVEL = os.environ.get("TAPISPY_LOG_LEVEL", LOG_LEVEL)
SWAGGERPY_LOG_LEVEL = TAPISPY_LOG_LEVEL
SHOW_CURL = environment.is_true("TAPIS_PY_SHOW_CURL", default=False)
VERBOSE_ERRORS = environment.is_true("TAPIS_PY_VERBOSE_ERRORS", default=True)
TAPIS_TENANTS_URL = os.environ.get(constants.ENV_TENANTS_URL, constants.DEFAULT_TENANTS_URL)
TAPIS_DEFAULT_TENANT_ID = os.environ.get(constants.ENV_DEFAULT_TENANT_ID, constants.DEFAULT_TENANT_ID)
TAPISPY_VERIFY_SSL = environment.is_true(constants.ENV_DEFAULT_VERIFY_SSL, default=constants.DEFAULT_VERIFY_SSL)


def all_settings() -> dict[str, Any]:
    """Return every setting by its name."""
    return AttrDict({name: value for name, value in globals().items() if name.isupper() and not name.startswith("_")})
