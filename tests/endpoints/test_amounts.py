"""Days, hours, earnings, jobs and tenure: the window, what is complete, what is unknown."""

from __future__ import annotations

import math

import pytest

from ipseval.endpoints import (
    days_worked,
    earnings,
    hours_worked,
    job_tenure,
    jobs_held,
    longest_job,
    weeks_worked,
)
from ipseval.errors import AnalysisError, DataError
from tests.endpoints.outcomes import column, values
from tests.make_trial import job, make_trial, person

H30 = 913


@pytest.fixture
def trial():
    """One person followed throughout, with a job under way, an overlap and a job past the horizon."""
    return make_trial(
        [person("A", until=1000, end_reason="withdrawn")],
        [
            job("A", -10, 9, hours_per_week=7, wage_per_hour=10),
            job("A", 100, 149, hours_per_week=14, wage_per_hour=20),
            job("A", 140, 159, hours_per_week=7, wage_per_hour=10),
            job("A", 910, None, hours_per_week=35, wage_per_hour=12),
            job("A", 300, 399, kind="sheltered"),
        ],
    )


def test_by_hand(trial):
    # Days 0-9, 100-159 and 910-912; 1 hour a day on 10, 2 on 50, 1 on 20, 5 on 3.
    assert values(days_worked(by=30), trial) == {"A": 10 + 60 + 3}
    assert values(weeks_worked(by=30), trial) == {"A": pytest.approx(73 / 7, rel=1e-15)}
    assert values(hours_worked(by=30), trial) == {"A": pytest.approx(10 + 100 + 20 + 15, rel=1e-12)}
    assert values(earnings(by=30), trial) == {"A": pytest.approx(100 + 2000 + 200 + 180, rel=1e-12)}
    assert values(jobs_held(by=30), trial) == {"A": 4}
    assert values(longest_job(by=30), trial) == {"A": 50}
    assert values(job_tenure(by=30), trial) == {"A": 50}


def test_nobody_working_is_zero_and_not_missing():
    trial = make_trial([person("A")], jobs=[])
    for amount in (days_worked, weeks_worked, hours_worked, earnings, jobs_held, longest_job):
        assert values(amount(by=30), trial) == {"A": 0.0}
        assert column(amount(by=30), trial, "known") == {"A": True}


def test_what_is_complete_depends_on_how_follow_up_ended():
    trial = make_trial(
        [
            person("followed", H30 - 1, "withdrawn"),
            person("within tolerance", H30 - 15, "completed"),
            person("too short", H30 - 16, "completed"),
            person("died", 50, "died"),
            person("lost", 50, "lost"),
            person("long", 2000, "completed"),
        ],
        [
            job(name, 1, None)
            for name in ("followed", "within tolerance", "too short", "died", "lost", "long")
        ],
    )
    outcome = days_worked(by=30).evaluate(trial).set_index("participant_id")
    assert outcome["value"].tolist() == [H30 - 1, H30 - 15, H30 - 16, 50, 50, H30 - 1]
    assert outcome["observed_until"].tolist() == [H30 - 1, H30 - 15, H30 - 16, 50, 50, H30 - 1]
    assert outcome["is_complete"].tolist() == [True, True, False, True, False, True]
    assert outcome["known"].tolist() == outcome["is_complete"].tolist()
    assert outcome["reason"].tolist() == ["", "", "followed too short", "", "lost", ""]


def test_unknown_hours_make_the_total_unknown_only_where_the_job_lies_in_the_window():
    trial = make_trial(
        [person("hours"), person("wage"), person("later"), person("voluntary")],
        [
            job("hours", 5, 9, hours_per_week=None),
            job("hours", 50, 60),
            job("wage", 5, 11, wage_per_hour=None),
            job("later", 600, None, hours_per_week=None),
            job("voluntary", 5, 9, kind="voluntary", hours_per_week=None),
        ],
    )
    by_18, by_30 = hours_worked(by=18), hours_worked(by=30)
    assert values(by_18, trial) == {"hours": None, "wage": pytest.approx(20), "later": 0.0, "voluntary": 0.0}
    assert values(by_30, trial)["later"] is None
    assert column(by_18, trial, "known") == {"hours": False, "wage": True, "later": True, "voluntary": True}
    assert column(by_18, trial, "is_complete")["hours"]
    assert column(by_18, trial, "reason")["hours"] == "hours not recorded"
    assert values(earnings(by=18), trial)["wage"] is None
    assert column(earnings(by=18), trial, "reason")["wage"] == "hours or wage not recorded"
    assert values(days_worked(by=18), trial)["hours"] == 5 + 11


def test_stated_hours_stand_for_those_not_recorded_and_are_said():
    trial = make_trial(
        [person("blank"), person("recorded"), person("later"), person("under way")],
        [
            job("blank", 7, 20, hours_per_week=None),
            job("blank", 50, 56, hours_per_week=8),
            job("recorded", 7, 20, hours_per_week=30),
            job("later", 600, None, hours_per_week=None),
            job("under way", -70, 6, hours_per_week=None),
        ],
    )
    by_18 = hours_worked(by=18, unrecorded=10)
    # Two weeks of 10 and one of 8; two of 30; none yet; the one week after randomisation.
    assert values(by_18, trial) == {"blank": 28, "recorded": 60, "later": 0, "under way": 10}
    assert column(by_18, trial, "known") == dict.fromkeys(["blank", "recorded", "later", "under way"], True)
    assert column(by_18, trial, "assumed") == {
        "blank": True,
        "recorded": False,
        "later": False,
        "under way": True,
    }
    assert "assumed" not in hours_worked(by=18).evaluate(trial)
    assert by_18.key == "hours_worked_jobs_unrecorded_10"
    assert by_18.parameters == {"by": [18.0], "source": "jobs", "unrecorded": 10.0}
    assert "counts for 10 hours a week" in by_18.definition(trial.design)
    assert "hours unknown count for 10 a week" in by_18.explain(trial, "blank")
    assert "count for" not in hours_worked(by=18).explain(trial, "blank")


@pytest.mark.parametrize("wrong", ["zero", 0, -5, 200, math.nan, True, None])
def test_stated_hours_that_are_none_are_refused(wrong):
    with pytest.raises(AnalysisError, match="is neither 'unknown' nor hours a week"):
        hours_worked(unrecorded=wrong)
    with pytest.raises(AnalysisError, match="source='months' is neither"):
        hours_worked(source="months", unrecorded=20)


def test_tenure_is_of_the_first_new_job_and_never_zero_for_people_without_one():
    trial = make_trial(
        [
            person("ended"),
            person("no job"),
            person("lost in the job", 50, "lost"),
            person("lost after the job", 50, "lost"),
            person("lost without a job", 50, "lost"),
            person("died in the job", 50, "died"),
            person("two at once"),
            person("only under way"),
            person("past the horizon", 2000),
        ],
        [
            job("ended", 10, 19),
            job("ended", 100, 900),
            job("lost in the job", 41, None),
            job("lost after the job", 40, 49),
            job("died in the job", 41, None),
            job("two at once", 10, 11),
            job("two at once", 10, 39),
            job("only under way", -1, 500),
            job("past the horizon", H30 - 5, None),
        ],
    )
    outcome = job_tenure(by=30).evaluate(trial).set_index("participant_id")
    value = {name: None if math.isnan(days) else days for name, days in outcome["value"].items()}
    assert value == {
        "ended": 10,
        "no job": None,
        "lost in the job": 10,
        "lost after the job": 10,
        "lost without a job": None,
        "died in the job": 10,
        "two at once": 30,
        "only under way": None,
        "past the horizon": 5,
    }
    known = {name for name, is_known in outcome["known"].items() if is_known}
    assert known == {"ended", "lost after the job", "died in the job", "two at once", "past the horizon"}
    assert outcome.loc["no job", "reason"] == "no job"
    assert outcome.loc["only under way", "reason"] == "no job"
    assert outcome.loc["lost without a job", "reason"] == "lost"
    assert outcome.loc["lost in the job", "reason"] == "lost"


def test_a_job_recorded_after_the_end_of_follow_up_adds_nothing():
    trial = make_trial([person("A", 100, "died")], [job("A", 90, 300), job("A", 101, None)])
    assert values(days_worked(by=30), trial) == {"A": 11}
    assert values(jobs_held(by=30), trial) == {"A": 1}


def test_refusals(trial):
    with pytest.raises(AnalysisError, match="source='visits' is not an option"):
        earnings(source="visits")
    with pytest.raises(AnalysisError, match=r"by=1.5 is not a whole month of 1 or more"):
        earnings(by=1.5, source="months")
    with pytest.raises(DataError, match="has no table 'months'"):
        hours_worked(source="months").evaluate(trial)
    del trial.tables["jobs"]["wage_per_hour"]
    with pytest.raises(DataError, match="jobs has no column 'wage_per_hour'"):
        earnings().evaluate(trial)
    del trial.tables["jobs"]["ended_on"]
    with pytest.raises(DataError, match="jobs has no column 'ended_on'"):
        days_worked().evaluate(trial)
