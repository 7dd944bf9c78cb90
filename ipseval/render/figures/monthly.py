"""The proportion in work at each month, per arm, with its interval; months without a number stay empty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.render.figures import style
from ipseval.render.figures.curves import End, Field, end_label, field, name_ends
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.page import Page
from ipseval.render.figures.source import Source, drawable
from ipseval.results.setting import part_of

QUANTITIES = ("population_averaged_probability", "proportion")

_MOST_BARS = 24  # months; beyond, intervals are bands
_DODGE = 2.0  # mm between the arms of a month
_SPARSE = 8  # months that each get a tick


def draw(source: Source, width: float) -> Drawing:
    """Draw a series per arm: bars as intervals, or bands where there are many months."""
    rows = source.main.loc[(source.main["arm"] != "") & source.main["time"].notna()]
    quantity = next((name for name in QUANTITIES if (rows["quantity"] == name).any()), QUANTITIES[0])
    rows = rows.loc[rows["quantity"] == quantity]
    source.refuse_if_empty(rows, "month")
    months = np.array(sorted(rows["time"].unique()), dtype=np.float64)
    series = {arm: _series(rows, arm, months) for arm in source.shown_arms}
    shown = {arm: values for arm, values in series.items() if np.isfinite(values[0]).any()}

    page = Page(width)
    page.paragraph(source.outcome, weight="bold")
    page.paragraph(source.say("percent", what=source.named("quantity", quantity)))
    ends = {arm: _end(page, source, arm, months, values[0]) for arm, values in shown.items()}
    pad = 0.04 * (months[-1] - months[0]) or 1.0
    place = field(
        page,
        source,
        _ticks(months),
        months=(float(months[0] - pad), float(months[-1] + pad)),
        highest=float(max(np.nanmax(values) for values in shown.values())),
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
    page.y += 0.6
    page.paragraph(" ".join(notes), style.SMALL, colour=style.QUIET)
    page.finish()
    title = f"{source.outcome}. {source.say('shows.monthly')}"
    said = [f"{title}.", *_numbers(source, months, shown), *notes]
    return Drawing(page.figure, title, " ".join(said), source.lang)


def _series(rows: pd.DataFrame, arm: str, months: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return estimate, lower and upper limit at every month, missing where nothing may be drawn."""
    mine = rows.loc[(rows["arm"] == arm).to_numpy(dtype=bool) & drawable(rows)].set_index("time")
    found = mine[["estimate", "conf_low", "conf_high"]].reindex(months)
    values: NDArray[np.float64] = found.to_numpy(dtype=np.float64).T
    return values


def _ticks(months: NDArray[np.float64]) -> list[float]:
    """Return every month where there are few, else every sixth."""
    if len(months) <= _SPARSE:
        return [float(month) for month in months]
    sixth = np.arange(6 * np.ceil(months[0] / 6), months[-1] + 0.5, 6)
    return [float(month) for month in sixth]


def _end(
    page: Page, source: Source, arm: str, months: NDArray[np.float64], share: NDArray[np.float64]
) -> End:
    last = int(np.flatnonzero(np.isfinite(share))[-1])
    label = end_label(page, source, arm, float(share[last]))
    return End(float(months[last]), float(share[last]), label, source.styles[arm])


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
    used = source.listed(source.named("method", name) for name in pd.unique(rows["method"]))
    notes.append(source.say("note.methods", methods=used))
    setting = part_of(rows["setting"].iloc[0], "missing")
    if setting:
        notes.append(source.say("note.unknown", rule=source.named("setting", setting)))
    if any(np.isnan(values[0]).any() for values in series.values()):
        notes.append(source.say("note.gaps"))
    return notes + source.closing_notes()


def _numbers(
    source: Source, months: NDArray[np.float64], shown: dict[str, NDArray[np.float64]]
) -> Iterator[str]:
    """Say every number that is drawn."""
    for at, month in enumerate(months):
        for arm, values in shown.items():
            if np.isfinite(values[0, at]):
                limits = words.interval(values[1, at], values[2, at], source.lang, digits=0, scale=100)
                value = source.say(
                    "alt.interval", estimate=words.percentage(values[0, at], source.lang), unit="",
                    level=source.level, interval=limits,
                )  # fmt: skip
                what = f"{source.when(float(month))}, {source.arm(arm)}"
                yield source.say("alt.point", what=what, value=value) + "."
