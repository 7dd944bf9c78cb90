"""Yes or no within a number of months: ever employed, enough hours, durable, work or education.

All share one rule. Something counts if it happened on a day below h(k), inside follow-up. Who was
followed to h(k), or died before it, is known not to have had it otherwise; for everyone else the
outcome is unknown.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval import checks, spells
from ipseval.endpoints import explain
from ipseval.endpoints.base import Endpoint, Kind, horizons_of, outcome_frame, stacked, why_unknown, yes_no
from ipseval.endpoints.spell_rows import (
    HOURS_NOT_RECORDED,
    competitive_jobs,
    followed_from_start,
    hours_column,
    job_spells_of,
    new_jobs,
)
from ipseval.endpoints.study_days import days_to_anniversary, is_settled, randomised_on
from ipseval.errors import AnalysisError
from ipseval.spells import Spells
from ipseval.spells.intervals import Floats
from ipseval.trial import Design, Trial

_NEVER = np.inf


@dataclass(frozen=True)
class Ever(Endpoint):
    """Whether something that begins on a known day happened within each of some months."""

    kind: ClassVar[Kind] = "binary"

    by: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The horizons."""
        return self.by

    def kinds(self, design: Design) -> tuple[str, ...]:
        """Return the kinds of spell that count."""
        return design.competitive

    @abstractmethod
    def first_days(self, trial: Trial) -> tuple[Floats, Floats]:
        """Return the day on which each person first had it, and first may have had it.

        Infinite where never. The second is for records too incomplete to tell.
        """

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        day, possible_day = self.first_days(trial)
        frames = []
        for month in self.by:
            cut = trial.design.horizon_day(month)
            yes = day < cut
            doubtful = ~yes & (possible_day < cut)
            known = yes | (is_settled(trial, cut) & ~doubtful)
            reason = np.where(doubtful, HOURS_NOT_RECORDED, why_unknown(trial, known))
            frames.append(outcome_frame(trial, month, yes_no(yes, known), known=known, reason=reason))
        return stacked(frames)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from spells to value."""
        records = explain.job_lines(
            trial,
            person,
            self.kinds(trial.design),
            only_new=True,
            before=trial.design.horizon_day(self.months[-1]),
        )
        return explain.explanation(self, trial, person, records, explain.cut_lines(trial, person, self.by))


@dataclass(frozen=True)
class EverEmployed(Ever):
    """See ``ever_employed``."""

    name: ClassVar[str] = "ever_employed"

    def first_days(self, trial: Trial) -> tuple[Floats, Floats]:
        """Return the day of the first new competitive job."""
        return _first_days(new_jobs(trial, job_spells_of(trial, self.kinds(trial.design)))), _nobody(trial)


@dataclass(frozen=True)
class InWorkOrEducation(EverEmployed):
    """See ``in_work_or_education``."""

    name: ClassVar[str] = "in_work_or_education"

    def kinds(self, design: Design) -> tuple[str, ...]:
        """Return the competitive kinds, and education."""
        return tuple(dict.fromkeys((*design.competitive, "education")))


@dataclass(frozen=True)
class WorksAtLeast(Ever):
    """See ``works_at_least``."""

    name: ClassVar[str] = "works_at_least"

    hours: float

    @property
    def key(self) -> str:
        """The name with the hours."""
        return f"{self.name}_{self.hours:g}"

    def first_days(self, trial: Trial) -> tuple[Floats, Floats]:
        """Return the first day of a job of enough hours, and of one whose hours are unknown."""
        jobs = new_jobs(trial, competitive_jobs(trial))
        hours = hours_column(jobs)
        return _first_days(jobs.take(hours >= self.hours)), _first_days(jobs.take(np.isnan(hours)))


@dataclass(frozen=True)
class DurableEmployment(Ever):
    """See ``durable_employment``."""

    name: ClassVar[str] = "durable_employment"

    duration: int
    gap_days: int

    @property
    def key(self) -> str:
        """The name with the duration, and the gap where one is bridged."""
        gap = f"_gap_{self.gap_days}" if self.gap_days else ""
        return f"{self.name}_{self.duration}{gap}"

    @property
    def parameters(self) -> dict[str, object]:
        """The arguments of ``durable_employment``; ``months`` there is the duration."""
        return {"months": self.duration, "gap_days": self.gap_days, "by": list(self.by)}

    def first_days(self, trial: Trial) -> tuple[Floats, Floats]:
        """Return the day of the anniversary of the first episode that lasts until it."""
        jobs = followed_from_start(trial, competitive_jobs(trial))
        episodes = spells.merge(jobs, gap_days=self.gap_days)
        began_on = randomised_on(trial)[episodes.person] + episodes.start
        lasting = days_to_anniversary(began_on, self.duration, trial.design.month)
        durable = (episodes.start >= 0) & (episodes.length >= lasting)
        reached = np.full(len(trial), _NEVER)
        np.minimum.at(reached, episodes.person[durable], (episodes.start + lasting)[durable])
        return reached, _nobody(trial)


def _first_days(jobs: Spells) -> Floats:
    first = np.full(jobs.n_persons, _NEVER)
    np.minimum.at(first, jobs.person, jobs.start)
    return first


def _nobody(trial: Trial) -> Floats:
    return np.full(len(trial), _NEVER)


def ever_employed(by: float | Iterable[float] = 30) -> EverEmployed:
    """Whether a new competitive job began within ``by`` months of randomisation.

    Parameters
    ----------
    by : number, or several
        Horizons k in months. A job counts if its first day d satisfies 0 <= d < h(k) and d <= F:
        h(k) is floor(30.4375 k) days, or 30 k under 30-day months; F is the last day followed.

    Returns
    -------
    EverEmployed
        Its ``evaluate(trial)`` gives one row per participant and horizon.

    Raises
    ------
    AnalysisError
        If a month is negative, repeated or not a number.

    Notes
    -----
    A job under way at randomisation is never new. Without a new job the answer is a known "no" for
    people followed to h(k) and for those who died before it, and unknown for those who withdrew or
    were lost. The field's "job acquisition" (Bond, Campbell and Drake, 2012).

    References
    ----------
    Bond, Campbell and Drake (2012), Psychiatric Services 63:751-757: four domains of employment
    outcome.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.ever_employed(by=[18, 30])
    EverEmployed(by=(18.0, 30.0))
    """
    return EverEmployed(horizons_of(by, "by"))


def in_work_or_education(by: float | Iterable[float] = 30) -> InWorkOrEducation:
    """Whether new competitive work or a new education began within ``by`` months of randomisation.

    For young people after a first psychosis, for whom either is the goal. The rules are those of
    ``ever_employed``, over spells of the competitive kinds and of ``education``.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.in_work_or_education(by=18)
    InWorkOrEducation(by=(18.0,))
    """
    return InWorkOrEducation(horizons_of(by, "by"))


def works_at_least(hours: float = 20, by: float | Iterable[float] = 30) -> WorksAtLeast:
    """Whether a new competitive job of at least ``hours`` hours a week began within ``by`` months.

    Parameters
    ----------
    hours : number
        Hours per week of that one job; two smaller jobs are not added up.
    by : number, or several
        As for ``ever_employed``, whose rules hold.

    Notes
    -----
    A new job whose hours were not recorded leaves the outcome unknown, unless another one
    qualifies: its ``reason`` is "hours not recorded".

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.works_at_least(hours=16, by=30).key
    'works_at_least_16'
    """
    if not checks.is_number(hours) or hours <= 0:
        raise AnalysisError(f"hours={hours!r} is not a number of hours above 0. Write hours=20.")
    return WorksAtLeast(horizons_of(by, "by"), float(hours))


def durable_employment(
    months: int = 3, gap_days: int = 0, by: float | Iterable[float] = 30
) -> DurableEmployment:
    """Whether an episode of competitive work lasted ``months`` months, within ``by`` months.

    Parameters
    ----------
    months : int
        Duration in whole months of the design: to the episode's own calendar anniversary, or
        floor(30 x months) or floor(30.4375 x months) days where months have a fixed length.
    gap_days : int
        Idle days between jobs that are bridged; 0 joins jobs that overlap or follow on the next day.
    by : number, or several
        As for ``ever_employed``.

    Notes
    -----
    Competitive jobs are cut at the last day followed and merged into episodes. One counts if it began
    on study day 0 or later, covers every day from its first up to the day before its anniversary,
    and the anniversary is a day below h(by). An episode that was under way at randomisation never
    counts, whatever followed on from it; a job that ended before randomisation does not make the
    next one old. What is known without such an episode is as for ``ever_employed``.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.durable_employment(months=6, gap_days=14, by=30).key
    'durable_employment_6_gap_14'
    """
    if not checks.is_number(months) or months < 1 or months != int(months):
        raise AnalysisError(f"months={months!r} is not a whole number of months above 0. Write months=3.")
    if not checks.is_number(gap_days) or gap_days < 0 or gap_days != int(gap_days):
        raise AnalysisError(
            f"gap_days={gap_days!r} is not a whole number of days of 0 or more. Write gap_days=14."
        )
    return DurableEmployment(horizons_of(by, "by"), int(months), int(gap_days))
