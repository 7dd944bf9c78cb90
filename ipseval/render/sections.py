"""The sections of the report, each a heading and finished blocks of HTML, from public rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ipseval import words
from ipseval.endpoints.base import definition
from ipseval.errors import AnalysisError
from ipseval.render import html, tables
from ipseval.render.figures import plot
from ipseval.render.figures.drawing import Drawing
from ipseval.render.references import REFERENCES
from ipseval.render.tables.cells import Writer, capital, inner
from ipseval.results import QUANTITIES, Results
from ipseval.results.models import model_of
from ipseval.results.sentences import when
from ipseval.results.setting import part_of

#: The order of the results; a section that is not named here follows, by its own name.
ORDER = ("people", "rates", "survival", "recurrent", "mixed", "amounts")


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    key: str
    heading: str
    blocks: tuple[str, ...]


@dataclass
class Composer:
    """Writes the sections of one report and numbers its tables and figures as they come."""

    results: Results
    lang: str
    inside: bool
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    write: Writer = field(init=False)
    n_tables: int = 0
    n_figures: int = 0
    shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.write = Writer(self.results, self.lang)

    def say(self, key: str, **fields: object) -> str:
        """Return a text of the report."""
        return self.write.say(key, **fields)

    def sections(self) -> list[Section]:
        """Return every section that has something to say, in the order of the report."""
        recorded = {str(record.get("section", "")) for record in self.results.records.values()}
        own = [name for name in ORDER if name in recorded] + sorted(recorded - {*ORDER, "published", ""})
        made = [self._section(name, self._analyses(name)) for name in own]
        made.append(self._section("published", self._published()))
        made.append(self._section("methods", self._methods()))
        made.append(self._section("missing", self._missing()))
        made.append(self._section("disclosure", self._disclosure()))
        made.append(self._section("provenance", self._provenance()))
        return [section for section in made if section.blocks]

    def _section(self, key: str, blocks: Iterator[str]) -> Section:
        known = words.has(f"report.section.{key}")
        return Section(key, self.say(f"section.{key}") if known else capital(key), tuple(blocks))

    # ---- numbered blocks

    def table(self, made: tables.Table) -> Iterator[str]:
        """Yield a table with the next number; an empty one is left out."""
        if made.lines:
            self.n_tables += 1
            number = self.say("table.number", number=self.n_tables)
            yield html.table(made, f"table-{self.n_tables}", number)

    def displays(self) -> list[dict[str, str]]:
        """Return the figures that the plan asks for; without a plan, the own one of each analysis."""
        plan = self.results.provenance.get("plan")
        if plan is not None:
            return list(plan.get("displays", ()))
        return [
            {"name": analysis, "figure": record["figure"], "analysis": analysis}
            for analysis, record in self._records()
            if record.get("figure") and record.get("section") != "published"
        ]

    def figure(self, display: dict[str, str]) -> Iterator[str]:
        """Yield a figure with the next number, once; one that cannot be drawn says why."""
        if display["name"] in self.shown:
            return
        self.shown.add(display["name"])
        try:
            drawn = self.drawings.get(display["name"]) or plot(
                self.results,
                figure=display["figure"],
                analysis=display["analysis"],
                lang=self.lang,
                inside=self.inside,
            )
        except AnalysisError as refusal:
            yield html.paragraph(self.say("figure.none", figure=display["name"], reason=refusal))
            return
        self.n_figures += 1
        number = self.say("figure.number", number=self.n_figures)
        yield html.figure(drawn, f"figure-{self.n_figures}", number)

    def key_figure(self) -> Iterator[str]:
        """Yield the first display, which stands right below the answer."""
        for display in self.displays()[:1]:
            yield from self.figure(display)

    # ---- the results

    def _analyses(self, section: str) -> Iterator[str]:
        for analysis, record in self._records():
            if record.get("section") == section:
                yield from (
                    self._people(analysis) if section == "people" else self._estimates(analysis, record)
                )

    def _records(self) -> list[tuple[str, Any]]:
        """Return analyses with their records in the order of their rows, which is that of the plan."""
        order = [str(name) for name in pd.unique(self.results.frame["analysis"])]
        return [(name, self.results.records[name]) for name in order if name in self.results.records]

    def _people(self, analysis: str) -> Iterator[str]:
        trial = self.write.trial
        yield html.terms(self._design(trial))
        yield from self.table(
            tables.flow_table(self.results, analysis, self.say("caption.flow"), lang=self.lang)
        )
        yield from self._figures_of(analysis)
        yield html.paragraph(self.say("people.no_p_values"))
        made = tables.baseline_table(self.results, analysis, self.say("caption.baseline"), lang=self.lang)
        yield from self.table(made)

    def _design(self, trial: Any) -> list[tuple[str, str]]:
        months = trial.get("follow_up_months")
        arms = [self.write.arm(arm) for arm in self.write.arms]
        strata = [capital(self.write.named("label", name)) for name in trial.get("strata", ())]
        follow_up = f"{self.write.number(months)} {words.text('unit.months', self.lang)}" if months else ""
        return [
            (
                self.say("design.arms"),
                self.say("design.compared", active=", ".join(arms[:-1]), reference=arms[-1]),
            ),
            (self.say("design.randomisation"), str(trial.get("randomisation", ""))),
            (self.say("design.strata"), ", ".join(strata)),
            (self.say("design.follow_up"), follow_up),
        ]

    def _estimates(self, analysis: str, record: Any) -> Iterator[str]:
        """Yield one analysis: definition, estimand, table, figures, and how the unknown were counted."""
        frame = self.results.select(analysis=analysis).frame
        endpoint = str(frame["endpoint"].iloc[0])
        outcome = self.write.outcome(endpoint) if endpoint else capital(analysis.replace("_", " "))
        yield html.heading(outcome, 3)
        if endpoint in self.results.endpoints:
            yield html.paragraph(self._definition(endpoint))
        yield from self._estimand(analysis)
        yield from map(html.paragraph, model_of(self.results, analysis, self.lang))
        is_series = frame.loc[frame["time_unit"] == "months", "time"].nunique() > tables.SERIES
        made = (
            tables.series_table if is_series and record.get("section") == "rates" else tables.estimates_table
        )
        key = "series" if made is tables.series_table else "estimates"
        caption = self.say(f"caption.{key}", outcome=outcome)
        yield from self.table(made(self.results, analysis, caption, lang=self.lang))
        if (frame["quantity"] == "number_at_risk").any():
            caption = self.say("caption.at_risk", outcome=outcome)
            yield from self.table(tables.at_risk_table(self.results, analysis, caption, lang=self.lang))
        yield from self._figures_of(analysis)
        yield from self._how_counted(analysis, record, frame, outcome, is_series)

    def _figures_of(self, analysis: str) -> Iterator[str]:
        for display in self.displays():
            if display["analysis"] == analysis:
                yield from self.figure(display)

    def _definition(self, endpoint: str) -> str:
        """Return the definition of an endpoint as a full sentence."""
        described = self.results.endpoints[endpoint]
        said = definition(described, self.lang)
        if described["kind"] == "binary":
            return self.say("definition.yes_or_no", definition=said)
        return self.say("definition.other", definition=capital(said))

    def _estimand(self, analysis: str) -> Iterator[str]:
        """Yield what the plan says of the estimand, in its own words."""
        said = self.results.provenance.get("plan", {}).get("estimands", {}).get(analysis, {})
        if said:
            yield html.heading(self.say("estimand.heading"), 4)
            names = ("population", "treatments", "intercurrent_events", "summary")
            yield html.terms((self.say(f"estimand.{name}"), said.get(name, "")) for name in names)

    def _how_counted(
        self, analysis: str, record: Any, frame: pd.DataFrame, outcome: str, is_series: bool
    ) -> Iterator[str]:
        """Yield how people with an unknown outcome were counted, and what other ways would give."""
        settings = record.get("main", {}).get("setting", {})
        ordered = sorted(settings, key=list(QUANTITIES).index)
        stated = {name: part_of(settings[name], "missing") for name in ordered}
        settings = {name: rule for name, rule in stated.items() if rule}
        rules = list(dict.fromkeys(settings.values()))
        if rules:
            yield html.paragraph(self.say("unknown.counted", rule=self._rules(settings, rules)))
        elif key := self._left_out(record):
            yield html.paragraph(self.say(key))
        if frame["setting"].str.startswith("missing=").any() and not is_series:
            last = frame.loc[frame["time"] == frame["time"].max()].iloc[0]
            caption = self.say("caption.unknown", outcome=outcome, when=when(last, self.lang))
            yield from self.table(tables.unknown_table(self.results, analysis, caption, lang=self.lang))

    def _left_out(self, record: Any) -> str:
        """Return the text on outcomes that a model leaves out: its own, or that of its section."""
        names = (record.get("model", {}).get("words", ""), record["section"])
        found = (f"unknown.{name}" for name in names if words.has(f"report.unknown.{name}"))
        return next(found, "")

    def _rules(self, settings: dict[str, str], rules: list[str]) -> str:
        """Return the rule of the main rows; where there are several, with the quantities under each."""
        said = {rule: self.write.named("setting", rule) for rule in rules}
        if len(rules) == 1:
            return said[rules[0]]
        of = {rule: [name for name, own in settings.items() if own == rule] for rule in rules}
        names = {
            rule: ", ".join(inner(self.write.named("quantity", name), self.lang) for name in of[rule])
            for rule in rules
        }
        return "; ".join(f"{said[rule]} ({names[rule]})" for rule in rules)

    # ---- what surrounds them

    def _published(self) -> Iterator[str]:
        found = tables.comparison_of(self.results)
        if found is None:
            return
        yield html.paragraph(
            self.say("published.sentence", sentence=words.translated(found.record["sentence"], self.lang))
        )
        yield html.paragraph(found.record["citation"], "citation")
        if self.write.trial.get("simulated"):
            yield html.paragraph(self.say("published.matched"))
        yield from self.table(
            tables.published_table(self.results, self.say("caption.published"), lang=self.lang)
        )
        yield from self.table(
            tables.readings_table(self.results, self.say("caption.readings"), lang=self.lang)
        )

    def _methods(self) -> Iterator[str]:
        trial = self.write.trial
        yield html.paragraph(self.say("methods.direction"))
        yield html.paragraph(self.say("methods.intervals"))
        if trial.get("month_rule") and words.has(f"report.months.{trial['month_rule']}"):
            yield html.paragraph(self.say(f"months.{trial['month_rule']}"))
        present = [str(name) for name in pd.unique(self.results.frame["endpoint"])]
        defined = [name for name in present if name in self.results.endpoints]
        if defined:
            yield html.heading(self.say("methods.definitions"), 3)
            yield html.terms((self.write.outcome(name), self._definition(name)) for name in defined)
        yield html.heading(self.say("methods.used"), 3)
        used = dict.fromkeys(
            method for method in self.results.frame["method"] if method not in ("", "published", "count")
        )
        yield html.terms(
            (capital(self.write.named("method", method)), REFERENCES.get(method, self.say("methods.plain")))
            for method in used
        )
        first = next((name for name, record in self._records() if record.get("section") == "rates"), "")
        if first:
            rows = self.results.select(analysis=first).frame.dropna(subset=["time"])
            if rows.empty:
                return
            last = rows.loc[rows["time"] == rows["time"].max()].iloc[0]
            outcome = self.write.outcome(last["endpoint"])
            caption = self.say("caption.methods", outcome=outcome, when=when(last, self.lang))
            yield from self.table(tables.methods_table(self.results, first, caption, lang=self.lang))

    def _missing(self) -> Iterator[str]:
        made = tables.missing_table(self.results, self.say("caption.missing"), lang=self.lang)
        if made.lines:
            yield html.paragraph(self.say("missing.never_zero"))
        yield from self.table(made)
        failures = self.results.failures
        if len(failures):
            yield html.paragraph(self.say("missing.not_computed"))
            yield html.items(self._failure(row) for _, row in failures.iterrows())

    def _failure(self, row: pd.Series) -> str:
        outcome = f" ({self.write.outcome(row['endpoint'])})" if row["endpoint"] else ""
        note = words.translated(row["note"], self.lang)
        return f"{self.write.about(row)}{outcome}{self.say('colon')}{note}"

    def _disclosure(self) -> Iterator[str]:
        said = self.results.provenance.get("disclosure")
        if said is None:
            yield html.paragraph(self.say("inside"), "inside")
            return
        counts = {
            name: self.write.number(said[name]) for name in ("suppressed", "rounded", "points_left_out")
        }
        yield html.paragraph(self.say("disclosure.rule", minimum=said["minimum"]))
        yield html.paragraph(self.say(f"disclosure.zeros_{said['zeros']}"))
        yield html.paragraph(self.say("disclosure.counted", minimum=said["minimum"], **counts))

    def _provenance(self) -> Iterator[str]:
        known, trial = self.results.provenance, self.write.trial
        plan = known.get("plan", {})
        frozen = [f"{name} {day}" for name, day in sorted(trial.get("freeze_dates", {}).items())]
        seeds = [f"{name} {seed}" for name, seed in sorted(known.get("seeds", {}).items())]
        versions = [f"{name} {version}" for name, version in sorted(known.get("versions", {}).items())]
        yield html.paragraph(self.say("provenance.repeatable"))
        yield html.terms(
            [
                (self.say("provenance.trial"), str(trial.get("name", ""))),
                (self.say("provenance.registration"), str(trial.get("registration", ""))),
                (self.say("provenance.data_cut"), str(trial.get("data_cut", ""))),
                (self.say("provenance.frozen"), ", ".join(frozen)),
                (self.say("provenance.data_fingerprint"), str(trial.get("fingerprint", ""))),
                (self.say("provenance.plan"), str(plan.get("title", ""))),
                (self.say("provenance.plan_registration"), str(plan.get("registration", ""))),
                (self.say("provenance.plan_fingerprint"), str(plan.get("fingerprint", ""))),
                (self.say("provenance.seeds"), ", ".join(seeds)),
                (self.say("provenance.versions"), ", ".join(versions)),
            ]
        )
