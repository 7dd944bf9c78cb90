"""The Cox partial likelihood of one sample: value, score, information, and each person's share of the score.

Every sum over a risk set is a histogram on the event times, accumulated from the end: no pass over
people and times together, and no sort when durations are whole days. A tied event time is a short
sequence of *slots*, one per event. Under Breslow every slot has the whole risk set; under Efron slot
l of d has the fraction l/d of the tied events already removed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseval.stats.risk_sets import Floats, Integers, Rows, reverse_cumulative, time_grid


class Evaluation(NamedTuple):
    """The log partial likelihood at some coefficients, its gradient and minus its Hessian."""

    loglik: float
    score: Floats
    information: Floats


class _Slots(NamedTuple):
    """Everyone's relative hazard, its sum over the risk set of each slot, and the mean covariates there."""

    hazard: Floats
    total: Floats
    mean: Floats
    loglik: float


@dataclass(frozen=True)
class Stratum:
    """The people of one stratum on its own grid of event times.

    A person is at risk at the event times with place in [first, until). ``place`` is that of the
    own event, for the rows in ``events``. ``slot`` is the event time of each slot, ``removed`` the
    fraction of its tied events that have left its risk set.
    """

    rows: Rows
    covariates: Floats
    time: Floats
    first: Integers | None
    until: Integers
    events: Integers
    place: Integers
    slot: Integers
    removed: Floats

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
        """Lay one stratum out on its event times."""
        grid, at = time_grid(duration)
        n_event = np.bincount(at[happened], minlength=grid.size)
        occurs = n_event > 0
        time, tied = grid[occurs], n_event[occurs]
        upto = np.cumsum(occurs, dtype=np.int64)
        slot = np.repeat(np.arange(time.size), tied)
        within = np.arange(slot.size) - np.repeat(np.cumsum(tied) - tied, tied)
        return cls(
            rows=rows,
            covariates=covariates,
            time=time,
            first=None if entry is None else np.searchsorted(time, entry, side="right"),
            until=upto[at],
            events=np.flatnonzero(happened),
            place=upto[at[happened]] - 1,
            slot=slot,
            removed=within / np.repeat(tied, tied) if efron else np.zeros(slot.size),
        )

    def evaluate(self, coef: Floats, weight: Floats | None = None) -> Evaluation:
        """Return likelihood, score and information; ``weight`` multiplies the share of each event time.

        The weights serve tests for a coefficient that changes with time; the likelihood ignores them.
        """
        slots = self._slots(coef)
        at_events = np.ones(self.time.size) if weight is None else weight
        at_slots = at_events[self.slot]
        score = at_events[self.place] @ self.covariates[self.events] - at_slots @ slots.mean
        seen = self._exposure(slots, at_slots)
        information = self.covariates.T @ (seen[:, None] * self.covariates)
        information -= slots.mean.T @ (at_slots[:, None] * slots.mean)
        return Evaluation(slots.loglik, score, information)

    def score_residuals(self, coef: Floats) -> Floats:
        """Return each person's contribution to the score, shape (people, covariates).

        A person adds the own covariates less the mean at the own event, and loses the same difference,
        times the own hazard, at every slot seen while at risk (Therneau and Grambsch 2000, section 4.6).
        """
        slots = self._slots(coef)
        inverse = 1.0 / slots.total
        residuals = -self.covariates * self._exposure(slots, np.ones(inverse.size))[:, None]
        for column, mean in enumerate(slots.mean.T):
            seen = self._while_at_risk(self._per_time(mean * inverse))
            seen[self.events] -= self._per_time(self.removed * mean * inverse)[self.place]
            residuals[:, column] += slots.hazard * seen
            own_mean = self._per_time(mean) / self._per_time(np.ones(mean.size))
            residuals[self.events, column] += self.covariates[self.events, column] - own_mean[self.place]
        return residuals

    def _slots(self, coef: Floats) -> _Slots:
        predictor = self.covariates @ coef
        # Only ratios of hazards matter: the shift keeps the exponentials finite.
        predictor -= predictor.max()
        hazard = np.exp(predictor)
        total = self._slot_sums(hazard)
        means = [self._slot_sums(hazard * column) / total for column in self.covariates.T]
        loglik = float(predictor[self.events].sum() - np.log(total).sum())
        return _Slots(hazard, total, np.column_stack(means), loglik)

    def _slot_sums(self, values: Floats) -> Floats:
        """Return the sum over each slot's risk set."""
        at_risk = self._tail_sums(self.until, values)
        if self.first is not None:
            at_risk = at_risk - self._tail_sums(self.first, values)
        tied = _sums(self.place, values[self.events], self.time.size)
        return at_risk[self.slot] - self.removed * tied[self.slot]

    def _tail_sums(self, place: Integers, values: Floats) -> Floats:
        """Return, for each event time, the sum over people whose ``place`` lies beyond it."""
        return reverse_cumulative(_sums(place, values, self.time.size + 1))[1:]

    def _exposure(self, slots: _Slots, at_slots: Floats) -> Floats:
        """Return each person's expected number of (weighted) events over the slots seen while at risk."""
        inverse = at_slots / slots.total
        seen = self._while_at_risk(self._per_time(inverse))
        seen[self.events] -= self._per_time(self.removed * inverse)[self.place]
        return slots.hazard * seen

    def _per_time(self, at_slots: Floats) -> Floats:
        return _sums(self.slot, at_slots, self.time.size)

    def _while_at_risk(self, per_time: Floats) -> Floats:
        """Return, for each person, the sum over the event times at which the person is at risk."""
        upto = np.append(0.0, np.cumsum(per_time))
        return upto[self.until] if self.first is None else upto[self.until] - upto[self.first]


def _sums(place: Integers, values: Floats, size: int) -> Floats:
    return np.bincount(place, values, minlength=size).astype(np.float64, copy=False)
