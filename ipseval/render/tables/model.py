"""The table model: what a table says, before any writer gives it a form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether it holds words rather than numbers."""

    heading: str
    is_text: bool = False


@dataclass(frozen=True)
class Line:
    """A line: what it is about, and its cells; a line without cells is a heading over those below it.

    ``marks`` are the letters of the table's notes that belong to the line. A line of ``depth`` 1 is
    a part of the line above it.
    """

    heading: str
    cells: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    depth: int = 0


@dataclass(frozen=True)
class Table:
    """A finished table: every text written out, in one language.

    Attributes
    ----------
    caption : str
        One line that says what the table shows.
    stub : str
        The heading of the first column, which names the lines.
    columns : tuple of Column
        The other columns.
    lines : tuple of Line
        Empty when there is nothing to show.
    notes : tuple of (mark, text)
        What stands below; the mark is a letter that lines refer to, or empty for a note on all.
    """

    caption: str
    stub: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[tuple[str, str], ...] = ()


class Marks:
    """Gives each note a letter, the same letter to the same note."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def of(self, *notes: str) -> tuple[str, ...]:
        """Return the letters of these notes; an empty note has none."""
        return tuple(self._letters.setdefault(note, _letter(len(self._letters))) for note in notes if note)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """The letters with their notes, in the order in which they were given."""
        return tuple((letter, note) for note, letter in self._letters.items())


def _letter(at: int) -> str:
    """Return a, b, ... z, aa, ab, ..."""
    return (_letter(at // 26 - 1) if at >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[at % 26]
