"""One arm's times to a first event: what happened to each person, on which day, in which stratum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.endpoints.base import CENSORED, DIED, EVENT
from ipseval.trial import Trial

_CODES = {CENSORED: 0, EVENT: 1, DIED: 2}


class ArmTimes(NamedTuple):
    """One arm's outcome: days, cause (0 censored, 1 event, 2 died) and stratum of each person."""

    days: NDArray[np.int64]
    cause: NDArray[np.int64]
    stratum: NDArray[np.int64]

    def base(self, before: float, cause: int = 1) -> dict[str, int]:
        """Return people randomised, and those with the event, and those censored, below a day."""
        early = self.days < before
        return {
            "n": len(self.days),
            "n_event": int((early & (self.cause == cause)).sum()),
            "n_missing": int((early & (self.cause == 0)).sum()),
        }

    def shows(self, day: int) -> bool:
        """Whether these people show what happens by a day: one was followed to it, or nobody is left."""
        last = self.days.max(initial=-1)
        return bool(last >= day or (self.cause[self.days == last] > 0).all())


def arm_times(trial: Trial, outcome: pd.DataFrame, strata: tuple[str, ...] = ()) -> dict[str, ArmTimes]:
    """Return the times of each arm, reference first, from the outcome frame of a time endpoint."""
    arm = outcome["arm"].to_numpy()
    days = outcome["value"].to_numpy(dtype=np.int64)
    cause = outcome["event"].astype("string").map(_CODES).to_numpy(dtype=np.int64)
    stratum = trial.stratum(strata).to_numpy(dtype=np.int64)
    members = {name: arm == name for name in trial.design.arms}
    return {name: ArmTimes(days[mine], cause[mine], stratum[mine]) for name, mine in members.items()}


def both(pair: tuple[ArmTimes, ArmTimes], before: float) -> dict[str, int]:
    """Return the people of two arms, their events and those censored, below a day."""
    first, second = (data.base(before) for data in pair)
    return {name: first[name] + second[name] for name in first}
