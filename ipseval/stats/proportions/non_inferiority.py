"""Is the active arm worse by no more than a margin: score tests at the margin, and what follows in words.

Arm 1 is the active arm and arm 0 the reference. The margin is the largest loss that would still be
accepted; it is stated before the data are seen, as a difference of proportions or as their ratio.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.proportions import score_limits, stratified_score_limits
from ipseval.stats.proportions.stratified_proportions import stratified_tables
from ipseval.stats.tables import FloatArray, Tables, known_only, two_arm_tables

MEASURES = ("difference", "ratio")
METHODS = ("miettinen_nurminen", "farrington_manning")

#: From best to worst for the active arm; `verdict` returns one of these.
VERDICTS = ("superior", "non_inferior", "non_inferior_but_worse", "not_shown", "inferior")


class ScoreTest(NamedTuple):
    """A standard normal statistic, large where the active arm is far from the margin, and its p-value."""

    statistic: FloatArray
    p_value: FloatArray


def non_inferiority_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    margin: float,
    measure: str = "difference",
    higher_is_better: bool = True,
    method: str = "miettinen_nurminen",
) -> ScoreTest:
    """One-sided score test that the active arm is worse by less than a margin.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    margin : float
        The largest loss still accepted. For a difference a proportion above 0, whichever way is better:
        0.10 is 10 percentage points. For a ratio, active over reference, below 1 where higher is better
        (0.80) and above 1 where lower is better (1.25).
    measure : {"difference", "ratio"}
    higher_is_better : bool
        Whether the outcome is wanted, like a job, or unwanted, like an admission.
    method : str
        ``"miettinen_nurminen"`` (default), whose two-sided limits at ``1 - 2 alpha`` exclude the margin
        exactly where this test rejects at alpha; ``"farrington_manning"``, the same without the factor
        N / (N - 1) in the variance.

    Returns
    -------
    ScoreTest
        NaN where an arm is empty, and for a ratio where nobody had the outcome.

    Raises
    ------
    AnalysisError
        A margin that is on the wrong side of no difference, or counts that cannot be.

    References
    ----------
    Farrington & Manning (1990), Statistics in Medicine 9:1447-1454. Miettinen & Nurminen (1985),
    Statistics in Medicine 4:213-226.

    Examples
    --------
    >>> test = non_inferiority_test(60, 100, 62, 100, margin=0.15)
    >>> print(f"z = {test.statistic:.2f}, one-sided p = {test.p_value:.3f}")
    z = 1.90, one-sided p = 0.029
    """
    checks.one_of(method, METHODS, "method")
    null = hypothesis(margin, measure, higher_is_better=higher_is_better)
    t = two_arm_tables(x1, n1, x0, n0)
    statistic = score_limits.difference_statistic if measure == "difference" else _ratio_statistic
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = t.score_scale if method == "miettinen_nurminen" else 1.0
        z = statistic(np.full(np.shape(t.x1), null), t, scale) * (1.0 if higher_is_better else -1.0)
    z = known_only(t.known, z)
    return ScoreTest(z, np.asarray(special.ndtr(-z))[()])


def stratified_non_inferiority_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    margin: float,
    higher_is_better: bool = True,
) -> ScoreTest:
    """One-sided score test that a difference common to all strata is worse by less than a margin.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int, strata along the last axis
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    margin, higher_is_better
        As for `non_inferiority_test`, of a difference.

    Returns
    -------
    ScoreTest
        One per table; NaN where no stratum has people in both arms.

    Raises
    ------
    AnalysisError
        A margin that is on the wrong side of no difference, or counts that cannot be.

    Notes
    -----
    With Miettinen and Nurminen's weights at the margin: the limits of ``stratified_risk_difference(method=
    "miettinen_nurminen")`` at ``1 - 2 alpha`` exclude the margin where this test rejects at alpha.

    References
    ----------
    Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.

    Examples
    --------
    >>> test = stratified_non_inferiority_test([18, 11], [30, 19], [20, 9], [30, 19], margin=0.15)
    >>> print(f"z = {test.statistic:.2f}, one-sided p = {test.p_value:.3f}")
    z = 1.52, one-sided p = 0.064
    """
    null = hypothesis(margin, "difference", higher_is_better=higher_is_better)
    t = stratified_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = stratified_score_limits.difference_statistic(np.full(t.x1.shape[:-1], null), t)
    z = known_only(t.known.any(axis=-1), z * (1.0 if higher_is_better else -1.0))
    return ScoreTest(z, np.asarray(special.ndtr(-z))[()])


def hypothesis(margin: float, measure: str, *, higher_is_better: bool) -> float:
    """Return the difference or ratio at the margin, or refuse a margin on the wrong side.

    Examples
    --------
    >>> hypothesis(0.10, "difference", higher_is_better=True)
    -0.1
    """
    checks.one_of(measure, MEASURES, "measure")
    if isinstance(margin, bool) or not isinstance(margin, int | float | np.number):
        raise AnalysisError(f"margin={margin!r} is not a number. Write 10 percentage points as margin=0.10.")
    if measure == "difference":
        if not 0 < margin < 1:
            raise AnalysisError(
                f"margin={margin!r} is not between 0 and 1. Write 10 percentage points as margin=0.10, "
                f"whichever way is better."
            )
        return -float(margin) if higher_is_better else float(margin)
    if not (0 < margin < 1 if higher_is_better else 1 < margin < np.inf):
        way, example = ("below 1", "0.80") if higher_is_better else ("above 1", "1.25")
        raise AnalysisError(
            f"margin={margin!r} is not a ratio {way}. Where {'higher' if higher_is_better else 'lower'} is "
            f"better the active arm's loss is a ratio {way}: write {example}."
        )
    return float(margin)


def verdict(
    low: ArrayLike,
    high: ArrayLike,
    *,
    margin: float,
    measure: str = "difference",
    higher_is_better: bool = True,
) -> NDArray[np.str_]:
    """Return what two-sided limits say of non-inferiority: one of ``VERDICTS``, empty without limits.

    Parameters
    ----------
    low, high : array_like
        Limits of the difference or ratio, active arm against reference.
    margin, measure, higher_is_better
        As for `non_inferiority_test`.

    Notes
    -----
    ``superior`` rules out any loss, ``non_inferior`` a loss as large as the margin,
    ``non_inferior_but_worse`` that too but no loss as well, ``inferior`` a loss smaller than the margin;
    ``not_shown`` is everything that leaves the margin inside.

    References
    ----------
    Piaggio et al. (2012), JAMA 308:2594-2604, figure 1 (CONSORT for non-inferiority trials).

    Examples
    --------
    >>> str(verdict(-0.08, 0.05, margin=0.10))
    'non_inferior'
    """
    null, none = hypothesis(margin, measure, higher_is_better=higher_is_better), float(measure == "ratio")
    low, high = (np.asarray(limit, dtype=np.float64) for limit in (low, high))
    worst, best = (low, high) if higher_is_better else (-high, -low)
    if not higher_is_better:
        null, none = -null, -none
    conditions = [
        np.isnan(worst) | np.isnan(best),
        worst > none,
        (worst > null) & (best < none),
        worst > null,
        best < null,
    ]
    words = ["", "superior", "non_inferior_but_worse", "non_inferior", "inferior"]
    return np.select(conditions, words, default="not_shown")


def _ratio_statistic(ratio: FloatArray, t: Tables, scale: FloatArray | float) -> FloatArray:
    statistic = score_limits.risk_ratio_statistic(ratio, t, scale)
    return np.where(t.x1 + t.x0 > 0, statistic, np.nan)
