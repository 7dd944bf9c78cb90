"""The sheet on which an estimator writes its rows; it fills in the keys and keeps the record.

An estimator asks its kernels for numbers and writes them down here. A number that cannot be had
becomes a row with its reason; the other rows stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ipseval import words
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.estimate.design_matrix import called_by
from ipseval.results import Declaration, Results
from ipseval.results.provenance import trial_facts, versions
from ipseval.results.setting import part_of
from ipseval.results.vocabulary import QUANTITIES
from ipseval.trial import Trial

#: What is said of how people were counted, whatever came of it: none of it is why a number is missing.
_OF_COUNTING = frozenset(
    words.text(f"note.{name}")
    for name in (
        "observed",
        "observed_status",
        "completers",
        "early_leavers_dropped",
        "accrued",
        "not_recorded",
        "workers_only",
        "those_with_any",
        "sd_with_zeros",
        "many_level",
        "both_parts_hold",
        "whole_records",
        "constant_rate",
        "seen_only",
        "seen_only_at_random",
        "days_seen",
        "days_seen_completely",
        "whole_hours",
        "weeks_as_days",
        "expects_otherwise",
        "scores_after_death",
        "baseline_mean",
        "shared_baseline",
        "strata_left_out",
        "death_ends_it",
        "death_censors",
        "dead_without_job",
        "from_interviews",
    )
)
_NUMBERS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
NO_INTERVAL = words.text("note.no_interval")
NOBODY = words.text("note.nobody")
NOBODY_HAD_IT = words.text("note.nobody_had_it")
EVERYBODY_HAD_IT = words.text("note.everybody_had_it")
NOT_DEFINED = words.text("note.not_defined")
NO_WIDTH = words.text("note.no_width")
OF_LOGARITHM = words.text("note.of_logarithm")
LOST_ALIKE = words.text("note.lost_alike")
#: Settings in which people who were lost are stood for by others of their arm.
_WEIGHTED = ("weighted", "weighted_records")


def remarks(*parts: str) -> dict[str, str]:
    """Return what must be said of a number as the ``note`` column; nothing if there is nothing to say."""
    said = list(dict.fromkeys(part for part in parts if part))
    return {"note": "; ".join(said)} if said else {}


def _reason(row: Mapping[str, Any]) -> str:
    """Return why a row has no number: what its note says of that, else what its numbers of people do."""
    parts = [part for part in (row.get("note") or "").split("; ") if part and part not in _OF_COUNTING]
    n, n_event = row.get("n"), row.get("n_event")
    counted = {(0, 0): NOBODY, (n, 0): NOBODY_HAD_IT, (n, n): EVERYBODY_HAD_IT}
    return "; ".join(parts) or counted.get((n, n_event), NOT_DEFINED)


def contrast_label(active: str, reference: str) -> str:
    """Return how a contrast is written: active minus (or over) reference."""
    return f"{active} - {reference}"


def _plain(value: Any) -> Any:
    """Return a numpy scalar or 0-d array as a plain number, anything else as it is."""
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def _missing(value: Any) -> bool:
    return value is None or bool(np.isnan(value))


def _rests_on_weights(row: Mapping[str, Any]) -> bool:
    """Whether a row has a number for which people who were lost are stood for by others."""
    is_weighted = part_of(row.get("setting", ""), "missing") in _WEIGHTED
    return is_weighted and bool(row.get("n_missing")) and row["status"] in ("ok", "warned")


def _on_interval(low: float, high: float) -> str:
    """Return what must be said of limits that are missing or fall together; usually nothing."""
    if _missing(low) or _missing(high):
        return NO_INTERVAL
    return NO_WIDTH if low == high else ""


def _refuse_beyond_follow_up(trial: Trial, endpoint: Endpoint) -> None:
    """Refuse months that nobody was meant to be followed to: a rule for the unknown would answer alone."""
    planned, last = trial.design.follow_up_months, endpoint.months[-1]
    if last > planned:
        reached = int((trial.followed_days >= trial.design.horizon_day(last) - 1).sum())
        raise AnalysisError(
            f"{endpoint.key} is asked for at {last:g} months, and follow-up was planned for {planned}: "
            f"{reached} of {len(trial)} people were followed that far. Ask for {planned} months or fewer; if "
            f"more were planned, correct follow_up_months under [design] in trial.toml."
        )


@dataclass
class Sheet:
    """Rows of one analysis in the making.

    Attributes
    ----------
    trial : Trial
    declaration : Declaration
        Of the estimator that writes.
    name : str
        The analysis, unique within a results table.
    endpoint : Endpoint, optional
    arguments : mapping
        What the caller asked, as plain values, for the record.
    conf_level : float
        Of every interval in the analysis.
    seed : int, optional
        Of everything random in this analysis.
    covariates : tuple of str, optional
        What the columns after the arm's hold in a regression of times, so that a refusal can name them;
        none for other models, which name theirs.
    model : dict
        What ``ipseval.results.models`` says of the model that was fitted; empty where there is none.
    """

    trial: Trial
    declaration: Declaration
    name: str
    endpoint: Endpoint | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    conf_level: float = 0.95
    seed: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    main_methods: dict[str, str] = field(default_factory=dict)
    main_settings: dict[str, str] = field(default_factory=dict)
    covariates: tuple[str, ...] | None = None
    sidecar: dict[str, np.ndarray] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.endpoint is not None:
            _refuse_beyond_follow_up(self.trial, self.endpoint)

    def add(self, quantity: str, **columns: Any) -> None:
        """Write one row; what the analysis fixes is filled in.

        A note makes the row "warned" unless a status is given. A number that is nan has no value in
        these data, and its row says why; tests carry a p value instead of an estimate. An interval
        that is not there, or has no width, is remarked upon.
        """
        row: dict[str, Any] = {
            "analysis": self.name,
            "endpoint": self.endpoint.key if self.endpoint else "",
            "population": "randomised",
            "quantity": quantity,
            **{name: _plain(value) for name, value in columns.items()},
        }
        if all(_missing(row.get(name)) for name in ("estimate", "p_value")):
            row.setdefault("status", "not_defined")
        if row.get("status") in ("failed", "not_defined"):
            row |= dict.fromkeys(_NUMBERS) | {"note": _reason(row)}
        if row.get("std_error") == 0:
            row["std_error"] = None  # where nothing varied the data hold no standard error, not a small one
        if "conf_low" in row and row.get("status") not in ("failed", "not_defined"):
            row.setdefault("conf_level", self.conf_level)
            row["note"] = row.get("note") or _on_interval(row["conf_low"], row["conf_high"])
        row.setdefault("status", "warned" if row.get("note") else "ok")
        if QUANTITIES[quantity].scale == "ratio" and not _missing(row.get("std_error")):
            row |= remarks(row.get("note") or "", OF_LOGARITHM)  # what a column means is no warning
        if _rests_on_weights(row):
            row |= remarks(row.get("note") or "", LOST_ALIKE)  # nor is what the stated rule assumes
        self.rows.append(row)

    @contextmanager
    def attempt(self, *quantities: str, **columns: Any) -> Iterator[None]:
        """Turn a refusal inside the block into rows that carry its reason: failed, or not defined."""
        try:
            yield
        except AnalysisError as refusal:
            status = "not_defined" if isinstance(refusal, NotDefinedError) else "failed"
            note = self.in_words(str(refusal), columns)
            for quantity in quantities:
                self.add(quantity, **{**columns, "status": status, "note": note})

    def in_words(self, reason: str, columns: Mapping[str, Any]) -> str:
        """Return a kernel's reason with the columns of a regression named: the active arm, the covariates."""
        if self.covariates is None:
            return reason
        active, _, _ = str(columns.get("contrast", "")).partition(" - ")
        return called_by((f"the {active} arm", *self.covariates), reason)

    def main(self, method: str = "", setting: str = "", *quantities: str) -> None:
        """Say which method and setting hold the main rows of these quantities."""
        for quantity in quantities:
            if method:
                self.main_methods[quantity] = method
            if setting:
                self.main_settings[quantity] = setting

    def results(self) -> Results:
        """Return the finished rows with record, endpoint and provenance."""
        provenance: dict[str, Any] = {"trial": trial_facts(self.trial), "versions": versions()}
        if self.seed is not None:
            provenance["seeds"] = {self.name: self.seed}
        record = {
            "estimator": self.declaration.name,
            "section": self.declaration.section,
            "figure": self.declaration.figure,
            "arguments": {"conf_level": self.conf_level, **self.arguments},
            "main": {"method": self.main_methods, "setting": self.main_settings},
            **({"model": self.model} if self.model else {}),
        }
        described = {self.endpoint.key: self.endpoint.describe(self.trial.design)} if self.endpoint else {}
        return Results.from_rows(
            self.rows,
            records={self.name: record},
            endpoints=described,
            provenance=provenance,
            sidecar={
                "/".join((self.name, *described, name)): values for name, values in self.sidecar.items()
            },
        )
