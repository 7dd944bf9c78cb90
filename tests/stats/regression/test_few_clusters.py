"""The correction for few clusters, against R (case b13), what must hold, and its level by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ipseval.errors import AnalysisError
from ipseval.stats.regression.few_clusters import Spread, cluster_samples, spread_along
from ipseval.stats.regression.standardisation import standardised_means
from ipseval.stats.times.cox import cox
from tests.reference_cases import data, expected


def corrected(influence: object, is_shared: object = None) -> Spread:
    """Return the spread of a single estimate."""
    return spread_along(cluster_samples(np.asarray(influence)[:, None], is_shared), [1.0])


def test_with_one_kind_of_cluster_it_is_vcovcl_of_case_b13() -> None:
    frame, wanted = data("b3_competing_alpha"), expected("b13_cox_few_clusters")["with_age"]
    coach = frame["id"].str[1:].astype(int) % 12
    fit = cox(frame["time"], frame["cr_status"] == 1, frame[["arm", "age"]], cluster=coach)
    for place, name in enumerate(("arm", "age")):
        found = spread_along(cluster_samples(fit.influence), np.eye(2)[place])
        # Both programs stop where the likelihood no longer moves.
        assert [fit.coef[place], found.std_error] == pytest.approx(
            [wanted["coef"][name], wanted["se"][name]], rel=1e-6
        )
        assert found.df == 11


def test_the_influence_is_that_of_the_sandwich() -> None:
    frame = data("b3_competing_alpha")
    fit = cox(frame["time"], frame["cr_status"] == 1, frame[["arm", "age"]], cluster=frame["site"])
    assert fit.influence.T @ fit.influence == pytest.approx(fit.robust_covariance, rel=1e-12)
    assert cox(frame["time"], frame["cr_status"] == 1, frame["arm"]).influence is None


def test_people_alone_have_the_factor_of_their_own_number() -> None:
    influence, is_shared = np.array([3.0, -3.0, 0.1, -0.1, 0.1, -0.1]), [True, True, *[False] * 4]
    found = corrected(influence, is_shared)
    assert found.std_error**2 == pytest.approx(18 * 2 + 0.04 * 4 / 3)
    assert 1 < found.df < 1.01  # two coaches, who vary by far the most, have one degree of freedom
    one_alone = corrected([3.0, -3.0, 0.1], [True, True, False])
    assert one_alone == corrected([3.0, -3.0, 0.1])


def test_a_single_cluster_is_refused() -> None:
    with pytest.raises(AnalysisError, match="1 cluster has nothing to be compared with"):
        corrected([1.0])


@pytest.mark.slow
@pytest.mark.parametrize("is_nested", [True, False])
def test_a_true_null_hypothesis_is_rejected_as_often_as_stated(is_nested: bool) -> None:
    """250 trials, 150 people, ten coaches: at most 5% and 2 Monte Carlo errors, the plain sandwich more."""
    draw, rejected, plain, trials = np.random.default_rng(7), 0, 0, 250
    arm, coach = np.repeat([1, 0], 75), np.arange(150) % 10
    code = np.where((arm == 1) | (not is_nested), coach, 10 + np.arange(150))
    for _ in range(trials):
        rate = np.exp(draw.normal(0, 1.0, 160)[code])
        time, until = np.ceil(draw.exponential(900 / rate)).astype(int), draw.integers(300, 913, 150)
        fit = cox(np.minimum(time, until), time <= until, arm, cluster=code)
        found = corrected(fit.influence[:, 0], np.unique(code) < 10)
        rejected += 2 * stats.t.sf(abs(fit.coef[0]) / found.std_error, found.df) < 0.05
        plain += 2 * stats.norm.sf(abs(fit.coef[0]) / fit.std_error[0]) < 0.05
    assert 0.01 < rejected / trials < 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)
    assert plain > rejected


@pytest.mark.slow
def test_a_standardised_difference_by_coach_keeps_its_level_where_one_by_person_does_not() -> None:
    """250 trials, 75 people with ten coaches and 75 without, two covariates: 5% and 2 Monte Carlo errors."""
    draw, rejected, plain, trials = np.random.default_rng(8), 0, 0, 250
    arm = np.repeat([1, 0], 75)
    code = np.where(arm == 1, np.arange(150) % 10, 10 + np.arange(150))
    for _ in range(trials):
        covariates = draw.normal(size=(150, 2))
        linear = draw.normal(0, 0.7, 160)[code] + covariates @ [0.6, 0.4] - 0.6
        had_job = draw.random(150) < 1 / (1 + np.exp(-linear))
        how = {"variance": "augmented", "cluster": code, "is_shared": arm == 1}
        rejected += standardised_means(had_job, arm, covariates, **how).contrast().p_value < 0.05
        plain += standardised_means(had_job, arm, covariates).contrast().p_value < 0.05
    assert 0.01 < rejected / trials < 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)
    assert plain > rejected
