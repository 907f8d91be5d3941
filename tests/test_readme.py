"""The README's Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.rst"


def python_blocks() -> list[str]:
    """Return the text of each ``code-block:: python``."""
    found = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README.read_text())
    return [re.sub(r"(?m)^    ", "", block) for block in found]


@pytest.mark.parametrize("block", python_blocks(), ids=["first session", "test suite"])
def test_a_block_of_the_readme_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, "README.rst", "exec"), {})
    if "notes.txt" in block:
        printed = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in printed if line.startswith("notes.txt")] == [["notes.txt", "5"]]
        assert printed[-1] == "FORK default"
