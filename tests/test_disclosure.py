"""What is public, attacked: an intruder subtracts whatever is shown, and must never find a few people.

The intruder knows the design, the arms' sizes and every public row. It shares no code with
``ipseval.disclosure``.
"""

from __future__ import annotations

import itertools
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.disclosure import Policy, names_in, protect
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.describe import describe
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.times.recurrent import recurrent
from ipseval.estimate.times.survival import survival
from ipseval.evidence.published import published_results
from ipseval.examples import example
from ipseval.results import PublicResults, Results
from ipseval.trial import Trial
from tests.estimate.trials import random_trial, two_arms
from tests.make_trial import job, make_trial

COUNTED = ("number_at_risk", "cumulative_events", "cumulative_censored")  # rounded
ACCUMULATES = ("ever_employed", "time_to_first_job", "job_starts", "days_worked", "durable_employment_3")


@cache
def drawn(seed: int) -> tuple[Trial, Results]:
    trial = random_trial(seed)
    return trial, everything(trial)


def everything(trial: Trial, months: tuple[int, ...] = (6, 18, 30)) -> Results:
    """Return what a whole plan would: several estimators, horizons and ways of counting."""
    return (
        describe(trial)
        + rates(trial, endpoints.ever_employed(by=[months[-1] - 14, months[-1] - 6, months[-1]]))
        + rates(trial, endpoints.ever_employed(by=months[:2]), name="early")
        + rates(trial, endpoints.durable_employment(months=3, by=months[-1]), name="durable")
        + rates(trial, endpoints.employed_at(month=[6, 18], source="visits"), name="at")
        + survival(trial, endpoints.time_to_first_job(months[-1]))
        + recurrent(trial, endpoints.job_starts(months[-1]))
        + mixed(trial, endpoints.employed_at(month=months, source="visits"))
        + amounts(
            trial,
            endpoints.days_worked(by=months[1:]),
            methods=["workers", "hodges_lehmann", "wilcoxon", "negative_binomial"],
            replicates=100,
        )
    )


def few(number: float, minimum: int) -> bool:
    return 0 < abs(number) < minimum - 1e-9


def visible(public: PublicResults) -> pd.DataFrame:
    frame = public.frame.loc[public.frame["status"] != "suppressed"]
    return frame.astype({"n": "float64", "n_event": "float64", "n_missing": "float64"})


def small_numbers(frame: pd.DataFrame, minimum: int) -> list[str]:
    """Numbers of people that stand in a row, or are one subtraction inside a row away."""
    found = []
    for _, row in frame.loc[~frame["quantity"].isin(COUNTED)].iterrows():
        stated = {
            "n": row.n,
            "n_event": row.n_event,
            "n_missing": row.n_missing,
            "without": row.n - row.n_event,
        }
        if row.quantity == "count":
            stated["count"] = row.estimate
        if row.quantity in ("proportion", "percentage", "share_zero"):
            stated["share x n"] = np.round(row.estimate * row.n)  # to the nearest person
        found += [
            f"{name}={value:g} in {describe_row(row)}"
            for name, value in stated.items()
            if few(value, minimum)
        ]
    return found


def describe_row(row: pd.Series) -> str:
    return " ".join(
        str(row[name])
        for name in ("analysis", "endpoint", "term", "time", "quantity", "arm", "contrast", "setting")
    )


def differences(frame: pd.DataFrame, minimum: int) -> list[str]:
    """Differences between rows of one arm about one accumulating course, or one moment."""
    found = []
    rows = frame.loc[(frame["arm"] != "") & frame["n_event"].notna() & ~frame["quantity"].isin(COUNTED)]
    rows = rows.loc[
        (rows["endpoint"] != "") & ~rows["term"].isin(["new_jobs=1", "new_jobs=2", "new_jobs=3+"])
    ]
    without = (rows["quantity"] == "share_zero") | (rows["term"] == "new_jobs=0")
    rows = rows.assign(
        yes=np.where(without, rows["n"] - rows["n_event"], rows["n_event"]),
        course=np.where(rows["endpoint"].isin(ACCUMULATES), "", rows["endpoint"] + rows["time"].astype(str)),
        died=rows["term"] == "died",
    )
    for _, group in rows.groupby(["arm", "course", "died"]):
        stated = group[["yes", "n"]].drop_duplicates()
        for (yes, n), (other, m) in itertools.combinations(stated.to_numpy(), 2):
            gaps = {"yes": yes - other, "no": (n - yes) - (m - other), "n": n - m}
            found += [
                f"{name} gap {gap:g}: {yes:g}/{n:g} v {other:g}/{m:g} {_}"
                for name, gap in gaps.items()
                if few(gap, minimum)
            ]
    lost = frame.loc[(frame["arm"] != "") & (frame["endpoint"] != "") & frame["n_missing"].notna()]
    for arm, group in lost.groupby("arm"):
        for one, other in itertools.combinations(group["n_missing"].unique(), 2):
            found += [f"missing {one:g} v {other:g} in {arm}"] if few(one - other, minimum) else []
    return found


def later_jobs(frame: pd.DataFrame) -> list[str]:
    """Mean numbers of jobs over equally many people with one: between them lie later jobs of a few."""
    means = frame.loc[(frame["quantity"] == "mean_cumulative_number") & (frame["arm"] != "")]
    found = []
    for keys, group in means.groupby(["arm", "n_event"]):
        levels = group["estimate"].dropna().round(9).unique()
        found += [f"means {sorted(levels)} over {keys}"] if len(levels) > 1 else []
    return found


def flow(frame: pd.DataFrame, trial: Trial, minimum: int) -> list[str]:
    """How many completed, or were seen, beside how many an outcome is known of: the dead between."""
    found = []
    told = frame.loc[frame["setting"].isin(["flow", "assessed"]) & frame["n_event"].notna()]
    for arm in trial.design.arms:
        size = int((trial.arm == arm).sum())
        about = frame.loc[
            (frame["arm"] == arm) & (frame["endpoint"] != "") & ~frame["quantity"].isin(COUNTED)
        ]
        known = {*about["n"].dropna(), *(size - about["n_missing"].dropna())}
        for _, row in told.loc[(told["arm"] == arm) & (told["term"] != "randomised")].iterrows():
            found += [
                f"{row.term} {row.n_event:g} v known {n:g} in {arm}"
                for n in known
                if few(row.n_event - n, minimum)
            ]
    return found


def left_out(frame: pd.DataFrame, trial: Trial, minimum: int) -> list[str]:
    """People left out of a row, from the sizes of the arms."""
    size = {arm: int((trial.arm == arm).sum()) for arm in trial.design.arms}
    everyone = frame["arm"].map(size).where(frame["arm"] != "", sum(size.values())).astype(float)
    gaps = everyone - frame["n"]
    return [
        f"leaves out {gap:g} in {describe_row(frame.loc[at])}"
        for at, gap in gaps.items()
        if few(gap, minimum)
    ]


def numbers_apart(frame: pd.DataFrame, trial: Trial, minimum: int) -> list[str]:
    """Numbers of people of one arm, over all analyses: what lies between two, or beside those lost."""
    found = []
    about = frame.loc[(frame["endpoint"] != "") & ~frame["quantity"].isin(COUNTED)]
    for arm in ("", *trial.design.arms):
        size = int((trial.arm == arm).sum()) if arm else len(trial.participants)
        mine = about.loc[about["arm"] == arm]
        stated = {*mine["n"].dropna(), *(size - mine["n_missing"].dropna())}
        pairs = itertools.combinations(sorted(stated), 2)
        found += [f"n {one:g} v {other:g} in {arm}" for one, other in pairs if few(one - other, minimum)]
    return found


def degrees_apart(frame: pd.DataFrame, minimum: int) -> list[str]:
    """Degrees of freedom count the workers of an arm: what lies between those of two analyses."""
    found = []
    means = frame.loc[(frame["arm"] != "") & frame["df"].notna()]
    for arm, group in means.groupby("arm"):
        pairs = itertools.combinations(group["df"].unique(), 2)
        found += [f"df {one:g} v {other:g} in {arm}" for one, other in pairs if few(one - other, minimum)]
    return found


def solved_degrees(frame: pd.DataFrame) -> list[str]:
    """Means whose degrees of freedom are left out: an interval and a standard error give them back."""
    rows = frame.loc[(frame["method"] == "log_t") & (frame["quantity"] == "mean") & frame["df"].isna()]
    quantile = np.log(rows["conf_high"] / rows["estimate"]) * rows["estimate"] / rows["std_error"]
    return [f"t={value:.6g} in {describe_row(rows.loc[at])}" for at, value in quantile.dropna().items()]


def telling_digits(frame: pd.DataFrame) -> list[str]:
    """Numbers with so many digits that counts can be solved for: losses before an event of a curve."""
    found = []
    free = frame.loc[~frame["quantity"].isin([*COUNTED, "count"]) & (frame["analysis"] != "published")]
    for name in ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"):
        exact = free[name].dropna()
        found += [f"{name}={value!r}" for value in exact if float(f"{value:.4g}") != value]
    curve = free.loc[free["quantity"].isin(["cumulative_incidence", "mean_cumulative_number"])]
    return found + [
        f"{value!r} on a curve" for value in curve["estimate"].dropna() if round(value, 3) != value
    ]


def traced_fractions(frame: pd.DataFrame, trial: Trial, minimum: int) -> list[str]:
    """Proportions without their number of people, that only few numbers of people could have given."""
    found = []
    shares = frame.loc[(frame["quantity"] == "proportion") & frame["n"].isna() & frame["estimate"].notna()]
    for _, row in shares.iterrows():
        size = int((trial.arm == row.arm).sum())
        half = 0.5 * 10.0 ** -len(repr(row.estimate).partition(".")[2]) + 1e-12
        counts = range(size // 2, size + 1)
        near = [n for n in counts if abs(round(row.estimate * n) / n - row.estimate) <= half]
        if near and near[-1] - near[0] < minimum:
            found.append(f"n in {near} of {describe_row(row)}")
    return found


def models_with_hidden_arms(frame: pd.DataFrame, hidden: pd.DataFrame) -> list[str]:
    """Contrasts over all months of one model, beside one of its arms that is hidden."""
    arms = hidden.loc[(hidden["analysis"] == "mixed") & (hidden["arm"] != ""), "endpoint"]
    model = frame.loc[(frame["analysis"] == "mixed") & frame["endpoint"].isin(arms)]
    shown = model.loc[((model["contrast"] != "") & model["time"].isna()) | model["df"].notna()]
    return [describe_row(row) for _, row in shown.iterrows()]


def other_arm(frame: pd.DataFrame, hidden: pd.DataFrame) -> list[str]:
    """Contrasts that are shown although an arm of theirs is hidden: what is known of both gives the arm."""
    contrasts = frame.loc[frame["contrast"] != ""]
    arms = hidden.loc[hidden["arm"] != "", ["analysis", "endpoint", "time", "term", "setting", "arm"]]
    about = [rows.assign(subject=rows["term"].str.split("=").str[0]) for rows in (contrasts, arms)]
    both = about[0].merge(about[1], on=["analysis", "endpoint", "time", "subject"], suffixes=("", "_hidden"))
    # Ways of counting stand apart; a stratum, a model or a test has no arms of its own.
    given_away = [
        setting.startswith((arm.partition(";")[0], "strata"))
        for setting, arm in zip(both["setting"], both["setting_hidden"], strict=True)
    ]
    rows = both.loc[given_away]
    return [f"{describe_row(row)} beside hidden {row.arm_hidden}" for _, row in rows.iterrows()]


def categories(public: PublicResults, minimum: int) -> list[str]:
    """Categories of which the hidden ones add up to a few, the rest and the total being known."""
    frame = public.frame
    rows = frame.loc[frame["quantity"].isin(["count", "percentage"]) & frame["term"].str.contains("=")]
    found = []
    for keys, group in rows.groupby([rows["term"].str.partition("=")[0], "arm", "setting"]):
        shown = group.loc[group["status"] != "suppressed"]
        if len(shown) == len(group) or shown.empty:
            continue
        total = float(shown["n"].iloc[0])
        rest = total - float(shown["n_event"].sum())
        if few(rest, minimum) or len(shown) == len(group) - 1:
            found.append(f"{keys}: hidden add up to {rest:g} in {len(group) - len(shown)}")
    return found


def averages(frame: pd.DataFrame, hidden: pd.DataFrame) -> list[str]:
    """Averages over months of which one month is hidden."""
    months = hidden.loc[(hidden["analysis"] == "mixed") & (hidden["arm"] != ""), "arm"]
    shown = frame.loc[(frame["term"] == "average") & frame["arm"].isin(months)]
    return [describe_row(row) for _, row in shown.iterrows()]


def intrusion(results: Results, trial: Trial, policy: Policy) -> list[str]:
    public = protect(results, policy)
    frame = visible(public)
    hidden = public.frame.loc[public.frame["status"] == "suppressed"]
    minimum = policy.minimum
    return [
        *small_numbers(frame, minimum),
        *differences(frame, minimum),
        *later_jobs(frame),
        *left_out(frame, trial, minimum),
        *numbers_apart(frame, trial, minimum),
        *degrees_apart(frame, minimum),
        *solved_degrees(frame),
        *telling_digits(frame),
        *traced_fractions(frame, trial, minimum),
        *models_with_hidden_arms(frame, hidden),
        *flow(frame, trial, minimum),
        # A difference of means does not give away a number at risk, which is rounded where it is shown.
        *other_arm(frame, hidden.loc[~hidden["quantity"].isin(COUNTED)]),
        *categories(public, minimum),
        *averages(frame, hidden),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_an_intruder_finds_no_few_people(seed: int) -> None:
    trial, found = drawn(seed)
    for minimum in (5, 10):
        assert intrusion(found, trial, Policy(minimum)) == []


@pytest.mark.parametrize(("name", "months"), [("scion", (6, 18, 30)), ("eqolise", (6, 12, 18))])
def test_an_intruder_finds_no_few_people_in_the_bundled_trials(name: str, months: tuple[int, ...]) -> None:
    trial = example(name)
    assert intrusion(everything(trial, months), trial, Policy()) == []


def test_a_model_of_periods_goes_with_a_hidden_arm() -> None:
    """Contrasts without a month, and degrees of freedom, count the workers of the arm that is hidden."""
    found = mixed(example("scion"), endpoints.days_worked(by=[6, 12, 18, 24, 30]))
    public = protect(found)
    hidden = public.frame.loc[public.frame["status"] == "suppressed"]
    assert models_with_hidden_arms(found.frame, hidden)
    assert models_with_hidden_arms(visible(public), hidden) == []


def test_the_intruder_does_find_them_in_results_as_computed() -> None:
    """The attack works: without protection it has plenty to report."""
    trial, found = drawn(1)
    frame = found.frame.astype({"n": "float64", "n_event": "float64", "n_missing": "float64"})
    assert small_numbers(frame, 5)
    assert differences(frame, 5)
    assert later_jobs(frame)
    assert left_out(frame, trial, 5)
    assert flow(frame, trial, 5)
    assert numbers_apart(frame, trial, 5)
    assert telling_digits(frame)
    assert traced_fractions(frame.assign(n=np.nan), trial, 5)
    assert solved_degrees(frame.assign(df=np.nan))


def test_something_useful_is_left_of_a_real_size() -> None:
    """Main rows of the bundled trial at its horizon stay: suppression is no excuse for an empty report."""
    public = protect(everything(example("scion")))
    main = public.main.select(time=30, endpoint="ever_employed", analysis="rates").frame
    assert set(main["status"]) <= {"ok", "warned"}
    curve = public.select(quantity="cumulative_incidence", time_unit="days", term="event").frame
    assert (curve.groupby("arm").size() >= 4).all()
    assert curve.groupby("arm")["time"].max().eq(913).all()
    means = public.select(quantity="mean_cumulative_number", time_unit="days").frame
    assert (means.groupby("arm").size() >= 4).all()
    assert means.groupby("arm")["time"].max().eq(913).all()


def test_suppressed_rows_hold_no_number_in_any_file(tmp_path: Path) -> None:
    trial, found = drawn(4)
    public = protect(found)
    hidden = public.frame.loc[public.frame["status"] == "suppressed"]
    assert len(hidden)
    numbers = [
        "estimate",
        "std_error",
        "statistic",
        "df",
        "p_value",
        "conf_level",
        "conf_low",
        "conf_high",
        "n",
        "n_event",
        "n_missing",
    ]
    assert hidden[numbers].isna().all(axis=None)
    assert set(hidden["note"]) == {"small cell"}
    public.write(tmp_path, formats=("csv", "long"))
    saved = pd.read_csv(tmp_path / "results.csv")
    assert saved.loc[saved["status"] == "suppressed", numbers].isna().all(axis=None)
    long = pd.read_csv(tmp_path / "results_long.csv")
    assert not (long["status"] == "suppressed").any()
    assert not (tmp_path / "sidecar.npz").exists()
    meaning = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert meaning["provenance"]["disclosure"]["suppressed"] == len(hidden)
    ids = trial.participants["participant_id"].tolist()
    for file in tmp_path.iterdir():
        assert names_in(file.read_text(encoding="utf-8"), ids) == []


def test_degrees_of_freedom_go_with_the_share_without_any() -> None:
    people = two_arms(60)
    # By 18 months two fewer of an arm had worked than by 30: the share without any is shown at one horizon.
    jobs = [job(f"P{i:03d}", 3 + i, 99 + i * i) for i in range(24)]
    jobs += [job(f"P{i:03d}", 700, 800) for i in (24, 25, 26, 27)]
    found = amounts(make_trial(people, jobs=jobs), endpoints.days_worked(by=[18, 30]), replicates=100)
    public = protect(found)
    for month, is_shown in ((18, False), (30, True)):
        for arm in ("IPS", "usual"):
            share = public.one(quantity="share_zero", arm=arm, time=month)
            assert (share.status != "suppressed") == is_shown
        for rows in (found, public):
            told = rows.main.select(quantity=["mean", "mean_difference"], time=month).frame
            assert told["estimate"].notna().all()
            assert (told["df"].notna() == (is_shown or rows is found)).all()


def test_notes_that_hold_numbers_stay_inside() -> None:
    for seed in range(4):
        public = protect(drawn(seed)[1])
        rounded = public.frame["note"].str.startswith("rounded to a multiple")
        notes = public.frame.loc[~rounded, "note"]
        assert not notes.str.contains(r"\d").any()


def test_an_empty_cell_is_shown_unless_zeros_are_hidden() -> None:
    people = two_arms(60)
    trial = make_trial(
        people, jobs=[job(f"P{i:03d}", i, 99) for i in range(1, 40, 2)], missing_outcomes="as_not_employed"
    )
    found = rates(trial, endpoints.ever_employed(by=30)) + survival(trial, endpoints.time_to_first_job(30))
    shown = protect(found).main.one(quantity="proportion", arm="usual")
    assert (shown.n_event, shown.status) == (0, "ok")
    strict = protect(found, Policy(zeros="hide"))
    assert strict.main.one(quantity="proportion", arm="usual").status == "suppressed"
    assert strict.main.one(quantity="risk_difference").status == "suppressed"
    frame = strict.frame.loc[(strict.frame["arm"] == "usual") & (strict.frame["status"] != "suppressed")]
    assert not (frame["n_event"] == 0).loc[frame["time"] > 0].any()


def test_few_workers_hide_every_amount_of_their_arm() -> None:
    """The mean of three workers among thirty is their sum over thirty."""
    trial = make_trial(two_arms(60), jobs=[job(f"P{i:03d}", 5, 50 + i) for i in (1, 3, 5, *range(0, 40, 2))])
    public = protect(amounts(trial, endpoints.days_worked(by=30), replicates=100))
    assert set(public.select(arm="IPS").frame["status"]) == {"suppressed"}
    assert set(public.select(contrast="IPS - usual").frame["status"]) == {"suppressed"}
    assert "ok" in set(public.select(arm="usual").frame["status"])


def test_rounding_says_so_and_never_shows_a_few_as_nobody() -> None:
    found = drawn(5)[1]
    public = protect(found, Policy(10))
    rows = public.select(quantity=list(COUNTED)).frame
    exact = found.select(quantity=list(COUNTED)).frame["estimate"]
    is_few = (exact > 0) & (exact < 10)
    assert is_few.any()
    assert (exact == 0).any()
    assert set(rows.loc[is_few, "status"]) == {"suppressed"}
    assert rows.loc[is_few, "estimate"].isna().all()
    assert (rows.loc[~is_few, "estimate"] % 10 == 0).all()
    assert (rows.loc[~is_few & (exact > 0), "estimate"] > 0).all()
    assert set(rows.loc[~is_few, "note"]) == {"rounded to a multiple of 10"}


def test_published_figures_stay_as_they_are() -> None:
    trial = example("scion")
    found = rates(trial, endpoints.ever_employed(by=30)) + published_results("scion")
    before, after = (part.select(analysis="published").frame for part in (found, protect(found)))
    pd.testing.assert_frame_equal(before, after)


def test_the_same_rows_in_the_same_order() -> None:
    found = drawn(6)[1]
    public = protect(found)
    left = found.frame.merge(
        public.frame[
            [
                "analysis",
                "endpoint",
                "term",
                "time",
                "time_unit",
                "quantity",
                "arm",
                "contrast",
                "method",
                "setting",
            ]
        ]
    )
    keys = ["analysis", "quantity", "arm", "contrast", "time"]
    pd.testing.assert_frame_equal(left[keys], public.frame[keys])
    assert len(found) - len(public) == public.provenance["disclosure"]["points_left_out"]


def test_public_results_are_not_protected_less_than_they_are_asked_for() -> None:
    public = protect(rates(example("scion"), endpoints.ever_employed(by=30)))
    assert protect(public) is public
    assert protect(public, Policy(3)) is public
    with pytest.raises(AnalysisError, match=r"looser than .*minimum=10"):
        protect(public, Policy(10))
    with pytest.raises(AnalysisError, match="zeros='show'"):
        protect(public, Policy(zeros="hide"))


@pytest.mark.parametrize("wrong", [0, 4.5, "5", True, 1001])
def test_a_minimum_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(AnalysisError, match="is not a whole number from 1 to 1000 people"):
        Policy(wrong)  # type: ignore[arg-type]


def test_pseudonyms_are_found_as_whole_words() -> None:
    assert names_in("P01, and P012: none", ["P01", "P02", "P012"]) == ["P01", "P012"]
    assert names_in("P0123", ["P012"]) == []
