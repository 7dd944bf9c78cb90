"""Interval-censored event times: the job began between two interviews, and nobody knows the day.

An event lies in (left, right], where ``left`` is the last interview before it and ``right`` the first one
at or after it. Turnbull's estimate is the maximum-likelihood distribution: it has mass on the maximal
intersections only, says nothing on where inside them, and needs no guess of the day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import bootstrap_draws, percentile_interval
from ipseval.stats.times.risk_sets import Floats, Integers, frequencies

PLACES = ("right", "left", "even")

_MAX_ITERATIONS = 200
# Largest share by which a gain in likelihood per unit of mass may exceed 1, its bound at the maximum.
_KUHN_TUCKER = 1e-9


class TurnbullCurve(NamedTuple):
    """The maximum-likelihood distribution: ``mass`` on each interval (left, right] that can have any.

    The last ``right`` is infinite where someone was followed beyond all events. ``gap`` certifies the
    maximum: no distribution has a log-likelihood higher by more than n times ``gap`` (Kuhn-Tucker). The
    masses are unique, as each interval of the curve is the last one that somebody's own interval covers.
    """

    left: Floats
    right: Floats
    mass: Floats
    loglik: float
    gap: float
    iterations: int
    converged: bool


class TurnbullSurvival(NamedTuple):
    """Survival at chosen times, or a difference of two, with bootstrap percentile limits."""

    time: Floats
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


def turnbull(left: ArrayLike, right: ArrayLike, *, frequency: ArrayLike | None = None) -> TurnbullCurve:
    """Return Turnbull's maximum-likelihood estimate from interval-censored times.

    When the interviews took place must say nothing about when the job began.

    Parameters
    ----------
    left, right : arrays, shape (n,)
        The event is in (left, right]; ``right`` missing: not seen by ``left``, the last interview. Equal
        ends mean that the day is known.
    frequency : array, shape (n,), optional
        How many people each row stands for.

    Returns
    -------
    TurnbullCurve

    Raises
    ------
    AnalysisError
        Missing or negative ``left``, an interval that ends before it begins, arrays of different length.

    Notes
    -----
    A few steps of Turnbull's self-consistency (EM), then Newton steps with non-negative least squares,
    until the Kuhn-Tucker conditions hold to 1e-9; EM alone stops early. Agrees with R's npsurv: the
    log-likelihood to 1e-9. R's ``survfit`` stops at about 1e-4.

    References
    ----------
    Turnbull (1976), Journal of the Royal Statistical Society B 38:290-295. Gentleman and Geyer (1994),
    Biometrika 81:618-623, for the certificate. Wang (2007), Journal of the Royal Statistical Society B
    69:185-198, for the Newton step.

    Examples
    --------
    >>> curve = turnbull([0, 0, 180, 180, 360], [180, 180, 360, np.nan, np.nan])
    >>> curve.left.tolist(), curve.mass.round(6).tolist()
    ([0.0, 180.0, 360.0], [0.4, 0.3, 0.3])
    """
    low, high = interval_ends(left, right)
    count = np.ones(low.size) if frequency is None else frequencies(frequency, low.size)
    if not (counts := count > 0).any():
        raise AnalysisError("frequency is 0 for everyone. Pass the rows that stand for at least one person.")
    return _Cells.of(low[counts], high[counts]).maximise(count[counts])


def turnbull_survival_at(curve: TurnbullCurve, times: ArrayLike, *, mass_at: str = "right") -> Floats:
    """Return the probability of no event by each time.

    Parameters
    ----------
    curve : TurnbullCurve
    times : float or array of floats
    mass_at : {"right", "left", "even"}
        Where the mass of an interval lies: "right" and "left" bound the curve from above and from below;
        "even" spreads it, which is a convention and no estimate. They differ inside intervals only.

    Returns
    -------
    array of float
        Beyond the last interview the bounds are the remaining mass and 0, and "even" is NaN.

    Examples
    --------
    >>> curve = turnbull([0, 0, 180, 180, 360], [180, 180, 360, np.nan, np.nan])
    >>> [turnbull_survival_at(curve, 90, mass_at=place).round(6).tolist() for place in ("right", "left")]
    [[1.0], [0.6]]
    """
    checks.one_of(mass_at, PLACES, "mass_at")
    asked = np.atleast_1d(checks.float_array(times, "times"))
    share = _share_beyond(curve.left, curve.right, asked, mass_at)
    # No mass means nothing to place, wherever the interval ends.
    survival: Floats = np.where(curve.mass > 0, share * curve.mass, 0.0).sum(axis=1)
    return survival


def turnbull_bootstrap(
    left: ArrayLike,
    right: ArrayLike,
    times: ArrayLike,
    *,
    replicates: int = 1000,
    seed: int,
    mass_at: str = "right",
    conf_level: float = 0.95,
) -> TurnbullSurvival:
    """Return Turnbull's survival at chosen times with bootstrap percentile limits.

    Parameters
    ----------
    left, right, times, mass_at
        As in `turnbull` and `turnbull_survival_at`; choose times at planned interviews.
    replicates, seed
        As in `bootstrap_draws`.
    conf_level : float
        Coverage of the limits.

    Returns
    -------
    TurnbullSurvival

    Notes
    -----
    With a fixed schedule of interviews the estimate is a multinomial one and the bootstrap is valid. Where
    everyone is seen on days of their own, it converges as n^(1/3) and limits are a rough guide only.

    Examples
    --------
    >>> left, right = [0] * 20 + [180] * 10 + [360] * 10, [180] * 20 + [360] * 10 + [np.nan] * 10
    >>> found = turnbull_bootstrap(left, right, [180, 360], replicates=200, seed=1)
    >>> found.estimate.round(6).tolist()
    [0.5, 0.25]
    """
    sample = interval_ends(left, right)
    asked = np.atleast_1d(checks.float_array(times, "times"))
    survival = _resampled(sample, asked, mass_at)
    return _summary(asked, survival, np.zeros(sample[0].size, np.intp), replicates, seed, conf_level)


def turnbull_difference(
    active: tuple[ArrayLike, ArrayLike],
    reference: tuple[ArrayLike, ArrayLike],
    times: ArrayLike,
    *,
    replicates: int = 1000,
    seed: int,
    mass_at: str = "right",
    conf_level: float = 0.95,
) -> TurnbullSurvival:
    """Return active minus reference in Turnbull's survival at chosen times, people drawn within arms.

    ``active`` and ``reference`` are pairs (left, right); all else is as in `turnbull_bootstrap`.

    Examples
    --------
    >>> active = [0] * 30 + [180] * 10, [180] * 30 + [np.nan] * 10
    >>> reference = [0, 180] * 20, [180, np.nan] * 20
    >>> turnbull_difference(active, reference, 180, replicates=200, seed=1).estimate.round(6).tolist()
    [-0.25]
    """
    samples = [interval_ends(*arm) for arm in (active, reference)]
    asked = np.atleast_1d(checks.float_array(times, "times"))
    one, other = (_resampled(sample, asked, mass_at) for sample in samples)
    n_active = samples[0][0].size

    def difference(counts: NDArray[np.intp]) -> Floats:
        return one(counts[:, :n_active]) - other(counts[:, n_active:])

    arms = np.repeat([1, 0], [n_active, samples[1][0].size])
    return _summary(asked, difference, arms, replicates, seed, conf_level)


class _Cells(NamedTuple):
    """Maximal intersections, and which of them each distinct interval covers.

    ``covers[i, j]`` is True where distinct interval i covers intersection j; ``person`` is the distinct
    interval of each person.
    """

    left: Floats
    right: Floats
    covers: NDArray[np.bool_]
    person: Integers

    @classmethod
    def of(cls, left: Floats, right: Floats) -> _Cells:
        intervals, person = np.unique(np.column_stack([left, right]), axis=0, return_inverse=True)
        low, high = intervals.T
        # At one time a known day begins before intervals end, and intervals begin after that.
        value = np.concatenate([low, high])
        order = np.concatenate([np.where(low == high, 0, 2), np.ones(low.size)])
        sequence = np.lexsort((order, value))
        begins = sequence < low.size
        at = np.flatnonzero(begins[:-1] & ~begins[1:])
        cell_left, cell_right = value[sequence[at]], value[sequence[at + 1]]
        exact = cell_left == cell_right
        after = np.where(exact, low[:, None] < cell_left, low[:, None] <= cell_left)
        known = (low == high)[:, None]
        covers = np.where(known, exact & (cell_left == low[:, None]), after & (cell_right <= high[:, None]))
        return cls(cell_left, cell_right, covers, person.ravel().astype(np.int64))

    def maximise(self, frequency: NDArray[Any]) -> TurnbullCurve:
        """Return the masses that maximise the likelihood of people counted with these frequencies."""
        count = np.bincount(self.person, frequency, minlength=len(self.covers)).astype(np.float64)
        seen = count > 0
        covers, weight = self.covers[seen].astype(np.float64), count[seen] / count.sum()
        mass = np.full(self.left.size, 1 / self.left.size)
        for _ in range(10):
            mass = mass * (covers.T @ (weight / (covers @ mass)))
        for iteration in range(_MAX_ITERATIONS + 1):
            probability = covers @ mass
            gain = covers.T @ (weight / probability)
            gap = float(gain.max()) - 1.0
            if gap <= _KUHN_TUCKER or iteration == _MAX_ITERATIONS:
                break
            mass = _newton_step(covers, weight, mass, probability, gain)
        return TurnbullCurve(
            self.left,
            self.right,
            mass,
            loglik=float(count[seen] @ np.log(probability)),
            gap=gap,
            iterations=iteration,
            converged=gap <= _KUHN_TUCKER,
        )


def _newton_step(covers: Floats, weight: Floats, mass: Floats, probability: Floats, gain: Floats) -> Floats:
    """Return better masses: on the way to the maximum of the quadratic approximation, as far as it pays.

    Among masses that add up to 1 the approximation is -sum w (S m - 2)^2 / 2 with S = covers / probability;
    the 2 is written into S, and non-negative least squares find the direction (Wang 2007, section 3).
    """
    ratio = np.sqrt(weight)[:, None] * (covers / probability[:, None] - 2.0)
    target = np.append(np.zeros(weight.size), 1.0)
    aim = optimize.nnls(np.vstack([ratio, np.ones(mass.size)]), target)[0]
    step = aim / aim.sum() - mass

    def rise(size: float) -> float:
        return float(weight @ np.log(covers @ (mass + size * step) / probability))

    promised, size = float(gain @ step), 1.0
    with np.errstate(divide="ignore"):
        while rise(size) < size * promised / 3 and size > 1e-8:
            size /= 2
    better: Floats = np.maximum(mass + size * step, 0.0)
    return better


def interval_ends(left: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Return both ends, the right one infinite where the event was not seen."""
    low = checks.float_array(left, "left")
    high = checks.float_array(right, "right", allow_missing=True)
    if checks.same_length(left=low, right=high) == 0:
        raise AnalysisError("left has no entries. Pass one interval for each of 1 or more people.")
    checks.not_negative(low, "left")
    high = np.where(np.isnan(high), np.inf, high)
    if wrong := int((high < low).sum()):
        raise AnalysisError(
            f"right is before left for {wrong} of {low.size} people. "
            f"Pass the last interview without a job as left and the first one with a job as right."
        )
    return low, high


def _share_beyond(left: Floats, right: Floats, times: Floats, mass_at: str) -> Floats:
    """Return the share of each interval's mass that lies beyond each time, shape (times, intervals)."""
    t = times[:, None]
    known = left == right
    if mass_at == "right":
        return np.where(right > t, 1.0, 0.0)
    if mass_at == "left":
        return np.where(np.where(known, right > t, left >= t), 1.0, 0.0)
    with np.errstate(invalid="ignore"):
        inside = (right - t) / np.where(known, 1.0, right - left)
    inside = np.where(np.isinf(right) & (t > left), np.nan, inside)
    return np.where(left >= t, np.where(known, right > t, 1.0), np.where(right <= t, 0.0, inside))


def _resampled(
    sample: tuple[Floats, Floats], times: Floats, mass_at: str
) -> Callable[[NDArray[np.intp]], Floats]:
    """Return the survival as a function of how often each person is drawn, one row per replicate.

    A replicate's own maximal intersections each hold one of the whole sample's, so that these serve all.
    """
    checks.one_of(mass_at, PLACES, "mass_at")
    cells = _Cells.of(*sample)

    def survival(counts: NDArray[np.intp]) -> Floats:
        rows = []
        for drawn in counts:
            rows.append(turnbull_survival_at(cells.maximise(drawn), times, mass_at=mass_at))
        return np.array(rows)

    return survival


def _summary(
    times: Floats,
    statistic: Callable[[NDArray[np.intp]], Floats],
    strata: NDArray[np.intp],
    replicates: int,
    seed: int,
    conf_level: float,
) -> TurnbullSurvival:
    estimate = statistic(np.ones((1, strata.size), np.intp))[0]
    draws = bootstrap_draws(statistic, strata, replicates=replicates, seed=seed)
    found = [
        percentile_interval(column, float(value), conf_level=conf_level)
        for column, value in zip(draws.T, estimate, strict=True)
    ]
    std_error, low, high = np.array([[one.std_error, one.conf_low, one.conf_high] for one in found]).T
    return TurnbullSurvival(times, estimate, std_error, low, high)
