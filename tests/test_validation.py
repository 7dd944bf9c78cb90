"""The simulations behind the defaults run, know their truths, and their committed tables hide no miss."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from pytest import approx

FOLDER = Path(__file__).parents[1] / "validation"
MODULES = ("trials", "record", "proportions", "times", "recurrent", "amounts", "adjusted", "mixed")
SCRIPTS = MODULES[2:]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not part of an installed package")


@pytest.fixture(scope="module")
def validation() -> Iterator[dict[str, ModuleType]]:
    """The scripts, which import each other by their plain names as when they are run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS)
def test_twenty_trials_of_150_people_are_mostly_covered(validation, script, monkeypatch):
    monkeypatch.setattr(validation["trials"], "SIZES", (150,))
    monkeypatch.setattr(validation["trials"], "RATES", ((0.25, 0.45),))
    monkeypatch.setattr(validation["amounts"], "PEOPLE_FOR_TRUTH", 20_000)
    monkeypatch.setattr(validation["mixed"], "SIZES", (150,))
    monkeypatch.setattr(validation["mixed"], "SITES", ((4, 0.2),))
    table = pd.DataFrame(list(validation[script].rows(20, seed=1)))
    covered = table.dropna(subset="coverage")
    assert (table["replicates"] == 20).all() and len(covered) >= 4
    assert table.get("bias", pd.Series([0.0])).abs().max() < 2  # of ratios; of the rest far less
    # Of 20 intervals that cover 93%, fewer than 13 hold the truth once in a hundred thousand times.
    assert covered["coverage"].min() >= 13 / 20
    rejected = table.loc[table["is_default"], "rejected"].dropna()
    assert rejected.between(0, 1).all() and rejected.max() > 0.2


def test_arms_have_the_rates_they_are_said_to_have(validation):
    trials, rng = validation["trials"], np.random.default_rng(2)
    scenario = trials.Scenario(100, 0.25, 0.45)
    people = trials.randomised(rng, 1_000, 100)
    hazards = trials.log_hazards(scenario)
    days, cause = trials.observed(trials.courses(rng, people, hazards))
    course = trials.courses(rng, people, hazards)
    found = (course.job < course.death) & (course.job < trials.HORIZON)
    for is_in, rate in ((people.is_active, 0.45), (~people.is_active, 0.25)):
        assert found[is_in].mean() == approx(rate, abs=0.01)  # five standard errors of 50,000 people
    assert (course.drop_out < trials.HORIZON).mean() == approx(0.30, abs=0.01)
    assert days.max() == trials.HORIZON and set(np.unique(cause)) == {0, 1, 2}
    by_site = [people.is_active[people.site == site].mean() for site in range(4)]
    assert by_site == approx([0.5] * 4, abs=0.02)
    assert (
        np.abs(people.is_active.sum(axis=1) - 50) <= 8
    ).all()  # two people per site that blocks leave open


def test_true_means_are_those_of_many_people(validation):
    trials, amounts, rng = validation["trials"], validation["amounts"], np.random.default_rng(3)
    people = trials.randomised(rng, 1_000, 100)
    hazards = trials.log_hazards(trials.Scenario(100, 0.25, 0.45))
    hours = amounts.worked(rng, trials.courses(rng, people, hazards)).parts.sum(axis=-1)[people.is_active]
    assert hours.mean() == approx(amounts.mean_hours(hazards[1]), abs=5 * hours.std() / hours.size**0.5)
    adjusted = validation["adjusted"]
    y = np.concatenate([each.y for each in adjusted.samples(rng, 1_000, trials.Scenario(100, 0.25, 0.25))])
    assert y.mean() == approx(0.25, abs=0.01)


def test_true_times_lost_are_those_of_many_people(validation):
    trials, times, rng = validation["trials"], validation["times"], np.random.default_rng(4)
    scenario = trials.Scenario(100, 0.25, 0.45)
    people = trials.randomised(rng, 1_000, 100)
    course = trials.courses(rng, people, trials.log_hazards(scenario))
    job = np.where(course.job < course.death, np.floor(course.job), np.inf)
    lost = np.maximum(trials.HORIZON - job, 0)
    difference = lost[people.is_active].mean() - lost[~people.is_active].mean()
    error = lost.std() * 2 / lost.size**0.5
    assert difference == approx(times.truths(scenario)["time_lost_difference"], abs=5 * error)


def test_true_means_of_jobs_are_those_of_many_people(validation):
    trials, recurrent, rng = validation["trials"], validation["recurrent"], np.random.default_rng(5)
    scenario = trials.Scenario(400, 0.25, 0.45)
    people = trials.randomised(rng, 150, 400)
    recorded = list(recurrent.started(rng, people, recurrent.log_rates(scenario)))
    truth = recurrent.truths(scenario)
    found = [recurrent.Trial(*row).means for row in zip(recorded, *people, strict=True)]
    means = np.array([[arm.mean[0] for arm in both] for both in found])
    error = means.std(axis=0) / len(means) ** 0.5
    assert (
        np.abs(means.mean(axis=0) - [truth["mean"], truth["mean"] - truth["difference"]]).max()
        < 4 * error.max()
    )


def test_true_repeated_outcomes_are_those_of_many_people(validation):
    mixed, rng = validation["mixed"], np.random.default_rng(6)
    scenario = mixed.Scenario(40_000, 6, 0.2, *mixed.APART)
    site, is_active = mixed.people(rng, scenario)
    y = mixed.employed(rng, scenario, site, is_active)
    # Whoever was never at risk of leaving is seen at the first visit: nobody has left by then.
    gained = [0.10, 0.0]
    for arm, more in zip((True, False), gained, strict=True):
        assert y[is_active == arm, 0].mean() == approx(0.15 + more, abs=0.015)  # five standard errors
    left = np.isnan(y[:, 2]).mean()
    assert left == approx(0.30, abs=0.03) and not np.isnan(y[:, 0]).any()
    score, baseline = mixed.scores(rng, scenario, site, is_active)
    gain = score[is_active, 0].mean() - score[~is_active, 0].mean()
    assert gain == approx(mixed.SCORE_GAIN, abs=0.06) and len(baseline) == len(site)


def layout_of(validation, script):
    return getattr(validation[script], "LAYOUT", validation["record"].BY_RATES)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_miss_of_a_default_is_explained_and_every_explanation_is_of_a_miss(validation, script):
    record, shortfalls = validation["record"], validation[script].SHORTFALLS
    layout = layout_of(validation, script)
    cells = record.beyond(pd.read_csv(FOLDER / "results" / f"{script}.csv"))
    assert record.explained(cells, shortfalls, layout).all()
    missed = {tuple(row) for row in cells[layout.cell].itertuples(index=False)}
    said = {
        (each.quantity, each.method, each.measure, n, *column)
        for each in shortfalls
        for n, column in each.cells
    }
    assert said == missed


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_printed_tables_are_those_of_the_numbers(validation, script):
    table = pd.read_csv(FOLDER / "results" / f"{script}.csv")
    expected = validation["record"].tables(table, script, layout_of(validation, script))
    printed = (FOLDER / "results" / f"{script}.md").read_text(encoding="utf-8")
    assert all(part in printed for part in expected)
