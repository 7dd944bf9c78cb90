"""New competitive jobs, however many: who started one on which day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.endpoints import explain
from ipseval.endpoints.base import (
    CENSORED,
    DIED,
    Endpoint,
    Kind,
    horizon_of,
    outcome_frame,
    why_unknown,
)
from ipseval.endpoints.spell_rows import competitive_jobs, new_jobs
from ipseval.trial import Trial


class Occurrences(NamedTuple):
    """Every event of everybody, an entry each: the place of its person in the trial, and its study day."""

    person: NDArray[np.intp]
    day: NDArray[np.int64]


@dataclass(frozen=True)
class JobStarts(Endpoint):
    """See ``job_starts``."""

    name: ClassVar[str] = "job_starts"
    kind: ClassVar[Kind] = "recurrent"
    unit: ClassVar[str] = "jobs"

    horizon: float

    @property
    def months(self) -> tuple[float, ...]:
        """The horizon."""
        return (self.horizon,)

    def occurrences(self, trial: Trial) -> Occurrences:
        """Return the starts that ``evaluate`` counts, person by person, each in the order of their days."""
        jobs = new_jobs(trial, competitive_jobs(trial))
        counted = jobs.take(jobs.start < trial.design.horizon_day(self.horizon))
        order = np.lexsort((counted.start, counted.person))
        return Occurrences(counted.person[order], counted.start[order])

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant; see ``ipseval.endpoints.base``."""
        cut, followed = trial.design.horizon_day(self.horizon), trial.followed_days
        starts = np.bincount(self.occurrences(trial).person, minlength=len(trial))
        to_horizon = trial.is_followed_to(cut)
        has_died = trial.died & (followed < cut) & ~to_horizon
        known = to_horizon | has_died
        return outcome_frame(
            trial,
            self.horizon,
            pd.array(starts.astype(np.int64), dtype="Int64"),
            known=known,
            reason=why_unknown(trial, known),
            event=pd.Categorical(np.where(has_died, DIED, CENSORED), categories=[CENSORED, DIED]),
            observed_until=pd.array(np.minimum(followed, cut - 1), dtype="Int64"),
            is_complete=known,
        )

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from spells to value."""
        records = explain.job_lines(
            trial,
            person,
            trial.design.competitive,
            only_new=True,
            before=trial.design.horizon_day(self.horizon),
        )
        return explain.explanation(
            self, trial, person, records, explain.cut_lines(trial, person, self.months)
        )


def job_starts(horizon: float = 30) -> JobStarts:
    """New competitive jobs, first and later ones, up to ``horizon`` months.

    Parameters
    ----------
    horizon : number
        In months; the cut is day h(k), the one that ``time_to_first_job(horizon)`` has, so that both
        count the same first jobs.

    Returns
    -------
    JobStarts
        Its ``evaluate(trial)`` gives one row per participant: ``value`` new jobs by ``observed_until``,
        and with ``event`` whether death ended the count. ``occurrences(trial)`` gives the day of each.

    Raises
    ------
    AnalysisError
        If the horizon is not one month above 0.

    Notes
    -----
    Every competitive job that starts on day 0 or later, inside follow-up and before the horizon, is one:
    also beside another that goes on, or on the same day, and also one by one under the same employer, if they
    were recorded so. A job under way at randomisation is not new; ``jobs_held`` counts it. Somebody who has
    died will have no more jobs, so that their count is complete; a job on the day of death comes first.
    Withdrawal and loss end the count unfinished.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.job_starts(horizon=30)
    JobStarts(horizon=30.0)
    """
    return JobStarts(horizon_of(horizon, "horizon"))
