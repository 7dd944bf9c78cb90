"""Results on disk: one CSV (or Parquet) with the numbers, one JSON with what they mean.

CSV numbers are written with 17 significant digits, so that reading gives back the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks
from ipseval.errors import DataError
from ipseval.results.table import PublicResults, Results, typed
from ipseval.results.vocabulary import COLUMNS, COUNTS, KEY, NUMBERS, TEXTS

Kind = TypeVar("Kind", bound=Results)
FORMATS = ("csv", "parquet", "long")


def write(results: Results, folder: str | Path, *, formats: Sequence[str] = ("csv",)) -> list[Path]:
    """Write the table and its meaning into ``folder``; the sidecar only beside internal results."""
    for chosen in formats:
        checks.one_of(chosen, FORMATS, "formats")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for earlier in ("results.parquet", "results_long.csv", "sidecar.npz"):
        (target / earlier).unlink(missing_ok=True)  # none may stay beside results that it does not belong to
    files = [target / "results.csv", target / "results.json"]
    results.frame.to_csv(files[0], index=False, float_format="%.17g", lineterminator="\n", encoding="utf-8")
    meaning = {
        "public": isinstance(results, PublicResults),
        "records": results.records,
        "endpoints": results.endpoints,
        "provenance": results.provenance,
    }
    files[1].write_text(json.dumps(meaning, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if "parquet" in formats:
        files.append(target / "results.parquet")
        results.frame.to_parquet(files[-1], index=False)
    if "long" in formats:
        files.append(target / "results_long.csv")
        long_form(results).to_csv(files[-1], index=False, lineterminator="\n", encoding="utf-8")
    if results.sidecar and not isinstance(results, PublicResults):
        files.append(target / "sidecar.npz")
        arrays: dict[str, Any] = dict(results.sidecar)
        np.savez(files[-1], **arrays)
    return files


def read(kind: type[Kind], folder: str | Path) -> Kind:
    """Read what ``write`` wrote."""
    source = Path(folder)
    absent = [name for name in ("results.csv", "results.json") if not (source / name).is_file()]
    if absent:
        raise DataError(f"{source} holds no {' and no '.join(absent)}. Point at a folder that a run wrote.")
    meaning = json.loads((source / "results.json").read_text(encoding="utf-8"))
    if kind is PublicResults and not meaning.get("public"):
        raise DataError(f"{source} holds internal results. Point at the public folder beside it.")
    frame = pd.read_csv(
        source / "results.csv",
        dtype={**dict.fromkeys((*TEXTS, *NUMBERS), "string"), **dict.fromkeys(COUNTS, "Int64")},
        keep_default_na=False,
        na_values={name: [""] for name in COUNTS},
    )
    # Python reads a number to the nearest double; the fast reader of pandas may miss the last bit.
    numbers = {name: [float(text or "nan") for text in frame[name]] for name in NUMBERS}
    frame = frame.assign(**numbers)
    sidecar: dict[str, np.ndarray] = {}
    if (source / "sidecar.npz").is_file():
        with np.load(source / "sidecar.npz") as stored:
            sidecar = {name: stored[name] for name in stored.files}
    return kind(typed(frame), meaning["records"], meaning["endpoints"], meaning["provenance"], sidecar)


def comparison(ours: Results, theirs: Results, *, tolerance: float = 0.0) -> pd.DataFrame:
    """Return one row per estimate that moved by more than ``tolerance`` or stands in one run only.

    Beside the key stand the columns in which anything moved, before and after.
    """
    watched = [name for name in COLUMNS if name not in KEY]
    joined = ours.frame.merge(
        theirs.frame, on=list(KEY), how="outer", suffixes=("_before", "_after"), indicator=True
    )
    alone = (joined["_merge"] != "both").to_numpy()
    differs = {name: _differs(joined, name, tolerance) & ~alone for name in watched}
    moved = np.logical_or.reduce([alone, *differs.values()])
    shown = [name for name in watched if differs[name].any() or (name == "estimate" and alone.any())]
    where = {"left_only": "before only", "right_only": "after only", "both": "both"}
    joined["stands_in"] = joined["_merge"].astype("string").map(where)
    columns = [*KEY, *(f"{name}_{side}" for name in shown for side in ("before", "after")), "stands_in"]
    return joined.loc[moved, columns].reset_index(drop=True)


def _differs(joined: pd.DataFrame, name: str, tolerance: float) -> NDArray[np.bool_]:
    """Whether a column differs between the two runs: texts at all, numbers by more than the tolerance."""
    before, after = joined[f"{name}_before"], joined[f"{name}_after"]
    if name in TEXTS:
        return np.asarray(before.fillna("") != after.fillna(""), dtype=bool)
    first, second = (side.to_numpy(dtype="float64", na_value=np.nan) for side in (before, after))
    same = (np.isnan(first) & np.isnan(second)) | (first == second)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.abs(first - second) <= tolerance
    moved: NDArray[np.bool_] = ~(same | near)
    return moved


def long_form(results: Results) -> pd.DataFrame:
    """Return one row per number, in the shape of the CDISC analysis-results standard.

    Columns ``group1`` ... ``stat_name``, ``stat_label`` and ``stat``; texts and numbers never share
    a column, so a note stays in ``note``.
    """
    numbers = [name for name in (*NUMBERS, *COUNTS) if name not in KEY]
    wide = results.frame.assign(**{name: results.frame[name].astype("float64") for name in COUNTS})
    keys = [*KEY, "unit", "status", "note"]
    long = wide.melt(id_vars=keys, value_vars=numbers, var_name="stat_name", value_name="stat")
    long = long.loc[long["stat"].notna()]
    return long.sort_values([*KEY, "stat_name"], kind="stable").reset_index(drop=True)
