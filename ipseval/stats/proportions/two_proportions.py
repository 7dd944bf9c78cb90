"""Difference, ratio and odds ratio of two proportions, and the number needed to treat.

Arm 1 is the active arm and arm 0 the reference. Every function takes counts that broadcast against
each other, so that thousands of tables cost one call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.proportions import conditional, exact_unconditional, score_limits
from ipseval.stats.proportions.one_proportion import wilson, wilson_cc
from ipseval.stats.tables import (
    Difference,
    FloatArray,
    Interval,
    Ratio,
    Tables,
    known_only,
    normal_quantile,
    two_arm_tables,
)


class NumberNeeded(NamedTuple):
    """Number needed to treat, signed: positive to benefit one person, negative to harm one.

    Where ``through_infinity`` the interval is not the stretch between the limits but everything
    outside it: from ``conf_low`` people for one to benefit, through infinity (no effect), to
    ``-conf_high`` people for one to be harmed.
    """

    estimate: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    through_infinity: NDArray[np.bool_]


def risk_difference(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "newcombe",
    conf_level: float = 0.95,
) -> Difference:
    """Difference between two proportions, active minus reference, with Newcombe limits by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"newcombe"`` (default: closed form, within [-1, 1], coverage close to nominal);
        - ``"newcombe_cc"``, from continuity-corrected Wilson limits;
        - ``"miettinen_nurminen"``, score limits with variance times N / (N - 1);
        - ``"mee"``, score limits without that factor;
        - ``"agresti_caffo"``, one event and one non-event added to each arm; may leave [-1, 1];
        - ``"wald"``, for checking: no width where both proportions are 0 or 1;
        - ``"exact_unconditional"``, never below nominal coverage (Chan & Zhang): about a second for a
          table of two arms of eighty.
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Difference
        As proportions. ``estimate`` and ``std_error`` (unpooled) are the same for every method.
        All NaN where an arm is empty.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people.

    Notes
    -----
    Score limits are solved to the precision of a double. statsmodels' score limits of a difference
    are not these.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, methods 10 and 11.
    Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.
    Mee (1984), Biometrics 40:1175-1176. Agresti & Caffo (2000), American Statistician 54:280-288.
    Chan & Zhang (1999), Biometrics 55:1202-1209.

    Examples
    --------
    >>> d = risk_difference(31, 70, 20, 81)
    >>> print(f"{d.estimate:.3f}, {d.conf_low:.3f} to {d.conf_high:.3f}")
    0.196, 0.044 to 0.338
    """
    checks.one_of(method, (*_DIFFERENCES, "exact_unconditional"), "method")
    z = normal_quantile(conf_level)
    t = two_arm_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, std_error = _observed_difference(t)
        if method == "exact_unconditional":
            low, high = exact_unconditional.exact_difference_limits(t, conf_level)
        else:
            low, high = _DIFFERENCES[method](t, z)
    return Difference(*(known_only(t.known, part) for part in (estimate, std_error, low, high)))


def risk_ratio(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "miettinen_nurminen",
    conf_level: float = 0.95,
) -> Ratio:
    """Ratio of two proportions, active over reference, with score limits by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"miettinen_nurminen"`` (default: has an answer at zero cells), score limits with
          variance times N / (N - 1);
        - ``"koopman"``, score limits without that factor;
        - ``"log"``, normal on the log scale (Katz).
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Ratio
        Without events in the active arm the estimate and lower limit are 0; without events in the
        reference arm the estimate and upper limit are infinite; without any the estimate is NaN
        and the score limits are 0 and infinity. ``log_std_error`` and the ``"log"`` limits are NaN
        at each of these. All NaN where an arm is empty.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people.

    References
    ----------
    Koopman (1984), Biometrics 40:513-517. Miettinen & Nurminen (1985), Statistics in Medicine
    4:213-226. Katz et al. (1978), Biometrics 34:469-474.

    Examples
    --------
    >>> r = risk_ratio(31, 70, 20, 81)
    >>> print(f"{r.estimate:.2f}, {r.conf_low:.2f} to {r.conf_high:.2f}")
    1.79, 1.14 to 2.86
    """
    checks.one_of(method, ("miettinen_nurminen", "koopman", "log"), "method")
    z = normal_quantile(conf_level)
    t = two_arm_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = (t.x1 / t.n1) / (t.x0 / t.n0)
        log_std_error = _log_std_error(1 / t.x1 - 1 / t.n1 + 1 / t.x0 - 1 / t.n0)
        if method == "log":
            low, high = _log_normal_limits(estimate, log_std_error, z)
        else:
            low, high = score_limits.risk_ratio_limits(t, z, _score_scale(t, method))
    return Ratio(*(known_only(t.known, part) for part in (estimate, log_std_error, low, high)))


def odds_ratio(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "miettinen_nurminen",
    conf_level: float = 0.95,
) -> Ratio:
    """Odds ratio, active over reference, with score limits by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        - ``"miettinen_nurminen"`` (default: has an answer at zero cells), score limits with
          variance times N / (N - 1);
        - ``"cornfield"``, score limits without that factor or continuity correction;
        - ``"wald"``, normal on the log scale (Woolf);
        - ``"haldane"``, the same with 1/2 added to all four cells, in the estimate too;
        - ``"conditional_exact"``, conditional maximum likelihood, and limits that give each tail
          of the noncentral hypergeometric distribution half of alpha;
        - ``"mid_p"``, the same with half the probability of the observed table in each tail.
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Ratio
        ``log_std_error`` is Woolf's (Haldane's for ``"haldane"``). A zero cell makes the estimate
        0 or infinite with one limit equal to it, and ``log_std_error`` and the ``"wald"`` limits
        NaN. Where nobody or everybody had the outcome the estimate is NaN and the score and exact
        limits are 0 and infinity. All NaN where an arm is empty.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people.

    Notes
    -----
    Exact limits are solved on the log scale to the precision of a double. R's ``fisher.test`` stops
    at about 1e-4, and is wrong for odds ratios beyond about 1000 (95/96 v 2/97: 1.8e5, not 4.5e15).

    References
    ----------
    Cornfield (1956), Proc. Third Berkeley Symposium 4:135-148. Miettinen & Nurminen (1985),
    Statistics in Medicine 4:213-226. Woolf (1955), Annals of Human Genetics 19:251-253.

    Examples
    --------
    >>> r = odds_ratio(31, 70, 20, 81)
    >>> print(f"{r.estimate:.2f}, {r.conf_low:.2f} to {r.conf_high:.2f}")
    2.42, 1.22 to 4.83
    """
    checks.one_of(method, _ODDS_RATIO_METHODS, "method")
    z = normal_quantile(conf_level)
    t = two_arm_tables(x1, n1, x0, n0)
    known = t.known
    if method == "haldane":
        t = Tables(t.x1 + 0.5, t.n1 + 1, t.x0 + 0.5, t.n0 + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y1, y0 = t.n1 - t.x1, t.n0 - t.x0
        estimate = t.x1 * y0 / (t.x0 * y1)
        log_std_error = _log_std_error(1 / t.x1 + 1 / y1 + 1 / t.x0 + 1 / y0)
        if method in ("wald", "haldane"):
            low, high = _log_normal_limits(estimate, log_std_error, z)
        elif method in ("conditional_exact", "mid_p"):
            estimate, low, high = _conditional(t, conf_level, mid_p=method == "mid_p")
        else:
            low, high = score_limits.odds_ratio_limits(t, z, _score_scale(t, method))
    return Ratio(*(known_only(known, part) for part in (estimate, log_std_error, low, high)))


def number_needed_to_treat(
    difference_low: ArrayLike, difference: ArrayLike, difference_high: ArrayLike
) -> NumberNeeded:
    """Number of people to treat for one more to have the outcome, from a risk difference.

    Parameters
    ----------
    difference_low, difference, difference_high : array_like
        Lower limit, estimate and upper limit of the difference, active minus reference, for an
        outcome that is wanted. Missing values stay missing.

    Returns
    -------
    NumberNeeded
        Reciprocals: ``conf_low`` is 1 over the upper limit and ``conf_high`` 1 over the lower one.
        Where the difference's interval contains 0, ``through_infinity`` is true and ``conf_high``
        is negative (or infinite, for a limit of exactly 0).

    Raises
    ------
    AnalysisError
        Limits that are not in the order low, estimate, high.

    References
    ----------
    Altman (1998), BMJ 317:1309-1312.

    Examples
    --------
    >>> needed = number_needed_to_treat(-0.05, 0.10, 0.25)
    >>> print(needed.estimate, needed.conf_low, needed.conf_high, needed.through_infinity)
    10.0 4.0 -20.0 True
    """
    low, middle, high = (
        checks.float_array(values, name, allow_missing=True)
        for values, name in (
            (difference_low, "difference_low"),
            (difference, "difference"),
            (difference_high, "difference_high"),
        )
    )
    wrong = int(((low > middle) | (middle > high)).sum())
    if wrong:
        raise AnalysisError(
            f"{wrong} of {np.size(middle)} differences lie outside their limits. "
            f"Pass lower limit, estimate and upper limit, in this order."
        )
    with np.errstate(divide="ignore"):
        return NumberNeeded((1 / middle)[()], (1 / high)[()], (1 / low)[()], ((low <= 0) & (high >= 0))[()])


def _observed_difference(t: Tables) -> tuple[FloatArray, FloatArray]:
    p1, p0 = t.x1 / t.n1, t.x0 / t.n0
    return p1 - p0, np.sqrt(p1 * (1 - p1) / t.n1 + p0 * (1 - p0) / t.n0)


def _score_scale(t: Tables, method: str) -> FloatArray | float:
    return t.score_scale if method == "miettinen_nurminen" else 1.0


def _newcombe(t: Tables, z: float) -> Interval:
    return square_and_add(t, wilson(t.x1, t.n1, z), wilson(t.x0, t.n0, z))


def _newcombe_cc(t: Tables, z: float) -> Interval:
    return square_and_add(t, wilson_cc(t.x1, t.n1, z), wilson_cc(t.x0, t.n0, z))


def square_and_add(t: Tables, active: Interval, reference: Interval) -> Interval:
    """Combine the limits of two proportions into limits of their difference (Newcombe's hybrid)."""
    p1, p0 = t.x1 / t.n1, t.x0 / t.n0
    return Interval(
        p1 - p0 - np.hypot(p1 - active.low, reference.high - p0),
        p1 - p0 + np.hypot(active.high - p1, p0 - reference.low),
    )


def _agresti_caffo(t: Tables, z: float) -> Interval:
    return _wald(Tables(t.x1 + 1, t.n1 + 2, t.x0 + 1, t.n0 + 2), z)


def _wald(t: Tables, z: float) -> Interval:
    estimate, std_error = _observed_difference(t)
    return Interval(estimate - z * std_error, estimate + z * std_error)


def _log_std_error(variance: FloatArray) -> FloatArray:
    """Return the root of a variance of a logarithm, missing where a zero cell leaves it undefined."""
    return np.where(np.isfinite(variance), np.sqrt(np.maximum(variance, 0.0)), np.nan)


def _log_normal_limits(estimate: FloatArray, log_std_error: FloatArray, z: float) -> Interval:
    return Interval(estimate * np.exp(-z * log_std_error), estimate * np.exp(z * log_std_error))


def _conditional(t: Tables, conf_level: float, *, mid_p: bool) -> list[FloatArray]:
    return conditional.in_blocks(lambda c: conditional.estimate_and_limits(c, conf_level, mid_p=mid_p), t)


_DIFFERENCES = {
    "newcombe": _newcombe,
    "newcombe_cc": _newcombe_cc,
    "miettinen_nurminen": lambda t, z: score_limits.difference_limits(
        t, z, _score_scale(t, "miettinen_nurminen")
    ),
    "mee": lambda t, z: score_limits.difference_limits(t, z, 1.0),
    "agresti_caffo": _agresti_caffo,
    "wald": _wald,
}

_ODDS_RATIO_METHODS = ("miettinen_nurminen", "cornfield", "wald", "haldane", "conditional_exact", "mid_p")
