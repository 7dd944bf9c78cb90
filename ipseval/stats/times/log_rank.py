"""Log-rank tests: do the groups differ in how soon the event happens, over the whole of follow-up?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.risk_sets import (
    Floats,
    Integers,
    codes,
    durations,
    entries,
    frequencies,
    reverse_cumulative,
    risk_table,
    still_to_enter,
    strata_rows,
)

WEIGHTS = ("log-rank", "gehan", "tarone-ware", "fleming-harrington")

# Eigenvalues this small beside the largest are zeros with rounding error.
_NO_VARIANCE = 1e-10


class LogRank(NamedTuple):
    """A (weighted, stratified) log-rank test.

    ``observed`` and ``expected`` are weighted events per group, in the order of ``groups``,
    ``score`` their difference and ``covariance`` its hypergeometric covariance. With two groups
    ``z`` has the sign of the second: above 0 when its events come sooner than expected. It is NaN
    with more groups; the chi-square ``statistic`` on ``df`` degrees of freedom serves any number.
    """

    groups: NDArray[Any]
    observed: Floats
    expected: Floats
    score: Floats
    covariance: Floats
    statistic: float
    df: int
    z: float
    p_value: float


def log_rank(
    duration: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    weights: str = "log-rank",
    exponents: tuple[float, float] | None = None,
) -> LogRank:
    """Return the log-rank test of equal event-time distributions in two or more groups.

    Parameters
    ----------
    duration, event, entry, frequency
        As in `kaplan_meier`.
    group : array, shape (n,)
        Arm of each person; groups are compared in sorted order.
    strata : array, shape (n,), optional
        Groups are compared within strata, and scores and variances summed over them.
    weights : {"log-rank", "gehan", "tarone-ware", "fleming-harrington"}
        Weight of each event time: 1; the number at risk n; its root; S(t-)^p (1 - S(t-))^q with S the
        Kaplan-Meier curve of all groups together, within the stratum. The weight is chosen before
        the data are seen; log-rank is the most powerful under proportional hazards.
    exponents : (p, q), optional
        For "fleming-harrington" only. (1, 0) is R's ``survdiff(rho=1)``, the Peto-Peto test.

    Returns
    -------
    LogRank

    Raises
    ------
    AnalysisError
        As `kaplan_meier`; fewer than two groups.
    NotDefinedError
        No event time at which groups could differ.

    Notes
    -----
    At an event time with d events among n at risk, n_g of them in group g, the expected number is
    d n_g / n and the variance d (n_g/n)(1 - n_g/n)(n - d)/(n - 1). Agrees with ``survdiff`` to 1e-9.

    References
    ----------
    Fleming and Harrington (1991), Counting Processes and Survival Analysis, section 7.2.

    Examples
    --------
    >>> test = log_rank([3, 5, 7, 9], [1, 1, 1, 0], ["IPS", "IPS", "usual", "usual"])
    >>> test.observed.tolist(), round(test.p_value, 3)
    ([2.0, 1.0], 0.09)
    """
    checks.one_of(weights, WEIGHTS, "weights")
    powers = _checked_exponents(weights, exponents)
    time = durations(duration)
    happened = checks.boolean_array(event, "event")
    groups, arm = codes(group, "group")
    checks.same_length(duration=time, event=happened, group=arm)
    if groups.size < 2:
        raise AnalysisError(f"group has {groups.size} level. Pass the people of two or more arms.")
    enters = None if entry is None else entries(entry, time)
    count = None if frequency is None else frequencies(frequency, time.size)
    observed, expected = np.zeros(groups.size), np.zeros(groups.size)
    covariance, compared = np.zeros((groups.size, groups.size)), 0
    for rows in strata_rows(strata, time.size):
        parts = _within_stratum(
            time[rows],
            happened[rows],
            arm[rows],
            groups.size,
            None if enters is None else enters[rows],
            None if count is None else count[rows],
            weights,
            powers,
        )
        observed, expected, covariance = (
            total + part for total, part in zip((observed, expected, covariance), parts[:3], strict=True)
        )
        compared += parts[3]
    n_events = int(happened.sum() if count is None else count[happened].sum())
    test = score_statistic(observed, expected, covariance, n_events, compared)
    return LogRank(groups, observed, expected, observed - expected, covariance, *test)


def _within_stratum(
    duration: Floats | Integers,
    happened: NDArray[np.bool_],
    arm: Integers,
    n_groups: int,
    entry: Floats | None,
    frequency: Floats | None,
    weights: str,
    powers: tuple[float, float],
) -> tuple[Floats, Floats, Floats, int]:
    """Return weighted observed and expected events per group, and the covariance of their difference.

    Last comes how many events fell at times when people of two groups were at risk.
    """
    table = risk_table(duration, happened, 2, group=arm, n_groups=n_groups, frequency=frequency)
    events = table.leaving[n_groups:]
    at_events = events.any(axis=0)
    leaving = table.leaving.reshape(2, n_groups, -1).sum(axis=0)
    n_group = reverse_cumulative(leaving.T).T[:, at_events]
    if entry is not None:
        n_group = n_group - _waiting(entry, arm, n_groups, table.time[at_events], frequency)
    n, events = n_group.sum(axis=0), events[:, at_events]
    d = events.sum(axis=0)
    weight = _weight(weights, powers, n, d)
    share = n_group / n
    # The last person at risk has the event for certain: no variance, and 0/0 in the formula.
    spread = np.divide(weight**2 * d * (n - d), n - 1, out=np.zeros_like(n), where=n > 1)
    covariance = np.diag(share @ spread) - (share * spread) @ share.T
    compared = int(d[(n_group > 0).sum(axis=0) > 1].sum())
    return events @ weight, share @ (weight * d), covariance, compared


def _waiting(entry: Floats, arm: Integers, n_groups: int, time: Floats, frequency: Floats | None) -> Floats:
    """Return how many people of each group are still to enter at each time."""
    return np.array(
        [
            still_to_enter(entry[mine], time, None if frequency is None else frequency[mine])
            for mine in (arm == group for group in range(n_groups))
        ]
    )


def _weight(weights: str, powers: tuple[float, float], n: Floats, d: Floats) -> Floats:
    match weights:
        case "gehan":
            return n
        case "tarone-ware":
            return np.sqrt(n)
        case "fleming-harrington":
            survival_before = np.append(1.0, np.cumprod(1.0 - d / n))[:-1]
            return survival_before ** powers[0] * (1.0 - survival_before) ** powers[1]
        case _:
            return np.ones_like(n)


def score_statistic(
    observed: Floats, expected: Floats, covariance: Floats, n_events: int, compared: int
) -> tuple[float, int, float, float]:
    """Return the chi-square statistic of observed minus expected, its df, z (two groups only) and p value.

    ``compared`` of the ``n_events`` fell at times when people of two groups were at risk.
    """
    score = observed - expected
    # Scores add up to 0 over the groups that share risk sets, so that the covariance is never of full rank.
    variances, directions = np.linalg.eigh(covariance)
    varies = variances > _NO_VARIANCE * variances[-1]
    if variances[-1] <= 0:
        raise NotDefinedError(_nothing_varies(n_events, compared))
    statistic = float(np.sum((score @ directions[:, varies]) ** 2 / variances[varies]))
    df = int(varies.sum())
    z = float(score[1] / np.sqrt(covariance[1, 1])) if score.size == 2 else float("nan")
    return statistic, df, z, float(special.chdtrc(df, statistic))


def _nothing_varies(n_events: int, compared: int) -> str:
    """Return why the groups cannot be compared: they never met, or chance had no part where they did."""
    if not compared:
        return (
            f"No event time has people of two groups at risk, within one stratum where there are strata "
            f"({n_events} events in all), so the groups cannot be compared. Check the coding of event, group "
            f"and strata."
        )
    return (
        f"Nothing varies between the groups: at each time that counts, everybody at risk had the event at "
        f"once ({n_events} events in all), so the groups cannot be compared."
    )


def _checked_exponents(weights: str, exponents: tuple[float, float] | None) -> tuple[float, float]:
    if (weights == "fleming-harrington") != (exponents is not None):
        raise AnalysisError(
            f"weights={weights!r} with exponents={exponents!r}. "
            f"Pass exponents=(p, q) with 'fleming-harrington', and with no other weights."
        )
    if exponents is None:
        return 0.0, 0.0
    p, q = checks.float_array(exponents, "exponents")
    if p < 0 or q < 0:
        raise AnalysisError(f"exponents={exponents!r} has a negative entry. Pass p and q of 0 or more.")
    return float(p), float(q)
