"""The how-to page says what the code does: its trial.toml is a mapping, its rules exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ipseval.loading import load
from ipseval.loading.formats import _READERS
from ipseval.loading.mapping import read_mapping
from ipseval.loading.rules import ROW_RULES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "load-your-data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_its_trial_toml_has_no_mistake(tmp_path):
    (tmp_path / "trial.toml").write_text(BLOCKS[0], encoding="utf-8")
    mapping, problems = read_mapping(tmp_path / "trial.toml", ROW_RULES)
    assert problems == []
    assert mapping.design is not None
    assert [source.name for source in mapping.sources] == ["participants", "jobs"]


def test_its_whole_folder_loads_as_the_page_says(tmp_path):
    files = re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["participants.csv", "jobs.csv", "trial.toml"]
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert str(load(tmp_path)) in PAGE


def test_the_rules_it_quarantines_exist():
    assert set(tomllib.loads(BLOCKS[-1])["rules"]["quarantine"]) <= ROW_RULES


def test_it_names_every_format():
    assert all(f"`{suffix}`" in PAGE for suffix in _READERS)
