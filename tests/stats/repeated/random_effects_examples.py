"""The repeated outcomes of case c10, as arguments of logistic regressions with random effects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests import reference_cases

CASE = "c10_glmm_random_effects"


class Repeated(NamedTuple):
    """Outcomes, covariates, people, and what else is random: years for a slope, or sites."""

    y: NDArray[np.float64]
    X: NDArray[np.float64]
    group: NDArray[np.str_]
    other: NDArray[np.float64]


def repeated(model: str, form: str = "straight") -> Repeated:
    """Return the data of ``random_slope`` or ``nested_site``, with fixed effects as the case has them."""
    data = reference_cases.data(CASE)
    arm, years = data["arm"].to_numpy(float), data["years"].to_numpy(float)
    if form == "straight":
        X = np.c_[np.ones(len(data)), arm, years, arm * years]
    else:
        levels = (years[:, None] == np.unique(years)).astype(float)
        X = np.hstack([levels, levels * arm[:, None]])
    y, other = ("work", years) if model == "random_slope" else ("job", data["site"].to_numpy(float))
    return Repeated(data[y].to_numpy(float), X, data["id"].to_numpy(str), other)
