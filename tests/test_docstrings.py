"""Every example in a docstring runs as written."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_architecture import FILES

ROOT = Path(__file__).parents[1]
MODULES = [
    f"ipseval.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
    for file, source in FILES.items()
    if ">>>" in source
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    module = import_module(name)
    # Examples that write, write into the folder where they run; those that read, read the bundled trials.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert tried
    assert not failed
