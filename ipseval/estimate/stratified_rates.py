"""How do the arms differ within the strata of randomisation: one common effect, and is it one?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.stats import stratified_proportions as common
from ipseval.stats import stratified_tests
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

SAYS_NOTHING = words.text("note.strata_say_nothing")
TOO_FEW_STRATA = words.text("note.too_few_strata")

Table = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


def table_of(yes: NDArray[np.bool_], is_active: NDArray[np.bool_], stratum: NDArray[np.intp]) -> Table:
    """Return events and people per stratum, of the active and then of the reference arm."""
    strata = int(stratum.max(initial=0)) + 1

    def count(people: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.bincount(stratum[people], minlength=strata)

    return count(is_active & yes), count(is_active), count(~is_active & yes), count(~is_active)


def stratified(sheet: Sheet, table: Table, keys: dict[str, Any]) -> None:
    """Write the common difference, ratios and tests of one contrast over its strata."""
    said = {
        effect: {**keys, **remarks(str(keys["note"]), "" if informative.all() else SAYS_NOTHING)}
        for effect in ("difference", "ratio", "odds_ratio")
        for informative in [common.informative_strata(*table, effect=effect)]
    }
    for method, kernel in METHODS["risk_difference"].items():
        found = common.stratified_risk_difference(*table, method=kernel, conf_level=sheet.conf_level)
        row = {**said["difference"], **found._asdict(), "unit": "proportion"}
        sheet.add("risk_difference", method=method, **row)
    ratio = common.stratified_risk_ratio(*table, conf_level=sheet.conf_level)
    _add_ratio(sheet, "risk_ratio", ratio, said["ratio"])
    odds_ratio = common.stratified_odds_ratio(*table, conf_level=sheet.conf_level)
    _add_ratio(sheet, "odds_ratio", odds_ratio, said["odds_ratio"])
    test = stratified_tests.cochran_mantel_haenszel_test(*table)
    sheet.add("association_test", method="cochran_mantel_haenszel", **test._asdict(), **said["odds_ratio"])
    same = stratified_tests.homogeneity_of_odds_ratios(*table)
    row = {**said["odds_ratio"], **same._asdict()}
    if np.isnan(same.p_value):
        row["note"] = TOO_FEW_STRATA
    sheet.add("homogeneity_test", method="breslow_day_tarone", **row)


def _add_ratio(sheet: Sheet, quantity: str, ratio: Ratio, keys: dict[str, Any]) -> None:
    estimate, std_error, low, high = ratio
    row = {"estimate": estimate, "std_error": std_error, "conf_low": low, "conf_high": high, "unit": "ratio"}
    sheet.add(quantity, method="mantel_haenszel", **row, **keys)
