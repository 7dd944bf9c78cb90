"""One arm's times to a first event: what happened to each person, on which day, in which stratum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.endpoints.base import CENSORED, DIED, EVENT
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment
from ipseval.trial import Trial

_CODES = {CENSORED: 0, EVENT: 1, DIED: 2}
NO_DELAYED_ENTRY = words.text("note.no_delayed_entry")
NOT_YET_OBSERVED = words.text("note.not_yet_observed")
FIRST_DAYS_DIFFER = words.text("note.first_days_differ")

Codes = NDArray[np.int64]


class ArmTimes(NamedTuple):
    """One arm's outcome, an entry or row per person.

    ``days`` and ``cause`` (0 censored, 1 event, 2 died) are the outcome; ``stratum`` is for stratified
    tests and models, ``cluster`` for a frailty, and ``covariates`` has a column per covariate. ``row`` is
    the person's place among those randomised. ``entry`` is the day before the first under observation,
    -1 from randomisation on.
    """

    days: NDArray[np.int64]
    cause: NDArray[np.int64]
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64]
    covariates: NDArray[np.float64]
    row: NDArray[np.int64]
    entry: NDArray[np.int64]

    @property
    def late(self) -> NDArray[np.int64] | None:
        """The entry of everybody, for kernels that take it; None where nobody's is delayed."""
        return self.entry if (self.entry >= 0).any() else None

    @property
    def first_day(self) -> int:
        """The first day on which anyone was under observation; 0 is that of randomisation."""
        return int(self.entry.min()) + 1 if self.entry.size else 0

    def unseen(self, day: int) -> str:
        """Return what must be said where nobody was under observation by the end of a day, or nothing."""
        return f"{NOT_YET_OBSERVED}; first_day = {self.first_day}" if day < self.first_day else ""

    def refuse_late(self) -> None:
        """Refuse people whose entry is delayed, for a method that does not know how to count them."""
        if self.late is not None:
            raise AnalysisError(NO_DELAYED_ENTRY)

    def refuse_broken(self) -> None:
        """Refuse people of whom nobody was left when others came: no curve joins the two."""
        if self.late is None:
            return
        order = np.argsort(self.entry)
        last = np.maximum.accumulate(self.days[order])[:-1]
        waits = self.entry[order][1:] - last
        # Those censored on a day hand on to who comes the next; where all had the event nobody does.
        broken = (waits > 0) | ((waits == 0) & ~np.isin(last, self.days[self.cause == 0]))
        if broken.any():
            raise AnalysisError(
                f"Nobody was left under observation without the event after day {last[broken][0]}, before "
                f"others came, so that no curve joins before and after. Count those who came first from the "
                f"day of the next."
            )

    def at_risk(self, day: int) -> int:
        """Return how many were under observation and event-free just before a day."""
        return int(((self.days >= day) & (self.entry < day)).sum())

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
    first_day: NDArray[np.float64] | None = None,
) -> dict[str, ArmTimes]:
    """Return the times of each arm, reference first, from the outcome frame of a time endpoint.

    ``first_day`` is everyone's first day under observation, by default that of randomisation. Who came
    after the own last day, or on a day that is not known, is left out.
    """
    arm = outcome["arm"].to_numpy()
    cause = outcome["event"].astype("string").map(_CODES)
    days = outcome["value"].to_numpy(dtype=np.int64)
    since = np.zeros(len(outcome)) if first_day is None else np.maximum(first_day, 0.0)
    is_seen = since <= days
    if first_day is not None:
        _refuse_unseen(is_seen, first_day)
    everyone = ArmTimes(
        days=days,
        cause=np.asarray(cause, dtype=np.int64),
        stratum=trial.stratum(strata).to_numpy(dtype=np.int64),
        cluster=trial.stratum(frailty).to_numpy(dtype=np.int64),
        covariates=adjustment(trial, adjust)[0],
        row=np.arange(len(outcome)),
        entry=np.where(is_seen, since - 1, -1).astype(np.int64),
    )
    return {
        name: ArmTimes(*(column[(arm == name) & is_seen] for column in everyone))
        for name in trial.design.arms
    }


def apart(pair: Pair) -> str:
    """Return what must be said of arms whose first days under observation differ, or nothing.

    At a horizon the one tells of everybody, the other of people without the event by its first day.
    """
    days = [data.first_day for data in pair if data.days.size]
    return f"{FIRST_DAYS_DIFFER}; first_day = {' and '.join(map(str, days))}" if len(set(days)) > 1 else ""


def _refuse_unseen(is_seen: NDArray[np.bool_], first_day: NDArray[np.float64]) -> None:
    """Refuse a trial in which nobody was under observation before the event or the own last day."""
    if not is_seen.any():
        raise AnalysisError(
            f"Nobody was seen at risk: entry is missing for {int(np.isnan(first_day).sum())} of "
            f"{len(is_seen)} people, and comes after the event or the last day for the others. "
            f"Check that it counts days since randomisation, or leave entry= out."
        )


def both(pair: Pair, before: float) -> dict[str, int]:
    """Return the people of two arms, their events and those censored, below a day."""
    first, second = (data.base(before) for data in pair)
    return {name: first[name] + second[name] for name in first}


def together(pair: Pair) -> tuple[ArmTimes, NDArray[np.int64]]:
    """Return the people of two arms as one, and 1 for each in the active arm, 0 in the reference arm."""
    people = ArmTimes(*(np.concatenate(columns) for columns in zip(*pair, strict=True)))
    return people, np.repeat([1, 0], [len(data.days) for data in pair])
