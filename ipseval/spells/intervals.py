"""Spells as intervals of days: clip to a window, merge into episodes, total per person.

``clip`` and ``merge`` take spells and return spells, so that every total is one sentence: the days
worked by a horizon are ``days_covered(clip(jobs, 0, horizon - 1))``, the longest episode with
idle weeks bridged is ``longest_spell(merge(clip(jobs, 0, last_day), gap_days=7))``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Days = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spells:
    """Spells of work, sorted by person and then by first day; made by ``job_spells``.

    Attributes
    ----------
    n_persons : int
        People in the population, those without a spell included.
    person : array of int
        Whose spell it is, 0 to ``n_persons - 1``.
    start, end : array of int
        First and last day, both inclusive, counted from randomisation.
    hours_per_week, wage_per_hour : array of float, or None
        Missing (nan) where unknown; None where never recorded, and for merged episodes.
    """

    n_persons: int
    person: Days
    start: Days
    end: Days
    hours_per_week: Floats | None = None
    wage_per_hour: Floats | None = None

    def __len__(self) -> int:
        return len(self.person)

    @property
    def length(self) -> Days:
        """Days in each spell."""
        return self.end - self.start + 1

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Spells:
        """Return the spells at ``rows``, which must keep their order."""
        return Spells(
            self.n_persons,
            self.person[rows],
            self.start[rows],
            self.end[rows],
            None if self.hours_per_week is None else self.hours_per_week[rows],
            None if self.wage_per_hour is None else self.wage_per_hour[rows],
        )


def job_spells(
    person: ArrayLike,
    start: ArrayLike,
    end: ArrayLike,
    *,
    n_persons: int,
    hours_per_week: ArrayLike | None = None,
    wage_per_hour: ArrayLike | None = None,
) -> Spells:
    """Return spells from one array per column, sorted by person and first day.

    Parameters
    ----------
    person : array of int
        Index of the person, 0 to ``n_persons - 1``; rows may come in any order.
    start, end : array of int
        First and last day, inclusive, relative to randomisation; negative before it. A spell that
        is still going ends on any day at or after the last day followed.
    n_persons : int
        People in the population, so that those without a spell have a row in every total.
    hours_per_week, wage_per_hour : array of float, optional
        nan where unknown: totals over windows that such a spell touches are then missing.

    Raises
    ------
    AnalysisError
        If the columns differ in length, a person is out of range, a day is not whole or missing, or
        a spell ends before it starts.

    Examples
    --------
    >>> jobs = job_spells([0, 0, 2], [5, 20, -3], [30, 24, 9], n_persons=3)
    >>> days_covered(clip(jobs, 0, 29)).tolist()
    [25, 0, 10]
    """
    spells = Spells(
        n_persons,
        _whole_numbers(person, "person"),
        _whole_numbers(start, "start"),
        _whole_numbers(end, "end"),
        _amounts(hours_per_week, "hours_per_week"),
        _amounts(wage_per_hour, "wage_per_hour"),
    )
    columns = {name: column for name, column in vars(spells).items() if name != "n_persons"}
    checks.same_length(**{name: column for name, column in columns.items() if column is not None})
    check_persons(spells.person, n_persons)
    check_order(spells.start, spells.end)
    return spells.take(np.lexsort((spells.start, spells.person)))


def _whole_numbers(values: ArrayLike, name: str) -> Days:
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    numbers = checks.float_array(array, name)
    if wrong := int((numbers != np.floor(numbers)).sum()):
        raise AnalysisError(
            f"{name} is not a whole number for {wrong} of {numbers.size} spells. Pass whole days."
        )
    return numbers.astype(np.int64)


def _amounts(values: ArrayLike | None, name: str) -> Floats | None:
    return None if values is None else checks.float_array(values, name, allow_missing=True)


def check_persons(person: NDArray[np.integer], n_persons: int) -> None:
    """Refuse an index that points at nobody."""
    if len(person) and (person.min() < 0 or person.max() >= n_persons):
        wrong = int(((person < 0) | (person >= n_persons)).sum())
        raise AnalysisError(
            f"person is outside 0 to {n_persons - 1} for {wrong} of {len(person)} spells. "
            f"Restrict the spells to people of the population first."
        )


def check_order(start: NDArray[Any], end: NDArray[Any]) -> None:
    """Refuse spells that end before they start; a missing end does not."""
    if wrong := int(np.count_nonzero(end < start)):
        raise AnalysisError(
            f"{wrong} of {len(start)} spells end before they start. Correct the dates, or set these aside."
        )


def clip(spells: Spells, from_day: ArrayLike, to_day: ArrayLike) -> Spells:
    """Return the part of each spell inside [``from_day``, ``to_day``]; spells with no day there go.

    Parameters
    ----------
    from_day, to_day : int, or array of int with one entry per person
        Both inclusive. A window whose ``to_day`` is before its ``from_day`` is empty.
    """
    start = np.maximum(spells.start, _of_spells(spells, from_day, "from_day"))
    end = np.minimum(spells.end, _of_spells(spells, to_day, "to_day"))
    return replace(spells, start=start, end=end).take(start <= end)


def _of_spells(spells: Spells, values: ArrayLike, name: str) -> Days:
    """Return a person's value for each of their spells; a single value serves everyone."""
    array = _whole_numbers(values, name)
    if array.ndim == 0:
        return np.broadcast_to(array, len(spells))
    if array.shape != (spells.n_persons,):
        raise AnalysisError(
            f"{name} has shape {array.shape}, but there are {spells.n_persons} persons. "
            f"Pass one day, or one per person."
        )
    return array[spells.person]


def merge(spells: Spells, *, gap_days: int = 0) -> Spells:
    """Return episodes: spells joined where they overlap, touch, or lie at most ``gap_days`` apart.

    Parameters
    ----------
    gap_days : int
        Idle days between two spells that are bridged. 0, the default, joins spells that overlap
        or follow on the next day. Bridged days are part of the episode's length, so days worked
        come from ``gap_days=0``.

    Returns
    -------
    Spells
        One per episode, without hours and wages.
    """
    if gap_days < 0:
        raise AnalysisError(f"gap_days={gap_days!r} is negative. Pass 0 to bridge no idle day.")
    if len(spells) == 0:
        return replace(spells, hours_per_week=None, wage_per_hour=None)
    # Everyone gets a stretch of one long line, too far from the next for an episode to reach it.
    width = int(spells.end.max() - spells.start.min()) + gap_days + 2
    offset = spells.person * width
    reach = np.maximum.accumulate(spells.end + offset)
    opens = np.append(True, spells.start[1:] + offset[1:] > reach[:-1] + gap_days + 1)
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(spells)) - 1
    return Spells(spells.n_persons, spells.person[first], spells.start[first], reach[last] - offset[last])


def days_covered(spells: Spells) -> Days:
    """Return the days per person on which at least one spell runs; overlapping spells count once."""
    episodes = merge(spells)
    return _sum(episodes, episodes.length.astype(np.float64)).astype(np.int64)


def hours(spells: Spells) -> Floats:
    """Return hours per person: the sum over spells of days x ``hours_per_week`` / 7.

    Overlapping spells both count. A spell with unknown hours makes its person's total missing.
    """
    return _sum(spells, spells.length * hours_per_day(spells))


def earnings(spells: Spells) -> Floats:
    """Return earnings per person: the sum over spells of hours x ``wage_per_hour``.

    Overlapping spells both count. A spell with unknown hours or wage makes its person's total
    missing. The unit is the trial's currency.
    """
    return _sum(spells, spells.length * earnings_per_day(spells))


def hours_per_day(spells: Spells) -> Floats:
    """Return the hours of each spell on each of its days: a seventh of those in a week."""
    return _recorded(spells.hours_per_week, "hours_per_week") / 7


def earnings_per_day(spells: Spells) -> Floats:
    """Return the earnings of each spell on each of its days."""
    return hours_per_day(spells) * _recorded(spells.wage_per_hour, "wage_per_hour")


def _recorded(amounts: Floats | None, name: str) -> Floats:
    if amounts is None:
        raise AnalysisError(f"{name} was not given for these spells. Pass {name}=, with nan where unknown.")
    return amounts


def _sum(spells: Spells, amounts: Floats) -> Floats:
    """Sum over each person's spells; 0 for those without a spell."""
    return np.bincount(spells.person, amounts, minlength=spells.n_persons).astype(np.float64, copy=False)


def n_spells(spells: Spells) -> Days:
    """Return the number of spells per person: jobs held, or episodes once merged."""
    return np.bincount(spells.person, minlength=spells.n_persons).astype(np.int64)


def longest_spell(spells: Spells) -> Days:
    """Return the days in each person's longest spell, 0 without one."""
    longest = np.zeros(spells.n_persons, dtype=np.int64)
    np.maximum.at(longest, spells.person, spells.length)
    return longest


def first_new_start(spells: Spells, last_day: ArrayLike) -> Floats:
    """Return the day on which each person's first new spell starts, nan where there is none.

    Parameters
    ----------
    spells : Spells
        Not clipped: a spell that began before day 0 is never new, however it is cut.
    last_day : int, or array of int with one entry per person
        Last day followed; a spell that starts later is not seen.
    """
    new = (spells.start >= 0) & (spells.start <= _of_spells(spells, last_day, "last_day"))
    first = np.full(spells.n_persons, np.inf)
    np.minimum.at(first, spells.person[new], spells.start[new])
    return np.where(np.isinf(first), np.nan, first)


def in_spell_at_randomisation(spells: Spells) -> NDArray[np.bool_]:
    """Return whether each person had a spell under way: begun before day 0 and not ended before it."""
    under_way = (spells.start < 0) & (spells.end >= 0)
    return n_spells(spells.take(under_way)) > 0


def covers(spells: Spells, day: ArrayLike) -> NDArray[np.bool_]:
    """Return whether some spell of each person runs on ``day``, one day or one per person."""
    return n_spells(clip(spells, day, day)) > 0
