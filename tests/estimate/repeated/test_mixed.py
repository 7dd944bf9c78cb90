"""The mixed model against an independent implementation (case c3), and what must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.mixed import mixed
from ipseval.examples import example
from ipseval.results import Results
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import two_arms
from tests.make_trial import make_trial, visit

CASE = reference_cases.expected("c3_glmm_alpha")
OWN = CASE["arm_by_month"]["own_agq_25"]
MONTHS = [6, 12, 18, 24, 30]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def found() -> Results:
    """Site is not in the case's model."""
    return mixed(alpha(), endpoints.employed_at(month=MONTHS, source="visits"), adjust=[])


@pytest.mark.parametrize("month", MONTHS)
def test_conditional_log_odds_ratios_are_those_of_case_c3(found: Results, month: int) -> None:
    coefficients = OWN["coef"]
    wanted = coefficients["arm_f1"] + (0 if month == 6 else coefficients[f"arm_f1:month{month}"])
    row = found.one(quantity="conditional_log_odds_ratio", time=month)
    assert row.estimate == pytest.approx(wanted, abs=1e-5)  # the case's tolerance for own_agq
    names = list(coefficients)
    pick = np.array([name in ("arm_f1", f"arm_f1:month{month}") for name in names], dtype=float)
    covariance = np.array(OWN["vcov_beta_logsd"])[:-1, :-1]
    assert row.std_error == pytest.approx(np.sqrt(pick @ covariance @ pick), abs=1e-4)
    assert np.log(found.one(quantity="conditional_odds_ratio", time=month).estimate) == pytest.approx(
        row.estimate
    )


def test_the_spread_between_people_is_that_of_case_c3(found: Results) -> None:
    row = found.one(quantity="random_intercept_sd")
    assert row.estimate == pytest.approx(OWN["sd"], abs=1e-5)
    half = 1.959963984540054 * OWN["se_log_sd"]
    assert [row.conf_low, row.conf_high] == pytest.approx(
        [OWN["sd"] * np.exp(-half), OWN["sd"] * np.exp(half)], abs=1e-3
    )


@pytest.mark.parametrize("at", range(5))
def test_population_averaged_probabilities_are_those_of_case_c3(found: Results, at: int) -> None:
    wanted = CASE["population_averaged_agq25"][at]
    month = float(wanted["label"].removeprefix("month_"))
    for arm, p, se in (("usual", "p0", "se0"), ("IPS", "p1", "se1")):
        row = found.one(quantity="population_averaged_probability", arm=arm, time=month)
        assert [row.estimate, row.std_error] == pytest.approx([wanted[p], wanted[se]], abs=1e-5)
    row = found.one(quantity="population_averaged_difference", time=month)
    assert row.estimate == pytest.approx(wanted["p1"] - wanted["p0"], abs=1e-5)
    assert row.std_error == pytest.approx(wanted["se_difference"], abs=1e-5)


def test_the_average_over_months_is_the_mean_of_the_months(found: Results) -> None:
    monthly = found.select(quantity="population_averaged_difference", time=[float(m) for m in MONTHS]).frame
    average = found.one(quantity="population_averaged_difference", term="average")
    assert average.estimate == pytest.approx(monthly["estimate"].mean())


def test_assessments_not_seen_are_counted_and_said(found: Results) -> None:
    row = found.one(quantity="population_averaged_probability", arm="IPS", time=6)
    data = reference_cases.data("c3_glmm_alpha")
    here = data.loc[(data["arm"] == 1) & (data["month"] == 6), "employed"]
    assert (row.n, row.n_event, row.n_missing) == (here.notna().sum(), here.sum(), here.isna().sum())
    assert "missing at random" in row.note


def test_separation_is_told_in_months_and_arms_and_not_in_columns() -> None:
    people = two_arms(40)
    visits = [
        visit(f"P{i:03d}", month, employed=bool(i % 4 == 1) and month == 18)
        for i in range(40)
        for month in (6, 18)
    ]
    found = mixed(make_trial(people, visits=visits), endpoints.employed_at(month=[6, 18], source="visits"))
    assert set(found.frame["status"]) == {"failed"}
    note = found.frame["note"].iloc[0]
    assert "month 6" in note
    assert "counted from" not in note


def test_a_single_month_and_a_cumulative_outcome_are_refused() -> None:
    for endpoint in (endpoints.employed_at(month=18), endpoints.ever_employed(by=[6, 18])):
        with pytest.raises(AnalysisError, match="not a yes or no or a score at several assessments"):
            mixed(alpha(), endpoint)


def test_covariates_that_cannot_be_used_are_refused() -> None:
    endpoint = endpoints.employed_at(month=MONTHS, source="visits")
    with pytest.raises(AnalysisError, match="'arm' cannot be adjusted for"):
        mixed(alpha(), endpoint, adjust=["arm"])
    with pytest.raises(AnalysisError, match="points=0 is not a whole number from 1 to 100"):
        mixed(alpha(), endpoint, points=0)


@pytest.mark.slow
def test_known_truth_the_log_odds_ratio_is_unbiased() -> None:
    """100 trials of 200 people, log-odds ratio 1 at both months, sd 1.5: within 3 Monte Carlo errors."""
    draw = np.random.default_rng(7)
    estimates = []
    for _ in range(100):
        intercept = draw.normal(0, 1.5, 200)
        active = np.arange(200) % 2
        visits = [
            visit(
                f"P{i:03d}",
                month,
                employed=bool(draw.random() < 1 / (1 + np.exp(0.5 - active[i] - intercept[i]))),
            )
            for i in range(200)
            for month in (6, 12, 18)
        ]
        found = mixed(
            make_trial(two_arms(200), visits=visits),
            endpoints.employed_at(month=[6, 12, 18], source="visits"),
        )
        estimates.append(found.one(quantity="conditional_log_odds_ratio", time=18).estimate)
    # Maximum likelihood is biased by order 1/n: 0.02 covers it at 200 people.
    assert abs(np.mean(estimates) - 1) < 3 * np.std(estimates) / np.sqrt(len(estimates)) + 0.02


@pytest.mark.parametrize("at", range(5))
def test_limits_of_a_difference_are_joined_from_the_logit_limits_of_case_c3(found: Results, at: int) -> None:
    wanted = CASE["population_averaged_agq25"][at]
    p, se = (np.array([wanted[f"{name}{arm}"] for arm in (1, 0)]) for name in ("p", "se"))
    half = 1.959963984540054 * se / (p * (1 - p))
    low, high = (1 / (1 + (1 / p - 1) * np.exp(sign * half)) for sign in (1, -1))
    # The correlation of the arms follows from the standard error that the case has for the difference.
    correlation = (se @ se - wanted["se_difference"] ** 2) / (2 * se.prod())

    def side(one: float, other: float) -> float:
        return float(np.sqrt(one**2 + other**2 - 2 * correlation * one * other))

    limits = [
        p[0] - p[1] - side(p[0] - low[0], high[1] - p[1]),
        p[0] - p[1] + side(high[0] - p[0], p[1] - low[1]),
    ]
    row = found.one(quantity="population_averaged_difference", time=float(MONTHS[at]))
    assert [row.conf_low, row.conf_high] == pytest.approx(limits, abs=1e-4)


def test_a_difference_near_one_keeps_its_limits_within_one() -> None:
    people = two_arms(16)
    visits = [
        visit(f"P{i:03d}", month, employed=bool(i % 2) != (i // 2 == month // 6))
        for i in range(16)
        for month in (6, 12, 18)
    ]
    made = mixed(make_trial(people, visits=visits), endpoints.employed_at([6, 12, 18], "visits"), adjust=[])
    rows = made.select(quantity="population_averaged_difference").frame
    half = 1.959963984540054 * rows["std_error"]
    assert (rows["estimate"].abs() + half > 1).any(), "a symmetric interval would leave the scale"
    assert rows[["conf_low", "conf_high"]].abs().max(axis=None) < 1
    assert ((rows["conf_low"] < rows["estimate"]) & (rows["estimate"] < rows["conf_high"])).all()


def test_the_page_on_two_odds_ratios_has_the_numbers_of_the_bundled_trial() -> None:
    page = (ROOT / "docs/explanation/conditional-and-population-averaged.md").read_text(encoding="utf-8")
    trial, endpoint = example("scion"), endpoints.employed_at(month=[6, 18, 30], source="visits")
    first, second = mixed(trial, endpoint), mixed(trial, endpoint, model="gee")
    person = first.one(quantity="conditional_odds_ratio", time=30)
    people = second.one(quantity="population_averaged_odds_ratio", time=30)
    assert f"**{person.estimate:.1f}** (95% interval {person.conf_low:.1f} to {person.conf_high:.1f})" in page
    assert f"**{people.estimate:.1f}** ({people.conf_low:.1f} to {people.conf_high:.1f})" in page
    chances = {
        arm: first.one(quantity="population_averaged_probability", arm=arm, time=30).estimate
        for arm in ("IPS", "usual")
    }
    assert f"{chances['IPS']:.0%} v {chances['usual']:.0%}" in page
    one, other = (each.one(quantity="population_averaged_difference", time=30) for each in (first, second))
    said = f"**{100 * one.estimate:.0f} points** ({100 * one.conf_low:.0f} to {100 * one.conf_high:.0f})"
    assert said in page
    assert f"{100 * other.estimate:.0f} ({100 * other.conf_low:.0f} to {100 * other.conf_high:.0f})" in page
    assert f"answer of {one.n_missing} of {len(trial)} people" in page
    gained = [p * person.estimate / (1 - p + p * person.estimate) for p in (0.02, 0.1, 0.3, 0.6)]
    for p, q in zip((0.02, 0.1, 0.3, 0.6), gained, strict=True):
        assert f"| {p:.0%} | {q:.0%} | {100 * (q - p):.0f} points |" in page
    assert f"average {100 * np.mean(gained):.1f}%" in page
