"""Restricted means and time lost against R's survRM2 formula and survival's pseudo-values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cumulative_incidence import cumulative_incidence
from ipseval.stats.times.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_mean_ratio,
    restricted_time_lost,
)
from tests.reference_cases import data, expected

# Closed-form sums: only the order of additions differs from R's.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
GROUPS = {"b1_survival_veteran": lambda d: d["trt"] - 1, "b2_survival_alpha": lambda d: d["arm"]}
COMPETING = {"alpha": ("b3_competing_alpha", "arm"), "mgus2": ("b4_competing_mgus2", "female")}


def arms_of(case):
    """Return (reference, active) samples, and what R found per horizon."""
    frame = data(case)
    group = GROUPS[case](frame)
    samples = [(frame["time"][group == arm], frame["status"][group == arm]) for arm in (0, 1)]
    return samples, list(expected(case)["rmst"].values())


def test_area_by_hand():
    """Three people, events at 2 and 6, one censored at 4: S = 1, 2/3, 0; 2 + 2/3 * 3 = 4 up to 5."""
    assert restricted_mean([2, 4, 6], [1, 0, 1], 5).estimate[0] == pytest.approx(4)


@pytest.mark.parametrize("case", GROUPS)
def test_each_arm_agrees_with_survrm2(case):
    samples, found = arms_of(case)
    horizons = [row["tau"] for row in found]
    for arm, sample in enumerate(samples):
        got = restricted_mean(*sample, horizons)
        assert_allclose(got.estimate, [row[f"arm{arm}"]["rmst"] for row in found], **EXACT)
        assert_allclose(got.std_error, [row[f"arm{arm}"]["se"] for row in found], **EXACT)


@pytest.mark.parametrize("case", GROUPS)
def test_difference_and_ratios_agree_with_survrm2(case):
    samples, found = arms_of(case)
    horizons = [row["tau"] for row in found]
    reference, active = (restricted_mean(*sample, horizons) for sample in samples)
    lost_reference, lost_active = (restricted_time_lost(*sample, horizons) for sample in samples)
    for name, got, error in [
        ("difference", restricted_mean_difference(active, reference), "se"),
        ("ratio", restricted_mean_ratio(active, reference), "log_se"),
        ("rmtl_ratio", restricted_mean_ratio(lost_active, lost_reference), "log_se"),
    ]:
        theirs = [row[name] for row in found]
        assert_allclose(got.estimate, [row["estimate"] for row in theirs], **EXACT)
        assert_allclose(got.std_error, [row[error] for row in theirs], **EXACT)
        assert_allclose(got.conf_low, [row["lower"] for row in theirs], **EXACT)
        assert_allclose(got.conf_high, [row["upper"] for row in theirs], **EXACT)
        if "p" in theirs[0]:
            assert_allclose(got.p_value, [row["p"] for row in theirs], **EXACT)


@pytest.mark.parametrize("name", COMPETING)
@pytest.mark.parametrize("group", [0, 1])
def test_time_lost_to_each_cause_agrees_with_r_pseudo_values(name, group):
    case, column = COMPETING[name]
    frame = data(case)
    frame = frame[frame[column] == group]
    found = expected("b7_time_lost")[name][f"group_{group}"].values()
    horizons = [row["tau"] for row in found]
    for of, cause in [(1, "event"), (2, "competing")]:
        got = restricted_time_lost(frame["time"], frame["cr_status"], horizons, of=of)
        assert_allclose(got.estimate, [row["mean"][cause] for row in found], **EXACT)
        assert_allclose(got.std_error, [row["se"][cause] for row in found], **EXACT)
    free = restricted_mean(frame["time"], frame["cr_status"] > 0, horizons)
    assert_allclose(free.std_error, [row["se"]["event_free"] for row in found], **EXACT)


rows = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2)), min_size=4, max_size=30)


def columns(sample):
    return (np.array(column) for column in zip(*sample, strict=True))


@given(rows, st.integers(1, 30))
def test_the_variance_is_the_sum_of_squared_influences(sample, tau):
    """A second route: the derivative by each person's weight, by central differences."""
    duration, cause = columns(sample)
    tau = min(tau, duration.max())
    step, influences = 1e-4, []
    for person in range(duration.size):
        moved = []
        for sign in (-1, 1):
            weights = np.ones(duration.size)
            weights[person] += sign * step
            moved.append(restricted_time_lost(duration, cause, tau, frequency=weights).estimate[0])
        influences.append((moved[1] - moved[0]) / (2 * step))
    got = restricted_time_lost(duration, cause, tau).std_error[0]
    wanted = np.sum(np.square(influences))
    if np.isnan(got):
        assert wanted == pytest.approx(0, abs=1e-8)
    else:
        assert got**2 == pytest.approx(wanted, rel=1e-5, abs=1e-8)


@given(rows, st.integers(1, 30))
def test_without_competing_events_time_lost_is_the_horizon_minus_the_restricted_mean(sample, tau):
    duration, cause = columns(sample)
    event, tau = cause > 0, min(tau, duration.max())
    lost, kept = restricted_time_lost(duration, event, tau), restricted_mean(duration, event, tau)
    assert_allclose(lost.estimate, tau - kept.estimate, **EXACT)
    assert_allclose(lost.std_error, kept.std_error, **EXACT)
    assert_allclose(lost.conf_low, tau - kept.conf_high, **EXACT)


@given(rows, st.integers(1, 30))
def test_time_lost_is_the_area_under_the_cumulative_incidence(sample, tau):
    duration, cause = columns(sample)
    tau = min(tau, duration.max())
    curve = cumulative_incidence(duration, cause)
    inside = curve.time <= tau
    widths = np.diff(np.append(curve.time[inside], tau))
    area = np.sum(curve.incidence[inside] * widths)
    assert_allclose(restricted_time_lost(duration, cause, tau).estimate, [area], **EXACT)


@given(rows, st.sampled_from([1 / 7, 30.4375]))
def test_changing_the_unit_of_time_rescales_everything(sample, unit):
    duration, cause = columns(sample)
    tau = duration.max()
    days = restricted_time_lost(duration, cause, tau)
    other = restricted_time_lost(duration * unit, cause, tau * unit)
    for ours, theirs in zip(days, other, strict=True):
        assert_allclose(theirs, ours * unit, rtol=1e-7, atol=1e-9)


def test_swapping_the_arms_flips_the_difference_and_inverts_the_ratio():
    (one, other), _ = arms_of("b2_survival_alpha")
    arms = restricted_mean(*one, 365), restricted_mean(*other, 365)
    there, back = restricted_mean_difference(*arms), restricted_mean_difference(*arms[::-1])
    assert_allclose([there.estimate, there.conf_low], [-back.estimate, -back.conf_high], **EXACT)
    there, back = restricted_mean_ratio(*arms), restricted_mean_ratio(*arms[::-1])
    assert_allclose([there.estimate, there.conf_low], [1 / back.estimate, 1 / back.conf_high], **EXACT)


def test_where_nothing_happened_the_uncertainty_is_unknown():
    quiet = restricted_mean([40, 50, 60], [0, 0, 0], 30)
    assert quiet.estimate.tolist() == [30]
    assert np.isnan([quiet.std_error, quiet.conf_low, quiet.conf_high]).all()
    lost = restricted_time_lost([40, 50, 60], [0, 0, 0], 30)
    assert np.isnan(restricted_mean_ratio(lost, lost).estimate).all()


def test_refusals():
    with pytest.raises(AnalysisError, match=r"horizon=100 is beyond .* where 2 people"):
        restricted_mean([10, 60, 60], [1, 0, 0], [30, 100])
    with pytest.raises(AnalysisError, match="horizon=0 is not above 0"):
        restricted_mean([10, 60], [1, 0], 0)
    with pytest.raises(AnalysisError, match="different horizons"):
        restricted_mean_difference(restricted_mean([9], [1], 5), restricted_mean([9], [1], 6))
    assert restricted_mean([10, 60], [1, 1], 100).estimate[0] == pytest.approx(35)


@pytest.mark.slow
def test_limits_cover_a_known_mean():
    """Exponential times, 60 people, horizon 10: 95% within Monte Carlo error and small-sample loss."""
    random = np.random.default_rng(21)
    truth, covered = 10 * (1 - np.exp(-1)), []
    for _ in range(2000):
        work, leave = random.exponential(10, 60), random.uniform(10, 40, 60)
        got = restricted_mean(np.minimum(work, leave), work <= leave, 10.0)
        covered.append(got.conf_low[0] <= truth <= got.conf_high[0])
    assert abs(np.mean(covered) - 0.95) < 0.02


@pytest.mark.parametrize("group", [0, 1])
def test_delayed_entry_is_rmean_of_survfit(group):
    frame, wanted = data("b5_left_truncation_heart"), expected("b10_time_varying")["rmean_delayed_entry"]
    own = frame[frame["transplant"] == group]
    found = restricted_mean(own["stop"], own["event"], wanted["tau"], entry=own["start"])
    assert found.estimate[0] == pytest.approx(wanted["mean"][group], rel=1e-9)
    assert found.std_error[0] == pytest.approx(wanted["se"][group], rel=1e-9)
