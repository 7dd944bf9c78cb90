"""Negative binomial regression against R, statsmodels and what must hold of any fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts.negative_binomial import negative_binomial
from ipseval.stats.regression.modified_poisson import modified_poisson
from tests import reference_cases

R = reference_cases.expected("g3_amount_models")["negative_binomial"]
C7 = reference_cases.expected("c7_counts_alpha")["weeks_worked"]
DATA = reference_cases.data("c7_counts_alpha")
WEEKS, JOBS, ARM, PRIOR, DAYS = (
    DATA[name].to_numpy() for name in ("weeks_worked", "n_jobs", "arm", "prior_work_months", "exposure_days")
)


@pytest.fixture(scope="module")
def fit():
    return negative_binomial(WEEKS, ARM, PRIOR, exposure=DAYS)


def test_coefficients_and_covariances_are_those_of_r(fit):
    assert fit.coefficients == approx(R["coefficients"], rel=1e-8)
    assert [fit.overdispersion, fit.log_likelihood] == approx([R["alpha"], R["log_likelihood"]], rel=1e-8)
    for variance in ("model", "robust"):
        assert fit.covariances[variance] == approx(np.array(R[variance]), rel=1e-6)  # numerical derivatives


def test_means_over_a_time_and_their_covariances_are_those_of_r(fit):
    for variance in ("model", "robust"):
        found = fit.means(540, variance)
        assert found.means == approx(R["means"], rel=1e-8)
        assert found.covariance == approx(np.array(R[f"means_{variance}"]), rel=1e-6, abs=1e-6)


def test_glmmtmb_and_glm_nb_of_case_c7(fit):
    # glmmTMB stops at 1e-6; glm.nb takes alpha as known, so that only its estimates are ours.
    assert fit.coefficients == approx(list(C7["nbinom2"]["coef"].values()), rel=1e-5)
    assert np.sqrt(np.diag(fit.covariances["model"])) == approx(list(C7["nbinom2"]["se"].values()), rel=1e-4)
    assert fit.coefficients == approx(list(C7["MASS_glm_nb"]["coef"].values()), rel=1e-8)


@pytest.mark.slow
def test_robust_errors_are_those_of_statsmodels_with_a_factor(fit):
    from statsmodels.discrete.discrete_model import NegativeBinomial

    model = NegativeBinomial(WEEKS, fit.design.observed, offset=np.log(DAYS))
    start = [*fit.coefficients, fit.overdispersion]
    other = model.fit(start_params=start, method="newton", tol=1e-14, disp=0, cov_type="HC0")
    n, k = fit.design.observed.shape
    assert np.sqrt(np.diag(fit.covariances["robust"]) * (n - k) / n) == approx(other.bse[:k], rel=1e-6)


def test_the_rate_ratio_is_the_ratio_of_the_means(fit):
    ratio, means = fit.rate_ratio(), fit.means(540)
    assert ratio.estimate == approx(means.contrast("ratio").estimate)
    assert ratio.std_error == approx(means.contrast("ratio").std_error)


def test_without_overdispersion_it_is_poisson_and_says_so():
    y, arm = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1], [1] * 6 + [0] * 6
    found, poisson = negative_binomial(y, arm), modified_poisson(y, arm, variance="hc1")
    assert found.overdispersion == 0
    assert found.rate_ratio()[:2] == approx(poisson.ratio[:2])
    assert "not overdispersed" in found.rate_ratio().note
    assert found.means(3.0).means == approx([4.5, 3.0])


def test_the_likelihood_is_at_its_top(fit):
    jobs = negative_binomial(JOBS, ARM, PRIOR, exposure=DAYS)
    # Poisson, of case c7, is a point on its border.
    poisson = reference_cases.expected("c7_counts_alpha")["n_jobs"]["poisson"]["loglik"]
    assert jobs.log_likelihood > poisson
    assert np.abs(jobs.scores.sum(axis=0)).max() < 1e-8


people = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 0, 1, 3, 8, 40]), st.integers(10, 90)),
    min_size=10,
    max_size=25,
)


@settings(max_examples=15, deadline=None)
@given(people, st.randoms())
def test_arms_swap_rows_shuffle_and_time_scales(rows, random):
    arm, y, days = (np.array(column) for column in zip(*rows, strict=True))
    assume(y[arm].any() and y[~arm].any())
    once = negative_binomial(y, arm, exposure=days)
    swapped = negative_binomial(y, ~arm, exposure=days)
    assert swapped.rate_ratio().estimate == approx(1 / once.rate_ratio().estimate, rel=1e-6)
    assert swapped.means(90).means == approx(once.means(90).means[::-1], rel=1e-6)
    order = random.sample(range(len(y)), len(y))
    weekly = negative_binomial(y[order], arm[order], exposure=days[order] / 7)
    assert weekly.means(90 / 7).means == approx(once.means(90).means, rel=1e-6)
    assert weekly.rate_ratio()[:2] == approx(once.rate_ratio()[:2], rel=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: negative_binomial([0, 0, 1, 2], [1, 1, 0, 0]), "Nobody of 2 in the active arm has any"),
        (lambda: negative_binomial([0.5, 1, 1, 2], [1, 1, 0, 0]), "1 of 4 entries that are not whole"),
        (lambda: negative_binomial([-1, 1, 1, 2], [1, 1, 0, 0]), "1 of 4 entries that are not whole"),
        (
            lambda: negative_binomial([1, 1, 1, 2], [1, 1, 0, 0], exposure=[0, 1, 1, 1]),
            "not above 0 for 1 of 4",
        ),
        (lambda: negative_binomial([3, 1], [1, 0]), "cannot be estimated from 2 people"),
        (lambda: negative_binomial([1, 2, 0, 0, 3, 1], [1, 0] * 3, [0, 0, 1, 1, 0, 0]), "separated"),
    ],
)
def test_what_has_no_finite_fit_is_refused(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()
