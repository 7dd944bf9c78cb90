"""Means on the log scale and their joined difference: against R, SciPy and what must hold of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx
from scipy import optimize, stats

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.censored_means import weighted_mean_amount
from ipseval.stats.amounts.log_scale_means import (
    FEW_HAD_ANY,
    FEW_IN_BOTH,
    ONE_ARM_COUNTS,
    SOME_NEGATIVE,
    joined_difference,
    log_t_mean,
    workers_difference,
)
from ipseval.stats.means import NO_SPREAD, TOO_FEW, mean, mean_difference
from tests import reference_cases

CASES = ["comp_hours_540", "comp_days_540"]


def hours(outcome, arm):
    return reference_cases.data("g1_nonnormal_alpha").query("arm == @arm")[outcome].to_numpy(float)


def on_log_scale(y, **more):
    return log_t_mean(mean(y), y, **more)


def by_workers(y1, y0, **more):
    return workers_difference(mean(y1), mean(y0), y1, y0, **more)


def some_with_any(least=3):
    """Amounts of which three or more are above 0, and not all alike."""
    worked = st.lists(st.floats(1, 1000), min_size=least, max_size=6, unique=True)
    return st.builds(lambda some, none: some + [0.0] * none, worked, st.integers(0, 8))


@pytest.mark.parametrize(("key", "level"), [("level_95", 0.95), ("level_90", 0.9)])
@pytest.mark.parametrize("outcome", CASES)
def test_limits_are_those_of_r(outcome, key, level):
    r = reference_cases.expected("g4_log_scale_means")[outcome]
    arms = [on_log_scale(hours(outcome, arm), conf_level=level) for arm in (1, 0)]
    for got, expected in zip(arms, (r["arm1"], r["arm0"]), strict=True):
        assert (got.estimate, got.df) == (approx(expected["mean"], rel=1e-9), expected["df"])
        assert [got.conf_low, got.conf_high] == approx(expected[key], rel=1e-9)
    joined = joined_difference(*arms, conf_level=level)
    assert [joined.conf_low, joined.conf_high] == approx(r["joined"][key], rel=1e-9)
    assert joined.p_value == approx(r["joined"]["p"], abs=1e-9)


@pytest.mark.parametrize(("key", "level"), [("level_95", 0.95), ("level_90", 0.9)])
@pytest.mark.parametrize("outcome", CASES)
def test_the_interval_that_counts_workers_is_that_of_r(outcome, key, level):
    r = reference_cases.expected("g4_log_scale_means")[outcome]["workers"]
    got = by_workers(*(hours(outcome, arm) for arm in (1, 0)), conf_level=level)
    expected = [r["difference"], r["se"], r["df"], r["p"], *r[key]]
    found = [got.estimate, got.std_error, got.df, got.p_value, got.conf_low, got.conf_high]
    assert found == approx(expected, rel=1e-9)


@given(some_with_any(), some_with_any())
def test_where_everybody_worked_it_is_welchs_and_nobody_without_any_adds_a_degree_of_freedom(y1, y0):
    y1, y0 = ([hours for hours in y if hours] for y in (y1, y0))
    welch, got = mean_difference(y1, y0), by_workers(y1, y0)
    assert got[:7] == approx(welch[:7])
    many = [0.0] * 1000
    assert by_workers([*y1, *many], [*y0, *many]).df <= len(y1) + len(y0) - 2 + 1e-9
    swapped = by_workers(y0, y1)
    assert [swapped.conf_low, swapped.conf_high] == approx([-got.conf_high, -got.conf_low])


@pytest.mark.parametrize("y0", [[0, 0, 0, 0], [0, 0, 0, 8]])
def test_beside_an_arm_with_no_two_workers_the_other_alone_has_degrees_of_freedom(y0):
    y1 = [0, 0, 10, 20, 60]
    std_error = math.hypot(stats.sem(y1), stats.sem(y0))
    for got, sign in ((by_workers(y1, y0), 1), (by_workers(y0, y1), -1)):
        expected = stats.t.interval(0.95, 2, loc=sign * (18 - np.mean(y0)), scale=std_error)
        assert [got.conf_low, got.conf_high] == approx(list(expected), rel=1e-12)
        assert (got.df, got.note) == (2, ONE_ARM_COUNTS)


def test_a_weighted_difference_counts_the_workers_of_both_arms():
    amount, complete, followed = [0, 20, 5, 60, 0, 35], [1, 1, 0, 1, 1, 1], [90, 30, 60, 90, 90, 90]
    weighted = weighted_mean_amount(amount, np.array(complete, bool), followed)
    y0 = [0, 0, 15, 40, 50]
    got = workers_difference(weighted, mean(y0), amount, y0)
    v1, v0 = weighted.std_error**2, stats.sem(y0) ** 2
    df = (v1 + v0) ** 2 / (v1**2 / 3 + v0**2 / 2)
    expected = stats.t.interval(0.95, df, loc=weighted.estimate - 21, scale=math.sqrt(v1 + v0))
    assert [got.conf_low, got.conf_high] == approx(list(expected), rel=1e-12)
    assert got.df == approx(df, rel=1e-12)
    assert got.note == ""


@pytest.mark.parametrize(
    ("y1", "y0", "reason"),
    [
        ([0, 0, 9], [0, 0, 4], FEW_IN_BOTH),
        ([0, 0, 9], [0, 0, 0], FEW_IN_BOTH),
        ([0, 0, 0], [0, 0, 0], FEW_IN_BOTH),
        ([9, 9], [4, 4], NO_SPREAD),
        ([9, 9], [0, 0, 4], NO_SPREAD),
        ([9], [0, 3, 5], TOO_FEW.rstrip(".")),
    ],
)
def test_a_difference_without_a_degree_of_freedom_has_no_limits(y1, y0, reason):
    got = by_workers(y1, y0)
    assert got.estimate == np.mean(y1) - np.mean(y0)
    assert all(math.isnan(x) for x in got[1:7])
    assert got.note == reason


def test_an_arm_in_which_all_have_the_same_amount_adds_no_degree_of_freedom():
    got, welch = by_workers([9, 9, 9], [3, 5, 8]), mean_difference([9, 9, 9], [3, 5, 8])
    assert got[:7] == approx(welch[:7])
    assert got.note == ""


def test_a_weighted_mean_has_the_limits_scipy_gives_its_logarithm():
    amount, complete, followed = [0, 20, 5, 60, 0, 35], [1, 1, 0, 1, 1, 1], [90, 30, 60, 90, 90, 90]
    weighted = weighted_mean_amount(amount, np.array(complete, bool), followed)
    got = log_t_mean(weighted, amount)
    relative = weighted.std_error / weighted.estimate
    expected = np.exp(stats.t.interval(0.95, 3, loc=math.log(weighted.estimate), scale=relative))
    assert [got.conf_low, got.conf_high] == approx(expected.tolist(), rel=1e-12)


@given(some_with_any(), some_with_any())
def test_test_and_interval_are_inverses(y1, y0):
    arms = on_log_scale(y1), on_log_scale(y0)
    p = joined_difference(*arms).p_value
    if 1e-6 < p < 1 - 1e-6:
        at_p = joined_difference(*arms, conf_level=1 - p)
        nearest = min(abs(at_p.conf_low), abs(at_p.conf_high))
        assert nearest == approx(0, abs=1e-6 * (at_p.conf_high - at_p.conf_low))


@given(some_with_any(), some_with_any(), st.sampled_from([0.25, 8, 1024]))
def test_units_scale_limits_and_swapped_arms_mirror_them(y1, y0, unit):
    got = joined_difference(on_log_scale(y1), on_log_scale(y0))
    other = joined_difference(*(on_log_scale(unit * np.array(y)) for y in (y1, y0)))
    swapped = joined_difference(on_log_scale(y0), on_log_scale(y1))
    assert [other.conf_low, other.conf_high] == approx([unit * got.conf_low, unit * got.conf_high], rel=1e-9)
    assert [swapped.conf_low, swapped.conf_high] == [-got.conf_high, -got.conf_low]
    assert other.p_value == approx(got.p_value, abs=1e-9)
    assert swapped.p_value == got.p_value
    assert got.conf_low <= got.estimate <= got.conf_high


@given(some_with_any())
def test_limits_are_above_zero_and_as_many_times_smaller_as_larger(y):
    got = on_log_scale(y)
    assert 0 < got.conf_low < got.estimate < got.conf_high
    assert got.estimate / got.conf_low == approx(got.conf_high / got.estimate, rel=1e-9)


def test_alike_arms_do_not_differ_at_any_level():
    y = [0, 0, 10, 20, 40]
    got = joined_difference(on_log_scale(y), on_log_scale(y))
    assert (got.estimate, got.p_value) == (0, 1)
    assert got.conf_low == -got.conf_high


@pytest.mark.parametrize(
    ("y", "reason"),
    [([0, 0, 0], NO_SPREAD), ([0, 4, 9], FEW_HAD_ANY), ([9], TOO_FEW), ([9, 9], NO_SPREAD)],
)
def test_where_limits_would_be_made_up_there_are_none(y, reason):
    got, other = on_log_scale(y), on_log_scale([0, 3, 5, 9])
    assert got.estimate == np.mean(y) and got.note == reason
    assert math.isnan(got.conf_low) and math.isnan(got.conf_high) and math.isnan(got.df)
    joined = joined_difference(got, other)
    assert joined.estimate == got.estimate - other.estimate
    assert all(math.isnan(x) for x in joined[1:5])
    assert joined.note == reason.rstrip(".")


def test_negative_amounts_have_symmetric_limits_on_the_same_degrees_of_freedom():
    y, y0 = [-5.0, 0, 0, 20, 60, 90], [0, 0, 10, 20, 50]
    got, other = on_log_scale(y), on_log_scale(y0)
    expected = stats.t.interval(0.95, 3, loc=np.mean(y), scale=stats.sem(y))
    assert [got.conf_low, got.conf_high] == approx(list(expected), rel=1e-12)
    assert got.note == SOME_NEGATIVE
    joined = joined_difference(got, other)
    assert joined.note == SOME_NEGATIVE
    below = math.hypot(got.estimate - got.conf_low, other.conf_high - other.estimate)
    assert joined.conf_low == approx(joined.estimate - below)
    # The p value by a second route: the level at which the lower limit is 0.
    root = optimize.brentq(
        lambda p: joined_difference(got, other, conf_level=1 - p).conf_low, 1e-9, 1 - 1e-9, xtol=1e-13
    )
    assert joined.p_value == approx(root, abs=1e-9)


def test_a_mean_below_zero_has_limits_too():
    got = on_log_scale([-30, 0, -10, 5])
    assert got.conf_low < got.estimate < 0 < got.conf_high


def test_notes_stand_in_the_catalogue():
    assert words.text("note.few_had_any") == FEW_HAD_ANY
    assert words.text("note.few_in_both") == FEW_IN_BOTH
    assert words.text("note.one_arm_counts") == ONE_ARM_COUNTS
    assert words.text("note.some_negative") == SOME_NEGATIVE


@pytest.mark.parametrize("wrong", [[], [1, math.nan]])
def test_what_is_no_amount_is_refused(wrong):
    with pytest.raises(AnalysisError, match="y "):
        log_t_mean(mean([0, 1, 2]), wrong)
    with pytest.raises(AnalysisError, match="y0 "):
        workers_difference(mean([0, 1]), mean([0, 1]), [0, 1], wrong)
