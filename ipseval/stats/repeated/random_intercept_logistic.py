"""Random-intercept logistic regression by maximum likelihood, with adaptive Gauss-Hermite quadrature.

The model: given b ~ Normal(0, sd^2), one per group (person), the outcomes of a group are independent with
log-odds x'beta + b, or log hazard x'beta + b under the complementary log-log link. Coefficients compare two
persons with the same b; what they mean for a population is in `ipseval.stats.repeated.population_average`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import BinomialLogistic, binomial_logistic, scaled_inverse
from ipseval.stats.regression.links import LINKS, Link
from ipseval.stats.repeated.quadrature import LARGEST_SD, Path, maximise, random_intercept_likelihood
from ipseval.stats.repeated.sufficient_cells import Cells, checked_cells

Floats = NDArray[np.float64]

# What counts as no gain in log-likelihood over ordinary regression.
_NO_GAIN = 1e-8
_MOST_POINTS = 100
# A movement with more points that deserves a word, in standard errors.
_MOVEMENT = 0.1
# Conditional log-odds exceed ordinary ones by about this factor when sd = 1 (Zeger, Liang & Albert 1988);
# the climb starts from there under either link.
_WIDENING = np.sqrt(1.0 + (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2)


@dataclass(frozen=True)
class RandomInterceptLogistic:
    """A random-intercept logistic regression; every estimate is missing unless `converged`.

    Attributes
    ----------
    coefficients : (columns,) array
        Log-odds (under the cloglog link: log hazards), given the person's intercept.
    covariance : (columns + 1, columns + 1) array
        Of (coefficients, log sd): the inverse of the observed information. The last row and column are
        missing at the boundary.
    random_intercept_sd : float
        Standard deviation of the intercepts, on the scale of the link.
    log_likelihood : float
        With all constants, so that it compares across programs.
    log_likelihood_sd_zero : float
        Of ordinary regression without random intercepts, on the same scale.
    n_observations, n_groups : int
        Rows and groups, each as often as its frequency weight says.
    n_cells : int
        Distinct (rows of covariates, total of y): the number of integrals. Under the cloglog link a total
        does not suffice, and the cells are distinct (rows of covariates, y of each).
    points, iterations : int
    points_movement : float
        How far a Newton step with other points would move an estimate, in standard errors; see Notes.
    gradient_norm : float
        Largest absolute derivative of the log-likelihood at the estimate.
    converged : bool
    at_boundary : bool
        The likelihood is largest at sd = 0: the fit is ordinary regression.
    note : str
        Why an estimate is missing, or what a reader must know; empty if neither.
    cells : Cells
        What the likelihood needs of the data, with its link; kept for profiles of the likelihood.
    """

    coefficients: Floats
    covariance: Floats
    random_intercept_sd: float
    log_likelihood: float
    log_likelihood_sd_zero: float
    n_observations: int
    n_groups: int
    n_cells: int
    points: int
    iterations: int
    points_movement: float
    gradient_norm: float
    converged: bool
    at_boundary: bool
    note: str
    cells: Cells = field(repr=False, compare=False)

    @property
    def link(self) -> Link:
        """What the coefficients are on the scale of."""
        return self.cells.link

    @property
    def std_error(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.covariance))[:-1]

    @property
    def std_error_log_sd(self) -> float:
        """Standard error of the log of the intercepts' standard deviation; missing at the boundary."""
        return float(np.sqrt(self.covariance[-1, -1]))

    def limits(self, conf_level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the Wald confidence limits of the coefficients."""
        half = ndtri(0.5 + checks.confidence(conf_level) / 2.0) * self.std_error
        return self.coefficients - half, self.coefficients + half

    def sd_limits(self, conf_level: float = 0.95) -> tuple[float, float]:
        """Return the Wald limits of the standard deviation, on the log scale; missing at the boundary."""
        half = float(ndtri(0.5 + checks.confidence(conf_level) / 2.0)) * self.std_error_log_sd
        return self.random_intercept_sd * float(np.exp(-half)), self.random_intercept_sd * float(np.exp(half))


def random_intercept_logistic(
    y: ArrayLike,
    X: ArrayLike,
    group: ArrayLike,
    *,
    trials: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    link: str = "logit",
    points: int = 25,
    collapse: bool = True,
) -> RandomInterceptLogistic:
    """Random-intercept logistic (or complementary log-log) regression, by maximum likelihood.

    Outcomes that are missing must be left out by the caller, who knows why; the fit is then valid if they
    are missing at random given the outcomes that were seen and X. With few groups (fewer than about ten)
    the standard errors are too small.

    Parameters
    ----------
    y : (rows,) array
        0 or 1; with `trials`, the number of successes. Missing values are refused.
    X : (rows, columns) array
        Covariates, with a column of ones for the intercept.
    group : (rows,) array of labels
        The person (or site) that a row belongs to, in any order.
    trials : (rows,) array, optional
        Binomial denominators, 1 or more.
    weights : (rows,) array, optional
        Frequency weights: how many identical groups a group stands for; the same on each of its rows.
        0 leaves the group out. Sampling or censoring weights are not frequencies and are refused.
    link : {"logit", "cloglog"}
        The second for hazards in discrete time: with a row per person and interval at risk, up to and with
        that of the event, and a column per interval in X, exp(coefficient) is a hazard ratio between two
        people of equal frailty exp(b).
    points : int
        Quadrature points, 1 (Laplace) to 100. The default of 25 moves nothing that is reported in trials
        with a handful of visits; see Notes.
    collapse : bool
        False integrates every group by itself. The answer is the same, only slower.

    Returns
    -------
    RandomInterceptLogistic
        With `converged` False, missing estimates and the reason in `note` if the data are separated, or if
        the standard deviation grows without bound. At the boundary (sd = 0), ordinary regression.

    Raises
    ------
    AnalysisError
        If values are missing, the outcome never varies, columns of X are linear combinations of others, or
        no group has more than one trial.

    Notes
    -----
    The integrals are taken around each group's own mode, scaled by the curvature there. Newton's method uses
    the exact gradient and Hessian of that K-point log-likelihood, over (coefficients, log sd); the standard
    errors come from the same Hessian, hence with the uncertainty of the standard deviation in them, as in
    lme4's ``vcov(use.hessian = TRUE)``. Agrees with lme4 1.1-31 to about 5e-5 in the coefficients, the
    residue being its optimiser's tolerance. With binomial denominators and more than one point, lme4 leaves
    constants out of the log-likelihood; they are in here.

    Under the cloglog link the standard errors are from the observed information too; that of R's ``glm`` at
    sd = 0 is the expected one.

    Every fit is checked at its maximum with twice as many points (25 at least; half as many if more than 50),
    and `note` says so if the estimates would move by more than a tenth of a standard error.

    References
    ----------
    Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4:12-35, section 2.4.
    Liu & Pierce (1994), Biometrika 81:624-629.

    Examples
    --------
    >>> import numpy as np
    >>> person = np.repeat(np.arange(6), 3)
    >>> employed = [0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0]
    >>> fit = random_intercept_logistic(employed, np.ones((18, 1)), person)
    >>> print(f"{fit.coefficients[0]:.3f} (SE {fit.std_error[0]:.3f}), sd {fit.random_intercept_sd:.3f}")
    -0.639 (SE 0.892), sd 1.539
    """
    _check_points_option(points)
    checks.one_of(link, LINKS, "link")
    cells = checked_cells(y, X, group, trials, weights, collapse, LINKS[link])
    ordinary = binomial_logistic(*cells.distinct, cells.link)
    if not ordinary.converged:
        return _without_estimates(
            cells, points, ordinary.iterations, ordinary.gradient_norm, _separation_note(ordinary)
        )

    is_rising = _slope_at_sd_zero(ordinary, cells) > 0.0
    start = np.r_[ordinary.coefficients * _WIDENING, 0.0]
    path = maximise(start, cells, points, lowest_sd=1e-4 if is_rising else 0.05)
    return _fit(path, ordinary, cells, points)


def require_estimates(fit: RandomInterceptLogistic) -> None:
    """Refuse a fit that has no estimates, with its own reason."""
    if not fit.converged:
        raise AnalysisError(f"The model has no estimates. {fit.note}")


def _slope_at_sd_zero(ordinary: BinomialLogistic, cells: Cells) -> float:
    """Return twice the derivative of the log-likelihood by sd^2 at sd = 0.

    The sum over groups of (sum of residuals)^2 less the information, under the logit the sum of m p (1 - p):
    whether the outcomes of a group go together more than its covariates explain. If it is not positive,
    sd = 0 is a (local) maximum.
    """
    slope = 0.0
    for block in cells.blocks:
        first, second = cells.link.slopes(block.X @ ordinary.coefficients, block.outcome)
        residual = block.successes - (block.trials * first).sum(axis=1)
        variance = (block.trials * second).sum(axis=1)
        slope += float(block.frequency @ (residual**2 - variance))
    return slope


def _fit(path: Path, ordinary: BinomialLogistic, cells: Cells, points: int) -> RandomInterceptLogistic:
    """Return where the climb ended: an interior maximum, the boundary, or no estimate and why."""
    sd_zero = ordinary.log_likelihood + cells.constant
    if path.theta[-1] > np.log(LARGEST_SD):
        note = (
            f"The standard deviation of the intercepts has no estimate below {LARGEST_SD:.0f}: the outcomes "
            f"of a group are nearly all alike (both occur in {cells.n_mixed_groups} of {cells.n_groups} "
            f"groups) or change in one direction only, as when nobody leaves work again. "
            f"Use a marginal model (GEE) or time to event instead."
        )
        return _without_estimates(cells, points, path.iterations, path.gradient_norm, note)
    if path.at_lowest_sd or (path.converged and path.here.value < sd_zero + _NO_GAIN):
        return _at_boundary(ordinary, cells, points, path.iterations)
    if not path.converged:
        note = (
            f"Newton's method did not converge in {path.iterations} iterations (largest derivative "
            f"{path.gradient_norm:.1e}). Rescale the covariates or simplify the model."
        )
        return _without_estimates(cells, points, path.iterations, path.gradient_norm, note)
    return _interior(path, cells, points, sd_zero)


def _interior(path: Path, cells: Cells, points: int, sd_zero: float) -> RandomInterceptLogistic:
    """Return the fit at an interior maximum, checked with another number of points."""
    covariance = scaled_inverse(-path.here.hessian)
    others = max(25, 2 * points) if 2 * points <= _MOST_POINTS else points // 2
    there = random_intercept_likelihood(path.theta, cells, others, path.here.modes)
    movement = float((np.abs(covariance @ there.gradient) / np.sqrt(np.diag(covariance))).max())
    return replace(
        _without_estimates(cells, points, path.iterations, path.gradient_norm, ""),
        coefficients=path.theta[:-1],
        covariance=covariance,
        random_intercept_sd=float(np.exp(path.theta[-1])),
        log_likelihood=path.here.value,
        log_likelihood_sd_zero=sd_zero,
        points_movement=movement,
        converged=True,
        note=_movement_note(movement, points, others) if movement > _MOVEMENT else "",
    )


def _movement_note(movement: float, points: int, others: int) -> str:
    advice = f"Pass points={others}." if others > points else "Use a marginal model (GEE) beside it."
    return (
        f"{points} quadrature points are too few, or the standard deviation is hardly bounded by the data: "
        f"with {others} points an estimate would move by about {movement:.1f} standard errors. {advice}"
    )


def _at_boundary(
    ordinary: BinomialLogistic, cells: Cells, points: int, iterations: int
) -> RandomInterceptLogistic:
    """Return ordinary regression, which is the random-intercept model at sd = 0."""
    size = ordinary.coefficients.size
    covariance = np.full((size + 1, size + 1), np.nan)
    covariance[:-1, :-1] = scaled_inverse(ordinary.information)
    value = ordinary.log_likelihood + cells.constant
    note = (
        f"The estimated standard deviation of the intercepts is 0: outcomes of the same group are no more "
        f"alike than the covariates explain. Estimates and standard errors are those of ordinary "
        f"{cells.link.regression} regression; the standard deviation has no Wald interval."
    )
    return replace(
        _without_estimates(cells, points, iterations, ordinary.gradient_norm, note),
        coefficients=ordinary.coefficients,
        covariance=covariance,
        random_intercept_sd=0.0,
        log_likelihood=value,
        log_likelihood_sd_zero=value,
        points_movement=0.0,
        converged=True,
        at_boundary=True,
    )


def _without_estimates(
    cells: Cells, points: int, iterations: int, gradient_norm: float, note: str
) -> RandomInterceptLogistic:
    size = cells.score.size
    return RandomInterceptLogistic(
        coefficients=np.full(size, np.nan),
        covariance=np.full((size + 1, size + 1), np.nan),
        random_intercept_sd=np.nan,
        log_likelihood=np.nan,
        log_likelihood_sd_zero=np.nan,
        n_observations=cells.n_observations,
        n_groups=cells.n_groups,
        n_cells=cells.n_cells,
        points=points,
        iterations=iterations,
        points_movement=np.nan,
        gradient_norm=gradient_norm,
        converged=False,
        at_boundary=False,
        note=note,
        cells=cells,
    )


def _separation_note(ordinary: BinomialLogistic) -> str:
    if not ordinary.separated:
        return (
            f"Ordinary regression did not converge in {ordinary.iterations} iterations. "
            f"Rescale the covariates or simplify the model."
        )
    columns = checks.number_of(len(ordinary.separated), "column")
    listed = checks.named_list((str(j) for j in ordinary.separated), at_most=10)
    return (
        f"The data are separated: a combination of {columns} of X "
        f"(counted from 0: {listed}) predicts outcomes perfectly, as when nobody in one arm was employed in "
        f"one month, or nobody of one site ever. Such coefficients have no finite estimate. Leave out "
        f"covariates, such as sites, in which nobody had the outcome; merge months or levels; or compare the "
        f"rates instead."
    )


def _check_points_option(points: int) -> None:
    if not (isinstance(points, int | np.integer) and 1 <= points <= _MOST_POINTS):
        raise AnalysisError(
            f"points={points!r} is not a whole number from 1 (Laplace) to {_MOST_POINTS}. "
            f"Pass points=25, the default, or more."
        )
