"""Analysis of covariance: a difference of means adjusted for covariates by linear regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval.stats.means import NO_SPREAD
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import arm_design, outcomes
from ipseval.stats.regression.marginal_contrasts import Contrast, wald_contrast
from ipseval.stats.regression.robust_variance import cluster_codes, coefficient_covariance, coefficient_df

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ancova:
    """An adjusted difference of means, and the linear model that it comes from.

    Attributes
    ----------
    difference : Contrast
        Active minus reference arm, at the mean of the covariates; ``note`` says why a number is NaN.
    mean_1, mean_0 : float
        Adjusted means of the active and the reference arm, at the mean of the covariates of all people.
    coefficients : (k,) array
        With interactions, that of the arm is the difference at the mean of the covariates.
    covariance : (k, k) array
    names : tuple of str
        "intercept", "arm", "covariate 0", ..., "arm x covariate 0", ...
    residual_sd, r_squared : float
    variance : str
    n_1, n_0 : int
        People in the active and the reference arm.
    """

    difference: Contrast
    mean_1: float
    mean_0: float
    coefficients: Floats
    covariance: Floats
    names: tuple[str, ...]
    residual_sd: float
    r_squared: float
    variance: str
    n_1: int
    n_0: int


def ancova(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    interaction: bool = False,
    variance: str = "hc3",
    cluster: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> Ancova:
    """Return the difference of two means adjusted for covariates, with a t test and t interval.

    Amounts need be neither normal nor of one variance. With interactions (Lin 2013) adjustment cannot lose
    precision in large samples, whatever the sizes of the arms.

    Parameters
    ----------
    y : array_like, one amount per person
        Any unit (0 or 1: a linear probability model). Missing amounts are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers, the baseline value first of all; categories as indicators without their reference level.
    interaction : bool
        Whether the arms differ in the slope of every covariate, centred at its mean.
    variance : str
        "hc3" (default), which keeps its level in small samples with unequal variances; "hc0", "hc1", "hc2";
        "model" assumes one variance for both arms; "cr0" ... "cr3" sum over clusters. See
        `coefficient_covariance`.
    cluster : array_like, optional
        Cluster labels for "cr*"; G - 1 degrees of freedom, Satterthwaite's for "cr2".
    conf_level : float

    Returns
    -------
    Ancova
        The difference has n - k degrees of freedom unless there are clusters.

    Raises
    ------
    AnalysisError
        A missing value; an empty arm; a constant or collinear covariate; clusters without "cr*" or the
        other way round.

    Notes
    -----
    With interactions the covariates' means are taken as fixed: the interval is for people with these
    covariates. For the population use `standardised_means` with ``model="linear"``.

    References
    ----------
    Lin (2013), Annals of Applied Statistics 7:295-318.
    Long & Ervin (2000), American Statistician 54:217-224 (HC3 in small samples).

    Examples
    --------
    >>> hours, before = [10, 0, 25, 40, 0, 0, 30, 5], [2, 0, 1, 4, 1, 0, 5, 0]
    >>> result = ancova(hours, [1, 1, 1, 1, 0, 0, 0, 0], before)
    >>> print(f"{result.difference.estimate:.1f} (SE {result.difference.std_error:.1f})")
    8.3 (SE 7.5)
    """
    design = arm_design(arm, covariates, interaction=interaction)
    X, values = design.observed, outcomes(y, design.in_active)
    members = None if cluster is None else cluster_codes(cluster, values.size)
    fit = canonical_fit(values, X, "linear", design.names)
    covariance = coefficient_covariance(fit, values, X, variance, members)
    residual, total = float(((values - fit.mean) ** 2).sum()), float(((values - values.mean()) ** 2).sum())
    difference = wald_contrast(
        float(fit.coefficients[1]),
        float(np.sqrt(covariance[1, 1])),
        coefficient_df(fit, X, variance, members, 1),
        conf_level=conf_level,
    )
    if residual <= 1e-24 * float(values @ values):  # rounding would pass for information
        nan = float("nan")
        difference = Contrast(difference.estimate, nan, nan, nan, nan, nan, nan, NO_SPREAD)
    return Ancova(
        difference=difference,
        mean_1=float((design.active @ fit.coefficients).mean()),
        mean_0=float((design.reference @ fit.coefficients).mean()),
        coefficients=fit.coefficients,
        covariance=covariance,
        names=design.names,
        residual_sd=float(np.sqrt(fit.dispersion)),
        r_squared=1.0 - residual / total if total else float("nan"),
        variance=variance,
        n_1=int(design.in_active.sum()),
        n_0=int((~design.in_active).sum()),
    )
