"""How soon did people find a job, where nobody knows the day: it began between two interviews."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints.base import Endpoint
from ipseval.endpoints.study_days import anniversary_day, dates_of, randomised_on
from ipseval.errors import AnalysisError, DataError
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.estimate.times.hazard_rows import ratio_row
from ipseval.estimate.times.hazards import DEATH_CENSORS
from ipseval.estimate.times.time_contrasts import (
    ZERO_WITHOUT_JOB,
    first_horizon,
    is_time_since,
    say_also,
    say_of_the_lost,
)
from ipseval.results import Declaration, Results
from ipseval.results.setting import part_of, setting
from ipseval.stats.times.cox import cox
from ipseval.stats.times.imputed_times import imputed_event_time
from ipseval.stats.times.interval_censoring import TurnbullSurvival, turnbull_bootstrap, turnbull_difference
from ipseval.stats.times.log_rank import log_rank
from ipseval.stats.times.restricted_mean import restricted_mean_difference, restricted_time_lost
from ipseval.trial import Trial

Floats = NDArray[np.float64]

DECLARATION = Declaration(
    name="interview_survival",
    outcomes=("time",),
    quantities=(
        "cumulative_incidence",
        "cumulative_incidence_difference",
        "restricted_mean_time_lost",
        "restricted_mean_time_lost_difference",
        "log_rank_test",
        "hazard_ratio",
    ),
    section="survival",
    options={"conf_level": checks.confidence},
)

FROM_INTERVIEWS = words.text("note.from_interviews")
DEAD_WITHOUT_JOB = words.text("note.dead_without_job")
DAY_TAKEN_AS_KNOWN = words.text("note.day_taken_as_known")

#: How a setting says it -> where between two interviews the job is taken to have begun.
BEGAN = {"early": 0.0, "middle": 0.5, "late": 1.0}
MAIN = "middle"
#: A difference of two sums of masses that is smaller than this is none.
_ROUNDING = 1e-12


class Interviewed(NamedTuple):
    """When a job was first reported, an entry per person: in the month of one interview, by its day.

    The job began after ``left`` and by ``right`` (missing: never reported, and ``left`` is the last
    interview without one), in planned months and again in study days. ``died`` is the last planned
    interview before somebody died without a reported job, and ``died_day`` the day; else missing.
    """

    left: Floats
    right: Floats
    left_day: Floats
    right_day: Floats
    died: Floats
    died_day: Floats
    stratum: Floats

    def of(self, members: NDArray[np.bool_]) -> Interviewed:
        """Return some of the people."""
        return Interviewed(*(column[members] for column in self))

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said of these people wherever they are counted."""
        return (DEAD_WITHOUT_JOB,) if (~np.isnan(self.died)).any() else ()

    def base(self, month: float) -> dict[str, int]:
        """Return people, those with a job reported by a month, and those lost to interviews so far."""
        seen = self.right <= month
        lost = ~seen & ~(self.right > month) & (self.left < month) & np.isnan(self.died)
        return {"n": self.left.size, "n_event": int(seen.sum()), "n_missing": int(lost.sum())}

    def intervals(self, end: float) -> tuple[Floats, Floats]:
        """Return what is known of everyone as one interval on an axis that holds jobs and deaths.

        Jobs lie on 0 to ``end``, deaths beyond it and in reverse: one in month m at 2 (end + 1) - m. All
        that may yet happen to somebody alive without a job in month m, a later job or a later death, is
        then the interval from m to 2 (end + 1) - m, so that Turnbull's estimate of the jobs is the one of
        maximum likelihood with death competing (Hudgens, Satten and Longini 2001).
        """
        mirror, dead = 2 * (end + 1), ~np.isnan(self.died)
        left = np.where(dead, mirror - self.died, self.left)
        right = np.where(np.isnan(self.right), mirror - self.left, self.right)
        return left, np.where(dead, mirror - self.died, right)

    def times(self, began: str) -> tuple[Floats, NDArray[np.int64]]:
        """Return days, and what happened on them: 0 lost, 1 a job, begun where asked, 2 death."""
        days, has_job = imputed_event_time(self.left_day, self.right_day, fraction=BEGAN[began])
        dead = ~np.isnan(self.died_day)
        return np.where(dead, self.died_day, days), np.select([has_job, dead], [1, 2], 0)


#: The active arm and the reference arm of a contrast.
Pair = tuple[Interviewed, Interviewed]


def interview_survival(
    trial: Trial,
    endpoint: Endpoint,
    *,
    replicates: int = 1000,
    seed: int = 20240601,
    conf_level: float = 0.95,
    name: str = "interview_survival",
) -> Results:
    """Cumulative incidence of a first job as interviews tell it, and how much the unknown days matter.

    Reads ``visits``: whether somebody was in work on the day of each interview. A job that began and ended
    between two of them is not seen, and of the others only the interval in which they began is known.

    Parameters
    ----------
    trial : Trial
        With ``visits``; ``jobs`` are not looked at.
    endpoint : Endpoint
        ``ips.time_to_first_job(horizon=30)``; interviews planned up to its horizon count.
    replicates, seed : int
        Of the bootstrap, people drawn within their arm.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        At every planned interview Turnbull's estimate per arm and its difference, with bootstrap percentile
        intervals; it uses the planned month and no day. Then, side by side with ``setting`` ``began=early``,
        ``middle`` (main) and ``late``, with the job begun right after the last interview without one, half
        way, or on the day it was reported: mean time since the event with its difference, log-rank test and
        hazard ratio, both stratified as randomised (main) and not. If these tell one story, the unknown
        days do not matter to the answer; their intervals take the day as known.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a time to a first job, or one without interviews up to its horizon.
    DataError
        For a trial without visits, or visits without ``employed``.

    Notes
    -----
    Somebody already in work at baseline counts once seen without a job. Interviews after the day of the
    horizon, but planned within it, count as held on its last day.

    Death before the horizon competes with the job: whoever died without a reported one had none by the
    horizon, on the assumption, which rows state, that none began between the last interview and death. In
    the log-rank test and the Cox model the dead leave on the day they die. The lost, whom alone ``n_missing``
    counts, are censored at their last interview, which assumes that leaving says nothing about finding work.

    References
    ----------
    Turnbull (1976), Journal of the Royal Statistical Society B 38:290-295; Hudgens, Satten & Longini (2001),
    Biometrics 57:74-80 (competing events).

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.interview_survival(
    ...     ips.example("scion"), ips.time_to_first_job(horizon=30), replicates=100
    ... )
    >>> row = found.one(quantity="cumulative_incidence", method="turnbull", time=18, arm="IPS")
    >>> bool(0.1 < row.estimate < 0.6)
    True
    """
    if endpoint.name != "time_to_first_job":
        raise AnalysisError(
            f"Interviews tell of a first job, not of {endpoint.name}. Use ips.time_to_first_job(horizon=30)."
        )
    horizon = endpoint.months[-1]
    arguments = {"replicates": checks.whole_number(replicates, "replicates", low=100, high=1_000_000)}
    arguments["seed"] = checks.whole_number(seed, "seed", low=0, high=2**63 - 1)
    level = checks.confidence(conf_level)
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, level, seed)
    sheet.covariates = ()
    strata = trial.design.strata
    for quantity in ("restricted_mean_time_lost", "restricted_mean_time_lost_difference"):
        sheet.main("imputed_day", setting(began=MAIN), quantity)
    for quantity in ("log_rank_test", "hazard_ratio"):
        sheet.main("", setting(strata=strata, began=MAIN), quantity)
    months, told = interviewed(trial, horizon)
    arm = np.asarray(trial.arm)
    arms = {label: told.of(arm == label) for label in trial.design.arms}
    for label, people in arms.items():
        _incidences(sheet, {"arm": label}, (people,), months)
        for began in BEGAN:
            _mean_of_arm(sheet, label, people, horizon, began)
    for active, reference in trial.design.comparisons:
        pair = (arms[active], arms[reference])
        keys = {"contrast": contrast_label(active, reference)}
        _incidences(sheet, keys, pair, months)
        for began in BEGAN:
            _means_compared(sheet, keys, pair, horizon, began)
            for within in dict.fromkeys(((), strata)):
                _hazards_compared(sheet, keys, pair, horizon, began, within)
    say_also(sheet, ZERO_WITHOUT_JOB, is_time_since)
    say_of_the_lost(sheet)
    say_also(sheet, DAY_TAKEN_AS_KNOWN, lambda row: bool(part_of(row.get("setting") or "", "began")))
    return sheet.results()


def interviewed(trial: Trial, horizon: float) -> tuple[list[float], Interviewed]:
    """Return the months of the interviews up to a horizon, and between which of them a job began."""
    visits = trial.table("visits")
    if "employed" not in visits:
        raise DataError("visits has no column 'employed'. Map it in trial.toml, blank where unknown.")
    asked = visits["employed"].notna() & (visits["visit_month"] <= horizon)
    visits = visits.loc[asked.to_numpy(dtype=bool)]
    months = sorted({float(month) for month in visits["visit_month"] if month > 0})
    if not months:
        raise AnalysisError(
            f"No interview up to month {horizon:g} says whether people were in work. Raise the horizon."
        )
    n, cut = len(trial), trial.design.horizon_day(horizon)
    left, left_day = np.zeros(n), np.zeros(n)
    right, right_day = np.full(n, np.nan), np.full(n, np.nan)
    in_work = np.zeros(n, dtype=bool)
    for month in [0.0, *months]:
        rows = visits.loc[(visits["visit_month"] == month).to_numpy(dtype=bool)]
        person = trial.index_of(rows["participant_id"])
        answer = np.full(n, np.nan)
        answer[person] = rows["employed"].to_numpy(dtype=np.float64)
        if month == 0:
            in_work = answer == 1
            continue
        # Held after the horizon though planned within it: it speaks of the horizon.
        day = np.minimum(_days(trial, month, rows, person), cut - 1)
        open_still = np.isnan(right)
        reported = open_still & (answer == 1) & ~in_work
        without = open_still & (answer == 0)
        right[reported], right_day[reported] = month, np.maximum(day, left_day)[reported]
        left[without] = month
        left_day[without] = np.maximum(cut if month == horizon else day, left_day)[without]
        in_work &= answer != 0
    dead = trial.died & (trial.followed_days < cut) & np.isnan(right) & (left < horizon)
    passed = np.max([left, *(_passed(trial, month) for month in months)], axis=0)
    died, died_day = np.where(dead, [passed, np.maximum(trial.followed_days, left_day)], np.nan)
    stratum = trial.stratum(trial.design.strata).to_numpy(dtype=np.float64)
    return months, Interviewed(left, right, left_day, right_day, died, died_day, stratum)


def _passed(trial: Trial, month: float) -> Floats:
    """Return the month for those followed beyond the day on which its interview was planned, else 0."""
    return np.where(trial.followed_days >= anniversary_day(trial, month), month, 0.0)


def _days(trial: Trial, month: float, visits: pd.DataFrame, person: NDArray[np.int64]) -> Floats:
    """Return the study day of everyone's interview; the planned one where the date is blank."""
    day = anniversary_day(trial, month).astype(np.float64)
    if "visited_on" not in visits:
        return day
    held = dates_of(visits["visited_on"])
    known = ~np.isnat(held)
    day[person[known]] = (held - randomised_on(trial)[person])[known].astype(np.float64)
    return day


def _incidences(
    sheet: Sheet, keys: dict[str, str], arms: tuple[Interviewed, ...], months: list[float]
) -> None:
    """Write Turnbull's incidence at every interview of one arm, or its difference between two."""
    quantity = "cumulative_incidence" if len(arms) == 1 else "cumulative_incidence_difference"
    said = remarks(FROM_INTERVIEWS, *(note for people in arms for note in people.notes))
    keys = {**keys, "term": "event", "time_unit": "months", "method": "turnbull", **said}
    asked = {**sheet.arguments, "conf_level": sheet.conf_level}
    with sheet.attempt(quantity, **keys):
        ends = [people.intervals(months[-1]) for people in arms]
        found: TurnbullSurvival = (
            turnbull_bootstrap(*ends[0], months, **asked)
            if len(arms) == 1
            else turnbull_difference(ends[0], ends[1], months, **asked)
        )
        free = 1.0 if len(arms) == 1 else 0.0
        estimate, high, low = (_without_rounding(free - found[at]) for at in (1, 3, 4))
        for at, month in enumerate(months):
            counts = [people.base(month) for people in arms]
            sheet.add(
                quantity,
                estimate=estimate[at],
                std_error=found.std_error[at],
                conf_low=low[at],
                conf_high=high[at],
                time_from=0.0,
                time=month,
                unit="proportion",
                **keys,
                **{name: sum(count[name] for count in counts) for name in counts[0]},
            )


def _without_rounding(value: Floats) -> Floats:
    return np.where(np.abs(value) < _ROUNDING, 0.0, value)


def _mean_of_arm(sheet: Sheet, arm: str, people: Interviewed, horizon: float, began: str) -> None:
    """Write the mean time since the job began, if it began where the setting says, death competing."""
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"arm": arm, **_up_to(horizon), "unit": "days", "method": "imputed_day"}
    keys |= {"setting": setting(began=began), **remarks(*people.notes)}
    with sheet.attempt("restricted_mean_time_lost", **keys):
        lost = restricted_time_lost(*people.times(began), cut, conf_level=sheet.conf_level)
        sheet.add("restricted_mean_time_lost", **first_horizon(lost), **keys, **people.base(horizon))


def _both(pair: Pair, horizon: float) -> dict[str, int]:
    counts = [people.base(horizon) for people in pair]
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def _means_compared(sheet: Sheet, keys: dict[str, str], pair: Pair, horizon: float, began: str) -> None:
    """Write the difference of the mean times since the job began, if it began where the setting says."""
    cut = sheet.trial.design.horizon_day(horizon)
    quantity = "restricted_mean_time_lost_difference"
    rows = {**keys, **_up_to(horizon), **_both(pair, horizon), "method": "imputed_day"}
    rows |= {"setting": setting(began=began), **remarks(*(note for people in pair for note in people.notes))}
    with sheet.attempt(quantity, **rows):
        lost = [restricted_time_lost(*people.times(began), cut) for people in pair]
        found = first_horizon(restricted_mean_difference(*lost, conf_level=sheet.conf_level))
        sheet.add(quantity, unit="days", **found, **rows)


def _hazards_compared(
    sheet: Sheet, keys: dict[str, str], pair: Pair, horizon: float, began: str, strata: tuple[str, ...]
) -> None:
    """Write test and hazard ratio among the living, if jobs began where the setting says."""
    times = [people.times(began) for people in pair]
    days, cause = (np.concatenate(column) for column in zip(*times, strict=True))
    event, active = cause == 1, np.repeat([1, 0], [people.left.size for people in pair])
    within = np.concatenate([people.stratum for people in pair]) if strata else None
    rows = {**keys, **_up_to(horizon), **_both(pair, horizon)}
    rows |= {"setting": setting(strata=strata, began=began)}
    rows |= remarks(DEATH_CENSORS if (cause == 2).any() else "")
    with sheet.attempt("log_rank_test", method="log_rank", **rows):
        test = log_rank(days, event, active, strata=within)
        numbers = {"statistic": test.statistic, "df": float(test.df), "p_value": test.p_value}
        sheet.add("log_rank_test", method="log_rank", **numbers, **rows)
    with sheet.attempt("hazard_ratio", method="cox_efron", **rows):
        fit = cox(days, event, active, strata=within)
        sheet.add("hazard_ratio", method="cox_efron", **ratio_row(sheet, fit), **rows)


def _up_to(horizon: float) -> dict[str, object]:
    return {"term": "event", "time_from": 0.0, "time": horizon, "time_unit": "months"}
