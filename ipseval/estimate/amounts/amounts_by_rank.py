"""Further ways to compare amounts, on request: ranks, shifts, effect sizes, and the workers by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseval import words
from ipseval.estimate.amounts.amount_people import Arm, Pair, columns_of, people_of, said_of
from ipseval.estimate.sheet import NOBODY, Sheet, contrast_label, remarks
from ipseval.results.setting import setting
from ipseval.stats import means
from ipseval.stats.amounts import hodges_lehmann, ranks, stratified_ranks

#: All count everyone by what they accrued.
METHODS = ("wilcoxon", "van_elteren", "hodges_lehmann", "hedges_g", "workers")

MANY_LEVEL = words.text("note.many_level")
NEEDS_STRATA = words.text("note.needs_strata")
SD_WITH_ZEROS = words.text("note.sd_with_zeros")
THOSE_WITH_ANY = words.text("note.those_with_any")

Keys = dict[str, Any]


def by_rank(
    sheet: Sheet,
    arms: dict[str, Arm],
    keys: Keys,
    unit: str,
    methods: tuple[str, ...],
    strata: tuple[str, ...],
) -> None:
    """Write what was asked for at one horizon.

    Parameters
    ----------
    sheet : Sheet
    arms : mapping of str to Arm
    keys : mapping
        Keys of the rows: time and setting.
    unit : str
        Of the amounts.
    methods : tuple of str
        Out of ``METHODS``; others are left to others.
    strata : tuple of str
        Columns of participants within which "van_elteren" compares.
    """
    if "workers" in methods:
        _workers(sheet, arms, {**keys, "unit": unit})
    for active, reference in sheet.trial.design.comparisons:
        pair = arms[active], arms[reference]
        row = {**keys, "contrast": contrast_label(active, reference), **people_of(pair, pair)}
        if "wilcoxon" in methods:
            _wilcoxon(sheet, pair, row)
        if "van_elteren" in methods:
            _van_elteren(sheet, pair, row, strata)
        if "hodges_lehmann" in methods:
            _shift(sheet, pair, {**row, "unit": unit})
        if "hedges_g" in methods:
            _effect_size(sheet, pair, row)


def _wilcoxon(sheet: Sheet, pair: Pair, row: Keys) -> None:
    row = {**row, "method": "wilcoxon"}
    with sheet.attempt("rank_test", **row):
        # Without correction for continuity, so that statistic and p value are those of one test.
        found = ranks.mann_whitney(pair[0].amount, pair[1].amount, method="normal")
        said = remarks(*said_of(sheet, pair, "as_not_employed"), found.note.rstrip("."))
        sheet.add("rank_test", statistic=found.z**2, df=1.0, p_value=found.p_value, **row, **said)


def _van_elteren(sheet: Sheet, pair: Pair, row: Keys, strata: tuple[str, ...]) -> None:
    """Write van Elteren's test and the probability of superiority within the strata."""
    row = {**row, "setting": setting(missing="as_not_employed", strata=strata)}
    superiority = {"unit": "proportion", "method": "stratified_brunner_munzel_logit"}
    if not strata:
        sheet.add("rank_test", method="van_elteren", status="failed", note=NEEDS_STRATA, **row)
        return
    code = sheet.trial.stratum(strata).to_numpy(dtype=np.intp)
    amounts, labels = [data.amount for data in pair], (code[pair[0].place], code[pair[1].place])
    said = said_of(sheet, pair, "as_not_employed")
    with sheet.attempt("rank_test", method="van_elteren", **row):
        test = stratified_ranks.van_elteren(*amounts, strata=labels)
        note = remarks(*said, test.note.rstrip("."))
        numbers = {"statistic": test.z**2, "df": 1.0, "p_value": test.p_value}
        sheet.add("rank_test", method="van_elteren", **numbers, **row, **note)
    with sheet.attempt("probability_of_superiority", **row, **superiority):
        found = stratified_ranks.stratified_probability_of_superiority(
            *amounts, strata=labels, conf_level=sheet.conf_level
        )
        sheet.add("probability_of_superiority", **columns_of(found, said), **row, **superiority)


def _shift(sheet: Sheet, pair: Pair, row: Keys) -> None:
    """Write the Hodges-Lehmann shift, with the people who have none as its numerator."""
    row = {**row, "method": "hodges_lehmann", "n_event": sum(int((data.amount == 0).sum()) for data in pair)}
    with sheet.attempt("location_shift", **row):
        found = hodges_lehmann.hodges_lehmann(pair[0].amount, pair[1].amount, conf_level=sheet.conf_level)
        said = [MANY_LEVEL, *said_of(sheet, pair, "as_not_employed")]
        sheet.add("location_shift", **columns_of(found, said), **row)


def _effect_size(sheet: Sheet, pair: Pair, row: Keys) -> None:
    """Write the difference in means in standard deviations, as Hedges and as Cohen have it."""
    with sheet.attempt("standardised_mean_difference", method="hedges_g", **row):
        found = means.standardised_difference(pair[0].amount, pair[1].amount, conf_level=sheet.conf_level)
        said = columns_of(found, [SD_WITH_ZEROS, *said_of(sheet, pair, "as_not_employed")])
        sheet.add("standardised_mean_difference", method="hedges_g", **row, **said)
        # The limits are those of the population value, whichever estimate stands between them.
        d = {"estimate": found.cohen_d, "std_error": None}
        sheet.add("standardised_mean_difference", method="cohen_d", **row, **said | d)


def _workers(sheet: Sheet, arms: dict[str, Arm], keys: Keys) -> None:
    """Write mean and median of each arm among those who have any; never a difference between the arms."""
    for arm, everyone in arms.items():
        data = everyone.of(everyone.amount != 0)
        row = {**keys, "setting": setting(missing="as_not_employed", among="workers"), "arm": arm}
        row |= {"n": len(everyone.amount), "n_event": len(data.amount), "n_missing": everyone.n_missing}
        said = [THOSE_WITH_ANY, *said_of(sheet, [data], "as_not_employed")]
        if not len(data.amount):
            for quantity in ("mean", "median"):
                sheet.add(quantity, method="t" if quantity == "mean" else "", note=NOBODY, **row)
            continue
        found = means.mean(data.amount, conf_level=sheet.conf_level)
        sheet.add("mean", method="t", **columns_of(found, said), **row)
        sheet.add("median", estimate=np.median(data.amount), **row, **remarks(*said))
