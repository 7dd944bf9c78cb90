"""Profile likelihood against brute force in R and here, closed forms, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pytest import approx
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import chi2, norm

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.likelihood_tests import likelihood_ratio_test
from ipseval.stats.repeated.profile_likelihood import profile_limits, profile_sd_limits, signed_root
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from tests import reference_cases
from tests.stats.repeated.clustered_examples import arm_each_month, small_trial

CASE = reference_cases.expected("c13_cloglog_and_profiles")
LINKS = pytest.mark.parametrize("link", ["logit", "cloglog"])
PERSON = np.repeat(np.arange(14), 3)
Y = np.array([0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1] * 2, dtype=float)


def brute_log_likelihood(intercept: float, sd: float, link: str) -> float:
    """Of Y with one coefficient: a trapezoidal sum over 181 intercepts, nothing adaptive."""
    z = np.linspace(-9.0, 9.0, 181)
    t = intercept + sd * z
    p = 1.0 / (1.0 + np.exp(-t)) if link == "logit" else -np.expm1(-np.exp(t))
    total = np.bincount(PERSON, Y)[:, None]
    cell = p**total * (1.0 - p) ** (3.0 - total) * norm.pdf(z)
    return float(np.log(cell.sum(axis=1) * (z[1] - z[0])).sum())


@LINKS
def test_limits_are_those_of_the_brute_force_likelihood(link: str) -> None:
    # scipy's searches stop at about 1e-8 of the likelihood, that is 1e-4 of a flat parameter at worst.
    def loss(theta: np.ndarray) -> float:
        return -brute_log_likelihood(theta[0], np.exp(theta[1]), link)

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})

    def fall(value: float, place: int, level: float) -> float:
        def rest(other: float) -> float:
            return loss(np.array([value, other] if place == 0 else [other, value]))

        return float(minimize_scalar(rest, (-1.0, 0.5), tol=1e-10).fun) - best.fun - chi2.ppf(level, 1) / 2.0

    fit = random_intercept_logistic(Y, np.ones((42, 1)), PERSON, link=link)
    assert fit.log_likelihood == approx(-best.fun, abs=1e-8)
    want = [brentq(fall, best.x[0] + a, best.x[0] + b, args=(0, 0.9)) for a, b in ((-3, -0.1), (0.1, 3))]
    assert_allclose(profile_limits(fit, 0, 0.9), want, atol=1e-5)
    want = [brentq(fall, best.x[1] + a, best.x[1] + b, args=(1, 0.5)) for a, b in ((-1.5, -0.1), (0.1, 1))]
    assert_allclose(profile_sd_limits(fit, 0.5), np.exp(want), rtol=1e-5)
    assert profile_sd_limits(fit, 0.9)[0] == 0.0


@LINKS
@pytest.mark.parametrize("column", range(5, 10))
def test_limits_of_an_arm_at_a_month_are_those_of_a_search_in_r(link: str, column: int) -> None:
    want = CASE[f"alpha_{link}"]
    name = f"arm_month_{[6, 12, 18, 24, 30][column - 5]}"
    got = profile_limits(FITS[link], column)
    # R's uniroot stops at 1e-9, its nlminb at 1e-13 of the likelihood; 50 points against the whole integral.
    assert_allclose(got, want["brute_force"]["profile_95"][name], atol=1e-6)


@LINKS
def test_limits_of_the_sd_are_those_of_a_search_in_r(link: str) -> None:
    want = np.exp(CASE[f"alpha_{link}"]["brute_force"]["profile_95"]["log_sd"])
    assert_allclose(profile_sd_limits(FITS[link]), want, rtol=1e-6)


@LINKS
def test_the_signed_root_is_that_of_the_likelihood_ratio_of_a_fit_without_the_column(link: str) -> None:
    data = small_trial(3)
    fit = random_intercept_logistic(data.y, data.X, data.group, link=link)
    for column in (1, 3):
        rest = np.delete(np.arange(4), column)
        without = random_intercept_logistic(data.y, data.X[:, rest], data.group, link=link)
        want = likelihood_ratio_test(fit, without).statistic
        assert signed_root(fit, column) ** 2 == approx(want, abs=1e-8)
        assert np.sign(signed_root(fit, column)) == np.sign(fit.coefficients[column])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_limit_is_a_value_that_the_test_rejects_at_its_level_exactly(seed: int) -> None:
    data = small_trial(seed, n=50)
    fit = random_intercept_logistic(data.y, data.X, data.group)
    if fit.converged:
        low, high = profile_limits(fit, 1, 0.9)
        assert low < fit.coefficients[1] < high
        assert signed_root(fit, 1, low) == approx(norm.ppf(0.95), abs=1e-7)
        assert signed_root(fit, 1, high) == approx(-norm.ppf(0.95), abs=1e-7)


def test_swapping_the_arms_flips_the_limits() -> None:
    data = small_trial(5)
    swapped = data.X.copy()
    swapped[:, 1], swapped[:, 3] = 1 - data.X[:, 1], (1 - data.X[:, 1]) * data.X[:, 2]
    one, other = (random_intercept_logistic(data.y, X, data.group) for X in (data.X, swapped))
    for column in (1, 3):
        low, high = profile_limits(other, column)
        assert_allclose(profile_limits(one, column), (-high, -low), atol=1e-7)


def test_in_a_large_trial_profile_and_wald_agree() -> None:
    data = small_trial(7, n=4000)
    fit = random_intercept_logistic(data.y, data.X, data.group)
    wald = fit.limits()
    assert_allclose(profile_limits(fit, 1), [wald[0][1], wald[1][1]], atol=0.02 * float(fit.std_error[1]))
    assert_allclose(profile_sd_limits(fit), fit.sd_limits(), rtol=2e-3)


def test_at_the_boundary_limits_are_those_of_ordinary_regression_and_the_sd_begins_at_zero() -> None:
    # Every person works at two of four visits: 30 of 60 in all.
    y, person = np.tile([0.0, 1.0], 30), np.repeat(np.arange(15), 4)
    fit = random_intercept_logistic(y, np.ones((60, 1)), person)
    assert fit.at_boundary

    def fall(value: float) -> float:
        return 60.0 * (np.log1p(np.exp(value)) - value / 2.0 - np.log(2.0)) - chi2.ppf(0.95, 1) / 2.0

    high = brentq(fall, 0.1, 3.0)
    assert_allclose(profile_limits(fit, 0), [-high, high], atol=1e-6)
    low, top = profile_sd_limits(fit)
    z = np.linspace(-9.0, 9.0, 1001)

    def fall_of_sd(sd: float) -> float:
        p = 1.0 / (1.0 + np.exp(-sd * z))
        mean = ((p * (1.0 - p)) ** 2 * norm.pdf(z)).sum() * (z[1] - z[0])
        return -15.0 * np.log(mean) + 15.0 * np.log(0.5**4) - chi2.ppf(0.95, 1) / 2.0

    assert low == 0.0
    assert top == approx(brentq(fall_of_sd, 0.05, 5.0), rel=1e-5)


def test_a_spread_without_bound_has_no_upper_limit() -> None:
    # Two visits of people who nearly all answer alike twice.
    person = np.repeat(np.arange(12), 2)
    y = np.repeat([0.0, 1.0] * 6, 2)
    y[0] = 1.0
    fit = random_intercept_logistic(y, np.ones((24, 1)), person, points=50)
    low, high = profile_sd_limits(fit)
    assert 0.0 < low < fit.random_intercept_sd and np.isnan(high)


def test_refusals() -> None:
    data = small_trial(4)
    separated = random_intercept_logistic(data.X[:, 1], data.X, data.group)
    for asked in (lambda: profile_limits(separated, 0), lambda: profile_sd_limits(separated)):
        with pytest.raises(AnalysisError, match="has no estimates"):
            asked()
    with pytest.raises(AnalysisError, match="conf_level"):
        profile_limits(random_intercept_logistic(data.y, data.X, data.group), 0, 95)


def _fit(link: str):
    data = arm_each_month()
    return random_intercept_logistic(data.y, data.X, data.group, link=link, points=50)


FITS = {link: _fit(link) for link in ("logit", "cloglog")}
