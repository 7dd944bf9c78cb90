"""The Python of the README and of the documentation runs as printed, from top to bottom of each page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
#: Pages about the reader's own folder, which is not here.
NOT_RUN = {"docs/how-to/load-your-data.md"}
PAGES = {
    page: BLOCK.findall(path.read_text(encoding="utf-8"))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if (page := path.relative_to(ROOT).as_posix()) not in NOT_RUN and "_build" not in path.parts
}


@pytest.mark.parametrize("page", [page for page, blocks in PAGES.items() if blocks])
def test_python_on_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    names: dict[str, object] = {}
    for block in PAGES[page]:
        exec(compile(block, page, "exec"), names)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert all(path.stat().st_size for path in written)


def test_the_readme_goes_from_file_to_figure_in_ten_lines():
    (block,) = PAGES["README.md"]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    assert ".save(" in block
