"""Schoenfeld residuals: how a log hazard ratio would have to move over follow-up to suit every event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import covariate_matrix, cox, risk_strata
from ipseval.stats.times.risk_sets import Floats, durations


class SchoenfeldResiduals(NamedTuple):
    """One row per event, in order of time, and a column per covariate.

    ``raw`` is the covariates of who had the event less their mean over the risk set. ``scaled`` is on the
    scale of the coefficients, which are added: its mean at a time estimates the coefficient at that time.
    """

    time: Floats
    raw: Floats
    scaled: Floats
    coef: Floats
    covariance: Floats


class SmoothedEffect(NamedTuple):
    """A coefficient along time, one entry per time asked for."""

    time: Floats
    coef: Floats
    std_error: Floats


def schoenfeld_residuals(
    duration: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    *,
    ties: str = "efron",
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
) -> SchoenfeldResiduals:
    """Return raw and scaled Schoenfeld residuals of a Cox model.

    Parameters
    ----------
    duration, event, covariates, ties, strata, entry
        As in `cox`.

    Returns
    -------
    SchoenfeldResiduals

    Raises
    ------
    AnalysisError
        As `cox`, and for a model that does not converge.

    Notes
    -----
    Scaled residuals are raw ones times the covariance of the coefficients times the number of events, plus
    the coefficients. Equal to R's ``residuals(type="scaledsch")`` to 1e-6.

    References
    ----------
    Schoenfeld (1982), Biometrika 69:239-241. Grambsch and Therneau (1994), Biometrika 81:515-526.

    Examples
    --------
    >>> found = schoenfeld_residuals([3, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0])
    >>> found.time.tolist(), abs(found.raw.sum().round(6)).item()
    ([3.0, 5.0, 7.0, 9.0, 11.0], 0.0)
    """
    fit = cox(duration, event, covariates, ties=ties, strata=strata, entry=entry)
    if not fit.converged:
        raise AnalysisError(f"Residuals cannot be had. {fit.reason}")
    time, happened = durations(duration), checks.boolean_array(event, "event")
    columns = covariate_matrix(covariates, time.size)
    model = risk_strata(time, happened, columns, strata=strata, entry=entry, efron=ties == "efron")
    parts = [stratum.event_residuals(fit.coef) for stratum in model]
    moments, raw = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(moments, kind="stable")
    scaled = fit.coef + fit.n_event * raw[order] @ fit.covariance
    return SchoenfeldResiduals(moments[order], raw[order], scaled, fit.coef, fit.covariance)


def smoothed_effect(
    residuals: SchoenfeldResiduals, times: ArrayLike, *, covariate: int = 0, df: int = 4
) -> SmoothedEffect:
    """Return a coefficient along time, as a natural cubic spline through its scaled residuals.

    Parameters
    ----------
    residuals : SchoenfeldResiduals
    times : array of floats
        Within the first and the last event, or the spline would be a guess.
    covariate : int
        Counted from 0.
    df : int
        Freedom of the spline, 2 (a line) or more; knots at quantiles of the event times.

    Returns
    -------
    SmoothedEffect
        Pointwise standard errors, with the spread that residuals have if the coefficient is constant.

    Raises
    ------
    AnalysisError
        For fewer distinct event times than ``df`` + 1, or times outside those of the events.

    Notes
    -----
    Least squares on the basis of R's ``splines::ns(time, df - 1)`` with an intercept; the standard error is
    that of R's ``plot.cox.zph``, the model's variance times the number of events.

    References
    ----------
    Therneau and Grambsch (2000), Modeling Survival Data, section 6.4.

    Examples
    --------
    >>> found = schoenfeld_residuals([3, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0])
    >>> smoothed_effect(found, [3, 7, 11], df=2).coef.round(2).tolist()
    [0.5, 1.39, 2.29]
    """
    asked = np.atleast_1d(checks.float_array(times, "times"))
    checks.whole_number(df, "df", low=2, high=20)
    moments = np.unique(residuals.time)
    if moments.size <= df:
        raise AnalysisError(
            f"Events fell on {moments.size} days, too few for a curve of df={df}. Lower df, or leave it out."
        )
    if outside := int(((asked < moments[0]) | (asked > moments[-1])).sum()):
        raise AnalysisError(
            f"times holds {outside} of {asked.size} entries outside {moments[0]:g} to {moments[-1]:g}, where "
            f"there are events. Leave them out."
        )
    knots = np.quantile(residuals.time, np.linspace(0, 1, df))
    design, grid = _natural_spline(residuals.time, knots), _natural_spline(asked, knots)
    orthogonal, triangle = np.linalg.qr(design)
    moved = np.linalg.solve(triangle.T, grid.T)
    spread = residuals.time.size * residuals.covariance[covariate, covariate]
    coef = moved.T @ (orthogonal.T @ residuals.scaled[:, covariate])
    return SmoothedEffect(asked, coef, np.sqrt(spread * (moved**2).sum(axis=0)))


def _natural_spline(x: Floats, knots: Floats) -> Floats:
    """Return the basis of cubic splines that are straight beyond the knots, one column per knot.

    Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, chapter 5.
    """
    # On a scale of 0 to 1 the cubes keep their digits.
    z, k = ((values - knots[0]) / (knots[-1] - knots[0]) for values in (x, knots))
    beyond = np.maximum(z[:, None] - k, 0.0) ** 3
    slope = (beyond[:, :-1] - beyond[:, -1:]) / (k[-1] - k[:-1])
    return np.column_stack([np.ones_like(z), z, slope[:, :-1] - slope[:, -1:]])
