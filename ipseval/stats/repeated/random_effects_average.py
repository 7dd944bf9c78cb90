"""Population-averaged probabilities of logistic regressions with more than a person's intercept.

What a population would show is the probability averaged over all random effects of a row: the integral of
expit(x'beta + sd z) phi(z) dz, with sd^2 the variance of their sum, which may differ from row to row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.population_average import PopulationAveraged, marginal_probability
from ipseval.stats.repeated.random_effects_logistic import RandomEffectsLogistic, require_estimates

Floats = NDArray[np.float64]


def averaged_over_effects(
    fit: RandomEffectsLogistic, X: ArrayLike, weights: Floats, *, target: ArrayLike
) -> PopulationAveraged:
    """Population-averaged probabilities, averaged over sets of rows of covariates.

    Parameters
    ----------
    fit : RandomEffectsLogistic
    X : (rows, columns) array
        Covariates, columns as in the fit.
    weights : (rows, effects, loadings) array
        Of each row's sum of random effects, as `RandomEffectsLogistic.variance` takes them.
    target : (rows,) array of labels
        Rows with the same label are averaged.

    Returns
    -------
    PopulationAveraged
        Targets in sorted order, with their covariance by the delta method over coefficients and loadings.
        The covariates are taken as fixed.

    Raises
    ------
    AnalysisError
        If the fit has no estimates, the columns do not match, or values are missing.

    References
    ----------
    Zeger, Liang & Albert (1988), Biometrics 44:1049-1060.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.repeated.nested_logistic import nested_logistic
    >>> person, site = np.repeat(np.arange(12), 3), np.repeat([0, 1, 2, 3], 9)
    >>> answers = "000 001 111 111 110 111 000 100 000 111 110 001".replace(" ", "")
    >>> fit = nested_logistic([int(a) for a in answers], np.ones((36, 1)), person, site)
    >>> everyone = averaged_over_effects(fit, [[1.0]], fit.weights_of_both[None], target=["all"])
    >>> print(f"{everyone.probability[0]:.2f}")
    0.53
    """
    require_estimates(fit)
    rows = checks.float_array(X, "X")
    if rows.ndim != 2 or rows.shape[1] != fit.coefficients.size:
        raise AnalysisError(
            f"X has shape {rows.shape}; the fit has {fit.coefficients.size} columns. "
            f"Pass rows with these columns."
        )
    names, position = np.unique(np.asarray(target), return_inverse=True)
    checks.same_length(X=rows, target=position, weights=weights)
    share = 1.0 / np.bincount(position)[position]
    probability, by_linear, by_variance = _marginal(rows @ fit.coefficients, fit.variance(weights)[0])
    by_loadings = by_variance[:, None] * fit.variance(weights)[1]
    slope = np.zeros((names.size, fit.covariance.shape[0]))
    np.add.at(slope, position, share[:, None] * np.c_[by_linear[:, None] * rows, by_loadings])
    return PopulationAveraged(
        target=names,
        probability=np.bincount(position, share * probability).astype(np.float64, copy=False),
        covariance=slope @ fit.covariance @ slope.T,
    )


def _marginal(linear: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """Return probabilities and their slopes in the linear predictor and in the variance, row by row."""
    probability, by_linear, by_variance = (np.empty_like(linear) for _ in range(3))
    for value in np.unique(variance):
        here = variance == value
        distinct, where = np.unique(linear[here], return_inverse=True)
        found = marginal_probability(distinct, float(np.sqrt(value)))
        probability[here], by_linear[here], by_log_sd = (values[where] for values in found)
        # At a variance of zero every loading in it is zero, and so is its slope: 0 stands for any number.
        by_variance[here] = by_log_sd / (2.0 * value) if value > 0.0 else 0.0
    return probability, by_linear, by_variance
