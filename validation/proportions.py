"""Coverage and type I error of intervals and tests for proportions: one trial of four sites per replicate.

The odds ratio is the same in every site, so that the Mantel-Haenszel odds ratio has a truth of its own; the
other contrasts are of the arms as a whole. Truths are computed, not simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from record import Method, Shortfall, arguments, judged, written
from scipy.special import expit
from trials import SITE_EFFECTS, SITE_SHARES, Integers, Scenario, level, randomised, scenarios

from ipseval.estimate.proportions import stratified_rates
from ipseval.estimate.proportions.unadjusted_rates import METHODS
from ipseval.stats.proportions import (
    association,
    one_proportion,
    stratified_proportions,
    stratified_tests,
    two_proportions,
)

SHORTFALLS: tuple[Shortfall, ...] = ()


class Table(NamedTuple):
    """Events and people per replicate and site, of the active and then of the reference arm."""

    x1: Integers
    n1: Integers
    x0: Integers
    n0: Integers


def log_odds(rate: float) -> float:
    """Return the log odds in a site of effect 0 at which the arm as a whole has a rate."""
    return level(rate, lambda at: float(SITE_SHARES @ expit(at + SITE_EFFECTS)))


def tables(rng: Generator, replicates: int, scenario: Scenario) -> Table:
    """Return the table by site of each replicate."""
    site, is_active = randomised(rng, replicates, scenario.n)
    arms = []
    for rate, is_in in ((scenario.active_rate, is_active), (scenario.reference_rate, ~is_active)):
        in_site = np.stack([(is_in & (site == each)).sum(axis=1) for each in range(SITE_SHARES.size)], axis=1)
        arms += [rng.binomial(in_site, expit(log_odds(rate) + SITE_EFFECTS)), in_site]
    return Table(*arms)


def rows(replicates: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of all scenarios."""
    for scenario, rng in scenarios(seed):
        by_site = tables(rng, replicates, scenario)
        whole = Table(*(counts.sum(axis=1) for counts in by_site))
        yield from arm_rows(scenario, whole)
        yield from contrast_rows(scenario, whole)
        yield from stratified_rows(scenario, by_site)
        yield from test_rows(scenario, whole, by_site)


def arm_rows(scenario: Scenario, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the intervals of the active arm's proportion."""
    for method in METHODS["proportion"]:
        low, high = one_proportion.proportion_interval(table.x1, table.n1, method=method)
        yield judged(_named("proportion", method), scenario, scenario.active_rate, low=low, high=high)


def contrast_rows(scenario: Scenario, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the intervals of difference, ratio and odds ratio that take the arms as a whole."""
    _, reference, active = scenario
    truths = {
        "risk_difference": active - reference,
        "risk_ratio": active / reference,
        "odds_ratio": active / (1 - active) * (1 - reference) / reference,
    }
    for quantity, truth in truths.items():
        for method in METHODS[quantity]:
            found = getattr(two_proportions, quantity)(*table, method=method)
            limits = {"low": found.conf_low, "high": found.conf_high}
            yield judged(_named(quantity, method), scenario, truth, **limits)


def stratified_rows(scenario: Scenario, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the intervals of the common effects over sites."""
    _, reference, active = scenario
    truth = active - reference
    for method, kernel in stratified_rates.METHODS["risk_difference"].items():
        difference = stratified_proportions.stratified_risk_difference(*table, method=kernel)
        # Sato's is the row that the table of results leads with; the others stand beside it.
        named = Method("risk_difference", method, method == "mantel_haenszel_sato")
        yield judged(named, scenario, truth, low=difference.conf_low, high=difference.conf_high)
    ratio = stratified_proportions.stratified_risk_ratio(*table)
    named = Method("risk_ratio", "mantel_haenszel")
    yield judged(named, scenario, active / reference, low=ratio.conf_low, high=ratio.conf_high)
    odds_ratio = stratified_proportions.stratified_odds_ratio(*table)
    named, truth = Method("odds_ratio", "mantel_haenszel"), np.exp(log_odds(active) - log_odds(reference))
    yield judged(named, scenario, truth, low=odds_ratio.conf_low, high=odds_ratio.conf_high)


def test_rows(scenario: Scenario, whole: Table, by_site: Table) -> Iterator[dict[str, Any]]:
    """Yield the tests of association, plain and within sites, and of one odds ratio in all sites."""
    for method in METHODS["association_test"]:
        if method == "fisher_exact":
            p_value = association.fisher_test(*whole)
        else:
            p_value = association.association_test(*whole, method=method).p_value
        yield judged(_named("association_test", method), scenario, np.nan, p_value=p_value)
    within = stratified_tests.cochran_mantel_haenszel_test(*by_site).p_value
    yield judged(Method("association_test", "cochran_mantel_haenszel"), scenario, np.nan, p_value=within)
    same = stratified_tests.homogeneity_of_odds_ratios(*by_site).p_value
    yield judged(Method("homogeneity_test", "breslow_day_tarone"), scenario, np.nan, p_value=same)


def _named(quantity: str, method: str) -> Method:
    return Method(quantity, method, method == METHODS[quantity][0])


def main() -> None:
    """Write results/proportions.csv and .md."""
    given = arguments(__doc__, replicates=10_000)
    written("proportions", given, rows, SHORTFALLS)


if __name__ == "__main__":
    main()
