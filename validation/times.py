"""Coverage and type I error of what is said of times to a first job, with 30% lost and 3% dead by 30 months.

Hazards of a first job are constant, and proportional in the arms of a site; death, which competes, and
drop-out have one constant hazard for all. Truths are computed from the hazards, day by day, not simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from record import Method, Shortfall, arguments, judged, written
from scipy.special import chdtrc
from trials import (
    HORIZON,
    Flags,
    Integers,
    Scenario,
    courses,
    event_free,
    incidence,
    log_hazards,
    observed,
    randomised,
    scenarios,
)

from ipseval.errors import AnalysisError
from ipseval.stats.tables import normal_quantile
from ipseval.stats.times.cox import cox
from ipseval.stats.times.cumulative_incidence import IncidenceAt, cumulative_incidence, incidence_at
from ipseval.stats.times.gray import gray_test
from ipseval.stats.times.kaplan_meier import kaplan_meier, probability_limits, survival_at
from ipseval.stats.times.log_rank import log_rank
from ipseval.stats.times.milestones import milestone_difference, milestone_ratio
from ipseval.stats.times.restricted_mean import (
    RestrictedMean,
    restricted_mean,
    restricted_mean_difference,
    restricted_mean_ratio,
    restricted_time_lost,
)

_FEW_EVENTS = ((50, (0.05, 0.25)),)

SHORTFALLS = (
    Shortfall(
        "restricted_mean_time_lost_difference",
        "aalen_johansen",
        "coverage",
        _FEW_EVENTS,
        "One or two people of the reference arm find work, and symmetric limits are too narrow for what is "
        "known of it. Use `cumulative_incidence_difference` with its joined limits, "
        "`aalen_johansen_log_log`.",
    ),
    Shortfall(
        "restricted_mean_time_lost_ratio",
        "aalen_johansen",
        "coverage",
        _FEW_EVENTS,
        "For the same reason. Use `cumulative_incidence_ratio`.",
    ),
    Shortfall(
        "restricted_mean_survival_time_difference",
        "kaplan_meier",
        "coverage",
        _FEW_EVENTS,
        "For the same reason. Use `cumulative_incidence_difference`.",
    ),
    Shortfall(
        "restricted_mean_survival_time_difference",
        "kaplan_meier",
        "type_i",
        ((50, (0.45, 0.45)),),
        "By little: 5.6% (0.3) in 6,000 further trials. With 25 people in an arm the normal limits are a bit "
        "narrow; use `log_rank`.",
    ),
    Shortfall(
        "gray_test",
        "gray, strata=site",
        "type_i",
        ((150, (0.25, 0.25)),),
        "By chance: 5.3% (0.3) in 6,000 further trials.",
    ),
)

#: What every analysis gives: lower limit, upper limit and p value, NaN where there is none.
Answer = tuple[float, float, float]
_NONE = (np.nan, np.nan, np.nan)


class Trial:
    """One replicate: days, cause, site and arm of its people, and what several analyses read off."""

    def __init__(self, days: Integers, cause: Integers, site: Integers, is_active: Flags) -> None:
        self.days, self.cause, self.site, self.is_active = days, cause, site, is_active
        #: Whether a first job came; death censors, as the log-rank test and the Cox model have it.
        self.event: Flags = cause == 1
        #: Days and causes of the active and of the reference arm.
        self.arms = [(days[is_in], cause[is_in]) for is_in in (is_active, ~is_active)]

    @cached_property
    def incidences(self) -> list[IncidenceAt]:
        """Cumulative incidence of either arm at 30 months."""
        return [incidence_at(cumulative_incidence(*arm), [HORIZON - 1]) for arm in self.arms]

    @cached_property
    def times_lost(self) -> list[RestrictedMean]:
        """Mean time since the first job of either arm."""
        return [restricted_time_lost(*arm, HORIZON) for arm in self.arms]


def incidence_limits(trial: Trial, interval: str) -> Answer:
    """Return the limits of the active arm's cumulative incidence at 30 months."""
    found = trial.incidences[0]
    low, high = probability_limits(found.incidence, found.std_error, 0.95, interval)
    return float(low[0]), float(high[0]), np.nan


def kaplan_meier_limits(trial: Trial, interval: str) -> Answer:
    """Return the limits of the active arm's probability to be alive without a job at 30 months."""
    days, cause = trial.arms[0]
    found = survival_at(kaplan_meier(days, cause > 0, interval=interval), [HORIZON - 1])
    return float(found.conf_low[0]), float(found.conf_high[0]), np.nan


def milestone(contrast: Callable[..., Any], interval: str) -> Callable[[Trial], Answer]:
    """Return the analysis of a contrast of incidences at 30 months."""
    return lambda trial: _first(contrast(*trial.incidences, interval=interval))


def time_lost(contrast: Callable[..., Any]) -> Callable[[Trial], Answer]:
    """Return the analysis of a contrast of mean times since the first job."""
    return lambda trial: _first(contrast(*trial.times_lost))


def survival_time_difference(trial: Trial) -> Answer:
    """Return the difference of the mean times alive without a job."""
    free = [restricted_mean(days, cause > 0, HORIZON) for days, cause in trial.arms]
    return _first(restricted_mean_difference(*free))


def hazard_ratio(trial: Trial) -> Answer:
    """Return Wald limits and test of the Cox model stratified by site, as in the table of results."""
    fit = cox(trial.days, trial.event, trial.is_active[:, None].astype(np.float64), strata=trial.site)
    if not fit.converged:
        return _NONE
    value, std_error = float(fit.coef[0]), float(fit.std_error[0]) or np.nan
    half = normal_quantile(0.95) * std_error
    p_value = float(chdtrc(1, (value / std_error) ** 2))
    return float(np.exp(value - half)), float(np.exp(value + half)), p_value


def tested(p_value: Callable[[Trial], float]) -> Callable[[Trial], Answer]:
    """Return the analysis of a test without limits."""
    return lambda trial: (np.nan, np.nan, float(p_value(trial)))


def log_rank_p_value(trial: Trial, strata: Integers | None = None) -> Answer:
    """Return the log-rank test, plain or within strata."""
    return np.nan, np.nan, log_rank(trial.days, trial.event, trial.is_active, strata=strata).p_value


def gray_p_value(trial: Trial, strata: Integers | None = None) -> Answer:
    """Return Gray's test, plain or within strata."""
    return np.nan, np.nan, gray_test(trial.days, trial.cause, trial.is_active, strata=strata).p_value


#: Every analysis, with the name of its truth.
ANALYSES: dict[Method, tuple[str, Callable[[Trial], Answer]]] = {
    Method("cumulative_incidence", "aalen_johansen"): (
        "incidence",
        lambda trial: incidence_limits(trial, "log-log"),
    ),
    Method("event_free", "kaplan_meier"): (
        "event_free",
        lambda trial: kaplan_meier_limits(trial, "log-log"),
    ),
    Method("cumulative_incidence_difference", "aalen_johansen_log_log"): (
        "difference",
        milestone(milestone_difference, "log-log"),
    ),
    Method("cumulative_incidence_ratio", "aalen_johansen_log_log"): (
        "ratio",
        milestone(milestone_ratio, "log-log"),
    ),
    Method("restricted_mean_time_lost_difference", "aalen_johansen"): (
        "time_lost_difference",
        time_lost(restricted_mean_difference),
    ),
    Method("restricted_mean_time_lost_ratio", "aalen_johansen"): (
        "time_lost_ratio",
        time_lost(restricted_mean_ratio),
    ),
    Method("restricted_mean_survival_time_difference", "kaplan_meier"): (
        "survival_time_difference",
        survival_time_difference,
    ),
    Method("hazard_ratio", "cox_efron, strata=site"): ("hazard_ratio", hazard_ratio),
    Method("log_rank_test", "log_rank, strata=site"): (
        "none",
        lambda trial: log_rank_p_value(trial, trial.site),
    ),
    Method("gray_test", "gray, strata=site"): ("none", lambda trial: gray_p_value(trial, trial.site)),
    Method("cumulative_incidence", "aalen_johansen, complementary log-log", False): (
        "incidence",
        lambda trial: incidence_limits(trial, "complementary log-log"),
    ),
    Method("event_free", "kaplan_meier, plain", False): (
        "event_free",
        lambda trial: kaplan_meier_limits(trial, "plain"),
    ),
    Method("cumulative_incidence_difference", "aalen_johansen", False): (
        "difference",
        milestone(milestone_difference, "plain"),
    ),
    Method("cumulative_incidence_difference", "aalen_johansen, complementary log-log", False): (
        "difference",
        milestone(milestone_difference, "complementary log-log"),
    ),
    Method("log_rank_test", "log_rank", False): ("none", log_rank_p_value),
    Method("gray_test", "gray", False): ("none", gray_p_value),
}


def truths(scenario: Scenario) -> dict[str, float]:
    """Return what is estimated: on whole days, of which day d holds what happens from d to d + 1."""
    reference, active = log_hazards(scenario)
    ends = np.arange(1.0, HORIZON + 1)
    lost = [incidence(arm, ends).sum() for arm in (active, reference)]
    free = [event_free(arm, ends).sum() for arm in (active, reference)]
    return {
        "none": np.nan,
        "incidence": scenario.active_rate,
        "event_free": float(event_free(active, HORIZON)),
        "difference": scenario.active_rate - scenario.reference_rate,
        "ratio": scenario.active_rate / scenario.reference_rate,
        "time_lost_difference": lost[0] - lost[1],
        "time_lost_ratio": lost[0] / lost[1],
        "survival_time_difference": free[0] - free[1],
        "hazard_ratio": float(np.exp(active - reference)),
    }


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    for scenario, rng in scenarios(seed):
        people = randomised(rng, replicates, scenario.n)
        columns = (*observed(courses(rng, people, log_hazards(scenario))), *people)
        trials = [Trial(*row) for row in zip(*columns, strict=True)]
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


def _first(found: Any) -> Answer:
    return float(found.conf_low[0]), float(found.conf_high[0]), float(found.p_value[0])


def main() -> None:
    """Write results/times.csv and .md."""
    given = arguments(__doc__, replicates=2_000)
    written("times", given, rows, SHORTFALLS)


if __name__ == "__main__":
    main()
