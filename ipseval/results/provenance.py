"""Where numbers come from: the trial's facts, fingerprints and the versions that computed them.

Renderers know a trial only through these facts. No clock time: public files carry the data's own
dates, so that the same data and plan give the same bytes.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ipseval._version import __version__
from ipseval.trial import Trial

_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "lifelines", "matplotlib")


def trial_facts(trial: Trial) -> dict[str, Any]:
    """Return what a saved result keeps of a trial; no person's data."""
    design = trial.design
    return {
        "name": trial.name,
        "title": trial.title,
        "simulated": trial.simulated,
        "source": trial.source,
        "registration": trial.registration,
        "arms": list(design.arms),
        "randomised": {arm: int((trial.arm == arm).sum()) for arm in design.arms},
        "arm_labels": {arm: design.arm_labels.get(arm, arm) for arm in design.arms},
        "covariates": {
            name: {"label": variable.label, "unit": variable.unit, "labels": dict(variable.labels)}
            for name, variable in trial.covariates.items()
        },
        "follow_up_months": design.follow_up_months,
        "tolerance_days": design.tolerance_days,
        "month_rule": design.month,
        "competitive": list(design.competitive),
        "missing_outcomes": design.missing_outcomes,
        "randomisation": design.randomisation,
        "strata": list(design.strata),
        "currency": design.currency,
        "data_cut": design.data_cut.isoformat() if design.data_cut else "",
        "freeze_dates": {name: day.isoformat() for name, day in design.freeze_dates.items()},
        "fingerprint": trial.fingerprint,
    }


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute; an absent one is "absent"."""
    found = {"python": platform.python_version(), "ipseval": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
