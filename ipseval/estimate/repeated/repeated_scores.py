"""A score at several assessments: least-squares means of the arms, and how they differ, month by month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.assessments import Assessments, at, counted, refuse_dependent, seen_only
from ipseval.estimate.sheet import NOBODY, Sheet, contrast_label, remarks
from ipseval.results.setting import setting
from ipseval.stats.regression.canonical_models import canonical_fit
from ipseval.stats.regression.robust_variance import coefficient_covariance
from ipseval.stats.repeated.covariance_structures import STRUCTURES
from ipseval.stats.repeated.denominator_df import DF_METHODS, CoefficientInference, LinearContrast
from ipseval.stats.repeated.gaussian_blocks import regression
from ipseval.stats.repeated.linear_mixed import LinearMixed, linear_mixed
from ipseval.stats.repeated.repeated_measures import RepeatedMeasures, repeated_measures

Floats = NDArray[np.float64]
Row = dict[str, Any]
Contrast = Callable[[Floats], LinearContrast]

QUANTITIES = ("least_squares_mean", "least_squares_mean_difference", "arm_by_month_test")

FEWER_PARAMETERS = words.text("note.fewer_parameters")
NO_PAIRS = words.text("note.no_pairs")
AFTER_DEATH = words.text("note.scores_after_death")
SHARED_BASELINE = words.text("note.shared_baseline")
AT_BOUNDARY = words.text("note.variance_at_zero")


class _Fitted(NamedTuple):
    """What the rows are made of, whichever model was fitted; ``model`` is what the record keeps of it."""

    inference: CoefficientInference
    method: str
    note: str
    model: Row


def write_repeated_scores(
    sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, model: str, **options: Any
) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    names = panel.covariates.names
    keys = {"setting": _setting(panel, options), "unit": _unit(sheet)}
    if not len(panel.y):
        for quantity in QUANTITIES:
            sheet.add(quantity, method=model, note=NOBODY, **keys)
        return
    died = AFTER_DEATH if (outcome["reason"] == "died").any() else ""
    row = {**keys, **remarks(seen_only(outcome), died, panel.covariates.note)}
    if model == "ancova":
        _ancova(sheet, outcome, panel, row | {"method": model})
        return
    with sheet.attempt(*QUANTITIES, method=model, **keys):
        panel.refuse_unseen()
        fitted = _fit(panel, model, options)
        shared = SHARED_BASELINE if panel.first else ""
        note = remarks(row.get("note", ""), shared, fitted.note)
        row = {**row, "method": fitted.method, **note}
        _means(sheet, outcome, panel, fitted.inference, options["df"], row)
        _same_every_month(sheet, outcome, panel, fitted.inference, options, row)
        by_month = panel.covariates.by_month
        sheet.model = fitted.model | {"df": options["df"], "adjusted": list(names), "by_month": by_month}


def _setting(panel: Assessments, options: Row, **parts: str) -> str:
    """Return what varied: choices are named where they are not the default."""
    df = options.get("df", DF_METHODS[0])
    return setting(
        adjust=panel.covariates.names,
        by_month=panel.covariates.by_month,
        covariance="per_arm" if options.get("covariance_per_arm") else "",
        df="" if df == DF_METHODS[0] else df,
        **parts,
    )


def _unit(sheet: Sheet) -> str:
    """Return the unit of the scale, as the trial declares it."""
    assert sheet.endpoint is not None
    variable = sheet.trial.scores.get(str(sheet.endpoint.parameters["scale"]))
    return (variable.unit if variable else "") or sheet.endpoint.unit


# ---- models


def _fit(panel: Assessments, model: str, options: Row) -> _Fitted:
    """Return the fitted model; refuses, with the reason, what cannot be fitted."""
    regression(panel.y, panel.design)  # no covariance can mend what this refuses
    said = f"{model}_shared_baseline" if panel.first else model
    if model == "mmrm":
        fit, note = _repeated_measures(panel, options["covariance"], options["covariance_per_arm"])
        record = {
            "words": said,
            "covariance": fit.structure,
            "per_arm": bool(options["covariance_per_arm"]),
        }
        return _Fitted(fit.inference, f"mmrm_{fit.structure}", note, record)
    slope = np.array(panel.months)[panel.month] if model == "random_slope" else None
    mixed = _linear_mixed(panel, slope)
    if mixed is None or not mixed.converged or not _is_usable(mixed.inference):
        raise AnalysisError(
            f"The linear mixed model with model={model!r} has no maximum that could be found. "
            f"Use model='mmrm' or fewer covariates."
        )
    note = AT_BOUNDARY if mixed.at_boundary else ""
    return _Fitted(mixed.inference, f"linear_{model}", note, {"words": f"linear_{said}"})


def _linear_mixed(panel: Assessments, slope: Floats | None) -> LinearMixed | None:
    """Return the linear mixed model; None where its covariance stops being positive on the way."""
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return linear_mixed(panel.y, panel.design, panel.person, slope=slope)
    except np.linalg.LinAlgError:
        return None


def _repeated_measures(panel: Assessments, asked: str, per_arm: bool) -> tuple[RepeatedMeasures, str]:
    """Return the MMRM with the covariance asked for, or the next that can be fitted, and what to say."""
    group, reasons = panel.arm if per_arm else None, []
    for covariance in STRUCTURES[STRUCTURES.index(asked) :]:
        try:
            fit = repeated_measures(
                panel.y, panel.design, panel.person, panel.month, covariance=covariance, group=group
            )
        except AnalysisError:  # of the whole panel, only an unstructured covariance is refused
            reasons.append(NO_PAIRS)
            continue
        except np.linalg.LinAlgError:
            reasons.append("")
            continue
        if fit.converged and _is_usable(fit.inference):
            said = remarks(*reasons, FEWER_PARAMETERS if reasons else "")
            return fit, said.get("note", "")
        reasons.append("")
    raise AnalysisError(
        f"No covariance of the assessments could be fitted, from {asked} to {STRUCTURES[-1]}. "
        f"Use model='ancova' month by month, or fewer covariates."
    )


def _is_usable(inference: CoefficientInference) -> bool:
    """Whether every contrast will have a variance, with Kenward and Roger's adjustment too."""
    matrices = (inference.covariance, inference.adjusted_covariance)
    return all(np.isfinite(each).all() and np.linalg.eigvalsh(each)[0] > 0.0 for each in matrices)


# ---- rows


def _means(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    inference: CoefficientInference,
    df: str,
    row: Row,
) -> None:
    """Write means of the arms and their differences, per month and averaged over the compared months."""

    def contrast(weights: Floats) -> LinearContrast:
        return inference.contrast(weights, df=df, conf_level=sheet.conf_level)

    compared = panel.compared
    for place, month in enumerate(panel.months):
        levels = {arm: panel.level(place, code) for code, arm in enumerate(panel.arms)}
        _month(sheet, outcome, month, levels, contrast, row, is_compared=place in compared)
    if len(compared) > 1:
        average = {
            arm: np.mean([panel.level(place, code) for place in compared], axis=0)
            for code, arm in enumerate(panel.arms)
        }
        _month(sheet, outcome, None, average, contrast, row)


def _month(
    sheet: Sheet,
    outcome: pd.DataFrame,
    month: float | None,
    levels: dict[str, Floats],
    contrast: Contrast,
    row: Row,
    *,
    is_compared: bool = True,
) -> None:
    """Write the means of all arms at a month (or on average), given their weights, and the contrasts."""
    for arm, weights in levels.items():
        base = {**row, **at(month), **counted(outcome, month, arm), "arm": arm}
        sheet.add("least_squares_mean", **_numbers(contrast(weights), "df"), **base)
    for pair in sheet.trial.design.comparisons if is_compared else ():
        active, reference = pair
        base = {**row, **at(month), **counted(outcome, month, *pair), "contrast": contrast_label(*pair)}
        found = contrast(levels[active] - levels[reference])
        numbers = _numbers(found, "df", "statistic", "p_value")
        sheet.add("least_squares_mean_difference", **numbers, **base)


def _numbers(found: LinearContrast, *more: str) -> Row:
    """Return an estimate with its interval as columns."""
    return {name: getattr(found, name) for name in ("estimate", "std_error", "conf_low", "conf_high", *more)}


def _same_every_month(
    sheet: Sheet,
    outcome: pd.DataFrame,
    panel: Assessments,
    inference: CoefficientInference,
    options: Row,
    row: Row,
) -> None:
    """Write the F test that an arm differs by the same at every month."""
    if len(panel.compared) < 2:
        return
    for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
        with np.errstate(divide="ignore", invalid="ignore"):
            found = inference.test(panel.changes(code), df=options["df"])
        tested = _setting(panel, options, numerator_df=str(found.numerator_df))
        base = {**row, "setting": tested, "unit": "", "contrast": contrast_label(*pair)}
        numbers = {"statistic": found.statistic, "df": found.denominator_df, "p_value": found.p_value}
        if not np.isfinite(list(numbers.values())).all():
            numbers = {}
        sheet.add("arm_by_month_test", **numbers, **base, **counted(outcome, None, *pair))


# ---- analysis of covariance


def _ancova(sheet: Sheet, outcome: pd.DataFrame, panel: Assessments, row: Row) -> None:
    """Write means and differences at each month from a linear regression of that month alone."""
    for place, month in enumerate(panel.months):
        here = panel.month == place
        with sheet.attempt(*QUANTITIES[:2], **{**row, **at(month)}):
            codes = np.arange(len(panel.arms))
            if absent := [panel.arms[code] for code in codes if not (panel.arm[here] == code).any()]:
                raise AnalysisError(f"nobody in the {absent[0]!r} arm was seen at month {month:g}")
            contrast = _regression(sheet, panel, here)
            n_covariates = panel.covariates.columns.shape[1]
            levels = {
                arm: np.concatenate([[1.0], codes[1:] == code, np.zeros(n_covariates)])
                for code, arm in enumerate(panel.arms)
            }
            _month(sheet, outcome, month, levels, contrast, row)
    sheet.model = {"words": "ancova", "adjusted": list(panel.covariates.names)}


def _regression(sheet: Sheet, panel: Assessments, here: NDArray[np.bool_]) -> Contrast:
    """Return how combinations of the coefficients of one month are estimated: least squares, HC3, t."""
    y = panel.y[here]
    arms = panel.arm[here, None] == np.arange(1, len(panel.arms))
    covariates = panel.covariates.columns[panel.person[here]]
    X = np.column_stack([np.ones(len(y)), arms, covariates]).astype(np.float64)
    refuse_dependent(X, ("everyone", *panel.arms[1:], *panel.covariates.labels))
    regression(y, X)
    fit = canonical_fit(y, X, "linear")
    leverage = np.einsum("np,pq,nq->n", X, fit.inverse_information, X)
    if alone := int((leverage > 1.0 - 1e-9).sum()):
        raise AnalysisError(
            f"{alone} of {len(y)} people are the only ones with their covariates or in their arm, so that "
            f"there is no HC3 variance: leave covariates out, or use model='mmrm'"
        )
    covariance = coefficient_covariance(fit, y, X, "hc3")
    df = float(len(y) - X.shape[1])
    quantile = float(stdtrit(df, 0.5 + sheet.conf_level / 2.0))

    def contrast(weights: Floats) -> LinearContrast:
        estimate = float(weights @ fit.coefficients)
        error = float(np.sqrt(weights @ covariance @ weights))
        statistic = estimate / error if error > 0.0 else np.nan
        low, high = estimate - quantile * error, estimate + quantile * error
        return LinearContrast(
            estimate, error, low, high, df, statistic, float(2.0 * stdtr(df, -abs(statistic)))
        )

    return contrast
