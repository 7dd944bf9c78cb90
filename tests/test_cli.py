"""The command line: exit codes, what is printed where, and no traceback for whatever is asked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipseval import cli, deliver, words
from ipseval.cli import main
from ipseval.examples import example_folder
from tests.loading.trials import JOBS, PARTICIPANTS, replaced, trial_folder, with_cell
from tests.test_deliver import PLAN, write_plan

SCION = example_folder("scion")
Capture = pytest.CaptureFixture[str]


def ipseval(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "ipseval", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_and_version_load_no_heavy_library() -> None:
    for option in ("--help", "--version"):
        code = f"import sys; from ipseval.cli import main\ntry: main([{option!r}])\nexcept SystemExit: pass\n"
        code += "print({'numpy', 'pandas', 'scipy', 'matplotlib', 'lifelines'} & set(sys.modules))"
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert printed.stdout.splitlines()[-1] == "set()"


def test_the_languages_offered_are_those_of_the_catalogue() -> None:
    for language in words.LANGUAGES:
        assert cli._parser().parse_args(["reproduce", "--lang", language]).lang == language
    assert f"--lang {{{','.join(words.LANGUAGES)}}}" in ipseval("run", "--help").stdout


@pytest.mark.parametrize(
    "arguments", [[], ["jump"], ["run", "plan.toml"], ["report", "x", "--lang", "xx"], ["check"]]
)
def test_a_command_that_cannot_be_read_exits_with_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: ipseval" in capsys.readouterr().err


def test_check_prints_every_problem_and_exits_with_1(tmp_path: Path, capsys: Capture) -> None:
    trial_folder(
        tmp_path,
        participants=replaced(with_cell(PARTICIPANTS, 2, "age", "old"), "003,IPS", "003,IPS "),
        jobs=with_cell(JOBS, 1, "hours_per_week", "200") + "999,2010-06-01,,competitive,20\n",
    )
    assert main(["check", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    for rule in ("not_a_number", "code_spelling", "out_of_range", "unknown_person"):
        assert f"[{rule}]" in printed


def test_check_prints_notices_and_the_trial_and_exits_with_0(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(trial_folder(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "[looks_missing]" in printed
    assert "A small trial: 4 people randomised" in printed


def test_an_id_that_the_terminal_cannot_write_is_no_traceback(tmp_path: Path) -> None:
    odd = PARTICIPANTS.replace("001", "é\x1b[2J").replace("completed,41", "completed,old")
    trial_folder(tmp_path, participants=with_cell(odd, 1, "age", "old"), jobs="", visits="")
    shown = ipseval("check", tmp_path, PYTHONIOENCODING="ascii")
    assert shown.returncode == 1
    assert shown.stderr == ""
    assert "\x1b" not in shown.stdout
    assert "x1b[2J" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nowhere"],
        ["check", "x" * 5000],
        ["plan", "nowhere.toml", str(SCION)],
        ["run", "nowhere.toml", str(SCION), "--out", "out"],
        ["run", str(SCION / "plan.toml"), "nowhere", "--out", "out"],
        ["run", str(SCION / "plan.toml"), str(SCION), "--out", "a_file"],
        ["run", str(SCION / "plan.toml"), str(SCION), "--out", "a_file/below"],
        ["reproduce", "nothing"],
        ["reproduce", "--out", "a_file"],
        ["report", "nowhere"],
        ["compare", "nowhere", "nowhere"],
        ["simulate", "nowhere.toml", "--out", "out"],
        ["simulate", str(SCION / "design.toml"), "--out", "a_file"],
        ["simulate", str(SCION / "design.toml"), "--out", "a_file/below"],
    ],
)
def test_what_cannot_be_done_exits_with_1_and_a_reason(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a_file").write_text("mine")
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("ipseval: ") or "[no_such_folder]" in printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]
    assert Path("a_file").read_text() == "mine"


def test_plan_says_the_plan_in_prose(tmp_path: Path, capsys: Capture) -> None:
    assert main(["plan", str(write_plan(tmp_path)), str(SCION)]) == 0
    assert "2. found_work (rates)" in capsys.readouterr().out


def test_run_report_and_compare(tmp_path: Path, capsys: Capture) -> None:
    plan = write_plan(tmp_path)
    out = tmp_path / "mit Lücke"
    assert main(["run", str(plan), str(SCION), "--out", str(out)]) == 0
    assert "0 not computed" in capsys.readouterr().out

    first = (out / "public" / "report.html").read_bytes()
    assert main(["report", str(out / "public")]) == 0
    assert (out / "public" / "report.html").read_bytes() == first
    assert main(["report", str(out / "public"), "--lang", "nl", "--out", str(tmp_path / "nl.html")]) == 0
    assert '<html lang="nl"' in (tmp_path / "nl.html").read_text(encoding="utf-8")
    assert main(["report", str(out / "internal"), "--out", str(tmp_path / "no.html")]) == 1
    assert not (tmp_path / "no.html").exists()

    capsys.readouterr()
    assert main(["compare", str(out / "internal"), str(out / "internal")]) == 0
    assert capsys.readouterr().out == "Nothing moved.\n"
    assert main(["compare", str(out / "internal"), str(out / "public")]) == 0
    assert "found_work" in capsys.readouterr().out


def test_run_exits_with_1_when_something_was_not_computed(tmp_path: Path, capsys: Capture) -> None:
    plan = PLAN + '\n[analysis.months]\nestimator = "amounts"\nendpoint = "benefits"\n'
    plan += 'missing = "weighted"\n[endpoint.benefits]\nis = "benefit_amount"\nby = 30\n'
    assert main(["run", str(write_plan(tmp_path, plan)), str(SCION), "--out", str(tmp_path / "out")]) == 1
    assert "Not computed: months" in capsys.readouterr().out
    assert (tmp_path / "out" / "public" / "report.html").is_file()


def test_simulate_writes_the_committed_trial(tmp_path: Path) -> None:
    assert main(["simulate", str(SCION / "design.toml"), "--out", str(tmp_path / "made")]) == 0
    made = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    assert set(made) == {
        "README.md", "design.toml", "jobs.csv", "participants.csv", "trial.toml", "visits.csv"
    }  # fmt: skip
    assert made == {name: (SCION / name).read_bytes() for name in made}


def test_a_fault_of_the_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "results.csv")

    monkeypatch.setattr(deliver, "run_plan", full)
    assert main(["run", "plan.toml", ".", "--out", "out"]) == 1
    assert "results.csv: No space left on device" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize(
    ("how", "code", "sentence"), [(signal.SIGINT, 130, "ipseval: stopped"), (signal.SIGTERM, 143, "")]
)
def test_stopped_or_ended_a_run_leaves_nothing(
    tmp_path: Path, how: signal.Signals, code: int, sentence: str
) -> None:
    command = [sys.executable, "-m", "ipseval", "run", str(write_plan(tmp_path)), str(SCION), "--out"]
    # Whoever runs the tests in the background of a shell ignores Ctrl-C, and would hand that on.
    running = subprocess.Popen(
        [*command, str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    while running.poll() is None and not any(path.name.startswith(".out-") for path in tmp_path.iterdir()):
        time.sleep(0.01)
    running.send_signal(how)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert said.startswith(sentence)
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


def test_a_ratio_over_nobody_is_an_answer_and_not_a_failed_run(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "scion"
    shutil.copytree(SCION, folder)
    header, *jobs = (SCION / "jobs.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    usual = {
        line.partition(",")[0]
        for line in (SCION / "participants.csv").read_text(encoding="utf-8").splitlines()
        if ",usual," in line
    }
    kept = [line for line in jobs if line.partition(",")[0] not in usual]
    assert 0 < len(kept) < len(jobs)
    (folder / "jobs.csv").write_text("".join([header, *kept]), encoding="utf-8")
    without_curves, *_ = PLAN.partition("[analysis.time_to_work]")
    plan = write_plan(tmp_path, without_curves)
    assert main(["run", str(plan), str(folder), "--out", str(tmp_path / "out")]) == 0
    assert re.search(r"Without a value in these data: [1-9]\d* ", capsys.readouterr().out)
