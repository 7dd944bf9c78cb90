"""Bias, coverage and type I error of the models of repeated outcomes.

Three assessments, at 6, 18 and 30 months, in 4, 6 or 12 sites of one size that differ as much as the
intraclass correlation says. People leave because of how they do: whoever was not in work at an assessment, or
had a score below the middle, is about twice as likely to be gone by the next one, some 30% in all. What is
missing is missing at random given what was seen, not completely at random. Sites are fixed effects, as they
are by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.random import Generator, SeedSequence
from record import Layout, Method, Shortfall, arguments, judged, written
from scipy.special import expit, ndtr, ndtri
from trials import Flags, Floats, Integers, level

from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.assessments import Assessments, Covariates
from ipseval.estimate.repeated.population_averages import population
from ipseval.stats.repeated.estimating_equations import estimating_equations
from ipseval.stats.repeated.population_average import PopulationAveraged, population_averaged, standardised
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from ipseval.stats.repeated.repeated_measures import repeated_measures

MONTHS = (6.0, 18.0, 30.0)
ARMS = ("usual", "IPS")
#: Of the intercepts of persons, in log odds: answers of one person are far from independent.
PERSON_SD = 1.5
REFERENCE_RATES, GAINS = (0.15, 0.20, 0.25), (0.10, 0.15, 0.20)
#: Chances to be gone by the next assessment, of those who were not in work and of those who were.
LEAVING = (0.19, 0.10)
SCORE_SD = (0.7, 0.6, (1.0, 1.2, 1.4))  # of persons, of assessments, and how the latter grows
SCORE_GAIN, SLOPE_OF_BASELINE = 0.4, 0.5


class Scenario(NamedTuple):
    """A trial of ``n`` people in ``sites`` sites; the rates are those at 30 months."""

    n: int
    sites: int
    icc: float
    reference_rate: float
    active_rate: float

    @property
    def is_null(self) -> bool:
        """Whether the arms are alike."""
        return self.reference_rate == self.active_rate

    def site_effects(self, within: float) -> Floats:
        """Return effects of the sites whose variance is ``icc`` of the whole, given that within sites."""
        spread = ndtri((np.arange(self.sites) + 0.5) / self.sites)
        return np.asarray(spread / spread.std() * np.sqrt(within * self.icc / (1.0 - self.icc)))


SIZES = (60, 150, 600)
SITES = ((4, 0.0), (4, 0.2), (6, 0.1), (12, 0.0), (12, 0.2))
ALIKE, APART = ((REFERENCE_RATES[-1], REFERENCE_RATES[-1] + gain) for gain in (0.0, GAINS[-1]))

LAYOUT = Layout(
    names=("sites", "icc", "reference_rate", "active_rate"),
    sizes=SIZES,
    columns=tuple((*each, *APART) for each in SITES),
    columns_alike=tuple((*each, *ALIKE) for each in SITES),
    head=lambda column: f"{column[0]} sites (ICC {column[1]:g})",
)
_SMALL_SITES = (
    "Twelve sites of five to thirteen people: in some nobody is in work, or everybody is, and with sites as "
    "fixed effects such a trial has no answer. Coverage is of the other trials, in which more people are in "
    "work. Leave site out of `adjust`, or ask for `nested_site`."
)
_CHANCE = (
    "By chance: of forty-five such cells one to three are expected above 6.5%. A thousand further trials of "
    "each of the cells with another seed rejected"
)
_SHORT = {
    "population_averaged_difference": (
        "adaptive_gauss_hermite_25",
        ((60, (4, 0.0)), (150, (4, 0.2)), (150, (6, 0.1)), (600, (6, 0.1)), (600, (12, 0.0))),
        "4.8, 4.7, 5.7, 5.4 and 5.9%",
    ),
    "conditional_log_odds_ratio": (
        "adaptive_gauss_hermite_25",
        ((600, (6, 0.1)), (600, (12, 0.0))),
        "5.4 and 5.3%",
    ),
    "population_averaged_ratio": (
        "adaptive_gauss_hermite_25",
        ((600, (6, 0.1)), (600, (12, 0.0))),
        "5.3 and 5.2%",
    ),
    "least_squares_mean_difference": ("mmrm_unstructured, kenward_roger", ((150, (4, 0.0)),), "4.6%"),
    "arm_by_month_test": ("mmrm_unstructured, kenward_roger", ((60, (12, 0.0)),), "4.4%"),
}
SHORTFALLS = (
    Shortfall(
        "population_averaged_probability",
        "adaptive_gauss_hermite_25",
        "coverage",
        (
            (60, (12, 0.0, *ALIKE)),
            (60, (12, 0.2, *ALIKE)),
            (60, (12, 0.2, *APART)),
            (150, (12, 0.0, *APART)),
        ),
        _SMALL_SITES,
    ),
    *(
        Shortfall(
            quantity,
            method,
            "type_i",
            tuple((n, (*sites, *ALIKE)) for n, sites in cells),
            f"{_CHANCE} {again}.",
        )
        for quantity, (method, cells, again) in _SHORT.items()
    ),
)

#: Estimate, lower and upper limit, p value; NaN where there is none.
Answer = tuple[float, float, float, float]
_NONE: Answer = (np.nan, np.nan, np.nan, np.nan)
Answers = dict[Method, Answer]


# ---- made-up trials


def people(rng: Generator, scenario: Scenario) -> tuple[Integers, Flags]:
    """Return site and arm of everyone, randomised in blocks of four within sites that fill up in turn."""
    site = np.arange(scenario.n) % scenario.sites
    is_active = np.zeros(scenario.n, dtype=bool)
    for each in range(scenario.sites):
        here = np.flatnonzero(site == each)
        blocks = rng.permuted(np.tile([True, True, False, False], (-(-here.size // 4), 1)), axis=1)
        is_active[here] = blocks.ravel()[: here.size]
    return site, is_active


@cache
def log_odds(rate: float, sites: int, icc: float) -> float:
    """Return the log odds of a person in the middle at which a population has this rate."""
    scenario = Scenario(0, sites, icc, rate, rate)
    z, weight = hermegauss(80)
    effects = scenario.site_effects(PERSON_SD**2 + np.pi**2 / 3.0)
    spread = (effects[:, None] + PERSON_SD * z).ravel()
    weight = np.tile(weight / weight.sum(), sites) / sites
    return level(rate, lambda at: float(expit(at + spread) @ weight))


def employed(rng: Generator, scenario: Scenario, site: Integers, is_active: Flags) -> Floats:
    """Return the answers, shape (people, months), with missing ones after people left."""
    gains = np.zeros(3) if scenario.is_null else np.array(GAINS)
    rates = np.array([REFERENCE_RATES, REFERENCE_RATES + gains])
    odds = np.array(
        [[log_odds(rate, scenario.sites, scenario.icc) for rate in arm] for arm in rates.tolist()]
    )
    own = PERSON_SD * rng.normal(size=scenario.n)
    own = own + scenario.site_effects(PERSON_SD**2 + np.pi**2 / 3.0)[site]
    y = (rng.random((scenario.n, 3)) < expit(odds[is_active.astype(int)] + own[:, None])).astype(float)
    return until_left(rng, y, y == 0.0)


def scores(rng: Generator, scenario: Scenario, site: Integers, is_active: Flags) -> tuple[Floats, Floats]:
    """Return scores, shape (people, months), with missing ones after people left, and their baseline."""
    of_person, of_time, growing = SCORE_SD
    baseline = rng.normal(size=scenario.n)
    own = of_person * rng.normal(size=scenario.n) + SLOPE_OF_BASELINE * baseline
    own = own + scenario.site_effects(of_person**2 + of_time**2)[site]
    own = own + (0.0 if scenario.is_null else SCORE_GAIN) * is_active
    y = own[:, None] + of_time * np.array(growing) * rng.normal(size=(scenario.n, 3))
    return until_left(rng, y, y < 0.0), baseline


def until_left(rng: Generator, y: Floats, at_risk: Flags) -> Floats:
    """Return the outcomes with those after a person left missing; who is ``at_risk`` leaves more often."""
    chance = np.where(at_risk[:, :-1], *LEAVING)
    gone = (rng.random(chance.shape) < chance).cumsum(axis=1) > 0
    return np.where(np.column_stack([np.zeros(len(y), dtype=bool), gone]), np.nan, y)


def panel(y: Floats, site: Integers, is_active: Flags, *covariates: Floats) -> Assessments:
    """Return the assessments that were seen, adjusted for site and the covariates."""
    columns = np.column_stack([site[:, None] == np.arange(1, site.max() + 1), *covariates]).astype(float)
    columns = columns - columns.mean(axis=0)
    month, person = np.nonzero(~np.isnan(y.T))
    names = tuple(f"column {place}" for place in range(columns.shape[1]))
    return Assessments(
        y=y[person, month],
        person=person,
        month=month,
        arm=is_active.astype(np.intp)[person],
        months=MONTHS,
        arms=ARMS,
        covariates=Covariates(columns, names, names),
    )


# ---- what users get of them


def by_intercept(seen: Assessments) -> Answers:
    """Return the answers of the random-intercept logistic model."""
    fit = random_intercept_logistic(seen.y, seen.design, seen.person)
    if not fit.converged:
        raise AnalysisError(fit.note)
    low, high = fit.limits()
    place = int(np.argmax(seen.effect(2, 1)))
    z = fit.coefficients[place] / fit.std_error[place]
    odds = (float(fit.coefficients[place]), float(low[place]), float(high[place]), float(2 * ndtr(-abs(z))))
    everyone, target = population(seen)
    method = "adaptive_gauss_hermite_25"
    answers = {Method("conditional_log_odds_ratio", method): odds}
    return answers | of_population(population_averaged(fit, everyone, target=target), method, True)


def by_equations(seen: Assessments) -> Answers:
    """Return the answers of estimating equations with their defaults."""
    fit = estimating_equations(seen.y, seen.design, seen.person, seen.month, correlation="exchangeable")
    if not fit.converged:
        raise AnalysisError("not converged")
    everyone, target = population(seen)
    found = standardised(fit, everyone, target=target, variance="mancl_derouen")
    return of_population(found, "gee_exchangeable", False)


def of_population(found: PopulationAveraged, method: str, is_default: bool) -> Answers:
    """Return the active arm's probability at 30 months, and its difference from and ratio to the other's."""
    active, reference = (f"{arm}|30" for arm in reversed(ARMS))
    place = found.target.tolist().index(active)
    low, high = found.limits()
    answers = {
        Method("population_averaged_probability", method, is_default): (
            float(found.probability[place]),
            float(low[place]),
            float(high[place]),
            np.nan,
        )
    }
    for measure in ("difference", "ratio"):
        one = found.compare(active, reference, measure=measure)
        limits = (one.conf_low, one.conf_high)
        limits = found.joined_limits(active, reference) if measure == "difference" else limits
        method_of = Method(f"population_averaged_{measure}", method, is_default)
        answers[method_of] = (one.estimate, *limits, one.p_value)
    return answers


def by_mmrm(seen: Assessments) -> Answers:
    """Return the difference at 30 months from the mixed model for repeated measures with its defaults."""
    fit = repeated_measures(seen.y, seen.design, seen.person, seen.month, covariance="unstructured")
    if not fit.converged:
        raise AnalysisError("not converged")
    answers = {}
    for df in ("kenward_roger", "satterthwaite"):
        one = fit.inference.contrast(seen.effect(2, 1), df=df)
        method = Method("least_squares_mean_difference", f"mmrm_unstructured, {df}", df == "kenward_roger")
        answers[method] = (one.estimate, one.conf_low, one.conf_high, one.p_value)
        test = fit.inference.test(seen.changes(1), df=df)
        method = Method("arm_by_month_test", f"mmrm_unstructured, {df}", df == "kenward_roger")
        answers[method] = (np.nan, np.nan, np.nan, test.p_value)
    return answers


def answered(seen: Assessments, model: Callable[[Assessments], Answers]) -> Answers:
    """Return what a model answers, nothing where it refuses."""
    try:
        with np.errstate(all="ignore"):
            return model(seen)
    except (AnalysisError, np.linalg.LinAlgError):
        return {}


def truths(scenario: Scenario) -> dict[str, float]:
    """Return what each quantity estimates at 30 months."""
    active, reference = scenario.active_rate, scenario.reference_rate
    odds = [log_odds(rate, scenario.sites, scenario.icc) for rate in (active, reference)]
    return {
        "conditional_log_odds_ratio": odds[0] - odds[1],
        "population_averaged_probability": active,
        "population_averaged_difference": active - reference,
        "population_averaged_ratio": active / reference,
        "least_squares_mean_difference": 0.0 if scenario.is_null else SCORE_GAIN,
        "arm_by_month_test": np.nan,
    }


MODELS: tuple[tuple[str, Callable[[Assessments], Answers]], ...] = (
    ("employed", by_intercept),
    ("employed", by_equations),
    ("score", by_mmrm),
)


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    every = [Scenario(n, *sites, *rates) for n in SIZES for sites in SITES for rates in (ALIKE, APART)]
    for scenario, child in zip(every, SeedSequence(seed).spawn(len(every)), strict=True):
        rng, truth = np.random.default_rng(child), truths(scenario)
        found = [trial(rng, scenario) for _ in range(replicates)]
        for method in dict.fromkeys(method for answers in found for method in answers):
            estimate, low, high, p = np.transpose([answers.get(method, _NONE) for answers in found])
            true = truth[method.quantity]
            yield judged(method, scenario, true, low=low, high=high, p_value=p, estimate=estimate)


def trial(rng: Generator, scenario: Scenario) -> Answers:
    """Return what every model answers in one trial."""
    site, is_active = people(rng, scenario)
    y = employed(rng, scenario, site, is_active)
    score, baseline = scores(rng, scenario, site, is_active)
    seen = {"employed": panel(y, site, is_active), "score": panel(score, site, is_active, baseline)}
    answers: Answers = {}
    for outcome, model in MODELS:
        answers |= answered(seen[outcome], model)
    return answers


def main() -> None:
    """Write results/mixed.csv and .md."""
    given = arguments(__doc__, replicates=1_000)
    written("mixed", given, rows, SHORTFALLS, LAYOUT)


if __name__ == "__main__":
    main()
