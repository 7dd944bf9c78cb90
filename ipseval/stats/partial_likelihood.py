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
    """The people of one stratum on its own grid of event times.

    A person is at risk at the event times with place in [first, until). ``place`` is that of the
    own event, for the rows in ``events``. ``slot`` is the event time of each slot, ``removed`` the
    fraction of its tied events that have left its risk set. ``event_covariates`` sums the covariates
    of the events at each time.
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
        """Lay one stratum out on its event times."""
        grid, at = time_grid(duration)
        n_event = np.bincount(at[happened], minlength=grid.size)
        occurs = n_event > 0
        time, tied = grid[occurs], n_event[occurs]
        upto = np.cumsum(occurs, dtype=np.int64)
        slot = np.repeat(np.arange(time.size), tied)
        place = upto[at[happened]] - 1
        within = np.arange(slot.size) - np.repeat(np.cumsum(tied) - tied, tied)
        return cls(
            rows=rows,
            covariates=covariates,
            time=time,
            first=None if entry is None else np.searchsorted(time, entry, side="right"),
            until=upto[at],
            events=np.flatnonzero(happened),
            place=place,
            slot=slot,
            removed=within / np.repeat(tied, tied) if efron else np.zeros(slot.size),
            event_covariates=_column_sums(place, covariates[happened], time.size),
        )

    def evaluate(self, coef: Floats, weight: Floats | None = None) -> Evaluation:
        """Return likelihood, score and information; ``weight`` multiplies the share of each event time.

        The weights serve tests for a coefficient that changes with time; the likelihood ignores them.
        """
        seen = self._risk_sets(coef)
        each = np.ones(self.time.size) if weight is None else weight
        score = each @ (self.event_covariates - seen.means(0, 0))
        crossed = seen.at_risk.T @ ((each * seen.power[1, 2])[:, None] * seen.tied)
        information = (
            self.covariates.T @ (self._expected_events(seen, each)[:, None] * self.covariates)
            - seen.at_risk.T @ ((each * seen.power[0, 2])[:, None] * seen.at_risk)
            - seen.tied.T @ ((each * seen.power[2, 2])[:, None] * seen.tied)
            + crossed
            + crossed.T
        )
        return Evaluation(seen.loglik, score, information)

    def score_residuals(self, coef: Floats) -> Floats:
        """Return each person's contribution to the score, shape (people, covariates).

        A person adds the own covariates less the mean at the own event, and loses the same difference,
        times the own hazard, at every slot seen while at risk (Therneau and Grambsch 2000, section 4.6).
        """
        seen = self._risk_sets(coef)
        exposure = self._expected_events(seen, np.ones(self.time.size))
        residuals = -self.covariates * exposure[:, None]
        residuals += seen.hazard[:, None] * self._while_at_risk(seen.means(0, 1))
        own_mean = seen.means(0, 0) / np.bincount(self.slot)[:, None]
        removed = seen.hazard[self.events, None] * seen.means(1, 1)[self.place]
        residuals[self.events] += self.covariates[self.events] - own_mean[self.place] - removed
        return residuals

    def _risk_sets(self, coef: Floats) -> _RiskSets:
        predictor = self.covariates @ coef
        # Only ratios of hazards matter: the shift keeps the exponentials finite.
        shift = predictor.max()
        hazard = np.exp(predictor - shift)
        n_times = self.time.size
        everyone = self._at_risk(hazard)
        tied = _sums(self.place, hazard[self.events], n_times)
        total = everyone[self.slot] - self.removed * tied[self.slot]
        weighted = hazard[:, None] * self.covariates
        return _RiskSets(
            float(self.event_covariates.sum(axis=0) @ coef - shift * total.size - np.log(total).sum()),
            hazard,
            np.column_stack([self._at_risk(column) for column in weighted.T]),
            _column_sums(self.place, weighted.take(self.events, axis=0), n_times),
            {
                (a, b): _sums(self.slot, self.removed**a / total**b, n_times)
                for a, b in [(0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
            },
        )

    def _at_risk(self, values: Floats) -> Floats:
        """Return the sum over the people at risk at each event time."""
        total = self._beyond(self.until, values)
        return total if self.first is None else total - self._beyond(self.first, values)

    def _beyond(self, place: Integers, values: Floats) -> Floats:
        """Return, for each event time, the sum over people whose ``place`` lies beyond it."""
        return reverse_cumulative(_sums(place, values, self.time.size + 1))[1:]

    def _expected_events(self, seen: _RiskSets, weight: Floats) -> Floats:
        """Return each person's expected number of (weighted) events while at risk."""
        exposure = self._while_at_risk(weight * seen.power[0, 1])
        exposure[self.events] -= (weight * seen.power[1, 1])[self.place]
        return seen.hazard * exposure

    def _while_at_risk(self, per_time: Floats) -> Floats:
        """Return, for each person, the sum over the event times at which the person is at risk."""
        upto = np.concatenate([np.zeros_like(per_time[:1]), np.cumsum(per_time, axis=0)])
        return upto[self.until] if self.first is None else upto[self.until] - upto[self.first]


def _sums(place: Integers, values: Floats, size: int) -> Floats:
    return np.bincount(place, values, minlength=size).astype(np.float64, copy=False)


def _column_sums(place: Integers, columns: Floats, size: int) -> Floats:
    return np.column_stack([_sums(place, column, size) for column in columns.T])
