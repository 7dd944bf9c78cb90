"""Random-intercept logistic regression: lme4 and an independent fit, properties, refusals, known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from tests import reference_cases
from tests.stats.repeated.clustered_examples import alpha, cbpp, ohio, small_trial

CASES = {
    "cbpp": (cbpp, lambda: reference_cases.expected("c1_glmm_cbpp")),
    "ohio": (ohio, lambda: reference_cases.expected("c2_glmm_gee_ohio")["glmm"]),
    "alpha by month": (alpha, lambda: reference_cases.expected("c3_glmm_alpha")["arm_by_month"]),
    "alpha adjusted": (
        lambda: alpha(adjusted=True),
        lambda: reference_cases.expected("c3_glmm_alpha")["main_effects_adjusted"],
    ),
}


def fit_of(data, **options):
    return random_intercept_logistic(data.y, data.X, data.group, trials=data.trials, **options)


def estimates(fit):
    return np.r_[fit.coefficients, fit.random_intercept_sd, fit.std_error, fit.std_error_log_sd]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("points", [1, 10, 25, 50])
def test_independent_fit_in_r(name, points):
    # The same K-point likelihood, maximised by nlminb, BFGS and Newton with numerical derivatives: the
    # residue of about 1e-9 is that of the derivatives.
    data, expected = CASES[name]
    want = expected()[f"own_agq_{points}"]
    fit = fit_of(data(), points=points)
    assert fit.converged and not fit.at_boundary
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=1e-7)
    assert_allclose(fit.std_error, list(want["se"].values()), atol=1e-7)
    assert_allclose(fit.covariance, want["vcov_beta_logsd"], atol=1e-7)
    assert fit.random_intercept_sd == approx(want["sd"], abs=1e-7)
    assert fit.std_error_log_sd == approx(want["se_log_sd"], abs=1e-7)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-9)


@pytest.mark.parametrize("name", ["ohio", "alpha adjusted"])
@pytest.mark.parametrize("warm", [False, True])
def test_glmm(name, warm):
    """From a start of its own glmm stops within 1e-6; from our estimate it does not move at all."""
    glmm = pytest.importorskip("glmm", reason="the package glmm is a second opinion where it has a wheel")
    data = CASES[name][0]()
    fit = fit_of(data)
    names = [f"x{j}" for j in range(1, data.X.shape[1])]
    rows = {
        "y": np.asarray(data.y, dtype=float),
        "person": data.group,
        **dict(zip(names, data.X.T[1:], strict=True)),
    }
    start = {"beta": fit.coefficients.tolist(), "theta": [fit.random_intercept_sd]} if warm else None
    model = f"y ~ {' + '.join(names)} + (1 | person)"
    theirs = glmm.fit(rows, model, "binomial", nagq=25, warm_start=start)
    assert theirs.nagq == 25
    # Its standard errors are from second differences of the deviance, which hold to about ten digits.
    within = 1e-9 if warm else 1e-6
    assert_allclose(fit.coefficients, theirs.beta, atol=within, rtol=0)
    assert_allclose(fit.std_error, theirs.se, atol=within, rtol=0)
    assert fit.random_intercept_sd == approx(float(np.sqrt(np.ravel(theirs.tau2)[0])), abs=within)
    assert fit.log_likelihood == approx(theirs.loglik, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_lme4(name):
    # Where lme4's optimiser stops: 5e-5 in coefficients, 1e-3 in standard errors (finite differences).
    data, expected = CASES[name]
    want = expected()["glmer_nAGQ_25"]
    fit = fit_of(data())
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=5e-5)
    assert_allclose(fit.std_error, list(want["se_hessian"].values()), atol=1e-3)
    assert fit.random_intercept_sd == approx(next(iter(want["sd"].values())), abs=1e-4)
    if name != "cbpp":  # lme4 leaves constants out of grouped binomial log-likelihoods
        assert fit.log_likelihood == approx(want["loglik"], abs=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_laplace_is_that_of_glmmtmb(name):
    data, expected = CASES[name]
    want = expected()["glmmTMB"]
    fit = fit_of(data(), points=1)
    assert_allclose(fit.coefficients, list(want["coef"].values()), atol=5e-5)
    assert fit.log_likelihood == approx(want["loglik"], abs=1e-6)


def test_limits_are_those_of_the_normal_distribution():
    fit = fit_of(cbpp())
    low, high = fit.limits(0.95)
    assert_allclose((high - low) / fit.std_error, 2 * 1.959963984540054)
    low_sd, high_sd = fit.sd_limits(0.95)
    assert low_sd * high_sd == approx(fit.random_intercept_sd**2)
    assert np.log(high_sd / low_sd) == approx(2 * 1.959963984540054 * fit.std_error_log_sd)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_neither_the_order_of_rows_nor_the_names_of_groups_matter(seed):
    data = small_trial(seed)
    draw = np.random.default_rng(seed)
    order = draw.permutation(data.y.size)
    name = {label: f"P{code}" for label, code in zip(set(data.group), draw.permutation(10_000), strict=False)}
    renamed = np.array([name[label] for label in data.group])
    got = random_intercept_logistic(data.y[order], data.X[order], renamed[order])
    assert_allclose(estimates(got), estimates(fit_of(data)), rtol=1e-7, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_swapping_the_arms_flips_signs_only(seed):
    data = small_trial(seed)
    swapped = data.X.copy()
    swapped[:, 1] = 1 - data.X[:, 1]
    swapped[:, 3] = swapped[:, 1] * data.X[:, 2]
    one, other = fit_of(data), fit_of(data._replace(X=swapped))
    assert_allclose(other.coefficients[[1, 3]], -one.coefficients[[1, 3]], atol=1e-7)
    assert_allclose(other.std_error[[1, 3]], one.std_error[[1, 3]], rtol=1e-6)
    assert other.log_likelihood == approx(one.log_likelihood, abs=1e-9)


def test_swapping_success_and_failure_flips_every_sign():
    data = cbpp()
    one, other = fit_of(data), fit_of(data._replace(y=data.trials - data.y))
    assert_allclose(other.coefficients, -one.coefficients, atol=1e-9)
    assert_allclose(estimates(other)[4:], estimates(one)[4:], atol=1e-9)


@pytest.mark.parametrize("data", [cbpp(), ohio(), alpha(), alpha(adjusted=True), small_trial(1)])
def test_cells_and_single_groups_give_the_same_answer(data):
    collapsed, dense = fit_of(data), fit_of(data, collapse=False)
    assert dense.n_cells == dense.n_groups >= collapsed.n_cells
    assert_allclose(estimates(collapsed), estimates(dense), rtol=1e-10, atol=1e-10)
    assert collapsed.log_likelihood == approx(dense.log_likelihood, abs=1e-10)


def test_a_weight_of_two_is_a_group_entered_twice():
    data = small_trial(2)
    twice = np.array([int(label) % 3 == 0 for label in data.group])
    weighted = random_intercept_logistic(data.y, data.X, data.group, weights=1 + twice)
    again = np.char.add(data.group[twice], " again")
    entered = random_intercept_logistic(
        np.r_[data.y, data.y[twice]], np.r_[data.X, data.X[twice]], np.r_[data.group, again]
    )
    assert_allclose(estimates(weighted), estimates(entered), rtol=1e-9)
    assert weighted.log_likelihood == approx(entered.log_likelihood, abs=1e-9)
    assert (weighted.n_observations, weighted.n_groups) == (entered.n_observations, entered.n_groups)


def test_a_weight_of_zero_leaves_the_group_out():
    data = small_trial(3)
    kept = np.array([int(label) < 60 for label in data.group])
    weighted = random_intercept_logistic(data.y, data.X, data.group, weights=kept)
    left_out = random_intercept_logistic(data.y[kept], data.X[kept], data.group[kept])
    assert_allclose(estimates(weighted), estimates(left_out), rtol=1e-12)
    assert weighted.n_groups == 60


def test_binomial_rows_and_their_single_trials_agree_up_to_the_constant():
    data = cbpp()
    size = data.trials.astype(int)
    row = np.repeat(np.arange(size.size), size)
    single = (np.arange(row.size) - (np.cumsum(size) - size)[row] < data.y[row]).astype(float)
    got = random_intercept_logistic(single, data.X[row], data.group[row])
    assert_allclose(estimates(got), estimates(fit_of(data)), rtol=1e-8)
    assert got.n_observations == size.sum()


def test_rescaling_a_covariate_rescales_its_coefficient():
    data = alpha(adjusted=True)
    scale = np.ones(data.X.shape[1])
    scale[-1] = 1e6
    one, other = fit_of(data), fit_of(data._replace(X=data.X * scale))
    assert_allclose(other.coefficients * scale, one.coefficients, rtol=1e-6)
    assert_allclose(other.std_error * scale, one.std_error, rtol=1e-6)


def test_one_group_of_many_trials():
    # Groups of 2,000, 3 and 10 rows side by side: padding must not count as data.
    draw = np.random.default_rng(5)
    group = np.repeat(np.arange(6), [2000, 3, 10, 500, 40, 7])
    X = np.c_[np.ones(group.size), draw.normal(size=group.size)]
    linear = X[:, 1] + np.array([-0.5, 0.3, 1.0, 0.0, 0.8, -1.0])[group]
    y = (draw.random(group.size) < 1 / (1 + np.exp(-linear))).astype(float)
    fit = random_intercept_logistic(y, X, group)
    assert fit.converged and fit.coefficients[1] == approx(1.0, abs=4 * fit.std_error[1])


def test_at_the_boundary_it_is_ordinary_logistic_regression():
    # Two of four visits employed, three of four in the active arm: no two persons of an arm differ in total.
    person = np.repeat(np.arange(50), 4)
    arm = (person % 2).astype(float)
    y = np.where(np.arange(200) % 4 == 0, arm, np.tile([0.0, 1.0, 1.0, 0.0], 50))
    fit = random_intercept_logistic(y, np.c_[np.ones(200), arm], person)
    assert fit.converged and fit.at_boundary and fit.random_intercept_sd == 0.0
    assert "ordinary logistic regression" in fit.note
    assert_allclose(fit.coefficients, [0.0, np.log(3.0)], atol=1e-12)
    counts = [f(y[arm == a]) for a in (0, 1) for f in (np.sum, lambda v: np.sum(1 - v))]
    assert fit.std_error[1] == approx(sum(1 / n for n in counts) ** 0.5)
    assert np.isnan(fit.std_error_log_sd) and np.isnan(fit.sd_limits()).all()
    assert fit.log_likelihood == fit.log_likelihood_sd_zero


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_without_variance_the_fit_is_never_below_ordinary_logistic_regression(seed):
    fit = fit_of(small_trial(seed, n=40, sd=0.0))
    if fit.converged:
        assert fit.log_likelihood >= fit.log_likelihood_sd_zero
        assert fit.at_boundary == (fit.random_intercept_sd == 0.0) == np.isnan(fit.std_error_log_sd)
        assert fit.gradient_norm < 1e-6


def test_nobody_employed_in_one_arm_and_month_is_reported_as_separation():
    data = alpha()
    empty = (data.X[:, 1] == 1) & (data.X[:, 3] == 1)
    fit = fit_of(data._replace(y=np.where(empty, 0.0, data.y)))
    assert not fit.converged and np.isnan(estimates(fit)).all() and np.isnan(fit.log_likelihood)
    assert "separated: a combination of 1 column of X (counted from 0: 7)" in fit.note
    assert "Leave out covariates, such as sites, in which nobody had the outcome" in fit.note


def test_a_state_that_nobody_leaves_has_no_finite_variance():
    person, visit = np.repeat(np.arange(100), 4), np.tile(np.arange(4.0), 100)
    y = (visit >= (person * 7919) % 6).astype(float)
    fit = random_intercept_logistic(y, np.c_[np.ones(400), visit], person)
    assert not fit.converged and np.isnan(fit.coefficients).all()
    assert "has no estimate below 10" in fit.note


def test_more_points_move_a_trial_by_less_than_a_hundredth_of_a_standard_error():
    for data in (cbpp(), ohio(), alpha(), alpha(adjusted=True)):
        fit, more = fit_of(data), fit_of(data, points=50)
        moved = (more.coefficients - fit.coefficients) / fit.std_error
        assert np.abs(moved).max() < 0.01 and fit.points_movement < 0.01 and fit.note == ""


def test_the_movement_that_is_said_is_that_of_a_second_fit():
    # One Newton step towards the other maximum: exact to the first order.
    few, more = fit_of(ohio(), points=10), fit_of(ohio(), points=25)
    moved = np.r_[
        more.coefficients - few.coefficients, np.log(more.random_intercept_sd / few.random_intercept_sd)
    ]
    errors = np.r_[few.std_error, few.std_error_log_sd]
    assert few.points_movement == approx(np.abs(moved / errors).max(), rel=0.1)


def test_too_few_points_are_said():
    fit = fit_of(ohio(), points=3)
    assert fit.points_movement > 0.1 and "with 25 points an estimate would move" in fit.note


def test_refusals():
    data = small_trial(4)
    with pytest.raises(AnalysisError, match="y is missing or not finite for 1 of"):
        fit_of(data._replace(y=np.where(np.arange(data.y.size) == 3, np.nan, data.y)))
    with pytest.raises(AnalysisError, match=r"group is missing for 2 of \d+ rows"):
        random_intercept_logistic(data.y, data.X, [None, None, *data.group[2:]])
    with pytest.raises(AnalysisError, match="y does not vary: 0 successes"):
        fit_of(data._replace(y=np.zeros_like(data.y)))
    with pytest.raises(AnalysisError, match=r"1 column out of 5 that can be computed .* 4\)"):
        fit_of(data._replace(X=np.c_[data.X, 1 - 2 * data.X[:, 1]]))
    with pytest.raises(AnalysisError, match="has a single observation"):
        random_intercept_logistic(data.y, data.X, np.arange(data.y.size))
    with pytest.raises(AnalysisError, match="y exceeds trials in"):
        fit_of(data._replace(y=2 * data.y))
    with pytest.raises(AnalysisError, match="trials is 0 for"):
        fit_of(data._replace(trials=data.y))
    with pytest.raises(AnalysisError, match=r"weights differ within a group for \d+ of"):
        random_intercept_logistic(data.y, data.X, data.group, weights=1 + np.arange(data.y.size) % 2)
    with pytest.raises(AnalysisError, match="weights has"):
        random_intercept_logistic(data.y, data.X, data.group, weights=np.full(data.y.size, 0.5))
    with pytest.raises(AnalysisError, match="X has 1 dimension"):
        random_intercept_logistic(data.y, data.X[:, 0], data.group)
    for points in (0, 101, 2.5):
        with pytest.raises(AnalysisError, match="is not a whole number from 1"):
            fit_of(data, points=points)


@pytest.mark.slow
def test_known_truth_is_covered_as_often_as_promised():
    truth, n_repeats = np.array([-1.0, 0.5, 0.2, 0.1]), 400
    covered = np.zeros((n_repeats, 4), dtype=bool)
    for seed in range(n_repeats):
        low, high = fit_of(small_trial(10_000 + seed, n=200)).limits()
        covered[seed] = (low < truth) & (truth < high)
    # Four Monte-Carlo standard errors of a coverage of 95% in 400 repeats are 4.4 points.
    assert_allclose(covered.mean(axis=0), 0.95, atol=0.044)
