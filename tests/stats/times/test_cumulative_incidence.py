"""Cumulative incidence against R's cmprsk and survival, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cumulative_incidence import INTERVALS, VARIANCES, cumulative_incidence, incidence_at
from ipseval.stats.times.kaplan_meier import kaplan_meier
from tests.reference_cases import data, expected

# Closed-form sums: only the order of additions differs from R's.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
GROUPS = {"b3_competing_alpha": "arm", "b4_competing_mgus2": "female"}
EVERY = [(case, group, of) for case in GROUPS for group in (0, 1) for of in (1, 2)]


def sample_of(case, group):
    frame = data(case)
    frame = frame[frame[GROUPS[case]] == group]
    return {"duration": frame["time"], "cause": frame["cr_status"]}


def test_every_time_is_kept_exactly_where_events_and_censoring_tie():
    """Ten people, all censored at month 3 but for one job and one death there: 0.1 + 0.8 / 8 by hand."""
    curve = cumulative_incidence([1, 2, 3, 3, 3, 3, 3, 3, 3, 3], [1, 2, 1, 2, 0, 0, 0, 0, 0, 0])
    assert curve.incidence.tolist() == pytest.approx([0.1, 0.1, 0.2])
    assert curve.event_free.tolist() == pytest.approx([0.9, 0.8, 0.6])


@pytest.mark.parametrize(("case", "group", "of"), EVERY)
def test_estimate_and_aalen_variance_agree_with_cmprsk(case, group, of):
    found = expected(case)
    times = found["cuminc_times"]
    curve = cumulative_incidence(**sample_of(case, group), of=of, variance="aalen")
    got = incidence_at(curve, times)
    key = f"{group} {of}"
    assert_allclose(got.incidence, [found["cuminc_est"][key][str(t)] for t in times], **EXACT)
    assert_allclose(got.std_error**2, [found["cuminc_var"][key][str(t)] for t in times], **EXACT)


@pytest.mark.parametrize(("case", "group", "of"), EVERY)
def test_estimate_and_greenwood_variance_agree_with_survfit(case, group, of):
    name = {1: "event", 2: "competing"}[of]
    rows = [row for row in expected(case)["survfit_aj"] if row["group"] == f"g={group}"]
    got = incidence_at(cumulative_incidence(**sample_of(case, group), of=of), [row["time"] for row in rows])
    assert_allclose(got.incidence, [row[f"p_{name}"] for row in rows], **EXACT)
    assert_allclose(got.event_free, [row["p_event_free"] for row in rows], **EXACT)
    assert_allclose(got.std_error, [row[f"se_{name}_infjack"] for row in rows], **EXACT)


rows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(1, 3)), min_size=2, max_size=40)


def columns(sample):
    return (np.array(column) for column in zip(*sample, strict=True))


@given(rows)
def test_without_competing_events_it_is_one_minus_kaplan_meier_with_the_same_limits(sample):
    duration, cause, _ = columns(sample)
    event = cause > 0
    incidence = cumulative_incidence(duration, event.astype(int), interval="complementary log-log")
    survival = kaplan_meier(duration, event)
    assert_allclose(incidence.incidence, 1 - survival.survival, **EXACT)
    left = survival.survival > 0
    assert_allclose(incidence.std_error[left], survival.std_error[left], rtol=1e-7, atol=1e-9)
    assert_allclose(incidence.conf_low[left], 1 - survival.conf_high[left], rtol=1e-6, atol=1e-9)
    assert_allclose(incidence.conf_high[left], 1 - survival.conf_low[left], rtol=1e-6, atol=1e-9)


@given(rows)
def test_the_two_causes_and_staying_free_of_both_add_to_one(sample):
    duration, cause, _ = columns(sample)
    one, two = (cumulative_incidence(duration, cause, of=of) for of in (1, 2))
    assert_allclose(one.incidence + two.incidence + one.event_free, 1.0, rtol=1e-12)


@pytest.mark.parametrize("variance", VARIANCES)
@given(sample=rows)
def test_a_frequency_is_the_row_repeated(variance, sample):
    duration, cause, times = columns(sample)
    short = cumulative_incidence(duration, cause, frequency=times, variance=variance)
    long = cumulative_incidence(np.repeat(duration, times), np.repeat(cause, times), variance=variance)
    for ours, theirs in zip(short, long, strict=True):
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@given(rows)
def test_without_censoring_the_variance_is_binomial(sample):
    duration, cause, _ = columns(sample)
    cause = np.where(cause == 0, 2, cause)
    curve = cumulative_incidence(duration, cause)
    share = np.array([((duration <= time) & (cause == 1)).mean() for time in curve.time])
    assert_allclose(curve.incidence, share, **EXACT)
    assert_allclose(curve.std_error**2, share * (1 - share) / duration.size, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("interval", INTERVALS)
def test_limits_stay_within_0_and_1_and_hold_the_estimate(interval):
    curve = cumulative_incidence(**sample_of("b3_competing_alpha", 1), interval=interval)
    inside = curve.incidence > 0
    ordered = np.stack([curve.conf_low, curve.incidence, curve.conf_high])[:, inside]
    assert (np.diff(ordered, axis=0) > 0).all()
    assert ordered.min() >= 0
    assert ordered.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cause": [1, 3]}, "cause has 1 of 2 entries other than 0, 1 and 2"),
        ({"cause": [1, np.nan]}, "cause is missing or not finite for 1 of 2"),
        ({"of": 3}, "of=3 is not an option"),
        ({"variance": "gray"}, "variance='gray' is not an option"),
        ({"interval": "wald"}, "interval='wald' is not an option"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(AnalysisError, match=words):
        cumulative_incidence(**{"duration": [1, 2], "cause": [1, 2]} | arguments)
