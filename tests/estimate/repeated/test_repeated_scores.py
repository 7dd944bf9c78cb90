"""Scores at several assessments: nlme, lme4 with pbkrtest and lm of R (case c9), and what must hold."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.mixed import mixed
from ipseval.results import Results
from ipseval.results.models import model_of
from ipseval.results.printed import wrapped
from ipseval.results.sentences import sentence
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.trials import two_arms
from tests.make_trial import make_trial, person, visit

CASE = reference_cases.expected("c9_repeated_assessments")
MONTHS = [6, 12, 18, 24, 30]
QOL = endpoints.score("qol", months=MONTHS)


@cache
def alpha() -> Trial:
    """Return trial alpha of case c5, months 6 to 30, with its baseline as column and as visit 0."""
    rows = reference_cases.data("c5_lmm_mmrm_alpha")
    first = rows.drop_duplicates("id")
    people = [
        person(
            one.id,
            arm="IPS" if one.arm else "usual",
            site=one.site,
            qol_baseline=one.qol0,
            prior=one.prior_work_months / 12,
        )
        for one in first.itertuples()
    ]
    visits = [
        visit(
            row.id,
            row.month,
            qol=row.qol,
            employed=None if np.isnan(row.employed) else bool(row.employed),
        )
        for row in rows.itertuples()
    ]
    visits += [visit(one.id, 0, qol=one.qol0) for one in first.itertuples()]
    trial = make_trial(people, visits=visits, scores=["qol"])
    covariates = {name: Variable(name, "number") for name in ("qol_baseline", "prior")}
    return replace(trial, covariates=covariates)


def row_of(found: Results, of: str):
    """Return the row of results that a row of the case is about."""
    who, _, when = of.partition("_month_") if "_month_" in of else of.rpartition("_average")
    who = who or of.removesuffix("_average")
    time = {"time": float(when)} if when else {"term": "average"}
    if who.startswith("difference"):
        return found.one(quantity="least_squares_mean_difference", **time)
    return found.one(quantity="least_squares_mean", arm=("usual", "IPS")[int(who[-1])], **time)


CALLS = {
    "mmrm": lambda: mixed(alpha(), QOL, df="satterthwaite"),
    "mmrm_by_month": lambda: mixed(alpha(), QOL, df="satterthwaite", baseline_by_month=True),
    "random_intercept_by_month": lambda: mixed(
        alpha(), QOL, model="random_intercept", baseline_by_month=True
    ),
    "shared_baseline": lambda: mixed(
        alpha(), endpoints.score("qol", months=[0, *MONTHS]), df="satterthwaite"
    ),
    "random_intercept": lambda: mixed(alpha(), QOL, model="random_intercept"),
    "random_slope": lambda: mixed(alpha(), QOL, model="random_slope"),
}


@pytest.mark.parametrize("name", CALLS)
def test_means_and_differences_are_those_of_r(name: str) -> None:
    found, case = CALLS[name](), CASE[name]
    # nlme stops at 1e-6 or so, lme4's optimiser likewise
    near = 1e-5 if "df" not in case["rows"][0] else 1e-4
    for theirs in case["rows"]:
        ours = row_of(found, theirs["of"])
        assert [ours.estimate, ours.std_error] == pytest.approx(
            [theirs["estimate"], theirs["se"]], rel=near, abs=1e-6
        )
        if "df" in theirs:
            assert ours.df == pytest.approx(theirs["df"], rel=1e-3)
    test = found.one(quantity="arm_by_month_test")
    assert test.statistic == pytest.approx(case["f"], rel=1e-4)
    assert test.setting.endswith("numerator_df=4")
    if "ddf" in case:
        assert [test.df, test.p_value] == pytest.approx([case["ddf"], case["p"]], rel=1e-3)


def test_a_baseline_by_month_is_said_and_needs_a_baseline() -> None:
    found = CALLS["mmrm_by_month"]()
    row = found.one(quantity="least_squares_mean_difference", time=18)
    assert row.setting == "adjust=qol_baseline; by_month=qol_baseline; df=satterthwaite"
    assert "The effect of qol_baseline may differ by month." in found.explain()
    assert "Degrees of freedom by Satterthwaite." in found.explain()
    assert "+ qol_baseline × month + error" in found.explain()
    with pytest.raises(AnalysisError, match="'qol_baseline' among the covariates"):
        mixed(alpha(), endpoints.score("qol", months=[0, 18, 30]), baseline_by_month=True)
    with pytest.raises(AnalysisError, match="no part in model='ancova'"):
        mixed(alpha(), endpoints.score("qol", months=18), model="ancova", baseline_by_month=True)


def test_rows_that_were_chosen_otherwise_are_told_apart() -> None:
    """The same estimates by other degrees of freedom, another covariance or another baseline."""
    options = ({}, {"df": "satterthwaite"}, {"covariance_per_arm": True}, {"baseline_by_month": True})
    parts = [mixed(alpha(), QOL, **each, name=f"choice {i}") for i, each in enumerate(options)]
    rows = [part.one(quantity="least_squares_mean_difference", time=18) for part in parts]
    assert len({(row.method, row.setting) for row in rows}) == len(options)
    bound = parts[0] + parts[1] + parts[2] + parts[3]
    assert len(bound) == sum(map(len, parts))


def test_ancova_is_least_squares_with_hc3() -> None:
    found = mixed(alpha(), endpoints.score("qol", months=18), model="ancova")
    # The case centres over everyone randomised and so do we, though only those seen are fitted.
    for theirs in CASE["ancova_18"]["rows"]:
        who = theirs["of"]
        ours = (
            found.one(quantity="least_squares_mean_difference")
            if who == "difference"
            else found.one(quantity="least_squares_mean", arm=("usual", "IPS")[int(who[-1])])
        )
        assert [ours.estimate, ours.std_error] == pytest.approx([theirs["estimate"], theirs["se"]], rel=1e-9)
        assert ours.df == CASE["ancova_18"]["df"]


def test_the_intervals_are_those_of_t() -> None:
    row = CALLS["mmrm"]().one(quantity="least_squares_mean_difference", time=18)
    assert row.statistic == pytest.approx(row.estimate / row.std_error)
    assert row.conf_high - row.estimate == pytest.approx(row.estimate - row.conf_low)
    assert (row.conf_high - row.estimate) / row.std_error > 1.9599  # wider than the normal


def test_the_own_baseline_is_taken_from_the_visit_where_participants_have_none() -> None:
    trial = alpha()
    people = trial.participants.drop(columns="qol_baseline")
    without = replace(trial, tables={**trial.tables, "participants": people}, covariates={})
    ours, theirs = mixed(without, QOL).frame, mixed(trial, QOL).frame
    assert ours["estimate"].dropna().tolist() == pytest.approx(theirs["estimate"].dropna().tolist())
    assert set(ours["setting"].str.partition(";")[0]) == {"adjust=qol_baseline"}


def test_a_missing_baseline_is_given_the_mean_and_the_row_says_so() -> None:
    trial = alpha()
    people = trial.participants.copy()
    people["qol_baseline"] = people["qol_baseline"].mask(people.index < 5)
    found = mixed(replace(trial, tables={**trial.tables, "participants": people}), QOL)
    assert found.frame["note"].str.contains(words.text("note.baseline_mean"), regex=False).all()
    scores = reference_cases.data("c5_lmm_mmrm_alpha").query("month == 18")["qol"]
    assert found.one(quantity="least_squares_mean_difference", time=18).n == scores.notna().sum()


def test_arms_share_their_mean_at_month_zero() -> None:
    found = CALLS["shared_baseline"]()
    at_start = found.select(quantity="least_squares_mean", time=0.0).frame
    assert at_start["estimate"].nunique() == 1
    assert not len(found.select(quantity="least_squares_mean_difference", time=0.0))
    assert at_start["note"].str.contains(words.text("note.shared_baseline"), regex=False).all()
    assert "after month 0" in model_of(found, "mixed")[1]


def test_swapping_the_covariance_per_arm_keeps_the_estimates_near() -> None:
    both, each = (mixed(alpha(), QOL, covariance_per_arm=own) for own in (False, True))
    rows = [found.one(quantity="least_squares_mean_difference", term="average") for found in (both, each)]
    assert rows[0].estimate != rows[1].estimate
    assert rows[0].estimate == pytest.approx(rows[1].estimate, abs=rows[0].std_error)
    assert "one per arm" in model_of(each, "mixed")[1]


def made(values: dict[tuple[int, int], float | None], n: int, **more: object) -> Trial:
    """Return people in two arms with scores by (person, month)."""
    visits = [visit(f"P{i:03d}", month, qol=value) for (i, month), value in values.items()]
    return make_trial(two_arms(n, **more), visits=visits, scores=["qol"])


def drawn(n: int, months: tuple[int, ...], seed: int = 1) -> dict[tuple[int, int], float | None]:
    draw = np.random.default_rng(seed)
    level = draw.normal(size=n)
    return {(i, month): 4 + level[i] + draw.normal() for i in range(n) for month in months}


def test_a_covariance_that_cannot_be_fitted_gives_way_to_the_next_and_says_so() -> None:
    values = drawn(40, (6, 18, 30))
    for i in range(40):
        values[(i, 6 if i < 20 else 30)] = None  # nobody was seen at both 6 and 30 months
    found = mixed(made(values, 40), endpoints.score("qol", months=[6, 18, 30]))
    row = found.one(quantity="least_squares_mean_difference", term="average")
    assert row.method == "mmrm_heterogeneous_ar1"
    for note in ("no_pairs", "fewer_parameters"):
        assert words.text(f"note.{note}") in row.note
    assert words.text("model.covariance.heterogeneous_ar1") in model_of(found, "mixed")[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: dict.fromkeys(v, 4.0), "no variance left to model"),
        (lambda v: {k: None if k[0] % 2 and k[1] == 18 else x for k, x in v.items()}, "was seen at month 18"),
        (dict.fromkeys, words.text("note.nobody")),
    ],
    ids=["constant", "an arm not seen", "nobody"],
)
def test_what_cannot_be_estimated_is_a_row_with_its_reason(change: object, said: str) -> None:
    found = mixed(made(change(drawn(20, (6, 18))), 20), endpoints.score("qol", months=[6, 18]))
    assert set(found.frame["status"]) <= {"failed", "not_defined"}
    assert found.frame["note"].str.contains(said, regex=False).all()
    assert model_of(found, "mixed") == []


def test_a_covariate_that_follows_from_others_is_named() -> None:
    trial = made(drawn(20, (6, 18)), 20)
    people = trial.participants.assign(age=range(20), born=[-float(i) for i in range(20)])
    covariates = {name: Variable(name, "number") for name in ("age", "born")}
    trial = replace(trial, tables={**trial.tables, "participants": people}, covariates=covariates)
    found = mixed(trial, endpoints.score("qol", months=[6, 18]), adjust=["age", "born"])
    assert found.failures["note"].str.contains(r"before \(born\): leave out of adjust= what adds").all()


def test_ancova_without_an_arm_at_one_month_keeps_the_other() -> None:
    values = {k: None if k[0] % 2 and k[1] == 18 else x for k, x in drawn(20, (6, 18)).items()}
    found = mixed(made(values, 20), endpoints.score("qol", months=[6, 18]), model="ancova")
    assert found.one(quantity="least_squares_mean_difference", time=6).std_error > 0
    assert set(found.failures["time"]) == {18.0}


def test_deaths_are_said() -> None:
    people = two_arms(30)
    people[0] |= {"followed_until": 100, "end_reason": "died"}
    values = drawn(30, (6, 18)) | {(0, 6): None, (0, 18): None}
    visits = [visit(f"P{i:03d}", month, qol=value) for (i, month), value in values.items()]
    found = mixed(make_trial(people, visits=visits, scores=["qol"]), endpoints.score("qol", months=[6, 18]))
    assert found.frame["note"].str.contains(words.text("note.scores_after_death"), regex=False).all()
    assert found.one(quantity="least_squares_mean", arm="usual", time=18).n_missing == 1


@pytest.mark.parametrize(
    ("months", "options", "said"),
    [
        (18, {}, "score_qol is not a yes or no or a score at several assessments"),
        ([6, 18], {"model": "random_slope"}, "at three or more assessments"),
        ([6, 18], {"model": "gee"}, "model='gee' is not an option"),
        ([6, 18], {"points": 9}, "points=9 has no part in model='mmrm'"),
        ([6, 18], {"model": "ancova", "df": "satterthwaite"}, "this model has no other"),
        ([6, 18], {"covariance": "toeplitz"}, "covariance='toeplitz' is not an option"),
        ([6, 18], {"df": "z"}, "df='z' is not an option"),
        ([0, 18], {"model": "ancova"}, "Leave month 0 out"),
        ([0, 18], {"adjust": ["qol_baseline"]}, "is an outcome when month 0 is among the months"),
        ([6, 18], {"adjust": ["height"]}, "'height' cannot be adjusted for"),
    ],
)
def test_what_is_refused(months: object, options: dict[str, object], said: str) -> None:
    with pytest.raises(AnalysisError, match=said.replace("[", r"\[")):
        mixed(alpha(), endpoints.score("qol", months=months), **options)


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_models_say_themselves(lang: str) -> None:
    for name, call in CALLS.items():
        found = call()
        said = model_of(found, "mixed", lang)
        assert len(said) == 3, name
        assert not [line for line in said if "{" in line or "  " in line]
        assert "qol_baseline" in said[1] or name == "shared_baseline"
        assert found.explain(lang).splitlines()[:3] == said
    assert all(wrapped(line) in repr(found) for line in model_of(found, "mixed"))


def test_the_f_test_says_both_degrees_of_freedom() -> None:
    found = CALLS["random_intercept"]()
    row = found.one(quantity="arm_by_month_test")
    assert f"on 4 and {row.df:.1f} degrees of freedom" in sentence(row, found)


def test_small_arms_are_hidden_and_their_difference_with_them() -> None:
    values = {k: None if k[0] % 2 and k[0] > 7 and k[1] == 18 else x for k, x in drawn(40, (6, 18)).items()}
    found = mixed(made(values, 40), endpoints.score("qol", months=[6, 18]))
    assert found.one(quantity="least_squares_mean", arm="IPS", time=18).n == 4
    public = protect(found)
    for hidden in (
        {"quantity": "least_squares_mean", "arm": "IPS", "time": 18.0},
        {"quantity": "least_squares_mean_difference", "time": 18.0},
        {"quantity": "least_squares_mean", "arm": "IPS", "term": "average"},
    ):
        assert public.one(**hidden).status == "suppressed"
    assert public.one(quantity="least_squares_mean", arm="IPS", time=6.0).estimate > 0
    assert not public.sidecar
    assert model_of(public, "mixed") == model_of(found, "mixed")


@pytest.mark.slow
def test_known_truth_the_difference_is_unbiased_and_its_interval_covers() -> None:
    """100 trials of 60 people with drop-out that depends on the last score: within 3 Monte Carlo errors."""
    draw = np.random.default_rng(3)
    found = []
    for _ in range(100):
        level = draw.normal(size=60)
        values: dict[tuple[int, int], float | None] = {}
        for i in range(60):
            gone = False
            for month in (6, 18, 30):
                score = 4 + 0.5 * (i % 2) * (month == 30) + level[i] + 0.7 * draw.normal()
                values[(i, month)] = None if gone else score
                gone = gone or bool(draw.random() < 0.25 * (score < 4))
        row = mixed(made(values, 60), endpoints.score("qol", months=[6, 18, 30])).one(
            quantity="least_squares_mean_difference", time=30
        )
        found.append((row.estimate, row.conf_low <= 0.5 <= row.conf_high))
    estimates, covered = np.array(found).T
    assert abs(estimates.mean() - 0.5) < 3 * estimates.std() / np.sqrt(100)
    assert abs(covered.mean() - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 100)


@pytest.mark.parametrize("seed", range(6))
def test_tiny_trials_give_numbers_or_reasons_and_no_warnings(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n, months = int(draw.integers(4, 12)), (6, 18, 30)
    values = {key: score if draw.random() < 0.7 else None for key, score in drawn(n, months, seed).items()}
    calls = [{"model": model} for model in ("mmrm", "random_intercept", "random_slope", "ancova")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in (*calls, {"covariance_per_arm": True}, {"df": "satterthwaite"}):
            frame = mixed(made(values, n), endpoints.score("qol", months=months), **options).frame
            answered = frame["estimate"].notna() | frame["p_value"].notna()
            assert (answered == ~frame["status"].isin(["failed", "not_defined"])).all()
            assert (frame.loc[~answered, "note"] != "").all()
            spread = frame.loc[frame["estimate"].notna()]
            assert (
                (spread["conf_low"] < spread["estimate"]) & (spread["estimate"] < spread["conf_high"])
            ).all()


def test_a_person_alone_with_their_covariates_has_no_hc3_variance() -> None:
    trial = made(drawn(12, (6, 18)), 12)
    people = trial.participants.assign(alone=[1.0] + [0.0] * 11)
    trial = replace(
        trial,
        tables={**trial.tables, "participants": people},
        covariates={"alone": Variable("alone", "number")},
    )
    found = mixed(trial, endpoints.score("qol", months=[6, 18]), model="ancova", adjust=["alone"])
    assert found.frame["note"].str.contains("1 of 12 people are the only ones with their covariates").all()
