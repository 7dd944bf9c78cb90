"""What one quadrature point (Laplace) does to a random-intercept logistic regression of few visits.

Trials of 150 people, 1:1, everyone seen at every visit. Log-odds are those of 20% v 40% in work in the
population (Zeger, Liang & Albert 1988), given an intercept with the stated standard deviation.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from record import RESULTS

from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic

PEOPLE, VISITS, SDS, POINTS = 150, (3, 4, 5), (1.0, 2.0, 3.0), (1, 25)


def conditional(sd: float) -> NDArray[np.float64]:
    """Return the log-odds of the reference arm and the log-odds ratio, given an intercept."""
    widened = np.sqrt(1.0 + sd**2 * (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2)
    reference, active = np.log(0.2 / 0.8), np.log(0.4 / 0.6)
    return widened * np.array([reference, active - reference])


def estimates(rng: np.random.Generator, visits: int, sd: float) -> list[float]:
    """Return sd, log-odds ratio and its standard error of one trial, by Laplace and by 25 points."""
    person, arm = np.repeat(np.arange(PEOPLE), visits), np.arange(PEOPLE) % 2
    X = np.c_[np.ones(person.size), arm[person]]
    log_odds = X @ conditional(sd) + sd * rng.normal(size=PEOPLE)[person]
    y = (rng.random(person.size) < 1.0 / (1.0 + np.exp(-log_odds))).astype(float)
    fits = [random_intercept_logistic(y, X, person, points=points) for points in POINTS]
    return [v for fit in fits for v in (fit.random_intercept_sd, fit.coefficients[1], fit.std_error[1])]


def main() -> None:
    """Write results/laplace.csv and .md: medians over the trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261122)
    given = parser.parse_args()
    rows = []
    for visits in VISITS:
        for sd in SDS:
            rng = np.random.default_rng([given.seed, visits, int(10 * sd)])
            found = np.nanmedian([estimates(rng, visits, sd) for _ in range(given.replicates)], axis=0)
            truth = {"visits": visits, "sd": sd, "log_odds_ratio": conditional(sd)[1]}
            names = [
                f"{name}_{points}" for points in POINTS for name in ("sd", "log_odds_ratio", "std_error")
            ]
            rows.append({**truth, **dict(zip(names, found, strict=True)), "trials": given.replicates})
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS / "laplace.csv", index=False, float_format="%.4f", lineterminator="\n")
    (RESULTS / "laplace.md").write_text(_markdown(table), encoding="utf-8")


def _markdown(table: pd.DataFrame) -> str:
    """Return the medians as a table of the documentation."""
    lines = [
        f"Medians of {table['trials'].iloc[0]} trials of {PEOPLE} people.",
        "",
        "| visits | true sd | sd: Laplace | 25 points | true log-odds ratio | Laplace | 25 points |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in table.itertuples():
        numbers = (row.sd_1, row.sd_25, row.log_odds_ratio, row.log_odds_ratio_1, row.log_odds_ratio_25)
        shown = " | ".join(f"{number:.2f}" for number in numbers)
        lines.append(f"| {row.visits} | {row.sd:.0f} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
