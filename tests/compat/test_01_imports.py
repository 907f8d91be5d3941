"""Promises 1.x: what can be imported, from where."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import agavepy
from agavepy import constants, settings, tenants
from agavepy.errors import AgavepyError

MODULES = [
    "actors",
    "agave",
    "asynchronous",
    "clients",
    "constants",
    "errors",
    "files",
    "interactive",
    "sessions",
    "settings",
    "swaggerpy",
    "tenants",
    "util",
]


@pytest.mark.promise("1.1")
@pytest.mark.parametrize(
    "name",
    [
        "Agave",
        "AgaveError",
        "AgaveException",
        "AttrDict",
        "load_resource",
        "Token",
        "json_response",
        "with_refresh",
        "Operation",
        "Resource",
    ],
)
def test_the_names_of_the_main_module_are_there(name: str) -> None:
    assert callable(getattr(importlib.import_module("agavepy.agave"), name))


@pytest.mark.promise("1.2")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_an_attribute_of_the_package_without_being_imported(name: str) -> None:
    code = f"import agavepy; print(agavepy.{name}.__name__, agavepy.Agave.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"agavepy.{name}", "Agave"]


@pytest.mark.promise("1.3")
def test_the_old_name_of_asynchronous_leads_to_the_same_module() -> None:
    old = importlib.import_module("agavepy.async")
    assert old is agavepy.asynchronous
    assert issubclass(old.TimeoutError, old.Error)


@pytest.mark.promise("1.4")
def test_settings_are_read_from_the_environment_when_they_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_PY_SHOW_CURL", "yes")
    monkeypatch.setenv("TAPIS_DEFAULT_TENANT_ID", "sd2e")
    monkeypatch.setenv("TAPIS_DEFAULT_VERIFY_SSL", "no")
    read = importlib.reload(settings)
    assert (read.SHOW_CURL, read.TAPIS_DEFAULT_TENANT_ID, read.TAPISPY_VERIFY_SSL) == (True, "sd2e", False)
    assert (read.VERBOSE_ERRORS, read.TAPIS_TENANTS_URL) == (True, tenants.TENANTS_URL)
    assert read.all_settings().SHOW_CURL is True
    assert "CONSTANTS" not in read.all_settings()
    monkeypatch.undo()
    importlib.reload(settings)


@pytest.mark.promise("1.5")
def test_the_constants_are_those_that_the_package_goes_by() -> None:
    from agavepy import agave, auth, sessions

    assert (constants.ENV_BASE_URL, constants.ENV_TOKEN) == ("TAPIS_BASE_URL", "TAPIS_TOKEN")
    assert constants.DEFAULT_TENANTS_URL == tenants.TENANTS_URL
    assert constants.BASE_URL == agave.DEFAULT_API_SERVER
    assert constants.TOKEN_SCOPE == auth.SCOPE
    cache = sessions.Cache()
    assert (cache.current_path.name, cache.config_path.name) == (constants.CACHE_FILENAME, constants.SESSIONS_FILENAME)
    assert cache.folder.name == constants.CACHES_DOT_DIR


@pytest.mark.promise("1.6")
def test_the_functions_of_util_do_what_they_say() -> None:
    from agavepy import agave, util

    assert util.AttrDict is agave.AttrDict
    assert util.with_refresh is agave.with_refresh
    assert util.clients_url("https://x/") == "https://x/clients/v2"
    assert util.random_client_name() != util.random_client_name()
    assert util.random_client_name(hostname=True).count("-") >= 3


@pytest.mark.promise("1.7")
def test_the_level_of_swaggerpy_can_be_looked_up() -> None:
    from agavepy import swaggerpy

    assert swaggerpy.client.LOG_LEVEL


@pytest.mark.promise("1.8")
def test_the_errors_of_the_interactive_steps_catch_what_the_steps_raise() -> None:
    from agavepy import interactive

    ag = agavepy.Agave(api_server="http://127.0.0.1:9")
    with pytest.raises(interactive.AgaveTokenError, match="not known"):
        ag.get_access_token()
    assert issubclass(AgavepyError, interactive.AgaveClientError)
    assert issubclass(interactive.DiscontinuedError, NotImplementedError)


@pytest.mark.promise("1.9")
def test_none_of_them_is_imported_with_the_main_module() -> None:
    lazy = [f"agavepy.{name}" for name in MODULES if name not in ("agave", "errors", "files", "sessions")]
    code = f"import sys, agavepy.agave; print([name for name in {lazy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.promise("1.10")
def test_the_version_satisfies_what_programs_ask_for() -> None:
    major, minor = map(int, agavepy.__version__.split(".", 2)[:2])
    assert (major, minor) >= (1, 0)
