"""The bootstrap of standardised means: the working model refitted in every replicate, many at a time.

A replicate is a row of integer weights. Newton's steps of all replicates of a chunk are taken together:
their information matrices are one product of the replicates' weights with the columns' cross-products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import (
    BootstrapInterval,
    Counts,
    acceleration,
    bca_interval,
    bootstrap_draws,
    jackknife_values,
    percentile_interval,
)
from ipseval.stats.regression.canonical_models import MODELS, Fit, canonical_fit, mean_and_weight
from ipseval.stats.regression.covariates import ArmDesign, arm_design, outcomes
from ipseval.stats.regression.firth_refits import firth_coefficients
from ipseval.stats.regression.marginal_contrasts import MEASURES, measured
from ipseval.stats.regression.weighted_refits import refitted_coefficients
from ipseval.stats.strata import stratum_codes

Floats = NDArray[np.float64]

DRAWN_EVERY_TIME = (
    "who is alone of an arm in a stratum is drawn every time, so that the bootstrap shows too little spread"
)


@dataclass(frozen=True)
class StandardisedDraws:
    """Bootstrap replicates of both standardised means, and intervals from them.

    Attributes
    ----------
    means : (2,) array
        Of the data themselves: active arm, reference arm.
    draws : (replicates, 2) array
        NaN where the working model has no finite fit in a replicate, not even a penalised one.
    n_penalised : int
        Replicates that are separated, and were fitted with Firth's penalty.
    left_out : (n, 2) array or None
        The means with each person left out in turn, if asked for: "bca" needs them.
    drawn_within : (n,) array of int
        Arm by stratum.
    """

    means: Floats
    draws: Floats
    n_penalised: int
    left_out: Floats | None
    drawn_within: NDArray[np.intp]

    @property
    def alone(self) -> str:
        """What must be said of people who are alone of their arm in their stratum, and so never vary."""
        n_alone = int((np.bincount(self.drawn_within) == 1).sum())
        return f"{DRAWN_EVERY_TIME}; n_alone = {n_alone} of {len(self.drawn_within)}" if n_alone else ""

    def interval(
        self,
        measure: str = "difference",
        *,
        method: str = "percentile",
        conf_level: float = 0.95,
        may_fail: float = 0.0,
    ) -> BootstrapInterval:
        """Return the interval of a contrast, active minus (or over) reference.

        Parameters
        ----------
        measure : {"difference", "ratio", "odds_ratio"}
            ``std_error`` and ``bias`` of a ratio are those of its log; its limits are not logs.
        method : {"percentile", "bca"}
        conf_level : float
        may_fail : float
            The largest share of replicates that may fail and be left out of the interval.

        Returns
        -------
        BootstrapInterval
            NaN with a reason in ``note`` if more replicates failed than may: which ones do is not random.
            The note counts those left out, those that were fitted with Firth's penalty, and the people who
            are alone of their arm in their stratum: they are in every replicate and do not vary.
        """
        checks.one_of(measure, MEASURES, "measure")
        checks.one_of(method, ("percentile", "bca"), "method")
        draws, estimate = measured(self.draws, measure), float(measured(self.means, measure))
        fitted = np.isfinite(draws)
        n_left_out = int((~fitted).sum()) if 0 < (~fitted).mean() <= may_fail else 0
        draws = draws[fitted] if n_left_out else draws
        # Proportions repeat themselves; rounding in a refit must not decide on which side of the estimate.
        draws = np.where(np.abs(draws - estimate) <= 1e-9 * np.abs(estimate), estimate, draws)
        if method == "bca" and self.left_out is None:
            raise AnalysisError(
                "method='bca' needs each person left out in turn. Pass leave_out=True before."
            )
        if method == "percentile" or self.left_out is None:
            found = percentile_interval(draws, estimate, conf_level=conf_level)
        else:
            skewness = acceleration(measured(self.left_out, measure), self.drawn_within)
            found = bca_interval(draws, estimate, skewness, conf_level=conf_level)
        if self.n_penalised and not found.note:
            found = found._replace(
                note=f"{self.n_penalised} of {len(self.draws)} replicates are separated and were fitted with "
                f"Firth's penalty."
            )
        if n_left_out and not found.note:
            note = f"{n_left_out} of {len(self.draws)} replicates have no fit and are left out"
            found = found._replace(note=note, replicates=len(self.draws), n_failed=n_left_out)
        found = found._replace(note="; ".join(filter(None, (found.note, self.alone))))
        if measure == "difference":
            return found
        low, high = np.exp([found.conf_low, found.conf_high]).tolist()
        return found._replace(estimate=float(np.exp(estimate)), conf_low=low, conf_high=high)


def bootstrap_standardised_means(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    model: str = "logistic",
    interaction: bool = False,
    strata: ArrayLike | None = None,
    replicates: int = 2000,
    seed: int,
    leave_out: bool = False,
) -> StandardisedDraws:
    """Return bootstrap replicates of standardised means, people drawn within arm and stratum.

    Parameters
    ----------
    y, arm, covariates, interaction
        As for `standardised_means`.
    model : {"logistic", "linear", "poisson"}
    strata : array_like, optional
        The strata of randomisation.
    replicates : int
        At least 100.
    seed : int
    leave_out : bool
        Whether to leave out each person in turn as well, which takes time in the square of their number.

    Returns
    -------
    StandardisedDraws

    Raises
    ------
    AnalysisError
        As `standardised_means`.

    Notes
    -----
    Covariates are drawn along with outcomes, so that the interval is for the population. A covariate that
    nobody drawn has is left out of that replicate. Separated replicates are those in which the arms
    differ most: without them the interval would be too short. They are fitted with Firth's penalty, whose
    predictions lie between 0 and 1, and counted.

    References
    ----------
    Firth (1993), Biometrika 80:27-38, section 3.3.
    Davison & Hinkley (1997), Bootstrap Methods and their Application, section 3.2 (several samples).

    Examples
    --------
    >>> had_job = [1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0]
    >>> draws = bootstrap_standardised_means(had_job, [1] * 6 + [0] * 6, seed=1)
    >>> draws.interval("difference").replicates
    2000
    """
    checks.one_of(model, MODELS, "model")
    design = arm_design(arm, covariates, interaction=interaction)
    values = outcomes(y, design.in_active)
    fit = canonical_fit(values, design.observed, model, design.names)
    within = design.in_active.astype(np.intp)
    if strata is not None:
        within = within + 2 * stratum_codes(strata)

    penalised: list[int] = []

    def statistic(counts: Counts) -> Floats:
        weights = counts.astype(np.float64)
        return _means(weights, _refits(weights, values, design.observed, fit), design, fit)

    def drawn(counts: Counts) -> Floats:
        means = statistic(counts)
        lost = np.isnan(means).any(axis=1)
        if model == "logistic" and lost.any():
            weights = counts[lost].astype(np.float64)
            means[lost] = _means(weights, firth_coefficients(weights, values, design.observed), design, fit)
            penalised.append(int(np.isfinite(means[lost]).all(axis=1).sum()))
        return means

    return StandardisedDraws(
        means=statistic(np.ones((1, values.size), np.intp))[0],
        draws=bootstrap_draws(drawn, within, replicates=replicates, seed=seed),
        n_penalised=sum(penalised),
        left_out=jackknife_values(statistic, values.size) if leave_out else None,
        drawn_within=within,
    )


def _refits(counts: Floats, y: Floats, X: Floats, fit: Fit) -> Floats:
    """Return the coefficients of each row of case weights; NaN where there is no finite estimate."""

    def residual_and_weight(linear: Floats) -> tuple[Floats, Floats]:
        mean, weight = mean_and_weight(linear, fit.model)
        return y - mean, weight

    # The linear predictor of a linear model has the unit of y, and its step is exact; others are logarithms.
    is_linear = fit.model == "linear"
    how = {"unit": float(np.abs(y).max()), "longest_step": np.inf} if is_linear else {}
    return refitted_coefficients(counts, X, fit.coefficients, residual_and_weight, **how)


def _means(counts: Floats, beta: Floats, design: ArmDesign, fit: Fit) -> Floats:
    """Return the standardised means of each row of case weights, from its coefficients."""
    people = counts.sum(axis=1)
    means = []
    for rows in (design.active, design.reference):
        predicted, _ = mean_and_weight(beta @ rows.T, fit.model)
        means.append((counts * predicted).sum(axis=1) / people)
    return np.column_stack(means)
