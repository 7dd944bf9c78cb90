"""Published beside reproduced in the terminal: both readings, marked, and what agreement means."""

from __future__ import annotations

import pytest

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.render.reproduction import published_beside_reproduced
from tests.render.shown import by_hand, public, scion


def test_both_arms_the_difference_and_both_readings_are_printed() -> None:
    # Counts and percentages are those of the publication; intervals of 31/70 v 20/81 and 31/71 v 20/80
    # are Newcombe's by another program (statsmodels).
    text = published_beside_reproduced(scion())
    lines = text.splitlines()
    assert lines[0] == "Published beside reproduced"
    assert "Published: 44% v 25% had found competitive work at any time within 30 months." in text
    assert "Psychiatr Rehabil J 2014;37(2):129-136." in text.replace("\n", " ")
    ips = next(line for line in lines if line.startswith("IPS  "))
    assert " ".join(ips.split()) == "IPS 44% 31 of 70 = 44.3% 33.2% to 55.9%"
    usual = next(line for line in lines if line.startswith("Usual"))
    assert "25% 20 of 81 = 24.7% 16.6% to 35.1%" in " ".join(usual.split())
    readings = [" ".join(line.split()[-7:]) for line in lines if " against " in line and " of " in line]
    assert readings == [
        "+19.6 percentage points +4.4 to +33.8 read",
        "+18.7 percentage points +3.5 to +32.8 unverified",
    ]
    assert text.endswith("Agreement checks the software, not the trial.")


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_language_says_simulated_and_marks_the_readings(lang: str) -> None:
    text = published_beside_reproduced(public(), lang=lang)
    joined = " ".join(text.split())
    assert " ".join(words.text("report.published.matched", lang).split()) in joined
    assert words.text("report.mark.read", lang) in text
    assert words.text("report.mark.unverified", lang) in text
    assert words.percentage(31 / 70, lang, digits=1) in text


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_columns_are_aligned(lang: str) -> None:
    lines = published_beside_reproduced(scion(), lang=lang).splitlines()
    rules = [at for at, line in enumerate(lines) if line and set(line) == {"-"}]
    assert len(rules) == 6
    for first, _, last in (rules[:3], rules[3:]):
        width = len(lines[first])
        assert {len(lines[at]) for at in (first, last)} == {width}
        assert all(len(line) <= width for line in lines[first:last])


def test_no_line_is_wider_than_a_terminal_of_a_hundred_columns() -> None:
    assert max(map(len, published_beside_reproduced(scion()).splitlines())) <= 100


def test_without_anything_published_it_refuses() -> None:
    with pytest.raises(AnalysisError, match="nothing published"):
        published_beside_reproduced(by_hand({"IPS": (30, 70), "usual": (20, 80)}))
