"""Outcomes from the months of registers: a panel of people by calendar months since randomisation.

Month k is the calendar month that lies k months after the month of randomisation, whatever the
design's rule for months of follow-up; month 0, in which the person was randomised, is not counted.
A month is known if two things hold.

* It lies inside follow-up: its last day is at most F, or the person completed follow-up within
  the design's tolerance of k months, or died in it. After death it is known to be zero.
* Every register that ever records the column covers it, up to its last day or F. Inside coverage no
  record is zero and a blank cell is unknown; outside coverage a record is not used. Without a table
  ``coverage`` only months with a record are known.

What several registers record is added up, so a column should be mapped from registers that do not
report the same job or benefit twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.endpoints.base import DIED, amount_frame, stacked, why_unknown
from ipseval.endpoints.study_days import dates_of, randomised_on
from ipseval.errors import DataError
from ipseval.months import Days
from ipseval.spells.intervals import Floats
from ipseval.trial import Trial

KNOWN, DEAD, NOT_FOLLOWED, NOT_COVERED, BLANK = range(5)

#: What tells whether someone worked in a month: the first of these that the registers record.
WORK_COLUMNS = ("days_worked", "hours_worked", "earnings")


@dataclass(frozen=True)
class Panel:
    """One column of ``months``, people by calendar months 1, 2, ... after that of randomisation.

    Attributes
    ----------
    value : array of float, shape (people, n_months)
        Summed over registers; 0 after death; nan where not known.
    status : array of int, same shape
        ``KNOWN``, ``DEAD`` (known, after death), or why the month is not known.
    last_day : array of int, same shape
        Study day of each month's last day.
    """

    value: Floats
    status: NDArray[np.int8]
    last_day: Days

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether each month is known."""
        return self.status <= DEAD


def panel(trial: Trial, column: str, n_months: float) -> Panel:
    """Return ``column`` of ``months`` for the first ``n_months`` calendar months.

    Raises
    ------
    DataError
        If the trial has no ``months``, no register records the column, or records are of people who
        were not randomised.
    """
    months = trial.table("months")
    amount = months[column].to_numpy(dtype=np.float64, na_value=np.nan) if column in months else np.array([])
    is_blank = np.isnan(amount)
    if is_blank.all():
        raise DataError(f"No register records {column!r} in months. Map it in trial.toml.")
    first_day, last_day = _calendar(trial, int(n_months))
    needed_until = np.minimum(last_day, trial.followed_days[:, None])
    person, month = _cells(trial, months)
    inside = (month >= 0) & (month < last_day.shape[1])
    registers, sources = pd.factorize(months["source"])
    value = np.zeros(last_day.shape)
    covered, blank = np.ones(last_day.shape, dtype=np.bool_), np.zeros(last_day.shape, dtype=np.bool_)
    for register in np.unique(registers[~is_blank]):
        rows = np.flatnonzero(inside & (registers == register))
        cells = person[rows], month[rows]
        has_record = np.zeros(last_day.shape, dtype=np.bool_)
        has_record[cells] = True
        covered &= _covered(trial, sources[register], first_day, needed_until, has_record)
        blank[cells] |= is_blank[rows]
        value[cells] += np.nan_to_num(amount[rows])
    status = _status(trial, first_day, last_day, covered, blank)
    value[status == DEAD] = 0.0
    value[status > DEAD] = np.nan
    return Panel(value, status, last_day)


def working_panel(trial: Trial, n_months: float) -> Panel:
    """Return 1 where someone worked in a month, 0 where not: any days, else hours, else earnings."""
    months = trial.table("months")
    column = next((name for name in WORK_COLUMNS if name in months and months[name].notna().any()), "")
    if not column:
        raise DataError(
            f"No register records work in months (looked for: {', '.join(WORK_COLUMNS)}). "
            f"Map one of these in trial.toml."
        )
    return at_least(panel(trial, column, n_months), np.nextafter(0.0, 1.0))


def at_least(amounts: Panel, threshold: float) -> Panel:
    """Return 1 where the amount reaches the threshold, 0 where not, nan where not known."""
    return replace(amounts, value=np.where(amounts.known, amounts.value >= threshold, np.nan))


def totals(trial: Trial, amounts: Panel, by: tuple[float, ...]) -> pd.DataFrame:
    """Return the sum over months 1 to ``by`` as the outcome frame of an amount.

    Complete if every one of them is known. Otherwise ``value`` is the sum up to the first month that
    is not, missing if that is month 1, ``observed_until`` the last day before it, and ``reason`` why
    that month is not known.
    """
    frames = []
    for month in by:
        n_months = int(month)
        unbroken = np.logical_and.accumulate(amounts.known[:, :n_months], axis=1)
        n_known = unbroken.sum(axis=1)
        is_complete = n_known == n_months
        value = np.where(unbroken, amounts.value[:, :n_months], 0.0).sum(axis=1)
        value[n_known == 0] = np.nan
        stop = np.minimum(n_known, n_months - 1)[:, None]
        broken = np.take_along_axis(amounts.status, stop, axis=1)[:, 0]
        edges = np.column_stack((_first_month_start(trial) - 1, amounts.last_day))
        reached = np.take_along_axis(edges, n_known[:, None], axis=1)[:, 0]
        until = np.minimum(reached, trial.followed_days)
        frames.append(amount_frame(trial, month, value, is_complete, until, reasons(trial, broken)))
    return stacked(frames)


def in_month(trial: Trial, amounts: Panel, months: tuple[float, ...]) -> pd.DataFrame:
    """Return the amount of single months as the outcome frame of an amount."""
    frames = []
    for month in months:
        k = int(month) - 1
        status = amounts.status[:, k]
        until = np.minimum(amounts.last_day[:, k], trial.followed_days)
        why = reasons(trial, status)
        frames.append(amount_frame(trial, month, amounts.value[:, k], amounts.known[:, k], until, why))
    return stacked(frames)


def reasons(trial: Trial, status: NDArray[np.int8], *, name_the_dead: bool = False) -> NDArray[Any]:
    """Return why a month of each person is not known, "" where it is; months by people, or people."""
    coverage = "outside coverage" if "coverage" in trial.tables else "no record, and no coverage table"
    by_status = np.array(["", DIED if name_the_dead else "", "", coverage, "not recorded"], dtype=object)
    not_followed = status == NOT_FOLLOWED
    return np.where(not_followed, why_unknown(trial, ~not_followed), by_status[status])


def _calendar(trial: Trial, n_months: int) -> tuple[Days, Days]:
    """Return the study days of the first and last day of calendar months 1 to ``n_months``."""
    day_0 = randomised_on(trial)[:, None]
    starts = (day_0.astype("datetime64[M]") + np.arange(1, n_months + 2)).astype("datetime64[D]")
    edges = (starts - day_0).astype(np.int64)
    return edges[:, :-1], edges[:, 1:] - 1


def _first_month_start(trial: Trial) -> Days:
    return _calendar(trial, 1)[0][:, 0]


def _cells(trial: Trial, months: pd.DataFrame) -> tuple[Days, Days]:
    """Return the person and the 0-based month of each record, negative up to the month of randomisation."""
    person = trial.index_of(months["participant_id"])
    if strangers := int((person < 0).sum()):
        raise DataError(
            f"{strangers} of {len(months)} rows of months are of people who were not randomised. "
            f"Correct their participant_id, or set these rows aside."
        )
    month_0 = randomised_on(trial).astype("datetime64[M]")[person]
    return person, (dates_of(months["month"]).astype("datetime64[M]") - month_0).astype(np.int64) - 1


def _covered(
    trial: Trial, source: object, first_day: Days, needed_until: Days, has_record: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the months that a register covers; a blank date in ``coverage`` covers nothing."""
    if "coverage" not in trial.tables:
        return has_record
    coverage = trial.table("coverage")
    linked = coverage["linked"].fillna(False).to_numpy(dtype=np.bool_)
    rows = coverage.loc[linked & (coverage["source"] == source).to_numpy(dtype=np.bool_)]
    person = trial.index_of(rows["participant_id"])
    rows, person = rows.loc[person >= 0], person[person >= 0]
    day_0 = randomised_on(trial)
    begin, end = (np.full((len(trial), 1), np.nan) for _ in range(2))
    for days, column in ((begin, "covered_from"), (end, "covered_until")):
        dates = dates_of(rows[column])
        days[person, 0] = np.where(np.isnat(dates), np.nan, (dates - day_0[person]).astype(np.float64))
    return (begin <= first_day) & (end >= needed_until)


def _status(
    trial: Trial, first_day: Days, last_day: Days, covered: NDArray[np.bool_], blank: NDArray[np.bool_]
) -> NDArray[np.int8]:
    followed, died = trial.followed_days[:, None], trial.died[:, None]
    completed = np.column_stack([trial.completed_to(month) for month in range(1, last_day.shape[1] + 1)])
    inside = (last_day <= followed) | completed | (died & (first_day <= followed))
    dead = died & (first_day > followed)
    which = [dead, ~inside, ~covered, blank]
    return np.select(which, [DEAD, NOT_FOLLOWED, NOT_COVERED, BLANK], KNOWN).astype(np.int8)
