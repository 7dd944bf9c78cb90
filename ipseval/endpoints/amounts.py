"""Amounts of competitive work within a number of months: days, weeks, hours, earnings.

The window is [0, h(k) - 1], of which [0, F] was seen. An amount is complete if the person was followed
to h(k), or died: what the dead accrued is all there will be. For everyone else the amount so far is
kept with the day it reaches, and is never passed off as complete.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, spells
from ipseval.endpoints import explain, registers
from ipseval.endpoints.base import (
    Endpoint,
    Kind,
    amount_frame,
    horizons_of,
    stacked,
    whole_months_of,
    why_unknown,
)
from ipseval.endpoints.spell_rows import (
    HOURS_NOT_RECORDED,
    competitive_jobs,
    followed_part,
    hours_column,
    wage_column,
)
from ipseval.endpoints.study_days import is_settled
from ipseval.errors import AnalysisError
from ipseval.spells import Spells
from ipseval.spells.intervals import Floats
from ipseval.trial import Trial

SOURCES = ("jobs", "months")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Amount(Endpoint):
    """A total over the competitive spells inside the window."""

    kind: ClassVar[Kind] = "amount"
    #: Why a total cannot be formed although the spells are known.
    not_recorded: ClassVar[str] = ""

    by: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The horizons."""
        return self.by

    @abstractmethod
    def total(self, jobs: Spells) -> Floats:
        """Return each person's amount over spells already cut to the window; nan where unknown."""

    def assumed(self, jobs: Spells) -> NDArray[np.bool_] | None:
        """Return whose amount rests on a stated value in place of one not recorded; None if nobody's can."""
        return None

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        jobs, followed = competitive_jobs(trial), trial.followed_days
        frames = []
        for month in self.by:
            cut = trial.design.horizon_day(month)
            inside = followed_part(trial, jobs, cut - 1)
            value, assumed = self.total(inside), self.assumed(inside)
            is_complete = is_settled(trial, cut)
            reason = np.where(np.isnan(value), self.not_recorded, why_unknown(trial, is_complete))
            until = np.minimum(followed, cut - 1)
            more = {} if assumed is None else {"assumed": assumed}
            frames.append(amount_frame(trial, month, value, is_complete, until, reason, **more))
        return stacked(frames)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from spells to value."""
        records = explain.job_lines(trial, person, trial.design.competitive, only_new=False)
        cuts = explain.cut_lines(trial, person, self.by)
        return explain.explanation(self, trial, person, records, [*cuts, *self.rule_lines()])

    def rule_lines(self) -> list[str]:
        """Return what else a reader of one person's records must know."""
        return []


@dataclass(frozen=True)
class SourcedAmount(Amount):
    """A total from job spells or from the months of a register."""

    #: The column of ``months`` that holds it.
    column: ClassVar[str]

    source: str

    @property
    def accrues(self) -> bool:
        """True for spells, which are cut at any day; a register's months are not."""
        return self.source == "jobs"

    @property
    def key(self) -> str:
        """The name with the source."""
        return f"{self.name}_{self.source}"

    @property
    def words_key(self) -> str:
        """A text for each source."""
        return f"endpoint.{self.name}.{self.source}"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        if self.source == "jobs":
            return super().evaluate(trial)
        return registers.totals(trial, registers.panel(trial, self.column, self.by[-1]), self.by)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from records to value."""
        if self.source == "jobs":
            return super().explain(trial, person)
        return explain.explanation(self, trial, person, explain.register_lines(trial, person, self.column))


@dataclass(frozen=True)
class DaysWorked(SourcedAmount):
    """See ``days_worked``."""

    name: ClassVar[str] = "days_worked"
    unit: ClassVar[str] = "days"
    column: ClassVar[str] = "days_worked"

    def total(self, jobs: Spells) -> Floats:
        """Return days with at least one job."""
        return spells.days_covered(jobs).astype(np.float64)


@dataclass(frozen=True)
class WeeksWorked(Amount):
    """See ``weeks_worked``."""

    name: ClassVar[str] = "weeks_worked"
    unit: ClassVar[str] = "weeks"

    @property
    def accrues(self) -> bool:
        """True: weeks are days in another unit."""
        return True

    def total(self, jobs: Spells) -> Floats:
        """Return days with at least one job, over 7."""
        return spells.days_covered(jobs) / 7


@dataclass(frozen=True)
class HoursWorked(SourcedAmount):
    """See ``hours_worked``."""

    name: ClassVar[str] = "hours_worked"
    unit: ClassVar[str] = "hours"
    column: ClassVar[str] = "hours_worked"
    not_recorded: ClassVar[str] = HOURS_NOT_RECORDED

    unrecorded: str | float = UNKNOWN

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments; without a rule for hours not recorded there is none to state."""
        stated = super().parameters
        return {name: value for name, value in stated.items() if value != UNKNOWN}

    @property
    def key(self) -> str:
        """The name with the source, and with the hours that stand for those not recorded."""
        return super().key if self.unrecorded == UNKNOWN else f"{super().key}_unrecorded_{self.unrecorded:g}"

    @property
    def words_key(self) -> str:
        """A text for each source, and one that states the hours assumed."""
        return super().words_key if self.unrecorded == UNKNOWN else f"endpoint.{self.name}.assumed"

    def total(self, jobs: Spells) -> Floats:
        """Return days x hours per week / 7, over all spells."""
        recorded = hours_column(jobs)
        if self.unrecorded == UNKNOWN:
            return spells.hours(jobs)
        hours = np.where(np.isnan(recorded), float(self.unrecorded), recorded)
        return spells.hours(replace(jobs, hours_per_week=hours))

    def rule_lines(self) -> list[str]:
        """Return what unknown hours count for."""
        return [] if self.unrecorded == UNKNOWN else [f"hours unknown count for {self.unrecorded:g} a week"]

    def assumed(self, jobs: Spells) -> NDArray[np.bool_] | None:
        """Return who has a job in the window whose hours were not recorded and are taken as stated."""
        if self.unrecorded == UNKNOWN:
            return None
        return spells.n_spells(jobs.take(np.isnan(hours_column(jobs)))) > 0


@dataclass(frozen=True)
class Earnings(SourcedAmount):
    """See ``earnings``."""

    name: ClassVar[str] = "earnings"
    unit: ClassVar[str] = "currency"
    column: ClassVar[str] = "earnings"
    not_recorded: ClassVar[str] = "hours or wage not recorded"

    def total(self, jobs: Spells) -> Floats:
        """Return hours x wage per hour, over all spells."""
        hours_column(jobs)
        wage_column(jobs)
        return spells.earnings(jobs)


def days_worked(by: float | Iterable[float] = 30, source: str = "jobs") -> DaysWorked:
    """Days with at least one competitive job under way, within ``by`` months of randomisation.

    Parameters
    ----------
    by : number, or several
        Horizons k in months. From jobs the window is [0, h(k) - 1]; see ``ever_employed`` for h(k).
    source : {"jobs", "months"}
        Job spells, or the column ``days_worked`` of the months of a register, as ``earnings`` says.

    Returns
    -------
    DaysWorked
        Its ``evaluate(trial)`` gives one row per participant and horizon: ``value`` in days, whether it
        ``is_complete``, and the last day ``observed_until``.

    Raises
    ------
    AnalysisError
        For horizons that are not months above 0, or fractions of months of a register; another source.

    Notes
    -----
    A day in two jobs counts once. A job under way at randomisation counts from day 0. Complete for
    people followed to h(k) and, as accrued, for the dead; for others ``value`` is the total by
    ``observed_until`` = F, ``is_complete`` and ``known`` are False.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.days_worked(by=30)
    DaysWorked(by=(30.0,), source='jobs')
    """
    return DaysWorked(_by(by, source), source)


def weeks_worked(by: float | Iterable[float] = 30) -> WeeksWorked:
    """Weeks of competitive work: ``days_worked`` from jobs, over 7.

    Parameters
    ----------
    by : number, or several
        Horizons in months.

    Returns
    -------
    WeeksWorked
        Its ``evaluate(trial)`` gives one row per participant and horizon: ``value`` in weeks, whether it
        ``is_complete``, and the last day ``observed_until``.

    Raises
    ------
    AnalysisError
        For horizons that are not months above 0.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.weeks_worked(by=[18, 30]).unit
    'weeks'
    """
    return WeeksWorked(horizons_of(by, "by"))


def hours_worked(
    by: float | Iterable[float] = 30, source: str = "jobs", unrecorded: str | float = UNKNOWN
) -> HoursWorked:
    """Hours of competitive work within ``by`` months: days x ``hours_per_week`` / 7, over all jobs.

    Parameters
    ----------
    by : number, or several
        Horizons in months; whole ones for ``source="months"``.
    source : {"jobs", "months"}
        Job spells, or the column ``hours_worked`` of the months of a register.
    unrecorded : "unknown", or number
        What a job counts for whose hours a week are not recorded. By default the total of whoever held it
        is unknown, and those people are left out of means. A number, ``20`` say, stands for the hours of
        each such job: the definition says so, and rows count the people whom it concerns. Job spells only.

    Returns
    -------
    HoursWorked
        Its ``evaluate(trial)`` gives one row per participant and horizon: ``value`` in hours, whether it
        ``is_complete``, and the last day ``observed_until``; with a number for ``unrecorded``, also whether
        it rests on hours ``assumed``.

    Raises
    ------
    AnalysisError
        For horizons that are not months above 0, or fractions of months of a register; another source;
        assumed hours that are not above 0 and at most 168, or of a register.

    Notes
    -----
    Two jobs at the same time both count. A job in the window whose hours were not recorded makes
    the total unknown (missing, reason "hours not recorded"), never smaller, unless ``unrecorded`` says
    what it counts for. Otherwise as ``days_worked``.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.hours_worked(by=30, source="months").key
    'hours_worked_months'
    """
    months = _by(by, source)
    if unrecorded == UNKNOWN:
        return HoursWorked(months, source)
    if source != "jobs" or not checks.is_number(unrecorded) or not 0 < float(unrecorded) <= 168:
        raise AnalysisError(
            f"unrecorded={unrecorded!r} with source={source!r} is neither 'unknown' nor hours a week of job "
            f"spells, above 0 and at most 168. Write unrecorded=20 with source='jobs', say."
        )
    return HoursWorked(months, source, float(unrecorded))


def earnings(by: float | Iterable[float] = 30, source: str = "jobs") -> Earnings:
    """Gross earnings from competitive work within ``by`` months, in the trial's currency.

    Parameters
    ----------
    by : number, or several
        Horizons in months; whole ones for ``source="months"``.
    source : {"jobs", "months"}
        From jobs: hours x ``wage_per_hour``, over all jobs, with the window and the rules of
        ``days_worked``; unknown hours or wages make the total missing. From months: the sum of the
        column ``earnings`` over calendar months 1 to ``by`` after the month of randomisation, over
        every register that records it, see ``ipseval.endpoints.registers``.

    Returns
    -------
    Earnings
        Its ``evaluate(trial)`` gives one row per participant and horizon: ``value`` in the currency of the
        trial, whether it ``is_complete``, and the last day ``observed_until``.

    Raises
    ------
    AnalysisError
        For horizons that are not months above 0, or fractions of months of a register; another source.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.earnings(by=30).key
    'earnings_jobs'
    """
    return Earnings(_by(by, source), source)


def _by(by: float | Iterable[float], source: str) -> tuple[float, ...]:
    checks.one_of(source, SOURCES, "source")
    return horizons_of(by, "by") if source == "jobs" else whole_months_of(by, "by", lowest=1)
