"""Importing the package costs next to nothing, and asking for help costs no more than that."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pandas", "scipy", "matplotlib", "lifelines", "statsmodels"}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    program = f"import sys\n{statement}\nprint('LOADED', *sorted(name.split('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_import_loads_no_heavy_library():
    loaded = loaded_by("import ipseval")
    assert "ipseval" in loaded
    assert not loaded & HEAVY


def test_a_public_name_loads_what_it_needs_when_it_is_used():
    assert "pandas" in loaded_by("import ipseval; ipseval.load")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["reproduce", "--help"]])
def test_help_loads_not_even_numpy(arguments):
    loaded = loaded_by(
        f"from ipseval.cli import main\ntry:\n    main({arguments!r})\nexcept SystemExit as stop:\n"
        "    assert stop.code == 0"
    )
    assert "argparse" in loaded
    assert not loaded & (HEAVY | {"numpy"})
