"""Build a Trial in memory from short lists, in the dtypes of the data dictionary.

A date is written as text ("2020-01-31") or, within a person's records, as a study day (an int).

>>> trial = make_trial([person("A", until=912)], jobs=[job("A", 10, 99)])
>>> trial.followed_days.tolist()
[912]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ipseval import schema
from ipseval.trial import Design, Trial, Variable

ARMS = ("usual", "IPS")
DAY_0 = "2020-01-01"

Row = dict[str, Any]


def person(
    participant_id: str, until: int | str = 912, end_reason: str | None = "completed", **more: Any
) -> Row:
    """Return a row of participants; ``until`` is the last day followed."""
    row = {"arm": "IPS", "randomised_on": DAY_0, "end_reason": end_reason}
    return {"participant_id": participant_id, "followed_until": until, **row, **more}


def job(participant_id: str, started_on: int | str, ended_on: int | str | None, **more: Any) -> Row:
    """Return a competitive job of 20 hours a week at 15 an hour; ``ended_on=None`` is still going."""
    row = {"kind": "competitive", "hours_per_week": 20.0, "wage_per_hour": 15.0}
    return {"participant_id": participant_id, "started_on": started_on, "ended_on": ended_on, **row, **more}


def visit(participant_id: str, visit_month: int, **values: Any) -> Row:
    """Return a row of visits."""
    return {"participant_id": participant_id, "visit_month": visit_month, **values}


def register_month(participant_id: str, month: str, source: str = "work", **values: Any) -> Row:
    """Return a row of months; ``month`` is written YYYY-MM."""
    return {"participant_id": participant_id, "month": f"{month}-01", "source": source, **values}


def covered(participant_id: str, covered_from: str | None, covered_until: str | None, **more: Any) -> Row:
    """Return a row of coverage."""
    row = {"source": "work", "linked": True, "covered_from": covered_from, "covered_until": covered_until}
    return {"participant_id": participant_id, **row, **more}


def make_trial(
    people: Iterable[Row],
    jobs: Iterable[Row] | None = None,
    visits: Iterable[Row] | None = None,
    months: Iterable[Row] | None = None,
    coverage: Iterable[Row] | None = None,
    scores: Iterable[str] = (),
    **design: Any,
) -> Trial:
    """Return a Trial of these rows; tables that are None do not exist. ``design`` overrides a Design."""
    people = list(people)
    day_0 = {row["participant_id"]: np.datetime64(row["randomised_on"], "D") for row in people}
    given = {"participants": people, "jobs": jobs, "visits": visits, "months": months, "coverage": coverage}
    tables = {name: _table(name, list(rows), day_0) for name, rows in given.items() if rows is not None}
    arms = pd.CategoricalDtype(ARMS, ordered=True)
    tables["participants"] = tables["participants"].astype({"arm": arms})
    settings = {"arms": ARMS, "arm_labels": {}, "follow_up_months": 30, "currency": "EUR", **design}
    variables = {name: Variable(name, "number") for name in scores}
    return Trial("made", "A made trial", Design(**settings), tables, scores=variables, simulated=True)


def _table(name: str, rows: list[Row], day_0: dict[str, np.datetime64]) -> pd.DataFrame:
    table = schema.table(name)
    columns = dict.fromkeys([*table.names, *(key for row in rows for key in row)])
    # A table without rows has every column; otherwise those of its rows, and those it cannot lack.
    used = [
        column
        for column in columns
        if not rows or any(column in row for row in rows) or _always(name, column)
    ]
    dtypes = {column.name: schema.DTYPES[column.kind] for column in table.columns if column.name in used}
    cells = {
        column: [_cell(row.get(column), day_0.get(row.get("participant_id", ""))) for row in rows]
        if dtypes.get(column, "").startswith("datetime")
        else [row.get(column) for row in rows]
        for column in used
    }
    return pd.DataFrame(cells, columns=used).astype({name: dtypes.get(name, "float64") for name in used})


def _always(table: str, column: str) -> bool:
    return schema.table(table).column(column).required or column == "ended_on"


def _cell(value: int | str | None, day_0: np.datetime64 | None) -> np.datetime64:
    if value is None:
        return np.datetime64("NaT", "s")
    if isinstance(value, int | np.integer):
        assert day_0 is not None, "a study day needs a person who was randomised"
        return (day_0 + int(value)).astype("datetime64[s]")
    return np.datetime64(value, "s")
