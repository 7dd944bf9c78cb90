"""Adaptive Gauss-Hermite quadrature over people within sites, with the exact gradient.

A person's log-odds are x'beta + sigma u + tau v, with u of the person and v of the site standard normal.
Parameters are theta = (beta, sigma, tau): unbounded, and smooth where a variance is zero. The integral of a
site is over v, of a product of integrals over each u:

- the nodes of v stand around the joint mode of the site and its people, scaled by the joint curvature with
  the people's u profiled out;
- at each of them the nodes of a u stand around its own mode given v, scaled by the curvature there
  (Rabe-Hesketh, Skrondal & Pickles 2005).

With K = 1 that is the Laplace approximation of the joint integral. The nodes move with theta, and the
gradient is that of the sum itself, moving nodes included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ipseval.stats.repeated.padded_groups import PaddedGroups
from ipseval.stats.repeated.plane_quadrature import CHUNK, expit_and_softplus
from ipseval.stats.repeated.quadrature import standard_nodes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MODE_ITERATIONS = 200
_MODE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Nested:
    """Log-likelihood and gradient at theta, and the modes of cells and sites for a warm start."""

    value: float
    gradient: Floats
    modes: tuple[Floats, Floats]


def nested_likelihood(
    theta: Floats, cells: PaddedGroups, points: int, modes: tuple[Floats, Floats] | None = None
) -> Nested:
    """Return the log-likelihood and its gradient by theta = (beta, sigma, tau).

    Parameters
    ----------
    theta : (columns + 2,) array
    cells : PaddedGroups
        With a site each.
    points : int
        Quadrature points for a person, and for a site.
    modes : pair of arrays, optional
        Of a nearby theta, from which the search for the modes starts.
    """
    n_sites = int(cells.site.max()) + 1
    start = (np.zeros(len(cells.frequency)), np.zeros(n_sites)) if modes is None else modes
    u, v = _modes(theta, cells, *start)
    top = _at_summit(theta, cells, u, v)
    z, log_weight = standard_nodes(points)
    nodes = v[:, None] + top.scale[:, None] * z
    people = _SitesAtNodes.empty(n_sites, points, theta.size)
    for here, block in cells.chunks(CHUNK // (cells.seen.shape[1] * points**2)):
        people.add(block, *_people(theta, block, nodes[block.site], u[here], points))

    exponent = people.value - 0.5 * nodes**2 + log_weight
    peak = exponent.max(axis=1, keepdims=True)
    share = np.exp(exponent - peak)
    mass = share.sum(axis=1, keepdims=True)
    share /= mass
    log_integral = (peak + np.log(mass))[:, 0] + np.log(top.scale) - 0.5 * np.log(2.0 * np.pi)

    # The slope of the exponent at each node: directly through theta, and because the node moves.
    tau, by_shift = theta[-1], people.slope[:, :, -1]
    direct = people.slope.copy()
    direct[:, :, -1] *= nodes
    node_1 = top.v_1[:, None, :] + (top.scale[:, None] * z)[:, :, None] * top.log_scale_1[:, None, :]
    slope = direct + (tau * by_shift - nodes)[:, :, None] * node_1
    gradient = ((share[:, :, None] * slope).sum(axis=1) + top.log_scale_1).sum(axis=0)
    gradient[:-2] += cells.score
    return Nested(float(theta[:-2] @ cells.score + log_integral.sum()), gradient, (u, v))


def _by_site(site: Integers, values: Floats, n_sites: int) -> Floats:
    """Sum rows of values by site."""
    made = np.zeros((n_sites, *values.shape[1:]))
    np.add.at(made, site, values)
    return made


def _modes(theta: Floats, cells: PaddedGroups, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Return the joint mode of people and sites, by Newton's method, with people profiled out of each step.

    No curvature changes by more than a factor e while log-odds move by 1; steps are cut there.
    """
    (sigma, tau), site, n_sites = theta[-2:], cells.site, len(v)
    linear, total, f = cells.X @ theta[:-2], cells.totals[:, 0], cells.frequency
    for _ in range(_MODE_ITERATIONS):
        p = cells.seen * expit(linear + (sigma * u + tau * v[site])[:, None])
        residual, variance = total - p.sum(axis=1), (p * (1.0 - p) * cells.seen).sum(axis=1)
        k = 1.0 + sigma**2 * variance
        joint = f * sigma * tau * variance / k
        slope_u = sigma * residual - u
        slope_v = _by_site(site, f * tau * residual - joint * slope_u, n_sites) - v
        step_v = slope_v / (1.0 + tau**2 * _by_site(site, f * variance / k, n_sites))
        step_u = (slope_u - sigma * tau * variance * step_v[site]) / k
        moved = np.ones(n_sites)
        np.maximum.at(moved, site, np.abs(sigma * step_u + tau * step_v[site]))
        step_u, step_v = step_u / moved[site], step_v / moved
        u, v = u + step_u, v + step_v
        if max(np.abs(step_u).max(), np.abs(step_v).max()) < _MODE_TOLERANCE * (1.0 + np.abs(u).max()):
            break
    return u, v


@dataclass(frozen=True)
class _Summit:
    """Sites at their joint modes: the scale of v, and how mode and scale move with theta."""

    scale: Floats  # (sites,)
    v_1: Floats  # (sites, parameters)
    log_scale_1: Floats


def _at_summit(theta: Floats, cells: PaddedGroups, u: Floats, v: Floats) -> _Summit:
    (sigma, tau), site, n_sites = theta[-2:], cells.site, len(v)
    f = cells.frequency[:, None]
    p = expit(cells.X @ theta[:-2] + (sigma * u + tau * v[site])[:, None])
    variance = cells.seen * p * (1.0 - p)
    third = variance * (1.0 - 2.0 * p)
    residual = (cells.totals[:, 0] - (cells.seen * p).sum(axis=1))[:, None]
    total = variance.sum(axis=1)[:, None]
    k = 1.0 + sigma**2 * total
    together = _by_site(site, f * total / k, n_sites)
    kappa = 1.0 + tau**2 * together

    log_odds_1 = np.concatenate(
        [cells.X, *(np.broadcast_to(a[:, None, None], (*p.shape, 1)) for a in (u, v[site]))], axis=2
    )
    of_sigma, of_tau = np.eye(theta.size)[-2], np.eye(theta.size)[-1]
    seen_1 = np.einsum("cr,crk->ck", variance, log_odds_1)
    slope_u_1 = residual * of_sigma - sigma * seen_1
    slope_v_1 = residual * of_tau - tau * seen_1 - sigma * tau * total / k * slope_u_1
    v_1 = _by_site(site, f * slope_v_1, n_sites) / kappa
    u_1 = (slope_u_1 - sigma * tau * total * v_1[site]) / k

    moved = log_odds_1 + (sigma * u_1 + tau * v_1[site])[:, None, :]
    total_1 = np.einsum("cr,crk->ck", third, moved)
    profiled_1 = (total_1 - 2.0 * sigma * total**2 * of_sigma) / k**2
    kappa_1 = tau**2 * _by_site(site, f * profiled_1, n_sites) + 2.0 * tau * together * of_tau
    return _Summit(kappa[:, 0] ** -0.5, v_1, -0.5 * kappa_1 / kappa)


@dataclass
class _SitesAtNodes:
    """Sums over the people of a site at each of its nodes: log integrals, and their slopes.

    ``slope`` is by beta, sigma and a shift of the log-odds of the whole site.
    """

    value: Floats  # (sites, nodes)
    slope: Floats  # (sites, nodes, parameters)

    @classmethod
    def empty(cls, n_sites: int, points: int, n_parameters: int) -> _SitesAtNodes:
        return cls(np.zeros((n_sites, points)), np.zeros((n_sites, points, n_parameters)))

    def add(self, block: PaddedGroups, value: Floats, slope: Floats) -> None:
        f = block.frequency[:, None]
        np.add.at(self.value, block.site, f * value)
        np.add.at(self.slope, block.site, f[:, :, None] * slope)


def _modes_given_site(sigma: float, linear: Floats, block: PaddedGroups, start: Floats) -> Floats:
    """Return the modes of each cell's u at each node of its site, (cells, nodes)."""
    u = np.repeat(start[:, None], linear.shape[1], axis=1)
    seen, total = block.seen[:, None, :], block.totals[:, :1]
    for _ in range(_MODE_ITERATIONS):
        p = seen * expit(linear + sigma * u[:, :, None])
        slope = sigma * (total - p.sum(axis=2)) - u
        curvature = 1.0 + sigma**2 * (p * (1.0 - p)).sum(axis=2)
        most = 1.0 / max(abs(sigma), 1e-300)
        step = np.clip(slope / curvature, -most, most)
        u = u + step
        if np.abs(step).max() < _MODE_TOLERANCE * (1.0 + np.abs(u).max()):
            break
    return u


def _people(
    theta: Floats, block: PaddedGroups, v: Floats, start: Floats, points: int
) -> tuple[Floats, Floats]:
    """Return the log integral of each cell at its site's nodes, (cells, nodes), and its slopes."""
    sigma, tau = theta[-2:]
    z, log_weight = standard_nodes(points)
    linear = (block.X @ theta[:-2])[:, None, :] + tau * v[:, :, None]
    mode = _modes_given_site(sigma, linear, block, start)
    total = block.totals[:, :1]

    # At the modes: (cells, nodes), with rows or parameters behind.
    p = expit(linear + sigma * mode[:, :, None])
    variance = block.seen[:, None, :] * p * (1.0 - p)
    third = variance * (1.0 - 2.0 * p)
    all_variance = variance.sum(axis=2)
    k = 1.0 + sigma**2 * all_variance
    scale = k**-0.5
    log_odds_1 = _by_parameter(block.X, variance, mode)
    mode_1 = -sigma * log_odds_1
    mode_1[:, :, -2] += total - (block.seen[:, None, :] * p).sum(axis=2)
    mode_1 /= k[:, :, None]
    k_1 = sigma**2 * (_by_parameter(block.X, third, mode) + sigma * third.sum(axis=2)[:, :, None] * mode_1)
    k_1[:, :, -2] += 2.0 * sigma * all_variance
    log_scale_1 = -0.5 * k_1 / k[:, :, None]

    # At the nodes: (cells, nodes of the site, nodes), with rows before the last.
    u = mode[:, :, None] + scale[:, :, None] * z
    q, log_sum = expit_and_softplus(linear[:, :, :, None] + sigma * u[:, :, None, :])
    seen = block.seen[:, None, None, :]
    expected = (seen @ q)[:, :, 0]
    h = total[:, :, None] * (tau * v[:, :, None] + sigma * u) - (seen @ log_sum)[:, :, 0] - 0.5 * u**2
    exponent = h + log_weight
    peak = exponent.max(axis=2, keepdims=True)
    share = np.exp(exponent - peak)
    mass = share.sum(axis=2, keepdims=True)
    share /= mass
    value = (peak + np.log(mass))[:, :, 0] + np.log(scale) - 0.5 * np.log(2.0 * np.pi)

    h_u = sigma * (total[:, :, None] - expected) - u
    direct = np.empty_like(mode_1)
    mean_q = block.seen[:, None, :] * (q @ share[:, :, :, None])[:, :, :, 0]
    direct[:, :, :-2] = -(mean_q @ block.X)
    direct[:, :, -2] = (share * u * (total[:, :, None] - expected)).sum(axis=2)
    direct[:, :, -1] = total - mean_q.sum(axis=2)
    on_mode, on_scale = (share * h_u).sum(axis=2), (share * h_u * z).sum(axis=2) * scale
    return value, direct + on_mode[:, :, None] * mode_1 + (1.0 + on_scale)[:, :, None] * log_scale_1


def _by_parameter(X: Floats, weight: Floats, mode: Floats) -> Floats:
    """Return the weighted sums over rows of what beta, sigma and a shift add to the log-odds at the mode."""
    together = weight.sum(axis=2)
    return np.concatenate([weight @ X, (together * mode)[:, :, None], together[:, :, None]], axis=2)
