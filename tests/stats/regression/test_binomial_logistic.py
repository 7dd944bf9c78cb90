"""Ordinary logistic regression: closed forms, statsmodels, and separation established, not guessed."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pytest import approx
from scipy.optimize import linprog

from ipseval.stats.regression.binomial_logistic import binomial_logistic, scaled_inverse
from ipseval.stats.regression.links import CLOGLOG, LINKS, Link


def test_two_proportions_in_closed_form():
    fit = binomial_logistic(
        np.array([20.0, 31.0]), np.array([81.0, 70.0]), np.array([[1.0, 0.0], [1.0, 1.0]])
    )
    assert_allclose(fit.coefficients, [np.log(20 / 61), np.log(31 * 61 / (39 * 20))])
    assert scaled_inverse(fit.information)[1, 1] == approx(1 / 20 + 1 / 61 + 1 / 31 + 1 / 39)
    assert fit.converged and fit.separated == ()


def test_statsmodels():
    draw = np.random.default_rng(0)
    X = np.c_[np.ones(60), draw.normal(size=(60, 2)), draw.integers(0, 2, 60)]
    trials = draw.integers(1, 9, 60).astype(float)
    y = draw.binomial(trials.astype(int), 1 / (1 + np.exp(-X @ [0.3, 1.0, -0.5, 0.2]))).astype(float)
    want = sm.GLM(np.c_[y, trials - y], X, family=sm.families.Binomial()).fit(tol=1e-12)
    fit = binomial_logistic(y, trials, X)
    assert_allclose(fit.coefficients, want.params, rtol=1e-8)
    assert_allclose(scaled_inverse(fit.information), want.cov_params(), rtol=1e-7)


def test_statsmodels_under_the_complementary_log_log_link():
    draw = np.random.default_rng(2)
    X = np.c_[np.ones(60), draw.normal(size=(60, 2)), draw.integers(0, 2, 60)]
    trials = draw.integers(1, 9, 60).astype(float)
    y = draw.binomial(trials.astype(int), 1 - np.exp(-np.exp(X @ [-1.0, 0.6, -0.5, 0.2]))).astype(float)
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    model = sm.GLM(np.c_[y, trials - y], X, family=family)
    want = model.fit(tol=1e-13)
    fit = binomial_logistic(y, trials, X, CLOGLOG)
    assert_allclose(fit.coefficients, want.params, rtol=1e-6, atol=1e-8)
    assert_allclose(fit.information, -model.hessian(want.params, observed=True), rtol=1e-5)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_separated_column_is_named(link: Link):
    X = np.array([[1.0, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
    fit = binomial_logistic(np.array([3.0, 4, 0, 0]), np.full(4, 9.0), X, link)
    assert not fit.converged and fit.separated == (1,)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 100_000), n=st.integers(6, 14))
def test_separation_is_found_exactly_when_linear_programming_finds_it(link: Link, seed: int, n: int):
    # Albert & Anderson: separated if some direction raises no row's fit against its outcome.
    draw = np.random.default_rng(seed)
    X = np.c_[np.ones(n), draw.integers(0, 3, (n, 2))]
    y = draw.integers(0, 2, n).astype(float)
    if np.linalg.matrix_rank(X) < 3:
        return
    signed = (2 * y - 1)[:, None] * X
    program = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(n), bounds=(-1, 1))
    is_separated = program.fun < -1e-9
    fit = binomial_logistic(y, np.ones(n), X, link)
    assert fit.converged != is_separated
    assert bool(fit.separated) == is_separated


def test_a_matrix_that_is_not_positive_definite_has_no_inverse():
    with pytest.raises(np.linalg.LinAlgError):
        scaled_inverse(np.array([[1.0, 2.0], [2.0, 1.0]]))
