"""Events that may recur, person by person: who was at risk when, how many events and deaths there were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.risk_sets import Floats, Integers, durations, reverse_cumulative


@dataclass(frozen=True)
class Recurrences:
    """One sample, and its counts at the distinct times at which an event happened or somebody left.

    ``duration`` and ``died`` have an entry per person; ``person`` and ``event_time`` one per event. Per
    ``time``: ``n_risk`` people at risk just before it, ``n_event`` events, ``n_died`` deaths.
    ``exit_place`` and ``event_place`` say where among the times people left and events happened.
    """

    duration: Floats
    died: NDArray[np.bool_]
    person: Integers
    event_time: Floats
    time: Floats
    exit_place: Integers
    event_place: Integers
    n_risk: Floats
    n_event: Floats
    n_died: Floats

    @property
    def alive(self) -> Floats:
        """Kaplan-Meier probability of being alive after each time."""
        return np.asarray(np.cumprod((self.n_risk - self.n_died) / self.n_risk), dtype=np.float64)

    @property
    def alive_before(self) -> Floats:
        """Kaplan-Meier probability of being alive just before each time."""
        return np.append(1.0, self.alive)[: self.time.size]

    @property
    def increments(self) -> Floats:
        """By how much the mean number of events rises at each time."""
        return self.alive_before * self.n_event / self.n_risk

    def at_risk(self, times: Floats) -> Floats:
        """Return how many people are at risk just before other times."""
        return np.append(self.n_risk, 0.0)[np.searchsorted(self.time, times, side="left")]

    def of(self, members: NDArray[np.intp]) -> Recurrences:
        """Return some of the people with their events."""
        place = np.full(self.duration.size, -1)
        place[members] = np.arange(members.size)
        theirs = place[self.person] >= 0
        return _laid_out(
            self.duration[members], self.died[members], place[self.person[theirs]], self.event_time[theirs]
        )

    def influence(self, weight: Floats | NDArray[np.bool_]) -> Floats:
        """Return what each person contributes to the error of the sum of weight times increments.

        With the indicator of the times up to t as weights, that sum is the mean number of events by t.
        """
        per_event = weight * self.alive_before / self.n_risk
        total = np.cumsum(weight * self.increments)
        # Of somebody's death only the events that would still have come are an error.
        to_come = (total[-1:] - total) / self.n_risk
        expected = np.cumsum(per_event * self.n_event / self.n_risk - to_come * self.n_died / self.n_risk)
        events = np.bincount(self.person, per_event[self.event_place], minlength=self.duration.size)
        return events - np.where(self.died, to_come[self.exit_place], 0.0) - expected[self.exit_place]

    def refuse_beyond(self, times: Floats) -> None:
        """Refuse times at which people are still alive, but nobody is followed any more."""
        last = self.duration.max()
        survivors = not self.died[self.duration == last].all()
        if survivors and (unseen := times[times > last]).size:
            raise AnalysisError(
                f"Nobody is followed to time {checks.named_list(f'{time:g}' for time in unseen)}, though "
                f"people are alive at {last:g}, the last. Choose an earlier time."
            )


def recurrences(
    duration: ArrayLike, died: ArrayLike, person: ArrayLike, event_time: ArrayLike
) -> Recurrences:
    """Return a sample of people with the events they had, checked and laid out on its times.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to death or to the end of follow-up, 0 or more.
    died : array of bool, shape (n,)
        Whether it was death.
    person : array of int, shape (events,)
        For each event the place of its person, 0 to n - 1.
    event_time : array, shape (events,)
        When it happened, 0 or more and up to the person's duration.

    Raises
    ------
    AnalysisError
        Missing or negative times, arrays of different length, events of nobody or after their person left.
    """
    exits = durations(duration).astype(np.float64)
    deaths = checks.boolean_array(died, "died")
    checks.same_length(duration=exits, died=deaths)
    when = checks.float_array(event_time, "event_time")
    checks.not_negative(when, "event_time")
    who = checks.count_array(person, "person").astype(np.int64)
    checks.same_length(person=who, event_time=when)
    if strangers := int((who >= exits.size).sum()):
        raise AnalysisError(
            f"person has {strangers} of {who.size} entries beyond the {exits.size} people of duration. "
            f"Count people from 0, in the order of duration."
        )
    if late := int((when > exits[who]).sum()):
        raise AnalysisError(
            f"event_time is after duration for {late} of {when.size} events. "
            f"Leave out what happened after follow-up, or correct duration."
        )
    return _laid_out(exits, deaths, who, when)


def _laid_out(exits: Floats, died: NDArray[np.bool_], person: Integers, when: Floats) -> Recurrences:
    """Return the counts at every time at which an event happened or somebody left."""
    time, place = np.unique(np.concatenate([exits, when]), return_inverse=True)
    exit_place, event_place = np.split(place, [exits.size])

    def count(places: Integers) -> Floats:
        return np.bincount(places, minlength=time.size).astype(np.float64)

    return Recurrences(
        duration=exits,
        died=died,
        person=person,
        event_time=when,
        time=time,
        exit_place=exit_place,
        event_place=event_place,
        n_risk=reverse_cumulative(count(exit_place)),
        n_event=count(event_place),
        n_died=count(exit_place[died]),
    )
