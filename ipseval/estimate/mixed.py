"""How do the arms differ at each assessment, when a person's answers over time belong together?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ipseval import checks, words
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment
from ipseval.estimate.sheet import EVERYBODY_HAD_IT, NOBODY, NOBODY_HAD_IT, Sheet, contrast_label, remarks
from ipseval.results import Declaration, Results
from ipseval.stats.population_average import PopulationAveraged, population_averaged
from ipseval.stats.random_intercept_logistic import (
    RandomInterceptLogistic,
    random_intercept_logistic,
)
from ipseval.stats.tables import chi_square_p_value, normal_quantile
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="mixed",
    outcomes=("binary",),
    quantities=(
        "conditional_log_odds_ratio",
        "conditional_odds_ratio",
        "arm_by_month_test",
        "random_intercept_sd",
        "population_averaged_probability",
        "population_averaged_difference",
        "population_averaged_ratio",
    ),
    section="mixed",
    figure="monthly",
    options={
        "adjust": partial(checks.names, name="adjust"),
        "points": partial(checks.whole_number, name="points", low=1, high=100),
        "conf_level": checks.confidence,
    },
)

AVERAGE = "average"
SEEN_ONLY = words.text("note.seen_only")


class _Panel(NamedTuple):
    """The rows that were seen, and how columns are built for anyone in any arm and month."""

    y: NDArray[np.float64]
    X: NDArray[np.float64]
    person: NDArray[np.int64]
    months: tuple[float, ...]
    covariates: NDArray[np.float64]
    labels: tuple[str, ...]
    arms: tuple[str, ...]

    def columns(self, person: NDArray[np.int64], month: int, arm: int) -> NDArray[np.float64]:
        """Return rows for these people as if in one arm (0 = reference) at one month."""
        n_months = len(self.months)
        indicator = np.zeros((len(person), n_months * len(self.arms)))
        indicator[:, month] = 1.0
        if arm:
            indicator[:, n_months * arm + month] = 1.0
        return np.hstack([indicator, self.covariates[person]])

    def named(self, note: str) -> str:
        """Return a kernel's note with its columns called by what they hold, not by their position."""
        by_arm = [
            f"month {month:g}" + (f", {arm}" if at else "")
            for at, arm in enumerate(self.arms)
            for month in self.months
        ]
        names = [*by_arm, *self.labels]

        def place(found: re.Match[str]) -> str:
            return "(" + re.sub(r"\b\d+\b(?! more)", lambda at: names[int(at.group())], found.group(1)) + ")"

        return re.sub(r"\(counted from 0: ([^)]*)\)", place, note)


def mixed(
    trial: Trial,
    endpoint: Endpoint,
    *,
    adjust: Iterable[str] | None = None,
    points: int = 25,
    conf_level: float = 0.95,
    name: str = "mixed",
) -> Results:
    """Random-intercept logistic regression of a repeated yes or no: log-odds, and probabilities per arm.

    The model has a level per month and arm, the covariates, and an intercept of each person's own,
    integrated out by adaptive Gauss-Hermite quadrature. Its odds ratios are conditional: they
    compare a person with themselves in the other arm. The population-averaged probabilities beside
    them integrate over the intercepts, standardised over everyone randomised, seen or not; their
    difference is what a rate difference estimates. Its limits are joined from those of both arms, on
    the logit scale, and stay within -1 and 1; its test is Wald's, on the scale of the difference.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        A yes or no at several months, such as ``ips.employed_at(month=[6, 18, 30])``.
    adjust : iterable of str, optional
        Covariates and site; by default the strata of the randomisation. Sites are fixed effects.
    points : int
        Quadrature points. The answer is checked against more of them, and the row says so if it moves.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per month: conditional log-odds ratio and odds ratio, probabilities of both arms, their
        difference and ratio; the same averaged over the months (term "average"); the standard
        deviation of the intercepts; a Wald test that the log-odds ratio is the same at every month.
        Assessments that were not seen are left out and counted in ``n_missing``.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a repeated yes or no, or covariates that are unknown or incomplete.

    References
    ----------
    Pinheiro & Bates (1995), JCGS 4:12-35, eq. 7; Zeger, Liang & Albert (1988), Biometrics
    44:1049-1060, eq. 2.2; Zou & Donner (2008), Statistics in Medicine 27:1693-1702.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.mixed(ips.example("scion"), ips.employed_at(month=[6, 18, 30], source="visits"))
    >>> row = found.one(quantity="population_averaged_difference", time=30)
    >>> bool(row.conf_low < row.estimate < row.conf_high)
    True
    """
    if endpoint.kind not in DECLARATION.outcomes or len(endpoint.months) < 2 or endpoint.cumulative:
        raise AnalysisError(
            f"{endpoint.key} is not a yes or no at several assessments. "
            f"Use ips.employed_at(month=[6, 18, 30]), or ips.rates for a single month."
        )
    names = trial.design.strata if adjust is None else checks.names(adjust, "adjust")
    checks.whole_number(points, "points", low=1, high=100)
    method = f"adaptive_gauss_hermite_{points}"
    arguments = {"adjust": list(names), "points": points}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    outcome = endpoint.evaluate(trial)
    panel = _panel(trial, outcome, endpoint.months, names)
    if reason := _without_a_model(panel.y):
        for quantity in DECLARATION.quantities:
            sheet.add(quantity, method=method, note=reason)
        return sheet.results()
    with sheet.attempt(*DECLARATION.quantities, method=method):
        fit = _fit(panel, points)
        row = {"method": method, **remarks(panel.named(fit.note).rstrip("."), _seen_only(outcome))}
        _conditional(sheet, outcome, panel, fit, row)
        _averaged(sheet, outcome, panel, fit, row)
    return sheet.results()


def _without_a_model(answers: NDArray[np.float64]) -> str:
    """Return why there are no odds to model: nothing known, or nobody or everybody with the outcome."""
    if not len(answers):
        return NOBODY
    return "" if np.ptp(answers) else EVERYBODY_HAD_IT if answers[0] else NOBODY_HAD_IT


def _fit(panel: _Panel, points: int) -> RandomInterceptLogistic:
    """Return the fitted model, or refuse with the reason in terms of months and covariates."""
    try:
        fit = random_intercept_logistic(panel.y, panel.X, panel.person, points=points)
    except AnalysisError as refusal:
        raise AnalysisError(panel.named(str(refusal))) from None
    if not fit.converged:
        raise AnalysisError(panel.named(fit.note))
    return fit


def _seen_only(outcome: pd.DataFrame) -> str:
    return "" if outcome["known"].all() else SEEN_ONLY


def _panel(trial: Trial, outcome: pd.DataFrame, months: tuple[float, ...], adjust: tuple[str, ...]) -> _Panel:
    """Return the seen rows, one column per month, per month and active arm, and per covariate."""
    covariates, labels = adjustment(trial, adjust)
    arms = trial.design.arms
    nobody = np.empty(0, dtype=np.int64)
    empty = _Panel(np.empty(0), np.empty((0, 0)), nobody, months, covariates, tuple(labels), arms)
    arm = np.asarray(trial.arm.codes, dtype=np.int64)
    blocks, answers, who = [], [], []
    for at, month in enumerate(months):
        rows = outcome.loc[outcome["month"] == month]
        known = rows["known"].to_numpy(dtype=bool)
        for code in range(len(arms)):
            person = np.flatnonzero(known & (arm == code))
            blocks.append(empty.columns(person, at, code))
            answers.append(rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)[person])
            who.append(person)
    return empty._replace(y=np.concatenate(answers), X=np.vstack(blocks), person=np.concatenate(who))


def _base(outcome: pd.DataFrame, arm: str | None, month: float | None) -> dict[str, int]:
    """Return people with a known answer, those with yes, and those whose answer is not known."""
    rows = outcome if month is None else outcome.loc[outcome["month"] == month]
    rows = rows if arm is None else rows.loc[(rows["arm"] == arm).to_numpy(dtype=bool)]
    known = rows["known"].to_numpy(dtype=bool)
    if month is None:  # people, not assessments: someone never seen is missing
        seen = pd.Series(known).groupby(rows["participant_id"].to_numpy()).any()
        return {"n": int(seen.sum()), "n_missing": int((~seen).sum())}
    yes = rows["value"].fillna(False).to_numpy(dtype=bool)
    return {"n": int(known.sum()), "n_event": int((known & yes).sum()), "n_missing": int((~known).sum())}


def _at(month: float) -> dict[str, Any]:
    return {"time_from": month, "time": month, "time_unit": "months"}


def _conditional(
    sheet: Sheet, outcome: pd.DataFrame, panel: _Panel, fit: RandomInterceptLogistic, row: dict[str, Any]
) -> None:
    """Write log-odds ratios per month, the spread of the intercepts, and the test of a common ratio."""
    n_months = len(panel.months)
    z = normal_quantile(sheet.conf_level)
    for code, (active, reference) in enumerate(sheet.trial.design.comparisons, start=1):
        label = contrast_label(active, reference)
        at = slice(n_months * code, n_months * (code + 1))
        ratio, spread = fit.coefficients[at], fit.std_error[at]
        for month, value, error in zip(panel.months, ratio, spread, strict=True):
            test = {"statistic": value / error, "p_value": 2 * special.ndtr(-abs(value / error))}
            base = {**row, **_at(month), **_pair_base(outcome, active, reference, month), "contrast": label}
            low, high = value - z * error, value + z * error
            sheet.add(
                "conditional_log_odds_ratio",
                estimate=value,
                std_error=error,
                conf_low=low,
                conf_high=high,
                **test,
                **base,
            )
            limits = {"conf_low": np.exp(low), "conf_high": np.exp(high)}
            sheet.add("conditional_odds_ratio", estimate=np.exp(value), **limits, **test, **base)
        steps = np.diff(np.eye(n_months), axis=0)
        apart = steps @ ratio
        statistic = float(apart @ np.linalg.solve(steps @ fit.covariance[at, at] @ steps.T, apart))
        test = {
            "statistic": statistic,
            "df": n_months - 1.0,
            "p_value": chi_square_p_value(np.asarray(statistic), n_months - 1.0),
        }
        sheet.add(
            "arm_by_month_test", contrast=label, **test, **row, **_pair_base(outcome, active, reference, None)
        )
    low, high = fit.sd_limits(sheet.conf_level)
    base = {**row, **_base(outcome, None, None), "conf_low": low, "conf_high": high, "unit": "log odds"}
    sheet.add("random_intercept_sd", estimate=fit.random_intercept_sd, **base)


def _pair_base(outcome: pd.DataFrame, active: str, reference: str, month: float | None) -> dict[str, int]:
    first, second = (_base(outcome, arm, month) for arm in (active, reference))
    return {name: first[name] + second[name] for name in first}


def _averaged(
    sheet: Sheet, outcome: pd.DataFrame, panel: _Panel, fit: RandomInterceptLogistic, row: dict[str, Any]
) -> None:
    """Write probabilities per arm and month, standardised over everyone randomised, and their contrasts."""
    design = sheet.trial.design
    found = _standardised(panel, fit, design.arms, len(sheet.trial))
    low, high = found.limits(sheet.conf_level)
    place = {label: at for at, label in enumerate(found.target.tolist())}
    whens: list[tuple[float | None, str]] = [
        *((month, f"{month:g}") for month in panel.months),
        (None, AVERAGE),
    ]
    for month, label in whens:
        when = {"term": AVERAGE} if month is None else _at(month)
        for arm in design.arms:
            at = place[f"{arm}|{label}"]
            numbers = {"estimate": found.probability[at], "std_error": found.std_error[at]}
            limits = {"conf_low": low[at], "conf_high": high[at], "unit": "proportion"}
            base = {**row, **when, **_base(outcome, arm, month), "arm": arm}
            sheet.add("population_averaged_probability", **numbers, **limits, **base)
        for active, reference in design.comparisons:
            base = {**row, **when, **_pair_base(outcome, active, reference, month)}
            base["contrast"] = contrast_label(active, reference)
            for measure, unit in (("difference", "proportion"), ("ratio", "ratio")):
                pair = (f"{active}|{label}", f"{reference}|{label}")
                result = found.compare(*pair, measure=measure, conf_level=sheet.conf_level)
                fields = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
                numbers = {field: getattr(result, field) for field in fields}
                if measure == "difference":
                    joined = _joined_limits(found, place[pair[0]], place[pair[1]], sheet.conf_level)
                    numbers |= dict(zip(("conf_low", "conf_high"), joined, strict=True))
                sheet.add(f"population_averaged_{measure}", unit=unit, **numbers, **base)
    sheet.sidecar["population_averaged_covariance"] = found.covariance


def _joined_limits(
    found: PopulationAveraged, active: int, reference: int, conf_level: float
) -> tuple[float, float]:
    """Return limits of a difference of probabilities, joined from the logit limits of both arms.

    Zou & Donner (2008), section 2, with the correlation of the two estimates: the distances of the limits
    from their estimates are added as the sides of a triangle, so that the difference stays within -1 and 1.
    """
    low, high = found.limits(conf_level)
    p, covariance = found.probability, found.covariance
    correlation = covariance[active, reference] / (found.std_error[active] * found.std_error[reference])

    def side(one: float, other: float) -> float:
        return float(np.sqrt(one**2 + other**2 - 2.0 * correlation * one * other))

    difference = float(p[active] - p[reference])
    below = side(p[active] - low[active], high[reference] - p[reference])
    above = side(high[active] - p[active], p[reference] - low[reference])
    return difference - below, difference + above


def _standardised(
    panel: _Panel, fit: RandomInterceptLogistic, arms: tuple[str, ...], people: int
) -> PopulationAveraged:
    """Return the probabilities of everyone as if in each arm, per month and averaged over the months."""
    everyone = np.arange(people)
    rows, target = [], []
    for code, arm in enumerate(arms):
        for at, month in enumerate(panel.months):
            block = panel.columns(everyone, at, code)
            rows += [block, block]
            target += [f"{arm}|{month:g}"] * people + [f"{arm}|{AVERAGE}"] * people
    return population_averaged(fit, np.vstack(rows), target=np.array(target))
