"""How soon do people find a first job, with death competing, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints.base import CENSORED, DIED, EVENT, Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet, contrast_label
from ipseval.results import Declaration, Results
from ipseval.stats.cox import cox
from ipseval.stats.cumulative_incidence import CumulativeIncidence, cumulative_incidence, incidence_at
from ipseval.stats.kaplan_meier import SurvivalCurve, quantile
from ipseval.stats.log_rank import log_rank
from ipseval.stats.proportional_hazards import lifelines_proportional_hazards, proportional_hazards
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
)

_CODES = {CENSORED: 0, EVENT: 1, DIED: 2}
DEATH_ENDS_IT = words.text("note.death_ends_it")
DEATH_CENSORS = words.text("note.death_censors")


class _Arm(NamedTuple):
    """One arm's outcome: days, cause (0 censored, 1 event, 2 died) and stratum of each person."""

    days: NDArray[np.int64]
    cause: NDArray[np.int64]
    stratum: NDArray[np.int64]

    def base(self, before: float, cause: int = 1) -> dict[str, int]:
        """Return people randomised, and those with the event, and those censored, below a day."""
        early = self.days < before
        return {
            "n": len(self.days),
            "n_event": int((early & (self.cause == cause)).sum()),
            "n_missing": int((early & (self.cause == 0)).sum()),
        }


def survival(
    trial: Trial,
    endpoint: Endpoint,
    *,
    milestones: Iterable[float] | None = None,
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
    milestones : iterable of float, optional
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
    >>> 0.40 < row.estimate < 0.55
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
    columns = tuple(design.strata if strata is None else strata)
    arguments = {"milestones": months, "strata": list(columns)}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    arms = _arms(trial, endpoint.evaluate(trial), columns)
    for arm, data in arms.items():
        _curves(sheet, arm, data, horizon)
        _at_risk(sheet, arm, data, horizon)
        _arm_means(sheet, arm, data, horizon, months)
    for active, reference in design.comparisons:
        pair = (arms[active], arms[reference])
        label = contrast_label(active, reference)
        _differences(sheet, label, pair, horizon, months)
        _hazards(sheet, label, pair, horizon, columns)
    return sheet.results()


def _milestones(given: Iterable[float] | None, horizon: float, assessments: tuple[int, ...]) -> list[float]:
    """Return the months to report: those given, else the assessments, and always the horizon."""
    months = {float(month) for month in (assessments if given is None else given)}
    late = sorted(month for month in months if month > horizon)
    if given is not None and late:
        raise AnalysisError(
            f"milestones={late} lie beyond the endpoint's horizon of {horizon:g} months. "
            f"Raise the horizon, or leave them out."
        )
    return sorted({month for month in months if 0 < month <= horizon} | {horizon})


def _arms(trial: Trial, outcome: pd.DataFrame, strata: tuple[str, ...]) -> dict[str, _Arm]:
    arm = outcome["arm"].to_numpy()
    days = outcome["value"].to_numpy(dtype=np.int64)
    cause = outcome["event"].astype("string").map(_CODES).to_numpy(dtype=np.int64)
    stratum = (
        trial.stratum(strata).to_numpy(dtype=np.int64) if strata else np.zeros(len(days), dtype=np.int64)
    )
    return {
        name: _Arm(days[arm == name], cause[arm == name], stratum[arm == name]) for name in trial.design.arms
    }


def _curve(sheet: Sheet, data: _Arm, of: int = 1) -> CumulativeIncidence:
    return cumulative_incidence(data.days, data.cause, of=of, conf_level=sheet.conf_level)


def _curves(sheet: Sheet, arm: str, data: _Arm, horizon: float) -> None:
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
                    estimate=found.incidence[at],
                    std_error=found.std_error[at],
                    conf_low=found.conf_low[at],
                    conf_high=found.conf_high[at],
                    **data.base(float(day) + 1 if day < cut else cut, of),
                )


def _at_risk(sheet: Sheet, arm: str, data: _Arm, horizon: float) -> None:
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


def _arm_means(sheet: Sheet, arm: str, data: _Arm, horizon: float, months: list[float]) -> None:
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
            sheet.add("cumulative_incidence", estimate=found.incidence[0], **limits, **keys, **base)
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
        died = {"note": DEATH_ENDS_IT} if (data.cause == 2).any() else {}
        sheet.add(
            "restricted_mean_survival_time",
            method="kaplan_meier",
            **_first(free),
            **keys,
            **data.base(cut),
            **died,
        )


def _median(sheet: Sheet, arm: str, data: _Arm, curve: CumulativeIncidence, horizon: float) -> None:
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
        status="ok" if reached else "failed",
        note="" if reached else words.text("note.not_reached"),
        **data.base(cut),
    )


def _first(found: Any) -> dict[str, float]:
    """Return the entry for the one horizon asked for, as columns."""
    names = [name for name in found._fields if name != "horizon"]
    return {name: float(np.atleast_1d(getattr(found, name))[0]) for name in names}


def _both(pair: tuple[_Arm, _Arm], before: float) -> dict[str, int]:
    first, second = (data.base(before) for data in pair)
    return {name: first[name] + second[name] for name in first}


def _differences(
    sheet: Sheet, label: str, pair: tuple[_Arm, _Arm], horizon: float, months: list[float]
) -> None:
    """Write differences in incidence at the milestones and in restricted means at the horizon."""
    design, level = sheet.trial.design, sheet.conf_level
    with sheet.attempt("cumulative_incidence_difference", contrast=label, term="event"):
        curves = [_curve(sheet, data) for data in pair]
        for month in months:
            day = design.horizon_day(month)
            active, reference = (incidence_at(curve, [day - 1]) for curve in curves)
            estimate = float(active.incidence[0] - reference.incidence[0])
            std_error = float(np.hypot(active.std_error[0], reference.std_error[0]))
            half = normal_quantile(level) * std_error
            keys = {
                "contrast": label,
                "term": "event",
                "time_from": 0.0,
                "time": month,
                "time_unit": "months",
            }
            limits = {"conf_low": max(estimate - half, -1.0), "conf_high": min(estimate + half, 1.0)}
            row = {"estimate": estimate, "std_error": std_error, "unit": "proportion", **limits}
            sheet.add(
                "cumulative_incidence_difference", method="aalen_johansen", **row, **keys, **_both(pair, day)
            )
    cut = design.horizon_day(horizon)
    keys = {"contrast": label, "time_from": 0.0, "time": horizon, "time_unit": "months", "unit": "days"}
    with sheet.attempt("restricted_mean_time_lost_difference", term="event", **keys):
        lost = [restricted_time_lost(data.days, data.cause, cut) for data in pair]
        found = _first(restricted_mean_difference(*lost, conf_level=level))
        row = {**found, **keys, **_both(pair, cut)}
        sheet.add("restricted_mean_time_lost_difference", term="event", method="aalen_johansen", **row)
    with sheet.attempt("restricted_mean_survival_time_difference", **keys):
        free = [restricted_mean(data.days, data.cause > 0, cut) for data in pair]
        found = _first(restricted_mean_difference(*free, conf_level=level))
        died = {"note": DEATH_ENDS_IT} if any((data.cause == 2).any() for data in pair) else {}
        row = {**found, **keys, **died, **_both(pair, cut)}
        sheet.add("restricted_mean_survival_time_difference", method="kaplan_meier", **row)


def _hazards(
    sheet: Sheet, label: str, pair: tuple[_Arm, _Arm], horizon: float, strata: tuple[str, ...]
) -> None:
    """Write the log-rank test, the hazard ratio and the check of proportional hazards."""
    days, cause, stratum = (np.concatenate(columns) for columns in zip(*pair, strict=True))
    active = np.repeat([1, 0], [len(pair[0].days), len(pair[1].days)])
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": horizon, "time_unit": "months"}
    keys |= _both(pair, cut) | ({"note": DEATH_CENSORS} if (cause == 2).any() else {})
    ways: dict[str, NDArray[np.int64] | None] = {"": None}
    if strata:
        ways[f"strata={'+'.join(strata)}"] = stratum
    main = list(ways)[-1]
    sheet.main("log_rank", main, "log_rank_test")
    sheet.main("cox_efron", main, "hazard_ratio")
    for setting, within in ways.items():
        with sheet.attempt("log_rank_test", method="log_rank", setting=setting, **keys):
            test = log_rank(days, cause == 1, active, strata=within)
            row = {"statistic": test.statistic, "df": float(test.df), "p_value": test.p_value, **keys}
            sheet.add("log_rank_test", method="log_rank", setting=setting, **row)
        with sheet.attempt("hazard_ratio", method="cox_efron", setting=setting, **keys):
            _hazard_ratio(sheet, days, cause == 1, active, within, {**keys, "setting": setting})
    sheet.main("score_test", "", "proportional_hazards_test")
    covariate = active[:, None].astype(np.float64)
    for method, check in (
        ("score_test", proportional_hazards),
        ("lifelines", lifelines_proportional_hazards),
    ):
        with sheet.attempt("proportional_hazards_test", method=method, **keys):
            found = check(days, cause == 1, covariate)
            row = {"statistic": found.statistic[0], "df": 1.0, "p_value": found.p_value[0], **keys}
            sheet.add("proportional_hazards_test", method=method, **row)


def _hazard_ratio(
    sheet: Sheet,
    days: NDArray[np.int64],
    event: NDArray[np.bool_],
    active: NDArray[np.int64],
    stratum: NDArray[np.int64] | None,
    keys: dict[str, Any],
) -> None:
    """Write the hazard ratio of one Cox model, or why it has none."""
    fit = cox(days, event, active[:, None].astype(np.float64), strata=stratum)
    if not fit.converged:
        raise AnalysisError(fit.reason)
    value, std_error = float(fit.coef[0]), float(fit.std_error[0])
    half = normal_quantile(sheet.conf_level) * std_error
    row = {"estimate": np.exp(value), "conf_low": np.exp(value - half), "conf_high": np.exp(value + half)}
    test = {"statistic": fit.wald_test.statistic, "df": 1.0, "p_value": fit.wald_test.p_value}
    sheet.add("hazard_ratio", method="cox_efron", unit="ratio", std_error=std_error, **row, **test, **keys)
