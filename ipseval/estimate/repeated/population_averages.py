"""Rows of population-averaged probabilities per arm and month, their contrasts, and the area under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.estimate.repeated.assessments import AVERAGE, Assessments, at, counted
from ipseval.estimate.sheet import Sheet, contrast_label
from ipseval.stats.repeated.population_average import PopulationAveraged

QUANTITIES = (
    "population_averaged_probability",
    "population_averaged_difference",
    "population_averaged_ratio",
    "area_under_curve",
    "area_under_curve_difference",
    "area_under_curve_ratio",
)
_AREA = "area"
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
    """Write probabilities, standardised over everyone randomised, their contrasts, and the area under them.

    The targets of ``found`` are those of ``population``; their averages over the months are added.
    """
    weights = {AVERAGE: dict.fromkeys(months, 1.0), _AREA: trapezoid(months)}
    found = found.with_averages(
        {
            f"{arm}|{label}": {f"{arm}|{month:g}": weight for month, weight in of.items()}
            for arm in sheet.trial.design.arms
            for label, of in weights.items()
        }
    )
    for month in (*months, None):
        label = AVERAGE if month is None else f"{month:g}"
        _write(sheet, outcome, month, found, label, {**row, **at(month)})
    span = {"time_from": months[0], "time": months[-1], "time_unit": "months"}
    _write(sheet, outcome, None, found, _AREA, {**row, **span}, span=months[-1] - months[0])
    sheet.sidecar["population_averaged_covariance"] = found.covariance


def trapezoid(months: tuple[float, ...]) -> dict[float, float]:
    """Return the weight of each month in the area under straight lines from one month to the next.

    Half the distance to its neighbours; from the first to the last, so that nothing is asked of month 0.
    """
    steps = np.diff(months)
    return dict(zip(months, 0.5 * (np.r_[0.0, steps] + np.r_[steps, 0.0]), strict=True))


def _write(
    sheet: Sheet,
    outcome: pd.DataFrame,
    month: float | None,
    found: PopulationAveraged,
    label: str,
    keys: dict[str, Any],
    span: float | None = None,
) -> None:
    """Write a probability of each arm, and how the arms compare; times ``span`` months, the area."""
    design = sheet.trial.design
    low, high = found.limits(sheet.conf_level)
    quantity = "population_averaged_probability" if span is None else "area_under_curve"
    unit = "proportion" if span is None else "months"
    for arm in design.arms:
        here = int(np.flatnonzero(found.target == f"{arm}|{label}")[0])
        numbers = {"estimate": found.probability[here], "std_error": found.std_error[here]}
        numbers |= {"conf_low": low[here], "conf_high": high[here]}
        numbers = {name: value * (span or 1.0) for name, value in numbers.items()}
        if np.isfinite(found.df):
            numbers["df"] = found.df
        base = {**keys, **counted(outcome, month, arm), "arm": arm}
        sheet.add(quantity, **numbers, unit=unit, **base)
    for active, reference in design.comparisons:
        base = {**keys, **counted(outcome, month, active, reference)}
        base["contrast"] = contrast_label(active, reference)
        _contrasts(sheet, found, f"{active}|{label}", f"{reference}|{label}", base, span)


def _contrasts(
    sheet: Sheet,
    found: PopulationAveraged,
    active: str,
    reference: str,
    base: dict[str, Any],
    span: float | None,
) -> None:
    """Write difference and ratio of two probabilities, or of two areas."""
    of = "population_averaged" if span is None else "area_under_curve"
    units = {"difference": "proportion" if span is None else "months", "ratio": "ratio"}
    for measure, unit in units.items():
        result = found.compare(active, reference, measure=measure, conf_level=sheet.conf_level)
        numbers = {field: getattr(result, field) for field in _FIELDS}
        if measure == "difference":
            limits = found.joined_limits(active, reference, conf_level=sheet.conf_level)
            numbers |= dict(zip(("conf_low", "conf_high"), limits, strict=True))
            scaled = ("estimate", "std_error", "conf_low", "conf_high")
            numbers |= {name: numbers[name] * (span or 1.0) for name in scaled}
        if np.isfinite(found.df):
            numbers["df"] = found.df
        sheet.add(f"{of}_{measure}", unit=unit, **numbers, **base)
