"""Rates of people who share a job coach: against R, and what must hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from ipseval import endpoints, words
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions import clustered_rates
from ipseval.estimate.proportions.rates import rates
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.results.setting import part_of
from ipseval.stats.regression.standardisation import standardised_means
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.alpha import alpha

CASE = reference_cases.expected("d3_cluster_robust")
BY_18 = endpoints.ever_employed(by=18)
COVARIATES = ("age", "prior_work_months")
ADJUSTED = "missing=as_not_employed; adjust=age+prior_work_months; cluster=coach"


def with_coaches(coaches: pd.Series) -> Trial:
    """Return trial alpha with the covariates of case d3 and these coaches."""
    given = reference_cases.data("d3_cluster_robust").set_index("id")
    ids = alpha().participants["participant_id"].tolist()
    columns = {name: given.loc[ids, name].to_numpy(dtype="float64") for name in COVARIATES}
    people = alpha().participants.assign(coach=coaches.loc[ids].to_numpy(), **columns)
    return replace(
        alpha(),
        tables={**alpha().tables, "participants": people.astype({"coach": "string"})},
        covariates={name: Variable(name, "number") for name in COVARIATES},
    )


@cache
def coaches(per_site: int = 2) -> pd.Series:
    """Return the job coaches of the IPS arm; nobody has one in the other arm."""
    given = reference_cases.data("d3_cluster_robust").set_index("id")
    dealt = given["coach"] if per_site == 2 else given["coach"] + (np.arange(len(given)) % 2).astype(str)
    return dealt.where(given["arm"] == 1).astype("string")


def modulo() -> pd.Series:
    """Return twelve made coaches, the number of the person modulo 12, who have people in both arms."""
    ids = reference_cases.data("d3_cluster_robust")["id"]
    return pd.Series((ids.str[1:].astype(int) % 12).astype("string").to_numpy(), index=ids, dtype="string")


DEALT = {"coach_in_one_arm": coaches, "twelve_in_both_arms": modulo}


@pytest.fixture(scope="module")
def twelve() -> Results:
    return rates(with_coaches(coaches(4)), BY_18, adjust=COVARIATES, cluster="coach", replicates=100)


@pytest.mark.parametrize(("quantity", "model"), [("risk_difference", "linear"), ("risk_ratio", "poisson")])
def test_partial_nesting_is_that_of_case_d3(
    quantity: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The case has eight coaches, whom the estimator refuses.
    monkeypatch.setattr(clustered_rates, "FEWEST", 8)
    trial = with_coaches(coaches())
    found = rates(trial, BY_18, adjust=COVARIATES, cluster="coach", strata=(), replicates=100)
    row = found.one(quantity=quantity, setting=ADJUSTED, method=f"{model}_clustered")
    expected = CASE[model]["coach"]
    # The case suggests 1e-6: R's glm keeps the weights of the last iteration but one.
    assert [row.std_error, row.df] == pytest.approx(
        [expected["CR2"][1], expected["satterthwaite_df_CR2"][1]], rel=1e-6
    )


MEASURES = {"risk_difference": "difference", "risk_ratio": "log_ratio", "odds_ratio": "log_odds_ratio"}


@pytest.mark.parametrize("quantity", MEASURES)
@pytest.mark.parametrize("key", ["coach_in_one_arm", "twelve_in_both_arms"])
def test_standardised_effects_are_those_of_case_d6(
    key: str, quantity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered_rates, "FEWEST", 8)
    found = rates(with_coaches(DEALT[key]()), BY_18, adjust=COVARIATES, cluster="coach", replicates=100)
    row = found.one(quantity=quantity, method="standardisation_clustered")
    expected = reference_cases.expected("d6_gcomp_clustered")["one_step"][key][MEASURES[quantity]]
    on_scale = (lambda x: x) if quantity == "risk_difference" else np.log
    numbers = [on_scale(x) for x in (row.estimate, row.conf_low, row.conf_high)]
    assert numbers == pytest.approx([expected[name] for name in ("estimate", "lower", "upper")], rel=1e-8)
    numbers = [row.std_error, row.df, row.p_value]
    assert numbers == pytest.approx([expected[name] for name in ("se", "df", "p")], rel=1e-7)  # tails
    assert row.setting == ADJUSTED
    assert (words.text("note.clusters_of_one") in row.note) == (key == "coach_in_one_arm")


def test_clusters_move_no_estimate_and_say_who_is_alone(twelve: Results) -> None:
    for quantity in ("risk_difference", "risk_ratio"):
        row = twelve.one(quantity=quantity, setting="missing=as_not_employed; cluster=coach")
        plain = twelve.main.one(quantity=quantity)
        assert row.estimate == pytest.approx(plain.estimate, rel=1e-9)
        assert row.conf_low < row.estimate < row.conf_high
        assert 0 < row.df < 151
        assert words.text("note.clusters_of_one") in row.note
        assert "(job coach)" in sentence(row, twelve)


def test_standardised_effects_are_those_of_everybody(twelve: Results) -> None:
    for quantity in MEASURES:
        row = twelve.one(quantity=quantity, method="standardisation_clustered")
        plain = twelve.one(quantity=quantity, method="standardisation")
        assert row.estimate == pytest.approx(plain.estimate, rel=1e-9)
        assert 11 < row.df < 150
        assert "(job coach)" in sentence(row, twelve)


def test_without_covariates_people_alone_have_the_variance_of_two_means() -> None:
    """The influence of a mean is its residual: the sum of squares has p (1 - p) / n of each arm."""
    y, arm = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1.0]), np.repeat([1, 0], 6)
    how = {"variance": "augmented", "small_sample": False}
    plain, alone = (standardised_means(y, arm, cluster=c, **how) for c in (None, np.arange(12)))
    assert alone.covariance == pytest.approx(plain.covariance * 12 / 11, rel=1e-12)
    assert alone.contrast().df == 11
    assert plain.contrast().std_error ** 2 == pytest.approx((1 / 4 + 2 / 9) / 6, rel=1e-9)


def test_the_main_rows_stay_unclustered(twelve: Results) -> None:
    assert not twelve.main.frame["setting"].str.contains("cluster").any()
    assert twelve.records["rates"]["arguments"]["cluster"] == "coach"


def test_everyone_a_cluster_of_one_is_hc2() -> None:
    alone = pd.Series(alpha().participants["participant_id"].tolist(), dtype="string")
    alone.index = alpha().participants["participant_id"]
    found = rates(with_coaches(alone), BY_18, cluster="coach", strata=())
    row = found.one(quantity="risk_difference", setting="missing=as_not_employed; cluster=coach")
    arms = [found.main.one(quantity="proportion", arm=arm) for arm in ("IPS", "usual")]
    # HC2 of two means: p (1 - p) / (n - 1) in each arm.
    variance = sum(arm.estimate * (1 - arm.estimate) / (arm.n - 1) for arm in arms)
    assert row.std_error == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert row.note == ""


def test_few_or_incomplete_clusters_are_refused() -> None:
    with pytest.raises(AnalysisError, match="cluster='coach' has 8 clusters among 151 people, fewer than 10"):
        rates(with_coaches(coaches()), BY_18, cluster="coach")
    with pytest.raises(AnalysisError, match=r"cluster='site' has 4 clusters .* a site belongs in strata="):
        rates(alpha(), BY_18, cluster="site")
    with pytest.raises(AnalysisError, match="cluster='ward' is not a column of participants"):
        rates(alpha(), BY_18, cluster="ward")
    some = coaches(4).copy()
    some.loc[some.dropna().index[:3]] = pd.NA
    with pytest.raises(AnalysisError, match=r"'coach' is missing for 3 of \d+ people in the 'IPS' arm"):
        rates(with_coaches(some), BY_18, cluster="coach")


# ---- at a margin

MARGINS = {"margin": 0.1, "ratio_margin": 0.8}
TWINS = {
    "clustered_test": {"risk_difference": "linear_clustered", "risk_ratio": "poisson_clustered"},
    "standardisation_clustered_test": dict.fromkeys(MEASURES, "standardisation_clustered"),
}


@cache
def at_margin(higher: bool = True) -> Results:
    ask = MARGINS if higher else {"margin": 0.1, "ratio_margin": 1.25, "higher_is_better": False}
    trial = with_coaches(coaches(4))
    return rates(trial, BY_18, adjust=COVARIATES, cluster="coach", replicates=100, **ask)


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("term", ["risk_difference", "risk_ratio"])
@pytest.mark.parametrize("method", TWINS)
def test_a_clustered_verdict_is_that_of_the_clustered_interval(method: str, term: str, higher: bool) -> None:
    row = at_margin(higher).one(method=method, term=term)
    about = row.setting.split("; ")
    text = "; ".join(part for part in about if not part.startswith("margin="))
    effect = at_margin(higher).one(quantity=term, method=TWINS[method][term], setting=text)
    on_scale = (lambda x: x) if term == "risk_difference" else np.log
    at = float(part_of(row.setting, "margin"))
    distance = (on_scale(effect.estimate) - on_scale(at)) / effect.std_error
    assert row.statistic == pytest.approx(distance if higher else -distance, rel=1e-9)
    assert row.df == effect.df
    assert row.p_value == pytest.approx(scipy.stats.t.sf(row.statistic, row.df), rel=1e-9)
    assert (row.p_value < 0.025) == (effect.conf_low > at if higher else effect.conf_high < at)
    none = float(term == "risk_ratio")
    is_superior = effect.conf_low > none if higher else effect.conf_high < none
    assert (words.text("note.superior") in row.note) == is_superior
    assert "(job coach)" in sentence(row, at_margin(higher))


def test_the_main_test_at_a_margin_is_the_clustered_one_and_the_others_say_what_they_assume() -> None:
    rows = at_margin().select(quantity="non_inferiority_test").frame
    is_clustered = rows["setting"].str.contains("cluster=coach")
    says_so = rows["note"].str.contains(words.text("note.as_independent"), regex=False)
    assert (says_so == ~is_clustered).all()
    main = at_margin().main.select(quantity="non_inferiority_test").frame
    assert main["method"].tolist() == ["clustered_test"] * 2
    hardest = at_margin().select(method="clustered_test_least_favourable").frame
    assert sorted(hardest["setting"]) == [
        "missing=worst_case; margin=-0.1; cluster=coach",
        "missing=worst_case; margin=0.8; cluster=coach",
    ]
    plain = rates(alpha(), BY_18, **MARGINS)
    assert not plain.frame["note"].str.contains(words.text("note.as_independent"), regex=False).any()
