"""Pseudo-values against leaving people out one by one, R, and complete outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.regression.linear_adjustment import ancova
from ipseval.stats.times.pseudo_values import (
    incidence_pseudo_values,
    restricted_mean_pseudo_values,
    time_lost_pseudo_values,
)
from ipseval.stats.times.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_time_lost,
)
from tests.reference_cases import data, expected

# Products of some hundred factors, multiplied in another order.
EXACT = {"rtol": 1e-9, "atol": 1e-9}


def incidence(time, cause, horizon, area):
    """Return the incidence at the horizon, or the area under it, by a loop over times; carried forward."""
    free, total = 1.0, 0.0
    for t in np.unique(time[(cause > 0) & (time <= horizon)]):
        at_risk, now = (time >= t).sum(), time == t
        total += (horizon - t if area else 1) * free * (now & (cause == 1)).sum() / at_risk
        free *= 1 - (now & (cause > 0)).sum() / at_risk
    return total


def one_by_one(time, cause, horizon, area):
    everyone = np.arange(time.size)
    full = incidence(time, cause, horizon, area)
    without = [
        incidence(*(values[everyone != i] for values in (time, cause)), horizon, area) for i in everyone
    ]
    return time.size * full - (time.size - 1) * np.array(without)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=25),
    st.floats(0.5, 15),
)
def test_agrees_with_leaving_people_out_one_by_one(people, horizon):
    time, cause = np.array(people).T
    horizon = min(horizon, time.max()) if (cause[time == time.max()] == 0).any() else horizon
    if horizon <= 0:
        return
    got = incidence_pseudo_values(time, cause, horizon)
    assert_allclose(got, one_by_one(time, cause, horizon, area=False), **EXACT)
    got = time_lost_pseudo_values(time, cause, horizon)
    assert_allclose(got, one_by_one(time, cause, horizon, area=True), **EXACT)
    event = np.minimum(cause, 1)
    got = restricted_mean_pseudo_values(time, event, horizon)
    assert_allclose(got, horizon - one_by_one(time, event, horizon, area=True), **EXACT)


@pytest.mark.parametrize("name", ["b1_survival_veteran", "b2_survival_alpha"])
def test_leave_one_out_values_agree_with_r(name):
    """case.R leaves people out one by one: mean and sd / sqrt(n) of the values, per arm."""
    frame, found = data(name), expected(name)["rmst"]
    arm = (frame["trt"] == 2).astype(int) if "trt" in frame else frame["arm"]
    for key, at in found.items():
        values = restricted_mean_pseudo_values(
            frame["time"], frame["status"], float(key.removeprefix("tau_")), censoring_group=arm
        )
        for group in (0, 1):
            own, theirs = values[arm == group], at["pseudo_value_check"][f"arm{group}"]
            assert own.mean() == pytest.approx(theirs["mean"], rel=1e-9)
            assert own.std(ddof=1) / np.sqrt(own.size) == pytest.approx(theirs["se"], rel=1e-9)


def test_without_censoring_they_are_the_outcomes():
    time, cause = np.array([3, 8, 8, 11, 20]), np.array([1, 2, 1, 1, 2])
    assert_allclose(incidence_pseudo_values(time, cause, 10), (time <= 10) & (cause == 1), **EXACT)
    assert_allclose(restricted_mean_pseudo_values(time, cause > 0, 10), np.minimum(time, 10), **EXACT)
    lost = np.where(cause == 2, np.maximum(12 - time, 0), 0)
    assert_allclose(time_lost_pseudo_values(time, cause, 12, of=2), lost, **EXACT)


def test_the_mean_is_the_estimate_up_to_order_one_over_n():
    frame = data("b3_competing_alpha")
    values = time_lost_pseudo_values(frame["time"], frame["cr_status"], 730)
    lost = restricted_time_lost(frame["time"], frame["cr_status"], 730)
    assert values.mean() == pytest.approx(lost.estimate[0], rel=1e-3)
    assert values.std() / np.sqrt(values.size) == pytest.approx(lost.std_error[0], rel=0.02)


def test_regression_on_the_arm_is_the_difference_of_restricted_means():
    """Pseudo-values within arms: unadjusted, the plug-in difference and nearly its error."""
    frame = data("b2_survival_alpha")
    values = restricted_mean_pseudo_values(frame["time"], frame["status"], 730, censoring_group=frame["arm"])
    fit = ancova(values, frame["arm"], variance="hc0").difference
    arms = [
        restricted_mean(frame["time"][frame["arm"] == k], frame["status"][frame["arm"] == k], 730)
        for k in (1, 0)
    ]
    same = restricted_mean_difference(*arms)
    assert fit.estimate == pytest.approx(same.estimate[0], rel=1e-3)
    assert fit.std_error == pytest.approx(same.std_error[0], rel=0.02)


def test_refusals():
    with pytest.raises(AnalysisError, match="is beyond the last follow-up"):
        restricted_mean_pseudo_values([1, 2, 3], [1, 0, 0], 4)
    with pytest.raises(AnalysisError, match="is not above 0"):
        incidence_pseudo_values([1, 2, 3], [1, 0, 0], 0)
    with pytest.raises(AnalysisError, match="cause has 1 of 3 entries"):
        time_lost_pseudo_values([1, 2, 3], [1, 0, 3], 2)
    with pytest.raises(AnalysisError, match="event has 1 of 3 entries"):
        restricted_mean_pseudo_values([1, 2, 3], [1, 0, 2], 2)
    with pytest.raises(AnalysisError, match="differ in length"):
        incidence_pseudo_values([1, 2, 3], [1, 0], 2)


@pytest.mark.slow
def test_adjustment_covers_the_true_difference_and_is_more_precise():
    """Exponential times with a strong covariate: the true difference by a large sample without censoring."""
    rng = np.random.default_rng(30)

    def drawn(n):
        arm, x = np.arange(n) % 2, rng.normal(size=n)
        return arm, x, rng.exponential(np.exp(0.5 * arm + 0.8 * x))

    arm, _, time = drawn(2_000_000)
    capped = np.minimum(time, 2)
    truth = capped[arm == 1].mean() - capped[arm == 0].mean()
    covered, narrower = 0, 0
    for _ in range(500):
        arm, x, time = drawn(200)
        lost = rng.uniform(0.5, 6, 200)
        values = restricted_mean_pseudo_values(np.minimum(time, lost), time <= lost, 2)
        adjusted, plain = (ancova(values, arm, columns).difference for columns in (x, None))
        covered += adjusted.conf_low < truth < adjusted.conf_high
        narrower += adjusted.std_error < plain.std_error
    assert covered / 500 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 500))
    assert narrower > 490
