"""Rows of population-averaged probabilities per arm and month, and of their differences and ratios."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.estimate.assessments import AVERAGE, Assessments, at, counted
from ipseval.estimate.sheet import Sheet, contrast_label
from ipseval.stats.population_average import PopulationAveraged

_FIELDS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")


def population(panel: Assessments) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return rows of everyone as if in each arm at each month, and their target, ``arm|month``."""
    rows, target = [], []
    for code, arm in enumerate(panel.arms):
        for place, month in enumerate(panel.months):
            rows.append(panel.everyone(place, code))
            target += [f"{arm}|{month:g}"] * len(rows[-1])
    return np.vstack(rows), np.array(target)


def write_population_averages(
    sheet: Sheet,
    outcome: pd.DataFrame,
    months: tuple[float, ...],
    found: PopulationAveraged,
    row: dict[str, Any],
) -> None:
    """Write probabilities, standardised over everyone randomised, and their contrasts.

    The targets of ``found`` are those of ``population``; their averages over the months are added.
    """
    design = sheet.trial.design
    found = found.with_averages(
        {f"{arm}|{AVERAGE}": [f"{arm}|{month:g}" for month in months] for arm in design.arms}
    )
    low, high = found.limits(sheet.conf_level)
    place = {label: here for here, label in enumerate(found.target.tolist())}
    for month in (*months, None):
        label = AVERAGE if month is None else f"{month:g}"
        keys = {**row, **at(month)}
        for arm in design.arms:
            here = place[f"{arm}|{label}"]
            numbers = {"estimate": found.probability[here], "std_error": found.std_error[here]}
            numbers |= {"conf_low": low[here], "conf_high": high[here], "unit": "proportion"}
            if np.isfinite(found.df):
                numbers["df"] = found.df
            base = {**keys, **counted(outcome, month, arm), "arm": arm}
            sheet.add("population_averaged_probability", **numbers, **base)
        for active, reference in design.comparisons:
            base = {**keys, **counted(outcome, month, active, reference)}
            base["contrast"] = contrast_label(active, reference)
            _contrasts(sheet, found, f"{active}|{label}", f"{reference}|{label}", base)
    sheet.sidecar["population_averaged_covariance"] = found.covariance


def _contrasts(
    sheet: Sheet, found: PopulationAveraged, active: str, reference: str, base: dict[str, Any]
) -> None:
    """Write difference and ratio of two probabilities."""
    for measure, unit in (("difference", "proportion"), ("ratio", "ratio")):
        result = found.compare(active, reference, measure=measure, conf_level=sheet.conf_level)
        numbers = {field: getattr(result, field) for field in _FIELDS}
        if measure == "difference":
            limits = found.joined_limits(active, reference, conf_level=sheet.conf_level)
            numbers |= dict(zip(("conf_low", "conf_high"), limits, strict=True))
        if np.isfinite(found.df):
            numbers["df"] = found.df
        sheet.add(f"population_averaged_{measure}", unit=unit, **numbers, **base)
