"""Coverage and type I error of what is said of hours worked in 30 months, with 30% lost and 3% dead by then.

Times to a first job are those of times.py. A job lasts 300 days on average (exponential), for 24 hours a
week on average (gamma, standard deviation 12). True means are computed from the hazards. The true P(X > Y) is
of the hours seen before people are lost, simulated with two million people (standard error below 0.0005).

The bootstrap draws 399 times and takes the 10th value from either end: over many trials these limits hold the
truth as often as the 2.5% and 97.5% points of endlessly many draws would.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from record import Method, Shortfall, arguments, judged, written
from trials import (
    DEATH_HAZARD,
    HORIZON,
    SITE_EFFECTS,
    SITE_SHARES,
    Course,
    Flags,
    Floats,
    Randomised,
    Scenario,
    courses,
    log_hazards,
    randomised,
    scenarios,
)

from ipseval.months import horizon_day
from ipseval.stats.amounts.censored_means import (
    CensoredMean,
    partitioned_mean_amount,
    partitioned_mean_replicates,
)
from ipseval.stats.amounts.log_scale_means import joined_difference, log_t_mean, workers_difference
from ipseval.stats.amounts.ranks import probability_of_superiority
from ipseval.stats.bootstrap import bootstrap_draws, percentile_interval

SHORTFALLS: tuple[Shortfall, ...] = ()

MEAN_JOB_DAYS = 300.0
HOURS_SHAPE, HOURS_SCALE = 4.0, 6.0
DRAWS, PLACE = 399, 10
#: The level at which linear quantiles of so many draws are their values at that place from either end.
LEVEL_OF_DRAWS = 1 - 2 * (PLACE - 1) / (DRAWS - 1)
#: Parts of six months, by which a total is weighted.
EDGES = horizon_day([0, 6, 12, 18, 24, 30]).astype(np.float64)
PEOPLE_FOR_TRUTH = 1_000_000

#: Lower limit, upper limit and p value, NaN where there is none.
Answer = tuple[float, float, float]

METHODS = {
    Method("mean", "log_t"): "mean",
    Method("mean_difference", "t_workers"): "difference",
    Method("probability_of_superiority", "brunner_munzel_logit"): "superiority",
    Method("mean_difference", "log_t_joined", False): "difference",
    Method("mean_difference", "bootstrap_percentile", False): "difference",
}


class Worked(NamedTuple):
    """Hours per part of six months and person, shape (..., parts), and those seen before people were lost."""

    parts: Floats
    seen: Floats


class Arm(NamedTuple):
    """One arm as the kernels of censored means take it, and each person's hours that were seen."""

    parts: Floats
    ends: Floats
    is_complete: Flags
    followed: Floats
    seen: Floats


def worked(rng: Generator, course: Course) -> Worked:
    """Return the hours of one job per person, which ends by itself, with death or at 30 months."""
    shape = course.job.shape
    per_day = rng.gamma(HOURS_SHAPE, HOURS_SCALE, shape) / 7
    ends = np.minimum(course.job + rng.exponential(MEAN_JOB_DAYS, shape), course.death)
    days = [np.clip(ends, low, high) - np.clip(course.job, low, high) for low, high in pairwise(EDGES)]
    parts = np.maximum(np.stack(days, axis=-1), 0) * per_day[..., None]
    until = np.minimum(ends, np.minimum(course.drop_out, HORIZON))
    return Worked(parts, np.maximum(until - course.job, 0) * per_day)


def mean_hours(log_hazard: float) -> float:
    """Return the mean hours per person up to 30 months: hours a day times the mean of days in the job."""
    job = np.exp(log_hazard + SITE_EFFECTS)
    leaving, ending = job + DEATH_HAZARD, 1 / MEAN_JOB_DAYS + DEATH_HAZARD
    begun = -np.expm1(-leaving * HORIZON) / leaving
    still = -np.expm1(-(leaving - ending) * HORIZON) / (leaving - ending) * np.exp(-ending * HORIZON)
    return float(HOURS_SHAPE * HOURS_SCALE / 7 * (SITE_SHARES @ (job / ending * (begun - still))))


def seen_hours(rng: Generator, log_hazard: Floats, *, is_active: bool) -> Floats:
    """Return the hours seen of many people of one arm."""
    site = rng.choice(SITE_SHARES.size, size=PEOPLE_FOR_TRUTH, p=SITE_SHARES)
    course = courses(rng, Randomised(site, np.full(PEOPLE_FOR_TRUTH, is_active)), log_hazard)
    return worked(rng, course).seen


def superiority(rng: Generator, scenario: Scenario) -> float:
    """Return P(X > Y) + P(X = Y) / 2 of the hours seen; one half exactly where the arms are alike."""
    if scenario.is_null:
        return 0.5
    hazards = log_hazards(scenario)
    active = seen_hours(rng, hazards, is_active=True)
    reference = np.sort(seen_hours(rng, hazards, is_active=False))
    places = [np.searchsorted(reference, active, side) for side in ("left", "right")]
    return float(np.mean(places)) / PEOPLE_FOR_TRUTH


def arms(course: Course, hours: Worked, is_active: Flags) -> list[Arm]:
    """Return the active and the reference arm of one replicate."""
    left, died = np.floor(course.drop_out), np.floor(course.death)
    followed = np.minimum(np.minimum(left, died), HORIZON - 1)
    is_complete = (died <= left) | (left >= HORIZON - 1)
    return [
        Arm(hours.parts[is_in], EDGES[1:] - 1, is_complete[is_in], followed[is_in], hours.seen[is_in])
        for is_in in (is_active, ~is_active)
    ]


def answers(pair: list[Arm], seed: int) -> list[Answer]:
    """Return what the METHODS say of one replicate, in their order."""
    means = [partitioned_mean_amount(*arm[:4]) for arm in pair]
    on_log_scale = [log_t_mean(mean, arm.seen) for mean, arm in zip(means, pair, strict=True)]
    seen = [arm.seen for arm in pair]
    difference, joined = workers_difference(*means, *seen), joined_difference(*on_log_scale)
    rank = probability_of_superiority(*seen)
    return [
        (on_log_scale[0].conf_low, on_log_scale[0].conf_high, np.nan),
        (difference.conf_low, difference.conf_high, difference.p_value),
        (rank.conf_low, rank.conf_high, rank.p_value),
        (joined.conf_low, joined.conf_high, joined.p_value),
        _bootstrap(pair, means, seed),
    ]


def _bootstrap(pair: list[Arm], means: list[CensoredMean], seed: int) -> Answer:
    split = len(pair[0].followed)

    def difference(counts: np.ndarray) -> Floats:
        drawn = (counts[:, :split], counts[:, split:])
        found = [partitioned_mean_replicates(*arm[:4], n) for arm, n in zip(pair, drawn, strict=True)]
        return found[0] - found[1]

    cells = np.repeat([1, 0], [split, len(pair[1].followed)])
    draws = bootstrap_draws(difference, cells, replicates=DRAWS, seed=seed)
    estimate = means[0].estimate - means[1].estimate
    found = percentile_interval(draws, estimate, conf_level=LEVEL_OF_DRAWS)
    return found.conf_low, found.conf_high, np.nan


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    for scenario, rng in scenarios(seed):
        hazards = log_hazards(scenario)
        mean = [mean_hours(log_hazard) for log_hazard in hazards]
        truth = {
            "mean": mean[1],
            "difference": mean[1] - mean[0],
            "superiority": superiority(rng, scenario),
        }
        people = randomised(rng, replicates, scenario.n)
        course = courses(rng, people, hazards)
        hours = worked(rng, course)
        seeds = rng.integers(2**63, size=replicates)
        found = [
            answers(
                arms(Course(*(part[k] for part in course)), Worked(*(part[k] for part in hours)), active),
                int(seeds[k]),
            )
            for k, active in enumerate(people.is_active)
        ]
        for (method, name), (low, high, p_value) in zip(
            METHODS.items(), np.transpose(found, (1, 2, 0)), strict=True
        ):
            yield judged(method, scenario, truth[name], low=low, high=high, p_value=p_value)


def main() -> None:
    """Write results/amounts.csv and .md."""
    given = arguments(__doc__, replicates=1_000)
    written("amounts", given, rows, SHORTFALLS)


if __name__ == "__main__":
    main()
