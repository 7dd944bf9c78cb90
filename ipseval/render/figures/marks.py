"""Estimates to be listed: a line is what the reader compares, its marks are the arms or contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.source import Source


@dataclass(frozen=True)
class Mark:
    """One estimate with its limits, whose it is, and whether it may be drawn."""

    estimate: float
    low: float
    high: float
    look: style.ArmStyle
    who: str
    status: str

    @property
    def drawn(self) -> bool:
        """Whether there is a number to draw."""
        return self.status in ("ok", "warned") and bool(np.isfinite(self.estimate))


@dataclass(frozen=True)
class Line:
    """A label and its marks; a line without marks is a heading."""

    label: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Lines on one axis.

    ``scale`` multiplies before showing (100 for percentages), ``null`` is the value of no difference
    and ``sides`` says in words what lies left and right of it.
    """

    title: str
    lines: tuple[Line, ...]
    scale: float = 1.0
    digits: int = 1
    signed: bool = False
    null: float | None = None
    sides: tuple[str, str] | None = None

    def number(self, value: float, lang: str) -> str:
        """Return a value as it is shown."""
        return words.number(self.scale * value, lang, digits=self.digits, sign=self.signed)


def mark(row: pd.Series, look: style.ArmStyle, who: str) -> Mark:
    """Return the mark of a row of results."""
    estimate, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
    return Mark(estimate, low, high, look, who, str(row["status"]))


def arm_marks(source: Source, rows: pd.DataFrame) -> tuple[Mark, ...]:
    """Return a mark per arm, active before reference."""
    found = {str(row["arm"]): row for _, row in rows.iterrows()}
    return tuple(
        mark(found[arm], source.styles[arm], source.arm(arm)) for arm in source.shown_arms if arm in found
    )


def contrast_marks(source: Source, rows: pd.DataFrame) -> tuple[Mark, ...]:
    """Return a mark per contrast."""
    found = {str(row["contrast"]): row for _, row in rows.iterrows()}
    marks = []
    for contrast in source.contrasts:
        if contrast in found:
            active, reference = source.pair(contrast)
            who = source.say("against", active=source.arm(active), reference=source.arm(reference))
            several = len(source.contrasts) > 1
            look = source.styles[active] if several else style.CONTRAST
            marks.append(mark(found[contrast], look, who))
    return tuple(marks)


def lines(
    source: Source,
    rows: pd.DataFrame,
    labels: Mapping[Any, str],
    column: str,
    marks: Callable[[Source, pd.DataFrame], tuple[Mark, ...]],
) -> tuple[Line, ...]:
    """Return a line for each value of a column, in the order of the labels."""
    return tuple(
        Line(label, marks(source, rows.loc[rows[column] == value])) for value, label in labels.items()
    )


def compared(source: Source) -> str:
    """Return "IPS minus usual", for every contrast."""
    pairs = (map(source.arm, source.pair(contrast)) for contrast in source.contrasts)
    return source.listed(
        source.say("against", active=active, reference=reference) for active, reference in pairs
    )


def difference_sides(source: Source, key: str) -> tuple[str, str] | None:
    """Return in words what lies left and right of no difference."""
    if len(source.contrasts) != 1:
        return None
    active, reference = map(source.arm, source.pair(source.contrasts[0]))
    return source.say(key, arm=reference), source.say(key, arm=active)


def value_text(source: Source, panel: Panel, shown: Mark) -> str:
    """Return "44.3 (33.2 to 55.9)", or why there is no number."""
    if not shown.drawn:
        reasons = {"suppressed": "too_few", "not_made": "not_compared"}
        return source.say(reasons.get(shown.status, "not_estimated"))
    estimate = panel.number(shown.estimate, source.lang)
    if not np.isfinite([shown.low, shown.high]).all():
        return estimate
    limits = words.interval(shown.low, shown.high, source.lang, digits=panel.digits, scale=panel.scale)
    return source.say("value", estimate=estimate, interval=limits)


def described(source: Source, panels: Sequence[Panel]) -> list[str]:
    """Return every number of the panels in words, panel by panel and line by line."""
    said = []
    for panel in panels:
        heading = ""
        for line in panel.lines:
            if not line.marks:
                heading = f"{line.label}, "
            for shown in line.marks:
                what = f"{panel.title}, {heading}{line.label}"
                what = what if shown.look == style.CONTRAST else f"{what}, {shown.who}"
                said.append(source.say("alt.point", what=what, value=value_text(source, panel, shown)) + ".")
    return said
