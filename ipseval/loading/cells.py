"""Read one cell's text as a number, a date, a month or yes/no: the value, or the fault it has.

Nothing is guessed. A cell that is not written as the mapping says is a fault with a remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ipseval import schema
from ipseval.loading.mapping import NO, YES, TableSource

Value = str | float | int | bool | date


@dataclass(frozen=True)
class Fault:
    """What is wrong with a cell: the rule it breaks, the words for a message, and the remedy.

    ``what`` continues "3 of 120 values ...", with words by their number as in ``messages.counted``;
    ``shown`` are the codes that it names as {shown}.
    """

    rule: str
    what: str
    remedy: str
    shown: str = ""


CellReader = Callable[[str], Value | Fault]

FIRST_DAY = date(1900, 1, 1)
_BLANK_OR_DECLARE = "Correct the source, or list the code that means missing under missing = [...]."
_MISSING_WORDS = frozenset({"na", "nan", "<na>", "n/a", "#n/a", "null", "none", "nat", ".", "-", "?"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_SLASHED = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
_TIME_OF_DAY = re.compile(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$")
_MIDNIGHT = re.compile(r"[ T]0?0:00(:00(\.0+)?)?$")

NOT_A_NUMBER = Fault("not_a_number", "[is not a number|are not numbers]", _BLANK_OR_DECLARE)
NOT_WHOLE = Fault(
    "not_a_whole_number",
    "[is not a whole number|are not whole numbers]",
    "Round in the source, if that is meant.",
)
NOT_A_DATE = Fault("not_a_date", "[is not a date|are not dates]", _BLANK_OR_DECLARE)
NOT_A_MONTH = Fault("not_a_month", "[is not a month|are not months]", "Write months as 2013-01.")
IMPOSSIBLE_DATE = Fault(
    "impossible_date",
    "[is a day that does not exist|are days that do not exist], such as 30 February",
    "Correct the source.",
)
SERIAL_NUMBER = Fault(
    "date_serial_number",
    "[is a number where a date is|are numbers where dates are] expected; Excel stores dates so",
    "Format the column as a date before exporting it.",
)
TIME_OF_DAY = Fault("time_of_day", "[is a date|are dates] with a time of day", "Keep the day alone.")
SPACE_IN_ID = Fault(
    "space_in_id", "[begins or ends|begin or end] with a space", "Remove the spaces in the source."
)
FRACTIONAL_ID = Fault("fractional_id", "[is an id|are ids] with decimals", "Store ids as text.")


def looks_missing(text: str) -> bool:
    """Whether a text is one that programs write for a missing value."""
    return text.strip().casefold() in _MISSING_WORDS


def cell_reader(column: schema.Column, source: TableSource, *, is_text: bool, latest: date) -> CellReader:
    """Return the function that reads a cell of ``column``; categories are read elsewhere.

    Parameters
    ----------
    is_text : bool
        Whether the file holds text alone. Where it does not, ISO dates and decimal points come from
        typed cells and are accepted beside the notation stated.
    latest : date
        The last day that is possible.
    """
    readers: dict[str, CellReader] = {
        "id": _read_id,
        "text": str,
        "number": lambda text: _read_number(text, column, source.decimal, is_text),
        "integer": lambda text: _read_whole(text, column, source.decimal, is_text),
        "date": lambda text: _read_date(text, source.dates, is_text, latest),
        "month": lambda text: _read_month(text, is_text, latest),
        "boolean": _read_flag,
    }
    read = readers[column.kind]
    if column.kind in ("id", "text"):
        return read

    def read_or_missing_word(text: str) -> Value | Fault:
        return _missing_word(text) if looks_missing(text) else read(text.strip())

    return read_or_missing_word


def _missing_word(text: str) -> Fault:
    return Fault(
        "undeclared_missing_code",
        "[is|are] the text {shown}, which is not an empty cell",
        f'If it means missing, write missing = ["{text.strip()}"] for this table.',
        repr(text.strip()),
    )


def _read_id(text: str) -> str | Fault:
    return SPACE_IN_ID if text != text.strip() else text


def _read_number(text: str, column: schema.Column, decimal: str, is_text: bool) -> float | Fault:
    plain = text
    if decimal == ",":
        if "." in text and is_text:
            is_number = _NUMBER.fullmatch(text)
            return _decimal_mark("point", ".") if is_number else NOT_A_NUMBER
        plain = text.replace(",", ".")
    elif "," in text:
        return _decimal_mark("comma", ",") if _NUMBER.fullmatch(text.replace(",", ".")) else NOT_A_NUMBER
    if not _NUMBER.fullmatch(plain):
        return NOT_A_NUMBER
    value = float(plain)
    low = -float("inf") if column.low is None else column.low
    high = float("inf") if column.high is None else column.high
    return value if low <= value <= high and abs(value) < float("inf") else _outside(column)


def _decimal_mark(name: str, mark: str) -> Fault:
    return Fault(
        "decimal_mark", f"[is|are] written with a decimal {name}", f'Write decimal = "{mark}" for this table.'
    )


def _outside(column: schema.Column) -> Fault:
    limits = f"at least {column.low:g}" if column.low is not None else "finite"
    if column.low is not None and column.high is not None:
        limits = f"between {column.low:g} and {column.high:g}"
    return Fault(
        "out_of_range", "[is|are] not {shown}", _BLANK_OR_DECLARE, f"{limits} {column.unit}".rstrip()
    )


def _read_whole(text: str, column: schema.Column, decimal: str, is_text: bool) -> int | Fault:
    value = _read_number(text, column, decimal, is_text)
    if isinstance(value, Fault):
        return value
    return int(value) if value.is_integer() else NOT_WHOLE


def _read_date(text: str, notation: str, is_text: bool, latest: date) -> date | Fault:
    if _TIME_OF_DAY.search(text):
        if not _MIDNIGHT.search(text):
            return TIME_OF_DAY
        text = _MIDNIGHT.sub("", text)
    if found := _ISO.fullmatch(text):
        if notation != "iso" and is_text:
            return _notation("as 2013-01-31", "iso")
        year, month, day = map(int, found.groups())
        return _day(year, month, day, latest)
    if found := _SLASHED.fullmatch(text):
        first, second, year = map(int, found.groups())
        return _slashed(first, second, year, notation, latest)
    if _NUMBER.fullmatch(text.replace(",", ".")):
        return SERIAL_NUMBER
    return NOT_A_DATE


def _slashed(first: int, second: int, year: int, notation: str, latest: date) -> date | Fault:
    """Read 31/01/2013 or 01/31/2013 as the mapping says; the other order is a fault, not a guess."""
    if notation == "iso":
        return _notation("as 31/01/2013 or 01/31/2013", "day-first")
    day, month = (first, second) if notation == "day-first" else (second, first)
    if month > 12 >= day:
        other = "month-first" if notation == "day-first" else "day-first"
        return _notation(f"{other.replace('-', ' ')}", other)
    return _day(year, month, day, latest)


def _notation(written: str, name: str) -> Fault:
    return Fault(
        "date_notation",
        f"[is a date|are dates] written {written}, which is not the notation stated",
        f'Write all dates of the file in one notation, and dates = "{name}" if it is this one.',
    )


def _day(year: int, month: int, day: int, latest: date) -> date | Fault:
    try:
        value = date(year, month, day)
    except ValueError:
        return IMPOSSIBLE_DATE
    if FIRST_DAY <= value <= latest:
        return value
    return Fault(
        "date_out_of_range",
        f"[lies|lie] before 1900 or after {latest.isoformat()}",
        "Correct the year; leave an open end blank instead of writing 9999-12-31.",
    )


def _read_month(text: str, is_text: bool, latest: date) -> date | Fault:
    if re.fullmatch(r"\d{4}-\d{2}", text):
        return _day(int(text[:4]), int(text[5:]), 1, latest)
    if not is_text and re.fullmatch(r"\d{4}-\d{2}-01", text):
        return _day(int(text[:4]), int(text[5:7]), 1, latest)
    return NOT_A_MONTH


def _read_flag(text: str) -> bool | Fault:
    word = text.casefold()
    return True if word in YES else False if word in NO else not_a_flag(text)


def not_a_flag(text: str) -> Fault:
    """Return the fault of a code that is neither yes/no, true/false nor 1/0."""
    code = text if len(text) <= 30 else text[:29] + "…"
    return Fault(
        "not_yes_or_no",
        "[is|are] {shown}, which is neither yes/no, true/false nor 1/0",
        "Say what it means under [tables.*.codes.*]: "
        f'yes = ["{code}"] or no = ["{code}"], or list it under missing = [...].',
        repr(code),
    )
