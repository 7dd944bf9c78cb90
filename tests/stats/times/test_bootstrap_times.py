"""Times of bootstrap replicates: against the kernels pinned to R, person by person, and against lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import count_weights, percentile_interval
from ipseval.stats.times.bootstrap_times import bootstrap_time_differences, time_replicates
from ipseval.stats.times.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.stats.times.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_time_lost,
)
from tests.reference_cases import data

HORIZON = 24


def arm(seed, n=40, highest=30):
    """Return months with many ties, two causes and censoring."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, highest + 1, n), rng.choice(3, n, p=[0.4, 0.4, 0.2])


def one_by_one(months, cause, horizon, counts):
    """Return the three numbers from the people of one replicate, each as often as drawn."""
    months, cause = np.repeat(months, counts), np.repeat(cause, counts)
    try:
        lost = restricted_time_lost(months, cause, horizon).estimate[0]
        free = restricted_mean(months, cause > 0, horizon).estimate[0]
    except AnalysisError:  # nobody drawn shows what happens up to the horizon
        return np.nan, np.nan, np.nan
    return incidence_at(cumulative_incidence(months, cause), [horizon]).incidence[0], lost, free


@pytest.mark.parametrize(("highest", "horizon"), [(30, 24), (30, 30), (24, 24), (12, 24)])
def test_each_replicate_is_what_the_kernels_pinned_to_r_say_of_the_people_drawn(highest, horizon):
    months, cause = arm(1, highest=highest)
    counts = np.concatenate(list(count_weights(np.zeros(40), 150, seed=2)))
    expected = [one_by_one(months, cause, horizon, row) for row in counts]
    found = np.transpose(time_replicates(months, cause, horizon, counts))
    # Sums and products of at most 40 terms of order one (or of the horizon), in another order.
    assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_lifelines_says_the_same_of_the_people_drawn():
    lifelines = pytest.importorskip("lifelines")  # absent beside pandas 3
    mean_up_to = lifelines.utils.restricted_mean_survival_time
    trial = data("b2_survival_alpha")
    days, event = trial["time"].to_numpy(), trial["status"].to_numpy() == 1
    counts = next(count_weights(np.zeros(len(days)), 100, seed=3))[:5]
    found = time_replicates(days, event, 365, counts)
    for k, row in enumerate(counts):
        fit = lifelines.KaplanMeierFitter().fit(np.repeat(days, row), np.repeat(event, row))
        assert found.incidence[k] == approx(1 - fit.predict(365), abs=1e-10)
        assert found.restricted_mean[k] == approx(mean_up_to(fit, t=365), abs=1e-9)


def test_without_competing_events_the_two_means_add_up_to_the_horizon():
    months, cause = arm(4, n=60)
    found = time_replicates(months, cause > 1, HORIZON, next(count_weights(np.zeros(60), 100, seed=5)))
    assert_allclose(found.time_lost + found.restricted_mean, HORIZON, atol=1e-12)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_order_of_tied_people_says_nothing(random):
    months, cause = arm(6)
    counts = next(count_weights(np.zeros(40), 100, seed=7))
    order = random.sample(range(40), 40)
    shuffled = time_replicates(months[order], cause[order], HORIZON, counts[:, order])
    assert_allclose(shuffled, time_replicates(months, cause, HORIZON, counts), atol=1e-12)


def test_a_replicate_that_ends_censored_before_the_horizon_is_missing():
    counts = np.array([[1, 1, 1], [2, 1, 0], [3, 0, 0], [0, 3, 0]])
    found = time_replicates([10, 20, 30], [1, 0, 1], 25, counts)
    assert np.isnan(found.incidence).tolist() == [False, True, False, True]
    assert found.restricted_mean[[0, 2]].tolist() == approx([10 + 2 / 3 * 15, 10])


def test_people_are_drawn_within_their_arm_and_stratum():
    active, reference = ([5, 9, 12], [1, 2, 0]), ([7, 12], [1, 0])
    alone = (["A", "B", "C"], ["A", "B"])
    fixed = bootstrap_time_differences(active, reference, 12, replicates=100, seed=1, strata=alone)
    assert np.ptp(fixed, axis=1) == approx(0)
    free = bootstrap_time_differences(active, reference, 12, replicates=100, seed=1)
    assert (np.nanmax(free, axis=1) > np.nanmin(free, axis=1)).all()


def test_the_spread_of_the_replicates_is_near_the_standard_error_of_the_formula():
    arms = [arm(seed, n=400) for seed in (8, 9)]
    draws = bootstrap_time_differences(*arms, HORIZON, replicates=2000, seed=10)
    formula = restricted_mean_difference(*(restricted_time_lost(*each, HORIZON) for each in arms))
    interval = percentile_interval(draws.time_lost, formula.estimate[0])
    # 2000 draws know a standard deviation to 1.6%; the two differ by terms that vanish with n.
    assert interval.std_error == approx(formula.std_error[0], rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 0}, "horizon=0 is not above 0"),
        ({"counts": np.ones((2, 3), dtype=int)}, "counts has shape .2, 3. for 2 people"),
        ({"cause": [1, 3]}, "cause has 1 of 2 entries other than 0, 1 and 2"),
        ({"duration": [1, -1]}, "negative"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given_ = {"duration": [1, 2], "cause": [1, 0], "horizon": 2, "counts": np.ones((1, 2), dtype=int)}
    with pytest.raises(AnalysisError, match=message):
        time_replicates(**given_ | change)
