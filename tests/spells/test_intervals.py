"""Spells against a brute-force expansion to single days, and what must not change the answer."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipseval import months, spells
from ipseval.errors import AnalysisError

N = 3
FIRST, LAST = -20, 100


@st.composite
def job_spells(draw: st.DrawFn, min_size: int = 0) -> spells.Spells:
    """Spells of up to three people; many overlap, nest, touch or stand a day apart."""
    size = draw(st.integers(min_size, 10))
    people, starts, lengths, weekly, wages = (
        draw(st.lists(values, min_size=size, max_size=size))
        for values in (
            st.integers(0, N - 1),
            st.integers(FIRST, LAST - 30),
            st.integers(1, 30),
            st.sampled_from([np.nan, 0.0, 7.0, 20.5, 38.0]),
            st.sampled_from([np.nan, 0.0, 9.5, 14.25]),
        )
    )
    ends = np.add(starts, lengths) - 1
    return spells.job_spells(
        np.array(people, int),
        np.array(starts, int),
        ends,
        n_persons=N,
        hours_per_week=weekly,
        wage_per_hour=wages,
    )


WINDOWS = st.tuples(*[st.integers(FIRST - 5, LAST + 5)] * (2 * N)).map(lambda days: np.reshape(days, (2, N)))


def day_by_day(
    jobs: spells.Spells, amount: np.ndarray, from_day: np.ndarray, to_day: np.ndarray
) -> np.ndarray:
    """Sum an amount per spell and day over the days of each person's window, shape (N, days)."""
    calendar = np.arange(FIRST - 10, LAST + 10)
    total = np.zeros((N, len(calendar)))
    for row, person in enumerate(jobs.person):
        runs = (calendar >= jobs.start[row]) & (calendar <= jobs.end[row])
        total[person, runs & (calendar >= from_day[person]) & (calendar <= to_day[person])] += amount[row]
    return total


def runs_of_days(worked: np.ndarray, gap_days: int) -> list[int]:
    """Lengths of episodes in a row of days, counted day by day."""
    lengths, idle = [], gap_days + 1
    for day in worked:
        if day and idle > gap_days:
            lengths.append(1)
        elif day:
            lengths[-1] += idle + 1
        idle = 0 if day else idle + 1
    return lengths


@given(job_spells(), WINDOWS, st.integers(0, 5))
def test_totals_in_any_window_are_those_of_single_days(jobs, window, gap_days):
    clipped = spells.clip(jobs, *window)
    ones, per_day = np.ones(len(jobs)), jobs.hours_per_week / 7
    worked = day_by_day(jobs, ones, *window) > 0
    np.testing.assert_array_equal(spells.days_covered(clipped), worked.sum(axis=1))
    # Sums in another order: a few units in the last place.
    for got, amount in [(spells.hours, per_day), (spells.earnings, per_day * jobs.wage_per_hour)]:
        np.testing.assert_allclose(got(clipped), day_by_day(jobs, amount, *window).sum(axis=1), rtol=1e-12)
    episodes = spells.merge(clipped, gap_days=gap_days)
    for person in range(N):
        lengths = runs_of_days(worked[person], gap_days)
        assert episodes.length[episodes.person == person].tolist() == lengths
        assert spells.n_spells(episodes)[person] == len(lengths)
        assert spells.longest_spell(episodes)[person] == max(lengths, default=0)


@given(job_spells(), st.lists(st.integers(FIRST - 5, LAST + 5), min_size=N, max_size=N))
def test_covers_first_new_start_and_spells_under_way(jobs, day):
    worked = day_by_day(jobs, np.ones(len(jobs)), np.array(day), np.array(day)).any(axis=1)
    np.testing.assert_array_equal(spells.covers(jobs, day), worked)
    for person in range(N):
        start, end = jobs.start[jobs.person == person], jobs.end[jobs.person == person]
        new = [first for first in start if 0 <= first <= day[person]]
        np.testing.assert_equal(spells.first_new_start(jobs, day)[person], min(new, default=np.nan))
        assert spells.in_spell_at_randomisation(jobs)[person] == any((start < 0) & (end >= 0))


@given(job_spells(min_size=1), st.randoms(use_true_random=False))
def test_splitting_shuffling_and_shifting_leave_days_and_episodes_unchanged(jobs, random):
    def totals(some: spells.Spells) -> list:
        episodes = spells.merge(some)
        return [episodes.person.tolist(), episodes.length.tolist(), spells.days_covered(some).tolist()]

    row = random.randrange(len(jobs))
    cut = random.randint(int(jobs.start[row]), int(jobs.end[row]))
    pieces = [(jobs.start[row], cut), (min(cut + 1, jobs.end[row]), jobs.end[row])]
    person = np.append(jobs.person, [jobs.person[row]] * 2)
    start = np.append(jobs.start, [piece[0] for piece in pieces])
    end = np.append(jobs.end, [piece[1] for piece in pieces])
    order = [at for at in range(len(person)) if at != row]
    random.shuffle(order)
    again = spells.job_spells(person[order], start[order], end[order], n_persons=N)
    assert totals(again) == totals(jobs)
    assert totals(replace(jobs, start=jobs.start + 1000, end=jobs.end + 1000)) == totals(jobs)


def test_a_nested_spell_adds_hours_but_no_day():
    jobs = spells.job_spells(
        [0, 0], [0, 3], [13, 9], n_persons=1, hours_per_week=[20, 10], wage_per_hour=[10, 12]
    )
    assert spells.days_covered(jobs) == [14]
    assert spells.hours(jobs) == [14 * 20 / 7 + 7 * 10 / 7]
    assert spells.earnings(jobs) == [400 + 120]
    assert spells.n_spells(jobs) == [2]


def test_a_long_first_spell_is_not_forgotten_by_later_short_ones():
    jobs = spells.job_spells([0, 0, 0, 1], [0, 2, 40, 0], [50, 3, 41, 0], n_persons=2)
    assert spells.merge(jobs).length.tolist() == [51, 1]


def test_unknown_hours_are_missing_only_in_windows_that_the_spell_touches():
    jobs = spells.job_spells([0, 0], [0, 10], [4, 14], n_persons=2, hours_per_week=[7, np.nan])
    np.testing.assert_array_equal(spells.hours(spells.clip(jobs, 0, 9)), [5, 0])
    np.testing.assert_array_equal(spells.hours(spells.clip(jobs, 0, 10)), [np.nan, 0])
    by_month = spells.hours_by_month(jobs, [[0, 7, 14, 21, 28]])
    np.testing.assert_array_equal(by_month, [[5, np.nan, np.nan, 0], [0, 0, 0, 0]])


@given(job_spells(), st.sampled_from(months.MONTH_RULES), st.integers(1, 4))
def test_months_share_out_the_days_hours_and_earnings_of_their_window(jobs, rule, n_months):
    randomised_on = np.array(["2020-01-31", "2019-12-30", "2020-02-29"], "datetime64[D]")
    edges = months.month_edges(n_months, rule, randomised_on=randomised_on)
    rows = np.broadcast_to(edges, (N, n_months + 1))
    per_day = jobs.hours_per_week / 7
    days = spells.days_by_month(jobs, edges)
    for month in range(n_months):
        window = rows[:, month], rows[:, month + 1] - 1
        worked = day_by_day(jobs, np.ones(len(jobs)), *window) > 0
        np.testing.assert_array_equal(days[:, month], worked.sum(axis=1))
        for by_month, amount in [
            (spells.hours_by_month, per_day),
            (spells.earnings_by_month, per_day * jobs.wage_per_hour),
        ]:
            expected = day_by_day(jobs, amount, *window).sum(axis=1)
            np.testing.assert_allclose(by_month(jobs, edges)[:, month], expected, rtol=1e-12)
    whole = spells.clip(jobs, rows[:, 0], rows[:, -1] - 1)
    np.testing.assert_array_equal(days.sum(axis=1), spells.days_covered(whole))
    np.testing.assert_allclose(
        spells.hours_by_month(jobs, edges).sum(axis=1), spells.hours(whole), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spells.job_spells([0], [5], [4], n_persons=1), "1 of 1 spells end before they start."),
        (
            lambda: spells.job_spells([0, 3], [5, 5], [9, 9], n_persons=2),
            "person is outside 0 to 1 for 1 of 2",
        ),
        (
            lambda: spells.job_spells([0], [np.nan], [4], n_persons=1),
            "start is missing or not finite for 1 of 1",
        ),
        (lambda: spells.job_spells([0], [0.5], [4], n_persons=1), "start is not a whole number for 1 of 1"),
        (lambda: spells.job_spells([0], [0, 1], [4], n_persons=1), "Arrays differ in length"),
        (lambda: spells.hours(spells.job_spells([0], [0], [4], n_persons=1)), "hours_per_week was not given"),
        (
            lambda: spells.clip(spells.job_spells([0], [0], [4], n_persons=1), [0, 1], 9),
            "Pass one day, or one per",
        ),
        (
            lambda: spells.merge(spells.job_spells([0], [0], [4], n_persons=1), gap_days=-1),
            "gap_days=-1 is negative",
        ),
        (
            lambda: spells.days_by_month(spells.job_spells([0], [0], [4], n_persons=3), [[0, 1], [0, 1]]),
            "1 or 3 rows",
        ),
    ],
)
def test_refusals(call, message: str):
    with pytest.raises(AnalysisError, match=re.escape(message)):
        call()
