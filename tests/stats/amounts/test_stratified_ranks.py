"""The probability of superiority within strata, against R, van Elteren's test and the unstratified one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from ipseval.stats.amounts.ranks import probability_of_superiority
from ipseval.stats.amounts.stratified_ranks import stratified_probability_of_superiority, van_elteren
from tests import reference_cases


def test_it_is_that_of_case_g3():
    wanted = reference_cases.expected("g3_amount_models")["stratified_superiority"]
    data = reference_cases.data("c7_counts_alpha")
    (y1, y0), sites = (
        [data.loc[data["arm"] == arm, column].to_numpy() for arm in (1, 0)] for column in ("hours", "site")
    )
    got = stratified_probability_of_superiority(y1, y0, strata=tuple(sites))
    assert [got.estimate, got.std_error, got.statistic] == approx(
        [wanted["estimate"], wanted["std_error"], wanted["z"]], rel=1e-10
    )
    assert [got.conf_low, got.conf_high] == approx(wanted["ci"], rel=1e-10)
    assert got.p_value == approx(wanted["p_value"], rel=1e-8)
    assert (got.n_used, got.n_strata, got.note) == (151, 4, "")


arm = st.lists(st.tuples(st.sampled_from([0, 0, 1, 4, 9]), st.sampled_from("AB")), min_size=6, max_size=15)


@settings(max_examples=25, deadline=None)
@given(arm, arm, st.randoms())
def test_it_says_what_van_elteren_says_and_swaps_with_the_arms(one, other, random):
    (y1, s1), (y0, s0) = (zip(*rows, strict=True) for rows in (one, other))
    got = stratified_probability_of_superiority(y1, y0, strata=(s1, s0))
    test = van_elteren(y1, y0, strata=(s1, s0))
    if np.isnan(got.estimate):
        assert not set(s1) & set(s0)
        return
    assert np.sign(round(got.estimate - 0.5, 12)) == np.sign(round(test.statistic - test.expectation, 12))
    swapped = stratified_probability_of_superiority(y0, y1, strata=(s0, s1))
    assert swapped.estimate == approx(1 - got.estimate)
    assert [swapped.conf_low, swapped.conf_high] == approx([1 - got.conf_high, 1 - got.conf_low], nan_ok=True)
    shuffled, labels = zip(*random.sample(one, len(one)), strict=True)
    again = stratified_probability_of_superiority(
        7 * np.array(shuffled), 7 * np.array(y0), strata=(labels, s0)
    )
    assert again[:6] == approx(got[:6], nan_ok=True)


def test_one_stratum_is_the_unstratified_estimate():
    y1, y0 = [0, 3, 5, 6, 9], [0, 0, 2, 4]
    got = stratified_probability_of_superiority(y1, y0, strata=(["A"] * 5, ["A"] * 4))
    assert got[:2] == approx(probability_of_superiority(y1, y0)[:2])


@pytest.mark.parametrize(
    ("y1", "y0", "strata", "said"),
    [
        (
            [1, 2, 3],
            [0, 1, 2],
            (["A", "A", "B"], ["A", "A", "A"]),
            "1 of 2 strata hold one arm only: 1 people",
        ),
        ([1, 2, 3], [0, 1, 2], (["A", "A", "B"], ["A", "A", "B"]), "1 of 2 strata hold one person of an arm"),
        ([0, 0], [0, 0], (["A", "A"], ["A", "A"]), "Every amount is the same"),
        ([5, 6], [0, 0], (["A", "A"], ["A", "A"]), "In no stratum do the placements vary"),
        ([5, 6], [0, 0], (["A", "A"], ["B", "B"]), "2 of 2 strata hold one arm only"),
    ],
)
def test_what_cannot_be_told_has_a_reason(y1, y0, strata, said):
    got = stratified_probability_of_superiority(y1, y0, strata=strata)
    assert said in got.note
    assert np.isnan(got.conf_low) == ("hold one arm only: 1" not in said)
