"""Make the two fonts of `ipseval/render/figures/fonts` from the DejaVu Sans that comes with matplotlib.

    python data/fonts/make_fonts.py

Embedding a font in a PDF means reading all of it. DejaVu Sans has 6,253 glyphs and layout tables for
many scripts: that took most of the time of saving a figure. These hold its Latin, Greek, Cyrillic,
punctuation, currency and mathematics, with the same outlines, widths and kerning pairs, so that every
figure looks the same, and are read five times faster. The licence (LICENSE.txt) asks for another name.
Needs fontTools, which matplotlib installs.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

TARGET = Path(__file__).parents[2] / "ipseval" / "render" / "figures" / "fonts"
SOURCES = {"DejaVuSans.ttf": "IpsevalSans.ttf", "DejaVuSans-Bold.ttf": "IpsevalSans-Bold.ttf"}
BLOCKS = (
    (0x0000, 0x024F),  # Latin
    (0x02C6, 0x02DD),  # accents that stand alone
    (0x0370, 0x052F),  # Greek, Cyrillic
    (0x1E00, 0x1FFF),  # more Latin, Greek with accents
    (0x2000, 0x20CF),  # punctuation, superscripts and subscripts, currencies
    (0x2190, 0x22FF),  # arrows, mathematics
    (0xFFFD, 0xFFFD),
)


def make(source: Path, target: Path) -> None:
    """Write the reduced font under its own name."""
    font = TTFont(source)
    known = font.getBestCmap()
    options = Options(
        hinting=False, layout_features=[], legacy_kern=True, notdef_outline=True, glyph_names=False
    )
    options.name_IDs = ["*"]
    options.drop_tables = [table for table in options.drop_tables if table != "kern"]
    options.drop_tables += ["GDEF", "GPOS", "GSUB", "MATH", "FFTM", "gasp"]
    subsetter = Subsetter(options)
    subsetter.populate(
        unicodes=[code for low, high in BLOCKS for code in range(low, high + 1) if code in known]
    )
    subsetter.subset(font)
    for record in font["name"].names:
        said = record.toUnicode()
        if record.nameID in (1, 3, 4, 6, 16):  # the names it goes by; the notices stay as they are
            renamed = said.replace("DejaVu Sans", "Ipseval Sans").replace("DejaVuSans", "IpsevalSans")
            record.string = renamed
    font["head"].modified = font["head"].created  # the same source gives the same bytes
    font.recalcTimestamp = False
    font.save(target)


if __name__ == "__main__":
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for source, target in SOURCES.items():
        make(folder / source, TARGET / target)
    (TARGET / "LICENSE.txt").write_bytes((folder / "LICENSE_DEJAVU").read_bytes())
