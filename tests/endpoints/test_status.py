"""Being in work on a day, at a visit, in each month; scores at visits."""

from __future__ import annotations

import pytest

from ipseval.endpoints import days_worked, employed_at, employed_monthly, score, time_to_first_job
from ipseval.errors import AnalysisError, DataError
from tests.endpoints.outcomes import by_month, column, values
from tests.make_trial import job, make_trial, person, visit


@pytest.mark.parametrize(
    ("rule", "month", "day"),
    [
        ("anniversary", 1, 29),  # 31 January + 1 month is 29 February 2020
        ("anniversary", 2, 60),  # and + 2 months is 31 March
        ("calendar", 2, 60),
        ("30_days", 2, 60),
        ("30_days", 18, 540),
        ("30.4375_days", 18, 547),  # floor of 547.875
    ],
)
def test_status_is_that_of_the_day_a_of_k(rule, month, day):
    people = [person(name, randomised_on="2020-01-31") for name in ("on", "before", "after", "throughout")]
    jobs = [
        job("on", day, day),
        job("before", 0, day - 1),
        job("after", day + 1, None),
        job("throughout", -9, None),
    ]
    trial = make_trial(people, jobs, month=rule)
    expected = {"on": True, "before": False, "after": False, "throughout": True}
    assert values(employed_at(month), trial) == expected


def test_completers_within_tolerance_have_the_status_of_their_last_day():
    # A(30) of 1 January 2020 is 1 July 2022, day 912.
    people = [
        person("on the day", 912, "withdrawn"),
        person("a day short", 911, "withdrawn"),
        person("completed", 912 - 14, "completed"),
        person("completed, idle", 912 - 14, "completed"),
        person("too short", 912 - 15, "completed"),
        person("died", 400, "died"),
        person("died on the day", 912, "died"),
    ]
    jobs = [
        job(row["participant_id"], 10, None) for row in people if row["participant_id"] != "completed, idle"
    ]
    trial = make_trial(people, [*jobs, job("completed, idle", 10, 912 - 15)])
    outcome = employed_at(30)
    assert values(outcome, trial) == {
        "on the day": True,
        "a day short": None,
        "completed": True,
        "completed, idle": False,
        "too short": None,
        "died": False,
        "died on the day": True,
    }
    at_end = column(outcome, trial, "at_end")
    assert {name for name, is_end in at_end.items() if is_end} == {"completed", "completed, idle"}
    assert column(outcome, trial, "reason") == {
        "on the day": "",
        "a day short": "withdrawn",
        "completed": "",
        "completed, idle": "",
        "too short": "followed too short",
        "died": "died",
        "died on the day": "",
    }
    assert column(outcome, trial, "known")["died"]


def test_status_at_visits_is_what_was_recorded():
    trial = make_trial(
        [
            person("yes"),
            person("no"),
            person("blank"),
            person("missed"),
            person("left", 100, "withdrawn"),
            person("died", 100, "died"),
            person("died after the visit", 546, "died"),
            person("died later", 600, "died"),
        ],
        visits=[
            visit("yes", 18, employed=True),
            visit("no", 18, employed=False),
            visit("no", 6, employed=True),
            visit("blank", 18, employed=None),
            visit("died after the visit", 18, employed=True),
        ],
    )
    endpoint = employed_at(18, source="visits")
    assert values(endpoint, trial) == {
        "yes": True,
        "no": False,
        "blank": None,
        "missed": None,
        "left": None,
        "died": False,
        "died after the visit": True,
        "died later": None,
    }
    assert column(endpoint, trial, "reason") == {
        "yes": "",
        "no": "",
        "blank": "not assessed",
        "missed": "not assessed",
        "left": "withdrawn",
        "died": "died",
        "died after the visit": "",
        "died later": "not assessed",
    }


def test_months_are_observed_inside_follow_up_and_to_the_planned_end_for_completers():
    # Three months planned: 1 January to 31 March 2020, days 0-30, 31-59, 60-90.
    trial = make_trial(
        [
            person("whole", 90, "withdrawn"),
            person("a day short", 89, "withdrawn"),
            person("completed", 90 - 14, "completed"),
            person("too short", 90 - 15, "completed"),
        ],
        [job("a day short", 60, None), job("completed", 70, 71)],
        follow_up_months=3,
        tolerance_days=14,
    )
    endpoint = employed_monthly(until=4)
    assert by_month(endpoint, trial, "whole") == [False, False, False, None]
    assert by_month(endpoint, trial, "a day short") == [False, False, None, None]
    assert by_month(endpoint, trial, "completed") == [False, False, True, None]
    assert by_month(endpoint, trial, "too short") == [False, False, None, None]


def test_a_long_tolerance_does_not_observe_completers_beyond_the_planned_end():
    trial = make_trial([person("A", 90, "completed")], [], follow_up_months=3, tolerance_days=60)
    assert by_month(employed_monthly(until=5), trial, "A") == [False, False, False, None, None]


def test_months_cut_short_by_death_and_after_it_are_known():
    trial = make_trial(
        [person("worked", 40, "died"), person("idle", 40, "died"), person("last day", 59, "died")],
        [job("worked", 10, None), job("last day", 59, None)],
        follow_up_months=3,
    )
    outcome = employed_monthly(until=4).evaluate(trial)
    assert outcome["known"].all()
    own = outcome.groupby("participant_id")
    value, reason = own["value"].agg(list), own["reason"].agg(list)
    assert (value["worked"], reason["worked"]) == ([True, True, False, False], ["", "", "died", "died"])
    assert (value["idle"], reason["idle"]) == ([False] * 4, ["", "died", "died", "died"])
    assert (value["last day"], reason["last day"]) == ([False, True, False, False], ["", "", "died", "died"])


def test_months_from_31_january_follow_the_clipped_anniversary():
    # Month 1 is 31 January to 28 February, month 2 is 29 February to 30 March.
    people = [person(name, 400, randomised_on="2020-01-31") for name in ("A", "B")]
    trial = make_trial(people, [job("A", "2020-02-28", "2020-02-28"), job("B", "2020-02-29", "2020-02-29")])
    assert by_month(employed_monthly(until=3), trial, "A") == [True, False, False]
    assert by_month(employed_monthly(until=3), trial, "B") == [False, True, False]


def test_calendar_months_are_the_same_for_everyone():
    trial = make_trial(
        [
            person("first", "2020-12-31", "withdrawn", randomised_on="2020-01-01"),
            person("later", "2020-12-31", "withdrawn", randomised_on="2020-02-02"),
        ],
        [job("later", "2020-03-31", "2020-04-01")],
        month="calendar",
    )
    assert by_month(employed_monthly(until=5), trial, "first") == [False] * 5
    assert by_month(employed_monthly(until=5), trial, "later") == [None, None, True, True, False]
    outcome = employed_monthly(until=1).evaluate(trial)
    assert outcome["reason"].tolist() == ["", "not yet randomised"]


def test_scores_are_missing_with_the_reason_also_after_death():
    trial = make_trial(
        [
            person("A"),
            person("blank"),
            person("left", 10, "lost"),
            person("died", 10, "died"),
            person("missed"),
        ],
        visits=[visit("A", 6, qol=4.5), visit("blank", 6, qol=None), visit("A", 0, qol=3.0)],
        scores=["qol"],
    )
    assert values(score("qol", 6), trial) == {
        "A": 4.5,
        "blank": None,
        "left": None,
        "died": None,
        "missed": None,
    }
    assert column(score("qol", 6), trial, "reason") == {
        "A": "",
        "blank": "not assessed",
        "left": "lost",
        "died": "died",
        "missed": "not assessed",
    }
    assert not column(score("qol", 6), trial, "known")["died"]
    assert by_month(score("qol", [6, 0]), trial, "A") == [3.0, 4.5]


def test_refusals():
    trial = make_trial([person("A")], visits=[visit("A", 6, qol=1.0)], scores=["qol"])
    with pytest.raises(DataError, match="visits has no column 'employed'"):
        employed_at(6, source="visits").evaluate(trial)
    with pytest.raises(DataError, match=r"No visit is of month 12 \(visits are of months: 6\)"):
        score("qol", months=12).evaluate(trial)
    with pytest.raises(AnalysisError, match="source='registers' is not an option"):
        employed_at(source="registers")
    with pytest.raises(AnalysisError, match=r"month=1.5 is not a whole month of 0 or more"):
        employed_at(month=1.5)
    with pytest.raises(AnalysisError, match="until=0 is not a whole month of 1 or more"):
        employed_monthly(until=0)
    strangers = make_trial([person("A")], visits=[visit("Z", 6, employed=True)])
    with pytest.raises(DataError, match="1 of 1 visits of month 6 are of people who were not randomised"):
        employed_at(6, source="visits").evaluate(strangers)


def test_tolerance_is_one_rule_whichever_day_an_outcome_is_read_on():
    # From 1 March 2019, A(30) is day 915 and h(30) is 913: the last day needed is 912.
    people = [person(f"{short} short", 912 - short, randomised_on="2019-03-01") for short in (0, 14, 15)]
    trial = make_trial(people, [job(row["participant_id"], 10, None) for row in people])
    expected = {"0 short": True, "14 short": True, "15 short": False}
    assert dict(zip(expected, trial.completed_to(30), strict=True)) == expected
    for endpoint in (employed_at(30), days_worked(30), time_to_first_job(30)):
        known = column(endpoint, trial, "is_complete" if endpoint.kind == "amount" else "known")
        assert known == (expected if endpoint.kind != "time" else dict.fromkeys(expected, True))
    last = employed_monthly(30).evaluate(trial)
    assert last.loc[last["month"] == 30, "known"].tolist() == list(expected.values())
