"""People who come under observation late, against R (cases b5, b10 and b12), and what must hold."""

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
from ipseval.results import Results
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.trials import hard_trials, random_trial, two_arms
from tests.make_trial import Row, job, make_trial, person

B5, B10, B12 = (
    reference_cases.expected(case)
    for case in ("b5_left_truncation_heart", "b10_time_varying", "b12_delayed_entry_alpha")
)
HARD = dict(hard_trials())
ARMS = {"group_0": "usual", "group_1": "IPS"}


def seen_since(people: list[Row], jobs: list[Row], months: int, **design: object) -> Trial:
    """Return a trial whose people have their first day under observation in ``linked_on_day``."""
    trial = make_trial(people, jobs=jobs, month="30_days", follow_up_months=months, **design)
    return replace(trial, covariates={"linked_on_day": Variable("linked_on_day", "number")})


@cache
def heart() -> Results:
    """Case b5 in half days, since one patient was transplanted at noon; every row is one person."""
    people, jobs = [], []
    for row in reference_cases.data("b5_left_truncation_heart").itertuples():
        name, end = f"{row.id}-{row.start:g}", int(2 * row.stop)
        arm, linked = ("IPS" if row.transplant else "usual"), 2.0 * row.start + 1
        people.append(person(name, end, "lost", arm=arm, linked_on_day=linked))
        if row.event:
            jobs.append(job(name, end, end))
    trial = seen_since(people, jobs, 120, assessment_months=(1,))
    return survival(trial, endpoints.time_to_first_job(120), entry="linked_on_day")


@cache
def alpha() -> Results:
    """Case b12: 1 is a first job, 2 a death before one, 0 the end of follow-up."""
    people, jobs = [], []
    for row in reference_cases.data("b12_delayed_entry_alpha").itertuples():
        until, reason = (
            (1000, "lost") if row.cr_status == 1 else (row.time, ["lost", "", "died"][row.cr_status])
        )
        more = {"site": row.site, "coach": f"C{int(row.id[1:]) % 20}", "linked_on_day": float(row.since)}
        people.append(person(row.id, until, reason, arm="IPS" if row.arm else "usual", **more))
        if row.cr_status == 1:
            jobs.append(job(row.id, row.time, row.time))
    trial = seen_since(people, jobs, 34, strata=("site",), assessment_months=(6, 18))
    asked = {"milestones": [6, 18, 30], "horizons": [30], "cluster": "coach", "effect_by": 6}
    endpoint = endpoints.time_to_first_job(34)
    return survival(trial, endpoint, entry="linked_on_day", frailty=["site"], adjust=["site"], **asked)


# ---- against R


@pytest.mark.parametrize("group", ARMS)
def test_the_curve_is_the_truncated_product_limit_of_case_b5(group: str) -> None:
    wanted = {2 * row["time"]: row for row in B5["km_by_transplant"][group]["curve_at_event_times"]}
    curve = heart().main.select(quantity="cumulative_incidence", arm=ARMS[group], time_unit="days").frame
    found = curve.set_index("time")["estimate"]
    assert set(wanted) <= set(found.index)
    for day, row in wanted.items():
        assert found[day] == pytest.approx(1 - row["surv"], abs=1e-9)  # a closed form of the same counts


def test_the_log_rank_test_is_that_of_case_b10() -> None:
    row, wanted = heart().one(quantity="log_rank_test", method="log_rank"), B10["log_rank_delayed_entry"]
    assert row.statistic == pytest.approx(wanted["plain"]["chisq"], rel=1e-9)


@pytest.mark.parametrize(("setting", "key"), [("", "plain"), ("strata=site", "site")])
def test_tests_and_hazard_ratios_are_those_of_case_b12(setting: str, key: str) -> None:
    row = alpha().one(quantity="log_rank_test", method="log_rank", setting=setting)
    wanted = B12["log_rank"][key]
    assert [row.statistic, row.p_value] == pytest.approx([wanted["chisq"], wanted["p"]], rel=1e-9)
    for method in ("cox_efron", "cox_breslow"):
        row = alpha().one(quantity="hazard_ratio", method=method, setting=setting)
        wanted = B12[f"{method}_{key}"]  # coxph stops at 1e-11 of the log likelihood
        assert [np.log(row.estimate), row.std_error] == pytest.approx(
            [wanted["coef"], wanted["se"]], rel=1e-6
        )
    row = alpha().one(quantity="proportional_hazards_test", method="score_test", setting=setting)
    assert [row.statistic, row.p_value] == pytest.approx([*B12[f"zph_{key}"].values()], rel=1e-5)


def test_ratios_by_coach_and_by_period_are_those_of_case_b12() -> None:
    row, wanted = (
        alpha().one(method="cox_efron_clustered", setting="cluster=coach"),
        B12["cox_efron_cluster_20"],
    )
    few = np.sqrt(20 / 19)  # the correction for twenty clusters, which coxph does not have
    here = [wanted["coef"], wanted["se"] * few]
    assert [np.log(row.estimate), row.std_error] == pytest.approx(here, rel=1e-6)
    rows = alpha().select(quantity="hazard_ratio", method="cox_by_period").frame
    wanted = B12["by_period_180"]
    assert np.log(rows["estimate"].to_numpy()) == pytest.approx(wanted["coef"], rel=1e-6)
    assert rows["std_error"].to_numpy() == pytest.approx(wanted["se"], rel=1e-6)


@pytest.mark.parametrize("group", ARMS)
def test_incidences_and_numbers_at_risk_are_those_of_case_b12(group: str) -> None:
    wanted, found = B12[group], alpha().select(arm=ARMS[group])
    for place, month in enumerate((6, 18, 30)):
        row = found.one(quantity="cumulative_incidence", time=month, time_unit="months")
        here = [wanted["incidence"][place], wanted["incidence_se"][place]]
        assert [row.estimate, row.std_error] == pytest.approx(here, rel=1e-9)
        assert row.n == wanted["n"]
        assert found.one(quantity="number_at_risk", time=month).estimate == wanted["at_risk"][place]


@pytest.mark.parametrize("group", ARMS)
def test_restricted_means_are_those_of_case_b12(group: str) -> None:
    wanted, found = B12[group], alpha().select(arm=ARMS[group], time=30)
    row = found.one(quantity="restricted_mean_survival_time")
    here = [wanted["restricted_mean_900"], wanted["restricted_mean_900_se"]]
    assert [row.estimate, row.std_error] == pytest.approx(here, rel=1e-9)
    row = found.one(quantity="restricted_mean_time_lost")
    assert row.estimate == pytest.approx(wanted["time_since_900"], rel=1e-9)


# ---- what must hold


@pytest.mark.parametrize(("seed", "day"), [(0, 0.0), (1, -40.0)])
def test_to_be_under_observation_from_the_start_changes_nothing(seed: int, day: float) -> None:
    trial = random_trial(seed)
    people = trial.participants.assign(linked_on_day=day)
    linked = replace(
        trial,
        tables={**trial.tables, "participants": people},
        covariates={"linked_on_day": Variable("linked_on_day", "number")},
    )
    plain, found = (
        survival(one, endpoints.time_to_first_job(30), **how).frame.drop(columns="note")
        for one, how in ((trial, {}), (linked, {"entry": "linked_on_day"}))
    )
    assert plain.equals(found)


def test_who_is_left_out_is_counted_and_every_estimate_says_what_it_assumes() -> None:
    found = alpha()
    for group, arm in ARMS.items():
        rows = found.select(quantity="number_at_risk", arm=arm).frame
        assert rows["note"].str.contains(f"left out; n_too_late = {B12['left_out'][group]}").all()
        assert (rows["n"] == B12[group]["n"]).all()
    frame = found.frame
    numbers = frame["estimate"].notna() & (frame["unit"] != "people") | frame["p_value"].notna()
    assert frame.loc[numbers, "note"].str.contains("from the day they came under observation").all()
    assert frame.loc[numbers, "note"].str.contains("counted beside the numbers at risk").all()
    public = protect(found).frame
    assert not public["note"].str.contains("n_too_late").any()


def test_methods_without_late_entry_are_rows_that_say_so() -> None:
    failed = alpha().failures
    failed = failed.loc[~failed["note"].str.contains("beyond the last follow-up")]
    reason = "this method takes nobody who came under observation after randomisation"
    assert set(failed["note"]) == {reason}
    without = {"gray", "fine_gray", "cox_gamma_frailty", "pseudo_values_ancova"}
    assert set(failed["method"]) == without


def test_an_unknown_day_and_a_first_day_after_the_start_are_said() -> None:
    people = [row | {"linked_on_day": 10.0} for row in two_arms(40)]
    people[3] |= {"linked_on_day": None}
    trial = seen_since(people, [job(f"P{i:03d}", 10 + i, None) for i in range(0, 40, 3)], 30)
    found = survival(trial, endpoints.time_to_first_job(30), entry="linked_on_day")
    told = found.select(quantity="number_at_risk", arm="IPS").frame["note"]
    assert told.str.contains("not known are left out; n_unknown = 1").all()
    assert found.one(quantity="number_at_risk", arm="IPS", time=0).estimate == 0
    row = found.main.one(quantity="cumulative_incidence_difference", time=30)
    assert "without a first new job on the first day on which anyone" in row.note
    assert row.n == 39


def test_a_curve_that_ends_before_others_come_has_no_number() -> None:
    """The two who are seen from the start find work on days 3 and 9: nobody is left on day 10."""
    people = [row | {"linked_on_day": 0.0 if i in (1, 3) else 50.0} for i, row in enumerate(two_arms(40))]
    jobs = [job("P001", 3, 9), job("P003", 9, 9), *(job(f"P{i:03d}", 60 + i, None) for i in range(4, 40, 3))]
    found = survival(
        seen_since(people, jobs, 30), endpoints.time_to_first_job(30), milestones=30, entry="linked_on_day"
    )
    for quantity in ("cumulative_incidence", "restricted_mean_time_lost"):
        row = found.main.select(quantity=quantity, arm="IPS", time=30).frame
        assert row["note"].str.contains("without the event after day 9, before others came").all()
    assert found.one(quantity="hazard_ratio", method="cox_efron").status != "failed"
    assert found.one(quantity="restricted_mean_time_lost", arm="usual", time=30).estimate > 0


def linked_from(first_active: float, first_reference: float) -> Results:
    """Both arms find jobs in their thirtieth month; nobody of an arm is seen before its first day."""
    people = two_arms(40)
    firsts = {"IPS": first_active, "usual": first_reference}
    people = [row | {"linked_on_day": firsts[str(row["arm"])]} for row in people]
    trial = seen_since(people, [job(f"P{i:03d}", 880 + i // 3, None) for i in range(0, 40, 3)], 30)
    asked = {"milestones": [12, 30], "horizons": [12, 30]}
    return survival(trial, endpoints.time_to_first_job(30), entry="linked_on_day", **asked)


def test_before_the_first_day_under_observation_there_is_no_number() -> None:
    found = linked_from(870, 0)
    for quantity in (
        "cumulative_incidence",
        "restricted_mean_time_lost",
        "restricted_mean_survival_time",
    ):
        early = found.one(quantity=quantity, arm="IPS", time=12, time_unit="months")
        assert early.status == "not_defined"
        assert "nobody of the arm was under observation by then; first_day = 870" in early.note
        assert found.one(quantity=quantity, arm="IPS", time=30, time_unit="months").estimate > 0
    assert found.one(quantity="cumulative_incidence", arm="usual", time=12, time_unit="months").estimate == 0
    curve = found.select(quantity="cumulative_incidence", arm="IPS", time_unit="days").frame
    assert curve["time"].min() == 870


def test_no_median_is_said_to_be_unreached_where_nobody_was_seen() -> None:
    row = linked_from(900, 0).one(quantity="median_time", arm="IPS")
    assert row.status == "not_defined"
    assert "not reached" not in row.note


def test_arms_that_are_seen_from_different_days_are_not_compared_at_a_horizon() -> None:
    apart, together = linked_from(870, 0), linked_from(870, 870)
    for found, is_apart in ((apart, True), (together, False)):
        frame = found.frame
        rows = frame.loc[frame["quantity"].str.contains("_difference|_ratio") & (frame["time"] == 30)]
        rows = rows.loc[rows["quantity"].str.startswith(("cumulative_incidence_", "restricted_mean_"))]
        assert rows["quantity"].nunique() == 6
        assert (rows["status"] == "not_defined").all() == is_apart
        assert rows["note"].str.contains("from the later day on; first_day = 870 and 0").all() == is_apart
        assert found.one(quantity="hazard_ratio", method="cox_efron", setting="").estimate > 0


def test_means_are_said_to_be_of_everyone_randomised_only_where_they_are() -> None:
    said = {"over everyone randomised": linked_from(870, 870), "over everyone under observation": alpha()}
    for text, found in said.items():
        rows = found.select(quantity="restricted_mean_time_lost").frame
        assert rows.loc[rows["estimate"].notna(), "note"].str.contains(text).all()


@pytest.mark.parametrize("name", HARD, ids=str)
def test_what_has_no_answer_is_a_row_with_its_reason(name: str) -> None:
    """Some come late, and in the other trial a whole arm comes after everything."""
    trial = HARD[name]
    late = np.arange(len(trial)) % 5 * 4.0
    for days in (late, np.where(np.asarray(trial.arm) == "IPS", 3000.0, late)):
        people = trial.participants.assign(linked_on_day=days)
        linked = replace(
            trial,
            tables={**trial.tables, "participants": people},
            covariates={"linked_on_day": Variable("linked_on_day", "number")},
        )
        if (days == 3000.0).all():
            with pytest.raises(AnalysisError, match="Nobody was seen at risk"):
                survival(linked, endpoints.time_to_first_job(30), entry="linked_on_day")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = survival(linked, endpoints.time_to_first_job(30), entry="linked_on_day", effect_by=6)
        frame = found.frame
        failed = frame["status"].isin(["failed", "not_defined"])
        assert ((frame["estimate"].notna() | frame["p_value"].notna()) == ~failed).all()
        assert (frame.loc[failed, "note"] != "").all()


def test_a_wrong_entry_is_refused_with_what_to_do() -> None:
    people = [row | {"linked_on_day": 0.5} for row in two_arms(4)]
    trial, endpoint = seen_since(people, [], 30), endpoints.time_to_first_job(30)
    with pytest.raises(AnalysisError, match="'linked_on_day' is not a whole number of days for 4 of 4"):
        survival(trial, endpoint, entry="linked_on_day")
    with pytest.raises(
        AnalysisError, match=r"entry='site' is not a numeric covariate \(found: linked_on_day\)"
    ):
        survival(trial, endpoint, entry="site")
    with pytest.raises(AnalysisError, match="entry=7 is not the name of one column"):
        DECLARATION.options["entry"](7)


@pytest.mark.parametrize(("linked", "missing"), [(np.nan, 20), (2000.0, 0)])
def test_where_nobody_was_seen_at_risk_entry_is_named(linked: float, missing: int) -> None:
    trial = seen_since(two_arms(20, linked_on_day=linked), [job("P001", 3, 30)], 30)
    with pytest.raises(AnalysisError, match=f"Nobody was seen at risk: entry is missing for {missing} of 20"):
        survival(trial, endpoints.time_to_first_job(30), entry="linked_on_day")
