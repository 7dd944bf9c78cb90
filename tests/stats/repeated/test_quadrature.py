"""Adaptive quadrature: the integral by another method, and exact derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytest import approx
from scipy.integrate import quad
from scipy.special import expit, gammaln

from ipseval.stats.regression.links import CLOGLOG, LINKS, Link
from ipseval.stats.repeated.quadrature import random_intercept_likelihood, standard_nodes
from ipseval.stats.repeated.sufficient_cells import sufficient_cells

THETA = np.array([-0.4, 0.2, 0.7, 0.1, 0.3])


def binomial_example():
    """Forty groups of up to five binomial rows, one continuous covariate, frequencies of 1 and 2."""
    draw = np.random.default_rng(1)
    group = np.repeat(np.arange(40), 5)[draw.random(200) > 0.2]
    group = np.unique(group, return_inverse=True)[1]
    n = group.size
    X = np.c_[np.ones(n), draw.integers(0, 4, n), draw.random(40)[group] < 0.5, draw.normal(size=n)]
    trials = draw.integers(1, 4, n).astype(float)
    y = draw.binomial(trials.astype(int), expit(X @ THETA[:-1] + draw.normal(size=40)[group])).astype(float)
    frequency = draw.integers(1, 3, int(group.max()) + 1).astype(float)
    return y, trials, X, group, frequency


def test_nodes_integrate_normal_moments():
    z, log_weight = standard_nodes(25)
    density = np.exp(log_weight - z**2 / 2) / np.sqrt(2 * np.pi)
    assert_allclose([density @ z**k for k in (0, 2, 4, 6, 8)], [1, 1, 3, 15, 105], rtol=1e-12)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("points", [1, 2, 3, 5, 10, 25])
def test_derivatives_are_those_of_the_sum_itself(points, link):
    # Central differences of step 1e-5 are good to about 1e-8 here.
    cells = sufficient_cells(*binomial_example(), link=link)

    def at(theta):
        return random_intercept_likelihood(theta, cells, points)

    steps = np.eye(THETA.size) * 1e-5
    slope = [(at(THETA + step).value - at(THETA - step).value) / 2e-5 for step in steps]
    curvature = [(at(THETA + step).gradient - at(THETA - step).gradient) / 2e-5 for step in steps]
    assert_allclose(at(THETA).gradient, slope, atol=1e-7)
    assert_allclose(at(THETA).hessian, curvature, atol=1e-7)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_value_is_the_integral(link: Link):
    y, trials, X, group, frequency = binomial_example()
    cells = sufficient_cells(y, trials, X, group, frequency, link=link)
    linear, sd = X @ THETA[:-1], np.exp(THETA[-1])

    def log_integral(g):
        rows = group == g

        def integrand(b):
            t = linear[rows] + b
            p = 1 - np.exp(-np.exp(t)) if link is CLOGLOG else expit(t)
            density = np.exp(-0.5 * (b / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
            return np.prod(p ** y[rows] * (1 - p) ** (trials - y)[rows]) * density

        return np.log(quad(integrand, -12 * sd, 12 * sd, epsabs=0, epsrel=1e-11, points=[0])[0])

    choose = gammaln(trials + 1) - gammaln(y + 1) - gammaln(trials - y + 1)
    want = sum(f * log_integral(g) for g, f in enumerate(frequency)) + frequency[group] @ choose
    assert random_intercept_likelihood(THETA, cells, 40).value == approx(want, abs=1e-9)


def test_a_warm_start_changes_nothing():
    cells = sufficient_cells(*binomial_example())
    near = random_intercept_likelihood(THETA + 0.05, cells, 10).modes
    cold, warm = (random_intercept_likelihood(THETA, cells, 10, modes) for modes in (None, near))
    assert warm.value == approx(cold.value, abs=1e-10)
    assert_allclose(warm.hessian, cold.hessian, rtol=1e-10)


def test_extreme_linear_predictors_stay_finite():
    y, trials, X, group, frequency = binomial_example()
    X = X.copy()
    X[0, 3], X[1, 3] = 9000.0, -9000.0
    got = random_intercept_likelihood(THETA, sufficient_cells(y, trials, X, group, frequency), 25)
    assert np.isfinite(got.value) and np.isfinite(got.gradient).all() and np.isfinite(got.hessian).all()
