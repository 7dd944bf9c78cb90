"""Standardised means against R, against closed forms of randomised designs, and against a known truth."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from pytest import approx
from scipy.special import expit

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.two_proportions import risk_difference
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import arm_design
from ipseval.stats.regression.marginal_contrasts import wald_contrast
from ipseval.stats.regression.standardisation import (
    ALL_ALIKE,
    NOT_POSITIVE,
    STRATA_TAKE_TOO_MUCH,
    VARIANCES,
    standardised_means,
)
from tests import reference_cases

# R's glm keeps the weights of its last iteration but one, which leaves about 3e-8 in model-based variances.
TOLERANCE = 1e-7

REFERENCE = {
    "ye_2023": ("population", "ye"),
    "aipw_influence": ("population", "augmented"),
    "m_estimation": ("population", "hc0"),
    "m_estimation_cluster": ("population", "cr0"),
    "ge_delta_model_based": ("sample", "model"),
    "delta_hc0": ("sample", "hc0"),
    "delta_hc1": ("sample", "hc1"),
    "delta_hc3": ("sample", "hc3"),
}
WITHOUT_CLUSTERS = tuple(key for key in REFERENCE if key != "m_estimation_cluster")


def indicators(labels):
    return pd.get_dummies(labels, dtype=float).iloc[:, 1:]


def cases():
    """Yield what R was given: values, outcome, arm, covariates, interaction, cluster."""
    d, alpha = reference_cases.data("d1_gcomp_alpha"), reference_cases.expected("d1_gcomp_alpha")
    b, birth = reference_cases.data("d2_gcomp_birthwt"), reference_cases.expected("d2_gcomp_birthwt")
    y, arm = d["employed18"], d["arm"]
    with_site = np.column_stack([d["prior_work_months"], indicators(d["site"])])
    return {
        "unadjusted": (alpha["unadjusted"], y, arm, None, False, d["site"]),
        "adjusted": (
            alpha["adjusted"],
            y,
            arm,
            d[["age", "female", "prior_work_months", "symptoms0"]],
            False,
            d["site"],
        ),
        "site": (alpha["adjusted_site_fixed_effects"], y, arm, with_site, False, d["site"]),
        "interaction": (
            alpha["interaction"],
            y,
            arm,
            d[["prior_work_months", "symptoms0"]],
            True,
            d["site"],
        ),
        "birthwt": (
            birth["adjusted"],
            b["low"],
            b["smoke"],
            np.column_stack([b[["age", "lwt"]], indicators(b["race"]), b[["ptl", "ht"]]]),
            False,
            None,
        ),
    }


def trial(n, rng, *, blocks=False, slope=1.0):
    """Return site, covariate, both potential probabilities and arms: 4 sites, 4 in a block if any."""
    site, x = rng.integers(0, 4, n), rng.normal(size=n)
    linear = -1.0 + slope * x + np.array([-1.0, -0.3, 0.3, 1.0])[site]
    arm = rng.permutation(np.arange(n) % 2)
    if blocks:
        for members in (np.flatnonzero(site == s) for s in range(4)):
            drawn = [rng.permutation([0, 0, 1, 1]) for _ in range(members.size // 4 + 1)]
            arm[members] = np.concatenate(drawn)[: members.size]
    return site, x, expit(linear), expit(linear + 0.9), arm


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *product(("unadjusted", "adjusted"), REFERENCE),
        *product(("site", "interaction", "birthwt"), WITHOUT_CLUSTERS),
    ],
)
def test_means_contrasts_and_every_variance_agree_with_r(name, key):
    r, y, arm, covariates, interaction, cluster = cases()[name]
    estimand, variance = REFERENCE[key]
    got = standardised_means(
        y,
        arm,
        covariates,
        interaction=interaction,
        estimand=estimand,
        variance=variance,
        small_sample=False,
        cluster=cluster if variance == "cr0" else None,
    )
    assert got.means == approx([r["p1"], r["p0"]], rel=1e-9)
    assert got.means == approx([r["aipw_p1"], r["aipw_p0"]], rel=1e-9)
    assert list(got.coefficients) == approx(
        [*r["working_model_coef"].values()] if not interaction else got.coefficients.tolist(), rel=1e-7
    )  # with interactions R did not centre the covariates
    v = r["variance"][key]
    assert np.sqrt(np.diag(got.covariance)) == approx([v["se_p1"], v["se_p0"]], rel=TOLERANCE)
    assert got.covariance[0, 1] == approx(v["cov_p1_p0"], abs=1e-10)
    difference, ratio, odds_ratio = (got.contrast(m) for m in ("difference", "ratio", "odds_ratio"))
    assert [difference.estimate, ratio.estimate, odds_ratio.estimate] == approx([r["rd"], r["rr"], r["or"]])
    assert [difference.std_error, ratio.std_error, odds_ratio.std_error] == approx(
        [v["rd_se"], v["log_rr_se"], v["log_or_se"]], rel=TOLERANCE
    )
    assert difference.statistic == approx(v["rd_z"], rel=TOLERANCE)
    if variance == "cr0":  # R's limits are normal, ours t on G - 1
        assert difference.df == 3
        return
    assert difference.p_value == approx(v["rd_p"], rel=1e-5)
    assert [difference.conf_low, difference.conf_high] == approx([v["rd_lower"], v["rd_upper"]], rel=1e-6)
    assert [ratio.conf_low, ratio.conf_high] == approx([v["rr_lower"], v["rr_upper"]], rel=1e-6)
    assert [odds_ratio.conf_low, odds_ratio.conf_high] == approx([v["or_lower"], v["or_upper"]], rel=1e-6)


LEFT_OUT = reference_cases.expected("d5_gcomp_leave_one_out")


@pytest.mark.parametrize(
    ("name", "within"), [*product(("unadjusted", "adjusted", "site"), (False, True)), ("birthwt", False)]
)
def test_variance_from_predictions_by_the_others_agrees_with_r(name, within):
    r, (_, y, arm, covariates, _, site) = LEFT_OUT[name], cases()[name]
    got = standardised_means(y, arm, covariates, strata=site if within else None)
    expected = r["variance_within_strata" if within else "variance"]
    v = expected["one_step"]
    assert got.note == ""
    assert np.sqrt(np.diag(got.covariance)) == approx([v["se_p1"], v["se_p0"]], rel=TOLERANCE)
    assert got.covariance[0, 1] == approx(v["cov_p1_p0"], abs=1e-10)
    for measure, key, spread in (
        ("difference", "rd", "rd_se"),
        ("ratio", "rr", "log_rr_se"),
        ("odds_ratio", "or", "log_or_se"),
    ):
        contrast = got.contrast(measure)
        assert [contrast.std_error, contrast.conf_low, contrast.conf_high] == approx(
            [v[spread], v[f"{key}_lower"], v[f"{key}_upper"]], rel=TOLERANCE
        )
        # Refitting the model without each person in turn says the same to half a thousandth.
        assert contrast.std_error == approx(expected["refitted"][spread], rel=5e-4)
    assert got.contrast().p_value == approx(v["rd_p"], rel=1e-5)


def test_predictions_by_the_others_are_those_of_refits_of_a_linear_model():
    _, y, arm, covariates, *_ = cases()["adjusted"]
    design = arm_design(arm, covariates)
    n, drift, residual = len(y), np.empty((len(y), 2)), np.zeros((len(y), 2))
    for i in range(n):
        others = np.arange(n) != i
        beta = np.linalg.lstsq(design.observed[others], y[others], rcond=None)[0]
        drift[i] = design.active[i] @ beta, design.reference[i] @ beta
        place = 1 - int(arm[i])
        residual[i, place] = (y[i] - drift[i, place]) / (arm == arm[i]).mean()
    influence = residual - residual.mean(axis=0) + drift - drift.mean(axis=0)
    got = standardised_means(y, arm, covariates, model="linear", variance="augmented")
    assert got.covariance == approx(influence.T @ influence / n**2, rel=1e-9)


def test_the_small_sample_correction_goes_as_one_over_the_number_of_people():
    _, y, arm, covariates, *_ = cases()["adjusted"]

    def excess(times):
        people = [np.concatenate([np.asarray(each)] * times) for each in (y, arm, covariates)]
        corrected, plain = (standardised_means(*people, small_sample=s).contrast() for s in (True, False))
        assert corrected.estimate == plain.estimate
        return corrected.std_error / plain.std_error - 1

    assert 0.02 < excess(1) < 0.06
    assert excess(20) == approx(excess(1) / 20, rel=0.1)


def test_a_count_that_decides_a_coefficient_alone_has_a_finite_variance():
    rng = np.random.default_rng(2)
    y, arm, alone = rng.poisson(2.0, 40).astype(float), np.arange(40) % 2, np.arange(40) == 7
    y[7] = 3.0
    got = standardised_means(y, arm, alone, model="poisson")
    plain = standardised_means(y, arm, alone, model="poisson", small_sample=False)
    assert got.contrast().std_error == approx(plain.contrast().std_error, rel=0.2)


@pytest.mark.parametrize("variance", ["augmented", "hc0", "model"])
def test_without_covariates_it_is_the_plain_difference(variance):
    _, y, arm, *_ = cases()["unadjusted"]
    got = standardised_means(y, arm, variance=variance, small_sample=False).contrast()
    plain = risk_difference(
        int(y[arm == 1].sum()), int(arm.sum()), int(y[arm == 0].sum()), int((1 - arm).sum()), method="wald"
    )
    assert [got.estimate, got.std_error, got.conf_low] == approx(
        [plain.estimate, plain.std_error, plain.conf_low], rel=1e-9
    )


@pytest.mark.parametrize("model", ["logistic", "linear", "poisson"])
@pytest.mark.parametrize("interaction", [False, True])
def test_canonical_models_leave_no_mean_residual_in_an_arm(model, interaction):
    # So that the augmented form equals plain g-computation.
    _, y, arm, covariates, *_ = cases()["adjusted"]
    design = arm_design(arm, covariates, interaction=interaction)
    fit = canonical_fit(y.to_numpy(float), design.observed, model)
    for a in (0, 1):
        assert fit.mean[arm == a].mean() == approx(y[arm == a].mean(), rel=1e-9)


def balanced_strata():
    """Return a trial in which every stratum has exactly as many people in either arm."""
    rng = np.random.default_rng(11)
    site = np.repeat(np.arange(4), [40, 24, 16, 20])
    arm = np.arange(site.size) % 2
    y = (rng.random(site.size) < np.array([0.1, 0.4, 0.6, 0.8])[site] + 0.15 * arm).astype(float)
    return y, arm, site


def test_strata_of_randomisation_give_the_formula_of_bugni_canay_and_shaikh():
    # Their theorem 4.1 for the difference of means, balanced blocks: the variances within strata over the
    # share of either arm, plus the variance over strata of the difference of means; no noise of imbalance.
    y, arm, site = balanced_strata()
    n, within, between = y.size, 0.0, []
    for s in range(4):
        y1, y0 = y[(site == s) & (arm == 1)], y[(site == s) & (arm == 0)]
        share = (site == s).mean()
        within += share * (y1.var() / 0.5 + y0.var() / 0.5)
        between.append((share, y1.mean() - y0.mean()))
    overall = sum(p * d for p, d in between)
    expected = (within + sum(p * (d - overall) ** 2 for p, d in between)) / n
    ask = {"variance": "augmented", "small_sample": False}
    got = standardised_means(y, arm, **ask, strata=site).contrast()
    assert got.estimate == approx(overall)
    assert got.std_error == approx(np.sqrt(expected), rel=1e-12)
    simple = standardised_means(y, arm, **ask).contrast()
    assert got.std_error < simple.std_error


@pytest.mark.parametrize("variance", ["ye", "augmented", "hc0", "hc2"])
def test_nothing_is_taken_off_when_the_model_holds_the_strata(variance):
    y, arm, site = balanced_strata()
    strata = indicators(pd.Series(site))
    plain = standardised_means(y, arm, strata, interaction=True, variance=variance)
    blocked = standardised_means(y, arm, strata, interaction=True, variance=variance, strata=site)
    assert blocked.covariance == approx(plain.covariance, rel=1e-9)
    # Main effects are enough for the difference when the arms are of one size.
    plain, blocked = (
        standardised_means(y, arm, strata, variance=variance, strata=s).contrast() for s in (None, site)
    )
    assert blocked.std_error == approx(plain.std_error, rel=1e-9)


def test_a_stratum_with_one_arm_is_counted_in_the_note():
    y, arm, site = balanced_strata()
    site = np.where((site == 3) & (arm == 0), 2, site)
    got = standardised_means(y, arm, strata=site)
    assert "1 of 4 strata hold one arm only" in got.note
    assert got.contrast().note == got.note


@pytest.mark.parametrize("variance", ["ye", "augmented", "hc2"])
def test_strata_of_one_person_take_nothing_off(variance):
    y, arm, _ = balanced_strata()
    alone, plain = (
        standardised_means(y, arm, strata=s, variance=variance) for s in (np.arange(y.size), None)
    )
    assert alone.covariance == approx(plain.covariance, rel=1e-12)
    assert "100 of 100 strata hold one arm only: nothing was taken off for them." in alone.note


def test_people_alone_in_a_stratum_change_nothing_that_others_take_off():
    # Ten more people, each of a site of their own, in the term of four sites that hold both arms.
    y, arm, site = balanced_strata()
    y, arm = np.concatenate([y, np.tile([1.0, 0], 5)]), np.concatenate([arm, np.repeat([1, 0], 5)])
    site, n = np.concatenate([site, np.arange(10, 20)]), 110
    got, plain = (standardised_means(y, arm, strata=s).covariance for s in (site, None))
    taken = np.zeros((2, 2))
    for s in range(4):
        r = [y[(site == s) & (arm == a)].mean() - y[arm == a].mean() for a in (1, 0)]
        taken += (site == s).sum() / n * np.outer(r, r) * np.array([[1, -1], [-1, 1]]) / n
    assert plain - got == approx(taken, rel=1e-9)


def test_strata_that_would_take_off_more_than_there_is_take_off_nothing():
    # Ten people in either arm, but one against nine in either stratum: the mean of one person is all noise.
    arm = np.array([1] + [0] * 9 + [1] * 9 + [0])
    y, stratum = np.array([1.0] + [0] * 9 + [0] * 9 + [1]), np.repeat([0, 1], 10)
    got, plain = (standardised_means(y, arm, strata=s) for s in (stratum, None))
    assert (got.note, plain.note) == (STRATA_TAKE_TOO_MUCH, "")
    assert got.covariance == approx(plain.covariance)
    assert got.contrast().note == STRATA_TAKE_TOO_MUCH


def test_no_variance_is_negative_however_few_have_the_outcome():
    rng, notes = np.random.default_rng(8), set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            site, x, _, _, arm = trial(20, rng, blocks=True)
            y = (rng.random(20) < 0.15).astype(float)
            columns = np.column_stack([x, site == 0, site == 1])
            got = standardised_means(y, arm, columns, model="firth", strata=site)
            notes.update(got.note.split("; "))
            if ALL_ALIKE in got.note:
                assert np.isnan(got.covariance).all()
                continue
            assert np.linalg.eigvalsh(got.covariance)[0] > -1e-12
            assert got.contrast().std_error > 0
            assert got.mean(True).std_error >= 0
    assert {ALL_ALIKE, NOT_POSITIVE, STRATA_TAKE_TOO_MUCH} <= notes


def test_where_the_variance_of_ye_is_not_positive_the_augmented_one_stands_in():
    rng = np.random.default_rng(8)
    for _ in range(100):
        _, x, _, _, arm = trial(20, rng)
        y = (rng.random(20) < 0.15).astype(float)
        if NOT_POSITIVE in (got := standardised_means(y, arm, x, model="firth")).note:
            break
    augmented = standardised_means(y, arm, x, model="firth", variance="augmented")
    assert got.note == NOT_POSITIVE and augmented.note == ""
    assert got.covariance == approx(augmented.covariance)


def test_a_limit_that_no_float_holds_is_infinite_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        contrast = wald_contrast(0.0, 1e3, np.inf, is_log=True)
    assert (contrast.estimate, contrast.conf_low, contrast.conf_high) == (1.0, 0.0, np.inf)


@pytest.mark.parametrize("everybody", [0.0, 1.0])
def test_an_outcome_that_nobody_or_everybody_has_leaves_no_variance(everybody):
    got = standardised_means(np.full(8, everybody), np.arange(8) % 2, np.arange(8.0), model="firth")
    assert got.means == approx([everybody] * 2)
    difference = got.contrast()
    assert difference.estimate == approx(0, abs=1e-12)
    assert np.isnan([difference.std_error, difference.conf_low, difference.p_value]).all()
    assert difference.note == ALL_ALIKE


@pytest.mark.parametrize("variance", [v for v in VARIANCES if not v.startswith("cr")])
def test_swapping_the_arms_flips_the_contrasts(variance):
    _, y, arm, covariates, *_ = cases()["adjusted"]
    got, swapped = (standardised_means(y, a, covariates, variance=variance) for a in (arm, 1 - arm))
    assert swapped.means == approx(got.means[::-1], rel=1e-9)
    assert swapped.covariance == approx(got.covariance[::-1, ::-1], rel=1e-8)
    for measure in ("ratio", "odds_ratio"):
        a, b = got.contrast(measure), swapped.contrast(measure)
        assert [a.estimate, a.conf_low] == approx([1 / b.estimate, 1 / b.conf_high], rel=1e-8)


def test_order_units_and_origin_of_covariates_are_irrelevant():
    d = reference_cases.data("d1_gcomp_alpha")
    got = standardised_means(d["employed18"], d["arm"], d[["age", "symptoms0"]], interaction=True)
    d = d.sample(frac=1, random_state=3)
    moved = np.column_stack([d["symptoms0"] / 1000, 2024 - d["age"]])
    again = standardised_means(d["employed18"], d["arm"], moved, interaction=True)
    assert again.means == approx(got.means, rel=1e-9)
    assert again.covariance == approx(got.covariance, rel=1e-8)


def test_a_sample_is_known_better_than_a_population():
    _, y, arm, covariates, *_ = cases()["adjusted"]
    for variance in ("hc0", "model", "augmented"):
        sample, population = (
            standardised_means(y, arm, covariates, estimand=e, variance=variance, small_sample=False)
            for e in ("sample", "population")
        )
        assert np.all(np.diag(sample.covariance) < np.diag(population.covariance))


def test_arm_means_keep_to_their_scale():
    _, y, arm, covariates, *_ = cases()["adjusted"]
    got = standardised_means(y, arm, covariates)
    active, reference = got.mean(True), got.mean(False)
    assert [active.estimate, reference.estimate] == approx(got.means.tolist())
    assert 0 < reference.conf_low < reference.estimate < reference.conf_high < active.conf_high < 1
    m, se = reference.estimate, reference.std_error
    assert reference.conf_low == approx(expit(np.log(m / (1 - m)) - 1.959963984540054 * se / (m * (1 - m))))
    linear = standardised_means(100 * y, arm, covariates, model="linear").mean(True)
    assert linear.conf_high - linear.estimate == approx(1.959963984540054 * linear.std_error)
    rate = standardised_means(y, arm, covariates, model="poisson").mean(True)
    assert rate.conf_low * rate.conf_high == approx(rate.estimate**2)


def test_firth_answers_where_the_data_are_separated():
    _, y, arm, covariates, *_ = cases()["adjusted"]
    rare = (np.arange(len(y)) % 30 == 0) & (y == 1)  # a level in which everyone found a job
    columns = np.column_stack([covariates, rare])
    with pytest.raises(AnalysisError, match=r"separated: .*covariate 4.*model='firth'"):
        standardised_means(y, arm, columns)
    got = standardised_means(y, arm, columns, model="firth").contrast()
    plain = standardised_means(y, arm, covariates).contrast()
    assert got.estimate == approx(plain.estimate, abs=plain.std_error / 2)
    assert got.std_error == approx(plain.std_error, rel=0.1)


def test_firth_without_covariates_is_the_plain_difference():
    # The mean residual of each arm brings back the observed proportions that the penalty moved.
    _, y, arm, *_ = cases()["unadjusted"]
    got, plain = (standardised_means(y, arm, model=m, small_sample=False) for m in ("firth", "logistic"))
    assert got.means == approx(plain.means)
    assert got.covariance == approx(plain.covariance)


def test_what_does_not_exist_is_missing_with_a_reason():
    y, arm = np.array([1, 1, 0, 1, 0, 0, 0, 0.0]), np.repeat([1, 0], 4)
    got = standardised_means(y, arm, model="firth")
    assert got.means == approx([0.75, 0.0], abs=1e-9)
    none = standardised_means(100 * np.repeat([1.0, 0.0], 4), arm, model="linear")
    assert none.contrast().estimate == approx(100)
    assert np.isnan(none.contrast().std_error) and "No spread" in none.note
    alone = standardised_means([0, 1, 0, 1, 1.0], [1, 0, 0, 0, 0], model="linear")
    assert np.isnan(alone.contrast().conf_low) and "Fewer than two people" in alone.contrast().note
    signs = standardised_means([-3, -1, 2, 4.0], [1, 1, 0, 0], model="linear").contrast("ratio")
    assert np.isnan(signs.estimate) and "No ratio of means -2 and 3" in signs.note


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": [[1, 5]] * 8}, r"column 0, 1 of 2 \(counted from 0\) is constant"),
        (
            {"covariates": [[i, 2 * i + 1] for i in range(8)]},
            r"Collinear: covariate 1 \(counted from 0; 1 of 4",
        ),
        ({"covariates": [1, 2, np.nan, 4, 5, np.nan, 7, 8]}, "by column, counted from 0: 0: 2; of 8"),
        ({"covariates": ["a"] * 8}, "Pass categories as indicators"),
        ({"covariates": np.eye(8)[:, :6]}, "8 coefficients cannot be estimated from 8 people"),
        ({"covariates": [1, 2, 3]}, "Arrays differ in length"),
        ({"covariates": [0, 0, 0, 0, 1, 1, 1, 1]}, "Collinear: covariate 0 "),  # the arm again
        ({"model": "probit"}, "model='probit' is not an option"),
        ({"estimand": "everyone"}, "estimand='everyone' is not an option"),
        ({"variance": "hc4"}, "variance='hc4' is not an option"),
        ({"model": "firth", "variance": "hc0"}, "does not hold for the augmented estimate"),
        ({"variance": "cr2"}, "variance='cr2' needs clusters"),
        ({"cluster": [1, 1, 2, 2, 3, 3, 4, 4]}, "variance='ye' does not use clusters"),
        ({"variance": "model", "strata": [0, 1] * 4}, "no correction for strata"),
        ({"strata": [0, 1, None, 1] * 2}, "stratum is missing for 2 of 8"),
    ],
)
def test_refusals_of_options(options, words):
    with pytest.raises(AnalysisError, match=words):
        standardised_means([0, 1, 1, 0, 0, 1, 0, 1], np.repeat([0, 1], 4), **options)


@pytest.mark.parametrize(
    ("y", "arm", "words"),
    [
        ([0, 1, np.nan, 1], [0, 0, 1, 1], "y is missing or not finite for 1 of 4"),
        ([0, 1, 2, 1], [0, 0, 1, 1], "y has 1 of 4 entries other than 0 and 1"),
        ([0, 1, 1], [0, 0, 1, 1], "Arrays differ in length"),
        ([0, 1, 1, 0], [1, 1, 1, 1], "arm has 4 of 4 people in the active arm"),
        ([0, 1, 1, 0], [1, 2, 1, 2], "arm has 2 of 4 entries other than 0 and 1"),
        ([1, 1, 1, 1], [1, 1, 0, 0], "Nobody of 4 differs from the others"),
        ([1, 0, 1, 1, 0, 0, 0, 0], [1] * 4 + [0] * 4, r"separated: .*\(intercept, arm; counted from 0\)"),
    ],
)
def test_refusals_of_data(y, arm, words):
    with pytest.raises(AnalysisError, match=words):
        standardised_means(y, arm)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [False, True])
def test_interval_covers_the_difference_in_a_population(blocks):
    # 150 people, 4 sites, logistic truth with site left out of the model; 1000 trials, Monte Carlo error 0.7
    # points of coverage and 2.2% of a standard error.
    rng = np.random.default_rng(20240607)
    _, _, p0, p1, _ = trial(2_000_000, rng)
    truth, found = (p1 - p0).mean(), []
    for _ in range(1000):
        site, x, p0, p1, arm = trial(150, rng, blocks=blocks)
        y = rng.random(150) < np.where(arm == 1, p1, p0)
        got = standardised_means(y, arm, x, strata=site if blocks else None).contrast()
        found.append((got.estimate, got.std_error, got.conf_low < truth < got.conf_high))
    estimate, std_error, covered = np.array(found).T
    assert estimate.mean() == approx(truth, abs=3.5 * estimate.std() / np.sqrt(1000))
    assert std_error.mean() == approx(estimate.std(), rel=0.07)
    assert 0.925 < covered.mean() < 0.97
