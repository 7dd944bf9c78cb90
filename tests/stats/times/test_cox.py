"""Cox regression against R's coxph: ties, strata, clusters, delayed entry and competing causes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import cox, risk_strata, total
from ipseval.stats.times.log_rank import log_rank
from tests.reference_cases import data, expected

# Both programs iterate: coxph was run with eps 1e-11, and we stop at steps of 1e-9.
SAME = {"rtol": 1e-6, "atol": 1e-9}

ADJUSTED = {
    "b1_survival_veteran": (["test", "karno", "age", "prior"], "celltype"),
    "b2_survival_alpha": (["arm", "age", "prior_work_months", "symptoms0"], "site"),
}
MODELS = {
    "efron": lambda d, site: {},
    "breslow": lambda d, site: {"ties": "breslow"},
    "robust_hc": lambda d, site: {"cluster": d["id"]},
    "robust_cluster_site": lambda d, site: {"cluster": d[site]},
    "stratified_site": lambda d, site: {"strata": d[site]},
    "stratified_site_breslow": lambda d, site: {"strata": d[site], "ties": "breslow"},
}


def trial(case):
    frame = data(case)
    return frame.assign(test=(frame["trt"] == 2).astype(int)) if "trt" in frame else frame


def assert_same_fit(fit, found):
    names = list(found["coef"])
    assert fit.converged
    assert (fit.n, fit.n_event) == (found["n"], found["events"])
    assert_allclose(fit.coef, [found["coef"][name] for name in names], **SAME)
    assert_allclose(fit.std_error, [found["se"][name] for name in names], **SAME)
    used = fit.covariance if fit.robust_covariance is None else fit.robust_covariance
    assert_allclose(used, np.array(found["vcov"]), **SAME)
    if "naive_se" in found:
        theirs = [found["naive_se"][name] for name in names]
        assert_allclose(np.sqrt(np.diag(fit.covariance)), theirs, **SAME)
    assert_allclose([fit.loglik_null, fit.loglik], [found["loglik_null"], found["loglik"]], **SAME)
    assert_allclose(fit.likelihood_ratio_test.statistic, found["lr_test"], **SAME)
    if np.linalg.matrix_rank(used, hermitian=True) < len(names):
        # As many sites as coefficients: the sandwich is singular, and R's Wald test drops a direction unsaid.
        assert np.isnan(fit.wald_test.statistic)
    else:
        assert_allclose(fit.wald_test.statistic, found["wald_test"], **SAME)
    assert_allclose(fit.score_test.statistic, found["score_test"], **SAME)


def test_freireich_1963_leukaemia_hazard_ratio():
    """6-MP v placebo, 42 children (Freireich 1963): log hazard ratio -1.509 with Breslow's ties."""
    drug = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    fit = cox(drug + placebo, [1] * 9 + [0] * 12 + [1] * 21, [1] * 21 + [0] * 21, ties="breslow")
    assert fit.coef[0] == pytest.approx(-1.509, abs=0.0005)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", ADJUSTED)
def test_adjusted_models_agree_with_r(case, model):
    frame = trial(case)
    terms, site = ADJUSTED[case]
    fit = cox(frame["time"], frame["status"], frame[terms], **MODELS[model](frame, site))
    assert_same_fit(fit, expected(case)["cox_adjusted"][model])


@pytest.mark.parametrize("model", ["efron", "breslow", "robust_hc"])
@pytest.mark.parametrize(
    ("case", "key", "term"),
    [("b1_survival_veteran", "cox_test_only", "test"), ("b2_survival_alpha", "cox_arm", "arm")],
)
def test_models_of_the_arm_alone_agree_with_r(case, key, term, model):
    frame = trial(case)
    fit = cox(frame["time"], frame["status"], frame[term], **MODELS[model](frame, None))
    assert_same_fit(fit, expected(case)[key][model])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_heavily_tied_months_agree_with_r(ties):
    frame = trial("b2_survival_alpha")
    months = np.maximum(np.ceil(frame["time"] / 30), 1)
    fit = cox(months, frame["status"], frame[["arm", "age"]], ties=ties)
    assert_same_fit(fit, expected("b2_survival_alpha")["cox_tied_months"][ties])


@pytest.mark.parametrize("cause", [1, 2])
@pytest.mark.parametrize(
    ("case", "terms"),
    [
        ("b3_competing_alpha", ["arm", "age", "prior_work_months"]),
        ("b4_competing_mgus2", ["female", "age", "mspike"]),
    ],
)
def test_cause_specific_hazards_agree_with_r(case, terms, cause):
    frame = data(case)
    fit = cox(frame["time"], frame["cr_status"] == cause, frame[terms])
    assert_same_fit(fit, expected(case)[f"cause_specific_cox_{cause}"])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("efron", {}),
        ("breslow", {"ties": "breslow"}),
        ("robust_cluster_id", {"cluster": "id"}),
        ("stratified_surgery", {"strata": "surgery"}),
    ],
)
def test_delayed_entry_agrees_with_r(model, options):
    frame, found = data("b5_left_truncation_heart"), expected("b5_left_truncation_heart")[model]
    options = {name: frame.get(value, value) for name, value in options.items()}
    fit = cox(frame["stop"], frame["event"], frame[list(found["coef"])], entry=frame["start"], **options)
    assert_same_fit(fit, found)


people = st.tuples(st.integers(1, 15), st.booleans(), st.integers(0, 1), st.integers(0, 5))
samples = st.lists(people, min_size=12, max_size=40)


def columns(sample):
    """Return a sample whose model can be fitted and whose coefficients are finite."""
    time, event, arm, age = (np.array(column) for column in zip(*sample, strict=True))
    try:
        assume(event.any() and cox(time, event, np.column_stack([arm, age])).converged)
    except AnalysisError:
        assume(False)
    return time, event, np.column_stack([arm, age])


@settings(max_examples=25)
@given(samples, st.randoms(), st.sampled_from([1 / 7, 1e7]))
def test_neither_the_order_of_rows_nor_the_unit_of_time_matters(sample, random, unit):
    time, event, covariates = columns(sample)
    order = random.sample(range(time.size), time.size)
    here, there = cox(time, event, covariates), cox(time[order] * unit, event[order], covariates[order])
    assert_allclose(there.coef, here.coef, rtol=1e-6, atol=1e-8)
    assert_allclose(there.covariance, here.covariance, rtol=1e-6, atol=1e-8)


@settings(max_examples=25)
@given(samples)
def test_swapping_the_arms_flips_the_coefficient_and_a_unit_rescales_it(sample):
    time, event, covariates = columns(sample)
    there = cox(time, event, covariates)
    back = cox(time, event, np.column_stack([1 - covariates[:, 0], covariates[:, 1] / 10 + 1e3]))
    assert_allclose(back.coef, there.coef * [-1, 10], rtol=1e-5, atol=1e-7)
    assert_allclose(back.loglik, there.loglik, rtol=1e-9)


@settings(max_examples=25)
@given(samples)
def test_a_person_split_in_two_spells_is_the_same_person(sample):
    """(0, t] is (0, t/2] and (t/2, t]: likelihood, and the covariance clustered by person, are unchanged."""
    time, event, covariates = columns(sample)
    person = np.arange(time.size)
    whole = cox(time, event, covariates, cluster=person)
    split = cox(
        np.concatenate([time / 2, time]),
        np.concatenate([np.zeros(time.size, bool), event]),
        np.tile(covariates, (2, 1)),
        entry=np.concatenate([np.zeros(time.size), time / 2]),
        cluster=np.tile(person, 2),
    )
    assert_allclose(split.coef, whole.coef, rtol=1e-6, atol=1e-8)
    assert_allclose(split.covariance, whole.covariance, rtol=1e-6, atol=1e-8)
    assert_allclose(split.robust_covariance, whole.robust_covariance, rtol=1e-5, atol=1e-7)


@settings(max_examples=25)
@given(samples)
def test_the_score_test_of_one_arm_without_ties_is_the_log_rank_test(sample):
    time, event, covariates = columns(sample)
    apart = time + np.arange(time.size) / 100  # no ties: then the two variances are the same
    arm = covariates[:, 0]
    assume(event.sum() > 1)
    fit = cox(apart, event, arm)
    assert_allclose(fit.score_test.statistic, log_rank(apart, event, arm).statistic, rtol=1e-8, atol=1e-10)


@settings(max_examples=25)
@given(samples, st.sampled_from(["efron", "breslow"]))
def test_the_score_is_the_slope_of_the_likelihood_and_residuals_add_up_to_it(sample, ties):
    time, event, covariates = columns(sample)
    model = risk_strata(time, event, covariates * 1.0, strata=None, entry=None, efron=ties == "efron")
    at, step = np.array([0.3, -0.2]), 1e-5
    here = total(model, at)
    for column, direction in enumerate(np.eye(2)):
        up, down = (total(model, at + sign * step * direction) for sign in (1, -1))
        assert here.score[column] == pytest.approx((up.loglik - down.loglik) / (2 * step), abs=1e-5)
        slope = (up.score - down.score) / (2 * step)
        assert_allclose(here.information[column], -slope, atol=1e-5)
    assert_allclose(model[0].score_residuals(at).sum(axis=0), here.score, atol=1e-9)


def test_an_arm_without_events_has_an_infinite_coefficient_and_says_so():
    time, event = [2, 3, 5, 7, 8, 9, 9, 9], [1, 1, 1, 1, 0, 0, 0, 0]
    arm, age = [0, 0, 0, 0, 1, 1, 1, 1], [3, 1, 4, 1, 5, 9, 2, 6]
    fit = cox(time, event, np.column_stack([arm, age]), cluster=np.arange(8))
    assert not fit.converged
    assert "Infinite coefficient of 1 column (counted from 0: 0):" in fit.reason
    assert fit.coef[0] == -np.inf
    assert np.isnan([fit.std_error[0], fit.wald_test.p_value]).all()
    alone = cox(time[:4], event[:4], age[:4])  # the limit: who cannot have the event is not at risk
    assert_allclose([fit.coef[1], fit.loglik], [alone.coef[0], alone.loglik], rtol=1e-6)
    assert_allclose(fit.covariance[1, 1], alone.covariance[0, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"event": [0] * 6}, "No event among 6 people"),
        ({"covariates": [[1, 2]] * 6}, r"same for everybody: 2 columns \(counted from 0: 0, 1\)"),
        (
            {"covariates": [[a, 2 * a - 3] for a in (1, 0, 1, 1, 0, 0)]},
            r"Collinear, .* 2 columns \(counted from 0: 0, 1\)",
        ),
        ({"strata": [1, 0, 1, 1, 0, 0]}, r"same for all people at risk: 1 column \(counted from 0: 0\)"),
        ({"covariates": [1, 0, np.nan, 1, 0, 0]}, "covariates is missing or not finite for 1 of 6"),
        ({"covariates": [1, 0]}, "covariates: 2, duration: 6"),
        ({"ties": "exact"}, "ties='exact' is not an option"),
        ({"entry": [0, 0, 0, 9, 0, 0]}, "entry is not before duration for 1 of 6"),
        ({"cluster": ["A", "B"]}, "cluster: 2, duration: 6"),
    ],
)
def test_refusals(arguments, words):
    sample = {"duration": [3, 5, 7, 9, 11, 13], "event": [1, 1, 1, 1, 1, 0], "covariates": [1, 0, 1, 1, 0, 0]}
    with pytest.raises(AnalysisError, match=words):
        cox(**sample | arguments)


@pytest.mark.slow
def test_a_known_hazard_ratio_is_recovered_and_covered():
    """Hazard ratio 2, 60 a group, 1,000 samples: bias below 0.05, coverage 95% within Monte Carlo error."""
    random = np.random.default_rng(23)
    arm, estimates, covered = np.repeat([0, 1], 60), [], []
    for _ in range(1000):
        work, leave = random.exponential(10 / 2.0**arm), random.exponential(30, 120)
        fit = cox(np.minimum(work, leave), work <= leave, arm)
        estimates.append(fit.coef[0])
        covered.append(abs(fit.coef[0] - np.log(2)) < 1.959964 * fit.std_error[0])
    assert abs(np.mean(estimates) - np.log(2)) < 0.05
    assert abs(np.mean(covered) - 0.95) < 0.025
