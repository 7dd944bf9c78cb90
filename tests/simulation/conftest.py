"""The committed synthetic trials, and designs altered for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ipseval.simulation import SimulationDesign, read_design

SYNTHETIC = Path(__file__).parents[2] / "data" / "synthetic"

Altered = Callable[..., SimulationDesign]


@pytest.fixture
def altered(tmp_path: Path) -> Altered:
    """A function that reads the scion design after replacing pieces of its text."""

    def read(*replacements: tuple[str, str]) -> SimulationDesign:
        text = (SYNTHETIC / "scion" / "design.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, f"{old!r} is no longer in the design: mend this test"
            text = text.replace(old, new, 1)
        path = tmp_path / "design.toml"
        path.write_text(text, encoding="utf-8")
        return read_design(path)

    return read
