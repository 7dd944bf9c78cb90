"""What holds for every estimator: no confident number where there is none, and what changes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pandas as pd
import pytest

from ipseval import endpoints, words
from ipseval.errors import AnalysisError
from ipseval.estimate import ESTIMATORS
from ipseval.estimate.amounts.amounts import METHODS as AMOUNT_METHODS
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.describe import describe
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.times.interview_survival import interview_survival
from ipseval.estimate.times.recurrent import recurrent
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.vocabulary import KEY, QUANTITIES
from ipseval.trial import Trial
from tests.estimate.alpha import alpha
from tests.estimate.trials import (
    doubled,
    hard_trials,
    random_trial,
    relabelled,
    shuffled,
    with_reference,
    with_scores,
)

CALLS: dict[str, Callable[[Trial], Results]] = {
    "describe": describe,
    "rates": lambda trial: rates(trial, endpoints.ever_employed(by=[18, 30]), margin=0.1, ratio_margin=0.8),
    "rates at a month": lambda trial: rates(trial, endpoints.employed_at(month=[6, 18])),
    "survival": lambda trial: survival(trial, endpoints.time_to_first_job(30)),
    "recurrent": lambda trial: recurrent(trial, endpoints.job_starts(30)),
    "mixed": lambda trial: mixed(trial, endpoints.employed_at(month=[6, 18, 30])),
    "mixed, random slope": lambda trial: mixed(
        trial, endpoints.employed_at(month=[6, 18, 30]), model="random_slope", points=3
    ),
    "mixed, estimating equations": lambda trial: mixed(
        trial, endpoints.employed_at(month=[6, 18, 30]), model="gee"
    ),
    "mixed, scores": lambda trial: mixed(with_scores(trial), endpoints.score("qol", months=[6, 18, 30])),
    "mixed, scores by random slope": lambda trial: mixed(
        with_scores(trial), endpoints.score("qol", months=[6, 18, 30]), model="random_slope"
    ),
    "mixed, scores month by month": lambda trial: mixed(
        with_scores(trial), endpoints.score("qol", months=[6, 18, 30]), model="ancova"
    ),
    "mixed, days of periods": lambda trial: mixed(trial, endpoints.days_worked(by=[6, 18, 30])),
    "mixed, counts of periods": lambda trial: mixed(
        trial, endpoints.days_worked(by=[6, 18, 30]), model="negative_binomial", points=9
    ),
    "amounts": lambda trial: amounts(trial, endpoints.hours_worked(by=30), replicates=100),
    "amounts by every method": lambda trial: amounts(
        trial,
        endpoints.days_worked(by=30),
        methods=AMOUNT_METHODS,
        adjust=[name for name in ("site",) if name in trial.participants],
        replicates=100,
    ),
    "tenure": lambda trial: amounts(trial, endpoints.job_tenure(by=30), replicates=100),
}
DRAWN = ("amounts", "amounts by every method", "tenure")
HARD = dict(hard_trials())


@pytest.mark.parametrize("trial", HARD, ids=str)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_what_has_no_answer_is_a_row_with_its_reason(call: str, trial: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = CALLS[call](HARD[trial]).frame
    answered = frame["estimate"].notna() | frame["p_value"].notna()
    failed = frame["status"].isin(["failed", "not_defined"])
    assert (answered == ~failed).all()
    assert (frame.loc[failed, "note"] != "").all()
    assert frame.loc[failed, ["std_error", "statistic", "conf_low", "conf_high"]].isna().all(axis=None)
    no_limits = (
        answered & frame["conf_level"].notna() & (frame["conf_low"].isna() | frame["conf_high"].isna())
    )
    no_width = frame["conf_low"] == frame["conf_high"]
    assert (frame.loc[no_limits | no_width, "note"] != "").all()
    assert not (frame["std_error"] == 0).any()
    # How people were counted is no reason why a number is missing.
    counting = [words.text(f"note.{name}") for name in ("observed", "completers", "accrued", "not_recorded")]
    assert not frame.loc[failed, "note"].isin(counting).any()


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_rows_hold_together(call: str, seed: int) -> None:
    trial = random_trial(seed)
    frame = CALLS[call](trial).frame
    assert (frame["n_event"] <= frame["n"]).dropna().all()
    assert set(frame["quantity"]) <= set(QUANTITIES)
    assert ((frame["conf_low"] <= frame["estimate"]) | frame["conf_low"].isna()).all() or call.startswith(
        "rates"
    )
    share = frame["quantity"].map(lambda name: QUANTITIES[name].scale) == "proportion"
    assert frame.loc[share, "estimate"].dropna().between(0, 1).all()
    # A common effect over strata stands beside the arms that are counted as it counts them.
    frame = frame.assign(counted=frame["setting"].str.partition(";")[0])
    key = ["endpoint", "time", "time_unit", "counted"]
    for contrast in (
        "risk_difference",
        "mean_difference",
        "mean_cumulative_number_difference",
        "population_averaged_difference",
        "least_squares_mean_difference",
    ):
        named = (frame["quantity"] == contrast) & (frame["contrast"] != "")
        for keys, _ in frame.loc[named].groupby(key, dropna=False):
            beside = frame
            for column, value in zip(key, keys, strict=True):
                beside = beside.loc[beside[column].isna() if pd.isna(value) else beside[column] == value]
            assert set(trial.design.arms) <= set(beside["arm"]), "both arms stand beside their contrast"


def by_key(results: Results) -> pd.DataFrame:
    return results.frame.set_index(list(KEY)).sort_index()


@pytest.mark.parametrize("call", [name for name in CALLS if name not in DRAWN], ids=str)
def test_the_order_of_rows_changes_nothing(call: str) -> None:
    before, after = by_key(CALLS[call](alpha())), by_key(CALLS[call](shuffled(alpha())))
    pd.testing.assert_frame_equal(before, after, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("call", DRAWN)
def test_the_order_of_rows_changes_amounts_only_in_which_people_are_drawn(call: str) -> None:
    before, after = CALLS[call](alpha()).frame, CALLS[call](shuffled(alpha())).frame
    drawn = before["method"].str.contains("bootstrap")
    pd.testing.assert_frame_equal(before[~drawn], after[~drawn], rtol=1e-9)
    assert before.loc[drawn, "estimate"].tolist() == pytest.approx(after.loc[drawn, "estimate"].tolist())


@pytest.mark.parametrize(
    "call", ["rates", "survival", "recurrent", "mixed", "mixed, estimating equations", "mixed, scores"]
)
def test_relabelling_sites_changes_nothing(call: str) -> None:
    numbers = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    before, after = by_key(CALLS[call](alpha())), by_key(CALLS[call](relabelled(alpha())))
    # The mixed model leaves out another site, so that its optimiser walks another way: 1e-7 apart.
    pd.testing.assert_frame_equal(before[numbers], after[numbers], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("call", ["rates", "survival", "recurrent", "mixed", "amounts by every method"])
def test_twins_leave_estimates_where_they_were(call: str) -> None:
    once, twice = by_key(CALLS[call](alpha())), by_key(CALLS[call](doubled(alpha())))
    # Efron's approximation and exact odds ratios do change when every event is tied with its twin;
    # van Elteren's weights and the pooled standard deviation know how many people there are.
    keep = ~once.index.get_level_values("quantity").isin(
        ["hazard_ratio", "number_at_risk", "cumulative_events", "cumulative_censored", "count"]
    ) & ~once.index.get_level_values("method").isin(
        ["conditional_exact", "mid_p", "stratified_brunner_munzel_logit", "hedges_g", "cohen_d"]
    )
    left, right = once.loc[keep, "estimate"], twice.loc[keep, "estimate"]
    pd.testing.assert_series_equal(left, right, rtol=1e-6, atol=1e-9)
    counts = once.loc[keep, "n"].dropna()
    assert (twice.loc[counts.index, "n"] == 2 * counts).all()


@pytest.mark.parametrize(
    "call",
    [
        "rates",
        "survival",
        "recurrent",
        "mixed",
        "mixed, estimating equations",
        "mixed, scores",
        "amounts by every method",
        "describe",
    ],
)
def test_swapping_the_reference_flips_signs_and_inverts_ratios(call: str) -> None:
    trial = alpha()
    ours, theirs = CALLS[call](trial).frame, CALLS[call](with_reference(trial, "IPS")).frame
    key = ["term", "time", "time_unit", "quantity", "method", "setting"]
    ours, theirs = (side.loc[side["contrast"] != ""].set_index(key).sort_index() for side in (ours, theirs))
    assert set(ours["contrast"]) == {"IPS - usual"}
    assert set(theirs["contrast"]) == {"usual - IPS"}
    bounds = ours.index.get_level_values("setting").str.contains("best_case|worst_case")  # of the active arm
    both = ours[~bounds].join(theirs[~bounds], rsuffix="_swapped")
    compared = 0
    for (*_, name, method, _), row in both.iterrows():
        quantity = QUANTITIES[name]
        if name == "non_inferiority_test":
            continue  # which arm may be worse is the question itself
        one = row[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
        other = row[["estimate_swapped", "conf_high_swapped", "conf_low_swapped"]].to_numpy(dtype=float)
        if "bootstrap" in method:
            one, other = one[:1], other[:1]  # the draws of the two arms change places
        if quantity.scale == "test":
            assert row["p_value"] == pytest.approx(row["p_value_swapped"], rel=1e-6)
        elif quantity.scale == "ratio":
            assert one == pytest.approx(1 / other, rel=1e-6)
        elif name == "probability_of_superiority":
            assert one == pytest.approx(1 - other, abs=1e-9)
        elif name == "standardised_mean_difference" and row.name[0] == "site":
            assert one[0] == pytest.approx(other[0])  # a distance over four sites has no sign
        elif name != "number_needed_to_treat":
            assert one == pytest.approx(-other, abs=1e-6, nan_ok=True)
        compared += 1
    assert compared


def three_arms() -> Trial:
    from dataclasses import replace

    from tests.make_trial import job, make_trial, person

    names = ["usual", "IPS", "IPS-lite"]
    people = [person(f"P{i:02d}", site="AB"[i % 2]) for i in range(60)]
    jobs = [job(f"P{i:02d}", 10 * i, 10 * i + 200) for i in range(0, 60, 2)] + [job("P01", 50, 90)]
    visits = [
        {"participant_id": f"P{i:02d}", "visit_month": month, "employed": (i + month) % 4 == 0}
        for i in range(60)
        for month in (6, 18, 30)
    ]
    trial = make_trial(people, jobs=jobs, visits=visits, missing_outcomes="as_not_employed")
    arm = pd.Categorical([names[i // 2 % 3] for i in range(60)], categories=names, ordered=True)
    tables = {**trial.tables, "participants": trial.participants.assign(arm=arm)}
    return replace(trial, tables=tables, design=replace(trial.design, arms=tuple(names)))


@pytest.mark.parametrize(
    "call",
    [
        "describe",
        "rates",
        "survival",
        "recurrent",
        "mixed, scores",
        "amounts by every method",
    ],
)
def test_three_arms_are_two_comparisons_with_the_reference(call: str) -> None:
    frame = CALLS[call](three_arms()).frame
    assert set(frame["contrast"]) - {""} in ({"IPS - usual", "IPS-lite - usual"}, set())
    assert set(frame["arm"]) - {""} == {"usual", "IPS", "IPS-lite"}


def test_every_estimator_refuses_the_wrong_kind_of_endpoint() -> None:
    trial = alpha()
    kinds = {
        "binary": endpoints.ever_employed(),
        "time": endpoints.time_to_first_job(),
        "recurrent": endpoints.job_starts(),
        "amount": endpoints.days_worked(),
    }
    for name, (declaration, function) in ESTIMATORS.items():
        for kind, endpoint in kinds.items():
            if declaration.outcomes and kind not in declaration.outcomes:
                with pytest.raises(AnalysisError, match=r"Use ips\."):
                    function(trial, endpoint)
        assert name == declaration.name


@pytest.mark.parametrize("wrong", [0, 1, 95, "0.95", None, float("nan")])
def test_every_estimator_refuses_a_confidence_that_is_none(wrong: object) -> None:
    for name in ("rates", "survival", "recurrent", "mixed", "amounts"):
        endpoint = {
            "rates": endpoints.ever_employed(),
            "survival": endpoints.time_to_first_job(),
            "recurrent": endpoints.job_starts(),
            "mixed": endpoints.employed_at(month=[6, 18]),
            "amounts": endpoints.days_worked(),
        }[name]
        with pytest.raises(AnalysisError, match="conf_level"):
            ESTIMATORS[name].function(alpha(), endpoint, conf_level=wrong)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("rates", "strata"),
        ("rates", "adjust"),
        ("survival", "strata"),
        ("recurrent", "strata"),
        ("mixed", "adjust"),
        ("describe", "variables"),
    ],
)
def test_a_bare_text_is_not_taken_letter_by_letter(name: str, argument: str) -> None:
    chosen = {
        "rates": [endpoints.ever_employed()],
        "survival": [endpoints.time_to_first_job()],
        "recurrent": [endpoints.job_starts()],
        "mixed": [endpoints.employed_at(month=[6, 18])],
    }
    with pytest.raises(AnalysisError, match=rf"Write {argument}=\['site'\]"):
        ESTIMATORS[name].function(alpha(), *chosen.get(name, []), **{argument: "site"})


def test_declared_quantities_are_those_that_are_written() -> None:
    trial = random_trial(3, n=80)
    written: dict[str, set[str]] = {}
    first_job = endpoints.time_to_first_job(30)
    asked_for = [
        describe(example("scion")),
        survival(trial, first_job, residuals=True),
        interview_survival(trial, first_job, replicates=100),
        mixed(trial, endpoints.employed_at(month=[6, 18, 30]), link="cloglog", interval="profile"),
        mixed(example("eqolise"), endpoints.employed_at(month=[6, 18]), model="nested_site", points=3),
    ]
    for found in [call(trial) for call in CALLS.values()] + asked_for:
        for name, record in found.records.items():
            rows = found.frame.loc[found.frame["analysis"] == name, "quantity"]
            written.setdefault(record["estimator"], set()).update(rows)
    assert written == {name: set(estimator.declaration.quantities) for name, estimator in ESTIMATORS.items()}
