"""Confidence limits for one proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ipseval import checks
from ipseval.stats.roots import decreasing_root
from ipseval.stats.tables import FloatArray, Interval, binomial_counts, known_only, normal_quantile


def proportion_interval(
    x: ArrayLike, n: ArrayLike, *, method: str = "wilson", conf_level: float = 0.95
) -> Interval:
    """Confidence limits for a proportion, by Wilson's score method unless another is asked for.

    Parameters
    ----------
    x, n : array_like of int
        People with the outcome, and people in all; broadcast against each other.
    method : str
        - ``"wilson"`` (default: mean coverage close to nominal at every n and p);
        - ``"wilson_cc"``, with continuity correction; the limit is 0 at ``x = 0``, 1 at ``x = n``;
        - ``"clopper_pearson"``, exact, never below nominal coverage;
        - ``"mid_p"``, the same tails counting half the probability of the observed ``x``;
        - ``"jeffreys"``, equal-tailed Beta(1/2, 1/2) posterior; the limit is 0 at ``x = 0``, 1 at ``x = n``;
        - ``"agresti_coull"`` and ``"wald"``, which may leave [0, 1] and are not truncated.
    conf_level : float
        Two-sided confidence level.

    Returns
    -------
    Interval
        ``low`` and ``high`` as proportions; NaN where ``n`` is 0.

    Raises
    ------
    AnalysisError
        Counts that are missing, negative, fractional, or more events than people.

    Notes
    -----
    Where software differs: at the edges the Jeffreys quantiles leave out the estimate itself, so that Brown,
    Cai & DasGupta put 0 and 1 in their place, as is done here and by R's biostatUZH. The plain
    quantiles (R's ``qbeta``, ``proportion_confint`` of statsmodels 0.15) begin at 7e-06 for 0 of 70.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:857-872, methods 1, 3, 4, 5 and 6.
    Brown, Cai & DasGupta (2001), Statistical Science 16:101-133, sections 3 and 4.

    Examples
    --------
    >>> low, high = proportion_interval(31, 70)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.332 to 0.559
    """
    checks.one_of(method, _METHODS, "method")
    z = normal_quantile(conf_level)
    events, people = binomial_counts(x, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _METHODS[method](events, people, z)
    return Interval(known_only(people > 0, low), known_only(people > 0, high))


def wilson(x: FloatArray, n: FloatArray, z: FloatArray | float) -> Interval:
    """Wilson score limits for counts that are already checked; exactly 0 and 1 at the edges."""
    centre = (x + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
    return Interval(np.where(x == 0, 0.0, centre - half), np.where(x == n, 1.0, centre + half))


def wilson_cc(x: FloatArray, n: FloatArray, z: float) -> Interval:
    """Wilson score limits with continuity correction (Newcombe's method 4)."""
    p = x / n
    below = z * np.sqrt(np.maximum(z**2 - 2 - 1 / n + 4 * p * (n - x + 1), 0.0))
    above = z * np.sqrt(np.maximum(z**2 + 2 - 1 / n + 4 * p * (n - x - 1), 0.0))
    low = (2 * x + z**2 - 1 - below) / (2 * (n + z**2))
    high = (2 * x + z**2 + 1 + above) / (2 * (n + z**2))
    return Interval(np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high))


def _wald(x: FloatArray, n: FloatArray, z: float) -> Interval:
    p = x / n
    half = z * np.sqrt(p * (1 - p) / n)
    return Interval(p - half, p + half)


def _agresti_coull(x: FloatArray, n: FloatArray, z: float) -> Interval:
    return _wald(x + z**2 / 2, n + z**2, z)


def _clopper_pearson(x: FloatArray, n: FloatArray, z: float) -> Interval:
    tail = float(special.ndtr(-z))
    low = np.where(x == 0, 0.0, special.betaincinv(np.maximum(x, 1), n - x + 1, tail))
    high = np.where(x == n, 1.0, special.betainccinv(x + 1, np.maximum(n - x, 1), tail))
    return Interval(low, high)


def _jeffreys(x: FloatArray, n: FloatArray, z: float) -> Interval:
    tail = float(special.ndtr(-z))
    a, b = x + 0.5, n - x + 0.5
    # At an edge the quantile would leave the estimate itself outside, and coverage near 0 and 1 falls to 0.
    low = np.where(x == 0, 0.0, special.betaincinv(a, b, tail))
    return Interval(low, np.where(x == n, 1.0, special.betainccinv(a, b, tail)))


def _mid_p(x: FloatArray, n: FloatArray, z: float) -> Interval:
    """Solve P(X > x) + P(X = x) / 2 = tail; the upper limit is the mirror image of the lower one."""
    return Interval(_mid_p_low(x, n, z), 1 - _mid_p_low(n - x, n, z))


def _mid_p_low(x: FloatArray, n: FloatArray, z: float) -> FloatArray:
    tail = float(special.ndtr(-z))
    exact_low, exact_high = _clopper_pearson(x, n, z)

    def excess(p: FloatArray) -> FloatArray:
        at_least = special.betainc(np.maximum(x, 1), n - x + 1, p)
        more = np.where(x == n, 0.0, special.betainc(x + 1, np.maximum(n - x, 1), p))
        value: FloatArray = np.log(2 * tail) - np.log(at_least + more)
        return value

    return np.where(x == 0, 0.0, decreasing_root(excess, exact_low, exact_high))


_METHODS = {
    "wilson": wilson,
    "wilson_cc": wilson_cc,
    "clopper_pearson": _clopper_pearson,
    "mid_p": _mid_p,
    "jeffreys": _jeffreys,
    "agresti_coull": _agresti_coull,
    "wald": _wald,
}
