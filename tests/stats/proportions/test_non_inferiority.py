"""Tests of non-inferiority against R, the limits that go with them, and verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.non_inferiority import (
    METHODS,
    VERDICTS,
    non_inferiority_test,
    stratified_non_inferiority_test,
    verdict,
)
from ipseval.stats.proportions.stratified_proportions import stratified_risk_difference
from ipseval.stats.proportions.two_proportions import risk_difference, risk_ratio
from tests import reference_cases

CASE = reference_cases.expected("a5_non_inferiority")
ROWS = {row.test: row for row in reference_cases.data("a5_non_inferiority").itertuples()}


def asked(row) -> dict[str, object]:
    how = {"measure": row.measure, "margin": row.margin, "higher_is_better": bool(row.higher_is_better)}
    return {**{name: getattr(row, name) for name in ("x1", "n1", "x0", "n0")}, **how}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("method", METHODS)
def test_statistics_are_those_of_r(name: str, method: str) -> None:
    got, expected = non_inferiority_test(**asked(ROWS[name]), method=method), CASE[name]
    # Closed forms on both sides.
    assert [got.statistic, got.p_value] == approx([expected[method], expected[f"{method}_p"]], rel=1e-10)
    if method == "farrington_manning":
        # The search stops 1e-9 from a flat maximum, and at an edge 1e-6 from it.
        assert got.statistic == approx(expected["farrington_manning_by_search"], rel=1e-4, abs=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.data(), st.booleans(), st.booleans())
def test_rejects_exactly_where_the_score_limits_exclude_the_margin(n1, n0, data, is_ratio, higher) -> None:
    x1, x0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    measure, margin = ("ratio", 0.8 if higher else 1.25) if is_ratio else ("difference", 0.1)
    how = {"margin": margin, "measure": measure, "higher_is_better": higher}
    p = float(non_inferiority_test(x1, n1, x0, n0, **how).p_value)
    limits = (risk_ratio if is_ratio else risk_difference)(x1, n1, x0, n0, method="miettinen_nurminen")
    if np.isnan(p) or abs(p - 0.025) < 1e-9:
        return
    said = str(verdict(limits.conf_low, limits.conf_high, **how))
    assert (said in ("superior", "non_inferior", "non_inferior_but_worse")) == (p < 0.025)


STRATIFIED = reference_cases.data("a6_stratified_non_inferiority").groupby("table", sort=False)


@pytest.mark.parametrize("name", [name for name, _ in STRATIFIED])
def test_stratified_statistics_are_those_of_r(name: str) -> None:
    rows, wanted = STRATIFIED.get_group(name), reference_cases.expected("a6_stratified_non_inferiority")[name]
    counts = (rows[column].to_numpy() for column in ("x1", "n1", "x0", "n0"))
    how = {"margin": rows["margin"].iloc[0], "higher_is_better": bool(rows["higher_is_better"].iloc[0])}
    got = stratified_non_inferiority_test(*counts, **how)
    # R searches for the rates, and stops some 1e-8 from the maximum.
    assert [got.statistic, got.p_value] == approx([wanted["statistic"], wanted["p"]], rel=1e-6)


@settings(max_examples=40)
@given(st.data(), st.integers(1, 4), st.booleans())
def test_over_strata_too_the_test_and_its_limits_decide_alike(data, strata: int, higher: bool) -> None:
    n1, n0 = (
        np.array(data.draw(st.lists(st.integers(0, 40), min_size=strata, max_size=strata))) for _ in "10"
    )
    x1, x0 = (np.array([data.draw(st.integers(0, int(size))) for size in n]) for n in (n1, n0))
    how = {"margin": data.draw(st.sampled_from([0.05, 0.1, 0.2])), "higher_is_better": higher}
    p = float(stratified_non_inferiority_test(x1, n1, x0, n0, **how).p_value)
    limits = stratified_risk_difference(x1, n1, x0, n0, method="miettinen_nurminen")
    said = str(verdict(limits.conf_low, limits.conf_high, **how))
    assert (said == "") == np.isnan(p)
    if said and abs(p - 0.025) > 1e-9:
        assert (said in ("superior", "non_inferior", "non_inferior_but_worse")) == (p < 0.025)


def test_one_stratum_is_the_test_without_strata() -> None:
    for counts in ((30, 50, 33, 52), (0, 20, 3, 25), (20, 20, 25, 25)):
        one = stratified_non_inferiority_test(*([count] for count in counts), margin=0.1)
        assert one == approx(non_inferiority_test(*counts, margin=0.1), rel=1e-9)


def test_turning_the_outcome_round_turns_a_difference_round() -> None:
    wanted = non_inferiority_test(30, 50, 33, 52, margin=0.1)
    unwanted = non_inferiority_test(20, 50, 19, 52, margin=0.1, higher_is_better=False)
    assert wanted == approx(unwanted, rel=1e-12)


def test_verdicts_run_from_superior_to_inferior() -> None:
    low, high = [0.01, -0.08, -0.08, -0.15, -0.30, np.nan], [0.20, 0.05, -0.02, 0.05, -0.12, np.nan]
    assert verdict(low, high, margin=0.1).tolist() == [*VERDICTS, ""]
    turned = verdict(-np.array(high), -np.array(low), margin=0.1, higher_is_better=False)
    assert turned.tolist() == [*VERDICTS, ""]
    ratios = verdict([1.05, 0.85, 0.85, 0.7, 0.5], [2, 1.2, 0.95, 1.1, 0.75], margin=0.8, measure="ratio")
    assert ratios.tolist() == list(VERDICTS)


def test_an_empty_arm_and_a_ratio_without_events_have_no_test() -> None:
    assert np.isnan(non_inferiority_test(0, 0, 3, 9, margin=0.1)).all()
    assert np.isnan(non_inferiority_test(0, 9, 0, 9, margin=0.8, measure="ratio")).all()
    assert non_inferiority_test([3, 4], 9, [3, 4], 9, margin=0.1).p_value.shape == (2,)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"margin": 10}, "margin=10 is not between 0 and 1. Write 10 percentage points as margin=0.10"),
        ({"margin": -0.1}, "margin=-0.1 is not between 0 and 1"),
        ({"margin": True}, "margin=True is not a number"),
        ({"margin": 1.25, "measure": "ratio"}, "margin=1.25 is not a ratio below 1"),
        ({"margin": 0.8, "measure": "ratio", "higher_is_better": False}, "is not a ratio above 1"),
        ({"margin": 0.1, "measure": "odds"}, "measure='odds' is not an option"),
        ({"margin": 0.1, "method": "wald"}, "method='wald' is not an option"),
    ],
)
def test_refusals(how, message) -> None:
    with pytest.raises(AnalysisError, match=message):
        non_inferiority_test(5, 9, 4, 9, **how)
