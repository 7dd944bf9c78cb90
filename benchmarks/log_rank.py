"""The log-rank test and the restricted mean of two arms on a grid of whole days, beside R and Python.

    python benchmarks/log_rank.py                     # the tables of results/log_rank.md
    python benchmarks/log_rank.py --rounds 5

Every engine gets the same whole days, made before its clock starts; R reads them from disk before its own
does. lifelines and statsmodels get the arms apart where their functions want them so, and are not charged
for it; neither has the standard error of a restricted mean, so that only its value is compared with theirs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time
from measure import circumstances, compare, publish, report_numbers, table_of_numbers
from people import People, in_r, made_up_people, r_versions
from statsmodels.duration.survfunc import survdiff

from ipseval.stats.times.log_rank import log_rank
from ipseval.stats.times.restricted_mean import restricted_mean

ENGINES = {
    "log_rank": ("ipseval", "lifelines", "statsmodels", "R"),
    "restricted_mean": ("ipseval", "lifelines", "R"),
}
TITLES = {
    "log_rank": "Log-rank test",
    "restricted_mean": "Restricted mean up to day 900, both arms (R and ipseval: with standard errors)",
}
TAU = 900
Call = Callable[[], list[float]]


def log_rank_with(engine: str, people: People) -> Call:
    """Return the call, which gives the chi-square statistic."""
    days, job, arm, _ = people
    (days_0, job_0), (days_1, job_1) = ((days[arm == which], job[arm == which]) for which in (0, 1))
    return {
        "ipseval": lambda: [log_rank(days, job, arm).statistic],
        "lifelines": lambda: [logrank_test(days_0, days_1, job_0, job_1).test_statistic],
        "statsmodels": lambda: [survdiff(days, job, arm)[0]],
    }[engine]


def restricted_mean_with(engine: str, people: People) -> Call:
    """Return the call, which gives the means of the arms and then, where there are any, standard errors."""
    days, job, arm, _ = people
    arms = [(days[arm == which], job[arm == which]) for which in (0, 1)]

    def ours() -> list[float]:
        found = [restricted_mean(*each, TAU) for each in arms]
        return [each.estimate[0] for each in found] + [each.std_error[0] for each in found]

    def theirs() -> list[float]:
        return [restricted_mean_survival_time(KaplanMeierFitter().fit(*each), TAU) for each in arms]

    return {"ipseval": ours, "lifelines": theirs}[engine]


TASKS = {"log_rank": log_rank_with, "restricted_mean": restricted_mean_with}


def main() -> None:
    """Measure one engine, or compare all of them and write the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--engine", choices=ENGINES["log_rank"])
    arguments.add_argument("--task", choices=tuple(TASKS), default="log_rank")
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    if given.engine == "R":
        in_r(__file__, made_up_people(given.people))
        return
    if given.engine:
        TASKS[given.task](given.engine, made_up_people(1_000))()  # loads what is loaded on first use
        report_numbers(TASKS[given.task](given.engine, made_up_people(given.people)))
        return
    lines = [f"# Log-rank and restricted mean: {given.people:,} people, two arms, whole days"]
    for task, engines in ENGINES.items():
        options = ["--task", task, "--people", str(given.people)]
        measured = compare(__file__, engines, options, given.rounds)
        lines += ["", f"## {TITLES[task]}", "", *table_of_numbers(measured, "ipseval")]
    lines += ["", f"Medians of `python benchmarks/log_rank.py --rounds {given.rounds}`, engines in turn.", ""]
    lines += [f"{r_versions()}; {circumstances(['ipseval', 'numpy', 'lifelines', 'statsmodels'])}"]
    publish(__file__, lines)


if __name__ == "__main__":
    main()
