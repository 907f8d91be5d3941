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


@pytest.mark.parametrize("block", python_blocks(), ids=map(str, range(len(python_blocks()))))
def test_a_block_of_the_readme_runs(
    block: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.rst", "exec"), {})
    if "notes.txt" in block:
        printed = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in printed if line.startswith("notes.txt")] == [["notes.txt", "5"]]
        assert printed[-1] == "FORK default"
    if "files_upload" in block:
        printed = capsys.readouterr().out.splitlines()
        assert printed[-2:] == ["one.fastq 5", "two.fastq 5"]
        assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["one.fastq", "two.fastq"]
    if "fsspec" in block:
        assert capsys.readouterr().out == "b'1,2.1\\n'\n"
