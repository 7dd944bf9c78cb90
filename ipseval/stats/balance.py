"""Standardised differences between arms at baseline: numeric, binary and categorical variables.

They describe how alike two randomised arms are, in standard deviations and so without regard to n.
A significance test of baseline balance answers no question in a randomised trial and is not offered.
Arm 1 is the active arm, arm 0 the reference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.means import TOO_FEW, amounts


class Balance(NamedTuple):
    """A standardised difference (no unit) and the people it rests on; ``note`` says why it is NaN."""

    estimate: float
    n_1: int
    n_0: int
    note: str = ""


def balance_numeric(x1: ArrayLike, x0: ArrayLike) -> Balance:
    """Return the difference of means over the root of the mean variance; the sign is that of arm 1 - arm 0.

    Parameters
    ----------
    x1, x0 : array_like, one value per person
        Active arm and reference arm. Missing values are refused.

    Returns
    -------
    Balance
        NaN with a ``note`` if an arm has one person or neither arm has any spread.

    Raises
    ------
    AnalysisError
        If an arm is empty or a value is missing.

    Notes
    -----
    The denominator is ``sqrt((s1**2 + s0**2) / 2)``, whatever the sizes of the arms; Cohen's d weights
    the variances by them (`ipseval.stats.means.standardised_difference`).

    References
    ----------
    Austin (2009), Statistics in Medicine 28:3083-3107.

    Examples
    --------
    >>> from ipseval.stats.balance import balance_numeric
    >>> balance_numeric([3, 4, 5], [2, 3, 4]).estimate
    1.0
    """
    x1, x0 = amounts(x1, "x1"), amounts(x0, "x0")
    if min(x1.size, x0.size) < 2:
        return Balance(math.nan, x1.size, x0.size, TOO_FEW)
    if np.ptp(x1) == np.ptp(x0) == 0:
        return Balance(math.nan, x1.size, x0.size, "No spread in either arm: there is no unit to measure by.")
    spread = math.sqrt((x1.var(ddof=1) + x0.var(ddof=1)) / 2)
    return Balance(float(x1.mean() - x0.mean()) / spread, x1.size, x0.size)


def balance_binary(x1: float, n1: float, x0: float, n0: float) -> Balance:
    """Return the difference of two proportions over the root of the mean of p (1 - p), signed 1 - 0.

    Parameters
    ----------
    x1, n1, x0, n0 : whole numbers
        People with the characteristic and people in all, active arm and then reference arm.

    Returns
    -------
    Balance
        NaN with a ``note`` if nobody differs from another in either arm.

    Raises
    ------
    AnalysisError
        If a count is not whole, exceeds its total, or an arm is empty.

    References
    ----------
    Austin (2009), Statistics in Medicine 28:3083-3107.

    Examples
    --------
    >>> from ipseval.stats.balance import balance_binary
    >>> round(balance_binary(30, 60, 20, 50).estimate, 3)
    0.202
    """
    x1, n1, x0, n0 = checks.count_array([x1, n1, x0, n0], "Counts (x1, n1, x0, n0)").tolist()
    if x1 > n1 or x0 > n0:
        raise AnalysisError(
            f"Counts of {x1:g} of {n1:g} and {x0:g} of {n0:g} exceed their totals. "
            f"Pass the people with the characteristic, then all people, arm 1 first."
        )
    distance = balance_categorical([n1 - x1, x1], [n0 - x0, x0])
    return distance._replace(estimate=math.copysign(distance.estimate, x1 * n0 - x0 * n1))


def balance_categorical(counts1: ArrayLike, counts0: ArrayLike) -> Balance:
    """Return the Mahalanobis distance between two distributions over the same levels: 0 or more, no sign.

    Parameters
    ----------
    counts1, counts0 : array_like, one whole number per level
        People at each level, levels in the same order in both arms. The order itself does not matter,
        and a level that nobody has adds nothing.

    Returns
    -------
    Balance
        With two levels, the absolute value of `balance_binary`. NaN with a ``note`` if the arms share no
        level (the distance is infinite), or everybody is at one level (there is no unit to measure by).

    Raises
    ------
    AnalysisError
        If the levels differ in number, a count is not whole, or an arm is empty.

    Notes
    -----
    ``sqrt((p1 - p0)' S^-1 (p1 - p0))`` over all levels but one, with S the mean of the two multinomial
    covariances: ``p (1 - p)`` on and ``- p_k p_l`` off its diagonal. The paper prints the latter without
    its minus sign; like R's tableone and stddiff, this has it.

    References
    ----------
    Yang & Dalton (2012), SAS Global Forum, paper 335-2012, page 3.

    Examples
    --------
    >>> from ipseval.stats.balance import balance_categorical
    >>> round(balance_categorical([585, 213, 2753], [335, 142, 1707]).estimate, 3)
    0.036
    """
    counts1, counts0 = checks.count_array(counts1, "counts1"), checks.count_array(counts0, "counts0")
    checks.same_length(counts1=counts1, counts0=counts0)
    n1, n0 = int(counts1.sum()), int(counts0.sum())
    if min(n1, n0) == 0:
        raise AnalysisError(
            f"An arm is empty ({n1} and {n0} people). Check the population and the arm labels."
        )
    if not (counts1 * counts0).any():
        return Balance(math.nan, n1, n0, "The arms share no level: the distance has no bound.")
    found = counts1 + counts0 > 0
    if found.sum() == 1:
        return Balance(math.nan, n1, n0, "Everybody is at one level: there is no unit to measure by.")
    p1, p0 = counts1[found][1:] / n1, counts0[found][1:] / n0
    covariance = (np.diag(p1) - np.outer(p1, p1) + np.diag(p0) - np.outer(p0, p0)) / 2
    difference = p1 - p0
    squared = float(difference @ np.linalg.solve(covariance, difference))
    return Balance(math.sqrt(max(squared, 0.0)), n1, n0)
