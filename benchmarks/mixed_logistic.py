"""Random-intercept logistic regression by adaptive quadrature: ours beside lme4, speed and agreement.

    python benchmarks/mixed_logistic.py              # the table of results/mixed_logistic.md

Both get the same rows and 25 quadrature points, and return estimates, standard errors that know of the
estimated variance (lme4: finite-difference Hessian, its default) and the log-likelihood. Fits are timed
inside each program, after a first one that is not counted. Without R and lme4 only ours is timed, and the
table says so. Ours includes collapsing the rows, and checking the answer with 50 points.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import circumstances

from ipseval.stats.random_intercept_logistic import random_intercept_logistic

POINTS = 25
LME4 = """
suppressPackageStartupMessages(library(lme4))
given <- commandArgs(trailingOnly = TRUE)
data <- read.csv(given[1])
terms <- setdiff(names(data), c("y", "person"))
model <- reformulate(c("0", terms, "(1 | person)"), "y")
fit <- function() glmer(model, data, family = binomial, nAGQ = as.integer(given[2]))
seconds <- replicate(as.integer(given[3]), system.time(m <<- fit())[["elapsed"]])
cat(jsonlite::toJSON(list(
  seconds = seconds, version = as.character(packageVersion("lme4")), coefficients = unname(fixef(m)),
  std_error = unname(sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE))))), sd = unname(getME(m, "theta")),
  log_likelihood = as.numeric(logLik(m))), digits = NA, auto_unbox = TRUE))
"""
# People, months, and the share of people who leave for good each month.
SHAPES = {
    "151 people x 4 visits, 5% leaving a visit": (151, 4, 0.05),
    "1,000 people x 30 months, complete": (1000, 30, 0.0),
    "1,000 people x 30 months, 1% leaving a month": (1000, 30, 0.01),
}
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def made_up_trial(n_people: int, n_months: int, leaving: float) -> Rows:
    """Return outcomes, covariates (ones, arm, time, arm by time) and persons of a trial with sd = 2."""
    draw = np.random.default_rng(20)
    person = np.repeat(np.arange(n_people), n_months)
    month = np.tile(np.arange(n_months), n_people)
    arm = (person % 2).astype(float)
    X = np.c_[np.ones(len(person)), arm, month / n_months, arm * month / n_months]
    intercept = 2.0 * draw.normal(size=n_people)
    p = 1.0 / (1.0 + np.exp(-(X @ [-2.0, 0.8, 1.0, 0.4] + intercept[person])))
    y = (draw.random(len(person)) < p).astype(float)
    last = np.floor(np.log(1.0 - draw.random(n_people)) / np.log1p(-leaving)) if leaving else n_months
    seen = month <= (last[person] if leaving else last)
    return y[seen], X[seen], person[seen]


def timed(call, rounds: int):
    """Return the last answer and the seconds of each round after a first, uncounted one."""
    answer, seconds = call(), []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - began)
    return answer, seconds


def lme4(rows: Rows, rounds: int) -> dict | None:
    """Fit the same rows in R; None if there is no R with lme4."""
    if not (program := shutil.which("Rscript")):
        return None
    y, X, person = rows
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder, "data.csv"), Path(folder, "fit.R")
        header = ",".join(["y", *(f"x{j}" for j in range(X.shape[1])), "person"])
        np.savetxt(data, np.c_[y, X, person], delimiter=",", header=header, comments="", fmt="%.17g")
        script.write_text(LME4, encoding="utf-8")
        command = [program, str(script), str(data), str(POINTS), str(rounds + 1)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr)
        return None
    answer = json.loads(done.stdout)
    return answer | {"seconds": answer["seconds"][1:]}


def spread(seconds: list[float]) -> str:
    return f"{1e3 * statistics.median(seconds):.1f} ({1e3 * min(seconds):.1f} to {1e3 * max(seconds):.1f})"


def lines_of(title: str, rows: Rows, rounds: int, lme4_rounds: int) -> list[str]:
    """Return the lines of the table for one trial: collapsed, group by group, and lme4."""
    y, X, person = rows
    ours = {
        "ipseval": lambda: random_intercept_logistic(y, X, person, points=POINTS),
        "ipseval, group by group": lambda: random_intercept_logistic(
            y, X, person, points=POINTS, collapse=False
        ),
    }
    answers = {name: timed(call, rounds) for name, call in ours.items()}
    fit, mine = answers["ipseval"]
    lines = [
        f"## {title}: {len(y):,} rows, {fit.n_cells} cells",
        "",
        "| engine | median ms (range) | times ours | coefficients | standard errors | sd | log-likelihood |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    found = [
        (
            name,
            seconds,
            np.r_[each.coefficients],
            each.std_error,
            each.random_intercept_sd,
            each.log_likelihood,
        )
        for name, (each, seconds) in answers.items()
    ]
    if peer := lme4(rows, lme4_rounds):
        numbers = (peer[key] for key in ("seconds", "coefficients", "std_error", "sd", "log_likelihood"))
        found.append((f"lme4 {peer['version']}", *numbers))
    else:
        lines.insert(1, "\nlme4 was not found: only ours is timed.")
    for name, seconds, coefficients, std_error, sd, log_likelihood in found:
        differences = [
            np.abs(coefficients - fit.coefficients).max(),
            np.abs(std_error - fit.std_error).max(),
            abs(sd - fit.random_intercept_sd),
            abs(log_likelihood - fit.log_likelihood),
        ]
        ratio = statistics.median(seconds) / statistics.median(mine)
        lines.append(
            f"| {name} | {spread(seconds)} | {ratio:.1f} | "
            + " | ".join(f"{d:.0e}" for d in differences)
            + " |"
        )
    return [*lines, ""]


def main() -> None:
    """Time every trial and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--lme4-rounds", type=int, default=2)
    given = arguments.parse_args()
    lines = [f"# Random-intercept logistic regression, {POINTS} quadrature points", ""]
    lines += ["The last four columns are the largest differences from the first row.", ""]
    for title, shape in SHAPES.items():
        lines += lines_of(title, made_up_trial(*shape), given.rounds, given.lme4_rounds)
    lines += [f"`python benchmarks/mixed_logistic.py --rounds {given.rounds}`", ""]
    lines += [circumstances(["ipseval", "numpy", "scipy"])]
    print("\n".join(lines))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "mixed_logistic.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
