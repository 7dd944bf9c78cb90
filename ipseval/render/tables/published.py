"""Tables of what was published beside what was reproduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ipseval import words
from ipseval.render.tables.cells import NONE, Writer, capital, rows_of
from ipseval.render.tables.model import Column, Line, Marks, Table
from ipseval.results import Results

PUBLISHED = "published"


@dataclass(frozen=True)
class Comparison:
    """The rows of one published result and those that reproduce it.

    Attributes
    ----------
    record : mapping
        Citation, sentence and readings.
    published, reproduced : DataFrame
        Every published row, and the main rows of the analysis of the same outcome and month.
    """

    record: Any
    published: pd.DataFrame
    reproduced: pd.DataFrame


def comparison_of(results: Results) -> Comparison | None:
    """Return the published result in a results table with what reproduces it; None without one."""
    record = results.records.get(PUBLISHED)
    if record is None:
        return None
    published = results.select(analysis=PUBLISHED).frame
    main = results.main.frame
    same = (main["endpoint"] == published["endpoint"].iloc[0]) & (main["time"] == published["time"].iloc[0])
    main = main.loc[same & (main["analysis"] != PUBLISHED)]
    main = main.loc[main["quantity"].isin(["proportion", "risk_difference"])]
    first = main.loc[main["analysis"] == main["analysis"].iloc[0]] if len(main) else main
    return Comparison(record, published, first)


def published_table(results: Results, caption: str, *, lang: str = "en") -> Table:
    """Return the percentages as printed beside those reproduced, a line per arm and for the difference."""
    write = Writer(results, lang)
    found = comparison_of(results)
    columns = (
        Column(write.say("column.published")),
        Column(write.say("column.reproduced")),
        Column(write.say("column.interval", level=write.level(results.frame))),
    )
    if found is None:
        return Table(caption, write.say("column.arm"), columns, ())
    printed = found.published.loc[found.published["method"] == PUBLISHED].drop_duplicates("arm")
    as_printed = {row["arm"]: _as_printed(row, write) for row in rows_of(printed)}
    mine = {row["arm"] or row["contrast"]: row for row in rows_of(found.reproduced)}
    lines = []
    for key in (*write.arms, *write.contrasts):
        row = mine.get(key)
        cells = (NONE, NONE) if row is None else (_counted(row, write), write.interval(row))
        heading = write.arm(key) if key in write.arms else write.say("published.difference")
        lines.append(Line(capital(heading), (as_printed.get(key, NONE), *cells)))
    notes = write.closing(pd.concat([printed, found.reproduced]))
    return Table(caption, write.say("column.arm"), columns, tuple(lines), notes)


def readings_table(results: Results, caption: str, *, lang: str = "en") -> Table:
    """Return every reading of the counts behind the published percentages, and how far it can be trusted."""
    write = Writer(results, lang)
    found = comparison_of(results)
    columns = (
        Column(write.say("published.difference")),
        Column(write.say("column.interval", level=write.level(results.frame))),
        Column(write.say("column.mark"), is_text=True),
    )
    if found is None or not write.contrasts:
        return Table(caption, write.say("column.reading"), columns, ())
    versus = capital(write.direction(write.contrasts[0], "against"))
    main = found.record["main"]["method"]
    chosen = found.published.loc[found.published["method"] == found.published["quantity"].map(main)]
    marks, lines = Marks(), []
    for reading in found.record["readings"]:
        rows = rows_of(chosen.loc[chosen["setting"] == reading["label"]])
        of = {row["arm"] or row["contrast"]: row for row in rows}
        difference = next((of[contrast] for contrast in write.contrasts if contrast in of), None)
        cells = (
            (NONE, NONE) if difference is None else (write.estimate(difference), write.interval(difference))
        )
        notes = [capital(words.translated(part, lang)) for part in reading["note"].split("; ")]
        counts = [of[arm] for arm in write.pair(write.contrasts[0]) if arm in of]
        heading = write.against([write.events(row) for row in counts]) or reading["label"]
        lines.append(Line(heading, (*cells, write.say(f"mark.{reading['mark']}")), marks.of(*notes)))
    notes_below = marks.notes + write.closing(chosen)
    return Table(caption, versus, columns, tuple(lines), notes_below)


def _as_printed(row: pd.Series, write: Writer) -> str:
    """Return a percentage with the decimals that were printed: 44%, 54.5%."""
    if write.is_hidden(row):
        return write.estimate(row)
    percent = 100 * row["estimate"]
    return words.percentage(
        row["estimate"], write.lang, digits=0 if abs(percent - round(percent)) < 1e-9 else 1
    )


def _counted(row: pd.Series, write: Writer) -> str:
    """Return "31 of 70 = 44.3%" for an arm, and the difference as it is."""
    if write.is_hidden(row) or row["contrast"] or pd.isna(row["n_event"]):
        return write.estimate(row)
    return f"{write.events(row)} = {write.estimate(row)}"
