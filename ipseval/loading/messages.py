"""Problems as sentences: found rows become a ``Problem``, and problems become text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

import pandas as pd

from ipseval.checks import named_list
from ipseval.errors import DataError, Problem

SEVERITIES = ("error", "set aside", "notice")
_HEADINGS = {
    "error": "Errors: nothing is loaded until these are mended",
    "set aside": "Set aside, because [rules] quarantine asks for it",
    "notice": "Notices: a rule settled these, and they are counted",
}


def found(
    frame: pd.DataFrame,
    mask: pd.Series,
    *,
    table: str,
    column: str,
    rule: str,
    message: str,
    remedy: str = "",
    severity: str = "error",
    **fields: str,
) -> list[Problem]:
    """Return one problem for the rows of ``frame`` that ``mask`` marks, or none if it marks none.

    ``message`` is for ``counted``. The index of ``frame`` holds the row numbers of the source, counted
    from 1.
    """
    marked = mask.fillna(False).astype("bool")
    if not marked.any():
        return []
    rows = frame.index[marked.to_numpy()]
    persons: tuple[str, ...] = ()
    if "participant_id" in frame:
        persons = tuple(frame.loc[rows, "participant_id"].dropna().unique())
    text = counted(message, len(rows), len(frame), **fields)
    return [Problem(severity, table, column, rule, text, remedy, len(rows), tuple(map(int, rows)), persons)]


def counted(message: str, n: int, total: int = 0, **fields: str) -> str:
    """Return a message with its counts, its words in the singular or the plural.

    ``[is|are]`` goes by ``{n}``, ``<row|rows>`` by the ``{total}`` that the n are some of.

    Examples
    --------
    >>> counted("{n} of {total} <row|rows> [is|are] blank.", 1, 4)
    '1 of 4 rows is blank.'
    """
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", r"\1" if n == 1 else r"\2", message)
    text = re.sub(r"<([^|>]*)\|([^>]*)>", r"\1" if total == 1 else r"\2", text)
    return text.format(n=n, total=total, **fields)


def refuse(table: str, rule: str, message: str, remedy: str = "", *, column: str = "") -> NoReturn:
    """Stop reading one file; the loader goes on with the others and reports this with the rest."""
    problem = Problem("error", table, column, rule, message, remedy)
    raise DataError(str(problem), [problem])


def did_you_mean(name: str, options: Collection[str]) -> str:
    """Return a question with the nearest of ``options``, else the list of them."""
    near = get_close_matches(name.casefold(), [option.casefold() for option in options], n=1, cutoff=0.6)
    if near:
        match = next(option for option in options if option.casefold() == near[0])
        return f"Did you mean {match!r}?"
    return f"Known: {named_list(options, 12)}." if options else ""


def quoted(codes: Iterable[str], at_most: int = 5) -> str:
    """Return codes in quotes, so that a trailing space is seen; at most a few, none of them long."""
    return named_list([repr(code if len(code) <= 30 else code[:29] + "…") for code in codes], at_most)


def toml_list(codes: Iterable[str]) -> str:
    """Return codes as a TOML list, to be pasted into trial.toml."""
    escaped = (code.replace("\\", "\\\\").replace('"', '\\"') for code in codes)
    return "[" + ", ".join(f'"{code}"' for code in escaped) + "]"


def problems_text(problems: Sequence[Problem], *, at_most: int = 3) -> str:
    """Say problems for a terminal: errors first, with a few of the persons and rows of each.

    The text names pseudonyms, because without them a file cannot be mended. It is for the analyst's
    own terminal and never goes into a saved public file.

    Parameters
    ----------
    problems : sequence of Problem
    at_most : int
        How many persons and rows to name per problem; the rest is counted.

    Returns
    -------
    str
        ``"No problems found."`` when there are none.

    Examples
    --------
    >>> from ipseval.errors import Problem
    >>> print(problems_text([Problem("notice", "jobs", "hours_per_week", "blank_hours",
    ...       "2 of 9 jobs have no hours.", rows=(1, 4), count=2, persons=("A1", "A7"))]))
    Notices: a rule settled these, and they are counted (1)
      jobs.hours_per_week [blank_hours]
        2 of 9 jobs have no hours.
        persons A1, A7; rows 1, 4
    """
    blocks = []
    for severity in SEVERITIES:
        listed = [problem for problem in problems if problem.severity == severity]
        if listed:
            lines = [f"{_HEADINGS[severity]} ({len(listed)})"]
            for problem in listed:
                lines.extend(_lines(problem, at_most))
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) or "No problems found."


def _printable(person: str) -> str:
    """Return an id on one line of a terminal: quoted if it holds control characters, shortened if long."""
    return person if person.isprintable() and len(person) <= 30 else quoted([person])


def numbered(what: str, names: Sequence[object], at_most: int = 3) -> str:
    """Return "row 3", or "rows 3, 4, 9 and 2 more"."""
    return f"{what}{'' if len(names) == 1 else 's'} {named_list(map(str, names), at_most)}"


def _lines(problem: Problem, at_most: int) -> list[str]:
    place = ".".join(part for part in (problem.table, problem.column) if part)
    lines = [f"  {place} [{problem.rule}]".replace("   [", "  ["), f"    {problem.message}"]
    lines.extend(f"    {line}" for line in problem.remedy.splitlines())
    where = []
    if problem.persons:
        where.append(numbered("person", [_printable(person) for person in problem.persons], at_most))
    if problem.rows:
        where.append(numbered("row", problem.rows, at_most))
    if where:
        lines.append("    " + "; ".join(where))
    return lines
