"""Mean times up to a horizon, of each arm and between arms: since the event, and alive without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipseval import words
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.estimate.design_matrix import with_labels
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.estimate.times.arm_times import ArmTimes, Pair, apart, both, together
from ipseval.estimate.times.time_contrasts import first_horizon
from ipseval.stats.regression.linear_adjustment import ancova
from ipseval.stats.times.pseudo_values import time_lost_pseudo_values
from ipseval.stats.times.restricted_mean import (
    RestrictedMean,
    RestrictedMeanContrast,
    restricted_mean,
    restricted_mean_difference,
    restricted_mean_ratio,
    restricted_time_lost,
)

DEATH_ENDS_IT = words.text("note.death_ends_it")

Contrast = Callable[..., RestrictedMeanContrast]
#: What follows the name of a mean in the name of its contrast -> the contrast and its unit.
CONTRASTS: dict[str, tuple[Contrast, str]] = {
    "difference": (restricted_mean_difference, "days"),
    "ratio": (restricted_mean_ratio, "ratio"),
}
SINCE: dict[str, str] = {"term": "event", "method": "aalen_johansen"}
ALIVE_WITHOUT: dict[str, str] = {"method": "kaplan_meier", **remarks(DEATH_ENDS_IT)}


def arm_restricted_means(sheet: Sheet, arm: str, data: ArmTimes, horizons: list[float]) -> None:
    """Write the mean time since the event, and alive without it, of one arm up to each horizon."""
    for horizon in horizons:
        cut = sheet.trial.design.horizon_day(horizon)
        keys = {"arm": arm, **_up_to(horizon), "unit": "days"}
        for quantity, (mean, said) in _MEANS.items():
            with sheet.attempt(quantity, **{**keys, **said}):
                found = first_horizon(mean(data, cut, sheet.conf_level))
                sheet.add(quantity, **found, **keys, **said, **data.base(cut))


def restricted_mean_contrasts(
    sheet: Sheet, label: str, pair: Pair, horizons: list[float], adjust: tuple[str, ...]
) -> None:
    """Write differences and ratios of the mean times of two arms up to each horizon."""
    sheet.main(SINCE["method"], "", "restricted_mean_time_lost_difference")
    for horizon in horizons:
        cut = sheet.trial.design.horizon_day(horizon)
        for quantity, (mean, said) in _MEANS.items():
            keys = {"contrast": label, **_up_to(horizon), **said}
            names = {f"{quantity}_{contrast}": how for contrast, how in CONTRASTS.items()}
            with sheet.attempt(*names, **keys):
                if note := apart(pair):
                    raise NotDefinedError(note)
                means = [mean(data, cut, sheet.conf_level) for data in pair]
                for name, (contrast, unit) in names.items():
                    found = first_horizon(contrast(*means, conf_level=sheet.conf_level))
                    sheet.add(name, unit=unit, **found, **keys, **both(pair, cut))
        if adjust:
            _adjusted(sheet, label, pair, horizon, adjust)


def _adjusted(sheet: Sheet, label: str, pair: Pair, horizon: float, adjust: tuple[str, ...]) -> None:
    """Write the difference of the mean times since the event among people alike in the covariates.

    Pseudo-values are taken within each arm, so that drop-out may differ between the arms.
    """
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"contrast": label, **_up_to(horizon), "term": "event", "unit": "days"}
    keys |= {"method": "pseudo_values_ancova", "setting": f"adjust={'+'.join(adjust)}"}
    with sheet.attempt("restricted_mean_time_lost_difference", **keys):
        people, active = together(pair)
        people.refuse_late()
        values = time_lost_pseudo_values(people.days, people.cause, cut, censoring_group=active)
        try:
            fit = ancova(values, active, people.covariates, conf_level=sheet.conf_level)
        except AnalysisError as refusal:
            raise AnalysisError(with_labels(refusal, sheet.covariates or ())) from None
        found = fit.difference
        names = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
        row = {name: getattr(found, name) for name in names} | remarks(found.note.rstrip("."))
        sheet.add("restricted_mean_time_lost_difference", **row, **keys, **both(pair, cut))


def _up_to(horizon: float) -> dict[str, Any]:
    return {"time_from": 0.0, "time": horizon, "time_unit": "months"}


def _refuse_unknown(data: ArmTimes, cut: int) -> None:
    """Refuse people whose curve is broken, or of whom nobody was seen before the horizon."""
    if unseen := data.unseen(cut - 1):
        raise NotDefinedError(unseen)
    data.refuse_broken()


def _since(data: ArmTimes, cut: int, conf_level: float) -> RestrictedMean:
    _refuse_unknown(data, cut)
    return restricted_time_lost(data.days, data.cause, cut, entry=data.late, conf_level=conf_level)


def _alive_without(data: ArmTimes, cut: int, conf_level: float) -> RestrictedMean:
    _refuse_unknown(data, cut)
    return restricted_mean(data.days, data.cause > 0, cut, entry=data.late, conf_level=conf_level)


#: Quantity -> the mean of one arm, and the columns that go with it.
_MEANS = {
    "restricted_mean_time_lost": (_since, SINCE),
    "restricted_mean_survival_time": (_alive_without, ALIVE_WITHOUT),
}
