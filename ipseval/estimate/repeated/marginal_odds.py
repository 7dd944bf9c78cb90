"""A repeated yes or no by generalised estimating equations: odds ratios and probabilities of a population."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated import population_averages
from ipseval.estimate.repeated.assessments import Assessments, at, counted
from ipseval.estimate.repeated.population_averages import population, write_population_averages
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results.setting import setting
from ipseval.stats.repeated.estimating_equations import VARIANCES, EstimatingEquations, estimating_equations
from ipseval.stats.repeated.population_average import standardised

Row = dict[str, Any]

QUANTITIES = (
    "population_averaged_log_odds_ratio",
    "population_averaged_odds_ratio",
    "arm_by_month_test",
    *population_averages.QUANTITIES,
)
SEEN_ONLY = words.text("note.seen_only_at_random")


def write_marginal_odds(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, *, correlation: str, variance: str
) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    names = panel.covariates.names
    keys = {"method": f"gee_{correlation}", "setting": _setting(panel, variance)}
    with sheet.attempt(*QUANTITIES, **keys):
        fit = _fit(panel, correlation)
        row = {**keys, **remarks("" if outcome["known"].all() else SEEN_ONLY)}
        _odds_ratios(sheet, outcome, panel, fit, variance, row)
        everyone, target = population(panel)
        found = standardised(fit, everyone, target=target, variance=variance)
        write_population_averages(sheet, outcome, panel.months, found, row)
        sheet.model = {
            "words": "gee",
            "adjusted": list(names),
            "correlation": correlation,
            "variance": variance,
        }


def _setting(panel: Assessments, variance: str, **parts: str) -> str:
    """Return what varied: a variance is named where it is not the default."""
    chosen = "" if variance == VARIANCES[0] else variance
    return setting(adjust=panel.covariates.names, variance=chosen, **parts)


def _fit(panel: Assessments, correlation: str) -> EstimatingEquations:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    panel.refuse_unseen()
    try:
        fit = estimating_equations(panel.y, panel.design, panel.person, panel.month, correlation=correlation)
    except AnalysisError as refusal:
        raise AnalysisError(_in_words(str(refusal), panel.names)) from None
    if not fit.converged:
        raise AnalysisError(
            f"The estimating equations did not converge in {fit.steps} steps. Use "
            f"correlation='independence', or leave covariates out."
        )
    return fit


def _in_words(refusal: str, names: tuple[str, ...]) -> str:
    """Return a refusal of the kernel with its columns called by what they hold, and a remedy there is."""
    named = re.sub(r"\bcolumn (\d+)", lambda found: names[int(found[1])], refusal)
    otherwise = ("fit Firth's model (model='firth')", "compare the months by ips.rates")
    return named.replace("; counted from 0", "").replace(*otherwise)


def _odds_ratios(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    fit: EstimatingEquations,
    variance: str,
    row: Row,
) -> None:
    """Write odds ratios per month and on average, and the test that they are the same at every month."""
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        keys = {**row, "contrast": contrast_label(*pair)}
        effects = [panel.effect(place, code) for place in panel.compared]
        for month, weights in zip((*panel.months, None), (*effects, np.mean(effects, axis=0)), strict=True):
            found = fit.contrast(weights, variance=variance, conf_level=sheet.conf_level)
            base = {**keys, **at(month), **counted(outcome, month, *pair)}
            test = {"statistic": found.statistic, "df": found.df, "p_value": found.p_value}
            limits = np.array([found.estimate, found.conf_low, found.conf_high])
            for quantity, numbers in (
                ("population_averaged_log_odds_ratio", limits),
                ("population_averaged_odds_ratio", np.exp(limits)),
            ):
                named = dict(zip(("estimate", "conf_low", "conf_high"), numbers, strict=True))
                sheet.add(quantity, **named, std_error=found.std_error, **test, **base)
        _same_every_month(sheet, panel, code, fit, variance, keys | counted(outcome, None, *pair))


def _same_every_month(
    sheet: Sheet, panel: Assessments, code: int, fit: EstimatingEquations, variance: str, keys: Row
) -> None:
    """Write Wald's test that the odds ratio is the same at every month, against the F distribution."""
    changes = panel.changes(code)
    apart, q = changes @ fit.coefficients, len(changes)
    spread = changes @ fit.covariances[variance] @ changes.T
    statistic = float(apart @ np.linalg.solve(spread, apart)) / q
    test = {"statistic": statistic, "df": fit.df, "p_value": float(fdtrc(q, fit.df, statistic))}
    keys = keys | {"setting": _setting(panel, variance, numerator_df=str(q))}
    sheet.add("arm_by_month_test", **test, **keys)
