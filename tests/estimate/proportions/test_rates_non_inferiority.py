"""Margins of non-inferiority and methods on request, asked of a trial."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from ipseval import endpoints, run, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError, PlanError
from ipseval.estimate.proportions.non_inferiority import LEAST_FAVOURABLE
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.proportions.unadjusted_rates import ALSO
from ipseval.plan import read_plan
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.stats.proportions import association, two_proportions
from ipseval.stats.proportions.exact_unconditional import exact_unconditional_test
from ipseval.stats.proportions.non_inferiority import non_inferiority_test
from tests.estimate.alpha import alpha
from tests.estimate.trials import hard_trials, two_arms
from tests.make_trial import job, make_trial

HARD = dict(hard_trials())
BY_18 = endpoints.ever_employed(by=18)
DIFFERENCE = "missing=as_not_employed; margin=-0.1"


@pytest.fixture(scope="module")
def found() -> Results:
    return rates(alpha(), BY_18, strata=(), margin=0.1, ratio_margin=0.8)


def table(found: Results) -> tuple[int, int, int, int]:
    active, reference = (found.main.one(quantity="proportion", arm=arm) for arm in ("IPS", "usual"))
    return active.n_event, active.n, reference.n_event, reference.n


def test_each_margin_has_both_score_tests(found: Results) -> None:
    rows = found.frame.loc[found.frame["quantity"] == "non_inferiority_test"]
    beside = rows["method"] == LEAST_FAVOURABLE
    assert sorted(rows["setting"][~beside].unique()) == [DIFFERENCE, "missing=as_not_employed; margin=0.8"]
    assert sorted(rows["setting"][beside]) == [
        "missing=worst_case; margin=-0.1",
        "missing=worst_case; margin=0.8",
    ]
    assert len(rows) == 6
    row = found.one(setting=DIFFERENCE, method="farrington_manning")
    expected = non_inferiority_test(*table(found), margin=0.1, method="farrington_manning")
    assert [row.statistic, row.p_value] == list(expected)
    assert (row.term, row.status) == ("risk_difference", "ok")


def test_the_verdict_is_what_the_score_interval_says(found: Results) -> None:
    limits = found.one(
        quantity="risk_difference", method="miettinen_nurminen", setting="missing=as_not_employed"
    )
    row = found.one(setting=DIFFERENCE, method="miettinen_nurminen_test")
    verdict = "superior" if limits.conf_low > 0 else "non_inferior" if limits.conf_low > -0.1 else "not_shown"
    assert row.note.startswith(words.text(f"note.{verdict}"))
    assert words.text("note.least_favourable_beside") in row.note
    worst = rates(alpha(), BY_18, strata=(), missing="best_worst", margin=0.1)
    hardest = found.one(term="risk_difference", method=LEAST_FAVOURABLE)
    assert hardest.p_value == worst.one(setting=hardest.setting, method="miettinen_nurminen_test").p_value
    turned = rates(alpha(), BY_18, strata=(), margin=0.1, higher_is_better=False)
    row = turned.one(setting="missing=as_not_employed; margin=0.1", method="miettinen_nurminen_test")
    worse = "inferior" if limits.conf_low > 0.1 else "not_shown"
    if limits.conf_high > 0.1:
        assert row.note.startswith(words.text(f"note.{worse}"))


WITHIN_SITES = {"adjust": ["site"], "margin": 0.1, "ratio_margin": 0.8, "replicates": 100}


@pytest.fixture(scope="module")
def within_sites() -> Results:
    return rates(alpha(), BY_18, **WITHIN_SITES)


def test_over_strata_the_verdict_is_that_of_the_stratified_score_interval(within_sites: Results) -> None:
    row = within_sites.one(method="stratified_miettinen_nurminen_test")
    limits = within_sites.one(method="stratified_miettinen_nurminen")
    assert row.setting == "missing=as_not_employed; strata=site; margin=-0.1"
    assert (row.p_value < 0.025) == (limits.conf_low > -0.1)
    verdict = "superior" if limits.conf_low > 0 else "non_inferior" if limits.conf_low > -0.1 else "not_shown"
    assert row.note.startswith(words.text(f"note.{verdict}"))
    assert words.text("note.least_favourable_beside") in row.note
    assert "strata" in sentence(row, within_sites).lower()


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("term", ["risk_difference", "risk_ratio"])
def test_adjusted_the_decision_is_that_of_the_standardised_interval(
    within_sites: Results, term: str, higher: bool
) -> None:
    """Where lower is better the margins lie on the other side, and so does what is wanted of the limits."""
    turned = {"higher_is_better": False, "ratio_margin": 1.25}
    found = within_sites if higher else rates(alpha(), BY_18, **{**WITHIN_SITES, **turned})
    row = found.one(method="standardisation_test", term=term)
    effect = found.one(quantity=term, method="standardisation")
    at = float(row.setting.rpartition("margin=")[2])
    low, high = effect.conf_low, effect.conf_high
    assert (row.p_value < 0.025) == (low > at if higher else high < at)
    on_scale = (lambda x: x) if term == "risk_difference" else np.log
    distance = (on_scale(effect.estimate) - on_scale(at)) / effect.std_error
    assert row.statistic == pytest.approx(distance if higher else -distance, rel=1e-9)
    assert row.setting.startswith("missing=as_not_employed; adjust=site; margin=")


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_sentence_says_the_margin_and_the_verdict(found: Results, lang: str) -> None:
    row = found.one(setting=DIFFERENCE, method="miettinen_nurminen_test")
    said = sentence(row, found, lang=lang)
    points = words.percentage_points(-0.1, lang, digits=1)
    margin = f"{points} {words.text('unit.percentage_points', lang)}"
    assert words.text("sentence.margin", lang, margin=margin) in said
    assert words.translated(row.note, lang)[1:] in said


def test_methods_on_request_are_the_kernels_own() -> None:
    people = two_arms(24)
    jobs = [job(f"P{i:03d}", 9, 99) for i in (1, 3, 5, 7, 9, 11, 2, 6)]
    made = make_trial(people, jobs=jobs, missing_outcomes="as_not_employed")
    ask = {"endpoint": endpoints.ever_employed(by=30), "strata": (), "margin": 0.15}
    plain, more = rates(made, **ask), rates(made, **ask, also=list(ALSO))
    counts = table(more)
    limits = two_proportions.risk_difference(*counts, method="exact_unconditional")
    row = more.one(quantity="risk_difference", method="exact_unconditional")
    assert [row.conf_low, row.conf_high] == [limits.conf_low, limits.conf_high]
    tests = {
        "yates": association.association_test(*counts, method="yates").p_value,
        "fisher_mid_p": association.fisher_test(*counts, mid_p=True),
        "barnard": exact_unconditional_test(*counts),
        "boschloo": exact_unconditional_test(*counts, method="boschloo"),
    }
    for method, p_value in tests.items():
        assert more.one(method=method).p_value == p_value
    at_margin = more.one(quantity="non_inferiority_test", method="exact_unconditional")
    assert at_margin.p_value == exact_unconditional_test(*counts, null=-0.15, alternative="greater")
    assert len(more.frame) == len(plain.frame) + len(ALSO) + 1
    assert plain.main.frame.equals(more.main.frame)


@pytest.mark.parametrize("name", HARD, ids=str)
def test_what_has_no_answer_over_sites_is_a_row_with_its_reason(name: str) -> None:
    strata = ["site"] if "site" in HARD[name].participants else []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rates(HARD[name], endpoints.ever_employed(by=30), strata=strata, margin=0.1)
    rows = found.select(quantity="non_inferiority_test").frame
    failed = rows["status"].isin(["failed", "not_defined"])
    assert (rows["p_value"].notna() == ~failed).all()
    assert (rows["note"] != "").all()


def test_a_small_arm_hides_its_verdict() -> None:
    people = two_arms(24)
    made = make_trial(people, jobs=[job("P001", 9, 99)], missing_outcomes="as_not_employed")
    public = protect(rates(made, endpoints.ever_employed(by=30), strata=(), margin=0.15)).frame
    rows = public.loc[public["quantity"] == "non_inferiority_test"]
    assert set(rows["status"]) == {"suppressed"}
    assert rows["p_value"].isna().all()
    assert not rows["note"].isin([words.text("note.not_shown"), words.text("note.non_inferior")]).any()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ({"margin": 10}, "Write 10 percentage points as margin=0.10"),
        ({"ratio_margin": 1.25}, "is not a ratio below 1"),
        ({"ratio_margin": 0.8, "higher_is_better": False}, "is not a ratio above 1"),
        ({"also": "barnard"}, "Write also=\\['barnard'\\]"),
        ({"also": ["bernard"]}, "also='bernard' is not an option"),
    ],
)
def test_refusals(ask, message) -> None:
    with pytest.raises(AnalysisError, match=message):
        rates(alpha(), BY_18, **ask)


PLAN = """
[endpoint.first_job]
is = "ever_employed"
by = 18

[analysis.primary]
estimator = "rates"
endpoint = "first_job"
strata = []
margin = 0.1
ratio_margin = 0.8
higher_is_better = true
also = ["yates", "fisher_mid_p"]
"""


def test_a_plan_asks_for_the_same(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    planned = run.execute(read_plan(tmp_path / "plan.toml"), alpha())
    asked = {"strata": [], "margin": 0.1, "ratio_margin": 0.8, "also": ["yates", "fisher_mid_p"]}
    called = rates(alpha(), BY_18, name="primary", **asked)
    assert planned.select(analysis="primary").frame.equals(called.frame)


def test_a_plan_with_wrong_values_lists_them_all(tmp_path: Path) -> None:
    wrong = PLAN.replace("margin = 0.1\n", "margin = 10\n", 1).replace('"yates"', '"yeats"') + "cluster = 3\n"
    (tmp_path / "plan.toml").write_text(wrong)
    with pytest.raises(PlanError, match="faults: 3") as refused:
        read_plan(tmp_path / "plan.toml")
    for part in ("Write 10 percentage points as margin=0.10", "also='yeats' is not an option", "cluster=3"):
        assert part in str(refused.value)
