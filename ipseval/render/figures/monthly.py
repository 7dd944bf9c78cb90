"""A proportion or a mean score at each month, per arm, with its interval; no number leaves a gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.curves import End, Field, Upright, end_label, field, name_ends, percents, points
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.page import Page
from ipseval.render.figures.source import Source, drawable
from ipseval.results import QUANTITIES as KNOWN
from ipseval.results.sentences import figures, unit_of
from ipseval.results.setting import part_of

QUANTITIES = ("population_averaged_probability", "least_squares_mean", "proportion", "mean")

_MOST_BARS = 24  # months; beyond, intervals are bands
_DODGE = 2.0  # mm between the arms of a month
_SPARSE = 8  # months that each get a tick


def draw(source: Source, width: float) -> Drawing:
    """Draw a series per arm: bars as intervals, or bands where there are many months."""
    rows = source.main.loc[(source.main["arm"] != "") & source.main["time"].notna()]
    quantity = next((name for name in QUANTITIES if (rows["quantity"] == name).any()), QUANTITIES[0])
    # An amount's mean over the whole window is no point of its series of periods.
    rows = rows.loc[(rows["quantity"] == quantity) & (rows["term"] != "whole_window")]
    source.refuse_if_empty(rows, "month")
    months = np.array(sorted(rows["time"].unique()), dtype=np.float64)
    series = {arm: _series(rows, arm, months) for arm in source.shown_arms}
    shown = {arm: values for arm, values in series.items() if np.isfinite(values[0]).any()}

    measure = _Measure(source, rows.iloc[0])
    page = Page(width)
    page.paragraph(source.outcome, weight="bold")
    page.paragraph(measure.title())
    ends = {arm: _end(page, measure, arm, months, values[0]) for arm, values in shown.items()}
    pad = 0.04 * (months[-1] - months[0]) or 1.0
    ticks = _ticks(months)
    place = field(
        page,
        source,
        ticks,
        months=(min(float(months[0] - pad), ticks[0]), float(months[-1] + pad)),
        upright=measure.axis(np.array(list(shown.values()))),
        labels=[end.label for end in ends.values()],
    )
    for at, arm in enumerate(shown):
        if len(months) > _MOST_BARS:
            _bands(place, source, arm, months, shown[arm])
        else:
            dodge = (at - (len(shown) - 1) / 2) * _DODGE / (place.x(1.0) - place.x(0.0))
            _bars(place, source, arm, months + dodge, shown[arm])
    name_ends(page, place, ends, clear=_DODGE / 2 + 1.2)
    notes = _notes(source, rows, series, banded=len(months) > _MOST_BARS)
    if place.upright.low:
        notes.insert(1, source.say("note.not_from_zero"))
    page.y += 0.6
    page.paragraph(" ".join(notes), style.SMALL, colour=style.QUIET)
    page.finish()
    title = f"{source.outcome}. {source.say('shows.monthly')}"
    said = [f"{title}.", *_numbers(measure, months, shown), *notes]
    return Drawing(page.figure, title, " ".join(said), source.lang)


def _series(rows: pd.DataFrame, arm: str, months: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return estimate, lower and upper limit at every month, missing where nothing may be drawn."""
    mine = rows.loc[(rows["arm"] == arm).to_numpy(dtype=bool) & drawable(rows)].set_index("time")
    found = mine[["estimate", "conf_low", "conf_high"]].reindex(months)
    values: NDArray[np.float64] = found.to_numpy(dtype=np.float64).T
    return values


def _ticks(months: NDArray[np.float64]) -> list[float]:
    """Return every month where there are few, else every sixth from the one at or before the first."""
    if len(months) <= _SPARSE:
        return [float(month) for month in months]
    sixth = np.arange(6 * np.floor(months[0] / 6), months[-1] + 0.5, 6)
    return [float(month) for month in sixth]


@dataclass(frozen=True)
class _Measure:
    """What the axis measures, a percentage or points of a scale, and how its values are written."""

    source: Source
    row: pd.Series

    @property
    def is_share(self) -> bool:
        return KNOWN[self.row["quantity"]].scale == "proportion"

    def title(self) -> str:
        named = self.source.named("quantity", self.row["quantity"])
        if self.is_share:
            return self.source.say("percent", what=named)
        return self.source.say("with_unit", what=named, unit=unit_of(self.row, self.source.lang))

    def axis(self, values: NDArray[np.float64]) -> Upright:
        if self.is_share:
            return percents(float(np.nanmax(values)), self.source.lang)
        return points(float(np.nanmin(values)), float(np.nanmax(values)), self.source.lang)

    def value(self, estimate: float) -> str:
        if self.is_share:
            return words.percentage(estimate, self.source.lang)
        return figures(estimate, self.row, self.source.lang)

    def interval(self, low: float, high: float) -> str:
        if self.is_share:
            return words.interval(low, high, self.source.lang, digits=0, scale=100)
        return words.text("number.interval", self.source.lang, low=self.value(low), high=self.value(high))


def _end(
    page: Page, measure: _Measure, arm: str, months: NDArray[np.float64], values: NDArray[np.float64]
) -> End:
    last = int(np.flatnonzero(np.isfinite(values))[-1])
    label = end_label(page, measure.source, arm, measure.value(float(values[last])))
    return End(float(months[last]), float(values[last]), label, measure.source.styles[arm])


def _bars(
    place: Field, source: Source, arm: str, months: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    look = source.styles[arm]
    place.axes.vlines(months, values[1], values[2], color=look.colour, linewidth=0.9, label=f"interval {arm}")
    place.axes.plot(
        months, values[0], color=look.colour, linestyle=look.dashes, label=f"curve {arm}", **look.marks()
    )


def _bands(
    place: Field, source: Source, arm: str, months: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    look = source.styles[arm]
    place.axes.fill_between(
        months,
        values[1],
        values[2],
        color=look.colour,
        alpha=style.BAND_OPACITY,
        linewidth=0,
        label=f"interval {arm}",
    )
    known = np.isfinite(np.concatenate(([np.nan], values[0], [np.nan])))
    alone = known[1:-1] & ~known[:-2] & ~known[2:]  # no line reaches it, so it needs a marker
    place.axes.plot(
        months,
        values[0],
        color=look.colour,
        linestyle=look.dashes,
        label=f"curve {arm}",
        markevery=np.flatnonzero((months % 6 == 0) | alone).tolist(),
        **look.marks(3.5),
    )


def _notes(
    source: Source, rows: pd.DataFrame, series: dict[str, NDArray[np.float64]], *, banded: bool
) -> list[str]:
    notes = [source.say("note.bands" if banded else "note.bars", level=source.level)]
    if (rows["time_from"] < rows["time"]).any():
        notes.append(source.say("note.periods"))
    notes += source.people_notes(rows)
    used = source.listed(source.named("method", name) for name in pd.unique(rows["method"]))
    notes.append(source.say("note.methods", methods=used))
    setting = part_of(rows["setting"].iloc[0], "missing")
    if setting:
        notes.append(source.say("note.unknown", rule=source.named("setting", setting)))
    missing = {arm: np.isnan(values[0]) for arm, values in series.items()}
    hidden = rows["status"] == "suppressed"
    absent = [arm for arm in series if missing[arm].all() and (hidden & (rows["arm"] == arm)).any()]
    if absent:
        notes.append(source.say("note.not_drawn", what=source.listed(map(source.arm, absent))))
    if any(missing[arm].any() for arm in series if arm not in absent):
        notes.append(source.say("note.gaps"))
    return notes + source.closing_notes()


def _numbers(
    measure: _Measure, months: NDArray[np.float64], shown: dict[str, NDArray[np.float64]]
) -> Iterator[str]:
    """Say every number that is drawn."""
    source = measure.source
    unit = "" if measure.is_share else f" {unit_of(measure.row, source.lang)}"
    for at, month in enumerate(months):
        for arm, values in shown.items():
            if np.isfinite(values[0, at]):
                estimate, low, high = (float(value) for value in values[:, at])
                said = {"estimate": measure.value(estimate), "interval": measure.interval(low, high)}
                value = source.say("alt.interval", unit=unit, level=source.level, **said)
                what = f"{source.when(float(month))}, {source.arm(arm)}"
                yield source.say("alt.point", what=what, value=value) + "."
