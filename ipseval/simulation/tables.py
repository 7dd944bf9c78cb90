"""Simulated people and what happened to them, as the tables of the data dictionary, in text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import floor

from ipseval.simulation import outcomes
from ipseval.simulation.design import SimulationDesign
from ipseval.simulation.draws import Draws
from ipseval.simulation.outcomes import Spell, decimal_text
from ipseval.simulation.people import Person, enrol

#: One row: a text per column; blank = not known, or does not apply.
Row = dict[str, str]


@dataclass(frozen=True)
class SimulatedTables:
    """The tables of one simulated trial, and what was needed to force its counts.

    Attributes
    ----------
    rows : dict of str to list of Row
        Table name to rows, with every value as it is written in the file.
    factors : dict of str to float
        Per arm, what the hazards of a first job were multiplied by; 1 where nothing was forced.
    """

    rows: dict[str, list[Row]]
    factors: dict[str, float]


def simulated_tables(design: SimulationDesign) -> SimulatedTables:
    """Return the tables of the trial that ``design`` and its seed describe.

    Raises
    ------
    PlanError
        If counts to be forced cannot be met.
    """
    draws = Draws(design.seed)
    people = enrol(design, draws)
    factors = outcomes.forcing_factors(design, draws, people)
    rows: dict[str, list[Row]] = {"participants": [], "jobs": [], "visits": []}
    if design.admissions is not None:
        rows["events"] = []
    for person in people:
        spells = outcomes.spells(design, draws, person, factors[person.arm])
        visits = list(_visits(design, draws, person, spells))
        rows["participants"].append(_participant(design, person, visits[0]))
        rows["jobs"] += _jobs(design, draws, person, spells)
        rows["visits"] += visits
        if design.admissions is not None:
            rows["events"] += _events(design, draws, person)
    return SimulatedTables(rows, factors)


def _date(person: Person, day: int | None) -> str:
    return "" if day is None else (person.randomised_on + timedelta(days=day)).isoformat()


def _participant(design: SimulationDesign, person: Person, baseline: Row) -> Row:
    return {
        "participant_id": person.id,
        "arm": person.arm,
        "site": person.site.name,
        "randomised_on": person.randomised_on.isoformat(),
        "followed_until": _date(person, person.last_day),
        "end_reason": person.end_reason,
        "service_received": "" if person.service_day is None else person.takes_up,
        "service_started_on": _date(person, person.service_day),
        **person.covariates,
        **{f"{score.name}_baseline": baseline[score.name] for score in design.scores},
    }


def _visits(design: SimulationDesign, draws: Draws, person: Person, spells: list[Spell]) -> Iterator[Row]:
    for visit in outcomes.visits(design, draws, person, spells):
        yield {
            "participant_id": person.id,
            "visit_month": str(visit.month),
            "visited_on": _date(person, visit.day),
            "employed": {None: "", True: "true", False: "false"}[visit.employed],
            **visit.scores,
        }


def _jobs(design: SimulationDesign, draws: Draws, person: Person, spells: list[Spell]) -> Iterator[Row]:
    uniforms = draws.stream("job details", person.key)
    rates = design.jobs
    for spell in spells:
        hours, wage, sector, no_hours, no_wage, no_sector = (next(uniforms) for _ in range(6))
        kind = rates.kinds[spell.kind]
        cents = 0
        if kind.wage_per_hour is not None:
            cents = floor(kind.wage_per_hour.value(wage) * person.site.wage * 100 + 0.5)
        quarters = kind.hours_per_week.whole(hours, per_unit=4)
        yield {
            "participant_id": person.id,
            "started_on": _date(person, spell.first_day),
            "ended_on": _date(person, _last_day_recorded(person, spell)),
            "kind": spell.kind,
            "hours_per_week": "" if no_hours < rates.missing_hours else decimal_text(quarters * 25, 2),
            "wage_per_hour": "" if no_wage < rates.missing_wage else decimal_text(cents, 2),
            "sector": "" if no_sector < rates.missing_sector else rates.sectors.code(sector),
            "source": "diary",
        }


def _last_day_recorded(person: Person, spell: Spell) -> int | None:
    """Return the end of a spell as the diary has it: blank if it goes on when the diary stops."""
    if spell.last_day <= person.last_day:
        return spell.last_day
    return person.last_day if person.end_reason == "died" else None


def _events(design: SimulationDesign, draws: Draws, person: Person) -> Iterator[Row]:
    for stay in outcomes.admissions(design, draws, person):
        yield {
            "participant_id": person.id,
            "occurred_on": _date(person, stay.day),
            "kind": "admission",
            "days": str(stay.length),
        }
    if person.end_reason == "died":
        died_on = _date(person, person.last_day)
        yield {"participant_id": person.id, "occurred_on": died_on, "kind": "died", "days": ""}
