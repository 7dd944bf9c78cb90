"""Roots of many decreasing functions, with and without their slopes."""

from __future__ import annotations

import numpy as np
import pytest

from ipseval.stats.roots import decreasing_root, decreasing_root_by_slope

ROOTS = np.array([-2.0, 0.5, 3.0, 7.0])


def falling(x):
    return np.arctan(ROOTS - x)


def test_roots_are_found_and_ends_stand_where_nothing_crosses():
    assert decreasing_root(falling, np.full(4, -10.0), np.full(4, 10.0)) == pytest.approx(ROOTS, abs=1e-13)
    assert decreasing_root(falling, np.full(4, 0.0), np.full(4, 5.0)).tolist()[::3] == [0.0, 5.0]


@pytest.mark.parametrize("guess", [-12.0, -5.0, -2.0, 0.4, 2.9, 9.0, np.nan])
def test_with_the_slope_no_guess_loses_the_root(guess):
    """From afar a step along the slope of an arc tangent overshoots further and further."""

    def with_slope(x):
        return falling(x), -1 / (1 + (ROOTS - x) ** 2)

    ends = np.full(4, -10.0), np.full(4, 10.0)
    assert decreasing_root_by_slope(with_slope, guess, *ends) == pytest.approx(ROOTS, abs=1e-13)


def test_with_the_slope_infinite_values_halve_and_a_bracket_without_width_is_its_root():
    def steep(x):
        with np.errstate(over="ignore"):
            falls, rises = np.exp(300 - 3 * x), np.exp(3 * x + 294)
            return falls - rises, -3 * (falls + rises)

    low, high = np.array([-400.0, 5.0]), np.array([400.0, 5.0])
    assert decreasing_root_by_slope(steep, np.nan, low, high) == pytest.approx([1.0, 5.0], abs=1e-12)
