"""From the dates of job spells to monthly employment rates per arm: ours beside polars and DuckDB.

    python benchmarks/spells.py                      # the table of results/spells.md
    python benchmarks/spells.py --persons 10000      # smaller

Every engine gets the same spells in its own form (arrays, DataFrames, tables), made outside the timed
part and sorted by person; every engine may use all cores. The peers' queries are the fastest we found:
they too hold a person's months as the bits of a word, and polars looks people up by position.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import circumstances, compare, report, table

from ipseval.spells import monthly_rates

ENGINES = ("ipseval", "polars", "duckdb")
RULES = {"30_days": "Months of 30 days", "anniversary": "Months from anniversary to anniversary"}
N_MONTHS = 30
Arrays = dict[str, np.ndarray]
Answer = tuple[np.ndarray, np.ndarray]


def made_up_spells(n_persons: int) -> tuple[Arrays, Arrays]:
    """Return spells and people: 3 to 10 spells each, overlapping, three in five competitive."""
    rng = np.random.default_rng(20)
    n_spells = rng.integers(3, 11, n_persons)
    randomised = rng.integers(18_000, 18_700, n_persons)
    person = np.repeat(np.arange(n_persons, dtype=np.int32), n_spells)
    started = randomised[person] + rng.integers(-200, 1000, len(person))
    spells = {
        "person": person,
        "started_on": started.astype("datetime64[D]"),
        "ended_on": (started + rng.integers(0, 400, len(person))).astype("datetime64[D]"),
        "competitive": rng.random(len(person)) < 0.6,
    }
    people = {
        "person": np.arange(n_persons, dtype=np.int32),
        "arm": rng.integers(0, 2, n_persons).astype(np.int8),
        "randomised_on": randomised.astype("datetime64[D]"),
        "observed_until": (randomised + rng.integers(300, 1000, n_persons)).astype("datetime64[D]"),
    }
    return spells, people


def with_ipseval(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return the call on the arrays."""

    def call() -> Answer:
        rates = monthly_rates(
            spells["person"],
            spells["started_on"],
            spells["ended_on"],
            arm=people["arm"],
            randomised_on=people["randomised_on"],
            observed_until=people["observed_until"],
            n_months=N_MONTHS,
            rule=rule,
            counted=spells["competitive"],
        )
        return rates.n_employed, rates.n_observed

    return call


def with_polars(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return the query on DataFrames: people by position, months as powers of two, merged by OR."""
    import polars as pl

    jobs, persons = pl.DataFrame(spells).set_sorted("person"), pl.DataFrame(people)
    powers = pl.lit(pl.Series([1 << k for k in range(N_MONTHS + 1)]))
    randomised = pl.col("randomised_on")

    def month(date: pl.Expr) -> pl.Expr:
        if rule == "30_days":
            return (date - randomised).dt.total_days() // 30
        months = 12 * (date.dt.year() - randomised.dt.year()) + (date.dt.month() - randomised.dt.month())
        return months - ((date.dt.day() < randomised.dt.day()) & (date != date.dt.month_end()))

    def power(month: pl.Expr) -> pl.Expr:
        return powers.gather(month.clip(0, N_MONTHS))

    def call() -> Answer:
        first, after = month(pl.col("started_on")), month(pl.col("ended_on")) + 1
        worked = (
            jobs.lazy()
            .filter("competitive")
            .with_columns(pl.lit(persons["randomised_on"]).gather(pl.col("person")).alias("randomised_on"))
            .select("person", bits=power(after) - power(first))
            .group_by("person")
            .agg(pl.col("bits").bitwise_or())
        )
        observed = persons.lazy().select(
            "person", "arm", seen=power(month(pl.col("observed_until") + pl.duration(days=1))) - 1
        )
        bits = pl.col("bits").fill_null(0) & pl.col("seen")
        counts = [((bits & (1 << k)) != 0).sum().alias(f"employed_{k}") for k in range(N_MONTHS)]
        counts += [((pl.col("seen") & (1 << k)) != 0).sum().alias(f"observed_{k}") for k in range(N_MONTHS)]
        per_arm = (
            observed.join(worked, on="person", how="left").group_by("arm").agg(counts).sort("arm").collect()
        )
        table = per_arm.drop("arm").to_numpy()
        return table[:, :N_MONTHS], table[:, N_MONTHS:]

    return call


def with_duckdb(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return the query on native tables: a hash join, months as bits, merged by ``bit_or``."""
    import duckdb
    import polars as pl

    database = duckdb.connect()
    for name, arrays in {"jobs": spells, "persons": people}.items():
        database.register("arrays", pl.DataFrame(arrays))
        database.execute(f"create table {name} as select * from arrays")
        database.unregister("arrays")

    def month(date: str) -> str:
        if rule == "30_days":  # // rounds towards zero: lift the days before randomisation above it
            return f"(({date} - randomised_on + 300000) // 30 - 10000)"
        return (
            f"(12 * (year({date}) - year(randomised_on)) + month({date}) - month(randomised_on)"
            f" - (day({date}) < day(randomised_on) and {date} <> last_day({date}))::int)"
        )

    def power(month: str) -> str:
        return f"(1::bigint << least(greatest({month}, 0), {N_MONTHS})::bigint)"

    counts = [f"sum((worked >> {k}) & 1)" for k in range(N_MONTHS)]
    counts += [f"sum((seen >> {k}) & 1)" for k in range(N_MONTHS)]
    query = f"""
        with bits as (
            select person, bit_or({power(month("ended_on") + " + 1")} - {power(month("started_on"))}) as bits
            from jobs join persons using (person) where competitive group by person
        ), observed as (
            select person, arm, {power(month("(observed_until + 1)"))} - 1 as seen from persons
        ), words as (
            select arm, seen, coalesce(bits, 0) & seen as worked from observed left join bits using (person)
        )
        select {", ".join(counts)} from words group by arm order by arm"""

    def call() -> Answer:
        table = np.array(database.execute(query).fetchall(), dtype=np.int64)
        return table[:, :N_MONTHS], table[:, N_MONTHS:]

    return call


def main() -> None:
    """Measure one engine, or compare all and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES)
    arguments.add_argument("--rule", choices=RULES)
    arguments.add_argument("--persons", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine:
        make = {"ipseval": with_ipseval, "polars": with_polars, "duckdb": with_duckdb}[given.engine]
        make(*made_up_spells(1000), given.rule)()  # starts threads, loads what is loaded on first use
        report(make(*made_up_spells(given.persons), given.rule))
        return
    n_spells = len(made_up_spells(given.persons)[0]["person"])
    lines = [f"# Job spells to monthly rates per arm: {n_spells:,} spells of {given.persons:,} people", ""]
    for rule, title in RULES.items():
        options = ["--rule", rule, "--persons", str(given.persons)]
        measured = compare(__file__, ENGINES, options, given.rounds)
        lines += [f"## {title}", "", *table(measured, "ipseval"), ""]
    lines += [f"`python benchmarks/spells.py --persons {given.persons} --rounds {given.rounds}`", ""]
    lines += [circumstances(["ipseval", "numpy", "polars", "duckdb"])]
    print("\n".join(lines))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "spells.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
