"""Intervals of mean amounts that few people have any of, and of their difference.

Where most have none and some have much, a mean varies as the few do who have any: the workers. They carry
what is known of the spread, so that the quantile is that of Student's t with the workers, not with all.
A mean is surer of how much it may be too low than of how much too high, and limits as far above it as
below end too low. On the log scale they are so many times larger and smaller instead, which also keeps
them above 0. In a difference the two leans mostly cancel. Arm 1 is the active arm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ipseval import checks
from ipseval.stats.amounts.censored_means import CensoredMean
from ipseval.stats.means import (
    NO_SPREAD,
    Mean,
    MeanDifference,
    amounts,
    t_difference,
    welch_satterthwaite,
)
from ipseval.stats.roots import decreasing_root

Floats = NDArray[np.float64]

#: As in the catalogue of words, by which they are translated.
FEW_HAD_ANY = "fewer than three people in an arm had any: its mean has no limits"
FEW_IN_BOTH = "fewer than two people in each arm had any: the difference has no limits"
ONE_ARM_COUNTS = "fewer than two people in one arm had any: the degrees of freedom are those of the other"
SOME_NEGATIVE = "some amounts are negative: limits lie as far above the mean as below it"


class LogScaleMean(NamedTuple):
    """A mean with limits on the log scale, in the unit of the amounts; ``note`` says why a number is NaN.

    ``df`` is one less than the people who had any. With ``is_symmetric`` the limits are on the scale of
    the amounts.
    """

    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    is_symmetric: bool
    note: str = ""


class JoinedDifference(NamedTuple):
    """Mean of arm 1 minus mean of arm 0, its limits joined from those of both arms."""

    estimate: float
    std_error: float
    p_value: float
    conf_low: float
    conf_high: float
    note: str = ""


def log_t_mean(mean: Mean | CensoredMean, y: ArrayLike, *, conf_level: float = 0.95) -> LogScaleMean:
    """Return a mean with a t interval on the log scale, on as many degrees of freedom as had any, less one.

    Parameters
    ----------
    mean : Mean or CensoredMean
        Estimate and standard error, weighted or not.
    y : array_like, one amount per person
        What each was seen to have, in the unit of the mean.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    LogScaleMean
        Where fewer than three people had any, or the mean has no standard error, limits are NaN and ``note``
        says why: with one degree of freedom the upper limit would be beyond anything possible. Where an
        amount is negative there is no logarithm to take: the limits are symmetric, on the same degrees of
        freedom, and ``note`` says so.

    Raises
    ------
    AnalysisError
        If ``y`` is empty or holds missing values.

    Notes
    -----
    ``mean * exp(-+ t std_error / mean)``, the delta method for log(mean). The degrees of freedom are ours:
    people without any do not tell how much those with any differ.

    Examples
    --------
    >>> from ipseval.stats.means import mean
    >>> hours = [0, 0, 0, 0, 30, 40, 50, 70, 80]
    >>> found = log_t_mean(mean(hours), hours)
    >>> found.df, round(found.conf_low, 1), round(found.conf_high, 1)
    (4.0, 11.2, 80.5)
    """
    level = checks.confidence(conf_level)
    y = amounts(y, "y")
    df = float(np.count_nonzero(y) - 1)
    is_symmetric = bool((y < 0).any())
    note = mean.note or (FEW_HAD_ANY if df < 2 else "")
    if note:
        nan = math.nan
        return LogScaleMean(mean.estimate, mean.std_error, nan, nan, nan, is_symmetric, note)
    said = SOME_NEGATIVE if is_symmetric else ""
    found = LogScaleMean(mean.estimate, mean.std_error, df, math.nan, math.nan, is_symmetric, said)
    low, high = _limits(found, 1 - level)
    return found._replace(conf_low=float(low), conf_high=float(high))


def workers_difference(
    active: Mean | CensoredMean,
    reference: Mean | CensoredMean,
    y1: ArrayLike,
    y0: ArrayLike,
    *,
    conf_level: float = 0.95,
) -> MeanDifference:
    """Return a difference of two means, active minus reference, with a t interval that counts the workers.

    Parameters
    ----------
    active, reference : Mean or CensoredMean
        One arm each: estimate and standard error, weighted or not.
    y1, y0 : array_like, one amount per person
        What each of the active and of the reference arm was seen to have, in the unit of the means. A
        worker is who had any.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    MeanDifference
        An arm that nobody worked in has no variance. Where an arm has fewer than two workers, or no spread,
        the degrees of freedom are those of the other arm alone; where that leaves none, everything but
        the estimate is NaN. ``note`` says either.

    Raises
    ------
    AnalysisError
        If ``y1`` or ``y0`` is empty or holds missing values.

    Notes
    -----
    With squared standard errors v and w workers per arm, ``std_error**2 = v1 + v0`` and
    ``df = (v1 + v0)**2 / (v1**2 / (w1 - 1) + v0**2 / (w0 - 1))``. Satterthwaite's degrees of freedom say
    how well a variance is known, and nearly all of the sum of squares of mostly zeros is that of the few
    amounts that are none: a thousand more people without any make it no surer. To put workers in the place
    of people is our choice; where everybody worked and nobody is weighted this is Welch's t interval.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2:110-114.

    Examples
    --------
    >>> from ipseval.stats.means import mean
    >>> y1, y0 = [0, 20, 40, 60, 80], [0, 0, 0, 5, 10]
    >>> found = workers_difference(mean(y1), mean(y0), y1, y0)
    >>> found.estimate, round(found.df, 2)
    (37.0, 3.12)
    """
    level = checks.confidence(conf_level)
    both = (active, reference)
    workers = [int(np.count_nonzero(amounts(y, name))) for y, name in ((y1, "y1"), (y0, "y0"))]
    varies = [mean.note != NO_SPREAD for mean in both]
    v1, v0 = (mean.std_error**2 if spread else 0.0 for mean, spread in zip(both, varies, strict=True))
    df1, df0 = (count - 1 if spread else 0 for count, spread in zip(workers, varies, strict=True))
    note = _both(*(mean.note for mean, spread in zip(both, varies, strict=True) if spread))
    if not note and max(df1, df0) < 1:
        note = FEW_IN_BOTH if max(workers) < 2 else NO_SPREAD
    if note:
        std_error = df = math.nan
    elif min(df1, df0) < 1:
        std_error, df = math.sqrt(v1 + v0), float(max(df1, df0))
        note = ONE_ARM_COUNTS if min(workers) < 2 else ""
    else:
        std_error, df = welch_satterthwaite(v1, v0, df1, df0)
    return t_difference(
        active.estimate,
        reference.estimate,
        std_error,
        df,
        n1=active.n,
        n0=reference.n,
        conf_level=level,
        note=note,
    )


def joined_difference(
    active: LogScaleMean, reference: LogScaleMean, *, conf_level: float = 0.95
) -> JoinedDifference:
    """Return a difference of two means, active minus reference, its limits joined from those of both.

    Parameters
    ----------
    active, reference : LogScaleMean
        One arm each.
    conf_level : float
        Between 0 and 1; of the limits of the arms, too, that are joined here.

    Returns
    -------
    JoinedDifference
        NaN where an arm has no limits. ``p_value`` is one less the level at which the limits just reach
        no difference, to about 1e-14: test and interval are inverses of each other.

    Notes
    -----
    With limits l, u of each arm the lower limit is ``d - sqrt((m1 - l1)**2 + (u0 - m0)**2)``, the upper one
    ``d + sqrt((u1 - m1)**2 + (m0 - l0)**2)``, as in `ipseval.stats.times.milestones.milestone_difference`.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27:1693-1702.

    Examples
    --------
    >>> from ipseval.stats.means import mean
    >>> hours = [0, 20, 40, 60, 80], [0, 0, 5, 5, 5, 10]
    >>> found = joined_difference(*(log_t_mean(mean(y), y) for y in hours))
    >>> found.estimate > 0 and (found.p_value < 0.05) == (found.conf_low > 0)
    True
    """
    level = checks.confidence(conf_level)
    note = _both(active.note, reference.note)
    estimate, std_error = (
        active.estimate - reference.estimate,
        math.hypot(active.std_error, reference.std_error),
    )
    if math.isnan(active.df) or math.isnan(reference.df):
        nan = math.nan
        return JoinedDifference(estimate, nan, nan, nan, nan, note)
    below, above = _distances(active, reference, 1 - level)

    def beyond(alpha: Floats) -> Floats:
        """Return how far the limits of level 1 - alpha reach beyond no difference."""
        return _distances(active, reference, alpha)[0 if estimate > 0 else 1] - abs(estimate)

    p_value = float(decreasing_root(beyond, 0.0, 1.0))
    return JoinedDifference(
        estimate, std_error, p_value, estimate - float(below), estimate + float(above), note
    )


def _both(*notes: str) -> str:
    """Return what is said of either arm, each thing once."""
    return "; ".join(dict.fromkeys(note.rstrip(".") for note in notes if note))


def _limits(mean: LogScaleMean, alpha: ArrayLike) -> tuple[Floats, Floats]:
    """Return the limits of level 1 - alpha."""
    quantile: Floats = np.asarray(-stdtrit(mean.df, np.asarray(alpha) / 2), dtype=np.float64)
    distance = quantile * mean.std_error
    if mean.is_symmetric:
        return mean.estimate - distance, mean.estimate + distance
    with np.errstate(over="ignore"):
        times = np.exp(distance / mean.estimate)
    return mean.estimate / times, mean.estimate * times


def _distances(active: LogScaleMean, reference: LogScaleMean, alpha: ArrayLike) -> tuple[Floats, Floats]:
    """Return how far the joined limits of level 1 - alpha lie below and above the difference."""
    (low_1, high_1), (low_0, high_0) = _limits(active, alpha), _limits(reference, alpha)
    m1, m0 = active.estimate, reference.estimate
    below: Floats = np.hypot(m1 - low_1, high_0 - m0)
    above: Floats = np.hypot(high_1 - m1, m0 - low_0)
    return below, above
