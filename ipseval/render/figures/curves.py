"""Percentages over months, with each arm named at the end of its line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.page import MARGIN, Page, line_height, spread
from ipseval.render.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = (0.02, 0.05, 0.1, 0.2, 0.25)
_LEADER = 4.0  # mm from the frame to a label


class End(NamedTuple):
    """The end of a line: where it is, what stands beside it and how it looks."""

    month: float
    share: float
    label: list[str]
    look: style.ArmStyle


@dataclass(frozen=True)
class Field:
    """An axes of proportions over months, and its place on the page in mm."""

    axes: Axes
    left: float
    top: float
    width: float
    height: float
    months: tuple[float, float]
    ceiling: float

    def x(self, month: float) -> float:
        """Return where a month is on the page."""
        low, high = self.months
        return self.left + self.width * (month - low) / (high - low)

    def y(self, share: float) -> float:
        """Return where a proportion is on the page."""
        return self.top + self.height * (1 - share / self.ceiling)


def end_label(page: Page, source: Source, arm: str, share: float) -> list[str]:
    """Return the lines that stand at the end of an arm's line: its name and its last value."""
    return [*page.wrapped(source.arm(arm), 0.25 * page.width), words.percentage(share, source.lang)]


def field(
    page: Page,
    source: Source,
    ticks: Sequence[float],
    *,
    months: tuple[float, float],
    highest: float,
    labels: Sequence[list[str]],
) -> Field:
    """Return the axes over the width that axis and end labels leave, below what stands on the page."""
    step, ceiling = _scale(highest)
    shares = [step * at for at in range(round(ceiling / step) + 1)]
    texts = [words.number(100 * share, source.lang, digits=0) for share in shares]
    left = MARGIN + max(map(page.text_width, texts)) + 2.5
    gutter = max((page.text_width(line) for lines in labels for line in lines), default=0.0)
    width = page.width - MARGIN - left - gutter - _LEADER - 1.0
    height = min(max(0.62 * width, 44.0), 72.0)
    top = page.y + 1.5
    axes = page.axes(left, top, width, height)
    axes.set_xlim(*months)
    axes.set_ylim(0, ceiling)
    axes.set_yticks(shares, texts)
    kept = thinned(ticks, width / (months[1] - months[0]), page.text_width("00") + 1.5)
    axes.set_xticks(kept, [source.months(month) for month in kept])
    page.y = top + height + 1.2 + line_height(style.TEXT)
    title = page.wrapped(source.say("months"), page.width - left - MARGIN)
    page.y = page.lines(left + width / 2, page.y, title, ha="center") + 0.4
    return Field(axes, left, top, width, height, months, ceiling)


def _scale(highest: float) -> tuple[float, float]:
    """Return the step between ticks and the end of an axis from 0 that holds ``highest``."""
    step = next((step for step in _STEPS if highest <= 7 * step), _STEPS[-1])
    return step, min(step * math.ceil(round(highest / step, 9) or 1), 1.0)


def thinned(ticks: Sequence[float], mm_per_month: float, needed: float) -> list[float]:
    """Return the first and last tick and as many between them, evenly, as have room."""
    for every in range(1, len(ticks) + 1):
        kept = list(ticks[::every])
        if kept[-1] != ticks[-1]:
            kept = [tick for tick in kept if (ticks[-1] - tick) * mm_per_month >= needed] + [ticks[-1]]
        gaps = [(after - before) * mm_per_month for before, after in pairwise(kept)]
        if all(gap >= needed for gap in gaps):
            return kept
    return [ticks[-1]]


def name_ends(page: Page, place: Field, ends: Mapping[str, End], *, clear: float) -> None:
    """Write each line's label at its end, moved apart where they would overlap, with a leader to its line.

    ``clear`` mm are left between a line's last point and the leader.
    """
    if not ends:
        return
    step = line_height(style.TEXT)
    heights = [step * len(end.label) + 0.8 for end in ends.values()]
    wanted = [place.y(end.share) for end in ends.values()]
    centres = spread(wanted, heights, place.top - 3.0, place.top + place.height + 5.0)
    edge = place.left + place.width
    for end, centre, height in zip(ends.values(), centres, heights, strict=True):
        page.rule(
            (place.x(end.month) + clear, edge + _LEADER - 0.6),
            (place.y(end.share), centre),
            color=end.look.colour,
            linewidth=0.5,
        )
        top = centre - height / 2 + 0.2
        page.lines(edge + _LEADER, top, end.label, colour=end.look.colour)
