"""Repeated outcomes: MMRM beside R's nlme, and exchangeable estimating equations (GEE) beside statsmodels.

    python benchmarks/repeated_measures.py                # the tables of results/repeated_measures.md
    python benchmarks/repeated_measures.py --rounds 3

Every engine gets the same rows, made before its clock starts; R reads them from disk before its own does, and
has fitted a smaller trial first, as Python has. The MMRM is unstructured, by REML, of 600 people at 4 visits,
a tenth of them missed, on arm by visit and a baseline: coefficients and standard errors are compared. The GEE
is logistic, of 10,000 people at 30 months, on arm, time and their product; its second table has a continuous
covariate of each person too, so that no two people are alike and nothing can be added up. Robust standard
errors are compared; ours makes both corrections for few people as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import circumstances, compare, publish, report_numbers, table_of_numbers

from ipseval.stats.repeated.estimating_equations import estimating_equations
from ipseval.stats.repeated.repeated_measures import repeated_measures

Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
#: Title and size of each table, its engines, and how far apart its answers may be (optimisers stop early).
TABLES: dict[str, tuple[str, tuple[str, ...], float]] = {
    "mmrm": ("MMRM, unstructured: 600 people x 4 visits", ("ipseval", "nlme::gls"), 1e-4),
    "gee": ("GEE, exchangeable: 10,000 people x 30 months", ("ipseval", "statsmodels"), 1e-4),
    "gee_age": (
        "GEE, exchangeable: 10,000 people x 30 months, a continuous covariate",
        ("ipseval", "statsmodels"),
        1e-4,
    ),
}


def scores(n_people: int = 600, n_visits: int = 4) -> Rows:
    """Return a score, its design (a level and an effect per visit, baseline), persons and visits."""
    draw = np.random.default_rng(11)
    person, visit = np.divmod(np.arange(n_people * n_visits), n_visits)
    arm, baseline = (person % 2).astype(float), draw.normal(size=n_people)[person]
    at = (visit[:, None] == np.arange(n_visits)).astype(float)
    level = draw.normal(size=n_people)[person] * (1.0 + 0.2 * visit)
    y = 4.0 + 0.5 * baseline + arm * (0.4 + 0.2 * visit) + level + draw.normal(size=len(person))
    seen = draw.random(len(person)) > 0.1
    return y[seen], np.column_stack([at, at * arm[:, None], baseline])[seen], person[seen], visit[seen]


def answers(n_people: int = 10_000, n_months: int = 30, *, age: bool = False) -> Rows:
    """Return a yes or no, its design (ones, arm, time, arm by time, age if asked), persons and months."""
    draw = np.random.default_rng(12)
    person, month = np.divmod(np.arange(n_people * n_months), n_months)
    arm, time = (person % 2).astype(float), month / n_months
    X = np.column_stack([np.ones(len(person)), arm, time, arm * time])
    level = 1.5 * draw.normal(size=n_people)[person]
    years = draw.uniform(-2.0, 2.0, n_people)[person]
    p = 1.0 / (1.0 + np.exp(1.0 - X[:, 1:] @ [0.5, 0.5, 0.3] - level - 0.2 * years * age))
    y = (draw.random(len(person)) < p).astype(float)
    return y, np.column_stack([X, years]) if age else X, person, month


def rows_of(table: str, **size: int) -> Rows:
    """Return the rows of a table; with another size, those that only load what is loaded on first use."""
    return scores(**size) if table == "mmrm" else answers(age=table == "gee_age", **size)


def with_ipseval(table: str, rows: Rows) -> Callable[[], list[float]]:
    """Return the call, which gives coefficients and standard errors."""
    if table == "mmrm":

        def mmrm() -> list[float]:
            fit = repeated_measures(*rows)
            return [*fit.coefficients, *fit.std_error]

        return mmrm

    def gee() -> list[float]:
        fit = estimating_equations(*rows)
        return [*fit.coefficients, *np.sqrt(np.diag(fit.covariances["robust"]))]

    return gee


def with_statsmodels(rows: Rows) -> Callable[[], list[float]]:
    """Return the call, which gives coefficients and robust standard errors."""
    import statsmodels.api as sm

    y, X, person, _ = rows

    def call() -> list[float]:
        model = sm.GEE(
            y, X, groups=person, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable()
        )
        fit = model.fit()
        return [*fit.params, *fit.bse]

    return call


def in_r(rows: Rows) -> None:
    """Fit the rows in R; its script reads them before its clock starts, and prints its own line."""
    y, X, person, visit = rows
    with tempfile.TemporaryDirectory() as folder:
        np.asfortranarray(X).ravel(order="F").astype("<f8").tofile(Path(folder) / "design")
        for name, column in (("y", y), ("person", person), ("visit", visit)):
            column.astype("<f8").tofile(Path(folder) / name)
        script = Path(__file__).with_suffix(".R")
        command = ["Rscript", str(script), str(script.parent), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(done.stdout.splitlines()[-1])


def r_versions() -> str:
    """Return the versions of R and nlme."""
    code = 'cat("R", as.character(getRversion()), "nlme", as.character(packageVersion("nlme")))'
    return subprocess.run(["Rscript", "-e", code], check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Measure one engine, or compare all of them and write the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument(
        "--engine", choices=sorted({name for _, names, _ in TABLES.values() for name in names})
    )
    arguments.add_argument("--table", choices=tuple(TABLES))
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine == "nlme::gls":
        in_r(rows_of(given.table))
        return
    if given.engine:
        makes = {"ipseval": lambda rows: with_ipseval(given.table, rows), "statsmodels": with_statsmodels}
        makes[given.engine](rows_of(given.table, n_people=40))()  # loads what is loaded on first use
        report_numbers(makes[given.engine](rows_of(given.table)))
        return
    lines = ["# Repeated outcomes", ""]
    for table, (title, engines, within) in TABLES.items():
        print(title, file=sys.stderr)
        measured = compare(__file__, engines, ["--table", table], given.rounds)
        lines += [f"## {title}", "", *table_of_numbers(measured, "ipseval", within=within), ""]
    lines += [
        f"Medians of `python benchmarks/repeated_measures.py --rounds {given.rounds}`, engines in turn.",
        "",
    ]
    lines += [f"{r_versions()}; {circumstances(['ipseval', 'numpy', 'statsmodels'])}"]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
