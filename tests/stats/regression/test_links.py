"""The links of a binary outcome: losses are minus log-probabilities, and derivatives are derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

from ipseval.stats.regression.links import CLOGLOG, LINKS, LOGIT, Link

T = np.linspace(-12.0, 3.0, 61)
BOTH = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
OUTCOMES = pytest.mark.parametrize("outcome", [False, True])


def of(values: np.ndarray, outcome: bool) -> np.ndarray:
    return np.full(values.shape, outcome)


def test_the_loss_is_minus_the_log_probability():
    fails, succeeds = (CLOGLOG.loss(T, of(T, outcome))[0] for outcome in (False, True))
    assert_allclose(np.exp(-fails) + np.exp(-succeeds), 1.0, rtol=1e-15)
    assert_allclose(fails, np.exp(T))
    assert_allclose(np.exp(-LOGIT.loss(T, of(T, False))[0]), expit(-T), rtol=1e-14)
    assert_allclose(CLOGLOG.probability(T)[0], np.exp(-succeeds), rtol=1e-14)
    assert_allclose(LOGIT.probability(T)[0], expit(T), rtol=1e-14)


@BOTH
@OUTCOMES
def test_each_derivative_is_that_of_the_one_before(link: Link, outcome: bool):
    # Central differences of step 1e-4: an error of order 1e-9, and rounding of 1e-11.
    def derivatives(t: np.ndarray) -> np.ndarray:
        mask = of(t, outcome)
        return np.array([*link.loss(t, mask), *link.curvatures(t, mask)[1:]])

    slopes = (derivatives(T + 1e-4) - derivatives(T - 1e-4)) / 2e-4
    assert_allclose(derivatives(T)[1:], slopes[:-1], rtol=1e-7, atol=1e-8)
    assert_allclose(link.slopes(T, of(T, outcome)), derivatives(T)[1:3])
    assert_allclose(link.curvatures(T, of(T, outcome))[0], derivatives(T)[2])
    probability = [link.probability(T + step)[0] for step in (1e-4, -1e-4)]
    assert_allclose(link.probability(T)[1], (probability[0] - probability[1]) / 2e-4, rtol=1e-6, atol=1e-9)


@BOTH
@OUTCOMES
def test_the_loss_is_convex_so_that_every_integrand_has_one_peak(link: Link, outcome: bool):
    assert (link.slopes(T, of(T, outcome))[1] > 0.0).all()


@BOTH
@OUTCOMES
def test_extreme_predictors_stay_finite(link: Link, outcome: bool):
    t = np.array([-9000.0, -746.0, -700.0, 30.0, 710.0, 9000.0])
    for function in (link.loss, link.slopes, link.curvatures):
        assert np.isfinite(np.array(function(t, of(t, outcome))) ** 2).all()
    assert np.isfinite(link.probability(t)).all()
