"""Risk tables by brute force, and the checks that every survival kernel shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.risk_sets import codes, risk_table, strata_rows, time_grid

people = st.tuples(st.integers(-5, 20), st.integers(1, 30), st.integers(0, 2), st.integers(0, 3))
samples = st.lists(people, min_size=1, max_size=40).filter(lambda rows: any(row[3] for row in rows))


@pytest.mark.parametrize("unit", [1, 1.0, 1 / 7, 1e7])
@given(rows=samples)
def test_counts_are_those_of_looking_at_every_person_at_every_time(unit, rows):
    entry, stay, state, times = (np.array(column) for column in zip(*rows, strict=True))
    exit_ = np.maximum(entry + stay, 0)
    entry = np.minimum(entry, exit_ - 1)
    table = risk_table(exit_ * unit, state, 3, entry=entry * unit, frequency=times)
    counted = times > 0
    assert table.time.tolist() == np.unique(exit_[counted] * unit).tolist()
    for place, time in enumerate(table.time):
        here = exit_ * unit == time
        assert table.n_risk[place] == times[(entry * unit < time) & (exit_ * unit >= time)].sum()
        assert table.leaving[:, place].tolist() == [times[here & (state == s)].sum() for s in range(3)]


def test_whole_days_are_counted_and_all_else_is_sorted():
    grid, place = time_grid(np.array([3.0, 0.0, 3.0]))
    assert (grid.tolist(), place.tolist()) == ([0, 1, 2, 3], [3, 0, 3])
    grid, place = time_grid(np.array([3.5, 0.0, 3.5]))
    assert (grid.tolist(), place.tolist()) == ([0, 3.5], [1, 0, 1])
    grid, place = time_grid(np.array([3, 10**9, 3]))  # a histogram of a milliard cells would be folly
    assert (grid.tolist(), place.tolist()) == ([3, 1e9], [0, 1, 0])


@pytest.mark.parametrize(
    "labels",
    [["b", "a", "b"], [5, 2, 5], [-1, -3, -1], [True, False, True], [0.5, 0.1, 0.5], [9999, 7, 9999]],
)
def test_codes_are_places_among_the_sorted_labels(labels):
    levels, place = codes(labels, "group")
    assert place.tolist() == [1, 0, 1]
    assert levels[place].tolist() == labels


def test_strata_hold_every_row_once():
    rows = strata_rows(["S2", "S1", "S2", "S3"], 4)
    assert [part.tolist() for part in rows] == [[1], [0, 2], [3]]
    assert np.arange(4)[strata_rows(None, 4)[0]].tolist() == [0, 1, 2, 3]


@given(samples)
def test_a_frequency_may_be_a_fraction(rows):
    _, exit_, state, times = (np.array(column) for column in zip(*rows, strict=True))
    whole, tenth = (risk_table(exit_, state, 3, frequency=f) for f in (times, times / 10))
    assert_allclose(tenth.n_risk, whole.n_risk / 10, rtol=1e-12)


def test_a_missing_label_is_refused():
    with pytest.raises(AnalysisError, match="strata has missing labels"):
        codes(np.array(["S1", None], dtype=object), "strata")
