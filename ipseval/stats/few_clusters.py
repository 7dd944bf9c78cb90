"""The standard error of a coefficient with few clusters, and the degrees of freedom of its limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Floats = NDArray[np.float64]


class FewClusters(NamedTuple):
    """A corrected standard error, and the degrees of freedom of t limits around it."""

    std_error: float
    df: float


def corrected_for_few_clusters(influence: ArrayLike, is_shared: ArrayLike | None = None) -> FewClusters:
    """Return the standard error from what each cluster adds to a coefficient, corrected for their number.

    Parameters
    ----------
    influence : array_like, one entry per cluster
        What a cluster adds to the coefficient; the sum of squares is the sandwich without a correction.
    is_shared : array_like of bool, one entry per cluster, optional
        False for people who are a cluster of one, as in an arm without job coaches. They are a sample of
        their own: many of them tell no more of how coaches differ. By default all are shared.

    Returns
    -------
    FewClusters

    Raises
    ------
    AnalysisError
        For fewer than two clusters.

    Notes
    -----
    The sum of squares of each kind of G clusters is multiplied by G / (G - 1), and degrees of freedom are
    Satterthwaite's over the kinds. With one kind the factor is that of R's ``sandwich::vcovCL(type =
    "HC0", cadjust = TRUE)``, and there are G - 1 degrees of freedom.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2:110-114.

    Examples
    --------
    >>> found = corrected_for_few_clusters([0.3, -0.1, -0.2, 0.1, -0.1])
    >>> round(found.std_error, 4), found.df
    (0.4472, 4.0)
    """
    added = checks.float_array(influence, "influence")
    shared = (
        np.ones(added.size, np.bool_) if is_shared is None else checks.boolean_array(is_shared, "is_shared")
    )
    checks.same_length(influence=added, is_shared=shared)
    if added.size < 2:
        raise AnalysisError(f"{added.size} cluster has nothing to be compared with. Pass two or more.")
    if shared.sum() < 2 or (~shared).sum() < 2:  # one of a kind shows no spread: it goes with the others
        shared = np.ones(added.size, np.bool_)
    sizes = np.array([kind.sum() for kind in (shared, ~shared) if kind.any()])
    squares = np.array([(added[kind] ** 2).sum() for kind in (shared, ~shared) if kind.any()])
    parts = squares * sizes / (sizes - 1)
    variance = parts.sum()
    df = variance**2 / (parts**2 / (sizes - 1)).sum() if variance > 0 else np.nan
    return FewClusters(float(np.sqrt(variance)), float(df))
