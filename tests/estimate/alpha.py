"""Trial alpha of ``tests/reference`` as a Trial, counted as its cases count.

The cases look at jobs and at the last date alone: nobody is carried to a planned end and death is one
more way to leave. So everyone's follow-up ends as "lost" here, and months have 30 days.
"""

from __future__ import annotations

from functools import cache

import pandas as pd

from ipseval.trial import Trial
from tests import reference_cases
from tests.make_trial import job, make_trial, person, visit


@cache
def alpha(month: str = "30_days") -> Trial:
    """Return trial alpha with its jobs and visits."""
    case = "data_alpha"
    text = {"id": str}
    people = reference_cases.data(case, "participants.csv")
    jobs = reference_cases.data(case, "spells.csv")
    visits = reference_cases.data(case, "followup.csv").astype(text)
    return make_trial(
        [
            person(
                row.id,
                row.last_date,
                "lost",
                arm="IPS" if row.arm == "IPS" else "usual",
                site=row.site,
                randomised_on=row.rand_date,
            )
            for row in people.itertuples()
        ],
        jobs=[
            job(
                row.id,
                row.start,
                None if pd.isna(row.end) else row.end,
                kind="competitive" if row.competitive else "sheltered",
                hours_per_week=row.hours_week,
            )
            for row in jobs.itertuples()
        ],
        visits=[
            visit(row.id, row.month, employed=None if pd.isna(row.employed) else bool(row.employed))
            for row in visits.itertuples()
        ],
        month=month,
        missing_outcomes="as_not_employed",
        strata=("site",),
        assessment_months=(6, 12, 18, 24, 30),
    )
