"""The table as a person reads it: what all rows share said once, an interval in one column, notes below.

Steps of a curve and numbers at risk, which a figure shows better, are printed only where nothing else is.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ipseval import checks
from ipseval.results.vocabulary import AT_RISK

if TYPE_CHECKING:
    from ipseval.results.table import Results

#: What is said once above the table where every row has the same.
_SHARED = ("analysis", "endpoint", "population", "subgroup", "term", "period", "method", "setting", "level")
_WIDTH = 100
_MOST_ROWS = 60


def headline(results: Results) -> str:
    """Return how many estimates there are, of what, and how many could not be computed."""
    failed = len(results.failures)
    analyses = checks.named_list(sorted(set(results.frame["analysis"])), 6)
    simulated = " of simulated people" if results.provenance.get("trial", {}).get("simulated") else ""
    counted = f"{len(results)} estimates{simulated} ({analyses})" if len(results) else "No estimates"
    return counted + (f"; {failed} could not be computed, see .failures" if failed else "")


def wrapped(line: str) -> str:
    """Return a line of words within the width of a page; an equation stays on its line."""
    return line if " = " in line else fill(line, _WIDTH)


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without steps of curves and numbers at risk; all rows where nothing else is."""
    drawn = ((frame["time_unit"] == "days") | frame["quantity"].isin(AT_RISK)).to_numpy(dtype=bool)
    return frame if drawn.all() else frame.loc[~drawn]


def table(results: Results) -> tuple[str, pd.DataFrame, list[str]]:
    """Return what all rows share, the rows as texts, and the notes that the rows number."""
    frame = told(results.frame).iloc[:_MOST_ROWS]
    remarks = [note.split("; ") if note else [] for note in frame["note"]]
    notes = list(dict.fromkeys(remark for of_row in remarks for remark in of_row))
    number = {note: str(place) for place, note in enumerate(notes, start=1)}
    parts = [set(setting.split("; ")) for setting in frame["setting"]]
    everywhere = set.intersection(*parts) if parts else set()
    texts = pd.DataFrame(
        {
            **{name: frame[name] for name in ("analysis", "endpoint", "population", "subgroup")},
            "quantity": frame["quantity"],
            "of": frame["arm"].where(frame["arm"] != "", frame["contrast"]),
            "term": frame["term"],
            "period": _periods(frame),
            "method": frame["method"],
            "setting": [_without(setting, everywhere) for setting in frame["setting"]],
            "estimate": _numbers(frame["estimate"]),
            "level": _levels(frame["conf_level"]),
            "interval": _intervals(frame),
            "p": _numbers(frame["p_value"]),
            "n": _counts(frame),
            "missing": frame["n_missing"].map(lambda n: "" if pd.isna(n) else f"{n:.0f}"),
            "status": frame["status"].mask(frame["status"] == "ok", ""),
            "note": [",".join(number[remark] for remark in of_row) for of_row in remarks],
        }
    ).astype(str)
    shared = [name for name in _SHARED if len(set(texts[name])) == 1]
    said = [texts[name].iloc[0] for name in shared if name != "analysis"] + sorted(everywhere)
    if hidden := len(results) - len(frame):
        said.append(f"{hidden} more rows in .frame")
    telling = [name for name in texts if name not in shared and (texts[name] != "").any()]
    return ", ".join(part for part in said if part), texts[telling], notes


def _without(setting: str, parts: set[str]) -> str:
    return "; ".join(part for part in setting.split("; ") if part not in parts)


def text(results: Results) -> str:
    """Return the table for a terminal."""
    shared, rows, notes = table(results)
    numbers = ("estimate", "p", "n", "missing")
    padded = {
        name: [name, *rows[name]] if name in numbers else _left([name, *rows[name]]) for name in rows.columns
    }
    lines = pd.DataFrame(padded).to_string(index=False, header=False).splitlines()
    below = [
        fill(f"{place} {note}", _WIDTH, subsequent_indent="  ") for place, note in enumerate(notes, start=1)
    ]
    return "\n".join(
        [*([fill(shared, _WIDTH)] if shared else []), *(line.rstrip() for line in lines), *below]
    )


def html(results: Results) -> str:
    """Return the table for a notebook."""
    from html import escape

    shared, rows, notes = table(results)
    below = "".join(f"<br>{place} {escape(note)}" for place, note in enumerate(notes, start=1))
    return f"<p>{escape(shared)}</p>{rows.to_html(index=False)}<p><small>{below[4:]}</small></p>"


def _left(values: list[str]) -> list[str]:
    width = max(map(len, values))
    return [value.ljust(width) for value in values]


def _numbers(values: pd.Series) -> pd.Series:
    """Return numbers with four significant digits, and nothing for those that are missing."""
    return _floats(values).map(_number)


def _floats(values: pd.Series) -> pd.Series:
    return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:.4g}" if abs(value) >= 1e-4 and abs(value) < 1e6 else f"{value:.3g}"


def _intervals(frame: pd.DataFrame) -> list[str]:
    ends = zip(_numbers(frame["conf_low"]), _numbers(frame["conf_high"]), strict=True)
    return [f"{low} to {high}" if low or high else "" for low, high in ends]


def _levels(values: pd.Series) -> pd.Series:
    # Tests have none, and share the level of the intervals beside them.
    given = values.dropna().unique()
    if len(given) == 1:
        return pd.Series(f"{100 * given[0]:g}% intervals", index=values.index)
    return values.map(lambda level: "" if pd.isna(level) else f"{100 * level:g}%")


def _counts(frame: pd.DataFrame) -> list[str]:
    """Return the people with the outcome of those counted, "31/70"; those counted where there is no such."""
    return [
        _count(events, n) for events, n in zip(_floats(frame["n_event"]), _floats(frame["n"]), strict=True)
    ]


def _count(events: float, n: float) -> str:
    if np.isnan(n):
        return ""
    return f"{n:.0f}" if np.isnan(events) else f"{events:.0f}/{n:.0f}"


def _periods(frame: pd.DataFrame) -> list[str]:
    columns = zip(_floats(frame["time_from"]), _floats(frame["time"]), frame["time_unit"], strict=True)
    return [_period(start, end, unit) for start, end, unit in columns]


def _period(start: float, end: float, unit: str) -> str:
    if np.isnan(end):
        return ""
    span = f"{start:g} to {end:g}" if not np.isnan(start) and start != end else f"{end:g}"
    return f"{span} {unit}".strip()
