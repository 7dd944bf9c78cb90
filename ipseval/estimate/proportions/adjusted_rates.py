"""How do the arms differ once what was known at randomisation is taken into account?

A logistic working model predicts everyone's outcome in either arm, and the averages are compared
(standardisation, or g-computation): a contrast of the arms as a whole, like the unadjusted one beside it,
and right with randomised arms even where the model is wrong. Where the data are separated the model has
no finite fit; this is found first, and Firth's penalty stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment, with_labels
from ipseval.estimate.proportions.non_inferiority import TERMS, Margin, wald_row
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results.setting import setting
from ipseval.stats.regression.binomial_logistic import binomial_logistic
from ipseval.stats.regression.covariates import arm_design
from ipseval.stats.regression.marginal_contrasts import Contrast, Standardised
from ipseval.stats.regression.modified_poisson import modified_poisson
from ipseval.stats.regression.standardisation import standardised_means
from ipseval.stats.regression.standardisation_bootstrap import bootstrap_standardised_means
from ipseval.trial import Trial

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Keys = dict[str, Any]

METHODS = ("standardisation", "standardisation_bootstrap", "modified_poisson")
AT_MARGIN = "standardisation_test"
MEASURES = {"risk_difference": "difference", "risk_ratio": "ratio", "odds_ratio": "odds_ratio"}

FIRTH = words.text("note.firth")
PENALISED = words.text("note.penalised_replicates")
NO_BOOTSTRAP = words.text("note.no_bootstrap_separated")
STRATA_LEFT_OUT = words.text("note.strata_left_out")
DOES_NOT_VARY = words.text("note.does_not_vary")
OUTSIDE = words.text("note.not_a_proportion")


@dataclass(frozen=True)
class Model:
    """What the arms are adjusted for, with a row per person randomised.

    ``stratum`` holds the strata within which people were randomised, or None.
    """

    names: tuple[str, ...]
    columns: Floats
    labels: list[str]
    stratum: NDArray[np.intp] | None
    estimand: str
    replicates: int
    seed: int
    note: str

    def setting(self, missing: str, *, of_estimand: bool = True, **more: str) -> str:
        """Return the setting of a row; the estimand is named where it is not the population."""
        estimand = self.estimand if of_estimand and self.estimand != "population" else ""
        return setting(missing=missing, adjust=self.names, estimand=estimand, **more)


def model_of(
    trial: Trial,
    names: tuple[str, ...],
    strata: tuple[str, ...],
    *,
    estimand: str,
    replicates: int,
    seed: int,
) -> Model:
    """Return what the arms are adjusted for, or refuse what is missing or the same for everybody."""
    columns, labels = adjustment(trial, names)
    if constant := [name for name in names if trial.participants[name].nunique() < 2]:
        raise AnalysisError(
            f"{checks.named_list(constant, 8)} is the same for all {len(trial)} participants and cannot "
            f"explain anything. Leave it out of adjust=."
        )
    left_out = set(trial.design.strata) - set(names)
    return Model(
        names=names,
        columns=columns,
        labels=labels,
        stratum=trial.stratum(strata).to_numpy(dtype=np.intp) if strata else None,
        estimand=estimand,
        replicates=replicates,
        seed=seed,
        note=STRATA_LEFT_OUT if left_out else "",
    )


@dataclass(frozen=True)
class People:
    """The people of one contrast who count: their outcome, arm, covariates and stratum."""

    y: Floats
    in_active: Mask
    columns: Floats
    labels: list[str]
    stratum: NDArray[np.intp] | None
    note: str

    def reason(self, refusal: AnalysisError) -> str:
        """Return a refusal of the kernels, which count covariates, with their names."""
        return with_labels(refusal, self.labels)

    def is_separated(self) -> bool:
        """Whether a logistic regression has no finite fit although the outcome varies."""
        X = arm_design(self.in_active, self.columns).observed
        fitted = np.ptp(self.y) > 0 and binomial_logistic(self.y, np.ones_like(self.y), X).separated
        return bool(fitted)


def people_of(model: Model, yes: Mask, is_active: Mask, among: Mask) -> People:
    """Return the people who count, without the covariates that do not vary among them."""
    columns = model.columns[among]
    varies = (columns != columns[:1]).any(axis=0)
    return People(
        y=yes[among].astype(np.float64),
        in_active=is_active[among],
        columns=columns[:, varies],
        labels=[label for label, kept in zip(model.labels, varies, strict=True) if kept],
        stratum=None if model.stratum is None else model.stratum[among],
        note="" if varies.all() else DOES_NOT_VARY,
    )


def adjusted(
    sheet: Sheet,
    model: Model,
    pair: tuple[str, str],
    people: tuple[Mask, Mask, Mask],
    missing: str,
    keys: dict[str, Keys],
    margins: Sequence[Margin] = (),
) -> None:
    """Write the adjusted proportions and contrasts of two arms at one month.

    Parameters
    ----------
    sheet : Sheet
    model : Model
    pair : tuple of str
        The active and the reference arm.
    people : tuple of arrays of bool, one entry per person randomised
        Who has the outcome, who is in the active arm, and who counts.
    missing : str
        The rule by which the unknown are counted.
    keys : mapping
        The keys and numbers of people of a row about either arm, and about the contrast.
    margins : sequence of Margin
        Of non-inferiority, at which standardised effects are tested.
    """
    label = contrast_label(*pair)
    among = people_of(model, *people)
    note = remarks(str(keys[label]["note"]), model.note, among.note)
    rows = {
        about: {**columns, "setting": model.setting(missing), "note": "", **note}
        for about, columns in keys.items()
    }
    found, is_separated = _standardised(sheet, model, among, pair, rows)
    for margin in margins:
        text = model.setting(missing, margin=f"{margin.null:g}")
        row = rows[label] | {"method": AT_MARGIN, "term": TERMS[margin.measure], "setting": text}
        _at_margin(sheet, margin, found, row, FIRTH if is_separated else "")
    if model.estimand == "population":
        _bootstrapped(sheet, model, among, rows[label], is_separated=is_separated)
    _modified_poisson(sheet, among, {**rows[label], "setting": model.setting(missing, of_estimand=False)})


def _standardised(
    sheet: Sheet,
    model: Model,
    among: People,
    pair: tuple[str, str],
    rows: dict[str, Keys],
) -> tuple[Standardised | str, bool]:
    """Write the standardised proportions and their contrasts.

    Returns what was found, or why nothing was, and whether the data are separated.
    """
    label, method = contrast_label(*pair), {"method": "standardisation"}
    is_separated = False
    try:
        is_separated = among.is_separated()
        found = standardised_means(
            among.y,
            among.in_active,
            among.columns,
            model="firth" if is_separated else "logistic",
            estimand=model.estimand,
            strata=among.stratum,
        )
    except AnalysisError as refusal:
        failed = _failed(among.reason(refusal))
        for arm in pair:
            sheet.add("proportion", **rows[arm] | method | failed)
        for quantity in MEASURES:
            sheet.add(quantity, **rows[label] | method | failed)
        return str(failed["note"]), is_separated
    firth = FIRTH if is_separated else ""
    for arm, is_active in zip(pair, (True, False), strict=True):
        mean = found.mean(is_active, conf_level=sheet.conf_level)
        row = rows[arm] | method | mean._asdict() | {"unit": "proportion"}
        row |= remarks(str(row["note"]), firth, found.note)
        sheet.add("proportion", **row if 0 <= mean.estimate <= 1 else row | _failed(OUTSIDE))
    for quantity, measure in MEASURES.items():
        contrast = found.contrast(measure, conf_level=sheet.conf_level)
        row = rows[label] | method | {"unit": "proportion" if measure == "difference" else "ratio"}
        row |= _numbers(contrast) | remarks(str(row["note"]), firth, contrast.note)
        sheet.add(quantity, **row)
    return found, is_separated


def _at_margin(sheet: Sheet, margin: Margin, found: Standardised | str, row: Keys, firth: str) -> None:
    """Write how far a standardised effect lies on the good side of a margin, and what its limits say."""
    if isinstance(found, str):
        sheet.add("non_inferiority_test", **row | _failed(found))
        return
    contrast = found.contrast(margin.measure, conf_level=sheet.conf_level)
    sheet.add("non_inferiority_test", **wald_row(contrast, margin, row, str(row["note"]), firth))


def _bootstrapped(sheet: Sheet, model: Model, among: People, row: Keys, *, is_separated: bool) -> None:
    """Write the percentile intervals, for which the model is refitted to people drawn again."""
    row = {**row, "method": "standardisation_bootstrap"}
    try:
        if is_separated:
            raise AnalysisError(NO_BOOTSTRAP)
        draws = bootstrap_standardised_means(
            among.y,
            among.in_active,
            among.columns,
            strata=among.stratum,
            replicates=model.replicates,
            seed=model.seed,
        )
    except AnalysisError as refusal:
        for quantity in MEASURES:
            sheet.add(quantity, **row | _failed(among.reason(refusal)))
        return
    for quantity, measure in MEASURES.items():
        found = draws.interval(measure, conf_level=sheet.conf_level)
        numbers = {name: getattr(found, name) for name in ("estimate", "std_error", "conf_low", "conf_high")}
        unit = "proportion" if measure == "difference" else "ratio"
        is_penalised = draws.n_penalised and np.isfinite(found.conf_low)
        said = (PENALISED, draws.alone) if is_penalised else (found.note,)
        sheet.add(quantity, **row | numbers | {"unit": unit} | remarks(str(row["note"]), *said))


def _modified_poisson(sheet: Sheet, among: People, row: Keys) -> None:
    """Write the ratio of proportions at the same covariates."""
    row = {**row, "method": "modified_poisson"}
    try:
        ratio = modified_poisson(among.y, among.in_active, among.columns, conf_level=sheet.conf_level).ratio
    except AnalysisError as refusal:
        sheet.add("risk_ratio", **row | _failed(among.reason(refusal)))
    else:
        said = remarks(str(row["note"]), ratio.note)
        sheet.add("risk_ratio", **row | _numbers(ratio) | {"unit": "ratio"} | said)


def _numbers(contrast: Contrast) -> Keys:
    """Return a contrast as columns; a normal test has no degrees of freedom to report."""
    row = contrast._asdict()
    return {name: row[name] for name in row if name not in ("df", "note")}


def _failed(note: str) -> Keys:
    return {"status": "failed", "note": note}
