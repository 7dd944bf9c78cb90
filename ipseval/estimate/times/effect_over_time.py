"""What every event says of the hazard ratio at its time: the rows behind the Schoenfeld figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseval.estimate.sheet import Sheet
from ipseval.estimate.times.arm_times import ArmTimes, Codes
from ipseval.estimate.times.hazard_rows import ratio_of
from ipseval.stats.times.schoenfeld import schoenfeld_residuals, smoothed_effect

RESIDUAL = "scaled_schoenfeld_residual"


def effect_over_time(sheet: Sheet, people: ArmTimes, active: Codes, keys: dict[str, Any]) -> None:
    """Write the residuals of each day with events, and the hazard ratio each month as a curve has it."""
    strata = people.stratum if keys["setting"] else None
    with sheet.attempt(RESIDUAL, method="cox_efron", **keys):
        event = people.cause == 1
        found = schoenfeld_residuals(people.days, event, active, strata=strata, entry=people.late)
        days, place, events = np.unique(found.time, return_inverse=True, return_counts=True)
        mean = np.bincount(place, found.scaled[:, 0]) / events
        for day, value, n in zip(days, mean, events, strict=True):
            row = {**keys, "time": float(day), "time_unit": "days", "unit": "log_hazard_ratio"}
            row |= {"n": int(n), "n_event": int(n), "n_missing": None}
            sheet.add(RESIDUAL, estimate=value, method="cox_efron", **row)
        # Whole months: ends at the first and the last event would tell the days of two people.
        ends = map(sheet.trial.design.horizon_day, range(1, int(keys["time"]) + 1))
        curve = smoothed_effect(found, [day for day in ends if days[0] <= day <= days[-1]])
        for day, value, std_error in zip(*curve, strict=True):
            row = {**keys, "time": float(day), "time_unit": "days", "method": "schoenfeld_spline"}
            ratio = ratio_of(sheet, float(value), float(std_error))
            kept = {name: ratio[name] for name in ("estimate", "unit", "std_error", "conf_low", "conf_high")}
            sheet.add("hazard_ratio", **kept, **row)
