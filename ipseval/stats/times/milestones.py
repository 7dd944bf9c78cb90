"""Two arms compared at fixed times, such as 18, 24 and 30 months: difference, ratio and test.

A comparison at a milestone needs no proportional hazards, and asks what a reader asks: how many more
have found a job by then. The milestones are chosen before the data are seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cumulative_incidence import IncidenceAt
from ipseval.stats.times.kaplan_meier import SCALES, SurvivalAt, probability_limits
from ipseval.stats.times.risk_sets import Floats

SCALES_OF_TEST = ("plain", "log", "log-log", "complementary log-log", "logit", "arcsine")
INTERVALS_OF_DIFFERENCE = ("plain", "log-log", "complementary log-log", "logit", "arcsine")
INTERVALS_OF_RATIO = ("log", "log-log", "complementary log-log", "logit", "arcsine")


class MilestoneContrast(NamedTuple):
    """Active against reference, one entry per milestone.

    ``std_error`` is that of a difference, of the logarithm of a ratio, or on the scale of a test, by the
    delta method; ``statistic`` is standard normal. All but the estimate are NaN where an arm has had no
    event, or has nobody left without: a standard error of 0 is no knowledge.
    """

    time: Floats
    estimate: Floats
    std_error: Floats
    statistic: Floats
    p_value: Floats
    conf_low: Floats
    conf_high: Floats


def milestone_difference(
    active: SurvivalAt | IncidenceAt,
    reference: SurvivalAt | IncidenceAt,
    *,
    interval: str = "log-log",
    conf_level: float = 0.95,
) -> MilestoneContrast:
    """Return active minus reference in survival or cumulative incidence at each milestone.

    Parameters
    ----------
    active, reference : SurvivalAt or IncidenceAt
        Both arms read off at the same times, by `survival_at` or `incidence_at`; the arms are independent.
    interval : {"log-log", "complementary log-log", "logit", "arcsine", "plain"}
        "plain" is estimate -+ z std_error. The others join the arms' own limits on that scale, which lie
        within 0 and 1; the interval then lies within -1 and 1, and may be asymmetric.
    conf_level : float
        Coverage of the limits.

    Returns
    -------
    MilestoneContrast
        ``statistic`` and ``p_value`` are those of `milestone_test` on the same scale; the statistic has the
        sign of the difference, also where the scale falls as the probability rises.

    Raises
    ------
    AnalysisError
        Arms read off at different times, or one survival and the other incidence; a time beyond the last
        follow-up of an arm, with people still event-free.

    Notes
    -----
    With limits l, u of each arm the lower limit is d - sqrt((p1 - l1)^2 + (u0 - p0)^2), the upper one
    d + sqrt((u1 - p1)^2 + (p0 - l0)^2): with Wilson limits of proportions this is Newcombe's interval.
    "log-log" of an incidence F is log(-log F), "complementary log-log" log(-log(1 - F)). Test and interval
    are not inverses of each other, and can disagree where p is close to 1 - conf_level.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27:1693-1702. Klein, Logan, Harhoff and
    Andersen (2007), Statistics in Medicine 26:4505-4519, for the tests.

    Examples
    --------
    >>> from ipseval.stats.times.kaplan_meier import kaplan_meier, survival_at
    >>> curves = [kaplan_meier(days, [1, 1, 1, 0]) for days in ([10, 20, 70, 90], [50, 80, 85, 90])]
    >>> found = milestone_difference(*(survival_at(curve, 60) for curve in curves))
    >>> found.estimate.tolist(), found.conf_low.round(3).tolist(), found.conf_high.round(3).tolist()
    ([-0.25], [-0.74], [0.461])
    """
    checks.one_of(interval, INTERVALS_OF_DIFFERENCE, "interval")
    (p1, se1), (p0, se0) = _arms(active, reference)
    difference, std_error = p1 - p0, np.hypot(se1, se0)
    if interval == "plain":
        half = special.ndtri(0.5 + checks.confidence(conf_level) / 2) * std_error
        low, high = np.maximum(difference - half, -1.0), np.minimum(difference + half, 1.0)
    else:
        limits = [probability_limits(p, se, conf_level, interval) for p, se in ((p1, se1), (p0, se0))]
        low, high = _joined(p1, p0, *limits)
    test = milestone_test(active, reference, scale=interval, conf_level=conf_level)
    statistic = np.copysign(test.statistic, difference)
    return test._replace(
        estimate=difference, std_error=std_error, statistic=statistic, conf_low=low, conf_high=high
    )


def milestone_ratio(
    active: SurvivalAt | IncidenceAt,
    reference: SurvivalAt | IncidenceAt,
    *,
    interval: str = "log",
    conf_level: float = 0.95,
) -> MilestoneContrast:
    """Return active over reference in survival or cumulative incidence at each milestone.

    Parameters
    ----------
    active, reference, conf_level
        As in `milestone_difference`.
    interval : {"log", "log-log", "complementary log-log", "logit", "arcsine"}
        "log" is the delta method: exp(log ratio -+ z std_error). The others join the logarithms of the
        arms' own limits on that scale, as for the difference.

    Returns
    -------
    MilestoneContrast
        ``estimate`` and limits are ratios, ``std_error`` is that of the log ratio. Where an arm has had no
        event, or has nobody left without, a limit does not exist; a ratio to 0 is NaN.

    Raises
    ------
    AnalysisError
        As `milestone_difference`.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27:1693-1702.

    Examples
    --------
    >>> from ipseval.stats.times.cumulative_incidence import cumulative_incidence, incidence_at
    >>> curves = [cumulative_incidence([10, 20, 70, 90], cause) for cause in ([1, 1, 2, 0], [1, 2, 1, 0])]
    >>> milestone_ratio(*(incidence_at(curve, 60) for curve in curves)).estimate.round(9).tolist()
    [2.0]
    """
    checks.one_of(interval, INTERVALS_OF_RATIO, "interval")
    (p1, se1), (p0, se0) = _arms(active, reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of two infinite logarithms there is no difference, and numpy would warn about it.
        log_1, log_0 = (np.where(p > 0, np.log(p), np.nan) for p in (p1, p0))
        std_error = np.hypot(se1 / p1, se0 / p0)
        ratio = np.where(p0 > 0, p1 / p0, np.nan)
    if interval == "log":
        half = special.ndtri(0.5 + checks.confidence(conf_level) / 2) * std_error
        low, high = log_1 - log_0 - half, log_1 - log_0 + half
    else:
        limits = [probability_limits(p, se, conf_level, interval) for p, se in ((p1, se1), (p0, se0))]
        low, high = _joined(log_1, log_0, *((np.log(low), np.log(high)) for low, high in limits))
    test = milestone_test(active, reference, scale=interval, conf_level=conf_level)
    statistic = np.copysign(test.statistic, p1 - p0)
    return test._replace(
        estimate=ratio,
        std_error=std_error,
        statistic=statistic,
        conf_low=np.exp(low),
        conf_high=np.exp(high),
    )


def milestone_test(
    active: SurvivalAt | IncidenceAt,
    reference: SurvivalAt | IncidenceAt,
    *,
    scale: str = "log-log",
    conf_level: float = 0.95,
) -> MilestoneContrast:
    """Return the difference between transformed probabilities at each milestone, with its test.

    On the scale log(-log S) of a survival ("log-log"), or log(-log(1 - F)) of an incidence
    ("complementary log-log"), exp(estimate) is the ratio of cumulative (subdistribution) hazards.

    Parameters
    ----------
    active, reference, conf_level
        As in `milestone_difference`.
    scale : {"plain", "log", "log-log", "complementary log-log", "logit", "arcsine"}
        "log-log" keeps its level best with a survival in small samples; "plain" rejects too often.

    Returns
    -------
    MilestoneContrast
        Estimate, standard error and limits on the scale chosen.

    Raises
    ------
    AnalysisError
        As `milestone_difference`.

    References
    ----------
    Klein, Logan, Harhoff and Andersen (2007), Statistics in Medicine 26:4505-4519.

    Examples
    --------
    >>> from ipseval.stats.times.kaplan_meier import kaplan_meier, survival_at
    >>> curves = [kaplan_meier(days, [1, 1, 1, 0]) for days in ([10, 20, 70, 90], [50, 80, 85, 90])]
    >>> milestone_test(*(survival_at(curve, 60) for curve in curves)).p_value.round(3).tolist()
    [0.477]
    """
    checks.one_of(scale, SCALES_OF_TEST, "scale")
    z = special.ndtri(0.5 + checks.confidence(conf_level) / 2)
    (p1, se1), (p0, se0) = _arms(active, reference)
    # At 0 and 1 scales are infinite; the standard error there is NaN, so that nothing is claimed.
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = SCALES[scale].transform(p1) - SCALES[scale].transform(p0)
        std_error = np.hypot(se1 * SCALES[scale].slope(p1), se0 * SCALES[scale].slope(p0))
        statistic = estimate / std_error
    return MilestoneContrast(
        active.time,
        estimate,
        std_error,
        statistic,
        p_value=2 * special.ndtr(-np.abs(statistic)),
        conf_low=estimate - z * std_error,
        conf_high=estimate + z * std_error,
    )


def _arms(
    active: SurvivalAt | IncidenceAt, reference: SurvivalAt | IncidenceAt
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return probability and standard error of both arms, NaN where nothing varies yet, or no longer."""
    if type(active) is not type(reference):
        raise AnalysisError(
            f"One arm is a {type(active).__name__}, the other a {type(reference).__name__}. "
            f"Read both off by survival_at, or both by incidence_at."
        )
    if not np.array_equal(active.time, reference.time):
        raise AnalysisError(
            f"The arms are read off at different times ({active.time.tolist()} and "
            f"{reference.time.tolist()}). Pass the same times for both."
        )
    return _followed(active, "active"), _followed(reference, "reference")


def _followed(arm: SurvivalAt | IncidenceAt, name: str) -> tuple[Floats, Floats]:
    probability, event_free = (
        (arm.survival, arm.survival) if isinstance(arm, SurvivalAt) else (arm.incidence, arm.event_free)
    )
    if (unseen := (arm.n_risk == 0) & (event_free > 0)).any():
        listed = checks.named_list(f"{time:g}" for time in arm.time[unseen])
        raise AnalysisError(
            f"Nobody in the {name} arm is followed to time {listed}, though people are still event-free. "
            f"Choose an earlier milestone."
        )
    varies = (probability > 0) & (probability < 1)
    return probability, np.where(varies, arm.std_error, np.nan)


def _joined(
    p1: Floats, p0: Floats, limits_1: tuple[Floats, Floats], limits_0: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Return limits of p1 - p0 from the limits of each: square the distances and add (MOVER)."""
    (low_1, high_1), (low_0, high_0) = limits_1, limits_0
    return p1 - p0 - np.hypot(p1 - low_1, high_0 - p0), p1 - p0 + np.hypot(high_1 - p1, p0 - low_0)
