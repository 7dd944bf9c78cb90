"""Clustered yes-or-no rows as rectangles: a person's rows side by side, alike people counted.

With random effects that enter through 1 and a time t, the log-likelihood of a person is linear in
(sum(y x), sum(y), sum(y t)) and depends otherwise on the rows of covariates alone. So people with the same
rows, the same two totals and the same site are one cell; sum(y x) is kept once, for everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.repeated.sufficient_cells import identical_rows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PaddedGroups:
    """Cells of people who are alike, padded to the same number of rows.

    Attributes
    ----------
    X : (cells, rows, columns) array
        Covariates; zero where padded.
    seen : (cells, rows) array
        1 for a row, 0 for padding.
    time : (cells, rows) array
        Zero where padded.
    totals : (cells, 2) array
        Sum of y and sum of y times time, of one person.
    site : (cells,) array of int
    frequency : (cells,) array
        People in the cell.
    score : (columns,) array
        Sum of y x over all rows.
    """

    X: Floats
    seen: Floats
    time: Floats
    totals: Floats
    site: Integers
    frequency: Floats
    score: Floats

    def chunks(self, most: int) -> Iterator[tuple[slice, PaddedGroups]]:
        """Yield the cells in pieces of at most ``most`` (or one), with the places they come from."""
        for start in range(0, len(self.frequency), max(1, most)):
            here = slice(start, start + max(1, most))
            yield (
                here,
                replace(
                    self,
                    X=self.X[here],
                    seen=self.seen[here],
                    time=self.time[here],
                    totals=self.totals[here],
                    site=self.site[here],
                    frequency=self.frequency[here],
                ),
            )


def padded_groups(y: Floats, X: Floats, group: Integers, time: Floats, site: Integers) -> PaddedGroups:
    """Return the cells of clustered rows.

    Parameters
    ----------
    y, time : (rows,) arrays
    X : (rows, columns) array
    group, site : (rows,) arrays of int
        Codes 0, 1, ...; a group has one site.
    """
    order = np.lexsort((identical_rows(X), time, group))  # the order of a person's rows is irrelevant
    y, X, group, time, site = y[order], X[order], group[order], time[order], site[order]
    size = np.bincount(group)
    start = np.cumsum(size) - size
    seen = np.arange(size.max()) < size[:, None]
    row = np.where(seen, start[:, None] + np.arange(size.max()), 0)
    padded_X, padded_time = X[row] * seen[:, :, None], time[row] * seen
    totals = np.c_[np.bincount(group, y), (y[row] * padded_time).sum(axis=1)]
    everything = np.c_[padded_X.reshape(size.size, -1), padded_time, seen, totals, site[start]]
    _, first, frequency = np.unique(identical_rows(everything), return_index=True, return_counts=True)
    return PaddedGroups(
        X=padded_X[first],
        seen=seen[first].astype(np.float64),
        time=padded_time[first],
        totals=totals[first],
        site=site[start][first],
        frequency=frequency.astype(np.float64),
        score=X.T @ y,
    )
