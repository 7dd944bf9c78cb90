"""A first job as interviews tell it: by hand, against npsurv's multinomial case, and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError, DataError
from ipseval.estimate.interview_survival import BEGAN, interview_survival, interviewed
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.stats.interval_censoring import turnbull, turnbull_survival_at
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


def test_turnbull_is_that_of_the_kernel_on_planned_months(scion: Results) -> None:
    """The kernel agrees with npsurv (case b6)."""
    trial = example("scion")
    months, told = interviewed(trial, 30)
    for arm in trial.design.arms:
        mine = told.of(np.asarray(trial.arm) == arm)
        wanted = 1 - turnbull_survival_at(turnbull(mine.left, mine.right), months)
        rows = scion.select(quantity="cumulative_incidence", method="turnbull", arm=arm).frame
        assert rows["estimate"].tolist() == pytest.approx(wanted.tolist(), abs=1e-7)
        assert (rows["conf_low"] < rows["estimate"]).all()


def test_the_earlier_the_job_began_the_longer_it_is_since(scion: Results) -> None:
    for arm in example("scion").design.arms:
        rows = scion.select(quantity="restricted_mean_time_lost", arm=arm).frame.set_index("setting")
        early, middle, late = rows.loc[list(BEGAN), "estimate"]
        assert early > middle > late > 0
    assert scion.main.one(quantity="restricted_mean_time_lost_difference").setting == "began=middle"
    assert scion.main.one(quantity="hazard_ratio").setting == "began=middle"


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
    assert "Infinite coefficient" in ratio.note


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(AnalysisError, match="Interviews tell of a first job, not of days_worked"):
        interview_survival(made(), endpoints.days_worked(30))
    with pytest.raises(DataError, match="has no table 'visits'"):
        interview_survival(make_trial([person("A")], jobs=[job("A", 1, 2)]), ENDPOINT)
    with pytest.raises(AnalysisError, match="No interview up to month 3 "):
        interview_survival(made(), endpoints.time_to_first_job(3))
    with pytest.raises(AnalysisError, match="replicates=50 is not a whole number"):
        interview_survival(made(), ENDPOINT, replicates=50)
