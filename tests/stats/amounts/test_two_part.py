"""Two-part models against R, against the weighted mean, and what must hold of any of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts.censored_means import weighted_mean_amount
from ipseval.stats.amounts.two_part import bootstrap_two_part, two_part
from tests import reference_cases

R = reference_cases.expected("g3_amount_models")["two_part"]
DATA = reference_cases.data("c7_counts_alpha")
HOURS, ARM, PRIOR = (DATA[name].to_numpy() for name in ("hours", "arm", "prior_work_months"))
FOLLOWED = DATA["exposure_days"].to_numpy()
LOST = {"is_complete": FOLLOWED == 540, "followed_days": FOLLOWED}
CALLS = {
    "plain": lambda: two_part(HOURS, ARM),
    "adjusted": lambda: two_part(HOURS, ARM, PRIOR),
    "weighted": lambda: two_part(HOURS, ARM, PRIOR, **LOST),
}


@pytest.mark.parametrize("case", CALLS)
def test_means_parts_and_covariances_are_those_of_r(case):
    found, wanted = CALLS[case](), R[case]
    parts = [found.any_coefficients[1], found.positive_coefficients[1]]
    assert [*found.marginal.means, *parts] == approx(wanted["estimate"], rel=1e-9)
    covariance = np.array(wanted["covariance"])
    errors = np.sqrt(np.diag(covariance))
    # R's derivatives in the case weights are numerical.
    assert found.marginal.covariance / np.outer(errors, errors)[:2, :2] == approx(
        covariance[:2, :2] / np.outer(errors, errors)[:2, :2], abs=1e-5
    )
    assert [found.any_odds_ratio.std_error, found.positive_ratio.std_error] == approx(errors[2:], rel=1e-5)


def test_the_first_part_is_that_of_case_c7():
    logistic = reference_cases.expected("c7_counts_alpha")["hours_two_part"]["logistic"]["coef"]
    assert two_part(HOURS, ARM, PRIOR).any_coefficients == approx(list(logistic.values()), rel=1e-9)


def test_without_covariates_it_is_the_weighted_mean_with_the_same_influence():
    found, n = two_part(HOURS, ARM, **LOST).marginal, len(HOURS)
    for active in (True, False):
        mine = active == ARM
        mean = weighted_mean_amount(HOURS[mine], FOLLOWED[mine] == 540, FOLLOWED[mine])
        got, size = found.mean(active), mine.sum()
        assert got.estimate == approx(mean.estimate)
        assert got.std_error * np.sqrt((n - 2) / n) == approx(mean.std_error * np.sqrt((size - 1) / size))


def test_the_bootstrap_centres_on_the_estimate_and_agrees_with_the_delta_method():
    draws = bootstrap_two_part(HOURS, ARM, PRIOR, **LOST, replicates=400, seed=1)
    found = two_part(HOURS, ARM, PRIOR, **LOST).marginal
    assert draws.means == approx(found.means, rel=1e-8)
    interval, delta = draws.interval("difference"), found.contrast("difference")
    assert interval.n_failed == 0
    assert interval.std_error == approx(
        delta.std_error, rel=0.15
    )  # 400 draws: 2 x 3.5%, and the delta method
    assert draws.interval("ratio").estimate == approx(found.contrast("ratio").estimate, rel=1e-8)


people = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 0, 5, 20, 90, 300]), st.integers(0, 9)),
    min_size=12,
    max_size=30,
).filter(
    lambda rows: all(
        0 < sum(y > 0 for a, y, _ in rows if a == arm) < sum(a == arm for a, _, _ in rows)
        for arm in (True, False)
    )
)


@settings(max_examples=15, deadline=None)
@given(people, st.sampled_from([1 / 7, 24.0]), st.randoms())
def test_arms_swap_rows_shuffle_and_units_scale(rows, unit, random):
    arm, y, _ = (np.array(column) for column in zip(*rows, strict=True))
    assume((y > 0).sum() > 2)
    once = two_part(y, arm).marginal
    swapped = two_part(y, ~arm).marginal
    assert swapped.means == approx(once.means[::-1])
    assert swapped.contrast().estimate == approx(-once.contrast().estimate)
    assert swapped.contrast("ratio").estimate == approx(1 / once.contrast("ratio").estimate)
    order = random.sample(range(len(y)), len(y))
    scaled = two_part(unit * y[order], arm[order]).marginal
    spread = unit**2 * once.covariance
    assert scaled.covariance == approx(spread, rel=1e-6, abs=1e-9 * np.abs(spread).max())
    assert scaled.contrast("ratio")[:2] == approx(once.contrast("ratio")[:2])


HALF = [1] * 6 + [0] * 6
SOME = [0, 0, 30, 50, 9, 12, 0, 0, 20, 3, 8, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_part([-1, *SOME[1:]], HALF), "y is negative for 1 of 12 people"),
        (lambda: two_part([0] * 6 + SOME[6:], HALF), "Nobody of 6 in the active arm has any"),
        (lambda: two_part(SOME[:6] + [1] * 6, HALF), "Everybody of 6 in the reference arm has any"),
        (lambda: two_part([0, 3], [1, 0]), "cannot be estimated from 2 people"),
        (lambda: two_part(SOME, HALF, np.array(SOME) > 0), "predicted perfectly .*covariate 0"),
        (lambda: two_part(SOME, HALF, is_complete=[True] * 12), "Weights need is_complete and followed_days"),
        (
            lambda: two_part(SOME, HALF, is_complete=[0] * 6 + [1] * 6, followed_days=[90] * 12),
            "The active arm cannot be weighted. Nobody is complete",
        ),
        (
            lambda: two_part(SOME, HALF, [0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1]),
            "predicted perfectly .*covariate 0",
        ),
        (
            lambda: two_part(SOME, HALF, [3, 0, 1, 1, 1, 1, 0, 3, 1, 1, 1, 1]),
            "cannot be told apart among the 7 people",
        ),
    ],
)
def test_what_has_no_finite_fit_is_refused(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


def test_a_few_replicates_without_a_fit_are_left_out_and_counted_and_more_leave_no_interval():
    draws = bootstrap_two_part(SOME, HALF, seed=1, replicates=400)
    rest = draws.draws.copy()
    fitted = np.isfinite(rest).all(axis=1)
    rest = rest[fitted][:300]
    few, many = (
        replace(draws, draws=np.vstack([rest, np.full((lost, 2), np.nan)])).interval(may_fail=0.01)
        for lost in (3, 4)
    )
    difference = rest[:, 0] - rest[:, 1]
    assert [few.conf_low, few.conf_high] == approx(np.quantile(difference, [0.025, 0.975]))
    assert few.note == "3 of 303 replicates have no fit and are left out"
    assert np.isnan(many.conf_low)
    assert many.note == "the statistic has no value in 4 of 304 replicates."


@pytest.mark.slow
def test_the_interval_of_the_difference_covers_a_known_truth():
    # Share with any logistic in arm and x, gamma amounts log-linear in arm and x; truth by averaging over x.
    rng, covered, n = np.random.default_rng(20240501), 0, 300
    x = rng.normal(size=200_000)
    truth = [
        float((1 / (1 + np.exp(0.5 - 0.8 * a - 0.5 * x)) * np.exp(3 + 0.3 * a + 0.4 * x)).mean())
        for a in (1, 0)
    ]
    for _ in range(400):
        a, x = rng.permutation(n) < n / 2, rng.normal(size=n)
        has = rng.random(n) < 1 / (1 + np.exp(0.5 - 0.8 * a - 0.5 * x))
        y = np.where(has, rng.gamma(0.8, np.exp(3 + 0.3 * a + 0.4 * x) / 0.8), 0.0)
        limits = two_part(y, a, x).marginal.contrast()
        covered += limits.conf_low <= truth[0] - truth[1] <= limits.conf_high
    assert covered / 400 == approx(0.945, abs=0.03)  # three Monte Carlo standard errors of 1.1%
