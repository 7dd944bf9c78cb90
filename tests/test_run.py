"""A plan carried out: every analysis in order, and a refusal is a row and not the end."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ipseval.disclosure import protect
from ipseval.plan import Plan, read_plan
from ipseval.results import Results
from ipseval.run import execute
from tests.estimate.alpha import alpha

PLAN = """
title = "A plan"
registration = "R1"

[endpoint.first_job]
is = "ever_employed"
by = 18

[endpoint.score]
is = "employed_at"
month = [6, 18]
source = "visits"

[analysis.z_first]
estimator = "rates"
endpoint = "first_job"
intercurrent_events = "none"

[analysis.cannot]
estimator = "mixed"
endpoint = "score"
adjust = ["shoe_size"]

[analysis.a_last]
estimator = "describe"

[display.one]
figure = "rates"
analysis = "z_first"
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    file: Path = tmp_path_factory.mktemp("plan") / "plan.toml"
    file.write_text(PLAN, encoding="utf-8")
    return read_plan(file)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Results:
    return execute(plan, alpha())


def test_analyses_stand_in_the_order_of_the_plan(found: Results) -> None:
    assert list(dict.fromkeys(found.frame["analysis"])) == ["z_first", "cannot", "a_last"]
    assert list(found.records) == ["z_first", "cannot", "a_last"]


def test_what_cannot_be_answered_is_one_failed_row_with_its_reason(found: Results) -> None:
    row = found.select(analysis="cannot").frame
    assert len(row) == 1
    assert row["status"].item() == "failed"
    assert "'shoe_size' cannot be adjusted for" in row["note"].item()
    assert found.failures["analysis"].tolist() == ["cannot"]
    assert found.records["cannot"]["arguments"] == {"adjust": ["shoe_size"]}
    assert "shoe_size" in found.select(analysis="cannot").explain()
    # What renders a result finds the same entries in every record and endpoint.
    assert set(found.records["cannot"]) == set(found.records["z_first"])
    assert set(found.frame["endpoint"]) - {""} == set(found.endpoints)
    assert len(protect(found).select(analysis="cannot")) == 1


def test_provenance_says_which_plan_and_data_and_no_clock_time(found: Results, plan: Plan) -> None:
    said = found.provenance["plan"]
    assert (said["title"], said["registration"], said["fingerprint"]) == ("A plan", "R1", plan.fingerprint)
    assert said["displays"] == [{"name": "one", "figure": "rates", "analysis": "z_first"}]
    assert said["estimands"]["z_first"] == {"intercurrent_events": "none"}
    assert found.provenance["trial"]["randomised"] == {"usual": 75, "IPS": 76}
    assert {"numpy", "pandas", "scipy", "ipseval"} <= set(found.provenance["versions"])


def test_the_same_plan_and_data_give_the_same_results_and_progress_is_one_line(
    found: Results, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    again = execute(plan, alpha(), progress=True)
    read = capsys.readouterr()
    assert read.out == ""
    names = [analysis.name for analysis in plan.analyses]
    said = [f"analyses, {place} of {len(names)}: {name}" for place, name in enumerate(names, start=1)]
    assert read.err.split("\r\x1b[K") == ["", *said, ""]  # the line is blank again at the end
    pd.testing.assert_frame_equal(again.frame, found.frame, check_exact=True)
    assert again.provenance == found.provenance
