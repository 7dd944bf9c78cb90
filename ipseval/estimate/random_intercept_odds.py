"""A repeated yes or no by random-intercept logistic regression: odds ratios within a person, rates of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ipseval.errors import AnalysisError
from ipseval.estimate.assessments import Assessments, at, counted, seen_only
from ipseval.estimate.population_averages import population, write_population_averages
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results.setting import setting
from ipseval.stats.population_average import population_averaged
from ipseval.stats.random_intercept_logistic import RandomInterceptLogistic, random_intercept_logistic
from ipseval.stats.tables import chi_square_p_value, normal_quantile

Row = dict[str, Any]

QUANTITIES = (
    "conditional_log_odds_ratio",
    "conditional_odds_ratio",
    "arm_by_month_test",
    "random_intercept_sd",
    "population_averaged_probability",
    "population_averaged_difference",
    "population_averaged_ratio",
)


def write_random_intercept_odds(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, *, points: int
) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    names = panel.covariates.names
    keys = {"method": f"adaptive_gauss_hermite_{points}", "setting": setting(adjust=names)}
    with sheet.attempt(*QUANTITIES, **keys):
        fit = _fit(panel, points)
        row = {**keys, **remarks(panel.named(fit.note).rstrip("."), seen_only(outcome))}
        _conditional(sheet, outcome, panel, fit, row)
        everyone, target = population(panel)
        found = population_averaged(fit, everyone, target=target)
        write_population_averages(sheet, outcome, panel.months, found, row)
        sheet.model = {"words": "random_intercept_logistic", "adjusted": list(names), "points": points}


def _fit(panel: Assessments, points: int) -> RandomInterceptLogistic:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    try:
        fit = random_intercept_logistic(panel.y, panel.design, panel.person, points=points)
    except AnalysisError as refusal:
        raise AnalysisError(panel.named(str(refusal))) from None
    if not fit.converged:
        raise AnalysisError(panel.named(fit.note))
    return fit


def _conditional(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, fit: RandomInterceptLogistic, row: Row
) -> None:
    """Write log-odds ratios per month, the spread of the intercepts, and the test of a common ratio."""
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        keys = {**row, "contrast": contrast_label(*pair)}
        for place, month in enumerate(panel.months):
            column = int(np.argmax(panel.effect(place, code)))
            value, error = float(fit.coefficients[column]), float(fit.std_error[column])
            base = {**keys, **at(month), **counted(outcome, month, *pair)}
            _odds_ratio(sheet, value, error, base)
        test = _common_ratio(panel.changes(code), fit)
        sheet.add("arm_by_month_test", **test, **keys, **counted(outcome, None, *pair))
    low, high = fit.sd_limits(sheet.conf_level)
    base = {**row, **counted(outcome, None), "conf_low": low, "conf_high": high, "unit": "log_odds"}
    sheet.add("random_intercept_sd", estimate=fit.random_intercept_sd, **base)


def _odds_ratio(sheet: Sheet, value: float, error: float, base: Row) -> None:
    """Write a log-odds ratio and its exponential, by Wald."""
    half = normal_quantile(sheet.conf_level) * error
    test = {"statistic": value / error, "p_value": 2 * special.ndtr(-abs(value / error))}
    low, high = value - half, value + half
    log_ratio = {"estimate": value, "std_error": error, "conf_low": low, "conf_high": high}
    sheet.add("conditional_log_odds_ratio", **log_ratio, **test, **base)
    ratio = {"estimate": np.exp(value), "conf_low": np.exp(low), "conf_high": np.exp(high)}
    sheet.add("conditional_odds_ratio", **ratio, **test, **base)


def _common_ratio(changes: NDArray[np.float64], fit: RandomInterceptLogistic) -> Row:
    """Return Wald's test that the log-odds ratio is the same at every month."""
    apart = changes @ fit.coefficients
    covariance = fit.covariance[: len(fit.coefficients), : len(fit.coefficients)]
    statistic = float(apart @ np.linalg.solve(changes @ covariance @ changes.T, apart))
    df = float(len(changes))
    return {"statistic": statistic, "df": df, "p_value": chi_square_p_value(np.asarray(statistic), df)}
