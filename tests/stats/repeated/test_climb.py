"""The climb to a maximum: known summits, ridges, and functions without any."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.testing import assert_allclose

from ipseval.stats.repeated.climb import climb


class Here(NamedTuple):
    """Value and gradient."""

    value: float
    gradient: np.ndarray


def test_the_summit_of_a_quadratic_and_its_covariance():
    draw = np.random.default_rng(1)
    root = draw.normal(size=(4, 4))
    curvature, top = root @ root.T + np.eye(4), draw.normal(size=4)

    def quadratic(theta, near):
        away = theta - top
        return Here(3.0 - 0.5 * away @ curvature @ away, -curvature @ away)

    found = climb(quadratic, np.zeros(4), 0.1 * np.eye(4))
    assert found.converged and found.value == 3.0
    assert_allclose(found.theta, top, atol=1e-8)
    assert_allclose(found.covariance, np.linalg.inv(curvature), rtol=1e-6)


def test_a_curved_valley_is_followed_to_its_end():
    def rosenbrock(theta, near):
        x, y = theta
        value = -((1.0 - x) ** 2) - 100.0 * (y - x**2) ** 2
        return Here(value, np.array([2.0 * (1.0 - x) + 400.0 * x * (y - x**2), -200.0 * (y - x**2)]))

    found = climb(rosenbrock, np.array([-1.2, 1.0]), np.eye(2))
    assert found.converged
    assert_allclose(found.theta, [1.0, 1.0], atol=1e-7)
    # Minus the Hessian at (1, 1) is [[802, -400], [-400, 200]]; differences of 1e-4 leave 1e-4 of it.
    assert_allclose(found.covariance, np.linalg.inv([[802.0, -400.0], [-400.0, 200.0]]), rtol=1e-3)


def test_a_direction_that_nothing_depends_on_has_no_part_in_the_covariance():
    def ridge(theta, near):
        return Here(-0.5 * theta[0] ** 2, np.array([-theta[0], 0.0]))

    found = climb(ridge, np.array([3.0, 5.0]), np.eye(2))
    assert found.converged
    assert_allclose(found.covariance, [[1.0, 0.0], [0.0, 0.0]], atol=1e-8)


def test_what_rises_for_ever_has_no_summit():
    def slope(theta, near):
        return Here(float(theta[0] - np.exp(-theta[0])), np.array([1.0 + np.exp(-theta[0])]))

    assert not climb(slope, np.zeros(1), np.eye(1)).converged


def test_what_was_evaluated_before_is_handed_on():
    seen = []

    def parabola(theta, near):
        seen.append(near)
        return Here(-0.5 * float(theta @ theta), -theta)

    found = climb(parabola, np.ones(1), np.eye(1))
    assert seen[0] is None and all(isinstance(near, Here) for near in seen[1:])
    assert found.evaluations == len(seen)
