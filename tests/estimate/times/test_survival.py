"""Time to a first job against R's survival (case b2), and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.errors import AnalysisError
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import Results
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import random_trial, two_arms
from tests.make_trial import job, make_trial

CASE = reference_cases.expected("b2_survival_alpha")
ARMS = {"group_1": "IPS", "group_0": "usual"}


@pytest.fixture(scope="module")
def beyond() -> Results:
    """The case follows everyone to their own last date, so the horizon lies beyond all of them."""
    trial = alpha()
    planned = replace(trial, design=replace(trial.design, follow_up_months=34))
    return survival(planned, endpoints.time_to_first_job(34))


@pytest.fixture(scope="module")
def to_900() -> Results:
    return survival(alpha(), endpoints.time_to_first_job(30))


@pytest.mark.parametrize("group", ARMS)
@pytest.mark.parametrize("at", range(6))
def test_the_curve_is_one_minus_kaplan_meier_of_case_b2(beyond: Results, group: str, at: int) -> None:
    wanted = CASE["km"][group]["table"][at]
    curve = beyond.main.select(
        quantity="cumulative_incidence", arm=ARMS[group], time_unit="days", term="event"
    ).frame
    row = curve.loc[curve["time"] <= wanted["time"]].iloc[-1]
    # Closed forms of the same counts; nobody dies in the case, so that nothing competes.
    assert row.estimate == pytest.approx(1 - wanted["surv"], abs=1e-9)
    assert row.std_error == pytest.approx(wanted["greenwood_se"], abs=1e-9)
    assert row.n_event == wanted["events_to_t"]
    # log(-log F) limits, as for a cumulative incidence; those of the case are log(-log S).
    incidence = 1 - wanted["surv"]
    half = 1.959963984540054 * wanted["greenwood_se"] / (incidence * np.log(incidence))
    limits = [incidence ** np.exp(-half), incidence ** np.exp(half)]
    assert sorted([row.conf_low, row.conf_high]) == pytest.approx(sorted(limits), abs=1e-8)


@pytest.mark.parametrize(("setting", "key"), [("", "logrank"), ("strata=site", "stratified")])
def test_log_rank_is_that_of_case_b2(beyond: Results, setting: str, key: str) -> None:
    row = beyond.one(quantity="log_rank_test", method="log_rank", setting=setting)
    assert row.statistic == pytest.approx(CASE["logrank"][key]["chisq"], rel=1e-9)
    assert row.p_value == pytest.approx(CASE["logrank"][key]["p"], rel=1e-8)


@pytest.mark.parametrize(("setting", "key"), [("", "efron"), ("strata=site", "stratified_site")])
def test_hazard_ratio_is_that_of_case_b2(beyond: Results, setting: str, key: str) -> None:
    row = beyond.one(quantity="hazard_ratio", method="cox_efron", setting=setting)
    wanted = CASE["cox_arm"][key]
    assert np.log(row.estimate) == pytest.approx(wanted["coef"]["arm"], abs=1e-6)  # R stops at 1e-9 of loglik
    assert row.std_error == pytest.approx(wanted["se"]["arm"], abs=1e-6)
    assert row.statistic == pytest.approx(wanted["wald_test"], rel=1e-5)


def test_the_check_of_proportional_hazards_is_cox_zph_of_case_b2(beyond: Results) -> None:
    wanted = CASE["cox_arm"]["zph"]["km"][0]
    row = beyond.one(quantity="proportional_hazards_test", method="score_test", setting="")
    assert [row.statistic, row.p_value] == pytest.approx([wanted["chisq"], wanted["p"]], rel=1e-5)


def test_the_main_check_has_the_strata_of_the_main_hazard_ratio(beyond: Results) -> None:
    settings = {
        quantity: beyond.main.one(quantity=quantity).setting
        for quantity in ("log_rank_test", "hazard_ratio", "proportional_hazards_test")
    }
    assert set(settings.values()) == {"strata=site"}


def test_restricted_means_are_those_of_case_b2(to_900: Results) -> None:
    wanted = CASE["rmst"]["tau_900"]
    for key, arm in (("arm1", "IPS"), ("arm0", "usual")):
        row = to_900.one(quantity="restricted_mean_survival_time", arm=arm)
        assert [row.estimate, row.std_error] == pytest.approx(
            [wanted[key]["rmst"], wanted[key]["se"]], rel=1e-9
        )
    row = to_900.one(quantity="restricted_mean_survival_time_difference")
    numbers = [row.estimate, row.std_error, row.conf_low, row.conf_high, row.p_value]
    assert numbers == pytest.approx(
        [wanted["difference"][key] for key in ("estimate", "se", "lower", "upper", "p")], rel=1e-8
    )


def test_without_deaths_time_lost_and_time_left_make_the_horizon(to_900: Results) -> None:
    for arm in ("IPS", "usual"):
        lost = to_900.one(quantity="restricted_mean_time_lost", arm=arm)
        left = to_900.one(quantity="restricted_mean_survival_time", arm=arm)
        assert lost.estimate + left.estimate == pytest.approx(900)
        assert lost.std_error == pytest.approx(left.std_error, rel=1e-9)


def test_published_44_percent_of_the_trial_made_to_match_it_is_higher_once_the_lost_leave() -> None:
    """Michon et al. (2014): 31 of 70; the lost can only leave the denominator, so the estimate rises."""
    row = survival(example("scion"), endpoints.time_to_first_job(30)).one(
        quantity="cumulative_incidence", time_unit="months", time=30, arm="IPS"
    )
    assert (row.n_event, row.n) == (31, 70)
    assert 31 / 70 <= row.estimate < 31 / (70 - row.n_missing)


@pytest.mark.parametrize("seed", range(5))
def test_counts_at_risk_add_up_to_the_arm(seed: int) -> None:
    trial = random_trial(seed)
    found = survival(trial, endpoints.time_to_first_job(30))
    wide = found.frame.pivot_table(
        index=["arm", "time"], columns="quantity", values="estimate", observed=True
    )
    ticks = wide[["number_at_risk", "cumulative_events", "cumulative_censored"]].dropna()
    for (arm, time), row in ticks.iterrows():
        died = trial.died & (trial.arm == arm) & (trial.followed_days < trial.design.horizon_day(time))
        n = int((trial.arm == arm).sum())
        job_first = found.frame.loc[(found.frame["term"] == "died") & (found.frame["arm"] == arm)]
        dead = job_first.loc[job_first["time"] < trial.design.horizon_day(time), "n_event"].max()
        dead = 0 if pd.isna(dead) else int(dead)
        assert row.sum() + dead == n
        assert dead <= died.sum()
        lost = found.one(quantity="cumulative_censored", arm=arm, time=time)
        assert lost.status == "ok"
        assert ("the dead are not among them" in lost.note) == (found.frame["term"] == "died").any()


def test_the_curve_starts_at_0_and_ends_at_the_horizon(to_900: Results) -> None:
    curve = to_900.main.select(quantity="cumulative_incidence", time_unit="days", arm="IPS").frame
    assert [curve["time"].iloc[0], curve["estimate"].iloc[0], curve["time"].iloc[-1]] == [0, 0, 900]
    assert curve["estimate"].is_monotonic_increasing
    milestone = to_900.one(quantity="cumulative_incidence", time_unit="months", time=30, arm="IPS")
    assert milestone.estimate == curve["estimate"].iloc[-1]


def test_the_curve_claims_nothing_where_nobody_was_followed() -> None:
    trial = make_trial(
        two_arms(20, until=100, end_reason="lost"), jobs=[job("P001", 5, 9), job("P003", 50, 60)]
    )
    found = survival(trial, endpoints.time_to_first_job(30), milestones=[1])
    early = found.one(quantity="cumulative_incidence", time_unit="months", time=1, arm="IPS")
    assert early.estimate == pytest.approx(0.1)
    late = found.select(quantity="cumulative_incidence", time=30, time_unit="months").frame
    assert set(late["status"]) == {"not_defined"}
    assert set(late["note"]) == {"not known: nobody was followed that far"}
    assert found.main.one(quantity="cumulative_incidence_difference", time=30).status == "not_defined"


def test_a_difference_is_not_certain_because_nothing_happened() -> None:
    trial = make_trial(two_arms(20), jobs=[])
    found = survival(trial, endpoints.time_to_first_job(30))
    for row in found.select(quantity="cumulative_incidence_difference").frame.itertuples():
        assert row.estimate == 0
        assert np.isnan([row.std_error, row.conf_low, row.conf_high]).all()


def test_milestones_and_strata_are_refused_with_what_to_do() -> None:
    endpoint = endpoints.time_to_first_job(18)
    with pytest.raises(
        AnalysisError, match=r"milestones=\[24.0\] lie outside the endpoint's horizon of 18 months"
    ):
        survival(alpha(), endpoint, milestones=[6, 24])
    with pytest.raises(AnalysisError, match=r"horizons=\[19.0\] lie outside the endpoint's horizon of 18"):
        survival(alpha(), endpoint, horizons=[6, 19])
    with pytest.raises(AnalysisError, match=r"milestones=\[0.0\] lie outside"):
        survival(alpha(), endpoint, milestones=0)
    with pytest.raises(AnalysisError, match="'region' is not a column of participants"):
        survival(alpha(), endpoint, strata=["region"])


@pytest.mark.slow
def test_known_truth_the_incidence_and_the_hazard_ratio_are_unbiased() -> None:
    """60 trials of exponential times, hazard ratio 2, a third lost: bias within 3 Monte Carlo errors."""
    draw = np.random.default_rng(20240501)
    logs, shares = [], []
    for _ in range(60):
        people = two_arms(160)
        active = np.arange(160) % 2 == 1
        days = draw.exponential(np.where(active, 500, 1000))
        lost = draw.exponential(1800, 160)
        for row, until in zip(people, lost, strict=True):
            if until < 912:
                row |= {"followed_until": int(until), "end_reason": "lost"}
        jobs = [job(f"P{i:03d}", int(d), int(d)) for i, d in enumerate(days) if d < min(lost[i], 912)]
        found = survival(make_trial(people, jobs=jobs), endpoints.time_to_first_job(18))
        logs.append(np.log(found.one(quantity="hazard_ratio", method="cox_efron", setting="").estimate))
        shares.append(
            found.one(quantity="cumulative_incidence", arm="IPS", time=18, time_unit="months").estimate
        )
    for values, truth in ((logs, np.log(2)), (shares, 1 - np.exp(-547 / 500))):
        assert abs(np.mean(values) - truth) < 3 * np.std(values) / np.sqrt(len(values)) + 0.005
