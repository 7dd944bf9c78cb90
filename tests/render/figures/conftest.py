"""Results to draw: the bundled simulated trial through every estimator, computed once."""

from __future__ import annotations

import pytest

import ipseval as ips
from ipseval.evidence.published import published_results
from ipseval.results import Results


@pytest.fixture(scope="session")
def found() -> dict[str, Results]:
    trial = ips.example("scion")
    return {
        "rates": ips.rates(trial, ips.ever_employed(by=[18, 24, 30])),
        "survival": ips.survival(trial, ips.time_to_first_job(horizon=30)),
        "residuals": ips.survival(trial, ips.time_to_first_job(horizon=30), residuals=True),
        "recurrent": ips.recurrent(trial, ips.job_starts(horizon=30)),
        "mixed": ips.mixed(trial, ips.employed_at(month=[6, 18, 30], source="visits")),
        "scores": ips.mixed(trial, ips.score("qol", months=[0, 6, 18, 30])),
        "amounts": ips.amounts(trial, ips.hours_worked(by=30), replicates=200),
        "published": published_results("scion"),
    }
