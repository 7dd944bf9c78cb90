"""Standardised differences at baseline: a printed example, a second route to each number, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.balance import balance_binary, balance_categorical, balance_numeric

levels = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=6)


def test_race_in_the_vignette_of_tableone():
    # black, other, white in R's tableone vignette "smd": the squared distance 0.001267793, printed as 0.036.
    got = balance_categorical([585, 213, 2753], [335, 142, 1707])
    assert got.estimate**2 == approx(0.001267793, abs=5e-10)
    assert (got.n_1, got.n_0) == (3551, 2184)


def test_numeric_and_binary_by_hand():
    # Variances 1 and 4: the unit is sqrt(2.5). Proportions 0.5 and 0.4: sqrt((0.25 + 0.24) / 2).
    assert balance_numeric([3, 4, 5], [1, 3, 5]).estimate == approx(1 / 2.5**0.5)
    assert balance_binary(30, 60, 20, 50).estimate == approx(0.1 / 0.245**0.5)


def test_binary_is_signed_and_categorical_is_not():
    assert balance_binary(20, 50, 30, 60).estimate == approx(-0.1 / 0.245**0.5)
    assert balance_categorical([30, 20], [30, 30]).estimate == approx(0.1 / 0.245**0.5)


@given(levels)
def test_categorical_equals_the_pseudo_inverse_over_all_levels(counts):
    c1, c0 = (np.array(side, float) for side in zip(*counts, strict=True))
    assume((c1 * c0).any() and ((c1 + c0) > 0).sum() > 1)
    p1, p0 = c1 / c1.sum(), c0 / c0.sum()
    covariance = sum(np.diag(p) - np.outer(p, p) for p in (p1, p0)) / 2
    # No level is left out here: the covariance has rank k - 1, and the difference lies in its range.
    squared = (p1 - p0) @ np.linalg.pinv(covariance, rcond=1e-10) @ (p1 - p0)
    assert balance_categorical(c1, c0).estimate ** 2 == approx(squared, rel=1e-7, abs=1e-12)


@given(levels, st.randoms())
def test_order_of_levels_and_of_arms_does_not_change_the_distance(counts, random):
    c1, c0 = zip(*counts, strict=True)
    assume(sum(c1) and sum(c0))
    got = balance_categorical(c1, c0).estimate
    s1, s0 = zip(*random.sample(counts, len(counts)), strict=True)
    assert balance_categorical(s1, s0).estimate == approx(got, abs=1e-9, nan_ok=True)
    assert balance_categorical(c0, c1).estimate == approx(got, abs=1e-9, nan_ok=True)
    assert balance_categorical([*c1, 0], [*c0, 0]).estimate == approx(got, abs=1e-9, nan_ok=True)


@given(
    st.lists(st.integers(0, 90), min_size=2, max_size=20),
    st.lists(st.integers(0, 90), min_size=2, max_size=20),
)
def test_numeric_has_no_unit_and_flips_with_the_arms(x1, x0):
    got = balance_numeric(x1, x0).estimate
    assert balance_numeric(x0, x1).estimate == approx(-got, nan_ok=True)
    changed = balance_numeric(12 * np.array(x1) + 7, 12 * np.array(x0) + 7)
    assert changed.estimate == approx(got, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("got", "reason"),
    [
        (balance_numeric([1], [1, 2]), "Fewer than two people"),
        (balance_numeric([4, 4], [4, 4]), "No spread in either arm"),
        (balance_categorical([5, 5, 0], [0, 0, 8]), "share no level"),
        (balance_categorical([5, 0], [8, 0]), "one level"),
        (balance_binary(0, 5, 0, 8), "one level"),
        (balance_binary(5, 5, 0, 8), "share no level"),
    ],
)
def test_what_has_no_value_is_missing_with_a_reason(got, reason):
    assert np.isnan(got.estimate) and reason in got.note


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: balance_numeric([1, np.nan], [1, 2]), "x1 is missing or not finite for 1 of 2"),
        (lambda: balance_binary(6, 5, 1, 8), "6 of 5 and 1 of 8 exceed their totals"),
        (lambda: balance_binary(0.4, 5, 1, 8), "not whole numbers"),
        (lambda: balance_categorical([1, 2], [1, 2, 3]), "differ in length"),
        (lambda: balance_categorical([0, 0], [1, 2]), r"An arm is empty \(0 and 3 people\)"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()
