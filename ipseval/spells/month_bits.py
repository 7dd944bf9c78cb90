"""Sets of months as bits: bit ``k`` of word ``w`` is month ``30 w + k``, counted from 0.

What a spell touches is one table entry AND another; overlapping spells merge by OR; months that were
not observed fall away by AND; how many people have each month is a histogram of ten bits at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.months import Dates, MonthTicks, month_ticks

Days = NDArray[np.int64]
Words = NDArray[np.uint32]

# Three histograms of ten bits make a word; each of them fits the processor's nearest cache.
_MONTHS_PER_WORD = 30
_MONTHS_PER_HISTOGRAM = 10
_BINS = 1 << _MONTHS_PER_HISTOGRAM
_SHIFTS = np.arange(0, _MONTHS_PER_WORD, _MONTHS_PER_HISTOGRAM, dtype=np.uint32)


@dataclass(frozen=True)
class MonthBits:
    """Tables from a date to sets of months, for people randomised on known dates.

    Attributes
    ----------
    ticks : MonthTicks
    onward, so_far : array of uint32, shape (words, ticks + 2)
        The months from that of a day on, and those up to it, by the ticks from a person's origin.
        Entry 0 stands for every day before the first month, the last for every day after the last.
    """

    ticks: MonthTicks
    onward: Words
    so_far: Words

    @classmethod
    def of(
        cls, n_months: int, rule: str, randomised_on: Dates, first_month: np.datetime64 | None
    ) -> MonthBits:
        """Return the tables; the arguments are those of ``ipseval.months.month_edges``."""
        ticks = month_ticks(n_months, rule, randomised_on, first_month)
        month = np.concatenate(([-1], ticks.month, [n_months]))[:, None]
        each = np.arange(n_months)
        return cls(ticks, _packed(each >= month), _packed(each <= month))

    def origin(self, randomised: Days) -> Days:
        """Return the tick before month 1, by date of randomisation; all dates in days since 1970."""
        return self.ticks.origin_ticks(randomised) - 1

    def touched(self, origin: Days, start: Days, end: Days) -> list[Words]:
        """Return the months that each spell touches, word by word."""
        pairs = zip(self._at(start, origin, self.onward), self._at(end, origin, self.so_far), strict=True)
        return [onward & so_far for onward, so_far in pairs]

    def observed(self, origin: Days, randomised: Days, until: Days) -> list[Words]:
        """Return each person's whole months from randomisation to ``until``, word by word.

        They are those after the month of day -1 and before the month of the day after the end.
        """
        before = self._at(randomised - 1, origin, self.so_far)
        after = self._at(until + 1, origin, self.onward)
        return [~(early | late) for early, late in zip(before, after, strict=True)]

    def _at(self, dates: Days, origin: Days, table: Words) -> list[Words]:
        ticks = self.ticks.date_ticks(dates) - origin
        return [word.take(ticks, mode="clip") for word in table]


def _packed(flags: NDArray[np.bool_]) -> Words:
    """Return rows of months as words, shape (words, rows)."""
    values = np.uint32(1) << np.arange(_MONTHS_PER_WORD, dtype=np.uint32)
    pieces = [flags[:, at : at + _MONTHS_PER_WORD] for at in range(0, flags.shape[1], _MONTHS_PER_WORD)]
    return np.array([piece @ values[: piece.shape[1]] for piece in pieces])


def merged(who: NDArray[np.intp], words: list[Words], n_persons: int) -> list[Words]:
    """Merge the spells of each person by OR, word by word; ``who`` is sorted."""
    is_first = np.ones(len(who), dtype=np.bool_)
    is_first[1:] = who[1:] != who[:-1]
    first = is_first.nonzero()[0]
    months = np.zeros((len(words), n_persons), dtype=np.uint32)
    whose = who.take(first)
    for of_all, word in zip(months, words, strict=True):
        of_all[whose] = np.bitwise_or.reduceat(word, first)
    return list(months)


def histograms(words: list[Words], group: NDArray[np.integer], n_groups: int) -> Days:
    """Return how many people of each group have each set of ten months, shape (tens, groups, 1024)."""
    offset = group.astype(np.uint32) << _MONTHS_PER_HISTOGRAM
    tens = [
        np.bincount(offset | (word >> shift & (_BINS - 1)), minlength=n_groups * _BINS)
        for word in words
        for shift in _SHIFTS
    ]
    return np.array(tens).reshape(-1, n_groups, _BINS)


def counts(histograms: Days, n_months: int) -> Days:
    """Return how many people of each group have each month, shape (groups, months)."""
    has_month = np.arange(_BINS)[:, None] >> np.arange(_MONTHS_PER_HISTOGRAM) & 1
    return np.hstack(list(histograms @ has_month))[:, :n_months]
