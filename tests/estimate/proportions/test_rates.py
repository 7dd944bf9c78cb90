"""Rates against published counts, R, and what must hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import Results
from ipseval.trial import Trial
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import random_trial
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("a2_strata_alpha")["overall"]
AS_STATED = "missing=as_not_employed"

# our method -> the key of case a2
ARM_METHODS = {
    "wilson": "wilson",
    "clopper_pearson": "clopper_pearson",
    "jeffreys": "jeffreys_equal_tailed",
    "agresti_coull": "agresti_coull",
    "wald": "wald",
}
CONTRASTS = [
    ("risk_difference", "newcombe", "newcombe"),
    ("risk_difference", "miettinen_nurminen", "miettinen_nurminen"),
    ("risk_difference", "agresti_caffo", "agresti_caffo"),
    ("risk_difference", "wald", "wald"),
    ("risk_ratio", "miettinen_nurminen", "miettinen_nurminen"),
    ("risk_ratio", "koopman", "koopman"),
    ("risk_ratio", "log", "log_normal"),
    ("odds_ratio", "miettinen_nurminen", "miettinen_nurminen"),
    ("odds_ratio", "wald", "wald"),
]


@pytest.fixture(scope="module")
def found() -> Results:
    return rates(alpha(), endpoints.ever_employed(by=18))


def test_published_44_v_25_percent_on_the_trial_made_to_match_it() -> None:
    """Michon et al. (2014): 44% v 25% at any time within 30 months."""
    main = rates(example("scion"), endpoints.ever_employed(by=30)).main
    shown = {arm: round(100 * main.one(quantity="proportion", arm=arm).estimate) for arm in ("IPS", "usual")}
    assert shown == {"IPS": 44, "usual": 25}


@pytest.mark.parametrize("arm", ["arm1", "arm0"])
@pytest.mark.parametrize("method", ARM_METHODS)
def test_arm_intervals_are_those_of_case_a2(found: Results, arm: str, method: str) -> None:
    # The case counts everyone, and someone lost before a job as not employed: the trials' convention.
    row = found.one(
        quantity="proportion",
        arm="IPS" if arm == "arm1" else "usual",
        method=method,
        setting=AS_STATED,
    )
    counts = CASE["input"]
    assert (row.n_event, row.n) == (
        (counts["x1"], counts["n1"]) if arm == "arm1" else (counts["x0"], counts["n0"])
    )
    assert row.estimate == pytest.approx(CASE[arm]["estimate"], abs=1e-12)
    # Closed forms and beta quantiles: 1e-8 is the case's own tolerance for intervals.
    assert [row.conf_low, row.conf_high] == pytest.approx(CASE[arm][ARM_METHODS[method]], abs=1e-8)


@pytest.mark.parametrize(("quantity", "method", "key"), CONTRASTS)
def test_contrast_intervals_are_those_of_case_a2(
    found: Results, quantity: str, method: str, key: str
) -> None:
    row = found.one(quantity=quantity, method=method, setting=AS_STATED)
    assert row.estimate == pytest.approx(CASE[quantity]["estimate"], rel=1e-10)
    assert [row.conf_low, row.conf_high] == pytest.approx(CASE[quantity][key], rel=1e-7)


def test_conditional_odds_ratio_and_tests_are_those_of_case_a2(found: Results) -> None:
    exact = found.one(quantity="odds_ratio", method="conditional_exact", setting=AS_STATED)
    assert exact.estimate == pytest.approx(CASE["odds_ratio"]["conditional_mle"], rel=1e-7)
    assert [exact.conf_low, exact.conf_high] == pytest.approx(
        CASE["odds_ratio"]["conditional_exact"], rel=1e-7
    )
    p_values = {
        row.method: row.p_value
        for _, row in found.select(quantity="association_test", setting=AS_STATED).frame.iterrows()
    }
    tests = CASE["tests"]
    assert p_values["fisher_exact"] == pytest.approx(tests["fisher_p"], rel=1e-8)
    assert p_values["chi_square"] == pytest.approx(tests["chi2_p"], rel=1e-8)
    assert p_values["n_minus_1_chi_square"] == pytest.approx(tests["chi2_n_minus_1_p"], rel=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_ways_of_counting_the_unknown_stand_in_order(seed: int) -> None:
    frame = rates(random_trial(seed), endpoints.ever_employed(by=[18, 30])).frame
    wilson = frame.loc[(frame["method"] == "wilson") & (frame["arm"] == "IPS")]
    for _, rows in wilson.groupby("time"):
        by = rows.set_index(rows["setting"].str.removeprefix("missing="))
        assert (
            by["estimate"]["best_case"] >= by["estimate"]["as_not_employed"] == by["estimate"]["worst_case"]
        )
        assert by["estimate"]["best_case"] >= by["estimate"]["observed"] >= by["estimate"]["as_not_employed"]
        everyone = by["n"]["as_not_employed"]
        assert by["n"]["observed"] + by["n_missing"]["observed"] == everyone
        assert by["n"]["completers"] <= by["n"]["observed"]
        assert by["n"]["best_case"] == by["n"]["worst_case"] == everyone
    differences = frame.loc[(frame["method"] == "newcombe") & (frame["quantity"] == "risk_difference")]
    for _, rows in differences.groupby("time"):
        by_rule = rows.set_index(rows["setting"].str.removeprefix("missing="))["estimate"]
        assert by_rule["best_case"] >= by_rule["as_not_employed"] >= by_rule["worst_case"]


def test_the_censored_view_is_the_milestone_of_survival() -> None:
    trial = alpha()
    here = rates(trial, endpoints.ever_employed(by=18)).select(setting="missing=censored")
    there = survival(trial, endpoints.time_to_first_job(18)).select(
        quantity="cumulative_incidence", time_unit="months", time=18
    )
    columns = ["arm", "estimate", "std_error", "conf_low", "conf_high", "n", "n_event", "n_missing"]
    assert here.frame[columns].equals(there.frame[columns])


def test_within_a_month_and_at_a_month_are_told_apart() -> None:
    within = rates(alpha(), endpoints.ever_employed(by=18)).frame
    at = rates(alpha(), endpoints.employed_at(month=18)).frame
    assert set(within["time_from"]) == {0.0}
    assert set(at["time_from"]) == {18.0} == set(at["time"])


def test_under_best_worst_the_main_row_promises_the_least() -> None:
    trial = random_trial(2)
    found = rates(trial, endpoints.ever_employed(by=30), missing="best_worst")
    main = found.main.one(quantity="risk_difference")
    assert main.setting == "missing=worst_case"
    assert main.estimate == found.select(quantity="risk_difference").frame["estimate"].min()


def test_number_needed_to_treat_is_the_inverse_of_the_difference(found: Results) -> None:
    needed = found.main.one(quantity="number_needed_to_treat")
    difference = found.main.one(quantity="risk_difference")
    assert needed.estimate == pytest.approx(1 / difference.estimate)
    assert [needed.conf_low, needed.conf_high] == pytest.approx(
        [1 / difference.conf_high, 1 / difference.conf_low]
    )


def test_number_needed_to_treat_runs_through_infinity_when_the_difference_holds_none() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual") for i in range(40)]
    trial = make_trial(
        people, jobs=[job(f"P{i}", 9, 99) for i in range(22)], missing_outcomes="as_not_employed"
    )
    row = rates(trial, endpoints.ever_employed(by=30)).main.one(quantity="number_needed_to_treat")
    assert row.conf_low > 0 > row.conf_high
    assert "at infinity" in row.note
    assert not any(character.isdigit() for character in row.note), "a number would be hard to protect"


def test_a_rule_for_the_unknown_must_be_stated() -> None:
    trial = make_trial([person("A"), person("B", arm="usual")], jobs=[])
    with pytest.raises(AnalysisError, match="Nothing says how unknown outcomes are counted"):
        rates(trial, endpoints.ever_employed())
    with pytest.raises(AnalysisError, match="missing='imputed' is not an option"):
        rates(trial, endpoints.ever_employed(), missing="imputed")


@pytest.mark.parametrize(
    "asked",
    [
        lambda trial: rates(trial, endpoints.ever_employed(by=[18, 36])),
        lambda trial: rates(trial, endpoints.employed_at(month=36)),
        lambda trial: survival(trial, endpoints.time_to_first_job(36)),
    ],
)
def test_months_beyond_the_planned_follow_up_are_refused_with_how_many_were_seen(
    asked: Callable[[Trial], Results],
) -> None:
    people = [person(f"P{i}", 1100 if i < 3 else 912, arm="IPS" if i % 2 else "usual") for i in range(10)]
    said = (
        r"at 36 months, and follow-up was planned for 30: 3 of 10 people were followed that far\. Ask for 30"
    )
    with pytest.raises(AnalysisError, match=said):
        asked(make_trial(people, jobs=[], missing_outcomes="as_not_employed"))
