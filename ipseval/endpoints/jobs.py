"""Jobs within a number of months: how many, how long the longest, how long the first.

The window is that of ``ipseval.endpoints.amounts``: [0, h(k) - 1], of which [0, F] was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval import spells
from ipseval.endpoints import explain
from ipseval.endpoints.amounts import Amount
from ipseval.endpoints.base import Endpoint, Kind, amount_frame, horizons_of, stacked, why_unknown
from ipseval.endpoints.spell_rows import competitive_jobs, new_jobs
from ipseval.endpoints.study_days import is_settled
from ipseval.spells import Spells
from ipseval.spells.intervals import Floats
from ipseval.trial import Trial

NO_JOB = "no job"


@dataclass(frozen=True)
class JobsHeld(Amount):
    """See ``jobs_held``."""

    name: ClassVar[str] = "jobs_held"
    unit: ClassVar[str] = "jobs"

    def total(self, jobs: Spells) -> Floats:
        """Return the number of spells."""
        return spells.n_spells(jobs).astype(np.float64)


@dataclass(frozen=True)
class LongestJob(Amount):
    """See ``longest_job``."""

    name: ClassVar[str] = "longest_job"
    unit: ClassVar[str] = "days"

    def total(self, jobs: Spells) -> Floats:
        """Return the days of the longest spell."""
        return spells.longest_spell(jobs).astype(np.float64)


@dataclass(frozen=True)
class JobTenure(Endpoint):
    """See ``job_tenure``."""

    name: ClassVar[str] = "job_tenure"
    kind: ClassVar[Kind] = "amount"
    unit: ClassVar[str] = "days"

    by: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The horizons."""
        return self.by

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        start, end = _first_job(new_jobs(trial, competitive_jobs(trial)))
        followed = trial.followed_days
        frames = []
        for month in self.by:
            cut = trial.design.horizon_day(month)
            until = np.minimum(followed, cut - 1)
            has_job = start < cut
            value = np.where(has_job, np.minimum(end, until) - start + 1, np.nan)
            is_settled_by = is_settled(trial, cut)
            is_complete = is_settled_by | (has_job & (end < until))
            workless = is_settled_by & ~has_job
            reason = np.where(workless, NO_JOB, why_unknown(trial, is_complete))
            frames.append(amount_frame(trial, month, value, is_complete, until, reason))
        return stacked(frames)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from spells to value."""
        records = explain.job_lines(trial, person, trial.design.competitive, only_new=True)
        return explain.explanation(self, trial, person, records, explain.cut_lines(trial, person, self.by))


def _first_job(jobs: Spells) -> tuple[Floats, Floats]:
    """Return first and last day of each person's first spell, the longest of those that begin together."""
    start, end = np.full(jobs.n_persons, np.inf), np.full(jobs.n_persons, -np.inf)
    np.minimum.at(start, jobs.person, jobs.start)
    first = jobs.start == start[jobs.person]
    np.maximum.at(end, jobs.person[first], jobs.end[first])
    return start, end


def jobs_held(by: float | Iterable[float] = 30) -> JobsHeld:
    """Number of competitive jobs with at least one day within ``by`` months.

    A job under way at randomisation is one of them. Rules as for ``days_worked``.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.jobs_held(by=30).unit
    'jobs'
    """
    return JobsHeld(horizons_of(by, "by"))


def longest_job(by: float | Iterable[float] = 30) -> LongestJob:
    """Days of the longest competitive job within ``by`` months, 0 without one.

    One job, not an episode: jobs that follow on one another are not joined. Only its days inside
    the window count, also of a job under way at randomisation. Rules as for ``days_worked``.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.longest_job(by=30).unit
    'days'
    """
    return LongestJob(horizons_of(by, "by"))


def job_tenure(by: float | Iterable[float] = 30) -> JobTenure:
    """Days in the first new competitive job, within ``by`` months: workers only.

    Not a randomised comparison: who has a job differs between arms. Someone without a job has no
    tenure: the value is missing with the reason "no job", never 0.

    Notes
    -----
    The first new job is that of ``ever_employed``; of several that began on that day, the one that
    lasted longest. Its days from its first to its last are counted up to h(k) - 1 and F. It is
    complete for those followed to h(k), the dead, and those whose job ended before the last day
    seen; a job that reaches the last day followed may have gone on. One that goes on at the horizon counts
    up to it: a mean is of days within these months, not of how long jobs last.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.job_tenure(by=30).unit
    'days'
    """
    return JobTenure(horizons_of(by, "by"))
