"""Endpoints: outcomes with one definition each, evaluated per participant from a trial's records.

Each function returns a frozen value; ``evaluate(trial)`` gives the outcome frame described in
``ipseval.endpoints.base``, ``definition(design, lang)`` the sentence that travels with its numbers,
and ``explain(trial, person)`` one person's way from records to value.

>>> from ipseval import endpoints
>>> endpoints.ever_employed(by=[18, 30]).months
(18.0, 30.0)
"""

from __future__ import annotations

from collections.abc import Callable

from ipseval.endpoints.amounts import days_worked, earnings, hours_worked, weeks_worked
from ipseval.endpoints.base import Endpoint, definition, label
from ipseval.endpoints.ever import durable_employment, ever_employed, in_work_or_education, works_at_least
from ipseval.endpoints.first_job import time_to_first_job
from ipseval.endpoints.job_starts import job_starts
from ipseval.endpoints.jobs import job_tenure, jobs_held, longest_job
from ipseval.endpoints.register_months import benefit_amount, months_with_hours, work_and_claim_state
from ipseval.endpoints.scores import score
from ipseval.endpoints.spell_rows import jobs_under_way
from ipseval.endpoints.status import employed_at, employed_monthly

#: Every built-in endpoint by the name that a plan uses; called with ``Endpoint.parameters``.
BUILT_IN: dict[str, Callable[..., Endpoint]] = {
    "ever_employed": ever_employed,
    "employed_at": employed_at,
    "employed_monthly": employed_monthly,
    "time_to_first_job": time_to_first_job,
    "job_starts": job_starts,
    "days_worked": days_worked,
    "weeks_worked": weeks_worked,
    "hours_worked": hours_worked,
    "earnings": earnings,
    "jobs_held": jobs_held,
    "longest_job": longest_job,
    "job_tenure": job_tenure,
    "works_at_least": works_at_least,
    "durable_employment": durable_employment,
    "months_with_hours": months_with_hours,
    "in_work_or_education": in_work_or_education,
    "work_and_claim_state": work_and_claim_state,
    "benefit_amount": benefit_amount,
    "score": score,
}

__all__ = [
    "BUILT_IN",
    "Endpoint",
    "benefit_amount",
    "days_worked",
    "definition",
    "durable_employment",
    "earnings",
    "employed_at",
    "employed_monthly",
    "ever_employed",
    "hours_worked",
    "in_work_or_education",
    "job_starts",
    "job_tenure",
    "jobs_held",
    "jobs_under_way",
    "label",
    "longest_job",
    "months_with_hours",
    "score",
    "time_to_first_job",
    "weeks_worked",
    "work_and_claim_state",
    "works_at_least",
]
