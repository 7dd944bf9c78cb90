"""Collapse clustered binary data to the few distinct cells on which the likelihood depends.

Given a random intercept b, the log-likelihood of a group is sum(y x)'beta + b sum(y) -
sum(m log(1 + exp(x'beta + b))). The first part is linear, so one vector holds it for all groups; what
is left to integrate depends on the group's rows of covariates (the months it was seen in, its arm)
and on its total of y alone. Groups that share both are one cell, counted.

That holds for the logit. Under another link every row's own outcome matters: the rows of a group are then
kept apart by outcome, and groups are one cell if they share the outcome at each row of covariates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.links import LOGIT, Link

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Bits = NDArray[np.uint64]

# Rows handled at once: at 25 quadrature points an array of a block takes 0.8 MB, which stays in cache.
_BLOCK_ROWS = 4096
# Rows whose bits stay in cache.
_ROWS_AT_ONCE = 8192
# A column whose part outside the span of the columns before it is this small a share of it adds nothing.
_COLLINEAR = 1e-9


class BinomialRows(NamedTuple):
    """Successes out of trials, and covariates: one row each."""

    successes: Floats
    trials: Floats
    X: Floats


@dataclass(frozen=True)
class CellBlock:
    """Cells of about the same number of rows, side by side; shorter ones end in rows without trials.

    Attributes
    ----------
    X : (cells, rows, columns) array
        Covariates.
    trials : (cells, rows) array
        Binomial denominators.
    successes, frequency : (cells,) arrays
        Total of y in one group of the cell (0 where rows are kept apart by outcome), and the number of such
        groups.
    outcome : (cells, rows) array of bool
        Whether all trials of a row succeeded, where rows are kept apart by outcome; else False.
    """

    X: Floats
    trials: Floats
    successes: Floats
    frequency: Floats
    outcome: Mask


@dataclass(frozen=True)
class Cells:
    """Clustered binary data, reduced to what the likelihood needs.

    Attributes
    ----------
    blocks : tuple of CellBlock
        The cells, in blocks small enough to integrate at once.
    score : (columns,) array
        Sum of y x over all rows: the part of the log-likelihood that is linear in the coefficients; 0 where
        rows are kept apart by outcome.
    constant : float
        Sum of the logs of the binomial coefficients.
    distinct : BinomialRows
        The same data by distinct row of covariates, groups ignored (for ordinary logistic regression).
    n_observations, n_groups, n_cells : int
        Rows and groups, each counted as often as its frequency weight says, and cells.
    largest_group : float
        The largest number of trials in one group.
    n_mixed_groups : int
        Groups in which both outcomes occur.
    link : Link
        Under which these cells suffice.
    """

    blocks: tuple[CellBlock, ...]
    score: Floats
    constant: float
    distinct: BinomialRows
    n_observations: int
    n_groups: int
    n_cells: int
    largest_group: float
    n_mixed_groups: int
    link: Link = LOGIT


def checked_cells(
    y: ArrayLike,
    X: ArrayLike,
    group: ArrayLike,
    trials: ArrayLike | None,
    weights: ArrayLike | None,
    collapse: bool,
    link: Link = LOGIT,
) -> Cells:
    """Check clustered binary data as a user passes them, and return their cells."""
    successes = checks.count_array(y, "y")
    design = checks.float_array(X, "X")
    if design.ndim != 2:
        found = checks.number_of(design.ndim, "dimension")
        raise AnalysisError(f"X has {found}, not 2. Pass one row per observation.")
    denominators = np.ones(successes.size) if trials is None else checks.count_array(trials, "trials")
    counts = np.ones(successes.size) if weights is None else checks.count_array(weights, "weights")
    labels = np.asarray(group)
    checks.same_length(y=successes, X=design, group=labels, trials=denominators, weights=counts)
    _check_outcome(successes, denominators)
    code = _group_codes(labels)
    frequency = np.zeros(int(code.max()) + 1)
    frequency[code] = counts
    if n_unequal := int((frequency[code] != counts).sum()):
        raise AnalysisError(
            f"weights differ within a group for {n_unequal} of {counts.size} rows. "
            f"A frequency weight counts whole groups: pass the same number on all rows of a group."
        )
    if (counts == 0).any():
        kept = counts > 0
        successes, denominators, design = successes[kept], denominators[kept], design[kept]
        code, frequency = np.unique(code[kept], return_inverse=True)[1], frequency[frequency > 0]
    cells = sufficient_cells(successes, denominators, design, code, frequency, collapse=collapse, link=link)
    _check_information(cells)
    return cells


def _check_outcome(y: Floats, trials: Floats) -> None:
    if empty := int((trials < 1).sum()):
        raise AnalysisError(f"trials is 0 for {empty} of {trials.size} rows. Leave these rows out.")
    if wrong := int((y > trials).sum()):
        raise AnalysisError(
            f"y exceeds trials in {wrong} of {y.size} rows. "
            f"Pass y as 0 and 1, or the binomial denominators as trials."
        )


def _group_codes(group: NDArray[Any]) -> Integers:
    """Number the groups; a label that is missing is refused."""
    code, _ = pd.factorize(group)
    if missing := int((code < 0).sum()):
        raise AnalysisError(
            f"group is missing for {missing} of {group.size} rows. Say which group each row belongs to."
        )
    return code.astype(np.int64)


def _check_information(cells: Cells) -> None:
    """Refuse data that cannot inform the model, whatever the algorithm."""
    successes, trials, X = cells.distinct
    if successes.sum() in (0.0, trials.sum()):
        raise AnalysisError(
            f"y does not vary: {successes.sum():.0f} successes in {trials.sum():.0f} trials. "
            f"There is no log-odds to estimate; report the proportion."
        )
    if cells.largest_group <= 1.0:
        raise AnalysisError(
            f"Each of the {cells.n_groups} groups has a single observation, which says nothing about how "
            f"alike the outcomes of a group are. Fit an ordinary logistic regression."
        )
    size = np.linalg.norm(X, axis=0)
    unique = np.zeros(size.size)  # share of each column that the columns before it do not explain
    diagonal = np.diag(np.linalg.qr(X / np.where(size > 0.0, size, 1.0), mode="r"))
    unique[: diagonal.size] = np.abs(diagonal)
    dependent = [str(j) for j in np.flatnonzero(unique < _COLLINEAR)]
    if dependent:
        raise AnalysisError(
            f"X has {checks.number_of(len(dependent), 'column')} out of {size.size} that can be computed "
            f"from those before (counted from 0: {checks.named_list(dependent)}). "
            f"Leave out what adds nothing."
        )


def sufficient_cells(
    y: Floats,
    trials: Floats,
    X: Floats,
    group: Integers,
    frequency: Floats,
    *,
    collapse: bool = True,
    link: Link = LOGIT,
) -> Cells:
    """Return the cells of clustered binary data.

    Parameters
    ----------
    y, trials : (rows,) arrays
        Successes and binomial denominators.
    X : (rows, columns) array
    group : (rows,) array of int
        Group codes 0, 1, ...; every code occurs.
    frequency : (groups,) array
        How often each group counts, above zero.
    collapse : bool
        False keeps every group as a cell of its own. The answer is the same, only slower.
    link : Link
        Whether the cells need the total of y alone, or the outcome of every row.
    """
    row_frequency = frequency[group]
    kind = identical_rows(X)
    n_kinds = int(kind.max()) + 1
    kinds_X = X[_first_places(kind, n_kinds)]
    kinds_y = _totals(kind, row_frequency * y)

    successes, group_trials = _totals(group, y), _totals(group, trials)
    # Rows of one group with the same covariates are one binomial row; the order of visits is irrelevant.
    slot_group, slot_kind, slot_trials = _slots(y, trials, kind, group, n_kinds, link)
    start = np.flatnonzero(np.r_[True, np.diff(slot_group) > 0])
    totals = np.zeros_like(successes) if link.by_outcome else successes

    n_groups = successes.size
    cell: Integers = np.arange(n_groups)
    if collapse:
        cell = _identical_groups(slot_kind, slot_trials, slot_group, start, totals)
    kept = np.unique(cell)
    is_kept = np.isin(slot_group, kept)
    return Cells(
        blocks=_blocks(
            kinds_X[slot_kind[is_kept] % n_kinds],
            slot_trials[is_kept],
            np.unique(slot_group[is_kept], return_inverse=True)[1],
            totals[kept],
            _totals(cell, frequency)[kept],
            slot_kind[is_kept] >= n_kinds,
        ),
        score=np.zeros(X.shape[1]) if link.by_outcome else kinds_X.T @ kinds_y,
        constant=_log_choose(y, trials, row_frequency),
        distinct=BinomialRows(kinds_y, _totals(kind, row_frequency * trials), kinds_X),
        n_observations=int(row_frequency.sum()),
        n_groups=int(frequency.sum()),
        n_cells=kept.size,
        largest_group=float(group_trials.max()),
        n_mixed_groups=int(frequency[(successes > 0) & (successes < group_trials)].sum()),
        link=link,
    )


def _slots(
    y: Floats, trials: Floats, kind: Integers, group: Integers, n_kinds: int, link: Link
) -> tuple[Integers, Integers, Floats]:
    """Return the group, kind and trials of the binomial rows; kinds from `n_kinds` on are of successes."""
    if link.by_outcome:
        count = np.r_[trials - y, y]
        group, kind = np.r_[group, group][count > 0], np.r_[kind, kind + n_kinds][count > 0]
        trials, n_kinds = count[count > 0], 2 * n_kinds
    slot = group * n_kinds + kind
    if (np.diff(slot) > 0).all():  # rows in order, one of a kind to a group: nothing to add up
        return group, kind, trials
    slot, where = np.unique(slot, return_inverse=True)
    slot_group, slot_kind = np.divmod(slot, n_kinds)
    return slot_group, slot_kind, _totals(where, trials)


def _log_choose(y: Floats, trials: Floats, frequency: Floats) -> float:
    """Sum the logs of the binomial coefficients, which are 0 for single trials."""
    many = trials > 1.0
    y, trials, frequency = y[many], trials[many], frequency[many]
    return float(frequency @ (gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)))


def _totals(code: Integers, values: Floats) -> Floats:
    """Sum values by code."""
    return np.bincount(code, values).astype(np.float64, copy=False)


def _blocks(
    X: Floats,
    trials: Floats,
    cell: Integers,
    successes: Floats,
    frequency: Floats,
    outcome: Mask,
) -> tuple[CellBlock, ...]:
    """Arrange cells by size, and cut them into blocks of at most `_BLOCK_ROWS` rows (or one cell)."""
    size = np.bincount(cell)
    start = np.cumsum(size) - size
    order = np.argsort(size, kind="stable")[::-1]
    blocks = []
    while order.size:
        n_rows = size[order[0]]
        members, order = np.split(order, [max(1, _BLOCK_ROWS // n_rows)])
        is_row = np.arange(n_rows) < size[members, None]
        row = np.where(is_row, start[members, None] + np.arange(n_rows), 0)
        blocks.append(
            CellBlock(
                X=X[row] * is_row[:, :, None],
                trials=trials[row] * is_row,
                successes=successes[members],
                frequency=frequency[members],
                outcome=outcome[row],
            )
        )
    return tuple(blocks)


def identical_rows(X: Floats) -> Integers:
    """Number the distinct rows of X as they appear: equal rows, and only those, share a number.

    One sum of 64-bit products a row is compared instead of the row, and the rows are then compared once.
    """
    factors = _odd_numbers(X.shape[1])
    parts = [slice(at, at + _ROWS_AT_ONCE) for at in range(0, len(X), _ROWS_AT_ONCE)]
    hashed = [np.einsum("ij,j->i", _folded_bits(X[part]), factors) for part in parts]
    kind = pd.factorize(np.concatenate(hashed))[0].astype(np.int64, copy=False)
    first = X[_first_places(kind, int(kind.max()) + 1)]
    if all(np.array_equal(first[kind[part]], X[part]) for part in parts):
        return kind
    return np.unique(X, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _odd_numbers(count: int) -> Bits:
    """Return 64-bit factors, none of which loses a bit."""
    drawn = np.random.default_rng(1).integers(0, 2**63, count, dtype=np.uint64)
    return np.asarray(drawn * np.uint64(2) + np.uint64(1), dtype=np.uint64)


def _folded_bits(values: Floats) -> Bits:
    """Return the bits of numbers; equal numbers have the same ones (+ 0.0 turns -0.0 into 0.0).

    Round numbers have nothing in their low bits, which a product keeps there: high ones are folded in.
    """
    bits = (values + 0.0).view(np.uint64)
    bits ^= bits >> np.uint64(32)
    return bits


def _identical_groups(
    kind: Integers, trials: Floats, group: Integers, start: Integers, successes: Floats
) -> Integers:
    """Return for each group the first group with the same rows, trials and number of successes.

    The 64-bit sum of one code per row is compared instead of the rows themselves, and the rows are then
    compared once; should two codes ever collide, no group is merged.
    """
    of_total, *of_kind = np.split(_odd_numbers(int(kind.max()) + 2), [1])
    code = of_kind[0][kind] * _folded_bits(trials)
    hashed = np.add.reduceat(code, start) + of_total * _folded_bits(successes)
    distinct, position = np.unique(hashed, return_inverse=True)
    same_as = _first_places(position, distinct.size)[position]
    size = np.diff(np.r_[start, group.size])
    everyone = np.arange(start.size)
    if not (np.array_equal(size, size[same_as]) and np.array_equal(successes, successes[same_as])):
        return everyone
    twin = np.arange(group.size) + (start[same_as] - start)[group]
    is_equal = np.array_equal(kind, kind[twin]) and np.array_equal(trials, trials[twin])
    return same_as if is_equal else everyone


def _first_places(code: Integers, n_codes: int) -> Integers:
    """Return where each code occurs first (writing backwards, the first place is written last)."""
    first = np.zeros(n_codes, dtype=np.int64)
    first[code[::-1]] = np.arange(code.size)[::-1]
    return first
