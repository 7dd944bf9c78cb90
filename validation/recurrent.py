"""Coverage and type I error of what is said of new jobs, first and later ones, with 30% lost and 3% dead.

Each person starts jobs at a constant rate of their own, which differs between people of one arm and site as
an exponential variable does: most start none or one, a few start many. Truths are computed from the rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from record import Method, Shortfall, arguments, judged, written
from scipy.special import chdtrc, roots_laguerre
from trials import (
    DEATH_HAZARD,
    DROP_OUT_HAZARD,
    HORIZON,
    SITE_EFFECTS,
    SITE_SHARES,
    Flags,
    Floats,
    Integers,
    Randomised,
    Scenario,
    level,
    randomised,
    scenarios,
)

from ipseval.errors import AnalysisError
from ipseval.stats.tables import normal_quantile
from ipseval.stats.times.andersen_gill import andersen_gill
from ipseval.stats.times.mean_cumulative import (
    MeanCumulative,
    mean_cumulative,
    mean_cumulative_difference,
    mean_cumulative_ratio,
    mean_cumulative_test,
)

_FEW_PEOPLE = (
    "The variance comes from people, and with 25 in an arm, a few of whom have most of the jobs, it is too "
    "small. Use `mean_cumulative_number_ratio`."
)

SHORTFALLS = (
    Shortfall(
        "mean_cumulative_number",
        "ghosh_lin_log_t",
        "coverage",
        ((50, (0.45, 0.65)),),
        "By little, and contrasts with the other arm hold: in an arm of 25 a few people with many jobs are "
        "as likely as not to be missing.",
    ),
    Shortfall(
        "rate_ratio",
        "andersen_gill, strata=site",
        "coverage",
        ((50, (0.45, 0.45)), (50, (0.25, 0.45)), (50, (0.45, 0.65))),
        _FEW_PEOPLE,
    ),
    Shortfall(
        "rate_ratio",
        "andersen_gill, strata=site",
        "type_i",
        ((50, (0.25, 0.25)), (50, (0.45, 0.45)), (150, (0.45, 0.45))),
        f"For the same reason; at 150 people by little. {_FEW_PEOPLE.rpartition('. ')[2]}",
    ),
)

#: What every analysis gives: lower limit, upper limit and p value, NaN where there is none.
Answer = tuple[float, float, float]
_NONE = (np.nan, np.nan, np.nan)

#: Rates of people as multiples of the rate of their arm and site, and how common each is.
_MULTIPLES, _SHARES = roots_laguerre(40)


class Jobs(NamedTuple):
    """What one trial records: days of everyone and whether death ended them; person and day of every job."""

    days: Integers
    died: Flags
    person: Integers
    job_day: Integers


class Trial:
    """One replicate, and what several analyses read off."""

    def __init__(self, jobs: Jobs, site: Integers, is_active: Flags) -> None:
        self.jobs, self.site, self.is_active = jobs, site, is_active

    @cached_property
    def means(self) -> list[MeanCumulative]:
        """Mean number of jobs of either arm at 30 months, the active one first."""
        return [self._mean(is_in) for is_in in (self.is_active, ~self.is_active)]

    def _mean(self, is_in: Flags) -> MeanCumulative:
        days, died, person, job_day = self.jobs
        theirs = is_in[person]
        place = (np.cumsum(is_in) - 1)[person[theirs]]
        return mean_cumulative(days[is_in], died[is_in], place, job_day[theirs], times=HORIZON - 1)


def mean_of_active(trial: Trial) -> Answer:
    """Return the limits of the active arm's mean number of jobs."""
    return _limits(trial.means[0])


def contrast(of: Callable[..., Any], interval: str) -> Callable[[Trial], Answer]:
    """Return the analysis of a contrast of the mean numbers."""
    return lambda trial: _limits(of(*trial.means, interval=interval))


def tested(trial: Trial, strata: Integers | None = None) -> Answer:
    """Return the test of equal means, plain or within strata."""
    return np.nan, np.nan, mean_cumulative_test(*trial.jobs, trial.is_active, strata=strata).p_value


def rate_ratio(trial: Trial) -> Answer:
    """Return Wald limits and test of the Andersen-Gill model within sites, as in the table of results."""
    days, _, person, job_day = trial.jobs
    fit = andersen_gill(days, person, job_day, trial.is_active.astype(np.float64), strata=trial.site)
    if not fit.converged:
        return _NONE
    value, std_error = float(fit.coef[0]), float(fit.std_error[0]) or np.nan
    half = normal_quantile(0.95) * std_error
    p_value = float(chdtrc(1, (value / std_error) ** 2))
    return float(np.exp(value - half)), float(np.exp(value + half)), p_value


#: Every analysis, with the name of its truth.
ANALYSES: dict[Method, tuple[str, Callable[[Trial], Answer]]] = {
    Method("mean_cumulative_number", "ghosh_lin_log_t"): ("mean", mean_of_active),
    Method("mean_cumulative_number_difference", "ghosh_lin_log_t"): (
        "difference",
        contrast(mean_cumulative_difference, "log-t"),
    ),
    Method("mean_cumulative_number_ratio", "ghosh_lin_log_t"): (
        "ratio",
        contrast(mean_cumulative_ratio, "log-t"),
    ),
    Method("mean_cumulative_number_test", "ghosh_lin_test, strata=site", False): (
        "none",
        lambda trial: tested(trial, trial.site),
    ),
    Method("rate_ratio", "andersen_gill, strata=site"): ("ratio_of_rates", rate_ratio),
    Method("mean_cumulative_number_difference", "ghosh_lin", False): (
        "difference",
        contrast(mean_cumulative_difference, "plain"),
    ),
    Method("mean_cumulative_number_ratio", "ghosh_lin", False): (
        "ratio",
        contrast(mean_cumulative_ratio, "log"),
    ),
    Method("mean_cumulative_number_test", "ghosh_lin_test"): ("none", tested),
}


def log_rates(scenario: Scenario) -> Floats:
    """Return the log rate of jobs in the reference and the active arm, in a site of effect 0."""
    return np.array([level(rate, share_with_job) for rate in scenario[1:]])


def share_with_job(log_rate: float) -> float:
    """Return the share with any new job within 30 months, death competing, over all sites and people."""
    job = np.exp(log_rate + SITE_EFFECTS)[:, None] * _MULTIPLES
    either = job + DEATH_HAZARD
    return float(SITE_SHARES @ (job / either * -np.expm1(-either * HORIZON)) @ _SHARES)


def mean_number(log_rate: float) -> float:
    """Return the mean number of new jobs within 30 months, the dead having no more."""
    alive = -np.expm1(-DEATH_HAZARD * HORIZON) / DEATH_HAZARD
    return float(SITE_SHARES @ np.exp(log_rate + SITE_EFFECTS) * alive)


def started(rng: Generator, people: Randomised, log_rate: Floats) -> Iterator[Jobs]:
    """Yield the jobs that each trial records up to 30 months; one on the last day followed is seen."""
    shape = people.site.shape
    rate = np.exp(log_rate[people.is_active.astype(np.int64)] + SITE_EFFECTS[people.site])
    rate *= rng.exponential(size=shape)
    death = rng.exponential(size=shape) / DEATH_HAZARD
    last = np.minimum(np.floor(rng.exponential(size=shape) / DROP_OUT_HAZARD), HORIZON)
    died = (np.floor(death) <= last) & (death < HORIZON)
    days = np.where(died, np.floor(death), last).astype(np.int64)
    under_observation = np.minimum(np.minimum(death, last + 1), HORIZON)
    number = rng.poisson(rate * under_observation)
    for row in range(shape[0]):
        person = np.repeat(np.arange(shape[1]), number[row])
        job_day = np.floor(rng.random(person.size) * under_observation[row][person]).astype(np.int64)
        yield Jobs(days[row], died[row], person, job_day)


def truths(scenario: Scenario) -> dict[str, float]:
    """Return what is estimated."""
    reference, active = log_rates(scenario)
    means = mean_number(active), mean_number(reference)
    return {
        "none": np.nan,
        "mean": means[0],
        "difference": means[0] - means[1],
        "ratio": means[0] / means[1],
        "ratio_of_rates": float(np.exp(active - reference)),
    }


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    for scenario, rng in scenarios(seed):
        people = randomised(rng, replicates, scenario.n)
        recorded = started(rng, people, log_rates(scenario))
        trials = [Trial(*row) for row in zip(recorded, *people, strict=True)]
        truth = truths(scenario)
        for method, (name, analysis) in ANALYSES.items():
            low, high, p_value = np.transpose([_answer(analysis, trial) for trial in trials])
            yield judged(method, scenario, truth[name], low=low, high=high, p_value=p_value)


def _answer(analysis: Callable[[Trial], Answer], trial: Trial) -> Answer:
    """Return what an analysis says, or nothing where it refuses."""
    try:
        return analysis(trial)
    except AnalysisError:
        return _NONE


def _limits(found: Any) -> Answer:
    return float(found.conf_low[0]), float(found.conf_high[0]), np.nan


def main() -> None:
    """Write results/recurrent.csv and .md."""
    given = arguments(__doc__, replicates=2_000)
    written("recurrent", given, rows, SHORTFALLS)


if __name__ == "__main__":
    main()
