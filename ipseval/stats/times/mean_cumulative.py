"""Mean cumulative number of events that may recur, such as new jobs, where death ends the count.

How many events a person has had by a time, on average over everyone: the dead, who have no more, stay in
the average. Nothing is assumed about how the events of one person depend on each other; the variance is
taken from people, not from events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.special import stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.tables import normal_quantile
from ipseval.stats.times.recurrences import Recurrences, recurrences
from ipseval.stats.times.risk_sets import Floats, strata_rows

INTERVALS = ("log-t", "log")
INTERVALS_OF_DIFFERENCE = (*INTERVALS, "plain")

# A variance that is this small beside the square of the mean is rounding error: 0.
_ROUNDING = 1e-24


class MeanCumulative(NamedTuple):
    """The mean number of events by each time.

    ``n_risk`` people are at risk just before ``time``; ``n_event`` events and ``n_died`` deaths were seen up
    to and including it. ``alive`` is the Kaplan-Meier probability of being alive. Standard error and limits
    are NaN where nothing varies: before the first event, or where everyone has had the same number. ``n`` is
    everyone, at whatever time they left.
    """

    n: int
    time: Floats
    n_risk: Floats
    n_event: Floats
    n_died: Floats
    alive: Floats
    mean: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class MeanContrast(NamedTuple):
    """Active against reference, one entry per time; ``std_error`` of a ratio is that of its logarithm."""

    time: Floats
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class MeanTest(NamedTuple):
    """A test of equal means: ``z`` is positive where the active arm has more events."""

    statistic: float
    df: int
    p_value: float
    z: float


def mean_cumulative(
    duration: ArrayLike,
    died: ArrayLike,
    person: ArrayLike,
    event_time: ArrayLike,
    *,
    times: ArrayLike | None = None,
    interval: str = "log-t",
    conf_level: float = 0.95,
) -> MeanCumulative:
    """Return the mean cumulative number of events, the dead staying in the denominator.

    People who are lost leave on the day they are lost, which assumes that leaving says nothing about the
    events and the death that would have followed.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to death or to the end of follow-up, 0 or more.
    died : array of bool, shape (n,)
        Whether it was death.
    person : array of int, shape (events,)
        For each event the place of its person, 0 to n - 1.
    event_time : array, shape (events,)
        When it happened, up to the person's duration. Several at one time all count.
    times : array, optional
        Where the mean is wanted; by default at every distinct event time.
    interval : {"log-t", "log"}
        Both are formed on the logarithm of the mean. "log" takes a normal quantile, as other software does,
        and covers too little in arms of 25. "log-t" takes Student's on n - 1 degrees of freedom and
        n / (n - 1) times the variance, as for an average of counts, which the mean is while nobody is lost.
    conf_level : float
        Coverage of the limits.

    Returns
    -------
    MeanCumulative

    Raises
    ------
    AnalysisError
        Missing or negative times, events of nobody, or after their person has left; a time beyond the last
        follow-up of people who are alive.

    Notes
    -----
    The mean is the sum over times u up to t of S(u-) dN(u) / Y(u), with S the survival of Kaplan-Meier. Its
    variance is the sum over people of the squares of what each contributes to its error: from their events
    less those expected while they were at risk, over Y(u) / S(u-), minus from their death less the deaths
    expected, over Y(u), times the mean still to come. Without deaths this is the Nelson-Aalen estimate for
    counts with the variance of Lawless and Nadeau, and R's ``survfit(..., id=)``, to 1e-9. With deaths it
    agrees with R's ``mets::recurrentMarginal`` to 1e-9. A person with an event at the time of somebody's
    death, or of their own, is still at risk there, and so has it before anybody dies.

    References
    ----------
    Ghosh and Lin (2000), Biometrics 56:554-562, section 2. Cook and Lawless (1997), Statistics in
    Medicine 16:911-924. Lawless and Nadeau (1995), Technometrics 37:158-168, section 2.

    Examples
    --------
    >>> found = mean_cumulative([90, 90, 60, 90], [0, 0, 1, 0], [0, 0, 2], [30, 80, 50])
    >>> found.time.tolist(), found.mean.round(3).tolist()
    ([30.0, 50.0, 80.0], [0.25, 0.5, 0.75])
    """
    checks.one_of(interval, INTERVALS, "interval")
    sample = recurrences(duration, died, person, event_time)
    if times is None:
        asked = sample.time[sample.n_event > 0]
    else:
        asked = np.atleast_1d(checks.float_array(times, "times"))
    sample.refuse_beyond(asked)
    upto = np.searchsorted(sample.time, asked, side="right")

    def at(values: Floats, start: float = 0.0) -> Floats:
        return np.append(start, values)[upto]

    mean = at(np.cumsum(sample.increments))
    squares = np.array([_sum_of_squares(sample, sample.time <= time) for time in asked])
    std_error: Floats = np.sqrt(np.where(squares > _ROUNDING * mean**2, squares, np.nan))
    found = MeanCumulative(
        sample.duration.size,
        asked,
        n_risk=np.append(sample.n_risk, 0.0)[np.searchsorted(sample.time, asked, side="left")],
        n_event=at(np.cumsum(sample.n_event)),
        n_died=at(np.cumsum(sample.n_died)),
        alive=at(sample.alive, 1.0),
        mean=mean,
        std_error=std_error,
        conf_low=mean,
        conf_high=mean,
    )
    below, above = _distances(found, interval, conf_level)
    return found._replace(conf_low=mean - below, conf_high=mean + above)


def mean_cumulative_difference(
    active: MeanCumulative, reference: MeanCumulative, *, interval: str = "log-t", conf_level: float = 0.95
) -> MeanContrast:
    """Return active minus reference in the mean number of events by each time.

    Parameters
    ----------
    active, reference : MeanCumulative
        Two independent arms at the same times.
    interval : {"log-t", "log", "plain"}
        The first two join the arms' own limits of that kind, and may be asymmetric; they do not exist
        while an arm has no event. "plain" is estimate -+ z std_error.
    conf_level : float
        Coverage of the limits.

    Returns
    -------
    MeanContrast

    Raises
    ------
    AnalysisError
        Arms at different times.

    Notes
    -----
    `mean_cumulative_test` compares the arms over all of follow-up.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27:1693-1702, equation 6, for limits that are joined.

    Examples
    --------
    >>> arms = [mean_cumulative([90] * 4, [0] * 4, people, [20] * len(people), times=60)
    ...         for people in ([0, 0, 1], [3])]
    >>> found = mean_cumulative_difference(*arms, interval="log")
    >>> found.estimate.tolist(), found.conf_low.round(3).tolist(), found.conf_high.round(3).tolist()
    ([0.5], [-0.72], [1.98])
    """
    checks.one_of(interval, INTERVALS_OF_DIFFERENCE, "interval")
    _refuse_different_times(active, reference)
    estimate = active.mean - reference.mean
    std_error = np.hypot(active.std_error, reference.std_error)
    if interval == "plain":
        below = above = normal_quantile(conf_level) * std_error
    else:
        (down_1, up_1), (down_0, up_0) = (
            _distances(arm, interval, conf_level) for arm in (active, reference)
        )
        below, above = np.hypot(down_1, up_0), np.hypot(up_1, down_0)
    return MeanContrast(active.time, estimate, std_error, estimate - below, estimate + above)


def mean_cumulative_ratio(
    active: MeanCumulative, reference: MeanCumulative, *, interval: str = "log-t", conf_level: float = 0.95
) -> MeanContrast:
    """Return active over reference in the mean number of events by each time.

    Parameters
    ----------
    active, reference, conf_level
        As in `mean_cumulative_difference`.
    interval : {"log-t", "log"}
        "log" is the delta method on the logarithm of the ratio; "log-t" takes the quantile of each arm for
        its share of the standard error.

    Returns
    -------
    MeanContrast
        ``estimate`` and limits are ratios; NaN where an arm has no event.

    Raises
    ------
    AnalysisError
        Arms at different times.

    Examples
    --------
    >>> arms = [mean_cumulative([90] * 4, [0] * 4, people, [20] * len(people), times=60)
    ...         for people in ([0, 0, 1], [3])]
    >>> mean_cumulative_ratio(*arms).estimate.tolist()
    [3.0]
    """
    checks.one_of(interval, INTERVALS, "interval")
    _refuse_different_times(active, reference)
    arms = active, reference
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((active.mean > 0) & (reference.mean > 0), active.mean / reference.mean, np.nan)
        std_error = np.hypot(*(arm.std_error / arm.mean for arm in arms))
        factor = np.exp(np.hypot(*(_half_width(arm, interval, conf_level) for arm in arms)))
    return MeanContrast(active.time, ratio, std_error, ratio / factor, ratio * factor)


def mean_cumulative_test(
    duration: ArrayLike,
    died: ArrayLike,
    person: ArrayLike,
    event_time: ArrayLike,
    active: ArrayLike,
    *,
    strata: ArrayLike | None = None,
) -> MeanTest:
    """Return the test of equal mean numbers of events that weighs times as the log-rank test does.

    Parameters
    ----------
    duration, died, person, event_time
        As in `mean_cumulative`.
    active : array of bool, shape (n,)
        Who is in the active arm; the others are in the reference arm.
    strata : array, shape (n,), optional
        Arms are compared within strata, and the differences added up.

    Returns
    -------
    MeanTest

    Raises
    ------
    AnalysisError
        As `mean_cumulative`; if nobody has an event while both arms are at risk, or nothing varies.

    Notes
    -----
    The integral of Y1 Y0 / (Y1 + Y0) d(mu1 - mu0) over its standard error, the arms contributing their own
    variances. Without deaths its numerator is the score of the Andersen-Gill model.

    References
    ----------
    Ghosh and Lin (2000), Biometrics 56:554-562, section 3. Without deaths: Cook, Lawless and Nadeau (1996),
    Biometrics 52:557-571.

    Examples
    --------
    >>> found = mean_cumulative_test([9] * 6, [0] * 6, [0, 0, 1, 2, 3], [1, 4, 2, 7, 5], [1, 1, 1, 0, 0, 0])
    >>> round(found.z, 3), round(found.p_value, 3)
    (2.598, 0.009)
    """
    everyone = recurrences(duration, died, person, event_time)
    is_active = checks.boolean_array(active, "active")
    checks.same_length(duration=everyone.duration, active=is_active)
    parts = [
        _weighted_difference(*(everyone.of(rows[is_active[rows] == arm]) for arm in (True, False)))
        for rows in _places(strata, is_active.size)
    ]
    score, variance = (float(sum(values)) for values in zip(*parts, strict=True))
    if variance == 0.0:
        raise NotDefinedError("No events vary between people while both arms are at risk.")
    z = float(score / np.sqrt(variance))
    return MeanTest(z**2, 1, float(special.chdtrc(1, z**2)), z)


def _places(strata: ArrayLike | None, n: int) -> list[NDArray[np.intp]]:
    """Return the people of each stratum."""
    return [np.arange(n)[rows] for rows in strata_rows(strata, n)]


def _weighted_difference(active: Recurrences, reference: Recurrences) -> tuple[float, float]:
    """Return the weighted difference of two means, and its variance; 0 where one arm has nobody."""
    if not (active.duration.size and reference.duration.size):
        return 0.0, 0.0
    means, variances = [], []
    for arm, other in ((active, reference), (reference, active)):
        beside = other.at_risk(arm.time)
        weight = arm.n_risk * beside / (arm.n_risk + beside)
        means.append(float(weight @ arm.increments))
        variances.append(_sum_of_squares(arm, weight))
    variance = sum(variances)
    return means[0] - means[1], variance if variance > _ROUNDING * sum(means) ** 2 else 0.0


def _sum_of_squares(sample: Recurrences, weight: Floats | NDArray[np.bool_]) -> float:
    """Return the variance of the sum of weight times increments."""
    return float(np.square(sample.influence(weight)).sum())


def _half_width(arm: MeanCumulative, interval: str, conf_level: float) -> Floats:
    """Return half the width of an interval on the logarithm of the mean."""
    times = normal_quantile(conf_level)
    if interval == "log-t":
        left = arm.n - 1
        times = stdtrit(left, (1 + conf_level) / 2) * np.sqrt(arm.n / left) if left else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        width: Floats = times * arm.std_error / arm.mean
    return width


def _distances(arm: MeanCumulative, interval: str, conf_level: float) -> tuple[Floats, Floats]:
    """Return how far the limits lie below and above the mean."""
    factor = np.exp(_half_width(arm, interval, conf_level))
    return arm.mean - arm.mean / factor, arm.mean * factor - arm.mean


def _refuse_different_times(active: MeanCumulative, reference: MeanCumulative) -> None:
    if not np.array_equal(active.time, reference.time):
        raise AnalysisError(
            f"The arms are read off at different times ({active.time.tolist()} and "
            f"{reference.time.tolist()}). Pass the same times for both."
        )
