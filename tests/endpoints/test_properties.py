"""What must not change when the same lives are written down differently."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ipseval.endpoints import (
    days_worked,
    durable_employment,
    earnings,
    employed_at,
    employed_monthly,
    ever_employed,
    hours_worked,
    job_tenure,
    jobs_held,
    longest_job,
    time_to_first_job,
    works_at_least,
)
from tests.make_trial import DAY_0, job, make_trial, person

# Few examples of twelve people each: a life costs next to nothing beside making a trial and asking it.
few_examples = settings(max_examples=settings().max_examples // 2)
NAMES = tuple("ABCDEFGHIJKL")
UNCHANGED_BY_A_SPLIT = (
    days_worked(by=18),
    hours_worked(by=18),
    earnings(by=18),
    employed_monthly(until=20),
)
YES_OR_NO = (ever_employed(by=[6, 18]), works_at_least(20, by=18), durable_employment(3, by=[6, 18]))
ALL = (
    *UNCHANGED_BY_A_SPLIT,
    *YES_OR_NO,
    jobs_held(18),
    longest_job(18),
    job_tenure(18),
    time_to_first_job(18),
)

people = st.tuples(
    *(
        st.builds(
            person,
            st.just(name),
            until=st.integers(0, 700),
            end_reason=st.sampled_from(["completed", "withdrawn", "died", None]),
        )
        for name in NAMES
    )
)
spells = st.lists(
    st.builds(
        lambda who, start, length, hours: job(who, start, start + length, hours_per_week=hours),
        st.sampled_from(NAMES),
        st.integers(-60, 700),
        st.integers(1, 300),
        st.sampled_from([8.0, 20.0, 36.0]),
    ),
    max_size=32,
)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    # Sums run in another order, hence not to the last bit.
    pd.testing.assert_frame_equal(left, right, check_exact=False, rtol=1e-12)


@few_examples
@given(people, spells.filter(len), st.data())
def test_splitting_a_spell_leaves_days_hours_and_months(rows, jobs, data):
    whole = make_trial(rows, jobs, month="30_days")
    at = data.draw(st.integers(0, len(jobs) - 1))
    old = jobs[at]
    cut = data.draw(st.integers(old["started_on"], old["ended_on"] - 1))
    halves = [old | {"ended_on": cut}, old | {"started_on": cut + 1}]
    split = make_trial(rows, [*jobs[:at], *halves, *jobs[at + 1 :]], month="30_days")
    for endpoint in UNCHANGED_BY_A_SPLIT:
        same(endpoint.evaluate(whole), endpoint.evaluate(split))
    more = jobs_held(60).evaluate(split)["value"] - jobs_held(60).evaluate(whole)["value"]
    row = NAMES.index(old["participant_id"])
    both_inside = cut >= 0 and cut + 1 <= rows[row]["followed_until"]
    assert more.tolist() == [float(both_inside and at_row == row) for at_row in range(len(NAMES))]


@few_examples
@given(people, spells, st.randoms(use_true_random=False))
def test_the_order_of_job_rows_does_not_matter(rows, jobs, random):
    trial, shuffled = make_trial(rows, jobs), make_trial(rows, random.sample(jobs, len(jobs)))
    for endpoint in ALL:
        same(endpoint.evaluate(trial), endpoint.evaluate(shuffled))


@few_examples
@given(people, spells, st.integers(-2000, 2000))
def test_30_day_results_do_not_depend_on_the_calendar(rows, jobs, shift):
    day_0 = str(np.datetime64(DAY_0) + shift)
    trial = make_trial(rows, jobs, month="30_days")
    shifted = make_trial([row | {"randomised_on": day_0} for row in rows], jobs, month="30_days")
    for endpoint in ALL:
        same(endpoint.evaluate(trial), endpoint.evaluate(shifted))


@few_examples
@given(people, spells, st.integers(0, 400))
def test_following_people_longer_never_turns_yes_into_no(rows, jobs, longer):
    # Spells have their own end, so that longer follow-up adds days and takes none away.
    later = [row | {"followed_until": row["followed_until"] + longer} for row in rows]
    shorter, longer = make_trial(rows, jobs), make_trial(later, jobs)
    for endpoint in (*YES_OR_NO, employed_monthly(until=8)):
        before = endpoint.evaluate(shorter)["value"].fillna(False).to_numpy(dtype=bool)
        after = endpoint.evaluate(longer)["value"].fillna(False).to_numpy(dtype=bool)
        assert not (before & ~after).any()


@few_examples
@given(people, spells)
def test_later_horizons_hold_the_earlier_ones(rows, jobs):
    trial = make_trial(rows, jobs)
    for endpoint in (ever_employed, durable_employment, works_at_least):
        months = endpoint(by=[0.1, 6, 12, 18]).evaluate(trial)["value"].fillna(False).to_numpy(dtype=bool)
        assert (np.diff(months.reshape(-1, len(NAMES)).astype(int), axis=0) >= 0).all()
    for amount in (days_worked, jobs_held, longest_job, hours_worked):
        totals = amount(by=[0.1, 6, 12, 18]).evaluate(trial)["value"].to_numpy().reshape(-1, len(NAMES))
        assert (np.diff(totals, axis=0) >= 0).all()


@few_examples
@given(people, spells, st.integers(0, 8))
def test_being_employed_on_a_day_is_having_worked_in_a_month_of_one_day(rows, jobs, month):
    # Status on A(k) and the series agree: at work on the first day of month k + 1 is at work in it.
    trial = make_trial(rows, jobs, month="30_days")
    on_day = employed_at(month=month).evaluate(trial)
    in_month = employed_monthly(until=9).evaluate(trial)
    in_month = in_month.loc[in_month["month"] == month + 1].reset_index(drop=True)
    both = on_day["known"] & in_month["known"]
    assert not (on_day["value"].fillna(False) & ~in_month["value"].fillna(True) & both).any()
