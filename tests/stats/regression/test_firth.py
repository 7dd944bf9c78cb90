"""Firth's logistic regression against brglm2, a derivative-free maximum, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import arm_design
from ipseval.stats.regression.firth import firth_fit, firth_logistic, maximise
from tests import reference_cases

CASE = "d4_firth"


def models():
    women = reference_cases.data(CASE)
    people = reference_cases.data("d1_gcomp_alpha")
    return {
        "endometrial": (women["HG"], women["NV"], women[["PI", "EH"]]),
        "alpha": (
            people["employed18"],
            people["arm"],
            people[["age", "female", "prior_work_months"]],
        ),
    }


@pytest.mark.parametrize("name", ["endometrial", "alpha"])
def test_estimates_tests_and_limits_agree_with_r(name):
    r = reference_cases.expected(CASE)[name]
    got = firth_logistic(*models()[name])
    assert got.coefficients == approx(r["coef"], rel=1e-7)
    assert got.std_error == approx(r["se"], rel=1e-7)
    assert got.penalised_log_likelihood == approx(r["penalised_log_likelihood"], rel=1e-9)
    # R's are found by numerical derivatives and uniroot.
    assert got.p_value == approx(r["p"], rel=1e-5)
    assert got.conf_low == approx(r["lower"], rel=1e-5)
    assert got.conf_high == approx(r["upper"], rel=1e-5)
    assert got.note == ""


@given(st.tuples(*[st.integers(0, 12)] * 4).filter(lambda t: t[0] + t[1] > 0 and t[2] + t[3] > 0))
def test_two_arms_are_one_half_added_to_every_cell(table):
    # Firth (1993): for a saturated logistic model Jeffreys' prior adds 1/2 to each count, zeros included.
    yes_1, no_1, yes_0, no_0 = table
    if sum(table) < 3:
        return
    y = np.repeat([1, 0, 1, 0], table)
    arm = np.repeat([1, 1, 0, 0], table)
    got = firth_logistic(y, arm, method="wald")
    log_odds = np.log((yes_1 + 0.5) / (no_1 + 0.5)), np.log((yes_0 + 0.5) / (no_0 + 0.5))
    assert got.coefficients == approx([log_odds[1], log_odds[0] - log_odds[1]], abs=1e-8)


def test_limits_are_where_the_profile_has_fallen_by_half_a_chi_squared():
    y, arm, covariates = models()["endometrial"]
    got = firth_logistic(y, arm, covariates)
    X = arm_design(arm, covariates).observed
    for j in range(4):
        for limit in (got.conf_low[j], got.conf_high[j]):
            start = got.coefficients.copy()
            start[j] = limit
            fall = got.penalised_log_likelihood - maximise(y.to_numpy(float), X, start=start, fixed=j).value
            assert 2 * fall == approx(3.841458820694124, rel=1e-8)  # R: qchisq(.95, 1)


def test_swapping_the_arms_or_the_outcome_flips_the_sign():
    y, arm, covariates = models()["endometrial"]
    got = firth_logistic(y, arm, covariates)
    for swapped in (firth_logistic(1 - y, arm, covariates), firth_logistic(y, 1 - arm, covariates)):
        assert swapped.coefficients[1] == approx(-got.coefficients[1], rel=1e-8)
        assert swapped.p_value[1] == approx(got.p_value[1], rel=1e-6)
        assert [swapped.conf_low[1], swapped.conf_high[1]] == approx(
            [-got.conf_high[1], -got.conf_low[1]], rel=1e-7
        )


def test_units_of_covariates_change_nothing():
    y, arm, covariates = models()["alpha"]
    got, rescaled = firth_logistic(y, arm, covariates), firth_logistic(y, arm, covariates * 1000 + 7)
    assert rescaled.coefficients[1] == approx(got.coefficients[1], rel=1e-8)
    assert rescaled.conf_high[1:] * [1, 1000, 1000, 1000] == approx(got.conf_high[1:], rel=1e-6)


def test_nobody_with_the_outcome_has_an_answer():
    got = firth_logistic(np.zeros(20), np.repeat([1, 0], 10))
    assert got.coefficients[1] == approx(0, abs=1e-8)
    assert got.conf_low[1] < 0 < got.conf_high[1]


def test_the_correction_falls_with_the_number_of_people():
    y, arm, covariates = models()["alpha"]
    corrections = []
    for copies in (1, 40):
        X = arm_design(np.tile(arm, copies), np.tile(covariates, (copies, 1))).observed
        happened = np.tile(y.to_numpy(float), copies)
        corrections.append(
            (firth_fit(happened, X).coefficients - canonical_fit(happened, X, "logistic").coefficients)[1]
        )
    assert corrections[0] < 0  # towards no effect
    assert corrections[1] == approx(corrections[0] / 40, rel=0.1)  # Firth (1993): the bias is of order 1 / n


@pytest.mark.parametrize(("seed", "lost"), [(2, ["covariate 1"]), (3, [])])
def test_a_limit_that_is_not_there_is_missing_with_a_reason(seed, lost):
    # Eight people, one with the outcome, three covariates: some profiles have more than one top.
    covariates = np.random.default_rng(seed).normal(size=(8, 3))
    got = firth_logistic(np.arange(8) == 4, np.arange(8) % 2, covariates)
    missing = np.isnan(got.p_value + got.conf_low + got.conf_high)
    assert np.isfinite(got.coefficients).all()
    assert list(np.array(got.names)[missing]) == lost
    assert got.note == "" if not lost else lost[0] in got.note and "too flat" in got.note


def test_refusals():
    with pytest.raises(AnalysisError, match="y has 1 of 4 entries other than 0 and 1"):
        firth_logistic([0, 1, 2, 0], [1, 1, 0, 0])
    with pytest.raises(AnalysisError, match="method='exact' is not an option"):
        firth_logistic([0, 1, 1, 0], [1, 1, 0, 0], method="exact")
    with pytest.raises(AnalysisError, match="arm has 4 of 4 people in the active arm"):
        firth_logistic([0, 1, 1, 0], [1, 1, 1, 1])
