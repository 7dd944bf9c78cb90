"""One regression refitted to many sets of case weights at once, by Newton's method from its own fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Maps linear predictors, shape (b, n), to what multiplies X in the score and in the information.
ResidualAndWeight = Callable[[Floats], tuple[Floats, Floats]]

# From the estimates of the data themselves a replicate needs about five steps; a separated one never ends.
_ITERATIONS = 25
_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0
# An information matrix scaled to a diagonal of 1 is singular below this eigenvalue.
_SINGULAR = 1e-9


def refitted_coefficients(
    weights: Floats,
    X: Floats,
    start: Floats,
    residual_and_weight: ResidualAndWeight,
    *,
    unit: float = 1.0,
    longest_step: float = _LONGEST_STEP,
) -> Floats:
    """Return the coefficients of each row of case weights; NaN where there is no finite estimate.

    Parameters
    ----------
    weights : (b, n) array
        Whole or fractional; a row that holds NaN has no fit.
    X : (n, k) array
    start : (k,) array
        The fit to the data themselves.
    residual_and_weight : callable
        Of the linear predictor: the score is weights * residual @ X, the information X' weights * weight X.
    unit : float
        Of the linear predictor: 1 for a logarithm.
    longest_step : float
        The most that a linear predictor may move in one step; infinite where Newton's step is exact.
    """
    k = start.size
    products = (X[:, :, None] * X[:, None, :]).reshape(-1, k * k)
    beta = np.tile(start, (len(weights), 1))
    found = np.zeros(len(weights), np.bool_)
    at_work = np.flatnonzero(np.isfinite(weights).all(axis=1))
    for _ in range(_ITERATIONS):
        if not at_work.size:
            break
        residual, weight = residual_and_weight(beta[at_work] @ X.T)
        information = ((weights[at_work] * weight) @ products).reshape(-1, k, k)
        step = _newton_steps(information, (weights[at_work] * residual) @ X)
        length = np.abs(step @ X.T).max(axis=1)
        step *= np.minimum(1.0, longest_step / np.maximum(length, 1e-300))[:, None]
        beta[at_work] += step
        found[at_work] = length < _TOLERANCE * unit
        at_work = at_work[np.isfinite(length) & ~found[at_work]]
    beta[~found] = np.nan
    return beta


def _newton_steps(information: Floats, score: Floats) -> Floats:
    """Return the information's inverse times the score, row by row; NaN where it is singular.

    A column that is 0 for everybody drawn has no information and no score: its coefficient stays.
    """
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    empty = scale == 0
    scale = np.where(empty, 1.0, scale)
    scaled = information / (scale[:, :, None] * scale[:, None, :])
    places = np.arange(score.shape[1])
    scaled[:, places, places] = 1.0
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(scaled).all(axis=(1, 2))
    usable[usable] = np.linalg.eigvalsh(scaled[usable])[:, 0] > _SINGULAR
    steps = np.full_like(score, np.nan)
    steps[usable] = np.linalg.solve(scaled[usable], (score / scale)[usable][:, :, None])[:, :, 0]
    return steps / scale
