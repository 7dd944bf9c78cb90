"""Random-intercept logistic regression by quadrature: ours beside lme4 and glmm, speed and agreement.

    python benchmarks/mixed_logistic.py              # the tables of results/mixed_logistic.md
    python benchmarks/mixed_logistic.py --quick      # without the 100,000 people, whom glmm takes minutes for

All get the same rows and 25 quadrature points, and return estimates, standard errors that know of the
estimated variance (lme4 and glmm: their default, from second differences of the deviance) and the
log-likelihood. Fits are timed inside each program, after a first one that is not counted; lme4 fits 30 months
once, glmm 100,000 people once and lme4 not at all. Engines that are not installed are left out, and the table
says so. Ours includes collapsing the rows, and checking the answer with 50 points.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from measure import circumstances, publish

from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic

POINTS = 25
LME4 = """
suppressPackageStartupMessages(library(lme4))
given <- commandArgs(trailingOnly = TRUE)
data <- read.csv(given[1])
terms <- setdiff(names(data), c("y", "person"))
model <- reformulate(c("0", terms, "(1 | person)"), "y")
fit <- function() glmer(model, data, family = binomial, nAGQ = as.integer(given[2]))
clocks <- replicate(as.integer(given[3]), {
  clock <- system.time(m <<- fit())
  c(clock[["elapsed"]], clock[["user.self"]] + clock[["sys.self"]])
})
cat(jsonlite::toJSON(list(
  seconds = clocks[1, ], processor_seconds = clocks[2, ], coefficients = unname(fixef(m)),
  std_error = unname(sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE))))), sd = unname(getME(m, "theta")),
  log_likelihood = as.numeric(logLik(m))), digits = NA, auto_unbox = TRUE))
"""


@dataclass(frozen=True)
class Shape:
    """A trial: people, months, the share who leave for good each month, and whether everyone has an age."""

    people: int
    months: int
    leaving: float = 0.0
    age: bool = False

    @property
    def is_large(self) -> bool:
        return self.people > 10_000


SHAPES = {
    "151 people x 4 visits, 5% leaving a visit": Shape(151, 4, 0.05),
    "1,000 people x 30 months": Shape(1000, 30),
    "1,000 people x 30 months, 1% leaving a month": Shape(1000, 30, 0.01),
    "1,000 people x 30 months, a continuous covariate": Shape(1000, 30, age=True),
    "100,000 people x 30 months": Shape(100_000, 30),
}
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """Seconds and processor seconds of each round, and the last answer."""

    seconds: list[float]
    processor_seconds: list[float]
    coefficients: np.ndarray
    std_error: np.ndarray
    sd: float
    log_likelihood: float

    def apart(self, other: Measured) -> list[float]:
        """Return the largest differences: coefficients, standard errors, sd, log-likelihood."""
        return [
            float(np.abs(np.subtract(getattr(self, name), getattr(other, name))).max())
            for name in ("coefficients", "std_error", "sd", "log_likelihood")
        ]


def made_up_trial(shape: Shape) -> Rows:
    """Return outcomes, covariates (ones, arm, time, arm by time, age if asked) and persons, with sd = 2."""
    draw = np.random.default_rng(20)
    person = np.repeat(np.arange(shape.people), shape.months)
    month = np.tile(np.arange(shape.months), shape.people)
    arm, time_ = (person % 2).astype(float), month / shape.months
    age = draw.normal(size=shape.people)[person]
    X = np.column_stack([np.ones(len(person)), arm, time_, arm * time_, *([age] if shape.age else [])])
    effects = np.array([-2.0, 0.8, 1.0, 0.4, -0.3])[: X.shape[1]]
    intercept = 2.0 * draw.normal(size=shape.people)
    p = 1.0 / (1.0 + np.exp(-(X @ effects + intercept[person])))
    y = (draw.random(len(person)) < p).astype(float)
    stay = np.full(shape.people, np.inf)
    if shape.leaving:
        stay = np.floor(np.log(1.0 - draw.random(shape.people)) / np.log1p(-shape.leaving))
    seen = month <= stay[person]
    return y[seen], X[seen], person[seen]


def timed(call: Callable[[], Any], rounds: int, *, warm: bool = True) -> tuple[Any, list[float], list[float]]:
    """Return the last answer, and the seconds and processor seconds of each round after an uncounted one."""
    answer = call() if warm else None
    seconds, processor_seconds = [], []
    for _ in range(rounds):
        began, working = time.perf_counter(), time.process_time()
        answer = call()
        seconds.append(time.perf_counter() - began)
        processor_seconds.append(time.process_time() - working)
    return answer, seconds, processor_seconds


def with_ipseval(rows: Rows, rounds: int, *, collapse: bool) -> Measured:
    """Fit by our kernel, adding up alike people or group by group."""
    fit, *clocks = timed(lambda: random_intercept_logistic(*rows, points=POINTS, collapse=collapse), rounds)
    return Measured(*clocks, fit.coefficients, fit.std_error, fit.random_intercept_sd, fit.log_likelihood)


def with_glmm(rows: Rows, rounds: int, *, warm: bool) -> Measured:
    """Fit by the package glmm."""
    import glmm

    y, X, person = rows
    names = [f"x{j}" for j in range(1, X.shape[1])]
    data = {"y": y, "person": person, **dict(zip(names, X.T[1:], strict=True))}
    model = f"y ~ {' + '.join(names)} + (1 | person)"
    fit, *clocks = timed(lambda: glmm.fit(data, model, "binomial", nagq=POINTS), rounds, warm=warm)
    return Measured(*clocks, fit.beta, fit.se, float(np.sqrt(np.ravel(fit.tau2)[0])), fit.loglik)


def with_lme4(rows: Rows, rounds: int, *, warm: bool) -> Measured:
    """Fit the same rows in R."""
    y, X, person = rows
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder, "data.csv"), Path(folder, "fit.R")
        header = ",".join(["y", *(f"x{j}" for j in range(X.shape[1])), "person"])
        np.savetxt(data, np.c_[y, X, person], delimiter=",", header=header, comments="", fmt="%.17g")
        script.write_text(LME4, encoding="utf-8")
        command = ["Rscript", str(script), str(data), str(POINTS), str(rounds + warm)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    clocks = [np.atleast_1d(answer.pop(name)).tolist()[-rounds:] for name in ("seconds", "processor_seconds")]
    return Measured(*clocks, **answer)


def peers() -> dict[str, str]:
    """Return the versions of the peers that are installed."""
    found = {}
    with contextlib.suppress(PackageNotFoundError):
        found["glmm"] = version("glmm")
    if shutil.which("Rscript"):
        code = 'cat(as.character(packageVersion("lme4")))'
        done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
        found |= {} if done.returncode else {"lme4": done.stdout}
    return found


def measured(shape: Shape, rounds: int, installed: Collection[str]) -> dict[str, Measured]:
    """Return what each engine took, and found, for one trial."""
    rows = made_up_trial(shape)
    found = {"ipseval": with_ipseval(rows, rounds, collapse=True)}
    if not shape.is_large:
        found["ipseval, group by group"] = with_ipseval(rows, rounds, collapse=False)
    if "glmm" in installed:
        found["glmm"] = with_glmm(rows, 1 if shape.is_large else 3, warm=not shape.is_large)
    if "lme4" in installed and not shape.is_large:
        is_long = shape.months > 10
        found["lme4"] = with_lme4(rows, 1 if is_long else 3, warm=not is_long)
    return found


def lines_of(title: str, found: dict[str, Measured]) -> list[str]:
    """Return the lines of the table of one trial."""
    ours = found["ipseval"]
    lines = [
        f"## {title}",
        "",
        "| engine | median ms (range) | / ours | CPU ms | / ours "
        "| coefficients | standard errors | sd | log-likelihood |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, each in found.items():
        cells = [name]
        for clock in ("seconds", "processor_seconds"):
            values = 1e3 * np.array(getattr(each, clock))
            middle = float(np.median(values))
            spread = f" ({values.min():.1f} to {values.max():.1f})" if clock == "seconds" else ""
            ratio = middle / (1e3 * float(np.median(getattr(ours, clock))))
            cells += [f"{middle:,.1f}{spread}", f"{ratio:,.1f}"]
        cells += [f"{apart:.0e}" if each is not ours else "" for apart in each.apart(ours)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def main() -> None:
    """Time every trial and write the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15, help="of ours; peers take three, or one")
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    installed = peers()
    lines = [f"# Random-intercept logistic regression, {POINTS} quadrature points", ""]
    lines += ["The last four columns are the largest differences from the first row.", ""]
    if absent := [name for name in ("lme4", "glmm") if name not in installed]:
        lines += [f"Not installed, and so not measured: {', '.join(absent)}.", ""]
    for title, shape in SHAPES.items():
        if not (given.quick and shape.is_large):
            print(title, file=sys.stderr)
            lines += lines_of(title, measured(shape, given.rounds, installed))
    lines += [f"`python benchmarks/mixed_logistic.py --rounds {given.rounds}`", ""]
    versions = "".join(f"{name} {number}, " for name, number in installed.items())
    lines += [versions + circumstances(["ipseval", "numpy", "scipy"])]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
