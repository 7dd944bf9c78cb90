"""Profile likelihood of a random-intercept regression: limits of a coefficient and of the sd, and a test.

Where the likelihood is not a parabola, as for a standard deviation or with few events, Wald's limits lean on
its curvature at the top alone. Profile limits are the values that a likelihood-ratio test does not reject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ipseval import checks
from ipseval.stats.repeated.quadrature import LARGEST_SD, Path, maximise
from ipseval.stats.repeated.random_intercept_logistic import RandomInterceptLogistic, require_estimates

Floats = NDArray[np.float64]

_ITERATIONS = 50
_TOLERANCE = 1e-8
# Below the first the sd is on its way to 0; the second is 0 to all that the likelihood can tell.
_LOW_SD, _ZERO_SD = 0.01, 1e-5


def profile_limits(
    fit: RandomInterceptLogistic, column: int, conf_level: float = 0.95
) -> tuple[float, float]:
    """Return the profile-likelihood limits of a coefficient.

    Parameters
    ----------
    fit : RandomInterceptLogistic
    column : int
        Of X.
    conf_level : float

    Returns
    -------
    tuple of float
        Where twice the fall of the log-likelihood, maximised over all other coefficients and the standard
        deviation, is the chi-squared quantile with one degree of freedom. A limit is missing if the
        standard deviation leaves its range before the likelihood has fallen that far.

    Raises
    ------
    AnalysisError
        If the fit has no estimates.

    Notes
    -----
    Newton's method on the signed root of the fall, whose slope by the coefficient needs no more than the
    gradient at the constrained maximum. Agrees to 1e-6 with a general search in R (case c13).

    References
    ----------
    Venzon & Moolgavkar (1988), Applied Statistics 37:87-94.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
    >>> person = np.repeat(np.arange(6), 3)
    >>> employed = [0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0]
    >>> fit = random_intercept_logistic(employed, np.ones((18, 1)), person)
    >>> print("{:.2f} to {:.2f}".format(*profile_limits(fit, 0)))
    -3.99 to 1.76
    """
    require_estimates(fit)
    profile = _Profile(fit, column)
    reach = _quantile(conf_level)
    half = reach * float(fit.std_error[column])
    estimate = float(fit.coefficients[column])
    return profile.where(-reach, estimate - half), profile.where(reach, estimate + half)


def profile_sd_limits(fit: RandomInterceptLogistic, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the profile-likelihood limits of the standard deviation of the intercepts.

    The lower limit is 0 if a standard deviation of 0 is not rejected at this level by the chi-squared
    distribution with one degree of freedom. Also at the boundary there is an upper limit. See
    `profile_limits`.
    """
    require_estimates(fit)
    profile = _Profile(fit, fit.coefficients.size)
    reach, sd = _quantile(conf_level), fit.random_intercept_sd
    fall = 2.0 * (fit.log_likelihood - fit.log_likelihood_sd_zero)
    first = 0.5 if fit.at_boundary else float(np.exp(reach * fit.std_error_log_sd))
    low = 0.0 if fall < reach**2 else profile.where(-reach, sd / first)
    return low, profile.where(reach, first if fit.at_boundary else sd * first)


def signed_root(fit: RandomInterceptLogistic, column: int, null: float = 0.0) -> float:
    """Return the signed root of the likelihood-ratio statistic that a coefficient is `null`.

    Standard normal if it is; positive where the estimate is above. Missing if the model cannot be fitted
    with this coefficient fixed.
    """
    require_estimates(fit)
    return -_Profile(fit, column).at(null)[0]


def _quantile(conf_level: float) -> float:
    return float(ndtri(0.5 + checks.confidence(conf_level) / 2.0))


@dataclass
class _Profile:
    """The likelihood of one parameter, the others maximised over: a coefficient, or last of all the sd.

    ``last`` is where the others were last found, from which the next search starts.
    """

    fit: RandomInterceptLogistic
    place: int
    last: Floats | None = None

    @property
    def is_sd(self) -> bool:
        return self.place == self.fit.coefficients.size

    @property
    def estimate(self) -> float:
        return float(self.fit.random_intercept_sd if self.is_sd else self.fit.coefficients[self.place])

    def at(self, value: float) -> tuple[float, float]:
        """Return the signed root of twice the fall at a value, and its slope; missing where there is none."""
        path = self._maximum(value)
        if not path.converged:
            return np.nan, np.nan
        self.last = path.theta
        fall = 2.0 * max(0.0, self.fit.log_likelihood - path.here.value)
        root = float(np.copysign(np.sqrt(fall), value - self.estimate))
        slope = float(path.here.gradient[self.place]) / (value if self.is_sd else 1.0)
        return root, -slope / root if root else np.nan

    def where(self, target: float, start: float) -> float:
        """Return the value at which the signed root is `target`; missing if there is none in range.

        Newton's method between ends that are known to lie on either side.
        """
        low, high = (self.estimate, np.inf) if target > 0.0 else (-np.inf, self.estimate)
        low = max(low, 0.0) if self.is_sd else low
        value = start
        for _ in range(_ITERATIONS):
            if self.is_sd and value > LARGEST_SD:
                return np.nan
            root, slope = self.at(value)
            if np.isnan(root) or abs(root - target) < _TOLERANCE:
                return np.nan if np.isnan(root) else value
            low, high = (value, high) if root < target else (low, value)
            value += (target - root) / slope
            if not low < value < high:
                value = 0.5 * (low + high)
        return np.nan

    def _maximum(self, value: float) -> Path:
        """Return the constrained maximum; where the sd tends to 0, that of ordinary regression."""
        fit, theta = self.fit, self._start(value)
        last = theta.size - 1
        if self.is_sd:
            return maximise(theta, fit.cells, fit.points, lowest_sd=_ZERO_SD / 2.0, fixed=(last,))
        path = maximise(theta, fit.cells, fit.points, lowest_sd=_LOW_SD, fixed=(self.place,))
        if not path.at_lowest_sd:
            return path
        theta = path.theta.copy()
        theta[-1] = np.log(_ZERO_SD)
        fixed = (self.place, last)
        return maximise(theta, fit.cells, fit.points, lowest_sd=_ZERO_SD / 2.0, fixed=fixed)

    def _start(self, value: float) -> Floats:
        """Return parameters near the constrained maximum: of the last one, or along the covariance."""
        fit = self.fit
        theta: Floats = np.r_[fit.coefficients, np.log(fit.random_intercept_sd or 1.0)]
        if self.last is not None:
            theta = self.last.copy()
        elif not fit.at_boundary:
            step = np.log(value / self.estimate) if self.is_sd else value - self.estimate
            theta += step * fit.covariance[:, self.place] / fit.covariance[self.place, self.place]
        if self.is_sd:
            theta[-1] = np.log(value)
        else:
            theta[self.place] = value
            theta[-1] = max(theta[-1], np.log(2.0 * _LOW_SD))
        return theta
