"""Small trials in which something is missing, extreme or absent, and ways to turn a trial round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ipseval.trial import Trial, Variable
from tests.make_trial import job, make_trial, person

RULE = {"missing_outcomes": "as_not_employed"}


def two_arms(n: int, **more: object) -> list[dict[str, object]]:
    """Return ``n`` people, every other one in the active arm."""
    return [
        person(f"P{i:03d}", arm="IPS" if i % 2 else "usual", site="AB"[i // 2 % 2], **more) for i in range(n)
    ]


def hard_trials() -> Iterator[tuple[str, Trial]]:
    """Yield trials in which much has no answer; an estimator must say so and go on."""
    pair = two_arms(2)
    yield "two people", make_trial(pair, jobs=[job("P001", 3, 30)], **RULE)
    yield "two people without a job", make_trial(pair, jobs=[], **RULE)
    yield "an empty arm", make_trial([person("A"), person("B")], jobs=[job("A", 3, 30)], **RULE)
    twenty = two_arms(20)
    active = [job(f"P{i:03d}", i, 300 + i) for i in range(1, 20, 2)]
    yield "an arm without events", make_trial(twenty, jobs=active, **RULE)
    yield "everybody an event", make_trial(twenty, jobs=[job(f"P{i:03d}", i, 300) for i in range(20)], **RULE)
    at_once = [job(f"P{i:03d}", 0, None) for i in range(20)]
    yield "everybody on day 0", make_trial(twenty, jobs=at_once, **RULE)
    yield "nobody known", make_trial(two_arms(20, until=9, end_reason="lost"), jobs=[], **RULE)
    yield "everybody died", make_trial(two_arms(20, until=9, end_reason="died"), jobs=[], **RULE)
    yield "gone on day 0", make_trial(two_arms(6, until=0, end_reason="withdrawn"), jobs=[], **RULE)


def random_trial(seed: int, n: int | None = None) -> Trial:
    """Return a small trial drawn at random: jobs, deaths, losses, two sites, visits."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(10, 90)) if n is None else n
    people, jobs, visits = [], [], []
    for i in range(n):
        name = f"P{i:03d}"
        reason = str(draw.choice(["completed", "completed", "completed", "lost", "died", "withdrawn"]))
        until = 912 if reason == "completed" else int(draw.integers(1, 912))
        arm = "IPS" if draw.random() < 0.5 else "usual"
        people.append(person(name, until, reason, arm=arm, site=str(draw.choice(["A", "B", "C"]))))
        for _ in range(int(draw.integers(0, 3)) if draw.random() < 0.6 else 0):
            start = int(draw.integers(-60, 900))
            hours = None if draw.random() < 0.03 else 16.0
            jobs.append(job(name, start, start + int(draw.integers(1, 300)), hours_per_week=hours))
        visits += [
            {"participant_id": name, "visit_month": month, "employed": bool(draw.random() < 0.4)}
            for month in (6, 18, 30)
            if until >= 30 * month and draw.random() < 0.9
        ]
    design = {**RULE, "strata": ("site",), "assessment_months": (6, 18, 30)}
    return make_trial(people, jobs=jobs, visits=visits, **design)


def with_scores(trial: Trial, months: tuple[int, ...] = (6, 18, 30)) -> Trial:
    """Return the trial with a quality of life, told by who they are, of everyone followed to a month."""
    rows = []
    for name, days in zip(trial.participants["participant_id"], trial.followed_days, strict=True):
        for month in months:
            told = sum(place * ord(letter) for place, letter in enumerate(str(name))) * (37 + month) % 41
            qol = 3.0 + told / 20 if days >= 30 * month else None
            rows.append({"participant_id": name, "visit_month": month, "qol": qol})
    columns = ["participant_id", "visit_month", "qol"]
    visits = pd.DataFrame(rows, columns=columns).astype(
        {"participant_id": "string", "visit_month": "Int64", "qol": "float64"}
    )
    return replace(
        trial, tables={**trial.tables, "visits": visits}, scores={"qol": Variable("qol", "number")}
    )


def with_reference(trial: Trial, reference: str) -> Trial:
    """Return the trial with another arm first."""
    arms = (reference, *(arm for arm in trial.design.arms if arm != reference))
    people = trial.participants.assign(
        arm=trial.participants["arm"].cat.reorder_categories(list(arms), ordered=True)
    )
    return replace(
        trial, design=replace(trial.design, arms=arms), tables={**trial.tables, "participants": people}
    )


def shuffled(trial: Trial, seed: int = 1) -> Trial:
    """Return the trial with the rows of every table in another order."""
    tables = {
        name: table.sample(frac=1, random_state=seed).reset_index(drop=True)
        for name, table in trial.tables.items()
    }
    return replace(trial, tables=tables)


def doubled(trial: Trial) -> Trial:
    """Return the trial with a twin of every person."""
    tables = {
        name: pd.concat(
            [table, table.assign(participant_id=table["participant_id"] + "b")], ignore_index=True
        )
        for name, table in trial.tables.items()
    }
    return replace(trial, tables=tables)


def relabelled(trial: Trial) -> Trial:
    """Return the trial with its sites called otherwise, in another order."""
    sites = trial.participants["site"].astype(str).map({"S01": "z", "S02": "y", "S03": "x", "S04": "w"})
    people = trial.participants.assign(site=sites.astype("category"))
    return replace(trial, tables={**trial.tables, "participants": people})
