"""The generating truth: by hand, against many simulated people, and in the scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import sqrt

import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.simulation import SimulationDesign, simulated_tables, true_proportion_with_job
from ipseval.simulation.draws import Hazard
from tests.simulation.conftest import Altered

UNFORCED = ("[first_job.force_counts]\nIPS = 31\nusual = 20\n", "")
NOBODY_LEAVES = (
    ("per_month.IPS = [[0, 0.006], [6, 0.005], [18, 0.004]]", "per_month.IPS = [[0, 0]]"),
    ("per_month.usual = [[0, 0.012], [6, 0.009], [18, 0.005]]", "per_month.usual = [[0, 0]]"),
)


def _larger(design: SimulationDesign, times: int) -> SimulationDesign:
    block = design.recruitment.block
    sites = tuple(
        replace(site, n=dict.fromkeys(site.n, times * min(site.n.values()))) for site in design.sites
    )
    return replace(design, sites=sites, recruitment=replace(design.recruitment, block=block))


def _with_job(design: SimulationDesign, horizon: int) -> dict[str, tuple[int, int]]:
    rows = simulated_tables(design).rows
    person = {row["participant_id"]: row for row in rows["participants"]}
    found: dict[str, set[str]] = {arm: set() for arm in design.arms}
    for job in rows["jobs"]:
        who = person[job["participant_id"]]
        start = date.fromisoformat(job["started_on"]) - date.fromisoformat(who["randomised_on"])
        if job["kind"] == "competitive" and 0 <= start.days < horizon:
            found[who["arm"]].add(job["participant_id"])
    return {arm: (len(ids), sum(p["arm"] == arm for p in person.values())) for arm, ids in found.items()}


def test_a_constant_hazard_gives_the_geometric_distribution(altered: Altered) -> None:
    design = altered(UNFORCED)
    plain = replace(
        design,
        sites=tuple(replace(site, first_job=1.0) for site in design.sites),
        frailty=replace(design.frailty, first_job=(1.0,) * 4),
        covariates=(),
        first_job=replace(
            design.first_job, per_month=dict.fromkeys(design.first_job.per_month, Hazard((0,), (0.02,)))
        ),
        leaving=replace(design.leaving, death_per_month=Hazard((0,), (0.0,))),
    )
    assert true_proportion_with_job(plain, "IPS", 30) == approx(1 - 0.98**30, rel=1e-12)


def test_two_kinds_of_people_are_averaged(altered: Altered) -> None:
    design = altered(UNFORCED)
    plain = replace(
        design,
        sites=tuple(replace(site, first_job=1.0) for site in design.sites),
        frailty=replace(design.frailty, first_job=(0.5, 0.5, 2.0, 2.0)),  # 60% and 40% of people
        covariates=(),
        first_job=replace(
            design.first_job, per_month=dict.fromkeys(design.first_job.per_month, Hazard((0,), (0.02,)))
        ),
        leaving=replace(design.leaving, death_per_month=Hazard((0,), (0.0,))),
    )
    expected = 0.6 * (1 - 0.99**18) + 0.4 * (1 - 0.96**18)
    assert true_proportion_with_job(plain, "usual", 18) == approx(expected, rel=1e-12)


def test_a_first_month_of_death_takes_half_a_month_of_jobs(altered: Altered) -> None:
    # Everyone finds a job in the first month and half die in it, days uniform and independent:
    # of 30 days, a job on day d counts for those alive at its start: 1 - 0.5 d / 30 on average.
    design = altered(UNFORCED)
    sudden = replace(
        design,
        sites=tuple(replace(site, first_job=1.0) for site in design.sites),
        frailty=replace(design.frailty, first_job=(1.0,) * 4),
        covariates=(),
        first_job=replace(
            design.first_job, per_month=dict.fromkeys(design.first_job.per_month, Hazard((0,), (1.0,)))
        ),
        leaving=replace(design.leaving, death_per_month=Hazard((0,), (0.5,))),
    )
    expected = sum(1 - 0.5 * day / 30 for day in range(30)) / 30
    assert true_proportion_with_job(sudden, "IPS", 1) == approx(expected, rel=1e-12)


def test_without_forcing_the_counts_follow_the_truth(altered: Altered) -> None:
    design = _larger(altered(UNFORCED, *NOBODY_LEAVES), 10)
    # 32 days before the planned end everyone alive is still followed: no assessment is that early.
    for month, horizon in ((18, 547), (28, 852)):
        for arm, (count, n) in _with_job(design, horizon).items():
            truth = true_proportion_with_job(design, arm, month)
            # Four standard errors of a proportion: the chance of a false alarm is below 1 in 4000.
            assert abs(count / n - truth) < 4 * sqrt(truth * (1 - truth) / n)


def test_seeds_scatter_about_the_truth_when_nothing_is_forced(altered: Altered) -> None:
    design = altered(UNFORCED, *NOBODY_LEAVES)
    counts = [_with_job(replace(design, seed=seed), 852)["IPS"][0] for seed in range(15)]
    truth = true_proportion_with_job(design, "IPS", 28)
    assert len(set(counts)) > 4
    assert abs(sum(counts) / 15 - 70 * truth) < 4 * sqrt(70 * truth * (1 - truth) / 15)


def test_working_on_the_day_raises_the_score_by_what_the_design_says(altered: Altered) -> None:
    wide = ("low = 1\nhigh = 7", "low = -100\nhigh = 100")
    effect = ("working_effect = 0.30", "working_effect = 50")
    plain = simulated_tables(altered(wide)).rows["visits"]
    raised = simulated_tables(altered(wide, effect)).rows["visits"]
    seen = 0
    for before, after in zip(plain, raised, strict=True):
        if before["qol"] and before["employed"]:
            shift = 49.7 if before["employed"] == "true" else 0.0
            assert float(after["qol"]) - float(before["qol"]) == approx(shift, abs=0.1001)
            seen += before["employed"] == "true"
    assert seen > 20


@pytest.mark.parametrize(("arm", "month"), [("TAU", 18), ("IPS", 31), ("IPS", 0)])
def test_an_arm_or_month_that_the_design_lacks_is_refused(altered: Altered, arm: str, month: int) -> None:
    with pytest.raises(AnalysisError, match="is not an option"):
        true_proportion_with_job(altered(), arm, month)
