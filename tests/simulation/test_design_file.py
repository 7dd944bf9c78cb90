"""Design files: what is refused, and the words in which it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipseval.errors import PlanError
from ipseval.simulation import read_design, simulate, simulated_tables
from tests.simulation.conftest import Altered


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("block = 8", "blok = 8", r"recruitment\.block is missing \(found 'blok'"),
        ("missed = 0.06", "missed = 0.06\nmised = 0.1", r"'visits\.mised' \(did you mean 'missed'\?\)"),
        ("[study]", "[study", "not a TOML file"),
        ("seed = 20140129", 'seed = "x"', "seed = 'x' is not a whole number"),
        ("seed = 20140129", "seed = true", "seed = True is not a whole number"),
        ("missed = 0.06", "missed = 6", r"visits\.missed = 6 is outside 0 to 1"),
        ('reference = "usual"', 'reference = "TAU"', "'TAU' is not among 2 arms"),
        ("n = { IPS = 20, usual = 24 }", "n = { IPS = 20, usual = 25 }", "differ by 5, which blocks of 8"),
        ("n = { IPS = 20, usual = 24 }", "n = { IPS = 20 }", r"sites\.Eindhoven\.n\.usual is missing"),
        ("n = { IPS = 20, usual = 24 }", "n = { IPS = 20, usual = 24, TAU = 1 }", r"Eindhoven\.n\.TAU"),
        ("IPS = 31", "IPS = 71", "force_counts.IPS = 71, but 70 are randomised"),
        ("[0.5, 35], [0.9, 48]", "[0.5, 35], [0.9, 30]", "values fall somewhere"),
        ("[0.5, 35], [0.9, 48]", "[0.9, 35], [0.5, 48]", "first number of each pair must increase"),
        ("quantiles = [[0, 19]", "quantiles = [[0.1, 19]", "first number of each pair must increase"),
        ("[1, 61]]", "[0.95, 61]]", "does not run from probability 0 to 1"),
        ("[[0, 0.0008]]", "[[1, 0.0008]]", "must start at month 0"),
        ("[[0, 0.0008]]", "[[0, 1.2]]", "chance outside 0 to 1"),
        ("[[0, 0.0008]]", "[0, 1.2]", "pairs of numbers in square brackets"),
        ("codes = { F = 26, M = 74 }", "codes = { F = 0, M = 0 }", "no weight above 0"),
        ("codes = { F = 26, M = 74 }", "codes = { F = 0.2, M = 0.8 }", "is not a whole number"),
        ("first_job = { true = 1.8 }", "first_job = { yes = 1.8 }", r"prior_work\.first_job\.yes"),
        ("tenure = [0.70, 0.90, 1.15, 1.40]", "tenure = [0.70, 0.90]", "has 2 numbers, not 4"),
        ("[6, 18, 30] #", "[6, 30, 18] #", "does not increase"),
        ("[covariates.sex]", "[covariates.arm]", "participants has a column of that name already"),
        ("[scores.qol]", "[scores.employed]", "visits has a column of that name already"),
        ("reasons.IPS = { withdrawn", "reasons.IPS = { completed", "IPS.completed"),
        ('"as_not_employed" #', '"dropped" #', "Choose one of as_not_employed"),
        ("ends_on = 2010-06-25", "ends_on = 2007-06-25", "ends_on is before"),
        ('type = "boolean"', 'type = "flag"', "Choose one of number, category, boolean"),
    ],
)
def test_a_fault_is_named(altered: Altered, old: str, new: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        altered((old, new))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"There is no design file 'nowhere\.toml'"):
        read_design(tmp_path / "nowhere.toml")


def test_a_count_that_cannot_be_met_says_how_near_one_comes(altered: Altered) -> None:
    # Nobody can have a job who left before it could begin: half of the arm is soon gone.
    design = altered(("per_month.IPS = [[0, 0.006]", "per_month.IPS = [[0, 0.9]"), ("IPS = 31", "IPS = 70"))
    with pytest.raises(PlanError, match=r"IPS = 70 cannot be met .* the nearest count is \d+ of 70"):
        simulated_tables(design)


def test_nothing_is_written_when_the_design_is_refused(tmp_path: Path) -> None:
    (tmp_path / "design.toml").write_text("seed = 1", encoding="utf-8")
    with pytest.raises(PlanError):
        simulate(tmp_path / "design.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()
