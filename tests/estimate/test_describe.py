"""Who was randomised: counts that add up, and distributions that are those of the file."""

from __future__ import annotations

import pandas as pd
import pytest

from ipseval.errors import AnalysisError
from ipseval.estimate.describe import describe
from ipseval.examples import example
from tests.estimate.trials import random_trial
from tests.make_trial import make_trial, person


def test_published_arm_sizes_of_the_trial_made_to_match_them() -> None:
    """Michon et al. (2014) as read: 70 and 81 people."""
    found = describe(example("scion"))
    assert [found.one(term="randomised", arm=arm).estimate for arm in ("IPS", "usual")] == [70, 81]


def test_ends_of_follow_up_add_up_to_the_randomised() -> None:
    for seed in range(5):
        frame = describe(random_trial(seed)).frame
        flow = frame.loc[frame["setting"] == "flow"]
        for arm, rows in flow.groupby("arm"):
            ends = rows.loc[rows["term"].str.startswith("end_reason="), "estimate"].sum()
            assert ends == rows.loc[rows["term"] == "randomised", "estimate"].item(), arm


def test_numbers_and_categories_are_those_of_pandas() -> None:
    trial = example("scion")
    found, people = describe(trial), trial.participants
    for arm, group in people.groupby("arm", observed=True):
        quartiles = group["age"].quantile([0.25, 0.5, 0.75]).tolist()
        for quantity, wanted in (
            ("mean", group["age"].mean()),
            ("standard_deviation", group["age"].std()),
            ("lower_quartile", quartiles[0]),
            ("median", quartiles[1]),
            ("upper_quartile", quartiles[2]),
        ):
            assert found.one(quantity=quantity, term="age", arm=arm).estimate == pytest.approx(wanted)
        shares = group["diagnosis"].value_counts(normalize=True)
        for level, share in shares.items():
            row = found.one(quantity="percentage", term=f"diagnosis={level}", arm=arm)
            assert row.estimate == pytest.approx(share)


def test_standardised_differences_are_those_of_austin() -> None:
    """Austin (2009), equations 1 and 2, over the file."""
    trial = example("scion")
    active, reference = (trial.participants.loc[trial.participants["arm"] == arm] for arm in ("IPS", "usual"))
    spread = ((active["age"].var() + reference["age"].var()) / 2) ** 0.5
    found = describe(trial)
    row = found.one(quantity="standardised_mean_difference", term="age")
    assert row.estimate == pytest.approx((active["age"].mean() - reference["age"].mean()) / spread)
    p1, p0 = ((group["sex"] == "M").mean() for group in (active, reference))
    wanted = (p1 - p0) / (((p1 * (1 - p1)) + (p0 * (1 - p0))) / 2) ** 0.5
    assert found.one(quantity="standardised_mean_difference", term="sex").estimate == pytest.approx(wanted)


def test_missing_values_are_counted_and_never_a_category_of_their_own() -> None:
    people = [
        person(f"P{i}", arm="IPS" if i % 2 else "usual", site=None if i < 4 else "A" if i < 9 else "B")
        for i in range(20)
    ]
    frame = describe(make_trial(people)).frame
    sites = frame.loc[frame["term"].str.startswith("site=")]
    assert (sites["n"] + sites["n_missing"] == 10).all()
    assert (sites["n_missing"] == 2).all()
    assert set(sites["term"]) == {"site=A", "site=B"}


def test_a_covariate_nobody_has_is_rows_with_the_reason() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual", weight=None) for i in range(6)]
    found = describe(make_trial(people), variables=["weight"])
    rows = found.frame.loc[found.frame["term"] == "weight"]
    of_arms = rows.loc[rows["arm"] != ""]
    assert set(of_arms["status"]) == {"not_defined"}
    assert set(of_arms["note"]) == {"no value in this arm"}
    assert set(rows.loc[rows["arm"] == "", "status"]) == {"failed"}
    assert set(rows["setting"]) == {"baseline"}


def test_an_unknown_variable_is_refused_with_those_there_are() -> None:
    with pytest.raises(AnalysisError, match=r"participants have no shoe_size \(found: participant_id"):
        describe(example("scion"), variables=["shoe_size"])


def test_nobody_is_tested_at_baseline() -> None:
    frame = describe(example("scion")).frame
    assert frame["p_value"].isna().all()
    assert pd.isna(frame["statistic"]).all()
