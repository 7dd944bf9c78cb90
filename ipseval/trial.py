"""A randomised trial as it was designed and observed: what was randomised, to what, how, until when.

A ``Trial`` is frozen. It holds the tables of the data dictionary as DataFrames, in the dtypes of
``ipseval.schema``, and a ``Design``. It answers questions about people's follow-up; outcomes are the
business of ``ipseval.endpoints``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ipseval import checks
from ipseval.errors import AnalysisError, DataError, Problem
from ipseval.months import horizon_day

if TYPE_CHECKING:
    import pandas as pd

#: The rules by which people with an unknown outcome may be counted; none is chosen in silence.
MISSING_RULES = ("as_not_employed", "observed", "best_worst")


@dataclass(frozen=True)
class Variable:
    """A covariate or score that the trial declares: type, unit, labels of its codes, direction."""

    name: str
    kind: str
    label: str = ""
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    higher_is: str = ""


@dataclass(frozen=True)
class Design:
    """What was randomised, to what, and how long people were to be followed.

    Attributes
    ----------
    arms : tuple of str
        The reference arm first; it is stated in ``trial.toml``, never guessed.
    arm_labels : mapping of str to str
        How each arm is called in a report.
    follow_up_months : int
        Planned follow-up.
    tolerance_days : int
        Someone whose follow-up was completed may fall short of day h(k) - 1 by this much and still
        counts as followed to month k, so that no completer is lost to the calendar.
    month : {"anniversary", "30_days", "30.4375_days", "calendar"}
        How months of follow-up are counted, see ``ipseval.months``.
    competitive : tuple of str
        The kinds of job that count as competitive employment.
    missing_outcomes : str
        How an unknown outcome is counted unless a call says otherwise; empty = every call must say.
    """

    arms: tuple[str, ...]
    arm_labels: Mapping[str, str]
    follow_up_months: int
    tolerance_days: int = 14
    month: str = "anniversary"
    competitive: tuple[str, ...] = ("competitive",)
    missing_outcomes: str = ""
    strata: tuple[str, ...] = ()
    allocation: Mapping[str, float] = field(default_factory=dict)
    randomisation: str = ""
    assessment_months: tuple[int, ...] = ()
    currency: str = ""
    data_cut: date | None = None
    freeze_dates: Mapping[str, date] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The arm that is subtracted or divided by."""
        return self.arms[0]

    @property
    def active(self) -> tuple[str, ...]:
        """The other arms, in the order declared."""
        return self.arms[1:]

    @property
    def comparisons(self) -> tuple[tuple[str, str], ...]:
        """Every (active, reference) pair that is compared."""
        return tuple((arm, self.reference) for arm in self.active)

    def horizon_day(self, month: float) -> int:
        """Return h(k), the day before which something counts as within ``month`` months.

        One cut serves rates, milestones and survival alike: floor(30.4375 k) days, or 30 k under
        30-day months, so that one report never shows two answers.
        """
        return int(horizon_day(month, self.month))


class Explains(Protocol):
    """Whatever can say how one person's value came about; an endpoint."""

    def explain(self, trial: Trial, person: str) -> str:
        """Return the way from the person's records to the value."""
        ...


@dataclass(frozen=True)
class Trial:
    """The data of one trial, normalised; made by ``ips.load``.

    Attributes
    ----------
    name, title : str
    design : Design
    tables : mapping of str to DataFrame
        Only the tables that the trial has. ``participants`` has one row per person randomised.
    covariates, scores : mapping of str to Variable
        Baseline covariates of participants and scale scores of visits, as declared.
    simulated : bool
        Whether the people are simulated; every output repeats it.
    notices : tuple of Problem
        What loading noticed and counted without stopping.
    fingerprint : str
        SHA-256 of the mapping and the source files.
    """

    name: str
    title: str
    design: Design
    tables: Mapping[str, pd.DataFrame]
    covariates: Mapping[str, Variable] = field(default_factory=dict)
    scores: Mapping[str, Variable] = field(default_factory=dict)
    simulated: bool = False
    source: str = ""
    registration: str = ""
    notices: tuple[Problem, ...] = ()
    fingerprint: str = ""

    @property
    def participants(self) -> pd.DataFrame:
        """One row per person randomised."""
        return self.tables["participants"]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table, or refuse with the names of those the trial has."""
        if name not in self.tables:
            has = ", ".join(self.tables)
            raise DataError(
                f"Trial {self.name!r} has no table {name!r} (it has: {has}). Map it in trial.toml."
            )
        return self.tables[name]

    def __len__(self) -> int:
        return len(self.participants)

    def index_of(self, person_ids: pd.Series) -> NDArray[np.int64]:
        """Return for each id its row number in ``participants``, -1 for someone not randomised."""
        import pandas as pd

        index = pd.Index(self.participants["participant_id"])
        return np.asarray(index.get_indexer(pd.Index(person_ids)), dtype=np.int64)

    def row_of(self, person: str) -> int:
        """Return the row number of one person, or refuse."""
        found = np.flatnonzero(self.participants["participant_id"].to_numpy() == person)
        if not len(found):
            raise DataError(
                f"Participant {person!r} is not among the {len(self)} people randomised in "
                f"{self.name!r}. Ids are text: write them as in the file, leading zeros included."
            )
        return int(found[0])

    @property
    def arm(self) -> pd.Categorical:
        """The arm of each person, reference first."""
        categorical: pd.Categorical = self.participants["arm"].array
        return categorical

    @property
    def followed_days(self) -> NDArray[np.int64]:
        """F, the last study day on which each person was followed; day 0 is randomisation."""
        people = self.participants
        days = people["followed_until"] - people["randomised_on"]
        return np.asarray(days.dt.days, dtype=np.int64)

    def _ended(self, reason: str) -> NDArray[np.bool_]:
        people = self.participants
        if "end_reason" not in people:
            return np.zeros(len(people), dtype=np.bool_)
        return (people["end_reason"] == reason).to_numpy(dtype=np.bool_)

    @property
    def completed(self) -> NDArray[np.bool_]:
        """Whether follow-up ended because it was completed."""
        return self._ended("completed")

    @property
    def died(self) -> NDArray[np.bool_]:
        """Whether follow-up ended with death, which then was on the last day followed."""
        return self._ended("died")

    def is_followed_to(self, day: NDArray[np.int64] | int) -> NDArray[np.bool_]:
        """Whether each person was followed through the day before ``day``.

        Parameters
        ----------
        day : int or array of int, shape (people,)
            A horizon h(k), or the first day after a window. Someone followed to ``day - 1`` is
            followed to it, and so is someone who completed within the design's tolerance of it.
            The dead are not followed past their death: see ``died``.
        """
        followed = self.followed_days
        within_tolerance = self.completed & (followed + self.design.tolerance_days >= np.asarray(day) - 1)
        return (followed >= np.asarray(day) - 1) | within_tolerance

    def completed_to(self, month: float) -> NDArray[np.bool_]:
        """Whether each person completed follow-up within the design's tolerance of ``month`` months.

        One rule for every outcome, whichever day it is read on: F is at most ``tolerance_days`` short
        of h(k) - 1, so that who counts as followed to 30 months is the same in all of a report.
        """
        return self.completed & self.is_followed_to(self.design.horizon_day(month))

    def explain(self, person: str, endpoint: Explains) -> str:
        """Say how ``person``'s value of ``endpoint`` came about, from records to value.

        For the analyst's own terminal: the text holds the person's records.
        """
        self.row_of(person)
        return endpoint.explain(self, person)

    def stratum(self, columns: tuple[str, ...]) -> pd.Series:
        """Return one code per person for the combination of ``columns``; refuse missing values.

        Without columns everyone is in one stratum.
        """
        import pandas as pd

        people = self.participants
        if not columns:
            return pd.Series(0, index=people.index)
        for column in columns:
            if column not in people:
                known = ", ".join(str(name) for name in people.columns)
                raise AnalysisError(f"{column!r} is not a column of participants (found: {known}).")
            missing = int(people[column].isna().sum())
            if missing:
                raise AnalysisError(
                    f"{column!r} is missing for {missing} of {len(people)} participants. "
                    f"Complete it, or leave it out of the strata."
                )
        return people.groupby(list(columns), observed=True, sort=True).ngroup()

    def __repr__(self) -> str:
        return "\n".join(self._summary())

    def _repr_html_(self) -> str:
        from html import escape

        head, *rest = self._summary()
        items = "".join(f"<li>{escape(line.strip())}</li>" for line in rest)
        return f"<p><strong>{escape(head)}</strong></p><ul>{items}</ul>"

    def _called(self) -> str:
        """The title, without saying there already that people are simulated: the line does."""
        title = self.title or self.name
        return title.removesuffix("(simulated)").rstrip() if self.simulated else title

    def _summary(self) -> list[str]:
        """Arms, sites, follow-up, what is missing and what was noticed, a line each."""
        people, design = self.participants, self.design
        counts = {arm: int((self.arm == arm).sum()) for arm in design.arms}
        arms = " v ".join(
            f"{design.arm_labels.get(arm, arm)} {counts[arm]}" for arm in (*design.active, design.reference)
        )
        lines = [
            f"{self._called()}: {len(self)} people randomised"
            + (" (simulated, not real people)" if self.simulated else ""),
            f"  arms: {arms} (reference: {design.arm_labels.get(design.reference, design.reference)})",
        ]
        if "site" in people:
            sites = [str(site) for site in people["site"].dropna().unique()]
            lines.append(f"  sites: {len(sites)} ({checks.named_list(sorted(sites), 6)})")
        lines.append(
            f"  follow-up: {design.follow_up_months} months planned, completed by "
            f"{int(self.completed.sum())}, died {int(self.died.sum())}, ended otherwise "
            f"{int((~self.completed & ~self.died).sum())}"
        )
        lines.append("  tables: " + ", ".join(f"{name} {len(frame)}" for name, frame in self.tables.items()))
        missing = {str(column): int(count) for column, count in people.isna().sum().items() if count}
        gaps = (
            ", ".join(f"{column} {count}" for column, count in missing.items()) or "nothing in participants"
        )
        lines.append(f"  missing: {gaps}")
        noticed = len(self.notices)
        lines.append(
            f"  noticed while loading: {noticed or 'nothing'}" + (" (see .notices)" if noticed else "")
        )
        return lines
