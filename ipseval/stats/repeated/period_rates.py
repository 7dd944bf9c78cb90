"""Rates of an amount per time in successive periods, population-averaged, whatever its distribution.

A log-linear model of the mean, fitted as if periods were independent, with a variance that sums over people
first: generalised estimating equations with working independence. Without covariates the fitted rate of an
arm in a period is what its people had there over the time they were seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.negative_binomial import poisson_maximum
from ipseval.stats.regression.binomial_logistic import scaled_inverse
from ipseval.stats.regression.marginal_contrasts import Contrast
from ipseval.stats.repeated.log_linear_means import MarginalMeans, log_contrast, log_linear_means

Floats = NDArray[np.float64]

VARIANCES = ("mancl_derouen", "robust")


@dataclass(frozen=True)
class PeriodRates:
    """Fitted rates.

    Attributes
    ----------
    coefficients : (columns,) array
        Logs of rates and rate ratios.
    covariance : (columns, columns) array
    df : float
        Of limits and tests: people with any, less columns; missing where none is left.
    n_observations, n_people, n_with_any : int
    """

    coefficients: Floats
    covariance: Floats
    df: float
    n_observations: int
    n_people: int
    n_with_any: int

    def log_contrast(self, weights: ArrayLike, *, conf_level: float = 0.95, is_log: bool = True) -> Contrast:
        """Return a combination of coefficients as a ratio of rates (or, ``is_log`` False, as its log)."""
        return log_contrast(
            weights, self.coefficients, self.covariance, self.df, conf_level=conf_level, is_log=is_log
        )

    def means(self, X: ArrayLike, target: ArrayLike, exposure: ArrayLike) -> MarginalMeans:
        """Return mean amounts over ``exposure``, averaged by target; see `log_linear_means`."""
        return log_linear_means(self.coefficients, self.covariance, self.df, X, target, exposure)


def period_rates(
    y: ArrayLike,
    X: ArrayLike,
    person: ArrayLike,
    *,
    exposure: ArrayLike,
    variance: str = "mancl_derouen",
    names: tuple[str, ...] = (),
) -> PeriodRates:
    """Return rates and rate ratios by estimating equations with working independence, people as clusters.

    Time that was not seen is simply not in ``exposure``. The answer is then valid if it is missing completely
    at random given X, period by period.

    Parameters
    ----------
    y : (rows,) array
        Amounts of 0 or more, one per person and period; they need not be whole.
    X : (rows, columns) array
        Covariates, with a column of ones for the intercept, or columns that add up to it.
    person : (rows,) array of labels
    exposure : (rows,) array
        Time observed, above 0.
    variance : {"mancl_derouen", "robust"}
        The sandwich, the first corrected for few people.
    names : tuple of str, optional
        What the columns are called in an error.

    Returns
    -------
    PeriodRates

    Raises
    ------
    AnalysisError
        Amounts that are missing, negative or all as the rates say; an exposure of 0; columns whose rows are
        all 0, as an arm without any in a period: a rate of 0 has no logarithm.

    Notes
    -----
    The robust variance is that of geepack's ``geeglm(corstr = "independence")`` with an offset, and of
    ``sandwich::vcovCL(type = "HC0", cadjust = FALSE)``. Mancl and DeRouen's multiplies each person's
    residuals by (I - H)^-1 first. Limits and tests are t on the people with any less the columns.

    References
    ----------
    Liang & Zeger (1986), Biometrika 73:13-22. Mancl & DeRouen (2001), Biometrics 57:126-134, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.repeated.period_rates import period_rates
    >>> hours = [0, 0, 4, 9, 40, 60, 0, 3, 0, 30, 55, 62, 0, 1, 5, 8, 6, 20]
    >>> arm, person = np.repeat([0, 1] * 3, 3), np.repeat(np.arange(6), 3)
    >>> fit = period_rates(hours, np.c_[np.ones(18), arm], person, exposure=np.full(18, 90))
    >>> round(fit.log_contrast([0, 1]).estimate, 3), round(290 / 13, 3)
    (22.308, 22.308)
    """
    checks.one_of(variance, VARIANCES, "variance")
    amount, design = checks.float_array(y, "y"), checks.float_array(X, "X")
    time, labels = checks.float_array(exposure, "exposure"), np.asarray(person)
    checks.same_length(y=amount, X=design, person=labels, exposure=time)
    checks.not_negative(amount, "y")
    if wrong := int((time <= 0).sum()):
        raise AnalysisError(
            f"exposure is not above 0 for {wrong} of {time.size} rows. Leave out what was never observed."
        )
    code = np.asarray(pd.factorize(labels)[0], dtype=np.intp)
    offset = np.log(time)
    beta = poisson_maximum(amount, design, offset, names)
    mean = np.exp(offset + design @ beta)
    if np.abs(amount - mean).max() < 1e-9 * mean.max():
        raise AnalysisError(
            f"All {amount.size} amounts are what the rates say, so that nothing tells how sure these are. "
            f"Report the amounts."
        )
    bread = scaled_inverse((design.T * mean) @ design)
    people = int(code.max()) + 1
    with_any = int(np.count_nonzero(np.bincount(code, amount)))
    scores = np.zeros((people, beta.size))
    np.add.at(scores, code, (amount - mean)[:, None] * design)
    if variance == "mancl_derouen":
        scores = _with_leverage(scores, design, mean, bread, code)
    return PeriodRates(
        coefficients=beta,
        covariance=bread @ (scores.T @ scores) @ bread,
        df=float(with_any - beta.size) if with_any > beta.size else np.nan,
        n_observations=amount.size,
        n_people=people,
        n_with_any=with_any,
    )


def _with_leverage(scores: Floats, X: Floats, mean: Floats, bread: Floats, code: NDArray[np.intp]) -> Floats:
    """Return each person's score from residuals times (I - H)^-1.

    With canonical link and independence, H = D B X' for D the means times X, and X'(I - H)^-1 r is
    (I - X'D B)^-1 X'r: a matrix as small as there are columns.
    """
    own = np.zeros((len(scores), X.shape[1], X.shape[1]))
    np.add.at(own, code, (X * mean[:, None])[:, :, None] * X[:, None, :])
    corrected = np.linalg.solve(np.eye(X.shape[1]) - own @ bread, scores[:, :, None])[:, :, 0]
    return np.asarray(corrected, dtype=np.float64)
