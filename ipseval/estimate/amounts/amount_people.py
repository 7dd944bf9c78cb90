"""The amounts of the people of each arm, part by part of the window, and how those lost are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.endpoints.base import Endpoint
from ipseval.endpoints.jobs import NO_JOB
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.trial import Trial

RULES = ("weighted", "as_not_employed", "observed")

NOT_RECORDED = words.text("note.not_recorded")
HOURS_ASSUMED = words.text("note.hours_assumed")
BIASED = words.text("note.early_leavers_dropped")
WORKERS_ONLY = words.text("note.workers_only")
ACCRUED = words.text("note.accrued")

#: A total is weighted in parts of six months: who is lost counts up to the last part seen in full.
PART_MONTHS = 6


class Arm(NamedTuple):
    """Amounts of one arm's people whose amount was recorded, and how many were not.

    ``parts`` has a row per person and a column per part of the window, ``ends`` the last day of each;
    ``place`` is each person's row among the participants, and ``is_assumed`` whether their amount rests on
    hours stated in place of those not recorded.
    """

    parts: NDArray[np.float64]
    ends: NDArray[np.float64]
    is_complete: NDArray[np.bool_]
    followed: NDArray[np.float64]
    place: NDArray[np.intp]
    n_missing: int
    n_unrecorded: int
    is_assumed: NDArray[np.bool_]

    @property
    def amount(self) -> NDArray[np.float64]:
        """What each person accrued by their last day."""
        return np.asarray(self.parts.sum(axis=1))

    @property
    def days_observed(self) -> NDArray[np.float64]:
        """Days of the window that count as seen: all of it for who is complete, the dead among them."""
        return np.where(self.is_complete, self.ends[-1], self.followed) + 1.0

    def under(self, rule: str) -> Arm:
        """Return the people who count under a rule."""
        return self.of(self.is_complete) if rule == "observed" else self

    def of(self, keep: NDArray[np.bool_]) -> Arm:
        """Return some of the people."""
        rows = ("parts", "is_complete", "followed", "place", "is_assumed")
        return self._replace(**{name: getattr(self, name)[keep] for name in rows})


Pair = tuple[Arm, Arm]


def steps_of(endpoint: Endpoint, month: float) -> list[float]:
    """Return the months at which the parts of a window end; one part where parts do not add up."""
    inner = np.arange(PART_MONTHS, month, PART_MONTHS) if endpoint.accrues else np.empty(0)
    return [*map(float, inner), month]


def arms_of(trial: Trial, outcomes: pd.DataFrame, steps: list[float]) -> dict[str, Arm]:
    """Return the amounts of every arm up to the last step, from the outcomes at all of them."""
    outcome = outcomes.loc[outcomes["month"] == steps[-1]]
    by_step = [outcomes.loc[outcomes["month"] == step, "value"].to_numpy(dtype=np.float64) for step in steps]
    parts = np.diff(np.column_stack([np.zeros(len(outcome)), *by_step]), axis=1)
    ends = np.array([trial.design.horizon_day(step) - 1.0 for step in steps])
    amount = outcome["value"].to_numpy(dtype=np.float64)
    complete = outcome["is_complete"].to_numpy(dtype=bool)
    until = outcome["observed_until"].to_numpy(dtype=np.float64)
    arm, reason = outcome["arm"].to_numpy(), outcome["reason"].to_numpy()
    recorded = ~np.isnan(amount)
    assumed = (
        outcome["assumed"].to_numpy(dtype=bool) if "assumed" in outcome else np.zeros(len(outcome), bool)
    )
    made = {}
    for name in trial.design.arms:
        rows = recorded & (arm == name)
        # Someone without a job has no tenure: there is nothing unknown about it.
        unknown = int(((arm == name) & ~(recorded & complete) & (reason != NO_JOB)).sum())
        unrecorded = int(((arm == name) & np.isnan(amount) & (reason != NO_JOB)).sum())
        place = np.flatnonzero(rows)
        made[name] = Arm(
            parts[rows], ends, complete[rows], until[rows], place, unknown, unrecorded, assumed[rows]
        )
    return made


def said_of(sheet: Sheet, arms: Iterable[Arm], rule: str) -> list[str]:
    """Return what must be said of a number under a rule."""
    people = list(arms)
    incomplete = any(not data.is_complete.all() for data in people)
    said = [WORKERS_ONLY] if sheet.endpoint is not None and sheet.endpoint.name == "job_tenure" else []
    said += [NOT_RECORDED] if any(data.n_unrecorded for data in people) else []
    if concerned := sum(int(data.under(rule).is_assumed.sum()) for data in people):
        said += [HOURS_ASSUMED, f"people concerned: {concerned}"]
    said += [BIASED] if rule == "observed" and incomplete else []
    return said + ([ACCRUED] if rule == "as_not_employed" and incomplete else [])


def people_of(pair: Iterable[Arm], counted: Iterable[Arm]) -> dict[str, int]:
    """Return how many people a contrast counts, and how many amounts are not known in full."""
    return {
        "n": sum(len(data.amount) for data in counted),
        "n_missing": sum(data.n_missing for data in pair),
    }


def columns_of(found: Any, said: Iterable[str] = ()) -> dict[str, Any]:
    """Return the columns of a kernel's answer: its numbers, and its note after what is said anyway."""
    names = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
    numbers = {name: getattr(found, name) for name in names if hasattr(found, name)}
    # A normal test has no degrees of freedom to report.
    if np.isinf(numbers.get("df", 0.0)):
        del numbers["df"]
    return numbers | remarks(*said, getattr(found, "note", "").rstrip("."))
