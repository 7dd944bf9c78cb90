"""Days, hours and earnings per person and month, for months with any edges.

Each spell is cut at the edges of the months it touches; what falls into a person-month is then one
``bincount``. Memory grows with the months touched, not with the days. For rates per arm over
millions of spells see ``ipseval.spells.rates``, which makes no person-month panel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval.errors import AnalysisError
from ipseval.spells.intervals import Days, Floats, Spells, earnings_per_day, hours_per_day, merge


def days_by_month(spells: Spells, edges: ArrayLike) -> Days:
    """Return the days per person and month on which at least one spell runs.

    Parameters
    ----------
    spells : Spells
        Clipped to the days followed.
    edges : array of int, shape (persons or 1, n_months + 1)
        From ``ipseval.months.month_edges``.

    Returns
    -------
    array of int, shape (persons, n_months)
        Above 0 where the person worked on any day of the month. A month outside follow-up shows the
        days that are known; ``ipseval.months.observed_months`` says which months are whole.

    Examples
    --------
    >>> from ipseval.months import month_edges
    >>> from ipseval.spells import job_spells
    >>> jobs = job_spells([0, 0], [5, 20], [39, 24], n_persons=1)
    >>> days_by_month(jobs, month_edges(3, "30_days")).tolist()
    [[25, 10, 0]]
    """
    episodes = merge(spells)
    return _sum_by_month(episodes, np.ones(len(episodes)), edges).astype(np.int64)


def hours_by_month(spells: Spells, edges: ArrayLike) -> Floats:
    """Return hours per person and month; a spell's hours are shared out by its days in the month.

    As ``days_by_month``, but overlapping spells both count, and months that a spell with unknown
    hours touches are missing (nan).
    """
    return _sum_by_month(spells, hours_per_day(spells), edges)


def earnings_by_month(spells: Spells, edges: ArrayLike) -> Floats:
    """Return earnings per person and month, in the trial's currency, shared out by days.

    As ``hours_by_month``; months that a spell with unknown hours or wage touches are missing (nan).
    """
    return _sum_by_month(spells, earnings_per_day(spells), edges)


def _sum_by_month(spells: Spells, per_day: Floats, edges: ArrayLike) -> Floats:
    edges = _checked_edges(edges, spells.n_persons)
    n_months = edges.shape[1] - 1
    spell, month, days = _days_shared(spells, edges)
    cell = spells.person[spell] * n_months + month
    total = np.bincount(cell, days * per_day[spell], minlength=spells.n_persons * n_months)
    return total.reshape(spells.n_persons, n_months).astype(np.float64, copy=False)


def _checked_edges(edges: ArrayLike, n_persons: int) -> Days:
    array = np.asarray(edges, dtype=np.int64)
    if array.ndim != 2 or len(array) not in (1, n_persons) or array.shape[1] < 2:
        raise AnalysisError(
            f"edges has shape {array.shape}; expected 1 or {n_persons} rows and at least 2 columns. "
            f"Make it with month_edges, for the same people as the spells."
        )
    return array


def _days_shared(spells: Spells, edges: Days) -> tuple[NDArray[np.intp], Days, Days]:
    """Return every pair of a spell and a month it touches: spell, 0-based month, days shared."""
    row = spells.person if len(edges) > 1 else np.zeros_like(spells.person)
    first = np.maximum(_month_of(spells.start, row, edges), 0)
    last = np.minimum(_month_of(spells.end, row, edges), edges.shape[1] - 2)
    n_touched = np.maximum(last - first + 1, 0)
    spell = np.repeat(np.arange(len(spells)), n_touched)
    before = np.cumsum(n_touched) - n_touched
    month = np.arange(len(spell)) - before[spell] + first[spell]
    begins, ends = edges[row[spell], month], edges[row[spell], month + 1] - 1
    days = np.minimum(spells.end[spell], ends) - np.maximum(spells.start[spell], begins) + 1
    return spell, month, days


def _month_of(day: Days, row: Days, edges: Days) -> Days:
    """Return the 0-based month of each day; -1 before the first month, n_months after the last."""
    # Every row of edges gets its own stretch of one long line, so that one search serves all.
    low, high = edges.min() - 1, edges.max() + 1
    width = high - low + 1
    line = (edges - low + np.arange(len(edges))[:, None] * width).ravel()
    days_on_line = np.clip(day, low, high) - low + row * width
    month: Days = np.searchsorted(line, days_on_line, side="right") - row * edges.shape[1] - 1
    return month
