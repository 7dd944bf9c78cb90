"""Sets of months as bits: bit ``k`` of word ``w`` is month ``64 w + k``, counted from 0.

What a spell touches is one table entry AND another; overlapping spells merge by OR; months that were
not observed fall away by AND; how many people have each month is a histogram of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.months import Dates, MonthTicks, month_ticks

Days = NDArray[np.int64]
Words = NDArray[np.uint64]

_MONTHS_PER_WORD = 64


@dataclass(frozen=True)
class MonthBits:
    """Tables from a date to sets of months, for people randomised on known dates.

    Attributes
    ----------
    ticks : MonthTicks
    onward, so_far : array of uint64, shape (words, ticks + 2)
        The months from that of a day on, and those up to it, by the day's difference in ticks + 1.
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

    def touched(self, randomised: Days, start: Days, end: Days) -> list[Words]:
        """Return the months that each spell touches, word by word; all in days since 1970."""
        origin = self.ticks.origin_ticks(randomised) - 1
        first, last = self.ticks.date_ticks(start) - origin, self.ticks.date_ticks(end) - origin
        tables = zip(self.onward, self.so_far, strict=True)
        return [a.take(first, mode="clip") & b.take(last, mode="clip") for a, b in tables]

    def observed(self, randomised: Days, until: Days) -> list[Words]:
        """Return each person's whole months from randomisation to ``until``, word by word.

        They are those after the month of day -1 and before the month of the day after the end.
        """
        origin = self.ticks.origin_ticks(randomised) - 1
        before = self.ticks.date_ticks(randomised - 1) - origin
        after = self.ticks.date_ticks(until + 1) - origin
        tables = zip(self.onward, self.so_far, strict=True)
        return [~(a.take(after, mode="clip") | b.take(before, mode="clip")) for a, b in tables]


def _packed(flags: NDArray[np.bool_]) -> Words:
    """Return rows of months as words, shape (words, rows)."""
    values = np.uint64(1) << np.arange(_MONTHS_PER_WORD, dtype=np.uint64)
    pieces = [flags[:, at : at + _MONTHS_PER_WORD] for at in range(0, flags.shape[1], _MONTHS_PER_WORD)]
    return np.array([piece @ values[: piece.shape[1]] for piece in pieces])


def merged(who: NDArray[np.integer], words: list[Words]) -> tuple[NDArray[np.integer], list[Words]]:
    """Merge spells of one person that stand together by OR; return whose they are, and the words."""
    is_first = np.ones(len(who), dtype=np.bool_)
    is_first[1:] = who[1:] != who[:-1]
    first = np.flatnonzero(is_first)
    return who.take(first), [np.bitwise_or.reduceat(word, first) for word in words]


def counts(words: list[Words], group: NDArray[np.integer], n_groups: int, n_months: int) -> Days:
    """Return how many people of each group have each month, shape (n_groups, n_months)."""
    values = np.arange(256)[:, None] >> np.arange(8) & 1
    offset = group.astype(np.intp) << 8
    months = []
    for month in range(0, n_months, 8):
        word, shift = divmod(month, _MONTHS_PER_WORD)
        byte = words[word] >> np.uint64(shift) & np.uint64(255)
        histogram = np.bincount(offset | byte.view(np.int64), minlength=256 * n_groups)
        months.append(histogram.reshape(n_groups, 256) @ values)
    return np.hstack(months)[:, :n_months]
