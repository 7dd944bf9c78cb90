"""The random-intercept model under the complementary log-log link: brute force, lme4, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import binomial_logistic
from ipseval.stats.regression.links import CLOGLOG
from ipseval.stats.repeated.population_average import population_averaged
from ipseval.stats.repeated.random_intercept_logistic import (
    RandomInterceptLogistic,
    random_intercept_logistic,
)
from tests import reference_cases
from tests.stats.repeated.clustered_examples import Clustered, alpha, arm_each_month, cbpp, ohio, small_trial

CASE = reference_cases.expected("c13_cloglog_and_profiles")
CASES = {"alpha_cloglog": arm_each_month(), "cbpp_cloglog": cbpp()}


def fit_of(data: Clustered, **options: object) -> RandomInterceptLogistic:
    arguments = {"trials": data.trials, "link": "cloglog", **options}
    return random_intercept_logistic(data.y, data.X, data.group, **arguments)


def estimates(fit: RandomInterceptLogistic) -> np.ndarray:
    return np.r_[fit.coefficients, fit.random_intercept_sd, fit.std_error, fit.std_error_log_sd]


@pytest.mark.parametrize("name", CASES)
def test_brute_force_in_r(name: str) -> None:
    # 50 points against 145 nodes over the whole range: what is left is R's numerical derivatives.
    want = CASE[name]["brute_force"]
    fit = fit_of(CASES[name], points=50)
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=1e-6)
    assert_allclose(fit.std_error, list(want["se"].values()), atol=1e-6)
    assert fit.random_intercept_sd == approx(want["sd"], abs=1e-6)
    assert fit.std_error_log_sd == approx(want["se_log_sd"], abs=1e-6)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-7)
    assert_allclose(fit_of(CASES[name]).coefficients, list(want["coef"].values()), atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_lme4(name: str) -> None:
    # Where lme4's optimiser stops, as under the logit: 1e-4 in coefficients, 1e-3 in standard errors.
    want = CASE[name]["glmer_nAGQ_25"]
    fit = fit_of(CASES[name])
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=1e-4)
    assert_allclose(fit.std_error, list(want["se_hessian"].values()), atol=1e-3)
    assert fit.random_intercept_sd == approx(want["sd"], abs=1e-4)
    if name != "cbpp_cloglog":  # lme4 leaves constants out of grouped binomial log-likelihoods
        assert fit.log_likelihood == approx(want["loglik"], abs=1e-4)


def test_without_intercepts_of_groups_it_is_r_s_glm() -> None:
    want, data = CASE["cbpp_glm_cloglog"], cbpp()
    fit = binomial_logistic(data.y, data.trials, data.X, CLOGLOG)
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=1e-9)
    assert_allclose(fit.information, want["observed_information"], rtol=1e-6, atol=1e-6)
    assert fit_of(data).log_likelihood_sd_zero == approx(want["loglik"], abs=1e-9)


def test_population_averages_are_those_of_r() -> None:
    levels = np.vstack([np.hstack([np.eye(5), arm * np.eye(5)]) for arm in (0, 1)])
    found = population_averaged(fit_of(arm_each_month(), points=50), levels)
    want = CASE["alpha_cloglog"]["population_averaged"]
    assert_allclose(found.probability, [row["estimate"] for row in want], atol=1e-6)
    assert_allclose(found.std_error, [row["se"] for row in want], atol=1e-6)


@pytest.mark.parametrize("data", [cbpp(), ohio(), alpha(adjusted=True), small_trial(1)])
def test_cells_and_single_groups_give_the_same_answer(data: Clustered) -> None:
    collapsed, dense = fit_of(data), fit_of(data, collapse=False)
    assert dense.n_cells == dense.n_groups >= collapsed.n_cells
    assert_allclose(estimates(collapsed), estimates(dense), rtol=1e-9, atol=1e-9)
    assert collapsed.log_likelihood == approx(dense.log_likelihood, abs=1e-9)


def test_cells_are_more_than_under_the_logit_and_fewer_than_people() -> None:
    data = arm_each_month()
    fit = fit_of(data)
    assert fit_of(data, link="logit").n_cells < fit.n_cells < fit.n_groups


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_neither_the_order_of_rows_nor_the_names_of_groups_matter(seed: int) -> None:
    data = small_trial(seed)
    order = np.random.default_rng(seed).permutation(data.y.size)
    renamed = np.char.add("P", data.group)
    got = random_intercept_logistic(data.y[order], data.X[order], renamed[order], link="cloglog")
    assert_allclose(estimates(got), estimates(fit_of(data)), rtol=1e-6, atol=1e-8)


def test_a_weight_of_two_is_a_group_entered_twice_and_of_zero_one_left_out() -> None:
    data = small_trial(2)
    number = data.group.astype(int) % 3
    weighted = fit_of(data, weights=number)
    kept, twice = number > 0, number == 2
    entered = random_intercept_logistic(
        np.r_[data.y[kept], data.y[twice]],
        np.r_[data.X[kept], data.X[twice]],
        np.r_[data.group[kept], np.char.add(data.group[twice], " again")],
        link="cloglog",
    )
    assert_allclose(estimates(weighted), estimates(entered), rtol=1e-8)
    assert (weighted.n_observations, weighted.n_groups) == (entered.n_observations, entered.n_groups)


def test_binomial_rows_and_their_single_trials_agree_up_to_the_constant() -> None:
    data = cbpp()
    size = data.trials.astype(int)
    row = np.repeat(np.arange(size.size), size)
    single = (np.arange(row.size) - (np.cumsum(size) - size)[row] < data.y[row]).astype(float)
    got = random_intercept_logistic(single, data.X[row], data.group[row], link="cloglog")
    assert_allclose(estimates(got), estimates(fit_of(data)), rtol=1e-7)


def test_a_rare_outcome_has_the_same_ratios_under_either_link() -> None:
    draw = np.random.default_rng(3)
    person = np.repeat(np.arange(3000), 4)
    X = np.c_[np.ones(12000), np.repeat(draw.integers(0, 2, 3000), 4)]
    hazard = np.exp(X @ [-5.0, 0.7] + np.repeat(draw.normal(size=3000), 4))
    y = (draw.random(12000) < 1 - np.exp(-hazard)).astype(float)
    odds, hazards = (random_intercept_logistic(y, X, person, link=link) for link in ("logit", "cloglog"))
    assert odds.coefficients[1] == approx(hazards.coefficients[1], abs=0.02)


def test_splitting_an_interval_at_risk_leaves_a_hazard_ratio_as_it_is() -> None:
    # A constant hazard h over an interval is one of h / 2 over each half: its survivors are those of both.
    draw = np.random.default_rng(11)
    arm = np.repeat([0.0, 1.0], 400)
    whole = draw.random(800) < 1 - np.exp(-np.exp(-1.0 + 0.5 * arm))
    first = whole & (draw.random(800) < 0.5)
    halves = np.r_[first, whole[~first]].astype(float)
    X = np.c_[np.ones(800), arm]
    once = binomial_logistic(whole.astype(float), np.ones(800), X, CLOGLOG)
    twice = binomial_logistic(halves, np.ones(halves.size), np.r_[X, X[~first]], CLOGLOG)
    error = np.sqrt(np.linalg.inv(once.information)[1, 1])
    assert twice.coefficients[1] == approx(once.coefficients[1], abs=0.5 * error)
    assert twice.coefficients[0] == approx(once.coefficients[0] - np.log(2), abs=0.15)


def test_at_the_boundary_it_is_ordinary_regression() -> None:
    person = np.repeat(np.arange(50), 4)
    arm = (person % 2).astype(float)
    y = np.where(np.arange(200) % 4 == 0, arm, np.tile([0.0, 1.0, 1.0, 0.0], 50))
    fit = random_intercept_logistic(y, np.c_[np.ones(200), arm], person, link="cloglog")
    assert fit.converged and fit.at_boundary and "ordinary complementary log-log regression" in fit.note
    log_hazards = np.log(-np.log([1 - 0.5, 1 - 0.75]))
    assert_allclose(fit.coefficients, [log_hazards[0], log_hazards[1] - log_hazards[0]], atol=1e-10)


def test_separation_and_other_refusals() -> None:
    data = small_trial(4)
    assert "separated" in fit_of(data._replace(y=data.X[:, 1])).note
    for message, changed in (
        ("y does not vary", {"y": np.zeros_like(data.y)}),
        ("has a single observation", {"group": np.arange(data.y.size).astype(str)}),
    ):
        with pytest.raises(AnalysisError, match=message):
            fit_of(data._replace(**changed))
    with pytest.raises(AnalysisError, match="link='probit' is not an option"):
        fit_of(data, link="probit")


@pytest.mark.slow
def test_known_truth_is_covered_as_often_as_promised() -> None:
    truth, n_repeats = np.array([-1.2, 0.5]), 150
    covered = np.zeros((n_repeats, 2), dtype=bool)
    for seed in range(n_repeats):
        draw = np.random.default_rng(20_000 + seed)
        person = np.repeat(np.arange(150), 4)
        X = np.c_[np.ones(600), (person % 2).astype(float)]
        hazard = np.exp(X @ truth + np.repeat(draw.normal(size=150), 4))
        y = (draw.random(600) < 1 - np.exp(-hazard)).astype(float)
        low, high = random_intercept_logistic(y, X, person, link="cloglog").limits()
        covered[seed] = (low < truth) & (truth < high)
    # Four Monte-Carlo standard errors of a coverage of 95% in 150 repeats are 7 points.
    assert_allclose(covered.mean(axis=0), 0.95, atol=0.071)
