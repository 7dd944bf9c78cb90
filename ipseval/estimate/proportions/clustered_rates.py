"""How do the arms differ when people share a job coach or a site, and are alike for that reason?

The difference comes from a linear and the ratio from a Poisson regression on the arm, both with the CR2
variance, which lets people of one cluster be alike in any way, and Satterthwaite's degrees of freedom. With
covariates the standardised effects stand beside them, with what the people of a cluster add to them summed.
Coaches who are in the IPS arm only (partial nesting) are clusters there, and everybody else is a cluster
of one: the variance then grows in the arm where people share somebody, and in no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import with_labels
from ipseval.estimate.proportions.adjusted_rates import FIRTH, MEASURES, Keys, Mask, Model, people_of
from ipseval.estimate.proportions.non_inferiority import TERMS, Margin, wald_row
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.results.setting import setting
from ipseval.stats.regression.linear_adjustment import ancova
from ipseval.stats.regression.marginal_contrasts import Contrast
from ipseval.stats.regression.modified_poisson import modified_poisson
from ipseval.stats.regression.standardisation import standardised_means
from ipseval.trial import Trial

Floats = NDArray[np.float64]

METHODS = {"risk_difference": "linear_clustered", "risk_ratio": "poisson_clustered"}
STANDARDISED = "standardisation_clustered"
#: Tests at a margin: of two arms, with the unknown counted against the claim, and of the standardised effect.
AT_MARGIN = "clustered_test"
LEAST_FAVOURABLE = "clustered_test_least_favourable"
STANDARDISED_AT_MARGIN = "standardisation_clustered_test"
#: A sandwich of fewer clusters is too small, whatever is done to mend it.
FEWEST = 10

CLUSTERS_OF_ONE = words.text("note.clusters_of_one")
AS_INDEPENDENT = words.text("note.as_independent")


@dataclass(frozen=True)
class Clusters:
    """Which cluster everyone randomised is in.

    ``code`` gives people without a cluster one of their own; ``is_shared`` says who has a label.
    """

    name: str
    code: NDArray[np.intp]
    is_shared: Mask

    def check(self, among: Mask) -> str:
        """Return what must be said of the clusters of these people, or refuse too few of them."""
        shared = among & self.is_shared
        found = np.unique(self.code[shared]).size
        if found < FEWEST:
            raise AnalysisError(
                f"cluster={self.name!r} has {found} clusters among {int(among.sum())} people, fewer than "
                f"{FEWEST}: their variance would come out too small, and its test too eager. Leave cluster= "
                f"out and name the clustering as a limitation; a site belongs in strata= or adjust=."
            )
        return CLUSTERS_OF_ONE if shared.sum() < among.sum() else ""


def clusters_of(trial: Trial, name: str) -> Clusters:
    """Return the clusters in a column of participants, or refuse what is incomplete or too few.

    In an arm where nobody has one, everyone is a cluster of one; where some have and others lack one,
    nobody knows with whom those belong.
    """
    people = trial.participants
    usable = [str(column) for column in people.columns if column not in ("participant_id", "arm")]
    if name not in usable:
        raise AnalysisError(
            f"cluster={name!r} is not a column of participants (found: {checks.named_list(usable, 8)}). "
            f"Map it in trial.toml."
        )
    arm, is_missing = people["arm"].astype(str).to_numpy(), people[name].isna().to_numpy(dtype=bool)
    for label in trial.design.arms:
        members = arm == label
        if 0 < (lacking := int((is_missing & members).sum())) < members.sum():
            raise AnalysisError(
                f"{name!r} is missing for {lacking} of {members.sum()} people in the {label!r} arm, where "
                f"others have one. Fill it in; someone who never met anybody has a label of their own."
            )
    code = pd.factorize(people[name])[0].astype(np.intp)
    code[is_missing] = code.max(initial=-1) + 1 + np.arange(int(is_missing.sum()))
    made = Clusters(name, code, ~is_missing)
    for pair in trial.design.comparisons:
        made.check(np.isin(arm, pair))
    return made


def clustered(
    sheet: Sheet,
    clusters: Clusters,
    model: Model | None,
    people: tuple[Mask, Mask, Mask],
    missing: str,
    row: Keys,
    margins: Sequence[Margin] = (),
) -> None:
    """Write difference and ratio of one contrast, as they are and with the covariates of a model.

    ``people`` says who has the outcome, who is in the active arm and who counts, of all randomised.
    """
    yes, is_active, among = people
    for names in [(), model.names] if model else [()]:
        keys = {**row, "setting": setting(missing=missing, adjust=names, cluster=clusters.name)}
        columns, labels, said = None, [], ""
        if model and names:
            made = people_of(model, *people)
            columns, labels, said = made.columns, made.labels, made.note
        y, arm, code = yes[among].astype(np.float64), is_active[among], clusters.code[among]
        how: Keys = {"variance": "cr2", "cluster": code, "conf_level": sheet.conf_level}
        for quantity, method in METHODS.items():
            keys["method"] = method
            try:
                about = remarks(str(row["note"]), said, clusters.check(among))
                found = _effect(quantity, y, arm, columns, how)
            except AnalysisError as refusal:
                reason = with_labels(refusal, labels)
                sheet.add(quantity, **{**keys, "status": "failed", "note": reason})
                continue
            numbers = found._asdict()
            about = remarks(str(about.get("note", "")), numbers.pop("note"))
            unit = "proportion" if quantity == "risk_difference" else "ratio"
            sheet.add(quantity, **{**keys, **numbers, "unit": unit, **about})
    if model:
        _standardised(sheet, clusters, model, people, missing, row, margins)


def _effect(quantity: str, y: Floats, arm: Mask, columns: Floats | None, how: Keys) -> Contrast:
    """Return the difference or the ratio of two arms, with the variance of clusters."""
    if quantity == "risk_difference":
        return ancova(y, arm, columns, **how).difference
    return modified_poisson(y, arm, columns, **how).ratio


def clustered_at_margins(
    sheet: Sheet,
    clusters: Clusters,
    people: tuple[Mask, Mask, Mask],
    missing: str,
    row: Keys,
    margins: Sequence[Margin],
    method: str = AT_MARGIN,
) -> None:
    """Write the test at each margin that goes with the limits of the clustered difference or ratio."""
    yes, is_active, among = people
    code = clusters.code[among]
    how: Keys = {"variance": "cr2", "cluster": code, "conf_level": sheet.conf_level}
    for margin in margins:
        text = setting(missing=missing, margin=f"{margin.null:g}", cluster=clusters.name)
        keys = {**row, "method": method, "term": TERMS[margin.measure], "setting": text}
        with sheet.attempt("non_inferiority_test", **keys):
            said = (str(row["note"]), clusters.check(among))
            y, arm = yes[among].astype(np.float64), is_active[among]
            found = _effect(TERMS[margin.measure], y, arm, None, how)
            sheet.add("non_inferiority_test", **wald_row(found, margin, keys, *said))


def _standardised(
    sheet: Sheet,
    clusters: Clusters,
    model: Model,
    people: tuple[Mask, Mask, Mask],
    missing: str,
    row: Keys,
    margins: Sequence[Margin],
) -> None:
    """Write the effects standardised over everybody's covariates, with the variance of clusters.

    What randomisation within strata takes off is not known where people are clustered: it stays on.
    """
    made, among = people_of(model, *people), people[2]
    keys = {**row, "method": STANDARDISED, "setting": model.setting(missing, cluster=clusters.name)}
    at_margins = [
        {
            **row,
            "method": STANDARDISED_AT_MARGIN,
            "term": TERMS[margin.measure],
            "setting": model.setting(missing, margin=f"{margin.null:g}", cluster=clusters.name),
        }
        for margin in margins
    ]
    try:
        about = [str(row["note"]), model.note, made.note, clusters.check(among)]
        is_separated = made.is_separated()
        found = standardised_means(
            made.y,
            made.in_active,
            made.columns,
            model="firth" if is_separated else "logistic",
            estimand=model.estimand,
            variance="augmented",
            cluster=clusters.code[among],
            is_shared=clusters.is_shared[among],
        )
    except AnalysisError as refusal:
        for quantity in MEASURES:
            sheet.add(quantity, **{**keys, "status": "failed", "note": made.reason(refusal)})
        for tested in at_margins:
            sheet.add("non_inferiority_test", **{**tested, "status": "failed", "note": made.reason(refusal)})
        return
    for quantity, measure in MEASURES.items():
        numbers = found.contrast(measure, conf_level=sheet.conf_level)._asdict()
        said = remarks(*about, FIRTH if is_separated else "", numbers.pop("note"))
        unit = "proportion" if measure == "difference" else "ratio"
        sheet.add(quantity, **{**keys, **numbers, "unit": unit, **said})
    for margin, tested in zip(margins, at_margins, strict=True):
        contrast = found.contrast(margin.measure, conf_level=sheet.conf_level)
        firth = FIRTH if is_separated else ""
        sheet.add("non_inferiority_test", **wald_row(contrast, margin, tested, *about, firth))
