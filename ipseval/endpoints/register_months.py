"""Outcomes from the months of registers: hours, work and claim, benefits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval import checks
from ipseval.endpoints import explain, registers
from ipseval.endpoints.base import DIED, Endpoint, Kind, outcome_frame, stacked, whole_months_of
from ipseval.errors import AnalysisError
from ipseval.trial import Trial

#: The states of ``work_and_claim_state``; death is one of its own.
STATES = (
    "working_on_claim",
    "working_not_on_claim",
    "not_working_on_claim",
    "not_working_not_on_claim",
    DIED,
)


@dataclass(frozen=True)
class MonthsWithHours(Endpoint):
    """See ``months_with_hours``."""

    name: ClassVar[str] = "months_with_hours"
    kind: ClassVar[Kind] = "amount"
    unit: ClassVar[str] = "months"

    by: tuple[float, ...]
    at_least: float

    @property
    def months(self) -> tuple[float, ...]:
        """The horizons."""
        return self.by

    @property
    def key(self) -> str:
        """The name with the hours."""
        return f"{self.name}_{self.at_least:g}"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        hours = registers.panel(trial, "hours_worked", self.by[-1])
        return registers.totals(trial, registers.at_least(hours, self.at_least), self.by)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from months to value."""
        return explain.explanation(self, trial, person, explain.register_lines(trial, person, "hours_worked"))


@dataclass(frozen=True)
class WorkAndClaimState(Endpoint):
    """See ``work_and_claim_state``."""

    name: ClassVar[str] = "work_and_claim_state"
    kind: ClassVar[Kind] = "state"
    cumulative: ClassVar[bool] = False

    month: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The months."""
        return self.month

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and month; see ``ipseval.endpoints.base``."""
        work = registers.working_panel(trial, self.month[-1])
        claim = registers.at_least(registers.panel(trial, "on_claim", self.month[-1]), 1)
        status = np.where(work.known, claim.status, work.status)
        frames = []
        for month in self.month:
            k = int(month) - 1
            idle, unclaimed = work.value[:, k] != 1, claim.value[:, k] != 1
            state = np.array(STATES, dtype=object)[2 * idle + unclaimed]
            state[status[:, k] == registers.DEAD] = DIED
            known = status[:, k] <= registers.DEAD
            state[~known] = None
            value = pd.Categorical(state.tolist(), categories=list(STATES))
            reason = registers.reasons(trial, status[:, k], name_the_dead=True)
            frames.append(outcome_frame(trial, month, value, known=known, reason=reason))
        return stacked(frames)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from months to value."""
        records = explain.register_lines(trial, person, *registers.WORK_COLUMNS, "on_claim")
        return explain.explanation(self, trial, person, records)


@dataclass(frozen=True)
class BenefitInMonth(Endpoint):
    """See ``benefit_amount(month=)``."""

    name: ClassVar[str] = "benefit_amount"
    kind: ClassVar[Kind] = "amount"
    unit: ClassVar[str] = "currency"
    cumulative: ClassVar[bool] = False

    month: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The months."""
        return self.month

    @property
    def key(self) -> str:
        """The name, and that it is of single months."""
        return f"{self.name}_in_month"

    @property
    def words_key(self) -> str:
        """The text for single months."""
        return f"endpoint.{self.name}.in_month"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and month; see ``ipseval.endpoints.base``."""
        benefits = registers.panel(trial, "benefit_amount", self.month[-1])
        return registers.in_month(trial, benefits, self.month)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from months to value."""
        return explain.explanation(
            self, trial, person, explain.register_lines(trial, person, "benefit_amount")
        )


@dataclass(frozen=True)
class BenefitTotal(Endpoint):
    """See ``benefit_amount(by=)``."""

    name: ClassVar[str] = "benefit_amount"
    kind: ClassVar[Kind] = "amount"
    unit: ClassVar[str] = "currency"

    by: tuple[float, ...]

    @property
    def months(self) -> tuple[float, ...]:
        """The horizons."""
        return self.by

    @property
    def key(self) -> str:
        """The name, and that it is a total."""
        return f"{self.name}_total"

    @property
    def words_key(self) -> str:
        """The text for a total."""
        return f"endpoint.{self.name}.total"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and horizon; see ``ipseval.endpoints.base``."""
        return registers.totals(trial, registers.panel(trial, "benefit_amount", self.by[-1]), self.by)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from months to value."""
        return explain.explanation(
            self, trial, person, explain.register_lines(trial, person, "benefit_amount")
        )


def months_with_hours(at_least: float = 48, by: float | Iterable[float] = 30) -> MonthsWithHours:
    """Number of months with at least ``at_least`` hours of work, within ``by`` months; registers.

    Parameters
    ----------
    at_least : number
        Hours in the month, over all registers that record ``hours_worked``.
    by : whole number, or several
        Calendar months 1 to ``by`` after the month of randomisation.

    Notes
    -----
    Which months are known is said in ``ipseval.endpoints.registers``. Complete if all are; otherwise
    ``value`` counts up to the first month that is not known.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.months_with_hours(at_least=48, by=36).key
    'months_with_hours_48'
    """
    if not checks.is_number(at_least) or at_least <= 0:
        raise AnalysisError(f"at_least={at_least!r} is not a number of hours above 0. Write at_least=48.")
    return MonthsWithHours(whole_months_of(by, "by", lowest=1), float(at_least))


def work_and_claim_state(month: float | Iterable[float] = 30) -> WorkAndClaimState:
    """Working or not, on claim or not, in the calendar month ``month`` months after randomisation.

    Parameters
    ----------
    month : whole number, or several
        Calendar months after the month of randomisation, 1 or more.

    Returns
    -------
    WorkAndClaimState
        ``value`` is one of four states, or "died", which is one of its own.

    Notes
    -----
    Working means a number above 0 of days, or else hours, or else earnings, the first of these that
    the registers record; on claim is their column ``on_claim``. Which months are known is said in
    ``ipseval.endpoints.registers``; the state is known if both parts are.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.work_and_claim_state(month=[12, 30]).months
    (12.0, 30.0)
    """
    return WorkAndClaimState(whole_months_of(month, "month", lowest=1))


def benefit_amount(
    month: float | Iterable[float] | None = None, by: float | Iterable[float] | None = None
) -> BenefitInMonth | BenefitTotal:
    """Benefits paid in single months, or in total by some month; registers, in the trial's currency.

    Parameters
    ----------
    month : whole number, or several
        The benefit of the calendar month that lies ``month`` months after that of randomisation.
    by : whole number, or several
        The total over calendar months 1 to ``by``. Give one of the two.

    Notes
    -----
    The sum of ``benefit_amount`` over all registers that record it; recovered benefits are negative.
    Which months are known is said in ``ipseval.endpoints.registers``; after death it is 0.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.benefit_amount(by=30).key
    'benefit_amount_total'
    """
    if month is not None and by is None:
        return BenefitInMonth(whole_months_of(month, "month", lowest=1))
    if by is not None and month is None:
        return BenefitTotal(whole_months_of(by, "by", lowest=1))
    raise AnalysisError("benefit_amount needs either month= or by=. Write month=30, or by=30 for a total.")
