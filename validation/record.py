"""From intervals and p values of many trials to coverage and error rates, with their Monte Carlo errors."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from trials import RATES, SIZES, Scenario

RESULTS = Path(__file__).parent / "results"

#: What a default is held to at a nominal 95%; a cell beyond is printed bold and must be explained.
LOWEST_COVERAGE, HIGHEST_TYPE_I = 0.93, 0.06

#: What names a cell in which a default may miss its level.
CELL = ["quantity", "method", "measure", "n", "reference_rate", "active_rate"]


class Method(NamedTuple):
    """A row of the results as users see it, and whether it is the default of its quantity."""

    quantity: str
    method: str
    is_default: bool = True


class Shortfall(NamedTuple):
    """Where a default misses its level, why, and what to use there; nothing else may miss it.

    ``measure`` is "coverage" or "type_i", and a cell a size with the rates of both arms.
    """

    quantity: str
    method: str
    measure: str
    cells: tuple[tuple[int, tuple[float, float]], ...]
    why: str


def judged(
    method: Method,
    scenario: Scenario,
    truth: float,
    *,
    low: ArrayLike = np.nan,
    high: ArrayLike = np.nan,
    p_value: ArrayLike = np.nan,
) -> dict[str, Any]:
    """Return one row of the results file from an entry per replicate.

    An interval that does not exist (NaN) covers nothing and misses nothing: coverage is of the answers
    given, and ``answered`` says how many there were. A test without a p value rejects nothing, so that
    ``rejected`` is of all replicates.

    Parameters
    ----------
    method, scenario
    truth : float
        NaN where the method claims no number.
    low, high, p_value : arrays, shape (replicates,)
        Whichever the method has; a limit may be infinite.
    """
    low, high, p = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (low, high, p_value)))
    has_limits, has_p = ~(np.isnan(low) | np.isnan(high)), ~np.isnan(p)
    limits, tests = int(has_limits.sum()), bool(has_p.any())
    # Limits that end exactly on the truth, as 0 does for an interval of one point, hold it but for rounding.
    slack = 1e-12
    above, below = (
        int((has_limits & missed).sum()) for missed in (low > truth + slack, high < truth - slack)
    )
    # Of the counts, so that 93 in a hundred are not less than 93%.
    coverage, missed_above, missed_below = (
        count / limits if limits else np.nan for count in (limits - above - below, above, below)
    )
    rejected = float((p < 0.05).mean()) if tests else np.nan
    return {
        **method._asdict(),
        **scenario._asdict(),
        "truth": truth,
        "replicates": p.size,
        "answered": limits or int(has_p.sum()),
        "coverage": coverage,
        "coverage_std_error": np.sqrt(coverage * (1 - coverage) / limits) if limits else np.nan,
        "missed_above": missed_above,
        "missed_below": missed_below,
        "median_width": float(np.median((high - low)[has_limits])) if limits else np.nan,
        "rejected": rejected,
        "rejected_std_error": np.sqrt(rejected * (1 - rejected) / p.size),
    }


def arguments(description: str | None, replicates: int) -> argparse.Namespace:
    """Return the number of replicates, the seed and the folder for the results, from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--replicates", type=int, default=replicates)
    parser.add_argument("--seed", type=int, default=20140601)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--tables-only", action="store_true", help="from the .csv of an earlier run")
    return parser.parse_args()


def written(
    name: str,
    given: argparse.Namespace,
    simulate: Callable[[int, int], Iterable[dict[str, Any]]],
    shortfalls: tuple[Shortfall, ...],
) -> None:
    """Simulate, write results/<name>.csv and <name>.md, and refuse a miss that nobody explains."""
    csv, md = (given.out / f"{name}.{kind}" for kind in ("csv", "md"))
    if given.tables_only:
        table, how = pd.read_csv(csv), md.read_text(encoding="utf-8").splitlines()[-1]
    else:
        began = time.process_time()
        table = pd.DataFrame(list(simulate(given.replicates, given.seed)))
        how = _how(name, given, time.process_time() - began)
        given.out.mkdir(exist_ok=True)
        table.to_csv(csv, index=False, float_format="%.6g", lineterminator="\n")
    text = "\n\n".join([*tables(table, name), *_said(shortfalls, name), how])
    md.write_text(text + "\n", encoding="utf-8")
    cells = beyond(table)
    if not (spoken := explained(cells, shortfalls)).all():
        listed = cells.loc[~spoken, [*CELL, "coverage", "rejected"]].to_string(index=False)
        raise SystemExit(
            f"{int((~spoken).sum())} misses of a default are not among the shortfalls:\n{listed}"
        )


def _how(name: str, given: argparse.Namespace, seconds: float) -> str:
    packages = ", ".join(f"{each} {version(each)}" for each in ("ipseval", "numpy", "scipy", "pandas"))
    return (
        f"`python validation/{name}.py --replicates {given.replicates} --seed {given.seed}`: "
        f"{given.replicates:,} trials per cell, {seconds:,.0f} seconds of one processor, "
        f"Python {platform.python_version()}, {packages}."
    )


def beyond(table: pd.DataFrame) -> pd.DataFrame:
    """Return the cells in which a default misses its level, with the ``measure`` that does."""
    defaults = table.loc[table["is_default"]]
    low = defaults.loc[defaults["coverage"] < LOWEST_COVERAGE].assign(measure="coverage")
    high = defaults.loc[_arms_alike(defaults) & (defaults["rejected"] > HIGHEST_TYPE_I)]
    return pd.concat([low, high.assign(measure="type_i")])


def explained(cells: pd.DataFrame, shortfalls: Iterable[Shortfall]) -> pd.Series:
    """Return for each cell of `beyond` whether one of the shortfalls speaks of it."""
    spoken = {
        (each.quantity, each.method, each.measure, n, *rates)
        for each in shortfalls
        for n, rates in each.cells
    }
    keys = [tuple(row) for row in cells[CELL].itertuples(index=False)]
    return pd.Series([key in spoken for key in keys], index=cells.index, dtype=bool)


def _arms_alike(table: pd.DataFrame) -> pd.Series:
    """Return where a rejection is an error of type I."""
    return table["reference_rate"] == table["active_rate"]


def tables(table: pd.DataFrame, name: str) -> list[str]:
    """Return headings and tables: coverage and type I error of the defaults, then of what stands beside."""
    sections = []
    for is_default, which in ((True, "the defaults"), (False, "what stands beside them")):
        part = table.loc[table["is_default"] == is_default]
        if (covers := part.dropna(subset="coverage")).size:
            sections += [f"### {name.capitalize()}: coverage of {which}, %", _grid(covers, "coverage", RATES)]
        if (tests := part.loc[_arms_alike(part)].dropna(subset="rejected")).size:
            sections += [
                f"### {name.capitalize()}: type I error of {which}, %",
                _grid(tests, "rejected", RATES[:3]),
            ]
    return sections


def _grid(table: pd.DataFrame, measure: str, rates: tuple[tuple[float, float], ...]) -> str:
    """Return a row per method and size, a column per pair of rates (reference, active)."""
    heads = [f"{reference:.0%} v {active:.0%}" for reference, active in rates]
    lines = [
        " | ".join(["| quantity | method | n", *heads]) + " |",
        "| --- | --- " + "| --: " * (1 + len(heads)) + "|",
    ]
    cells = table.set_index(["quantity", "method", "n", "reference_rate", "active_rate"])
    for quantity, method in table[["quantity", "method"]].drop_duplicates().itertuples(index=False):
        for n in SIZES:
            found = [_cell(cells.loc[quantity, method, n, *pair], measure) for pair in rates]
            lines.append(f"| `{quantity}` | `{method}` | {n} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _cell(row: pd.Series, measure: str) -> str:
    value, error = row[measure], row[f"{measure}_std_error"]
    if np.isnan(value):
        return "no answer"
    is_beyond = value < LOWEST_COVERAGE if measure == "coverage" else value > HIGHEST_TYPE_I
    number = f"{100 * value:.1f}"
    silent = 1 - row["answered"] / row["replicates"]
    absent = f"; none in {silent:.0%}" if silent >= 0.005 else ""
    return f"{f'**{number}**' if is_beyond else number} ({100 * error:.1f}{absent})"


def _said(shortfalls: tuple[Shortfall, ...], name: str) -> list[str]:
    if not shortfalls:
        return ["No default misses its level in these trials."]
    lines = []
    for each in shortfalls:
        where = []
        for n in sorted({size for size, _ in each.cells}):
            rates = [f"{pair[0]:.0%} v {pair[1]:.0%}" for size, pair in each.cells if size == n]
            where.append(f"{', '.join(rates)} at n = {n}")
        what = {"coverage": "covers less than 93%", "type_i": "rejects more than 6%"}[each.measure]
        lines.append(f"- `{each.quantity}`, `{each.method}` {what}: {'; '.join(where)}. {each.why}")
    return [f"### {name.capitalize()}: where a default misses its level", "\n".join(lines)]
