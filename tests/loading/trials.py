"""Small trials written to a folder, and ways to spoil them one cell at a time."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ipseval.errors import Problem
from ipseval.loading import inspect

PARTICIPANTS = """\
participant_id,arm,site,randomised_on,followed_until,end_reason,age,sex
001,IPS,Gent,2010-01-15,2012-07-14,completed,34.5,F
002,usual,Gent,2010-02-01,2012-08-01,completed,41,M
003,IPS,NA,2010-03-10,2011-03-09,died,28,M
004,usual,NA,2010-04-20,2011-01-05,lost,,F
"""
JOBS = """\
participant_id,started_on,ended_on,kind,hours_per_week
001,2010-06-01,2010-12-31,competitive,20
001,2011-03-01,,competitive,18.5
002,2011-05-02,2011-05-02,sheltered,32
003,2010-08-01,2010-09-30,self_employed,8
"""
VISITS = """\
participant_id,visit_month,visited_on,employed,qol
001,0,2010-01-10,no,4.1
001,6,2010-07-16,yes,4.9
002,6,2010-08-02,no,
003,6,2010-09-11,1,3.25
004,6,,,
"""
MAPPING = """\
[study]
name = "small"
title = "A small trial"
simulated = true

[design]
arms = ["IPS", "usual"]
reference = "usual"
follow_up_months = 30
assessment_months = [6, 18]

[tables.participants]
file = "participants.csv"
[tables.jobs]
file = "jobs.csv"
[tables.visits]
file = "visits.csv"

[covariates.age]
type = "number"
unit = "years"
[covariates.sex]
type = "category"
labels = { F = "women", M = "men" }
[scores.qol]
type = "number"
higher_is = "better"
"""


def trial_folder(
    folder: Path,
    *,
    participants: str = PARTICIPANTS,
    jobs: str = JOBS,
    visits: str = VISITS,
    mapping: str = MAPPING,
    encoding: str = "utf-8",
) -> Path:
    """Write the small trial, with any of its files replaced, and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "trial.toml").write_text(mapping, encoding="utf-8")
    for name, text in (("participants", participants), ("jobs", jobs), ("visits", visits)):
        (folder / f"{name}.csv").write_bytes(text.encode(encoding))
    return folder


def with_cell(table: str, row: int, column: str, value: str) -> str:
    """Return the table with one cell replaced; rows count from 1, the header not counted."""
    header, *records = csv.reader(io.StringIO(table))
    records[row - 1][header.index(column)] = value
    return as_csv([header, *records])


def without_column(table: str, column: str) -> str:
    """Return the table without one of its columns."""
    header, *records = csv.reader(io.StringIO(table))
    place = header.index(column)
    return as_csv([[*record[:place], *record[place + 1 :]] for record in [header, *records]])


def with_column(table: str, column: str, values: list[str]) -> str:
    """Return the table with one more column."""
    header, *records = csv.reader(io.StringIO(table))
    rows = [[*record, value] for record, value in zip(records, values, strict=True)]
    return as_csv([[*header, column], *rows])


def as_csv(rows: list[list[str]], separator: str = ",") -> str:
    """Return rows as delimited text."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()


def replaced(text: str, old: str, new: str) -> str:
    """Return ``text`` with ``old`` replaced, which must be there."""
    assert old in text
    return text.replace(old, new)


def the_problem(folder: Path, rule: str, severity: str = "error") -> Problem:
    """Return the one problem of this rule; an error must have stopped loading, others must not have."""
    trial, problems = inspect(folder)
    found = [problem for problem in problems if problem.rule == rule]
    assert len(found) == 1, [str(problem) for problem in problems]
    assert found[0].severity == severity
    if severity == "error":
        assert trial is None
    else:
        assert trial is not None, [str(problem) for problem in problems if problem.severity == "error"]
    return found[0]
