"""The design matrix of a comparison adjusted for covariates, and everyone's row in either arm.

Column 0 is the intercept, column 1 the arm, then the covariates, then (with interactions) the arm times
each covariate less its mean. What cannot be fitted is named by its column of `covariates`, from 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Floats = NDArray[np.float64]

# A column whose part outside the span of the columns before it is this small a share of it adds nothing.
_COLLINEAR = 1e-9


class ArmDesign(NamedTuple):
    """Rows of covariates, one per person.

    ``observed`` has everyone in their own arm, ``active`` and ``reference`` have everyone in one arm.
    ``in_active`` says who is in the active arm, and ``names`` what each column is.
    """

    observed: Floats
    active: Floats
    reference: Floats
    in_active: NDArray[np.bool_]
    names: tuple[str, ...]


def arm_design(arm: ArrayLike, covariates: ArrayLike | None, *, interaction: bool = False) -> ArmDesign:
    """Return the design matrix of arm and covariates, or refuse what no model can tell apart.

    Parameters
    ----------
    arm : array_like of bool or 0/1, one entry per person
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers; categories as indicators without their reference level.
    interaction : bool
        Whether the arms differ in the slope of every covariate.

    Raises
    ------
    AnalysisError
        An empty arm; a covariate that is missing, constant, or a linear combination of the columns before
        it; no more people than columns.
    """
    in_active = checks.boolean_array(arm, "arm")
    columns = _columns(covariates, in_active)
    n, k = columns.shape
    centred = columns - columns.mean(axis=0)
    names = ["intercept", "arm", *(f"covariate {j}" for j in range(k))]
    if interaction:
        names += [f"arm x covariate {j}" for j in range(k)]

    def rows(active: Floats) -> Floats:
        parts = [np.ones(n), active, columns]
        return np.column_stack([*parts, active[:, None] * centred] if interaction else parts)

    observed = rows(in_active.astype(np.float64))
    _refuse_collinear(observed, names)
    return ArmDesign(observed, rows(np.ones(n)), rows(np.zeros(n)), in_active, tuple(names))


def outcomes(y: ArrayLike, in_active: NDArray[np.bool_]) -> Floats:
    """Return the outcomes as floats; refuse missing ones, and anything but one number per person."""
    values = checks.float_array(y, "y")
    if values.ndim != 1:
        raise AnalysisError(f"y has {values.ndim} dimensions, not 1. Pass one outcome per person.")
    checks.same_length(y=values, arm=in_active)
    return values


def _columns(covariates: ArrayLike | None, in_active: NDArray[np.bool_]) -> Floats:
    if in_active.ndim != 1 or in_active.all() or not in_active.any():
        raise AnalysisError(
            f"arm has {int(in_active.sum())} of {in_active.size} people in the active arm. "
            f"Two arms are needed: pass True in the active arm and False in the reference arm."
        )
    if covariates is None:
        return np.empty((in_active.size, 0))
    try:
        columns = np.asarray(covariates, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnalysisError(
            "covariates holds values that are not numbers. Pass categories as indicators, 0 or 1."
        ) from None
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2:
        raise AnalysisError(f"covariates has {columns.ndim} dimensions. Pass one row per person.")
    checks.same_length(arm=in_active, covariates=columns)
    if missing := [f"{j}: {m}" for j, m in enumerate((~np.isfinite(columns)).sum(axis=0)) if m]:
        raise AnalysisError(
            f"covariates are missing or not finite (people by column, counted from 0: "
            f"{checks.named_list(missing, 9)}; of {len(columns)}). Impute them: in a randomised comparison a "
            f"baseline mean and an indicator of being missing will do."
        )
    if constant := [str(j) for j in np.flatnonzero(np.ptp(columns, axis=0) == 0)]:
        raise AnalysisError(
            f"covariates: column {checks.named_list(constant, 9)} of {columns.shape[1]} (counted from 0) is "
            f"constant. Leave it out: it cannot explain anything."
        )
    return columns


def _refuse_collinear(X: Floats, names: list[str]) -> None:
    n, k = X.shape
    if n <= k:
        raise AnalysisError(
            f"{k} coefficients cannot be estimated from {n} people with an error to spare. "
            f"Adjust for fewer covariates."
        )
    # Less their means: a year of birth is not collinear with the intercept because it is far from 0.
    centred = np.column_stack([X[:, :1], X[:, 1:] - X[:, 1:].mean(axis=0)])
    diagonal = np.abs(np.diag(np.linalg.qr(centred / np.linalg.norm(centred, axis=0), mode="r")))
    if dependent := [names[j] for j in np.flatnonzero(diagonal < _COLLINEAR)]:
        raise AnalysisError(
            f"Collinear: {checks.named_list(dependent, 9)} (counted from 0; {len(dependent)} of {k} columns) "
            f"can be computed from the columns before. Leave it out."
        )
