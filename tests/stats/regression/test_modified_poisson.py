"""Modified Poisson regression against R, the plain ratio, and a known truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.two_proportions import risk_ratio
from ipseval.stats.regression.modified_poisson import modified_poisson
from tests import reference_cases

# Both programs iterate to convergence; R's stop leaves about 1e-9.
TOLERANCE = 1e-7
KEYS = {
    "model": "se_model",
    "hc0": "se_hc0",
    "hc1": "se_hc1",
    "hc2": "se_hc2",
    "hc3": "se_hc3",
    "cr0": "se_cluster_cr0",
    "cr1": "se_clubsandwich_CR1",
    "cr1s": "se_cluster_stata",
    "cr2": "se_clubsandwich_CR2",
    "cr3": "se_clubsandwich_CR3",
}
WITHOUT_CLUSTERS = tuple(key for key in KEYS if not key.startswith("cr"))


def cases():
    d, alpha = reference_cases.data("d1_gcomp_alpha"), reference_cases.expected("d1_gcomp_alpha")
    b = reference_cases.data("d2_gcomp_birthwt")
    race = pd.get_dummies(b["race"], dtype=float).iloc[:, 1:]
    columns = np.column_stack([b[["age", "lwt"]], race, b[["ptl", "ht"]]])
    y, arm, site = d["employed18"], d["arm"], d["site"]
    return {
        "alpha": (alpha["modified_poisson"], y, arm, d[["age", "female", "prior_work_months"]], site),
        "unadjusted": (alpha["modified_poisson_unadjusted"], y, arm, None, site),
        "birthwt": (
            reference_cases.expected("d2_gcomp_birthwt")["modified_poisson"],
            b["low"],
            b["smoke"],
            columns,
            None,
        ),
    }


@pytest.mark.parametrize(
    ("name", "variance"),
    [*product(("alpha", "unadjusted"), KEYS), *product(["birthwt"], WITHOUT_CLUSTERS)],
)
def test_coefficients_and_every_standard_error_agree_with_r(name, variance):
    r, y, arm, covariates, site = cases()[name]
    got = modified_poisson(
        y, arm, covariates, variance=variance, cluster=site if variance.startswith("cr") else None
    )
    assert got.coefficients == approx([*r["coef"].values()], rel=TOLERANCE)
    assert np.sqrt(np.diag(got.covariance)) == approx([*r[KEYS[variance]].values()], rel=TOLERANCE)
    assert got.ratio.estimate == approx(r["rr"]["estimate"], rel=TOLERANCE)
    if variance == "hc0":
        assert [got.ratio.conf_low, got.ratio.conf_high] == approx(
            [r["rr"]["lower_hc0"], r["rr"]["upper_hc0"]], rel=TOLERANCE
        )


def test_without_covariates_it_is_the_log_interval_of_a_ratio():
    y, arm = np.repeat([1, 0, 1, 0], [31, 39, 20, 61]), np.repeat([1, 0], [70, 81])
    got, plain = modified_poisson(y, arm).ratio, risk_ratio(31, 70, 20, 81, method="log")
    assert [got.estimate, got.conf_low, got.conf_high] == approx(
        [plain.estimate, plain.conf_low, plain.conf_high], rel=1e-9
    )


def test_clusters_bring_t_limits():
    _, y, arm, covariates, site = cases()["alpha"]
    assert modified_poisson(y, arm, covariates, variance="cr0", cluster=site).ratio.df == 3
    assert modified_poisson(y, arm, covariates, variance="cr2", cluster=site).ratio.df < 3
    assert modified_poisson(y, arm, covariates).ratio.df == np.inf


def test_swapping_the_arms_inverts_the_ratio():
    _, y, arm, covariates, _ = cases()["alpha"]
    for variance in ("hc0", "hc3"):
        got, swapped = (modified_poisson(y, a, covariates, variance=variance).ratio for a in (arm, 1 - arm))
        assert [got.estimate, got.conf_low, got.p_value] == approx(
            [1 / swapped.estimate, 1 / swapped.conf_high, swapped.p_value], rel=1e-8
        )


def test_proportions_above_one_are_counted_in_the_note():
    x = np.linspace(0, 1, 40)
    y = np.r_[np.arange(20) % 4 == 0, np.ones(20, bool)]
    got = modified_poisson(y, np.arange(40) % 2, x)
    assert "exceeds 1 for" in got.ratio.note and "of 40 people" in got.ratio.note
    assert modified_poisson(2 * y, np.arange(40) % 2, x).ratio.note == ""  # counts may


@pytest.mark.parametrize(
    ("y", "covariates", "words"),
    [
        ([0, 0, 0, 0, 1, 0, 1, 1], None, r"\(arm; counted from 0\) predicts an outcome of 0"),
        ([1, 0, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0, 0, 0, 0, 0], "covariate 0; counted from 0"),
        ([0] * 8, None, "Nobody of 8 has the outcome"),
        ([-1] + [1] * 7, None, "y is negative for 1 of 8"),
        ([np.nan] + [1] * 7, None, "y is missing or not finite for 1 of 8"),
    ],
)
def test_refusals(y, covariates, words):
    with pytest.raises(AnalysisError, match=words):
        modified_poisson(y, [1, 1, 1, 1, 0, 0, 0, 0], covariates)


@pytest.mark.slow
def test_interval_covers_the_common_ratio():
    # 300 people, log-linear truth with ratio 1.6; 1500 trials, Monte Carlo error 0.006.
    rng, covered = np.random.default_rng(20240608), 0
    for _ in range(1500):
        x, arm = rng.integers(0, 2, 300), rng.permutation(np.arange(300) % 2)
        y = rng.random(300) < 0.25 * 1.6**arm * 1.4**x
        got = modified_poisson(y, arm, x).ratio
        covered += got.conf_low < 1.6 < got.conf_high
    assert 0.93 < covered / 1500 < 0.968
