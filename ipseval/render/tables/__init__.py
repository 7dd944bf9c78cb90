"""Tables: rows of results -> a small frozen model that a writer turns into HTML or text.

Nothing is computed here. Each cell is one number of one row, written in the language of the reader;
suppressed numbers say "small cell", those that could not be computed say so and why.
"""

from __future__ import annotations

from ipseval.render.tables.estimates import (
    at_risk_table,
    estimates_table,
    methods_table,
    series_table,
    unknown_table,
)
from ipseval.render.tables.model import Column, Line, Table
from ipseval.render.tables.people import SERIES, baseline_table, flow_table, missing_table
from ipseval.render.tables.published import comparison_of, published_table, readings_table

__all__ = [
    "SERIES",
    "Column",
    "Line",
    "Table",
    "at_risk_table",
    "baseline_table",
    "comparison_of",
    "estimates_table",
    "flow_table",
    "methods_table",
    "missing_table",
    "published_table",
    "readings_table",
    "series_table",
    "unknown_table",
]
