"""Mean amounts under drop-out: against R, against exact identities, and on simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts.censored_means import (
    partitioned_mean_amount,
    partitioned_mean_replicates,
    weighted_mean_amount,
)
from ipseval.stats.amounts.log_scale_means import workers_difference
from ipseval.stats.bootstrap import count_weights
from tests import reference_cases

HORIZON = 540
ENDS = np.array([180, 360, 540])


def trial_alpha(arm):
    """Days since the first job, by interval, as the reference script builds them."""
    data = reference_cases.data("b2_survival_alpha").query("arm == @arm")
    followed = np.minimum(data["followup_days"], HORIZON).to_numpy(float)
    complete = ((followed == HORIZON) | (data["end_reason"] == "died")).to_numpy()
    up_to = np.column_stack(
        [
            np.where(data["status"] == 1, np.maximum(0, np.minimum(followed, e) - data["time"]), 0)
            for e in ENDS
        ]
    )
    return np.diff(up_to, axis=1, prepend=0.0), complete, followed


def unseen(parts, complete, followed, ends=ENDS):
    """Blank the intervals that were not seen in full, as the function asks."""
    return np.where(complete[:, None] | (followed[:, None] >= ends), parts, np.nan)


@pytest.mark.parametrize("arm", [1, 0])
def test_both_estimators_agree_with_r(arm):
    # Estimates in closed form; R's standard error is a numerical derivative, good to about 1e-7.
    parts, complete, followed = trial_alpha(arm)
    r = {k: v[f"arm{arm}"] for k, v in reference_cases.expected("g2_amounts_alpha").items() if k[0] in "wp"}
    weighted = weighted_mean_amount(parts.sum(axis=1), complete, followed)
    partitioned = partitioned_mean_amount(unseen(parts, complete, followed), ENDS, complete, followed)
    for got, expected in ((weighted, r["weighted"]), (partitioned, r["partitioned"])):
        assert (got.n, got.n_complete) == (expected["n"], expected["n_complete"])
        assert got.estimate == approx(expected["estimate"], rel=1e-10)
        assert got.std_error == approx(expected["se"], rel=1e-6)


@pytest.mark.parametrize("tau", [90, 180, 365])
@pytest.mark.parametrize("arm", [1, 0])
def test_amount_of_time_alive_is_the_restricted_mean_of_r(tau, arm):
    # Weighting min(T, tau) for censoring gives the area under Kaplan-Meier exactly, ties included.
    data = reference_cases.data("b1_survival_veteran").query("trt == @arm + 1")
    r = reference_cases.expected("b1_survival_veteran")["rmst"][f"tau_{tau}"][f"arm{arm}"]
    days = np.minimum(data["time"], tau).to_numpy(float)
    complete = ((data["status"] == 1) | (data["time"] >= tau)).to_numpy()
    ends = np.arange(15, tau + 15, 15.0).clip(max=tau)
    alive = np.diff(np.minimum(days[:, None], ends), axis=1, prepend=0.0)
    for got in (
        weighted_mean_amount(days, complete, days),
        partitioned_mean_amount(unseen(alive, complete, days, ends), ends, complete, days),
    ):
        assert got.estimate == approx(r["rmst"], rel=1e-10)
        # Greenwood's variance is this one with divisor n instead of n - 1.
        assert got.std_error == approx(r["se"] * np.sqrt(got.n / (got.n - 1)), rel=1e-9)


def test_weights_by_hand():
    # Days 30, 60 (censored), 90, 90: three at risk on day 60, so that K(90-) = 2/3.
    complete, followed = [True, True, False, True], [90, 30, 60, 90]
    weighted = weighted_mean_amount([10, 20, 5, 60], complete, followed)
    assert weighted.estimate == approx((20 + 1.5 * (10 + 60)) / 4)
    assert weighted.largest_weight == approx(1.5)
    nan = np.nan
    parts = partitioned_mean_amount([[5, 5], [20, 0], [5, nan], [30, 30]], [45, 90], complete, followed)
    assert parts.estimate == approx((5 + 20 + 5 + 30) / 4 + 1.5 * (5 + 30) / 4)


def test_completion_comes_before_censoring_on_the_same_day():
    # On day 50 one completes (a death) and one of the three others leaves: K(90-) = 2/3, K(50-) = 1.
    got = weighted_mean_amount([8, 0, 6, 12], [True, False, True, True], [50, 50, 90, 90])
    assert got.estimate == approx((8 + 1.5 * (6 + 12)) / 4)


amounts = st.integers(0, 300)
people = st.lists(st.tuples(amounts, amounts, st.integers(0, 9), st.booleans()), min_size=4, max_size=25)


def arm_of(rows):
    """An arm whose longest record, day 10, is complete; days tie heavily; two intervals end on 4 and 10."""
    first, second, followed, complete = (np.array(column) for column in zip(*rows, strict=True))
    first, second = np.append(first, [7, 90]), np.append(second, [40, 3])
    complete, followed = np.append(complete, [True, True]), np.append(followed, [10, 10])
    return np.column_stack([first, second]).astype(float), complete, followed.astype(float)


@given(people)
def test_everyone_counted_once_and_influences_cancel(rows):
    parts, complete, followed = arm_of(rows)
    # An amount of 1 for everyone has mean 1: the weights stand for all n people, in every interval.
    assert weighted_mean_amount(np.ones(followed.size), complete, followed).estimate == approx(1)
    for got in (
        weighted_mean_amount(parts.sum(axis=1), complete, followed),
        partitioned_mean_amount(unseen(parts, complete, followed, [4, 10]), [4, 10], complete, followed),
    ):
        assert got.influence.sum() == approx(0, abs=1e-8)


@given(people, st.sampled_from([1 / 7, 24]), st.randoms())
def test_units_constants_rows_and_clocks(rows, unit, random):
    parts, complete, followed = arm_of(rows)
    got = weighted_mean_amount(parts.sum(axis=1), complete, followed)
    order = random.sample(range(followed.size), followed.size)
    total = unit * parts.sum(axis=1)[order] + 50
    changed = weighted_mean_amount(total, complete[order], 30 * followed[order] + 2)
    assert [changed.estimate, changed.std_error] == approx([unit * got.estimate + 50, unit * got.std_error])
    assert changed.influence == approx(unit * got.influence[order], abs=1e-7)


@given(people)
def test_influence_is_the_derivative_by_the_weight_of_a_person(rows):
    # Everyone copied 2000 times, one person once more: a weight moved by 1 / 2000.
    parts, complete, followed = arm_of(rows[:6])
    n, copies = followed.size, 2000
    got = weighted_mean_amount(parts.sum(axis=1), complete, followed)
    for person in range(n):
        repeat = np.full(n, copies)
        repeat[person] += 1
        moved = weighted_mean_amount(
            *(np.repeat(v, repeat) for v in (parts.sum(axis=1), complete, followed))
        ).estimate
        slope = (moved - got.estimate) * (n * copies + 1)
        assert slope == approx(got.influence[person], abs=0.02 * (1 + np.abs(got.influence).max()))


@given(people)
def test_without_censoring_it_is_the_plain_mean(rows):
    parts, _, followed = arm_of(rows)
    total, everyone = parts.sum(axis=1), np.ones(followed.size, bool)
    for got in (
        weighted_mean_amount(total, everyone, followed),
        partitioned_mean_amount(parts, [4, 10], everyone, followed),
    ):
        assert got.estimate == approx(total.mean())
        assert got.std_error == approx(total.std(ddof=1) / np.sqrt(total.size))


def dropout(rng, n):
    """Amounts of 180 days in six intervals, half of the people never at work; a third leave early."""
    rate = rng.exponential(1, n) * (rng.random(n) < 0.5)
    parts = rate[:, None] * rng.uniform(0.5, 1.5, (n, 6)) * 30
    leaves = np.ceil(rng.exponential(400, n))
    followed, ends = np.minimum(leaves, 180), np.arange(30, 181, 30.0)
    complete = leaves >= 180
    return unseen(parts, complete, followed, ends), ends, complete, followed


def test_standard_error_agrees_with_the_bootstrap():
    parts, ends, complete, followed = dropout(np.random.default_rng(2), 250)
    total = np.nansum(parts, axis=1)
    counts = np.concatenate(list(count_weights(np.zeros(250), 1500, seed=6)))
    draws = []
    for row in counts:
        rows = np.repeat(np.arange(250), row)
        draws.append(
            (
                weighted_mean_amount(total[rows], complete[rows], followed[rows]).estimate,
                partitioned_mean_amount(parts[rows], ends, complete[rows], followed[rows]).estimate,
            )
        )
    simple = weighted_mean_amount(total, complete, followed)
    parted = partitioned_mean_amount(parts, ends, complete, followed)
    # 1 / sqrt(2 B) = 0.018, and a bootstrap has divisor n; three Monte Carlo errors.
    assert np.std(draws, axis=0) == approx([simple.std_error, parted.std_error], rel=0.055)
    assert parted.std_error < simple.std_error


@pytest.mark.slow
def test_unbiased_with_nominal_coverage_where_the_plain_means_are_not():
    rng = np.random.default_rng(99)
    truth, runs = 90.0, 2000  # half of the people, mean rate 1, 180 days
    results = []
    for _ in range(runs):
        parts, ends, complete, followed = dropout(rng, 200)
        simple = weighted_mean_amount(np.nansum(parts, axis=1), complete, followed)
        parted = partitioned_mean_amount(parts, ends, complete, followed)
        results.append([simple, parted, np.nansum(parts, axis=1).mean()])
    for got in zip(*[row[:2] for row in results], strict=True):
        error = np.array([g.estimate - truth for g in got])
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(runs)
        covered = np.mean([g.conf_low < truth < g.conf_high for g in got])
        assert 0.93 < covered < 0.965  # Monte Carlo error 0.005; skewed amounts cost about a point
    assert np.mean([row[2] for row in results]) < 0.9 * truth  # what was seen, called complete


@pytest.mark.parametrize(
    ("amount", "complete", "followed", "reason"),
    [
        ([1, 2, 3], [False, False, False], [5, 6, 7], "Nobody is complete"),
        ([1, 2, 3], [True, True, False], [5, 6, 7], "1 of 3 people left after day 6"),
    ],
)
def test_a_mean_that_the_data_do_not_show_is_missing_with_a_reason(amount, complete, followed, reason):
    got = weighted_mean_amount(amount, complete, followed)
    assert np.isnan([*got[:4], *got.influence]).all() and reason in got.note
    reference = weighted_mean_amount([1, 2], [True, True], [7, 7])
    difference = workers_difference(got, reference, amount, [1, 2])
    assert np.isnan(difference[:7]).all() and difference.note == got.note.rstrip(".")


@pytest.mark.parametrize(
    ("amount", "complete", "reason"),
    [
        ([4], [True], "Fewer than two"),
        ([4, 9], [True, False], "Fewer than two"),
        ([0, 0], [True, True], "No spread"),
    ],
)
def test_an_estimate_without_spread_has_no_interval(amount, complete, reason):
    got = weighted_mean_amount(amount, complete, [10, 5][: len(amount)])
    assert got.estimate == amount[0]
    assert np.isnan([got.std_error, got.conf_low, got.conf_high]).all() and reason in got.note


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: weighted_mean_amount([], [], []), "nobody in this arm"),
        (
            lambda: weighted_mean_amount([1, np.nan], [1, 1], [5, 5]),
            "amount is missing or not finite for 1 of 2",
        ),
        (lambda: weighted_mean_amount([1, 2], [1, 2], [5, 5]), "is_complete has 1 of 2 entries other than 0"),
        (lambda: weighted_mean_amount([1, 2], [1, 1], [5, -1]), "followed_days is negative for 1 of 2"),
        (lambda: weighted_mean_amount([1], [1, 1], [5, 5]), "differ in length"),
        (
            lambda: partitioned_mean_amount([[1, np.nan], [1, 1]], [3, 5], [1, 1], [5, 5]),
            "missing in 1 of 4 intervals",
        ),
        (
            lambda: partitioned_mean_amount([[1], [1]], [3, 5], [1, 1], [5, 5]),
            r"shape \(2, 1\) for 2 people and 2",
        ),
        (
            lambda: partitioned_mean_amount([[1, 1], [1, 1]], [3, 5], [1, 1], [5, 8]),
            "reach the last day followed",
        ),
        (
            lambda: partitioned_mean_amount([[1, 1], [1, 1]], [5, 5], [1, 1], [5, 5]),
            "interval_ends must rise",
        ),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


@given(
    days=st.lists(st.integers(0, 12), min_size=3, max_size=12),
    ends=st.lists(st.integers(1, 11), max_size=3, unique=True),
    seed=st.integers(0, 2**16),
)
def test_a_replicate_is_the_estimator_of_the_people_drawn(days, ends, seed):
    """Each row of counts against the estimator applied to the people repeated that often."""
    draw = np.random.default_rng(seed)
    n, ends = len(days), np.array([*sorted(ends), 13])
    amounts = draw.integers(0, 50, (n, len(ends))).astype(float)
    complete = draw.random(n) < 0.7
    complete[np.argmax(days)] = True
    counts = np.vstack([np.ones(n, dtype=int), draw.multinomial(n, np.full(n, 1 / n), size=5)])
    found = partitioned_mean_replicates(amounts, ends, complete, days, counts)
    for row, value in zip(counts, found, strict=True):
        again = np.repeat(np.arange(n), row)
        people = amounts[again], ends, complete[again], np.asarray(days)[again]
        want = partitioned_mean_amount(*people).estimate
        assert value == pytest.approx(want, rel=1e-12, nan_ok=True)  # the same sum in another order


def test_totals_that_are_alike_have_no_spread_although_their_parts_differ():
    one = partitioned_mean_amount([[20, 10], [10, 20], [5, 25]], [45, 90], [True] * 3, [90] * 3)
    assert one.estimate == approx(30)
    assert np.isnan(one.std_error)
    assert "No spread" in one.note
    assert "No spread" in workers_difference(one, one, [30] * 3, [30] * 3).note
