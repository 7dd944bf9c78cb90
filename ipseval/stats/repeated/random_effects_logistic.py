"""What logistic regressions with more than a person's intercept have in common: the fit, and what it says.

Given u, independent standard normal, the log-odds of a row are x'beta plus random effects that are linear in
u, with weights that are linear in the `loadings`. Loadings are not bounded, and the likelihood is smooth
where one of them, and with it a variance, is zero: such a maximum is found like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.climb import At, Summit, climb
from ipseval.stats.repeated.quadrature import LARGEST_SD
from ipseval.stats.repeated.random_intercept_logistic import RandomInterceptLogistic

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_POINTS = 50
# A loading below this is zero: what Newton's method leaves of one is far smaller.
_ZERO = 1e-4
#: A movement with more points that deserves a word, in standard errors.
NOTABLE_MOVEMENT = 0.1
_MORE_POINTS = 10


@dataclass(frozen=True)
class RandomEffectsLogistic:
    """A logistic regression with random effects; every estimate is missing unless `converged`.

    Attributes
    ----------
    coefficients : (columns,) array
        Log-odds, given the random effects.
    loadings : (loadings,) array
        What the standard normal effects are multiplied by, on the log-odds scale.
    covariance : (columns + loadings, columns + loadings) array
        Of (coefficients, loadings): the inverse of the observed information.
    log_likelihood : float
    log_likelihood_random_intercept : float
        Of the model with a person's intercept alone, by as many points.
    n_observations, n_groups, n_cells : int
        Rows, people, and people who differ in what the likelihood needs.
    points, evaluations : int
        Quadrature points per dimension; how often the likelihood was evaluated.
    points_movement : float
        How far a Newton step with more points would move an estimate, in standard errors.
    gradient_norm : float
        Largest absolute derivative of the log-likelihood at the estimate.
    converged : bool
    at_boundary : bool
        A loading is zero: a variance is zero, or a correlation -1 or 1.
    note : str
        Why an estimate is missing, or what a reader must know; empty if neither.
    """

    coefficients: Floats
    loadings: Floats
    covariance: Floats
    log_likelihood: float
    log_likelihood_random_intercept: float
    n_observations: int
    n_groups: int
    n_cells: int
    points: int
    evaluations: int
    points_movement: float
    gradient_norm: float
    converged: bool
    at_boundary: bool
    note: str

    @property
    def std_error(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.covariance))[: self.coefficients.size]

    def limits(self, conf_level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the Wald confidence limits of the coefficients."""
        half = ndtri(0.5 + checks.confidence(conf_level) / 2.0) * self.std_error
        return self.coefficients - half, self.coefficients + half

    def variance(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return variances of sums of random effects, (rows,), and their slopes in the loadings.

        ``weights`` is (rows, effects, loadings): ``weights @ loadings`` is what a row makes of each u.
        """
        parts = weights @ self.loadings
        return (parts**2).sum(axis=1), 2.0 * (parts[:, :, None] * weights).sum(axis=1)

    def sd_limits(self, weights: Floats, conf_level: float = 0.95) -> tuple[float, float, float]:
        """Return a standard deviation and its Wald limits on the log scale, missing where it is zero.

        ``weights`` is (effects, loadings), one row of those of `variance`.
        """
        variance, slope = (found[0] for found in self.variance(weights[None]))
        sd = float(np.sqrt(variance))
        if not sd > 0.0:
            return sd, np.nan, np.nan
        by_log_sd = slope / (2.0 * variance)
        size = self.coefficients.size
        error = float(np.sqrt(by_log_sd @ self.covariance[size:, size:] @ by_log_sd))
        half = float(ndtri(0.5 + checks.confidence(conf_level) / 2.0)) * error
        return sd, sd * float(np.exp(-half)), sd * float(np.exp(half))


def require_estimates(fit: RandomEffectsLogistic) -> None:
    """Refuse a fit that has no estimates, with its own reason."""
    if not fit.converged:
        raise AnalysisError(f"The model has no estimates. {fit.note}")


def check_points_option(points: int) -> None:
    """Refuse a number of points that is none, or that the product of two rules cannot carry."""
    if not (isinstance(points, int | np.integer) and 1 <= points <= MOST_POINTS):
        raise AnalysisError(
            f"points={points!r} is not a whole number from 1 (Laplace) to {MOST_POINTS} in each of two "
            f"dimensions. Pass points=25, the default."
        )


def codes(labels: ArrayLike, name: str) -> Integers:
    """Number labels 0, 1, ... as they come; missing ones are refused."""
    given = np.asarray(labels)
    code, _ = pd.factorize(given)
    if missing := int((code < 0).sum()):
        raise AnalysisError(f"{name} is missing for {missing} of {given.size} rows. Say it for every row.")
    return code.astype(np.int64)


def fitted(
    evaluate: Callable[[Floats, At | None, int], At],
    intercept: RandomInterceptLogistic,
    *,
    largest: Floats,
    n_cells: int,
    points: int,
    boundary: str,
) -> RandomEffectsLogistic:
    """Climb from a random-intercept fit, whose sd is the first loading, and judge where that led.

    Parameters
    ----------
    evaluate : callable
        From parameters (coefficients, loadings), an earlier evaluation or None, and the number of points.
    intercept : RandomInterceptLogistic
        Of the same rows, by as many points.
    largest : (rows, effects, loadings) array
        Weights of the sums of random effects that have to stay below `LARGEST_SD`.
    n_cells, points : int
    boundary : str
        What is said at the boundary.
    """
    missing = _without_estimates(intercept, largest.shape[2], n_cells, points)
    if not intercept.converged:
        return replace(missing, note=intercept.note)
    start, guess = _start(intercept, largest.shape[2])
    summit = climb(lambda theta, near: evaluate(theta, near, points), start, guess)
    size = intercept.coefficients.size
    loadings = np.where(np.abs(summit.theta[size:]) < _ZERO, 0.0, summit.theta[size:])
    fit = replace(
        missing,
        coefficients=summit.theta[:size],
        loadings=loadings,
        covariance=summit.covariance,
        log_likelihood=summit.value,
        evaluations=summit.evaluations,
        gradient_norm=float(np.abs(summit.gradient).max()),
        converged=True,
        at_boundary=bool((loadings == 0.0).any()),
    )
    if reason := _no_maximum(fit, summit, largest):
        return replace(missing, note=reason, evaluations=fit.evaluations, gradient_norm=fit.gradient_norm)
    others = points + _MORE_POINTS
    movement = _movement(summit, evaluate(summit.theta, None, others).gradient)
    said = (boundary if fit.at_boundary else "", _movement_note(movement, points, others))
    return replace(fit, points_movement=movement, note=" ".join(part for part in said if part))


def _start(intercept: RandomInterceptLogistic, n_loadings: int) -> tuple[Floats, Floats]:
    """Return where to start, off every boundary, and a guess of the covariance there."""
    sd, size = intercept.random_intercept_sd or 0.5, intercept.coefficients.size
    guess = np.diag(np.full(size + n_loadings, 0.1))
    guess[:size, :size] = intercept.covariance[:size, :size]
    return np.r_[intercept.coefficients, sd, np.full(n_loadings - 1, 0.3 * sd)], guess


def _no_maximum(fit: RandomEffectsLogistic, summit: Summit, largest: Floats) -> str:
    """Return why a climb led nowhere; empty if it led to a maximum."""
    sd = float(np.sqrt(fit.variance(largest)[0].max()))
    if not sd <= LARGEST_SD:
        return (
            f"The standard deviation of the random effects has no estimate below {LARGEST_SD:.0f}: the "
            f"data do not bound it, as when people change in one direction only. Use a person's "
            f"intercept alone (model='random_intercept') or a marginal model (GEE)."
        )
    if not summit.converged:
        return (
            f"No maximum was found in {summit.evaluations} evaluations (the next step is "
            f"{np.sqrt(summit.decrement):.1e} standard errors long). Rescale the covariates or simplify the "
            f"model."
        )
    return ""


def _movement(summit: Summit, gradient: Floats) -> float:
    """Return how far a Newton step by another gradient leads, in standard errors."""
    error = np.sqrt(np.diag(summit.covariance))
    moved = np.abs(summit.covariance @ gradient)
    return float((moved[error > 0.0] / error[error > 0.0]).max())


def _movement_note(movement: float, points: int, others: int) -> str:
    if movement <= NOTABLE_MOVEMENT:
        return ""
    return (
        f"{points} quadrature points per dimension are too few, or a standard deviation is hardly bounded by "
        f"the data: with {others} points an estimate would move by about {movement:.1f} standard errors. "
        f"Pass points={min(others, MOST_POINTS)}, or put a marginal model (GEE) beside it."
    )


def _without_estimates(
    intercept: RandomInterceptLogistic, n_loadings: int, n_cells: int, points: int
) -> RandomEffectsLogistic:
    size = intercept.coefficients.size
    return RandomEffectsLogistic(
        coefficients=np.full(size, np.nan),
        loadings=np.full(n_loadings, np.nan),
        covariance=np.full((size + n_loadings, size + n_loadings), np.nan),
        log_likelihood=np.nan,
        log_likelihood_random_intercept=intercept.log_likelihood,
        n_observations=intercept.n_observations,
        n_groups=intercept.n_groups,
        n_cells=n_cells,
        points=points,
        evaluations=0,
        points_movement=np.nan,
        gradient_norm=intercept.gradient_norm,
        converged=False,
        at_boundary=False,
        note="",
    )
