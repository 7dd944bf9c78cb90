"""Climb a log-likelihood of which the gradient is known, to its maximum and the Hessian there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

# Half the width of the differences that make the Hessian, in standard errors: their error is its square.
_WIDTH = 1e-4
_POLISHING = 8
# Converged where the next Newton step is below 1e-7 of a standard error; the decrement is that step, squared.
_DECREMENT = 1e-14
# An eigenvalue of the negative Hessian this small, in standardised coordinates, says nothing of a direction.
_FLAT = 1e-6


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
    root = np.linalg.cholesky(covariance)
    last: list[At] = []

    def at(steps: Floats) -> At:
        last[:] = [evaluate(start + root @ steps, last[0] if last else None)]
        counted.append(1)
        return last[0]

    def downhill(steps: Floats) -> tuple[float, Floats]:
        here = at(steps)
        return -here.value, -(root.T @ here.gradient)

    counted: list[int] = []
    steps = minimize(downhill, np.zeros(len(start)), jac=True, method="BFGS", options={"gtol": 1e-4}).x
    decrement, is_concave = np.inf, False
    inverse = np.eye(len(start))
    for _ in range(_POLISHING):
        inverse, is_concave = _inverse(_hessian(downhill, steps))
        steps, decrement = _newton(downhill, steps, inverse)
        if decrement < _DECREMENT:
            break
    here = at(steps)
    return Summit(
        theta=start + root @ steps,
        value=here.value,
        gradient=here.gradient,
        covariance=root @ inverse @ root.T,
        decrement=decrement,
        evaluations=len(counted),
        converged=is_concave and decrement < _DECREMENT,
    )


def _hessian(downhill: Callable[[Floats], tuple[float, Floats]], steps: Floats) -> Floats:
    """Return the Hessian by central differences of the gradient."""
    units = _WIDTH * np.eye(len(steps))
    rows = np.array([downhill(steps + unit)[1] - downhill(steps - unit)[1] for unit in units])
    made: Floats = (rows + rows.T) / (4.0 * _WIDTH)
    return made


def _inverse(hessian: Floats) -> tuple[Floats, bool]:
    """Return an inverse that points downhill, without flat directions, and whether all others curve up."""
    eigenvalue, vector = np.linalg.eigh(hessian)
    is_flat = np.abs(eigenvalue) < _FLAT
    scaled = np.where(is_flat, 0.0, 1.0 / np.where(is_flat, 1.0, np.abs(eigenvalue)))
    inverse: Floats = (vector * scaled) @ vector.T
    return inverse, bool((eigenvalue > -_FLAT).all())


def _newton(
    downhill: Callable[[Floats], tuple[float, Floats]], steps: Floats, inverse: Floats
) -> tuple[Floats, float]:
    """Return where steps with one Hessian lead while they help, and the decrement of the next."""
    value, slope = downhill(steps)
    decrement = float(slope @ inverse @ slope)
    for _ in range(_POLISHING):
        if decrement < _DECREMENT:
            break
        tried = steps - inverse @ slope / max(1.0, np.sqrt(decrement))
        new_value, new_slope = downhill(tried)
        new_decrement = float(new_slope @ inverse @ new_slope)
        if new_value > value + 1e-10 * abs(value) or new_decrement > 0.25 * decrement:
            if new_value <= value:
                steps, decrement = tried, new_decrement
            break
        steps, value, slope, decrement = tried, new_value, new_slope, new_decrement
    return steps, decrement
