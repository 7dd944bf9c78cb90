"""From the rows of ``jobs`` to spells in study days."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ipseval import spells
from ipseval.endpoints.study_days import dates_of, randomised_on
from ipseval.errors import DataError
from ipseval.months import date_array
from ipseval.spells import Spells
from ipseval.spells.intervals import Floats
from ipseval.trial import Trial

#: Why a value is not known although the spells are.
HOURS_NOT_RECORDED = "hours not recorded"


def job_spells_of(trial: Trial, kinds: Collection[str]) -> Spells:
    """Return the spells of the given kinds in study days, not clipped.

    Parameters
    ----------
    trial : Trial
        With a table ``jobs``.
    kinds : collection of str
        Usually ``trial.design.competitive``.

    Returns
    -------
    Spells
        Over everyone randomised. A spell that is still going (``ended_on`` blank) ends on the last
        day followed, or on its first day if it starts later.

    Raises
    ------
    DataError
        If the trial has no jobs, these have no ``ended_on``, or some belong to nobody who was randomised.
    """
    jobs = trial.table("jobs")
    if "ended_on" not in jobs:
        raise DataError("jobs has no column 'ended_on'. Map it in trial.toml; blank means still going.")
    jobs = jobs.loc[jobs["kind"].isin(list(kinds)).to_numpy(dtype=np.bool_)]
    person = trial.index_of(jobs["participant_id"])
    if strangers := int((person < 0).sum()):
        raise DataError(
            f"{strangers} of {len(jobs)} jobs are of people who were not randomised. "
            f"Correct their participant_id, or set these rows aside."
        )
    day_0 = randomised_on(trial)
    start = (date_array(dates_of(jobs["started_on"]), "started_on") - day_0[person]).astype(np.int64)
    ended_on = dates_of(jobs["ended_on"])
    end = (ended_on - day_0[person]).astype(np.int64)
    end = np.where(np.isnat(ended_on), np.maximum(trial.followed_days[person], start), end)
    amounts = {name: jobs[name].to_numpy() for name in ("hours_per_week", "wage_per_hour") if name in jobs}
    return spells.job_spells(person, start, end, n_persons=len(trial), **amounts)


def competitive_jobs(trial: Trial) -> Spells:
    """Return the spells that count as competitive employment in this trial."""
    return job_spells_of(trial, trial.design.competitive)


def hours_column(jobs: Spells) -> Floats:
    """Return the hours per week of each spell, nan where unknown; refuse jobs without such a column."""
    if jobs.hours_per_week is None:
        raise DataError("jobs has no column 'hours_per_week'. Map it in trial.toml, blank where unknown.")
    return jobs.hours_per_week


def wage_column(jobs: Spells) -> Floats:
    """Return the wage per hour of each spell, nan where unknown; refuse jobs without such a column."""
    if jobs.wage_per_hour is None:
        raise DataError("jobs has no column 'wage_per_hour'. Map it in trial.toml, blank where unknown.")
    return jobs.wage_per_hour


def followed_part(trial: Trial, jobs: Spells, last_day: int | None = None) -> Spells:
    """Return the part of each spell inside follow-up [0, F], and up to ``last_day`` if given."""
    followed = trial.followed_days
    return spells.clip(jobs, 0, followed if last_day is None else np.minimum(followed, last_day))


def new_jobs(trial: Trial, jobs: Spells) -> Spells:
    """Return the spells that begin inside follow-up, up to F: never one under way at randomisation."""
    new = (jobs.start >= 0) & (jobs.start <= trial.followed_days[jobs.person])
    return jobs.take(new)


def jobs_under_way(trial: Trial) -> NDArray[np.bool_]:
    """Return who had a competitive job under way at randomisation.

    Such a job counts for being employed and for days and hours, never as a new job; how many people
    had one is always reported.

    Parameters
    ----------
    trial : Trial
        With a table ``jobs``.

    Returns
    -------
    array of bool, shape (people,)
        In the order of ``trial.participants``: begun before study day 0 and not ended before it.
    """
    return spells.in_spell_at_randomisation(competitive_jobs(trial))


def followed_from_start(trial: Trial, jobs: Spells) -> Spells:
    """Return the spells that reach into follow-up, cut at F but with their true first day.

    An episode that was under way at randomisation can so be told from one that began on day 0.
    """
    reaching = jobs.take((jobs.end >= 0) & (jobs.start <= trial.followed_days[jobs.person]))
    return replace(reaching, end=np.minimum(reaching.end, trial.followed_days[reaching.person]))
