"""Results on disk: one CSV (or Parquet) with the numbers, one JSON with what they mean.

CSV numbers are written with 17 significant digits, so that reading gives back the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from ipseval import checks
from ipseval.errors import DataError
from ipseval.results.table import PublicResults, Results, typed
from ipseval.results.vocabulary import COUNTS, KEY, NUMBERS, TEXTS

Kind = TypeVar("Kind", bound=Results)
FORMATS = ("csv", "parquet", "long")


def write(results: Results, folder: str | Path, *, formats: Sequence[str] = ("csv",)) -> list[Path]:
    """Write the table and its meaning into ``folder``; the sidecar only beside internal results."""
    for chosen in formats:
        checks.one_of(chosen, FORMATS, "formats")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = [target / "results.csv", target / "results.json"]
    results.frame.to_csv(files[0], index=False, float_format="%.17g", lineterminator="\n", encoding="utf-8")
    meaning = {
        "public": isinstance(results, PublicResults),
        "records": results.records,
        "endpoints": results.endpoints,
        "provenance": results.provenance,
    }
    files[1].write_text(
        json.dumps(meaning, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if "parquet" in formats:
        files.append(target / "results.parquet")
        results.frame.to_parquet(files[-1], index=False)
    if "long" in formats:
        files.append(target / "results_long.csv")
        long_form(results).to_csv(files[-1], index=False, lineterminator="\n", encoding="utf-8")
    if results.sidecar and not isinstance(results, PublicResults):
        files.append(target / "sidecar.npz")
        np.savez(files[-1], allow_pickle=False, **results.sidecar)
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
        dtype={**dict.fromkeys(TEXTS, "string"), **dict.fromkeys(COUNTS, "Int64")},
        keep_default_na=False,
        na_values={name: [""] for name in (*NUMBERS, *COUNTS)},
        float_precision="round_trip",
    )
    sidecar: dict[str, np.ndarray] = {}
    if (source / "sidecar.npz").is_file():
        with np.load(source / "sidecar.npz") as stored:
            sidecar = {name: stored[name] for name in stored.files}
    return kind(typed(frame), meaning["records"], meaning["endpoints"], meaning["provenance"], sidecar)


def comparison(ours: Results, theirs: Results, *, tolerance: float = 0.0) -> pd.DataFrame:
    """Return one row per estimate that moved by more than ``tolerance`` or stands in one run only."""
    watched = ["estimate", "conf_low", "conf_high", "p_value", "n", "n_event", "n_missing", "status"]
    joined = ours.frame[[*KEY, *watched]].merge(
        theirs.frame[[*KEY, *watched]],
        on=list(KEY),
        how="outer",
        suffixes=("_before", "_after"),
        indicator=True,
    )
    moved = (joined["_merge"] != "both").to_numpy()
    for name in watched:
        before, after = joined[f"{name}_before"], joined[f"{name}_after"]
        if name == "status":
            moved |= (before.fillna("") != after.fillna("")).to_numpy(dtype=bool)
            continue
        first, second = before.astype("float64").to_numpy(), after.astype("float64").to_numpy()
        same = (np.isnan(first) & np.isnan(second)) | (first == second)
        with np.errstate(invalid="ignore"):
            moved |= ~(same | (np.abs(first - second) <= tolerance))
    where = {"left_only": "before only", "right_only": "after only", "both": "both"}
    joined["stands_in"] = joined.pop("_merge").astype("string").map(where)
    return joined.loc[moved].reset_index(drop=True)


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
