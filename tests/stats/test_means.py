"""Means and differences of means, against R and against what must hold of any of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.means import mean, mean_difference, standardised_difference
from tests import reference_cases

CASE = "g1_nonnormal_alpha"
OUTCOMES = ["qol18", "comp_hours_540"]

whole_amounts = st.lists(st.integers(0, 500), min_size=2, max_size=25)


def arms(outcome):
    """Return the case's people with a known outcome: R dropped the others, so that it must be said here."""
    data = reference_cases.data(CASE).dropna(subset=[outcome])
    return [data.loc[data["arm"] == arm, outcome].to_numpy() for arm in (1, 0)]


def varied(*arms):
    return all(len(set(y)) > 1 for y in arms)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("method", ["welch", "pooled"])
def test_t_interval_and_test_agree_with_r(outcome, method):
    r = reference_cases.expected(CASE)[outcome]["t_test"][method]
    got = mean_difference(*arms(outcome), method=method)
    assert [got.estimate, got.statistic, got.df, got.p_value, got.conf_low, got.conf_high] == approx(
        [r["difference"], r["t"], r["df"], r["p"], *r["ci"]], rel=1e-9
    )  # closed forms in both programs


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_hedges_g_agrees_with_r(outcome):
    r = reference_cases.expected(CASE)[outcome]["t_test"]
    got = standardised_difference(*arms(outcome))
    assert [got.cohen_d, got.correction, got.estimate] == approx(
        [r["cohen_d"], r["hedges_J"], r["hedges_g_exact_J"]], rel=1e-11
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_limits_of_the_standardised_difference_invert_the_noncentral_t_of_r(outcome):
    low, high = reference_cases.expected("g2_amounts_alpha")["standardised"][outcome]
    got = standardised_difference(*arms(outcome))
    assert [got.conf_low, got.conf_high] == approx([low, high], abs=1e-6)  # R's pt(ncp=) with uniroot


def test_standard_error_of_hedges_g_by_hand():
    # metafor's SMD (vtype "LS"): 1/3 + 1/3 + g^2 / 12, d = 1 / 2, J(4) = Gamma(2) / (sqrt(2) Gamma(1.5)).
    g = 0.5 / (math.sqrt(2) * math.gamma(1.5))
    assert standardised_difference([2, 4, 6], [1, 3, 5]).std_error == approx(math.sqrt(2 / 3 + g**2 / 12))


def test_mean_counts_the_zeros():
    got = mean([0, 0, 30, 70])
    assert [got.estimate, got.std_error, got.df, got.n] == approx([25, math.sqrt(3300 / 3) / 2, 3, 4])
    assert got.conf_high - got.estimate == approx(3.182446305284263 * got.std_error)  # R: qt(.975, 3)


@given(whole_amounts, whole_amounts)
@pytest.mark.parametrize("method", ["welch", "pooled"])
def test_swapping_the_arms_flips_the_difference(method, y1, y0):
    got, swapped = mean_difference(y1, y0, method=method), mean_difference(y0, y1, method=method)
    assert [got.estimate, got.conf_low, got.conf_high, got.p_value] == approx(
        [-swapped.estimate, -swapped.conf_high, -swapped.conf_low, swapped.p_value], nan_ok=True
    )


@given(whole_amounts.filter(varied), whole_amounts, st.sampled_from([1 / 7, 24, 1000]), st.randoms())
def test_units_constants_and_order_of_rows_change_nothing_but_the_scale(y1, y0, unit, random):
    got = mean_difference(y1, y0)
    shuffled = random.sample(y1, len(y1))
    changed = mean_difference(unit * np.array(shuffled) + 50, unit * np.array(y0) + 50)
    assert [changed.estimate, changed.std_error, changed.conf_low] == approx(
        [unit * got.estimate, unit * got.std_error, unit * got.conf_low], abs=1e-8 * unit
    )
    assert [changed.df, changed.p_value] == approx([got.df, got.p_value], abs=1e-9)
    if len(set(y0)) > 1:
        standardised = standardised_difference(y1, y0)
        assert standardised_difference(unit * np.array(y1), unit * np.array(y0))[:4] == approx(
            standardised[:4], abs=1e-6
        )


@given(whole_amounts.filter(varied))
def test_pooled_equals_welch_when_both_arms_are_alike_in_size_and_spread(y):
    welch, pooled = (mean_difference([v + 3 for v in y], y, method=m) for m in ("welch", "pooled"))
    assert welch[:7] == approx(pooled[:7])


@pytest.mark.parametrize(
    ("y1", "y0", "reason"),
    [
        ([3], [1, 2], "Fewer than two people"),
        ([3, 4], [1], "Fewer than two people"),
        ([0, 0, 0], [0, 0], "No spread"),
        ([0.1, 0.1, 0.1], [0.7, 0.7, 0.7], "No spread"),  # rounding in the mean must not pass for spread
    ],
)
def test_what_cannot_be_estimated_is_missing_with_a_reason(y1, y0, reason):
    for method in ("welch", "pooled"):
        got = mean_difference(y1, y0, method=method)
        assert got.estimate == approx(np.mean(y1) - np.mean(y0))
        assert np.isnan([got.std_error, got.df, got.p_value, got.conf_low, got.conf_high]).all()
        assert reason in got.note
    standardised = standardised_difference(y1, y0)
    assert np.isnan(standardised[:6]).all() and reason in standardised.note


def test_one_arm_without_spread_is_usable():
    got = mean_difference([5, 7, 9], [0, 0, 0, 0])
    assert [got.estimate, got.std_error, got.df] == approx([7, 2 / math.sqrt(3), 2])
    assert got.note == ""


def test_mean_of_one_person_has_no_interval():
    got = mean([12.0])
    assert got.estimate == 12 and np.isnan(got[1:5]).all() and "Fewer than two" in got.note


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_difference([1, np.nan], [1, 2]), "y1 is missing or not finite for 1 of 2"),
        (lambda: mean_difference([1, 2], []), "y0 has shape .* at least one person"),
        (lambda: mean_difference([1, 2], [3, 4], method="z"), "method='z' is not an option"),
        (lambda: mean([1, 2], conf_level=95), "conf_level=95 is not between 0 and 1"),
        (lambda: standardised_difference(["a"], [1]), "values that are not numbers"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


@pytest.mark.slow
def test_welch_interval_covers_a_known_difference_of_skewed_amounts():
    # Half zeros and an exponential tail, 60 v 120 people; the true difference is 20.
    rng = np.random.default_rng(20240501)
    covered = 0
    for _ in range(2000):
        y1 = rng.exponential(80, 60) * (rng.random(60) < 0.5)
        y0 = rng.exponential(40, 120) * (rng.random(120) < 0.5)
        got = mean_difference(y1, y0)
        covered += got.conf_low < 20 < got.conf_high
    # Monte Carlo error 0.005; skewness costs about a point at this size.
    assert 0.925 < covered / 2000 < 0.965
