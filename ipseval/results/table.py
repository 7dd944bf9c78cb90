"""The one table of estimates: make it, validate it, bind it, select from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.results.vocabulary import (
    BASE,
    COLUMNS,
    COUNTS,
    KEY,
    QUANTITIES,
    STATUSES,
    TEXTS,
)

Row = Mapping[str, Any]


def frame_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a frame of the fixed columns and dtypes; what a row leaves out is missing."""
    listed = list(rows)
    unknown = sorted({str(name) for row in listed for name in row} - set(COLUMNS))
    if unknown:
        raise ValueError(f"rows hold columns that results do not have: {unknown}")
    columns = {name: [row.get(name) for row in listed] for name in COLUMNS}
    return typed(pd.DataFrame(columns, columns=list(COLUMNS)))


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the fixed dtype of each column; an absent text is an empty text."""
    made: dict[str, pd.Series] = {}
    for name in COLUMNS:
        if name in TEXTS:
            default = "ok" if name == "status" else ""
            made[name] = frame[name].astype("string").fillna(default)
        elif name in COUNTS:
            made[name] = pd.Series(pd.array(frame[name].tolist(), dtype="Int64"), index=frame.index)
        else:
            made[name] = frame[name].astype("float64")
    return pd.DataFrame(made).reset_index(drop=True)


def problems_of(frame: pd.DataFrame) -> list[str]:
    """Return every way in which a frame breaks the rules of the table; empty when it is sound."""
    found: list[str] = []
    if list(frame.columns) != list(COLUMNS):
        return [f"columns are {list(frame.columns)}, not those of the results table"]
    twice = frame.duplicated(list(KEY), keep=False)
    if twice.any():
        first = ", ".join(
            f"{name}={frame.loc[twice, name].iloc[0]}" for name in KEY if frame.loc[twice, name].iloc[0] != ""
        )
        found.append(f"{int(twice.sum())} rows share their key with another, first: {first}")
    for column, allowed in (("quantity", set(QUANTITIES)), ("status", set(STATUSES))):
        strange = sorted(set(frame[column]) - allowed)
        if strange:
            found.append(f"{column} holds {strange}, which is not in the closed list")
    low_above_high = frame["conf_low"] > frame["conf_high"]
    # A number needed to treat whose interval runs through infinity is written (harm limit, benefit limit).
    low_above_high &= frame["quantity"] != "number_needed_to_treat"
    if low_above_high.any():
        found.append(f"{int(low_above_high.sum())} rows have conf_low above conf_high")
    both = (frame["arm"] != "") & (frame["contrast"] != "")
    if both.any():
        found.append(f"{int(both.sum())} rows name an arm and a contrast, and a row is about one of them")
    too_many = (frame["n_event"] > frame["n"]).fillna(False)
    if too_many.any():
        found.append(f"{int(too_many.sum())} rows count more people with the outcome than people")
    silent = frame["status"].isin(["failed", "not_defined", "warned"]) & (frame["note"] == "")
    if silent.any():
        found.append(f"{int(silent.sum())} rows failed, warned or are not defined without a reason in note")
    return found


@dataclass(frozen=True, repr=False)
class Results:
    """Estimates, one row each, with what is needed to read, redraw and repeat them.

    Attributes
    ----------
    frame : DataFrame
        One row per estimate, in the fixed columns; ``.frame`` is the truth, everything else helps
        to read it. Key columns are unique. Arms stand beside their contrast, which is active minus
        (or over) reference. ``n`` is the denominator used, ``n_event`` the numerator, ``n_missing``
        the people whose outcome was unknown, whether or not a rule put them into ``n``.
    records : mapping
        Per analysis: the estimator, its section and figure, its arguments, and which method and
        setting is the main one for each quantity.
    endpoints : mapping
        Per endpoint: its name, parameters, kind and unit, from which its definition is written.
    provenance : mapping
        Trial facts, fingerprints, seed and package versions. Holds no clock time.
    sidecar : mapping of str to array
        What combining rows needs (covariances, draws); never public, never read by a renderer.
    """

    frame: pd.DataFrame
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    endpoints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sidecar: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = problems_of(self.frame)
        if problems:
            raise AnalysisError("This is not a sound results table: " + "; ".join(problems) + ".")

    @classmethod
    def from_rows(cls, rows: Iterable[Row], **parts: Any) -> Self:
        """Make results from dictionaries whose keys are columns of the table."""
        return cls(frame_of(rows), **parts)

    def __len__(self) -> int:
        return len(self.frame)

    def __add__(self, other: Results) -> Results:
        """Bind two results of the same trial; a clash is refused, never resolved."""
        if not isinstance(other, Results):
            return NotImplemented
        self._refuse_to_bind(other)
        frame = pd.concat(
            [part.frame for part in (self, other) if len(part)] or [self.frame], ignore_index=True
        )
        clash = frame.duplicated(list(KEY))
        if clash.any():
            named = checks.named_list(sorted(set(frame.loc[clash, "analysis"])))
            raise AnalysisError(
                f"{int(clash.sum())} rows are in both results (analysis {named}). "
                f"Give one of them another name with name=..., or drop it."
            )
        return replace(
            self,
            frame=frame,
            records={**self.records, **other.records},
            endpoints=_united(self.endpoints, other.endpoints),
            provenance=_merged(self.provenance, other.provenance),
            sidecar={**self.sidecar, **other.sidecar},
        )

    def _refuse_to_bind(self, other: Results) -> None:
        """Refuse two trials, one name for two analyses, and public results whose sums nobody protected."""
        if isinstance(self, PublicResults) or isinstance(other, PublicResults):
            raise AnalysisError(
                "Public results are not bound: what one hides, another may show by subtraction. "
                "Bind the internal results first, and protect them together."
            )
        ours, theirs = self.provenance.get("trial"), other.provenance.get("trial")
        if ours is not None and theirs is not None and ours != theirs:
            raise AnalysisError(
                f"These results come from two data sets ({ours.get('name')!r} and {theirs.get('name')!r}, "
                f"or two versions of one). Keep them apart, or use .compare()."
            )
        shared = sorted(set(self.records) & set(other.records))
        unlike = [name for name in shared if self.records[name] != other.records[name]]
        if unlike:
            raise AnalysisError(
                f"Two analyses are called {checks.named_list(unlike)} and were asked with other settings. "
                f"Give one of them another name with name=...."
            )

    def select(self, **conditions: object) -> Self:
        """Return the rows in which each column equals the value given (or is among a list)."""
        keep = np.ones(len(self.frame), dtype=bool)
        for column, wanted in conditions.items():
            if column not in COLUMNS:
                checks.one_of(column, COLUMNS, "column")
            values = self.frame[column]
            if isinstance(wanted, list | tuple | set):
                keep &= values.isin(list(wanted)).to_numpy(dtype=bool)
            else:
                keep &= (values == wanted).fillna(False).to_numpy(dtype=bool)
        return self._of_rows(keep)

    def _of_rows(self, keep: np.ndarray) -> Self:
        """Return some of the rows; rows of a sound table are sound, so they are not judged again."""
        part = object.__new__(type(self))
        for item in fields(self):
            object.__setattr__(part, item.name, getattr(self, item.name))
        object.__setattr__(part, "frame", self.frame.loc[keep].reset_index(drop=True))
        return part

    def one(self, **conditions: object) -> pd.Series:
        """Return the single row that meets the conditions, or refuse when there are none or several."""
        frame = self.select(**conditions).frame
        if len(frame) != 1:
            raise AnalysisError(
                f"{len(frame)} rows meet {conditions}, not one. Name more of the key columns."
            )
        return frame.iloc[0]

    @property
    def is_main(self) -> NDArray[np.bool_]:
        """Whether each row has the default method and the stated rule for the unknown of its quantity."""
        columns = ("method", "setting")
        wanted = {
            (analysis, quantity, column): value
            for analysis, record in self.records.items()
            for column in columns
            for quantity, value in record.get("main", {}).get(column, {}).items()
        }
        keys = list(zip(self.frame["analysis"], self.frame["quantity"], strict=True))
        keep = np.ones(len(keys), dtype=np.bool_)
        for column in columns:
            values = zip(keys, self.frame[column], strict=True)
            keep &= np.array(
                [wanted.get((*key, column), value) == value for key, value in values], dtype=bool
            )
        return keep

    @property
    def main(self) -> Self:
        """Only the main rows: the default method and the stated rule for the unknown of each quantity."""
        return self._of_rows(self.is_main)

    @property
    def failures(self) -> pd.DataFrame:
        """The estimates that could not be computed, with the reason.

        What has no value in these data, such as a ratio over nobody, is an answer; see ``not_defined``.
        """
        return self.frame.loc[self.frame["status"] == "failed"]

    @property
    def not_defined(self) -> pd.DataFrame:
        """The quantities that have no value in these data, with the reason."""
        return self.frame.loc[self.frame["status"] == "not_defined"]

    def explain(self, lang: str = "en") -> str:
        """Say each main estimate in a sentence, and before those of an analysis the model they come from.

        The steps of a curve and the numbers at risk, which a figure shows better, are said only where there
        is nothing else: select them, and they are explained too.
        """
        from ipseval.results.models import model_of
        from ipseval.results.printed import told
        from ipseval.results.sentences import sentence

        lines: list[str] = []
        for analysis, rows in self.main.frame.groupby("analysis", sort=False):
            lines += model_of(self, str(analysis), lang)
            lines += [sentence(row, self, lang=lang) for _, row in told(rows).iterrows()]
        return "\n".join(lines)

    def compare(self, other: Results, *, tolerance: float = 0.0) -> pd.DataFrame:
        """Return what moved between two runs, one row per estimate that differs or stands in one only."""
        from ipseval.results.files import comparison

        return comparison(self, other, tolerance=tolerance)

    def write(self, folder: Any, *, formats: Sequence[str] = ("csv",)) -> list[Any]:
        """Write ``results.csv`` (and ``.parquet``) with ``results.json``; return the files written."""
        from ipseval.results.files import write

        return write(self, folder, formats=formats)

    @classmethod
    def read(cls, folder: Any) -> Self:
        """Read results that ``write`` wrote; numbers come back exactly."""
        from ipseval.results.files import read

        return read(cls, folder)

    def __repr__(self) -> str:
        from ipseval.results import printed

        lines = [printed.headline(self), *map(printed.wrapped, self._models())]
        return "\n".join([*lines, printed.text(self)] if len(self) else lines)

    def _repr_html_(self) -> str:
        from html import escape

        from ipseval.results import printed

        said = "".join(f"<p>{escape(line)}</p>" for line in (printed.headline(self), *self._models()))
        return said + (printed.html(self) if len(self) else "")

    def _models(self) -> list[str]:
        """What was fitted, analysis by analysis; nothing for those without a model."""
        from ipseval.results.models import model_of

        present = [str(name) for name in pd.unique(self.frame["analysis"])]
        return [line for name in present for line in model_of(self, name)]


class PublicResults(Results):
    """Results from which no person can be recognised; only ``disclosure.protect`` makes them."""


def _united(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Join descriptions of endpoints; one that was asked at other months is described with all of them."""
    joined = {**ours, **theirs}
    for key in set(ours) & set(theirs):
        first, second = ours[key], theirs[key]
        joined[key] = {**first, "months": _both(first["months"], second["months"])}
        joined[key]["parameters"] = {
            name: _both(value, second["parameters"][name]) for name, value in first["parameters"].items()
        }
    return joined


def _both(first: Any, second: Any) -> Any:
    """Return a value that two descriptions share, or the sorted list of what either has."""
    if first == second:
        return first
    listed = [value if isinstance(value, list) else [value] for value in (first, second)]
    return sorted({*listed[0], *listed[1]})


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Join provenance; seeds and notices of both are kept, the rest is equal or ours."""
    merged = {**theirs, **ours}
    seeds = {**theirs.get("seeds", {}), **ours.get("seeds", {})}
    if seeds:
        merged["seeds"] = seeds
    return merged


__all__ = ["BASE", "PublicResults", "Results", "Row", "frame_of", "problems_of", "typed"]
