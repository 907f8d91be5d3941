"""Who may import whom: the map of CONTRIBUTING.rst, read from the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "agavepy"

# Left may import right; nothing else. Modules of one row may not import each other unless it says so.
ALLOWED = {
    "errors": {"http_errors"},  # resolved on first use
    "http_errors": {"environment", "errors", "paths"},
    "environment": set(),
    "paths": {"errors"},
    "records": set(),
    "multipart": set(),
    "specs": {"errors", "resources"},
    "signatures": {"specs"},
    "shapes": {"records", "specs"},
    "bodies": {"errors", "records", "specs", "multipart"},
    "auth": {"errors", "paths"},
    "wire": set(),
    "adapter": {"wire"},
    "transport": {"adapter", "curl", "environment", "errors", "paths", "multipart", "wire"},
    "curl": {"multipart", "paths"},
    "client": {"errors", "records", "specs", "pages", "paths", "bodies", "shapes", "signatures", "transport"},
    "pages": {"errors"},
    "agave": {
        "auth",
        "browser",
        "cached",
        "paths",
        "client",
        "clients",
        "environment",
        "errors",
        "files",
        "former_names",
        "identity",
        "prompts",
        "records",
        "revocation",
        "sessions",
        "specs",
        "tenants",
        "tokens",
        "util",
    },
    "keys": {"errors"},
    "sessions": {"errors", "keys"},
    "tokens": {"sessions", "agave"},  # agave: for type checkers only
    "renewal": {"auth", "errors", "http_errors", "keys", "sessions", "tokens", "transport"},
    "identity": {
        "auth",
        "client",
        "errors",
        "http_errors",
        "paths",
        "records",
        "renewal",
        "sessions",
        "specs",
        "tokens",
        "transport",
    },
    # agave, renewal, specs: for type checkers only
    "cached": {"agave", "auth", "errors", "identity", "renewal", "sessions", "specs", "tenants"},
    "former_names": {"agave"},  # for type checkers only
    "actors": {"agave", "errors", "records"},
    "asynchronous": {"agave", "auth", "errors", "http_errors", "transport"},  # agave: for type checkers only
    "async": {"asynchronous"},
    "constants": set(),
    "interactive": {"errors"},
    "settings": {"constants", "environment", "records"},
    "util": {"agave", "auth", "clients", "records"},  # agave: for type checkers only
    "prompts": {"agave", "errors"},
    "tenants": {"agave", "errors", "paths", "prompts", "records", "transport", "http_errors"},
    "clients": {"agave", "errors", "http_errors", "identity", "paths", "prompts", "records"},
    "browser": {"agave", "auth", "errors", "paths", "tokens"},  # agave: to ask whose a token is
    "revocation": {"auth", "errors", "renewal", "sessions"},
    "login": {"agave", "clients", "errors", "prompts", "sessions"},
    "demo": {"agave", "errors", "sandbox"},
    "testing": {"agave", "sandbox"},
    "filesystem": {"agave", "errors", "files", "open_files", "paths", "refusals"},
    "open_files": {"errors", "files", "filesystem", "refusals"},  # filesystem: for type checkers only
    "refusals": {"errors"},
    "cli": {"demo", "errors", "login", "sandbox", ""},
    "__main__": {"cli"},
    "__init__": {"agave", "errors", "records"},
}
# Of the package files: they call operations, and the transport for streams; download.py makes a client of its own for
# programs that have none.
FILES_MAY_IMPORT = {"errors", "prompts", "records", "transport"}
SANDBOX_MAY_IMPORT = {"specs", "errors"}  # it shares only the documents, so that each side tests the other
KNOWS_THE_CLIENT = {"server.py"}  # Sandbox.client(), inside the method


MODULES = sorted(PACKAGE.glob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the modules of agavepy that a module names, relative to the package."""
    depth = len(path.relative_to(PACKAGE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "agavepy":
            found.add((node.module or "").partition(".")[2])
    return {name.split(".")[0] if name not in ("__version__",) else "" for name in found}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_the_map_allows(path: Path) -> None:
    assert path.stem in ALLOWED, f"{path.name} is not on the map: add it here and in CONTRIBUTING.rst"
    assert imported(path) <= ALLOWED[path.stem]


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("files/*.py")), ids=lambda path: path.stem)
def test_files_know_operations_and_streams(path: Path) -> None:
    assert imported(path) <= FILES_MAY_IMPORT | ({"agave"} if path.name == "download.py" else set())


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("sandbox/**/*.py")), ids=lambda path: path.stem)
def test_the_sandbox_does_not_know_the_client(path: Path) -> None:
    known = imported(path) - ({"agave"} if path.name in KNOWS_THE_CLIENT else set())
    assert known <= SANDBOX_MAY_IMPORT


def test_the_client_knows_no_service_by_name() -> None:
    services = {path.stem for path in (PACKAGE.parent / "resources").glob("*.yaml")}
    words = {
        node.value
        for node in ast.walk(ast.parse((PACKAGE / "client.py").read_text()))
        if isinstance(node, ast.Constant)
    }
    assert not services & words


def test_importing_the_facade_imports_no_heavy_library() -> None:
    import subprocess
    import sys

    heavy = ("requests", "yaml", "bravado_core", "jsonschema")
    code = f"import sys, agavepy.agave; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"
