"""People with the same visits and the same covariates, whose outcomes enter a model through sums alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.sufficient_cells import identical_rows

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_AT_ONCE = 1024  # rows that stay in the processor's cache


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
        return np.asarray(np.einsum("nt,nu->tu", residual, residual), dtype=np.float64)


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
        outcomes, columns = values.reshape(n, n_visits), design.reshape(n, n_visits, p)
        return [_cells(outcomes, columns, np.arange(n_visits), collapse)]
    order = np.argsort(place)
    seen = np.zeros((n, n_visits), dtype=bool)
    seen[who, when] = True
    patterns, pattern = np.unique(seen, axis=0, return_inverse=True)
    of_row = pattern.ravel()[who[order]]
    groups = []
    for number, visits in enumerate(patterns):
        rows = order[of_row == number].reshape(-1, int(visits.sum()))
        groups.append(_cells(values[rows], design[rows], np.flatnonzero(visits), collapse))
    return groups


def _cells(outcomes: Floats, columns: Floats, visits: Indices, collapse: bool) -> AlikePeople:
    """Return the cells of people with these (people, t) outcomes and (people, t, p) columns."""
    n, t = outcomes.shape
    if collapse:
        cell = _same_columns(columns.reshape(n, -1))
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


def _same_columns(wide: Floats) -> Indices:
    """Number the distinct rows of a wide array: equal rows, and only those, share a number.

    One sum of 64-bit products a row is compared instead of the row, and the rows are then compared once.
    """
    drawn = np.random.default_rng(1).integers(0, 2**63, wide.shape[1], dtype=np.uint64)
    factors: NDArray[np.uint64] = np.asarray(drawn * np.uint64(2) + np.uint64(1))
    parts = [slice(at, at + _AT_ONCE) for at in range(0, len(wide), _AT_ONCE)]
    hashed = np.concatenate([_hashed(wide[part], factors) for part in parts])
    _, first, code = np.unique(hashed, return_index=True, return_inverse=True)
    is_same = all(np.array_equal(wide[first[code[part]]], wide[part]) for part in parts)
    return code if is_same else identical_rows(wide)


def _hashed(wide: Floats, factors: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (wide + 0.0).view(np.uint64)  # + 0.0 turns -0.0, which equals 0.0, into the same bits
    # Round numbers have nothing in their low bits, which a product keeps there: high ones are folded in.
    bits ^= bits >> np.uint64(32)
    return np.asarray(np.einsum("ij,j->i", bits, factors), dtype=np.uint64)
