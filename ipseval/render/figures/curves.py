"""Percentages, or points of a scale, over months, with each arm named at the end of its line."""

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
_ROUND = (0.2, 0.5, 1.0, 2.0)  # steps between ticks, as shares of a power of ten
_LEADER = 4.0  # mm from the frame to a label


class Upright(NamedTuple):
    """A vertical axis: its ends, its ticks, and what is written at each of them."""

    low: float
    high: float
    ticks: list[float]
    texts: list[str]


class End(NamedTuple):
    """The end of a line: where it is, what stands beside it and how it looks."""

    month: float
    value: float
    label: list[str]
    look: style.ArmStyle


@dataclass(frozen=True)
class Field:
    """An axes over months, and its place on the page in mm."""

    axes: Axes
    left: float
    top: float
    width: float
    height: float
    months: tuple[float, float]
    upright: Upright

    def x(self, month: float) -> float:
        """Return where a month is on the page."""
        low, high = self.months
        return self.left + self.width * (month - low) / (high - low)

    def y(self, value: float) -> float:
        """Return where a value is on the page."""
        low, high = self.upright.low, self.upright.high
        return self.top + self.height * (high - value) / (high - low)


def end_label(page: Page, source: Source, arm: str, value: str) -> list[str]:
    """Return the lines that stand at the end of an arm's line: its name and its last value."""
    return [*page.wrapped(source.arm(arm), 0.25 * page.width), value]


def percents(highest: float, lang: str) -> Upright:
    """Return an axis of percentages, from 0 to what holds ``highest``."""
    step, ceiling = _scale(highest)
    shares = [step * at for at in range(round(ceiling / step) + 1)]
    return Upright(0.0, ceiling, shares, [words.number(100 * share, lang, digits=0) for share in shares])


def points(lowest: float, highest: float, lang: str) -> Upright:
    """Return an axis that holds values from ``lowest`` to ``highest``, with 3 to 8 round ticks."""
    narrow = 0.05 * max(abs(lowest), abs(highest), 1.0)  # one value still needs an axis around it
    if highest - lowest < narrow:
        lowest, highest = lowest - narrow / 2, highest + narrow / 2
    size = 10.0 ** math.floor(math.log10(highest - lowest))
    step = next(share * size for share in _ROUND if highest - lowest <= 6 * share * size)
    ticks = [step * at for at in range(math.floor(lowest / step), math.ceil(highest / step) + 1)]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Upright(ticks[0], ticks[-1], ticks, [words.number(tick, lang, digits=digits) for tick in ticks])


def field(
    page: Page,
    source: Source,
    ticks: Sequence[float],
    *,
    months: tuple[float, float],
    upright: Upright,
    labels: Sequence[list[str]],
) -> Field:
    """Return the axes over the width that axis and end labels leave, below what stands on the page."""
    left = MARGIN + max(map(page.text_width, upright.texts)) + 2.5
    gutter = max((page.text_width(line) for lines in labels for line in lines), default=0.0)
    width = page.width - MARGIN - left - gutter - _LEADER - 1.0
    height = min(max(0.62 * width, 44.0), 72.0)
    top = page.y + 1.5
    axes = page.axes(left, top, width, height)
    axes.set_xlim(*months)
    axes.set_ylim(upright.low, upright.high)
    axes.set_yticks(upright.ticks, upright.texts)
    kept = thinned(ticks, width / (months[1] - months[0]), page.text_width("00") + 1.5)
    axes.set_xticks(kept, [source.months(month) for month in kept])
    page.y = top + height + 1.2 + line_height(style.TEXT)
    title = page.wrapped(source.say("months"), page.width - left - MARGIN)
    page.y = page.lines(left + width / 2, page.y, title, ha="center") + 0.4
    return Field(axes, left, top, width, height, months, upright)


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
    wanted = [place.y(end.value) for end in ends.values()]
    centres = spread(wanted, heights, place.top - 3.0, place.top + place.height + 5.0)
    edge = place.left + place.width
    for end, centre, height in zip(ends.values(), centres, heights, strict=True):
        page.rule(
            (place.x(end.month) + clear, edge + _LEADER - 0.6),
            (place.y(end.value), centre),
            color=end.look.colour,
            linewidth=0.5,
        )
        top = centre - height / 2 + 0.2
        page.lines(edge + _LEADER, top, end.label, colour=end.look.colour)
