"""Mean time up to a horizon: still without a job (RMST), or lost to one cause where causes compete.

The restricted mean is an area under a survival curve, the time lost an area under a cumulative
incidence. Both need no proportional hazards, and both say the effect in days. Beyond the horizon
nothing is claimed, so the horizon is part of the question and has to be inside follow-up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cumulative_incidence import before, cause_table
from ipseval.stats.times.risk_sets import Floats, RiskTable, risk_table


class RestrictedMean(NamedTuple):
    """A mean time up to each horizon, in the unit of the durations, one entry per horizon.

    The standard error and limits are NaN where nothing has varied yet.
    """

    horizon: Floats
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class RestrictedMeanContrast(NamedTuple):
    """Active minus reference, or active over reference, one entry per horizon.

    For a ratio ``std_error`` and ``statistic`` are those of its logarithm; the estimate and its
    limits are ratios.
    """

    horizon: Floats
    estimate: Floats
    std_error: Floats
    statistic: Floats
    p_value: Floats
    conf_low: Floats
    conf_high: Floats


def restricted_mean(
    duration: ArrayLike,
    event: ArrayLike,
    horizon: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> RestrictedMean:
    """Return the mean event-free time up to each horizon: the area under the Kaplan-Meier curve.

    Parameters
    ----------
    duration, event, entry, frequency
        As in `kaplan_meier`.
    horizon : float or array of floats
        Upper end of the area, in the unit of ``duration``; not beyond the last observation, unless
        by then everyone has had the event.
    conf_level : float
        Coverage of the limits, which are symmetric.

    Returns
    -------
    RestrictedMean

    Raises
    ------
    AnalysisError
        As `kaplan_meier`, and for a horizon beyond follow-up.

    Notes
    -----
    The variance is the sum over event times t of (area under S from t to the horizon)^2 times
    d / (n (n - d)), without a small-sample factor: survRM2 and R's ``survfit(rmean=)``, to 1e-9.

    References
    ----------
    Klein and Moeschberger (2003), Survival Analysis, section 4.5. Uno et al. (2014), Journal of
    Clinical Oncology 32:2380-2385.

    Examples
    --------
    >>> restricted_mean([30, 60, 60, 90], [1, 1, 0, 1], horizon=60).estimate.tolist()
    [52.5]
    """
    happened = checks.boolean_array(event, "event")
    table = risk_table(duration, happened, 3, entry=entry, frequency=frequency)
    lost = _time_lost(table, horizon, conf_level)
    return lost._replace(
        estimate=lost.horizon - lost.estimate,
        conf_low=lost.horizon - lost.conf_high,
        conf_high=lost.horizon - lost.conf_low,
    )


def restricted_time_lost(
    duration: ArrayLike,
    cause: ArrayLike,
    horizon: ArrayLike,
    *,
    of: int = 1,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> RestrictedMean:
    """Return the mean time up to each horizon that lies after the event: the area under its incidence.

    For a first job this is the mean time since it began, with death as a competing event, and so more
    is better; for death it is life lost. Over both causes and the event-free time it adds up to the horizon.

    Parameters
    ----------
    duration, cause, of, entry, frequency
        As in `cumulative_incidence`: cause 0 censored, 1 event of interest, 2 competing event.
    horizon, conf_level
        As in `restricted_mean`.

    Returns
    -------
    RestrictedMean

    Raises
    ------
    AnalysisError
        As `cumulative_incidence`, and for a horizon beyond follow-up.

    Notes
    -----
    The variance is the delta-method (infinitesimal jackknife) variance of the area under the
    Aalen-Johansen estimate, covariances between the two hazards included; equal to that of R's
    ``survival::pseudo(type="sojourn")`` to 1e-9, and to that of the restricted mean without
    competing events.

    References
    ----------
    Andersen (2013), Statistics in Medicine 32:5278-5285.

    Examples
    --------
    >>> restricted_time_lost([30, 60, 60, 90], [1, 2, 0, 1], horizon=60).estimate.tolist()
    [7.5]
    """
    table = cause_table(duration, cause, of=of, entry=entry, frequency=frequency)
    return _time_lost(table, horizon, conf_level)


def restricted_mean_difference(
    active: RestrictedMean, reference: RestrictedMean, *, conf_level: float = 0.95
) -> RestrictedMeanContrast:
    """Return active minus reference at each horizon, for two independent arms.

    Examples
    --------
    >>> arms = [restricted_mean(times, [1, 1, 0, 1], 60) for times in ([30, 60, 60, 90], [45, 50, 60, 90])]
    >>> restricted_mean_difference(*arms).estimate.tolist()
    [-1.25]
    """
    _same_horizons(active, reference)
    return _contrast(
        active.horizon,
        active.estimate - reference.estimate,
        np.hypot(active.std_error, reference.std_error),
        conf_level,
    )


def restricted_mean_ratio(
    active: RestrictedMean, reference: RestrictedMean, *, conf_level: float = 0.95
) -> RestrictedMeanContrast:
    """Return active over reference at each horizon, with limits that are symmetric on the log scale.

    A ratio with a mean of 0 in either arm is not defined and comes back as NaN.

    Examples
    --------
    >>> arms = [restricted_mean(times, [1, 1, 0, 1], 60) for times in ([30, 60, 60, 90], [45, 50, 60, 90])]
    >>> restricted_mean_ratio(*arms).estimate.round(3).tolist()
    [0.977]
    """
    _same_horizons(active, reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(active.estimate) - np.log(reference.estimate)
        log_ratio[~np.isfinite(log_ratio)] = np.nan
        std_error = np.hypot(active.std_error / active.estimate, reference.std_error / reference.estimate)
    log_scale = _contrast(active.horizon, log_ratio, std_error, conf_level)
    return log_scale._replace(
        estimate=np.exp(log_ratio),
        conf_low=np.exp(log_scale.conf_low),
        conf_high=np.exp(log_scale.conf_high),
    )


def _time_lost(table: RiskTable, horizon: ArrayLike, conf_level: float) -> RestrictedMean:
    checks.confidence(conf_level)
    horizons = np.atleast_1d(checks.float_array(horizon, "horizon"))
    inside_follow_up(table, horizons)
    estimate, variance = np.array([_area_lost(table, tau) for tau in horizons]).T
    std_error = np.where(variance > 0, np.sqrt(np.maximum(variance, 0)), np.nan)
    half_width = special.ndtri(0.5 + conf_level / 2) * std_error
    return RestrictedMean(horizons, estimate, std_error, estimate - half_width, estimate + half_width)


def _area_lost(table: RiskTable, tau: float) -> tuple[float, float]:
    """Return the area under the cumulative incidence up to ``tau``, and its variance.

    An event at t loses what is left until ``tau``. An error in the hazards at t moves that directly,
    and moves all later losses through the survival that they build on; within t the hazards of the
    two causes are multinomial, between times they are uncorrelated.
    """
    n = table.n_risk
    of_interest = table.leaving[1] / n
    either = (table.leaving[1] + table.leaving[2]) / n
    direct = before(np.cumprod(1.0 - either)) * np.maximum(tau - table.time, 0.0)
    loss = direct * of_interest
    later = np.append(np.cumsum(loss[:0:-1])[::-1], 0.0)
    # Where nobody is left event-free there are no later losses, and the hazard of 1 matters no more.
    relative = np.divide(later, 1.0 - either, out=np.zeros_like(n), where=either < 1.0)
    variance = (
        of_interest * (1.0 - of_interest) * direct**2
        - 2.0 * of_interest * (1.0 - either) * direct * relative
        + either * (1.0 - either) * relative**2
    ) / n
    return float(loss.sum()), float(variance.sum())


def inside_follow_up(table: RiskTable, horizons: Floats) -> None:
    """Refuse a horizon that is not above 0, or beyond which someone event-free was never seen."""
    if (horizons <= 0).any():
        raise AnalysisError(
            f"horizon={horizons.min():g} is not above 0. Pass the end of the period in question."
        )
    last, censored_last = table.time[-1], table.leaving[0, -1]
    if horizons.max() > last and censored_last > 0:
        raise AnalysisError(
            f"horizon={horizons.max():g} is beyond the last follow-up ({last:g}), where "
            f"{censored_last:g} people are still event-free. Choose a horizon of at most {last:g}."
        )


def _same_horizons(active: RestrictedMean, reference: RestrictedMean) -> None:
    if not np.array_equal(active.horizon, reference.horizon):
        raise AnalysisError(
            f"The arms have different horizons ({active.horizon.tolist()} and {reference.horizon.tolist()}). "
            f"Compute both with the same horizon."
        )


def _contrast(
    horizon: Floats, estimate: Floats, std_error: Floats, conf_level: float
) -> RestrictedMeanContrast:
    statistic = estimate / std_error
    half_width = special.ndtri(0.5 + checks.confidence(conf_level) / 2) * std_error
    return RestrictedMeanContrast(
        horizon,
        estimate,
        std_error,
        statistic,
        p_value=2 * special.ndtr(-np.abs(statistic)),
        conf_low=estimate - half_width,
        conf_high=estimate + half_width,
    )
