"""Sandwich variances against sandwich and clubSandwich, and against what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import arm_design
from ipseval.stats.regression.robust_variance import (
    CLUSTERED,
    cluster_codes,
    coefficient_covariance,
    coefficient_df,
    satterthwaite_df,
)
from tests import reference_cases

CLUSTERS = "d3_cluster_robust"
# R's glm keeps the weights of its last iteration but one, which leaves up to 1e-7.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def people():
    return reference_cases.data(CLUSTERS)


def fitted(people, model):
    design = arm_design(people["arm"], people[["age", "prior_work_months"]])
    y = people["employed18"].to_numpy(float)
    return canonical_fit(y, design.observed, model), y, design.observed


def std_errors(covariance):
    return np.sqrt(np.diag(covariance))


@pytest.mark.parametrize("model", ["linear", "logistic", "poisson"])
@pytest.mark.parametrize("label", ["site", "coach"])
def test_clustered_errors_and_degrees_of_freedom_agree_with_clubsandwich(people, model, label):
    r = reference_cases.expected(CLUSTERS)[model][label]
    fit, y, X = fitted(people, model)
    cluster = cluster_codes(people[label], len(people))
    for kind in CLUSTERED:
        got = std_errors(coefficient_covariance(fit, y, X, kind, cluster))
        assert got == approx(r[kind.upper()], rel=TOLERANCE)
    df = [coefficient_df(fit, X, "cr2", cluster, j) for j in range(X.shape[1])]
    assert df == approx(r["satterthwaite_df_CR2"], rel=TOLERANCE)


def test_independent_errors_of_a_logistic_model_as_statsmodels(people):
    import statsmodels.api as sm

    fit, y, X = fitted(people, "logistic")
    for kind in ("hc0", "hc1"):  # statsmodels gives HC0 whatever is asked for; HC1 is its multiple
        r = sm.GLM(y, X, family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-14)
        factor = 1.0 if kind == "hc0" else len(y) / (len(y) - X.shape[1])
        assert coefficient_covariance(fit, y, X, kind) == approx(r.cov_params() * factor, rel=1e-6)


@pytest.mark.parametrize("model", ["linear", "logistic", "poisson"])
@pytest.mark.parametrize(("alone", "independent"), [("cr0", "hc0"), ("cr2", "hc2"), ("cr3", "hc3")])
def test_everyone_a_cluster_of_their_own_is_the_same_as_no_clusters(people, model, alone, independent):
    fit, y, X = fitted(people, model)
    cluster = np.arange(len(people))
    assert coefficient_covariance(fit, y, X, alone, cluster) == approx(
        coefficient_covariance(fit, y, X, independent), rel=1e-9
    )


def test_cr3_of_a_linear_model_is_the_jackknife_of_clusters(people):
    fit, y, X = fitted(people, "linear")
    cluster = cluster_codes(people["coach"], len(people))
    left_out = np.array(
        [np.linalg.lstsq(X[cluster != g], y[cluster != g], rcond=None)[0] for g in np.unique(cluster)]
    )
    moved = left_out - fit.coefficients
    assert coefficient_covariance(fit, y, X, "cr3", cluster) == approx(moved.T @ moved, rel=1e-9)


def test_cr2_is_unbiased_when_the_model_is_right():
    # The mean of the CR2 variance over y ~ N(Xb, I) is exactly (X'X)^-1: E r'Ar is trace(A Var(r)).
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(30), rng.random(30), np.repeat([0.0, 1.0], 15)])
    cluster = np.repeat(np.arange(6), 5)
    bread = np.linalg.inv(X.T @ X)
    total = np.zeros((3, 3))
    # Residual variance I - H, fed through the estimator one root of it at a time.
    maker = np.eye(30) - X @ bread @ X.T
    for residual in maker:  # maker is its own root
        fit = canonical_fit(X[:, 1], X, "linear")._replace(mean=-residual)
        total += coefficient_covariance(fit, np.zeros(30), X, "cr2", cluster)
    assert total == approx(bread, rel=1e-9)


def test_two_equal_groups_have_the_degrees_of_freedom_of_a_pooled_t_test():
    # With singleton clusters in two groups of m, Bell-McCaffrey df of the difference is 2 (m - 1).
    arm = np.repeat([True, False], 8)
    design = arm_design(arm, None)
    fit = canonical_fit(np.arange(16.0), design.observed, "linear")
    assert satterthwaite_df(fit, design.observed, np.array([0.0, 1.0]), np.arange(16)) == approx(14)


def test_someone_fitted_perfectly_adds_nothing_and_breaks_nothing(people):
    # One person alone has the covariate: leverage 1, residual 0.
    design = arm_design(people["arm"], np.arange(len(people)) == 3)
    y = people["employed18"].to_numpy(float)
    fit = canonical_fit(y, design.observed, "linear")
    rest = np.arange(len(people)) != 3
    without = canonical_fit(y[rest], design.observed[rest, :2], "linear")
    for kind in ("hc2", "hc3"):
        got = coefficient_covariance(fit, y, design.observed, kind)[1, 1]
        alone = coefficient_covariance(without, y[rest], design.observed[rest, :2], kind)[1, 1]
        assert got == approx(alone, rel=1e-9)


def test_order_of_people_and_names_of_clusters_are_irrelevant(people):
    shuffled = people.sample(frac=1, random_state=1)
    for kind in CLUSTERED:
        fit, y, X = fitted(people, "poisson")
        first = coefficient_covariance(fit, y, X, kind, cluster_codes(people["coach"], len(people)))
        fit, y, X = fitted(shuffled, "poisson")
        renamed = cluster_codes("coach of " + shuffled["coach"], len(people))
        assert coefficient_covariance(fit, y, X, kind, renamed) == approx(first, rel=1e-9)


def test_refusals(people):
    fit, y, X = fitted(people, "linear")
    n = len(people)
    with pytest.raises(AnalysisError, match="The cluster is missing for 2 of 4 people"):
        cluster_codes(["a", None, "b", pd.NA], 4)
    with pytest.raises(AnalysisError, match="All 3 people are in one cluster"):
        cluster_codes(["a", "a", "a"], 3)
    with pytest.raises(AnalysisError, match="Arrays differ in length"):
        cluster_codes(["a", "b"], 3)
    with pytest.raises(AnalysisError, match="variance='cr2' needs clusters"):
        coefficient_covariance(fit, y, X, "cr2")
    with pytest.raises(AnalysisError, match="variance='hc3' does not use clusters"):
        coefficient_covariance(fit, y, X, "hc3", cluster_codes(people["site"], n))
    only = np.column_stack([X, people["site"] == "S01"])
    with pytest.raises(AnalysisError, match=r"Without one cluster .* variance='cr3' does not exist"):
        fit = canonical_fit(y, only, "linear")
        coefficient_covariance(fit, y, only, "cr3", cluster_codes(people["site"], n))
    with pytest.raises(AnalysisError, match="variance='hc9' is not an option"):
        coefficient_covariance(fit, y, X, "hc9")
