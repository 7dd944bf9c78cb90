"""Cumulative incidence of one event where another may come first, such as death before a first job.

The Aalen-Johansen estimator, exact on ties: on a day or month grid several people leave at the same
time for different reasons, and nobody's time is moved to break the tie.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.kaplan_meier import probability_limits
from ipseval.stats.times.risk_sets import Floats, Integers, RiskTable, risk_table

INTERVALS = ("log-log", "complementary log-log", "log", "plain", "logit", "arcsine")
VARIANCES = ("greenwood", "aalen")

# A variance that is this small a part of the terms it is the difference of is rounding error: 0.
_ROUNDING = 1e-13


class CumulativeIncidence(NamedTuple):
    """Cumulative incidence of one cause: one entry per distinct observed time, in order.

    ``n_risk`` people are at risk just before ``time``; at it ``n_event`` have the event of interest,
    ``n_competing`` the other event and ``n_censored`` leave without either. ``incidence`` is the
    probability of the event of interest by ``time``; ``event_free`` that of neither event. Limits
    are NaN where the incidence is 0 or 1.
    """

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_competing: Floats
    n_censored: Floats
    event_free: Floats
    incidence: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


class IncidenceAt(NamedTuple):
    """A cumulative incidence read off at chosen times; counts are from 0 up to and including ``time``."""

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_competing: Floats
    n_censored: Floats
    event_free: Floats
    incidence: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


def cumulative_incidence(
    duration: ArrayLike,
    cause: ArrayLike,
    *,
    of: int = 1,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    conf_level: float = 0.95,
    interval: str = "log-log",
    variance: str = "greenwood",
) -> CumulativeIncidence:
    """Return the Aalen-Johansen estimate of the probability of an event by each time.

    It answers how many will have had the event, in a world where the competing event also happens.
    One minus Kaplan-Meier with competing events as censored is larger and answers no such question.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the first event or to censoring, 0 or more.
    cause : array of int, shape (n,)
        0 censored, 1 event of interest, 2 competing event.
    of : {1, 2}
        The cause whose incidence is returned.
    entry, frequency : arrays, shape (n,), optional
        Delayed entry, and how many people a row stands for, as in `kaplan_meier`.
    conf_level : float
        Coverage of the pointwise limits.
    interval : {"log-log", "complementary log-log", "log", "plain", "logit", "arcsine"}
        Scale of the limits: "log-log" is log(-log F), as in R, SAS and Stata. "complementary
        log-log" is log(-log(1 - F)): without competing events it gives one minus the log-log limits
        of Kaplan-Meier.
    variance : {"greenwood", "aalen"}
        "greenwood" is the delta-method (infinitesimal jackknife) variance: R's ``survfit``, and
        Greenwood's formula without competing events. "aalen" is that of R's ``cmprsk``.

    Returns
    -------
    CumulativeIncidence

    Raises
    ------
    AnalysisError
        Missing or negative durations, a cause other than 0, 1 and 2, arrays of different length.

    Notes
    -----
    F(t) is the sum over times up to t of S(t-) d/n, S being Kaplan-Meier for either event and d the
    events of interest. Agrees with ``survfit`` and ``cmprsk::cuminc`` to 1e-9.

    References
    ----------
    Aalen and Johansen (1978), Scandinavian Journal of Statistics 5:141-150. Choudhury (2002),
    Statistics in Medicine 21:1129-1144, for limits on the scale log(-log F).

    Examples
    --------
    >>> curve = cumulative_incidence([30, 60, 60, 90], [1, 2, 0, 1])
    >>> curve.incidence.round(3).tolist()
    [0.25, 0.25, 0.75]
    """
    checks.one_of(interval, INTERVALS, "interval")
    checks.one_of(variance, VARIANCES, "variance")
    checks.confidence(conf_level)
    table = cause_table(duration, cause, of=of, entry=entry, frequency=frequency)
    n_censored, n_event, n_competing = table.leaving
    event_free = np.cumprod((table.n_risk - n_event - n_competing) / table.n_risk)
    incidence = np.cumsum(before(event_free) * n_event / table.n_risk)
    formula = _greenwood_variance if variance == "greenwood" else _aalen_variance
    std_error = np.sqrt(formula(table, event_free, incidence))
    low, high = probability_limits(incidence, std_error, conf_level, interval)
    return CumulativeIncidence(
        table.time,
        table.n_risk,
        n_event,
        n_competing,
        n_censored,
        event_free,
        incidence,
        std_error,
        low,
        high,
    )


def incidence_at(curve: CumulativeIncidence, times: ArrayLike) -> IncidenceAt:
    """Return the curve read off at the given times, carried forward after the last one.

    Examples
    --------
    >>> incidence_at(cumulative_incidence([30, 60, 60, 90], [1, 2, 0, 1]), [0, 75]).incidence.tolist()
    [0.0, 0.25]
    """
    asked = np.atleast_1d(checks.float_array(times, "times"))
    upto = np.searchsorted(curve.time, asked, side="right")
    n_before = np.searchsorted(curve.time, asked, side="left")

    def at(values: Floats, start: float) -> Floats:
        return np.append(start, values)[upto]

    return IncidenceAt(
        asked,
        n_risk=np.append(curve.n_risk, 0.0)[n_before],
        n_event=at(np.cumsum(curve.n_event), 0.0),
        n_competing=at(np.cumsum(curve.n_competing), 0.0),
        n_censored=at(np.cumsum(curve.n_censored), 0.0),
        event_free=at(curve.event_free, 1.0),
        incidence=at(curve.incidence, 0.0),
        std_error=at(curve.std_error, 0.0),
        conf_low=at(curve.conf_low, np.nan),
        conf_high=at(curve.conf_high, np.nan),
    )


def cause_table(
    duration: ArrayLike,
    cause: ArrayLike,
    *,
    of: int = 1,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
) -> RiskTable:
    """Return who leaves when: censored, by cause ``of``, and by the other cause, in that order."""
    checks.one_of(of, (1, 2), "of")
    codes = cause_codes(cause)
    table = risk_table(duration, codes, 3, entry=entry, frequency=frequency)
    return table if of == 1 else table._replace(leaving=table.leaving[[0, 2, 1]])


def cause_codes(cause: ArrayLike) -> Integers:
    """Return the causes as whole numbers; refuse any code but 0, 1 and 2."""
    numbers = checks.float_array(cause, "cause")
    if wrong := int((~np.isin(numbers, (0.0, 1.0, 2.0))).sum()):
        raise AnalysisError(
            f"cause has {wrong} of {numbers.size} entries other than 0, 1 and 2. "
            f"Code 0 for censored, 1 for the event of interest and 2 for the competing event."
        )
    return numbers.astype(np.int64)


def before(curve: Floats) -> Floats:
    """Return the height of a curve that starts at 1 just before each of its times."""
    return np.append(1.0, curve[:-1])


def _greenwood_variance(table: RiskTable, event_free: Floats, incidence: Floats) -> Floats:
    """Return the multinomial delta-method variance of the incidence at every time."""
    direct, cross, square = error_moments(table, event_free, incidence)
    variance = direct - 2 * incidence * cross + incidence**2 * square
    return np.where(variance > _ROUNDING * direct, variance, 0.0)


def error_moments(table: RiskTable, event_free: Floats, incidence: Floats) -> tuple[Floats, Floats, Floats]:
    """Return var A, cov(A, B) and var B at every time, where the error of the incidence is A - F B.

    At each time the two hazards are multinomial proportions, independent of other times; an error in
    them moves F(t) directly, and through the survival that later events build on. The square
    [F(t) - F(t_k)]^2 in the sum over k is written out, so that one pass serves every t.
    """
    n = table.n_risk
    of_interest = table.leaving[1] / n
    either = (table.leaving[1] + table.leaving[2]) / n
    # Once nobody is left event-free no later event can depend on this hazard: its weight is 0.
    through_survival = np.divide(either, n * (1.0 - either), out=np.zeros_like(n), where=either < 1.0)
    at_risk = before(event_free)
    joint = at_risk * of_interest / n
    square = np.cumsum(through_survival)
    cross = np.cumsum(incidence * through_survival + joint)
    direct = np.cumsum(
        incidence**2 * through_survival + 2 * incidence * joint + at_risk * joint * (1 - of_interest)
    )
    return direct, cross, square


def _aalen_variance(table: RiskTable, event_free: Floats, incidence: Floats) -> Floats:
    """Return the counting-process variance with hypergeometric ties, step for step that of cmprsk."""
    n = table.n_risk
    remains = event_free > 0
    inverse = np.divide(1.0, event_free, out=np.zeros_like(n), where=remains)
    at_risk = before(event_free)

    def hazard_variance(leaving: Floats) -> Floats:
        fewer = np.maximum(leaving - 1, 0) / np.maximum(n - 1, 1)
        return (at_risk / n) ** 2 * (1 - fewer) * leaving

    own, other = hazard_variance(table.leaving[1]), hazard_variance(table.leaving[2]) * remains
    ratio = incidence * inverse
    direct = np.cumsum((1 + ratio) ** 2 * own + ratio**2 * other)
    cross = np.cumsum(inverse * ((1 + ratio) * own + ratio * other))
    square = np.cumsum(inverse**2 * (own + other))
    variance = direct - 2 * incidence * cross + incidence**2 * square
    return np.where(variance > _ROUNDING * direct, variance, 0.0)
