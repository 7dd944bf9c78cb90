"""Monthly employment rates per arm from millions of spells, without a person-month panel."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.months import Dates, date_array
from ipseval.spells import month_bits
from ipseval.spells.intervals import Days, check_order, check_persons
from ipseval.spells.month_bits import MonthBits

# People taken at a time: what is made of a block on the way stays in the processor's cache.
_BLOCK = 20_000
_ZERO = np.zeros((), dtype=np.int64)
_STILL_GOING = np.datetime64("9999-12-31", "D").astype(np.int64)
_MISSING = np.datetime64("NaT", "D").astype(np.int64)


@dataclass(frozen=True)
class MonthlyRates:
    """People employed and observed, per arm and month.

    Attributes
    ----------
    n_employed, n_observed : array of int, shape (n_arms, n_months)
    """

    n_employed: Days
    n_observed: Days

    @property
    def proportion(self) -> NDArray[np.float64]:
        """Employed over observed; nan where nobody was observed."""
        nobody = self.n_observed == 0
        return np.where(nobody, np.nan, self.n_employed / np.where(nobody, 1, self.n_observed))


def monthly_rates(
    person: ArrayLike,
    started_on: ArrayLike,
    ended_on: ArrayLike,
    *,
    arm: ArrayLike,
    randomised_on: ArrayLike,
    observed_until: ArrayLike,
    n_months: int,
    rule: str = "anniversary",
    first_month: np.datetime64 | None = None,
    counted: ArrayLike | None = None,
) -> MonthlyRates:
    """Return how many people per arm were employed on any day of each month they were observed in.

    A month is observed if all of it lies between randomisation and ``observed_until``. Nothing
    outside those dates can enter an observed month, so spells need not be clipped first.

    Parameters
    ----------
    person : array of int, one per spell
        Index into the arrays below. Any order; those sorted by person need not be sorted first.
    started_on, ended_on : array of datetime64, one per spell
        Both inclusive. A missing (NaT) ``ended_on`` means still going at ``observed_until``.
    arm : array of int, one per person
        Code of the arm, 0 to the number of arms less 1.
    randomised_on, observed_until : array of datetime64, one per person
        ``observed_until`` is the last date on which the person's status is known. It may lie after
        the last contact where a rule settles the status; such a person's spells need an end.
    n_months : int
    rule : str
        One of ``ipseval.months.MONTH_RULES``.
    first_month : datetime64[M], optional
        Where calendar months begin; by default the month of the earliest randomisation.
    counted : array of bool, one per spell, optional
        Spells that count, the competitive ones say. By default all do.

    Returns
    -------
    MonthlyRates

    Raises
    ------
    AnalysisError
        If arrays differ in length, a date other than ``ended_on`` is missing, a spell ends before
        it starts, or a code is out of range.

    Examples
    --------
    >>> rates = monthly_rates(
    ...     person=[0, 0, 1],
    ...     started_on=np.array(["2020-02-03", "2020-02-20", "2020-01-01"], "M8[D]"),
    ...     ended_on=np.array(["2020-02-25", "2020-03-30", "2020-01-31"], "M8[D]"),
    ...     arm=[0, 0],
    ...     randomised_on=np.array(["2020-01-31", "2020-01-15"], "M8[D]"),
    ...     observed_until=np.array(["2020-06-30", "2020-03-14"], "M8[D]"),
    ...     n_months=3,
    ... )
    >>> rates.n_employed.tolist(), rates.n_observed.tolist()
    ([[2, 1, 0]], [[2, 2, 1]])
    """
    day_0 = date_array(randomised_on, "randomised_on")
    until = date_array(observed_until, "observed_until")
    arm = _arm_codes(arm)
    n_arms = int(arm.max()) + 1
    n_persons = checks.same_length(arm=arm, randomised_on=day_0, observed_until=until)
    spells = _DatedSpells.checked(person, started_on, ended_on, counted, n_persons)
    bits = MonthBits.of(n_months, rule, day_0, first_month)
    randomised, last = day_0.view(np.int64), until.view(np.int64)

    def employed_and_observed(people: slice) -> Days:
        who, start, end = spells.of(people)
        origin = bits.origin(randomised[people])
        worked = month_bits.merged(who, bits.touched(origin.take(who), start, end), len(origin))
        observed = bits.observed(origin, randomised[people], last[people])
        employed = [mine & seen for mine, seen in zip(worked, observed, strict=True)]
        both = (employed, observed)
        return np.array([month_bits.histograms(words, arm[people], n_arms) for words in both])

    totals = _total(employed_and_observed, n_persons)
    n_employed, n_observed = (month_bits.counts(total, n_months) for total in totals)
    return MonthlyRates(n_employed, n_observed)


def _total(work: Callable[[slice], Days], n_rows: int) -> Days:
    """Return the sum of ``work`` over blocks of rows; each thread takes the next block left."""
    blocks = [slice(at, min(at + _BLOCK, n_rows)) for at in range(0, n_rows, _BLOCK)]
    if len(blocks) == 1:
        return work(blocks[0])
    to_do, n_threads = iter(blocks), os.cpu_count() or 1
    with ThreadPoolExecutor(n_threads) as pool:
        shares = pool.map(lambda _: sum(map(work, to_do), start=_ZERO), range(n_threads))
    return sum(shares, start=_ZERO)


def _arm_codes(arm: ArrayLike) -> NDArray[np.integer]:
    codes = np.asarray(arm)
    if codes.dtype.kind not in "iu" or codes.size == 0 or codes.min() < 0:
        raise AnalysisError("arm holds values other than codes 0, 1, ... Number the arms, reference first.")
    return codes


def _is_sorted(values: NDArray[np.integer]) -> bool:
    # In pieces that share an end, so that no flag per spell is kept.
    pieces = (values[at : at + _BLOCK + 1] for at in range(0, len(values), _BLOCK))
    return all(bool((piece[:-1] <= piece[1:]).all()) for piece in pieces)


@dataclass(frozen=True)
class _DatedSpells:
    """Spells sorted by person; their dates are looked at, and refused, block by block."""

    person: NDArray[np.integer]
    started_on: Dates
    ended_on: Dates
    counted: NDArray[np.bool_] | None

    @classmethod
    def checked(
        cls,
        person: ArrayLike,
        started_on: ArrayLike,
        ended_on: ArrayLike,
        counted: ArrayLike | None,
        n_persons: int,
    ) -> _DatedSpells:
        who = np.asarray(person)
        start = date_array(started_on, "started_on", allow_missing=True)
        end = date_array(ended_on, "ended_on", allow_missing=True)
        keep = None if counted is None else checks.boolean_array(counted, "counted")
        checks.same_length(person=who, started_on=start, ended_on=end, counted=who if keep is None else keep)
        check_persons(who, n_persons)
        if not _is_sorted(who):
            order = np.argsort(who, kind="stable")
            who, start, end = who[order], start[order], end[order]
            keep = None if keep is None else keep[order]
        return cls(who, start, end, keep)

    def of(self, people: slice) -> tuple[NDArray[np.intp], Days, Days]:
        """Return the spells that count of ``people``: whose, from the first of them, start and end."""
        rows = slice(bisect_left(self.person, people.start), bisect_left(self.person, people.stop))
        who, start, end = self.person[rows], self.started_on[rows], self.ended_on[rows]
        if self.counted is not None:
            kept = np.flatnonzero(self.counted[rows])
            who, start, end = who.take(kept), start.take(kept), end.take(kept)
        first, last = start.view(np.int64), end.view(np.int64)
        if (last == _MISSING).any():
            last = np.where(last == _MISSING, _STILL_GOING, last)
        if (first == _MISSING).any() or (first > last).any():
            self._refuse()
        return np.subtract(who, people.start, dtype=np.intp), first, last

    def _refuse(self) -> None:
        """Say what is wrong, counted over all spells."""
        date_array(self.started_on, "started_on")
        check_order(self.started_on, self.ended_on)
