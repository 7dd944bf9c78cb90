"""Adaptive Gauss-Hermite quadrature over a random intercept and slope, with the exact gradient.

A person's log-odds at time t are x'beta + b0 + b1 t, with (b0, b1) = L u, u standard normal in the plane, and
L = [[l1, 0], [l2, l3]]. Parameters are theta = (beta, l1, l2, l3): unbounded, and smooth where a variance is
zero. For each cell the integrand exp(h(u)), with

    h(u) = (sum(y), sum(y t)) L u - sum(log(1 + exp(x'beta + (1, t) L u))) - u'u / 2,

is summed at the K x K nodes u = mode + C z, where C C' is the inverse of the curvature at the mode (the
product rule of Pinheiro & Bates 1995, section 2.4). The nodes move with theta, and the gradient is that of
the sum itself, moving nodes included: K = 1 is the Laplace approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ipseval.stats.repeated.padded_groups import PaddedGroups
from ipseval.stats.repeated.quadrature import standard_nodes

Floats = NDArray[np.float64]

# Numbers in one array at once: 0.8 MB stay in cache.
CHUNK = 100_000
_MODE_ITERATIONS = 200
_MODE_TOLERANCE = 1e-12
# The parameters of L, and which of (u1, u2) and of (1, t) each of them joins.
_JOINS = ((0, 0), (0, 1), (1, 1))


@dataclass(frozen=True)
class Slope:
    """Log-likelihood and gradient at theta, and the modes for a warm start."""

    value: float
    gradient: Floats
    modes: Floats


def random_slope_likelihood(
    theta: Floats, cells: PaddedGroups, points: int, modes: Floats | None = None
) -> Slope:
    """Return the log-likelihood and its gradient by theta = (beta, l1, l2, l3).

    Parameters
    ----------
    theta : (columns + 3,) array
    cells : PaddedGroups
    points : int
        Quadrature points in each of the two dimensions.
    modes : (cells, 2) array, optional
        Of a nearby theta, from which the search for each cell's mode starts.
    """
    size = cells.X.shape[2]
    value, gradient = float(theta[:size] @ cells.score), np.r_[cells.score, np.zeros(3)]
    start = np.zeros((len(cells.frequency), 2)) if modes is None else modes
    found = np.empty_like(start)
    for here, block in cells.chunks(CHUNK // (cells.seen.shape[1] * points**2)):
        found[here] = _modes(theta, block, start[here])
        part, slope = _block(theta, block, found[here], points)
        value, gradient = value + part, gradient + slope
    return Slope(value, gradient, found)


def expit_and_softplus(t: Floats) -> tuple[Floats, Floats]:
    """Return 1 / (1 + exp(-t)) and log(1 + exp(t)); exp overflows beyond 700, where the latter is t."""
    odds = np.exp(np.minimum(t, 700.0))
    rest = odds + 1.0
    odds /= rest
    np.log(rest, out=rest)
    return odds, np.maximum(rest, t, out=rest)


def _loadings(theta: Floats, block: PaddedGroups) -> tuple[Floats, Floats]:
    """Return what a unit of u adds to the log-odds of each row, and to h by way of the totals."""
    l1, l2, l3 = theta[-3:]
    by_u = np.stack([l1 + l2 * block.time, l3 * block.time], axis=2)
    return by_u, block.totals @ np.array([[l1, 0.0], [l2, l3]])


def _modes(theta: Floats, block: PaddedGroups, start: Floats) -> Floats:
    """Return the u at which each cell's integrand peaks, by Newton's method.

    No curvature of a row changes by more than a factor e while its log-odds move by 1; steps are cut there.
    """
    by_u, totals = _loadings(theta, block)
    linear, u = block.X @ theta[:-3], start
    for _ in range(_MODE_ITERATIONS):
        p = block.seen * expit(linear + (by_u @ u[:, :, None])[:, :, 0])
        slope = totals - (p[:, None, :] @ by_u)[:, 0] - u
        curvature = np.eye(2) + (by_u * (p * (1.0 - p))[:, :, None]).swapaxes(1, 2) @ by_u
        step = np.linalg.solve(curvature, slope[:, :, None])
        moved = np.abs(by_u @ step).max(axis=(1, 2))
        step = step[:, :, 0] / np.maximum(1.0, moved)[:, None]
        u = u + step
        if np.abs(step).max() < _MODE_TOLERANCE * (1.0 + np.abs(u).max()):
            break
    return u


@dataclass(frozen=True)
class _Peak:
    """A block at its modes: C with log determinant, and how mode, C and it move with theta."""

    C: Floats  # (cells, 2, 2)
    log_det: Floats
    u_1: Floats  # (cells, 2, parameters)
    C_1: Floats  # (cells, 2, 2, parameters)
    log_det_1: Floats


def _at_peak(theta: Floats, block: PaddedGroups, u: Floats) -> _Peak:
    by_u, _ = _loadings(theta, block)
    p = expit(block.X @ theta[:-3] + (by_u @ u[:, :, None])[:, :, 0])
    variance = block.seen * p * (1.0 - p)
    third = variance * (1.0 - 2.0 * p)

    z_rows = np.stack([block.seen, block.time], axis=2)
    eta_1 = np.concatenate(
        [block.X, *((z_rows[:, :, at] * u[:, None, by])[:, :, None] for by, at in _JOINS)], axis=2
    )
    by_u_1 = np.zeros((*by_u.shape, theta.size))
    slope_1 = -np.einsum("cr,cra,crk->cak", variance, by_u, eta_1)
    residual = block.totals - np.einsum("cr,cra->ca", block.seen * p, z_rows)
    for place, (by, at) in enumerate(_JOINS, start=theta.size - 3):
        by_u_1[:, :, by, place] = z_rows[:, :, at]
        slope_1[:, by, place] += residual[:, at]

    curvature = np.eye(2) + np.einsum("cr,cra,crb->cab", variance, by_u, by_u)
    C = np.linalg.inv(np.linalg.cholesky(curvature)).swapaxes(1, 2)
    u_1 = C @ (C.swapaxes(1, 2) @ slope_1)
    eta_1 = eta_1 + by_u @ u_1
    both = np.einsum("cr,crak,crb->cabk", variance, by_u_1, by_u)
    curvature_1 = np.einsum("cr,cra,crb,crk->cabk", third, by_u, by_u, eta_1) + both + both.swapaxes(1, 2)
    # With curvature = R'R and C the inverse of R, C_1 = -C U, where U + U' = C' curvature_1 C, U upper.
    inner = np.einsum("cab,cadk,cde->cbek", C, curvature_1, C)
    upper = np.array([[0.5, 1.0], [0.0, 0.5]])[:, :, None] * inner
    return _Peak(
        C=C,
        log_det=np.log(C[:, 0, 0] * C[:, 1, 1]),
        u_1=u_1,
        C_1=-np.einsum("cab,cbek->caek", C, upper),
        log_det_1=-0.5 * (inner[:, 0, 0] + inner[:, 1, 1]),
    )


def _plane_nodes(points: int) -> tuple[Floats, Floats]:
    """Return the nodes of the product rule, (2, nodes), and their log weights."""
    z, log_weight = standard_nodes(points)
    grid = np.stack([np.repeat(z, points), np.tile(z, points)])
    return grid, (log_weight[:, None] + log_weight).reshape(-1)


def _block(theta: Floats, block: PaddedGroups, mode: Floats, points: int) -> tuple[float, Floats]:
    """Return one block's part of the log-likelihood (but for what is linear in beta) and of its gradient."""
    z, log_weight = _plane_nodes(points)
    at = _at_peak(theta, block, mode)
    by_u, totals = _loadings(theta, block)

    # u is (cells, 2, nodes), log-odds (cells, rows, nodes), h and share (cells, nodes).
    u = mode[:, :, None] + at.C @ z
    log_odds = (block.X @ theta[:-3])[:, :, None] + by_u @ u
    probability, log_sum = expit_and_softplus(log_odds)
    h = (totals[:, None, :] @ u)[:, 0] - (block.seen[:, None, :] @ log_sum)[:, 0]
    h -= 0.5 * (u**2).sum(axis=1)
    exponent = h + log_weight
    peak = exponent.max(axis=1, keepdims=True)
    share = np.exp(exponent - peak)
    mass = share.sum(axis=1, keepdims=True)
    share /= mass
    log_integral = (peak + np.log(mass))[:, 0] + at.log_det - np.log(2.0 * np.pi)

    # Posterior means of p, p u and p z by row, and of u and u z.
    carried = np.concatenate([np.ones_like(u[:, :1]), u, np.broadcast_to(z, u.shape)], axis=1)
    weighted = share[:, None, :] * carried
    p = block.seen[:, :, None] * (probability @ weighted.swapaxes(1, 2))
    u_mean, u_z = weighted[:, 1:3].sum(axis=2), u @ weighted[:, 3:].swapaxes(1, 2)
    slope_mean = totals - (p[:, :, None, 0] * by_u).sum(axis=1) - u_mean
    slope_z = totals[:, :, None] * weighted[:, None, 3:].sum(axis=3) - by_u.swapaxes(1, 2) @ p[:, :, 3:] - u_z

    direct = np.concatenate(
        [-(p[:, None, :, 0] @ block.X)[:, 0], _by_loadings(block, p[:, :, 1:3], u_mean)], axis=1
    )
    moving = np.einsum("ca,cak->ck", slope_mean, at.u_1) + np.einsum("cab,cabk->ck", slope_z, at.C_1)
    gradient = block.frequency @ (direct + moving + at.log_det_1)
    return float(block.frequency @ log_integral), gradient


def _by_loadings(block: PaddedGroups, p_u: Floats, u_mean: Floats) -> Floats:
    """Return the posterior means of the derivatives of h by l1, l2 and l3 at fixed u."""
    rows = (np.ones_like(block.time), block.time)
    return np.stack(
        [block.totals[:, at] * u_mean[:, by] - (rows[at] * p_u[:, :, by]).sum(axis=1) for by, at in _JOINS],
        axis=1,
    )
