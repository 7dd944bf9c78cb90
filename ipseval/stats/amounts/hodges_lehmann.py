"""Hodges-Lehmann shift between two arms: the median of all pairwise differences, with Moses' interval.

Arm 1 is the active arm, arm 0 the reference; each difference is one person of arm 1 minus one of arm 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ipseval import checks
from ipseval.stats.means import amounts

_PAIRS_IN_MEMORY = 5_000_000


class HodgesLehmann(NamedTuple):
    """Median pairwise difference in the unit of the amounts; ``share_zero`` of the pairs are level."""

    estimate: float
    conf_low: float
    conf_high: float
    share_zero: float
    n_1: int
    n_0: int
    note: str = ""


def hodges_lehmann(y1: ArrayLike, y0: ArrayLike, *, conf_level: float = 0.95) -> HodgesLehmann:
    """Return the median of the n1 n0 pairwise differences, arm 1 minus arm 0, with Moses' interval.

    It estimates a shift if one arm's distribution is the other's moved along. Amounts with many zeros
    are not like that: with many pairs level at zero the estimate or a limit sticks to 0, which
    ``share_zero`` shows; prefer the difference of means or the probability of superiority then.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    HodgesLehmann
        Limits are NaN, with the reason in ``note``, if the arms are too small for the level.

    Raises
    ------
    AnalysisError
        If an arm is empty or an amount is missing.

    Notes
    -----
    The limits are the k-th smallest and k-th largest difference, k rounded from
    ``n1 n0 / 2 - z sqrt(n1 n0 (N + 1) / 12)`` without a correction for ties. R's ``wilcox.test`` inverts
    the tie-corrected normal test by root finding instead, and agrees to its own tolerance. Up to five million
    pairs are enumerated; beyond that exact selection in sorted rows takes memory of the order of n.

    References
    ----------
    Hodges & Lehmann (1963), Annals of Mathematical Statistics 34:598-611.
    Hollander, Wolfe & Chicken (2014), Nonparametric Statistical Methods, 3rd ed., section 4.3.
    Johnson & Mizoguchi (1978), SIAM Journal on Computing 7:147-153 (selection).

    Examples
    --------
    >>> from ipseval.stats.amounts.hodges_lehmann import hodges_lehmann
    >>> hodges_lehmann([5, 6, 9, 12], [1, 2, 4, 8]).estimate
    4.0
    """
    level = checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    n1, n0 = y1.size, y0.size
    pairs = n1 * n0
    k = round(pairs / 2 - float(ndtri((1 + level) / 2)) * math.sqrt(pairs * (n1 + n0 + 1) / 12))
    middle = [(pairs + 1) // 2, pairs // 2 + 1]
    limits = [k, pairs - k + 1] if k >= 1 else []
    found = _smallest_differences(y1, y0, middle + limits)
    low, high = found[2:] if limits else (math.nan, math.nan)
    note = "" if limits else f"Arms of {n1} and {n0} are too small for a {level:g} interval."
    return HodgesLehmann((found[0] + found[1]) / 2, low, high, _share_level(y1, y0), n1, n0, note)


def _share_level(y1: NDArray[np.float64], y0: NDArray[np.float64]) -> float:
    ordered = np.sort(y0)
    level = np.searchsorted(ordered, y1, "right") - np.searchsorted(ordered, y1, "left")
    return float(level.mean()) / y0.size


def _smallest_differences(
    y1: NDArray[np.float64], y0: NDArray[np.float64], positions: list[int]
) -> list[float]:
    """Return the differences at the given positions (1 is the smallest) of all of them in order."""
    if y1.size * y0.size > _PAIRS_IN_MEMORY:
        falling = np.sort(y0)[::-1]
        return [_select(y1, falling, position) for position in positions]
    differences = np.subtract.outer(y1, y0).ravel()
    indices = [position - 1 for position in positions]
    differences.partition(indices)
    return [float(differences[index]) for index in indices]


def _select(y1: NDArray[np.float64], falling: NDArray[np.float64], position: int) -> float:
    """Return the difference at a position, without forming all of them.

    Row i, ``y1[i] - falling``, rises; the answer lies in ``start:stop`` of some row. Each round discards at
    least a quarter of the candidates, those on the wrong side of the weighted median of the row medians.
    """
    start, stop = np.zeros(y1.size, np.intp), np.full(y1.size, falling.size, np.intp)
    while (stop - start).sum() > _PAIRS_IN_MEMORY:
        pivot = _median_of_row_medians(y1, falling, start, stop)
        below, upto = (_count_in_rows(y1, falling, pivot, strictly) for strictly in (True, False))
        if below.sum() >= position:
            stop = below
        elif upto.sum() >= position:
            return pivot
        else:
            start = upto
    sizes = stop - start
    first = np.repeat(np.cumsum(sizes) - sizes - start, sizes)
    left = np.repeat(y1, sizes) - falling[np.arange(sizes.sum()) - first]
    index = position - int(start.sum()) - 1
    return float(np.partition(left, index)[index])


def _median_of_row_medians(
    y1: NDArray[np.float64], falling: NDArray[np.float64], start: NDArray[np.intp], stop: NDArray[np.intp]
) -> float:
    rows = np.flatnonzero(stop > start)
    medians = y1[rows] - falling[(start[rows] + stop[rows] - 1) // 2]
    order = np.argsort(medians)
    candidates = np.cumsum((stop - start)[rows][order])
    return float(medians[order[np.searchsorted(candidates, candidates[-1] / 2)]])


def _count_in_rows(
    y1: NDArray[np.float64], falling: NDArray[np.float64], pivot: float, strictly: bool
) -> NDArray[np.intp]:
    """Return how many differences of each row lie below the pivot (or at it, unless strictly below).

    The differences themselves are compared: searching ``falling`` for ``y1 - pivot`` would round apart.
    """
    low, high = np.zeros(y1.size, np.intp), np.full(y1.size, falling.size, np.intp)
    while (low < high).any():
        middle = (low + high) // 2
        difference = y1 - falling[np.minimum(middle, falling.size - 1)]
        counted = (low < high) & ((difference < pivot) if strictly else (difference <= pivot))
        low, high = np.where(counted, middle + 1, low), np.where(counted, high, middle)
    return low
