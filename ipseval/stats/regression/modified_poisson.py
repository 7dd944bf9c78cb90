"""Adjusted ratio of two proportions by Poisson regression with a robust variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import arm_design, outcomes
from ipseval.stats.regression.marginal_contrasts import Contrast, wald_contrast
from ipseval.stats.regression.robust_variance import cluster_codes, coefficient_covariance, coefficient_df

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ModifiedPoisson:
    """An adjusted ratio, and the log-linear model that it comes from.

    Attributes
    ----------
    ratio : Contrast
        Active over reference arm, at the same covariates; its ``std_error`` is that of the log.
    coefficients : (k,) array
        Logs of ratios.
    covariance : (k, k) array
    names : tuple of str
        "intercept", "arm", "covariate 0", ...
    variance : str
    n_1, n_0 : int
        People in the active and the reference arm.
    """

    ratio: Contrast
    coefficients: Floats
    covariance: Floats
    names: tuple[str, ...]
    variance: str
    n_1: int
    n_0: int


def modified_poisson(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    variance: str = "hc0",
    cluster: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> ModifiedPoisson:
    """Return the adjusted ratio of two proportions from a Poisson model with a sandwich variance.

    The ratio is taken to be the same at all covariates; fitted proportions may exceed 1. Where that matters,
    `standardised_means` gives a marginal ratio from a logistic model.

    Parameters
    ----------
    y : array_like, one outcome per person
        0 or 1 (or a count). Missing outcomes are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers; categories as indicators without their reference level.
    variance : str
        "hc0" (default) is Zou's, and without covariates equals the log interval of `risk_ratio`; "hc1",
        "hc2" and "hc3" correct for small samples; "cr0" ... "cr3" sum over clusters; "model" believes that
        the variance equals the mean, and is too wide for a yes/no outcome. See `coefficient_covariance`.
    cluster : array_like, optional
        Cluster labels for "cr*"; t limits on G - 1 degrees of freedom, Satterthwaite's for "cr2".
    conf_level : float

    Returns
    -------
    ModifiedPoisson
        ``ratio.note`` says for how many people the fitted proportion exceeds 1.

    Raises
    ------
    AnalysisError
        A missing value; an empty arm; nobody with the outcome in an arm or level; a constant or collinear
        covariate; clusters without "cr*" or the other way round.

    References
    ----------
    Zou (2004), American Journal of Epidemiology 159:702-706.

    Examples
    --------
    >>> had_job = [1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0]
    >>> ratio = modified_poisson(had_job, [1] * 6 + [0] * 6).ratio
    >>> print(f"{ratio.estimate:.2f}, {ratio.conf_low:.2f} to {ratio.conf_high:.2f}")
    2.00, 0.56 to 7.09
    """
    design = arm_design(arm, covariates)
    X, values = design.observed, outcomes(y, design.in_active)
    members = None if cluster is None else cluster_codes(cluster, values.size)
    fit = canonical_fit(values, X, "poisson", design.names)
    covariance = coefficient_covariance(fit, values, X, variance, members)
    ratio = wald_contrast(
        float(fit.coefficients[1]),
        float(np.sqrt(covariance[1, 1])),
        coefficient_df(fit, X, variance, members, 1),
        conf_level=conf_level,
        is_log=True,
    )
    if values.max() <= 1 and (above := int((fit.mean > 1).sum())):
        ratio = ratio._replace(note=f"The fitted proportion exceeds 1 for {above} of {values.size} people.")
    return ModifiedPoisson(
        ratio=ratio,
        coefficients=fit.coefficients,
        covariance=covariance,
        names=design.names,
        variance=variance,
        n_1=int(design.in_active.sum()),
        n_0=int((~design.in_active).sum()),
    )
