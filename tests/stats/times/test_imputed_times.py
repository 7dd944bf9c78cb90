"""Interval-censored times made into days: the place of the day, and what an answer owes to it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.imputed_times import event_time_sensitivity, imputed_event_time
from ipseval.stats.times.restricted_mean import restricted_mean


def test_imputation_runs_from_the_left_end_to_the_right():
    left, right = np.array([0, 180, 360]), np.array([180, 360, np.nan])
    for fraction, days in [(0, [0, 180, 360]), (0.25, [45, 225, 360]), (1, [180, 360, 360])]:
        duration, event = imputed_event_time(left, right, fraction=fraction)
        assert duration.tolist() == days
        assert event.tolist() == [True, True, False]


def test_sensitivity_is_the_statistic_at_each_place():
    rng = np.random.default_rng(9)
    left = 180.0 * rng.integers(0, 5, 60)
    right = np.where(rng.random(60) < 0.3, np.nan, left + 180)

    def mean(duration, event):
        return restricted_mean(duration, event, [360, 540]).estimate

    found = event_time_sensitivity(mean, left, right, fractions=[0, 0.5, 1])
    assert found.shape == (3, 2)
    assert (np.diff(found, axis=0) > 0).all()
    assert_allclose(found[2], mean(*imputed_event_time(left, right, fraction=1)))


def test_a_place_outside_the_interval_is_refused():
    with pytest.raises(AnalysisError, match="fraction=2 is not between 0"):
        imputed_event_time([0], [1], fraction=2)
