"""How covariates multiply the rate of events that may recur: the Andersen-Gill model, robust by person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ipseval.errors import NotDefinedError
from ipseval.stats.times.cox import (
    CoxFit,
    chi_square,
    column_spread,
    covariate_matrix,
    inverse_information,
    maximise,
    refuse_collinear,
    squared_distance,
)
from ipseval.stats.times.partial_likelihood import Evaluation
from ipseval.stats.times.recurrences import Recurrences, recurrences
from ipseval.stats.times.risk_sets import Floats, Integers, reverse_cumulative, strata_rows

# A robust variance that is this small beside the model's is rounding error: nobody differs from anybody.
_ROUNDING = 1e-20


def andersen_gill(
    duration: ArrayLike,
    person: ArrayLike,
    event_time: ArrayLike,
    covariates: ArrayLike,
    *,
    strata: ArrayLike | None = None,
) -> CoxFit:
    """Return rate ratios of events that may recur, with a variance that lets the events of a person be alike.

    The ratio is assumed constant over follow-up, and the same for first and later events. Whoever dies leaves
    the risk set as somebody lost does: these are rates among the living.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to death or to the end of follow-up, 0 or more; at risk until then, after an event too.
    person : array of int, shape (events,)
        For each event the place of its person, 0 to n - 1.
    event_time : array, shape (events,)
        When it happened, up to the person's duration. Several at one time all count.
    covariates : array of float, shape (n, p) or (n,)
        One column per covariate; missing values are refused.
    strata : array, shape (n,), optional
        A baseline rate of its own for each label.

    Returns
    -------
    CoxFit
        Coefficients are log rate ratios; ``robust_covariance`` is by person, and the standard errors and the
        Wald test use it. ``n_event`` counts events. The likelihood-ratio and score tests are those of the
        model that takes the events of a person as independent.

    Raises
    ------
    AnalysisError
        Missing values, arrays of different length, events after their person has left, no events, a
        constant or collinear covariate.

    Notes
    -----
    Ties as Breslow, with which the score is the estimating equation of the proportional means model and
    several events of one person on a day need no order. Agrees with R's
    ``coxph(Surv(start, stop, event) ~ x, cluster = id, ties = "breslow")`` to 1e-8.

    References
    ----------
    Andersen and Gill (1982), Annals of Statistics 10:1100-1120. Lin, Wei, Yang and Ying (2000), Journal of
    the Royal Statistical Society B 62:711-730, section 2.2, for the variance.

    Examples
    --------
    >>> fit = andersen_gill([90] * 6, [0, 0, 1, 2, 3, 5], [10, 40, 20, 70, 50, 60], [1, 1, 1, 0, 0, 0])
    >>> fit.coef.round(4).tolist(), fit.std_error.round(4).tolist()
    ([0.6931], [0.4564])
    """
    sample = recurrences(duration, np.zeros(np.shape(duration), dtype=np.bool_), person, event_time)
    n = sample.duration.size
    columns = covariate_matrix(covariates, n)
    if not sample.person.size:
        raise NotDefinedError(f"No event among {n} people, so no rate can be compared.")
    scale = column_spread(columns)
    standardised = (columns - columns.mean(axis=0)) / scale
    model = [
        part
        for rows in strata_rows(strata, n)
        if (part := _Stratum.of(sample, np.arange(n)[rows], standardised)).time.size
    ]
    null = _total(model, np.zeros(scale.size))
    refuse_collinear(null.information, sample.person.size)
    path = maximise(lambda coef: _total(model, coef), null)
    covariance = inverse_information(path.at.information, path.infinite)
    influence = np.vstack([part.score_residuals(path.coef) for part in model]) @ np.nan_to_num(covariance)
    robust = np.where(np.isnan(covariance), np.nan, _without_rounding(influence.T @ influence, covariance))
    return CoxFit(
        coef=np.where(path.infinite, np.copysign(np.inf, path.coef), path.coef / scale),
        covariance=covariance / np.outer(scale, scale),
        robust_covariance=robust / np.outer(scale, scale),
        loglik_null=null.loglik,
        loglik=path.at.loglik,
        likelihood_ratio_test=chi_square(2 * (path.at.loglik - null.loglik), scale.size),
        wald_test=chi_square(squared_distance(path.coef, robust), scale.size),
        score_test=chi_square(squared_distance(null.score, null.information), scale.size),
        n=n,
        n_event=sample.person.size,
        iterations=path.iterations,
        converged=not path.reason,
        reason=path.reason,
    )


@dataclass(frozen=True)
class _Stratum:
    """The people of one stratum on its own event times.

    ``seen`` of these each person was at risk at; ``own`` events each person had. Per time, ``tied`` events;
    per event, its ``place`` among the times and its person.
    """

    covariates: Floats
    seen: Integers
    own: Floats
    time: Floats
    tied: Floats
    place: Integers
    person: Integers

    @classmethod
    def of(cls, sample: Recurrences, rows: Integers, covariates: Floats) -> _Stratum:
        part = sample.of(rows)
        time, place = np.unique(part.event_time, return_inverse=True)
        return cls(
            covariates[rows],
            seen=np.searchsorted(time, part.duration, side="right"),
            own=np.bincount(part.person, minlength=rows.size).astype(np.float64),
            time=time,
            tied=np.bincount(place, minlength=time.size).astype(np.float64),
            place=place,
            person=part.person,
        )

    def _risk_sets(self, coef: Floats) -> tuple[Floats, Floats, Floats, float]:
        """Return everyone's relative rate; per time its sum over those at risk, their mean covariates."""
        linear = self.covariates @ coef
        # Only ratios of rates matter: the shift keeps the exponentials finite.
        rate = np.exp(linear - linear.max())
        total, *sums = (
            reverse_cumulative(np.bincount(self.seen, values, self.time.size + 1).astype(np.float64))[1:]
            for values in (rate, *(rate * self.covariates.T))
        )
        return rate, total, np.column_stack(sums) / total[:, None], float(linear.max())

    def evaluate(self, coef: Floats) -> Evaluation:
        """Return the log partial likelihood, its gradient and minus its Hessian."""
        rate, total, mean, shift = self._risk_sets(coef)
        loglik = self.own @ (self.covariates @ coef) - self.tied @ (np.log(total) + shift)
        score = self.own @ self.covariates - self.tied @ mean
        expected = rate * _upto(self.tied / total)[self.seen]
        information = (self.covariates.T * expected) @ self.covariates - (mean.T * self.tied) @ mean
        return Evaluation(float(loglik), score, information)

    def score_residuals(self, coef: Floats) -> Floats:
        """Return each person's share of the score, shape (people, covariates)."""
        rate, total, mean, _ = self._risk_sets(coef)
        step = self.tied / total
        expected = _upto(step)[self.seen][:, None] * self.covariates - _upto(step[:, None] * mean)[self.seen]
        at_events = np.zeros_like(self.covariates)
        np.add.at(at_events, self.person, mean[self.place])
        residuals: Floats = self.own[:, None] * self.covariates - at_events - rate[:, None] * expected
        return residuals


def _without_rounding(robust: Floats, covariance: Floats) -> Floats:
    """Return a robust covariance with 0 where people vary by rounding error alone."""
    size = np.sqrt(np.abs(np.outer(np.diag(covariance), np.diag(covariance))))
    return np.where(np.abs(robust) > _ROUNDING * size, robust, 0.0)


def _upto(steps: Floats) -> Floats:
    """Return the sums of the first 0, 1, 2, ... steps."""
    return np.concatenate([np.zeros_like(steps[:1]), np.cumsum(steps, axis=0)])


def _total(model: list[_Stratum], coef: Floats) -> Evaluation:
    """Return the partial likelihood, score and information summed over strata."""
    parts = [stratum.evaluate(coef) for stratum in model]
    return Evaluation(
        sum(part.loglik for part in parts),
        np.sum([part.score for part in parts], axis=0),
        np.sum([part.information for part in parts], axis=0),
    )
