"""Every format gives the same trial; encodings, separators and sheets are refused where unclear."""

from __future__ import annotations

import gzip
import sys
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ipseval.errors import DataError
from ipseval.loading import inspect, load
from ipseval.loading.delimited import read_records
from ipseval.loading.formats import cell_text, read_raw
from ipseval.loading.mapping import TableSource
from tests.loading.trials import MAPPING, PARTICIPANTS, replaced, the_problem, trial_folder, with_cell


def stamp(*parts: int) -> datetime:
    """A date and time as Excel stores it, without a time zone."""
    return datetime(*parts)  # noqa: DTZ001


FILES = Path(__file__).parent / "files"


def in_file(name: str, *lines: str) -> str:
    """The mapping with participants read from another file."""
    return replaced(MAPPING, 'file = "participants.csv"', "\n".join([f'file = "{name}"', *lines]))


@pytest.fixture
def people(tmp_path):
    """The participants as typed columns, the way other programs hold them."""
    frame = load(trial_folder(tmp_path)).participants
    text = {name: [str(code) for code in frame[name]] for name in ("arm", "site", "end_reason", "sex")}
    days = {name: list(frame[name].dt.date) for name in ("randomised_on", "followed_until")}
    return pd.DataFrame(
        {"participant_id": list(frame["participant_id"]), **text, **days, "age": frame["age"]}
    )


def assert_same_as_csv(folder: Path, mapping: str) -> None:
    expected = load(trial_folder(folder)).participants
    (folder / "trial.toml").write_text(mapping)
    pd.testing.assert_frame_equal(load(folder).participants, expected)


def test_excel_gives_the_same_trial(tmp_path, people):
    people.to_excel(tmp_path / "p.xlsx", index=False, sheet_name="people")
    assert_same_as_csv(tmp_path, in_file("p.xlsx", 'sheet = "people"'))
    assert_same_as_csv(tmp_path, in_file("p.xlsx"))


def test_parquet_gives_the_same_trial_with_either_reader(tmp_path, people, monkeypatch):
    people.to_parquet(tmp_path / "p.parquet")
    assert_same_as_csv(tmp_path, in_file("p.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert_same_as_csv(tmp_path, in_file("p.parquet"))
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "needs pyarrow or duckdb" in the_problem(tmp_path, "reader_not_installed").message


@pytest.mark.parametrize("kind", ["dta", "sav", "xport"])
def test_stata_spss_and_sas_transport_give_the_same_trial(tmp_path, people, kind):
    import pyreadstat

    suffix = "xpt" if kind == "xport" else kind
    # Transport files know no more than eight letters in a name.
    short = {"participant_id": "pid", "randomised_on": "rand", "followed_until": "until", "end_reason": "why"}
    getattr(pyreadstat, f"write_{kind}")(people.rename(columns=short), tmp_path / f"p.{suffix}")
    columns = "\n".join(f'{name} = "{source}"' for name, source in short.items())
    assert_same_as_csv(tmp_path, in_file(f"p.{suffix}") + f"\n[tables.participants.columns]\n{columns}\n")


def test_a_missing_reader_for_statistical_files_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "p.dta").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    problem = the_problem(trial_folder(tmp_path, mapping=in_file("p.dta")), "reader_not_installed")
    assert 'pip install "ipseval[formats]"' in problem.remedy


def test_sas7bdat_is_read_as_sas_wrote_it(tmp_path):
    (tmp_path / "iris.sas7bdat").write_bytes(gzip.decompress((FILES / "iris.sas7bdat.gz").read_bytes()))
    raw = read_raw(TableSource("participants", tmp_path / "iris.sas7bdat"))
    assert list(raw.columns) == ["Sepal_Length", "Sepal_Width", "Petal_Length", "Petal_Width", "Species"]
    assert raw.rows == 150
    # Anderson's first and last flower, and his three species of fifty (Fisher 1936, table I).
    assert [column.text.iloc[0] for column in raw.columns.values()][:4] == ["5.1", "3.5", "1.4", "0.2"]
    assert [column.text.iloc[-1] for column in raw.columns.values()][:4] == ["5.9", "3", "5.1", "1.8"]
    assert raw.columns["Species"].text.value_counts().tolist() == [50, 50, 50]


def test_spss_user_missing_values_are_missing_counted_and_named(tmp_path, people):
    import pyreadstat

    pyreadstat.write_sav(
        people.assign(age=[34.5, 998.0, 999.0, 999.0]),
        tmp_path / "p.sav",
        missing_ranges={"age": [{"lo": 998, "hi": 999}]},
        variable_value_labels={"age": {998: "refused", 999: "not asked"}},
    )
    folder = trial_folder(tmp_path, mapping=in_file("p.sav"))
    trial = load(folder)
    assert trial.participants["age"].isna().tolist() == [False, True, True, True]
    notices = {item.message: item.count for item in trial.notices if item.rule == "missing_code"}
    assert notices == {
        "The user-missing code '998' ('refused') is in 1 of 4 cells.": 1,
        "The user-missing code '999' ('not asked') is in 2 of 4 cells.": 2,
    }


def test_stata_user_missing_values_are_missing_counted_and_named(tmp_path, people):
    import pyreadstat

    pyreadstat.write_dta(
        people.assign(age=pd.Series([34.5, "a", "b", "b"], dtype=object)),
        tmp_path / "p.dta",
        missing_user_values={"age": ["a", "b"]},
        variable_value_labels={"age": {"a": "refused", "b": "not asked"}},
    )
    trial = load(trial_folder(tmp_path, mapping=in_file("p.dta")))
    assert trial.participants["age"].isna().tolist() == [False, True, True, True]
    assert {item.count for item in trial.notices if item.rule == "missing_code"} == {1, 2}


def test_value_labels_serve_the_codes_and_label_the_covariates(tmp_path, people):
    import pyreadstat

    coded = people.assign(
        arm=[1.0, 2.0, 1.0, 2.0],
        sex=[1.0, 2.0, 2.0, 1.0],
        site=[1.0, 1.0, 2.0, 2.0],
        participant_id=[1.0, 2.0, 3.0, 4.0],
    )
    labels = {
        "arm": {1: "Individual placement", 2: "usual"},
        "sex": {1: "women", 2: "men"},
        "site": {1: "Gent", 2: "Brugge"},
    }
    pyreadstat.write_sav(coded, tmp_path / "p.sav", variable_value_labels=labels)
    mapping = in_file("p.sav").replace('labels = { F = "women", M = "men" }', "")
    mapping += '\n[tables.participants.codes.arm]\nIPS = ["Individual placement"]\n'
    for name in ("jobs", "visits"):
        mapping = mapping.replace(f'[tables.{name}]\nfile = "{name}.csv"', "")
    trial = load(trial_folder(tmp_path, mapping=mapping))
    assert trial.arm.tolist() == ["IPS", "usual", "IPS", "usual"]
    assert trial.participants["sex"].tolist() == ["1", "2", "2", "1"]
    assert trial.covariates["sex"].labels == {"1": "women", "2": "men"}
    assert trial.participants["participant_id"].tolist() == ["1", "2", "3", "4"]
    rules = {(item.rule, item.column) for item in trial.notices}
    assert {("numeric_id", "participant_id"), ("value_labels", "site")} <= rules


def test_a_label_that_says_no_is_no_whatever_its_code(tmp_path):
    import pyreadstat

    visits = pd.DataFrame(
        {
            "participant_id": ["001", "002"],
            "visit_month": [6.0, 6.0],
            "employed": [1.0, 2.0],
            "qol": [4.0, 5.0],
        }
    )
    mapping = replaced(MAPPING, 'file = "visits.csv"', 'file = "v.sav"')
    folder = trial_folder(tmp_path, mapping=mapping)
    pyreadstat.write_sav(visits, folder / "v.sav", variable_value_labels={"employed": {1: "No", 2: "Yes"}})
    assert load(folder).table("visits")["employed"].tolist() == [False, True]
    pyreadstat.write_sav(visits, folder / "v.sav", variable_value_labels={"employed": {1: "nee", 2: "ja"}})
    assert {item.rule for item in inspect(folder)[1] if item.severity == "error"} == {"not_yes_or_no"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_with_and_without_a_mark(tmp_path, encoding):
    text = replaced(PARTICIPANTS, "Gent", "Liège")
    folder = trial_folder(tmp_path, mapping=in_file("p.csv", f'encoding = "{encoding.removesuffix("-sig")}"'))
    (folder / "p.csv").write_bytes(text.encode(encoding))
    assert load(folder).participants["site"].tolist()[:2] == ["Liège", "Liège"]


@pytest.mark.parametrize(
    ("written", "stated", "line", "likely"),
    [("cp1252", "utf-8", 3, "cp1252"), ("utf-8", "cp1252", 3, "utf-8"), ("utf-16", "utf-8", 1, "utf-16"),
     ("utf-16-le", "utf-8", 1, "utf-16-le"), ("ascii", "utf-16", 1, "ascii")],
)  # fmt: skip
def test_a_wrong_encoding_names_the_line_and_the_likely_one(tmp_path, written, stated, line, likely):
    folder = trial_folder(tmp_path, mapping=in_file("p.csv", f'encoding = "{stated}"'))
    (folder / "p.csv").write_bytes(
        with_cell(PARTICIPANTS, 2, "site", "Liège").encode(written, errors="replace")
    )
    problem = the_problem(folder, "wrong_encoding")
    assert problem.message == f"Line {line} of 'p.csv' is not {stated}; it is likely {likely}."
    assert f'encoding = "{likely}"' in problem.remedy


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_sniffed(tmp_path, separator):
    (tmp_path / "p.csv").write_text(PARTICIPANTS.replace(",", separator))
    assert_same_as_csv(tmp_path, in_file("p.csv"))


def test_decimal_commas_beside_semicolons_are_no_ambiguity(tmp_path):
    (tmp_path / "p.csv").write_text(PARTICIPANTS.replace(",", ";").replace("34.5", "34,5"))
    assert_same_as_csv(tmp_path, in_file("p.csv", 'decimal = ","'))


def test_an_ambiguous_separator_is_refused(tmp_path):
    folder = trial_folder(tmp_path, mapping=in_file("p.csv"))
    (folder / "p.csv").write_text("participant_id;x,arm\n1;2,3\n4;5,6\n")
    problem = the_problem(folder, "ambiguous_separator")
    assert "comma and semicolon are all possible" in problem.message


def test_a_separator_that_the_header_lacks_is_refused_with_the_one_it_has(tmp_path):
    folder = trial_folder(tmp_path, mapping=in_file("p.csv", 'separator = ","'))
    (folder / "p.csv").write_text(PARTICIPANTS.replace(",", ";"))
    problem = the_problem(folder, "wrong_separator")
    assert "has no comma, and semicolons between its names" in problem.message
    assert 'separator = ";"' in problem.remedy


def test_a_separator_inside_quotes_is_not_one(tmp_path):
    (tmp_path / "p.csv").write_text('a,b\n"1,5",2\n"x\ny",3\n')
    assert read_records(TableSource("jobs", tmp_path / "p.csv")) == (
        ["a", "b"],
        [["1,5", "2"], ["x\ny", "3"]],
    )


@pytest.mark.parametrize(
    ("name", "content", "rule", "words"),
    [
        ("p.csv", "", "empty_file", "'p.csv' is empty"),
        ("p.csv", "\n \n", "empty_file", "'p.csv' is empty"),
        ("p.csv", "a,b\n1,2\n1,2,3\n4\n", "ragged_rows", "2 of 3 rows do not have the 2 fields"),
        ("p.csv", 'a,b\n"1,2\n3,4\n', "unreadable_file", "is not well-formed text"),
        ("p.csv", "a,b,a\n1,2,3\n", "duplicate_column", "1 column name occurs more than once: 'a'"),
        ("p.doc", "x", "unknown_format", "Files ending in '.doc' cannot be read"),
        ("p.xlsx", "no workbook", "unreadable_file", "cannot be read as .xlsx"),
        ("p.parquet", "no parquet", "unreadable_file", "cannot be read as .parquet"),
        ("p.sav", "no spss", "unreadable_file", "cannot be read as .sav"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_say_so(tmp_path, name, content, rule, words):
    folder = trial_folder(tmp_path, mapping=in_file(name))
    (folder / name).write_text(content)
    assert words in the_problem(folder, rule).message


def test_a_missing_file_or_folder_says_so(tmp_path):
    folder = trial_folder(tmp_path / "trial", mapping=in_file("participant.csv"))
    problem = the_problem(folder, "no_such_file")
    assert "'participant.csv' does not exist in the folder 'trial'" in problem.message
    assert problem.remedy == "Did you mean 'participants.csv'? Correct file under [tables.participants]."
    with pytest.raises(DataError, match="'nowhere' does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"There is no trial\.toml in"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"'jobs\.csv' is not a trial\.toml"):
        load(folder / "jobs.csv")


def workbook(folder: Path, rows: list[list[object]], *, sheets: tuple[str, ...] = ("people",)) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "p.xlsx")


def excel_rows(first_day: object) -> list[list[object]]:
    return [
        ["participant_id", "arm", "randomised_on", "followed_until", "age", "sex"],
        ["001", "IPS", first_day, stamp(2012, 7, 14), 34.5, "F"],
        [2, "usual", date(2010, 2, 1), "2012-08-01", None, "M"],
        [None, None, None, None, None, None],
    ]


def test_excel_dates_and_whole_numbers_and_formatted_empty_rows(tmp_path):
    folder = trial_folder(
        tmp_path,
        jobs="participant_id,started_on,kind\n",
        visits="participant_id,visit_month,qol\n",
        mapping=in_file("p.xlsx"),
    )
    workbook(folder, excel_rows(stamp(2010, 1, 15)))
    people = load(folder).participants
    assert people["participant_id"].tolist() == ["001", "2"]
    assert people["randomised_on"].astype(str).tolist() == ["2010-01-15", "2010-02-01"]


def test_excel_serial_numbers_are_refused_and_not_read_as_dates(tmp_path):
    folder = trial_folder(tmp_path, mapping=in_file("p.xlsx"))
    workbook(folder, excel_rows(40193))
    assert "Excel stores dates so" in the_problem(folder, "date_serial_number").message


def test_sheets_must_be_known(tmp_path):
    folder = trial_folder(tmp_path, mapping=in_file("p.xlsx"))
    workbook(folder, excel_rows(date(2010, 1, 15)), sheets=("people", "notes"))
    assert (
        "has 2 sheets and none is named: 'people', 'notes'" in the_problem(folder, "sheet_not_named").message
    )
    (folder / "trial.toml").write_text(in_file("p.xlsx", 'sheet = "peple"'))
    assert the_problem(folder, "unknown_sheet").remedy == "Did you mean 'people'?"


def test_a_formula_without_a_stored_value_is_refused(tmp_path):
    folder = trial_folder(tmp_path, mapping=in_file("p.xlsx"))
    workbook(folder, excel_rows("=DATE(2010,1,15)"))
    assert (
        "1 cell holds a formula without a stored value"
        in the_problem(folder, "formula_without_value").message
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (float("nan"), None), (pd.NaT, None), (pd.NA, None), (" ", None), (1.0, "1"), (1.5, "1.5"),
     (True, "true"), (7, "7"), ("007", "007"), (date(2010, 1, 5), "2010-01-05"), (1e15, "1000000000000000"),
     (stamp(2010, 1, 5), "2010-01-05"), (stamp(2010, 1, 5, 8), "2010-01-05 08:00:00"), ("NA", "NA")],
)  # fmt: skip
def test_typed_cells_become_text_without_losing_anything(value, text):
    assert cell_text(value) == text


def test_whole_numbers_in_float_columns_are_ids_without_decimals(tmp_path, people):
    people.assign(participant_id=np.array([1.0, 2.0, 3.0, 4.5])).to_parquet(tmp_path / "p.parquet")
    folder = trial_folder(tmp_path, mapping=in_file("p.parquet"))
    assert the_problem(folder, "fractional_id").rows == (4,)
