"""Climb a log-likelihood of which the gradient is known, to its maximum and the Hessian there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
Descent = Callable[[Floats], tuple[float, Floats]]

# Half the width of the differences that make the Hessian, in standard errors: their error is its square.
_WIDTH = 1e-4
_POLISHING = 8
# Converged where the next Newton step is below 1e-7 of a standard error; the decrement is that step, squared.
_DECREMENT = 1e-14
# An eigenvalue of the negative Hessian this small, in standardised coordinates, says nothing of a direction.
_FLAT = 1e-6
# ... unless the function still rises by more than this along it: then there is no maximum.
_RISE = 1e-4
_QUASI_NEWTON_STEPS = 200
_ROUNDING = 1e-12


class Place(Protocol):
    """What an evaluation yields."""

    @property
    def value(self) -> float: ...
    @property
    def gradient(self) -> Floats: ...


At = TypeVar("At", bound=Place)


@dataclass(frozen=True)
class Summit:
    """Where a climb ended.

    Attributes
    ----------
    theta : (parameters,) array
    value : float
    gradient : (parameters,) array
    covariance : (parameters, parameters) array
        Inverse of the negative Hessian. A direction in which the log-likelihood is flat has no part in it.
    decrement : float
        The next Newton step in standard errors, squared.
    evaluations : int
    converged : bool
    """

    theta: Floats
    value: float
    gradient: Floats
    covariance: Floats
    decrement: float
    evaluations: int
    converged: bool


def climb(evaluate: Callable[[Floats, At | None], At], start: Floats, covariance: Floats) -> Summit:
    """Return the maximum of a smooth function near ``start``.

    Quasi-Newton steps (BFGS) go most of the way, in coordinates in which ``covariance`` is the unit matrix;
    Newton steps with the Hessian by central differences of the gradient go the rest.

    Parameters
    ----------
    evaluate : callable
        From parameters, and what it returned for others before (None at first), to value and gradient.
    start : (parameters,) array
    covariance : (parameters, parameters) array
        A first guess of the estimates' covariance, positive definite.
    """
    descent = _Downhill(evaluate, start, np.linalg.cholesky(covariance).astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):  # on the way to infinity, if there is no maximum
        steps = minimize(
            descent,
            np.zeros(len(start)),
            jac=True,
            method="BFGS",
            options={"gtol": 1e-4, "maxiter": _QUASI_NEWTON_STEPS},
        ).x
    for _ in range(_POLISHING):
        inverse, is_concave = _inverse(_hessian(descent, steps))
        steps, decrement = _newton(descent, steps, inverse)
        if decrement < _DECREMENT:
            break
    _, slope = descent(steps)
    assert descent.near is not None
    return Summit(
        theta=descent.theta(steps),
        value=descent.near.value,
        gradient=descent.near.gradient,
        covariance=descent.root @ inverse @ descent.root.T,
        decrement=decrement,
        evaluations=descent.evaluations,
        converged=is_concave and decrement < _DECREMENT and bool(np.abs(slope).max() < _RISE),
    )


class _Downhill(Generic[At]):
    """The negative function and its slope in coordinates ``theta = start + root steps``."""

    def __init__(self, evaluate: Callable[[Floats, At | None], At], start: Floats, root: Floats) -> None:
        self.evaluate, self.start, self.root = evaluate, start, root
        self.near: At | None = None
        self.evaluations = 0

    def theta(self, steps: Floats) -> Floats:
        made: Floats = self.start + self.root @ steps
        return made

    def __call__(self, steps: Floats) -> tuple[float, Floats]:
        self.near = self.evaluate(self.theta(steps), self.near)
        self.evaluations += 1
        return -self.near.value, -(self.root.T @ self.near.gradient)


def _hessian(descent: Descent, steps: Floats) -> Floats:
    """Return the Hessian by central differences of the gradient."""
    units = _WIDTH * np.eye(len(steps))
    rows = np.array([descent(steps + unit)[1] - descent(steps - unit)[1] for unit in units])
    made: Floats = (rows + rows.T) / (4.0 * _WIDTH)
    return made


def _inverse(hessian: Floats) -> tuple[Floats, bool]:
    """Return an inverse that points downhill, without flat directions, and whether all others curve up."""
    eigenvalue, vector = np.linalg.eigh(hessian)
    is_flat = np.abs(eigenvalue) < _FLAT
    scaled = np.where(is_flat, 0.0, 1.0 / np.where(is_flat, 1.0, np.abs(eigenvalue)))
    inverse: Floats = (vector * scaled) @ vector.T
    return inverse, bool((eigenvalue > -_FLAT).all())


def _newton(descent: Descent, steps: Floats, inverse: Floats) -> tuple[Floats, float]:
    """Return where steps with one Hessian lead while they help, and the decrement of the next."""
    value, slope = descent(steps)
    decrement = float(slope @ inverse @ slope)
    for _ in range(_POLISHING):
        if decrement < _DECREMENT:
            break
        tried = steps - inverse @ slope / max(1.0, np.sqrt(decrement))
        new_value, new_slope = descent(tried)
        new_decrement = float(new_slope @ inverse @ new_slope)
        if new_value > value + _ROUNDING * abs(value):
            break
        is_slow = new_decrement > 0.25 * decrement
        steps, value, slope, decrement = tried, new_value, new_slope, new_decrement
        if is_slow:
            break
    return steps, decrement
