"""Months of follow-up: anniversaries at month ends and in leap years, edges, horizons, ticks."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipseval import months
from ipseval.errors import AnalysisError

DATES = st.dates(min_value=pd.Timestamp(1995, 1, 1).date(), max_value=pd.Timestamp(2105, 12, 31).date())


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


@pytest.mark.parametrize(
    ("date", "steps", "expected"),
    [
        ("2020-01-31", 1, "2020-02-29"),
        ("2021-01-31", 1, "2021-02-28"),
        ("2020-01-31", 2, "2020-03-31"),
        ("2020-01-31", 3, "2020-04-30"),
        ("2020-02-29", 12, "2021-02-28"),
        ("2020-02-29", 48, "2024-02-29"),
        ("2019-12-31", 2, "2020-02-29"),
        ("2000-01-30", 1, "2000-02-29"),  # divisible by 400: a leap year
        ("2100-01-30", 1, "2100-02-28"),  # divisible by 100 only: not one
        ("2020-03-31", -1, "2020-02-29"),
        ("2020-05-15", 0, "2020-05-15"),
        ("1969-11-30", 3, "1970-02-28"),  # across the epoch of datetime64
    ],
)
def test_anniversary_at_month_ends(date: str, steps: int, expected: str):
    assert months.anniversary(day(date), steps) == day(expected)


@given(st.lists(DATES, min_size=1, max_size=5), st.integers(-40, 120))
def test_anniversary_is_the_month_offset_of_pandas(dates: list, steps: int):
    shifted = pd.DatetimeIndex([pd.Timestamp(date) + pd.DateOffset(months=steps) for date in dates])
    got = months.anniversary(np.array(dates, "datetime64[D]"), steps)
    np.testing.assert_array_equal(got, shifted.to_numpy().astype("datetime64[D]"))


def test_a_horizon_is_the_floor_of_the_average_month():
    assert months.horizon_day([1, 6, 12, 16, 18, 24, 30]).tolist() == [30, 182, 365, 487, 547, 730, 913]
    assert months.horizon_day([1, 6, 30], "30_days").tolist() == [30, 180, 900]
    assert months.horizon_day(0.5) == 15


def test_fixed_months_need_no_dates_and_one_row_serves_everyone():
    assert months.month_edges(4, "30_days").tolist() == [[0, 30, 60, 90, 120]]
    edges = months.month_edges(64, "30.4375_days")[0]
    assert edges.tolist() == months.horizon_day(np.arange(65)).tolist()
    assert set(np.diff(edges)) == {30, 31}


def test_calendar_months_begin_before_randomisation_and_are_the_same_dates_for_everyone():
    randomised_on = np.array(["2020-01-31", "2020-02-01"], "datetime64[D]")
    assert months.month_edges(2, "calendar", randomised_on=randomised_on).tolist() == [
        [-30, 1, 30],
        [-31, 0, 29],
    ]
    later = months.month_edges(
        1, "calendar", randomised_on=randomised_on, first_month=np.datetime64("2020-03")
    )
    assert later.tolist() == [[30, 61], [29, 60]]


def test_a_month_is_observed_when_all_of_it_is_followed():
    edges = months.month_edges(2, "calendar", randomised_on=np.array(["2020-01-31", "2020-02-01"], "M8[D]"))
    # From 31 January, January is not whole; February's last day is study day 29, or 28 from 1 February.
    assert months.observed_months(edges, [29, 28]).tolist() == [[False, True], [False, True]]
    assert months.observed_months(edges, [28, 27]).tolist() == [[False, False], [False, False]]


@given(
    st.lists(DATES, min_size=1, max_size=6),
    st.integers(1, 80),
    st.sampled_from(months.MONTH_RULES),
    st.integers(0, 2**32 - 1),
)
def test_ticks_find_the_month_that_the_edges_enclose(dates: list, n_months: int, rule: str, seed: int):
    randomised_on = np.array(dates, "datetime64[D]")
    # Months that end in one person's follow-up, so that dates fall before, inside and after them.
    first_month = np.datetime64(dates[0], "M") - 2
    edges = months.month_edges(n_months, rule, randomised_on=randomised_on, first_month=first_month)
    ticks = months.month_ticks(n_months, rule, randomised_on, first_month)
    rng = np.random.default_rng(seed)
    for person, day_0 in enumerate(randomised_on.astype(int)):
        row = edges[person if len(edges) > 1 else 0]
        days = np.concatenate([row, row - 1, rng.integers(-4000, 4000, 30)])
        behind = ticks.date_ticks(day_0 + days) - ticks.origin_ticks(day_0)
        got = np.concatenate([[-1], ticks.month, [n_months]]).take(behind + 1, mode="clip")
        np.testing.assert_array_equal(got, np.searchsorted(row, days, side="right") - 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: months.month_edges(0), "n_months=0 is below 1. Ask for at least one month."),
        (lambda: months.month_edges(3, "fortnight"), "rule='fortnight' is not an option."),
        (lambda: months.month_edges(3, "anniversary"), "depend on dates. Pass randomised_on."),
        (lambda: months.horizon_day([-1]), "months is negative for 1 of 1 entries."),
        (lambda: months.anniversary([20200131], 1), "dates holds values that are not dates."),
        (
            lambda: months.anniversary(np.array(["NaT", "2020-01-01"], "M8[D]"), 1),
            "missing for 1 of 2 entries.",
        ),
    ],
)
def test_refusals(call, message: str):
    with pytest.raises(AnalysisError, match=re.escape(message)):
        call()
