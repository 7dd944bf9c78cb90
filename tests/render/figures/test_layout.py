"""Nothing overlaps and nothing is cut off, at any width and in any language; arms can be told apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ipseval import words
from ipseval.render.figures import plot, style
from ipseval.render.figures.curves import thinned
from ipseval.render.figures.page import spread
from ipseval.results import Results
from tests.render.figures.reading import artists, boxes, contrast, rate_rows, results_of

FAMILIES = (
    ("survival", "incidence"),
    ("residuals", "schoenfeld"),
    ("mixed", "monthly"),
    ("scores", "monthly"),
    ("rates", "rates"),
    ("rates", "methods"),
    ("published", "methods"),
    ("rates", "unknowns"),
    ("amounts", "amounts"),
)


def assert_sound(drawing, width: float) -> None:
    placed = boxes(drawing)
    canvas = drawing.figure.bbox
    assert drawing.figure.get_size_inches()[0] * 25.4 == pytest.approx(width)
    for text, box in placed:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= canvas.width and box.y1 <= canvas.height
        assert inside, f"{text!r} is cut off"
    for (first, one), (second, other) in combinations(placed, 2):
        apart_x = min(one.x1, other.x1) - max(one.x0, other.x0) < 0.5
        apart_y = min(one.y1, other.y1) - max(one.y0, other.y0) < 0.5
        assert apart_x or apart_y, f"{first!r} overlaps {second!r}"
    for line in artists(drawing, "estimate "):
        x, y = line.axes.transData.transform((line.get_xdata()[0], line.get_ydata()[0]))
        assert canvas.x0 <= x <= canvas.x1
        for text, box in placed:
            assert not (box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1), f"{text!r} covers a mark"


@pytest.mark.parametrize("width", style.WIDTHS_MM)
@pytest.mark.parametrize("lang", words.LANGUAGES)
@pytest.mark.parametrize(("name", "figure"), FAMILIES)
def test_texts_neither_overlap_nor_are_cut_off(
    found: dict[str, Results], name: str, figure: str, lang: str, width: int
) -> None:
    results = found[name]
    for inside in (True, False):
        drawing = plot(results, figure=figure, lang=lang, width_mm=width, inside=inside)
        assert_sound(drawing, width)
        if name != "published" or width == 178:
            assert drawing.figure.get_size_inches()[1] * 25.4 < 240  # mm of a journal's page


@pytest.mark.parametrize("width", style.WIDTHS_MM)
def test_long_names_and_close_lines_stay_apart(width: int) -> None:
    rows = rate_rows({6.0: (20, 21), 12.0: (40, 41), 18.0: (41, 41)}, (100, 100))
    long = {
        "IPS": "Individual Placement and Support with benefits counselling",
        "usual": "usual care with rehabilitation by the municipality or employer",
    }
    for figure in ("rates", "monthly"):
        assert_sound(plot(results_of(rows, arm_labels=long), figure=figure, width_mm=width), width)


def test_sixty_months_fit_the_narrowest_column() -> None:
    months = {float(month): (10 + month // 3, 15 + month // 2) for month in range(1, 61)}
    assert_sound(plot(results_of(rate_rows(months, (200, 200))), figure="monthly", width_mm=85), 85)


def test_arms_differ_in_grey_in_line_and_in_marker_and_can_be_read() -> None:
    looks = list(style.arm_styles(("a", "b", "c", "d")).values())
    assert contrast(looks[0].colour, looks[1].colour) >= 2  # reference and first active arm
    for look in looks:
        assert contrast(look.colour, "#FFFFFF") >= 4.5  # WCAG 2.1 AA for text
    for one, other in combinations(looks, 2):
        assert one.marker != other.marker
        assert one.dashes != other.dashes
        assert contrast(one.colour, other.colour) > 1.05 or one.filled != other.filled


def test_lines_are_wide_enough_to_print(found: dict[str, Results]) -> None:
    for name, figure in FAMILIES:
        drawing = plot(found[name], figure=figure, inside=True)
        lines = [
            line for axes in drawing.figure.axes for line in axes.lines if line.get_linestyle() != "None"
        ]
        lines += list(drawing.figure.lines)
        assert min(line.get_linewidth() for line in lines) >= 0.5


def test_labels_spread_without_overlap_and_keep_their_order() -> None:
    wanted, heights = [10.0, 10.5, 11.0, 40.0], [6.0, 6.0, 9.0, 6.0]
    placed = spread(wanted, heights, 0.0, 50.0)
    for (one, a), (other, b) in combinations(zip(placed, heights, strict=True), 2):
        assert abs(one - other) >= (a + b) / 2 - 1e-9
    assert placed == sorted(placed)
    assert placed[3] == 40.0
    assert spread([1.0], [6.0], 0.0, 50.0) == [3.0]


def test_ticks_thin_out_but_keep_both_ends() -> None:
    ticks = [float(month) for month in range(0, 66, 6)]
    assert thinned(ticks, 2.0, 5.0) == ticks
    kept = thinned(ticks, 0.5, 5.0)
    assert kept[0] == 0
    assert kept[-1] == 60
    assert np.diff(kept).min() * 0.5 >= 5.0
