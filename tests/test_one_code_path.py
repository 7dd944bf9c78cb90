"""Functions, plan and command line are one code path: the same numbers, to the last bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.disclosure import protect
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.describe import describe
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.times.recurrent import recurrent
from ipseval.estimate.times.survival import survival
from ipseval.evidence.published import published_results
from ipseval.examples import example, example_folder
from ipseval.plan import read_plan
from ipseval.results import PublicResults, Results
from ipseval.run import execute

PLAN = """
title = "One code path"

[endpoint.found_work]
is = "ever_employed"
by = [18, 30]

[endpoint.first_job]
is = "time_to_first_job"
horizon = 30

[endpoint.new_jobs]
is = "job_starts"
horizon = 30

[endpoint.at_visits]
is = "employed_at"
month = [6, 18, 30]
source = "visits"

[endpoint.hours]
is = "hours_worked"
by = 30

[endpoint.quality_of_life]
is = "score"
scale = "qol"
months = [0, 6, 18, 30]

[analysis.people]
estimator = "describe"

[analysis.rates]
estimator = "rates"
endpoint = "found_work"

[analysis.survival]
estimator = "survival"
endpoint = "first_job"
milestones = [18, 30]

[analysis.recurrent]
estimator = "recurrent"
endpoint = "new_jobs"
milestones = [18, 30]
adjust = ["age"]

[analysis.mixed]
estimator = "mixed"
endpoint = "at_visits"
adjust = ["site"]

[analysis.quality_of_life]
estimator = "mixed"
endpoint = "quality_of_life"
covariance = "heterogeneous_ar1"
covariance_per_arm = true
df = "satterthwaite"

[analysis.marginal]
estimator = "mixed"
endpoint = "at_visits"
model = "gee"
correlation = "ar1"
variance = "kauermann_carroll"

[analysis.hours]
estimator = "amounts"
endpoint = "hours"
replicates = 200
seed = 7
"""


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("plan") / "plan.toml"
    file.write_text(PLAN, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def by_functions() -> Results:
    trial = example("scion")
    return (
        describe(trial, name="people")
        + rates(trial, endpoints.ever_employed(by=[18, 30]))
        + survival(trial, endpoints.time_to_first_job(horizon=30), milestones=[18, 30])
        + recurrent(trial, endpoints.job_starts(horizon=30), milestones=[18, 30], adjust=["age"])
        + mixed(trial, endpoints.employed_at(month=[6, 18, 30], source="visits"), adjust=["site"])
        + mixed(
            trial,
            endpoints.score("qol", months=[0, 6, 18, 30]),
            covariance="heterogeneous_ar1",
            covariance_per_arm=True,
            df="satterthwaite",
            name="quality_of_life",
        )
        + mixed(
            trial,
            endpoints.employed_at(month=[6, 18, 30], source="visits"),
            model="gee",
            correlation="ar1",
            variance="kauermann_carroll",
            name="marginal",
        )
        + amounts(trial, endpoints.hours_worked(by=30), replicates=200, seed=7, name="hours")
    )


def same(one: Results, other: Results) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
    assert one.compare(other, tolerance=0.0).empty
    assert one.records == other.records
    assert one.endpoints == other.endpoints
    assert one.provenance["trial"] == other.provenance["trial"]
    assert one.provenance["seeds"] == other.provenance["seeds"]


def test_a_plan_gives_what_the_functions_give(plan_file: Path, by_functions: Results) -> None:
    same(execute(read_plan(plan_file), example("scion")), by_functions)


def test_the_command_line_gives_what_the_functions_give(
    plan_file: Path, by_functions: Results, tmp_path: Path
) -> None:
    pytest.importorskip("ipseval.render.report", reason="the command line renders what it computes")
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "ipseval.cli",
        "run",
        str(plan_file),
        str(example_folder("scion")),
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = by_functions + published_results("scion")
    same(Results.read(out / "internal"), expected)
    same(PublicResults.read(out / "public"), protect(expected))
