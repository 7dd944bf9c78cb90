"""Rates within the strata of randomisation: against R, and what must hold."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.rates import rates
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.results.setting import part_of, setting
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import hard_trials, random_trial
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("a2_strata_alpha")["stratified"]
BY_SITE = "missing=as_not_employed; strata=site"


@pytest.fixture(scope="module")
def found() -> Results:
    return rates(alpha(), endpoints.ever_employed(by=18))


def test_mantel_haenszel_effects_are_those_of_case_a2(found: Results) -> None:
    # Closed forms: 1e-10 allows for nothing but rounding.
    difference = found.one(quantity="risk_difference", method="mantel_haenszel_sato", setting=BY_SITE)
    expected = CASE["mh_rd"]
    assert [difference.estimate, difference.std_error] == pytest.approx(
        [expected["estimate"], expected["se_sato"]], rel=1e-10
    )
    assert [difference.conf_low, difference.conf_high] == pytest.approx(expected["ci_sato"], rel=1e-10)
    for quantity, key, spread in (("risk_ratio", "mh_rr", "log_se"), ("odds_ratio", "mh_or", "log_se_rbg")):
        row, expected = found.one(quantity=quantity, setting=BY_SITE), CASE[key]
        assert [row.estimate, row.std_error] == pytest.approx(
            [expected["estimate"], expected[spread]], rel=1e-10
        )
        assert [row.conf_low, row.conf_high] == pytest.approx(expected["ci"], rel=1e-10)


def test_stratified_tests_are_those_of_case_a2(found: Results) -> None:
    association = found.one(quantity="association_test", setting=BY_SITE)
    assert [association.statistic, association.p_value] == pytest.approx(
        [CASE["cmh"]["chi2"], CASE["cmh"]["p"]], rel=1e-10
    )
    same = found.one(quantity="homogeneity_test")
    expected = CASE["breslow_day"]
    # R solves the fitted cells with the rounded common odds ratio of mantelhaen.test.
    assert [same.statistic, same.df, same.p_value] == pytest.approx(
        [expected["tarone_chi2"], expected["df"], expected["tarone_p"]], rel=1e-7
    )


def test_one_stratum_gives_back_the_unstratified_answer() -> None:
    trial = alpha()
    people = trial.participants.assign(site="S01")
    one = replace(trial, tables={**trial.tables, "participants": people})
    found = rates(one, endpoints.ever_employed(by=18))
    for stratified, plain in (
        ("stratified_miettinen_nurminen", "miettinen_nurminen"),
        ("stratified_newcombe", "newcombe"),
    ):
        rows = [
            found.one(quantity="risk_difference", method=method, setting=text)
            for method, text in ((stratified, BY_SITE), (plain, "missing=as_not_employed"))
        ]
        limits = [[row.estimate, row.conf_low, row.conf_high] for row in rows]
        assert limits[0] == pytest.approx(limits[1], abs=1e-9)
    same = found.one(quantity="homogeneity_test")
    assert (same.status, same.note) == ("not_defined", words.text("note.too_few_strata"))


def test_main_rows_are_the_unadjusted_ones(found: Results) -> None:
    main = found.main.frame
    plain = main.loc[main["quantity"] != "homogeneity_test"]
    assert set(plain["setting"]) == {"missing=as_not_employed"}
    assert main["quantity"].is_unique or (main.loc[main["contrast"] != "", "quantity"]).is_unique


def test_without_strata_nothing_is_stratified() -> None:
    found = rates(alpha(), endpoints.ever_employed(by=18), strata=())
    assert not found.frame["setting"].str.contains("strata").any()
    assert "homogeneity_test" not in set(found.frame["quantity"])


def test_a_stratum_with_one_arm_is_said_to_be_left_out() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual", site="AB"[i // 2 % 2]) for i in range(40)]
    alone = [person(f"Q{i}", arm="IPS", site="C") for i in range(3)]
    jobs = [job(f"P{i}", 9, 99) for i in range(17)]
    design = {"missing_outcomes": "as_not_employed", "strata": ("site",)}
    ask = {"endpoint": endpoints.ever_employed(by=30)}
    with_alone = rates(make_trial(people + alone, jobs=jobs, **design), **ask)
    without = rates(make_trial(people, jobs=jobs, **design), **ask)
    rows = [
        part.one(quantity="risk_difference", method="mantel_haenszel_sato") for part in (with_alone, without)
    ]
    assert rows[0].note == words.text("note.strata_say_nothing")
    assert rows[0].estimate == pytest.approx(rows[1].estimate)


@pytest.mark.parametrize(("name", "trial"), list(hard_trials()), ids=lambda value: str(value)[:30])
def test_hard_strata_have_an_answer_or_a_reason(name: str, trial: object) -> None:
    if "site" not in trial.participants:
        trial = replace(
            trial,
            tables={**trial.tables, "participants": trial.participants.assign(site=list("AB"))},
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = rates(trial, endpoints.ever_employed(by=[18, 30]), strata=["site"]).frame
    mine = frame.loc[frame["setting"].str.contains("strata=")]
    assert len(mine) == 14, name
    bare = mine["estimate"].isna() & mine["p_value"].isna()
    assert (mine.loc[bare, "note"] != "").all()
    assert ((mine["status"] == "not_defined") == bare).all()


def test_strata_that_are_incomplete_or_unknown_are_refused() -> None:
    people = alpha().participants
    trial = replace(
        alpha(),
        tables={**alpha().tables, "participants": people.assign(site=people["site"].where(people.index > 2))},
    )
    with pytest.raises(AnalysisError, match="'site' is missing for 3 of 151 participants"):
        rates(trial, endpoints.ever_employed(by=18))
    with pytest.raises(AnalysisError, match="'ward' is not a column of participants"):
        rates(alpha(), endpoints.ever_employed(by=18), strata=["ward"])


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_sentence_says_within_what_arms_were_compared(found: Results, lang: str) -> None:
    row = found.one(quantity="homogeneity_test")
    said = sentence(row, found, lang=lang)
    assert words.text("sentence.strata", lang, names=words.text("term.site", lang)) in said
    assert words.text("setting.as_not_employed", lang) in said


@pytest.mark.parametrize("seed", range(4))
def test_a_common_effect_is_hidden_with_the_arms_it_is_about(seed: int) -> None:
    public = protect(rates(random_trial(seed, n=34), endpoints.ever_employed(by=[18, 30]))).frame
    assert (public["status"] == "suppressed").any()
    for _, row in public.loc[public["setting"].str.contains("strata=")].iterrows():
        arms = public.loc[
            (public["arm"] != "")
            & (public["time"] == row["time"])
            & (public["setting"] == f"missing={part_of(row['setting'], 'missing')}")
        ]
        hidden = (arms["status"] == "suppressed").any()
        assert (row["status"] == "suppressed") == hidden
        assert not hidden or np.isnan(row["conf_low"])


def test_a_setting_has_one_text() -> None:
    text = setting(strata=["site", "sex"], missing="observed", adjust=())
    assert text == "missing=observed; strata=site+sex"
    assert [part_of(text, part) for part in ("missing", "strata", "adjust")] == ["observed", "site+sex", ""]
    assert part_of("arms=70/81 (read)", "missing") == ""
