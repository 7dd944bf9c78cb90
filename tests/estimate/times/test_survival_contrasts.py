"""How the arms differ in time, against R (cases b2, b3, b7 and b9), and what must hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.times.survival import DECLARATION, survival
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.results.vocabulary import KEY, QUANTITIES
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import random_trial, relabelled, shuffled, two_arms, with_reference
from tests.make_trial import job, make_trial, person

B2, B3, B7, B9 = (
    reference_cases.expected(case)
    for case in ("b2_survival_alpha", "b3_competing_alpha", "b7_time_lost", "b9_arm_alone_alpha")
)
CHOSEN = {"adjust": ["age", "prior_work_months"], "frailty": ["site"]}


@cache
def competing() -> Trial:
    """Return case b3 as a Trial: 1 is a first job, 2 a death before one, 0 the end of follow-up."""
    people, jobs = [], []
    for row in reference_cases.data("b3_competing_alpha").itertuples():
        until = {1: 1000, 2: row.time, 0: row.time}[row.cr_status]
        reason = "died" if row.cr_status == 2 else "lost"
        arm = "IPS" if row.arm else "usual"
        more = {"age": float(row.age), "prior_work_months": float(row.prior_work_months)}
        people.append(person(row.id, until, reason, arm=arm, site=row.site, **more))
        if row.cr_status == 1:
            jobs.append(job(row.id, row.time, row.time))
    design = {"strata": ("site",), "assessment_months": (6, 18), "follow_up_months": 34}
    trial = make_trial(people, jobs=jobs, month="30_days", **design)
    return replace(trial, covariates={name: Variable(name, "number") for name in more})


@cache
def followed_longer() -> Trial:
    """Return trial alpha with a planned follow-up beyond everyone's last date, as its cases have."""
    return replace(alpha(), design=replace(alpha().design, follow_up_months=34))


@pytest.fixture(scope="module")
def found() -> Results:
    return survival(competing(), endpoints.time_to_first_job(34), **CHOSEN)


@pytest.fixture(scope="module")
def to_900() -> Results:
    return survival(competing(), endpoints.time_to_first_job(30), **CHOSEN)


@pytest.fixture(scope="module")
def nobody_died() -> Results:
    return survival(followed_longer(), endpoints.time_to_first_job(34), frailty=["site"])


# ---- against R


@pytest.mark.parametrize(("setting", "key"), [("", "gray_test"), ("strata=site", "gray_test_stratified")])
def test_gray_test_is_that_of_cmprsk(found: Results, setting: str, key: str) -> None:
    row, wanted = found.one(quantity="gray_test", setting=setting), B3[key][0]
    assert [row.statistic, row.df] == pytest.approx([wanted["stat"], wanted["df"]], rel=1e-8)
    assert row.p_value == pytest.approx(wanted["pv"], rel=1e-7)


def test_subdistribution_hazard_ratio_is_that_of_finegray(found: Results) -> None:
    row, wanted = found.one(quantity="subdistribution_hazard_ratio"), B9["fine_gray"]
    assert np.log(row.estimate) == pytest.approx(wanted["coef"], abs=1e-7)
    assert row.std_error == pytest.approx(wanted["se"], abs=1e-6)  # R leaves out that weights are estimated
    assert row.statistic == pytest.approx((wanted["coef"] / wanted["se"]) ** 2, rel=1e-5)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_dead_are_censored_in_the_cox_model(found: Results, ties: str) -> None:
    row = found.one(quantity="hazard_ratio", method=f"cox_{ties}", setting="")
    wanted = B9[f"cause_specific_{ties}"]
    assert [np.log(row.estimate), row.std_error] == pytest.approx([wanted["coef"], wanted["se"]], abs=1e-7)
    assert "the dead leave" in row.note


@pytest.mark.parametrize(
    ("method", "key"),
    [("log_rank", "logrank"), ("fleming_harrington", "fleming_harrington_0_1"), ("gehan", "gehan_breslow")],
)
def test_weighted_log_rank_tests_are_those_of_case_b2(nobody_died: Results, method: str, key: str) -> None:
    row, wanted = nobody_died.one(quantity="log_rank_test", method=method, setting=""), B2["logrank"][key]
    assert [row.statistic, row.p_value] == pytest.approx([wanted["chisq"], wanted["p"]], rel=1e-8)


def test_stratified_gehan_is_that_of_case_b2(nobody_died: Results) -> None:
    row = nobody_died.one(quantity="log_rank_test", method="gehan", setting="strata=site")
    assert row.statistic == pytest.approx(B2["logrank"]["stratified_gehan"]["chisq"], rel=1e-8)


@pytest.mark.parametrize(("setting", "key"), [("", "breslow"), ("strata=site", "stratified_site_breslow")])
def test_breslow_ties_are_those_of_case_b2(nobody_died: Results, setting: str, key: str) -> None:
    row = nobody_died.one(quantity="hazard_ratio", method="cox_breslow", setting=setting)
    wanted = B2["cox_arm"][key]
    assert np.log(row.estimate) == pytest.approx(wanted["coef"]["arm"], abs=1e-6)
    assert row.std_error == pytest.approx(wanted["se"]["arm"], abs=1e-6)


def test_gamma_frailty_is_that_of_case_b2_and_says_that_sites_do_not_differ(nobody_died: Results) -> None:
    row = nobody_died.one(quantity="hazard_ratio", setting="frailty=site")
    wanted = B2["cox_arm"]["frailty_gamma"]
    # R ends at a variance of 5e-9 and not at 0.
    assert np.log(row.estimate) == pytest.approx(wanted["coef"]["arm"], abs=1e-6)
    assert row.std_error == pytest.approx(wanted["se"]["arm"], abs=1e-6)
    assert "do not differ beyond chance" in row.note


@pytest.mark.parametrize("months", [18, 30])
def test_times_up_to_several_horizons_are_those_of_case_b2(months: int) -> None:
    rows = survival(alpha(), endpoints.time_to_first_job(30), horizons=18).select(time=months)
    wanted = B2["rmst"][f"tau_{30 * months}"]
    for key, arm in (("arm1", "IPS"), ("arm0", "usual")):
        row = rows.one(quantity="restricted_mean_survival_time", arm=arm)
        assert [row.estimate, row.std_error] == pytest.approx(
            [wanted[key]["rmst"], wanted[key]["se"]], rel=1e-9
        )
    row = rows.one(quantity="restricted_mean_survival_time_difference")
    assert [row.estimate, row.std_error, row.p_value] == pytest.approx(
        [wanted["difference"][key] for key in ("estimate", "se", "p")], rel=1e-8
    )
    for quantity, key in (("survival_time", "ratio"), ("time_lost", "rmtl_ratio")):
        row = rows.one(quantity=f"restricted_mean_{quantity}_ratio")
        numbers = [row.estimate, row.std_error, row.conf_low, row.conf_high]
        assert numbers == pytest.approx(
            [wanted[key][name] for name in ("estimate", "log_se", "lower", "upper")], rel=1e-8
        )


def test_a_horizon_beyond_follow_up_says_so_and_the_others_stand() -> None:
    trial = make_trial(
        two_arms(20, until=500, end_reason="lost"), jobs=[job("P001", 5, 9), job("P002", 50, 60)]
    )
    found = survival(trial, endpoints.time_to_first_job(30), horizons=[12])
    assert found.one(quantity="restricted_mean_time_lost", arm="IPS", time=12).estimate == pytest.approx(36.0)
    late = found.one(quantity="restricted_mean_time_lost", arm="IPS", time=30)
    assert np.isnan(late.estimate)
    assert "beyond the last follow-up (500)" in late.note


def test_times_since_the_event_with_death_competing_are_those_of_case_b7(to_900: Results) -> None:
    arms = [B7["alpha"][f"group_{arm}"]["tau_900"] for arm in (1, 0)]
    row = to_900.main.one(quantity="restricted_mean_time_lost_difference")
    assert row.estimate == pytest.approx(arms[0]["mean"]["event"] - arms[1]["mean"]["event"], rel=1e-9)
    assert row.std_error == pytest.approx(np.hypot(*(arm["se"]["event"] for arm in arms)), rel=1e-9)
    ratio = to_900.one(quantity="restricted_mean_time_lost_ratio")
    assert ratio.estimate == pytest.approx(arms[0]["mean"]["event"] / arms[1]["mean"]["event"], rel=1e-9)


def test_adjusted_time_since_the_event_is_least_squares_where_everyone_is_followed(to_900: Results) -> None:
    row = to_900.one(quantity="restricted_mean_time_lost_difference", method="pseudo_values_ancova")
    wanted = B9["time_since_event"]
    assert [row.estimate, row.std_error, row.df] == pytest.approx(
        [wanted["coef"], wanted["se"], wanted["df"]], rel=1e-9
    )
    assert row.setting == "adjust=age+prior_work_months"


def test_difference_and_ratio_of_incidences_are_those_of_case_b3(to_900: Results) -> None:
    f1, f0 = (B3["cuminc_est"][f"{arm} 1"]["900"] for arm in (1, 0))
    # Without censoring the variance is that of a proportion, which cmprsk's is not.
    se1, se0 = np.sqrt(f1 * (1 - f1) / 76), np.sqrt(f0 * (1 - f0) / 75)
    rows = to_900.select(quantity="cumulative_incidence_difference", time=30).frame.set_index("method")
    assert rows["estimate"].tolist() == pytest.approx([f1 - f0] * 2, rel=1e-9)
    wald = rows.loc["aalen_johansen"]
    half = 1.959963984540054 * np.hypot(se1, se0)
    assert [wald.conf_low, wald.conf_high] == pytest.approx([f1 - f0 - half, f1 - f0 + half], rel=1e-8)
    ratio = to_900.one(quantity="cumulative_incidence_ratio", time=30)
    assert ratio.estimate == pytest.approx(f1 / f0, rel=1e-9)
    assert ratio.std_error == pytest.approx(np.hypot(se1 / f1, se0 / f0), rel=1e-8)


# ---- what must hold


def test_the_main_interval_joins_the_limits_of_the_arms_beside_it(to_900: Results) -> None:
    rows = to_900.select(quantity="cumulative_incidence", time=30, time_unit="months").frame.set_index("arm")
    one, other = rows.loc["IPS"], rows.loc["usual"]
    row = to_900.main.one(quantity="cumulative_incidence_difference", time=30)
    below = np.hypot(one.estimate - one.conf_low, other.conf_high - other.estimate)
    above = np.hypot(one.conf_high - one.estimate, other.estimate - other.conf_low)
    assert [row.conf_low, row.conf_high] == pytest.approx([row.estimate - below, row.estimate + above])


def test_the_band_holds_the_intervals_of_the_curve(found: Results) -> None:
    rows = found.select(quantity="cumulative_incidence", time_unit="days", arm="IPS", term="event")
    curve, band = (
        rows.select(method=method).frame.set_index("time")
        for method in ("aalen_johansen", "equal_precision_band")
    )
    curve = curve.loc[band.index]
    assert len(band) > 40
    assert (band["estimate"] == curve["estimate"]).all()
    assert (band["conf_low"] < curve["conf_low"]).all()
    assert (band["conf_high"] > curve["conf_high"]).all()
    assert not found.main.frame["setting"].str.startswith("band").any()


@pytest.mark.parametrize("seed", range(3))
def test_a_public_band_keeps_the_points_of_the_public_curve(seed: int) -> None:
    public = protect(survival(random_trial(seed, n=80), endpoints.time_to_first_job(30)))
    curve = public.select(quantity="cumulative_incidence", time_unit="days", term="event")
    points, band = (curve.select(method=name).frame for name in ("aalen_johansen", "equal_precision_band"))
    for arm in ("IPS", "usual"):
        kept = set(points.loc[points["arm"] == arm, "time"])
        assert set(band.loc[band["arm"] == arm, "time"]) <= kept
    assert len(band)


def test_one_main_row_for_each_contrast(found: Results) -> None:
    rows = found.main.frame
    rows = rows.loc[rows["contrast"] != ""]
    assert not rows.duplicated(["quantity", "contrast", "term", "time"]).any()
    asked_for = {"scaled_schoenfeld_residual"}
    assert set(DECLARATION.quantities) - set(found.main.frame["quantity"]) == asked_for


def test_swapping_the_arms_flips_differences_and_inverts_ratios() -> None:
    ours = survival(competing(), endpoints.time_to_first_job(30), **CHOSEN).frame
    theirs = survival(with_reference(competing(), "IPS"), endpoints.time_to_first_job(30), **CHOSEN).frame
    key = ["quantity", "method", "setting", "time"]
    ours, theirs = (side.loc[side["contrast"] != ""].set_index(key).sort_index() for side in (ours, theirs))
    for name, row in ours.iterrows():
        other, scale = theirs.loc[name], QUANTITIES[name[0]].scale
        limits = row[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
        turned = other[["estimate", "conf_high", "conf_low"]].to_numpy(dtype=float)
        if scale == "test":
            assert row["p_value"] == pytest.approx(other["p_value"], rel=1e-6)
        else:
            assert limits == pytest.approx(1 / turned if scale == "ratio" else -turned, rel=1e-6)


@pytest.mark.parametrize("turn", [shuffled, relabelled])
def test_order_and_names_of_sites_change_nothing(turn) -> None:
    numbers = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    options = {"adjust": ["site"], "frailty": ["site"]}
    before, after = (
        survival(trial, endpoints.time_to_first_job(30), **options).frame.set_index(list(KEY)).sort_index()
        for trial in (alpha(), turn(alpha()))
    )
    pd.testing.assert_frame_equal(before[numbers], after[numbers], rtol=1e-6, atol=1e-8)


# ---- what has no answer


def test_without_events_in_an_arm_a_difference_has_no_interval_and_a_ratio_is_not_there() -> None:
    jobs = [job(f"P{i:03d}", i, 99) for i in (1, 3, 5)]
    frame = survival(make_trial(two_arms(20), jobs=jobs), endpoints.time_to_first_job(30)).frame
    difference = frame.loc[frame["quantity"] == "cumulative_incidence_difference"]
    assert difference["estimate"].tolist() == pytest.approx([0.3, 0.3])
    assert difference[["std_error", "p_value", "conf_low", "conf_high"]].isna().all(axis=None)
    assert set(difference["status"]) == {"warned"}
    for quantity in ("cumulative_incidence_ratio", "restricted_mean_time_lost_ratio", "hazard_ratio"):
        rows = frame.loc[(frame["quantity"] == quantity)]
        assert set(rows["status"]) <= {"failed", "not_defined"}
        assert (rows["note"] != "").all()


def test_one_site_has_no_frailty_and_says_so() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual", site="A") for i in range(20)]
    trial = make_trial(people, jobs=[job(f"P{i}", 5 * i, 200) for i in range(1, 12)])
    row = survival(trial, endpoints.time_to_first_job(30), frailty=["site"]).one(setting="frailty=site")
    assert row.status == "failed"
    assert "leave out the frailty" in row.note


def test_covariates_and_frailties_are_refused_with_what_to_do() -> None:
    endpoint = endpoints.time_to_first_job(18)
    with pytest.raises(AnalysisError, match="'height' cannot be adjusted for"):
        survival(alpha(), endpoint, adjust=["height"])
    with pytest.raises(AnalysisError, match="'region' is not a column of participants"):
        survival(alpha(), endpoint, frailty=["region"])
    for argument in ("adjust", "frailty"):
        with pytest.raises(AnalysisError, match=rf"Write {argument}=\['site'\]"):
            survival(alpha(), endpoint, **{argument: "site"})
        with pytest.raises(AnalysisError, match=rf"Write {argument}=\['site'\]"):
            DECLARATION.options[argument]("site")


# ---- in words


def test_main_contrasts_say_what_they_assume_of_the_lost_and_only_where_there_are_any() -> None:
    found = survival(example("scion"), endpoints.time_to_first_job(30))
    for quantity in ("cumulative_incidence_difference", "log_rank_test", "gray_test", "hazard_ratio"):
        row = found.main.one(quantity=quantity, time=30)
        assert row.n_missing > 0
        assert "assuming that leaving says nothing about finding work" in sentence(row, found)
    assert found.main.one(quantity="cumulative_incidence_difference", time=30).status == "ok"
    plain = survival(make_trial(two_arms(20), jobs=[job("P001", 9, 99)]), endpoints.time_to_first_job(30))
    assert not plain.frame["note"].str.contains("leaving says nothing").any()


def test_the_direction_of_a_restricted_mean_is_said_in_words() -> None:
    found = survival(alpha(), endpoints.time_to_first_job(30))
    row = found.one(quantity="restricted_mean_survival_time_difference")
    assert "On average 232 fewer days without a first job in the first 30 months." in sentence(row, found)
    said = sentence(row, found, lang="nl")
    assert "Gemiddeld 232 dagen minder zonder eerste baan in de eerste 30 maanden." in said
    turned = row.copy()
    turned[["estimate", "conf_low", "conf_high"]] = [40.0, -10.0, 90.0]
    said = sentence(turned, found)
    assert "40.0 more days without a first job" in said
    assert "leaves the direction open" in said
    row = found.main.one(quantity="restricted_mean_time_lost_difference")
    assert "On average 232 more days since the first job began" in sentence(row, found)
    assert "Averaged over everyone randomised, with 0 for people without a first new job" in sentence(
        row, found
    )
    assert row.status == "ok"  # what a mean is over is no warning
