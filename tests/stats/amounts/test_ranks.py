"""Rank tests and the probability of superiority, against R, SciPy, enumeration and what must always hold."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts.ranks import mann_whitney, probability_of_superiority
from ipseval.stats.amounts.stratified_ranks import van_elteren
from tests import reference_cases

CASE = "g1_nonnormal_alpha"
OUTCOMES = ["qol18", "comp_hours_540"]
METHODS = ["logit", "brunner_munzel", "newcombe"]

few_levels = st.lists(st.integers(0, 6), min_size=2, max_size=15)  # many ties


def arms(outcome, column=None):
    data = reference_cases.data(CASE).dropna(subset=[outcome])
    return [data.loc[data["arm"] == arm, column or outcome].to_numpy() for arm in (1, 0)]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_mann_whitney_agrees_with_r(outcome):
    r = reference_cases.expected(CASE)[outcome]["wilcoxon"]
    y1, y0 = arms(outcome)
    p = {method: mann_whitney(y1, y0, method=method).p_value for method in ("continuity", "normal", "exact")}
    assert mann_whitney(y1, y0).u == r["U_arm1"]
    assert [p["continuity"], p["normal"], p["exact"]] == approx(
        [r["p_continuity"], r["p_no_continuity"], r["p_exact_conditional_permutation"]], rel=1e-9
    )
    assert probability_of_superiority(y1, y0).estimate == approx(r["probabilistic_index"], rel=1e-13)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_van_elteren_agrees_with_r(outcome):
    r = reference_cases.expected(CASE)[outcome]
    y1, y0 = arms(outcome)
    strata = tuple(arms(outcome, "site"))
    got, ve = van_elteren(y1, y0, strata=strata), r["van_elteren"]
    assert [got.statistic, got.expectation, got.variance, got.z, got.p_value] == approx(
        [ve["statistic"], ve["expectation"], ve["variance"], ve["z"], ve["p"]], rel=1e-10
    )
    plain = van_elteren(y1, y0, strata=strata, weights="unweighted")
    unweighted = r["stratified_wilcoxon_unweighted"]
    assert [plain.z, plain.p_value] == approx([unweighted["z"], unweighted["p"]], rel=1e-10)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_brunner_munzel_agrees_with_scipy(outcome):
    y1, y0 = arms(outcome)
    got = probability_of_superiority(y1, y0, method="brunner_munzel")
    scipys = scipy.stats.brunnermunzel(y0, y1)  # SciPy counts the pairs that its second sample wins
    assert [got.statistic, got.p_value] == approx([scipys.statistic, scipys.pvalue], rel=1e-9)
    # The interval inverts the test: half a width is the t quantile times (estimate - 1/2) / statistic.
    half_width = scipy.stats.t.ppf(0.975, got.df) * (got.estimate - 0.5) / scipys.statistic
    assert [got.conf_low, got.conf_high] == approx([got.estimate - half_width, got.estimate + half_width])


def test_logit_interval_is_the_delta_method_on_brunner_munzel():
    y1, y0 = arms("qol18")
    got = probability_of_superiority(y1, y0)
    odds = got.estimate / (1 - got.estimate)
    factor = np.exp(scipy.stats.t.ppf(0.975, got.df) * got.std_error / (got.estimate * (1 - got.estimate)))
    limits = np.array([odds / factor, odds * factor])
    assert [got.conf_low, got.conf_high] == approx(limits / (1 + limits))


@pytest.mark.parametrize("r", reference_cases.expected("g2_amounts_alpha")["newcombe_5"])
def test_newcombe_5_agrees_with_root_finding_in_r(r):
    # Arms of the case's sizes with its estimate: that share of the pairs, counted from the lowest, is won.
    n1, n0 = int(r["n1"]), int(r["n0"])
    won = round(2 * r["estimate"] * n1 * n0) / 2
    places = np.full(n1, won // n1)
    places[: int(won - places.sum())] += 1
    y1, y0 = places - 0.5, np.arange(n0, dtype=float)
    got = probability_of_superiority(y1, y0, method="newcombe")
    assert got.estimate == approx(r["estimate"], rel=1e-12)
    assert [got.conf_low, got.conf_high] == approx(r["ci"], abs=1e-9)  # bisection v uniroot


@given(few_levels.filter(lambda y: len(y) <= 6), few_levels.filter(lambda y: len(y) <= 6))
def test_exact_p_value_is_the_share_of_all_splits(y1, y0):
    y, n1 = np.array(y1 + y0), len(y1)
    twice_u = {
        split: sum(2 * (y[i] > y[j]) + (y[i] == y[j]) for i in split for j in set(range(y.size)) - set(split))
        for split in combinations(range(y.size), n1)
    }
    centre = n1 * len(y0)
    observed = abs(twice_u[tuple(range(n1))] - centre)
    share = np.mean([abs(u - centre) >= observed for u in twice_u.values()])
    got = mann_whitney(y1, y0, method="exact")
    if np.ptp(y) == 0:
        assert np.isnan(got.p_value) and "Every amount is the same" in got.note
    else:
        assert got.p_value == approx(share)


@given(few_levels, few_levels)
def test_swapping_the_arms_mirrors_every_rank_method(y1, y0):
    got, swapped = mann_whitney(y1, y0), mann_whitney(y0, y1)
    assert got.u + swapped.u == len(y1) * len(y0)
    assert [got.z, got.p_value] == approx([-swapped.z, swapped.p_value], nan_ok=True)
    for method in METHODS:
        a, b = (probability_of_superiority(*pair, method=method) for pair in ((y1, y0), (y0, y1)))
        assert [a.estimate, a.conf_low, a.conf_high, a.p_value] == approx(
            [1 - b.estimate, 1 - b.conf_high, 1 - b.conf_low, b.p_value], nan_ok=True
        )


@given(few_levels, few_levels, st.randoms())
def test_only_the_order_of_the_amounts_matters(y1, y0, random):
    def squared(y):
        return [(v + 1) ** 2 * 1.5 for v in random.sample(y, len(y))]

    assert mann_whitney(squared(y1), squared(y0))[:4] == approx(mann_whitney(y1, y0)[:4], nan_ok=True)
    for method in METHODS:
        got = probability_of_superiority(squared(y1), squared(y0), method=method)
        assert got[:8] == approx(probability_of_superiority(y1, y0, method=method)[:8], nan_ok=True)


@given(few_levels, few_levels)
@pytest.mark.parametrize("method", METHODS)
def test_p_value_and_interval_agree_about_one_half(method, y1, y0):
    got = probability_of_superiority(y1, y0, method=method)
    if not np.isnan(got.p_value) and abs(got.p_value - 0.05) > 1e-9:
        assert (got.p_value < 0.05) == (not got.conf_low <= 0.5 <= got.conf_high)


def test_u_at_its_expectation_has_a_p_value_of_one():
    # A continuity correction has no side to move to here; half a pair beyond the centre would give p above 1.
    assert [mann_whitney([1, 4], [2, 3], method=m).p_value for m in ("continuity", "normal", "exact")] == [
        1
    ] * 3


@given(few_levels, few_levels)
def test_one_stratum_is_the_unstratified_test(y1, y0):
    strata = (["Ghent"] * len(y1), ["Ghent"] * len(y0))
    got = van_elteren(y1, y0, strata=strata)
    assert got.z == approx(mann_whitney(y1, y0).z, nan_ok=True)


def test_shares_of_ties_are_counted():
    # Pairs: (0: 0, 0, 2), (2: 0, 0, 2): three of six are level, two won.
    got = probability_of_superiority([0, 2], [0, 0, 2])
    assert [got.share_tied, got.estimate] == approx([3 / 6, (2 + 1.5) / 6])


def test_strata_with_one_arm_are_counted_not_forgotten():
    strata = (["A", "A", "B"], ["A", "A", "C"])
    got = van_elteren([2, 4, 9], [1, 3, 5], strata=strata)
    assert got.z == approx(mann_whitney([2, 4], [1, 3]).z)
    assert got.n_used == 4 and got.note == "2 of 3 strata hold one arm only: 2 people are not compared."
    alone = van_elteren([2], [1], strata=(["A"], ["B"]))
    assert np.isnan([alone.z, alone.p_value]).all() and "No stratum holds two arms" in alone.note


@pytest.mark.parametrize(
    ("y1", "y0", "reason"),
    [
        ([3], [1, 2], "Fewer than two"),
        ([7, 7], [7, 7, 7], "Every amount"),
        ([3, 4], [1, 2], "One arm exceeds"),
    ],
)
@pytest.mark.parametrize("method", ["logit", "brunner_munzel"])
def test_no_interval_without_spread_of_the_placements(y1, y0, reason, method):
    got = probability_of_superiority(y1, y0, method=method)
    assert np.isnan(got[1:7]).all() and reason in got.note
    assert not np.isnan(probability_of_superiority(y1, y0, method="newcombe")[5:7]).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mann_whitney([1, np.nan], [1]), "y1 is missing or not finite for 1 of 2"),
        (lambda: mann_whitney([1], [1], method="t"), "method='t' is not an option"),
        (
            lambda: mann_whitney(range(150), range(60), method="exact"),
            "every split of 210 people; at most 200",
        ),
        (lambda: van_elteren([1], [2], strata=([None], ["A"])), "stratum is missing for 1 of 2 people"),
        (
            lambda: van_elteren([1], [2], strata=(["A"], ["A", "B"])),
            r"differ in length \(y0: 1, strata_0: 2\)",
        ),
        (lambda: probability_of_superiority([], [1]), "y1 has shape .* at least one person"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["logit", "brunner_munzel"])
def test_interval_covers_a_known_probability_with_many_zeros(method):
    # P(work) 0.5 v 0.25, amounts then exponential with means 2 and 1: the truth by conditioning on work.
    rng = np.random.default_rng(7)
    truth = 0.5 * (0.75 + 0.25 * 2 / 3) + 0.5 * (0.75 * 0.5)
    covered = 0
    for _ in range(3000):
        y1 = rng.exponential(2, 70) * (rng.random(70) < 0.5)
        y0 = rng.exponential(1, 80) * (rng.random(80) < 0.25)
        got = probability_of_superiority(y1, y0, method=method)
        covered += got.conf_low < truth < got.conf_high
    assert covered / 3000 == approx(0.95, abs=0.012)  # three Monte Carlo errors of 0.004
