"""Interval-censored event times made into days: the event at a stated place of its interval.

A convention and no estimate: what an answer owes to it is seen by putting the event elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval.errors import AnalysisError
from ipseval.stats.times.interval_censoring import interval_ends
from ipseval.stats.times.risk_sets import Floats


def imputed_event_time(
    left: ArrayLike, right: ArrayLike, *, fraction: float = 0.5
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return durations and event indicators with the event at a fraction of its interval.

    0 is the last interview before the event, 0.5 the middle, 1 the first interview at or after it. The
    last is what is recorded when the day of the interview is taken for the day of the event.

    Examples
    --------
    >>> duration, event = imputed_event_time([0, 180, 360], [180, 360, np.nan])
    >>> duration.tolist(), event.tolist()
    ([90.0, 270.0, 360.0], [True, True, False])
    """
    if not 0 <= fraction <= 1:
        raise AnalysisError(f"fraction={fraction!r} is not between 0 (left end) and 1 (right end).")
    low, high = interval_ends(left, right)
    seen = np.isfinite(high)
    return np.where(seen, (1 - fraction) * low + fraction * np.where(seen, high, 0.0), low), seen


def event_time_sensitivity(
    statistic: Callable[[Floats, NDArray[np.bool_]], ArrayLike],
    left: ArrayLike,
    right: ArrayLike,
    *,
    fractions: Sequence[float] = (0.0, 0.5, 1.0),
) -> Floats:
    """Return a statistic with the event at the left end, the middle and the right end of its interval.

    Parameters
    ----------
    statistic : callable
        Takes durations and event indicators, in the order of ``left``, and returns one or more numbers.
    left, right
        As in `ipseval.stats.times.interval_censoring.turnbull`.
    fractions : sequence of float
        As in `imputed_event_time`.

    Returns
    -------
    array of float, shape (fractions,) or (fractions, numbers)
        If they tell one story, where in the interval the job began does not matter to the answer.

    Examples
    --------
    >>> from ipseval.stats.times.restricted_mean import restricted_mean
    >>> def mean(duration, event):
    ...     return restricted_mean(duration, event, 360).estimate[0]
    >>> event_time_sensitivity(mean, [0, 180, 360], [180, 360, np.nan]).round(6).tolist()
    [180.0, 240.0, 300.0]
    """
    return np.array([statistic(*imputed_event_time(left, right, fraction=place)) for place in fractions])
