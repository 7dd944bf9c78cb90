"""Covariance of the visits of one person, as a function of a few parameters.

Every structure gives its matrix with first and second derivatives, and a way to reach its parameters from
numbers without bounds, which an optimiser may move freely. Structures that are linear in their parameters
(unstructured, compound symmetry) have variances and covariances as parameters; the others log standard
deviations and a transformed correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ipseval import checks

Floats = NDArray[np.float64]

#: By name, from the most to the fewest parameters for five visits.
STRUCTURES = (
    "unstructured",
    "heterogeneous_ar1",
    "heterogeneous_compound_symmetry",
    "ar1",
    "compound_symmetry",
)


@dataclass(frozen=True)
class Matrices:
    """A covariance matrix with its derivatives in k parameters.

    Attributes
    ----------
    value : (t, t) array
    first : (k, t, t) array
    second : (k, k, t, t) array or None
        None where every second derivative is zero.
    """

    value: Floats
    first: Floats
    second: Floats | None = None

    def of(self, visits: NDArray[np.intp]) -> Matrices:
        """Return the part that belongs to some of the visits."""
        down, across = np.ix_(visits, visits)
        return Matrices(
            self.value[down, across],
            self.first[:, down, across],
            None if self.second is None else self.second[:, :, down, across],
        )


class Structure(Protocol):
    """What a fit asks of a structure."""

    @property
    def size(self) -> int:
        """How many parameters there are."""

    def start(self, sd: Floats) -> Floats:
        """Return free numbers to begin with, from the standard deviation at each visit."""

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        """Return the parameters, and their (k, k) derivatives in the free numbers."""

    def matrices(self, parameters: Floats) -> Matrices:
        """Return the covariance of all visits with its derivatives in the parameters."""


def structure(name: str, n_visits: int) -> Structure:
    """Return a structure by its name, for a number of visits.

    Parameters
    ----------
    name : str
        One of `STRUCTURES`. Autoregressive correlation counts visits, so they should be equally far apart.
    n_visits : int

    Examples
    --------
    >>> structure("compound_symmetry", 4).size, structure("unstructured", 4).size
    (2, 10)
    """
    checks.one_of(name, STRUCTURES, "structure")
    if n_visits == 1 or name == "unstructured":
        return Unstructured(n_visits)
    if name == "compound_symmetry":
        return CompoundSymmetry(n_visits)
    return Correlated(n_visits, name.endswith("ar1"), name.startswith("heterogeneous"))


@dataclass(frozen=True)
class Unstructured:
    """Every variance and covariance a parameter of its own; a Cholesky factor with log diagonal is free."""

    n_visits: int

    @property
    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.tril_indices(self.n_visits)

    @property
    def size(self) -> int:
        return self.n_visits * (self.n_visits + 1) // 2

    def start(self, sd: Floats) -> Floats:
        rows, columns = self._places
        return np.where(rows == columns, np.log(sd)[rows], 0.0)

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        rows, columns = self._places
        on_diagonal = rows == columns
        factor = np.zeros((self.n_visits, self.n_visits))
        factor[rows, columns] = np.where(on_diagonal, np.exp(np.where(on_diagonal, free, 0.0)), free)
        # d (L L')_ij / d L_ab = [i = a] L_jb + [j = a] L_ib
        i, j = rows[:, None], columns[:, None]
        derivative = (i == rows) * factor[j, columns] + (j == rows) * factor[i, columns]
        derivative = derivative * np.where(on_diagonal, factor[rows, columns], 1.0)
        return (factor @ factor.T)[rows, columns], derivative

    def matrices(self, parameters: Floats) -> Matrices:
        basis = symmetric_units(self.n_visits)
        return Matrices(np.tensordot(parameters, basis, 1), basis)


@dataclass(frozen=True)
class CompoundSymmetry:
    """One variance within people and one covariance between visits, which may be negative."""

    n_visits: int
    size: int = 2

    def start(self, sd: Floats) -> Floats:
        return np.repeat(np.log(np.mean(sd**2)), 2)

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        # The eigenvalues of the matrix are free on the log scale.
        within, total = np.exp(free)
        n = self.n_visits
        return (
            np.array([within, (total - within) / n]),
            np.array([[within, 0.0], [-within / n, total / n]]),
        )

    def matrices(self, parameters: Floats) -> Matrices:
        basis = np.array([np.eye(self.n_visits), np.ones((self.n_visits, self.n_visits))])
        return Matrices(np.tensordot(parameters, basis, 1), basis)


@dataclass(frozen=True)
class Correlated:
    """Standard deviations, one or one a visit, with a correlation that is constant or falls with distance."""

    n_visits: int
    autoregressive: bool
    heterogeneous: bool

    @property
    def size(self) -> int:
        return 1 + (self.n_visits if self.heterogeneous else 1)

    def start(self, sd: Floats) -> Floats:
        logs = np.log(sd) if self.heterogeneous else np.atleast_1d(np.mean(np.log(sd)))
        return np.append(logs, 0.0 if self.autoregressive else -np.log(self.n_visits - 1.0))

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        return free, np.eye(self.size)

    def matrices(self, parameters: Floats) -> Matrices:
        n, size = self.n_visits, self.size
        scale = np.exp(np.broadcast_to(parameters[:-1], n) if not self.heterogeneous else parameters[:-1])
        around = np.outer(scale, scale)
        correlation, slope, bend = (around * part for part in self._correlation(parameters[-1]))
        # d V / d log sd_i multiplies entry (a, b) by [a = i] + [b = i]; all of them move with a common sd
        visit = np.eye(n) if self.heterogeneous else np.ones((1, n))
        times = visit[:, :, None] + visit[:, None, :]
        first = np.concatenate([times * correlation, slope[None]])
        second = np.empty((size, size, n, n))
        second[:-1, :-1] = times[:, None] * times[None] * correlation
        second[:-1, -1] = second[-1, :-1] = times * slope
        second[-1, -1] = bend
        return Matrices(correlation, first, second)

    def _correlation(self, free: float) -> tuple[Floats, Floats, Floats]:
        """Return the correlation matrix with its first and second derivative in the free number."""
        n = self.n_visits
        if not self.autoregressive:  # from -1 / (n - 1), where the matrix stops being positive, to 1
            share, span = float(expit(free)), n / (n - 1.0)
            slope = share * (1.0 - share)
            off = 1.0 - np.eye(n)
            return (
                np.eye(n) + off * (1.0 - span * (1.0 - share)),
                off * span * slope,
                off * span * slope * (1.0 - 2.0 * share),
            )
        rho = float(np.tanh(free))
        slope, bend = 1.0 - rho**2, -2.0 * rho * (1.0 - rho**2)
        apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n))).astype(float)
        by_rho = np.where(apart > 0, apart * rho ** np.maximum(apart - 1.0, 0.0), 0.0)
        by_rho_twice = np.where(apart > 1, apart * (apart - 1.0) * rho ** np.maximum(apart - 2.0, 0.0), 0.0)
        return rho**apart, by_rho * slope, by_rho_twice * slope**2 + by_rho * bend


def symmetric_units(n: int) -> Floats:
    """Return a basis of the symmetric (n, n) matrices: one unit for each place of the lower triangle."""
    rows, columns = np.tril_indices(n)
    basis = np.zeros((len(rows), n, n))
    place = np.arange(len(rows))
    basis[place, rows, columns] = basis[place, columns, rows] = 1.0
    return basis
