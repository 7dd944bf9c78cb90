"""Shared frailty: a Cox model in which the people of one site share an unknown factor of their hazard.

With few sites the variance of the factor is hardly known; stratifying by site asks for less. The two
models here integrate the frailties out of the partial likelihood: exactly for gamma frailties, by
Laplace's approximation for log-normal ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import Path, column_spread, covariate_matrix, maximise, refuse_collinear
from ipseval.stats.times.partial_likelihood import Evaluation, Stratum
from ipseval.stats.times.risk_sets import Floats, codes, durations

DISTRIBUTIONS = ("gamma", "gaussian")

_MAX_ITERATIONS = 100
_STEP_DONE = 1e-10
# The variance is sought between these; below the smallest the likelihood is that without frailty.
_SMALLEST, _LARGEST = 1e-6, 10.0


class FrailtyFit(NamedTuple):
    """A Cox model with shared frailty.

    ``variance`` is that of the frailty itself (gamma, mean 1) or of its logarithm (gaussian); 0 with
    ``at_boundary`` True where no frailty fits best, and the coefficients are then those of `cox`.
    ``log_frailty`` has one entry per label of ``clusters``. ``loglik_cox`` is the log partial likelihood
    without frailty, ``loglik`` the integrated one; ``p_value`` of no frailty halves the chi-square tail,
    as the variance cannot be negative.
    """

    coef: Floats
    covariance: Floats
    variance: float
    at_boundary: bool
    clusters: NDArray[Any]
    log_frailty: Floats
    loglik_cox: float
    loglik: float
    p_value: float
    n: int
    n_event: int
    converged: bool
    reason: str

    @property
    def std_error(self) -> Floats:
        """Standard errors of the coefficients, the variance of the frailty taken as known."""
        return np.sqrt(np.diag(self.covariance))


def shared_frailty(
    duration: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    cluster: ArrayLike,
    *,
    distribution: str = "gamma",
) -> FrailtyFit:
    """Return the Cox model with a frailty shared within clusters, by maximum likelihood, Efron's ties.

    Coefficients compare people of one cluster; they are larger than those of `cox`, which averages over
    clusters.

    Parameters
    ----------
    duration, event, covariates
        As in `cox`.
    cluster : array, shape (n,)
        Label of the site or group that shares a frailty; two or more.
    distribution : {"gamma", "gaussian"}
        "gamma" is integrated exactly; "gaussian" (of the log frailty) by Laplace's approximation.

    Returns
    -------
    FrailtyFit

    Raises
    ------
    AnalysisError
        As `cox`; fewer than two clusters.

    Notes
    -----
    For each variance the coefficients and log frailties maximise the penalised partial likelihood, in
    which gamma frailties have the penalty sum (w - exp(w)) / variance; the variance maximises the
    integrated one. Gamma agrees with R's ``coxph(frailty(sparse=FALSE, eps=1e-13))`` to 1e-5; with its
    default eps R stops when the likelihood changes by 1e-5 of itself, 3% short in the variance for
    ``veteran``. Gaussian agrees with coxme's criterion to 1e-6; R's own gaussian frailty is another
    estimator (REML).

    References
    ----------
    Therneau and Grambsch (2000), Modeling Survival Data, sections 9.2 to 9.6. Therneau, Grambsch and
    Pankratz (2003), Journal of Computational and Graphical Statistics 12:156-175. Ripatti and Palmgren
    (2000), Biometrics 56:1016-1022, for Laplace's approximation.

    Examples
    --------
    >>> time = [1, 2, 3, 4, 21, 22, 23, 24, 9, 30, 12, 35]
    >>> site, arm = ["A"] * 4 + ["B"] * 4 + ["C"] * 4, [1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    >>> fit = shared_frailty(time, [True] * 12, arm, site)
    >>> fit.coef.round(2).tolist(), round(fit.variance, 2)
    ([1.89], 2.45)
    """
    checks.one_of(distribution, DISTRIBUTIONS, "distribution")
    sample = _Sample.of(duration, event, covariates, cluster)
    penalty = _gamma if distribution == "gamma" else _gaussian
    without = sample.without_frailty()

    def missing(log_variance: float) -> float:
        return -sample.integrated(penalty, float(np.exp(log_variance)))

    ends = float(np.log(_SMALLEST)), float(np.log(_LARGEST))
    found = optimize.minimize_scalar(missing, bounds=ends, method="bounded", options={"xatol": 1e-9})
    variance, loglik = float(np.exp(found.x)), float(-found.fun)
    # Close to 0 the likelihood is flat: a variance that gains less than rounding error is none.
    if loglik <= without.at.loglik + 1e-6:
        return sample.fit(without, 0.0, without.at.loglik, without)
    return sample.fit(sample.climb(penalty, variance), variance, loglik, without)


class _Penalty(NamedTuple):
    """A penalty on log frailties: what it adds to the likelihood, its gradient, and minus its curvature."""

    value: float
    gradient: Floats
    curvature: Floats


Penalty = Callable[[Floats, float], _Penalty]


def _gaussian(frailty: Floats, variance: float) -> _Penalty:
    return _Penalty(
        -float(frailty @ frailty) / (2 * variance),
        -frailty / variance,
        np.full_like(frailty, 1.0 / variance),
    )


def _gamma(frailty: Floats, variance: float) -> _Penalty:
    factor = np.exp(frailty)
    return _Penalty(float((frailty - factor).sum()) / variance, (1.0 - factor) / variance, factor / variance)


@dataclass(frozen=True)
class _Sample:
    """The standardised covariates followed by one indicator per cluster, on the event times."""

    model: Stratum
    scale: Floats
    clusters: NDArray[Any]
    events: Floats
    n: int

    @classmethod
    def of(cls, duration: ArrayLike, event: ArrayLike, covariates: ArrayLike, cluster: ArrayLike) -> _Sample:
        time, happened = durations(duration), checks.boolean_array(event, "event")
        columns = covariate_matrix(covariates, time.size)
        clusters, place = codes(cluster, "cluster")
        checks.same_length(duration=time, event=happened, cluster=place)
        if clusters.size < 2:
            raise AnalysisError("cluster has 1 label. Two or more are needed; leave out the frailty.")
        if not happened.any():
            raise AnalysisError(f"No event among {time.size} people, so no hazard can be compared.")
        scale = column_spread(columns)
        member = (place[:, None] == np.arange(clusters.size)).astype(np.float64)
        both = np.hstack([(columns - columns.mean(axis=0)) / scale, member])
        model = Stratum.of(slice(None), both, time, happened, None, efron=True)
        return cls(model, scale, clusters, member[happened].sum(axis=0), time.size)

    def without_frailty(self) -> Path:
        """Return the Cox model of the covariates; refuse it if it is not finite."""
        n_fixed = self.scale.size

        def likelihood(fixed: Floats) -> Evaluation:
            at = self.model.evaluate(np.append(fixed, np.zeros(self.clusters.size)))
            return Evaluation(at.loglik, at.score[:n_fixed], at.information[:n_fixed, :n_fixed])

        null = likelihood(np.zeros(n_fixed))
        refuse_collinear(null.information, int(self.events.sum()))
        path = maximise(likelihood, null)
        if path.reason:
            raise AnalysisError(f"{path.reason} Leave it out, or use cox, which reports what is finite.")
        return path._replace(coef=np.append(path.coef, np.zeros(self.clusters.size)))

    def climb(self, penalty: Penalty, variance: float) -> Path:
        """Maximise the penalised partial likelihood by Newton steps, halved while they overshoot."""
        coef = np.zeros(self.scale.size + self.clusters.size)
        at, finite = self._penalised(coef, penalty, variance), np.zeros(coef.size, dtype=np.bool_)
        for iteration in range(1, _MAX_ITERATIONS + 1):
            step = np.linalg.solve(at.information, at.score)
            moved = self._penalised(coef + step, penalty, variance)
            while not moved.loglik >= at.loglik - 1e-9 and np.abs(step).max() > _STEP_DONE:
                step = step / 2
                moved = self._penalised(coef + step, penalty, variance)
            coef, at = coef + step, moved
            if np.abs(step).max() < _STEP_DONE:
                return Path(coef, at, finite, iteration, "")
        return Path(coef, at, finite, _MAX_ITERATIONS, f"No convergence in {_MAX_ITERATIONS} iterations.")

    def integrated(self, penalty: Penalty, variance: float) -> float:
        """Return the partial likelihood with the frailties integrated out, at its best coefficients."""
        top = self.climb(penalty, variance)
        if penalty is _gamma:
            return top.at.loglik + self._gamma_correction(variance)
        frailties = slice(self.scale.size, None)
        curvature = np.linalg.slogdet(variance * top.at.information[frailties, frailties])[1]
        return top.at.loglik - 0.5 * float(curvature)

    def _gamma_correction(self, variance: float) -> float:
        """Return what turns the gamma-penalised likelihood into the integrated one.

        Therneau and Grambsch (2000), chapter 9, the penalty's own constant included.
        """
        shape = 1.0 / variance
        upper = shape + self.events
        terms = (
            shape * np.log(shape) - upper * np.log(upper) + special.gammaln(upper) - special.gammaln(shape)
        )
        return float((terms + self.events + shape).sum())

    def fit(self, top: Path, variance: float, loglik: float, without: Path) -> FrailtyFit:
        """Return the fit in the units of the covariates."""
        n_fixed = self.scale.size
        covariance = np.linalg.inv(top.at.information)[:n_fixed, :n_fixed]
        gain = max(2 * (loglik - without.at.loglik), 0.0)
        return FrailtyFit(
            coef=top.coef[:n_fixed] / self.scale,
            covariance=covariance / np.outer(self.scale, self.scale),
            variance=variance,
            at_boundary=variance == 0,
            clusters=self.clusters,
            log_frailty=top.coef[n_fixed:],
            loglik_cox=without.at.loglik,
            loglik=loglik,
            p_value=0.5 * float(special.chdtrc(1, gain)) if variance else 1.0,
            n=self.n,
            n_event=int(self.events.sum()),
            converged=not top.reason,
            reason=top.reason,
        )

    def _penalised(self, coef: Floats, penalty: Penalty, variance: float) -> Evaluation:
        at = self.model.evaluate(coef)
        frailties = slice(self.scale.size, None)
        paid = penalty(coef[frailties], variance)
        score, information = at.score.copy(), at.information.copy()
        score[frailties] += paid.gradient
        information[frailties, frailties] += np.diag(paid.curvature)
        return Evaluation(at.loglik + paid.value, score, information)
