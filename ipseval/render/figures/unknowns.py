"""The ways of counting people whose outcome is unknown, side by side, those known to mislead marked."""

from __future__ import annotations

import math

import pandas as pd

from ipseval.render.figures import marks, style
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.marks import Line, Mark
from ipseval.render.figures.rates import differences, methods_note, proportions, sheet
from ipseval.render.figures.source import Source
from ipseval.results.setting import says_only

QUANTITIES = ("proportion",)
_ORDER = ("as_not_employed", "censored", "observed", "completers", "best_case", "worst_case")
#: Ways that mislead or give no difference, and the sign that points to the note that says why.
_MARKED = {"censored": "\u2020", "observed": "\u2021", "completers": "\u00a7"}


def draw(source: Source, width: float) -> Drawing:
    """Draw the last month of a rate under every way of counting the unknown."""
    rows = source.frame.loc[says_only(source.frame["setting"], "missing")]
    rows = rows.loc[rows["time"] == rows["time"].max()]
    arms, contrasts = (_first_method(rows, name) for name in ("proportion", "risk_difference"))
    source.refuse_if_empty(pd.concat([arms, contrasts]), "way of counting the unknown")
    ways = [way for way in _ORDER if f"missing={way}" in set(arms["setting"])]
    labels = {
        f"missing={way}": source.named("setting", way, capital=True) + _MARKED.get(way, "") for way in ways
    }
    panels = (
        proportions(source, marks.lines(source, arms, labels, "setting", marks.arm_marks)),
        differences(source, _all_compared(source, contrasts, labels)),
    )
    notes = source.people_notes(arms) + methods_note(source, arms, contrasts)
    notes += [
        f"{sign} {source.named('note', way, capital=True)}." for way, sign in _MARKED.items() if way in ways
    ]
    when = source.when(float(rows["time"].max()))
    caption = source.say("shows.unknowns", when=when, contrast=marks.compared(source))
    return sheet(source, width, panels, caption, notes)


def _all_compared(source: Source, rows: pd.DataFrame, labels: dict[str, str]) -> tuple[Line, ...]:
    """Return a line per way with its contrasts; where none was made, it says so."""
    absent = (Mark(math.nan, math.nan, math.nan, style.CONTRAST, "", "not_made"),)
    lines = marks.lines(source, rows, labels, "setting", marks.contrast_marks)
    return tuple(Line(line.label, line.marks or absent) for line in lines)


def _first_method(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return one row per way and arm or contrast: the default method, which is written first."""
    mine = rows.loc[rows["quantity"] == quantity]
    return mine.drop_duplicates(["setting", "arm", "contrast"])
