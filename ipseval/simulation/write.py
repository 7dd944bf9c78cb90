"""From a design file to a folder that ``ips.load`` reads: tables, trial.toml and the card."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from datetime import date
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from ipseval import schema
from ipseval.errors import PlanError
from ipseval.simulation.card import card
from ipseval.simulation.design import SimulationDesign
from ipseval.simulation.design_file import read_design
from ipseval.simulation.tables import Row, simulated_tables


def simulate(design_path: str | Path, out_folder: str | Path) -> None:
    """Write the simulated trial that a design file describes: the same bytes on every platform.

    Parameters
    ----------
    design_path : str or Path
        A design file; see `read_design`.
    out_folder : str or Path
        Made if it is not there. Receives one CSV file per table, ``trial.toml``, the card
        ``README.md`` and a copy of the design as ``design.toml``; files of these names are
        replaced.

    Raises
    ------
    PlanError
        If the design cannot be read, or counts to be forced cannot be met. Nothing is written then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     simulate("data/synthetic/scion/design.toml", folder)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['README.md', 'design.toml', 'jobs.csv', 'participants.csv', 'trial.toml', 'visits.csv']
    """
    design_path, folder = Path(design_path), Path(out_folder)
    design = read_design(design_path)
    simulated = simulated_tables(design)
    files = {f"{name}.csv": _csv(name, rows) for name, rows in simulated.rows.items()}
    files["trial.toml"] = _trial_toml(design, tuple(simulated.rows))
    files["README.md"] = card(design, simulated)
    files["design.toml"] = design_path.read_text(encoding="utf-8")
    _write(folder, {name: text.encode("utf-8") for name, text in files.items()})


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files beside their places, and move them there once every one of them stands."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".simulate-", dir=folder) as beside:
            for name, content in files.items():
                (Path(beside) / name).write_bytes(content)
            for name in files:
                (Path(beside) / name).replace(folder / name)
    except OSError as fault:
        raise PlanError(
            f"The trial cannot be written into {folder} ({fault.strerror}). Choose another folder with --out."
        ) from None


def _csv(name: str, rows: list[Row]) -> str:
    """Return rows as comma-separated text; a table without rows keeps its columns."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0] if rows else schema.table(name).names)
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def _trial_toml(design: SimulationDesign, tables: tuple[str, ...]) -> str:
    head = "# Written by `ipseval simulate`; change design.toml instead. The people are SIMULATED."
    study = {"name": design.name, "title": design.title, "simulated": True, "currency": design.currency}
    blocks = [
        f"{head}\n{_block('study', study)}",
        _block("design", _design(design)),
        _block("arm_labels", design.arms),
        _block("files", {"separator": ",", "decimal": ".", "encoding": "utf-8", "dates": "iso"}),
        *(_block(f"tables.{name}", {"file": f"{name}.csv"}) for name in tables),
    ]
    for covariate in design.covariates:
        about = {"type": covariate.type, "label": covariate.label, "unit": covariate.unit}
        blocks.append(_block(f"covariates.{_key(covariate.name)}", {**about, "labels": covariate.labels}))
    for score in design.scores:
        baseline = {"type": "number", "label": f"{score.label} at baseline", "unit": "points"}
        blocks.append(_block(f"covariates.{_key(f'{score.name}_baseline')}", baseline))
    for score in design.scores:
        about = {"type": "number", "label": score.label, "unit": "points", "higher_is": score.higher_is}
        blocks.append(_block(f"scores.{_key(score.name)}", about))
    return "\n\n".join(blocks) + "\n"


def _design(design: SimulationDesign) -> dict[str, object]:
    return {
        "arms": list(design.arms),
        "reference": design.reference,
        "follow_up_months": design.follow_up_months,
        "tolerance_days": design.tolerance_days,
        "month": "anniversary",
        "competitive": ["competitive"],
        "missing_outcomes": design.missing_outcomes,
        "strata": ["site"],
        "randomisation": f"stratified permuted blocks of {design.recruitment.block}",
        "allocation": dict.fromkeys(design.arms, 1),
        "assessment_months": list(design.months),
        "data_cut": design.data_cut,
    }


def _block(title: str, values: Mapping[str, object]) -> str:
    """Return a section of a TOML file; what is empty is left out."""
    lines = (f"{_key(key)} = {_value(value)}" for key, value in values.items() if value not in ("", {}))
    return "\n".join([f"[{title}]", *lines])


def _value(value: object) -> str:
    """Return a TOML value; JSON's texts, numbers, booleans and lists are TOML's as well."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """Return a TOML key, in quotes unless it can stand bare."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
