"""Population-averaged probabilities: R's integrate, closed forms, delta method, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytest import approx
from scipy.integrate import quad
from scipy.special import expit, logit

from ipseval.errors import AnalysisError
from ipseval.stats.regression.links import CLOGLOG, LINKS
from ipseval.stats.repeated.population_average import marginal_probability, population_averaged
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from tests import reference_cases
from tests.stats.repeated.clustered_examples import alpha, cbpp, ohio, small_trial


def fit_of(data):
    return random_intercept_logistic(data.y, data.X, data.group, trials=data.trials)


def months_by_arm():
    months = np.eye(5)[:, 1:]
    return [np.c_[np.ones(5), np.full(5, arm), months, arm * months] for arm in (0.0, 1.0)]


def ages_by_smoking():
    age = np.arange(-2.0, 2.0)
    return [np.c_[np.ones(4), age, np.full(4, smoke), smoke * age] for smoke in (0.0, 1.0)]


def periods():
    later = np.eye(4)[1:] + np.eye(4)[[0, 0, 0]]
    return [np.tile(np.eye(4)[0], (3, 1)), later]


CASES = {
    "cbpp": (cbpp, periods, "c1_glmm_cbpp"),
    "ohio": (ohio, ages_by_smoking, "c2_glmm_gee_ohio"),
    "alpha": (alpha, months_by_arm, "c3_glmm_alpha"),
}


@pytest.mark.parametrize("name", CASES)
def test_r_integrate_and_numerical_delta_method(name):
    data, rows, case = CASES[name]
    want = reference_cases.expected(case)["population_averaged_agq25"]
    reference, active = rows()
    n = len(reference)
    got = population_averaged(fit_of(data()), np.r_[reference, active])
    # Two fits that agree to 1e-9, integrated to 1e-11 in R: 1e-7 is comfortable.
    for i, row in enumerate(want):
        assert got.probability[[i, n + i]] == approx([row["p0"], row["p1"]], abs=1e-7)
        assert got.std_error[[i, n + i]] == approx([row["se0"], row["se1"]], abs=1e-7)
        difference, odds_ratio = (got.compare(n + i, i, measure=m) for m in ("difference", "odds_ratio"))
        assert difference.estimate == approx(row["difference"], abs=1e-7)
        assert difference.std_error == approx(row["se_difference"], abs=1e-7)
        assert np.log(odds_ratio.estimate) == approx(row["marginal_log_or"], abs=1e-7)
        assert odds_ratio.std_error == approx(row["se_marginal_log_or"], abs=1e-7)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("sd", [1e-3, 0.5, 2.0, 6.0])
def test_slopes_are_those_of_the_probability(sd, link):
    linear = np.linspace(-6, 6, 13)
    _, by_linear, by_log_sd = marginal_probability(linear, sd, link)
    up, down = (marginal_probability(linear + h, sd, link)[0] for h in (1e-5, -1e-5))
    assert_allclose(by_linear, (up - down) / 2e-5, atol=1e-9)
    up, down = (marginal_probability(linear, sd * np.exp(h), link)[0] for h in (1e-5, -1e-5))
    assert_allclose(by_log_sd, (up - down) / 2e-5, atol=1e-9)


@pytest.mark.parametrize("sd", [0.3, 1.0, 4.0])
def test_the_integral_under_the_complementary_log_log_link(sd):
    def at(linear):
        return quad(
            lambda z: -np.expm1(-np.exp(linear + sd * z)) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
            -10,
            10,
            points=[-linear / sd],
            epsabs=1e-13,
            epsrel=1e-13,
            limit=200,
        )[0]

    linear = np.array([-3.0, -0.5, 1.0])
    want = [at(value) for value in linear]
    assert_allclose(marginal_probability(linear, sd, CLOGLOG)[0], want, atol=1e-12)


def test_symmetry_and_limits_of_the_integral():
    linear = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    for sd in (0.3, 3.0):
        probability = marginal_probability(linear, sd)[0]
        assert_allclose(probability + probability[::-1], 1.0, atol=1e-15)
    assert_allclose(marginal_probability(linear, 0.0)[0], expit(linear), atol=1e-15)


def test_standardisation_averages_rows_within_a_target():
    data = alpha(adjusted=True)
    fit = fit_of(data)
    copies = [data.X.copy() for _ in range(2)]
    for arm, X in enumerate(copies):
        X[:, 1] = arm
    stacked, target = np.r_[copies[0], copies[1]], np.repeat(["usual", "IPS"], len(data.X))
    got = population_averaged(fit, stacked, target=target)
    rows = population_averaged(fit, stacked)
    average = np.array([target == name for name in got.target]) / len(data.X)
    assert got.target.tolist() == ["IPS", "usual"]
    assert_allclose(got.probability, average @ rows.probability, rtol=1e-12)
    assert_allclose(got.covariance, average @ rows.covariance @ average.T, rtol=1e-10)


def test_weights_are_repeated_rows():
    fit = fit_of(small_trial(1))
    X = np.array([[1.0, 0, 0, 0], [1, 0, 3, 0]])
    weighted = population_averaged(fit, X, target=[0, 0], weights=[1, 2])
    repeated = population_averaged(fit, X[[0, 1, 1]], target=[0, 0, 0])
    assert_allclose(weighted.probability, repeated.probability)
    assert_allclose(weighted.covariance, repeated.covariance)


def test_at_the_boundary_it_is_the_proportion_and_its_standard_error():
    person = np.repeat(np.arange(60), 4)
    arm = (person % 2).astype(float)
    y = np.tile([0.0, 1.0, 1.0, 0.0], 60)
    y[::12] = 1.0
    fit = random_intercept_logistic(y, np.c_[np.ones(240), arm], person)
    assert fit.at_boundary
    got = population_averaged(fit, [[1.0, 0.0], [1.0, 1.0]])
    for a in (0, 1):
        p = y[arm == a].mean()
        assert got.probability[a] == approx(p)
        assert got.std_error[a] == approx(np.sqrt(p * (1 - p) / 120))


def test_limits_stay_between_zero_and_one_and_swapping_flips_a_comparison():
    fit = fit_of(alpha())
    reference, active = months_by_arm()
    got = population_averaged(fit, np.r_[reference, active])
    low, high = got.limits(0.999)
    assert ((low > 0) & (low < got.probability) & (got.probability < high) & (high < 1)).all()
    assert_allclose(logit(high) + logit(low), 2 * logit(got.probability), atol=1e-12)
    one, other = got.compare(7, 2), got.compare(2, 7)
    assert [one.estimate, one.conf_low, one.conf_high] == approx(
        [-other.estimate, -other.conf_high, -other.conf_low]
    )
    one, other = got.compare(7, 2, measure="ratio"), got.compare(2, 7, measure="ratio")
    assert [one.estimate, one.conf_low, one.conf_high] == approx(
        [1 / other.estimate, 1 / other.conf_high, 1 / other.conf_low]
    )
    assert one.p_value == approx(other.p_value)


def test_refusals():
    data = small_trial(4)
    fit = fit_of(data)
    with pytest.raises(AnalysisError, match="the fit has 4 columns"):
        population_averaged(fit, data.X[:, :3])
    with pytest.raises(AnalysisError, match="weights sum to 0 for 1 of 2 targets"):
        population_averaged(fit, data.X[:2], weights=[0, 1])
    with pytest.raises(AnalysisError, match="weights are negative for 1 of 2 rows"):
        population_averaged(fit, data.X[:2], weights=[-1, 1])
    with pytest.raises(AnalysisError, match=r"'IPS' is not a target \(found: 0, 1\)"):
        population_averaged(fit, data.X[:2]).compare("IPS", 0)
    with pytest.raises(AnalysisError, match="measure='risk'"):
        population_averaged(fit, data.X[:2]).compare(1, 0, measure="risk")
    separated = fit_of(data._replace(y=data.X[:, 1]))
    with pytest.raises(AnalysisError, match="has no estimates"):
        population_averaged(separated, data.X)
