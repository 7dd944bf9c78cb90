"""Strata as whole numbers: site labels of any kind become codes 0, 1, ..., and none may be missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Codes = NDArray[np.intp]


def stratum_codes(labels: ArrayLike) -> Codes:
    """Return the stratum of each person as 0, 1, ... in the order in which the labels appear.

    Parameters
    ----------
    labels : array_like, one text or number per person

    Raises
    ------
    AnalysisError
        If a label is missing. A site that is called "NA" is not.

    Examples
    --------
    >>> from ipseval.stats.strata import stratum_codes
    >>> stratum_codes(["Ghent", "Bruges", "Ghent"]).tolist()
    [0, 1, 0]
    """
    # As objects, a NaN among texts stays a NaN, and site 1 is the same in a column of floats.
    items = np.asarray(labels, dtype=object).tolist()
    if missing := sum(_is_missing(item) for item in items):
        raise AnalysisError(
            f"The stratum is missing for {missing} of {len(items)} people. "
            f"Fill it in, or give the people without one a stratum of their own."
        )
    known: dict[Any, int] = {}
    return np.array([known.setdefault(item, len(known)) for item in items], dtype=np.intp)


def stratum_codes_of_arms(strata: tuple[ArrayLike, ArrayLike], n1: int, n0: int) -> Codes:
    """Return one code per person, arm 1 before arm 0, from each arm's labels and number of people."""
    labels_1, labels_0 = (np.asarray(labels, dtype=object) for labels in strata)
    checks.same_length(y1=np.empty(n1), strata_1=labels_1)
    checks.same_length(y0=np.empty(n0), strata_0=labels_0)
    return stratum_codes(np.concatenate([labels_1, labels_0]))


def _is_missing(label: Any) -> bool:
    # NaN and NaT differ from themselves; pandas' NA neither differs nor is equal.
    same = label == label
    return label is None or not (same is True or same is np.True_)
