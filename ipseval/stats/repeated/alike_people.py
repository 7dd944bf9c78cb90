"""People with the same visits and the same covariates, whose outcomes enter a model through sums alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.repeated.panel_columns import Columns, SeparableColumns, WholeColumns, columns
from ipseval.stats.repeated.sufficient_cells import identical_rows

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Products of people, visits and columns in a group: what stays in the cache, and what BLAS multiplies in one
#: thread (several wait for each other on a busy machine).
_GROUP = 2**18


@dataclass(frozen=True)
class AlikePeople:
    """Cells of people who were all seen at the same visits.

    Attributes
    ----------
    visits : (t,) array of int
    columns : Columns
        Of each cell.
    people : (cells,) array
        How many each cell holds.
    total : (t, cells) array
        Sum of their outcomes.
    products : (t, t, cells) array or None
        Sum of the products of their outcomes; None where every cell is one person.
    """

    visits: Indices
    columns: Columns
    people: Floats
    total: Floats
    products: Floats | None

    def residual(self, mean: Floats, root: Floats) -> Floats:
        """Return the (t, cells) sums of Pearson residuals."""
        expected = mean if self.products is None else self.people * mean
        return np.asarray((self.total - expected) / root, dtype=np.float64)

    def squares(self, mean: Floats, root: Floats) -> Floats:
        """Return the (t, t, cells) sums of products of Pearson residuals, of cells with several people."""
        assert self.products is not None
        cross = self.total[:, None] * mean
        around = self.people * mean[:, None] * mean
        found: Floats = (self.products - cross - np.swapaxes(cross, 0, 1) + around) / (root[:, None] * root)
        return found


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
    n_visits, n, p = int(when.max()) + 1, int(who.max()) + 1, design.shape[1]
    place = who * n_visits + when
    if (
        len(place) == n * n_visits and (np.diff(place) > 0).all()
    ):  # everyone seen, in order: nothing to gather
        outcomes, wide = values.reshape(n, n_visits), design.reshape(n, n_visits, p)
        return _groups(outcomes, wide, np.arange(n_visits), collapse)
    order = np.argsort(place)
    seen = np.zeros((n, n_visits), dtype=bool)
    seen[who, when] = True
    patterns, pattern = np.unique(seen, axis=0, return_inverse=True)
    of_row = pattern.ravel()[who[order]]
    groups = []
    for number, visits in enumerate(patterns):
        rows = order[of_row == number].reshape(-1, int(visits.sum()))
        groups += _groups(values[rows], design[rows], np.flatnonzero(visits), collapse)
    return groups


def _groups(outcomes: Floats, wide: Floats, visits: Indices, collapse: bool) -> list[AlikePeople]:
    """Return groups of people with these (people, t) outcomes and (people, t, p) columns."""
    n, t, p = wide.shape
    found = columns(wide)
    if collapse:
        alike = found.of_person.T if isinstance(found, SeparableColumns) else wide.reshape(n, -1)
        cell = identical_rows(np.ascontiguousarray(alike))
        if (int(cell.max()) + 1) * t <= n:  # the products then take no more room than the rows
            return [_cells(outcomes, wide, visits, cell)]
    size = max(_GROUP // (t * p), 1)
    parts = [slice(at, at + size) for at in range(0, n, size)]
    turned = [np.ascontiguousarray(outcomes[part].T) for part in parts]
    return [
        AlikePeople(visits, found.of(part), np.ones(total.shape[1]), total, None)
        for part, total in zip(parts, turned, strict=True)
    ]


def _cells(outcomes: Floats, wide: Floats, visits: Indices, cell: Indices) -> AlikePeople:
    """Return people added up by the number of their cell."""
    order, counts = np.argsort(cell, kind="stable"), np.bincount(cell)
    members = np.split(order, np.cumsum(counts)[:-1])
    mine = [outcomes[each] for each in members]
    return AlikePeople(
        visits,
        WholeColumns(np.ascontiguousarray(wide[[each[0] for each in members]].transpose(2, 1, 0))),
        counts.astype(np.float64),
        np.stack([each.sum(axis=0) for each in mine], axis=-1),
        # Not by BLAS, whose threads wait for each other on a busy machine: 7 ms, not 160.
        np.stack([np.einsum("nt,nu->tu", each, each) for each in mine], axis=-1),
    )
