"""The design matrix: its columns, its counterfactual rows, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.regression.covariates import arm_design, outcomes


def test_columns_and_counterfactual_rows():
    got = arm_design([1, 0, 0, 1, 0], [3.0, 1, 2, 5, 4], interaction=True)
    assert got.names == ("intercept", "arm", "covariate 0", "arm x covariate 0")
    assert got.observed.tolist() == [[1, 1, 3, 0], [1, 0, 1, 0], [1, 0, 2, 0], [1, 1, 5, 2], [1, 0, 4, 0]]
    assert got.active[:, 1].tolist() == [1] * 5 and got.active[:, 3] == approx(got.active[:, 2] - 3)
    assert not got.reference[:, [1, 3]].any()
    assert got.in_active.tolist() == [True, False, False, True, False]


def test_a_year_of_birth_is_neither_constant_nor_collinear():
    year = 1980 + np.arange(12) % 5
    assert arm_design(np.arange(12) % 2, year, interaction=True).observed.shape == (12, 4)


@pytest.mark.parametrize(
    ("arm", "covariates", "words"),
    [
        ([0, 0, 0], None, "arm has 0 of 3 people in the active arm"),
        ([[0, 1]], None, "arm has 1 of 2 people"),
        ([0, 1, np.nan], None, "arm is missing or not finite for 1 of 3"),
        ([0, 1, 0, 1], [[[1]]] * 4, "covariates has 3 dimensions"),
        ([0, 1, 0, 1], [0.1] * 4, "column 0 of 1"),
        ([0, 1, 0, 1, 0, 1], np.eye(6)[:, [0, 0]], "Collinear: covariate 1 "),
        ([0, 1, 0, 1, 0, 1], [1, np.inf, 1, 2, 1, 2], "0: 1; of 6"),
        ([0, 1, 1], [1, 2, 4], "3 coefficients cannot be estimated from 3 people"),
    ],
)
def test_refusals(arm, covariates, words):
    with pytest.raises(AnalysisError, match=words):
        arm_design(arm, covariates)


def test_outcomes_are_one_per_person():
    with pytest.raises(AnalysisError, match="y has 2 dimensions"):
        outcomes([[1, 2]], np.array([True, False]))
