"""Weights that make up for people lost: who is complete stands for 1 / K, K the chance to be followed.

K is the Kaplan-Meier probability of still being followed at the end of a person's own record, estimated
among the people given: one arm at a time. The assumption is that leaving says nothing about what comes after.

Ties: on any day completion comes before censoring. A person who completes on day d is weighted by
``K(d-)``, the probability of being followed to d or beyond, and is not at risk of censoring on day d.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Censoring(NamedTuple):
    """The Kaplan-Meier curve of censoring: at each distinct day, who was at risk and who was censored."""

    day: Floats
    at_risk: Floats
    censored: Floats

    def followed_to(self, day: Floats) -> Floats:
        """Return K(day-), the probability of being followed to a day or beyond."""
        survival = np.concatenate([[1.0], np.cumprod(1 - self.censored / self.at_risk)])
        return survival[np.searchsorted(self.day, day, "left")]


def censoring_curve(complete: Mask, followed: Floats) -> Censoring:
    """Return the censoring curve before the last complete day; later censoring weighs on nobody.

    Parameters
    ----------
    complete : array of bool, shape (n,)
        True if a person's record is final: followed to the horizon, or died before it. At least one is.
    followed : array, shape (n,)
        Days since randomisation to the end of each record.
    """
    last = followed[complete].max()
    days, censored = np.unique(followed[~complete & (followed < last)], return_counts=True)
    ordered = np.sort(followed)
    leaving = np.sort(followed[complete])
    # At risk on a day: everyone followed to it or beyond, but for those who complete on that very day.
    reached = followed.size - np.searchsorted(ordered, days, "left")
    completing = np.searchsorted(leaving, days, "right") - np.searchsorted(leaving, days, "left")
    return Censoring(days, (reached - completing).astype(np.float64), censored.astype(np.float64))


def complete_weights(complete: Mask, followed: Floats) -> Floats:
    """Return 1 / K for who is complete and 0 for who was lost, shape (n,); see `censoring_curve`.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.amounts.censoring_weights import complete_weights
    >>> complete_weights(np.array([True, True, False, True]), np.array([90.0, 30, 60, 90])).round(6).tolist()
    [1.5, 1.0, 0.0, 1.5]
    """
    return np.where(complete, 1 / censoring_curve(complete, followed).followed_to(followed), 0.0)


def replicate_weights(complete: Mask, followed: Floats, counts: NDArray[np.integer]) -> Floats:
    """Return `complete_weights` times the count of each person, the curve estimated anew in each replicate.

    Parameters
    ----------
    complete, followed : arrays, shape (n,)
        As for `censoring_curve`.
    counts : array of int, shape (replicates, n)
        How often each person is drawn.

    Returns
    -------
    array, shape (replicates, n)
        NaN in a replicate whose longest record is censored: nobody shows what comes after it.
    """
    order = np.lexsort((~complete, followed))
    drawn = counts[:, order].astype(np.float64)
    ends_complete, last = complete[order], followed[order]
    weights: Floats = np.empty_like(drawn)
    weights[:, order] = np.divide(
        drawn,
        replicate_curves(drawn, ends_complete),
        out=np.zeros_like(drawn),
        where=ends_complete & (drawn > 0),
    )
    weights[~longest_is_complete(drawn, ends_complete, last)] = np.nan
    return weights


def replicate_curves(drawn: Floats, ends_complete: Mask) -> Floats:
    """Return K after each person of each replicate, people in order of their last day, shape (replicates, n).

    Those who complete on a day come before those who are censored on it. Kaplan-Meier factors of tied people
    multiply to the factor of the tie, so that one person a step is exact.
    """
    remaining = np.cumsum(drawn[:, ::-1], axis=1)[:, ::-1]
    leaving = np.where(ends_complete, 0.0, drawn)
    stays = 1.0 - np.divide(leaving, remaining, out=np.zeros_like(drawn), where=remaining > 0)
    # Unchanged at a complete person, who does not leave by censoring.
    return np.cumprod(stays, axis=1).astype(np.float64, copy=False)


def longest_is_complete(drawn: Floats, ends_complete: Mask, last: Floats) -> Mask:
    """Return, for each replicate, whether someone with its longest record is complete."""
    longest = np.where(drawn > 0, last, -np.inf).max(axis=1)
    found: Mask = np.where(ends_complete & (drawn > 0), last, -np.inf).max(axis=1) == longest
    return found


def censoring_influence(
    weighted: Floats, seen_to: Floats, censoring: Censoring, complete: Mask, followed: Floats
) -> Floats:
    """Return what each person's presence in the censoring curve adds to their influence on a weighted sum.

    A person censored on day u raises the weights of all who end later: by what those carry, divided by
    the people left; everyone at risk on u takes a share of that away. The terms sum to 0 over people.

    Parameters
    ----------
    weighted : array
        What each weight carries, the weight included.
    seen_to : array, same shape
        The day at which the weight of each was read from the curve.
    censoring, complete, followed
        The curve and what it was made of, shape (n,).

    Returns
    -------
    array, shape (n,)
    """
    order = np.argsort(seen_to, axis=None)
    carried = np.concatenate([[0.0], np.cumsum(weighted.ravel()[order])])
    later = carried[-1] - carried[np.searchsorted(seen_to.ravel()[order], censoring.day, "right")]
    raised = later / (censoring.at_risk - censoring.censored)
    shared = np.concatenate([[0.0], np.cumsum(raised * censoring.censored / censoring.at_risk)])
    # A complete person is at risk before their last day, a censored one on it too (see Ties above).
    taken = np.where(
        complete,
        shared[np.searchsorted(censoring.day, followed, "left")],
        shared[np.searchsorted(censoring.day, followed, "right")],
    )
    given = np.zeros(followed.size)
    left = ~complete & np.isin(followed, censoring.day)
    given[left] = raised[np.searchsorted(censoring.day, followed[left])]
    return given - taken


def why_not_identified(complete: Mask, followed: Floats) -> str:
    """Return why what accrues to the horizon cannot be estimated, or nothing."""
    if not complete.any():
        return "Nobody is complete: choose an earlier horizon."
    last = followed[complete].max()
    beyond = int((followed > last).sum())
    if beyond:
        return (
            f"{beyond} of {followed.size} people left after day {last:g}, the last with anyone complete: "
            f"choose an earlier horizon."
        )
    return ""
