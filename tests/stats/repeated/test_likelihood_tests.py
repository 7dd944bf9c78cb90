"""Wald, likelihood-ratio and variance tests of a random-intercept logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.likelihood_tests import intercept_variance_test, likelihood_ratio_test, wald_test
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from tests import reference_cases
from tests.stats.repeated.clustered_examples import cbpp, small_trial


def fit_of(data, columns=None, **options):
    X = data.X if columns is None else data.X[:, columns]
    return random_intercept_logistic(data.y, X, data.group, trials=data.trials, **options)


def test_one_contrast_is_the_squared_z_of_emmeans():
    # Contrasts of lme4's own fit: 1e-4 is where it stops.
    rows = reference_cases.expected("c1_glmm_cbpp")["emmeans_contrast_logit_vs_period1"]
    fit = fit_of(cbpp())
    for contrast, row in zip(np.eye(4)[1:], rows, strict=True):
        got = wald_test(fit, contrast)
        assert got.statistic == approx(row["z.ratio"] ** 2, rel=1e-4)
        assert got.p_value == approx(row["p.value"], rel=1e-3)


def test_a_joint_test_does_not_depend_on_the_choice_of_contrasts():
    fit = fit_of(cbpp())
    one = wald_test(fit, np.eye(4)[1:])
    other = wald_test(fit, np.array([[0, 1, -1, 0], [0, 0, 1, -1], [0, 1, 1, 5]]))
    assert one.df == 3 and other.statistic == approx(one.statistic)


def test_likelihood_ratio_and_wald_agree_in_a_large_trial():
    data = small_trial(7, n=4000)
    fit, reduced = fit_of(data), fit_of(data, [0, 2])
    ratio = likelihood_ratio_test(fit, reduced)
    assert ratio.df == 2
    assert ratio.statistic == approx(wald_test(fit, np.eye(4)[[1, 3]]).statistic, rel=0.02)


def test_variance_test_halves_the_p_value_and_is_one_at_the_boundary():
    from scipy.stats import chi2

    fit = fit_of(cbpp())
    got = intercept_variance_test(fit)
    assert got.p_value == approx(chi2.sf(2 * (fit.log_likelihood - fit.log_likelihood_sd_zero), 1) / 2)
    alternating = random_intercept_logistic(
        np.tile([0, 1], 30), np.ones((60, 1)), np.repeat(np.arange(15), 4)
    )
    assert alternating.at_boundary
    assert intercept_variance_test(alternating).p_value == 1.0


def test_refusals():
    data = small_trial(7)
    fit = fit_of(data)
    with pytest.raises(AnalysisError, match="do not fit 4 coefficients"):
        wald_test(fit, np.eye(3))
    with pytest.raises(AnalysisError, match="or repeat each other"):
        wald_test(fit, np.ones((2, 4)))
    with pytest.raises(AnalysisError, match="not nested: 4 v 4 columns"):
        likelihood_ratio_test(fit, fit)
    with pytest.raises(AnalysisError, match="25 v 10 points"):
        likelihood_ratio_test(fit, fit_of(data, [0, 2], points=10))
