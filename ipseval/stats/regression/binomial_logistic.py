"""Ordinary logistic regression: the random-intercept model whose intercepts do not vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.regression.links import LOGIT, Link

Floats = NDArray[np.float64]

# Newton's method needs about ten steps; along a separated direction it moves by 1 at every step, for ever.
_ITERATIONS = 30
_TOLERANCE = 1e-10
# A row counts as untouched by a direction if it moves by less than this share of the row that moves most.
_SEPARATION = 1e-6


@dataclass(frozen=True)
class BinomialLogistic:
    """Maximum-likelihood fit of an ordinary logistic regression, or of one with another link.

    Attributes
    ----------
    coefficients : (columns,) array
        Log-odds, or on the scale of the link; not to be used unless `converged`.
    information : (columns, columns) array
        Observed; under the logit also expected.
    log_likelihood : float
        Without the binomial coefficients.
    gradient_norm : float
        Largest absolute component of the score.
    iterations : int
    converged : bool
    separated : tuple of int
        Columns of X whose coefficients have no finite estimate; empty unless the data are separated.
    """

    coefficients: Floats
    information: Floats
    log_likelihood: float
    gradient_norm: float
    iterations: int
    converged: bool
    separated: tuple[int, ...]


def binomial_logistic(successes: Floats, trials: Floats, X: Floats, link: Link = LOGIT) -> BinomialLogistic:
    """Return the ordinary logistic regression of successes out of trials on X (one row each).

    X must have full column rank. Separation (Albert & Anderson 1984) is established, not guessed: the last
    step is a direction along which no row's likelihood falls and some row's rises. It does not depend on the
    link, and is left to the logit, under which both outcomes are approached at the same rate.
    """
    rows = _rows(successes, trials, X, link)
    beta = np.zeros(X.shape[1])
    value = _log_likelihood(beta, rows)
    step, change, iterations = beta, np.inf, 0
    while change >= _TOLERANCE and iterations < _ITERATIONS:
        iterations += 1
        score, information = _score(beta, rows)
        try:
            step = scaled_inverse(information) @ score
        except np.linalg.LinAlgError:  # every row on the way to 0 or 1: the last step is the direction
            break
        change = float(np.abs(X @ step).max())
        while (new := _log_likelihood(beta + step, rows)) < value - 1e-9 * (1.0 + abs(value)):
            step = step / 2.0
        beta, value = beta + step, new
    score, information = _score(beta, rows)
    is_converged = change < _TOLERANCE
    separated: tuple[int, ...] = ()
    if not is_converged and link is LOGIT:
        separated = _separated_columns(step, successes, trials, X)
    elif not is_converged:
        separated = binomial_logistic(successes, trials, X).separated
    return BinomialLogistic(
        coefficients=beta,
        information=information,
        log_likelihood=value,
        gradient_norm=float(np.abs(score).max()),
        iterations=iterations,
        converged=is_converged,
        separated=separated,
    )


def scaled_inverse(matrix: Floats) -> Floats:
    """Return the inverse of a symmetric positive definite matrix, scaled first so that its diagonal is 1.

    Raises `numpy.linalg.LinAlgError` where the matrix is not positive definite.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    root = np.linalg.inv(np.linalg.cholesky(matrix * np.outer(scale, scale)))
    inverse: Floats = np.outer(scale, scale) * (root.T @ root)
    return inverse


@dataclass(frozen=True)
class _Rows:
    """Rows of a binomial regression; if the link asks, kept apart by outcome, with no successes to add."""

    successes: Floats
    trials: Floats
    X: Floats
    outcome: NDArray[np.bool_]
    link: Link


def _rows(successes: Floats, trials: Floats, X: Floats, link: Link) -> _Rows:
    if not link.by_outcome:
        return _Rows(successes, trials, X, np.zeros(1, dtype=bool), link)
    outcome = np.repeat([False, True], len(X))
    return _Rows(np.zeros(2 * len(X)), np.r_[trials - successes, successes], np.r_[X, X], outcome, link)


def _log_likelihood(beta: Floats, rows: _Rows) -> float:
    linear = rows.X @ beta
    return float(rows.successes @ linear - rows.trials @ rows.link.loss(linear, rows.outcome)[0])


def _score(beta: Floats, rows: _Rows) -> tuple[Floats, Floats]:
    """Return the gradient and the information (minus the Hessian)."""
    first, second = rows.link.slopes(rows.X @ beta, rows.outcome)
    weight = rows.trials * second
    return rows.X.T @ (rows.successes - rows.trials * first), (rows.X.T * weight) @ rows.X


def _separated_columns(direction: Floats, successes: Floats, trials: Floats, X: Floats) -> tuple[int, ...]:
    """Return the columns that take part in a direction of separation, or none if it is not one."""
    along = X @ direction
    along = along / np.abs(along).max()
    rises = (successes == trials) & (along > -_SEPARATION)
    falls = (successes == 0) & (along < _SEPARATION)
    if not np.all(rises | falls | (np.abs(along) < _SEPARATION)):
        return ()
    size = np.abs(direction) * np.abs(X).max(axis=0)
    return tuple(int(j) for j in np.flatnonzero(size > _SEPARATION * size.max()))
