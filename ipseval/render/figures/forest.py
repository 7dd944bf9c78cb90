"""Lists of estimates with their intervals: panels beside each other that share their lines, or below.

Every mark stands on a row of its own, so that no two intervals overlap, with its numbers beside it.
On a narrow page the labels move above their marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.marks import Mark, Panel, value_text
from ipseval.render.figures.page import MARGIN, Page, line_height
from ipseval.render.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, GAP = 3.5, 1.5  # mm: the height of a mark's row, and the space after a line
_LABEL_SHARE = 0.27  # of the width, before words are wrapped
_NARROW = 32.0  # mm of a panel, below which labels move above their marks
_NARROW_BESIDE = 24.0  # mm of each panel beside another, below which they move below each other
_HALF = 80.0  # mm from which panels without common lines stand beside each other
_FEW = 16  # lines of all panels that have room below each other, so that labels stand beside their marks
_BETWEEN = 5.0
_KEY_SAMPLE = 7.0


class Columns(NamedTuple):
    """Where a panel's axis and the numbers beside it stand, in mm."""

    left: float
    width: float
    numbers: float
    end: float


class Slot(NamedTuple):
    """The place of a line, in mm below the top of its panels: its label, and the middle of its marks.

    ``is_over``: whether the label stands over its marks and not beside them.
    """

    label: list[str]
    is_heading: bool
    is_over: bool
    label_top: float
    centre: float


def key(page: Page, source: Source) -> None:
    """Write which marker is which arm, on as many lines as the names need."""
    page.y += 1.2
    x, step = MARGIN, line_height(style.TEXT) + 0.4
    for arm in source.shown_arms:
        look = source.styles[arm]
        name = page.wrapped(source.arm(arm), page.width - 2 * MARGIN - _KEY_SAMPLE)
        needed = _KEY_SAMPLE + max(map(page.text_width, name))
        if x > MARGIN and x + needed > page.width - MARGIN:
            x, page.y = MARGIN, page.y + step
        middle = page.y + 0.42 * step
        page.rule((x + 0.5, x + 5.5), (middle, middle), color=look.colour)
        page.rule((x + 3.0,), (middle,), color=look.colour, **look.marks())
        page.lines(x + _KEY_SAMPLE, page.y, name, colour=look.colour)
        page.y += line_height(style.TEXT) * (len(name) - 1)
        x += needed + 5.0
    page.y += step + 0.6


def draw_panels(page: Page, source: Source, panels: Sequence[Panel], *, shared: bool) -> None:
    """Draw panels beside each other where there is room, else below each other.

    ``shared`` panels have the same lines, and then one column of labels serves them all.
    """
    whole = (MARGIN, page.width - MARGIN)
    if shared:
        columns = _shared_columns(page, source, panels)
        if columns[0].width >= _NARROW_BESIDE:
            _band(page, source, panels, columns, whole, above=False)
            return
    half = (whole[1] - whole[0] - (len(panels) - 1) * _BETWEEN) / len(panels)
    below = sum(len(panel.lines) for panel in panels) <= _FEW and _is_above(page, source, panels, half)
    if not shared and half >= _HALF and not below:
        starts = [MARGIN + place * (half + _BETWEEN) for place in range(len(panels))]
        _apart(page, source, panels, [(start, start + half) for start in starts])
        return
    for panel in panels:
        _apart(page, source, [panel], [whole], like=panels)
        page.y += 2.0


def _shared_columns(page: Page, source: Source, panels: Sequence[Panel]) -> list[Columns]:
    """Return equal axes beside each other, after one column of labels."""
    left = MARGIN + max(_label_width(page, panel, page.width) for panel in panels) + _BETWEEN
    numbers = [_numbers_width(page, source, panel) for panel in panels]
    room = page.width - MARGIN - left - sum(numbers) - (len(panels) - 1) * _BETWEEN
    each, columns = room / len(panels), []
    for width in numbers:
        columns.append(Columns(left, each, left + each + 2.0, left + each + width))
        left = columns[-1].end + _BETWEEN
    return columns


def _apart(
    page: Page,
    source: Source,
    panels: Sequence[Panel],
    spans: Sequence[tuple[float, float]],
    *,
    like: Sequence[Panel] = (),
) -> None:
    """Draw each panel with its own labels in its span of the page, its axis as wide as ``like`` ones need."""
    like = like or panels
    top, ends = page.y, []
    for panel, (start, end) in zip(panels, spans, strict=True):
        label = max(_label_width(page, other, end - start) for other in like)
        numbers = max(_numbers_width(page, source, other) for other in like)
        above = _is_above(page, source, like, end - start)
        left = start + 2.0 if above else start + label + _BETWEEN
        width = end - left - numbers
        page.y = top
        columns = Columns(left, width, left + width + 2.0, end)
        _band(page, source, [panel], [columns], (start, end), above=above)
        ends.append(page.y)
    page.y = max(ends)


def _is_above(page: Page, source: Source, panels: Sequence[Panel], span: float) -> bool:
    """Whether labels must stand above their marks, where they interrupt the line of no difference."""
    label = max(_label_width(page, panel, span) for panel in panels)
    numbers = max(_numbers_width(page, source, panel) for panel in panels)
    return span - label - _BETWEEN - numbers < _NARROW


def _label_width(page: Page, panel: Panel, span: float) -> float:
    most = _LABEL_SHARE * span
    parts = [part for line in panel.lines if line.marks for part in page.wrapped(line.label, most)]
    return max(map(page.text_width, parts), default=0.0)


def _numbers_width(page: Page, source: Source, panel: Panel) -> float:
    texts = [value_text(source, panel, shown) for line in panel.lines for shown in line.marks]
    texts += _header_lines(page, source)
    return 2.0 + max(page.text_width(text, style.SMALL) for text in texts)


def _header_lines(page: Page, source: Source) -> list[str]:
    return page.wrapped(source.say("estimate", level=source.level), 30.0, style.SMALL)


def _band(
    page: Page,
    source: Source,
    panels: Sequence[Panel],
    columns: Sequence[Columns],
    span: tuple[float, float],
    *,
    above: bool,
) -> None:
    """Draw panels that share their lines, with titles above and scales below."""
    page.y += 1.0
    _titles(page, source, panels, columns)
    top = page.y + 0.8
    slots, height = _slots(page, panels, span, columns[0].left, above=above)
    for slot in slots:
        how: dict[str, Any] = {"fontweight": "bold" if slot.is_heading else "normal"}
        if slot.is_over:  # the line of no difference passes behind the words
            how["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        page.lines(span[0], top + slot.label_top, slot.label, **how)
    ends = []
    for panel, place in zip(panels, columns, strict=True):
        axes = page.axes(place.left, top, place.width, height)
        axes.set_ylim(height, 0)
        _scale(page, source, axes, panel, place.width)
        for line, slot in zip(panel.lines, slots, strict=True):
            for row, shown in enumerate(line.marks):
                y = slot.centre + (row - (len(line.marks) - 1) / 2) * ROW
                _draw_mark(axes, shown, panel, y, f"{shown.who} | {line.label}")
                _write_mark(page, source, panel, shown, place.numbers, top + y)
        own = span if len(panels) == 1 else (place.left, place.end)
        ends.append(_below(page, panel, place, top + height, axes, own))
    page.y = max(ends)


def _titles(page: Page, source: Source, panels: Sequence[Panel], columns: Sequence[Columns]) -> None:
    """Write each panel's title, and what the numbers beside it are; both end on one line."""
    header = _header_lines(page, source)
    step = line_height(style.SMALL)
    placed = []
    for panel, place in zip(panels, columns, strict=True):
        title = page.wrapped(panel.title, place.width, style.SMALL, "bold")
        if max(page.text_width(line, style.SMALL, "bold") for line in title) > place.width:
            # A word wider than the axis: the title stands above both columns instead.
            title = page.wrapped(panel.title, place.end - place.left, style.SMALL, "bold")
            title += [""] * len(header)
        placed.append(title)
    bottom = page.y + step * max(map(len, [*placed, header]))
    for title, place in zip(placed, columns, strict=True):
        page.lines(place.left, bottom - step * len(title), title, style.SMALL, fontweight="bold")
        page.lines(place.numbers, bottom - step * len(header), header, style.SMALL, colour=style.QUIET)
    page.y = bottom


def _slots(
    page: Page, panels: Sequence[Panel], span: tuple[float, float], left: float, *, above: bool
) -> tuple[list[Slot], float]:
    """Return the place of every line, and the height of all of them."""
    slots, y = [], GAP / 2
    step = line_height(style.TEXT)
    for lines in zip(*(panel.lines for panel in panels), strict=True):
        rows = max(len(line.marks) for line in lines)
        over = above or not rows
        room = span[1] - span[0] if over else left - span[0] - _BETWEEN
        label = page.wrapped(lines[0].label, room, weight="normal" if rows else "bold")
        text, marks = step * len(label), rows * ROW
        high = text + marks if over else max(text, marks)
        centre = y + (text + marks / 2 if over else high / 2)
        slots.append(Slot(label, not rows, over, y if over else centre - text / 2, centre))
        y += high + GAP
    return slots, y - GAP / 2


def _scale(page: Page, source: Source, axes: Axes, panel: Panel, width: float) -> None:
    """Set limits and ticks that hold every drawn number, and zero."""
    shown = [shown for line in panel.lines for shown in line.marks if shown.drawn]
    values = [panel.scale * value for each in shown for value in (each.low, each.estimate, each.high)]
    values = [value for value in values if np.isfinite(value)] + [0.0]
    low, high = min(values), max(values)
    if panel.null is not None:  # both sides of no difference are seen
        low, high = min(low, -0.2 * (high - low)), max(high, 0.2 * (high - low))
    pad = 0.04 * (high - low) or 1.0
    axes.set_xlim(low - (pad if low < 0 else 0.0), high + pad)
    ticks = _ticks(page, source, axes.get_xlim(), width)
    axes.set_xticks(ticks, [_tick(tick, source.lang) for tick in ticks])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if panel.null is not None:
        axes.axvline(panel.scale * panel.null, color=style.RULE, linewidth=style.THIN, zorder=0, label="null")


def _ticks(page: Page, source: Source, reach: tuple[float, float], width: float) -> list[float]:
    """Return as many round numbers as have room side by side, at most six."""
    from matplotlib.ticker import MaxNLocator

    low, high = reach
    for count in (6, 5, 4, 3, 2):
        found = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = [float(tick) for tick in found if low <= tick <= high]
        widest = max(page.text_width(_tick(tick, source.lang)) for tick in ticks)
        gap = (found[1] - found[0]) / (high - low) * width
        if gap >= widest + 2.0:
            break
    return ticks


def _tick(value: float, lang: str) -> str:
    text = f"{abs(value):.10f}".rstrip("0").rstrip(".")
    return words.number(value, lang, digits=min(len(text.partition(".")[2]), 2))


def _draw_mark(axes: Axes, shown: Mark, panel: Panel, y: float, name: str) -> None:
    if not shown.drawn:
        return
    limits = [panel.scale * shown.low, panel.scale * shown.high]
    if np.isfinite(limits).all():
        axes.plot(limits, [y, y], color=shown.look.colour, solid_capstyle="butt", label=f"interval {name}")
    look: dict[str, Any] = shown.look.marks()
    axes.plot([panel.scale * shown.estimate], [y], linestyle="none", label=f"estimate {name}", **look)


def _write_mark(page: Page, source: Source, panel: Panel, shown: Mark, x: float, y: float) -> None:
    colour = style.INK if shown.drawn else style.QUIET
    page.put(
        x, y + 0.36 * style.SMALL * style.MM_PER_POINT, value_text(source, panel, shown), style.SMALL, colour
    )


def _below(
    page: Page, panel: Panel, place: Columns, bottom: float, axes: Axes, span: tuple[float, float]
) -> float:
    """Write in words what lies left and right of no difference; return how far down the panel reaches.

    Both stand on one line below the panel's own ``span``.
    """
    bottom += 1.6 + line_height(style.TEXT)
    if not panel.sides or panel.null is None:
        return bottom
    low, high = axes.get_xlim()
    null = place.left + place.width * (panel.scale * panel.null - low) / (high - low)
    sides = f"\u2190 {panel.sides[0]}", f"{panel.sides[1]} \u2192"
    needed = [page.text_width(text, style.SMALL) for text in sides]
    if needed[0] <= null - 1.5 - span[0] and needed[1] <= span[1] - null - 1.5:
        edges, rooms, align = (null - 1.5, null + 1.5), needed, ("right", "left")
    else:  # no room on both sides of no difference: from the ends of the panel towards each other
        whole = span[1] - span[0] - 3.0
        edges, align = span, ("left", "right")
        rooms = [whole - min(other, whole / 2) for other in reversed(needed)]
    return max(
        page.lines(x, bottom, page.wrapped(text, room, style.SMALL), style.SMALL, ha=ha, colour=style.QUIET)
        for text, x, room, ha in zip(sides, edges, rooms, align, strict=True)
    )
