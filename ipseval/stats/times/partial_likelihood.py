"""The Cox partial likelihood of one sample: value, score, information, and each person's share of the score.

People stand in the order in which they leave, those with the event first among those who leave at one
time. Every sum over a risk set is then a sum over consecutive people, accumulated from the end: no pass
over people and times together. A tied event time is a short sequence of *slots*, one per event. Under
Breslow every slot has the whole risk set; under Efron slot l of d has the fraction l/d of the tied events
already removed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.times.risk_sets import Floats, Integers, Rows, reverse_cumulative, time_grid

# People looked at in one go: what is made from them along the way stays in the processor's cache.
_BLOCK = 2**15


class Evaluation(NamedTuple):
    """The log partial likelihood at some coefficients, its gradient and minus its Hessian."""

    loglik: float
    score: Floats
    information: Floats


class _RiskSets(NamedTuple):
    """What the event times see at given coefficients.

    ``hazard`` is everyone's relative hazard. Per event time, ``at_risk`` and ``tied`` are sums of hazard
    times covariates over the risk set and over its events. ``power[a, b]`` sums, over the slots of a
    time, removed^a / total^b, where total is the summed hazard of the slot's risk set: with them every
    sum over slots is a sum over times.
    """

    loglik: float
    hazard: Floats
    at_risk: Floats
    tied: Floats
    power: dict[tuple[int, int], Floats]

    def means(self, removed: int, inverse: int) -> Floats:
        """Return, per time, the sum over slots of mean covariates times removed^a / total^b."""
        return (
            self.at_risk * self.power[removed, inverse + 1][:, None]
            - self.tied * self.power[removed + 1, inverse + 1][:, None]
        )


@dataclass(frozen=True)
class Stratum:
    """The people of one stratum on its own grid of event times, in the order in which they leave.

    ``rows`` are their places in the sample, and ``covariates`` has a column for each of them, shape
    (covariates, people). The first ``never`` of them are gone before the first event. After them, per
    event time, come ``tied`` people with the event and ``after`` who leave before the next one; before
    the event times with place ``first`` and beyond, people with delayed entry are not yet at risk.
    ``removed`` is, per slot, the fraction of the tied events that have left its risk set, and
    ``event_covariates`` sums the covariates of the events at each time.
    """

    rows: Integers
    covariates: Floats
    time: Floats
    first: Integers | None
    never: int
    tied: Integers
    after: Integers
    removed: Floats
    event_covariates: Floats

    @classmethod
    def of(
        cls,
        rows: Rows,
        covariates: Floats,
        duration: Floats | Integers,
        happened: NDArray[np.bool_],
        entry: Floats | None,
        *,
        efron: bool,
    ) -> Stratum:
        """Lay one stratum out on its event times; ``covariates`` has a row per person here."""
        grid, at = time_grid(duration)
        n_event = np.bincount(at[happened], minlength=grid.size)
        occurs = n_event > 0
        time, tied = grid[occurs], n_event[occurs]
        until = np.cumsum(occurs, dtype=np.int64)[at]
        order = _order(2 * until + ~happened, 2 * time.size + 2)
        leaving = np.bincount(until, minlength=time.size + 1)
        within = np.arange(tied.sum()) - np.repeat(np.cumsum(tied) - tied, tied)
        ordered = np.stack([column.take(order) for column in covariates.T])
        return cls(
            rows=order if isinstance(rows, slice) else rows[order],
            covariates=ordered,
            time=time,
            first=None if entry is None else np.searchsorted(time, entry[order], side="right"),
            never=int(leaving[0]),
            tied=tied,
            after=leaving[1:] - tied,
            removed=within / np.repeat(tied, tied) if efron else np.zeros(within.size),
            event_covariates=_sums(ordered, int(leaving[0]), tied, leaving[1:] - tied)[0].T,
        )

    @cached_property
    def blocks(self) -> list[tuple[slice, slice]]:
        """Runs of people at risk, whole event times together, with the runs of those times."""
        end = self.never + np.cumsum(self.tied + self.after)
        wanted = np.arange(self.never + _BLOCK, end[-1], _BLOCK)
        last = np.unique(np.append(np.searchsorted(end, wanted), end.size - 1))
        starts = [(self.never, 0), *((int(end[place]), int(place) + 1) for place in last)]
        return [(slice(p, q), slice(k, m)) for (p, k), (q, m) in pairwise(starts)]

    def evaluate(self, coef: Floats, weight: Floats | None = None) -> Evaluation:
        """Return likelihood, score and information; ``weight`` multiplies the share of each event time.

        The weights serve tests for a coefficient that changes with time; the likelihood ignores them.
        """
        seen = self._risk_sets(coef)
        each = np.ones(self.time.size) if weight is None else weight
        score = each @ (self.event_covariates - seen.means(0, 0))
        crossed = seen.at_risk.T @ ((each * seen.power[1, 2])[:, None] * seen.tied)
        information = (
            self._expected_squares(seen, each)
            - seen.at_risk.T @ ((each * seen.power[0, 2])[:, None] * seen.at_risk)
            - seen.tied.T @ ((each * seen.power[2, 2])[:, None] * seen.tied)
            + crossed
            + crossed.T
        )
        return Evaluation(seen.loglik, score, information)

    def score_residuals(self, coef: Floats) -> Floats:
        """Return each person's contribution to the score, shape (people, covariates), as in ``rows``.

        A person adds the own covariates less the mean at the own event, and loses the same difference,
        times the own hazard, at every slot seen while at risk (Therneau and Grambsch 2000, section 4.6).
        """
        seen = self._risk_sets(coef)
        exposure = self._expected_events(seen, np.ones(self.time.size))
        residuals = -self.covariates.T * exposure[:, None]
        nothing = np.zeros_like(seen.at_risk)
        residuals += seen.hazard[:, None] * self._while_at_risk(seen.means(0, 1), nothing)
        events, place = self._events()
        own_mean = seen.means(0, 0) / self.tied[:, None]
        removed = seen.hazard[events, None] * seen.means(1, 1)[place]
        residuals[events] += self.covariates.T[events] - own_mean[place] - removed
        return residuals

    def event_residuals(self, coef: Floats) -> tuple[Floats, Floats]:
        """Return, per event, its time, and its covariates less their mean over the risk set (Schoenfeld).

        Tied events under Efron have the mean over the slots of their time in common.
        """
        seen = self._risk_sets(coef)
        events, place = self._events()
        own_mean = seen.means(0, 0) / self.tied[:, None]
        return self.time[place], self.covariates.T[events] - own_mean[place]

    def _risk_sets(self, coef: Floats) -> _RiskSets:
        # A product this thin is slower, and rounds otherwise, when it is shared among threads.
        hazard = np.einsum("p,pn->n", coef, self.covariates)
        # Only ratios of hazards matter: the shift keeps the exponentials finite.
        shift = hazard.max()
        tied, at_risk = np.empty((2, 1 + coef.size, self.time.size))
        for people, times in self.blocks:
            own = np.exp(hazard[people] - shift)
            weighted = np.vstack([own, own * self.covariates[:, people]])
            tied[:, times], after = _sums(weighted, 0, self.tied[times], self.after[times])
            at_risk[:, times] = tied[:, times] + after
            hazard[people] = own
        at_risk = reverse_cumulative(at_risk.T).T
        if self.first is not None:
            at_risk -= self._still_to_enter(self.first, hazard)
        total = np.repeat(at_risk[0], self.tied) - self.removed * np.repeat(tied[0], self.tied)
        loglik = self.event_covariates.sum(axis=0) @ coef - shift * total.size - np.log(total).sum()
        return _RiskSets(float(loglik), hazard, at_risk[1:].T, tied[1:].T, self._powers(total))

    def _still_to_enter(self, first: Integers, hazard: Floats) -> Floats:
        """Return, for each event time, the sums over those whose entry is still to come."""
        n_places = self.time.size + 1
        hazards = [hazard, *(hazard * self.covariates)]
        waiting = np.array([np.bincount(first, values, n_places) for values in hazards], dtype=np.float64)
        return reverse_cumulative(waiting.T)[1:].T

    def _powers(self, total: Floats) -> dict[tuple[int, int], Floats]:
        """Return the sums over the slots of each time of removed^a / total^b."""
        first_slot = np.cumsum(self.tied) - self.tied
        once = 1.0 / total
        removed = self.removed * once
        terms = {(0, 1): once, (1, 1): removed, (0, 2): once**2, (1, 2): removed * once, (2, 2): removed**2}
        return {powers: np.add.reduceat(term, first_slot) for powers, term in terms.items()}

    def _expected_events(self, seen: _RiskSets, weight: Floats) -> Floats:
        """Return each person's expected number of (weighted) events while at risk."""
        return seen.hazard * self._while_at_risk(weight * seen.power[0, 1], weight * seen.power[1, 1])

    def _expected_squares(self, seen: _RiskSets, weight: Floats) -> Floats:
        """Return the sum over people of expected (weighted) events times the square of the covariates."""
        expected = self._expected_events(seen, weight)
        squares = np.zeros((len(self.covariates),) * 2)
        for people, _ in self.blocks:
            columns = self.covariates[:, people]
            squares += (columns * expected[people]) @ columns.T
        return squares

    def _while_at_risk(self, per_time: Floats, less_for_events: Floats) -> Floats:
        """Return, for each person, the sum over the event times at which the person is at risk.

        From that of somebody with the event what the slots of the own time have removed is taken off.
        """
        upto = np.concatenate([np.zeros_like(per_time[:1]), np.cumsum(per_time, axis=0)])
        both = np.stack([upto[1:] - less_for_events, upto[1:]], axis=1).reshape(-1, *per_time.shape[1:])
        steps = np.concatenate([upto[:1], both])
        people = np.append(self.never, np.column_stack([self.tied, self.after]).ravel())
        exposure = np.repeat(steps, people, axis=0)
        return exposure if self.first is None else exposure - upto[self.first]

    def _events(self) -> tuple[Integers, Integers]:
        """Return where the people with the event stand, and the place of the time of each."""
        place = np.repeat(np.arange(self.time.size), self.tied)
        begin = self.never + np.cumsum(self.tied + self.after) - (self.tied + self.after)
        slot = np.arange(place.size) - np.repeat(np.cumsum(self.tied) - self.tied, self.tied)
        return begin[place] + slot, place


def _order(key: Integers, n_keys: int) -> Integers:
    """Return the rows in the order of a key from 0 to ``n_keys - 1``, ties left as they are."""
    # numpy sorts 16-bit integers digit by digit, in one pass over the people.
    small = key.astype(np.uint16) if n_keys <= np.iinfo(np.uint16).max else key
    return np.argsort(small, kind="stable")


def _sums(values: Floats, never: int, tied: Integers, after: Integers) -> tuple[Floats, Floats]:
    """Return, per event time, the sum over its events and over those who leave after it, last axis."""
    sizes = np.column_stack([tied, after]).ravel()
    begin = never + np.cumsum(sizes) - sizes
    # reduceat gives something for nothing, and has no place beyond the end.
    inside = begin < values.shape[-1]
    sums = np.zeros((*values.shape[:-1], sizes.size))
    sums[..., inside] = np.add.reduceat(values, begin[inside], axis=-1)
    sums[..., sizes == 0] = 0.0
    return sums[..., ::2], sums[..., 1::2]
