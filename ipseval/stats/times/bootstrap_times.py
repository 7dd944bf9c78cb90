"""Incidence and mean times of every bootstrap replicate at once, from counts of how often people were drawn.

People are put in order of their last day, those with an event before those censored on it, and each is a
step of the curve. The factors of tied people multiply to the factor of the tie (of d events among n at
risk: (1 - 1/n)(1 - 1/(n - 1)) ... = (n - d)/n), so that one person a step is exact, and all replicates go
through the same few steps over one matrix.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.bootstrap import count_weights
from ipseval.stats.strata import stratum_codes_of_arms
from ipseval.stats.times.cumulative_incidence import cause_codes
from ipseval.stats.times.risk_sets import Floats, Integers, durations


class TimeReplicates(NamedTuple):
    """What happens up to a horizon, one entry per replicate.

    ``incidence`` is the probability of the event by then, ``time_lost`` the mean time after the event (the
    area under the incidence), ``restricted_mean`` the mean time without any event, both in the unit of
    the durations. NaN where nobody drawn shows what happens up to the horizon.
    """

    incidence: Floats
    time_lost: Floats
    restricted_mean: Floats


def time_replicates(
    duration: ArrayLike, cause: ArrayLike, horizon: float, counts: NDArray[np.integer]
) -> TimeReplicates:
    """Return incidence, time lost and restricted mean of each bootstrap replicate of one arm.

    Parameters
    ----------
    duration : array of int or float, shape (n,)
        Time to the first event or to censoring, 0 or more.
    cause : array of int, shape (n,)
        0 censored, 1 event of interest, 2 competing event.
    horizon : float
        Above 0, in the unit of ``duration``.
    counts : array of int, shape (replicates, n)
        How often each person is drawn, from `ipseval.stats.bootstrap.count_weights`.

    Returns
    -------
    TimeReplicates
        For counts of one each what `cumulative_incidence`, `restricted_time_lost` and `restricted_mean` give,
        to rounding. A replicate whose longest record is censored before the horizon, where those two refuse,
        is NaN.

    Raises
    ------
    AnalysisError
        Missing or negative durations, a cause other than 0, 1 and 2, arrays that do not fit, a horizon that
        is not above 0.

    References
    ----------
    Efron (1981), Journal of the American Statistical Association 76:312-319 (censored data are drawn as
    whole records).

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    >>> found = time_replicates([30, 60, 60, 90], [1, 2, 0, 1], horizon=60, counts=counts)
    >>> found.incidence.tolist(), found.time_lost.tolist(), found.restricted_mean.tolist()
    ([0.25, 0.5], [7.5, 15.0], [52.5, 45.0])
    """
    exits, codes = durations(duration), cause_codes(cause)
    checks.same_length(duration=exits, cause=codes)
    if not horizon > 0:
        raise AnalysisError(f"horizon={horizon:g} is not above 0. Pass the end of the period in question.")
    if counts.ndim != 2 or counts.shape[1] != exits.size:
        raise AnalysisError(
            f"counts has shape {counts.shape} for {exits.size} people. Pass a column per person."
        )
    # Whoever is followed beyond the horizon is at risk throughout and nothing else.
    early = np.flatnonzero(exits <= horizon)
    order = early[np.lexsort((codes[early] == 0, exits[early]))]
    drawn = counts.T[order].astype(np.float64)
    beyond = counts.sum(axis=1) - drawn.sum(axis=0)
    found = _up_to_horizon(exits[order].astype(np.float64), codes[order], float(horizon), drawn, beyond)
    unseen = _unseen(exits[order] < horizon, codes[order], drawn, beyond)
    for values in found:
        values[unseen] = np.nan
    return found


def bootstrap_time_differences(
    active: tuple[ArrayLike, ArrayLike],
    reference: tuple[ArrayLike, ArrayLike],
    horizon: float,
    *,
    replicates: int = 2000,
    seed: int,
    strata: tuple[ArrayLike, ArrayLike] | None = None,
) -> TimeReplicates:
    """Return the differences of two arms in each bootstrap replicate, active minus reference.

    Parameters
    ----------
    active, reference : pair of arrays
        Durations and causes of either arm, as in `time_replicates`; people are drawn within their arm.
    horizon : float
        As in `time_replicates`.
    replicates, seed : int
        As in `ipseval.stats.bootstrap.count_weights`.
    strata : pair of array_like, optional
        The stratum of each person of either arm; people are then drawn within arm and stratum.

    Returns
    -------
    TimeReplicates
        To be read by `ipseval.stats.bootstrap.percentile_interval`.

    Raises
    ------
    AnalysisError
        As `time_replicates`.

    Examples
    --------
    >>> from ipseval.stats.bootstrap import percentile_interval
    >>> arms = ([30, 60, 75, 90], [1, 1, 1, 0]), ([40, 80, 90, 90], [1, 2, 0, 0])
    >>> draws = bootstrap_time_differences(*arms, horizon=90, seed=1)
    >>> interval = percentile_interval(draws.time_lost, estimate=26.25 - 12.5)
    >>> interval.conf_low < interval.estimate < interval.conf_high
    True
    """
    n1, n0 = (len(np.asarray(arm[0])) for arm in (active, reference))
    cells = np.repeat([1, 0], [n1, n0])
    if strata is not None:
        cells = cells + 2 * stratum_codes_of_arms(strata, n1, n0)
    chunks = []
    for counts in count_weights(cells, replicates, seed):
        of_active = time_replicates(*active, horizon, counts[:, :n1])
        of_reference = time_replicates(*reference, horizon, counts[:, n1:])
        chunks.append(np.subtract(of_active, of_reference))
    return TimeReplicates(*np.concatenate(chunks, axis=1))


def _up_to_horizon(
    time: Floats, codes: Integers, horizon: float, drawn: Floats, beyond: Floats
) -> TimeReplicates:
    """Return incidence and mean times from people in order, a row each, drawn in each column."""
    at_risk = np.cumsum(drawn[::-1], axis=0)[::-1] + beyond
    happens = np.flatnonzero(codes > 0)
    # Where nobody is at risk nobody was drawn either, and 0 / 1 says so.
    hazard = drawn[happens] / np.maximum(at_risk[happens], 1.0)
    event_free = np.ones((happens.size + 1, drawn.shape[1]))
    np.cumprod(1.0 - hazard, axis=0, out=event_free[1:])
    of_interest = np.flatnonzero(codes[happens] == 1)
    jumps = event_free[of_interest] * hazard[of_interest]
    days = time[happens]
    return TimeReplicates(
        incidence=jumps.sum(axis=0),
        time_lost=(horizon - days[of_interest]) @ jumps,
        restricted_mean=np.diff(days, prepend=0.0, append=horizon) @ event_free,
    )


def _unseen(
    is_before: NDArray[np.bool_], codes: Integers, drawn: Floats, beyond: Floats
) -> NDArray[np.bool_]:
    """Return which replicates end before the horizon with someone censored, who had had no event."""
    unseen: NDArray[np.bool_] = beyond + drawn[~is_before].sum(axis=0) == 0
    (columns,) = np.nonzero(unseen)
    last = len(codes) - 1 - np.argmax(drawn[::-1, columns] > 0, axis=0)
    unseen[columns] = codes[last] == 0
    return unseen
