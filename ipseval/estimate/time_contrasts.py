"""How do the arms differ in time: incidences at the milestones, and mean times up to the horizon."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseval import words
from ipseval.estimate.arm_times import ArmTimes, Pair, both, together
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.stats.cumulative_incidence import CumulativeIncidence, cumulative_incidence, incidence_at
from ipseval.stats.linear_adjustment import ancova
from ipseval.stats.milestones import milestone_difference, milestone_ratio
from ipseval.stats.pseudo_values import time_lost_pseudo_values
from ipseval.stats.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_mean_ratio,
    restricted_time_lost,
)

DEATH_ENDS_IT = words.text("note.death_ends_it")
NOT_FOLLOWED = words.text("note.not_followed_so_far")

MAIN_SCALE = "aalen_johansen_log_log"
#: Method -> scale of the interval of a difference in incidence.
SCALES = {MAIN_SCALE: "log-log", "aalen_johansen": "plain"}


def time_contrasts(
    sheet: Sheet, label: str, pair: Pair, horizon: float, months: list[float], adjust: tuple[str, ...]
) -> None:
    """Write differences and ratios of two arms at the milestones and up to the horizon."""
    sheet.main(MAIN_SCALE, "", "cumulative_incidence_difference")
    sheet.main("aalen_johansen", "", "restricted_mean_time_lost_difference")
    _milestones(sheet, label, pair, months)
    _times_lost(sheet, label, pair, horizon)
    if adjust:
        _adjusted(sheet, label, pair, horizon, adjust)
    _times_left(sheet, label, pair, horizon)


def incidence_of(sheet: Sheet, data: ArmTimes, of: int = 1) -> CumulativeIncidence:
    """Return the cumulative incidence of one arm at the confidence level of the sheet."""
    return cumulative_incidence(data.days, data.cause, of=of, conf_level=sheet.conf_level)


def first_horizon(found: Any) -> dict[str, float]:
    """Return the entry of the one horizon or milestone asked for, as columns."""
    names = [name for name in found._fields if name not in ("horizon", "time")]
    return {name: float(np.atleast_1d(getattr(found, name))[0]) for name in names}


def _milestones(sheet: Sheet, label: str, pair: Pair, months: list[float]) -> None:
    """Write difference and ratio of the incidences at each milestone."""
    quantities = ("cumulative_incidence_difference", "cumulative_incidence_ratio")
    with sheet.attempt(*quantities, contrast=label, term="event", method=MAIN_SCALE):
        curves = [incidence_of(sheet, data) for data in pair]
        for month in months:
            day = sheet.trial.design.horizon_day(month)
            keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": month}
            keys |= {"time_unit": "months", **both(pair, day)}
            if not all(data.shows(day - 1) for data in pair):
                for quantity in quantities:
                    sheet.add(quantity, status="failed", note=NOT_FOLLOWED, method=MAIN_SCALE, **keys)
                continue
            arms = [incidence_at(curve, [day - 1]) for curve in curves]
            for method, scale in SCALES.items():
                found = milestone_difference(*arms, interval=scale, conf_level=sheet.conf_level)
                row = {"method": method, "unit": "proportion", **first_horizon(found), **keys}
                sheet.add("cumulative_incidence_difference", **row)
            ratio = milestone_ratio(*arms, interval=SCALES[MAIN_SCALE], conf_level=sheet.conf_level)
            row = {"method": MAIN_SCALE, "unit": "ratio", **first_horizon(ratio), **keys}
            sheet.add("cumulative_incidence_ratio", **row)


def _up_to(label: str, horizon: float) -> dict[str, Any]:
    return {"contrast": label, "time_from": 0.0, "time": horizon, "time_unit": "months"}


def _times_lost(sheet: Sheet, label: str, pair: Pair, horizon: float) -> None:
    """Write difference and ratio of the mean times since the event."""
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {**_up_to(label, horizon), "term": "event", "method": "aalen_johansen"}
    quantities = {
        "restricted_mean_time_lost_difference": (restricted_mean_difference, "days"),
        "restricted_mean_time_lost_ratio": (restricted_mean_ratio, "ratio"),
    }
    with sheet.attempt(*quantities, **keys):
        lost = [restricted_time_lost(data.days, data.cause, cut) for data in pair]
        for quantity, (contrast, unit) in quantities.items():
            found = first_horizon(contrast(*lost, conf_level=sheet.conf_level))
            sheet.add(quantity, unit=unit, **found, **keys, **both(pair, cut))


def _adjusted(sheet: Sheet, label: str, pair: Pair, horizon: float, adjust: tuple[str, ...]) -> None:
    """Write the difference of the mean times since the event among people alike in the covariates.

    Pseudo-values are taken within each arm, so that drop-out may differ between the arms.
    """
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {**_up_to(label, horizon), "term": "event", "unit": "days", "method": "pseudo_values_ancova"}
    keys["setting"] = f"adjust={'+'.join(adjust)}"
    with sheet.attempt("restricted_mean_time_lost_difference", **keys):
        people, active = together(pair)
        values = time_lost_pseudo_values(people.days, people.cause, cut, censoring_group=active)
        found = ancova(values, active, people.covariates, conf_level=sheet.conf_level).difference
        names = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
        row = {name: getattr(found, name) for name in names} | remarks(found.note.rstrip("."))
        sheet.add("restricted_mean_time_lost_difference", **row, **keys, **both(pair, cut))


def _times_left(sheet: Sheet, label: str, pair: Pair, horizon: float) -> None:
    """Write the difference of the mean times alive without the event."""
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {**_up_to(label, horizon), "unit": "days", "method": "kaplan_meier"}
    with sheet.attempt("restricted_mean_survival_time_difference", **keys):
        free = [restricted_mean(data.days, data.cause > 0, cut) for data in pair]
        found = first_horizon(restricted_mean_difference(*free, conf_level=sheet.conf_level))
        row = {**found, **keys, **remarks(DEATH_ENDS_IT), **both(pair, cut)}
        sheet.add("restricted_mean_survival_time_difference", **row)
