"""The fonts of the figures: those of DejaVu Sans, reduced, under another name."""

from importlib.resources import files
from pathlib import Path

import matplotlib
import pytest
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

OURS = files("ipseval.render.figures") / "fonts"
THEIRS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
PAIRS = [("IpsevalSans.ttf", "DejaVuSans.ttf"), ("IpsevalSans-Bold.ttf", "DejaVuSans-Bold.ttf")]


def drawn(font, code):
    """Return the outline and the width of a character."""
    glyphs, name = font.getGlyphSet(), font.getBestCmap()[code]
    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)
    return pen.value, glyphs[name].width


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_character_looks_as_it_does_in_dejavu(ours, theirs):
    own, source = TTFont(str(OURS / ours)), TTFont(THEIRS / theirs)
    for character in "AaZzÀéïßœĲ0123456789%–−≤≥×()[],.;:αβЖ€²":
        assert drawn(own, ord(character)) == drawn(source, ord(character)), character


@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS])
def test_every_character_of_every_text_is_there(ours):
    known = set(TTFont(str(OURS / ours)).getBestCmap())
    texts = (file.read_text(encoding="utf-8") for file in (files("ipseval.words") / "texts").iterdir())
    said = {character for text in texts for character in text if character.isprintable()}
    assert {character for character in said if ord(character) not in known} == set()


@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS])
def test_the_licence_asks_for_another_name_and_comes_along(ours):
    names = {
        record.toUnicode()
        for record in TTFont(str(OURS / ours))["name"].names
        if record.nameID in (1, 3, 4, 6, 16)
    }
    assert all(name.replace(" ", "").startswith("IpsevalSans") for name in names)
    assert "Bitstream Vera Fonts Copyright" in (OURS / "LICENSE.txt").read_text()
