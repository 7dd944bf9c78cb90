"""Mean amounts of a log-linear model over people, their differences and ratios, and contrasts of rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtrc, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.marginal_contrasts import Contrast, wald_contrast

Floats = NDArray[np.float64]

#: A standard error this small, relative to its mean, is that of adding numbers up.
_ROUNDING = 1e-10


@dataclass(frozen=True)
class MarginalMeans:
    """Mean amounts averaged over people, one per target, with their joint covariance.

    Attributes
    ----------
    mean : (targets,) array
    covariance : (targets, targets) array
        By the delta method, rows of covariates held fixed.
    df : float
        As those of the fit.
    """

    mean: Floats
    covariance: Floats
    df: float

    @property
    def std_error(self) -> Floats:
        """Standard errors of the means."""
        return np.sqrt(np.diag(self.covariance))

    def limits(self, conf_level: float = 0.95) -> tuple[Floats, Floats]:
        """Return confidence limits of the means, symmetric on the log scale."""
        half = stdtrit(self.df, 0.5 + checks.confidence(conf_level) / 2.0)
        times = np.exp(half * self.std_error / self.mean)
        return self.mean / times, self.mean * times

    def with_totals(self, totals: ArrayLike) -> MarginalMeans:
        """Return the targets and, behind them, sums of some of them: a row of weights for each sum."""
        taken = np.vstack([np.eye(self.mean.size), checks.float_array(totals, "totals")])
        return MarginalMeans(taken @ self.mean, taken @ self.covariance @ taken.T, self.df)

    def ratio(self, active: int, reference: int, *, conf_level: float = 0.95) -> Contrast:
        """Return the mean of one target over that of another, by the delta method on the log scale."""
        m = self.mean
        error = self._spread(active, reference, 1.0 / m[active], 1.0 / m[reference])
        value = float(np.log(m[active] / m[reference]))
        return wald_contrast(value, error, self.df, conf_level=conf_level, is_log=True)

    def difference(self, active: int, reference: int, *, conf_level: float = 0.95) -> Contrast:
        """Return the mean of one target less that of another.

        The limits are joined from those of both means, with the correlation of the two, and so lean as they
        do; ``std_error`` is the delta method's, statistic and p value are of the ratio, which is 1 where the
        difference is 0.

        References
        ----------
        Zou & Donner (2008), Statistics in Medicine 27:1693-1702.
        """
        (low, high), m, error = self.limits(conf_level), self.mean, self.std_error
        both = error[active] * error[reference]
        correlation = self.covariance[active, reference] / both if both else 0.0

        def side(a: float, b: float) -> float:
            return float(np.sqrt(np.maximum(a**2 + b**2 - 2.0 * correlation * a * b, 0.0)))

        value = float(m[active] - m[reference])
        return self.ratio(active, reference, conf_level=conf_level)._replace(
            estimate=value,
            std_error=self._spread(active, reference, 1.0, 1.0),
            conf_low=value - side(m[active] - low[active], high[reference] - m[reference]),
            conf_high=value + side(high[active] - m[active], m[reference] - low[reference]),
        )

    def _spread(self, active: int, reference: int, one: float, other: float) -> float:
        """Return the standard error of ``one`` times the active less ``other`` times the reference mean."""
        slope = np.zeros(self.mean.size)
        slope[active] += one
        slope[reference] -= other
        return float(np.sqrt(np.maximum(slope @ self.covariance @ slope, 0.0)))


def log_linear_means(
    coefficients: Floats,
    covariance: Floats,
    df: float,
    X: ArrayLike,
    target: ArrayLike,
    exposure: ArrayLike,
    *,
    sd: float = 0.0,
) -> MarginalMeans:
    """Return means of exposure exp(x'beta + sd^2 / 2), averaged by target.

    Parameters
    ----------
    coefficients : (columns,) array
    covariance : array
        Of the coefficients and, where ``sd`` is above 0, of log sd behind them.
    df : float
    X : (rows, columns) array
    target : (rows,) array of int
        Rows with the same number 0, 1, ... are averaged.
    exposure : (rows,) array
        Time that the mean is over, above 0.
    sd : float
        Of a normal intercept per person, over which the mean is taken.

    Raises
    ------
    AnalysisError
        If the lengths differ or values are missing.
    """
    rows, time = checks.float_array(X, "X"), checks.float_array(exposure, "exposure")
    place = np.asarray(target, dtype=np.intp)
    checks.same_length(X=rows, target=place, exposure=time)
    if rows.ndim != 2 or rows.shape[1] != coefficients.size:
        raise AnalysisError(f"X has shape {rows.shape}, the fit {coefficients.size} columns. Pass these.")
    mean = time * np.exp(rows @ coefficients + sd**2 / 2.0) / np.bincount(place)[place]
    columns = np.column_stack([rows, np.full(len(rows), sd**2)]) if sd else rows
    slope = np.zeros((int(place.max()) + 1, columns.shape[1]))
    np.add.at(slope, place, mean[:, None] * columns)
    total = np.bincount(place, mean).astype(np.float64, copy=False)
    spread = slope @ covariance @ slope.T
    # Where nothing varies, as where everybody had all there was, rounding is no standard error.
    known = np.sqrt(np.diag(spread)) > _ROUNDING * total
    return MarginalMeans(total, np.where(np.outer(known, known), spread, 0.0), df)


def log_contrast(
    weights: ArrayLike,
    coefficients: Floats,
    covariance: Floats,
    df: float,
    *,
    conf_level: float = 0.95,
    is_log: bool = True,
) -> Contrast:
    """Return a combination of coefficients as a ratio, or (``is_log`` False) as it is, with a t interval."""
    w = checks.float_array(weights, "weights")
    error = float(np.sqrt(np.maximum(w @ covariance @ w, 0.0)))
    error = error if error > _ROUNDING else 0.0
    return wald_contrast(float(w @ coefficients), error, df, conf_level=conf_level, is_log=is_log)


def wald_f(
    weights: ArrayLike, coefficients: Floats, covariance: Floats, df: float
) -> tuple[float, int, float, float]:
    """Return Wald's F test that combinations of coefficients are 0: statistic, both df, p value.

    Statistic and p value are NaN where one of the combinations does not vary.
    """
    lines = checks.float_array(weights, "weights")
    apart, spread = lines @ coefficients, lines @ covariance @ lines.T
    if np.linalg.matrix_rank(spread, hermitian=True) < len(lines) or not spread.max() > _ROUNDING**2:
        return np.nan, len(lines), df, np.nan
    statistic = float(apart @ np.linalg.solve(spread, apart)) / len(lines)
    return statistic, len(lines), df, float(fdtrc(len(lines), df, statistic))
