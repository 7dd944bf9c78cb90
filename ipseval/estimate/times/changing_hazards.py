"""Does the hazard ratio change: one for each period, or one that moves with the logarithm of time?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from scipy import special

from ipseval.endpoints.base import months_of
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import called_by
from ipseval.estimate.sheet import Sheet
from ipseval.estimate.times.arm_times import ArmTimes, Codes
from ipseval.estimate.times.hazard_rows import ratio_of, ratio_row
from ipseval.stats.times.time_varying import cox_by_period, cox_log_time

LOG_TIME: Literal["log_time"] = "log_time"
#: What the columns of a model in which the hazard ratio moves hold.
_WITH_TIME = ("the active arm", "the active arm by the logarithm of time")

EffectBy = tuple[float, ...] | Literal["log_time"]


def effect_by_of(given: float | Iterable[float] | str) -> EffectBy:
    """Return the months at which the effect may change, or "log_time"; refuse anything else."""
    if given == LOG_TIME:
        return LOG_TIME
    if isinstance(given, str):
        raise AnalysisError(
            f"effect_by={given!r} is not an option. Write effect_by=[6], or effect_by='log_time'."
        )
    return months_of(given, "effect_by")


def cuts_within(effect_by: EffectBy, horizon: float) -> EffectBy:
    """Return the months that end one period and begin the next: those given, without 0 and the horizon."""
    if effect_by == LOG_TIME:
        return LOG_TIME
    inner = tuple(month for month in effect_by if month not in (0.0, horizon))
    if not inner or any(month > horizon for month in inner):
        raise AnalysisError(
            f"effect_by={list(effect_by)} has no month inside the endpoint's horizon of {horizon:g} months, "
            f"or one beyond it. Write effect_by=[6] for the first six months and what follows."
        )
    return inner


def changing_hazards(
    sheet: Sheet,
    effect_by: EffectBy,
    people: ArmTimes,
    active: Codes,
    keys: dict[str, Any],
    *,
    horizon: float,
    months: list[float],
) -> None:
    """Write the hazard ratios of a model in which they may change, and the test that they do not.

    ``keys`` are those of the whole of follow-up; ``months`` are where a ratio that moves is read.
    """
    strata = people.stratum if keys["setting"] else None
    if effect_by == LOG_TIME:
        _with_log_time(sheet, people, active, strata, keys, months)
    else:
        _by_period(sheet, effect_by, people, active, strata, keys, horizon)


def _by_period(
    sheet: Sheet,
    cuts: tuple[float, ...],
    people: ArmTimes,
    active: Codes,
    strata: Codes | None,
    keys: dict[str, Any],
    horizon: float,
) -> None:
    design, event = sheet.trial.design, people.cause == 1
    keys = {**keys, "method": "cox_by_period"}
    with sheet.attempt("hazard_ratio", "proportional_hazards_test", **keys):
        # Below day h(k) is within k months: the cut is the day before it.
        days = [design.horizon_day(month) - 1 for month in cuts]
        if beyond := [
            f"{month:g}" for month, day in zip(cuts, days, strict=True) if day >= people.days.max()
        ]:
            raise AnalysisError(
                f"Nobody is left at risk after month {beyond[0]}, so that no hazard ratio can be seen there. "
                f"Leave {', '.join(beyond)} out of effect_by=."
            )
        found = cox_by_period(people.days, event, active, days, strata=strata, entry=people.late)
        periods = zip((0.0, *cuts), (*cuts, horizon), found.fits, found.reasons, strict=True)
        for begin, end, fit, reason in periods:
            row = {**keys, "time_from": begin, "time": end}
            if fit is None:
                row |= {"n": None, "n_event": None, "n_missing": None, "note": sheet.in_words(reason, keys)}
                sheet.add("hazard_ratio", **row)
                continue
            first, after = design.horizon_day(begin), design.horizon_day(end)
            lost = (people.cause == 0) & (first <= people.days) & (people.days < after)
            row |= {"n": fit.n, "n_event": fit.n_event, "n_missing": int(lost.sum())}
            with sheet.attempt("hazard_ratio", **row):
                sheet.add("hazard_ratio", **ratio_row(sheet, fit), **row)
        sheet.add("proportional_hazards_test", **found.same_effect._asdict(), **keys)


def _with_log_time(
    sheet: Sheet,
    people: ArmTimes,
    active: Codes,
    strata: Codes | None,
    keys: dict[str, Any],
    months: list[float],
) -> None:
    keys = {**keys, "method": "cox_log_time"}
    with sheet.attempt("hazard_ratio", "proportional_hazards_test", **keys):
        try:
            fit = cox_log_time(people.days, people.cause == 1, active, strata=strata, entry=people.late)
        except AnalysisError as refusal:
            raise type(refusal)(called_by(_WITH_TIME, str(refusal))) from None
        if not fit.converged:
            raise AnalysisError(called_by(_WITH_TIME, fit.reason))
        for month in months:
            at = np.array([1.0, np.log(sheet.trial.design.horizon_day(month))])
            value, std_error = float(at @ fit.coef), float(np.sqrt(at @ fit.covariance @ at))
            row = {**keys, "time_from": month, "time": month}
            sheet.add("hazard_ratio", **ratio_of(sheet, value, std_error), **row)
        wald = float(fit.coef[1] / fit.std_error[1]) ** 2
        test = {"statistic": wald, "df": 1.0, "p_value": float(special.chdtrc(1, wald))}
        sheet.add("proportional_hazards_test", **test, **keys)
