"""Mean amounts under drop-out, by inverse probability of censoring weights (Bang & Tsiatis 2000).

Days worked, earnings or costs up to a horizon are known in full only for people who are followed to it
(or died before it). Averaging what was seen counts every lost month as nothing; averaging the completers
prefers those whose end came early. Here each complete person stands for ``1 / K`` people, K being the
Kaplan-Meier probability of still being followed at the end of their own record.

On any day completion comes before censoring, see `ipseval.stats.amounts.censoring_weights`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.censoring_weights import (
    censoring_curve,
    censoring_influence,
    longest_is_complete,
    replicate_curves,
    why_not_identified,
)
from ipseval.stats.means import NO_SPREAD

Floats = NDArray[np.float64]


class CensoredMean(NamedTuple):
    """A mean amount per person to the horizon, in the amounts' unit; ``note`` says why a number is NaN.

    ``influence`` holds each person's influence on the mean: they sum to 0, and ``std_error`` is their
    standard deviation over the root of n.
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    n: int
    n_complete: int
    largest_weight: float
    influence: Floats
    note: str = ""


def weighted_mean_amount(
    amount: ArrayLike, is_complete: ArrayLike, followed_days: ArrayLike, *, conf_level: float = 0.95
) -> CensoredMean:
    """Return the mean amount to the horizon from the complete people, weighted for those who were censored.

    Assumes that leaving says nothing about the amount still to come (independent censoring), and that
    some people are followed to the horizon. The amounts of incomplete people are not used at all;
    `partitioned_mean_amount` uses them up to the last interval seen in full.

    Parameters
    ----------
    amount : array_like, shape (n,)
        What each person accrued up to their last day. Missing amounts are refused.
    is_complete : array_like of bool, shape (n,)
        True if the amount is final: followed to the horizon, or died before it.
    followed_days : array_like, shape (n,)
        Days since randomisation: the last day followed, the day of death or the horizon, whichever is first.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    CensoredMean
        Without censoring, the plain mean and its ``s / sqrt(n)``, with normal limits. NaN, with the reason in
        ``note``, if the longest record is censored: then nobody shows what comes after it.

    Raises
    ------
    AnalysisError
        If arrays differ in length, are empty, or hold missing values or negative days.

    Notes
    -----
    ``sum(complete * amount / K(day-)) / n``. The standard error is the infinitesimal jackknife of this very
    estimator, the estimated K included, with divisor n - 1; it differs from the authors' variance by terms
    that vanish with n. For the amount "days alive" both estimators are the area under Kaplan-Meier, and the
    variance with divisor n is Greenwood's.

    References
    ----------
    Bang & Tsiatis (2000), Biometrika 87:329-343, the simple weighted estimator.

    Examples
    --------
    >>> from ipseval.stats.amounts.censored_means import weighted_mean_amount
    >>> mean = weighted_mean_amount([10, 20, 5, 60], [True, True, False, True], [90, 30, 60, 90])
    >>> round(mean.estimate, 6)
    31.25
    """
    followed, complete = _checked(is_complete, followed_days)
    amount = checks.float_array(amount, "amount")
    checks.same_length(amount=amount, followed_days=followed)
    return _estimate(amount[:, None], np.array([math.inf]), complete, followed, conf_level)


def partitioned_mean_amount(
    interval_amounts: ArrayLike,
    interval_ends: ArrayLike,
    is_complete: ArrayLike,
    followed_days: ArrayLike,
    *,
    conf_level: float = 0.95,
) -> CensoredMean:
    """Return the mean amount to the horizon as a sum of interval means, each weighted for its own censoring.

    More precise than `weighted_mean_amount`, because people who leave count up to the last interval that
    was seen in full. The same assumption: leaving says nothing about the amount still to come.

    Parameters
    ----------
    interval_amounts : array_like, shape (n, intervals)
        What each person accrued in each interval. NaN where the interval was not seen in full; an amount
        seen in part is not used. After a death that is on record the amount is what accrued: mostly 0.
    interval_ends : array_like, shape (intervals,)
        Rising days; the last is the horizon. A person followed to an end, or beyond, is seen in full to it.
    is_complete, followed_days, conf_level
        As for `weighted_mean_amount`.

    Returns
    -------
    CensoredMean
        As for `weighted_mean_amount`.

    Raises
    ------
    AnalysisError
        Also if an amount is missing in an interval that was seen in full, or the ends do not rise.

    References
    ----------
    Bang & Tsiatis (2000), Biometrika 87:329-343, the partitioned estimator.

    Examples
    --------
    >>> from ipseval.stats.amounts.censored_means import partitioned_mean_amount
    >>> nan = float("nan")
    >>> by_month = [[5, 5], [20, 0], [5, nan], [30, 30]]
    >>> complete, days = [True, True, False, True], [90, 30, 60, 90]
    >>> partitioned_mean_amount(by_month, [45, 90], complete, days).estimate
    28.125
    """
    followed, complete = _checked(is_complete, followed_days)
    amounts = checks.float_array(interval_amounts, "interval_amounts", allow_missing=True)
    ends = checks.float_array(interval_ends, "interval_ends")
    if amounts.shape != (followed.size, ends.size):
        raise AnalysisError(
            f"interval_amounts has shape {amounts.shape} for {followed.size} people and {ends.size} ends. "
            f"Pass one row per person and one column per interval."
        )
    if (np.diff(ends) <= 0).any() or followed.max() > ends[-1]:
        raise AnalysisError(
            f"interval_ends must rise and reach the last day followed ({ends[-1]:g} v {followed.max():g}). "
            f"Cut followed_days at the horizon."
        )
    return _estimate(amounts, ends, complete, followed, conf_level)


def partitioned_mean_replicates(
    interval_amounts: ArrayLike,
    interval_ends: ArrayLike,
    is_complete: ArrayLike,
    followed_days: ArrayLike,
    counts: NDArray[np.integer],
) -> Floats:
    """Return `partitioned_mean_amount` of each bootstrap replicate, its censoring curve estimated anew.

    Parameters
    ----------
    interval_amounts, interval_ends, is_complete, followed_days
        As in `partitioned_mean_amount`, shapes (n, k), (k,), (n,) and (n,). One interval that ends at
        infinity is `weighted_mean_amount`.
    counts : array of int, shape (replicates, n)
        How often each person is drawn, from `ipseval.stats.bootstrap.count_weights`.

    Returns
    -------
    array of float, shape (replicates,)
        NaN where a replicate's longest record is censored, so that its mean is not identified.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.amounts.censored_means import partitioned_mean_replicates
    >>> amounts, once = np.array([[10], [20], [5], [60]]), np.ones((1, 4), dtype=int)
    >>> complete, days = [True, True, False, True], [90, 30, 60, 90]
    >>> partitioned_mean_replicates(amounts, [np.inf], complete, days, once).round(6).tolist()
    [31.25]
    """
    followed, complete = _checked(is_complete, followed_days)
    order = np.lexsort((~complete, followed))
    drawn, ends_complete, last = counts[:, order].astype(np.float64), complete[order], followed[order]
    followed_to = replicate_curves(drawn, ends_complete)
    total = np.zeros(len(counts))
    amounts = np.asarray(interval_amounts, dtype=np.float64)[order]
    ends = np.asarray(interval_ends, dtype=np.float64)
    for amount, end in zip(amounts.T, ends, strict=True):
        reach, early = last >= end, ends_complete & (last < end)
        place = int(np.searchsorted(last, end, "left"))
        to_end = followed_to[:, place - 1] if place else np.ones(len(counts))
        carried = drawn[:, reach] @ amount[reach]
        total += np.divide(carried, to_end, out=np.zeros_like(carried), where=to_end > 0)
        mine, stayed = drawn[:, early], followed_to[:, early]
        total += np.divide(mine, stayed, out=np.zeros_like(mine), where=mine > 0) @ amount[early]
    identified = longest_is_complete(drawn, ends_complete, last)
    return np.where(identified, total / drawn.sum(axis=1), np.nan)


def _checked(is_complete: ArrayLike, followed_days: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    followed = checks.float_array(followed_days, "followed_days")
    complete = checks.boolean_array(is_complete, "is_complete")
    checks.not_negative(followed, "followed_days")
    if checks.same_length(is_complete=complete, followed_days=followed) == 0:
        raise AnalysisError("There is nobody in this arm. Check the population and the arm labels.")
    return followed, complete


def _estimate(
    amounts: Floats, ends: Floats, complete: NDArray[np.bool_], followed: Floats, conf_level: float
) -> CensoredMean:
    """Return the sum over intervals of the simple weighted estimator, one interval being that estimator."""
    level = checks.confidence(conf_level)
    n, n_complete = followed.size, int(complete.sum())
    nowhere = np.full(n, math.nan)
    if note := why_not_identified(complete, followed):
        nan = math.nan
        return CensoredMean(nan, nan, nan, nan, n, n_complete, nan, nowhere, note)
    censoring = censoring_curve(complete, followed)
    seen_to = np.minimum(followed[:, None], ends)
    in_full = complete[:, None] | (followed[:, None] >= ends)
    _refuse_missing(amounts, in_full)
    weights = np.where(in_full, 1 / censoring.followed_to(seen_to), 0.0)
    weighted = weights * np.where(in_full, amounts, 0.0)
    estimate = float(weighted.sum()) / n
    influence = (
        weighted.sum(axis=1)
        - estimate
        + censoring_influence(weighted, seen_to, censoring, complete, followed)
    )
    note = _why_undefined(influence, float(np.abs(weighted).max()), n_complete)
    std_error = math.nan if note else math.sqrt(float((influence**2).sum()) / (n * (n - 1)))
    half_width = float(ndtri((1 + level) / 2)) * std_error
    return CensoredMean(
        estimate,
        std_error,
        estimate - half_width,
        estimate + half_width,
        n,
        n_complete,
        float(weights.max()),
        influence,
        note,
    )


def _refuse_missing(amounts: Floats, in_full: NDArray[np.bool_]) -> None:
    missing = np.isnan(amounts) & in_full
    if missing.any():
        raise AnalysisError(
            f"An amount is missing in {int(missing.sum())} of {int(in_full.sum())} intervals that were seen "
            f"in full. Fill in 0 where nothing accrued, or correct followed_days and is_complete."
        )


def _why_undefined(influence: Floats, largest: float, n_complete: int) -> str:
    if n_complete < 2:
        return "Fewer than two people are complete: the spread cannot be estimated."
    # Totals can be alike where their parts are not; rounding must not pass for spread.
    return NO_SPREAD if np.abs(influence).max() <= 1e-12 * largest else ""
