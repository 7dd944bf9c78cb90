"""Read a file to a raw table: every cell as text exactly as written, empty cells missing, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from math import isnan
from typing import Any, NoReturn

import pandas as pd

from ipseval.errors import DataError
from ipseval.loading.delimited import read_records
from ipseval.loading.mapping import TableSource
from ipseval.loading.messages import counted, did_you_mean, quoted, refuse


@dataclass(frozen=True)
class RawColumn:
    """One source column: its cells as text, and what the file itself says about its codes.

    Attributes
    ----------
    text : Series of "string", one per row
        Empty cells are missing, and so are the file's own user-missing codes.
    labels : mapping of str to str
        Value labels, code to label.
    user_missing : mapping of str to int
        The file's own user-missing codes and how often each occurred.
    is_number : bool
        Whether the file stored numbers; leading zeros are then gone.
    """

    name: str
    text: pd.Series
    labels: Mapping[str, str] = field(default_factory=dict)
    user_missing: Mapping[str, int] = field(default_factory=dict)
    is_number: bool = False


@dataclass(frozen=True)
class RawTable:
    """One source file (or sheet). ``is_text`` is false where the file itself has typed cells."""

    columns: Mapping[str, RawColumn]
    rows: int
    is_text: bool


def read_raw(source: TableSource) -> RawTable:
    """Read the file of one table.

    Raises
    ------
    DataError
        With one problem: the file is missing, empty, of another format or encoding, ...
    """
    path = source.file
    if path.is_dir():
        remedy = f"Name a file in it under [tables.{source.name}]."
        refuse(source.name, "not_a_file", f"{path.name!r} is a folder and not a file.", remedy)
    if not path.is_file():
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        message = f"The file {path.name!r} does not exist in the folder {path.parent.name!r}."
        remedy = f"{did_you_mean(path.name, sorted(beside))} Correct file under [tables.{source.name}]."
        refuse(source.name, "no_such_file", message, remedy.strip())
    if path.stat().st_size == 0:
        refuse(source.name, "empty_file", f"The file {path.name!r} is empty.", "Export it again.")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"Files ending in {path.suffix!r} cannot be read."
        refuse(source.name, "unknown_format", message, f"Use one of {', '.join(_READERS)}.")
    try:
        return reader(source)
    except DataError:
        raise
    except Exception as error:  # whatever a format library raises on a damaged file
        # Some libraries name the file with its whole path, which is nobody else's business.
        said = str(error).replace(str(path), path.name).replace(str(path.resolve()), path.name)
        message = f"The file {path.name!r} cannot be read as {path.suffix} ({type(error).__name__}: {said})."
        refuse(source.name, "unreadable_file", message, "Open it in its own program and export it again.")


def cell_text(value: object) -> str | None:
    """Return a typed cell as text: whole numbers without decimals, dates in ISO, blank as None."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (float, Decimal)):
        number = float(value)
        if isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    text = str(value)
    return text if text.strip() else None


def _raw_column(name: str, cells: Sequence[object]) -> RawColumn:
    filled = [cell for cell in cells if cell_text(cell) is not None]
    is_number = bool(filled) and all(
        isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool) for cell in filled
    )
    return RawColumn(name, _text([cell_text(cell) for cell in cells]), is_number=is_number)


def _text(cells: Sequence[str | None]) -> pd.Series:
    return pd.Series(cells, dtype="string")


def _raw_table(source: TableSource, header: Sequence[str], rows: Sequence[Sequence[object]]) -> RawTable:
    """Return the table of a header and rows of typed cells."""
    names = _column_names(source, header)
    columns = {name: _raw_column(name, [row[place] for row in rows]) for place, name in enumerate(names)}
    return RawTable(columns, len(rows), is_text=False)


def _column_names(source: TableSource, header: Sequence[str]) -> list[str]:
    """Return the names of the columns, a place for one without a name; refuse a name used twice."""
    names = [name.strip() or f"(column {place})" for place, name in enumerate(header, start=1)]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        message = "{n} column [name occurs|names occur] more than once: {shown}."
        message = counted(message, len(repeated), shown=quoted(sorted(repeated)))
        refuse(source.name, "duplicate_column", message, "Give each column of the file its own name.")
    return names


def _read_delimited(source: TableSource) -> RawTable:
    header, records = read_records(source)
    columns = {}
    for place, name in enumerate(_column_names(source, header)):
        cells = [record[place] if record[place].strip() else None for record in records]
        columns[name] = RawColumn(name, _text(cells))
    return RawTable(columns, len(records), is_text=True)


def _read_excel(source: TableSource) -> RawTable:
    from openpyxl import load_workbook

    book = load_workbook(source.file, data_only=True)
    sheets = [sheet.title for sheet in book.worksheets]
    if source.sheet and source.sheet not in sheets:
        message = f"The workbook has no sheet {source.sheet!r}."
        refuse(source.name, "unknown_sheet", message, did_you_mean(source.sheet, sheets))
    if not source.sheet and len(sheets) > 1:
        message = f"The workbook has {len(sheets)} sheets and none is named: {quoted(sheets)}."
        refuse(source.name, "sheet_not_named", message, f'Write sheet = "{sheets[0]}", say.')
    sheet = source.sheet or sheets[0]
    rows = [list(row) for row in book[sheet].iter_rows(values_only=True)]
    while rows and not any(cell_text(cell) for cell in rows[-1]):  # rows that were only formatted
        rows.pop()
    if not rows:
        refuse(source.name, "empty_file", f"The sheet {sheet!r} is empty.", "Export it again.")
    _refuse_formulas_without_value(source, sheet, rows)
    return _raw_table(source, [cell_text(cell) or "" for cell in rows[0]], rows[1:])


def _refuse_formulas_without_value(source: TableSource, sheet: str, rows: Sequence[Sequence[object]]) -> None:
    """Refuse formulas whose value Excel never stored: they would read as empty cells."""
    from openpyxl import load_workbook

    written = load_workbook(source.file, data_only=False)[sheet].iter_rows(max_row=len(rows))
    lost = sum(
        cell.data_type == "f" and value is None
        for cells, values in zip(written, rows, strict=True)
        for cell, value in zip(cells, values, strict=True)
    )
    if lost:
        message = counted("{n} [cell holds|cells hold] a formula without a stored value.", lost)
        refuse(source.name, "formula_without_value", message, "Open and save the workbook in Excel.")


def _read_parquet(source: TableSource) -> RawTable:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        return _read_parquet_with_duckdb(source)
    table = parquet.read_table(source.file)
    names = _column_names(source, table.column_names)
    columns = {name: _raw_column(name, table[place].to_pylist()) for place, name in enumerate(names)}
    return RawTable(columns, table.num_rows, is_text=False)


def _read_parquet_with_duckdb(source: TableSource) -> RawTable:
    try:
        import duckdb
    except ImportError:
        _needs(source, "Parquet", "pyarrow or duckdb")
    relation = duckdb.connect().from_parquet(str(source.file))
    return _raw_table(source, relation.columns, relation.fetchall())


def _needs(source: TableSource, what: str, package: str) -> NoReturn:
    message = f"Reading {what} files needs {package}, which is not installed."
    refuse(source.name, "reader_not_installed", message, 'Install it with: pip install "ipseval[formats]".')


def _read_statistical(source: TableSource) -> RawTable:
    """Read Stata, SPSS or SAS; the file's user-missing codes become missing and are counted."""
    try:
        import pyreadstat
    except ImportError:
        _needs(source, "Stata, SPSS and SAS", "pyreadstat")
    kind = source.file.suffix.lower()[1:]
    options: dict[str, Any] = {"output_format": "dict"}
    if kind == "xpt":
        kind = "xport"
    else:
        options["user_missing"] = True
    if source.encoding != "utf-8":
        options["encoding"] = source.encoding
    cells, about = getattr(pyreadstat, f"read_{kind}")(str(source.file), **options)
    columns = {}
    for name, values in cells.items():
        labels = {
            cell_text(code) or "": label for code, label in about.variable_value_labels.get(name, {}).items()
        }
        is_missing = _user_missing(
            about.missing_ranges.get(name, ()), about.missing_user_values.get(name, ())
        )
        columns[name] = _with_user_missing(name, values, labels, is_missing)
    return RawTable(columns, len(next(iter(cells.values()), [])), is_text=False)


def _user_missing(ranges: Iterable[dict[str, Any]], letters: Iterable[str]) -> Callable[[Any], bool]:
    """Return the test whether a cell is user-missing: inside a range (SPSS) or a letter (Stata, SAS)."""
    limits, codes = [(item["lo"], item["hi"]) for item in ranges], set(letters)

    def is_missing(cell: Any) -> bool:
        same_type = [(low, high) for low, high in limits if isinstance(low, str) == isinstance(cell, str)]
        return cell in codes or any(low <= cell <= high for low, high in same_type)

    return is_missing


def _with_user_missing(
    name: str, cells: Sequence[Any], labels: Mapping[str, str], is_missing: Callable[[Any], bool]
) -> RawColumn:
    numbers = [cell for cell in cells if isinstance(cell, (int, float, str))]
    codes = {code for code in set(numbers) if is_missing(code)}
    counts: dict[str, int] = {}
    for cell in numbers:
        if cell in codes:
            code = cell_text(cell) or ""
            counts[code] = counts.get(code, 0) + 1
    column = _raw_column(name, [None if cell in codes else cell for cell in cells])
    return RawColumn(name, column.text, labels, dict(sorted(counts.items())), column.is_number)


_READERS: dict[str, Callable[[TableSource], RawTable]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".txt": _read_delimited,
    ".xlsx": _read_excel,
    ".parquet": _read_parquet,
    ".dta": _read_statistical,
    ".sav": _read_statistical,
    ".sas7bdat": _read_statistical,
    ".xpt": _read_statistical,
}
