"""Repeated assessments as rows of a regression: who was seen when, in which arm, with which covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints.visits import at_visit
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment, called_by
from ipseval.trial import Trial

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

AVERAGE = "average"
SEEN_ONLY = words.text("note.seen_only")


@dataclass(frozen=True)
class Covariates:
    """Centred covariates of everyone randomised, with a label per column, and what was asked for.

    ``note`` says what a reader must know of them; ``by_month`` names the one, their last column, whose effect
    may differ by month.
    """

    columns: Floats
    labels: tuple[str, ...]
    names: tuple[str, ...]
    note: str = ""
    by_month: str = ""


@dataclass(frozen=True)
class Assessments:
    """The assessments that were seen, and how columns are built for anyone in any arm and month.

    Columns: a level per month; per active arm an effect per month from ``first`` on (before it the arms
    share their level); the covariates, one of them per month if it says so. As all are centred, they have no
    part in a level.

    Attributes
    ----------
    y : (rows,) array
    person, month, arm : (rows,) arrays of int
        Places in the trial's order of people, in ``months`` and in ``arms``.
    months : tuple of float
    arms : tuple of str, reference first
    covariates : Covariates
    first : int
        Place of the first month at which the arms may differ.
    """

    y: Floats
    person: Indices
    month: Indices
    arm: Indices
    months: tuple[float, ...]
    arms: tuple[str, ...]
    covariates: Covariates
    first: int = 0

    @property
    def compared(self) -> range:
        """Places of the months at which the arms may differ."""
        return range(self.first, len(self.months))

    @property
    def design(self) -> Floats:
        """The columns of the rows that were seen."""
        return self._columns(self.person, self.month, self.arm)

    def _columns(self, person: Indices, month: Indices, arm: Indices) -> Floats:
        levels = month[:, None] == np.arange(len(self.months))
        effects = [(arm[:, None] == code) & levels[:, self.first :] for code in range(1, len(self.arms))]
        covariates = self.covariates.columns[person]
        if self.covariates.by_month:
            covariates = np.hstack([covariates[:, :-1], covariates[:, -1:] * levels])
        return np.hstack([levels, *effects, covariates]).astype(np.float64)

    def everyone(self, month: int, arm: int) -> Floats:
        """Return rows for everyone randomised as if in one arm (0 = reference) at one month."""
        people = np.arange(len(self.covariates.columns))
        return self._columns(people, np.full(len(people), month), np.full(len(people), arm))

    def level(self, month: int, arm: int) -> Floats:
        """Return the weights of the coefficients in an arm's level at a month and average covariates."""
        weights = np.zeros(self.n_columns)
        weights[month] = 1.0
        if arm and month >= self.first:
            weights += self.effect(month, arm)
        return weights

    def effect(self, month: int, arm: int) -> Floats:
        """Return the weights of the coefficients in what an arm differs by at a month."""
        weights = np.zeros(self.n_columns)
        weights[len(self.months) + (arm - 1) * len(self.compared) + month - self.first] = 1.0
        return weights

    def changes(self, arm: int) -> Floats:
        """Return weights, a row each, of how an arm's effect changes from a compared month to the next."""
        return np.diff([self.effect(month, arm) for month in self.compared], axis=0)

    @property
    def n_columns(self) -> int:
        """How many coefficients there are."""
        return len(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column holds, in words."""
        levels = [f"month {month:g}" for month in self.months]
        effects = [f"{level}, {arm}" for arm in self.arms[1:] for level in levels[self.first :]]
        labels = self.covariates.labels
        if self.covariates.by_month:
            labels = (*labels[:-1], *(f"{level}, {labels[-1]}" for level in levels))
        return (*levels, *effects, *labels)

    def named(self, note: str) -> str:
        """Return a kernel's note with its columns called by what they hold, not by their position."""
        return called_by(self.names, note)

    def refuse_unseen(self) -> None:
        """Refuse an arm that nobody was seen in at a month, and columns that follow from others."""
        seen = np.zeros((len(self.arms), len(self.months)), dtype=bool)
        seen[self.arm, self.month] = True
        seen[:, : self.first] |= seen[:, : self.first].any(axis=0)
        if not seen.all():
            arm, month = np.argwhere(~seen)[0]
            raise AnalysisError(
                f"nobody in the {self.arms[arm]!r} arm was seen at month {self.months[month]:g} "
                f"({int((~seen).sum())} of {seen.size} such cells are empty): leave that month out"
            )
        refuse_dependent(self.design, self.names)


def refuse_dependent(X: Floats, names: tuple[str, ...]) -> None:
    """Refuse columns that are linear combinations of columns before them, by name."""
    if len(X) < X.shape[1]:
        return  # too few rows is another refusal
    length = np.sqrt((X**2).sum(axis=0))
    left = np.abs(np.diag(np.linalg.qr(X / np.where(length > 0, length, 1.0), mode="r")))
    if follows := [names[at] for at in np.flatnonzero(left < 1e-9)]:
        raise AnalysisError(
            f"{checks.number_of(len(follows), 'column')} out of {len(names)} can be computed from those "
            f"before ({checks.named_list(follows)}): leave out of adjust= what adds nothing"
        )


def assessments(
    trial: Trial,
    outcome: pd.DataFrame,
    months: tuple[float, ...],
    covariates: Covariates,
    *,
    shared_at_start: bool = False,
) -> Assessments:
    """Return the known outcomes as rows, by month and arm; ``shared_at_start`` for a common first level."""
    arm = np.asarray(trial.arm.codes, dtype=np.intp)
    answers, who, when = [], [], []
    for at, month in enumerate(months):
        rows = outcome.loc[outcome["month"] == month]
        known = rows["known"].to_numpy(dtype=bool)
        value = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
        # In the order of arms, so that sums come out alike however the rows of a file are ordered.
        seen = np.flatnonzero(known)
        seen = seen[np.argsort(arm[seen], kind="stable")]
        answers.append(value[seen])
        who.append(seen)
        when.append(np.full(len(seen), at))
    person = np.concatenate(who)
    return Assessments(
        y=np.concatenate(answers),
        person=person,
        month=np.concatenate(when),
        arm=arm[person],
        months=months,
        arms=trial.design.arms,
        covariates=covariates,
        first=int(shared_at_start),
    )


def covariates_of(
    trial: Trial, names: tuple[str, ...], own_baseline: str = "", *, by_month: bool = False
) -> Covariates:
    """Return the covariates of everyone randomised.

    Parameters
    ----------
    trial : Trial
    names : tuple of str
        Columns of participants, as in ``adjustment``.
    own_baseline : str, optional
        The one among ``names`` that is the outcome's own baseline: ``<scale>_baseline``, taken from
        participants or else from the visit of month 0. Where it is missing the mean stands in, which
        randomisation allows for a baseline and for nothing else.
    by_month : bool
        Whether that one has an effect of its own at each month.

    References
    ----------
    White & Thompson (2005), Statistics in Medicine 24:993-1007.
    """
    others = tuple(name for name in names if name != own_baseline)
    columns, labels = adjustment(trial, others)
    made = Covariates(columns, tuple(labels), others)
    if own_baseline not in names:
        return made
    values = baseline_of(trial, own_baseline.removesuffix("_baseline"))
    if values is None:
        adjustment(trial, (own_baseline,))  # refuses, with the names there are
        raise AssertionError(own_baseline)
    missing = np.isnan(values)
    centred = np.where(missing, 0.0, values - values[~missing].mean())
    return replace(
        made,
        columns=np.column_stack([columns, centred]),
        labels=(*labels, own_baseline),
        names=names,
        note=words.text("note.baseline_mean") if missing.any() else "",
        by_month=own_baseline if by_month else "",
    )


def baseline_of(trial: Trial, scale: str) -> Floats | None:
    """Return everyone's score at baseline, nan where there is none; None where nobody has one."""
    people, visits = trial.participants, trial.tables.get("visits")
    column = f"{scale}_baseline"
    values = None
    if column in people:
        values = people[column].to_numpy(dtype=np.float64, na_value=np.nan)
    elif visits is not None and scale in visits and (visits["visit_month"] == 0).any():
        values = at_visit(trial, scale, 0)
    return None if values is None or np.isnan(values).all() else values


def counted(outcome: pd.DataFrame, month: float | None, *arms: str) -> dict[str, int]:
    """Return people with a known outcome, those with yes if it is a yes or no, and those without.

    Without arms everyone counts. Without a month people count, not assessments: one never seen is missing.
    """
    rows = outcome if month is None else outcome.loc[outcome["month"] == month]
    rows = rows.loc[rows["arm"].isin(arms).to_numpy(dtype=bool)] if arms else rows
    known = rows["known"].to_numpy(dtype=bool)
    if month is None:
        seen = pd.Series(known).groupby(rows["participant_id"].to_numpy()).any()
        return {"n": int(seen.sum()), "n_missing": int((~seen).sum())}
    found = {"n": int(known.sum()), "n_missing": int((~known).sum())}
    if pd.api.types.is_bool_dtype(rows["value"].dtype):
        found["n_event"] = int((known & rows["value"].fillna(False).to_numpy(dtype=bool)).sum())
    return found


def at(month: float | None) -> dict[str, Any]:
    """Return the key columns of a month, or of the average over months."""
    if month is None:
        return {"term": AVERAGE}
    return {"time_from": month, "time": month, "time_unit": "months"}


def seen_only(outcome: pd.DataFrame) -> str:
    """Return what must be said where an assessment is not known."""
    return "" if outcome["known"].all() else SEEN_ONLY
