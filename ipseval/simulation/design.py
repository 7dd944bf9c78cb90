"""The design of a simulated trial: who takes part, what happens to them, what goes missing.

Each class is a section of a design file; ``ipseval.simulation.design_file`` reads them, and the
comments of ``data/synthetic/scion/design.toml`` say what every key means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ipseval.simulation.draws import Hazard, Quantiles, Weights


@dataclass(frozen=True)
class Site:
    """A centre: how many it randomises to each arm, and its multipliers of job finding and wages."""

    name: str
    n: Mapping[str, int]
    first_job: float
    wage: float


@dataclass(frozen=True)
class Recruitment:
    """When people are randomised, and the size of the permuted blocks within a site."""

    starts_on: date
    ends_on: date
    block: int


@dataclass(frozen=True)
class Frailty:
    """Unseen classes of people, with a multiplier (or shift, for scores) for each class.

    What one person has in common across outcomes comes from the class: who finds a job sooner
    also keeps it longer, stays in the study and scores higher, to the extent written here.
    """

    weights: Weights
    first_job: tuple[float, ...]
    tenure: tuple[float, ...]
    leaving: tuple[float, ...]
    admissions: tuple[float, ...]


@dataclass(frozen=True)
class Covariate:
    """A baseline covariate; ``first_job`` multiplies job finding for the codes it names."""

    name: str
    type: str
    label: str
    unit: str
    labels: Mapping[str, str]
    quantiles: Quantiles | None
    codes: Weights | None
    first_job: Mapping[str, float]
    missing: float


@dataclass(frozen=True)
class Service:
    """Which service people of each arm truly take up ("none" for no service), and when it starts."""

    received: Mapping[str, Weights]
    started_after_days: Quantiles


@dataclass(frozen=True)
class FirstJob:
    """The hazard of a first new competitive job per service, and counts to be forced, if any."""

    per_month: Mapping[str, Hazard]
    force_counts: Mapping[str, int]


@dataclass(frozen=True)
class JobKind:
    """Hours and wage of one kind of job; no wage table = unpaid, written as 0.00."""

    hours_per_week: Quantiles
    wage_per_hour: Quantiles | None


@dataclass(frozen=True)
class Jobs:
    """What spells of work look like once they have begun."""

    kinds: Mapping[str, JobKind]
    sectors: Weights
    tenure_days: Mapping[str, Quantiles]
    gap_days: Quantiles
    second_job: float
    under_way: Weights
    under_way_since_days: Quantiles
    under_way_remaining_days: Quantiles
    other_per_month: Mapping[str, Hazard]
    other_kinds: Weights
    other_tenure_days: Quantiles
    missing_hours: float
    missing_wage: float
    missing_sector: float


@dataclass(frozen=True)
class Leaving:
    """Leaving the study: the hazard and the reasons per arm; and death, alike in every arm."""

    per_month: Mapping[str, Hazard]
    reasons: Mapping[str, Weights]
    death_per_month: Hazard


@dataclass(frozen=True)
class Visits:
    """Assessments: how late they are, how often one is missed or only partly done."""

    late_days: Quantiles
    missed: float
    missing_employed: float
    missing_scores: float


@dataclass(frozen=True)
class Score:
    """A scale score: person, unseen class, month, arm and work on the day add up; then noise."""

    name: str
    label: str
    higher_is: str
    low: float
    high: float
    decimals: int
    step: int
    person: Quantiles
    frailty: tuple[float, ...]
    change: Mapping[int, float]
    arm_effect: Mapping[str, float]
    working_effect: float
    noise: Quantiles


@dataclass(frozen=True)
class Admissions:
    """Hospital admissions: the hazard per arm and the length of stay."""

    per_month: Mapping[str, Hazard]
    days: Quantiles


@dataclass(frozen=True)
class Card:
    """What the card says beyond the numbers of the design."""

    about: str
    matched: tuple[str, ...]
    source: str
    unverified: str


@dataclass(frozen=True)
class SimulationDesign:
    """The whole design of a simulated trial.

    Attributes
    ----------
    arms : mapping of str to str
        The arms in the order of the file, with their labels.
    months : tuple of int
        Planned assessments after baseline; the last one ends follow-up.
    first_job : FirstJob
        With ``force_counts`` the number of people with a new competitive job before the horizon
        and within follow-up is exactly as stated; without, it follows the hazards.
    """

    seed: int
    name: str
    title: str
    currency: str
    id_prefix: str
    arms: Mapping[str, str]
    reference: str
    months: tuple[int, ...]
    tolerance_days: int
    missing_outcomes: str
    data_cut: date
    sites: tuple[Site, ...]
    recruitment: Recruitment
    frailty: Frailty
    covariates: tuple[Covariate, ...]
    service: Service
    first_job: FirstJob
    jobs: Jobs
    leaving: Leaving
    visits: Visits
    scores: tuple[Score, ...]
    admissions: Admissions | None
    card: Card

    @property
    def follow_up_months(self) -> int:
        """Planned follow-up, which ends with the last assessment."""
        return self.months[-1]

    def n(self, arm: str) -> int:
        """People randomised to ``arm``."""
        return sum(site.n[arm] for site in self.sites)
