"""Numbers as the Unicode CLDR writes them, through babel."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from babel import Locale
from babel.numbers import format_decimal, format_percent
from hypothesis import given
from hypothesis import strategies as some

from ipseval import words
from ipseval.errors import AnalysisError

LOCALES = {"en": "en", "nl": "nl_BE", "fr": "fr_BE", "de": "de"}
LANGUAGES = pytest.mark.parametrize("lang", LOCALES)
finite = some.one_of(
    some.floats(-1e12, 1e12),
    some.integers(-(10**9), 10**9).map(float),
    some.decimals(-999, 999, places=2).map(float),
)


def decimals(digits: int) -> str:
    return "." + "0" * digits if digits else ""


@LANGUAGES
@given(value=finite, digits=some.integers(0, 4))
def test_numbers_are_those_of_babel(lang: str, value: float, digits: int) -> None:
    written = format_decimal(Decimal(repr(value)), format="#,##0" + decimals(digits), locale=LOCALES[lang])
    if not any(character in "123456789" for character in written):
        written = written.removeprefix("-")  # a negative number that rounds to nothing has no sign here
    assert words.number(value, lang, digits=digits) == written.replace("-", "\u2212")


@LANGUAGES
@given(
    share=some.one_of(some.floats(0, 1), some.decimals(0, 1, places=3).map(float)), digits=some.integers(0, 2)
)
def test_percentages_are_those_of_babel(lang: str, share: float, digits: int) -> None:
    pattern = Locale.parse(LOCALES[lang]).percent_formats[None].pattern
    pattern = pattern.replace("0%", f"0{decimals(digits)}%").replace("0\xa0%", f"0{decimals(digits)}\xa0%")
    assert words.percentage(share, lang, digits=digits) == format_percent(
        Decimal(repr(share)), format=pattern, locale=LOCALES[lang]
    )


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.5, 0, "0"),
        (1.5, 0, "2"),
        (2.5, 0, "2"),
        (0.25, 1, "0.2"),
        (0.35, 1, "0.4"),
        (2.675, 2, "2.68"),
        (-0.04, 1, "0.0"),
    ],
)
def test_halves_go_to_the_even_digit_of_the_shortest_decimal(value: float, digits: int, shown: str) -> None:
    assert words.number(value, digits=digits) == shown


def test_a_percentage_rounds_the_share_and_not_its_float_hundredfold() -> None:
    assert 100 * 0.575 < 57.5  # in floats
    assert words.percentage(0.575) == "58%"
    assert words.percentage_points(0.0115) == "+1.2"
    assert words.percentage_points(-0.0004) == "0.0"


@LANGUAGES
def test_what_is_missing_or_infinite_or_huge_is_written_and_not_raised(lang: str) -> None:
    assert (
        words.number(math.nan, lang)
        == words.percentage(math.nan, lang)
        == words.p_value(math.nan, lang)
        == "\u2013"
    )
    assert words.number(math.inf, lang) == "\u221e"
    assert words.number(-math.inf, lang) == "\u2212\u221e"
    assert words.number(1e300, lang, digits=2).startswith("1")
    assert len(words.number(5e-324, lang, digits=2)) == 4


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0, "<0.001"),
        (0.00099, "<0.001"),
        (0.001, "0.001"),
        (0.0494, "0.049"),
        (0.05, "0.050"),
        (0.34, "0.34"),
        (1.0, "1.00"),
    ],
)
def test_p_values(p: float, shown: str) -> None:
    assert words.p_value(p) == shown
    assert words.p_value(p, "fr") == shown.replace(".", ",")


def test_in_running_text_p_is_either_equal_or_below() -> None:
    assert words.p_relation(0.0004) == "< 0.001"
    assert words.p_relation(0.0494, "nl") == "= 0,049"
    assert words.p_relation(float("nan")) == f"= {words.p_value(float('nan'))}"


def test_an_interval_is_said_in_words_because_of_minus_signs() -> None:
    assert words.interval(-1.25, 3, "nl", digits=1) == "\u22121,2 tot 3,0"


def test_another_language_is_refused() -> None:
    with pytest.raises(AnalysisError, match="lang='xx' is not an option"):
        words.number(1.0, "xx")
