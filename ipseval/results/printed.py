"""The table as a person reads it: what all rows share said once, an interval in one column, notes below."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ipseval import checks

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


def table(results: Results) -> tuple[str, pd.DataFrame, list[str]]:
    """Return what all rows share, the rows as texts, and the notes that the rows number.

    Rows beyond sixty are left out; the first line then says so.
    """
    frame = results.frame.iloc[:_MOST_ROWS]
    notes = [note for note in pd.unique(frame["note"]) if note]
    mark = {note: str(place) for place, note in enumerate(notes, start=1)}
    texts = pd.DataFrame(
        {
            **{name: frame[name] for name in ("analysis", "endpoint", "population", "subgroup")},
            "quantity": frame["quantity"],
            "of": frame["arm"].where(frame["arm"] != "", frame["contrast"]),
            "term": frame["term"],
            "period": _periods(frame),
            "method": frame["method"],
            "setting": frame["setting"],
            "estimate": _numbers(frame["estimate"]),
            "level": _levels(frame["conf_level"]),
            "interval": _intervals(frame),
            "p": _numbers(frame["p_value"]),
            "n": _counts(frame),
            "missing": frame["n_missing"].map(lambda n: "" if pd.isna(n) else f"{n:.0f}"),
            "status": frame["status"].mask(frame["status"] == "ok", ""),
            "note": frame["note"].map(lambda note: mark.get(note, "")),
        }
    ).astype(str)
    shared = [name for name in _SHARED if len(set(texts[name])) == 1]
    said = [texts[name].iloc[0] for name in shared if name != "analysis"]
    if hidden := len(results) - len(frame):
        said.append(f"the first {len(frame)} rows of {len(results)} (.frame has all, {hidden} more)")
    telling = [name for name in texts if name not in shared and (texts[name] != "").any()]
    return ", ".join(part for part in said if part), texts[telling], notes


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
    return values.map(_number)


def _number(value: float) -> str:
    if pd.isna(value):
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
    pairs = zip(frame["n_event"], frame["n"], strict=True)
    return [
        "" if pd.isna(n) else f"{n:.0f}" if pd.isna(events) else f"{events:.0f}/{n:.0f}"
        for events, n in pairs
    ]


def _periods(frame: pd.DataFrame) -> list[str]:
    columns = zip(frame["time_from"], frame["time"], frame["time_unit"], strict=True)
    return [_period(start, end, unit) for start, end, unit in columns]


def _period(start: float, end: float, unit: str) -> str:
    if pd.isna(end):
        return ""
    span = f"{start:g} to {end:g}" if pd.notna(start) and start != end else f"{end:g}"
    return f"{span} {unit}".strip()
