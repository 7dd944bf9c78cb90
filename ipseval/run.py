"""Plan + Trial -> Results: every analysis, in the plan's order, by the functions that a notebook calls."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from ipseval.errors import IpsevalError
from ipseval.estimate import ESTIMATORS
from ipseval.plan import Analysis, Plan
from ipseval.results import Declaration, Results
from ipseval.results.provenance import trial_facts, versions
from ipseval.trial import Trial


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_HasName)


def execute(plan: Plan, trial: Trial, *, progress: bool = False) -> Results:
    """Carry out every analysis of a plan.

    An analysis that these data cannot answer becomes one failed row with its reason, and the others
    go on; ``Results.failures`` lists them.

    Parameters
    ----------
    plan : Plan
    trial : Trial
    progress : bool
        Whether to say on standard error which analysis is at work.

    Returns
    -------
    Results
        With the fingerprint of the plan and of the data in its provenance.

    Examples
    --------
    >>> import ipseval as ips
    >>> plan = ips.read_plan("data/synthetic/scion/plan.toml")
    >>> found = ips.execute(plan, ips.example("scion"))
    >>> len(found.failures)
    0
    """
    found = Results.from_rows([], provenance={"trial": trial_facts(trial), "versions": versions()})
    for analysis in followed(plan.analyses, "analyses", progress=progress):
        found = found + _one(plan, trial, analysis)
    said: dict[str, Any] = {
        "title": plan.title,
        "fingerprint": plan.fingerprint,
        "registration": plan.registration,
    }
    said["displays"] = [{"name": d.name, "figure": d.figure, "analysis": d.analysis} for d in plan.displays]
    said["estimands"] = {analysis.name: dict(analysis.estimand) for analysis in plan.analyses}
    return replace(found, provenance={**found.provenance, "plan": said})


def followed(items: Collection[Named], what: str, *, progress: bool) -> Iterator[Named]:
    """Yield the items; with ``progress``, say on one line of standard error which of them is at work."""

    def say(line: str) -> None:
        if progress:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    try:
        for place, item in enumerate(items, start=1):
            say(f"{what}, {place} of {len(items)}: {item.name}")
            yield item
    finally:
        say("")


def _one(plan: Plan, trial: Trial, analysis: Analysis) -> Results:
    """Return the results of one analysis, or one failed row that says why there are none."""
    estimator = ESTIMATORS[analysis.estimator]
    asked = (trial, plan.endpoints[analysis.endpoint]) if analysis.endpoint else (trial,)
    try:
        return estimator.function(*asked, name=analysis.name, **analysis.arguments)
    except IpsevalError as refusal:
        return _refused(estimator.declaration, plan, trial, analysis, str(refusal))


def _refused(declaration: Declaration, plan: Plan, trial: Trial, analysis: Analysis, reason: str) -> Results:
    """Return one failed row that says why an analysis has no results."""
    endpoint = plan.endpoints[analysis.endpoint] if analysis.endpoint else None
    row = {
        "analysis": analysis.name,
        "endpoint": endpoint.key if endpoint else "",
        "population": "randomised",
        "quantity": declaration.quantities[0],
        "status": "failed",
        "note": reason,
    }
    record = {
        "estimator": declaration.name,
        "section": declaration.section,
        "figure": "",
        "arguments": dict(analysis.arguments),
        "main": {"method": {}, "setting": {}},
    }
    described = {endpoint.key: endpoint.describe(trial.design)} if endpoint else {}
    return Results.from_rows([row], records={analysis.name: record}, endpoints=described)
