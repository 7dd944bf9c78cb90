"""How much: days, weeks, hours or money per person, with many zeros and with people lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseval import checks
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts import amounts_by_model, amounts_by_rank
from ipseval.estimate.amounts.amount_people import (
    RULES,
    Arm,
    Pair,
    arms_of,
    columns_of,
    people_of,
    said_of,
    steps_of,
)
from ipseval.estimate.sheet import NOBODY, Sheet, contrast_label, remarks
from ipseval.estimate.unknown import setting_of
from ipseval.results import Declaration, Results
from ipseval.stats import bootstrap, means
from ipseval.stats.amounts import censored_means, ranks
from ipseval.stats.amounts.log_scale_means import (
    LogScaleMean,
    joined_difference,
    log_t_mean,
    workers_difference,
)
from ipseval.trial import Trial

#: Further methods, written only when they are asked for by name.
METHODS = (*amounts_by_rank.METHODS, *amounts_by_model.METHODS)


def chosen_methods(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the further methods asked for; refuse one that does not exist, or a bare text."""
    names = checks.names(methods, "methods")
    for name in names:
        checks.one_of(name, METHODS, "methods")
    return names


DECLARATION = Declaration(
    name="amounts",
    outcomes=("amount",),
    quantities=(
        "mean",
        "mean_difference",
        "mean_ratio",
        "rate_ratio",
        "odds_ratio",
        "median",
        "share_zero",
        "probability_of_superiority",
        "rank_test",
        "location_shift",
        "standardised_mean_difference",
    ),
    section="amounts",
    figure="amounts",
    options={
        "missing": partial(checks.one_of, options=RULES, name="missing"),
        "methods": chosen_methods,
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "replicates": partial(checks.whole_number, name="replicates", low=100, high=1_000_000),
        "seed": partial(checks.whole_number, name="seed", low=0, high=2**63 - 1),
        "conf_level": checks.confidence,
    },
)

SEED = 20140601
_BOOTSTRAP = {"bootstrap_percentile": "percentile", "bootstrap_bca": "bca"}


def amounts(
    trial: Trial,
    endpoint: Endpoint,
    *,
    missing: str = "weighted",
    methods: Iterable[str] = (),
    strata: Iterable[str] | None = None,
    adjust: Iterable[str] = (),
    replicates: int = 2000,
    seed: int = SEED,
    conf_level: float = 0.95,
    name: str = "amounts",
) -> Results:
    """Mean amount per person in each arm, people without any included, and the difference.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        An amount such as ``ips.hours_worked(by=30)``.
    missing : {"weighted", "as_not_employed", "observed"}
        How people lost before the horizon are counted in the main rows; the other ways stand beside
        it. ``weighted``: in each part of six months the people followed to its end (or to death) stand
        for those lost, each by the inverse of the chance to be followed (Bang & Tsiatis, partitioned;
        in one part where parts do not add up, as for the longest job). ``as_not_employed``: nothing is
        added after a person is lost, so that a mean is a lower bound. ``observed``: only people
        followed to the end, which is biased.
    methods : iterable of str
        Further methods, each with rows of its own:

        - ``"wilcoxon"``: the rank-sum test; ``"van_elteren"``: the same within ``strata``, with the
          probability of having had more than someone in the same stratum;
        - ``"hodges_lehmann"``: the median of all differences between two people, with the number of
          those who had none (``n_event``), because with many zeros it sticks to 0;
        - ``"hedges_g"``: the difference in pooled standard deviations (Hedges' g and Cohen's d);
        - ``"ancova"``: the difference in means adjusted by linear regression (HC3), of pseudo-values
          under ``missing="weighted"``;
        - ``"two_part"``: a logistic model of having any and a log-linear model of how much, and the
          means that follow, under the rule ``missing``; under ``"weighted"`` whole records are weighted
          (``missing=weighted_records``), so that people lost early stand only through those followed to
          the end;
        - ``"negative_binomial"``: the rate ratio of days or jobs, each person observed for a time of
          their own, and the means over the whole window; ``"hurdle"``: in two parts, the second a
          zero-truncated negative binomial;
        - ``"workers"``: mean and median of those who had any, which is no randomised comparison.
    strata : iterable of str, optional
        Columns of participants for ``"van_elteren"``; by default the strata of the design.
    adjust : iterable of str
        Columns of participants known at randomisation that the models hold beside the arm.
    replicates, seed : int
        Of the bootstrap, which draws people within their arm.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per horizon: the mean of both arms, in the endpoint's unit, with a t interval on the log scale,
        on as many degrees of freedom as people had any, less one; their difference, with a t interval
        (the default) whose degrees of freedom, Satterthwaite's, count the people who had any, beside it
        limits joined from those of both arms with a test that is their inverse, Welch's t interval
        where nobody is weighted, and for the main rule bootstrap intervals: percentiles, and one
        corrected for bias and skewness (BCa); the share with none at all; the median; and the
        probability that someone in the active arm had more than someone in the reference arm, ties
        counting one half. What ``methods`` asks for that cannot be had is a row with its reason. A model's
        rows stand beside the main ones; only the rate ratio, which nothing else answers, is one.

    Raises
    ------
    AnalysisError
        For an endpoint that is not an amount, a method that does not exist, covariates that are
        unknown or incomplete, or covariates without a model to hold them.

    References
    ----------
    Bang & Tsiatis (2000), Biometrika 87:329-343; Satterthwaite (1946), Biometrics Bulletin 2:110-114;
    Zou & Donner (2008), Statistics in Medicine 27:1693-1702 (joined limits);
    Efron & Tibshirani (1993), sections 13.3 and 14.3;
    Brunner & Munzel (2000), Biometrical Journal 42:17-25; van Elteren (1960), Bulletin of the
    International Statistical Institute 37:351-361; Kawaguchi, Koch & Wang (2011), Statistics in
    Biopharmaceutical Research 3:217-231; Duan et al. (1983), Journal of Business & Economic
    Statistics 1:115-126; Lawless (1987), Canadian Journal of Statistics 15:209-225.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.amounts(ips.example("scion"), ips.days_worked(by=30))
    >>> row = found.main.one(quantity="mean_difference")
    >>> bool(row.conf_low < row.estimate < row.conf_high)
    True
    """
    if endpoint.kind not in DECLARATION.outcomes:
        raise AnalysisError(
            f"{endpoint.name} is a {endpoint.kind} outcome; amounts are of days, hours or money. "
            f"Use ips.rates for a yes or no, ips.survival for a time."
        )
    for option, value in (("missing", missing), ("replicates", replicates), ("seed", seed)):
        DECLARATION.options[option](value)
    asked, covariates = _asked(trial, methods, adjust)
    within = trial.design.strata if strata is None else checks.names(strata, "strata")
    arguments: dict[str, Any] = {"missing": missing, "replicates": replicates}
    if asked:
        arguments |= {"methods": list(asked), "strata": list(within), "adjust": list(covariates.names)}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level), seed)
    _main_rows(sheet, missing)
    steps = {month: steps_of(endpoint, month) for month in endpoint.months}
    finer = {"by": tuple(sorted(set().union(*steps.values())))} if endpoint.accrues else {}
    outcome = replace(endpoint, **finer).evaluate(trial)
    unit = endpoint.describe(trial.design)["unit"]
    for month in endpoint.months:
        arms = arms_of(trial, outcome, steps[month])
        when = {"time_from": 0.0, "time": month, "time_unit": "months"}
        for rule in RULES:
            keys = {**when, "setting": setting_of(rule), "unit": unit}
            _means(sheet, arms, rule, keys)
            _differences(sheet, arms, rule, keys)
            if rule == missing:
                _drawn_differences(sheet, arms, rule, keys, (replicates, seed))
        as_seen = {**when, "setting": setting_of("as_not_employed")}
        _distribution(sheet, arms, as_seen, unit)
        amounts_by_rank.by_rank(sheet, arms, as_seen, unit, asked, within)
        amounts_by_model.by_model(sheet, arms, missing, when, unit, asked, covariates, (replicates, seed))
    return sheet.results()


def _asked(
    trial: Trial, methods: Iterable[str], adjust: Iterable[str]
) -> tuple[tuple[str, ...], amounts_by_model.Covariates]:
    """Return the further methods asked for, and what models are adjusted for."""
    asked, names = chosen_methods(methods), checks.names(adjust, "adjust")
    if names and not set(asked) & set(amounts_by_model.METHODS):
        listed = ", ".join(repr(model) for model in amounts_by_model.METHODS)
        raise AnalysisError(
            f"adjust={list(names)} has no model to stand in. Ask for one: methods= with {listed}."
        )
    return asked, amounts_by_model.Covariates.of(trial, names)


def _main_rows(sheet: Sheet, missing: str) -> None:
    """Say which rows hold the default of each quantity."""
    sheet.main("log_t", setting_of(missing), "mean")
    sheet.main("t_workers", setting_of(missing), "mean_difference")
    sheet.main("", setting_of("as_not_employed"), "median", "share_zero", "probability_of_superiority")
    sheet.main("hedges_g", "", "standardised_mean_difference")
    sheet.main("negative_binomial", "", "rate_ratio")
    # The difference answers: what a model says of the same comparison beside it is never a main row.
    sheet.main("t_workers", "", "mean_ratio", "odds_ratio")


def _mean(data: Arm, rule: str, conf_level: float) -> Any:
    if rule == "weighted":
        return censored_means.partitioned_mean_amount(*data[:4], conf_level=conf_level)
    return means.mean(data.under(rule).amount, conf_level=conf_level)


def _log_scale_mean(data: Arm, rule: str, conf_level: float) -> LogScaleMean:
    found = _mean(data, rule, conf_level)
    return log_t_mean(found, data.under(rule).amount, conf_level=conf_level)


def _means(sheet: Sheet, arms: dict[str, Arm], rule: str, keys: dict[str, Any]) -> None:
    """Write the mean of each arm under one rule."""
    for arm, data in arms.items():
        row = {**keys, "arm": arm, "n": len(data.under(rule).amount), "n_missing": data.n_missing}
        with sheet.attempt("mean", method="log_t", **row):
            found = _log_scale_mean(data, rule, sheet.conf_level)
            sheet.add("mean", method="log_t", **columns_of(found, said_of(sheet, [data], rule)), **row)


def _differences(sheet: Sheet, arms: dict[str, Arm], rule: str, keys: dict[str, Any]) -> None:
    """Write the differences under one rule: a t interval that counts the workers, and limits joined."""
    level = sheet.conf_level
    for label, pair in _pairs(sheet, arms):
        row, said = _of_pair(pair, rule, keys, label), said_of(sheet, pair, rule)
        both = [data.under(rule).amount for data in pair]
        with sheet.attempt("mean_difference", method="t_workers", **row):
            found = workers_difference(*(_mean(data, rule, level) for data in pair), *both, conf_level=level)
            sheet.add("mean_difference", method="t_workers", **columns_of(found, said), **row)
        with sheet.attempt("mean_difference", method="log_t_joined", **row):
            limits = (_log_scale_mean(data, rule, level) for data in pair)
            joined = joined_difference(*limits, conf_level=level)
            sheet.add("mean_difference", method="log_t_joined", **columns_of(joined, said), **row)
        if rule == "weighted":
            continue
        with sheet.attempt("mean_difference", method="welch", **row):
            welch = means.mean_difference(*both, conf_level=level)
            sheet.add("mean_difference", method="welch", **columns_of(welch, said), **row)


def _drawn_differences(
    sheet: Sheet, arms: dict[str, Arm], rule: str, keys: dict[str, Any], drawing: tuple[int, int]
) -> None:
    """Write the differences under one rule with both bootstrap intervals, from the same draws."""
    for label, pair in _pairs(sheet, arms):
        row, said = _of_pair(pair, rule, keys, label), said_of(sheet, pair, rule)
        drawn = cache(partial(_draws, (pair[0].under(rule), pair[1].under(rule)), rule, drawing))
        for method, kind in _BOOTSTRAP.items():
            with sheet.attempt("mean_difference", method=method, **row):
                interval = drawn().interval(kind, sheet.conf_level)
                sheet.add("mean_difference", method=method, **columns_of(interval, said), **row)


def _pairs(sheet: Sheet, arms: dict[str, Arm]) -> Iterator[tuple[str, Pair]]:
    """Yield what each comparison is called and its arms."""
    for active, reference in sheet.trial.design.comparisons:
        yield contrast_label(active, reference), (arms[active], arms[reference])


def _of_pair(pair: Pair, rule: str, keys: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the keys of a comparison's rows, and how many people it counts."""
    return {**keys, "contrast": label, **people_of(pair, [data.under(rule) for data in pair])}


class _Draws(NamedTuple):
    """Bootstrap replicates of a difference in means; ``note`` says why no interval can be made of them."""

    draws: NDArray[np.float64]
    estimate: float
    acceleration: float
    note: str

    def interval(self, kind: str, conf_level: float) -> bootstrap.BootstrapInterval:
        """Return the percentile or the BCa interval."""
        if kind == "percentile":
            found = bootstrap.percentile_interval(self.draws, self.estimate, conf_level=conf_level)
        else:
            found = bootstrap.bca_interval(
                self.draws, self.estimate, self.acceleration, conf_level=conf_level
            )
        if not self.note:
            return found
        nan = float("nan")
        return found._replace(std_error=nan, conf_low=nan, conf_high=nan, note=self.note)


def _draws(pair: Pair, rule: str, drawing: tuple[int, int]) -> _Draws:
    """Draw people within their arm; weights are estimated anew in each draw."""
    replicates, seed = drawing
    split = len(pair[0].amount)

    def difference(counts: NDArray[np.intp]) -> NDArray[np.float64]:
        drawn = (counts[:, :split], counts[:, split:])
        found = [_replicates(data, rule, count) for data, count in zip(pair, drawn, strict=True)]
        return found[0] - found[1]

    arms = [_mean(data, rule, 0.95) for data in pair]
    cells = np.repeat([1, 0], [split, len(pair[1].amount)])
    influence = [
        sign * (found.influence if rule == "weighted" else data.amount - found.estimate) / len(data.amount)
        for sign, found, data in zip((1, -1), arms, pair, strict=True)
    ]
    counted = [found.n_complete if rule == "weighted" else found.n for found in arms]
    return _Draws(
        draws=bootstrap.bootstrap_draws(difference, cells, replicates=replicates, seed=seed),
        estimate=float(difference(np.ones((1, len(cells)), dtype=np.intp))[0]),
        acceleration=bootstrap.acceleration_of(np.concatenate(influence)),
        note=means.TOO_FEW if min(counted) < 2 else "",
    )


def _replicates(data: Arm, rule: str, counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean of one arm in each draw."""
    if rule == "weighted":
        return censored_means.partitioned_mean_replicates(*data[:4], counts)
    drawn: NDArray[np.float64] = counts @ data.amount / counts.sum(axis=1)
    return drawn


def _distribution(sheet: Sheet, arms: dict[str, Arm], keys: dict[str, Any], unit: str) -> None:
    """Write the share with none, the median, and the probability of superiority."""
    for arm, data in arms.items():
        n, none = len(data.amount), int((data.amount == 0).sum())
        row = {**keys, "arm": arm, "n": n, "n_missing": data.n_missing}
        if not n:
            for quantity in ("share_zero", "median"):
                sheet.add(quantity, note=NOBODY, **row)
            continue
        # Whoever had a job had more than none, whether or not it was recorded how much.
        everyone = n + data.n_unrecorded
        any_hours = data._replace(n_unrecorded=0, is_assumed=np.zeros(n, dtype=bool))
        said = remarks(*said_of(sheet, [any_hours], "as_not_employed"))
        share = {"estimate": none / everyone, "n_event": none, "unit": "proportion", **row, "n": everyone}
        sheet.add("share_zero", **share, **said)
        said = remarks(*said_of(sheet, [data], "as_not_employed"))
        sheet.add("median", estimate=np.median(data.amount), unit=unit, **row, **said)
    for label, pair in _pairs(sheet, arms):
        row = {
            **keys,
            "contrast": label,
            "unit": "proportion",
            "method": "brunner_munzel_logit",
            **people_of(pair, pair),
        }
        with sheet.attempt("probability_of_superiority", **row):
            found = ranks.probability_of_superiority(
                pair[0].amount, pair[1].amount, conf_level=sheet.conf_level
            )
            beside = said_of(sheet, pair, "as_not_employed")
            sheet.add("probability_of_superiority", **columns_of(found, beside), **row)
