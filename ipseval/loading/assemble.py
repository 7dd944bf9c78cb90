"""From a folder to a Trial: read the mapping and every file, collect every problem, then judge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ipseval import schema
from ipseval.errors import DataError, Problem
from ipseval.loading.formats import read_raw
from ipseval.loading.identifiers import direct_identifiers
from ipseval.loading.mapping import Declared, TrialMapping, read_mapping
from ipseval.loading.messages import SEVERITIES, problems_text, refuse
from ipseval.loading.normalise import CanonicalTable, latest_day, normalise
from ipseval.loading.rules import ROW_RULES, check
from ipseval.loading.tables import Tables
from ipseval.trial import Design, Trial, Variable


def load(path: str | Path) -> Trial:
    """Return the trial that a folder or a ``trial.toml`` describes.

    Parameters
    ----------
    path : str or Path
        A folder that holds ``trial.toml``, or that file itself. The files it names are read from
        beside it.

    Returns
    -------
    Trial
        Tables in the columns and dtypes of the data dictionary; ``arm`` is an ordered category with
        the reference first. ``notices`` holds what was noticed and counted without stopping.

    Raises
    ------
    DataError
        If anything breaks a rule: the text and ``.problems`` list every problem at once, with table,
        column, rule, rows, persons and remedy. Nothing is dropped or repaired, unless
        ``[rules] quarantine`` names the rule; those rows are set aside and counted among the notices.

    Notes
    -----
    Text is read as written: the id ``001`` is not 1, and a site called NA is not missing. A cell is
    missing when it is empty or blank, or holds a code that the mapping (or an SPSS, Stata or SAS
    file) declares missing.
    ``fingerprint`` is the SHA-256 of ``trial.toml`` and the source files in the order of the mapping,
    one after the other, which is what ``cat trial.toml ... | sha256sum`` prints.

    Examples
    --------
    >>> import ipseval as ips
    >>> trial = ips.load("data/synthetic/scion")
    >>> trial.design.arms
    ('usual', 'IPS')
    """
    trial, problems = inspect(path)
    if trial is None:
        errors = sum(problem.severity == "error" for problem in problems)
        head = (
            f"{errors} {'error' if errors == 1 else 'errors'} in the data of {Path(path).resolve().name!r}."
        )
        raise DataError(f"{head}\n\n{problems_text(problems)}", problems)
    return trial


def inspect(path: str | Path) -> tuple[Trial | None, tuple[Problem, ...]]:
    """Return the trial, if it has no errors, and every problem: errors, rows set aside, notices.

    Parameters
    ----------
    path : str or Path
        As for ``load``.

    Returns
    -------
    trial : Trial or None
        None when there is an error.
    problems : tuple of Problem
        Errors first. ``problems_text`` says them for a terminal.

    Notes
    -----
    Faults of the data are returned and not raised, also a folder or a mapping that is not there.

    Examples
    --------
    >>> from ipseval.loading import inspect
    >>> trial, problems = inspect("data/synthetic/scion")
    >>> len(trial), [problem.severity for problem in problems if problem.severity == "error"]
    (151, [])
    """
    try:
        trial, problems = _read(_mapping_file(Path(path)))
    except DataError as error:
        trial, problems = None, list(error.problems)
    return trial, tuple(sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity)))


def _mapping_file(path: Path) -> Path:
    if not path.exists():
        refuse("", "no_such_folder", f"{path.name!r} does not exist.", "Check the path.")
    file = path / "trial.toml" if path.is_dir() else path
    if not file.is_file():
        refuse(
            "",
            "no_mapping",
            f"There is no trial.toml in {path.name!r}.",
            'Write one: the how-to "Load your data" has a whole folder to copy.',
        )
    if file.suffix != ".toml":
        remedy = "Pass the folder that holds trial.toml, or that file."
        refuse("", "no_mapping", f"{path.name!r} is not a trial.toml.", remedy)
    return file


def _read(path: Path) -> tuple[Trial | None, list[Problem]]:
    mapping, problems = read_mapping(path, ROW_RULES)
    tables: dict[str, CanonicalTable] = {}
    for source in mapping.sources:
        try:
            raw = read_raw(source)
        except DataError as error:
            problems += error.problems
            continue
        problems += direct_identifiers(source.name, raw)
        tables[source.name] = normalise(source, raw, arms=mapping.arms, latest=latest_day(mapping.simulated))
    checked, found = _check(mapping, tables)
    problems += found
    if mapping.design is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    return _trial(mapping, mapping.design, checked, tables, tuple(problems)), problems


def _check(mapping: TrialMapping, tables: dict[str, CanonicalTable]) -> tuple[Tables, list[Problem]]:
    """Check the tables against one another, as far as the design and the columns needed are known."""
    frames = {name: table.frame for name, table in tables.items()}
    cell_problems = [problem for table in tables.values() for problem in table.problems]
    unread = frozenset(source.name for source in mapping.sources) - frozenset(frames)
    return check(Tables(mapping.design, frames, unread), cell_problems, mapping.quarantine)


def _trial(
    mapping: TrialMapping,
    design: Design,
    checked: Tables,
    tables: dict[str, CanonicalTable],
    problems: tuple[Problem, ...],
) -> Trial:
    frames = {name: checked.frames[name] for name in schema.TABLE_NAMES if name in checked.frames}
    return Trial(
        name=mapping.name,
        title=mapping.title,
        design=design,
        tables={name: _finished(frame, name, mapping) for name, frame in frames.items()},
        covariates=_variables(mapping.covariates, tables.get("participants")),
        scores=_variables(mapping.scores, tables.get("visits")),
        simulated=mapping.simulated,
        source=mapping.path.resolve().parent.name,
        registration=mapping.registration,
        notices=problems,
        fingerprint=_fingerprint(mapping),
    )


def _finished(frame: pd.DataFrame, table: str, mapping: TrialMapping) -> pd.DataFrame:
    """Return the table numbered from 0; an open list of codes holds the codes that are there."""
    source = next(source for source in mapping.sources if source.name == table)
    codes = {
        column.name: frame[column.name].cat.remove_unused_categories()
        for column in source.dictionary
        if column.kind == "category" and column.name in frame and not column.codes and column.name != "arm"
    }
    return frame.assign(**codes).reset_index(drop=True)


def _variables(declared: Mapping[str, Declared], table: CanonicalTable | None) -> dict[str, Variable]:
    """Return the variables that the trial has, with the file's value labels where none are declared."""
    if table is None:
        return {}
    return {
        name: item.variable
        if item.variable.labels
        else replace(item.variable, labels=table.labels.get(name, {}))
        for name, item in declared.items()
    }


def _fingerprint(mapping: TrialMapping) -> str:
    digest = hashlib.sha256()
    for file in dict.fromkeys([mapping.path, *(source.file for source in mapping.sources)]):
        digest.update(file.read_bytes())
    return digest.hexdigest()
