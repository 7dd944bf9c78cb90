"""Kaplan-Meier with log-log limits for two arms on a grid of whole days: ours beside lifelines.

    python benchmarks/kaplan_meier.py                     # the table of results/kaplan_meier.md
    python benchmarks/kaplan_meier.py --rounds 5

Both engines get the same integer arrays, one pair per arm, made outside the timed part. They give the
same people at risk and events on every day, or no ratio is printed; the largest differences of
survival and limits stand beside it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
from lifelines import KaplanMeierFitter
from measure import Measured, circumstances, compare, publish, report

from ipseval.stats.times.kaplan_meier import SurvivalCurve, kaplan_meier

ENGINES = ("ipseval", "lifelines")
SIZES = (1_000, 100_000, 1_000_000)
HORIZON = 913
Arms = list[tuple[np.ndarray, np.ndarray]]


def made_up_arms(n_people: int) -> Arms:
    """Return days to a first job or to censoring, and whether it was a job, for two equal arms."""
    rng = np.random.default_rng(7)
    arms = []
    for mean_days in (900.0, 1800.0):
        n = n_people // 2
        job = np.ceil(rng.exponential(mean_days, n)).astype(np.int64)
        left = np.minimum(np.ceil(rng.exponential(3000.0, n)).astype(np.int64), HORIZON)
        arms.append((np.minimum(job, left), job <= left))
    return arms


def with_ipseval(arms: Arms) -> Callable[[], list[np.ndarray]]:
    """Return the call, which gives the people at risk and the events of every time."""

    def call() -> list[np.ndarray]:
        curves = [kaplan_meier(duration, event) for duration, event in arms]
        return [part.astype(np.int64) for curve in curves for part in (curve.n_risk, curve.n_event)]

    return call


def with_lifelines(arms: Arms) -> Callable[[], list[np.ndarray]]:
    """Return the call; lifelines adds a row at time 0, where nothing happens in these data."""

    def call() -> list[np.ndarray]:
        fits = [KaplanMeierFitter().fit(duration, event) for duration, event in arms]
        return [fit.event_table[name].to_numpy()[1:] for fit in fits for name in ("at_risk", "observed")]

    return call


def largest_differences(arms: Arms) -> tuple[float, float]:
    """Return the largest absolute difference in survival, and in limits where these exist."""
    pairs = [(kaplan_meier(*arm), KaplanMeierFitter().fit(*arm)) for arm in arms]
    survival = max(
        float(np.abs(ours.survival - theirs.survival_function_.to_numpy()[1:, 0]).max())
        for ours, theirs in pairs
    )
    return survival, max(_limits_apart(ours, theirs) for ours, theirs in pairs)


def _limits_apart(ours: SurvivalCurve, theirs: KaplanMeierFitter) -> float:
    limits = theirs.confidence_interval_.to_numpy()[1:]
    return float(np.nanmax(np.abs(np.column_stack([ours.conf_low, ours.conf_high]) - limits)))


def row(n_people: int, measured: dict[str, Measured]) -> str:
    """Return one line of the table: times with their range, the ratio, memory, agreement."""
    ours, theirs = measured["ipseval"], measured["lifelines"]
    times = [[1e3 * seconds for seconds in each.seconds] for each in (ours, theirs)]
    spreads = [f"{statistics.median(t):.2f} ({min(t):.2f} to {max(t):.2f})" for t in times]
    same = len(ours.answers | theirs.answers) == 1
    ratio = f"{statistics.median(times[1]) / statistics.median(times[0]):.0f}" if same else "-"
    memory = [f"{statistics.median(each.megabytes):.1f}" for each in (ours, theirs)]
    apart = [f"{difference:.0e}" for difference in largest_differences(made_up_arms(n_people))]
    cells = [f"{n_people:,}", *spreads, ratio, *memory, "yes" if same else "NO", *apart]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure one engine, or compare both at every size and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES)
    arguments.add_argument("--people", type=int, default=SIZES[-1])
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine:
        make = {"ipseval": with_ipseval, "lifelines": with_lifelines}[given.engine]
        make(made_up_arms(1_000))()  # loads what is loaded on first use
        report(make(made_up_arms(given.people)))
        return
    lines = [
        "# Kaplan-Meier with log-log limits, two arms, whole days: ipseval beside lifelines",
        "",
        "| people | ipseval, ms (range) | lifelines, ms (range) | times ours | ipseval, extra MB "
        "| lifelines, extra MB | same counts | survival apart | limits apart |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for n_people in SIZES:
        lines.append(row(n_people, compare(__file__, ENGINES, ["--people", str(n_people)], given.rounds)))
    lines += [
        "",
        f"Medians of `python benchmarks/kaplan_meier.py --rounds {given.rounds}`, engines in turn.",
        "",
    ]
    lines += [circumstances(["ipseval", "numpy", "lifelines", "pandas"])]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
