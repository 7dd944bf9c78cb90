"""Pages that are written from the code at each build, so that they cannot fall behind it.

Everything lands in folders called ``_generated``, which git ignores: the data dictionary from
``ipseval.schema``, the endpoints with their definitions, the vocabulary of results, the command line
from its own help, the notebooks, and one run of the bundled plan whose figures the pages show.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sphinx.application import Sphinx

import ipseval as ips
from ipseval import cli, endpoints, schema
from ipseval.deliver import reproduce
from ipseval.results import QUANTITIES

DOCS = Path(__file__).parents[1]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


def data_dictionary() -> str:
    """Return one section per table of the schema."""
    parts = []
    for item in schema.TABLES:
        rows = [
            [f"`{column.name}`", column.kind, column.meaning, _allowed(column)] for column in _shown(item)
        ]
        parts.append(f"## {item.name}\n\nOne row per {item.row}.{_key(item)}{_declared(item)}\n")
        parts.append(table(["column", "kind", "meaning", "allowed"], rows))
    return "\n".join(parts)


def _shown(item: schema.Table) -> list[schema.Column]:
    """The columns, the 25 alike items of a fidelity review as their first and last."""
    return [column for column in item.columns if column.name not in {f"item_{n}" for n in range(2, 25)}]


def _key(item: schema.Table) -> str:
    return f" Identified by {', '.join(f'`{name}`' for name in item.key)}." if item.key else ""


def _declared(item: schema.Table) -> str:
    if not item.declared:
        return ""
    return f" The trial's own columns are declared in `[{item.declared}.NAME]` of `trial.toml`."


def _allowed(column: schema.Column) -> str:
    limits = [f"{column.low:g} or more"] if column.low is not None and column.high is None else []
    if column.low is not None and column.high is not None:
        limits = [f"{column.low:g} to {column.high:g}"]
    codes = [", ".join(f"`{code}`" for code in column.codes)] if column.codes else []
    needed = ["required"] if column.required else []
    return "; ".join(needed + [text for text in [" ".join([*limits, column.unit]).strip()] if text] + codes)


def endpoint_list() -> str:
    """Return every built-in endpoint with the sentence that travels with its numbers."""
    design = ips.example("scion").design
    needed = {"score": {"scale": "qol", "months": [6, 18, 30]}, "benefit_amount": {"by": 30}}
    rows = []
    for name, make in endpoints.BUILT_IN.items():
        endpoint = make(**needed.get(name, {}))
        rows.append([f"[`{name}`](#ipseval.endpoints.{name})", endpoint.kind, endpoint.definition(design)])
    return table(["endpoint", "kind", "definition (with its default arguments)"], rows)


def quantities() -> str:
    """Return the closed list of quantities."""
    rows = [
        [f"`{item.name}`", item.scale, "" if item.null is None else f"{item.null:g}"]
        for item in QUANTITIES.values()
    ]
    return table(["quantity", "scale", "no difference is"], rows)


def command_line() -> str:
    """Return the help of the program and of each command."""
    parser = cli._parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parts = [
        ("ipseval", parser),
        *((f"ipseval {name}", command) for name, command in commands.choices.items()),
    ]
    return "\n".join(f"## {title}\n\n```text\n{each.format_help().rstrip()}\n```\n" for title, each in parts)


def run(folder: Path) -> str:
    """Run the bundled plan into a folder; return what the program prints."""
    shutil.rmtree(folder, ignore_errors=True)
    printed = reproduce("scion", folder / "run")
    shutil.copytree(folder / "run" / "scion" / "public" / "figures", folder / "figures")
    beyond_the_plan(folder / "figures")
    for file in (folder / "figures").glob("*.svg"):
        (folder / f"{file.stem}.inc.md").write_text(figure(file), encoding="utf-8")
    (folder / "public").mkdir()
    shutil.copy(folder / "run" / "scion" / "public" / "report.html", folder / "public" / "scion-report.html")
    shutil.rmtree(folder / "run")
    # What follows the comparison speaks of the folder that was written, which is gone.
    return printed.rpartition("\n\n")[0]


def beyond_the_plan(folder: Path) -> None:
    """Draw the families of figures that the bundled plan does not ask for."""
    trial = ips.example("scion")
    curves = ips.survival(trial, ips.time_to_first_job(horizon=30), residuals=True)
    ips.plot(curves, figure="schoenfeld").save(folder / "schoenfeld.svg")
    jobs = ips.recurrent(trial, ips.job_starts(horizon=30))
    ips.plot(jobs, figure="mean_cumulative").save(folder / "new_jobs.svg")
    scores = ips.mixed(trial, ips.score("qol", months=[6, 18, 30]))
    ips.plot(scores, figure="monthly").save(folder / "scores.svg")


def figure(file: Path) -> str:
    """Return a figure for a page, with the text alternative that the file itself carries."""
    description = ElementTree.parse(file).getroot().findtext("{http://www.w3.org/2000/svg}desc")
    return f"```{{figure}} /_generated/figures/{file.name}\n:alt: {description}\n```\n"


def write_all(app: Sphinx) -> None:
    """Write every generated page before Sphinx looks for sources."""
    reference, made = DOCS / "reference" / "_generated", DOCS / "_generated"
    reference.mkdir(exist_ok=True)
    for name, text in {
        "data-dictionary": data_dictionary(),
        "endpoints": endpoint_list(),
        "quantities": quantities(),
        "command-line": command_line(),
    }.items():
        (reference / f"{name}.inc.md").write_text(text, encoding="utf-8")
    printed = run(made)
    (made / "reproduce.inc.txt").write_text(printed, encoding="utf-8")
    notebooks = DOCS / "tutorials" / "_generated"
    notebooks.mkdir(exist_ok=True)
    for notebook in sorted((DOCS.parent / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, notebooks / notebook.name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", lambda app, config: write_all(app))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
