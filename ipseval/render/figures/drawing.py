"""What ``plot`` returns: a finished figure that saves itself, with its text for those who cannot see it."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ipseval import checks
from ipseval.render.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".pdf", ".svg", ".png")


@dataclass(frozen=True, repr=False)
class Drawing:
    """A finished figure.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To change what you like; it belongs to no window and to no global state.
    title : str
        One line.
    alt : str
        The text alternative: what is shown, with its numbers.
    lang : str
        The language of all texts.
    """

    figure: Figure
    title: str
    alt: str
    lang: str

    def save(self, *paths: str | Path) -> list[Path]:
        """Write the figure, in the format of each suffix: .pdf, .svg or .png (600 dots per inch).

        The same figure gives the same bytes: no file holds a date. Fonts are embedded in a PDF and
        drawn as shapes in an SVG; title and text alternative are written into every file.

        Raises
        ------
        AnalysisError
            For another suffix; nothing is written then.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import ipseval as ips
        >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> [path.name for path in ips.plot(found).save(folder / "rates.pdf", folder / "rates.svg")]
        ['rates.pdf', 'rates.svg']
        """
        files = [Path(path) for path in paths]
        for file in files:
            checks.one_of(file.suffix.lower(), SUFFIXES, "suffix of the file")
        for file in files:
            file.write_bytes(self.content(file.suffix.lower().removeprefix(".")))
        return files

    def content(self, kind: str) -> bytes:
        """Return the bytes of the file: "pdf", "svg" or "png"."""
        checks.one_of(f".{kind}", SUFFIXES, "suffix of the file")
        metadata: dict[str, dict[str, Any]] = {
            "pdf": {"Title": self.title, "Subject": self.alt, "CreationDate": None, "Creator": "ipseval"},
            "svg": {"Title": self.title, "Description": self.alt, "Language": self.lang, "Date": None},
            "png": {"Title": self.title, "Description": self.alt, "Software": "ipseval"},
        }
        buffer = io.BytesIO()
        with style.settings():
            # A higher level takes several times as long for a little less of white paper.
            options: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}} if kind == "png" else {}
            self.figure.savefig(buffer, format=kind, metadata=metadata[kind], **options)
        return _described(buffer.getvalue(), self) if kind == "svg" else buffer.getvalue()

    def _repr_svg_(self) -> str:
        return self.content("svg").decode("utf-8")

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}>"


@dataclass(frozen=True, repr=False)
class FinalDrawing(Drawing):
    """A drawing that nobody changes any more, so that its SVG, which a report holds too, is made once."""

    @cached_property
    def _svg(self) -> bytes:
        return super().content("svg")

    def content(self, kind: str) -> bytes:
        """Return the bytes of the file: "pdf", "svg" or "png"."""
        return self._svg if kind == "svg" else super().content(kind)


def _described(svg: bytes, drawing: Drawing) -> bytes:
    """Return the SVG with title and description where a screen reader looks for them."""
    text = svg.decode("utf-8")
    head, tag, rest = text.partition("<svg ")
    attributes, end, body = rest.partition(">")
    title = f"<title>{escape(drawing.title)}</title>"
    # matplotlib writes a title of its own as the first child; ours carries the description beside it.
    body = body.replace(title, "", 1)
    # Several figures may stand in one page of HTML, where an id stands once.
    mark = f"{zlib.crc32(drawing.alt.encode()):08x}"
    named = f'role="img" aria-labelledby="title-{mark} description-{mark}" lang="{drawing.lang}" '
    told = (
        f'\n <title id="title-{mark}">{escape(drawing.title)}</title>'
        f'\n <desc id="description-{mark}">{escape(drawing.alt)}</desc>'
    )
    return f"{head}{tag}{named}{attributes}{end}{told}{body}".encode()
