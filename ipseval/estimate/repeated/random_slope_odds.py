"""A repeated yes or no in which people differ in level and in course: random-slope logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.assessments import Assessments, at, counted
from ipseval.estimate.repeated.random_effects_odds import (
    AVERAGED,
    CONDITIONAL,
    method_of,
    refuse_without_estimates,
    said,
    write_averages,
    write_odds_ratios,
    write_spread,
)
from ipseval.estimate.sheet import Sheet
from ipseval.results.setting import setting
from ipseval.stats.repeated.random_effects_logistic import check_points_option
from ipseval.stats.repeated.random_slope_logistic import RandomSlopeLogistic, random_slope_logistic

Row = dict[str, Any]

QUANTITIES = (*CONDITIONAL, "random_intercept_sd", "random_slope_sd", "random_slope_test", *AVERAGED)
AT_BOUNDARY = words.text("note.variance_at_zero")


def write_random_slope_odds(sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, *, points: int) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    check_points_option(points)
    names = panel.covariates.names
    keys = {"method": method_of("random_slope", points), "setting": setting(adjust=names)}
    with sheet.attempt(*QUANTITIES, **keys):
        fit = _fit(panel, points)
        row = {**keys, **said(outcome, fit, AT_BOUNDARY if fit.at_boundary else "")}
        write_odds_ratios(sheet, outcome, panel, fit, row)
        _spreads(sheet, outcome, panel, fit, row)
        write_averages(sheet, outcome, panel, fit, fit.weights_at(_years(panel)), row)
        sheet.model = {"words": "random_slope_logistic", "adjusted": list(names), "points": points}


def _years(panel: Assessments) -> NDArray[np.float64]:
    """Return the months in years, so that a slope is what changes in a year."""
    return np.asarray(panel.months, dtype=np.float64) / 12.0


def _fit(panel: Assessments, points: int) -> RandomSlopeLogistic:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    panel.refuse_unseen()
    years = _years(panel)[panel.month]
    try:
        fit = random_slope_logistic(panel.y, panel.design, panel.person, years, points=points)
    except AnalysisError as refusal:
        raise AnalysisError(panel.named(str(refusal))) from None
    refuse_without_estimates(panel, fit)
    return fit


def _spreads(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, fit: RandomSlopeLogistic, row: Row
) -> None:
    """Write how far people lie apart at each month and in their change, and whether they differ in it."""
    everyone = {**row, **counted(outcome, None)}
    for month, weights in zip(panel.months, fit.weights_at(_years(panel)), strict=True):
        base = {**row, **at(month), **counted(outcome, month), "unit": "log_odds"}
        base.pop("n_event")
        write_spread(sheet, "random_intercept_sd", fit.sd_limits(weights, sheet.conf_level), **base)
    found = fit.sd_limits(fit.weights_of_slope, sheet.conf_level)
    write_spread(sheet, "random_slope_sd", found, **everyone, unit="log_odds_per_year")
    sheet.add("random_slope_test", p_value=fit.slope_p_value(), **everyone)
