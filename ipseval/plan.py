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
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ipseval import endpoints
from ipseval.disclosure import Policy
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError, PlanError
from ipseval.estimate import ESTIMATORS, Estimator
from ipseval.results.vocabulary import FIGURES
from ipseval.trial import Design

#: The attributes of an estimand that are said in prose and not passed to an estimator.
SAID = ("population", "treatments", "intercurrent_events", "summary")
_SECTIONS = ("title", "registration", "hypotheses", "endpoint", "analysis", "display", "disclosure")
#: Analyses that a run adds of itself.
RESERVED = ("published",)
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

    Parameters
    ----------
    path : path
        A TOML file, as shown at the top of ``ipseval.plan``.

    Returns
    -------
    Plan
        Everything in it can be carried out.

    Raises
    ------
    PlanError
        When the file is not there or is not TOML, or lists every fault in it.

    Examples
    --------
    >>> import ipseval as ips
    >>> plan = ips.read_plan("data/synthetic/scion/plan.toml")
    >>> plan.analyses[0].name
    'people'
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
        made = {name: self._endpoint(name, table) for name, table in self._named(content, "endpoint")}
        asked = dict(self._named(content, "analysis"))
        analyses = [self._analysis(name, table, made) for name, table in asked.items()]
        if not content.get("analysis"):
            self.faults.append("it has no analysis. Add a section [analysis.NAME] with an estimator.")
        displays = [self._display(name, table, asked) for name, table in self._named(content, "display")]
        self._different_files([display.name for display in displays])
        policy = self._policy(content.get("disclosure", {}))
        title, registration = (self._text(content, key) for key in ("title", "registration"))
        hypotheses = self._hypotheses(content.get("hypotheses", []))
        if self.faults:
            listed = "\n".join(f"  - {fault}" for fault in self.faults)
            raise PlanError(
                f"{self.name} cannot be carried out as written; faults: {len(self.faults)}. "
                f"Correct each and read it again:\n{listed}"
            )
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
        return Plan(
            title=title or self.name,
            registration=registration,
            hypotheses=hypotheses,
            endpoints={name: endpoint for name, endpoint in made.items() if endpoint is not None},
            analyses=tuple(analysis for analysis in analyses if analysis is not None),
            displays=tuple(displays),
            policy=policy,
            fingerprint=hashlib.sha256(canonical.encode()).hexdigest(),
        )

    def _named(self, content: Mapping[str, Any], section: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the tables [section.NAME]; anything else there is a fault."""
        tables = content.get(section, {})
        if not isinstance(tables, dict):
            self.faults.append(
                f"{section} = {tables!r} is not a section. Write [{section}.NAME] above its entries."
            )
            return
        for name, table in tables.items():
            if not isinstance(table, dict):
                self.faults.append(f"{section}.{name} = {table!r} is not a section [{section}.{name}].")
            elif not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
                self.faults.append(
                    f"[{section}.{name!r}] has a name that cannot be a file. Use letters, digits, _ and -."
                )
            else:
                yield name, table

    def _text(self, content: Mapping[str, Any], key: str) -> str:
        value = content.get(key, "")
        if not isinstance(value, str):
            self.faults.append(f"{key} = {value!r} is not a text. Put it between quotes.")
        return str(value)

    def _hypotheses(self, given: Any) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            self.faults.append(f'hypotheses = {given!r} is not a list of texts. Write hypotheses = ["..."].')
            return ()
        return tuple(given)

    @staticmethod
    def _hint(given: str, allowed: Iterable[str]) -> str:
        """Return the nearest name, or all there are."""
        near = get_close_matches(given, list(allowed), n=1)
        return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(allowed) or 'none'}."

    def _known(self, given: Mapping[str, Any], allowed: tuple[str, ...] | list[str], where: str) -> None:
        for name in given:
            if name not in allowed:
                hint = self._hint(name, allowed)
                self.faults.append(f"{where} has an unknown entry {name!r}. {hint}")

    def _endpoint(self, name: str, table: dict[str, Any]) -> Endpoint | None:
        where = f"[endpoint.{name}]"
        function = endpoints.BUILT_IN.get(str(table.get("is", "")))
        if function is None:
            hint = self._hint(str(table.get("is", "")), endpoints.BUILT_IN)
            self.faults.append(
                f"{where} needs is = the name of a built-in endpoint, not {table.get('is')!r}. {hint}"
            )
            return None
        arguments = {key: value for key, value in table.items() if key != "is"}
        if not self._fits(function, arguments, (), where):
            return None
        try:
            return function(**arguments)
        except AnalysisError as fault:
            self.faults.append(f"{where}: {fault}")
            return None

    def _analysis(
        self, name: str, table: dict[str, Any], made: Mapping[str, Endpoint | None]
    ) -> Analysis | None:
        where = f"[analysis.{name}]"
        if name in RESERVED:
            self.faults.append(f"{where} has a name that is kept for published results. Choose another.")
        chosen = str(table.get("estimator", ""))
        if chosen not in ESTIMATORS:
            hint = self._hint(chosen, ESTIMATORS)
            self.faults.append(f"{where} needs an estimator, not {table.get('estimator')!r}. {hint}")
            return None
        estimator = ESTIMATORS[chosen]
        endpoint = str(table.get("endpoint", ""))
        self._fitting_endpoint(where, estimator, endpoint, made)
        beside = ("estimator", "endpoint", *SAID)
        arguments = {key: value for key, value in table.items() if key not in beside}
        if self._fits(estimator.function, arguments, _GIVEN_BY_RUN, where):
            self._values(estimator, arguments, where)
        estimand = {key: self._text(table, key) for key in SAID if key in table}
        return Analysis(name, chosen, endpoint, arguments, estimand)

    def _fitting_endpoint(
        self, where: str, estimator: Estimator, endpoint: str, made: Mapping[str, Endpoint | None]
    ) -> None:
        kinds = estimator.declaration.outcomes
        if not kinds and endpoint:
            self.faults.append(f"{where}: {estimator.declaration.name} takes no endpoint. Leave it out.")
        elif kinds and endpoint not in made:
            hint = self._hint(endpoint, made)
            self.faults.append(
                f"{where} names the endpoint {endpoint!r}, which the plan does not define. {hint}"
            )
        elif kinds and (found := made[endpoint]) is not None and found.kind not in kinds:
            wanted = " or ".join(kinds)
            self.faults.append(
                f"{where}: {endpoint!r} is a {found.kind} outcome, and {estimator.declaration.name} takes "
                f"{wanted}. Choose another endpoint or estimator."
            )

    def _fits(
        self, function: Callable[..., Any], arguments: Mapping[str, Any], given: tuple[str, ...], where: str
    ) -> bool:
        """Whether the arguments are those of the function; a stranger is a fault, and so is one absent."""
        before = len(self.faults)
        taken = {
            name: parameter
            for name, parameter in inspect.signature(function).parameters.items()
            if name not in given
        }
        self._known(arguments, list(taken), where)
        for name, parameter in taken.items():
            if parameter.default is parameter.empty and name not in arguments:
                self.faults.append(f"{where} does not say {name}. Write {name} = ... in that section.")
        return len(self.faults) == before

    def _values(self, estimator: Estimator, arguments: Mapping[str, Any], where: str) -> None:
        """Collect what the estimator's own check of its options says before any data are seen."""
        for name, value in arguments.items():
            check = estimator.declaration.options.get(name)
            try:
                if check is not None:
                    check(value)
            except (AnalysisError, TypeError) as fault:
                self.faults.append(f"{where}: {fault}")

    def _display(self, name: str, table: dict[str, Any], asked: Mapping[str, Any]) -> Display:
        where = f"[display.{name}]"
        self._known(table, ("figure", "analysis"), where)
        analysis, figure = (self._text(table, key) for key in ("analysis", "figure"))
        if analysis not in asked:
            hint = self._hint(analysis, asked)
            self.faults.append(
                f"{where} is drawn from the analysis {analysis!r}, which the plan does not have. {hint}"
            )
        if figure not in FIGURES:
            self.faults.append(
                f"{where} names the figure {figure!r}, which does not exist. {self._hint(figure, FIGURES)}"
            )
        return Display(name, figure, analysis)

    def _different_files(self, names: Iterable[str]) -> None:
        """Refuse names that differ in capitals only: on many disks they are the name of one file."""
        before: dict[str, str] = {}
        for name in names:
            first = before.setdefault(name.casefold(), name)
            if first != name:
                self.faults.append(
                    f"[display.{name}] and [display.{first}] differ in capitals only, and macOS and Windows "
                    f"would write both into one file. Rename one of them."
                )

    def _policy(self, table: Any) -> Policy:
        if not isinstance(table, dict):
            self.faults.append(
                f"disclosure = {table!r} is not a section. Write [disclosure] above its entries."
            )
            return Policy()
        self._known(table, ("minimum", "zeros"), "[disclosure]")
        try:
            return Policy(**{key: value for key, value in table.items() if key in ("minimum", "zeros")})
        except (AnalysisError, TypeError) as fault:
            self.faults.append(f"[disclosure]: {fault}")
            return Policy()
