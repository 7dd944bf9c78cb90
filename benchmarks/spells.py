"""From the dates of job spells to monthly employment rates per arm: ours beside polars and DuckDB.

    python benchmarks/spells.py                      # the table of results/spells.md
    python benchmarks/spells.py --persons 10000      # smaller

Every engine gets the same spells in its own form (arrays, DataFrames, tables), made outside the timed
part and sorted by person; every engine may use all cores. Each peer answers twice: by the query that one
would write in it (join, the months of each spell as rows, each person and month counted once), and by the
fastest we found, which is our own method handed over: a person's months as the bits of a word, and for
polars also people by position and our tables from days to months, made within the timed part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from measure import circumstances, compare, publish, report, table

from ipseval.months import month_ticks
from ipseval.spells import monthly_rates

if TYPE_CHECKING:
    import duckdb

RULES = {
    "30_days": "Months of 30 days",
    "anniversary": "Months from anniversary to anniversary",
    "calendar": "Calendar months: January, February, ...",
}
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
    """Return the usual query on DataFrames: join, the months of each spell as rows, each counted once."""
    import polars as pl

    jobs, persons = pl.DataFrame(spells).set_sorted("person"), pl.DataFrame(people).set_sorted("person")
    randomised, day = pl.col("randomised_on"), pl.duration(days=1)
    first = people["randomised_on"].min().item()

    def month(date: pl.Expr) -> pl.Expr:
        if rule == "30_days":
            return (date - randomised).dt.total_days() // 30
        if rule == "calendar":
            return 12 * (date.dt.year() - first.year) + (date.dt.month() - first.month)
        months = 12 * (date.dt.year() - randomised.dt.year()) + (date.dt.month() - randomised.dt.month())
        return months - ((date.dt.day() < randomised.dt.day()) & (date != date.dt.month_end()))

    def counted(rows: pl.LazyFrame) -> np.ndarray:
        counts = np.zeros((2, N_MONTHS), dtype=np.int64)
        table = rows.group_by("arm", "month").len().collect()
        counts[table["arm"], table["month"]] = table["len"]
        return counts

    month_rows = pl.int_ranges("begins", "after", dtype=pl.Int8).alias("month")

    def call() -> Answer:
        seen = persons.lazy().with_columns(
            begins=(month(randomised - day) + 1).clip(0, N_MONTHS),
            after=month(pl.col("observed_until") + day).clip(0, N_MONTHS),
        )
        worked = (
            jobs.lazy()
            .filter("competitive")
            .join(seen, on="person")
            .with_columns(
                begins=pl.max_horizontal(month(pl.col("started_on")), "begins"),
                after=pl.min_horizontal(month(pl.col("ended_on")) + 1, "after"),
            )
            .filter(pl.col("begins") < pl.col("after"))
            .select("person", "arm", month_rows)
            .explode("month")
            .unique()
        )
        observed = seen.filter(pl.col("begins") < pl.col("after")).select("arm", month_rows).explode("month")
        return counted(worked), counted(observed)

    return call


def with_polars_bits(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return our own method as a query: people by position, our tables from days to months, bits, OR."""
    import polars as pl

    jobs, persons = pl.DataFrame(spells).set_sorted("person"), pl.DataFrame(people).set_sorted("person")
    day = pl.duration(days=1)

    def call() -> Answer:
        ticks = month_ticks(N_MONTHS, rule, people["randomised_on"])
        month = np.concatenate(([-1], ticks.month, [N_MONTHS]))
        before, through = (pl.lit(pl.Series(1 << m.clip(0, N_MONTHS))) for m in (month, month + 1))

        def tick(table: np.ndarray | None, date: pl.Expr) -> pl.Expr:
            if table is None:
                return date.to_physical()
            position = (date.to_physical() - ticks.first_date).clip(0, len(table) - 1)
            return pl.lit(pl.Series(table, dtype=pl.Int32)).gather(position)

        def entry(date: pl.Expr) -> pl.Expr:
            return (tick(ticks.date_table, date) - pl.col("origin") + 1).clip(0, len(month) - 1)

        known = persons.with_columns(origin=tick(ticks.origin_table, pl.col("randomised_on")))
        worked = (
            jobs.lazy()
            .filter("competitive")
            .with_columns(origin=pl.lit(known["origin"]).gather(pl.col("person")))
            .with_columns(
                begins=before.gather(entry(pl.col("started_on"))),
                after=through.gather(entry(pl.col("ended_on"))),
            )
            .select("person", bits=pl.col("after") - pl.col("begins"))
            .group_by("person", maintain_order=True)
            .agg(pl.col("bits").bitwise_or())
            .set_sorted("person")
        )
        begins = through.gather(entry(pl.col("randomised_on") - day))
        seen = before.gather(entry(pl.col("observed_until") + day)) - begins
        bits = pl.col("bits").fill_null(0) & pl.col("seen")
        counts = [((bits & (1 << k)) != 0).sum().alias(f"employed_{k}") for k in range(N_MONTHS)]
        counts += [((pl.col("seen") & (1 << k)) != 0).sum().alias(f"observed_{k}") for k in range(N_MONTHS)]
        words = known.lazy().select("person", "arm", seen=seen).join(worked, on="person", how="left")
        table = words.group_by("arm").agg(counts).sort("arm").drop("arm").collect().to_numpy()
        return table[:, :N_MONTHS], table[:, N_MONTHS:]

    return call


def duckdb_tables(spells: Arrays, people: Arrays) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with the native tables ``jobs`` and ``persons``."""
    import duckdb
    import polars as pl

    database = duckdb.connect()
    for name, arrays in {"jobs": spells, "persons": people}.items():
        database.register("arrays", pl.DataFrame(arrays))
        database.execute(f"create table {name} as select * from arrays")
        database.unregister("arrays")
    return database


def duckdb_month(date: str, people: Arrays, rule: str) -> str:
    """Return the 0-based month of a date in SQL."""
    if rule == "30_days":  # // rounds towards zero: lift the days before randomisation above it
        return f"(({date} - randomised_on + 300000) // 30 - 10000)"
    if rule == "calendar":
        first = people["randomised_on"].min().item()
        return f"(12 * (year({date}) - {first.year}) + month({date}) - {first.month})"
    return (
        f"(12 * (year({date}) - year(randomised_on)) + month({date}) - month(randomised_on)"
        f" - (day({date}) < day(randomised_on) and {date} <> last_day({date}))::int)"
    )


def with_duckdb(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return the usual query: join, the months of each spell as rows, each counted once."""
    database = duckdb_tables(spells, people)
    start, end, eve, after = (
        duckdb_month(date, people, rule)
        for date in ("started_on", "ended_on", "(randomised_on - 1)", "(observed_until + 1)")
    )
    seen = f"""with seen as (
            select *, least(greatest({eve} + 1, 0), {N_MONTHS}) as seen_from,
                least(greatest({after}, 0), {N_MONTHS}) as seen_to
            from persons
        )"""
    employed = f"""{seen}, worked as (
            select distinct person, arm,
                unnest(range(greatest({start}, seen_from), least({end} + 1, seen_to))) as month
            from jobs join seen using (person) where competitive
        )
        select arm, month, count(*) from worked group by all"""
    observed = f"""{seen}, months as (select arm, unnest(range(seen_from, seen_to)) as month from seen)
        select arm, month, count(*) from months group by all"""

    def counted(query: str) -> np.ndarray:
        counts = np.zeros((2, N_MONTHS), dtype=np.int64)
        for arm, month, n in database.execute(query).fetchall():
            counts[arm, month] = n
        return counts

    return lambda: (counted(employed), counted(observed))


def with_duckdb_bits(spells: Arrays, people: Arrays, rule: str) -> Callable[[], Answer]:
    """Return the query that holds a person's months as bits, merged by ``bit_or``."""
    database = duckdb_tables(spells, people)

    def power(date: str, later: int = 0) -> str:
        month = duckdb_month(date, people, rule)
        return f"(1::bigint << least(greatest({month} + {later}, 0), {N_MONTHS})::bigint)"

    seen = f"{power('(observed_until + 1)')} - {power('(randomised_on - 1)', later=1)}"
    if rule != "calendar":  # everyone is observed from month 1 on
        seen = f"{power('(observed_until + 1)')} - 1"
    counts = [f"sum((worked >> {k}) & 1)" for k in range(N_MONTHS)]
    counts += [f"sum((seen >> {k}) & 1)" for k in range(N_MONTHS)]
    query = f"""
        with bits as (
            select person, bit_or({power("ended_on", later=1)} - {power("started_on")}) as bits
            from jobs join persons using (person) where competitive group by person
        ), observed as (
            select person, arm, {seen} as seen from persons
        ), words as (
            select arm, seen, coalesce(bits, 0) & seen as worked from observed left join bits using (person)
        )
        select {", ".join(counts)} from words group by arm order by arm"""

    def call() -> Answer:
        table = np.array(database.execute(query).fetchall(), dtype=np.int64)
        return table[:, :N_MONTHS], table[:, N_MONTHS:]

    return call


ENGINES = {
    "ipseval": with_ipseval,
    "polars, usual query": with_polars,
    "duckdb, usual query": with_duckdb,
    "polars, our method as its query": with_polars_bits,
    "duckdb, our bits as its query": with_duckdb_bits,
}
ABOUT = """\
Each peer answers twice. The usual query joins spells to people, makes a row of every month that a spell
touches, and counts each person and month once. The other hands our own method over: a person's months as
the bits of a word, merged by OR; for polars also people by position and our tables from days to months.
A ratio is the median over rounds in which the engines of one table took turns; where wall clock and CPU
ratios differ, the machine was shared or an engine did not fill both cores."""
USUAL = [engine for engine in ENGINES if "our" not in engine]
HANDED_OVER = [engine for engine in ENGINES if "usual" not in engine]


def main() -> None:
    """Measure one engine, or compare all and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES)
    arguments.add_argument("--rule", choices=RULES)
    arguments.add_argument("--persons", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine:
        make = ENGINES[given.engine]
        make(*made_up_spells(1000), given.rule)()  # starts threads, loads what is loaded on first use
        report(make(*made_up_spells(given.persons), given.rule))
        return
    n_spells = len(made_up_spells(given.persons)[0]["person"])
    lines = [f"# Job spells to monthly rates per arm: {n_spells:,} spells of {given.persons:,} people", ""]
    lines += [ABOUT, ""]
    for rule, title in RULES.items():
        lines += [f"## {title}", ""]
        options = ["--rule", rule, "--persons", str(given.persons)]
        for engines, rounds in ((USUAL, min(given.rounds, 3)), (HANDED_OVER, given.rounds)):
            measured = compare(__file__, engines, options, rounds)
            lines += [*table(measured, "ipseval"), ""]
    lines += [f"`python benchmarks/spells.py --persons {given.persons} --rounds {given.rounds}`", ""]
    lines += [circumstances(["ipseval", "numpy", "polars", "duckdb"])]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
