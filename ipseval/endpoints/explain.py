"""One person's way from records to value, as plain text for the analyst's own terminal.

The text holds a person's records: it is never part of a result, a figure or a report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from ipseval.endpoints.base import EVENT, Endpoint, label
from ipseval.endpoints.study_days import anniversary_day, dates_of, observed_to, randomised_on
from ipseval.trial import Trial


def explanation(
    endpoint: Endpoint, trial: Trial, person: str, records: Sequence[str], steps: Iterable[str] = ()
) -> str:
    """Return the whole text: who, which definition, which records, which cut, which result."""
    outcome = endpoint.evaluate(trial)
    rows = outcome.loc[(outcome["participant_id"] == person).to_numpy(dtype=np.bool_)]
    lines = [
        f"{person} ({trial.arm[trial.row_of(person)]}): {label(endpoint.describe(trial.design))}",
        f"  {endpoint.definition(trial.design)}",
        _follow_up_line(trial, person),
        *(f"  {line}" for line in records),
        *(f"  {line}" for line in steps),
        *(f"  {line}" for line in _result_lines(endpoint, rows)),
    ]
    return "\n".join(lines)


def _follow_up_line(trial: Trial, person: str) -> str:
    row = trial.row_of(person)
    end = trial.participants["end_reason"].iloc[row] if "end_reason" in trial.participants else pd.NA
    why = "" if pd.isna(end) else f", {end}"
    followed = int(trial.followed_days[row])
    return (
        f"  randomised on {randomised_on(trial)[row]} (day 0), "
        f"followed until {_date(trial, row, followed)} (day {followed}){why}"
    )


def _date(trial: Trial, row: int, day: int) -> str:
    return str(randomised_on(trial)[row] + day)


def job_lines(
    trial: Trial, person: str, kinds: Collection[str], *, only_new: bool, before: int | None = None
) -> list[str]:
    """Return a line per spell: its kind, dates, study days, and whether it counts and why not.

    ``before`` is the day at which the longest horizon is cut.
    """
    jobs = trial.table("jobs")
    own = jobs.loc[(jobs["participant_id"] == person).to_numpy(dtype=np.bool_)]
    own = own.sort_values("started_on", kind="stable")
    row = trial.row_of(person)
    followed = int(trial.followed_days[row])
    start = (dates_of(own["started_on"]) - randomised_on(trial)[row]).astype(np.int64)
    ended_on = dates_of(own["ended_on"])
    ongoing = np.isnat(ended_on)
    end = (ended_on - randomised_on(trial)[row]).astype(np.int64)
    end = np.where(ongoing, np.maximum(followed, start), end)
    lines = ["1 spell recorded" if len(own) == 1 else f"{len(own)} spells recorded"]
    for spell, (_, job) in enumerate(own.iterrows()):
        last = "still going" if ongoing[spell] else str(ended_on[spell])
        counts = _verdict(job["kind"], int(start[spell]), int(end[spell]), followed, kinds, only_new)
        if before is not None and counts.startswith("counted") and start[spell] >= before:
            counts = f"not counted, starts on day {start[spell]}, not before day {before}"
        lines.append(f"  {_date(trial, row, start[spell])} to {last}, {job['kind']}{_pay(job)}: {counts}")
    return lines


def _pay(job: pd.Series) -> str:
    """Return hours and wage where the table has them; a blank is said to be one."""
    ways = (
        ("hours_per_week", "{:g} hours a week", "hours unknown"),
        ("wage_per_hour", "{:g} an hour", "wage unknown"),
    )
    found = [(job[column], known, unknown) for column, known, unknown in ways if column in job]
    return "".join(
        f", {unknown if pd.isna(value) else known.format(value)}" for value, known, unknown in found
    )


def _verdict(kind: str, start: int, end: int, followed: int, kinds: Collection[str], only_new: bool) -> str:
    """Return whether a spell counts, in which study days, or why not."""
    if kind not in kinds:
        return f"not counted, only {' and '.join(kinds)} is"
    if start > followed:
        return f"not counted, starts on day {start}, after follow-up"
    if end < 0:
        return f"not counted, ended on day {end}, before randomisation"
    if start < 0 and only_new:
        return f"not counted, under way at randomisation (since day {start}) and so not new"
    days = f"days {max(start, 0)} to {min(end, followed)}"
    return f"counted, {days}" + (f", under way since day {start}" if start < 0 else "")


def cut_lines(trial: Trial, person: str, months: Iterable[float]) -> list[str]:
    """Return a line per horizon: the day below which something counts."""
    row = trial.row_of(person)
    cuts = [(month, trial.design.horizon_day(month)) for month in months]
    return [
        f"within {month:g} months: days 0 to {cut - 1}, before {_date(trial, row, cut)}; "
        f"followed to it: {_followed(trial, row, cut)}"
        for month, cut in cuts
    ]


def _followed(trial: Trial, row: int, cut: int) -> str:
    """Return whether a person was followed to a horizon, and by which rule if not day by day."""
    day = int(trial.followed_days[row])
    if day >= cut - 1:
        return "yes"
    if bool(trial.is_followed_to(cut)[row]):
        return f"yes, completed within {trial.design.tolerance_days} days of it"
    if bool(trial.died[row]):
        return f"died on day {day}; what had not happened by then is known not to have happened"
    return "no"


def anniversary_lines(trial: Trial, person: str, months: Iterable[float]) -> list[str]:
    """Return a line per month: its day A(k)."""
    row = trial.row_of(person)
    days = [(month, int(anniversary_day(trial, month)[row])) for month in months]
    return [
        f"{month:g} months after randomisation: {_date(trial, row, day)}, day {day}" for month, day in days
    ]


def observed_lines(trial: Trial, person: str) -> list[str]:
    """Return the line that says to which day monthly status is observed."""
    row = trial.row_of(person)
    last = int(observed_to(trial)[row])
    return [f"months are observed up to day {last}, {_date(trial, row, last)}"]


def visit_lines(trial: Trial, person: str, column: str) -> list[str]:
    """Return a line per visit recorded, with the value of ``column``."""
    visits = trial.table("visits")
    own = visits.loc[(visits["participant_id"] == person).to_numpy(dtype=np.bool_)].sort_values("visit_month")
    shown = [
        f"visit of month {visit['visit_month']}: {column} {_cell(visit[column])}"
        for _, visit in own.iterrows()
    ]
    return [
        "1 visit recorded" if len(own) == 1 else f"{len(own)} visits recorded",
        *(f"  {x}" for x in shown),
    ]


def register_lines(trial: Trial, person: str, *columns: str) -> list[str]:
    """Return the coverage, and a line per month recorded with the values of ``columns``."""
    months = trial.table("months")
    own = months.loc[(months["participant_id"] == person).to_numpy(dtype=np.bool_)]
    own = own.sort_values(["month", "source"], kind="stable")
    month_0 = randomised_on(trial)[trial.row_of(person)].astype("datetime64[M]")
    lines = [*_coverage_lines(trial, person), f"{len(own)} months recorded in registers (month 0: {month_0})"]
    for _, record in own.iterrows():
        month = np.datetime64(record["month"], "M")
        values = ", ".join(f"{name} {_cell(record[name])}" for name in columns if name in record)
        lines.append(f"  month {(month - month_0).astype(int)} ({month}), {record['source']}: {values}")
    return lines


def _coverage_lines(trial: Trial, person: str) -> list[str]:
    if "coverage" not in trial.tables:
        return ["no coverage table: only months with a record are known"]
    coverage = trial.table("coverage")
    own = coverage.loc[(coverage["participant_id"] == person).to_numpy(dtype=np.bool_)]
    dates = zip(dates_of(own["covered_from"]), dates_of(own["covered_until"]), own["linked"], strict=True)
    spans = [
        f"{begin} to {end}" if linked is True or linked == 1 else "not linked" for begin, end, linked in dates
    ]
    sources = [str(source) for source in own["source"]]
    return [f"covered by {source}: {span}" for source, span in zip(sources, spans, strict=True)] or [
        "covered by no register"
    ]


def _result_lines(endpoint: Endpoint, rows: pd.DataFrame) -> list[str]:
    lines = []
    for _, row in rows.iterrows():
        known = "" if row["known"] and not row["reason"] else f" ({row['reason']})"
        lines.append(f"month {row['month']:g}: {_value(endpoint, row)}{known}")
    return lines


def _value(endpoint: Endpoint, row: pd.Series) -> str:
    if endpoint.kind == "time":
        what = "first job" if row["event"] == EVENT else row["event"]
        return f"{what} on day {row['value']}"
    if pd.isna(row["value"]):
        return "not known"
    if endpoint.kind == "binary":
        return _yes(bool(row["value"]))
    if endpoint.kind in ("amount", "recurrent"):
        complete = "complete" if row["is_complete"] else f"so far, to day {row['observed_until']}"
        return f"{row['value']:g} {endpoint.unit}, {complete}"
    return _cell(row["value"])


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "blank"
    return f"{value:g}" if isinstance(value, float) else str(value)
