"""A hazard ratio that changes over follow-up: another one in each period, or one that moves with log time."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import ChiSquareTest, CoxFit, chi_square, covariate_matrix, cox
from ipseval.stats.times.risk_sets import Floats, Integers, durations, entries

# Rows of people at event times beyond which a fit would fill the memory.
_MOST_ROWS = 20_000_000


class PeriodEffects(NamedTuple):
    """A Cox model per period (begin, end], and the test that all have the same coefficients.

    A period in which no model can be fitted has None, with the reason at its place in ``reasons``;
    ``same_effect`` is then NaN.
    """

    begin: Floats
    end: Floats
    fits: tuple[CoxFit | None, ...]
    reasons: tuple[str, ...]
    same_effect: ChiSquareTest


def cox_by_period(
    duration: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    cuts: ArrayLike,
    *,
    ties: str = "efron",
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> PeriodEffects:
    """Return Cox models whose coefficients change at the cuts and are constant between them.

    A later period looks only at those who are event-free at its start. Arms that were alike at randomisation
    need not be alike then: a ratio of a later period describes, and is no effect on those people.

    Parameters
    ----------
    duration, event, covariates, ties, strata, entry, cluster
        As in `cox`.
    cuts : float or array of floats
        Where one period ends and the next begins; an event on a cut belongs to the earlier one.

    Returns
    -------
    PeriodEffects

    Raises
    ------
    AnalysisError
        As `cox`, for what is wrong in every period; cuts that are not ascending, or not inside follow-up.

    Notes
    -----
    The baseline hazard is free, so that the model falls apart into one per period; the result is that of
    ``coxph`` on ``survSplit`` data with a covariate per period. ``same_effect`` is the likelihood-ratio test
    against one coefficient throughout, which knows nothing of clusters.

    References
    ----------
    Therneau and Grambsch (2000), Modeling Survival Data, section 6.5.

    Examples
    --------
    >>> effects = cox_by_period([2, 4, 5, 7, 8, 9, 11, 12], [1] * 8, [1, 0, 1, 1, 0, 1, 1, 0], 6)
    >>> [round(float(fit.coef[0]), 2) for fit in effects.fits], round(effects.same_effect.p_value, 2)
    ([0.2, 0.85], 0.7)
    """
    time, happened = durations(duration), checks.boolean_array(event, "event")
    columns = covariate_matrix(covariates, time.size)
    edges = _edges(cuts, time)
    enters = np.full(time.size, -np.inf) if entry is None else entries(entry, time)
    fits: list[CoxFit | None] = []
    reasons: list[str] = []
    for begin, end in pairwise(edges):
        here = (time > begin) & (enters < end)
        try:
            fit = cox(
                np.minimum(time, end)[here],
                (happened & (time <= end))[here],
                columns[here],
                ties=ties,
                strata=_of(strata, here),
                entry=None if entry is None else np.maximum(enters, begin)[here],
                cluster=_of(cluster, here),
            )
        except AnalysisError as refusal:
            fits.append(None)
            reasons.append(str(refusal))
        else:
            fits.append(fit)
            reasons.append(fit.reason)
    throughout = cox(time, happened, columns, ties=ties, strata=strata, entry=entry)
    same = _same_effect(throughout, fits, columns.shape[1])
    return PeriodEffects(edges[:-1], edges[1:], tuple(fits), tuple(reasons), same)


def cox_log_time(
    duration: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    *,
    changing: int = 0,
    ties: str = "efron",
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> CoxFit:
    """Return a Cox model in which one covariate's log hazard ratio is a + b log(time).

    Parameters
    ----------
    duration, event, covariates, ties, strata, entry, cluster
        As in `cox`.
    changing : int
        The covariate whose ratio changes, counted from 0. Its b is the last coefficient of the fit.

    Returns
    -------
    CoxFit
        ``n`` and ``n_event`` count people.

    Raises
    ------
    AnalysisError
        As `cox`; an event at time 0; more people times event times than memory holds.

    Notes
    -----
    Everyone gets a row per event time while at risk, as in R's ``coxph`` with ``tt(x) = x log(t)``.

    References
    ----------
    Cox (1972), Journal of the Royal Statistical Society B 34:187-220.

    Examples
    --------
    >>> fit = cox_log_time([2, 4, 5, 7, 8, 9, 11, 12], [1] * 8, [1, 0, 1, 1, 0, 1, 1, 0])
    >>> fit.coef.round(2).tolist()
    [0.01, 0.32]
    """
    time, happened = durations(duration), checks.boolean_array(event, "event")
    columns = covariate_matrix(covariates, time.size)
    checks.same_length(duration=time, event=happened)
    if at_zero := int(((time == 0) & happened).sum()):
        raise AnalysisError(
            f"{at_zero} events at time 0, whose logarithm does not exist. Use cox_by_period instead."
        )
    moments = np.unique(time[happened]).astype(np.float64)
    enters = np.full(time.size, -1.0) if entry is None else entries(entry, time)
    person, at = _at_risk(moments, enters, time)
    changes = columns[person, changing] * np.log(moments[at])
    fit = cox(
        moments[at],
        happened[person] & (time[person] == moments[at]),
        np.column_stack([columns[person], changes]),
        ties=ties,
        strata=_of(strata, person),
        entry=np.append(-1.0, moments)[at],
        cluster=_of(cluster, person),
    )
    return fit._replace(n=time.size)


def _edges(cuts: ArrayLike, time: NDArray[np.int64] | Floats) -> Floats:
    """Return the ends of all periods; the first begins before time 0, the last never ends."""
    inner = np.atleast_1d(checks.float_array(cuts, "cuts"))
    if inner.size == 0 or (np.diff(inner) <= 0).any() or inner[0] < 0 or inner[-1] >= time.max():
        raise AnalysisError(
            f"cuts={inner.tolist()} are not ascending times between 0 and the last of all durations, "
            f"{time.max():g}. Leave out what lies beyond, or use cox."
        )
    return np.concatenate([[-np.inf], inner, [np.inf]])


def _of(labels: ArrayLike | None, rows: NDArray[np.bool_] | Integers) -> NDArray[np.generic] | None:
    return None if labels is None else np.asarray(labels)[rows]


def _same_effect(throughout: CoxFit, fits: list[CoxFit | None], n_covariates: int) -> ChiSquareTest:
    df = (len(fits) - 1) * n_covariates
    found = [fit for fit in fits if fit is not None]
    if len(found) < len(fits) or not all(fit.converged for fit in (throughout, *found)):
        return ChiSquareTest(float("nan"), df, float("nan"))
    return chi_square(2 * (sum(fit.loglik for fit in found) - throughout.loglik), df)


def _at_risk(moments: Floats, enters: Floats, time: NDArray[np.int64] | Floats) -> tuple[Integers, Integers]:
    """Return person and event time of every row: a person is in those from entry to the own end."""
    first = np.searchsorted(moments, enters, side="right")
    seen = np.maximum(np.searchsorted(moments, time, side="right") - first, 0)
    if (rows := int(seen.sum())) > _MOST_ROWS:
        raise AnalysisError(
            f"{time.size} people at {moments.size} event times make {rows} rows. "
            f"Use cox_by_period, or durations on a coarser grid."
        )
    person = np.repeat(np.arange(time.size), seen)
    at = np.arange(person.size) - np.repeat(np.cumsum(seen) - seen - first, seen)
    return person, at
