"""Synthetic trials with a known truth, the same to the last byte on every platform.

A design file states who takes part, how soon they find work, what goes missing. `simulate` writes
the trial as files; `true_proportion_with_job` says what the design implies. With
``first_job.force_counts`` the number of people with a job is exactly as stated, for teaching and
for reproducing a published figure; without it the counts follow the design, for judging methods.
"""

from ipseval.simulation.design import SimulationDesign
from ipseval.simulation.design_file import read_design
from ipseval.simulation.tables import SimulatedTables, simulated_tables
from ipseval.simulation.truth import true_proportion_with_job
from ipseval.simulation.write import simulate

__all__ = [
    "SimulatedTables",
    "SimulationDesign",
    "read_design",
    "simulate",
    "simulated_tables",
    "true_proportion_with_job",
]
