"""Cox regression: how covariates multiply the rate of the event, the baseline rate left free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.partial_likelihood import Evaluation, Stratum
from ipseval.stats.times.risk_sets import Floats, codes, durations, entries, strata_rows

TIES = ("efron", "breslow")

_MAX_ITERATIONS = 50
# In standard deviations of a covariate: a step this small no longer moves a coefficient.
_STEP_DONE = 1e-9
# A step this large when the likelihood no longer gains: the coefficient is on its way to infinity.
_STEP_RUNAWAY = 0.05
# Share of its variance that a covariate must keep once the other covariates are known.
_SEPARATE = 1e-9


class ChiSquareTest(NamedTuple):
    """A test of all coefficients being 0."""

    statistic: float
    df: int
    p_value: float


class CoxFit(NamedTuple):
    """A fitted Cox model; coefficients are log hazard ratios per unit, in the order of the covariates.

    ``robust_covariance`` is None without clusters. ``wald_test`` and ``std_error`` use it if it is
    there, otherwise the model's ``covariance``. Where ``converged`` is False, ``reason`` says why: an
    infinite coefficient is reported as such, with a standard error of NaN. The Wald test is NaN then, and
    with no more clusters than coefficients, whose robust covariance has no inverse. ``influence`` has what
    each cluster, in the order of the sorted labels, adds to the coefficients (dfbeta, summed within it).
    """

    coef: Floats
    covariance: Floats
    robust_covariance: Floats | None
    loglik_null: float
    loglik: float
    likelihood_ratio_test: ChiSquareTest
    wald_test: ChiSquareTest
    score_test: ChiSquareTest
    n: int
    n_event: int
    iterations: int
    converged: bool
    reason: str
    influence: Floats | None = None

    @property
    def std_error(self) -> Floats:
        """Standard errors of the coefficients, robust ones if the fit has clusters."""
        used = self.covariance if self.robust_covariance is None else self.robust_covariance
        return np.sqrt(np.diag(used))


def cox(
    duration: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    *,
    ties: str = "efron",
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> CoxFit:
    """Return the Cox model fitted by partial likelihood, Efron's method for ties.

    The hazard ratio is assumed constant over follow-up; `proportional_hazards` checks that.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the event or to censoring, 0 or more; whole days are fastest.
    event : array of bool, shape (n,)
        True where the event happened. For a cause-specific hazard, other causes are False.
    covariates : array of float, shape (n, p) or (n,)
        One column per covariate; missing values are refused.
    ties : {"efron", "breslow"}
        Efron is close to exact on day and month grids; Breslow draws coefficients towards 0.
    strata : array, shape (n,), optional
        A baseline hazard of its own for each label.
    entry : array, shape (n,), optional
        Delayed entry: at risk on (entry, duration], so that a person may also have several rows.
    cluster : array, shape (n,), optional
        Rows with one label are one person or one site: adds the sandwich covariance with score
        residuals summed within clusters, without a small-sample factor; `cluster_samples` has one.

    Returns
    -------
    CoxFit

    Raises
    ------
    AnalysisError
        Missing values, arrays of different length, no events, a constant or collinear covariate.

    Notes
    -----
    Newton's method with analytic information. Agrees with R's ``coxph`` to 1e-6 or better.

    References
    ----------
    Therneau and Grambsch (2000), Modeling Survival Data, sections 3.1, 3.3 and 7.2.

    Examples
    --------
    >>> fit = cox([3, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0])
    >>> fit.coef.round(4).tolist(), fit.converged
    ([1.3945], True)
    """
    checks.one_of(ties, TIES, "ties")
    time = durations(duration)
    happened = checks.boolean_array(event, "event")
    columns = covariate_matrix(covariates, time.size)
    checks.same_length(duration=time, event=happened)
    if not happened.any():
        raise NotDefinedError(f"No event among {time.size} people, so no hazard can be compared.")
    scale = column_spread(columns)
    standardised = (columns - columns.mean(axis=0)) / scale
    model = risk_strata(time, happened, standardised, strata=strata, entry=entry, efron=ties == "efron")
    null = total(model, np.zeros(scale.size))
    refuse_collinear(null.information, int(happened.sum()))
    path = maximise(lambda coef: total(model, coef), null)
    covariance = inverse_information(path.at.information, path.infinite)
    influence = None if cluster is None else _influence(model, path, covariance, cluster, time.size)
    robust = None if influence is None else influence.T @ influence
    used = covariance if robust is None else robust
    return CoxFit(
        coef=np.where(path.infinite, np.copysign(np.inf, path.coef), path.coef / scale),
        covariance=covariance / np.outer(scale, scale),
        robust_covariance=None if robust is None else robust / np.outer(scale, scale),
        loglik_null=null.loglik,
        loglik=path.at.loglik,
        likelihood_ratio_test=chi_square(2 * (path.at.loglik - null.loglik), scale.size),
        wald_test=chi_square(squared_distance(path.coef, used), scale.size),
        score_test=chi_square(squared_distance(null.score, null.information), scale.size),
        n=time.size,
        n_event=int(happened.sum()),
        iterations=path.iterations,
        converged=not path.reason,
        reason=path.reason,
        influence=None if influence is None else influence / scale,
    )


def covariate_matrix(covariates: ArrayLike, n: int) -> Floats:
    """Return the covariates with one column each; a single array is one column."""
    columns = checks.float_array(covariates, "covariates")
    # Column by column in memory: nearly everything done with them goes down a column.
    columns = np.asfortranarray(columns[:, None] if columns.ndim == 1 else columns)
    checks.same_length(covariates=columns, duration=np.empty(n))
    return columns


def risk_strata(
    duration: NDArray[Any],
    happened: NDArray[np.bool_],
    columns: Floats,
    *,
    strata: ArrayLike | None,
    entry: ArrayLike | None,
    efron: bool,
) -> list[Stratum]:
    """Return the strata that have events, each laid out on its own event times."""
    enters = None if entry is None else entries(entry, duration)
    return [
        Stratum.of(
            rows,
            columns[rows],
            duration[rows],
            happened[rows],
            None if enters is None else enters[rows],
            efron=efron,
        )
        for rows in strata_rows(strata, duration.size)
        if happened[rows].any()
    ]


def total(model: list[Stratum], coef: Floats, weights: list[Floats] | None = None) -> Evaluation:
    """Return the partial likelihood, score and information summed over strata."""
    parts = [
        stratum.evaluate(coef, None if weights is None else weights[place])
        for place, stratum in enumerate(model)
    ]
    return Evaluation(
        sum(part.loglik for part in parts),
        np.sum([part.score for part in parts], axis=0),
        np.sum([part.information for part in parts], axis=0),
    )


class Path(NamedTuple):
    """Where a climb ended: ``reason`` says why it did not converge, and is empty if it did."""

    coef: Floats
    at: Evaluation
    infinite: NDArray[np.bool_]
    iterations: int
    reason: str


def maximise(likelihood: Callable[[Floats], Evaluation], null: Evaluation) -> Path:
    """Climb the partial likelihood from 0 by Newton steps, halved while they overshoot."""
    coef, at = np.zeros(null.score.size), null
    nowhere = np.zeros(coef.size, dtype=np.bool_)
    for iteration in range(1, _MAX_ITERATIONS + 1):
        step = np.linalg.lstsq(at.information, at.score, rcond=None)[0]
        moved = likelihood(coef + step)
        slack = 1e-12 * abs(at.loglik) + 1e-9
        while not moved.loglik >= at.loglik - slack and np.abs(step).max() > _STEP_DONE:
            step = step / 2
            moved = likelihood(coef + step)
        gain, coef, at = moved.loglik - at.loglik, coef + step, moved
        largest = np.abs(step).max()
        if largest < _STEP_DONE:
            return Path(coef, at, nowhere, iteration, "")
        if gain < slack and largest > _STEP_RUNAWAY:
            infinite = np.abs(step) > 0.1 * largest
            return Path(coef, at, infinite, iteration, _infinite_reason(infinite))
    return Path(coef, at, nowhere, _MAX_ITERATIONS, f"No convergence in {_MAX_ITERATIONS} iterations.")


def _infinite_reason(infinite: NDArray[np.bool_]) -> str:
    listed = ", ".join(str(place) for place in np.flatnonzero(infinite))
    return (
        f"Infinite coefficient of {checks.number_of(int(infinite.sum()), 'column')} (counted from 0: "
        f"{listed}): whoever has the event always has the extreme value among those at risk, for instance "
        f"because one arm has no event."
    )


def column_spread(columns: Floats) -> Floats:
    """Return the standard deviation of each covariate; refuse a constant."""
    spread: Floats = columns.std(axis=0)
    size = np.abs(columns).max(axis=0, initial=0.0)
    if constant := np.flatnonzero(spread <= 1e-13 * size).tolist():
        raise AnalysisError(
            f"The same for everybody: {checks.number_of(len(constant), 'column')} (counted from 0: "
            f"{checks.named_list(map(str, constant))}) of covariates. Leave out what cannot explain anything."
        )
    return spread


def refuse_collinear(information: Floats, n_event: int) -> None:
    """Refuse covariates that the events cannot tell apart, or that do not vary among those at risk."""
    variances = np.diag(information)
    flat = variances <= _SEPARATE * n_event
    if not flat.any():
        values, vectors = np.linalg.eigh(information / np.sqrt(np.outer(variances, variances)))
        if values[0] > _SEPARATE:
            return
        flat = np.abs(vectors[:, 0]) > 0.05
    involved = np.flatnonzero(flat)
    raise AnalysisError(
        f"Collinear, or the same for all people at risk: {checks.number_of(involved.size, 'column')} "
        f"(counted from 0: {checks.named_list(map(str, involved), 9)}) of covariates. Leave one out, or do "
        f"not stratify by what it measures."
    )


def inverse_information(information: Floats, infinite: NDArray[np.bool_]) -> Floats:
    """Return the inverse information of the finite coefficients; NaN for infinite ones.

    In the limit an infinite coefficient carries no information and is uncorrelated with the rest.
    """
    covariance = np.full(information.shape, np.nan)
    finite = np.ix_(~infinite, ~infinite)
    covariance[finite] = np.linalg.inv(information[finite])
    return covariance


def _influence(model: list[Stratum], path: Path, covariance: Floats, cluster: ArrayLike, n: int) -> Floats:
    """Return what each cluster adds to the coefficients, shape (clusters, p); NaN for infinite ones."""
    labels, place = codes(cluster, "cluster")
    checks.same_length(cluster=place, duration=np.empty(n))
    summed = np.zeros((labels.size, path.coef.size))
    for stratum in model:
        for column, residuals in enumerate(stratum.score_residuals(path.coef).T):
            summed[:, column] += np.bincount(place[stratum.rows], residuals, minlength=labels.size)
    finite = ~path.infinite
    influence = np.full_like(summed, np.nan)
    influence[:, finite] = summed[:, finite] @ covariance[np.ix_(finite, finite)]
    return influence


def squared_distance(vector: Floats, covariance: Floats) -> float:
    """Return the squared length of a vector in units of its covariance; NaN where that has no inverse."""
    if not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance, hermitian=True) < vector.size:
        return float("nan")
    return float(vector @ np.linalg.solve(covariance, vector))


def chi_square(statistic: float, df: int) -> ChiSquareTest:
    """Return the test with its p value."""
    return ChiSquareTest(statistic, df, float(special.chdtrc(df, max(statistic, 0.0))))
