"""Logistic regression with Firth's penalty: an answer where ordinary logistic regression has none.

The likelihood is multiplied by the root of the determinant of the information (Jeffreys' prior). Estimates
are finite for any data, and their bias is of smaller order; the price is that predicted probabilities lean
towards one half (their mean is no longer the observed proportion).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, expit, ndtr, ndtri

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import scaled_inverse
from ipseval.stats.regression.canonical_models import Fit
from ipseval.stats.regression.covariates import arm_design, outcomes

Floats = NDArray[np.float64]

_ITERATIONS = 100
_TOLERANCE = 1e-10
# No Newton step moves a log-odds by more; the penalised likelihood need not be concave far from its maximum.
_LONGEST_STEP = 5.0
# A direction curves at least by this share of what it would with constant leverages.
_FLATTEST = 1e-3
# Limits further out than this many standard errors are given up; a profile of Firth's is that flat only
# where a coefficient has next to no information.
_FURTHEST = 60.0


@dataclass(frozen=True)
class FirthLogistic:
    """Penalised fit of a logistic regression, one entry per coefficient.

    Attributes
    ----------
    names : tuple of str
        "intercept", "arm", "covariate 0", ...
    coefficients : (k,) array
        Log-odds.
    std_error : (k,) array
        Wald, from the unpenalised information at the estimates.
    covariance : (k, k) array
    p_value : (k,) array
        Of the likelihood-ratio test or of Wald's, as ``method`` says.
    conf_low, conf_high : (k,) arrays
        On the log-odds scale, from the same method.
    penalised_log_likelihood : float
    method : str
    note : str
        Which limits were not found, and why.
    """

    names: tuple[str, ...]
    coefficients: Floats
    std_error: Floats
    covariance: Floats
    p_value: Floats
    conf_low: Floats
    conf_high: Floats
    penalised_log_likelihood: float
    method: str
    note: str = ""


def firth_logistic(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    method: str = "profile",
    conf_level: float = 0.95,
) -> FirthLogistic:
    """Return the logistic regression of a yes/no outcome with Firth's penalty, and profile intervals.

    The way out where the data are separated (nobody in one arm or level has the outcome). It answers in
    odds ratios; for a difference of proportions use `standardised_means` with ``model="firth"``.

    Parameters
    ----------
    y : array_like of bool or 0/1, one outcome per person
        Missing outcomes are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers; categories as indicators without their reference level.
    method : {"profile", "wald"}
        "profile" (default): likelihood-ratio tests and limits from the profile of the penalised likelihood,
        because with separation Wald's standard errors say nothing; "wald" for checking.
    conf_level : float

    Returns
    -------
    FirthLogistic

    Raises
    ------
    AnalysisError
        A value that is missing; an empty arm; a covariate that is constant or collinear.

    Notes
    -----
    Under a hypothesis on one coefficient the penalty is that of the whole model (the determinant with all
    columns), as in R's logistf. Coefficients agree with R's brglm2 (``type = "AS_mean"``) to 1e-8.

    References
    ----------
    Firth (1993), Biometrika 80:27-38, section 3.3.
    Heinze & Schemper (2002), Statistics in Medicine 21:2409-2419.

    Examples
    --------
    >>> fit = firth_logistic([1, 1, 1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0])
    >>> print(f"{fit.coefficients[1]:.2f}, {fit.conf_low[1]:.2f} to {fit.conf_high[1]:.2f}")
    3.04, 0.09 to 8.19
    """
    checks.one_of(method, ("profile", "wald"), "method")
    level = checks.confidence(conf_level)
    design = arm_design(arm, covariates)
    X, happened = design.observed, outcomes(y, design.in_active)
    checks.boolean_array(happened, "y")
    at = maximise(happened, X)
    std_error = np.sqrt(np.diag(at.inverse_information))
    z = at.coefficients / std_error
    p_value, note = 2.0 * ndtr(-np.abs(z)), ""
    low, high = at.coefficients + ndtri((1 + level) / 2) * std_error * np.array([[-1.0], [1.0]])
    if method == "profile":
        p_value = np.array([_ratio_test(happened, X, at, j) for j in range(z.size)])
        low, high = np.array([_profile_limits(happened, X, at, j, level) for j in range(z.size)]).T
        if lost := [design.names[j] for j in np.flatnonzero(np.isnan(p_value + low + high))]:
            note = (
                f"The profile is too flat, or has no single top, for a test and both limits of "
                f"{checks.named_list(lost, 9)} (counted from 0)."
            )
    return FirthLogistic(
        names=design.names,
        coefficients=at.coefficients,
        std_error=std_error,
        covariance=at.inverse_information,
        p_value=p_value,
        conf_low=low,
        conf_high=high,
        penalised_log_likelihood=at.value,
        method=method,
        note=note,
    )


def firth_fit(y: Floats, X: Floats) -> Fit:
    """Return the penalised fit in the form of `canonical_fit`, for standardisation."""
    checks.boolean_array(y, "y")
    at = maximise(y, X)
    mean = expit(X @ at.coefficients)
    return Fit("firth", at.coefficients, mean, mean * (1.0 - mean), at.inverse_information, 1.0)


class PenalisedMaximum(NamedTuple):
    """Where the penalised likelihood is largest, its log there, and the inverse of the information."""

    coefficients: Floats
    value: float
    inverse_information: Floats


def maximise(
    y: Floats, X: Floats, *, start: Floats | None = None, fixed: int | None = None
) -> PenalisedMaximum:
    """Return the maximum of the penalised likelihood, one coefficient held at its start if ``fixed``.

    Newton's method on the modified score X'(y - mean + h (1/2 - mean)), h the leverages (Firth 1993); steps
    are halved until the penalised likelihood does not fall.
    """
    beta = np.zeros(X.shape[1]) if start is None else start.copy()
    free = np.flatnonzero(np.arange(X.shape[1]) != (-1 if fixed is None else fixed))
    at = _penalised(beta, y, X)
    for _ in range(_ITERATIONS):
        step = np.zeros_like(beta)
        step[free] = _uphill(at, free)
        step *= min(1.0, _LONGEST_STEP / max(np.abs(X @ step).max(), 1e-300))
        moved = _penalised(beta + step, y, X)
        while moved.value < at.value - 1e-10 * (1.0 + abs(at.value)):
            step = step / 2.0
            moved = _penalised(beta + step, y, X)
        beta, at = beta + step, moved
        if np.abs(X @ step).max() < _TOLERANCE:
            return PenalisedMaximum(beta, at.value, at.inverse_information)
    raise AnalysisError(
        f"Firth's logistic regression did not converge in {_ITERATIONS} iterations. "
        f"Rescale the covariates or adjust for fewer."
    )


class _Penalised(NamedTuple):
    """The penalised log-likelihood somewhere, with its gradient and minus its Hessian.

    ``concave`` is minus the Hessian as if the leverages were constant: positive definite everywhere.
    """

    value: float
    inverse_information: Floats
    score: Floats
    curvature: Floats
    concave: Floats


def _penalised(beta: Floats, y: Floats, X: Floats) -> _Penalised:
    linear = X @ beta
    mean = expit(linear)
    weight = mean * (1.0 - mean)
    information = (X.T * weight) @ X
    try:
        inverse = scaled_inverse(information)
    except np.linalg.LinAlgError:  # far from the data, where the penalty is minus infinity
        return _Penalised(-np.inf, information, beta, information, information)
    # Rows whose cross-products are x' inverse x; the second derivatives of log det are inner products of
    # T[r], the derivative of the information in coefficient r, seen in these coordinates.
    rows = X @ np.linalg.cholesky(inverse)
    leverage = weight * (rows**2).sum(axis=1)
    slope = (X.T * (weight * (1.0 - 2.0 * mean)))[:, None, :] * rows.T
    T = (slope @ rows).reshape(beta.size, -1)
    penalty = 0.5 * float(np.linalg.slogdet(information)[1])
    return _Penalised(
        value=float(y @ linear - np.logaddexp(0.0, linear).sum()) + penalty,
        inverse_information=inverse,
        score=X.T @ (y - mean + leverage * (0.5 - mean)),
        curvature=(X.T * (weight - 0.5 * leverage * (1.0 - 6.0 * weight))) @ X + 0.5 * T @ T.T,
        concave=(X.T * (weight * (1.0 + leverage))) @ X,
    )


def _uphill(at: _Penalised, free: NDArray[np.intp]) -> Floats:
    """Return Newton's step in the free coefficients, turned uphill along directions that curve upwards.

    Far from the maximum a profile can pass a saddle, which Newton's own step would make for.
    """
    block = np.ix_(free, free)
    unit = np.linalg.inv(np.linalg.cholesky(at.concave[block]))
    values, vectors = np.linalg.eigh(unit @ at.curvature[block] @ unit.T)
    ways = unit.T @ vectors
    step: Floats = ways @ ((ways.T @ at.score[free]) / np.maximum(np.abs(values), _FLATTEST))
    return step


def _ratio_test(y: Floats, X: Floats, at: PenalisedMaximum, j: int) -> float:
    start = at.coefficients.copy()
    start[j] = 0.0
    try:
        statistic = 2.0 * (at.value - maximise(y, X, start=start, fixed=j).value)
    except AnalysisError:
        return float("nan")
    return float(chdtrc(1, max(0.0, statistic)))


def _profile_limits(y: Floats, X: Floats, at: PenalisedMaximum, j: int, level: float) -> tuple[float, float]:
    """Return where the profile has fallen by half the chi-squared quantile; NaN if nowhere."""
    fall = 0.5 * float(ndtri((1 + level) / 2)) ** 2
    std_error = float(np.sqrt(at.inverse_information[j, j]))
    direction = at.inverse_information[:, j] / at.inverse_information[j, j]

    def excess(distance: float) -> float:
        start = at.coefficients + distance * direction
        return at.value - maximise(y, X, start=start, fixed=j).value - fall

    def limit(side: float) -> float:
        reach = side * std_error
        try:
            while excess(reach) < 0.0:
                reach *= 2.0
                if abs(reach) > _FURTHEST * std_error:
                    return float("nan")
            root = brentq(excess, 0.0, reach, xtol=1e-10 * std_error, rtol=1e-12)
        except AnalysisError:  # a profile with several tops, in data that say next to nothing
            return float("nan")
        return float(at.coefficients[j] + root)

    return limit(-1.0), limit(1.0)
