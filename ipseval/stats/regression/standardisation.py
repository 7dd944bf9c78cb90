"""Standardisation (g-computation): both arms' mean outcome if everyone had been in that arm.

A working model predicts everyone's outcome in either arm; the predictions are averaged over all people and
compared. The difference, ratio and odds ratio are marginal: they say what would change for these people as a
whole, and need not be adjusted for the same covariates elsewhere to be compared. The working model may be
wrong: with randomised arms the answer is still right, only less precise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.means import NO_SPREAD, TOO_FEW
from ipseval.stats.regression.canonical_models import MODELS, Fit, canonical_fit, mean_and_weight
from ipseval.stats.regression.covariates import ArmDesign, arm_design, outcomes
from ipseval.stats.regression.few_clusters import Sample, cluster_samples
from ipseval.stats.regression.firth import firth_fit
from ipseval.stats.regression.marginal_contrasts import Standardised
from ipseval.stats.regression.robust_variance import (
    CLUSTERED,
    KINDS,
    Codes,
    adjusted_scores,
    cluster_codes,
    sums_by_cluster,
)
from ipseval.stats.strata import stratum_codes

Floats = NDArray[np.float64]

ESTIMANDS = ("population", "sample")
VARIANCES = ("ye", "augmented", "model", *KINDS)
# Those that use that the arms were randomised; only these have the small-sample correction.
_OF_RANDOMISATION = ("ye", "augmented")

NOT_POSITIVE = (
    "the variance of Ye and others is not positive in these data: the mean square of the influence function "
    "stands in"
)
STRATA_TAKE_TOO_MUCH = (
    "randomisation within strata would take off more variance than there is: nothing is taken off, which is "
    "cautious"
)
ALL_ALIKE = "nobody or everybody has the outcome, so that the uncertainty cannot be estimated by a model"

# A share left to a person of leverage 1 minus this is rounding.
_SPENT = 1e-12


def standardised_means(
    y: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    model: str = "logistic",
    interaction: bool = False,
    estimand: str = "population",
    variance: str = "ye",
    small_sample: bool = True,
    strata: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    is_shared: ArrayLike | None = None,
) -> Standardised:
    """Return the standardised means of two randomised arms with their covariance.

    Parameters
    ----------
    y : array_like, one outcome per person
        0 or 1 for "logistic" and "firth". Missing outcomes are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers measured before randomisation; categories as indicators without their reference level.
    model : {"logistic", "linear", "poisson", "firth"}
        The working model. "firth" is the way out where the data are separated.
    interaction : bool
        Whether the arms differ in the slope of every covariate.
    estimand : {"population", "sample"}
        The effect in the population that these people were drawn from (covariates vary from sample to
        sample), or in people with exactly these covariates. The two differ by so little for a difference that
        the order of their standard errors may be lost in the small-sample correction.
    variance : str
        - ``"ye"`` (default): Ye et al. (2023), which uses that the arms were randomised;
        - ``"augmented"``: the mean square of the influence function of the augmented estimator; with
          ``cluster`` of its sums over clusters, as `cluster_samples` corrects for their number;
        - ``"hc0"`` ... ``"hc3"``, ``"model"``: delta method from that covariance of the coefficients, the
          covariates held fixed ("sample") or random ("population"; with "hc0" the stacked estimating
          equations). They do not use randomisation;
        - ``"cr0"`` ... ``"cr3"``: the same by cluster.
    small_sample : bool
        Whether "ye" and "augmented" predict everyone from the others (default). A model is close to the
        people it was fitted to, so that its own predictions make the variance too small: at 50 people and
        five covariates 95% intervals hold the truth 87 to 92 times in a hundred, and 95 to 97 with it. It
        matters less the more people there are. False gives what RobinCar does. The others ("hc3", "cr2")
        have corrections of their own.
    strata : array_like, optional
        The strata (site, say) within which people were randomised in blocks. Part of the noise of simple
        randomisation could then not happen, and is taken off. The factors of a minimisation are not strata:
        put them among the covariates.
    cluster : array_like, optional
        Cluster labels for "cr*" or "augmented": a person who shares a job coach with nobody has a label of
        their own.
    is_shared : array_like of bool, one entry per person, optional
        For "augmented": False for people who are a cluster of one by design, as in an arm without job
        coaches. They are a sample of their own with degrees of freedom of their own.

    Returns
    -------
    Standardised
        NaN with the reason in ``note`` for a variance that cannot be estimated; none is ever negative.

    Raises
    ------
    AnalysisError
        Missing values; an empty arm; a constant or collinear covariate; separation; options that do not go
        together.

    Notes
    -----
    With m_a(x) the prediction in arm a, n_a of n people there, and pi_a = n_a / n, the estimate is
    ``mean(m_a(X_i)) + mean(I(A_i = a) (Y_i - m_a(X_i))) / pi_a``. For a model with canonical link the second
    part is 0; it makes up for the penalty of "firth" (whose mean may in rare cases leave 0 to 1).

    "augmented" sums psi psi' / n**2, ``psi_a = I(A = a) (Y - m_a) / pi_a + m_a(X) - mean_a`` ("sample":
    without the last two, conservative unless the model is right). "ye" is diag(v_a / n_a) + C / n, where v_a
    is the variance of Y - m_a in arm a (n_a - 1), and C has 2 cov_a(Y, m_a) - var(m_a) on the diagonal and
    cov_1(Y, m_0) + cov_0(Y, m_1) - cov(m_1, m_0) beside it ("sample": without C). Others sum
    ``phi_a = G_a' B score`` with G_a the mean slope of m_a, plus m_a - mean_a for "population".

    ``small_sample`` replaces m_a(X_i) in "ye" and "augmented" by the prediction without person i. Refitting
    n times is exact, but many a refit is separated; one Newton step from the fit to all always has an answer
    (standard errors at 150 to 190 people differ by less than 0.05%): the coefficients without i are
    ``beta - B x_i (Y_i - m(X_i)) / (1 - h_i)``, with B the inverse of the information and h_i the leverage.
    (This is exact for a linear model; a Poisson mean takes the step itself.) Limits remain normal.

    ``strata`` takes off ``sum_z p_z r_a(z) r_b(z) (pi_a I(a = b) - pi_a pi_b) / (pi_a pi_b n)``, where r_a(z)
    is the mean of Y - m_a in arm a of stratum z, less that of the arm, and p_z the share of the stratum, over
    the strata that hold both arms (Bannick et al. 2025; without covariates Bugni, Canay & Shaikh 2018). All r
    are 0 when the model holds every stratum and its interaction with the arm: nothing is then left to take
    off. With main effects of the strata and arms of one size in each, nothing is taken off the difference
    either.

    Neither "ye", made of separate sample covariances, nor what ``strata`` leaves need be positive in small
    samples. "augmented", a mean square, stands in for the one; nothing is taken off for the other, which is
    cautious. ``note`` says so.

    References
    ----------
    Ge et al. (2011), Drug Information Journal 45:481-493 (delta method).
    Ye, Bannick, Yi & Shao (2023), Statistical Theory and Related Fields 7:159-163.
    Bannick, Shao, Liu, Du, Yi & Ye (2025), Biometrika 112:881-908.
    Bugni, Canay & Shaikh (2018), Journal of the American Statistical Association 113:1784-1796.
    Lee, Ocampo, Schiffman, Friesenhahn, Rabe & Rosenblum (2026), arXiv:2605.06655, for the idea of
    leaving one out; the formula is the one stated above.
    Pregibon (1981), Annals of Statistics 9:705-724 (coefficients without one person, by one step).

    Examples
    --------
    >>> had_job = [1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0]
    >>> ips, worked_before = [1] * 6 + [0] * 6, [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1]
    >>> result = standardised_means(had_job, ips, worked_before)
    >>> difference = result.contrast("difference")
    >>> print(f"{difference.estimate:.3f} (SE {difference.std_error:.3f})")
    0.333 (SE 0.339)
    """
    _check_options(model, estimand, variance, strata, cluster)
    design = arm_design(arm, covariates, interaction=interaction)
    values = outcomes(y, design.in_active)
    if model == "firth":
        fit = firth_fit(values, design.observed)
    else:
        fit = canonical_fit(values, design.observed, model, design.names)
    at = _predictions(fit, design, values, estimand)
    means = at.predicted.mean(axis=0) + at.residual.mean(axis=0) / at.share
    members = None if cluster is None else cluster_codes(cluster, values.size)
    stratum = None if strata is None else stratum_codes(strata)
    samples: tuple[Sample, ...] = ()
    leaves_out = small_sample and variance in _OF_RANDOMISATION
    if note := _why_undefined(at, model):
        covariance = np.full((2, 2), np.nan)
    elif members is not None and variance == "augmented":
        parts = _left_out(at, fit, design, estimand) if leaves_out else at
        samples = _clustered(parts, members, is_shared)
        covariance = np.sum([sample.covariance for sample in samples], axis=0)
    else:
        parts = _left_out(at, fit, design, estimand) if leaves_out else at
        covariance, note = _sound(_covariance(fit, design.observed, parts, variance, members), parts)
        if stratum is not None:
            covariance, said = _within_strata(covariance, at, stratum)
            note = "; ".join(filter(None, (note, said)))
    return Standardised(
        means=means,
        covariance=covariance,
        df=float("inf") if members is None else float(members.max()),
        model=model,
        estimand=estimand,
        variance=variance,
        coefficients=fit.coefficients,
        names=design.names,
        n_1=int(design.in_active.sum()),
        n_0=int((~design.in_active).sum()),
        note=note,
        samples=samples,
    )


class _Predictions(NamedTuple):
    """What the covariances are made of; columns are the active and the reference arm.

    ``arms`` says who is where and ``share`` is its mean. ``predicted`` is everyone's outcome in either arm,
    ``residual`` the outcome less the prediction in the own arm (0 in the other), ``drift`` a prediction less
    its mean (0 if the covariates are fixed), and ``slopes`` the mean slope in the coefficients.
    """

    y: Floats
    arms: Floats
    share: Floats
    predicted: Floats
    residual: Floats
    drift: Floats
    slopes: Floats


def _predictions(fit: Fit, design: ArmDesign, y: Floats, estimand: str) -> _Predictions:
    link = "logistic" if fit.model == "firth" else fit.model
    columns, slopes = [], []
    for rows in (design.active, design.reference):
        mean, weight = mean_and_weight(rows @ fit.coefficients, link)
        columns.append(mean)
        slopes.append(weight @ rows / y.size)
    arms = np.column_stack([design.in_active, ~design.in_active]).astype(np.float64)
    predicted = np.column_stack(columns)
    drift = (estimand == "population") * (predicted - predicted.mean(axis=0))
    residual = arms * (y[:, None] - predicted)
    return _Predictions(y, arms, arms.mean(axis=0), predicted, residual, drift, np.array(slopes))


def _left_out(at: _Predictions, fit: Fit, design: ArmDesign, estimand: str) -> _Predictions:
    """Return what the covariance is made of, with everyone predicted from the others by one Newton step."""
    X, B = design.observed, fit.inverse_information
    leverage = fit.weight * ((X @ B) * X).sum(axis=1)
    step = (at.y - fit.mean) / np.maximum(1.0 - leverage, _SPENT)
    columns = []
    for rows in (design.active, design.reference):
        linear, shift = rows @ fit.coefficients, ((rows @ B) * X).sum(axis=1) * step
        if fit.model in ("logistic", "firth"):
            columns.append(expit(linear - shift))
        else:  # on its own scale: the exponential of a long step has no bound
            mean, weight = mean_and_weight(linear, fit.model)
            columns.append(mean - weight * shift)
    predicted = np.column_stack(columns)
    drift = (estimand == "population") * (predicted - predicted.mean(axis=0))
    return at._replace(predicted=predicted, residual=at.arms * (at.y[:, None] - predicted), drift=drift)


def _sound(covariance: Floats, at: _Predictions) -> tuple[Floats, str]:
    """Return a covariance by which no contrast has a negative variance, and what was given up for it."""
    return (covariance, "") if _is_covariance(covariance) else (_mean_square(at), NOT_POSITIVE)


def _is_covariance(matrix: Floats) -> bool:
    return bool(np.linalg.eigvalsh(matrix)[0] >= -1e-10 * np.abs(matrix).max())


def _covariance(fit: Fit, X: Floats, at: _Predictions, variance: str, cluster: Codes | None) -> Floats:
    """Return the covariance of both means under simple randomisation."""
    n = at.y.size
    if variance == "ye":
        return _randomisation_covariance(at)
    if variance == "model":
        return (
            fit.dispersion * at.slopes @ fit.inverse_information @ at.slopes.T + at.drift.T @ at.drift / n**2
        )
    if variance == "augmented":
        return _mean_square(at)
    scores = adjusted_scores(fit, at.y, X, variance, cluster)
    drift = at.drift if cluster is None else sums_by_cluster(at.drift, cluster)
    influence = n * scores @ fit.inverse_information @ at.slopes.T + drift
    covariance: Floats = influence.T @ influence / n**2
    return covariance


def _mean_square(at: _Predictions) -> Floats:
    """Return the covariance of the augmented estimator, the mean square of its influence function."""
    influence = _influence(at)
    covariance: Floats = influence.T @ influence
    return covariance


def _influence(at: _Predictions) -> Floats:
    """Return what each person adds to the augmented estimates of both means."""
    influence: Floats = ((at.residual - at.residual.mean(axis=0)) / at.share + at.drift) / at.y.size
    return influence


def _clustered(at: _Predictions, cluster: Codes, is_shared: ArrayLike | None) -> tuple[Sample, ...]:
    """Return the covariance of the augmented estimator from sums over clusters, by kind of cluster."""
    shared = (
        np.ones(at.y.size, np.bool_) if is_shared is None else checks.boolean_array(is_shared, "is_shared")
    )
    checks.same_length(y=at.y, is_shared=shared)
    of_cluster = np.zeros(int(cluster.max()) + 1, np.bool_)
    of_cluster[cluster[shared]] = True
    return cluster_samples(sums_by_cluster(_influence(at), cluster), of_cluster)


def _randomisation_covariance(at: _Predictions) -> Floats:
    """Return the covariance of Ye et al. (2023), from sample covariances in either arm."""
    n = at.y.size
    is_in = at.arms.astype(np.bool_)
    own = [at.residual[is_in[:, a], a].var(ddof=1) / is_in[:, a].sum() for a in (0, 1)]
    covariance: Floats = np.diag(own).copy()
    if not at.drift.any():
        return covariance
    # [a, b]: of the outcomes of arm a with the predictions in arm b, among the people of arm a.
    within = np.array(
        [[np.cov(at.y[is_in[:, a]], at.predicted[is_in[:, a], b])[0, 1] for b in (0, 1)] for a in (0, 1)]
    )
    covariance += (within + within.T - np.cov(at.predicted.T)) / n
    return covariance


def _within_strata(covariance: Floats, at: _Predictions, stratum: Codes) -> tuple[Floats, str]:
    """Return the covariance under randomisation within strata, and what was not taken off."""
    checks.same_length(y=at.y, strata=stratum)
    people = sums_by_cluster(at.arms, stratum)
    # The mean residual of an arm is 0 but for Firth's penalty, whose estimate has taken it off already.
    residual = at.residual - at.arms * (at.residual.mean(axis=0) / at.share)
    holds_both = (people > 0).all(
        axis=1, keepdims=True
    )  # an arm alone in its stratum is compared with nobody
    left = np.divide(sums_by_cluster(residual, stratum), people, out=np.zeros_like(people), where=holds_both)
    scheme = (np.diag(at.share) - np.outer(at.share, at.share)) / np.outer(at.share, at.share)
    less = covariance - scheme * (left.T @ (left * people.sum(axis=1, keepdims=True))) / at.y.size**2
    if not _is_covariance(less):
        return covariance, STRATA_TAKE_TOO_MUCH
    one_arm = int((~holds_both).sum())
    if not one_arm:
        return less, ""
    return less, f"{one_arm} of {len(people)} strata hold one arm only: nothing was taken off for them."


def _check_options(
    model: str, estimand: str, variance: str, strata: ArrayLike | None, cluster: ArrayLike | None
) -> None:
    checks.one_of(model, (*MODELS, "firth"), "model")
    checks.one_of(estimand, ESTIMANDS, "estimand")
    checks.one_of(variance, VARIANCES, "variance")
    if model == "firth" and variance not in ("ye", "augmented"):
        raise AnalysisError(
            f"variance={variance!r} does not hold for the augmented estimate of model='firth'. "
            f"Pass variance='ye' or variance='augmented'."
        )
    may_have = (*CLUSTERED, "augmented")
    if variance in CLUSTERED if cluster is None else variance not in may_have:
        raise AnalysisError(
            f"variance={variance!r} {'needs' if cluster is None else 'does not use'} clusters. "
            f"Pass cluster with variance='cr2' or another of {', '.join(may_have)}, or neither."
        )
    if strata is not None and (variance == "model" or cluster is not None):
        raise AnalysisError(
            f"variance={variance!r} has no correction for strata of randomisation. Pass variance='ye'."
        )


def _why_undefined(at: _Predictions, model: str) -> str:
    if at.arms.sum(axis=0).min() < 2:
        return TOO_FEW
    if model == "firth" and np.ptp(at.y) == 0:
        return ALL_ALIKE
    return NO_SPREAD if np.abs(at.residual).max() <= 1e-12 * np.abs(at.y).max() else ""
