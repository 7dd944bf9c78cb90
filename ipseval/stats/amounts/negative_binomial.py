"""Negative binomial regression (NB2) of counts, each person observed for a time of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln, polygamma

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import scaled_inverse
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.covariates import ArmDesign, arm_design, outcomes
from ipseval.stats.regression.marginal_contrasts import Contrast, Standardised, wald_contrast
from ipseval.stats.roots import decreasing_root

Floats = NDArray[np.float64]

VARIANCES = ("robust", "model")
POISSON = "The counts are not overdispersed: the fit is that of a Poisson model."

_ITERATIONS = 50
_TOLERANCE = 1e-12
# The variance of a mean count is between one ten-thousandth and ten thousand times itself above Poisson's.
_LEAST, _MOST = 1e-4, 1e4


@dataclass(frozen=True)
class NegativeBinomial:
    """A fitted negative binomial regression.

    Attributes
    ----------
    coefficients : (k,) array
        Logs of rates and rate ratios.
    covariances : dict of str to (k, k) array
        Of the coefficients: "robust" and "model".
    overdispersion : float
        alpha of the variance mu + alpha mu**2; 0 for the Poisson limit.
    log_likelihood : float
    design : ArmDesign
    scores : (n, k) array
        Each person's share in the error of the coefficients; their cross-product is the "robust" covariance
        but for its factor n / (n - k).
    df : float
        Of limits and tests: people with any, less k.
    note : str
        What a reader must know; empty if nothing.
    """

    coefficients: Floats
    covariances: dict[str, Floats]
    overdispersion: float
    log_likelihood: float
    design: ArmDesign
    scores: Floats
    df: float
    note: str = ""

    def rate_ratio(self, variance: str = "robust", *, conf_level: float = 0.95) -> Contrast:
        """Return the rate of the active arm over that of the reference arm at the same covariates.

        Parameters
        ----------
        variance : {"robust", "model"}
            Robust holds if only the log-linear rate is right; model believes the NB2 variance as well.
        conf_level : float
        """
        checks.one_of(variance, VARIANCES, "variance")
        std_error = float(np.sqrt(self.covariances[variance][1, 1]))
        ratio = wald_contrast(
            float(self.coefficients[1]), std_error, self.df, conf_level=conf_level, is_log=True
        )
        return ratio._replace(note=self.note)

    def means(self, exposure: float, variance: str = "robust") -> Standardised:
        """Return the mean count of each arm if everyone had been in it and observed for ``exposure``.

        Averaged over everybody's covariates, which are taken as drawn from a population.
        """
        checks.one_of(variance, VARIANCES, "variance")
        n, k = self.design.observed.shape
        means, drift, slopes = [], [], []
        for rows in (self.design.active, self.design.reference):
            mean = exposure * np.exp(rows @ self.coefficients)
            means.append(float(mean.mean()))
            drift.append(mean - means[-1])
            slopes.append(mean @ rows / n)
        at, by = np.array(drift), np.array(slopes)
        if variance == "robust":
            influence = at + n * by @ self.scores.T
            covariance = influence @ influence.T / (n * (n - k))
        else:
            covariance = by @ self.covariances["model"] @ by.T + at @ at.T / n**2
        in_active = self.design.in_active
        return Standardised(
            means=np.array(means),
            covariance=covariance,
            df=self.df,
            model="negative_binomial",
            estimand="population",
            variance=variance,
            coefficients=self.coefficients,
            names=self.design.names,
            n_1=int(in_active.sum()),
            n_0=int((~in_active).sum()),
            note=self.note,
        )


def negative_binomial(
    y: ArrayLike, arm: ArrayLike, covariates: ArrayLike | None = None, *, exposure: ArrayLike | None = None
) -> NegativeBinomial:
    """Return the negative binomial (NB2) regression of counts on arm and covariates, by maximum likelihood.

    Assumes that a person's rate was the same in the time they were not observed, given the covariates.

    Parameters
    ----------
    y : array_like, one count per person
        Whole numbers of 0 or more. Missing counts are refused.
    arm : array_like of bool or 0/1
        True in the active arm.
    covariates : array_like, shape (n,) or (n, k), optional
        Numbers measured before randomisation; categories as indicators without their reference level.
    exposure : array_like, one entry per person, optional
        Time observed (days, say), above 0; its logarithm is the offset. Without it, one unit each.

    Returns
    -------
    NegativeBinomial
        Without overdispersion it is the Poisson fit, and ``note`` says so.

    Raises
    ------
    AnalysisError
        Counts that are not whole; an arm without any; separation by a covariate; an exposure of 0.

    Notes
    -----
    The variance is ``mu + alpha mu**2``. alpha is the root of the profile score. "model" is the inverse of
    the observed information in coefficients and log alpha together, as glmmTMB has it; R's ``glm.nb`` takes
    alpha as known and gives smaller standard errors. "robust" is the sandwich of that information, alpha
    included, times n / (n - k): statsmodels' ``NegativeBinomial`` with ``cov_type="HC0"`` but for the factor.
    Limits and tests are t on the people with any less k, where programs use the normal, which is too short
    where few people have any; they are NaN where no degree of freedom is left.

    References
    ----------
    Lawless (1987), Canadian Journal of Statistics 15:209-225.
    Cameron & Trivedi (2013), Regression Analysis of Count Data, 2nd ed., section 3.3 (NB2).

    Examples
    --------
    >>> from ipseval.stats.amounts.negative_binomial import negative_binomial
    >>> days, followed = [0, 3, 9, 40, 0, 0, 2, 11], [90, 90, 60, 90, 90, 45, 90, 90]
    >>> fit = negative_binomial(days, [1, 1, 1, 1, 0, 0, 0, 0], exposure=followed)
    >>> round(fit.rate_ratio().estimate, 2), fit.overdispersion > 0
    (4.24, True)
    """
    design = arm_design(arm, covariates)
    counts, offset = _counts(y, exposure, design)
    n, k = design.observed.shape
    beta, alpha = maximum_likelihood(counts, design.observed, offset, design.names)
    at = derivatives(beta, alpha, counts, offset, design.observed)
    # In the Poisson limit alpha lies on the border: it is taken as known.
    free = k + (alpha > 0)
    inverse = scaled_inverse(at.information[:free, :free])
    scores = (at.scores[:, :free] @ inverse)[:, :k]
    return NegativeBinomial(
        coefficients=beta,
        covariances={"model": inverse[:k, :k], "robust": scores.T @ scores * n / (n - k)},
        overdispersion=alpha,
        log_likelihood=at.log_likelihood,
        design=design,
        scores=scores,
        df=float(np.count_nonzero(counts) - k),
        note="" if alpha else POISSON,
    )


class Derivatives(NamedTuple):
    """Log-likelihood, a row of scores per person, and minus the Hessian, in coefficients and log alpha."""

    log_likelihood: float
    scores: Floats
    information: Floats


def _counts(y: ArrayLike, exposure: ArrayLike | None, design: ArmDesign) -> tuple[Floats, Floats]:
    """Return the counts and the offset, or refuse them."""
    values = outcomes(checks.count_array(y, "y"), design.in_active)
    for name, members in (("active", design.in_active), ("reference", ~design.in_active)):
        if not values[members].any():
            raise AnalysisError(
                f"Nobody of {int(members.sum())} in the {name} arm has any: a rate of 0 has no logarithm. "
                f"Report the difference in means."
            )
    if exposure is None:
        return values, np.zeros(values.size)
    time = checks.float_array(exposure, "exposure")
    checks.same_length(y=values, exposure=time)
    if wrong := int((time <= 0).sum()):
        raise AnalysisError(
            f"exposure is not above 0 for {wrong} of {time.size} people. Leave out who was never observed."
        )
    return values, np.log(time)


def maximum_likelihood(
    y: Floats, X: Floats, offset: Floats, names: tuple[str, ...] = ()
) -> tuple[Floats, float]:
    """Return coefficients and alpha of checked counts; 0 where the likelihood rises towards Poisson's.

    ``names`` is what an error calls the columns.
    """
    # Its coefficients have a finite estimate exactly where those of the negative binomial have one.
    beta = poisson_maximum(y, X, offset, names)
    last = {"beta": beta}

    def profile_score(log_alpha: Floats) -> Floats:
        alpha = float(np.exp(log_alpha))
        last["beta"] = _coefficients(last["beta"], alpha, y, offset, X)
        at = derivatives(last["beta"], alpha, y, offset, X)
        return np.asarray(at.scores[:, -1].sum())

    ends = [float(np.log(end / y.mean())) for end in (_LEAST, _MOST * max(1.0, y.mean()))]
    if profile_score(np.asarray(ends[0])) <= 0:
        return beta, 0.0
    alpha = float(np.exp(decreasing_root(profile_score, *ends)))
    return _coefficients(last["beta"], alpha, y, offset, X), alpha


def poisson_maximum(y: Floats, X: Floats, offset: Floats, names: tuple[str, ...] = ()) -> Floats:
    """Return the coefficients of a log-linear model of the mean, those of Poisson regression.

    ``y`` need not be whole. Refuses columns whose rows are all 0, by ``names``.
    """
    start = canonical_fit(y, X, "poisson", names).coefficients
    return _coefficients(start, 0.0, y, offset, X)


def _coefficients(start: Floats, alpha: float, y: Floats, offset: Floats, X: Floats) -> Floats:
    """Return the coefficients for a given alpha; the log-likelihood is concave in them."""
    beta = start

    def value_at(beta: Floats) -> float:
        linear = offset + X @ beta
        with np.errstate(over="ignore"):  # a step too far is refused, not followed
            mean = np.exp(linear)
            return float(
                (y * linear - (y + 1 / alpha) * np.log1p(alpha * mean) if alpha else y * linear - mean).sum()
            )

    value = value_at(beta)
    for _ in range(_ITERATIONS):
        mean = np.exp(offset + X @ beta)
        score = X.T @ ((y - mean) / (1 + alpha * mean))
        weight = mean * (1 + alpha * y) / (1 + alpha * mean) ** 2
        step = scaled_inverse((X.T * weight) @ X) @ score
        while (new := value_at(beta + step)) < value - 1e-9 * abs(value):
            step = step / 2.0
        beta, value = beta + step, new
        if np.abs(X @ step).max() < _TOLERANCE:
            return beta
    raise AnalysisError(
        f"Negative binomial regression did not converge in {_ITERATIONS} iterations. "
        f"Rescale the covariates or leave some out."
    )


def derivatives(beta: Floats, alpha: float, y: Floats, offset: Floats, X: Floats) -> Derivatives:
    """Return log-likelihood, scores and information in coefficients and log alpha."""
    at = terms(offset + X @ beta, alpha, y)
    k = X.shape[1]
    information = np.zeros((k + 1, k + 1))
    information[:k, :k] = -(X.T * at.twice_linear) @ X
    information[:k, k] = information[k, :k] = -X.T @ at.mixed
    information[k, k] = -float(at.twice_alpha.sum())
    scores = np.column_stack([X * at.by_linear[:, None], at.by_alpha])
    return Derivatives(float(at.value.sum()), scores, information)


class Terms(NamedTuple):
    """Each person's log-likelihood and its derivatives in linear predictor and log alpha, shape (n,)."""

    value: Floats
    by_linear: Floats
    by_alpha: Floats
    twice_linear: Floats
    mixed: Floats
    twice_alpha: Floats


def terms(linear: Floats, alpha: float, y: Floats) -> Terms:
    """Return the log-likelihood of counts with mean exp(linear), offset included; Poisson at alpha 0."""
    mean = np.exp(linear)
    shrunk = 1 + alpha * mean
    by_linear, twice_linear = (y - mean) / shrunk, -mean * (1 + alpha * y) / shrunk**2
    if not alpha:
        nothing = np.zeros_like(mean)
        value = y * linear - mean - gammaln(y + 1)
        return Terms(value, by_linear, nothing, twice_linear, nothing, nothing)
    theta = 1 / alpha
    value = gammaln(y + theta) - gammaln(theta) - gammaln(y + 1) - theta * np.log(shrunk)
    value += y * (linear + np.log(alpha) - np.log(shrunk))
    by_theta = digamma(y + theta) - digamma(theta) - np.log(shrunk) - (y - mean) / (theta + mean)
    twice = polygamma(1, y + theta) - polygamma(1, theta) + mean / (theta * (theta + mean))
    twice += (y - mean) / (theta + mean) ** 2
    mixed = -alpha * (y - mean) * mean / shrunk**2
    return Terms(
        value, by_linear, -theta * by_theta, twice_linear, mixed, theta * by_theta + theta**2 * twice
    )
