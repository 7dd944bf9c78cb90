"""The bootstrap: its weights exactly, its intervals against SciPy and against formulas."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import (
    acceleration,
    acceleration_of,
    bca_interval,
    bootstrap_draws,
    bootstrap_mean_difference,
    chunk_seeds,
    count_weights,
    draw_counts,
    jackknife_values,
    percentile_interval,
)
from ipseval.stats.means import mean_difference
from tests import reference_cases

RNG = np.random.default_rng(11)
HOURS_1 = np.round(RNG.exponential(90, 50) * (RNG.random(50) < 0.6), 1)
HOURS_0 = np.round(RNG.exponential(60, 40) * (RNG.random(40) < 0.4), 1)


def weights(strata, replicates, seed):
    return np.concatenate(list(count_weights(strata, replicates, seed)))


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=30), st.integers(0, 2**32))
def test_every_replicate_keeps_the_size_of_every_stratum(strata, seed):
    counts = weights(strata, 100, seed)
    assert counts.shape == (100, len(strata)) and counts.min() >= 0
    for stratum in set(strata):
        inside = np.array(strata) == stratum
        assert (counts[:, inside].sum(axis=1) == inside.sum()).all()


def test_each_person_is_drawn_as_often_as_chance_says():
    # Multinomial: mean 1, variance 1 - 1/m, covariance -1/m within a stratum of m, none between strata.
    counts = weights(["A"] * 4 + ["B"] * 2, 40_000, seed=5)
    expected = np.zeros((6, 6))
    expected[:4, :4], expected[4:, 4:] = np.eye(4) - 1 / 4, np.eye(2) - 1 / 2
    assert counts.mean(axis=0) == approx(1, abs=0.02)  # four Monte Carlo errors of 0.0045
    assert np.cov(counts.T) == approx(expected, abs=0.03)


def test_chunks_may_be_drawn_in_any_order_and_more_replicates_begin_alike():
    codes = np.repeat([0, 1], [3000, 2000])
    chunks = list(count_weights(codes, 500, seed=9))
    assert len(chunks) > 2  # about a million counts a chunk
    plan = chunk_seeds(codes.size, 500, seed=9)
    backwards = [draw_counts(codes, rows, child) for child, rows in reversed(plan)][::-1]
    assert all((a == b).all() for a, b in zip(chunks, backwards, strict=True))
    assert (weights(codes, 300, seed=9) == np.concatenate(chunks)[:300]).all()
    assert not (weights(codes, 300, seed=10) == np.concatenate(chunks)[:300]).all()


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_limits_agree_with_scipy_within_monte_carlo_error(method):
    replicates = 20_000
    got = bootstrap_mean_difference(HOURS_1, HOURS_0, replicates=replicates, seed=1, method=method)
    scipys = scipy.stats.bootstrap(
        (HOURS_1, HOURS_0),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        n_resamples=replicates,
        method={"bca": "BCa"}.get(method, method),
        rng=np.random.default_rng(2),
    )
    # A 2.5% quantile of B normal draws has standard error sqrt(0.025 * 0.975 / B) / 0.0584 = 0.019 SE, and
    # BCa's bias correction adds as much again; two such limits differ by less than 4 * sqrt(2) * 0.027 SE.
    within = 4 * np.sqrt(2) * 0.027 * got.std_error
    limits = scipys.confidence_interval
    assert [got.conf_low, got.conf_high] == approx([limits.low, limits.high], abs=within)
    assert got.std_error == approx(scipys.standard_error, rel=0.03)  # relative error 1 / sqrt(2 B), twice


@pytest.mark.parametrize("strata", [False, True])
def test_standard_error_is_near_its_formula(strata):
    # Drawing m with replacement from m has variance s^2 (m - 1) / m^2 around the stratum's mean.
    sites = (np.arange(50) % 3, np.arange(40) % 3) if strata else (np.zeros(50), np.zeros(40))
    variance = sum(
        (np.bincount(site.astype(int))[level] / y.size) ** 2
        * y[site == level].var()
        / np.bincount(site.astype(int))[level]
        for y, site in ((HOURS_1, sites[0]), (HOURS_0, sites[1]))
        for level in np.unique(site).astype(int)
    )
    got = bootstrap_mean_difference(
        HOURS_1, HOURS_0, replicates=20_000, seed=3, strata=sites if strata else None
    )
    assert got.std_error == approx(np.sqrt(variance), rel=0.02)  # four times 1 / sqrt(2 B) = 0.005
    assert abs(got.bias) < 4 * got.std_error / np.sqrt(20_000)


def test_jackknife_leaves_each_person_out():
    y = np.array([0.0, 3.0, 4.0, 10.0])
    left_out = jackknife_values(lambda counts: counts @ y / counts.sum(axis=1), y.size)
    assert left_out == approx([17 / 3, 14 / 3, 13 / 3, 7 / 3])


def test_jackknife_in_chunks_leaves_the_same_people_out():
    y = np.arange(1500.0)  # more than a million cells, so several chunks
    left_out = jackknife_values(lambda counts: counts @ y / counts.sum(axis=1), y.size)
    assert left_out == approx((y.sum() - y) / 1499)


def test_acceleration_of_a_mean_is_its_skewness():
    # Efron (1987): a = skewness / (6 sqrt(n)) for the mean of one sample, with moments of divisor n.
    y = HOURS_1
    left_out = jackknife_values(lambda counts: counts @ y / counts.sum(axis=1), y.size)
    expected = scipy.stats.skew(y) / (6 * np.sqrt(y.size))
    assert acceleration(left_out, np.zeros(y.size)) == approx(expected, rel=1e-9)
    assert acceleration(-left_out, np.zeros(y.size)) == approx(-expected, rel=1e-9)


def test_acceleration_of_two_arms_by_hand():
    # Davison & Hinkley: influences (y - mean) / n of arm 1 and minus those of arm 0; here 4 v 2 people.
    y1, y0 = np.array([0.0, 0.0, 2.0, 10.0]), np.array([1.0, 4.0])
    influence = np.concatenate([(y1 - 3) / 4, -(y0 - 2.5) / 2])
    expected = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    left_out = [(12 - y) / 3 - 2.5 for y in y1] + [3 - y for y in y0[::-1]]
    assert acceleration(left_out, [1, 1, 1, 1, 0, 0]) == approx(expected)


def test_bca_without_bias_or_acceleration_is_the_percentile_interval():
    draws = np.arange(1.0, 1000.0)
    assert bca_interval(draws, 500.0, 0.0)[:5] == approx(percentile_interval(draws, 500.0)[:5])


def test_bca_by_hand():
    # Efron and Tibshirani's equation 14.10 written out: 30% of the draws lie below the estimate.
    draws = np.arange(1000.0)
    z0, a = scipy.stats.norm.ppf(0.3), 0.04
    shares = [scipy.stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in (-1.959964, 1.959964)]
    got = bca_interval(draws, 299.5, a)
    assert [got.conf_low, got.conf_high] == approx([999 * share for share in shares], abs=1e-3)


@given(st.integers(0, 1000), st.sampled_from(["percentile", "bca"]))
def test_units_and_constants_move_the_interval_with_them(seed, method):
    y1, y0 = HOURS_1[:12], HOURS_0[:10]
    got = bootstrap_mean_difference(y1, y0, replicates=200, seed=seed, method=method)
    changed = bootstrap_mean_difference(8 * y1 + 64, 8 * y0, replicates=200, seed=seed, method=method)
    # A tie with the estimate may fall on either side after rounding, which moves a limit by one draw.
    slack = 0.0 if method == "percentile" else 0.2 * got.std_error * 8
    assert [changed.estimate, changed.std_error] == approx([8 * got.estimate + 64, 8 * got.std_error])
    assert [changed.conf_low, changed.conf_high] == approx(
        [8 * got.conf_low + 64, 8 * got.conf_high + 64], abs=slack + 1e-8
    )


def test_any_vectorised_statistic_serves_and_may_return_several_numbers():
    y = HOURS_1

    def moments(counts):
        return np.column_stack([counts @ y, counts @ y**2]) / counts.sum(axis=1, keepdims=True)

    draws = bootstrap_draws(moments, np.zeros(y.size), replicates=300, seed=4)
    means = bootstrap_draws(lambda counts: counts @ y / y.size, np.zeros(y.size), replicates=300, seed=4)
    assert draws.shape == (300, 2) and draws[:, 0] == approx(means)


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize(
    ("y1", "y0", "reason"), [([3], [1, 2], "Fewer than two"), ([0, 0], [5, 5, 5], "No spread")]
)
def test_what_cannot_be_resampled_is_missing_with_a_reason(y1, y0, reason, method):
    got = bootstrap_mean_difference(y1, y0, seed=1, method=method)
    assert got.estimate == np.mean(y1) - np.mean(y0)
    assert np.isnan(got[1:5]).all() and reason in got.note


def test_people_alone_in_their_strata_leave_no_interval():
    strata = (["A", "B"], ["A", "B"])
    got = bootstrap_mean_difference([1, 9], [2, 5], seed=1, strata=strata)
    assert np.isnan(got[1:5]).all() and "alike" in got.note


def test_one_failed_replicate_leaves_the_interval_missing_and_is_counted():
    draws = np.append(np.arange(199.0), np.nan)
    for got in (percentile_interval(draws, 90.0), bca_interval(draws, 90.0, 0.0)):
        assert np.isnan([got.conf_low, got.conf_high]).all() and got.n_failed == 1
        assert got.note == "the statistic has no value in 1 of 200 replicates."


def test_bca_needs_replicates_on_both_sides():
    got = bca_interval(np.arange(1.0, 200.0), 0.0, 0.0)
    assert np.isnan([got.conf_low, got.conf_high]).all() and "one side of the estimate" in got.note


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replicates": 50}, "replicates=50 is too few"),
        ({"method": "basic"}, "method='basic' is not an option"),
        ({"strata": (["A", "A"], ["A"])}, r"differ in length \(y0: 2, strata_0: 1\)"),
        ({"strata": (["A", "A"], ["A", None])}, "stratum is missing for 1 of 4 people"),
        ({"conf_level": 95}, "conf_level=95 is not between 0 and 1"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(AnalysisError, match=words):
        bootstrap_mean_difference([1, 2], [3, 5], seed=1, **options)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_coverage_of_a_known_difference(method):
    rng = np.random.default_rng(77)
    covered = 0
    for seed in range(1000):
        y1 = rng.exponential(80, 60) * (rng.random(60) < 0.5)
        y0 = rng.exponential(40, 120) * (rng.random(120) < 0.5)
        got = bootstrap_mean_difference(y1, y0, replicates=1000, seed=seed, method=method)
        covered += got.conf_low < 20 < got.conf_high
    # Monte Carlo error 0.007; with 60 skewed amounts both fall a little short, as Welch does.
    assert 0.915 < covered / 1000 < 0.97


def test_percentile_interval_is_close_to_welch_for_many_people():
    rng = np.random.default_rng(8)
    y1, y0 = rng.normal(5, 2, 4000), rng.normal(4, 3, 3000)
    welch = mean_difference(y1, y0)
    got = bootstrap_mean_difference(y1, y0, replicates=4000, seed=2)
    assert [got.conf_low, got.conf_high] == approx(
        [welch.conf_low, welch.conf_high], abs=0.15 * welch.std_error
    )


def test_bca_of_given_draws_is_that_of_r_boot():
    case = reference_cases.expected("g3_amount_models")["bca"]
    draws = np.array(case["draws"])
    assert acceleration_of(np.array(case["influence"])) == approx(case["acceleration"], rel=1e-10)
    got = bca_interval(draws, case["estimate"], case["acceleration"])
    for limit, wanted in zip((got.conf_low, got.conf_high), case["ci"], strict=True):
        # boot interpolates between neighbouring draws on the normal scale, and counts R + 1 gaps.
        place = np.searchsorted(np.sort(draws), wanted)
        assert np.sort(draws)[place - 2] <= limit <= np.sort(draws)[place + 1]
