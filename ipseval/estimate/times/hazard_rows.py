"""A fitted hazard ratio as the columns of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet
from ipseval.stats.tables import normal_quantile
from ipseval.stats.times.cox import CoxFit
from ipseval.stats.times.fine_gray import FineGrayFit
from ipseval.stats.times.frailty import FrailtyFit


def ratio_row(sheet: Sheet, fit: CoxFit | FineGrayFit | FrailtyFit) -> dict[str, Any]:
    """Return the ratio of a model whose only coefficient is the arm's, or refuse it with its reason."""
    if not fit.converged:
        raise AnalysisError(fit.reason)
    return ratio_of(sheet, float(fit.coef[0]), float(fit.std_error[0]))


def ratio_of(sheet: Sheet, value: float, std_error: float) -> dict[str, Any]:
    """Return a ratio from its logarithm, with a Wald interval and test."""
    # A standard error of 0, as where everyone has the event on one day, is no knowledge.
    std_error = std_error or np.nan
    half = normal_quantile(sheet.conf_level) * std_error
    wald = (value / std_error) ** 2
    return {
        "estimate": np.exp(value),
        "unit": "ratio",
        "std_error": std_error,
        "conf_low": np.exp(value - half),
        "conf_high": np.exp(value + half),
        "statistic": wald,
        "df": 1.0,
        "p_value": float(special.chdtrc(1, wald)),
    }
