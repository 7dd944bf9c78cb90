"""Analysis of covariance against R, Welch and pooled t tests, and a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.means import mean_difference
from ipseval.stats.regression.linear_adjustment import ancova
from ipseval.stats.regression.standardisation import standardised_means
from tests import reference_cases

CASE = "g1_nonnormal_alpha"
BASELINE = {"qol18": "qol0", "comp_hours_540": "prior_work_months"}
MODELS = ["ancova", "ancova_site_fixed", "ancova_interaction_centred_ancova2"]
# Closed forms in both programs.
TOLERANCE = 1e-8


def inputs(outcome, model):
    """Return outcome, arm and covariates; R dropped the people without the outcome or the baseline."""
    d = reference_cases.data(CASE).dropna(subset=[outcome, BASELINE[outcome]])
    columns = d[[BASELINE[outcome]]].to_numpy()
    if model == "ancova_site_fixed":
        columns = np.column_stack([columns, pd.get_dummies(d["site"], dtype=float).iloc[:, 1:]])
    return d[outcome], d["arm"], columns, model.endswith("ancova2")


@pytest.mark.parametrize("outcome", BASELINE)
@pytest.mark.parametrize("model", MODELS)
def test_ancova_agrees_with_r(outcome, model):
    r = reference_cases.expected(CASE)[outcome][model]
    y, arm, covariates, interaction = inputs(outcome, model)
    got = ancova(y, arm, covariates, interaction=interaction, variance="model")
    coefficients, errors = np.array([*r["coef"].values()]), [*r["se"].values()]
    place = slice(1, None) if interaction else slice(None)  # the intercepts differ: only R's is centred
    assert got.coefficients[place] == approx(coefficients[place], rel=TOLERANCE)
    assert np.sqrt(np.diag(got.covariance))[place] == approx(errors[place], rel=TOLERANCE)
    assert got.difference.p_value == approx(r["p"]["a"], rel=TOLERANCE)
    assert [got.difference.conf_low, got.difference.conf_high] == approx(r["ci_arm"], rel=TOLERANCE)
    assert [got.difference.df, got.residual_sd, got.r_squared] == approx(
        [r["df"], r["sigma"], r["r2"]], rel=TOLERANCE
    )
    if interaction:
        assert got.mean_0 == approx(r["coef"]["(Intercept)"], rel=TOLERANCE)
    for variance in ("hc0", "hc1", "hc2", "hc3"):
        got = ancova(y, arm, covariates, interaction=interaction, variance=variance)
        assert got.difference.std_error == approx(r[f"se_arm_{variance}"], rel=TOLERANCE)


def probability_cases():
    d, b = reference_cases.data("d1_gcomp_alpha"), reference_cases.data("d2_gcomp_birthwt")
    race = pd.get_dummies(b["race"], dtype=float).iloc[:, 1:]
    return [
        ("d1_gcomp_alpha", d["employed18"], d["arm"], d[["age", "female", "prior_work_months"]]),
        (
            "d2_gcomp_birthwt",
            b["low"],
            b["smoke"],
            np.column_stack([b[["age", "lwt"]], race, b[["ptl", "ht"]]]),
        ),
    ]


@pytest.mark.parametrize(("case", "y", "arm", "covariates"), probability_cases())
def test_linear_probability_model_agrees_with_r(case, y, arm, covariates):
    r = reference_cases.expected(case)["modified_poisson"]["linear_probability"]
    for variance in ("ols", "hc0", "hc1", "hc2", "hc3"):
        got = ancova(y, arm, covariates, variance="model" if variance == "ols" else variance)
        assert got.coefficients == approx([*r["coef"].values()], rel=TOLERANCE)
        assert np.sqrt(np.diag(got.covariance)) == approx([*r[f"se_{variance}"].values()], rel=TOLERANCE)


@pytest.mark.parametrize("outcome", BASELINE)
def test_without_covariates_it_is_a_t_test(outcome):
    y, arm, *_ = inputs(outcome, "ancova")
    pooled = mean_difference(y[arm == 1], y[arm == 0], method="pooled")
    got = ancova(y, arm, variance="model").difference
    assert got[:7] == approx(
        [*pooled[:2], pooled.statistic, pooled.df, pooled.p_value, pooled.conf_low, pooled.conf_high]
    )
    welch = mean_difference(y[arm == 1], y[arm == 0])
    assert ancova(y, arm, variance="hc2").difference.std_error == approx(welch.std_error, rel=1e-12)


def test_standardisation_of_a_linear_model_is_ancova():
    for model in MODELS:
        y, arm, covariates, interaction = inputs("comp_hours_540", model)
        got = ancova(y, arm, covariates, interaction=interaction, variance="hc2")
        marginal = standardised_means(
            y, arm, covariates, model="linear", interaction=interaction, estimand="sample", variance="hc2"
        )
        assert [got.mean_1, got.mean_0] == approx(marginal.means.tolist(), rel=1e-9)
        assert got.difference.std_error == approx(marginal.contrast().std_error, rel=1e-9)


def test_swapping_arms_and_changing_units():
    y, arm, covariates, interaction = inputs("qol18", MODELS[2])
    got = ancova(y, arm, covariates, interaction=interaction)
    swapped = ancova(7 * y + 3, 1 - arm, 100 - covariates, interaction=interaction)
    assert [swapped.difference.estimate, swapped.difference.conf_low] == approx(
        [-7 * got.difference.estimate, -7 * got.difference.conf_high]
    )
    assert swapped.difference.p_value == approx(got.difference.p_value)
    assert [swapped.mean_1, swapped.mean_0] == approx([7 * got.mean_0 + 3, 7 * got.mean_1 + 3])


def test_no_spread_is_missing_with_a_reason():
    got = ancova([0.1, 0.1, 0.3, 0.3], [0, 0, 1, 1]).difference
    assert got.estimate == approx(0.2)
    assert np.isnan(got[1:7]).all() and "No spread" in got.note
    constant = ancova([0.0] * 4, [0, 0, 1, 1])
    assert "No spread" in constant.difference.note and np.isnan(constant.r_squared)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": [1, 1, 1, 1, 1, 1]}, r"column 0 of 1 \(counted from 0\) is constant"),
        ({"covariates": [2, 1, 1, 1, 1, 1], "interaction": True}, "Collinear: arm x covariate 0"),
        ({"variance": "hc7"}, "variance='hc7' is not an option"),
        ({"variance": "cr2"}, "variance='cr2' needs clusters"),
        ({"cluster": list("aabbcc")}, "variance='hc3' does not use clusters"),
        ({"conf_level": 95}, "conf_level=95 is not between 0 and 1"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(AnalysisError, match=words):
        ancova([1.0, 2, 3, 4, 5, 7], [1, 1, 1, 0, 0, 0], **options)


@pytest.mark.slow
def test_hc3_interval_covers_with_unequal_arms_and_spreads():
    # 20 v 60 people, the small arm with three times the spread; 2000 trials, Monte Carlo error 0.005.
    rng = np.random.default_rng(20240609)
    arm = np.repeat([1, 0], [20, 60])
    covered = {"hc3": 0, "model": 0}
    for _ in range(2000):
        x = rng.normal(size=80)
        y = 10 * arm + 5 * x + rng.normal(size=80) * np.where(arm == 1, 30, 10)
        for variance in covered:
            got = ancova(y, arm, x, variance=variance).difference
            covered[variance] += got.conf_low < 10 < got.conf_high
    assert 0.93 < covered["hc3"] / 2000 < 0.965
    assert covered["model"] / 2000 < 0.9  # why the classical variance is not the default
