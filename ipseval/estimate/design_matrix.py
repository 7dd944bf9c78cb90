"""Columns of a regression from named covariates: numbers as they are, categories as indicators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.trial import Trial

Floats = NDArray[np.float64]


def adjustment(trial: Trial, names: Iterable[str]) -> tuple[Floats, list[str]]:
    """Return the covariates of everyone randomised, centred, with a label per column.

    Parameters
    ----------
    trial : Trial
    names : iterable of str
        Columns of participants: numbers, booleans or categories (whose first level is left out).

    Returns
    -------
    columns : array, shape (people, columns)
        Each with mean 0, so that an intercept speaks of the average person.
    labels : list of str
        ``age``, or ``site=S02`` for a level of a category.

    Raises
    ------
    AnalysisError
        For a column that is not there, not usable, the arm itself, or missing for anyone.
    """
    columns: list[Floats] = []
    labels: list[str] = []
    for name in names:
        values = _complete(trial, name)
        if isinstance(values.dtype, pd.CategoricalDtype):
            for level in values.cat.remove_unused_categories().cat.categories[1:]:
                columns.append((values == level).to_numpy(dtype=np.float64))
                labels.append(f"{name}={level}")
        else:
            columns.append(values.to_numpy(dtype=np.float64))
            labels.append(name)
    people = len(trial)
    made = np.column_stack(columns) if columns else np.empty((people, 0))
    return made - made.mean(axis=0, keepdims=True), labels


def called_by(names: Sequence[str], note: str) -> str:
    """Return a kernel's note with its columns called by what they hold, not by their position."""

    def place(found: re.Match[str]) -> str:
        numbered = re.sub(r"\b\d+\b(?! more)", lambda at: names[int(at.group())], found.group(1))
        return f"({numbered})"

    return re.sub(r"\(counted from 0: ([^)]*)\)", place, note)


def with_labels(refusal: AnalysisError, labels: Sequence[str]) -> str:
    """Return a refusal of the kernels, which count covariates, with their names."""
    listed = re.sub(
        r"column ([\d, ]+) of \d+ \(counted from 0\)",
        lambda found: ", ".join(labels[int(place)] for place in found[1].split(", ")),
        str(refusal),
    )
    named = re.sub(r"covariate (\d+)", lambda found: labels[int(found[1])], listed)
    return re.sub(r"(; )?counted from 0(; )?", "", named).replace(" ()", "")


def _complete(trial: Trial, name: str) -> pd.Series:
    """Return a usable column without missing values, or refuse it."""
    people = trial.participants
    usable = [
        str(column) for column in people.columns if column in trial.covariates or column in ("site", "coach")
    ]
    if name not in usable:
        raise AnalysisError(
            f"{name!r} cannot be adjusted for (usable: {checks.named_list(usable, 8)}). "
            f"Declare it under [covariates] in trial.toml."
        )
    values = people[name]
    if missing := int(values.isna().sum()):
        raise AnalysisError(
            f"{name!r} is missing for {missing} of {len(people)} participants. "
            f"Leave it out of adjust=, or impute it before loading."
        )
    if pd.api.types.is_datetime64_any_dtype(values):
        raise AnalysisError(f"{name!r} is a date. Declare an age or a duration in its place.")
    return values
