"""Cox regression with two covariates, arm and age, Efron ties on a grid of whole days, beside R.

    python benchmarks/cox.py                     # the table of results/cox.md
    python benchmarks/cox.py --rounds 5

Every engine gets the same people, made before its clock starts; R reads them from disk before its own does.
R's ``coxph`` also makes a model frame and a concordance; ``coxph.fit`` is the routine inside it, which users
do not call, and stands beside it so that the difference can be told from the work itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from measure import circumstances, compare, publish, report_numbers, table_of_numbers
from people import People, in_r, made_up_people, r_versions

from ipseval.stats.times.cox import cox

ENGINES = ("ipseval", "R", "R, coxph.fit alone")


def with_ipseval(people: People) -> Callable[[], list[float]]:
    """Return the call, which gives both coefficients and their standard errors."""
    covariates = np.column_stack([people.arm, people.age])

    def call() -> list[float]:
        fit = cox(people.days, people.job, covariates)
        return [*fit.coef, *fit.std_error]

    return call


def main() -> None:
    """Measure one engine, or compare all of them and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine == "ipseval":
        with_ipseval(made_up_people(1_000))()  # loads what is loaded on first use
        report_numbers(with_ipseval(made_up_people(given.people)))
        return
    if given.engine:
        in_r(__file__, made_up_people(given.people))
        return
    measured = compare(__file__, ENGINES, ["--people", str(given.people)], given.rounds)
    lines = [f"# Cox regression: {given.people:,} people, two covariates, whole days", ""]
    lines += table_of_numbers(measured, "ipseval")
    lines += ["", f"Medians of `python benchmarks/cox.py --rounds {given.rounds}`, engines in turn.", ""]
    lines += [f"{r_versions()}; {circumstances(['ipseval', 'numpy'])}"]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
