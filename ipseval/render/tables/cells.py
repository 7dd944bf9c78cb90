"""How one row of results is written in the cells of a table; every table writes it in this way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ipseval import words
from ipseval.endpoints.base import label
from ipseval.results import QUANTITIES, Results
from ipseval.results.sentences import columns_of, figures, is_of_periods, quantity_of, value, what, when
from ipseval.results.setting import part_of

#: Where a line has no such number; one that should be there and is not says why.
NONE = ""


_OF_LOGARITHM = words.text("note.of_logarithm")


def capital(text: str) -> str:
    """Return a text with a capital at its start."""
    return text[:1].upper() + text[1:]


def inner(text: str, lang: str) -> str:
    """Return a name as it stands inside a sentence: German nouns keep their capital."""
    return text if lang == "de" or text[1:2].isupper() else text[:1].lower() + text[1:]


def rows_of(frame: pd.DataFrame) -> Iterator[pd.Series]:
    """Return the rows of a frame one by one."""
    return (row for _, row in frame.iterrows())


@dataclass(frozen=True)
class Writer:
    """Writes rows of one results table in one language."""

    results: Results
    lang: str = "en"

    # ---- the trial

    @property
    def trial(self) -> Any:
        """The facts that results keep of the trial."""
        return self.results.provenance.get("trial", {})

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The arms in reading order: active before reference, as in "44% against 25%"."""
        present = [str(arm) for arm in pd.unique(self.results.frame["arm"]) if arm]
        declared = [str(arm) for arm in self.trial.get("arms", ()) if arm in present]
        return (*declared[1:], *declared[:1]) if declared else tuple(present)

    @cached_property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts, in the order of the arms."""
        present = [str(contrast) for contrast in pd.unique(self.results.frame["contrast"]) if contrast]
        order = {arm: place for place, arm in enumerate(self.arms)}
        return tuple(sorted(present, key=lambda contrast: order.get(self.pair(contrast)[0], len(order))))

    def arm(self, name: str) -> str:
        """Return the label of an arm."""
        return words.translated(str(self.trial.get("arm_labels", {}).get(name, name)), self.lang)

    def pair(self, contrast: str) -> tuple[str, str]:
        """Return the active and the reference arm of a contrast."""
        known = ((a, b) for a in self.arms for b in self.arms if f"{a} - {b}" == contrast)
        active, _, reference = contrast.partition(" - ")
        return next(known, (active, reference))

    # ---- texts

    def say(self, key: str, **fields: object) -> str:
        """Return a text of the report."""
        return words.text(f"report.{key}", self.lang, **fields)

    def named(self, topic: str, name: str) -> str:
        """Return the name of a quantity, method or setting; its own where the catalogue has none."""
        key = f"{topic}.{name}"
        return words.text(key, self.lang) if words.has(key) else name.replace("_", " ")

    def outcome(self, endpoint: str) -> str:
        """Return the short name of an endpoint."""
        described = self.results.endpoints.get(endpoint)
        return label(described, self.lang) if described else self.named("endpoint", endpoint)

    def number(self, count: float) -> str:
        """Return a whole number."""
        return words.number(float(count), self.lang, digits=0)

    def level(self, frame: pd.DataFrame) -> str:
        """Return the confidence level of the intervals in a frame; where all are hidden, as asked."""
        levels = [float(level) for level in frame["conf_level"].dropna()]
        for analysis in () if levels else pd.unique(frame["analysis"]):
            asked = self.results.records.get(str(analysis), {}).get("arguments", {})
            levels += [float(asked["conf_level"])] if "conf_level" in asked else []
        chosen = levels[0] if levels else float("nan")
        return words.percentage(chosen, self.lang, digits=0 if round(chosen, 2) == chosen else 1)

    # ---- what a row is about

    def who(self, row: pd.Series) -> str:
        """Return the arm, or the direction of a contrast: "IPS minus usual care"."""
        if row["arm"]:
            return self.arm(row["arm"])
        if not row["contrast"]:
            return ""
        quantity = QUANTITIES[row["quantity"]]
        how = "over" if quantity.scale == "ratio" else "minus" if quantity.null == 0.0 else "against"
        return self.direction(row["contrast"], how)

    def direction(self, contrast: str, how: str = "minus") -> str:
        """Return "IPS minus usual care", or "relative to" or "against" instead of "minus"."""
        active, reference = (self.arm(arm) for arm in self.pair(contrast))
        said = words.text(f"sentence.{how}", self.lang, active=active, reference=reference)
        return said.removeprefix(", ")

    def moment(self, row: pd.Series) -> str:
        """Return "Within 30 months", "At 18 months", or that it is an average over the assessments."""
        if row["term"] == "average":
            return self.say("table.average_of_periods" if is_of_periods(row) else "table.average")
        return capital(when(row, self.lang).removeprefix(", ")) or self.say("table.overall")

    def how_counted(self, setting: str) -> str:
        """Return how the unknown were counted, from the text of a setting."""
        return capital(self.named("setting", part_of(setting, "missing")))

    # ---- cells

    def estimate(self, row: pd.Series) -> str:
        """Return the estimate, or why there is none: a small cell, no value, not computed."""
        if self.is_hidden(row):
            return words.text(f"status.{row['status']}", self.lang)
        if QUANTITIES[row["quantity"]].scale != "test":
            return value(row, self.lang)
        if pd.isna(row["statistic"]):
            return NONE
        statistic = words.number(row["statistic"], self.lang, digits=2)
        if numerator := part_of(row["setting"], "numerator_df"):
            df = words.number(row["df"], self.lang, digits=1)
            return self.say("table.f_statistic", statistic=statistic, numerator=numerator, df=df)
        return self.say("table.statistic", statistic=statistic, df=self.number(row["df"]))

    def bare(self, row: pd.Series) -> str:
        """Return the estimate without its unit, which then stands in the heading of the column."""
        return self.estimate(row) if self.is_hidden(row) else figures(row["estimate"], row, self.lang)

    def count(self, row: pd.Series) -> str:
        """Return an estimate that is a number of people, without saying so each time."""
        return self.estimate(row) if self.is_hidden(row) else self.number(row["estimate"])

    def interval(self, row: pd.Series) -> str:
        """Return the limits; those of a number needed to treat through infinity as Altman writes them."""
        low, high = row["conf_low"], row["conf_high"]
        if self.is_hidden(row) or (pd.isna(low) and pd.isna(high)):
            return NONE
        if row["quantity"] == "number_needed_to_treat" and low > 0 > high:
            limits = {"benefit": figures(low, row, self.lang), "harm": figures(-high, row, self.lang)}
            return self.say("table.through_infinity", **limits)
        limits = {"low": figures(low, row, self.lang), "high": figures(high, row, self.lang)}
        return words.text("number.interval", self.lang, **limits)

    def events(self, row: pd.Series) -> str:
        """Return "31 of 70", or the people alone where nothing was counted among them."""
        if self.is_hidden(row):
            return NONE
        if pd.isna(row["n"]):
            return words.text("status.not_shown", self.lang) if self.is_public else NONE
        if pd.isna(row["n_event"]):
            return self.number(row["n"])
        return self.say("table.events", n_event=self.number(row["n_event"]), n=self.number(row["n"]))

    def against(self, both: list[str]) -> str:
        """Return "31 of 70 against 20 of 81"; nothing unless both are shown."""
        if len(both) < 2 or not all(both):
            return NONE
        said = words.text("sentence.against", self.lang, active=both[0], reference=both[1])
        return said.removeprefix(", ")

    def unknown(self, row: pd.Series) -> str:
        """Return how many outcomes were unknown; a number that may not be shown says so."""
        if self.is_hidden(row) or (pd.isna(row["n"]) and not self.is_public):
            return NONE
        not_shown = words.text("status.not_shown", self.lang)
        return not_shown if pd.isna(row["n_missing"]) else self.number(row["n_missing"])

    def p_value(self, row: pd.Series) -> str:
        """Return the p value."""
        hidden = self.is_hidden(row) or pd.isna(row["p_value"])
        return NONE if hidden else words.p_value(row["p_value"], self.lang)

    def method(self, row: pd.Series) -> str:
        """Return the name of the method."""
        return capital(self.named("method", row["method"])) if row["method"] else NONE

    def method_in_full(self, row: pd.Series) -> str:
        """Return the method with the columns that strata or a model were made of."""
        parts = (columns_of(row["setting"], part, self.lang) for part in ("strata", "adjust", "among"))
        columns = [part for part in parts if part]
        return f"{self.method(row)}: {'; '.join(columns)}" if columns else self.method(row)

    def about(self, row: pd.Series) -> str:
        """Return what a line is about: "Risk difference, IPS minus usual care"; a count with its category."""
        is_category = row["quantity"] == "count" and "=" in row["term"]
        subject = what(row, self.lang) if is_category else quantity_of(row, self.lang)
        return ", ".join(part for part in (subject, self.who(row)) if part)

    @property
    def is_public(self) -> bool:
        """Whether numbers of people may have been left out, so that a blank has to say so."""
        return "disclosure" in self.results.provenance

    def is_hidden(self, row: pd.Series) -> bool:
        """Whether a row carries no number that may be shown."""
        return bool(row["status"] in ("suppressed", "failed", "not_defined"))

    def notes(self, row: pd.Series) -> list[str]:
        """Return what must be said beside the row, part by part."""
        # The interval cell itself says that a number needed to treat runs through infinity.
        if row["status"] == "suppressed" or row["quantity"] == "number_needed_to_treat":
            return []
        # Tables hold no standard errors, so that the scale of one need not be said in them.
        parts = (part for part in str(row["note"]).split("; ") if part not in ("", _OF_LOGARITHM))
        return [capital(words.translated(part, self.lang)) for part in parts]

    def closing(self, frame: pd.DataFrame) -> tuple[tuple[str, str], ...]:
        """Return the notes that explain rounded numbers and small cells, where there are any."""
        minimum = self.results.provenance.get("disclosure", {}).get("minimum")
        if minimum is None:
            return ()
        notes = []
        if frame["note"].str.startswith("rounded to a multiple").any():
            notes.append(self.say("table.rounded", minimum=minimum))
        if (frame["status"] == "suppressed").any():
            label = words.text("status.suppressed", self.lang)
            notes.append(self.say("table.small_cell", label=label, minimum=minimum))
        return tuple(("", note) for note in notes)
