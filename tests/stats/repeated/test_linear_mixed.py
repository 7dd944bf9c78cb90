import numpy as np
import pytest

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.linear_mixed import linear_mixed
from tests.reference_cases import data, expected
from tests.stats.repeated.test_repeated_measures import rows, simulated

SLEEP = {
    "random_intercept": {},
    "random_slope": {"slope": True},
    "uncorrelated": {"slope": True, "correlated": False},
}


def sleep(name, **options):
    found = data("c4_lmm_sleepstudy")
    days = found["days"].to_numpy(float)
    chosen = {**SLEEP[name], **options}
    if chosen.pop("slope", False):
        chosen["slope"] = days
    design = np.column_stack([np.ones(len(days)), days])
    return linear_mixed(found["reaction"].to_numpy(float), design, found["subject"], **chosen)


def agrees(fit, case):
    """Compare estimates, likelihood and both degrees of freedom with lme4, lmerTest and pbkrtest."""
    reml = case["reml"]
    # lme4's optimiser leaves 1e-7 in the variances; everything else follows from them.
    np.testing.assert_allclose(fit.coefficients, list(reml["coef"].values()), rtol=1e-6)
    np.testing.assert_allclose(fit.std_error, list(reml["se"].values()), rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(reml["loglik_reml"], abs=1e-8)
    for weights, first, second in zip(
        np.eye(len(fit.coefficients)),
        case["satterthwaite"].values(),
        case["kenward_roger"].values(),
        strict=True,
    ):
        found = fit.inference.contrast(weights, df="satterthwaite")
        assert (found.df, found.statistic) == pytest.approx((first["df"], first["t"]), rel=2e-6)
        found = fit.inference.contrast(weights)
        assert (found.std_error, found.df, found.statistic) == pytest.approx(
            (second["se"], second["df"], second["t"]), rel=1e-6
        )
        assert found.p_value == pytest.approx(second["p"], rel=1e-5)


@pytest.mark.parametrize("name", SLEEP)
def test_sleepstudy_is_that_of_lme4(name):
    case, fit = expected("c4_lmm_sleepstudy")[name], sleep(name)
    assert fit.converged and not fit.at_boundary
    agrees(fit, case)
    ml = sleep(name, reml=False)
    assert ml.log_likelihood == pytest.approx(case["ml"]["loglik"], abs=1e-8)
    np.testing.assert_allclose(ml.std_error, list(case["ml"]["se"].values()), rtol=1e-6)


def test_variances_of_the_random_slope_are_those_of_lme4():
    theirs = expected("c4_lmm_sleepstudy")["random_slope"]["reml"]["vcomp_variance_or_cov"]
    fit = sleep("random_slope")
    intercept, slope, together, residual = theirs.values()
    np.testing.assert_allclose(fit.person_covariance, [[intercept, together], [together, slope]], rtol=2e-5)
    assert fit.residual_variance == pytest.approx(residual, rel=1e-6)


@pytest.mark.parametrize("outcome", ["qol", "hours_week"])
def test_person_and_person_within_site_are_those_of_lme4(outcome):
    y, design, person, _ = rows(outcome)
    found = data("c5_lmm_mmrm_alpha")
    site = found.loc[found[outcome].notna(), "site"]
    case = expected("c5_lmm_mmrm_alpha")[outcome]
    agrees(linear_mixed(y, design, person), case["lmer_person"])
    fit = linear_mixed(y, design, person, site=site)
    agrees(fit, case["lmer_person_site"])
    theirs = case["lmer_person_site"]["reml"]["vcomp_variance_or_cov"]
    assert fit.site_variance == pytest.approx(theirs["site:(Intercept)"], rel=1e-4)
    assert fit.at_boundary is (theirs["site:(Intercept)"] == 0.0)
    interaction = np.eye(11)[7:]
    for df, name in (("kenward_roger", "kenward_roger"), ("satterthwaite", "satterthwaite")):
        (one,) = [
            row for row in case["lmer_person_site"][f"anova_type3_{name}"] if row["term"] == "arm_f:month"
        ]
        test = fit.inference.test(interaction, df=df)
        # lmerTest differentiates numerically, which pooling degrees of freedom magnifies.
        assert test.denominator_df == pytest.approx(one["DenDF"], rel=1e-4)
        assert (test.statistic, test.p_value) == pytest.approx((one["F value"], one["Pr(>F)"]), rel=1e-6)


def test_a_variance_of_zero_is_ordinary_regression():
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(30), 4)
    between = rng.normal(size=120).reshape(30, 4)
    y = (between - between.mean(axis=1, keepdims=True)).ravel()  # less alike within people than by chance
    design = np.column_stack([np.ones(120), np.tile([0.0, 1.0, 2.0, 3.0], 30)])
    fit = linear_mixed(y, design, person)
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert fit.at_boundary and fit.person_covariance[0, 0] == 0.0
    assert fit.residual_variance == pytest.approx(residual @ residual / 118, rel=1e-8)
    assert fit.inference.contrast([0.0, 1.0], df="satterthwaite").df == pytest.approx(118, rel=1e-6)


def test_order_of_rows_and_unit_do_not_matter():
    y, design, person, visit = simulated(3)
    order = np.random.default_rng(0).permutation(len(y))
    first = linear_mixed(y, design, person, slope=visit)
    other = linear_mixed(10.0 * y[order], design[order], person[order], slope=visit[order])
    np.testing.assert_allclose(other.coefficients, 10.0 * first.coefficients, rtol=1e-5)
    np.testing.assert_allclose(other.person_covariance, 100.0 * first.person_covariance, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda y, x, p: (y, np.column_stack([x, x[:, 1]]), p), "follow from others"),
        (lambda y, x, p: (y, x, np.arange(len(y))), "Use ordinary regression"),
        (lambda y, x, p: (x @ np.ones(3), x, p), "X explains every outcome exactly"),
        (lambda y, x, p: (np.where(p == 1, np.nan, y), x, p), "missing"),
    ],
)
def test_what_cannot_be_fitted_is_said(change, said):
    with pytest.raises(AnalysisError, match=said):
        linear_mixed(*change(*simulated()[:3]))


def test_a_person_belongs_to_one_site():
    y, design, person, visit = simulated()
    with pytest.raises(AnalysisError, match="people are in more than one site"):
        linear_mixed(y, design, person, site=visit)
