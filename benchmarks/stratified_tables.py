"""Ten thousand stratified tables through every interval and test, beside loops over one table at a time.

    python benchmarks/stratified_tables.py                     # the table of results/stratified_tables.md
    python benchmarks/stratified_tables.py --rounds 5

Ours takes all tables in one call. The peer takes the first 300 of them, one after the other, as its function
or SciPy's root finder wants them; its time is given per 10,000. Answers are compared over those 300.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
from measure import Measured, apart, circumstances, compare, publish, report_numbers
from numpy.typing import NDArray
from scipy import optimize, special, stats
from statsmodels.stats.contingency_tables import StratifiedTable

from ipseval.stats.proportions import stratified_proportions as ours
from ipseval.stats.proportions import stratified_tests as tests
from ipseval.stats.proportions.score_limits import rates_given_difference
from ipseval.stats.tables import Tables

TABLES, STRATA, COMPARED = 10_000, 4, 300
Z = float(special.ndtri(0.975))
Counts = tuple[NDArray[np.int64], ...]


def made_up_tables() -> Counts:
    """Return events and people of either arm: four sites of 8 to 39 people an arm, rates of 20 to 70%."""
    rng = np.random.default_rng(1)
    n = rng.integers(8, 40, (2, TABLES, STRATA))
    x = rng.binomial(n, rng.random((2, TABLES, 1)) * 0.5 + 0.2)
    return x[0], n[0], x[1], n[1]


def _limits(found: object) -> tuple[float, ...]:
    return found.conf_low, found.conf_high


def _statistic(found: object) -> tuple[float, ...]:
    return (found.statistic,)


OURS: dict[str, Callable[[Counts], tuple[NDArray[np.float64], ...]]] = {
    **{
        f"difference, {method}": lambda t, m=method: _limits(ours.stratified_risk_difference(*t, method=m))
        for method in ("sato", "greenland_robins", "inverse_variance", "newcombe", "miettinen_nurminen")
    },
    "ratio, mantel_haenszel": lambda t: (ours.stratified_risk_ratio(*t).estimate,),
    **{
        f"odds ratio, {method}": lambda t, m=method: _limits(ours.stratified_odds_ratio(*t, method=m))
        for method in ("mantel_haenszel", "conditional_exact", "mid_p")
    },
    "test, cochran_mantel_haenszel": lambda t: _statistic(tests.cochran_mantel_haenszel_test(*t)),
    "test, breslow_day_tarone": lambda t: _statistic(tests.homogeneity_of_odds_ratios(*t)),
    "test, exact conditional": lambda t: (tests.exact_conditional_test(*t),),
}


def _statsmodels(row: Counts) -> StratifiedTable:
    x1, n1, x0, n0 = row
    return StratifiedTable(np.array([[x1, n1 - x1], [x0, n0 - x0]], dtype=float))


def _score_limits(row: Counts) -> tuple[float, ...]:
    """Invert the stratified score statistic of one table, its weights found by repetition."""
    t = Tables(*(part.astype(float) for part in row))
    total, p1, p0 = t.n1 + t.n0, t.x1 / t.n1, t.x0 / t.n0

    def statistic(d: float) -> float:
        r1, r0 = rates_given_difference(np.full(STRATA, d), t)
        weight = t.n1 * t.n0 / total
        weight = weight / weight.sum()
        for _ in range(100):
            m1, m0 = weight @ r1, weight @ r0
            new = 1 / (m1 * (1 - m1) / t.n1 + m0 * (1 - m0) / t.n0)
            new, old = new / new.sum(), weight
            weight = new
            if np.abs(new - old).max() < 1e-14:
                break
        variance = (r1 * (1 - r1) / t.n1 + r0 * (1 - r0) / t.n0) * total / (total - 1)
        return float((weight * (p1 - p0 - d)).sum() / np.sqrt((weight**2 * variance).sum()))

    middle = optimize.brentq(statistic, -0.999, 0.999, xtol=1e-14)
    return (
        optimize.brentq(lambda d: statistic(d) - Z, -0.999, middle, xtol=1e-14),
        optimize.brentq(lambda d: statistic(d) + Z, middle, 0.999, xtol=1e-14),
    )


def _conditional(row: Counts) -> tuple[NDArray[np.float64], int]:
    """Return the log weights of one table's total, and how far the observed one is from the smallest."""
    weight, observed = np.ones(1), 0
    for x1, n1, x0, n0 in zip(*row, strict=True):
        lowest = max(0, x1 + x0 - n0)
        k = np.arange(lowest, min(n1, x1 + x0) + 1)
        weight = np.convolve(weight, stats.hypergeom.pmf(k, n1 + n0, n1, x1 + x0))
        observed += x1 - lowest
    return np.log(weight), int(observed)


def _exact_limits(row: Counts, share: float) -> tuple[float, ...]:
    log_weight, observed = _conditional(row)
    k = np.arange(log_weight.size)

    def tail(log_ratio: float, beyond: NDArray[np.bool_]) -> float:
        p = special.softmax(log_weight + k * log_ratio)
        return float(p[beyond].sum() + share * p[observed] - 0.025)

    low = optimize.brentq(lambda b: tail(b, k > observed), -30, 30, xtol=1e-14) if observed else -np.inf
    is_last = observed == k[-1]
    high = np.inf if is_last else optimize.brentq(lambda b: tail(b, k < observed), -30, 30, xtol=1e-14)
    return float(np.exp(low)), float(np.exp(high))


def _exact_test(row: Counts) -> tuple[float, ...]:
    log_weight, observed = _conditional(row)
    p = special.softmax(log_weight)
    return (float(p[p <= p[observed] * (1 + 1e-7)].sum()),)


PEERS: dict[str, tuple[str, Callable[[Counts], tuple[float, ...]]]] = {
    "difference, miettinen_nurminen": ("SciPy brentq", _score_limits),
    "ratio, mantel_haenszel": ("statsmodels", lambda row: (_statsmodels(row).riskratio_pooled,)),
    "odds ratio, mantel_haenszel": ("statsmodels", lambda row: _statsmodels(row).oddsratio_pooled_confint()),
    "odds ratio, conditional_exact": ("SciPy brentq", lambda row: _exact_limits(row, 1.0)),
    "odds ratio, mid_p": ("SciPy brentq", lambda row: _exact_limits(row, 0.5)),
    "test, cochran_mantel_haenszel": (
        "statsmodels",
        lambda row: (_statsmodels(row).test_null_odds(correction=False).statistic,),
    ),
    "test, breslow_day_tarone": (
        "statsmodels",
        lambda row: (_statsmodels(row).test_equal_odds(adjust=True).statistic,),
    ),
    "test, exact conditional": ("SciPy hypergeom", _exact_test),
}


def measure(engine: str, method: str) -> None:
    """Time one engine and report its answers for the tables that both have."""
    tables = made_up_tables()
    if engine == "ipseval":
        OURS[method](tuple(part[:10] for part in tables))  # loads what is loaded on first use

        def call() -> list[float]:
            return np.array(OURS[method](tables))[:, :COMPARED].T.ravel().tolist()
    else:
        one = PEERS[method][1]
        one(tuple(part[0] for part in tables))

        def call() -> list[float]:
            return [float(x) for i in range(COMPARED) for x in one(tuple(part[i] for part in tables))]

    report_numbers(call)


def row(method: str, measured: dict[str, Measured]) -> str:
    """Return one line: our time, the peer's for as many tables, their ratio and how far they are apart."""
    mine = measured["ipseval"]
    cells = [
        method,
        f"{statistics.median(mine.seconds):.3f}",
        f"{statistics.median(mine.processor_seconds):.3f}",
    ]
    if theirs := measured.get("peer"):
        scaled = statistics.median(theirs.seconds) * TABLES / COMPARED
        ratio = scaled / statistics.median(mine.seconds)
        cells += [PEERS[method][0], f"{scaled:.1f}", f"{ratio:.0f}", f"{apart(mine, theirs):.0e}"]
    else:
        cells += ["-"] * 4
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure one engine, or compare both by every method and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=("ipseval", "peer"))
    arguments.add_argument("--method", choices=OURS)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    if given.engine:
        measure(given.engine, given.method)
        return
    lines = [
        f"# {TABLES:,} two-arm tables of {STRATA} strata: all at once, and one after the other",
        "",
        "| method | ipseval, s | CPU s | peer in a loop | peer, s | times ours | apart |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in OURS:
        engines = ("ipseval", "peer") if method in PEERS else ("ipseval",)
        lines.append(row(method, compare(__file__, engines, ["--method", method], given.rounds)))
    lines += [
        "",
        f"Medians of `python benchmarks/stratified_tables.py --rounds {given.rounds}`, engines in turn. The "
        f"peer takes {COMPARED} tables, and its time is given for as many as ours. Methods without a peer "
        f"here are pinned to R in the tests.",
        "",
        circumstances(["ipseval", "numpy", "scipy", "statsmodels"]),
    ]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
