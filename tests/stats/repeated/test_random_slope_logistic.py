"""Random intercept and slope of a person: glmmTMB, lme4, the likelihood on a grid, properties, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytest import approx
from scipy.integrate import trapezoid

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.padded_groups import padded_groups
from ipseval.stats.repeated.plane_quadrature import random_slope_likelihood
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from ipseval.stats.repeated.random_slope_logistic import random_slope_logistic
from tests import reference_cases
from tests.stats.repeated.random_effects_examples import CASE, repeated

EXPECTED = reference_cases.expected(CASE)["random_slope"]
FEW = "0000 0001 0011 0111 1111 1000 1100 0100 0010 0101 1110 0000"
THETA = np.array([-0.7, 0.4, 1.1, -0.5, 0.8])


def few_people(rows=12):
    """Twelve people at four times, by arm, and their cells."""
    answers = np.array([float(a) for a in FEW.replace(" ", "")])[: 4 * rows]
    person, time = np.repeat(np.arange(rows), 4), np.tile([-1.0, -0.2, 0.5, 1.2], rows)
    X = np.c_[np.ones(answers.size), person % 2]
    return answers, X, person, time


def cells(rows=12):
    answers, X, person, time = few_people(rows)
    return padded_groups(answers, X, person, time, np.zeros_like(person))


@pytest.mark.parametrize("form", ["straight", "by_month"])
def test_one_point_is_the_laplace_approximation_of_glmmtmb(form):
    want, fit = EXPECTED[form]["glmmTMB"], random_slope_logistic(*repeated("random_slope", form), points=1)
    assert fit.converged and not fit.at_boundary
    # Both are at the maximum of the same function; what is left are differences that make the Hessian.
    assert_allclose(fit.coefficients, want["coef"], atol=1e-6)
    assert_allclose(fit.std_error, want["se"], atol=1e-6)
    assert_allclose(np.sqrt(np.diag(fit.random_effects_covariance)), want["sd"], atol=1e-6)
    assert fit.random_effects_correlation == approx(want["correlation"], abs=1e-6)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-8)


def test_lme4_stops_a_little_below_the_same_maximum():
    want, fit = EXPECTED["straight"]["lme4"], random_slope_logistic(*repeated("random_slope"), points=1)
    assert_allclose(fit.coefficients, want["coef"], atol=5e-4)
    assert want["loglik"] < fit.log_likelihood < want["loglik"] + 1e-4


@pytest.mark.parametrize(
    ("points", "tolerance"), [(15, 1e-4), pytest.param(25, 1e-5, marks=pytest.mark.slow)]
)
def test_the_likelihood_itself(points, tolerance):
    # A fixed grid, maximised in R: 15 points are off by less than 1e-4, 25 by what differences in R leave.
    want = EXPECTED["straight"]["exact"]
    fit = random_slope_logistic(*repeated("random_slope"), points=points)
    l1, l2, l3 = want["loadings"]
    assert_allclose(fit.coefficients, want["coef"], atol=tolerance)
    assert_allclose(fit.std_error, want["se"], atol=tolerance)
    lower = np.array([[l1, 0.0], [l2, l3]])
    assert_allclose(fit.random_effects_covariance, lower @ lower.T, atol=20 * tolerance)
    assert fit.log_likelihood == approx(
        want["loglik_finer_grid"], abs=tolerance / 10 if points == 25 else 1e-4
    )
    assert fit.points_movement < 1e-3 and not fit.note


def test_the_likelihood_of_few_people_by_scipy():
    answers, X, person, time = few_people(3)
    beta, (l1, l2, l3) = THETA[:2], THETA[2:]
    u = np.linspace(-9.0, 9.0, 361)
    u1, u2 = u[:, None, None], u[None, :, None]
    log_odds = X @ beta + l1 * u1 + time * (l2 * u1 + l3 * u2)
    each = 1.0 / (1.0 + np.exp(np.where(answers == 1.0, -log_odds, log_odds)))
    density = np.exp(-0.5 * (u1**2 + u2**2))[:, :, 0] / (2.0 * np.pi)
    want = sum(
        np.log(trapezoid(trapezoid(each[:, :, person == i].prod(axis=2) * density, u), u)) for i in range(3)
    )
    # Trapezoidal sums of analytic functions are exact to rounding at a step of 0.05; 40 points leave 1e-9.
    assert random_slope_likelihood(THETA, cells(3), 40).value == approx(want, abs=1e-8)


@pytest.mark.parametrize("points", [1, 2, 7])
@pytest.mark.parametrize(
    "theta", [THETA, np.array([-0.7, 0.4, 1.1, -0.5, 0.0]), np.array([0.1, 0.2, 0.0, 0.3, 0.4])]
)
def test_the_gradient_is_that_of_the_sum(points, theta):
    # Central differences of 1e-5 leave 1e-8.
    def value(step):
        return random_slope_likelihood(theta + step, cells(), points).value

    steps = 1e-5 * np.eye(theta.size)
    differences = [(value(step) - value(-step)) / 2e-5 for step in steps]
    assert_allclose(random_slope_likelihood(theta, cells(), points).gradient, differences, atol=1e-7)


def test_people_who_are_alike_are_counted_and_nothing_else_changes():
    answers, X, person, time = few_people()
    alone = cells()
    twice = padded_groups(
        np.tile(answers, 2),
        np.tile(X, (2, 1)),
        np.r_[person, person + 12],
        np.tile(time, 2),
        np.zeros(96, int),
    )
    assert len(twice.frequency) == len(alone.frequency) < 24
    one, two = (random_slope_likelihood(THETA, each, 9) for each in (alone, twice))
    assert two.value == approx(2 * one.value)
    assert_allclose(two.gradient, 2 * one.gradient)


def test_order_of_rows_unit_of_time_and_names_do_not_matter():
    data = repeated("random_slope")
    order = np.random.default_rng(3).permutation(data.y.size)
    renamed = np.array([f"P{99999 - int(name)}" for name in data.group])
    one = random_slope_logistic(*data, points=5)
    other = random_slope_logistic(
        data.y[order], data.X[order], renamed[order], 12 * data.other[order] + 7, points=5
    )
    assert_allclose(other.coefficients, one.coefficients, atol=1e-7)
    assert_allclose(other.std_error, one.std_error, atol=1e-6)
    slopes = one.random_effects_covariance[1, 1], other.random_effects_covariance[1, 1]
    assert slopes[0] == approx(12**2 * slopes[1], rel=1e-6)


def test_where_slopes_do_not_vary_the_answer_is_that_of_a_random_intercept():
    # No person's answers rise or fall as far as chance would have it: 0011 and 1100 never occur.
    patterns = 8 * ["0000", "1111"] + 3 * ["0101", "1010", "0110", "1001", "0100", "0010", "1011", "1101"]
    y = np.array([float(answer) for answer in "".join(patterns)])
    person, time = np.repeat(np.arange(len(patterns)), 4), np.tile(np.arange(4.0), len(patterns))
    fit = random_slope_logistic(y, np.ones((y.size, 1)), person, time, points=9)
    alone = random_intercept_logistic(y, np.ones((y.size, 1)), person, points=9)
    assert fit.at_boundary and (fit.loadings[1:] == 0.0).all()
    assert_allclose(fit.coefficients, alone.coefficients, atol=1e-6)
    assert_allclose(fit.std_error, alone.std_error, atol=1e-5)
    assert fit.log_likelihood == approx(alone.log_likelihood, abs=1e-8)
    assert fit.sd_limits(fit.weights_at(1.5)[0])[0] == approx(alone.random_intercept_sd, abs=1e-6)
    assert fit.slope_p_value() == approx(1.0, abs=1e-3)
    assert np.isnan(fit.random_effects_correlation)


def test_too_few_points_are_said():
    fit = random_slope_logistic(*repeated("random_slope"), points=1)
    assert fit.points_movement > 1.0
    assert "quadrature points per dimension are too few" in fit.note


def test_what_cannot_be_fitted_is_refused_with_a_remedy():
    answers, X, person, time = few_people()
    with pytest.raises(AnalysisError, match="points=51 is not a whole number from 1"):
        random_slope_logistic(answers, X, person, time, points=51)
    with pytest.raises(AnalysisError, match="Nobody was seen at three times"):
        random_slope_logistic(answers, X, person, np.sign(time))
    separated = random_slope_logistic((person % 2).astype(float), X, person, time, points=5)
    assert not separated.converged and "separated" in separated.note


def test_people_who_change_in_one_direction_only_have_no_finite_spread():
    patterns = [*(12 * ["0011", "1100"]), "0000", "1111", "0000", "1111", "0001", "1000"]
    y = np.array([float(answer) for answer in "".join(patterns)])
    person, time = np.repeat(np.arange(30), 4), np.tile(np.arange(4.0), 30)
    fit = random_slope_logistic(y, np.ones((120, 1)), person, time, points=5)
    assert not fit.converged and np.isnan(fit.coefficients).all()
    assert "has no estimate below 10" in fit.note


def simulated(draw, *, level, course, people=150, times=(0.5, 1.0, 1.5, 2.0, 2.5)):
    """A trial with a random level and an independent random course over centred time, 10% of rows missing."""
    time, arm = np.array(times), np.arange(people) % 2
    own = level * draw.normal(size=people)[:, None] + course * draw.normal(size=people)[:, None] * (
        time - 1.5
    )
    y = draw.random(own.shape) < 1.0 / (1.0 + np.exp(1.0 - 0.8 * arm[:, None] - own))
    person, at = np.nonzero(draw.random(y.shape) < 0.9)
    return y[person, at].astype(float), np.c_[np.ones(person.size), arm[person]], person, time[at]


@pytest.mark.slow
@pytest.mark.parametrize(("level", "course"), [(1.5, 0.0), (0.0, 0.0), (1.5, 0.8)])
def test_three_visits_end_at_a_maximum_or_the_boundary(level, course):
    draw = np.random.default_rng(20261122)
    fits = [
        random_slope_logistic(*simulated(draw, level=level, course=course, times=(0.5, 1.5, 2.5)), points=7)
        for _ in range(10)
    ]
    assert all(fit.converged for fit in fits)
    assert all(fit.log_likelihood > fit.log_likelihood_random_intercept - 1e-8 for fit in fits)
    assert any(fit.at_boundary for fit in fits)


@pytest.mark.slow
def test_known_truth_effect_and_spreads_are_unbiased():
    """60 trials of 150 people, five visits, sd of level 1.5 and course 1: within 3 Monte Carlo errors."""
    draw, found = np.random.default_rng(7), []
    for _ in range(60):
        fit = random_slope_logistic(*simulated(draw, level=1.5, course=1.0), points=11)
        spreads = (fit.weights_at(1.5)[0], fit.weights_of_slope)
        found.append([fit.coefficients[1], *(fit.sd_limits(weights)[0] for weights in spreads)])
    bias = np.mean(found, axis=0) - [0.8, 1.5, 1.0]
    # Maximum likelihood is biased by order 1/n: 0.05 covers it at 150 people.
    assert (np.abs(bias) < 3 * np.std(found, axis=0) / np.sqrt(60) + 0.05).all()
