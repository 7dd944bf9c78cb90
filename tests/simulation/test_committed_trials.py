"""The committed folders: the bytes that the designs give, the counts and the sense of the records.

Counts and dates are worked out here with pandas from the CSV files, not with the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from ipseval.simulation import read_design, simulate
from tests.simulation.conftest import SYNTHETIC

DATES = ["randomised_on", "followed_until", "service_started_on"]

#: What each folder must show: people and new jobs per arm (the publications' figures), people per
#: site and arm, the day before which a job counts (floor of 30.4375 days a month), assessments.
EXPECTED = {
    "scion": {
        "counts": {"IPS": (31, 70), "usual": (20, 81)},
        "sites": {
            "Eindhoven": (20, 24),
            "Deventer": (16, 20),
            "Groningen": (14, 16),
            "Rotterdam": (20, 21),
        },
        "horizon": 913,
        "months": [0, 6, 18, 30],
    },
    "eqolise": {
        "counts": {"IPS": (85, 156), "usual": (43, 156)},
        "sites": {
            "London": (25, 25),
            "Ulm-Guenzburg": (26, 26),
            "Rimini": (26, 26),
            "Zurich": (26, 26),
            "Groningen": (27, 27),
            "Sofia": (26, 26),
        },
        "horizon": 547,
        "months": [0, 6, 12, 18],
    },
}


@dataclass(frozen=True)
class Folder:
    """The files of one trial, as pandas reads them."""

    name: str
    people: pd.DataFrame
    jobs: pd.DataFrame
    visits: pd.DataFrame


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def folder(request: pytest.FixtureRequest) -> Folder:
    path = SYNTHETIC / request.param
    people = pd.read_csv(path / "participants.csv", parse_dates=DATES)
    jobs = pd.read_csv(path / "jobs.csv", parse_dates=["started_on", "ended_on"])
    visits = pd.read_csv(path / "visits.csv", parse_dates=["visited_on"])
    return Folder(request.param, people, jobs.merge(people), visits.merge(people))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_design_gives_the_committed_files_to_the_last_byte(name: str, tmp_path: Path) -> None:
    simulate(SYNTHETIC / name / "design.toml", tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    beside = {"plan.toml"}  # written by hand, for `ipseval reproduce`
    files = [path for path in (SYNTHETIC / name).iterdir() if path.name not in beside]
    committed = {path.name: path.read_bytes() for path in files}
    assert sorted(made) == sorted(committed)
    assert [file for file in made if made[file] != committed[file]] == []


def test_new_competitive_jobs_within_the_horizon_are_as_published(folder: Folder) -> None:
    jobs = folder.jobs
    day = (jobs["started_on"] - jobs["randomised_on"]).dt.days
    counts = (
        (jobs["kind"] == "competitive")
        & (day >= 0)
        & (day < EXPECTED[folder.name]["horizon"])
        & (jobs["started_on"] <= jobs["followed_until"])
    )
    with_job = jobs[counts].groupby("arm")["participant_id"].nunique()
    randomised = folder.people["arm"].value_counts()
    found = {arm: (with_job[arm], randomised[arm]) for arm in ("IPS", "usual")}
    assert found == EXPECTED[folder.name]["counts"]


def test_people_per_site_and_arm_are_those_of_the_design(folder: Folder) -> None:
    found = pd.crosstab(folder.people["site"], folder.people["arm"])
    assert {s: tuple(found.loc[s, ["IPS", "usual"]]) for s in found.index} == EXPECTED[folder.name]["sites"]
    design = read_design(SYNTHETIC / folder.name / "design.toml")
    assert {site.name: (site.n["IPS"], site.n["usual"]) for site in design.sites} == EXPECTED[folder.name][
        "sites"
    ]


def test_every_full_block_of_a_site_is_balanced(folder: Folder) -> None:
    block = read_design(SYNTHETIC / folder.name / "design.toml").recruitment.block
    # Ids run in order of randomisation, so that rows of a site are in the order of its list.
    for _, arms in folder.people.sort_values("participant_id").groupby("site")["arm"]:
        is_ips = (arms == "IPS").tolist()
        full = min(sum(is_ips), len(is_ips) - sum(is_ips)) // (block // 2)
        halves = [sum(is_ips[i * block : (i + 1) * block]) for i in range(full)]
        assert halves == [block // 2] * full


def test_dates_are_in_order(folder: Folder) -> None:
    people, jobs, visits = folder.people, folder.jobs, folder.visits
    assert (people["followed_until"] >= people["randomised_on"]).all()
    assert (jobs["started_on"] <= jobs["followed_until"]).all()
    ended = jobs["ended_on"].dropna()
    assert (ended >= jobs.loc[ended.index, "started_on"]).all()
    assert (ended <= jobs.loc[ended.index, "followed_until"]).all()
    attended = visits[visits["visited_on"].notna()]
    assert (attended["visited_on"] <= attended["followed_until"]).all()
    assert (attended["visited_on"] >= attended["randomised_on"]).all()
    started = people[people["service_started_on"].notna()]
    assert (started["service_started_on"] >= started["randomised_on"]).all()
    assert (started["service_started_on"] <= started["followed_until"]).all()
    assert (people["service_started_on"].isna() == people["service_received"].isna()).all()


def test_the_dead_have_no_job_after_death(folder: Folder) -> None:
    dead = folder.jobs[folder.jobs["end_reason"] == "died"]
    assert len(dead) > 0
    assert dead["ended_on"].notna().all()
    assert (dead["ended_on"] <= dead["followed_until"]).all()


def test_the_completed_are_followed_within_the_tolerance_of_the_end(folder: Folder) -> None:
    completed = folder.people[folder.people["end_reason"] == "completed"]
    days = (completed["followed_until"] - completed["randomised_on"]).dt.days
    assert (days >= EXPECTED[folder.name]["horizon"] - 1 - 14).all()
    others = folder.people.drop(completed.index)
    assert set(others["end_reason"]) >= {"withdrawn", "consent_withdrawn", "lost", "emigrated", "died"}


def test_employed_at_a_visit_is_what_the_job_diary_says(folder: Folder) -> None:
    visits = folder.visits[folder.visits["employed"].notna()]
    jobs = folder.jobs[folder.jobs["kind"] == "competitive"]
    pairs = visits.merge(jobs[["participant_id", "started_on", "ended_on"]], on="participant_id")
    on_day = (pairs["started_on"] <= pairs["visited_on"]) & ~(pairs["ended_on"] < pairs["visited_on"])
    key = ["participant_id", "visit_month"]
    working = set(map(tuple, pairs.loc[on_day, key].to_numpy()))
    from_diary = [tuple(row) in working for row in visits[key].to_numpy()]
    assert visits["employed"].astype(str).str.lower().eq("true").tolist() == from_diary
    assert any(from_diary)


def test_everyone_has_a_row_for_each_visit_due_within_follow_up(folder: Folder) -> None:
    months = EXPECTED[folder.name]["months"]
    assert sorted(folder.visits["visit_month"].unique()) == months
    assert not folder.visits.duplicated(["participant_id", "visit_month"]).any()
    seen = folder.visits.groupby("participant_id")["visit_month"].agg(list)
    assert all(found == months[: len(found)] for found in seen)
    completed = folder.people.loc[folder.people["end_reason"] == "completed", "participant_id"]
    assert (seen[completed].map(len) == len(months)).all()


def test_the_records_have_the_faults_of_real_ones(folder: Folder) -> None:
    jobs, visits = folder.jobs, folder.visits
    assert jobs["hours_per_week"].isna().any()
    assert jobs["wage_per_hour"].isna().any()
    assert jobs["ended_on"].isna().any()
    assert (jobs["started_on"] < jobs["randomised_on"]).any()
    assert visits["visited_on"].isna().any()
    assert (visits["visited_on"].notna() & visits["employed"].isna()).any()
    ordered = jobs.sort_values(["participant_id", "started_on"])
    before = ordered.groupby("participant_id")["ended_on"].shift()
    assert (ordered["started_on"] <= before).any()


def test_scores_lie_within_their_scale_and_baselines_agree(folder: Folder) -> None:
    limits = {"qol": (1, 7), "self_esteem": (10, 40), "mhi5": (0, 100)}
    baseline = folder.visits[folder.visits["visit_month"] == 0]
    for name, (low, high) in limits.items():
        assert folder.visits[name].dropna().between(low, high).all()
        assert baseline[name].equals(baseline[f"{name}_baseline"])
    assert (folder.visits["mhi5"].dropna() % 4 == 0).all()


def test_eqolise_events_lie_within_follow_up_and_deaths_agree() -> None:
    path = SYNTHETIC / "eqolise"
    people = pd.read_csv(path / "participants.csv", parse_dates=DATES)
    events = pd.read_csv(path / "events.csv", parse_dates=["occurred_on"]).merge(people)
    assert (events["occurred_on"] >= events["randomised_on"]).all()
    assert (events["occurred_on"] <= events["followed_until"]).all()
    died = events[events["kind"] == "died"]
    assert (died["occurred_on"] == died["followed_until"]).all()
    assert set(died["participant_id"]) == set(people.loc[people["end_reason"] == "died", "participant_id"])
    assert (events.loc[events["kind"] == "admission", "days"] >= 1).all()


def test_the_card_confesses(folder: Folder) -> None:
    text = (SYNTHETIC / folder.name / "README.md").read_text(encoding="utf-8")
    for arm, (count, n) in EXPECTED[folder.name]["counts"].items():
        assert f"{count} of {n} ({arm})" in text
    assert "SIMULATED" in text
    assert "never used to judge coverage" in text
    assert "CC0" in text
