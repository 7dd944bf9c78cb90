"""Exact inference on two proportions without conditioning on the number of events.

Each arm is binomial. A hypothesis fixes the difference of the proportions and leaves one of them open,
the nuisance; a p-value is the probability of the tables at least as extreme as the observed one, at the
nuisance that makes it largest. No approximation is left, and no conditioning that would make the test
more cautious than it has to be; the price is time, which grows with the product of the arms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.proportions import score_limits
from ipseval.stats.proportions.association import fisher_test
from ipseval.stats.tables import ALTERNATIVES, FloatArray, Interval, Tables, known_only, two_arm_tables

METHODS = ("barnard", "boschloo")

_MOST_TABLES = 1_000_000  # possible outcomes of two arms of a thousand: some twenty seconds an interval
_TIED = 1e-9  # statistics this close, relatively, are equal but for rounding
_COARSE = np.sin(np.linspace(0.0, np.pi / 2, 257)) ** 2  # dense at 0 and 1, where binomials are narrow
_FINE = np.linspace(0.0, 1.0, 11)
_NEAR = 0.9  # no peak is higher than a tenth above the points around it
_ZOOMS = 5  # each leaves a fifth: a maximum is flat, so its height is then exact
_STEPS = 200  # of a difference of 1, in the search for where a p-value first reaches its level
_CLEAR = 20  # steps without reaching it, after which nothing further out will
_HALVINGS = 30

Region = NDArray[np.bool_]
Test = Callable[[int, int, int, int], float]


def exact_unconditional_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x0: ArrayLike,
    n0: ArrayLike,
    *,
    method: str = "barnard",
    null: float = 0.0,
    alternative: str = "two_sided",
) -> FloatArray:
    """Exact unconditional p-value of a difference of two proportions, Barnard's by default.

    Parameters
    ----------
    x1, n1, x0, n0 : array_like of int
        People with the outcome and people in all, in the active (1) and the reference arm (0).
    method : str
        What makes a table extreme:

        - ``"barnard"`` (default), the score statistic, which at ``null=0`` is the pooled z;
        - ``"boschloo"``, Fisher's one-sided p-value; for ``null=0`` alone.
    null : float
        The difference, active minus reference, that is tested; a margin of non-inferiority, say.
    alternative : str
        ``"two_sided"``, ``"greater"`` (the difference is above ``null``) or ``"less"``. Two-sided,
        Barnard's takes statistics as large in size; Boschloo's is twice the smaller one-sided p-value.

    Returns
    -------
    array
        p-values; NaN where an arm is empty.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people; arms so large
        that there are more than a million possible tables.

    Notes
    -----
    The nuisance is searched on 257 points, dense at its ends, and every peak among them is followed
    until its height stands. At ``null=0`` agrees with SciPy's ``barnard_exact`` and ``boschloo_exact``,
    whose own search stops earlier and may find a lower peak.

    References
    ----------
    Suissa & Shuster (1985), Journal of the Royal Statistical Society A 148:317-327 (pooled z).
    Boschloo (1970), Statistica Neerlandica 24:1-9. Chan (1998), Statistics in Medicine 17:1403-1413
    (a difference other than 0).

    Examples
    --------
    >>> print(f"{exact_unconditional_test(7, 12, 2, 13):.4f}")
    0.0298
    """
    checks.one_of(method, METHODS, "method")
    checks.one_of(alternative, ALTERNATIVES, "alternative")
    if not -1 < null < 1:
        raise AnalysisError(f"null={null!r} is not a difference of proportions. Pass one between -1 and 1.")
    if method == "boschloo" and null != 0:
        raise AnalysisError(
            f"method='boschloo' tests no difference other than 0, not null={null!r}. Pass method='barnard'."
        )
    one_table = _boschloo if method == "boschloo" else _score_test(float(null))

    def p_value(a: int, m: int, b: int, n: int) -> tuple[float]:
        return (one_table(a, m, b, n, alternative),)

    (found,) = _each_table(p_value, two_arm_tables(x1, n1, x0, n0), 1)
    return found


def exact_difference_limits(t: Tables, conf_level: float) -> Interval:
    """Exact unconditional limits of a difference, for counts that are already checked.

    Each limit is the outermost difference that the one-sided test of the score statistic does not
    reject at half of alpha (Chan & Zhang 1999). The p-value jumps where tables change places, so it is
    looked at every 1/200 beyond the score limit, and its last crossing found by halving.
    """
    tail = (1 - conf_level) / 2

    def limits(x1: int, n1: int, x0: int, n0: int) -> tuple[float, float]:
        return _lower_limit(x1, n1, x0, n0, tail), -_lower_limit(x0, n0, x1, n1, tail)

    low, high = _each_table(limits, t, 2)
    return Interval(low, high)


def _each_table(
    function: Callable[[int, int, int, int], tuple[float, ...]], t: Tables, answers: int
) -> list[FloatArray]:
    """Apply a function of four counts to every different table; NaN where an arm is empty."""
    shape = np.shape(t.x1)
    rows = np.column_stack([np.ravel(part) for part in t]).astype(int)
    cells = int(((rows[:, 1] + 1) * (rows[:, 3] + 1)).max(initial=0))
    if cells > _MOST_TABLES:
        raise AnalysisError(
            f"The largest arms have {cells} possible tables, more than {_MOST_TABLES}. Pass "
            f"method='miettinen_nurminen' or association_test, to which exact answers come close there."
        )
    different, places = np.unique(rows, axis=0, return_inverse=True)
    nothing = (np.nan,) * answers
    found = [function(*row) if row[1] and row[3] else nothing for row in different.tolist()]
    columns = np.array(found, dtype=np.float64).reshape(len(different), answers)[places.ravel()]
    return [known_only(np.True_, columns[:, j].reshape(shape)) for j in range(answers)]


def _score_test(null: float) -> Callable[[int, int, int, int, str], float]:
    def p_value(x1: int, n1: int, x0: int, n0: int, alternative: str) -> float:
        statistic = _score_statistics(n1, n0, null)
        if alternative == "two_sided":
            statistic = np.abs(statistic)
        elif alternative == "less":
            statistic = -statistic
        return _largest_probability(_at_least(statistic, x1, x0), null)

    return p_value


def _boschloo(x1: int, n1: int, x0: int, n0: int, alternative: str) -> float:
    if alternative == "two_sided":
        return min(1.0, 2 * min(_boschloo(x1, n1, x0, n0, side) for side in ALTERNATIVES[1:]))
    p_value = fisher_test(np.arange(n1 + 1)[:, None], n1, np.arange(n0 + 1), n0, alternative=alternative)
    return _largest_probability(_at_least(-np.log(p_value), x1, x0), 0.0)


def _score_statistics(n1: int, n0: int, difference: float) -> FloatArray:
    """Score statistic of every possible table, active arm down and reference arm across."""
    t = two_arm_tables(np.arange(n1 + 1)[:, None], n1, np.arange(n0 + 1), n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return score_limits.difference_statistic(np.full(t.x1.shape, difference), t, 1.0)


def _at_least(statistic: FloatArray, x1: int, x0: int) -> Region:
    """Tables at least as extreme as the observed one, those that differ by rounding alone included."""
    observed = float(statistic[x1, x0])
    least = observed - _TIED * max(abs(observed), 1.0) if np.isfinite(observed) else observed
    return np.asarray(statistic >= least)


def _largest_probability(region: Region, difference: float, level: float | None = None) -> float:
    """Probability of some of the tables, at the nuisance proportion that makes it largest.

    Where only a ``level`` matters, peaks are followed no further than to tell which side of it they are.
    """
    inside = region.astype(np.float64)
    n1, n0 = (size - 1 for size in region.shape)

    def probability(p0: FloatArray) -> FloatArray:
        active, reference = _binomial(n1, np.clip(p0 + difference, 0, 1)), _binomial(n0, p0)
        return np.asarray(np.einsum("ij,ij->i", active @ inside, reference))

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    p0 = low + (high - low) * _COARSE
    value = probability(p0)
    if level is not None and not _NEAR * level <= value.max() < level:
        return float(value.max())
    beside = np.concatenate([[-1.0], value, [-1.0]])
    peaks = np.flatnonzero((value >= beside[:-2]) & (value >= beside[2:]))
    left, right = p0[np.maximum(peaks - 1, 0)], p0[np.minimum(peaks + 1, p0.size - 1)]
    rows, top = np.arange(peaks.size), float(value.max())
    for _ in range(_ZOOMS):
        fine = left[:, None] + (right - left)[:, None] * _FINE
        value = probability(fine.ravel()).reshape(fine.shape)
        best = value.argmax(axis=1)
        left, right = fine[rows, np.maximum(best - 1, 0)], fine[rows, np.minimum(best + 1, _FINE.size - 1)]
        top = max(top, float(value.max()))
    return min(top, 1.0)


def _binomial(n: int, p: FloatArray) -> FloatArray:
    """Probabilities of 0 to n events, a row for each proportion."""
    k, spread = np.arange(n + 1), _log_choices(n)
    return np.exp(spread + special.xlogy(k, p[:, None]) + special.xlog1py(n - k, -p[:, None]))


@lru_cache(maxsize=64)
def _log_choices(n: int) -> FloatArray:
    k = np.arange(n + 1)
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


@lru_cache(maxsize=1024)
def _lower_limit(x1: int, n1: int, x0: int, n0: int, tail: float) -> float:
    """Return the smallest difference that is not rejected against a larger one."""
    if (x1, x0) == (0, n0):
        return -1.0

    def is_kept(difference: float) -> bool:
        region = _at_least(_score_statistics(n1, n0, difference), x1, x0)
        return _largest_probability(region, difference, level=tail) >= tail

    step = _outermost_step(is_kept, int(np.floor(_score_limit(x1, n1, x0, n0, tail) * _STEPS)))
    low, high = (step - 1) / _STEPS, step / _STEPS
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_kept(middle) else (middle, high)
    return high


def _outermost_step(is_kept: Callable[[float], bool], start: int) -> int:
    """Return the first step from -1 upwards that is kept, looked for outwards and then inwards of a start."""
    last, step = None, start
    while step > -_STEPS and (start if last is None else last) - step <= _CLEAR:
        if is_kept(step / _STEPS):
            last = step
        step -= 1
    while last is None:
        start += 1
        last = start if is_kept(start / _STEPS) else None
    return last


def _score_limit(x1: int, n1: int, x0: int, n0: int, tail: float) -> float:
    t = two_arm_tables(x1, n1, x0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = score_limits.difference_limits(t, -float(special.ndtri(tail)), t.score_scale)
    return float(limits.low)
