"""Every value of the cases h1 and h2: R, by expansion to single days (rules in their README)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from ipseval import months, spells
from tests import reference_cases

CASES = {"h1_spells_alpha": (180, 360, 540, 720, 900), "h2_spells_edge": (30, 90, 365)}
ARMS = ["IPS", "TAU"]
# Counts and days are exact; R printed 15 significant digits, and the README states 1e-9.
RELATIVE = 1e-9


def dates(column: pd.Series) -> np.ndarray:
    return pd.to_datetime(column).to_numpy().astype("datetime64[D]")


@dataclass(frozen=True)
class Case:
    name: str
    people: pd.DataFrame
    raw: pd.DataFrame
    randomised_on: np.ndarray
    last_date: np.ndarray
    arm: np.ndarray

    @property
    def last_day(self) -> np.ndarray:
        return (self.last_date - self.randomised_on).astype(int)

    def jobs(self) -> spells.Spells:
        """Competitive spells, not clipped; an ongoing one ends at the last date followed."""
        raw = self.raw[self.raw["competitive"] == 1]
        person = self.people["id"].searchsorted(raw["id"])
        ended = np.where(raw["end"].isna(), self.last_date[person], dates(raw["end"]))
        # One that starts after follow-up and is ongoing lies outside every window, whatever its end.
        ended = np.maximum(ended, dates(raw["start"]))
        return spells.job_spells(
            person,
            (dates(raw["start"]) - self.randomised_on[person]).astype(int),
            (ended - self.randomised_on[person]).astype(int),
            n_persons=len(self.people),
            hours_per_week=raw["hours_week"],
            wage_per_hour=raw["hourly_wage"],
        )

    def expected(self, key: str) -> pd.DataFrame:
        return pd.DataFrame(reference_cases.expected(self.name)[key])


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    people = reference_cases.data(request.param, "participants.csv")
    assert people["id"].is_monotonic_increasing
    return Case(
        request.param,
        people,
        reference_cases.data(request.param, "spells.csv"),
        dates(people["rand_date"]),
        dates(people["last_date"]),
        people["arm"].map(ARMS.index).to_numpy(),
    )


def person_table(case: Case) -> pd.DataFrame:
    """The columns of ``expected_person.csv``, by the engine."""
    jobs, last_day = case.jobs(), case.last_day
    first = spells.first_new_start(jobs, last_day)
    table = {
        "followup_days": last_day,
        "first_new_job_day": first,
        "event": np.isfinite(first).astype(int),
        "time": np.where(np.isfinite(first), first, last_day),
        "employed_at_last_date": spells.covers(jobs, last_day).astype(int),
    }
    horizons = {f"_{h}": np.minimum(h - 1, last_day) for h in CASES[case.name]} | {"_all": last_day}
    for suffix, to_day in horizons.items():
        window = spells.clip(jobs, 0, to_day)
        table["comp_days" + suffix] = spells.days_covered(window)
        table["comp_hours" + suffix] = spells.hours(window)
        table["comp_earnings" + suffix] = spells.earnings(window)
        table["n_jobs" + suffix] = spells.n_spells(window)
        table["longest_job_days" + suffix] = spells.longest_spell(window)
        for name, gap_days in [("", 0), ("_gap1", 1)]:
            episodes = spells.merge(window, gap_days=gap_days)
            table[f"n_episodes{name}{suffix}"] = spells.n_spells(episodes)
            table[f"longest_episode{name}_days{suffix}"] = spells.longest_spell(episodes)
    return pd.DataFrame(table, index=case.people["id"])


def test_every_column_of_the_table_per_person(case: Case):
    expected = reference_cases.data(case.name, "expected_person.csv", index_col="id")
    got = person_table(case)
    assert set(got) == set(expected)
    for column in expected:
        amount = column.startswith(("comp_hours", "comp_earnings"))
        np.testing.assert_allclose(
            got[column], expected[column], rtol=RELATIVE if amount else 0, atol=0, err_msg=column
        )


def test_means_per_arm_over_everyone_randomised(case: Case):
    got = person_table(case).drop(columns="first_new_job_day")
    for code, arm in enumerate(ARMS):
        expected = reference_cases.expected(case.name)["arm_means"][arm]
        means = got[case.arm == code].mean()
        assert expected.pop("n") == (case.arm == code).sum()
        assert set(expected) == set(means.index)
        assert means.to_dict() == pytest.approx(expected, rel=RELATIVE, abs=0)


def test_months_of_30_days_per_person(case: Case):
    expected = reference_cases.data(case.name, "expected_monthly_30day.csv", index_col="id")
    edges = months.month_edges(30, "30_days")
    days = spells.days_by_month(spells.clip(case.jobs(), 0, case.last_day), edges)
    got = np.where(months.observed_months(edges, case.last_day), days > 0, np.nan)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("monthly_30day", "30_days"),
        ("monthly_from_randomisation_calendar_step", "anniversary"),
        ("calendar_month", "calendar"),
    ],
)
def test_months_per_arm(case: Case, key: str, rule: str):
    """Once through intervals (with mean days), once through bits: both are the reference's counts."""
    expected = case.expected(key).pivot_table(index="arm", columns="month", dropna=False)
    shown = expected["n_observed"].columns
    first = np.datetime64(shown[0]) if rule == "calendar" else None
    n_months = int((np.datetime64(shown[-1]) - first).astype(int)) + 1 if rule == "calendar" else len(shown)
    edges = months.month_edges(n_months, rule, randomised_on=case.randomised_on, first_month=first)
    days = spells.days_by_month(spells.clip(case.jobs(), 0, case.last_day), edges)
    seen = months.observed_months(edges, case.last_day)
    rates = bitmask_rates(case, n_months, rule, first)
    # The reference leaves out calendar months in which nobody in either arm was at risk.
    kept = seen.any(axis=0) if rule == "calendar" else np.full(n_months, True)
    for code, arm in enumerate(ARMS):
        mine, here = case.arm == code, expected.loc[arm]
        n_observed = seen[mine].sum(axis=0)[kept]
        n_employed = (seen & (days > 0))[mine].sum(axis=0)[kept]
        np.testing.assert_array_equal(n_observed, here["n_observed"])
        np.testing.assert_array_equal(n_employed, here["n_employed"])
        np.testing.assert_array_equal(rates.n_observed[code, kept], here["n_observed"])
        np.testing.assert_array_equal(rates.n_employed[code, kept], here["n_employed"])
        np.testing.assert_allclose(rates.proportion[code, kept], here["proportion"], rtol=RELATIVE)
        total = np.where(seen, days, 0)[mine].sum(axis=0)[kept]
        mean = np.divide(total, n_observed, out=np.full(len(total), np.nan), where=n_observed > 0)
        np.testing.assert_allclose(mean, here["mean_days"], rtol=RELATIVE)


def bitmask_rates(case: Case, n_months: int, rule: str, first: np.datetime64 | None) -> spells.MonthlyRates:
    """Straight from the dates of the file, ongoing spells with no end and nothing clipped."""
    return spells.monthly_rates(
        case.people["id"].searchsorted(case.raw["id"]),
        dates(case.raw["start"]),
        dates(case.raw["end"]),
        arm=case.arm,
        randomised_on=case.randomised_on,
        observed_until=case.last_date,
        n_months=n_months,
        rule=rule,
        first_month=first,
        counted=case.raw["competitive"] == 1,
    )


def test_ever_employed_by_months_of_30_days(case: Case):
    first = spells.first_new_start(case.jobs(), case.last_day)
    for row in case.expected("ever_employed_30day").itertuples():
        horizon = months.horizon_day(row.month, "30_days")
        mine = case.arm == ARMS.index(row.arm)
        ever = mine & (first < horizon)
        known = ever | (mine & (case.last_day >= horizon - 1))
        assert (mine.sum(), ever.sum(), known.sum()) == (row.n_randomised, row.n_ever, row.n_known)
        assert ever.sum() / mine.sum() == pytest.approx(row.proportion_randomised, rel=RELATIVE)
        assert ever.sum() / known.sum() == pytest.approx(row.proportion_known, rel=RELATIVE)
