"""The public names: the lazy table, the stub that type checkers read, and the things themselves."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import ipseval as ips

STUB = Path(ips.__file__).with_name("__init__.pyi")


def names_in_stub() -> dict[str, str]:
    """Return public name -> module from the stub's ``from module import name as name``."""
    found = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                assert name.asname == name.name, f"{name.name} is not re-exported: write 'as {name.name}'"
                found[name.name] = str(node.module)
    return found


def test_stub_says_what_the_lazy_table_says():
    assert names_in_stub() == {**ips._HOME, "__version__": "ipseval._version", "endpoints": "ipseval"}


def test_dir_lists_every_public_name():
    assert set(dir(ips)) == set(ips.__all__) == {*ips._HOME, "__version__", "endpoints"}


@pytest.mark.parametrize("name", sorted(ips._HOME))
def test_every_public_name_is_there_and_documented(name):
    found = getattr(ips, name)
    assert found is getattr(import_module(ips._HOME[name]), name)
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", sorted(ips._HOME))
def test_no_public_name_shares_its_name_with_a_room(name):
    # An imported submodule would take the place of the function.
    package = Path(ips.__file__).parent
    assert not (package / name).exists()
    assert not (package / f"{name}.py").exists()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rate'"):
        ips.rate  # noqa: B018
