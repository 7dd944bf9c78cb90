"""The card of a simulated trial: what was matched, what was true, what is invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ipseval.simulation.design import Score, SimulationDesign
from ipseval.simulation.draws import Hazard
from ipseval.simulation.tables import SimulatedTables
from ipseval.simulation.truth import true_proportion_with_job

_FILES = {
    "participants": "person randomised, with covariates and baseline scores",
    "jobs": "spell of work, as a diary would have it",
    "visits": "assessment that fell due within follow-up; blank date = missed",
    "events": "hospital admission, or death",
}


def card(design: SimulationDesign, simulated: SimulatedTables) -> str:
    """Return the card (Markdown) that lies beside the data."""
    parts = [
        f"# {design.title}",
        "**SIMULATED. Nobody in these files exists, and no line of them is trial data.** "
        + design.card.about,
        _matched(design),
        _truth(design, simulated),
        _invented(design),
        _files(design, simulated),
    ]
    return "\n\n".join(parts) + "\n"


def _matched(design: SimulationDesign) -> str:
    lines = "\n".join(f"- {item}" for item in design.card.matched)
    forced = ""
    if design.first_job.force_counts:
        counts = " and ".join(
            f"{count} of {design.n(arm)} ({arm})" for arm, count in design.first_job.force_counts.items()
        )
        forced = (
            f"\n\nThe counts are **forced to match**: {counts} have a new competitive job that starts before "
            f"day floor(30.4375 x {design.follow_up_months}) and within their own follow-up, counted over "
            f"everyone randomised. A forced count has no sampling error, so that these data are **never used "
            f"to judge coverage** or type I error; leave `force_counts` out of a design for that."
        )
    return (
        f"## Matched to a publication\n\n{lines}\n\nSource: {design.card.source}\n\n"
        f"Not verified: {design.card.unverified}{forced}"
    )


def _truth(design: SimulationDesign, simulated: SimulatedTables) -> str:
    rows = [
        [arm, *(f"{100 * true_proportion_with_job(design, arm, month):.1f}%" for month in design.months)]
        for arm in design.arms
    ]
    parts = [
        "## The generating truth",
        "A first new competitive job comes with a monthly hazard that depends on the service that a "
        "person takes up, multiplied for the site, covariates and an unseen class of people "
        "(proportional hazards, no interactions). The design alone, by enumeration, without loss to "
        "follow-up and before any forcing, gives these proportions with a new job:",
        _table(["arm", *(f"within {month} months" for month in design.months)], rows),
        _forcing(design, simulated),
        _table(
            ["service taken up", "hazard of a first job per month"],
            [[service, _steps(hazard)] for service, hazard in design.first_job.per_month.items()],
        ),
        _table(["arm", "service taken up (weights)"], _received(design)),
        _table(["multiplies", "by"], _multipliers(design)),
        "Leaving the study depends on arm and unseen class; death on neither:",
        _table(
            ["what", "per month"],
            [
                *([f"leaving, {arm}", _steps(hazard)] for arm, hazard in design.leaving.per_month.items()),
                ["death", _steps(design.leaving.death_per_month)],
                *_admissions(design),
            ],
        ),
    ]
    if design.scores:
        parts += [
            "Scores add a person's own level, the unseen class, the month, the arm, and work in a "
            "competitive job on the day; then noise, limits and rounding:",
            _table(
                ["score", "working on the day", "arm", "month", "unseen class"], map(_score, design.scores)
            ),
        ]
    return "\n\n".join(parts)


def _forcing(design: SimulationDesign, simulated: SimulatedTables) -> str:
    if not design.first_job.force_counts:
        return "No count was forced: the data follow this truth, with sampling error."
    factors = " and ".join(f"{factor:.4f} ({arm})" for arm, factor in simulated.factors.items())
    return (
        f"To force the counts every hazard below was multiplied by {factors}: the smallest factors, in "
        f"steps of one millionth, that give them."
    )


def _invented(design: SimulationDesign) -> str:
    return (
        "## Invented\n\nEverything else: sites' sizes and effects, dates, covariates, services, jobs before "
        "and after the first, hours, wages, scores, drop-out, deaths and all gaps in the records. No figure "
        "but those listed as matched should be compared with the publication.\n\n"
        f"## Made by\n\n`ipseval simulate data/synthetic/{design.name}/design.toml --out DIR` "
        f"(seed {design.seed}) writes the same bytes again. Licence: CC0 1.0."
    )


def _files(design: SimulationDesign, simulated: SimulatedTables) -> str:
    rows = [[f"`{name}.csv`", _FILES[name], str(len(found))] for name, found in simulated.rows.items()]
    rows += [
        ["`trial.toml`", "the mapping that `ips.load` reads", ""],
        ["`design.toml`", "the design that made all this, with comments", ""],
    ]
    return "## Files\n\n" + _table(["file", "one row per", "rows"], rows)


def _received(design: SimulationDesign) -> list[list[str]]:
    return [
        [arm, ", ".join(f"{c} {w}" for c, w in zip(received.codes, received.weights, strict=True))]
        for arm, received in design.service.received.items()
    ]


def _multipliers(design: SimulationDesign) -> list[list[str]]:
    rows = [[f"hazard of a first job, {site.name}", f"{site.first_job:g}"] for site in design.sites]
    for covariate in design.covariates:
        if covariate.first_job:
            rows.append([f"hazard of a first job, {covariate.name}", _pairs(covariate.first_job)])
    frailty, codes = design.frailty, design.frailty.weights.codes
    shares = ", ".join(f"{code} {frailty.weights.share(code):.0%}" for code in codes)
    rows.append([f"hazard of a first job, unseen class ({shares})", _classes(codes, frailty.first_job)])
    rows.append(["length of a competitive job, unseen class", _classes(codes, frailty.tenure)])
    rows.append(["hazard of leaving, unseen class", _classes(codes, frailty.leaving)])
    if design.admissions is not None:
        rows.append(["hazard of an admission, unseen class", _classes(codes, frailty.admissions)])
    return rows


def _admissions(design: SimulationDesign) -> list[list[str]]:
    if design.admissions is None:
        return []
    return [[f"admission, {arm}", _steps(hazard)] for arm, hazard in design.admissions.per_month.items()]


def _score(score: Score) -> list[str]:
    months = {str(month): change for month, change in score.change.items()}
    unseen = ", ".join(f"{shift:+g}" for shift in score.frailty)
    return [score.name, f"{score.working_effect:+g}", _pairs(score.arm_effect), _pairs(months), unseen]


def _classes(codes: tuple[str, ...], values: tuple[float, ...]) -> str:
    return _pairs(dict(zip(codes, values, strict=True)))


def _pairs(values: Mapping[str, float]) -> str:
    return ", ".join(f"{key}: {value:g}" for key, value in values.items())


def _steps(hazard: Hazard) -> str:
    pairs = zip(hazard.months, hazard.levels, strict=True)
    return ", ".join(f"{level:g} from month {month}" for month, level in pairs)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
