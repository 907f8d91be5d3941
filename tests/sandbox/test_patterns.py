"""Wildcards and regular expressions of users: right, and never for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agavepy.sandbox import Sandbox
from agavepy.sandbox.patterns import Question, TooCostly, answers, like

from .compute import Compute, parameter
from .schema import refusal

COSTLY = ["(a+)+$", "(a|aa)+$", "(a|a)*$", "a*a*a*a*a*a*a*a*b", r"((a*)\2*)*b"]


@given(st.text("aAb*\n", max_size=8), st.text("aAb\n", max_size=12))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert like(text, pattern) == bool(re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL))


def test_many_stars_in_a_long_text_are_found_out() -> None:
    assert not like("a" * 10_000, "*a" * 1000 + "*b")
    assert like("a" * 10_000 + "b", "*a" * 1000 + "*b")


@given(st.text("ab.+?|()$", max_size=5), st.text("ab", max_size=5))
def test_what_is_tried_here_and_what_elsewhere_agree(pattern: str, text: str) -> None:
    try:
        expected = re.compile(pattern).search(text) is not None
    except re.error:
        return
    assert answers([Question(pattern, [text])]) == [[expected]]


@pytest.mark.parametrize("pattern", COSTLY)
def test_an_expression_that_takes_for_ever_is_given_up(pattern: str) -> None:
    with pytest.raises(TooCostly):
        answers([Question(pattern, ["a" * 200 + "c"])])


def test_what_is_wrong_with_one_expression_does_not_touch_the_others() -> None:
    wrong, right, long = answers([Question("(a*)*("), Question("^(a|b)+$", ["ab", "c"]), Question("a" * 1001)])
    assert right == [True, False]
    assert "unterminated subpattern" in str(wrong)
    assert "1000 are allowed" in str(long)


def test_a_search_that_takes_for_ever_is_refused(compute: Compute) -> None:
    compute.app(label="a" * 200 + "c")
    answer = compute.http.get("/apps/v2", params={"label.rlike": COSTLY[0]})
    assert "too costly" in refusal(answer, status=400)


def test_a_validator_that_takes_for_ever_is_refused(tenant: Sandbox, compute: Compute) -> None:
    app = compute.app(parameters=[parameter("word", validator=COSTLY[0])])
    wanted = {"name": "j", "appId": app, "parameters": {"word": "a" * 200 + "c"}}
    assert "too costly" in refusal(compute.http.post("/jobs/v2", json=wanted), status=400)
    assert compute.run(app, parameters={"word": "aaa"})["status"] == "FINISHED"
