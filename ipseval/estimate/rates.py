"""How many people had the outcome in each arm, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints import time_to_first_job
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate import adjusted_rates, stratified_rates, unknown
from ipseval.estimate.arm_times import arm_times
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results import Declaration, Results
from ipseval.results.setting import setting
from ipseval.stats import association, proportions, two_proportions
from ipseval.stats.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.stats.standardisation import ESTIMANDS
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
        "homogeneity_test",
    ),
    section="rates",
    figure="rates",
    options={
        "missing": partial(checks.one_of, options=MISSING_RULES, name="missing"),
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "estimand": partial(checks.one_of, options=ESTIMANDS, name="estimand"),
        "replicates": partial(checks.whole_number, name="replicates", low=100, high=1_000_000),
        "seed": partial(checks.whole_number, name="seed", low=0, high=2**63 - 1),
        "conf_level": checks.confidence,
    },
)

#: The methods reported for each quantity; the first is the default, the others stand beside it.
METHODS: dict[str, tuple[str, ...]] = {
    "proportion": ("wilson", "clopper_pearson", "mid_p", "jeffreys", "agresti_coull", "wald"),
    "risk_difference": ("newcombe", "miettinen_nurminen", "agresti_caffo", "wald"),
    "risk_ratio": ("miettinen_nurminen", "koopman", "log"),
    "odds_ratio": ("miettinen_nurminen", "wald", "conditional_exact", "mid_p"),
    "association_test": ("n_minus_1_chi_square", "chi_square", "fisher_exact"),
}

NOT_FOLLOWED = words.text("note.not_followed_so_far")
SEED = 20140601
THROUGH_INFINITY = words.text("note.through_infinity")

_RATIOS = {"risk_ratio": two_proportions.risk_ratio, "odds_ratio": two_proportions.odds_ratio}

Keys = dict[str, Any]
Codes = NDArray[np.intp]


def rates(
    trial: Trial,
    endpoint: Endpoint,
    *,
    missing: str | None = None,
    strata: Iterable[str] | None = None,
    adjust: Iterable[str] = (),
    estimand: str = "population",
    replicates: int = 2000,
    seed: int = SEED,
    conf_level: float = 0.95,
    name: str = "rates",
) -> Results:
    """Proportion with the outcome per arm, with Wilson limits, and the difference with Newcombe's.

    Beside these unadjusted main rows stand the common effects over the strata of randomisation and, if
    asked for, effects adjusted for covariates.

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
    strata : iterable of str, optional
        Columns of participants over which common effects are taken, and within which people were
        randomised; by default the strata of the design. ``()`` for none, as after minimisation,
        whose factors belong in ``adjust``.
    adjust : iterable of str
        Columns of participants known at randomisation: declared covariates, or the site. A note
        says so where strata of the randomisation are left out of them.
    estimand : {"population", "sample"}
        Whether an adjusted effect is in the population that these people were drawn from, or in
        people with exactly these covariates.
    replicates, seed : int
        Of the bootstrap of adjusted effects, which draws people within arm and stratum.
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

        Under the rule of the main rows, with ``strata=site`` in ``setting``: the Mantel-Haenszel
        difference (Sato's variance), score and Newcombe intervals over strata, Mantel-Haenszel
        ratios, the Cochran-Mantel-Haenszel test, and Breslow and Day's test that the odds ratio is
        the same everywhere (Tarone's correction). With ``adjust=...`` in ``setting``: proportions
        and their contrasts standardised over everybody's covariates from a logistic regression,
        with the variance of Ye et al. less what randomisation within strata takes off; the
        bootstrap's percentile interval; and the ratio of modified Poisson regression, which is the
        ratio at the same covariates. Where the data are separated Firth's penalty stands in, and
        the note says so. The standard error of a ratio is that of its logarithm.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a yes or no; when nothing states how unknowns are counted; for
        strata or covariates that are unknown or incomplete, or a covariate that is the same for all.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Miettinen & Nurminen (1985),
    Statistics in Medicine 4:213-226; Altman (1998), BMJ 317:1309-1312; Sato (1989), Biometrics
    45:1323-1324; Yan & Su (2010), Statistics in Biopharmaceutical Research 2:329-335; Ye et al.
    (2023), Statistical Theory and Related Fields 7:159-163; Zou (2004), American Journal of
    Epidemiology 159:702-706.

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
    ask = _ask(trial, rule, strata, adjust, {"estimand": estimand, "replicates": replicates, "seed": seed})
    sheet = Sheet(trial, DECLARATION, name, endpoint, ask.arguments, checks.confidence(conf_level))
    if ask.model:
        sheet.seed = seed
    for quantity, methods in METHODS.items():
        sheet.main(methods[0], unknown.setting_of(ask.rule), quantity)
    sheet.main("newcombe", unknown.setting_of(ask.rule), "number_needed_to_treat")
    outcome = endpoint.evaluate(trial)
    for month in endpoint.months:
        rows = outcome.loc[outcome["month"] == month]
        followed = trial.is_followed_to(trial.design.horizon_day(month)) | trial.died
        when = {"time_from": 0.0 if endpoint.cumulative else month, "time": month, "time_unit": "months"}
        for way in unknown.RULES:
            keys = {**when, "setting": unknown.setting_of(way), "note": unknown.NOTES.get(way, "")}
            _month(sheet, rows, followed, way, keys, ask)
        if endpoint.name == "ever_employed":
            _censored(sheet, time_to_first_job(month).evaluate(trial), when)
    return sheet.results()


class _Ask(NamedTuple):
    """What the caller wants beside the unadjusted rows, all of it under the rule of the main rows."""

    rule: str
    strata: tuple[str, ...]
    stratum: Codes
    model: adjusted_rates.Model | None
    arguments: Keys


def _ask(
    trial: Trial, rule: str, strata: Iterable[str] | None, adjust: Iterable[str], how: dict[str, Any]
) -> _Ask:
    """Check what the caller asks, and look up strata and covariates."""
    for option, value in how.items():
        DECLARATION.options[option](value)
    columns = trial.design.strata if strata is None else checks.names(strata, "strata")
    names = checks.names(adjust, "adjust")
    arguments = {"missing": rule, "strata": list(columns)}
    return _Ask(
        rule="worst_case" if rule == "best_worst" else rule,
        strata=columns,
        stratum=trial.stratum(columns).to_numpy(dtype=np.intp),
        model=adjusted_rates.model_of(trial, names, columns, **how) if names else None,
        arguments=arguments | ({"adjust": list(names), **how} if names else {}),
    )


def _month(
    sheet: Sheet, outcome: pd.DataFrame, followed: np.ndarray, way: str, keys: Keys, ask: _Ask
) -> None:
    """Write one month's arms and contrasts under one way of counting the unknown."""
    design, is_main = sheet.trial.design, way == ask.rule
    arm, known = outcome["arm"].to_numpy(), outcome["known"].to_numpy(dtype=bool)
    people = unknown.people_counted(outcome, followed, way, arm != design.reference)
    counts = {name: unknown.counted(people, known, arm == name) for name in design.arms}
    for name, count in counts.items():
        _arm(sheet, count, {**keys, "arm": name}, every_method=is_main)
    for pair in design.comparisons:
        arms = (counts[pair[0]], counts[pair[1]])
        both = {field: sum(getattr(count, field) for count in arms) for field in unknown.Counts._fields}
        about = {**keys, **both, "contrast": contrast_label(*pair)}
        _contrast(sheet, arms, about, every_method=is_main)
        if not is_main:
            continue
        yes, included = people
        among = included & np.isin(arm, pair)
        if ask.strata:
            stratified_rates.stratified(
                sheet,
                stratified_rates.table_of(yes[among], (arm == pair[0])[among], ask.stratum[among]),
                about | {"setting": setting(missing=way, strata=ask.strata)},
            )
        if ask.model:
            # Arms adjusted together with one of several others differ from contrast to contrast.
            term = {"term": contrast_label(*pair)} if len(design.comparisons) > 1 else {}
            rows = {name: {**keys, **counts[name]._asdict(), "arm": name, **term} for name in pair}
            rows[contrast_label(*pair)] = about
            adjusted_rates.adjusted(sheet, ask.model, pair, (yes, arm == pair[0], among), way, rows)


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
