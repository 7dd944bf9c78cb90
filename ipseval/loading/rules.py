"""Check tables against one another, and set rows aside where, and only where, the mapping says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import NamedTuple

from ipseval.errors import Problem
from ipseval.loading import person_rules, record_rules
from ipseval.loading.messages import found
from ipseval.loading.tables import Tables


class Rule(NamedTuple):
    """What is looked for, and what must be known to look for it."""

    judge: Callable[[Tables], list[Problem]]
    #: Columns of the participants; None where the rule is about other tables alone.
    columns: tuple[str, ...] | None = ()
    design: bool = False

    def __call__(self, tables: Tables) -> list[Problem]:
        """Return what breaks the rule, as far as it can be known."""
        is_known = self.columns is None or tables.have(*self.columns)
        return self.judge(tables) if is_known and not (self.design and tables.stated is None) else []


_FOLLOW_UP = ("randomised_on", "followed_until")
_FOLLOWED = ("participant_id", *_FOLLOW_UP)

#: In order: people first, so that the records of a person set aside are judged as such.
_PERSON_RULES: tuple[Rule, ...] = (
    Rule(person_rules.one_row_each, ("participant_id", "arm")),
    Rule(person_rules.followed_from_randomisation, _FOLLOW_UP),
)
_RECORD_RULES: tuple[Rule, ...] = (
    Rule(person_rules.each_arm_has_people, ("arm",), design=True),
    Rule(person_rules.no_person_is_called_an_arm, ("participant_id",), design=True),
    Rule(person_rules.completed_in_full, _FOLLOW_UP, design=True),
    Rule(person_rules.inside_the_data_cut, ("followed_until",), design=True),
    Rule(person_rules.sites_and_end_reasons),
    Rule(record_rules.person_was_randomised, ("participant_id",)),
    Rule(record_rules.one_row_per_key, None),
    Rule(record_rules.periods_in_order, None),
    Rule(record_rules.jobs_and_follow_up, _FOLLOWED),
    Rule(record_rules.hours_known, None),
    Rule(record_rules.somebody_worked, _FOLLOWED, design=True),
    Rule(record_rules.visits_took_place, _FOLLOWED),
    Rule(record_rules.visits_planned, ("participant_id",), design=True),
    Rule(record_rules.sites_known, ("site",)),
)

#: The rules about single rows, whose rows ``[rules] quarantine`` may set aside.
ROW_RULES = frozenset(
    {
        "date_notation",
        "date_out_of_range",
        "date_serial_number",
        "decimal_mark",
        "duplicate_key",
        "duplicate_person",
        "duplicate_rows",
        "ends_before_start",
        "followed_until_before_randomised",
        "fractional_id",
        "impossible_date",
        "job_after_death",
        "missing_value",
        "not_a_date",
        "not_a_month",
        "not_a_number",
        "not_a_whole_number",
        "not_yes_or_no",
        "out_of_range",
        "person_in_two_arms",
        "space_in_id",
        "time_of_day",
        "undeclared_code",
        "undeclared_missing_code",
        "unknown_person",
        "unknown_site",
        "visit_after_death",
        "visit_without_date",
    }
)


def check(
    tables: Tables, cell_problems: Iterable[Problem], quarantine: Collection[str]
) -> tuple[Tables, list[Problem]]:
    """Return the tables without the rows set aside, and every problem.

    Parameters
    ----------
    cell_problems : what reading the cells found
        Their rows are set aside before any rule looks at the tables.
    quarantine : rule names
        Rows that break these are set aside and counted; all other errors stay errors. The records of
        a person set aside go too, counted per table. What is set aside is not judged by other rules
        between tables; a fault of a cell needs its own rule named.
    """
    randomised = tables.randomised
    tables, problems = _set_aside(tables, cell_problems, quarantine)
    tables, aside = _quarantined(tables, _PERSON_RULES, quarantine)
    problems += aside
    gone = randomised - tables.randomised
    tables, aside = _follow_their_person(tables, gone)
    problems += aside
    tables, aside = _quarantined(tables, _RECORD_RULES, quarantine)
    problems += aside
    return tables, problems + [item for rule in (*_PERSON_RULES, *_RECORD_RULES) for item in rule(tables)]


def _quarantined(
    tables: Tables, rules: Iterable[Rule], quarantine: Collection[str]
) -> tuple[Tables, list[Problem]]:
    """Set rows aside until none breaks a rule named, so that the order of rules decides nothing."""
    rules, problems = tuple(rules), []
    while quarantine:
        found_now = [item for rule in rules for item in rule(tables) if item.rule in quarantine and item.rows]
        if not found_now:
            break
        tables, aside = _set_aside(tables, found_now, quarantine)
        problems += aside
    return tables, problems


def _set_aside(
    tables: Tables, problems: Iterable[Problem], quarantine: Collection[str]
) -> tuple[Tables, list[Problem]]:
    """Take the rows of the problems whose rule is named out of the tables; leave other problems be."""
    judged = []
    for problem in problems:
        if problem.rule in quarantine and problem.rows:
            still_there = tables.frames[problem.table].index.intersection(list(problem.rows))
            tables = tables.without(problem.table, tuple(still_there))
            problem = replace(problem, severity="set aside", remedy="")
        judged.append(problem)
    return tables, judged


def _follow_their_person(tables: Tables, gone: Collection[str]) -> tuple[Tables, list[Problem]]:
    """Set aside the records of the persons set aside."""
    problems = []
    for name, frame in tables.records.items():
        for problem in found(
            frame,
            frame["participant_id"].isin(list(gone)),
            table=name,
            column="participant_id",
            rule="person_set_aside",
            severity="set aside",
            message="{n} of {total} <row|rows> [is|are] of a person who is set aside.",
        ):
            problems.append(problem)
            tables = tables.without(name, problem.rows)
    return tables, problems
