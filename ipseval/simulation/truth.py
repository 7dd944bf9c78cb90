"""The generating truth of a simulated trial, by enumeration instead of simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ipseval.checks import one_of
from ipseval.simulation.design import SimulationDesign
from ipseval.simulation.draws import Hazard, month_start


def true_proportion_with_job(design: SimulationDesign, arm: str, month: int) -> float:
    """Return the probability of a new competitive job within ``month`` months under the design.

    Leaving the study is left out (it hides jobs, it does not prevent them), and so is forcing:
    this is the proportion that a trial without ``force_counts`` estimates. Death competes: who
    dies before a job has none.

    Parameters
    ----------
    design : SimulationDesign
    arm : str
    month : int
        Up to the design's planned follow-up; a job counts before day floor(30.4375 month).

    Returns
    -------
    float
        A probability, exact up to rounding: the sum over sites, unseen classes, services and
        covariate codes of their shares times the probability of a job by that day.

    Examples
    --------
    >>> from ipseval.simulation import read_design
    >>> design = read_design("data/synthetic/scion/design.toml")
    >>> true_proportion_with_job(design, "IPS", 30) > true_proportion_with_job(design, "usual", 30)
    True
    """
    one_of(arm, tuple(design.arms), "arm")
    one_of(month, range(1, design.follow_up_months + 1), "month")
    alive = 1.0 - np.concatenate([[0.0], np.cumsum(_on_each_day(design.leaving.death_per_month, month, 1.0))])
    total = 0.0
    for (share, multiplier), service in product(
        _multipliers(design, arm), design.service.received[arm].codes
    ):
        chance = design.service.received[arm].share(service)
        if chance:
            first = _on_each_day(design.first_job.per_month[service], month, multiplier)
            total += share * chance * float(first @ alive[:-1])
    return total


def _multipliers(design: SimulationDesign, arm: str) -> list[tuple[float, float]]:
    """Return (share of people, multiplier of job finding) for every kind of person."""
    classes = design.frailty
    lists = [
        [(site.n[arm] / design.n(arm), site.first_job) for site in design.sites],
        [
            (classes.weights.share(code), m)
            for code, m in zip(classes.weights.codes, classes.first_job, strict=True)
        ],
    ]
    for covariate in design.covariates:
        if covariate.codes is not None and covariate.first_job:
            codes = covariate.codes
            lists.append([(codes.share(c), covariate.first_job.get(c, 1.0)) for c in codes.codes])
    found = []
    for cells in product(*lists):
        shares, multipliers = zip(*cells, strict=True)
        found.append((float(np.prod(shares)), float(np.prod(multipliers))))
    return found


def _on_each_day(hazard: Hazard, months: int, multiplier: float) -> NDArray[np.float64]:
    """Return the probability that it first happens on each study day before ``months`` months."""
    free, chances = 1.0, []
    for month in range(months):
        chance = free * hazard.in_month(month, multiplier)
        length = month_start(month + 1) - month_start(month)
        chances.append(np.full(length, chance / length))
        free -= chance
    return np.concatenate(chances)
