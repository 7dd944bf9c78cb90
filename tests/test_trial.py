"""A trial answers questions about follow-up, by the rules of tolerance and death."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError, DataError, Problem
from ipseval.trial import Trial
from tests.make_trial import job, make_trial, person


@pytest.fixture
def trial() -> Trial:
    people = [
        person("001", 912, "completed", arm="IPS", site="NA"),
        person("002", 900, "completed", arm="usual", site="B"),
        person("003", 890, "completed", arm="usual", site="B"),
        person("004", 912, "lost", arm="IPS", site="NA"),
        person("005", 911, "lost", arm="IPS", site="B"),
        person("006", 40, "died", arm="usual", site="B"),
    ]
    return make_trial(people, jobs=[job("001", 10, 20)], tolerance_days=14)


def test_completers_reach_the_horizon_within_tolerance_and_the_lost_do_not(trial: Trial) -> None:
    # h(30) = 913: followed to day 912; a completer may fall 14 days short, to day 898.
    assert trial.is_followed_to(trial.design.horizon_day(30)).tolist() == [
        True,
        True,
        False,
        True,
        False,
        False,
    ]
    assert trial.died.tolist() == [False] * 5 + [True]
    assert trial.completed.sum() == 3


@pytest.mark.parametrize(
    ("month", "rule", "day"), [(18, "anniversary", 547), (30, "anniversary", 913), (18, "30_days", 540)]
)
def test_a_horizon_is_one_cut(trial: Trial, month: float, rule: str, day: int) -> None:
    design = dataclasses.replace(trial.design, month=rule)
    assert design.horizon_day(month) == day


def test_without_reasons_nobody_completed_and_nobody_died(trial: Trial) -> None:
    tables = {"participants": trial.participants.drop(columns="end_reason")}
    bare = dataclasses.replace(trial, tables=tables)
    assert not bare.completed.any()
    assert not bare.died.any()


def test_comparisons_are_with_the_reference() -> None:
    design = dataclasses.replace(make_trial([person("A")]).design, arms=("usual", "IPS", "IPS-lite"))
    assert design.comparisons == (("IPS", "usual"), ("IPS-lite", "usual"))
    assert (design.reference, design.active) == ("usual", ("IPS", "IPS-lite"))


def test_people_are_found_by_text(trial: Trial) -> None:
    assert trial.row_of("003") == 2
    assert trial.index_of(pd.Series(["006", "7", "001"], dtype="string")).tolist() == [5, -1, 0]
    with pytest.raises(DataError, match=r"Participant '3' is not among the 6 people.*leading zeros"):
        trial.row_of("3")
    with pytest.raises(DataError, match="Participant '3'"):
        trial.explain("3", endpoints.ever_employed())
    assert "001" in trial.explain("001", endpoints.ever_employed())


def test_a_table_that_is_not_there_is_named(trial: Trial) -> None:
    with pytest.raises(DataError, match=r"no table 'visits' \(it has: participants, jobs\)"):
        trial.table("visits")


def test_strata_are_codes_of_complete_columns(trial: Trial) -> None:
    assert trial.stratum(("site",)).nunique() == 2  # a site called NA is not missing
    assert trial.stratum(()).tolist() == [0] * 6
    with pytest.raises(AnalysisError, match="'ward' is not a column of participants"):
        trial.stratum(("ward",))
    with_gap = trial.participants.assign(site=trial.participants["site"].where(np.arange(6) > 0))
    with pytest.raises(AnalysisError, match="'site' is missing for 1 of 6 participants"):
        dataclasses.replace(trial, tables={"participants": with_gap}).stratum(("site",))


def test_it_says_what_it_is_and_html_is_escaped(trial: Trial) -> None:
    noticed = dataclasses.replace(
        trial, title="A <b>bold</b> trial", notices=(Problem("notice", "jobs", "", "r", "m"),)
    )
    text = repr(noticed)
    for part in (
        "6 people randomised (simulated",
        "arms: IPS 3 v usual 3 (reference: usual)",
        "completed by 3, died 1, ended otherwise 2",
        "noticed while loading: 1",
    ):
        assert part in text
    assert "<b>" not in noticed._repr_html_()
    assert "&lt;b&gt;" in noticed._repr_html_()


def test_a_trial_is_frozen(trial: Trial) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial.name = "other"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial.design.month = "30_days"  # type: ignore[misc]


def test_that_people_are_simulated_is_said_once(trial: Trial) -> None:
    for title in ("A made trial (simulated)", "A made trial"):
        first = repr(dataclasses.replace(trial, title=title)).splitlines()[0]
        assert first == "A made trial: 6 people randomised (simulated, not real people)"
