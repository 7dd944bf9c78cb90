"""Miettinen and Nurminen's score limits of a difference in proportions that is common to all strata.

Strata run along the last axis of every count, tables along the others, and all tables are solved at once.

References
----------
Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.proportions import score_limits
from ipseval.stats.roots import decreasing_root
from ipseval.stats.tables import FloatArray, Tables

_MOST_REWEIGHTINGS = 100  # the weights settle within twenty


def difference(t: Tables, z: float) -> tuple[FloatArray, ...]:
    """Common difference that solves the score, its standard error there, and score limits."""
    parts = _score(t)

    def statistic(d: FloatArray) -> FloatArray:
        return score_limits.standardised(*parts(d))

    ends = np.full(t.x1.shape[:-1], 1.0)
    estimate = decreasing_root(lambda d: parts(d)[0], -ends, ends)
    # At a difference of 1 or -1 every rate is 0 or 1; what is left of the variance there is rounding.
    variance = np.where(np.abs(estimate) > 1 - 1e-9, 0.0, parts(estimate)[1])
    std_error = np.sqrt(variance)
    low = decreasing_root(lambda d: statistic(d) - z, -ends, estimate)
    high = decreasing_root(lambda d: statistic(d) + z, estimate, ends)
    return estimate, std_error, low, high


def difference_statistic(d: FloatArray, t: Tables) -> FloatArray:
    """Score statistic of a stated common difference, one per table."""
    return score_limits.standardised(*_score(t)(d))


def _score(t: Tables) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    """Return what gives the weighted excess over a stated common difference, and its variance."""
    # Strata first: sums over a short last axis take longer than all the rest.
    t = Tables(*(np.ascontiguousarray(np.moveaxis(part, -1, 0)) for part in t))
    total, p1, p0 = t.n1 + t.n0, t.x1 / np.maximum(t.n1, 1), t.x0 / np.maximum(t.n0, 1)
    people = Tables(t.x1, np.maximum(t.n1, 1), t.x0, np.maximum(t.n0, 1))
    scale = total / np.maximum(total - 1, 1)

    def parts(d: FloatArray) -> tuple[FloatArray, FloatArray]:
        rate1, rate0 = score_limits.rates_given_difference(d, people)
        weight = _weights(rate1, rate0, people, t.known)
        variance = (rate1 * (1 - rate1) / people.n1 + rate0 * (1 - rate0) / people.n0) * scale
        return (weight * (p1 - p0 - d)).sum(axis=0), (weight**2 * variance).sum(axis=0)

    return parts


def _weights(rate1: FloatArray, rate0: FloatArray, people: Tables, known: NDArray[np.bool_]) -> FloatArray:
    """Normalised weights, inverse to a variance at the rates' own weighted means (strata first).

    They depend on one number, the active arm's share of the two binomial variances, which reproduces
    itself: a secant finds it. At one half they are Mantel and Haenszel's, which serve where no variance is.
    """

    def weights(share: FloatArray) -> FloatArray:
        weight = np.where(known, 1 / (share / people.n1 + (1 - share) / people.n0), 0.0)
        return np.asarray(weight / weight.sum(axis=0))

    def reproduced(share: FloatArray) -> FloatArray:
        weight = weights(share)
        mean1, mean0 = (weight * rate1).sum(axis=0), (weight * rate0).sum(axis=0)
        variance1, variance0 = mean1 * (1 - mean1), mean0 * (1 - mean0)
        both = variance1 + variance0
        own: FloatArray = np.divide(variance1, both, out=np.full_like(both, 0.5), where=both > 0)
        return own

    before = np.full(rate1.shape[1:], 0.5)
    share = reproduced(before)
    move_before = share - before
    for _ in range(_MOST_REWEIGHTINGS):
        move = reproduced(share) - share
        if np.abs(move).max(initial=0.0) < 1e-14:
            break
        slope = np.clip(np.divide(move - move_before, share - before), None, -0.1)
        step = np.where(np.isfinite(slope), -move / slope, move)
        before, move_before, share = share, move, np.clip(share + step, 0.0, 1.0)
    return weights(share)
