"""Did supported employment work, for whom, for how long, at what cost?

Outcome evaluation of randomised trials of Individual Placement and Support (IPS). Start with::

    import ipseval as ips

    trial = ips.example("scion")                       # or ips.load("folder/with/trial.toml")
    rates = ips.rates(trial, ips.ever_employed(by=30))

The public names are loaded when they are first used, so that importing the package costs next to
nothing; ``__init__.pyi`` tells type checkers and editors what they are.
"""

from importlib import import_module as _import_module

from ipseval._version import __version__

#: Public name -> the module it lives in. The stub beside this file says the same; a test compares.
_HOME = {
    "AnalysisError": "ipseval.errors",
    "DataError": "ipseval.errors",
    "IpsevalError": "ipseval.errors",
    "IpsevalWarning": "ipseval.errors",
    "PlanError": "ipseval.errors",
    "Design": "ipseval.trial",
    "Trial": "ipseval.trial",
    "load": "ipseval.loading",
    "inspect": "ipseval.loading",
    "example": "ipseval.examples",
    "ever_employed": "ipseval.endpoints",
    "employed_at": "ipseval.endpoints",
    "employed_monthly": "ipseval.endpoints",
    "time_to_first_job": "ipseval.endpoints",
    "job_starts": "ipseval.endpoints",
    "days_worked": "ipseval.endpoints",
    "weeks_worked": "ipseval.endpoints",
    "hours_worked": "ipseval.endpoints",
    "earnings": "ipseval.endpoints",
    "score": "ipseval.endpoints",
    "describe": "ipseval.estimate.describe",
    "rates": "ipseval.estimate.proportions.rates",
    "survival": "ipseval.estimate.times.survival",
    "interview_survival": "ipseval.estimate.times.interview_survival",
    "recurrent": "ipseval.estimate.times.recurrent",
    "mixed": "ipseval.estimate.repeated.mixed",
    "amounts": "ipseval.estimate.amounts.amounts",
    "PublicResults": "ipseval.results",
    "Results": "ipseval.results",
    "published": "ipseval.evidence.published",
    "published_results": "ipseval.evidence.published",
    "simulate": "ipseval.simulation",
    "Plan": "ipseval.plan",
    "read_plan": "ipseval.plan",
    "execute": "ipseval.run",
    "Policy": "ipseval.disclosure",
    "protect": "ipseval.disclosure",
    "plot": "ipseval.render.figures",
    "report": "ipseval.render.report",
    "run_plan": "ipseval.deliver",
    "reproduce": "ipseval.deliver",
}

__all__ = ["__version__", "endpoints"]
__all__ += list(_HOME)


def __getattr__(name: str) -> object:
    if name == "endpoints":
        return _import_module("ipseval.endpoints")
    if name not in _HOME:
        raise AttributeError(f"module 'ipseval' has no attribute {name!r}")
    found = getattr(_import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
