"""Intervals of mean amounts that few people have any of: on the log scale, and joined for a difference.

Where most have none and some have much, a mean varies as the few do who have any, and is surer of how
much it may be too low than of how much too high. Limits as far above it as below then end too low. On the
log scale they are so many times larger and smaller instead, which also keeps them above 0, and the
quantile is that of Student's t with the people who had any, not with all. Arm 1 is the active arm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ipseval import checks
from ipseval.stats.censored_means import CensoredMean
from ipseval.stats.means import Mean, amounts
from ipseval.stats.roots import decreasing_root

Floats = NDArray[np.float64]

#: As in the catalogue of words, by which they are translated.
FEW_HAD_ANY = "fewer than two people in an arm had any: its mean has no limits"
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
        Where fewer than two people had any, or the mean has no standard error, limits are NaN and ``note``
        says why. Where an amount is negative there is no logarithm to take: the limits are symmetric, on
        the same degrees of freedom, and ``note`` says so.

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
    note = mean.note or (FEW_HAD_ANY if df < 1 else "")
    if note:
        nan = math.nan
        return LogScaleMean(mean.estimate, mean.std_error, nan, nan, nan, is_symmetric, note)
    said = SOME_NEGATIVE if is_symmetric else ""
    found = LogScaleMean(mean.estimate, mean.std_error, df, math.nan, math.nan, is_symmetric, said)
    low, high = _limits(found, 1 - level)
    return found._replace(conf_low=float(low), conf_high=float(high))


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
    ``d + sqrt((u1 - m1)**2 + (m0 - l0)**2)``, as in `ipseval.stats.milestones.milestone_difference`.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27:1693-1702, equation 6.

    Examples
    --------
    >>> from ipseval.stats.means import mean
    >>> hours = [0, 20, 40, 60, 80], [0, 0, 5, 5, 5, 10]
    >>> found = joined_difference(*(log_t_mean(mean(y), y) for y in hours))
    >>> found.estimate > 0 and (found.p_value < 0.05) == (found.conf_low > 0)
    True
    """
    level = checks.confidence(conf_level)
    notes = (active.note.rstrip("."), reference.note.rstrip("."))
    note = "; ".join(dict.fromkeys(part for part in notes if part))
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
