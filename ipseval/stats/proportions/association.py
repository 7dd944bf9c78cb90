"""Tests of whether two proportions differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ipseval import checks
from ipseval.stats.proportions import conditional
from ipseval.stats.tables import (
    ALTERNATIVES,
    ChiSquare,
    FloatArray,
    Tables,
    chi_square_p_value,
    known_only,
    two_arm_tables,
)


def association_test(
    x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *, method: str = "n_minus_1_chi_square"
) -> ChiSquare:
    """Chi-square test that the two proportions are equal, on one degree of freedom.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"n_minus_1_chi_square"`` (default: keeps its level down to expected counts of 1);
        - ``"chi_square"``, Pearson's, the square of the pooled z;
        - ``"yates"``, with continuity correction, at most the deviation itself (as in R);
        - ``"likelihood_ratio"``, G squared;
        - ``"wald"``, the square of the z with unpooled variance.

    Returns
    -------
    ChiSquare
        All NaN where an arm is empty, or where nobody or everybody had the outcome (for
        ``"wald"``: where both variances are 0), because then nothing was tested.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people.

    References
    ----------
    Campbell (2007), Statistics in Medicine 26:3661-3675 (the N - 1 version).

    Examples
    --------
    >>> test = association_test(31, 70, 20, 81)
    >>> print(f"{test.statistic:.2f}, p = {test.p_value:.3f}")
    6.40, p = 0.011
    """
    checks.one_of(method, _STATISTICS, "method")
    t = two_arm_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = _STATISTICS[method](t)
    tested = t.known & np.isfinite(statistic)
    statistic = known_only(tested, statistic)
    return ChiSquare(statistic, known_only(tested, np.ones_like(t.x1)), chi_square_p_value(statistic))


def fisher_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    alternative: str = "two_sided",
    mid_p: bool = False,
) -> FloatArray:
    """Fisher's exact p-value that the two proportions are equal.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    alternative : str
        ``"two_sided"`` (all tables no likelier than the observed one, as in R), ``"greater"`` (the
        active arm is higher) or ``"less"``.
    mid_p : bool
        Count only half the probability of the observed table and of those exactly as likely.

    Returns
    -------
    array
        p-values; 1 (mid-p: 0.5) where nobody or everybody had the outcome, NaN for an empty arm.

    Notes
    -----
    Two probabilities within 1e-7 of each other, relatively, are tied, as in R's ``fisher.test``.

    Examples
    --------
    >>> print(f"{fisher_test(31, 70, 20, 81):.4f}")
    0.0154
    """
    checks.one_of(alternative, ALTERNATIVES, "alternative")
    t = two_arm_tables(x1, n1, x0, n0)
    (p_value,) = conditional.in_blocks(lambda c: (conditional.p_value(c, alternative, mid_p=mid_p),), t)
    return known_only(t.known, p_value)


def _deviation(t: Tables) -> tuple[FloatArray, FloatArray]:
    """Observed minus expected events in the active arm, and the sum of inverse expected counts."""
    total, events = t.n1 + t.n0, t.x1 + t.x0
    inverse = total**3 / (t.n1 * t.n0 * events * (total - events))
    return t.x1 - t.n1 * events / total, inverse


def _chi_square(t: Tables) -> FloatArray:
    deviation, inverse = _deviation(t)
    return deviation**2 * inverse


def _n_minus_1_chi_square(t: Tables) -> FloatArray:
    total = t.n1 + t.n0
    return _chi_square(t) * (total - 1) / total


def _yates(t: Tables) -> FloatArray:
    deviation, inverse = _deviation(t)
    return np.maximum(np.abs(deviation) - 0.5, 0.0) ** 2 * inverse


def _likelihood_ratio(t: Tables) -> FloatArray:
    total, events = t.n1 + t.n0, t.x1 + t.x0
    statistic = np.zeros_like(total)
    for x, n in ((t.x1, t.n1), (t.x0, t.n0)):
        statistic = statistic + special.xlogy(x, x * total / (n * events))
        statistic = statistic + special.xlogy(n - x, (n - x) * total / (n * (total - events)))
    return np.where((events > 0) & (events < total), 2 * statistic, np.nan)


def _wald(t: Tables) -> FloatArray:
    p1, p0 = t.x1 / t.n1, t.x0 / t.n0
    return (p1 - p0) ** 2 / (p1 * (1 - p1) / t.n1 + p0 * (1 - p0) / t.n0)


_STATISTICS = {
    "n_minus_1_chi_square": _n_minus_1_chi_square,
    "chi_square": _chi_square,
    "yates": _yates,
    "likelihood_ratio": _likelihood_ratio,
    "wald": _wald,
}
