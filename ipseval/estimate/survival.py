"""How soon do people find a first job, with death competing, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ipseval import checks, words
from ipseval.endpoints.base import Endpoint, months_of
from ipseval.errors import AnalysisError
from ipseval.estimate.arm_times import ArmTimes, arm_times, both
from ipseval.estimate.hazards import hazards
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results import Declaration, Results
from ipseval.stats.cumulative_incidence import CumulativeIncidence, cumulative_incidence, incidence_at
from ipseval.stats.kaplan_meier import SurvivalCurve, quantile
from ipseval.stats.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_time_lost,
)
from ipseval.stats.tables import normal_quantile
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="survival",
    outcomes=("time",),
    quantities=(
        "cumulative_incidence",
        "cumulative_incidence_difference",
        "number_at_risk",
        "cumulative_events",
        "cumulative_censored",
        "median_time",
        "restricted_mean_time_lost",
        "restricted_mean_time_lost_difference",
        "restricted_mean_survival_time",
        "restricted_mean_survival_time_difference",
        "log_rank_test",
        "hazard_ratio",
        "proportional_hazards_test",
    ),
    section="survival",
    figure="incidence",
    options={
        "milestones": partial(months_of, name="milestones"),
        "strata": partial(checks.names, name="strata"),
        "conf_level": checks.confidence,
    },
)

DEATH_ENDS_IT = words.text("note.death_ends_it")
ONE_ARM_CERTAIN = words.text("note.one_arm_certain")
NOT_FOLLOWED = words.text("note.not_followed_so_far")


def survival(
    trial: Trial,
    endpoint: Endpoint,
    *,
    milestones: float | Iterable[float] | None = None,
    strata: Iterable[str] | None = None,
    conf_level: float = 0.95,
    name: str = "survival",
) -> Results:
    """Cumulative incidence of a first event with death competing, and how the arms differ in time.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        A time such as ``ips.time_to_first_job(horizon=30)``.
    milestones : number, or several, optional
        Months at which the incidence and its difference are reported; by default the design's
        assessments within the horizon, and the horizon.
    strata : iterable of str, optional
        Columns of participants that stratify the log-rank test and the Cox model; by default the
        strata of the randomisation. The unstratified test stands beside it.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per arm: the curve (Aalen-Johansen with log-log limits; times in study days), its values at
        the milestones, the number at risk every six months, the median time, and up to the horizon
        the restricted mean time since the event (the area under the cumulative incidence, which
        software calls time lost) and the restricted mean time alive without it. Per contrast:
        differences, the log-rank test and the hazard ratio with a check of proportional hazards.
        Unlike rates, people who are lost leave the denominator on the day they are lost, which
        assumes that leaving says nothing about finding work.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a time, or strata that are unknown or incomplete.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141-150; Zhao et al. (2016),
    Biometrics 72:215-221 (restricted means); Efron (1977), JASA 72:557-565 (ties).

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.survival(ips.example("scion"), ips.time_to_first_job(horizon=30))
    >>> row = found.one(quantity="cumulative_incidence", time_unit="months", time=30, arm="IPS")
    >>> bool(0.40 < row.estimate < 0.55)
    True
    """
    if endpoint.kind not in DECLARATION.outcomes:
        raise AnalysisError(
            f"{endpoint.name} is a {endpoint.kind} outcome; survival is of a time. "
            f"Use ips.time_to_first_job(horizon=30), or ips.rates for a yes or no."
        )
    design = trial.design
    horizon = endpoint.months[-1]
    months = _milestones(milestones, horizon, design.assessment_months)
    columns = design.strata if strata is None else checks.names(strata, "strata")
    arguments = {"milestones": months, "strata": list(columns)}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    arms = arm_times(trial, endpoint.evaluate(trial), columns)
    for arm, data in arms.items():
        _curves(sheet, arm, data, horizon)
        _at_risk(sheet, arm, data, horizon)
        _arm_means(sheet, arm, data, horizon, months)
    for active, reference in design.comparisons:
        pair = (arms[active], arms[reference])
        label = contrast_label(active, reference)
        _differences(sheet, label, pair, horizon, months)
        hazards(sheet, label, pair, horizon, columns)
    return sheet.results()


def _milestones(
    given: float | Iterable[float] | None, horizon: float, assessments: tuple[int, ...]
) -> list[float]:
    """Return the months to report: those given, else the assessments, and always the horizon."""
    if given is None:
        return sorted({float(month) for month in assessments if 0 < month <= horizon} | {horizon})
    months = months_of(given, "milestones")
    outside = [month for month in months if not 0 < month <= horizon]
    if outside:
        raise AnalysisError(
            f"milestones={outside} lie outside the endpoint's horizon of {horizon:g} months. "
            f"Raise the horizon, or leave them out."
        )
    return sorted({*months, horizon})


def _curve(sheet: Sheet, data: ArmTimes, of: int = 1) -> CumulativeIncidence:
    return cumulative_incidence(data.days, data.cause, of=of, conf_level=sheet.conf_level)


def _curves(sheet: Sheet, arm: str, data: ArmTimes, horizon: float) -> None:
    """Write the points at which a curve steps, with day 0 and the horizon."""
    cut = sheet.trial.design.horizon_day(horizon)
    for term, of in (("event", 1), ("died", 2)):
        if of == 2 and not (data.cause == 2).any():
            continue
        happened = np.unique(data.days[data.cause == of])
        days = np.unique(np.concatenate(([0], happened[happened < cut], [cut])))
        with sheet.attempt(
            "cumulative_incidence", arm=arm, term=term, time_unit="days", method="aalen_johansen"
        ):
            found = incidence_at(_curve(sheet, data, of), days)
            for at, day in enumerate(days):
                sheet.add(
                    "cumulative_incidence",
                    arm=arm,
                    term=term,
                    time_from=0.0,
                    time=float(day),
                    time_unit="days",
                    method="aalen_johansen",
                    unit="proportion",
                    estimate=found.incidence[at] if data.shows(int(day)) else np.nan,
                    std_error=found.std_error[at],
                    conf_low=found.conf_low[at],
                    conf_high=found.conf_high[at],
                    **remarks("" if data.shows(int(day)) else NOT_FOLLOWED),
                    **data.base(float(day) + 1 if day < cut else cut, of),
                )


def _at_risk(sheet: Sheet, arm: str, data: ArmTimes, horizon: float) -> None:
    """Write who was at risk just before each tick, and what had happened to the others."""
    for month in np.unique(np.append(np.arange(0.0, horizon, 6.0), horizon)):
        day = sheet.trial.design.horizon_day(month)
        base = data.base(day)
        keys = {"arm": arm, "time": float(month), "time_unit": "months", "unit": "people", "method": "count"}
        at_risk = int((data.days >= day).sum())
        for quantity, count in (
            ("number_at_risk", at_risk),
            ("cumulative_events", base["n_event"]),
            ("cumulative_censored", base["n_missing"]),
        ):
            sheet.add(quantity, estimate=count, n=base["n"], **keys)


def _arm_means(sheet: Sheet, arm: str, data: ArmTimes, horizon: float, months: list[float]) -> None:
    """Write the milestones, the median and the restricted means of one arm."""
    design = sheet.trial.design
    cut = design.horizon_day(horizon)
    with sheet.attempt("cumulative_incidence", "median_time", arm=arm, term="event", time_unit="months"):
        curve = _curve(sheet, data)
        for month in months:
            day = design.horizon_day(month)
            found = incidence_at(curve, [day - 1])
            limits = {name: getattr(found, name)[0] for name in ("std_error", "conf_low", "conf_high")}
            keys = {"arm": arm, "term": "event", "time_from": 0.0, "time": month, "time_unit": "months"}
            base = {"method": "aalen_johansen", "unit": "proportion", **data.base(day)}
            estimate = found.incidence[0] if data.shows(day - 1) else np.nan
            base |= remarks("" if data.shows(day - 1) else NOT_FOLLOWED)
            sheet.add("cumulative_incidence", estimate=estimate, **limits, **keys, **base)
        _median(sheet, arm, data, curve, horizon)
    keys = {"arm": arm, "time_from": 0.0, "time": horizon, "time_unit": "months", "unit": "days"}
    with sheet.attempt("restricted_mean_time_lost", term="event", **keys):
        lost = restricted_time_lost(data.days, data.cause, cut, conf_level=sheet.conf_level)
        sheet.add(
            "restricted_mean_time_lost",
            term="event",
            method="aalen_johansen",
            **_first(lost),
            **keys,
            **data.base(cut),
        )
    with sheet.attempt("restricted_mean_survival_time", **keys):
        free = restricted_mean(data.days, data.cause > 0, cut, conf_level=sheet.conf_level)
        sheet.add(
            "restricted_mean_survival_time",
            method="kaplan_meier",
            **_first(free),
            **keys,
            **data.base(cut),
            **remarks(DEATH_ENDS_IT),
        )


def _median(sheet: Sheet, arm: str, data: ArmTimes, curve: CumulativeIncidence, horizon: float) -> None:
    """Write the day by which half of the arm had the event, by inverting the curve and its limits."""
    cut = sheet.trial.design.horizon_day(horizon)
    free = SurvivalCurve(
        curve.time,
        curve.n_risk,
        curve.n_event,
        curve.n_censored,
        1 - curve.incidence,
        curve.std_error,
        1 - curve.conf_high,
        1 - curve.conf_low,
    )
    found = quantile(free, [0.5])
    reached = not np.isnan(found.time[0])
    bounded = not np.isnan([found.conf_low[0], found.conf_high[0]]).any()
    note = words.text("note.limit_not_reached") if reached and not bounded else ""
    sheet.add(
        "median_time",
        arm=arm,
        term="event",
        time_from=0.0,
        time=horizon,
        time_unit="months",
        unit="days",
        method="aalen_johansen",
        estimate=found.time[0],
        conf_low=found.conf_low[0],
        conf_high=found.conf_high[0],
        note=note if reached else words.text("note.not_reached"),
        **data.base(cut),
    )


def _first(found: Any) -> dict[str, float]:
    """Return the entry for the one horizon asked for, as columns."""
    names = [name for name in found._fields if name != "horizon"]
    return {name: float(np.atleast_1d(getattr(found, name))[0]) for name in names}


def _differences(
    sheet: Sheet, label: str, pair: tuple[ArmTimes, ArmTimes], horizon: float, months: list[float]
) -> None:
    """Write differences in incidence at the milestones and in restricted means at the horizon."""
    design, level = sheet.trial.design, sheet.conf_level
    with sheet.attempt("cumulative_incidence_difference", contrast=label, term="event"):
        curves = [_curve(sheet, data) for data in pair]
        for month in months:
            day = design.horizon_day(month)
            keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": month}
            keys |= {"time_unit": "months", "method": "aalen_johansen", **both(pair, day)}
            if not all(data.shows(day - 1) for data in pair):
                sheet.add("cumulative_incidence_difference", status="failed", note=NOT_FOLLOWED, **keys)
                continue
            active, reference = (incidence_at(curve, [day - 1]) for curve in curves)
            estimate = float(active.incidence[0] - reference.incidence[0])
            std_error = float(np.hypot(active.std_error[0], reference.std_error[0]))
            half = normal_quantile(level) * std_error
            certain = [arm.std_error[0] == 0 for arm in (active, reference)]
            if all(certain):
                half = np.nan
            limits = {
                "conf_low": np.maximum(estimate - half, -1.0),
                "conf_high": np.minimum(estimate + half, 1.0),
            }
            row = {"estimate": estimate, "std_error": std_error, "unit": "proportion", **limits}
            row |= remarks(ONE_ARM_CERTAIN if any(certain) and not all(certain) else "")
            sheet.add("cumulative_incidence_difference", **row, **keys)
    cut = design.horizon_day(horizon)
    keys = {"contrast": label, "time_from": 0.0, "time": horizon, "time_unit": "months", "unit": "days"}
    with sheet.attempt("restricted_mean_time_lost_difference", term="event", **keys):
        lost = [restricted_time_lost(data.days, data.cause, cut) for data in pair]
        found = _first(restricted_mean_difference(*lost, conf_level=level))
        row = {**found, **keys, **both(pair, cut)}
        sheet.add("restricted_mean_time_lost_difference", term="event", method="aalen_johansen", **row)
    with sheet.attempt("restricted_mean_survival_time_difference", **keys):
        free = [restricted_mean(data.days, data.cause > 0, cut) for data in pair]
        found = _first(restricted_mean_difference(*free, conf_level=level))
        row = {**found, **keys, **remarks(DEATH_ENDS_IT), **both(pair, cut)}
        sheet.add("restricted_mean_survival_time_difference", method="kaplan_meier", **row)
