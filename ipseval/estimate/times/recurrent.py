"""How many new jobs did people start, first and later ones, with death ending the count?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ipseval import checks, words
from ipseval.endpoints.base import months_of
from ipseval.endpoints.job_starts import JobStarts
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.estimate.times.arm_recurrences import (
    ArmRecurrences,
    Integers,
    Pair,
    arm_recurrences,
    both,
    together,
)
from ipseval.estimate.times.hazard_rows import ratio_row
from ipseval.estimate.times.time_contrasts import (
    DEATHS_APART,
    NOT_FOLLOWED,
    first_horizon,
    months_within,
    say_also,
    say_of_the_lost,
)
from ipseval.results import Declaration, Results
from ipseval.results.setting import setting
from ipseval.stats.times.andersen_gill import andersen_gill
from ipseval.stats.times.mean_cumulative import (
    MeanCumulative,
    mean_cumulative,
    mean_cumulative_difference,
    mean_cumulative_ratio,
    mean_cumulative_test,
)
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="recurrent",
    outcomes=("recurrent",),
    quantities=(
        "mean_cumulative_number",
        "mean_cumulative_number_difference",
        "mean_cumulative_number_ratio",
        "mean_cumulative_number_test",
        "rate_ratio",
        "number_at_risk",
        "cumulative_events",
        "cumulative_censored",
        "count",
    ),
    section="recurrent",
    figure="mean_cumulative",
    options={
        "milestones": partial(months_of, name="milestones"),
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "conf_level": checks.confidence,
    },
)

DEAD_COUNTED = words.text("note.dead_counted")
RATES_WHILE_ALIVE = words.text("note.rates_while_alive")
SEEN_SO_FAR = words.text("note.seen_so_far")

MAIN = "ghosh_lin_log_t"
#: Method -> kind of interval, of a difference and of a ratio.
DIFFERENCES = {MAIN: "log-t", "ghosh_lin": "plain"}
RATIOS = {MAIN: "log-t", "ghosh_lin": "log"}
#: How many jobs are counted one by one; more are taken together.
_MOST = 3


def recurrent(
    trial: Trial,
    endpoint: JobStarts,
    *,
    milestones: float | Iterable[float] | None = None,
    strata: Iterable[str] | None = None,
    adjust: Iterable[str] = (),
    conf_level: float = 0.95,
    name: str = "recurrent",
) -> Results:
    """Mean cumulative number of new jobs with death ending the count, and how the arms differ.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        Events that may recur: ``ips.job_starts(horizon=30)``.
    milestones : number, or several, optional
        Months at which means, differences and ratios are reported; by default the design's assessments
        within the horizon, and the horizon.
    strata : iterable of str, optional
        Columns of participants that stratify the Andersen-Gill model and the test; by default the strata
        of the randomisation. The unstratified answers stand beside them. The main test is the unstratified
        one: within strata the variances of so few people are too small, and it rejects too often.
    adjust : iterable of str, optional
        Covariates: adds the rate ratio adjusted for them, in the stratified model.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per arm: the mean cumulative number of new jobs as a curve (times in study days) and at the
        milestones; every six months people at risk, jobs and people lost so far; how many people had no,
        one, two, or three and more new jobs. Per contrast: difference and ratio of the means at the
        milestones, the test that compares the means over all of follow-up, and the rate ratio of the
        Andersen-Gill model. ``n_event`` counts people with a new job, not jobs.

    Raises
    ------
    AnalysisError
        For an endpoint that does not recur, or strata or covariates that are unknown or incomplete.

    Notes
    -----
    The dead stay in the mean with the jobs that they had (Ghosh and Lin): it is what an arm can expect,
    deaths included. People who are lost leave on the day they are lost, which assumes that leaving says
    nothing about finding work. In the rate ratio the dead leave as well: it compares the living, and takes
    the ratio to be the same throughout, for first and later jobs. Variances come from people, so that
    somebody's many jobs count as one person's.

    Limits are formed on the logarithm of the mean with Student's t, and joined for the difference (Zou and
    Donner); those of other software, by the normal, stand beside them and cover too little in arms of 25.

    References
    ----------
    Ghosh & Lin (2000), Biometrics 56:554-562; Lawless & Nadeau (1995), Technometrics 37:158-168;
    Andersen & Gill (1982), Annals of Statistics 10:1100-1120; Lin, Wei, Yang & Ying (2000), Journal of the
    Royal Statistical Society B 62:711-730; Zou & Donner (2008), Statistics in Medicine 27:1693-1702.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.recurrent(ips.example("scion"), ips.job_starts(horizon=30))
    >>> row = found.one(quantity="mean_cumulative_number", time_unit="months", time=30, arm="IPS")
    >>> bool(row.estimate > row.n_event / row.n)
    True
    """
    if endpoint.kind not in DECLARATION.outcomes:
        raise AnalysisError(
            f"{endpoint.name} is a {endpoint.kind} outcome; recurrent is of events that may recur. "
            f"Use ips.job_starts(horizon=30), or ips.survival for a first event."
        )
    design, horizon = trial.design, endpoint.horizon
    months = months_within(milestones, "milestones", horizon, design.assessment_months)
    columns = design.strata if strata is None else checks.names(strata, "strata")
    covariates = checks.names(adjust, "adjust")
    arguments: dict[str, Any] = {"milestones": months, "strata": list(columns), "adjust": list(covariates)}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    for quantity in ("", "_difference", "_ratio"):
        sheet.main(MAIN, "", f"mean_cumulative_number{quantity}")
    # Stated also where it is empty, so that rows that are stratified or adjusted are not main ones too.
    sheet.main_settings |= {"mean_cumulative_number_test": "", "rate_ratio": setting(strata=columns)}
    sheet.covariates = tuple(adjustment(trial, covariates)[1])
    arms = arm_recurrences(trial, endpoint, columns, covariates)
    for arm, data in arms.items():
        _curve(sheet, arm, data, horizon)
        _at_risk(sheet, arm, data, horizon)
        _means(sheet, arm, data, months)
        _people_by_jobs(sheet, arm, data, horizon)
    for active, reference in design.comparisons:
        label, pair = contrast_label(active, reference), (arms[active], arms[reference])
        _means_compared(sheet, label, pair, months)
        _rates_compared(sheet, label, pair, horizon, columns, covariates)
    _say_of_the_dead(sheet, any(data.died.any() for data in arms.values()))
    say_of_the_lost(sheet)
    return sheet.results()


def _means_at(sheet: Sheet, data: ArmRecurrences, days: Iterable[float]) -> MeanCumulative:
    """Return the mean number of events of one arm at some days, at the confidence level of the sheet."""
    return mean_cumulative(
        data.days,
        data.died,
        data.person,
        data.event_day,
        times=np.asarray(list(days), dtype=np.float64),
        conf_level=sheet.conf_level,
    )


def _curve(sheet: Sheet, arm: str, data: ArmRecurrences, horizon: float) -> None:
    """Write the points at which the mean rises, with day 0 and the horizon."""
    cut = sheet.trial.design.horizon_day(horizon)
    days = np.unique(np.concatenate(([0], data.event_day, [cut])))
    keys = {"arm": arm, "time_from": 0.0, "time_unit": "days", "unit": "jobs", "method": MAIN}
    with sheet.attempt("mean_cumulative_number", **keys):
        shown = [day for day in days if data.shows(int(day))]
        found = _means_at(sheet, data, shown)
        for at, day in enumerate(shown):
            row = {"estimate": found.mean[at], "std_error": found.std_error[at]}
            row |= {"conf_low": found.conf_low[at], "conf_high": found.conf_high[at]}
            before = float(day) + 1 if day < cut else cut
            sheet.add("mean_cumulative_number", time=float(day), **row, **keys, **data.base(before))
        if cut not in shown:
            sheet.add("mean_cumulative_number", time=float(cut), note=NOT_FOLLOWED, **keys, **data.base(cut))


def _at_risk(sheet: Sheet, arm: str, data: ArmRecurrences, horizon: float) -> None:
    """Write at each tick who was at risk just before it, and the events and people lost so far."""
    for month in np.unique(np.append(np.arange(0.0, horizon, 6.0), horizon)):
        day = sheet.trial.design.horizon_day(month)
        base = data.base(day)
        keys = {"arm": arm, "time": float(month), "time_unit": "months", "method": "count", "n": base["n"]}
        for quantity, unit, count in (
            ("number_at_risk", "people", int((data.days >= day).sum())),
            ("cumulative_events", "jobs", int((data.event_day < day).sum())),
            ("cumulative_censored", "people", base["n_missing"]),
        ):
            sheet.add(quantity, estimate=count, unit=unit, **keys)


def _means(sheet: Sheet, arm: str, data: ArmRecurrences, months: list[float]) -> None:
    """Write the mean number of events of one arm at the milestones."""
    for month in months:
        day = sheet.trial.design.horizon_day(month)
        keys = {"arm": arm, "time_from": 0.0, "time": month, "time_unit": "months", "unit": "jobs"}
        keys |= {"method": MAIN, **data.base(day)}
        with sheet.attempt("mean_cumulative_number", **keys):
            if not data.shows(day - 1):
                sheet.add("mean_cumulative_number", note=NOT_FOLLOWED, **keys)
                continue
            found = _means_at(sheet, data, [day - 1])
            limits = {name: getattr(found, name)[0] for name in ("std_error", "conf_low", "conf_high")}
            sheet.add("mean_cumulative_number", estimate=found.mean[0], **limits, **keys)


def _people_by_jobs(sheet: Sheet, arm: str, data: ArmRecurrences, horizon: float) -> None:
    """Write how many people had no, one, two, and three or more jobs while they were followed."""
    cut = sheet.trial.design.horizon_day(horizon)
    n, lost = len(data.days), data.base(cut)["n_missing"]
    jobs = np.minimum(np.bincount(data.person, minlength=n), _MOST)
    keys = {"arm": arm, "time_from": 0.0, "time": horizon, "time_unit": "months", "unit": "people"}
    keys |= {"method": "count", "n": n, "n_missing": lost, **remarks(SEEN_SO_FAR if lost else "")}
    for number, people in enumerate(np.bincount(jobs, minlength=_MOST + 1)):
        label = f"{number}+" if number == _MOST else str(number)
        row = {"estimate": int(people), "n_event": int(people), "status": "ok", **keys}
        sheet.add("count", term=f"new_jobs={label}", **row)


def _means_compared(sheet: Sheet, label: str, pair: Pair, months: list[float]) -> None:
    """Write difference and ratio of the means at each milestone."""
    quantities = ("mean_cumulative_number_difference", "mean_cumulative_number_ratio")
    for month in months:
        day = sheet.trial.design.horizon_day(month)
        keys = {"contrast": label, "time_from": 0.0, "time": month, "time_unit": "months", **both(pair, day)}
        with sheet.attempt(*quantities, method=MAIN, **keys):
            if not all(data.shows(day - 1) for data in pair):
                for quantity in quantities:
                    sheet.add(quantity, note=NOT_FOLLOWED, method=MAIN, **keys)
                continue
            arms = [_means_at(sheet, data, [day - 1]) for data in pair]
            for method, interval in DIFFERENCES.items():
                found = mean_cumulative_difference(*arms, interval=interval, conf_level=sheet.conf_level)
                row = {"method": method, "unit": "jobs", **first_horizon(found), **keys}
                sheet.add("mean_cumulative_number_difference", **row)
            for method, interval in RATIOS.items():
                found = mean_cumulative_ratio(*arms, interval=interval, conf_level=sheet.conf_level)
                row = {"method": method, "unit": "ratio", **first_horizon(found), **keys}
                sheet.add("mean_cumulative_number_ratio", **row)


def _rates_compared(
    sheet: Sheet,
    label: str,
    pair: Pair,
    horizon: float,
    strata: tuple[str, ...],
    adjust: tuple[str, ...],
) -> None:
    """Write the test of equal means and the rate ratio, plain and stratified, and the ratio adjusted."""
    people, active = together(pair)
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"contrast": label, "time_from": 0.0, "time": horizon, "time_unit": "months", **both(pair, cut)}
    for names in dict.fromkeys(((), strata)):
        way = {**keys, "setting": setting(strata=names)}
        _test(sheet, people, active, names, way)
        _rate_ratio(sheet, people, active[:, None], names, way)
    if adjust:
        columns = np.column_stack([active, people.covariates])
        _rate_ratio(
            sheet, people, columns, strata, {**keys, "setting": setting(strata=strata, adjust=adjust)}
        )


def _test(
    sheet: Sheet, people: ArmRecurrences, active: Integers, strata: tuple[str, ...], keys: dict[str, Any]
) -> None:
    keys = {**keys, "method": "ghosh_lin_test"}
    with sheet.attempt("mean_cumulative_number_test", **keys):
        test = mean_cumulative_test(
            people.days,
            people.died,
            people.person,
            people.event_day,
            active,
            strata=people.stratum if strata else None,
        )
        row = {"statistic": test.statistic, "df": float(test.df), "p_value": test.p_value}
        sheet.add("mean_cumulative_number_test", **row, **keys)


def _rate_ratio(
    sheet: Sheet,
    people: ArmRecurrences,
    columns: np.ndarray,
    strata: tuple[str, ...],
    keys: dict[str, Any],
) -> None:
    keys = {**keys, "method": "andersen_gill"}
    with sheet.attempt("rate_ratio", **keys):
        within = people.stratum if strata else None
        fit = andersen_gill(people.days, people.person, people.event_day, columns, strata=within)
        sheet.add("rate_ratio", **ratio_row(sheet, fit), **keys)


def _say_of_the_dead(sheet: Sheet, any_died: bool) -> None:
    """Say how the dead are counted, in every row where it matters."""
    if not any_died:
        return
    say_also(sheet, DEAD_COUNTED, _is_about_means)
    say_also(sheet, RATES_WHILE_ALIVE, lambda row: row["quantity"] == "rate_ratio")
    say_also(sheet, DEATHS_APART, lambda row: row["quantity"] == "cumulative_censored")


def _is_about_means(row: Mapping[str, Any]) -> bool:
    """Whether a row is about mean numbers, points of curves apart."""
    return str(row["quantity"]).startswith("mean_cumulative_number") and row["time_unit"] == "months"
