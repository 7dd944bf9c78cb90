"""Two arms' marginal means with their joint covariance, and what is said of them: difference, ratios.

Arm 1 is the active arm, arm 0 the reference: a difference is 1 minus 0, a ratio 1 over 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from ipseval import checks
from ipseval.stats.regression.few_clusters import Sample, Spread, spread_along

Floats = NDArray[np.float64]

MEASURES = ("difference", "ratio", "odds_ratio")
#: Models of means above 0, whose limits are symmetric on the log scale.
_POSITIVE = ("poisson", "two_part", "negative_binomial", "hurdle")


class Contrast(NamedTuple):
    """One mean against another, active minus (or over) reference; ``note`` says why a number is NaN.

    ``std_error`` is on the scale of the limits: of the difference itself, or of the log of a ratio.
    """

    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    conf_low: float
    conf_high: float
    note: str = ""


class MeanInArm(NamedTuple):
    """The mean outcome if everyone had been in one arm; limits keep to what the outcome can be."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True)
class Standardised:
    """Standardised means of both arms with their joint covariance, and the contrasts that follow.

    Attributes
    ----------
    means : (2,) array
        Active arm, reference arm; proportions for a yes/no outcome.
    covariance : (2, 2) array
    df : float
        Infinite (normal limits), the number of clusters less 1, or, of amounts, the people with any less
        the coefficients of how much.
    model, estimand, variance : str
        As asked for.
    coefficients : (k,) array
        Of the working model; not effects to be reported.
    names : tuple of str
        What the coefficients belong to.
    n_1, n_0 : int
        People randomised to the active and to the reference arm.
    note : str
        What a reader must know; empty if nothing.
    samples : tuple of Sample
        Kinds of clusters, whose covariances add up to ``covariance``; degrees of freedom are then those of
        what is compared. Empty without clusters.
    """

    means: Floats
    covariance: Floats
    df: float
    model: str
    estimand: str
    variance: str
    coefficients: Floats
    names: tuple[str, ...]
    n_1: int
    n_0: int
    note: str = ""
    samples: tuple[Sample, ...] = ()

    def contrast(self, measure: str = "difference", *, conf_level: float = 0.95) -> Contrast:
        """Return the active arm's mean minus, or over, the reference arm's.

        Parameters
        ----------
        measure : {"difference", "ratio", "odds_ratio"}
            Limits are symmetric around a difference, and on the log scale around a ratio.
        conf_level : float
        """
        checks.one_of(measure, MEASURES, "measure")
        value = float(measured(self.means, measure))
        if np.isnan(value):
            listed = " and ".join(f"{m:.4g}" for m in self.means)
            note = f"No {measure.replace('_', ' ')} of means {listed}: report the difference."
            nan = float("nan")
            return Contrast(nan, nan, nan, nan, nan, nan, nan, note)
        spread = self._along(_slopes(self.means, measure))
        result = wald_contrast(value, *spread, conf_level=conf_level, is_log=measure != "difference")
        return result._replace(note=self.note)

    def mean(self, arm: bool, *, conf_level: float = 0.95) -> MeanInArm:
        """Return the mean if everyone had been in the active arm (True) or the reference arm (False).

        Limits are symmetric on the logit scale for a yes/no outcome, on the log scale for a model of amounts
        above 0, and around the mean for a linear one; NaN where the mean lies outside its scale.
        """
        place = 0 if arm else 1
        m, (std_error, df) = float(self.means[place]), self._along(np.eye(2)[place])
        half = _quantile(conf_level, df) * std_error
        if self.model == "linear":
            low, high = m - half, m + half
        elif self.model in _POSITIVE:
            low, high = (m * _exp(side * half / m) if m > 0 else np.nan for side in (-1, 1))
        else:
            inside = 0 < m < 1
            low, high = (
                expit(logit(m) + side * half / (m * (1 - m))) if inside else np.nan for side in (-1, 1)
            )
        return MeanInArm(m, std_error, float(low), float(high))

    def _along(self, slope: Floats) -> Spread:
        """Return the standard error of a combination of the means, and its degrees of freedom."""
        if self.samples:
            return spread_along(self.samples, slope)
        return Spread(_root(float(slope @ self.covariance @ slope)), self.df)


def wald_contrast(
    value: float, std_error: float, df: float, *, conf_level: float = 0.95, is_log: bool = False
) -> Contrast:
    """Return a value with its test and limits, normal where ``df`` is infinite; back from the log if so."""
    half = _quantile(conf_level, df) * std_error
    estimate, low, high = (_exp(x) if is_log else x for x in (value, value - half, value + half))
    statistic = value / std_error if std_error else float("nan")
    tail = ndtr(-abs(statistic)) if np.isinf(df) else stdtr(df, -abs(statistic))
    return Contrast(estimate, std_error, statistic, df, 2.0 * float(tail), low, high)


def measured(means: Floats, measure: str) -> Floats:
    """Return a measure on the scale of its limits (a ratio as its log), NaN where it does not exist.

    ``means`` has shape (..., 2), the active arm first.
    """
    if measure == "difference":
        return means[..., 0] - means[..., 1]
    is_inside = (means > 0) & ((means < 1) | (measure == "ratio"))
    inside = np.where(is_inside.all(axis=-1, keepdims=True), means, np.nan)
    scaled: Floats = np.log(inside) if measure == "ratio" else logit(inside)
    return scaled[..., 0] - scaled[..., 1]


def _slopes(means: Floats, measure: str) -> Floats:
    """Return the derivatives of `measured` in both means."""
    signs = np.array([1.0, -1.0])
    if measure == "difference":
        return signs
    return signs / means if measure == "ratio" else signs / (means * (1.0 - means))


def _root(variance: float) -> float:
    # Rounding may leave a variance of 0 just below it; NaN stays NaN.
    return float(np.sqrt(np.maximum(variance, 0.0)))


def _exp(x: float) -> float:
    # Of a mean next to 0 the log has limits whose exponential no float holds: 0 and infinity, which they are.
    with np.errstate(over="ignore"):
        return float(np.exp(x))


def _quantile(conf_level: float, df: float) -> float:
    probability = 0.5 + checks.confidence(conf_level) / 2.0
    return float(ndtri(probability) if np.isinf(df) else stdtrit(df, probability))
