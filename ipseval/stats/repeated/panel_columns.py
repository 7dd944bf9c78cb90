"""Columns of a regression as visits by people, and the sums over the visits of each person they enter by.

Most columns of a trial are a number of the visit times a number of the person: a level, an arm, a covariate,
a month, the product of arm and month. Then no array of columns by visits by people is needed. People come
last, so that sums over visits add long rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.repeated.working_correlation import Inverse

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_AT_ONCE = 256  # people whose columns stay in the processor's cache
#: Two products of the same numbers, rounded in another order, are this close.
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)


class Columns(Protocol):
    """Columns X_i (t, p) of n people."""

    def linear(self, beta: Floats) -> Floats:
        """Return X_i beta: (t, n)."""

    def sums(self, values: Floats) -> Floats:
        """Return X_i'v_i, with v_i the columns of (t, n) values: (p, n)."""

    def products(self, root: Floats, inverse: Inverse) -> Floats:
        """Return X_i' D_i R^-1 D_i X_i, with D_i diagonal, a column of (t, n) roots: (p, p, n)."""

    def rows(self, people: NDArray[np.bool_]) -> Floats:
        """Return the columns of some people, a row per visit and person: (t * people, p)."""

    def of(self, people: slice) -> Columns:
        """Return some of the people."""


@dataclass(frozen=True)
class WholeColumns:
    """Any columns.

    Attributes
    ----------
    each : (p, t, n) array
    """

    each: Floats

    def linear(self, beta: Floats) -> Floats:
        return np.asarray(np.tensordot(beta, self.each, 1), dtype=np.float64)

    def sums(self, values: Floats) -> Floats:
        return np.asarray(np.einsum("ptn,tn->pn", self.each, values), dtype=np.float64)

    def products(self, root: Floats, inverse: Inverse) -> Floats:
        scaled = self.each * root
        return np.asarray(np.einsum("ktn,ltn->kln", inverse.times(scaled), scaled), dtype=np.float64)

    def rows(self, people: NDArray[np.bool_]) -> Floats:
        return self.each[:, :, people].reshape(len(self.each), -1).T

    def of(self, people: slice) -> WholeColumns:
        return WholeColumns(np.ascontiguousarray(self.each[:, :, people]))


@dataclass(frozen=True)
class SeparableColumns:
    """Columns of which each is a number of the visit times a number of the person.

    Attributes
    ----------
    of_person : (p, n) array
    of_visit : (m, t) array
        The profiles over the visits that there are; a level, an arm and an age share one.
    profile : (p,) array of int
        Which of them each column has.
    """

    of_person: Floats
    of_visit: Floats
    profile: Indices

    def linear(self, beta: Floats) -> Floats:
        return np.asarray((self.of_visit[self.profile].T * beta) @ self.of_person, dtype=np.float64)

    def sums(self, values: Floats) -> Floats:
        return np.asarray((self.of_visit @ values)[self.profile] * self.of_person, dtype=np.float64)

    def products(self, root: Floats, inverse: Inverse) -> Floats:
        down, across = self.profile[:, None], self.profile
        if inverse.matrix is None:
            pairs = self.of_visit[:, None, :] * self.of_visit
            between = (inverse.own * pairs) @ root**2
        else:
            weighted = (root * inverse.times(root * each[:, None]) for each in self.of_visit)
            between = np.stack([self.of_visit @ each for each in weighted])
        found: Floats = between[down, across]
        found *= self.of_person[:, None, :]
        found *= self.of_person
        if inverse.shared:
            total = self.sums(root)
            found -= (inverse.shared * total)[:, None, :] * total
        return found

    def rows(self, people: NDArray[np.bool_]) -> Floats:
        made = self.of_visit[self.profile][:, :, None] * self.of_person[:, people][:, None]
        return made.reshape(len(self.profile), -1).T

    def of(self, people: slice) -> SeparableColumns:
        part = np.ascontiguousarray(self.of_person[:, people])
        return SeparableColumns(part, self.of_visit, self.profile)


def columns(design: Floats) -> Columns:
    """Return the columns of a (n, t, p) design: taken apart where each is a product, and else whole.

    A product may differ from its column by what rounding does.
    """
    n, t, p = design.shape
    each, flat = np.arange(p), np.ascontiguousarray(design).reshape(n, t * p)
    visit = np.einsum("ij,ij->j", flat, flat).reshape(t, p).argmax(axis=0)  # where a column is not zero
    of_person = design[:, visit, each]
    person = np.abs(of_person).argmax(axis=0)
    largest = of_person[person, each][:, None]
    of_visit = np.divide(design[person, :, each], largest, out=np.zeros((p, t)), where=largest != 0.0)
    spread = np.zeros((p, t, p))  # one product makes all columns again, each from its own numbers alone
    spread[each, :, each] = of_visit
    for at in range(0, n, _AT_ONCE):
        part = flat[at : at + _AT_ONCE]
        made = of_person[at : at + _AT_ONCE] @ spread.reshape(p, t * p)
        if not ((made == part).all() or (np.abs(made - part) <= _ROUNDING * np.abs(part)).all()):
            return WholeColumns(np.ascontiguousarray(design.transpose(2, 1, 0)))
    distinct, profile = np.unique(of_visit, axis=0, return_inverse=True)
    return SeparableColumns(np.ascontiguousarray(of_person.T), distinct, profile.ravel())
