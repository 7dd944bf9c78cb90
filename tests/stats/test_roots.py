"""Roots of many decreasing functions, with and without a guess."""

from __future__ import annotations

import numpy as np
import pytest

from ipseval.stats.roots import decreasing_root, narrowed

ROOTS = np.array([-2.0, 0.5, 3.0, 7.0])


def falling(x):
    return np.arctan(ROOTS - x)


def test_roots_are_found_and_ends_stand_where_nothing_crosses():
    assert decreasing_root(falling, np.full(4, -10.0), np.full(4, 10.0)) == pytest.approx(ROOTS, abs=1e-13)
    assert decreasing_root(falling, np.full(4, 0.0), np.full(4, 5.0)).tolist()[::3] == [0.0, 5.0]


@pytest.mark.parametrize("middle", [-5.0, -2.0, 0.4, 2.9, 9.0, np.nan])
def test_a_guess_narrows_the_bracket_and_never_loses_the_root(middle):
    inner, outer = (np.full(4, middle - 0.2), np.full(4, middle + 0.2)), (np.full(4, -10.0), np.full(4, 10.0))
    low, high = narrowed(falling, inner, outer)
    assert (low <= ROOTS).all()
    assert (high >= ROOTS).all()
    assert (high - low <= 20).all()
    if not np.isnan(middle):
        assert (high - low < 20).all()
    assert decreasing_root(falling, low, high) == pytest.approx(ROOTS, abs=1e-13)
