"""The table that goes out, once it is known what must not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ipseval import words
from ipseval.disclosure.policy import Floats
from ipseval.disclosure.sheet import COUNTS, CURVES, Sheet
from ipseval.results import PublicResults
from ipseval.results.table import typed
from ipseval.results.vocabulary import AT_RISK

SMALL_CELL = words.text("note.small_cell")
#: What goes with hidden degrees of freedom: together with an interval each of them gives the number back.
_WITH_DF = ("std_error", "statistic", "df", "p_value")
_ROUNDED = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
_DIGITS = 4
_CURVE_DECIMALS = 3
_SHARES = ("proportion", "percentage", "share_zero", "risk_difference")
_NUMBERS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_level", "conf_low", "conf_high")


def outgoing(sheet: Sheet) -> PublicResults:
    """Return the table without what is hidden, numbers at risk rounded, telling notes replaced."""
    frame = sheet.frame.copy()
    _replace_notes(sheet, frame)
    _round_at_risk(sheet, frame)
    for name in COUNTS:
        frame.loc[sheet.blank[name] | sheet.hide, name] = pd.NA
    frame.loc[sheet.hide, list(_NUMBERS)] = np.nan
    frame.loc[sheet.blank_df, list(_WITH_DF)] = np.nan
    _round_numbers(sheet, frame)
    frame.loc[sheet.hide, "status"] = "suppressed"
    frame.loc[sheet.hide, "note"] = SMALL_CELL
    said = {
        "minimum": sheet.policy.minimum,
        "zeros": sheet.policy.zeros,
        "suppressed": int(sheet.hide.sum()),
        "rounded": int((sheet.is_rounded & ~sheet.hide).sum()),
        "points_left_out": int(sheet.leave_out.sum()),
        "significant_digits": _DIGITS,
        "decimals_of_curves": _CURVE_DECIMALS,
    }
    results = sheet.results
    provenance = {**results.provenance, "disclosure": said}
    if sheet.policy.small(np.array(list(sheet.randomised.values()), dtype=np.float64)).any():
        provenance["trial"] = {**provenance.get("trial", {}), "randomised": {}}
    return PublicResults(
        typed(frame.loc[~sheet.leave_out]), results.records, results.endpoints, provenance, {}
    )


def _round_numbers(sheet: Sheet, frame: pd.DataFrame) -> None:
    """Keep the digits that a reader needs; all fifteen let hidden counts be solved for.

    Numbers of people stay whole, and so do published figures. A proportion whose number of people is left
    out is a whole percentage: with more digits, only few fractions would come near it.
    """
    is_free = ~sheet.is_published & ~frame["quantity"].isin([*AT_RISK, "count"]).to_numpy(dtype=bool)
    is_curve = frame["quantity"].isin(CURVES).to_numpy(dtype=bool)
    is_coarse = sheet.blank["n"] & frame["quantity"].isin(_SHARES).to_numpy(dtype=bool)
    for name in _ROUNDED:
        exact = frame[name].to_numpy(dtype="float64")
        shown = np.where(is_curve, np.round(exact, _CURVE_DECIMALS), significant(exact, _DIGITS))
        if name != "p_value":
            shown = np.where(is_coarse, np.round(exact, 2), shown)
        frame[name] = np.where(is_free, shown, exact)


def significant(numbers: Floats, digits: int) -> Floats:
    """Return numbers rounded to so many significant digits; what is missing or infinite stays."""
    return np.array([float(f"{number:.{digits}g}") for number in numbers], dtype=np.float64)


def _round_at_risk(sheet: Sheet, frame: pd.DataFrame) -> None:
    """Round numbers at risk to multiples of the minimum, and say so."""
    base = sheet.policy.minimum
    exact = frame["estimate"].to_numpy(dtype="float64")
    of = np.where(frame["quantity"] == "percentage", sheet.counts["n"], 1.0)
    rounded = np.floor(exact * of / base + 0.5) * base / of
    frame["estimate"] = np.where(sheet.is_rounded, rounded, exact)
    frame.loc[sheet.is_rounded, ["n_event", "n_missing"]] = pd.NA
    frame.loc[sheet.is_rounded, "note"] = f"rounded to a multiple of {base}"


def _replace_notes(sheet: Sheet, frame: pd.DataFrame) -> None:
    """Put a general remark in the place of every note that holds a number."""
    telling = frame["note"].str.contains(r"\d", regex=True).to_numpy(dtype=bool) & ~sheet.is_published
    failed = frame["status"].isin(["failed", "not_defined"]).to_numpy(dtype=bool)
    frame.loc[telling & failed, "note"] = words.text("note.inside")
    frame.loc[telling & ~failed, "note"] = words.text("note.remark_inside")
