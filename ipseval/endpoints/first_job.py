"""Time to the first new competitive job, on a clock of whole days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval import spells
from ipseval.endpoints import explain
from ipseval.endpoints.base import (
    CENSORED,
    DIED,
    EVENT,
    Endpoint,
    Kind,
    horizon_of,
    outcome_frame,
    why_unknown,
)
from ipseval.endpoints.spell_rows import competitive_jobs
from ipseval.trial import Trial


@dataclass(frozen=True)
class TimeToFirstJob(Endpoint):
    """See ``time_to_first_job``."""

    name: ClassVar[str] = "time_to_first_job"
    kind: ClassVar[Kind] = "time"
    unit: ClassVar[str] = "days"

    horizon: float

    @property
    def months(self) -> tuple[float, ...]:
        """The horizon."""
        return (self.horizon,)

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant; see ``ipseval.endpoints.base``."""
        cut, followed = trial.design.horizon_day(self.horizon), trial.followed_days
        first = spells.first_new_start(competitive_jobs(trial), followed)
        has_job = first < cut
        has_died = ~has_job & trial.died & (followed < cut)
        to_horizon = ~has_job & ~has_died & trial.is_followed_to(cut)
        day = np.select([has_job, has_died, to_horizon], [np.nan_to_num(first), followed, cut], followed)
        event = np.select([has_job, has_died], [EVENT, DIED], CENSORED)
        known = has_job | has_died | to_horizon
        return outcome_frame(
            trial,
            self.horizon,
            pd.array(day.astype(np.int64), dtype="Int64"),
            known=known,
            reason=why_unknown(trial, known),
            event=pd.Categorical(event, categories=[CENSORED, EVENT, DIED]),
        )

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from spells to value."""
        records = explain.job_lines(
            trial,
            person,
            trial.design.competitive,
            only_new=True,
            before=trial.design.horizon_day(self.months[-1]),
        )
        return explain.explanation(
            self, trial, person, records, explain.cut_lines(trial, person, self.months)
        )


def time_to_first_job(horizon: float = 30) -> TimeToFirstJob:
    """Days from randomisation to the first new competitive job, up to ``horizon`` months.

    Parameters
    ----------
    horizon : number
        In months; the cut is day h(k), the one that ``ever_employed(by=horizon)`` has, so that both
        count the same jobs.

    Returns
    -------
    TimeToFirstJob
        Its ``evaluate(trial)`` gives one row per participant, ``value`` in whole days (0 = the day
        of randomisation) and ``event``.

    Raises
    ------
    AnalysisError
        If the horizon is not one month of 0 or more.

    Notes
    -----
    ===================  ===========  ======================================================
    what came first      ``event``    ``value``
    ===================  ===========  ======================================================
    a new job before h   event        its first day
    death before h       died         F, the day of death; a job on that day comes first
    followed to h        censored     h itself, so that the number at risk at the horizon is
                                      the number who were followed to it without a job
    anything else        censored     F, the last day followed, and ``known`` is False
    ===================  ===========  ======================================================

    Completers within the design's tolerance are followed to h. Death competes with the first job;
    withdrawal and loss censor.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.time_to_first_job(horizon=30)
    TimeToFirstJob(horizon=30.0)
    """
    return TimeToFirstJob(horizon_of(horizon, "horizon"))
