"""How do the arms differ within the strata of randomisation: one common effect, and is it one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.estimate.proportions.non_inferiority import TERMS, Margin, no_warning
from ipseval.estimate.proportions.unadjusted_rates import View
from ipseval.estimate.sheet import remarks
from ipseval.results.setting import setting
from ipseval.stats.proportions import stratified_proportions as common
from ipseval.stats.proportions import stratified_tests
from ipseval.stats.proportions.non_inferiority import stratified_non_inferiority_test
from ipseval.stats.tables import Ratio

#: How each quantity is estimated over strata; the kernel's own name of the method of a difference.
METHODS: dict[str, dict[str, str]] = {
    "risk_difference": {
        "mantel_haenszel_sato": "sato",
        "stratified_newcombe": "newcombe",
        "stratified_miettinen_nurminen": "miettinen_nurminen",
    },
    "risk_ratio": {"mantel_haenszel": ""},
    "odds_ratio": {"mantel_haenszel": ""},
    "association_test": {"cochran_mantel_haenszel": ""},
    "homogeneity_test": {"breslow_day_tarone": ""},
}

AT_MARGIN = "stratified_miettinen_nurminen_test"

SAYS_NOTHING = words.text("note.strata_say_nothing")
TOO_FEW_STRATA = words.text("note.too_few_strata")

Keys = dict[str, Any]
Table = tuple[NDArray[np.intp], ...]


def stratified_rows(
    views: Sequence[View],
    pair: tuple[str, str],
    people: tuple[NDArray[np.str_], NDArray[np.intp]],
    strata: tuple[str, ...],
    conf_level: float,
) -> list[list[Keys]]:
    """Return the common difference, ratios and tests of one contrast over strata, rows per view.

    ``people`` are the arm and the stratum of everyone randomised.
    """
    rows: list[list[Keys]] = [[] for _ in views]
    told = [i for i, view in enumerate(views) if view.is_main]
    table = _table(views, pair, people)
    of_effect = {
        effect: _said(table, told, effect) for effect in ("difference", "ratio", "odds_ratio") if told
    }
    for quantity, method, effect, numbers in _solved(table, conf_level) if told else ():
        for place, i in enumerate(told):
            about = views[i].about(pair)
            row = {name: values[place] for name, values in numbers.items()}
            said = remarks(str(about["note"]), of_effect[effect][place])
            if quantity == "homogeneity_test" and np.isnan(row["p_value"]):
                said = {"note": TOO_FEW_STRATA}
            keys = {"method": method, "setting": setting(missing=views[i].way, strata=strata)}
            rows[i].append({**about, **row, **keys, **said, "quantity": quantity, "unit": _UNITS[quantity]})
    return rows


def stratified_margin_rows(
    views: Sequence[View],
    pair: tuple[str, str],
    people: tuple[NDArray[np.str_], NDArray[np.intp]],
    strata: tuple[str, ...],
    margins: Sequence[Margin],
    conf_level: float,
) -> list[list[Keys]]:
    """Return the one-sided test of the common difference at its margin, rows per view.

    The verdict goes by the score limits over strata, which exclude the margin where the test rejects.
    """
    rows: list[list[Keys]] = [[] for _ in views]
    told = [i for i, view in enumerate(views) if view.is_main]
    table = _table(views, pair, people)
    silent = _said(table, told, "difference") if told else []
    for margin in (one for one in margins if one.measure == "difference" and told):
        test = stratified_non_inferiority_test(
            *table, margin=margin.value, higher_is_better=margin.higher_is_better
        )
        kernel = METHODS["risk_difference"]["stratified_miettinen_nurminen"]
        limits = common.stratified_risk_difference(*table, method=kernel, conf_level=conf_level)
        for place, i in enumerate(told):
            about = views[i].about(pair)
            of_people = remarks(str(about["note"]), silent[place]).get("note", "")
            row = {name: values[place] for name, values in test._asdict().items()}
            interval = (limits.conf_low[place], limits.conf_high[place])
            said = remarks(of_people, *margin.said(*interval, about["n_missing"], views[i].way))
            text = setting(missing=views[i].way, strata=strata, margin=f"{margin.null:g}")
            keys = {"method": AT_MARGIN, "term": TERMS["difference"], "setting": text}
            status = no_warning(row["p_value"], of_people)
            rows[i].append({**about, **row, **keys, **said, **status, "quantity": "non_inferiority_test"})
    return rows


def _table(
    views: Sequence[View], pair: tuple[str, str], people: tuple[NDArray[np.str_], NDArray[np.intp]]
) -> Table:
    """Return events and people of the active and then the reference arm: main views down, strata across."""
    arm, stratum = people
    strata = int(stratum.max(initial=0)) + 1
    masks = [
        [mask & (arm == name) for name in pair for mask in (view.yes, view.included)]
        for view in views
        if view.is_main
    ]
    counts = [[np.bincount(stratum[mask], minlength=strata) for mask in four] for four in masks]
    return tuple(np.array(counts, dtype=np.intp).reshape(-1, 4, strata).swapaxes(0, 1))


def _said(table: Table, told: Sequence[int], effect: str) -> list[str]:
    """Return for each table what is to be said of strata in which somebody is, and that say nothing."""
    silent = ~common.informative_strata(*table, effect=effect) & (table[1] + table[3] > 0)
    return [SAYS_NOTHING if silent[place].any() else "" for place in range(len(told))]


def _solved(table: Table, conf_level: float) -> Iterator[tuple[str, str, str, Keys]]:
    """Yield quantity, method, the effect that strata must be informative of, and numbers per table."""
    for method, kernel in METHODS["risk_difference"].items():
        found = common.stratified_risk_difference(*table, method=kernel, conf_level=conf_level)
        yield "risk_difference", method, "difference", found._asdict()
    ratio = common.stratified_risk_ratio(*table, conf_level=conf_level)
    yield "risk_ratio", "mantel_haenszel", "ratio", _ratio(ratio)
    odds_ratio = common.stratified_odds_ratio(*table, conf_level=conf_level)
    yield "odds_ratio", "mantel_haenszel", "odds_ratio", _ratio(odds_ratio)
    test = stratified_tests.cochran_mantel_haenszel_test(*table)
    yield "association_test", "cochran_mantel_haenszel", "odds_ratio", test._asdict()
    same = stratified_tests.homogeneity_of_odds_ratios(*table)
    yield "homogeneity_test", "breslow_day_tarone", "odds_ratio", same._asdict()


def _ratio(ratio: Ratio) -> Keys:
    estimate, std_error, low, high = ratio
    return {"estimate": estimate, "std_error": std_error, "conf_low": low, "conf_high": high}


_UNITS = {
    "risk_difference": "proportion",
    "risk_ratio": "ratio",
    "odds_ratio": "ratio",
    "association_test": "",
    "homogeneity_test": "",
}
