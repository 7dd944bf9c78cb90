"""Population-averaged probabilities, from a random-intercept logistic regression or estimating equations.

A coefficient of the former compares two persons with the same intercept. What a population would show is
the probability averaged over the intercepts, the integral of p(x'beta + sd z) phi(z) dz with p the inverse of
the link: it says how many more people would be in work. Estimating equations model that probability itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.links import LOGIT, Link
from ipseval.stats.repeated.estimating_equations import EstimatingEquations
from ipseval.stats.repeated.random_intercept_logistic import RandomInterceptLogistic, require_estimates

Floats = NDArray[np.float64]

_MEASURES = ("difference", "ratio", "odds_ratio")
# The standard normal density beyond 9 is below 1e-18.
_RANGE = 9.0


@dataclass(frozen=True)
class Comparison:
    """One population-averaged probability against another.

    ``std_error`` is on the scale of the limits: of the difference itself, or of the log of a ratio.
    """

    measure: str
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_level: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True)
class PopulationAveraged:
    """Population-averaged probabilities, one per target, with their joint covariance.

    Attributes
    ----------
    target : (targets,) array
        Labels in order: row numbers, unless rows were averaged.
    probability : (targets,) array
    covariance : (targets, targets) array
        By the delta method over (coefficients, log sd), rows of covariates held fixed.
    df : float
        Degrees of freedom of every interval and test; infinite for the normal distribution.
    """

    target: NDArray[Any]
    probability: Floats
    covariance: Floats
    df: float = float("inf")

    @property
    def std_error(self) -> Floats:
        """Standard errors of the probabilities."""
        return np.sqrt(np.diag(self.covariance))

    def limits(self, conf_level: float = 0.95) -> tuple[Floats, Floats]:
        """Return confidence limits of the probabilities, symmetric on the logit scale."""
        p = self.probability
        half = self._quantile(conf_level) * self.std_error / (p * (1.0 - p))
        return expit(logit(p) - half), expit(logit(p) + half)

    def compare(
        self, active: object, reference: object, *, measure: str = "difference", conf_level: float = 0.95
    ) -> Comparison:
        """Return the active target minus (or over) the reference target.

        Parameters
        ----------
        active, reference : labels in `target`
        measure : "difference", "ratio" or "odds_ratio"
            Limits are symmetric around a difference, and on the log scale around a ratio.
        conf_level : float
        """
        checks.one_of(measure, _MEASURES, "measure")
        chosen = [self._position(active), self._position(reference)]
        p, covariance = self.probability[chosen], self.covariance[np.ix_(chosen, chosen)]
        scaled, slope = {
            "difference": (p, np.ones(2)),
            "ratio": (np.log(p), 1.0 / p),
            "odds_ratio": (logit(p), 1.0 / (p * (1.0 - p))),
        }[measure]
        value = float(scaled[0] - scaled[1])
        slope = slope * np.array([1.0, -1.0])
        std_error = float(np.sqrt(slope @ covariance @ slope))
        half = self._quantile(conf_level) * std_error
        estimate, low, high = (
            x if measure == "difference" else float(np.exp(x)) for x in (value, value - half, value + half)
        )
        return Comparison(
            measure=measure,
            estimate=estimate,
            std_error=std_error,
            statistic=value / std_error,
            p_value=self._two_sided(value / std_error),
            conf_level=conf_level,
            conf_low=low,
            conf_high=high,
        )

    def joined_limits(
        self, active: object, reference: object, *, conf_level: float = 0.95
    ) -> tuple[float, float]:
        """Return limits of a difference, joined from the logit limits of both targets.

        The distances of the limits from their estimates are added as the sides of a triangle, with the
        correlation of the two estimates, so that the difference stays within -1 and 1.

        References
        ----------
        Zou & Donner (2008), Statistics in Medicine 27:1693-1702.
        """
        (low, high), p = self.limits(conf_level), self.probability
        one, other = self._position(active), self._position(reference)
        correlation = self.covariance[one, other] / (self.std_error[one] * self.std_error[other])

        def side(a: float, b: float) -> float:
            return float(np.sqrt(a**2 + b**2 - 2.0 * correlation * a * b))

        difference = float(p[one] - p[other])
        below = side(p[one] - low[one], high[other] - p[other])
        above = side(high[one] - p[one], p[other] - low[other])
        return difference - below, difference + above

    def with_averages(self, averages: Mapping[str, Mapping[str, float]]) -> PopulationAveraged:
        """Return the targets and, behind them, weighted means of some of them under a new label each.

        Parameters
        ----------
        averages : mapping of str to mapping
            By the new label: the targets to average, with weights of any positive sum.
        """
        rows = np.zeros((len(averages), len(self.target)))
        for row, weights in zip(rows, averages.values(), strict=True):
            row[[self._position(label) for label in weights]] = list(weights.values())
        taken = np.vstack([np.eye(len(self.target)), rows / rows.sum(axis=1, keepdims=True)])
        return PopulationAveraged(
            target=np.array([*self.target.tolist(), *averages]),
            probability=taken @ self.probability,
            covariance=taken @ self.covariance @ taken.T,
            df=self.df,
        )

    def _quantile(self, conf_level: float) -> float:
        upper = 0.5 + checks.confidence(conf_level) / 2.0
        return float(ndtri(upper) if np.isinf(self.df) else stdtrit(self.df, upper))

    def _two_sided(self, statistic: float) -> float:
        below = -abs(statistic)
        return float(2.0 * (ndtr(below) if np.isinf(self.df) else stdtr(self.df, below)))

    def _position(self, label: object) -> int:
        found = np.flatnonzero(self.target == label)
        if found.size != 1:
            listed = checks.named_list((repr(name) for name in self.target.tolist()), at_most=6)
            raise AnalysisError(f"{label!r} is not a target (found: {listed}). Pass one of these.")
        return int(found[0])


def population_averaged(
    fit: RandomInterceptLogistic,
    X: ArrayLike,
    *,
    target: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> PopulationAveraged:
    """Population-averaged probabilities for rows of covariates, or averaged over sets of rows.

    To standardise over covariates, stack X for everyone as if in one arm and month, once per arm and month,
    and label the copies with `target`.

    Parameters
    ----------
    fit : RandomInterceptLogistic
    X : (rows, columns) array
        Covariates, columns as in the fit.
    target : (rows,) array of labels, optional
        Rows with the same label are averaged. By default every row is its own target.
    weights : (rows,) array, optional
        Weights of the rows within their target, 0 or more.

    Returns
    -------
    PopulationAveraged
        Targets in sorted order. The covariates are taken as fixed: standard errors are for these people, not
        for a population that they were drawn from.

    Raises
    ------
    AnalysisError
        If the fit has no estimates, the columns do not match, or values are missing.

    Notes
    -----
    The integral is a trapezoidal sum over z in [-9, 9]. Its integrand is analytic for abs(Im z) < pi / sd, so
    the error falls geometrically in the number of nodes: a step of min(1, 1 / sd) / 2 leaves about 1e-15
    (Trefethen & Weideman 2014, theorem 5.1). Under the complementary log-log link it is bounded for half of
    that, and the step is half as long. Agrees with R's ``integrate`` to 1e-9.

    References
    ----------
    Zeger, Liang & Albert (1988), Biometrics 44:1049-1060.
    Trefethen & Weideman (2014), SIAM Review 56:385-458.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
    >>> person, arm = np.repeat(np.arange(8), 3), np.repeat([0, 1], 12)
    >>> employed = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1]
    >>> fit = random_intercept_logistic(employed, np.c_[np.ones(24), arm], person)
    >>> average = population_averaged(fit, [[1, 0], [1, 1]])
    >>> difference = average.compare(1, 0)
    >>> print(f"{difference.estimate:.3f} (SE {difference.std_error:.3f})")
    0.408 (SE 0.234)
    """
    require_estimates(fit)
    rows = checks.float_array(X, "X")
    if rows.ndim != 2 or rows.shape[1] != fit.coefficients.size:
        raise AnalysisError(
            f"X has shape {rows.shape}; the fit has {fit.coefficients.size} columns. "
            f"Pass rows with these columns."
        )
    labels = np.arange(len(rows)) if target is None else np.asarray(target)
    share = np.ones(len(rows)) if weights is None else checks.float_array(weights, "weights")
    checks.same_length(X=rows, target=labels, weights=share)
    if n_negative := int((share < 0.0).sum()):
        raise AnalysisError(f"weights are negative for {n_negative} of {share.size} rows. Pass 0 or more.")
    names, position = np.unique(labels, return_inverse=True)
    total = np.bincount(position, share)
    if (total <= 0.0).any():
        raise AnalysisError(f"weights sum to 0 for {int((total <= 0.0).sum())} of {names.size} targets.")
    average = share / total[position]
    linear, where = np.unique(rows @ fit.coefficients, return_inverse=True)
    probability, by_linear, by_log_sd = (
        values[where] for values in marginal_probability(linear, fit.random_intercept_sd, fit.link)
    )
    slope = np.zeros((names.size, rows.shape[1] + 1))
    np.add.at(slope, position, average[:, None] * np.c_[by_linear[:, None] * rows, by_log_sd])
    covariance = fit.covariance
    if fit.at_boundary:  # log sd has no variance there, and the probabilities no slope in it
        slope, covariance = slope[:, :-1], covariance[:-1, :-1]
    return PopulationAveraged(
        target=names,
        probability=np.bincount(position, average * probability).astype(np.float64, copy=False),
        covariance=slope @ covariance @ slope.T,
    )


def standardised(
    fit: EstimatingEquations, X: ArrayLike, *, target: ArrayLike, variance: str = "mancl_derouen"
) -> PopulationAveraged:
    """Probabilities of a logistic GEE averaged over sets of rows, with t intervals.

    Parameters
    ----------
    fit : EstimatingEquations
        Of the logistic model.
    X : (rows, columns) array
        Covariates of everyone as if in one arm and month, columns as in the fit.
    target : (rows,) array of labels
        Rows with the same label are averaged.
    variance : str
        One of `ipseval.stats.repeated.estimating_equations.VARIANCES`.

    Returns
    -------
    PopulationAveraged
        Targets in sorted order, by the delta method, rows of covariates held fixed; degrees of freedom as
        those of the fit, people less coefficients.
    """
    rows = checks.float_array(X, "X")
    names, position = np.unique(np.asarray(target), return_inverse=True)
    average = 1.0 / np.bincount(position)[position]
    probability = expit(rows @ fit.coefficients)
    slope = np.zeros((names.size, rows.shape[1]))
    np.add.at(slope, position, (average * probability * (1.0 - probability))[:, None] * rows)
    return PopulationAveraged(
        target=names,
        probability=np.bincount(position, average * probability).astype(np.float64, copy=False),
        covariance=slope @ fit.covariances[variance] @ slope.T,
        df=float(fit.df),
    )


def marginal_probability(linear: Floats, sd: float, link: Link = LOGIT) -> tuple[Floats, Floats, Floats]:
    """Return the integral of p(linear + sd z) phi(z) dz, and its slopes in `linear` and in log sd."""
    n_steps = int(np.ceil(2.0 * _RANGE * max(1.0, sd))) * (1 if link is LOGIT else 2)
    z = np.linspace(-_RANGE, _RANGE, 2 * n_steps + 1)
    density = np.exp(-0.5 * z**2)
    density /= density.sum()
    conditional, slope = link.probability(np.asarray(linear)[:, None] + sd * z)
    return conditional @ density, slope @ density, slope @ (sd * z * density)
