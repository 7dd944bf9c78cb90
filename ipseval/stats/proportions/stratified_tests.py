"""Tests on stratified two-arm tables: is there an effect, and is it the same in every stratum.

The last axis of every count runs over the strata of one table, leading axes over tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ipseval import checks
from ipseval.stats.proportions import conditional, score_limits
from ipseval.stats.proportions.stratified_proportions import (
    informative_strata,
    inverse_variance_parts,
    stratified_odds_ratio,
    stratified_tables,
)
from ipseval.stats.tables import ALTERNATIVES, ChiSquare, FloatArray, chi_square_p_value, known_only


def cochran_mantel_haenszel_test(
    x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *, corrected: bool = False
) -> ChiSquare:
    """Cochran-Mantel-Haenszel test of no association within strata, on one degree of freedom.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    corrected : bool
        Subtract 1/2 from the summed deviation, or the deviation itself where it is smaller (R
        then subtracts nothing).

    Returns
    -------
    ChiSquare
        One per table; NaN where no stratum is informative.

    References
    ----------
    Mantel & Haenszel (1959), Journal of the National Cancer Institute 22:719-748.

    Examples
    --------
    >>> test = cochran_mantel_haenszel_test([18, 11], [30, 19], [6, 8], [30, 19])
    >>> print(f"{test.statistic:.2f}, p = {test.p_value:.4f}")
    9.22, p = 0.0024
    """
    t = stratified_tables(x1, n1, x0, n0)
    total, events = np.maximum(t.n1 + t.n0, 1), t.x1 + t.x0
    deviation = np.abs((t.x1 - t.n1 * events / total).sum(axis=-1))
    variance = t.n1 * t.n0 * events * (total - events) / (total**2 * np.maximum(total - 1, 1))
    if corrected:
        deviation = np.maximum(deviation - 0.5, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = deviation**2 / variance.sum(axis=-1)
    return _chi_square(statistic, np.where(variance.sum(axis=-1) > 0, 1.0, 0.0))


def exact_conditional_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    alternative: str = "two_sided",
    mid_p: bool = False,
) -> FloatArray:
    """Exact p-value of no association within strata, given the margins of every stratum.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    alternative : str
        ``"two_sided"`` (all totals no likelier than the observed one), ``"greater"`` or ``"less"``.
    mid_p : bool
        Count only half the probability of the observed total and of those exactly as likely.

    Returns
    -------
    array
        One p-value per table; NaN where no stratum has people in both arms.

    Examples
    --------
    >>> print(f"{exact_conditional_test([18, 11], [30, 19], [6, 8], [30, 19]):.4f}")
    0.0041
    """
    checks.one_of(alternative, ALTERNATIVES, "alternative")
    t = stratified_tables(x1, n1, x0, n0)
    (p_value,) = conditional.in_blocks(
        lambda c: (conditional.p_value(c, alternative, mid_p=mid_p),), t, over_strata=True
    )
    return known_only(t.known.any(axis=-1), p_value)


def homogeneity_of_odds_ratios(
    x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *, method: str = "tarone"
) -> ChiSquare:
    """Breslow-Day test that strata share one odds ratio, with Tarone's correction by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        ``"tarone"`` (default: chi-square whatever consistent estimate it is taken at) or
        ``"breslow_day"``.

    Returns
    -------
    ChiSquare
        ``df`` is one less than the number of informative strata (both arms, events and
        non-events). NaN with fewer than two of them, or where the Mantel-Haenszel odds ratio is 0
        or infinite.

    References
    ----------
    Breslow & Day (1980), Statistical Methods in Cancer Research I, section 4.4.
    Tarone (1985), Biometrika 72:91-95.

    Examples
    --------
    >>> test = homogeneity_of_odds_ratios([18, 11], [30, 19], [6, 8], [30, 19])
    >>> print(f"{test.statistic:.2f}, df = {test.df:.0f}")
    1.72, df = 1
    """
    checks.one_of(method, ("tarone", "breslow_day"), "method")
    t = stratified_tables(x1, n1, x0, n0)
    used = informative_strata(x1, n1, x0, n0, effect="odds_ratio")
    common = np.asarray(stratified_odds_ratio(x1, n1, x0, n0).estimate)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a, b, c, d = score_limits.fitted_cells(common[..., None], t)
        variance = np.where(used, 1 / (1 / a + 1 / b + 1 / c + 1 / d), 0.0)
        deviation = np.where(used, t.x1 - a, 0.0)
        statistic = np.where(used, deviation**2 / variance, 0.0).sum(axis=-1)
        if method == "tarone":
            statistic = statistic - deviation.sum(axis=-1) ** 2 / variance.sum(axis=-1)
    return _chi_square(statistic, used.sum(axis=-1) - 1.0)


def homogeneity_of_differences(x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike) -> ChiSquare:
    """Cochran's Q: do strata share one difference in proportions, with unpooled variances.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).

    Returns
    -------
    ChiSquare
        ``df`` is one less than the number of strata with people in both arms. NaN with fewer than
        two of them, or where one of them has variance 0.

    Examples
    --------
    >>> test = homogeneity_of_differences([18, 11], [30, 19], [6, 8], [30, 19])
    >>> print(f"{test.statistic:.2f}, df = {test.df:.0f}")
    1.50, df = 1
    """
    t = stratified_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference, weight = inverse_variance_parts(t)
        common = (weight * difference).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
        statistic = (weight * (difference - common) ** 2).sum(axis=-1)
    return _chi_square(statistic, t.known.sum(axis=-1) - 1.0)


def _chi_square(statistic: FloatArray, df: FloatArray) -> ChiSquare:
    """Chi-square with its p-value; all missing where nothing was tested."""
    tested = np.isfinite(statistic) & (df > 0)
    statistic, df = known_only(tested, statistic), known_only(tested, df)
    return ChiSquare(statistic, df, chi_square_p_value(statistic, df))
