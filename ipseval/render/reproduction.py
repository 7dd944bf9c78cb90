"""Published beside reproduced, as plain text for the terminal."""

from __future__ import annotations

import textwrap

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.render.tables import Table, comparison_of, published_table, readings_table
from ipseval.render.tables.cells import Writer
from ipseval.results import Results

WIDTH = 88
_WIDEST = 100


def published_beside_reproduced(public: Results, lang: str = "en") -> str:
    """Return what was published beside what was reproduced: arms, difference, and every reading.

    Parameters
    ----------
    public : PublicResults
        With the rows of ``published_results`` beside those of an analysis of the same outcome.
    lang : {"en", "nl", "fr", "de"}

    Returns
    -------
    str
        Plain text of at most 100 columns, unless an arm has a longer label.

    Raises
    ------
    AnalysisError
        When the results hold nothing published.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30)) + ips.published_results("scion")
    >>> print(published_beside_reproduced(ips.protect(found)).splitlines()[0])
    Published beside reproduced
    """
    found = comparison_of(public)
    if found is None:
        raise AnalysisError(
            "These results hold nothing published. Add ips.published_results('scion') or another trial's."
        )
    write = Writer(public, lang)
    sentence = words.translated(found.record["sentence"], lang)
    parts = [
        _underlined(write.say("section.published")),
        _wrapped(found.record["citation"]),
        _wrapped(write.say("published.sentence", sentence=sentence)),
        _aligned(published_table(public, write.say("caption.published"), lang=lang)),
        _aligned(readings_table(public, write.say("caption.readings"), lang=lang)),
    ]
    if public.provenance.get("trial", {}).get("simulated"):
        parts.append(_wrapped(write.say("published.matched")))
    return "\n\n".join(parts)


def _underlined(text: str) -> str:
    return f"{text}\n{'=' * len(text)}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _aligned(table: Table) -> str:
    """Return a table as text: words to the left, numbers to the right, notes below.

    The heading of the first column is wrapped where the table would be too wide.
    """
    headings = [column.heading for column in table.columns]
    body = [
        (
            line.heading + "".join(f" [{mark}]" for mark in line.marks),
            *(line.cells or [""] * len(table.columns)),
        )
        for line in table.lines
    ]
    left = (True, *(column.is_text for column in table.columns))
    labels = [line[0] for line in body]
    widths = [max(map(len, column)) for column in zip(headings, *(line[1:] for line in body), strict=True)]
    room = _WIDEST - sum(2 + width for width in widths)
    *above, stub = textwrap.wrap(table.stub, max(room, *map(len, labels)), break_long_words=False) or [""]
    widths = [max(map(len, [*labels, *above, stub])), *widths]

    def written(cells: tuple[str, ...]) -> str:
        padded = (
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(cells, widths, left, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    notes = [_wrapped(f"[{mark}] {text}" if mark else text) for mark, text in table.notes]
    return "\n".join(
        [table.caption, rule, *above, written((stub, *headings)), rule, *map(written, body), rule, *notes]
    )
