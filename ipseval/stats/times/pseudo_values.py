"""Pseudo-values: one number per person, censored or not, whose mean is a restricted mean or an incidence.

A pseudo-value is n times the estimate less n - 1 times the estimate without the person. Given the
covariates its mean is about that of the outcome itself, so that any regression serves: `ancova` of
pseudo-values, with a sandwich variance, is the generalised estimating equation with identity link.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ipseval import checks
from ipseval.stats.times.cumulative_incidence import before, cause_codes
from ipseval.stats.times.restricted_mean import inside_follow_up
from ipseval.stats.times.risk_sets import (
    Floats,
    Integers,
    RiskTable,
    durations,
    reverse_cumulative,
    risk_table,
    strata_rows,
)


def restricted_mean_pseudo_values(
    duration: ArrayLike,
    event: ArrayLike,
    horizon: float,
    *,
    censoring_group: ArrayLike | None = None,
) -> Floats:
    """Return each person's pseudo-value of the mean event-free time up to a horizon.

    Without censoring it is the person's own event-free time up to the horizon. Regression assumes that
    censoring does not depend on the covariates; where drop-out differs between arms, pass the arm as
    ``censoring_group``.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the event or to censoring, 0 or more.
    event : array of bool, shape (n,)
        True where the event happened, False where the person was censored.
    horizon : float
        Upper end of the area, in the unit of ``duration``; not beyond the last observation, unless by
        then everyone has had the event.
    censoring_group : array, shape (n,), optional
        Labels within which censoring is alike; pseudo-values are then taken within each label.

    Returns
    -------
    array of float, shape (n,)
        In the unit of ``duration``; single values may lie below 0 or above the horizon.

    Raises
    ------
    AnalysisError
        As `restricted_mean`.

    Notes
    -----
    Exact leave-one-out values, in one pass over the distinct times: leaving someone out changes the
    curve up to that person's own time by one fewer at risk, and later by a factor. Where the person is the
    last one followed, the curve without that person is carried forward. R's ``survival::pseudo``
    gives infinitesimal-jackknife values instead, which differ by a term of order 1/n.

    References
    ----------
    Andersen, Hansen and Klein (2004), Lifetime Data Analysis 10:335-350. Andersen and Pohar Perme
    (2010), Statistical Methods in Medical Research 19:71-99.

    Examples
    --------
    >>> restricted_mean_pseudo_values([30, 60, 60, 90], [1, 1, 0, 1], horizon=60).round(9).tolist()
    [30.0, 60.0, 60.0, 60.0]
    """
    happened = checks.boolean_array(event, "event").astype(np.int64)
    time = durations(duration)
    return float(horizon) - _pseudo_values(time, happened, horizon, _area_after, censoring_group)


def time_lost_pseudo_values(
    duration: ArrayLike,
    cause: ArrayLike,
    horizon: float,
    *,
    of: int = 1,
    censoring_group: ArrayLike | None = None,
) -> Floats:
    """Return each person's pseudo-value of the mean time up to a horizon that lies after an event.

    Its mean is close to `restricted_time_lost`; for a first job it is the mean time since it began.

    Parameters
    ----------
    duration, horizon, censoring_group
        As in `restricted_mean_pseudo_values`.
    cause : array of int, shape (n,)
        0 censored, 1 event of interest, 2 competing event.
    of : {1, 2}
        The cause after which time counts.

    Returns
    -------
    array of float, shape (n,)

    References
    ----------
    Andersen (2013), Statistics in Medicine 32:5278-5285.

    Examples
    --------
    >>> time_lost_pseudo_values([30, 60, 60, 90], [1, 2, 1, 1], horizon=60).round(9).tolist()
    [30.0, 0.0, 0.0, 0.0]
    """
    why = _causes(cause, of)
    return _pseudo_values(durations(duration), why, horizon, _area_after, censoring_group)


def incidence_pseudo_values(
    duration: ArrayLike,
    cause: ArrayLike,
    horizon: float,
    *,
    of: int = 1,
    censoring_group: ArrayLike | None = None,
) -> Floats:
    """Return each person's pseudo-value of the cumulative incidence at a horizon.

    Without censoring it is 1 for whoever had the event by then, and 0 for all others. ``cause`` may be
    an event indicator: the values are then those of one minus Kaplan-Meier.

    Parameters
    ----------
    duration, cause, horizon, of, censoring_group
        As in `time_lost_pseudo_values`; an event at the horizon itself counts.

    Returns
    -------
    array of float, shape (n,)

    References
    ----------
    Klein and Andersen (2005), Biometrics 61:223-229.

    Examples
    --------
    >>> incidence_pseudo_values([30, 60, 60, 90], [1, 2, 0, 1], horizon=80).round(9).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    why = _causes(cause, of)
    return _pseudo_values(durations(duration), why, horizon, _by, censoring_group)


def _area_after(time: Floats, horizon: float) -> Floats:
    """Return what an event at each time adds to the time lost."""
    return np.maximum(horizon - time, 0.0)


def _by(time: Floats, horizon: float) -> Floats:
    """Return what an event at each time adds to the incidence."""
    return (time <= horizon).astype(np.float64)


def _causes(cause: ArrayLike, of: int) -> Integers:
    checks.one_of(of, (1, 2), "of")
    why = cause_codes(cause)
    return why if of == 1 else np.array([0, 2, 1])[why]


def _pseudo_values(
    duration: Floats | Integers,
    cause: Integers,
    horizon: float,
    worth: Callable[[Floats, float], Floats],
    censoring_group: ArrayLike | None,
) -> Floats:
    """Return pseudo-values of the sum over times of worth(time) times the increment of the incidence."""
    checks.same_length(duration=duration, cause=cause)
    values = np.empty(duration.size)
    for rows in strata_rows(censoring_group, duration.size):
        table = risk_table(duration[rows], cause[rows], 3)
        inside_follow_up(table, np.atleast_1d(checks.float_array(horizon, "horizon")))
        full, left_out = _with_and_without(table, worth(table.time, float(horizon)))
        n = table.n_risk[0]
        place = np.searchsorted(table.time, duration[rows])
        values[rows] = (n * full - (n - 1) * left_out)[cause[rows], place]
    return values


def _with_and_without(table: RiskTable, worth: Floats) -> tuple[float, Floats]:
    """Return the estimate, and the estimate without one person who leaves at a time for a reason.

    The second has shape (3, times): censored, event of interest, competing event. Up to the person's time
    the curve without them is that of one fewer at risk. From there on nobody notices, but for the factor
    by which the two curves differ by then.
    """
    n, (_, own, other) = table.n_risk, table.leaving
    event_free = np.cumprod(1.0 - (own + other) / n)
    gain = worth * before(event_free) * own / n
    later = np.append(reverse_cumulative(gain)[1:], 0.0)

    # Where nobody else is at risk the curve without the person stays where it was.
    fewer = np.maximum(n - 1.0, 1.0)
    remains = np.maximum(1.0 - (own + other) / fewer, 0.0)
    without = before(np.cumprod(remains))
    gained = np.cumsum(worth * without * own / fewer)
    earlier = np.append(0.0, gained[:-1])
    own_left = own - np.array([[0.0], [1.0], [0.0]])
    either_left = own + other - np.array([[0.0], [1.0], [1.0]])
    at_once = worth * without * own_left / fewer
    factor = np.divide(
        without * (1.0 - either_left / fewer),
        event_free,
        out=np.zeros(either_left.shape),
        where=event_free > 0,
    )
    return float(gain.sum()), earlier + at_once + factor * later
