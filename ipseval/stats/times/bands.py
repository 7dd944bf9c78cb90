"""Simultaneous confidence bands: limits that hold the whole curve over a period, not a single point of it.

Critical values are those of Gaussian processes, solved numerically: no simulation and no tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, special

from ipseval import checks
from ipseval.errors import NotDefinedError
from ipseval.stats.times import cumulative_incidence as incidences
from ipseval.stats.times import kaplan_meier as survivals
from ipseval.stats.times.cumulative_incidence import CumulativeIncidence, error_moments
from ipseval.stats.times.kaplan_meier import SurvivalCurve, limits_on_scale
from ipseval.stats.times.risk_sets import Floats, RiskTable

BANDS = ("equal precision", "hall-wellner")

_EIGENFUNCTIONS = 40
# Gauss-Legendre quadrature of smooth functions between the boundaries.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
# Reflections at the two boundaries: further ones are below rounding error for any usual level.
_REFLECTIONS = np.arange(-3, 4)
_FARTHEST = 9.0  # standard deviations
_SOLVED = 1e-9


class ConfidenceBand(NamedTuple):
    """A band around a curve, at its observed times within the period asked for.

    With the confidence level the true curve lies between ``conf_low`` and ``conf_high`` at all these times
    together. ``critical_value`` takes the place of the normal quantile: for "equal precision" it multiplies
    the standard error.
    """

    time: Floats
    probability: Floats
    conf_low: Floats
    conf_high: Floats
    critical_value: float


def survival_band(
    curve: SurvivalCurve,
    *,
    band: str = "equal precision",
    from_time: float | None = None,
    to_time: float | None = None,
    interval: str = "log-log",
    conf_level: float = 0.95,
) -> ConfidenceBand:
    """Return a simultaneous band for a Kaplan-Meier curve.

    Parameters
    ----------
    curve : SurvivalCurve
        From `kaplan_meier`.
    band : {"equal precision", "hall-wellner"}
        "equal precision" is proportional to the pointwise limits; "hall-wellner" is narrower where the
        curve is best known and wider early on.
    from_time, to_time : float, optional
        The period that the band holds for; by default from the first event to the last at which someone
        stays event-free. The longer the period, the wider the band.
    interval : {"log-log", "log", "plain", "logit", "arcsine"}
        Scale of the limits, as in `kaplan_meier`.
    conf_level : float
        Probability that the band holds the whole curve.

    Returns
    -------
    ConfidenceBand

    Raises
    ------
    AnalysisError
        No time within the period at which survival lies between 0 and 1.

    Notes
    -----
    With s the sum of d / (n (n - d)) and a = N s / (1 + N s), the error divided by S (1 + N s) is a Brownian
    bridge at a. Klein and Moeschberger's table C.4 (Hall-Wellner) is met to its four decimals; their table
    C.3 (equal precision) rests on an approximation and differs by up to 0.01.

    References
    ----------
    Nair (1984), Technometrics 26:265-275. Hall and Wellner (1980), Biometrika 67:133-143. Klein and
    Moeschberger (2003), Survival Analysis, section 4.4.

    Examples
    --------
    >>> from ipseval.stats.times.kaplan_meier import kaplan_meier
    >>> found = survival_band(kaplan_meier([10, 20, 30, 40, 50, 60, 70, 80], [1, 1, 0, 1, 1, 0, 1, 0]))
    >>> round(found.critical_value, 3), found.conf_low.round(3).tolist()[:2]
    (2.991, [0.07, 0.09])
    """
    checks.one_of(band, BANDS, "band")
    checks.one_of(interval, survivals.INTERVALS, "interval")
    level = checks.confidence(conf_level)
    used = _period(curve.time, curve.survival, curve.std_error, from_time, to_time)
    survival = curve.survival[used]
    n_people = float(curve.n_event.sum() + curve.n_censored.sum())
    spread = n_people * (curve.std_error[used] / survival) ** 2
    if band == "equal precision":
        critical = equal_precision_value(0.5 * float(np.log(spread[-1] / spread[0])), level)
        margin = critical * curve.std_error[used]
    else:
        shares = spread / (1.0 + spread)
        critical = hall_wellner_value(float(shares[0]), float(shares[-1]), level)
        margin = critical * survival * (1.0 + spread) / np.sqrt(n_people)
    low, high = limits_on_scale(survival, margin, interval)
    return ConfidenceBand(curve.time[used], survival, low, high, critical)


def incidence_band(
    curve: CumulativeIncidence,
    *,
    from_time: float | None = None,
    to_time: float | None = None,
    interval: str = "log-log",
    conf_level: float = 0.95,
) -> ConfidenceBand:
    """Return a simultaneous equal-precision band for a cumulative incidence.

    Parameters
    ----------
    curve : CumulativeIncidence
        From `cumulative_incidence`.
    from_time, to_time, conf_level
        As in `survival_band`.
    interval : {"log-log", "complementary log-log", "log", "plain", "logit", "arcsine"}
        Scale of the limits, as in `cumulative_incidence`.

    Returns
    -------
    ConfidenceBand

    Raises
    ------
    AnalysisError
        No time within the period at which the incidence lies between 0 and 1.

    Notes
    -----
    The standardised error is taken for a Gaussian Markov process with the estimated correlations of
    neighbouring times: exact without competing events, where the band is one minus that of the survival,
    and close otherwise. Lin (1997) simulates the process instead.

    References
    ----------
    Lin (1997), Statistics in Medicine 16:901-910.

    Examples
    --------
    >>> from ipseval.stats.times.cumulative_incidence import cumulative_incidence
    >>> found = incidence_band(cumulative_incidence([10, 20, 30, 40, 50, 60, 70], [1, 2, 1, 0, 1, 2, 0]))
    >>> round(found.critical_value, 3)
    2.785
    """
    checks.one_of(interval, incidences.INTERVALS, "interval")
    level = checks.confidence(conf_level)
    used = _period(curve.time, curve.incidence, curve.std_error, from_time, to_time)
    critical = equal_precision_value(_operational_time(curve, used), level)
    incidence = curve.incidence[used]
    low, high = limits_on_scale(incidence, critical * curve.std_error[used], interval)
    return ConfidenceBand(curve.time[used], incidence, low, high, critical)


def equal_precision_value(length: float, conf_level: float = 0.95) -> float:
    """Return c with P(|U(s)| <= c for all s up to ``length``) = conf_level.

    U is the stationary Ornstein-Uhlenbeck process with correlation exp(-s). For a standardised Brownian
    bridge on [a, b] the length is half of logit(b) - logit(a).

    Examples
    --------
    >>> round(equal_precision_value(0.0), 3)
    1.96
    """
    pointwise = float(special.ndtri(0.5 + checks.confidence(conf_level) / 2))
    if length <= 0:
        return pointwise
    found = optimize.brentq(
        lambda c: _stays_within(c, length) - conf_level, pointwise, pointwise + 5.0, xtol=_SOLVED
    )
    return float(found)


def hall_wellner_value(low: float, high: float, conf_level: float = 0.95) -> float:
    """Return k with P(|B(u)| <= k for all u from ``low`` to ``high``) = conf_level, B a Brownian bridge.

    Examples
    --------
    >>> round(hall_wellner_value(0.0, 1.0), 4), round(hall_wellner_value(0.1, 0.6), 4)
    (1.3581, 1.3211)
    """
    widest = float(np.clip(0.5, low, high))
    pointwise = float(
        special.ndtri(0.5 + checks.confidence(conf_level) / 2) * np.sqrt(widest * (1.0 - widest))
    )
    if high <= low:
        return pointwise
    found = optimize.brentq(
        lambda k: _bridge_stays_within(k, low, high) - conf_level, pointwise, pointwise + 5.0, xtol=_SOLVED
    )
    return float(found)


def _period(
    time: Floats, probability: Floats, std_error: Floats, from_time: float | None, to_time: float | None
) -> NDArray[np.intp]:
    """Return the places of the times within the period at which the curve has a standard error."""
    known = (probability > 0) & (probability < 1) & (std_error > 0)
    known &= time >= (-np.inf if from_time is None else from_time)
    known &= time <= (np.inf if to_time is None else to_time)
    if not known.any():
        raise NotDefinedError(
            f"None of {time.size} observed times lies in the period and has a probability between 0 and 1. "
            f"Choose a period with events (from_time={from_time}, to_time={to_time})."
        )
    return np.flatnonzero(known)


def _operational_time(curve: CumulativeIncidence, used: NDArray[np.intp]) -> float:
    """Return the length of the Ornstein-Uhlenbeck process with the correlations of neighbouring times."""
    table = RiskTable(
        curve.time, curve.n_risk, np.array([curve.n_censored, curve.n_event, curve.n_competing])
    )
    moments = error_moments(table, curve.event_free, curve.incidence)
    direct, cross, square = (moment[used] for moment in moments)
    now = curve.incidence[used]
    variance = direct - 2 * now * cross + now**2 * square
    following = now[1:]
    covariance = (direct - now * cross)[:-1] - following * (cross - now * square)[:-1]
    correlation = covariance / np.sqrt(variance[:-1] * variance[1:])
    return float(-np.log(np.minimum(correlation, 1.0)).sum())


def _stays_within(c: float, length: float) -> float:
    """Return P(|U(s)| <= c for all s up to ``length``) for the stationary Ornstein-Uhlenbeck process.

    Killed at the boundaries, its transition density is a sum over the eigenfunctions of
    -v'' + (x^2/4 - 1/2) v on [-c, c], v = 0 at both ends; only even ones matter to a symmetric start.
    """
    frequency = (np.arange(_EIGENFUNCTIONS) + 0.5) * np.pi
    cosines = np.cos(frequency[:, None] * _NODES) / np.sqrt(c)
    x, weights = c * _NODES, c * _WEIGHTS
    operator = np.diag((frequency / c) ** 2) + (cosines * weights * (x**2 / 4 - 0.5)) @ cosines.T
    rates, functions = linalg.eigh(operator)
    start = (cosines * weights) @ np.exp(-(x**2) / 4) / (2 * np.pi) ** 0.25 @ functions
    return float(np.exp(-rates * length) @ start**2)


def _bridge_stays_within(k: float, low: float, high: float) -> float:
    """Return P(|B(u)| <= k for all u in [low, high]) for a Brownian bridge.

    Given its values x and y at the ends of the period the path between is a Brownian bridge again, and
    the probability that it meets neither boundary is a sum over reflections.
    """
    x, x_weight = _normal_nodes(np.zeros(1), np.sqrt(low * (1.0 - low)), k)
    mean, length = x[0] * (1.0 - high) / (1.0 - low), high - low
    y, y_weight = _normal_nodes(mean, np.sqrt(length * (1.0 - high) / (1.0 - low)), k)
    start, shift = x[0][:, None, None], 4 * k * _REFLECTIONS
    end = y[:, :, None]
    direct = (end - start) ** 2
    same = np.exp((direct - (end - start + shift) ** 2) / (2 * length))
    other = np.exp((direct - (end + start - 2 * k + shift) ** 2) / (2 * length))
    stays = (same - other).sum(axis=2)
    return float(x_weight[0] @ (y_weight * stays).sum(axis=1))


def _normal_nodes(mean: Floats, std_dev: float, k: float) -> tuple[Floats, Floats]:
    """Return nodes within -k and k, and weights, for integrals over normals with each of the means."""
    if std_dev == 0:
        return mean[:, None], np.ones((mean.size, 1))
    low = np.maximum(mean - _FARTHEST * std_dev, -k)[:, None]
    high = np.minimum(mean + _FARTHEST * std_dev, k)[:, None]
    at = (low + high) / 2 + (high - low) / 2 * _NODES
    density = np.exp(-(((at - mean[:, None]) / std_dev) ** 2) / 2) / (np.sqrt(2 * np.pi) * std_dev)
    return at, (high - low) / 2 * _WEIGHTS * density
