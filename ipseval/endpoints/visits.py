"""What was recorded at planned assessments, one value per person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval.endpoints.base import why_unknown
from ipseval.endpoints.study_days import anniversary_day
from ipseval.errors import DataError
from ipseval.trial import Trial

NOT_ASSESSED = "not assessed"


def at_visit(trial: Trial, column: str, month: float) -> NDArray[np.float64]:
    """Return each person's ``column`` at the visit of ``month``: nan without a visit or a value.

    Raises
    ------
    DataError
        If the trial has no visits, these have no such column, none was planned for that month, or
        some are of people who were not randomised.
    """
    visits = trial.table("visits")
    if column not in visits:
        raise DataError(f"visits has no column {column!r}. Map it in trial.toml, blank where unknown.")
    rows = visits.loc[(visits["visit_month"] == int(month)).to_numpy(dtype=np.bool_)]
    if rows.empty:
        planned = ", ".join(str(k) for k in sorted(visits["visit_month"].dropna().unique()))
        raise DataError(f"No visit is of month {month:g} (visits are of months: {planned}).")
    person = trial.index_of(rows["participant_id"])
    if strangers := int((person < 0).sum()):
        raise DataError(
            f"{strangers} of {len(rows)} visits of month {month:g} are of people who were not randomised. "
            f"Correct their participant_id, or set these rows aside."
        )
    values = np.full(len(trial), np.nan)
    values[person] = rows[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def has_died_before(trial: Trial, month: float) -> NDArray[np.bool_]:
    """Return who died before the day A(k) of ``month``."""
    return trial.died & (trial.followed_days < anniversary_day(trial, month))


def why_not_assessed(trial: Trial, month: float, known: NDArray[np.bool_]) -> NDArray[Any]:
    """Return why follow-up ended if it did before A(k), else "not assessed"; "" where known."""
    gone = (trial.followed_days < anniversary_day(trial, month)) & ~trial.completed_to(month)
    missed = np.where(gone, why_unknown(trial, known, NOT_ASSESSED), NOT_ASSESSED)
    return np.where(known, "", missed)
