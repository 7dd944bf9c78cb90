"""Firth's logistic regression of many sets of case weights at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

# With leverages held constant each step closes in by a share of the way, unlike Newton's own.
_ITERATIONS = 200
_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0
# An information matrix scaled to a diagonal of 1 is singular below this eigenvalue.
_SINGULAR = 1e-9


def firth_coefficients(weights: Floats, y: Floats, X: Floats) -> Floats:
    """Return the penalised coefficients of each row of case weights; NaN where columns are collinear.

    Solves Firth's score X'w(y - mean + h (1/2 - mean)), with h the leverage of one person, by Newton steps
    that take h as constant. A column that is 0 for everybody of a positive weight keeps the coefficient 0.

    Parameters
    ----------
    weights : (b, n) array
        How often each person counts.
    y : (n,) array of 0 and 1
    X : (n, k) array

    References
    ----------
    Firth (1993), Biometrika 80:27-38, section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> y, X = np.array([1.0, 1.0, 0.0, 0.0]), np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    >>> firth_coefficients(np.ones((1, 4)), y, X).round(2).tolist()
    [[-1.61, 3.22]]
    """
    k = X.shape[1]
    products = (X[:, :, None] * X[:, None, :]).reshape(-1, k * k)
    beta = np.zeros((len(weights), k))
    at_work = np.arange(len(weights))
    for _ in range(_ITERATIONS):
        if not at_work.size:
            break
        mean = expit(beta[at_work] @ X.T)
        weight = mean * (1.0 - mean)
        counted = weights[at_work] * weight
        inverse = _inverses((counted @ products).reshape(-1, k, k))
        leverage = weight * (inverse.reshape(-1, k * k) @ products.T)
        score = (weights[at_work] * (y - mean + leverage * (0.5 - mean))) @ X
        curvature = ((counted * (1.0 + leverage)) @ products).reshape(-1, k, k)
        step = np.einsum("rij,rj->ri", _inverses(curvature), score)
        length = np.abs(step @ X.T).max(axis=1)
        step *= np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-300))[:, None]
        beta[at_work] += step
        at_work = at_work[length >= _TOLERANCE]  # a length of NaN has no fit, and goes
    beta[at_work] = np.nan
    return beta


def _inverses(information: Floats) -> Floats:
    """Return the inverse of each matrix, over the columns that have any information; NaN where singular."""
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    empty = scale == 0
    scale = np.where(empty, 1.0, scale)
    outer = scale[:, :, None] * scale[:, None, :]
    scaled = information / outer + empty[:, :, None] * np.eye(scale.shape[1])
    usable = np.isfinite(scaled).all(axis=(1, 2))
    usable[usable] = np.linalg.eigvalsh(scaled[usable])[:, 0] > _SINGULAR
    inverse = np.full_like(information, np.nan)
    inverse[usable] = np.linalg.inv(scaled[usable]) / outer[usable]
    inverse[empty[:, :, None] | empty[:, None, :]] = 0.0
    return inverse
