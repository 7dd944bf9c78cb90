"""Faulty data: each fault has its rule, its words, its rows and persons, and stops or is counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipseval.errors import DataError
from ipseval.loading import inspect, load, problems_text
from ipseval.loading.rules import ROW_RULES
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
    without_column,
)

QUARANTINE = "\n[rules]\nquarantine = [{}]\n"


def quarantining(*rules: str) -> str:
    return MAPPING + QUARANTINE.format(", ".join(f'"{rule}"' for rule in rules))


def add_row(table: str, row: str) -> str:
    return table + row + "\n"


# One faulty cell: table, row, column, what is written there, the rule, the words.
FAULTY_CELLS = [
    (
        "participants",
        1,
        "randomised_on",
        "15/01/2010",
        "date_notation",
        "written as 31/01/2013 or 01/31/2013",
    ),
    ("participants", 1, "randomised_on", "15 Jan 2010", "not_a_date", "is not a date"),
    ("participants", 1, "randomised_on", "2021-02-30", "impossible_date", "a day that does not exist"),
    ("participants", 1, "randomised_on", "1899-12-31", "date_out_of_range", "lies before 1900"),
    ("participants", 1, "followed_until", "9999-12-31", "date_out_of_range", "or after 2100-12-31"),
    ("participants", 1, "randomised_on", "40193", "date_serial_number", "Excel stores dates so"),
    ("participants", 1, "randomised_on", "2010-01-15 10:30", "time_of_day", "with a time of day"),
    (
        "participants",
        1,
        "randomised_on",
        "NaT",
        "undeclared_missing_code",
        "'NaT', which is not an empty cell",
    ),
    ("participants", 1, "randomised_on", "", "missing_value", "1 of 4 values is missing"),
    ("participants", 1, "age", "NA", "undeclared_missing_code", "'NA', which is not an empty cell"),
    ("participants", 1, "age", "<NA>", "undeclared_missing_code", "'<NA>', which is not an empty cell"),
    ("participants", 1, "age", "about 30", "not_a_number", "is not a number"),
    ("participants", 1, "age", "34,5", "decimal_mark", "decimal comma"),
    ("participants", 1, "age", "1,234.5", "not_a_number", "is not a number"),
    ("participants", 1, "age", "1e999", "out_of_range", "is not finite years"),
    ("participants", 1, "sex", "X", "undeclared_code", "not declared: 'X' (declared: 'F', 'M')"),
    ("participants", 1, "sex", "f", "code_spelling", "'f' for 'F'"),
    ("participants", 1, "site", "gent ", "code_spelling", "'Gent', 'gent ' for 'Gent'"),
    ("participants", 1, "arm", "TAU", "undeclared_code", "'TAU' (declared: 'usual', 'IPS')"),
    ("participants", 1, "end_reason", "finished", "undeclared_code", "'finished' (declared: 'completed'"),
    ("participants", 1, "participant_id", " 001", "space_in_id", "begins or ends with a space"),
    ("jobs", 1, "hours_per_week", "-5", "out_of_range", "is not between 0 and 100 hours/week"),
    ("jobs", 1, "hours_per_week", "200", "out_of_range", "is not between 0 and 100 hours/week"),
    ("jobs", 1, "kind", "paid", "undeclared_code", "'paid' (declared: 'competitive'"),
    ("jobs", 1, "started_on", "", "missing_value", "1 of 4 values is missing"),
    ("jobs", 1, "participant_id", "1", "unknown_person", "not among the participants"),
    ("jobs", 1, "ended_on", "2010-05-31", "ends_before_start", "1 of 4 rows of jobs ends before it starts"),
    ("jobs", 4, "started_on", "2011-03-10", "job_after_death", "1 of 4 jobs starts after the person died"),
    ("visits", 2, "visit_month", "6.5", "not_a_whole_number", "is not a whole number"),
    ("visits", 2, "visit_month", "-6", "out_of_range", "is not at least 0 months"),
    ("visits", 2, "employed", "oui", "not_yes_or_no", "'oui', which is neither yes/no, true/false nor 1/0"),
    ("visits", 2, "visited_on", "", "visit_without_date", "has a result but no date"),
    ("visits", 4, "visited_on", "2011-03-10", "visit_after_death", "took place after the person died"),
    ("visits", 2, "visit_month", "0", "duplicate_key", "repeat another row's participant_id and visit_month"),
]


# Codes of categories and words for missing may be shown, any other cell of a person may not.
SHOW_THE_CODE = {"undeclared_code", "code_spelling", "not_yes_or_no", "undeclared_missing_code"}


@pytest.mark.parametrize(("table", "row", "column", "value", "rule", "words"), FAULTY_CELLS)
def test_one_faulty_cell_stops_with_its_words(tmp_path, table, row, column, value, rule, words):
    text = {"participants": PARTICIPANTS, "jobs": JOBS, "visits": VISITS}[table]
    folder = trial_folder(tmp_path, **{table: with_cell(text, row, column, value)})
    problem = the_problem(folder, rule)
    assert problem.table == table
    assert words in problem.message
    assert row in problem.rows
    assert problem.remedy
    if rule not in SHOW_THE_CODE:
        assert f"{value!r}" not in str(problem)
    with pytest.raises(DataError, match=rf"\[{rule}\]"):
        load(folder)


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "rule"), [case[:5] for case in FAULTY_CELLS if case[4] in ROW_RULES]
)
def test_one_faulty_cell_is_set_aside_where_the_mapping_names_its_rule(
    tmp_path, table, row, column, value, rule
):
    text = {"participants": PARTICIPANTS, "jobs": JOBS, "visits": VISITS}[table]
    spoiled = {table: with_cell(text, row, column, value)}
    folder = trial_folder(tmp_path, **spoiled, mapping=quarantining(rule, "unknown_person"))
    aside = the_problem(folder, rule, "set aside")
    assert row in aside.rows
    assert len(load(folder).table(table)) == len(text.splitlines()) - 1 - aside.count


def test_every_rule_that_may_be_quarantined_is_tested_here():
    in_cells = {case[4] for case in FAULTY_CELLS}
    elsewhere = {"decimal_mark", "duplicate_person", "duplicate_rows", "followed_until_before_randomised"}
    elsewhere |= {"fractional_id", "not_a_month", "person_in_two_arms", "unknown_site"}
    assert in_cells | elsewhere >= ROW_RULES


@pytest.mark.parametrize(
    ("notation", "value"),
    [("day-first", "2010-01-15"), ("day-first", "01/15/2010"), ("month-first", "15/01/2010")],
)
def test_dates_in_another_notation_than_stated_are_errors(tmp_path, notation, value):
    people = PARTICIPANTS.replace("2010-01-15", value)
    mapping = replaced(
        MAPPING, 'file = "participants.csv"', f'file = "participants.csv"\ndates = "{notation}"'
    )
    folder = trial_folder(tmp_path, participants=people, mapping=mapping)
    problems = [problem for problem in inspect(folder)[1] if problem.rule == "date_notation"]
    assert any(1 in problem.rows and problem.column == "randomised_on" for problem in problems)


def test_dates_in_three_notations_are_reported_each(tmp_path):
    people = with_cell(
        with_cell(PARTICIPANTS, 1, "randomised_on", "15/01/2010"), 2, "randomised_on", "1 Feb 2010"
    )
    trial, problems = inspect(trial_folder(tmp_path, participants=people))
    assert trial is None
    assert {(item.rule, item.rows) for item in problems if item.column == "randomised_on"} == {
        ("date_notation", (1,)),
        ("not_a_date", (2,)),
    }


def test_a_decimal_point_where_commas_are_stated_is_an_error(tmp_path):
    mapping = replaced(MAPPING, 'file = "participants.csv"', 'file = "participants.csv"\ndecimal = ","')
    assert "decimal point" in the_problem(trial_folder(tmp_path, mapping=mapping), "decimal_mark").message


def test_an_arm_spelled_two_ways_names_the_spellings_and_the_lines_to_add(tmp_path):
    people = with_cell(with_cell(PARTICIPANTS, 1, "arm", "IPS "), 3, "arm", "ips")
    problem = the_problem(trial_folder(tmp_path, participants=people), "code_spelling")
    assert "'IPS ', 'ips' for 'IPS'" in problem.message
    assert '[tables.participants.codes.arm]\nIPS = ["IPS ", "ips"]' in problem.remedy
    lines = problem.remedy.split("trial.toml:\n")[1]
    assert (
        load(trial_folder(tmp_path, participants=people, mapping=MAPPING + "\n" + lines)).arm.tolist()[0]
        == "IPS"
    )


def test_two_spellings_of_a_site_are_settled_by_the_lines_of_the_remedy(tmp_path):
    people = with_cell(PARTICIPANTS, 1, "site", "GENT")
    lines = the_problem(trial_folder(tmp_path, participants=people), "code_spelling").remedy.split(":\n")[1]
    trial = load(trial_folder(tmp_path, participants=people, mapping=MAPPING + "\n" + lines))
    assert len(set(trial.participants["site"])) == 2


def test_all_follow_up_missing_is_one_error(tmp_path):
    people = PARTICIPANTS
    for row in range(1, 5):
        people = with_cell(people, row, "followed_until", "")
    problem = the_problem(trial_folder(tmp_path, participants=people), "all_missing")
    assert "followed_until is missing in all 4 rows" in problem.message


def test_an_arm_without_people_is_an_error(tmp_path):
    people = replaced(PARTICIPANTS, ",usual,", ",IPS,")
    assert (
        "Nobody is in the arm 'usual'"
        in the_problem(trial_folder(tmp_path, participants=people), "arm_empty").message
    )


def test_followed_until_before_randomisation_is_an_error_at_both_sides_of_the_day(tmp_path):
    on_the_day = with_cell(
        with_cell(PARTICIPANTS, 4, "followed_until", "2010-04-20"), 4, "end_reason", "lost"
    )
    assert load(trial_folder(tmp_path, participants=on_the_day)).followed_days[3] == 0
    before = with_cell(PARTICIPANTS, 4, "followed_until", "2010-04-19")
    problem = the_problem(trial_folder(tmp_path, participants=before), "followed_until_before_randomised")
    assert (problem.persons, problem.rows) == (("004",), (4,))


def test_a_repeated_person_is_an_error_and_one_in_two_arms_another(tmp_path):
    line = PARTICIPANTS.splitlines()[2]
    same = the_problem(trial_folder(tmp_path, participants=add_row(PARTICIPANTS, line)), "duplicate_person")
    assert (same.persons, same.rows) == (("002",), (5,))
    two_arms = add_row(PARTICIPANTS, line.replace("usual", "IPS"))
    problem = the_problem(trial_folder(tmp_path, participants=two_arms), "person_in_two_arms")
    assert (problem.persons, problem.rows) == (("002",), (2, 5))


def test_a_repeated_person_whose_rows_differ_is_reported_in_full(tmp_path):
    people = add_row(PARTICIPANTS, PARTICIPANTS.splitlines()[2].replace("41", "42"))
    assert the_problem(trial_folder(tmp_path, participants=people), "duplicate_person").rows == (2, 5)


def job_3(started: str, ended: str) -> str:
    return with_cell(with_cell(JOBS, 3, "started_on", started), 3, "ended_on", ended)


# One cell, or one row more, that is counted and does not stop.
NOTICES = [
    ("jobs", job_3("2012-08-02", "2012-09-01"), "job_after_follow_up", (3,)),
    ("jobs", job_3("2009-01-01", "2010-01-31"), "job_before_randomisation", (3,)),
    ("jobs", with_cell(JOBS, 3, "started_on", "2010-01-31"), "job_under_way", (3,)),
    ("jobs", with_cell(JOBS, 4, "ended_on", "2011-03-10"), "job_past_death", (4,)),
    ("jobs", with_cell(JOBS, 3, "hours_per_week", ""), "blank_hours", (3,)),
    ("jobs", add_row(JOBS, JOBS.splitlines()[1]), "duplicate_rows", (5,)),
    ("jobs", replaced(JOBS, ",competitive,", ",training,"), "nobody_employed", ()),
    ("visits", replaced(replaced(VISITS, ",yes,", ",no,"), ",1,", ",no,"), "nobody_employed", ()),
    ("visits", with_cell(VISITS, 2, "visited_on", "2012-07-15"), "visit_outside_follow_up", (2,)),
    ("visits", with_cell(VISITS, 2, "visit_month", "7"), "unplanned_month", (2,)),
    ("visits", "\n".join(VISITS.splitlines()[:5]) + "\n", "no_visits", (4,)),
    ("participants", replaced(PARTICIPANTS, ",NA,", ",Gent,"), "one_site", ()),
    ("participants", with_cell(PARTICIPANTS, 2, "followed_until", "2012-07-15"), "completed_short", (2,)),
]  # fmt: skip


@pytest.mark.parametrize(("table", "text", "rule", "rows"), NOTICES)
def test_what_a_rule_settles_is_a_counted_notice(tmp_path, table, text, rule, rows):
    notice = the_problem(trial_folder(tmp_path, **{table: text}), rule, "notice")
    assert notice.rows == rows
    assert notice.count == max(len(rows), 1)


def test_jobs_after_follow_up_stay_in_the_table(tmp_path):
    jobs = job_3("2013-01-01", "")
    assert len(load(trial_folder(tmp_path, jobs=jobs)).table("jobs")) == 4


@pytest.mark.parametrize(("until", "is_short"), [("2012-07-18", False), ("2012-07-17", True)])
def test_completed_short_is_judged_by_the_horizon_and_the_tolerance(tmp_path, until, is_short):
    # 2010-02-01 + 913 - 1 days is 2012-08-01; 14 days before that is 2012-07-18.
    folder = trial_folder(tmp_path, participants=with_cell(PARTICIPANTS, 2, "followed_until", until))
    assert ("completed_short" in {problem.rule for problem in inspect(folder)[1]}) == is_short


def test_nothing_is_set_aside_unless_the_mapping_says_so_and_then_it_is_counted(tmp_path):
    jobs = with_cell(JOBS, 4, "started_on", "2011-03-10").replace("2010-09-30,self", "2011-05-01,self")
    the_problem(trial_folder(tmp_path, jobs=jobs), "job_after_death")
    folder = trial_folder(tmp_path, jobs=jobs, mapping=quarantining("job_after_death"))
    aside = the_problem(folder, "job_after_death", "set aside")
    assert (aside.persons, aside.rows, aside.count) == (("003",), (4,), 1)
    trial = load(folder)
    assert trial.table("jobs")["participant_id"].tolist() == ["001", "001", "002"]
    assert list(trial.table("jobs").index) == [0, 1, 2]
    assert aside in trial.notices


def test_the_records_of_a_person_set_aside_go_too_and_are_counted(tmp_path):
    people = add_row(PARTICIPANTS, PARTICIPANTS.splitlines()[1].replace("IPS", "usual"))
    people = add_row(people, "005,IPS,Gent,2010-02-01,2012-08-01,completed,30,F")
    folder = trial_folder(tmp_path, participants=people, mapping=quarantining("person_in_two_arms"))
    trial, problems = inspect(folder)
    assert trial is not None
    assert trial.participants["participant_id"].tolist() == ["002", "003", "004", "005"]
    aside = {(item.table, item.rule): item.count for item in problems if item.severity == "set aside"}
    assert aside == {
        ("participants", "person_in_two_arms"): 2,
        ("jobs", "person_set_aside"): 2,
        ("visits", "person_set_aside"): 2,
    }


def test_a_copy_set_aside_leaves_the_person(tmp_path):
    people = add_row(PARTICIPANTS, PARTICIPANTS.splitlines()[2])
    trial = load(trial_folder(tmp_path, participants=people, mapping=quarantining("duplicate_person")))
    assert trial.participants["participant_id"].tolist() == ["001", "002", "003", "004"]


def test_a_faulty_cell_may_be_set_aside_and_only_its_rule(tmp_path):
    jobs = with_cell(with_cell(JOBS, 1, "hours_per_week", "200"), 2, "kind", "paid")
    folder = trial_folder(tmp_path, jobs=jobs, mapping=quarantining("out_of_range"))
    assert the_problem(folder, "undeclared_code").rows == (2,)
    folder = trial_folder(tmp_path, jobs=jobs, mapping=quarantining("out_of_range", "undeclared_code"))
    assert len(load(folder).table("jobs")) == 2


def test_a_row_set_aside_is_judged_by_no_other_rule_between_tables(tmp_path):
    jobs = with_cell(JOBS, 4, "started_on", "2011-03-10")  # after death, and after it ended
    for rule in ("job_after_death", "ends_before_start"):
        folder = trial_folder(tmp_path, jobs=jobs, mapping=quarantining(rule))
        assert len(load(folder).table("jobs")) == 3


def test_a_row_with_two_faults_is_set_aside_once(tmp_path):
    jobs = with_cell(with_cell(JOBS, 1, "hours_per_week", "200"), 1, "kind", "paid")
    folder = trial_folder(tmp_path, jobs=jobs, mapping=quarantining("out_of_range", "undeclared_code"))
    assert len(load(folder).table("jobs")) == 3


def test_every_problem_is_reported_at_once_across_tables(tmp_path):
    folder = trial_folder(
        tmp_path,
        participants=with_cell(PARTICIPANTS, 1, "arm", "TAU"),
        jobs=with_cell(JOBS, 1, "ended_on", "2010-05-31"),
        visits=with_cell(VISITS, 2, "employed", "oui"),
        mapping=replaced(MAPPING, "simulated = true", "simulated = true\nregistraton = 'x'"),
    )
    errors = {item.rule for item in inspect(folder)[1] if item.severity == "error"}
    assert errors == {"undeclared_code", "ends_before_start", "not_yes_or_no", "unknown_key"}


def test_a_required_column_that_is_absent_names_the_nearest(tmp_path):
    people = replaced(PARTICIPANTS, "followed_until", "folowed_until")
    problem = the_problem(trial_folder(tmp_path, participants=people), "missing_column")
    assert "Did you mean 'folowed_until'?" in problem.remedy


def test_a_declared_covariate_that_is_absent_is_an_error(tmp_path):
    problem = the_problem(
        trial_folder(tmp_path, participants=without_column(PARTICIPANTS, "age")), "unknown_column"
    )
    assert "has no column 'age'" in problem.message


def test_a_table_without_rows(tmp_path):
    assert (
        "no rows"
        in the_problem(trial_folder(tmp_path, participants=PARTICIPANTS.splitlines()[0]), "no_rows").message
    )
    folder = trial_folder(tmp_path, jobs=JOBS.splitlines()[0])
    assert the_problem(folder, "no_rows", "notice").table == "jobs"


def test_a_person_without_id_is_an_error_and_not_a_traceback(tmp_path):
    folder = trial_folder(tmp_path, participants=with_cell(PARTICIPANTS, 2, "participant_id", ""))
    assert the_problem(folder, "missing_value").column == "participant_id"


def test_register_tables_have_their_rules_too(tmp_path):
    mapping = (
        MAPPING
        + """
[tables.months]
file = "months.csv"
[tables.fidelity]
file = "fidelity.csv"
"""
    )
    folder = trial_folder(tmp_path, mapping=mapping)
    (folder / "months.csv").write_text(
        "participant_id,month,source,days_worked\n001,2010-02,RIZIV,3\n001,Feb 2010,RIZIV,4\n"
        "001,2010-02,RIZIV,5\n001,2010-03,RIZIV,32\n"
    )
    (folder / "fidelity.csv").write_text("site,reviewed_on,reviewer,item_1\nGent,2011-01-01,external,5\n"
                                         "Gant,2011-01-01,external,6\n")  # fmt: skip
    trial, problems = inspect(folder)
    assert trial is None
    assert {(item.table, item.rule, item.rows) for item in problems if item.severity == "error"} == {
        ("months", "not_a_month", (2,)),
        ("months", "duplicate_key", (1, 3)),
        ("months", "out_of_range", (4,)),
        ("fidelity", "unknown_site", (2,)),
        ("fidelity", "out_of_range", (2,)),
    }


@settings(max_examples=2 * settings().max_examples)
@given(
    st.sampled_from(["participants", "jobs", "visits"]),
    st.integers(0, 5),
    st.integers(0, 7),
    st.text(max_size=12)
    | st.sampled_from(["1e400", "-0", "0000-00-00", "32/13/2010", "²", "١٢", "{n}", '"', "1 000"]),
)
def test_no_cell_and_no_header_gives_a_traceback(tmp_path_factory, table, row, place, text):
    tables = {"participants": PARTICIPANTS, "jobs": JOBS, "visits": VISITS}
    records = [line.split(",") for line in tables[table].splitlines()]
    record = records[row % len(records)]
    record[place % len(record)] = text
    folder = tmp_path_factory.mktemp("spoiled")
    trial_folder(folder, encoding="utf-8", **{table: as_csv(records).replace("\0", "")})
    trial, problems = inspect(folder)
    assert (trial is None) == any(problem.severity == "error" for problem in problems)
    assert all(problem.rule and problem.message for problem in problems)
    assert problems_text(problems)


@pytest.mark.parametrize("name", ["IPS", "rehabilitation"])
def test_a_pseudonym_that_is_the_name_of_an_arm_is_found_before_anything_is_computed(tmp_path, name):
    mapping = MAPPING + '\n[arm_labels]\nusual = "usual rehabilitation"\n'
    folder = trial_folder(
        tmp_path,
        mapping=mapping,
        participants=PARTICIPANTS.replace("004,usual", f"{name},usual"),
        visits=replaced(VISITS, "004,", f"{name},"),
    )
    problem = the_problem(folder, "person_called_an_arm")
    assert (problem.severity, problem.count, problem.persons) == ("error", 1, (name,))
