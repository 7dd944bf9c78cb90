"""One arm's times to a first event: what happened to each person, on which day, in which stratum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.endpoints.base import CENSORED, DIED, EVENT
from ipseval.estimate.design_matrix import adjustment
from ipseval.trial import Trial

_CODES = {CENSORED: 0, EVENT: 1, DIED: 2}


Codes = NDArray[np.int64]


class ArmTimes(NamedTuple):
    """One arm's outcome, an entry or row per person.

    ``days`` and ``cause`` (0 censored, 1 event, 2 died) are the outcome; ``stratum`` is for stratified
    tests and models, ``cluster`` for a frailty, and ``covariates`` has a column per covariate. ``row`` is
    the person's place among those randomised.
    """

    days: NDArray[np.int64]
    cause: NDArray[np.int64]
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64]
    covariates: NDArray[np.float64]
    row: NDArray[np.int64]

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


#: The active arm and the reference arm of a contrast.
Pair = tuple[ArmTimes, ArmTimes]


def arm_times(
    trial: Trial,
    outcome: pd.DataFrame,
    strata: tuple[str, ...] = (),
    frailty: tuple[str, ...] = (),
    adjust: tuple[str, ...] = (),
) -> dict[str, ArmTimes]:
    """Return the times of each arm, reference first, from the outcome frame of a time endpoint."""
    arm = outcome["arm"].to_numpy()
    cause = outcome["event"].astype("string").map(_CODES)
    everyone = ArmTimes(
        days=outcome["value"].to_numpy(dtype=np.int64),
        cause=np.asarray(cause, dtype=np.int64),
        stratum=trial.stratum(strata).to_numpy(dtype=np.int64),
        cluster=trial.stratum(frailty).to_numpy(dtype=np.int64),
        covariates=adjustment(trial, adjust)[0],
        row=np.arange(len(outcome)),
    )
    return {name: ArmTimes(*(column[arm == name] for column in everyone)) for name in trial.design.arms}


def both(pair: Pair, before: float) -> dict[str, int]:
    """Return the people of two arms, their events and those censored, below a day."""
    first, second = (data.base(before) for data in pair)
    return {name: first[name] + second[name] for name in first}


def together(pair: Pair) -> tuple[ArmTimes, NDArray[np.int64]]:
    """Return the people of two arms as one, and 1 for each in the active arm, 0 in the reference arm."""
    people = ArmTimes(*(np.concatenate(columns) for columns in zip(*pair, strict=True)))
    return people, np.repeat([1, 0], [len(data.days) for data in pair])
