"""Restricted and full maximum likelihood for Gaussian outcomes in independent blocks.

A block holds the outcomes of one person (or site): y ~ N(X b, V(theta)). People with the same visits and
the same covariance share one matrix, and enter only through their sums of cross-products, so that the time
of a fit hardly depends on their number. Likelihood, gradient, expected and observed information are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.covariance_structures import Matrices

Floats = NDArray[np.float64]

_LOG_2PI = float(np.log(2.0 * np.pi))
_MOST_STEPS = 100
#: A predicted gain of deviance below which nothing that is printed can move.
_SMALL_GAIN = 1e-13


@dataclass(frozen=True)
class Regression:
    """Outcomes and design of a linear model, taken apart by least squares.

    Attributes
    ----------
    design : (rows, p) array
    ordinary : (p,) array
        Coefficients by least squares.
    residual : (rows,) array
        What a model of the covariance works on: sums of squares of y itself would lose digits.
    """

    design: Floats
    ordinary: Floats
    residual: Floats

    @property
    def rows(self) -> Floats:
        """The design and the residual side by side, as blocks hold them."""
        return np.column_stack([self.design, self.residual])


def regression(y: ArrayLike, X: ArrayLike) -> Regression:
    """Return outcomes and design, or refuse what no linear model can be fitted to."""
    values, design = checks.float_array(y, "y"), checks.float_array(X, "X")
    if design.ndim != 2:
        raise AnalysisError(f"X has {design.ndim} dimensions, not 2. Pass one row per outcome.")
    checks.same_length(y=values, X=design)
    n, p = design.shape
    if n <= p:
        raise AnalysisError(f"{n} outcomes cannot bear {p} coefficients. Use fewer.")
    rank = int(np.linalg.matrix_rank(design))
    if rank < p:
        raise AnalysisError(f"{p - rank} of {p} columns of X follow from others. Leave them out.")
    ordinary = np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)
    residual = values - design @ ordinary
    if float(np.abs(residual).max()) <= 1e-12 * float(np.abs(values).max()):
        raise AnalysisError("X explains every outcome exactly. There is no variance left to model.")
    return Regression(design, ordinary, residual)


@dataclass(frozen=True)
class Block:
    """People whose outcomes have one covariance matrix.

    Attributes
    ----------
    rows : (n, t, p + 1) array
        For n people with t outcomes each: the p columns of the design, then the outcome.
    covariance : callable
        From all parameters to the matrix of these t outcomes, with derivatives in ``parameters``.
    parameters : slice
        Which of all parameters the matrix depends on.
    """

    rows: Floats
    covariance: Callable[[Floats], Matrices]
    parameters: slice
    _products: Floats | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        n, t, width = self.rows.shape
        if n > t:  # sums of cross-products are smaller than the rows themselves
            flat = self.rows.reshape(n, -1)
            products = (flat.T @ flat).reshape(t, width, t, width).transpose(0, 2, 1, 3)
            object.__setattr__(self, "_products", products.reshape(t * t, width * width))

    def quadratic(self, matrices: Floats) -> Floats:
        """Return the sum over people of rows' M rows, for a (..., t, t) stack of matrices."""
        _, t, width = self.rows.shape
        stack = matrices.shape[:-2]
        if self._products is not None:
            return (matrices.reshape(*stack, t * t) @ self._products).reshape(*stack, width, width)
        total = np.zeros((*stack, width, width))
        for person in self.rows:
            total += person.T @ matrices @ person
        return total


@dataclass(frozen=True)
class Moments:
    """Everything that likelihood, derivatives and degrees of freedom are made of, at one theta.

    With c standing for the columns of the design and the outcome together, sums over all people of

    ``zero`` c' V^-1 c, ``one[j]`` c' V^-1 V_j V^-1 c, ``two[i, j]`` c' V^-1 V_i V^-1 V_j V^-1 c,
    ``bend[i, j]`` c' V^-1 V_ij V^-1 c, and of the traces of V^-1 V_j, V^-1 V_i V^-1 V_j and V^-1 V_ij.
    """

    n_rows: int
    log_determinant: float
    zero: Floats
    one: Floats
    two: Floats
    bend: Floats
    trace_one: Floats
    trace_two: Floats
    trace_bend: Floats

    @property
    def covariance(self) -> Floats:
        """Covariance of the coefficients, with theta taken as known."""
        return np.asarray(np.linalg.inv(self.zero[:-1, :-1]), dtype=np.float64)

    @property
    def coefficients(self) -> Floats:
        """Generalised least squares."""
        return np.asarray(np.linalg.solve(self.zero[:-1, :-1], self.zero[:-1, -1]), dtype=np.float64)


def moments(theta: Floats, blocks: Sequence[Block]) -> Moments:
    """Return the sums over all blocks.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where a covariance matrix is not positive definite.
    """
    k, width = len(theta), blocks[0].rows.shape[2]
    total = Moments(
        sum(block.rows.shape[0] * block.rows.shape[1] for block in blocks),
        0.0,
        np.zeros((width, width)),
        np.zeros((k, width, width)),
        np.zeros((k, k, width, width)),
        np.zeros((k, k, width, width)),
        np.zeros(k),
        np.zeros((k, k)),
        np.zeros((k, k)),
    )
    log_determinant = 0.0
    for block in blocks:
        own, n = block.parameters, block.rows.shape[0]
        matrices = block.covariance(theta)
        factor = np.linalg.cholesky(matrices.value)
        log_determinant += 2.0 * n * float(np.log(np.diag(factor)).sum())
        inverse = np.asarray(np.linalg.inv(matrices.value), dtype=np.float64)
        left = inverse @ matrices.first  # V^-1 V_j
        one = left @ inverse
        two = left[:, None] @ one[None]
        np.add(total.zero, block.quadratic(inverse), out=total.zero)
        total.one[own] += block.quadratic(one)
        total.two[own, own] += block.quadratic(two)
        total.trace_one[own] += n * np.trace(left, axis1=1, axis2=2)
        total.trace_two[own, own] += n * np.einsum("iab,jba->ij", left, left)
        if matrices.second is not None:
            total.bend[own, own] += block.quadratic(inverse @ matrices.second @ inverse)
            total.trace_bend[own, own] += n * np.einsum("ab,ijba->ij", inverse, matrices.second)
    return Moments(
        total.n_rows,
        log_determinant,
        *(
            getattr(total, name)
            for name in ("zero", "one", "two", "bend", "trace_one", "trace_two", "trace_bend")
        ),
    )


@dataclass(frozen=True)
class Derivatives:
    """Minus twice the log-likelihood at one theta, with its gradient and information (of theta).

    Attributes
    ----------
    deviance : float
    gradient : (k,) array
    expected, observed : (k, k) arrays
        Information of theta: half the expected, and half the actual, second derivatives of the deviance.
    """

    deviance: float
    gradient: Floats
    expected: Floats
    observed: Floats


def derivatives(here: Moments, *, reml: bool) -> Derivatives:
    """Return the profile deviance, the coefficients maximised out (ML) or integrated out (REML)."""
    phi, beta = here.covariance, here.coefficients
    c = np.append(-beta, 1.0)  # c' (.) c takes the residual on both sides
    p = len(beta)
    slopes = -here.one[:, :-1, :-1]  # d (X' V^-1 X) / d theta_j
    residual = here.one[:, :-1, :] @ c  # X' V^-1 V_j V^-1 r
    gradient = here.trace_one - c @ here.one @ c
    expected = here.trace_two.copy()
    actual = (
        2.0 * (c @ here.two @ c - residual @ phi @ residual.T)
        - c @ here.bend @ c
        + here.trace_bend
        - here.trace_two
    )
    deviance = here.log_determinant + float(c @ here.zero @ c)
    n_rows = here.n_rows
    if reml:
        weighted = phi @ slopes
        gradient = gradient + np.trace(weighted, axis1=1, axis2=2)
        of_two = np.einsum("ab,ijba->ij", phi, here.two[:, :, :-1, :-1])
        product = np.einsum("iab,jba->ij", weighted, weighted)
        expected = expected - 2.0 * of_two + product
        actual = actual + 2.0 * of_two - product - np.einsum("ab,ijba->ij", phi, here.bend[:, :, :-1, :-1])
        deviance += float(np.linalg.slogdet(here.zero[:-1, :-1])[1])
        n_rows -= p
    return Derivatives(
        deviance + n_rows * _LOG_2PI,
        gradient,
        expected / 2.0,
        (actual + actual.T) / 4.0,
    )


@dataclass(frozen=True)
class Path:
    """Where an optimiser ended: parameters, how many steps it took, and the gain it still foresaw."""

    theta: Floats
    steps: int
    gain: float

    @property
    def converged(self) -> bool:
        """Whether no step could lower the deviance by an amount that matters."""
        return bool(self.gain < 1e-8)


def fisher_scoring(
    free: Floats,
    blocks: Sequence[Block],
    natural: Callable[[Floats], tuple[Floats, Floats]],
    *,
    reml: bool,
) -> Path:
    """Minimise the deviance from a start, by scoring with Levenberg's damping.

    Parameters
    ----------
    free : (k,) array
        Where to begin, in numbers without bounds.
    natural : callable
        From those to theta, with the (k, k) derivatives.
    """

    def at(place: Floats) -> tuple[Floats, Floats, Derivatives] | None:
        try:
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                theta, jacobian = natural(place)
                return theta, jacobian, derivatives(moments(theta, blocks), reml=reml)
        except (np.linalg.LinAlgError, FloatingPointError):
            return None

    found, damping, gain = at(free), 1e-8, np.inf
    if found is None:
        return Path(natural(free)[0], 0, np.inf)
    steps = 0
    while steps < _MOST_STEPS and damping < 1e12:
        steps += 1
        _, jacobian, here = found
        gradient = jacobian.T @ here.gradient / 2.0
        information = jacobian.T @ here.expected @ jacobian
        size = np.maximum(np.diag(information), 1e-12 * np.diag(information).max())
        move = -np.linalg.solve(information + damping * np.diag(size), gradient)
        with np.errstate(over="ignore", invalid="ignore"):
            gain = float(-gradient @ move)
        if gain < _SMALL_GAIN or not np.isfinite(gain):
            break
        tried = at(free + move)
        if tried is not None and tried[2].deviance <= here.deviance + 1e-11 * abs(here.deviance):
            free, found, damping = free + move, tried, max(damping / 10.0, 1e-12)
        else:
            damping = max(damping * 10.0, 1e-4)
    return Path(found[0], steps, gain)
