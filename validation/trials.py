"""Made-up trials whose truth is known, many at once: what every validation script draws from.

People come from four sites that differ in size and in how easily work is found there, and are randomised 1:1
in blocks of four within their site. Sites are drawn person by person, so that the rates are those of the
population the people come from, and sites differ in size from trial to trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

SITE_SHARES = np.array([0.4, 0.3, 0.2, 0.1])
#: On the log scale, of odds or of hazards: from 1.5 times the second site down to about half of it.
SITE_EFFECTS = np.array([0.4, 0.0, -0.3, -0.6])

SIZES = (50, 150, 600)
#: Reference and active rate at 30 months: no difference, and one of 20 percentage points.
RATES = ((0.05, 0.05), (0.25, 0.25), (0.45, 0.45), (0.05, 0.25), (0.25, 0.45), (0.45, 0.65))

#: The day of the cut at 30 months, h(30): an event counts if its day is below it.
HORIZON = 913
_DEATHS, _DROP_OUT = 0.03, 0.30
DEATH_HAZARD, DROP_OUT_HAZARD = (-np.log1p(-share) / HORIZON for share in (_DEATHS, _DROP_OUT))


class Scenario(NamedTuple):
    """A trial of ``n`` people in both arms together, and the share of either arm that finds work."""

    n: int
    reference_rate: float
    active_rate: float

    @property
    def is_null(self) -> bool:
        """Whether the arms are alike, so that every rejection is an error of type I."""
        return self.reference_rate == self.active_rate


class Randomised(NamedTuple):
    """Site and arm of everyone, shape (replicates, n)."""

    site: Integers
    is_active: Flags


class Course(NamedTuple):
    """What happens to everyone, in days since randomisation, shape (replicates, n); nothing is cut yet."""

    job: Floats
    death: Floats
    drop_out: Floats


class Observed(NamedTuple):
    """What a trial records: whole days, and why they end: 0 censored, 1 first job, 2 death."""

    days: Integers
    cause: Integers


def scenarios(seed: int) -> Iterator[tuple[Scenario, Generator]]:
    """Yield every scenario with a generator of its own, a child of the seed."""
    every = [Scenario(n, *rates) for n in SIZES for rates in RATES]
    for scenario, child in zip(every, SeedSequence(seed).spawn(len(every)), strict=True):
        yield scenario, np.random.default_rng(child)


def randomised(rng: Generator, replicates: int, n: int) -> Randomised:
    """Return people of random sites, randomised in blocks of four within their site."""
    site = np.sort(rng.choice(SITE_SHARES.size, size=(replicates, n), p=SITE_SHARES), axis=1)
    blocks = -(-n // 4)  # enough for a site that holds everyone
    schedule = np.broadcast_to([True, True, False, False], (replicates, SITE_SHARES.size * blocks, 4))
    schedule = rng.permuted(schedule, axis=2).reshape(replicates, -1)
    first = np.stack([(site < each).sum(axis=1) for each in range(SITE_SHARES.size)], axis=1)
    place = np.arange(n) - np.take_along_axis(first, site, axis=1)
    return Randomised(site, np.take_along_axis(schedule, 4 * blocks * site + place, axis=1))


def level(rate: float, rate_at: Callable[[float], float]) -> float:
    """Return the level at which a rate that rises with it, from 0 to 1, is as wanted."""
    return float(brentq(lambda at: rate_at(at) - rate, -30.0, 10.0, xtol=1e-13))


def log_hazards(scenario: Scenario) -> Floats:
    """Return the log hazard of a first job in the reference and the active arm, in a site of effect 0.

    The hazards of the arms are proportional within sites, so that the hazard ratio is the exponential
    of their difference.
    """
    return np.array([level(rate, lambda at: float(incidence(at, HORIZON))) for rate in scenario[1:]])


def incidence(log_hazard: float, by: float | Floats) -> Floats:
    """Return the share with a first job before a time, death competing, over all sites."""
    job = np.exp(log_hazard + SITE_EFFECTS)[:, None]
    either = job + DEATH_HAZARD
    found = SITE_SHARES @ (job / either * -np.expm1(-either * np.atleast_1d(by)))
    return np.reshape(found, np.shape(by))


def event_free(log_hazard: float, by: float | Floats) -> Floats:
    """Return the share alive without a job at a time, over all sites."""
    either = np.exp(log_hazard + SITE_EFFECTS)[:, None] + DEATH_HAZARD
    return np.reshape(SITE_SHARES @ np.exp(-either * np.atleast_1d(by)), np.shape(by))


def courses(rng: Generator, people: Randomised, log_hazard: Floats) -> Course:
    """Return constant hazards' times to a first job, death and drop-out, of which none depends on another."""
    shape = people.site.shape
    job = np.exp(log_hazard[people.is_active.astype(np.int64)] + SITE_EFFECTS[people.site])
    return Course(
        job=rng.exponential(size=shape) / job,
        death=rng.exponential(size=shape) / DEATH_HAZARD,
        drop_out=rng.exponential(size=shape) / DROP_OUT_HAZARD,
    )


def observed(course: Course) -> Observed:
    """Return the days that a trial records up to 30 months; a job on the last day followed is seen."""
    day = np.floor(np.minimum(course.job, course.death)).astype(np.int64)
    last = np.minimum(np.floor(course.drop_out), HORIZON).astype(np.int64)
    happened = (day <= last) & (day < HORIZON)
    cause = np.where(happened, np.where(course.job < course.death, 1, 2), 0)
    return Observed(np.where(happened, day, last), cause)
