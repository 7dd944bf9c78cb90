"""2,000 stratified bootstrap replicates of RMST and risk difference at n = 151: ours beside lifelines.

    python benchmarks/bootstrap.py                     # the table of results/bootstrap.md
    python benchmarks/bootstrap.py --rounds 5

lifelines has no bootstrap, so that its users write a loop. Ours draws its people inside the timed part; the
loop is given the counts of our first replicates for nothing. It fits lifelines' Kaplan-Meier per arm, and
reads survival at the horizon and the area under the curve from its table, which is faster than lifelines'
own functions for these and equal to them. It does 50 replicates, and its time is scaled to 2,000.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
from lifelines import KaplanMeierFitter
from measure import Measured, circumstances, compare, publish, report

from ipseval.stats.bootstrap import count_weights
from ipseval.stats.times.bootstrap_times import bootstrap_time_differences

ENGINES = ("ipseval", "lifelines")
SIZES = (70, 81)
HORIZON, REPLICATES, LOOPED, SEED = 913, 2_000, 50, 7
Arm = tuple[np.ndarray, np.ndarray, np.ndarray]


def made_up_arms() -> list[Arm]:
    """Return days, whether they end in a job, and site of the active and of the reference arm."""
    rng = np.random.default_rng(SEED)
    arms = []
    for n, mean_days in zip(SIZES, (1300.0, 2600.0), strict=True):
        job = np.floor(rng.exponential(mean_days, n)).astype(np.int64)
        left = np.minimum(np.floor(rng.exponential(2500.0, n)).astype(np.int64), HORIZON)
        happened = (job <= left) & (job < HORIZON)
        arms.append((np.where(happened, job, left), happened, rng.integers(0, 4, n)))
    return arms


def with_ipseval(arms: list[Arm]) -> Callable[[], np.ndarray]:
    """Return the call: all replicates, differences of the restricted mean and of the incidence."""
    active, reference = ((days, happened.astype(np.int64)) for days, happened, _ in arms)
    strata = (arms[0][2], arms[1][2])

    def call() -> np.ndarray:
        found = bootstrap_time_differences(
            active, reference, HORIZON, replicates=REPLICATES, seed=SEED, strata=strata
        )
        return np.stack([found.restricted_mean, found.incidence], axis=1)

    return call


def with_lifelines(arms: list[Arm]) -> Callable[[], np.ndarray]:
    """Return the call: the first replicates, one after another, from the counts drawn for ours."""
    cells = np.concatenate([is_active + 2 * arm[2] for is_active, arm in zip((1, 0), arms, strict=True)])
    counts = next(count_weights(cells, REPLICATES, SEED))[:LOOPED]

    def one(drawn: np.ndarray, days: np.ndarray, happened: np.ndarray) -> np.ndarray:
        rows = np.repeat(np.arange(days.size), drawn)
        table = KaplanMeierFitter().fit(days[rows], happened[rows]).survival_function_
        time, survival = table.index.to_numpy(), table.to_numpy()[:, 0]
        before = time < HORIZON
        area = survival[before] @ np.diff(time[before], append=HORIZON)
        return np.array([area, 1 - survival[-1]])

    def call() -> np.ndarray:
        split = np.split(counts, [SIZES[0]], axis=1)
        pairs = [
            [one(drawn, days, happened) for drawn in part]
            for part, (days, happened, _) in zip(split, arms, strict=True)
        ]
        return np.array(pairs[0]) - np.array(pairs[1])

    return call


def whole(call: Callable[[], np.ndarray]) -> Callable[[], list[np.ndarray]]:
    """Return the call with its first replicates in millionths, so that answers can be told apart."""
    return lambda: [np.rint(1e6 * call()[:LOOPED]).astype(np.int64)]


def lines(measured: dict[str, Measured]) -> list[str]:
    """Return the table: seconds of 2,000 replicates, the ratio, and how far the answers lie apart."""
    ours, theirs = measured["ipseval"], measured["lifelines"]
    scaled = [seconds * REPLICATES / LOOPED for seconds in theirs.seconds]
    scaled_processor = [seconds * REPLICATES / LOOPED for seconds in theirs.processor_seconds]
    same = len(ours.answers | theirs.answers) == 1
    arms = made_up_arms()
    apart = np.abs(with_ipseval(arms)()[:LOOPED] - with_lifelines(arms)()).max(axis=0)
    found = ["| engine | seconds (range) | CPU seconds | times ours | CPU, times ours |", "| --- " * 5 + "|"]
    for engine, seconds, processor in (
        ("ipseval", ours.seconds, ours.processor_seconds),
        ("a loop over lifelines", scaled, scaled_processor),
    ):
        middle, working = statistics.median(seconds), statistics.median(processor)
        ratios = [
            middle / statistics.median(ours.seconds),
            working / statistics.median(ours.processor_seconds),
        ]
        cells = [engine, f"{middle:.3f} ({min(seconds):.3f} to {max(seconds):.3f})", f"{working:.3f}"]
        cells += [f"{ratio:,.0f}" if same else "-" for ratio in ratios]
        found.append("| " + " | ".join(cells) + " |")
    return [
        *found,
        "",
        f"Same answers: {'yes' if same else 'NO'}. Over the {LOOPED} replicates done by both, differences in "
        f"RMST lie at most {apart[0]:.0e} days apart, and risk differences {apart[1]:.0e}.",
    ]


def main() -> None:
    """Measure one engine, or compare both and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine:
        call = {"ipseval": with_ipseval, "lifelines": with_lifelines}[given.engine](made_up_arms())
        call()  # loads what is loaded on first use
        report(whole(call))
        return
    n = sum(SIZES)
    text = [
        f"# {REPLICATES:,} stratified bootstrap replicates of RMST and risk difference at n = {n}",
        "",
        *lines(compare(__file__, ENGINES, [], given.rounds)),
        "",
        f"Medians of `python benchmarks/bootstrap.py --rounds {given.rounds}`, engines in turn. The loop did "
        f"{LOOPED} replicates; its seconds are scaled to {REPLICATES:,}.",
        "",
        circumstances(["ipseval", "numpy", "lifelines", "pandas"]),
    ]
    publish(__file__, text)


if __name__ == "__main__":
    main()
