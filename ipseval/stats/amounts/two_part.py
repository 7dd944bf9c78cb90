"""Two-part model of an amount with many zeros: whether there is any, and how much there is if so.

A logistic regression says who has any; a regression with a log link says how much those have. Everyone's
product of both is averaged in either arm: a contrast of the arms as a whole. The two parts on their own do
not compare randomised groups beyond the first, because who has any differs between the arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.amounts.censoring_weights import (
    censoring_curve,
    censoring_influence,
    complete_weights,
    replicate_weights,
    why_not_identified,
)
from ipseval.stats.bootstrap import Counts, bootstrap_draws
from ipseval.stats.regression.binomial_logistic import binomial_logistic, scaled_inverse
from ipseval.stats.regression.covariates import ArmDesign, arm_design, outcomes
from ipseval.stats.regression.marginal_contrasts import Contrast, Standardised, wald_contrast
from ipseval.stats.regression.standardisation_bootstrap import StandardisedDraws
from ipseval.stats.regression.weighted_refits import refitted_coefficients

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ITERATIONS = 50
_TOLERANCE = 1e-11


@dataclass(frozen=True)
class TwoPart:
    """Both arms' mean amounts from a two-part model, and its parts.

    Attributes
    ----------
    marginal : Standardised
        Mean amounts, people without any included, with their covariance; asks for differences and ratios.
    any_odds_ratio : Contrast
        Odds of having any, active over reference arm, at the same covariates.
    positive_ratio : Contrast
        Mean among those who have any, active over reference, at the same covariates. Not a comparison of
        randomised groups: who has any differs between the arms.
    any_coefficients, positive_coefficients : (k,) arrays
        Log-odds, and logs of means.
    names : tuple of str
        "intercept", "arm", "covariate 0", ...
    n_positive : int
        People with any whom the second part is fitted to.
    """

    marginal: Standardised
    any_odds_ratio: Contrast
    positive_ratio: Contrast
    any_coefficients: Floats
    positive_coefficients: Floats
    names: tuple[str, ...]
    n_positive: int


def two_part(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    is_complete: ArrayLike | None = None,
    followed_days: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> TwoPart:
    """Return both arms' mean amounts from a two-part model, with a robust covariance.

    Without covariates the means are the plain (or weighted) means of the arms. With covariates the model
    must predict well for the means to be right: unlike a logistic or a linear working model, the product of
    two parts is not protected by randomisation.

    Parameters
    ----------
    y : array_like, one amount per person
        0 or more. Missing amounts are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers measured before randomisation; categories as indicators without their reference level.
    is_complete, followed_days : array_like, one entry per person, optional
        Both or neither. If given, people whose amount is not complete have weight 0, and the others of
        their arm stand for them as in `weighted_mean_amount`.
    conf_level : float
        Of the limits of both parts.

    Returns
    -------
    TwoPart

    Raises
    ------
    AnalysisError
        Negative amounts; an arm in which nobody, or everybody, has any; separation by a covariate; too few
        people with any; weights that are not identified.

    Notes
    -----
    The second part is a generalised linear model with log link and gamma variance: quasi-likelihood, of
    which only the mean must be right. Covariances are those of the infinitesimal jackknife of this very
    estimator (both parts, the average over covariates and the weights included), times n / (n - k) with k
    coefficients in each part. Estimates agree with R's glm and, as a hurdle gamma, with glmmTMB. Limits and
    tests of the means, and of the second part, are t on the people with any less k: they alone tell how much
    amounts differ, and where they are few a normal quantile, which other programs use, is too short. The odds
    of having any rest on everybody, and are normal.

    References
    ----------
    Duan, Manning, Morris & Newhouse (1983), Journal of Business & Economic Statistics 1:115-126.
    Belotti, Deb, Manning & Norton (2015), Stata Journal 15:3-20 (marginal means of both parts).
    Bang & Tsiatis (2000), Biometrika 87:329-343 (weights).

    Examples
    --------
    >>> from ipseval.stats.amounts.two_part import two_part
    >>> model = two_part([0, 0, 30, 50, 0, 0, 0, 20], [1, 1, 1, 1, 0, 0, 0, 0])
    >>> model.marginal.means.round(6).tolist()
    [20.0, 5.0]
    """
    design = arm_design(arm, covariates)
    values = _amounts(y, design)
    lost = (
        None
        if is_complete is None and followed_days is None
        else _Lost.of(is_complete, followed_days, design)
    )
    weights = np.ones(values.size) if lost is None else lost.weights
    parts = _fit(values, design, weights)
    spread = _Spread(values, design.observed, weights, parts, lost)
    means, influence = [], []
    for rows in (design.active, design.reference):
        share, amount = expit(rows @ parts.any), np.exp(rows @ parts.positive)
        mean = share * amount
        means.append(float(mean.mean()))
        slopes = (mean * (1 - share)) @ rows / values.size, mean @ rows / values.size
        influence.append(spread.of(*slopes) + mean - means[-1])
    stacked = np.array(influence)
    k = design.observed.shape[1]
    n_positive = int(((values > 0) & (weights > 0)).sum())
    df = float(n_positive - k)
    arm_of = np.eye(k)[1]
    nothing = np.zeros_like(arm_of)
    in_active = design.in_active
    return TwoPart(
        marginal=Standardised(
            means=np.array(means),
            covariance=spread.covariance(stacked),
            df=df,
            model="two_part",
            estimand="population",
            variance="robust",
            coefficients=np.concatenate([parts.any, parts.positive]),
            names=tuple(f"{part} {name}" for part in ("any", "positive") for name in design.names),
            n_1=int(in_active.sum()),
            n_0=int((~in_active).sum()),
        ),
        any_odds_ratio=spread.ratio(parts.any[1], arm_of, nothing, np.inf, conf_level),
        positive_ratio=spread.ratio(parts.positive[1], nothing, arm_of, df, conf_level),
        any_coefficients=parts.any,
        positive_coefficients=parts.positive,
        names=design.names,
        n_positive=n_positive,
    )


def bootstrap_two_part(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    is_complete: ArrayLike | None = None,
    followed_days: ArrayLike | None = None,
    replicates: int = 2000,
    seed: int,
) -> StandardisedDraws:
    """Return bootstrap replicates of both mean amounts of a two-part model, people drawn within their arm.

    Parameters
    ----------
    y, arm, covariates, is_complete, followed_days
        As for `two_part`. Weights are estimated anew in each replicate, and covariates drawn along.
    replicates : int
        At least 100.
    seed : int

    Returns
    -------
    StandardisedDraws
        NaN in a replicate in which a part has no finite fit.

    Raises
    ------
    AnalysisError
        As `two_part`.

    Examples
    --------
    >>> from ipseval.stats.amounts.two_part import bootstrap_two_part
    >>> hours = [0, 0, 30, 50, 9, 12, 0, 0, 20, 3, 8, 0]
    >>> draws = bootstrap_two_part(hours, [1] * 6 + [0] * 6, seed=1, replicates=200)
    >>> draws.means.round(6).tolist()
    [16.833333, 5.166667]
    """
    design = arm_design(arm, covariates)
    values = _amounts(y, design)
    lost = (
        None
        if is_complete is None and followed_days is None
        else _Lost.of(is_complete, followed_days, design)
    )
    start = _fit(values, design, np.ones(values.size) if lost is None else lost.weights)
    X, has_any = design.observed, values > 0

    def any_part(linear: Floats) -> tuple[Floats, Floats]:
        share = expit(linear)
        return has_any - share, share * (1 - share)

    def positive_part(linear: Floats) -> tuple[Floats, Floats]:
        relative = values[has_any] * np.exp(-linear)
        return relative - 1.0, relative

    def statistic(counts: Counts) -> Floats:
        weights = counts.astype(np.float64) if lost is None else lost.replicates(counts)
        first = refitted_coefficients(weights, X, start.any, any_part)
        second = refitted_coefficients(weights[:, has_any], X[has_any], start.positive, positive_part)
        means = []
        for rows in (design.active, design.reference):
            mean = expit(first @ rows.T) * np.exp(second @ rows.T)
            means.append((counts * mean).sum(axis=1) / counts.sum(axis=1))
        return np.column_stack(means)

    within = design.in_active.astype(np.intp)
    return StandardisedDraws(
        means=statistic(np.ones((1, values.size), np.intp))[0],
        draws=bootstrap_draws(statistic, within, replicates=replicates, seed=seed),
        n_penalised=0,
        left_out=None,
        drawn_within=within,
    )


class _Parts(NamedTuple):
    """The coefficients of both parts."""

    any: Floats
    positive: Floats


@dataclass(frozen=True)
class _Lost:
    """Who is complete and until when each was followed, arm by arm."""

    complete: Mask
    followed: Floats
    arms: tuple[Mask, Mask]
    weights: Floats

    @classmethod
    def of(cls, is_complete: ArrayLike | None, followed_days: ArrayLike | None, design: ArmDesign) -> _Lost:
        if is_complete is None or followed_days is None:
            raise AnalysisError("Weights need is_complete and followed_days. Pass both, or neither.")
        complete = checks.boolean_array(is_complete, "is_complete")
        followed = checks.float_array(followed_days, "followed_days")
        checks.not_negative(followed, "followed_days")
        checks.same_length(arm=design.in_active, is_complete=complete, followed_days=followed)
        arms = (design.in_active, ~design.in_active)
        weights = np.zeros(followed.size)
        for name, members in zip(("active", "reference"), arms, strict=True):
            if note := why_not_identified(complete[members], followed[members]):
                raise AnalysisError(f"The {name} arm cannot be weighted. {note}")
            weights[members] = complete_weights(complete[members], followed[members])
        return cls(complete, followed, arms, weights)

    def replicates(self, counts: Counts) -> Floats:
        """Return the weights of each replicate, times how often each person is drawn."""
        weights = np.empty(counts.shape)
        for members in self.arms:
            weights[:, members] = replicate_weights(
                self.complete[members], self.followed[members], counts[:, members]
            )
        return weights

    def influence(self, carried: Floats) -> Floats:
        """Return what the weights, being estimated, add to influences that they carry."""
        added = np.zeros(carried.size)
        for members in self.arms:
            complete, followed = self.complete[members], self.followed[members]
            curve = censoring_curve(complete, followed)
            added[members] = censoring_influence(carried[members], followed, curve, complete, followed)
        return added


class _Spread:
    """The influence of each person on any combination of the coefficients of both parts."""

    def __init__(self, y: Floats, X: Floats, weights: Floats, parts: _Parts, lost: _Lost | None) -> None:
        has_any, share = y > 0, expit(X @ parts.any)
        relative = np.where(has_any, y * np.exp(-(X @ parts.positive)), 0.0)
        self.n, self.k, self.lost = *X.shape, lost
        self.any = X * (weights * (has_any - share))[:, None]
        self.any = self.n * self.any @ scaled_inverse((X.T * (weights * share * (1 - share))) @ X)
        self.positive = X * (weights * np.where(has_any, relative - 1.0, 0.0))[:, None]
        self.positive = self.n * self.positive @ scaled_inverse((X.T * (weights * relative)) @ X)

    def of(self, any_slopes: Floats, positive_slopes: Floats) -> Floats:
        """Return the influence of each person on a combination with these derivatives, shape (n,)."""
        carried: Floats = self.any @ any_slopes + self.positive @ positive_slopes
        return carried if self.lost is None else carried + self.lost.influence(carried)

    def covariance(self, influence: Floats) -> Floats:
        """Return the covariance of estimates from their influences, a row per estimate."""
        covariance: Floats = influence @ influence.T / (self.n * (self.n - self.k))
        return covariance

    def ratio(
        self, log: float, any_slopes: Floats, positive_slopes: Floats, df: float, conf_level: float
    ) -> Contrast:
        """Return a ratio from its log."""
        variance = self.covariance(self.of(any_slopes, positive_slopes)[None, :])[0, 0]
        return wald_contrast(float(log), float(np.sqrt(variance)), df, conf_level=conf_level, is_log=True)


def _amounts(y: ArrayLike, design: ArmDesign) -> Floats:
    values = outcomes(y, design.in_active)
    if wrong := int((values < 0).sum()):
        raise AnalysisError(
            f"y is negative for {wrong} of {values.size} people: a two-part model is of amounts of 0 "
            f"or more. Report the difference in means."
        )
    return values


def _fit(y: Floats, design: ArmDesign, weights: Floats) -> _Parts:
    """Return the coefficients of both parts, or refuse what has no finite fit."""
    first, used = first_part(y > 0, design, weights), (y > 0) & (weights > 0)
    return _Parts(first, _log_link(y[used], design.observed[used], weights[used]))


def first_part(has_any: Mask, design: ArmDesign, weights: Floats) -> Floats:
    """Return the logistic regression of having any, or refuse what has no finite fit."""
    counts = weights > 0
    for name, members in (("active", design.in_active), ("reference", ~design.in_active)):
        people = members & counts
        have = int((people & has_any).sum())
        if have in (0, int(people.sum())):
            who = "Nobody" if have == 0 else "Everybody"
            raise AnalysisError(
                f"{who} of {int(people.sum())} in the {name} arm has any: a model in two parts has no first "
                f"part to fit. Report the difference in means."
            )
    first = binomial_logistic(weights * has_any, weights, design.observed)
    if not first.converged:
        listed = checks.named_list([design.names[j] for j in first.separated], 9) or "all columns"
        raise AnalysisError(
            f"Who has any is predicted perfectly by a combination of columns ({listed}; counted from 0): "
            f"their coefficients have no finite estimate. Merge levels or leave covariates out."
        )
    return first.coefficients


def _log_link(y: Floats, X: Floats, weights: Floats) -> Floats:
    """Return the gamma quasi-likelihood fit of positive amounts with a log link; it is concave."""
    if np.linalg.matrix_rank(X / np.abs(X).max(axis=0, initial=1e-300)) < X.shape[1] or len(X) <= X.shape[1]:
        raise AnalysisError(
            f"The {X.shape[1]} coefficients of the second part cannot be told apart among the {len(X)} "
            f"people who have any. Adjust for fewer covariates."
        )
    beta = np.zeros(X.shape[1])
    beta[0] = np.log(weights @ y / weights.sum())
    value = _gamma_log_likelihood(X @ beta, y, weights)
    for _ in range(_ITERATIONS):
        relative = weights * y * np.exp(-(X @ beta))
        step = scaled_inverse((X.T * relative) @ X) @ (X.T @ (relative - weights))
        while (new := _gamma_log_likelihood(X @ (beta + step), y, weights)) < value - 1e-9 * abs(value):
            step = step / 2.0
        beta, value = beta + step, new
        if np.abs(X @ step).max() < _TOLERANCE:
            return beta
    raise AnalysisError(
        f"The second part did not converge in {_ITERATIONS} iterations. Rescale or leave out covariates."
    )


def _gamma_log_likelihood(linear: Floats, y: Floats, weights: Floats) -> float:
    with np.errstate(over="ignore"):  # a step too far is refused, not followed
        return -float(weights @ (linear + y * np.exp(-linear)))
