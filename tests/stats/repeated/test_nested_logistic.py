"""Logistic regression with people within sites: glmmTMB, lme4, the likelihood on a grid, properties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytest import approx
from scipy.integrate import trapezoid

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.nested_logistic import nested_logistic
from ipseval.stats.repeated.nested_quadrature import nested_likelihood
from ipseval.stats.repeated.padded_groups import padded_groups
from ipseval.stats.repeated.population_average import population_averaged
from ipseval.stats.repeated.random_effects_average import averaged_over_effects
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from tests import reference_cases
from tests.stats.repeated.clustered_examples import alpha
from tests.stats.repeated.random_effects_examples import CASE, repeated

EXPECTED = reference_cases.expected(CASE)["nested_site"]
FEW = "000 001 111 111 110 111 000 100 000 111 110 001"
THETA = np.array([-0.3, 0.4, 1.2, 0.7])


def few_people():
    """Twelve people in four sites, three visits each, by arm."""
    answers = np.array([float(a) for a in FEW.replace(" ", "")])
    person = np.repeat(np.arange(12), 3)
    return answers, np.c_[np.ones(36), person % 2], person, person // 3


def cells(*, sites=4):
    answers, X, person, site = (values[: 9 * sites] for values in few_people())
    return padded_groups(answers, X, person, np.zeros(answers.size), site)


def dealt(data):
    """Return a site of each row: people are dealt to three in order of their answers, so sites are alike."""
    _, person = np.unique(data.group, return_inverse=True)
    share = np.bincount(person, data.y) / np.bincount(person)
    return (np.argsort(np.argsort(share, kind="stable")) % 3)[person]


@pytest.mark.parametrize("form", ["straight", "by_month"])
def test_one_point_is_the_laplace_approximation_of_glmmtmb(form):
    want, fit = EXPECTED[form]["glmmTMB"], nested_logistic(*repeated("nested_site", form), points=1)
    assert fit.converged and not fit.at_boundary
    # Both are at the maximum of the same function; what is left are differences that make the Hessian.
    assert_allclose(fit.coefficients, want["coef"], atol=1e-6)
    assert_allclose(fit.std_error, want["se"], atol=1e-6)
    assert_allclose(fit.loadings, want["sd"], atol=1e-6)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-8)


def test_lme4_stops_a_little_below_the_same_maximum():
    want, fit = EXPECTED["straight"]["lme4"], nested_logistic(*repeated("nested_site"), points=1)
    assert_allclose(fit.coefficients, want["coef"], atol=5e-4)
    assert want["loglik"] < fit.log_likelihood < want["loglik"] + 1e-4


@pytest.mark.parametrize(
    ("points", "tolerance"), [(11, 3e-4), pytest.param(25, 1e-5, marks=pytest.mark.slow)]
)
def test_the_likelihood_itself(points, tolerance):
    # A fixed grid, maximised in R: 11 points are off by less than 3e-4, 25 by what differences in R leave.
    want, fit = EXPECTED["straight"]["exact"], nested_logistic(*repeated("nested_site"), points=points)
    assert_allclose(fit.coefficients, want["coef"], atol=tolerance)
    assert_allclose(fit.loadings, want["loadings"], atol=tolerance)
    assert_allclose(fit.std_error, want["se"], atol=tolerance)
    assert_allclose(np.sqrt(np.diag(fit.covariance))[-2:], want["se_loadings"], atol=tolerance)
    assert fit.log_likelihood == approx(want["loglik_finer_grid"], abs=1e-6 if points == 25 else 1e-3)
    assert not fit.note


@pytest.mark.parametrize("form", ["arm_by_month", "main_effects_adjusted"])
def test_without_sites_that_vary_it_is_the_random_intercept_model(form):
    data = alpha(adjusted=form == "main_effects_adjusted")
    fit = nested_logistic(data.y, data.X, data.group, dealt(data), points=5)
    alone = random_intercept_logistic(data.y, data.X, data.group, points=5)
    assert fit.at_boundary and fit.site_sd == 0.0
    assert "is 0" in fit.note
    assert_allclose(fit.coefficients, alone.coefficients, atol=1e-5)
    assert_allclose(fit.std_error, alone.std_error, atol=1e-5)
    assert fit.person_sd == approx(alone.random_intercept_sd, abs=1e-5)
    assert fit.log_likelihood == approx(alone.log_likelihood, abs=1e-8)
    assert np.isnan(fit.sd_limits(fit.weights_of_site)[1:]).all()
    assert_allclose(
        fit.sd_limits(fit.weights_of_person), [alone.random_intercept_sd, *alone.sd_limits()], atol=1e-4
    )


def test_case_c3_has_its_site_variance_at_zero_as_glmmtmb_and_lme4_have():
    want = reference_cases.expected("c3_glmm_alpha")["laplace_person_site"]["glmmTMB"]
    data, site = alpha(), reference_cases.data("c3_glmm_alpha")
    fit = nested_logistic(data.y, data.X, data.group, site["site"][site["employed"].notna()], points=1)
    # glmmTMB stops at a site sd of 5e-5 and not at 0: 1e-4 in coefficients, as its README asks of it.
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=1e-4)
    assert_allclose(fit.std_error, list(want["se"].values()), atol=1e-4)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-6)
    assert fit.site_sd == 0.0 and fit.person_sd == approx(want["sd"]["idf"], abs=1e-5)


def test_a_site_of_the_likelihood_by_scipy():
    answers, X, person, _ = (values[:9] for values in few_people())
    beta, (sigma, tau) = THETA[:2], THETA[2:]
    grid = np.linspace(-9.0, 9.0, 361)
    density = np.exp(-0.5 * grid**2) / np.sqrt(2.0 * np.pi)
    log_odds = X @ beta + tau * grid[:, None, None] + sigma * grid[None, :, None]
    each = 1.0 / (1.0 + np.exp(np.where(answers == 1.0, -log_odds, log_odds)))
    people = [trapezoid(each[:, :, person == i].prod(axis=2) * density, grid) for i in range(3)]
    want = np.log(trapezoid(np.prod(people, axis=0) * density, grid))
    # Trapezoidal sums of analytic functions are exact to rounding at a step of 0.05; 40 points leave 1e-9.
    assert nested_likelihood(THETA, cells(sites=1), 40).value == approx(want, abs=1e-8)


@pytest.mark.parametrize("points", [1, 2, 7])
@pytest.mark.parametrize("theta", [THETA, np.array([-0.3, 0.4, 1.2, 0.0]), np.array([-0.3, 0.4, 0.0, -0.7])])
def test_the_gradient_is_that_of_the_sum(points, theta):
    # Central differences of 1e-5 leave 1e-8.
    def value(step):
        return nested_likelihood(theta + step, cells(), points).value

    differences = [(value(step) - value(-step)) / 2e-5 for step in 1e-5 * np.eye(theta.size)]
    assert_allclose(nested_likelihood(theta, cells(), points).gradient, differences, atol=1e-7)


def test_order_of_rows_and_names_of_sites_do_not_matter():
    data = repeated("nested_site")
    order = np.random.default_rng(3).permutation(data.y.size)
    one = nested_logistic(*data, points=5)
    named = np.array([f"S{99 - int(site)}" for site in data.other])
    other = nested_logistic(data.y[order], data.X[order], data.group[order], named[order], points=5)
    assert_allclose(other.coefficients, one.coefficients, atol=1e-7)
    assert_allclose(other.loadings, one.loadings, atol=1e-7)


def test_swapping_yes_and_no_flips_every_sign():
    data = repeated("nested_site")
    one, other = nested_logistic(*data, points=5), nested_logistic(1 - data.y, *data[1:], points=5)
    assert_allclose(other.coefficients, -one.coefficients, atol=1e-7)
    assert_allclose(other.loadings, one.loadings, atol=1e-7)


def test_population_averages_are_those_of_the_random_intercept_model_where_sites_do_not_vary():
    data = alpha()
    fit = nested_logistic(data.y, data.X, data.group, dealt(data), points=5)
    rows = np.unique(data.X, axis=0)
    weights = np.repeat(fit.weights_of_both[None], len(rows), axis=0)
    alone = random_intercept_logistic(data.y, data.X, data.group, points=5)
    want = population_averaged(alone, rows)
    got = averaged_over_effects(fit, rows, weights, target=np.arange(len(rows)))
    assert_allclose(got.probability, want.probability, atol=1e-6)
    assert_allclose(got.std_error, want.std_error, atol=1e-6)


def test_what_cannot_be_fitted_is_refused_with_a_remedy():
    answers, X, person, site = few_people()
    with pytest.raises(AnalysisError, match="There is one site"):
        nested_logistic(answers, X, person, np.zeros(36))
    with pytest.raises(AnalysisError, match="12 of 12 groups have rows in more than one site"):
        nested_logistic(answers, X, person, np.tile([0, 0, 1], 12))
    with pytest.raises(AnalysisError, match="site is missing for 36 of 36 rows"):
        nested_logistic(answers, X, person, np.full(36, np.nan))
    separated = nested_logistic((person % 2).astype(float), X, person, site)
    assert not separated.converged and "separated" in separated.note


@pytest.mark.slow
def test_known_truth_laplace_puts_the_spread_of_people_too_low():
    """60 trials of 150 people, three visits, sd 1: medians of the numbers that the docstring states."""
    draw = np.random.default_rng(20261122)
    arm, found = np.arange(150) % 2, []
    for _ in range(60):
        log_odds = -1.7 + 1.1 * arm + draw.normal(size=150)
        y = (draw.random((150, 3)) < 1.0 / (1.0 + np.exp(-log_odds))[:, None]).astype(float).ravel()
        X, person = np.c_[np.ones(450), np.repeat(arm, 3)], np.repeat(np.arange(150), 3)
        fits = [random_intercept_logistic(y, X, person, points=points) for points in (1, 25)]
        found.append([fit.random_intercept_sd for fit in fits])
    laplace, exact = np.median(found, axis=0)
    assert 0.8 < laplace / exact < 0.95
    assert abs(exact - 1.0) < 0.15
