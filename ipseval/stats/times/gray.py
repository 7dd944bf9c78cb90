"""Gray's test: does an event become more frequent in one group, where another event may come first?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.times.cumulative_incidence import cause_codes
from ipseval.stats.times.log_rank import score_statistic
from ipseval.stats.times.risk_sets import (
    Floats,
    Integers,
    codes,
    durations,
    frequencies,
    reverse_cumulative,
    risk_table,
    strata_rows,
)


class GrayTest(NamedTuple):
    """Gray's test of equal cumulative incidence; the fields are those of `LogRank`.

    ``expected`` are the events of interest a group would have with the incidence of all groups together,
    ``score`` is observed minus expected. With two groups ``z`` has the sign of the second: above 0 when it
    has the event more often. It is NaN with more groups.
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


def gray_test(
    duration: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike,
    *,
    of: int = 1,
    strata: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
) -> GrayTest:
    """Return Gray's test that the cumulative incidence of one cause is the same in all groups.

    It compares what will happen to people, the competing event included; the log-rank test with
    competing events as censored compares the rates among those still event-free. The two may differ.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the first event or to censoring, 0 or more.
    cause : array of int, shape (n,)
        0 censored, 1 event of interest, 2 competing event.
    group : array, shape (n,)
        Two or more labels.
    of : {1, 2}
        The cause whose incidence is compared.
    strata : array, shape (n,), optional
        Groups are compared within each stratum only; scores and covariances add up.
    frequency : array, shape (n,), optional
        How many people each row stands for.

    Returns
    -------
    GrayTest

    Raises
    ------
    AnalysisError
        As `cumulative_incidence`; fewer than two groups; no event time at which groups could differ.

    Notes
    -----
    The weight is that of cmprsk's default, rho = 0. Those who had the competing event stay in the risk
    set, estimated per group as n (1 - F(t-)) / S(t-). The covariance allows for the estimation of S and
    F, and for ties as cmprsk does; the statistic agrees with ``cmprsk::cuminc`` to 1e-8.

    References
    ----------
    Gray (1988), Annals of Statistics 16:1141-1154.

    Examples
    --------
    >>> test = gray_test([3, 4, 5, 7, 8, 9], [1, 1, 2, 2, 1, 0], ["IPS"] * 3 + ["usual"] * 3)
    >>> test.observed.tolist(), round(test.p_value, 3)
    ([2.0, 1.0], 0.118)
    """
    checks.one_of(of, (1, 2), "of")
    time, why = durations(duration), cause_codes(cause)
    groups, arm = codes(group, "group")
    checks.same_length(duration=time, cause=why, group=arm)
    if groups.size < 2:
        raise AnalysisError(f"group has {groups.size} level. Pass the people of two or more arms.")
    why = why if of == 1 else np.array([0, 2, 1])[why]
    count = None if frequency is None else frequencies(frequency, time.size)
    observed, expected = np.zeros(groups.size), np.zeros(groups.size)
    covariance, n_events, compared = np.zeros((groups.size, groups.size)), 0, 0
    for rows in strata_rows(strata, time.size):
        sample = _Sample.of(
            time[rows], why[rows], arm[rows], groups.size, None if count is None else count[rows]
        )
        observed += sample.own.sum(axis=1)
        expected += sample.expected()
        covariance += sample.covariance()
        n_events += int(sample.own.sum())
        compared += int(sample.own[:, (sample.share > 0).sum(axis=0) > 1].sum())
    test = score_statistic(observed, expected, covariance, n_events, compared)
    return GrayTest(groups, observed, expected, observed - expected, covariance, *test)


class _Sample(NamedTuple):
    """One stratum at the times of its events of either cause, in arrays of shape (groups, times).

    ``at_risk`` people are event-free just before each time; ``own`` have the event of interest at it,
    ``other`` the competing one. ``free_before`` and ``free_after`` are the probabilities of neither
    event, ``incidence_before`` that of the event of interest. ``share`` is at_risk / free_before, the
    size that the group would still have if nobody were ever lost or had an event.
    """

    at_risk: Floats
    own: Floats
    other: Floats
    free_before: Floats
    free_after: Floats
    incidence_before: Floats
    share: Floats

    @classmethod
    def of(
        cls,
        duration: Floats | Integers,
        cause: Integers,
        arm: Integers,
        n_groups: int,
        frequency: Floats | None,
    ) -> _Sample:
        table = risk_table(duration, cause, 3, group=arm, n_groups=n_groups, frequency=frequency)
        leaving = table.leaving.reshape(3, n_groups, -1)
        at_events = leaving[1:].any(axis=(0, 1))
        at_risk = reverse_cumulative(leaving.sum(axis=0).T).T[:, at_events]
        own, other = leaving[1][:, at_events], leaving[2][:, at_events]
        free_after: Floats = np.multiply.accumulate(1.0 - _ratio(own + other, at_risk), axis=1)
        free_before = _before(free_after, 1.0)
        incidence = np.cumsum(free_before * _ratio(own, at_risk), axis=1)
        share = _ratio(at_risk, free_before)
        return cls(at_risk, own, other, free_before, free_after, _before(incidence, 0.0), share)

    def expected(self) -> Floats:
        """Return the events of interest per group, if all had one subdistribution hazard."""
        risk_set = self.share * (1.0 - self.incidence_before)
        expected: Floats = _ratio(risk_set, risk_set.sum(axis=0)) @ self.own.sum(axis=0)
        return expected

    def covariance(self) -> Floats:
        """Return the covariance of the score under equal incidence, which may differ in other causes.

        The score of group i is a sum over groups k of integrals against the martingales of both causes
        in k. An event of interest acts at once, by ``direct``, and through the estimates of S and F that
        ``later`` terms use; a competing event acts through S alone.
        """
        n_own = self.own.sum(axis=0)
        total = self.share.sum(axis=0)
        pooled = np.cumsum(n_own / total)
        direct = np.eye(len(self.share))[:, :, None] * self.share
        direct = direct - self.share[:, None] * self.share / total
        weighted = direct * _ratio(n_own, total * (1.0 - _before(pooled, 0.0)))
        later = weighted.sum(axis=2, keepdims=True) - np.cumsum(weighted, axis=2)
        relative = _ratio(1.0 - pooled, self.free_after)

        ties = 1.0 - _ratio(np.maximum(n_own - 1.0, 0.0), total * self.free_before - 1.0)
        variance = ties * _ratio(self.free_before * n_own, total * self.at_risk)
        covariance = _crossed(direct + (1.0 - relative) * later, variance)

        ties = 1.0 - _ratio(np.maximum(self.other - 1.0, 0.0), self.at_risk - 1.0)
        variance = ties * _ratio(self.free_before**2 * self.other, self.at_risk**2)
        return covariance + _crossed(relative * later, variance)


def _crossed(integrand: Floats, variance: Floats) -> Floats:
    """Return the sums over groups and times of products of integrands times the variance there."""
    crossed: Floats = np.einsum("ikt,jkt,kt->ij", integrand, integrand, variance)
    return crossed


def _before(curve: NDArray[Any], start: float) -> Floats:
    return np.concatenate([np.full((*curve.shape[:-1], 1), start), curve[..., :-1]], axis=-1)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return a ratio that is 0 where nobody is left to divide by."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)
