"""Hazard ratios that change, and their variance where people share a coach, against R (cases b2 and b10)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ipseval import endpoints
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.times.survival import DECLARATION, survival
from ipseval.plan import read_plan
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.trial import Trial
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.times.test_survival_contrasts import competing
from tests.estimate.trials import hard_trials, two_arms
from tests.make_trial import job, make_trial

CASE = reference_cases.expected("b10_time_varying")


@pytest.fixture(scope="module")
def followed_longer() -> Trial:
    return replace(alpha(), design=replace(alpha().design, follow_up_months=34, strata=()))


@pytest.fixture(scope="module")
def by_period(followed_longer: Trial) -> Results:
    return survival(followed_longer, endpoints.time_to_first_job(34), effect_by=[6, 18])


def with_coaches(trial: Trial, n: int, *, only_active: bool = False, first: int = 0) -> Trial:
    coach = np.array([f"C{(place + first) % n}" for place in range(len(trial))], dtype=object)
    if only_active:
        coach[np.asarray(trial.arm) == trial.design.reference] = None
    people = trial.participants.assign(coach=coach).astype({"coach": "category"})
    return replace(trial, tables={**trial.tables, "participants": people})


# ---- against R


@pytest.mark.parametrize(("place", "begin", "end"), [(0, 0, 6), (1, 6, 18), (2, 18, 34)])
def test_ratios_by_period_are_those_of_survsplit(
    by_period: Results, place: int, begin: int, end: int
) -> None:
    """The case cuts after day 180 and we before it; nobody found a first job on day 180 or 540."""
    row, wanted = (
        by_period.one(method="cox_by_period", time_from=begin, time=end),
        CASE["by_period_efron_180_540"],
    )
    assert np.log(row.estimate) == pytest.approx(wanted["coef"][place], abs=1e-7)
    assert row.std_error == pytest.approx(wanted["se"][place], abs=1e-7)
    assert row.n_event == wanted["n_event"][place]


def test_the_test_that_periods_do_not_differ_is_that_of_anova(by_period: Results) -> None:
    row = by_period.one(quantity="proportional_hazards_test", method="cox_by_period")
    wanted = CASE["by_period_efron_180_540"]
    assert [row.statistic, row.df, row.p_value] == pytest.approx(
        [wanted["same_chisq"], wanted["same_df"], wanted["same_p"]], rel=1e-6
    )


# ---- what must hold


def test_a_ratio_that_moves_is_one_line_in_log_time(followed_longer: Trial) -> None:
    found = survival(followed_longer, endpoints.time_to_first_job(34), effect_by="log_time")
    rows = found.select(quantity="hazard_ratio", method="cox_log_time").frame
    assert rows["time"].tolist() == [6, 12, 18, 24, 30, 34]
    slopes = np.diff(np.log(rows["estimate"])) / np.diff(np.log(30 * rows["time"]))
    assert slopes == pytest.approx(np.repeat(slopes[0], 5), rel=1e-9)
    test = found.one(quantity="proportional_hazards_test", method="cox_log_time")
    first = rows.iloc[0]
    assert test.df == 1
    assert 0 < test.p_value < 1
    assert first["n"] == 151


def test_what_is_asked_for_besides_leaves_the_main_rows_alone(
    by_period: Results, followed_longer: Trial
) -> None:
    plain = survival(followed_longer, endpoints.time_to_first_job(34))
    assert len(plain.frame) + 4 == len(by_period.frame)
    assert len(plain.main.frame) == len(by_period.main.frame)


def clustered_trial(*, only_active: bool = True) -> Trial:
    return with_coaches(competing(), 12, only_active=only_active, first=1)


@cache
def clustered(only_active: bool) -> Results:
    endpoint = endpoints.time_to_first_job(34)
    return survival(clustered_trial(only_active=only_active), endpoint, cluster="coach")


@pytest.mark.parametrize(("only_active", "key"), [(False, "both_arms"), (True, "one_arm")])
@pytest.mark.parametrize("setting", ["cluster=coach", "strata=site; cluster=coach"])
def test_variance_by_coach_is_that_of_case_b13(only_active: bool, key: str, setting: str) -> None:
    """The case codes its twelve coaches as the number of the person modulo 12."""
    row = clustered(only_active).one(method="cox_efron_clustered", setting=setting)
    wanted = reference_cases.expected("b13_cox_few_clusters")
    wanted = wanted["within_sites"][key] if "strata" in setting else wanted[key]
    numbers = [np.log(row.estimate), row.std_error, row.df, row.p_value]
    assert numbers == pytest.approx([wanted[name] for name in ("coef", "se", "df", "p")], rel=1e-5)
    limits = [np.log(row.conf_low), np.log(row.conf_high)]
    assert limits == pytest.approx([wanted["lower"], wanted["upper"]], rel=1e-6)
    assert ("clusters of one" in row.note) == only_active


def test_with_clusters_the_main_ratio_is_theirs_within_the_strata() -> None:
    found = clustered(only_active=True)
    main = found.main.one(quantity="hazard_ratio")
    assert (main.method, main.setting) == ("cox_efron_clustered", "strata=site; cluster=coach")
    assert main.estimate == found.one(method="cox_efron", setting="strata=site").estimate
    without = survival(clustered_trial(), endpoints.time_to_first_job(34), cluster="coach", strata=())
    assert without.main.one(quantity="hazard_ratio").setting == "cluster=coach"


def test_periods_share_out_those_at_risk_at_their_start(followed_longer: Trial) -> None:
    """Who is at risk at the start of a period has the event, dies, is lost, or is at risk in the next."""
    endpoint = endpoints.time_to_first_job(30)
    trial = replace(followed_longer, design=replace(followed_longer.design, follow_up_months=30))
    found = survival(trial, endpoint, effect_by=[6, 18])
    rows = found.select(quantity="hazard_ratio", method="cox_by_period").frame.sort_values("time")
    outcome, at_end = endpoint.evaluate(trial), trial.design.horizon_day(30)
    assert not (outcome["event"] == "died").any()
    stayed = int(((outcome["event"] == "censored") & (outcome["value"] == at_end)).sum())
    leaving = (rows["n_event"] + rows["n_missing"]).tolist()
    assert leaving == [
        *(rows["n"].iloc[:-1].to_numpy() - rows["n"].iloc[1:].to_numpy()),
        rows["n"].iloc[-1] - stayed,
    ]
    assert rows["n_missing"].sum() == found.one(quantity="gray_test", setting="").n_missing


def test_residuals_average_to_the_ratio_and_single_events_stay_inside(followed_longer: Trial) -> None:
    found = survival(followed_longer, endpoints.time_to_first_job(34), residuals=True)
    rows = found.select(quantity="scaled_schoenfeld_residual").frame
    ratio = found.one(quantity="hazard_ratio", method="cox_efron", setting="").estimate
    events = rows["n_event"].astype(float)
    assert (rows["estimate"] * events).sum() / events.sum() == pytest.approx(np.log(ratio), abs=1e-6)
    assert events.sum() == 93
    public = protect(found)
    assert set(public.select(quantity="scaled_schoenfeld_residual").frame["status"]) == {"suppressed"}
    assert set(public.select(method="schoenfeld_spline").frame["status"]) == {"ok"}


def test_too_few_days_with_events_for_a_curve_say_so() -> None:
    trial = make_trial(two_arms(20), jobs=[job(f"P{i:03d}", 10 + i, 400) for i in range(3)])
    found = survival(trial, endpoints.time_to_first_job(30), residuals=True)
    rows = found.select(quantity="scaled_schoenfeld_residual").frame
    assert "Events fell on 3 days" in rows.loc[rows["estimate"].isna(), "note"].iloc[0]


def test_a_period_without_events_says_why() -> None:
    trial = make_trial(two_arms(20), jobs=[job(f"P{i:03d}", 10 + i, 400) for i in range(12)])
    found = survival(trial, endpoints.time_to_first_job(30), effect_by=6)
    assert found.one(method="cox_by_period", time=6, quantity="hazard_ratio").status == "ok"
    late = found.one(method="cox_by_period", time_from=6, quantity="hazard_ratio")
    assert late.status == "not_defined"
    assert "No event among 8 people" in late.note
    assert found.one(method="cox_by_period", quantity="proportional_hazards_test").status != "ok"


def test_periods_are_said_in_words(by_period: Results) -> None:
    row = by_period.one(method="cox_by_period", time_from=6, time=18)
    assert "Hazard ratio, IPS relative to usual, from 6 to 18 months:" in sentence(row, by_period)
    assert "van 6 tot 18 maanden" in sentence(row, by_period, lang="nl")


def test_refusals_say_what_to_do() -> None:
    endpoint = endpoints.time_to_first_job(30)
    with pytest.raises(AnalysisError, match="fewer than 10: their variance would come out too small"):
        survival(with_coaches(alpha(), 6), endpoint, cluster="coach")
    with pytest.raises(
        AnalysisError, match=r"effect_by=\[36.0\] has no month inside .* 30 months, or one beyond"
    ):
        survival(alpha(), endpoint, effect_by=36)
    with pytest.raises(AnalysisError, match="effect_by='months' is not an option"):
        survival(alpha(), endpoint, effect_by="months")
    with pytest.raises(AnalysisError, match="effect_by='months' is not an option"):
        DECLARATION.options["effect_by"]("months")


def test_a_plan_can_ask_for_all_of_it(tmp_path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'title = "x"\n[endpoint.job]\nis = "time_to_first_job"\nhorizon = 30\n'
        '[analysis.soon]\nestimator = "survival"\nendpoint = "job"\nmilestones = [18, 24, 30]\n'
        'horizons = [12, 18, 24, 30]\neffect_by = [0, 6, 30]\ncluster = "coach"\nfrailty = ["site"]\n'
    )
    (asked,) = read_plan(plan).analyses
    found = survival(with_coaches(alpha(), 12), endpoints.time_to_first_job(30), **asked.arguments)
    assert found.select(quantity="restricted_mean_time_lost_difference").frame["time"].tolist() == [
        12,
        18,
        24,
        30,
    ]
    periods = found.select(quantity="hazard_ratio", method="cox_by_period").frame
    assert list(zip(periods["time_from"], periods["time"], strict=True)) == [(0, 6), (6, 30)]
    milestones = found.main.select(quantity="cumulative_incidence_difference").frame
    assert milestones["time"].tolist() == [18, 24, 30]


@pytest.mark.parametrize(("name", "trial"), list(hard_trials()), ids=[name for name, _ in hard_trials()])
def test_where_much_has_no_answer_all_that_can_be_asked_for_still_says_why(name: str, trial: Trial) -> None:
    asked: dict[str, object] = {"horizons": [6, 30], "effect_by": 6, "residuals": True}
    if "site" in trial.participants:
        asked |= {"frailty": ["site"], "adjust": ["site"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = survival(trial, endpoints.time_to_first_job(30), **asked).frame
        survival(trial, endpoints.time_to_first_job(30), effect_by="log_time")
    without = found.loc[found["estimate"].isna() & found["p_value"].isna()]
    assert (without["note"] != "").all()
    assert without["status"].isin(["failed", "not_defined"]).all()
    assert np.isfinite(found["estimate"].dropna()).all()
    assert (found.loc[found["quantity"] == "hazard_ratio", "estimate"].dropna() > 0).all()


HARD = dict(hard_trials())


@pytest.mark.parametrize("effect_by", [[2], "log_time"])
def test_an_arm_without_events_is_named_and_not_counted(effect_by: object) -> None:
    found = survival(HARD["an arm without events"], endpoints.time_to_first_job(30), effect_by=effect_by)
    notes = found.frame.loc[found.frame["status"].isin(["failed", "not_defined"]), "note"]
    assert not notes.str.contains("counted from 0").any()
    for quantity, method in (
        ("hazard_ratio", "cox_efron"),
        ("subdistribution_hazard_ratio", "fine_gray"),
        ("proportional_hazards_test", "score_test"),
    ):
        row = found.one(quantity=quantity, method=method)
        assert "Infinite coefficient of 1 column (the IPS arm)" in row.note


def test_everybody_on_day_0_is_said_of_tests_and_in_months() -> None:
    found = survival(HARD["everybody on day 0"], endpoints.time_to_first_job(30), effect_by=[6])
    for row in found.select(quantity="log_rank_test").frame.itertuples():
        assert row.status == "not_defined"
        assert "everybody at risk had the event at once (20 events in all)" in row.note
    row = found.one(quantity="hazard_ratio", method="cox_by_period")
    assert row.note.startswith("Nobody is left at risk after month 6")
