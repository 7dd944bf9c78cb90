"""Direct identifiers are refused wherever they stand; pseudonyms that look a little like them are not."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from ipseval.loading import inspect
from ipseval.loading.formats import RawColumn, RawTable
from ipseval.loading.identifiers import (
    direct_identifiers,
    is_belgian_national_number,
    is_dutch_citizen_number,
)
from tests.loading.trials import PARTICIPANTS, as_csv, the_problem, trial_folder, with_column

# Synthetic numbers with their published verdict (python-stdnum's documentation of be.nn and be.bis).
BELGIAN = ["88022999990", "88022999297", "85073003328", "20070199922", "20070199951", "80000099902"]
BIS = ["88222999936", "08222999934", "88422999979", "08422999977"]
NOT_BELGIAN = ["88022999991", "20070199952", "80000099903", "88132999990", "8802299999", "8802299999x", ""]


def rules(values: list[str], name: str = "code", *, is_number: bool = False) -> list[str]:
    column = RawColumn(name, pd.Series(values, dtype="string"), is_number=is_number)
    return [
        problem.rule
        for problem in direct_identifiers("participants", RawTable({name: column}, len(values), True))
    ]


def pseudonyms(digits: int, count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice("0123456789") for _ in range(digits)) for _ in range(count)]


@pytest.mark.parametrize("number", BELGIAN + BIS)
def test_belgian_numbers_pass_their_check(number):
    assert is_belgian_national_number(number)
    assert is_belgian_national_number(f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}")
    assert is_belgian_national_number(f"{number[:6]} {number[6:9]} {number[9:]}")


@pytest.mark.parametrize("number", NOT_BELGIAN)
def test_other_numbers_do_not(number):
    assert not is_belgian_national_number(number)


def test_every_number_that_stdnum_accepts_is_recognised():
    nn, bis = (pytest.importorskip(f"stdnum.be.{name}") for name in ("nn", "bis"))
    draw = random.Random(7)
    accepted = 0
    for _ in range(20_000):
        digits = f"{draw.randrange(100):02d}{draw.choice([0, 20, 40]) + draw.randint(1, 12):02d}"
        digits += f"{draw.randint(1, 28):02d}{draw.randint(1, 998):03d}"
        number = digits + f"{97 - int(draw.choice(['', '2']) + digits) % 97:02d}"
        if nn.is_valid(number) or bis.is_valid(number):
            accepted += 1
            assert is_belgian_national_number(number)
    assert accepted > 5_000


def test_the_eleven_test_is_that_of_stdnum():
    bsn = pytest.importorskip("stdnum.nl.bsn")
    numbers = [*pseudonyms(9, 5_000, seed=3), "111222333", "123456782"]
    assert [is_dutch_citizen_number(number) for number in numbers] == [
        bsn.is_valid(number) for number in numbers
    ]


@pytest.mark.parametrize("values", [BELGIAN, BIS, BELGIAN[:3]])
def test_a_column_of_belgian_numbers_is_refused(values):
    assert rules(values) == ["belgian_national_number"]


def test_one_belgian_number_is_enough_when_written_as_one_or_named_so():
    assert rules(["85.07.30-033.28", "A1"]) == ["belgian_national_number"]
    assert rules(["85073003328"]) == []
    for name in ("Rijksregisternummer", "INSZ", "niss", "numero_registre_national", "NationalNumber"):
        assert rules(["85073003328"], name) == ["belgian_national_number"]


def test_a_number_that_lost_its_leading_zero_is_still_refused():
    values = ["08222999934", "08422999977", "05010112344", "01020312375"]
    values = [value for value in values if is_belgian_national_number(value)]
    assert len(values) >= 2
    stored = [value.lstrip("0") for value in values] + ["85073003328", "88022999990"]
    assert rules(stored, is_number=True) == ["belgian_national_number"]


def test_a_column_of_dutch_numbers_is_refused():
    valid = [number for number in pseudonyms(9, 200, seed=1) if is_dutch_citizen_number(number)]
    assert rules(valid[:5]) == ["dutch_citizen_number"]
    assert rules(valid[:1], "BSN") == ["dutch_citizen_number"]
    assert rules(valid[:1]) == []


@pytest.mark.parametrize("digits", [9, 11])
def test_random_pseudonyms_are_not_mistaken_for_national_numbers(digits):
    refused = [seed for seed in range(300) if rules(pseudonyms(digits, 150, seed))]
    assert refused == []


def test_numbers_counted_upwards_are_pseudonyms():
    assert rules([str(100_000_000 + number) for number in range(500)]) == []


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("remarks", ["prefers mornings", "write to jan.peeters@example.org"], "email_address"),
        ("contact", ["+32 470 12 34 56", "none"], "phone_number"),
        ("contact", ["02/123 45 67", "06-12345678", "0470 12 34 56"], "phone_number"),
        ("contact", ["0470123456", "0471123456", "0498123456"], "phone_number"),
        ("GSM", ["0470123456"], "phone_number"),
        ("Naam", ["x"], "person_name"),
        ("voornaam", ["x"], "person_name"),
        ("Prénom", ["x"], "person_name"),
        ("nom", ["x"], "person_name"),
        ("LastName", ["x"], "person_name"),
        ("Nachname", ["x"], "person_name"),
        ("adresse", ["x"], "address"),
        ("geboortedatum", ["1985-07-30"], "birth_date"),
        ("date_of_birth", ["30/07/1985"], "birth_date"),
        ("DateNaissance", ["30.07.1985"], "birth_date"),
        ("DOB", ["19850730"], "birth_date"),
    ],
)
def test_other_identifiers_are_refused(name, values, rule):
    assert rules(values, name) == [rule]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("participant_id", ["0000000001", "0000000002", "0000000003"]),
        ("birth_year", ["1985", "1990"]),
        ("geboortejaar", ["1985"]),
        ("date_of_birth", ["1985", "1990"]),
        ("randomised_on", ["01/02/2010", "15/02/2010", "16/02/2010"]),
        ("followed_until", ["01.02.2010", "05.02.2010", "06.02.2010"]),
        ("score", ["0.125", "0.333", "0.5"]),
        ("site_name", ["Gent"]),
        ("phenomenon", ["x"]),
        ("unnamed", ["x"]),
        ("Naam", [pd.NA]),
        ("hours", ["10-12", "20-30", "05-10"]),
    ],
)
def test_what_only_resembles_an_identifier_is_left_alone(name, values):
    assert rules(values, name) == []


def test_an_unused_column_is_refused_too_without_showing_a_value(tmp_path):
    people = with_column(PARTICIPANTS, "INSZ", BELGIAN[:4])
    problem = the_problem(trial_folder(tmp_path, participants=people), "belgian_national_number")
    assert problem.message == "4 of 4 values pass the check of Belgian national numbers."
    assert "pseudonym" in problem.remedy
    assert not any(number in str(problem) for number in BELGIAN)


def test_identifiers_cannot_be_quarantined(tmp_path):
    rows = [line.split(",") for line in with_column(PARTICIPANTS, "naam", ["a", "b", "c", "d"]).splitlines()]
    folder = trial_folder(tmp_path, participants=as_csv(rows))
    (folder / "trial.toml").write_text(
        (folder / "trial.toml").read_text() + '[rules]\nquarantine = ["person_name"]\n'
    )
    trial, problems = inspect(folder)
    assert trial is None
    assert {problem.rule for problem in problems if problem.severity == "error"} == {
        "person_name",
        "unknown_rule",
    }
