"""Turn a raw table into the canonical one: its columns, codes and dtypes, and every fault counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from ipseval import schema
from ipseval.errors import Problem
from ipseval.loading.categories import read_codes
from ipseval.loading.cells import FRACTIONAL_ID, Fault, Value, cell_reader, looks_missing, not_a_flag
from ipseval.loading.formats import RawColumn, RawTable
from ipseval.loading.mapping import NO, YES, TableSource
from ipseval.loading.messages import counted, did_you_mean, found, quoted


@dataclass(frozen=True)
class CanonicalTable:
    """A table in the columns and dtypes of the data dictionary.

    Attributes
    ----------
    frame : DataFrame
        The index holds the row numbers of the source, counted from 1.
    problems : list of Problem
        Faults of single cells and columns; cells with a fault are missing in ``frame``.
    labels : mapping of str to mapping
        For each category that the file labels: canonical code to label.
    """

    frame: pd.DataFrame
    problems: list[Problem]
    labels: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Column:
    """One canonical column being made: values, the faults of its cells, and what it counted."""

    about: schema.Column
    cells: pd.Series
    faults: Mapping[Fault, pd.Series]
    missing: Mapping[str, int]


def latest_day(simulated: bool) -> date:
    """Return the last day that a record can bear: a year from today, 2100 for simulated people."""
    today = datetime.now(tz=UTC).date()
    return date(2100, 12, 31) if simulated else date(today.year + 1, 12, 31)


def normalise(source: TableSource, raw: RawTable, *, arms: tuple[str, ...], latest: date) -> CanonicalTable:
    """Return the canonical table of one raw table.

    Parameters
    ----------
    arms : tuple of str
        The codes of ``arm``, reference first; the categories keep that order.
    latest : date
        The last day that a record can bear.
    """
    columns: list[_Column] = []
    problems: list[Problem] = []
    names = _source_names(source, raw, problems)
    for about in source.dictionary:
        if about.name in names:
            columns.append(_read_column(about, raw.columns[names[about.name]], source, raw, arms, latest))
    index = pd.RangeIndex(1, raw.rows + 1)
    frame = pd.DataFrame({column.about.name: column.cells for column in columns}, index=index)
    for column in columns:
        problems.extend(_column_problems(column, frame, source.name))
        problems.extend(_source_notices(column, raw.columns[names[column.about.name]], source))
    if unused := [name for name in raw.columns if name not in names.values()]:
        problems.append(_unused(source.name, unused))
    if not raw.rows:
        severity = "error" if source.name == "participants" else "notice"
        problems.append(
            Problem(severity, source.name, "", "no_rows", "The table has no rows.", "Check the export.")
        )
    labels = {
        name: _canonical_labels(source, name, raw.columns[names[name]].labels) for name in frame.columns
    }
    return CanonicalTable(frame, problems, {name: found for name, found in labels.items() if found})


def _source_names(source: TableSource, raw: RawTable, problems: list[Problem]) -> dict[str, str]:
    """Return canonical name -> source name of the columns that the file has; report those it lacks."""
    names = {}
    for about in source.dictionary:
        declared = source.declared.get(about.name)
        stated = source.columns.get(about.name, "") or (declared.column if declared else "")
        name = stated or about.name
        if name in raw.columns:
            names[about.name] = name
        elif stated or declared:
            message = f"The file {source.file.name!r} has no column {name!r}."
            problems.append(_lacking("unknown_column", source.name, about.name, name, message, raw))
        elif about.required:
            message = f"No column is mapped to {about.name!r}, which every table of {source.name} needs."
            problems.append(_lacking("missing_column", source.name, about.name, name, message, raw))
    return names


def _lacking(rule: str, table: str, column: str, name: str, message: str, raw: RawTable) -> Problem:
    remedy = (
        f"{did_you_mean(name, tuple(raw.columns))} "
        f'Write {column} = "..." under [tables.{table}.columns], or correct the name.'
    )
    return Problem("error", table, column, rule, message, remedy)


def _read_column(
    about: schema.Column,
    raw: RawColumn,
    source: TableSource,
    table: RawTable,
    arms: tuple[str, ...],
    latest: date,
) -> _Column:
    text, missing = _without_missing_codes(about, raw.text, source)
    places, distinct = pd.factorize(text)
    texts = [str(item) for item in distinct]
    allowed = arms if about.name == "arm" else about.codes
    read: Mapping[str, Value | Fault]
    if about.kind == "category":
        read = read_codes(texts, source=source, column=about.name, allowed=allowed, labels=raw.labels)
    else:
        reader = cell_reader(about, source, is_text=table.is_text, latest=latest)
        read = {item: reader(item) for item in texts}
    if about.kind == "boolean":
        read = {item: _flag(item, value, source, about.name, raw) for item, value in read.items()}
    if about.kind == "id" and raw.is_number:
        read = {item: FRACTIONAL_ID if "." in item else value for item, value in read.items()}
    kept = [None if isinstance(read[item], Fault) else read[item] for item in texts]
    index = pd.RangeIndex(1, len(text) + 1)
    values = pd.Series(_typed(about, kept, allowed).take(places), index=index)
    faults = {}
    for fault in dict.fromkeys(value for value in read.values() if isinstance(value, Fault)):
        faulty = np.array([read[item] == fault for item in texts] + [False])
        faults[fault] = pd.Series(faulty[places], index=index)
    return _Column(about, values, faults, missing)


def _without_missing_codes(
    about: schema.Column, text: pd.Series, source: TableSource
) -> tuple[pd.Series, dict[str, int]]:
    """Return the text with declared missing codes made missing, and how often each occurred.

    An id is never a missing code: person 999 exists.
    """
    declared = source.declared.get(about.name)
    codes = (*(() if about.kind == "id" else source.missing), *(declared.missing if declared else ()))
    counts = {code: int((text == code).sum()) for code in codes}
    kept = text.mask(text.isin(list(codes)).astype("bool"))
    return kept, {code: count for code, count in counts.items() if count}


def _flag(text: str, value: Value | Fault, source: TableSource, column: str, raw: RawColumn) -> Value | Fault:
    """Read yes or no by the codes of the mapping, else by the file's own label, else as written.

    1 labelled "no" is no; a label that is not understood makes the code a fault, never a guess.
    """
    label = raw.labels.get(text, "")
    codes = source.codes.get(column, {})
    canonical = codes.get(text) or codes.get(label) or label.casefold()
    if not canonical:
        return value
    return True if canonical in YES else False if canonical in NO else not_a_flag(label)


def _typed(about: schema.Column, values: Sequence[Any], allowed: tuple[str, ...]) -> Any:
    """Return ``values`` and one missing value after them (for place -1) in the column's dtype."""
    padded = [*values, None]
    if about.kind == "category":
        categories = list(allowed) or _in_order({value for value in values if value is not None})
        return pd.Categorical(padded, categories=categories, ordered=about.name == "arm")
    if about.kind in ("date", "month"):
        return np.array(padded, dtype="datetime64[D]").astype(schema.DTYPES[about.kind])
    if about.kind == "number":
        return np.array([np.nan if value is None else value for value in padded], dtype=np.float64)
    return pd.Series(padded, dtype=schema.DTYPES[about.kind]).array


def _in_order(codes: set[str]) -> list[str]:
    """Return codes sorted: as numbers if all are, else as text."""
    return sorted(codes, key=lambda code: (int(code), code) if all(map(str.isdecimal, codes)) else (0, code))


def _column_problems(column: _Column, frame: pd.DataFrame, table: str) -> list[Problem]:
    """Return the faults of a column's cells, and the cells that are required and empty."""
    about, problems = column.about, []
    faulty = pd.Series(False, index=frame.index)
    for fault, mask in column.faults.items():
        faulty |= mask
        problems += found(
            frame,
            mask,
            table=table,
            column=about.name,
            rule=fault.rule,
            message="{n} of {total} <value|values> " + fault.what + ".",
            remedy=fault.remedy,
            shown=fault.shown,
        )
    empty = column.cells.isna() & ~faulty
    if about.required and empty.all() and len(empty):
        problems.append(_all_missing(table, about.name, len(empty)))
    elif about.required:
        problems += found(
            frame,
            empty,
            table=table,
            column=about.name,
            rule="missing_value",
            message="{n} of {total} <value|values> [is|are] missing, and this column must be complete.",
            remedy="Complete the source, or add missing_value to [rules] quarantine to set the rows aside.",
        )
    return problems


def _all_missing(table: str, column: str, rows: int) -> Problem:
    message = f"{column} is missing in all {rows} rows."
    remedy = "Check that the right column is mapped and that its codes are not declared missing."
    return Problem("error", table, column, "all_missing", message, remedy, count=rows)


def _source_notices(column: _Column, raw: RawColumn, source: TableSource) -> list[Problem]:
    """Return what the source says about a column that a reader of the results should know."""
    about, notices = column.about, []

    def notice(rule: str, message: str, remedy: str = "", count: int = 1) -> None:
        notices.append(Problem("notice", source.name, about.name, rule, message, remedy, count))

    for origin, counts in (("declared missing", column.missing), ("user-missing", raw.user_missing)):
        for code, count in counts.items():
            label = f" ({raw.labels[code]!r})" if code in raw.labels else ""
            notice(
                "missing_code",
                f"The {origin} code {code!r}{label} is in {count} of {len(column.cells)} cells.",
                count=count,
            )
    if about.kind == "id" and raw.is_number:
        notice("numeric_id", "Ids are stored as numbers; they are read as whole numbers, as text.")
    if about.kind == "category":
        words = [code for code in column.cells.dropna().unique() if looks_missing(str(code))]
        if words:
            count = int(column.cells.isin(words).sum())
            remedy = f"If it means missing, write missing = [...] for {source.name}."
            message = counted(
                "{n} [value is|values are] {shown}, kept as a code.", count, shown=quoted(words)
            )
            notice("looks_missing", message, remedy, count)
        if raw.labels and about.name not in source.declared and about.name not in source.codes:
            remedy = f"To use the labels, map them under [tables.{source.name}.codes.{about.name}]."
            notice("value_labels", "The file labels these codes; the codes are used.", remedy)
    return notices


def _canonical_labels(source: TableSource, column: str, labels: Mapping[str, str]) -> dict[str, str]:
    codes = source.codes.get(column, {})
    return {codes.get(code) or codes.get(label) or code: label for code, label in labels.items()}


def _unused(table: str, names: Sequence[str]) -> Problem:
    message = counted(
        "{n} [column|columns] of the file [is|are] neither mapped nor declared, and not used: {shown}.",
        len(names),
        shown=quoted(names, 8),
    )
    where = {"participants": "[covariates.NAME]", "visits": "[scores.NAME]"}.get(table)
    remedy = f"To use one, map it under [tables.{table}.columns]" + (
        f" or declare it as {where}." if where else "."
    )
    return Problem("notice", table, "", "unused_columns", message, remedy, count=len(names))
