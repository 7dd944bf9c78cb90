"""The bootstrap as integer weights: how often each person was drawn, within arm and stratum.

A replicate is a row of counts, so that any statistic that takes weights (a mean, a Kaplan-Meier
curve, a regression) is bootstrapped by one matrix operation, without copying data. Every chunk of
rows has its own child of the seed: replicates do not depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.means import NO_SPREAD, TOO_FEW, amounts
from ipseval.stats.strata import stratum_codes, stratum_codes_of_arms

Counts = NDArray[np.intp]
Statistic = Callable[[Counts], NDArray[np.float64]]

# Part of the definition of the replicates: another size would give other draws from the same seed.
_CELLS_PER_CHUNK = 2**20


class BootstrapInterval(NamedTuple):
    """An estimate with a bootstrap interval; ``note`` says why a number is NaN.

    ``bias`` is the mean of the replicates minus the estimate, ``n_failed`` the replicates without a value.
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    bias: float
    replicates: int
    n_failed: int
    note: str = ""


def bootstrap_mean_difference(
    y1: ArrayLike,
    y0: ArrayLike,
    *,
    replicates: int = 2000,
    seed: int,
    strata: tuple[ArrayLike, ArrayLike] | None = None,
    method: str = "percentile",
    conf_level: float = 0.95,
) -> BootstrapInterval:
    """Return the difference of two means, arm 1 minus arm 0, with a bootstrap interval.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm; people are drawn within their arm. Missing amounts are refused.
    replicates : int
        At least 100; 2000 leaves a Monte Carlo error of about 3% of the half width in a 95% limit.
    seed : int
        The same seed gives the same replicates, on any number of workers.
    strata : pair of array_like, optional
        The stratum of each person in ``y1`` and in ``y0``; people are then drawn within arm and stratum.
    method : {"percentile", "bca"}
        "bca" corrects for bias and skewness, with a jackknife acceleration.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    BootstrapInterval
        In the unit of the amounts; NaN, with the reason in ``note``, with one person in an arm or no spread.
        ``replicates`` is the number drawn.

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or an argument is not an option.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 8.3, 13.3 and 14.3.

    Examples
    --------
    >>> from ipseval.stats.bootstrap import bootstrap_mean_difference
    >>> interval = bootstrap_mean_difference([0, 40, 80, 90], [0, 0, 30, 10], seed=1)
    >>> interval.estimate, interval.conf_low > 0
    (42.5, True)
    """
    checks.one_of(method, ("percentile", "bca"), "method")
    checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    cells = np.repeat([1, 0], [y1.size, y0.size])
    if strata is not None:
        cells = cells + 2 * stratum_codes_of_arms(strata, y1.size, y0.size)

    def difference(counts: Counts) -> NDArray[np.float64]:
        return _weighted_mean(counts[:, : y1.size], y1) - _weighted_mean(counts[:, y1.size :], y0)

    estimate = float(difference(np.ones((1, cells.size), np.intp))[0])
    if min(y1.size, y0.size) < 2 or (np.ptp(y1) == np.ptp(y0) == 0):
        note = TOO_FEW if min(y1.size, y0.size) < 2 else NO_SPREAD
        nan = math.nan
        return BootstrapInterval(estimate, nan, nan, nan, nan, 0, 0, note)
    draws = bootstrap_draws(difference, cells, replicates=replicates, seed=seed)
    if method == "percentile":
        return percentile_interval(draws, estimate, conf_level=conf_level)
    skewness = acceleration(jackknife_values(difference, cells.size), cells)
    return bca_interval(draws, estimate, skewness, conf_level=conf_level)


def bootstrap_draws(
    statistic: Statistic, strata: ArrayLike, *, replicates: int = 2000, seed: int
) -> NDArray[np.float64]:
    """Return the statistic of each replicate: shape (replicates,), or (replicates, k) for k numbers at once.

    Parameters
    ----------
    statistic : callable
        Takes counts of shape (b, n) and returns b rows; it must read the counts as case weights,
        and divide by their sum where it divides by n.
    strata : array_like, shape (n,)
        What each person is drawn within: arm, or arm by stratum. All the same means one sample.
    replicates, seed : int
        As for `count_weights`.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.bootstrap import bootstrap_draws
    >>> y = np.array([0.0, 1.0, 2.0])
    >>> bootstrap_draws(lambda counts: counts @ y / 3, [0, 0, 0], replicates=200, seed=1).shape
    (200,)
    """
    return np.concatenate([statistic(counts) for counts in count_weights(strata, replicates, seed)])


def count_weights(strata: ArrayLike, replicates: int, seed: int) -> Iterator[Counts]:
    """Yield chunks of integer weights, shape (b, n): how often each person is drawn in each replicate.

    Parameters
    ----------
    strata : array_like, shape (n,)
        What each person is drawn within; each stratum keeps its size in every replicate.
    replicates : int
        Rows in all chunks together, at least 100.
    seed : int
        Chunk c uses child c of ``numpy.random.SeedSequence(seed)``. More replicates from the same seed begin
        with the same rows.

    Examples
    --------
    >>> from ipseval.stats.bootstrap import count_weights
    >>> [chunk.shape for chunk in count_weights([0, 0, 1, 1, 1], 500, seed=1)]
    [(500, 5)]
    """
    codes = stratum_codes(strata)
    for child, rows in chunk_seeds(codes.size, replicates, seed):
        yield draw_counts(codes, rows, child)


def chunk_seeds(n: int, replicates: int, seed: int) -> list[tuple[SeedSequence, int]]:
    """Return the seed and the number of rows of every chunk, to be drawn in any order on any worker.

    Parameters
    ----------
    n : int
        People in a replicate; a chunk holds about a million counts.
    replicates, seed : int
        As for `count_weights`.
    """
    if replicates < 100:
        raise AnalysisError(
            f"replicates={replicates!r} is too few for an interval. Pass 2000, and at least 100."
        )
    rows = max(1, _CELLS_PER_CHUNK // n)
    children = SeedSequence(seed).spawn(math.ceil(replicates / rows))
    return [(child, min(rows, replicates - rows * index)) for index, child in enumerate(children)]


def draw_counts(codes: NDArray[np.intp], rows: int, seed: SeedSequence) -> Counts:
    """Return one chunk of integer weights, shape (rows, n), drawn within the strata coded 0, 1, ..."""
    n = codes.size
    members = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    size, first = np.repeat(sizes, sizes), np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = members[first + np.random.default_rng(seed).integers(0, size, size=(rows, n))]
    drawn += n * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)


def jackknife_values(statistic: Statistic, n: int) -> NDArray[np.float64]:
    """Return the statistic with each of n people left out in turn: weight 0 for one, 1 for the others."""
    rows = max(1, _CELLS_PER_CHUNK // n)
    starts = range(0, n, rows)
    return np.concatenate([statistic(1 - np.eye(min(rows, n - k), n, k, dtype=np.intp)) for k in starts])


def acceleration(left_out: ArrayLike, strata: ArrayLike) -> float:
    """Return the acceleration of BCa: the skewness of the jackknife influences, arms and strata apart.

    Parameters
    ----------
    left_out : array_like, shape (n,)
        From `jackknife_values`.
    strata : array_like, shape (n,)
        What people were drawn within. Someone alone in a stratum is in every replicate and has no influence.

    Returns
    -------
    float
        ``sum(u**3) / (6 sum(u**2)**1.5)``, where ``u = (m - 1) (mean of left_out - left_out) / m`` within
        each stratum of m people; 0 if no one has any influence.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, equation 14.15 (one sample).
    Davison & Hinkley (1997), Bootstrap Methods and their Application, section 5.3 (several samples).
    """
    values = checks.float_array(left_out, "left_out")
    codes = stratum_codes(strata)
    checks.same_length(left_out=values, strata=codes)
    m = np.bincount(codes)
    centre = np.bincount(codes, values) / m
    return acceleration_of(((m - 1) / m)[codes] * (centre[codes] - values))


def acceleration_of(influence: NDArray[np.float64]) -> float:
    """Return the acceleration of BCa from each person's influence on the statistic; 0 if no one has any.

    Of a difference between arms, an influence is that on the mean of the own arm over the people in it,
    negative in the reference arm. The influence function serves where leaving out each in turn is slow.
    """
    squares = float((influence**2).sum())
    return float((influence**3).sum()) / (6 * squares**1.5) if squares else 0.0


def percentile_interval(draws: ArrayLike, estimate: float, *, conf_level: float = 0.95) -> BootstrapInterval:
    """Return the interval between two quantiles of the replicates (linear between order statistics).

    Parameters
    ----------
    draws : array_like, shape (replicates,)
        NaN where the statistic failed; a single failure leaves the interval NaN, because which samples fail
        is not random, and ``note`` counts them.
    estimate : float
        The statistic of the data themselves.
    conf_level : float
        Between 0 and 1.
    """
    tail = (1 - checks.confidence(conf_level)) / 2
    return _quantile_interval(np.asarray(draws, np.float64), estimate, (tail, 1 - tail))


def bca_interval(
    draws: ArrayLike, estimate: float, acceleration: float, *, conf_level: float = 0.95
) -> BootstrapInterval:
    """Return the bias-corrected and accelerated (BCa) interval.

    Parameters
    ----------
    draws, estimate, conf_level
        As for `percentile_interval`.
    acceleration : float
        From `acceleration`.

    Notes
    -----
    Bias is measured by the share of replicates below the estimate, those equal to it counting one half, as
    ``scipy.stats.bootstrap`` does. If all lie on one side no correction exists, and the limits are NaN.

    References
    ----------
    Efron (1987), Journal of the American Statistical Association 82:171-185.
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, equations 14.10 and 14.14.
    """
    level = checks.confidence(conf_level)
    draws = np.asarray(draws, np.float64)
    below = (float((draws < estimate).mean()) + float((draws <= estimate).mean())) / 2
    if below in (0.0, 1.0):
        one_sided = (
            "all replicates lie on one side of the estimate: pass method='percentile' or look at them."
        )
        result = _quantile_interval(draws, estimate, (math.nan, math.nan))
        return result._replace(note=result.note or one_sided)
    bias = ndtri(below)
    shifted = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = ndtr(bias + shifted / (1 - acceleration * shifted))
    return _quantile_interval(draws, estimate, (float(low), float(high)))


def _weighted_mean(counts: Counts, y: NDArray[np.float64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = counts @ y / counts.sum(axis=1)
    return means


def _quantile_interval(
    draws: NDArray[np.float64], estimate: float, probabilities: tuple[float, float]
) -> BootstrapInterval:
    n_failed = int((~np.isfinite(draws)).sum())
    note = f"the statistic has no value in {n_failed} of {draws.size} replicates." if n_failed else ""
    # Replicates that differ by rounding alone hold no information about the spread.
    if not n_failed and np.ptp(draws) <= 1e-12 * np.abs(draws).max():
        note = "all replicates are alike: nobody differs from the others they were drawn with."
    if note:
        nan = math.nan
        return BootstrapInterval(estimate, nan, nan, nan, nan, draws.size, n_failed, note)
    low, high = (
        math.nan if math.isnan(probability) else float(np.quantile(draws, probability))
        for probability in probabilities
    )
    bias = float(draws.mean()) - estimate
    return BootstrapInterval(estimate, float(draws.std(ddof=1)), low, high, bias, draws.size, 0)
