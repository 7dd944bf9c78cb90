"""Variances of regression coefficients that survive a wrong variance model: HC0-HC3 and CR0-CR3.

A sandwich is B M B, with B = (X'WX)^-1 and M the sum of squares of the scores x (y - mean), taken person
by person (HC) or summed over clusters first (CR). HC2 and CR2 undo the shrinkage of residuals by the fit
where the variance model is right; HC3 and CR3 overcorrect, close to the jackknife.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.canonical_models import Fit

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

INDEPENDENT = ("hc0", "hc1", "hc2", "hc3")
CLUSTERED = ("cr0", "cr1", "cr1s", "cr2", "cr3")
KINDS = (*INDEPENDENT, *CLUSTERED)

# An eigenvalue this small belongs to residuals that the fit has taken up entirely (clubSandwich's bound).
_SPENT = 1e-12


def coefficient_covariance(fit: Fit, y: Floats, X: Floats, kind: str, cluster: Codes | None = None) -> Floats:
    """Return the (k, k) covariance of the coefficients.

    Parameters
    ----------
    fit : Fit
        From `canonical_fit`.
    y, X : arrays
        As fitted.
    kind : str
        - ``"model"``: no sandwich, the variance model is believed;
        - ``"hc0"``: as White (1980); ``"hc1"``: times n / (n - k);
        - ``"hc2"``, ``"hc3"``: residuals divided by the root of 1 - h, or by 1 - h, with h the leverage;
        - ``"cr0"``: scores summed over clusters; ``"cr1"``: times G / (G - 1);
        - ``"cr1s"``: times G (n - 1) / ((G - 1) (n - k)), as Stata;
        - ``"cr2"``: residuals of each cluster adjusted so as to be unbiased where the model is right;
        - ``"cr3"``: residuals times (I - H)^-1 within the cluster.
    cluster : (n,) array of int, optional
        Codes from `cluster_codes`; needed by "cr*" and by no other.

    Returns
    -------
    (k, k) array

    Notes
    -----
    HC agree with R's sandwich and CR with its clubSandwich ("cr1s" is its CR1S), for linear, Poisson and
    logistic models. statsmodels 0.15 returns HC0 for a Poisson model, whichever is asked for.

    References
    ----------
    MacKinnon & White (1985), Journal of Econometrics 29:305-325.
    Bell & McCaffrey (2002), Survey Methodology 28:169-181.
    Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics 36:672-683.
    """
    if kind == "model" and cluster is None:
        return fit.dispersion * fit.inverse_information
    moved = adjusted_scores(fit, y, X, kind, cluster) @ fit.inverse_information
    covariance: Floats = moved.T @ moved
    return covariance


def coefficient_df(fit: Fit, X: Floats, kind: str, cluster: Codes | None, place: int) -> float:
    """Return the degrees of freedom of a coefficient under its covariance; infinite means normal.

    n - k for a linear model; by cluster G - 1, and Satterthwaite's under "cr2".
    """
    n, k = X.shape
    if cluster is None:
        return float(n - k) if fit.model == "linear" else float("inf")
    if kind == "cr2":
        return satterthwaite_df(fit, X, np.eye(k)[place], cluster)
    return float(cluster.max())


def adjusted_scores(fit: Fit, y: Floats, X: Floats, kind: str, cluster: Codes | None = None) -> Floats:
    """Return the scores whose sum of squares is the middle of the sandwich, a row per person or cluster."""
    checks.one_of(kind, KINDS if cluster is not None else ("model", *KINDS), "variance")
    if (cluster is None) == (kind in CLUSTERED):
        raise AnalysisError(
            f"variance={kind!r} {'needs' if cluster is None else 'does not use'} clusters. "
            f"Choose one of {', '.join(map(repr, INDEPENDENT if cluster is None else CLUSTERED))}."
        )
    n, k = X.shape
    residual = y - fit.mean
    if cluster is None:
        return X * (residual * _leverage_factor(fit, X, kind))[:, None]
    n_clusters = int(cluster.max()) + 1
    if kind in ("cr2", "cr3"):
        return np.array([X[m].T @ (A @ residual[m]) for m, A in _adjustments(fit, X, kind, cluster)])
    factor = {
        "cr0": 1.0,
        "cr1": n_clusters / (n_clusters - 1),
        "cr1s": n_clusters / (n_clusters - 1) * (n - 1) / (n - k),
    }[kind]
    return sums_by_cluster(X * residual[:, None], cluster) * float(np.sqrt(factor))


def satterthwaite_df(fit: Fit, X: Floats, contrast: Floats, cluster: Codes) -> float:
    """Return the degrees of freedom of a contrast of coefficients under "cr2".

    Those of the chi-squared multiple with the mean and variance that the CR2 variance would have if the
    outcomes were independent with the model's own variance. Agree with clubSandwich.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28:169-181.
    Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics 36:672-683.
    """
    direction = fit.inverse_information @ contrast
    root = np.linalg.cholesky(fit.inverse_information)
    own, shared = [], []
    for members, A in _adjustments(fit, X, "cr2", cluster):
        weight = fit.weight[members]
        share = A.T @ (X[members] @ direction)
        own.append(weight @ share**2)
        shared.append((share * weight) @ X[members] @ root)
    # The quadratic form diag(own) - H H' in its trace and its sum of squares, without the square matrix.
    a, H = np.array(own), np.array(shared)
    h = (H**2).sum(axis=1)
    squares = (a**2).sum() - 2.0 * (a @ h) + ((H.T @ H) ** 2).sum()
    return float((a.sum() - h.sum()) ** 2 / squares)


def cluster_codes(labels: ArrayLike, n: int) -> Codes:
    """Return the cluster of each person as 0, 1, ...; a missing label or a single cluster is refused."""
    array = np.asarray(labels, dtype=object)
    codes, _ = pd.factorize(array)
    checks.same_length(y=np.empty(n), cluster=codes)
    if missing := int((codes < 0).sum()):
        raise AnalysisError(
            f"The cluster is missing for {missing} of {n} people. Give a person who belongs to none, "
            f"such as someone without a job coach, a cluster of their own."
        )
    if codes.max() == 0:
        raise AnalysisError(
            f"All {n} people are in one cluster, which has nothing to be compared with. "
            f"Leave cluster out, or pass a finer one."
        )
    return codes


def sums_by_cluster(values: Floats, cluster: Codes) -> Floats:
    """Return the column sums of the rows of each cluster."""
    sums = np.zeros((int(cluster.max()) + 1, values.shape[1]))
    np.add.at(sums, cluster, values)
    return sums


def _leverage_factor(fit: Fit, X: Floats, kind: str) -> Floats:
    n, k = X.shape
    if kind in ("hc0", "hc1"):
        return np.full(n, 1.0 if kind == "hc0" else np.sqrt(n / (n - k)))
    left = 1.0 - fit.weight * ((X @ fit.inverse_information) * X).sum(axis=1)
    # Someone fitted perfectly has no residual, and none can be recovered.
    spent = left < _SPENT
    factor = np.where(spent, 1.0, left) ** (-0.5 if kind == "hc2" else -1.0)
    return np.where(spent, 0.0, factor)


def _adjustments(fit: Fit, X: Floats, kind: str, cluster: Codes) -> Iterator[tuple[Codes, Floats]]:
    """Yield the members of each cluster, and the matrix that adjusts their residuals.

    With v the variances of the members and I - H the residual maker in units of their standard deviations,
    CR2 is v^1/2 (v (I - H) v)^-1/2 v^1/2 (pseudo-inverse), CR3 is (I - H)^-1 back in units of the outcome.
    """
    order = np.argsort(cluster, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(cluster))[:-1]):
        root = np.sqrt(fit.weight[members])
        scaled = X[members] * root[:, None]
        left = np.eye(members.size) - scaled @ fit.inverse_information @ scaled.T
        if kind == "cr3":
            if np.linalg.eigvalsh(left)[0] <= _SPENT:
                raise AnalysisError(
                    f"Without one cluster of {members.size} people a coefficient cannot be estimated: "
                    f"variance='cr3' does not exist. Pass variance='cr2'."
                )
            jackknife: Floats = np.linalg.inv(left) * (root[:, None] / root)
            yield members, jackknife
            continue
        variance = fit.weight[members]
        values, vectors = np.linalg.eigh(left * np.outer(variance, variance))
        is_left = values > _SPENT * variance.max() ** 2
        powers = np.where(is_left, np.where(is_left, values, 1.0) ** -0.5, 0.0)
        adjustment: Floats = (vectors * powers) @ vectors.T * np.outer(root, root)
        yield members, adjustment
