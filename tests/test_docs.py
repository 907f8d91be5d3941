"""The documentation: its examples run, its reference is complete."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from agavepy import specs

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import reference  # noqa: E402

RUNNING = ("index.rst", "files.rst", "sandbox.rst", "filesystem.rst")  # whose examples run


def python_blocks(name: str) -> list[str]:
    """Return the text of each ``code-block:: python`` of a page."""
    found = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", (DOCS / name).read_text())
    return [re.sub(r"(?m)^   ", "", block) for block in found]


@pytest.mark.parametrize("block", [block for name in RUNNING for block in python_blocks(name)])
def test_an_example_runs(block: str) -> None:
    exec(compile(block, "docs", "exec"), {})


def test_the_reference_describes_every_operation_and_parameter(tmp_path: Path) -> None:
    reference.write(tmp_path)
    for service, document in specs.catalog().items():
        text = (tmp_path / f"{service}.rst").read_text()
        for name in document():
            _, _, rest = text.partition(f".. py:function:: {service}.{name}(")
            entry = rest.partition(".. py:function::")[0]
            spec = document().operation(name)
            assert f"``{spec.verb} {spec.path}``" in entry
            assert all(f":param {parameter.name}:" in entry for parameter in spec.parameters)


def test_a_page_that_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    reference.write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    reference.write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
