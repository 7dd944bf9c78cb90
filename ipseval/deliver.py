"""One run on disk: ``internal/`` as computed, ``public/`` from which no person can be recognised.

Files are written into a folder beside the target and moved there when all of them stand, so that a
run that fails leaves what was there before. Nothing public is moved before it was searched for the
pseudonyms of the trial.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ipseval.disclosure import names_in, protect
from ipseval.errors import AnalysisError, Problem
from ipseval.evidence.published import published_names, published_results
from ipseval.examples import example_folder
from ipseval.loading import load
from ipseval.plan import Plan, read_plan
from ipseval.render.figures import plot
from ipseval.render.report import report
from ipseval.render.reproduction import published_beside_reproduced
from ipseval.results import PublicResults, Results
from ipseval.run import execute
from ipseval.trial import Trial

FIGURE_FORMATS = ("pdf", "svg", "png")
_TEXT_FILES = (".csv", ".json", ".html", ".svg", ".txt", ".toml", ".md")


@dataclass(frozen=True)
class Delivery:
    """What a run left behind, and how it went."""

    folder: Path
    results: Results
    public: PublicResults
    notices: tuple[Problem, ...]

    @property
    def n_failed(self) -> int:
        """Estimates that could not be computed although the plan asked for them."""
        return len(self.results.failures)

    def __str__(self) -> str:
        shown = self.public.provenance["disclosure"]
        lines = [
            f"{len(self.results)} estimates, {self.n_failed} not computed; "
            f"{shown['suppressed']} suppressed for small cells (fewer than {shown['minimum']} people).",
            f"For others:  {self.folder / 'public'} (report.html, figures, results)",
            f"For you:     {self.folder / 'internal'} (as computed; keep it inside)",
        ]
        for _, row in self.results.failures.iterrows():
            lines.append(f"Not computed: {row['analysis']}, {row['quantity']}: {row['note']}")
        return "\n".join(lines)


def run_plan(
    plan: str | Path, folder: str | Path, out: str | Path, *, lang: str = "en", progress: bool = False
) -> Delivery:
    """Carry out a plan on a trial and write results, figures and report.

    Parameters
    ----------
    plan : path
        A TOML plan.
    folder : path
        A folder with ``trial.toml``.
    out : path
        The folder to write; it appears whole or not at all. An earlier run there is replaced, a
        folder that holds anything else is refused.
    lang : {"en", "nl", "fr", "de"}
        Language of figures and report.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    IpsevalError
        For a plan or data that need mending, or a target that is not an earlier run.
    """
    read = read_plan(plan)
    trial = load(folder)
    target = Path(out)
    _refuse_a_stranger(target)
    results = execute(read, trial, progress=progress)
    if trial.name in published_names():
        results = results + published_results(trial.name)
    public = protect(results, read.policy)
    target.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _internal(results, trial, making / "internal")
        _public(public, read, making / "public", lang)
        _search(making / "public", trial)
        _replace(target, making)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Delivery(target, results, public, trial.notices)


def reproduce(
    name: str = "scion", out: str | Path = "results", *, lang: str = "en", progress: bool = False
) -> str:
    """Run the bundled plan of a bundled simulated trial; return published beside reproduced, as text."""
    folder = example_folder(name)
    delivery = run_plan(folder / "plan.toml", folder, Path(out) / name, lang=lang, progress=progress)
    return f"{published_beside_reproduced(delivery.public, lang=lang)}\n\n{delivery}"


def _refuse_a_stranger(target: Path) -> None:
    """Refuse a target that exists and is not an earlier run, so that nothing else is overwritten."""
    if target.is_file() or (
        target.is_dir() and any(target.iterdir()) and not (target / "internal" / "run.json").is_file()
    ):
        raise AnalysisError(
            f"{target} holds something other than an earlier run. Choose another folder with --out."
        )


def _internal(results: Results, trial: Trial, folder: Path) -> None:
    """Write what stays inside: exact results, the sidecar, what loading noticed, the clock time."""
    results.write(folder)
    said = {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trial": trial.name,
        "notices": [str(notice) for notice in trial.notices],
    }
    (folder / "run.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _public(public: PublicResults, plan: Plan, folder: Path, lang: str) -> None:
    """Write what may be shown: protected results, the plan's figures, and the report."""
    public.write(folder, formats=("csv", "long"))
    figures = folder / "figures"
    figures.mkdir()
    for display in plan.displays:
        drawn = plot(public, figure=display.figure, analysis=display.analysis, lang=lang)
        drawn.save(*(figures / f"{display.name}.{kind}" for kind in FIGURE_FORMATS))
    report(public, folder / "report.html", lang=lang)


def _search(folder: Path, trial: Trial) -> None:
    """Refuse to hand out a file in which a pseudonym stands; this would be a fault of ours."""
    pseudonyms = trial.participants["participant_id"].astype(str).tolist()
    for file in sorted(folder.rglob("*")):
        if file.suffix in _TEXT_FILES and names_in(file.read_text(encoding="utf-8"), pseudonyms):
            raise AnalysisError(
                f"{file.name} would name people of the trial, so nothing was written. Please report this."
            )


def _replace(target: Path, making: Path) -> None:
    """Move the finished folder to its place; an earlier run stands aside until the new one is there."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    try:
        if target.exists():
            target.rename(aside / "run")
        try:
            making.rename(target)
        except OSError:
            if (aside / "run").exists():
                (aside / "run").rename(target)
            raise
        target.chmod(0o755)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
