"""One arm's events that may recur: when each person left and why, and the day of every event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseval.endpoints.base import DIED
from ipseval.endpoints.job_starts import JobStarts
from ipseval.estimate.design_matrix import adjustment
from ipseval.trial import Trial

Integers = NDArray[np.int64]


class ArmRecurrences(NamedTuple):
    """One arm's outcome.

    An entry per person: ``days`` to death or to the end of follow-up, the horizon for those followed to it;
    whether they ``died``; ``stratum`` and a row of ``covariates``. An entry per event: the place of its
    ``person`` in the arm, and the ``event_day``.
    """

    days: Integers
    died: NDArray[np.bool_]
    stratum: Integers
    covariates: NDArray[np.float64]
    person: Integers
    event_day: Integers

    def base(self, before: float) -> dict[str, int]:
        """Return people randomised, those with an event, and those lost, below a day."""
        lost = (self.days < before) & ~self.died
        return {
            "n": len(self.days),
            "n_event": np.unique(self.person[self.event_day < before]).size,
            "n_missing": int(lost.sum()),
        }

    def shows(self, day: int) -> bool:
        """Whether these people show what happens by a day: one was followed to it, or nobody is left."""
        last = self.days.max(initial=-1)
        return bool(last >= day or self.died[self.days == last].all())

    def of(self, members: NDArray[np.bool_]) -> ArmRecurrences:
        """Return some of the people with their events."""
        place = np.cumsum(members) - 1
        theirs = members[self.person]
        return ArmRecurrences(
            days=self.days[members],
            died=self.died[members],
            stratum=self.stratum[members],
            covariates=self.covariates[members],
            person=place[self.person[theirs]],
            event_day=self.event_day[theirs],
        )


#: The active arm and the reference arm of a contrast.
Pair = tuple[ArmRecurrences, ArmRecurrences]


def arm_recurrences(
    trial: Trial, endpoint: JobStarts, strata: tuple[str, ...] = (), adjust: tuple[str, ...] = ()
) -> dict[str, ArmRecurrences]:
    """Return the events of each arm, reference first."""
    outcome = endpoint.evaluate(trial)
    died = (outcome["event"] == DIED).to_numpy(dtype=np.bool_)
    to_horizon = outcome["is_complete"].to_numpy(dtype=np.bool_) & ~died
    last = outcome["observed_until"].to_numpy(dtype=np.int64)
    person, day = endpoint.occurrences(trial)
    everyone = ArmRecurrences(
        days=np.where(to_horizon, trial.design.horizon_day(endpoint.horizon), last),
        died=died,
        stratum=trial.stratum(strata).to_numpy(dtype=np.int64),
        covariates=adjustment(trial, adjust)[0],
        person=person,
        event_day=day,
    )
    arm = outcome["arm"].to_numpy()
    return {name: everyone.of(arm == name) for name in trial.design.arms}


def both(pair: Pair, before: float) -> dict[str, int]:
    """Return the people of two arms, those with an event and those lost, below a day."""
    first, second = (data.base(before) for data in pair)
    return {name: first[name] + second[name] for name in first}


def together(pair: Pair) -> tuple[ArmRecurrences, Integers]:
    """Return the people of two arms as one, and 1 for each in the active arm, 0 in the reference arm."""
    active, reference = pair
    moved = reference._replace(person=reference.person + len(active.days))
    people = ArmRecurrences(*(np.concatenate(columns) for columns in zip(active, moved, strict=True)))
    return people, np.repeat([1, 0], [len(data.days) for data in pair])
