"""Scale scores at planned assessments: quality of life, symptoms, functioning, utility, ..."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ipseval.endpoints import explain
from ipseval.endpoints.base import Endpoint, Kind, outcome_frame, stacked, whole_months_of
from ipseval.endpoints.visits import at_visit, why_not_assessed
from ipseval.trial import Trial


@dataclass(frozen=True)
class Score(Endpoint):
    """See ``score``."""

    name: ClassVar[str] = "score"
    kind: ClassVar[Kind] = "score"
    unit: ClassVar[str] = "points"
    cumulative: ClassVar[bool] = False

    scale: str
    months: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """The name with the scale."""
        return f"{self.name}_{self.scale}"

    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return one row per participant and assessment; see ``ipseval.endpoints.base``."""
        frames = []
        for month in self.months:
            value = at_visit(trial, self.scale, month)
            known = ~np.isnan(value)
            reason = why_not_assessed(trial, month, known)
            frames.append(outcome_frame(trial, month, value, known=known, reason=reason))
        return stacked(frames)

    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from visits to value."""
        return explain.explanation(self, trial, person, explain.visit_lines(trial, person, self.scale))


def score(scale: str, months: float | Iterable[float]) -> Score:
    """Score on a scale at the assessments planned for ``months``.

    Parameters
    ----------
    scale : str
        A column of ``visits``, as declared under ``[scores]`` in ``trial.toml``.
    months : whole number, or several
        ``visit_month`` of the assessments; 0 is the baseline.

    Returns
    -------
    Score
        ``value`` in the scale's own points; missing, with a reason, for people not assessed. There
        is no score after death: it is missing with the reason "died".

    Raises
    ------
    DataError
        On evaluation, if ``visits`` lacks the scale or a month.

    Examples
    --------
    >>> from ipseval import endpoints
    >>> endpoints.score("qol", months=[0, 6, 18]).key
    'score_qol'
    """
    return Score(scale, whole_months_of(months, "months"))
