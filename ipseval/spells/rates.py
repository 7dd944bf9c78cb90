"""Monthly employment rates per arm from millions of spells, without a person-month panel.

Each person's months at work are the bits of a word: overlapping spells merge by OR, months that
were not observed fall away by AND, and each arm's rates are a histogram of the words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.months import Dates, MonthTicks, date_array, month_ticks
from ipseval.spells.intervals import Days, check_order, check_persons

Words = NDArray[np.uint64]

_MONTHS_PER_WORD = 64
# Spells taken at a time: the temporaries of a block stay in the processor's cache.
_BLOCK = 1 << 15
_STILL_GOING = np.datetime64("9999-12-31", "D")
_FOOT_OF_EACH_BYTE = np.uint64(0x0101010101010101)


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
        Index into the arrays below. Any order; fastest when each person's spells stand together.
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
    arm = _arm_codes(arm)
    day_0 = date_array(randomised_on, "randomised_on")
    until = date_array(observed_until, "observed_until")
    n_persons = checks.same_length(arm=arm, randomised_on=day_0, observed_until=until)
    ticks = month_ticks(n_months, rule, day_0, first_month)
    from_bits, to_bits = _bit_tables(ticks.month, n_months)
    worked = np.zeros((len(from_bits), n_persons), dtype=np.uint64)
    observed = _observed_bits(ticks, from_bits, to_bits, day_0, until)
    for who, start, end in _blocks(person, started_on, ended_on, counted, n_persons):
        origin = ticks.person_ticks.take(who) - 1
        start, end = ticks.date_ticks(start) - origin, ticks.date_ticks(end) - origin
        runs = np.flatnonzero(np.append(True, who[1:] != who[:-1]))
        for word, begun, not_over in zip(worked, from_bits, to_bits, strict=True):
            bits = begun.take(start, mode="clip") & not_over.take(end, mode="clip")
            np.bitwise_or.at(word, who[runs], np.bitwise_or.reduceat(bits, runs))
    worked &= observed
    return MonthlyRates(_counts(worked, arm, n_months), _counts(observed, arm, n_months))


def _arm_codes(arm: ArrayLike) -> NDArray[np.intp]:
    codes = np.asarray(arm)
    if codes.dtype.kind not in "iu" or codes.size == 0 or codes.min() < 0:
        raise AnalysisError("arm holds values other than codes 0, 1, ... Number the arms, reference first.")
    return codes.astype(np.intp, copy=False)


def _bit_tables(month: Days, n_months: int) -> tuple[Words, Words]:
    """Return, by difference in ticks + 1, the months from that one on, and those up to it.

    Entry 0 stands for every day before the first month, the last entry for every day after the
    last. The months that a spell touches are one entry of each table, by AND.
    """
    month = np.concatenate(([-1], month, [n_months]))
    bit = np.arange(n_months)
    return _packed(bit >= month[:, None]), _packed(bit <= month[:, None])


def _packed(flags: NDArray[np.bool_]) -> Words:
    """Return rows of months as words, shape (words, rows); bit ``k`` of word ``w`` is month 64 w + k."""
    weights = np.uint64(1) << np.arange(_MONTHS_PER_WORD, dtype=np.uint64)
    pieces = range(0, flags.shape[1], _MONTHS_PER_WORD)
    words = [flags[:, at : at + _MONTHS_PER_WORD] for at in pieces]
    return np.array([word @ weights[: word.shape[1]] for word in words])


def _observed_bits(ticks: MonthTicks, from_bits: Words, to_bits: Words, day_0: Dates, until: Dates) -> Words:
    """Return each person's observed months: later than that of day -1, earlier than that of F + 1."""
    origin = ticks.person_ticks - 1
    before = ticks.date_ticks(day_0.astype(np.int64) - 1) - origin
    after = ticks.date_ticks(until.astype(np.int64) + 1) - origin
    tables = zip(from_bits, to_bits, strict=True)
    return np.array(
        [~(late.take(after, mode="clip") | early.take(before, mode="clip")) for late, early in tables]
    )


def _blocks(
    person: ArrayLike, started_on: ArrayLike, ended_on: ArrayLike, counted: ArrayLike | None, n_persons: int
) -> Iterator[tuple[NDArray[np.intp], Days, Days]]:
    """Yield the spells that count, some at a time: person, and start and end in days since 1970."""
    who = np.asarray(person)
    start = date_array(started_on, "started_on")
    end = date_array(ended_on, "ended_on", allow_missing=True)
    n_spells = checks.same_length(person=who, started_on=start, ended_on=end)
    keep = None if counted is None else checks.boolean_array(counted, "counted")
    if keep is not None:
        checks.same_length(person=who, counted=keep)
    check_persons(who, n_persons)
    check_order(start, end)
    for at in range(0, n_spells, _BLOCK):
        block = slice(at, at + _BLOCK)
        rows = np.arange(at, min(at + _BLOCK, n_spells)) if keep is None else at + np.flatnonzero(keep[block])
        if len(rows):
            ended = end.take(rows)
            ended = np.where(np.isnat(ended), _STILL_GOING, ended)
            yield who.take(rows), start.take(rows).view(np.int64), ended.view(np.int64)


def _counts(words: Words, arm: NDArray[np.intp], n_months: int) -> Days:
    """Return the number of people per arm and month whose bit is set."""
    arms = range(int(arm.max()) + 1)
    counts = [[_bit_counts(word[arm == code]) for word in words] for code in arms]
    return np.array(counts).reshape(len(arms), -1)[:, :n_months]


def _bit_counts(words: Words) -> Days:
    """Return how many of the words have each of the 64 bits set.

    Every eighth bit is moved to the foot of its byte, and 255 words are added as one: each byte then
    counts up to 255 without spilling into the next.
    """
    groups = np.arange(0, len(words), 255)
    counts = np.zeros((8, 8), dtype=np.int64)
    for bit in range(8) if len(words) else ():
        bytewise = np.add.reduceat((words >> np.uint64(bit)) & _FOOT_OF_EACH_BYTE, groups)
        counts[:, bit] = bytewise.astype("<u8").view(np.uint8).reshape(-1, 8).sum(axis=0)
    return counts.ravel()
