"""Outcomes from the months of registers: which months are known, and what they add up to."""

from __future__ import annotations

import math

import pytest

from ipseval.endpoints import (
    benefit_amount,
    days_worked,
    earnings,
    employed_monthly,
    hours_worked,
    months_with_hours,
    work_and_claim_state,
)
from ipseval.errors import AnalysisError, DataError
from tests.endpoints.outcomes import by_month, column, values
from tests.make_trial import covered, make_trial, person, register_month

# Randomised on 15 January 2020: month 1 is February 2020, month 4 May; A(4) is 15 May, day 121.
JANUARY_15 = "2020-01-15"


def registered(name: str, until: str | int = "2020-12-31", end_reason: str = "withdrawn"):
    return person(name, until, end_reason, randomised_on=JANUARY_15)


def test_month_1_is_the_calendar_month_after_that_of_randomisation():
    trial = make_trial(
        [registered("A")],
        months=[
            register_month("A", f"2020-{month:02d}", hours_worked=10.0**month, benefit_amount=1.0 * month)
            for month in range(1, 6)
        ],
    )
    assert values(hours_worked(by=2, source="months"), trial) == {"A": 10**2 + 10**3}
    assert values(benefit_amount(month=4), trial) == {"A": 5.0}
    assert values(benefit_amount(by=4), trial) == {"A": 2.0 + 3 + 4 + 5}
    assert by_month(benefit_amount(month=[1, 3]), trial, "A") == [2.0, 4.0]


def test_inside_coverage_no_record_is_zero_and_outside_it_is_missing():
    trial = make_trial(
        [
            registered(name)
            for name in ("whole", "from March", "to April 29", "not linked", "not covered", "blank")
        ],
        months=[
            register_month("whole", "2020-03", hours_worked=60.0),
            register_month("from March", "2020-03", hours_worked=60.0),
            register_month("from March", "2020-02", hours_worked=60.0),
            register_month("blank", "2020-03", hours_worked=None),
        ],
        coverage=[
            covered("whole", "2020-02-01", "2020-04-30"),
            covered("from March", "2020-02-02", "2020-12-31"),
            covered("to April 29", "2020-01-01", "2020-04-29"),
            covered("not linked", "2020-01-01", "2020-12-31", linked=False),
            covered("not covered", None, "2020-12-31"),
            covered("blank", "2019-01-01", "2021-12-31"),
        ],
    )
    endpoint = employed_monthly(until=3, source="months")
    assert by_month(endpoint, trial, "whole") == [False, True, False]
    assert by_month(endpoint, trial, "from March") == [None, True, False]
    assert by_month(endpoint, trial, "to April 29") == [False, False, None]
    assert by_month(endpoint, trial, "not linked") == [None] * 3
    assert by_month(endpoint, trial, "not covered") == [None] * 3
    assert by_month(endpoint, trial, "blank") == [False, None, False]
    outcome = endpoint.evaluate(trial).set_index(["participant_id", "month"])["reason"]
    assert outcome["from March", 1.0] == outcome["not linked", 2.0] == "outside coverage"
    assert outcome["blank", 2.0] == "not recorded"


def test_without_coverage_only_recorded_months_are_known():
    trial = make_trial([registered("A")], months=[register_month("A", "2020-02", days_worked=0.0)])
    endpoint = employed_monthly(until=2, source="months")
    assert by_month(endpoint, trial, "A") == [False, None]
    assert endpoint.evaluate(trial)["reason"].tolist() == ["", "no record, and no coverage table"]


def test_a_total_stops_at_the_first_month_that_is_not_known():
    trial = make_trial(
        [registered("A"), registered("B"), registered("C")],
        months=[
            *(register_month("A", f"2020-0{month}", hours_worked=50.0) for month in (2, 3, 5)),
            register_month("B", "2020-03", hours_worked=50.0),
            *(
                register_month("C", f"2020-0{month}", hours_worked=hours)
                for month, hours in ((2, 48), (3, 47.9), (4, 90), (5, 0))
            ),
        ],
    )
    outcome = months_with_hours(at_least=48, by=4).evaluate(trial).set_index("participant_id")
    assert outcome["is_complete"].tolist() == [False, False, True]
    assert outcome["value"].tolist()[::2] == [2.0, 2.0]
    assert math.isnan(outcome.loc["B", "value"])
    # Study days of 31 March, 31 January and 31 May 2020.
    assert outcome["observed_until"].tolist() == [76, 16, 137]
    assert outcome["reason"].tolist() == ["no record, and no coverage table"] * 2 + [""]
    assert values(hours_worked(by=4, source="months"), trial)["C"] == pytest.approx(185.9)


def test_months_after_withdrawal_are_unknown_even_where_the_register_goes_on():
    trial = make_trial(
        [registered("A", "2020-04-29"), registered("B", "2020-04-30")],
        months=[register_month("A", "2020-02", earnings=1.0)],
        coverage=[covered(name, "2019-01-01", "2021-12-31") for name in "AB"],
    )
    assert by_month(employed_monthly(until=4, source="months"), trial, "A") == [True, False, None, None]
    assert by_month(employed_monthly(until=4, source="months"), trial, "B") == [False, False, False, None]
    assert column(earnings(by=3, source="months"), trial, "is_complete") == {"A": False, "B": True}
    assert column(earnings(by=3, source="months"), trial, "reason") == {"A": "withdrawn", "B": ""}


def test_completers_are_observed_to_the_month_of_their_planned_end():
    # Four months planned, to 14 May 2020, in the middle of calendar month 4; tolerance 14 days.
    trial = make_trial(
        [
            registered("completed", "2020-05-14", "completed"),
            registered("within tolerance", "2020-04-30", "completed"),
            registered("too short", "2020-04-29", "completed"),
            registered("covered too short", "2020-05-14", "completed"),
        ],
        months=[register_month("completed", "2020-05", days_worked=3.0)],
        coverage=[
            *(
                covered(name, "2020-01-01", "2020-05-14")
                for name in ("completed", "within tolerance", "too short")
            ),
            covered("covered too short", "2020-01-01", "2020-05-13"),
        ],
        follow_up_months=4,
    )
    assert values(days_worked(by=4, source="months"), trial) == {
        "completed": 3.0,
        "within tolerance": 0.0,
        "too short": 0.0,
        "covered too short": 0.0,
    }
    assert column(days_worked(by=4, source="months"), trial, "is_complete") == {
        "completed": True,
        "within tolerance": True,
        "too short": False,
        "covered too short": False,
    }


def test_after_death_a_month_is_known_to_be_zero():
    trial = make_trial(
        [registered("A", "2020-03-20", "died"), registered("B", "2020-03-20", "died")],
        months=[
            register_month("A", "2020-02", days_worked=20.0, benefit_amount=100.0, on_claim=True),
            register_month("A", "2020-03", days_worked=5.0, benefit_amount=60.0, on_claim=True),
        ],
        coverage=[covered("A", "2020-01-01", "2020-03-20"), covered("B", "2020-01-01", "2020-03-19")],
    )
    outcome = (
        employed_monthly(until=4, source="months").evaluate(trial).set_index(["participant_id", "month"])
    )
    assert by_month(employed_monthly(until=4, source="months"), trial, "A") == [True, True, False, False]
    assert by_month(employed_monthly(until=4, source="months"), trial, "B") == [False, None, False, False]
    assert outcome.loc[("A", 3.0), "reason"] == "died" and outcome.loc[("A", 3.0), "known"]
    total = benefit_amount(by=12).evaluate(trial).set_index("participant_id")
    assert total["value"].tolist() == [160.0, 0.0]
    assert total["is_complete"].tolist() == [True, False]
    assert total["observed_until"].tolist() == [65, 45]  # 20 March (death) and 29 February
    assert values(benefit_amount(month=3), trial) == {"A": 0.0, "B": 0.0}
    assert values(work_and_claim_state(month=3), trial) == {"A": "died", "B": "died"}


def test_registers_are_added_up_and_each_must_cover_the_month():
    trial = make_trial(
        [registered("A"), registered("B")],
        months=[
            register_month("A", "2020-02", "work", hours_worked=30.0),
            register_month("A", "2020-02", "self", hours_worked=20.0),
            register_month("B", "2020-02", "work", hours_worked=30.0),
            register_month("A", "2020-02", "benefits", benefit_amount=900.0),
        ],
        coverage=[
            covered("A", "2020-01-01", "2020-12-31", source="work"),
            covered("A", "2020-01-01", "2020-12-31", source="self"),
            covered("B", "2020-01-01", "2020-12-31", source="work"),
        ],
    )
    assert values(hours_worked(by=1, source="months"), trial) == {"A": 50.0, "B": None}
    assert values(months_with_hours(48, by=1), trial) == {"A": 1.0, "B": None}


def test_the_four_states_and_unknown():
    people = [registered(name) for name in ("both", "work", "claim", "neither", "no claim record")]
    months = [
        register_month("both", "2020-02", days_worked=4.0, on_claim=True),
        register_month("work", "2020-02", days_worked=4.0, on_claim=False),
        register_month("claim", "2020-02", days_worked=0.0, on_claim=True),
        register_month("no claim record", "2020-02", days_worked=4.0, on_claim=None),
    ]
    coverage = [covered(row["participant_id"], "2020-01-01", "2020-12-31") for row in people]
    trial = make_trial(people, months=months, coverage=coverage)
    assert values(work_and_claim_state(month=1), trial) == {
        "both": "working_on_claim",
        "work": "working_not_on_claim",
        "claim": "not_working_on_claim",
        "neither": "not_working_not_on_claim",
        "no claim record": None,
    }
    assert column(work_and_claim_state(month=1), trial, "reason")["no claim record"] == "not recorded"


def test_refusals():
    trial = make_trial([registered("A")], months=[register_month("A", "2020-02", benefit_amount=1.0)])
    with pytest.raises(DataError, match="No register records 'earnings' in months"):
        earnings(by=1, source="months").evaluate(trial)
    with pytest.raises(DataError, match="No register records work in months"):
        employed_monthly(until=1, source="months").evaluate(trial)
    with pytest.raises(AnalysisError, match="needs either month= or by="):
        benefit_amount()
    with pytest.raises(AnalysisError, match="needs either month= or by="):
        benefit_amount(month=3, by=30)
    with pytest.raises(AnalysisError, match="month=0 is not a whole month of 1 or more"):
        work_and_claim_state(month=0)
    with pytest.raises(AnalysisError, match="at_least=0 is not a number of hours above 0"):
        months_with_hours(at_least=0)
    strangers = make_trial([registered("A")], months=[register_month("Z", "2020-02", benefit_amount=1.0)])
    with pytest.raises(DataError, match="1 of 1 rows of months are of people who were not randomised"):
        benefit_amount(month=1).evaluate(strangers)
