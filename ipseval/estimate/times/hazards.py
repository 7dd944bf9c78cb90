"""How do the arms differ in the hazard of a first event: tests, hazard ratios, proportionality.

Death before a first job is an event that competes. The log-rank test and the Cox model compare hazards
among the living; Gray's test and the Fine-Gray model compare the incidences of the first job itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.clustered_rates import Clusters
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.estimate.times.arm_times import ArmTimes, Codes, Pair, both, together
from ipseval.estimate.times.changing_hazards import EffectBy, changing_hazards
from ipseval.estimate.times.effect_over_time import effect_over_time
from ipseval.estimate.times.hazard_rows import ratio_row
from ipseval.results.setting import setting
from ipseval.stats.regression.few_clusters import cluster_samples, spread_along
from ipseval.stats.regression.marginal_contrasts import wald_contrast
from ipseval.stats.times.cox import cox
from ipseval.stats.times.fine_gray import fine_gray
from ipseval.stats.times.frailty import shared_frailty
from ipseval.stats.times.gray import GrayTest, gray_test
from ipseval.stats.times.log_rank import LogRank, log_rank
from ipseval.stats.times.proportional_hazards import lifelines_proportional_hazards, proportional_hazards

DEATH_CENSORS = words.text("note.death_censors")
NO_FRAILTY = words.text("note.no_frailty")

#: Method -> weights of the event times; the log-rank test itself is the main one.
LOG_RANK_TESTS: dict[str, dict[str, Any]] = {
    "log_rank": {},
    "fleming_harrington": {"weights": "fleming-harrington", "exponents": (0.0, 1.0)},
    "gehan": {"weights": "gehan"},
}
TIES = {"cox_efron": "efron", "cox_breslow": "breslow"}

Stratum = Codes | None


@dataclass(frozen=True)
class Models:
    """Which models of the hazard were asked for.

    ``strata`` and ``frailty`` are names of columns; ``effect_by`` says how the effect may change, and
    ``months`` where one that moves is read; ``residuals`` asks for what single events say of it.
    """

    horizon: float
    months: list[float]
    strata: tuple[str, ...] = ()
    frailty: tuple[str, ...] = ()
    clusters: Clusters | None = None
    effect_by: EffectBy | None = None
    residuals: bool = False


def hazards(sheet: Sheet, label: str, pair: Pair, models: Models) -> None:
    """Write tests, hazard ratios and the check of proportional hazards, plain and stratified."""
    people, active = together(pair)
    horizon, strata = models.horizon, models.strata
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": horizon, "time_unit": "months"}
    keys |= both(pair, cut)
    ways: dict[str, Stratum] = {"": None}
    if strata:
        ways[f"strata={'+'.join(strata)}"] = people.stratum
    main = list(ways)[-1]
    for method, quantity in (
        ("log_rank", "log_rank_test"),
        ("gray", "gray_test"),
        ("cox_efron", "hazard_ratio"),
        ("score_test", "proportional_hazards_test"),
    ):
        sheet.main(method, main, quantity)
    while_alive = remarks(DEATH_CENSORS if (people.cause == 2).any() else "")
    for way, within in ways.items():
        named = {**keys, "setting": way}
        _tests(sheet, people, active, within, {**named, **while_alive})
        _gray(sheet, people, active, within, named)
        _hazard_ratios(sheet, people, active, within, {**named, **while_alive})
        _proportional(sheet, people, active, within, {**named, **while_alive})
    _fine_gray(sheet, people, active, keys)
    if models.frailty:
        named = {**keys, "setting": f"frailty={'+'.join(models.frailty)}", **while_alive}
        _frailty(sheet, people, active, named)
    if models.clusters:
        for names, within in [((), None), (strata, people.stratum)][: len(ways)]:
            way = setting(strata=names, cluster=models.clusters.name)
            sheet.main("cox_efron_clustered", way, "hazard_ratio")
            named = {**keys, "setting": way, **while_alive}
            _clustered(sheet, models.clusters, people, active, within, named)
    if models.effect_by:
        named = {**keys, "setting": main, **while_alive}
        by: dict[str, Any] = {"horizon": horizon, "months": models.months}
        changing_hazards(sheet, models.effect_by, people, active, named, **by)
    if models.residuals:
        effect_over_time(sheet, people, active, {**keys, "setting": main})


def _tests(sheet: Sheet, people: ArmTimes, active: Codes, within: Stratum, keys: dict[str, Any]) -> None:
    """Write the log-rank test, and those that weigh late or early differences more."""
    for method, weights in LOG_RANK_TESTS.items():
        with sheet.attempt("log_rank_test", method=method, **keys):
            test = log_rank(
                people.days, people.cause == 1, active, strata=within, entry=people.late, **weights
            )
            sheet.add("log_rank_test", method=method, **_test(test), **keys)


def _gray(sheet: Sheet, people: ArmTimes, active: Codes, within: Stratum, keys: dict[str, Any]) -> None:
    with sheet.attempt("gray_test", method="gray", **keys):
        people.refuse_late()
        test = gray_test(people.days, people.cause, active, strata=within)
        sheet.add("gray_test", method="gray", **_test(test), **keys)


def _test(test: LogRank | GrayTest) -> dict[str, float]:
    return {"statistic": test.statistic, "df": float(test.df), "p_value": test.p_value}


def _hazard_ratios(
    sheet: Sheet, people: ArmTimes, active: Codes, within: Stratum, keys: dict[str, Any]
) -> None:
    for method, ties in TIES.items():
        with sheet.attempt("hazard_ratio", method=method, **keys):
            fit = cox(
                people.days, people.cause == 1, _column(active), ties=ties, strata=within, entry=people.late
            )
            sheet.add("hazard_ratio", method=method, **ratio_row(sheet, fit), **keys)


def _fine_gray(sheet: Sheet, people: ArmTimes, active: Codes, keys: dict[str, Any]) -> None:
    keys = {**keys, "method": "fine_gray"}
    with sheet.attempt("subdistribution_hazard_ratio", **keys):
        people.refuse_late()
        fit = fine_gray(people.days, people.cause, _column(active))
        sheet.add("subdistribution_hazard_ratio", **ratio_row(sheet, fit), **keys)


def _frailty(sheet: Sheet, people: ArmTimes, active: Codes, keys: dict[str, Any]) -> None:
    """Write the hazard ratio among people of one site, sites differing by an unknown factor."""
    keys = {**keys, "method": "cox_gamma_frailty"}
    with sheet.attempt("hazard_ratio", **keys):
        people.refuse_late()
        fit = shared_frailty(people.days, people.cause == 1, _column(active), people.cluster)
        said = remarks(NO_FRAILTY if fit.at_boundary else "", keys.get("note", ""))
        sheet.add("hazard_ratio", **{**ratio_row(sheet, fit), **keys, **said})


def _clustered(
    sheet: Sheet,
    clusters: Clusters,
    people: ArmTimes,
    active: Codes,
    within: Stratum,
    keys: dict[str, Any],
) -> None:
    """Write the hazard ratio with a variance in which people of one cluster may be alike in any way."""
    keys = {**keys, "method": "cox_efron_clustered"}
    with sheet.attempt("hazard_ratio", **keys):
        among = np.zeros(len(clusters.code), dtype=np.bool_)
        among[people.row] = True
        said = remarks(clusters.check(among), keys.get("note", ""))
        code = clusters.code[people.row]
        how: dict[str, Any] = {"strata": within, "entry": people.late, "cluster": code}
        fit = cox(people.days, people.cause == 1, _column(active), **how)
        if fit.influence is None or not fit.converged:
            raise AnalysisError(fit.reason)
        is_shared = np.isin(np.unique(code), clusters.code[clusters.is_shared])
        found = spread_along(cluster_samples(fit.influence, is_shared), [1.0])
        ratio = wald_contrast(float(fit.coef[0]), *found, conf_level=sheet.conf_level, is_log=True)
        numbers = {name: value for name, value in ratio._asdict().items() if name != "note"}
        sheet.add("hazard_ratio", **{**numbers, "unit": "ratio", **keys, **said})


def _column(active: Codes) -> NDArray[np.float64]:
    return active[:, None].astype(np.float64)


def _proportional(
    sheet: Sheet, people: ArmTimes, active: Codes, within: Stratum, keys: dict[str, Any]
) -> None:
    """Write the check of proportional hazards; without strata lifelines' beside it."""
    event, covariate = people.cause == 1, _column(active)
    with sheet.attempt("proportional_hazards_test", method="score_test", **keys):
        if len(np.unique(people.days[event])) < 2:
            raise AnalysisError(
                "Events fell on fewer than two days, "
                "so that no change of the hazard ratio over time can be seen."
            )
        how: dict[str, Any] = {"strata": within, "entry": people.late}
        found = {"score_test": proportional_hazards(people.days, event, covariate, **how)}
        # A second opinion, where there is one to be had: lifelines caps pandas, so it may be absent.
        if within is None and people.late is None and find_spec("lifelines"):
            found["lifelines"] = lifelines_proportional_hazards(people.days, event, covariate)
        for method, test in found.items():
            row = {"statistic": test.statistic[0], "df": 1.0, "p_value": test.p_value[0]}
            sheet.add("proportional_hazards_test", method=method, **row, **keys)
