"""Imports point one way: a room sees only the rooms before it, so that each can be read alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "ipseval"

#: The rooms in the order of a walk through the house, and why each stands where it does.
ROOMS = {
    "_version": "a number, so that reading it imports nothing",
    "errors": "everything may fail",
    "checks": "every room checks its arguments, with one sentence shape",
    "words": "names and numbers in four languages, for definitions, notes, figures and reports",
    "schema": "the data dictionary, which loading checks, documentation prints and simulation writes",
    "months": "one rule for what a month is, before anything is counted by months",
    "trial": "what was randomised; questions about follow-up, none about outcomes",
    "loading": "files to a Trial; nothing after it reads a data file",
    "spells": "days and hours from spells, on plain arrays",
    "endpoints": "one outcome per person, from a Trial",
    "stats": "numbers only; sees errors and checks alone",
    "results": "the one table, known to all who write or read it",
    "disclosure": "Results to PublicResults; the policy is part of a plan",
    "estimate": "trial language: Trial and Endpoint in, Results out",
    "evidence": "published results, as rows of the same table",
    "simulation": "synthetic trials with a known truth",
    "plan": "the same calls, written down",
    "run": "a plan carried out",
    "examples": "the bundled trials",
    "render": "tables, figures and reports, from the one table alone",
    "deliver": "a run on disk",
    "cli": "parse, call, exit code",
    "__main__": "python -m ipseval",
}

#: Rooms that see less than everything before them.
SEES_ONLY = {
    "words": {"errors", "checks"},
    "schema": set(),
    "stats": {"errors", "checks"},
    "spells": {"errors", "checks", "months"},
}
#: What is drawn was computed before: render reads the saved table, and only words a definition again.
NEVER_SEES = {"render": {"loading", "trial", "spells", "stats", "estimate", "evidence", "run"}}

#: Libraries that may be imported in one place only, and libraries that may not be imported at all.
ONLY_IN = {"matplotlib": "render/", "lifelines": "stats/times/proportional_hazards.py"}
NOWHERE = {"scipy.stats": "slow to import; scipy.special has what is needed"}


class Import(NamedTuple):
    """One imported module, and whether importing the file is enough to load it."""

    module: str
    at_import: bool


@cache
def imports(source: str) -> tuple[Import, ...]:
    """Return what a file imports, ``from ipseval import x`` as ``ipseval.x``."""
    return tuple(_imports(source))


def _imports(source: str) -> Iterator[Import]:
    tree = ast.parse(source)
    later = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_type_checkers(outer)
        for inner in ast.walk(outer)
        if inner is not outer
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write imports in full, so that their direction can be read"
            modules = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        yield from (Import(module, node not in later) for module in modules)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def room_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def is_part_of(module: str, library: str) -> bool:
    return module == library or module.startswith(f"{library}.")


def faults(file: str, source: str) -> list[str]:
    """Return what a file, named from the package's folder, imports against the order."""
    room, order = room_of(file), list(ROOMS)
    visible = SEES_ONLY.get(room, set(order[: order.index(room)]) - NEVER_SEES.get(room, set()))
    visible |= {room, "_version"}
    found = []
    for module, _ in imports(source):
        if module == "ipseval.__version__":
            continue
        if is_part_of(module, "ipseval") and (target := module.split(".")[1]) not in visible:
            found.append(f"{file} imports {target}, which {room} does not see")
        for library, place in ONLY_IN.items():
            if is_part_of(module, library) and not file.startswith(place):
                found.append(f"{file} imports {library}, which belongs in {place}")
        for library, reason in NOWHERE.items():
            if is_part_of(module, library):
                found.append(f"{file} imports {library}: {reason}")
    return found


FILES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}


def test_every_file_stands_in_a_room():
    assert {room_of(file) for file in FILES} - {"__init__"} == set(ROOMS)


def test_imports_point_one_way():
    assert [fault for file in FILES if file != "__init__.py" for fault in faults(file, FILES[file])] == []


def test_the_package_itself_imports_nothing_but_its_version():
    assert {module for module, _ in imports(FILES["__init__.py"])} == {
        "importlib.import_module",
        "ipseval._version.__version__",
    }


@pytest.mark.parametrize(
    "room",
    ["errors", "checks", "words", "schema", "months", "trial", "spells", "simulation", "examples", "cli"],
)
def test_a_room_that_works_without_pandas_does_not_import_it(room):
    waits = [
        file
        for file, source in FILES.items()
        for module, at_import in imports(source)
        if room_of(file) == room and at_import and is_part_of(module, "pandas")
    ]
    assert waits == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("render/tables.py", "from ipseval.estimate.proportions.rates import rates"),
        ("render/tables.py", "from ipseval.trial import Trial"),
        ("stats/means.py", "from ipseval import schema"),
        ("trial.py", "def f():\n    from ipseval.endpoints import ever_employed"),
        ("results/table.py", "import matplotlib.pyplot as plt"),
        ("stats/times/cox.py", "from lifelines import CoxPHFitter"),
        ("stats/amounts/ranks.py", "from scipy import stats"),
    ],
)
def test_an_import_against_the_order_is_found(file, source):
    assert len(faults(file, source)) == 1
