"""What happens to the people of a simulated trial: jobs, assessments, admissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor

from ipseval.errors import PlanError
from ipseval.simulation.design import Score, SimulationDesign
from ipseval.simulation.draws import Draws, month_start
from ipseval.simulation.people import Person

#: A hazard is multiplied by a whole number of these when a count is forced.
_FACTOR_UNIT = 1_000_000


@dataclass(frozen=True)
class Spell:
    """A spell of work as it truly is, in study days; the file shows what was followed of it."""

    first_day: int
    last_day: int
    kind: str


@dataclass(frozen=True)
class Visit:
    """An assessment; ``day`` None = missed, ``employed`` None and blank scores = not known."""

    month: int
    day: int | None
    employed: bool | None
    scores: Mapping[str, str]


@dataclass(frozen=True)
class Admission:
    """A stay in hospital that begins on ``day``."""

    day: int
    length: int


def horizon_day(design: SimulationDesign) -> int:
    """Return the day before which a first job counts as within planned follow-up."""
    return month_start(design.follow_up_months)


def _first_job_uniform(draws: Draws, person: Person) -> float:
    return next(draws.stream("first job", person.key))


def _first_job_day(design: SimulationDesign, person: Person, uniform: float, factor: float) -> int | None:
    """Return the day on which the person's first new competitive job starts, followed or not."""
    hazard = design.first_job.per_month[person.takes_up]
    return hazard.day(uniform, design.follow_up_months + 2, person.first_job * factor)


def forcing_factors(design: SimulationDesign, draws: Draws, people: list[Person]) -> dict[str, float]:
    """Return for each arm the factor on its hazards that gives exactly the counts to be forced.

    The number of people with a new job before the horizon and within follow-up never falls when
    hazards rise, so that the smallest factor that reaches the count is found by halving. Without
    ``force_counts`` every factor is 1.

    Raises
    ------
    PlanError
        If no factor gives the count: too few people are followed, or two find a job at once.
    """
    factors = dict.fromkeys(design.arms, 1.0)
    for arm, target in design.first_job.force_counts.items():
        group = [(person, _first_job_uniform(draws, person)) for person in people if person.arm == arm]
        low, high = 0, 1000 * _FACTOR_UNIT
        while high - low > 1:
            middle = (low + high) // 2
            reached = _n_with_job(design, group, middle / _FACTOR_UNIT) >= target
            low, high = (low, middle) if reached else (middle, high)
        factors[arm] = high / _FACTOR_UNIT
        found = _n_with_job(design, group, factors[arm])
        if found != target:
            raise PlanError(
                f"first_job.force_counts.{arm} = {target} cannot be met with this seed: the nearest count "
                f"is {found} of {len(group)}. Change the seed, the count, or first_job.per_month."
            )
    return factors


def _n_with_job(design: SimulationDesign, people: list[tuple[Person, float]], factor: float) -> int:
    horizon = horizon_day(design)
    days = ((person, _first_job_day(design, person, uniform, factor)) for person, uniform in people)
    return sum(day is not None and day < horizon and day <= person.last_day for person, day in days)


def spells(design: SimulationDesign, draws: Draws, person: Person, factor: float) -> list[Spell]:
    """Return the person's spells of work that begin within follow-up, in order."""
    first_day = _first_job_day(design, person, _first_job_uniform(draws, person), factor)
    found = [
        *_under_way(design, draws, person),
        *_competitive(design, draws, person, first_day),
        *_other(design, draws, person),
    ]
    kept = [spell for spell in found if spell.first_day <= person.last_day]
    return sorted(kept, key=lambda spell: (spell.first_day, spell.last_day, spell.kind))


def _under_way(design: SimulationDesign, draws: Draws, person: Person) -> Iterator[Spell]:
    uniforms = draws.stream("jobs under way", person.key)
    kind = design.jobs.under_way.code(next(uniforms))
    since = design.jobs.under_way_since_days.whole(next(uniforms))
    until = design.jobs.under_way_remaining_days.whole(next(uniforms))
    if kind != "none":
        yield Spell(-since, until, kind)


def _competitive(
    design: SimulationDesign, draws: Draws, person: Person, first_day: int | None
) -> Iterator[Spell]:
    """Yield new competitive jobs one after another, now and then two at a time."""
    tenure = design.jobs.tenure_days[person.arm]
    longer = design.frailty.tenure[person.frailty]
    uniforms = draws.stream("competitive jobs", person.key)
    while first_day is not None and first_day <= person.last_day:
        length = max(1, floor(tenure.value(next(uniforms)) * longer + 0.5))
        yield Spell(first_day, first_day + length - 1, "competitive")
        second, start, days = (next(uniforms) for _ in range(3))
        if second < design.jobs.second_job:
            begins = first_day + floor(start * length)
            yield Spell(begins, begins + max(1, tenure.whole(days)) - 1, "competitive")
        first_day += length + design.jobs.gap_days.whole(next(uniforms))


def _other(design: SimulationDesign, draws: Draws, person: Person) -> Iterator[Spell]:
    """Yield new spells of other work: sheltered, voluntary, training and so on."""
    hazard = design.jobs.other_per_month[person.arm]
    uniforms = draws.stream("other work", person.key)
    free_from = 0
    while free_from <= person.last_day:
        wait = hazard.day(next(uniforms), design.follow_up_months + 2)
        if wait is None:
            return
        first_day = free_from + wait
        length = max(1, design.jobs.other_tenure_days.whole(next(uniforms)))
        yield Spell(first_day, first_day + length - 1, design.jobs.other_kinds.code(next(uniforms)))
        free_from = first_day + length


def visits(design: SimulationDesign, draws: Draws, person: Person, jobs: list[Spell]) -> list[Visit]:
    """Return the assessments that fell due within follow-up, baseline first."""
    scales = [(score, draws.stream(f"score {score.name}", person.key)) for score in design.scores]
    levels = {score.name: score.person.value(next(uniforms)) for score, uniforms in scales}
    gaps = draws.stream("missing", person.key)
    found = []
    for month, day in zip((0, *design.months), person.visit_days, strict=True):
        if day > person.last_day:
            break
        working = any(job.kind == "competitive" and job.first_day <= day <= job.last_day for job in jobs)
        scores = {
            score.name: _score(
                score, person, levels[score.name] + score.noise.value(next(uniforms)), month, working
            )
            for score, uniforms in scales
        }
        found.append(_recorded(design, Visit(month, day, working, scores), gaps))
    return found


def _recorded(design: SimulationDesign, visit: Visit, uniforms: Iterator[float]) -> Visit:
    """Return what was recorded of an assessment; nobody misses baseline."""
    missed, no_status, no_scores = (next(uniforms) for _ in range(3))
    rates = design.visits
    nothing = dict.fromkeys(visit.scores, "")
    if visit.month > 0 and missed < rates.missed:
        return Visit(visit.month, None, None, nothing)
    employed = None if visit.month > 0 and no_status < rates.missing_employed else visit.employed
    scores = nothing if no_scores < rates.missing_scores else visit.scores
    return Visit(visit.month, visit.day, employed, scores)


def _score(score: Score, person: Person, level: float, month: int, working: bool) -> str:
    """Add to a person's own level what the design adds, and write it within the limits of the scale."""
    level += score.frailty[person.frailty] + (score.working_effect if working else 0.0)
    if month > 0:
        level += score.change[month] + score.arm_effect[person.arm]
    unit = 10**score.decimals
    limited = min(max(level, score.low), score.high)
    return decimal_text(floor(limited * unit / score.step + 0.5) * score.step, score.decimals)


def admissions(design: SimulationDesign, draws: Draws, person: Person) -> list[Admission]:
    """Return the person's stays in hospital that begin within follow-up."""
    if design.admissions is None:
        return []
    hazard = design.admissions.per_month[person.arm]
    multiplier = design.frailty.admissions[person.frailty]
    uniforms = draws.stream("admissions", person.key)
    found: list[Admission] = []
    home_from = 0
    while True:
        wait = hazard.day(next(uniforms), design.follow_up_months + 2, multiplier)
        if wait is None or home_from + wait > person.last_day:
            return found
        length = max(1, design.admissions.days.whole(next(uniforms)))
        if person.end_reason == "died":
            length = min(length, person.last_day - home_from - wait + 1)
        found.append(Admission(home_from + wait, length))
        home_from += wait + length


def decimal_text(steps: int, decimals: int) -> str:
    """Return ``steps`` times 10 to the minus ``decimals`` as text, digit by digit."""
    if not decimals:
        return str(steps)
    whole, rest = divmod(abs(steps), 10**decimals)
    return f"{'-' if steps < 0 else ''}{whole}.{rest:0{decimals}d}"
