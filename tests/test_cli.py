"""The ``agavepy`` command."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agavepy
from agavepy import cli


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"agavepy {agavepy.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["demo", "a", "b"], ["sandbox", "--port", "x"]])
def test_a_command_it_does_not_know_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: agavepy" in capsys.readouterr().err


def test_without_the_server_stack_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from agavepy.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert 'pip install "agavepy[sandbox]"' in done.stderr
    assert done.stderr.count("\n") == 1
