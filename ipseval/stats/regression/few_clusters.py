"""The variance of an estimate with few clusters, and the degrees of freedom of its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Floats = NDArray[np.float64]


class Sample(NamedTuple):
    """What one kind of cluster adds to the covariance of several estimates, and its degrees of freedom."""

    covariance: Floats
    df: float


class Spread(NamedTuple):
    """A standard error, and the degrees of freedom of t limits around the estimate."""

    std_error: float
    df: float


def cluster_samples(influence: ArrayLike, is_shared: ArrayLike | None = None) -> tuple[Sample, ...]:
    """Return the covariance of estimates from what each cluster adds to them, corrected for their number.

    Parameters
    ----------
    influence : array_like, shape (clusters, estimates)
        What a cluster adds to each estimate; the cross-product is the sandwich without a correction.
    is_shared : array_like of bool, one entry per cluster, optional
        False for people who are a cluster of one, as in an arm without job coaches. They are a sample of
        their own: many of them tell no more of how coaches differ. By default all are shared.

    Returns
    -------
    tuple of Sample
        One per kind; their covariances add up. `spread_along` has the standard error of a contrast.

    Raises
    ------
    AnalysisError
        For fewer than two clusters.

    Notes
    -----
    The cross-product of each kind of G clusters is multiplied by G / (G - 1). With one kind this is the
    factor of R's ``sandwich::vcovCL(type = "HC0", cadjust = TRUE)``.
    """
    added = checks.float_array(influence, "influence")
    shared = (
        np.ones(len(added), np.bool_) if is_shared is None else checks.boolean_array(is_shared, "is_shared")
    )
    checks.same_length(influence=added, is_shared=shared)
    if len(added) < 2:
        raise AnalysisError(f"{len(added)} cluster has nothing to be compared with. Pass two or more.")
    if min(shared.sum(), (~shared).sum()) < 2:  # one of a kind shows no spread: it goes with the others
        shared = np.ones(len(added), np.bool_)
    kinds = [added[kind] for kind in (shared, ~shared) if kind.any()]
    return tuple(Sample(u.T @ u * len(u) / (len(u) - 1), len(u) - 1.0) for u in kinds)


def spread_along(samples: Sequence[Sample], direction: ArrayLike) -> Spread:
    """Return the standard error of a linear combination of estimates, and Satterthwaite's degrees of freedom.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2:110-114.

    Examples
    --------
    >>> samples = cluster_samples([[0.3], [-0.1], [-0.2], [0.1], [-0.1]])
    >>> found = spread_along(samples, [1.0])
    >>> round(found.std_error, 4), found.df
    (0.4472, 4.0)
    """
    along = checks.float_array(direction, "direction")
    parts = np.array([along @ sample.covariance @ along for sample in samples])
    each = np.array([sample.df for sample in samples])
    variance = parts.sum()
    df = variance**2 / (parts**2 / each).sum() if variance > 0 else np.nan
    return Spread(float(np.sqrt(variance)), float(df))
