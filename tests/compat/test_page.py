"""The compatibility page and the tests beside this one have the same promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.rst"


def test_every_promise_of_the_page_has_a_test_and_every_test_a_promise() -> None:
    promised = re.findall(r"^\*\*(\d+\.\d+)\*\*", PAGE.read_text(), re.MULTILINE)
    assert len(promised) == len(set(promised))
    tested = {number for path in Path(__file__).parent.glob("test_*.py") for number in numbers(path)}
    assert tested == set(promised)


def numbers(path: Path) -> list[str]:
    """Return what ``@pytest.mark.promise`` says in a module."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "promise"]
    return [str(ast.literal_eval(call.args[0])) for call in marks]
