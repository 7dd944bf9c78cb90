"""Gray's test against cmprsk and the log-rank score."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.gray import gray_test
from ipseval.stats.times.log_rank import log_rank
from tests.reference_cases import data, expected

# Sums over event times in another order than cmprsk's.
EXACT = {"rtol": 1e-8}

CASES = {"b3_competing_alpha": "arm", "b4_competing_mgus2": "female"}


@pytest.fixture(params=CASES)
def case(request):
    frame = data(request.param)
    return frame["time"], frame["cr_status"], frame[CASES[request.param]], expected(request.param)


def random_sample(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 30, n), rng.integers(0, 3, n), rng.integers(0, 3, n)


@pytest.mark.parametrize("of", [1, 2])
def test_agrees_with_cmprsk(case, of):
    time, cause, group, found = case
    got, theirs = gray_test(time, cause, group, of=of), found["gray_test"][of - 1]
    assert_allclose([got.statistic, got.p_value], [theirs["stat"], theirs["pv"]], **EXACT)
    assert got.df == theirs["df"]


@pytest.mark.parametrize("of", [1, 2])
def test_stratified_agrees_with_cmprsk(of):
    frame, found = data("b3_competing_alpha"), expected("b3_competing_alpha")
    got = gray_test(frame["time"], frame["cr_status"], frame["arm"], of=of, strata=frame["site"])
    theirs = found["gray_test_stratified"][of - 1]
    assert_allclose([got.statistic, got.p_value], [theirs["stat"], theirs["pv"]], **EXACT)


def test_z_has_the_sign_of_the_second_group_and_turns_with_the_labels(case):
    time, cause, group, _ = case
    one, other = gray_test(time, cause, group), gray_test(time, cause, 1 - group)
    assert one.z == pytest.approx(-other.z)
    assert one.z**2 == pytest.approx(one.statistic)
    assert np.sign(one.z) == np.sign(one.observed[1] - one.expected[1])


def test_without_competing_events_the_score_is_that_of_log_rank():
    time, cause, group = random_sample(80, 1)
    event = (cause > 0).astype(int)
    assert_allclose(
        gray_test(time, event, group).score, log_rank(time, event, group).score, rtol=1e-12, atol=1e-12
    )


def test_scores_of_all_groups_add_up_to_nothing():
    got = gray_test(*random_sample(90, 2))
    assert got.df == 2
    assert np.isnan(got.z)
    assert got.score.sum() == pytest.approx(0, abs=1e-12)
    assert_allclose(got.covariance.sum(axis=0), 0, atol=1e-12)


def test_a_row_that_stands_for_three_people_is_three_rows():
    sample = random_sample(60, 3)
    frequency = np.random.default_rng(4).integers(0, 4, 60)
    told = gray_test(*sample, frequency=frequency)
    repeated = gray_test(*(np.repeat(values, frequency) for values in sample))
    assert_allclose(told.covariance, repeated.covariance, rtol=1e-12, atol=1e-12)
    assert told.statistic == pytest.approx(repeated.statistic, rel=1e-12)


def test_order_and_unit_of_time_do_not_matter():
    time, cause, group = random_sample(60, 5)
    turned = np.random.default_rng(6).permutation(60)
    got = gray_test(time[turned] / 30.4375, cause[turned], group[turned])
    assert got.statistic == pytest.approx(gray_test(time, cause, group).statistic, rel=1e-12)


def test_a_group_that_is_gone_before_the_other_begins_to_have_events():
    got = gray_test([1, 1, 1, 2, 3, 4], [1, 1, 1, 1, 2, 1], [0, 0, 0, 1, 1, 1])
    assert np.isfinite(got.covariance).all()
    assert got.z < 0


def test_refusals():
    with pytest.raises(AnalysisError, match="group has 1 level"):
        gray_test([1, 2], [1, 2], [0, 0])
    with pytest.raises(AnalysisError, match="cause has 1 of 2 entries other than 0, 1 and 2"):
        gray_test([1, 2], [1, 3], [0, 1])
    with pytest.raises(
        NotDefinedError, match=r"No event time has people of two groups.* \(0 events in all\)"
    ):
        gray_test([1, 2], [0, 2], [0, 1])
    with pytest.raises(NotDefinedError, match=r"everybody at risk had the event at once \(6 events in all\)"):
        gray_test([0] * 6, [1] * 6, [0, 1] * 3)
    with pytest.raises(AnalysisError, match="differ in length"):
        gray_test([1, 2], [1, 2], [0, 1, 1])
    with pytest.raises(AnalysisError, match="of=3 is not an option"):
        gray_test([1, 2], [1, 2], [0, 1], of=3)


@pytest.mark.slow
def test_keeps_its_level_when_only_the_competing_event_differs():
    """Equal incidence of a first job, twice the deaths in one arm: 5% of 1000 tests are positive."""
    rng = np.random.default_rng(20)
    positive = 0
    for _ in range(1000):
        group = np.repeat([0, 1], 75)
        ever = rng.random(150) < 0.4
        job = rng.integers(1, 900, 150)
        death = rng.exponential(1500 / (1 + group)) + 1
        lost = rng.integers(300, 1200, 150)
        first = np.where(ever, job, death)
        cause = np.where(first > lost, 0, np.where(ever, 1, 2))
        positive += gray_test(np.minimum(first, lost), cause, group).p_value < 0.05
    assert positive / 1000 == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 1000))
