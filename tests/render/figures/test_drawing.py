"""What is saved, what is refused, and what is loaded to do so."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.render.figures import plot
from ipseval.results import Results
from tests.render.figures.reading import rate_rows, results_of

Found = dict[str, Results]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_the_same_figure_gives_the_same_bytes(found: Found, kind: str, tmp_path: Path) -> None:
    for run in ("first", "second"):
        plot(found["survival"], lang="fr").save(tmp_path / f"{run}.{kind}")
    first, second = ((tmp_path / f"{run}.{kind}").read_bytes() for run in ("first", "second"))
    assert first == second
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_svg_carries_its_text_alternative_and_no_fonts(found: Found, tmp_path: Path) -> None:
    drawing = plot(found["rates"], lang="fr")
    (file,) = drawing.save(tmp_path / "rates.svg")
    root = ElementTree.parse(file).getroot()
    assert root.get("role") == "img"
    assert root.get("lang") == "fr"
    told = {child.get("id"): child.text for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")}
    assert list(told.values()) == [drawing.title, drawing.alt]
    assert root.get("aria-labelledby").split() == list(told)
    other = ElementTree.fromstring(plot(found["rates"], lang="en").content("svg"))
    assert other.get("aria-labelledby") != root.get("aria-labelledby")  # both may stand in one page
    assert not list(root.iter(f"{SVG}text"))  # shapes, so that it looks the same everywhere
    assert drawing._repr_svg_() == file.read_text(encoding="utf-8")


def test_pdf_embeds_its_fonts_and_its_text_alternative(found: Found) -> None:
    content = plot(found["rates"], inside=True).content("pdf")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"/Title" in content
    assert b"/Subject" in content
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", content)[1])
    assert width == pytest.approx(178 / 25.4 * 72, abs=0.01)


def test_png_has_600_dots_per_inch_and_its_text_alternative(found: Found) -> None:
    drawing = plot(found["rates"], width_mm=85, lang="de")
    image = Image.open(io.BytesIO(drawing.content("png")))
    assert image.width == pytest.approx(85 / 25.4 * 600, abs=1)
    assert image.info["dpi"][0] == pytest.approx(600, abs=0.1)
    assert image.info["Description"] == drawing.alt


def test_nothing_is_written_when_one_suffix_is_unknown(found: Found, tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"'\.jpg'.*'\.pdf', '\.svg', '\.png'"):
        plot(found["rates"]).save(tmp_path / "good.pdf", tmp_path / "bad.jpg")
    assert list(tmp_path.iterdir()) == []


def test_the_estimator_names_the_family(found: Found) -> None:
    assert plot(found["survival"]).title.endswith(words.text("figure.shows.incidence", "en"))
    assert plot(found["mixed"], inside=True).title.endswith(words.text("figure.shows.monthly", "en"))


def test_ambiguity_is_refused_with_the_options(found: Found) -> None:
    both = found["rates"] + found["survival"]
    with pytest.raises(AnalysisError, match=r"2 analyses could be drawn .*'rates', 'survival'.*analysis="):
        plot(both)
    assert plot(both, figure="incidence").title == plot(found["survival"]).title
    with pytest.raises(AnalysisError, match=r"figure='waterfall'.*'incidence'"):
        plot(both, figure="waterfall")
    with pytest.raises(AnalysisError, match=r"analysis='primary'.*'rates'"):
        plot(both, analysis="primary")
    with pytest.raises(AnalysisError, match=r"'incidence' cannot be drawn.*'rates' as rates"):
        plot(found["rates"], figure="incidence")


def test_a_figure_shows_one_subgroup(found: Found) -> None:
    rows = rate_rows({12.0: (20, 33)}, (80, 70))
    more = [dict(row, subgroup="sex=F") for row in rows]
    with pytest.raises(AnalysisError, match=r"2 values of subgroup.*results\.select\(subgroup="):
        plot(results_of([*rows, *more]))


def test_nothing_left_to_draw_is_refused_with_the_reason() -> None:
    rows = rate_rows({12.0: (2, 3)}, (80, 70))
    with pytest.raises(AnalysisError, match=r"3 rows, 3 suppressed as small cells.*inside=True"):
        plot(results_of(rows))
    with pytest.raises(AnalysisError, match=r"no month to draw"):
        plot(results_of(rows), figure="monthly")


@pytest.mark.parametrize("width", [40, 400, float("nan")])
def test_a_width_no_page_has_is_refused(found: Found, width: float) -> None:
    with pytest.raises(AnalysisError, match=r"not from 85 to 178 mm"):
        plot(found["rates"], width_mm=width)


def test_death_belongs_to_incidence(found: Found) -> None:
    with pytest.raises(AnalysisError, match=r"show_died=True belongs to figure='incidence'"):
        plot(found["rates"], show_died=True)


def test_an_unknown_language_is_refused(found: Found) -> None:
    with pytest.raises(AnalysisError, match=r"lang='it'"):
        plot(found["rates"], lang="it")


def test_five_arms_are_too_many_to_tell_apart() -> None:
    rows = rate_rows({12.0: (20, 33)}, (80, 70))
    arms = [dict(rows[0], arm=f"arm {at}") for at in range(5)]
    with pytest.raises(AnalysisError, match=r"number of arms in one figure=5"):
        plot(results_of(arms))


def test_matplotlib_is_loaded_when_a_figure_is_drawn_and_pyplot_never() -> None:
    code = (
        "import sys, ipseval.render.figures as figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.render.figures.reading import rate_rows, results_of\n"
        "figures.plot(results_of(rate_rows({12.0: (20, 33)}, (80, 70)))).content('png')\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_text_of_the_figures_is_in_every_language_with_the_same_fields() -> None:
    from ipseval.words.catalogue import _catalogue

    mine = {key: told for key, told in _catalogue().items() if key.startswith("figure.")}
    assert len(mine) > 30
    for key, told in mine.items():
        assert set(told) == set(words.LANGUAGES), key
        fields = {lang: set(re.findall(r"{(\w+)}", text)) for lang, text in told.items()}
        assert len(set(map(frozenset, fields.values()))) == 1, key
