"""Working correlations of the visits of one person: their estimates by moments, and their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ipseval import checks
from ipseval.errors import AnalysisError

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

CORRELATIONS = ("independence", "exchangeable", "ar1", "unstructured")


@dataclass(frozen=True)
class Inverse:
    """The inverse of a working correlation: ``own`` I - ``shared`` J with J all ones, or any ``matrix``."""

    own: float = 1.0
    shared: float = 0.0
    matrix: Floats | None = None

    def times(self, values: Floats) -> Floats:
        """Return the inverse times (..., t, n) values."""
        if self.matrix is not None:
            return np.asarray(self.matrix @ values, dtype=np.float64)
        if not self.shared:
            return self.own * values
        total = values.sum(axis=-2, keepdims=True)
        return np.asarray(self.own * values - self.shared * total, dtype=np.float64)


@dataclass(frozen=True)
class WorkingCorrelation:
    """A (visits, visits) correlation matrix, and which of `CORRELATIONS` (or "given") it is."""

    kind: str
    matrix: Floats

    def inverse(self, visits: Indices) -> Inverse:
        """Return the inverse of the part that belongs to some of the visits."""
        if self.kind == "independence" or len(visits) == 1:
            return Inverse()
        if self.kind == "exchangeable":
            alpha = float(self.matrix[0, 1])
            own = 1.0 / (1.0 - alpha)
            return Inverse(own, own * alpha / (1.0 + (len(visits) - 1.0) * alpha))
        return Inverse(
            matrix=np.asarray(np.linalg.inv(self.matrix[np.ix_(visits, visits)]), dtype=np.float64)
        )


class Residuals(Protocol):
    """Pearson residuals of people who were seen at the same visits."""

    @property
    def visits(self) -> Indices:
        """Which visits: (t,)."""

    @property
    def n_people(self) -> float:
        """How many people."""

    @property
    def sum_of_squares(self) -> float:
        """Sum of all squared residuals."""

    @property
    def square_of_sums(self) -> float:
        """Sum over people of the square of the sum of their residuals."""

    @property
    def products(self) -> Floats:
        """Sum over people of the products of their residuals at each two visits: (t, t)."""


def estimated(kind: str, parts: Sequence[Residuals], dispersion: float, n_visits: int) -> WorkingCorrelation:
    """Estimate a working correlation from the mean product of the residuals of each pair of visits."""
    matrix = np.eye(n_visits)
    if kind != "independence" and n_visits > 1:
        if not any(len(part.visits) > 1 for part in parts):
            raise AnalysisError("Nobody was seen at two visits. Use correlation='independence'.")
        if kind == "exchangeable":
            matrix = np.full((n_visits, n_visits), _exchangeable(parts, dispersion))
        else:
            matrix = _by_pairs(kind, parts, dispersion, n_visits)
        np.fill_diagonal(matrix, 1.0)
        _refuse_not_positive(matrix, kind)
    return WorkingCorrelation(kind, matrix)


def given(correlation: ArrayLike, n_visits: int) -> WorkingCorrelation:
    """Return a correlation that was given, or refuse what is none."""
    matrix = checks.float_array(correlation, "correlation")
    if (
        matrix.shape != (n_visits, n_visits)
        or not np.allclose(matrix, matrix.T)
        or not np.all(np.diag(matrix) == 1)
    ):
        raise AnalysisError(
            f"correlation is not a symmetric matrix with ones on the diagonal for {n_visits} visits. "
            f"Pass one, or a name: {checks.named_list(CORRELATIONS, 4)}."
        )
    _refuse_not_positive(matrix, "given")
    return WorkingCorrelation("given", matrix)


def _refuse_not_positive(matrix: Floats, kind: str) -> None:
    if np.linalg.eigvalsh(matrix)[0] < 1e-8:
        raise AnalysisError(
            f"The {kind} working correlation is not positive definite with these {len(matrix)} visits. "
            "Use correlation='independence'; the robust variance holds all the same."
        )


def _exchangeable(parts: Sequence[Residuals], dispersion: float) -> float:
    """Return the mean over pairs: the sum over pairs needs only the sum and the sum of squares per person."""
    total = sum(part.square_of_sums - part.sum_of_squares for part in parts)
    return (
        total / dispersion / sum(part.n_people * len(part.visits) * (len(part.visits) - 1) for part in parts)
    )


def _by_pairs(kind: str, parts: Sequence[Residuals], dispersion: float, n_visits: int) -> Floats:
    products, pairs = np.zeros((n_visits, n_visits)), np.zeros((n_visits, n_visits))
    for part in parts:
        place = np.ix_(part.visits, part.visits)
        products[place] += part.products / dispersion
        pairs[place] += part.n_people
    above = np.triu_indices(n_visits, 1)
    if kind == "ar1":
        apart = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
        alpha = _autoregressive(products[above], pairs[above], apart[above])
        return np.asarray(alpha**apart, dtype=np.float64)
    if unseen := int((pairs[above] == 0).sum()):
        raise AnalysisError(
            f"{unseen} pairs of visits were never seen in the same person. "
            "Use correlation='exchangeable' or 'ar1'."
        )
    return np.divide(products, pairs, out=np.ones_like(products), where=pairs > 0)


def _autoregressive(products: Floats, pairs: Floats, apart: NDArray[np.int_]) -> float:
    """Solve the estimating equation of alpha: products near alpha^distance, each pair with weight one."""

    def equation(alpha: float) -> float:
        slope = apart * alpha ** (apart - 1.0)
        return float(np.sum(slope * (products - pairs * alpha**apart)))

    grid = np.linspace(-0.99, 0.99, 199)
    distance = [np.sum(pairs * alpha ** (2.0 * apart) - 2.0 * products * alpha**apart) for alpha in grid]
    best = int(np.argmin(distance))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if equation(low) * equation(high) > 0.0:
        return float(grid[best])
    return float(brentq(equation, low, high, xtol=1e-14))
