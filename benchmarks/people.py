"""Made-up people of two arms, in memory for Python and as raw columns on disk for R."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HORIZON = 913


class People(NamedTuple):
    """One entry per person: whole days to a job or to leaving, whether it was a job, arm, and age."""

    days: NDArray[np.int64]
    job: NDArray[np.bool_]
    arm: NDArray[np.int64]
    age: NDArray[np.float64]


def made_up_people(n_people: int) -> People:
    """Return people of two arms by lot, a hazard ratio of 2, half of them lost or still without a job."""
    rng = np.random.default_rng(7)
    arm = rng.integers(0, 2, n_people)
    age = rng.uniform(18, 65, n_people)
    mean_days = np.where(arm == 1, 900.0, 1800.0) * np.exp(0.01 * (age - 40))
    work = np.ceil(rng.exponential(mean_days)).astype(np.int64)
    left = np.minimum(np.ceil(rng.exponential(3000.0, n_people)).astype(np.int64), HORIZON)
    return People(np.minimum(work, left), work <= left, arm, age)


def in_r(script: str, people: People) -> None:
    """Run an R script on the same people; it reads them before its clock starts, and prints its own line."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("days", "job", "arm"):
            getattr(people, name).astype("<i4").tofile(Path(folder) / name)
        people.age.astype("<f8").tofile(Path(folder) / "age")
        here = Path(script).parent
        command = ["Rscript", str(Path(script).with_suffix(".R")), str(here), folder, *sys.argv[1:]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(done.stdout.splitlines()[-1])


def r_versions() -> str:
    """Return the versions of R and of its survival package, for the line below a table."""
    code = 'cat(as.character(getRversion()), as.character(packageVersion("survival")))'
    done = subprocess.run(["Rscript", "-e", code], check=True, capture_output=True, text=True)
    r, survival = done.stdout.split()
    return f"R {r}, survival {survival}"
