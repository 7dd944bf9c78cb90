"""A plan: the same calls as in a notebook, written down as data before the outcomes are seen.

A plan is TOML. ``read_plan`` checks all of it and reports every fault at once; ``Plan.say`` writes it
as prose; ``Plan.fingerprint`` changes when anything in it changes.

.. code-block:: toml

    title = "Main analysis"

    [endpoint.first_job]
    is = "ever_employed"
    by = [18, 24, 30]

    [analysis.primary]
    estimator = "rates"
    endpoint = "first_job"
    intercurrent_events = "death counts as not employed"
    summary = "difference in proportions"
    missing = "as_not_employed"

    [display.figure_1]
    figure = "rates"
    analysis = "primary"

    [disclosure]
    minimum = 5
"""

from __future__ import annotations

import hashlib
import inspect
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ipseval import checks, endpoints
from ipseval.disclosure import Policy
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError, PlanError
from ipseval.estimate import ESTIMATORS, Estimator
from ipseval.trial import Design

#: The attributes of an estimand that are said in prose and not passed to an estimator.
SAID = ("population", "treatments", "intercurrent_events", "summary")
_SECTIONS = ("title", "registration", "hypotheses", "endpoint", "analysis", "display", "disclosure")
_GIVEN_BY_RUN = ("trial", "endpoint", "name")


@dataclass(frozen=True)
class Analysis:
    """One call: which estimator, on which endpoint, with which arguments, for which estimand."""

    name: str
    estimator: str
    endpoint: str
    arguments: Mapping[str, Any]
    estimand: Mapping[str, str]


@dataclass(frozen=True)
class Display:
    """One figure: its family and the analysis it is drawn from."""

    name: str
    figure: str
    analysis: str


@dataclass(frozen=True)
class Plan:
    """A plan that was read and checked; everything in it can be carried out.

    Attributes
    ----------
    title, registration : str
    hypotheses : tuple of str
    endpoints : mapping of str to Endpoint
    analyses, displays : tuples, in the order of the file
    policy : Policy
        What may be shown to others.
    fingerprint : str
        SHA-256 of the content; comments and layout do not count.
    """

    title: str
    registration: str
    hypotheses: tuple[str, ...]
    endpoints: Mapping[str, Endpoint]
    analyses: tuple[Analysis, ...]
    displays: tuple[Display, ...]
    policy: Policy
    fingerprint: str

    def say(self, design: Design) -> str:
        """Return the plan as prose: for each analysis its estimand, definition and settings."""
        lines = [self.title, *(f"Hypothesis: {text}" for text in self.hypotheses), ""]
        compared = ", ".join(f"{active} against {reference}" for active, reference in design.comparisons)
        for number, analysis in enumerate(self.analyses, start=1):
            said = analysis.estimand
            lines.append(f"{number}. {analysis.name} ({analysis.estimator})")
            lines.append(f"   Population: {said.get('population', 'everyone randomised')}.")
            lines.append(f"   Treatments: {said.get('treatments', compared)}.")
            if analysis.endpoint:
                endpoint = self.endpoints[analysis.endpoint]
                lines.append(f"   Endpoint {analysis.endpoint}: {endpoint.definition(design)}.")
            for key in ("intercurrent_events", "summary"):
                if key in said:
                    lines.append(f"   {key.replace('_', ' ').capitalize()}: {said[key]}.")
            settings = ", ".join(f"{name} = {value}" for name, value in analysis.arguments.items())
            lines.append(f"   Settings: {settings or 'the defaults'}.")
        lines.append("")
        lines.append(f"No number of people below {self.policy.minimum} is shown to others.")
        lines.append(f"Fingerprint {self.fingerprint[:16]}.")
        return "\n".join(lines)


def read_plan(path: str | Path) -> Plan:
    """Read a plan and check all of it.

    Raises
    ------
    PlanError
        When the file is not there or is not TOML, or lists every fault in it.
    """
    file = Path(path)
    if not file.is_file():
        raise PlanError(f"There is no plan at {file}. Give the path of a TOML file.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise PlanError(
            f"{file.name} is not a TOML file: {fault}. Correct that place and read it again."
        ) from None
    return _Reader(file.name).plan(content)


class _Reader:
    """Collects every fault of a plan before it refuses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []

    def plan(self, content: dict[str, Any]) -> Plan:
        self._known(content, _SECTIONS, "the plan")
        made = {name: self._endpoint(name, table) for name, table in content.get("endpoint", {}).items()}
        analyses = [self._analysis(name, table, made) for name, table in content.get("analysis", {}).items()]
        if not analyses:
            self.faults.append("it has no analysis. Add a section [analysis.NAME] with an estimator.")
        displays = [self._display(name, table, content) for name, table in content.get("display", {}).items()]
        policy = self._policy(content.get("disclosure", {}))
        if self.faults:
            listed = "\n".join(f"  - {fault}" for fault in self.faults)
            raise PlanError(
                f"{self.name} cannot be carried out as written; {len(self.faults)} faults:\n{listed}"
            )
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
        return Plan(
            title=str(content.get("title", self.name)),
            registration=str(content.get("registration", "")),
            hypotheses=tuple(content.get("hypotheses", ())),
            endpoints={name: endpoint for name, endpoint in made.items() if endpoint is not None},
            analyses=tuple(analysis for analysis in analyses if analysis is not None),
            displays=tuple(displays),
            policy=policy,
            fingerprint=hashlib.sha256(canonical.encode()).hexdigest(),
        )

    def _known(self, given: Mapping[str, Any], allowed: tuple[str, ...] | list[str], where: str) -> None:
        for name in given:
            if name not in allowed:
                near = get_close_matches(name, allowed, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Allowed: {', '.join(allowed)}."
                self.faults.append(f"{where} has an unknown entry {name!r}. {hint}")

    def _endpoint(self, name: str, table: dict[str, Any]) -> Endpoint | None:
        where = f"[endpoint.{name}]"
        function = endpoints.BUILT_IN.get(str(table.get("is", "")))
        if function is None:
            near = get_close_matches(str(table.get("is", "")), endpoints.BUILT_IN, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Built in: {', '.join(endpoints.BUILT_IN)}."
            self.faults.append(
                f"{where} needs is = the name of a built-in endpoint, not {table.get('is')!r}. {hint}"
            )
            return None
        arguments = {key: value for key, value in table.items() if key != "is"}
        if not self._fits(function, arguments, (), where):
            return None
        try:
            return function(**arguments)
        except (AnalysisError, TypeError, ValueError) as fault:
            self.faults.append(f"{where}: {fault}")
            return None

    def _analysis(
        self, name: str, table: dict[str, Any], made: Mapping[str, Endpoint | None]
    ) -> Analysis | None:
        where = f"[analysis.{name}]"
        chosen = str(table.get("estimator", ""))
        if chosen not in ESTIMATORS:
            listed = ", ".join(ESTIMATORS)
            self.faults.append(f"{where} needs estimator = one of {listed}, not {table.get('estimator')!r}.")
            return None
        estimator = ESTIMATORS[chosen]
        endpoint = str(table.get("endpoint", ""))
        self._fitting_endpoint(where, estimator, endpoint, made)
        beside = ("estimator", "endpoint", *SAID)
        arguments = {key: value for key, value in table.items() if key not in beside}
        self._fits(estimator.function, arguments, _GIVEN_BY_RUN, where)
        estimand = {key: str(table[key]) for key in SAID if key in table}
        return Analysis(name, chosen, endpoint, arguments, estimand)

    def _fitting_endpoint(
        self, where: str, estimator: Estimator, endpoint: str, made: Mapping[str, Endpoint | None]
    ) -> None:
        kinds = estimator.declaration.outcomes
        if not kinds and endpoint:
            self.faults.append(f"{where}: {estimator.declaration.name} takes no endpoint. Leave it out.")
        elif kinds and endpoint not in made:
            listed = checks.named_list(made, 8) or "none"
            self.faults.append(
                f"{where} names the endpoint {endpoint!r}, which the plan does not define ({listed})."
            )
        elif kinds and (found := made[endpoint]) is not None and found.kind not in kinds:
            wanted = " or ".join(kinds)
            self.faults.append(
                f"{where}: {endpoint!r} is a {found.kind} outcome, and this estimator takes {wanted}."
            )

    def _fits(
        self, function: Callable[..., Any], arguments: Mapping[str, Any], given: tuple[str, ...], where: str
    ) -> bool:
        """Whether the arguments are those of the function; every stranger is a fault."""
        before = len(self.faults)
        accepted = [name for name in inspect.signature(function).parameters if name not in given]
        self._known(arguments, accepted, where)
        return len(self.faults) == before

    def _display(self, name: str, table: dict[str, Any], content: Mapping[str, Any]) -> Display:
        where = f"[display.{name}]"
        self._known(table, ("figure", "analysis"), where)
        analysis = str(table.get("analysis", ""))
        if analysis not in content.get("analysis", {}):
            self.faults.append(
                f"{where} is drawn from the analysis {analysis!r}, which the plan does not have."
            )
        return Display(name, str(table.get("figure", "")), analysis)

    def _policy(self, table: dict[str, Any]) -> Policy:
        self._known(table, ("minimum", "zeros"), "[disclosure]")
        try:
            return Policy(**{key: value for key, value in table.items() if key in ("minimum", "zeros")})
        except (AnalysisError, TypeError) as fault:
            self.faults.append(f"[disclosure]: {fault}")
            return Policy()
