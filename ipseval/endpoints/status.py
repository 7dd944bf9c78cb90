"""Being in competitive work on a day, at a visit, or in each month."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval import checks, spells
from ipseval.endpoints import explain, registers
from ipseval.endpoints.base import (
    DIED,
    Endpoint,
    Kind,
    outcome_frame,
    stacked,
    whole_months_of,
    why_unknown,
    yes_no,
)
from ipseval.endpoints.spell_rows import competitive_jobs, followed_part
from ipseval.endpoints.study_days import anniversary_day, observed_to, randomised_on
from ipseval.endpoints.visits import at_visit, has_died_before, why_not_assessed
from ipseval.errors import AnalysisError
from ipseval.months import month_edges
from ipseval.spells import Spells
from ipseval.trial import Trial

NOT_YET_RANDOMISED = "not yet randomised"


@dataclass(frozen=True)
class EmployedAt(Endpoint):
    """See ``employed_at``."""

    name: ClassVar[str] = "employed_at"
    kind: ClassVar[Kind] = "binary"
    cumulative: ClassVar[bool] = False

    month: tuple[float, ...]
    source: str

    @property
    def months(self) -> tuple[float, ...]:
        """The months."""
        return self.month

    @property
    def key(self) -> str:
        """The name with the source."""
        return f"{self.name}_{self.source}"

    @property
    def words_key(self) -> str:
        """A text for each source."""
        return f"endpoint.{self.name}.{self.source}"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and month; see ``ipseval.endpoints.base``."""
        if self.source == "visits":
            return stacked([_at_visit(trial, month) for month in self.month])
        jobs = competitive_jobs(trial)
        return stacked([_on_day(trial, jobs, month) for month in self.month])

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from records to value."""
        if self.source == "visits":
            records = explain.visit_lines(trial, person, "employed")
        else:
            records = explain.job_lines(trial, person, trial.design.competitive, only_new=False)
        return explain.explanation(
            self, trial, person, records, explain.anniversary_lines(trial, person, self.month)
        )


def _on_day(trial: Trial, jobs: Spells, month: float) -> pd.DataFrame:
    day, followed = anniversary_day(trial, month), trial.followed_days
    has_died = has_died_before(trial, month)
    seen = (followed >= day) | trial.completed_to(month)
    known = seen | has_died
    works = seen & spells.covers(jobs, np.minimum(day, followed))
    return outcome_frame(
        trial,
        month,
        yes_no(works, known),
        known=known,
        reason=np.where(has_died, DIED, why_unknown(trial, known)),
        at_end=seen & (followed < day),
    )


def _at_visit(trial: Trial, month: float) -> pd.DataFrame:
    answer = at_visit(trial, "employed", month)
    assessed = ~np.isnan(answer)
    has_died = ~assessed & has_died_before(trial, month)
    known = assessed | has_died
    reason = np.where(has_died, DIED, why_not_assessed(trial, month, known))
    return outcome_frame(trial, month, yes_no(answer == 1, known), known=known, reason=reason)


@dataclass(frozen=True)
class EmployedMonthly(Endpoint):
    """See ``employed_monthly``."""

    name: ClassVar[str] = "employed_monthly"
    kind: ClassVar[Kind] = "binary"
    cumulative: ClassVar[bool] = False

    until: int
    source: str

    @property
    def months(self) -> tuple[float, ...]:
        """Months 1 to ``until``."""
        return tuple(float(month) for month in range(1, self.until + 1))

    @property
    def key(self) -> str:
        """The name with the source."""
        return f"{self.name}_{self.source}"

    @property
    def words_key(self) -> str:
        """A text for each source."""
        return f"endpoint.{self.name}.{self.source}"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and month; see ``ipseval.endpoints.base``."""
        by_source = _by_spells if self.source == "jobs" else _by_registers
        return by_source(trial, self.months)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from records to value."""
        if self.source == "jobs":
            records = explain.job_lines(trial, person, trial.design.competitive, only_new=False)
        else:
            records = explain.register_lines(trial, person, *registers.WORK_COLUMNS)
        return explain.explanation(self, trial, person, records, explain.observed_lines(trial, person))


def _by_spells(trial: Trial, months: tuple[float, ...]) -> pd.DataFrame:
    edges = month_edges(len(months), trial.design.month, randomised_on=randomised_on(trial))
    jobs = followed_part(trial, competitive_jobs(trial))
    works = (spells.days_by_month(jobs, edges) > 0).T
    begun, last_day = edges.T[:-1] >= 0, edges.T[1:] - 1
    dead = begun & trial.died & (last_day > trial.followed_days)
    known = dead | (begun & (last_day <= observed_to(trial)))
    reason = np.where(begun | known, why_unknown(trial, known), NOT_YET_RANDOMISED)
    reason[dead & ~works] = DIED
    return outcome_frame(trial, months, yes_no(works, known), known=known, reason=reason)


def _by_registers(trial: Trial, months: tuple[float, ...]) -> pd.DataFrame:
    working = registers.working_panel(trial, len(months))
    known, status = working.known.T, working.status.T
    reason = registers.reasons(trial, status, name_the_dead=True)
    return outcome_frame(trial, months, yes_no(working.value.T == 1, known), known=known, reason=reason)


def employed_at(month: float | Iterable[float] = 18, source: str = "jobs") -> EmployedAt:
    """Whether people were in competitive work ``month`` months after randomisation.

    Parameters
    ----------
    month : whole number, or several
        Months since randomisation.
    source : {"jobs", "visits"}
        From jobs: whether a job was under way on day A(k), the calendar anniversary of
        randomisation (day floor(30 k) or floor(30.4375 k) where months have a fixed length). From
        visits: the column ``employed`` at the visit of that month. The two may differ; every result
        names its source.

    Returns
    -------
    EmployedAt
        Its ``evaluate(trial)`` gives one row per participant and month.

    Notes
    -----
    A job under way at randomisation counts. From jobs, someone who completed follow-up within the
    design's tolerance of month k, as ``Trial.completed_to`` says for every endpoint, but before A(k),
    has the status of the last day followed, and is marked ``at_end``.
    People who died before are known not to be in work, with the reason "died". A visit that did not
    take place, or at which the question was not answered, leaves the status unknown.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.employed_at(month=[6, 18, 30], source="visits").key
    'employed_at_visits'
    """
    checks.one_of(source, ("jobs", "visits"), "source")
    return EmployedAt(whole_months_of(month, "month"), source)


def employed_monthly(until: int = 30, source: str = "jobs") -> EmployedMonthly:
    """Whether people were in competitive work on any day of each month 1 to ``until``.

    Parameters
    ----------
    until : int
        Last month.
    source : {"jobs", "months"}
        From jobs: month k is [A(k-1), A(k)), or as the design says; calendar months are the same for
        everyone, month 1 that of the first randomisation. From months: the calendar month k months
        after that of randomisation, see ``ipseval.endpoints.registers``; worked means a number above
        0 of days, or else hours, or else earnings, the first of these that the registers record.

    Returns
    -------
    EmployedMonthly
        Its ``evaluate(trial)`` gives one row per participant and month.

    Notes
    -----
    A month is known if it lies inside follow-up; completers are observed to the planned end, within
    the design's tolerance. A month that is cut short by death, or after it, is known: "yes" if the
    person worked in it while alive, else "no" with the reason "died". A month cut short by
    withdrawal is unknown, also if there was work in the part that was seen: to keep it only then
    would favour work.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.employed_monthly(until=3).months
    (1.0, 2.0, 3.0)
    """
    checks.one_of(source, ("jobs", "months"), "source")
    last, *more = whole_months_of(until, "until", lowest=1)
    if more:
        raise AnalysisError(
            f"until={until!r} holds {1 + len(more)} months. Write the last of them, such as until=30."
        )
    return EmployedMonthly(int(last), source)
