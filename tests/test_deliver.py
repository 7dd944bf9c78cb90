"""One run on disk: whole or not at all, and nobody is named in what is handed out."""

from __future__ import annotations

import re
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ipseval import deliver
from ipseval.deliver import Delivery, run_plan
from ipseval.errors import AnalysisError, PlanError
from ipseval.examples import example_folder

PLAN = """
title = "Found work"

[endpoint.found_work]
is = "ever_employed"
by = 30

[endpoint.first_job]
is = "time_to_first_job"
horizon = 30

[analysis.people]
estimator = "describe"

[analysis.found_work]
estimator = "rates"
endpoint = "found_work"

[analysis.time_to_work]
estimator = "survival"
endpoint = "first_job"

[display.found_work]
figure = "rates"
analysis = "found_work"
"""
NO_FIGURE = PLAN.partition("[display.")[0]  # for what would happen with figures alike, and sooner
ALSO_A_CURVE = PLAN + '\n[display.curve]\nfigure = "incidence"\nanalysis = "time_to_work"\n'
SCION = example_folder("scion")


def write_plan(folder: Path, text: str = PLAN) -> Path:
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


def scion_with(folder: Path, edit: Callable[[str], str]) -> Path:
    """Return a copy of the trial, each of its tables edited as text."""
    target = folder / "trial"
    shutil.copytree(SCION, target)
    for table in target.glob("*.csv"):
        table.write_text(edit(table.read_text(encoding="utf-8")), encoding="utf-8")
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    folder = tmp_path_factory.mktemp("a run für uns")
    return run_plan(write_plan(folder), SCION, folder / "my résults" / "scion")


def copied(delivered: Delivery, folder: Path) -> Path:
    target = folder / "scion"
    shutil.copytree(delivered.folder, target)
    return target


def test_a_run_leaves_internal_and_public_and_nothing_else(delivered: Delivery) -> None:
    assert delivered.n_failed == 0
    assert sorted(path.name for path in delivered.folder.iterdir()) == ["internal", "public"]
    figures = {path.name for path in (delivered.folder / "public" / "figures").iterdir()}
    assert figures == {"found_work.pdf", "found_work.svg", "found_work.png"}
    assert hidden(delivered.folder.parent) == []


def test_a_second_run_replaces_the_first_with_the_same_public_bytes(
    delivered: Delivery, tmp_path: Path
) -> None:
    target = copied(delivered, tmp_path)
    before = contents(target / "public")
    (target / "public" / "left_from_before.txt").write_text("old")
    run_plan(write_plan(tmp_path), SCION, target)
    assert contents(target / "public") == before
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt(), AnalysisError("no.")])
@pytest.mark.parametrize("step", ["report", "_search", "_internal"])
def test_a_run_that_stops_half_way_leaves_the_earlier_one(
    delivered: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stop: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise stop

    target = copied(delivered, tmp_path)
    before = contents(target)
    monkeypatch.setattr(deliver, "execute", lambda *_, **__: delivered.results)
    monkeypatch.setattr(deliver, "published_names", tuple)
    monkeypatch.setattr(deliver, step, fail)
    for folder in (target, tmp_path / "new"):
        with pytest.raises(type(stop)):
            run_plan(write_plan(tmp_path, NO_FIGURE), SCION, folder)
    assert contents(target) == before
    assert not (tmp_path / "new").exists()
    assert hidden(tmp_path) == []


def test_stopped_between_the_two_moves_the_earlier_run_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, making = tmp_path / "run", tmp_path / ".staging" / "new"
    for folder in (target, making):
        folder.mkdir(parents=True)
        (folder / "whose").write_text(folder.name)
    move = Path.rename

    def stopped(self: Path, to: Path) -> Path:
        if self == making:
            raise KeyboardInterrupt
        return move(self, to)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        deliver._replace(target, making)
    assert (target / "whose").read_text() == "run"


def test_a_folder_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("years of work")
    for target in (mine, mine / "chapter.txt"):
        with pytest.raises(AnalysisError, match="holds something other than an earlier run"):
            run_plan(write_plan(tmp_path), SCION, target)
    assert contents(mine) == {"chapter.txt": b"years of work"}


def test_a_target_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "execute", lambda *_, **__: pytest.fail("computed for nothing"))
    plan = write_plan(tmp_path)
    with pytest.raises(AnalysisError, match="Nothing can be written beside"):
        run_plan(plan, SCION, plan / "out")
    if sys.platform == "linux":
        with pytest.raises(AnalysisError, match=r"Nothing can be written .* Choose another folder"):
            run_plan(plan, SCION, "/proc/ipseval")  # not even root may write there


def test_a_figure_with_nothing_to_draw_does_not_take_the_run_with_it(tmp_path: Path) -> None:
    def first_of_each_arm(table: str) -> str:
        header, *rows = table.splitlines(keepends=True)
        return "".join([header, *(row for row in rows if row.startswith(("S001,", "S003,")))])

    trial = scion_with(tmp_path, first_of_each_arm)
    found = run_plan(write_plan(tmp_path, ALSO_A_CURVE), trial, tmp_path / "out")
    assert "curve" in found.not_drawn
    assert found.n_failed >= len(found.not_drawn)
    assert "Not drawn: curve: Analysis 'time_to_work' has no curve to draw" in str(found)
    assert (tmp_path / "out" / "public" / "report.html").is_file()


def test_ids_that_are_numbers_are_not_mistaken_for_the_numbers_of_a_figure(tmp_path: Path) -> None:
    trial = scion_with(tmp_path, lambda table: re.sub(r"(?m)^S0*(\d+),", r"\1,", table))
    assert run_plan(write_plan(tmp_path), trial, tmp_path / "out").n_failed == 0


@pytest.mark.parametrize("pseudonym", ["S001", "900001", "Gent 7", "a<b&c"])
def test_a_public_file_that_names_somebody_is_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivered: Delivery, pseudonym: str
) -> None:
    from html import escape

    def tells(_: object, file: Path, **__: object) -> None:
        file.write_text(f"<p>The longest job was that of {escape(pseudonym)}</p>")

    trial = scion_with(tmp_path, lambda table: re.sub(r"(?m)^S001,", f"{pseudonym},", table))
    monkeypatch.setattr(deliver, "execute", lambda *_, **__: delivered.results)
    monkeypatch.setattr(deliver, "published_names", tuple)
    monkeypatch.setattr(deliver, "report", tells)
    with pytest.raises(AnalysisError, match=r"report\.html would name people") as refusal:
        run_plan(write_plan(tmp_path, NO_FIGURE), trial, tmp_path / "out")
    assert pseudonym not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_no_public_file_names_anybody_or_this_machine(delivered: Delivery) -> None:
    rows = (SCION / "participants.csv").read_text(encoding="utf-8").splitlines()[1:]
    pseudonyms = {row.split(",")[0].encode() for row in rows}
    assert len(pseudonyms) == 151
    for name, content in contents(delivered.folder / "public").items():
        for readable in (content, *_inflated(content)):
            assert not pseudonyms & set(re.findall(rb"S\d{3}\b", readable)), name
            assert str(delivered.folder.parent).encode() not in readable, name


def _inflated(content: bytes) -> list[bytes]:
    """Return the compressed streams of a PDF: its text and metadata. (The text of a PNG lies open.)"""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    assert streams or not content.startswith(b"%PDF")
    found = []
    for stream in streams:
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:  # a stream that is not compressed was searched as it stands
            continue
    return found


def test_faults_of_the_plan_come_before_the_data(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="ever_employed"):
        run_plan(write_plan(tmp_path, PLAN.replace("ever_employed", "ever_emploied")), tmp_path, tmp_path)
