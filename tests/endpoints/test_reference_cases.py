"""Endpoints against R by single days: cases h1_spells_alpha and h2_spells_edge.

The cases test day rules and ignore why follow-up ended, so the trials here have no ``end_reason``.
Tolerance: counts and days exactly, hours and earnings to 1e-9 relative, as the cases say.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipseval import endpoints
from ipseval.trial import Trial
from tests import reference_cases
from tests.make_trial import job, make_trial, person

CASES = {"h1_spells_alpha": (180, 360, 540, 720, 900), "h2_spells_edge": (30, 90, 365)}
AFTER_EVERYONE = 60  # months; beyond the longest follow-up of both cases
RELATIVE = {"comp_hours": 1e-9, "comp_earnings": 1e-9}
AMOUNTS = {
    "comp_days": endpoints.days_worked,
    "comp_hours": endpoints.hours_worked,
    "comp_earnings": endpoints.earnings,
    "n_jobs": endpoints.jobs_held,
    "longest_job_days": endpoints.longest_job,
}


@cache
def trial_of(case: str, month: str = "30_days", **design: object) -> Trial:
    people = reference_cases.data(case, "participants.csv")
    spells = reference_cases.data(case, "spells.csv")
    return make_trial(
        [
            person(
                row.id,
                row.last_date,
                design.get("end_reason"),
                arm=row.arm.replace("TAU", "usual"),
                randomised_on=row.rand_date,
            )
            for row in people.itertuples()
        ],
        jobs=[
            job(
                row.id,
                row.start,
                None if pd.isna(row.end) else row.end,
                kind="competitive" if row.competitive else "sheltered",
                hours_per_week=row.hours_week,
                wage_per_hour=row.hourly_wage,
            )
            for row in spells.itertuples()
        ],
        month=month,
        **{name: value for name, value in design.items() if name != "end_reason"},
    )


def expected_people(case: str) -> pd.DataFrame:
    return reference_cases.data(case, "expected_person.csv")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("column", AMOUNTS)
def test_amounts_by_horizon_and_in_all(case, column):
    expected = expected_people(case)
    windows = {h: h / 30 for h in CASES[case]} | {"all": AFTER_EVERYONE}
    outcome = AMOUNTS[column](by=list(windows.values())).evaluate(trial_of(case))
    for suffix, month in windows.items():
        got = outcome.loc[outcome["month"] == month, "value"]
        assert_allclose(got, expected[f"{column}_{suffix}"], rtol=RELATIVE.get(column, 0))


@pytest.mark.parametrize("case", CASES)
def test_time_to_first_job(case):
    expected = expected_people(case)
    outcome = endpoints.time_to_first_job(horizon=AFTER_EVERYONE).evaluate(trial_of(case))
    assert_array_equal(outcome["value"], expected["time"])
    assert_array_equal(outcome["event"] == "event", expected["event"] == 1)


@pytest.mark.parametrize("case", CASES)
def test_ever_employed_by_each_month(case):
    outcome = endpoints.ever_employed(by=range(1, 31)).evaluate(trial_of(case))
    counts = outcome.groupby(["month", "arm"], observed=True).agg(
        n_ever=("value", "sum"), n_known=("known", "sum")
    )
    rows = reference_cases.expected(case)["ever_employed_30day"]
    assert len(rows) == 60
    for row in rows:
        got = counts.loc[(row["month"], row["arm"].replace("TAU", "usual"))]
        assert (got["n_ever"], got["n_known"]) == (row["n_ever"], row["n_known"])


@pytest.mark.parametrize("case", CASES)
def test_employed_in_each_30_day_month_by_person(case):
    expected = reference_cases.data(case, "expected_monthly_30day.csv").set_index("id")
    outcome = endpoints.employed_monthly(until=30).evaluate(trial_of(case))
    value = outcome["value"].to_numpy(dtype=float, na_value=np.nan).reshape(30, -1).T
    assert_array_equal(value, expected.to_numpy(dtype=float))
    assert_array_equal(outcome["known"], outcome["value"].notna())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("rule", "key"),
    [("anniversary", "monthly_from_randomisation_calendar_step"), ("calendar", "calendar_month")],
)
def test_employed_monthly_per_arm_under_calendar_rules(case, rule, key):
    trial = trial_of(case, rule)
    first = trial.participants["randomised_on"].min().to_period("M")
    outcome = endpoints.employed_monthly(until=70).evaluate(trial)
    counts = outcome.groupby(["month", "arm"], observed=True).agg(n=("known", "sum"), yes=("value", "sum"))
    rows = reference_cases.expected(case)[key]
    assert len(rows) > 50
    for row in rows:
        month = row["month"] if rule == "anniversary" else (pd.Period(row["month"]) - first).n + 1
        got = counts.loc[(month, row["arm"].replace("TAU", "usual"))]
        assert (got["n"], got["yes"]) == (row["n_observed"], row["n_employed"])


@pytest.mark.parametrize("case", CASES)
def test_status_on_the_last_day_followed(case):
    # Completers within a (here endless) tolerance have the status of their last day.
    trial = trial_of(case, end_reason="completed", tolerance_days=10_000)
    outcome = endpoints.employed_at(month=AFTER_EVERYONE).evaluate(trial)
    assert_array_equal(outcome["value"], expected_people(case)["employed_at_last_date"] == 1)
    assert outcome["known"].all() and outcome["at_end"].all()
