"""One outcome under every interval method: how little, or how much, hangs on the choice."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from ipseval.render.figures import marks
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.marks import Line, Mark
from ipseval.render.figures.rates import differences, proportions, sheet
from ipseval.render.figures.source import Source

QUANTITIES = ("proportion", "risk_difference")
_READING = re.compile(r"arms=(?P<sizes>[\d/]+) \((?P<mark>\w+)\)")


def draw(source: Source, width: float) -> Drawing:
    """Draw the last month under each method; a published result under each reading of its arms."""
    rows = source.frame if source.is_published else _main_settings(source)
    rows = rows.loc[rows["time"] == rows["time"].max()]
    arms, contrasts = (rows.loc[rows["quantity"] == name] for name in QUANTITIES)
    source.refuse_if_empty(pd.concat([arms, contrasts]), "interval")
    panels = (
        proportions(source, _lines(source, arms, marks.arm_marks)),
        differences(source, _lines(source, contrasts, marks.contrast_marks)),
    )
    when = source.when(float(rows["time"].max()))
    caption = source.say("shows.methods", when=when, contrast=marks.compared(source))
    people = [] if source.is_published else source.people_notes(arms)  # there the readings are headings
    cited = [source.say("note.source", citation=source.record["citation"])] if source.is_published else []
    return sheet(source, width, panels, caption, [*people, *cited], shared=False)


def _main_settings(source: Source) -> pd.DataFrame:
    """Return the rows of every method under the setting of the main rows."""
    rows = source.frame
    wanted = rows["quantity"].map(source.record.get("main", {}).get("setting", {}))
    return rows.loc[(wanted.isna() | (rows["setting"] == wanted)).to_numpy(dtype=bool)]


def _lines(
    source: Source, rows: pd.DataFrame, one: Callable[[Source, pd.DataFrame], tuple[Mark, ...]]
) -> tuple[Line, ...]:
    """Return a line per method; where there are several readings, under a heading for each."""
    lines: list[Line] = []
    for reading in pd.unique(rows["setting"]):
        mine = rows.loc[rows["setting"] == reading]
        if found := _READING.fullmatch(reading):
            lines.append(Line(_heading(source, found["sizes"], found["mark"])))
        names = {name: source.named("method", name, capital=True) for name in pd.unique(mine["method"])}
        lines += marks.lines(source, mine, names, "method", one)
    return tuple(lines)


def _heading(source: Source, sizes: str, mark: str) -> str:
    """Return a reading with how far it can be trusted: "Arms of 70 and 81 people (read)"."""
    return source.say("reading", sizes=source.listed(sizes.split("/")), mark=source.say(f"mark.{mark}"))
