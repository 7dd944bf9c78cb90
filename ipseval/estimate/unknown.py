"""How people whose outcome is unknown are counted: the rule is stated, and every rule has a name.

===================  ==================================================================================
rule                 who is in the denominator, and what an unknown outcome counts as
===================  ==================================================================================
``as_not_employed``  everyone randomised; unknown counts as "no" (the convention of the trials)
``observed``         people whose outcome is known. Biased: those who leave early without a job are
                     dropped while early jobs stay, so the rate is too high
``completers``       people followed to the horizon, or to their death
``best_case``        everyone randomised; unknown counts as "yes" in active arms, "no" in the reference
``worst_case``       the reverse of ``best_case``
===================  ==================================================================================

``best_worst`` asks for the last two together. A fifth view, ``censored``, is the cumulative incidence
at the horizon, where people leave the denominator on the day they are lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.errors import AnalysisError
from ipseval.results.setting import setting
from ipseval.trial import MISSING_RULES, Design

Mask = NDArray[np.bool_]

RULES = ("as_not_employed", "observed", "completers", "best_case", "worst_case")

#: What has to be said beside a number counted in this way.
NOTES = {
    "observed": words.text("note.observed"),
    "completers": words.text("note.completers"),
}


def note_of(rule: str, *, cumulative: bool) -> str:
    """Return what must be said beside a number counted in this way; nothing if there is nothing to say.

    Early outcomes stay only where outcomes accumulate: of a status at a month, those who left are
    dropped whatever they did before.
    """
    return (
        words.text("note.observed_status") if rule == "observed" and not cumulative else NOTES.get(rule, "")
    )


class Counts(NamedTuple):
    """Numerator, denominator, and the people whose outcome was unknown, whether or not counted."""

    n_event: int
    n: int
    n_missing: int


def stated_rule(missing: str | None, design: Design) -> str:
    """Return the rule a call uses: its own, else the trial's; refuse when neither states one."""
    rule = missing or design.missing_outcomes
    if not rule:
        raise AnalysisError(
            "Nothing says how unknown outcomes are counted. Set missing_outcomes under [design] in "
            "trial.toml, or pass missing='as_not_employed', 'observed' or 'best_worst'."
        )
    checks.one_of(rule, MISSING_RULES, "missing")
    return rule


def setting_of(rule: str) -> str:
    """Return the text that stands in the ``setting`` column."""
    return setting(missing=rule)


def people_counted(outcome: pd.DataFrame, followed: Mask, rule: str, is_active: Mask) -> tuple[Mask, Mask]:
    """Return who has the outcome, and who is in the denominator, under a rule.

    Parameters
    ----------
    outcome : DataFrame
        The rows of one month of a yes-or-no outcome frame.
    followed : array of bool, shape (rows,)
        Whether the person was followed to the horizon or died before it.
    rule : str
        One of ``RULES``.
    is_active : array of bool, shape (rows,)
        Whether the person's arm is not the reference arm.
    """
    checks.one_of(rule, RULES, "rule")
    unknown = ~outcome["known"].to_numpy(dtype=bool)
    yes = outcome["value"].fillna(False).to_numpy(dtype=bool) & ~unknown
    if rule in ("best_case", "worst_case"):
        yes = yes | (unknown & (is_active == (rule == "best_case")))
    included = {"observed": ~unknown, "completers": followed & ~unknown}.get(
        rule, np.ones(len(outcome), dtype=bool)
    )
    return yes & included, included


def counted(people: tuple[Mask, Mask], known: Mask, members: Mask) -> Counts:
    """Count some of the people, given who has the outcome, who is counted, and whose outcome is known."""
    yes, included = people
    return Counts(int((yes & members).sum()), int((included & members).sum()), int((~known & members).sum()))
