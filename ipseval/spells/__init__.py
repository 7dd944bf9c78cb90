"""Job spells on plain arrays in day windows: merged, clipped, per person and per month.

Days are relative to randomisation (day 0) and inclusive at both ends. On a given day overlapping
spells count once for days, separately for hours and earnings. The engine knows nothing of a trial.
"""

from __future__ import annotations

from ipseval.spells.intervals import (
    Spells,
    clip,
    covers,
    days_covered,
    earnings,
    first_new_start,
    hours,
    in_spell_at_randomisation,
    job_spells,
    longest_spell,
    merge,
    n_spells,
)
from ipseval.spells.monthly import days_by_month, earnings_by_month, hours_by_month
from ipseval.spells.rates import MonthlyRates, monthly_rates

__all__ = [
    "MonthlyRates",
    "Spells",
    "clip",
    "covers",
    "days_by_month",
    "days_covered",
    "earnings",
    "earnings_by_month",
    "first_new_start",
    "hours",
    "hours_by_month",
    "in_spell_at_randomisation",
    "job_spells",
    "longest_spell",
    "merge",
    "monthly_rates",
    "n_spells",
]
