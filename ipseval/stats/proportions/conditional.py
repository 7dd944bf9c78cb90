"""Exact inference on an odds ratio, given every margin: Fisher's test and the limits that go with it.

Given the margins, the number of events in the active arm (summed over strata, if there are any) has
P(k) proportional to w(k) * odds_ratio**k. Everything below works on log w(k) and on log odds
ratios, so that a limit of 1e6 is as exact as a limit of 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ipseval.stats.roots import decreasing_root_by_slope
from ipseval.stats.tables import FloatArray, Interval, Tables

_BLOCK = 2**16  # cells of (tables x support) handled at once: fits in a processor's cache
_SAME = 1e-7  # probabilities this close, relatively, count as tied, as in R's fisher.test


class Conditional(NamedTuple):
    """Conditional distributions at odds ratio 1, one per row, relative to the observed count.

    ``step`` is k minus the observed count and ``log_weight`` log w(k) minus its value there (-inf in
    the padding on the right). ``at_start`` and ``at_end`` tell where the observed count is the
    smallest or largest possible; ``first_rise`` and ``last_rise`` are the outermost differences of
    log w(k). ``near`` is a log odds ratio near the estimate, from which its search starts.
    """

    log_weight: FloatArray
    step: FloatArray
    at_start: NDArray[np.bool_]
    at_end: NDArray[np.bool_]
    first_rise: FloatArray
    last_rise: FloatArray
    near: FloatArray


def distribution(t: Tables) -> Conditional:
    """Conditional distributions of single tables given as one-dimensional arrays."""
    lowest, last, rise = _rises(t)
    rows, size = np.arange(len(last)), rise.shape[1]
    log_weight = np.zeros((len(last), size + 1))
    np.cumsum(np.where(np.arange(size) < last[:, None], rise, -np.inf), axis=1, out=log_weight[:, 1:])
    near = np.log((t.x1 + 0.5) * (t.n0 - t.x0 + 0.5) / ((t.n1 - t.x1 + 0.5) * (t.x0 + 0.5)))
    return _relative(
        log_weight, t.x1 - lowest, last, rise[rows, 0], rise[rows, np.maximum(last - 1, 0)], near
    )


def sum_over_strata(t: Tables) -> Conditional:
    """Conditional distributions of the events in the active arm, summed over strata (the last axis).

    The strata are convolved at the Mantel-Haenszel odds ratio of their table: the weights that matter
    are then far from underflow, however strong the effect.
    """
    tilt = _log_mantel_haenszel(t)
    rows = len(tilt)
    weight = np.ones((rows, 1))
    observed, last = np.zeros(rows), np.zeros(rows, dtype=int)
    first_rise, last_rise = np.full(rows, -np.inf), np.full(rows, np.inf)
    for stratum in zip(*(part.T for part in t), strict=True):
        lowest, more, rise = _rises(Tables(*stratum))
        weight = _convolved(weight, _tilted(rise, more, tilt))
        observed, last = observed + stratum[0] - lowest, last + more
        counts = more > 0
        final = rise[np.arange(rows), np.maximum(more - 1, 0)]
        first_rise = np.logaddexp(first_rise, np.where(counts, rise[:, 0], -np.inf))
        last_rise = -np.logaddexp(-last_rise, np.where(counts, -final, -np.inf))
    with np.errstate(divide="ignore"):
        log_weight = np.log(weight) - tilt[:, None] * np.arange(weight.shape[1])
    return _relative(log_weight, observed, last, first_rise, last_rise, tilt)


def maximum_likelihood(c: Conditional) -> FloatArray:
    """Conditional maximum likelihood odds ratio: 0 or infinite at an end of the support.

    The mean equals the observed count where its moments about that count balance.
    """
    below, above = _sides(c)
    is_end = c.at_start | c.at_end

    def balance(log_odds_ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
        weight = _weights(c, log_odds_ratio)
        low, high = _sum(weight, -below), _sum(weight, above)
        slope = -_sum(weight, below**2) / low - _sum(weight, above**2) / high
        return np.log(low) - np.log(high), slope

    low, high = (np.where(is_end, 0.0, end) for end in _bracket(c, 0.5))
    inside = np.exp(decreasing_root_by_slope(balance, c.near, low, high))
    estimate = np.where(c.at_start, 0.0, np.where(c.at_end, np.inf, inside))
    return np.where(c.at_start & c.at_end, np.nan, estimate)


def limits(c: Conditional, conf_level: float, *, mid_p: bool, estimate: FloatArray) -> Interval:
    """Limits at which each tail, with all or half of the observed probability, is half of alpha."""
    tail = (1 - conf_level) / 2
    share = 0.5 if mid_p else 1.0
    below, above = _sides(c)
    is_below, is_above = (c.step < 0).astype(np.float64), (c.step > 0).astype(np.float64)
    bracket, target = _bracket(c, min(tail, conf_level / 2)), special.logit(tail)

    def tails(log_odds_ratio: FloatArray, of_low: float, of_high: float) -> tuple[FloatArray, FloatArray]:
        """Log odds of the lower tail, each side with a share of the observed count, and its slope."""
        weight = _weights(c, log_odds_ratio)
        low, high = _sum(weight, is_below) + of_low, _sum(weight, is_above) + of_high
        return np.log(low) - np.log(high), _sum(weight, below) / low - _sum(weight, above) / high

    def upper_tail(log_odds_ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_odds, slope = tails(log_odds_ratio, 1 - share, share)
        return log_odds + target, slope

    def lower_tail(log_odds_ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_odds, slope = tails(log_odds_ratio, share, 1 - share)
        return log_odds - target, slope

    found = []
    reach = -float(special.ndtri(tail)) * _std_error(c, estimate)
    for function, at_end, side in ((upper_tail, c.at_start, -1), (lower_tail, c.at_end, 1)):
        low, high = (np.where(at_end, 0.0, end) for end in bracket)
        near = np.log(estimate, out=np.full_like(estimate, np.nan), where=estimate > 0) + side * reach
        found.append(np.exp(decreasing_root_by_slope(function, near, low, high)))
    return Interval(np.where(c.at_start, 0.0, found[0]), np.where(c.at_end, np.inf, found[1]))


def _std_error(c: Conditional, estimate: FloatArray) -> FloatArray:
    """Standard error of the log estimate, NaN where that is infinite."""
    inside = (estimate > 0) & np.isfinite(estimate)
    weight = _weights(c, np.log(np.where(inside, estimate, 1.0)))
    with np.errstate(all="ignore"):
        std_error = np.sqrt(weight.sum(axis=1) / _sum(weight, c.step**2))
    return np.where(inside, std_error, np.nan)


def estimate_and_limits(c: Conditional, conf_level: float, *, mid_p: bool) -> tuple[FloatArray, ...]:
    """Conditional maximum likelihood odds ratio, lower and upper limit."""
    estimate = maximum_likelihood(c)
    return estimate, *limits(c, conf_level, mid_p=mid_p, estimate=estimate)


def p_value(c: Conditional, alternative: str, *, mid_p: bool) -> FloatArray:
    """Exact p-value at odds ratio 1; two-sided by summing all counts no likelier than the observed."""
    with np.errstate(over="ignore"):  # an infinite total is a p-value below the smallest number
        weight = np.exp(c.log_weight)
        total = weight.sum(axis=1)
    if alternative == "two_sided":
        tied = np.abs(weight - 1) <= _SAME
        counted = (weight < 1) & ~tied
    else:
        tied = c.step == 0
        counted = c.step > 0 if alternative == "greater" else c.step < 0
    part = np.where(counted, weight, 0.0) + (0.5 if mid_p else 1.0) * np.where(tied, weight, 0.0)
    result: FloatArray = np.minimum(part.sum(axis=1) / total, 1.0)
    return result


def in_blocks(
    function: Callable[[Conditional], tuple[FloatArray, ...]], t: Tables, *, over_strata: bool = False
) -> list[FloatArray]:
    """Apply ``function`` to tables of any shape, in blocks of similar support that fit in cache.

    The last axis of the counts runs over strata if they are to be summed ``over_strata``.
    """
    *outer, strata = np.shape(t.x1) if over_strata else (*np.shape(t.x1), 1)
    flat = Tables(*(np.reshape(part, (math.prod(outer), strata)) for part in t))
    events, non_events = flat.x1 + flat.x0, flat.n1 + flat.n0 - flat.x1 - flat.x0
    support = 1 + np.minimum.reduce([flat.n1, flat.n0, events, non_events]).sum(axis=1).astype(int)
    order = np.argsort(support, kind="stable")
    columns: list[list[FloatArray]] = []
    for rows in _blocks(support[order]):
        block = Tables(*(part[order[rows]] for part in flat))
        made = (
            sum_over_strata(block) if over_strata else distribution(Tables(*(part[:, 0] for part in block)))
        )
        columns.append(list(function(made)))
    back = np.argsort(order, kind="stable")
    return [np.concatenate(pieces)[back].reshape(outer) for pieces in zip(*columns, strict=True)]


def _blocks(size: NDArray[np.int_]) -> list[slice]:
    """Cut rows that are ordered by size so that (rows x largest size) stays within a block."""
    blocks: list[slice] = []
    start = 0
    while start < len(size) or not blocks:
        cells = np.arange(1, len(size) - start + 1) * size[start:]
        stop = start + max(int((cells <= _BLOCK).sum()), 1)
        blocks.append(slice(start, stop))
        start = stop
    return blocks


def _rises(t: Tables) -> tuple[FloatArray, NDArray[np.int_], FloatArray]:
    """Smallest count, number of further counts, and log w(k + 1) - log w(k), padded on the right.

    Ratios of neighbours keep the precision that logarithms of large factorials lose.
    """
    events = t.x1 + t.x0
    lowest = np.maximum(0.0, events - t.n0)
    last = (np.minimum(t.n1, events) - lowest).astype(int)
    k = lowest[:, None] + np.arange(max(last.max(initial=0), 1))
    n1, events, spare = t.n1[:, None], events[:, None], (t.n0 - events)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rise: FloatArray = np.log((n1 - k) * (events - k) / ((k + 1) * (spare + k + 1)))
    return lowest, last, rise


def _log_mantel_haenszel(t: Tables) -> FloatArray:
    """Log of each table's Mantel-Haenszel odds ratio, 0 where it is 0, infinite or undefined."""
    total = np.maximum(t.n1 + t.n0, 1)
    concordant = (t.x1 * (t.n0 - t.x0) / total).sum(axis=-1)
    discordant = (t.x0 * (t.n1 - t.x1) / total).sum(axis=-1)
    between = (concordant > 0) & (discordant > 0)
    return np.log(np.where(between, concordant, 1.0)) - np.log(np.where(between, discordant, 1.0))


def _tilted(rise: FloatArray, last: NDArray[np.int_], tilt: FloatArray) -> FloatArray:
    """Weights of one stratum at the odds ratio ``exp(tilt)``, the largest of each row 1."""
    inside = np.arange(rise.shape[1]) < last[:, None]
    log_weight = np.zeros((len(rise), rise.shape[1] + 1))
    np.cumsum(np.where(inside, rise + tilt[:, None], -np.inf), axis=1, out=log_weight[:, 1:])
    return np.asarray(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)))


def _convolved(long: FloatArray, short: FloatArray) -> FloatArray:
    """Product of the polynomials in each row, scaled to a largest coefficient of 1."""
    if long.shape[1] < short.shape[1]:
        long, short = short, long
    size = long.shape[1]
    product = np.zeros((len(long), size + short.shape[1] - 1))
    for power in range(short.shape[1]):
        product[:, power : power + size] += long * short[:, power : power + 1]
    scaled: FloatArray = product / product.max(axis=1, keepdims=True)
    return scaled


def _relative(
    log_weight: FloatArray,
    observed: FloatArray,
    last: NDArray[np.int_],
    first_rise: FloatArray,
    last_rise: FloatArray,
    near: FloatArray,
) -> Conditional:
    here = log_weight[np.arange(len(observed)), observed.astype(int)]
    step = np.arange(log_weight.shape[1]) - observed[:, None]
    return Conditional(
        log_weight - here[:, None], step, observed == 0, observed == last, first_rise, last_rise, near
    )


def _sides(c: Conditional) -> tuple[FloatArray, FloatArray]:
    """Steps below and above the observed count, 0 on the other side."""
    return np.minimum(c.step, 0.0), np.maximum(c.step, 0.0)


def _weights(c: Conditional, log_odds_ratio: FloatArray) -> FloatArray:
    """Weights of every count, where that of the observed one is 1.

    Far from a root one of them may overflow; it is then the largest number, whose sign is all that is needed.
    """
    weight = log_odds_ratio[:, None] * c.step
    weight += c.log_weight
    with np.errstate(over="ignore"):
        np.exp(weight, out=weight)
    return np.minimum(weight, np.finfo(np.float64).max, out=weight)


def _sum(weight: FloatArray, times: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("ij,ij->i", weight, times))


def _bracket(c: Conditional, tail: float) -> tuple[FloatArray, FloatArray]:
    """Log odds ratios at which all but ``tail`` of the probability sits at one end of the support.

    Rises of a log-concave distribution fall from first to last; where each of them is below
    log(tail / 2), a geometric series bounds everything beyond the end point by ``tail``.
    """
    margin = np.log(tail / 2)
    return margin - c.first_rise, -margin - c.last_rise
