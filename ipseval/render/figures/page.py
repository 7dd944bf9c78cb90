"""A page of fixed width that grows downward: everything on it is measured before it is placed.

Positions are millimetres from the top left. Text is wrapped by its true width and a figure becomes as
high as what stands on it, so that nothing overlaps and nothing is cut off at any width or language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipseval.render.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

MARGIN = 2.0
_LEADING = 1.28


def line_height(size: float) -> float:
    """Return the distance between two lines of text in mm."""
    return size * style.MM_PER_POINT * _LEADING


class Page:
    """A figure in the making.

    Attributes
    ----------
    width : float
        In mm, margins included.
    y : float
        How far down the page is filled, in mm.
    mm : matplotlib transform
        From millimetres (right, down) to the screen; right at any resolution and final height.
    """

    def __init__(self, width: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        self.figure = Figure(figsize=(width / style.MM_PER_INCH, 1.0))
        self._renderer: Any = FigureCanvasAgg(self.figure).get_renderer()  # type: ignore[no-untyped-call]
        self.width = width
        self.y = MARGIN
        self._down = Affine2D()
        self.mm = self._down + self.figure.dpi_scale_trans
        self._boxes: list[tuple[Axes, float, float, float, float]] = []

    def text_width(self, text: str, size: float = style.TEXT, weight: str = "normal") -> float:
        """Return how wide a line of text is, in mm."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight=weight)
        width, _, _ = self._renderer.get_text_width_height_descent(text, font, False)
        return float(width) / self.figure.dpi * style.MM_PER_INCH

    def wrapped(self, text: str, width: float, size: float = style.TEXT, weight: str = "normal") -> list[str]:
        """Return text as lines of at most ``width`` mm; a single longer word keeps a line of its own."""
        lines: list[str] = []
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.text_width(longer, size, weight) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def put(
        self, x: float, y: float, text: str, size: float = style.TEXT, colour: str = style.INK, **how: Any
    ) -> Text:
        """Place one line of text with its baseline at ``y``."""
        how = {"va": "baseline", "ha": "left", **how}
        return self.figure.text(x, y, text, transform=self.mm, fontsize=size, color=colour, **how)

    def lines(self, x: float, top: float, texts: list[str], size: float = style.TEXT, **how: Any) -> float:
        """Place lines below each other from ``top``; return where they end."""
        for line in texts:
            if line:
                self.put(x, top + size * style.MM_PER_POINT, line, size, **how)
            top += line_height(size)
        return top

    def paragraph(
        self, text: str, size: float = style.TEXT, *, weight: str = "normal", colour: str = style.INK
    ) -> None:
        """Place wrapped text over the whole width and move down."""
        lines = self.wrapped(text, self.width - 2 * MARGIN, size, weight)
        self.y = self.lines(MARGIN, self.y, lines, size, fontweight=weight, colour=colour)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes whose frame is this box in mm."""
        axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0), label=f"axes {len(self._boxes)}")
        self._boxes.append((axes, left, top, width, height))
        return axes

    def rule(self, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
        """Draw a line, or a marker, at points of the page."""
        from matplotlib.lines import Line2D

        self.figure.add_artist(Line2D(x, y, transform=self.mm, **how))

    def finish(self) -> None:
        """Set the height to what was filled, and every box to its place."""
        height = self.y + MARGIN
        inch = style.MM_PER_INCH
        self._down.clear().scale(1 / inch, -1 / inch).translate(0, height / inch)
        self.figure.set_size_inches(self.width / inch, height / inch)
        for axes, left, top, width, high in self._boxes:
            axes.set_position(
                (left / self.width, 1 - (top + high) / height, width / self.width, high / height)
            )


def spread(wanted: list[float], heights: list[float], low: float, high: float) -> list[float]:
    """Return centres as near as can be to those wanted, so that boxes of these heights do not overlap.

    Boxes that would touch move apart around their common mean; all stay between ``low`` and ``high``
    when they fit.
    """
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    blocks: list[list[int]] = []
    for at in order:
        blocks.append([at])
        while len(blocks) > 1 and _bottom(blocks[-2], wanted, heights, low, high) > _top(
            blocks[-1], wanted, heights, low, high
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    placed = [0.0] * len(wanted)
    for block in blocks:
        edge = _top(block, wanted, heights, low, high)
        for at in block:
            placed[at] = edge + heights[at] / 2
            edge += heights[at]
    return placed


def _top(block: list[int], wanted: list[float], heights: list[float], low: float, high: float) -> float:
    """Return the upper edge of a block of boxes around the mean of where they want to be."""
    total = sum(heights[at] for at in block)
    offsets = [sum(heights[other] for other in block[:place]) for place in range(len(block))]
    mean = sum(
        wanted[at] - heights[at] / 2 - offset for at, offset in zip(block, offsets, strict=True)
    ) / len(block)
    return max(low, min(mean, high - total))


def _bottom(block: list[int], wanted: list[float], heights: list[float], low: float, high: float) -> float:
    return _top(block, wanted, heights, low, high) + sum(heights[at] for at in block)
