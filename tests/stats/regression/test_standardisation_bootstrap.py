"""The bootstrap of standardised means against refits one by one, R's bootstrap, and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pytest import approx

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import bootstrap_mean_difference, count_weights
from ipseval.stats.regression.standardisation import standardised_means
from ipseval.stats.regression.standardisation_bootstrap import DRAWN_EVERY_TIME, bootstrap_standardised_means
from tests import reference_cases


@pytest.fixture(scope="module")
def people():
    return reference_cases.data("d1_gcomp_alpha")


@pytest.mark.parametrize("model", ["logistic", "linear", "poisson"])
@pytest.mark.parametrize("interaction", [False, True])
def test_every_replicate_is_the_estimate_of_the_people_drawn(people, model, interaction):
    y, arm, columns = people["employed18"], people["arm"], people[["age", "prior_work_months"]]
    got = bootstrap_standardised_means(
        y, arm, columns, model=model, interaction=interaction, strata=people["site"], replicates=100, seed=4
    )
    within = arm + 2 * pd.factorize(people["site"])[0]
    counts = next(count_weights(within, 100, 4))
    for row, draw in list(zip(counts, got.draws, strict=True))[:20]:
        drawn = np.repeat(np.arange(len(people)), row)
        one = standardised_means(
            y.iloc[drawn], arm.iloc[drawn], columns.iloc[drawn], model=model, interaction=interaction
        )
        assert draw == approx(one.means, rel=1e-8)


def test_agrees_with_the_bootstrap_of_r_within_monte_carlo_error(people):
    r = reference_cases.expected("d1_gcomp_alpha")["adjusted"]["bootstrap_stochastic"]
    columns = people[["age", "female", "prior_work_months", "symptoms0"]]
    got = bootstrap_standardised_means(people["employed18"], people["arm"], columns, seed=1)
    difference, ratio = got.interval("difference"), got.interval("ratio")
    # 2000 replicates each: 1.6% of a standard error in either program; R draws from both arms at once.
    assert difference.std_error == approx(r["rd_se"], rel=0.06)
    assert ratio.std_error == approx(r["log_rr_se"], rel=0.06)
    assert [difference.conf_low, difference.conf_high] == approx(r["rd_percentile"], abs=0.02)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_without_covariates_it_is_the_bootstrap_of_two_means(people, method):
    y, arm = people["employed18"].to_numpy(), people["arm"].to_numpy()
    order = np.argsort(-arm, kind="stable")  # the plain bootstrap has the active arm first
    y, arm = y[order], arm[order]
    got = bootstrap_standardised_means(y, arm, replicates=500, seed=9, leave_out=True)
    plain = bootstrap_mean_difference(y[arm == 1], y[arm == 0], replicates=500, seed=9, method=method)
    assert got.interval("difference", method=method)[:5] == approx(plain[:5], rel=1e-8)


def test_a_ratio_has_the_limits_of_its_log(people):
    got = bootstrap_standardised_means(
        people["employed18"], people["arm"], people["age"], replicates=400, seed=2, leave_out=True
    )
    logs = np.log(got.draws[:, 0] / got.draws[:, 1])
    for method in ("percentile", "bca"):
        ratio = got.interval("ratio", method=method)
        assert ratio.estimate == approx(got.means[0] / got.means[1])
        assert ratio.std_error == approx(logs.std(ddof=1))
        assert ratio.conf_low < ratio.estimate < ratio.conf_high
    assert got.interval("ratio").conf_low == approx(np.exp(np.quantile(logs, 0.025)))


def test_a_replicate_without_a_fit_is_counted_and_leaves_no_interval(people):
    # A Poisson model has no penalty to stand in: a draw without the one person of a level with the outcome
    # has no finite ratio for it.
    rare = np.zeros(len(people))
    rare[[0, 1, 2]] = 1
    y = people["employed18"].to_numpy().copy()
    y[[0, 1, 2]] = [1, 0, 0]
    got = bootstrap_standardised_means(y, people["arm"], rare, model="poisson", replicates=300, seed=3)
    failed = np.isnan(got.draws).any(axis=1)
    interval = got.interval()
    assert 0 < failed.sum() < 300 and interval.n_failed == failed.sum()
    assert got.n_penalised == 0
    assert np.isnan(interval.conf_low) and f"no value in {failed.sum()} of 300" in interval.note


def test_a_level_that_nobody_drew_is_left_out_of_the_replicate(people):
    # A linear model has a fit for any draw, with the level or, where nobody has it, without.
    rare = np.arange(len(people)) == 5
    columns = np.column_stack([people["age"], rare])
    got = bootstrap_standardised_means(
        people["employed18"], people["arm"], columns, model="linear", replicates=200, seed=3
    )
    counts = next(count_weights(people["arm"], 200, 3))
    absent = np.flatnonzero(counts[:, 5] == 0)
    assert absent.size > 20 and np.isfinite(got.draws).all()
    drawn = np.repeat(np.arange(len(people)), counts[absent[0]])
    one = standardised_means(
        people["employed18"].iloc[drawn], people["arm"].iloc[drawn], people["age"].iloc[drawn], model="linear"
    )
    assert got.draws[absent[0]] == approx(one.means, rel=1e-8)


def test_the_unit_of_a_linear_outcome_is_irrelevant(people):
    y = people["employed18"] * 1e6 + people["age"]
    got, small = (
        bootstrap_standardised_means(
            factor * y, people["arm"], people["age"], model="linear", replicates=100, seed=1
        )
        for factor in (1, 1e-9)
    )
    assert small.draws * 1e9 == approx(got.draws, rel=1e-9)


def test_refusals(people):
    y, arm = people["employed18"], people["arm"]
    with pytest.raises(AnalysisError, match="model='firth' is not an option"):
        bootstrap_standardised_means(y, arm, model="firth", seed=1)
    with pytest.raises(AnalysisError, match="replicates=10 is too few"):
        bootstrap_standardised_means(y, arm, replicates=10, seed=1)
    got = bootstrap_standardised_means(y, arm, replicates=100, seed=1)
    with pytest.raises(AnalysisError, match="Pass leave_out=True"):
        got.interval(method="bca")
    with pytest.raises(AnalysisError, match="measure='hazard' is not an option"):
        got.interval("hazard")


def test_separated_replicates_are_fitted_with_firths_penalty_and_counted() -> None:
    rng = np.random.default_rng(1)
    arm, age = np.arange(60) % 2, rng.normal(size=60)
    y = (rng.random(60) < np.where(arm == 1, 0.5, 0.1)).astype(float)
    y[arm == 0] = 0
    y[0] = 1  # one person of the reference arm: some draws are without them
    got = bootstrap_standardised_means(y, arm, age, replicates=300, seed=1)
    without = 0.35 * 300  # (1 - 1/30)**30 of the draws
    assert abs(got.n_penalised - without) < 40
    assert np.isfinite(got.draws).all()
    assert ((got.draws > 0) & (got.draws < 1)).all()
    for measure in ("difference", "ratio", "odds_ratio"):
        interval = got.interval(measure)
        assert interval.conf_low < interval.estimate < interval.conf_high
        assert interval.note.startswith(f"{got.n_penalised} of 300 replicates are separated")


@pytest.mark.parametrize(("n_alone", "method"), [(0, "percentile"), (2, "percentile"), (2, "bca")])
def test_people_alone_in_their_stratum_are_counted_in_the_note(n_alone: int, method: str) -> None:
    """Two people of the active arm have a site of their own; the other sites hold several of either arm."""
    rng = np.random.default_rng(4)
    arm, site = np.arange(40) % 2, np.arange(40) // 10
    site[arm.nonzero()[0][:n_alone]] = np.arange(10, 10 + n_alone)
    y = (rng.random(40) < 0.5).astype(float)
    asked = {"strata": site, "replicates": 100, "seed": 1, "leave_out": method == "bca"}
    draws = bootstrap_standardised_means(y, arm, **asked)
    said = f"{DRAWN_EVERY_TIME}; n_alone = 2 of 40" if n_alone else ""
    assert draws.interval("difference", method=method).note == said
    assert words.text("note.drawn_every_time") == DRAWN_EVERY_TIME
