"""Coverage and type I error of proportions standardised over covariates by logistic regression.

Adjusted for site, for whether people worked before (40% of them; odds ratio 2.7) and for a score (standard
normal). The working model is wrong on purpose: log odds rise with the score and with its square, of which the
model knows nothing. Truths are computed by quadrature over the score. Where a sample is separated Firth's
penalty stands in, as it does in the table of results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.random import Generator
from record import Method, Shortfall, arguments, judged, written
from scipy.special import expit
from trials import (
    SITE_EFFECTS,
    SITE_SHARES,
    Flags,
    Floats,
    Integers,
    Scenario,
    level,
    randomised,
    scenarios,
)

from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.adjusted_rates import MEASURES, People
from ipseval.stats.regression.marginal_contrasts import Standardised
from ipseval.stats.regression.standardisation import standardised_means

SHORTFALLS = (
    Shortfall(
        "risk_ratio",
        "standardisation",
        "coverage",
        ((50, (0.05, 0.25)),),
        "In a quarter of trials nobody in the reference arm has the outcome. Firth's penalty then gives it a "
        "rate next to 0, by the accident of who has which covariates, or below 0, where there is no answer "
        "and coverage is of the other trials. Use `miettinen_nurminen`, or the difference.",
    ),
)

SHARE_WORKED_BEFORE, EFFECT_WORKED_BEFORE = 0.4, 1.0
EFFECT_SCORE, EFFECT_SQUARE = 0.5, 0.3

#: Lower limit, upper limit and p value of a contrast; NaN where there is none.
Answer = tuple[float, float, float]
_NONE = (np.nan, np.nan, np.nan)


class Sample(NamedTuple):
    """Outcome, arm, site and covariates of the people of one replicate."""

    y: Flags
    is_active: Flags
    site: Integers
    worked_before: Flags
    score: Floats

    @property
    def columns(self) -> Floats:
        """The covariates of the working model, without what does not vary."""
        sites = self.site[:, None] == np.arange(1, SITE_SHARES.size)
        columns = np.column_stack([sites, self.worked_before, self.score]).astype(np.float64)
        return columns[:, (columns != columns[0]).any(axis=0)]


def log_odds(
    intercept: float | Floats, site_effect: Floats, worked_before: Floats | Flags, score: Floats
) -> Floats:
    """Return the true log odds, of which the square is left out of the working model."""
    known = intercept + site_effect + EFFECT_WORKED_BEFORE * worked_before + EFFECT_SCORE * score
    return np.asarray(known + EFFECT_SQUARE * (score**2 - 1))


def intercept(rate: float) -> float:
    """Return the intercept at which an arm as a whole has a rate."""
    score, weight = hermegauss(120)
    weight = weight / weight.sum()
    before = np.array([1 - SHARE_WORKED_BEFORE, SHARE_WORKED_BEFORE])

    def rate_at(at: float) -> float:
        of_all = log_odds(at, SITE_EFFECTS[:, None, None], np.array([0.0, 1.0])[:, None], score)
        return float(np.einsum("sbq,s,b,q", expit(of_all), SITE_SHARES, before, weight))

    return level(rate, rate_at)


def samples(rng: Generator, replicates: int, scenario: Scenario) -> Iterator[Sample]:
    """Yield the people of each replicate."""
    site, is_active = randomised(rng, replicates, scenario.n)
    worked_before = rng.random(site.shape) < SHARE_WORKED_BEFORE
    score = rng.normal(size=site.shape)
    of_arm = np.array([intercept(scenario.reference_rate), intercept(scenario.active_rate)])
    odds = log_odds(of_arm[is_active.astype(np.int64)], SITE_EFFECTS[site], worked_before, score)
    y = rng.random(site.shape) < expit(odds)
    for row in zip(y, is_active, site, worked_before, score, strict=True):
        yield Sample(*row)


def standardised(sample: Sample) -> Standardised | None:
    """Return the standardised proportions as `ips.rates` does with ``adjust``; None where it refuses."""
    people = People(
        y=sample.y.astype(np.float64),
        in_active=sample.is_active,
        columns=sample.columns,
        labels=[],
        stratum=sample.site,
        note="",
    )
    try:
        return standardised_means(
            people.y,
            people.in_active,
            people.columns,
            model="firth" if people.is_separated() else "logistic",
            strata=people.stratum,
        )
    except AnalysisError:
        return None


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    for scenario, rng in scenarios(seed):
        _, reference, active = scenario
        odds = [rate / (1 - rate) for rate in (active, reference)]
        truths = {"risk_difference": active - reference, "risk_ratio": active / reference}
        truths["odds_ratio"] = odds[0] / odds[1]
        found = [standardised(sample) for sample in samples(rng, replicates, scenario)]
        limits = [_of_active_arm(each) for each in found]
        method = Method("proportion", "standardisation")
        yield judged(method, scenario, active, low=[a for a, _ in limits], high=[b for _, b in limits])
        for quantity, measure in MEASURES.items():
            low, high, p_value = np.transpose([_contrast(each, measure) for each in found])
            method = Method(quantity, "standardisation")
            yield judged(method, scenario, truths[quantity], low=low, high=high, p_value=p_value)


def _of_active_arm(found: Standardised | None) -> tuple[float, float]:
    if found is None:
        return np.nan, np.nan
    mean = found.mean(True)
    return mean.conf_low, mean.conf_high


def _contrast(found: Standardised | None, measure: str) -> Answer:
    if found is None:
        return _NONE
    contrast = found.contrast(measure)
    return contrast.conf_low, contrast.conf_high, contrast.p_value


def main() -> None:
    """Write results/adjusted.csv and .md."""
    given = arguments(__doc__, replicates=2_000)
    written("adjusted", given, rows, SHORTFALLS)


if __name__ == "__main__":
    main()
