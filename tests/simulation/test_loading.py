"""The committed trials are read by the package's own loader, without an error."""

from __future__ import annotations

import pandas as pd
import pytest

from ipseval.loading import load
from ipseval.simulation import read_design
from tests.simulation.conftest import SYNTHETIC


@pytest.mark.parametrize("name", ["scion", "eqolise"])
def test_load_reads_the_folder_and_notices_only_what_is_meant(name: str) -> None:
    trial = load(SYNTHETIC / name)
    design = read_design(SYNTHETIC / name / "design.toml")
    assert trial.simulated
    assert trial.design.arms == ("usual", "IPS")
    assert trial.design.assessment_months == design.months
    assert trial.design.missing_outcomes == "as_not_employed"
    assert {arm: int((trial.arm == arm).sum()) for arm in design.arms} == {
        arm: design.n(arm) for arm in design.arms
    }
    for table, frame in trial.tables.items():
        source = pd.read_csv(SYNTHETIC / name / f"{table}.csv")
        assert len(frame) == len(source)
        assert frame.isna().sum().to_dict() == source.isna().sum().to_dict()
    hours = pd.read_csv(SYNTHETIC / name / "jobs.csv")["hours_per_week"]
    noticed = {problem.rule: problem.count for problem in trial.notices}
    assert noticed.keys() == {"job_under_way", "blank_hours"}
    assert noticed["blank_hours"] == hours.isna().sum()


@pytest.mark.parametrize("name", ["scion", "eqolise"])
def test_load_knows_every_covariate_and_score_of_the_design(name: str) -> None:
    trial = load(SYNTHETIC / name)
    design = read_design(SYNTHETIC / name / "design.toml")
    scores = [score.name for score in design.scores]
    baseline = [f"{score}_baseline" for score in scores]
    assert list(trial.scores) == scores
    assert list(trial.covariates) == [covariate.name for covariate in design.covariates] + baseline
    assert trial.covariates["sex"].labels == {"F": "women", "M": "men"}
