"""Clustered binary data for the tests of mixed logistic regression: reference cases, and a small trial."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests import reference_cases


class Clustered(NamedTuple):
    """Arguments of the fit: outcomes, covariates, groups and binomial denominators."""

    y: NDArray[np.float64]
    X: NDArray[np.float64]
    group: NDArray[np.str_]
    trials: NDArray[np.float64]


def _indicators(values: pd.Series) -> NDArray[np.float64]:
    """One column per level after the first."""
    array = values.to_numpy()
    return (array[:, None] == np.unique(array)[1:]).astype(float)


def cbpp() -> Clustered:
    """Lesnoff's cattle herds: incidence of a disease out of the herd's size, by period."""
    data = reference_cases.data("c1_glmm_cbpp")
    X = np.c_[np.ones(len(data)), _indicators(data["period"])]
    return Clustered(data["incidence"].to_numpy(), X, data["herd"].to_numpy(), data["size"].to_numpy())


def ohio() -> Clustered:
    """Wheezing of children in Ohio: age by smoking of the mother."""
    data = reference_cases.data("c2_glmm_gee_ohio")
    age, smoke = data["age"].to_numpy(), data["smoke"].to_numpy()
    X = np.c_[np.ones(len(data)), age, smoke, age * smoke]
    return Clustered(data["resp"].to_numpy(), X, data["id"].to_numpy(), np.ones(len(data)))


def alpha(*, adjusted: bool = False) -> Clustered:
    """Trial alpha: employed at five visits, by arm and month, or adjusted for two baseline covariates."""
    data = reference_cases.data("c3_glmm_alpha")
    data = data[data["employed"].notna()]
    arm, month = data["arm"].to_numpy(float)[:, None], _indicators(data["month"])
    rest = data[["prior_work_months", "symptoms0"]].to_numpy() if adjusted else arm * month
    X = np.hstack([np.ones((len(data), 1)), arm, month, rest])
    return Clustered(data["employed"].to_numpy(), X, data["id"].to_numpy(str), np.ones(len(data)))


def arm_each_month() -> Clustered:
    """Trial alpha with a level per month, and an effect of the arm per month, as ``ips.mixed`` has them."""
    data = reference_cases.data("c3_glmm_alpha")
    data = data[data["employed"].notna()]
    month = (data["month"].to_numpy()[:, None] == [6, 12, 18, 24, 30]).astype(float)
    X = np.hstack([month, month * data["arm"].to_numpy(float)[:, None]])
    return Clustered(data["employed"].to_numpy(), X, data["id"].to_numpy(str), np.ones(len(data)))


def small_trial(seed: int = 0, *, n: int = 80, sd: float = 1.5, missing: float = 0.15) -> Clustered:
    """A simulated trial: four visits, some missing; columns are ones, arm, visit and arm by visit."""
    draw = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), 4)
    visit = np.tile(np.arange(4.0), n)
    arm = np.repeat(draw.random(n) < 0.5, 4).astype(float)
    X = np.c_[np.ones(4 * n), arm, visit, arm * visit]
    linear = X @ [-1.0, 0.5, 0.2, 0.1] + np.repeat(draw.normal(size=n) * sd, 4)
    y = (draw.random(4 * n) < 1.0 / (1.0 + np.exp(-linear))).astype(float)
    seen = (draw.random(4 * n) >= missing) | (visit == 0)
    return Clustered(y[seen], X[seen], person[seen].astype(str), np.ones(int(seen.sum())))
