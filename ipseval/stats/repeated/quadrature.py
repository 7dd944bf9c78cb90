"""Adaptive Gauss-Hermite quadrature of the likelihood of a random intercept, with exact derivatives.

For each cell the integrand exp(h(b)), with

    h(b) = b sum(y) - sum(m a(x'beta + b)) - b^2 / (2 sd^2)

and a the loss of `ipseval.stats.regression.links`, log(1 + exp(t)) under the logit, is summed at K nodes
placed around its own mode and scaled by its own curvature (Liu & Pierce 1994; Pinheiro & Bates 1995, section
2.4). The nodes move with the parameters. The gradient and Hessian below are those of the K-point sum itself,
moving nodes included, so that Newton's method finds its exact maximum for every K; K = 1 is the Laplace
approximation. Parameters are theta = (beta, log sd) throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.regression.links import Link
from ipseval.stats.repeated.sufficient_cells import CellBlock, Cells

Floats = NDArray[np.float64]

# With this standard deviation at least two thirds of people have a probability below 1% or above 99%: if the
# likelihood still rises there, the data do not bound it, and quadrature no longer follows the integrand.
LARGEST_SD = 10.0

_ITERATIONS = 100
_HALVINGS = 30
# Newton stops when its next step is below 1e-8 of a standard error; the decrement is that step, squared.
_DECREMENT = 1e-16
_MODE_ITERATIONS = 200
_MODE_TOLERANCE = 1e-13


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood, gradient and Hessian at theta = (beta, log sd), and the modes for a warm start."""

    value: float
    gradient: Floats
    hessian: Floats
    modes: tuple[Floats, ...]


@lru_cache(maxsize=16)
def standard_nodes(points: int) -> tuple[Floats, Floats]:
    """Return nodes z and log weights such that the integral of f is about sum(exp(log weight) f(z)).

    The rule is exact for f = polynomial of degree 2 `points` - 1 times exp(-z^2 / 2).
    """
    x, weight = np.polynomial.hermite.hermgauss(points)
    z, log_weight = np.sqrt(2.0) * x, np.log(np.sqrt(2.0) * weight) + x**2
    z.flags.writeable = log_weight.flags.writeable = False
    return z, log_weight


def random_intercept_likelihood(
    theta: Floats, cells: Cells, points: int, modes: tuple[Floats, ...] | None = None
) -> Likelihood:
    """Return the log-likelihood (with all constants), its gradient and Hessian.

    Parameters
    ----------
    theta : (columns + 1,) array
        Coefficients on the scale of the link, then the log of the standard deviation of the intercepts.
    cells : Cells
    points : int
        Quadrature points per cell.
    modes : tuple of arrays, optional
        ``modes`` of a nearby theta, from which the search for each cell's mode starts.
    """
    beta, size = theta[:-1], theta.size
    value, gradient, hessian = (
        cells.constant + beta @ cells.score,
        np.r_[cells.score, 0.0],
        np.zeros((size, size)),
    )
    found = []
    for i, block in enumerate(cells.blocks):
        start = np.zeros(block.successes.size) if modes is None else modes[i]
        mode = _modes(theta, block, start, cells.link)
        part, slope, curvature = _block(theta, block, mode, points, cells.link)
        value, gradient, hessian = value + part, gradient + slope, hessian + curvature
        found.append(mode)
    return Likelihood(float(value), gradient, hessian, tuple(found))


def _sums(weighted: Floats, block: CellBlock) -> tuple[Floats, Floats]:
    """Sum x times what belongs to a row, and that itself: the derivatives by beta and by b."""
    return np.matmul(weighted[:, None, :], block.X)[:, 0, :], weighted.sum(axis=1)


def _modes(theta: Floats, block: CellBlock, start: Floats, link: Link) -> Floats:
    """Return the b at which each cell's integrand peaks, by Newton's method.

    h' falls in b. A step is cut at 1, and at half of that each time it has gone past the peak: between two
    such steps the peak is nearer than the cut, however fast the curvature changes.
    """
    linear, precision = block.X @ theta[:-1], np.exp(-2.0 * theta[-1])
    b, before, longest = start, np.zeros_like(start), np.ones_like(start)
    for _ in range(_MODE_ITERATIONS):
        first, second = link.slopes(linear + b[:, None], block.outcome)
        slope = block.successes - np.einsum("ij,ij->i", block.trials, first) - precision * b
        curvature = np.einsum("ij,ij->i", block.trials, second) + precision
        longest[slope * before < 0.0] *= 0.5
        step = np.minimum(np.maximum(slope / curvature, -longest), longest)
        b, before = b + step, slope
        if np.abs(step).max() < _MODE_TOLERANCE * (1.0 + np.abs(b).max()):
            break
    return b


@dataclass(frozen=True)
class _Mode:
    """A block at its modes: position b, scale s, and how both move with theta.

    ``k`` is the curvature -h''(b), s = k^(-1/2), ``b_1`` = db / dtheta, ``log_s_1`` = d log s / dtheta, both
    (cells, parameters). ``a3`` and ``a4`` (cells, rows) are the third and fourth derivatives of
    m a(t), ``h3`` and ``h4`` (cells) those of h, and ``h3_1``, ``h4_1`` the derivatives of
    h'' and h''' with respect to theta at fixed b.
    """

    b: Floats
    k: Floats
    s: Floats
    b_1: Floats
    log_s_1: Floats
    a3: Floats
    a4: Floats
    h3: Floats
    h4: Floats
    h3_1: Floats
    h4_1: Floats


def _at_mode(linear: Floats, precision: float, block: CellBlock, b: Floats, link: Link) -> _Mode:
    curvatures = link.curvatures(linear + b[:, None], block.outcome)
    a2, a3, a4 = (block.trials * curvature for curvature in curvatures)
    (x2, sum2), (x3, sum3), (x4, sum4) = (_sums(weighted, block) for weighted in (a2, a3, a4))
    k = sum2 + precision
    h3_1 = _with_log_sd(-x3, np.full_like(b, 2.0 * precision))
    b_1 = _with_log_sd(-x2, 2.0 * precision * b) / k[:, None]
    return _Mode(
        b=b,
        k=k,
        s=k**-0.5,
        b_1=b_1,
        log_s_1=(h3_1 - sum3[:, None] * b_1) / (2.0 * k[:, None]),
        a3=a3,
        a4=a4,
        h3=-sum3,
        h4=-sum4,
        h3_1=h3_1,
        h4_1=_with_log_sd(-x4, np.zeros_like(b)),
    )


def _with_log_sd(by_beta: Floats, by_log_sd: Floats) -> Floats:
    """Append the derivative by log sd to those by beta, along the last axis."""
    return np.concatenate([by_beta, by_log_sd[..., None]], axis=-1)


def _block(
    theta: Floats, block: CellBlock, mode: Floats, points: int, link: Link
) -> tuple[float, Floats, Floats]:
    """Return one block's part of the log-likelihood, gradient and Hessian."""
    linear, log_sd = block.X @ theta[:-1], theta[-1]
    precision = float(np.exp(-2.0 * log_sd))
    z, log_weight = standard_nodes(points)
    at = _at_mode(linear, precision, block, mode, link)

    # b, h and its derivatives h1 and h2 at the nodes are (cells, points); losses (cells, rows, points).
    b = mode[:, None] + at.s[:, None] * z
    loss, first, second = link.loss(linear[:, :, None] + b[:, None, :], block.outcome[:, :, None])
    total, m = block.successes[:, None], block.trials[:, None, :]
    h = b * total - np.matmul(m, loss)[:, 0, :] - 0.5 * precision * b**2
    h1 = total - np.matmul(m, first)[:, 0, :] - precision * b
    h2 = -np.matmul(m, second)[:, 0, :] - precision

    exponent = h + log_weight
    peak = exponent.max(axis=1, keepdims=True)
    share = np.exp(exponent - peak)
    mass = share.sum(axis=1, keepdims=True)
    share = share / mass  # the weight of each node in the posterior of b
    log_integral = peak[:, 0] + np.log(mass[:, 0] * at.s) - log_sd - 0.5 * np.log(2.0 * np.pi)
    value = float(block.frequency @ log_integral)

    # The slope of the exponent at each node: directly through theta, and because the node moves.
    h_1 = -np.matmul((block.X * block.trials[:, :, None]).swapaxes(1, 2), first).swapaxes(1, 2)
    node_1 = at.b_1[:, None, :] + (at.s[:, None] * z)[:, :, None] * at.log_s_1[:, None, :]
    slope = _with_log_sd(h_1, precision * b**2) + h1[:, :, None] * node_1
    mean = np.matmul(share[:, None, :], slope)[:, 0, :]
    gradient = block.frequency @ (mean + at.log_s_1)
    gradient[-1] -= block.frequency.sum()

    centred = slope - mean[:, None, :]
    weighted = centred * (block.frequency[:, None] * share)[:, :, None]
    spread = weighted.reshape(-1, theta.size).T @ centred.reshape(-1, theta.size)
    return value, gradient, spread + _mean_curvature(block, at, precision, z, share, b, h1, h2, second)


def _mean_curvature(
    block: CellBlock,
    at: _Mode,
    precision: float,
    z: Floats,
    share: Floats,
    b: Floats,
    h1: Floats,
    h2: Floats,
    second_loss: Floats,
) -> Floats:
    """Return the Hessian of log s plus the posterior mean of the exponent's Hessian.

    With the second derivatives of mode and scale eliminated, what is left is X'WX, products of each cell's
    ``b_1`` and ``log_s_1`` with one vector each, and one number for the log standard deviation.
    """
    first = share * z * at.s[:, None]
    second = first * z * at.s[:, None]
    g0, g1 = (share * h1).sum(axis=1), (first * h1).sum(axis=1)
    n0, n1, n2 = ((moment * h2).sum(axis=1) for moment in (share, first, second))
    on_k = -(1.0 + g1) / (2.0 * at.k)  # what a unit of the Hessian of k adds
    on_b = (g0 - on_k * at.h3) / at.k  # what a unit of k times the Hessian of b adds

    moments = np.moveaxis(np.matmul(second_loss, np.stack([share, first], axis=2)), 2, 0)
    mean_loss, first_loss = block.trials * moments
    u0 = _with_log_sd(-_sums(mean_loss, block)[0], 2.0 * precision * (share * b).sum(axis=1))
    u1 = _with_log_sd(-_sums(first_loss, block)[0], 2.0 * precision * (first * b).sum(axis=1))
    p = on_b[:, None] * at.h3_1 - on_k[:, None] * at.h4_1 + u0
    p = p + (0.5 * (n0 + on_b * at.h3 - on_k * at.h4))[:, None] * at.b_1
    q = u1 + n1[:, None] * at.b_1 + (1.0 + 1.5 * g1 + 0.5 * n2)[:, None] * at.log_s_1
    frequency = block.frequency
    half = (p * frequency[:, None]).T @ at.b_1 + (q * frequency[:, None]).T @ at.log_s_1
    hessian: Floats = half + half.T

    rows = on_k[:, None] * at.a4 - on_b[:, None] * at.a3 - mean_loss
    X, weight = block.X.reshape(-1, block.X.shape[2]), (frequency[:, None] * rows).reshape(-1)
    hessian[:-1, :-1] += (X.T * weight) @ X
    b_square = (share * b**2).sum(axis=1)
    hessian[-1, -1] += frequency @ (2.0 * precision * (2.0 * on_k - 2.0 * on_b * at.b - b_square))
    return hessian


@dataclass(frozen=True)
class Path:
    """Where Newton's method ended: at a maximum, at the lowest sd, or (neither) nowhere."""

    theta: Floats
    here: Likelihood
    iterations: int
    converged: bool = False
    at_lowest_sd: bool = False

    @property
    def gradient_norm(self) -> float:
        return float(np.abs(self.here.gradient).max())


def maximise(
    theta: Floats, cells: Cells, points: int, *, lowest_sd: float, fixed: tuple[int, ...] = ()
) -> Path:
    """Climb to the maximum by Newton's method; give up where the sd leaves [lowest_sd, LARGEST_SD].

    Parameters whose places in theta are `fixed` stay where they are.
    """
    here = random_intercept_likelihood(theta, cells, points)
    for iteration in range(1, _ITERATIONS + 1):
        step, decrement, is_concave = _ascent(here, list(fixed))
        if is_concave and decrement < _DECREMENT:
            return Path(theta, here, iteration, converged=True)
        if theta[-1] < np.log(lowest_sd):
            return Path(theta, here, iteration, at_lowest_sd=True)
        if theta[-1] > np.log(LARGEST_SD) and step[-1] > 0.0:
            break
        for _ in range(_HALVINGS):
            there = random_intercept_likelihood(theta + step, cells, points, here.modes)
            if there.value >= here.value - 1e-12 * abs(here.value):
                break
            step = step / 2.0
        else:
            break
        theta, here = theta + step, there
    return Path(theta, here, iteration)


def _ascent(here: Likelihood, fixed: list[int]) -> tuple[Floats, float, bool]:
    """Return a step uphill, its Newton decrement, and whether the log-likelihood is concave here.

    Where it is not, the absolute values of the eigenvalues still point uphill. The step in log sd is at
    most 1.
    """
    gradient, hessian = here.gradient.copy(), here.hessian.copy()
    gradient[fixed], hessian[fixed], hessian[:, fixed] = 0.0, 0.0, 0.0
    hessian[fixed, fixed] = -1.0  # a step of 0, and no bearing on the others
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), np.finfo(float).tiny))
    eigenvalue, vector = np.linalg.eigh(-hessian * np.outer(scale, scale))
    along = vector.T @ (scale * gradient)
    size = np.maximum(np.abs(eigenvalue), 1e-10)
    step = scale * (vector @ (along / size))
    return step / max(1.0, abs(step[-1])), float(along @ (along / size)), bool(eigenvalue[0] > 1e-12)
