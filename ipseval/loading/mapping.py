"""Read ``trial.toml``: what was randomised, and which source columns and codes mean what."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ipseval import schema
from ipseval.errors import Problem
from ipseval.loading.design import design_of
from ipseval.loading.messages import did_you_mean, refuse
from ipseval.loading.section import Section
from ipseval.trial import Design, Variable

DATE_NOTATIONS = ("iso", "day-first", "month-first")
VARIABLE_KINDS = ("number", "category", "boolean", "date")
YES, NO = ("yes", "true", "1"), ("no", "false", "0")

Codes = Mapping[str, str]  # source code -> canonical code


@dataclass(frozen=True)
class Declared:
    """A covariate or score that the trial declares, and where it is found."""

    variable: Variable
    column: str = ""
    missing: tuple[str, ...] = ()

    def as_column(self) -> schema.Column:
        """The declared variable as a column of the data dictionary."""
        variable = self.variable
        return schema.Column(
            variable.name, _KINDS[variable.kind], variable.label, variable.unit, codes=tuple(variable.labels)
        )


_KINDS: dict[str, schema.Kind] = {
    "number": "number",
    "category": "category",
    "boolean": "boolean",
    "date": "date",
}


@dataclass(frozen=True)
class TableSource:
    """Where one table comes from: the file, how it is written, and what its columns and codes mean.

    ``columns`` maps canonical to source names, ``codes`` for each canonical column the source codes
    to canonical ones. An empty ``separator`` is sniffed.
    """

    name: str
    file: Path
    sheet: str = ""
    separator: str = ""
    decimal: str = "."
    encoding: str = "utf-8"
    dates: str = "iso"
    missing: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Codes] = field(default_factory=dict)
    declared: Mapping[str, Declared] = field(default_factory=dict)

    @property
    def dictionary(self) -> tuple[schema.Column, ...]:
        """The columns this table may have: those of the dictionary, then those declared."""
        declared = tuple(item.as_column() for item in self.declared.values())
        return schema.table(self.name).columns + declared


@dataclass(frozen=True)
class TrialMapping:
    """The whole of ``trial.toml``, checked; ``design`` is None where it is not known from the file."""

    path: Path
    name: str
    title: str
    simulated: bool
    registration: str
    design: Design | None
    arms: tuple[str, ...]
    sources: tuple[TableSource, ...]
    covariates: Mapping[str, Declared]
    scores: Mapping[str, Declared]
    quarantine: frozenset[str]


def read_mapping(path: Path, rules: frozenset[str]) -> tuple[TrialMapping, list[Problem]]:
    """Read and check ``trial.toml``; ``rules`` are the names that quarantine may use.

    Returns
    -------
    mapping : TrialMapping
        What the file does say, so that the data can be checked as far as that goes.
    problems : list of Problem
        Every mistake in the file.
    """
    problems: list[Problem] = []
    top = Section(_read_toml(path), "", problems)
    study, rule_section = top.section("study"), top.section("rules")
    arm_labels = top.section("arm_labels")
    covariates = _declared(top.section("covariates"), "participants")
    columns = (*schema.table("participants").names, *covariates)
    arms, design = design_of(
        top.section("design"), arm_labels, currency=study.text("currency"), columns=columns
    )
    scores = _declared(top.section("scores"), "visits")
    declared = {"participants": covariates, "visits": scores}
    sources = _sources(top, path.parent, declared, arms)
    quarantine = rule_section.texts("quarantine")
    for rule in quarantine:
        if rule not in rules:
            remedy = did_you_mean(rule, sorted(rules))
            rule_section.complain("quarantine", "unknown_rule", f"{rule!r} is not a rule about rows.", remedy)
    name = study.text("name") or path.parent.resolve().name
    title, registration, simulated = study.text("title"), study.text("registration"), study.flag("simulated")
    for section in (study, rule_section, top):
        section.close()
    facts = (path, name, title, simulated, registration, design, arms, sources, covariates, scores)
    return TrialMapping(*facts, frozenset(quarantine)), problems


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        refuse("trial.toml", "wrong_encoding", f"Line {line} is not UTF-8.", "Save trial.toml as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        refuse("trial.toml", "not_toml", f"This is not valid TOML: {error}.", "Mend that line.")


def _declared(section: Section, table: str) -> dict[str, Declared]:
    taken = schema.table(table).names
    declared = {}
    for name in section.keys:
        item = section.section(name)
        labels = item.section("labels")
        variable = Variable(
            name,
            item.text("type", "category", VARIABLE_KINDS),
            label=item.text("label"),
            unit=item.text("unit"),
            labels={code: labels.text(code) for code in labels.keys},
            higher_is=item.text("higher_is", options=("better", "worse")),
        )
        if "type" not in item:
            options = ", ".join(VARIABLE_KINDS)
            item.complain("type", "type_not_stated", "The type is not stated.", f"Choose one of {options}.")
        if name in taken:
            item.complain("", "name_taken", f"{name!r} is a column of {table} already.", "Rename it.")
        declared[name] = Declared(variable, item.text("column"), item.texts("missing"))
        item.close()
    return declared


def _sources(
    top: Section, folder: Path, declared: Mapping[str, dict[str, Declared]], arms: tuple[str, ...]
) -> tuple[TableSource, ...]:
    files, tables = top.section("files"), top.section("tables")
    defaults = _written(files, {})
    files.close()
    sources = []
    for name in tables.keys:
        section = tables.section(name)
        if name not in schema.TABLE_NAMES:
            section.complain(
                "", "unknown_table", f"{name!r} is not a table.", did_you_mean(name, schema.TABLE_NAMES)
            )
            continue
        source = TableSource(
            name,
            folder / section.text("file"),
            sheet=section.text("sheet"),
            missing=section.texts("missing"),
            columns=_columns(section.section("columns")),
            declared=declared.get(name, {}),
            **_written(section, defaults),
        )
        sources.append(_with_codes(source, section.section("columns"), section.section("codes"), arms))
        if not section.text("file"):
            section.complain("file", "file_not_named", "No file is named.", f'Write file = "{name}.csv".')
            sources.pop()
        section.close()
    if "participants" not in tables:
        tables.complain(
            "participants",
            "no_participants",
            "The table of participants is not mapped; nothing can be loaded without it.",
            'Add [tables.participants] with file = "participants.csv".',
        )
    return tuple(sources)


def _written(section: Section, defaults: dict[str, Any]) -> dict[str, Any]:
    """Return how a file is written: separator, decimal mark, encoding and notation of dates."""
    encoding = section.text("encoding", defaults.get("encoding", "utf-8"))
    try:
        codecs.lookup(encoding)
    except LookupError:
        section.complain(
            "encoding", "unknown_option", f"{encoding!r} is not an encoding.", "Try utf-8 or cp1252."
        )
        encoding = "utf-8"
    return {
        "separator": section.text("separator", defaults.get("separator", ""), (",", ";", "\t", "|", " ")),
        "decimal": section.text("decimal", defaults.get("decimal", "."), (".", ",")),
        "encoding": encoding,
        "dates": section.text("dates", defaults.get("dates", "iso"), DATE_NOTATIONS),
    }


def _columns(section: Section) -> dict[str, str]:
    return {key: section.text(key) for key in section.keys}


def _with_codes(source: TableSource, columns: Section, codes: Section, arms: tuple[str, ...]) -> TableSource:
    """Return ``source`` with its codes, after checking the names of columns and codes."""
    known = {column.name: column for column in source.dictionary}
    for section in (columns, codes):
        for key in section.keys:
            if key not in known:
                remedy = did_you_mean(key, tuple(known))
                section.complain(key, "unknown_column", f"{source.name} has no column {key!r}.", remedy)
    found = {key: _codes_of(codes.section(key), known[key], arms) for key in codes.keys if key in known}
    return replace(source, codes=found)


def _codes_of(section: Section, column: schema.Column, arms: tuple[str, ...]) -> Codes:
    """Return source code -> canonical code of one column."""
    allowed = arms if column.name == "arm" else column.codes
    if column.kind == "boolean":
        allowed = ("yes", "no", "true", "false")
    elif column.kind != "category":
        section.complain("", "codes_not_for_kind", f"A column of {column.kind}s has no codes to map.")
    canonical_of: dict[str, str] = {}
    for canonical in section.keys:
        if allowed and canonical not in allowed:
            remedy = did_you_mean(canonical, allowed)
            section.complain(canonical, "undeclared_code", f"{canonical!r} is not a code here.", remedy)
        for code in section.texts(canonical):
            if canonical_of.setdefault(code, canonical) != canonical:
                section.complain(
                    canonical,
                    "code_mapped_twice",
                    f"The source code {code!r} is mapped to two codes.",
                    "Choose.",
                )
    return canonical_of


def toml_key(name: str) -> str:
    """Return a name as a TOML key, in quotes where TOML asks for them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
