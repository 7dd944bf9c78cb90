"""Log-rank tests against R's survdiff and the weighted tests of the reference cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.log_rank import WEIGHTS, log_rank
from tests.reference_cases import data, expected

# Closed-form sums: only the order of additions differs from R's.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
TESTS = {
    "logrank": {},
    "gehan_breslow": {"weights": "gehan"},
    "tarone_ware": {"weights": "tarone-ware"},
} | {
    f"fleming_harrington_{p:g}_{q:g}": {"weights": "fleming-harrington", "exponents": (p, q)}
    for p, q in [(1, 0), (0, 1), (1, 1), (0.5, 0.5)]
}
CASES = ["b1", "b2", "b2_months"]


def case(name):
    """Return duration, event, group and site of a case, and what R found."""
    if name == "b1":
        frame, found = data("b1_survival_veteran"), expected("b1_survival_veteran")["logrank"]
        return frame["time"], frame["status"], frame["trt"] == 2, frame["celltype"], found
    frame, found = data("b2_survival_alpha"), expected("b2_survival_alpha")
    months = np.maximum(np.ceil(frame["time"] / 30), 1)  # heavy ties, as in case.R
    time, key = (months, "logrank_tied_months") if name == "b2_months" else (frame["time"], "logrank")
    return time, frame["status"], frame["arm"], frame["site"], found[key]


def assert_same_test(got, found):
    assert_allclose(got.score[1], found["U"], **EXACT)
    assert_allclose(got.covariance[1, 1], found["V"], **EXACT)
    assert_allclose([got.statistic, got.z, got.p_value], [found[k] for k in ("chisq", "z", "p")], **EXACT)


def test_freireich_1963_leukaemia_remission():
    """6-MP v placebo: 19.3 expected v 9 observed, 10.7 v 21, chi-square 16.8 (Freireich 1963; survdiff)."""
    drug = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    event = [1] * 9 + [0] * 12 + [1] * 21
    got = log_rank(drug + placebo, event, ["6-MP"] * 21 + ["placebo"] * 21)
    assert_allclose(got.expected, [19.25, 10.75], atol=0.005)
    assert got.statistic == pytest.approx(16.79, abs=0.005)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("test", TESTS)
def test_weighted_tests_agree_with_r(name, test):
    time, event, group, _, found = case(name)
    assert_same_test(log_rank(time, event, group, **TESTS[test]), found[test])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rho", [0, 0.5, 1])
def test_g_rho_family_agrees_with_survdiff(name, rho):
    time, event, group, _, found = case(name)
    got = log_rank(time, event, group, weights="fleming-harrington", exponents=(rho, 0))
    theirs = found[f"survdiff_rho_{rho:g}"]
    assert_allclose(got.observed, theirs["observed"], **EXACT)
    assert_allclose(got.expected, theirs["expected"], **EXACT)
    assert_allclose(got.covariance[0, 0], theirs["variance"], **EXACT)
    assert_allclose([got.statistic, got.p_value], [theirs["chisq"], theirs["p"]], **EXACT)


@pytest.mark.parametrize("name", CASES)
def test_stratified_tests_agree_with_r(name):
    time, event, group, site, found = case(name)
    got = log_rank(time, event, group, strata=site)
    assert_same_test(got, found["stratified_manual"])
    assert_allclose(got.observed, found["stratified"]["observed"], **EXACT)
    assert_allclose(got.expected, found["stratified"]["expected"], **EXACT)
    assert_same_test(log_rank(time, event, group, strata=site, weights="gehan"), found["stratified_gehan"])


def test_four_groups_agree_with_survdiff():
    frame = data("b1_survival_veteran")
    theirs = expected("b1_survival_veteran")["logrank_celltype_4_groups"]
    got = log_rank(frame["time"], frame["status"], frame["celltype"])
    assert got.groups.tolist() == sorted(theirs["observed"])
    assert_allclose(got.observed, [theirs["observed"][name] for name in got.groups], **EXACT)
    assert_allclose(got.expected, [theirs["expected"][name] for name in got.groups], **EXACT)
    assert_allclose([got.statistic, got.df, got.p_value], [theirs["chisq"], 3, theirs["p"]], **EXACT)
    assert np.isnan(got.z)


people = st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 1), st.integers(1, 3))
samples = st.lists(people, min_size=6, max_size=40)


def columns(sample):
    """Return the columns of a sample in which groups can be compared: at least one variance above 0."""
    time, event, group, times = (np.array(column) for column in zip(*sample, strict=True))
    first = [time[event & (group == g)].min(initial=99) for g in (0, 1)]
    last = [time[group == g].max(initial=-1) for g in (0, 1)]
    assume(min(first) <= min(last))
    compared = time >= min(first)
    assume(compared.sum() > (event & (time == min(first))).sum())
    return time, event, group, times


def options(weights):
    return {"weights": weights} | ({"exponents": (0.5, 0)} if weights == "fleming-harrington" else {})


@pytest.mark.parametrize("weights", WEIGHTS)
@given(sample=samples)
def test_swapping_the_groups_flips_the_score(weights, sample):
    time, event, group, _ = columns(sample)
    there, back = (log_rank(time, event, g, **options(weights)) for g in (group, 1 - group))
    assert_allclose(there.score, -there.score[::-1], rtol=1e-9, atol=1e-9)
    assert_allclose(there.score, back.score[::-1], rtol=1e-9, atol=1e-9)
    assert_allclose([there.z, there.statistic], [-back.z, back.statistic], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("weights", WEIGHTS)
@given(sample=samples)
def test_a_frequency_is_the_row_repeated(weights, sample):
    time, event, group, times = columns(sample)
    short = log_rank(time, event, group, frequency=times, **options(weights))
    long = log_rank(*(np.repeat(a, times) for a in (time, event, group)), **options(weights))
    assert_allclose(short.score, long.score, rtol=1e-9, atol=1e-9)
    assert_allclose(short.covariance, long.covariance, rtol=1e-9, atol=1e-9)


@given(samples, st.randoms(), st.sampled_from([1 / 7, 1e7]))
def test_neither_the_order_of_rows_nor_the_unit_of_time_matters(sample, random, unit):
    time, event, group, _ = columns(sample)
    order = random.sample(range(time.size), time.size)
    here = log_rank(time, event, group)
    there = log_rank(time[order] * unit, event[order], group[order])
    assert_allclose(here.score, there.score, rtol=1e-9, atol=1e-9)
    assert_allclose(here.covariance, there.covariance, rtol=1e-9, atol=1e-9)


@given(samples)
def test_a_stratum_repeated_doubles_score_and_variance(sample):
    time, event, group, _ = columns(sample)
    once = log_rank(time, event, group)
    strata = np.repeat(["A", "B"], time.size)
    twice = log_rank(np.tile(time, 2), np.tile(event, 2), np.tile(group, 2), strata=strata)
    assert_allclose(twice.score, 2 * once.score, rtol=1e-9, atol=1e-9)
    assert_allclose(twice.covariance, 2 * once.covariance, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"group": ["IPS"] * 4}, "group has 1 level"),
        ({"group": ["IPS", "IPS", None, "usual"]}, "group has missing labels"),
        ({"group": [0, 1, np.nan, 1]}, "group is missing or not finite for 1 of 4"),
        ({"event": [0, 0, 0, 0]}, "0 events in all"),
        ({"weights": "peto"}, "weights='peto' is not an option"),
        ({"weights": "fleming-harrington"}, "Pass exponents="),
        ({"exponents": (1, 0)}, "Pass exponents="),
        ({"weights": "fleming-harrington", "exponents": (-1, 0)}, "negative entry"),
        ({"strata": ["S1"]}, "strata: 1, duration: 4"),
    ],
)
def test_refusals(arguments, words):
    sample = {"duration": [3, 5, 7, 9], "event": [1, 1, 1, 0], "group": ["IPS", "usual", "IPS", "usual"]}
    with pytest.raises(AnalysisError, match=words):
        log_rank(**sample | arguments)


@pytest.mark.slow
def test_the_test_holds_its_level_under_no_effect():
    """Exponential times, 40 a group: 5% within Monte Carlo error (2,000 samples, se 0.5%)."""
    random = np.random.default_rng(22)
    arm, rejected = np.repeat([0, 1], 40), []
    for _ in range(2000):
        work, leave = random.exponential(10, 80), random.exponential(20, 80)
        rejected.append(log_rank(np.minimum(work, leave), work <= leave, arm).p_value < 0.05)
    assert abs(np.mean(rejected) - 0.05) < 0.02


def test_a_stratum_without_events_adds_nothing_whatever_the_weights():
    time, event, group = [3, 5, 7, 9], [1, 1, 1, 0], ["a", "b", "a", "b"]
    more = {"strata": [0, 0, 0, 0, 1, 1], "weights": "fleming-harrington", "exponents": (0, 1)}
    alone = log_rank(time, event, group, weights="fleming-harrington", exponents=(0, 1))
    beside = log_rank([*time, 4, 6], [*event, 0, 0], [*group, "a", "b"], **more)
    assert beside.statistic == pytest.approx(alone.statistic, rel=1e-12)


@pytest.mark.parametrize(("key", "strata"), [("plain", None), ("stratified", "surgery")])
def test_delayed_entry_is_the_score_test_of_coxph_with_exact_ties(key, strata):
    frame, wanted = (
        data("b5_left_truncation_heart"),
        expected("b10_time_varying")["log_rank_delayed_entry"][key],
    )
    within = None if strata is None else frame[strata]
    test = log_rank(frame["stop"], frame["event"], frame["transplant"], entry=frame["start"], strata=within)
    assert test.statistic == pytest.approx(wanted["chisq"], rel=1e-8)
    assert test.p_value == pytest.approx(wanted["p"], rel=1e-8)


def test_delayed_entry_counts_people_as_often_as_their_rows_say():
    frame = data("b5_left_truncation_heart")
    columns = [frame[name].to_numpy() for name in ("stop", "event", "transplant", "start")]
    often = np.arange(len(frame)) % 3 + 1
    told = log_rank(*columns[:3], entry=columns[3], frequency=often)
    *rows, entry = (np.repeat(column, often) for column in columns)
    assert told.statistic == pytest.approx(log_rank(*rows, entry=entry).statistic, rel=1e-10)


@pytest.mark.parametrize(
    "weights",
    [{}, {"weights": "gehan"}, {"weights": "fleming-harrington", "exponents": (0, 1)}],
    ids=["log-rank", "gehan", "late"],
)
def test_what_cannot_be_compared_says_why_and_counts_events_not_weights(weights: dict) -> None:
    arm = np.arange(30) % 2
    with pytest.raises(
        NotDefinedError, match=r"everybody at risk had the event at once \(30 events in all\)"
    ):
        log_rank([0] * 30, [1] * 30, arm, **weights)
    days, event = np.arange(30), np.arange(30) < 20
    with pytest.raises(NotDefinedError, match=r"No event time .* one stratum .* \(20 events in all\)"):
        log_rank(days, event, arm, strata=np.arange(30), **weights)
    with pytest.raises(NotDefinedError, match=r"\(60 events in all\)"):
        log_rank([0] * 30, [1] * 30, arm, frequency=[2] * 30, **weights)
