"""Read delimited text: the encoding is checked, the separator sniffed, ragged rows are refused."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import NoReturn

from ipseval.loading.mapping import TableSource
from ipseval.loading.messages import counted, numbered, refuse

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def read_records(source: TableSource) -> tuple[list[str], list[list[str]]]:
    """Return the header and the records of a delimited file, each cell as written.

    Raises
    ------
    DataError
        For another encoding (with the line and the likely one), an ambiguous separator, an open
        quote, or records that are longer or shorter than the header.
    """
    text = _decode(source)
    if not text.strip():
        refuse(source.name, "empty_file", f"The file {source.file.name!r} is empty.", "Export it again.")
    separator = source.separator or _sniff(source, text)
    _refuse_another_separator(source, text, separator)
    try:
        header, *records = _split(text, separator)
    except csv.Error as error:
        message = f"The file {source.file.name!r} is not well-formed text ({error})."
        refuse(source.name, "unreadable_file", message, "Look for a quotation mark that is not closed.")
    ragged = [row for row, record in enumerate(records, start=1) if len(record) != len(header)]
    if ragged:
        read = f"({numbered('row', ragged)}), read with a {SEPARATORS.get(separator, 'space')}"
        refuse(
            source.name,
            "ragged_rows",
            counted(
                "{n} of {total} <row|rows> [does|do] not have the {shown}.",
                len(ragged),
                len(records),
                shown=f"{len(header)} fields of the header {read}",
            ),
            "Put fields that hold the separator in quotes, or state the separator in trial.toml.",
        )
    return header, records


def _refuse_another_separator(source: TableSource, text: str, separator: str) -> None:
    """Refuse a stated separator that the header lacks, where it has another one."""
    others = [other for other in SEPARATORS if other in _first_line(text)]
    if separator in others or not others:
        return
    stated, seen = (SEPARATORS.get(mark, repr(mark)) for mark in (separator, others[0]))
    message = f"The header of {source.file.name!r} has no {stated}, and {seen}s between its names."
    remedy = f"Write separator = {others[0]!r} under [tables.{source.name}], or leave separator out."
    refuse(source.name, "wrong_separator", message, remedy.replace("'", '"'))


def _split(text: str, separator: str) -> list[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    return [record for record in lines if any(cell.strip() for cell in record)]


def _sniff(source: TableSource, text: str) -> str:
    """Return the separator that the header is split by; where several are, the one that fits all rows."""
    plausible = [separator for separator in SEPARATORS if separator in _first_line(text)]
    if len(plausible) > 1:
        plausible = [separator for separator in plausible if _is_even(text, separator)] or plausible
    if len(plausible) > 1:
        listed = " and ".join(SEPARATORS[separator] for separator in plausible)
        message = f"The separator of {source.file.name!r} is ambiguous: {listed} are all possible."
        remedy = f'Write separator = ";" under [tables.{source.name}], say.'
        refuse(source.name, "ambiguous_separator", message, remedy)
    return plausible[0] if plausible else ","


def _first_line(text: str) -> str:
    """Return the header line; what stands in quotes there is part of a name."""
    line = next(line for line in text.splitlines() if line.strip())
    return re.sub(r'"[^"]*"', "", line)


def _is_even(text: str, separator: str) -> bool:
    try:
        return len({len(record) for record in _split(text, separator)}) == 1
    except csv.Error:
        return False


def _decode(source: TableSource) -> str:
    """Return the text of a file in the encoding stated; refuse it where another one is likely."""
    content = source.file.read_bytes()
    encoding, likely = codecs.lookup(source.encoding).name, _likely_encoding(content)
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    if b"\0" in content and content.count(b"\0") < len(content) / 4:  # wide text has one in two or more
        line = content[: content.find(b"\0")].count(b"\n") + 1
        message = f"The file {source.file.name!r} is not text: line {line} holds a zero byte."
        refuse(source.name, "not_text", message, "Open it in the program that made it and export it again.")
    if is_wide != (b"\0" in content):  # a separator holds a zero byte in a wide encoding, and only there
        _refuse_encoding(source, content, max(content.find(b"\0"), 0), likely)
    if likely == "utf-8" and encoding != "utf-8" and not is_wide:
        start = next(place for place, byte in enumerate(content) if byte > 127)
        _refuse_encoding(source, content, start, likely)
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        _refuse_encoding(source, content, error.start, likely)


def _likely_encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in content:
        return "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    if content.isascii():
        return "ascii"
    for encoding in ("utf-8", "cp1252"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _refuse_encoding(source: TableSource, content: bytes, start: int, likely: str) -> NoReturn:
    line = content[:start].count(b"\n") + 1
    message = f"Line {line} of {source.file.name!r} is not {source.encoding}; it is likely {likely}."
    remedy = f'Write encoding = "{likely}" under [tables.{source.name}], or save the file as UTF-8.'
    refuse(source.name, "wrong_encoding", message, remedy)
