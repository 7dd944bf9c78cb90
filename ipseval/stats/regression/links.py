"""The two links of a binary outcome: log-odds, and the log hazard of discrete time.

With linear predictor t a trial succeeds with probability

    logit:    p = exp(t) / (1 + exp(t))
    cloglog:  p = 1 - exp(-exp(t))      (complementary log-log; McCullagh & Nelder 1989, section 4.3)

Under the second exp(t) = -log(1 - p) is the hazard, cumulated over one interval: if people are at risk from
interval to interval until the event, exp(coefficient) is a hazard ratio (Prentice & Gloeckler 1978).

A link is used through its *loss*: minus the log-likelihood of one trial, and its derivatives by t. Under the
logit the part y t is linear; it is left to the caller, and the loss does not depend on the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Of linear predictors, and whether each trial succeeded.
Loss = Callable[[Floats, Mask], tuple[Floats, ...]]

# Hazards beyond exp(200) all mean that the event is certain; their products stay finite.
_LARGEST = 200.0


@dataclass(frozen=True)
class Link:
    """A link, through its loss.

    Attributes
    ----------
    name : str
    regression : str
        What an ordinary regression with it is called.
    by_outcome : bool
        Whether the loss depends on the outcome, so that totals of y are not sufficient.
    loss : callable
        The loss and its first two derivatives by t.
    slopes : callable
        The first two derivatives.
    curvatures : callable
        The second to fourth derivative.
    probability : callable
        Of t: the probability of a success, and its derivative.
    """

    name: str
    regression: str
    by_outcome: bool
    loss: Loss
    slopes: Loss
    curvatures: Loss
    probability: Callable[[Floats], tuple[Floats, Floats]]


def _logit_probability(t: Floats) -> tuple[Floats, Floats]:
    probability = expit(t)
    return probability, probability * (1.0 - probability)


def _logit_loss(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    """Return log(1 + exp(t)) and its slopes; exp overflows beyond 700, where it is t."""
    odds = np.minimum(t, 700.0)
    np.exp(odds, out=odds)  # in place: for large blocks, memory costs more than arithmetic
    rest = odds + 1.0
    odds /= rest
    np.log(rest, out=rest)
    return np.maximum(rest, t, out=rest), odds, odds * (1.0 - odds)


def _logit_slopes(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    return _logit_probability(t)


def _logit_curvatures(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    probability, variance = _logit_probability(t)
    return variance, variance * (1.0 - 2.0 * probability), variance * (1.0 - 6.0 * variance)


def _cloglog_loss(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    """Return exp(t) for a failure and -log(1 - exp(-exp(t))) for a success, and the slopes."""
    hazard = _hazard(t)
    # Below exp(-40) the hazard is the probability to the last digit, and its logarithm is t.
    success = np.where(t < -40.0, -t, -np.log(-np.expm1(-np.maximum(hazard, 1e-18))))
    return np.where(outcome, success, hazard), *_cloglog_slopes(t, outcome)


def _cloglog_slopes(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    hazard = _hazard(t)
    share, factor = _share_and_factor(hazard)
    return np.where(outcome, -share, hazard), np.where(outcome, -share * factor, hazard)


def _cloglog_curvatures(t: Floats, outcome: Mask) -> tuple[Floats, ...]:
    hazard = _hazard(t)
    share, factor = _share_and_factor(hazard)
    second = share * factor  # by t, of the log-likelihood of a success; its slope is `share`
    by_t = -hazard - second
    third = second * factor + share * by_t
    fourth = third * factor + 2.0 * second * by_t + share * (-hazard - third)
    return tuple(np.where(outcome, -part, hazard) for part in (second, third, fourth))


def _hazard(t: Floats) -> Floats:
    hazard: Floats = np.exp(np.minimum(t, _LARGEST))
    return hazard


def _share_and_factor(hazard: Floats) -> tuple[Floats, Floats]:
    """Return r = u / (exp(u) - 1) and 1 - u - r, where dr/dt = r (1 - u - r); both are 0 for huge u."""
    u = np.clip(hazard, 1e-300, 700.0)
    share = u / np.expm1(u)
    return share, 1.0 - u - share


def _cloglog_probability(t: Floats) -> tuple[Floats, Floats]:
    hazard = _hazard(t)
    return -np.expm1(-hazard), hazard * np.exp(-hazard)


LOGIT = Link("logit", "logistic", False, _logit_loss, _logit_slopes, _logit_curvatures, _logit_probability)
CLOGLOG = Link(
    "cloglog",
    "complementary log-log",
    True,
    _cloglog_loss,
    _cloglog_slopes,
    _cloglog_curvatures,
    _cloglog_probability,
)
LINKS = {link.name: link for link in (LOGIT, CLOGLOG)}
