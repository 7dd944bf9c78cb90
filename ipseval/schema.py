"""The data dictionary, as data: which tables a trial has, which columns, in which units and codes.

Loading checks against it, the documentation page is generated from it, and the synthetic trials
are written in it. Participants are required; outcomes come from ``jobs``, ``visits`` or ``months``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Kind = Literal["id", "text", "category", "date", "month", "integer", "number", "boolean"]

JOB_KINDS = (
    "competitive",
    "self_employed",
    "subsidised",
    "sheltered",
    "voluntary",
    "training",
    "education",
)
END_REASONS = (
    "completed",
    "withdrawn",
    "consent_withdrawn",
    "lost",
    "emigrated",
    "died",
    "other",
)
PHASES = ("intake", "placement", "coaching", "adaptation")


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, its unit, and what is allowed in it.

    ``low`` and ``high`` are limits of what is possible, inclusive; a value outside is an error.
    ``codes`` is the closed list of a category; an empty tuple leaves the list to the trial.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    codes: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, and the columns that identify a row.

    ``declared`` names the section of ``trial.toml`` that adds columns of the trial's own
    (covariates of participants, scores of visits); an empty text means the columns are closed.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    declared: str = ""

    def column(self, name: str) -> Column:
        """Return the column called ``name``; a KeyError says that there is none."""
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)


_PERSON = Column("participant_id", "id", "Pseudonym of the person; text: 001 is not 1.", required=True)
_SITE = Column("site", "category", "Centre at which the person was randomised.")
_ITEMS = tuple(
    Column(f"item_{number}", "integer", f"Item {number}; blank = not rated.", "points", low=1, high=5)
    for number in range(1, 26)
)

TABLES: tuple[Table, ...] = (
    Table(
        "participants",
        "person randomised",
        (
            _PERSON,
            Column("arm", "category", "Arm to which the person was randomised.", required=True),
            _SITE,
            Column("coach", "category", "Job coach or employment specialist of the person."),
            Column("randomised_on", "date", "Date of randomisation; study day 0.", required=True),
            Column(
                "followed_until",
                "date",
                "Last day on which the outcome was followed, inclusive; the day of death for the dead.",
                required=True,
            ),
            Column("end_reason", "category", "Why follow-up ended on that day.", codes=END_REASONS),
            Column("service_received", "category", "Service truly received, if any."),
            Column("service_started_on", "date", "First contact with that service."),
        ),
        ("participant_id",),
        declared="covariates",
    ),
    Table(
        "jobs",
        "spell of work or education",
        (
            _PERSON,
            Column("started_on", "date", "First day of the spell, inclusive.", required=True),
            Column("ended_on", "date", "Last day of the spell, inclusive; blank = still going."),
            Column("kind", "category", "What sort of spell it is.", required=True, codes=JOB_KINDS),
            Column("hours_per_week", "number", "Contracted or usual hours.", "hours/week", low=0, high=100),
            Column("wage_per_hour", "number", "Gross wage.", "currency/hour", low=0),
            Column("sector", "category", "Branch of industry."),
            Column("source", "category", "Where the spell was recorded (diary, interview, register)."),
        ),
        (),
    ),
    Table(
        "visits",
        "person and planned assessment",
        (
            _PERSON,
            Column(
                "visit_month",
                "integer",
                "Planned month; 0 = baseline.",
                "months",
                True,
                low=0,
            ),
            Column("visited_on", "date", "Day on which it took place; blank = it did not."),
            Column("employed", "boolean", "In a competitive job on that day; blank = not known."),
        ),
        ("participant_id", "visit_month"),
        declared="scores",
    ),
    Table(
        "months",
        "person, calendar month and source (registers)",
        (
            _PERSON,
            Column("month", "month", "Calendar month, written YYYY-MM.", required=True),
            Column("source", "category", "Register the record comes from.", required=True),
            Column("days_worked", "number", "Days worked.", "days", low=0, high=31),
            Column("hours_worked", "number", "Hours worked.", "hours", low=0, high=744),
            Column("earnings", "number", "Gross earnings.", "currency"),
            Column("benefit_days", "number", "Days for which a benefit was paid.", "days", low=0, high=31),
            Column("benefit_amount", "number", "Benefit paid; negative = recovered.", "currency"),
            Column("on_claim", "boolean", "Recognised as work-disabled in that month."),
            Column("partial_resumption", "boolean", "Working with permission while on claim."),
        ),
        ("participant_id", "month", "source"),
    ),
    Table(
        "coverage",
        "person and source",
        (
            _PERSON,
            Column("source", "category", "Register.", required=True),
            Column(
                "linked",
                "boolean",
                "Found in the register's population.",
                required=True,
            ),
            Column("covered_from", "date", "First day covered; inside coverage no record is zero."),
            Column("covered_until", "date", "Last day covered."),
        ),
        ("participant_id", "source"),
    ),
    Table(
        "contacts",
        "service contact",
        (
            _PERSON,
            Column("contacted_on", "date", "Day of the contact.", required=True),
            Column("service", "category", "Service that had the contact."),
            Column("phase", "category", "Phase of the trajectory.", codes=PHASES),
            Column("kind", "category", "What was done (job_search, employer_contact, ...)."),
            Column("minutes", "number", "Duration.", "minutes", low=0, high=1440),
        ),
        (),
    ),
    Table(
        "events",
        "admission, death or harm",
        (
            _PERSON,
            Column("occurred_on", "date", "First day of the event.", required=True),
            Column("kind", "category", "What happened (admission, died, harm, ...).", required=True),
            Column("days", "number", "Length, for an admission.", "days", low=0),
        ),
        (),
    ),
    Table(
        "fidelity",
        "review of a site",
        (
            Column("site", "category", "Centre reviewed.", required=True),
            Column("reviewed_on", "date", "Day of the review.", required=True),
            Column("reviewer", "category", "Who reviewed (external, self).", required=True),
            *_ITEMS,
        ),
        ("site", "reviewed_on", "reviewer"),
    ),
    Table(
        "costs",
        "resource used",
        (
            _PERSON,
            Column("incurred_on", "date", "Day on which it was used.", required=True),
            Column("item", "category", "What was used.", required=True),
            Column("amount", "number", "Cost; negative = refunded.", "currency", True),
            Column("payer", "category", "Who pays."),
        ),
        (),
    ),
    Table(
        "screening",
        "stage before randomisation",
        (
            Column("stage", "category", "Stage (approached, eligible, consented, ...).", required=True),
            Column("reason", "category", "Why people left at that stage."),
            Column("n", "integer", "People.", "people", True, low=0),
        ),
        ("stage", "reason"),
    ),
)


@cache
def table(name: str) -> Table:
    """Return the table called ``name``.

    Raises
    ------
    KeyError
        For a name that the data dictionary does not have; callers check names first.
    """
    return {item.name: item for item in TABLES}[name]


#: Names of all tables, in the order of the dictionary.
TABLE_NAMES: tuple[str, ...] = tuple(item.name for item in TABLES)

#: How each kind of column is stored in a Trial. Text stays text, dates carry no time of day.
DTYPES: dict[Kind, str] = {
    "id": "string",
    "text": "string",
    "category": "category",
    "date": "datetime64[s]",
    "month": "datetime64[s]",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
}
