"""The rows of one analysis and all that is needed to label them: what a family of figures draws from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ipseval import checks, words
from ipseval.endpoints.base import joined, label
from ipseval.errors import AnalysisError
from ipseval.render.figures import style
from ipseval.results import Results

#: Days of a month, for showing a study day on an axis of months.
_MONTH_DAYS = {"30_days": 30.0}
AVERAGE_MONTH_DAYS = 30.4375


@dataclass(frozen=True)
class Source:
    """One analysis of one outcome, in one language.

    Attributes
    ----------
    results : Results
        Only ever read; nothing is computed from its numbers but their place on the page.
    analysis : str
    lang : str
    internal : bool
        Whether small numbers may be shown, which is then printed.
    """

    results: Results
    analysis: str
    lang: str
    internal: bool

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Every row of the analysis."""
        return self.results.select(analysis=self.analysis).frame

    @cached_property
    def main(self) -> pd.DataFrame:
        """The main rows of the analysis: default method, stated rule for the unknown."""
        return self.results.main.select(analysis=self.analysis).frame

    @property
    def record(self) -> Any:
        """What the estimator said of itself."""
        return self.results.records.get(self.analysis, {})

    @property
    def is_published(self) -> bool:
        """Whether the rows restate a publication, whatever trial they stand beside."""
        return bool(self.record.get("estimator") == "published")

    # ---- arms

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The arms drawn, reference first."""
        present = [arm for arm in pd.unique(self.frame["arm"]) if arm]
        declared = self.results.provenance.get("trial", {}).get("arms")
        if declared:
            return tuple(arm for arm in declared if arm in present)
        references = [self.pair(contrast)[1] for contrast in pd.unique(self.frame["contrast"]) if contrast]
        first = [arm for arm in present if arm in references]
        return tuple(first + [arm for arm in present if arm not in references])

    @cached_property
    def shown_arms(self) -> tuple[str, ...]:
        """The arms in reading order: active before reference, as in "44% v 25%"."""
        return (*self.arms[1:], *self.arms[:1])

    @cached_property
    def styles(self) -> dict[str, style.ArmStyle]:
        """How each arm is drawn."""
        return style.arm_styles(self.arms)

    def arm(self, name: str) -> str:
        """Return an arm's label."""
        label = self.results.provenance.get("trial", {}).get("arm_labels", {}).get(name, name)
        return words.translated(str(label), self.lang)

    def pair(self, contrast: str) -> tuple[str, str]:
        """Return the active and the reference arm of a contrast."""
        arms = [arm for arm in pd.unique(self.frame["arm"]) if arm]
        return next(((a, b) for a in arms for b in arms if f"{a} - {b}" == contrast), (contrast, ""))

    @cached_property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts of the analysis, in the order of the arms."""
        present = [contrast for contrast in pd.unique(self.frame["contrast"]) if contrast]
        order = {arm: place for place, arm in enumerate(self.arms)}
        return tuple(sorted(present, key=lambda contrast: order.get(self.pair(contrast)[0], len(order))))

    # ---- words

    def say(self, key: str, **fields: object) -> str:
        """Return a text of the figures."""
        return words.text(f"figure.{key}", self.lang, **fields)

    def named(self, topic: str, name: str, *, capital: bool = False) -> str:
        """Return the name of a method, a quantity or a setting; its own name where the catalogue has none."""
        known = words.has(f"{topic}.{name}")
        text = words.text(f"{topic}.{name}", self.lang) if known else name.replace("_", " ")
        return text[:1].upper() + text[1:] if capital else text

    def listed(self, items: Iterable[str]) -> str:
        """Return "a, b and c"."""
        return joined(list(items), self.lang)

    @cached_property
    def endpoint(self) -> str:
        """The one endpoint of the analysis."""
        return self.only("endpoint")

    def only(self, column: str) -> str:
        """Return the one value of a key column, or refuse with those there are."""
        found = sorted(set(self.frame[column].astype(str)))
        if len(found) != 1:
            raise AnalysisError(
                f"Analysis {self.analysis!r} holds {len(found)} values of {column} "
                f"({checks.named_list(found, 6)}), and a figure shows one. "
                f"Draw plot(results.select({column}={found[0]!r}))."
            )
        return found[0]

    @property
    def described(self) -> Any:
        """What the results keep of the endpoint."""
        return self.results.endpoints.get(self.endpoint, {})

    @property
    def outcome(self) -> str:
        """The endpoint's label."""
        if self.described:
            return label(self.described, self.lang)
        key = f"endpoint.{self.endpoint}.label"
        return words.text(key, self.lang) if words.has(key) else self.endpoint.replace("_", " ")

    @property
    def level(self) -> str:
        """The confidence level, as a percentage."""
        levels = self.frame["conf_level"].dropna()
        chosen = float(levels.iloc[0]) if len(levels) else float("nan")
        return words.percentage(chosen, self.lang, digits=0 if round(100 * chosen) == 100 * chosen else 1)

    def when(self, time: float) -> str:
        """Return "Within 30 months", or "At 30 months" for a status."""
        key = "within" if self.described.get("cumulative", True) else "at"
        return self.say(key, months=self.months(time))

    def months(self, time: float) -> str:
        """Return a number of months as it is read."""
        return words.number(time, self.lang, digits=0 if float(time).is_integer() else 1)

    @property
    def days_per_month(self) -> float:
        """Days of a month on the axis."""
        return _MONTH_DAYS.get(self.described.get("month_rule", ""), AVERAGE_MONTH_DAYS)

    # ---- what must be said below any figure

    @property
    def minimum(self) -> int:
        """The smallest number of people that is shown; 0 when everything is."""
        return int(self.results.provenance.get("disclosure", {}).get("minimum", 0))

    def people_notes(self, rows: pd.DataFrame) -> list[str]:
        """Return how many people of each arm these rows count: the fewest to the most, if they differ."""
        said = []
        for arm in self.shown_arms:
            mine = (rows["arm"] == arm).to_numpy(dtype=bool) & drawable(rows)
            if not (counts := rows.loc[mine, "n"].dropna()).empty:
                low, high = (words.number(n, self.lang, digits=0) for n in (counts.min(), counts.max()))
                several = words.text("number.interval", self.lang, low=low, high=high)
                said.append(f"{self.arm(arm)} {low if low == high else several}")
        return [self.say("note.people", counts=", ".join(said))] if said else []

    def closing_notes(self) -> list[str]:
        """Return what is said of the data themselves."""
        simulated = self.results.provenance.get("trial", {}).get("simulated") and not self.is_published
        notes = [self.say("note.simulated")] if simulated else []
        return notes + ([self.say("note.internal")] if self.internal else [])

    def refuse_if_empty(self, rows: pd.DataFrame, wanted: str) -> None:
        """Refuse when no row can be drawn, and say why."""
        if drawable(rows).any():
            return
        hidden = int((rows["status"] == "suppressed").sum())
        failed = int(rows["status"].isin(["failed", "not_defined"]).sum())
        raise AnalysisError(
            f"Analysis {self.analysis!r} has no {wanted} to draw: {len(rows)} rows, {hidden} suppressed as "
            f"small cells, {failed} not computed. Draw longer horizons or larger groups; inside=True shows "
            f"small cells on your own screen."
        )


def drawable(rows: pd.DataFrame) -> np.ndarray:
    """Whether each row carries a number that may be shown."""
    shown = rows["status"].isin(["ok", "warned"]).to_numpy(dtype=bool)
    return np.asarray(shown & np.isfinite(rows["estimate"].to_numpy(dtype=np.float64)))
