"""A folder becomes a Trial: columns, dtypes, codes, labels, and what was noticed on the way."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipseval import schema
from ipseval.errors import DataError
from ipseval.loading import inspect, load, problems_text
from tests.loading.trials import (
    JOBS,
    MAPPING,
    PARTICIPANTS,
    VISITS,
    as_csv,
    replaced,
    the_problem,
    trial_folder,
    with_cell,
    with_column,
    without_column,
)


@pytest.fixture
def trial(tmp_path):
    return load(trial_folder(tmp_path))


def test_ids_stay_text_with_their_zeros(trial):
    assert trial.participants["participant_id"].tolist() == ["001", "002", "003", "004"]
    assert trial.table("jobs")["participant_id"].tolist() == ["001", "001", "002", "003"]


def test_arm_is_ordered_with_the_reference_first(trial):
    assert trial.arm.ordered
    assert list(trial.arm.categories) == ["usual", "IPS"] == list(trial.design.arms)
    assert trial.arm.tolist() == ["IPS", "usual", "IPS", "usual"]


def test_a_site_called_na_is_not_missing(trial):
    assert trial.participants["site"].tolist() == ["Gent", "Gent", "NA", "NA"]
    notice = next(notice for notice in trial.notices if notice.rule == "looks_missing")
    assert (notice.column, notice.count) == ("site", 2)


def test_an_empty_cell_is_missing_and_never_zero(trial):
    assert trial.participants["age"].isna().tolist() == [False, False, False, True]
    assert trial.table("jobs")["ended_on"].isna().tolist() == [False, True, False, False]
    employed = trial.table("visits")["employed"]
    assert employed.isna().tolist() == [False, False, False, False, True]
    assert employed.dropna().tolist() == [False, True, False, True]


def test_every_column_has_the_dtype_of_the_dictionary(trial):
    for name, frame in trial.tables.items():
        for column in schema.table(name).columns:
            if column.name in frame:
                assert frame[column.name].dtype == schema.DTYPES[column.kind], (name, column.name)
    assert trial.participants["age"].dtype == np.float64
    assert trial.participants["sex"].cat.categories.tolist() == ["F", "M"]


def test_the_fingerprint_is_that_of_the_files_one_after_the_other(tmp_path, trial):
    names = ("trial.toml", "participants.csv", "jobs.csv", "visits.csv")
    content = b"".join((tmp_path / name).read_bytes() for name in names)
    assert trial.fingerprint == hashlib.sha256(content).hexdigest()


def test_a_trial_toml_may_be_passed_itself(tmp_path, trial):
    assert load(tmp_path / "trial.toml").fingerprint == trial.fingerprint


def test_study_and_design_are_read(tmp_path):
    mapping = replaced(
        MAPPING,
        "assessment_months = [6, 18]",
        """\
assessment_months = [6, 18]
tolerance_days = 7
month = "30_days"
competitive = ["competitive", "self_employed"]
missing_outcomes = "as_not_employed"
strata = ["site", "sex"]
allocation = { IPS = 2, usual = 1 }
data_cut = 2013-01-31
[design.freeze_dates]
diary = 2013-02-28
[arm_labels]
usual = "usual vocational rehabilitation\"""",
    )
    design = load(trial_folder(tmp_path, mapping=mapping)).design
    assert (design.follow_up_months, design.tolerance_days, design.month) == (30, 7, "30_days")
    assert design.competitive == ("competitive", "self_employed")
    assert (design.missing_outcomes, design.strata) == ("as_not_employed", ("site", "sex"))
    assert (design.allocation, design.assessment_months) == ({"IPS": 2.0, "usual": 1.0}, (6, 18))
    assert (str(design.data_cut), str(design.freeze_dates["diary"])) == ("2013-01-31", "2013-02-28")
    assert design.arm_labels == {"usual": "usual vocational rehabilitation"}


def test_columns_and_codes_are_mapped(tmp_path):
    people = replaced(replaced(PARTICIPANTS, "participant_id,arm", "pid,tak"), ",IPS,", ",1,")
    people = replaced(replaced(people, ",usual,", ",2,"), ",age,", ",leeftijd,")
    mapping = replaced(
        MAPPING, '[covariates.age]\ntype = "number"', '[covariates.age]\ntype = "number"\ncolumn = "leeftijd"'
    )
    mapping += """
[tables.participants.columns]
participant_id = "pid"
arm = "tak"
[tables.participants.codes.arm]
IPS = ["1"]
usual = [2, "TVR"]
"""
    trial = load(trial_folder(tmp_path, participants=people, mapping=mapping))
    assert trial.arm.tolist() == ["IPS", "usual", "IPS", "usual"]
    assert trial.participants["age"].iloc[0] == 34.5


def test_declared_missing_codes_become_missing_and_are_counted(tmp_path):
    people = with_cell(with_cell(PARTICIPANTS, 1, "age", "99"), 3, "sex", "9")
    mapping = replaced(MAPPING, 'unit = "years"', 'unit = "years"\nmissing = ["99"]')
    mapping = replaced(mapping, 'file = "participants.csv"', 'file = "participants.csv"\nmissing = ["9"]')
    trial = load(trial_folder(tmp_path, participants=people, mapping=mapping))
    assert trial.participants["age"].isna().tolist() == [True, False, False, True]
    assert trial.participants["sex"].isna().tolist() == [False, False, True, False]
    counted = {notice.column: notice for notice in trial.notices if notice.rule == "missing_code"}
    assert counted["age"].message == "The declared missing code '99' is in 1 of 4 cells."
    assert counted["sex"].count == 1


def test_a_missing_code_never_turns_an_id_into_a_missing_one(tmp_path):
    mapping = replaced(MAPPING, 'file = "participants.csv"', 'file = "participants.csv"\nmissing = ["001"]')
    trial = load(trial_folder(tmp_path, mapping=mapping))
    assert trial.participants["participant_id"].iloc[0] == "001"


def test_unused_columns_are_a_notice(tmp_path):
    people = with_column(PARTICIPANTS, "remark", ["a", "b", "c", "d"])
    notice = the_problem(trial_folder(tmp_path, participants=people), "unused_columns", "notice")
    assert "'remark'" in notice.message
    assert "remark" not in load(tmp_path).participants


def test_booleans_are_read_in_three_ways_and_others_need_codes(tmp_path):
    visits = with_cell(with_cell(VISITS, 1, "employed", "nee"), 2, "employed", "ja")
    folder = trial_folder(tmp_path, visits=visits)
    problems = [problem for problem in inspect(folder)[1] if problem.rule == "not_yes_or_no"]
    assert len(problems) == 2
    assert "'nee', which is neither yes/no, true/false nor 1/0" in problems[0].message
    mapping = MAPPING + '\n[tables.visits.codes.employed]\nyes = ["ja"]\nno = ["nee"]\n'
    employed = load(trial_folder(tmp_path, visits=visits, mapping=mapping)).table("visits")["employed"]
    assert employed.dropna().tolist() == [False, True, False, True]


@pytest.mark.parametrize(("word", "meant"), [("TRUE", True), ("False", False), ("Yes", True), ("0", False)])
def test_a_boolean_word_may_have_capitals(tmp_path, word, meant):
    trial = load(trial_folder(tmp_path, visits=with_cell(VISITS, 1, "employed", word)))
    assert trial.table("visits")["employed"].iloc[0] == meant


def test_the_text_of_the_error_lists_every_problem_with_persons_and_rows(tmp_path):
    people = with_cell(with_cell(PARTICIPANTS, 2, "age", "forty"), 3, "randomised_on", "2010-02-30")
    folder = trial_folder(tmp_path, participants=people, jobs=with_cell(JOBS, 1, "hours_per_week", "200"))
    with pytest.raises(DataError) as caught:
        load(folder)
    assert {problem.rule for problem in caught.value.problems if problem.severity == "error"} == {
        "not_a_number",
        "impossible_date",
        "out_of_range",
    }
    text = str(caught.value)
    assert text.startswith("3 errors in the data of")
    assert "participants.age [not_a_number]" in text
    assert "1 of 4 values is not a number." in text
    assert "person 002; row 2" in text
    assert "is not between 0 and 100 hours/week" in text
    assert "forty" not in text
    assert "2010-02-30" not in text


def test_problems_text_says_errors_first_and_counts_what_it_does_not_name(tmp_path):
    rows = [["participant_id", "started_on", "kind"]] + [
        [f"X{n}", "2010-01-01", "competitive"] for n in range(9)
    ]
    text = problems_text(inspect(trial_folder(tmp_path, jobs=as_csv(rows)))[1])
    assert text.index("Errors: nothing is loaded") < text.index("Notices:")
    assert "9 of 9 rows of jobs are of a person who is not among the participants." in text
    assert "persons X0, X1, X2 and 6 more; rows 1, 2, 3 and 6 more" in text
    assert problems_text(()) == "No problems found."


def test_a_column_that_is_not_required_may_be_absent(tmp_path):
    folder = trial_folder(tmp_path, participants=without_column(PARTICIPANTS, "end_reason"))
    assert "nobody counts as having completed" in the_problem(folder, "no_end_reason", "notice").message
    assert not load(folder).completed.any()


DAYS = st.dates(pd.Timestamp("1950-01-01").date(), pd.Timestamp("2020-12-31").date())
CODES = st.text(st.sampled_from("abcXYZ019é ß,;|-\"'"), min_size=1, max_size=8).map(str.strip).filter(bool)
NOTATIONS = {"iso": "%Y-%m-%d", "day-first": "%d/%m/%Y", "month-first": "%m-%d-%Y"}


@st.composite
def people(draw):
    """Draw people with any codes, ages and dates, at least one in each arm."""
    sites = draw(
        st.lists(CODES, min_size=1, max_size=3, unique_by=lambda code: " ".join(code.split()).casefold())
    )
    count = draw(st.integers(2, 8))
    arms = [
        "IPS",
        "usual",
        *draw(st.lists(st.sampled_from(["IPS", "usual"]), min_size=count - 2, max_size=count - 2)),
    ]
    rows = []
    for number, arm in enumerate(arms):
        start, end = sorted([draw(DAYS), draw(DAYS)])
        age = draw(st.none() | st.floats(0, 100, allow_subnormal=False))
        rows.append((f"{number:03d}", arm, draw(st.sampled_from(sites)), start, end, age))
    return rows


@given(
    people(),
    st.sampled_from([";", "\t", "|"]),
    st.sampled_from([".", ","]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    st.sampled_from(list(NOTATIONS)),
    st.randoms(use_true_random=False),
)
def test_what_is_written_is_what_is_loaded(
    tmp_path_factory, rows, separator, decimal, encoding, dates, random
):
    folder = tmp_path_factory.mktemp("round_trip")
    random.shuffle(rows)
    table = [["participant_id", "arm", "site", "randomised_on", "followed_until", "age"]]
    for person, arm, site, start, end, age in rows:
        written = "" if age is None else repr(age).replace(".", decimal)
        table.append([person, arm, site, *(day.strftime(NOTATIONS[dates]) for day in (start, end)), written])
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    (folder / "people.csv").write_bytes(as_csv(table, separator).encode(encoding))
    (folder / "trial.toml").write_text(f"""
[design]
arms = ["usual", "IPS"]
reference = "usual"
follow_up_months = 30
[files]
separator = {"'" + separator + "'" if separator != chr(9) else '"' + chr(92) + 't"'}
decimal = "{decimal}"
encoding = "{declared}"
dates = "{dates}"
[tables.participants]
file = "people.csv"
[covariates.age]
type = "number"
""")
    loaded = load(folder).participants
    assert loaded["participant_id"].tolist() == [row[0] for row in rows]
    assert loaded["arm"].tolist() == [row[1] for row in rows]
    assert loaded["site"].tolist() == [row[2] for row in rows]
    assert loaded["randomised_on"].dt.date.tolist() == [row[3] for row in rows]
    assert loaded["followed_until"].dt.date.tolist() == [row[4] for row in rows]
    assert [None if np.isnan(age) else age for age in loaded["age"]] == [row[5] for row in rows]


@settings(max_examples=20)  # each example loads two trials
@given(st.permutations(range(4)), st.permutations(range(4)))
def test_the_order_of_rows_only_orders_the_tables(tmp_path_factory, order, jobs_order):
    def shuffled(table: str, places) -> str:
        head, *lines = table.splitlines()
        return "\n".join([head, *(lines[place] for place in places)]) + "\n"

    folder = tmp_path_factory.mktemp("shuffled")
    plain = load(trial_folder(folder / "plain"))
    mixed = load(
        trial_folder(
            folder / "mixed", participants=shuffled(PARTICIPANTS, order), jobs=shuffled(JOBS, jobs_order)
        )
    )
    for name in ("participants", "jobs"):
        sort = list(plain.table(name).columns)
        one, other = (trial.table(name).sort_values(sort, ignore_index=True) for trial in (plain, mixed))
        pd.testing.assert_frame_equal(one, other)
    assert [(item.rule, item.message) for item in plain.notices] == [
        (item.rule, item.message) for item in mixed.notices
    ]
