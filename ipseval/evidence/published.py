"""What was published about a trial, as data with its provenance, and as rows beside reproduced ones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.unadjusted_rates import METHODS
from ipseval.results import Declaration, Results
from ipseval.stats.proportions import one_proportion, two_proportions

DECLARATION = Declaration(
    name="published",
    outcomes=(),
    quantities=("proportion", "risk_difference"),
    section="published",
    figure="methods",
)


@dataclass(frozen=True)
class Reading:
    """One reading of the arm sizes and event counts behind published percentages."""

    arms: Mapping[str, int]
    events: Mapping[str, int]
    mark: str
    note: str

    @property
    def label(self) -> str:
        """The canonical text of the reading, with how far it can be trusted: "arms=70/81 (read)"."""
        return f"arms={'/'.join(str(n) for n in self.arms.values())} ({self.mark})"


@dataclass(frozen=True)
class Published:
    """The headline result of one trial as it was printed."""

    name: str
    title: str
    citation: str
    endpoint: str
    months: float
    randomised: int
    sentence: str
    percentages: Mapping[str, float]
    mark: str
    readings: tuple[Reading, ...]


@cache
def _all() -> dict[str, Published]:
    content = tomllib.loads((files("ipseval.evidence") / "published.toml").read_text(encoding="utf-8"))
    return {name: _one(name, table) for name, table in content.items()}


def _one(name: str, table: dict[str, Any]) -> Published:
    readings = tuple(Reading(**reading) for reading in table.pop("readings"))
    return Published(name=name, readings=readings, **table)


def published_names() -> tuple[str, ...]:
    """Return the trials whose published headline the library knows."""
    return tuple(_all())


def published(name: str) -> Published:
    """Return the published headline of a trial.

    Parameters
    ----------
    name : {"scion", "eqolise"}

    Returns
    -------
    Published
        What was printed, and the readings of the counts behind it, each marked with how far it can
        be trusted.

    Raises
    ------
    AnalysisError
        For a trial that is not among them.

    Examples
    --------
    >>> import ipseval as ips
    >>> ips.published("eqolise").sentence
    '54.5% v 27.6% had worked in competitive employment for at least one day within 18 months'
    """
    if name not in _all():
        raise AnalysisError(
            f"Nothing published is kept for {name!r} (kept: {', '.join(_all())}). Choose one of these."
        )
    return _all()[name]


def published_results(name: str, *, conf_level: float = 0.95) -> Results:
    """Return every reading of a published result as rows: rates, and their difference by each interval.

    The papers' percentages are rows with method "published"; the intervals are computed here from
    the counts of each reading, and the ``setting`` says which reading and how far it can be trusted.

    Parameters
    ----------
    name : {"scion", "eqolise"}
    conf_level : float
        Two-sided confidence level of all intervals.

    Returns
    -------
    Results
        Per reading: both arms and their difference, a row per interval method. The main rows are
        those of the first reading.

    Raises
    ------
    AnalysisError
        For a trial of which nothing published is kept.

    Examples
    --------
    >>> import ipseval as ips
    >>> row = ips.published_results("scion").main.one(quantity="risk_difference")
    >>> f"{row.conf_low:.3f} to {row.conf_high:.3f}"
    '0.044 to 0.338'
    """
    found = published(name)
    checks.confidence(conf_level)
    rows: list[dict[str, Any]] = []
    for reading in found.readings:
        keys = {
            "analysis": "published",
            "endpoint": found.endpoint,
            "population": "randomised",
            "time_from": 0.0,
            "time": found.months,
            "time_unit": "months",
            "setting": reading.label,
            "unit": "proportion",
        }
        rows += _arm_rows(found, reading, keys, conf_level)
        rows += _difference_rows(reading, keys, conf_level)
    main = {"method": {"proportion": "wilson", "risk_difference": "newcombe"}, "setting": {}}
    main["setting"] = dict.fromkeys(main["method"], found.readings[0].label)
    record = {
        "estimator": DECLARATION.name,
        "section": DECLARATION.section,
        "figure": DECLARATION.figure,
        "arguments": {"trial": name, "conf_level": conf_level},
        "main": main,
        "citation": found.citation,
        "sentence": found.sentence,
        "readings": [
            {"label": reading.label, "mark": reading.mark, "note": reading.note} for reading in found.readings
        ],
    }
    return Results.from_rows(rows, records={"published": record})


def _arm_rows(
    found: Published, reading: Reading, keys: Mapping[str, Any], conf_level: float
) -> list[dict[str, Any]]:
    rows = []
    for arm, n in reading.arms.items():
        x = reading.events[arm]
        base = {**keys, "quantity": "proportion", "arm": arm, "n": n, "n_event": x, "n_missing": None}
        printed = {"estimate": found.percentages[arm] / 100, "method": "published"}
        rows.append(
            {
                **base,
                **printed,
                "n": None,
                "n_event": None,
                "note": f"as printed ({found.mark})",
                "status": "ok",
            }
        )
        for method in METHODS["proportion"]:
            low, high = one_proportion.proportion_interval(x, n, method=method, conf_level=conf_level)
            limits = {"conf_low": float(low), "conf_high": float(high), "conf_level": conf_level}
            rows.append({**base, **limits, "estimate": x / n, "method": method, "note": reading.note})
    return rows


def _difference_rows(reading: Reading, keys: Mapping[str, Any], conf_level: float) -> list[dict[str, Any]]:
    active, reference = reading.arms
    table = (reading.events[active], reading.arms[active], reading.events[reference], reading.arms[reference])
    base = {**keys, "quantity": "risk_difference", "contrast": f"{active} - {reference}"}
    base |= {"n": sum(reading.arms.values()), "n_event": sum(reading.events.values()), "note": reading.note}
    rows = []
    for method in METHODS["risk_difference"]:
        difference = two_proportions.risk_difference(*table, method=method, conf_level=conf_level)
        numbers = {name: float(value) for name, value in difference._asdict().items()}
        rows.append({**base, **numbers, "method": method, "conf_level": conf_level})
    return rows
