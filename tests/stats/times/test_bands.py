"""Simultaneous bands: tabulated critical values, the formulas of the textbook, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from ipseval.errors import AnalysisError
from ipseval.stats.times.bands import equal_precision_value, hall_wellner_value, incidence_band, survival_band
from ipseval.stats.times.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.stats.times.kaplan_meier import kaplan_meier, survival_at
from tests.reference_cases import data

# Roots of smooth functions; only quadrature and truncation are left.
SOLVED = {"rel": 1e-7}


def length(low, high):
    """Return the time that an Ornstein-Uhlenbeck process takes from one share to the other."""
    return (special.logit(high) - special.logit(low)) / 2


def alpha():
    frame = data("b3_competing_alpha")
    return frame["time"], frame["cr_status"]


@pytest.mark.parametrize("level", [0.80, 0.90, 0.95, 0.99])
def test_kolmogorov_limit_distribution(level):
    """Sup |B| over [0, 1]: P(sup |B| <= k) = 1 - 2 sum (-1)^(j-1) exp(-2 j^2 k^2), as SciPy has it."""
    assert hall_wellner_value(0.0, 1.0, level) == pytest.approx(special.kolmogi(1 - level), rel=1e-7)


def test_critical_values_between_a_point_and_infinity():
    assert equal_precision_value(0.0) == pytest.approx(special.ndtri(0.975), **SOLVED)
    assert equal_precision_value(1e-3) == pytest.approx(special.ndtri(0.975), abs=0.15)
    values = [equal_precision_value(span) for span in (0.01, 0.1, 1, 5)]
    assert (np.diff(values) > 0).all()
    assert hall_wellner_value(0.3, 0.3) == pytest.approx(special.ndtri(0.975) * np.sqrt(0.21), **SOLVED)
    assert hall_wellner_value(0.2, 0.7) == pytest.approx(hall_wellner_value(0.3, 0.8), **SOLVED)


def test_equal_precision_band_is_the_pointwise_one_with_another_quantile():
    time, cause = alpha()
    curve = kaplan_meier(time, cause == 1)
    band = survival_band(curve, from_time=100, to_time=700)
    wider = kaplan_meier(time, cause == 1, conf_level=2 * special.ndtr(band.critical_value) - 1)
    same = survival_at(wider, band.time)
    assert_allclose(band.conf_low, same.conf_low, rtol=1e-9)
    assert_allclose(band.conf_high, same.conf_high, rtol=1e-9)
    assert band.time.min() >= 100
    assert band.time.max() <= 700


def test_hall_wellner_band_by_the_textbook():
    """Klein and Moeschberger, equation 4.4.4: S -+ k (1 + n sigma^2) S / sqrt(n)."""
    time, cause = alpha()
    curve = kaplan_meier(time, cause == 1)
    band = survival_band(curve, band="hall-wellner", interval="plain")
    at = survival_at(curve, band.time)
    shares = 151 * (at.std_error / at.survival) ** 2
    k = hall_wellner_value(*(shares / (1 + shares))[[0, -1]])
    half = k * (1 + shares) * at.survival / np.sqrt(151)
    assert time.size == 151
    assert_allclose(band.conf_low, np.maximum(at.survival - half, 0), rtol=1e-9, atol=1e-12)


def test_without_competing_events_the_two_bands_are_one():
    time, cause = alpha()
    job = (cause == 1).astype(int)
    free = survival_band(kaplan_meier(time, job))
    had = incidence_band(cumulative_incidence(time, job), interval="complementary log-log")
    assert had.critical_value == pytest.approx(free.critical_value, rel=1e-6)
    assert_allclose(had.conf_low, 1 - free.conf_high, rtol=1e-6)


def test_incidence_value_is_close_to_that_of_the_process_itself():
    """Gaussian draws with the covariance of the whole curve, not of neighbours only."""
    time, cause = alpha()
    curve = cumulative_incidence(time, cause)
    band = incidence_band(curve)
    used = np.isin(curve.time, band.time) & (np.append(0, np.diff(curve.incidence)) > 0)
    draws = jackknife_process(time.to_numpy(), cause.to_numpy(), curve.time[used], 20_000)
    covered = (np.abs(draws).max(axis=1) <= band.critical_value).mean()
    assert 0.95 - 0.005 <= covered <= 0.975


def jackknife_process(time, cause, at, n_draws):
    """Return draws of the standardised error of the incidence, from leaving people out one by one."""
    everyone = np.arange(time.size)
    left_out = np.array(
        [
            incidence_at(cumulative_incidence(time[everyone != i], cause[everyone != i]), at).incidence
            for i in everyone
        ]
    )
    influence = left_out - left_out.mean(axis=0)
    normal = np.random.default_rng(1).standard_normal((n_draws, time.size)) @ influence
    return normal / np.sqrt((influence**2).sum(axis=0))


def test_refusals():
    curve = kaplan_meier([3, 5, 9], [1, 1, 0])
    with pytest.raises(AnalysisError, match="None of 3 observed times lies in the period"):
        survival_band(curve, from_time=10)
    with pytest.raises(AnalysisError, match="None of 1 observed times"):
        incidence_band(cumulative_incidence([3, 3], [0, 0]))
    with pytest.raises(AnalysisError, match="band='nair' is not an option"):
        survival_band(curve, band="nair")
    with pytest.raises(AnalysisError, match="conf_level=95 is not between 0 and 1"):
        equal_precision_value(1.0, 95)


@pytest.mark.slow
@pytest.mark.parametrize("band", ["equal precision", "hall-wellner"])
def test_bands_hold_the_whole_survival_curve(band):
    """Exponential times, n = 200, uniform censoring: 95% hold S from its 10th to its 70th centile."""
    rng, held = np.random.default_rng(50), 0
    for _ in range(250):
        time, lost = rng.exponential(1.0, 200), rng.uniform(0.5, 4, 200)
        curve = kaplan_meier(np.minimum(time, lost), time <= lost)
        got = survival_band(curve, band=band, from_time=-np.log(0.9), to_time=-np.log(0.3))
        held += holds(got, np.exp(-got.time), np.exp(-np.append(got.time[1:], -np.log(0.3))))
    assert held / 250 == pytest.approx(0.955, abs=0.005 + 3 * np.sqrt(0.95 * 0.05 / 250))


@pytest.mark.slow
def test_bands_hold_the_whole_incidence():
    """Two causes with hazards 0.6 and 0.4, n = 200: F1(t) = 0.6 (1 - exp(-t))."""
    rng, held = np.random.default_rng(51), 0
    for _ in range(250):
        time, lost = rng.exponential(1.0, 200), rng.uniform(0.5, 4, 200)
        cause = np.where(time > lost, 0, np.where(rng.random(200) < 0.6, 1, 2))
        curve = cumulative_incidence(np.minimum(time, lost), cause)
        got = incidence_band(curve, from_time=0.15, to_time=1.5)
        truth = 0.6 * (1 - np.exp(-np.append(got.time, 1.5)))
        held += holds(got, truth[:-1], truth[1:])
    assert held / 250 == pytest.approx(0.955, abs=0.005 + 3 * np.sqrt(0.95 * 0.05 / 250))


def holds(band, at_time, until_next):
    """Return whether a monotone truth stays within the steps of the band, from each time to the next."""
    truth = np.array([at_time, until_next])
    return (band.conf_low <= truth.min(axis=0)).all() and (truth.max(axis=0) <= band.conf_high).all()
