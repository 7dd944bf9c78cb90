"""Turnbull's estimate against npsurv, a published one, Kaplan-Meier, and slow plain self-consistency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.interval_censoring import (
    turnbull,
    turnbull_bootstrap,
    turnbull_difference,
    turnbull_survival_at,
)
from ipseval.stats.times.kaplan_meier import kaplan_meier, survival_at
from tests.reference_cases import data, expected

CASE = "b6_interval_alpha"
# Both maxima are certified by the Kuhn-Tucker conditions, ours to 1e-9 and npsurv's to 1e-12.
CERTIFIED = {"rtol": 1e-6, "atol": 1e-8}
NAN = float("nan")


def arm(group):
    frame = data(CASE)
    own = frame[frame["arm"] == group]
    return own["left"].to_numpy(), own["right"].to_numpy()


def random_intervals(n, seed):
    """Return intervals between visits about every 6 months, of exponential event times."""
    rng = np.random.default_rng(seed)
    visits = np.cumsum(np.column_stack([np.zeros(n), rng.integers(150, 220, (n, 5))]), axis=1)
    time = rng.exponential(600, n)
    place = (visits < time[:, None]).sum(axis=1)
    right = np.append(visits, np.full((n, 1), NAN), axis=1)[np.arange(n), place]
    return visits[np.arange(n), place - 1], right


def self_consistent(left, right, cells, steps=20_000):
    """Return masses by Turnbull's equations and nothing else, on the given intervals."""
    right = np.where(np.isnan(right), np.inf, right)
    covers = (left[:, None] <= cells[0]) & (cells[1] <= right[:, None])
    mass = np.full(cells[0].size, 1 / cells[0].size)
    for _ in range(steps):
        mass = mass * (covers / (covers @ mass)[:, None]).mean(axis=0)
    return mass, np.log(covers @ mass).sum()


@pytest.mark.parametrize("group", [0, 1])
def test_agrees_with_npsurv(group):
    found = expected(CASE)
    theirs, curve = found[f"npmle_group_{group}"], turnbull(*arm(group))
    has_mass = curve.mass > 1e-9
    assert curve.loglik == pytest.approx(theirs["loglik"], rel=1e-10)
    assert_allclose(curve.left[has_mass], theirs["left"])
    assert_allclose(curve.right[has_mass], theirs["right"])
    assert_allclose(curve.mass[has_mass], theirs["p"], **CERTIFIED)
    for end in ("left", "right"):
        survival = turnbull_survival_at(curve, found["grid"], mass_at=end)
        assert_allclose(survival, theirs[f"surv_at_grid_by_{end}_end"], **CERTIFIED)
    assert curve.converged


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_is_the_limit_of_self_consistency_and_more_likely_than_its_steps(seed):
    left, right = random_intervals(80, seed)
    curve = turnbull(left, right)
    _, loglik = self_consistent(left, right, (curve.left, curve.right))
    assert loglik <= curve.loglik + 1e-9
    assert loglik == pytest.approx(curve.loglik, abs=1e-3)
    assert curve.gap <= 1e-9
    assert curve.mass.sum() == pytest.approx(1, abs=1e-12)


def test_the_gap_bounds_what_is_left_to_gain():
    """Gentleman and Geyer: with derivatives at most n (1 + gap), no distribution gains more than n gap."""
    left, right = random_intervals(60, 4)
    curve = turnbull(left, right)
    rng = np.random.default_rng(5)
    high = np.where(np.isnan(right), np.inf, right)
    covers = (left[:, None] <= curve.left) & (curve.right <= high[:, None])
    for _ in range(200):
        other = 0.9 * curve.mass + 0.1 * rng.dirichlet(np.full(curve.mass.size, 0.3))
        assert np.log(covers @ other).sum() <= curve.loglik + 60 * curve.gap + 1e-9


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=20))
def test_known_days_and_right_censoring_give_kaplan_meier(people):
    time, event = np.array(people).T
    if not event.any():
        return
    curve = turnbull(time, np.where(event, time, NAN))
    days = np.arange(0, time.max() + 1)
    kept = survival_at(kaplan_meier(time, event), days).survival
    assert_allclose(turnbull_survival_at(curve, days), kept, rtol=1e-6, atol=1e-7)


def test_someone_censored_on_a_day_is_still_at_risk_on_it():
    """(5, 9] has no part in common with [5, 5], nor (2, 5] with (5, 9]; but (2, 5] holds day 5."""
    curve = turnbull([5, 5, 2], [9, 5, 5])
    assert list(zip(curve.left, curve.right, strict=True)) == [(5, 5), (5, 9)]
    assert_allclose(curve.mass, [2 / 3, 1 / 3], atol=1e-9)


def test_bounds_hold_the_even_curve():
    curve = turnbull(*random_intervals(60, 6))
    days = np.linspace(0, curve.left[-1], 50)
    low, even, high = (
        turnbull_survival_at(curve, days, mass_at=place) for place in ("left", "even", "right")
    )
    assert (low <= even + 1e-12).all()
    assert (even <= high + 1e-12).all()
    assert np.isnan(turnbull_survival_at(curve, curve.left[-1] + 1, mass_at="even")).all()


def test_a_row_that_stands_for_three_people_is_three_rows():
    left, right = random_intervals(40, 7)
    frequency = np.random.default_rng(8).integers(0, 4, 40)
    told = turnbull(left, right, frequency=frequency)
    repeated = turnbull(np.repeat(left, frequency), np.repeat(right, frequency))
    assert told.loglik == pytest.approx(repeated.loglik, rel=1e-9)
    assert_allclose(told.mass, repeated.mass, **CERTIFIED)


def test_bootstrap_of_a_single_visit_is_that_of_a_proportion():
    left, right = np.repeat([0, 180], [30, 50]), np.repeat([180, NAN], [30, 50])
    found = turnbull_bootstrap(left, right, 180, replicates=2000, seed=1)
    assert found.estimate[0] == pytest.approx(5 / 8)
    assert found.std_error[0] == pytest.approx(np.sqrt(30 * 50 / 80**3), rel=0.05)


def test_difference_is_that_of_the_arms_and_the_seed_decides_the_limits():
    arms, grid = (arm(1), arm(0)), expected(CASE)["grid"]
    first, again = (turnbull_difference(*arms, grid, replicates=100, seed=3) for _ in range(2))
    active, reference = (turnbull_survival_at(turnbull(*one), grid) for one in arms)
    assert_allclose(first.estimate, active - reference, atol=1e-8)
    assert_allclose(first.conf_low, again.conf_low)
    assert (first.conf_low < first.estimate).all()
    assert (first.estimate < first.conf_high).all()


def test_refusals():
    with pytest.raises(AnalysisError, match="right is before left for 1 of 2 people"):
        turnbull([5, 1], [4, 2])
    with pytest.raises(AnalysisError, match="left is missing or not finite for 1 of 2"):
        turnbull([NAN, 1], [4, 2])
    with pytest.raises(AnalysisError, match="left is negative for 1 of 2"):
        turnbull([-1, 1], [4, 2])
    with pytest.raises(AnalysisError, match="frequency is 0 for everyone"):
        turnbull([0], [1], frequency=[0])
    with pytest.raises(AnalysisError, match="mass_at='middle' is not an option"):
        turnbull_survival_at(turnbull([0], [1]), 1, mass_at="middle")


@pytest.mark.slow
def test_finds_a_known_survival_at_planned_visits():
    """Three visits on one schedule, exponential times, some visits missed: bootstrap limits cover it."""
    rng, visits, covered = np.random.default_rng(10), np.array([0, 180, 540, 900]), 0
    truth = np.exp(-540 / 800)
    for _ in range(120):
        time = rng.exponential(800, 100)
        came = np.column_stack([np.ones(100, bool), rng.random((100, 3)) < 0.85])
        left = np.where(came & (visits < time[:, None]), visits, 0).max(axis=1)
        right = np.where(came & (visits >= time[:, None]), visits, np.inf).min(axis=1)
        right[np.isinf(right)] = NAN
        found = turnbull_bootstrap(left, right, 540, replicates=100, seed=1)
        covered += found.conf_low[0] <= truth <= found.conf_high[0]
    assert covered / 120 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 120))
