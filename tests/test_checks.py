"""The argument checks: what passes, and the sentence with which the rest is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ipseval import checks
from ipseval.errors import AnalysisError, DataError, IpsevalError, PlanError, Problem


def refusal(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(AnalysisError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return str(caught.value)


def test_options_are_listed() -> None:
    checks.one_of("a", ("a", "b"), "method")
    assert (
        refusal(checks.one_of, "c", ("a", "b"), "method")
        == "method='c' is not an option. Choose one of 'a', 'b'."
    )


@pytest.mark.parametrize("wrong", [0, 1, 95, -0.1, float("nan"), "0.95", None])
def test_confidence_lies_between_0_and_1(wrong: object) -> None:
    assert checks.confidence(0.95) == 0.95
    assert "Write 95% as conf_level=0.95" in refusal(checks.confidence, wrong)


@pytest.mark.parametrize(
    "text",
    [
        ["1", "2"],
        np.array(["1"]),
        pd.Series(["1"], dtype="string"),
        pd.Series(["1"], dtype=object),
        [1 + 2j],
        [[1], [2, 3]],
    ],
)
def test_text_is_not_a_number_even_if_it_looks_like_one(text: object) -> None:
    assert "holds values that are not numbers" in refusal(checks.float_array, text, "days")
    assert "holds values that are not numbers" in refusal(checks.boolean_array, text, "days")


def test_missing_numbers_are_counted() -> None:
    for values in ([1.0, np.nan, np.inf], pd.array([1, None, None], dtype="Int64")):
        assert "missing or not finite for 2 of 3 entries" in refusal(checks.float_array, values, "days")
    kept = checks.float_array([1.0, np.nan], "days", allow_missing=True)
    assert np.isnan(kept[1])
    assert "for 1 of 2" in refusal(checks.float_array, [np.inf, np.nan], "days", allow_missing=True)


def test_counts_are_whole_and_not_negative() -> None:
    assert checks.count_array([0, 3], "x").tolist() == [0.0, 3.0]
    assert "has 2 of 3 entries that are not whole numbers" in refusal(checks.count_array, [0.5, -1, 2], "x")


def test_a_code_for_a_competing_event_is_not_true() -> None:
    assert checks.boolean_array([1, 0, True], "event").tolist() == [True, False, True]
    assert checks.boolean_array(pd.array([True, False], dtype="boolean"), "event").dtype == bool
    assert "1 of 3 entries other than 0 and 1" in refusal(checks.boolean_array, [0, 1, 2], "event")
    assert "missing" in refusal(checks.boolean_array, pd.array([True, None], dtype="boolean"), "event")


def test_lengths_are_told_apart() -> None:
    assert checks.same_length(a=np.zeros(2), b=np.ones(2)) == 2
    assert refusal(checks.same_length, a=np.zeros(2), b=np.ones(3)).startswith(
        "Arrays differ in length (a: 2, b: 3)"
    )


def test_negative_days_point_at_the_dates() -> None:
    checks.not_negative(np.array([0, 1]), "days")
    assert "negative for 1 of 2 entries. Check the dates" in refusal(
        checks.not_negative, np.array([-1, 1]), "days"
    )


def test_names_are_a_list() -> None:
    assert checks.names(["site"], "adjust") == ("site",)
    assert checks.names([], "adjust") == ()
    assert refusal(checks.names, "site", "adjust") == "adjust='site' is not a list. Write adjust=['site']."
    assert "is not a list" in refusal(checks.names, 3, "adjust")


@pytest.mark.parametrize("wrong", [0, 11, 2.0, True, "3", None])
def test_a_whole_number_has_its_limits(wrong: object) -> None:
    assert checks.whole_number(3, "points", low=1, high=10) == 3
    assert "is not a whole number from 1 to 10" in refusal(
        checks.whole_number, wrong, "points", low=1, high=10
    )


def test_long_lists_are_cut_and_counted() -> None:
    assert checks.named_list(["a", "b"]) == "a, b"
    assert checks.named_list(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_errors_have_one_base_and_problems_say_where() -> None:
    assert all(issubclass(kind, IpsevalError) for kind in (AnalysisError, DataError, PlanError))
    problem = Problem("error", "jobs", "ended_on", "order", "2 jobs end before they start.", "Correct them.")
    assert str(problem) == "jobs.ended_on: 2 jobs end before they start. Correct them."
    assert DataError("no", [problem]).problems == (problem,)


@pytest.mark.parametrize("wrong", [-3, True, [1], [["site"]], {1: "site"}, [None]])
def test_a_list_of_names_holds_names(wrong: object) -> None:
    with pytest.raises(AnalysisError, match=r"is not a list of names\. Write adjust=\['site'\], say"):
        checks.names(wrong, "adjust")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(3, True), (2.5, True), (True, False), ("3", False), (float("inf"), False), (float("nan"), False)],
)
def test_a_number_is_finite_and_no_yes_or_no(value: object, is_one: bool) -> None:
    assert checks.is_number(value) is is_one
