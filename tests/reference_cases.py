"""Read the cases in ``tests/reference``: another program's inputs and full-precision results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parent / "reference"
_SPECIAL = {"NA": float("nan"), "NaN": float("nan"), "Inf": float("inf"), "-Inf": float("-inf")}


def _numbers(value: Any) -> Any:
    """Turn the strings that stand for missing and infinite values into floats, at every depth."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return _SPECIAL.get(value, value) if isinstance(value, str) else value


def expected(case: str) -> dict[str, Any]:
    """Return ``expected.json`` of a case, with its strings for missing and infinite as floats."""
    return _numbers(json.loads((ROOT / case / "expected.json").read_text(encoding="utf-8")))


def data(case: str, file: str = "data.csv", **options: Any) -> pd.DataFrame:
    """Return a data file of a case; ids stay text."""
    return pd.read_csv(ROOT / case / file, dtype={"id": str}, **options)
