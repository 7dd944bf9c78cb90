"""Logistic, Poisson and linear fits against statsmodels, and separation named by column."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.regression.canonical_models import canonical_fit, mean_and_weight

FAMILIES = {
    "logistic": sm.families.Binomial(),
    "poisson": sm.families.Poisson(),
    "linear": sm.families.Gaussian(),
}


def data(model, n=200):
    rng = np.random.default_rng(7)
    X = np.column_stack([np.ones(n), np.arange(n) % 2, rng.normal(50, 10, n), rng.normal(size=n)])
    mean, _ = mean_and_weight(X @ [-1.0, 0.5, 0.01, 0.3], model)
    draw = {"logistic": rng.binomial(1, mean % 1), "poisson": rng.poisson(np.abs(mean))}
    return draw.get(model, mean + rng.normal(size=n)).astype(float), X


@pytest.mark.parametrize("model", FAMILIES)
def test_estimates_and_covariance_agree_with_statsmodels(model):
    y, X = data(model)
    r = sm.GLM(y, X, family=FAMILIES[model]).fit(tol=1e-13, maxiter=100)
    got = canonical_fit(y, X, model)
    assert got.coefficients == approx(r.params, rel=1e-8)
    assert got.dispersion * got.inverse_information == approx(r.cov_params(), rel=1e-6)
    assert X.T @ (y - got.mean) == approx(np.zeros(4), abs=1e-6)


@pytest.mark.parametrize("model", FAMILIES)
def test_the_weight_is_the_slope_of_the_mean(model):
    linear, step = np.linspace(-3, 3, 13), 1e-6
    up, down = (mean_and_weight(linear + side, model)[0] for side in (step, -step))
    assert mean_and_weight(linear, model)[1] == approx((up - down) / (2 * step), rel=1e-8)


@pytest.mark.parametrize("model", ["logistic", "poisson"])
def test_separation_is_named_by_its_columns(model):
    y, X = data(model)
    level = np.arange(200) < 12
    y[level] = 0
    with pytest.raises(AnalysisError, match=r"separated: .* 1 column \(site 3; counted from 0\)"):
        canonical_fit(y, np.column_stack([X, level]), model, ("intercept", "arm", "age", "x", "site 3"))


def test_separation_by_a_combination_names_all_that_take_part():
    # No column separates by itself; the sum of two does.
    a, b = np.tile([-2.0, -1, 1, 2], 10), np.repeat([-3.0, -1, 1, 3], 10)
    y = (a + b > 0.5).astype(float)
    with pytest.raises(AnalysisError, match=r"columns \(.*column 1, column 2; counted from 0\)"):
        canonical_fit(y, np.column_stack([np.ones(40), a, b]), "logistic")


def test_a_large_scale_of_outcomes_or_covariates_does_not_hinder_a_fit():
    y, X = data("poisson")
    scaled = canonical_fit(1e6 * y, X * [1, 1, 1e-4, 1e4], "poisson")
    plain = canonical_fit(y, X, "poisson")
    assert scaled.coefficients[1] == approx(plain.coefficients[1], rel=1e-8)
    assert scaled.coefficients[2:] * [1e-4, 1e4] == approx(plain.coefficients[2:], rel=1e-8)


def test_refusals():
    y, X = data("linear")
    with pytest.raises(AnalysisError, match="model='probit' is not an option"):
        canonical_fit(y, X, "probit")
    with pytest.raises(AnalysisError, match="other than 0 and 1"):
        canonical_fit(y, X, "logistic")
    with pytest.raises(AnalysisError, match="y is negative for"):
        canonical_fit(y - 100, X, "poisson")
