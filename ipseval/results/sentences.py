"""A row of results in words: what, for whom, when, how much, out of how many, by which method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ipseval import words
from ipseval.endpoints.base import joined
from ipseval.results.setting import part_of
from ipseval.results.vocabulary import QUANTITIES

if TYPE_CHECKING:
    from ipseval.results.table import Results

#: The terms that a survival quantity is about anyway.
_SAID_BY_THE_QUANTITY = ("event",)

#: The models of what was had in each period.
_OF_PERIODS = ("negative_binomial_mixed", "gee_rates")

#: What a difference of restricted means counts: the last part of the sentence that says its direction.
_DAYS = {
    "restricted_mean_survival_time_difference": "without",
    "restricted_mean_time_lost_difference": "since",
}


def sentence(row: pd.Series, results: Results, *, lang: str = "en") -> str:
    """Return one row of ``results`` as a sentence or two.

    Names the quantity, arm or direction, horizon, value with its interval, denominator, how many
    outcomes were unknown and how they were counted, the method, and whatever the note says.
    """
    parts = {
        "what": what(row, lang),
        "who": _who(row, results.provenance.get("trial", {}), lang),
        "when": when(row, lang),
    }
    if row["status"] in ("failed", "not_defined"):
        note = words.translated(row["note"].rstrip("."), lang)
        return words.text(f"sentence.{row['status']}", lang, **parts, note=note)
    if row["status"] == "suppressed":
        minimum = results.provenance.get("disclosure", {}).get("minimum", "")
        return words.text("sentence.suppressed", lang, **parts, minimum=minimum)
    shown = _events(row, lang).rstrip(".") if _is_its_numerator(row) else value(row, lang)
    said = [words.text("sentence.estimate", lang, **parts, value=shown, interval=_interval(row, lang))]
    said += _direction(row, lang) + _base(row, lang) + _compared(row, lang)
    if row["method"] and words.has(f"method.{row['method']}"):
        said.append(words.text("sentence.method", lang, method=words.text(f"method.{row['method']}", lang)))
    if row["note"]:
        note = words.translated(row["note"].rstrip("."), lang)
        said.append(f"{note[0].upper()}{note[1:]}.")
    return " ".join(said)


def what(row: pd.Series, lang: str = "en") -> str:
    """Return the quantity, and what else it is about: a covariate, a category, a reason."""
    named = quantity_of(row, lang)
    subject, _, category = str(row["term"]).partition("=")
    if not subject or subject in _SAID_BY_THE_QUANTITY:
        return named
    if subject == "average" and is_of_periods(row):
        subject = "average_of_periods"
    about = words.text(f"term.{subject}", lang) if words.has(f"term.{subject}") else subject
    if category:
        known = f"term.{category}"
        about = f"{about} = {words.text(known, lang) if words.has(known) else category}"
    return words.text("sentence.about", lang, what=named, about=about)


def quantity_of(row: pd.Series, lang: str = "en") -> str:
    """Return the name of the quantity; an effect on amounts is compared over periods and not over months."""
    if row["quantity"] == "arm_by_month_test" and is_of_periods(row):
        return words.text("sentence.same_in_every_period", lang)
    return words.text(f"quantity.{row['quantity']}", lang)


def is_of_periods(row: pd.Series) -> bool:
    """Whether a row is of a model of amounts, which are had between one month and the next."""
    return row["method"] in _OF_PERIODS


def value(row: pd.Series, lang: str = "en") -> str:
    """Return the estimate as a reader expects it: a percentage, points, a ratio, an amount with its unit."""
    scale = QUANTITIES[row["quantity"]].scale
    if scale == "test":
        shown = words.p_relation(row["p_value"], lang)
        if part_of(row["setting"], "margin"):
            return _one_sided(row, shown, lang)
        if pd.isna(row["statistic"]):
            return f"p {shown}"
        numerator = part_of(row["setting"], "numerator_df")
        degrees = words.number(row["df"], lang, digits=1 if numerator else 0)
        statistic = words.number(row["statistic"], lang, digits=2)
        key = "f_statistic" if numerator else "statistic_on_one" if degrees == "1" else "statistic"
        said = words.text(f"sentence.{key}", lang, value=statistic, df=degrees, numerator=numerator)
        return words.text("sentence.test", lang, statistic=said, p=shown)
    written = figures(row["estimate"], row, lang)
    if scale == "difference":
        return f"{written} {words.text('unit.percentage_points', lang)}"
    unit = unit_of(row, lang)
    return f"{written} {unit}" if scale in ("number", "count") and unit else written


def _one_sided(row: pd.Series, shown: str, lang: str) -> str:
    """Return a test against a margin, whose statistic is standard normal; an exact test has none."""
    if pd.isna(row["statistic"]):
        return words.text("sentence.one_sided", lang, p=shown)
    return words.text("sentence.z", lang, value=words.number(row["statistic"], lang, digits=2), p=shown)


def figures(estimate: float, row: pd.Series | Mapping[str, Any], lang: str = "en") -> str:
    """Return a number on the scale of its row: percent, percentage points, a ratio, or as it is."""
    scale = QUANTITIES[row["quantity"]].scale
    if scale == "proportion":
        return words.percentage(estimate, lang, digits=1)
    if scale == "difference":
        return words.percentage_points(estimate, lang, digits=1)
    if scale == "count":
        return words.number(estimate, lang, digits=0)
    digits = 2 if scale == "ratio" or abs(estimate) < 10 else 1 if abs(estimate) < 100 else 0
    return words.number(estimate, lang, digits=digits)


def unit_of(row: pd.Series | Mapping[str, Any], lang: str = "en") -> str:
    """Return the unit of a row in words; a currency code, or a unit of the trial's own, stays as it is."""
    unit = str(row["unit"])
    return words.text(f"unit.{unit}", lang) if unit and words.has(f"unit.{unit}") else unit


def when(row: pd.Series | Mapping[str, Any], lang: str = "en") -> str:
    """Return ", within 30 months" or ", at 18 months"; nothing where a row has no time."""
    if pd.isna(row["time"]):
        return ""
    if row["time_unit"] == "days":
        return words.text("sentence.on_day", lang, day=words.number(row["time"], lang, digits=0))
    months = words.number(row["time"], lang, digits=0 if row["time"] == int(row["time"]) else 1)
    if 0 < row["time_from"] < row["time"]:
        begin = words.number(
            row["time_from"], lang, digits=0 if row["time_from"] == int(row["time_from"]) else 1
        )
        return words.text("sentence.between", lang, begin=begin, months=months)
    is_within = row["time_from"] == 0 and row["time"] > 0
    return words.text("sentence.within" if is_within else "sentence.at", lang, months=months)


def _who(row: pd.Series, trial: Mapping[str, Any], lang: str) -> str:
    labels = {arm: words.translated(label, lang) for arm, label in trial.get("arm_labels", {}).items()}
    if row["arm"]:
        return words.text("sentence.arm", lang, arm=labels.get(row["arm"], row["arm"]))
    if not row["contrast"]:
        return ""
    active, _, reference = row["contrast"].partition(" - ")
    scale = QUANTITIES[row["quantity"]].scale
    how = {"ratio": "sentence.over", "test": "sentence.against", "proportion": "sentence.against"}
    key = how.get(scale, "sentence.minus")
    return words.text(
        key, lang, active=labels.get(active, active), reference=labels.get(reference, reference)
    )


def _interval(row: pd.Series, lang: str) -> str:
    low, high = row["conf_low"], row["conf_high"]
    if pd.isna(low) and pd.isna(high):
        return ""
    level = words.percentage(row["conf_level"], lang)
    if row["quantity"] == "number_needed_to_treat" and low > 0 > high:
        limits = {"benefit": figures(low, row, lang), "harm": figures(-high, row, lang)}
        return words.text("sentence.through_infinity", lang, level=level, **limits)
    limits = {"low": figures(low, row, lang), "high": figures(high, row, lang)}
    return words.text(
        "sentence.interval", lang, level=level, interval=words.text("number.interval", lang, **limits)
    )


def _direction(row: pd.Series, lang: str) -> list[str]:
    """Return which arm had fewer days without a first job, and whether the interval leaves that open."""
    of, estimate = _DAYS.get(row["quantity"]), row["estimate"]
    if of is None or row["unit"] != "days" or pd.isna(row["time"]) or estimate == 0:
        return []
    months = words.number(row["time"], lang, digits=0 if row["time"] == int(row["time"]) else 1)
    key = f"sentence.{'fewer' if estimate < 0 else 'more'}_days_{of}"
    said = [words.text(key, lang, days=figures(abs(estimate), row, lang), months=months)]
    if row["conf_low"] < 0 < row["conf_high"]:
        said.append(words.text("sentence.direction_open", lang))
    return said


def _is_its_numerator(row: pd.Series) -> bool:
    """Whether a row counts people, so that its estimate is said by "61 of 81 people"."""
    if row["unit"] != "people" or pd.isna(row["n"]) or pd.isna(row["n_event"]):
        return False
    return bool(row["n_event"] == row["estimate"])


def _events(row: pd.Series, lang: str) -> str:
    counts = {name: words.number(float(row[name]), lang, digits=0) for name in ("n_event", "n")}
    return words.text("sentence.events", lang, **counts)


def _base(row: pd.Series, lang: str) -> list[str]:
    """Return out of how many, how many unknown, and how those were counted."""
    said = []
    if pd.notna(row["n"]) and not _is_its_numerator(row):
        people = words.number(float(row["n"]), lang, digits=0)
        has_events = pd.notna(row["n_event"])
        said.append(_events(row, lang) if has_events else words.text("sentence.people", lang, n=people))
    if pd.notna(row["n_missing"]) and row["n_missing"] > 0:
        said.append(words.text("sentence.unknown", lang, n_missing=int(row["n_missing"])))
    rule = part_of(row["setting"], "missing")
    if rule and words.has(f"setting.{rule}"):
        said.append(words.text("sentence.counted", lang, rule=words.text(f"setting.{rule}", lang)))
    return said


def columns_of(text: str, part: str, lang: str = "en") -> str:
    """Return the columns in one part of a setting as a list: "site and age"; empty where it has none."""
    names = [name for name in part_of(text, part).split("+") if name]
    known = [words.text(f"term.{name}", lang) if words.has(f"term.{name}") else name for name in names]
    return joined(known, lang) if known else ""


def _compared(row: pd.Series, lang: str) -> list[str]:
    """Return within what the arms were compared, for what they were adjusted, and for whom that holds."""
    said = [
        words.text(f"sentence.{part}", lang, names=names)
        for part in ("strata", "adjust", "cluster", "among")
        if (names := columns_of(row["setting"], part, lang))
    ]
    if margin := part_of(row["setting"], "margin"):
        of = {**row, "quantity": row["term"]}
        unit = f" {words.text('unit.percentage_points', lang)}" if row["term"] == "risk_difference" else ""
        said.append(words.text("sentence.margin", lang, margin=f"{figures(float(margin), of, lang)}{unit}"))
    if part_of(row["setting"], "estimand"):
        said.append(words.text("sentence.estimand", lang))
    if interval := part_of(row["setting"], "interval"):
        said.append(words.text(f"sentence.interval_{interval}", lang))
    if by_month := columns_of(row["setting"], "by_month", lang):
        said.append(words.text("sentence.by_month", lang, names=by_month))
    if part_of(row["setting"], "covariance"):
        said.append(words.text("sentence.covariance_per_arm", lang))
    for choice in ("variance", "df"):
        if chosen := part_of(row["setting"], choice):
            name = words.text(f"model.{choice}.{chosen}", lang)
            said.append(words.text(f"sentence.{choice}", lang, name=name))
    if began := part_of(row["setting"], "began"):
        said.append(words.text(f"sentence.began_{began}", lang))
    return said
