"""Amounts against R (case g1), and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts import amount_people
from ipseval.estimate.amounts.amounts import amounts
from ipseval.results import Results
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import two_arms
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("g1_nonnormal_alpha")["comp_hours_540"]
DATA = reference_cases.data("g1_nonnormal_alpha")
AS_SEEN = "missing=as_not_employed"


@pytest.fixture(scope="module")
def found() -> Results:
    return amounts(alpha(), endpoints.hours_worked(by=18), missing="as_not_employed", replicates=400)


def test_welch_is_that_of_case_g1(found: Results) -> None:
    # The case adds what was worked inside follow-up and nothing after it.
    row, wanted = (
        found.one(quantity="mean_difference", method="welch", setting=AS_SEEN),
        CASE["t_test"]["welch"],
    )
    # The case's hours are rounded to three decimals, which leaves 1e-4 in a mean of 300.
    assert row.estimate == pytest.approx(wanted["difference"], abs=5e-4)
    assert [row.conf_low, row.conf_high] == pytest.approx(wanted["ci"], abs=2e-3)
    assert [row.statistic, row.df, row.p_value] == pytest.approx(
        [wanted["t"], wanted["df"], wanted["p"]], rel=1e-4
    )


def test_probability_of_superiority_is_the_probabilistic_index_of_case_g1(found: Results) -> None:
    row = found.one(quantity="probability_of_superiority")
    assert row.estimate == pytest.approx(CASE["wilcoxon"]["probabilistic_index"], abs=1e-9)


def test_limits_are_those_of_case_g4(found: Results) -> None:
    wanted = reference_cases.expected("g4_log_scale_means")["comp_hours_540"]
    for key, arm in (("arm1", "IPS"), ("arm0", "usual")):
        row = found.main.one(quantity="mean", arm=arm)
        assert [row.conf_low, row.conf_high] == pytest.approx(wanted[key]["level_95"], abs=2e-3)
        assert row.df == wanted[key]["df"]
    rows = (
        found.main.one(quantity="mean_difference"),
        found.one(quantity="mean_difference", method="log_t_joined", setting=AS_SEEN),
    )
    for row, name in zip(rows, ("workers", "joined"), strict=True):
        assert [row.conf_low, row.conf_high] == pytest.approx(wanted[name]["level_95"], abs=2e-3)
        assert row.p_value == pytest.approx(wanted[name]["p"], rel=1e-4)
    assert rows[0].df == pytest.approx(wanted["workers"]["df"], rel=1e-4)
    assert np.isnan(rows[1].df)
    assert rows[0].method == "t_workers"


def test_with_one_worker_in_an_arm_its_mean_has_no_limits_and_the_other_arm_tells_of_the_difference() -> None:
    jobs = [job("P001", 0, 9), *(job(f"P{i:03d}", 0, 9 + i) for i in range(0, 20, 2))]
    found = amounts(make_trial(two_arms(20), jobs=jobs), endpoints.days_worked(by=30), replicates=100)
    alone, other, joined, beside = (
        found.one(**which, setting="missing=weighted")
        for which in (
            {"quantity": "mean", "arm": "IPS"},
            {"quantity": "mean", "arm": "usual"},
            {"quantity": "mean_difference", "method": "log_t_joined"},
            {"quantity": "mean_difference", "method": "t_workers"},
        )
    )
    for row in (alone, joined):
        assert not np.isnan(row.estimate) and np.isnan(row.conf_low)
        assert words.translated(row.note, "de") == words.text("note.few_had_any", "de")
    assert not np.isnan(other.conf_low) and not np.isnan(beside.conf_low)
    assert words.translated(beside.note, "fr") == words.text("note.one_arm_counts", "fr")


def test_with_one_worker_in_each_arm_the_difference_has_no_limits() -> None:
    jobs = [job("P001", 0, 9), job("P002", 0, 9)]
    found = amounts(make_trial(two_arms(20), jobs=jobs), endpoints.days_worked(by=30), replicates=100)
    row = found.main.one(quantity="mean_difference")
    assert row.estimate == 0
    assert np.isnan(row.conf_low) and np.isnan(row.p_value)
    assert words.translated(row.note, "nl") == words.text("note.few_in_both", "nl")


def test_means_of_days_are_those_of_the_data_of_case_g1() -> None:
    days = amounts(alpha(), endpoints.days_worked(by=18), missing="as_not_employed", replicates=100)
    for code, arm in ((1, "IPS"), (0, "usual")):
        wanted = DATA.loc[DATA["arm"] == code, "comp_days_540"]
        row = days.one(quantity="mean", arm=arm, setting=AS_SEEN)
        assert [row.estimate, row.std_error] == pytest.approx(
            [wanted.mean(), wanted.std() / np.sqrt(len(wanted))]
        )
        assert days.one(quantity="share_zero", arm=arm).n_event == (wanted == 0).sum()
        assert days.one(quantity="median", arm=arm).estimate == wanted.median()


def test_when_everyone_is_complete_every_rule_gives_the_same_mean() -> None:
    trial = make_trial(two_arms(40), jobs=[job(f"P{i:03d}", i, 5 * i + 30) for i in range(0, 40, 3)])
    frame = amounts(trial, endpoints.days_worked(by=30), replicates=100).frame
    means = frame.loc[frame["quantity"] == "mean"].pivot(index="arm", columns="setting", values="estimate")
    for rule in means:
        assert means[rule].tolist() == pytest.approx(means[AS_SEEN].tolist())
    assert (frame.loc[frame["quantity"] == "mean", "n_missing"] == 0).all()


def test_without_deaths_one_part_weighs_all_alike_and_gives_the_mean_of_the_complete() -> None:
    """All who are complete are complete on the same day; the longest job does not fall into parts."""
    frame = amounts(alpha(), endpoints.longest_job(by=18), replicates=100).frame
    means = frame.loc[frame["quantity"] == "mean"].pivot(index="arm", columns="setting", values="estimate")
    assert means["missing=weighted"].tolist() == pytest.approx(means["missing=observed"].tolist())


def test_who_is_lost_counts_up_to_the_last_part_seen_in_full() -> None:
    """Bang & Tsiatis, partitioned, by hand: 150 / 3 in the first six months, then 1.5 x 50 / 3."""
    people = [person("A", 200, "lost"), person("B"), person("C"), person("U", arm="usual")]
    jobs = [job("A", 1, 100), job("B", 0, 49), job("B", 300, 349)]
    found = amounts(make_trial(people, jobs=jobs), endpoints.days_worked(by=30), replicates=100)
    mean = found.one(quantity="mean", arm="IPS", setting="missing=weighted")
    assert mean.estimate == pytest.approx(150 / 3 + 1.5 * 50 / 3)


def test_the_dead_are_complete_and_weigh_less_than_those_followed_longer() -> None:
    """Bang & Tsiatis by hand: of 4, one is lost on day 50; the dead of day 10 weigh 1, the others 3 / 2."""
    people = [
        person("A", 10, "died"),
        person("B", 50, "lost"),
        person("C"),
        person("D"),
        *(person(f"U{i}", arm="usual") for i in range(4)),
    ]
    jobs = [job("A", 1, 4), job("C", 0, 99), job("D", 0, 9)]
    found = amounts(make_trial(people, jobs=jobs), endpoints.days_worked(by=30), replicates=100)
    assert found.one(quantity="mean", arm="IPS", setting="missing=weighted").estimate == pytest.approx(
        (4 + 1.5 * 110) / 4
    )


def test_one_person_has_a_mean_and_no_interval() -> None:
    trial = make_trial([person("A"), person("B", arm="usual")], jobs=[job("A", 1, 10)])
    row = amounts(trial, endpoints.days_worked(by=30), replicates=100).one(
        quantity="mean", arm="IPS", setting=AS_SEEN
    )
    assert row.estimate == 10
    assert np.isnan(row.conf_low)
    assert "Fewer than two people" in row.note


def test_what_a_kernel_remarks_stands_beside_what_is_said_anyway() -> None:
    people = [*two_arms(8), person("L", 3, "lost")]
    found = amounts(
        make_trial(people, jobs=[job(f"P{i:03d}", 1, 9) for i in (1, 3, 5, 7)]),
        endpoints.days_worked(by=30),
        replicates=100,
    )
    note = found.one(quantity="mean_difference", method="welch", setting=AS_SEEN).note
    assert "nothing is added after a person is lost" in note


def test_someone_without_a_job_has_no_tenure_and_nothing_unknown() -> None:
    trial = make_trial(two_arms(20), jobs=[job(f"P{i:03d}", 5, 10 * i + 20) for i in range(10)])
    frame = amounts(
        trial,
        endpoints.job_tenure(by=30),
        replicates=100,
    ).frame
    assert (frame["n_missing"] == 0).all()
    assert (frame["n"].isin([5, 10])).all()
    assert frame["note"].str.contains("only people who found a job").all()


def test_the_same_seed_draws_the_same_people() -> None:
    one, two, other = (
        amounts(alpha(), endpoints.hours_worked(by=18), replicates=200, seed=seed) for seed in (1, 1, 2)
    )
    assert one.frame.equals(two.frame)
    drawn = {"quantity": "mean_difference", "method": "bootstrap_percentile", "setting": "missing=weighted"}
    assert one.one(**drawn).conf_low != other.one(**drawn).conf_low
    assert one.provenance["seeds"] == {"amounts": 1}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"missing": "best_worst"}, "missing='best_worst' is not an option"),
        ({"replicates": 60}, "replicates=60 is not a whole number from 100"),
        ({"replicates": 200.5}, "replicates=200.5 is not a whole number"),
        ({"seed": "x"}, "seed='x' is not a whole number"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        amounts(alpha(), endpoints.hours_worked(by=18), **wrong)


def test_a_job_of_unknown_hours_is_left_out_and_said() -> None:
    trial = make_trial(
        two_arms(12), jobs=[job("P001", 1, 9), job("P003", 1, 9, hours_per_week=None), job("P000", 1, 9)]
    )
    row = amounts(trial, endpoints.hours_worked(by=30), replicates=100).one(
        quantity="mean", arm="IPS", setting=AS_SEEN
    )
    assert (row.n, row.n_missing) == (5, 1)
    assert "not recorded" in row.note


def test_hours_stated_for_jobs_without_any_are_counted_and_leave_nobody_out() -> None:
    people = two_arms(40)
    jobs = [job(f"P{i:03d}", 10, 100 + i, hours_per_week=None if i < 6 else 20) for i in range(24)]
    trial = make_trial(people, jobs=jobs)
    stated = amounts(trial, endpoints.hours_worked(by=30, unrecorded=20), replicates=100)
    recorded = [{**spell, "hours_per_week": 20} for spell in jobs]
    known = amounts(make_trial(people, jobs=recorded), endpoints.hours_worked(by=30), replicates=100)
    for quantity in ("mean", "mean_difference"):
        rows, wanted = (found.main.select(quantity=quantity).frame for found in (stated, known))
        np.testing.assert_allclose(rows["estimate"], wanted["estimate"])
        np.testing.assert_allclose(rows["conf_low"], wanted["conf_low"])
        assert list(rows["n"]) == list(wanted["n"])
    arm = stated.main.one(quantity="mean", arm="IPS")
    concerned = sum(i < 6 for i in range(24) if people[i]["arm"] == "IPS")
    assert amount_people.HOURS_ASSUMED in arm.note
    assert f"people concerned: {concerned}" in arm.note
    both = stated.main.one(quantity="mean_difference")
    assert "people concerned: 6" in both.note
    assert not known.main.frame["note"].str.contains("concerned").any()
    assert "concerned" not in stated.main.one(quantity="share_zero", arm="IPS").note
    # Others read the rule, and not how few it concerns.
    public = protect(stated)
    assert not public.frame["note"].str.contains("concerned").any()
    assert "20 hours a week" in endpoints.definition(public.endpoints["hours_worked_jobs_unrecorded_20"])


def test_money_is_in_the_currency_of_the_trial() -> None:
    trial = alpha()
    trial = replace(trial, design=replace(trial.design, currency="CHF"))
    frame = amounts(trial, endpoints.earnings(by=18), replicates=100).frame
    assert set(frame.loc[frame["quantity"] == "mean", "unit"]) == {"CHF"}
