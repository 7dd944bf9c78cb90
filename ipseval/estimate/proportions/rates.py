"""How many people had the outcome in each arm, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints import time_to_first_job
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate import unknown
from ipseval.estimate.proportions import adjusted_rates, clustered_rates, non_inferiority, stratified_rates
from ipseval.estimate.proportions.unadjusted_rates import ALSO, METHODS, View, arm_rows, contrast_rows
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.estimate.times.arm_times import arm_times
from ipseval.estimate.times.time_contrasts import say_also
from ipseval.results import Declaration, Results
from ipseval.results.setting import part_of
from ipseval.stats.proportions.non_inferiority import hypothesis
from ipseval.stats.regression.standardisation import ESTIMANDS
from ipseval.stats.times.cumulative_incidence import cumulative_incidence, incidence_at
from ipseval.trial import MISSING_RULES, Trial


def _difference_margin(value: Any) -> None:
    """Refuse a margin that is not between 0 and 1."""
    hypothesis(value, "difference", higher_is_better=True)


def _ratio_margin(value: Any) -> None:
    """Refuse a margin that is neither a ratio below 1 nor one above."""
    hypothesis(value, "ratio", higher_is_better=not (isinstance(value, int | float) and value > 1))


def _also(value: Any) -> None:
    """Refuse a further method that is not known by name."""
    for name in checks.names(value, "also"):
        checks.one_of(name, ALSO, "also")


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
        "non_inferiority_test",
    ),
    section="rates",
    figure="rates",
    options={
        "missing": partial(checks.one_of, options=MISSING_RULES, name="missing"),
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "estimand": partial(checks.one_of, options=ESTIMANDS, name="estimand"),
        "margin": _difference_margin,
        "ratio_margin": _ratio_margin,
        "higher_is_better": partial(checks.one_of, options=(True, False), name="higher_is_better"),
        "cluster": partial(checks.column, name="cluster"),
        "also": _also,
        "replicates": partial(checks.whole_number, name="replicates", low=100, high=1_000_000),
        "seed": partial(checks.whole_number, name="seed", low=0, high=2**63 - 1),
        "conf_level": checks.confidence,
    },
)

NOBODY = words.text("note.nobody")
NOT_FOLLOWED = words.text("note.not_followed_so_far")
SEED = 20140601
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
    margin: float | None = None,
    ratio_margin: float | None = None,
    higher_is_better: bool = True,
    cluster: str | None = None,
    also: Iterable[str] = (),
    replicates: int = 2000,
    seed: int = SEED,
    conf_level: float = 0.95,
    name: str = "rates",
) -> Results:
    """Proportion with the outcome per arm, with Wilson limits, and the difference with Newcombe's.

    Beside these unadjusted main rows stand the common effects over the strata of randomisation and, if
    asked for, effects adjusted for covariates, tests at a margin of non-inferiority, and effects with the
    variance of people who share a job coach or a site.

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
    margin : float, optional
        The largest loss still accepted, as a difference: 0.10 is 10 percentage points fewer in the
        active arm (more, where lower is better). Stated before the data are seen.
    ratio_margin : float, optional
        The same as a ratio, active over reference: below 1 where higher is better, else above 1.
    higher_is_better : bool
        Whether the outcome is wanted. For an unwanted one, such as an admission, pass False.
    cluster : str, optional
        A column of participants whose people are alike, such as ``"coach"`` or ``"site"``. Where an arm
        has no coaches, everyone there is a cluster of one. Fewer than ten clusters are refused.
    also : iterable of {"exact_unconditional", "yates", "fisher_mid_p", "barnard", "boschloo"}
        Further methods beside those always given. Exact unconditional ones take a second for arms of
        eighty, and longer in proportion to the product of the arms.
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
        the note says so, as it does where it stands in for some replicates of the bootstrap. The standard
        error of a ratio is that of its logarithm.

        With a margin: one-sided score tests at it, the difference or ratio tested in ``setting`` and the
        verdict in ``note``; the verdict goes by the two-sided score interval. Beside them stand the score
        test of the common difference over strata, and the test of the standardised difference or ratio
        where something is adjusted for, each with the verdict of its own interval. With ``cluster=...`` in
        ``setting``: the difference and the ratio with the CR2 variance and Satterthwaite's degrees of
        freedom, unadjusted and for the same covariates; with ``adjust`` also the standardised effects, what
        each cluster adds to them being squared and summed, with t limits on the number of clusters. With a
        margin as well, the t test that goes with each of these intervals, unadjusted and standardised; the
        unadjusted one is then the main test, since the score tests take people as independent.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a yes or no; when nothing states how unknowns are counted; for
        strata or covariates that are unknown or incomplete, or a covariate that is the same for all; for
        a margin on the wrong side of no difference; for clusters that are incomplete or fewer than ten.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Miettinen & Nurminen (1985),
    Statistics in Medicine 4:213-226; Altman (1998), BMJ 317:1309-1312; Sato (1989), Biometrics
    45:1323-1324; Yan & Su (2010), Statistics in Biopharmaceutical Research 2:329-335; Ye et al.
    (2023), Statistical Theory and Related Fields 7:159-163; Zou (2004), American Journal of
    Epidemiology 159:702-706; Farrington & Manning (1990), Statistics in Medicine 9:1447-1454; Bell &
    McCaffrey (2002), Survey Methodology 28:169-181; Chan & Zhang (1999), Biometrics 55:1202-1209.

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
    how = {"estimand": estimand, "replicates": replicates, "seed": seed}
    beside = {"margin": margin, "ratio_margin": ratio_margin, "higher_is_better": higher_is_better}
    ask = _ask(trial, rule, strata, adjust, how, beside, cluster, also)
    sheet = Sheet(trial, DECLARATION, name, endpoint, ask.arguments, checks.confidence(conf_level))
    if ask.model:
        sheet.seed = seed
    for quantity, methods in METHODS.items():
        sheet.main(methods[0], unknown.setting_of(ask.rule), quantity)
    if ask.margins:
        method = clustered_rates.AT_MARGIN if ask.clusters else next(iter(non_inferiority.METHODS))
        sheet.main(method, "", "non_inferiority_test")
    outcome = endpoint.evaluate(trial)
    views = [_views(trial, endpoint, outcome, month, ask.rule) for month in endpoint.months]
    _write(sheet, [view for of_month in views for view in of_month], ask)
    if endpoint.name == "ever_employed":
        for month, of_month in zip(endpoint.months, views, strict=True):
            when = {key: of_month[0].keys[key] for key in ("time_from", "time", "time_unit")}
            _censored(sheet, time_to_first_job(month).evaluate(trial), when)
    if ask.clusters:
        say_also(sheet, clustered_rates.AS_INDEPENDENT, _takes_people_as_independent)
    return sheet.results()


def _takes_people_as_independent(row: Mapping[str, Any]) -> bool:
    """Whether a row has a test at a margin, with a verdict, that knows of no clusters."""
    return row["quantity"] == "non_inferiority_test" and not part_of(row["setting"], "cluster")


class _Ask(NamedTuple):
    """What the caller wants beside the unadjusted rows, all of it under the rule of the main rows."""

    rule: str
    strata: tuple[str, ...]
    stratum: Codes
    model: adjusted_rates.Model | None
    margins: list[non_inferiority.Margin]
    clusters: clustered_rates.Clusters | None
    also: tuple[str, ...]
    arguments: Keys


def _ask(
    trial: Trial,
    rule: str,
    strata: Iterable[str] | None,
    adjust: Iterable[str],
    how: Keys,
    beside: Keys,
    cluster: str | None,
    also: Iterable[str],
) -> _Ask:
    """Check what the caller asks, and look up strata, covariates and clusters."""
    methods = checks.names(also, "also")
    given = {**how, "also": methods} | ({} if cluster is None else {"cluster": cluster})
    for option, value in given.items():
        DECLARATION.options[option](value)
    columns = trial.design.strata if strata is None else checks.names(strata, "strata")
    names = checks.names(adjust, "adjust")
    margins = non_inferiority.margins_of(**beside)
    asked = {"adjust": list(names), **how} if names else {}
    asked |= {key: value for key, value in beside.items() if margins and value is not None}
    asked |= {"cluster": cluster} if cluster else {}
    return _Ask(
        rule="worst_case" if rule == "best_worst" else rule,
        strata=columns,
        stratum=trial.stratum(columns).to_numpy(dtype=np.intp),
        model=adjusted_rates.model_of(trial, names, columns, **how) if names else None,
        margins=margins,
        clusters=clustered_rates.clusters_of(trial, cluster) if cluster else None,
        also=methods,
        arguments={"missing": rule, "strata": list(columns), **asked}
        | ({"also": list(methods)} if methods else {}),
    )


def _views(trial: Trial, endpoint: Endpoint, outcome: pd.DataFrame, month: float, rule: str) -> list[View]:
    """Return one month under every way of counting the unknown."""
    rows = outcome.loc[outcome["month"] == month]
    followed = trial.is_followed_to(trial.design.horizon_day(month)) | trial.died
    when = {"time_from": 0.0 if endpoint.cumulative else month, "time": month, "time_unit": "months"}
    arm, known = rows["arm"].to_numpy(dtype=str), rows["known"].to_numpy(dtype=bool)
    made = []
    for way in unknown.RULES:
        people = unknown.people_counted(rows, followed, way, arm != trial.design.reference)
        counts = {name: unknown.counted(people, known, arm == name) for name in trial.design.arms}
        note = unknown.note_of(way, cumulative=endpoint.cumulative)
        keys = {**when, "setting": unknown.setting_of(way), "note": note}
        made.append(View(keys, way, way == rule, *people, counts))
    return made


def _write(sheet: Sheet, views: list[View], ask: _Ask) -> None:
    """Write every month and way of counting: the arms, and each contrast with all that was asked of it."""
    design, level = sheet.trial.design, sheet.conf_level
    arm = sheet.trial.participants["arm"].to_numpy(dtype=str)
    of_arms = [arm_rows(views, name, level) for name in design.arms]
    of_pairs = []
    for pair in design.comparisons:
        parts = [contrast_rows(views, pair, also=ask.also, conf_level=level)]
        parts.append(non_inferiority.margin_rows(views, pair, ask.margins, also=ask.also, conf_level=level))
        if ask.strata:
            people = (arm, ask.stratum)
            parts.append(stratified_rates.stratified_rows(views, pair, people, ask.strata, level))
            parts.append(
                stratified_rates.stratified_margin_rows(views, pair, people, ask.strata, ask.margins, level)
            )
        of_pairs.append(parts)
    for place, view in enumerate(views):
        for row in chain.from_iterable(rows[place] for rows in of_arms):
            sheet.add(**row)
        for pair, parts in zip(design.comparisons, of_pairs, strict=True):
            for row in chain.from_iterable(rows[place] for rows in parts):
                sheet.add(**row)
            if view.is_main:
                _modelled(sheet, view, pair, arm, ask)
            if ask.clusters:
                _clustered_at_margins(sheet, view, pair, arm, ask)


def _modelled(sheet: Sheet, view: View, pair: tuple[str, str], arm: NDArray[np.str_], ask: _Ask) -> None:
    """Write what one contrast is after adjustment, and with the variance of clusters."""
    about, is_active = view.about(pair), arm == pair[0]
    people = (view.yes, is_active, view.included & np.isin(arm, pair))
    if ask.model:
        # Arms adjusted together with one of several others differ from contrast to contrast.
        term = {"term": contrast_label(*pair)} if len(sheet.trial.design.comparisons) > 1 else {}
        rows = {name: {**view.keys, **view.counts[name]._asdict(), "arm": name, **term} for name in pair}
        rows[contrast_label(*pair)] = about
        adjusted_rates.adjusted(sheet, ask.model, pair, people, view.way, rows, ask.margins)
    if ask.clusters:
        clustered_rates.clustered(sheet, ask.clusters, ask.model, people, view.way, about, ask.margins)


def _clustered_at_margins(
    sheet: Sheet, view: View, pair: tuple[str, str], arm: NDArray[np.str_], ask: _Ask
) -> None:
    """Write the clustered tests at each margin, under the main counting and the least favourable one."""
    told = [margin for margin in ask.margins if view.is_main or view.way == margin.hardest]
    if not (told and ask.clusters):
        return
    people = (view.yes, arm == pair[0], view.included & np.isin(arm, pair))
    method = clustered_rates.AT_MARGIN if view.is_main else clustered_rates.LEAST_FAVOURABLE
    clustered_rates.clustered_at_margins(
        sheet, ask.clusters, people, view.way, view.about(pair), told, method
    )


def _censored(sheet: Sheet, outcome: pd.DataFrame, when: Keys) -> None:
    """Write each arm's cumulative incidence at the horizon, with death competing."""
    cut = sheet.trial.design.horizon_day(float(when["time"]))
    for arm, data in arm_times(sheet.trial, outcome).items():
        keys = {**when, "arm": arm, "setting": unknown.setting_of("censored"), "method": "aalen_johansen"}
        keys |= data.base(cut)
        if not data.days.size:
            sheet.add("proportion", estimate=np.nan, unit="proportion", **keys, note=NOBODY)
            continue
        with sheet.attempt("proportion", **keys):
            curve = cumulative_incidence(data.days, data.cause, conf_level=sheet.conf_level)
            last = incidence_at(curve, [cut - 1])
            numbers = {name: getattr(last, name)[0] for name in ("std_error", "conf_low", "conf_high")}
            estimate = last.incidence[0] if data.shows(cut - 1) else np.nan
            said = remarks("" if data.shows(cut - 1) else NOT_FOLLOWED)
            sheet.add("proportion", estimate=estimate, unit="proportion", **numbers, **keys | said)
