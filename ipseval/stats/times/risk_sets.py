"""Who leaves when, for what reason, and who is still at risk: the counts every survival kernel needs.

Whole days (or months) are counted with a histogram, in one pass and without a sort; any other
durations are sorted once. Both roads give the same table.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

# Rows counted at a time: what is made from them along the way stays in the processor's cache.
_BLOCK = 2**16

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = "slice | Integers"


class RiskTable(NamedTuple):
    """Counts at the distinct observed times, in order.

    ``leaving[s, k]`` people leave at ``time[k]`` in state ``s`` (0 is always censored), and
    ``n_risk[k]`` are at risk just before it: whoever leaves at a time is still at risk there, so a
    person censored at the time of an event counts as at risk for that event.
    """

    time: Floats
    n_risk: Floats
    leaving: Floats


def risk_table(
    duration: ArrayLike,
    state: NDArray[np.bool_] | Integers,
    n_states: int,
    *,
    group: Integers | None = None,
    n_groups: int = 1,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
) -> RiskTable:
    """Return the table of people at risk and leaving, from one row per person.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time from randomisation to leaving, 0 or more.
    state : array of bool or int, shape (n,)
        Why the person left: a code from 0 to ``n_states - 1``.
    group : array of int, shape (n,), optional
        A code from 0 to ``n_groups - 1``. ``leaving`` then has a row for every state and group, the
        groups of state 0 first.
    entry : array, shape (n,), optional
        Delayed entry: at risk on (entry, duration].
    frequency : array, shape (n,), optional
        How many people a row stands for, 0 or more.
    """
    exits = durations(duration)
    checks.same_length(duration=exits, state=state)
    weights = None if frequency is None else frequencies(frequency, exits.size)
    time, place = time_grid(exits)
    leaving = _counts(place, state, group, (n_states, n_groups, time.size), weights)
    occupied = leaving.any(axis=0)
    if not occupied.any():
        raise AnalysisError("frequency is 0 for everyone. Pass the rows that stand for at least one person.")
    time, leaving = time[occupied], leaving[:, occupied]
    n_risk = reverse_cumulative(leaving.sum(axis=0))
    if entry is not None:
        n_risk = n_risk - still_to_enter(entries(entry, exits), time, weights)
    return RiskTable(time, n_risk, leaving)


def _counts(
    place: Integers,
    state: NDArray[np.bool_] | Integers,
    group: Integers | None,
    shape: tuple[int, int, int],
    frequency: Floats | None,
) -> Floats:
    """Return how many people are in each state and group at each place, shape (states x groups, places)."""
    n_states, n_groups, n_places = shape
    cells = np.zeros(n_states * n_groups * n_places)
    rows = max(_BLOCK, 4 * cells.size)
    for start in range(0, place.size, rows):
        block = slice(start, start + rows)
        cell = place[block] + n_groups * n_places * state[block]
        if group is not None:
            cell += n_places * group[block]
        cells += np.bincount(cell, None if frequency is None else frequency[block], minlength=cells.size)
    return cells.reshape(n_states * n_groups, n_places)


def durations(duration: ArrayLike) -> Floats | Integers:
    """Return the durations, whole numbers kept whole; refuse dates, missing, negative and empty."""
    array = np.asarray(duration)
    if array.dtype.kind in "mM":
        raise AnalysisError("duration holds dates or time differences. Convert it to a number of days.")
    array = (
        array.astype(np.int64, copy=False)
        if array.dtype.kind in "iu"
        else checks.float_array(array, "duration")
    )
    if array.size == 0:
        raise AnalysisError(
            "Nobody is at risk: duration is empty. Pass one duration for each of 1 or more people."
        )
    if array.ndim != 1:
        raise AnalysisError(
            f"duration has shape {array.shape}. Pass one duration for each of 1 or more people."
        )
    if array.min() < 0:
        checks.not_negative(array, "duration")
    return array


def entries(entry: ArrayLike, exits: Floats | Integers) -> Floats:
    """Return the entry times; refuse a person who enters when already gone."""
    array = checks.float_array(np.asarray(entry), "entry")
    checks.same_length(entry=array, duration=exits)
    if late := int((array >= exits).sum()):
        raise AnalysisError(
            f"entry is not before duration for {late} of {array.size} people, who are then never at risk. "
            f"Correct the entry times or leave these rows out."
        )
    return array


def frequencies(frequency: ArrayLike, n: int) -> Floats:
    """Return how many people each row stands for."""
    array = checks.float_array(np.asarray(frequency), "frequency")
    checks.same_length(frequency=array, duration=np.empty(n))
    if wrong := int((array < 0).sum()):
        raise AnalysisError(
            f"frequency is negative for {wrong} of {n} rows. Pass how many people each row stands for."
        )
    return array


def time_grid(exits: Floats | Integers) -> tuple[Floats, Integers]:
    """Return times in order and the place of each duration among them.

    For whole durations the grid is every day from 0 to the last, so some of its times may be
    unoccupied; the place of a duration is then the duration itself, and nothing is sorted.
    """
    last = exits.max()
    # A grid much longer than the sample would cost more than the sort that it avoids.
    if last < 8 * exits.size + 10_000:
        days = exits.astype(np.int64, copy=False)
        if days is exits or np.array_equal(days, exits):
            return np.arange(float(last) + 1.0), days
    time, place = np.unique(exits, return_inverse=True)
    return time.astype(np.float64), place.astype(np.int64, copy=False)


def codes(labels: ArrayLike, name: str) -> tuple[NDArray[np.generic], Integers]:
    """Return the sorted distinct labels and the place of each entry among them."""
    array = np.asarray(labels)
    if array.dtype == np.bool_:
        array = array.astype(np.int64)
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() < 4096:
        if array.max() == 1 and array.min() == 0:  # two arms coded as such need no counting
            return np.arange(2), array.astype(np.int64, copy=False)
        present = np.bincount(array) > 0
        return np.flatnonzero(present), (np.cumsum(present) - 1)[array]
    if array.dtype.kind == "f":
        checks.float_array(array, name)
    try:
        levels, place = np.unique(array, return_inverse=True)
    except TypeError:
        raise AnalysisError(
            f"{name} has missing labels or mixes kinds of labels. Give every row one label of one kind."
        ) from None
    return levels, place.astype(np.int64, copy=False)


def strata_rows(strata: ArrayLike | None, n: int) -> list[Rows]:
    """Return the rows of each stratum; without strata one slice, so that nothing is copied."""
    if strata is None:
        return [slice(None)]
    levels, place = codes(strata, "strata")
    checks.same_length(strata=place, duration=np.empty(n))
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=levels.size))
    return list(np.split(order, ends[:-1]))


def reverse_cumulative(counts: Floats) -> Floats:
    """Return the sum from each place to the end, along the first axis."""
    return np.cumsum(counts[::-1], axis=0)[::-1]


def still_to_enter(entry: Floats, time: Floats, frequency: Floats | None) -> Floats:
    """Return how many people enter at or after each time: they are not at risk there yet."""
    order = np.argsort(entry)
    each = np.ones(entry.size) if frequency is None else frequency[order]
    from_place = np.append(reverse_cumulative(each), 0.0)
    return from_place[np.searchsorted(entry[order], time, side="left")]
