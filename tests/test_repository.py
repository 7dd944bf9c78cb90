"""What the repository itself must hold: nothing of one machine, nothing undeclared, one set of commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from ipseval import __version__
from tests.test_architecture import FILES, imports

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = ("constraints.txt", "constraints-pandas3.txt")
LOCK_FILES = ("uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock", "pdm.lock", "pixi.lock")
#: Licences under which a library may be required: permissive, or copyleft of single files alone.
PERMISSIVE = ("BSD", "MIT", "Apache", "PSF", "Python Software Foundation", "HPND", "MPL")

# Written in parts, so that this file does not find itself.
MACHINE_PATH = re.compile(rb"/(?:home|Users|root|work|opt|tmp)" + rb"/[\w.-]+/|[A-Z]:\\Users\\")
INDEX_ADDRESS = re.compile(
    rb"(?:pypi|pythonhosted|artifactory|nexus|devpi)" + rb"\.[\w.-]*/|/simple" + rb"/|(?:extra-)?index-url *="
)


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git work tree, so there is no list of tracked files")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def normalised(requirement: str) -> str:
    """Return the bare name of a requirement: "Types_openpyxl[x]>=3" is "types-openpyxl"."""
    name = re.split(r"[\s<>=!~;\[@]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


DECLARED = {
    normalised(requirement)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in group
}


@pytest.mark.parametrize(
    "pattern", [MACHINE_PATH, INDEX_ADDRESS], ids=["path of a machine", "address of an index"]
)
def test_no_tracked_file_holds_a(pattern):
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode(errors='replace')}"
        for path in tracked()
        for match in pattern.finditer(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, b"read /" + b"home/ada/trial.csv"),
        (INDEX_ADDRESS, b"https://files.python" + b"hosted.org/packages/"),
        (INDEX_ADDRESS, b"--extra-index-" + b"url = x"),
    ],
)
def test_such_a_text_would_be_found(pattern, text):
    assert pattern.search(text)


def test_no_lock_file_and_nothing_made_is_tracked():
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    made = re.compile(r"^(\.venv|results|wheels|build|dist|docs/_build)/|\.egg-info/|__pycache__/|\.pyc$")
    assert [name for name in names if made.search(name) or Path(name).name in LOCK_FILES] == []


@pytest.mark.parametrize("file", CONSTRAINTS)
def test_constraints_are_exact_versions_and_nothing_else(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!+-]+", line)] == []


def test_every_declared_requirement_is_pinned():
    pinned = {
        normalised(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    assert DECLARED - pinned == set()


def test_the_pandas_3_set_differs_where_it_says():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints-pandas3.txt").read_text(encoding="utf-8").splitlines()
    )
    assert int(pins["pandas"].split(".")[0]) >= 3
    assert "lifelines" not in pins


def test_every_library_that_is_imported_is_declared():
    imported = {
        module.split(".")[0] for source in FILES.values() for module, _ in imports(source)
    } - sys.stdlib_module_names
    assert {normalised(name) for name in imported} - DECLARED - {"ipseval"} == set()


@pytest.mark.parametrize("requirement", sorted(normalised(name) for name in PROJECT["dependencies"]))
def test_what_is_required_has_a_licence_that_lets_ours_be_chosen_freely(requirement):
    try:
        about = metadata(requirement)
    except PackageNotFoundError:
        pytest.skip(f"{requirement} is not installed here")
    stated = [
        about["License-Expression"] or "",
        *about.get_all("Classifier", []),
        (about["License"] or "")[:200],
    ]
    licences = [text for text in stated if "GPL" in text or any(name in text for name in PERMISSIVE)]
    assert licences
    assert not [text for text in licences if "GPL" in text]


def test_the_licence_is_stated_alike_everywhere():
    assert PROJECT["license"] == "BSD-3-Clause"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License")
    assert re.search(r"^license: BSD-3-Clause$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert "BSD-3-Clause" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_version_is_stated_alike_everywhere():
    assert re.search(
        rf"^version: {re.escape(__version__)}$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M
    )


@pytest.mark.parametrize("command", ["-m ipseval reproduce", "-m pytest -n auto"])
def test_make_and_the_readme_run_the_same_commands(command):
    readme, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    assert re.search(rf"^python3 -m venv \.venv && .* {re.escape(command)}$", readme, re.M)
    assert re.search(rf"^\t\$\(BIN\)/python {re.escape(command)}$", makefile, re.M)
