"""Models of amounts, on request: two parts, a hurdle, or a negative binomial; and their marginal means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.estimate.amounts.amount_people import Arm, Pair, columns_of, people_of, said_of
from ipseval.estimate.design_matrix import adjustment, with_labels
from ipseval.estimate.sheet import Sheet, contrast_label
from ipseval.results.setting import setting
from ipseval.stats.amounts.censored_means import partitioned_mean_amount
from ipseval.stats.amounts.hurdle import hurdle
from ipseval.stats.amounts.negative_binomial import VARIANCES, negative_binomial
from ipseval.stats.amounts.two_part import bootstrap_two_part, two_part
from ipseval.stats.regression.linear_adjustment import ancova
from ipseval.stats.regression.marginal_contrasts import Standardised
from ipseval.trial import Trial

METHODS = ("ancova", "two_part", "hurdle", "negative_binomial")
#: The others count the days observed.
_BY_RULE = ("ancova", "two_part")
#: Amounts of one job, which do not grow in proportion to the days observed.
_OF_ONE_JOB = ("longest_job", "job_tenure")

#: With fewer people who had any in an arm, how much they had is a matter of one or two of them.
_FEWEST = 5
#: A two-part model separated in one draw of a hundred, or fewer, moves no percentile by much.
_MAY_FAIL = 0.01
#: How many days the unit of an amount of time has.
_DAYS = {"days": 1.0, "weeks": 7.0}

BEYOND_WINDOW = words.text("note.beyond_window")
BOTH_PARTS_HOLD = words.text("note.both_parts_hold")
CONSTANT_RATE = words.text("note.constant_rate")
DOES_NOT_VARY = words.text("note.does_not_vary")
NEEDS_COUNTS = words.text("note.needs_counts")
NO_RATE = words.text("note.no_rate")
WHOLE_RECORDS = words.text("note.whole_records")
THOSE_WITH_ANY = words.text("note.those_with_any")

Floats = NDArray[np.float64]
Keys = dict[str, Any]


@dataclass(frozen=True)
class Covariates:
    """What models are adjusted for, a row per person randomised."""

    names: tuple[str, ...]
    columns: Floats
    labels: list[str]

    @classmethod
    def of(cls, trial: Trial, names: tuple[str, ...]) -> Covariates:
        """Return the covariates, or refuse what is missing for anyone."""
        return cls(names, *adjustment(trial, names))


@dataclass(frozen=True)
class _People:
    """The people of one contrast: amount, arm and covariates, whether complete, and days observed."""

    y: Floats
    in_active: NDArray[np.bool_]
    columns: Floats
    labels: list[str]
    is_complete: NDArray[np.bool_]
    followed: Floats
    days_observed: Floats
    note: str

    @classmethod
    def of(cls, pair: Pair, covariates: Covariates) -> _People:
        place = np.concatenate([data.place for data in pair])
        columns = covariates.columns[place]
        varies = (columns != columns[:1]).any(axis=0)
        return cls(
            y=np.concatenate([data.amount for data in pair]),
            in_active=np.repeat([True, False], [len(data.place) for data in pair]),
            columns=columns[:, varies],
            labels=[label for label, kept in zip(covariates.labels, varies, strict=True) if kept],
            is_complete=np.concatenate([data.is_complete for data in pair]),
            followed=np.concatenate([data.followed for data in pair]),
            days_observed=np.concatenate([data.days_observed for data in pair]),
            note="" if varies.all() else DOES_NOT_VARY,
        )

    @property
    def lost(self) -> dict[str, Any]:
        """Who is complete and until when each was followed, for weights."""
        return {"is_complete": self.is_complete, "followed_days": self.followed}


def by_model(
    sheet: Sheet,
    arms: dict[str, Arm],
    rule: str,
    keys: Keys,
    unit: str,
    methods: tuple[str, ...],
    covariates: Covariates,
    drawing: tuple[int, int],
) -> None:
    """Write what was asked for at one horizon.

    Parameters
    ----------
    sheet : Sheet
    arms : mapping of str to Arm
    rule : str
        How the people lost are counted by "ancova" and "two_part"; the other models count the days observed.
    keys : mapping
        Keys of the rows: time.
    unit : str
        Of the amounts.
    methods : tuple of str
        Out of ``METHODS``; others are left to others.
    covariates : Covariates
    drawing : tuple of int
        Replicates and seed of the bootstrap.
    """
    for active, reference in sheet.trial.design.comparisons:
        names, label = (active, reference), contrast_label(active, reference)
        pair = arms[active], arms[reference]
        for method in METHODS:
            if method not in methods:
                continue
            counted = rule if method in _BY_RULE else "days_observed"
            used = pair[0].under(counted), pair[1].under(counted)
            whole = method == "two_part" and counted == "weighted"
            told = "weighted_records" if whole else counted
            row = {**keys, "setting": setting(missing=told, adjust=covariates.names), "unit": unit}
            # Whose record is not whole has weight 0.
            fitted = [data.under("observed") for data in used] if whole else used
            # Arms adjusted together with one of several others differ from contrast to contrast.
            about = {"term": label} if len(sheet.trial.design.comparisons) > 1 else {}
            rows = {
                name: {**row, **about, "arm": name, **people_of([data], [data]), "n_event": workers}
                for name, data, workers in zip(names, fitted, map(_workers, fitted), strict=True)
            }
            rows[label] = {**row, "contrast": label, **people_of(pair, fitted)}
            rows[label]["n_event"] = sum(map(_workers, fitted))
            write = _Model(sheet, names, rows, used, counted, _People.of(used, covariates))
            if method == "ancova":
                write.ancova()
            elif method == "two_part":
                write.two_part(drawing)
            else:
                write.of_counts(method)


@dataclass
class _Model:
    """One model of one contrast on its way to the sheet."""

    sheet: Sheet
    names: tuple[str, str]
    rows: dict[str, Keys]
    pair: Pair
    rule: str
    people: _People

    @property
    def label(self) -> str:
        return contrast_label(*self.names)

    def ancova(self) -> None:
        """Write the difference of means by linear regression, of pseudo-values where people are weighted."""
        method = "pseudo_values_ancova" if self.rule == "weighted" else "ancova"

        def fit() -> None:
            y, people = self.people.y, self.people
            if self.rule == "weighted":
                y = np.concatenate([_pseudo_values(data) for data in self.pair])
            found = ancova(y, people.in_active, people.columns, conf_level=self.sheet.conf_level).difference
            row = self.rows[self.label] | columns_of(found, self._said())
            self.sheet.add("mean_difference", method=method, **row)

        self._attempt(fit, method, ("mean_difference",), of_arms=False)

    def two_part(self, drawing: tuple[int, int]) -> None:
        """Write means, difference and ratio of a two-part model with both intervals, and its parts."""
        people, level = self.people, self.sheet.conf_level
        lost = people.lost if self.rule == "weighted" else {}
        said = [BOTH_PARTS_HOLD] if people.columns.size else []
        whole = [WHOLE_RECORDS] if lost and not people.is_complete.all() else []
        said += whole

        def fit() -> None:
            self._enough_workers(lost.get("is_complete"))
            found = two_part(people.y, people.in_active, people.columns, **lost, conf_level=level)
            self._marginal(found.marginal, "two_part", said)
            row = self.rows[self.label] | {"unit": "ratio"}
            any_said = [*whole, *self._said()]
            self.sheet.add(
                "odds_ratio", **row, method="two_part_any", **columns_of(found.any_odds_ratio, any_said)
            )
            positive = columns_of(found.positive_ratio, [THOSE_WITH_ANY, *any_said])
            self.sheet.add("mean_ratio", **row, method="two_part_positive", **positive)

        def draw() -> None:
            replicates, seed = drawing
            draws = bootstrap_two_part(
                people.y, people.in_active, people.columns, **lost, replicates=replicates, seed=seed
            )
            for quantity, measure in (("mean_difference", "difference"), ("mean_ratio", "ratio")):
                found = columns_of(
                    draws.interval(measure, conf_level=level, may_fail=_MAY_FAIL), [*said, *self._said()]
                )
                row = self.rows[self.label] | ({"unit": "ratio"} if measure == "ratio" else {})
                self.sheet.add(quantity, **row, method="two_part_bootstrap", **found)

        if self._attempt(fit, "two_part"):
            self._attempt(draw, "two_part_bootstrap", of_arms=False)

    def of_counts(self, method: str) -> None:
        """Write the means of a model of counts with their contrasts, and the rate ratio where it has one."""
        people, level = self.people, self.sheet.conf_level
        window = float(self.pair[0].ends[-1]) + 1.0

        def fit() -> None:
            if self.sheet.endpoint is not None and self.sheet.endpoint.name in _OF_ONE_JOB:
                raise AnalysisError(NO_RATE)
            if (people.y != np.floor(people.y)).any():
                raise AnalysisError(NEEDS_COUNTS)
            self._enough_workers()
            arguments = people.y, people.in_active, people.columns
            said = [CONSTANT_RATE] if (people.days_observed < window).any() else []
            if method == "hurdle":
                said += [BOTH_PARTS_HOLD] if people.columns.size else []
                self._marginal(hurdle(*arguments, exposure=people.days_observed, at=window), method, said)
                return
            found = negative_binomial(*arguments, exposure=people.days_observed)
            said += self._marginal(found.means(window), method, said)
            for variance, name in zip(VARIANCES, (method, f"{method}_model"), strict=True):
                ratio = columns_of(found.rate_ratio(variance, conf_level=level), [*said, *self._said()])
                self.sheet.add(
                    "rate_ratio", **self.rows[self.label] | {"unit": "ratio"}, method=name, **ratio
                )

        self._attempt(fit, method)

    def _said(self) -> list[str]:
        return [*said_of(self.sheet, self.pair, self.rule), self.people.note]

    def _enough_workers(self, is_complete: NDArray[np.bool_] | None = None) -> None:
        """Refuse an arm in which a few had any; one in which nobody had is refused by the model itself."""
        counts = np.ones(len(self.people.y), np.bool_) if is_complete is None else is_complete
        for name, members in zip(self.names, (self.people.in_active, ~self.people.in_active), strict=True):
            amounts = self.people.y[members & counts]
            if 0 < (have := int((amounts > 0).sum())) < _FEWEST:
                raise NotDefinedError(
                    f"Only {have} of {len(amounts)} people in the {name} arm have any to model: at least "
                    f"{_FEWEST} are needed in each arm. Report the difference in means."
                )

    def _beyond(self, means: Floats) -> list[str]:
        """Return what must be said of a mean above what the window holds, in an amount of days."""
        if (unit := self.rows[self.label]["unit"]) not in _DAYS:
            return []
        window = float(self.pair[0].ends[-1]) + 1.0
        return [BEYOND_WINDOW] if (means > window / _DAYS[unit]).any() else []

    def _marginal(self, found: Standardised, method: str, said: list[str]) -> list[str]:
        """Write both marginal means, their difference and their ratio; return what they say of the model."""
        level, beyond = self.sheet.conf_level, self._beyond(found.means)
        said = [*beyond, *said, *self._said()]
        for name, is_active in zip(self.names, (True, False), strict=True):
            mean = columns_of(found.mean(is_active, conf_level=level), [*said, found.note])
            self.sheet.add("mean", **self.rows[name], method=method, **mean)
        for quantity, measure in (("mean_difference", "difference"), ("mean_ratio", "ratio")):
            row = self.rows[self.label] | ({"unit": "ratio"} if measure == "ratio" else {})
            contrast = columns_of(found.contrast(measure, conf_level=level), said)
            self.sheet.add(quantity, **row, method=method, **contrast)
        return beyond

    def _attempt(
        self,
        work: Callable[[], None],
        method: str,
        contrasts: tuple[str, ...] = ("mean_difference", "mean_ratio"),
        *,
        of_arms: bool = True,
    ) -> bool:
        """Do the work, or write rows with the reason why it cannot be done."""
        try:
            work()
        except AnalysisError as refusal:
            status = "not_defined" if isinstance(refusal, NotDefinedError) else "failed"
            failed = {"method": method, "status": status, "note": with_labels(refusal, self.people.labels)}
            for name in self.names if of_arms else ():
                self.sheet.add("mean", **self.rows[name] | failed)
            for quantity in contrasts:
                unit = {"unit": "ratio"} if quantity == "mean_ratio" else {}
                self.sheet.add(quantity, **self.rows[self.label] | failed | unit)
            return False
        return True


def _workers(data: Arm) -> int:
    """Return how many had any."""
    return int((data.amount > 0).sum())


def _pseudo_values(data: Arm) -> Floats:
    """Return each person's share in the weighted mean: the mean plus their influence on it."""
    mean = partitioned_mean_amount(data.parts, data.ends, data.is_complete, data.followed)
    if np.isnan(mean.estimate):
        raise AnalysisError(mean.note)
    return mean.estimate + mean.influence
