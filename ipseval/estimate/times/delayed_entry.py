"""Since when was each person under observation, and who was never seen to be at risk?

A register that is linked late shows nothing of the days before (left truncation): somebody counts from the
first day under observation, if by then neither a job was found nor follow-up had ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.errors import AnalysisError
from ipseval.estimate.sheet import Sheet, remarks
from ipseval.estimate.times.arm_times import ArmTimes
from ipseval.estimate.times.time_contrasts import say_also
from ipseval.results.vocabulary import AT_RISK
from ipseval.trial import Trial

LATE_ENTRY = words.text("note.late_entry")
FROM_FIRST_ENTRY = words.text("note.from_first_entry")
SOME_LEFT_OUT = words.text("note.never_at_risk")
TOO_LATE = words.text("note.entered_too_late")
UNKNOWN = words.text("note.entry_unknown")


def first_days(trial: Trial, name: str) -> NDArray[np.float64]:
    """Return everyone's first day under observation, in days since randomisation; missing where unknown.

    Raises
    ------
    AnalysisError
        For a column that is no declared covariate, or does not hold whole days.
    """
    people = trial.participants
    numbers = [column for column in trial.covariates if pd.api.types.is_numeric_dtype(people[column])]
    if name not in numbers:
        raise AnalysisError(
            f"entry={name!r} is not a numeric covariate (found: {checks.named_list(numbers, 8) or 'none'}). "
            f"Declare it under [covariates] in trial.toml, in days since randomisation."
        )
    days = people[name].to_numpy(dtype=np.float64, na_value=np.nan)
    if broken := int((np.isfinite(days) & (days != np.floor(days))).sum()):
        raise AnalysisError(
            f"{name!r} is not a whole number of days for {broken} of {len(people)} participants. "
            f"Count the days from randomisation to the first day under observation."
        )
    return days


def say_of_entry(
    sheet: Sheet, arms: Mapping[str, ArmTimes], outcome: pd.DataFrame, days: NDArray[np.float64]
) -> None:
    """Say in every row that people entered late, and beside the numbers at risk who is left out.

    ``outcome`` has the people as randomised, in the order of ``days``.
    """
    arm = outcome["arm"].to_numpy()
    left_out = {
        TOO_LATE: ("n_too_late", days > outcome["value"].to_numpy(dtype=np.float64)),
        UNKNOWN: ("n_unknown", np.isnan(days)),
    }
    for name in arms:
        found = {text: (key, int((who & (arm == name)).sum())) for text, (key, who) in left_out.items()}
        parts = [part for text, (key, n) in found.items() if n for part in (text, f"{key} = {n}")]
        for row in sheet.rows:
            if row["quantity"] == AT_RISK[0] and row["arm"] == name and parts:
                row.update(remarks(row.get("note") or "", *parts))
    said = [LATE_ENTRY]
    if any((data.entry >= 0).all() for data in arms.values()):
        said.append(FROM_FIRST_ENTRY)
    if any(who.any() for _, who in left_out.values()):
        said.append(SOME_LEFT_OUT)

    def is_estimate(row: Mapping[str, Any]) -> bool:
        return row["quantity"] not in AT_RISK

    for text in said:
        say_also(sheet, text, is_estimate)
