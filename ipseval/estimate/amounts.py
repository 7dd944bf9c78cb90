"""How much: days, weeks, hours or money per person, with many zeros and with people lost on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints.amounts import NO_JOB
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.estimate.unknown import setting_of
from ipseval.results import Declaration, Results
from ipseval.stats import bootstrap, censored_means, means, ranks
from ipseval.trial import Trial

RULES = ("weighted", "as_not_employed", "observed")

DECLARATION = Declaration(
    name="amounts",
    outcomes=("amount",),
    quantities=("mean", "mean_difference", "median", "share_zero", "probability_of_superiority"),
    section="amounts",
    figure="amounts",
    options={
        "missing": partial(checks.one_of, options=RULES, name="missing"),
        "replicates": partial(checks.whole_number, name="replicates", low=100, high=1_000_000),
        "seed": partial(checks.whole_number, name="seed", low=0, high=2**63 - 1),
        "conf_level": checks.confidence,
    },
)

NOT_RECORDED = words.text("note.not_recorded")
BIASED = words.text("note.early_leavers_dropped")
WORKERS_ONLY = words.text("note.workers_only")
NOBODY = words.text("note.nobody")
ACCRUED = words.text("note.accrued")
SEED = 20140601


#: A total is weighted in parts of six months: who is lost counts up to the last part seen in full.
PART_MONTHS = 6


class _Arm(NamedTuple):
    """Amounts of one arm's people whose amount was recorded, and how many were not.

    ``parts`` has a row per person and a column per part of the window, ``ends`` the last day of each.
    """

    parts: NDArray[np.float64]
    ends: NDArray[np.float64]
    is_complete: NDArray[np.bool_]
    followed: NDArray[np.float64]
    n_missing: int
    n_unrecorded: int

    @property
    def amount(self) -> NDArray[np.float64]:
        """What each person accrued by their last day."""
        return np.asarray(self.parts.sum(axis=1))

    def under(self, rule: str) -> _Arm:
        """Return the people who count under a rule."""
        if rule != "observed":
            return self
        keep = self.is_complete
        return self._replace(parts=self.parts[keep], is_complete=keep[keep], followed=self.followed[keep])


def amounts(
    trial: Trial,
    endpoint: Endpoint,
    *,
    missing: str = "weighted",
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
    replicates, seed : int
        Of the bootstrap, which draws people within their arm.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per horizon: the mean of both arms and their difference, in the endpoint's unit, with a
        bootstrap percentile interval (the default) and a t interval beside it; the share with none
        at all; the median; and the probability that someone in the active arm had more than someone
        in the reference arm, ties counting one half.

    Raises
    ------
    AnalysisError
        For an endpoint that is not an amount.

    References
    ----------
    Bang & Tsiatis (2000), Biometrika 87:329-343; Efron & Tibshirani (1993), section 13.3;
    Brunner & Munzel (2000), Biometrical Journal 42:17-25.

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
    checks.one_of(missing, RULES, "missing")
    checks.whole_number(replicates, "replicates", low=100, high=1_000_000)
    checks.whole_number(seed, "seed", low=0, high=2**63 - 1)
    arguments = {"missing": missing, "replicates": replicates}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level), seed)
    sheet.main("bootstrap_percentile", setting_of(missing), "mean_difference")
    sheet.main("", setting_of(missing), "mean")
    sheet.main("", setting_of("as_not_employed"), "median", "share_zero", "probability_of_superiority")
    steps = {month: _steps(endpoint, month) for month in endpoint.months}
    finer = {"by": tuple(sorted(set().union(*steps.values())))} if endpoint.accrues else {}
    outcome = replace(endpoint, **finer).evaluate(trial)
    unit = endpoint.describe(trial.design)["unit"]
    for month in endpoint.months:
        arms = _arms(trial, outcome, steps[month])
        keys = {"time_from": 0.0, "time": month, "time_unit": "months"}
        for rule in RULES:
            _means(sheet, arms, rule, {**keys, "setting": setting_of(rule), "unit": unit}, (replicates, seed))
        _distribution(sheet, arms, {**keys, "setting": setting_of("as_not_employed")}, unit)
    return sheet.results()


def _steps(endpoint: Endpoint, month: float) -> list[float]:
    """Return the months at which the parts of a window end; one part where parts do not add up."""
    inner = np.arange(PART_MONTHS, month, PART_MONTHS) if endpoint.accrues else np.empty(0)
    return [*map(float, inner), month]


def _arms(trial: Trial, outcomes: pd.DataFrame, steps: list[float]) -> dict[str, _Arm]:
    outcome = outcomes.loc[outcomes["month"] == steps[-1]]
    by_step = [outcomes.loc[outcomes["month"] == step, "value"].to_numpy(dtype=np.float64) for step in steps]
    parts = np.diff(np.column_stack([np.zeros(len(outcome)), *by_step]), axis=1)
    ends = np.array([trial.design.horizon_day(step) - 1.0 for step in steps])
    amount = outcome["value"].to_numpy(dtype=np.float64)
    complete = outcome["is_complete"].to_numpy(dtype=bool)
    until = outcome["observed_until"].to_numpy(dtype=np.float64)
    arm, reason = outcome["arm"].to_numpy(), outcome["reason"].to_numpy()
    recorded = ~np.isnan(amount)
    made = {}
    for name in trial.design.arms:
        rows = recorded & (arm == name)
        # Someone without a job has no tenure: there is nothing unknown about it.
        unknown = int(((arm == name) & ~(recorded & complete) & (reason != NO_JOB)).sum())
        unrecorded = int(((arm == name) & np.isnan(amount) & (reason != NO_JOB)).sum())
        made[name] = _Arm(parts[rows], ends, complete[rows], until[rows], unknown, unrecorded)
    return made


def _said(sheet: Sheet, arms: list[_Arm], rule: str) -> list[str]:
    """Return what must be said of a number under a rule."""
    incomplete = any(not data.is_complete.all() for data in arms)
    said = [WORKERS_ONLY] if sheet.endpoint is not None and sheet.endpoint.name == "job_tenure" else []
    said += [NOT_RECORDED] if any(data.n_unrecorded for data in arms) else []
    said += [BIASED] if rule == "observed" and incomplete else []
    return said + ([ACCRUED] if rule == "as_not_employed" and incomplete else [])


def _mean(data: _Arm, rule: str, conf_level: float) -> Any:
    if rule == "weighted":
        return censored_means.partitioned_mean_amount(*data[:4], conf_level=conf_level)
    return means.mean(data.under(rule).amount, conf_level=conf_level)


def _columns(found: Any, said: Iterable[str] = ()) -> dict[str, Any]:
    """Return the columns of a kernel's answer: its numbers, and its note after what is said anyway."""
    names = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
    numbers = {name: getattr(found, name) for name in names if hasattr(found, name)}
    return numbers | remarks(*said, getattr(found, "note", "").rstrip("."))


def _means(
    sheet: Sheet, arms: dict[str, _Arm], rule: str, keys: dict[str, Any], drawing: tuple[int, int]
) -> None:
    """Write the mean of each arm and the differences under one rule."""
    level = sheet.conf_level
    robust = "bang_tsiatis" if rule == "weighted" else "t"
    for arm, data in arms.items():
        row = {
            **keys,
            "arm": arm,
            "n": len(data.under(rule).amount),
            "n_missing": data.n_missing,
            "method": robust,
        }
        with sheet.attempt("mean", **row):
            sheet.add("mean", **_columns(_mean(data, rule, level), _said(sheet, [data], rule)), **row)
    for active, reference in sheet.trial.design.comparisons:
        pair = [arms[active], arms[reference]]
        counted = [data.under(rule) for data in pair]
        said = _said(sheet, pair, rule)
        row = {**keys, "contrast": contrast_label(active, reference)}
        row |= {
            "n": sum(len(data.amount) for data in counted),
            "n_missing": sum(data.n_missing for data in pair),
        }
        method = robust if rule == "weighted" else "welch"
        with sheet.attempt("mean_difference", method=method, **row):
            if rule == "weighted":
                found = censored_means.censored_mean_difference(
                    *(_mean(data, rule, level) for data in pair), conf_level=level
                )
            else:
                found = means.mean_difference(*(data.amount for data in counted), conf_level=level)
            sheet.add("mean_difference", method=method, **_columns(found, said), **row)
        with sheet.attempt("mean_difference", method="bootstrap_percentile", **row):
            drawn = _bootstrap(counted, rule, level, drawing)
            sheet.add("mean_difference", method="bootstrap_percentile", **_columns(drawn, said), **row)


def _bootstrap(
    pair: list[_Arm], rule: str, conf_level: float, drawing: tuple[int, int]
) -> bootstrap.BootstrapInterval:
    """Return the difference with a percentile interval; the weights are estimated anew in each draw."""
    replicates, seed = drawing
    if rule != "weighted":
        both = (data.amount for data in pair)
        return bootstrap.bootstrap_mean_difference(
            *both, replicates=replicates, seed=seed, conf_level=conf_level
        )
    split = len(pair[0].amount)

    def difference(counts: NDArray[np.intp]) -> NDArray[np.float64]:
        drawn = (counts[:, :split], counts[:, split:])
        found = [
            censored_means.partitioned_mean_replicates(*data[:4], count)
            for data, count in zip(pair, drawn, strict=True)
        ]
        return found[0] - found[1]

    cells = np.repeat([1, 0], [split, len(pair[1].amount)])
    estimate = float(difference(np.ones((1, len(cells)), dtype=np.intp))[0])
    draws = bootstrap.bootstrap_draws(difference, cells, replicates=replicates, seed=seed)
    return bootstrap.percentile_interval(draws, estimate, conf_level=conf_level)


def _distribution(sheet: Sheet, arms: dict[str, _Arm], keys: dict[str, Any], unit: str) -> None:
    """Write the share with none, the median, and the probability of superiority."""
    for arm, data in arms.items():
        n, none = len(data.amount), int((data.amount == 0).sum())
        row = {**keys, "arm": arm, "n": n, "n_missing": data.n_missing}
        if not n:
            for quantity in ("share_zero", "median"):
                sheet.add(quantity, status="failed", note=NOBODY, **row)
            continue
        # Whoever had a job had more than none, whether or not it was recorded how much.
        everyone = n + data.n_unrecorded
        said = remarks(*_said(sheet, [data._replace(n_unrecorded=0)], "as_not_employed"))
        share = {"estimate": none / everyone, "n_event": none, "unit": "proportion", **row, "n": everyone}
        sheet.add("share_zero", **share, **said)
        said = remarks(*_said(sheet, [data], "as_not_employed"))
        sheet.add("median", estimate=np.median(data.amount), unit=unit, **row, **said)
    for active, reference in sheet.trial.design.comparisons:
        pair = [arms[active], arms[reference]]
        row = {
            **keys,
            "contrast": contrast_label(active, reference),
            "unit": "proportion",
            "method": "brunner_munzel_logit",
            "n": sum(len(data.amount) for data in pair),
            "n_missing": sum(data.n_missing for data in pair),
        }
        with sheet.attempt("probability_of_superiority", **row):
            found = ranks.probability_of_superiority(
                pair[0].amount, pair[1].amount, conf_level=sheet.conf_level
            )
            beside = _said(sheet, pair, "as_not_employed")
            sheet.add("probability_of_superiority", **_columns(found, beside), **row)
