"""Counts of two-arm tables, checked once, and the small tuples in which every estimate comes back.

Arm 1 is the active arm and arm 0 the reference; an effect is active minus, or over, reference.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ipseval import checks
from ipseval.errors import AnalysisError

FloatArray: TypeAlias = NDArray[np.float64]

#: What an exact test is against; "greater" is a higher proportion in the active arm.
ALTERNATIVES = ("two_sided", "greater", "less")


class Interval(NamedTuple):
    """Lower and upper confidence limit, one of each per table."""

    low: FloatArray
    high: FloatArray


class Difference(NamedTuple):
    """A difference in proportions (0.12 is 12 percentage points), its standard error and limits."""

    estimate: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray


class Ratio(NamedTuple):
    """A risk or odds ratio, the standard error of its logarithm, and limits of the ratio."""

    estimate: FloatArray
    log_std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray


class ChiSquare(NamedTuple):
    """A chi-square statistic, its degrees of freedom and its p-value."""

    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray


class Tables(NamedTuple):
    """Events ``x`` among people ``n`` in the active (1) and the reference arm (0), broadcast together."""

    x1: FloatArray
    n1: FloatArray
    x0: FloatArray
    n0: FloatArray

    @property
    def score_scale(self) -> FloatArray:
        """N / (N - 1), by which Miettinen and Nurminen multiply the variance of a score."""
        total = self.n1 + self.n0
        return total / (total - 1)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether both arms hold people, so that both proportions exist."""
        return (self.n1 > 0) & (self.n0 > 0)


def binomial_counts(
    x: ArrayLike, n: ArrayLike, x_name: str = "x", n_name: str = "n"
) -> tuple[FloatArray, ...]:
    """Return events and denominators as floats of one shape, or refuse what cannot be a proportion."""
    events, people = checks.count_array(x, x_name), checks.count_array(n, n_name)
    try:
        events, people = np.broadcast_arrays(events, people)
    except ValueError:
        raise AnalysisError(
            f"{x_name} {events.shape} and {n_name} {people.shape} do not match in shape. "
            f"Pass one count per table to each."
        ) from None
    wrong = int((events > people).sum())
    if wrong:
        raise AnalysisError(
            f"{x_name} exceeds {n_name} in {wrong} of {events.size} tables. "
            f"Pass the number with the outcome first, then the number of people."
        )
    return events, people


def two_arm_tables(x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike) -> Tables:
    """Check the counts of both arms and broadcast them to one shape."""
    active, reference = binomial_counts(x1, n1, "x1", "n1"), binomial_counts(x0, n0, "x0", "n0")
    try:
        return Tables(*np.broadcast_arrays(*active, *reference))
    except ValueError:
        raise AnalysisError(
            f"The arms hold {active[0].shape} and {reference[0].shape} tables. "
            f"Pass one count per table to each arm."
        ) from None


def normal_quantile(conf_level: float) -> float:
    """Return the standard normal quantile of a two-sided interval: 1.96 for 0.95."""
    return -float(special.ndtri((1.0 - checks.confidence(conf_level)) / 2.0))


def chi_square_p_value(statistic: FloatArray, df: FloatArray | float = 1.0) -> FloatArray:
    """Return the upper tail probability of a chi-square statistic."""
    return np.asarray(special.chdtrc(df, statistic), dtype=np.float64)[()]


def known_only(known: NDArray[np.bool_] | np.bool_, values: FloatArray) -> FloatArray:
    """Return ``values`` where something is known and NaN elsewhere; 0-d becomes a plain number."""
    return np.asarray(np.where(known, values, np.nan), dtype=np.float64)[()]
