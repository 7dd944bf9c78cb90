"""The arms' proportions and how they differ, every month and way of counting the unknown at once.

A table is four counts. Whatever has to be solved for is solved for all tables in one call; rows come
back in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import contrast_label, remarks
from ipseval.estimate.unknown import Counts
from ipseval.stats.proportions import association, one_proportion, two_proportions
from ipseval.stats.proportions.exact_unconditional import exact_unconditional_test

#: The methods reported for each quantity; the first is the default, the others stand beside it.
METHODS: dict[str, tuple[str, ...]] = {
    "proportion": ("wilson", "clopper_pearson", "mid_p", "jeffreys", "agresti_coull", "wald"),
    "risk_difference": ("newcombe", "miettinen_nurminen", "agresti_caffo", "wald"),
    "risk_ratio": ("miettinen_nurminen", "koopman", "log"),
    "odds_ratio": ("miettinen_nurminen", "wald", "conditional_exact", "mid_p"),
    "number_needed_to_treat": ("newcombe",),
    "association_test": ("n_minus_1_chi_square", "chi_square", "fisher_exact"),
}

#: Further methods, for those who ask for them by name, and the quantity that each is of.
ALSO: dict[str, str] = {
    "exact_unconditional": "risk_difference",
    "yates": "association_test",
    "fisher_mid_p": "association_test",
    "barnard": "association_test",
    "boschloo": "association_test",
}

THROUGH_INFINITY = words.text("note.through_infinity")

_P_VALUES: dict[str, Callable[..., Any]] = {
    "fisher_exact": association.fisher_test,
    "fisher_mid_p": lambda *table: association.fisher_test(*table, mid_p=True),
    "barnard": exact_unconditional_test,
    "boschloo": lambda *table: exact_unconditional_test(*table, method="boschloo"),
}

Mask = NDArray[np.bool_]
Keys = dict[str, Any]
Table = tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class View:
    """One month under one way of counting the unknown.

    ``yes`` says who has the outcome and ``included`` who is in the denominator; ``counts`` are per arm.
    """

    keys: Keys
    way: str
    is_main: bool
    yes: Mask
    included: Mask
    counts: dict[str, Counts]

    def about(self, pair: tuple[str, str]) -> Keys:
        """Return the columns that the rows of a contrast share: month, setting and both arms' people."""
        arms = [self.counts[name] for name in pair]
        both = {field: sum(getattr(count, field) for count in arms) for field in Counts._fields}
        return {**self.keys, **both, "contrast": contrast_label(*pair)}


def tables_of(views: Sequence[View], pair: tuple[str, str]) -> Table:
    """Return events and people of the active and then of the reference arm, one entry per view."""
    counts = [[view.counts[arm][:2] for arm in pair] for view in views]
    return tuple(np.array(counts, dtype=np.intp).reshape(-1, 4).T)


def arm_rows(views: Sequence[View], arm: str, conf_level: float) -> list[list[Keys]]:
    """Return the proportion of one arm with its intervals, a list of rows per view."""
    x, n = np.array([view.counts[arm][:2] for view in views], dtype=np.intp).reshape(-1, 2).T
    estimate = np.divide(x, n, out=np.full(x.shape, np.nan), where=n > 0)
    rows: list[list[Keys]] = [[] for _ in views]
    for method in METHODS["proportion"]:
        low, high = one_proportion.proportion_interval(x, n, method=method, conf_level=conf_level)
        for i, view in enumerate(views):
            if view.is_main or method == METHODS["proportion"][0]:
                numbers = {"estimate": estimate[i], "conf_low": low[i], "conf_high": high[i]}
                about = {**view.counts[arm]._asdict(), **view.keys, "arm": arm}
                rows[i].append(_row("proportion", method, numbers, about))
    return rows


def contrast_rows(
    views: Sequence[View], pair: tuple[str, str], *, also: Collection[str] = (), conf_level: float
) -> list[list[Keys]]:
    """Return difference, ratios, number needed to treat and tests of one contrast, rows per view.

    Beside the main way of counting the difference alone says how far it matters.
    """
    rows: list[list[Keys]] = [[] for _ in views]
    for quantity, methods in METHODS.items():
        if quantity == "proportion":
            continue
        for method in (*methods, *(name for name in also if ALSO[name] == quantity)):
            is_default = (quantity, method) == ("risk_difference", METHODS["risk_difference"][0])
            told = [i for i, view in enumerate(views) if view.is_main or is_default]
            table = tables_of([views[i] for i in told], pair)
            for i, numbers in zip(told, _numbers(quantity, method, table, conf_level), strict=True):
                rows[i].append(_row(quantity, method, numbers, views[i].about(pair)))
    return rows


def _row(quantity: str, method: str, numbers: Keys, about: Keys) -> Keys:
    """Return one row; what is remarked upon of its numbers joins what is said of its people."""
    said = remarks(str(about["note"]), str(numbers.pop("note", "")))
    return {**about, "quantity": quantity, "method": method, "unit": _UNITS[quantity], **numbers, **said}


def _numbers(quantity: str, method: str, table: Table, conf_level: float) -> list[Keys]:
    """Return the columns of numbers of every table, or the reason why there are none."""
    try:
        found = _SOLVED[quantity](table, method, conf_level)
    except AnalysisError as refusal:
        return [{"status": "failed", "note": str(refusal)} for _ in table[0]]
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]


def _difference(table: Table, method: str, conf_level: float) -> Keys:
    return two_proportions.risk_difference(*table, method=method, conf_level=conf_level)._asdict()


def _ratio(kernel: Callable[..., Any]) -> Callable[[Table, str, float], Keys]:
    def solved(table: Table, method: str, conf_level: float) -> Keys:
        found = kernel(*table, method=method, conf_level=conf_level)
        return {name: getattr(found, name) for name in ("estimate", "conf_low", "conf_high")}

    return solved


def _number_needed(table: Table, method: str, conf_level: float) -> Keys:
    """Return the number needed to treat, through infinity where the difference's interval holds 0."""
    difference = two_proportions.risk_difference(*table, method=method, conf_level=conf_level)
    needed = two_proportions.number_needed_to_treat(
        difference.conf_low, difference.estimate, difference.conf_high
    )._asdict()
    through = needed.pop("through_infinity")
    return {**needed, "note": np.where(through, THROUGH_INFINITY, "")}


def _test(table: Table, method: str, conf_level: float) -> Keys:
    del conf_level  # a test has none
    if method in _P_VALUES:
        return {"p_value": _P_VALUES[method](*table)}
    return association.association_test(*table, method=method)._asdict()


_SOLVED: dict[str, Callable[[Table, str, float], Keys]] = {
    "risk_difference": _difference,
    "risk_ratio": _ratio(two_proportions.risk_ratio),
    "odds_ratio": _ratio(two_proportions.odds_ratio),
    "number_needed_to_treat": _number_needed,
    "association_test": _test,
}

_UNITS = {
    "proportion": "proportion",
    "risk_difference": "proportion",
    "risk_ratio": "ratio",
    "odds_ratio": "ratio",
    "number_needed_to_treat": "people",
    "association_test": "",
}
