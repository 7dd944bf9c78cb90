"""Adaptive Gauss-Hermite quadrature of counts with a normal intercept per person, overdispersed or Poisson.

Given its intercept b, each count of a person has mean exp(offset + x'beta + b) and variance
mu + alpha mu^2. The integrand exp(h(b)) of a person, with h the sum of these log-likelihoods less
b^2 / (2 sd^2), is summed at K nodes placed around its own mode and scaled by its own curvature (Liu & Pierce
1994; Pinheiro & Bates 1995, section 2.4); K = 1 is the Laplace approximation. h is concave. Parameters are
theta = (beta, log sd, log alpha) throughout, without the last where alpha is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.amounts.negative_binomial import Terms, terms
from ipseval.stats.repeated.quadrature import standard_nodes
from ipseval.stats.repeated.sufficient_cells import identical_rows

Floats = NDArray[np.float64]

#: Rows at once: at 25 points an array of a block takes 0.8 MB, which stays in cache.
_BLOCK_ROWS = 4096
#: With this standard deviation the middle 95% of people differ by a factor of e^39.
LARGEST_SD = 10.0

_ITERATIONS = 100
_HALVINGS = 30
# Newton stops when its next step is below 1e-8 of a standard error; the decrement is that step, squared.
_DECREMENT = 1e-16
_FOR_LOUIS = 9
_MODE_ITERATIONS = 200
_MODE_TOLERANCE = 1e-13
_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class PeopleBlock:
    """People with the same number of counts, alike ones once and counted in ``frequency``.

    ``X`` has the shape (people, rows, columns), ``offset`` and ``y`` (people, rows).
    """

    X: Floats
    offset: Floats
    y: Floats
    frequency: Floats


def people_blocks(y: Floats, X: Floats, offset: Floats, person: NDArray[np.intp]) -> tuple[PeopleBlock, ...]:
    """Return the people in blocks; those with the same rows in the same order are one, counted."""
    order = np.argsort(person, kind="stable")
    sizes = np.bincount(person)
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = np.column_stack([X, offset, y])[order]
    blocks: list[PeopleBlock] = []
    for size in np.unique(sizes[sizes > 0]).tolist():
        of_people = rows[start[sizes == size, None] + np.arange(size)]
        alike = identical_rows(of_people.reshape(len(of_people), -1))
        frequency = np.bincount(alike)
        distinct = of_people[np.unique(alike, return_index=True)[1]]
        at_once = max(1, _BLOCK_ROWS // size)
        for first in range(0, len(distinct), at_once):
            part = distinct[first : first + at_once]
            counted = frequency[first : first + at_once].astype(np.float64)
            blocks.append(PeopleBlock(part[..., :-2].copy(), part[..., -2], part[..., -1], counted))
    return tuple(blocks)


@dataclass(frozen=True)
class CountLikelihood:
    """Log-likelihood with all constants at some theta, and its gradient; ``modes`` are for a warm start."""

    value: float
    gradient: Floats
    modes: tuple[Floats, ...]
    nodes: tuple[_Nodes, ...]

    @property
    def curvature(self) -> Floats:
        """The Hessian of the integral by Louis' formula, which the K-point sum has but for its error."""
        return np.asarray(np.sum([nodes.curvature for nodes in self.nodes], axis=0))


def count_likelihood(
    theta: Floats,
    blocks: tuple[PeopleBlock, ...],
    points: int,
    modes: tuple[Floats, ...] | None = None,
) -> CountLikelihood:
    """Return the log-likelihood at theta, with the exact gradient of its K-point sum, moving nodes included.

    Parameters
    ----------
    theta : (columns + 2,) or (columns + 1,) array
        Coefficients, log sd, and log alpha; without it the counts are Poisson.
    blocks : tuple of PeopleBlock
    points : int
    modes : tuple of arrays, optional
        ``modes`` of a nearby theta, from which the search for each person's mode starts.
    """
    starts = [np.zeros(len(block.y)) for block in blocks] if modes is None else modes
    at = [_at_mode(theta, block, start) for block, start in zip(blocks, starts, strict=True)]
    nodes = [_at_nodes(theta, block, mode, points) for block, mode in zip(blocks, at, strict=True)]
    return CountLikelihood(
        value=sum(float(part.block.frequency @ part.log_integral) for part in nodes),
        gradient=np.sum(
            [part.block.frequency @ part.slopes(mode) for part, mode in zip(nodes, at, strict=True)], axis=0
        ),
        modes=tuple(mode.b for mode in at),
        nodes=tuple(nodes),
    )


def hessian(theta: Floats, blocks: tuple[PeopleBlock, ...], points: int, modes: tuple[Floats, ...]) -> Floats:
    """Return the Hessian of the K-point sum, by central differences of its exact gradient."""

    def gradient(at: Floats) -> Floats:
        return count_likelihood(at, blocks, points, modes).gradient

    steps = _DIFFERENCE * np.eye(theta.size)
    rows = np.array([gradient(theta + step) - gradient(theta - step) for step in steps])
    rows /= 2.0 * _DIFFERENCE
    return np.asarray((rows + rows.T) / 2.0)


def _parts(theta: Floats, block: PeopleBlock) -> tuple[Floats, float, float]:
    """Return the linear predictor at b = 0, the precision of the intercepts, and alpha."""
    columns = block.X.shape[2]
    alpha = float(np.exp(theta[columns + 1])) if theta.size > columns + 1 else 0.0
    linear: Floats = block.offset + block.X @ theta[:columns]
    return linear, float(np.exp(-2.0 * theta[columns])), alpha


def _by_parameter(block: PeopleBlock, of_rows: Floats, by_log_sd: Floats, by_alpha: Floats | None) -> Floats:
    """Return derivatives by (beta, log sd, log alpha), the first from those by each row's predictor."""
    by_beta = np.matmul(of_rows[:, None, :], block.X)[:, 0, :]
    return np.column_stack([by_beta, by_log_sd, *([] if by_alpha is None else [by_alpha.sum(axis=1)])])


@dataclass(frozen=True)
class _Mode:
    """Where each person's integrand peaks, its scale, and how both move with theta, (people, parameters)."""

    b: Floats
    scale: Floats
    b_1: Floats
    log_scale_1: Floats


def _at_mode(theta: Floats, block: PeopleBlock, start: Floats) -> _Mode:
    linear, precision, alpha = _parts(theta, block)
    b = _modes(linear, precision, alpha, block.y, start)
    here, mean = terms(linear + b[:, None], alpha, block.y), np.exp(linear + b[:, None])
    shrunk = 1.0 + alpha * mean
    third = here.twice_linear * (1.0 - alpha * mean) / shrunk
    twice_by_alpha = -alpha * mean * (block.y - 2.0 * mean - alpha * mean * block.y) / shrunk**3
    k = precision - here.twice_linear.sum(axis=1)
    free = theta.size > block.X.shape[2] + 1
    b_1 = _by_parameter(block, here.twice_linear, 2.0 * precision * b, here.mixed if free else None)
    b_1 /= k[:, None]
    constant = np.full_like(b, 2.0 * precision)
    k_1 = -_by_parameter(block, third, constant, twice_by_alpha if free else None)
    k_1 -= third.sum(axis=1)[:, None] * b_1
    return _Mode(b, k**-0.5, b_1, -k_1 / (2.0 * k[:, None]))


def _modes(linear: Floats, precision: float, alpha: float, y: Floats, start: Floats) -> Floats:
    """Return the b at which each person's integrand peaks, by Newton's method.

    The curvature of h changes by less than a factor e when b moves by 1, hence a Newton step cut at 1
    always brings the slope nearer to zero: no line search is needed.
    """
    b = start
    for _ in range(_MODE_ITERATIONS):
        mean = np.exp(linear + b[:, None])
        shrunk = 1.0 + alpha * mean
        slope = ((y - mean) / shrunk).sum(axis=1) - precision * b
        curvature = (mean * (1.0 + alpha * y) / shrunk**2).sum(axis=1) + precision
        step = np.clip(slope / curvature, -1.0, 1.0)
        b = b + step
        if np.abs(step).max() < _MODE_TOLERANCE * (1.0 + np.abs(b).max()):
            break
    return b


@dataclass(frozen=True)
class _Nodes:
    """Each person's nodes: position ``b``, their share of the integral, and the slope of h there.

    ``direct`` (people, points, parameters) is that slope by theta at fixed b, ``by_b`` by b itself.
    """

    block: PeopleBlock
    z: Floats
    b: Floats
    share: Floats
    log_integral: Floats
    direct: Floats
    by_b: Floats
    at: Terms
    precision: float

    def slopes(self, mode: _Mode) -> Floats:
        """Return each person's gradient: directly through theta, and because the nodes move."""
        first = self.share * self.by_b
        moved = first.sum(axis=1)[:, None] * mode.b_1
        stretched = ((first @ self.z) * mode.scale + 1.0)[:, None] * mode.log_scale_1
        gradient: Floats = self._mean() + moved + stretched
        return gradient

    def _mean(self) -> Floats:
        mean: Floats = np.matmul(self.share[:, None, :], self.direct)[:, 0, :]
        return mean

    @property
    def curvature(self) -> Floats:
        """The sum over people of the Hessian: the mean of h's, plus the spread of its slope (Louis 1982)."""
        block = self.block
        weight = block.frequency[:, None] * self.share
        centred = self.direct - self._mean()[:, None, :]
        size, columns = centred.shape[2], block.X.shape[2]
        spread = (centred * weight[:, :, None]).reshape(-1, size).T @ centred.reshape(-1, size)
        X = block.X.reshape(-1, columns)

        def over_nodes(values: Floats) -> Floats:
            total: Floats = np.matmul(values, weight[:, :, None])[..., 0].ravel()
            return total

        spread[:columns, :columns] += (X.T * over_nodes(self.at.twice_linear)) @ X
        spread[columns, columns] -= 2.0 * self.precision * float((weight * self.b**2).sum())
        if size > columns + 1:
            mixed = X.T @ over_nodes(self.at.mixed)
            spread[:columns, -1] += mixed
            spread[-1, :columns] += mixed
            spread[-1, -1] += over_nodes(self.at.twice_alpha).sum()
        return spread


def _at_nodes(theta: Floats, block: PeopleBlock, mode: _Mode, points: int) -> _Nodes:
    linear, precision, alpha = _parts(theta, block)
    columns = block.X.shape[2]
    z, log_weight = standard_nodes(points)
    b = mode.b[:, None] + mode.scale[:, None] * z
    at = terms(linear[:, :, None] + b[:, None, :], alpha, block.y[:, :, None])
    exponent = at.value.sum(axis=1) - 0.5 * precision * b**2 + log_weight
    peak = exponent.max(axis=1, keepdims=True)
    share = np.exp(exponent - peak)
    mass = share.sum(axis=1, keepdims=True)
    log_integral = peak[:, 0] + np.log(mass[:, 0] * mode.scale) - theta[columns] - 0.5 * np.log(2.0 * np.pi)
    by_beta = np.matmul(block.X.swapaxes(1, 2), at.by_linear).swapaxes(1, 2)
    direct = [by_beta, (precision * b**2 - 1.0)[:, :, None]]
    if theta.size > columns + 1:
        direct.append(at.by_alpha.sum(axis=1)[:, :, None])
    return _Nodes(
        block=block,
        z=z,
        b=b,
        share=share / mass,
        log_integral=log_integral,
        direct=np.concatenate(direct, axis=2),
        by_b=at.by_linear.sum(axis=1) - precision * b,
        at=at,
        precision=precision,
    )


@dataclass(frozen=True)
class CountPath:
    """Where Newton's method ended; ``stopped`` is empty at a maximum, else says what ended it."""

    theta: Floats
    here: CountLikelihood
    iterations: int
    stopped: str = ""


def maximise(theta: Floats, blocks: tuple[PeopleBlock, ...], points: int, least: Floats) -> CountPath:
    """Climb to the maximum; stop where log sd or log alpha falls below ``least``, or sd is beyond bounds."""
    columns = blocks[0].X.shape[2]
    here = count_likelihood(theta, blocks, points)
    for iteration in range(1, _ITERATIONS + 1):
        # With a few points the sum is not yet the integral, of which Louis' formula is the curvature.
        bent = here.curvature if points >= _FOR_LOUIS else hessian(theta, blocks, points, here.modes)
        step, decrement, is_concave = _ascent(here.gradient, bent, columns)
        if is_concave and decrement < _DECREMENT:
            return CountPath(theta, here, iteration)
        below = theta[columns:] < least[: theta.size - columns]
        if below.any():
            return CountPath(theta, here, iteration, ("sd", "alpha")[int(np.argmax(below))])
        if theta[columns] > np.log(LARGEST_SD) and step[columns] > 0.0:
            return CountPath(theta, here, iteration, "unbounded")
        for _ in range(_HALVINGS):
            there = count_likelihood(theta + step, blocks, points, here.modes)
            if there.value >= here.value - 1e-12 * abs(here.value):
                break
            step = step / 2.0
        else:
            break
        theta, here = theta + step, there
    return CountPath(theta, here, iteration, "steps")


def _ascent(gradient: Floats, curvature: Floats, columns: int) -> tuple[Floats, float, bool]:
    """Return a step uphill, its Newton decrement, and whether the log-likelihood is concave here.

    Where it is not, the absolute values of the eigenvalues still point uphill. Steps in log sd and log alpha
    are at most 1.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(curvature)), np.finfo(float).tiny))
    eigenvalue, vector = np.linalg.eigh(-curvature * np.outer(scale, scale))
    along = vector.T @ (scale * gradient)
    size = np.maximum(np.abs(eigenvalue), 1e-10)
    step = scale * (vector @ (along / size))
    longest = max(1.0, float(np.abs(step[columns:]).max()))
    return step / longest, float(along @ (along / size)), bool(eigenvalue[0] > 1e-12)
