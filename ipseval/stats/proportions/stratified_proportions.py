"""Common difference, ratio and odds ratio of two proportions over strata.

The last axis of every count runs over the strata of one table; leading axes, if any, over tables.
Arm 1 is the active arm and arm 0 the reference. A stratum with an empty arm says nothing about an
effect and enters with weight 0: `informative_strata` tells which ones do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.proportions import conditional, stratified_score_limits
from ipseval.stats.proportions.one_proportion import wilson
from ipseval.stats.tables import (
    Difference,
    FloatArray,
    Interval,
    Ratio,
    Tables,
    known_only,
    normal_quantile,
    two_arm_tables,
)


def informative_strata(
    x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *, effect: str = "difference"
) -> NDArray[np.bool_]:
    """Which strata say anything about an effect: True or False for each.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    effect : str
        ``"difference"`` needs people in both arms, ``"ratio"`` an event besides, and
        ``"odds_ratio"`` an event and a non-event besides.

    Examples
    --------
    >>> informative_strata([3, 0, 2], [9, 8, 5], [1, 0, 0], [9, 7, 0], effect="ratio").tolist()
    [True, False, False]
    """
    checks.one_of(effect, ("difference", "ratio", "odds_ratio"), "effect")
    t = stratified_tables(x1, n1, x0, n0)
    events = t.x1 + t.x0
    informative = t.known
    if effect != "difference":
        informative = informative & (events > 0)
    if effect == "odds_ratio":
        informative = informative & (events < t.n1 + t.n0)
    return informative


def stratified_risk_difference(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "sato",
    conf_level: float = 0.95,
) -> Difference:
    """Common difference in proportions over strata, Mantel-Haenszel with Sato's variance by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"sato"`` (default: right for many small and for few large strata), Mantel-Haenszel
          estimate with Sato's variance;
        - ``"greenland_robins"``, the same estimate with the variance for few large strata;
        - ``"newcombe"``, the same estimate between limits from stratified Wilson intervals with
          the same weights; ``std_error`` is Sato's;
        - ``"miettinen_nurminen"``, score limits with Miettinen and Nurminen's weights; the estimate
          solves the same score, and ``std_error`` is the score's at the estimate;
        - ``"inverse_variance"``, fixed effect with unpooled variances.
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Difference
        One per table, as proportions. NaN where no stratum has people in both arms, and for
        ``"inverse_variance"`` where a stratum has variance 0 (its weight would be infinite).

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people; no strata axis.

    Notes
    -----
    The stratified Wilson interval of Yan and Su weights the strata's own intervals, all at the one
    normal quantile that makes the weighted interval as wide as a joint one. In an arm without any
    variance the quantile is the limit for equal, vanishing proportions. Agrees with R's ``tern``, except
    that limits beyond -1 or 1, which strata of one or two people can give, are cut off; SAS inverts a
    common proportion instead.

    References
    ----------
    Greenland & Robins (1985), Biometrics 41:55-68. Sato (1989), Biometrics 45:1323-1324.
    Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.
    Yan & Su (2010), Statistics in Biopharmaceutical Research 2:329-335.

    Examples
    --------
    >>> d = stratified_risk_difference([18, 11], [30, 19], [6, 8], [30, 19])
    >>> print(f"{d.estimate:.3f}, {d.conf_low:.3f} to {d.conf_high:.3f}")
    0.306, 0.119 to 0.494
    """
    checks.one_of(method, _DIFFERENCES, "method")
    z = normal_quantile(conf_level)
    t = stratified_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = _DIFFERENCES[method](t, z)
    return Difference(*(known_only(t.known.any(axis=-1), part) for part in parts))


def stratified_risk_ratio(
    x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *, conf_level: float = 0.95
) -> Ratio:
    """Mantel-Haenszel common risk ratio over strata.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Ratio
        One per table. Without events in one arm the estimate is 0 or infinite, and the standard
        error and limits are NaN.

    References
    ----------
    Greenland & Robins (1985), Biometrics 41:55-68.

    Examples
    --------
    >>> r = stratified_risk_ratio([18, 11], [30, 19], [6, 8], [30, 19])
    >>> print(f"{r.estimate:.2f}, {r.conf_low:.2f} to {r.conf_high:.2f}")
    2.07, 1.26 to 3.42
    """
    z = normal_quantile(conf_level)
    t = stratified_tables(x1, n1, x0, n0)
    total, events = np.maximum(t.n1 + t.n0, 1), t.x1 + t.x0
    active, reference = _sum(t.x1 * t.n0 / total), _sum(t.x0 * t.n1 / total)
    spread = _sum((t.n1 * t.n0 * events - t.x1 * t.x0 * total) / total**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _log_normal(active / reference, spread / (active * reference), z)


def stratified_odds_ratio(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "mantel_haenszel",
    conf_level: float = 0.95,
) -> Ratio:
    """Common odds ratio over strata, Mantel-Haenszel by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"mantel_haenszel"`` (default), with the variance of Robins, Breslow and Greenland;
        - ``"conditional_exact"``, conditional maximum likelihood and exact limits given the
          margins of every stratum;
        - ``"mid_p"``, the same with half the probability of the observed table in each tail.
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Ratio
        One per table. ``log_std_error`` belongs to the Mantel-Haenszel estimate. Where that is 0,
        infinite or undefined, its standard error and limits are NaN; exact limits still exist.

    References
    ----------
    Robins, Breslow & Greenland (1986), Biometrics 42:311-323. Mehta, Patel & Gray (1985), JASA
    80:969-973.

    Examples
    --------
    >>> r = stratified_odds_ratio([18, 11], [30, 19], [6, 8], [30, 19], method="conditional_exact")
    >>> print(f"{r.estimate:.2f}, {r.conf_low:.2f} to {r.conf_high:.2f}")
    3.58, 1.45 to 9.22
    """
    checks.one_of(method, ("mantel_haenszel", "conditional_exact", "mid_p"), "method")
    z = normal_quantile(conf_level)
    t = stratified_tables(x1, n1, x0, n0)
    mantel_haenszel = _mantel_haenszel_odds_ratio(t, z)
    if method == "mantel_haenszel":
        return mantel_haenszel
    exact = conditional.in_blocks(
        lambda c: conditional.estimate_and_limits(c, conf_level, mid_p=method == "mid_p"),
        t,
        over_strata=True,
    )
    estimate, low, high = (known_only(t.known.any(axis=-1), part) for part in exact)
    return Ratio(estimate, mantel_haenszel.log_std_error, low, high)


def stratified_tables(x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike) -> Tables:
    """Check the counts of both arms and refuse tables without an axis of strata."""
    t = two_arm_tables(x1, n1, x0, n0)
    if t.x1.ndim == 0:
        raise AnalysisError(
            "The counts are single numbers: 1 table without strata. "
            "Pass one count per stratum, or use the function for a table without strata."
        )
    return t


def mantel_haenszel_weights(t: Tables) -> FloatArray:
    """Return n1 * n0 / N for each stratum: 0 where an arm is empty."""
    return t.n1 * t.n0 / np.maximum(t.n1 + t.n0, 1)


def inverse_variance_parts(t: Tables) -> tuple[FloatArray, FloatArray]:
    """Difference and weight of each stratum: 0 where an arm is empty, missing without variance."""
    p1, p0 = _proportions(t)
    variance = p1 * (1 - p1) / t.n1 + p0 * (1 - p0) / t.n0
    weight = np.where(variance > 0, 1 / variance, np.nan)
    return p1 - p0, np.where(t.known, weight, 0.0)


def _sum(values: FloatArray) -> FloatArray:
    return np.asarray(values.sum(axis=-1))


def _proportions(t: Tables) -> tuple[FloatArray, FloatArray]:
    """Proportions of both arms, 0 in an empty arm, where the weight is 0 too."""
    return t.x1 / np.maximum(t.n1, 1), t.x0 / np.maximum(t.n0, 1)


def _cross_products(t: Tables) -> tuple[FloatArray, FloatArray]:
    total = np.maximum(t.n1 + t.n0, 1)
    return t.x1 * (t.n0 - t.x0) / total, t.x0 * (t.n1 - t.x1) / total


def _log_normal(ratio: FloatArray, log_variance: FloatArray, z: float) -> Ratio:
    """Limits of a ratio on the log scale, missing where the ratio is 0 or infinite."""
    inside = np.isfinite(log_variance) & (ratio > 0) & np.isfinite(ratio)
    log_std_error = known_only(inside, np.sqrt(log_variance))
    return Ratio(
        ratio[()], log_std_error, ratio * np.exp(-z * log_std_error), ratio * np.exp(z * log_std_error)
    )


def _mantel_haenszel_odds_ratio(t: Tables, z: float) -> Ratio:
    total = np.maximum(t.n1 + t.n0, 1)
    r, s = _cross_products(t)
    p = (t.x1 + t.n0 - t.x0) / total
    q = 1 - p
    sum_r, sum_s = _sum(r), _sum(s)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_variance = (
            _sum(p * r) / sum_r**2 + _sum(p * s + q * r) / (sum_r * sum_s) + _sum(q * s) / sum_s**2
        ) / 2
        return _log_normal(sum_r / sum_s, log_variance, z)


def _mantel_haenszel_difference(t: Tables) -> tuple[FloatArray, FloatArray]:
    weight = mantel_haenszel_weights(t)
    p1, p0 = _proportions(t)
    return _sum(weight * (p1 - p0)) / _sum(weight), _sum(weight)


def _normal_limits(estimate: FloatArray, std_error: FloatArray, z: float) -> tuple[FloatArray, ...]:
    return estimate, std_error, estimate - z * std_error, estimate + z * std_error


def _sato(t: Tables, z: float) -> tuple[FloatArray, ...]:
    x1, n1, x0, n0 = t
    total = np.maximum(n1 + n0, 1)
    estimate, weight = _mantel_haenszel_difference(t)
    p = _sum((n1**2 * x0 - n0**2 * x1 + n1 * n0 * (n0 - n1) / 2) / total**2)
    q = _sum((x1 * (n0 - x0) + x0 * (n1 - x1)) / (2 * total))
    return _normal_limits(estimate, np.sqrt(np.maximum(estimate * p + q, 0.0)) / weight, z)


def _greenland_robins(t: Tables, z: float) -> tuple[FloatArray, ...]:
    estimate, weight = _mantel_haenszel_difference(t)
    p1, p0 = _proportions(t)
    total = np.maximum(t.n1 + t.n0, 1)
    spread = t.n1 * t.n0 * (t.n0 * p1 * (1 - p1) + t.n1 * p0 * (1 - p0)) / total**2
    return _normal_limits(estimate, np.sqrt(_sum(spread)) / weight, z)


def _inverse_variance(t: Tables, z: float) -> tuple[FloatArray, ...]:
    difference, weight = inverse_variance_parts(t)
    return _normal_limits(_sum(weight * difference) / _sum(weight), 1 / np.sqrt(_sum(weight)), z)


def _newcombe(t: Tables, z: float) -> tuple[FloatArray, ...]:
    estimate, std_error, *_ = _sato(t, z)
    weight = mantel_haenszel_weights(t)
    weight = weight / weight.sum(axis=-1, keepdims=True)
    active, spread1 = _stratified_wilson(t.x1, t.n1, weight, z)
    reference, spread0 = _stratified_wilson(t.x0, t.n0, weight, z)

    def reach(p1: FloatArray, p0: FloatArray) -> FloatArray:
        return z * np.sqrt(spread1 * p1 * (1 - p1) + spread0 * p0 * (1 - p0))

    low = np.maximum(estimate - reach(active.low, reference.high), -1.0)
    return estimate, std_error, low, np.minimum(estimate + reach(active.high, reference.low), 1.0)


def _stratified_wilson(
    x: FloatArray, n: FloatArray, weight: FloatArray, z: float
) -> tuple[Interval, FloatArray]:
    """Weighted Wilson limits of one arm, and the sum of squared weights over stratum sizes."""
    n = np.maximum(n, 1)
    p = x / n
    variance = p * (1 - p) / n
    variance = np.where(_sum(weight * variance)[..., None] > 0, variance, 1 / n)
    shrinkage = np.sqrt(_sum(weight**2 * variance)) / _sum(weight * np.sqrt(variance))
    limits = wilson(x, n, z * shrinkage[..., None])
    return Interval(_sum(weight * limits.low), _sum(weight * limits.high)), _sum(weight**2 / n)


_DIFFERENCES = {
    "sato": _sato,
    "greenland_robins": _greenland_robins,
    "newcombe": _newcombe,
    "miettinen_nurminen": stratified_score_limits.difference,
    "inverse_variance": _inverse_variance,
}
