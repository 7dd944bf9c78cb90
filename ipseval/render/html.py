"""Accessible HTML: the one place that knows tags; every text is escaped here.

A table has a caption, ``scope`` on each heading, and stands in a region that a keyboard can scroll. A
figure is inline SVG with ``role="img"``, title and description. Nothing refers to another file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from ipseval.render.tables import Line, Table

if TYPE_CHECKING:
    from ipseval.render.figures import Drawing


def paragraph(text: str, kind: str = "") -> str:
    """Return one paragraph."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def heading(text: str, level: int) -> str:
    """Return a heading of level 2, 3 or 4."""
    return f"<h{level}>{escape(text)}</h{level}>"


def items(texts: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms with what they mean; those that mean nothing are left out."""
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>" for term, said in pairs if said)
    return f"<dl>{listed}</dl>"


def table(made: Table, ident: str, number: str) -> str:
    """Return a table in a region that scrolls where the page is too narrow for it.

    Parameters
    ----------
    made : Table
    ident : str
        Unique in the page.
    number : str
        "Table 3", which stands before the caption.
    """
    head = "".join(
        f'<th scope="col"{_class("text" if is_text else "")}>{escape(said)}</th>'
        for said, is_text in [
            (made.stub, True),
            *((column.heading, column.is_text) for column in made.columns),
        ]
    )
    notes = "".join(_note(mark, text) for mark, text in made.notes)
    return (
        f'<div class="table" role="region" aria-labelledby="{ident}-caption" tabindex="0">\n'
        f'<table id="{ident}"><caption id="{ident}-caption"><b>{escape(number)}</b> {escape(made.caption)}'
        f"</caption>\n<thead><tr>{head}</tr></thead>\n{_groups(made)}</table></div>\n"
        + (f'<div class="notes">{notes}</div>' if notes else "")
    )


def _groups(made: Table) -> str:
    """Return the lines, a body per heading, so that the scope of a heading is the lines below it."""
    groups: list[list[str]] = []
    for line in made.lines:
        if not groups or not line.cells:
            groups.append([])
        groups[-1].append(_line(line, made))
    return "".join("\n".join(["<tbody>", *group, "</tbody>\n"]) for group in groups)


def _line(line: Line, made: Table) -> str:
    marks = f"<sup>{escape(' '.join(line.marks))}</sup>" if line.marks else ""
    said = f"{escape(line.heading)}{marks}"
    if not line.cells:
        return f'<tr class="group"><th scope="rowgroup" colspan="{1 + len(made.columns)}">{said}</th></tr>'
    cells = "".join(
        f"<td{_class('text' if column.is_text else '')}>{escape(cell)}</td>"
        for column, cell in zip(made.columns, line.cells, strict=True)
    )
    return f'<tr><th scope="row"{_class("part" if line.depth else "")}>{said}</th>{cells}</tr>'


def _note(mark: str, text: str) -> str:
    return f"<p>{f'<sup>{escape(mark)}</sup> ' if mark else ''}{escape(text)}</p>"


def figure(drawn: Drawing, ident: str, number: str) -> str:
    """Return a figure as inline SVG with its caption; its description is what a screen reader says."""
    scrolls = f'class="drawing" role="group" aria-label="{escape(number)}" tabindex="0"'
    return (
        f'<figure id="{ident}"><div {scrolls}>{inline_svg(drawn, ident)}</div>'
        f"<figcaption><b>{escape(number)}</b> {escape(drawn.title)}</figcaption></figure>"
    )


def inline_svg(drawn: Drawing, ident: str) -> str:
    """Return the SVG as part of a page: no prolog, no metadata, and identifiers that no other figure has."""
    svg = drawn.content("svg").decode("utf-8")
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'\bid="', f'id="{ident}-', svg)
    svg = re.sub(r'href="#', f'href="#{ident}-', svg)
    svg = re.sub(r"url\(#", f"url(#{ident}-", svg)
    return re.sub(
        r'aria-labelledby="([^"]+)"',
        lambda found: f'aria-labelledby="{" ".join(f"{ident}-{name}" for name in found[1].split())}"',
        svg,
        count=1,
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
