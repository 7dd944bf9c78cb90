"""A first job as interviews tell it: by hand, against npsurv's multinomial case, and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError, DataError
from ipseval.estimate.times.interview_survival import BEGAN, interview_survival, interviewed
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.stats.times.cox import cox
from ipseval.stats.times.interval_censoring import turnbull, turnbull_survival_at
from ipseval.trial import Trial
from tests.make_trial import job, make_trial, person, visit

ENDPOINT = endpoints.time_to_first_job(30)
# Per person: answers at months 0, 6, 18 and 30 (None: no interview), and the interval they leave.
BY_HAND = [
    ("never", (False, False, False, False), (30, np.nan)),
    ("at 18", (False, False, True, False), (6, 18)),
    ("missed 6", (False, None, True, True), (0, 18)),
    ("lost", (False, False, None, None), (6, np.nan)),
    ("no baseline", (None, True, None, None), (0, 6)),
    ("in work, then not, then again", (True, True, False, True), (18, 30)),
    ("in work throughout", (True, True, True, True), (0, np.nan)),
    ("a gap after the job", (False, True, False, True), (0, 6)),
]


def made(**more: object):
    people = [person(name, arm="IPS" if i % 2 else "usual") for i, (name, _, _) in enumerate(BY_HAND)]
    visits = [
        visit(name, month, employed=answer, **more)
        for name, answers, _ in BY_HAND
        for month, answer in zip((0, 6, 18, 30), answers, strict=True)
        if answer is not None
    ]
    return make_trial(people, visits=visits)


@pytest.fixture(scope="module")
def scion() -> Results:
    return interview_survival(example("scion"), ENDPOINT, replicates=100)


def test_intervals_by_hand() -> None:
    months, told = interviewed(made(), 30)
    assert months == [6, 18, 30]
    for place, (name, _, (left, right)) in enumerate(BY_HAND):
        assert (told.left[place], told.right[place]) == pytest.approx((left, right), nan_ok=True), name
    cut = made().design.horizon_day(30)
    assert told.left_day[0] == cut  # seen without a job at the last interview, so followed to the horizon
    assert np.nanmax(told.right_day) < cut


def test_an_interview_held_late_speaks_of_its_month_and_its_day_counts() -> None:
    trial = made()
    visits = trial.tables["visits"]
    day = pd.to_datetime("2020-01-01") + pd.to_timedelta(
        visits["visit_month"].map({0: 0, 6: 200, 18: 560, 30: 940}), "D"
    )
    _, told = interviewed(make_late(trial, day), 30)
    assert told.right[1] == 18
    assert (told.left_day[1], told.right_day[1]) == (200, 560)
    assert told.right_day[5] == trial.design.horizon_day(30) - 1


def make_late(trial, day):
    return replace(trial, tables={**trial.tables, "visits": trial.tables["visits"].assign(visited_on=day)})


def test_with_everyone_interviewed_turnbull_is_a_proportion() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual") for i in range(40)]
    visits = [
        visit(f"P{i}", month, employed=i < (8 if month == 6 else 20)) for i in range(40) for month in (6, 18)
    ]
    found = interview_survival(make_trial(people, visits=visits), ENDPOINT, replicates=2000)
    for month, share in ((6, 4 / 20), (18, 10 / 20)):
        row = found.one(quantity="cumulative_incidence", method="turnbull", arm="IPS", time=month)
        assert row.estimate == pytest.approx(share)
        assert row.std_error == pytest.approx(np.sqrt(share * (1 - share) / 20), rel=0.06)  # Monte Carlo
        assert (row.n, row.n_event, row.n_missing) == (20, 20 * share, 0)


def test_where_nobody_dies_turnbull_is_that_of_the_kernel_on_planned_months() -> None:
    """The kernel agrees with npsurv (case b6)."""
    trial = without_deaths(example("scion"))
    found = interview_survival(trial, ENDPOINT, replicates=100)
    months, told = interviewed(trial, 30)
    for arm in trial.design.arms:
        mine = told.of(np.asarray(trial.arm) == arm)
        wanted = 1 - turnbull_survival_at(turnbull(mine.left, mine.right), months)
        rows = found.select(quantity="cumulative_incidence", method="turnbull", arm=arm).frame
        assert rows["estimate"].tolist() == pytest.approx(wanted.tolist(), abs=1e-7)
        assert (rows["conf_low"] < rows["estimate"]).all()


def without_deaths(trial: Trial) -> Trial:
    people = trial.participants
    alive = people.assign(end_reason=people["end_reason"].where(people["end_reason"] != "died", "lost"))
    return replace(trial, tables={**trial.tables, "participants": alive})


def half_of_one_arm_dies() -> Trial:
    """30 per arm; in IPS 15 die on day 250 without a job, and 5 of the others work from day 400."""
    arms = np.repeat(["IPS", "usual"], 30)
    people, visits = [], []
    for i, arm in enumerate(arms):
        dies, works = arm == "IPS" and i < 15, arm == "IPS" and 15 <= i < 20
        end = {"until": 250, "end_reason": "died"} if dies else {}
        people.append(person(f"P{i}", arm=arm, **end))
        for month in (0, 6) if dies else (0, 6, 18, 30):
            visits.append(visit(f"P{i}", month, employed=works and month >= 18))
    return make_trial(people, visits=visits)


def test_death_competes_by_hand() -> None:
    trial = half_of_one_arm_dies()
    found = interview_survival(trial, ENDPOINT, replicates=100)
    for month in (18, 30):
        row = found.one(quantity="cumulative_incidence", arm="IPS", time=month)
        assert row.estimate == pytest.approx(5 / 30)
        assert (row.n, row.n_event, row.n_missing) == (30, 5, 0)
        assert "died without a reported job counts as never having found one" in sentence(row, found)
    cut, day = trial.design.horizon_day(30), interviewed(trial, 30)[1].right_day[15]
    late = found.one(quantity="restricted_mean_time_lost", arm="IPS", setting="began=late")
    assert late.estimate == pytest.approx(5 * (cut - day) / 30)
    assert late.n_missing == 0
    assert "take the assumed day of the start as known" in sentence(late, found)
    test = found.one(quantity="log_rank_test", setting="began=late")
    # On that day 15 of 45 at risk are in the IPS arm, and 5 have the event: hypergeometric.
    expected, variance = 5 * 15 / 45, 5 * (15 / 45) * (30 / 45) * (45 - 5) / 44
    assert test.statistic == pytest.approx((5 - expected) ** 2 / variance)


@pytest.mark.parametrize("seed", range(3))
def test_monthly_interviews_tell_what_aalen_johansen_makes_of_jobs_deaths_and_losses(seed: int) -> None:
    """Jobs begin on the day of an interview, losses follow one, and deaths fall in between."""
    draw, trial = np.random.default_rng(seed), make_trial([person("A"), person("B", arm="usual")])
    held = [trial.design.horizon_day(month) for month in range(19)]
    people, visits, jobs = [], [], []
    for i in range(60):
        month, what = int(draw.integers(1, 18)), draw.choice(["job", "lost", "died", "stayed"])
        end = {
            "lost": {"until": held[month], "end_reason": "lost"},
            "died": {"until": held[month] + 9, "end_reason": "died"},
        }.get(what, {})
        people.append(person(f"P{i}", arm="IPS" if i % 2 else "usual", **end))
        if what == "job":
            jobs.append(job(f"P{i}", held[month], None))
        last = month if end else 18
        visits += [visit(f"P{i}", at, employed=what == "job" and at >= month) for at in range(1, last + 1)]
    trial = make_trial(people, jobs=jobs, visits=visits)
    endpoint = endpoints.time_to_first_job(18)
    told = interview_survival(trial, endpoint, replicates=100)
    days = survival(trial, endpoint, milestones=range(1, 19))
    for arm in trial.design.arms:
        asked = {"quantity": "cumulative_incidence", "arm": arm, "time_unit": "months", "term": "event"}
        by_interview = told.select(**asked).frame
        by_day = days.select(**asked, method="aalen_johansen").frame
        # What begins on day h(k) is seen at interview k, and counted within k + 1 months.
        assert by_interview["estimate"].iloc[:-1].tolist() == pytest.approx(
            by_day["estimate"].iloc[1:].tolist(), abs=1e-6
        )


def test_while_nobody_works_the_difference_is_exactly_0() -> None:
    """Masses of the two arms add up to 1 but for rounding."""
    draw = np.random.default_rng(1)
    people = [person(f"P{i}", arm="IPS" if i % 3 else "usual") for i in range(100)]
    visits = [
        visit(f"P{i}", month, employed=month > 3 and bool(draw.random() < 0.2))
        for i in range(100)
        for month in range(3, 19, 3)
        if draw.random() < 0.7
    ]
    found = interview_survival(make_trial(people, visits=visits), ENDPOINT, replicates=100)
    row = found.one(quantity="cumulative_incidence_difference", time=3)
    assert [row.estimate, row.conf_low, row.conf_high] == [0, 0, 0]


def test_strata_of_the_randomisation_are_those_of_the_tests(scion: Results) -> None:
    trial = example("scion")
    told = interviewed(trial, 30)[1]
    days, cause = told.times("middle")
    active, site = np.asarray(trial.arm) == "IPS", trial.stratum(["site"]).to_numpy()
    for within, setting in ((site, "strata=site; began=middle"), (None, "began=middle")):
        fit = cox(days, cause == 1, active.astype(float), strata=within)
        row = scion.one(quantity="hazard_ratio", setting=setting)
        assert np.log(row.estimate) == pytest.approx(float(fit.coef[0]), abs=1e-9)


def test_the_earlier_the_job_began_the_longer_it_is_since(scion: Results) -> None:
    for arm in example("scion").design.arms:
        rows = scion.select(quantity="restricted_mean_time_lost", arm=arm).frame.set_index("setting")
        early, middle, late = rows.loc[[f"began={began}" for began in BEGAN], "estimate"]
        assert early > middle > late > 0
    assert scion.main.one(quantity="restricted_mean_time_lost_difference").setting == "began=middle"
    assert scion.main.one(quantity="hazard_ratio").setting == "strata=site; began=middle"


def test_rows_say_that_interviews_do_not_see_everything(scion: Results) -> None:
    row = scion.one(quantity="cumulative_incidence_difference", method="turnbull", time=30)
    assert "a job that began and ended between two of them is not seen" in sentence(row, scion)
    late = scion.one(quantity="hazard_ratio", setting="began=late")
    assert "on the day of the interview that reported them" in sentence(late, scion)


def test_what_has_no_answer_says_so() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual") for i in range(20)]
    visits = [visit(f"P{i}", 6, employed=bool(i % 4 == 1)) for i in range(20)]
    found = interview_survival(make_trial(people, visits=visits), ENDPOINT, replicates=100)
    mean = found.one(quantity="restricted_mean_time_lost", arm="usual", setting="began=middle")
    assert np.isnan(mean.estimate)
    assert "beyond the last follow-up" in mean.note
    ratio = found.one(quantity="hazard_ratio", setting="began=middle")
    assert np.isnan(ratio.estimate)
    assert "Infinite coefficient of 1 column (the IPS arm)" in ratio.note


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(AnalysisError, match="Interviews tell of a first job, not of days_worked"):
        interview_survival(made(), endpoints.days_worked(30))
    with pytest.raises(DataError, match="has no table 'visits'"):
        interview_survival(make_trial([person("A")], jobs=[job("A", 1, 2)]), ENDPOINT)
    with pytest.raises(AnalysisError, match="No interview up to month 3 "):
        interview_survival(made(), endpoints.time_to_first_job(3))
    with pytest.raises(AnalysisError, match="replicates=50 is not a whole number"):
        interview_survival(made(), ENDPOINT, replicates=50)
