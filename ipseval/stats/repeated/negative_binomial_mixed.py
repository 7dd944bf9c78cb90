"""Negative binomial regression of counts that a person has several of, by maximum likelihood.

The model: given b ~ Normal(0, sd^2), one per person, the counts of a person are independent with mean
mu = exposure exp(x'beta + b) and variance mu + alpha mu^2. Averaged over people the mean is
exposure exp(x'beta + sd^2 / 2): the intercepts multiply every mean by the same number, so that a ratio of
rates within a person is also the ratio of the averages, and only means, not ratios, need it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.negative_binomial import derivatives, maximum_likelihood, terms
from ipseval.stats.regression.binomial_logistic import scaled_inverse
from ipseval.stats.regression.marginal_contrasts import Contrast
from ipseval.stats.repeated.count_quadrature import (
    LARGEST_SD,
    CountPath,
    PeopleBlock,
    count_likelihood,
    hessian,
    maximise,
    people_blocks,
)
from ipseval.stats.repeated.log_linear_means import MarginalMeans, log_contrast, log_linear_means

Floats = NDArray[np.float64]

SAME_LEVEL = (
    "The estimated standard deviation of the people's levels is 0: counts of one person are no more alike "
    "than the covariates explain. Estimates are those without such levels."
)
POISSON = (
    "Beyond the people's own levels the counts are not overdispersed: alpha is 0, as in a Poisson model."
)

#: With alpha this small, relative to 1 over the mean, a variance is Poisson's but for a ten-thousandth.
_LEAST_ALPHA = 1e-4
_MOST_POINTS = 100
#: Where most have none there may be a maximum at sd = 0 and a higher one with most far below the others.
_STARTS = (1.0, 3.0)
_NO_GAIN = 1e-8
_MOVEMENT = 0.1


@dataclass(frozen=True)
class NegativeBinomialMixed:
    """A fitted model; every estimate is missing unless `converged`.

    Attributes
    ----------
    coefficients : (columns,) array
        Logs of rates and rate ratios, given the person's intercept.
    covariance : (columns + 2, columns + 2) array
        Of (coefficients, log sd, log alpha): the inverse of the observed information. Rows and columns of
        what is at its boundary are missing.
    random_intercept_sd : float
        Standard deviation of the intercepts, on the log scale.
    overdispersion : float
        alpha of the variance mu + alpha mu^2; 0 in the Poisson limit.
    log_likelihood, log_likelihood_sd_zero : float
        With all constants; the latter without intercepts.
    n_observations, n_people, n_with_any : int
        Counts, people, and people with any count above 0.
    df : float
        Of limits and tests: people with any, less columns.
    expected_over_seen : float
        Counts that the model expects of those that were seen, over what they were.
    points, iterations : int
    points_movement : float
        How far a Newton step with other points would move an estimate, in standard errors.
    gradient_norm : float
        Largest absolute derivative of the log-likelihood at the estimate.
    converged : bool
    note : str
        Why an estimate is missing, or what a reader must know; empty if neither.
    blocks : tuple of PeopleBlock
    """

    coefficients: Floats
    covariance: Floats
    random_intercept_sd: float
    overdispersion: float
    log_likelihood: float
    log_likelihood_sd_zero: float
    n_observations: int
    n_people: int
    n_with_any: int
    df: float
    expected_over_seen: float
    points: int
    iterations: int
    points_movement: float
    gradient_norm: float
    converged: bool
    note: str
    blocks: tuple[PeopleBlock, ...] = field(repr=False, compare=False)

    @property
    def std_error(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.covariance))[:-2]

    def log_contrast(self, weights: ArrayLike, *, conf_level: float = 0.95, is_log: bool = True) -> Contrast:
        """Return a combination of coefficients as a ratio of rates (or, ``is_log`` False, as its log)."""
        covariance = self.covariance[:-2, :-2]
        return log_contrast(
            weights, self.coefficients, covariance, self.df, conf_level=conf_level, is_log=is_log
        )

    def means(self, X: ArrayLike, target: ArrayLike, exposure: ArrayLike) -> MarginalMeans:
        """Return mean counts over people for ``exposure``, averaged by target; see `log_linear_means`."""
        sd, known = self.random_intercept_sd, self.coefficients.size + (self.random_intercept_sd > 0)
        covariance = self.covariance[:known, :known]
        return log_linear_means(self.coefficients, covariance, self.df, X, target, exposure, sd=sd)

    def sd_limits(self, conf_level: float = 0.95) -> tuple[float, float]:
        """Return the Wald limits of the standard deviation, on the log scale; missing at 0."""
        return self._limits(self.random_intercept_sd, -2, conf_level)

    def overdispersion_limits(self, conf_level: float = 0.95) -> tuple[float, float]:
        """Return the Wald limits of alpha, on the log scale; missing at 0."""
        return self._limits(self.overdispersion, -1, conf_level)

    def _limits(self, value: float, at: int, conf_level: float) -> tuple[float, float]:
        half = stdtrit(self.df, 0.5 + checks.confidence(conf_level) / 2.0)
        times = float(np.exp(half * np.sqrt(self.covariance[at, at])))
        return value / times, value * times


def negative_binomial_mixed(
    y: ArrayLike,
    X: ArrayLike,
    person: ArrayLike,
    *,
    exposure: ArrayLike | None = None,
    points: int = 25,
    names: tuple[str, ...] = (),
) -> NegativeBinomialMixed:
    """Return the negative binomial (NB2) regression of several counts per person, with a normal intercept.

    Counts of a period that was not seen are left out by the caller; the fit is then valid if they are missing
    at random given the counts that were seen and X.

    Parameters
    ----------
    y : (rows,) array
        Whole numbers of 0 or more, one per person and period. Missing counts are refused.
    X : (rows, columns) array
        Covariates, with a column of ones for the intercept, or columns that add up to it.
    person : (rows,) array of labels
        Whose count it is, in any order.
    exposure : (rows,) array, optional
        Time observed (days, say), above 0; its logarithm is the offset. Without it, one unit each.
    points : int
        Quadrature points, 1 (Laplace) to 100.
    names : tuple of str, optional
        What the columns are called in an error.

    Returns
    -------
    NegativeBinomialMixed
        With `converged` False and the reason in `note` if the spread of the intercepts grows without bound.
        Where sd or alpha is 0 the note says so, and the fit is the one without.

    Raises
    ------
    AnalysisError
        Counts that are missing or not whole; no person with two; an exposure of 0; columns that follow from
        others; columns whose rows are all 0, as an arm with zeros only: a rate of 0 has no logarithm.

    Notes
    -----
    The gradient is that of the K-point sum, moving nodes included; Newton's steps use its curvature by Louis'
    (1982) formula, and the standard errors its Hessian by central differences of that gradient, hence with
    the uncertainty of sd and alpha in them. With ``points=1`` it agrees with glmmTMB 1.1.5 (``nbinom2``,
    Laplace) to about 1e-5; glmmTMB has no quadrature. R's ``glmer.nb`` takes alpha as known in its standard
    errors. Limits and tests are t on the people with any count less the columns, where programs use the
    normal distribution.

    The mean over people is the model's, not the data's: it rests on the upper tail of a normal distribution.
    Where most people have none and the others much, the fitted sd is large and that mean is far above
    what was seen; ``expected_over_seen`` says how far, and is to be read before anything else.

    References
    ----------
    Booth, Casella, Friedl & Hobert (2003), Statistical Modelling 3:179-191.
    Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4:12-35, section 2.4.
    Louis (1982), Journal of the Royal Statistical Society B 44:226-233.

    Examples
    --------
    >>> import numpy as np
    >>> from ipseval.stats.repeated.negative_binomial_mixed import negative_binomial_mixed
    >>> shifts = [2, 3, 4, 9, 7, 12, 0, 1, 0, 3, 5, 6, 10, 6, 15, 28, 36, 20]
    >>> arm, person = np.repeat([0, 1] * 3, 3), np.repeat(np.arange(6), 3)
    >>> fit = negative_binomial_mixed(shifts, np.c_[np.ones(18), arm], person)
    >>> fit.converged, fit.random_intercept_sd > 0
    (True, True)
    """
    checks.whole_number(points, "points", low=1, high=_MOST_POINTS)
    counts, design, code, offset = _checked(y, X, person, exposure)
    beta, alpha = maximum_likelihood(counts, design, offset, names)
    blocks = people_blocks(counts, design, offset, code)
    ordinary = derivatives(beta, alpha, counts, offset, design)
    n_with_any = int(np.count_nonzero(np.bincount(code, counts)))
    empty = NegativeBinomialMixed(
        coefficients=np.full(beta.size, np.nan),
        covariance=np.full((beta.size + 2, beta.size + 2), np.nan),
        random_intercept_sd=np.nan,
        overdispersion=np.nan,
        log_likelihood=np.nan,
        log_likelihood_sd_zero=ordinary.log_likelihood,
        n_observations=counts.size,
        n_people=int(code.max()) + 1,
        n_with_any=n_with_any,
        df=float(n_with_any - beta.size) if n_with_any > beta.size else np.nan,
        expected_over_seen=np.nan,
        points=points,
        iterations=0,
        points_movement=np.nan,
        gradient_norm=np.nan,
        converged=False,
        note="",
        blocks=blocks,
    )
    is_rising = _slope_at_sd_zero(beta, alpha, counts, offset, design, code) > 0.0
    least = np.log([1e-4 if is_rising else 0.05, _LEAST_ALPHA / counts.mean()])
    # A column of ones, from the columns: to lower every level as the spread of the people's levels rises.
    ones = np.linalg.lstsq(design, np.ones(counts.size), rcond=None)[0]
    starts = [np.r_[beta - sd**2 / 2.0 * ones, np.log([sd, max(alpha, 0.1) / 3.0])] for sd in _STARTS]
    path = max((_climbed(start, blocks, points, least) for start in starts), key=_height)
    if path.theta[beta.size] > np.log(LARGEST_SD):
        return replace(empty, iterations=path.iterations, note=_unbounded(empty))
    if path.stopped == "sd" or (not path.stopped and path.here.value < ordinary.log_likelihood + _NO_GAIN):
        return _without_intercepts(empty, beta, alpha, ordinary.information, path.iterations)
    if path.stopped:
        return replace(empty, iterations=path.iterations, note=_not_converged(path))
    return _interior(empty, path, points)


def _checked(
    y: ArrayLike, X: ArrayLike, person: ArrayLike, exposure: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.intp], Floats]:
    """Return counts, columns, people as 0, 1, ... and the offset, or refuse what cannot be fitted."""
    counts, design = checks.count_array(y, "y"), checks.float_array(X, "X")
    if counts.ndim != 1 or design.ndim != 2:
        raise AnalysisError(
            f"y has {counts.ndim} and X {checks.number_of(design.ndim, 'dimension')}, not 1 and 2. "
            f"Pass one row per count."
        )
    time = np.ones(counts.size) if exposure is None else checks.float_array(exposure, "exposure")
    labels = np.asarray(person)
    checks.same_length(y=counts, X=design, person=labels, exposure=time)
    if wrong := int((time <= 0).sum()):
        raise AnalysisError(
            f"exposure is not above 0 for {wrong} of {time.size} rows. Leave out what was never observed."
        )
    code = np.asarray(pd.factorize(labels)[0], dtype=np.intp)
    if missing := int((code < 0).sum()):
        raise AnalysisError(
            f"person is missing for {missing} of {code.size} rows. Say whose count each row is."
        )
    if np.bincount(code).max() < 2:
        raise AnalysisError(
            f"Each of the {code.size} people has a single count, which says nothing about how alike the "
            f"counts of a person are. Fit negative_binomial."
        )
    length = np.linalg.norm(design, axis=0)
    own = np.zeros(length.size)  # share of each column that the columns before it do not explain
    diagonal = np.abs(np.diag(np.linalg.qr(design / np.where(length > 0, length, 1.0), mode="r")))
    own[: diagonal.size] = diagonal
    if (dependent := np.flatnonzero(own < 1e-9)).size:
        raise AnalysisError(
            f"X has {checks.number_of(dependent.size, 'column')} out of {design.shape[1]} that can be "
            f"computed from those before (counted from 0: {checks.named_list(map(str, dependent))}). "
            f"Leave out what adds nothing."
        )
    return counts, design, code, np.log(time)


def _slope_at_sd_zero(
    beta: Floats, alpha: float, y: Floats, offset: Floats, X: Floats, code: NDArray[np.intp]
) -> float:
    """Return twice the derivative of the log-likelihood by sd^2 at sd = 0, above 0 if sd is."""
    at = terms(offset + X @ beta, alpha, y)
    return float((np.bincount(code, at.by_linear) ** 2 + np.bincount(code, at.twice_linear)).sum())


def _height(path: CountPath) -> float:
    return path.here.value


def _climbed(theta: Floats, blocks: tuple[PeopleBlock, ...], points: int, least: Floats) -> CountPath:
    """Climb, and on without alpha where it leads to 0."""
    path = maximise(theta, blocks, points, least)
    return maximise(path.theta[:-1], blocks, points, least) if path.stopped == "alpha" else path


def _interior(empty: NegativeBinomialMixed, path: CountPath, points: int) -> NegativeBinomialMixed:
    """Return the fit at a maximum with sd above 0, checked with another number of points."""
    theta, size = path.theta, path.theta.size
    inverse = scaled_inverse(-hessian(theta, empty.blocks, points, path.here.modes))
    others = max(25, 2 * points) if 2 * points <= _MOST_POINTS else points // 2
    there = count_likelihood(theta, empty.blocks, others, path.here.modes)
    movement = float((np.abs(inverse @ there.gradient) / np.sqrt(np.diag(inverse))).max())
    covariance = empty.covariance.copy()
    covariance[:size, :size] = inverse
    columns = empty.coefficients.size
    is_poisson = size == columns + 1
    notes = [POISSON] if is_poisson else []
    if movement > _MOVEMENT:
        notes.append(
            f"{points} quadrature points are too few: with {others} points an estimate would move by about "
            f"{movement:.1f} standard errors."
        )
    return replace(
        empty,
        coefficients=theta[:columns],
        covariance=covariance,
        expected_over_seen=_expected_over_seen(theta[:columns], float(np.exp(theta[columns])), empty.blocks),
        random_intercept_sd=float(np.exp(theta[columns])),
        overdispersion=0.0 if is_poisson else float(np.exp(theta[-1])),
        log_likelihood=path.here.value,
        iterations=path.iterations,
        points_movement=movement,
        gradient_norm=float(np.abs(path.here.gradient).max()),
        converged=True,
        note=" ".join(notes),
    )


def _without_intercepts(
    empty: NegativeBinomialMixed, beta: Floats, alpha: float, information: Floats, iterations: int
) -> NegativeBinomialMixed:
    """Return the model at sd = 0, which is that of counts without people."""
    k = beta.size
    covariance = empty.covariance.copy()
    free = [*range(k), *([k + 1] if alpha else [])]
    known = [*range(k), *([k] if alpha else [])]
    covariance[np.ix_(free, free)] = scaled_inverse(information[np.ix_(known, known)])
    return replace(
        empty,
        coefficients=beta,
        covariance=covariance,
        expected_over_seen=_expected_over_seen(beta, 0.0, empty.blocks),
        random_intercept_sd=0.0,
        overdispersion=alpha,
        log_likelihood=empty.log_likelihood_sd_zero,
        iterations=iterations,
        points_movement=0.0,
        gradient_norm=0.0,
        converged=True,
        note=SAME_LEVEL if alpha else f"{SAME_LEVEL} {POISSON}",
    )


def _expected_over_seen(beta: Floats, sd: float, blocks: tuple[PeopleBlock, ...]) -> float:
    expected = sum(block.frequency @ np.exp(block.offset + block.X @ beta).sum(axis=1) for block in blocks)
    return float(
        np.exp(sd**2 / 2.0) * expected / sum(block.frequency @ block.y.sum(axis=1) for block in blocks)
    )


def _unbounded(empty: NegativeBinomialMixed) -> str:
    return (
        f"The standard deviation of the people's levels has no estimate below {LARGEST_SD:.0f}: "
        f"{empty.n_with_any} of {empty.n_people} people have any, and those far more than none. Compare "
        f"means of the whole window instead (ips.amounts)."
    )


def _not_converged(path: CountPath) -> str:
    return (
        f"Newton's method did not converge in {path.iterations} iterations (largest derivative "
        f"{np.abs(path.here.gradient).max():.1e}). Rescale the covariates or simplify the model."
    )
