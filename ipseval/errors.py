"""The package's few exception types, all children of one base.

Each message says what is wrong with the value, how much of it there is, and what to do next.
A user's mistake is always one of these; anything else that escapes is a fault of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class IpsevalError(Exception):
    """Base of every error that a user can cause."""


class AnalysisError(IpsevalError):
    """A question that these data, or these arguments, cannot answer."""


class NotDefinedError(AnalysisError):
    """What was asked has no value in these data, as a hazard ratio where nobody had the event."""


class PlanError(IpsevalError):
    """A plan, design or mapping file that cannot be carried out as written."""


@dataclass(frozen=True)
class Problem:
    """One thing noticed in the data: where it is, which rule it breaks, and what to do.

    ``severity`` is ``"error"`` (loading stops), ``"notice"`` (a rule settled it, and it is counted)
    or ``"set aside"`` (the mapping asked for the rows to be set aside). ``rows`` are 1-based line
    numbers of the source table, header not counted, and ``persons`` the pseudonyms; both are for
    the analyst's own terminal and never enter a saved public file.
    """

    severity: str
    table: str
    column: str
    rule: str
    message: str
    remedy: str = ""
    count: int = 1
    rows: tuple[int, ...] = ()
    persons: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.column) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} {self.remedy}".strip()


class DataError(IpsevalError):
    """Data that break a rule of the data dictionary; carries every problem at once.

    Attributes
    ----------
    problems : tuple of Problem
        Empty when the error is about a single argument rather than a data file.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class IpsevalWarning(UserWarning):
    """A result that is usable but needs a sentence in the report; also kept in the row's note."""
