"""Logistic, Poisson and linear regression by Newton's method: models with their canonical link.

With that link the score is X'(y - mean): an intercept and an arm make the residuals of each arm sum to
zero, so that each arm's mean prediction is its mean outcome, whether the model is right or wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import binomial_logistic, scaled_inverse

Floats = NDArray[np.float64]

MODELS = ("logistic", "linear", "poisson")

_ITERATIONS = 50
_TOLERANCE = 1e-10
# A row counts as untouched by a direction if it moves by less than this share of the row that moves most.
_UNTOUCHED = 1e-6


class Fit(NamedTuple):
    """Coefficients of a regression, and what inference is made of.

    ``mean`` and ``weight`` are each person's fitted mean and its variance up to the ``dispersion`` (the
    residual variance of a linear model, 1 otherwise); ``inverse_information`` is (X'WX)^-1.
    """

    model: str
    coefficients: Floats
    mean: Floats
    weight: Floats
    inverse_information: Floats
    dispersion: float


def canonical_fit(y: Floats, X: Floats, model: str, names: tuple[str, ...] = ()) -> Fit:
    """Return the maximum-likelihood fit of ``y`` on ``X``.

    Parameters
    ----------
    y : (n,) array
        0 or 1 for "logistic", 0 or more for "poisson".
    X : (n, k) array
        With an intercept as column 0, and of full column rank.
    model : {"logistic", "linear", "poisson"}
    names : tuple of str
        What the columns are called in an error.

    Raises
    ------
    AnalysisError
        Outcomes that the model cannot have; coefficients without a finite estimate (separation).
    """
    checks.one_of(model, MODELS, "model")
    labels = names or tuple(f"column {j}" for j in range(X.shape[1]))
    if model == "logistic":
        coefficients = _logistic(y, X, labels)
    elif model == "poisson":
        coefficients = _poisson(y, X, labels)
    else:
        coefficients = np.linalg.lstsq(X, y, rcond=None)[0].astype(np.float64, copy=False)
    mean, weight = mean_and_weight(X @ coefficients, model)
    n, k = X.shape
    return Fit(
        model=model,
        coefficients=coefficients,
        mean=mean,
        weight=weight,
        inverse_information=scaled_inverse((X.T * weight) @ X),
        dispersion=float(((y - mean) ** 2).sum() / (n - k)) if model == "linear" else 1.0,
    )


def mean_and_weight(linear: Floats, model: str) -> tuple[Floats, Floats]:
    """Return the inverse canonical link and its slope, which is the variance function."""
    if model == "linear":
        return linear, np.ones_like(linear)
    if model == "poisson":
        mean = np.exp(linear)
        return mean, mean
    probability: Floats = expit(linear)
    return probability, probability * (1.0 - probability)


def _logistic(y: Floats, X: Floats, names: tuple[str, ...]) -> Floats:
    checks.boolean_array(y, "y")
    if np.ptp(y) == 0:
        raise AnalysisError(
            f"Nobody of {y.size} differs from the others: y is {y[0]:.0f} for all. Report the proportion."
        )
    fit = binomial_logistic(y, np.ones_like(y), X)
    if fit.converged:
        return fit.coefficients
    if not fit.separated:
        raise _not_converged("Logistic", fit.iterations)
    raise separation("outcomes", [names[j] for j in fit.separated], "fit Firth's model (model='firth')")


def _poisson(y: Floats, X: Floats, names: tuple[str, ...]) -> Floats:
    checks.not_negative(y, "y")
    if not y.any():
        raise AnalysisError(f"Nobody of {y.size} has the outcome: a ratio of means does not exist.")
    beta = np.zeros(X.shape[1])
    beta[0] = np.log(y.mean())
    value, step = -np.inf, beta
    for _ in range(_ITERATIONS):
        mean = np.exp(X @ beta)
        try:
            step = scaled_inverse((X.T * mean) @ X) @ (X.T @ (y - mean))
        except np.linalg.LinAlgError:  # rows on the way to 0: the last step is the direction
            break
        value = float(y @ (X @ beta) - mean.sum())
        while _log_likelihood(beta + step, y, X) < value - 1e-9 * (1.0 + abs(value)):
            step = step / 2.0
        beta = beta + step
        if np.abs(X @ step).max() < _TOLERANCE:
            return beta
    if involved := _without_events(step, y, X):
        raise separation(
            "an outcome of 0", [names[j] for j in involved], "report the difference of proportions"
        )
    raise _not_converged("Poisson", _ITERATIONS)


def _log_likelihood(beta: Floats, y: Floats, X: Floats) -> float:
    linear = X @ beta
    with np.errstate(over="ignore"):  # a step too far is refused, not followed
        return float(y @ linear - np.exp(linear).sum())


def _without_events(direction: Floats, y: Floats, X: Floats) -> tuple[int, ...]:
    """Return the columns of a direction that lowers means of rows at 0 and moves no other, or none."""
    along = X @ direction
    along = along / np.abs(along).max()
    if not np.all(np.where(y > 0, np.abs(along) < _UNTOUCHED, along < _UNTOUCHED)):
        return ()
    size = np.abs(direction) * np.abs(X).max(axis=0)
    return tuple(int(j) for j in np.flatnonzero(size > _UNTOUCHED * size.max()))


def separation(outcomes: str, involved: list[str], otherwise: str) -> AnalysisError:
    """Return the refusal of columns whose coefficients run away, by name, with what to do instead."""
    listed = checks.named_list(involved, 9)
    return AnalysisError(
        f"The data are separated: a combination of {checks.number_of(len(involved), 'column')} "
        f"({listed}; counted from 0) predicts {outcomes} perfectly, so that their coefficients have no "
        f"finite estimate. Merge levels or leave covariates out, or {otherwise}."
    )


def _not_converged(model: str, iterations: int) -> AnalysisError:
    return AnalysisError(
        f"{model} regression did not converge in {iterations} iterations. "
        f"Rescale the covariates or simplify the model."
    )
