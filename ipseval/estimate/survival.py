"""How soon do people find a first job, with death competing, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ipseval import checks, words
from ipseval.endpoints.base import Endpoint, months_of
from ipseval.errors import AnalysisError
from ipseval.estimate.arm_times import ArmTimes, arm_times
from ipseval.estimate.hazards import hazards
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.estimate.time_contrasts import (
    DEATH_ENDS_IT,
    NOT_FOLLOWED,
    first_horizon,
    incidence_of,
    time_contrasts,
)
from ipseval.results import Declaration, Results
from ipseval.stats.bands import incidence_band
from ipseval.stats.cumulative_incidence import CumulativeIncidence, incidence_at
from ipseval.stats.kaplan_meier import SurvivalCurve, quantile
from ipseval.stats.restricted_mean import restricted_mean, restricted_time_lost
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="survival",
    outcomes=("time",),
    quantities=(
        "cumulative_incidence",
        "cumulative_incidence_difference",
        "cumulative_incidence_ratio",
        "number_at_risk",
        "cumulative_events",
        "cumulative_censored",
        "median_time",
        "restricted_mean_time_lost",
        "restricted_mean_time_lost_difference",
        "restricted_mean_time_lost_ratio",
        "restricted_mean_survival_time",
        "restricted_mean_survival_time_difference",
        "log_rank_test",
        "gray_test",
        "hazard_ratio",
        "subdistribution_hazard_ratio",
        "proportional_hazards_test",
    ),
    section="survival",
    figure="incidence",
    options={
        "milestones": partial(months_of, name="milestones"),
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "frailty": partial(checks.names, name="frailty"),
        "conf_level": checks.confidence,
    },
)

BAND = {"method": "equal_precision_band", "setting": "band=equal_precision"}


def survival(
    trial: Trial,
    endpoint: Endpoint,
    *,
    milestones: float | Iterable[float] | None = None,
    strata: Iterable[str] | None = None,
    adjust: Iterable[str] = (),
    frailty: Iterable[str] = (),
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
        Columns of participants that stratify the tests and the Cox model; by default the strata of the
        randomisation. The unstratified answers stand beside them.
    adjust : iterable of str, optional
        Covariates and site: adds the difference in mean time since the event adjusted for them, by
        regression of pseudo-values.
    frailty : iterable of str, optional
        Columns of participants, such as ``["site"]``, whose groups share an unknown factor of their
        hazard: adds the hazard ratio of the Cox model with gamma frailty. With few sites their spread is
        hardly known, and stratifying, the default, asks for less.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per arm: the curve (Aalen-Johansen with log-log limits; times in study days) and a band that
        holds the whole of it, its values at the milestones, the number at risk every six months, the
        median time, and up to the horizon the restricted mean time since the event (the area under
        the cumulative incidence, which software calls time lost) and the restricted mean time alive
        without it. Per contrast: differences and ratios of these, tests, and hazard ratios with a check
        of proportional hazards. Unlike rates, people who are lost leave the denominator on the day they
        are lost, which assumes that leaving says nothing about finding work.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a time, or strata that are unknown or incomplete.

    Notes
    -----
    The main interval of a difference in incidence joins the arms' own log-log limits (Zou and Donner).
    It keeps its level in arms of 25, where the Wald interval, which stands beside it, falls short. Neither
    exists while an arm has had no event.

    The log-rank test and the hazard ratio compare the living, the dead being censored; Gray's test and
    the subdistribution hazard ratio (Fine-Gray) compare the incidences, in which the dead stay. Beside
    the log-rank test stand the Fleming-Harrington test with weights (0, 1), for late differences, and
    Gehan's, for early ones; beside Efron's treatment of ties that of Breslow.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141-150; Zhao et al. (2016),
    Biometrics 72:215-221 (restricted means); Efron (1977), JASA 72:557-565 (ties); Zou & Donner (2008),
    Statistics in Medicine 27:1693-1702 (differences); Gray (1988), Annals of Statistics 16:1141-1154;
    Fine & Gray (1999), JASA 94:496-509; Andersen, Hansen & Klein (2004), Lifetime Data Analysis
    10:335-350 (pseudo-values).

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
    covariates, shared = checks.names(adjust, "adjust"), checks.names(frailty, "frailty")
    arguments = {"milestones": months, "strata": list(columns)}
    arguments |= {"adjust": list(covariates), "frailty": list(shared)}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    sheet.main("aalen_johansen", "", "cumulative_incidence")
    arms = arm_times(trial, endpoint.evaluate(trial), columns, shared, covariates)
    for arm, data in arms.items():
        _curves(sheet, arm, data, horizon)
        _at_risk(sheet, arm, data, horizon)
        _arm_means(sheet, arm, data, horizon, months)
    for active, reference in design.comparisons:
        pair = (arms[active], arms[reference])
        label = contrast_label(active, reference)
        time_contrasts(sheet, label, pair, horizon, months, covariates)
        hazards(sheet, label, pair, horizon, columns, shared)
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


def _curves(sheet: Sheet, arm: str, data: ArmTimes, horizon: float) -> None:
    """Write the points at which a curve steps, with day 0 and the horizon; then the band around it."""
    cut = sheet.trial.design.horizon_day(horizon)
    for term, of in (("event", 1), ("died", 2)):
        if of == 2 and not (data.cause == 2).any():
            continue
        happened = np.unique(data.days[data.cause == of])
        days = np.unique(np.concatenate(([0], happened[happened < cut], [cut])))
        keys = {"arm": arm, "term": term, "time_unit": "days"}
        with sheet.attempt("cumulative_incidence", method="aalen_johansen", **keys):
            found = incidence_at(incidence_of(sheet, data, of), days)
            for at, day in enumerate(days):
                known = data.shows(int(day))
                sheet.add(
                    "cumulative_incidence",
                    method="aalen_johansen",
                    estimate=found.incidence[at] if known else np.nan,
                    std_error=found.std_error[at],
                    **_point(day, found.conf_low[at], found.conf_high[at]),
                    **remarks("" if known else NOT_FOLLOWED),
                    **data.base(float(day) + 1 if day < cut else cut, of),
                    **keys,
                )
    _band(sheet, arm, data, cut)


def _band(sheet: Sheet, arm: str, data: ArmTimes, cut: int) -> None:
    """Write the band that holds the whole curve of the event, at the days on which it steps."""
    keys = {"arm": arm, "term": "event", "time_unit": "days", **BAND}
    with sheet.attempt("cumulative_incidence", **keys):
        band = incidence_band(incidence_of(sheet, data), to_time=cut, conf_level=sheet.conf_level)
        for at in np.flatnonzero(np.diff(band.probability, prepend=0.0) > 0):
            sheet.add(
                "cumulative_incidence",
                estimate=band.probability[at],
                **_point(band.time[at], band.conf_low[at], band.conf_high[at]),
                **data.base(float(band.time[at]) + 1),
                **keys,
            )


def _point(day: float, low: float, high: float) -> dict[str, Any]:
    """Return what points of a curve and of its band have in common, as columns."""
    return {"time_from": 0.0, "time": float(day), "unit": "proportion", "conf_low": low, "conf_high": high}


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
        curve = incidence_of(sheet, data)
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
            **first_horizon(lost),
            **keys,
            **data.base(cut),
        )
    with sheet.attempt("restricted_mean_survival_time", **keys):
        free = restricted_mean(data.days, data.cause > 0, cut, conf_level=sheet.conf_level)
        sheet.add(
            "restricted_mean_survival_time",
            method="kaplan_meier",
            **first_horizon(free),
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
