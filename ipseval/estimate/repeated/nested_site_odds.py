"""A repeated yes or no of people within sites that differ at random: nested logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.assessments import Assessments, counted
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
from ipseval.stats.repeated.nested_logistic import NestedLogistic, nested_logistic
from ipseval.stats.repeated.random_effects_logistic import check_points_option

Row = dict[str, Any]

QUANTITIES = (*CONDITIONAL, "random_intercept_sd", "random_site_sd", *AVERAGED)

#: Fewer sites are refused: their standard deviation would rest on three numbers or two.
LEAST_SITES = 4
#: With fewer, rows are warned.
ENOUGH_SITES = 10
FEW_SITES = words.text("note.few_random_sites")
AT_BOUNDARY = words.text("note.nested_variance_at_zero")


def write_nested_site_odds(sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, *, points: int) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    check_points_option(points)
    site = _sites(sheet, panel)
    names = panel.covariates.names
    keys = {"method": method_of("nested_site", points), "setting": setting(adjust=names)}
    with sheet.attempt(*QUANTITIES, **keys):
        fit = _fit(panel, site, points)
        few = FEW_SITES if fit.n_sites < ENOUGH_SITES else ""
        row = {**keys, **said(outcome, fit, few, AT_BOUNDARY if fit.at_boundary else "")}
        write_odds_ratios(sheet, outcome, panel, fit, row)
        everyone = {**row, **counted(outcome, None), "unit": "log_odds"}
        for quantity, weights in (
            ("random_intercept_sd", fit.weights_of_person),
            ("random_site_sd", fit.weights_of_site),
        ):
            write_spread(sheet, quantity, fit.sd_limits(weights, sheet.conf_level), **everyone)
        every_month = np.repeat(fit.weights_of_both[None], len(panel.months), axis=0)
        write_averages(sheet, outcome, panel, fit, every_month, row)
        sheet.model = {"words": "nested_site_logistic", "adjusted": list(names), "points": points}


def _sites(sheet: Sheet, panel: Assessments) -> NDArray[np.intp]:
    """Return the site of each row as a number; refuse sites that are not there, incomplete or too few."""
    people = sheet.trial.participants
    column = people["site"] if "site" in people else pd.Series(pd.NA, index=people.index)
    if missing := int(column.isna().sum()):
        raise AnalysisError(
            f"'site' is missing for {missing} of {len(people)} participants, and model='nested_site' needs "
            f"it for all. Map it in trial.toml, or use model='random_intercept'."
        )
    site = pd.factorize(column)[0].astype(np.intp)[panel.person]
    if (n_sites := len(np.unique(site))) < LEAST_SITES:
        raise AnalysisError(
            f"{n_sites} sites cannot say how far sites lie apart (model='nested_site' needs {LEAST_SITES}, "
            f"and ten to say it well). Use model='random_intercept' with adjust=['site']."
        )
    return site


def _fit(panel: Assessments, site: NDArray[np.intp], points: int) -> NestedLogistic:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    panel.refuse_unseen()
    try:
        fit = nested_logistic(panel.y, panel.design, panel.person, site, points=points)
    except AnalysisError as refusal:
        raise AnalysisError(panel.named(str(refusal))) from None
    refuse_without_estimates(panel, fit)
    return fit
