"""How every figure looks: sizes in millimetres and points, one palette, one set of matplotlib settings.

Widths are those of one, one and a half and two journal columns. Arms differ in colour, in lightness
(so that a grey print keeps them apart), in line and in marker; nothing rests on colour alone. The font
comes with ipseval (``fonts/``), so that a figure is the same on every machine; a character that it does
not have is taken from the DejaVu Sans of matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from ipseval import checks

WIDTHS_MM = (85, 120, 178)
DEFAULT_WIDTH_MM = 178

TEXT, SMALL = 8.0, 7.0  # points
LINE, THIN = 1.1, 0.6  # points; journals ask for 0.5 or more
BAND_OPACITY = 0.16

INK, QUIET, RULE = "#1A1A1A", "#555555", "#8C8C8C"

MM_PER_INCH = 25.4
MM_PER_POINT = MM_PER_INCH / 72

Dashes = tuple[float, tuple[float, ...]] | str


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn."""

    colour: str
    dashes: Dashes
    marker: str
    filled: bool

    def marks(self, size: float = 4.5) -> dict[str, Any]:
        """Return the marker as keyword arguments of a matplotlib line."""
        face = self.colour if self.filled else "white"
        return {
            "marker": self.marker,
            "markersize": size,
            "markeredgecolor": self.colour,
            "markerfacecolor": face,
            "markeredgewidth": 0.9,
        }


#: The reference arm, then the active arms in the order in which the trial names them. Hues after Okabe
#: and Ito (blue, vermillion, green), darkened until text in them can be read on white.
_STYLES = (
    ArmStyle("#C04E00", (0, (4.5, 1.8)), "s", filled=False),
    ArmStyle("#003F6B", "solid", "o", filled=True),
    ArmStyle("#00795A", (0, (6, 1.5, 1.2, 1.5)), "^", filled=True),
    ArmStyle("#000000", (0, (1.2, 1.2)), "v", filled=False),
)
#: The one contrast of a figure belongs to no arm; several look like their active arms.
CONTRAST = ArmStyle(INK, "solid", "D", filled=True)

_SETTINGS: dict[str, Any] = {
    "font.family": ["Ipseval Sans", "DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.hinting": "no_hinting",
    "text.parse_math": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": THIN,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "xtick.major.width": THIN,
    "ytick.major.width": THIN,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": LINE,
    "lines.dash_capstyle": "butt",
    "lines.scale_dashes": True,
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "savefig.dpi": 600,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "ipseval",
}


def arm_styles(arms: tuple[str, ...]) -> dict[str, ArmStyle]:
    """Return the style of each arm, the reference first.

    Raises
    ------
    AnalysisError
        For more arms than can be told apart.
    """
    if len(arms) > len(_STYLES):
        checks.one_of(len(arms), range(1, len(_STYLES) + 1), "number of arms in one figure")
    return dict(zip(arms, _STYLES, strict=False))


@contextmanager
def settings() -> Iterator[None]:
    """Draw with our settings alone, whatever the user's own are, and leave those untouched."""
    import matplotlib

    _register_fonts()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


@cache
def _register_fonts() -> None:
    """Tell matplotlib of our fonts, once."""
    from matplotlib.font_manager import fontManager

    for name in ("IpsevalSans.ttf", "IpsevalSans-Bold.ttf"):
        with as_file(files("ipseval.render.figures") / "fonts" / name) as path:
            fontManager.addfont(path)
