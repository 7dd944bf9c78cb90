"""Rank methods for two arms within strata: van Elteren's test and the probability of superiority.

Everyone is compared with the people of the other arm in their own stratum (site) alone. Arm 1 is the active
arm, arm 0 the reference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri

from ipseval import checks
from ipseval.stats.amounts.ranks import ALL_TIED, mid_ranks, placements, rank_sum_variance
from ipseval.stats.means import amounts
from ipseval.stats.strata import stratum_codes_of_arms


class StratifiedRankTest(NamedTuple):
    """A sum of weighted rank sums over strata; ``n_used`` people are in strata that hold both arms."""

    statistic: float
    expectation: float
    variance: float
    z: float
    p_value: float
    n_used: int
    n_strata: int
    note: str = ""


class StratifiedSuperiority(NamedTuple):
    """P(X1 > X0) + P(X1 = X0) / 2 within strata; ``n_used`` people are in strata that hold both arms."""

    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    n_used: int
    n_strata: int
    note: str = ""


def van_elteren(
    y1: ArrayLike, y0: ArrayLike, *, strata: tuple[ArrayLike, ArrayLike], weights: str = "van_elteren"
) -> StratifiedRankTest:
    """Return van Elteren's stratified Wilcoxon test: ranks within strata, weights 1 / (n_h + 1).

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    strata : pair of array_like
        The stratum (site, say) of each person in ``y1`` and in ``y0``.
    weights : {"van_elteren", "unweighted"}
        ``1 / (n_h + 1)`` is locally most powerful if the arms differ alike in all strata; "unweighted"
        adds up the rank sums, so that large strata count for more.

    Returns
    -------
    StratifiedRankTest
        A stratum with one arm only has nothing to compare: it adds nothing, and ``note`` counts it.

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or strata and amounts differ in length.

    Notes
    -----
    Mid-ranks within strata and the conditional (tie-corrected) variance, normal approximation, no continuity
    correction; agrees with R's coin.

    References
    ----------
    van Elteren (1960), Bulletin of the International Statistical Institute 37:351-361.

    Examples
    --------
    >>> from ipseval.stats.amounts.stratified_ranks import van_elteren
    >>> test = van_elteren([2, 4, 9], [1, 3, 5], strata=(["A", "A", "B"], ["A", "A", "B"]))
    >>> round(test.statistic, 4), round(test.expectation, 4)
    (1.8667, 1.5)
    """
    checks.one_of(weights, ("van_elteren", "unweighted"), "weights")
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    codes = stratum_codes_of_arms(strata, y1.size, y0.size)
    y = np.concatenate([y1, y0])
    is_active = np.arange(y.size) < y1.size
    statistic = expectation = variance = 0.0
    n_used = n_idle = 0
    for stratum in range(n_strata := int(codes.max()) + 1):
        inside = codes == stratum
        n, n1 = int(inside.sum()), int((inside & is_active).sum())
        if n1 in (0, n):
            n_idle += 1
            continue
        ranks = mid_ranks(y[inside])
        weight = 1 / (n + 1) if weights == "van_elteren" else 1.0
        statistic += weight * float(ranks[is_active[inside]].sum())
        expectation += weight * n1 * (n + 1) / 2
        variance += weight**2 * rank_sum_variance(ranks, n1)
        n_used += n
    note = _idle(n_idle, n_strata, y.size - n_used)
    if variance == 0:
        note = f"No stratum holds two arms whose amounts differ. {note}".rstrip()
    z = (statistic - expectation) / math.sqrt(variance) if variance else math.nan
    p_value = 2 * float(ndtr(-abs(z)))
    return StratifiedRankTest(statistic, expectation, variance, z, p_value, n_used, n_strata, note)


def stratified_probability_of_superiority(
    y1: ArrayLike, y0: ArrayLike, *, strata: tuple[ArrayLike, ArrayLike], conf_level: float = 0.95
) -> StratifiedSuperiority:
    """Return the probability that someone in arm 1 exceeds someone in arm 0 of the same stratum.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    strata : pair of array_like
        The stratum (site, say) of each person in ``y1`` and in ``y0``.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    StratifiedSuperiority
        A tie counts one half. Limits are symmetric on the logit scale, normal; ``statistic`` and ``p_value``
        test 0.5 on that scale. ``std_error`` is on the probability's own scale. A stratum with one arm only
        has nothing to compare: it adds nothing, and ``note`` counts it. NaN, with the reason, if the spread
        of a stratum cannot be estimated because an arm has one person in it.

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or strata and amounts differ in length.

    Notes
    -----
    ``sum(w_h p_h) / sum(w_h)`` with ``w_h = n1_h n0_h / (n_h + 1)``, which makes it 1/2 exactly where van
    Elteren's statistic equals its expectation. The variance is ``sum(w_h**2 v_h) / sum(w_h)**2``, v_h being
    that of the placements within the stratum (DeLong), as in `probability_of_superiority`.

    References
    ----------
    Kawaguchi, Koch & Wang (2011), Statistics in Biopharmaceutical Research 3:217-231.
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845.

    Examples
    --------
    >>> from ipseval.stats.amounts.stratified_ranks import stratified_probability_of_superiority
    >>> sites = (["A", "A", "B", "B"], ["A", "A", "B", "B"])
    >>> stratified_probability_of_superiority([0, 5, 2, 9], [0, 1, 2, 2], strata=sites).estimate
    0.6875
    """
    level = checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    codes = stratum_codes_of_arms(strata, y1.size, y0.size)
    of_1, of_0 = codes[: y1.size], codes[y1.size :]
    n_strata = int(codes.max()) + 1
    shared = [stratum for stratum in range(n_strata) if (of_1 == stratum).any() and (of_0 == stratum).any()]
    weight, estimate, variance, n_used = np.zeros((4, len(shared)))
    for h, stratum in enumerate(shared):
        in_1, in_0 = y1[of_1 == stratum], y0[of_0 == stratum]
        n_used[h] = in_1.size + in_0.size
        weight[h] = in_1.size * in_0.size / (n_used[h] + 1)
        of_arms = placements(in_1, in_0), placements(in_0, in_1)
        estimate[h] = of_arms[0].mean()
        variance[h] = sum(p.var(ddof=1) / p.size if p.size > 1 else math.nan for p in of_arms)
    note = _idle(n_strata - len(shared), n_strata, codes.size - int(n_used.sum()))
    if not shared:
        nan = math.nan
        return StratifiedSuperiority(nan, nan, nan, nan, nan, nan, 0, n_strata, note)
    share = weight / weight.sum()
    found = float(share @ estimate)
    std_error = math.sqrt(float(share**2 @ variance))
    if why := _why_undefined(found, variance):
        std_error, note = math.nan, f"{why} {note}".rstrip()
    inside = 0 < found < 1
    centre, scale = (
        (float(logit(found)), std_error / (found * (1 - found))) if inside else (math.nan, math.nan)
    )
    half = float(ndtri((1 + level) / 2)) * scale
    return StratifiedSuperiority(
        found,
        std_error,
        centre / scale,
        2 * float(ndtr(-abs(centre / scale))),
        float(expit(centre - half)),
        float(expit(centre + half)),
        int(n_used.sum()),
        n_strata,
        note,
    )


def _idle(idle: int, n_strata: int, people: int) -> str:
    """Return the remark on strata that hold one arm only, or nothing."""
    if not idle:
        return ""
    return f"{idle} of {n_strata} strata hold one arm only: {people} people are not compared."


def _why_undefined(found: float, variance: NDArray[np.float64]) -> str:
    if alone := int(np.isnan(variance).sum()):
        return (
            f"{alone} of {variance.size} strata hold one person of an arm: the spread cannot be estimated. "
            f"Merge strata."
        )
    if variance.any():
        return ""
    return ALL_TIED if found == 0.5 else "In no stratum do the placements vary: their spread is not known."
