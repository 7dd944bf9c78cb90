"""A repeated yes or no by a regression with random intercepts: odds or hazard ratios within a person."""

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
from ipseval.results.setting import setting
from ipseval.stats.repeated.likelihood_tests import intercept_variance_test, likelihood_ratio_test, wald_test
from ipseval.stats.repeated.population_average import population_averaged
from ipseval.stats.repeated.profile_likelihood import profile_limits, profile_sd_limits, signed_root
from ipseval.stats.repeated.random_intercept_logistic import (
    RandomInterceptLogistic,
    random_intercept_logistic,
)
from ipseval.stats.tables import normal_quantile

Floats = NDArray[np.float64]
Row = dict[str, Any]

INTERVALS = ("wald", "profile")
_SHARED = (
    "arm_effect_test",
    "arm_by_month_test",
    "random_intercept_sd",
    "intercept_variance_test",
    *population_averages.QUANTITIES,
)
#: What is written, by link.
BY_LINK = {
    "logit": ("conditional_log_odds_ratio", "conditional_odds_ratio", *_SHARED),
    "cloglog": ("conditional_log_hazard_ratio", "conditional_hazard_ratio", *_SHARED),
}
QUANTITIES = tuple(dict.fromkeys(name for names in BY_LINK.values() for name in names))
_METHODS = {"logit": "adaptive_gauss_hermite", "cloglog": "cloglog_gauss_hermite"}
_MODELS = {"logit": "random_intercept_logistic", "cloglog": "random_intercept_cloglog"}
_UNITS = {"logit": "log_odds", "cloglog": "log_hazard"}
SD_AT_ZERO = words.text("note.intercept_variance_at_zero")


def write_random_intercept_odds(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, *, points: int, link: str, interval: str
) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    names = panel.covariates.names
    keys = {"method": f"{_METHODS[link]}_{points}", "setting": setting(adjust=names)}
    with sheet.attempt(*BY_LINK[link], **keys):
        fit = _fit(panel, panel.design, points, link)
        note = SD_AT_ZERO if fit.at_boundary else panel.named(fit.note).rstrip(".")
        row = {**keys, **remarks(note, seen_only(outcome))}
        _write_ratios(sheet, outcome, panel, fit, interval, row | _said_of(interval, panel))
        _write_tests(sheet, outcome, panel, fit, interval, row)
        _write_spread(sheet, outcome, fit, interval, row | _said_of(interval, panel))
        everyone, target = population(panel)
        found = population_averaged(fit, everyone, target=target)
        write_population_averages(sheet, outcome, panel.months, found, row)
        sheet.model = {"words": _MODELS[link], "adjusted": list(names), "points": points}


def _fit(panel: Assessments, design: Floats, points: int, link: str) -> RandomInterceptLogistic:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    panel.refuse_unseen()
    try:
        fit = random_intercept_logistic(panel.y, design, panel.person, points=points, link=link)
    except AnalysisError as refusal:
        raise AnalysisError(panel.named(str(refusal))) from None
    if not fit.converged:
        raise AnalysisError(panel.named(fit.note))
    return fit


def _write_ratios(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    fit: RandomInterceptLogistic,
    interval: str,
    row: Row,
) -> None:
    """Write the logarithm of an odds or hazard ratio per month, and the ratio."""
    of_logarithm, of_ratio, *_ = BY_LINK[fit.link.name]
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        for place, month in enumerate(panel.months):
            column = int(np.argmax(panel.effect(place, code)))
            value, error = float(fit.coefficients[column]), float(fit.std_error[column])
            low, high, statistic = _inferred(fit, column, interval, sheet.conf_level)
            test = {"statistic": statistic, "p_value": 2.0 * float(ndtr(-abs(statistic)))}
            base = {**row, **test, **at(month), **counted(outcome, month, *pair)}
            base["contrast"] = contrast_label(*pair)
            limits = {"conf_low": low, "conf_high": high}
            sheet.add(of_logarithm, estimate=value, std_error=error, **limits, **base)
            limits = {name: float(np.exp(limit)) for name, limit in limits.items()}
            sheet.add(of_ratio, estimate=float(np.exp(value)), std_error=error, **limits, **base)


def _said_of(interval: str, panel: Assessments) -> Row:
    """Return the setting of a row whose interval could have been another."""
    chosen = "" if interval == "wald" else interval
    return {"setting": setting(adjust=panel.covariates.names, interval=chosen)}


def _inferred(
    fit: RandomInterceptLogistic, column: int, interval: str, conf_level: float
) -> tuple[float, float, float]:
    """Return the limits of a coefficient, and the statistic of the test that goes with them."""
    if interval == "profile":
        return *profile_limits(fit, column, conf_level), signed_root(fit, column)
    value, error = float(fit.coefficients[column]), float(fit.std_error[column])
    half = normal_quantile(conf_level) * error
    return value - half, value + half, value / error


def _write_tests(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    fit: RandomInterceptLogistic,
    interval: str,
    row: Row,
) -> None:
    """Write tests of no effect at any month, of the same effect at every month, and of no spread."""
    ratio_test = row | {"method": "likelihood_ratio"}
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        keys = {"contrast": contrast_label(*pair), **counted(outcome, None, *pair)}
        effects = np.array([panel.effect(place, code) for place in panel.compared])
        others = panel.design[:, ~effects.any(axis=0)]
        with sheet.attempt("arm_effect_test", **ratio_test | keys):
            none = _fit(panel, others, fit.points, fit.link.name)
            sheet.add("arm_effect_test", **vars(likelihood_ratio_test(fit, none)), **ratio_test | keys)
        with sheet.attempt("arm_by_month_test", **row | keys):
            if interval == "wald":
                test, said = wald_test(fit, panel.changes(code)), row
            else:
                same = np.column_stack([others, panel.design @ effects.sum(axis=0)])
                common = _fit(panel, same, fit.points, fit.link.name)
                test, said = likelihood_ratio_test(fit, common), ratio_test
            sheet.add("arm_by_month_test", **vars(test), **said | keys)
    at_zero = row | {"method": "likelihood_ratio_at_zero"} | counted(outcome, None)
    sheet.add("intercept_variance_test", **vars(intercept_variance_test(fit)), **at_zero)


def _write_spread(
    sheet: Sheet, outcome: pd.DataFrame, fit: RandomInterceptLogistic, interval: str, row: Row
) -> None:
    """Write the standard deviation of the intercepts; by Wald one of zero has no interval."""
    limits = profile_sd_limits if interval == "profile" else RandomInterceptLogistic.sd_limits
    low, high = limits(fit, sheet.conf_level)
    base = {**row, **counted(outcome, None), "unit": _UNITS[fit.link.name]}
    sheet.add("random_intercept_sd", estimate=fit.random_intercept_sd, conf_low=low, conf_high=high, **base)
