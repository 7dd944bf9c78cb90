"""The people of a simulated trial before any outcome: enrolment, background, service, follow-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import floor

import numpy as np

from ipseval.months import anniversary
from ipseval.simulation.design import Covariate, SimulationDesign, Site
from ipseval.simulation.draws import Draws, position, shuffled


@dataclass(frozen=True)
class Person:
    """Someone randomised: who they are, what they receive, and until when they are followed.

    ``key`` identifies the person's random streams. ``covariates`` holds true codes, blank where
    the file has no value; ``first_job`` is the product of the person's multipliers of job finding.
    Days count from randomisation; ``visit_days`` are when assessments fall due, baseline first.
    ``takes_up`` is the service that works on the person, "none" for none; ``service_day`` is None
    for none, and where follow-up ended before it began.
    """

    id: str
    key: int
    site: Site
    arm: str
    randomised_on: date
    frailty: int
    covariates: dict[str, str]
    first_job: float
    takes_up: str
    service_day: int | None
    visit_days: tuple[int, ...]
    last_day: int
    end_reason: str


@dataclass(frozen=True)
class _Enrolment:
    key: int
    site: Site
    arm: str
    randomised_on: date


def enrol(design: SimulationDesign, draws: Draws) -> list[Person]:
    """Return everyone randomised, in order of randomisation."""
    enrolments = [
        enrolment
        for number, site in enumerate(design.sites)
        for enrolment in _at_site(design, draws, number, site)
    ]
    enrolments.sort(key=lambda person: (person.randomised_on, person.key))
    width = max(3, len(str(len(enrolments))))
    return [
        _person(design, draws, enrolment, f"{design.id_prefix}{rank:0{width}d}")
        for rank, enrolment in enumerate(enrolments, start=1)
    ]


def _at_site(design: SimulationDesign, draws: Draws, number: int, site: Site) -> list[_Enrolment]:
    arms = _allocation(site.n, design.recruitment.block, draws.stream("allocation", number))
    uniforms = draws.stream("recruitment", number)
    days = sorted(_weekday(design, next(uniforms)) for _ in arms)
    first_key = 1_000_000 * number
    return [
        _Enrolment(first_key + i, site, arm, day) for i, (arm, day) in enumerate(zip(arms, days, strict=True))
    ]


def _weekday(design: SimulationDesign, uniform: float) -> date:
    """Return a day of the recruitment period; what falls in a weekend moves to the Friday before."""
    starts, ends = design.recruitment.starts_on, design.recruitment.ends_on
    day = starts + timedelta(days=floor(uniform * ((ends - starts).days + 1)))
    return max(starts, day - timedelta(days=max(0, day.weekday() - 4)))


def _allocation(counts: Mapping[str, int], block: int, uniforms: Iterator[float]) -> list[str]:
    """Return arms in permuted blocks that add up to ``counts``; the last block is cut short."""
    per_block = block // len(counts)
    left, order = dict(counts), list[str]()
    while any(left.values()):
        size = {arm: per_block if min(left.values()) >= per_block else n for arm, n in left.items()}
        order += shuffled([arm for arm, n in size.items() for _ in range(n)], uniforms)
        left = {arm: n - size[arm] for arm, n in left.items()}
    return order


def _person(design: SimulationDesign, draws: Draws, enrolment: _Enrolment, name: str) -> Person:
    key, arm = enrolment.key, enrolment.arm
    frailty = position(design.frailty.weights.weights, next(draws.stream("frailty", key)))
    multiplier = enrolment.site.first_job * design.frailty.first_job[frailty]
    covariates = {}
    for covariate in design.covariates:
        uniforms = draws.stream(f"covariate {covariate.name}", key)
        code = _covariate(covariate, next(uniforms))
        multiplier *= covariate.first_job.get(code, 1.0)
        covariates[covariate.name] = "" if next(uniforms) < covariate.missing else code
    visit_days = _visit_days(design, draws, enrolment)
    last_day, reason = _end(design, draws, enrolment, frailty, visit_days[-1])
    takes_up, service_day = _service(design, draws, enrolment, last_day)
    return Person(
        id=name,
        key=key,
        site=enrolment.site,
        arm=arm,
        randomised_on=enrolment.randomised_on,
        frailty=frailty,
        covariates=covariates,
        first_job=multiplier,
        takes_up=takes_up,
        service_day=service_day,
        visit_days=visit_days,
        last_day=last_day,
        end_reason=reason,
    )


def _covariate(covariate: Covariate, uniform: float) -> str:
    if covariate.codes is not None:
        return covariate.codes.code(uniform)
    assert covariate.quantiles is not None  # a number has quantiles: the design file is checked
    return str(covariate.quantiles.whole(uniform))


def _service(
    design: SimulationDesign, draws: Draws, enrolment: _Enrolment, last_day: int
) -> tuple[str, int | None]:
    uniforms = draws.stream("service", enrolment.key)
    takes_up = design.service.received[enrolment.arm].code(next(uniforms))
    day = design.service.started_after_days.whole(next(uniforms))
    return takes_up, day if takes_up != "none" and day <= last_day else None


def _visit_days(design: SimulationDesign, draws: Draws, enrolment: _Enrolment) -> tuple[int, ...]:
    """Return the days on which assessments fall due: at the anniversary, give or take some days."""
    start = np.datetime64(enrolment.randomised_on)
    planned = (anniversary(start, design.months) - start).astype(int).tolist()
    last = (design.data_cut - enrolment.randomised_on).days
    uniforms = draws.stream("visit dates", enrolment.key)
    return (0, *(min(day + design.visits.late_days.whole(next(uniforms)), last) for day in planned))


def _end(
    design: SimulationDesign, draws: Draws, enrolment: _Enrolment, frailty: int, planned: int
) -> tuple[int, str]:
    """Return the last day followed and why it is the last: completed, left, or died."""
    months = design.follow_up_months + 2
    uniforms = draws.stream("leaving", enrolment.key)
    hazard = design.leaving.per_month[enrolment.arm]
    left = hazard.day(next(uniforms), months, design.frailty.leaving[frailty])
    reason = design.leaving.reasons[enrolment.arm].code(next(uniforms))
    died = design.leaving.death_per_month.day(next(draws.stream("death", enrolment.key)), months)
    ends = [
        (planned, "completed"),
        *((day, why) for day, why in ((left, reason), (died, "died")) if day is not None),
    ]
    return min(ends, key=lambda end: end[0])
