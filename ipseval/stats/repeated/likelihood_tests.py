"""Tests in a random-intercept logistic regression: Wald, likelihood ratio, variance of the intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.random_intercept_logistic import RandomInterceptLogistic, require_estimates


@dataclass(frozen=True)
class ChiSquaredTest:
    """A test statistic, its degrees of freedom, and the p-value."""

    statistic: float
    df: int
    p_value: float


def wald_test(fit: RandomInterceptLogistic, contrasts: ArrayLike) -> ChiSquaredTest:
    """Wald test that all contrasts of the coefficients are zero.

    Parameters
    ----------
    fit : RandomInterceptLogistic
    contrasts : (tests, columns) or (columns,) array
        One row per contrast; the rows must be linearly independent.
    """
    require_estimates(fit)
    rows = np.atleast_2d(checks.float_array(contrasts, "contrasts"))
    if rows.shape[1] != fit.coefficients.size or np.linalg.matrix_rank(rows) < len(rows):
        raise AnalysisError(
            f"contrasts of shape {rows.shape} do not fit {fit.coefficients.size} coefficients, or repeat "
            f"each other. Pass linearly independent rows with one entry per coefficient."
        )
    value = rows @ fit.coefficients
    statistic = float(value @ np.linalg.solve(rows @ fit.covariance[:-1, :-1] @ rows.T, value))
    return ChiSquaredTest(statistic, len(rows), float(chdtrc(len(rows), statistic)))


def likelihood_ratio_test(fit: RandomInterceptLogistic, reduced: RandomInterceptLogistic) -> ChiSquaredTest:
    """Likelihood-ratio test of a fit against one with fewer columns, on the same rows.

    That the columns of the reduced fit are spanned by those of the other is for the caller to see to.
    """
    require_estimates(fit)
    require_estimates(reduced)
    df = fit.coefficients.size - reduced.coefficients.size
    same_rows = (fit.n_observations, fit.n_groups) == (reduced.n_observations, reduced.n_groups)
    if df < 1 or not same_rows or fit.points != reduced.points:
        raise AnalysisError(
            f"The fits are not nested: {fit.coefficients.size} v {reduced.coefficients.size} columns, "
            f"{fit.n_observations} v {reduced.n_observations} rows, {fit.points} v {reduced.points} points. "
            f"Fit both to the same rows with the same points, the larger one first."
        )
    statistic = max(0.0, 2.0 * (fit.log_likelihood - reduced.log_likelihood))
    return ChiSquaredTest(statistic, df, float(chdtrc(df, statistic)))


def intercept_variance_test(fit: RandomInterceptLogistic) -> ChiSquaredTest:
    """Likelihood-ratio test that the intercepts do not vary (sd = 0).

    The null value lies on the boundary: the statistic is 0 with probability one half, and chi-squared with
    one degree of freedom otherwise (Self & Liang 1987, case 5).
    """
    require_estimates(fit)
    statistic = max(0.0, 2.0 * (fit.log_likelihood - fit.log_likelihood_sd_zero))
    p_value = 0.5 * float(chdtrc(1, statistic)) if statistic > 0.0 else 1.0
    return ChiSquaredTest(statistic, 1, p_value)
