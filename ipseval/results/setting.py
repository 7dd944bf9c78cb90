"""The text of the ``setting`` column: named parts in a fixed order, each left out where it says nothing.

How the unknown were counted comes first: ``missing=as_not_employed; strata=site``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: How the unknown were counted; columns stratified by, and adjusted for; whom an adjusted effect is about;
#: what a margin of non-inferiority was; whose members were let be alike; among whom a number was taken,
#: where they are not a randomised group; which covariate has an effect of its own at every month; whether
#: each arm has a covariance of its own; a variance and degrees of freedom that are not the default; the
#: numerator degrees of freedom of an F test; and by what an interval was found, where there was a choice.
PARTS = (
    "missing",
    "strata",
    "adjust",
    "estimand",
    "margin",
    "cluster",
    "among",
    "began",
    "by_month",
    "covariance",
    "variance",
    "df",
    "numerator_df",
    "interval",
)


def setting(**parts: str | Iterable[str]) -> str:
    """Return the canonical text of what varied.

    Parameters
    ----------
    **parts : str, or iterable of str
        Named as in ``PARTS``; several names are joined by ``+``.

    Examples
    --------
    >>> setting(adjust=["site", "age"], missing="observed")
    'missing=observed; adjust=site+age'
    """
    joined = {name: part if isinstance(part, str) else "+".join(part) for name, part in parts.items()}
    return "; ".join(f"{name}={joined[name]}" for name in PARTS if joined.get(name))


def part_of(text: str, name: str) -> str:
    """Return one part of a setting; empty where it has none.

    Examples
    --------
    >>> part_of("missing=observed; adjust=site+age", "adjust")
    'site+age'
    """
    found = dict(part.split("=", 1) for part in text.split("; ") if "=" in part)
    return found.get(name, "")


def says_only(settings: pd.Series, name: str) -> NDArray[np.bool_]:
    """Whether each setting has this one part and no other."""
    return settings.str.fullmatch(rf"{name}=[^;]*").fillna(False).to_numpy(dtype=bool)
