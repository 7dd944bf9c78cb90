"""Counts with an intercept per person against glmmTMB, lme4 and quadrature in R, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from pytest import approx
from scipy.integrate import quad
from scipy.special import gammaln

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.count_quadrature import count_likelihood, hessian, people_blocks
from ipseval.stats.repeated.negative_binomial_mixed import NegativeBinomialMixed, negative_binomial_mixed
from tests import reference_cases

R = reference_cases.expected("c11_counts_by_period")
TRIAL = reference_cases.data("c11_counts_by_period")
EPIL = reference_cases.data("c11_counts_by_period", "epil.csv")
PERIODS = (TRIAL["period"].to_numpy()[:, None] == np.arange(1, 5)).astype(float)
X = np.hstack([PERIODS, PERIODS * TRIAL[["arm"]].to_numpy()])
Y, PERSON, DAYS = (TRIAL[name].to_numpy() for name in ("y", "person", "exposure"))
BASE, DRUG = EPIL["base8"].to_numpy(), EPIL["progabide"].to_numpy()
EPIL_X = np.column_stack([np.ones(len(EPIL)), BASE, DRUG, EPIL["period4"], BASE * DRUG])


def trial_fit(points: int = 25) -> NegativeBinomialMixed:
    return negative_binomial_mixed(Y, X, PERSON, exposure=DAYS, points=points)


def epil_fit(points: int = 25) -> NegativeBinomialMixed:
    return negative_binomial_mixed(EPIL["y"], EPIL_X, EPIL["person"], points=points)


FITS = {"trial": trial_fit, "epil": epil_fit}


@pytest.fixture(scope="module")
def fit() -> NegativeBinomialMixed:
    return trial_fit()


@pytest.mark.parametrize("case", FITS)
def test_25_points_agree_with_quadrature_in_r(case: str) -> None:
    found, other = FITS[case](), R[case]["agq_25"]
    # Newton's method on numerical derivatives leaves about 1e-8 in R.
    assert found.coefficients == approx(other["coef"], abs=1e-6)
    assert found.random_intercept_sd == approx(other["sd"], rel=1e-6)
    assert found.overdispersion == approx(other["alpha"], rel=1e-6)
    assert found.log_likelihood == approx(other["loglik"], abs=1e-8)
    assert found.std_error == approx(other["se"], rel=1e-5)
    covariance = np.array(other["covariance"])
    assert np.abs(found.covariance - covariance).max() < 1e-5 * np.abs(covariance).max()


@pytest.mark.parametrize("case", FITS)
def test_the_integral_is_that_of_rs_adaptive_quadrature(case: str) -> None:
    assert FITS[case]().log_likelihood == approx(R[case]["agq_25"]["loglik_integrate"], abs=1e-7)


@pytest.mark.parametrize("case", FITS)
def test_one_point_is_the_laplace_approximation_of_glmmtmb(case: str) -> None:
    found, other = FITS[case](points=1), R[case]["glmmTMB_laplace"]
    # glmmTMB stops where its optimiser is satisfied, about 1e-5 of a standard error away.
    assert found.log_likelihood == approx(other["loglik"], abs=1e-6)
    assert found.coefficients == approx(other["coef"], abs=5e-5)
    assert found.std_error == approx(other["se"], rel=1e-3)
    assert [found.random_intercept_sd, found.overdispersion] == approx(
        [other["sd"], other["alpha"]], rel=1e-4
    )


def test_site_levels_of_case_c7_are_at_their_boundary() -> None:
    data, other = (
        reference_cases.data("c7_counts_alpha"),
        reference_cases.expected("c7_counts_alpha")["weeks_worked"],
    )
    columns = np.column_stack([np.ones(len(data)), data["arm"], data["prior_work_months"]])
    found = negative_binomial_mixed(
        data["weeks_worked"], columns, data["site"], exposure=data["exposure_days"], points=1
    )
    # glmmTMB stops at sd = 2e-4; the likelihood there is that of sd = 0.
    assert found.random_intercept_sd == 0.0 and "levels is 0" in found.note
    assert found.log_likelihood == approx(other["nbinom2_site"]["loglik"], abs=1e-6)
    assert found.coefficients == approx(list(other["nbinom2_site"]["coef"].values()), abs=1e-5)
    assert found.std_error == approx(list(other["nbinom2"]["se"].values()), rel=1e-4)
    assert np.isnan(found.sd_limits()).all() and not np.isnan(found.overdispersion_limits()).any()


def test_poisson_counts_have_lme4s_likelihood() -> None:
    other = R["epil"]["poisson_agq_25"]
    counts = EPIL["y"].to_numpy(float)
    blocks = people_blocks(counts, EPIL_X, np.zeros(len(EPIL)), EPIL["person"].to_numpy() - 1)
    here = count_likelihood(np.r_[other["coef"], np.log(other["sd"])], blocks, 25)
    assert here.value == approx(other["loglik"], abs=1e-8)
    # lme4 stops within a thousandth of a standard error: the next Newton step, squared.
    assert here.gradient @ np.linalg.solve(-here.curvature, here.gradient) < 1e-6


def test_means_over_people_and_their_covariance_are_those_of_r(fit: NegativeBinomialMixed) -> None:
    both = np.vstack([np.hstack([np.eye(4), np.zeros((4, 4))]), np.hstack([np.eye(4), np.eye(4)])])
    found = fit.means(both, np.arange(8), np.full(8, 182.0))
    assert found.mean == approx(R["trial"]["means"]["mean"], rel=1e-6)
    covariance = np.array(R["trial"]["means"]["covariance"])
    assert np.abs(found.covariance - covariance).max() < 1e-5 * np.abs(covariance).max()


def test_a_persons_integral_by_brute_force() -> None:
    rng = np.random.default_rng(3)
    y, columns, offset = np.array([0.0, 4.0, 19.0]), rng.normal(size=(3, 2)), np.array([0.1, -0.4, 0.3])
    theta = np.array([0.5, -0.2, np.log(1.4), np.log(0.7)])

    def joint(b: float) -> float:
        mean, a = np.exp(offset + columns @ theta[:2] + b), 0.7
        log_f = gammaln(y + 1 / a) - gammaln(1 / a) - gammaln(y + 1) + y * np.log(a * mean)
        total = (log_f - (y + 1 / a) * np.log1p(a * mean)).sum() - b**2 / (2 * 1.4**2)
        return float(np.exp(total) / (1.4 * np.sqrt(2 * np.pi)))

    here = count_likelihood(theta, people_blocks(y, columns, offset, np.zeros(3, dtype=np.intp)), 40)
    assert here.value == approx(np.log(quad(joint, -20, 20, epsabs=0, epsrel=1e-12)[0]), abs=1e-10)


@pytest.mark.parametrize("points", [1, 3, 25])
@pytest.mark.parametrize("is_poisson", [False, True])
def test_the_gradient_is_that_of_the_sum(points: int, is_poisson: bool) -> None:
    blocks = people_blocks(Y.astype(float), X, np.log(DAYS), PERSON - 1)
    theta = np.r_[np.full(4, -4.0), np.full(4, 0.3), -0.2, *([] if is_poisson else [-0.5])]
    here = count_likelihood(theta, blocks, points)
    steps = 1e-5 * np.eye(theta.size)
    slope = [
        count_likelihood(theta + s, blocks, points).value - count_likelihood(theta - s, blocks, points).value
        for s in steps
    ]
    assert here.gradient == approx(np.array(slope) / 2e-5, abs=1e-5)
    if points == 25:  # Louis' formula is about the integral
        exact = hessian(theta, blocks, points, here.modes)
        assert np.abs(here.curvature - exact).max() < 1e-6 * np.abs(exact).max()


def test_the_fit_is_the_same_whatever_the_order_and_the_unit_of_time(fit: NegativeBinomialMixed) -> None:
    order = np.random.default_rng(1).permutation(len(Y))
    other = negative_binomial_mixed(
        Y[order], X[order], np.array([f"p{p}" for p in PERSON[order]]), exposure=DAYS[order] / 7
    )
    shift = np.r_[np.full(4, np.log(7)), np.zeros(4)]
    assert other.coefficients == approx(fit.coefficients + shift, abs=1e-7)
    assert other.covariance == approx(fit.covariance, abs=1e-7)


def test_ratios_within_a_person_are_ratios_of_means(fit: NegativeBinomialMixed) -> None:
    both = np.vstack([np.eye(8)[:1], np.eye(8)[:1] + np.eye(8)[4:5]])
    means, weights = fit.means(both, [0, 1], [182.0, 182.0]), np.eye(8)[4]
    conditional, marginal = fit.log_contrast(weights), means.ratio(1, 0)
    assert marginal[:7] == approx(conditional[:7])
    difference = means.difference(1, 0)
    assert difference.estimate == approx(means.mean[1] - means.mean[0])
    assert difference.p_value == approx(conditional.p_value)
    assert difference.conf_low < difference.estimate < difference.conf_high


def test_more_points_hardly_move_a_fit_and_few_are_said(fit: NegativeBinomialMixed) -> None:
    assert fit.points_movement < 1e-4 and fit.note == ""
    assert trial_fit(50).log_likelihood == approx(fit.log_likelihood, abs=1e-6)


def test_levels_and_overdispersion_at_their_boundaries_are_said() -> None:
    rng = np.random.default_rng(5)
    person, columns = np.repeat(np.arange(60), 4), np.ones((240, 1))
    alike = negative_binomial_mixed(rng.poisson(3.0, 240), columns, person)
    assert alike.random_intercept_sd == 0.0 and alike.overdispersion == 0.0
    assert "levels is 0" in alike.note and "not overdispersed" in alike.note
    # Four of the same count each vary less than Poisson's would, whatever the levels.
    levels = np.repeat(rng.poisson(3.0 * np.exp(rng.normal(size=60))), 4)
    poisson = negative_binomial_mixed(levels, columns, person)
    assert poisson.overdispersion == 0.0 and "not overdispersed" in poisson.note
    assert poisson.random_intercept_sd > 0.5 and np.isnan(poisson.overdispersion_limits()).all()


def test_a_higher_maximum_far_from_no_spread_is_found_and_told_by_what_it_expects() -> None:
    # Most have none and the others much: sd = 0 is a maximum too, and the lower one.
    person = np.repeat(np.arange(40), 3)
    y = np.where(person % 3 == 0, 20 + 7 * (np.arange(120) % 5), 0)
    found = negative_binomial_mixed(y, np.ones((120, 1)), person)
    assert found.log_likelihood > found.log_likelihood_sd_zero + 10
    assert found.expected_over_seen > 100 and "too few" in found.note


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: negative_binomial_mixed([0.5, 1, 2, 1], np.ones((4, 1)), [1, 1, 2, 2]),
            "1 of 4 entries that",
        ),
        (
            lambda: negative_binomial_mixed([0, 1, 2], np.ones((3, 1)), [1, 2, 3]),
            "3 people has a single count",
        ),
        (
            lambda: negative_binomial_mixed(
                [0, 1, 2, 1], np.ones((4, 1)), [1, 1, 2, 2], exposure=[1, 0, 1, 1]
            ),
            "exposure is not above 0 for 1 of 4",
        ),
        (
            lambda: negative_binomial_mixed([0, 1, 2, 1], np.ones((4, 2)), [1, 1, 2, 2]),
            "1 column out of 2 that can be computed",
        ),
        (
            lambda: negative_binomial_mixed(
                [3, 1, 0, 0],
                np.c_[np.ones(4), [0, 0, 1, 1]],
                [1, 1, 2, 2],
                names=("level", "arm"),
            ),
            r"separated.*arm",
        ),
        (lambda: trial_fit(0), "points=0 is not a whole number"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        call()


@pytest.mark.slow
def test_a_known_truth_is_covered() -> None:
    rng, covered, estimates = np.random.default_rng(20), [], []
    person, arm = np.repeat(np.arange(100), 4), np.repeat(np.arange(100) % 2, 4)
    columns = np.column_stack([np.ones(400), arm])
    for _ in range(60):
        mean = np.exp(1.0 + 0.5 * arm + 0.8 * rng.normal(size=100)[person])
        found = negative_binomial_mixed(
            rng.poisson(mean * rng.gamma(2.0, 0.5, 400)), columns, person, points=9
        )
        ratio = found.log_contrast([0, 1], is_log=False)
        estimates.append(ratio.estimate)
        covered.append(ratio.conf_low < 0.5 < ratio.conf_high)
    assert np.mean(estimates) == approx(0.5, abs=3 * np.std(estimates) / np.sqrt(60))
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60)
