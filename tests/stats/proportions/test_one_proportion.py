"""Limits for one proportion: published values, R's, and what must hold for every count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx
from scipy import stats

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.one_proportion import proportion_interval
from tests.reference_cases import expected

METHODS = ("wilson", "wilson_cc", "clopper_pearson", "mid_p", "jeffreys", "agresti_coull", "wald")
R_KEYS = {method: method for method in METHODS if method != "mid_p"} | {"jeffreys": "jeffreys_equal_tailed"}
CASE = expected("a1_two_by_two_tables")
ARMS = [
    pytest.param(
        table["input"][f"x{arm}"],
        table["input"][f"n{arm}"],
        table[f"arm{arm}"],
        level,
        id=f"{name}-{arm}-{level}",
    )
    for key, level in (("level95", 0.95), ("level90", 0.90))
    for name, table in CASE[key].items()
    for arm in (1, 0)
]


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 400))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize("method", R_KEYS)
@pytest.mark.parametrize(("x", "n", "arm", "level"), ARMS)
def test_every_arm_agrees_with_r(x, n, arm, level, method):
    low, high = arm[R_KEYS[method]]
    if method == "jeffreys":  # R's are the plain beta quantiles; Brown, Cai & DasGupta end at the edges
        low, high = (0.0 if x == 0 else low), (1.0 if x == n else high)
    # Closed forms and beta quantiles: only rounding differs.
    assert proportion_interval(x, n, method=method, conf_level=level) == approx((low, high), abs=1e-10)


def test_jeffreys_at_an_edge_holds_the_estimate_and_leaves_the_other_limit():
    none, everybody = (proportion_interval(x, 70, method="jeffreys") for x in (0, 70))
    assert none.low == 0.0
    assert everybody.high == 1.0
    assert none.high == approx(stats.beta.ppf(0.975, 0.5, 70.5), rel=1e-9)
    assert everybody.low == approx(stats.beta.ppf(0.025, 70.5, 0.5), rel=1e-9)


@given(counts())
def test_mid_p_limits_leave_half_of_alpha_in_each_tail(count):
    x, n = count
    low, high = proportion_interval(x, n, method="mid_p")
    if x > 0:
        assert stats.binom.sf(x, n, low) + stats.binom.pmf(x, n, low) / 2 == approx(0.025, rel=1e-9)
    if x < n:
        assert stats.binom.cdf(x - 1, n, high) + stats.binom.pmf(x, n, high) / 2 == approx(0.025, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@given(counts())
def test_counting_the_others_mirrors_the_limits(method, count):
    x, n = count
    low, high = proportion_interval(x, n, method=method)
    mirrored = proportion_interval(n - x, n, method=method)
    assert (1 - mirrored.high, 1 - mirrored.low) == approx((low, high), abs=1e-12)


@pytest.mark.parametrize("method", ["wilson", "wilson_cc", "clopper_pearson", "mid_p", "jeffreys"])
@given(counts(), st.floats(0.5, 0.999))
def test_limits_hold_the_estimate_and_stay_between_0_and_1(method, count, level):
    x, n = count
    low, high = proportion_interval(x, n, method=method, conf_level=level)
    assert 0 <= low <= x / n + 1e-12
    assert x / n - 1e-12 <= high <= 1


@pytest.mark.parametrize("method", METHODS)
def test_many_at_once_equal_one_at_a_time(method):
    x, n = np.array([[0, 3, 7], [1, 9, 0]]), np.array([7, 9, 7])
    many = proportion_interval(x, np.array([[7, 9, 7], [7, 9, 7]]), method=method)
    broadcast = proportion_interval(x, n, method=method)
    for row in np.ndindex(x.shape):
        one = proportion_interval(x[row], n[row[1]], method=method)
        assert one == approx((many.low[row], many.high[row]), abs=1e-13)
        assert one == approx((broadcast.low[row], broadcast.high[row]), abs=1e-13)
    assert isinstance(proportion_interval(3, 9, method=method).low, float)


@pytest.mark.parametrize("method", METHODS)
def test_nobody_at_all_is_missing(method):
    low, high = proportion_interval([0, 3], [0, 9], method=method)
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": 5, "n": 3}, "x exceeds n in 1 of 1 tables"),
        ({"x": [1, -1], "n": 3}, "x has 1 of 2 entries that are not whole numbers"),
        ({"x": 0.5, "n": 3}, "Pass counts, not proportions"),
        ({"x": [1, 2], "n": [3, 3, 3]}, "do not match in shape"),
        ({"x": 1, "n": 3, "method": "score"}, "method='score' is not an option"),
        ({"x": 1, "n": 3, "conf_level": 95}, "Write 95% as conf_level=0.95"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(AnalysisError, match=message):
        proportion_interval(**arguments)
