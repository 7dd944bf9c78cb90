"""Each arm with its interval, and beside it the difference with its own."""

from __future__ import annotations

import pandas as pd

from ipseval import words
from ipseval.render.figures import forest, marks, style
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.marks import Line, Panel
from ipseval.render.figures.page import Page
from ipseval.render.figures.source import Source
from ipseval.results.setting import part_of

QUANTITIES = ("proportion",)


def draw(source: Source, width: float) -> Drawing:
    """Draw the proportion of each arm at each month, and the difference in percentage points."""
    rows = source.main
    arms, contrasts = (rows.loc[rows["quantity"] == name] for name in ("proportion", "risk_difference"))
    source.refuse_if_empty(pd.concat([arms, contrasts]), "rate")
    months = {month: source.when(month) for month in sorted(arms["time"].unique().tolist())}
    panels = (
        proportions(source, marks.lines(source, arms, months, "time", marks.arm_marks)),
        differences(source, marks.lines(source, contrasts, months, "time", marks.contrast_marks)),
    )
    caption = source.say("shows.rates", contrast=marks.compared(source))
    return sheet(
        source,
        width,
        panels,
        caption,
        [*source.people_notes(arms), *methods_note(source, arms, contrasts), *unknown_note(source, arms)],
    )


def proportions(source: Source, lines: tuple[Line, ...]) -> Panel:
    """Return the panel of the arms' proportions, in percent."""
    title = source.say("percent", what=source.named("quantity", "proportion"))
    return Panel(title, lines, scale=100.0)


def differences(source: Source, lines: tuple[Line, ...]) -> Panel:
    """Return the panel of differences, in percentage points."""
    return Panel(
        source.say("difference", unit=words.text("unit.percentage_points", source.lang)),
        lines,
        scale=100.0,
        signed=True,
        null=0.0,
        sides=marks.difference_sides(source, "favours"),
    )


def methods_note(source: Source, *rows: pd.DataFrame) -> list[str]:
    """Return the note that names the methods of these rows."""
    used = [name for name in pd.unique(pd.concat(rows)["method"]) if name]
    named = source.listed(source.named("method", name) for name in used)
    return [source.say("note.methods", methods=named)] if used else []


def unknown_note(source: Source, rows: pd.DataFrame) -> list[str]:
    """Return the note that says how people with an unknown outcome were counted."""
    rule = part_of(str(rows["setting"].iloc[0]), "missing")
    return [source.say("note.unknown", rule=source.named("setting", rule))] if rule else []


def sheet(
    source: Source,
    width: float,
    panels: tuple[Panel, ...],
    caption: str,
    notes: list[str],
    *,
    shared: bool = True,
) -> Drawing:
    """Return a page with a heading, the key to the arms, the panels and the small print."""
    page = Page(width)
    page.paragraph(source.outcome, weight="bold")
    page.paragraph(caption)
    forest.key(page, source)
    forest.draw_panels(page, source, panels, shared=shared)
    page.y += 1.5
    said = [source.say("note.bars", level=source.level), *notes, *source.closing_notes()]
    page.paragraph(" ".join(said), style.SMALL, colour=style.QUIET)
    page.finish()
    title = f"{source.outcome}. {caption}"
    alt = " ".join([f"{title}.", *marks.described(source, panels), *said])
    return Drawing(page.figure, title, alt, source.lang)
