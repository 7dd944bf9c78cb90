"""New jobs, however many, against R's survival (case b11, trial alpha), and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.times.recurrent import recurrent
from ipseval.estimate.times.survival import survival
from ipseval.render.tables import estimates_table
from ipseval.results import Results
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import random_trial, two_arms
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("b11_recurrent_events")["alpha"]
ARMS = {"arm_1": "IPS", "arm_0": "usual"}
# Sums over the same times in another order.
EXACT = 1e-9


def with_age() -> Trial:
    """Return trial alpha with age as a declared covariate."""
    trial, people = alpha(), reference_cases.data("data_alpha", "participants.csv").set_index("id")
    ids = trial.participants["participant_id"].astype(str)
    participants = trial.participants.assign(age=people["age"].astype("float64").reindex(ids).to_numpy())
    tables = {**trial.tables, "participants": participants}
    return replace(trial, tables=tables, covariates={"age": Variable("age", "number")})


@pytest.fixture(scope="module")
def found() -> Results:
    return recurrent(with_age(), endpoints.job_starts(30), adjust=["age"])


def means(results: Results, arm: str) -> pd.DataFrame:
    rows = results.select(quantity="mean_cumulative_number", time_unit="months", arm=arm).frame
    return rows.set_index("time")


@pytest.mark.parametrize("group", ARMS)
def test_means_are_those_of_survfit(found: Results, group: str) -> None:
    wanted, rows = CASE["mean_cumulative"][group], means(found, ARMS[group])
    assert rows.index.tolist() == [6, 12, 18, 24, 30]
    assert rows["estimate"].tolist() == pytest.approx(wanted["mean"], rel=EXACT)
    assert rows["std_error"].tolist() == pytest.approx(wanted["se"], rel=EXACT)
    counts = found.select(quantity="count", arm=ARMS[group]).frame
    assert counts["term"].tolist() == ["new_jobs=0", "new_jobs=1", "new_jobs=2", "new_jobs=3+"]
    assert counts["estimate"].tolist() == CASE["people_by_jobs"][group]


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("", "andersen_gill"),
        ("strata=site", "andersen_gill_stratified"),
        ("strata=site; adjust=age", "andersen_gill_adjusted"),
    ],
)
def test_rate_ratios_are_those_of_coxph(found: Results, setting: str, key: str) -> None:
    row = found.one(quantity="rate_ratio", setting=setting)
    coef, error = (np.atleast_1d(CASE[key][name])[0] for name in ("coef", "robust_se"))
    # R stops where the likelihood stands still to 1e-12.
    assert [np.log(row.estimate), row.std_error] == pytest.approx([coef, error], rel=1e-7)
    assert row.statistic == pytest.approx((coef / error) ** 2, rel=1e-6)


def test_the_test_is_that_of_the_case(found: Results) -> None:
    row = found.one(quantity="mean_cumulative_number_test", setting="")
    wanted = CASE["log_rank"]
    assert [row.statistic, row.p_value] == pytest.approx([wanted["z"] ** 2, wanted["p"]], rel=1e-8)
    assert found.main.one(quantity="mean_cumulative_number_test").setting == ""
    assert found.main.one(quantity="rate_ratio").setting == "strata=site"
    plain = recurrent(with_age(), endpoints.job_starts(30), strata=[], adjust=["age"])
    assert plain.main.one(quantity="rate_ratio").setting == ""


def test_differences_and_ratios_are_those_of_the_arms(found: Results) -> None:
    for month in (6, 18, 30):
        one, other = (means(found, arm).loc[month] for arm in ("IPS", "usual"))
        difference = found.one(quantity="mean_cumulative_number_difference", time=month, method="ghosh_lin")
        error = np.hypot(one.std_error, other.std_error)
        assert difference.estimate == pytest.approx(one.estimate - other.estimate)
        half = 1.959963984540054 * error
        limits = [difference.estimate - half, difference.estimate + half]
        assert [difference.conf_low, difference.conf_high] == pytest.approx(limits)
        joined = found.main.one(quantity="mean_cumulative_number_difference", time=month)
        low = np.hypot(one.estimate - one.conf_low, other.conf_high - other.estimate)
        assert joined.conf_low == pytest.approx(joined.estimate - low)
        ratio = found.main.one(quantity="mean_cumulative_number_ratio", time=month)
        assert ratio.estimate == pytest.approx(one.estimate / other.estimate)


def test_the_curve_starts_at_0_rises_with_every_job_and_ends_at_the_horizon(found: Results) -> None:
    for arm in ("IPS", "usual"):
        curve = found.select(quantity="mean_cumulative_number", time_unit="days", arm=arm).frame
        assert [curve["time"].iloc[0], curve["estimate"].iloc[0], curve["time"].iloc[-1]] == [0, 0, 900]
        assert (curve["estimate"].diff().iloc[1:-1] > 0).all()
        assert curve["estimate"].iloc[-1] == means(found, arm).loc[30, "estimate"]
        jobs = found.one(quantity="cumulative_events", arm=arm, time=30)
        assert (jobs.estimate, jobs.unit) == (sum_of_jobs(arm), "jobs")


def sum_of_jobs(arm: str) -> int:
    outcome = endpoints.job_starts(30).evaluate(alpha())
    return int(outcome.loc[outcome["arm"] == arm, "value"].sum())


def test_when_nobody_is_lost_it_is_the_mean_of_what_amounts_counts() -> None:
    """Jobs held and new jobs are the same where none was under way at randomisation."""
    draw = np.random.default_rng(3)
    people = two_arms(40)
    jobs = [
        job(f"P{i:03d}", int(start), int(start) + 20)
        for i in range(40)
        for start in draw.integers(0, 900, draw.integers(0, 4))
    ]
    trial = make_trial(people, jobs=jobs, missing_outcomes="as_not_employed")
    ours = recurrent(trial, endpoints.job_starts(30))
    theirs = amounts(trial, endpoints.jobs_held(by=30), replicates=100)
    for arm in ("IPS", "usual"):
        mean = theirs.select(quantity="mean", arm=arm, time=30).frame["estimate"].iloc[0]
        assert means(ours, arm).loc[30, "estimate"] == pytest.approx(mean)


@pytest.mark.parametrize("seed", range(4))
def test_people_with_a_job_are_those_of_survival(seed: int) -> None:
    trial = random_trial(seed)
    ours = recurrent(trial, endpoints.job_starts(30))
    theirs = survival(trial, endpoints.time_to_first_job(30))
    for arm in ("IPS", "usual"):
        own = means(ours, arm).loc[30]
        first = theirs.one(quantity="cumulative_incidence", time_unit="months", time=30, arm=arm)
        assert (own.n, own.n_event) == (first.n, first.n_event)
        none = ours.one(quantity="count", term="new_jobs=0", arm=arm)
        assert none.estimate == own.n - own.n_event
        # The dead count in full and the lost until they leave; the mean holds at least one job of each.
        if not np.isnan(own.estimate):
            assert own.estimate >= first.estimate - 1e-9


def test_the_dead_stay_in_the_mean_and_every_row_says_so() -> None:
    people = [
        person("A", 100, "died"),
        person("B"),
        *(person(f"U{i}", arm="usual") for i in range(3)),
        person("C", 300, "lost"),
    ]
    jobs = [job("A", 50, 60), job("B", 200, 210), job("B", 400, 500), job("U0", 30, 40), job("U1", 50, 60)]
    found = recurrent(make_trial(people, jobs=jobs), endpoints.job_starts(30), milestones=[12, 30])
    # Day 50: 1 / 3. Day 200: half the people at risk times 2 / 3 alive. Day 400: 1 / 1 times 2 / 3.
    assert means(found, "IPS")["estimate"].tolist() == pytest.approx([1 / 3 + 1 / 3, 1 / 3 + 1 / 3 + 2 / 3])
    assert means(found, "usual").loc[30, "estimate"] == pytest.approx(2 / 3)
    said = found.select(quantity="mean_cumulative_number_difference", time=30).frame["note"]
    assert said.str.contains("the dead stay in the mean with the jobs they had").all()
    assert "compares rates while alive" in found.one(quantity="rate_ratio", setting="").note
    main = found.main.one(quantity="mean_cumulative_number_difference", time=30)
    assert "leaving says nothing about finding work" in main.note
    counts = found.select(quantity="count", arm="IPS").frame
    assert counts["estimate"].tolist() == [1, 1, 1, 0]
    assert (counts["note"] == "of people who were lost, jobs until then are counted").all()


def test_nothing_is_claimed_where_nobody_was_followed_or_nothing_happened() -> None:
    trial = make_trial(
        two_arms(20, until=100, end_reason="lost"), jobs=[job("P001", 5, 9), job("P003", 50, 60)]
    )
    found = recurrent(trial, endpoints.job_starts(30), milestones=[1])
    assert means(found, "IPS").loc[1, "estimate"] == pytest.approx(0.1)
    late = found.select(quantity="mean_cumulative_number", time=30, time_unit="months").frame
    assert set(late["status"]) == {"not_defined"}
    assert set(late["note"]) == {"not known: nobody was followed that far"}
    nobody = recurrent(make_trial(two_arms(20), jobs=[]), endpoints.job_starts(30))
    difference = nobody.main.one(quantity="mean_cumulative_number_difference", time=30)
    assert difference.estimate == 0
    assert np.isnan([difference.std_error, difference.conf_low, difference.conf_high]).all()
    assert nobody.main.one(quantity="rate_ratio").status in ("not_defined", "failed")


def test_a_row_says_itself_in_every_language(found: Results) -> None:
    rows = found.main.select(quantity="mean_cumulative_number_difference", time=30)
    assert "jobs" in rows.explain() and "IPS minus usual" in rows.explain()
    assert "Gemiddeld" in found.main.select(quantity="mean_cumulative_number", time=30).explain(lang="nl")


def test_refusals() -> None:
    with pytest.raises(AnalysisError, match=r"time_to_first_job is a time outcome.* Use ips\.job_starts"):
        recurrent(alpha(), endpoints.time_to_first_job(30))  # type: ignore[arg-type]
    with pytest.raises(AnalysisError, match=r"milestones=\[24.0\] lie outside the endpoint's horizon of 18"):
        recurrent(alpha(), endpoints.job_starts(18), milestones=[6, 24])
    with pytest.raises(AnalysisError, match="'region' is not a column of participants"):
        recurrent(alpha(), endpoints.job_starts(30), strata=["region"])
    with pytest.raises(AnalysisError, match="'age' cannot be adjusted for"):
        recurrent(alpha(), endpoints.job_starts(30), adjust=["age"])


def test_tables_say_how_many_jobs_people_had(found: Results) -> None:
    table = estimates_table(found, "recurrent", "New jobs")
    about = [line.heading for line in table.lines]
    assert "Number (new jobs = 3+), IPS" in about
    assert "Mean cumulative number of new jobs, IPS" in about


def test_columns_without_an_answer_are_called_by_name() -> None:
    trial = with_age()
    people = trial.participants.assign(same=40.0, twin=2.0 * trial.participants["age"])
    declared = {name: Variable(name, "number") for name in ("age", "same", "twin")}
    trial = replace(trial, tables={**trial.tables, "participants": people}, covariates=declared)
    for adjust, reason in ((["age", "same"], r"1 column \(same\)"), (["age", "twin"], r"\(age, twin\)")):
        found = recurrent(trial, endpoints.job_starts(30), adjust=adjust)
        note = found.frame.loc[found.frame["status"] == "failed", "note"]
        assert note.str.contains(reason).all()
        assert len(note) == 1
        adjusted = survival(trial, endpoints.time_to_first_job(30), adjust=adjust)
        row = adjusted.select(method="pseudo_values_ancova").frame.iloc[0]
        assert adjust[1] in row.note
        assert not adjusted.frame["note"].str.contains(r"counted from 0|column \d|covariate \d").any()


def test_an_arm_without_jobs_is_named_in_its_rate_ratio() -> None:
    jobs = [job(f"P{i:03d}", i, 300 + i) for i in range(1, 20, 2)]
    found = recurrent(make_trial(two_arms(20), jobs=jobs), endpoints.job_starts(30), strata=[])
    assert "1 column (the IPS arm)" in found.one(quantity="rate_ratio").note
