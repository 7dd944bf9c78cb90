"""Kaplan-Meier, Nelson-Aalen and their quantiles against R's survival, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.kaplan_meier import (
    INTERVALS,
    kaplan_meier,
    nelson_aalen,
    quantile,
    survival_at,
)
from tests.reference_cases import data, expected

# Closed-form sums and products: only the order of additions differs from R's.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
R_NAMES = {"arcsine": "arcsin"}
CASES = {
    "b1_survival_veteran": ("time", "status", None, lambda d: d["trt"] - 1),
    "b2_survival_alpha": ("time", "status", None, lambda d: d["arm"]),
    "b5_left_truncation_heart": ("stop", "event", "start", lambda d: d["transplant"]),
}
ARMS = [(case, arm) for case in CASES for arm in (0, 1)]

# With 11 people at risk at first, this lower limit falls, rises and falls again. R sorts it by height
# before inverting it and finds 16; we keep to the rule: the first time at which it is down to 0.75.
FIRST_CROSSING = ("b5_left_truncation_heart", 1, "log-log")


def arm_of(case, arm):
    """Return the sample of one arm and what R found for it."""
    duration, event, entry, group = CASES[case]
    frame = data(case)
    frame = frame[group(frame) == arm]
    sample = {"duration": frame[duration], "event": frame[event], "entry": frame[entry] if entry else None}
    found = expected(case)
    return sample, found.get("km", found.get("km_by_transplant"))[f"group_{arm}"]


def column(rows, name):
    return np.array([row[name] for row in rows], dtype=float)


def test_kaplan_and_meier_1958_worked_example_of_eight():
    """Deaths at 0.8, 3.1, 5.4, 9.2, losses at 1.0, 2.7, 7.0, 12.1: 7/8, 7/10, 21/40, 21/80."""
    times = [0.8, 1.0, 2.7, 3.1, 5.4, 7.0, 9.2, 12.1]
    curve = kaplan_meier(times, [1, 0, 0, 1, 1, 0, 1, 0])
    assert_allclose(curve.survival[[0, 3, 4, 6]], [7 / 8, 7 / 10, 21 / 40, 21 / 80], **EXACT)


@pytest.mark.parametrize(("case", "arm"), ARMS)
def test_curve_agrees_with_r_at_every_event_time(case, arm):
    sample, found = arm_of(case, arm)
    curve = kaplan_meier(**sample)
    rows = found["curve_at_event_times"]
    at_events = curve.n_event > 0
    for ours, theirs in [
        (curve.time, "time"),
        (curve.n_risk, "n_risk"),
        (curve.n_event, "n_event"),
        (curve.n_censored, "n_censor"),
        (curve.survival, "surv"),
    ]:
        assert_allclose(ours[at_events], column(rows, theirs), **EXACT)


@pytest.mark.parametrize(("case", "arm"), ARMS)
def test_table_at_given_times_agrees_with_r(case, arm):
    sample, found = arm_of(case, arm)
    rows = found["table"]
    got = survival_at(kaplan_meier(**sample), column(rows, "time"))
    for ours, theirs in [
        (got.n_risk, "n_risk"),
        (got.survival, "surv"),
        (got.std_error, "greenwood_se"),
        (got.n_event, "events_to_t"),
    ]:
        assert_allclose(ours, column(rows, theirs), **EXACT)
    hazard = nelson_aalen(**sample)
    place = np.searchsorted(hazard.time, got.time, side="right") - 1
    assert_allclose(hazard.cumulative_hazard[place], column(rows, "nelson_aalen"), **EXACT)
    assert_allclose(hazard.std_error[place], column(rows, "nelson_aalen_se"), **EXACT)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(("case", "arm"), ARMS)
def test_limits_and_quantiles_agree_with_r(case, arm, interval):
    sample, found = arm_of(case, arm)
    curve = kaplan_meier(**sample, interval=interval)
    rows = found["ci"][R_NAMES.get(interval, interval)]
    got = survival_at(curve, column(rows, "time"))
    assert_allclose(got.conf_low, column(rows, "lower"), **EXACT)
    assert_allclose(got.conf_high, column(rows, "upper"), **EXACT)
    theirs = found["quantiles"][R_NAMES.get(interval, interval)]
    ours = quantile(curve, [0.25, 0.5, 0.75])
    wanted = np.array(
        [[theirs[q][k] for k in ("estimate", "lower", "upper")] for q in ("q25", "median", "q75")], float
    )
    if (case, arm, interval) == FIRST_CROSSING:
        assert curve.conf_low[curve.time == 5] <= 0.75  # so 5 is the first such time
        wanted[0, 1] = 5
    assert_allclose(np.column_stack([ours.time, ours.conf_low, ours.conf_high]), wanted, **EXACT)


def test_beyond_the_last_observation_the_curve_is_carried_forward_with_nobody_at_risk():
    got = survival_at(kaplan_meier([10, 20, 30], [1, 0, 0]), [0, 10, 31])
    assert got.survival.tolist() == pytest.approx([1, 2 / 3, 2 / 3])
    assert got.n_risk.tolist() == [3, 3, 0]
    assert got.n_censored.tolist() == [0, 0, 2]


def test_what_is_not_defined_is_missing():
    curve = kaplan_meier([5, 10, 20], [0, 1, 1])
    assert curve.survival.tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(curve.conf_low[[0, 2]]).all()
    assert np.isnan(curve.std_error[2])
    assert np.isnan(quantile(kaplan_meier([5, 10, 20], [1, 0, 0]), 0.5).time)


samples = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(1, 4)), min_size=2, max_size=40)


def same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@given(samples, st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    same(*(kaplan_meier([r[0] for r in s], [r[1] for r in s]) for s in (rows, shuffled)))


@given(samples)
def test_a_frequency_is_the_row_repeated(rows):
    duration, event, times = (np.array(column) for column in zip(*rows, strict=True))
    repeated = kaplan_meier(np.repeat(duration, times), np.repeat(event, times))
    same(kaplan_meier(duration, event, frequency=times), repeated)


@given(samples, st.sampled_from([1 / 7, 0.1, 1.5, 1e7]))
def test_changing_the_unit_of_time_rescales_time_alone(rows, unit):
    """Whole days are counted, fractions and huge numbers are sorted: the two roads must agree."""
    duration, event, _ = (np.array(column) for column in zip(*rows, strict=True))
    days, other = kaplan_meier(duration, event), kaplan_meier(duration * unit, event)
    same(days._replace(time=days.time * unit), other)


@given(samples)
def test_without_censoring_survival_is_the_proportion_left_and_greenwood_is_binomial(rows):
    duration = np.array([row[0] for row in rows])
    curve = kaplan_meier(duration, np.ones(duration.size, bool))
    left = np.array([(duration > time).mean() for time in curve.time])
    assert_allclose(curve.survival, left, rtol=1e-9, atol=1e-12)
    inside = left > 0
    assert_allclose(curve.std_error[inside], np.sqrt(left * (1 - left) / duration.size)[inside], **EXACT)


@given(samples)
def test_entry_before_everything_changes_nothing(rows):
    duration, event, _ = (np.array(column) for column in zip(*rows, strict=True))
    same(kaplan_meier(duration, event), kaplan_meier(duration, event, entry=np.full(duration.size, -1.0)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"duration": [1, -2]}, "duration is negative for 1 of 2"),
        ({"duration": [1, np.nan]}, "duration is missing or not finite for 1 of 2"),
        ({"duration": [], "event": []}, "one duration for each of 1 or more people"),
        ({"duration": np.array([1, 2], "timedelta64[D]")}, "Convert it to a number of days"),
        ({"event": [0, 2]}, "1 of 2 entries other than 0 and 1"),
        ({"event": [True]}, "duration: 2, state: 1"),
        ({"entry": [0, 2]}, "entry is not before duration for 1 of 2"),
        ({"frequency": [1, -1]}, "frequency is negative for 1 of 2"),
        ({"frequency": [0, 0]}, "frequency is 0 for everyone"),
        ({"interval": "wald"}, "interval='wald' is not an option"),
        ({"conf_level": 95}, "Write 95% as conf_level=0.95"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(AnalysisError, match=words):
        kaplan_meier(**{"duration": [1, 2], "event": [True, False]} | arguments)


def test_a_quantile_outside_0_and_1_is_refused():
    with pytest.raises(AnalysisError, match="Write the median as proportion"):
        quantile(kaplan_meier([1, 2], [1, 1]), 50)


@pytest.mark.slow
def test_log_log_limits_cover_a_known_survival_in_small_samples():
    """Exponential times and censoring, 40 people: 95% within Monte Carlo error (2,000 samples, se 0.5%)."""
    random = np.random.default_rng(20)
    covered = []
    for _ in range(2000):
        work, leave = random.exponential(10, 40), random.exponential(30, 40)
        got = survival_at(kaplan_meier(np.minimum(work, leave), work <= leave), 7.0)
        covered.append(got.conf_low[0] <= np.exp(-0.7) <= got.conf_high[0])
    assert abs(np.mean(covered) - 0.95) < 0.02
