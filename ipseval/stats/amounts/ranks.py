"""Rank methods for two arms: Mann-Whitney and the probability of superiority.

Amounts with many zeros and a long tail are compared by order instead of size. Arm 1 is the active
arm, arm 0 the reference: U counts the pairs that arm 1 wins, a tie being half a win.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.means import TOO_FEW, amounts, welch_satterthwaite

ALL_TIED = "Every amount is the same: their order holds no information."
_EXACT_LIMIT = 200


class MannWhitney(NamedTuple):
    """U of arm 1, its conditional variance and the test; ``note`` says why a number is NaN."""

    u: float
    variance: float
    z: float
    p_value: float
    n_1: int
    n_0: int
    note: str = ""


class ProbabilityOfSuperiority(NamedTuple):
    """P(X1 > X0) + P(X1 = X0) / 2; ``share_tied`` is P(X1 = X0); ``df`` is infinite for a normal interval."""

    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    conf_low: float
    conf_high: float
    share_tied: float
    n_1: int
    n_0: int
    note: str = ""


def mann_whitney(y1: ArrayLike, y0: ArrayLike, *, method: str = "continuity") -> MannWhitney:
    """Return the Mann-Whitney (Wilcoxon rank sum) test, two-sided, normal with continuity correction.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    method : {"continuity", "normal", "exact"}
        Normal with or without a continuity correction of 1/2 towards the expectation; or the exact
        permutation test on mid-ranks, at most 200 people, which stays exact with ties.

    Returns
    -------
    MannWhitney
        ``z`` is always without continuity correction.

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or ``method`` is unknown or too large a task.

    Notes
    -----
    The variance is ``n1 n0 / 12 (N + 1 - sum(t**3 - t) / (N (N - 1)))`` over groups of t ties. Agrees
    with R's ``wilcox.test(exact = FALSE)``. The exact p value is the share of all splits into n1 and n0 whose
    U is at least as far from n1 n0 / 2, as in R's coin; R's own exact test does not allow ties.

    References
    ----------
    Mann & Whitney (1947), Annals of Mathematical Statistics 18:50-60.
    Streitberg & Roehmel (1986), Statistical Software Newsletter 12:10-17 (exact, by shifts).

    Examples
    --------
    >>> from ipseval.stats.amounts.ranks import mann_whitney
    >>> mann_whitney([0, 3, 5], [0, 0, 2], method="exact").p_value
    0.4
    """
    checks.one_of(method, ("continuity", "normal", "exact"), "method")
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    n1, n0 = y1.size, y0.size
    ranks = mid_ranks(np.concatenate([y1, y0]))
    u = float(ranks[:n1].sum()) - n1 * (n1 + 1) / 2
    variance = rank_sum_variance(ranks, n1)
    if variance == 0:
        return MannWhitney(u, variance, math.nan, math.nan, n1, n0, ALL_TIED)
    deviation = u - n1 * n0 / 2
    z = deviation / math.sqrt(variance)
    if method == "exact":
        p_value = _exact_p_value(ranks, n1)
    else:
        towards_zero = 0.5 if method == "continuity" and deviation else 0.0
        p_value = 2 * float(ndtr(-(abs(deviation) - towards_zero) / math.sqrt(variance)))
    return MannWhitney(u, variance, z, p_value, n1, n0)


def probability_of_superiority(
    y1: ArrayLike, y0: ArrayLike, *, method: str = "logit", conf_level: float = 0.95
) -> ProbabilityOfSuperiority:
    """Return the probability that someone in arm 1 exceeds someone in arm 0, a tie counting one half.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    method : {"logit", "brunner_munzel", "newcombe"}
        "logit" (default) keeps the limits between 0 and 1: the Brunner-Munzel (DeLong) standard error
        moved to the logit scale, t on Brunner and Munzel's df. "brunner_munzel" does without the logit;
        its limits can pass 0 or 1 and are then left as they are. "newcombe" is Newcombe's method 5: it
        needs no spread of the placements, so it serves when one arm exceeds the other altogether.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    ProbabilityOfSuperiority
        No unit; 0.5 means neither arm tends to exceed the other. ``std_error`` is on the probability's own
        scale; ``statistic`` and ``p_value`` test 0.5 and agree with the interval. NaN, with the reason in
        ``note``, if an arm has one person or the placements do not vary (not for "newcombe").

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or ``method`` is unknown.

    Notes
    -----
    The placement of a person is the share of the other arm that they exceed, ties one half; the variance
    is ``s1**2 / n1 + s0**2 / n0`` of the placements, df as Welch's. "brunner_munzel" gives the test of
    ``scipy.stats.brunnermunzel``. Newcombe's variance assumes no ties and is wide when there are many.

    References
    ----------
    Brunner & Munzel (2000), Biometrical Journal 42:17-25.
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845.
    Newcombe (2006), Statistics in Medicine 25:559-573, method 5.

    Examples
    --------
    >>> from ipseval.stats.amounts.ranks import probability_of_superiority
    >>> probability_of_superiority([0, 3, 5, 6], [0, 0, 2, 4]).estimate
    0.75
    """
    checks.one_of(method, ("logit", "brunner_munzel", "newcombe"), "method")
    level = checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    n1, n0 = y1.size, y0.size
    below, upto = _beaten(y1, y0)
    share_tied = float((upto - below).sum()) / (n1 * n0)
    placements_1 = (below + upto) / (2 * n0)
    estimate = float(placements_1.mean())
    if method == "newcombe":
        test = _newcombe_5(estimate, n1, n0, level)
        return ProbabilityOfSuperiority(estimate, *test, share_tied, n1, n0)
    placements_0 = placements(y0, y1)
    if note := _why_no_spread(placements_1, placements_0):
        nan = math.nan
        return ProbabilityOfSuperiority(estimate, nan, nan, nan, nan, nan, nan, share_tied, n1, n0, note)
    std_error, df = welch_satterthwaite(
        placements_1.var(ddof=1) / n1, placements_0.var(ddof=1) / n0, n1 - 1, n0 - 1
    )
    quantile = float(stdtrit(df, (1 + level) / 2))
    if method == "logit":
        centre, scale = float(logit(estimate)), std_error / (estimate * (1 - estimate))
        low, high = (float(expit(centre + sign * quantile * scale)) for sign in (-1, 1))
    else:
        centre, scale = estimate - 0.5, std_error
        low, high = estimate - quantile * scale, estimate + quantile * scale
    statistic = centre / scale
    p_value = 2 * float(stdtr(df, -abs(statistic)))
    return ProbabilityOfSuperiority(
        estimate, std_error, statistic, df, p_value, low, high, share_tied, n1, n0
    )


def mid_ranks(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, ties sharing the mean of theirs."""
    _, group, ties = np.unique(y, return_inverse=True, return_counts=True)
    return (np.cumsum(ties) - (ties - 1) / 2)[group]


def rank_sum_variance(ranks: NDArray[np.float64], n1: int) -> float:
    """Return the permutation variance of a sum of n1 of the ranks; mid-ranks bring the tie correction."""
    n = ranks.size
    return n1 * (n - n1) / (n * (n - 1)) * float(((ranks - (n + 1) / 2) ** 2).sum())


def placements(y: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, per person, the share of the other arm that they exceed, ties one half."""
    return np.add(*_beaten(y, other)) / (2 * other.size)


def _beaten(y: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return, per person, how many of the other arm lie below them, and how many below or level."""
    ordered = np.sort(other)
    return np.searchsorted(ordered, y, "left"), np.searchsorted(ordered, y, "right")


def _exact_p_value(ranks: NDArray[np.float64], n1: int) -> float:
    n = ranks.size
    if n > _EXACT_LIMIT:
        raise AnalysisError(
            f"method='exact' counts every split of {n} people; at most {_EXACT_LIMIT} are feasible. "
            f"Pass method='continuity'."
        )
    doubled = np.rint(2 * ranks).astype(np.int64)  # mid-ranks are halves: twice a rank is whole
    observed = abs(int(doubled[:n1].sum()) - n1 * (n + 1))
    size = min(n1, n - n1)  # both arms' sums lie equally far from their expectations
    largest = int(np.sort(doubled)[n - size :].sum())
    splits = np.zeros((size + 1, largest + 1))  # splits[k, s]: ways to choose k people whose ranks sum to s
    splits[0, 0] = 1.0
    for rank in doubled:
        splits[1:, rank:] += splits[:-1, : largest + 1 - rank]
    sums = np.arange(largest + 1)
    extreme = np.abs(sums - size * (n + 1)) >= observed
    return float(splits[size, extreme].sum() / splits[size].sum())


def _why_no_spread(placements_1: NDArray[np.float64], placements_0: NDArray[np.float64]) -> str:
    if min(placements_1.size, placements_0.size) < 2:
        return TOO_FEW
    if np.ptp(placements_1) > 0 or np.ptp(placements_0) > 0:
        return ""
    if placements_1[0] in (0, 1):
        return "One arm exceeds the other altogether: method='newcombe' still gives an interval."
    return ALL_TIED


def _newcombe_5(
    estimate: float, n1: int, n0: int, level: float
) -> tuple[float, float, float, float, float, float]:
    """Return SE, z at 0.5, infinite df, p value and the limits where (theta - estimate)^2 = z^2 V(theta)."""
    average = (n1 + n0) / 2 - 1

    def variance(theta: float) -> float:
        spread = 1 + average * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return theta * (1 - theta) * spread / (n1 * n0)

    def limit(bound: float) -> float:
        # Bisection between the estimate (inside) and a bound of 0 or 1 (outside) halves to machine precision.
        inside, outside = estimate, bound
        for _ in range(60):
            middle = (inside + outside) / 2
            if (middle - estimate) ** 2 <= squared_quantile * variance(middle):
                inside = middle
            else:
                outside = middle
        return (inside + outside) / 2

    squared_quantile = float(ndtri((1 + level) / 2)) ** 2
    z = (estimate - 0.5) / math.sqrt(variance(0.5))
    return (
        math.sqrt(variance(estimate)),
        z,
        math.inf,
        2 * float(ndtr(-abs(z))),
        limit(0.0),
        limit(1.0),
    )
