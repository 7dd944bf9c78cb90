"""Schoenfeld residuals and the effect along time against R's survival and splines (case b10)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.schoenfeld import schoenfeld_residuals, smoothed_effect
from tests.reference_cases import data, expected

CASE = expected("b10_time_varying")
FRAME = data("b2_survival_alpha")
MODEL = (FRAME["time"].to_numpy(), FRAME["status"].to_numpy(), FRAME[["arm", "age"]].to_numpy())
# The coefficients themselves agree to 1e-7, and scaled residuals are tens of times larger.
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def test_residuals_are_those_of_survival():
    found, wanted = schoenfeld_residuals(*MODEL), CASE["schoenfeld"]
    assert found.time.tolist() == wanted["time"]
    # Who of two people with the event on one day comes first is of no account.
    order = np.lexsort((found.raw[:, 1], found.time))
    raw, scaled = np.array(wanted["raw"]), np.array(wanted["scaled"])
    theirs = np.lexsort((raw[:, 1], found.time))
    assert_allclose(found.raw[order], raw[theirs], **CLOSE)
    assert_allclose(found.scaled[order], scaled[theirs], **CLOSE)


def test_the_curve_is_that_of_a_natural_spline_in_r():
    wanted = CASE["smoothed"]
    found = smoothed_effect(schoenfeld_residuals(*MODEL), wanted["time"])
    assert_allclose(found.coef, wanted["coef"], **CLOSE)
    assert_allclose(found.std_error, wanted["se"], **CLOSE)


def test_raw_residuals_add_up_to_nothing_within_the_fit():
    found = schoenfeld_residuals(*MODEL, strata=FRAME["site"])
    assert_allclose(found.raw.sum(axis=0), 0, atol=1e-6)
    assert (np.diff(found.time) >= 0).all()
    assert_allclose(found.scaled.mean(axis=0), found.coef, atol=1e-6)


def test_with_two_degrees_of_freedom_the_curve_is_least_squares_on_time():
    found = schoenfeld_residuals(*MODEL)
    slope, start = np.polyfit(found.time, found.scaled[:, 0], 1)
    assert_allclose(
        smoothed_effect(found, [50, 600], df=2).coef, start + slope * np.array([50, 600]), rtol=1e-8
    )


def test_refusals():
    with pytest.raises(AnalysisError, match="Residuals cannot be had"):
        schoenfeld_residuals([2, 3, 5, 7], [1, 1, 0, 0], [1, 1, 0, 0])
    found = schoenfeld_residuals([3, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0])
    with pytest.raises(AnalysisError, match="Events fell on 5 days, too few for a curve of df=5"):
        smoothed_effect(found, [5], df=5)
    with pytest.raises(AnalysisError, match="1 of 2 entries outside 3 to 11"):
        smoothed_effect(found, [5, 12])
