"""Time, extra memory and answer of several engines side by side, each run in a process of its own.

A benchmark script names its engines and, called with ``--engine NAME``, makes its inputs, calls
``report`` with what is to be measured, and stops. Called without, it hands its engines to ``compare``,
which starts those processes in turn (A B C A B C ...), so that a busy moment hurts every engine alike.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """The runs of one engine: seconds, processor seconds, extra megabytes, and the answers given."""

    seconds: list[float]
    processor_seconds: list[float]
    megabytes: list[float]
    answers: set[str]


def report(call: Callable[[], Sequence[NDArray[np.int64]]]) -> None:
    """Run ``call`` once; print its time, peak memory above the start and the digest of its answer."""
    answer, run = _run(call)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part, dtype="<i8").tobytes() for part in answer))
    print(json.dumps(run | {"answer": digest.hexdigest()}))


def report_numbers(call: Callable[[], Sequence[float]]) -> None:
    """Run ``call`` once; print its time, peak memory above the start and the numbers it gives."""
    answer, run = _run(call)
    print(json.dumps(run | {"answer": json.dumps([float(number) for number in answer])}))


def apart(one: Measured, other: Measured) -> float:
    """Return the largest relative difference between the numbers of two engines, as far as both have them."""
    pairs = [
        np.array([a, b])
        for mine in one.answers
        for theirs in other.answers
        for a, b in zip(json.loads(mine), json.loads(theirs), strict=False)
    ]
    first, second = np.array(pairs, dtype=np.float64).T
    return float(np.max(np.abs(first - second) / np.abs(second)))


def _run(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    gc.collect()
    before = _restart_peak_memory()
    began, began_working = time.perf_counter(), time.process_time()
    answer = call()
    seconds, processor_seconds = time.perf_counter() - began, time.process_time() - began_working
    megabytes = (_memory("VmHWM") - before) / 1024
    return answer, {"seconds": seconds, "processor_seconds": processor_seconds, "megabytes": megabytes}


def compare(
    script: str, engines: Sequence[str], arguments: Sequence[str], rounds: int
) -> dict[str, Measured]:
    """Run each engine ``rounds`` times, in turn, and return what was measured."""
    runs: dict[str, list[dict[str, str]]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            command = [sys.executable, script, "--engine", engine, *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[engine].append(json.loads(done.stdout.splitlines()[-1]))
    numbers = ("seconds", "processor_seconds", "megabytes")
    return {
        engine: Measured(
            *([float(run[name]) for run in each] for name in numbers), {run["answer"] for run in each}
        )
        for engine, each in runs.items()
    }


def table(measured: Mapping[str, Measured], ours: str) -> list[str]:
    """Return lines of Markdown: one engine per row, beside ours; no ratio where the answers differ."""
    mine = measured[ours]
    same = {engine: len(each.answers | mine.answers) == 1 for engine, each in measured.items()}
    said = {engine: "yes" if agrees else "NO" for engine, agrees in same.items()}
    return _table(measured, ours, same, "same answer", said)


def table_of_numbers(measured: Mapping[str, Measured], ours: str, *, within: float = 1e-6) -> list[str]:
    """Return lines of Markdown, the largest relative difference beside each ratio; none beyond ``within``."""
    far = {engine: apart(each, measured[ours]) for engine, each in measured.items()}
    same = {engine: difference <= within for engine, difference in far.items()}
    said = {engine: f"{difference:.0e}" if engine != ours else "" for engine, difference in far.items()}
    return _table(measured, ours, same, "apart", said)


def _table(
    measured: Mapping[str, Measured],
    ours: str,
    same: Mapping[str, bool],
    agreement: str,
    said: Mapping[str, str],
) -> list[str]:
    mine = measured[ours]
    lines = [
        f"| engine | median seconds (range) | / ours | CPU seconds | / ours | MB | / ours | {agreement} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for engine, each in measured.items():
        cells = [engine]
        for name in ("seconds", "processor_seconds", "megabytes"):
            values = getattr(each, name)
            middle, digits = statistics.median(values), 0 if name == "megabytes" else 3
            spread = f" ({min(values):.3f} to {max(values):.3f})" if name == "seconds" else ""
            ratio = statistics.median(np.divide(values, getattr(mine, name)))  # within rounds
            cells += [f"{middle:.{digits}f}{spread}", f"{ratio:.1f}" if same[engine] else "-"]
        lines.append("| " + " | ".join([*cells, said[engine]]) + " |")
    return lines


def circumstances(packages: Sequence[str]) -> str:
    """Return one line: Python, package versions, cores, and how busy the machine was at the end."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, {platform.machine()}{load}."
    )


def publish(script: str, lines: Sequence[str]) -> None:
    """Print what a script measured, and keep it in ``results/`` beside the script under its name."""
    text = "\n".join(lines)
    print(text)
    results = Path(script).parent / "results"
    results.mkdir(exist_ok=True)
    (results / f"{Path(script).stem}.md").write_text(text + "\n", encoding="utf-8")


def _restart_peak_memory() -> int:
    """Set the peak of this process's memory back to what it holds now, and return that, in kB.

    What the C library has kept of memory that was freed is handed back first, or it would be used
    again unseen; engines with an allocator of their own may still have some, to their advantage.
    """
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> int:
    """Return a memory field of this process in kB; only Linux tells."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field + ":"))
