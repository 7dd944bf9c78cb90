"""The clock of a trial in study days: anniversaries of randomisation, and how far people were followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipseval.months import Dates, Days, anniversary, horizon_day
from ipseval.trial import Trial


def randomised_on(trial: Trial) -> Dates:
    """Return each person's study day 0, as datetime64[D]."""
    return dates_of(trial.participants["randomised_on"])


def dates_of(column: object) -> Dates:
    """Return a date column as datetime64[D]; blanks stay missing (NaT)."""
    dates: Dates = np.asarray(column, dtype="datetime64[D]")
    return dates


def days_to_anniversary(dates: Dates, months: float, rule: str) -> Days:
    """Return the days from each date to its anniversary ``months`` whole months later.

    Under months of a fixed length the anniversary is floor(30 k) or floor(30.4375 k) days later;
    otherwise, calendar months included, it is the calendar anniversary.
    """
    if rule in ("30_days", "30.4375_days"):
        return np.full(dates.shape, horizon_day(months, rule), dtype=np.int64)
    return (anniversary(dates, int(months)) - dates).astype(np.int64)


def anniversary_day(trial: Trial, month: float) -> Days:
    """Return A(k), the study day on which each person's month ``month`` ends and the next begins."""
    return days_to_anniversary(randomised_on(trial), month, trial.design.month)


def observed_to(trial: Trial) -> Days:
    """Return the last study day on which each person's monthly status is known.

    That is F, but the planned end for those who completed follow-up within the design's tolerance
    of it, so that no completer is lost to the calendar.
    """
    followed = trial.followed_days
    planned = anniversary_day(trial, trial.design.follow_up_months)
    reached = trial.completed_to(trial.design.follow_up_months)
    return np.where(reached, np.maximum(followed, planned - 1), followed)


def is_settled(trial: Trial, day: int) -> NDArray[np.bool_]:
    """Return whether it is known of each person what happened before ``day``: followed to it, or died."""
    return trial.is_followed_to(day) | trial.died
