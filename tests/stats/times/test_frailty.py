"""Shared frailty against R's survival (gamma) and the criterion of coxme (gaussian)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import cox
from ipseval.stats.times.frailty import DISTRIBUTIONS, shared_frailty
from tests.reference_cases import data, expected

# The integrated likelihood is flat at its top: two searches agree in it to more digits than in the variance.
LIKELIHOOD = 1e-8
SEARCHED = {"rtol": 1e-5, "atol": 1e-6}
ADJUSTED = ["test", "karno", "age", "prior"]


def veteran():
    frame = data("b1_survival_veteran").assign(test=lambda d: (d["trt"] == 2).astype(int))
    return frame["time"], frame["status"], frame[ADJUSTED], frame["celltype"]


def rats():
    frame = data("b8_frailty_gamma", "rats.csv")
    return frame["time"], frame["status"], frame["rx"], frame["litter"]


def clustered(seed, variance, n_clusters=40, size=6):
    """Return exponential times with gamma frailties of the given variance and a log hazard ratio of 0.7."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(n_clusters), size)
    arm = np.tile([0, 1], site.size // 2)
    frailty = rng.gamma(1 / variance, variance, n_clusters) if variance else np.ones(n_clusters)
    time = rng.exponential(1 / (frailty[site] * np.exp(0.7 * arm)))
    return np.minimum(time, 2), time <= 2, arm, site


def test_rats_published():
    """Mantel, Bohidar and Ciminera (1977): R's survival prints a variance of 0.499, I-likelihood -180.8."""
    fit = shared_frailty(*rats())
    assert fit.variance == pytest.approx(0.499, abs=5e-4)
    assert fit.loglik == pytest.approx(-180.8, abs=0.05)


@pytest.mark.parametrize(("name", "sample"), [("veteran", veteran), ("rats", rats)])
def test_gamma_agrees_with_survival(name, sample):
    fit, found = shared_frailty(*sample()), expected("b8_frailty_gamma")[name]
    assert fit.loglik == pytest.approx(found["integrated_loglik"], rel=LIKELIHOOD)
    assert_allclose(fit.coef, list(found["coef"].values()), **SEARCHED)
    assert_allclose(fit.std_error, list(found["se"].values()), **SEARCHED)
    assert_allclose(fit.variance, found["theta"], **SEARCHED)
    assert_allclose(fit.log_frailty, found["log_frailties"], **SEARCHED)
    assert (fit.n, fit.n_event) == (found["n"], found["n_event"])


def test_default_survival_stops_short_of_the_maximum():
    """R with its default eps (case b1): 3% away in the variance, and a lower likelihood than ours."""
    fit, found = shared_frailty(*veteran()), expected("b1_survival_veteran")["cox_adjusted"]["frailty_gamma"]
    assert fit.loglik > found["integrated_loglik"] + 1e-3
    assert_allclose(fit.coef, list(found["coef"].values()), atol=1e-3)
    assert fit.variance == pytest.approx(found["theta"], rel=0.05)


def test_gaussian_agrees_with_the_criterion_of_coxme():
    fit = shared_frailty(*veteran(), distribution="gaussian")
    found = expected("b1_survival_veteran")["cox_adjusted"]["gaussian_frailty_laplace_ml"]
    assert fit.loglik == pytest.approx(found["ipl"], rel=LIKELIHOOD)
    assert_allclose(fit.coef, list(found["coef"].values()), **SEARCHED)
    assert_allclose(fit.std_error, list(found["se"].values()), **SEARCHED)
    assert_allclose(fit.variance, found["theta"], **SEARCHED)
    assert_allclose(fit.log_frailty, found["b"], **SEARCHED)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize(
    ("key", "names"),
    [("cox_arm", ["arm"]), ("cox_adjusted", ["arm", "age", "prior_work_months", "symptoms0"])],
)
def test_at_the_boundary_it_is_cox(distribution, key, names):
    frame, found = data("b2_survival_alpha"), expected("b2_survival_alpha")[key]
    fit = shared_frailty(
        frame["time"], frame["status"], frame[names], frame["site"], distribution=distribution
    )
    plain = cox(frame["time"], frame["status"], frame[names])
    assert fit.at_boundary
    assert (fit.variance, fit.p_value) == (0.0, 1.0)
    assert_allclose(fit.coef, plain.coef, rtol=1e-7)
    assert_allclose(fit.covariance, plain.covariance, rtol=1e-7)
    # R stops at a variance of 5e-9 (gamma) or 6e-6 (gaussian).
    which = "frailty_gamma" if distribution == "gamma" else "gaussian_frailty_laplace_ml"
    assert_allclose(fit.coef, list(found[which]["coef"].values()), atol=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_labels_order_and_units_do_not_matter(distribution):
    time, event, covariates, cluster = veteran()
    fit = shared_frailty(time, event, covariates, cluster, distribution=distribution)
    turned = np.random.default_rng(1).permutation(len(time))
    units = np.array([1, 0.1, 12, 1])
    same = shared_frailty(
        time.to_numpy()[turned] / 7,
        event.to_numpy()[turned],
        covariates.to_numpy()[turned] * units,
        np.array([f"z{label}" for label in cluster])[turned],
        distribution=distribution,
    )
    assert_allclose(same.coef * units, fit.coef, **SEARCHED)
    assert_allclose(same.log_frailty, fit.log_frailty, **SEARCHED)


def test_mean_gamma_frailty_is_one():
    fit = shared_frailty(*clustered(2, 0.5))
    assert np.exp(fit.log_frailty).mean() == pytest.approx(1, abs=1e-9)
    assert 0 < fit.p_value < 0.05


def test_refusals():
    time, event, arm, site = [1, 2, 3, 4], [1, 1, 1, 0], [1, 0, 1, 0], ["A", "A", "B", "B"]
    with pytest.raises(AnalysisError, match="cluster has 1 label"):
        shared_frailty(time, event, arm, ["A"] * 4)
    with pytest.raises(AnalysisError, match="No event among 4 people"):
        shared_frailty(time, [0] * 4, arm, site)
    with pytest.raises(AnalysisError, match="same for everybody"):
        shared_frailty(time, event, [1] * 4, site)
    with pytest.raises(AnalysisError, match="Infinite coefficient of 1 column"):
        shared_frailty(time, [1, 1, 0, 0], [1, 1, 0, 0], site)
    with pytest.raises(AnalysisError, match="distribution='stable' is not an option"):
        shared_frailty(time, event, arm, site, distribution="stable")


@pytest.mark.slow
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_finds_a_known_effect_and_variance(distribution):
    """Gamma frailties of variance 0.5 in 40 clusters; a log-normal one of like spread does nearly as well."""
    fits = [shared_frailty(*clustered(seed, 0.5), distribution=distribution) for seed in range(60)]
    coef = np.array([fit.coef[0] for fit in fits])
    assert coef.mean() == pytest.approx(0.7, abs=3 * coef.std() / np.sqrt(60) + 0.02)
    covered = np.mean([abs(fit.coef[0] - 0.7) < 1.96 * fit.std_error[0] for fit in fits])
    assert covered == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 60))
    if distribution == "gamma":
        assert np.mean([fit.variance for fit in fits]) == pytest.approx(0.5, abs=0.08)
