"""Comparisons at milestones against the formulas, worked out from R's arms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.two_proportions import risk_difference
from ipseval.stats.times.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.stats.times.kaplan_meier import kaplan_meier, survival_at
from ipseval.stats.times.milestones import (
    INTERVALS_OF_DIFFERENCE,
    INTERVALS_OF_RATIO,
    SCALES_OF_TEST,
    milestone_difference,
    milestone_ratio,
    milestone_test,
)
from tests.reference_cases import data, expected

EXACT = {"rtol": 1e-9, "atol": 1e-12}
Z = special.ndtri(0.975)


@pytest.fixture
def survival():
    """Return both arms at R's times by us, and their survival, Greenwood error and log-log limits by R."""
    frame, found = data("b2_survival_alpha"), expected("b2_survival_alpha")["km"]
    ours, theirs = [], []
    for arm in (1, 0):
        group = found[f"group_{arm}"]
        rows = [row for row in group["table"] if row["n_risk"] > 0]
        limits = [row for row in group["ci"]["log-log"] if row["time"] <= rows[-1]["time"]]
        own = frame[frame["arm"] == arm]
        ours.append(survival_at(kaplan_meier(own["time"], own["status"]), [row["time"] for row in rows]))
        theirs.append(
            [np.array([row[key] for row in rows]) for key in ("surv", "greenwood_se")]
            + [np.array([row[key] for row in limits]) for key in ("lower", "upper")]
        )
    return ours, theirs


def incidence(days=900, seed=1, n=120):
    rng = np.random.default_rng(seed)
    time, cause = rng.integers(1, 1000, n), rng.choice(3, n, p=[0.4, 0.45, 0.15])
    return [incidence_at(cumulative_incidence(time[k::2], cause[k::2]), [days / 2, days]) for k in (0, 1)]


def test_wald_interval_from_r(survival):
    arms, ((s1, se1, *_), (s0, se0, *_)) = survival
    got, std_error = milestone_difference(*arms, interval="plain"), np.sqrt(se1**2 + se0**2)
    assert_allclose(got.estimate, s1 - s0, **EXACT)
    assert_allclose(got.std_error, std_error, **EXACT)
    assert_allclose(got.conf_low, s1 - s0 - Z * std_error, **EXACT)
    assert_allclose(got.p_value, 2 * special.ndtr(-abs(s1 - s0) / std_error), **EXACT)


def test_joined_log_log_interval_from_r(survival):
    arms, ((s1, _, low1, high1), (s0, _, low0, high0)) = survival
    got = milestone_difference(*arms)
    assert_allclose(got.conf_low, s1 - s0 - np.sqrt((s1 - low1) ** 2 + (high0 - s0) ** 2), **EXACT)
    assert_allclose(got.conf_high, s1 - s0 + np.sqrt((high1 - s1) ** 2 + (s0 - low0) ** 2), **EXACT)


def test_ratio_by_the_delta_method_from_r(survival):
    arms, ((s1, se1, *_), (s0, se0, *_)) = survival
    got, std_error = milestone_ratio(*arms), np.sqrt((se1 / s1) ** 2 + (se0 / s0) ** 2)
    assert_allclose(got.estimate, s1 / s0, **EXACT)
    assert_allclose(got.conf_high, s1 / s0 * np.exp(Z * std_error), **EXACT)
    assert_allclose(got.statistic, np.log(s1 / s0) / std_error, **EXACT)


def test_klein_2007_complementary_log_log_statistic_from_r(survival):
    """Section 2.3: (log(-log S1) - log(-log S0))^2 / sum of Greenwood's sums over (log S)^2."""
    arms, ((s1, se1, *_), (s0, se0, *_)) = survival
    sums = [(se / s) ** 2 / np.log(s) ** 2 for s, se in ((s1, se1), (s0, se0))]
    square = (np.log(-np.log(s1)) - np.log(-np.log(s0))) ** 2 / (sums[0] + sums[1])
    assert_allclose(milestone_test(*arms).statistic ** 2, square, **EXACT)


def test_without_censoring_arcsine_is_the_test_of_two_proportions():
    """Two binomials: 2 (asin sqrt p1 - asin sqrt p0) has variance 1/n1 + 1/n0."""
    arms = [survival_at(kaplan_meier([1] * k + [3] * (40 - k), [1] * 40), 2) for k in (14, 25)]
    got = milestone_test(*arms, scale="arcsine")
    assert got.std_error[0] == pytest.approx(np.sqrt(2 / 40) / 2, rel=1e-12)
    assert got.estimate[0] == pytest.approx(np.arcsin(np.sqrt(26 / 40)) - np.arcsin(np.sqrt(15 / 40)))
    wald = risk_difference(26, 40, 15, 40, method="wald")
    plain = milestone_difference(*arms, interval="plain")
    assert plain.conf_low[0] == pytest.approx(float(wald.conf_low), rel=1e-12)


@pytest.mark.parametrize("interval", INTERVALS_OF_DIFFERENCE)
def test_swapping_the_arms_flips_the_difference(interval):
    arms = incidence()
    got, turned = (
        milestone_difference(*arms, interval=interval),
        milestone_difference(*arms[::-1], interval=interval),
    )
    assert_allclose([got.estimate, got.conf_low], [-turned.estimate, -turned.conf_high], **EXACT)
    assert_allclose(got.p_value, turned.p_value, **EXACT)
    assert ((got.conf_low >= -1) & (got.conf_high <= 1)).all()


@pytest.mark.parametrize("interval", INTERVALS_OF_RATIO)
def test_swapping_the_arms_inverts_the_ratio(interval):
    arms = incidence()
    got, turned = milestone_ratio(*arms, interval=interval), milestone_ratio(*arms[::-1], interval=interval)
    assert_allclose([got.estimate, got.conf_low], [1 / turned.estimate, 1 / turned.conf_high], **EXACT)


@pytest.mark.parametrize("scale", SCALES_OF_TEST)
def test_test_and_its_interval_agree(scale):
    got = milestone_test(*incidence(seed=3), scale=scale)
    assert_allclose(got.p_value < 0.05, (got.conf_low > 0) | (got.conf_high < 0))
    assert_allclose(got.statistic, got.estimate / got.std_error, **EXACT)


def test_survival_and_its_complement_are_one_question():
    """Log-log of a survival is complementary log-log of the incidence, without competing events."""
    rng = np.random.default_rng(2)
    free, had = [], []
    for _ in (1, 0):
        time, event = rng.integers(1, 1000, 60), rng.integers(0, 2, 60)
        free.append(survival_at(kaplan_meier(time, event), [300, 600]))
        had.append(incidence_at(cumulative_incidence(time, event), [300, 600]))
    got = milestone_difference(*had, interval="complementary log-log")
    same = milestone_difference(*free, interval="log-log")
    assert_allclose([got.conf_low, got.conf_high], [-same.conf_high, -same.conf_low], **EXACT)
    assert_allclose(got.statistic, -same.statistic, **EXACT)
    assert (np.sign(got.statistic) == np.sign(got.estimate)).all()


def test_an_arm_without_events_has_an_estimate_and_no_limits():
    nobody = incidence_at(cumulative_incidence([900, 950], [0, 0]), 800)
    some = incidence_at(cumulative_incidence([100, 950, 990], [1, 0, 0]), 800)
    difference, ratio = milestone_difference(nobody, some), milestone_ratio(some, nobody)
    assert difference.estimate[0] == pytest.approx(-1 / 3)
    assert np.isnan([difference.conf_low, difference.std_error, difference.p_value]).all()
    assert np.isnan([ratio.estimate, ratio.conf_low, ratio.conf_high]).all()


def test_refusals():
    curve = kaplan_meier([3, 5, 9], [1, 1, 0])
    arm = survival_at(curve, [4, 6])
    with pytest.raises(AnalysisError, match="read off at different times"):
        milestone_difference(arm, survival_at(curve, [4, 5]))
    with pytest.raises(AnalysisError, match="One arm is a SurvivalAt, the other a IncidenceAt"):
        milestone_difference(arm, incidence_at(cumulative_incidence([3], [1]), [4, 6]))
    with pytest.raises(AnalysisError, match="Nobody in the active arm is followed to time 10"):
        milestone_ratio(survival_at(curve, [4, 10]), survival_at(curve, [4, 10]))
    with pytest.raises(AnalysisError, match="interval='plain' is not an option"):
        milestone_ratio(arm, arm, interval="plain")
    with pytest.raises(AnalysisError, match="interval='log' is not an option"):
        milestone_difference(arm, arm, interval="log")


@pytest.mark.slow
def test_limits_cover_a_known_difference():
    """Exponential arms of 75 with censoring: 95% of log-log intervals hold the true difference."""
    rng = np.random.default_rng(40)
    truth, covered = np.exp(-0.6) - np.exp(-0.3), 0
    for _ in range(1000):
        arms = []
        for rate in (0.6, 0.3):
            time, lost = rng.exponential(1 / rate, 75), rng.uniform(0.3, 3, 75)
            arms.append(survival_at(kaplan_meier(np.minimum(time, lost), time <= lost), 1.0))
        found = milestone_difference(*arms)
        covered += found.conf_low[0] < truth < found.conf_high[0]
    assert covered / 1000 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 1000))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("interval", INTERVALS_OF_RATIO)
def test_a_ratio_of_two_arms_without_events_is_nan_without_a_warning(interval):
    arm = incidence_at(cumulative_incidence([30, 40, 50], [0, 0, 0]), [20])
    got = milestone_ratio(arm, arm, interval=interval)
    assert np.isnan([got.estimate, got.std_error, got.conf_low, got.conf_high]).all()
