"""People with the same visits and the same covariates, whose outcomes enter a model through sums alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.sufficient_cells import identical_rows

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class AlikePeople:
    """Cells of people who were all seen at the same visits.

    Attributes
    ----------
    visits : (t,) array of int
    design : (cells, t, p) array
    people : (cells,) array
        How many each cell holds.
    total : (cells, t) array
        Sum of their outcomes.
    products : (cells, t, t) array or None
        Sum of the products of their outcomes; None where every cell is one person.
    """

    visits: Indices
    design: Floats
    people: Floats
    total: Floats
    products: Floats | None

    def residual(self, mean: Floats, root: Floats) -> Floats:
        """Return the (cells, t) sums of Pearson residuals."""
        summed: Floats = (self.total - self.people[:, None] * mean) / root
        return summed

    def squares(self, mean: Floats, root: Floats) -> Floats:
        """Return the (cells, t, t) sums of products of Pearson residuals, of cells with several people."""
        assert self.products is not None
        cross = self.total[:, :, None] * mean[:, None, :]
        around = self.people[:, None, None] * mean[:, :, None] * mean[:, None, :]
        found: Floats = (self.products - cross - np.swapaxes(cross, 1, 2) + around) / (
            root[:, :, None] * root[:, None, :]
        )
        return found

    def all_squares(self, mean: Floats, root: Floats) -> Floats:
        """Return the (t, t) sum of products of Pearson residuals."""
        if self.products is not None:
            return np.asarray(self.squares(mean, root).sum(axis=0), dtype=np.float64)
        residual = self.residual(mean, root)
        return np.einsum("nt,nu->tu", residual, residual)


def alike_people(
    values: Floats, design: Floats, who: Indices, when: Indices, *, collapse: bool
) -> list[AlikePeople]:
    """Gather rows by person, people by the visits at which they were seen, and then by their covariates.

    Parameters
    ----------
    values : (rows,) array
    design : (rows, p) array
    who, when : (rows,) arrays of int
        Person and visit, numbered from 0; at most one row each.
    collapse : bool
        Whether to add up people with the same covariates; done only where the sums are smaller than the rows.
    """
    n_visits = int(when.max()) + 1
    place = who * n_visits + when
    order = np.arange(len(place)) if (np.diff(place) > 0).all() else np.argsort(place)
    seen = np.zeros((int(who.max()) + 1, n_visits), dtype=bool)
    seen[who, when] = True
    if seen.all():
        return [_gathered(values, design, order.reshape(len(seen), -1), np.arange(n_visits), collapse)]
    patterns, pattern = np.unique(seen, axis=0, return_inverse=True)
    of_row = pattern.ravel()[who[order]]
    return [
        _gathered(
            values,
            design,
            order[of_row == number].reshape(-1, int(visits.sum())),
            np.flatnonzero(visits),
            collapse,
        )
        for number, visits in enumerate(patterns)
    ]


def _gathered(values: Floats, design: Floats, rows: Indices, visits: Indices, collapse: bool) -> AlikePeople:
    """Return the cells of people whose (people, t) rows belong to these visits."""
    n, t = rows.shape
    outcomes, columns = values[rows], design[rows]
    if collapse:
        cell = identical_rows(columns.reshape(n, -1))
        n_cells = int(cell.max()) + 1
        if n_cells * t <= n:  # the products then take no more room than the rows
            order = np.argsort(cell, kind="stable")
            ends = np.cumsum(np.bincount(cell))
            members = np.split(order, ends[:-1])
            mine = [outcomes[each] for each in members]
            return AlikePeople(
                visits,
                columns[[each[0] for each in members]],
                np.bincount(cell).astype(np.float64),
                np.array([each.sum(axis=0) for each in mine]),
                # Not by BLAS, whose threads wait for each other on a busy machine: 7 ms, not 160.
                np.array([np.einsum("nt,nu->tu", each, each) for each in mine]),
            )
    return AlikePeople(visits, columns, np.ones(n), outcomes, None)
