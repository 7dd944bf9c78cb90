"""A curve per arm as right-continuous steps, with the number at risk below the ticks.

For others only points at least the minimum of events apart are left. Steps between them would stand flat for
months and jump where the last person of a few had the event; straight lines through them say no more than is
known, and mislead less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.render.figures import style
from ipseval.render.figures.curves import End, Field, Upright, end_label, field, name_ends
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.page import MARGIN, Page, line_height
from ipseval.render.figures.source import Source, drawable


@dataclass(frozen=True)
class Shown:
    """What the curves of a family show.

    ``quantity``, ``method`` and ``term`` choose the rows; ``title`` is a key of the texts of figures.
    ``heading`` says what the axis is, ``upright`` makes it; ``value`` and ``interval`` write numbers.
    """

    quantity: str
    method: str
    term: str
    title: str
    heading: Callable[[Source], str]
    upright: Callable[[float, str], Upright]
    value: Callable[[float, str], str]
    interval: Callable[[float, float, str], str]


def draw_curves(source: Source, width: float, shown: Shown, *, show_died: bool = False) -> Drawing:
    """Draw the curves of an analysis; ``show_died`` adds death without the event as thin dotted steps."""
    rows = source.frame
    curve = _curve(source, shown)
    curves = {arm: _points(curve, arm, shown.term) for arm in source.shown_arms}
    drawn = {arm: points for arm, points in curves.items() if len(points) > 1}
    _refuse_without_curve(source, curve, drawn)
    died = {arm: _points(curve, arm, "died") for arm in source.shown_arms} if show_died else {}
    at_risk = rows.loc[rows["quantity"] == "number_at_risk"]
    horizon = max(float(points["month"].iloc[-1]) for points in curves.values() if len(points))
    ticks = sorted(at_risk["time"].unique().tolist()) or np.arange(0.0, horizon + 0.5, 6.0).tolist()
    span = (0.0, max(horizon, ticks[-1]))

    page = Page(width)
    page.paragraph(source.outcome, weight="bold")
    page.paragraph(shown.heading(source))
    ends = {arm: _end(page, source, shown, arm, points) for arm, points in drawn.items()}
    highest = max(float(np.nanmax(points[["estimate", "conf_high"]].to_numpy())) for points in drawn.values())
    place = field(
        page,
        source,
        ticks,
        months=span,
        upright=shown.upright(highest, source.lang),
        labels=[end.label for end in ends.values()],
    )
    for arm, points in drawn.items():
        _steps(place, source, arm, points)
    for arm, points in died.items():
        if len(points) > 1:
            _death(place, source, arm, points)
    name_ends(page, place, ends, clear=0.6)
    if len(at_risk):
        _table(page, place, source, at_risk)
    _small_print(
        page,
        source,
        shown.quantity,
        [arm for arm in curves if arm not in drawn],
        any(map(len, died.values())),
    )
    page.finish()
    title = f"{source.outcome}. {source.say(shown.title)}"
    alt = _alt(source, shown, drawn, at_risk, ticks)
    return Drawing(page.figure, title, f"{title}. {alt}", source.lang)


def _refuse_without_curve(source: Source, curve: pd.DataFrame, drawn: dict[str, pd.DataFrame]) -> None:
    """Refuse when no arm has two points; in public files that is so where few people had the event."""
    if _is_thinned(source) and not drawn:
        raise AnalysisError(
            f"Analysis {source.analysis!r} has no curve to draw in public files: too few of its points stand "
            f"{source.minimum} people apart. Draw a longer horizon or larger groups; inside=True shows all "
            f"of them on your own screen."
        )
    source.refuse_if_empty(curve if drawn else curve.iloc[:0], "curve")


def _curve(source: Source, shown: Shown) -> pd.DataFrame:
    """Return the points of every curve with their month; where some were left out, also those of tables."""
    rows = source.frame
    rows = rows.loc[(rows["quantity"] == shown.quantity) & (rows["method"] == shown.method)]
    days = (rows["time_unit"] == "days").to_numpy(dtype=bool)
    months = rows["time"].to_numpy(dtype=float) / np.where(days, source.days_per_month, 1.0)
    return rows.assign(month=months).loc[days | _is_thinned(source)]


def _is_thinned(source: Source) -> bool:
    """Whether points were left out to protect people."""
    return source.minimum > 1


def _points(curve: pd.DataFrame, arm: str, term: str) -> pd.DataFrame:
    rows = curve.loc[(curve["arm"] == arm) & (curve["term"] == term)]
    return rows.loc[drawable(rows)].sort_values("month", kind="stable")


def _end(page: Page, source: Source, shown: Shown, arm: str, points: pd.DataFrame) -> End:
    last = points.iloc[-1]
    label = end_label(page, source, arm, shown.value(last["estimate"], source.lang))
    return End(last["month"], last["estimate"], label, source.styles[arm])


def _steps(place: Field, source: Source, arm: str, points: pd.DataFrame) -> None:
    """Draw one arm: each value holds from its day until the next, unless points were left out between."""
    look = source.styles[arm]
    months, estimate, low, high = (
        points[name].to_numpy(dtype=float) for name in ("month", "estimate", "conf_low", "conf_high")
    )
    how: dict[str, Any] = {"drawstyle": "steps-post"}
    if thinned := _is_thinned(source):
        rises = np.flatnonzero(np.diff(estimate, prepend=0.0) > 0)
        how = look.marks(3.5) | {"markevery": rises.tolist(), "clip_on": False}
        # Nobody had the event on day 0, which has no interval: the band begins at that point.
        low, high = np.where(np.isnan(low), estimate, low), np.where(np.isnan(high), estimate, high)
    place.axes.fill_between(
        months, low, high, step=None if thinned else "post", color=look.colour, alpha=style.BAND_OPACITY,
        linewidth=0, label=f"interval {arm}",
    )  # fmt: skip
    place.axes.plot(
        months, estimate, color=look.colour, linestyle=look.dashes, label=f"curve {arm}", **how
    )  # fmt: skip


def _death(place: Field, source: Source, arm: str, points: pd.DataFrame) -> None:
    place.axes.plot(
        points["month"].to_numpy(dtype=float),
        points["estimate"].to_numpy(dtype=float),
        drawstyle="default" if _is_thinned(source) else "steps-post",
        color=source.styles[arm].colour,
        linestyle=(0, (1, 1.6)),
        linewidth=style.THIN,
        label=f"died {arm}",
    )


def _header(source: Source) -> str:
    key = "number_at_risk_rounded" if _is_thinned(source) else "number_at_risk"
    return source.say(key, minimum=source.minimum)


def _table(page: Page, place: Field, source: Source, at_risk: pd.DataFrame) -> None:
    """Write the number at risk under each tick, below the arm's name with a piece of its line."""
    page.y += 1.2
    page.paragraph(_header(source), style.SMALL, weight="bold")
    page.y += 0.6
    step = line_height(style.SMALL)
    for arm in source.shown_arms:
        look = source.styles[arm]
        middle = page.y + 0.42 * step
        page.rule((MARGIN, MARGIN + 6), (middle, middle), color=look.colour, linestyle=look.dashes)
        indent = MARGIN + 7.5
        names = page.wrapped(source.arm(arm), page.width - indent - MARGIN, style.SMALL)
        page.y = page.lines(indent, page.y, names, style.SMALL, colour=look.colour)
        rows = at_risk.loc[at_risk["arm"] == arm].set_index("time")
        for month in place.axes.get_xticks():
            count = rows["estimate"].get(month, np.nan)
            text = words.number(count, source.lang, digits=0)
            baseline = page.y + style.SMALL * style.MM_PER_POINT
            page.put(place.x(month), baseline, text, style.SMALL, look.colour, ha="center")
        page.y += step + 0.6


def _small_print(page: Page, source: Source, quantity: str, absent: list[str], death: bool) -> None:
    page.y += 1.0
    notes = [source.say("note.bands", level=source.level)]
    notes += source.people_notes(source.frame.loc[source.frame["quantity"] == quantity])
    if death:
        notes.append(source.say("note.died"))
    if _is_thinned(source):
        notes.append(source.say("note.points", minimum=source.minimum))
    if absent:
        notes.append(source.say("note.not_drawn", what=source.listed(map(source.arm, absent))))
    page.paragraph(" ".join(notes + source.closing_notes()), style.SMALL, colour=style.QUIET)


def _alt(
    source: Source, shown: Shown, drawn: dict[str, pd.DataFrame], at_risk: pd.DataFrame, ticks: list[float]
) -> str:
    """Return the curves' last values and the table, in words."""
    said = []
    for arm, points in drawn.items():
        last = points.iloc[-1]
        interval = shown.interval(last["conf_low"], last["conf_high"], source.lang)
        value = source.say(
            "alt.interval", estimate=shown.value(last["estimate"], source.lang), unit="",
            level=source.level, interval=interval,
        )  # fmt: skip
        month = source.when(round(float(last["month"]), 1))
        said.append(source.say("alt.point", what=f"{month}, {source.arm(arm)}", value=value) + ".")
    for arm in source.shown_arms if len(at_risk) else ():
        rows = at_risk.loc[at_risk["arm"] == arm].sort_values("time")
        counts = ", ".join(words.number(count, source.lang, digits=0) for count in rows["estimate"])
        header = f"{_header(source)}, {source.arm(arm)},"
        said.append(
            source.say(
                "alt.at_risk", header=header, months=", ".join(map(source.months, ticks)), counts=counts
            )
        )
    return " ".join([*said, *source.closing_notes()])
