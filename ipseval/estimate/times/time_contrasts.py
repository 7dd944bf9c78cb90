"""How do the arms differ in cumulative incidence at the milestones?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ipseval import words
from ipseval.endpoints.base import months_of
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.estimate.times.arm_times import ArmTimes, Pair, apart, both
from ipseval.stats.times.cumulative_incidence import CumulativeIncidence, cumulative_incidence, incidence_at
from ipseval.stats.times.milestones import milestone_difference, milestone_ratio

LOST_LEAVE = words.text("note.lost_leave")
DEATHS_APART = words.text("note.deaths_apart")
ZERO_WITHOUT_JOB = words.text("note.zero_without_job")
ZERO_AMONG_OBSERVED = words.text("note.zero_among_observed")
NOT_FOLLOWED = words.text("note.not_followed_so_far")

MAIN_SCALE = "aalen_johansen_log_log"
#: Method -> scale of the interval of a difference in incidence.
SCALES = {MAIN_SCALE: "log-log", "aalen_johansen": "plain"}


def incidence_contrasts(sheet: Sheet, label: str, pair: Pair, months: list[float]) -> None:
    """Write difference and ratio of the incidences at each milestone."""
    sheet.main(MAIN_SCALE, "", "cumulative_incidence_difference")
    quantities = ("cumulative_incidence_difference", "cumulative_incidence_ratio")
    with sheet.attempt(*quantities, contrast=label, term="event", method=MAIN_SCALE):
        curves = [incidence_of(sheet, data) for data in pair]
        for month in months:
            day = sheet.trial.design.horizon_day(month)
            keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": month}
            keys |= {"time_unit": "months", **both(pair, day)}
            unknown = [unknown_by(data, day - 1) for data in pair]
            if note := apart(pair) or unknown[0] or unknown[1]:
                for quantity in quantities:
                    sheet.add(quantity, note=note, method=MAIN_SCALE, **keys)
                continue
            arms = [incidence_at(curve, [day - 1]) for curve in curves]
            for method, scale in SCALES.items():
                found = milestone_difference(*arms, interval=scale, conf_level=sheet.conf_level)
                row = {"method": method, "unit": "proportion", **first_horizon(found), **keys}
                sheet.add("cumulative_incidence_difference", **row)
            ratio = milestone_ratio(*arms, interval=SCALES[MAIN_SCALE], conf_level=sheet.conf_level)
            row = {"method": MAIN_SCALE, "unit": "ratio", **first_horizon(ratio), **keys}
            sheet.add("cumulative_incidence_ratio", **row)


def incidence_of(sheet: Sheet, data: ArmTimes, of: int = 1) -> CumulativeIncidence:
    """Return the cumulative incidence of one arm at the confidence level of the sheet."""
    data.refuse_broken()
    return cumulative_incidence(data.days, data.cause, of=of, entry=data.late, conf_level=sheet.conf_level)


def unknown_by(data: ArmTimes, day: int) -> str:
    """Return why these people do not show what happened by the end of a day; nothing where they do."""
    return data.unseen(day) or ("" if data.shows(day) else NOT_FOLLOWED)


def first_horizon(found: Any) -> dict[str, float]:
    """Return the entry of the one horizon or milestone asked for, as columns."""
    names = [name for name in found._fields if name not in ("horizon", "time")]
    return {name: float(np.atleast_1d(getattr(found, name))[0]) for name in names}


def say_also(sheet: Sheet, text: str, of: Callable[[Mapping[str, Any]], bool]) -> None:
    """Say of some rows that have a number what it assumes; that is no warning and leaves their status."""
    for row in sheet.rows:
        if row["status"] in ("ok", "warned") and of(row):
            row.update(remarks(row.get("note") or "", text))


def say_of_the_lost(sheet: Sheet) -> None:
    """Say in the main rows of contrasts what they assume of people who were lost, where any were."""
    method, setting = sheet.main_methods, sheet.main_settings

    def is_main_contrast(row: Mapping[str, Any]) -> bool:
        quantity, used = row["quantity"], row.get("method", "")
        is_main = row.get("setting", "") == setting.get(quantity, "") and used == method.get(quantity, used)
        return bool(is_main and row.get("contrast") and row.get("n_missing"))

    say_also(sheet, LOST_LEAVE, is_main_contrast)


def is_time_since(row: Mapping[str, Any]) -> bool:
    """Whether a row is about the mean time since the first job, which is 0 for people without one."""
    return str(row["quantity"]).startswith("restricted_mean_time_lost")


def months_within(
    given: float | Iterable[float] | None, name: str, horizon: float, default: tuple[int, ...] = ()
) -> list[float]:
    """Return the months given, or those by default within the horizon, with the horizon itself."""
    if given is None:
        return sorted({float(month) for month in default if 0 < month <= horizon} | {horizon})
    months = months_of(given, name)
    outside = [month for month in months if not 0 < month <= horizon]
    if outside:
        raise AnalysisError(
            f"{name}={outside} lie outside the endpoint's horizon of {horizon:g} months. "
            f"Raise the horizon, or leave them out."
        )
    return sorted({*months, horizon})
