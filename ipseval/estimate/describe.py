"""Who was randomised, what became of them, and what is missing?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints import jobs_under_way
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results import Declaration, Results
from ipseval.stats.balance import Balance, balance_binary, balance_categorical, balance_numeric
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="describe",
    outcomes=(),
    quantities=(
        "count",
        "percentage",
        "mean",
        "standard_deviation",
        "median",
        "lower_quartile",
        "upper_quartile",
        "standardised_mean_difference",
    ),
    section="people",
    options={"variables": partial(checks.names, name="variables")},
)

FLOW, BASELINE, ASSESSED = "flow", "baseline", "assessed"
DISTRIBUTION = ("mean", "standard_deviation", "lower_quartile", "median", "upper_quartile")
NO_VALUE = words.text("note.no_value_in_arm")


def describe(trial: Trial, *, variables: Iterable[str] | None = None, name: str = "describe") -> Results:
    """Participants per arm: their flow through the trial, who they were, and who was assessed.

    Baseline differences come with standardised mean differences and without p values: after a
    randomisation every difference is chance, and a test of it answers no question.

    Parameters
    ----------
    trial : Trial
    variables : iterable of str, optional
        Baseline columns; by default site and every covariate that the trial declares.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        ``setting`` says which part a row belongs to. "flow": people randomised, by reason for the
        end of follow-up, and with a competitive job under way at randomisation. "baseline": numbers
        as mean, standard deviation, median and quartiles, categories as percentages of the people
        with a value (``n``; the others are in ``n_missing``). "assessed": people seen per visit.

    Raises
    ------
    AnalysisError
        For a variable that participants do not have.

    References
    ----------
    Austin (2009), Statistics in Medicine 28:3083-3107 (standardised differences); CONSORT 2025.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.describe(ips.example("scion"))
    >>> int(found.one(term="randomised", arm="IPS").estimate)
    70
    """
    wanted = _default_variables(trial) if variables is None else list(checks.names(variables, "variables"))
    strange = [column for column in wanted if column not in trial.participants]
    if strange:
        known = checks.named_list([str(column) for column in trial.participants.columns], 12)
        raise AnalysisError(f"participants have no {checks.named_list(strange)} (found: {known}).")
    sheet = Sheet(trial, DECLARATION, name, arguments={"variables": wanted})
    _flow(sheet)
    for column in wanted:
        _baseline(sheet, column)
    _assessed(sheet)
    return sheet.results()


def _default_variables(trial: Trial) -> list[str]:
    site = ["site"] if "site" in trial.participants else []
    return site + [column for column in trial.covariates if column in trial.participants]


def _members(trial: Trial) -> dict[str, NDArray[np.bool_]]:
    codes = np.asarray(trial.arm.codes)
    return {arm: codes == at for at, arm in enumerate(trial.design.arms)}


def _flow(sheet: Sheet) -> None:
    """Write how many were randomised, how follow-up ended, and who already had a job."""
    people = sheet.trial.participants
    groups = {"randomised": np.ones(len(people), dtype=bool)}
    if "end_reason" in people:
        reasons = people["end_reason"].astype("string")
        groups |= {
            f"end_reason={reason}": (reasons == reason).fillna(False).to_numpy(dtype=bool)
            for reason in sorted(set(reasons.dropna()))
        }
        if reasons.isna().any():
            groups["end_reason=not_recorded"] = reasons.isna().to_numpy(dtype=bool)
    if "jobs" in sheet.trial.tables:
        groups["job_under_way"] = jobs_under_way(sheet.trial)
    for arm, member in _members(sheet.trial).items():
        for term, group in groups.items():
            count = int((member & group).sum())
            sheet.add(
                "count",
                estimate=count,
                n=int(member.sum()),
                n_event=count,
                term=term,
                arm=arm,
                setting=FLOW,
                unit="people",
            )


def _baseline(sheet: Sheet, column: str) -> None:
    values = sheet.trial.participants[column]
    if pd.api.types.is_bool_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype):
        _category(sheet, column, values.astype("string"))
    elif pd.api.types.is_numeric_dtype(values.dtype):
        _number(sheet, column, values)
    else:
        sheet.add(
            "mean", term=column, setting=BASELINE, status="failed", note="neither a number nor a category"
        )


def _number(sheet: Sheet, column: str, values: pd.Series) -> None:
    """Write the distribution of a number in each arm, and how far apart the arms are."""
    variable = sheet.trial.covariates.get(column)
    unit = variable.unit if variable else ""
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    present = ~np.isnan(numbers)
    seen = {arm: numbers[member & present] for arm, member in _members(sheet.trial).items()}
    for arm, member in _members(sheet.trial).items():
        known = seen[arm]
        keys = {"term": column, "arm": arm, "setting": BASELINE, "unit": unit}
        people = {"n": len(known), "n_missing": int(member.sum()) - len(known)}
        if not len(known):
            for quantity in DISTRIBUTION:
                sheet.add(quantity, note=NO_VALUE, **keys, **people)
            continue
        quartiles = np.quantile(known, [0.25, 0.5, 0.75])
        sheet.add("mean", estimate=known.mean(), **keys, **people)
        spread = known.std(ddof=1) if len(known) > 1 else np.nan
        alone = "" if len(known) > 1 else "one person has no spread"
        sheet.add("standard_deviation", estimate=spread, **keys, **people, **remarks(alone))
        for quantity, value in zip(("lower_quartile", "median", "upper_quartile"), quartiles, strict=True):
            sheet.add(quantity, estimate=value, **keys, **people)
    for active, reference in sheet.trial.design.comparisons:
        label = contrast_label(active, reference)
        with sheet.attempt("standardised_mean_difference", term=column, contrast=label, setting=BASELINE):
            _balance(sheet, column, label, balance_numeric(seen[active], seen[reference]))


def _category(sheet: Sheet, column: str, values: pd.Series) -> None:
    """Write the share of each category in each arm, and how far apart the arms are."""
    present = values.notna().to_numpy()
    levels = sorted(set(values.dropna()))
    counts: dict[str, list[int]] = {}
    for arm, member in _members(sheet.trial).items():
        known = member & present
        n = int(known.sum())
        counts[arm] = [
            int(((values == level).fillna(False).to_numpy(dtype=bool) & member).sum()) for level in levels
        ]
        for level, count in zip(levels, counts[arm], strict=True):
            keys = {"term": f"{column}={level}", "arm": arm, "setting": BASELINE, "unit": "proportion"}
            people = {"n": n, "n_event": count, "n_missing": int(member.sum()) - n}
            sheet.add("percentage", estimate=count / n if n else np.nan, **keys, **people)
    for active, reference in sheet.trial.design.comparisons:
        label = contrast_label(active, reference)
        with sheet.attempt("standardised_mean_difference", term=column, contrast=label, setting=BASELINE):
            first, second = counts[active], counts[reference]
            if len(levels) == 2:
                found = balance_binary(first[1], sum(first), second[1], sum(second))
            else:
                found = balance_categorical(first, second)
            _balance(sheet, column, label, found)


def _balance(sheet: Sheet, column: str, label: str, found: Balance) -> None:
    keys = {"term": column, "contrast": label, "setting": BASELINE, "n": found.n_1 + found.n_0}
    said = remarks(found.note.rstrip("."))
    sheet.add("standardised_mean_difference", estimate=found.estimate, **keys, **said)


def _assessed(sheet: Sheet) -> None:
    """Write how many people of each arm were seen at each planned visit."""
    trial = sheet.trial
    if "visits" not in trial.tables:
        return
    visits = trial.table("visits")
    seen = visits.loc[visits["visited_on"].notna()] if "visited_on" in visits else visits
    for month in trial.design.assessment_months:
        here = seen.loc[(seen["visit_month"] == month).fillna(False), "participant_id"]
        assessed = trial.participants["participant_id"].isin(here).to_numpy(dtype=bool)
        for arm, member in _members(trial).items():
            count, n = int((assessed & member).sum()), int(member.sum())
            keys = {
                "term": "assessed",
                "arm": arm,
                "setting": ASSESSED,
                "time": float(month),
                "time_unit": "months",
                "unit": "proportion",
            }
            sheet.add(
                "percentage",
                estimate=count / n if n else np.nan,
                n=n,
                n_event=count,
                n_missing=n - count,
                **keys,
            )
