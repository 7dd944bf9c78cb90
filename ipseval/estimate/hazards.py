"""How do the arms differ in the hazard of a first event: log-rank test, hazard ratio, proportionality."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.arm_times import ArmTimes, both
from ipseval.estimate.sheet import Sheet
from ipseval.stats.cox import cox
from ipseval.stats.log_rank import log_rank
from ipseval.stats.proportional_hazards import lifelines_proportional_hazards, proportional_hazards
from ipseval.stats.tables import normal_quantile

DEATH_CENSORS = words.text("note.death_censors")


def hazards(
    sheet: Sheet, label: str, pair: tuple[ArmTimes, ArmTimes], horizon: float, strata: tuple[str, ...]
) -> None:
    """Write the log-rank test, the hazard ratio and the check of proportional hazards."""
    days, cause, stratum = (np.concatenate(columns) for columns in zip(*pair, strict=True))
    active = np.repeat([1, 0], [len(pair[0].days), len(pair[1].days)])
    cut = sheet.trial.design.horizon_day(horizon)
    keys = {"contrast": label, "term": "event", "time_from": 0.0, "time": horizon, "time_unit": "months"}
    keys |= both(pair, cut) | ({"note": DEATH_CENSORS} if (cause == 2).any() else {})
    ways: dict[str, NDArray[np.int64] | None] = {"": None}
    if strata:
        ways[f"strata={'+'.join(strata)}"] = stratum
    main = list(ways)[-1]
    sheet.main("log_rank", main, "log_rank_test")
    sheet.main("cox_efron", main, "hazard_ratio")
    for setting, within in ways.items():
        with sheet.attempt("log_rank_test", method="log_rank", setting=setting, **keys):
            test = log_rank(days, cause == 1, active, strata=within)
            row = {"statistic": test.statistic, "df": float(test.df), "p_value": test.p_value, **keys}
            sheet.add("log_rank_test", method="log_rank", setting=setting, **row)
        with sheet.attempt("hazard_ratio", method="cox_efron", setting=setting, **keys):
            _hazard_ratio(sheet, days, cause == 1, active, within, {**keys, "setting": setting})
        with sheet.attempt("proportional_hazards_test", method="score_test", setting=setting, **keys):
            _proportional(sheet, (days, cause == 1, active), within, {**keys, "setting": setting})
    sheet.main("score_test", main, "proportional_hazards_test")


def _proportional(
    sheet: Sheet,
    data: tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]],
    stratum: NDArray[np.int64] | None,
    keys: dict[str, Any],
) -> None:
    """Write the check of proportional hazards; without strata lifelines' beside it."""
    days, event, active = data
    if len(np.unique(days[event])) < 2:
        raise AnalysisError(
            "Events fell on fewer than two days, so that no change of the hazard ratio over time can be seen."
        )
    covariate = active[:, None].astype(np.float64)
    found = {"score_test": proportional_hazards(days, event, covariate, strata=stratum)}
    # A second opinion, where there is one to be had: lifelines caps pandas, so it may be absent.
    if stratum is None and find_spec("lifelines"):
        found["lifelines"] = lifelines_proportional_hazards(days, event, covariate)
    for method, test in found.items():
        row = {"statistic": test.statistic[0], "df": 1.0, "p_value": test.p_value[0]}
        sheet.add("proportional_hazards_test", method=method, **row, **keys)


def _hazard_ratio(
    sheet: Sheet,
    days: NDArray[np.int64],
    event: NDArray[np.bool_],
    active: NDArray[np.int64],
    stratum: NDArray[np.int64] | None,
    keys: dict[str, Any],
) -> None:
    """Write the hazard ratio of one Cox model, or why it has none."""
    fit = cox(days, event, active[:, None].astype(np.float64), strata=stratum)
    if not fit.converged:
        raise AnalysisError(fit.reason)
    value, std_error = float(fit.coef[0]), float(fit.std_error[0])
    half = normal_quantile(sheet.conf_level) * std_error
    row = {"estimate": np.exp(value), "conf_low": np.exp(value - half), "conf_high": np.exp(value + half)}
    test = {"statistic": fit.wald_test.statistic, "df": 1.0, "p_value": fit.wald_test.p_value}
    sheet.add("hazard_ratio", method="cox_efron", unit="ratio", std_error=std_error, **row, **test, **keys)
