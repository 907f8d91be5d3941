"""Names and defaults that programs import; the code of agavepy itself keeps its own where they are used."""

from __future__ import annotations

PLATFORM = "Tapis"
BASE_URL = "https://api.tacc.utexas.edu"
DEFAULT_TENANTS_URL = f"{BASE_URL}/tenants"
DEFAULT_TENANT_ID = "tacc.prod"
DEFAULT_TENANT_API_SERVER = BASE_URL
DEFAULT_VERIFY_SSL = True

# Variables of the environment
ENV_BASE_URL = "TAPIS_BASE_URL"
ENV_TOKEN = "TAPIS_TOKEN"  # noqa: S105 - the name of a variable
ENV_REFRESH_TOKEN = "TAPIS_REFRESH_TOKEN"  # noqa: S105
ENV_API_KEY = "TAPIS_API_KEY"
ENV_API_SECRET = "TAPIS_API_SECRET"  # noqa: S105
ENV_USERNAME = "TAPIS_USERNAME"
ENV_PASSWORD = "TAPIS_PASSWORD"  # noqa: S105
ENV_TENANT_ID = "TAPIS_TENANT_ID"
ENV_TENANTS_URL = "TAPIS_TENANTS_URL"
ENV_DEFAULT_TENANT_ID = "TAPIS_DEFAULT_TENANT_ID"
ENV_DEFAULT_VERIFY_SSL = "TAPIS_DEFAULT_VERIFY_SSL"

# Files
SESSION_CACHE_DIRS = ("TAPIS_CACHE_DIR", "AGAVE_CACHE_DIR")  # variables, the first that is set wins
CACHES_DOT_DIR = ".agave"
CACHE_FILENAME = "current"
SESSIONS_FILENAME = "config.json"
AGPY_FILENAME = ".agpy"

# Tokens
TOKEN_SCOPE = "PRODUCTION"  # noqa: S105
TOKEN_TTL = 3600  # seconds, where a server does not say
