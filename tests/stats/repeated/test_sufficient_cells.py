"""Sufficient cells: what is merged, what is not, and that nothing is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.stats.regression.links import CLOGLOG
from ipseval.stats.repeated import sufficient_cells as module
from ipseval.stats.repeated.sufficient_cells import sufficient_cells

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=40)


def cells_of(listed, **options):
    """Rows given as (group, covariate, y)."""
    group, x, y = (np.array(column) for column in zip(*listed, strict=True))
    code = np.unique(group, return_inverse=True)[1]
    X = np.c_[np.ones(x.size), x]
    return sufficient_cells(y.astype(float), np.ones(y.size), X, code, np.ones(code.max() + 1), **options)


def by_hand(listed):
    """Count groups by (sorted covariates, total of y), the slow way."""
    counts = {}
    for group in {row[0] for row in listed}:
        mine = [row for row in listed if row[0] == group]
        key = (tuple(sorted(row[1] for row in mine)), sum(row[2] for row in mine))
        counts[key] = counts.get(key, 0) + 1
    return counts


def as_counts(cells):
    """The same from cells, with merged rows unfolded."""
    counts = {}
    for block in cells.blocks:
        for X, trials, total, frequency in zip(
            block.X, block.trials, block.successes, block.frequency, strict=True
        ):
            covariates = np.repeat(X[:, 1], trials.astype(int))
            counts[tuple(sorted(covariates.astype(int).tolist())), int(total)] = int(frequency)
    return counts


@given(rows)
def test_cells_are_the_distinct_sets_of_rows_and_totals(listed):
    assert as_counts(cells_of(listed)) == by_hand(listed)


@given(rows)
def test_totals_survive(listed):
    for cells in (cells_of(listed), cells_of(listed, collapse=False)):
        assert cells.n_observations == len(listed)
        assert cells.n_groups == sum(block.frequency.sum() for block in cells.blocks)
        assert_allclose(cells.score, [sum(r[2] for r in listed), sum(r[1] * r[2] for r in listed)])
        assert cells.distinct.trials.sum() == len(listed)
        assert len(cells.distinct.X) == len({row[1] for row in listed})


@given(rows)
def test_by_outcome_the_cells_are_the_distinct_sets_of_rows_with_their_outcomes(listed):
    counts = {}
    for group in {row[0] for row in listed}:
        key = tuple(sorted(row[1:] for row in listed if row[0] == group))
        counts[key] = counts.get(key, 0) + 1
    cells = cells_of(listed, link=CLOGLOG)
    found = {}
    for block in cells.blocks:
        for X, trials, outcome, frequency in zip(
            block.X, block.trials, block.outcome, block.frequency, strict=True
        ):
            each = [(int(x), int(y)) for x, y in zip(X[:, 1], outcome, strict=True)]
            key = tuple(sorted(row for row, m in zip(each, trials, strict=True) for _ in range(int(m))))
            found[key] = int(frequency)
        assert not block.successes.any()
    assert found == counts
    assert (cells.n_observations, cells.n_groups) == (len(listed), len({row[0] for row in listed}))
    assert not cells.score.any()


def test_colliding_codes_are_noticed_and_nothing_is_merged_wrongly(monkeypatch):
    # With a code that is the same for every row, only the comparison of the rows themselves is left.
    monkeypatch.setattr(module, "_folded_bits", lambda values: np.zeros(values.shape, dtype=np.uint64))
    listed = [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    cells = cells_of(listed)
    assert cells.n_cells == 3
    assert len(cells.distinct.X) == 3


def test_blocks_cut_between_cells(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_ROWS", 4)
    listed = [(group, visit, int(visit < group % 3)) for group in range(6) for visit in range(1 + group % 3)]
    cells = cells_of(listed)
    assert len(cells.blocks) > 1
    assert as_counts(cells) == by_hand(listed)


def test_minus_zero_is_zero():
    X = np.array([[1.0, 0.0], [1.0, -0.0]])
    cells = sufficient_cells(np.array([1.0, 0.0]), np.ones(2), X, np.array([0, 1]), np.ones(2))
    assert len(cells.distinct.X) == 1
