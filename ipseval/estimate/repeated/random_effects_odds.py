"""Rows that logistic regressions with more than a person's intercept share: odds ratios, and what to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated import population_averages
from ipseval.estimate.repeated.assessments import Assessments, at, counted, seen_only
from ipseval.estimate.repeated.population_averages import population, write_population_averages
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.stats.repeated.random_effects_average import averaged_over_effects
from ipseval.stats.repeated.random_effects_logistic import NOTABLE_MOVEMENT, RandomEffectsLogistic
from ipseval.stats.tables import chi_square_p_value, normal_quantile

Floats = NDArray[np.float64]
Row = dict[str, Any]

CONDITIONAL = ("conditional_log_odds_ratio", "conditional_odds_ratio", "arm_by_month_test")
AVERAGED = population_averages.QUANTITIES
FEW_POINTS = words.text("note.few_points")


def method_of(model: str, points: int) -> str:
    """Return the method of the rows: the model, and that it was approximated by Laplace's method if so."""
    return f"{model}_logistic" + ("_laplace" if points == 1 else "")


def refuse_without_estimates(panel: Assessments, fit: RandomEffectsLogistic) -> None:
    """Refuse a fit without a maximum, with its reason in terms of months and covariates."""
    if not fit.converged:
        raise AnalysisError(panel.named(fit.note))


def said(outcome: pd.DataFrame, fit: RandomEffectsLogistic, *more: str) -> Row:
    """Return the note of every row: what was not seen, and how far to trust the fit."""
    few = FEW_POINTS if fit.points_movement > NOTABLE_MOVEMENT else ""
    return remarks(few, *more, seen_only(outcome))


def write_odds_ratios(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, fit: RandomEffectsLogistic, row: Row
) -> None:
    """Write log-odds ratios given the random effects, per month, and the test that they are the same."""
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        keys = {**row, "contrast": contrast_label(*pair)}
        for place, month in enumerate(panel.months):
            column = int(np.argmax(panel.effect(place, code)))
            value, error = float(fit.coefficients[column]), float(fit.std_error[column])
            _odds_ratio(sheet, value, error, {**keys, **at(month), **counted(outcome, month, *pair)})
        test = _same_every_month(panel.changes(code), fit)
        sheet.add("arm_by_month_test", **test, **keys, **counted(outcome, None, *pair))


def _odds_ratio(sheet: Sheet, value: float, error: float, base: Row) -> None:
    """Write a log-odds ratio and its exponential, by Wald."""
    half = normal_quantile(sheet.conf_level) * error
    test = {"statistic": value / error, "p_value": 2.0 * float(ndtr(-abs(value / error)))}
    limits = np.array([value, value - half, value + half])
    for quantity, numbers in (
        ("conditional_log_odds_ratio", limits),
        ("conditional_odds_ratio", np.exp(limits)),
    ):
        named = dict(zip(("estimate", "conf_low", "conf_high"), numbers, strict=True))
        sheet.add(quantity, **named, std_error=error, **test, **base)


def _same_every_month(changes: Floats, fit: RandomEffectsLogistic) -> Row:
    """Return Wald's test that the log-odds ratio is the same at every month."""
    apart, size = changes @ fit.coefficients, fit.coefficients.size
    spread = changes @ fit.covariance[:size, :size] @ changes.T
    statistic, df = float(apart @ np.linalg.solve(spread, apart)), float(len(changes))
    return {"statistic": statistic, "df": df, "p_value": chi_square_p_value(np.asarray(statistic), df)}


def write_spread(sheet: Sheet, quantity: str, found: tuple[float, float, float], **columns: Any) -> None:
    """Write a standard deviation of random effects with its limits, which one of zero does not have."""
    sd, low, high = found
    sheet.add(quantity, estimate=sd, conf_low=low, conf_high=high, **columns)


def write_averages(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    fit: RandomEffectsLogistic,
    weights: Floats,
    row: Row,
) -> None:
    """Write probabilities averaged over the random effects, and their contrasts.

    ``weights`` is (months, effects, loadings): of the sum of random effects at each month.
    """
    everyone, target = population(panel)
    people = len(everyone) // (len(panel.months) * len(panel.arms))
    by_row = np.tile(np.repeat(weights, people, axis=0), (len(panel.arms), 1, 1))
    found = averaged_over_effects(fit, everyone, by_row, target=target)
    write_population_averages(sheet, outcome, panel.months, found, row)
