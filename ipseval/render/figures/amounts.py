"""Mean amount per person in each arm with its interval, and beside it the difference."""

from __future__ import annotations

import pandas as pd

from ipseval import words
from ipseval.render.figures import marks
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.marks import Panel
from ipseval.render.figures.rates import methods_note, sheet, unknown_note
from ipseval.render.figures.source import Source

QUANTITIES = ("mean",)


def draw(source: Source, width: float) -> Drawing:
    """Draw the mean of each arm at each horizon, and the difference, in the unit of the amount."""
    rows = source.main
    arms, contrasts = (rows.loc[rows["quantity"] == name] for name in ("mean", "mean_difference"))
    source.refuse_if_empty(pd.concat([arms, contrasts]), "mean")
    unit = _unit(source, str(arms["unit"].iloc[0]))
    digits = _digits(float(arms["estimate"].abs().max()))
    months = {month: source.when(month) for month in sorted(arms["time"].unique().tolist())}
    panels = (
        Panel(
            source.say("with_unit", what=source.named("quantity", "mean"), unit=unit),
            marks.lines(source, arms, months, "time", marks.arm_marks),
            digits=digits,
        ),
        Panel(
            source.say("difference", unit=unit),
            marks.lines(source, contrasts, months, "time", marks.contrast_marks),
            digits=digits,
            signed=True,
            null=0.0,
            sides=marks.difference_sides(source, "higher"),
        ),
    )
    caption = source.say("shows.amounts", contrast=marks.compared(source))
    return sheet(
        source,
        width,
        panels,
        caption,
        [*source.people_notes(arms), *methods_note(source, arms, contrasts), *unknown_note(source, arms)],
    )


def _unit(source: Source, unit: str) -> str:
    """Return the unit in words; a currency is its own."""
    known = words.has(f"unit.{unit}")
    return words.text(f"unit.{unit}", source.lang) if known else unit


def _digits(largest: float) -> int:
    """Return decimals that leave about three figures."""
    return 0 if largest >= 100 else 1 if largest >= 10 else 2
