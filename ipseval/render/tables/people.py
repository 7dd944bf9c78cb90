"""Tables about the people: what became of them, who they were, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ipseval import words
from ipseval.render.tables.cells import NONE, Writer, capital, rows_of
from ipseval.render.tables.model import Column, Line, Table
from ipseval.results import Results
from ipseval.results.sentences import figures

#: More months than this are a series: shown one line each, or every half year.
SERIES = 6


def flow_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return how many were randomised, how their follow-up ended, and how many were assessed, per arm."""
    write = Writer(results, lang)
    frame = results.select(analysis=analysis, setting=["flow", "assessed"]).frame
    lines: list[Line] = []
    ended = False
    for term, month in _in_first_order(frame):
        is_here = (frame["term"] == term) & (
            frame["time"].isna() if pd.isna(month) else frame["time"] == month
        )
        of_arm = {row["arm"]: row for row in rows_of(frame.loc[is_here])}
        if term.startswith("end_reason=") and not ended:
            lines.append(Line(write.say("flow.how_it_ended")))
            ended = True
        if term == "assessed" and not any(line.heading == write.say("flow.assessed") for line in lines):
            lines.append(Line(write.say("flow.assessed")))
        cells = tuple(_count(of_arm[arm], write) if arm in of_arm else NONE for arm in write.arms)
        lines.append(Line(_flow_heading(term, next(iter(of_arm.values())), write), cells))
    columns = tuple(Column(capital(write.arm(arm))) for arm in write.arms)
    return Table(caption, write.say("column.people"), columns, tuple(lines), write.closing(frame))


def _in_first_order(frame: pd.DataFrame) -> list[tuple[str, float]]:
    """Return randomised, then jobs under way, then ends of follow-up, then assessments by month."""
    rank = {"randomised": 0, "job_under_way": 1, "end_reason=completed": 2, "assessed": 4}
    keys = frame[["term", "time"]].drop_duplicates().itertuples(index=False, name=None)
    return sorted(keys, key=lambda key: (rank.get(key[0], 3), 0.0 if pd.isna(key[1]) else key[1]))


def _flow_heading(term: str, row: pd.Series, write: Writer) -> str:
    if term == "assessed":
        return write.moment(row)
    reason = term.removeprefix("end_reason=")
    key = f"report.flow.{reason.replace(' ', '_')}"
    return words.text(key, write.lang) if words.has(key) else capital(reason.replace("_", " "))


def _count(row: pd.Series, write: Writer) -> str:
    """Return "63 (78%)": the count, and its share of the arm."""
    if write.is_hidden(row):
        return write.estimate(row)
    people = float(row["n"])
    # A count that was rounded has no exact number of people any more.
    rounded = float(row["estimate"]) * (people if row["quantity"] == "percentage" else 1.0)
    count = rounded if pd.isna(row["n_event"]) else float(row["n_event"])
    if row["term"] == "randomised" or not people:
        return write.number(count)
    return f"{write.number(count)} ({words.percentage(count / people, write.lang)})"


def baseline_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return the people of each arm at baseline, with standardised differences and without p values.

    Numbers are given as mean (standard deviation) and median (quartiles), categories as percentage
    (number); people without a value are counted in a line of their own.
    """
    write = Writer(results, lang)
    frame = results.select(analysis=analysis, setting="baseline").frame
    variables = dict.fromkeys(frame["term"].str.partition("=")[0])
    lines = [line for name in variables for line in _variable(frame, str(name), write)]
    columns = [Column(capital(write.arm(arm))) for arm in write.arms]
    columns += [Column(write.say("column.standardised")) for _ in write.contrasts]
    directions = "; ".join(write.direction(contrast) for contrast in write.contrasts)
    notes = (("", write.say("baseline.direction", direction=directions)), *write.closing(frame))
    return Table(caption, write.say("column.characteristic"), tuple(columns), tuple(lines), notes)


def _variable(frame: pd.DataFrame, name: str, write: Writer) -> list[Line]:
    """Return the lines of one variable: a number has two, a category one per level."""
    own = frame.loc[frame["term"] == name]
    levels = frame.loc[frame["term"].str.startswith(f"{name}=")]
    declared = write.trial.get("covariates", {}).get(name, {})
    units = own["unit"].loc[own["arm"] != ""]
    heading = _label(name, declared, str(units.iloc[0]) if len(units) else "", write)
    balance = own.loc[own["quantity"] == "standardised_mean_difference"]
    of_contrast = {row["contrast"]: write.estimate(row) for row in rows_of(balance)}
    differences = tuple(of_contrast.get(contrast, NONE) for contrast in write.contrasts)
    blank = (NONE,) * len(write.contrasts)
    title = Line(heading, (NONE,) * len(write.arms) + differences)
    if len(levels):
        lines = [title]
        for term in pd.unique(levels["term"]):
            of_arm = {row["arm"]: _share(row, write) for row in rows_of(levels.loc[levels["term"] == term])}
            cells = tuple(of_arm.get(arm, NONE) for arm in write.arms)
            level = _level(str(term).partition("=")[2], declared, write)
            lines.append(Line(level, cells + blank, depth=1))
        return lines + _without_value(levels, write, blank)
    per_arm = [{row["quantity"]: row for row in rows_of(own.loc[own["arm"] == arm])} for arm in write.arms]
    means = tuple(_pair_of(numbers, ("mean", "standard_deviation"), write) for numbers in per_arm)
    middle = ("median", "lower_quartile", "upper_quartile")
    medians = tuple(_pair_of(numbers, middle, write) for numbers in per_arm)
    return [
        title,
        Line(write.say("baseline.mean"), means + blank, depth=1),
        Line(write.say("baseline.median"), medians + blank, depth=1),
        *_without_value(own.loc[own["quantity"] == "mean"], write, blank),
    ]


def _pair_of(numbers: Mapping[str, pd.Series], quantities: tuple[str, ...], write: Writer) -> str:
    """Return "38.2 (10.8)" or "36.0 (29.0 to 48.0)"."""
    rows = [numbers.get(quantity) for quantity in quantities]
    if any(row is None for row in rows):
        return NONE
    first = next(row for row in rows if row is not None)
    hidden = [row for row in rows if row is not None and write.is_hidden(row)]
    if hidden:
        return write.estimate(hidden[0])
    written = [figures(row["estimate"], first, write.lang) for row in rows if row is not None]
    if len(written) == 2:
        return f"{written[0]} ({written[1]})"
    return f"{written[0]} ({words.text('number.interval', write.lang, low=written[1], high=written[2])})"


def _share(row: pd.Series, write: Writer) -> str:
    """Return "22.2% (18)"."""
    return (
        write.estimate(row)
        if write.is_hidden(row)
        else f"{write.estimate(row)} ({write.number(row['n_event'])})"
    )


def _without_value(rows: pd.DataFrame, write: Writer, blank: tuple[str, ...]) -> list[Line]:
    """Return the line of people without a value, where there are any, or too few to be counted."""
    shown_first = rows.loc[rows["arm"] != ""].sort_values(
        "status", key=lambda status: status == "suppressed", kind="stable"
    )
    of_arm = {row["arm"]: row for row in rows_of(shown_first.drop_duplicates("arm"))}
    not_shown = words.text("status.not_shown", write.lang)
    unknown = {
        arm: not_shown if pd.isna(row["n_missing"]) else write.number(row["n_missing"])
        for arm, row in of_arm.items()
    }
    if all(text == write.number(0) for text in unknown.values()):
        return []
    cells = tuple(unknown.get(arm, NONE) for arm in write.arms)
    return [Line(write.say("baseline.no_value"), cells + blank, depth=1)]


def _label(name: str, declared: Mapping[str, Any], unit: str, write: Writer) -> str:
    """Return the trial's label of a variable with its unit; without one, its column name in plain words."""
    said = str(declared.get("label") or "")
    label = words.translated(said, write.lang) if said else capital(write.named("label", name))
    return f"{label} ({write.named('unit', unit)})" if unit else label


def _level(code: str, declared: Mapping[str, Any], write: Writer) -> str:
    """Return the label of a category."""
    label = str(declared.get("labels", {}).get(code, ""))
    if label:
        return words.translated(label, write.lang)
    return write.say(f"baseline.{code.lower()}") if code in ("True", "False") else code


def missing_table(results: Results, caption: str, *, lang: str = "en") -> Table:
    """Return how many outcomes were unknown, per outcome, month and arm, as far as it can be shown."""
    write = Writer(results, lang)
    main = results.main.frame
    rated = main["quantity"].isin(["proportion", "mean"]) & main["setting"].str.startswith("missing=")
    frame = main.loc[rated | (main["quantity"] == "population_averaged_probability")]
    frame = frame.loc[frame["time"].notna()]
    lines: list[Line] = []
    for _, rows in frame.groupby("analysis", sort=False):
        lines.append(Line(write.outcome(rows["endpoint"].iloc[0])))
        for month in _half_years(sorted(set(rows["time"]))):
            of_arm = {row["arm"]: row for row in rows_of(rows.loc[rows["time"] == month])}
            cells = tuple(_unknown(of_arm[arm], write) if arm in of_arm else NONE for arm in write.arms)
            lines.append(Line(write.moment(next(iter(of_arm.values()))), cells))
    columns = tuple(Column(capital(write.arm(arm))) for arm in write.arms)
    return Table(caption, write.say("column.outcome"), columns, tuple(lines), write.closing(frame))


def _unknown(row: pd.Series, write: Writer) -> str:
    return write.estimate(row) if write.is_hidden(row) else write.unknown(row)


def _half_years(months: list[float]) -> list[float]:
    """Return the months, of a long series only every sixth and the last."""
    if len(months) <= SERIES:
        return months
    return [month for month in months if month % 6 == 0 or month == months[-1]]
