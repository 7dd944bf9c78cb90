"""Means of amounts and their difference between two arms: Welch, pooled, and standardised.

Amounts of work and money have many exact zeros. The mean *including* the zeros is what a payer
meets, so nobody is set aside here: a person who never worked enters with 0, and an unknown amount
is refused. Arm 1 is the active arm, arm 0 the reference, and a difference is 1 minus 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, nctdtrinc, stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError

NO_SPREAD = "No spread: every amount in an arm is the same, so that its uncertainty cannot be estimated."
TOO_FEW = "Fewer than two people in an arm: its spread cannot be estimated."


class Mean(NamedTuple):
    """A mean with its uncertainty, in the unit of the amounts; ``note`` says why a number is NaN."""

    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    n: int
    note: str = ""


class MeanDifference(NamedTuple):
    """Mean of arm 1 minus mean of arm 0, in the unit of the amounts; ``note`` says why a number is NaN."""

    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    conf_low: float
    conf_high: float
    mean_1: float
    mean_0: float
    n_1: int
    n_0: int
    note: str = ""


class StandardisedDifference(NamedTuple):
    """A difference of means in pooled standard deviations: no unit."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    cohen_d: float
    correction: float
    note: str = ""


def mean(y: ArrayLike, *, conf_level: float = 0.95) -> Mean:
    """Return the mean, zeros included, with a t interval on n - 1 degrees of freedom.

    Parameters
    ----------
    y : array_like, one amount per person
        Any unit. A missing amount is refused: it is not a zero.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    Mean
        With one person, or without any spread, everything but the estimate is NaN and ``note`` says why.

    Raises
    ------
    AnalysisError
        If ``y`` is empty or holds missing values.

    Examples
    --------
    >>> from ipseval.stats.means import mean
    >>> mean([0, 0, 30, 70]).estimate
    25.0
    """
    level = checks.confidence(conf_level)
    y = amounts(y, "y")
    n = y.size
    note = _why_undefined(y)
    std_error = math.nan if note else math.sqrt(y.var(ddof=1) / n)
    half_width = float(stdtrit(n - 1, (1 + level) / 2)) * std_error
    estimate = float(y.mean())
    df = math.nan if note else float(n - 1)
    return Mean(estimate, std_error, df, estimate - half_width, estimate + half_width, n, note)


def mean_difference(
    y1: ArrayLike, y0: ArrayLike, *, method: str = "welch", conf_level: float = 0.95
) -> MeanDifference:
    """Return the difference of two means, arm 1 minus arm 0, with a t test and t interval.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    method : {"welch", "pooled"}
        Welch is the default because the arm with more work also has the wider spread; pooled assumes
        one variance for both arms.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    MeanDifference
        If an arm has one person, or no amount differs from another in its arm, the interval and the
        test are NaN and ``note`` says why; an arm without spread is usable beside one that has some.

    Raises
    ------
    AnalysisError
        If an arm is empty, an amount is missing, or ``method`` is unknown.

    Notes
    -----
    Welch: ``se**2 = v1 + v0`` with ``v = s**2 / n``, and
    ``df = (v1 + v0)**2 / (v1**2 / (n1 - 1) + v0**2 / (n0 - 1))``. Agrees with R's ``t.test``.

    References
    ----------
    Welch (1947), Biometrika 34:28-35; Satterthwaite (1946), Biometrics Bulletin 2:110-114.

    Examples
    --------
    >>> from ipseval.stats.means import mean_difference
    >>> mean_difference([0, 40, 80], [0, 0, 30]).estimate
    30.0
    """
    checks.one_of(method, ("welch", "pooled"), "method")
    level = checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    n1, n0 = y1.size, y0.size
    if note := _why_undefined(y1, y0):
        std_error = df = math.nan
    elif method == "welch":
        std_error, df = welch_satterthwaite(y1.var(ddof=1) / n1, y0.var(ddof=1) / n0, n1 - 1, n0 - 1)
    else:
        std_error = _pooled_sd(y1, y0) * math.sqrt(1 / n1 + 1 / n0)
        df = float(n1 + n0 - 2)
    return t_difference(
        float(y1.mean()), float(y0.mean()), std_error, df, n1=n1, n0=n0, conf_level=level, note=note
    )


def standardised_difference(
    y1: ArrayLike, y0: ArrayLike, *, conf_level: float = 0.95
) -> StandardisedDifference:
    """Return Hedges' g, the difference of means in pooled standard deviations without small-sample bias.

    Parameters
    ----------
    y1, y0 : array_like, one amount per person
        Active arm and reference arm. Missing amounts are refused.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    StandardisedDifference
        ``estimate`` is g = J d, ``cohen_d`` is d with the pooled standard deviation, and
        ``correction`` is J. The limits are those of the population value.

    Raises
    ------
    AnalysisError
        If an arm is empty or an amount is missing.

    Notes
    -----
    ``J = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2))`` with m = n1 + n0 - 2 is the exact
    correction, not ``1 - 3 / (4 m - 1)``. The standard error is the large-sample one,
    ``1 / n1 + 1 / n0 + g**2 / (2 (n1 + n0))`` before the root, which is metafor's default. The interval
    inverts the noncentral t distribution of d, exact for normal amounts with one variance; it is not
    ``g +- 1.96 std_error``.

    References
    ----------
    Hedges (1981), Journal of Educational Statistics 6:107-128.
    Steiger & Fouladi (1997), in What If There Were No Significance Tests?, 221-257 (interval).

    Examples
    --------
    >>> from ipseval.stats.means import standardised_difference
    >>> round(standardised_difference([2, 4, 6], [1, 3, 5]).estimate, 4)
    0.3989
    """
    level = checks.confidence(conf_level)
    y1, y0 = amounts(y1, "y1"), amounts(y0, "y0")
    if note := _why_undefined(y1, y0):
        nan = math.nan
        return StandardisedDifference(nan, nan, nan, nan, nan, nan, note)
    n1, n0 = y1.size, y0.size
    m = n1 + n0 - 2
    cohen_d = float(y1.mean() - y0.mean()) / _pooled_sd(y1, y0)
    correction = math.exp(gammaln(m / 2) - gammaln((m - 1) / 2) - math.log(m / 2) / 2)
    estimate = correction * cohen_d
    std_error = math.sqrt(1 / n1 + 1 / n0 + estimate**2 / (2 * (n1 + n0)))
    scale = math.sqrt(1 / n1 + 1 / n0)
    low, high = (
        scale * float(nctdtrinc(m, probability, cohen_d / scale))
        for probability in ((1 + level) / 2, (1 - level) / 2)
    )
    return StandardisedDifference(estimate, std_error, low, high, cohen_d, correction)


def t_difference(
    mean_1: float,
    mean_0: float,
    std_error: float,
    df: float,
    *,
    n1: int,
    n0: int,
    conf_level: float,
    note: str = "",
) -> MeanDifference:
    """Return two means, and the standard error and df of their difference, with t interval and t test."""
    estimate = mean_1 - mean_0
    statistic = estimate / std_error
    half_width = float(stdtrit(df, (1 + conf_level) / 2)) * std_error
    return MeanDifference(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=2 * float(stdtr(df, -abs(statistic))),
        conf_low=estimate - half_width,
        conf_high=estimate + half_width,
        mean_1=mean_1,
        mean_0=mean_0,
        n_1=n1,
        n_0=n0,
        note=note,
    )


def welch_satterthwaite(
    variance_1: float, variance_0: float, df_1: float, df_0: float
) -> tuple[float, float]:
    """Return the standard error and df of a difference, from the two squared standard errors and their df."""
    total = variance_1 + variance_0
    share_1, share_0 = variance_1 / total, variance_0 / total
    return math.sqrt(total), 1 / (share_1**2 / df_1 + share_0**2 / df_0)


def amounts(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return one finite number per person, or refuse."""
    array = checks.float_array(values, name)
    if array.ndim != 1 or array.size == 0:
        raise AnalysisError(
            f"{name} has shape {array.shape}: one amount per person is needed, and at least one person. "
            f"Check the population and the arm labels."
        )
    return array


def _pooled_sd(y1: NDArray[np.float64], y0: NDArray[np.float64]) -> float:
    squares = y1.size * y1.var() + y0.size * y0.var()
    return math.sqrt(squares / (y1.size + y0.size - 2))


def _why_undefined(*arms: NDArray[np.float64]) -> str:
    """Return why no standard error exists, or nothing."""
    if min(y.size for y in arms) < 2:
        return TOO_FEW
    # Not the variance: rounding in the mean of equal decimals leaves 1e-34, which would pass for information.
    return NO_SPREAD if all(np.ptp(y) == 0 for y in arms) else ""
