"""Is the active arm worse by less than a margin that was stated before?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from ipseval import words
from ipseval.estimate.proportions.unadjusted_rates import Keys, Table, View, tables_of
from ipseval.estimate.sheet import remarks
from ipseval.results.setting import part_of, setting
from ipseval.stats.proportions import non_inferiority, two_proportions
from ipseval.stats.proportions.exact_unconditional import exact_unconditional_test
from ipseval.stats.regression.marginal_contrasts import Contrast

Floats = NDArray[np.float64]

#: The method of each row, and the kernel's own name of it; the first is the default.
METHODS = {"miettinen_nurminen_test": "miettinen_nurminen", "farrington_manning": "farrington_manning"}
EXACT = "exact_unconditional"
#: The default test with the unknown counted against the claim.
LEAST_FAVOURABLE = "miettinen_nurminen_least_favourable"

#: What a margin is a margin of, and the function whose score limits go with it.
_EFFECTS: dict[str, Callable[..., Any]] = {
    "difference": two_proportions.risk_difference,
    "ratio": two_proportions.risk_ratio,
}
TERMS = {"difference": "risk_difference", "ratio": "risk_ratio"}
_BY_A_RULE = words.text("note.least_favourable_beside")
_SAID = {"": "", **{name: words.text(f"note.{name}") for name in non_inferiority.VERDICTS}}


@dataclass(frozen=True)
class Margin:
    """The largest loss still accepted, as a difference or as a ratio, and which way is better."""

    value: float
    measure: str
    higher_is_better: bool

    def asked(self) -> Keys:
        """Return the margin as the arguments of the kernels."""
        return {
            "margin": self.value,
            "measure": self.measure,
            "higher_is_better": self.higher_is_better,
        }

    @property
    def null(self) -> float:
        """The difference or ratio at the margin."""
        return non_inferiority.hypothesis(self.value, self.measure, higher_is_better=self.higher_is_better)

    @property
    def hardest(self) -> str:
        """The way of counting the unknown that is least favourable to the claim."""
        return "worst_case" if self.higher_is_better else "best_case"

    def said(self, low: float, high: float, n_missing: int, way: str) -> tuple[str, str]:
        """Return what two-sided limits say of the margin, and what to read before believing it."""
        verdict = _SAID[str(non_inferiority.verdict(low, high, **self.asked()))]
        return verdict, _BY_A_RULE if n_missing and way != self.hardest else ""


def margins_of(margin: float | None, ratio_margin: float | None, higher_is_better: bool) -> list[Margin]:
    """Return the margins that were asked for, or refuse one on the wrong side of no difference."""
    given = {"difference": margin, "ratio": ratio_margin}
    made = [Margin(value, measure, higher_is_better) for measure, value in given.items() if value is not None]
    for one in made:
        non_inferiority.hypothesis(one.value, one.measure, higher_is_better=one.higher_is_better)
    return made


def margin_rows(
    views: Sequence[View],
    pair: tuple[str, str],
    margins: Sequence[Margin],
    *,
    also: Collection[str] = (),
    conf_level: float,
) -> list[list[Keys]]:
    """Return the one-sided tests at each margin with what the interval says of it, rows per view.

    The verdict goes by two-sided limits, which exclude the margin exactly where Miettinen and Nurminen's
    test rejects at half of alpha; that of the exact test goes by the exact limits. Counting the unknown alike
    in both arms makes the arms alike: the default test stands under their least favourable counting too.
    """
    rows: list[list[Keys]] = [[] for _ in views]
    for margin in margins:
        told = [i for i, view in enumerate(views) if view.is_main or view.way == margin.hardest]
        table = tables_of([views[i] for i in told], pair)
        for method, numbers in _tests(table, margin, also).items():
            low, high = _limits(table, margin, method, conf_level)
            for place, i in enumerate(told):
                if not views[i].is_main and method != next(iter(METHODS)):
                    continue
                about = views[i].about(pair)
                row = {name: values[place] for name, values in numbers.items()}
                verdict = margin.said(low[place], high[place], about["n_missing"], views[i].way)
                said = remarks(str(about["note"]), *verdict)
                status = no_warning(row["p_value"], str(about["note"]))
                text = setting(missing=views[i].way, margin=f"{margin.null:g}")
                called = method if views[i].is_main else LEAST_FAVOURABLE
                keys = {"method": called, "term": TERMS[margin.measure], "setting": text}
                rows[i].append({**about, **row, **keys, **said, **status, "quantity": "non_inferiority_test"})
    return rows


def wald_row(contrast: Contrast, margin: Margin, row: Keys, *of_people: str) -> Keys:
    """Return how far an effect lies on the good side of a margin, and what its limits say, as a row.

    The test has the standard error and the degrees of freedom of the limits, so that both always agree.
    """
    effect, null = np.array([contrast.estimate, margin.null])
    if margin.measure == "ratio":
        effect, null = np.log([effect, null])
    distance = (effect - null) if margin.higher_is_better else (null - effect)
    statistic, is_t = distance / (contrast.std_error or np.nan), np.isfinite(contrast.df)
    p_value = float(stdtr(contrast.df, -statistic) if is_t else ndtr(-statistic))
    test = {"statistic": statistic, "p_value": p_value} | ({"df": contrast.df} if is_t else {})
    people = remarks(*of_people, contrast.note).get("note", "")
    limits = (contrast.conf_low, contrast.conf_high)
    verdict = margin.said(*limits, row["n_missing"], part_of(row["setting"], "missing"))
    return row | test | remarks(people, *verdict) | no_warning(p_value, people)


def no_warning(p_value: float, note: str) -> Keys:
    """Return the status of a row with a verdict: no warning, unless something is said of the people."""
    return {"status": "ok"} if np.isfinite(p_value) and not note else {}


def _limits(table: Table, margin: Margin, method: str, conf_level: float) -> tuple[Floats, Floats]:
    """Return the two-sided limits that a verdict goes by."""
    kernel = EXACT if method == EXACT else "miettinen_nurminen"
    limits = _EFFECTS[margin.measure](*table, method=kernel, conf_level=conf_level)
    return limits.conf_low, limits.conf_high


def _tests(table: Table, margin: Margin, also: Collection[str]) -> dict[str, Keys]:
    """Return statistics and p-values of every table by each method."""
    found: dict[str, Keys] = {
        method: non_inferiority.non_inferiority_test(*table, **margin.asked(), method=kernel)._asdict()
        for method, kernel in METHODS.items()
    }
    if EXACT in also and margin.measure == "difference":
        alternative = "greater" if margin.higher_is_better else "less"
        p_value = exact_unconditional_test(*table, null=margin.null, alternative=alternative)
        found[EXACT] = {"p_value": p_value}
    return found
