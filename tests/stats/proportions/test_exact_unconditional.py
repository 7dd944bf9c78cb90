"""Exact unconditional tests and limits against brute force in R, SciPy, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx
from scipy import stats

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.exact_unconditional import exact_unconditional_test
from ipseval.stats.proportions.two_proportions import risk_difference
from ipseval.stats.tables import ALTERNATIVES
from tests import reference_cases

CASE = reference_cases.expected("a4_exact_unconditional")
COUNTS = {
    row.table: (row.x1, row.n1, row.x0, row.n0)
    for row in reference_cases.data("a4_exact_unconditional").itertuples()
}
ASKED = {"barnard": {}, "boschloo": {"method": "boschloo"}, "at_minus_10_points": {"null": -0.1}}


@st.composite
def small_tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n1, n0 = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n0)), n0


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("asked", ASKED)
def test_p_values_are_those_of_brute_force(name: str, asked: str) -> None:
    # Two searches for the height of a smooth peak; R's optimize() ends within 1e-10 of it.
    for alternative in ALTERNATIVES:
        got = exact_unconditional_test(*COUNTS[name], alternative=alternative, **ASKED[asked])
        assert got == approx(CASE[name][asked][alternative], rel=1e-9)


@pytest.mark.parametrize("name", COUNTS)
def test_limits_are_those_of_brute_force(name: str) -> None:
    # Thirty halvings of 1/200 leave 5e-12.
    got = risk_difference(*COUNTS[name], method="exact_unconditional")
    assert [got.conf_low, got.conf_high] == approx(CASE[name]["limits95"], abs=1e-10)


@settings(max_examples=15)
@given(small_tables())
def test_p_values_are_those_of_scipy(table: tuple[int, int, int, int]) -> None:
    x1, n1, x0, n0 = table
    cells = [[x1, x0], [n1 - x1, n0 - x0]]
    if 0 in (x1 + x0, n1 + n0 - x1 - x0):
        return  # SciPy gives NaN or 1 without a test
    for method, peer in (("barnard", stats.barnard_exact), ("boschloo", stats.boschloo_exact)):
        theirs = peer(cells, alternative="greater", n=64).pvalue
        # SciPy's search may end on a lower peak, and it does not see ties that rounding hides.
        assert exact_unconditional_test(*table, method=method, alternative="greater") >= theirs - 1e-6


@settings(max_examples=5)
@given(small_tables())
def test_swapping_arms_turns_limits_and_alternatives_round(table: tuple[int, int, int, int]) -> None:
    turned = (*table[2:], *table[:2])
    one, other = (risk_difference(*t, method="exact_unconditional") for t in (table, turned))
    assert [one.conf_low, one.conf_high] == approx([-other.conf_high, -other.conf_low], abs=1e-9)
    assert -1 <= one.conf_low <= one.estimate <= one.conf_high <= 1
    for null in (0.0, 0.15):
        p = exact_unconditional_test(*table, null=null, alternative="greater")
        assert p == approx(exact_unconditional_test(*turned, null=-null, alternative="less"), abs=1e-9)


def test_a_limit_is_where_the_one_sided_test_turns() -> None:
    low = float(risk_difference(9, 14, 4, 15, method="exact_unconditional").conf_low)
    sides = [
        exact_unconditional_test(9, 14, 4, 15, null=low + move, alternative="greater")
        for move in (-1e-6, 1e-6)
    ]
    assert sides[0] < 0.025 <= sides[1] + 1e-6


@pytest.mark.slow
def test_coverage_is_never_below_its_level() -> None:
    n1, n0 = 5, 6
    x1, x0 = np.arange(n1 + 1)[:, None], np.arange(n0 + 1)
    limits = risk_difference(x1, n1, x0, n0, method="exact_unconditional", conf_level=0.9)
    for p1, p0 in ((0.5, 0.5), (0.2, 0.1), (0.8, 0.3), (0.05, 0.6)):
        probability = stats.binom.pmf(x1, n1, p1) * stats.binom.pmf(x0, n0, p0)
        holds = (limits.conf_low <= p1 - p0) & (p1 - p0 <= limits.conf_high)
        assert probability[holds].sum() >= 0.9


def test_many_tables_an_empty_arm_and_none() -> None:
    p = exact_unconditional_test([[3, 0], [3, 5]], [[9, 0], [9, 9]], 1, 8)
    assert p.shape == (2, 2)
    assert np.isnan(p[0, 1])
    assert p[0, 0] == p[1, 0] == exact_unconditional_test(3, 9, 1, 8)
    limits = risk_difference([3, 0], [9, 0], 1, 8, method="exact_unconditional")
    assert np.isnan(limits.conf_low).tolist() == [False, True]
    assert exact_unconditional_test([], [], [], []).size == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_unconditional_test(1, 2000, 1, 2000), "4004001 possible tables, more than 1000000"),
        (lambda: exact_unconditional_test(1, 9, 1, 9, null=1), "null=1 is not a difference of proportions"),
        (
            lambda: exact_unconditional_test(1, 9, 1, 9, null=0.1, method="boschloo"),
            "tests no difference other than 0",
        ),
        (lambda: exact_unconditional_test(1, 9, 1, 9, method="fisher"), "method='fisher' is not an option"),
    ],
)
def test_refusals(call, message) -> None:
    with pytest.raises(AnalysisError, match=message):
        call()
