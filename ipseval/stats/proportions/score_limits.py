"""Score statistics of two proportions under a stated effect, and the limits that invert them.

Each statistic is (observed minus stated effect) over its standard error at the maximum likelihood
rates that obey the stated effect, and falls steadily as the stated effect rises. ``scale`` is
N / (N - 1) for Miettinen and Nurminen's version and 1 without it.

References
----------
Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.
Farrington & Manning (1990), Statistics in Medicine 9:1447-1454 (the trigonometric root).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ipseval.stats.roots import decreasing_root
from ipseval.stats.tables import FloatArray, Interval, Tables

_LOG_BOUND = 100.0  # no finite ratio limit of countable people lies beyond exp(+-100)


def rates_given_difference(difference: FloatArray, t: Tables) -> tuple[FloatArray, FloatArray]:
    """Maximum likelihood rates of both arms, given active minus reference."""
    x1, n1, x0, n0 = t
    total, events, d = n1 + n0, x1 + x0, difference
    l2 = ((n1 + 2 * n0) * d - total - events) / (3 * total)
    l1 = ((n0 * d - total - 2 * x0) * d + events) / (3 * total)
    l0 = x0 * d * (1 - d) / (2 * total)
    q = l2**3 - 1.5 * l1 * l2 + l0
    p = np.copysign(np.sqrt(np.maximum(l2**2 - l1, 0.0)), q)
    cosine = np.clip(np.divide(q, p**3, out=np.zeros_like(p), where=p**3 != 0), -1.0, 1.0)
    rate0 = np.clip(2 * p * np.cos((np.pi + np.arccos(cosine)) / 3) - l2, 0.0, 1.0)
    return np.clip(rate0 + d, 0.0, 1.0), rate0


def difference_variance(difference: FloatArray, t: Tables) -> FloatArray:
    """Variance of the observed difference at the rates given the stated one."""
    rate1, rate0 = rates_given_difference(difference, t)
    return rate1 * (1 - rate1) / t.n1 + rate0 * (1 - rate0) / t.n0


def standardised(excess: FloatArray, variance: FloatArray) -> FloatArray:
    """Divide by the standard error; without any variance, an excess is infinitely surprising."""
    sure = np.where(np.abs(excess) < 1e-12, 0.0, np.copysign(np.inf, excess))
    return np.where(variance > 0, excess / np.sqrt(variance), sure)


def difference_statistic(difference: FloatArray, t: Tables, scale: FloatArray | float) -> FloatArray:
    """Score statistic of the difference in proportions, active minus reference."""
    excess = t.x1 / t.n1 - t.x0 / t.n0 - difference
    return standardised(excess, difference_variance(difference, t) * scale)


def difference_limits(t: Tables, z: float, scale: FloatArray | float) -> Interval:
    """Limits of the difference in proportions, within [-1, 1]."""
    observed = t.x1 / t.n1 - t.x0 / t.n0
    low = decreasing_root(lambda d: difference_statistic(d, t, scale) - z, -1.0, observed)
    high = decreasing_root(lambda d: difference_statistic(d, t, scale) + z, observed, 1.0)
    return Interval(np.where(observed == -1, -1.0, low), np.where(observed == 1, 1.0, high))


def risk_ratio_statistic(ratio: FloatArray, t: Tables, scale: FloatArray | float) -> FloatArray:
    """Score statistic of the risk ratio, active over reference."""
    x1, n1, x0, n0 = t
    b = (n1 + x0) * ratio + x1 + n0
    rate0 = 2 * (x1 + x0) / (b + np.sqrt(np.maximum(b**2 - 4 * (n1 + n0) * ratio * (x1 + x0), 0.0)))
    rate1 = np.minimum(ratio * rate0, 1.0)
    variance = rate1 * (1 - rate1) / n1 + ratio**2 * rate0 * np.maximum(1 - rate0, 0.0) / n0
    return standardised(x1 / n1 - ratio * x0 / n0, variance * scale)


def risk_ratio_limits(t: Tables, z: float, scale: FloatArray | float) -> Interval:
    """Limits of the risk ratio: 0 without events in the active arm, infinite without any in the other."""

    def statistic(log_ratio: FloatArray) -> FloatArray:
        return risk_ratio_statistic(np.exp(log_ratio), t, scale)

    return _ratio_limits(statistic, z, t.x1 == 0, t.x0 == 0)


def odds_ratio_limits(t: Tables, z: float, scale: FloatArray | float) -> Interval:
    """Limits of the odds ratio, which without correction are Cornfield's."""
    x1, n1, x0, n0 = t

    def statistic(log_ratio: FloatArray) -> FloatArray:
        a, b, c, d = fitted_cells(np.exp(log_ratio), t)
        # Every cell deviates by as much. The smallest one says by how much without cancellation.
        smallest = np.argmin([a, b, c, d], axis=0)
        excess: FloatArray = np.choose(smallest, [x1 - a, b - (n1 - x1), c - x0, n0 - x0 - d])
        return excess * np.sqrt((1 / a + 1 / b + 1 / c + 1 / d) / scale)

    return _ratio_limits(statistic, z, (x1 == 0) | (x0 == n0), (x0 == 0) | (x1 == n1))


def fitted_cells(odds_ratio: FloatArray, t: Tables) -> tuple[FloatArray, ...]:
    """Cells with the observed margins and a stated odds ratio: x1, n1 - x1, x0, n0 - x0.

    All four solve the same quadratic with the margins relabelled. Its discriminant is written as a
    sum of positive terms, and no cell is had by subtraction, so that a cell of 1e-12 of a person,
    which an extreme odds ratio asks for, is as exact as the others.
    """
    n1, n0, psi = t.n1, t.n0, odds_ratio
    m = t.x1 + t.x0  # events
    r = n1 + n0 - m  # non-events
    root = np.sqrt((psi * (n1 - m)) ** 2 + 2 * psi * (n1 * n0 + m * r) + (n0 - m) ** 2)

    def cell(product: FloatArray, b: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(b > 0, 2 * product / (b + root), (b - root) / (2 * a))

    return (
        cell(psi * n1 * m, psi * (n1 + m) + n0 - m, psi - 1),
        cell(n1 * r, n1 + r + psi * (m - n1), 1 - psi),
        cell(n0 * m, n0 + m + psi * (n1 - m), 1 - psi),
        cell(psi * n0 * r, psi * (n0 + r) + m - n0, psi - 1),
    )


def _ratio_limits(
    statistic: Callable[[FloatArray], FloatArray],
    z: float,
    unbounded_below: FloatArray,
    unbounded_above: FloatArray,
) -> Interval:
    """Invert a statistic of the log ratio, where a finite limit exists."""
    bound = np.full(np.shape(unbounded_below), _LOG_BOUND)
    low = np.exp(decreasing_root(lambda r: statistic(r) - z, -bound, bound))
    high = np.exp(decreasing_root(lambda r: statistic(r) + z, -bound, bound))
    return Interval(np.where(unbounded_below, 0.0, low), np.where(unbounded_above, np.inf, high))
