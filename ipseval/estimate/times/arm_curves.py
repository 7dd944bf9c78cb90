"""One arm in time: its curve and band, who was at risk, the milestones and the median."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseval import words
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.estimate.times.arm_times import ArmTimes
from ipseval.estimate.times.time_contrasts import incidence_of, unknown_by
from ipseval.stats.times.bands import incidence_band
from ipseval.stats.times.cumulative_incidence import CumulativeIncidence, incidence_at
from ipseval.stats.times.kaplan_meier import SurvivalCurve, quantile

BAND = {"method": "equal_precision_band", "setting": "band=equal_precision"}


def curves(sheet: Sheet, arm: str, data: ArmTimes, horizon: float) -> None:
    """Write the points at which a curve steps, its first day and the horizon; then the band around it."""
    cut = sheet.trial.design.horizon_day(horizon)
    for term, of in (("event", 1), ("died", 2)):
        if of == 2 and not (data.cause == 2).any():
            continue
        happened = np.unique(data.days[data.cause == of])
        days = np.unique(np.concatenate(([min(data.first_day, cut)], happened[happened < cut], [cut])))
        keys = {"arm": arm, "term": term, "time_unit": "days"}
        with sheet.attempt("cumulative_incidence", method="aalen_johansen", **keys):
            found = incidence_at(incidence_of(sheet, data, of), days)
            for at, day in enumerate(days):
                unknown = unknown_by(data, int(day))
                sheet.add(
                    "cumulative_incidence",
                    method="aalen_johansen",
                    estimate=np.nan if unknown else found.incidence[at],
                    std_error=found.std_error[at],
                    **_point(day, found.conf_low[at], found.conf_high[at]),
                    **remarks(unknown),
                    **data.base(float(day) + 1 if day < cut else cut, of),
                    **keys,
                )
    _band(sheet, arm, data, cut)


def _band(sheet: Sheet, arm: str, data: ArmTimes, cut: int) -> None:
    """Write the band that holds the whole curve of the event, at the days on which it steps."""
    keys = {"arm": arm, "term": "event", "time_unit": "days", **BAND}
    with sheet.attempt("cumulative_incidence", **keys):
        band = incidence_band(incidence_of(sheet, data), to_time=cut, conf_level=sheet.conf_level)
        for at in np.flatnonzero(np.diff(band.probability, prepend=0.0) > 0):
            sheet.add(
                "cumulative_incidence",
                estimate=band.probability[at],
                **_point(band.time[at], band.conf_low[at], band.conf_high[at]),
                **data.base(float(band.time[at]) + 1),
                **keys,
            )


def _point(day: float, low: float, high: float) -> dict[str, Any]:
    """Return what points of a curve and of its band have in common, as columns."""
    return {"time_from": 0.0, "time": float(day), "unit": "proportion", "conf_low": low, "conf_high": high}


def at_risk(sheet: Sheet, arm: str, data: ArmTimes, horizon: float) -> None:
    """Write who was at risk just before each tick, and what had happened to the others."""
    for month in np.unique(np.append(np.arange(0.0, horizon, 6.0), horizon)):
        day = sheet.trial.design.horizon_day(month)
        base = data.base(day)
        keys = {"arm": arm, "time": float(month), "time_unit": "months", "unit": "people", "method": "count"}
        for quantity, count in (
            ("number_at_risk", data.at_risk(day)),
            ("cumulative_events", base["n_event"]),
            ("cumulative_censored", base["n_missing"]),
        ):
            sheet.add(quantity, estimate=count, n=base["n"], **keys)


def milestones_and_median(
    sheet: Sheet, arm: str, data: ArmTimes, horizon: float, months: list[float]
) -> None:
    """Write the incidence at the milestones and the median of one arm."""
    design = sheet.trial.design
    with sheet.attempt("cumulative_incidence", "median_time", arm=arm, term="event", time_unit="months"):
        curve = incidence_of(sheet, data)
        for month in months:
            day = design.horizon_day(month)
            found = incidence_at(curve, [day - 1])
            limits = {name: getattr(found, name)[0] for name in ("std_error", "conf_low", "conf_high")}
            keys = {"arm": arm, "term": "event", "time_from": 0.0, "time": month, "time_unit": "months"}
            base = {"method": "aalen_johansen", "unit": "proportion", **data.base(day)}
            unknown = unknown_by(data, day - 1)
            estimate = np.nan if unknown else found.incidence[0]
            base |= remarks(unknown)
            sheet.add("cumulative_incidence", estimate=estimate, **limits, **keys, **base)
        _median(sheet, arm, data, curve, horizon)


def _median(sheet: Sheet, arm: str, data: ArmTimes, curve: CumulativeIncidence, horizon: float) -> None:
    """Write the day by which half of the arm had the event, by inverting the curve and its limits."""
    cut = sheet.trial.design.horizon_day(horizon)
    free = SurvivalCurve(
        curve.time,
        curve.n_risk,
        curve.n_event,
        curve.n_censored,
        1 - curve.incidence,
        curve.std_error,
        1 - curve.conf_high,
        1 - curve.conf_low,
    )
    found = quantile(free, [0.5])
    reached = not np.isnan(found.time[0])
    bounded = not np.isnan([found.conf_low[0], found.conf_high[0]]).any()
    note = words.text("note.limit_not_reached") if reached and not bounded else ""
    sheet.add(
        "median_time",
        arm=arm,
        term="event",
        time_from=0.0,
        time=horizon,
        time_unit="months",
        unit="days",
        method="aalen_johansen",
        estimate=found.time[0],
        conf_low=found.conf_low[0],
        conf_high=found.conf_high[0],
        note=note if reached else data.unseen(cut - 1) or words.text("note.not_reached"),
        **data.base(cut),
    )
