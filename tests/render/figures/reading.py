"""Read back what a drawing shows, and small results made by hand in the vocabulary of the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseval.render.figures import style
from ipseval.render.figures.drawing import Drawing
from ipseval.results import Results


def artist(drawing: Drawing, label: str) -> Any:
    """Return the one drawn artist with this label."""
    (found,) = artists(drawing, label)
    return found


def artists(drawing: Drawing, start: str) -> list[Any]:
    """Return every artist on an axes whose label starts so."""
    every = [
        item
        for axes in drawing.figure.axes
        for item in (*axes.lines, *axes.collections)
        if str(item.get_label()).startswith(start)
    ]
    exact = [item for item in every if item.get_label() == start]
    return exact or every


def texts(drawing: Drawing) -> list[Any]:
    """Return every text that is seen, tick labels included."""
    axes = drawing.figure.axes
    ticks = [label for one in axes for label in (*one.get_xticklabels(), *one.get_yticklabels())]
    return [text for text in (*drawing.figure.texts, *ticks) if text.get_text() and text.get_visible()]


def words_of(drawing: Drawing) -> str:
    """Return all that can be read, wrapped lines joined."""
    return " ".join(text.get_text() for text in texts(drawing))


def boxes(drawing: Drawing) -> list[tuple[str, Any]]:
    """Return each text with its box in pixels."""
    with style.settings():
        drawing.figure.draw_without_rendering()  # places every text, and paints nothing
        return [(text.get_text(), text.get_window_extent()) for text in texts(drawing)]


def rate_rows(months: dict[float, tuple[int, int]], n: tuple[int, int], **more: Any) -> list[dict[str, Any]]:
    """Return proportions per month and arm with made-up limits, and their difference."""
    rows = []
    for month, counts in months.items():
        keys = {
            "analysis": "rates",
            "endpoint": "employed_monthly",
            "population": "randomised",
            "time_from": month,
            "time": month,
            "time_unit": "months",
            "setting": "missing=as_not_employed",
            "unit": "proportion",
            "conf_level": 0.95,
            **more,
        }
        for arm, x, people in zip(("usual", "IPS"), counts, n, strict=True):
            p = x / people
            rows.append(
                {
                    **keys, "quantity": "proportion", "arm": arm, "method": "wilson", "estimate": p,
                    "conf_low": max(p - 0.1, 0.0), "conf_high": min(p + 0.1, 1.0), "n": people, "n_event": x,
                }
            )  # fmt: skip
        difference = counts[1] / n[1] - counts[0] / n[0]
        rows.append(
            {
                **keys, "quantity": "risk_difference", "contrast": "IPS - usual", "method": "newcombe",
                "estimate": difference, "conf_low": difference - 0.12, "conf_high": difference + 0.12,
                "n": sum(n), "n_event": sum(counts),
            }
        )  # fmt: skip
    return rows


def results_of(rows: list[dict[str, Any]], figure: str = "rates", **trial: Any) -> Results:
    """Return results with the record and provenance that an estimator would leave."""
    record = {
        "estimator": "rates",
        "section": "rates",
        "figure": figure,
        "arguments": {},
        "main": {"method": {}, "setting": {}},
    }
    arms = list(dict.fromkeys(row["arm"] for row in rows if row.get("arm")))
    facts = {"name": "made", "simulated": True, "arms": arms, "arm_labels": {}, **trial}
    endpoint = {
        "name": "employed_monthly",
        "words": "endpoint.employed_monthly.jobs",
        "kind": "binary",
        "unit": "",
        "cumulative": False,
        "months": [],
        "month_rule": "anniversary",
        "parameters": {},
    }
    return Results.from_rows(
        rows,
        records={"rates": record},
        endpoints={"employed_monthly": endpoint},
        provenance={"trial": facts},
    )


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.1)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.1)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
