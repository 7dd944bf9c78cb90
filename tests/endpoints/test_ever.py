"""Yes or no within a number of months: which jobs count, and what is known without one."""

from __future__ import annotations

import numpy as np
import pytest

from ipseval import endpoints
from ipseval.endpoints import (
    days_worked,
    durable_employment,
    ever_employed,
    in_work_or_education,
    time_to_first_job,
    works_at_least,
)
from ipseval.errors import AnalysisError, DataError
from tests.endpoints.outcomes import column, values
from tests.make_trial import job, make_trial, person

# h(30) = floor(30.4375 x 30) = 913.
H30 = 913


@pytest.mark.parametrize(
    ("started_on", "ended_on", "counts"),
    [
        (0, 0, True),
        (H30 - 1, None, True),
        (H30, None, False),
        (-1, 400, False),
        (-30, -1, False),
    ],
)
def test_a_new_job_begins_on_day_0_or_later_and_before_the_cut(started_on, ended_on, counts):
    trial = make_trial([person("A", until=1000)], [job("A", started_on, ended_on)])
    assert values(ever_employed(by=30), trial) == {"A": counts}


def test_the_cut_is_30_days_a_month_under_30_day_months():
    trial = make_trial([person("A"), person("B")], [job("A", 899, 899), job("B", 900, 900)], month="30_days")
    assert values(ever_employed(by=30), trial) == {"A": True, "B": False}


def test_only_competitive_kinds_of_the_design_count():
    people, jobs = [person("A")], [job("A", 5, 9, kind="self_employed"), job("A", 3, 9, kind="voluntary")]
    assert values(ever_employed(by=30), make_trial(people, jobs)) == {"A": False}
    wider = make_trial(people, jobs, competitive=("competitive", "self_employed"))
    assert values(ever_employed(by=30), wider) == {"A": True}
    assert values(time_to_first_job(30), wider) == {"A": 5}


def test_what_is_known_without_a_job_depends_on_how_follow_up_ended():
    trial = make_trial(
        [
            person("followed to h - 1", H30 - 1, "withdrawn"),
            person("one day short", H30 - 2, "withdrawn"),
            person("completed 14 days short", H30 - 1 - 14, "completed"),
            person("completed 15 days short", H30 - 1 - 15, "completed"),
            person("died", 100, "died"),
            person("lost", 100, "lost"),
            person("no reason", 100, None),
        ],
        jobs=[],
    )
    assert values(ever_employed(by=30), trial) == {
        "followed to h - 1": False,
        "one day short": None,
        "completed 14 days short": False,
        "completed 15 days short": None,
        "died": False,
        "lost": None,
        "no reason": None,
    }
    assert column(ever_employed(by=30), trial, "reason") == {
        "followed to h - 1": "",
        "one day short": "withdrawn",
        "completed 14 days short": "",
        "completed 15 days short": "followed too short",
        "died": "",
        "lost": "lost",
        "no reason": "followed too short",
    }


def test_a_job_before_the_end_of_follow_up_counts_however_it_ended_and_none_after_it():
    people = [
        person(name, 100, reason) for name, reason in (("W", "withdrawn"), ("D", "died"), ("X", "died"))
    ]
    trial = make_trial(people, [job("W", 100, None), job("D", 100, 100), job("X", 101, 200)])
    assert values(ever_employed(by=30), trial) == {"W": True, "D": True, "X": False}


def test_time_to_first_job_ends_with_what_came_first():
    trial = make_trial(
        [
            person("job", 1000),
            person("job on the day of death", 50, "died"),
            person("death", 50, "died"),
            person("death on the last day", H30 - 1, "died"),
            person("death at the horizon", H30, "died"),
            person("followed", H30 - 1, "withdrawn"),
            person("completed", H30 - 15, "completed"),
            person("lost", H30 - 2, "lost"),
            person("job at the cut", 1000),
        ],
        [
            job("job", 7, 9),
            job("job", 3, 4),
            job("job on the day of death", 50, None),
            job("job at the cut", H30, None),
        ],
    )
    outcome = time_to_first_job(horizon=30).evaluate(trial).set_index("participant_id")
    assert list(zip(outcome["event"], outcome["value"], outcome["known"], strict=True)) == [
        ("event", 3, True),
        ("event", 50, True),
        ("died", 50, True),
        ("died", H30 - 1, True),
        ("censored", H30, True),
        ("censored", H30, True),
        ("censored", H30, True),
        ("censored", H30 - 2, False),
        ("censored", H30, True),
    ]
    assert outcome.loc["lost", "reason"] == "lost"


def test_the_number_censored_at_the_horizon_is_that_of_known_noes_alive():
    rng = np.random.default_rng(11)
    reasons = ["completed", "withdrawn", "died", "lost"]
    people = [person(f"P{i}", int(rng.integers(850, 950)), reasons[i % 4]) for i in range(200)]
    trial = make_trial(people, [job(f"P{i}", int(rng.integers(0, 950)), None) for i in range(0, 200, 3)])
    ever = ever_employed(by=30).evaluate(trial)
    time = time_to_first_job(30).evaluate(trial)
    yes = ever["value"].fillna(False).to_numpy(dtype=bool)
    assert (yes == (time["event"] == "event")).all()
    at_horizon = (time["value"] == H30) & (time["event"] == "censored")
    known_no = ever["known"] & ~yes & (time["event"] != "died")
    assert at_horizon.tolist() == known_no.tolist()
    assert 0 < at_horizon.sum() < 200


def test_under_way_jobs_are_counted_for_the_report():
    trial = make_trial(
        [person("A"), person("B"), person("C"), person("D")],
        [job("A", -5, 0), job("B", -5, -1), job("C", 0, 9), job("D", -5, 9, kind="sheltered")],
    )
    assert endpoints.jobs_under_way(trial).tolist() == [True, False, False, False]


def test_enough_hours_in_one_new_job():
    trial = make_trial(
        [
            person(name)
            for name in ("enough", "too few", "unknown", "one qualifies", "unknown but not new", "later")
        ],
        [
            job("enough", 9, 9, hours_per_week=20),
            job("too few", 9, 99, hours_per_week=19.9),
            job("too few", 9, 99, hours_per_week=19.9),
            job("unknown", 9, 99, hours_per_week=None),
            job("unknown", 9, 99, hours_per_week=8),
            job("one qualifies", 9, 99, hours_per_week=None),
            job("one qualifies", 200, 201, hours_per_week=24),
            job("unknown but not new", -9, 99, hours_per_week=None),
            job("later", H30, None, hours_per_week=None),
        ],
    )
    assert values(works_at_least(hours=20, by=30), trial) == {
        "enough": True,
        "too few": False,
        "unknown": None,
        "one qualifies": True,
        "unknown but not new": False,
        "later": False,
    }
    assert column(works_at_least(20, by=30), trial, "reason")["unknown"] == "hours not recorded"


@pytest.mark.parametrize(
    ("jobs", "by", "gap_days", "durable"),
    [
        ([(0, 89)], 4, 0, True),
        ([(0, 88)], 4, 0, False),
        ([(0, 89)], 3, 0, False),  # the anniversary, day 90, is not below h(3) = 90
        ([(29, 118)], 4, 0, True),  # reached on day 119
        ([(30, 119)], 4, 0, False),  # reached on day 120
        ([(0, 40), (41, 89)], 4, 0, True),
        ([(0, 40), (42, 89)], 4, 0, False),
        ([(0, 40), (42, 89)], 4, 1, True),
        ([(-1, 200)], 30, 0, False),
        ([(-1, 50), (40, 200)], 30, 0, False),  # one episode, under way at randomisation
        ([(-50, -1), (0, 89)], 4, 0, True),  # the earlier job was over
        ([(-1, 50), (52, 141)], 30, 0, True),
        ([(871, None)], 31, 0, False),  # day 961 lies after the end of follow-up
    ],
)
def test_an_episode_is_durable_if_it_lasts_to_its_own_anniversary(jobs, by, gap_days, durable):
    trial = make_trial(
        [person("A", until=930, end_reason="completed")], [job("A", *days) for days in jobs], month="30_days"
    )
    assert values(durable_employment(months=3, gap_days=gap_days, by=by), trial) == {"A": durable}


@pytest.mark.parametrize(("ended_on", "durable"), [("2020-04-29", True), ("2020-04-28", False)])
def test_three_months_from_31_january_end_on_29_april(ended_on, durable):
    trial = make_trial([person("A")], [job("A", "2020-01-31", ended_on)])
    assert values(durable_employment(months=3, by=30), trial) == {"A": durable}


def test_durable_employment_is_never_found_without_a_new_job():
    rng = np.random.default_rng(5)
    people = [person(f"P{i}", int(rng.integers(300, 950)), "lost") for i in range(300)]
    spells = [(f"P{i}", int(day)) for i in range(300) for day in rng.integers(-60, 950, size=i % 4)]
    trial = make_trial(people, [job(who, day, day + int(rng.integers(0, 200))) for who, day in spells])
    durable = durable_employment(by=30, gap_days=10).evaluate(trial)["value"].fillna(False)
    ever = ever_employed(by=30).evaluate(trial)["value"].fillna(False)
    assert 20 < durable.sum() < ever.sum()
    assert not (durable & ~ever).any()


def test_education_counts_beside_work():
    trial = make_trial(
        [person("work"), person("school"), person("old school"), person("training")],
        [
            job("work", 5, 9),
            job("school", 5, None, kind="education"),
            job("old school", -5, None, kind="education"),
            job("training", 5, 9, kind="training"),
        ],
    )
    expected = {"work": True, "school": True, "old school": False, "training": False}
    assert values(in_work_or_education(by=30), trial) == expected
    assert values(ever_employed(by=30), trial) == dict.fromkeys(expected, False) | {"work": True}


def test_several_horizons_are_blocks_in_the_order_of_participants():
    trial = make_trial([person("B", 600, "lost"), person("A")], [job("A", 560, None)])
    outcome = ever_employed(by=[30, 18]).evaluate(trial)
    assert outcome["month"].tolist() == [18.0, 18.0, 30.0, 30.0]
    assert outcome["participant_id"].tolist() == ["B", "A", "B", "A"]
    assert outcome["known"].tolist() == [True, True, False, True]
    assert outcome["value"].isna().tolist() == [False, False, True, False]
    assert outcome.loc[outcome["known"], "value"].tolist() == [False, False, True]


def test_refusals():
    without_jobs = make_trial([person("A")])
    with pytest.raises(DataError, match="has no table 'jobs'"):
        ever_employed().evaluate(without_jobs)
    strangers = make_trial([person("A")], [job("A", 1, 2)])
    strangers.tables["jobs"].loc[0, "participant_id"] = "Z"
    with pytest.raises(DataError, match="1 of 1 jobs are of people who were not randomised"):
        ever_employed().evaluate(strangers)
    for months in ([], [30, 30], -1, "soon", [float("nan")]):
        with pytest.raises(AnalysisError, match="is not a month, or several"):
            ever_employed(by=months)
    with pytest.raises(AnalysisError, match="hours=0 is not a number of hours above 0"):
        works_at_least(hours=0)
    with pytest.raises(AnalysisError, match=r"months=0.5 is not a whole number of months"):
        durable_employment(months=0.5)
    with pytest.raises(AnalysisError, match=r"gap_days=-1 is not a whole number of days"):
        durable_employment(gap_days=-1)
    with pytest.raises(AnalysisError, match=r"horizon=\[18, 30\] holds 2 months"):
        time_to_first_job(horizon=[18, 30])


def test_hours_are_needed_where_hours_are_asked():
    trial = make_trial([person("A")], [job("A", 1, 2)])
    del trial.tables["jobs"]["hours_per_week"]
    with pytest.raises(DataError, match="jobs has no column 'hours_per_week'"):
        works_at_least(20).evaluate(trial)
    assert values(ever_employed(), trial) == {"A": True}


@pytest.mark.parametrize("endpoint", [ever_employed, time_to_first_job, days_worked, works_at_least])
def test_within_no_months_and_true_months_are_refused(endpoint):
    name = "horizon" if endpoint is time_to_first_job else "by"
    with pytest.raises(AnalysisError, match=f"{name}=0 asks for what happened within 0 months"):
        endpoint(**{name: 0})
    for wrong in (True, [True, 30], -6, float("nan"), "thirty"):
        with pytest.raises(AnalysisError, match="is not a month, or several"):
            endpoint(**{name: wrong})
