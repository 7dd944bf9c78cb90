"""How many people had the outcome in each arm, and how do the arms differ?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ipseval import checks, words
from ipseval.endpoints import time_to_first_job
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate import unknown
from ipseval.estimate.arm_times import arm_times
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results import Declaration, Results
from ipseval.stats import association, proportions, two_proportions
from ipseval.stats.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.trial import MISSING_RULES, Trial

DECLARATION = Declaration(
    name="rates",
    outcomes=("binary",),
    quantities=(
        "proportion",
        "risk_difference",
        "risk_ratio",
        "odds_ratio",
        "number_needed_to_treat",
        "association_test",
    ),
    section="rates",
    figure="rates",
    options={
        "missing": partial(checks.one_of, options=MISSING_RULES, name="missing"),
        "conf_level": checks.confidence,
    },
)

#: The methods reported for each quantity; the first is the default, the others stand beside it.
METHODS: dict[str, tuple[str, ...]] = {
    "proportion": ("wilson", "clopper_pearson", "mid_p", "jeffreys", "agresti_coull", "wald"),
    "risk_difference": ("newcombe", "miettinen_nurminen", "agresti_caffo", "wald"),
    "risk_ratio": ("miettinen_nurminen", "koopman", "log"),
    "odds_ratio": ("miettinen_nurminen", "wald", "conditional_exact"),
    "association_test": ("n_minus_1_chi_square", "chi_square", "fisher_exact"),
}

NOT_FOLLOWED = words.text("note.not_followed_so_far")
THROUGH_INFINITY = words.text("note.through_infinity")

_RATIOS = {"risk_ratio": two_proportions.risk_ratio, "odds_ratio": two_proportions.odds_ratio}

Keys = dict[str, Any]


def rates(
    trial: Trial,
    endpoint: Endpoint,
    *,
    missing: str | None = None,
    conf_level: float = 0.95,
    name: str = "rates",
) -> Results:
    """Proportion with the outcome per arm, with Wilson limits, and the difference with Newcombe's.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        A yes-or-no outcome such as ``ips.ever_employed(by=[18, 24, 30])``.
    missing : {"as_not_employed", "observed", "best_worst"}, optional
        How people with an unknown outcome are counted in the main rows; by default as the trial's
        mapping states, and refused when it states nothing. The other ways of counting always stand
        beside it, named in ``setting``. Under ``best_worst`` the worst case for the active arm is
        the main row, so that nothing is promised that the unknown could take away.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per month: both arms and each contrast. Proportions and differences are fractions (0.12 is
        12 percentage points). Every interval method stands in its own row; ``.main`` keeps the
        defaults (Wilson; Newcombe; score intervals for the ratios) under the stated rule.
        The number needed to treat runs through infinity when the difference's interval holds 0:
        its limits are then written (benefit limit, harm limit) and the note says so.
        For ``ever_employed`` the cumulative incidence at the horizon, where people leave the
        denominator on the day they are lost, stands beside as ``missing=censored``.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a yes or no, or when nothing states how unknowns are counted.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Miettinen & Nurminen (1985),
    Statistics in Medicine 4:213-226; Altman (1998), BMJ 317:1309-1312.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
    >>> row = found.main.one(quantity="proportion", arm="IPS")
    >>> print(f"{row.n_event} of {row.n}: {row.estimate:.1%}")
    31 of 70: 44.3%
    """
    if endpoint.kind not in DECLARATION.outcomes:
        raise AnalysisError(
            f"{endpoint.name} is a {endpoint.kind} outcome; rates are of yes-or-no outcomes. "
            f"Use ips.survival for a time, ips.amounts for an amount."
        )
    rule = unknown.stated_rule(missing, trial.design)
    sheet = Sheet(trial, DECLARATION, name, endpoint, {"missing": rule}, checks.confidence(conf_level))
    first = "worst_case" if rule == "best_worst" else rule
    for quantity, methods in METHODS.items():
        sheet.main(methods[0], unknown.setting_of(first), quantity)
    sheet.main("newcombe", unknown.setting_of(first), "number_needed_to_treat")
    outcome = endpoint.evaluate(trial)
    for month in endpoint.months:
        rows = outcome.loc[outcome["month"] == month]
        followed = trial.is_followed_to(trial.design.horizon_day(month)) | trial.died
        when = {"time_from": 0.0 if endpoint.cumulative else month, "time": month, "time_unit": "months"}
        for way in unknown.RULES:
            keys = {**when, "setting": unknown.setting_of(way), "note": unknown.NOTES.get(way, "")}
            _month(sheet, rows, followed, way, keys, every_method=way == first)
        if endpoint.name == "ever_employed":
            _censored(sheet, time_to_first_job(month).evaluate(trial), when)
    return sheet.results()


def _month(
    sheet: Sheet, outcome: pd.DataFrame, followed: np.ndarray, rule: str, keys: Keys, *, every_method: bool
) -> None:
    """Write one month's arms and contrasts under one way of counting the unknown."""
    design = sheet.trial.design
    arm = outcome["arm"].to_numpy()
    counts = {
        name: unknown.counted(
            outcome[arm == name], followed[arm == name], rule, is_active=name != design.reference
        )
        for name in design.arms
    }
    for name, count in counts.items():
        _arm(sheet, count, {**keys, "arm": name}, every_method=every_method)
    for active, reference in design.comparisons:
        pair = (counts[active], counts[reference])
        people = {field: sum(getattr(count, field) for count in pair) for field in unknown.Counts._fields}
        _contrast(
            sheet,
            pair,
            {**keys, **people, "contrast": contrast_label(active, reference)},
            every_method=every_method,
        )


def _censored(sheet: Sheet, outcome: pd.DataFrame, when: Keys) -> None:
    """Write each arm's cumulative incidence at the horizon, with death competing."""
    cut = sheet.trial.design.horizon_day(float(when["time"]))
    for arm, data in arm_times(sheet.trial, outcome).items():
        keys = {**when, "arm": arm, "setting": unknown.setting_of("censored"), "method": "aalen_johansen"}
        keys |= data.base(cut)
        with sheet.attempt("proportion", **keys):
            curve = cumulative_incidence(data.days, data.cause, conf_level=sheet.conf_level)
            last = incidence_at(curve, [cut - 1])
            numbers = {name: getattr(last, name)[0] for name in ("std_error", "conf_low", "conf_high")}
            estimate = last.incidence[0] if data.shows(cut - 1) else np.nan
            said = remarks("" if data.shows(cut - 1) else NOT_FOLLOWED)
            sheet.add("proportion", estimate=estimate, unit="proportion", **numbers, **keys | said)


def _methods(quantity: str, every_method: bool) -> tuple[str, ...]:
    return METHODS[quantity] if every_method else METHODS[quantity][:1]


def _arm(sheet: Sheet, count: unknown.Counts, keys: Keys, *, every_method: bool) -> None:
    x, n = count.n_event, count.n
    row = {"estimate": x / n if n else np.nan, "unit": "proportion", **count._asdict(), **keys}
    for method in _methods("proportion", every_method):
        low, high = proportions.proportion_interval(x, n, method=method, conf_level=sheet.conf_level)
        sheet.add("proportion", method=method, conf_low=low, conf_high=high, **row)


def _contrast(
    sheet: Sheet, arms: tuple[unknown.Counts, unknown.Counts], keys: Keys, *, every_method: bool
) -> None:
    """Write the difference, the ratios, the number needed to treat and the tests of one contrast."""
    table = (arms[0].n_event, arms[0].n, arms[1].n_event, arms[1].n)
    for method in _methods("risk_difference", every_method):
        found = two_proportions.risk_difference(*table, method=method, conf_level=sheet.conf_level)
        sheet.add("risk_difference", method=method, unit="proportion", **found._asdict(), **keys)
    if not every_method:  # beside the main way of counting, arms and difference say how far it matters
        return
    for quantity, kernel in _RATIOS.items():
        for method in _methods(quantity, every_method):
            ratio = kernel(*table, method=method, conf_level=sheet.conf_level)
            limits = {"conf_low": ratio.conf_low, "conf_high": ratio.conf_high}
            sheet.add(quantity, estimate=ratio.estimate, method=method, unit="ratio", **limits, **keys)
    _number_needed(sheet, table, keys)
    for method in _methods("association_test", every_method):
        if method == "fisher_exact":
            sheet.add("association_test", p_value=association.fisher_test(*table), method=method, **keys)
        else:
            test = association.association_test(*table, method=method)
            sheet.add("association_test", method=method, **test._asdict(), **keys)


def _number_needed(sheet: Sheet, table: tuple[int, int, int, int], keys: Keys) -> None:
    """Write the number needed to treat from Newcombe's difference, through infinity where it runs there."""
    difference = two_proportions.risk_difference(*table, method="newcombe", conf_level=sheet.conf_level)
    needed = two_proportions.number_needed_to_treat(
        difference.conf_low, difference.estimate, difference.conf_high
    )
    through = THROUGH_INFINITY if needed.through_infinity else ""
    limits = {"conf_low": needed.conf_low, "conf_high": needed.conf_high}
    row = {**keys, **limits, "unit": "people", **remarks(str(keys["note"]), through)}
    sheet.add("number_needed_to_treat", estimate=needed.estimate, method="newcombe", **row)
