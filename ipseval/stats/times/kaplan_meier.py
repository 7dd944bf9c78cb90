"""Kaplan-Meier and Nelson-Aalen: how long until the first job, when some people are not followed to it.

At risk means at risk just before ``t``: whoever leaves at ``t`` is still counted there, so a person
censored on the day of another's event is at risk for it. Everything is exact on ties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.risk_sets import Floats, risk_table

INTERVALS = ("log-log", "log", "plain", "logit", "arcsine")

# Where two curves meet a level exactly in theory, products of fractions miss it by rounding; R's tolerance.
_SAME_LEVEL = float(np.sqrt(np.finfo(np.float64).eps))


class SurvivalCurve(NamedTuple):
    """A Kaplan-Meier curve: one entry per distinct observed time, in order.

    ``n_risk`` people are at risk just before ``time``; ``n_event`` and ``n_censored`` leave at it.
    ``survival`` is the probability of being event-free after ``time``, ``std_error`` its Greenwood
    standard error. A limit or standard error that is not defined (survival 0 or 1) is NaN.
    """

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_censored: Floats
    survival: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class SurvivalAt(NamedTuple):
    """A Kaplan-Meier curve read off at chosen times, one entry per time asked for.

    ``n_event`` and ``n_censored`` count from 0 up to and including ``time``; the other fields are
    those of `SurvivalCurve`. Beyond the last observation the curve is carried forward and ``n_risk`` is 0.
    """

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_censored: Floats
    survival: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class SurvivalQuantiles(NamedTuple):
    """Times by which given proportions had the event; NaN where the curve or a limit does not reach it."""

    proportion: Floats
    time: Floats
    conf_low: Floats
    conf_high: Floats


class CumulativeHazard(NamedTuple):
    """A Nelson-Aalen curve: one entry per distinct observed time, in order."""

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_censored: Floats
    cumulative_hazard: Floats
    std_error: Floats


def kaplan_meier(
    duration: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    conf_level: float = 0.95,
    interval: str = "log-log",
) -> SurvivalCurve:
    """Return the Kaplan-Meier estimate of remaining event-free, with Greenwood standard errors.

    Censoring must say nothing about when the event would have happened. Where another event makes
    it impossible (death before a first job), use `cumulative_incidence`.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the event or to censoring, in any unit, 0 or more; whole days are fastest.
    event : array of bool, shape (n,)
        True where the event happened, False where the person was censored.
    entry : array, shape (n,), optional
        Delayed entry: the person is at risk on (entry, duration].
    frequency : array, shape (n,), optional
        How many people each row stands for. The standard error reads it as a count of people.
    conf_level : float
        Coverage of the pointwise limits.
    interval : {"log-log", "log", "plain", "logit", "arcsine"}
        Scale on which the limits are symmetric. The default stays within 0 and 1 and holds its level
        in small samples; R's default is "log".

    Returns
    -------
    SurvivalCurve

    Raises
    ------
    AnalysisError
        Missing or negative durations, an event coded other than 0 and 1, arrays of different length.

    Notes
    -----
    S(t) is the product of (1 - d/n) over event times up to t, and its variance is S(t)^2 times the
    sum of d / (n (n - d)). Agrees with R's ``survfit`` to 1e-9, except that limits are NaN before the
    first event, where ``survfit`` prints 1 for some scales.

    References
    ----------
    Kaplan and Meier (1958), JASA 53:457-481. Kalbfleisch and Prentice (2002), The Statistical Analysis of
    Failure Time Data, for the log-log limits.

    Examples
    --------
    >>> curve = kaplan_meier([30, 60, 60, 90], [True, True, False, True])
    >>> curve.survival.round(3).tolist()
    [0.75, 0.5, 0.0]
    """
    checks.one_of(interval, INTERVALS, "interval")
    checks.confidence(conf_level)
    happened = checks.boolean_array(event, "event")
    time, n_risk, (n_censored, n_event) = risk_table(duration, happened, 2, entry=entry, frequency=frequency)
    n_left = n_risk - n_event
    survival = np.cumprod(n_left / n_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        std_error = survival * np.sqrt(np.cumsum(n_event / (n_risk * n_left)))
    low, high = probability_limits(survival, std_error, conf_level, interval)
    return SurvivalCurve(time, n_risk, n_event, n_censored, survival, std_error, low, high)


def nelson_aalen(
    duration: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
) -> CumulativeHazard:
    """Return the Nelson-Aalen estimate of the cumulative hazard, with its standard error.

    Parameters are those of `kaplan_meier`. The estimate is the sum of d/n, its variance the sum of
    d/n^2 (Aalen's), as in R's ``survfit(ctype=1)``.

    References
    ----------
    Aalen (1978), Annals of Statistics 6:701-726.

    Examples
    --------
    >>> nelson_aalen([30, 60, 60, 90], [True, True, False, True]).cumulative_hazard.round(3).tolist()
    [0.25, 0.583, 1.583]
    """
    happened = checks.boolean_array(event, "event")
    time, n_risk, (n_censored, n_event) = risk_table(duration, happened, 2, entry=entry, frequency=frequency)
    hazard = np.cumsum(n_event / n_risk)
    std_error = np.sqrt(np.cumsum(n_event / n_risk**2))
    return CumulativeHazard(time, n_risk, n_event, n_censored, hazard, std_error)


def survival_at(curve: SurvivalCurve, times: ArrayLike) -> SurvivalAt:
    """Return the curve read off at the given times.

    Before the first observed time survival is 1, with limits NaN; after the last one the curve is
    carried forward, with ``n_risk`` 0, so that a reader can see that nobody is left there.

    Examples
    --------
    >>> curve = kaplan_meier([30, 60, 60, 90], [True, True, False, True])
    >>> survival_at(curve, [0, 45, 60]).survival.round(3).tolist()
    [1.0, 0.75, 0.5]
    """
    asked = np.atleast_1d(checks.float_array(times, "times"))
    upto = np.searchsorted(curve.time, asked, side="right")
    before = np.searchsorted(curve.time, asked, side="left")
    return SurvivalAt(
        asked,
        n_risk=np.append(curve.n_risk, 0.0)[before],
        n_event=_from_start(np.cumsum(curve.n_event), 0.0)[upto],
        n_censored=_from_start(np.cumsum(curve.n_censored), 0.0)[upto],
        survival=_from_start(curve.survival, 1.0)[upto],
        std_error=_from_start(curve.std_error, 0.0)[upto],
        conf_low=_from_start(curve.conf_low, np.nan)[upto],
        conf_high=_from_start(curve.conf_high, np.nan)[upto],
    )


def quantile(curve: SurvivalCurve, proportion: ArrayLike = 0.5) -> SurvivalQuantiles:
    """Return the time by which a proportion had the event (0.5: the median), with its limits.

    The quantile is the first time with S(t) <= 1 - proportion; where S equals 1 - proportion on a
    flat stretch, the middle of that stretch. Limits invert the pointwise interval by the same rule
    (Brookmeyer and Crowley 1982, Biometrics 38:29-41), as R's ``quantile.survfit`` does as long as the
    limits only fall. What is not reached is NaN: a median beyond follow-up is unknown.

    Examples
    --------
    >>> curve = kaplan_meier([30, 60, 60, 90], [True, True, False, True])
    >>> quantile(curve, 0.5).time.tolist()
    [75.0]
    """
    wanted = np.atleast_1d(checks.float_array(proportion, "proportion"))
    if outside := int(((wanted <= 0) | (wanted >= 1)).sum()):
        raise AnalysisError(
            f"proportion is not between 0 and 1 for {outside} of {wanted.size} entries. "
            f"Write the median as proportion=0.5."
        )

    def first_reached(heights: Floats) -> Floats:
        return np.array([_first_reached(curve.time, heights, 1.0 - p) for p in wanted])

    return SurvivalQuantiles(
        wanted, first_reached(curve.survival), first_reached(curve.conf_low), first_reached(curve.conf_high)
    )


def probability_limits(
    probability: Floats, std_error: Floats, conf_level: float, interval: str
) -> tuple[Floats, Floats]:
    """Return limits that are symmetric on the scale of ``interval``; NaN where nothing varies yet.

    With scale g the limits are the inverse of g(p) -+ z std_error |g'(p)|. At p = 0 and p = 1 the
    standard error is 0 or undefined and there is no honest limit, whatever the scale.
    """
    return limits_on_scale(probability, special.ndtri(0.5 + conf_level / 2) * std_error, interval)


def limits_on_scale(probability: Floats, margin: Floats, interval: str) -> tuple[Floats, Floats]:
    """Return the inverse of g(p) -+ margin |g'(p)| for the scale g; NaN at 0 and 1."""
    scale = SCALES[interval]
    inside = (probability > 0) & (probability < 1)
    p = np.where(inside, probability, np.nan)
    half_width = margin * np.abs(scale.slope(p))
    ends = scale.inverse(scale.transform(p) - half_width), scale.inverse(scale.transform(p) + half_width)
    return np.minimum(*ends), np.maximum(*ends)


class Scale(NamedTuple):
    """A scale for a probability: the transform, its inverse, and its derivative."""

    transform: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]


SCALES = {
    "log-log": Scale(
        lambda p: np.log(-np.log(p)), lambda y: np.exp(-np.exp(y)), lambda p: 1.0 / (p * np.log(p))
    ),
    "complementary log-log": Scale(
        lambda p: np.log(-np.log1p(-p)),
        lambda y: -np.expm1(-np.exp(y)),
        lambda p: 1.0 / ((1.0 - p) * np.log1p(-p)),
    ),
    "log": Scale(np.log, lambda y: np.minimum(np.exp(y), 1.0), lambda p: 1.0 / p),
    "plain": Scale(lambda p: p, lambda y: np.clip(y, 0.0, 1.0), np.ones_like),
    "logit": Scale(special.logit, special.expit, lambda p: 1.0 / (p * (1.0 - p))),
    "arcsine": Scale(
        lambda p: np.arcsin(np.sqrt(p)),
        lambda y: np.sin(np.clip(y, 0.0, np.pi / 2)) ** 2,
        lambda p: 0.5 / np.sqrt(p * (1.0 - p)),
    ),
}


def _from_start(values: Floats, start: float) -> Floats:
    return np.concatenate(([start], values))


def _first_reached(time: Floats, heights: Floats, level: float) -> float:
    """Return the first time at which a falling step function is at ``level``, or below it."""
    reached = np.flatnonzero(heights <= level + _SAME_LEVEL)
    passed = np.flatnonzero(heights < level - _SAME_LEVEL)
    if passed.size:
        return float(time[reached[0]] + time[passed[0]]) / 2
    if reached.size and abs(heights[-1] - level) < _SAME_LEVEL:
        return float(time[reached[0]] + time[-1]) / 2
    return float("nan")
