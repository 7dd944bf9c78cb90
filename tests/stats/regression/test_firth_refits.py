"""Many penalised fits at once against one at a time, which other tests pin to R."""

from __future__ import annotations

import numpy as np
import pytest

from ipseval.stats.regression.firth import firth_fit
from ipseval.stats.regression.firth_refits import firth_coefficients


def test_case_weights_are_repeated_people() -> None:
    rng = np.random.default_rng(3)
    arm = np.arange(40) % 2
    X = np.column_stack([np.ones(40), arm, rng.normal(size=40)])
    y = np.where(arm == 1, rng.random(40) < 0.5, False).astype(float)  # separated
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=4).astype(float)
    got = firth_coefficients(weights, y, X)
    for row, coefficients in zip(weights.astype(int), got, strict=True):
        people = np.repeat(np.arange(40), row)
        # Two iterations to the same maximum, the one ended by its steps in the linear predictor.
        assert coefficients == pytest.approx(firth_fit(y[people], X[people]).coefficients, abs=1e-7)


def test_a_column_of_nobody_drawn_keeps_no_coefficient_and_a_collinear_one_has_no_fit() -> None:
    y, arm = np.array([1.0, 0, 1, 0, 1, 0, 0, 0]), np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    level = np.array([0.0, 0, 0, 0, 0, 0, 0, 1])
    X = np.column_stack([np.ones(8), arm, level])
    without = np.array([[1.0, 1, 1, 1, 1, 1, 1, 0]])
    got = firth_coefficients(without, y, X)[0]
    assert got[2] == 0
    assert got[:2] == pytest.approx(firth_fit(y[:7], X[:7, :2]).coefficients, abs=1e-7)
    twice = np.column_stack([X, 1 - arm])
    assert np.isnan(firth_coefficients(np.ones((1, 8)), y, twice)).all()
