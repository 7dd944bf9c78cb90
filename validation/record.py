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
from numpy.typing import ArrayLike, NDArray
from trials import RATES, SIZES, Scenario

RESULTS = Path(__file__).parent / "results"

#: What a default is held to at a nominal 95%; a cell beyond is printed bold and must be explained.
LOWEST_COVERAGE, HIGHEST_TYPE_I = 0.93, 0.06


class Layout(NamedTuple):
    """How the cells of a table are laid out: a row per size, a column per value of ``names``.

    ``columns`` are those of coverage and bias, ``columns_alike`` those of type I error, in which the arms are
    alike; ``head`` says what stands above a column.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    columns: tuple[tuple[float, ...], ...]
    columns_alike: tuple[tuple[float, ...], ...]
    head: Callable[[tuple[float, ...]], str]

    @property
    def cell(self) -> list[str]:
        """What names a cell in which a default may miss its level."""
        return ["quantity", "method", "measure", "n", *self.names]


BY_RATES = Layout(
    names=("reference_rate", "active_rate"),
    sizes=SIZES,
    columns=RATES,
    columns_alike=tuple(pair for pair in RATES if pair[0] == pair[1]),
    head=lambda column: f"{column[0]:.0%} v {column[1]:.0%}",
)


class Method(NamedTuple):
    """A row of the results as users see it, and whether it is the default of its quantity."""

    quantity: str
    method: str
    is_default: bool = True


class Shortfall(NamedTuple):
    """Where a default misses its level, why, and what to use there; nothing else may miss it.

    ``measure`` is "coverage" or "type_i", and a cell a size with a column of the layout.
    """

    quantity: str
    method: str
    measure: str
    cells: tuple[tuple[int, tuple[float, ...]], ...]
    why: str


def judged(
    method: Method,
    scenario: Scenario,
    truth: float,
    *,
    low: ArrayLike = np.nan,
    high: ArrayLike = np.nan,
    p_value: ArrayLike = np.nan,
    estimate: ArrayLike | None = None,
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
    estimate : array, shape (replicates,), optional
        Adds its mean distance from the truth, with the Monte Carlo error of that.
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
        **({} if estimate is None else _bias(np.asarray(estimate, np.float64) - truth)),
    }


def _bias(errors: NDArray[np.float64]) -> dict[str, float]:
    given = errors[~np.isnan(errors)]
    if given.size < 2:
        return {"bias": np.nan, "bias_std_error": np.nan}
    return {"bias": float(given.mean()), "bias_std_error": float(given.std(ddof=1) / np.sqrt(given.size))}


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
    layout: Layout = BY_RATES,
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
    text = "\n\n".join([*tables(table, name, layout), *_said(shortfalls, name, layout), how])
    md.write_text(text + "\n", encoding="utf-8")
    cells = beyond(table)
    if not (spoken := explained(cells, shortfalls, layout)).all():
        listed = cells.loc[~spoken, [*layout.cell, "coverage", "rejected"]].to_string(index=False)
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


def explained(cells: pd.DataFrame, shortfalls: Iterable[Shortfall], layout: Layout = BY_RATES) -> pd.Series:
    """Return for each cell of `beyond` whether one of the shortfalls speaks of it."""
    spoken = {
        (each.quantity, each.method, each.measure, n, *column)
        for each in shortfalls
        for n, column in each.cells
    }
    keys = [tuple(row) for row in cells[layout.cell].itertuples(index=False)]
    return pd.Series([key in spoken for key in keys], index=cells.index, dtype=bool)


def _arms_alike(table: pd.DataFrame) -> pd.Series:
    """Return where a rejection is an error of type I."""
    return table["reference_rate"] == table["active_rate"]


def tables(table: pd.DataFrame, name: str, layout: Layout = BY_RATES) -> list[str]:
    """Return headings and tables: of the defaults, then of what stands beside them."""
    sections, name = [], name.capitalize()
    for is_default, which in ((True, "the defaults"), (False, "what stands beside them")):
        part = table.loc[table["is_default"] == is_default]
        if "bias" in part and (measured := part.dropna(subset="bias")).size:
            heading = f"### {name}: bias of {which}"
            sections += [heading, _grid(measured, "bias", layout.columns, layout)]
        if (covers := part.dropna(subset="coverage")).size:
            heading = f"### {name}: coverage of {which}, %"
            sections += [heading, _grid(covers, "coverage", layout.columns, layout)]
        if (tests := part.loc[_arms_alike(part)].dropna(subset="rejected")).size:
            heading = f"### {name}: type I error of {which}, %"
            sections += [heading, _grid(tests, "rejected", layout.columns_alike, layout)]
    return sections


def _grid(table: pd.DataFrame, measure: str, columns: tuple[tuple[float, ...], ...], layout: Layout) -> str:
    """Return a row per method and size, a column per column of the layout."""
    lines = [
        " | ".join(["| quantity | method | n", *map(layout.head, columns)]) + " |",
        "| --- | --- " + "| --: " * (1 + len(columns)) + "|",
    ]
    cells = table.set_index(["quantity", "method", "n", *layout.names])
    for quantity, method in table[["quantity", "method"]].drop_duplicates().itertuples(index=False):
        for n in layout.sizes:
            found = [_cell(cells.loc[quantity, method, n, *column], measure) for column in columns]
            lines.append(f"| `{quantity}` | `{method}` | {n} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _cell(row: pd.Series, measure: str) -> str:
    value, error = row[measure], row[f"{measure}_std_error"]
    if np.isnan(value):
        return "no answer"
    if measure == "bias":
        return f"{value:+.3f} ({error:.3f})"
    is_beyond = value < LOWEST_COVERAGE if measure == "coverage" else value > HIGHEST_TYPE_I
    number = f"{100 * value:.1f}"
    silent = 1 - row["answered"] / row["replicates"]
    absent = f"; none in {silent:.0%}" if silent >= 0.005 else ""
    return f"{f'**{number}**' if is_beyond else number} ({100 * error:.1f}{absent})"


def _said(shortfalls: tuple[Shortfall, ...], name: str, layout: Layout) -> list[str]:
    if not shortfalls:
        return ["No default misses its level in these trials."]
    lines = []
    for each in shortfalls:
        where = []
        for n in sorted({size for size, _ in each.cells}):
            columns = [layout.head(column) for size, column in each.cells if size == n]
            where.append(f"{', '.join(columns)} at n = {n}")
        what = {"coverage": "covers less than 93%", "type_i": "rejects more than 6%"}[each.measure]
        lines.append(f"- `{each.quantity}`, `{each.method}` {what}: {'; '.join(where)}. {each.why}")
    return [f"### {name.capitalize()}: where a default misses its level", "\n".join(lines)]
