"""The fixtures for pytest, as other projects use them: in a pytest of their own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

NEEDED_LATER = ("requests", "yaml", "sqlite3", "uvicorn", "agavepy.agave", "agavepy.sandbox")


def passed(pytester: pytest.Pytester, code: str, count: int, *, settings: str = "") -> None:
    """Run a module of tests and find all of them passed."""
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{settings}\n")
    pytester.makepyfile(code)
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=count)


def test_the_client_works_on_the_tenant(pytester: pytest.Pytester) -> None:
    code = """
        def test_upload(agave, agave_tenant):
            home = agave.profiles.get().username
            agave.files.importData(systemId="sandbox-storage", filePath=home, fileToUpload=b"x", fileName="a.txt")
            assert agave_tenant.requests[-1]["operation"] == "files.importData"

        def test_outage(agave, agave_tenant):
            agave_tenant.fail_next(503, operation="jobs.submit")
            from agavepy.errors import AgaveHTTPError
            import pytest
            with pytest.raises(AgaveHTTPError):
                agave.jobs.submit(body={})
    """
    passed(pytester, code, 2)


@pytest.mark.parametrize(("setting", "tenants"), [("", 2), ("agave_tenant_scope = module", 1)])
def test_each_test_has_a_tenant_of_its_own_unless_set_otherwise(
    pytester: pytest.Pytester, setting: str, tenants: int
) -> None:
    code = f"""
        seen = set()
        def test_one(agave, agave_tenant):
            seen.add(agave_tenant.root)
        def test_two(agave_tenant):
            seen.add(agave_tenant.root)
        def test_count():
            assert len(seen) == {tenants}
    """
    passed(pytester, code, 3, settings=setting)


def test_the_tenant_is_started_as_one_wishes(pytester: pytest.Pytester) -> None:
    code = """
        import pytest

        @pytest.fixture(scope="session")
        def agave_settings():
            return {"users": {"maria": "secret"}, "tls": True}

        def test_user(agave, agave_tenant):
            assert agave_tenant.url.startswith("https://")
            assert agave.profiles.get().username == "maria"
    """
    passed(pytester, code, 1, settings="agave_tenant_scope = session")


def test_a_scope_that_is_none_is_refused_with_the_way_out(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nagave_tenant_scope = forever\n")
    pytester.makepyfile("def test_it(agave): pass")
    result = pytester.runpytest_subprocess()
    assert "agave_tenant_scope must be one of session, package" in result.stdout.str() + result.stderr.str()


def test_the_plugin_loads_nothing_until_a_fixture_is_used(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""
        import sys

        def test_modules(pytestconfig):
            assert "agavepy.testing" in sys.modules
            assert [name for name in {NEEDED_LATER!r} if name in sys.modules] == []
    """
    pytester.makepyfile(code)
    # Plugins of others may import what they like: ours alone.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.runpytest_subprocess("-p", "agavepy.testing").assert_outcomes(passed=1)
