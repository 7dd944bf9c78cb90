"""Every text in every language with the same fields, and a text for everything that results hold."""

from __future__ import annotations

from string import Formatter

import pytest

from ipseval import words
from ipseval.endpoints import BUILT_IN
from ipseval.errors import AnalysisError
from ipseval.estimate import ESTIMATORS
from ipseval.estimate.amounts.amounts import RULES as AMOUNT_RULES
from ipseval.estimate.proportions.adjusted_rates import METHODS as ADJUSTED
from ipseval.estimate.proportions.rates import METHODS
from ipseval.estimate.proportions.stratified_rates import METHODS as STRATIFIED
from ipseval.estimate.unknown import RULES
from ipseval.results.vocabulary import QUANTITIES, STATUSES
from ipseval.schema import END_REASONS
from ipseval.words.catalogue import _catalogue

EXPECTED = [
    *(f"quantity.{name}" for name in QUANTITIES),
    *(f"method.{method}" for methods in METHODS.values() for method in methods),
    *(f"method.{method}" for methods in STRATIFIED.values() for method in methods),
    *(f"method.{method}" for method in ADJUSTED),
    *(f"setting.{rule}" for rule in (*RULES, *AMOUNT_RULES, "censored")),
    *(f"term.{reason}" for reason in (*END_REASONS, "randomised", "job_under_way", "assessed", "average")),
    *(f"status.{status}" for status in STATUSES if status not in ("ok", "warned")),
]


@pytest.mark.parametrize("key", words.keys())
def test_a_text_has_every_language_and_the_same_fields(key: str) -> None:
    texts = _catalogue()[key]
    assert set(texts) == set(words.LANGUAGES)
    fields = {
        lang: sorted(name for _, name, _, _ in Formatter().parse(text) if name)
        for lang, text in texts.items()
    }
    assert len({tuple(names) for names in fields.values()}) == 1, fields
    assert all(text.strip() for text in texts.values())


@pytest.mark.parametrize("key", EXPECTED)
def test_everything_in_the_closed_lists_has_a_text(key: str) -> None:
    assert words.has(key)


def test_notes_can_be_found_by_their_english_text() -> None:
    notes = [key for key in words.keys() if key.startswith("note.")]  # noqa: SIM118
    english = [words.text(key) for key in notes]
    assert len(set(english)) == len(english)
    # Parts of a note are joined by "; ", and a field could not be found again once it is filled.
    assert not [text for text in english if "; " in text or "{" in text]


def test_a_note_is_translated_part_by_part() -> None:
    note = f"{words.text('note.accrued')}; a remark of a kernel; {words.text('note.not_recorded')}"
    shown = words.translated(note, "de")
    assert shown.split("; ")[0] == words.text("note.accrued", "de")
    assert shown.split("; ")[1] == "a remark of a kernel"
    assert words.translated(note, "en") == note
    assert words.translated("", "fr") == ""


def test_fields_are_filled_as_they_are_even_with_braces() -> None:
    assert words.text("number.interval", low="{x}", high="2") == "{x} to 2"


def test_another_language_is_refused_and_another_key_is_our_fault() -> None:
    with pytest.raises(AnalysisError, match="lang='it' is not an option"):
        words.text("unit.days", "it")
    with pytest.raises(KeyError):
        words.text("unit.fortnights")


def test_there_is_something_to_say_of_every_estimator_and_endpoint() -> None:
    assert ESTIMATORS
    for name in BUILT_IN:
        assert [key for key in words.keys() if key.startswith(f"endpoint.{name}.")], name  # noqa: SIM118
