"""Each way to install agavepy finds the documents; the README's first command does the main job. Needs the network."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
COUNT = """
from agavepy.agave import Agave
ag = Agave()
services = [name for name in dir(ag) if type(getattr(ag, name, None)).__name__ == "Service"]
print(len(services), len(dir(ag.jobs)))
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a fresh virtual environment."""
    venv.create(tmp_path / "venv", with_pip=True)
    return tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy: building writes into the folder it builds."""
    folder = tmp_path_factory.mktemp("checkout") / "agavepy"
    run("git", "clone", "--quiet", PROJECT, folder, cwd=PROJECT)
    return folder


def assert_documents_are_found(python: Path, elsewhere: Path) -> None:
    assert run(python, "-W", "error", "-c", COUNT, cwd=elsewhere).split() == ["13", "16"]


def test_pip_install(python: Path, checkout: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "-q", checkout, cwd=tmp_path)
    assert_documents_are_found(python, tmp_path)


def test_pip_install_editable(python: Path, checkout: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "-q", "-e", checkout, cwd=tmp_path)
    assert_documents_are_found(python, tmp_path)


def test_a_wheel_made_from_the_source_distribution(python: Path, checkout: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--outdir", tmp_path, checkout, cwd=tmp_path)
    (wheel,) = tmp_path.glob("agavepy-1.1.0-*.whl")
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    assert_documents_are_found(python, tmp_path)


def test_the_first_command_of_the_readme(python: Path, checkout: Path, tmp_path: Path) -> None:
    readme = (checkout / "README.rst").read_text()
    install, _, demo = next(
        line.strip() for line in readme.splitlines() if "agavepy demo" in line and "pip" in line
    ).partition(" && ")
    assert install == 'python -m pip install ".[sandbox]"'
    assert demo == "agavepy demo"
    run(python, "-m", "pip", "install", "-q", ".[sandbox]", cwd=checkout)
    assert "with the same result" in run(python.with_name("agavepy"), "demo", cwd=tmp_path)
