"""New jobs, counted by hand: which starts count, until when, and what is known."""

from __future__ import annotations

import pytest

from ipseval import endpoints
from ipseval.endpoints import ever_employed, job_starts, time_to_first_job
from ipseval.errors import AnalysisError
from tests.endpoints.outcomes import column, values
from tests.estimate.trials import random_trial
from tests.make_trial import job, make_trial, person

# h(30) = floor(30.4375 x 30) = 913.
H30 = 913


@pytest.fixture
def trial():
    people = [
        person("completed", H30 - 9),
        person("beyond", 2000, "withdrawn"),
        person("died", 400, "died", arm="usual"),
        person("lost", 400, "lost", arm="usual"),
        person("nothing", 1000),
    ]
    jobs = [
        job("completed", -20, 40),  # under way at randomisation
        job("completed", 0, 10),
        job("completed", 5, 300),  # beside the one before
        job("completed", 5, 90),  # on the same day
        job("completed", 60, 70, kind="sheltered"),
        job("beyond", H30 - 1, None),
        job("beyond", H30, None),
        job("died", 400, 400),
        job("died", 30, 60),
        job("lost", 400, None),
        job("lost", 401, None),
    ]
    return make_trial(people, jobs)


def test_every_start_inside_follow_up_and_before_the_horizon_counts(trial):
    assert values(job_starts(30), trial) == {
        "completed": 3,
        "beyond": 1,
        "died": 2,
        "lost": 1,
        "nothing": 0,
    }
    person, day = job_starts(30).occurrences(trial)
    assert list(zip(person.tolist(), day.tolist(), strict=True)) == [
        (0, 0),
        (0, 5),
        (0, 5),
        (1, H30 - 1),
        (2, 30),
        (2, 400),
        (3, 400),
    ]


def test_the_dead_are_complete_and_the_lost_are_not(trial):
    endpoint = job_starts(30)
    assert column(endpoint, trial, "is_complete") == {
        "completed": True,
        "beyond": True,
        "died": True,
        "lost": False,
        "nothing": True,
    }
    assert [name for name, how in column(endpoint, trial, "event").items() if how == "died"] == ["died"]
    assert column(endpoint, trial, "observed_until") == {
        "completed": H30 - 9,
        "beyond": H30 - 1,
        "died": 400,
        "lost": 400,
        "nothing": H30 - 1,
    }
    assert column(endpoint, trial, "reason")["lost"] == "lost"


@pytest.mark.parametrize("seed", range(6))
def test_first_starts_are_those_of_the_other_endpoints(seed):
    trial = random_trial(seed)
    person, day = job_starts(30).occurrences(trial)
    first = {}
    for who, when in zip(person.tolist(), day.tolist(), strict=True):
        first.setdefault(trial.participants["participant_id"].iloc[who], when)
    outcome = time_to_first_job(30).evaluate(trial).set_index("participant_id")
    assert first == outcome.loc[outcome["event"] == "event", "value"].to_dict()
    ever = values(ever_employed(by=30), trial)
    counted = values(job_starts(30), trial)
    assert {name for name, count in counted.items() if count} == {name for name, yes in ever.items() if yes}
    # Jobs held are the new ones and those under way at randomisation.
    held = values(endpoints.jobs_held(by=30), trial)
    assert all(counted[name] <= held[name] for name in counted)


def test_a_person_is_explained(trial):
    said = trial.explain("died", job_starts(30)).splitlines()
    assert said[0] == "died (usual): New competitive jobs"
    assert said[-1] == "  month 30: 2 jobs, complete"
    assert (
        trial.explain("lost", job_starts(30)).splitlines()[-1]
        == "  month 30: 1 jobs, so far, to day 400 (lost)"
    )
    said = trial.explain("completed", job_starts(30))
    assert "under way at randomisation (since day -20) and so not new" in said
    assert said.count(": counted") == 3


@pytest.mark.parametrize("wrong", [0, -1, [18, 30], True, "30 months"])
def test_a_horizon_is_one_month_above_0(wrong):
    with pytest.raises(AnalysisError, match="Write"):
        job_starts(wrong)
