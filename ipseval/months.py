"""What a month of follow-up is: its first day, its last, and the day at which a horizon is cut.

Study day 0 is the day of randomisation. Under every rule a month is a run of whole days, so that
``n_months`` months have ``n_months + 1`` edges; month ``k`` is ``[edges[k - 1], edges[k])``.

===============  ==============================================================================
``anniversary``  from one calendar anniversary of randomisation to the next (the default)
``30_days``      ``[30 (k - 1), 30 k)``
``30.4375_days`` ``[floor(30.4375 (k - 1)), floor(30.4375 k))``
``calendar``     January, February, ...; the same dates for everyone
===============  ==============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Days = NDArray[np.int64]
Dates = NDArray[np.datetime64]

MONTH_RULES = ("anniversary", "30_days", "30.4375_days", "calendar")

# An average month has 30.4375 days: 487/16, kept as integers so that no floor is off by rounding.
_DAYS_PER_MONTH = {"30_days": (30, 1), "30.4375_days": (487, 16)}


def date_array(values: ArrayLike, name: str, *, allow_missing: bool = False) -> Dates:
    """Return ``values`` as datetime64[D]; refuse what is not a date, and missing dates unless allowed."""
    array = np.asarray(values)
    if array.dtype.kind != "M":
        raise AnalysisError(f"{name} holds values that are not dates. Pass numpy datetime64[D].")
    dates: Dates = array.astype("datetime64[D]", copy=False)
    if not allow_missing and (missing := int(np.count_nonzero(np.isnat(dates)))):
        raise AnalysisError(
            f"{name} is missing for {missing} of {dates.size} entries. "
            f"Complete the dates, or set these aside."
        )
    return dates


def anniversary(dates: ArrayLike, months: ArrayLike) -> Dates:
    """Return A(k): the date ``k`` calendar months after each date.

    The day is clipped to the last day of the month reached, and always counted from ``dates``
    itself: 31 January + 1 month is 28 or 29 February, + 2 months is 31 March.

    Parameters
    ----------
    dates : array of datetime64
        Usually the dates of randomisation. Missing dates are refused.
    months : array of int
        Steps ``k``, possibly negative; broadcast against ``dates``.

    Returns
    -------
    array of datetime64[D], in the broadcast shape.

    Notes
    -----
    The clipping is that of ``dateutil.relativedelta`` and ``pandas.DateOffset``. lubridate's
    ``%m+%`` clips alike; its plain ``+ months()`` gives a missing date instead.

    Examples
    --------
    >>> anniversary(np.datetime64("2020-01-31"), [1, 2, 13]).astype(str).tolist()
    ['2020-02-29', '2020-03-31', '2021-02-28']
    """
    dates = date_array(dates, "dates")
    month = dates.astype("datetime64[M]")
    day_of_month = dates - month.astype("datetime64[D]")
    reached = month + np.asarray(months).astype("timedelta64[M]")
    first = reached.astype("datetime64[D]")
    last = (reached + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    clipped: Dates = np.minimum(first + day_of_month, last)
    return clipped


def horizon_day(months: ArrayLike, rule: str = "anniversary") -> Days:
    """Return h(k): an event counts as within ``k`` months if its study day is below this day.

    One cut serves every person, so that ever employed, milestones and survival give one answer.

    Parameters
    ----------
    months : array of number
        Horizons ``k`` in months, 0 or more.
    rule : str
        One of ``MONTH_RULES``. Under ``30_days`` h(k) = 30 k; otherwise h(k) = floor(30.4375 k).

    Returns
    -------
    array of int, in days.

    Examples
    --------
    >>> horizon_day([6, 18, 30]).tolist()
    [182, 547, 913]
    """
    checks.one_of(rule, MONTH_RULES, "rule")
    months = checks.float_array(months, "months")
    checks.not_negative(months, "months")
    days, per_months = _DAYS_PER_MONTH.get(rule, (487, 16))
    return np.floor(months * days / per_months).astype(np.int64)


def month_edges(
    n_months: int,
    rule: str = "anniversary",
    *,
    randomised_on: ArrayLike | None = None,
    first_month: np.datetime64 | None = None,
) -> Days:
    """Return the study days at which months 1 to ``n_months`` begin and the last one ends.

    Parameters
    ----------
    n_months : int
        Number of months, 1 or more.
    rule : str
        One of ``MONTH_RULES``.
    randomised_on : array of datetime64, one per person
        Needed by ``anniversary`` and ``calendar``; the other rules do not look at dates.
    first_month : datetime64[M], optional
        Where calendar months begin; by default the month of the earliest randomisation.

    Returns
    -------
    array of int, shape (persons, n_months + 1)
        Study days. Under ``30_days`` and ``30.4375_days`` one row serves everyone. Calendar months
        may begin before day 0.

    Examples
    --------
    >>> month_edges(3, "30.4375_days").tolist()
    [[0, 30, 60, 91]]
    >>> month_edges(3, randomised_on=np.array(["2020-01-31"], "M8[D]")).tolist()
    [[0, 29, 60, 90]]
    """
    checks.one_of(rule, MONTH_RULES, "rule")
    if n_months < 1:
        raise AnalysisError(f"n_months={n_months!r} is below 1. Ask for at least one month.")
    steps = np.arange(n_months + 1)
    if rule in _DAYS_PER_MONTH:
        days, per_months = _DAYS_PER_MONTH[rule]
        return (steps * days // per_months)[None, :].astype(np.int64)
    if randomised_on is None:
        raise AnalysisError(f"Months under rule={rule!r} depend on dates. Pass randomised_on.")
    day_0 = np.atleast_1d(date_array(randomised_on, "randomised_on"))[:, None]
    if rule == "anniversary":
        starts = anniversary(day_0, steps)
    else:
        starts = (_first_month(day_0, first_month) + steps).astype("datetime64[D]")[None, :]
    return (starts - day_0).astype(np.int64)


def _first_month(randomised_on: Dates, first_month: np.datetime64 | None) -> np.datetime64:
    date = randomised_on.min() if first_month is None else np.datetime64(first_month)
    month: np.datetime64 = date.astype("datetime64[M]")
    return month


def observed_months(edges: ArrayLike, observed_to: ArrayLike) -> NDArray[np.bool_]:
    """Return whether each whole month lies inside [0, ``observed_to``].

    Parameters
    ----------
    edges : array of int, shape (persons or 1, n_months + 1)
        From ``month_edges``.
    observed_to : array of int, one per person
        Last study day on which the person's status is known.

    Returns
    -------
    array of bool, shape (persons, n_months)

    Examples
    --------
    >>> observed_months(month_edges(2, "30_days"), [58, 59]).tolist()
    [[True, False], [True, True]]
    """
    edges = np.asarray(edges)
    last = np.asarray(observed_to)[:, None]
    inside: NDArray[np.bool_] = (edges[:, :-1] >= 0) & (edges[:, 1:] - 1 <= last)
    return inside


@dataclass(frozen=True)
class MonthTicks:
    """A scale on which one subtraction and one table turn a date into a month of follow-up.

    The month of a date is ``month[date_ticks(date) - origin_ticks(randomised)]``, 0-based, whatever
    the rule. For months of a fixed number of days a tick is a day. For anniversaries a date ticks
    at ``32 (calendar month) + day of month``, where the last day of a month counts as day 31: it is
    the anniversary of every later day. The floor of the difference over 32 is then exactly the
    number of anniversaries passed, clipped days included.

    Attributes
    ----------
    first_date : int
        Days since 1970-01-01 of the first entry of both tables.
    date_table, origin_table : array of int, or None
        Ticks by date, from before the first randomisation to past the last month, and the ticks of
        month 1's first day by date of randomisation. Dates outside take the nearest entry, which is
        outside everyone's months too. None where a tick is a day.
    month : array of int
        0-based month by difference in ticks, from 0 to the end of the last month.
    """

    first_date: int
    date_table: Days | None
    origin_table: Days | None
    month: Days

    def date_ticks(self, dates: Days) -> Days:
        """Return the ticks of dates, given as days since 1970-01-01."""
        return self._looked_up(self.date_table, dates)

    def origin_ticks(self, randomised: Days) -> Days:
        """Return the ticks at which month 1 begins, by date of randomisation (days since 1970-01-01)."""
        return self._looked_up(self.origin_table, randomised)

    def _looked_up(self, table: Days | None, dates: Days) -> Days:
        if table is None:
            return dates
        ticks: Days = table.take(dates - self.first_date, mode="clip")
        return ticks


def month_ticks(
    n_months: int, rule: str, randomised_on: Dates, first_month: np.datetime64 | None = None
) -> MonthTicks:
    """Return the scale of ``n_months`` months for people randomised on these dates.

    The arguments are those of ``month_edges``.
    """
    first_month = _first_month(randomised_on, first_month)
    edges = month_edges(n_months, rule, randomised_on=randomised_on.max(), first_month=first_month)[0]
    earliest, latest = int(randomised_on.min().astype(np.int64)), int(randomised_on.max().astype(np.int64))
    if rule == "anniversary":
        origin_table, date_table = _anniversary_ticks(np.arange(earliest - 1, latest + edges[-1] + 1))
        return MonthTicks(earliest - 1, date_table, origin_table, np.arange(32 * n_months) >> 5)
    month = np.repeat(np.arange(n_months), np.diff(edges))
    origin = np.array([latest + edges[0]]) if rule == "calendar" else None
    return MonthTicks(earliest, None, origin, month)


def _anniversary_ticks(days: Days) -> tuple[Days, Days]:
    """Return 32 (calendar month) + day of month, and the same with a month's last day as day 31."""
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    foot = 32 * month.astype(np.int64)
    day_of_month = (dates - month.astype("datetime64[D]")).astype(np.int64) + 1
    is_last = (dates + 1).astype("datetime64[M]") > month
    return foot + day_of_month, foot + np.where(is_last, 31, day_of_month)
