"""One run on disk: ``internal/`` as computed, ``public/`` from which no person can be recognised.

Files are written into a folder beside the target and moved there when all of them stand, so that a
run that fails, or is stopped by hand, leaves what was there before. Nothing public is moved before it
was searched for the pseudonyms of the trial.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from html import unescape
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from warnings import catch_warnings, simplefilter

from ipseval.disclosure import names_in, protect
from ipseval.errors import AnalysisError, Problem
from ipseval.evidence.published import published_names, published_results
from ipseval.examples import example_folder
from ipseval.loading import load
from ipseval.plan import Plan, read_plan
from ipseval.render.figures import plot
from ipseval.render.figures.drawing import FinalDrawing
from ipseval.render.report import report
from ipseval.render.reproduction import published_beside_reproduced
from ipseval.results import PublicResults, Results
from ipseval.run import execute, followed
from ipseval.trial import Trial

_TEXT_FILES = (".csv", ".json", ".html", ".svg", ".txt", ".toml", ".md")


@dataclass(frozen=True)
class Delivery:
    """What a run left behind, and how it went."""

    folder: Path
    results: Results
    public: PublicResults
    notices: tuple[Problem, ...]
    not_drawn: Mapping[str, str]

    @property
    def n_failed(self) -> int:
        """Estimates that could not be computed, and figures not drawn, although the plan asked for them."""
        return len(self.results.failures) + len(self.not_drawn)

    def __str__(self) -> str:
        shown = self.public.provenance["disclosure"]
        lines = [
            f"{len(self.results)} estimates, {len(self.results.failures)} not computed; "
            f"{shown['suppressed']} suppressed for small cells (fewer than {shown['minimum']} people).",
            f"For others:  {self.folder / 'public'} (report.html, figures, results)",
            f"For you:     {self.folder / 'internal'} (as computed; keep it inside)",
        ]
        failed = self.results.failures
        reasons = Counter(zip(failed["analysis"], failed["quantity"], failed["note"], strict=True))
        for (analysis, quantity, note), times in reasons.items():
            repeated = f" ({times} times)" if times > 1 else ""
            lines.append(f"Not computed: {analysis}, {quantity}{repeated}: {note}")
        if without := len(self.results.not_defined):
            lines.append(
                f"Without a value in these data: {without} (why: status not_defined in internal/results.csv)"
            )
        lines.extend(f"Not drawn: {name}: {reason}" for name, reason in self.not_drawn.items())
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
        Whether to say on standard error what is at work.

    Returns
    -------
    Delivery
        With the ``folder``, the ``results`` as computed and the ``public`` ones, the ``notices`` of loading,
        the figures ``not_drawn`` with their reasons, and ``n_failed``.

    Raises
    ------
    IpsevalError
        For a plan or data that need mending, or a target that is not an earlier run.
    """
    read = read_plan(plan)
    trial = load(folder)
    target = Path(out).resolve()
    _refuse_a_stranger(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent)
    except OSError as fault:
        raise AnalysisError(
            f"Nothing can be written beside {target} ({fault.strerror}). Choose another folder with --out."
        ) from None
    with staging as beside:
        results = execute(read, trial, progress=progress)
        if trial.name in published_names():
            results = results + published_results(trial.name)
        public = protect(results, read.policy)
        making = Path(beside) / "new"
        _internal(results, trial, making / "internal")
        not_drawn = _public(public, read, making / "public", lang, progress=progress)
        _search(making / "public", trial)
        _replace(target, making)
    return Delivery(Path(out), results, public, trial.notices, not_drawn)


def reproduce(
    name: str = "scion", out: str | Path = "results", *, lang: str = "en", progress: bool = False
) -> str:
    """Run the bundled plan of a bundled simulated trial; return published beside reproduced, as text.

    Parameters
    ----------
    name : {"scion", "eqolise"}
        The trial; "scion" has the size and shape of the Dutch trial of 44% v 25%.
    out : path
        The folder in which a folder of that name is written; an earlier run there is replaced.
    lang : {"en", "nl", "fr", "de"}
        Language of the text, the figures and the report.
    progress : bool
        Whether to say on standard error what is at work.

    Returns
    -------
    str
        Published beside reproduced, then what was written where.

    Raises
    ------
    AnalysisError
        For a trial that there is not, or a target that is not an earlier run.

    Examples
    --------
    >>> import tempfile
    >>> import ipseval as ips
    >>> said = ips.reproduce("scion", tempfile.mkdtemp())
    >>> "31 of 70 = 44.3%" in said
    True
    """
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


def _public(public: PublicResults, plan: Plan, folder: Path, lang: str, *, progress: bool) -> dict[str, str]:
    """Write what may be shown: protected results, the plan's figures, and the report.

    A figure for which nothing is left to draw does not take the rest with it: returned is the reason
    for each figure that could not be drawn.
    """
    public.write(folder, formats=("csv", "long"))
    figures = folder / "figures"
    figures.mkdir()
    drawings, not_drawn = {}, {}
    for display in followed(plan.displays, "figures", progress=progress):
        try:
            drawn = plot(public, figure=display.figure, analysis=display.analysis, lang=lang)
        except AnalysisError as refusal:
            not_drawn[display.name] = str(refusal)
            continue
        drawings[display.name] = FinalDrawing(drawn.figure, drawn.title, drawn.alt, drawn.lang)

    def save(*kinds: str, progress: bool = False) -> None:
        drawn = [display for display in plan.displays if display.name in drawings]
        for display in followed(drawn, "files", progress=progress):
            drawings[display.name].save(*(figures / f"{display.name}.{kind}" for kind in kinds))

    with _beside(partial(save, "png")):  # pixels take as long as all the rest
        save("pdf", "svg", progress=progress)
        report(public, folder / "report.html", lang=lang, drawings=drawings)
    return not_drawn


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Do the work in a process of its own while the block runs; where that cannot be, or failed, after it."""
    # A fork needs nothing to be imported or copied again. It is not safe on macOS, and Windows has none.
    process = get_context("fork").Process(target=work) if sys.platform == "linux" else None
    if process:
        with (
            catch_warnings()
        ):  # from 3.12: that threads are not forked. The work starts none and waits for none
            simplefilter("ignore", DeprecationWarning)
            process.start()
    try:
        yield
    except BaseException:
        if process:
            process.kill()
        raise
    finally:
        if process:
            process.join()
    if process is None or process.exitcode:
        work()


def _search(folder: Path, trial: Trial) -> None:
    """Refuse to hand out a file in which a pseudonym stands; this would be a fault of ours.

    A pseudonym of a few digits cannot be told from a number of people or a coordinate of a figure, and
    is not searched for.
    """
    pseudonyms = {str(name) for name in trial.participants["participant_id"]}
    searched = {name for name in pseudonyms if not re.fullmatch(r"\d{1,5}", name)}
    several_words = {name for name in searched if not re.fullmatch(r"[\w.-]+", name)}
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _TEXT_FILES:
            continue
        text = unescape(file.read_text(encoding="utf-8"))
        if names_in(text, searched) or any(name in text for name in several_words):
            raise AnalysisError(
                f"{file.name} would name people of the trial, so nothing was written. Please report this."
            )


def _replace(target: Path, making: Path) -> None:
    """Move the finished folder to its place; an earlier run stands aside until the new one is there."""
    earlier = making.with_name("earlier")
    try:
        if target.exists():
            target.rename(earlier)
        making.rename(target)
    except BaseException:  # Ctrl-C between the two moves must not cost the earlier run either
        if earlier.exists() and not target.exists():
            earlier.rename(target)
        raise
