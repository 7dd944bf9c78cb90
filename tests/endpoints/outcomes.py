"""Read an outcome frame in a test: one entry per person, None where unknown."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ipseval.endpoints import Endpoint
from ipseval.trial import Trial


def values(endpoint: Endpoint, trial: Trial) -> dict[str, Any]:
    """Return person -> value of an endpoint with one month; None where missing."""
    outcome = endpoint.evaluate(trial)
    assert len(outcome) == len(trial), "an endpoint with one month"
    cells = [None if pd.isna(value) else value for value in outcome["value"].tolist()]
    return dict(zip(outcome["participant_id"], cells, strict=True))


def column(endpoint: Endpoint, trial: Trial, name: str) -> dict[str, Any]:
    """Return person -> entry of another column."""
    outcome = endpoint.evaluate(trial)
    assert len(outcome) == len(trial), "an endpoint with one month"
    return dict(zip(outcome["participant_id"], outcome[name].tolist(), strict=True))


def by_month(endpoint: Endpoint, trial: Trial, person: str) -> list[Any]:
    """Return one person's values over the months; None where missing."""
    outcome = endpoint.evaluate(trial)
    own = outcome.loc[outcome["participant_id"] == person, "value"]
    return [None if pd.isna(value) else value for value in own.tolist()]
