"""Mean cumulative number of events against R's survival and mets (case b11), and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.mean_cumulative import (
    mean_cumulative,
    mean_cumulative_difference,
    mean_cumulative_ratio,
    mean_cumulative_test,
)
from tests.reference_cases import data, expected

CASE = expected("b11_recurrent_events")
# Sums over the same times in another order.
EXACT = {"rtol": 1e-9, "atol": 1e-12}


def people_of(frame):
    """Return a row per person from a row per interval: duration, died, person, event time, and the arm."""
    last = frame.sort_values("stop").groupby("id").last()
    happened = frame.loc[frame["status"] == 1]
    person = last.index.get_indexer(happened["id"])
    died = (last["status"] == 2).to_numpy()
    return last["stop"].to_numpy(), died, person, happened["stop"].to_numpy(), last["arm"].to_numpy()


def one_arm(file, arm):
    frame = data("b11_recurrent_events", f"{file}.csv")
    return people_of(frame.loc[frame["arm"] == arm])[:4]


def sample(seed, n=60, *, loss=True, death=True):
    """Return people of whom some have many events, some die, and some are lost."""
    rng = np.random.default_rng(seed)
    duration = np.where(rng.random(n) < 0.6 * loss, rng.integers(1, 90, n), 90)
    died = (rng.random(n) < 0.3) & death
    duration = np.where(died, np.minimum(duration, rng.integers(5, 90, n)), duration)
    person = np.repeat(np.arange(n), rng.poisson(rng.gamma(1.0, 1.5, n)))
    when = (rng.random(person.size) * (duration[person] + 1)).astype(int)
    return duration, died, person, when


@pytest.mark.parametrize(
    ("file", "arm"), [(file, arm) for file in ("cgd", "bladder", "untied") for arm in (0, 1)]
)
def test_mean_and_standard_error_are_those_of_case_b11(file, arm):
    wanted = CASE[file]["mean_cumulative"][f"arm_{arm}"]
    got = mean_cumulative(*one_arm(file, arm), times=wanted["time"], interval="log")
    assert_allclose(got.mean, wanted["mean"], **EXACT)
    varies = np.array(wanted["se"]) > 0
    assert_allclose(got.std_error[varies], np.array(wanted["se"])[varies], **EXACT)
    assert np.isnan(got.std_error[~varies]).all()
    z = 1.959963984540054 * got.std_error / got.mean
    assert_allclose(got.conf_low[varies], (got.mean * np.exp(-z))[varies], **EXACT)
    assert_allclose(got.conf_high[varies], (got.mean * np.exp(z))[varies], **EXACT)


@pytest.mark.parametrize("file", ["cgd", "bladder"])
def test_the_test_is_that_of_case_b11(file):
    wanted = CASE[file]["log_rank"]
    duration, died, person, when, arm = people_of(data("b11_recurrent_events", f"{file}.csv"))
    got = mean_cumulative_test(duration, died, person, when, arm)
    assert_allclose(
        [got.z, got.p_value, got.statistic], [wanted["z"], wanted["p"], wanted["z"] ** 2], **EXACT
    )


@pytest.mark.parametrize("seed", range(5))
def test_without_deaths_it_is_the_sum_of_events_over_people_at_risk(seed):
    duration, died, person, when = sample(seed, death=False)
    got = mean_cumulative(duration, died, person, when)
    counts = [(when == time).sum() / (duration >= time).sum() for time in got.time]
    assert_allclose(got.mean, np.cumsum(counts), rtol=1e-14)
    # Lawless and Nadeau: what each person had less what was expected, over the people at risk.
    at_risk = duration[:, None] >= got.time
    own = np.array([[((person == i) & (when == t)).sum() for t in got.time] for i in range(duration.size)])
    error = np.cumsum(at_risk / at_risk.sum(axis=0) * (own - own.sum(axis=0) / at_risk.sum(axis=0)), axis=1)
    assert_allclose(got.std_error, np.sqrt((error**2).sum(axis=0)), **EXACT)


def test_when_nobody_is_lost_it_is_the_average_over_everyone_dead_or_alive():
    duration, died, person, when = sample(3, n=400, loss=False)
    got = mean_cumulative(duration, died, person, when, times=89)
    counts = np.bincount(person[when <= 89], minlength=400)
    assert died.sum() > 50
    assert got.mean[0] == pytest.approx(counts.mean(), rel=1e-12)
    # The equations differ from the sample variance in the order of 1 / n, through the hazard of death.
    assert got.std_error[0] == pytest.approx(counts.std() / 20, rel=5e-3)


def test_counts_stand_beside_the_mean():
    got = mean_cumulative([90, 90, 60, 90], [0, 0, 1, 0], [0, 0, 2], [30, 80, 50], times=[0, 60, 90])
    assert [list(column) for column in (got.n_risk, got.n_event, got.n_died)] == [
        [4, 4, 3],
        [0, 2, 3],
        [0, 1, 1],
    ]
    assert got.alive.tolist() == [1, 0.75, 0.75]


def test_an_event_on_the_day_of_a_death_comes_before_it():
    on_the_day = mean_cumulative([60, 90], [1, 0], [0, 1], [60, 60])
    assert on_the_day.mean.tolist() == [1.0]
    after = mean_cumulative([60, 90], [1, 0], [1], [61])
    assert after.mean.tolist() == [0.5]


def test_the_order_of_people_changes_nothing_and_twins_halve_the_variance():
    duration, died, person, when = sample(7)
    n = duration.size
    order = np.random.default_rng(1).permutation(n)
    place = np.argsort(order)
    once = mean_cumulative(duration, died, person, when)
    shuffled = mean_cumulative(duration[order], died[order], place[person], when)
    twice = mean_cumulative(
        np.tile(duration, 2),
        np.tile(died, 2),
        np.append(person, person + n),
        np.tile(when, 2),
        times=once.time,
    )
    for column in ("mean", "std_error"):
        assert_allclose(getattr(shuffled, column), getattr(once, column), **EXACT)
    assert_allclose(twice.mean, once.mean, **EXACT)
    assert_allclose(twice.std_error, once.std_error / np.sqrt(2), **EXACT)


@pytest.mark.parametrize("interval", ["log-t", "log", "plain"])
def test_swapping_the_arms_flips_the_difference_and_inverts_the_ratio(interval):
    arms = [mean_cumulative(*sample(seed), times=[30, 60, 89]) for seed in (1, 2)]
    one, other = (mean_cumulative_difference(*pair, interval=interval) for pair in (arms, arms[::-1]))
    assert_allclose([one.estimate, one.conf_low], [-other.estimate, -other.conf_high], **EXACT)
    if interval == "plain":
        return
    one, other = (mean_cumulative_ratio(*pair, interval=interval) for pair in (arms, arms[::-1]))
    assert_allclose([one.estimate, one.conf_low], [1 / other.estimate, 1 / other.conf_high], **EXACT)


def test_limits_by_t_are_those_of_an_average_of_counts_on_the_logarithm():
    counts = np.array([0, 1, 3, 0, 2, 1, 1, 0])
    person = np.repeat(np.arange(8), counts)
    got = mean_cumulative([90] * 8, [0] * 8, person, np.arange(person.size), times=60)
    half = stats.t.ppf(0.975, 7) * counts.std(ddof=1) / np.sqrt(8) / counts.mean()
    assert_allclose([got.conf_low, got.conf_high], counts.mean() * np.exp([[-half], [half]]), **EXACT)


def test_the_test_turns_with_the_arms_and_adds_up_strata():
    duration, died, person, when = sample(4, n=80)
    active = np.arange(80) % 2 == 0
    one, other = (mean_cumulative_test(duration, died, person, when, arm) for arm in (active, ~active))
    assert one.z == pytest.approx(-other.z)
    one_stratum = mean_cumulative_test(duration, died, person, when, active, strata=np.full(80, "S"))
    assert one_stratum.z == pytest.approx(one.z, rel=1e-12)
    # A copy of everybody in a stratum of their own doubles both the score and its variance.
    twice = mean_cumulative_test(
        np.tile(duration, 2),
        np.tile(died, 2),
        np.append(person, person + 80),
        np.tile(when, 2),
        np.tile(active, 2),
        strata=np.repeat(["a", "b"], 80),
    )
    assert twice.z == pytest.approx(np.sqrt(2) * one.z, rel=1e-12)


def test_no_events_have_a_mean_of_0_and_no_interval():
    none = mean_cumulative([90, 80], [0, 0], [], [], times=[30])
    assert none.mean.tolist() == [0.0]
    assert np.isnan([none.std_error, none.conf_low, none.conf_high]).all()
    some = mean_cumulative([90, 80], [0, 0], [0], [20], times=[30])
    assert np.isnan(mean_cumulative_ratio(some, none).estimate).all()
    assert np.isnan(mean_cumulative_difference(some, none).conf_low).all()
    with pytest.raises(NotDefinedError, match="both arms"):
        mean_cumulative_test([90, 80], [0, 0], [], [], [1, 0])


def test_refusals():
    with pytest.raises(AnalysisError, match="person has 1 of 2 entries beyond the 2 people"):
        mean_cumulative([90, 80], [0, 0], [0, 2], [20, 30])
    with pytest.raises(AnalysisError, match="event_time is after duration for 1 of 2 events"):
        mean_cumulative([90, 80], [0, 0], [0, 1], [20, 81])
    with pytest.raises(AnalysisError, match="Nobody is followed to time 100, though people are alive at 90"):
        mean_cumulative([90, 80], [0, 0], [0], [20], times=[30, 100])
    with pytest.raises(AnalysisError, match="different times"):
        mean_cumulative_ratio(*(mean_cumulative([90], [0], [0], [20], times=time) for time in (30, 40)))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "runs"), [(25, 1000), (70, 1000)])
def test_limits_cover_known_means_when_people_differ_die_and_are_lost(n, runs):
    rng = np.random.default_rng(n)

    def draw(likely):
        rate = rng.gamma(1.0, 1.0, n) * likely / 90
        death, lost = rng.exponential(600, n), rng.exponential(250, n)
        duration = np.minimum(np.minimum(death, lost), 90.0)
        person = np.repeat(np.arange(n), rng.poisson(rate * duration))
        return duration, death <= np.minimum(lost, 90.0), person, rng.random(person.size) * duration[person]

    # Nobody's death depends on their events: the mean is the integral of the rate times survival.
    means = np.array([0.8, 0.4]) / 90 * 600 * (1 - np.exp(-80 / 600))
    covered = np.zeros(3)
    for _ in range(runs):
        arms = [mean_cumulative(*draw(likely), times=80.0) for likely in (0.8, 0.4)]
        truths = means[0], means[0] - means[1], means[0] / means[1]
        found = arms[0], mean_cumulative_difference(*arms), mean_cumulative_ratio(*arms)
        covered += [x.conf_low[0] <= truth <= x.conf_high[0] for x, truth in zip(found, truths, strict=True)]
    # Three Monte Carlo standard errors at 0.95 are 0.02.
    assert (np.abs(covered / runs - 0.95) < 0.025).all()
