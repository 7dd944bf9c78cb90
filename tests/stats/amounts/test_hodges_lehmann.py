"""The Hodges-Lehmann shift and its interval, against R and the full list of pairwise differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts import hodges_lehmann as module
from ipseval.stats.amounts.hodges_lehmann import hodges_lehmann
from tests import reference_cases

CASE = "g1_nonnormal_alpha"
tied_amounts = st.lists(st.integers(0, 9).map(lambda v: v / 10), min_size=2, max_size=25)


@pytest.mark.parametrize("outcome", ["qol18", "comp_hours_540"])
def test_estimate_and_moses_interval_agree_with_r(outcome):
    data = reference_cases.data(CASE).dropna(subset=[outcome])
    y1, y0 = (data.loc[data["arm"] == arm, outcome].to_numpy() for arm in (1, 0))
    r = reference_cases.expected(CASE)[outcome]["wilcoxon"]
    got = hodges_lehmann(y1, y0)
    assert got.estimate == approx(r["hodges_lehmann_median_of_pairwise_differences"], abs=1e-12)
    assert [got.conf_low, got.conf_high] == approx(r["moses_ci_round"], abs=1e-12)
    # wilcox.test inverts the tie-corrected normal test to its own tolerance (the case says 1e-4).
    assert [got.conf_low, got.conf_high] == approx(r["r_asymptotic_ci_no_continuity"], abs=1e-4)


@given(tied_amounts, tied_amounts, st.integers(1, 40))
def test_selection_in_sorted_rows_is_exact_at_every_position(y1, y0, memory):
    y1, y0 = np.array(y1), np.array(y0)
    differences = np.sort(np.subtract.outer(y1, y0).ravel())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAIRS_IN_MEMORY", memory)
        positions = list(range(1, differences.size + 1))
        assert module._smallest_differences(y1, y0, positions) == differences.tolist()


def test_more_pairs_than_are_held_in_memory():
    rng = np.random.default_rng(3)
    y1, y0 = rng.exponential(90, 2600) * (rng.random(2600) < 0.6), rng.exponential(80, 2400)
    differences = np.sort(np.subtract.outer(y1, y0).ravel())
    assert hodges_lehmann(y1, y0).estimate == np.median(differences)


@given(tied_amounts, tied_amounts)
def test_swapping_the_arms_flips_and_moving_one_arm_moves(y1, y0):
    got, swapped = hodges_lehmann(y1, y0), hodges_lehmann(y0, y1)
    assert got[:4] == approx(
        (-swapped.estimate, -swapped.conf_high, -swapped.conf_low, swapped.share_zero), nan_ok=True
    )
    moved = hodges_lehmann([v + 8 for v in y1], y0)
    assert moved[:3] == approx([value + 8 for value in got[:3]], nan_ok=True)
    scaled = hodges_lehmann([24 * v for v in y1], [24 * v for v in y0])
    assert scaled[:3] == approx([24 * value for value in got[:3]], nan_ok=True)


def test_share_of_level_pairs():
    assert hodges_lehmann([0, 0, 3], [0, 0, 0, 3]).share_zero == approx((2 * 3 + 1) / 12)
    assert hodges_lehmann([5, 5], [5, 5])[:4] == approx((0, np.nan, np.nan, 1), nan_ok=True)


def test_arms_too_small_for_the_level_have_no_limits():
    # Of 20 splits of 3 and 3 people, the widest interval covers 1 - 2 / 20 = 0.9.
    got = hodges_lehmann([1, 2, 3], [4, 5, 7])
    assert got.estimate == -3 and np.isnan([got.conf_low, got.conf_high]).all()
    assert got.note == "Arms of 3 and 3 are too small for a 0.95 interval."


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hodges_lehmann([1, np.nan], [1]), "y1 is missing or not finite for 1 of 2"),
        (lambda: hodges_lehmann([1], []), "y0 has shape .* at least one person"),
        (lambda: hodges_lehmann([1], [1], conf_level=1), "not between 0 and 1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()
