"""Monthly rates from bits: equal to the interval path, in any order, for any number of months."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipseval import months, spells
from ipseval.errors import AnalysisError
from ipseval.spells import rates


def trial(seed: int, n_persons: int, n_days: int) -> dict[str, np.ndarray]:
    """Dates of a made-up trial: spells before, across and after follow-up, some still going."""
    rng = np.random.default_rng(seed)
    randomised_on = np.datetime64("2019-11-28") + rng.integers(0, 100, n_persons)
    person = np.repeat(np.arange(n_persons), rng.integers(0, 6, n_persons))
    started_on = randomised_on[person] + rng.integers(-200, n_days + 50, len(person))
    ended_on = started_on + rng.integers(0, 120, len(person))
    ended_on[rng.random(len(person)) < 0.2] = np.datetime64("NaT")
    return {
        "person": person,
        "started_on": started_on,
        "ended_on": ended_on,
        "arm": rng.integers(0, 3, n_persons),
        "randomised_on": randomised_on,
        "observed_until": randomised_on + rng.integers(0, n_days, n_persons),
        "counted": rng.random(len(person)) < 0.6,
    }


def through_intervals(
    trial: dict[str, np.ndarray], n_months: int, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """The same rates by clipping, merging and cutting at the edges of months."""
    day_0, last_day = trial["randomised_on"], (trial["observed_until"] - trial["randomised_on"]).astype(int)
    kept = trial["counted"] & (trial["started_on"] <= trial["observed_until"][trial["person"]])
    person, start = trial["person"][kept], trial["started_on"][kept]
    end = np.where(np.isnat(trial["ended_on"]), trial["observed_until"][trial["person"]], trial["ended_on"])[
        kept
    ]
    jobs = spells.job_spells(
        person, (start - day_0[person]).astype(int), (end - day_0[person]).astype(int), n_persons=len(day_0)
    )
    edges = months.month_edges(n_months, rule, randomised_on=day_0)
    employed = spells.days_by_month(spells.clip(jobs, 0, last_day), edges) > 0
    observed = months.observed_months(edges, last_day)
    arms = np.arange(trial["arm"].max() + 1)[:, None] == trial["arm"]
    return arms.astype(int) @ (employed & observed), arms.astype(int) @ observed


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.sampled_from([1, 30, 63, 64, 65, 130]),
    st.sampled_from(months.MONTH_RULES),
)
def test_bits_and_intervals_agree(seed: int, n_persons: int, n_months: int, rule: str):
    made = trial(seed, n_persons, n_days=32 * n_months)
    got = spells.monthly_rates(**made, n_months=n_months, rule=rule)
    n_employed, n_observed = through_intervals(made, n_months, rule)
    np.testing.assert_array_equal(got.n_employed, n_employed)
    np.testing.assert_array_equal(got.n_observed, n_observed)


@pytest.mark.parametrize("rule", months.MONTH_RULES)
def test_the_order_of_spells_and_the_size_of_blocks_change_nothing(
    rule: str, monkeypatch: pytest.MonkeyPatch
):
    made = trial(seed=1, n_persons=3000, n_days=1000)
    whole = spells.monthly_rates(**made, n_months=30, rule=rule)
    n_employed, n_observed = through_intervals(made, 30, rule)
    np.testing.assert_array_equal(whole.n_employed, n_employed)
    np.testing.assert_array_equal(whole.n_observed, n_observed)
    assert (whole.n_observed.max(), whole.n_employed.max()) > (255, 0), "more than a byte counts to"
    order = np.random.default_rng(2).permutation(len(made["person"]))
    shuffled = {
        k: v[order] if k in ("person", "started_on", "ended_on", "counted") else v for k, v in made.items()
    }
    monkeypatch.setattr(rates, "_BLOCK", 97)
    again = spells.monthly_rates(**shuffled, n_months=30, rule=rule)
    np.testing.assert_array_equal(again.n_employed, whole.n_employed)
    np.testing.assert_array_equal(again.n_observed, whole.n_observed)


def test_persons_may_be_numbered_in_bytes_among_more_people_than_bytes_count(
    monkeypatch: pytest.MonkeyPatch,
):
    made = trial(seed=4, n_persons=500, n_days=900)
    made["person"] = np.sort(made["person"] % 100).astype(np.int8)
    monkeypatch.setattr(rates, "_BLOCK", 150)
    got = spells.monthly_rates(**made, n_months=30)
    expected = spells.monthly_rates(**made | {"person": made["person"].astype(np.int64)}, n_months=30)
    np.testing.assert_array_equal(got.n_employed, expected.n_employed)
    assert got.n_employed.sum() > 0


def test_the_arrays_passed_in_are_left_as_they_were():
    made = trial(seed=3, n_persons=50, n_days=900)
    before = {name: array.copy() for name, array in made.items()}
    spells.monthly_rates(**made, n_months=30)
    for name, array in made.items():
        np.testing.assert_array_equal(array, before[name])


def test_without_spells_or_observed_months_nobody_is_employed_and_the_rate_is_missing():
    none = np.array([], "datetime64[D]")
    got = spells.monthly_rates(
        np.array([], int),
        none,
        none,
        arm=[0, 1],
        randomised_on=np.array(["2020-01-01"] * 2, "M8[D]"),
        observed_until=np.array(["2020-01-31", "2020-01-30"], "M8[D]"),
        n_months=1,
    )
    assert (got.n_employed.tolist(), got.n_observed.tolist()) == ([[0], [0]], [[1], [0]])
    np.testing.assert_array_equal(got.proportion, [[0], [np.nan]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person": [5]}, "person is outside 0 to 0 for 1 of 1 spells."),
        ({"ended_on": np.array(["2019-12-31"], "M8[D]")}, "1 of 1 spells end before they start."),
        ({"started_on": np.array(["NaT"], "M8[D]")}, "started_on is missing for 1 of 1 entries."),
        (
            {"started_on": np.array(["NaT"], "M8[D]"), "ended_on": np.array(["NaT"], "M8[D]")},
            "started_on is missing for 1 of 1 entries.",
        ),
        ({"person": [-1], "counted": [False]}, "person is outside 0 to 0 for 1 of 1 spells."),
        ({"ended_on": [18300]}, "ended_on holds values that are not dates."),
        ({"arm": ["IPS"]}, "arm holds values other than codes 0, 1, ..."),
        ({"counted": [True, False]}, "Arrays differ in length"),
        ({"n_months": 0}, "n_months=0 is below 1."),
    ],
)
def test_refusals(change: dict, message: str):
    january = np.array(["2020-01-01"], "M8[D]")
    given = {
        "person": [0],
        "started_on": january,
        "ended_on": january,
        "arm": [0],
        "randomised_on": january,
        "observed_until": january + 40,
        "n_months": 1,
    }
    with pytest.raises(AnalysisError, match=re.escape(message)):
        spells.monthly_rates(**(given | change))
