"""Files that are not what they should be, and notices that a fault must not bring about."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipseval.loading import inspect
from tests.loading.trials import JOBS, MAPPING, PARTICIPANTS, replaced, the_problem, trial_folder, with_cell


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    folder = trial_folder(tmp_path)
    (folder / "jobs.csv").unlink()
    (folder / "jobs.csv").mkdir()
    assert the_problem(folder, "not_a_file").message == "'jobs.csv' is a folder and not a file."


@pytest.mark.parametrize("place", [20, 120, 250])
def test_a_zero_byte_is_no_sign_of_another_encoding(tmp_path: Path, place: int) -> None:
    folder = trial_folder(tmp_path)
    file = folder / "participants.csv"
    content = file.read_bytes()
    file.write_bytes(content[:place] + b"\0" + content[place:])
    problem = the_problem(folder, "not_text")
    line = content[:place].count(b"\n") + 1
    assert f"line {line} holds a zero byte" in problem.message


def test_follow_up_of_no_months_is_an_error(tmp_path: Path) -> None:
    mapping = replaced(MAPPING, "follow_up_months = 30", "follow_up_months = 0")
    assert the_problem(trial_folder(tmp_path, mapping=mapping), "no_follow_up").column.endswith("months")


@pytest.mark.parametrize(
    "tables",
    [
        {"participants": with_cell(PARTICIPANTS, 1, "randomised_on", "15 Jan 2010")},
        {"jobs": with_cell(with_cell(JOBS, 1, "kind", "paid"), 2, "kind", "paid")},
    ],
)
def test_nobody_is_said_to_be_out_of_work_because_of_a_cell_that_cannot_be_read(
    tmp_path: Path, tables: dict[str, str]
) -> None:
    _, problems = inspect(trial_folder(tmp_path, **tables))
    assert [problem.rule for problem in problems if problem.severity == "error"]
    assert not [problem for problem in problems if problem.rule == "nobody_employed"]


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "dta"])
def test_what_a_library_says_of_a_damaged_file_holds_no_path_of_this_machine(
    tmp_path: Path, kind: str
) -> None:
    pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl", "dta": "pyreadstat"}[kind])
    folder = trial_folder(tmp_path, mapping=replaced(MAPPING, "jobs.csv", f"jobs.{kind}"))
    (folder / f"jobs.{kind}").write_bytes(b"PAR1 is not all that there should be PAR1")
    problem = the_problem(folder, "unreadable_file")
    assert f"jobs.{kind}" in problem.message
    assert str(tmp_path) not in problem.message
