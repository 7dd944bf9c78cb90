"""The hazard ratio along time: a curve through scaled Schoenfeld residuals, beside the constant ratio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.curves import thinned
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.page import MARGIN, Page, line_height
from ipseval.render.figures.source import Source, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = ("scaled_schoenfeld_residual",)

_RATIOS = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4)
_TICKS = 7
_SAID = 5  # points of the curve in the text alternative


def draw(source: Source, width: float) -> Drawing:
    """Draw a panel per contrast; dots only where single events may be shown."""
    rows = source.frame
    is_curve = (rows["quantity"] == "hazard_ratio") & (rows["method"] == "schoenfeld_spline")
    source.refuse_if_empty(rows.loc[is_curve], "curve")
    page = Page(width)
    page.paragraph(source.outcome, weight="bold")
    title = f"{source.outcome}. {source.say('shows.schoenfeld')}"
    said = [f"{title}."]
    for contrast in source.contrasts:
        mine = rows.loc[(rows["contrast"] == contrast).to_numpy(dtype=bool)]
        curve = _drawn(mine.loc[is_curve.loc[mine.index]])
        if curve.empty:
            continue
        dots = _drawn(mine.loc[mine["quantity"] == QUANTITIES[0]])
        active, reference = map(source.arm, source.pair(contrast))
        axis = source.say(
            "ratio_of", what=source.named("quantity", "hazard_ratio"), active=active, reference=reference
        )
        page.paragraph(axis)
        constant = _main(source, contrast, "hazard_ratio")
        _panel(page, source, curve, dots, constant)
        notes = _notes(source, contrast, constant, shows_dots=len(dots) > 0)
        page.paragraph(" ".join(notes), style.SMALL, colour=style.QUIET)
        page.y += 1.5
        said += [f"{axis}.", *_numbers(source, curve), *notes]
    counted = source.frame.loc[source.frame["quantity"] == "cumulative_incidence"]
    closing = [*source.people_notes(counted), *source.closing_notes()]
    if closing:
        page.paragraph(" ".join(closing), style.SMALL, colour=style.QUIET)
    page.finish()
    return Drawing(page.figure, title, " ".join([*said, *closing]), source.lang)


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[drawable(rows)].sort_values("time")


def _main(source: Source, contrast: str, quantity: str) -> pd.Series | None:
    """Return the main row of a contrast, over all of follow-up; None where it may not be shown."""
    rows = source.main
    rows = rows.loc[(rows["quantity"] == quantity) & (rows["contrast"] == contrast)]
    rows = rows.loc[rows["status"].isin(["ok", "warned"])]
    return None if rows.empty else rows.iloc[0]


def _panel(
    page: Page, source: Source, curve: pd.DataFrame, dots: pd.DataFrame, constant: pd.Series | None
) -> None:
    heights = [
        *np.log(curve[["conf_low", "conf_high"]].to_numpy(dtype=float)).ravel(),
        *dots["estimate"],
        0.0,
    ]
    last = float(curve["time"].max()) / source.days_per_month if constant is None else float(constant["time"])
    axes = _axes(page, source, (min(heights), max(heights)), last)
    look = style.CONTRAST
    months = curve["time"].to_numpy(dtype=float) / source.days_per_month
    middle, low, high = (
        np.log(curve[name].to_numpy(dtype=float)) for name in ("estimate", "conf_low", "conf_high")
    )
    axes.axhline(0.0, color=style.RULE, linewidth=style.THIN, label="no difference")
    if constant is not None:
        axes.axhline(
            float(np.log(constant["estimate"])),
            color=look.colour,
            linestyle=(0, (4.5, 1.8)),
            label="constant",
        )
    axes.fill_between(
        months, low, high, color=look.colour, alpha=style.BAND_OPACITY, linewidth=0, label="interval"
    )
    axes.plot(
        dots["time"].to_numpy(dtype=float) / source.days_per_month,
        dots["estimate"].to_numpy(dtype=float),
        linestyle="None",
        marker="o",
        markersize=2.2,
        markeredgewidth=0,
        color=style.QUIET,
        clip_on=False,
        label="residuals",
    )
    axes.plot(months, middle, color=look.colour, linestyle=look.dashes, label="curve")


def _axes(page: Page, source: Source, heights: tuple[float, float], end: float) -> Axes:
    """Return axes of log hazard ratios over months, the ticks written as ratios."""
    low, high = heights
    inside = [ratio for ratio in _RATIOS if low <= np.log(ratio) <= high]
    ratios = inside[:: -(-len(inside) // _TICKS)] if 1.0 in inside[:: -(-len(inside) // _TICKS)] else inside
    texts = [
        words.number(ratio, source.lang, digits=max(0, round(-np.log10(ratio) + 0.4))) for ratio in ratios
    ]
    left = MARGIN + max(map(page.text_width, texts)) + 2.5
    width = page.width - MARGIN - left - 2.0
    height = min(max(0.5 * width, 42.0), 66.0)
    top = page.y + 1.5
    axes = page.axes(left, top, width, height)
    margin = 0.04 * (high - low)
    axes.set_xlim(0.0, end)
    axes.set_ylim(low - margin, high + margin)
    axes.set_yticks(np.log(ratios), texts)
    ticks = np.arange(0.0, end + 0.01, 6.0).tolist()
    kept = thinned(ticks, width / end, page.text_width("00") + 1.5)
    axes.set_xticks(kept, [source.months(month) for month in kept])
    page.y = top + height + 1.2 + line_height(style.TEXT)
    page.y = (
        page.lines(left + width / 2, page.y, page.wrapped(source.say("months"), width), ha="center") + 1.0
    )
    return axes


def _notes(source: Source, contrast: str, constant: pd.Series | None, *, shows_dots: bool) -> list[str]:
    notes = [source.say("note.spline", level=source.level)]
    notes.append(source.say("note.residuals" if shows_dots else "note.no_residuals"))
    if constant is not None:
        ratio = words.number(constant["estimate"], source.lang, digits=2)
        notes.append(source.say("note.constant", ratio=ratio))
    test = _main(source, contrast, "proportional_hazards_test")
    if test is not None:
        notes.append(source.say("note.proportional", p=words.p_relation(test["p_value"], source.lang)))
    return notes


def _numbers(source: Source, curve: pd.DataFrame) -> Iterator[str]:
    """Say the curve at a few of its points, both ends among them."""
    for place in np.linspace(0, len(curve) - 1, min(_SAID, len(curve))).round().astype(int):
        row = curve.iloc[place]
        estimate = words.number(row["estimate"], source.lang, digits=2)
        interval = words.interval(row["conf_low"], row["conf_high"], source.lang, digits=2)
        value = source.say("alt.interval", estimate=estimate, unit="", level=source.level, interval=interval)
        months = source.months(float(round(row["time"] / source.days_per_month)))
        when = source.say("at", months=months)
        yield source.say("alt.point", what=when, value=value) + "."
