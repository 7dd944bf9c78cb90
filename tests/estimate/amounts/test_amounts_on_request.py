"""Further methods for amounts against R (case g1), what must hold of them, and what has no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError, PlanError
from ipseval.estimate.amounts.amounts import METHODS, amounts
from ipseval.plan import read_plan
from ipseval.results import Results
from ipseval.results.setting import part_of
from ipseval.trial import Variable
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import two_arms
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("g1_nonnormal_alpha")["comp_hours_540"]
AS_SEEN = "missing=as_not_employed"


@pytest.fixture(scope="module")
def found() -> Results:
    methods = [name for name in METHODS if name not in ("negative_binomial", "hurdle")]
    return amounts(
        alpha(),
        endpoints.hours_worked(by=18),
        missing="as_not_employed",
        methods=methods,
        strata=["site"],
        replicates=200,
    )


def test_ranks_are_those_of_case_g1(found: Results) -> None:
    # Squares of the case's z, or what its p value without continuity correction is that of.
    wanted = CASE["van_elteren"]
    row = found.one(quantity="rank_test", method="van_elteren")
    assert [row.statistic, row.p_value] == pytest.approx([wanted["chi2"], wanted["p"]], rel=1e-9)
    row = found.one(quantity="rank_test", method="wilcoxon")
    assert row.p_value == pytest.approx(CASE["wilcoxon"]["p_no_continuity"], rel=1e-9)


def test_the_shift_is_that_of_case_g1_with_the_shares_with_none_beside_it(found: Results) -> None:
    wanted, row = CASE["wilcoxon"], found.one(quantity="location_shift")
    # The case's hours are rounded to three decimals.
    assert row.estimate == pytest.approx(wanted["hodges_lehmann_median_of_pairwise_differences"], abs=2e-3)
    assert [row.conf_low, row.conf_high] == pytest.approx(wanted["moses_ci_round"], abs=2e-3)
    none = [found.one(quantity="share_zero", arm=arm).n_event for arm in ("IPS", "usual")]
    assert (row.n_event, row.n) == (sum(none), 151)
    assert "those with none" in row.note
    assert "those with none" in protect(found).one(quantity="location_shift").note


def test_effect_sizes_are_those_of_case_g1_and_say_what_they_are_in(found: Results) -> None:
    for method, key in (("hedges_g", "hedges_g_exact_J"), ("cohen_d", "cohen_d")):
        row = found.one(quantity="standardised_mean_difference", method=method)
        assert row.estimate == pytest.approx(CASE["t_test"][key], abs=1e-6)
        assert "people without any included" in row.note
    limits = reference_cases.expected("g2_amounts_alpha")["standardised"]["comp_hours_540"]
    assert [row.conf_low, row.conf_high] == pytest.approx(limits, abs=1e-5)


def test_a_two_part_model_without_covariates_has_the_means_of_its_rule(found: Results) -> None:
    for arm in ("IPS", "usual"):
        model = found.one(quantity="mean", arm=arm, method="two_part")
        plain = found.one(quantity="mean", arm=arm, method="log_t", setting=AS_SEEN)
        assert model.estimate == pytest.approx(plain.estimate)
    # The longest job does not fall into parts: one weight per person in both.
    weighted = amounts(alpha(), endpoints.longest_job(by=18), methods=["two_part"], replicates=100)
    for arm in ("IPS", "usual"):
        model, mean = (
            weighted.one(quantity="mean", arm=arm, method=method, setting=f"missing={rule}")
            for method, rule in (("two_part", "weighted_records"), ("log_t", "weighted"))
        )
        assert model.estimate == pytest.approx(mean.estimate)
        assert model.std_error == pytest.approx(mean.std_error, rel=0.02)  # n / (n - 2) over both arms


def test_a_model_asked_for_stands_beside_the_main_rows_and_counts_whom_it_was_fitted_to() -> None:
    days = endpoints.days_worked(by=18)
    models = ("two_part", "hurdle", "negative_binomial", "ancova")
    found = amounts(alpha(), days, methods=models, replicates=100)
    main = found.main.frame
    assert set(main["method"]) == {"log_t", "t_workers", "", "brunner_munzel_logit", "negative_binomial"}
    assert set(main.loc[main["method"] == "negative_binomial", "quantity"]) == {"rate_ratio"}
    seen = days.evaluate(alpha())
    for arm in ("IPS", "usual"):
        people = seen.loc[seen["arm"] == arm]
        whole = people.loc[people["is_complete"]]
        for method, used in (("two_part", whole), ("hurdle", people), ("negative_binomial", people)):
            row = found.one(quantity="mean", arm=arm, method=method)
            counted = (len(used), (used["value"] > 0).sum(), len(people) - len(whole))
            assert (row.n, row.n_event, row.n_missing) == counted
        assert "only through people with complete records" in found.one(arm=arm, method="two_part").note


def test_the_adjusted_difference_is_that_of_case_g1() -> None:
    trial, data = alpha(), reference_cases.data("g1_nonnormal_alpha").set_index("id")
    prior = (
        data["prior_work_months"].reindex(trial.participants["participant_id"].astype(str)).to_numpy(float)
    )
    found = amounts(
        replace(
            trial,
            tables={**trial.tables, "participants": trial.participants.assign(prior_work_months=prior)},
            covariates={"prior_work_months": Variable("prior_work_months", "number")},
        ),
        endpoints.hours_worked(by=18),
        missing="as_not_employed",
        methods=["ancova"],
        adjust=["prior_work_months"],
        replicates=100,
    )
    row, wanted = found.one(quantity="mean_difference", method="ancova"), CASE["ancova"]
    # The case's hours are rounded to three decimals.
    assert row.estimate == pytest.approx(wanted["coef"]["a"], abs=5e-4)
    assert [row.std_error, row.df] == pytest.approx([wanted["se_arm_hc3"], wanted["df"]], rel=1e-5)


def test_without_covariates_pseudo_values_give_the_weighted_difference_back() -> None:
    found = amounts(alpha(), endpoints.days_worked(by=18), methods=["ancova"], replicates=100)
    adjusted, weighted = (
        found.one(quantity="mean_difference", method=method, setting="missing=weighted")
        for method in ("pseudo_values_ancova", "t_workers")
    )
    assert adjusted.estimate == pytest.approx(weighted.estimate)
    assert adjusted.std_error == pytest.approx(
        weighted.std_error, rel=0.02
    )  # HC3 divides by 1 - 1/n once more


def test_where_everyone_is_complete_the_negative_binomial_has_the_means_of_the_arms() -> None:
    people = [
        *two_arms(38),
        person("D1", 10, "died", site="A"),
        person("D0", 30, "died", arm="usual", site="A"),
    ]
    jobs = [job(f"P{i:03d}", i, 5 * i + 30) for i in range(0, 38, 3)] + [job("D1", 2, 9), job("D0", 2, 9)]
    found = amounts(
        make_trial(people, jobs=jobs),
        endpoints.days_worked(by=30),
        methods=["negative_binomial"],
        replicates=100,
    )
    for arm in ("IPS", "usual"):
        rows = [
            found.one(quantity="mean", arm=arm, method=method, setting=setting)
            for method, setting in (("negative_binomial", "missing=days_observed"), ("log_t", AS_SEEN))
        ]
        assert rows[0].estimate == pytest.approx(rows[1].estimate)
        assert rows[0].note == ""
    ratios = [
        found.one(quantity=quantity, method="negative_binomial") for quantity in ("rate_ratio", "mean_ratio")
    ]
    assert ratios[0].conf_low == pytest.approx(ratios[1].conf_low)
    beside = found.one(quantity="rate_ratio", method="negative_binomial_model")
    assert beside.estimate == ratios[0].estimate
    assert beside.std_error != ratios[0].std_error


def test_who_was_lost_counts_by_the_days_observed_and_that_is_said() -> None:
    people = [*two_arms(20), person("L", 456, "lost", site="A")]
    jobs = [job(f"P{i:03d}", 0, 99) for i in range(0, 20, 2)] + [
        job(f"P{i:03d}", 0, 199) for i in range(1, 20, 2)
    ]
    trial = make_trial(people, jobs=[*jobs, job("L", 0, 99)])
    row = amounts(trial, endpoints.days_worked(by=30), methods=["negative_binomial"], replicates=100).one(
        quantity="mean", arm="IPS", method="negative_binomial"
    )
    # 100 days in half the window stand for 200, as all others of the arm have.
    assert row.estimate == pytest.approx(200, rel=0.01)
    assert "the same in the days that were not observed" in row.note


def test_the_workers_stand_by_themselves_and_are_not_compared(found: Results) -> None:
    rows = found.frame.loc[found.frame["setting"].str.contains("among=workers")]
    assert set(rows["contrast"]) == {""}
    assert rows["note"].str.contains("not a randomised comparison").all()
    data = reference_cases.data("g1_nonnormal_alpha")
    hours = data.loc[(data["arm"] == 1) & (data["comp_hours_540"] > 0), "comp_hours_540"]
    row = rows.loc[(rows["arm"] == "IPS") & (rows["quantity"] == "mean")].iloc[0]
    assert (row.n_event, row.n) == (len(hours), 76)
    assert row.estimate == pytest.approx(hours.mean(), abs=1e-3)
    assert not found.is_main[rows.index].any()


def test_without_asking_nothing_is_added_but_bca_to_the_main_rule() -> None:
    plain = amounts(alpha(), endpoints.hours_worked(by=18), replicates=200).frame
    assert set(plain["quantity"]) == {
        "mean",
        "mean_difference",
        "median",
        "share_zero",
        "probability_of_superiority",
    }
    bca = plain.loc[plain["method"] == "bootstrap_bca"]
    assert bca["setting"].tolist() == ["missing=weighted"]
    percentile = plain.loc[
        (plain["method"] == "bootstrap_percentile") & (plain["setting"] == "missing=weighted")
    ]
    assert bca["std_error"].tolist() == percentile["std_error"].tolist()
    assert bca["conf_high"].item() > percentile["conf_high"].item()  # the amounts are skewed to the right


def test_every_method_that_is_written_has_a_name(found: Results) -> None:
    more = amounts(
        alpha(),
        endpoints.days_worked(by=18),
        methods=METHODS,
        strata=["site"],
        adjust=["site"],
        replicates=100,
    )
    written = {method for method in (*found.frame["method"], *more.frame["method"]) if method}
    assert [method for method in sorted(written) if not words.has(f"method.{method}")] == []
    settings = {part_of(text, "missing") for text in more.frame["setting"]}
    assert all(words.has(f"setting.{rule}") for rule in settings)


def test_bca_of_plain_means_is_that_of_the_kernel() -> None:
    from ipseval.stats.bootstrap import bootstrap_mean_difference

    found = amounts(alpha(), endpoints.hours_worked(by=18), missing="as_not_employed", replicates=300, seed=7)
    row = found.one(quantity="mean_difference", method="bootstrap_bca")
    hours = endpoints.hours_worked(by=18).evaluate(alpha())
    arms = [hours.loc[hours["arm"] == arm, "value"].to_numpy(float) for arm in ("IPS", "usual")]
    wanted = bootstrap_mean_difference(*arms, replicates=300, seed=7, method="bca")
    assert [row.conf_low, row.conf_high] == pytest.approx([wanted.conf_low, wanted.conf_high], rel=1e-6)


def reasons(trial: object, endpoint: object, *methods: str, **more: object) -> dict[str, str]:
    frame = amounts(trial, endpoint, methods=methods, replicates=100, **more).frame  # type: ignore[arg-type]
    rows = frame.loc[frame["status"].isin(["failed", "not_defined"])]
    return dict(zip(rows["method"], rows["note"], strict=True))


def test_what_has_no_answer_is_a_row_with_its_reason() -> None:
    twenty, days = two_arms(20), endpoints.days_worked(by=30)
    odd, even = ([job(f"P{i:03d}", i, 300 + i) for i in range(first, 20, 2)] for first in (1, 0))
    models = ("two_part", "negative_binomial", "hurdle")
    one_arm = reasons(make_trial(twenty, jobs=odd), days, *models)
    assert "Everybody of 10 in the active arm has any" in one_arm["two_part"]
    assert "Nobody of 10 in the reference arm has any" in one_arm["negative_binomial"]
    everyone = reasons(make_trial(twenty, jobs=odd + even), days, *models)
    assert "Everybody of 10 in the active arm has any" in everyone["two_part"]
    assert "negative_binomial" not in everyone
    hours = reasons(alpha(), endpoints.hours_worked(by=18), *models)
    assert hours["negative_binomial"] == hours["hurdle"]
    assert "not whole numbers" in hours["hurdle"]
    longest = reasons(alpha(), endpoints.longest_job(by=18), "negative_binomial")
    assert "does not build up at a rate" in longest["negative_binomial"]
    assert "no strata to compare within" in reasons(alpha(), days, "van_elteren", strata=())["van_elteren"]
    nobody = reasons(make_trial(twenty, jobs=[]), days, "workers", "wilcoxon")
    assert nobody["wilcoxon"].startswith("Every amount is the same")
    assert "nobody is left to count" in nobody["t"]


def test_what_weights_assume_is_said_and_is_no_warning() -> None:
    found = amounts(alpha(), endpoints.days_worked(by=18), methods=["two_part"], replicates=100)
    said = found.frame["note"].str.contains(words.text("note.lost_alike"), regex=False)
    weighted = found.frame["setting"].str.startswith("missing=weighted")
    assert (said == weighted).all()
    assert found.main.one(quantity="mean_difference").status == "ok"
    assert set(found.frame.loc[said & found.frame["note"].str.contains("whole records"), "status"]) == {
        "warned"
    }


@pytest.mark.parametrize("model", ["two_part", "hurdle", "negative_binomial"])
def test_fewer_than_five_who_had_any_are_not_modelled(model: str) -> None:
    odd = [job(f"P{i:03d}", 0, 2 * i * i) for i in range(1, 15, 2)]
    for few, wanted in ((4, "not_defined"), (5, "ok")):
        even = [job(f"P{i:03d}", 0, 2 * i * i) for i in range(0, 2 * few, 2)]
        found = amounts(
            make_trial(two_arms(40), jobs=odd + even),
            endpoints.days_worked(by=30),
            methods=[model],
            replicates=100,
        )
        rows = found.select(method=model).frame
        assert set(rows["status"]) == {wanted}
        assert rows["note"].str.contains("Only 4 of 20 people in the usual arm").all() == (few == 4)
        if few == 5:  # 7 and 5 people, less the intercept and the arm
            assert set(found.select(method=model, contrast="IPS - usual").frame["df"]) == {10.0}


def test_a_mean_of_more_days_than_there_are_is_remarked_upon() -> None:
    # Nearly all of each arm are at a site of their own, where they work long; two of the other arm hardly do.
    people, jobs = [], []
    for arm, site, size, worked in (
        ("IPS", "A", 18, [900] * 10),
        ("IPS", "B", 2, [900] * 2),
        ("usual", "A", 2, [5] * 2),
        ("usual", "B", 18, [900] * 5),
    ):
        names = [f"{arm[0]}{site}{i:02d}" for i in range(size)]
        people += [person(name, arm=arm, site=site) for name in names]
        jobs += [job(name, 0, days - 1) for name, days in zip(names, worked, strict=False)]
    found = amounts(
        make_trial(people, jobs=jobs),
        endpoints.days_worked(by=30),
        methods=["negative_binomial"],
        adjust=["site"],
        replicates=100,
    )
    rows = found.select(method="negative_binomial").frame
    assert rows["estimate"].max() > 913
    assert rows["note"].str.contains("exceeds what the window can hold").all()
    assert set(rows["status"]) == {"warned"}


def test_separation_by_a_covariate_names_it() -> None:
    people = [person(f"P{i:02d}", arm="IPS" if i % 2 else "usual", site="AB"[i % 4 > 1]) for i in range(40)]
    jobs = [job(f"P{i:02d}", i, 99 + i) for i in range(40) if i % 4 > 1 and i % 5]
    note = reasons(
        make_trial(people, jobs=jobs),
        endpoints.days_worked(by=30),
        "two_part",
        "negative_binomial",
        adjust=["site"],
    )
    assert "site=B" in note["two_part"]
    assert "site=B" in note["negative_binomial"]


def test_too_few_workers_are_not_shown_by_a_further_method_either() -> None:
    jobs = [job(f"P{i:03d}", 3, 99) for i in (1, 3, 5, 0, 2, 4, 6, 8, 10)]
    found = amounts(
        make_trial(two_arms(60), jobs=jobs), endpoints.days_worked(by=30), methods=METHODS, replicates=100
    )
    public = protect(found).frame
    told = public.loc[(public["arm"] == "IPS") | (public["contrast"] != "")]
    assert set(told["status"]) <= {"suppressed", "failed", "not_defined"}
    workers = public["setting"].str.contains("workers") & (public["arm"] == "usual")
    assert set(public.loc[workers, "n_event"]) == {6}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"methods": ["tobit"]}, "methods='tobit' is not an option"),
        ({"methods": "two_part"}, r"Write methods=\['two_part'\]"),
        ({"adjust": ["site"]}, r"adjust=\['site'\] has no model to stand in"),
        ({"adjust": ["site"], "methods": ["wilcoxon"]}, "has no model to stand in"),
        ({"adjust": ["shoe_size"], "methods": ["two_part"]}, "'shoe_size' cannot be adjusted for"),
        ({"strata": "site", "methods": ["van_elteren"]}, r"Write strata=\['site'\]"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        amounts(alpha(), endpoints.hours_worked(by=18), **wrong)  # type: ignore[arg-type]


PLAN = """
[endpoint.days]
is = "days_worked"
by = 18

[analysis.days]
estimator = "amounts"
endpoint = "days"
methods = {methods}
adjust = ["site"]
"""


def test_a_plan_asks_for_methods_by_name(tmp_path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.format(methods='["two_part", "wilcoxon"]'), encoding="utf-8")
    analysis = read_plan(file).analyses[0]
    planned = amounts(alpha(), endpoints.days_worked(by=18), replicates=100, **analysis.arguments).frame
    called = amounts(
        alpha(),
        endpoints.days_worked(by=18),
        replicates=100,
        methods=["two_part", "wilcoxon"],
        adjust=["site"],
    ).frame
    pd.testing.assert_frame_equal(planned, called)
    assert np.isfinite(planned.loc[planned["method"] == "two_part", "estimate"]).all()
    file.write_text(PLAN.format(methods='["two_parts"]'), encoding="utf-8")
    with pytest.raises(PlanError, match="methods='two_parts' is not an option"):
        read_plan(file)
