"""Hurdle model of counts: whether there is any, and a zero-truncated negative binomial for how many if so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.negative_binomial import terms
from ipseval.stats.amounts.two_part import first_part
from ipseval.stats.regression.binomial_logistic import scaled_inverse
from ipseval.stats.regression.covariates import arm_design, outcomes
from ipseval.stats.regression.marginal_contrasts import Standardised

Floats = NDArray[np.float64]

_ITERATIONS = 200
_TOLERANCE = 1e-9
# Beyond these the truncated counts are a Poisson's or a logarithmic series, and alpha is not to be had.
_LEAST, _MOST = 1e-6, 1e6
# Someone's mean before truncation runs to 0 where everybody with these covariates has exactly one.
_LEAST_MEAN = 1e-9


def hurdle(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    exposure: ArrayLike | None = None,
    at: float = 1.0,
) -> Standardised:
    """Return both arms' mean counts from a hurdle model, with a robust covariance.

    As in `two_part` the means are right only if both parts predict well. Whether there is any is taken not
    to depend on the time observed; how many if so is proportional to it.

    Parameters
    ----------
    y : array_like, one count per person
        Whole numbers of 0 or more. Missing counts are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers measured before randomisation; categories as indicators without their reference level.
    exposure : array_like, one entry per person, optional
        Time observed, above 0; its logarithm is the offset of the second part. Without it, one unit each.
    at : float
        The time over which the means are taken.

    Returns
    -------
    Standardised
        Mean counts, people without any included. ``coefficients`` are those of the first part, of the second
        (logs of means before truncation), and log alpha.

    Raises
    ------
    AnalysisError
        As `two_part`; also counts that are not whole, and counts whose spread among those with any no
        negative binomial has.

    Notes
    -----
    The covariance is that of the infinitesimal jackknife times n / (n - k), with k coefficients in each part.
    Estimates agree with glmmTMB (``truncated_nbinom2``) and with R's pscl. Limits are t, as of `two_part`.

    References
    ----------
    Mullahy (1986), Journal of Econometrics 33:341-365.

    Examples
    --------
    >>> from ipseval.stats.amounts.hurdle import hurdle
    >>> jobs = [0, 1, 2, 1, 6, 0, 3, 1, 0, 0, 1, 0, 2, 5, 0, 0]
    >>> hurdle(jobs, [1] * 8 + [0] * 8).contrast("ratio").estimate > 1
    True
    """
    design = arm_design(arm, covariates)
    counts = outcomes(checks.count_array(y, "y"), design.in_active)
    time = np.ones(counts.size) if exposure is None else checks.float_array(exposure, "exposure")
    checks.same_length(y=counts, exposure=time)
    if wrong := int((time <= 0).sum()):
        raise AnalysisError(
            f"exposure is not above 0 for {wrong} of {time.size} people. Leave out who was never observed."
        )
    X, has_any = design.observed, counts > 0
    n, k = X.shape
    gamma = first_part(has_any, design, np.ones(n))
    found = _truncated_fit(counts[has_any], np.log(time[has_any]), X[has_any])
    share = expit(X @ gamma)
    scores = np.zeros((n, 2 * k + 1))
    scores[:, :k] = (X * (has_any - share)[:, None]) @ scaled_inverse((X.T * (share * (1 - share))) @ X)
    scores[has_any, k:] = found.scores @ scaled_inverse(found.information)
    means, influence = [], []
    for rows in (design.active, design.reference):
        mean, by_linear, by_alpha = _mean_if_any(np.log(at) + rows @ found.beta, found.alpha)
        chance = expit(rows @ gamma)
        slopes = np.concatenate(
            [(chance * (1 - chance) * mean) @ rows, (chance * by_linear) @ rows, [chance @ by_alpha]]
        )
        means.append(float((chance * mean).mean()))
        influence.append(scores @ slopes + chance * mean - means[-1])
    stacked = np.array(influence)
    names = [f"{part} {name}" for part in ("any", "positive") for name in design.names]
    return Standardised(
        means=np.array(means),
        covariance=stacked @ stacked.T / (n * (n - k)),
        df=float(has_any.sum() - k),
        model="hurdle",
        estimand="population",
        variance="robust",
        coefficients=np.concatenate([gamma, found.beta, [np.log(found.alpha)]]),
        names=(*names, "log alpha"),
        n_1=int(design.in_active.sum()),
        n_0=int((~design.in_active).sum()),
    )


class _Truncated(NamedTuple):
    """A fit of the second part: a row of scores per person with any, in coefficients and log alpha."""

    beta: Floats
    alpha: float
    log_likelihood: float
    scores: Floats
    information: Floats


def _truncated(beta: Floats, alpha: float, y: Floats, offset: Floats, X: Floats) -> _Truncated:
    """Return the zero-truncated log-likelihood: the negative binomial's less log(1 - P(0))."""
    linear = offset + X @ beta
    seen, none = terms(linear, alpha, y), terms(linear, alpha, np.zeros_like(y))
    odds = 1 / np.expm1(-none.value)  # of none
    by = [
        seen_part + odds * none_part
        for seen_part, none_part in ((seen.by_linear, none.by_linear), (seen.by_alpha, none.by_alpha))
    ]
    spread = odds * (1 + odds)
    twice_linear = seen.twice_linear + odds * none.twice_linear + spread * none.by_linear**2
    mixed = seen.mixed + odds * none.mixed + spread * none.by_linear * none.by_alpha
    twice_alpha = seen.twice_alpha + odds * none.twice_alpha + spread * none.by_alpha**2
    k = X.shape[1]
    information = np.empty((k + 1, k + 1))
    information[:k, :k] = -(X.T * twice_linear) @ X
    information[:k, k] = information[k, :k] = -X.T @ mixed
    information[k, k] = -float(twice_alpha.sum())
    value = float((seen.value - np.log(-np.expm1(none.value))).sum())
    return _Truncated(beta, alpha, value, np.column_stack([X * by[0][:, None], by[1]]), information)


def _truncated_fit(y: Floats, offset: Floats, X: Floats) -> _Truncated:
    """Return the maximum-likelihood fit, by Newton's method with a ridge where it is not concave."""
    k = X.shape[1]
    if np.linalg.matrix_rank(X / np.abs(X).max(axis=0, initial=1e-300)) < k or len(X) <= k + 1:
        raise AnalysisError(
            f"The {k + 1} coefficients of the second part cannot be told apart among the {len(X)} people who "
            f"have any. Adjust for fewer covariates."
        )
    start = np.zeros(k)
    start[0] = np.log(y.sum() / np.exp(offset).sum())
    at, ridge = _truncated(start, 1.0, y, offset, X), 0.0
    for _ in range(_ITERATIONS):
        size = np.abs(np.diag(at.information)) + 1e-8
        lowest = float(np.linalg.eigvalsh(at.information / np.sqrt(np.outer(size, size)))[0])
        damped = at.information + np.diag((ridge + max(0.0, 0.1 - lowest) * (lowest < 1e-6)) * size)
        step = np.linalg.solve(damped, at.scores.sum(axis=0))
        step *= min(1.0, 2.0 / float(max(np.abs(X @ step[:k]).max(), abs(step[k]))))
        alpha = at.alpha * float(np.exp(step[k]))
        beta = at.beta + step[:k]
        if not _LEAST < alpha < _MOST or (offset + X @ beta).min() < np.log(_LEAST_MEAN):
            break
        tried = _truncated(beta, alpha, y, offset, X)
        if tried.log_likelihood < at.log_likelihood - 1e-9 * abs(at.log_likelihood):
            ridge = max(4 * ridge, 0.01)
            continue
        at, ridge = tried, ridge / 10
        if max(np.abs(X @ step[:k]).max(), abs(step[k])) < _TOLERANCE and ridge < 1e-6:
            return at
    raise AnalysisError(
        f"No negative binomial has the spread of the counts of the {len(y)} people who have any. "
        f"Ask for a two-part model, which does not need one."
    )


def _mean_if_any(linear: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    """Return the mean of the truncated counts, and its derivatives in the linear predictor and log alpha."""
    none = terms(linear, alpha, np.zeros_like(linear))
    some = -np.expm1(none.value)
    mean = np.exp(linear) / some
    pull = mean * np.exp(none.value) / some
    return mean, mean + pull * none.by_linear, pull * none.by_alpha
