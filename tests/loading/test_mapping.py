"""``trial.toml``: every mistake in it is found, with the nearest known word."""

from __future__ import annotations

import pytest

from ipseval.errors import DataError
from ipseval.loading import inspect, load
from ipseval.loading.rules import ROW_RULES
from tests.loading.trials import JOBS, MAPPING, PARTICIPANTS, replaced, the_problem, trial_folder, with_cell

# What is written instead of what; the rule; the place; words of the message or the remedy.
MISTAKES = [
    ('name = "small"', 'nme = "small"', "unknown_key", "study.nme", "Did you mean 'name'?"),
    ('name = "small"', "name = ", "not_toml", "", "not valid TOML"),
    ("simulated = true", 'simulated = "yes"', "wrong_type", "study.simulated", "'yes' is not true"),
    ("[design]", "[desing]", "unknown_key", "desing", "Did you mean 'design'?"),
    ("follow_up_months", "follow_up", "unknown_key", "design.follow_up", "'follow_up_months'?"),
    ("follow_up_months = 30", "", "follow_up_not_stated", "design.follow_up_months", "months = 30"),
    ("months = 30", "months = -3", "wrong_type", "design.follow_up_months", "is negative"),
    ("months = 30", 'months = "30"', "wrong_type", "design.follow_up_months", "not a whole number"),
    ("[6, 18]", '["six"]', "wrong_type", "design.assessment_months", "Not every month"),
    ("[6, 18]", "[6]\ndata_cut = '2013'", "wrong_type", "design.data_cut", "without quotes"),
    ("[6, 18]", "[6]\nmonth = 'lunar'", "unknown_option", "design.month", "one of 'anniversary'"),
    ("[6, 18]", "[6]\nmissing_outcomes = 'x'", "unknown_option", "design.missing_outcomes", "one of"),
    ("[6, 18]", "[6]\ncompetitive = ['paid']", "unknown_option", "design.competitive", "not a kind"),
    ("[6, 18]", "[6]\nstrata = ['sit']", "unknown_column", "design.strata", "Did you mean 'site'?"),
    ("[6, 18]", "[6]\nallocation.IP = 1", "undeclared_arm", "design.allocation.IP", "'IPS'?"),
    ('reference = "usual"', "", "reference_not_named", "design.reference", "never guessed"),
    ('reference = "usual"', "", "reference_not_named", "design.reference", 'reference = "IPS" or'),
    ('reference = "usual"', 'reference = "usal"', "reference_not_named", "design.reference", "'usual'?"),
    ('["IPS", "usual"]', '["usual"]', "arms_not_declared", "design.arms", "two or more are needed"),
    ('["IPS", "usual"]', '["IPS", "IPS"]', "arms_not_declared", "design.arms", "1 different arms"),
    ('["IPS", "usual"]', '["IPS", "usual", "I\\nPS"]', "not_one_line", "design.arms", "a line break"),
    ('["IPS", "usual"]', '["IPS", "usual", "IPS - usual"]', "reads_as_contrast", "design.arms", "IPS-usual"),
    ("[scores.qol]", "[arm_labels]\nIPS = 'I\tPS'\n[scores.qol]", "not_one_line", "arm_labels.IPS", "line"),
    ("[tables.jobs]", "[tables.job]", "unknown_table", "tables.job", "Did you mean 'jobs'?"),
    ("[tables.participants]", "[tables.coverage]", "no_participants", "tables.participants", "not mapped"),
    ('file = "jobs.csv"', "", "file_not_named", "tables.jobs.file", 'file = "jobs.csv"'),
    ('type = "number"\nunit', "unit", "type_not_stated", "covariates.age.type", "number, category"),
    ('type = "number"', 'type = "numbr"', "unknown_option", "covariates.age.type", "'number'"),
    ("[covariates.age]", "[covariates.site]", "name_taken", "covariates.site", "is a column of"),
    ('higher_is = "better"', 'higher_is = "up"', "unknown_option", "scores.qol.higher_is", "'better'"),
    ("[scores.qol]", "[arm_labels]\nIPSS = 'x'\n[scores.qol]", "undeclared_arm", "arm_labels.IPSS", "'IPS'?"),
    ("[scores.qol]", "[rules]\nquarantine = ['job_after_deth']\n[scores.qol]", "unknown_rule",
     "rules.quarantine", "Did you mean 'job_after_death'?"),
]  # fmt: skip

# A line added to [tables.jobs]; the rule; the place below it; words.
TABLE_MISTAKES = [
    ('encoding = "utf8000"', "unknown_option", "encoding", "Try utf-8"),
    ('decimal = ";"', "unknown_option", "decimal", "one of '.'"),
    ('dates = "d-m-y"', "unknown_option", "dates", "'day-first'"),
    ("missing = [9.5]", "wrong_type", "missing", "in quotes"),
    ('columns.kin = "x"', "unknown_column", "columns.kin", "Did you mean 'kind'?"),
    ('codes.kind.paid = ["1"]', "undeclared_code", "codes.kind.paid", "'paid' is not a code"),
    ('codes.started_on.x = ["1"]', "codes_not_for_kind", "codes.started_on", "has no codes"),
    ('codes.kind = { training = "1", education = "1" }', "code_mapped_twice", "codes.kind.education", "two"),
]


@pytest.mark.parametrize(("old", "new", "rule", "place", "words"), MISTAKES)
def test_a_mistake_in_the_mapping_is_named(tmp_path, old, new, rule, place, words):
    folder = trial_folder(tmp_path, mapping=MAPPING.replace(old, new, 1))
    trial, problems = inspect(folder)
    assert trial is None
    found = [problem for problem in problems if problem.rule == rule and problem.column == place]
    assert found, [str(problem) for problem in problems]
    assert words in f"{found[0].message} {found[0].remedy}"
    with pytest.raises(DataError, match=rf"\[{rule}\]"):
        load(folder)


@pytest.mark.parametrize(("line", "rule", "place", "words"), TABLE_MISTAKES)
def test_a_mistake_about_a_table_is_named(tmp_path, line, rule, place, words):
    folder = trial_folder(
        tmp_path, mapping=replaced(MAPPING, 'file = "jobs.csv"', f'file = "jobs.csv"\n{line}')
    )
    problem = the_problem(folder, rule)
    assert problem.column == f"tables.jobs.{place}"
    assert words in f"{problem.message} {problem.remedy}"


def test_a_source_column_that_is_not_there_is_an_error(tmp_path):
    mapping = replaced(MAPPING, 'file = "jobs.csv"', 'file = "jobs.csv"\ncolumns.kind = "knd"')
    problem = the_problem(trial_folder(tmp_path, mapping=mapping), "unknown_column")
    assert "has no column 'knd'" in problem.message
    assert "Did you mean 'kind'?" in problem.remedy


def test_every_mistake_is_reported_and_not_the_first(tmp_path):
    mapping = replaced(replaced(MAPPING, "simulated", "simulatd"), "higher_is", "higher")
    errors = [
        problem
        for problem in inspect(trial_folder(tmp_path, mapping=mapping))[1]
        if problem.severity == "error"
    ]
    assert {problem.column for problem in errors} == {"study.simulatd", "scores.qol.higher"}


def test_what_the_data_show_is_reported_beside_a_mapping_that_cannot_be_carried_out(tmp_path):
    folder = trial_folder(
        tmp_path,
        mapping=replaced(MAPPING, 'reference = "usual"', 'reference = "TAU"'),
        participants=with_cell(PARTICIPANTS, 2, "arm", "ips"),
        jobs=with_cell(with_cell(JOBS, 1, "ended_on", "2010-05-31"), 2, "participant_id", "X9"),
    )
    trial, problems = inspect(folder)
    assert trial is None
    rules = {problem.rule for problem in problems if problem.severity == "error"}
    assert rules == {"reference_not_named", "code_spelling", "ends_before_start", "unknown_person"}


def test_a_column_that_is_missing_hides_no_fault_that_can_be_seen_without_it(tmp_path):
    folder = trial_folder(
        tmp_path,
        participants=PARTICIPANTS.replace("randomised_on", "day_0"),
        jobs=with_cell(with_cell(JOBS, 1, "ended_on", "2010-05-31"), 2, "participant_id", "X9"),
    )
    rules = {problem.rule for problem in inspect(folder)[1] if problem.severity == "error"}
    assert rules == {"missing_column", "ends_before_start", "unknown_person"}


def test_without_participants_the_other_tables_are_still_read(tmp_path):
    folder = trial_folder(tmp_path, jobs=with_cell(JOBS, 1, "ended_on", "2010-05-31"))
    (folder / "participants.csv").unlink()
    rules = {problem.rule for problem in inspect(folder)[1]}
    assert {"no_such_file", "ends_before_start"} <= rules
    assert "unknown_person" not in rules  # nobody is known, so nobody is known to be a stranger


def test_a_mapping_with_a_byte_order_mark_is_read(tmp_path):
    folder = trial_folder(tmp_path)
    (folder / "trial.toml").write_text(MAPPING, encoding="utf-8-sig")
    assert load(folder).name == "small"


def test_a_mapping_in_another_encoding_names_the_line(tmp_path):
    folder = trial_folder(tmp_path)
    (folder / "trial.toml").write_text(replaced(MAPPING, "A small", "Une étude"), encoding="cp1252")
    assert the_problem(folder, "wrong_encoding").message == "Line 3 is not UTF-8."


def test_calendar_months_are_pointed_out_because_they_differ_per_person(tmp_path):
    folder = trial_folder(tmp_path, mapping=replaced(MAPPING, "[6, 18]", '[6, 18]\nmonth = "calendar"'))
    assert 'month = "anniversary"' in the_problem(folder, "calendar_months", "notice").remedy


def test_the_defaults_of_files_hold_for_all_tables_and_each_may_differ(tmp_path):
    mapping = MAPPING + '\n[files]\nseparator = ";"\ndates = "day-first"\n'
    mapping = replaced(mapping, 'file = "jobs.csv"', 'file = "jobs.csv"\nseparator = ","\ndates = "iso"')
    mapping = replaced(mapping, 'file = "visits.csv"', 'file = "visits.csv"\nseparator = ","\ndates = "iso"')
    people = PARTICIPANTS.replace(",", ";")
    for day in (
        "2010-01-15",
        "2012-07-14",
        "2010-02-01",
        "2012-08-01",
        "2010-03-10",
        "2011-03-09",
        "2010-04-20",
        "2011-01-05",
    ):
        people = people.replace(day, "/".join(reversed(day.split("-"))))
    trial = load(trial_folder(tmp_path, participants=people, mapping=mapping))
    assert trial.participants["randomised_on"].dt.strftime("%Y-%m-%d").tolist()[0] == "2010-01-15"


def test_a_rule_that_may_be_quarantined_is_spelled_in_snake_case():
    assert all(rule.replace("_", "").isalpha() and rule.islower() for rule in ROW_RULES)
